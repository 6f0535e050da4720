//! Where retention begins by age: known from the start on, whatever the clock says.

use super::*;

fn rule() -> RetentionRule {
    let (select, text, keep) = (Selector::parse("a/*").unwrap(), "a/*".to_owned(), Duration::from_secs(3 * 86_400));
    RetentionRule { select, text, keep: Some(keep), keep_rollups: None, priority: 1 }
}

/// The last seal, the clock, where retention begins, and the time that is believed, in days.
#[test]
fn what_is_too_old_is_known_before_the_first_look() {
    for (sealed_at, now, floor, believed) in [
        (0, 20_100, 20_097, 20_100),
        (20_099, 20_100, 20_097, 20_100),
        // The clock jumped, or the hub was off for long: nothing is older than at the last seal.
        (20_050, 20_100, 20_047, 20_050),
        (20_100, 20_095, 20_092, 20_095),
        // Which of both is wrong is not known: nothing is too old by either, and a seal goes on from the last.
        (20_100, 20_050, 20_047, 20_100),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let (pins, info) = (Arc::new(Pins::default()), Arc::new(Info::default()));
        let store = open_at(dir.path(), (Position(0), sealed_at * DAY, now * DAY), &pins, &info, &[rule()], 0);
        let known = || (store.floors.of(RuleId(1)).unwrap() / DAY, store.believed(now * DAY) / DAY);
        assert_eq!(known(), (floor, believed), "{sealed_at} {now}");
        while store.tend(now * DAY, Duration::from_secs(1)).unwrap() {}
        assert_eq!(known(), (floor, believed), "{sealed_at} {now}, after a look");
        assert_eq!(store.floors.of(RuleId(0)), None, "no rule, no floor");
    }
}

#[test]
fn a_clock_that_jumps_while_it_runs_is_not_what_a_seal_says() {
    let dir = tempfile::tempdir().unwrap();
    let (pins, info) = (Arc::new(Pins::default()), Arc::new(Info::default()));
    let store = open_at(dir.path(), (Position(0), 20_000 * DAY, 20_000 * DAY), &pins, &info, &[rule()], 0);
    for (now, believed) in [(20_001, 20_001), (46_000, 20_001), (46_000, 20_001), (20_001, 20_001)] {
        store.tending.lock().look_again();
        while store.tend(now * DAY, Duration::from_secs(1)).unwrap() {}
        assert_eq!(store.believed(now * DAY), believed * DAY, "{now}");
        assert_eq!(store.floors.of(RuleId(1)), Some((believed - 3) * DAY), "{now}");
    }
}

/// A backup, or work that fails, keeps the store from looking for minutes, and a seal may come before the next look in any case.
#[test]
fn a_clock_that_jumps_between_two_looks_is_not_what_a_seal_says() {
    let dir = tempfile::tempdir().unwrap();
    let (pins, info) = (Arc::new(Pins::default()), Arc::new(Info::default()));
    let store = open_at(dir.path(), (Position(0), 20_000 * DAY, 20_001 * DAY), &pins, &info, &[rule()], 0);
    store.while_still(&mut || assert_eq!(store.believed(46_000 * DAY), 20_001 * DAY));
}

#[test]
fn what_was_dropped_of_a_rule_that_is_gone_is_no_floor_of_others() {
    let dir = tempfile::tempdir().unwrap();
    let (pins, info) = (Arc::new(Pins::default()), Arc::new(Info(AtomicU64::new(u64::MAX))));
    let store = open_at(dir.path(), (Position(0), 0, 20_001 * DAY), &pins, &info, &[rule()], 0);
    left::seal(&store, &left::of(&[0], 20_000 * DAY, 300, left::SECOND), 1);
    let raw = store.files.all()[0].key;
    store.drop_until(raw, raw.last_time() + 1).unwrap();
    assert_eq!(store.floors.of(RuleId(1)), Some(20_001 * DAY));
    drop(store);
    info.0.store(0, Ordering::Relaxed);
    let store = open_at(dir.path(), (Position(1), 0, 20_001 * DAY), &pins, &info, &[], 0);
    assert_eq!(store.floors.of(RuleId(0)), None, "other series lost nothing, and what comes late for them is taken");
    assert!(rollup::may_have_lost(&store, raw), "but of its own it is known");
    store.drop_until(raw, raw.last_time() + 1).unwrap();
    assert_eq!(store.floors.of(RuleId(0)), None);
    drop(store);
    let store = open_at(dir.path(), (Position(1), 0, 20_001 * DAY), &pins, &info, &[rule()], 0);
    assert_eq!(store.floors.of(RuleId(1)), Some(20_001 * DAY), "the rule is there again");
}
