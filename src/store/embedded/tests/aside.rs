//! Rollups in a damaged file may be all there is of readings that are gone: what can be read of them is kept, and the file set aside.

use super::broken::{given, spoil_leaf};
use super::left::{SECOND, coarse, of, seal, tend};
use super::remade::spoil_index;
use super::*;

const FIRST: TimeNs = 20_000 * DAY;
const CLOSED: TimeNs = FIRST + 2 * DAY;
const NAME: &str = "2024-10-04.rollup.0.sqlite";
const ASIDE: &str = "2024-10-04.rollup.0.sqlite.damaged-1";

/// The first day of a store, summed up; its readings are gone. The path of its rollups.
fn expired(data: &Path, readings: &Given) -> (Arc<Pins>, Arc<Info>, std::path::PathBuf) {
    let (pins, info) = (Arc::new(Pins::default()), Arc::new(Info::default()));
    let store = open(data, Position(0), &pins, &info);
    seal(&store, readings, 1);
    tend(&store, CLOSED);
    let raw = store.files.all().iter().find(|file| file.key.kind == FileKind::Raw).unwrap().key;
    store.drop_until(raw, raw.last_time() + 1).unwrap();
    store.files.unlink(raw).unwrap();
    (pins, info, data.join("store").join(NAME))
}

fn is_damaged(store: &EmbeddedStore, series: u32) -> bool {
    store.is_damaged(SeriesId(series), TimeRange::ALL)
}

fn told(store: &EmbeddedStore) -> Vec<String> {
    store.damages().iter().map(ToString::to_string).collect()
}

#[test]
fn rollups_whose_index_is_broken_are_taken_over_when_more_comes_for_their_day() {
    let dir = tempfile::tempdir().unwrap();
    let mut readings = of(&[0, 3, 6, 9], FIRST, 180, 60 * SECOND);
    readings.columns.extend(of(&[12], FIRST, 1800, 6 * SECOND).columns);
    let (pins, info, path) = expired(dir.path(), &readings);
    spoil_index(&path, "rollups_mark");
    let store = open(dir.path(), Position(1), &pins, &info);
    seal(&store, &of(&[3], FIRST + 5 * HOUR, 40, SECOND), 2);
    seal(&store, &of(&[12], FIRST + 5 * HOUR, 300, SECOND), 3);
    let all = |store: &EmbeddedStore| [0, 3, 6, 9, 12].map(|series| coarse(store, &pins, series));
    let sums = |store: &EmbeddedStore| all(store).map(|(summed, points)| summed + points);
    let expected = [180, 220, 180, 180, 2100];
    assert_eq!(sums(&store), expected, "before it is merged");
    tend(&store, CLOSED);
    assert_eq!(all(&store), expected.map(|count| (count, 0)), "after");
    assert!(dir.path().join("store").join(ASIDE).exists());
    assert!(told(&store).iter().any(|line| line.starts_with(&format!("{ASIDE}: "))), "{:?}", told(&store));
    assert!((0..15).all(|series| !is_damaged(&store, series)), "nothing is lost");
    drop(store);
    let store = open(dir.path(), Position(3), &pins, &info);
    assert_eq!(all(&store), expected.map(|count| (count, 0)), "after a start");
    assert_eq!(told(&store), [format!("{ASIDE}: it is damaged and was set aside; what can be read of it is")]);
    assert!((0..15).all(|series| !is_damaged(&store, series)));
    let checked = check(&dir.path().join("store"), &mut |_, _| {}).unwrap();
    assert!(!checked.bad.is_empty() && checked.bad.iter().all(|bad| bad.file == ASIDE), "{:?}", checked.bad);
}

#[test]
fn rollups_that_cannot_be_read_are_named_as_lost_and_the_others_answer() {
    let dir = tempfile::tempdir().unwrap();
    let (pins, info, path) = expired(dir.path(), &given(0..40, FIRST, 4000));
    let row = {
        let db = rusqlite::Connection::open(&path).unwrap();
        // So that nothing else tells of its hours.
        db.execute("DELETE FROM rollups WHERE level <> 3600", []).unwrap();
        db.query_row("SELECT id FROM rollups WHERE lo = 20", [], |row| row.get(0)).unwrap()
    };
    spoil_leaf(&path, "rollups", row);
    spoil_index(&path, "rollups_mark");
    let store = open(dir.path(), Position(1), &pins, &info);
    seal(&store, &of(&[41], FIRST + 5 * HOUR, 300, SECOND), 2);
    tend(&store, CLOSED);
    let counts = |store: &EmbeddedStore| (0..40).map(|series| coarse(store, &pins, series).0).collect::<Vec<_>>();
    let whole = counts(&store).iter().filter(|count| **count == 4000).count();
    assert!((1..40).contains(&whole), "{:?}", counts(&store));
    let lost = u32::try_from(counts(&store).iter().position(|count| *count == 0).unwrap()).unwrap();
    assert!(is_damaged(&store, lost), "{:?}", told(&store));
    assert!(!store.is_damaged(SeriesId(lost), TimeRange { from: FIRST + DAY, to: FIRST + 2 * DAY }), "another day");
    let before = counts(&store);
    drop(store);
    let store = open(dir.path(), Position(2), &pins, &info);
    assert_eq!((counts(&store), is_damaged(&store, lost)), (before, true), "after a start");
    assert!(told(&store)[0].contains("cannot be read; they may have told of readings that are gone"), "{:?}", told(&store));
}

#[test]
fn a_delete_holds_in_rollups_that_had_to_be_set_aside_for_it() {
    let dir = tempfile::tempdir().unwrap();
    let (pins, info, path) = expired(dir.path(), &of(&[0, 3, 6], FIRST, 180, 60 * SECOND));
    spoil_index(&path, "rollups_metric");
    let store = open(dir.path(), Position(1), &pins, &info);
    let all = |store: &EmbeddedStore| [0, 3, 6].map(|series| coarse(store, &pins, series).0);
    assert_eq!(all(&store), [180; 3], "its rows are read by their numbers");
    let delete = Delete { series: SeriesId(3), from: FIRST, to: FIRST + HOUR - 1 };
    let deletes = vec![PositionedDelete { position: Position(2), delete }];
    seal(&store, &Given { columns: BTreeMap::new(), deletes }, 3);
    tend(&store, CLOSED);
    assert_eq!(all(&store), [180, 120, 180]);
    assert_eq!(store.tombs.up_to(Position(100)), [], "the delete has nothing left to hide");
    assert!(dir.path().join("store").join(ASIDE).exists() && path.exists());
    assert!([0, 3, 6].iter().all(|series| !is_damaged(&store, *series)));
}

#[test]
fn what_a_day_lost_is_taken_over_and_what_is_there_is_summed_up_anew() {
    let dir = tempfile::tempdir().unwrap();
    let (pins, info) = (Arc::new(Pins::default()), Arc::new(Info::default()));
    let store = open(dir.path(), Position(0), &pins, &info);
    seal(&store, &given(0..8, FIRST, 50_400), 1);
    tend(&store, CLOSED);
    let bytes = store.files.bytes();
    drop(store);
    let store = open_with(dir.path(), (Position(1), CLOSED), &pins, &info, &[], bytes);
    tend(&store, CLOSED);
    let left = points(&store, &pins.pin(Position(1)), SeriesId(0), TimeRange::ALL, false).len();
    assert!(left > 0 && left < 50_400, "{left}");
    drop(store);
    spoil_index(&dir.path().join("store").join(NAME), "rollups_mark");
    let store = open_with(dir.path(), (Position(1), CLOSED), &pins, &info, &[], 0);
    seal(&store, &of(&[0], FIRST + 16 * HOUR, 300, SECOND), 2);
    tend(&store, CLOSED);
    assert!(dir.path().join("store").join(ASIDE).exists());
    let sums: Vec<u64> = (0..8).map(|series| coarse(&store, &pins, series)).map(|(summed, points)| summed + points).collect();
    assert_eq!(sums, [50_700, 50_400, 50_400, 50_400, 50_400, 50_400, 50_400, 50_400]);
    assert!((0..8).all(|series| !is_damaged(&store, series)), "{:?}", told(&store));
}

#[test]
fn a_start_finishes_what_was_cut_off_when_rollups_were_set_aside() {
    let dir = tempfile::tempdir().unwrap();
    let (pins, info, path) = expired(dir.path(), &of(&[0, 3], FIRST, 180, 60 * SECOND));
    let new = files::with_suffix(&path, ".new");
    // Before the old file was touched: what stands there may be a part.
    std::fs::write(&new, "half").unwrap();
    let counts = || {
        let store = open(dir.path(), Position(1), &pins, &info);
        [0, 3].map(|series| coarse(&store, &pins, series).0)
    };
    assert_eq!((counts(), new.exists()), ([180; 2], false));
    // After: it is whole, and not in its place yet.
    std::fs::copy(&path, &new).unwrap();
    std::fs::rename(&path, files::with_suffix(&path, ".damaged-1")).unwrap();
    assert_eq!((counts(), new.exists(), path.exists()), ([180; 2], false, true));
}

fn is_of_new(from: &Path) -> bool {
    from.extension().is_some_and(|extension| extension == "new")
}

/// Everything else is moved.
fn new_ones_stay(from: &Path, to: &Path) -> std::io::Result<()> {
    if is_of_new(from) { Err(std::io::ErrorKind::StorageFull.into()) } else { std::fs::rename(from, to) }
}

/// Nor can what was moved before be moved back.
fn all_stays_as_it_is(from: &Path, to: &Path) -> std::io::Result<()> {
    let is_aside = from.to_string_lossy().contains(".damaged-");
    if is_aside || is_of_new(from) { Err(std::io::Error::other("no")) } else { std::fs::rename(from, to) }
}

/// Rollups of which an index is broken, and readings that came for their day since.
fn to_be_set_aside(data: &Path) -> (EmbeddedStore, Arc<Pins>, Arc<Info>, std::path::PathBuf) {
    let (pins, info, path) = expired(data, &of(&[0, 3], FIRST, 180, 60 * SECOND));
    spoil_index(&path, "rollups_mark");
    let store = open(data, Position(1), &pins, &info);
    seal(&store, &of(&[3], FIRST + 5 * HOUR, 40, SECOND), 2);
    (store, pins, info, path)
}

#[test]
fn a_new_file_that_cannot_be_put_in_its_place_leaves_the_old_one_there() {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, pins, info, path) = to_be_set_aside(dir.path());
    let sums = |store: &EmbeddedStore| [0, 3].map(|series| coarse(store, &pins, series)).map(|(summed, points)| summed + points);
    let beside = |end: &str| files::with_suffix(&path, end).exists();
    store.files.rename = new_ones_stay;
    // A full disk ends a round.
    assert!((0..100).any(|_| store.tend(CLOSED, Duration::from_secs(1)).is_err()));
    let as_before = |store: &EmbeddedStore| {
        assert_eq!((path.exists(), beside(".damaged-1"), beside(".new")), (true, false, false));
        assert_eq!(sums(store), [180, 220]);
        assert!([0, 3].iter().all(|series| !is_damaged(store, *series)), "{:?}", told(store));
    };
    as_before(&store);
    drop(store);
    let store = open(dir.path(), Position(2), &pins, &info);
    as_before(&store);
    tend(&store, CLOSED);
    assert_eq!((path.exists(), beside(".damaged-1"), beside(".new"), sums(&store)), (true, true, false, [180, 220]));
}

#[test]
fn where_neither_can_be_put_in_place_the_new_one_is_put_there_later() {
    for restarts in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        let (mut store, pins, info, path) = to_be_set_aside(dir.path());
        let sums = |store: &EmbeddedStore| [0, 3].map(|series| coarse(store, &pins, series)).map(|(summed, points)| summed + points);
        store.files.rename = all_stays_as_it_is;
        tend(&store, CLOSED);
        let [aside, new] = [".damaged-1", ".new"].map(|end| files::with_suffix(&path, end));
        assert_eq!((path.exists(), aside.exists(), new.exists()), (false, true, true));
        assert!(is_damaged(&store, 0), "nothing answers for what is gone, and that is told: {:?}", told(&store));
        store.files.rename = |from, to| std::fs::rename(from, to);
        if restarts {
            drop(store);
            store = open(dir.path(), Position(2), &pins, &info);
        }
        store.tending.lock().look_again();
        tend(&store, CLOSED);
        assert_eq!((path.exists(), aside.exists(), new.exists()), (true, true, false));
        assert_eq!(sums(&store), [180, 220], "{restarts}");
    }
}

#[test]
fn a_cut_while_an_old_file_is_moved_back_leaves_the_new_one() {
    let dir = tempfile::tempdir().unwrap();
    let (pins, info, path) = expired(dir.path(), &of(&[0, 3], FIRST, 180, 60 * SECOND));
    // The old file has moved back, its WAL has not.
    std::fs::copy(&path, files::with_suffix(&path, ".new")).unwrap();
    std::fs::write(&path, "of no use without its WAL").unwrap();
    std::fs::write(files::with_suffix(&path, ".damaged-1-wal"), "what was written last").unwrap();
    let store = open(dir.path(), Position(1), &pins, &info);
    assert_eq!([0, 3].map(|series| coarse(&store, &pins, series).0), [180; 2]);
    assert_eq!(std::fs::read(files::with_suffix(&path, ".damaged-1")).unwrap(), b"of no use without its WAL");
}

#[test]
fn what_a_cut_left_of_files_that_are_gone_is_removed_and_no_new_file_takes_it() {
    let dir = tempfile::tempdir().unwrap();
    let (pins, info, path) = expired(dir.path(), &of(&[0, 3], FIRST, 180, 60 * SECOND));
    let names = || {
        let entries = std::fs::read_dir(dir.path().join("store")).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        entries.filter(|name| name.starts_with("2024")).collect::<std::collections::BTreeSet<_>>()
    };
    // A file was replaced, and of the one before its WAL is back; of a day that expired there is nothing else.
    std::fs::rename(&path, files::with_suffix(&path, ".new")).unwrap();
    let wal = {
        let other = dir.path().join("other.sqlite");
        let db = rusqlite::Connection::open(&other).unwrap();
        db.set_db_config(rusqlite::config::DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).unwrap();
        db.execute_batch("PRAGMA journal_mode = wal; CREATE TABLE other (x)").unwrap();
        std::fs::read(files::with_suffix(&other, "-wal")).unwrap()
    };
    std::fs::write(files::with_suffix(&path, "-wal"), &wal).unwrap();
    for orphan in ["2024-10-01.raw.0.sqlite-wal", "2024-10-01.raw.0.sqlite-shm", "2024-10-01.raw.0.sqlite.damaged-2-wal"] {
        std::fs::write(dir.path().join("store").join(orphan), &wal).unwrap();
    }
    let store = open(dir.path(), Position(1), &pins, &info);
    assert_eq!([0, 3].map(|series| coarse(&store, &pins, series).0), [180; 2]);
    drop(store);
    assert!(names().iter().all(|name| name.starts_with(NAME)), "{:?}", names());
}
