//! The embedded store beside the memory store: the same handovers, the same answers, at every pin and after every restart.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::*;
use crate::block::Block;
use crate::model::{Delete, Value, ValueType};
use crate::query::buckets::{Agg, Buckets};
use crate::query::grid::{Grid, Params};
use crate::query::number;
use crate::query::run::Run;
use crate::query::selector::Selector;
use crate::query::thin::Thinner;
use crate::store::memory::MemoryStore;
use crate::store::{Piece, PositionedDelete, SeriesRun};

mod anew;
mod aside;
mod asked;
mod beside;
mod both;
mod broken;
mod emptied;
mod erased;
mod floors;
mod gone;
mod kept;
mod lapsed;
mod left;
mod looks;
mod moved;
mod pieces;
mod remade;
mod resorted;
mod retired;
mod salvaged;
mod sealed;
mod shrunk;
mod sums;
mod touched;
mod trouble;
mod unsealed;
mod which;

const HOUR: i64 = 3600 * 1_000_000_000;
const DAY: i64 = 24 * HOUR;

/// Which series fall under the one rule there is, as bits.
#[derive(Debug, Default)]
struct Info(AtomicU64);

impl SeriesInfo for Info {
    fn metric(&self, series: SeriesId) -> u32 {
        series.0 % 3
    }

    fn rule(&self, series: SeriesId) -> RuleId {
        let others = self.0.load(Ordering::Relaxed);
        RuleId(if others.checked_shr(series.0).unwrap_or(0) & 1 == 1 { 1 } else { 0 })
    }
}

fn open(data: &Path, sealed: Position, pins: &Arc<Pins>, info: &Arc<Info>) -> EmbeddedStore {
    let rule =
        RetentionRule { select: Selector::parse("a/*").unwrap(), text: "a/*".to_owned(), keep: None, keep_rollups: None, priority: 1 };
    open_with(data, (sealed, 0), pins, info, &[rule], 0)
}

fn open_with(
    data: &Path,
    (sealed, sealed_at): (Position, TimeNs),
    pins: &Arc<Pins>,
    info: &Arc<Info>,
    rules: &[RetentionRule],
    max_bytes: u64,
) -> EmbeddedStore {
    open_at(data, (sealed, sealed_at, sealed_at), pins, info, rules, max_bytes)
}

fn open_at(
    data: &Path,
    (sealed, sealed_at, now): (Position, TimeNs, TimeNs),
    pins: &Arc<Pins>,
    info: &Arc<Info>,
    rules: &[RetentionRule],
    max_bytes: u64,
) -> EmbeddedStore {
    let parts = Parts {
        dir: &data.join("store"),
        set_aside: &data.join("set-aside"),
        sealed,
        sealed_at,
        now,
        pins: Arc::clone(pins),
        info: Arc::clone(info) as Arc<dyn SeriesInfo>,
        cache_bytes: 1 << 20,
        rules,
        floors: Arc::new(Floors::new(rules)),
        budget: Budget { data: data.to_owned(), max_bytes },
    };
    EmbeddedStore::open(parts).unwrap()
}

/// What a generation would hand over.
#[derive(Debug, Default)]
struct Given {
    columns: BTreeMap<SeriesId, Vec<Arc<Block>>>,
    deletes: Vec<PositionedDelete>,
}

impl Given {
    fn handover(&self, up_to: Position) -> Handover<'_> {
        let runs = self.columns.iter().map(|(series, blocks)| SeriesRun { series: *series, blocks }).collect();
        Handover { up_to, runs, deletes: &self.deletes }
    }
}

fn given(rng: &mut fastrand::Rng, position: u64) -> Given {
    let mut given = Given::default();
    for series in 0..12 {
        let points = if series < 3 { rng.usize(0..1500) } else { rng.usize(0..6) };
        let step = rng.i64(1..40) * 1_000_000_000;
        let mut time = 20_000 * DAY + rng.i64(0..3) * DAY + rng.i64(0..DAY);
        let (mut block, mut blocks) = (Block::default(), Vec::new());
        for _ in 0..points {
            time += if rng.bool() { step } else { rng.i64(1..HOUR / 10) };
            let value = match series % 4 {
                0 => Value::Float(f64::from(rng.i32(-1000..1000)) / 10.0),
                1 => Value::Int(rng.i64(0..50)),
                2 => Value::Bool(rng.bool()),
                _ => Value::Text(["on", "off", "standby"][rng.usize(0..3)].into()),
            };
            drop(block.put(time, value, time + rng.i64(0..3 * 60_000_000_000)));
            if block.len() == 700 {
                blocks.push(Arc::new(std::mem::take(&mut block)));
            }
        }
        if !block.is_empty() {
            blocks.push(Arc::new(block));
        }
        if !blocks.is_empty() {
            given.columns.insert(SeriesId(series), blocks);
        }
    }
    for _ in 0..rng.usize(0..2) {
        let from = 20_000 * DAY + rng.i64(0..4 * DAY);
        let delete = Delete { series: SeriesId(rng.u32(0..12)), from, to: from + rng.i64(0..DAY) };
        given.deletes.push(PositionedDelete { position: Position(position), delete });
    }
    given
}

type Points = Vec<(TimeNs, String, TimeNs)>;

fn points(store: &dyn Store, pin: &Pin, series: SeriesId, range: TimeRange, back: bool) -> Points {
    let mut blocks = Vec::new();
    let mut sink = |block: &Block| {
        let point = |i: usize| {
            let late = block.received(i) - block.times()[i] > 60_000_000_000;
            (block.times()[i], format!("{:?}", block.value(i)), if late { block.received(i) } else { 0 })
        };
        blocks.push((0..block.len()).map(point).collect::<Vec<_>>());
        true
    };
    if back {
        store.scan_back(pin, series, range, &mut sink).unwrap();
        blocks.reverse();
    } else {
        store.scan(pin, series, range, &mut sink).unwrap();
    }
    blocks.concat()
}

const AGGS: [Agg; 7] = Agg::OF_TOTALS;

fn told_by_summaries() -> Vec<Agg> {
    Agg::ALL.into_iter().filter(|agg| !agg.needs_readings()).collect()
}

/// Buckets of a series, made of summaries where the store has them.
fn buckets(store: &dyn Store, pin: &Pin, series: SeriesId, range: TimeRange, grid: &Grid, used: &mut usize) -> Vec<(TimeNs, Vec<f64>)> {
    buckets_of(store, pin, series, range, (grid, &told_by_summaries()), used)
}

fn buckets_of(
    store: &dyn Store,
    pin: &Pin,
    series: SeriesId,
    range: TimeRange,
    (grid, aggs): (&Grid, &[Agg]),
    used: &mut usize,
) -> Vec<(TimeNs, Vec<f64>)> {
    let (mut rows, mut buckets) = (Vec::new(), Buckets::new(aggs, grid, range));
    let mut row = |time, row: &[Option<Value>]| {
        rows.push((time, row.iter().map(|value| value.as_ref().map_or(0.0, number::to_f64)).collect()));
        true
    };
    let mut sink = |piece: Piece<'_>| match piece {
        Piece::Points(block) => buckets.push(Run::of_block(block, 0..block.len()), &mut row),
        Piece::Summary { summary, .. } => {
            *used += 1;
            buckets.push_summary(summary, &mut row)
        }
        Piece::Totals(totals) => buckets.push_totals(totals, &mut row),
    };
    store.scan_coarse(pin, series, range, Coarse::Buckets { grid, aggs }, &mut sink).unwrap();
    buckets.finish(&mut row);
    rows
}

fn compare_buckets(store: &dyn Store, oracle: &dyn Store, pin: &Pin, rng: &mut fastrand::Rng, used: &mut [usize; 2]) {
    for series in (0..12).filter(|series| series % 4 < 2).map(SeriesId) {
        let from = 20_000 * DAY + rng.i64(-HOUR..3 * DAY);
        let range = TimeRange { from, to: from + rng.i64(0..3 * DAY) };
        let every = [Some(60), Some(900), Some(3600), Some(7200), Some(86_400), Some(77), None][rng.usize(0..7)];
        let grid = if rng.bool() { calendar(rng) } else { Grid::from(every.map(|seconds| seconds * 1_000_000_000)) };
        let expected = buckets(oracle, pin, series, range, &grid, &mut 0);
        let found = buckets(store, pin, series, range, &grid, &mut used[usize::from(matches!(grid, Grid::Calendar(_)))]);
        assert!(are_alike(&found, &expected, series.0 % 4 == 1), "{series:?} {range:?} {grid:?}\n{found:?}\n{expected:?}");
        let extremes = (&grid, &[Agg::Max, Agg::Count, Agg::Min][..]);
        let expected = buckets_of(oracle, pin, series, range, extremes, &mut 0);
        assert_eq!(buckets_of(store, pin, series, range, extremes, &mut 0), expected, "{series:?} {range:?} {grid:?}");
    }
}

/// A line of a series: of summaries where the store takes them, beside one of all readings.
fn thinned(store: &dyn Store, pin: &Pin, series: SeriesId, range: TimeRange, count: u32, used: Option<&mut usize>) -> Vec<(TimeNs, Value)> {
    let (mut thinner, mut found, mut summaries) = (Thinner::new(range, count, ValueType::Number), Vec::new(), 0);
    let columns = thinner.columns();
    let mut point = |time, value| {
        found.push((time, value));
        true
    };
    let mut sink = |piece: Piece<'_>| match piece {
        Piece::Points(block) => thinner.push(Run::of_block(block, 0..block.len()), &mut point),
        Piece::Summary { summary, .. } => {
            summaries += 1;
            thinner.push_summary(summary, &mut point)
        }
        Piece::Totals(_) => panic!("these are for buckets"),
    };
    store.scan_coarse(pin, series, range, Coarse::Columns(&columns), &mut sink).unwrap();
    thinner.finish(&mut point);
    if let Some(used) = used {
        *used += summaries;
    }
    found
}

fn compare_thinned(store: &dyn Store, oracle: &dyn Store, pin: &Pin, rng: &mut fastrand::Rng, used: &mut usize) {
    for series in (0..12).filter(|series| series % 4 < 2).map(SeriesId) {
        let from = 20_000 * DAY + [rng.i64(-HOUR..3 * DAY), rng.i64(0..72) * HOUR][rng.usize(0..2)];
        let range = TimeRange { from, to: from + [rng.i64(1..3 * DAY), rng.i64(1..72) * HOUR][rng.usize(0..2)] };
        let count = [rng.u32(1..60), 1, 24, 360, 2000][rng.usize(0..5)];
        let expected = thinned(oracle, pin, series, range, count, None);
        let found = thinned(store, pin, series, range, count, Some(used));
        assert_eq!(found, expected, "{series:?} {count} columns of {range:?}");
        // Of what is kept of the buckets that columns cut, and cut elsewhere.
        for by in [0, rng.i64(0..HOUR / 60)] {
            let range = TimeRange { from: range.from + by, to: range.to + by };
            let expected = thinned(oracle, pin, series, range, count, None);
            assert_eq!(thinned(store, pin, series, range, count, None), expected, "again, {series:?} {count} columns of {range:?}");
        }
    }
}

/// Count, ends and extremes are equal, and of ints the sums; sums and means of floats lie within 1e-12 of what was added up.
fn are_alike(found: &[(TimeNs, Vec<f64>)], expected: &[(TimeNs, Vec<f64>)], of_ints: bool) -> bool {
    let aggs = told_by_summaries();
    let value = |row: &[f64], agg: Agg| row[aggs.iter().position(|one| *one == agg).unwrap()];
    let is_alike = |a: &[f64], b: &[f64]| {
        let size = value(b, Agg::Min).abs().max(value(b, Agg::Max).abs());
        let added = size * value(b, Agg::Count);
        aggs.iter().zip(a.iter().zip(b)).all(|(agg, (a, b))| {
            let off = (a - b).abs();
            match agg {
                Agg::Sum | Agg::Mean if of_ints => a == b,
                Agg::Sum => off <= 1e-12 * added,
                Agg::Mean => off <= 1e-12 * size,
                Agg::Count | Agg::Min | Agg::Max | Agg::First | Agg::Last => a == b,
                _ => off <= 1e-9 * a.abs().max(1.0),
            }
        })
    };
    found.len() == expected.len() && found.iter().zip(expected).all(|(a, b)| a.0 == b.0 && is_alike(&a.1, &b.1))
}

/// Zones on whole hours, halves and quarters; two of them change their clocks in the days of these tests (2024-10-06).
fn calendar(rng: &mut fastrand::Rng) -> Grid {
    let zone = ["America/Sao_Paulo", "Asia/Kolkata", "Asia/Kathmandu", "Australia/Sydney", "Australia/Lord_Howe"][rng.usize(0..5)];
    let every = ["1d", "2d", "1w", "1mo"][rng.usize(0..4)];
    Grid::parse(&Params { every: Some(every), tz: Some(zone), ..Params::default() }).unwrap()
}

fn compare(store: &dyn Store, oracle: &dyn Store, pin: &Pin, rng: &mut fastrand::Rng) {
    for series in (0..12).map(SeriesId) {
        let from = 20_000 * DAY + rng.i64(-HOUR..4 * DAY);
        for range in [TimeRange::ALL, TimeRange { from, to: from + rng.i64(0..2 * DAY) }] {
            let expected = points(oracle, pin, series, range, false);
            assert_eq!(points(store, pin, series, range, false), expected, "{series:?} {range:?}");
            assert_eq!(points(store, pin, series, range, true), expected, "back {series:?} {range:?}");
            let all = expected.len() as u64;
            assert_eq!(store.count(pin, series, range).unwrap(), all);
            let enough = rng.u64(0..=all);
            assert_eq!(store.count_to(pin, series, range, enough).unwrap().min(enough + 1), all.min(enough + 1), "exact up to {enough}");
        }
        let all = points(oracle, pin, series, TimeRange::ALL, false);
        let mut times: Vec<_> = (0..20).filter_map(|_| rng.choice(&all).map(|(time, ..)| time + rng.i64(0..2))).collect();
        times.sort_unstable();
        times.dedup();
        assert_eq!(store.look_up(pin, series, &times).unwrap(), oracle.look_up(pin, series, &times).unwrap(), "{series:?}");
    }
}

#[test]
fn it_answers_as_a_map_would() {
    let seed = std::env::var("TELLTALE_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(|| fastrand::u64(..));
    println!("TELLTALE_SEED={seed}");
    let mut rng = fastrand::Rng::with_seed(seed);
    let dir = tempfile::tempdir().unwrap();
    let (pins, info) = (Arc::new(Pins::default()), Arc::new(Info::default()));
    let oracle = MemoryStore::default();
    let mut store = open(dir.path(), Position(0), &pins, &info);
    let (mut sealed, mut old, mut summaries) = (Position(0), None::<(Pin, Vec<Points>)>, [0, 0]);
    let mut drawn = 0;
    for round in 1..40 {
        let up_to = Position(round * 10);
        // As with more or less of a budget of bytes: merges in pieces, and without.
        store.piece_bytes = [u64::MAX, 1, 20_000][rng.usize(0..3)];
        let given = given(&mut rng, up_to.0 - 1);
        if rng.usize(0..8) == 0 {
            info.0.store(rng.u64(..), Ordering::Relaxed);
        }
        let handover = given.handover(up_to);
        if rng.usize(0..5) == 0 {
            // Cut off before the catalog knew: gone at the next start, then sealed again.
            store.seal(&handover).unwrap();
            if rng.bool() {
                drop(store);
                store = open(dir.path(), sealed, &pins, &info);
            }
            compare(&store, &oracle, &pins.pin(sealed), &mut rng);
        }
        store.seal(&handover).unwrap();
        store.set_sealed(up_to);
        oracle.seal(&handover).unwrap();
        sealed = up_to;
        if rng.bool() {
            let now = 20_000 * DAY + rng.i64(0..6 * DAY);
            while store.tend(now, Duration::from_millis(100)).unwrap() {}
        }
        if let Some((pin, expected)) = &old {
            for (series, expected) in (0..).map(SeriesId).zip(expected) {
                assert_eq!(points(&store, pin, series, TimeRange::ALL, false), *expected, "an older reader sees what it saw");
            }
        }
        if rng.usize(0..4) == 0 {
            let pin = pins.pin(sealed);
            let all = (0..12).map(|series| points(&store, &pin, SeriesId(series), TimeRange::ALL, false)).collect();
            old = rng.bool().then_some((pin, all));
        }
        if rng.usize(0..6) == 0 {
            old = None;
            drop(store);
            store = open(dir.path(), sealed, &pins, &info);
        }
        compare(&store, &oracle, &pins.pin(sealed), &mut rng);
        compare_buckets(&store, &oracle, &pins.pin(sealed), &mut rng, &mut summaries);
        compare_thinned(&store, &oracle, &pins.pin(sealed), &mut rng, &mut drawn);
    }
    assert!(summaries.iter().all(|used| *used > 0), "{summaries:?} summaries were used, for lengths and for calendars");
    assert!(drawn > 0, "lines were drawn of summaries");
    assert_eq!(store.damages(), []);
}
