//! A run: points of one series, in time order, borrowed from wherever they lie. What every question about the past reads.

use std::ops::Range;
use std::sync::Arc;

use crate::block::{Block, Values};
use crate::model::{TimeNs, Value};

#[derive(Clone, Copy, Debug)]
pub struct Run<'a>(Form<'a>);

#[derive(Clone, Copy, Debug)]
enum Form<'a> {
    Columns { times: &'a [TimeNs], values: Slice<'a> },
    Pairs(&'a [(TimeNs, Value)]),
}

/// Values of a run when they lie in a column of one type.
#[derive(Clone, Copy, Debug)]
pub enum Slice<'a> {
    Int(&'a [i64]),
    Float(&'a [f64]),
    Bool(&'a [bool]),
    Text(&'a [Arc<str>]),
    Mixed(&'a [Value]),
}

impl<'a> Run<'a> {
    #[must_use]
    pub fn of_block(block: &'a Block, range: Range<usize>) -> Self {
        let values = match block.values() {
            Values::Int(v) => Slice::Int(&v[range.clone()]),
            Values::Float(v) => Slice::Float(&v[range.clone()]),
            Values::Bool(v) => Slice::Bool(&v[range.clone()]),
            Values::Text(v) => Slice::Text(&v[range.clone()]),
            Values::Mixed(v) => Slice::Mixed(&v[range.clone()]),
        };
        Self(Form::Columns { times: &block.times()[range], values })
    }

    #[must_use]
    pub fn of_pairs(points: &'a [(TimeNs, Value)]) -> Self {
        Self(Form::Pairs(points))
    }

    #[must_use]
    pub fn len(&self) -> usize {
        match self.0 {
            Form::Columns { times, .. } => times.len(),
            Form::Pairs(points) => points.len(),
        }
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    #[must_use]
    pub fn time(&self, i: usize) -> TimeNs {
        match self.0 {
            Form::Columns { times, .. } => times[i],
            Form::Pairs(points) => points[i].0,
        }
    }

    #[must_use]
    pub fn value(&self, i: usize) -> Value {
        match self.0 {
            Form::Columns { values, .. } => values.value(i),
            Form::Pairs(points) => points[i].1.clone(),
        }
    }

    /// The column, when the values lie in one.
    #[must_use]
    pub fn slice(&self) -> Option<Slice<'a>> {
        match self.0 {
            Form::Columns { values, .. } => Some(values),
            Form::Pairs(_) => None,
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = (TimeNs, Value)> + use<'a> {
        let run = *self;
        (0..run.len()).map(move |i| (run.time(i), run.value(i)))
    }

    #[must_use]
    pub fn split_at(self, mid: usize) -> (Self, Self) {
        match self.0 {
            Form::Columns { times, values } => {
                let ((before, after), (left, right)) = (times.split_at(mid), values.split_at(mid));
                (Self(Form::Columns { times: before, values: left }), Self(Form::Columns { times: after, values: right }))
            }
            Form::Pairs(points) => {
                let (before, after) = points.split_at(mid);
                (Self(Form::Pairs(before)), Self(Form::Pairs(after)))
            }
        }
    }

    /// What lies before `time`, and the rest.
    #[must_use]
    pub fn split_before(self, time: TimeNs) -> (Self, Self) {
        // The usual case, asked before the search.
        if self.is_empty() || self.time(self.len() - 1) < time {
            return self.split_at(self.len());
        }
        self.split_at(match self.0 {
            Form::Columns { times, .. } => times.partition_point(|t| *t < time),
            Form::Pairs(points) => points.partition_point(|(t, _)| *t < time),
        })
    }
}

impl<'a> Slice<'a> {
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

    fn split_at(self, mid: usize) -> (Self, Self) {
        fn both<'a, T>(slice: &'a [T], mid: usize, form: fn(&'a [T]) -> Slice<'a>) -> (Slice<'a>, Slice<'a>) {
            let (left, right) = slice.split_at(mid);
            (form(left), form(right))
        }
        match self {
            Self::Int(v) => both(v, mid, Slice::Int),
            Self::Float(v) => both(v, mid, Slice::Float),
            Self::Bool(v) => both(v, mid, Slice::Bool),
            Self::Text(v) => both(v, mid, Slice::Text),
            Self::Mixed(v) => both(v, mid, Slice::Mixed),
        }
    }
}
