//! What a viewer that fell behind is sent instead of its queued frames: their contents in one, and columns of it when that is
//! still too much. Pure.
//!
//! Until [`Merged::thin`] ran nothing is lost: the fold of several ticks has the same effect as the ticks one by one. Columns keep
//! the smallest, the largest and the last reading (of bool and text: the last); columns of twice the width nest, so thinning
//! again keeps the true extremes. Deleted ranges are kept always: a viewer must not show what is gone.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::column::Thinner;
use super::content::{Named, Number, Run, Span, Tick, point_weight};
use super::cursor::Cursor;
use super::presence::DeviceState;
use crate::keyed::KeyedMap;
use crate::model::{TimeNs, Value};

/// Deleted ranges of one series kept apart. Beyond: the two nearest become one, and the frame says that readings are left out.
const DELETES_PER_SERIES: usize = 256;
/// Beyond the node of a point itself, what a map entry costs.
const ENTRY_BYTES: usize = 24;

#[derive(Debug)]
pub struct Merged {
    before: Cursor,
    cursor: Cursor,
    announced: BTreeMap<Number, Named>,
    series: BTreeMap<Number, Series>,
    states: KeyedMap<Arc<str>, DeviceState>,
    left_out: u64,
    width_ns: i64,
    weight: usize,
}

#[derive(Debug, Default)]
struct Series {
    points: BTreeMap<TimeNs, Value>,
    deletes: Vec<(TimeNs, TimeNs)>,
    /// The first point that was new at its tick. Points before it were late: each is a span of its own.
    first_new: Option<TimeNs>,
}

impl Merged {
    /// `width_ns` is the width of the first columns: a pixel's where `points` was given, else the time between two frames.
    #[must_use]
    pub fn new(tick: &Tick, width_ns: i64) -> Self {
        let mut merged = Self {
            before: tick.before,
            cursor: tick.cursor,
            announced: BTreeMap::new(),
            series: BTreeMap::new(),
            states: KeyedMap::default(),
            left_out: 0,
            width_ns: width_ns.max(1),
            weight: size_of::<Self>(),
        };
        merged.fold(tick);
        merged
    }

    /// Adds the next tick.
    pub fn fold(&mut self, tick: &Tick) {
        self.cursor = tick.cursor;
        self.left_out += tick.merged;
        for named in &tick.announced {
            self.announced.insert(named.number, named.clone());
        }
        for state in &tick.states {
            if self.states.insert(Arc::clone(&state.device), state.clone()).is_none() {
                self.weight += state.weight();
            }
        }
        for span in &tick.spans {
            let series = self.series.entry(span.number).or_default();
            self.weight += series.apply(span, &mut self.left_out);
        }
        for run in &tick.runs {
            let series = self.series.entry(run.number).or_default();
            if let Some((first, _)) = run.points.first() {
                series.first_new = Some(series.first_new.map_or(*first, |known| known.min(*first)));
            }
            for (time, value) in &run.points {
                self.weight += ENTRY_BYTES + point_weight(value);
                series.points.insert(*time, value.clone());
            }
        }
    }

    /// About its bytes in memory. After points were superseded it may say too much, never too little.
    #[must_use]
    pub fn weight(&self) -> usize {
        self.weight
    }

    /// Thins into columns, wider ones each time, until it weighs at most `target` or each series is down to its last reading.
    pub fn thin(&mut self, target: usize) {
        self.weigh();
        while self.weight > target {
            let widest = self.width_ns > i64::MAX / 32;
            let before = self.left_out;
            for series in self.series.values_mut() {
                self.left_out += if widest { series.keep_last() } else { series.thin(self.width_ns) };
            }
            self.weigh();
            if widest {
                return;
            }
            if self.weight > target {
                // Where columns hold next to nothing, twice as wide ones do as well.
                self.width_ns *= if self.left_out == before { 16 } else { 2 };
            }
        }
    }

    fn weigh(&mut self) {
        let points = |series: &Series| series.points.values().map(|v| ENTRY_BYTES + point_weight(v)).sum::<usize>();
        let series: usize = self.series.values().map(|s| size_of::<Series>() + points(s) + s.deletes.len() * 16).sum();
        let states: usize = self.states.values().map(DeviceState::weight).sum();
        self.weight = size_of::<Self>() + series + states + self.announced.len() * size_of::<Named>();
    }

    /// What is to be sent.
    #[must_use]
    pub fn into_tick(self) -> Tick {
        let (mut runs, mut spans) = (Vec::new(), Vec::new());
        for (number, series) in self.series {
            series.split(number, &mut runs, &mut spans);
        }
        let mut states: Vec<_> = self.states.into_values().collect();
        states.sort_by(|a, b| a.device.cmp(&b.device));
        let mark = runs.is_empty() && spans.is_empty() && self.cursor != self.before;
        let announced = self.announced.into_values().collect();
        Tick { before: self.before, cursor: self.cursor, announced, runs, spans, states, merged: self.left_out, mark }
    }
}

impl Series {
    /// Says by how many bytes it grew.
    fn apply(&mut self, span: &Span, left_out: &mut u64) -> usize {
        let mut grown = 0;
        if span.deleted {
            let gone: Vec<TimeNs> = self.points.range(span.from..=span.to).map(|(time, _)| *time).collect();
            for time in gone {
                self.points.remove(&time);
            }
            grown += 16;
            self.deletes.push((span.from, span.to));
            unite(&mut self.deletes);
            if self.deletes.len() > DELETES_PER_SERIES {
                join_nearest(&mut self.deletes);
                *left_out += 1;
            }
        }
        for (time, value) in &span.points {
            grown += ENTRY_BYTES + point_weight(value);
            self.points.insert(*time, value.clone());
        }
        grown
    }

    /// Keeps min, max and last of each column; says how many readings were left out.
    fn thin(&mut self, width_ns: i64) -> u64 {
        let mut thinner = Thinner::new(width_ns);
        std::mem::take(&mut self.points).iter().for_each(|(time, value)| thinner.push(*time, value));
        let (kept, left_out) = thinner.finish();
        self.points = kept.into_iter().collect();
        left_out
    }

    fn keep_last(&mut self) -> u64 {
        let before = self.points.len();
        if let Some((time, value)) = self.points.pop_last() {
            self.points = BTreeMap::from([(time, value)]);
        }
        (before - self.points.len()) as u64
    }

    fn split(self, number: Number, runs: &mut Vec<Run>, spans: &mut Vec<Span>) {
        let deleted = |&(from, to): &(TimeNs, TimeNs)| Span { number, from, to, deleted: true, points: Vec::new(), left_out: 0 };
        let mut gone: Vec<Span> = self.deletes.iter().map(deleted).collect();
        let mut late = Vec::new();
        let mut run = Vec::new();
        for (time, value) in self.points {
            let place = gone.partition_point(|span| span.to < time);
            match gone.get_mut(place) {
                Some(span) if span.from <= time => span.points.push((time, value)),
                _ if self.first_new.is_some_and(|first| time >= first) => run.push((time, value)),
                _ => late.push(Span { number, from: time, to: time, deleted: false, points: vec![(time, value)], left_out: 0 }),
            }
        }
        spans.append(&mut gone);
        spans.append(&mut late);
        if !run.is_empty() {
            runs.push(Run { number, points: run });
        }
    }
}

/// Sorts ranges and makes one of those that touch or overlap.
pub(super) fn unite(ranges: &mut Vec<(TimeNs, TimeNs)>) {
    ranges.sort_unstable();
    ranges.dedup_by(|next, kept| {
        let touch = next.0 <= kept.1.saturating_add(1);
        if touch {
            kept.1 = kept.1.max(next.1);
        }
        touch
    });
}

fn join_nearest(ranges: &mut Vec<(TimeNs, TimeNs)>) {
    let gap = |i: &usize| ranges[*i + 1].0.saturating_sub(ranges[*i].1);
    if let Some(nearest) = (0..ranges.len() - 1).min_by_key(gap) {
        let (_, to) = ranges.remove(nearest + 1);
        ranges[nearest].1 = to;
    }
}
