//! A day that is over and merged keeps no pages for more.

use super::*;

const SERIES: u32 = 100;
const SEALS: u64 = 24;
const POINTS: i64 = 360;

/// Few points of many series: merged they take less room.
fn an_hour(hour: u64) -> Given {
    let mut given = Given::default();
    let from = 20_000 * DAY + i64::try_from(hour).unwrap() * HOUR;
    for series in 0..SERIES {
        let mut block = Block::default();
        for i in 0..POINTS {
            let time = from + i * 10_000_000_000;
            drop(block.put(time, Value::Int(i * i % 7 + i64::from(series)), time));
        }
        given.columns.insert(SeriesId(series), vec![Arc::new(block)]);
    }
    given
}

#[test]
fn pages_that_a_merge_frees_go_back_to_the_disk() {
    let dir = tempfile::tempdir().unwrap();
    let (pins, info) = (Arc::new(Pins::default()), Arc::new(Info::default()));
    let store = open(dir.path(), Position(0), &pins, &info);
    for up_to in 1..=SEALS {
        store.seal(&an_hour(up_to - 1).handover(Position(up_to))).unwrap();
        store.set_sealed(Position(up_to));
    }
    let path = dir.path().join("store/2024-10-04.raw.0.sqlite");
    while store.tend(20_000 * DAY + HOUR, Duration::from_secs(1)).unwrap() {}
    let before = std::fs::metadata(&path).unwrap().len();
    while store.tend(20_003 * DAY, Duration::from_secs(1)).unwrap() {}
    let after = std::fs::metadata(&path).unwrap().len();
    let db = rusqlite::Connection::open(&path).unwrap();
    let [all, free] = ["page_count", "freelist_count"].map(|of| db.pragma_query_value(None, of, |row| row.get::<_, i64>(0)).unwrap());
    assert!(all > 10 && free * 32 < all, "{free} of {all} pages are free");
    assert!(after < before * 9 / 10, "{after} bytes, from {before}");
    assert_eq!(store.count(&pins.pin(Position(SEALS)), SeriesId(7), TimeRange::ALL).unwrap(), SEALS * POINTS.cast_unsigned());
}
