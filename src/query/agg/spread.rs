//! `stddev`: the standard deviation of the readings of a bucket, of the population (divided by their number). Parts are put together as
//! in Chan, Golub and LeVeque, "Algorithms for computing the sample variance" (1983): no large squares are taken from each other.

use crate::query::number::{self, Sum};
use crate::query::run::{Run, Slice};
use crate::query::summary::{Numbers, Summary};

/// A rollup has the sum of squares, rounded. Below this share of it what lies around the mean would be rounding: at it, the deviation is
/// right to 1e-9.
const TOLD: f64 = 1e-6;

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Spread {
    count: f64,
    mean: f64,
    /// The sum of the squared distances from the mean.
    squares: f64,
}

impl Spread {
    #[expect(clippy::cast_precision_loss, reason = "a deviation is a float")]
    pub(super) fn add(&mut self, run: &Run<'_>) {
        let mut sum = Sum::default();
        sum.add(run);
        let mean = sum.mean(run.len() as u64);
        let squares = match run.slice() {
            Some(Slice::Float(values)) => distances(values.iter().copied(), mean),
            Some(Slice::Int(values)) => distances(values.iter().map(|value| *value as f64), mean),
            _ => distances((0..run.len()).map(|i| number::to_f64(&run.value(i))), mean),
        };
        self.join(Self { count: run.len() as f64, mean, squares });
    }

    pub(super) fn add_summary(&mut self, summary: &Summary) {
        if let Some(part) = of_summary(summary) {
            self.join(part);
        }
    }

    fn join(&mut self, part: Self) {
        if self.count == 0.0 {
            *self = part;
            return;
        }
        let count = self.count + part.count;
        let (apart, share) = (part.mean - self.mean, part.count / count);
        self.squares += part.squares + apart * apart * self.count * share;
        self.mean += apart * share;
        self.count = count;
    }

    /// None: it is beyond what a float can say.
    pub(super) fn deviation(&self) -> Option<f64> {
        // Rounding may leave less than nothing; what is no number stays none.
        let squares = if self.squares < 0.0 { 0.0 } else { self.squares };
        let deviation = (squares / self.count).sqrt();
        deviation.is_finite().then_some(deviation)
    }
}

/// The second sum is what rounding the mean did: it is taken out (Björck's correction, as in the paper).
fn distances(values: impl Iterator<Item = f64>, mean: f64) -> f64 {
    let (mut squares, mut sum, mut count) = (0.0, 0.0, 0.0);
    for value in values {
        let apart = value - mean;
        squares += apart * apart;
        sum += apart;
        count += 1.0;
    }
    squares - sum * sum / count
}

/// Whether the deviation can be told of it to 1e-9. Where readings are gone it is told as well as it can be.
#[must_use]
pub fn tells_spread(summary: &Summary) -> bool {
    summary.numbers.as_ref().is_none_or(|numbers| {
        numbers.least.1 == numbers.greatest.1
            || (numbers.has_squares() && numbers.has_sum() && around_mean(summary, numbers) >= TOLD * numbers.squares)
    })
}

fn of_summary(summary: &Summary) -> Option<Spread> {
    let numbers = summary.numbers.as_ref()?;
    let count = count_of(summary);
    let width = number::to_f64(&numbers.greatest.1) - number::to_f64(&numbers.least.1);
    // Least and greatest alone say how small and how large it can be, whatever rounding made of the squares.
    let squares = around_mean(summary, numbers).max(width * width / 2.0).min(width * width * count / 4.0);
    Some(Spread { count, mean: number::to_f64(&numbers.sum) / count, squares })
}

fn around_mean(summary: &Summary, numbers: &Numbers) -> f64 {
    let sum = number::to_f64(&numbers.sum);
    numbers.squares - sum * (sum / count_of(summary))
}

#[expect(clippy::cast_precision_loss, reason = "a deviation is a float")]
fn count_of(summary: &Summary) -> f64 {
    summary.count as f64
}
