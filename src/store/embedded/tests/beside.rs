//! What is answered while the store changes beside the reader.

use super::*;

/// Readings at times that no step describes, so that chunks share their column.
fn irregular(series: std::ops::Range<u32>, from: TimeNs) -> Given {
    let mut given = Given::default();
    for series in series {
        let mut block = Block::default();
        for i in 0..300_i64 {
            let time = from + i * 1_000_000_000 + i * i % 7919;
            drop(block.put(time, Value::Float(f64::from(series) + f64::from(u32::try_from(i).unwrap()).sin()), time));
        }
        given.columns.insert(SeriesId(series), vec![Arc::new(block)]);
    }
    given
}

#[test]
fn a_slow_answer_keeps_the_times_that_it_found_in_the_cache() {
    let dir = tempfile::tempdir().unwrap();
    let (pins, info) = (Arc::new(Pins::default()), Arc::new(Info::default()));
    let store = open(dir.path(), Position(0), &pins, &info);
    for hour in 0..3 {
        let up_to = Position(u64::try_from(hour).unwrap() + 1);
        store.seal(&irregular(0..150, 20_000 * DAY + hour * HOUR).handover(up_to)).unwrap();
        store.set_sealed(up_to);
    }
    drop(store);
    let store = open(dir.path(), Position(3), &pins, &info);
    let pin = pins.pin(Position(3));
    // Somebody asked for another series with these times.
    assert_eq!(points(&store, &pin, SeriesId(0), TimeRange::ALL, false).len(), 900);
    let (mut found, mut first) = (0, true);
    let mut sink = |block: &Block| {
        found += block.len();
        if std::mem::take(&mut first) {
            // Meanwhile others ask for more than the cache holds, and a merge replaces chunks and times.
            for series in 2..150 {
                points(&store, &pin, SeriesId(series), TimeRange::ALL, false);
            }
            while store.tend(20_003 * DAY, Duration::from_secs(1)).unwrap() {}
        }
        true
    };
    store.scan(&pin, SeriesId(1), TimeRange::ALL, &mut sink).unwrap();
    assert_eq!((found, store.damages()), (900, vec![]));
}

#[test]
fn a_count_waits_while_a_series_moves_between_files() {
    let dir = tempfile::tempdir().unwrap();
    let (pins, info) = (Arc::new(Pins::default()), Arc::new(Info::default()));
    let store = open(dir.path(), Position(0), &pins, &info);
    store.seal(&broken::given(0..1, 20_000 * DAY, 3000).handover(Position(1))).unwrap();
    store.set_sealed(Position(1));
    let (pin, file) = (pins.pin(Position(1)), store.files.all().remove(0));
    // In the middle of a move there is nothing of the series where the reader looks.
    let rename = |from: u32, to: u32| {
        file.write("rename series in", |db| db.execute("UPDATE chunks SET series = ?2 WHERE series = ?1", [from, to]).map(drop)).unwrap();
    };
    let moving = store.layout.write();
    rename(0, 77);
    let (told, count) = std::sync::mpsc::sync_channel(1);
    std::thread::scope(|scope| {
        scope.spawn(|| told.send(store.count(&pin, SeriesId(0), TimeRange::ALL).unwrap()).unwrap());
        assert!(count.recv_timeout(Duration::from_millis(100)).is_err(), "it counts what is not there");
        rename(77, 0);
        drop(moving);
        assert_eq!(count.recv().unwrap(), 3000);
    });
}
