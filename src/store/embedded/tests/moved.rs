//! Series that change their class: their rollups follow.

use super::broken::given;
use super::*;

#[test]
fn what_moves_between_files_takes_no_old_rollup_for_whole() {
    let dir = tempfile::tempdir().unwrap();
    let (pins, info) = (Arc::new(Pins::default()), Arc::new(Info::default()));
    let oracle = MemoryStore::default();
    let store = open(dir.path(), Position(0), &pins, &info);
    let step = |rules: u64, series: u32, hour: i64, up_to: u64| {
        info.0.store(rules, Ordering::Relaxed);
        let given = given(series..series + 1, 20_000 * DAY + hour * HOUR, 3000);
        store.seal(&given.handover(Position(up_to))).unwrap();
        oracle.seal(&given.handover(Position(up_to))).unwrap();
        store.set_sealed(Position(up_to));
        while store.tend(20_003 * DAY, Duration::from_secs(1)).unwrap() {}
        let (pin, mut used) = (pins.pin(Position(up_to)), 0);
        let all = TimeRange { from: 20_000 * DAY, to: 20_001 * DAY };
        let ask = |store: &dyn Store, used: &mut usize| buckets(store, &pin, SeriesId(0), all, &Grid::Fixed(HOUR), used);
        let (found, expected) = (ask(&store, &mut used), ask(&oracle, &mut 0));
        assert!(are_alike(&found, &expected, false), "after {up_to}\n{found:?}\n{expected:?}");
        used
    };
    assert!(step(0, 0, 0, 1) > 0, "in the first class");
    step(1, 0, 2, 2);
    // The first class' file is visited for another series: the second one's gets all, under the seal that its rollups have.
    assert!(step(1, 8, 4, 3) > 0, "in the second class, made anew without waiting for more");
}
