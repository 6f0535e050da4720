//! Rollups that a merge took away are made anew, whatever comes in between.

use super::key::FileKey;
use super::left::{SECOND, coarse, grow_old, of, seal, tend};
use super::*;

const FIRST: TimeNs = 20_000 * DAY;
const CLOSED: TimeNs = FIRST + 2 * DAY;
/// When readings of the first day are older than they are kept.
const OLD: TimeNs = FIRST + 6 * DAY;

fn rule() -> RetentionRule {
    let days = |days: u64| Duration::from_secs(days * 86_400);
    let (select, text) = (Selector::parse("a/*").unwrap(), "a/*".to_owned());
    RetentionRule { select, text, keep: Some(days(4)), keep_rollups: Some(days(400)), priority: 0 }
}

fn erase(store: &EmbeddedStore, series: u32, up_to: u64) {
    let delete = Delete { series: SeriesId(series), from: FIRST, to: FIRST + HOUR };
    let deletes = vec![PositionedDelete { position: Position(up_to - 1), delete }];
    seal(store, &Given { columns: BTreeMap::new(), deletes }, up_to);
}

fn raw(store: &EmbeddedStore, class: u16) -> Arc<dayfile::DayFile> {
    store.files.all().into_iter().find(|file| file.key.kind == FileKind::Raw && file.key.class.0 == class).unwrap()
}

/// Rows of rollups that concern series 0.
fn rolled(store: &EmbeddedStore) -> usize {
    let file = store.files.all().into_iter().find(|file| file.key.kind == FileKind::Rollup).unwrap();
    file.read("count", |db| Ok(db.rollup_heads(0, SeriesId(0))?.len())).unwrap()
}

/// Steps of the store's own work, up to where something holds. Whether it came to hold.
fn tends_until(store: &EmbeddedStore, now: TimeNs, holds: impl Fn() -> bool) -> bool {
    (0..100).any(|_| {
        store.tend(now, Duration::ZERO).unwrap();
        holds()
    })
}

#[test]
fn readings_do_not_expire_while_rollups_of_them_are_missing() {
    let dir = tempfile::tempdir().unwrap();
    let (pins, info) = (Arc::new(Pins::default()), Arc::new(Info(AtomicU64::new(u64::MAX))));
    let store = open_with(dir.path(), (Position(0), FIRST), &pins, &info, &[rule()], 0);
    let ids: Vec<u32> = (0..20).map(|i| i * 3).collect();
    seal(&store, &of(&ids, FIRST, 200, 60 * SECOND), 1);
    tend(&store, CLOSED);
    assert!(ids.iter().all(|id| coarse(&store, &pins, *id) == (200, 0)));
    erase(&store, 3, 3);
    let there = rolled(&store);
    let missing = tends_until(&store, CLOSED, || rolled(&store) < there);
    assert!(missing, "the visit has taken the rollups of a block away");
    drop(store);
    // Down, until the day is older than its readings are kept.
    let store = open_with(dir.path(), (Position(3), OLD), &pins, &info, &[rule()], 0);
    tend(&store, OLD);
    for id in ids {
        assert_eq!(coarse(&store, &pins, id).0, if id == 3 { 139 } else { 200 }, "series {id}");
    }
    // Then they do.
    store.tending.lock().look_again();
    tend(&store, OLD);
    assert!(store.files.all().iter().all(|file| file.key.kind == FileKind::Rollup));
}

#[test]
fn a_day_does_not_expire_while_it_is_visited() {
    let dir = tempfile::tempdir().unwrap();
    let (pins, info) = (Arc::new(Pins::default()), Arc::new(Info(AtomicU64::new(u64::MAX))));
    let store = open_with(dir.path(), (Position(0), FIRST), &pins, &info, &[rule()], 0);
    seal(&store, &of(&[0, 3], FIRST, 200, 60 * SECOND), 1);
    tend(&store, CLOSED);
    erase(&store, 3, 3);
    let visits = tends_until(&store, CLOSED, || store.tending.lock().visited().is_some());
    assert!(visits);
    store.tending.lock().look_again();
    tend(&store, OLD);
    assert_eq!([0, 3].map(|id| coarse(&store, &pins, id).0), [200, 139], "what the delete does not meet stays to the minute");
}

#[test]
fn rollups_beside_a_series_that_moved_away_are_made_anew() {
    let dir = tempfile::tempdir().unwrap();
    let (pins, info) = (Arc::new(Pins::default()), Arc::new(Info::default()));
    let store = open(dir.path(), Position(0), &pins, &info);
    // In blocks: 0 and 6, on either side of one with chunks of its own.
    seal(&store, &of(&[0, 6], FIRST, 200, 60 * SECOND), 1);
    seal(&store, &of(&[3], FIRST, 300, 10 * SECOND), 2);
    tend(&store, CLOSED);
    assert_eq!([0, 3, 6].map(|id| coarse(&store, &pins, id)), [(200, 0), (300, 0), (200, 0)]);
    info.0.store(1 << 3, Ordering::Relaxed);
    // Its new chunks are to be merged, with those in the first class.
    for hour in [2, 3] {
        seal(&store, &of(&[3], FIRST + hour * HOUR, 300, 10 * SECOND), u64::try_from(hour).unwrap() + 1);
    }
    tend(&store, CLOSED);
    assert_eq!([0, 6].map(|id| coarse(&store, &pins, id)), [(200, 0); 2]);
    assert_eq!(store.count(&pins.pin(Position(4)), SeriesId(3), TimeRange::ALL).unwrap(), 900);
}

#[test]
fn what_a_failed_visit_left_is_looked_at_again() {
    let dir = tempfile::tempdir().unwrap();
    let (pins, info) = (Arc::new(Pins::default()), Arc::new(Info::default()));
    let store = open(dir.path(), Position(0), &pins, &info);
    for day in 0..2 {
        seal(&store, &of(&[0, 3], FIRST + day * DAY, 200, 60 * SECOND), u64::try_from(day).unwrap() + 1);
    }
    let file = raw(&store, 0);
    file.write("hide a table of", |db| db.execute_batch("ALTER TABLE times RENAME TO hidden")).unwrap();
    // The end of the visit fails.
    tend(&store, FIRST + 4 * DAY);
    assert!(raw(&store, 0).news().are_there(Position(2)));
    file.write("give back a table of", |db| db.execute_batch("ALTER TABLE hidden RENAME TO times")).unwrap();
    store.tending.lock().look_again();
    tend(&store, FIRST + 4 * DAY);
    let dirty =
        store.files.all().iter().filter(|file| file.key.kind == FileKind::Raw && store.is_dirty(file, Position(2)).unwrap()).count();
    assert_eq!(dirty, 0, "days that are not merged");
    assert_eq!([0, 3].map(|id| coarse(&store, &pins, id)), [(400, 0); 2]);
}

#[test]
fn a_delete_is_not_done_where_a_visit_could_not_begin() {
    let dir = tempfile::tempdir().unwrap();
    let (pins, info) = (Arc::new(Pins::default()), Arc::new(Info::default()));
    let store = open(dir.path(), Position(0), &pins, &info);
    seal(&store, &of(&[0, 3], FIRST, 200, 60 * SECOND), 1);
    erase(&store, 3, 3);
    let file = raw(&store, 0);
    file.write("hide a table of", |db| db.execute_batch("ALTER TABLE blocks RENAME TO hidden")).unwrap();
    // The visit cannot begin.
    tend(&store, CLOSED);
    file.write("give back a table of", |db| db.execute_batch("ALTER TABLE hidden RENAME TO blocks")).unwrap();
    store.tending.lock().look_again();
    tend(&store, CLOSED);
    assert_eq!([0, 3].map(|id| store.count(&pins.pin(Position(3)), SeriesId(id), TimeRange::ALL).unwrap()), [200, 139]);
}

#[test]
fn a_delete_holds_in_rollups_whose_readings_went_during_its_round() {
    let dir = tempfile::tempdir().unwrap();
    let (pins, info) = (Arc::new(Pins::default()), Arc::new(Info::default()));
    let store = open(dir.path(), Position(0), &pins, &info);
    for day in 0..2 {
        seal(&store, &of(&[0, 3], FIRST + day * DAY, 200, 60 * SECOND), u64::try_from(day).unwrap() + 1);
    }
    tend(&store, FIRST + 4 * DAY);
    let delete = Delete { series: SeriesId(3), from: FIRST, to: FIRST + DAY + HOUR - 1 };
    let deletes = vec![PositionedDelete { position: Position(3), delete }];
    seal(&store, &Given { columns: BTreeMap::new(), deletes }, 4);
    let visits = tends_until(&store, FIRST + 4 * DAY, || store.tending.lock().visited().is_some());
    assert!(visits, "the first day");
    store.files.unlink(FileKey { day: 20_001, ..raw(&store, 0).key }).unwrap();
    tend(&store, FIRST + 4 * DAY);
    assert!(store.tombs.up_to(Position(4)).is_empty(), "it is done");
    assert_eq!([0, 3].map(|id| coarse(&store, &pins, id).0), [400, 140]);
}

#[test]
fn readings_do_not_expire_after_a_visit_that_failed_without_their_rollups() {
    let dir = tempfile::tempdir().unwrap();
    let (pins, info) = (Arc::new(Pins::default()), Arc::new(Info(AtomicU64::new(u64::MAX))));
    let store = open_with(dir.path(), (Position(0), FIRST), &pins, &info, &[rule()], 0);
    seal(&store, &of(&[0, 3], FIRST, 200, 60 * SECOND), 1);
    tend(&store, CLOSED);
    erase(&store, 3, 3);
    let missing = tends_until(&store, CLOSED, || rolled(&store) == 0);
    assert!(missing, "the visit has taken the rollups of a block away");
    let file = raw(&store, 1);
    file.write("hide a table of", |db| db.execute_batch("ALTER TABLE blocks RENAME TO hidden")).unwrap();
    tend(&store, CLOSED);
    file.write("give back a table of", |db| db.execute_batch("ALTER TABLE hidden RENAME TO blocks")).unwrap();
    store.tending.lock().look_again();
    tend(&store, OLD);
    assert_eq!(coarse(&store, &pins, 0), (200, 0));
    // The delete waits for a while; until then readings answer for what it meets.
    assert_eq!(coarse(&store, &pins, 3), (0, 139));
}

#[test]
fn for_bytes_a_day_does_not_go_while_it_is_visited() {
    let dir = tempfile::tempdir().unwrap();
    let (pins, info) = (Arc::new(Pins::default()), Arc::new(Info::default()));
    let store = open_with(dir.path(), (Position(0), CLOSED), &pins, &info, &[], 4 << 20);
    seal(&store, &of(&[0, 3], FIRST, 200, 60 * SECOND), 1);
    tend(&store, CLOSED);
    erase(&store, 3, 3);
    let visits = tends_until(&store, CLOSED, || store.tending.lock().visited().is_some());
    assert!(visits);
    let large = dir.path().join("large");
    std::fs::write(&large, vec![7; 4 << 20]).unwrap();
    store.tending.lock().look_again();
    store.tend(CLOSED, Duration::ZERO).unwrap();
    assert!(store.files.all().iter().any(|file| file.key.kind == FileKind::Raw));
    std::fs::remove_file(&large).unwrap();
    tend(&store, CLOSED);
    assert_eq!([0, 3].map(|id| coarse(&store, &pins, id).0), [200, 139]);
}

#[test]
fn what_a_visit_had_to_leave_for_damage_does_not_stay_for_ever() {
    let dir = tempfile::tempdir().unwrap();
    let (pins, info) = (Arc::new(Pins::default()), Arc::new(Info(AtomicU64::new(u64::MAX))));
    let store = open_with(dir.path(), (Position(0), FIRST), &pins, &info, &[rule()], 0);
    seal(&store, &of(&[0, 3], FIRST, 200, 60 * SECOND), 1);
    // A part that the visit needs cannot be read; what is asked for new rows can.
    let file = raw(&store, 1);
    let path = file.path.clone();
    file.checkpoint().unwrap();
    file.close_idle();
    spoil_index(&path, "blocks_metric");
    tend(&store, CLOSED);
    assert!(store.is_dirty(&raw(&store, 1), Position(1)).unwrap(), "it was left");
    grow_old(&store, OLD);
    assert!(store.files.all().iter().all(|file| file.key.kind != FileKind::Raw));
}

/// Its root.
pub(super) fn spoil_index(path: &Path, name: &str) {
    let db = rusqlite::Connection::open(path).unwrap();
    let root: i64 = db.query_row("SELECT rootpage FROM sqlite_schema WHERE name = ?1", [name], |row| row.get(0)).unwrap();
    let page: i64 = db.pragma_query_value(None, "page_size", |row| row.get(0)).unwrap();
    drop(db);
    let mut bytes = std::fs::read(path).unwrap();
    let at = usize::try_from((root - 1) * page).unwrap();
    bytes[at..at + 64].fill(0xff);
    std::fs::write(path, bytes).unwrap();
}
