//! Readings that are gone beside such as came since: in another class, or after the floor moved back.

use super::gone::in_line;
use super::left::{SECOND, coarse, grow_old, of, seal, tend};
use super::*;

const FIRST: TimeNs = 20_000 * DAY;
const CLOSED: TimeNs = FIRST + 2 * DAY;
/// When readings of the first day are older than `rule(4)` keeps them.
const OLD: TimeNs = FIRST + 6 * DAY;

fn raw_keys(store: &EmbeddedStore) -> Vec<key::FileKey> {
    store.files.all().iter().map(|file| file.key).filter(|key| key.kind == FileKind::Raw).collect()
}

#[test]
fn what_comes_in_another_class_hides_no_rollups_of_what_is_gone() {
    let dir = tempfile::tempdir().unwrap();
    let (pins, info) = (Arc::new(Pins::default()), Arc::new(Info::default()));
    let store = open(dir.path(), Position(0), &pins, &info);
    seal(&store, &of(&[0, 3], FIRST, 180, 60 * SECOND), 1);
    tend(&store, CLOSED);
    let raw = raw_keys(&store)[0];
    store.drop_until(raw, raw.last_time() + 1).unwrap();
    store.files.unlink(raw).unwrap();
    info.0.store(1, Ordering::Relaxed);
    seal(&store, &of(&[0], FIRST + 5 * HOUR, 40, SECOND), 2);
    let both = || [0, 3].map(|series| coarse(&store, &pins, series));
    let lines = || [0, 3].map(|series| in_line(&store, &pins, series, TimeRange::ALL));
    assert_eq!(both(), [(180, 40), (180, 0)], "before it is merged");
    assert_eq!(lines(), [(180, 180, 40), (180, 180, 0)]);
    tend(&store, CLOSED);
    assert_eq!(both(), [(220, 0), (180, 0)], "after");
    assert_eq!(lines(), [(180, 180, 40), (180, 180, 0)]);
    raw_keys(&store).into_iter().for_each(|key| store.files.unlink(key).unwrap());
    assert_eq!(both(), [(220, 0), (180, 0)], "when that is gone as well");
    assert_eq!(lines(), [(220, 220, 0), (180, 180, 0)]);
}

#[test]
fn rollups_of_one_class_do_not_speak_for_readings_of_another() {
    let dir = tempfile::tempdir().unwrap();
    let (pins, info) = (Arc::new(Pins::default()), Arc::new(Info::default()));
    let store = open(dir.path(), Position(0), &pins, &info);
    seal(&store, &of(&[0, 3], FIRST, 180, 60 * SECOND), 1);
    tend(&store, CLOSED);
    // In the other class, among the readings of the first: nothing is gone, and nobody summed up both yet.
    info.0.store(1, Ordering::Relaxed);
    seal(&store, &of(&[0], FIRST + HOUR + SECOND / 2, 40, SECOND), 2);
    assert_eq!([0, 3].map(|series| coarse(&store, &pins, series)), [(0, 220), (180, 0)]);
}

fn rule(keep_days: u64) -> RetentionRule {
    let days = |days: u64| Duration::from_secs(days * 86_400);
    let (select, text) = (Selector::parse("a/*").unwrap(), "a/*".to_owned());
    RetentionRule { select, text, keep: Some(days(keep_days)), keep_rollups: Some(days(400)), priority: 0 }
}

#[test]
fn a_line_over_what_is_gone_has_no_hole_when_more_is_kept_from_now_on() {
    let dir = tempfile::tempdir().unwrap();
    let (pins, info) = (Arc::new(Pins::default()), Arc::new(Info(AtomicU64::new(u64::MAX))));
    let store = open_with(dir.path(), (Position(0), FIRST), &pins, &info, &[rule(4)], 0);
    seal(&store, &of(&[0, 3, 6], FIRST, 180, 60 * SECOND), 1);
    tend(&store, CLOSED);
    grow_old(&store, OLD);
    assert_eq!(raw_keys(&store), [], "the readings are gone");
    drop(store);
    let open = |sealed| open_with(dir.path(), (Position(sealed), OLD), &pins, &info, &[rule(400)], 0);
    let store = open(1);
    seal(&store, &of(&[0], FIRST + 5 * HOUR, 40, SECOND), 2);
    let lines = |store: &EmbeddedStore| [0, 3, 6].map(|series| in_line(store, &pins, series, TimeRange::ALL));
    let expected = [(180, 180, 40), (180, 180, 0), (180, 180, 0)];
    assert_eq!(lines(&store), expected, "before it is merged");
    tend(&store, OLD);
    assert_eq!(lines(&store), expected, "after");
    drop(store);
    let store = open(2);
    assert_eq!(lines(&store), expected, "after a start");
    assert_eq!(raw_keys(&store).len(), 1);
    // A delete takes its own out of it alone.
    let delete = Delete { series: SeriesId(0), from: FIRST, to: FIRST + HOUR - 1 };
    let deletes = vec![PositionedDelete { position: Position(3), delete }];
    seal(&store, &Given { columns: BTreeMap::new(), deletes }, 4);
    tend(&store, OLD);
    assert_eq!(lines(&store), [(120, 120, 40), (180, 180, 0), (180, 180, 0)]);
}
