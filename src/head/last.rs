//! The last known value of a series: the newest by event time, when the series was last heard of, and since when the value holds.
//!
//! The newest value is always exact. Since when it holds is exact as long as readings come in order; a write into the past may
//! move it to where only the store can tell, so it is then marked unsettled, and settled when somebody asks (`query::last`).

use super::runs::Run;
use crate::model::{Reading, TimeNs, Value};
use crate::replayed::Stretch;

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

    /// Readings of the series were written. Where they come in order only the newest is looked at, and what is equal right before it.
    pub(super) fn put_run(&mut self, mut run: Run<'_>, received: TimeNs) {
        let ascends = run.clone().try_fold(self.time, |newest, reading| (reading.time > newest).then_some(reading.time)).is_some();
        let Some(Reading { time, value, .. }) = ascends.then(|| run.next_back()).flatten() else {
            return run.for_each(|reading| self.put(reading.time, &reading.value, received));
        };
        let mut since = *time;
        let began = loop {
            match run.next_back() {
                Some(before) if before.value == *value => since = before.time,
                Some(_) => break true,
                None => break self.value != *value,
            }
        };
        if began {
            (self.changed, self.settled) = (since, true);
        }
        (self.time, self.seen) = (*time, self.seen.max(received));
        self.value.clone_from(value);
    }

    /// The same for what stands in columns.
    pub(super) fn put_stretch(&mut self, stretch: &Stretch<'_>) {
        let Stretch { received, times, values, .. } = stretch;
        let ascends = times.first().is_some_and(|first| *first > self.time) && times.is_sorted_by(|a, b| a < b);
        if !ascends {
            return times.iter().enumerate().for_each(|(i, time)| self.put(*time, &values.value(i), *received));
        }
        let newest = times.len() - 1;
        let value = values.value(newest);
        let equal = (0..newest).rev().take_while(|i| values.value(*i) == value).count();
        if equal < newest || self.value != value {
            (self.changed, self.settled) = (times[newest - equal], true);
        }
        (self.time, self.seen) = (times[newest], self.seen.max(*received));
        self.value = value;
    }

    /// A reading was written, anywhere in time.
    fn put(&mut self, time: TimeNs, value: &Value, received: TimeNs) {
        self.seen = self.seen.max(received);
        if time > self.time {
            if self.value != *value {
                (self.changed, self.settled) = (time, true);
            }
            self.time = time;
            self.value.clone_from(value);
        } else if time == self.time {
            if self.value != *value {
                self.value.clone_from(value);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::head::runs::by_series;
    use crate::model::SeriesId;

    #[test]
    fn a_run_gives_the_same_as_reading_by_reading() {
        for seed in 0..200 {
            let mut rng = fastrand::Rng::with_seed(seed);
            let mut by_run = LastKnown::first(0, Value::Int(0), 0);
            let mut one_by_one = by_run.clone();
            let mut time = 0;
            for received in 0..50 {
                let disorder = rng.u8(0..3) == 0;
                let readings: Vec<_> = (0..rng.usize(0..6))
                    .map(|_| {
                        time += if disorder { rng.i64(-3..4) } else { rng.i64(1..4) };
                        let value = if rng.bool() { Value::Int(rng.i64(0..2)) } else { Value::Float(rng.f64().round()) };
                        Reading { series: SeriesId(1), time, value }
                    })
                    .collect();
                by_series(&readings, |run| by_run.put_run(run, received));
                readings.iter().for_each(|reading| one_by_one.put(reading.time, &reading.value, received));
                assert_eq!(by_run, one_by_one, "seed {seed}, {received}: {readings:?}");
            }
        }
    }
}
