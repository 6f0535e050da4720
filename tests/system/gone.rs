//! Clients that close their connection, or their side of it.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use crate::hub::Hub;

fn answers(hub: &Hub) -> u64 {
    hub.get("/api/v1/status")["long_answers"]["now"].as_u64().unwrap()
}

fn ask(hub: &Hub, head: &str, body: &str) -> TcpStream {
    let mut client = TcpStream::connect(&hub.address).unwrap();
    let (admin, length) = (&hub.admin, body.len());
    let rest = format!("Host: x\r\nAuthorization: Bearer {admin}\r\nContent-Length: {length}\r\n\r\n{body}");
    client.write_all(format!("{head} HTTP/1.1\r\n{rest}").as_bytes()).unwrap();
    client
}

/// A reading of each of so many devices.
fn fill(hub: &Hub, devices: usize) {
    let lines: String = (0..devices).map(|n| format!("m,device=d{n} value=1 1767225600000000000\n")).collect();
    let request = ureq::post(format!("http://{}/api/v2/write?bucket=b", hub.address));
    request.header("Authorization", format!("Bearer {}", hub.admin)).send(lines).unwrap();
}

/// Until so many answers are under way.
fn within(hub: &Hub, wanted: u64, wait: Duration) {
    let deadline = Instant::now() + wait;
    while answers(hub) != wanted {
        assert!(Instant::now() < deadline, "{wanted} answers are to be under way, {} are", answers(hub));
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn an_answer_ends_when_nobody_takes_it_any_more() {
    let dir = tempfile::tempdir().unwrap();
    let hub = Hub::start(dir.path());
    fill(&hub, 1);
    // 500,000 rows: more than the sockets hold, so that it waits for its client.
    let query = "select=*/*&from=1767225600s&to=1767226100s&every=1ms&agg=last&fill=zero&format=ndjson";
    let client = ask(&hub, &format!("GET /api/v1/history?{query}"), "");
    within(&hub, 1, Duration::from_secs(20));
    client.peek(&mut [0]).unwrap();
    drop(client);
    within(&hub, 0, Duration::from_secs(20));
    assert_eq!(hub.stop(), Some(0));
}

/// Its first byte comes when the last of 20 series is read, each of a million buckets: no write tells whether somebody waits for it.
#[test]
fn an_answer_that_has_not_begun_ends_a_moment_after_its_client_went() {
    let dir = tempfile::tempdir().unwrap();
    let hub = Hub::start(dir.path());
    fill(&hub, 20);
    let query = "select=*/*&from=1767225600s&to=1767226600s&every=1ms&agg=last&fill=zero&group=sum";
    let began = Instant::now();
    let mut client = ask(&hub, &format!("GET /api/v1/history?{query}"), "");
    within(&hub, 1, Duration::from_secs(20));
    let mut answer = String::new();
    client.shutdown(Shutdown::Write).unwrap();
    client.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("closed its side"), "after {:?}: {answer}", began.elapsed());
    within(&hub, 0, Duration::from_secs(5));
    let client = ask(&hub, &format!("GET /api/v1/history?{query}"), "");
    within(&hub, 1, Duration::from_secs(20));
    drop(client);
    within(&hub, 0, Duration::from_secs(5));
    assert_eq!(hub.stop(), Some(0));
}

/// As `nc -N` does: the request is whole, and its sender says that no other follows.
#[test]
fn who_closes_its_side_alone_gets_its_answer() {
    let dir = tempfile::tempdir().unwrap();
    let hub = Hub::start(dir.path());
    for path in ["/api/v2/write?bucket=b", "/write?db=b"] {
        let mut client = ask(&hub, &format!("POST {path}"), "m,device=d value=1 1767225600000000000\n");
        client.shutdown(Shutdown::Write).unwrap();
        client.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let mut answer = [0; 12];
        client.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"HTTP/1.1 204", "{path}");
    }
    assert_eq!(hub.history("d/*").len(), 1);
    assert_eq!(hub.stop(), Some(0));
}
