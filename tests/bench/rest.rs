//! What a day takes when it is over, with regular and with jittered times; and how fast one series of it is read.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::compact::{Compact, Pace};
use crate::hub::{self, Hub, data_dir};
use crate::past;
use crate::sensors::Shape;
use crate::store::at;
use crate::victoria::{self, Victoria};

const SECOND: i64 = 1_000_000_000;
const HOUR: i64 = 3600 * SECOND;
const WARM: usize = 20;

const EACH_SECOND: Shape =
    Shape { devices: 4, metrics: 100, rows: 86_400, rows_per_batch: 10, devices_per_batch: 1, step_ns: SECOND, jitter_ms: 0 };
const EACH_TEN: Shape =
    Shape { devices: 40, metrics: 100, rows: 8640, rows_per_batch: 10, devices_per_batch: 1, step_ns: 10 * SECOND, jitter_ms: 0 };

/// All four shapes at rest; the first is also read.
pub(crate) fn rest() {
    println!("at rest: a day of random walks in tenths, 100 metrics a device with shared times, sealed and merged");
    day("each 1 s, regular", EACH_SECOND, true);
    day("each 1 s, jitter 50 ms", Shape { jitter_ms: 50, ..EACH_SECOND }, false);
    day("each 10 s, regular", EACH_TEN, false);
    day("each 10 s, jitter 500 ms", Shape { jitter_ms: 500, ..EACH_TEN }, false);
}

/// When the measured day begins: today at midnight UTC. An earlier one could be before the hub's build, when no clock is set.
fn midnight() -> i64 {
    jiff::Timestamp::now().as_second() / 86_400 * 86_400 * SECOND
}

fn day(name: &str, shape: Shape, and_read: bool) {
    let start = midnight();
    let data = live_through(name, shape, start);
    if and_read {
        read_hub(&data, start);
    }
    drop(data);
    victoria_day(name, shape, and_read, start);
}

fn live_through(name: &str, shape: Shape, start: i64) -> Arc<TempDir> {
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

fn read_hub(data: &Arc<TempDir>, start: i64) {
    let dropped = drop_page_cache();
    let hub = Hub::start_in(Arc::clone(data), &[]);
    let token = hub.token("viewer");
    let cold = get(&hub, &token, start, "");
    let mut warm: Vec<Duration> = (0..WARM).map(|_| get(&hub, &token, start, "").0).collect();
    let columns = get(&hub, &token, start, "&points=800");
    let mut columns_warm: Vec<Duration> = (0..WARM).map(|_| get(&hub, &token, start, "&points=800").0).collect();
    println!(
        "  one series, 24 h at 1 Hz, raw JSON ({} KiB): cold {:.1} ms (page cache {}), warm {:.1} ms; points=800: first {:.1} ms, warm {:.2} ms",
        cold.1 / 1024,
        cold.0.as_secs_f64() * 1e3,
        if dropped { "dropped" } else { "not dropped" },
        at(&mut warm, 0.5),
        columns.0.as_secs_f64() * 1e3,
        at(&mut columns_warm, 0.5),
    );
}

fn get(hub: &Hub, token: &str, start: i64, more: &str) -> (Duration, usize) {
    let text = |ns: i64| jiff::Timestamp::from_nanosecond(i128::from(ns)).expect("a time of this century");
    let (from, to) = (text(start), text(start + 24 * HOUR));
    let url = format!("http://{}/api/v1/history?select=device-00001/metric_42&from={from}&to={to}{more}", hub.address);
    let begun = Instant::now();
    let mut answer = ureq::get(url).header("Authorization", format!("Bearer {token}")).call().expect("history answers");
    let body = answer.body_mut().with_config().limit(1 << 30).read_to_vec().expect("an answer has an end");
    (begun.elapsed(), body.len())
}

fn victoria_day(name: &str, shape: Shape, and_read: bool, start: i64) {
    let Some(victoria) = Victoria::start() else { return };
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
    if and_read {
        read_victoria(data, start);
    }
}

fn read_victoria(data: Arc<TempDir>, start: i64) {
    let dropped = drop_page_cache();
    let Some(victoria) = Victoria::start_in(data) else { return };
    let series = r#"m_metric_42{device="device-00001"}"#;
    let (start, end) = ((start / SECOND).to_string(), ((start + 24 * HOUR) / SECOND - 1).to_string());
    let timed = |get: &dyn Fn() -> usize| {
        let begun = Instant::now();
        let bytes = get();
        (begun.elapsed(), bytes)
    };
    let raw = || victoria.export(series);
    let range =
        || victoria.get("/api/v1/query_range", &[("query", series), ("start", &start), ("end", &end), ("step", "108s"), ("nocache", "1")]);
    let cold = timed(&raw);
    let mut warm: Vec<Duration> = (0..WARM).map(|_| timed(&raw).0).collect();
    let columns = timed(&range);
    let mut columns_warm: Vec<Duration> = (0..WARM).map(|_| timed(&range).0).collect();
    println!(
        "  one series, VictoriaMetrics /api/v1/export ({} KiB): cold {:.1} ms (page cache {}), warm {:.1} ms; query_range of 800 steps (last \
         value only): first {:.1} ms, warm {:.2} ms",
        cold.1 / 1024,
        cold.0.as_secs_f64() * 1e3,
        if dropped { "dropped" } else { "not dropped" },
        at(&mut warm, 0.5),
        columns.0.as_secs_f64() * 1e3,
        at(&mut columns_warm, 0.5),
    );
}

/// Root alone may; false otherwise.
fn drop_page_cache() -> bool {
    rustix::fs::sync();
    std::fs::write("/proc/sys/vm/drop_caches", "3").is_ok()
}
