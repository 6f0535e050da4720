//! The live socket on a real port, spoken to byte by byte, beside readings that are really committed.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};
use tokio::sync::oneshot;

use super::socket::MSGPACK_PROTOCOL;
use crate::app::App;
use crate::auth::access::Role;
use crate::catalog::tokens::TokenSpec;
use crate::clock::Clock;
use crate::config::Config;
use crate::hub::Hub;
use crate::ingest::{Batch, Outcome};
use crate::limits::{MAILBOX_BYTES, VIEWER_MESSAGE_BYTES};
use crate::model::{Reading, TokenId, Value};
use crate::series::KeyRef;

pub(super) const DEADLINE: Duration = Duration::from_secs(20);

/// A hub on a port of its own. Dropped: it stops in order.
pub(super) struct Running {
    pub(super) hub: Arc<Hub>,
    pub(super) address: SocketAddr,
    pub(super) token: String,
    pub(super) token_id: TokenId,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
    runtime: tokio::runtime::Runtime,
    _dir: tempfile::TempDir,
}

impl Running {
    pub(super) fn start() -> Self {
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
        let spec = TokenSpec { name: "test".to_owned(), role: Role::Viewer, devices: None, select: None };
        let (secret, token) = hub.auth.create_token(spec).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (token, token_id) = (secret.reveal().to_owned(), token.id);
        Self { hub, address, token, token_id, stop: Some(stop), thread: Some(thread), runtime, _dir: dir }
    }

    /// Commits one reading of each metric for the device, now; returns when they are durable.
    pub(super) fn put(&self, device: &str, metrics: usize, value: i64) {
        let time = self.hub.clock.now();
        let reading = |i: usize| {
            let metric = format!("m{i}");
            let key = KeyRef { device, metric: &metric, labels: &[] };
            Reading { series: self.hub.series.resolve(key, TokenId(1)).unwrap().id, time, value: Value::Int(value) }
        };
        let (reply, outcome) = oneshot::channel();
        let batch = Batch { readings: (0..metrics).map(reading).collect(), meta: Vec::new(), agent: None, received: time, reply };
        let outcome = self.runtime.block_on(async {
            self.hub.queue.submit(batch).await.unwrap();
            outcome.await.unwrap()
        });
        assert!(matches!(outcome, Outcome::Committed { stored, .. } if stored == metrics), "{outcome:?}");
    }

    fn connect(&self, protocol: &str) -> Viewer {
        let (viewer, head) = upgrade(self.address, &self.token, protocol);
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        assert_eq!(head.to_lowercase().contains(MSGPACK_PROTOCOL), !protocol.is_empty(), "{head}");
        viewer
    }

    pub(super) fn ask_to_stop(&mut self) {
        drop(self.stop.take());
    }
}

fn upgrade(address: SocketAddr, token: &str, protocol: &str) -> (Viewer, String) {
    let mut tcp = TcpStream::connect(address).unwrap();
    tcp.set_read_timeout(Some(DEADLINE)).unwrap();
    tcp.set_nodelay(true).unwrap();
    let protocol = if protocol.is_empty() { String::new() } else { format!("Sec-WebSocket-Protocol: {protocol}\r\n") };
    let request = format!(
        "GET /api/v1/live HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nAuthorization: Bearer {token}\r\n{protocol}\r\n"
    );
    tcp.write_all(request.as_bytes()).unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        tcp.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    (Viewer(tcp), String::from_utf8(head).unwrap())
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            assert!(thread.join().is_ok() || std::thread::panicking());
        }
    }
}

struct Viewer(TcpStream);

#[derive(Debug, PartialEq)]
enum Got {
    Message(Json),
    Pong(Vec<u8>),
    Close(u16),
    End,
}

impl Viewer {
    fn send(&mut self, first: u8, payload: &[u8]) {
        let mut frame = vec![first];
        match payload.len() {
            len @ 0..126 => frame.push(0x80 | u8::try_from(len).unwrap()),
            len => {
                frame.push(0x80 | 127);
                frame.extend((len as u64).to_be_bytes());
            }
        }
        frame.extend([0; 4]); // a mask of zeros leaves the payload as it is
        frame.extend(payload);
        self.0.write_all(&frame).unwrap();
    }

    fn say(&mut self, message: &Json) {
        self.send(0x81, message.to_string().as_bytes());
    }

    fn read(&mut self) -> Got {
        let mut head = [0; 2];
        match self.0.read_exact(&mut head) {
            Ok(()) => {}
            Err(error) if matches!(error.kind(), ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset) => return Got::End,
            Err(error) => panic!("{error}"),
        }
        let extended = match head[1] {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let mut len = vec![0; extended];
        self.0.read_exact(&mut len).unwrap();
        let len = if extended == 0 { usize::from(head[1]) } else { len.iter().fold(0, |n, byte| n << 8 | usize::from(*byte)) };
        let mut payload = vec![0; len];
        self.0.read_exact(&mut payload).unwrap();
        match (head[0], &payload[..]) {
            (0x81, payload) => Got::Message(serde_json::from_slice(payload).unwrap()),
            (0x82, payload) => Got::Message(rmp_serde::from_slice(payload).unwrap()),
            (0x8a, payload) => Got::Pong(payload.to_vec()),
            (0x88, [a, b, ..]) => Got::Close(u16::from_be_bytes([*a, *b])),
            other => panic!("{other:?}"),
        }
    }

    /// The next message of this type; others are passed over.
    fn next(&mut self, kind: &str) -> Json {
        loop {
            match self.read() {
                Got::Message(message) if message["type"] == kind => return message,
                Got::Message(_) => {}
                other => panic!("{other:?} instead of {kind}"),
            }
        }
    }

    fn subscribe(&mut self) -> Json {
        self.say(&json!({"type": "subscribe", "id": "s", "select": ["*/*"], "max_hz": 60}));
        self.next("snapshot")
    }
}

#[test]
fn a_value_is_seen_a_moment_after_its_commit_in_both_encodings() {
    let running = Running::start();
    running.put("d", 1, 1);
    let mut json = running.connect("");
    assert_eq!(json.subscribe()["series"][0]["points"][0][1], 1);
    let mut packed = running.connect(MSGPACK_PROTOCOL);
    packed.send(0x82, &rmp_serde::to_vec(&json!({"type": "subscribe", "id": "s", "select": ["d/*"]})).unwrap());
    assert_eq!(packed.next("snapshot")["series"][0]["device"], "d");
    let mut slowest = Duration::ZERO;
    for value in 2..22 {
        let began = Instant::now();
        running.put("d", 1, value);
        let update = json.next("update");
        slowest = slowest.max(began.elapsed());
        assert_eq!(update["points"][0][2], value);
    }
    assert!(slowest < Duration::from_millis(500), "a value took {slowest:?}");
    let mut last = Json::Null;
    while last != 21 {
        let points = packed.next("update")["points"].clone();
        assert!(points[0][1].as_i64().unwrap() > 1_700_000_000_000_000_000, "nanoseconds: {points}");
        last = points.as_array().unwrap().last().unwrap()[2].clone();
    }
}

#[test]
fn a_viewer_whose_token_ends_is_told_and_closed_within_a_second() {
    let running = Running::start();
    let mut viewer = running.connect("");
    viewer.subscribe();
    assert!(running.hub.auth.revoke_token(running.token_id).unwrap());
    let began = Instant::now();
    assert_eq!(viewer.next("closing")["code"], 4401);
    assert_eq!(viewer.read(), Got::Close(4401));
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
}

#[test]
fn a_ping_is_answered_where_nothing_else_is_heard() {
    let running = Running::start();
    let mut viewer = running.connect("");
    viewer.send(0x81, br#"{"type":"ping"}"#);
    assert_eq!(viewer.next("pong"), json!({"type": "pong"}));
}

#[test]
fn a_hub_that_stops_says_when_to_come_back() {
    let mut running = Running::start();
    let mut viewer = running.connect("");
    viewer.subscribe();
    running.ask_to_stop();
    let closing = viewer.next("closing");
    assert_eq!((&closing["code"], &closing["retry_after_ms"]), (&json!(1001), &json!(1000)));
    assert_eq!(viewer.read(), Got::Close(1001));
    viewer.send(0x88, &1001_u16.to_be_bytes());
    assert_eq!(viewer.read(), Got::End);
}

#[test]
fn each_breach_has_its_code_and_an_unreadable_message_only_an_error() {
    let running = Running::start();
    let rows: [(u8, Vec<u8>, &str, u16); 5] = [
        (0x82, vec![0x80], "", 1003),
        (0x81, b"{}".to_vec(), MSGPACK_PROTOCOL, 1003),
        (0x81, vec![b' '; VIEWER_MESSAGE_BYTES + 1], "", 1009),
        (0x81, vec![0xff, 0xfe], "", 1007),
        (0x83, vec![], "", 1002),
    ];
    for (first, payload, protocol, code) in rows {
        let mut viewer = running.connect(protocol);
        viewer.send(first, &payload);
        assert_eq!(viewer.next("closing")["code"], code);
        assert_eq!(viewer.read(), Got::Close(code));
    }
    let mut viewer = running.connect("");
    for text in [
        "{",
        "[]",
        r#"{"type":"subscribe","id":"x","select":["nothing"]}"#,
        r#"{"type":"subscribe","id":"x","select":["*/*"],"max_hz":99}"#,
    ] {
        viewer.send(0x81, text.as_bytes());
        let error = viewer.next("error");
        assert!(error["error"]["code"].is_string() && error["error"]["message"].is_string(), "{text}: {error}");
    }
    viewer.send(0x89, b"are you there");
    assert_eq!(viewer.read(), Got::Pong(b"are you there".to_vec()));
    viewer.subscribe();
    viewer.send(0x88, &1000_u16.to_be_bytes());
    loop {
        match viewer.read() {
            Got::Message(_) => {}
            other => break assert_eq!(other, Got::Close(1000)),
        }
    }
    assert_eq!(viewer.read(), Got::End);
}

#[test]
fn live_needs_a_token_that_may_read() {
    let running = Running::start();
    let spec = TokenSpec { name: "agent".to_owned(), role: Role::Agent, devices: None, select: None };
    let (secret, _) = running.hub.auth.create_token(spec).unwrap();
    for (token, status) in [("tt_none", "401"), (secret.reveal(), "403")] {
        let (_, head) = upgrade(running.address, token, "");
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{head}");
    }
}

#[test]
fn a_viewer_that_never_reads_holds_nobody_up_and_is_merged() {
    let running = Running::start();
    running.put("d", 200, 0);
    let mut stuck = running.connect("");
    stuck.say(&json!({"type": "subscribe", "id": "s", "select": ["*/*"], "max_hz": 60}));
    let mut readers: Vec<Viewer> = (0..10).map(|_| running.connect("")).collect();
    for reader in &mut readers {
        reader.subscribe();
    }
    let seen: Arc<Vec<AtomicI64>> = Arc::new((0..readers.len()).map(|_| AtomicI64::new(0)).collect());
    let follow = |(index, mut reader): (usize, Viewer)| {
        let seen = Arc::clone(&seen);
        std::thread::spawn(move || {
            while seen[index].load(Ordering::Relaxed) != -1 {
                let update = reader.next("update");
                assert!(update["merged"].is_null(), "a viewer that reads is sent everything");
                let newest = update["points"].as_array().unwrap().iter().map(|point| point[2].as_i64().unwrap()).next_back();
                seen[index].store(newest.unwrap(), Ordering::Relaxed);
            }
        })
    };
    let following: Vec<JoinHandle<()>> = readers.into_iter().enumerate().map(follow).collect();
    // About 6 KiB of points a commit: well over what the kernel and the mailbox take for the one who does not read. Those who
    // read are given the time to on a busy machine; the one who does not is not waited for.
    let commits = i64::try_from(4 * MAILBOX_BYTES / 6_000).unwrap();
    for value in 1..commits {
        running.put("d", 200, value);
        let began = Instant::now();
        while seen.iter().any(|seen| seen.load(Ordering::Relaxed) < value - 50) {
            assert!(began.elapsed() < DEADLINE, "the readers are held up: {seen:?}");
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    running.put("d", 200, -1);
    for reader in following {
        reader.join().unwrap();
    }
    // When it reads at last it is told what it missed, and ends at the present.
    let (mut merged, mut last) = (0, 0);
    while last != -1 {
        let Got::Message(message) = stuck.read() else { panic!("a slow viewer is not cut off") };
        merged += message["merged"].as_u64().unwrap_or(0);
        for point in message["points"].as_array().into_iter().flatten() {
            last = point[2].as_i64().unwrap();
        }
    }
    assert!(merged > 0);
    assert_eq!(running.hub.metrics.live_readings_merged.value(), merged);
}
