//! Rules of retention that changed: what was stored under others moves, though its days are over, merged and at rest.

use std::collections::BTreeSet;

use super::left::{SECOND, coarse, of, seal, tend};
use super::*;

const FIRST: TimeNs = 20_000 * DAY;
const CLOSED: TimeNs = FIRST + 2 * DAY;

fn rules(texts: &[&str]) -> Vec<RetentionRule> {
    let rule = |text: &&str| {
        let select = Selector::parse(text).unwrap();
        RetentionRule { select, text: (*text).to_owned(), keep: None, keep_rollups: None, priority: 1 }
    };
    texts.iter().map(rule).collect()
}

/// Series in raw files, by class: those with own chunks and those in blocks.
fn lying(store: &EmbeddedStore) -> BTreeMap<u16, BTreeSet<u32>> {
    let mut lying = BTreeMap::<u16, BTreeSet<u32>>::new();
    for file in store.files.all().iter().filter(|file| file.key.kind == FileKind::Raw) {
        let read = file.read("list rows of", |db| {
            let many = db.all_many(Position(99))?;
            let bodies = many.iter().map(|entry| db.body(entry)).collect::<rusqlite::Result<Vec<_>>>()?;
            Ok((db.all_own(SeriesId(0), Position(99), 999)?, many, bodies))
        });
        let (own, many, bodies) = read.unwrap();
        let series = lying.entry(file.key.class.0).or_default();
        series.extend(own.iter().map(|entry| entry.series().0));
        for (entry, body) in many.iter().zip(bodies) {
            series.extend(store.decoder().whole(file, entry, body).unwrap().iter().map(|(id, _)| id.0));
        }
    }
    lying
}

fn sets(of: &[(u16, &[u32])]) -> BTreeMap<u16, BTreeSet<u32>> {
    of.iter().map(|(class, series)| (*class, series.iter().copied().collect())).collect()
}

/// Series 0 and 1 fast, 3 to 8 slow; merged, summed up and at rest under `rules`.
fn at_rest(data: &Path, pins: &Arc<Pins>, info: &Arc<Info>, rules: &[RetentionRule]) {
    let store = open_with(data, (Position(0), 0), pins, info, rules, 0);
    seal(&store, &of(&[0, 1], FIRST, 3000, 10 * SECOND), 1);
    seal(&store, &of(&[3, 4, 5, 6, 7, 8], FIRST, 100, 600 * SECOND), 2);
    tend(&store, CLOSED);
}

/// As it was told before: readings, and readings in summaries of an hour and as points.
fn told(store: &EmbeddedStore, pins: &Arc<Pins>) -> Vec<(Points, u64)> {
    let told = |id: u32| {
        let (summed, read) = coarse(store, pins, id);
        (points(store, &pins.pin(store.sealed()), SeriesId(id), TimeRange::ALL, false), summed + read)
    };
    [0, 1, 3, 4, 5, 6, 7, 8].into_iter().map(told).collect()
}

#[test]
fn a_rule_that_is_new_takes_what_was_stored_before_it() {
    let dir = tempfile::tempdir().unwrap();
    let (pins, info) = (Arc::new(Pins::default()), Arc::new(Info::default()));
    at_rest(dir.path(), &pins, &info, &[]);
    let open_now = |texts: &[&str]| open_with(dir.path(), (Position(2), 0), &pins, &info, &rules(texts), 0);
    let store = open_now(&[]);
    tend(&store, CLOSED);
    assert_eq!(lying(&store), sets(&[(0, &[0, 1, 3, 4, 5, 6, 7, 8])]));
    let before = told(&store, &pins);
    drop(store);

    info.0.store(1 << 1 | 1 << 4 | 1 << 5, Ordering::Relaxed);
    let store = open_now(&["a/*"]);
    assert_eq!(told(&store, &pins), before, "before anything moved");
    tend(&store, CLOSED);
    assert_eq!(lying(&store), sets(&[(0, &[0, 3, 6, 7, 8]), (1, &[1, 4, 5])]));
    assert_eq!(told(&store, &pins), before);
    assert!(coarse(&store, &pins, 1).0 > 0, "its rollups were made in its new file");
    drop(store);

    // Another selector in its place: the class whose rule is gone is left, and its file goes.
    info.0.store(1 | 1 << 4, Ordering::Relaxed);
    let store = open_now(&["b/*"]);
    tend(&store, CLOSED);
    assert_eq!(lying(&store), sets(&[(0, &[1, 3, 5, 6, 7, 8]), (2, &[0, 4])]));
    assert_eq!(told(&store, &pins), before);
}

#[test]
fn days_are_gone_through_once_and_again_when_it_was_cut_off() {
    let dir = tempfile::tempdir().unwrap();
    let (pins, info) = (Arc::new(Pins::default()), Arc::new(Info::default()));
    at_rest(dir.path(), &pins, &info, &[]);
    let open_now = || open_with(dir.path(), (Position(2), 0), &pins, &info, &rules(&["a/*"]), 0);
    info.0.store(1 << 1 | 1 << 4, Ordering::Relaxed);
    let store = open_now();
    // A step or two.
    assert!(store.tend(CLOSED, Duration::ZERO).unwrap());
    drop(store);
    let store = open_now();
    tend(&store, CLOSED);
    assert_eq!(lying(&store), sets(&[(0, &[0, 3, 5, 6, 7, 8]), (1, &[1, 4])]));
    drop(store);
    let versions = |store: &EmbeddedStore| store.files.all().iter().map(|file| file.version()).collect::<Vec<_>>();
    let store = open_now();
    let before = versions(&store);
    tend(&store, CLOSED);
    assert_eq!(versions(&store), before, "nothing is written under the same rules");
    // A rule that takes nothing more costs a look, and moves nothing.
    drop(store);
    let store = open_with(dir.path(), (Position(2), 0), &pins, &info, &rules(&["a/*", "c/*"]), 0);
    tend(&store, CLOSED);
    assert_eq!(lying(&store), sets(&[(0, &[0, 3, 5, 6, 7, 8]), (1, &[1, 4])]));
}
