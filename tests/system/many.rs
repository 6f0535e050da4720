//! A hub with as many series as it may hold: all of them are there after a kill, one of them is found, memory stays within a bound, and
//! the limit spares those that exist.
//!
//! `make crash` asks for a million, which takes half a minute of CPU in this build: more than its share of `make test`.

use std::time::{Duration, Instant};

use rmpv::Value;
use serde_json::json;

use crate::agent::{Agent, Answer, encode};
use crate::hub::Hub;

/// A device has so many metrics.
const METRICS: usize = 100;
const SERIES: usize = 100_000;
/// Of one frame: 50,000 readings, the most that one takes.
const DEVICES_PER_BATCH: usize = 500;
/// What a hub takes without series, and for each of them: 600 MiB for a million.
const BYTES: u64 = 100 << 20;
const BYTES_PER_SERIES: u64 = 524;

fn series() -> usize {
    std::env::var("TELLTALE_MANY_SERIES").map_or(SERIES, |count| count.parse().expect("TELLTALE_MANY_SERIES is a number"))
}

/// A reading of now of each series of these devices.
fn rows(seq: u64, devices: std::ops::Range<usize>, metrics: usize) -> Vec<u8> {
    let time = i64::try_from(jiff::Timestamp::now().as_nanosecond()).unwrap();
    let value = |device: usize, metric: usize| (format!("m{metric}").into(), (device * METRICS + metric).into());
    let row = |device: usize| {
        let values = (0..metrics).map(|metric| value(device, metric)).collect();
        let device = (Value::from("device"), Value::from(format!("device-{device}")));
        Value::Map(vec![device, ("time".into(), time.into()), ("values".into(), Value::Map(values))])
    };
    encode(&Value::Map(vec![("seq".into(), seq.into()), ("readings".into(), Value::Array(devices.map(row).collect()))]))
}

async fn send(agent: &mut Agent, frame: Vec<u8>) -> (u64, usize) {
    agent.send(frame).await.unwrap();
    match agent.answer().await {
        Some(Answer::Ack { stored, rejected, .. }) => (stored, rejected),
        other => panic!("{other:?}"),
    }
}

fn metric(hub: &Hub, name: &str) -> u64 {
    let text = hub.ask("/metrics").1;
    let line = text.lines().find_map(|line| line.strip_prefix(&format!("telltale_{name} "))).unwrap_or_else(|| panic!("no {name}"));
    line.parse().unwrap()
}

/// The most memory that the hub ever took.
fn peak_bytes(hub: &Hub) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", hub.pid().as_raw_nonzero())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().strip_suffix(" kB").unwrap().parse::<u64>().unwrap() << 10
}

/// What one series has, of all that there are.
fn last(hub: &Hub, device: usize, metric: usize) -> serde_json::Value {
    let answer = hub.get(&format!("/api/v1/last?select=device-{device}/m{metric}"));
    let found = answer["series"].as_array().unwrap();
    assert_eq!(found.len(), 1, "{answer}");
    found[0]["value"].clone()
}

/// The most memory that the hub took, in MiB.
fn has_all(hub: &Hub, devices: usize) -> u64 {
    let count = devices * METRICS;
    assert_eq!(metric(hub, "series"), count as u64);
    for device in [0, devices / 2, devices - 1] {
        assert_eq!(last(hub, device, METRICS / 3), json!(device * METRICS + METRICS / 3));
    }
    let (peak, most) = (peak_bytes(hub), BYTES + BYTES_PER_SERIES * count as u64);
    assert!(peak <= most, "{peak} bytes of at most {most}");
    peak >> 20
}

#[tokio::test]
async fn as_many_series_as_there_may_be_are_there_after_a_kill_and_no_more() {
    let (dir, devices) = (tempfile::tempdir().unwrap(), series() / METRICS);
    let settings = dir.path().join("hub.toml");
    let count = devices * METRICS;
    // So that some are sealed, and others are in the log alone.
    std::fs::write(
        &settings,
        format!("[limits]\nseries_per_token = {count}\nseries_per_hub = {count}\n[log]\nunsealed_bytes = {}\n", count * 10),
    )
    .unwrap();
    let start = || Hub::start_with(dir.path(), &["--config", settings.to_str().unwrap()]);
    let began = Instant::now();
    let hub = start();
    let token = hub.token(&["--role", "agent"]);
    let mut agent = Agent::connect(&hub.address, &token).await.unwrap();
    for first in (0..devices).step_by(DEVICES_PER_BATCH) {
        let of = first..devices.min(first + DEVICES_PER_BATCH);
        let expected = (of.len() * METRICS) as u64;
        assert_eq!(send(&mut agent, rows(first as u64, of, METRICS)).await, (expected, 0));
    }
    println!("{count} series sent in {:?}", began.elapsed());
    assert_eq!(send(&mut agent, rows(1, devices..devices + 1, 1)).await, (0, 1), "one more");
    assert_eq!(hub.get("/api/v1/status/refusals")["refusals"][0]["code"], "limit_series");
    assert_eq!(send(&mut agent, rows(2, 7..8, METRICS)).await, (METRICS as u64, 0), "those that exist go on");
    while metric(&hub, "seals_total") == 0 {
        assert!(began.elapsed() < Duration::from_secs(300), "nothing was sealed");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    println!("{} MiB", has_all(&hub, devices));
    hub.kill();
    let again = Instant::now();
    let hub = start();
    println!("started again in {:?}, {} MiB", again.elapsed(), has_all(&hub, devices));
    let mut agent = Agent::connect(&hub.address, &token).await.unwrap();
    assert_eq!(send(&mut agent, rows(3, devices..devices + 1, 1)).await, (0, 1), "one more after a start");
    assert_eq!(send(&mut agent, rows(4, 7..8, METRICS)).await, (METRICS as u64, 0));
    assert_eq!(hub.history("device-7/m9").len(), 3);
    println!("all in {:?}", began.elapsed());
}
