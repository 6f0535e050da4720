//! `group=` and `group_by=`: the rows of several series as those of one, bucket by bucket. GROUPS.md has the rules in words. Which series
//! belong together is in `Grouping`, what is made of their rows in `Gather`.
//!
//! Invariant: what is held is one cell for each bucket and column of one group, however many series it has.

use std::collections::{BTreeMap, BTreeSet};

use super::buckets::{Agg, RowSink};
use super::error::{QueryError, nearest};
use super::number::{self, Sum};
use super::selector::{Attributes, is_name};
use crate::limits::GROUP_NAMES;
use crate::model::{Labels, SeriesKey, TimeNs, Value, ValueType};

/// How the values of several series become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Together {
    Sum,
    Mean,
    Min,
    Max,
}

impl Together {
    pub const ALL: [Self; 4] = [Self::Sum, Self::Mean, Self::Min, Self::Max];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sum => "sum",
            Self::Mean => "mean",
            Self::Min => "min",
            Self::Max => "max",
        }
    }

    fn parse(text: &str) -> Result<Self, QueryError> {
        if let Some(together) = Self::ALL.into_iter().find(|together| together.as_str() == text) {
            return Ok(together);
        }
        let error = QueryError::parameter(format!("group={text}: expected sum, mean, min or max"));
        Err(match nearest(text, Self::ALL.map(|together| (together.as_str(), together.as_str()))) {
            Some(together) => error.with_hint(format!("the nearest known one is {together}")),
            None => error,
        })
    }

    /// Bools and texts are counted, and no more is made of several of them. States are objects, which nothing adds up.
    #[must_use]
    pub fn fits(agg: Agg, value_type: ValueType) -> bool {
        agg != Agg::TimeInState && (value_type == ValueType::Number || agg == Agg::Count)
    }
}

/// What the series of one group have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
enum By {
    Device,
    Metric,
    Label(Box<str>),
    Attribute(Box<str>),
}

const FORMS: &str = "device, metric, label.NAME or @ATTRIBUTE";

impl By {
    fn parse(text: &str) -> Result<Self, QueryError> {
        let refused = || QueryError::parameter(format!("group_by: `{text}`, expected {FORMS}"));
        match text {
            "device" => return Ok(Self::Device),
            "metric" => return Ok(Self::Metric),
            _ => {}
        }
        match (text.strip_prefix("label."), text.strip_prefix('@')) {
            (Some(name), _) if is_name(name) => Ok(Self::Label(name.into())),
            (_, Some(name)) if is_name(name) => Ok(Self::Attribute(name.into())),
            (None, None) if is_name(text) => Err(refused().with_hint(format!("label.{text} for a label, @{text} for an attribute"))),
            _ => Err(refused()),
        }
    }

    fn value(&self, key: &SeriesKey, attributes: &dyn Attributes) -> String {
        match self {
            Self::Device => (*key.device).to_owned(),
            Self::Metric => (*key.metric).to_owned(),
            Self::Label(name) => key.labels.value(name).to_owned(),
            Self::Attribute(name) => {
                let mut found = String::new();
                attributes.with_value(&key.device, name, &mut |value| found.push_str(value));
                found
            }
        }
    }
}

/// Which series become one, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grouping {
    pub together: Together,
    /// Empty: all of them.
    by: Vec<By>,
}

impl Grouping {
    /// `group=sum` and `group_by=device,label.room,@site`.
    pub fn parse(group: Option<&str>, group_by: Option<&str>) -> Result<Option<Self>, QueryError> {
        let Some(group) = group else {
            return group_by.map_or(Ok(None), |by| {
                Err(QueryError::parameter(format!("group_by={by} needs group: what of the series of a group?")).with_hint("group=sum"))
            });
        };
        let together = Together::parse(group)?;
        let mut by = Vec::new();
        for name in group_by.into_iter().flat_map(|text| text.split(',')) {
            let one = By::parse(name)?;
            if by.contains(&one) {
                return Err(QueryError::parameter(format!("group_by: `{name}` is asked for twice")));
            }
            by.push(one);
        }
        if by.len() > GROUP_NAMES {
            return Err(QueryError::parameter(format!("group_by: {} names are more than {GROUP_NAMES}", by.len())));
        }
        Ok(Some(Self { together, by }))
    }

    /// Places in `keys`, group by group; groups are sorted by what they have in common as answers are by device, metric and labels.
    #[must_use]
    pub fn divide(&self, keys: &[&SeriesKey], attributes: &dyn Attributes) -> Vec<Group> {
        let mut groups = BTreeMap::<Vec<String>, Vec<usize>>::new();
        for (at, key) in keys.iter().enumerate() {
            groups.entry(self.by.iter().map(|by| by.value(key, attributes)).collect()).or_default().push(at);
        }
        let mut groups: Vec<_> = groups.into_iter().map(|(values, members)| self.group(&values, members, keys)).collect();
        groups.sort_by(|a, b| a.key.cmp(&b.key));
        groups
    }

    fn group(&self, values: &[String], members: Vec<usize>, keys: &[&SeriesKey]) -> Group {
        let first = keys[members[0]];
        let rest = || members[1..].iter().map(|at| keys[*at]);
        let common = |of: fn(&SeriesKey) -> &str| if rest().all(|key| of(key) == of(first)) { of(first) } else { "" };
        let mut labels: BTreeSet<(&str, &str)> = first.labels.iter().collect();
        for key in rest() {
            labels.retain(|(name, value)| key.labels.value(name) == *value);
        }
        // No label's name begins so: an attribute is not taken for one.
        let named = self.by.iter().zip(values).filter_map(|(by, value)| match by {
            By::Attribute(name) => Some((format!("@{name}"), value)),
            _ => None,
        });
        let attributes: Vec<_> = named.collect();
        labels.extend(attributes.iter().map(|(name, value)| (&**name, &***value)));
        let key = SeriesKey {
            device: common(|key| &key.device).into(),
            metric: common(|key| &key.metric).into(),
            labels: Labels::from_pairs(labels),
        };
        Group { key, members }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// What all of them have in common: a name that they do not share is empty, a label is left out. Attributes that were asked for stand
    /// among the labels, as `@NAME`.
    pub key: SeriesKey,
    /// At least one; ascending.
    pub members: Vec<usize>,
}

/// The rows of one group's series, which come series by series.
#[derive(Debug)]
pub struct Gather {
    together: Together,
    columns: usize,
    rows: BTreeMap<TimeNs, Box<[Cell]>>,
}

/// The values of one column and bucket.
#[derive(Clone, Debug)]
enum Cell {
    /// No series has a value.
    Empty,
    Sum(Sum, u64),
    One(Value),
}

impl Gather {
    #[must_use]
    pub fn new(together: Together, columns: usize) -> Self {
        Self { together, columns, rows: BTreeMap::new() }
    }

    pub fn add(&mut self, start: TimeNs, row: &[Option<Value>]) {
        let cells = self.rows.entry(start).or_insert_with(|| vec![Cell::Empty; self.columns].into());
        for (cell, value) in cells.iter_mut().zip(row) {
            if let Some(value) = value {
                cell.add(self.together, value);
            }
        }
    }

    /// How many rows there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Says whether the sink took them all.
    pub fn finish(self, sink: &mut RowSink<'_>) -> bool {
        let mut row = Vec::new();
        self.rows.into_iter().all(|(start, cells)| {
            row.clear();
            row.extend(Vec::from(cells).into_iter().map(|cell| cell.told(self.together)));
            sink(start, &row)
        })
    }
}

impl Cell {
    fn add(&mut self, together: Together, value: &Value) {
        match (&mut *self, together) {
            (Self::Sum(sum, count), _) => {
                sum.add_total(value);
                *count += 1;
            }
            (Self::One(least), Together::Min) if number::compare(value, least).is_lt() => *least = value.clone(),
            (Self::One(greatest), Together::Max) if number::compare(value, greatest).is_gt() => *greatest = value.clone(),
            (Self::One(_), _) => {}
            (Self::Empty, Together::Sum | Together::Mean) => {
                let mut sum = Sum::default();
                sum.add_total(value);
                *self = Self::Sum(sum, 1);
            }
            (Self::Empty, Together::Min | Together::Max) => *self = Self::One(value.clone()),
        }
    }

    fn told(self, together: Together) -> Option<Value> {
        match self {
            Self::Empty => None,
            Self::Sum(sum, count) if together == Together::Mean => Some(Value::Float(sum.mean(count))),
            Self::Sum(sum, _) => sum.total(),
            Self::One(value) => Some(value),
        }
    }
}

#[cfg(test)]
mod tests;
