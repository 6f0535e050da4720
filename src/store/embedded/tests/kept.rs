//! What rollups tell of readings that are gone is kept while others of the day are deleted, merged or come anew.

use super::broken::given;
use super::left::{SECOND, coarse, of, seal, tend};
use super::*;

const FIRST: TimeNs = 20_000 * DAY;
const NOW: TimeNs = 20_010 * DAY + 12 * HOUR;

fn erase(store: &EmbeddedStore, series: u32, (from, to): (i64, i64), up_to: u64) {
    let delete = Delete { series: SeriesId(series), from: FIRST + from, to: FIRST + to - 1 };
    let deletes = vec![PositionedDelete { position: Position(up_to - 1), delete }];
    store.seal(&Given { columns: BTreeMap::new(), deletes }.handover(Position(up_to))).unwrap();
    store.set_sealed(Position(up_to));
}

/// What a look of the store leads to.
fn work(store: &EmbeddedStore) {
    store.tending.lock().look_again();
    tend(store, NOW);
}

fn raw_key(store: &EmbeddedStore) -> key::FileKey {
    store.files.all().iter().find(|file| file.key.kind == FileKind::Raw).unwrap().key
}

/// Readings of a series by hours, in summaries and as points together.
fn hours(store: &EmbeddedStore, pins: &Arc<Pins>, series: u32) -> BTreeMap<i64, u64> {
    let mut hours = BTreeMap::new();
    let mut sink = |piece: Piece<'_>| {
        match piece {
            Piece::Points(block) => block.times().iter().for_each(|time| *hours.entry((time - FIRST) / HOUR).or_default() += 1),
            Piece::Summary { summary, .. } => *hours.entry((summary.start - FIRST) / HOUR).or_default() += summary.count,
            Piece::Totals(_) => {}
        }
        true
    };
    let grid = Grid::Fixed(HOUR);
    let coarse = Coarse::Buckets { grid: &grid, aggs: &AGGS };
    store.scan_coarse(&pins.pin(store.sealed()), SeriesId(series), TimeRange::ALL, coarse, &mut sink).unwrap();
    hours
}

/// A day of eight series at 1 Hz, summed up, that lost its oldest readings as it would for bytes: what a disk takes and how long a look
/// lasts is not the same each time. In which hour its readings begin.
fn shortened(data: &Path) -> (EmbeddedStore, Arc<Pins>, i64) {
    shortened_of(data, &Arc::new(Info::default()))
}

fn shortened_of(data: &Path, info: &Arc<Info>) -> (EmbeddedStore, Arc<Pins>, i64) {
    let pins = Arc::new(Pins::default());
    let mut store = open(data, Position(0), &pins, info);
    seal(&store, &given(0..8, FIRST + 20 * 60 * SECOND, 50_400), 1);
    tend(&store, NOW);
    store.piece_bytes = store.files.bytes() / 32;
    let raw = store.files.get(raw_key(&store)).unwrap();
    let begin = || points(&store, &pins.pin(Position(1)), SeriesId(0), TimeRange::ALL, false)[0].0 - FIRST;
    // The oldest chunk of each of them at once: they end at the same time.
    while begin() <= 3 * HOUR {
        assert!(store.drop_oldest(&raw, 1, key::day_of(NOW)).unwrap());
    }
    let begin = begin();
    assert!(begin < 12 * HOUR && begin % HOUR != 0, "{begin}");
    (store, pins, begin / HOUR)
}

#[test]
fn a_delete_leaves_rollups_of_what_a_day_lost() {
    let dir = tempfile::tempdir().unwrap();
    let (store, pins, begin) = shortened(dir.path());
    let whole = hours(&store, &pins, 0);
    assert_eq!((whole.len(), whole.values().sum::<u64>()), (15, 50_400));
    let without = |gone: &[i64]| whole.iter().filter(|(hour, _)| !gone.contains(hour)).map(|(h, n)| (*h, *n)).collect::<BTreeMap<_, _>>();
    // Among what is gone, among what is there, and of both.
    erase(&store, 0, (HOUR, 2 * HOUR), 3);
    erase(&store, 3, (12 * HOUR, 13 * HOUR), 5);
    erase(&store, 6, (HOUR, 13 * HOUR), 7);
    work(&store);
    let expected = [without(&[1]), without(&[12]), without(&(1..13).collect::<Vec<_>>()), whole.clone()];
    assert_eq!([0, 3, 6, 1].map(|series| hours(&store, &pins, series)), expected);
    assert_eq!(store.tombs.up_to(Position(100)), [], "the deletes have nothing left to hide");
    // Once more, beside what was kept then.
    erase(&store, 3, ((begin - 2) * HOUR, (begin - 1) * HOUR), 9);
    work(&store);
    let expected = [without(&[1]), without(&[begin - 2, 12]), without(&(1..13).collect::<Vec<_>>()), whole.clone()];
    let all = |store: &EmbeddedStore| [0, 3, 6, 1].map(|series| hours(store, &pins, series));
    assert_eq!(all(&store), expected);
    let info = Arc::new(Info::default());
    drop(store);
    let store = open_with(dir.path(), (Position(9), NOW), &pins, &info, &[], 0);
    assert_eq!(all(&store), expected, "after a start");
    store.files.unlink(raw_key(&store)).unwrap();
    assert_eq!(all(&store), expected, "when all readings are gone");
    erase(&store, 3, (0, HOUR), 11);
    tend(&store, NOW);
    assert_eq!(hours(&store, &pins, 3), without(&[0, begin - 2, 12]));
}

/// The hour in which a day was cut is told whole by the class that lost its first part, and in part by those that lost the rest.
#[test]
fn an_hour_that_went_from_one_class_after_another_is_told_by_the_first() {
    let dir = tempfile::tempdir().unwrap();
    let info = Arc::new(Info(AtomicU64::new(u64::MAX)));
    let (store, pins, begin) = shortened_of(dir.path(), &info);
    let whole = hours(&store, &pins, 0);
    let shown = |what: &str| assert_eq!(hours(&store, &pins, 0), whole, "{what}: cut in hour {begin}");
    let move_to = |rules: u64| {
        info.0.store(rules, Ordering::Relaxed);
        store.files.get(raw_key(&store)).unwrap().news().found(store.sealed());
        work(&store);
    };
    move_to(0);
    shown("moved");
    let raw = store.files.get(raw_key(&store)).unwrap();
    assert_eq!(raw.key.class, key::ClassId(0));
    let first = || points(&store, &pins.pin(Position(1)), SeriesId(0), TimeRange::ALL, false)[0].0 - FIRST;
    while first() <= (begin + 3) * HOUR {
        assert!(store.drop_oldest(&raw, 1, key::day_of(NOW)).unwrap());
        shown("cut once more");
    }
    move_to(u64::MAX);
    shown("moved back");
    let raw = raw_key(&store);
    assert_eq!(raw.class, key::ClassId(1));
    store.drop_until(raw, raw.last_time() + 1).unwrap();
    store.unlink(raw).unwrap();
    shown("all gone");
}

/// Slow series of one metric, the middle ones left out; the day expired.
fn expired(data: &Path) -> (EmbeddedStore, Arc<Pins>) {
    let (pins, info) = (Arc::new(Pins::default()), Arc::new(Info::default()));
    let store = open(data, Position(0), &pins, &info);
    let mut given = of(&[0, 3, 6, 9], FIRST, 180, 60 * SECOND);
    given.columns.extend(of(&[12], FIRST, 1800, 6 * SECOND).columns);
    seal(&store, &given, 1);
    tend(&store, NOW);
    let raw = raw_key(&store);
    store.drop_until(raw, raw.last_time() + 1).unwrap();
    store.files.unlink(raw).unwrap();
    (store, pins)
}

#[test]
fn a_block_that_comes_late_hides_no_rollups_of_series_that_are_not_in_it() {
    let dir = tempfile::tempdir().unwrap();
    let (store, pins) = expired(dir.path());
    seal(&store, &of(&[0, 15], FIRST, 10, SECOND), 2);
    let all = || [3, 6, 9, 12].map(|series| coarse(&store, &pins, series));
    assert_eq!(all(), [(180, 0), (180, 0), (180, 0), (1800, 0)], "before it is merged");
    tend(&store, NOW);
    assert_eq!(all(), [(180, 0), (180, 0), (180, 0), (1800, 0)], "after");
}

#[test]
fn what_comes_late_for_a_series_stands_beside_what_is_left_of_it() {
    let dir = tempfile::tempdir().unwrap();
    let (store, pins) = expired(dir.path());
    // Within what is gone, and after it.
    seal(&store, &of(&[3], FIRST + HOUR + SECOND / 2, 40, SECOND), 2);
    seal(&store, &of(&[3], FIRST + 5 * HOUR, 40, SECOND), 3);
    seal(&store, &of(&[12], FIRST + 5 * HOUR, 300, SECOND), 4);
    let counts = |store: &EmbeddedStore| [3, 12].map(|series| hours(store, &pins, series).into_values().collect::<Vec<_>>());
    let expected = [vec![60, 60, 60, 40], vec![600, 600, 600, 300]];
    assert_eq!(counts(&store), expected);
    tend(&store, NOW);
    assert_eq!(counts(&store), expected);
    store.files.unlink(raw_key(&store)).unwrap();
    assert_eq!(counts(&store), expected, "when that is gone, too");
}

#[test]
fn what_a_day_lost_is_still_told_when_more_comes_for_it() {
    let dir = tempfile::tempdir().unwrap();
    let (store, pins, begin) = shortened(dir.path());
    let whole = hours(&store, &pins, 0);
    let with_late = || whole.iter().map(|(hour, count)| (*hour, *count)).chain([(16, 300)]).collect::<BTreeMap<_, _>>();
    // A chunk of its own behind the others, and a few readings in front of all that is left.
    seal(&store, &of(&[0], FIRST + 16 * HOUR, 300, SECOND), 3);
    assert_eq!(hours(&store, &pins, 0), with_late(), "before it is summed up");
    seal(&store, &of(&[1], FIRST + HOUR + SECOND / 2, 2, SECOND), 4);
    assert_eq!(hours(&store, &pins, 1), whole, "a bucket of readings that are gone stays as it was");
    tend(&store, NOW);
    assert_eq!(hours(&store, &pins, 0), with_late(), "after");
    assert_eq!(hours(&store, &pins, 1), whole);
    assert!(begin > 2);
}

/// The hours of a series that are kept apart, once for each row that tells of them.
fn kept_hours(store: &EmbeddedStore, series: SeriesId) -> Vec<i64> {
    let file = store.files.all().iter().find(|file| file.key.kind == FileKind::Rollup).cloned().unwrap();
    let metric = store.info.metric(series);
    let bodies = file.read("read rollups of", |db| db.marked_rollups(metric, (series, series), 3600, 0)).unwrap();
    let rolled = bodies.iter().flat_map(|(body, numbers)| rollup::body::decode(body, *numbers).unwrap());
    rolled.filter(|(id, _)| *id == series).flat_map(|(_, summaries)| summaries).map(|summary| (summary.start - FIRST) / HOUR).collect()
}

#[test]
fn what_was_kept_says_more_than_what_was_summed_up_of_the_rest() {
    let dir = tempfile::tempdir().unwrap();
    let (store, pins, begin) = shortened(dir.path());
    let whole = hours(&store, &pins, 0);
    // The hour in which the readings begin is kept as it was, and summed up of what is left of it.
    erase(&store, 3, (12 * HOUR, 13 * HOUR), 3);
    work(&store);
    // Then the rest of it goes.
    let raw = store.files.get(raw_key(&store)).unwrap();
    while points(&store, &pins.pin(Position(3)), SeriesId(3), TimeRange::ALL, false)[0].0 < FIRST + (begin + 1) * HOUR {
        assert!(store.drop_oldest(&raw, 1, key::day_of(NOW)).unwrap());
    }
    erase(&store, 3, (13 * HOUR, 14 * HOUR), 5);
    work(&store);
    assert_eq!(kept_hours(&store, SeriesId(3)), (0..=begin + 1).collect::<Vec<_>>(), "each once");
    let without: BTreeMap<_, _> = whole.iter().map(|(hour, count)| (*hour, *count)).filter(|(hour, _)| ![12, 13].contains(hour)).collect();
    assert_eq!([3, 4].map(|series| hours(&store, &pins, series)), [without, whole]);
}
