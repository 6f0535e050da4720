//! Raw files that are made anew when the readings of their day have expired: what is left of those in rollups stays.

use super::key::FileKey;
use super::left::{SECOND, coarse, of, seal, tend};
use super::*;

const FIRST: TimeNs = 20_000 * DAY;
const CLOSED: TimeNs = FIRST + 2 * DAY;

/// As by age or for bytes.
fn expire(store: &EmbeddedStore, class: u16) {
    let key = FileKey { day: 20_000, kind: FileKind::Raw, class: ClassId(class) };
    store.files.unlink(key).unwrap();
}

fn summed(store: &EmbeddedStore, pins: &Arc<Pins>, ids: &[u32]) -> Vec<u64> {
    ids.iter().map(|id| coarse(store, pins, *id).0).collect()
}

/// Of the first class: 0 and 12 in a block, 6 with own chunks; summed up, and then the readings go.
fn with_rollups_alone(data: &Path) -> (EmbeddedStore, Arc<Pins>, Arc<Info>) {
    let (pins, info) = (Arc::new(Pins::default()), Arc::new(Info::default()));
    let store = open(data, Position(0), &pins, &info);
    seal(&store, &of(&[0, 12], FIRST, 200, 60 * SECOND), 1);
    seal(&store, &of(&[6], FIRST, 300, 10 * SECOND), 2);
    tend(&store, CLOSED);
    expire(&store, 0);
    assert_eq!(summed(&store, &pins, &[0, 12, 6]), [200, 200, 300]);
    (store, pins, info)
}

#[test]
fn its_rows_are_numbered_behind_those_that_rollups_name() {
    let dir = tempfile::tempdir().unwrap();
    let (store, pins, info) = with_rollups_alone(dir.path());
    // Series without rollups, whose rows would have the numbers of those that went.
    seal(&store, &of(&[30, 33], FIRST, 60, 60 * SECOND), 3);
    seal(&store, &of(&[36], FIRST, 300, 10 * SECOND), 4);
    let raw = store.files.all().into_iter().find(|file| file.key.kind == FileKind::Raw).unwrap();
    let rows = |store: &EmbeddedStore| {
        let raw = store.files.get(raw.key).unwrap();
        raw.read("list rows of", |db| Ok((db.all_own(SeriesId(0), Position(9), 9)?[0].id, db.all_many(Position(9))?[0].id))).unwrap()
    };
    assert!(rows(&store).0 > 1 && rows(&store).1 > 1, "{:?}", rows(&store));
    // A file that was made, and cut off before it had rows.
    expire(&store, 0);
    drop(store);
    let path = dir.path().join("store").join(raw.key.file_name());
    sql::create(&path).unwrap();
    let store = open(dir.path(), Position(4), &pins, &info);
    seal(&store, &of(&[30, 33], FIRST, 60, 60 * SECOND), 5);
    seal(&store, &of(&[36], FIRST, 300, 10 * SECOND), 6);
    assert!(rows(&store).0 > 1 && rows(&store).1 > 1, "{:?}", rows(&store));
    tend(&store, CLOSED);
    assert_eq!(summed(&store, &pins, &[30, 33, 36]), [60, 60, 300], "they are summed up");
    expire(&store, 0);
    assert_eq!(summed(&store, &pins, &[0, 12, 6, 30, 33, 36]), [200, 200, 300, 60, 60, 300]);
}

#[test]
fn a_series_that_moves_in_takes_no_rollups_of_others_with_it() {
    let dir = tempfile::tempdir().unwrap();
    let (store, pins, info) = with_rollups_alone(dir.path());
    info.0.store(u64::MAX, Ordering::Relaxed);
    seal(&store, &of(&[9], FIRST, 300, 10 * SECOND), 3);
    tend(&store, CLOSED);
    // It belongs into the first class now, and the day of the second is visited for another series.
    info.0.store(u64::MAX ^ (1 << 9), Ordering::Relaxed);
    seal(&store, &of(&[1], FIRST, 300, 10 * SECOND), 4);
    tend(&store, CLOSED);
    let is_there = store.files.get(FileKey { day: 20_000, kind: FileKind::Raw, class: ClassId(0) }).is_some();
    assert!(is_there, "it has moved");
    assert_eq!(summed(&store, &pins, &[0, 12, 6, 9]), [200, 200, 300, 300]);
    expire(&store, 0);
    assert_eq!(summed(&store, &pins, &[0, 12, 6, 9]), [200, 200, 300, 300]);
}

#[test]
fn what_merges_there_takes_no_rollups_of_others_with_it() {
    let dir = tempfile::tempdir().unwrap();
    let (store, pins, _) = with_rollups_alone(dir.path());
    // Between the series of the block that went.
    for hour in 0..2 {
        seal(&store, &of(&[3, 9], FIRST + (20 + hour) * HOUR, 10, SECOND), u64::try_from(hour).unwrap() + 3);
    }
    tend(&store, CLOSED);
    assert_eq!(summed(&store, &pins, &[0, 12]), [200, 200]);
    expire(&store, 0);
    assert_eq!(summed(&store, &pins, &[0, 12, 6]), [200, 200, 300]);
}

#[test]
fn the_rest_of_a_series_stands_beside_what_is_left_of_it() {
    let dir = tempfile::tempdir().unwrap();
    let (store, pins, _) = with_rollups_alone(dir.path());
    // Taken before the day went, and sealed after.
    seal(&store, &of(&[6], FIRST + 20 * HOUR, 400, SECOND), 3);
    tend(&store, CLOSED);
    assert_eq!(coarse(&store, &pins, 6), (700, 0));
    expire(&store, 0);
    assert_eq!(summed(&store, &pins, &[0, 12, 6]), [200, 200, 700]);
}

#[test]
fn a_delete_holds_in_rollups_beside_a_file_that_was_made_anew() {
    let dir = tempfile::tempdir().unwrap();
    let (store, pins, _) = with_rollups_alone(dir.path());
    seal(&store, &of(&[30], FIRST, 60, 60 * SECOND), 3);
    tend(&store, CLOSED);
    for series in [6, 12] {
        let delete = Delete { series: SeriesId(series), from: FIRST, to: FIRST + DAY };
        let deletes = vec![PositionedDelete { position: Position(u64::from(series) + 4), delete }];
        seal(&store, &Given { columns: BTreeMap::new(), deletes }, u64::from(series) + 5);
    }
    assert_eq!(summed(&store, &pins, &[0, 12, 6, 30]), [200, 0, 0, 60], "hidden at once");
    tend(&store, CLOSED);
    assert_eq!(store.tombs.up_to(Position(100)), [], "nothing is left to hide");
    assert_eq!(summed(&store, &pins, &[0, 12, 6, 30]), [200, 0, 0, 60]);
    expire(&store, 0);
    assert_eq!(summed(&store, &pins, &[0, 12, 6, 30]), [200, 0, 0, 60]);
    drop(store);
    assert_eq!(check(&dir.path().join("store"), &mut |_, _| ()).unwrap().bad, []);
}
