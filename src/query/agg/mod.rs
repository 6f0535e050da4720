//! What a bucket gathers for aggregates that count, sum, extremes and ends do not tell: one file for each kind. AGGREGATES.md has
//! the rules in words.
//!
//! Invariant: nothing is gathered that no aggregate asked for.

mod crowd;
mod growth;
mod names;
mod quantiles;
mod spread;
mod states;

pub use crowd::too_full;
pub use names::{Agg, TIME_IN_STATE};
pub use spread::tells_spread;

use self::growth::Growth;
use self::quantiles::Quantiles;
use self::spread::Spread;
use self::states::States;
use super::run::Run;
use super::summary::{At, Summary};
use crate::model::{TimeNs, Value};

/// Of the bucket that is open; what a counter showed last is carried from one bucket to the next.
#[derive(Debug, Default)]
pub struct Further {
    spread: Option<Spread>,
    growth: Option<Growth>,
    quantiles: Option<Quantiles>,
    states: Option<States>,
}

impl Further {
    #[must_use]
    pub fn of(aggs: &[Agg], from: TimeNs) -> Self {
        let any = |of_kind: fn(Agg) -> bool| aggs.iter().any(|agg| of_kind(*agg));
        Self {
            spread: any(|agg| agg == Agg::StdDev).then(Spread::default),
            growth: any(|agg| matches!(agg, Agg::Increase | Agg::Rate)).then(Growth::default),
            quantiles: any(|agg| agg.quantile().is_some()).then(Quantiles::default),
            states: any(|agg| agg == Agg::TimeInState).then(|| States::begin_at(from)),
        }
    }

    /// Readings may lie ahead of the clock; no state is known to hold there.
    pub fn known_until(&mut self, until: TimeNs) {
        if let Some(states) = &mut self.states {
            states.known_until(until);
        }
    }

    /// The last reading before the first that will come.
    pub fn begin_after(&mut self, before: At) {
        if let Some(growth) = &mut self.growth {
            growth.begin_after(before.clone());
        }
        if let Some(states) = &mut self.states {
            states.begin_after(before);
        }
    }

    /// The run is not empty and lies within the bucket.
    pub fn add(&mut self, run: &Run<'_>) {
        if let Some(spread) = &mut self.spread {
            spread.add(run);
        }
        if let Some(growth) = &mut self.growth {
            growth.add(run);
        }
        if let Some(quantiles) = &mut self.quantiles {
            quantiles.add(run);
        }
        if let Some(states) = &mut self.states {
            states.add(run);
        }
    }

    /// Whether a bucket that begins then has something to tell although no reading is in it.
    #[must_use]
    pub fn hold_at(&self, time: TimeNs) -> bool {
        self.states.as_ref().is_some_and(|states| states.hold_at(time))
    }

    /// No reading comes any more before this, which is in the bucket or its end.
    pub fn pass(&mut self, until: TimeNs) {
        if let Some(states) = &mut self.states {
            states.spend_until(until);
        }
    }

    /// A summary tells no quantiles and no states: who asks for them scans readings.
    pub fn add_summary(&mut self, summary: &Summary) {
        if let Some(spread) = &mut self.spread {
            spread.add_summary(summary);
        }
        if let Some(growth) = &mut self.growth {
            growth.add_summary(summary);
        }
    }

    /// None: there is no such number, or the aggregate is none of these.
    pub fn value(&mut self, agg: Agg) -> Option<Value> {
        match (agg, agg.quantile()) {
            (Agg::StdDev, _) => self.spread.as_ref()?.deviation().map(Value::Float),
            (Agg::Increase, _) => self.growth.as_ref()?.increase(),
            (Agg::Rate, _) => self.growth.as_ref()?.rate().map(Value::Float),
            (Agg::TimeInState, _) => self.states.as_ref()?.told(),
            (_, Some(share)) => self.quantiles.as_mut()?.at(share).map(Value::Float),
            (_, None) => None,
        }
    }

    /// The next bucket begins.
    pub fn close(&mut self) {
        if let Some(spread) = &mut self.spread {
            *spread = Spread::default();
        }
        if let Some(growth) = &mut self.growth {
            growth.close();
        }
        if let Some(quantiles) = &mut self.quantiles {
            quantiles.close();
        }
        if let Some(states) = &mut self.states {
            states.close();
        }
    }
}

#[cfg(test)]
mod tests;
