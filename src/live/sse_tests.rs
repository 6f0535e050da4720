//! Server-sent events on a real port, read as a browser reads them, beside readings that are really committed.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value as Json;

use super::protocol::subscribe;
use super::socket_tests::{DEADLINE, Running};
use super::sse::{Events, SUBSCRIPTION};
use crate::auth::access::Role;
use crate::catalog::tokens::TokenSpec;
use crate::clock::Clock;
use crate::config::Config;
use crate::hub::Hub;
use crate::limits::MAILBOX_BYTES;

/// An answer of which the head was read.
struct Answer {
    status: u16,
    head: String,
    connection: BufReader<TcpStream>,
    /// Of the body, not yet read as events.
    text: String,
    retry: Option<String>,
    last_event_id: Option<String>,
}

#[derive(Debug)]
struct Event {
    kind: String,
    id: Option<String>,
    data: Json,
}

fn get(running: &Running, query: &str, headers: &[(&str, &str)]) -> Answer {
    let mut tcp = TcpStream::connect(running.address).unwrap();
    tcp.set_read_timeout(Some(DEADLINE)).unwrap();
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    write!(tcp, "GET /api/v1/live/sse?{query} HTTP/1.1\r\nHost: {}\r\n{headers}\r\n", running.address).unwrap();
    let mut connection = BufReader::new(tcp);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert_ne!(connection.read_line(&mut head).unwrap(), 0, "{head}");
    }
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer { status, head: head.to_lowercase(), connection, text: String::new(), retry: None, last_event_id: None }
}

/// As the viewer of the hub.
fn open(running: &Running, query: &str, more: &[(&str, &str)]) -> Answer {
    let bearer = format!("Bearer {}", running.token);
    let answer = get(running, query, &[&[("Authorization", &*bearer)], more].concat());
    assert_eq!(answer.status, 200, "{}", answer.head);
    answer
}

impl Answer {
    /// The next chunk of the body; false at its end.
    fn chunk(&mut self) -> bool {
        let mut size = String::new();
        self.connection.read_line(&mut size).unwrap();
        let size = usize::from_str_radix(size.trim_end(), 16).unwrap();
        let mut chunk = vec![0; size + 2];
        self.connection.read_exact(&mut chunk).unwrap();
        self.text.push_str(std::str::from_utf8(&chunk[..size]).unwrap());
        size > 0
    }

    /// The next event; None at the end of the body, behind which the connection is closed.
    fn read(&mut self) -> Option<Event> {
        loop {
            let Some((block, rest)) = self.text.split_once("\n\n") else {
                if self.chunk() {
                    continue;
                }
                assert_eq!(self.text, "", "the body ends behind an event");
                assert_eq!(self.connection.read(&mut [0]).unwrap(), 0, "the connection is closed");
                return None;
            };
            let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
            let (retry, id, data) = (field("retry: "), field("id: "), field("data: "));
            let kind = field("event: ");
            self.text = rest.to_owned();
            self.retry = self.retry.take().or(retry);
            self.last_event_id = id.clone().or(self.last_event_id.take());
            if let Some(data) = data {
                return Some(Event { kind: kind.unwrap(), id, data: serde_json::from_str(&data).unwrap() });
            }
        }
    }

    /// The next event of this type; others are passed over.
    fn next(&mut self, kind: &str) -> Event {
        loop {
            let event = self.read().unwrap_or_else(|| panic!("the end instead of {kind}"));
            assert_eq!(event.data["type"], *event.kind);
            if event.kind == kind {
                return event;
            }
        }
    }

    fn refusal(mut self) -> (u16, Json) {
        let length = self.head.split("content-length: ").nth(1).unwrap().split("\r\n").next().unwrap().parse().unwrap();
        let mut body = vec![0; length];
        self.connection.read_exact(&mut body).unwrap();
        (self.status, serde_json::from_slice(&body).unwrap())
    }
}

#[test]
fn a_viewer_is_sent_a_snapshot_and_then_every_change_with_its_cursor_as_id() {
    let running = Running::start();
    running.put("d", 1, 1);
    let mut viewer = open(&running, "select=d/*&max_hz=60", &[]);
    for header in ["content-type: text/event-stream", "cache-control: no-store", "x-accel-buffering: no", "connection: close"] {
        assert!(viewer.head.contains(&format!("\r\n{header}\r\n")), "{header}: {}", viewer.head);
    }
    let snapshot = viewer.next("snapshot");
    assert_eq!(viewer.retry.as_deref(), Some("1000"));
    assert_eq!(
        (&snapshot.data["id"], &snapshot.data["series"][0]["points"][0][1], &snapshot.data["recovered"]),
        (&"sse".into(), &1.into(), &false.into())
    );
    assert_eq!(snapshot.id.as_deref(), snapshot.data["cursor"].as_str());
    for value in 2..22 {
        let began = Instant::now();
        running.put("d", 1, value);
        let update = viewer.next("update");
        assert_eq!(update.data["points"][0][2], value);
        assert_eq!(update.id.as_deref(), update.data["cursor"].as_str());
        assert!(began.elapsed() < Duration::from_millis(500), "a value took {:?}", began.elapsed());
    }
}

#[test]
fn who_comes_back_with_the_last_id_is_sent_what_it_missed() {
    let running = Running::start();
    running.put("d", 1, 1);
    let mut viewer = open(&running, "select=d/*", &[]);
    let first = viewer.next("snapshot");
    running.put("d", 1, 2);
    viewer.next("update");
    let (stood, long_ago) = (viewer.last_event_id.clone().unwrap(), first.id.unwrap());
    drop(viewer);
    running.put("d", 1, 3);
    running.put("d", 1, 4);
    let values = |answer: &mut Answer| {
        let snapshot = answer.next("snapshot").data;
        let points = snapshot["series"][0]["points"].as_array().unwrap();
        (snapshot["recovered"].clone(), points.iter().map(|point| point[1].as_i64().unwrap()).collect::<Vec<_>>())
    };
    let recovered = (true.into(), vec![3, 4]);
    assert_eq!(values(&mut open(&running, "select=d/*", &[("Last-Event-ID", &*stood)])), recovered);
    assert_eq!(values(&mut open(&running, &format!("select=d/*&cursor={stood}"), &[])), recovered);
    // The header is newer than the URL, which a browser repeats as it was.
    assert_eq!(values(&mut open(&running, &format!("select=d/*&cursor={long_ago}"), &[("Last-Event-ID", &*stood)])), recovered);
    for unknown in ["none", "yesterday", "\u{e9}"] {
        assert_eq!(values(&mut open(&running, "select=d/*", &[("Last-Event-ID", unknown)])), (false.into(), vec![4]), "{unknown}");
    }
}

#[test]
fn what_cannot_be_served_is_refused_before_the_stream_begins() {
    let running = Running::start();
    let rows = [
        ("select=nothing", 400, "bad_selector", "nothing"),
        ("", 400, "bad_parameter", "`select` is missing"),
        ("select=*/*&histroy=1m", 400, "bad_parameter", "histroy"),
        ("select=*/*&history=15", 400, "bad_parameter", "history=15"),
        ("select=*/*&max_hz=61", 400, "bad_parameter", "`max_hz` is 61"),
        ("select=*/*&max_hz=nan", 400, "bad_parameter", "max_hz=nan"),
        ("select=*/*&max_hz=1&max_hz=2", 400, "bad_parameter", "max_hz"),
        ("select=*/*&points=many", 400, "bad_parameter", "points=many"),
        ("select=*/*&points=100", 400, "bad_parameter", "`points` needs `history`"),
    ];
    let bearer = format!("Bearer {}", running.token);
    for (query, status, code, word) in rows {
        let (got, body) = get(&running, query, &[("Authorization", &*bearer)]).refusal();
        assert_eq!((got, &body["error"]["code"]), (status, &code.into()), "{query}: {body}");
        assert!(body["error"]["message"].as_str().unwrap().contains(word), "{query}: {body}");
    }
}

#[test]
fn it_needs_a_token_that_may_read_or_a_ticket() {
    let running = Running::start();
    let spec = TokenSpec { name: "agent".to_owned(), role: Role::Agent, devices: None, select: None };
    let (secret, _) = running.hub.auth.create_token(spec).unwrap();
    let agent = format!("Bearer {}", secret.reveal());
    assert_eq!(get(&running, "select=*/*", &[]).status, 401);
    assert_eq!(get(&running, "select=*/*", &[("Authorization", "Bearer tt_none")]).status, 401);
    assert_eq!(get(&running, "select=*/*", &[("Authorization", &*agent)]).status, 403);
    let ticket = running.hub.auth.create_ticket(crate::auth::local_access()).unwrap();
    let query = format!("select=*/*&ticket={}", ticket.reveal());
    get(&running, &query, &[]).next("snapshot");
    assert_eq!(get(&running, &query, &[]).status, 401, "a ticket is good for one connection");
}

#[test]
fn a_viewer_whose_token_ends_is_told_and_the_stream_ends_within_a_second() {
    let running = Running::start();
    let mut viewer = open(&running, "select=*/*", &[]);
    viewer.next("snapshot");
    assert!(running.hub.auth.revoke_token(running.token_id).unwrap());
    let began = Instant::now();
    let closing = viewer.next("closing");
    assert_eq!((closing.data["code"].as_i64(), closing.id), (Some(4401), None));
    assert!(viewer.read().is_none());
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
}

#[test]
fn a_hub_that_stops_says_when_to_come_back_and_ends_the_stream() {
    let mut running = Running::start();
    let mut viewer = open(&running, "select=*/*", &[]);
    viewer.next("snapshot");
    let began = Instant::now();
    running.ask_to_stop();
    let closing = viewer.next("closing");
    assert_eq!((closing.data["code"].as_i64(), closing.data["retry_after_ms"].as_i64()), (Some(1001), Some(1000)));
    assert!(viewer.read().is_none());
    drop(running);
    assert!(began.elapsed() < Duration::from_secs(5), "nobody waits for the connection: {:?}", began.elapsed());
}

#[test]
fn a_viewer_that_goes_leaves_nothing_behind() {
    let running = Running::start();
    let viewers: Vec<Answer> = (0..5).map(|_| open(&running, "select=d/*&max_hz=60", &[])).collect();
    assert_eq!(running.hub.metrics.viewers_open.value(), 5);
    drop(viewers);
    let began = Instant::now();
    let mut value = 0;
    while running.hub.metrics.viewers_open.value() > 0 {
        assert!(began.elapsed() < DEADLINE, "{} are left", running.hub.metrics.viewers_open.value());
        // It is noticed when something is written.
        value += 1;
        running.put("d", 1, value);
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_viewer_that_does_not_read_is_merged_and_ends_at_the_present() {
    let running = Running::start();
    running.put("d", 200, 0);
    let mut stuck = open(&running, "select=*/*&max_hz=60", &[]);
    // About 6 KiB of points a commit: well over what the kernel and the mailbox take.
    let commits = i64::try_from(4 * MAILBOX_BYTES / 6_000).unwrap();
    (1..commits).for_each(|value| running.put("d", 200, value));
    running.put("d", 200, -1);
    let (mut merged, mut last) = (0, 0);
    while last != -1 {
        let message = stuck.read().expect("a slow viewer is not cut off").data;
        merged += message["merged"].as_u64().unwrap_or(0);
        for point in message["points"].as_array().into_iter().flatten() {
            last = point[2].as_i64().unwrap();
        }
    }
    assert!(merged > 0);
    assert_eq!(running.hub.metrics.live_readings_merged.value(), merged);
}

#[actix_web::test]
async fn comments_keep_an_idle_stream_alive() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = Config::default();
    config.data.dir = dir.path().to_owned();
    let hub = Arc::new(Hub::open(config, Clock::system()).unwrap());
    let wish = subscribe(SUBSCRIPTION, vec!["*/*".to_owned()], None, None, None, None).unwrap();
    let events = Events::open_with(hub, crate::auth::local_access(), wish, Duration::from_millis(10)).await.unwrap();
    let mut events = events.begin().await.unwrap();
    let mut next = async || tokio::time::timeout(DEADLINE, std::future::poll_fn(|cx| events.poll_next(cx))).await;
    let mut text = String::new();
    // No other line ends in a colon.
    while !text.contains("event: snapshot\n") || text.matches(":\n\n").count() < 3 {
        let bytes = next().await.expect("a comment in time").expect("the stream goes on");
        text.push_str(std::str::from_utf8(&bytes).unwrap());
    }
    assert!(text.starts_with("retry: 1000\n\n"), "{text}");
}
