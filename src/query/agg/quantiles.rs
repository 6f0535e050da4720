//! `p50`, `p90`, `p99`: exact, of every reading of a bucket. Between two readings they lie on the line between them, as numpy's
//! default ("linear") and Excel's PERCENTILE.INC have it.

use crate::query::number;
use crate::query::run::{Run, Slice};

/// The values of one bucket. Bounded by who asks: the plan of an answer counts beforehand ([`super::too_full`]).
#[derive(Debug, Default)]
pub(super) struct Quantiles {
    values: Vec<f64>,
}

impl Quantiles {
    #[expect(clippy::cast_precision_loss, reason = "a quantile is a float")]
    pub(super) fn add(&mut self, run: &Run<'_>) {
        match run.slice() {
            Some(Slice::Float(values)) => self.values.extend_from_slice(values),
            Some(Slice::Int(values)) => self.values.extend(values.iter().map(|value| *value as f64)),
            _ => self.values.extend((0..run.len()).map(|i| number::to_f64(&run.value(i)))),
        }
    }

    /// What this share of the values lies at or below. None: there are no values.
    #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a place within the values")]
    pub(super) fn at(&mut self, share: f64) -> Option<f64> {
        let place = share * self.values.len().checked_sub(1)? as f64;
        let whole = place as usize;
        let (_, low, above) = self.values.select_nth_unstable_by(whole, f64::total_cmp);
        let low = *low;
        // The last value has none above it.
        let high = above.iter().copied().min_by(f64::total_cmp).unwrap_or(low);
        Some(between(low, high, place - whole as f64))
    }

    pub(super) fn close(&mut self) {
        self.values.clear();
    }
}

/// As numpy does: from the nearer end, so that it never passes the other.
fn between(low: f64, high: f64, share: f64) -> f64 {
    let width = high - low;
    match (width.is_finite(), share < 0.5) {
        (false, _) => low * (1.0 - share) + high * share,
        (true, true) => low + width * share,
        (true, false) => high - width * (1.0 - share),
    }
}
