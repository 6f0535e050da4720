//! A run of points of one series, sorted by time, times unique: two columns. Shared read-only by views; the writer
//! copies a block only when a view still holds it.

use std::sync::Arc;

use crate::model::{TimeNs, Value};

/// Points in a block before it is split. A view of the newest block costs at most one copy of this many points.
pub const BLOCK_POINTS: usize = 1024;

#[derive(Clone, Debug, Default)]
pub struct Block {
    times: Vec<TimeNs>,
    values: Values,
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
    fn starting_with(value: &Value) -> Self {
        match value {
            Value::Int(_) => Self::Int(Vec::new()),
            Value::Float(_) => Self::Float(Vec::new()),
            Value::Bool(_) => Self::Bool(Vec::new()),
            Value::Text(_) => Self::Text(Vec::new()),
        }
    }

    fn len(&self) -> usize {
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

    fn insert(&mut self, i: usize, value: Value) {
        if self.len() == 0 {
            *self = Self::starting_with(&value);
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

    fn drain(&mut self, range: std::ops::Range<usize>) {
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

    /// Puts a point in its place; says what stood at that time before.
    pub(super) fn put(&mut self, time: TimeNs, value: Value) -> Option<Value> {
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

    pub(super) fn split_half(&mut self) -> Self {
        let at = self.len() / 2;
        Self { times: self.times.split_off(at), values: self.values.split_off(at) }
    }

    /// Removes the points in [from, to], both inside; says how many.
    pub(super) fn remove(&mut self, from: TimeNs, to: TimeNs) -> usize {
        let range = self.lower_bound(from)..self.times.partition_point(|&t| t <= to);
        let removed = range.len();
        self.times.drain(range.clone());
        self.values.drain(range);
        removed
    }
}
