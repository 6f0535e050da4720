//! Order and sums of numbers that may be ints and floats side by side, without rounding one into the other.

use std::cmp::Ordering;

use argminmax::ArgMinMax;

use super::run::{Run, Slice};
use crate::model::Value;

/// The order of two numbers by value, exactly: 2^53 + 1 is greater than 2^53 as a float. Bools and texts are not ordered here.
#[must_use]
pub fn compare(a: &Value, b: &Value) -> Ordering {
    match (a, b) {
        (Value::Int(a), Value::Int(b)) => a.cmp(b),
        // Equal on NaN is never reached: floats in the hub are finite (model.rs).
        (Value::Float(a), Value::Float(b)) => a.partial_cmp(b).unwrap_or(Ordering::Equal),
        (Value::Int(i), Value::Float(f)) => compare_int_float(*i, *f),
        (Value::Float(f), Value::Int(i)) => compare_int_float(*i, *f).reverse(),
        _ => Ordering::Equal,
    }
}

#[expect(clippy::cast_possible_truncation, reason = "in range after the first test, and only the whole part")]
fn compare_int_float(i: i64, f: f64) -> Ordering {
    if f >= 9_223_372_036_854_775_808.0 {
        return Ordering::Less;
    }
    if f < -9_223_372_036_854_775_808.0 {
        return Ordering::Greater;
    }
    let whole = f.trunc();
    i.cmp(&(whole as i64)).then_with(|| whole.partial_cmp(&f).unwrap_or(Ordering::Equal))
}

/// Where in the run its least and its greatest number stand; the first of equals. The run is not empty.
#[must_use]
pub fn extremes(run: &Run<'_>) -> (usize, usize) {
    match run.slice() {
        Some(Slice::Float(values)) => values.argminmax(),
        Some(Slice::Int(values)) => values.argminmax(),
        _ => {
            let (mut low, mut high) = ((0, run.value(0)), (0, run.value(0)));
            for i in 1..run.len() {
                let value = run.value(i);
                if compare(&value, &low.1) == Ordering::Less {
                    low = (i, value);
                } else if compare(&value, &high.1) == Ordering::Greater {
                    high = (i, value);
                }
            }
            (low.0, high.0)
        }
    }
}

/// A number as a float; bools and texts are none.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "the caller asks for a float")]
pub fn to_f64(value: &Value) -> f64 {
    match value {
        Value::Int(i) => *i as f64,
        Value::Float(f) => *f,
        Value::Bool(_) | Value::Text(_) => f64::NAN,
    }
}

/// Where a counter of 32 bits begins anew.
const ROUND: i64 = 1 << 32;
/// So near to the end before, and to the beginning after, a fall is no reset: a reset seldom meets the last sixteenth of a round, and a
/// counter that is read often enough to be of use does not go further between two readings.
const ROUND_EDGE: i64 = ROUND / 16;

/// Whether a fall of a counter is the end of a round. Whole numbers alone are counted in rounds, also where they come as floats.
fn goes_round(from: &Value, to: &Value) -> bool {
    let is_in = |value: &Value, edge: std::ops::Range<i64>| match value {
        Value::Int(i) => edge.contains(i),
        #[expect(clippy::cast_precision_loss, reason = "2^32 is exact in a float")]
        Value::Float(f) => f.fract() == 0.0 && (edge.start as f64..edge.end as f64).contains(f),
        Value::Bool(_) | Value::Text(_) => false,
    };
    is_in(from, ROUND - ROUND_EDGE..ROUND) && is_in(to, 0..ROUND_EDGE)
}

/// The sum of ints, exact, beside the sum of floats.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sum {
    ints: i128,
    floats: FloatSum,
    has_floats: bool,
}

impl Sum {
    pub fn add(&mut self, run: &Run<'_>) {
        match run.slice() {
            Some(Slice::Int(values)) => self.ints += values.iter().map(|v| i128::from(*v)).sum::<i128>(),
            Some(Slice::Float(values)) => self.add_floats(values),
            _ => {
                for i in 0..run.len() {
                    match run.value(i) {
                        Value::Int(v) => self.ints += i128::from(v),
                        Value::Float(v) => self.add_floats(&[v]),
                        Value::Bool(_) | Value::Text(_) => {}
                    }
                }
            }
        }
    }

    /// A sum that was made elsewhere.
    pub fn add_total(&mut self, total: &Value) {
        match total {
            Value::Int(i) => self.ints += i128::from(*i),
            Value::Float(f) => self.add_floats(&[*f]),
            Value::Bool(_) | Value::Text(_) => {}
        }
    }

    /// What a counter grew by from one value to the next. One below the other is a reset to 0, or the end of a round of 32 bits.
    pub fn grow(&mut self, from: &Value, to: &Value) {
        if compare(to, from).is_lt() {
            if goes_round(from, to) {
                self.grow(from, &Value::Int(ROUND));
            }
            return self.add_total(to);
        }
        match (from, to) {
            (Value::Int(from), Value::Int(to)) => self.ints += i128::from(*to) - i128::from(*from),
            _ => self.add_floats(&[to_f64(to) - to_f64(from)]),
        }
    }

    /// From each value of a run to the next.
    pub fn grow_along(&mut self, run: &Run<'_>) {
        match run.slice() {
            Some(Slice::Int(values)) => {
                let steps = values.iter().zip(values.iter().skip(1));
                steps.for_each(|(from, to)| match to.checked_sub(*from) {
                    Some(step) if step >= 0 => self.ints += i128::from(step),
                    _ => self.grow(&Value::Int(*from), &Value::Int(*to)),
                });
            }
            Some(Slice::Float(values)) => {
                let steps = values.iter().zip(values.iter().skip(1));
                steps.for_each(|(from, to)| match to - from {
                    step if step >= 0.0 => self.add_floats(&[step]),
                    _ => self.grow(&Value::Float(*from), &Value::Float(*to)),
                });
            }
            _ => (1..run.len()).for_each(|i| self.grow(&run.value(i - 1), &run.value(i))),
        }
    }

    fn add_floats(&mut self, values: &[f64]) {
        self.floats.add(values);
        self.has_floats = true;
    }

    /// i64 while only ints were added and they fit, else f64. None when the sum is beyond f64.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "beyond i64 the contract gives f64")]
    pub fn total(&self) -> Option<Value> {
        if !self.has_floats {
            return Some(i64::try_from(self.ints).map_or(Value::Float(self.ints as f64), Value::Int));
        }
        let total = self.ints as f64 + self.floats.total();
        total.is_finite().then_some(Value::Float(total))
    }

    /// Finite also where the sum is not.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a mean is f64 by contract")]
    pub fn mean(&self, count: u64) -> f64 {
        let n = count as f64;
        (self.ints as f64 / n + self.floats.divided_by(n)).clamp(f64::MIN, f64::MAX)
    }
}

/// Neumaier's compensated sum (ZAMM 54, 1974): the error stays that of one addition. A sum that would pass the largest f64 is
/// carried on 2^-64 as large, so that the mean of large numbers is still right.
#[derive(Clone, Copy, Debug)]
struct FloatSum {
    sum: f64,
    lost: f64,
    scale: f64,
}

impl Default for FloatSum {
    fn default() -> Self {
        Self { sum: 0.0, lost: 0.0, scale: 1.0 }
    }
}

const SMALL: f64 = 1.0 / 18_446_744_073_709_551_616.0;

impl FloatSum {
    fn add(&mut self, values: &[f64]) {
        let mut next = *self;
        next.add_as_is(values);
        #[expect(clippy::float_cmp, reason = "the scale is one of two constants")]
        if !next.sum.is_finite() && self.scale == 1.0 {
            next = Self { sum: self.sum * SMALL, lost: self.lost * SMALL, scale: SMALL };
            next.add_as_is(values);
        }
        *self = next;
    }

    fn add_as_is(&mut self, values: &[f64]) {
        for value in values {
            let value = value * self.scale;
            let sum = self.sum + value;
            self.lost += if self.sum.abs() >= value.abs() { (self.sum - sum) + value } else { (value - sum) + self.sum };
            self.sum = sum;
        }
    }

    fn total(&self) -> f64 {
        (self.sum + self.lost) / self.scale
    }

    fn divided_by(&self, n: f64) -> f64 {
        (self.sum + self.lost) / n / self.scale
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ints_and_floats_are_ordered_exactly() {
        use Ordering::{Equal, Greater, Less};
        let rows = [
            (Value::Int(1), Value::Float(1.0), Equal),
            (Value::Int(1), Value::Float(1.5), Less),
            (Value::Int(-1), Value::Float(-1.5), Greater),
            (Value::Int(9_007_199_254_740_993), Value::Float(9_007_199_254_740_992.0), Greater),
            (Value::Int(i64::MAX), Value::Float(9_223_372_036_854_775_808.0), Less),
            (Value::Int(i64::MIN), Value::Float(-9_223_372_036_854_775_808.0), Equal),
            (Value::Int(i64::MIN), Value::Float(-1e300), Greater),
            (Value::Int(0), Value::Float(-0.0), Equal),
        ];
        for (a, b, expected) in rows {
            assert_eq!(compare(&a, &b), expected, "{a:?} {b:?}");
            assert_eq!(compare(&b, &a), expected.reverse(), "{b:?} {a:?}");
        }
    }

    #[test]
    fn sums_do_not_lose_what_is_small_nor_break_at_what_is_large() {
        let sum = |values: &[f64]| {
            let mut sum = Sum::default();
            sum.add_floats(values);
            sum
        };
        assert_eq!(sum(&[1.0, 1e100, 1.0, -1e100]).total(), Some(Value::Float(2.0)));
        let large = sum(&[f64::MAX, f64::MAX, f64::MAX / 2.0, f64::MAX / 2.0]);
        assert_eq!(large.total(), None);
        assert!((large.mean(4) / (f64::MAX * 0.75) - 1.0).abs() < 1e-12);
        assert!((sum(&[f64::MAX; 7]).mean(7) / f64::MAX - 1.0).abs() < 1e-12);
    }

    #[test]
    fn the_first_of_equals_is_found_at_any_length() {
        for len in [1_usize, 2, 7, 64, 1000, 5000] {
            let pairs: Vec<_> = (0..len).map(|i| (i as i64, Value::Float(((i * 7919) % 97 / 3) as f64))).collect();
            let slow = extremes(&Run::of_pairs(&pairs));
            let floats: Vec<f64> = pairs.iter().filter_map(|(_, v)| v.as_f64()).collect();
            let ints: Vec<i64> = floats.iter().map(|f| *f as i64).collect();
            assert_eq!((floats.argminmax(), ints.argminmax()), (slow, slow), "{len}");
        }
    }
}
