//! Rows that are read one by one, for damage, beside a merge that moves them.

use std::sync::atomic::AtomicUsize;

use super::left::{SECOND, of, seal, tend};
use super::*;

const FIRST: TimeNs = 20_000 * DAY;
const SEALS: u64 = 30;

/// Chunks and blocks of one series in the same hours, so that a merge replaces them all by few.
fn scattered(store: &EmbeddedStore) -> Arc<dayfile::DayFile> {
    for at in 0..SEALS {
        let (points, step) = if at % 3 == 2 { (100, 180) } else { (300, 60) };
        seal(store, &of(&[0], FIRST + i64::try_from(at).unwrap() * SECOND, points, step * SECOND), at + 1);
    }
    Arc::clone(&store.files.all()[0])
}

#[test]
fn readings_that_a_merge_moves_meanwhile_are_neither_lost_nor_doubled() {
    let expected = SEALS / 3 * 700;
    for round in 0..5 {
        let dir = tempfile::tempdir().unwrap();
        let (pins, info) = (Arc::new(Pins::default()), Arc::new(Info::default()));
        let store = open(dir.path(), Position(0), &pins, &info);
        let file = scattered(&store);
        let salvaged = || {
            let (day, decoder) = (TimeRange::ALL, store.decoder());
            let mut parts = decoder.salvage(&file, (SeriesId(0), 0), day, Position(SEALS)).unwrap();
            decoder.lay(&mut parts, day, &tombs::Hides::default()).map_or(0, |block| block.len() as u64)
        };
        let (reads, over) = (AtomicUsize::new(0), AtomicBool::new(false));
        std::thread::scope(|scope| {
            let reader = scope.spawn(|| {
                let mut wrong = Vec::new();
                while !over.load(Ordering::SeqCst) {
                    wrong.extend(Some(salvaged()).filter(|found| *found != expected));
                    reads.fetch_add(1, Ordering::SeqCst);
                }
                wrong
            });
            while reads.load(Ordering::SeqCst) == 0 {
                std::thread::yield_now();
            }
            tend(&store, FIRST + 2 * DAY);
            over.store(true, Ordering::SeqCst);
            assert_eq!(reader.join().unwrap(), [0; 0], "round {round}: of {expected}");
        });
        let rows = file.read("list chunks of", |db| db.all_own(SeriesId(0), Position(SEALS), 1000)).unwrap().len();
        assert!(rows <= 4, "they were merged: {rows} are left");
        assert_eq!(salvaged(), expected);
    }
}
