//! What a day takes when it is over, with regular and with jittered times.

use std::path::Path;
use std::sync::Arc;

use tempfile::TempDir;

use crate::compact::{Compact, Pace};
use crate::hub::{self, data_dir};
use crate::past;
use crate::sensors::Shape;
use crate::victoria::{self, Victoria};

pub(crate) const SECOND: i64 = 1_000_000_000;
pub(crate) const HOUR: i64 = 3600 * SECOND;

pub(crate) const EACH_SECOND: Shape =
    Shape { devices: 4, metrics: 100, rows: 86_400, rows_per_batch: 10, devices_per_batch: 1, step_ns: SECOND, jitter_ms: 0 };
const EACH_TEN: Shape =
    Shape { devices: 40, metrics: 100, rows: 8640, rows_per_batch: 10, devices_per_batch: 1, step_ns: 10 * SECOND, jitter_ms: 0 };

/// All four shapes at rest.
pub(crate) fn rest() {
    println!("at rest: a day of random walks in tenths, 100 metrics a device with shared times, sealed and merged");
    day("each 1 s, regular", EACH_SECOND);
    day("each 1 s, jitter 50 ms", Shape { jitter_ms: 50, ..EACH_SECOND });
    day("each 10 s, regular", EACH_TEN);
    day("each 10 s, jitter 500 ms", Shape { jitter_ms: 500, ..EACH_TEN });
}

/// When the measured day begins: today at midnight UTC. An earlier one could be before the hub's build, when no clock is set.
pub(crate) fn midnight() -> i64 {
    jiff::Timestamp::now().as_second() / 86_400 * 86_400 * SECOND
}

fn day(name: &str, shape: Shape) {
    let start = midnight();
    drop(live_through(name, shape, start));
    drop(victoria_day(name, shape, start));
}

/// A day of the hub, sealed and merged; where it lies.
pub(crate) fn live_through(name: &str, shape: Shape, start: i64) -> Arc<TempDir> {
    let bodies = shape.bodies(0..shape.devices);
    let (hub, mut told) = past::start(start, data_dir(), &[("LOG__KEEP_BYTES", "0")]);
    let token = hub.token("agent");
    let cpu = hub.cpu_s();
    let mut agent = Compact::connect(&hub.address, &token, "bench", &shape.definitions(0..shape.devices));
    // The hub's clock follows the acks: nothing is late.
    let sent = agent.send(&bodies, start, Pace::Full(16), || true, |time| told.tell(time));
    let (ingest_cpu, readings) = (hub.cpu_s() - cpu, sent.readings as f64);
    drop(agent);
    let data = hub.stop();
    let store = data.path().join("store");
    let unmerged = hub::disk_bytes(&store, &[]) as f64;
    let (hub, _told) = past::start(start + 27 * HOUR, data, &[("LOG__KEEP_BYTES", "0")]);
    hub.wait_until_idle();
    let (merge_cpu, merge_rss) = (hub.cpu_s(), hub.rss_peak_mib());
    let data = hub.stop();
    let bytes = hub::disk_bytes(data.path(), &["log", "stderr"]) as f64;
    println!(
        "  {name}: {:.3} B a reading ({:.1} M; store {:.3}, of it {:.3} free pages; store before the merge {:.3}), {:.3} CPU s per million \
         taken and sealed, {:.3} merged ({merge_rss:.0} MiB peak)",
        bytes / readings,
        readings / 1e6,
        hub::disk_bytes(&store, &[]) as f64 / readings,
        free_bytes(&store) as f64 / readings,
        unmerged / readings,
        ingest_cpu / (readings / 1e6),
        merge_cpu / (readings / 1e6),
    );
    data
}

/// Pages on the free lists of the SQLite files of a folder, by their headers.
fn free_bytes(dir: &Path) -> u64 {
    let mut bytes = 0;
    for entry in std::fs::read_dir(dir).expect("the folder is there").flatten() {
        let file = std::fs::read(entry.path()).unwrap_or_default();
        if file.starts_with(b"SQLite format 3\0") && file.len() >= 100 {
            let page = u64::from(u16::from_be_bytes([file[16], file[17]])).max(512);
            bytes += page * u64::from(u32::from_be_bytes([file[36], file[37], file[38], file[39]]));
        }
    }
    bytes
}

/// The same day of VictoriaMetrics, if it is there.
pub(crate) fn victoria_day(name: &str, shape: Shape, start: i64) -> Option<Arc<TempDir>> {
    let victoria = Victoria::start()?;
    let lists = vec![shape.lines(0..shape.devices, start)];
    let cpu = victoria.cpu_s();
    let readings = victoria.write(&lists) as f64;
    let ingest_cpu = victoria.cpu_s() - cpu;
    victoria.force_merge();
    let (all_cpu, rss) = (victoria.cpu_s() - cpu, victoria.rss_peak_mib());
    let data = victoria.stop();
    let bytes = victoria::disk_bytes(data.path()) as f64;
    println!(
        "  {name}, VictoriaMetrics: {:.3} B a reading, {:.3} CPU s per million to take, {:.3} with merges, RSS peak {rss:.0} MiB",
        bytes / readings,
        ingest_cpu / (readings / 1e6),
        all_cpu / (readings / 1e6),
    );
    Some(data)
}
