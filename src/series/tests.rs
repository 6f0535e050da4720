use std::sync::mpsc::sync_channel;
use std::time::Duration;

use super::*;
use crate::model::Labels;

fn key(device: &str) -> KeyRef<'_> {
    KeyRef { device, metric: "m", labels: &[] }
}

#[test]
fn limits_spare_existing_series() {
    let table = SeriesTable::new(2, 3);
    let a = table.resolve(key("a"), TokenId(1)).unwrap();
    table.resolve(key("b"), TokenId(1)).unwrap();
    assert_eq!(table.resolve(key("c"), TokenId(1)).unwrap_err(), SeriesLimit::Token { max: 2 });
    assert_eq!(table.resolve(key("a"), TokenId(1)).unwrap().id, a.id);
    table.resolve(key("c"), TokenId(2)).unwrap();
    assert_eq!(table.resolve(key("d"), TokenId(3)).unwrap_err(), SeriesLimit::Hub { max: 3 });
}

#[test]
fn a_series_is_listed_once_it_has_a_stored_reading() {
    let table = SeriesTable::new(10, 10);
    let a = table.resolve(key("a"), TokenId(1)).unwrap();
    assert!(table.select(|_| true).is_empty());
    table.list(a.id, 5);
    table.list(a.id, 6);
    assert_eq!((table.len(), table.select(|_| true).len(), a.created()), (1, 1, Some(5)));
}

#[test]
fn the_first_reading_fixes_the_type() {
    let table = SeriesTable::new(10, 10);
    let a = table.resolve(key("a"), TokenId(1)).unwrap();
    assert_eq!(a.fix_type(ValueType::Bool), ValueType::Bool);
    assert_eq!(a.fix_type(ValueType::Text), ValueType::Bool);
}

fn def(id: u32, device: &str, owner: u32) -> SeriesDef {
    let key = SeriesKey { device: device.into(), metric: "m".into(), labels: Labels::default() };
    SeriesDef { id: SeriesId(id), key, value_type: ValueType::Bool, owner: TokenId(owner) }
}

fn sealed(id: u32, device: &str, meta: (Option<&str>, Option<Kind>, Option<TimeNs>)) -> SealedSeries {
    let (unit, kind, changed) = meta;
    SealedSeries { def: def(id, device, 1), meta: SeriesMeta { unit: unit.map(Arc::from), kind, changed }, created: 3 }
}

#[test]
fn the_log_may_tell_again_what_the_catalog_has() {
    let table = SeriesTable::new(2, 2);
    let a = table.restore_sealed(&sealed(0, "a", (Some("bar"), Some(Kind::Counter), Some(7))));
    let again = table.restore(&def(0, "a", 1), 9);
    assert!(Arc::ptr_eq(&a, &again) && Arc::ptr_eq(&a, &table.by_id(a.id).unwrap()));
    assert_eq!((a.meta().unit.as_deref(), a.kind(), a.created()), (Some("bar"), Kind::Counter, Some(3)));
    assert_eq!((table.len(), table.select(|_| true).len()), (1, 1));
    table.resolve(key("b"), TokenId(1)).unwrap();
    assert_eq!(table.resolve(key("c"), TokenId(1)).unwrap_err(), SeriesLimit::Hub { max: 2 }, "counted once");
}

#[test]
fn the_newer_unit_and_kind_stand_whichever_comes_first() {
    let (bar, psi) = ((Some("bar"), None, Some(5)), (Some("psi"), Some(Kind::Gauge), Some(6)));
    let nothing = (None, None, None);
    for (first, second, unit, kind, changed) in [
        (bar, psi, Some("psi"), Some(Kind::Gauge), Some(6)),
        (psi, bar, Some("psi"), Some(Kind::Gauge), Some(6)),
        (bar, nothing, Some("bar"), None, Some(5)),
        (nothing, bar, Some("bar"), None, Some(5)),
        (psi, (Some("kPa"), None, Some(8)), Some("kPa"), Some(Kind::Gauge), Some(8)),
        (nothing, nothing, None, None, None),
    ] {
        let table = SeriesTable::new(9, 9);
        let a = table.restore_sealed(&sealed(0, "a", first));
        assert!(Arc::ptr_eq(&a, &table.restore_sealed(&sealed(0, "a", second))));
        assert_eq!(a.meta(), SeriesMeta { unit: unit.map(Arc::from), kind, changed }, "{first:?} {second:?}");
    }
}

#[test]
fn what_was_resolved_before_it_is_restored_stays_the_same_series() {
    let table = SeriesTable::new(9, 9);
    let a = table.resolve(key("a"), TokenId(1)).unwrap();
    assert_eq!((a.created(), a.to_sealed()), (None, None));
    assert!(Arc::ptr_eq(&a, &table.restore(&def(0, "a", 1), 4)));
    assert_eq!((a.is_listed(), a.value_type(), a.created(), table.len()), (true, Some(ValueType::Bool), Some(4), 1));
    assert_eq!(a.to_sealed().unwrap().def, def(0, "a", 1));
}

#[test]
fn an_id_is_not_given_again() {
    // Ids that the table was told of, the reserve, and the next id.
    for (ids, next, given) in [(&[][..], 0, 0), (&[], 5, 5), (&[2], 0, 3), (&[2], 3, 3), (&[2], 7, 7), (&[9], 7, 10)] {
        let table = SeriesTable::new(99, 99);
        for id in ids {
            table.restore(&def(*id, &format!("d{id}"), 1), 0);
        }
        table.reserve(next);
        table.reserve(1.min(next));
        assert_eq!(table.resolve(key("new"), TokenId(1)).unwrap().id, SeriesId(given), "{ids:?} {next}");
        assert_eq!(table.select(|_| true).len(), ids.len());
    }
}

#[test]
fn the_log_fills_a_hole_that_the_catalog_left() {
    let table = SeriesTable::new(99, 99);
    table.restore_sealed(&sealed(4, "e", (None, None, None)));
    table.reserve(8);
    assert_eq!((table.by_id(SeriesId(2)).map(|s| s.id), table.len()), (None, 1));
    table.list(SeriesId(2), 1);
    assert_eq!(table.len(), 1, "there is nothing to list in a hole");
    let c = table.restore(&def(2, "c", 1), 9);
    assert!(Arc::ptr_eq(&c, &table.by_id(SeriesId(2)).unwrap()));
    assert_eq!((table.len(), table.resolve(key("x"), TokenId(1)).unwrap().id), (2, SeriesId(8)));
}

#[test]
fn the_first_of_a_selection_are_its_first() {
    let table = SeriesTable::new(10_000, 10_000);
    let mut rng = fastrand::Rng::with_seed(6);
    for _ in 0..2000 {
        let (device, metric) = (format!("d{}", rng.u16(0..500)), format!("m{}", rng.u8(0..9)));
        let series = table.resolve(KeyRef { device: &device, metric: &metric, labels: &[] }, TokenId(1)).unwrap();
        table.list(series.id, 0);
    }
    let is_even = |series: &Series| series.id.0.is_multiple_of(2);
    let all = table.select(is_even);
    for most in [0, 1, 7, 100, 500, 100_000] {
        let first = table.select_first(most, is_even);
        assert!(first.iter().map(|s| s.id).eq(all.iter().take(most).map(|s| s.id)), "{most}");
    }
}

#[test]
fn a_rule_that_was_looked_for_before_an_edit_is_not_remembered_after_it() {
    let table = SeriesTable::new(9, 9);
    let a = table.resolve(key("a"), TokenId(1)).unwrap();
    let (told, done) = sync_channel(1);
    std::thread::scope(|scope| {
        let before = a.rule_or(|| {
            scope.spawn(|| {
                table.forget_rules("a");
                told.send(()).unwrap();
            });
            // The edit may come to its end here, or only when the rule was found.
            let _either = done.recv_timeout(Duration::from_millis(200));
            RuleId(1)
        });
        assert_eq!(before, RuleId(1));
    });
    assert_eq!(a.rule_or(|| RuleId(2)), RuleId(2));
    assert_eq!(a.rule_or(|| RuleId(3)), RuleId(2), "remembered");
}

#[test]
fn a_new_series_need_not_wait_until_all_were_looked_at() {
    let table = SeriesTable::new(1_000_000, 1_000_000);
    for i in 0..SHOWN_AT_ONCE + 1 {
        let series = table.resolve(key(&format!("d{i}")), TokenId(1)).unwrap();
        table.list(series.id, 0);
    }
    std::thread::scope(|scope| {
        let (told, done) = sync_channel(1);
        let (table, last) = (&table, SHOWN_AT_ONCE);
        let all = table.select(|series| {
            if series.id.index() == 0 {
                let told = told.clone();
                scope.spawn(move || told.send(table.resolve(key("new"), TokenId(1)).map(drop)).unwrap());
                // Until it waits for the lock that is held here.
                while table.by_id.try_read().is_some() {
                    std::thread::yield_now();
                }
            }
            if series.id.index() == last {
                done.recv_timeout(Duration::from_secs(10)).expect("it waits").unwrap();
            }
            true
        });
        assert_eq!(all.len(), SHOWN_AT_ONCE + 1);
    });
}
