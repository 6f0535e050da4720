//! Questions behind the last known value that only a walk through the past can answer: since when it holds, and what it is once a
//! delete took the newest point.

use super::source::{self, Past};
use crate::clock::NS_PER_SEC;
use crate::head::{ColumnView, Head, LastKnown, Repair};
use crate::limits::RUN_START_POINTS;
use crate::model::{Commit, SeriesId, TimeNs, TimeRange, Value};
use crate::store::{Store, StoreError};

/// The first step back from the newest point; each further one is four times as long.
const FIRST_STEP_NS: i64 = 3600 * NS_PER_SEC;

/// Last known values with exact `changed`, in the order asked for. Blocking: where a late reading or a delete made it unknown, the
/// past is read, and what was found is given to the head.
pub fn settled(head: &Head, store: Option<&dyn Store>, ids: &[SeriesId]) -> Result<Vec<Option<LastKnown>>, StoreError> {
    let mut last = head.last(ids).1;
    for (id, last) in ids.iter().zip(&mut last) {
        let Some(last) = last.as_mut().filter(|last| !last.settled) else { continue };
        // The value is looked at again with the view, so that both are of one position.
        let (now, pin, layers) = head.with_reader(|head| (head.last(*id).cloned(), head.pin(), head.view(*id, TimeRange::ALL)));
        let Some(now) = now else { continue };
        *last = now;
        let past = store.map(|store| Past { store, pin: &pin });
        let changed = match run_start(&layers.merge(), past, *id, last) {
            // It holds at least since what is known: better than no answer.
            Err(StoreError::Away { .. }) => None,
            other => other?,
        };
        if let Some(changed) = changed {
            head.settle(*id, last, changed);
            (last.changed, last.settled) = (changed, true);
        }
    }
    Ok(last)
}

/// The time of the first point of the unbroken run of the newest value. None: the run is longer than anyone should walk.
fn run_start(view: &ColumnView, past: Option<Past<'_>>, id: SeriesId, last: &LastKnown) -> Result<Option<TimeNs>, StoreError> {
    let (mut step, mut to, mut start, mut walked) = (FIRST_STEP_NS, last.time.saturating_add(1), last.time, 0);
    while to > TimeNs::MIN {
        let range = TimeRange { from: if walked > RUN_START_POINTS / 2 { TimeNs::MIN } else { to.saturating_sub(step) }, to };
        let (mut first_equal, mut ended) = (None, false);
        let all = source::scan(&view.within(range), past, id, range, &mut |run| {
            walked += run.len();
            for (time, value) in run.iter() {
                if value == last.value {
                    first_equal.get_or_insert(time);
                } else {
                    (first_equal, ended) = (None, true);
                }
            }
            walked <= RUN_START_POINTS
        })?;
        if !all {
            return Ok(None);
        }
        start = first_equal.unwrap_or(start);
        if ended {
            return Ok(Some(start));
        }
        (to, step) = (range.from, step.saturating_mul(4));
    }
    Ok(Some(start))
}

/// What the deletes of a commit that is about to be applied make of last known values.
pub fn repairs(head: &Head, store: Option<&dyn Store>, commit: &Commit) -> Result<Vec<Repair>, StoreError> {
    let mut repairs = Vec::new();
    for delete in &commit.deletes {
        let id = delete.series;
        let newest = head.with_reader(|head| head.newest_time(id));
        if newest.is_none_or(|newest| newest < delete.from || newest > delete.to) || repairs.iter().any(|(done, _)| *done == id) {
            continue;
        }
        // Other ranges of the same commit may lie right before this one.
        let gone = |time: TimeNs| commit.deletes.iter().find(|d| d.series == id && (d.from..=d.to).contains(&time));
        let mut to = delete.from;
        let found: Option<(TimeNs, Value)> = loop {
            let range = TimeRange { from: TimeNs::MIN, to };
            // Anew in each turn, and both of one position: a seal may end while the store is read.
            let (pin, layers) = head.with_reader(|head| (head.pin(), head.view(id, range)));
            let found = source::newest(&layers.merge(), store.map(|store| Past { store, pin: &pin }), id, range)?;
            match found.as_ref().and_then(|(time, _)| gone(*time)) {
                Some(delete) => to = delete.from,
                None => break found,
            }
        };
        repairs.push((id, found));
    }
    Ok(repairs)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use parking_lot::Mutex;

    use super::*;
    use crate::model::{BatchPart, Delete, Position, Reading};
    use crate::retention::{Floors, RuleId};
    use crate::store::double::Double;
    use crate::store::embedded::{self, Budget, EmbeddedStore, SeriesInfo};
    use crate::store::memory::MemoryStore;

    const S: SeriesId = SeriesId(0);

    #[test]
    fn last_known_values_are_those_of_a_map_whatever_comes() {
        for seed in 0..60 {
            let mut rng = fastrand::Rng::with_seed(seed);
            let (head, store, mut map) = (Head::default(), MemoryStore::default(), BTreeMap::<TimeNs, i64>::new());
            let wide = if rng.bool() { 1 } else { NS_PER_SEC * 900 };
            for position in 1..80 {
                let mut commit = Commit { position: Position(position), ..Commit::default() };
                match rng.u8(0..6) {
                    0 => {
                        for _ in 0..rng.usize(1..3) {
                            let from = rng.i64(0..300) * wide;
                            let to = from + rng.i64(0..150) * wide;
                            commit.deletes.push(Delete { series: S, from, to });
                            map.retain(|t, _| !(from..=to).contains(t));
                        }
                    }
                    1 => {
                        if let Some(generation) = head.freeze() {
                            store.seal(&generation.handover()).unwrap();
                            head.sealed(&generation);
                        }
                    }
                    _ => {
                        for _ in 0..rng.usize(1..9) {
                            let (time, value) = (rng.i64(0..300) * wide, Value::Int(rng.i64(0..2)));
                            commit.readings.push(Reading { series: S, time, value });
                        }
                        commit.parts = vec![BatchPart { agent: None, received: 0, end: commit.readings.len() }];
                        map.extend(commit.readings.iter().map(|r| (r.time, if r.value == Value::Int(1) { 1 } else { 0 })));
                    }
                }
                let repairs = repairs(&head, Some(&store), &commit).unwrap();
                head.apply(&commit, &repairs, || ());
                let found = settled(&head, Some(&store), &[S]).unwrap().remove(0).map(|last| (last.time, last.value, last.changed));
                let expected = map.last_key_value().map(|(time, value)| {
                    let changed = map.iter().rev().take_while(|(_, v)| *v == value).last().map(|(t, _)| *t);
                    (*time, Value::Int(*value), changed.unwrap())
                });
                assert_eq!(found, expected, "seed {seed} position {position}");
            }
        }
    }

    #[derive(Debug)]
    struct NoRules;

    impl SeriesInfo for NoRules {
        fn metric(&self, _series: SeriesId) -> u32 {
            0
        }

        fn rule(&self, _series: SeriesId) -> RuleId {
            RuleId(0)
        }
    }

    #[test]
    fn a_repair_finds_what_a_seal_takes_over_meanwhile() {
        let (dir, head) = (tempfile::tempdir().unwrap(), Head::default());
        let store = EmbeddedStore::open(embedded::Parts {
            dir: &dir.path().join("store"),
            set_aside: &dir.path().join("set-aside"),
            sealed: Position(0),
            sealed_at: 0,
            now: 0,
            pins: Arc::clone(head.pins()),
            info: Arc::new(NoRules),
            cache_bytes: 1 << 20,
            rules: &[],
            floors: Arc::new(Floors::new(&[])),
            budget: Budget { data: dir.path().to_owned(), max_bytes: 0 },
        })
        .unwrap();
        let put = |position: u64, times: &[i64]| {
            let readings: Vec<_> = times.iter().map(|time| Reading { series: S, time: *time, value: Value::Int(*time) }).collect();
            let parts = vec![BatchPart { agent: None, received: 0, end: readings.len() }];
            head.apply(&Commit { position: Position(position), parts, readings, ..Commit::default() }, &[], || ());
        };
        put(1, &[10]);
        let first = head.freeze().unwrap();
        store.seal(&first.handover()).unwrap();
        head.sealed(&first);
        put(2, &[20, 32, 45]);
        let frozen = head.freeze().unwrap();
        // The newest goes, then what the first look back found.
        let deletes = vec![Delete { series: S, from: 40, to: 45 }, Delete { series: S, from: 30, to: 35 }];
        let commit = Commit { position: Position(4), deletes, ..Commit::default() };
        let frozen = Mutex::new(Some(frozen));
        let during = Double::of(&store).before_scan_back(|| {
            let Some(generation) = frozen.lock().take() else { return Ok(()) };
            store.seal(&generation.handover())?;
            head.sealed(&generation);
            Ok(())
        });
        let found = repairs(&head, Some(&during), &commit).unwrap();
        assert_eq!(found, [(S, Some((20, Value::Int(20))))]);
    }
}
