//! Which days are asked whether they have new rows: a look reads the whole file.

use super::broken::given;
use super::*;

const DAYS: i64 = 6;

fn seal(store: &EmbeddedStore, day: i64, hour: i64, up_to: u64) {
    store.seal(&given(0..3, (20_000 + day) * DAY + hour * HOUR, 1000).handover(Position(up_to))).unwrap();
    store.set_sealed(Position(up_to));
}

fn tend(store: &EmbeddedStore) {
    while store.tend(20_030 * DAY, Duration::from_secs(1)).unwrap() {}
}

fn asked(store: &EmbeddedStore) -> u64 {
    store.tending.lock().asked
}

#[test]
fn a_seal_has_no_other_day_asked_than_those_it_touched() {
    let dir = tempfile::tempdir().unwrap();
    let (pins, info) = (Arc::new(Pins::default()), Arc::new(Info::default()));
    let store = open(dir.path(), Position(0), &pins, &info);
    (0..DAYS).for_each(|day| seal(&store, day, 0, u64::try_from(day).unwrap() + 1));
    tend(&store);
    let before = asked(&store);
    seal(&store, 30, 0, 100);
    tend(&store);
    assert_eq!(asked(&store), before, "a seal into today");
    seal(&store, 2, 3, 101);
    tend(&store);
    assert_eq!(asked(&store), before, "what a seal touched needs no question");
    let raw = store.files.all().iter().find(|file| file.key.day == 20_002 && file.key.kind == FileKind::Raw).unwrap().clone();
    assert!(!store.is_dirty(&raw, Position(101)).unwrap(), "late readings are merged");
}

#[test]
fn after_a_start_each_day_is_asked_once_and_one_in_a_step() {
    let dir = tempfile::tempdir().unwrap();
    let (pins, info) = (Arc::new(Pins::default()), Arc::new(Info::default()));
    let store = open(dir.path(), Position(0), &pins, &info);
    (0..DAYS).for_each(|day| seal(&store, day, 0, u64::try_from(day).unwrap() + 1));
    tend(&store);
    seal(&store, 4, 3, 100);
    drop(store);
    let store = open(dir.path(), Position(100), &pins, &info);
    let mut before = 0;
    while store.tend(20_030 * DAY, Duration::ZERO).unwrap() {
        assert!(asked(&store) <= before + 1, "{} after {before}", asked(&store));
        before = asked(&store);
    }
    assert_eq!(before, DAYS.cast_unsigned());
    let raw = store.files.all().iter().find(|file| file.key.day == 20_004 && file.key.kind == FileKind::Raw).unwrap().clone();
    assert!(!store.is_dirty(&raw, Position(100)).unwrap(), "what was sealed before the start is merged");
}

#[test]
fn what_an_older_reader_kept_from_being_merged_is_merged_when_it_is_gone() {
    let dir = tempfile::tempdir().unwrap();
    let (pins, info) = (Arc::new(Pins::default()), Arc::new(Info::default()));
    let store = open(dir.path(), Position(0), &pins, &info);
    seal(&store, 0, 0, 1);
    tend(&store);
    let reader = pins.pin(Position(1));
    seal(&store, 0, 2, 2);
    seal(&store, 0, 4, 3);
    tend(&store);
    let raw = store.files.all().iter().find(|file| file.key.kind == FileKind::Raw).unwrap().clone();
    assert!(store.is_dirty(&raw, Position(3)).unwrap());
    drop(reader);
    tend(&store);
    assert!(!store.is_dirty(&raw, Position(3)).unwrap());
}

/// As if nothing had changed for long.
fn rest(store: &EmbeddedStore) {
    let long_ago = std::time::SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    for file in store.files.all() {
        std::fs::File::options().write(true).open(&file.path).unwrap().set_modified(long_ago).unwrap();
    }
    store.tending.lock().look_again();
}

#[test]
fn what_was_asked_once_is_asked_again_only_when_it_changed() {
    let dir = tempfile::tempdir().unwrap();
    let (pins, info) = (Arc::new(Pins::default()), Arc::new(Info::default()));
    let store = open(dir.path(), Position(0), &pins, &info);
    (0..DAYS).for_each(|day| seal(&store, day, 0, u64::try_from(day).unwrap() + 1));
    tend(&store);
    rest(&store);
    tend(&store);
    let points = store.stats().points;
    drop(store);
    let begin = |sealed: u64| open(dir.path(), Position(sealed), &pins, &info);
    let store = begin(6);
    assert_eq!(store.stats().points, points);
    let open_files = || store.files.all().iter().filter(|file| file.has_idle()).count();
    assert_eq!(open_files(), 0, "not one is opened for it");
    tend(&store);
    assert_eq!((asked(&store), open_files()), (0, 0), "nothing changed");
    // A late reading that is sealed and not merged yet, and a file that somebody else wrote.
    seal(&store, 2, 3, 100);
    let other = store.files.all().iter().find(|file| file.key.day == 20_003 && file.key.kind == FileKind::Raw).unwrap().path.clone();
    drop(store);
    let db = rusqlite::Connection::open(&other).unwrap();
    db.execute_batch("UPDATE merged SET up_to = 0; PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    drop(db);
    let store = begin(100);
    tend(&store);
    assert_eq!(asked(&store), 2);
    let all = store.files.all();
    let mut raw = all.iter().filter(|file| file.key.kind == FileKind::Raw);
    assert!(raw.all(|file| !store.is_dirty(file, Position(100)).unwrap()), "both are merged");
    drop(store);
    let store = begin(100);
    tend(&store);
    assert_eq!(asked(&store), 2, "what changed just now is not remembered yet");
}

#[test]
fn a_late_reading_is_merged_though_the_time_of_change_was_lost() {
    let dir = tempfile::tempdir().unwrap();
    let (pins, info) = (Arc::new(Pins::default()), Arc::new(Info::default()));
    let store = open(dir.path(), Position(0), &pins, &info);
    seal(&store, 0, 0, 1);
    tend(&store);
    rest(&store);
    tend(&store);
    let raw = store.files.all().iter().find(|file| file.key.kind == FileKind::Raw).unwrap().clone();
    let length = || std::fs::metadata(&raw.path).unwrap().len();
    let before = length();
    assert!(raw.is_noted());
    left::seal(&store, &left::of(&[0], 20_000 * DAY + 5 * HOUR, 5, left::SECOND), 2);
    assert!(raw.checkpoint().unwrap());
    // As after a power cut, where the file system had not written it.
    rest(&store);
    assert_eq!(length(), before, "nothing but its time tells");
    drop(store);
    let store = open(dir.path(), Position(2), &pins, &info);
    tend(&store);
    assert!(!store.is_dirty(&raw, Position(2)).unwrap(), "it is merged");
    assert_eq!(left::coarse(&store, &pins, 0), (1005, 0), "and summed up");
}
