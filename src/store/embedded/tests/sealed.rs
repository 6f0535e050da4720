//! A seal writes a piece at a time: nothing of it is seen before its end, and cut off anywhere it is done again.

use super::left::{SECOND, seal};
use super::*;

const FIRST: TimeNs = 20_000 * DAY;

/// Values that do not compress: 300 points take about 2 KB.
fn noise(ids: std::ops::Range<u32>, from: TimeNs) -> Given {
    let mut rng = fastrand::Rng::with_seed(u64::from(ids.start));
    let mut given = Given::default();
    for id in ids {
        let times: Vec<TimeNs> = (0..300).map(|i| from + i * SECOND).collect();
        let values = crate::block::Values::Float(times.iter().map(|_| rng.f64()).collect());
        given.columns.insert(SeriesId(id), vec![Arc::new(Block::from_columns(times, values, Vec::new(), Some(0)))]);
    }
    given
}

fn rows(store: &EmbeddedStore) -> u32 {
    let file = &store.files.all()[0];
    file.write("count rows of", |db| db.query_row("SELECT count(*) FROM chunks", [], |row| row.get(0))).unwrap()
}

fn change(store: &EmbeddedStore, sql: &str) {
    store.files.all()[0].write("change", |db| db.execute_batch(sql)).unwrap();
}

#[test]
fn a_large_seal_leaves_a_short_wal() {
    let dir = tempfile::tempdir().unwrap();
    let (pins, info) = (Arc::new(Pins::default()), Arc::new(Info::default()));
    let store = open(dir.path(), Position(0), &pins, &info);
    seal(&store, &noise(0..2000, FIRST), 1);
    let file = &store.files.all()[0];
    let (_, bodies) = file.sums().unwrap();
    assert!(bodies > 3_000_000 && file.wal_bytes() < bodies / 2, "{bodies} bytes, {} in the WAL", file.wal_bytes());
}

#[test]
fn a_seal_that_is_cut_off_between_two_pieces_is_not_seen_and_done_again() {
    for restarts in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        let (pins, info) = (Arc::new(Pins::default()), Arc::new(Info::default()));
        let mut store = open(dir.path(), Position(0), &pins, &info);
        seal(&store, &noise(0..5, FIRST), 1);
        let later = noise(0..1500, FIRST + HOUR);
        change(
            &store,
            "CREATE TRIGGER no BEFORE INSERT ON chunks WHEN (SELECT count(*) FROM chunks) >= 1000 BEGIN SELECT RAISE(ABORT, 'no'); END",
        );
        store.seal(&later.handover(Position(2))).unwrap_err();
        assert!((6..=1000).contains(&rows(&store)), "some of its pieces are there: {} rows", rows(&store));
        let found =
            |store: &EmbeddedStore, at: u64, series| points(store, &pins.pin(Position(at)), SeriesId(series), TimeRange::ALL, false).len();
        assert_eq!([0, 4, 5, 1499].map(|series| found(&store, 1, series)), [300, 300, 0, 0]);
        change(&store, "DROP TRIGGER no");
        if restarts {
            drop(store);
            store = open(dir.path(), Position(1), &pins, &info);
            assert_eq!(rows(&store), 5, "the log has the rest");
        }
        seal(&store, &later, 2);
        assert_eq!(rows(&store), 1505);
        assert_eq!([0, 4, 5, 1499].map(|series| found(&store, 2, series)), [600, 600, 300, 300]);
    }
}

#[test]
fn a_file_that_proves_damaged_between_two_pieces_makes_way_for_one_with_all_of_the_seal() {
    let dir = tempfile::tempdir().unwrap();
    let (pins, info) = (Arc::new(Pins::default()), Arc::new(Info::default()));
    let store = open(dir.path(), Position(0), &pins, &info);
    seal(&store, &noise(0..5, FIRST), 1);
    let file = Arc::clone(&store.files.all()[0]);
    file.checkpoint().unwrap();
    drop(store);
    // Blocks of slow series are written after chunks.
    super::remade::spoil_index(&file.path, "blocks_metric");
    let store = open(dir.path(), Position(1), &pins, &info);
    let mut later = noise(0..1500, FIRST + HOUR);
    later.columns.extend(super::left::of(&[2000, 2001], FIRST + HOUR, 10, SECOND).columns);
    seal(&store, &later, 2);
    assert_eq!((store.files.retired().len(), rows(&store)), (1, 1500));
    let found = |series| points(&store, &pins.pin(Position(2)), SeriesId(series), TimeRange::ALL, false).len();
    assert_eq!([0, 4, 5, 1499, 2000, 2001].map(found), [600, 600, 300, 300, 10, 10], "what was there before is read row by row");
}
