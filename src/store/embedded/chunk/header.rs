//! What stands before the columns of a chunk: what it holds, from when to when, and of numbers least, greatest and sum, so that
//! a question for these needs no column.

use telltale_wire::varint::{put, zigzag};

use super::bytes::In;
use super::values::{self, kind};
use super::{Damaged, MAX_POINTS, VERSION, floats, times};
use crate::block::{Block, Values};
use crate::model::{TimeNs, Value};

pub(super) mod flag {
    /// Times lie the same step apart; there is no column of them.
    pub(in super::super) const REGULAR: u8 = 1;
    /// The value stands there once.
    pub(in super::super) const CONSTANT: u8 = 2;
    /// The times are kept elsewhere.
    pub(in super::super) const SHARED: u8 = 4;
    pub(in super::super) const LATE: u8 = 8;
    pub(in super::super) const LAG: u8 = 16;
}

/// The type byte of what is no chunk of one series.
pub(super) const TIMES: u8 = 5;
pub(super) const MANY: u8 = 6;

#[derive(Clone, Copy, Debug)]
pub(super) struct Header {
    pub(super) flags: u8,
    pub(super) kind: u8,
    pub(super) count: usize,
    pub(super) first: TimeNs,
    pub(super) span: u64,
    /// Of ints and floats.
    pub(super) numbers: Option<Numbers>,
}

/// What the values of a column of numbers come to, as floats.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::store::embedded) struct Numbers {
    pub(in crate::store::embedded) min: f64,
    pub(in crate::store::embedded) max: f64,
    pub(in crate::store::embedded) sum: f64,
}

/// What a chunk says of itself without its columns being read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::store::embedded) struct Stats {
    pub(in crate::store::embedded) count: usize,
    pub(in crate::store::embedded) first: TimeNs,
    pub(in crate::store::embedded) last: TimeNs,
    /// None where there is a bool or a text.
    pub(in crate::store::embedded) numbers: Option<Numbers>,
    are_ints: bool,
}

impl Stats {
    /// Least and greatest as they came. None where they are not told exactly: of large ints, and of zeros, which have two signs.
    pub(in crate::store::embedded) fn extremes(&self) -> Option<(Value, Value)> {
        let Numbers { min, max, .. } = self.numbers?;
        let exactly = |float: f64| match self.are_ints {
            true if float.abs() < floats::EXACT_BELOW => Some(Value::Int(float as i64)),
            false if float != 0.0 && float.is_finite() => Some(Value::Float(float)),
            _ => None,
        };
        exactly(min).zip(exactly(max))
    }
}

impl Header {
    pub(super) fn of(block: &Block, column: &Values, flags: u8) -> Self {
        let times = block.times();
        let numbers = numbers(column);
        Self { flags, kind: values::kind_of(column), count: times.len(), first: times[0], span: times::span(times), numbers }
    }

    pub(super) fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    pub(super) fn stats(&self) -> Stats {
        let last = self.first.wrapping_add(self.span.cast_signed());
        let are_ints = self.kind == kind::INT;
        Stats { count: self.count, first: self.first, last, numbers: self.numbers, are_ints }
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.extend([VERSION, self.flags, self.kind]);
        put(out, self.count as u64);
        put(out, zigzag(self.first));
        put(out, self.span);
        if let Some(numbers) = &self.numbers {
            [numbers.min, numbers.max, numbers.sum].into_iter().for_each(|f| floats::put_one(out, f));
        }
    }

    /// Of what `bytes::open` gave: the version was judged there.
    pub(super) fn decode(from: &mut In<'_>) -> Result<Self, Damaged> {
        let (flags, kind) = (from.u8()?, from.u8()?);
        if kind > TIMES || flags > 31 {
            return Err(Damaged::Malformed("not a chunk of one series"));
        }
        let (count, first, span) = (from.count(MAX_POINTS)?, from.zigzag()?, from.varint()?);
        if !times::fits(first, span) {
            return Err(Damaged::Malformed("its last time cannot be said"));
        }
        let numbers = if matches!(kind, kind::INT | kind::FLOAT) {
            Some(Numbers { min: floats::read_one(from)?, max: floats::read_one(from)?, sum: floats::read_one(from)? })
        } else {
            None
        };
        Ok(Self { flags, kind, count, first, span, numbers })
    }
}

#[expect(clippy::cast_precision_loss, reason = "a chart and a mean are f64 by contract")]
fn numbers(column: &Values) -> Option<Numbers> {
    match column {
        Values::Int(v) => {
            let (min, max) = (v.iter().min()?, v.iter().max()?);
            // 4,096 times 2^63 is far inside.
            let sum: i128 = v.iter().map(|x| i128::from(*x)).sum();
            Some(Numbers { min: *min as f64, max: *max as f64, sum: sum as f64 })
        }
        Values::Float(v) => {
            let min = v.iter().copied().reduce(f64::min)?;
            Some(Numbers { min, max: v.iter().copied().reduce(f64::max)?, sum: v.iter().sum() })
        }
        Values::Bool(_) | Values::Text(_) | Values::Mixed(_) => None,
    }
}
