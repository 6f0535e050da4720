//! A million series: memory after one reading each and after ten rounds, and how long the start takes then.

use std::time::Instant;

use crate::compact::{Compact, Pace};
use crate::hub::{Hub, data_dir, disk_bytes};
use crate::sensors::{Body, Shape};

const AGENTS: usize = 10;
const ROUNDS: usize = 10;
const SETTINGS: [(&str, &str); 1] = [("LIMITS__SERIES_PER_TOKEN", "1000000")];
/// What one agent brings: 100,000 series.
const SHAPE: Shape =
    Shape { devices: 1000, metrics: 100, rows: 1, rows_per_batch: 1, devices_per_batch: 50, step_ns: 1_000_000_000, jitter_ms: 0 };

pub(crate) fn many() {
    println!("{} series:", AGENTS * SHAPE.devices * SHAPE.metrics);
    let hub = Hub::start_in(data_dir(), &SETTINGS);
    let token = hub.token("agent");
    let empty = hub.rss_mib();
    let mut agents: Vec<(Compact, Vec<Body>)> = (0..AGENTS)
        .map(|n| {
            let devices = n * SHAPE.devices..(n + 1) * SHAPE.devices;
            (Compact::connect(&hub.address, &token, &format!("bench-{n}"), &SHAPE.definitions(devices.clone())), SHAPE.bodies(devices))
        })
        .collect();
    round(&hub, &mut agents, 1);
    let first = hub.rss_mib();
    for n in 2..=ROUNDS {
        round(&hub, &mut agents, n);
    }
    let last = hub.rss_mib();
    drop(agents);
    let open = hub.rss_mib();
    println!(
        "  RSS {empty:.0} MiB empty, {first:.0} after one reading each ({:.0} B a series), {last:.0} after {ROUNDS} rounds, {open:.0} with the agents \
         gone; peak {:.0}, {} seals",
        (first - empty) * f64::from(1 << 20) / hub.metric("series") as f64,
        hub.rss_peak_mib(),
        hub.metric("seals_total"),
    );
    let hub = Hub::start_in(hub.kill(), &SETTINGS);
    start("after kill -9", &hub);
    let stop = Instant::now();
    let data = hub.stop();
    println!(
        "  clean stop: {:.2} s; {:.0} MiB on disk",
        stop.elapsed().as_secs_f64(),
        disk_bytes(data.path(), &["log"]) as f64 / 1048576.0
    );
    start("after a clean stop", &Hub::start_in(data, &SETTINGS));
}

fn round(hub: &Hub, agents: &mut [(Compact, Vec<Body>)], n: usize) {
    let (begun, cpu) = (Instant::now(), hub.cpu_s());
    let now = jiff::Timestamp::now().as_nanosecond() as i64;
    let readings: usize = std::thread::scope(|scope| {
        let senders: Vec<_> = agents
            .iter_mut()
            .map(|(agent, bodies)| scope.spawn(move || agent.send(bodies, now, Pace::Full(4), || true, |_| ()).readings))
            .collect();
        senders.into_iter().map(|sender| sender.join().expect("a sender ends well")).sum()
    });
    let took = begun.elapsed().as_secs_f64();
    println!("  round {n}: {:.2} M readings/s, {:.2} CPU s, RSS {:.0} MiB", readings as f64 / took / 1e6, hub.cpu_s() - cpu, hub.rss_mib());
}

fn start(name: &str, hub: &Hub) {
    println!(
        "  start {name}: {:.2} s, CPU {:.2} s, RSS {:.0} MiB, {} series",
        hub.opened_in.as_secs_f64(),
        hub.cpu_s(),
        hub.rss_mib(),
        hub.metric("series")
    );
}
