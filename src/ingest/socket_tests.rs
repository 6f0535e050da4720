//! The ingest socket on a real port, spoken to byte by byte: frames out, frames in.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};
use tokio::sync::oneshot;

use crate::app::App;
use crate::auth::access::Role;
use crate::catalog::tokens::TokenSpec;
use crate::clock::Clock;
use crate::config::Config;
use crate::hub::Hub;
use crate::limits::FRAME_BYTES;
use crate::model::TokenId;

const DEADLINE: Duration = Duration::from_secs(20);

/// A hub on a port of its own. Dropped: it stops in order.
struct Running {
    hub: Arc<Hub>,
    address: SocketAddr,
    token: (String, TokenId),
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
    _dir: tempfile::TempDir,
}

impl Running {
    fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut config = Config::default();
        config.data.dir = dir.path().join("data");
        config.listen.address = "127.0.0.1:0".parse().unwrap();
        let (stop, stopped) = oneshot::channel();
        let (started, start) = mpsc::sync_channel(1);
        let thread = std::thread::spawn(move || {
            actix_web::rt::System::new().block_on(async move {
                let app = App::build(config, Clock::system()).unwrap();
                started.send((Arc::clone(&app.hub), app.address)).unwrap();
                app.run(async { drop(stopped.await) }).await.unwrap();
            });
        });
        let (hub, address) = start.recv_timeout(DEADLINE).unwrap();
        let spec = TokenSpec { name: "test".to_owned(), role: Role::Agent, devices: None, select: None };
        let (secret, token) = hub.auth.create_token(spec).unwrap();
        Self { hub, address, token: (secret.reveal().to_owned(), token.id), stop: Some(stop), thread: Some(thread), _dir: dir }
    }

    fn connect(&self) -> Client {
        let (client, head) = Client::upgrade(self.address, &self.token.0);
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        client
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            assert!(thread.join().is_ok() || std::thread::panicking());
        }
    }
}

struct Client(TcpStream);

#[derive(Debug, PartialEq)]
enum Got {
    Answer(Json),
    Pong(Vec<u8>),
    Close(u16),
    CloseWithoutCode,
    End,
}

impl Client {
    fn upgrade(address: SocketAddr, token: &str) -> (Self, String) {
        let mut tcp = TcpStream::connect(address).unwrap();
        tcp.set_read_timeout(Some(DEADLINE)).unwrap();
        tcp.set_nodelay(true).unwrap();
        let request = format!(
            "GET /api/v1/ingest HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nAuthorization: Bearer {token}\r\n\r\n"
        );
        tcp.write_all(request.as_bytes()).unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            tcp.read_exact(&mut byte).unwrap();
            head.push(byte[0]);
        }
        (Self(tcp), String::from_utf8(head).unwrap())
    }

    fn send(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).unwrap();
    }

    fn json(&mut self, value: &Json) {
        self.send(&frame(0x82, &rmp_serde::to_vec(value).unwrap()));
    }

    fn read(&mut self) -> Got {
        let mut head = [0; 2];
        match self.0.read_exact(&mut head) {
            Ok(()) => {}
            Err(error) if matches!(error.kind(), std::io::ErrorKind::UnexpectedEof | std::io::ErrorKind::ConnectionReset) => {
                return Got::End;
            }
            Err(error) => panic!("{error}"),
        }
        let len = match head[1] {
            126 => {
                let mut len = [0; 2];
                self.0.read_exact(&mut len).unwrap();
                usize::from(u16::from_be_bytes(len))
            }
            127 => {
                let mut len = [0; 8];
                self.0.read_exact(&mut len).unwrap();
                usize::try_from(u64::from_be_bytes(len)).unwrap()
            }
            len => usize::from(len),
        };
        let mut payload = vec![0; len];
        self.0.read_exact(&mut payload).unwrap();
        match (head[0], &payload[..]) {
            (0x82, payload) => Got::Answer(rmp_serde::from_slice(payload).unwrap()),
            // The hub's own pings, on a machine so busy that a test lasts long enough to get one.
            (0x89, _) => self.read(),
            (0x8a, payload) => Got::Pong(payload.to_vec()),
            (0x88, []) => Got::CloseWithoutCode,
            (0x88, [a, b, ..]) => Got::Close(u16::from_be_bytes([*a, *b])),
            other => panic!("{other:?}"),
        }
    }

    fn answer(&mut self) -> Json {
        match self.read() {
            Got::Answer(answer) => answer,
            other => panic!("{other:?} and not an answer"),
        }
    }
}

fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut out = declared(first, payload.len() as u64);
    out.extend(payload.iter().enumerate().map(|(i, byte)| byte ^ MASK[i % 4]));
    out
}

const MASK: [u8; 4] = [1, 2, 3, 4];

/// A client's header alone.
fn declared(first: u8, len: u64) -> Vec<u8> {
    let mut out = vec![first];
    match len {
        0..=125 => out.push(0x80 | u8::try_from(len).unwrap()),
        126..=65535 => {
            out.push(0x80 | 126);
            out.extend(u16::try_from(len).unwrap().to_be_bytes());
        }
        _ => {
            out.push(0x80 | 127);
            out.extend(len.to_be_bytes());
        }
    }
    out.extend(MASK);
    out
}

fn batch(seq: u64, value: i64) -> Json {
    json!({"seq": seq, "readings": [{"device": "d", "metric": "m", "value": value, "time": "2026-11-23T00:00:00Z"}]})
}

fn ack(seq: u64, stored: u64, duplicate: u64) -> Json {
    json!({"ack": seq, "stored": stored, "duplicate": duplicate, "rejected": []})
}

fn packed(value: &Json) -> Vec<u8> {
    frame(0x82, &rmp_serde::to_vec(value).unwrap())
}

fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < DEADLINE, "never: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn batches_are_acked_in_order_and_the_closing_handshake_is_kept() {
    let running = Running::start();
    let (mut client, head) = Client::upgrade(running.address, &running.token.0);
    assert!(head.to_lowercase().contains("sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo="), "{head}");
    client.json(&batch(5, 1));
    client.json(&batch(5, 1));
    client.json(&batch(6, 2));
    assert_eq!([client.answer(), client.answer(), client.answer()], [ack(5, 1, 0), ack(5, 0, 1), ack(6, 1, 0)]);
    client.send(&frame(0x89, b"are you there"));
    assert_eq!(client.read(), Got::Pong(b"are you there".to_vec()));
    client.send(&frame(0x88, &[0x0f, 0xa0, b'x']));
    assert_eq!([client.read(), client.read()], [Got::Close(4000), Got::End]);
    eventually("the connection is counted out", || running.hub.metrics.agents_open.value() == 0);
    let mut bare = running.connect();
    bare.send(&frame(0x88, &[]));
    assert_eq!([bare.read(), bare.read()], [Got::CloseWithoutCode, Got::End]);
}

#[test]
fn fragments_with_a_ping_between_and_single_bytes_are_whole_messages() {
    let running = Running::start();
    let mut client = running.connect();
    let message = rmp_serde::to_vec(&batch(1, 1)).unwrap();
    client.send(&[frame(0x02, &message[..5]), frame(0x00, &message[5..9]), frame(0x89, b"p"), frame(0x80, &message[9..])].concat());
    assert_eq!([client.read(), client.read()], [Got::Pong(b"p".to_vec()), Got::Answer(ack(1, 1, 0))]);
    for byte in packed(&batch(2, 2)) {
        client.send(&[byte]);
    }
    assert_eq!(client.answer(), ack(2, 1, 0));
}

#[test]
fn what_breaks_a_rule_is_closed_with_its_code_after_the_answers_before_it() {
    let limit = FRAME_BYTES as u64;
    let rows: &[(&str, Vec<u8>, u16)] = &[
        ("a frame beyond the limit, header alone", declared(0x82, limit + 1), 1009),
        ("a frame of 2^40 bytes, header alone", declared(0x82, 1 << 40), 1009),
        ("fragments beyond the limit", [frame(0x02, &vec![0; FRAME_BYTES]), declared(0x80, 1)].concat(), 1009),
        ("a reserved bit", frame(0xc2, b"x"), 1002),
        ("an unknown opcode", frame(0x83, b"x"), 1002),
        ("a fragmented ping", frame(0x09, b"x"), 1002),
        ("a long ping", frame(0x89, &[0; 126]), 1002),
        ("a continuation of nothing", frame(0x80, b"x"), 1002),
        ("an unmasked frame", vec![0x82, 1, 0xc0], 1002),
        ("a close code that may not travel", frame(0x88, &[0x03, 0xed]), 1002),
        ("a text frame", frame(0x81, b"{}"), 1003),
        ("a text frame that is not UTF-8", frame(0x81, &[0xff]), 1007),
    ];
    let running = Running::start();
    for (name, bad, code) in rows {
        let mut client = running.connect();
        client.json(&batch(1, 0));
        assert!(matches!(client.read(), Got::Answer(_)), "{name}");
        // In one write, so that they come in one read.
        client.send(&[packed(&batch(2, 0)), bad.clone()].concat());
        assert_eq!(client.read(), Got::Answer(ack(2, 0, 1)), "{name}");
        assert_eq!(client.read(), Got::Close(*code), "{name}");
        assert_eq!(client.read(), Got::End, "{name}");
    }
    assert!(running.connect().0.peer_addr().is_ok());
}

#[test]
fn a_hundred_broken_frames_are_answered_before_the_close() {
    let running = Running::start();
    let mut client = running.connect();
    for _ in 0..100 {
        client.send(&frame(0x82, &[0xc1]));
    }
    for n in 1..=100 {
        let answer = client.answer();
        assert_eq!((&answer["frame"], &answer["error"]["code"]), (&json!(n), &json!("bad_frame")));
    }
    assert_eq!([client.read(), client.read()], [Got::Close(1007), Got::End]);
}

#[test]
fn a_revoked_token_ends_its_connections_within_a_second() {
    let running = Running::start();
    let mut client = running.connect();
    client.json(&batch(1, 1));
    assert_eq!(client.answer(), ack(1, 1, 0));
    let began = Instant::now();
    running.hub.auth.revoke_token(running.token.1).unwrap();
    assert_eq!(client.read(), Got::Close(4401));
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    let (_, head) = Client::upgrade(running.address, &running.token.0);
    assert!(head.starts_with("HTTP/1.1 401 "), "{head}");
}

#[test]
fn a_stop_says_goodbye() {
    let running = Running::start();
    let mut client = running.connect();
    client.json(&batch(1, 7));
    assert_eq!(client.answer(), ack(1, 1, 0));
    let reader = std::thread::spawn(move || [client.read(), client.read()]);
    let hub = Arc::clone(&running.hub);
    drop(running);
    assert_eq!(reader.join().unwrap(), [Got::Close(1001), Got::End]);
    assert_eq!(hub.metrics.readings_stored.value(), 1);
}

#[test]
fn a_peer_that_does_not_read_loses_only_what_it_did_not_ask_for() {
    let running = Running::start();
    let mut client = running.connect();
    // Refusals of 50 kB each, nobody reads them; the good readings between them are stored all the same.
    let bad: Vec<Json> = (0..500).map(|_| json!({"device": "d", "metric": "m", "valeu": 1})).collect();
    let frames: u64 = 400;
    for n in 0..frames {
        client.json(&json!(bad));
        client.json(&json!({"device": "d", "metric": "m", "value": 1, "time": 1_795_400_000_000_000_000_u64 + n}));
    }
    let metrics = &running.hub.metrics;
    eventually("every reading is stored", || metrics.readings_stored.value() == frames);
    eventually("answers were dropped", || metrics.answers_dropped.value() > 0);
    eventually("every refusal is counted", || metrics.readings_refused.value() == frames * 500);
}

#[test]
fn a_peer_that_does_not_read_its_acks_is_not_read_either() {
    let running = Running::start();
    let mut client = running.connect();
    let bad: Vec<Json> = (0..500).map(|_| json!({"device": "d", "metric": "m", "valeu": 1})).collect();
    let big = packed(&json!({"seq": 1, "readings": bad}));
    client.0.set_nonblocking(true).unwrap();
    let began = Instant::now();
    // Until the hub stops reading and the sockets' own buffers are full: a write that makes no way for a second.
    let (mut sent, mut moved) = (0, Instant::now());
    while moved.elapsed() < Duration::from_secs(1) {
        assert!(began.elapsed() < DEADLINE, "{sent} bytes taken and no end");
        match client.0.write(&big[sent % big.len()..]) {
            Ok(n) => (sent, moved) = (sent + n, Instant::now()),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => std::thread::sleep(Duration::from_millis(5)),
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(running.hub.metrics.answers_dropped.value(), 0);
    // Once it reads, everything goes on: each whole batch that was sent is answered.
    client.0.set_nonblocking(false).unwrap();
    for _ in 0..sent / big.len() {
        assert_eq!(client.answer()["rejected"].as_array().unwrap().len(), 500);
    }
}
