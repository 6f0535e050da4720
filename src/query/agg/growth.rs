//! `increase` and `rate`: what a counter grew by. The step from the last reading of one bucket to the first of the next belongs to the
//! next, so that the increases of buckets add up to that of the whole range.

use crate::clock::NS_PER_SEC;
use crate::model::{TimeNs, Value};
use crate::query::number::{self, Sum};
use crate::query::run::Run;
use crate::query::summary::{At, Summary};

#[derive(Debug, Default)]
pub(super) struct Growth {
    grown: Sum,
    /// A part is not told: its readings are gone, and it was beyond what a float can say.
    lacks: bool,
    /// The time of the reading that the first step began at.
    since: Option<TimeNs>,
    last: Option<At>,
}

impl Growth {
    pub(super) fn begin_after(&mut self, before: At) {
        self.last = Some(before);
    }

    pub(super) fn add(&mut self, run: &Run<'_>) {
        self.step(run.time(0), &run.value(0));
        self.grown.grow_along(run);
        let last = run.len() - 1;
        self.last = Some((run.time(last), run.value(last)));
    }

    pub(super) fn add_summary(&mut self, summary: &Summary) {
        self.step(summary.first.0, &summary.first.1);
        if let Some(numbers) = &summary.numbers {
            self.lacks |= !numbers.has_increase();
            self.grown.add_total(&numbers.increase);
        }
        self.last = Some(summary.last.clone());
    }

    fn step(&mut self, time: TimeNs, value: &Value) {
        match &self.last {
            Some((begin, before)) => {
                self.since.get_or_insert(*begin);
                self.grown.grow(before, value);
            }
            None => {
                self.since.get_or_insert(time);
            }
        }
    }

    /// 0 where nothing is known from before and there is one reading. None: there is no reading.
    pub(super) fn increase(&self) -> Option<Value> {
        self.since?;
        self.grown.total().filter(|_| !self.lacks)
    }

    /// A second, between the readings that the increase is told of. None: there is but one.
    #[expect(clippy::cast_precision_loss, reason = "a rate is f64 by contract")]
    pub(super) fn rate(&self) -> Option<f64> {
        let elapsed = self.last.as_ref()?.0.saturating_sub(self.since?);
        let rate = number::to_f64(&self.increase()?) / (elapsed as f64 / NS_PER_SEC as f64);
        rate.is_finite().then_some(rate)
    }

    pub(super) fn close(&mut self) {
        (self.grown, self.lacks, self.since) = (Sum::default(), false, None);
    }
}
