//! The columns of a line that is thinned, and which summaries say all that is asked of them. Pure.
//!
//! A summary that lies in one column stands for its readings. One that an edge cuts is two parts, of which it tells little: but its
//! least reading is the least of the part that it lies in, and the other part has nothing below. So readings are looked at only where
//! what is known of that other column could be undercut.

use super::number;
use super::summary::{At, Numbers, Summary};
use crate::model::{TimeNs, TimeRange, Value};

/// A range cut into columns: column k holds the times t with floor((t - from) * count / span) = k.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Columns {
    range: TimeRange,
    count: u32,
}

/// A level is worth its cuts where so many of its buckets lie in a column.
const WORTH: i64 = 8;

impl Columns {
    /// The range is not empty and there is at least one column.
    #[must_use]
    pub fn new(range: TimeRange, count: u32) -> Self {
        debug_assert!(range.from < range.to && count > 0, "columns of something");
        Self { range, count }
    }

    /// The first time after the column that a time of the range lies in.
    #[must_use]
    pub fn end_of_column_with(&self, time: TimeNs) -> TimeNs {
        let (from, columns) = (i128::from(self.range.from), i128::from(self.count));
        let span = i128::from(self.range.to) - from;
        let next = (i128::from(time) - from) * columns / span + 1;
        i64::try_from(from + (next * span + columns - 1) / columns).unwrap_or(i64::MAX)
    }

    /// Whether summaries of a level, which lie on multiples of it, are quicker than readings: none is cut, or most are not.
    #[must_use]
    pub fn suit(&self, level: i64) -> bool {
        let Some(span) = self.range.to.checked_sub(self.range.from) else { return true };
        let (count, from) = (i64::from(self.count), self.range.from);
        let leaves_whole = span % count == 0 && (span / count) % level == 0 && from % level == 0;
        leaves_whole || span / count >= WORTH * level
    }

    /// Which of these summaries, in time order and each `level` long, do not say what their columns need: their readings are to be looked at.
    #[must_use]
    pub fn unclear(&self, summaries: &[Summary], level: i64) -> Vec<usize> {
        let mut known = Known { columns: Vec::new(), end: TimeNs::MIN };
        let (mut cuts, mut unclear) = (Vec::new(), Vec::new());
        for (i, summary) in summaries.iter().enumerate() {
            known.come_to(self, summary.first.0);
            let Some(numbers) = &summary.numbers else { continue };
            if summary.last.0 < known.end {
                known.add(&numbers.least);
                known.add(&numbers.greatest);
                continue;
            }
            let edge = known.end;
            let points = summary.points();
            let (left, right) = points.split_at(points.partition_point(|(time, _)| *time < edge));
            left.iter().for_each(|point| known.add(point));
            let of_left = known.columns.len() - 1;
            known.come_to(self, edge);
            if summary.start.saturating_add(level) > known.end {
                // Cut twice: what lies in the middle may be anything.
                unclear.push(i);
                known.come_to(self, summary.last.0);
            } else {
                cuts.push(Cut { summary: i, edge, of_left });
            }
            let end = known.end;
            right.iter().filter(|(time, _)| self.end_of_column_with(*time) == end).for_each(|point| known.add(point));
        }
        let cut = cuts
            .iter()
            .filter(|cut| summaries[cut.summary].numbers.as_ref().is_some_and(|numbers| cut.is_unclear(numbers, &known.columns)));
        unclear.extend(cut.map(|cut| cut.summary));
        unclear.sort_unstable();
        unclear
    }
}

/// Least and greatest of what is known of each column that was met so far.
struct Known {
    columns: Vec<Option<(Value, Value)>>,
    /// Of the last one.
    end: TimeNs,
}

impl Known {
    fn come_to(&mut self, columns: &Columns, time: TimeNs) {
        if time >= self.end || self.columns.is_empty() {
            self.columns.push(None);
            self.end = columns.end_of_column_with(time);
        }
    }

    fn add(&mut self, (_, value): &At) {
        match self.columns.last_mut() {
            Some(Some((least, greatest))) => {
                if number::compare(value, least).is_lt() {
                    least.clone_from(value);
                }
                if number::compare(value, greatest).is_gt() {
                    greatest.clone_from(value);
                }
            }
            Some(none) => *none = Some((value.clone(), value.clone())),
            None => {}
        }
    }
}

/// A summary that the edge between two columns cuts.
struct Cut {
    summary: usize,
    edge: TimeNs,
    of_left: usize,
}

impl Cut {
    /// Of equals the first counts. So on the left, where the cut comes last, an equal is no matter; on the right, where it comes first, it is.
    fn is_unclear(&self, numbers: &Numbers, columns: &[Option<(Value, Value)>]) -> bool {
        let (left, right) = (columns[self.of_left].as_ref(), columns.get(self.of_left + 1).and_then(Option::as_ref));
        let (least, greatest) = (&numbers.least, &numbers.greatest);
        let least_is_clear = if least.0 < self.edge {
            right.is_some_and(|(known, _)| number::compare(known, &least.1).is_lt())
        } else {
            left.is_some_and(|(known, _)| number::compare(known, &least.1).is_le())
        };
        let greatest_is_clear = if greatest.0 < self.edge {
            right.is_some_and(|(_, known)| number::compare(known, &greatest.1).is_gt())
        } else {
            left.is_some_and(|(_, known)| number::compare(known, &greatest.1).is_ge())
        };
        !least_is_clear || !greatest_is_clear
    }
}

#[cfg(test)]
#[path = "columns_tests.rs"]
mod tests;
