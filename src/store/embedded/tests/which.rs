//! Which blocks of a metric a merge writes anew.

use super::left::{SECOND, of, seal, tend};
use super::*;

const FIRST: TimeNs = 20_000 * DAY;
const CLOSED: TimeNs = FIRST + 2 * DAY;
/// Of the metric 0.
const SERIES: u32 = 3_500;

/// A day of four blocks, merged.
fn merged(dir: &Path) -> (EmbeddedStore, Arc<Pins>) {
    let (pins, info) = (Arc::new(Pins::default()), Arc::new(Info::default()));
    let store = open(dir, Position(0), &pins, &info);
    let ids: Vec<u32> = (0..SERIES).map(|i| i * 3).collect();
    for hour in 0..2 {
        seal(&store, &of(&ids, FIRST + hour * HOUR, 6, 600 * SECOND), u64::try_from(hour).unwrap() + 1);
    }
    tend(&store, CLOSED);
    (store, pins)
}

/// Number and span of each block.
fn blocks(store: &EmbeddedStore) -> Vec<(i64, u32, u32)> {
    let raw = store.files.all().into_iter().find(|file| file.key.kind == FileKind::Raw).unwrap();
    let entries = raw.read("list blocks of", |db| db.all_many(Position(100))).unwrap();
    let each = |entry: &dayfile::Entry| match entry.form {
        dayfile::Form::Many { lo, hi, .. } => (entry.id, lo.0, hi.0),
        dayfile::Form::Own { .. } => panic!("these are blocks"),
    };
    entries.iter().map(each).collect()
}

/// How many of them stayed; none reaches over another.
fn stayed(store: &EmbeddedStore, before: &[(i64, u32, u32)]) -> usize {
    let after = blocks(store);
    assert!(after.windows(2).all(|pair| pair[0].2 < pair[1].1), "{after:?}");
    after.iter().filter(|block| before.contains(block)).count()
}

fn count(store: &EmbeddedStore, pins: &Arc<Pins>, series: u32) -> u64 {
    store.count(&pins.pin(store.sealed()), SeriesId(series), TimeRange::ALL).unwrap()
}

#[test]
fn a_late_reading_costs_the_block_it_belongs_to() {
    let dir = tempfile::tempdir().unwrap();
    let (store, pins) = merged(dir.path());
    let before = blocks(&store);
    assert_eq!(before.len(), 4);
    seal(&store, &of(&[1_500 * 3], FIRST + 5 * HOUR, 1, SECOND), 3);
    tend(&store, CLOSED);
    assert_eq!(stayed(&store, &before), 3);
    assert_eq!([1_499, 1_500, 1_501].map(|i| count(&store, &pins, i * 3)), [12, 13, 12]);
    // Of two series far from each other, in one block that reaches over all between them.
    let before = blocks(&store);
    seal(&store, &of(&[7 * 3, 3_400 * 3], FIRST + 6 * HOUR, 2, SECOND), 4);
    tend(&store, CLOSED);
    assert_eq!(stayed(&store, &before), 2);
    assert_eq!([6, 7, 3_400, 3_401].map(|i| count(&store, &pins, i * 3)), [12, 14, 14, 12]);
}

#[test]
fn a_delete_costs_the_block_it_meets() {
    let dir = tempfile::tempdir().unwrap();
    let (store, pins) = merged(dir.path());
    let before = blocks(&store);
    let delete = Delete { series: SeriesId(2_500 * 3), from: FIRST, to: FIRST + HOUR - 1 };
    let deletes = vec![PositionedDelete { position: Position(3), delete }];
    seal(&store, &Given { columns: BTreeMap::new(), deletes }, 4);
    tend(&store, CLOSED);
    assert_eq!(store.tombs.up_to(Position(100)), []);
    assert_eq!(stayed(&store, &before), 3);
    assert_eq!([2_499, 2_500, 2_501].map(|i| count(&store, &pins, i * 3)), [12, 6, 12]);
}

#[test]
fn a_series_that_is_new_in_a_day_joins_the_block_around_it() {
    let dir = tempfile::tempdir().unwrap();
    let (pins, info) = (Arc::new(Pins::default()), Arc::new(Info::default()));
    let store = open(dir.path(), Position(0), &pins, &info);
    let ids: Vec<u32> = (0..SERIES).filter(|i| *i != 700).map(|i| i * 3).collect();
    for hour in 0..2 {
        seal(&store, &of(&ids, FIRST + hour * HOUR, 6, 600 * SECOND), u64::try_from(hour).unwrap() + 1);
    }
    tend(&store, CLOSED);
    let before = blocks(&store);
    seal(&store, &of(&[700 * 3], FIRST + 5 * HOUR, 1, SECOND), 3);
    tend(&store, CLOSED);
    assert_eq!(stayed(&store, &before), before.len() - 1);
    assert_eq!([699, 700, 701].map(|i| count(&store, &pins, i * 3)), [12, 1, 12]);
}

/// Of a series with chunks of its own, the quarter of the day.
#[test]
fn a_late_reading_of_a_fast_series_costs_a_quarter_of_its_day() {
    let dir = tempfile::tempdir().unwrap();
    let (pins, info) = (Arc::new(Pins::default()), Arc::new(Info::default()));
    let store = open(dir.path(), Position(0), &pins, &info);
    for hour in 0..8 {
        seal(&store, &of(&[0, 3], FIRST + hour * 3 * HOUR, 1_080, 10 * SECOND), u64::try_from(hour).unwrap() + 1);
    }
    tend(&store, CLOSED);
    let chunks = || {
        let raw = store.files.all().into_iter().find(|file| file.key.kind == FileKind::Raw).unwrap();
        let entries = raw.read("list chunks of", |db| db.all_own(SeriesId(0), Position(100), 100)).unwrap();
        entries.iter().map(|entry| (entry.id, entry.series())).collect::<Vec<_>>()
    };
    assert_eq!(chunks().len(), 8);
    // One reading comes in a block, many in a chunk.
    for (up_to, hours, points) in [(10, 14, 1), (11, 15, 300)] {
        let before = chunks();
        seal(&store, &of(&[3], FIRST + hours * HOUR + 1, points, 10 * SECOND), up_to);
        tend(&store, CLOSED);
        let after = chunks();
        let stayed = after.iter().filter(|chunk| before.contains(chunk)).count();
        assert_eq!((after.len(), stayed), (8, 7), "{points} readings: {before:?} {after:?}");
        assert_eq!(blocks(&store), []);
    }
    assert_eq!([0, 3].map(|series| count(&store, &pins, series)), [8_640, 8_941]);
}

/// A series that became fast has chunks of its own; nothing of it is left in its block, also when the block was merged before.
#[test]
fn a_series_with_chunks_of_its_own_leaves_its_block() {
    let dir = tempfile::tempdir().unwrap();
    let (store, pins) = merged(dir.path());
    let before = blocks(&store);
    let bytes = |file: &dayfile::DayFile| file.read("count", |db| db.sums()).unwrap().0;
    seal(&store, &of(&[300 * 3], FIRST + 12 * HOUR, 300, 10 * SECOND), 3);
    tend(&store, CLOSED);
    let raw = store.files.all().into_iter().find(|file| file.key.kind == FileKind::Raw).unwrap();
    assert_eq!(bytes(&raw), u64::from(SERIES) * 12 + 300, "each reading once");
    assert_eq!((stayed(&store, &before), count(&store, &pins, 300 * 3)), (3, 312));
}

/// Random late readings, rewrites and deletes: as in a map.
#[test]
fn blocks_that_stay_and_blocks_that_are_merged_answer_as_a_map_would() {
    let seed = std::env::var("TELLTALE_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(|| fastrand::u64(..));
    println!("TELLTALE_SEED={seed}");
    let mut rng = fastrand::Rng::with_seed(seed);
    let dir = tempfile::tempdir().unwrap();
    let (mut store, pins) = merged(dir.path());
    let oracle = MemoryStore::default();
    let ids: Vec<u32> = (0..SERIES).map(|i| i * 3).collect();
    for hour in 0..2 {
        oracle.seal(&of(&ids, FIRST + hour * HOUR, 6, 600 * SECOND).handover(Position(hour.unsigned_abs() + 1))).unwrap();
    }
    for round in 1..12_u64 {
        let up_to = 10 * round;
        let (mut given, mut asked) = (Given::default(), Vec::new());
        for _ in 0..rng.usize(0..6) {
            // Of these, some are new.
            let id = rng.u32(0..SERIES + 100) * 3;
            asked.extend([id.saturating_sub(3), id, id + 3]);
            given.columns.extend(of(&[id], FIRST + rng.i64(0..20) * HOUR / 10, rng.i64(1..9), [600, 7][rng.usize(0..2)] * SECOND).columns);
        }
        for _ in 0..rng.usize(0..3) {
            let from = FIRST + rng.i64(0..20) * HOUR / 10;
            let delete = Delete { series: SeriesId(rng.u32(0..SERIES) * 3), from, to: from + rng.i64(0..HOUR) };
            asked.push(delete.series.0);
            given.deletes.push(PositionedDelete { position: Position(up_to - 1), delete });
        }
        store.piece_bytes = [u64::MAX, 1, 20_000][rng.usize(0..3)];
        seal(&store, &given, up_to);
        oracle.seal(&given.handover(Position(up_to))).unwrap();
        tend(&store, CLOSED);
        let pin = pins.pin(Position(up_to));
        asked.extend((0..60).map(|_| rng.u32(0..SERIES + 100) * 3));
        for series in asked.into_iter().map(SeriesId) {
            let expected = points(&oracle, &pin, series, TimeRange::ALL, false);
            assert_eq!(points(&store, &pin, series, TimeRange::ALL, false), expected, "{series:?} in round {round}");
        }
    }
}
