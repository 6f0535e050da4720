//! A summary: what is kept of a stretch of readings when the readings themselves are not looked at, or are gone. Rollups are made of
//! these; aggregates are made of them as of points.
//!
//! Invariant: a summary stands for one bucket of its level, which begins on a multiple of the level since 1970 UTC.

use super::number::{self, Sum};
use super::run::Run;
use crate::model::{TimeNs, Value};

/// A point with its own time.
pub type At = (TimeNs, Value);

#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    pub start: TimeNs,
    pub count: u64,
    pub first: At,
    pub last: At,
    /// None for bools and texts.
    pub numbers: Option<Numbers>,
}

/// What only numbers have.
#[derive(Clone, Debug, PartialEq)]
pub struct Numbers {
    pub least: At,
    pub greatest: At,
    pub sum: Value,
    /// The sum of the squares.
    pub squares: f64,
    /// What a counter grew by between the first and the last point: a value below the one before is a reset to 0.
    pub increase: Value,
}

/// What a store counted of the points of one bucket, as far as it was asked for: of two ends of which one was asked for, the other is
/// some value.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Totals {
    /// Where the bucket begins, or later within it.
    pub start: TimeNs,
    pub count: u64,
    pub sum: Option<Value>,
    /// Least and greatest.
    pub extremes: Option<(Value, Value)>,
    /// First and last.
    pub ends: Option<(Value, Value)>,
}

/// In place of a sum that is beyond what a float can say.
const UNTOLD: f64 = f64::MAX;

impl Numbers {
    /// Whether the sum is told at all.
    #[must_use]
    pub fn has_sum(&self) -> bool {
        !is_untold(&self.sum)
    }

    #[must_use]
    pub fn has_squares(&self) -> bool {
        !is_untold(&Value::Float(self.squares))
    }

    #[must_use]
    pub fn has_increase(&self) -> bool {
        !is_untold(&self.increase)
    }

    fn are_ints(&self) -> bool {
        matches!((&self.least.1, &self.greatest.1), (Value::Int(_), Value::Int(_)))
    }
}

fn is_untold(value: &Value) -> bool {
    matches!(value, Value::Float(f) if f.abs() >= UNTOLD)
}

/// Whether the sums of these, which lie in one bucket, add up to what their readings do, within 1e-12. Sums of ints do unless they were
/// rounded; those of floats, each of which is rounded, unless they cancel each other out.
#[must_use]
pub fn tell_sum<'a>(summaries: impl Iterator<Item = &'a Summary>) -> bool {
    let (mut total, mut size) = (Sum::default(), 0.0);
    for numbers in summaries.filter_map(|summary| summary.numbers.as_ref()) {
        if !numbers.has_sum() || (numbers.are_ints() && matches!(numbers.sum, Value::Float(_))) {
            return false;
        }
        total.add_total(&numbers.sum);
        if let Value::Float(sum) = numbers.sum {
            // On a scale on which it cannot pass the largest float.
            size += sum.abs() / SCALE;
        }
    }
    size * f64::EPSILON <= 1e-12 * (total.mean(1) / SCALE).abs()
}

/// More than the summaries of a day.
const SCALE: f64 = 4096.0;

/// Whether what a counter grew by is as exact as that of the readings.
#[must_use]
pub fn tells_increase(summary: &Summary) -> bool {
    let exact = |numbers: &Numbers| numbers.has_increase() && !(numbers.are_ints() && matches!(numbers.increase, Value::Float(_)));
    summary.numbers.as_ref().is_none_or(exact)
}

impl Summary {
    /// The points that it is certain of, in time order: each once.
    #[must_use]
    pub fn points(&self) -> Vec<At> {
        let mut points = vec![self.first.clone()];
        if let Some(numbers) = &self.numbers {
            points.extend([numbers.least.clone(), numbers.greatest.clone()]);
        }
        points.push(self.last.clone());
        points.sort_by_key(|(time, _)| *time);
        points.dedup_by_key(|(time, _)| *time);
        points
    }
}

/// Makes summaries of one level. Runs come in time order.
#[derive(Debug)]
pub struct Summing {
    level: i64,
    open: Option<Open>,
    done: Vec<Summary>,
}

#[derive(Debug)]
struct Open {
    start: TimeNs,
    count: u64,
    first: At,
    last: At,
    extremes: Option<(At, At)>,
    sum: Sum,
    squares: Sum,
    increase: Sum,
}

impl Summing {
    #[must_use]
    pub fn new(level: i64) -> Self {
        Self { level, open: None, done: Vec::new() }
    }

    pub fn push(&mut self, mut run: Run<'_>) {
        while !run.is_empty() {
            let start = run.time(0).div_euclid(self.level).saturating_mul(self.level);
            if self.open.as_ref().is_some_and(|open| open.start != start) {
                self.close();
            }
            let (inside, rest) = run.split_before(start.saturating_add(self.level));
            self.open.get_or_insert_with(|| Open::new(start, &inside)).add(&inside);
            run = rest;
        }
    }

    fn close(&mut self) {
        self.done.extend(self.open.take().map(Open::close));
    }

    #[must_use]
    pub fn finish(mut self) -> Vec<Summary> {
        self.close();
        self.done
    }
}

fn at(run: &Run<'_>, i: usize) -> At {
    (run.time(i), run.value(i))
}

impl Open {
    fn new(start: TimeNs, run: &Run<'_>) -> Self {
        let first = at(run, 0);
        let [sum, squares, increase] = [Sum::default(); 3];
        Self { start, count: 0, last: first.clone(), first, extremes: None, sum, squares, increase }
    }

    fn add(&mut self, run: &Run<'_>) {
        let before = (self.count > 0).then(|| self.last.1.clone());
        self.count += run.len() as u64;
        self.last = at(run, run.len() - 1);
        if !matches!(self.first.1, Value::Int(_) | Value::Float(_)) {
            return;
        }
        let (low, high) = number::extremes(run);
        self.extremes = Some(match self.extremes.take() {
            None => (at(run, low), at(run, high)),
            Some((least, greatest)) => (
                if number::compare(&run.value(low), &least.1).is_lt() { at(run, low) } else { least },
                if number::compare(&run.value(high), &greatest.1).is_gt() { at(run, high) } else { greatest },
            ),
        });
        self.sum.add(run);
        for i in 0..run.len() {
            self.squares.add_total(&Value::Float(number::to_f64(&run.value(i)).powi(2)));
        }
        let mut previous = before.unwrap_or_else(|| run.value(0));
        for (_, value) in run.iter() {
            self.increase.grow(&previous, &value);
            previous = value;
        }
    }

    fn close(self) -> Summary {
        let numbers = self.extremes.map(|(least, greatest)| Numbers {
            least,
            greatest,
            sum: self.sum.total().unwrap_or(Value::Float(UNTOLD)),
            squares: self.squares.total().map_or(UNTOLD, |squares| number::to_f64(&squares)),
            increase: self.increase.total().unwrap_or(Value::Float(UNTOLD)),
        });
        Summary { start: self.start, count: self.count, first: self.first, last: self.last, numbers }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summaries(points: &[(TimeNs, Value)], level: i64, cut: usize) -> Vec<Summary> {
        let mut summing = Summing::new(level);
        points.chunks(cut).for_each(|some| summing.push(Run::of_pairs(some)));
        summing.finish()
    }

    #[test]
    fn a_summary_is_that_of_its_points_however_they_come() {
        let values = [5, 7, 7, 2, 4, 9, 1];
        let points: Vec<_> = (0..).map(|i| i * 3).zip(values.map(Value::Int)).collect();
        for cut in 1..8 {
            let found = summaries(&points, 10, cut);
            let first = &found[0];
            assert_eq!((first.start, first.count, &first.first, &first.last), (0, 4, &(0, Value::Int(5)), &(9, Value::Int(2))));
            let numbers = first.numbers.clone().unwrap();
            assert_eq!((numbers.least, numbers.greatest), ((9, Value::Int(2)), (3, Value::Int(7))));
            assert_eq!((numbers.sum, numbers.squares, numbers.increase), (Value::Int(21), 127.0, Value::Int(4)), "2 up, then a reset to 2");
            let times: Vec<_> = first.points().iter().map(|(time, _)| *time).collect();
            assert_eq!(times, [0, 3, 9]);
            assert_eq!(found.len(), 2);
        }
    }

    #[test]
    fn bools_and_texts_have_their_ends_alone() {
        let points = [(-5, Value::Bool(true)), (-1, Value::Bool(false)), (0, Value::Bool(true))];
        let found = summaries(&points, 10, 2);
        assert_eq!(found.iter().map(|s| (s.start, s.count, s.numbers.is_none())).collect::<Vec<_>>(), [(-10, 2, true), (0, 1, true)]);
    }
}
