//! A series of a group whose viewers gave `points`: per column of pixels they are sent the smallest, the largest and the last
//! reading. Pure.
//!
//! The column of the newest reading is **open**. While it is, each tick sends those of its new readings that are the smallest, the
//! largest or the last so far. When the next column begins, what others have taken the place of is taken back by a range over the
//! whole column, so a closed column holds its three exactly. A late, rewritten or deleted reading has its column read again in the
//! head, and the column is sent whole. Where the head has not all of it any more, or there is too much to read, the late readings are
//! all added: then the column holds its three and some more, and nothing with a value that was rewritten.
//!
//! Invariant: as long as nothing is rewritten or deleted, the readings that were told to be left out and the points that a member
//! has are together all readings since its snapshot.

use std::collections::BTreeMap;

use super::column::{Extremes, Point, bounds, column_of};
use super::content::{Number, Span};
use super::slot::Seen;
use crate::model::{TimeNs, TimeRange, Value};

/// What a series has to say at one tick.
#[derive(Debug, Default)]
pub(super) struct Said {
    pub run: Vec<Point>,
    pub spans: Vec<Span>,
    /// Beside what the spans say.
    pub left_out: u64,
}

/// The column of the newest reading. After each tick the members have all of its extremes.
#[derive(Clone, Debug)]
pub(super) struct Open {
    column: i64,
    /// Its earliest reading.
    first: Option<TimeNs>,
    extremes: Extremes,
    /// Nothing is in the column but what was counted here. Otherwise nothing of it is taken back.
    is_whole: bool,
    /// The extremes up to here are with the members.
    covered: Option<TimeNs>,
    readings: u64,
    /// How many of them the members have.
    sent: u64,
    /// How many were told to be left out.
    told: u64,
}

/// Changes of one tick, as `fold` leaves them.
pub(super) struct Changes {
    /// In time order, each newer than all that was sent before and in no deleted range.
    pub fresh: Vec<Point>,
    /// The others.
    pub late: BTreeMap<TimeNs, Value>,
    /// United.
    pub deletes: Vec<(TimeNs, TimeNs)>,
}

/// One series' side of it.
pub(super) struct Columns<'a> {
    pub number: Number,
    pub width_ns: i64,
    pub open: &'a mut Option<Open>,
    /// The newest time that any member was sent.
    pub newest: Option<TimeNs>,
    /// Readings that may still be looked at in this tick.
    pub budget: &'a mut usize,
}

impl Columns<'_> {
    pub(super) fn settle(&mut self, changes: Changes, seen: Option<&Seen>) -> Said {
        let mut said = Said::default();
        let Changes { mut fresh, late, deletes } = changes;
        let touched = self.touched(&fresh, late, &deletes);
        let newest = self.newest.max(fresh.last().map(|(time, _)| *time)).max(touched.newest());
        said.spans.extend(deletes.iter().map(|(from, to)| self.whole(*from, *to, Vec::new(), 0)));
        for (column, pending) in touched.columns {
            let at_front = newest.is_some_and(|newest| column_of(newest, self.width_ns) == column);
            let before = fresh.partition_point(|(time, _)| column_of(*time, self.width_ns) < column);
            self.append(fresh.drain(..before), &mut said);
            match seen.and_then(|seen| self.read(column, seen)) {
                Some(readings) => {
                    let of_column = fresh.partition_point(|(time, _)| column_of(*time, self.width_ns) <= column);
                    let pending = fresh.drain(..of_column).chain(pending).collect();
                    self.replace(column, &readings, &pending, at_front, &mut said);
                }
                None => self.add(column, &pending, &deletes, &mut said),
            }
        }
        self.append(fresh.into_iter(), &mut said);
        said
    }

    /// The columns that cannot be gone on with: those of late readings, those that a delete cuts into, and the front's when what is in
    /// it so far is not known.
    fn touched(&self, fresh: &[Point], late: BTreeMap<TimeNs, Value>, deletes: &[(TimeNs, TimeNs)]) -> Touched {
        let mut columns: BTreeMap<i64, BTreeMap<TimeNs, Value>> = BTreeMap::new();
        for (time, value) in late {
            columns.entry(column_of(time, self.width_ns)).or_default().insert(time, value);
        }
        for (from, to) in deletes {
            for end in [from, to] {
                columns.entry(column_of(*end, self.width_ns)).or_default();
            }
            if let Some(open) = self.open.as_ref().filter(|open| cuts(*from, *to, open.column, self.width_ns)) {
                columns.entry(open.column).or_default();
            }
        }
        if let Some(front) = unknown_front(self.open.as_ref(), self.newest, fresh.first().map(|(time, _)| *time), self.width_ns) {
            columns.entry(front).or_default();
        }
        Touched { columns }
    }

    /// All readings of a column. None: the head does not have them all, or they are too many.
    fn read(&mut self, column: i64, seen: &Seen) -> Option<BTreeMap<TimeNs, Value>> {
        let (from, to) = bounds(column, self.width_ns);
        if from < seen.from {
            return None;
        }
        let view = seen.view.within(TimeRange { from, to: to.saturating_add(1) });
        *self.budget = self.budget.checked_sub(view.points())?;
        Some(view.iter().collect())
    }

    /// Sends the column whole. `pending` are the readings of it that this tick brought.
    fn replace(
        &mut self,
        column: i64,
        readings: &BTreeMap<TimeNs, Value>,
        pending: &BTreeMap<TimeNs, Value>,
        at_front: bool,
        said: &mut Said,
    ) {
        let extremes = Extremes::of(readings);
        let points = extremes.points();
        let sent = points.len() as u64;
        let left = readings.len() as u64 - sent;
        let (left_out, told) = match self.open.take_if(|open| open.column == column) {
            Some(open) => (left.saturating_sub(open.told), left.max(open.told)),
            None => {
                // A closed column's three, before: a reading that was rewritten counts as one that came late.
                let before = Extremes::of(readings.iter().filter(|(time, _)| !pending.contains_key(time))).points().len() as u64;
                ((pending.len() as u64 + before).saturating_sub(sent), left)
            }
        };
        // Where nothing is left, the delete says so.
        let ends = readings.keys().next().zip(readings.keys().next_back());
        said.spans.extend(ends.map(|(first, last)| self.whole(*first, *last, points, left_out)));
        if at_front {
            self.close(said);
            let (first, covered) = (readings.keys().next().copied(), readings.keys().next_back().copied());
            *self.open = Some(Open { column, first, extremes, is_whole: true, covered, readings: readings.len() as u64, sent, told });
        }
    }

    /// Sends the late readings of a column whose others are not at hand. All of them: a member may have each with its old value.
    fn add(&mut self, column: i64, late: &BTreeMap<TimeNs, Value>, deletes: &[(TimeNs, TimeNs)], said: &mut Said) {
        let alone = |(time, value): (&TimeNs, &Value)| Span {
            number: self.number,
            from: *time,
            to: *time,
            deleted: false,
            points: vec![(*time, value.clone())],
            left_out: 0,
        };
        said.spans.extend(late.iter().map(alone));
        // What comes after an extreme that was rewritten is not known here.
        self.open.take_if(|open| open.column == column && late.keys().any(|time| open.extremes.has(*time)));
        if let Some(open) = self.open.as_mut().filter(|open| open.column == column) {
            late.iter().for_each(|(time, value)| open.extremes.add(*time, value));
            open.first = open.first.into_iter().chain(late.keys().next().copied()).min();
            open.readings += late.len() as u64;
            open.sent += late.len() as u64;
        }
        let cut = deletes.iter().any(|(from, to)| cuts(*from, *to, column, self.width_ns));
        self.open.take_if(|open| open.column == column && cut);
    }

    fn append(&mut self, fresh: impl Iterator<Item = Point>, said: &mut Said) {
        let mut last = None;
        for (time, value) in fresh {
            let column = column_of(time, self.width_ns);
            if self.open.as_ref().is_none_or(|open| open.column != column) {
                self.close(said);
                let is_whole = self.newest.is_none_or(|newest| column_of(newest, self.width_ns) != column);
                let (extremes, covered) = (Extremes::default(), self.newest);
                *self.open = Some(Open { column, first: Some(time), extremes, is_whole, covered, readings: 0, sent: 0, told: 0 });
            }
            if let Some(open) = self.open.as_mut() {
                open.extremes.add(time, &value);
                open.readings += 1;
            }
            last = Some(time);
        }
        if let Some(open) = self.open.as_mut().filter(|_| last.is_some()) {
            let unsent = open.unsent();
            (open.sent, open.covered) = (open.sent + unsent.len() as u64, last);
            said.run.extend(unsent);
            said.left_out += open.tell();
        }
    }

    /// The next column begins: the members are left with the extremes of this one.
    fn close(&mut self, said: &mut Said) {
        let Some(mut open) = self.open.take() else {
            return;
        };
        let unsent = open.unsent();
        let points = open.extremes.points();
        open.sent += unsent.len() as u64;
        if open.is_whole && open.sent > points.len() as u64 {
            open.sent = points.len() as u64;
            said.spans.extend(open.ends().map(|(first, last)| self.whole(first, last, points, 0)));
        } else {
            said.run.extend(unsent);
        }
        said.left_out += open.tell();
    }

    /// Takes back what is too much in the open column, so that all members stand at the same from now on.
    pub(super) fn tidy(&mut self) -> Option<Said> {
        let open = self.open.as_mut()?;
        let points = open.extremes.points();
        if !open.is_whole || open.sent <= points.len() as u64 {
            return None;
        }
        open.sent = points.len() as u64;
        let (left_out, (first, last)) = (open.tell(), open.ends()?);
        Some(Said { run: Vec::new(), spans: vec![self.whole(first, last, points, left_out)], left_out: 0 })
    }

    /// Forget what you have of the column, and put these in. It goes from its first to its last reading: the ends of the column
    /// itself may be written in JSON as an instant of the next one.
    fn whole(&self, from: TimeNs, to: TimeNs, points: Vec<Point>, left_out: u64) -> Span {
        Span { number: self.number, from, to, deleted: true, points, left_out }
    }
}

impl Open {
    /// Extremes that the members do not have yet.
    fn unsent(&self) -> Vec<Point> {
        let is_new = |(time, _): &Point| self.covered.is_none_or(|covered| *time > covered);
        self.extremes.points().into_iter().filter(is_new).collect()
    }

    /// Its earliest and its latest reading.
    fn ends(&self) -> Option<(TimeNs, TimeNs)> {
        Some((self.first?, self.extremes.last_time()?))
    }

    /// How many more are left out than were told.
    fn tell(&mut self) -> u64 {
        let left = self.readings.saturating_sub(self.sent);
        let more = left.saturating_sub(self.told);
        self.told += more;
        more
    }
}

struct Touched {
    columns: BTreeMap<i64, BTreeMap<TimeNs, Value>>,
}

impl Touched {
    fn newest(&self) -> Option<TimeNs> {
        self.columns.values().filter_map(|pending| pending.last_key_value()).map(|(time, _)| *time).max()
    }
}

fn cuts(from: TimeNs, to: TimeNs, column: i64, width_ns: i64) -> bool {
    column_of(from, width_ns) <= column && column <= column_of(to, width_ns)
}

/// The column of the first new reading, when the members have others of it that nobody here has counted.
pub(super) fn unknown_front(open: Option<&Open>, newest: Option<TimeNs>, first: Option<TimeNs>, width_ns: i64) -> Option<i64> {
    let (newest, first) = (column_of(newest?, width_ns), column_of(first?, width_ns));
    (newest == first && open.is_none_or(|open| open.column != first || !open.is_whole)).then_some(first)
}
