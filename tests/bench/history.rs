//! How fast one series of a day is read: 24 h at 1 Hz of a day that is over, merged.
//!
//! Cold is measured twice: as the first question to a process that has just started, whose program is not in memory either, and to
//! one that has answered others. The page cache is dropped before each.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::hub::Hub;
use crate::rest::{EACH_SECOND, HOUR, SECOND, live_through, midnight, victoria_day};
use crate::store::at;
use crate::victoria::Victoria;

const WARM: usize = 20;
const COLD: usize = 9;
/// Questions over which the CPU of the program is counted, in ticks of 10 ms.
const COUNTED: usize = 300;

pub(crate) fn history() {
    println!("one series of a day, 24 h at 1 Hz, of 400 series in store");
    let start = midnight();
    let data = live_through("each 1 s, regular", EACH_SECOND, start);
    of_hub(&data, start);
    drop(data);
    if let Some(data) = victoria_day("each 1 s, regular", EACH_SECOND, start) {
        of_victoria(&data, start);
    }
}

/// A way to ask: its name, and the question about a series by the number of its metric.
type Way<'a> = (&'static str, &'a dyn Fn(usize) -> usize);

/// Each way first cold, each time another series, then warm, always the same; then the same again for the CPU of the program that answers.
fn ways(ways: &[Way<'_>], cpu_s: &dyn Fn() -> f64) {
    for (i, (name, ask)) in ways.iter().enumerate() {
        let mut bytes = 0;
        let mut cold: Vec<Duration> = (0..COLD)
            .map(|n| {
                assert!(drop_page_cache(), "root alone may drop the page cache");
                timed(&mut bytes, || ask(1 + i * COLD + n))
            })
            .collect();
        let mut warm: Vec<Duration> = (0..WARM).map(|_| timed(&mut bytes, || ask(1 + i * COLD))).collect();
        let before = cpu_s();
        (0..COUNTED).for_each(|_| bytes = ask(1 + i * COLD));
        let cpu_ms = (cpu_s() - before) * 1e3 / COUNTED as f64;
        let (cold, warm) = (at(&mut cold, 0.5), at(&mut warm, 0.5));
        println!("    {name} ({} KiB): cold {cold:.2} ms, warm {warm:.2} ms, CPU {cpu_ms:.2} ms", bytes / 1024);
    }
}

fn timed(bytes: &mut usize, ask: impl FnOnce() -> usize) -> Duration {
    let begun = Instant::now();
    *bytes = ask();
    begun.elapsed()
}

fn of_hub(data: &Arc<TempDir>, start: i64) {
    drop_page_cache();
    let hub = Hub::start_in(Arc::clone(data), &[]);
    let token = hub.token("viewer");
    let ask = |metric: usize, more: &str| get(&hub, &token, start, metric, more);
    let mut bytes = 0;
    let first = timed(&mut bytes, || ask(0, ""));
    println!("  hub: first question to a new process {:.1} ms", first.as_secs_f64() * 1e3);
    ways(
        &[
            ("raw, JSON", &|metric| ask(metric, "")),
            ("raw, MessagePack", &|metric| ask(metric, "&format=msgpack")),
            ("points=800, of raw", &|metric| ask(metric, "&points=800")),
            ("mean of 15 min, of rollups", &|metric| ask(metric, "&every=15m&agg=mean")),
        ],
        &|| hub.cpu_s(),
    );
}

fn get(hub: &Hub, token: &str, start: i64, metric: usize, more: &str) -> usize {
    let text = |ns: i64| jiff::Timestamp::from_nanosecond(i128::from(ns)).expect("a time of this century");
    let (from, to) = (text(start), text(start + 24 * HOUR));
    let url = format!("http://{}/api/v1/history?select=device-00001/metric_{metric:02}&from={from}&to={to}{more}", hub.address);
    let mut answer = ureq::get(url).header("Authorization", format!("Bearer {token}")).call().expect("history answers");
    answer.body_mut().with_config().limit(1 << 30).read_to_vec().expect("an answer has an end").len()
}

fn of_victoria(data: &Arc<TempDir>, start: i64) {
    drop_page_cache();
    let Some(victoria) = Victoria::start_in(Arc::clone(data)) else { return };
    let series = |metric: usize| format!(r#"m_metric_{metric:02}{{device="device-00001"}}"#);
    let (start, end) = ((start / SECOND).to_string(), ((start + 24 * HOUR) / SECOND - 1).to_string());
    let raw = |metric: usize| victoria.export(&series(metric));
    let range = |metric: usize, step: &str| {
        let query = series(metric);
        victoria.get("/api/v1/query_range", &[("query", &query), ("start", &start), ("end", &end), ("step", step), ("nocache", "1")])
    };
    let mut bytes = 0;
    let first = timed(&mut bytes, || raw(0));
    println!("  VictoriaMetrics: first question to a new process {:.1} ms", first.as_secs_f64() * 1e3);
    ways(&[("/api/v1/export", &raw), ("query_range of 800 steps, last values", &|metric| range(metric, "108s"))], &|| victoria.cpu_s());
}

/// Root alone may; false otherwise.
pub(crate) fn drop_page_cache() -> bool {
    rustix::fs::sync();
    std::fs::write("/proc/sys/vm/drop_caches", "3").is_ok()
}
