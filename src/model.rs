//! The words of the hub as types: series, value, time, reading, commit. Pure data; no I/O, no clock, no serde.
//!
//! Invariant: a [`Value::Float`] inside the hub is finite. NaN and infinities are refused at the door (`not_finite`).

use std::fmt;
use std::sync::Arc;

/// Nanoseconds since 1970-01-01 UTC. The one unit of time in the core.
pub type TimeNs = i64;

/// A series' number: given once, never reused. Small and dense, so it indexes vectors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SeriesId(pub u32);

impl SeriesId {
    #[must_use]
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// A token's number in the catalog; 0 is nobody (readings recovered from a log without an owner).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TokenId(pub u32);

/// A place in the order of commits. The first commit is 1; 0 stands before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Position(pub u64);

impl Position {
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// One measured value. Ints and floats are kept as they came.
#[derive(Debug)]
pub enum Value {
    Int(i64),
    Float(f64),
    Bool(bool),
    Text(Arc<str>),
}

impl Value {
    #[must_use]
    pub fn value_type(&self) -> ValueType {
        match self {
            Self::Int(_) | Self::Float(_) => ValueType::Number,
            Self::Bool(_) => ValueType::Bool,
            Self::Text(_) => ValueType::Text,
        }
    }

    /// The number as f64, for means and charts. None for bool and text.
    #[must_use]
    pub fn as_f64(&self) -> Option<f64> {
        match *self {
            #[expect(clippy::cast_precision_loss, reason = "a chart and a mean are f64 by contract")]
            Self::Int(i) => Some(i as f64),
            Self::Float(f) => Some(f),
            Self::Bool(_) | Self::Text(_) => None,
        }
    }
}

impl Clone for Value {
    #[inline]
    fn clone(&self) -> Self {
        match self {
            Self::Int(i) => Self::Int(*i),
            Self::Float(f) => Self::Float(*f),
            Self::Bool(b) => Self::Bool(*b),
            Self::Text(text) => Self::Text(Arc::clone(text)),
        }
    }

    /// A number takes the place of a number as a number: moved as an enum it would cost a stalled load, 5 ns.
    #[inline]
    fn clone_from(&mut self, source: &Self) {
        match (&mut *self, source) {
            (Self::Int(mine), Self::Int(i)) => *mine = *i,
            (Self::Float(mine), Self::Float(f)) => *mine = *f,
            (Self::Bool(mine), Self::Bool(b)) => *mine = *b,
            (mine, source) => *mine = source.clone(),
        }
    }
}

/// Contract: 1 and 1.0 are the same value; so are 0.0 and -0.0.
impl PartialEq for Value {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Int(a), Self::Int(b)) => a == b,
            (Self::Float(a), Self::Float(b)) => a == b,
            (Self::Int(i), Self::Float(f)) | (Self::Float(f), Self::Int(i)) => int_equals_float(*i, *f),
            (Self::Bool(a), Self::Bool(b)) => a == b,
            (Self::Text(a), Self::Text(b)) => a == b,
            _ => false,
        }
    }
}

/// Exact: 2^53 + 1 is not equal to 2^53 as a float, although `as f64` would round it there.
#[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "both casts are checked by the round trip")]
fn int_equals_float(i: i64, f: f64) -> bool {
    // 2^63 itself saturates to i64::MAX when cast back, hence the range test first.
    (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&f) && f as i64 == i && (f as i64) as f64 == f
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ValueType {
    Number,
    Bool,
    Text,
}

impl ValueType {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Number => "number",
            Self::Bool => "bool",
            Self::Text => "text",
        }
    }
}

/// How a metric is to be read: by people and by aggregates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    Gauge,
    Counter,
    State,
    Text,
}

impl Kind {
    pub const ALL: [Self; 4] = [Self::Gauge, Self::Counter, Self::State, Self::Text];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Gauge => "gauge",
            Self::Counter => "counter",
            Self::State => "state",
            Self::Text => "text",
        }
    }

    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    /// What a series is when nobody said: number = gauge, bool = state, text = text.
    #[must_use]
    pub fn default_for(value_type: ValueType) -> Self {
        match value_type {
            ValueType::Number => Self::Gauge,
            ValueType::Bool => Self::State,
            ValueType::Text => Self::Text,
        }
    }
}

/// A series' labels: sorted by name, names unique, no empty value. Shared, as all names of a series are: many series have the same.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Labels(Arc<[(Box<str>, Box<str>)]>);

impl Labels {
    /// Takes pairs whose names and values were already checked; sorts them. Empty values mean "absent" and are dropped.
    #[must_use]
    pub fn from_pairs<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut pairs: Vec<(Box<str>, Box<str>)> =
            pairs.into_iter().filter(|(_, value)| !value.is_empty()).map(|(name, value)| (name.into(), value.into())).collect();
        pairs.sort();
        Self(pairs.into())
    }

    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (&**name, &**value))
    }

    /// The label's value; an absent label is the empty text (contract: `{cpu=""}` means without cpu).
    #[must_use]
    pub fn value(&self, name: &str) -> &str {
        self.0.iter().find(|(n, _)| &**n == name).map_or("", |(_, value)| value)
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Identity of a series. Ordered by device, metric, labels: the order answers are sorted in.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SeriesKey {
    pub device: Arc<str>,
    pub metric: Arc<str>,
    pub labels: Labels,
}

impl SeriesKey {
    /// Of a series whose name was lost.
    #[must_use]
    pub fn unnamed(id: SeriesId) -> Self {
        Self { device: "unnamed".into(), metric: format!("series-{}", id.0).into(), labels: Labels::default() }
    }
}

impl fmt::Display for SeriesKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.device, self.metric)?;
        if self.labels.is_empty() {
            return Ok(());
        }
        for (i, (name, value)) in self.labels.iter().enumerate() {
            write!(f, "{}{name}={value:?}", if i == 0 { "{" } else { "," })?;
        }
        f.write_str("}")
    }
}

/// A series as the log keeps it: written in the commit that first uses it.
#[derive(Clone, Debug, PartialEq)]
pub struct SeriesDef {
    pub id: SeriesId,
    pub key: SeriesKey,
    pub value_type: ValueType,
    /// Whose token first sent it; limits count per token.
    pub owner: TokenId,
}

/// A new unit or kind, taken from its commit on. None leaves that one unchanged.
#[derive(Clone, Debug, PartialEq)]
pub struct MetaChange {
    pub series: SeriesId,
    pub unit: Option<Arc<str>>,
    pub kind: Option<Kind>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    pub series: SeriesId,
    pub time: TimeNs,
    pub value: Value,
}

/// Half open: [from, to).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeRange {
    pub from: TimeNs,
    pub to: TimeNs,
}

impl TimeRange {
    pub const ALL: Self = Self { from: i64::MIN, to: i64::MAX };

    #[must_use]
    pub fn contains(&self, time: TimeNs) -> bool {
        (self.from..self.to).contains(&time)
    }
}

/// The sender's number for a batch, by which a reconnecting agent learns what is durable.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AgentSeq {
    pub agent: Arc<str>,
    pub boot: u64,
    pub seq: u64,
}

/// What one batch brought to a commit: `readings[start..end]` of the commit are its, all new or rewritten.
#[derive(Clone, Debug, PartialEq)]
pub struct BatchPart {
    pub agent: Option<AgentSeq>,
    pub received: TimeNs,
    pub end: usize,
}

/// Readings of one series in [from, to] (both inside) are gone as of this commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delete {
    pub series: SeriesId,
    pub from: TimeNs,
    pub to: TimeNs,
}

/// One group of batches, written and synced together: the log's unit and the cursor's step.
/// Order within: definitions, meta changes, deletes, then readings, batch by batch.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Commit {
    pub position: Position,
    pub wall: TimeNs,
    pub series: Vec<SeriesDef>,
    pub meta: Vec<MetaChange>,
    pub deletes: Vec<Delete>,
    pub parts: Vec<BatchPart>,
    pub readings: Vec<Reading>,
}

impl Commit {
    /// The batches of this commit with their readings.
    pub fn batches(&self) -> impl Iterator<Item = (&BatchPart, &[Reading])> {
        let mut start = 0;
        self.parts.iter().map(move |part| {
            let readings = &self.readings[start..part.end];
            start = part.end;
            (part, readings)
        })
    }

    /// About how much memory it holds, for bounds counted in bytes.
    #[must_use]
    pub fn weight(&self) -> usize {
        let text: usize = self.readings.iter().map(|r| if let Value::Text(t) = &r.value { t.len() } else { 0 }).sum();
        size_of::<Self>()
            + self.readings.capacity() * size_of::<Reading>()
            + self.parts.len() * size_of::<BatchPart>()
            + self.series.len() * 160
            + text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_and_one_point_zero_are_the_same_value() {
        let rows: &[(Value, Value, bool)] = &[
            (Value::Int(1), Value::Float(1.0), true),
            (Value::Int(0), Value::Float(-0.0), true),
            (Value::Int(9_007_199_254_740_993), Value::Float(9_007_199_254_740_992.0), false),
            (Value::Int(i64::MAX), Value::Float(9_223_372_036_854_775_808.0), false),
            (Value::Int(i64::MIN), Value::Float(-9_223_372_036_854_775_808.0), true),
            (Value::Bool(true), Value::Int(1), false),
            (Value::Text("1".into()), Value::Int(1), false),
        ];
        for (a, b, same) in rows {
            assert_eq!(a == b, *same, "{a:?} {b:?}");
            assert_eq!(b == a, *same, "{b:?} {a:?}");
        }
    }

    #[test]
    fn labels_are_sorted_and_empty_values_are_absent() {
        let labels = Labels::from_pairs([("mode", "idle"), ("cpu", "cpu0"), ("x", "")]);
        assert_eq!(labels.iter().collect::<Vec<_>>(), [("cpu", "cpu0"), ("mode", "idle")]);
        assert_eq!(labels.value("x"), "");
    }
}
