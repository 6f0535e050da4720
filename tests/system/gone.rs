//! A client that closes its connection ends what it asked for, also where nothing was written to it yet.

use std::io::Write;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::hub::Hub;

fn answers(hub: &Hub) -> u64 {
    hub.get("/api/v1/status")["long_answers"]["now"].as_u64().unwrap()
}

#[test]
fn work_for_a_client_that_went_is_given_up() {
    let dir = tempfile::tempdir().unwrap();
    let hub = Hub::start(dir.path());
    let lines: String = (0..40).map(|n| format!("m,device=d{n} value={n} 1767225600000000000\n")).collect();
    let request = ureq::post(format!("http://{}/api/v2/write?bucket=b", hub.address));
    request.header("Authorization", format!("Bearer {}", hub.admin)).send(&lines).unwrap();
    // 20 million rows become 500,000: that takes a hub built for tests most of a minute, and it says nothing before.
    let query = "select=*/*&from=1767225600s&to=1767226100s&every=1ms&agg=last&fill=zero&group=sum";
    let mut client = TcpStream::connect(&hub.address).unwrap();
    let head = format!("GET /api/v1/history?{query} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\r\n", hub.admin);
    client.write_all(head.as_bytes()).unwrap();
    let within = |wanted: u64, wait: Duration| {
        let deadline = Instant::now() + wait;
        while answers(&hub) != wanted {
            assert!(Instant::now() < deadline, "{wanted} answers are to be under way, {} are", answers(&hub));
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    within(1, Duration::from_secs(20));
    drop(client);
    within(0, Duration::from_secs(8));
    assert_eq!(hub.stop(), Some(0));
}
