//! One series over one range, from head and store together. Where both hold a time, the head has the later word.
//!
//! Invariants: runs come in time order, no time twice. The head's view is taken before the store is read, so a seal that
//! moves points from head to store in between hides none.

use super::run::Run;
use crate::head::ColumnView;
use crate::model::{SeriesId, TimeNs, TimeRange, Value};
use crate::store::{Store, StoreError};

/// Takes runs in time order. False stops.
pub type RunSink<'a> = dyn FnMut(Run<'_>) -> bool + 'a;

/// Feeds every point of `range` to the sink. `head` is a view of this series over this range; no store: the head holds everything.
/// Blocking: the store may read a disk. Says whether the sink saw all.
pub fn scan(
    head: &ColumnView,
    store: Option<&dyn Store>,
    series: SeriesId,
    range: TimeRange,
    sink: &mut RunSink<'_>,
) -> Result<bool, StoreError> {
    let mut head = HeadRuns::new(head);
    let mut wanted = true;
    if let Some(store) = store {
        store.scan(series, range, &mut |stored| {
            wanted = merge(&mut head, stored, sink);
            wanted
        })?;
    }
    while wanted && let Some(run) = head.take() {
        wanted = sink(run);
    }
    Ok(wanted)
}

/// How many points there are, exactly up to `enough`; beyond, some number over it.
pub fn count(head: &ColumnView, store: Option<&dyn Store>, series: SeriesId, range: TimeRange, enough: usize) -> Result<usize, StoreError> {
    if store.is_none_or(|store| store.stats().points == 0) || head.points() > enough {
        return Ok(head.points());
    }
    let mut points = 0;
    scan(head, store, series, range, &mut |run| {
        points += run.len();
        points <= enough
    })?;
    Ok(points)
}

/// One block from the store, with what the head has before and at its times. Says whether the sink wants more.
fn merge(head: &mut HeadRuns<'_>, mut stored: &[(TimeNs, Value)], sink: &mut RunSink<'_>) -> bool {
    while let Some((time, _)) = stored.first() {
        let Some(next) = head.next_time() else {
            return sink(Run::of_pairs(stored));
        };
        let wanted = if *time < next {
            let (before, rest) = stored.split_at(stored.partition_point(|(t, _)| *t < next));
            stored = rest;
            sink(Run::of_pairs(before))
        } else {
            let run = head.take_up_to(*time);
            if run.time(run.len() - 1) == *time {
                stored = &stored[1..];
            }
            sink(run)
        };
        if !wanted {
            return false;
        }
    }
    true
}

/// The head's pieces, taken from the front.
struct HeadRuns<'a> {
    current: Option<Run<'a>>,
    rest: Box<dyn Iterator<Item = Run<'a>> + 'a>,
}

impl<'a> HeadRuns<'a> {
    fn new(view: &'a ColumnView) -> Self {
        // A range that ends before it starts gives pieces that do, too.
        let pieces = view.pieces().filter(|(_, range)| range.start < range.end);
        let mut rest = Box::new(pieces.map(|(block, range)| Run::of_block(block, range)));
        Self { current: rest.next(), rest }
    }

    fn next_time(&self) -> Option<TimeNs> {
        self.current.map(|run| run.time(0))
    }

    fn take(&mut self) -> Option<Run<'a>> {
        let run = self.current?;
        self.current = self.rest.next();
        Some(run)
    }

    /// At least one point at or before `time`; the caller knows that there is one.
    fn take_up_to(&mut self, time: TimeNs) -> Run<'a> {
        let run = self.current.expect("asked only while the head has a point at or before the time");
        let (taken, rest) = run.split_before(time.saturating_add(1));
        if rest.is_empty() {
            self.current = self.rest.next();
        } else {
            self.current = Some(rest);
        }
        taken
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::head::Head;
    use crate::model::{BatchPart, Commit, Position, Reading};
    use crate::store::memory::MemoryStore;

    const S: SeriesId = SeriesId(2);

    #[test]
    fn head_and_store_give_each_time_once_and_the_head_wins() {
        for seed in 0..60 {
            let mut rng = fastrand::Rng::with_seed(seed);
            let (head, store, mut oracle) = (Head::default(), MemoryStore::default(), BTreeMap::new());
            let span = rng.i64(10..9_000);
            let stored: Vec<_> = readings(&mut rng, 4_000, span / 2, span);
            store.apply(&stored).unwrap();
            oracle.extend(stored.into_iter().map(|r| (r.time, r.value)));
            let recent = rng.i64(0..span);
            let fresh = readings(&mut rng, 3_000, recent, span);
            oracle.extend(fresh.iter().map(|r| (r.time, r.value.clone())));
            let parts = vec![BatchPart { agent: None, received: 0, end: fresh.len() }];
            head.apply(&Commit { position: Position(1), parts, readings: fresh, ..Commit::default() }, || ());

            let range = TimeRange { from: rng.i64(0..span), to: rng.i64(0..span + 5) };
            let expected: Vec<_> = oracle.iter().filter(|(t, _)| range.contains(**t)).map(|(t, v)| (*t, v.clone())).collect();
            let view = head.view(&[S], range).columns.remove(0);
            let mut found = Vec::new();
            let all = scan(&view, Some(&store), S, range, &mut |run| {
                assert!(!run.is_empty(), "seed {seed}");
                found.extend(run.iter());
                true
            });
            assert!(all.unwrap());
            assert_eq!(found, expected, "seed {seed}");
            assert_eq!(count(&view, Some(&store), S, range, usize::MAX).unwrap(), expected.len(), "seed {seed}");
            if expected.len() > 10 {
                assert!(count(&view, Some(&store), S, range, 10).unwrap() > 10, "seed {seed}");
                let mut runs = 0;
                let stopped = scan(&view, Some(&store), S, range, &mut |_| {
                    runs += 1;
                    false
                });
                assert_eq!((stopped.unwrap(), runs), (false, 1), "seed {seed}: no run comes after a no");
            }
        }
    }

    fn readings(rng: &mut fastrand::Rng, most: usize, from: TimeNs, to: TimeNs) -> Vec<Reading> {
        let value = |rng: &mut fastrand::Rng| if rng.bool() { Value::Int(rng.i64(..)) } else { Value::Float(rng.f64()) };
        (0..rng.usize(0..most)).map(|_| Reading { series: S, time: rng.i64(from..to), value: value(rng) }).collect()
    }
}
