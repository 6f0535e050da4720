//! Plain batches over several connections, each with a few batches under way: readings a second, the hub's CPU for a
//! million of them, and how long an ack takes.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::hub::Hub;
use crate::socket::{Socket, frame};

const RUN_FOR: Duration = Duration::from_secs(8);

/// What one connection sends, again and again, with new times.
#[derive(Clone, Copy, Debug)]
struct Shape {
    connections: usize,
    in_flight: usize,
    rows: usize,
    metrics: usize,
}

/// The shape of the reference points: one device row of 10 metrics, 50 rows a request, 4 connections.
pub(crate) fn rows() {
    measure("ingest, 50 rows of 10 metrics a batch", Shape { connections: 4, in_flight: 16, rows: 50, metrics: 10 });
}

/// One reading a batch, one batch under way: what an ack costs when nothing is shared.
pub(crate) fn single() {
    measure("ingest, 1 reading a batch, 1 under way", Shape { connections: 4, in_flight: 1, rows: 1, metrics: 1 });
}

fn measure(name: &str, shape: Shape) {
    let hub = Hub::start();
    let token = hub.token("agent");
    let (cpu, begun) = (hub.cpu_s(), Instant::now());
    let mut acks: Vec<Duration> = std::thread::scope(|scope| {
        let senders: Vec<_> = (0..shape.connections)
            .map(|n| {
                let (hub, token) = (&hub, &token);
                scope.spawn(move || send(hub, token, n, shape))
            })
            .collect();
        senders.into_iter().flat_map(|s| s.join().expect("a sender ends well")).collect()
    });
    let (took, cpu) = (begun.elapsed().as_secs_f64(), hub.cpu_s() - cpu);
    acks.sort_unstable();
    let readings = (acks.len() * shape.rows * shape.metrics) as f64;
    println!(
        "{name}, {} connections: {:.0} readings/s, {:.2} CPU s per million, ack p50 {:.2} ms, p99 {:.2} ms, RSS {:.0} MiB after {:.1} M",
        shape.connections,
        readings / took,
        cpu / (readings / 1e6),
        at(&acks, 0.50).as_secs_f64() * 1e3,
        at(&acks, 0.99).as_secs_f64() * 1e3,
        hub.rss_mib(),
        readings / 1e6,
    );
}

/// Sends until the time is over; the time from each batch's send to its ack.
fn send(hub: &Hub, token: &str, number: usize, shape: Shape) -> Vec<Duration> {
    let mut socket = Socket::connect(&hub.address, "/api/v1/ingest", token);
    let (mut bytes, times) = batch(number, shape);
    let begun = Instant::now();
    let mut clock = jiff::Timestamp::now().as_nanosecond() as i64;
    let (mut under_way, mut acks, mut answer) = (VecDeque::new(), Vec::new(), Vec::new());
    while begun.elapsed() < RUN_FOR || !under_way.is_empty() {
        while begun.elapsed() < RUN_FOR && under_way.len() < shape.in_flight {
            for &place in &times {
                clock += 1000; // a microsecond: the sender's time runs slower than the clock, never ahead of it
                bytes[place..place + 8].copy_from_slice(&clock.to_be_bytes());
            }
            socket.send(&bytes);
            under_way.push_back(Instant::now());
        }
        let Some(sent) = under_way.pop_front() else { break };
        socket.receive(&mut answer);
        assert!(answer.windows(3).any(|w| w == b"ack"), "{}", String::from_utf8_lossy(&answer));
        acks.push(sent.elapsed());
    }
    acks
}

/// One framed batch, and where in it the times stand.
fn batch(number: usize, shape: Shape) -> (Vec<u8>, Vec<usize>) {
    let mut out = Vec::new();
    let mut times = Vec::new();
    let text = |out: &mut Vec<u8>, text: &str| rmp::encode::write_str(out, text).expect("a Vec takes all");
    rmp::encode::write_map_len(&mut out, 2).expect("a Vec takes all");
    text(&mut out, "seq");
    rmp::encode::write_uint(&mut out, 1).expect("a Vec takes all");
    text(&mut out, "readings");
    rmp::encode::write_array_len(&mut out, shape.rows as u32).expect("a Vec takes all");
    for row in 0..shape.rows {
        rmp::encode::write_map_len(&mut out, 3).expect("a Vec takes all");
        text(&mut out, "device");
        text(&mut out, &format!("bench-{number}"));
        text(&mut out, "time");
        rmp::encode::write_i64(&mut out, i64::MIN).expect("a Vec takes all");
        times.push(out.len() - 8);
        text(&mut out, "values");
        rmp::encode::write_map_len(&mut out, shape.metrics as u32).expect("a Vec takes all");
        for metric in 0..shape.metrics {
            text(&mut out, &format!("metric_{metric}"));
            rmp::encode::write_f64(&mut out, 20.0 + (row * metric) as f64 / 10.0).expect("a Vec takes all");
        }
    }
    let framed = frame(2, &out);
    let head = framed.len() - out.len();
    (framed, times.into_iter().map(|place| place + head).collect())
}

fn at(sorted: &[Duration], part: f64) -> Duration {
    sorted[((sorted.len() - 1) as f64 * part) as usize]
}
