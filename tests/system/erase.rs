//! `telltale delete` as its users run it: with a running hub and without, and what is gone stays gone.

use std::io::Write;
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::agent::{Agent, Answer, Sent, batch};
use crate::hub::Hub;

/// 2026-01-01T00:00:00Z
const START: i64 = 1_767_225_600_000_000_000;

fn telltale(dir: &Path, arguments: &[&str]) -> (i32, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_telltale"));
    let output = command.args(arguments).arg("--data-dir").arg(dir.join("data")).env_clear().output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (output.status.code().unwrap(), said)
}

async fn send(hub: &Hub, times: std::ops::Range<i64>) {
    let reading = |i: i64| Sent { device: format!("d{}", i % 2), metric: "m".to_owned(), time: START + i * 1_000_000_000, value: i as f64 };
    let readings: Vec<_> = times.map(reading).collect();
    let mut agent = Agent::connect(&hub.address, &hub.token(&["--role", "agent"])).await.unwrap();
    agent.send(batch(1, &readings)).await.unwrap();
    let stored = readings.len() as u64;
    assert_eq!(agent.answer().await, Some(Answer::Ack { seq: 1, stored, duplicate: 0, rejected: 0 }));
}

#[tokio::test]
async fn what_is_deleted_stays_deleted_with_a_hub_and_without() {
    let dir = tempfile::tempdir().unwrap();
    let hub = Hub::start(dir.path());
    send(&hub, 0..100).await;
    let range = ["--from", "2026-01-01T00:00:10Z", "--to", "2026-01-01T00:00:20Z"];
    let delete = |more: &[&str]| telltale(dir.path(), &[&["delete", "--select", "d0/*"][..], &range, more].concat());
    assert_eq!(delete(&[]), (0, "would delete 5 readings of 1 series; --yes does it\n".to_owned()));
    assert_eq!(hub.history("*/*").len(), 100);
    assert_eq!(delete(&["--yes"]), (0, "deleted 5 readings of 1 series\n".to_owned()));
    assert_eq!(hub.history("*/*").len(), 95);
    hub.kill();
    let hub = Hub::start(dir.path());
    assert_eq!(hub.history("*/*").len(), 95, "not back from the log");
    send(&hub, 12..13).await;
    assert_eq!(hub.history("d0/m").len(), 46, "what comes later is kept");
    assert_eq!(hub.stop(), Some(0));
    assert_eq!(delete(&["--yes"]), (0, "deleted 1 readings of 1 series\n".to_owned()), "without a hub");
    let (code, said) = telltale(dir.path(), &["delete", "--select", "nonsense", "--from", "0s"]);
    assert!(code == 1 && said.contains("nonsense"), "{code} {said}");
    let hub = Hub::start(dir.path());
    assert_eq!(hub.history("d0/m").len(), 45);
    let (code, table) = telltale(dir.path(), &["series", "top", "--by", "device"]);
    let rows: Vec<_> = table.lines().map(|line| line.split_whitespace().last().unwrap().to_owned()).collect();
    assert_eq!((code, rows), (0, ["device", "d0", "d1"].map(str::to_owned).to_vec()), "{table}");
}

#[test]
fn a_delete_is_carried_out_to_its_end_though_its_client_goes() {
    const SERIES: usize = 20_000;
    let dir = tempfile::tempdir().unwrap();
    let hub = Hub::start(dir.path());
    let authorization = format!("Bearer {}", hub.admin);
    let lines: String = (0..SERIES).map(|i| format!("m,device_id=d{i} v=1\n")).collect();
    ureq::post(format!("http://{}/api/v2/write", hub.address)).header("Authorization", &authorization).send(lines).unwrap();
    let left = |select: &str| hub.get(&format!("/api/v1/last?select={select}"))["series"].as_array().unwrap().len();
    assert_eq!(left("*/*"), SERIES);
    let mut client = TcpStream::connect(&hub.address).unwrap();
    let path = "/api/v1/history?select=*/*&from=-1h&dry_run=false";
    write!(client, "DELETE {path} HTTP/1.1\r\nHost: {}\r\nAuthorization: {authorization}\r\n\r\n", hub.address).unwrap();
    // Series go by name, some hundred in a commit.
    while left("d0/m.v") > 0 {}
    // It breaks: its end is a reset.
    socket2::SockRef::from(&client).set_linger(Some(Duration::ZERO)).unwrap();
    drop(client);
    let began = Instant::now();
    while left("*/*") > 0 {
        assert!(began.elapsed() < Duration::from_secs(20), "{} are left", left("*/*"));
    }
}
