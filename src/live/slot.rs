//! One series of a group: what is pending of it, and what of that the members do not know yet.
//!
//! Invariant: `newest` is at or after the newest time any member has been sent, so a change beyond it is news to all (an update) and any
//! other is a repair (a span of a patch).

use std::collections::BTreeMap;
use std::sync::Arc;

use super::change::{Change, fold};
use super::column::{bounds, column_of};
use super::content::{Number, Run, Span, Tick};
use super::merge::unite;
use super::open::{Changes, Columns, Open, unknown_front};
use crate::head::ColumnView;
use crate::model::{SeriesId, TimeNs};
use crate::series::Series;

#[derive(Debug)]
pub(super) struct Slot {
    pub(super) series: Arc<Series>,
    /// The members have its description (a change of unit or kind makes it stale).
    pub(super) announced: bool,
    pub(super) newest: Option<TimeNs>,
    /// The highest floor that any member ever had here: changes at or above it go to all.
    pub(super) floor_max: TimeNs,
    changes: Vec<Change>,
    /// `changes` are puts only, each newer than all before: the common case, sent as it is.
    in_order: bool,
    /// Where columns are sent: the one of the newest reading.
    pub(super) open: Option<Open>,
}

/// The head over the times of a series' late points, from a time on.
#[derive(Clone, Debug)]
pub struct Seen {
    pub from: TimeNs,
    pub view: ColumnView,
}

/// Several late points of one series: `count` of them in [from, to]. Where columns are sent: the columns that have to be looked at
/// lie in [from, to].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Late {
    pub number: Number,
    pub series: SeriesId,
    pub from: TimeNs,
    pub to: TimeNs,
    pub count: usize,
}

impl Slot {
    pub(super) fn new(series: Arc<Series>) -> Self {
        Self { series, announced: false, newest: None, floor_max: TimeNs::MIN, changes: Vec::new(), in_order: true, open: None }
    }

    /// Says whether it is the first that is pending.
    pub(super) fn push(&mut self, change: Change) -> bool {
        self.in_order &= match (&change, self.changes.last()) {
            (Change::Put(time, _), Some(Change::Put(last, _))) => time > last,
            (Change::Put(time, _), None) => self.newest.is_none_or(|newest| *time > newest),
            (Change::Put(..), Some(Change::Delete(..))) | (Change::Delete(..), _) => false,
        };
        self.changes.push(change);
        self.changes.len() == 1
    }

    /// Where the head is to be looked at for what is pending, see [`Late`]. None: nowhere.
    pub(super) fn late(&self, number: Number, column_ns: Option<i64>) -> Option<Late> {
        let series = self.series.id;
        if let Some(width) = column_ns {
            let from = self.look_from(width)?;
            return Some(Late { number, series, from, to: TimeNs::MAX, count: self.changes.len() });
        }
        let newest = self.newest.filter(|_| !self.in_order)?;
        let times = self.changes.iter().filter_map(Change::time).filter(|time| *time <= newest);
        let (from, to, count) = times.fold((TimeNs::MAX, TimeNs::MIN, 0), |(from, to, n), t| (from.min(t), to.max(t), n + 1));
        (count > 1).then_some(Late { number, series, from, to, count })
    }

    /// Adds what its changes come to. False: they cancel out, or nothing of them is known to anyone.
    pub(super) fn settle(&mut self, number: Number, tick: &mut Tick, seen: Option<&Seen>) -> bool {
        let changes = std::mem::take(&mut self.changes);
        if std::mem::replace(&mut self.in_order, true) {
            let point = |change| match change {
                Change::Put(time, value) => (time, value),
                Change::Delete(..) => unreachable!("a delete is never in order"),
            };
            let points: Vec<_> = changes.into_iter().map(point).collect();
            self.newest = points.last().map(|(time, _)| *time).or(self.newest);
            tick.runs.push(Run { number, points });
            return true;
        }
        let (mut points, mut deletes) = fold(changes);
        if self.newest.is_none() {
            deletes.clear(); // nobody has anything of it
        }
        unite(&mut deletes);
        let mut gone: Vec<Span> =
            deletes.into_iter().map(|(from, to)| Span { number, from, to, deleted: true, points: Vec::new(), left_out: 0 }).collect();
        let (mut run, mut late) = (Vec::new(), Vec::new());
        let newest = self.newest;
        self.newest = self.newest.max(points.last_key_value().map(|(time, _)| *time));
        while let Some((time, value)) = points.pop_first() {
            let place = gone.partition_point(|span| span.to < time);
            match gone.get_mut(place) {
                Some(span) if span.from <= time => span.points.push((time, value)),
                _ if newest.is_none_or(|newest| time > newest) => run.push((time, value)),
                _ => late.push(Span { number, from: time, to: time, deleted: false, points: vec![(time, value)], left_out: 0 }),
            }
        }
        let used = !(run.is_empty() && late.is_empty() && gone.is_empty());
        tick.spans.append(&mut gone);
        tick.spans.extend(match seen {
            Some(seen) => join_neighbours(late, &seen.view),
            None => late,
        });
        if !run.is_empty() {
            tick.runs.push(Run { number, points: run });
        }
        used
    }

    /// The same in columns: see `open`.
    pub(super) fn settle_columns(
        &mut self,
        number: Number,
        width_ns: i64,
        budget: &mut usize,
        tick: &mut Tick,
        seen: Option<&Seen>,
    ) -> bool {
        let changes = std::mem::take(&mut self.changes);
        let newest_now = changes.iter().filter_map(Change::time).max();
        let changes = if std::mem::replace(&mut self.in_order, true) {
            let fresh = changes.into_iter().filter_map(Change::into_point).collect();
            Changes { fresh, late: BTreeMap::new(), deletes: Vec::new() }
        } else {
            let (mut points, mut deletes) = fold(changes);
            if self.newest.is_none() {
                deletes.clear(); // nobody has anything of it
            }
            unite(&mut deletes);
            let is_gone = |time: TimeNs| deletes.iter().any(|(from, to)| (*from..=*to).contains(&time));
            let is_fresh = |time: TimeNs| self.newest.is_none_or(|newest| time > newest) && !is_gone(time);
            let fresh = points.extract_if(.., |time, _| is_fresh(*time)).collect();
            Changes { fresh, late: points, deletes }
        };
        let said = Columns { number, width_ns, open: &mut self.open, newest: self.newest, budget }.settle(changes, seen);
        self.newest = self.newest.max(newest_now);
        let used = !(said.run.is_empty() && said.spans.is_empty());
        tick.merged += said.left_out;
        tick.spans.extend(said.spans);
        if !said.run.is_empty() {
            tick.runs.push(Run { number, points: said.run });
        }
        used
    }

    /// Where the first column begins that has to be looked at in the head for what is pending. None: nowhere.
    fn look_from(&self, width_ns: i64) -> Option<TimeNs> {
        let newest = self.newest?;
        let column = if self.in_order {
            unknown_front(self.open.as_ref(), Some(newest), self.changes.first().and_then(Change::time), width_ns)?
        } else {
            let first = self.changes.iter().map(Change::from).min()?;
            column_of(first.min(newest), width_ns)
        };
        Some(bounds(column, width_ns).0)
    }
}

/// Late points between which the series has no other point share a span. `view` is the series at the tick's cursor.
fn join_neighbours(late: Vec<Span>, view: &ColumnView) -> Vec<Span> {
    let mut joined: Vec<Span> = Vec::new();
    let mut late = late.into_iter().peekable();
    let mut before_is_late = false;
    for (time, _) in view.iter() {
        // What lies outside of the view stays alone.
        while let Some(outside) = late.next_if(|span| span.from < time) {
            joined.push(outside);
            before_is_late = false;
        }
        let Some(span) = late.next_if(|span| span.from == time) else {
            before_is_late = false;
            continue;
        };
        match joined.last_mut().filter(|_| before_is_late) {
            Some(open) => {
                open.to = time;
                open.points.extend(span.points);
            }
            None => joined.push(span),
        }
        before_is_late = true;
    }
    joined.extend(late);
    joined
}
