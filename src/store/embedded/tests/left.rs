//! A damaged block leaves rows beside it unmerged: no reading is lost by that, and none is summed up twice or left out.

use super::*;

const FIRST: TimeNs = 20_000 * DAY;
pub(super) const SECOND: i64 = 1_000_000_000;

pub(super) fn seal(store: &EmbeddedStore, given: &Given, up_to: u64) {
    store.seal(&given.handover(Position(up_to))).unwrap();
    store.set_sealed(Position(up_to));
}

pub(super) fn of(ids: &[u32], from: TimeNs, points: i64, step: i64) -> Given {
    let mut given = Given::default();
    for id in ids {
        let mut block = Block::default();
        for i in 0..points {
            drop(block.put(from + i * step, Value::Int(i % 100), from + i * step));
        }
        given.columns.insert(SeriesId(*id), vec![Arc::new(block)]);
    }
    given
}

/// Works until there is nothing to do, which must come.
pub(super) fn tend(store: &EmbeddedStore, now: TimeNs) {
    let ends = (0..10_000).any(|_| !store.tend(now, Duration::from_secs(1)).unwrap());
    assert!(ends, "what cannot be done is not tried over and over");
}

/// A day that is old by its age goes by the second look that finds it so.
pub(super) fn grow_old(store: &EmbeddedStore, now: TimeNs) {
    for _ in 0..2 {
        store.tending.lock().look_again();
        tend(store, now);
    }
}

/// Readings in buckets of an hour: in summaries, and as points.
pub(super) fn coarse(store: &EmbeddedStore, pins: &Arc<Pins>, series: u32) -> (u64, u64) {
    let (mut summed, mut points) = (0, 0);
    let mut sink = |piece: Piece<'_>| {
        match piece {
            Piece::Points(block) => points += block.len() as u64,
            Piece::Summary { summary, .. } => summed += summary.count,
            Piece::Totals(totals) => summed += totals.count,
        }
        true
    };
    store
        .scan_coarse(
            &pins.pin(store.sealed()),
            SeriesId(series),
            TimeRange::ALL,
            Coarse::Buckets { grid: &Grid::Fixed(HOUR), aggs: &AGGS },
            &mut sink,
        )
        .unwrap();
    (summed, points)
}

fn count(store: &EmbeddedStore, pins: &Arc<Pins>, series: u32) -> u64 {
    store.count(&pins.pin(store.sealed()), SeriesId(series), TimeRange::ALL).unwrap()
}

fn spoil_blocks(store: &EmbeddedStore, which: &str) {
    let spoilt = store.files.all()[0].write("damage", |db| db.execute(&format!("UPDATE blocks SET body = x'00' WHERE {which}"), []));
    assert_eq!(spoilt.unwrap(), 1);
}

/// Readings go, by their age; summaries stay.
fn four_days() -> RetentionRule {
    let days = |days: u64| Duration::from_secs(days * 86_400);
    let (select, text) = (Selector::parse("a/*").unwrap(), "a/*".to_owned());
    RetentionRule { select, text, keep: Some(days(4)), keep_rollups: Some(days(400)), priority: 0 }
}

fn expire(store: &EmbeddedStore) {
    grow_old(store, FIRST + 6 * DAY);
    assert!(store.files.all().iter().all(|file| file.key.kind == FileKind::Rollup), "the readings have gone");
}

#[test]
fn a_block_that_begins_in_a_slice_left_for_damage_keeps_its_readings() {
    let dir = tempfile::tempdir().unwrap();
    let (pins, info) = (Arc::new(Pins::default()), Arc::new(Info::default()));
    let store = open(dir.path(), Position(0), &pins, &info);
    let ids = |range: std::ops::Range<u32>| range.map(|i| i * 3).collect::<Vec<_>>();
    // More points than one slice takes, then a block across its end and a damaged one at its beginning.
    for hour in 0..10 {
        seal(&store, &of(&ids(0..320), FIRST + hour * HOUR, 200, 10 * SECOND), u64::try_from(hour).unwrap() + 1);
    }
    seal(&store, &of(&ids(310..500), FIRST + 12 * HOUR, 100, 10 * SECOND), 11);
    seal(&store, &of(&ids(490..800), FIRST + 13 * HOUR, 100, 10 * SECOND), 12);
    seal(&store, &of(&ids(600..800), FIRST + 14 * HOUR, 100, 10 * SECOND), 13);
    seal(&store, &of(&[0], FIRST + 15 * HOUR, 100, 10 * SECOND), 14);
    spoil_blocks(&store, "lo = 0 AND hi = 0");
    let asked = [305, 310, 315, 319, 330, 489, 495, 499, 500, 799].map(|i| i * 3);
    let before = asked.map(|series| count(&store, &pins, series));
    tend(&store, 20_003 * DAY);
    assert_eq!(asked.map(|series| count(&store, &pins, series)), before);
    for (series, readings) in asked.iter().zip(before) {
        let (summed, points) = coarse(&store, &pins, *series);
        assert_eq!(summed + points, readings, "series {series}: {summed} in summaries, {points} points");
    }
    let blocks = store.files.all()[0].read("list blocks of", |db| db.many(0, SeriesId(700 * 3), TimeRange::ALL, Position(14))).unwrap();
    assert_eq!(blocks.len(), 1, "what lies behind the slice is merged");
}

/// Four blocks with the same series, and a damaged one behind them in their slice; the day is over.
fn four_blocks(data: &Path) -> (EmbeddedStore, Arc<Pins>) {
    let (pins, info) = (Arc::new(Pins::default()), Arc::new(Info(AtomicU64::new(u64::MAX))));
    let store = open_with(data, (Position(0), FIRST), &pins, &info, &[four_days()], 0);
    for hour in 0..4 {
        let up_to = u64::try_from(hour).unwrap() + 1;
        seal(&store, &of(&[0, 3, 6, 9], FIRST + hour * HOUR, 60, 60 * SECOND), up_to);
    }
    seal(&store, &of(&[12], FIRST, 60, 60 * SECOND), 5);
    spoil_blocks(&store, "lo = 12");
    tend(&store, FIRST + 2 * DAY);
    (store, pins)
}

#[test]
fn blocks_left_unmerged_are_summed_up_together() {
    let dir = tempfile::tempdir().unwrap();
    let (store, pins) = four_blocks(dir.path());
    let all = || [0, 3, 6, 9, 12].map(|series| coarse(&store, &pins, series));
    assert_eq!(all(), [(240, 0), (240, 0), (240, 0), (240, 0), (0, 0)]);
    // What comes late is not merged either.
    seal(&store, &of(&[3], FIRST + 10 * HOUR, 60, 60 * SECOND), 6);
    tend(&store, FIRST + 2 * DAY);
    assert_eq!(all()[1], (300, 0));
    assert_eq!([0, 3, 6, 9].map(|series| count(&store, &pins, series)), [240, 300, 240, 240]);
    expire(&store);
    assert_eq!(all(), [(240, 0), (300, 0), (240, 0), (240, 0), (0, 0)]);
}

#[test]
fn a_series_with_own_chunks_beside_blocks_left_unmerged_is_summed_up_once() {
    let dir = tempfile::tempdir().unwrap();
    let (store, pins) = four_blocks(dir.path());
    seal(&store, &of(&[6], FIRST + 12 * HOUR, 300, 10 * SECOND), 6);
    tend(&store, FIRST + 2 * DAY);
    let all = || [0, 3, 6, 9].map(|series| coarse(&store, &pins, series).0);
    assert_eq!((all()[2], count(&store, &pins, 6)), (540, 540));
    expire(&store);
    assert_eq!(all(), [240, 240, 540, 240]);
}

#[test]
fn with_too_much_beside_it_readings_answer_for_a_block() {
    let dir = tempfile::tempdir().unwrap();
    let (pins, info) = (Arc::new(Pins::default()), Arc::new(Info::default()));
    let store = open(dir.path(), Position(0), &pins, &info);
    seal(&store, &of(&[0, 6], FIRST + 3 * HOUR, 60, 60 * SECOND), 1);
    for hour in 0..2 {
        seal(&store, &of(&[0, 3], FIRST + hour * HOUR, 60, 60 * SECOND), u64::try_from(hour).unwrap() + 2);
    }
    seal(&store, &of(&[9], FIRST, 60, 60 * SECOND), 4);
    spoil_blocks(&store, "hi = 6");
    store.files.all()[0].write("say more of", |db| db.execute("UPDATE blocks SET count = 5000000 WHERE hi = 6", [])).unwrap();
    tend(&store, 20_003 * DAY);
    assert_eq!([0, 3, 9].map(|series| coarse(&store, &pins, series)), [(0, 120), (0, 120), (60, 0)]);
}

#[test]
fn a_delete_that_waits_for_damage_holds_in_summaries() {
    let dir = tempfile::tempdir().unwrap();
    let (pins, info) = (Arc::new(Pins::default()), Arc::new(Info(AtomicU64::new(u64::MAX))));
    let store = open_with(dir.path(), (Position(0), FIRST), &pins, &info, &[four_days()], 0);
    seal(&store, &of(&[0, 3], FIRST, 60, 60 * SECOND), 1);
    let delete = Delete { series: SeriesId(3), from: FIRST, to: FIRST + HOUR / 2 - 1 };
    let deletes = vec![PositionedDelete { position: Position(2), delete }];
    seal(&store, &Given { deletes, ..of(&[0, 3], FIRST + HOUR, 60, 60 * SECOND) }, 3);
    seal(&store, &of(&[12], FIRST, 60, 60 * SECOND), 4);
    spoil_blocks(&store, "lo = 12");
    tend(&store, FIRST + 2 * DAY);
    let both = |series: u32| {
        let (summed, points) = coarse(&store, &pins, series);
        summed + points
    };
    assert_eq!([0, 3].map(both), [120, 90]);
    expire(&store);
    assert_eq!([0, 3].map(both), [120, 90]);
}
