//! A run of points of one series, sorted by time, times unique: a column of times and one of values. What the head holds, what
//! a chunk decodes to, what a question about the past reads. Shared read-only by views; the writer copies a block only when a
//! view still holds it.
//!
//! Receive times: a reading that came more than a minute after its time has its own; of the others one lag stands for all.

use std::mem::discriminant;
use std::ops::{Deref, Range};
use std::sync::Arc;

use crate::limits::LATE_AFTER_NS;
use crate::model::{TimeNs, TimeRange, Value, ValueType};
use crate::replayed::Column;

/// Points in a block before it is split. A view of the newest block costs at most one copy of this many points.
pub const BLOCK_POINTS: usize = 1024;

#[derive(Clone, Debug, Default)]
pub struct Block {
    times: Vec<TimeNs>,
    values: Values,
    /// Of readings that came late, by time. A subset of `times`.
    late: Late,
    /// Receive time minus time of one of the others.
    lag: Option<i64>,
}

/// Times and receive times. Most blocks have none, and of a million series each has a block: so it is a word, not three.
#[derive(Clone, Debug, Default)]
#[expect(clippy::box_collection, reason = "a word where there are none")]
struct Late(Option<Box<Vec<(TimeNs, TimeNs)>>>);

impl Late {
    fn new(late: Vec<(TimeNs, TimeNs)>) -> Self {
        Self((!late.is_empty()).then(|| Box::new(late)))
    }

    /// Apart from what is in time, which is almost all.
    #[cold]
    fn push(&mut self, time: TimeNs, received: TimeNs) {
        self.to_mut().push((time, received));
    }

    fn to_mut(&mut self) -> &mut Vec<(TimeNs, TimeNs)> {
        self.0.get_or_insert_default()
    }
}

impl Deref for Late {
    type Target = [(TimeNs, TimeNs)];

    fn deref(&self) -> &Self::Target {
        self.0.as_deref().map_or(&[], Vec::as_slice)
    }
}

/// One column of values. Ints and floats of one series follow each other rarely: a column that meets both becomes `Mixed`.
#[derive(Clone, Debug)]
pub enum Values {
    Int(Vec<i64>),
    Float(Vec<f64>),
    Bool(Vec<bool>),
    Text(Vec<Arc<str>>),
    Mixed(Vec<Value>),
}

impl Default for Values {
    fn default() -> Self {
        Self::Mixed(Vec::new())
    }
}

impl Values {
    #[must_use]
    pub fn starting_with(value: &Value) -> Self {
        match value {
            Value::Int(_) => Self::Int(Vec::new()),
            Value::Float(_) => Self::Float(Vec::new()),
            Value::Bool(_) => Self::Bool(Vec::new()),
            Value::Text(_) => Self::Text(Vec::new()),
        }
    }

    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Int(v) => v.len(),
            Self::Float(v) => v.len(),
            Self::Bool(v) => v.len(),
            Self::Text(v) => v.len(),
            Self::Mixed(v) => v.len(),
        }
    }

    #[must_use]
    pub fn value(&self, i: usize) -> Value {
        match self {
            Self::Int(v) => Value::Int(v[i]),
            Self::Float(v) => Value::Float(v[i]),
            Self::Bool(v) => Value::Bool(v[i]),
            Self::Text(v) => Value::Text(Arc::clone(&v[i])),
            Self::Mixed(v) => v[i].clone(),
        }
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn push(&mut self, value: Value) {
        self.insert(self.len(), value);
    }

    /// For the first value. Room that was made for its kind stays.
    fn become_kind_of(&mut self, value: &Value) {
        let new = Self::starting_with(value);
        if discriminant(self) != discriminant(&new) {
            *self = new;
        }
    }

    fn insert(&mut self, i: usize, value: Value) {
        if self.is_empty() {
            self.become_kind_of(&value);
        }
        match (&mut *self, value) {
            (Self::Int(v), Value::Int(x)) => v.insert(i, x),
            (Self::Float(v), Value::Float(x)) => v.insert(i, x),
            (Self::Bool(v), Value::Bool(x)) => v.insert(i, x),
            (Self::Text(v), Value::Text(x)) => v.insert(i, x),
            (Self::Mixed(v), x) => v.insert(i, x),
            (_, x) => self.mix().insert(i, x),
        }
    }

    fn replace(&mut self, i: usize, value: Value) {
        match (&mut *self, value) {
            (Self::Int(v), Value::Int(x)) => v[i] = x,
            (Self::Float(v), Value::Float(x)) => v[i] = x,
            (Self::Bool(v), Value::Bool(x)) => v[i] = x,
            (Self::Text(v), Value::Text(x)) => v[i] = x,
            (Self::Mixed(v), x) => v[i] = x,
            (_, x) => self.mix()[i] = x,
        }
    }

    fn mix(&mut self) -> &mut Vec<Value> {
        let mixed = (0..self.len()).map(|i| self.value(i)).collect();
        *self = Self::Mixed(mixed);
        match self {
            Self::Mixed(v) => v,
            _ => unreachable!("just made Mixed"),
        }
    }

    fn split_off(&mut self, at: usize) -> Self {
        match self {
            Self::Int(v) => Self::Int(v.split_off(at)),
            Self::Float(v) => Self::Float(v.split_off(at)),
            Self::Bool(v) => Self::Bool(v.split_off(at)),
            Self::Text(v) => Self::Text(v.split_off(at)),
            Self::Mixed(v) => Self::Mixed(v.split_off(at)),
        }
    }

    /// Appends a part of another column.
    fn extend(&mut self, other: &Self, range: Range<usize>) {
        if self.is_empty() {
            *self = other.cut(range);
            return;
        }
        match (&mut *self, other) {
            (Self::Int(v), Self::Int(o)) => v.extend_from_slice(&o[range]),
            (Self::Float(v), Self::Float(o)) => v.extend_from_slice(&o[range]),
            (Self::Bool(v), Self::Bool(o)) => v.extend_from_slice(&o[range]),
            (Self::Text(v), Self::Text(o)) => v.extend_from_slice(&o[range]),
            _ => range.for_each(|i| self.push(other.value(i))),
        }
    }

    fn cut(&self, range: Range<usize>) -> Self {
        match self {
            Self::Int(v) => Self::Int(v[range].to_vec()),
            Self::Float(v) => Self::Float(v[range].to_vec()),
            Self::Bool(v) => Self::Bool(v[range].to_vec()),
            Self::Text(v) => Self::Text(v[range].to_vec()),
            Self::Mixed(v) => Self::Mixed(v[range].to_vec()),
        }
    }

    fn drain(&mut self, range: Range<usize>) {
        match self {
            Self::Int(v) => drop(v.drain(range)),
            Self::Float(v) => drop(v.drain(range)),
            Self::Bool(v) => drop(v.drain(range)),
            Self::Text(v) => drop(v.drain(range)),
            Self::Mixed(v) => drop(v.drain(range)),
        }
    }
}

impl Block {
    /// Columns made elsewhere, such as by a decoder. `times` and `late` are sorted, without repeats, and as long as they say.
    #[must_use]
    pub fn from_columns(times: Vec<TimeNs>, values: Values, late: Vec<(TimeNs, TimeNs)>, lag: Option<i64>) -> Self {
        debug_assert_eq!(times.len(), values.len(), "a value for each time");
        debug_assert!(times.is_sorted_by(|a, b| a < b), "times ascend");
        debug_assert!(late.is_sorted_by(|a, b| a.0 < b.0), "late times ascend");
        Self { times, values, late: Late::new(late), lag }
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.times.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.times.is_empty()
    }

    #[must_use]
    pub fn times(&self) -> &[TimeNs] {
        &self.times
    }

    /// The columns themselves, for code that runs over many points.
    #[must_use]
    pub fn values(&self) -> &Values {
        &self.values
    }

    #[must_use]
    pub fn value(&self, i: usize) -> Value {
        self.values.value(i)
    }

    /// Readings that came late: time and receive time.
    #[must_use]
    pub fn late(&self) -> &[(TimeNs, TimeNs)] {
        &self.late
    }

    /// Receive time minus time of one reading that was not late; about that of all which are not.
    #[must_use]
    pub fn lag(&self) -> Option<i64> {
        self.lag
    }

    /// When the reading at `i` was received: exactly where it came late, else to within a minute (and as much more as times of the series are ahead of the clock).
    #[must_use]
    pub fn received(&self, i: usize) -> TimeNs {
        let time = self.times[i];
        match self.late.binary_search_by_key(&time, |(t, _)| *t) {
            Ok(at) => self.late[at].1,
            Err(_) => time.saturating_add(self.lag.unwrap_or(0)),
        }
    }

    /// None when empty; a series never holds an empty block.
    #[must_use]
    pub fn first_time(&self) -> Option<TimeNs> {
        self.times.first().copied()
    }

    #[must_use]
    pub fn last_time(&self) -> Option<TimeNs> {
        self.times.last().copied()
    }

    /// The index of the first point at or after `time`.
    #[must_use]
    pub fn lower_bound(&self, time: TimeNs) -> usize {
        self.times.partition_point(|&t| t < time)
    }

    /// The indexes of the points in `range`.
    #[must_use]
    pub fn within(&self, range: TimeRange) -> Range<usize> {
        let from = self.lower_bound(range.from);
        from..self.lower_bound(range.to).max(from)
    }

    #[must_use]
    pub fn look_up(&self, time: TimeNs) -> Option<Value> {
        self.times.binary_search(&time).ok().map(|i| self.value(i))
    }

    /// The three that never follow each other in one series; None when empty.
    #[must_use]
    pub fn value_type(&self) -> Option<ValueType> {
        (!self.is_empty()).then(|| self.value(0).value_type())
    }

    /// A copy of a part.
    #[must_use]
    pub fn cut(&self, range: Range<usize>) -> Self {
        let late = self.late_within(&self.times[range.clone()]);
        Self {
            times: self.times[range.clone()].to_vec(),
            values: self.values.cut(range),
            late: Late::new(self.late[late].to_vec()),
            lag: self.lag,
        }
    }

    /// Appends a part of another block, all of it later than what is here.
    pub fn append(&mut self, other: &Self, range: Range<usize>) {
        debug_assert!(range.is_empty() || self.last_time() < other.times.get(range.start).copied(), "times ascend");
        let late = other.late_within(&other.times[range.clone()]);
        if !late.is_empty() {
            self.late.to_mut().extend_from_slice(&other.late[late]);
        }
        self.times.extend_from_slice(&other.times[range.clone()]);
        self.values.extend(&other.values, range);
        self.lag = other.lag.or(self.lag);
    }

    fn late_within(&self, times: &[TimeNs]) -> Range<usize> {
        let (Some(first), Some(last)) = (times.first(), times.last()) else { return 0..0 };
        self.late.partition_point(|(t, _)| t < first)..self.late.partition_point(|(t, _)| t <= last)
    }

    /// Puts a point in its place; says what stood at that time before.
    pub fn put(&mut self, time: TimeNs, value: Value, received: TimeNs) -> Option<Value> {
        self.note_received(time, received);
        let i = if self.last_time().is_none_or(|last| last < time) { self.len() } else { self.lower_bound(time) };
        if self.times.get(i) == Some(&time) {
            let old = self.value(i);
            self.values.replace(i, value);
            return Some(old);
        }
        self.times.insert(i, time);
        self.values.insert(i, value);
        None
    }

    /// Puts a point behind all there are.
    #[inline]
    pub fn push(&mut self, time: TimeNs, value: &Value, received: TimeNs) {
        debug_assert!(self.last_time().is_none_or(|last| last < time), "times ascend");
        // None of those that came late is as new.
        match received.saturating_sub(time) {
            lag if lag > LATE_AFTER_NS => self.late.push(time, received),
            lag => self.lag = Some(lag),
        }
        self.times.push(time);
        match (&mut self.values, value) {
            (Values::Int(v), Value::Int(x)) => v.push(*x),
            (Values::Float(v), Value::Float(x)) => v.push(*x),
            (values, x) => values.push(x.clone()),
        }
    }

    /// Puts a run of numbers behind all there are. Times ascend.
    pub fn extend(&mut self, times: &[TimeNs], values: Column<'_>, received: TimeNs) {
        debug_assert!(self.last_time().is_none_or(|last| times.first().is_none_or(|first| last < *first)), "times ascend");
        debug_assert!(times.is_sorted_by(|a, b| a < b), "times ascend");
        // The older of them, if any.
        let late = times.partition_point(|time| received.saturating_sub(*time) > LATE_AFTER_NS);
        if late > 0 {
            self.late.to_mut().extend(times[..late].iter().map(|time| (*time, received)));
        }
        if let Some(time) = times[late..].last() {
            self.lag = Some(received.saturating_sub(*time));
        }
        self.times.extend_from_slice(times);
        match (&mut self.values, values) {
            (Values::Int(v), Column::Int(o)) => v.extend_from_slice(o),
            (Values::Float(v), Column::Float(o)) => v.extend_from_slice(o),
            (values, other) => (0..times.len()).for_each(|i| values.push(other.value(i))),
        }
    }

    /// Makes room for so many points in all, of the kind of `value` where there are none yet.
    pub fn reserve(&mut self, points: usize, value: &Value) {
        let more = points.saturating_sub(self.len());
        if self.values.is_empty() {
            self.values.become_kind_of(value);
        }
        self.times.reserve_exact(more);
        match &mut self.values {
            Values::Int(v) => v.reserve_exact(more),
            Values::Float(v) => v.reserve_exact(more),
            Values::Bool(v) => v.reserve_exact(more),
            Values::Text(v) => v.reserve_exact(more),
            Values::Mixed(v) => v.reserve_exact(more),
        }
    }

    fn note_received(&mut self, time: TimeNs, received: TimeNs) {
        let lag = received.saturating_sub(time);
        let place = if self.late.last().is_none_or(|(t, _)| *t < time) {
            Err(self.late.len())
        } else {
            self.late.binary_search_by_key(&time, |(t, _)| *t)
        };
        match (lag > LATE_AFTER_NS, place) {
            (true, Ok(at)) => self.late.to_mut()[at].1 = received,
            (true, Err(at)) => self.late.to_mut().insert(at, (time, received)),
            (false, place) => {
                self.lag = Some(lag);
                if let Ok(at) = place {
                    self.late.to_mut().remove(at);
                }
            }
        }
    }

    pub fn split_half(&mut self) -> Self {
        let at = self.len() / 2;
        let times = self.times.split_off(at);
        let upper = times.first().map_or(self.late.len(), |first| self.late.partition_point(|(t, _)| t < first));
        let late = self.late.0.as_mut().map_or_else(Vec::new, |late| late.split_off(upper));
        Self { times, values: self.values.split_off(at), late: Late::new(late), lag: self.lag }
    }

    /// Removes the points in [from, to], both inside; says how many.
    pub fn remove(&mut self, from: TimeNs, to: TimeNs) -> usize {
        let range = self.lower_bound(from)..self.times.partition_point(|&t| t <= to);
        let removed = range.len();
        if let Some(late) = &mut self.late.0 {
            late.retain(|(t, _)| !(from..=to).contains(t));
        }
        self.times.drain(range.clone());
        self.values.drain(range);
        removed
    }

    /// Bytes that its columns of times and values take, used or not; texts themselves apart.
    #[must_use]
    pub fn room(&self) -> usize {
        let values = match &self.values {
            Values::Int(v) => v.capacity() * size_of::<i64>(),
            Values::Float(v) => v.capacity() * size_of::<f64>(),
            Values::Bool(v) => v.capacity(),
            Values::Text(v) => v.capacity() * size_of::<Arc<str>>(),
            Values::Mixed(v) => v.capacity() * size_of::<Value>(),
        };
        self.times.capacity() * size_of::<TimeNs>() + values
    }

    /// Points that it has room for.
    #[must_use]
    pub fn room_for(&self) -> usize {
        self.times.capacity()
    }

    /// About its bytes in memory.
    #[must_use]
    pub fn weight(&self) -> usize {
        let each = match &self.values {
            Values::Int(_) | Values::Float(_) => 8,
            Values::Bool(_) => 1,
            Values::Text(v) => 16 + v.iter().map(|text| text.len()).sum::<usize>() / v.len().max(1),
            Values::Mixed(_) => size_of::<Value>(),
        };
        size_of::<Self>() + self.times.len() * (8 + each) + self.late.len() * 16
    }
}
