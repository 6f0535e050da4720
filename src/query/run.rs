//! A run: points of one series, in time order, borrowed from wherever they lie. What every question about the past reads.

use std::ops::Range;
use std::sync::Arc;

use crate::block::{Block, Values};
use crate::model::{TimeNs, Value};

#[derive(Clone, Copy, Debug)]
pub struct Run<'a>(Form<'a>);

#[derive(Clone, Copy, Debug)]
enum Form<'a> {
    Part { block: &'a Block, start: usize, end: usize },
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
        debug_assert!(range.start <= range.end && range.end <= block.len(), "a part of the block");
        Self(Form::Part { block, start: range.start, end: range.end })
    }

    #[must_use]
    pub fn of_pairs(points: &'a [(TimeNs, Value)]) -> Self {
        Self(Form::Pairs(points))
    }

    #[must_use]
    pub fn len(&self) -> usize {
        match self.0 {
            Form::Part { start, end, .. } => end - start,
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
            Form::Part { block, start, .. } => block.times()[start + i],
            Form::Pairs(points) => points[i].0,
        }
    }

    #[must_use]
    pub fn value(&self, i: usize) -> Value {
        match self.0 {
            Form::Part { block, start, .. } => block.value(start + i),
            Form::Pairs(points) => points[i].1.clone(),
        }
    }

    /// When the reading was received: exactly where it came late, else to within a minute. None: nobody wrote it down.
    #[must_use]
    pub fn received(&self, i: usize) -> Option<TimeNs> {
        match self.0 {
            Form::Part { block, start, .. } => Some(block.received(start + i)),
            Form::Pairs(_) => None,
        }
    }

    /// Copies it behind what a block holds, all of which is older.
    pub fn append_to(&self, block: &mut Block) {
        match self.0 {
            Form::Part { block: from, start, end } => block.append(from, start..end),
            Form::Pairs(points) => points.iter().for_each(|(time, value)| drop(block.put(*time, value.clone(), *time))),
        }
    }

    /// The column of times, when there is one.
    #[must_use]
    pub fn times(&self) -> Option<&'a [TimeNs]> {
        let Form::Part { block, start, end } = self.0 else { return None };
        Some(&block.times()[start..end])
    }

    /// The column, when the values lie in one.
    #[must_use]
    pub fn slice(&self) -> Option<Slice<'a>> {
        let Form::Part { block, start, end } = self.0 else { return None };
        let range = start..end;
        Some(match block.values() {
            Values::Int(v) => Slice::Int(&v[range]),
            Values::Float(v) => Slice::Float(&v[range]),
            Values::Bool(v) => Slice::Bool(&v[range]),
            Values::Text(v) => Slice::Text(&v[range]),
            Values::Mixed(v) => Slice::Mixed(&v[range]),
        })
    }

    pub fn iter(&self) -> impl Iterator<Item = (TimeNs, Value)> + use<'a> {
        let run = *self;
        (0..run.len()).map(move |i| (run.time(i), run.value(i)))
    }

    #[must_use]
    pub fn split_at(self, mid: usize) -> (Self, Self) {
        match self.0 {
            Form::Part { block, start, end } => {
                let mid = start + mid;
                debug_assert!(mid <= end, "within the run");
                (Self(Form::Part { block, start, end: mid }), Self(Form::Part { block, start: mid, end }))
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
            Form::Part { block, start, end } => block.times()[start..end].partition_point(|t| *t < time),
            Form::Pairs(points) => points.partition_point(|(t, _)| *t < time),
        })
    }
}
