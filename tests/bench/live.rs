//! One device's readings to many viewers: deliveries a second of CPU, and how old a reading is when a viewer has it.

use std::io::Read;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::hub::Hub;
use crate::socket::{Socket, frame};

const VIEWERS: usize = 1000;
const RUN_FOR: Duration = Duration::from_secs(8);
const SUBSCRIBE: &str = r#"{"type":"subscribe","id":"b","select":["bench/*"],"max_hz":10}"#;

pub(crate) fn fan_out() {
    let hub = Hub::start();
    let (agent, viewer) = (hub.token("agent"), hub.token("viewer"));
    let idle = hub.rss_mib();
    let mut sockets: Vec<Socket> = (0..VIEWERS).map(|_| Socket::connect(&hub.address, "/api/v1/live", &viewer)).collect();
    let mut message = Vec::new();
    // All ask first: a newcomer's snapshot is taken at the next tick of its group.
    for socket in &mut sockets {
        socket.send(&frame(1, SUBSCRIBE.as_bytes()));
    }
    for socket in &mut sockets {
        socket.receive(&mut message);
    }
    let per_viewer_kib = (hub.rss_mib() - idle) * 1024.0 / VIEWERS as f64;

    let ended = AtomicBool::new(false);
    let bytes = AtomicU64::new(0);
    let (cpu, begun) = (hub.cpu_s(), Instant::now());
    let ages = std::thread::scope(|scope| {
        scope.spawn(|| feed(&hub, &agent, &ended));
        let mut first = sockets.swap_remove(0);
        let rest = sockets;
        scope.spawn(|| drain(rest, &ended, &bytes));
        let ages = watch(&mut first, begun);
        ended.store(true, Ordering::Relaxed);
        ages
    });
    let (took, cpu) = (begun.elapsed().as_secs_f64(), hub.cpu_s() - cpu);
    let mut sorted = ages;
    sorted.sort_by(f64::total_cmp);
    let frames = sorted.len() as f64;
    println!(
        "live, 1 device to {VIEWERS} viewers at 10 Hz: {:.0} frames/s in all, {:.1} CPU s per million frames, {:.0} KiB a viewer, \
         newest reading {:.1} ms old at p50, {:.1} ms at p99, {:.0} MiB to viewers",
        frames * VIEWERS as f64 / took,
        cpu / (frames * VIEWERS as f64 / 1e6),
        per_viewer_kib,
        sorted[sorted.len() / 2],
        sorted[(frames * 0.99) as usize],
        bytes.load(Ordering::Relaxed) as f64 / f64::from(1 << 20),
    );
}

/// A row of ten metrics each 10 ms.
fn feed(hub: &Hub, token: &str, ended: &AtomicBool) {
    let mut socket = Socket::connect(&hub.address, "/api/v1/ingest", token);
    let mut answer = Vec::new();
    while !ended.load(Ordering::Relaxed) {
        let now = jiff::Timestamp::now().as_nanosecond() as i64;
        let mut row = Vec::new();
        rmp::encode::write_map_len(&mut row, 2).expect("a Vec takes all");
        rmp::encode::write_str(&mut row, "seq").expect("a Vec takes all");
        rmp::encode::write_uint(&mut row, 1).expect("a Vec takes all");
        rmp::encode::write_str(&mut row, "readings").expect("a Vec takes all");
        rmp::encode::write_array_len(&mut row, 1).expect("a Vec takes all");
        rmp::encode::write_map_len(&mut row, 3).expect("a Vec takes all");
        rmp::encode::write_str(&mut row, "device").expect("a Vec takes all");
        rmp::encode::write_str(&mut row, "bench").expect("a Vec takes all");
        rmp::encode::write_str(&mut row, "time").expect("a Vec takes all");
        rmp::encode::write_i64(&mut row, now).expect("a Vec takes all");
        rmp::encode::write_str(&mut row, "values").expect("a Vec takes all");
        rmp::encode::write_map_len(&mut row, 10).expect("a Vec takes all");
        for metric in 0..10 {
            rmp::encode::write_str(&mut row, &format!("metric_{metric}")).expect("a Vec takes all");
            rmp::encode::write_f64(&mut row, now as f64).expect("a Vec takes all");
        }
        socket.send(&frame(2, &row));
        socket.receive(&mut answer);
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Reads and forgets what the other viewers get, round and round, so that none of them is slow.
fn drain(sockets: Vec<Socket>, ended: &AtomicBool, bytes: &AtomicU64) {
    let mut streams: Vec<_> = sockets.into_iter().map(|s| s.read.into_inner()).collect();
    for stream in &streams {
        stream.set_nonblocking(true).expect("a socket can be set not to block");
    }
    let mut buffer = vec![0; 1 << 16];
    while !ended.load(Ordering::Relaxed) {
        for stream in &mut streams {
            if let Ok(count) = stream.read(&mut buffer) {
                bytes.fetch_add(count as u64, Ordering::Relaxed);
            }
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// One viewer that looks at each frame: how many milliseconds old its newest reading is.
fn watch(socket: &mut Socket, begun: Instant) -> Vec<f64> {
    let (mut message, mut ages) = (Vec::new(), Vec::new());
    while begun.elapsed() < RUN_FOR {
        socket.receive(&mut message);
        let text: serde_json::Value = serde_json::from_slice(&message).expect("live frames are JSON");
        let newest = text["points"].as_array().into_iter().flatten().filter_map(|p| p[1].as_f64()).fold(0.0, f64::max);
        if newest > 0.0 {
            ages.push(jiff::Timestamp::now().as_millisecond() as f64 - newest);
        }
    }
    ages
}
