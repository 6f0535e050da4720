//! The last known value of a series: the newest by event time, when the series was last heard of, and since when the value holds.
//!
//! The newest value is always exact. Since when it holds is exact as long as readings come in order; a write into the past may
//! move it to where only the store can tell, so it is then marked unsettled, and settled when somebody asks (`query::last`).

use crate::model::{TimeNs, Value};

#[derive(Clone, Debug, PartialEq)]
pub struct LastKnown {
    pub time: TimeNs,
    pub value: Value,
    /// Receive time of the last reading of the series, whatever its event time.
    pub seen: TimeNs,
    /// Event time at which the value became what it is; while not settled, it has held at least since then.
    pub changed: TimeNs,
    pub settled: bool,
}

impl LastKnown {
    pub(super) fn first(time: TimeNs, value: Value, received: TimeNs) -> Self {
        Self { time, value, seen: received, changed: time, settled: true }
    }

    /// A reading was written, anywhere in time.
    pub(super) fn put(&mut self, time: TimeNs, value: &Value, received: TimeNs) {
        self.seen = self.seen.max(received);
        if time > self.time {
            if self.value != *value {
                (self.changed, self.settled) = (time, true);
            }
            self.time = time;
            self.value = value.clone();
        } else if time == self.time {
            if self.value != *value {
                self.value = value.clone();
                (self.changed, self.settled) = (time, false);
            }
        } else if *value == self.value {
            // It may lie right before the run, and then the run is longer.
            self.settled &= time >= self.changed;
        } else if time >= self.changed {
            (self.changed, self.settled) = (self.time, false);
        }
    }

    /// A range before the newest point was deleted.
    pub(super) fn deleted(&mut self, from: TimeNs, to: TimeNs) {
        if from <= self.changed && to >= self.changed.saturating_sub(1) {
            // The start of the run is gone, or what bounded it may be.
            (self.changed, self.settled) = (self.time, false);
        } else if to < self.changed {
            self.settled = false;
        }
    }
}
