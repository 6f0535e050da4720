//! How fast the disk fills, and when it is full: readings that were stored in the last day, times what one takes on the disk. Pure:
//! time and counts are handed in.
//!
//! Honest rather than early: nothing is foretold before [`MEASURED_LEAST_NS`] were seen and enough readings are sealed to know what
//! one takes. Measured by readings, not by the size of files: that jumps with each seal and falls with each merge.

use std::collections::VecDeque;

use parking_lot::Mutex;

use crate::clock::NS_PER_SEC;
use crate::limits::GROWTH_COUNTS;
use crate::model::TimeNs;

const EVERY_NS: i64 = 60 * NS_PER_SEC;
/// Less than this says nothing of a day.
const MEASURED_LEAST_NS: i64 = 600 * NS_PER_SEC;
/// Fewer sealed readings say nothing of what one takes: a file has a least size.
const SEALED_LEAST: u64 = 10_000;
const DAY_S: f64 = 86_400.0;

/// How many readings were stored by when, a count a minute of the last day.
#[derive(Debug, Default)]
pub struct Growth(Mutex<VecDeque<Count>>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Count {
    at: TimeNs,
    readings: u64,
}

/// How fast readings were stored, and over which time that was measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    pub readings_per_s: f64,
    pub measured_s: i64,
}

impl Growth {
    /// Notes how many readings were stored since the start. Called about once a minute.
    pub fn note(&self, at: TimeNs, readings: u64) {
        let mut counts = self.0.lock();
        // A clock that was set says nothing of how much time passed.
        if counts.back().is_some_and(|last| at < last.at || at.saturating_sub(last.at) > 10 * EVERY_NS) {
            counts.clear();
        }
        counts.push_back(Count { at, readings });
        if counts.len() > GROWTH_COUNTS {
            counts.pop_front();
        }
    }

    /// Between the oldest count that is remembered and the newest. None: not known yet.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    pub fn rate(&self) -> Option<Rate> {
        let counts = self.0.lock();
        let (first, last) = (counts.front()?, counts.back()?);
        let ns = last.at - first.at;
        if ns < MEASURED_LEAST_NS {
            return None;
        }
        let readings_per_s = last.readings.saturating_sub(first.readings) as f64 * NS_PER_SEC as f64 / ns as f64;
        Some(Rate { readings_per_s, measured_s: ns / NS_PER_SEC })
    }
}

/// What there is now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// Left on the disk before readings are refused. None: the disk could not be asked.
    pub free: Option<u64>,
    /// Left of `[store] max_bytes` before the oldest days go. None: no bound.
    pub budget: Option<u64>,
    /// Sealed readings, and what they take.
    pub readings: u64,
    pub bytes: u64,
}

/// What is reached first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Full {
    /// Readings are refused from then on.
    Disk,
    /// The oldest days go from then on.
    Budget,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Forecast {
    pub rate: Rate,
    pub bytes_per_reading: f64,
    pub bytes_per_day: f64,
    /// In how many seconds what is full. None: never at this rate.
    pub full: Option<(f64, Full)>,
}

/// None: not known yet.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
pub fn forecast(room: &Room, rate: Rate) -> Option<Forecast> {
    if room.readings < SEALED_LEAST {
        return None;
    }
    let bytes_per_reading = room.bytes as f64 / room.readings as f64;
    let bytes_per_s = rate.readings_per_s * bytes_per_reading;
    let after = |left: u64| left as f64 / bytes_per_s;
    let disk = room.free.map(|left| (after(left), Full::Disk));
    let budget = room.budget.map(|left| (after(left), Full::Budget));
    let full = [disk, budget].into_iter().flatten().filter(|(seconds, _)| seconds.is_finite());
    let full = full.min_by(|(a, _), (b, _)| a.total_cmp(b));
    Some(Forecast { rate, bytes_per_reading, bytes_per_day: bytes_per_s * DAY_S, full })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60 * NS_PER_SEC;

    fn counted(minutes: &[(i64, u64)]) -> Option<Rate> {
        let growth = Growth::default();
        for (minute, readings) in minutes {
            growth.note(minute * MINUTE, *readings);
        }
        growth.rate()
    }

    #[test]
    fn a_rate_is_told_after_ten_minutes_and_of_the_last_day() {
        assert_eq!(counted(&[]), None);
        assert_eq!(counted(&[(0, 0), (9, 540)]), None);
        assert_eq!(counted(&[(0, 0), (5, 300), (10, 6_000)]), Some(Rate { readings_per_s: 10.0, measured_s: 600 }));
        assert_eq!(counted(&[(0, 0), (5, 0), (10, 0)]), Some(Rate { readings_per_s: 0.0, measured_s: 600 }));
        // Twice as fast on the second day: the first is forgotten.
        let two_days: Vec<_> = (0..2880).map(|minute: i64| (minute, 60 * (minute + (minute - 1439).max(0)).unsigned_abs())).collect();
        assert_eq!(counted(&two_days), Some(Rate { readings_per_s: 2.0, measured_s: 86_340 }));
    }

    #[test]
    fn a_clock_that_was_set_begins_the_measurement_anew() {
        assert_eq!(counted(&[(0, 0), (5, 300), (10, 600), (500_000, 660)]), None);
        assert_eq!(counted(&[(100, 0), (105, 300), (110, 600), (109, 660)]), None);
    }

    #[test]
    fn what_is_reached_first_is_told() {
        let rate = Rate { readings_per_s: 100.0, measured_s: 600 };
        let room = Room { free: Some(1_000_000), budget: None, readings: 100_000, bytes: 200_000 };
        let told = |room: Room, rate| forecast(&room, rate).and_then(|forecast| forecast.full);
        assert_eq!(told(room, rate), Some((5_000.0, Full::Disk)));
        assert_eq!(told(Room { budget: Some(100_000), ..room }, rate), Some((500.0, Full::Budget)));
        assert_eq!(told(Room { budget: Some(0), ..room }, rate), Some((0.0, Full::Budget)));
        assert_eq!(told(Room { free: None, ..room }, rate), None);
        assert_eq!(told(Room { readings: 9_999, ..room }, rate), None);
        let still = Rate { readings_per_s: 0.0, ..rate };
        assert_eq!(told(room, still), None);
        let forecast = forecast(&room, rate).unwrap();
        assert_eq!((forecast.bytes_per_reading, forecast.bytes_per_day), (2.0, 17_280_000.0));
    }
}
