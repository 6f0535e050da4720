//! Sustained ingest into the store: 10,000 series, compact frames, ten seals and more; and what the same readings cost
//! VictoriaMetrics, which does not wait for the disk.

use std::time::{Duration, Instant};

use crate::compact::{Compact, Pace, Sent};
use crate::hub::{self, Hub, data_dir};
use crate::sensors::{Body, Shape};
use crate::victoria::Victoria;

pub(crate) const CONNECTIONS: usize = 4;
const UNDER_WAY: usize = 16;
const PACED_S: usize = 20;
/// Three million a second is what is aimed at.
const HALF_OF_THE_AIM: f64 = 1_500_000.0;
/// 100 devices of 100 metrics each 4 ms: event time goes about as fast as the hub takes it.
const SHAPE: Shape =
    Shape { devices: 100, metrics: 100, rows: 6000, rows_per_batch: 10, devices_per_batch: 1, step_ns: 4_000_000, jitter_ms: 0 };

pub(crate) fn sustained() {
    println!("sustained: {} series, {CONNECTIONS} connections, {UNDER_WAY} batches of 1,000 under way", SHAPE.devices * SHAPE.metrics);
    for mib in head_sizes() {
        // Half of the head is active, at 16 bytes a reading and more: twelve times that much makes ten seals.
        let readings = (12 * (mib << 20) / 2 / 16).max(60_000_000);
        at_head(mib, Shape { rows: readings / (SHAPE.devices * SHAPE.metrics), ..SHAPE });
    }
    with_victoria();
}

/// Paced at half of what is aimed at, and nothing else.
pub(crate) fn paced_alone() {
    println!("paced: {} series, {CONNECTIONS} connections, for {PACED_S} s", SHAPE.devices * SHAPE.metrics);
    let readings = HALF_OF_THE_AIM as usize * PACED_S;
    let shape = Shape { rows: readings / (SHAPE.devices * SHAPE.metrics), ..SHAPE };
    let bodies = prepare(shape);
    for mib in head_sizes() {
        println!("  head {mib} MiB:");
        paced(&format!("{mib}MiB"), shape, &bodies, HALF_OF_THE_AIM);
    }
}

/// `TELLTALE_BENCH_HEADS=128` measures one size of the curve.
fn head_sizes() -> Vec<usize> {
    let given = std::env::var("TELLTALE_BENCH_HEADS").unwrap_or_else(|_| "64,128,256,512".to_owned());
    given.split(',').map(|mib| mib.parse().expect("TELLTALE_BENCH_HEADS is sizes in MiB, parted by commas")).collect()
}

fn at_head(mib: usize, shape: Shape) {
    let size = format!("{mib}MiB");
    let hub = Hub::start_in(data_dir(), &[("STORE__HEAD_BYTES", &size), ("LOG__UNSEALED_BYTES", &size)]);
    let token = hub.token("agent");
    let bodies = prepare(shape);
    let (cpu, written) = (hub.cpu_s(), hub.written_bytes());
    let begun = Instant::now();
    let mut sent = flood(&hub, &token, shape, &bodies, Pace::Full(UNDER_WAY));
    let took = begun.elapsed().as_secs_f64();
    let (cpu, written, readings) = (hub.cpu_s() - cpu, hub.written_bytes() - written, sent.readings as f64);
    println!(
        "  head {mib} MiB: {:.2} M readings/s ({:.0} M in {took:.1} s), {:.3} CPU s per million, RSS peak {:.0} MiB, {:.1} B written a \
         reading, {} seals, ack p50 {:.1} p99 {:.1} max {:.0} ms",
        readings / took / 1e6,
        readings / 1e6,
        cpu / (readings / 1e6),
        hub.rss_peak_mib(),
        written as f64 / readings,
        hub.metric("seals_total"),
        at(&mut sent.acks, 0.50),
        at(&mut sent.acks, 0.99),
        at(&mut sent.acks, 1.0),
    );
    let threads: Vec<String> = hub::cpu_s_by_thread(hub.process.id()).iter().map(|(name, s)| format!("{name} {s:.1}")).collect();
    println!("    CPU s by thread: {}", threads.join(", "));
    drop(hub);
    paced(&size, shape, &bodies, readings / took / 2.0);
    paced(&size, shape, &bodies, HALF_OF_THE_AIM);
}

/// So many readings a second, into a new hub.
fn paced(size: &str, shape: Shape, bodies: &[Vec<Body>], a_second: f64) {
    let hub = Hub::start_in(data_dir(), &[("STORE__HEAD_BYTES", size), ("LOG__UNSEALED_BYTES", size)]);
    let token = hub.token("agent");
    let wanted = (a_second * PACED_S as f64 / CONNECTIONS as f64 / 1000.0) as usize;
    let cpu = hub.cpu_s();
    let mut sent = std::thread::scope(|scope| {
        let senders: Vec<_> = bodies
            .iter()
            .enumerate()
            .map(|(n, bodies)| {
                let (hub, token, part) = (&hub, &token, &bodies[..wanted.min(bodies.len())]);
                scope.spawn(move || one(hub, token, shape, n, part, Pace::Readings(a_second / CONNECTIONS as f64)))
            })
            .collect();
        senders.into_iter().map(|sender| sender.join().expect("a sender ends well")).fold(Sent::default(), together)
    });
    println!(
        "    paced at {:.2} M/s: ack p50 {:.2} p99 {:.1} max {:.0} ms, {:.3} CPU s per million, {} seals",
        a_second / 1e6,
        at(&mut sent.acks, 0.50),
        at(&mut sent.acks, 0.99),
        at(&mut sent.acks, 1.0),
        (hub.cpu_s() - cpu) / (sent.readings as f64 / 1e6),
        hub.metric("seals_total"),
    );
}

/// The batches of each connection.
pub(crate) fn prepare(shape: Shape) -> Vec<Vec<Body>> {
    std::thread::scope(|scope| {
        let makers: Vec<_> = (0..CONNECTIONS).map(|n| scope.spawn(move || shape.bodies(part(shape, n)))).collect();
        makers.into_iter().map(|maker| maker.join().expect("batches are made")).collect()
    })
}

fn part(shape: Shape, n: usize) -> std::ops::Range<usize> {
    shape.devices * n / CONNECTIONS..shape.devices * (n + 1) / CONNECTIONS
}

pub(crate) fn flood(hub: &Hub, token: &str, shape: Shape, bodies: &[Vec<Body>], pace: Pace) -> Sent {
    std::thread::scope(|scope| {
        let senders: Vec<_> =
            bodies.iter().enumerate().map(|(n, bodies)| scope.spawn(move || one(hub, token, shape, n, bodies, pace))).collect();
        senders.into_iter().map(|sender| sender.join().expect("a sender ends well")).fold(Sent::default(), together)
    })
}

fn one(hub: &Hub, token: &str, shape: Shape, n: usize, bodies: &[Body], pace: Pace) -> Sent {
    let definitions = shape.definitions(part(shape, n));
    let mut agent = Compact::connect(&hub.address, token, &format!("bench-{n}"), &definitions);
    agent.send(bodies, jiff::Timestamp::now().as_nanosecond() as i64, pace, || true, |_| ())
}

pub(crate) fn together(mut all: Sent, one: Sent) -> Sent {
    all.readings += one.readings;
    all.acks.extend(one.acks);
    all
}

/// In milliseconds.
pub(crate) fn at(times: &mut [Duration], part: f64) -> f64 {
    times.sort_unstable();
    let place = (times.len().saturating_sub(1)) as f64 * part;
    times.get(place as usize).map_or(f64::NAN, |time| time.as_secs_f64() * 1e3)
}

fn with_victoria() {
    let Some(victoria) = Victoria::start() else { return };
    let start_ns = jiff::Timestamp::now().as_nanosecond() as i64;
    let bodies: Vec<_> = (0..CONNECTIONS).map(|n| SHAPE.lines(part(SHAPE, n), start_ns)).collect();
    let (cpu, written) = (victoria.cpu_s(), victoria.written_bytes());
    let begun = Instant::now();
    let readings = victoria.write(&bodies) as f64;
    let took = begun.elapsed().as_secs_f64();
    victoria.flush();
    println!(
        "  VictoriaMetrics (acks before the disk has it): {:.2} M readings/s ({:.0} M in {took:.1} s), {:.3} CPU s per million, RSS peak \
         {:.0} MiB, {:.1} B written a reading",
        readings / took / 1e6,
        readings / 1e6,
        (victoria.cpu_s() - cpu) / (readings / 1e6),
        victoria.rss_peak_mib(),
        (victoria.written_bytes() - written) as f64 / readings,
    );
}
