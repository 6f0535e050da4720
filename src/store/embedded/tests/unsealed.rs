//! What came late for a day and is not sealed yet when the day is to go for its age.

use super::gone::{NOW, filled, rule, seen};
use super::left::{SECOND, grow_old, of, seal};
use super::*;

fn has_raw(store: &EmbeddedStore, day: i32) -> bool {
    store.files.all().iter().any(|file| (file.key.day, file.key.kind, file.key.class.0) == (day, FileKind::Raw, 1))
}

#[test]
fn a_day_goes_for_its_age_when_what_came_late_for_it_is_in_its_rollups() {
    let dir = tempfile::tempdir().unwrap();
    let (store, pins) = filled(dir.path(), &[rule(Some(4), Some(7), 0)], 0);
    // Acked, and in the head.
    store.set_committed(Position(11));
    assert_eq!(store.wants_sealed(), Position(0));
    (0..2).for_each(|_| grow_old(&store, NOW));
    assert!(has_raw(&store, 20_004), "it waits");
    assert_eq!(store.wants_sealed(), Position(11), "and asks");
    // Between readings that are summed up already.
    seal(&store, &of(&[1], 20_004 * DAY + 5 * SECOND, 2, SECOND), 11);
    grow_old(&store, NOW);
    assert!(!has_raw(&store, 20_004));
    let (_, readings, _) = seen(&store, &pins, 1);
    assert_eq!(readings, 7 * 8640 + 2, "both are summed up");
}

#[test]
fn a_day_that_waits_goes_too_when_nothing_came_for_it() {
    let dir = tempfile::tempdir().unwrap();
    let (store, pins) = filled(dir.path(), &[rule(Some(4), Some(7), 0)], 0);
    store.set_committed(Position(11));
    (0..2).for_each(|_| grow_old(&store, NOW));
    store.set_committed(Position(20));
    grow_old(&store, NOW);
    assert_eq!((has_raw(&store, 20_004), store.wants_sealed()), (true, Position(11)), "what came later is not for it");
    seal(&store, &of(&[2], 20_010 * DAY, 1, 1), 11);
    grow_old(&store, NOW);
    assert_eq!((has_raw(&store, 20_004), seen(&store, &pins, 1).1), (false, 7 * 8640));
}

#[test]
fn a_day_that_is_visited_while_it_waits_asks_for_no_other_seal() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _pins) = filled(dir.path(), &[rule(Some(4), Some(7), 0)], 0);
    while store.tend(NOW, Duration::from_secs(1)).unwrap() {}
    let mut expiry = expire::Expiry::new(Budget { data: dir.path().to_owned(), max_bytes: 0 }, &dir.path().join("store"));
    let mut look = |visited| {
        expiry.look_again();
        store.expire(&mut expiry, NOW, visited);
        (has_raw(&store, 20_004), expiry.wants_sealed().0)
    };
    store.set_committed(Position(11));
    assert_eq!([look(None), look(None)], [(true, 0), (true, 11)]);
    store.set_committed(Position(20));
    assert_eq!(look(Some(20_004)), (true, 11));
    assert_eq!(look(None), (true, 11), "what came later is not for it");
    seal(&store, &of(&[2], 20_010 * DAY, 1, 1), 11);
    assert_eq!(look(Some(20_004)), (true, 11), "it does not go while it is visited");
    assert_eq!(look(None), (false, 11));
}
