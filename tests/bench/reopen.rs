//! How long a start takes after kill -9, with as much of the log unsealed as the default allows, and for each GiB of it.

use crate::compact::Pace;
use crate::hub::{Hub, data_dir, disk_bytes};
use crate::sensors::Shape;
use crate::store::{flood, prepare};

const SHAPE: Shape =
    Shape { devices: 100, metrics: 100, rows: 1, rows_per_batch: 10, devices_per_batch: 1, step_ns: 100_000_000, jitter_ms: 0 };

pub(crate) fn reopen() {
    println!("open after kill -9, 10,000 series:");
    // Just below where a seal is due by bytes of the head (64 MiB of 17 B) and of the log.
    at("the default bounds", 3_500_000, &[]);
    at("[log] unsealed_bytes = 1GiB", 200_000_000, &[("LOG__UNSEALED_BYTES", "1GiB"), ("STORE__HEAD_BYTES", "32GiB")]);
}

fn at(name: &str, readings: usize, settings: &[(&str, &str)]) {
    let shape = Shape { rows: readings / (SHAPE.devices * SHAPE.metrics), step_ns: (30_000_000_000 / (readings / 10_000)) as i64, ..SHAPE };
    let hub = Hub::start_in(data_dir(), settings);
    let token = hub.token("agent");
    let sent = flood(&hub, &token, shape, &prepare(shape), Pace::Full(16));
    let (seals, log) = (hub.metric("seals_total"), hub.metric("commit_bytes_total"));
    let before = hub.rss_mib();
    let data = hub.kill();
    let hub = Hub::start_in(data, settings);
    let points = hub.metric("head_points");
    println!(
        "  {name}: {:.2} s until it listens, {:.1} M readings of {:.1} M in the head, {:.0} MiB of log ({:.1} B a reading, {:.2} s a GiB), {seals} \
         seals before, RSS {before:.0} -> {:.0} MiB, CPU {:.2} s, {:.0} MiB on disk",
        hub.opened_in.as_secs_f64(),
        points as f64 / 1e6,
        sent.readings as f64 / 1e6,
        log as f64 / f64::from(1 << 20),
        log as f64 / sent.readings as f64,
        hub.opened_in.as_secs_f64() / (log as f64 / f64::from(1 << 30)),
        hub.rss_mib(),
        hub.cpu_s(),
        disk_bytes(hub.data.path(), &[]) as f64 / f64::from(1 << 20),
    );
}
