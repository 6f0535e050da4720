//! `points=N`: few points that draw the same line. The range is cut into N columns; of each, the least and the greatest value
//! stay, and of the whole range the first and the last point. Nothing is averaged: what stays was measured.
//!
//! The method is MinMax aggregation per pixel column. With the first and last point of each column too it would be M4 (Jugel et
//! al., "M4: A Visualization-Oriented Time Series Data Aggregation", VLDB 2014), which draws without any error at N = pixels; at
//! the same number of points MinMax with twice the columns looks as good for a tenth of the work (Van Der Donckt et al.,
//! "Data Point Selection for Line Chart Visualization", 2023, whose crate `argminmax` finds the two in one pass).
//!
//! Bools and texts have no least and greatest: of each column the first and the last change of value stay, so at every column's
//! end the line shows the value that held there.

use super::columns::Columns;
use super::number;
use super::run::Run;
use super::summary::Summary;
use crate::model::{TimeNs, TimeRange, Value, ValueType};

/// False stops.
pub type PointSink<'a> = dyn FnMut(TimeNs, Value) -> bool + 'a;

type Point = (TimeNs, Value);

/// Thins one series.
#[derive(Debug)]
pub struct Thinner {
    columns: Columns,
    is_number: bool,
    column_end: TimeNs,
    /// Least and greatest of the column, or its first and last change.
    kept: Option<(Point, Point)>,
    newest: Option<Point>,
    /// Time of the last point given out.
    given: Option<TimeNs>,
}

impl Thinner {
    /// The range is not empty and there is at least one column.
    #[must_use]
    pub fn new(range: TimeRange, columns: u32, value_type: ValueType) -> Self {
        let is_number = value_type == ValueType::Number;
        Self { columns: Columns::new(range, columns), is_number, column_end: range.from, kept: None, newest: None, given: None }
    }

    #[must_use]
    pub fn columns(&self) -> Columns {
        self.columns
    }

    /// Runs come in time order and lie in the range. Says whether the sink wants more.
    pub fn push(&mut self, mut run: Run<'_>, sink: &mut PointSink<'_>) -> bool {
        if self.given.is_none() && !run.is_empty() && !self.give((run.time(0), run.value(0)), sink) {
            return false;
        }
        while !run.is_empty() {
            let time = run.time(0);
            if time >= self.column_end {
                if !self.close_column(sink) {
                    return false;
                }
                self.column_end = self.columns.end_of_column_with(time);
            }
            let (inside, rest) = run.split_before(self.column_end);
            if self.is_number {
                self.keep_extremes(&inside);
            } else {
                self.keep_changes(&inside);
            }
            let last = inside.len() - 1;
            self.newest = Some((inside.time(last), inside.value(last)));
            run = rest;
        }
        true
    }

    /// The last column and the last point. To be called after the last run.
    pub fn finish(mut self, sink: &mut PointSink<'_>) -> bool {
        self.close_column(sink) && self.newest.take().is_none_or(|newest| self.give(newest, sink))
    }

    /// In place of its readings, where it tells what the columns that it lies in need ([`Columns::unclear`]).
    pub fn push_summary(&mut self, summary: &Summary, sink: &mut PointSink<'_>) -> bool {
        let lies_in_column = self.given.is_some() && summary.first.0 < self.column_end && summary.last.0 < self.column_end;
        let Some(numbers) = summary.numbers.as_ref().filter(|_| lies_in_column && self.is_number) else {
            return self.push(Run::of_pairs(&summary.points()), sink);
        };
        self.widen(&numbers.least, &numbers.greatest);
        self.newest = Some(summary.last.clone());
        true
    }

    fn keep_extremes(&mut self, run: &Run<'_>) {
        let (low, high) = number::extremes(run);
        let point = |i: usize| (run.time(i), run.value(i));
        self.widen(&point(low), &point(high));
    }

    /// Of equals the first stays.
    fn widen(&mut self, low: &Point, high: &Point) {
        match &mut self.kept {
            None => self.kept = Some((low.clone(), high.clone())),
            Some((least, greatest)) => {
                if number::compare(&low.1, &least.1).is_lt() {
                    least.clone_from(low);
                }
                if number::compare(&high.1, &greatest.1).is_gt() {
                    greatest.clone_from(high);
                }
            }
        }
    }

    fn keep_changes(&mut self, run: &Run<'_>) {
        let mut previous = self.newest.take().map(|(_, value)| value);
        for (time, value) in run.iter() {
            if previous.as_ref() != Some(&value) {
                let change = (time, value.clone());
                let first = self.kept.take().map_or_else(|| change.clone(), |(first, _)| first);
                self.kept = Some((first, change));
            }
            previous = Some(value);
        }
    }

    fn close_column(&mut self, sink: &mut PointSink<'_>) -> bool {
        let Some((a, b)) = self.kept.take() else {
            return true;
        };
        let (earlier, later) = if a.0 <= b.0 { (a, b) } else { (b, a) };
        self.give(earlier, sink) && self.give(later, sink)
    }

    /// Gives a point out unless it was already.
    fn give(&mut self, (time, value): Point, sink: &mut PointSink<'_>) -> bool {
        if self.given.is_some_and(|given| time <= given) {
            return true;
        }
        self.given = Some(time);
        sink(time, value)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    fn thin(points: &[Point], range: TimeRange, columns: u32, rng: &mut fastrand::Rng) -> Vec<Point> {
        let value_type = points.first().map_or(ValueType::Number, |(_, v)| v.value_type());
        let (mut thinner, mut found) = (Thinner::new(range, columns, value_type), Vec::new());
        let mut sink = |time, value| {
            found.push((time, value));
            true
        };
        let mut rest = points;
        while !rest.is_empty() {
            let (run, after) = rest.split_at(rng.usize(1..=rest.len().min(300)));
            assert!(thinner.push(Run::of_pairs(run), &mut sink));
            rest = after;
        }
        assert!(thinner.finish(&mut sink));
        found
    }

    fn column(time: TimeNs, range: TimeRange, columns: u32) -> i128 {
        (i128::from(time) - i128::from(range.from)) * i128::from(columns) / (i128::from(range.to) - i128::from(range.from))
    }

    fn random(rng: &mut fastrand::Rng, value: impl Fn(&mut fastrand::Rng) -> Value) -> (Vec<Point>, TimeRange, u32) {
        let from = rng.i64(-5_000..5_000);
        let to = from + rng.i64(1..20_000);
        let times: BTreeSet<_> = (0..rng.usize(0..4_000)).map(|_| rng.i64(from..to)).collect();
        let points = times.into_iter().map(|t| (t, value(rng))).collect();
        (points, TimeRange { from, to }, rng.u32(1..300))
    }

    #[test]
    fn numbers_keep_the_extremes_of_each_column_and_the_ends() {
        for seed in 0..200 {
            let mut rng = fastrand::Rng::with_seed(seed);
            let number = |rng: &mut fastrand::Rng| if rng.bool() { Value::Int(rng.i64(-20..20)) } else { Value::Float(rng.f64() * 9.0) };
            let (points, range, columns) = random(&mut rng, number);
            let mut expected = BTreeMap::new();
            let mut groups: BTreeMap<i128, Vec<&Point>> = BTreeMap::new();
            for point in &points {
                groups.entry(column(point.0, range, columns)).or_default().push(point);
            }
            for group in groups.values() {
                // min_by gives the first of equals; max_by the last, hence the reversed walk.
                let low = group.iter().min_by(|a, b| number::compare(&a.1, &b.1)).unwrap();
                let high = group.iter().rev().max_by(|a, b| number::compare(&a.1, &b.1)).unwrap();
                expected.extend([(low.0, low.1.clone()), (high.0, high.1.clone())]);
            }
            expected.extend(points.first().cloned());
            expected.extend(points.last().cloned());
            let found = thin(&points, range, columns, &mut rng);
            assert_eq!(found, expected.into_iter().collect::<Vec<_>>(), "seed {seed}");
            assert!(found.len() <= 2 * columns as usize + 2);
        }
    }

    #[test]
    fn texts_and_bools_show_what_held_at_each_column_s_end() {
        for seed in 0..200 {
            let mut rng = fastrand::Rng::with_seed(seed);
            let text = rng.bool();
            let state = |rng: &mut fastrand::Rng| {
                if text { Value::Text(["a", "b", "c"][rng.usize(0..3)].into()) } else { Value::Bool(rng.u8(..) < 40) }
            };
            let (points, range, columns) = random(&mut rng, state);
            let found = thin(&points, range, columns, &mut rng);
            assert!(found.len() <= 2 * columns as usize + 2, "seed {seed}");
            assert!(found.windows(2).all(|w| w[0].0 < w[1].0), "seed {seed}");
            assert!(found.iter().all(|p| points.contains(p)), "seed {seed}");
            assert_eq!((found.first(), found.last()), (points.first(), points.last()), "seed {seed}");
            let held = |of: &[Point], end: i128| of.iter().rev().find(|(t, _)| column(*t, range, columns) <= end).map(|(_, v)| v.clone());
            for end in 0..i128::from(columns) {
                assert_eq!(held(&found, end), held(&points, end), "seed {seed}, column {end}");
            }
        }
    }

    #[test]
    fn a_range_as_wide_as_time_itself() {
        let points = [(i64::MIN, Value::Int(1)), (0, Value::Int(2)), (i64::MAX - 1, Value::Int(3))];
        assert_eq!(thin(&points, TimeRange::ALL, 100_000, &mut fastrand::Rng::with_seed(1)), points);
    }
}
