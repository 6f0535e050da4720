//! A group: everyone who asked for the same with the same reach and encoding. One set of series with one numbering, one list of
//! pending changes, one frame per tick. Pure: time and positions are parameters, `H` is whatever addresses a member.
//!
//! Invariants: a series keeps its number as long as the group lives. `newest` of a series is at or after the newest time any member
//! has been sent for it, so a change beyond it is news to all (an update) and any other is a repair (a span of a patch).
//! A member is never sent a change from before the start of its snapshot (its [`Floor`]); one that resumed has no floor, since
//! only its first snapshot knew the start.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use rustc_hash::FxHashMap;

use super::column::{bounds, column_of};
use super::content::{Named, Number, Run, Span, Tick, point_weight};
use super::cursor::Cursor;
use super::merge::unite;
use super::open::{Changes, Columns, Open, unknown_front};
use super::presence::DeviceState;
use crate::head::ColumnView;
use crate::keyed::KeyedSet;
use crate::limits::COLUMN_LOOK_POINTS;
use crate::model::{SeriesId, TimeNs, Value};
use crate::series::Series;

#[derive(Debug)]
pub struct Group<H> {
    numbers: FxHashMap<SeriesId, Number>,
    slots: Vec<Slot>,
    /// Numbers with pending changes.
    dirty: Vec<Number>,
    states: BTreeMap<Arc<str>, DeviceState>,
    devices: KeyedSet<Arc<str>>,
    pub members: Vec<Member<H>>,
    /// What every member was told last: all that was committed up to here has been sent, as far as it is of this group.
    cursor: Cursor,
    weight: usize,
    /// Viewers that gave `points`: the width of a pixel.
    column_ns: Option<i64>,
}

#[derive(Debug)]
pub struct Member<H> {
    pub handle: H,
    pub floor: Floor,
}

/// Where a member's promise begins, per series.
#[derive(Clone, Debug)]
pub enum Floor {
    /// `history`: a time for the first `count` series, known at its snapshot; what is seen later begins with its first point.
    From { time: TimeNs, count: usize },
    /// Last known values: a time for each series known at its snapshot.
    Last(Arc<[TimeNs]>),
    /// It gave a cursor and the log is being read: no floor, unless the answer turns out to be a fresh snapshot.
    Resuming { otherwise: Box<Floor>, recovered: Arc<OnceLock<bool>> },
}

impl Floor {
    fn of(&self, number: Number) -> TimeNs {
        let index = number as usize;
        match self {
            Self::From { time, count } => {
                if index < *count {
                    *time
                } else {
                    TimeNs::MIN
                }
            }
            Self::Last(times) => times.get(index).copied().unwrap_or(TimeNs::MIN),
            Self::Resuming { otherwise, recovered } => {
                if recovered.get() == Some(&false) {
                    otherwise.of(number)
                } else {
                    TimeNs::MIN
                }
            }
        }
    }

    /// The highest it may turn out to be.
    fn at_most(&self, number: Number) -> TimeNs {
        match self {
            Self::Resuming { otherwise, .. } => otherwise.of(number),
            decided => decided.of(number),
        }
    }
}

#[derive(Debug)]
struct Slot {
    series: Arc<Series>,
    /// The members have its description (a change of unit or kind makes it stale).
    announced: bool,
    newest: Option<TimeNs>,
    /// The highest floor that any member ever had here: changes at or above it go to all.
    floor_max: TimeNs,
    changes: Vec<Change>,
    /// `changes` are puts only, each newer than all before: the common case, sent as it is.
    in_order: bool,
    /// Where columns are sent: the one of the newest reading.
    open: Option<Open>,
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

#[derive(Clone, Debug, PartialEq)]
enum Change {
    Put(TimeNs, Value),
    Delete(TimeNs, TimeNs),
}

impl Change {
    fn from(&self) -> TimeNs {
        match self {
            Self::Put(time, _) => *time,
            Self::Delete(from, _) => *from,
        }
    }

    fn time(&self) -> Option<TimeNs> {
        match self {
            Self::Put(time, _) => Some(*time),
            Self::Delete(..) => None,
        }
    }

    fn into_point(self) -> Option<(TimeNs, Value)> {
        match self {
            Self::Put(time, value) => Some((time, value)),
            Self::Delete(..) => None,
        }
    }
}

impl<H> Group<H> {
    #[must_use]
    pub fn new(cursor: Cursor, column_ns: Option<i64>) -> Self {
        Self {
            column_ns,
            numbers: FxHashMap::default(),
            slots: Vec::new(),
            dirty: Vec::new(),
            states: BTreeMap::new(),
            devices: KeyedSet::default(),
            members: Vec::new(),
            cursor,
            weight: 0,
        }
    }

    /// Gives the series a number, if it has none.
    pub fn add_series(&mut self, series: Arc<Series>) -> Number {
        if let Some(number) = self.numbers.get(&series.id) {
            return *number;
        }
        let number = Number::try_from(self.slots.len()).expect("series per hub are bounded far below 2^32");
        self.numbers.insert(series.id, number);
        if !self.devices.contains(&*series.key.device) {
            self.devices.insert(Arc::clone(&series.key.device));
        }
        self.slots.push(Slot {
            series,
            announced: false,
            newest: None,
            floor_max: TimeNs::MIN,
            changes: Vec::new(),
            in_order: true,
            open: None,
        });
        number
    }

    #[must_use]
    pub fn number_of(&self, id: SeriesId) -> Option<Number> {
        self.numbers.get(&id).copied()
    }

    /// Its series by number.
    pub fn series(&self) -> impl ExactSizeIterator<Item = &Arc<Series>> {
        self.slots.iter().map(|slot| &slot.series)
    }

    #[must_use]
    pub fn devices(&self) -> &KeyedSet<Arc<str>> {
        &self.devices
    }

    #[must_use]
    pub fn cursor(&self) -> Cursor {
        self.cursor
    }

    /// About the bytes of what is pending.
    #[must_use]
    pub fn weight(&self) -> usize {
        self.weight
    }

    #[must_use]
    pub fn has_pending(&self) -> bool {
        !self.dirty.is_empty() || !self.states.is_empty()
    }

    pub fn put(&mut self, number: Number, time: TimeNs, value: &Value) {
        let slot = &mut self.slots[number as usize];
        slot.in_order &= match slot.changes.last() {
            Some(Change::Put(last, _)) => time > *last,
            Some(Change::Delete(..)) => false,
            None => slot.newest.is_none_or(|newest| time > newest),
        };
        self.weight += point_weight(value);
        self.push(number, Change::Put(time, value.clone()));
    }

    pub fn delete(&mut self, number: Number, from: TimeNs, to: TimeNs) {
        self.slots[number as usize].in_order = false;
        self.weight += 32;
        self.push(number, Change::Delete(from, to));
    }

    fn push(&mut self, number: Number, change: Change) {
        let slot = &mut self.slots[number as usize];
        if slot.changes.is_empty() {
            self.dirty.push(number);
        }
        slot.changes.push(change);
    }

    /// Unit or kind changed: the next message that uses the series describes it again.
    pub fn stale_description(&mut self, number: Number) {
        self.slots[number as usize].announced = false;
    }

    pub fn device_state(&mut self, state: &DeviceState) {
        if self.devices.contains(&*state.device) {
            self.states.insert(Arc::clone(&state.device), state.clone());
        }
    }

    /// Series with several late points pending, and the times they lie between: with a view of the head over each,
    /// [`Group::take`] can make few spans of many points.
    #[must_use]
    pub fn late(&self) -> Vec<Late> {
        if let Some(width) = self.column_ns {
            let late = |number: &Number| {
                let slot = &self.slots[*number as usize];
                let from = slot.look_from(width)?;
                Some(Late { number: *number, series: slot.series.id, from, to: TimeNs::MAX, count: slot.changes.len() })
            };
            return self.dirty.iter().filter_map(late).collect();
        }
        let late = |number: &Number| {
            let slot = &self.slots[*number as usize];
            let newest = slot.newest.filter(|_| !slot.in_order)?;
            let times = slot.changes.iter().filter_map(|change| match change {
                Change::Put(time, _) if *time <= newest => Some(*time),
                _ => None,
            });
            let (from, to, count) = times.fold((TimeNs::MAX, TimeNs::MIN, 0), |(from, to, n), t| (from.min(t), to.max(t), n + 1));
            (count > 1).then(|| Late { number: *number, series: slot.series.id, from, to, count })
        };
        self.dirty.iter().filter_map(late).collect()
    }

    /// What is pending becomes a tick; `cursor` is the place up to which commits have been put in. `mark`: tell the cursor even
    /// if there is nothing else, because someone is about to join there. `views`: the head at `cursor`, see [`Group::late`].
    /// None: nothing to say.
    pub fn take(&mut self, cursor: Cursor, mark: bool, views: &FxHashMap<Number, Seen>) -> Option<Tick> {
        let mut tick = Tick::empty(self.cursor, cursor);
        tick.states = std::mem::take(&mut self.states).into_values().collect();
        let mut dirty = std::mem::take(&mut self.dirty);
        dirty.sort_unstable();
        let mut budget = COLUMN_LOOK_POINTS;
        for number in dirty {
            let slot = &mut self.slots[number as usize];
            let used = match self.column_ns {
                Some(width) => slot.settle_columns(number, width, &mut budget, &mut tick, views.get(&number)),
                None => slot.settle(number, &mut tick, views.get(&number)),
            };
            if used && !slot.announced {
                slot.announced = true;
                tick.announced.push(Named { number, series: Arc::clone(&slot.series) });
            }
        }
        if mark && !self.members.is_empty() {
            self.tidy(&mut tick);
        }
        self.weight = 0;
        tick.mark = mark && !tick.has_readings() && cursor != self.cursor;
        if tick.has_readings() {
            self.cursor = cursor;
        }
        (tick.has_readings() || !tick.states.is_empty()).then_some(tick)
    }

    /// All members are to have the same of the open columns.
    fn tidy(&mut self, tick: &mut Tick) {
        let Some(width_ns) = self.column_ns else {
            return;
        };
        for (number, slot) in (0..).zip(&mut self.slots) {
            let mut columns = Columns { number, width_ns, open: &mut slot.open, newest: slot.newest, budget: &mut 0 };
            if let Some(said) = columns.tidy() {
                tick.spans.extend(said.spans);
                tick.merged += said.left_out;
            }
        }
    }

    /// Someone joins with a snapshot of the present state at `cursor`, after a `take` at the same place.
    /// `last` are the newest times in the head by number.
    pub fn join(&mut self, member: Member<H>, cursor: Cursor, last: &[Option<TimeNs>]) {
        for (number, (slot, last)) in (0..).zip(self.slots.iter_mut().zip(last)) {
            let floor = member.floor.at_most(number);
            slot.newest = slot.newest.max(*last).max(floor.checked_sub(1));
            slot.floor_max = slot.floor_max.max(floor);
            // The newcomer's snapshot describes every series; alone, nobody needs to be told again.
            slot.announced |= self.members.is_empty();
            if self.members.is_empty() {
                slot.open = None; // what was counted is not what the snapshot shows
            }
        }
        self.cursor = cursor;
        self.members.push(member);
    }

    /// Who gets what of a tick: usually all members the whole; late points from before some member's start, and deletes that end
    /// before it, are kept from that one.
    /// Yields a tick with the members (by index) who are sent it.
    #[must_use]
    pub fn audience(&self, tick: Tick) -> Vec<(Tick, Vec<usize>)> {
        let first = |span: &Span| if span.deleted { span.to } else { span.from };
        let below_any = |span: &Span| first(span) < self.slots[span.number as usize].floor_max;
        if !tick.spans.iter().any(below_any) {
            return vec![(tick.with_left_out(), (0..self.members.len()).collect())];
        }
        // By the spans that are kept, each with the time before which its points are not.
        let mut by_kept: BTreeMap<Vec<(usize, TimeNs)>, Vec<usize>> = BTreeMap::new();
        for (index, member) in self.members.iter().enumerate() {
            let kept = tick.spans.iter().enumerate().filter_map(|(i, span)| {
                let floor = member.floor.of(span.number);
                (span.to >= floor).then_some((i, if first(span) < floor { floor } else { TimeNs::MIN }))
            });
            by_kept.entry(kept.collect()).or_default().push(index);
        }
        let part = |(kept, members): (Vec<(usize, TimeNs)>, Vec<usize>)| {
            let spans = kept.iter().map(|(i, floor)| tick.spans[*i].since(*floor)).collect();
            let mut part = Tick { spans, ..tick.clone() }.with_left_out();
            part.mark = !part.has_readings();
            (part, members)
        };
        by_kept.into_iter().map(part).collect()
    }
}

impl Slot {
    /// Adds what its changes come to. False: they cancel out, or nothing of them is known to anyone.
    fn settle(&mut self, number: Number, tick: &mut Tick, seen: Option<&Seen>) -> bool {
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
    fn settle_columns(&mut self, number: Number, width_ns: i64, budget: &mut usize, tick: &mut Tick, seen: Option<&Seen>) -> bool {
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

/// Changes in commit order, as what stays of them: the points that stand, and all that was deleted on the way.
fn fold(changes: Vec<Change>) -> (BTreeMap<TimeNs, Value>, Vec<(TimeNs, TimeNs)>) {
    let (mut points, mut deletes) = (BTreeMap::new(), Vec::new());
    for change in changes {
        match change {
            Change::Put(time, value) => drop(points.insert(time, value)),
            Change::Delete(from, to) => {
                let gone: Vec<TimeNs> = points.range(from..=to).map(|(time, _)| *time).collect();
                for time in gone {
                    points.remove(&time);
                }
                deletes.push((from, to));
            }
        }
    }
    (points, deletes)
}

/// What a resumed viewer is sent of one series: changes since its cursor, deletes first.
#[derive(Debug, Default)]
pub struct Since {
    changes: Vec<Change>,
}

impl Since {
    pub fn put(&mut self, time: TimeNs, value: Value) {
        self.changes.push(Change::Put(time, value));
    }

    pub fn delete(&mut self, from: TimeNs, to: TimeNs) {
        self.changes.push(Change::Delete(from, to));
    }

    /// Deleted ranges, and the points to put in after they are forgotten.
    #[must_use]
    pub fn settle(self, number: Number) -> (Vec<Span>, Vec<(TimeNs, Value)>) {
        let (points, mut deletes) = fold(self.changes);
        unite(&mut deletes);
        let span = |(from, to)| Span { number, from, to, deleted: true, points: Vec::new(), left_out: 0 };
        (deletes.into_iter().map(span).collect(), points.into_iter().collect())
    }
}
