//! Days of which nothing is left leave no files, and what rollups tell of readings that are gone stays.

use super::left::{SECOND, coarse, of, seal, tend};
use super::*;

const FIRST: TimeNs = 20_000 * DAY;
const CLOSED: TimeNs = FIRST + 5 * DAY;

fn erase(store: &EmbeddedStore, ids: &[u32], (from, to): (TimeNs, TimeNs), up_to: u64) {
    let delete = |id: &u32| PositionedDelete { position: Position(up_to - 1), delete: Delete { series: SeriesId(*id), from, to: to - 1 } };
    seal(store, &Given { columns: BTreeMap::new(), deletes: ids.iter().map(delete).collect() }, up_to);
}

/// Day and class of each file.
fn files(store: &EmbeddedStore, kind: FileKind) -> Vec<(i32, u16)> {
    let all = store.files.all();
    all.iter().filter(|file| file.key.kind == kind).map(|file| (file.key.day - 20_000, file.key.class.0)).collect()
}

fn names(data: &Path, day: &str) -> Vec<String> {
    let entries = std::fs::read_dir(data.join("store")).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    entries.filter(|name| name.starts_with(day)).collect()
}

#[test]
fn a_day_of_which_all_is_deleted_leaves_no_files_and_takes_readings_again() {
    let dir = tempfile::tempdir().unwrap();
    let (pins, info) = (Arc::new(Pins::default()), Arc::new(Info::default()));
    let store = open(dir.path(), Position(0), &pins, &info);
    for day in 0..3 {
        seal(&store, &of(&[0, 3, 6], FIRST + day * DAY, 300, 10 * SECOND), u64::try_from(day).unwrap() + 1);
    }
    tend(&store, CLOSED);
    assert_eq!((files(&store, FileKind::Raw).len(), files(&store, FileKind::Rollup).len()), (3, 3));
    erase(&store, &[0, 3], (FIRST + DAY, FIRST + 2 * DAY), 5);
    tend(&store, CLOSED);
    assert_eq!(files(&store, FileKind::Raw).len(), 3, "one series is left");
    erase(&store, &[6], (FIRST + DAY, FIRST + 2 * DAY), 7);
    tend(&store, CLOSED);
    for kind in [FileKind::Raw, FileKind::Rollup] {
        assert_eq!(files(&store, kind), [(0, 0), (2, 0)]);
    }
    assert_eq!(names(dir.path(), "2024-10-05"), [""; 0]);
    assert_eq!([0, 3, 6].map(|series| coarse(&store, &pins, series)), [(600, 0); 3]);
    seal(&store, &of(&[3], FIRST + DAY, 300, 10 * SECOND), 8);
    tend(&store, CLOSED);
    drop(store);
    let store = open(dir.path(), Position(8), &pins, &info);
    tend(&store, CLOSED);
    assert_eq!([0, 3, 6].map(|series| coarse(&store, &pins, series)), [(600, 0), (900, 0), (600, 0)]);
}

#[test]
fn a_day_whose_series_moved_to_another_class_leaves_no_file_of_the_one_before() {
    let dir = tempfile::tempdir().unwrap();
    let (pins, info) = (Arc::new(Pins::default()), Arc::new(Info::default()));
    let store = open(dir.path(), Position(0), &pins, &info);
    seal(&store, &of(&[0, 3], FIRST, 300, 10 * SECOND), 1);
    tend(&store, CLOSED);
    info.0.store(1 | 1 << 3 | 1 << 6, Ordering::Relaxed);
    // Another reading, for which the day is visited.
    info.0.fetch_and(!(1 << 6), Ordering::Relaxed);
    seal(&store, &of(&[6], FIRST, 300, 10 * SECOND), 2);
    info.0.fetch_or(1 << 6, Ordering::Relaxed);
    tend(&store, CLOSED);
    for kind in [FileKind::Raw, FileKind::Rollup] {
        assert_eq!(files(&store, kind), [(0, 1)]);
    }
    assert_eq!([0, 3, 6].map(|series| coarse(&store, &pins, series)), [(300, 0); 3]);
}

#[test]
fn what_is_told_of_readings_that_expired_stays_when_those_that_came_since_are_deleted() {
    let dir = tempfile::tempdir().unwrap();
    let (pins, info) = (Arc::new(Pins::default()), Arc::new(Info::default()));
    let store = open(dir.path(), Position(0), &pins, &info);
    seal(&store, &of(&[0, 3], FIRST, 300, 10 * SECOND), 1);
    tend(&store, CLOSED);
    let raw = store.files.all().iter().find(|file| file.key.kind == FileKind::Raw).unwrap().key;
    store.drop_until(raw, raw.last_time() + 1).unwrap();
    store.files.unlink(raw).unwrap();
    seal(&store, &of(&[0], FIRST + 12 * HOUR, 300, SECOND), 2);
    tend(&store, CLOSED);
    assert_eq!([0, 3].map(|series| coarse(&store, &pins, series)), [(600, 0), (300, 0)]);
    erase(&store, &[0], (FIRST + 12 * HOUR, FIRST + 13 * HOUR), 4);
    tend(&store, CLOSED);
    assert_eq!((files(&store, FileKind::Raw), files(&store, FileKind::Rollup)), (vec![], vec![(0, 0)]));
    assert_eq!([0, 3].map(|series| coarse(&store, &pins, series)), [(300, 0); 2]);
    erase(&store, &[0, 3], (FIRST, FIRST + DAY), 6);
    tend(&store, CLOSED);
    assert_eq!(names(dir.path(), "2024-10-04"), [""; 0], "of these nothing is left either");
}

/// Deleted while the day was open, before a start.
#[test]
fn a_day_that_was_emptied_while_it_was_open_goes_when_it_is_over() {
    let dir = tempfile::tempdir().unwrap();
    let (pins, info) = (Arc::new(Pins::default()), Arc::new(Info::default()));
    let store = open(dir.path(), Position(0), &pins, &info);
    seal(&store, &of(&[0], FIRST, 300, 10 * SECOND), 1);
    erase(&store, &[0], (FIRST, FIRST + DAY), 3);
    tend(&store, FIRST + 2 * HOUR);
    drop(store);
    let store = open(dir.path(), Position(3), &pins, &info);
    tend(&store, CLOSED);
    assert_eq!(names(dir.path(), "2024-10-04"), [""; 0]);
}
