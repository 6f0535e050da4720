//! One suite over the three stores: the same readings and deletes go into the memory store and, by whole hubs, into the embedded store
//! and InfluxDB; then all give the same answers through the trait. Where InfluxDB cannot is in ARCHITECTURE.md: numbers are floats
//! there, `look_up` knows nothing, receive times are not kept.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value as Json;
use telltale::auth::access::Scope;
use telltale::clock::{Clock, NS_PER_SEC};
use telltale::config::{Config, StoreKind};
use telltale::http::history::plan::{Plan, Sources};
use telltale::http::history::write::write;
use telltale::hub::Hub;
use telltale::ingest::{Batch, Outcome};
use telltale::model::{Delete, Position, Reading, SeriesId, TimeNs, TimeRange, TokenId, Value, ValueType};
use telltale::query::buckets::{Agg, Buckets};
use telltale::query::grid::{Grid, Params};
use telltale::query::request::History;
use telltale::query::run::Run;
use telltale::series::KeyRef;
use telltale::store::memory::MemoryStore;
use telltale::store::{Coarse, Piece, Pin, Pins, Store};

use crate::influxd::Influxd;

const MS: i64 = 1_000_000;
/// The series of each hub: numbers, numbers beside each other by 100 ms, numbers beyond sums, bools, texts; numbers over months.
const KINDS: [(&str, &[(&str, &str)]); 6] =
    [("n", &[]), ("fast", &[("l", "=, x")]), ("large", &[]), ("on", &[]), ("t", &[]), ("slow", &[])];
/// The last of them, from 2025-09-01 on, a reading each half hour or so: clocks change in Santiago, Berlin, Lord Howe and New York.
const SLOW: usize = 5;
const AUTUMN: TimeNs = 1_756_684_800 * NS_PER_SEC;
const AUTUMN_DAYS: i64 = 85;
/// Grids of calendars: every, zone, billing day.
const CALENDARS: [(&str, &str, Option<&str>); 10] = [
    ("1d", "Europe/Berlin", None),
    ("1d", "Asia/Kathmandu", None),
    ("1d", "America/Santiago", None),
    ("1d", "Australia/Lord_Howe", None),
    ("3d", "America/New_York", None),
    ("1w", "Europe/Berlin", None),
    ("1w", "UTC", None),
    ("1mo", "Europe/Berlin", None),
    ("1mo", "America/New_York", Some("28")),
    ("1y", "Asia/Tokyo", None),
];

/// Device, metric and labels.
type Named = (&'static str, &'static str, &'static [(&'static str, &'static str)]);
/// Series that are put together: numbers in tenths of some devices, metrics and rooms, a reading a minute or so with gaps.
const GROUPED: [Named; 6] = [
    ("g1", "a", &[("room", "x")]),
    ("g1", "b", &[("room", "y")]),
    ("g2", "a", &[("room", "y")]),
    ("g2", "b", &[]),
    ("g3", "a", &[("room", "x")]),
    ("g3", "c", &[]),
];
/// Questions about them. InfluxDB makes the buckets of the first four itself, and gives its rows for the others.
const GROUPS: [&str; 8] = [
    "agg=sum,mean,min,max,first,last,count&every=1h&group=sum",
    "agg=mean,max&every=15m&group=mean&group_by=device",
    "agg=min,count&every=1d&tz=Asia/Kathmandu&group=min&group_by=label.room",
    "agg=sum&group=max&group_by=metric",
    "agg=last,count&every=10m&group=sum&group_by=metric,label.room&fill=previous",
    "agg=mean&every=20m&group=mean&group_by=label.room&fill=linear",
    "agg=stddev,p50,p99&every=2h&group=max&group_by=device",
    "agg=increase,rate&every=1h&group=sum&group_by=@site",
];

fn value(rng: &mut fastrand::Rng, kind: usize) -> Value {
    match kind {
        0 => Value::Float([rng.f64() * 100.0 - 50.0, -0.0, 0.1 + 0.2, 5e-324, 9_007_199_254_740_992.0][rng.usize(0..5)]),
        1 => Value::Float(f64::from(rng.i32(-4_000..4_000)) / 100.0),
        2 => Value::Float(f64::MAX / [1.0, 2.0, -1.5][rng.usize(0..3)]),
        3 => Value::Bool(rng.u8(..) < 40),
        _ => Value::Text(["", "", "on", "a, \"b\" \\", "two\nlines", "one\r\nof \r", "\u{e00d}e", "überhitzt"][rng.usize(0..8)].into()),
    }
}

/// With its series of `KINDS`, then those of `GROUPED`.
fn hub(dir: &Path, influxd: Option<&Influxd>) -> (Arc<Hub>, Vec<SeriesId>) {
    let mut config = Config { influx: influxd.map(Influxd::config), ..Config::default() };
    config.data.dir = dir.to_owned();
    config.store.reserve_bytes = 0;
    if influxd.is_some() {
        config.store.kind = StoreKind::Influx;
    }
    let hub = Arc::new(Hub::open(config, Clock::system()).unwrap());
    let kinds = KINDS.iter().map(|(metric, labels)| ("d", *metric, *labels));
    let id = |(device, metric, labels)| hub.series.resolve(KeyRef { device, metric, labels }, TokenId(1)).unwrap().id;
    let ids = kinds.chain(GROUPED).map(id).collect();
    (hub, ids)
}

async fn put(hub: &Hub, readings: &[Reading]) {
    for readings in readings.chunks(20_000) {
        let (reply, outcome) = tokio::sync::oneshot::channel();
        let batch = Batch { readings: readings.to_vec(), meta: vec![], agent: None, received: hub.clock.now(), reply };
        hub.queue.submit(batch).await.unwrap();
        match outcome.await.unwrap() {
            Outcome::Committed { refused, .. } => assert_eq!(refused.len(), 0),
            Outcome::Later(later) => panic!("not taken: {later:?}"),
        }
    }
}

/// Until the store alone has all there is, and has done its own work.
async fn settle(hub: &Arc<Hub>) {
    let deadline = Instant::now() + Duration::from_secs(60);
    let forwarded = || hub.influx.as_ref().is_none_or(|influx| influx.status().forwarded >= hub.head.position());
    while hub.head.points() > 0 || !forwarded() {
        assert!(Instant::now() < deadline, "{} points are in the head", hub.head.points());
        let hub = Arc::clone(hub);
        tokio::task::spawn_blocking(move || hub.pressure.want_seal(Duration::from_secs(1))).await.unwrap();
    }
}

/// A store as it is asked.
struct Asked<'a> {
    name: &'a str,
    store: &'a dyn Store,
    pin: Pin,
}

type Row = (TimeNs, Vec<Option<Value>>);

impl Asked<'_> {
    fn points(&self, series: SeriesId, range: TimeRange) -> Vec<(TimeNs, Value)> {
        let mut points = Vec::new();
        let mut take = |run: &Run<'_>| points.extend(run.iter());
        self.store
            .scan(&self.pin, series, range, &mut |block| {
                take(&Run::of_block(block, 0..block.len()));
                true
            })
            .unwrap();
        let mut back: Vec<Vec<_>> = Vec::new();
        self.store
            .scan_back(&self.pin, series, range, &mut |block| {
                back.push(Run::of_block(block, 0..block.len()).iter().collect());
                true
            })
            .unwrap();
        back.reverse();
        assert_eq!(back.concat(), points, "{} from the end", self.name);
        assert_eq!(self.store.count(&self.pin, series, range).unwrap(), points.len() as u64, "{} counts", self.name);
        points
    }

    /// Rows of buckets, and how many pieces that were not points they are made of.
    fn rows(&self, series: SeriesId, range: TimeRange, grid: &Grid, aggs: &[Agg]) -> (Vec<Row>, usize) {
        let (mut rows, mut coarse, mut buckets) = (Vec::new(), 0, Buckets::new(aggs, grid, range));
        let mut row = |time, row: &[_]| {
            rows.push((time, row.to_vec()));
            true
        };
        let mut piece = |piece: Piece<'_>| match piece {
            Piece::Points(block) => buckets.push(Run::of_block(block, 0..block.len()), &mut row),
            Piece::Summary { summary, .. } => {
                coarse += 1;
                buckets.push_summary(summary, &mut row)
            }
            Piece::Totals(totals) => {
                coarse += 1;
                buckets.push_totals(totals, &mut row)
            }
        };
        self.store.scan_coarse(&self.pin, series, range, Coarse::Buckets { grid, aggs }, &mut piece).unwrap();
        assert!(buckets.finish(&mut row));
        (rows, coarse)
    }
}

/// Sums of floats, and what is made of them, by 1e-12 of what was added up, all else exactly.
fn same_row(found: &Row, expected: &Row, aggs: &[Agg], scale: f64) -> bool {
    let same = |((found, expected), agg): ((&Option<Value>, &Option<Value>), &Agg)| match (found, expected) {
        (Some(Value::Float(found)), Some(Value::Float(expected)))
            if matches!(agg, Agg::Sum | Agg::Mean | Agg::StdDev | Agg::Increase | Agg::Rate) =>
        {
            (found - expected).abs() <= 1e-12 * expected.abs().max(scale)
        }
        (found, expected) => found == expected,
    };
    found.0 == expected.0 && found.1.len() == expected.1.len() && found.1.iter().zip(&expected.1).zip(aggs).all(same)
}

#[tokio::test]
async fn all_stores_give_the_same_answers() {
    let seed = std::env::var("TELLTALE_SEED").map_or_else(|_| fastrand::u64(..), |seed| seed.parse().unwrap());
    println!("TELLTALE_SEED={seed}");
    let mut rng = fastrand::Rng::with_seed(seed);
    let dir = tempfile::tempdir().unwrap();
    let influxd = Influxd::start(&dir.path().join("influxd"));
    let (embedded, ids) = hub(&dir.path().join("embedded"), None);
    let (influx, same_ids) = hub(&dir.path().join("influx"), Some(&influxd));
    assert_eq!(ids, same_ids);
    let memory = Arc::new(MemoryStore::default());
    let start = (Clock::system().now() / NS_PER_SEC - 30 * 3600) * NS_PER_SEC;
    for round in 0..3 {
        let mut readings = Vec::new();
        for _ in 0..8_000 {
            let kind = [0, 2, 3, 4][rng.usize(0..4)];
            // In order, late and at times that were written before; also over midnight.
            let time = start + rng.i64(0..3_000) * 30 * NS_PER_SEC + rng.i64(0..2);
            readings.push(Reading { series: ids[kind], time, value: value(&mut rng, kind) });
        }
        let fast = round * 16_000..(round + 1) * 16_000;
        readings.extend(fast.map(|n| Reading { series: ids[1], time: start + n * 100 * MS, value: value(&mut rng, 1) }));
        readings.extend((0..AUTUMN_DAYS * 16).map(|_| Reading {
            series: ids[SLOW],
            time: AUTUMN + rng.i64(0..AUTUMN_DAYS * 48) * 1_800 * NS_PER_SEC,
            value: value(&mut rng, 1),
        }));
        for series in &ids[KINDS.len()..] {
            let some = (0..400).filter(|_| rng.u8(..) < 200).map(|n| start + (round * 400 + n) * 60 * NS_PER_SEC);
            let some: Vec<TimeNs> = some.collect();
            readings.extend(some.into_iter().map(|time| Reading {
                series: *series,
                time: time + rng.i64(0..NS_PER_SEC),
                value: value(&mut rng, 1),
            }));
        }
        readings.iter().for_each(|reading| memory.put(reading, 0));
        put(&embedded, &readings).await;
        put(&influx, &readings).await;
        let (from, series) = (start + rng.i64(0..80_000) * NS_PER_SEC, ids[rng.usize(0..5)]);
        let delete = Delete { series, from, to: from + rng.i64(0..4_000) * NS_PER_SEC };
        memory.delete(delete);
        for hub in [&embedded, &influx] {
            hub.queue.delete(&[delete]).await.unwrap();
            settle(hub).await;
        }
    }
    let hubs = [Arc::clone(&embedded), Arc::clone(&influx)];
    let compare = move || {
        let pins = Arc::new(Pins::default());
        let oracle = Asked { name: "memory", store: &*memory, pin: pins.pin(Position(u64::MAX)) };
        // The names and the empty head are those of a hub; what is behind it is the oracle.
        let by_hand: Arc<dyn Store> = Arc::<MemoryStore>::clone(&memory);
        let expected = GROUPS.map(|question| groups(&hubs[0], &by_hand, question, start));
        for (name, hub) in ["embedded", "influx"].into_iter().zip(&hubs) {
            let asked = Asked { name, store: &*hub.store, pin: hub.head.with_reader(|reader| reader.pin()) };
            let coarse = compare(&asked, &oracle, &ids[..SLOW], start, &mut rng);
            compare_calendars(&asked, &oracle, ids[SLOW], &mut rng);
            for (question, expected) in GROUPS.iter().zip(&expected) {
                compare_groups(name, question, &groups(hub, &hub.store, question, start), expected);
            }
            // When days are merged is the embedded store's own affair; its tests have rollups.
            assert!(coarse > 10_000 || name == "embedded", "{name} made {coarse} pieces of its own");
        }
    };
    tokio::task::spawn_blocking(compare).await.unwrap();
    for hub in [embedded, influx] {
        hub.stop().await;
    }
}

/// The series of an answer in JSON, with this store behind the hub's head.
fn groups(hub: &Hub, store: &Arc<dyn Store>, question: &str, start: TimeNs) -> Vec<Json> {
    let (from, to) = (format!("{start}ns"), format!("{}ns", start + 21 * 3600 * NS_PER_SEC));
    let asked = [("select", "g*/*"), ("from", &*from), ("to", &*to)];
    let pairs = asked.into_iter().chain(question.split('&').filter_map(|pair| pair.split_once('=')));
    let question = History::parse(pairs, hub.clock.now()).unwrap();
    let sources = Sources { series: &hub.series, head: &hub.head, store: Some(store), retention: &hub.retention };
    let plan = Plan::make(question, sources, &Scope::default(), &*hub.devices, 1_000_000, &|| true).unwrap();
    let mut bytes = Vec::new();
    write(&plan, &mut |chunk| {
        bytes.extend(chunk);
        true
    })
    .unwrap();
    let mut answer: Json = serde_json::from_slice(&bytes).unwrap();
    assert_eq!((&answer["incomplete"], plan.lacks()), (&Json::Null, None));
    answer["series"].as_array_mut().unwrap().drain(..).collect()
}

/// Names, counts of series and times exactly, values as those of buckets.
fn compare_groups(name: &str, question: &str, found: &[Json], expected: &[Json]) {
    let rows = |group: &Json| group["points"].as_array().unwrap().clone();
    assert_eq!(found.len(), expected.len(), "{name}: {question}");
    assert!(expected.iter().map(|group| rows(group).len()).sum::<usize>() > 0, "{question}");
    for (found, expected) in found.iter().zip(expected) {
        for told in ["device", "metric", "labels", "unit", "kind", "count", "columns"] {
            assert_eq!(found[told], expected[told], "{name}: {told} of {question}");
        }
        let (found, expected) = (rows(found), rows(expected));
        let is_near = |(found, expected): (&Json, &Json)| match (found.as_f64(), expected.as_f64()) {
            // Up to 1,200 values of 40 each in a bucket, squares among them.
            (Some(found), Some(expected)) => (found - expected).abs() <= 1e-12 * expected.abs().max(1_600.0 * 1_200.0),
            _ => found == expected,
        };
        let is_same = |(found, expected): (&Json, &Json)| {
            let (found, expected) = (found.as_array().unwrap(), expected.as_array().unwrap());
            found[0] == expected[0] && found.len() == expected.len() && found.iter().zip(expected).all(is_near)
        };
        let differs = found.iter().zip(&expected).find(|pair| !is_same(*pair));
        assert!(
            found.len() == expected.len() && differs.is_none(),
            "{name}: {question}: {} of {}, {differs:?}",
            found.len(),
            expected.len()
        );
    }
}

/// How many pieces the store made that were not points.
fn compare(asked: &Asked<'_>, oracle: &Asked<'_>, ids: &[SeriesId], start: TimeNs, rng: &mut fastrand::Rng) -> usize {
    let (name, mut coarse) = (asked.name, 0);
    for round in 0..30 {
        let (kind, from) = (round % ids.len(), start + rng.i64(-3_600..80_000) * NS_PER_SEC);
        let some = TimeRange { from: from + rng.i64(0..NS_PER_SEC), to: from + rng.i64(0..90_000) * NS_PER_SEC };
        let range = if round < ids.len() { TimeRange::ALL } else { some };
        let (found, expected) = (asked.points(ids[kind], range), oracle.points(ids[kind], range));
        let differs = found.iter().zip(&expected).find(|(found, expected)| found != expected);
        assert!(found.len() == expected.len() && differs.is_none(), "{name}, {kind}: {} of {}, {differs:?}", found.len(), expected.len());
        let value_type = [ValueType::Number, ValueType::Number, ValueType::Number, ValueType::Bool, ValueType::Text][kind];
        // Those that InfluxDB makes itself, and all.
        let known = if rng.bool() { &Agg::OF_TOTALS[..] } else { &Agg::ALL[..] };
        let mut aggs: Vec<Agg> = known.iter().copied().filter(|agg| agg.fits(value_type)).collect();
        // A state holds for a week after its last reading: that many rows are too many where the range has no end.
        aggs.retain(|agg| *agg != Agg::TimeInState || range != TimeRange::ALL);
        if rng.bool() {
            rng.shuffle(&mut aggs);
            aggs.truncate(rng.usize(1..=aggs.len()));
        }
        // More buckets than one query tells, coarse ones with rollups, ones that lie across days, odd ones, all in one.
        let every = [Some(450 * MS), Some(900), Some(3600), Some(7 * 86_400), Some(77), None][rng.usize(0..6)];
        let every = every.map(|every| if every > MS { every } else { every * NS_PER_SEC });
        let days = Params { every: Some("1d"), tz: Some("Asia/Kathmandu"), ..Params::default() };
        let grid = if rng.usize(0..6) == 0 { Grid::parse(&days).unwrap() } else { Grid::from(every) };
        let (found, made) = asked.rows(ids[kind], range, &grid, &aggs);
        let (expected, _) = oracle.rows(ids[kind], range, &grid, &aggs);
        coarse += made;
        let scale = [1e16 * 2_000.0, 40.0 * 48_000.0, f64::MAX, 0.0, 0.0][kind];
        let differs = found.iter().zip(&expected).find(|(found, expected)| !same_row(found, expected, &aggs, scale));
        // A rollup of more than a float can say has the nearest there is (src/query/summary.rs).
        let is_beyond = kind == 2 && name == "embedded";
        assert!(
            found.len() == expected.len() && (differs.is_none() || is_beyond),
            "{name}, {kind}, {grid:?}, {aggs:?}: {} rows of {}, {differs:?}",
            found.len(),
            expected.len()
        );
    }
    let fast = TimeRange { from: start, to: start + 48_000 * 100 * MS };
    let grid = Grid::Fixed(450 * MS);
    let (found, made) = asked.rows(ids[1], fast, &grid, &[Agg::Count, Agg::Max]);
    assert_eq!(found, oracle.rows(ids[1], fast, &grid, &[Agg::Count, Agg::Max]).0);
    coarse + made
}

/// Buckets between the midnights of zones whose clocks change. InfluxDB makes all of them itself.
fn compare_calendars(asked: &Asked<'_>, oracle: &Asked<'_>, series: SeriesId, rng: &mut fastrand::Rng) {
    let whole = TimeRange { from: AUTUMN, to: AUTUMN + AUTUMN_DAYS * 86_400 * NS_PER_SEC };
    for (every, tz, billing_day) in CALENDARS {
        let grid = Grid::parse(&Params { every: Some(every), tz: Some(tz), billing_day, ..Params::default() }).unwrap();
        let from = AUTUMN + rng.i64(0..AUTUMN_DAYS * 43_200) * NS_PER_SEC + rng.i64(0..NS_PER_SEC);
        let some = TimeRange { from, to: from + rng.i64(20 * 86_400..60 * 86_400) * NS_PER_SEC };
        for range in [whole, some] {
            let aggs = &Agg::OF_TOTALS[..];
            let (found, made) = asked.rows(series, range, &grid, aggs);
            let (expected, _) = oracle.rows(series, range, &grid, aggs);
            let differs = found.iter().zip(&expected).find(|(found, expected)| !same_row(found, expected, aggs, 40.0 * 4_096.0));
            let name = asked.name;
            assert!(found.len() == expected.len() && differs.is_none(), "{name}, {every} in {tz}, {range:?}: {differs:?}");
            assert!(made == found.len() || name == "embedded", "{name} made {made} of {} buckets of {every} in {tz}", found.len());
        }
    }
}
