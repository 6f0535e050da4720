//! Pixel columns: what stays of many readings where a chart has few pixels. Of each column the smallest, the largest and the last
//! reading stay; of bools and texts the last. Pure.
//!
//! Columns of one width begin at the same instants for everyone (multiples of the width since 1970), so those of twice the width
//! nest, and thinning what was thinned gives what thinning the readings would.

use std::cmp::Ordering;

use crate::model::{TimeNs, Value};

pub(super) type Point = (TimeNs, Value);

#[must_use]
pub(super) fn column_of(time: TimeNs, width_ns: i64) -> i64 {
    time.div_euclid(width_ns)
}

/// The first and the last instant of a column, both inside.
#[must_use]
pub(super) fn bounds(column: i64, width_ns: i64) -> (TimeNs, TimeNs) {
    let from = column.saturating_mul(width_ns);
    (from, from.saturating_add(width_ns - 1))
}

/// The smallest, the largest (the earliest of equals) and the last reading.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Extremes {
    least: Option<Point>,
    greatest: Option<Point>,
    last: Option<Point>,
}

impl Extremes {
    #[must_use]
    pub(super) fn of<'a>(points: impl IntoIterator<Item = (&'a TimeNs, &'a Value)>) -> Self {
        let mut extremes = Self::default();
        points.into_iter().for_each(|(time, value)| extremes.add(*time, value));
        extremes
    }

    pub(super) fn add(&mut self, time: TimeNs, value: &Value) {
        let put = |place: &mut Option<Point>, wins: Ordering| {
            let beats = |(at, held): &Point| match compare(value, held) {
                Some(Ordering::Equal) => time < *at,
                order => order == Some(wins),
            };
            if place.as_ref().is_none_or(beats) {
                *place = Some((time, value.clone()));
            }
        };
        if value.as_f64().is_some() {
            put(&mut self.least, Ordering::Less);
            put(&mut self.greatest, Ordering::Greater);
        }
        if self.last.as_ref().is_none_or(|(last, _)| *last <= time) {
            self.last = Some((time, value.clone()));
        }
    }

    #[must_use]
    pub(super) fn last_time(&self) -> Option<TimeNs> {
        self.last.as_ref().map(|(time, _)| *time)
    }

    #[must_use]
    pub(super) fn has(&self, time: TimeNs) -> bool {
        [&self.least, &self.greatest, &self.last].into_iter().flatten().any(|(held, _)| *held == time)
    }

    /// One to three points in time order, each once.
    #[must_use]
    pub(super) fn points(&self) -> Vec<Point> {
        let mut points: Vec<Point> = [&self.least, &self.greatest, &self.last].into_iter().flatten().cloned().collect();
        points.sort_by_key(|(time, _)| *time);
        points.dedup_by_key(|(time, _)| *time);
        points
    }
}

/// Integers exactly, also beyond 2^53.
fn compare(a: &Value, b: &Value) -> Option<Ordering> {
    match (a, b) {
        (Value::Int(a), Value::Int(b)) => Some(a.cmp(b)),
        _ => a.as_f64().partial_cmp(&b.as_f64()),
    }
}

/// Thins points that come in time order.
#[derive(Debug)]
pub(super) struct Thinner {
    width_ns: i64,
    column: i64,
    extremes: Extremes,
    seen: u64,
    kept: Vec<Point>,
}

impl Thinner {
    #[must_use]
    pub(super) fn new(width_ns: i64) -> Self {
        Self { width_ns: width_ns.max(1), column: 0, extremes: Extremes::default(), seen: 0, kept: Vec::new() }
    }

    pub(super) fn push(&mut self, time: TimeNs, value: &Value) {
        let column = column_of(time, self.width_ns);
        if column != self.column {
            self.close();
            self.column = column;
        }
        self.seen += 1;
        self.extremes.add(time, value);
    }

    fn close(&mut self) {
        self.kept.append(&mut std::mem::take(&mut self.extremes).points());
    }

    /// What stays, and how many were left out.
    #[must_use]
    pub(super) fn finish(mut self) -> (Vec<Point>, u64) {
        self.close();
        let left_out = self.seen - self.kept.len() as u64;
        (self.kept, left_out)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// The contract's words, one column at a time.
    fn brute(points: &BTreeMap<TimeNs, Value>, width: i64) -> Vec<Point> {
        let mut columns: BTreeMap<i64, Vec<Point>> = BTreeMap::new();
        points.iter().for_each(|(t, v)| columns.entry(column_of(*t, width)).or_default().push((*t, v.clone())));
        let mut kept = BTreeMap::new();
        for column in columns.values() {
            let numbers: Vec<(f64, &Point)> = column.iter().filter_map(|p| Some((p.1.as_f64()?, p))).collect();
            let least = numbers.iter().map(|n| n.0).fold(f64::INFINITY, f64::min);
            let greatest = numbers.iter().map(|n| n.0).fold(f64::NEG_INFINITY, f64::max);
            let first = |wanted: f64| numbers.iter().find(|n| n.0 == wanted).map(|n| n.1.clone());
            kept.extend(first(least).into_iter().chain(first(greatest)).chain(column.last().cloned()));
        }
        kept.into_iter().collect()
    }

    #[test]
    fn each_column_keeps_its_extremes_and_its_last_and_wider_ones_nest() {
        for seed in 0..60 {
            let mut rng = fastrand::Rng::with_seed(seed);
            let value = |rng: &mut fastrand::Rng| match seed % 3 {
                0 => Value::Int(rng.i64(-4..4)),
                1 => Value::Float(f64::from(rng.i32(-9..9)) / 4.0),
                _ => Value::Text(format!("{}", rng.u8(0..3)).into()),
            };
            let points: BTreeMap<TimeNs, Value> = (0..rng.usize(0..400)).map(|_| (rng.i64(-3_000..3_000), value(&mut rng))).collect();
            let thin = |points: &BTreeMap<TimeNs, Value>, width| {
                let mut thinner = Thinner::new(width);
                points.iter().for_each(|(time, value)| thinner.push(*time, value));
                thinner.finish()
            };
            let width = rng.i64(1..200);
            let (kept, left_out) = thin(&points, width);
            assert_eq!(kept, brute(&points, width), "seed {seed}");
            assert_eq!(kept.len() as u64 + left_out, points.len() as u64, "seed {seed}");
            let again = thin(&kept.into_iter().collect(), width * 4).0;
            assert_eq!(again, brute(&points, width * 4), "seed {seed}: thinned twice");
        }
    }

    #[test]
    fn integers_are_told_apart_beyond_what_a_float_can() {
        let big = 1_i64 << 60;
        let points = BTreeMap::from([(0, Value::Int(big)), (1, Value::Int(big + 1)), (2, Value::Int(big - 1)), (3, Value::Int(big))]);
        assert_eq!(Extremes::of(&points).points().iter().map(|(time, _)| *time).collect::<Vec<_>>(), [1, 2, 3]);
    }
}
