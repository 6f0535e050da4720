//! Long times: a gateway with 400 days of files, and clocks that jump by decades.

use std::sync::Arc;
use std::time::{Duration, Instant};

use telltale::catalog::devices::DescriptionEdit;
use telltale::clock::{Clock, NS_PER_SEC};
use telltale::config::{Config, RetentionRule};
use telltale::hub::Hub;
use telltale::hub::describe::describe;
use telltale::ingest::{Batch, Outcome};
use telltale::model::{Delete, Reading, SeriesId, TimeNs, TimeRange, TokenId, Value};
use telltale::query::agg::Agg;
use telltale::query::grid::Grid;
use telltale::query::selector::Selector;
use telltale::query::source::{self, Past};
use telltale::series::KeyRef;
use telltale::store::{Coarse, Piece};

use crate::opened::opened;

/// 2026-11-23T01:07:10Z
const NOW: TimeNs = 1_795_396_030 * NS_PER_SEC;
const DAY: TimeNs = 86_400 * NS_PER_SEC;

fn open(dir: &tempfile::TempDir, clock: &Clock, change: impl FnOnce(&mut Config)) -> Arc<Hub> {
    let mut config = Config::default();
    config.data.dir = dir.path().to_owned();
    (config.log.segment_bytes, config.log.keep_bytes, config.store.reserve_bytes) = (1 << 20, 0, 0);
    change(&mut config);
    opened(&config, clock)
}

async fn send(hub: &Hub, points: impl Iterator<Item = (u32, TimeNs)>) {
    let series = |n: u32| {
        let device = format!("d{n}");
        hub.series.resolve(KeyRef { device: &device, metric: "m", labels: &[] }, TokenId(1)).unwrap().id
    };
    let readings: Vec<_> = points.map(|(n, time)| Reading { series: series(n), time, value: Value::Int(time / NS_PER_SEC) }).collect();
    let (reply, outcome) = tokio::sync::oneshot::channel();
    hub.queue.submit(Batch { readings, meta: vec![], agent: None, received: hub.clock.now(), reply }).await.unwrap();
    assert!(matches!(outcome.await.unwrap(), Outcome::Committed { refused, .. } if refused.is_empty()));
}

fn count(hub: &Hub, series: u32, range: TimeRange) -> usize {
    let view = hub.head.view(&[SeriesId(series)], range);
    let past = Some(Past { store: &*hub.store, pin: &view.pin });
    source::count(&view.columns[0], past, SeriesId(series), range, usize::MAX).unwrap()
}

fn open_files(dir: &tempfile::TempDir) -> usize {
    let links = std::fs::read_dir("/proc/self/fd").unwrap().flatten().filter_map(|entry| std::fs::read_link(entry.path()).ok());
    links.filter(|path| path.starts_with(dir.path().join("store"))).count()
}

#[tokio::test]
async fn four_hundred_days_are_few_open_files_and_a_quick_start() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), Clock::manual(NOW));
    let hub = open(&dir, &clock, |_| ());
    for day in (0..400).rev() {
        send(&hub, (0..48).map(|i| (i % 4, NOW - day * DAY - TimeNs::from(i) * 60 * NS_PER_SEC))).await;
    }
    hub.stop().await;
    drop(hub);
    let files = std::fs::read_dir(dir.path().join("store")).unwrap().flatten();
    let days = files.filter(|file| file.file_name().to_string_lossy().ends_with(".raw.0.sqlite")).count();
    assert!((400..=402).contains(&days), "{days} day files");
    let began = Instant::now();
    let hub = open(&dir, &clock, |_| ());
    println!("opened {days} days in {:?}", began.elapsed());
    for series in 0..4 {
        assert_eq!(count(&hub, series, TimeRange::ALL), 400 * 12);
        assert_eq!(count(&hub, series, TimeRange { from: NOW - 3 * DAY, to: NOW + 1 }), 3 * 12 + usize::from(series == 0));
    }
    // Each file is at most itself, its WAL and its index, for a reader and for the sealer.
    assert!(open_files(&dir) <= 16 * 6 + 6, "{} files are open", open_files(&dir));
    hub.stop().await;
}

#[tokio::test]
async fn a_clock_that_jumps_by_decades_expires_nothing_and_refuses_nothing_good() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), Clock::manual(NOW));
    let keep = |config: &mut Config| {
        let (select, text) = (Selector::parse("*/*").unwrap(), "*/*".to_owned());
        let keep = Some(Duration::from_secs(30 * 86_400));
        config.retention = vec![RetentionRule { select, text, keep, keep_rollups: None, priority: 100 }];
    };
    let hub = open(&dir, &clock, keep);
    send(&hub, (0..1000).map(|i| (0, NOW - i * DAY / 100))).await;
    hub.stop().await;
    drop(hub);
    // Twice the same: what was sealed under such a clock does not make it believed.
    let jumps = [72 * 365, 72 * 365, -20 * 365, -72 * 365, -72 * 365, 72 * 365];
    for (number, jump) in (1..).zip(jumps) {
        clock.set(NOW + jump * DAY);
        let hub = open(&dir, &clock, keep);
        let floor = hub.retention.floor(&hub.series.by_id(SeriesId(0)).unwrap());
        assert!(floor.is_some_and(|floor| floor <= NOW - 29 * DAY), "known at once, and no later than it was: {floor:?}");
        // As the sealer does it: the first step looks at the clock.
        while hub.store.tend(clock.now(), Duration::from_secs(1)).unwrap() {}
        assert_eq!(count(&hub, 0, TimeRange::ALL), 1001 - usize::try_from(number).unwrap(), "after a jump of {jump} days");
        let series = hub.series.by_id(SeriesId(0)).unwrap();
        assert!(hub.retention.floor(&series).is_none_or(|floor| floor <= NOW - 29 * DAY), "true times are taken");
        // A clock from before the hub was built is told; with it readings are refused for now, by the door.
        let reasons = hub.reasons();
        assert_eq!(reasons.iter().any(|(code, _)| code.as_str() == "clock_unset"), jump < 0, "{reasons:?}");
        // What is committed under such a clock stays, as a reading that was in the queue and a delete.
        send(&hub, std::iter::once((1, NOW - number * NS_PER_SEC))).await;
        let time = NOW - number * DAY / 100;
        hub.queue.delete(&[Delete { series: SeriesId(0), from: time, to: time }]).await.unwrap();
        hub.stop().await;
    }
    clock.set(NOW + DAY / 24);
    let hub = open(&dir, &clock, keep);
    while hub.store.tend(clock.now(), Duration::from_secs(1)).unwrap() {}
    assert_eq!((count(&hub, 0, TimeRange::ALL), count(&hub, 1, TimeRange::ALL)), (1000 - jumps.len(), jumps.len()));
    assert_eq!(hub.reasons(), []);
    hub.stop().await;
}

/// `select`, and so many days.
fn kept(rules: &[(&str, u64)]) -> Vec<RetentionRule> {
    let rule = |(text, days): &(&str, u64)| {
        let select = Selector::parse(text).unwrap();
        let keep = Some(Duration::from_secs(days * 86_400));
        RetentionRule { select, text: (*text).to_owned(), keep, keep_rollups: None, priority: 100 }
    };
    rules.iter().map(rule).collect()
}

async fn eventually(what: &str, holds: impl Fn() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < Duration::from_secs(60), "not within a minute: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A hundred days of four series that no rule was about, merged and at rest; then rules come and change.
#[tokio::test]
async fn rules_that_change_hold_for_what_was_stored_before() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), Clock::manual(NOW));
    let hub = open(&dir, &clock, |_| ());
    for day in (0..100).rev() {
        send(&hub, (0..48).map(|i| (i % 4, NOW - day * DAY - TimeNs::from(i) * 60 * NS_PER_SEC))).await;
    }
    hub.stop().await;
    drop(hub);
    let days = |hub: &Hub, series| count(hub, series, TimeRange::ALL).div_ceil(12);
    let rules = [("d0/*", 10), ("*/*{@keep=\"short\"}", 30)];
    let hub = open(&dir, &clock, |config| config.retention = kept(&rules));
    eventually("the new rule", || days(&hub, 0) <= 12).await;
    assert_eq!([1, 2, 3].map(|series| days(&hub, series)), [100; 3], "no rule is about these");
    assert!(days(&hub, 0) >= 10, "a day goes as a whole");
    let last = hub.head.last(&[SeriesId(0)]).1.remove(0).unwrap();
    assert_eq!(last.time, NOW, "the last known value stays");
    // By an attribute, while it runs.
    let edit = DescriptionEdit { attributes: [("keep".to_owned(), "short".to_owned())].into(), ..DescriptionEdit::default() };
    describe(&hub, "d1".to_owned(), edit).await.unwrap();
    eventually("an edited attribute", || days(&hub, 1) <= 32).await;
    assert!(days(&hub, 1) >= 30);
    assert_eq!([2, 3].map(|series| days(&hub, series)), [100; 2]);
    hub.stop().await;
    drop(hub);
    // A rule before the others takes a series out of its class; what went is gone.
    let rules = [("d1/*", 1000), ("d2/*", 50), rules[0], rules[1]];
    let hub = open(&dir, &clock, |config| config.retention = kept(&rules));
    eventually("another rule", || days(&hub, 2) <= 52).await;
    assert!(days(&hub, 0) >= 10 && days(&hub, 1) >= 30 && days(&hub, 3) == 100, "{:?}", [0, 1, 3].map(|series| days(&hub, series)));
    hub.stop().await;
}

/// In buckets of an hour, of what the store has.
fn summed(hub: &Hub, series: u32) -> u64 {
    let view = hub.head.view(&[SeriesId(series)], TimeRange::ALL);
    let (mut readings, coarse) = (0, Coarse::Buckets { grid: &Grid::Fixed(3600 * NS_PER_SEC), aggs: &[Agg::Count] });
    let mut add = |piece: Piece<'_>| {
        readings += match piece {
            Piece::Points(block) => block.len() as u64,
            Piece::Summary { summary, .. } => summary.count,
            Piece::Totals(totals) => totals.count,
        };
        true
    };
    hub.store.scan_coarse(&view.pin, SeriesId(series), TimeRange::ALL, coarse, &mut add).unwrap();
    readings
}

#[tokio::test]
async fn what_came_late_for_a_day_is_in_its_rollups_when_the_day_goes() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), Clock::manual(NOW));
    let midnight = NOW / DAY * DAY - 30 * DAY;
    let keep = |config: &mut Config| {
        config.retention = kept(&[("*/*", 31)]);
        config.retention[0].keep_rollups = Some(Duration::from_secs(400 * 86_400));
    };
    let hub = open(&dir, &clock, keep);
    send(&hub, (0..1440).map(|i| (0, midnight + i * 60 * NS_PER_SEC))).await;
    hub.stop().await;
    drop(hub);
    let hub = open(&dir, &clock, keep);
    let files = |kind: &str| {
        let files = std::fs::read_dir(dir.path().join("store")).unwrap().flatten();
        files.filter(|file| file.file_name().to_string_lossy().ends_with(&format!(".{kind}.1.sqlite"))).count()
    };
    eventually("the day is summed up", || files("rollup") == 1).await;
    // The next seal would be hours later.
    send(&hub, std::iter::once((0, midnight + 30 * NS_PER_SEC))).await;
    let sealed = hub.head.sealed_position();
    clock.advance(2 * DAY);
    eventually("the day goes", || files("raw") == 0).await;
    assert!(hub.head.sealed_position() > sealed);
    assert_eq!((count(&hub, 0, TimeRange::ALL), summed(&hub, 0)), (0, 1441));
    hub.stop().await;
}
