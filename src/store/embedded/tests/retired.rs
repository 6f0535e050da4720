//! A day file that is set aside for damage while others work on it or read it.

use super::left::{SECOND, of, seal};
use super::*;

const FIRST: TimeNs = 20_000 * DAY;

fn found(store: &EmbeddedStore, pins: &Arc<Pins>, series: u32) -> usize {
    points(store, &pins.pin(store.sealed()), SeriesId(series), TimeRange::ALL, false).len()
}

#[test]
fn a_merge_that_was_under_way_takes_nothing_out_of_the_file_in_its_place() {
    let dir = tempfile::tempdir().unwrap();
    let (pins, info) = (Arc::new(Pins::default()), Arc::new(Info::default()));
    let store = open(dir.path(), Position(0), &pins, &info);
    let ids = [0, 3, 6, 9];
    seal(&store, &of(&ids, FIRST, 40, 60 * SECOND), 1);
    seal(&store, &of(&ids, FIRST + HOUR, 40, 60 * SECOND), 2);
    let key = store.files.all()[0].key;
    let mut visit = merge::Visit::new(&store, key, Position(2), true, &[]).unwrap().unwrap();
    // All of it is decoded, so a merge would need no body.
    assert_eq!(ids.map(|series| found(&store, &pins, series)), [80; 4]);
    store.files.retire(key).unwrap();
    // Its rows get the numbers that those before had, and are of another metric.
    let others = [1, 4, 7, 10];
    seal(&store, &of(&others, FIRST + 2 * HOUR, 40, 60 * SECOND), 3);
    seal(&store, &of(&others, FIRST + 3 * HOUR, 40, 60 * SECOND), 4);
    while matches!(visit.step(&store), Ok(true)) {}
    assert_eq!((ids.map(|id| found(&store, &pins, id)), others.map(|id| found(&store, &pins, id))), ([80; 4], [80; 4]));
    let rows = store.files.get(key).unwrap().read("list blocks of", |db| db.all_many(Position(4))).unwrap();
    assert_eq!(rows.len(), 2, "the new file has what was sealed into it: {rows:?}");
}

#[test]
fn a_file_is_not_set_aside_while_somebody_reads_its_day() {
    let dir = tempfile::tempdir().unwrap();
    let (pins, info) = (Arc::new(Pins::default()), Arc::new(Info::default()));
    let store = open(dir.path(), Position(0), &pins, &info);
    seal(&store, &of(&[0, 3], FIRST, 40, 60 * SECOND), 1);
    let file = Arc::clone(&store.files.all()[0]);
    assert!(file.checkpoint().unwrap());
    drop(store);
    super::remade::spoil_index(&file.path, "blocks_metric");
    let store = open(dir.path(), Position(1), &pins, &info);
    let late = of(&[0, 3], FIRST + HOUR, 40, 60 * SECOND);
    let reading = store.layout.read();
    let (sealed, is_sealed) = std::sync::mpsc::sync_channel(1);
    std::thread::scope(|scope| {
        scope.spawn(|| sealed.send(store.seal(&late.handover(Position(2)))).unwrap());
        assert!(is_sealed.recv_timeout(Duration::from_millis(100)).is_err(), "a reader would find it neither here nor there");
        assert!(store.files.retired().is_empty());
        drop(reading);
        is_sealed.recv().unwrap().unwrap();
    });
    store.set_sealed(Position(2));
    assert_eq!((store.files.retired().len(), [0, 3].map(|series| found(&store, &pins, series))), (1, [80; 2]));
}

#[test]
fn a_file_that_cannot_be_set_aside_stays_where_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let (pins, info) = (Arc::new(Pins::default()), Arc::new(Info::default()));
    let store = open(dir.path(), Position(0), &pins, &info);
    seal(&store, &of(&[0], FIRST, 40, 60 * SECOND), 1);
    let key = store.files.all()[0].key;
    let in_its_way = files::with_suffix(&store.files.retired_path(key), "-wal");
    std::fs::create_dir(&in_its_way).unwrap();
    store.files.retire(key).unwrap_err();
    assert_eq!(found(&store, &pins, 0), 40, "its readings are still told");
    std::fs::remove_dir(&in_its_way).unwrap();
    store.files.retire(key).unwrap();
    assert_eq!(found(&store, &pins, 0), 40);
}
