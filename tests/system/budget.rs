//! `[store] max_bytes`: ten times as much is written, the directory stays within, no write fails, rollups answer, and a series whose
//! readings all went has its last known value.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use telltale::clock::{Clock, NS_PER_SEC};
use telltale::config::Config;
use telltale::hub::Hub;
use telltale::ingest::{Batch, Outcome};
use telltale::model::{Reading, SeriesId, TimeNs, TimeRange, TokenId, Value};
use telltale::query::buckets::Agg;
use telltale::query::grid::Grid;
use telltale::query::last;
use telltale::query::source::{self, Part, Past};
use telltale::series::KeyRef;
use telltale::store::Coarse;

use crate::opened::opened;

const DAY: TimeNs = 86_400 * NS_PER_SEC;
/// Midnight of 2026-11-23.
const START: TimeNs = 20_780 * DAY;
const MAX_BYTES: u64 = 12 << 20;
const DAYS: i64 = 4;
const SERIES: u32 = 4;
const BATCH: i64 = 4_000;
/// Floats without any order: about eight bytes each in the store, ten times the budget in all.
const BATCHES_A_DAY: i64 = 10 * MAX_BYTES as i64 / 8 / DAYS / BATCH;

/// Names and bytes.
type Files = Vec<(String, u64)>;

/// Looks at the directory all the time: what a merge writes is there for a moment only.
struct Watch {
    /// And the large files of that moment.
    most: Arc<Mutex<(u64, Files)>>,
    ended: Arc<AtomicBool>,
}

impl Watch {
    fn begin(dir: &Path) -> Self {
        let (most, ended, dir) = (Arc::new(Mutex::new((0, Files::new()))), Arc::new(AtomicBool::new(false)), dir.to_owned());
        let (of_thread, until) = (Arc::clone(&most), Arc::clone(&ended));
        std::thread::spawn(move || {
            while !until.load(Ordering::Relaxed) {
                let mut files = Files::new();
                list(&dir, &mut files);
                let bytes = files.iter().map(|(_, bytes)| bytes).sum();
                files.retain(|(_, bytes)| *bytes > 256 << 10);
                let mut most = of_thread.lock().unwrap();
                if bytes > most.0 {
                    *most = (bytes, files);
                }
                drop(most);
                std::thread::sleep(Duration::from_millis(1));
            }
        });
        Self { most, ended }
    }

    fn check(&self, when: &str) {
        let (bytes, files) = self.most.lock().unwrap().clone();
        assert!(bytes <= MAX_BYTES, "{bytes} bytes by {when}: {files:?}");
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
    }
}

/// As `du` counts.
fn list(dir: &Path, files: &mut Files) {
    use std::os::unix::fs::MetadataExt;
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        match entry.metadata() {
            Ok(meta) if meta.is_dir() => list(&entry.path(), files),
            Ok(meta) => files.push((entry.file_name().to_string_lossy().into_owned(), meta.blocks() * 512)),
            Err(_) => {}
        }
    }
}

async fn send(hub: &Hub, from: TimeNs, step: TimeNs, rng: &mut fastrand::Rng) {
    let ids: Vec<_> = (0..SERIES)
        .map(|n| {
            let device = format!("d{n}");
            hub.series.resolve(KeyRef { device: &device, metric: "m", labels: &[] }, TokenId(1)).unwrap().id
        })
        .collect();
    let reading = |i: i64| Reading { series: ids[i as usize % ids.len()], time: from + i * step, value: Value::Float(rng.f64()) };
    let readings: Vec<_> = (0..BATCH).map(reading).collect();
    let (reply, outcome) = tokio::sync::oneshot::channel();
    hub.queue.submit(Batch { readings, meta: vec![], agent: None, received: hub.clock.now(), reply }).await.unwrap();
    match outcome.await.unwrap() {
        Outcome::Committed { stored, refused, .. } => assert_eq!((stored, refused.len()), (BATCH as usize, 0)),
        other @ Outcome::Later(_) => panic!("a write failed: {other:?}"),
    }
}

/// A series of few readings, all of them on the first day: its id, and what is last known of it.
async fn send_once(hub: &Hub) -> SeriesId {
    let id = hub.series.resolve(KeyRef { device: "once", metric: "m", labels: &[] }, TokenId(1)).unwrap().id;
    let readings = (0..10).map(|i| Reading { series: id, time: START + i * 60 * NS_PER_SEC, value: Value::Int(i / 3) }).collect();
    let (reply, outcome) = tokio::sync::oneshot::channel();
    hub.queue.submit(Batch { readings, meta: vec![], agent: None, received: START, reply }).await.unwrap();
    assert!(matches!(outcome.await.unwrap(), Outcome::Committed { stored: 10, .. }));
    id
}

/// Time, value and since when.
fn last_known(hub: &Hub, id: SeriesId) -> (TimeNs, Value) {
    let last = last::settled(&hub.head, Some(&*hub.store), &[id]).unwrap().remove(0).expect("a last known value is never dropped");
    (last.time, last.value)
}

/// Readings of a series in a range, and those that only rollups know.
fn counted(hub: &Hub, series: SeriesId, range: TimeRange) -> (u64, u64) {
    let view = hub.head.view(&[series], range);
    let past = Some(Past { store: &*hub.store, pin: &view.pin });
    let (mut read, mut gone) = (0, 0);
    source::scan_coarse(
        &view.columns[0],
        past,
        series,
        range,
        Coarse::Buckets { grid: &Grid::Fixed(DAY), aggs: &[Agg::Count] },
        &mut |part| {
            match part {
                Part::Run(run) => read += run.len() as u64,
                Part::Summary { summary, is_gone: false } => read += summary.count,
                Part::Summary { summary, is_gone: true } => gone += summary.count,
                Part::Totals(totals) => read += totals.count,
            }
            true
        },
    )
    .unwrap();
    (read, gone)
}

#[tokio::test]
async fn ten_times_the_budget_is_written_and_the_directory_stays_within() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), Clock::manual(START));
    let mut config = Config::default();
    config.data.dir = dir.path().to_owned();
    (config.store.max_bytes, config.store.reserve_bytes) = (MAX_BYTES, 0);
    let hub = opened(&config, &clock);
    let mut once = None;
    let mut rng = fastrand::Rng::with_seed(7);
    let step = DAY / (BATCHES_A_DAY * BATCH);
    let watch = Watch::begin(dir.path());
    for day in 0..DAYS {
        for batch in 0..BATCHES_A_DAY {
            let from = START + day * DAY + batch * BATCH * step;
            clock.set(from + BATCH * step);
            send(&hub, from, step, &mut rng).await;
            if once.is_none() {
                once = Some(send_once(&hub).await);
            }
            watch.check(&format!("day {day}, batch {batch}"));
        }
        // The day is over, and an hour of grace: it is summed up.
        let of_day = TimeRange { from: START + day * DAY, to: START + (day + 1) * DAY };
        clock.set(of_day.to + DAY / 12);
        let deadline = Instant::now() + Duration::from_secs(60);
        while hub.store.tend(clock.now(), Duration::from_millis(50)).unwrap() || !has_rollups(dir.path(), day) {
            assert!(Instant::now() < deadline, "day {day} is not summed up");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        watch.check(&format!("day {day} summed up"));
    }
    let last = START + (DAYS - 1) * DAY + (BATCHES_A_DAY - 1) * BATCH * step;
    for series in (0..SERIES).map(SeriesId) {
        assert_eq!(counted(&hub, series, TimeRange { from: last, to: START + DAYS * DAY }), (1_000, 0), "the newest are there");
        let (read, gone) = counted(&hub, series, TimeRange { from: START, to: START + DAY });
        assert!(read == 0 && gone > 1_000, "of the first day {read} are there, and rollups of {gone}");
    }
    let once = once.expect("it was sent");
    let expected = (START + 9 * 60 * NS_PER_SEC, Value::Int(3));
    assert_eq!(counted(&hub, once, TimeRange::ALL).0, 0, "its readings went with their day");
    assert_eq!(last_known(&hub, once), expected);
    let deadline = Instant::now() + Duration::from_secs(60);
    while hub.metrics.tend_ns.value() == 0 || hub.metrics.tending.value() > 0 {
        assert!(Instant::now() < deadline, "the store's own work is not counted, or has no end");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    hub.stop().await;
    watch.check("stopped");
    drop(hub);
    let hub = opened(&config, &clock);
    assert_eq!(last_known(&hub, once), expected, "also after a start");
    hub.stop().await;
    println!("at most {} of {MAX_BYTES} bytes", watch.most.lock().unwrap().0);
}

fn has_rollups(dir: &Path, day: i64) -> bool {
    dir.join("store").join(format!("2026-11-{}.rollup.0.sqlite", 23 + day)).exists()
}
