//! One series over one range, from head and store together. Where both hold a time, the head has the later word, and what the head
//! says was deleted is not taken from the store.
//!
//! Invariants: runs come in time order, no time twice. The pin was taken with the head's view, so a seal that moves points from head
//! to store in between neither hides one nor shows a later one.

use super::run::Run;
use crate::head::ColumnView;
use crate::model::{Position, SeriesId, TimeNs, TimeRange, Value};
use crate::query::summary::{Summary, Totals};
use crate::store::{Coarse, Piece, Pin, Store, StoreError};

/// Takes runs in time order. False stops.
pub type RunSink<'a> = dyn FnMut(Run<'_>) -> bool + 'a;

/// The store as a reader with this pin sees it.
#[derive(Clone, Copy, Debug)]
pub struct Past<'a> {
    pub store: &'a dyn Store,
    pub pin: &'a Pin,
}

impl Past<'_> {
    fn is_empty(&self) -> bool {
        self.pin.sealed() == Position(0)
    }
}

/// Feeds every point of `range` to the sink. `head` is a view of this series over this range. Blocking: the store may read a disk. Says
/// whether the sink saw all.
pub fn scan(
    head: &ColumnView,
    past: Option<Past<'_>>,
    series: SeriesId,
    range: TimeRange,
    sink: &mut RunSink<'_>,
) -> Result<bool, StoreError> {
    let mut head_runs = HeadRuns::new(head);
    let mut wanted = true;
    if let Some(past) = past.filter(|past| !past.is_empty() && range.from < range.to) {
        past.store.scan(past.pin, series, range, &mut |block| {
            wanted = shown(Run::of_block(block, 0..block.len()), head.hidden(), &mut |run| merge(&mut head_runs, run, sink));
            wanted
        })?;
    }
    while wanted && let Some(run) = head_runs.take() {
        wanted = sink(run);
    }
    Ok(wanted)
}

/// A part of what a coarse scan gives.
#[derive(Clone, Copy, Debug)]
pub enum Part<'a> {
    Run(Run<'a>),
    Summary {
        summary: &'a Summary,
        /// The readings themselves are not kept any more.
        is_gone: bool,
    },
    Totals(&'a Totals),
}

/// Takes parts in time order. False stops.
pub type PartSink<'a> = dyn FnMut(Part<'_>) -> bool + 'a;

/// A scan that takes the store's summaries where they would do. The days in which the head has something to add or to hide are read
/// point by point, but for readings that are gone.
pub fn scan_coarse(
    head: &ColumnView,
    past: Option<Past<'_>>,
    series: SeriesId,
    range: TimeRange,
    coarse: Coarse<'_>,
    sink: &mut PartSink<'_>,
) -> Result<(), StoreError> {
    let Some(store) = past.filter(|past| !past.is_empty()) else {
        return scan(head, past, series, range, &mut |run| sink(Part::Run(run))).map(drop);
    };
    let mut from = range.from;
    while from < range.to {
        let touched = touched_day(head, TimeRange { from, to: range.to });
        let until = touched.map_or(range.to, |day| day.from.max(from));
        let mut wanted = true;
        if from < until {
            store.store.scan_coarse(store.pin, series, TimeRange { from, to: until }, coarse, &mut |piece| {
                wanted = match piece {
                    Piece::Points(block) => sink(Part::Run(Run::of_block(block, 0..block.len()))),
                    Piece::Summary { summary, is_gone } => sink(Part::Summary { summary, is_gone }),
                    Piece::Totals(totals) => sink(Part::Totals(totals)),
                };
                wanted
            })?;
        }
        let Some(day) = touched.filter(|_| wanted) else { return Ok(()) };
        let day = TimeRange { from: until, to: day.to.min(range.to) };
        if !scan_touched(head, store, series, day, coarse, sink)? {
            return Ok(());
        }
        from = day.to;
    }
    Ok(())
}

/// A day in which the head has or hides something. What is left of readings that are gone lies over what came since, and goes whole where
/// a delete meets it: so it is in the store once all of it is sealed. Says whether the sink saw all.
fn scan_touched(
    head: &ColumnView,
    past: Past<'_>,
    series: SeriesId,
    day: TimeRange,
    coarse: Coarse<'_>,
    sink: &mut PartSink<'_>,
) -> Result<bool, StoreError> {
    let (mut gone, mut stretches) = (Vec::new(), Vec::new());
    past.store.scan_gone(past.pin, series, day, coarse, &mut |stretch, summary| {
        let is_met = head.hidden().iter().any(|(from, to)| *from < stretch.to && *to >= stretch.from);
        if !is_met {
            gone.push(summary.clone());
            stretches.push((stretch.from, stretch.to - 1));
        }
    })?;
    let mut gone = gone.iter().peekable();
    let all = scan(&head.within(day), Some(past), series, day, &mut |run| {
        let told = stretches.partition_point(|(_, to)| *to < run.time(0));
        shown(run, &stretches[told..], &mut |run| {
            while let Some(summary) = gone.next_if(|summary| summary.start < run.time(0)) {
                if !sink(Part::Summary { summary, is_gone: true }) {
                    return false;
                }
            }
            sink(Part::Run(run))
        })
    })?;
    Ok(all && gone.all(|summary| sink(Part::Summary { summary, is_gone: true })))
}

/// The first UTC day of a range in which the head has or hides something.
fn touched_day(head: &ColumnView, range: TimeRange) -> Option<TimeRange> {
    const DAY_NS: i64 = 86_400 * crate::clock::NS_PER_SEC;
    let point = head.within(range).first_time();
    let hidden = head.hidden().iter().filter(|(from, to)| *from < range.to && *to >= range.from).map(|(from, _)| (*from).max(range.from));
    let first = point.into_iter().chain(hidden).min()?;
    let from = first.div_euclid(DAY_NS).saturating_mul(DAY_NS);
    Some(TimeRange { from, to: from.saturating_add(DAY_NS) })
}

/// The newest point of `range`.
pub fn newest(
    head: &ColumnView,
    past: Option<Past<'_>>,
    series: SeriesId,
    range: TimeRange,
) -> Result<Option<(TimeNs, Value)>, StoreError> {
    let of_head = head.newest();
    let from = of_head.as_ref().map_or(range.from, |(time, _)| range.from.max(time.saturating_add(1)));
    let mut of_store = None;
    if let Some(past) = past.filter(|past| !past.is_empty() && from < range.to) {
        past.store.scan_back(past.pin, series, TimeRange { from, to: range.to }, &mut |block| {
            shown(Run::of_block(block, 0..block.len()), head.hidden(), &mut |run| {
                of_store = (!run.is_empty()).then(|| (run.time(run.len() - 1), run.value(run.len() - 1))).or(of_store.take());
                true
            });
            of_store.is_none()
        })?;
    }
    Ok(of_store.or(of_head))
}

/// How many points there are, exactly up to `enough`; beyond, some number over it.
pub fn count(head: &ColumnView, past: Option<Past<'_>>, series: SeriesId, range: TimeRange, enough: usize) -> Result<usize, StoreError> {
    let of_head = head.points();
    let Some(past) = past.filter(|past| !past.is_empty() && range.from < range.to && of_head <= enough) else {
        return Ok(of_head);
    };
    // Where the head has nothing to add or hide within the range, the store's own count is exact and cheap.
    if of_head == 0 && head.hidden().is_empty() {
        return of_store(past, series, range, enough);
    }
    let cheap = match head.first_time() {
        Some(first) if head.hidden().is_empty() => TimeRange { from: range.from, to: first.min(range.to) },
        _ => TimeRange { from: range.from, to: range.from },
    };
    let mut points = if cheap.from < cheap.to { of_store(past, series, cheap, enough)? } else { 0 };
    if points > enough {
        return Ok(points);
    }
    scan(head, Some(past), series, TimeRange { from: cheap.to, to: range.to }, &mut |run| {
        points += run.len();
        points <= enough
    })?;
    Ok(points)
}

fn of_store(past: Past<'_>, series: SeriesId, range: TimeRange, enough: usize) -> Result<usize, StoreError> {
    let points = past.store.count_to(past.pin, series, range, enough as u64)?;
    Ok(usize::try_from(points).unwrap_or(usize::MAX))
}

/// Gives the sink what of a run lies outside of the hidden ranges. Says whether it wants more.
fn shown(mut run: Run<'_>, hidden: &[(TimeNs, TimeNs)], sink: &mut RunSink<'_>) -> bool {
    for (from, to) in hidden {
        if run.is_empty() {
            return true;
        }
        let (before, rest) = run.split_before(*from);
        if !before.is_empty() && !sink(before) {
            return false;
        }
        run = match to.checked_add(1) {
            Some(after) => rest.split_before(after).1,
            None => rest.split_at(rest.len()).1,
        };
    }
    run.is_empty() || sink(run)
}

/// One run from the store, with what the head has before and at its times. Says whether the sink wants more.
fn merge(head: &mut HeadRuns<'_>, mut stored: Run<'_>, sink: &mut RunSink<'_>) -> bool {
    while !stored.is_empty() {
        let Some(next) = head.next_time() else {
            return sink(stored);
        };
        let time = stored.time(0);
        let wanted = if time < next {
            let (before, rest) = stored.split_before(next);
            stored = rest;
            sink(before)
        } else {
            let run = head.take_up_to(time);
            if run.time(run.len() - 1) == time {
                stored = stored.split_at(1).1;
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
    use std::sync::Arc;

    use super::*;
    use crate::head::Head;
    use crate::model::{BatchPart, Commit, Delete, Position, Reading};
    use crate::store::Pins;
    use crate::store::memory::MemoryStore;

    const S: SeriesId = SeriesId(2);

    #[test]
    fn head_and_store_give_each_time_once_and_the_head_wins() {
        for seed in 0..60 {
            let mut rng = fastrand::Rng::with_seed(seed);
            let (head, store, mut oracle) = (Head::default(), MemoryStore::default(), BTreeMap::new());
            let span = rng.i64(10..9_000);
            let stored: Vec<_> = readings(&mut rng, 4_000, span / 2, span);
            stored.iter().for_each(|reading| store.put(reading, reading.time));
            oracle.extend(stored.into_iter().map(|r| (r.time, r.value)));
            let recent = rng.i64(0..span);
            let mut deletes = Vec::new();
            for _ in 0..rng.usize(0..4) {
                let from = rng.i64(0..span);
                let to = if rng.u8(..) == 0 { i64::MAX } else { from + rng.i64(0..span / 8 + 1) };
                deletes.push(Delete { series: S, from, to });
            }
            deletes.iter().for_each(|delete| oracle.retain(|t, _| !(delete.from..=delete.to).contains(t)));
            let fresh = readings(&mut rng, 3_000, recent, span);
            oracle.extend(fresh.iter().map(|r| (r.time, r.value.clone())));
            let parts = vec![BatchPart { agent: None, received: 0, end: fresh.len() }];
            head.apply(&Commit { position: Position(1), deletes, parts, readings: fresh, ..Commit::default() }, &[], || ());

            let range = TimeRange { from: rng.i64(0..span), to: rng.i64(0..span + 5) };
            let expected: Vec<_> = oracle.iter().filter(|(t, _)| range.contains(**t)).map(|(t, v)| (*t, v.clone())).collect();
            let view = head.view(&[S], range).columns.remove(0);
            let pin = Arc::new(Pins::default()).pin(Position(9));
            let past = Some(Past { store: &store, pin: &pin });
            let mut found = Vec::new();
            let all = scan(&view, past, S, range, &mut |run| {
                assert!(!run.is_empty(), "seed {seed}");
                found.extend(run.iter());
                true
            });
            assert!(all.unwrap());
            assert_eq!(found, expected, "seed {seed}");
            assert_eq!(count(&view, past, S, range, usize::MAX).unwrap(), expected.len(), "seed {seed}");
            assert_eq!(newest(&view, past, S, range).unwrap(), expected.last().cloned(), "seed {seed}");
            if expected.len() > 10 {
                assert!(count(&view, past, S, range, 10).unwrap() > 10, "seed {seed}");
                let mut runs = 0;
                let stopped = scan(&view, past, S, range, &mut |_| {
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
