//! Where bytes are bounded, what a step writes is written in several transactions. Cut off between two of them, nothing is missing.

use super::key::FileKey;
use super::left::{SECOND, coarse, of, seal, tend};
use super::*;

const FIRST: TimeNs = 20_000 * DAY;
const CLOSED: TimeNs = FIRST + 2 * DAY;

fn in_pieces(data: &Path, info: &Arc<Info>) -> (EmbeddedStore, Arc<Pins>) {
    let pins = Arc::new(Pins::default());
    let mut store = open(data, Position(0), &pins, info);
    store.piece_bytes = 1;
    (store, pins)
}

fn file(store: &EmbeddedStore, kind: FileKind, class: u16) -> Arc<dayfile::DayFile> {
    store.files.get(FileKey { day: 20_000, kind, class: ClassId(class) }).unwrap()
}

/// Inserts of such rows fail, until the file is let go on.
fn cut_off(file: &dayfile::DayFile, table: &str, when: &str) {
    let trigger = format!("CREATE TRIGGER cut_off BEFORE INSERT ON {table} WHEN {when} BEGIN SELECT RAISE(ABORT, 'cut off'); END");
    file.write("cut off what writes to", |db| db.execute_batch(&trigger)).unwrap();
}

fn go_on(store: &EmbeddedStore, file: &dayfile::DayFile) {
    file.write("let go on what writes to", |db| db.execute_batch("DROP TRIGGER cut_off")).unwrap();
    store.tending.lock().look_again();
    tend(store, CLOSED);
}

#[test]
fn a_slice_of_blocks_is_there_twice_until_its_last_piece() {
    let dir = tempfile::tempdir().unwrap();
    let (store, pins) = in_pieces(dir.path(), &Arc::new(Info::default()));
    let ids: Vec<u32> = (0..900).map(|i| i * 3).collect();
    // Together more points than one block takes.
    for hour in 0..3 {
        seal(&store, &of(&ids, FIRST + hour * HOUR, 40, 60 * SECOND), u64::try_from(hour).unwrap() + 1);
    }
    let raw = file(&store, FileKind::Raw, 0);
    cut_off(&raw, "blocks", "NEW.lo > 0");
    tend(&store, CLOSED);
    let blocks = || raw.read("list blocks of", |db| db.all_many(Position(3))).unwrap();
    assert_eq!(blocks().len(), 4, "a new one beside the old ones");
    let asked = [0, 300, 1200, 2697];
    let all = || asked.map(|series| store.count(&pins.pin(Position(3)), SeriesId(series), TimeRange::ALL).unwrap());
    assert_eq!(all(), [120; 4]);
    go_on(&store, &raw);
    assert_eq!((blocks().len(), all()), (2, [120; 4]));
    assert_eq!(asked.map(|series| coarse(&store, &pins, series)), [(120, 0); 4]);
    assert!(!store.is_dirty(&raw, Position(3)).unwrap());
}

#[test]
fn damage_in_a_slice_leaves_nothing_there_twice() {
    // The last series has a chunk of its own, which cannot be read, in the quarter of the day of which blocks have a part, or in another.
    for (hours, blocks) in [(5, 3), (6, 2)] {
        let dir = tempfile::tempdir().unwrap();
        let (store, _) = in_pieces(dir.path(), &Arc::new(Info::default()));
        let ids: Vec<u32> = (0..900).map(|i| i * 3).collect();
        for hour in 0..3 {
            seal(&store, &of(&ids, FIRST + hour * HOUR, 40, 60 * SECOND), u64::try_from(hour).unwrap() + 1);
        }
        seal(&store, &of(&[2697], FIRST + hours * HOUR, 300, SECOND), 4);
        let raw = file(&store, FileKind::Raw, 0);
        raw.write("damage", |db| db.execute("UPDATE chunks SET body = x'00'", []).map(drop)).unwrap();
        tend(&store, CLOSED);
        let found = raw.read("list blocks of", |db| Ok((db.all_many(Position(4))?.len(), db.sums()?.0))).unwrap();
        assert_eq!(found, (blocks, 900 * 120 + 300), "blocks and readings, with a chunk at {hours} h");
    }
}

#[test]
fn a_series_that_moves_is_in_two_files_until_its_last_piece() {
    let dir = tempfile::tempdir().unwrap();
    let info = Arc::new(Info(AtomicU64::new(1 << 3)));
    let (store, pins) = in_pieces(dir.path(), &info);
    seal(&store, &of(&[0], FIRST, 7200, 10 * SECOND), 1);
    seal(&store, &of(&[3], FIRST, 300, 10 * SECOND), 2);
    tend(&store, CLOSED);
    // One more of its class, for which the day is visited.
    info.0.store(1 | 1 << 3, Ordering::Relaxed);
    seal(&store, &of(&[6], FIRST, 300, 10 * SECOND), 3);
    let (from, to) = (file(&store, FileKind::Raw, 0), file(&store, FileKind::Raw, 1));
    cut_off(&to, "chunks", &format!("NEW.series = 0 AND NEW.first > {}", FIRST + 10 * HOUR));
    tend(&store, CLOSED);
    let chunks = |file: &dayfile::DayFile| file.read("list chunks of", |db| db.all_own(SeriesId(0), Position(3), 99)).unwrap();
    let of_it = |file: &dayfile::DayFile| chunks(file).iter().filter(|entry| entry.series() == SeriesId(0)).count();
    let all = || store.count(&pins.pin(Position(3)), SeriesId(0), TimeRange::ALL).unwrap();
    assert!(of_it(&from) > 0 && of_it(&to) > 0, "{} and {}", of_it(&from), of_it(&to));
    assert_eq!((all(), coarse(&store, &pins, 0)), (7200, (0, 7200)));
    go_on(&store, &to);
    assert_eq!((of_it(&from), all()), (0, 7200));
    assert_eq!([0, 3, 6].map(|series| coarse(&store, &pins, series).0), [7200, 300, 300]);
}

#[test]
fn a_page_of_rollups_is_whole_for_each_series() {
    let dir = tempfile::tempdir().unwrap();
    let (store, pins) = in_pieces(dir.path(), &Arc::new(Info::default()));
    seal(&store, &of(&[0], FIRST, 300, 10 * SECOND), 1);
    tend(&store, CLOSED);
    let rollups = file(&store, FileKind::Rollup, 0);
    cut_off(&rollups, "rollups", "NEW.lo = 6");
    seal(&store, &of(&[3, 6], FIRST, 300, 10 * SECOND), 2);
    tend(&store, CLOSED);
    let all = || [0, 3, 6].map(|series| coarse(&store, &pins, series));
    assert_eq!(all(), [(300, 0), (300, 0), (0, 300)]);
    go_on(&store, &rollups);
    assert_eq!(all(), [(300, 0); 3]);
}

#[test]
fn rollups_of_a_block_that_are_cut_off_are_made_anew() {
    let dir = tempfile::tempdir().unwrap();
    let (store, pins) = in_pieces(dir.path(), &Arc::new(Info::default()));
    let ids: Vec<u32> = (0..300).map(|i| i * 3).collect();
    seal(&store, &of(&[0], FIRST, 300, 10 * SECOND), 1);
    tend(&store, CLOSED);
    let rollups = file(&store, FileKind::Rollup, 0);
    // Two transactions of a block come through.
    cut_off(&rollups, "rollups", "NEW.own = 0 AND NEW.lo > 300");
    seal(&store, &of(&ids[1..], FIRST, 60, 60 * SECOND), 2);
    tend(&store, CLOSED);
    let written = || rollups.read("count rollups of", |db| db.rollup_spans(0)).unwrap().iter().filter(|row| !row.is_own).count();
    assert!(written() > 0, "what was written before the cut");
    let asked = [3, 300, 600, 897];
    let all = || asked.map(|series| coarse(&store, &pins, series));
    assert_eq!(all().map(|(summed, points)| summed + points), [60; 4]);
    assert_eq!(all()[3], (0, 60));
    go_on(&store, &rollups);
    assert_eq!(all(), [(60, 0); 4]);
    let before = written();
    assert_eq!(rollups.read("list rollups of", |db| db.unfinished_rollups()).unwrap().len(), 0);
    // Nothing is there twice.
    let lows = || rollups.read("list rollups of", |db| db.rollup_spans(0)).unwrap().iter().filter(|r| r.lo == SeriesId(3)).count();
    assert_eq!((written(), lows()), (before, 2), "of two levels");
}
