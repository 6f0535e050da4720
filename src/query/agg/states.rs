//! `time_in_state`: how long a series had each of its values within a bucket. A reading holds until the next one, but for no longer than
//! [`LOOK_BACK`]: a series that stopped is not drawn on for ever.

use crate::clock::NS_PER_SEC;
use crate::limits::{LOOK_BACK, STATES};
use crate::model::{TimeNs, Value};
use crate::query::run::Run;
use crate::query::summary::At;

#[derive(Debug)]
pub(super) struct States {
    /// Up to where time was given to a state.
    at: TimeNs,
    held: Option<At>,
    /// Beyond, nothing is known to hold: readings may lie ahead of the clock.
    known: TimeNs,
    /// Of the open bucket, in the order in which they came.
    spent: Vec<(Value, i64)>,
    /// There are more of them than are told.
    is_over: bool,
}

impl States {
    pub(super) fn begin_at(from: TimeNs) -> Self {
        Self { at: from, held: None, known: TimeNs::MAX, spent: Vec::new(), is_over: false }
    }

    pub(super) fn known_until(&mut self, until: TimeNs) {
        self.known = until;
    }

    pub(super) fn begin_after(&mut self, before: At) {
        self.held = Some(before);
    }

    pub(super) fn add(&mut self, run: &Run<'_>) {
        for (time, value) in run.iter() {
            // Equal ones are one stretch; but each says anew that it holds.
            self.spend_until(time);
            self.held = Some((time, value));
        }
    }

    /// Whether a state holds at that time.
    pub(super) fn hold_at(&self, time: TimeNs) -> bool {
        self.held.as_ref().is_some_and(|(since, _)| time < holds_until(*since))
    }

    pub(super) fn spend_until(&mut self, until: TimeNs) {
        let until = until.min(self.known);
        let Some((since, value)) = &self.held else {
            self.at = self.at.max(until);
            return;
        };
        let spent = until.min(holds_until(*since)).saturating_sub(self.at).max(0);
        self.at = self.at.max(until);
        if spent == 0 {
            return;
        }
        match self.spent.iter().position(|(state, _)| state == value) {
            Some(at) => self.spent[at].1 = self.spent[at].1.saturating_add(spent),
            None if self.spent.len() < STATES => self.spent.push((value.clone(), spent)),
            None => self.is_over = true,
        }
    }

    /// A JSON object, value to seconds, sorted by value. None: there are too many values.
    #[expect(clippy::cast_precision_loss, reason = "seconds are a float")]
    pub(super) fn told(&self) -> Option<Value> {
        let key = |value: &Value| match value {
            Value::Int(i) => i.to_string(),
            Value::Float(f) => f.to_string(),
            Value::Bool(b) => b.to_string(),
            Value::Text(text) => text.to_string(),
        };
        let entry = |(value, spent): &(Value, i64)| (key(value), (*spent as f64 / NS_PER_SEC as f64).into());
        let object = self.spent.iter().map(entry).collect::<serde_json::Map<_, _>>();
        (!self.is_over).then(|| Value::Text(serde_json::Value::Object(object).to_string().into()))
    }

    pub(super) fn close(&mut self) {
        self.spent.clear();
        self.is_over = false;
    }
}

fn holds_until(since: TimeNs) -> TimeNs {
    since.saturating_add(i64::try_from(LOOK_BACK.as_nanos()).unwrap_or(i64::MAX))
}
