//! What is not read although it is asked about: chunks whose readings of cut buckets are kept, and columns of chunks that say enough of
//! themselves.

use rusqlite::Connection;

use super::left::{SECOND, seal, tend};
use super::*;

const FIRST: TimeNs = 20_000 * DAY;
const CLOSED: TimeNs = FIRST + 2 * DAY;
const S: SeriesId = SeriesId(0);

fn walk(value: impl Fn(i64) -> Value) -> Given {
    let (mut rng, mut at, mut block) = (fastrand::Rng::with_seed(7), 5000, Block::default());
    for i in 0..86_400 {
        at += rng.i64(-1..=1);
        block.push(FIRST + i * SECOND, &value(at), FIRST + i * SECOND);
    }
    let mut given = Given::default();
    given.columns.insert(S, vec![Arc::new(block)]);
    given
}

fn one(time: TimeNs, value: i64) -> Given {
    let mut given = Given::default();
    let block = Block::from_columns(vec![time], crate::block::Values::Int(vec![value]), Vec::new(), Some(0));
    given.columns.insert(S, vec![Arc::new(block)]);
    given
}

/// A store and the oracle, which got the same.
struct Both {
    dir: tempfile::TempDir,
    pins: Arc<Pins>,
    store: EmbeddedStore,
    oracle: MemoryStore,
}

impl Both {
    fn open() -> Self {
        let (dir, pins) = (tempfile::tempdir().unwrap(), Arc::new(Pins::default()));
        let store = open(dir.path(), Position(0), &pins, &Arc::new(Info::default()));
        Self { dir, pins, store, oracle: MemoryStore::default() }
    }

    fn seal(&self, given: &Given, up_to: u64) {
        seal(&self.store, given, up_to);
        self.oracle.seal(&given.handover(Position(up_to))).unwrap();
    }

    fn line(&self, from: TimeNs, columns: u32) -> Vec<(TimeNs, Value)> {
        let range = TimeRange { from, to: from + DAY };
        let pin = self.pins.pin(self.store.sealed());
        let found = thinned(&self.store, &pin, S, range, columns, None);
        assert_eq!(found, thinned(&self.oracle, &pin, S, range, columns, None), "{columns} columns from {}", from - FIRST);
        found
    }

    /// Changes a file so that the store does not know of it.
    fn behind_its_back(&self, kind: &str, sql: &str) {
        self.store.files.all().iter().for_each(|file| file.close_idle());
        let name = |entry: &std::fs::DirEntry| entry.file_name().into_string().unwrap();
        let mut files = std::fs::read_dir(self.dir.path().join("store")).unwrap().map(|entry| entry.unwrap());
        let file = files.find(|entry| name(entry).contains(kind) && name(entry).ends_with(".sqlite")).unwrap();
        Connection::open(file.path()).unwrap().execute_batch(&format!("{sql}; PRAGMA wal_checkpoint(TRUNCATE)")).unwrap();
    }
}

#[test]
fn a_line_that_is_asked_again_reads_no_chunk() {
    let both = Both::open();
    both.seal(&walk(Value::Int), 1);
    tend(&both.store, CLOSED);
    // Columns of 14.4 minutes: four of five edges cut a minute.
    let line = both.line(FIRST, 100);
    both.behind_its_back(".raw.", "UPDATE chunks SET body = x'00'");
    assert_eq!(both.line(FIRST, 100), line);
    assert_eq!(both.store.damages(), [], "nothing was read");
    // What was not cut before is read.
    let pin = both.pins.pin(Position(1));
    thinned(&both.store, &pin, S, TimeRange { from: FIRST, to: FIRST + DAY }, 37, None);
    assert_ne!(both.store.damages(), []);
}

#[test]
fn what_is_kept_serves_every_edge_through_it() {
    let both = Both::open();
    both.seal(&walk(|at| Value::Float(at as f64 / 10.0)), 1);
    tend(&both.store, CLOSED);
    for second in 0..60 {
        both.line(FIRST + second * SECOND, 100);
    }
    both.line(FIRST + SECOND / 2, 100);
}

#[test]
fn what_comes_late_for_a_kept_cut_is_drawn() {
    let both = Both::open();
    both.seal(&walk(Value::Int), 1);
    tend(&both.store, CLOSED);
    both.line(FIRST, 100);
    for (position, edge) in (2..).zip(1..20) {
        // On either side of an edge, above all and below all.
        let edge = FIRST + edge * 864 * SECOND;
        let (time, value) = if position % 2 == 0 { (edge + SECOND / 3, 100_000) } else { (edge - SECOND / 3, -100_000) };
        both.seal(&one(time, value), position);
        assert!(both.line(FIRST, 100).contains(&(time, Value::Int(value))), "before it is merged");
        if position % 3 == 0 {
            tend(&both.store, CLOSED);
        }
        assert!(both.line(FIRST, 100).contains(&(time, Value::Int(value))), "and after");
    }
    let edge = FIRST + 864 * SECOND;
    let mut given = Given::default();
    given.deletes.push(PositionedDelete { position: Position(98), delete: Delete { series: S, from: edge - SECOND, to: edge + SECOND } });
    both.seal(&given, 99);
    assert!(!both.line(FIRST, 100).contains(&(edge + SECOND / 3, Value::Int(100_000))));
    tend(&both.store, CLOSED);
    assert!(!both.line(FIRST, 100).contains(&(edge + SECOND / 3, Value::Int(100_000))));
}

type Rows = Vec<(TimeNs, Vec<Option<Value>>)>;

/// Rows of these aggregates, and how many readings chunks told of themselves.
fn told(store: &dyn Store, pin: &Pin, aggs: &[Agg], grid: &Grid, range: TimeRange) -> (Rows, u64) {
    let (mut rows, mut told, mut buckets) = (Rows::new(), 0, Buckets::new(aggs, grid, range));
    let mut row = |time, row: &[Option<Value>]| {
        rows.push((time, row.to_vec()));
        true
    };
    let mut sink = |piece: Piece<'_>| match piece {
        Piece::Points(block) => buckets.push(Run::of_block(block, 0..block.len()), &mut row),
        Piece::Summary { .. } => panic!("there are no rollups"),
        Piece::Totals(totals) => {
            told += totals.count;
            buckets.push_totals(totals, &mut row)
        }
    };
    store.scan_coarse(pin, S, range, Coarse::Buckets { grid, aggs }, &mut sink).unwrap();
    buckets.finish(&mut row);
    (rows, told)
}

#[test]
fn chunks_tell_counts_and_extremes_of_themselves() {
    let tenths = |at: i64| Value::Float(at as f64 / 10.0);
    let kinds: [&dyn Fn(i64) -> Value; 2] = [&Value::Int, &tenths];
    for value in kinds {
        let both = Both::open();
        both.seal(&walk(value), 1);
        let pin = both.pins.pin(Position(1));
        let day = TimeRange { from: FIRST, to: FIRST + DAY };
        let cut = TimeRange { from: FIRST + 5 * SECOND, to: FIRST + 3 * HOUR + SECOND / 2 };
        // Which aggregates, how wide, of what; and how many of the readings may be told, at the least and at the most.
        let rows: [(&[Agg], Grid, TimeRange, [u64; 2]); 6] = [
            (&[Agg::Max, Agg::Count, Agg::Min], Grid::Whole, day, [86_400, 86_400]),
            (&[Agg::Max, Agg::Count], Grid::Fixed(6 * HOUR), day, [86_400, 86_400]),
            (&[Agg::Min], Grid::Fixed(3 * HOUR), day, [86_400, 86_400]),
            (&[Agg::Max], Grid::Whole, cut, [1, 8_000]),
            (&[Agg::Min, Agg::Max], Grid::Fixed(60 * SECOND), day, [0, 0]),
            (&[Agg::Max, Agg::Last], Grid::Whole, day, [0, 0]),
        ];
        for (aggs, grid, range, [least, most]) in rows {
            let (found, told_of) = told(&both.store, &pin, aggs, &grid, range);
            assert_eq!(found, told(&both.oracle, &pin, aggs, &grid, range).0, "{aggs:?} {grid:?}");
            assert!((least..=most).contains(&told_of), "{aggs:?} {grid:?}: {told_of}");
        }
        // What lies over a chunk, or is hidden of it, has it read.
        let both = Both::open();
        both.seal(&walk(value), 1);
        both.seal(&one(FIRST + SECOND / 2, -7), 2);
        let mut given = Given::default();
        let to = FIRST + 20 * HOUR;
        given.deletes.push(PositionedDelete { position: Position(3), delete: Delete { series: S, from: to, to } });
        both.seal(&given, 4);
        let (pin, aggs) = (both.pins.pin(Position(4)), [Agg::Min, Agg::Count]);
        let (found, told_of) = told(&both.store, &pin, &aggs, &Grid::Whole, day);
        assert_eq!(found, told(&both.oracle, &pin, &aggs, &Grid::Whole, day).0);
        assert!((1..80_000).contains(&told_of), "{told_of}");
        both.behind_its_back(".raw.", "UPDATE chunks SET body = x'00' WHERE id = 2");
        told(&both.store, &pin, &aggs, &Grid::Whole, day);
        assert_eq!(both.store.damages().len(), 1, "a bad chunk is named all the same");
    }
}
