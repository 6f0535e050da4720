//! A group: everyone who asked for the same with the same reach and encoding. One set of series with one numbering, each in a [`Slot`]
//! with its pending changes, and one frame per tick. Pure: time and positions are parameters, `H` is whatever addresses a member.
//!
//! Invariants: a series keeps its number as long as the group lives. `newest` of a series is at or after the newest time any member
//! has been sent for it, so a change beyond it is news to all (an update) and any other is a repair (a span of a patch).
//! A member is never sent a change from before the start of its snapshot (its [`Floor`]); one that resumed has no floor, since
//! only its first snapshot knew the start.

use std::collections::BTreeMap;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::change::Change;
use super::content::{Named, Number, Span, Tick, point_weight};
use super::cursor::Cursor;
use super::floor::Floor;
use super::open::Columns;
use super::presence::DeviceState;
use super::slot::{Late, Seen, Slot};
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
        self.slots.push(Slot::new(series));
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
        self.weight += point_weight(value);
        self.push(number, Change::Put(time, value.clone()));
    }

    pub fn delete(&mut self, number: Number, from: TimeNs, to: TimeNs) {
        self.weight += 32;
        self.push(number, Change::Delete(from, to));
    }

    fn push(&mut self, number: Number, change: Change) {
        if self.slots[number as usize].push(change) {
            self.dirty.push(number);
        }
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
        let late = |number: &Number| self.slots[*number as usize].late(*number, self.column_ns);
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
