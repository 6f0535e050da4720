//! The head as its users see it: views over generations are what one map would be, and last known values follow event time.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::model::{BatchPart, Delete, Reading};
use crate::query::source::{self, Past};
use crate::replayed::Replayed;
use crate::store::Store;
use crate::store::memory::MemoryStore;

const S: SeriesId = SeriesId(3);

fn commit(position: u64, received: TimeNs, readings: &[(TimeNs, i64)]) -> Commit {
    Commit {
        position: Position(position),
        parts: vec![BatchPart { agent: None, received, end: readings.len() }],
        readings: readings.iter().map(|&(time, v)| Reading { series: S, time, value: Value::Int(v) }).collect(),
        ..Commit::default()
    }
}

fn delete(position: u64, from: TimeNs, to: TimeNs) -> Commit {
    Commit { position: Position(position), deletes: vec![Delete { series: S, from, to }], ..Commit::default() }
}

#[test]
fn last_known_follows_event_time_and_tells_when_it_changed() {
    let head = Head::default();
    let last = |head: &Head| {
        let last = head.last(&[S]).1[0].clone().unwrap();
        (last.time, last.value, last.seen, last.changed, last.settled)
    };
    head.apply(&commit(1, 100, &[(10, 1), (20, 2), (30, 2)]), &[], || ());
    assert_eq!(last(&head), (30, Value::Int(2), 100, 20, true));
    head.apply(&commit(2, 101, &[(5, 9)]), &[], || ());
    assert_eq!(last(&head), (30, Value::Int(2), 101, 20, true), "a late reading before the run moves seen alone");
    head.apply(&commit(3, 102, &[(25, 7)]), &[], || ());
    assert_eq!(last(&head), (30, Value::Int(2), 102, 30, false), "one within the run can move changed");
    let asked = head.last(&[S]).1[0].clone().unwrap();
    head.settle(S, &asked, 30);
    assert_eq!(last(&head), (30, Value::Int(2), 102, 30, true));
    head.apply(&delete(4, 30, 30), &[(S, Some((25, Value::Int(7))))], || ());
    assert_eq!(last(&head), (25, Value::Int(7), 102, 25, false), "a delete repairs the last known value");
    assert_eq!(head.points(), 4);
    head.settle(S, &asked, 30);
    assert_eq!(last(&head), (25, Value::Int(7), 102, 25, false), "an answer to an older question changes nothing");
    head.apply(&commit(5, 103, &[(26, 7), (24, 7)]), &[], || ());
    assert_eq!(last(&head), (26, Value::Int(7), 103, 25, false));
}

#[test]
fn generations_and_store_are_one_line_at_every_step() {
    for seed in 0..40 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let (head, store, mut map) = (Head::default(), MemoryStore::default(), BTreeMap::new());
        let mut position = 0;
        for _ in 0..60 {
            position += 1;
            match rng.u8(0..10) {
                0 => {
                    let (from, to) = (rng.i64(0..2_000), rng.i64(0..2_000));
                    map.retain(|t, _| !(from..=to).contains(t));
                    let newest = map.last_key_value().map(|(t, v): (&i64, &i64)| (*t, Value::Int(*v)));
                    head.apply(&delete(position, from, to), &[(S, newest)], || ());
                }
                1 => drop(head.freeze()),
                2 => {
                    // The memory store knows its newest state alone, so nothing may be committed between its seal and the head's.
                    if let Some(generation) = head.freeze() {
                        store.seal(&generation.handover()).unwrap();
                        head.sealed(&generation);
                        assert_eq!(head.sealed_position(), generation.up_to());
                    }
                }
                _ => {
                    let readings: Vec<_> = (0..rng.usize(1..60)).map(|_| (rng.i64(0..2_000), rng.i64(0..5))).collect();
                    map.extend(readings.iter().copied());
                    head.apply(&commit(position, 0, &readings), &[], || ());
                }
            }
            let range = TimeRange { from: rng.i64(0..1_000), to: rng.i64(1_000..2_100) };
            let view = head.view(&[S], range);
            let past = Some(Past { store: &store, pin: &view.pin });
            let mut found = Vec::new();
            source::scan(&view.columns[0], past, S, range, &mut |run| {
                found.extend(run.iter());
                true
            })
            .unwrap();
            let expected: Vec<_> = map.range(range.from..range.to).map(|(t, v)| (*t, Value::Int(*v))).collect();
            assert_eq!(found, expected, "seed {seed} position {position}");
            let last = head.last(&[S]).1.remove(0).map(|last| (last.time, last.value));
            assert_eq!(last, map.last_key_value().map(|(t, v)| (*t, Value::Int(*v))), "seed {seed} position {position}");
            let time = rng.i64(0..2_000);
            let expected = map.get(&time).map(|v| Value::Int(*v));
            match head.with_reader(|head| head.look_up(S, time)) {
                LookUp::Found(value) => assert_eq!(Some(value), expected, "seed {seed}"),
                LookUp::Nothing => assert_eq!(expected, None, "seed {seed} position {position} time {time}"),
                LookUp::AskStore => assert_eq!(store.look_up(&view.pin, S, &[time]).unwrap(), [expected], "seed {seed}"),
            }
        }
    }
}

#[test]
fn a_view_stays_as_it_was() {
    let head = Head::default();
    head.apply(&commit(1, 0, &[(1, 1)]), &[], || ());
    let view = head.view(&[S], TimeRange::ALL);
    head.apply(&commit(2, 0, &[(1, 2), (2, 3)]), &[], || ());
    assert_eq!(view.columns[0].iter().collect::<Vec<_>>(), [(1, Value::Int(1))]);
}

/// Commits of several devices: rows in order, some late, some of other types, some written twice.
fn random_commits(rng: &mut fastrand::Rng, series: u32, rows: usize) -> Vec<Commit> {
    let mut now = 0;
    let commits = (1..=20).map(|position| {
        let mut commit = Commit { position: Position(position), ..Commit::default() };
        for _ in 0..rng.usize(0..4) {
            let received = now + rng.i64(0..2) * 120 * 1_000_000_000;
            for id in 0..series {
                let disorder = rng.u8(..) < 20;
                let kind = rng.u8(0..40);
                for _ in 0..rng.usize(0..rows) {
                    now += if disorder { rng.i64(-500..500) } else { 1 };
                    let value = match kind {
                        0 => Value::Int(rng.i64(0..3)),
                        1 => Value::Text("on".into()),
                        2 if rng.bool() => Value::Int(1),
                        _ => Value::Float(rng.f64().round()),
                    };
                    commit.readings.push(Reading { series: SeriesId(id * 7), time: now, value });
                }
            }
            commit.parts.push(BatchPart { agent: None, received, end: commit.readings.len() });
        }
        commit
    });
    commits.collect()
}

#[test]
fn many_commits_at_once_give_the_same_as_one_after_the_other() {
    for (seed, series, rows) in (0..30).map(|seed| (seed, 40, 30)).chain([(100, 400, 60), (101, 3, 3000)]) {
        let mut rng = fastrand::Rng::with_seed(seed);
        let commits = random_commits(&mut rng, series, rows);
        let (one_by_one, at_once, filled) = (Head::default(), Head::default(), Head::default());
        commits.iter().for_each(|commit| one_by_one.apply(commit, &[], || ()));
        let cut = rng.usize(0..=commits.len());
        let replayed = Replayed::of(&commits);
        at_once.apply_many(&replayed, 0..cut);
        at_once.apply_many(&replayed, cut..commits.len());
        fill_between(&filled, &commits, &mut rng);
        let ids: Vec<_> = (0..series * 7 + 1).map(SeriesId).collect();
        let points = |head: &Head| {
            let points = |view: &ColumnView| {
                let all = view
                    .pieces()
                    .flat_map(|(block, range)| range.map(|i| (block.times()[i], block.value(i), block.received(i))).collect::<Vec<_>>());
                format!("{:?}", all.collect::<Vec<_>>())
            };
            head.view(&ids, TimeRange::ALL).columns.iter().map(points).collect::<Vec<_>>()
        };
        for head in [at_once, filled] {
            assert_eq!(points(&head), points(&one_by_one), "seed {seed}");
            assert_eq!(head.last(&ids), one_by_one.last(&ids), "seed {seed}");
            assert_eq!((head.points(), head.position()), (one_by_one.points(), one_by_one.position()), "seed {seed}");
        }
    }
}

/// Some of the commits at the beginning and at the end are applied as they are, those between by two threads, some at a time.
fn fill_between(head: &Head, commits: &[Commit], rng: &mut fastrand::Rng) {
    let begin = rng.usize(0..=commits.len());
    let end = rng.usize(begin..=commits.len());
    head.apply_many(&Replayed::of(&commits[..begin]), 0..begin);
    let by_series = |commits: &[Commit]| {
        let mut replayed = Replayed::of(commits);
        replayed.by_series();
        replayed
    };
    let mut batches = commits[begin..end].chunks(rng.usize(1..5)).map(by_series);
    let (given, back) = (batches.len(), AtomicUsize::new(0));
    head.fill(
        || batches.next(),
        |_batch| {
            back.fetch_add(1, Ordering::Relaxed);
        },
    );
    assert_eq!(back.into_inner(), given, "each batch is given back once");
    head.apply_many(&Replayed::of(&commits[end..]), 0..commits.len() - end);
}
