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

/// Readings in buckets of an hour: in summaries, and as points.
pub(super) fn coarse(store: &EmbeddedStore, pins: &Arc<Pins>, series: u32) -> (u64, u64) {
    let (mut summed, mut points) = (0, 0);
    let mut sink = |piece: Piece<'_>| {
        match piece {
            Piece::Points(block) => points += block.len() as u64,
            Piece::Summary { summary, .. } => summed += summary.count,
        }
        true
    };
    store.scan_coarse(&pins.pin(store.sealed()), SeriesId(series), TimeRange::ALL, Coarse::Buckets(Some(HOUR)), &mut sink).unwrap();
    (summed, points)
}

fn count(store: &EmbeddedStore, pins: &Arc<Pins>, series: u32) -> u64 {
    store.count(&pins.pin(store.sealed()), SeriesId(series), TimeRange::ALL).unwrap()
}

fn spoil_blocks(store: &EmbeddedStore, which: &str) {
    let spoilt = store.files.all()[0].write("damage", |db| db.execute(&format!("UPDATE blocks SET body = x'00' WHERE {which}"), []));
    assert_eq!(spoilt.unwrap(), 1);
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
    let blocks = store.files.all()[0].read("list blocks of", |db| db.many(0, SeriesId(700 * 3), TimeRange::ALL, Position(14))).unwrap();
    assert_eq!(blocks.len(), 1, "what lies behind the slice is merged");
}
