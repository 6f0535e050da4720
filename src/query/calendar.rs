//! Days, weeks, months and years of a time zone. A bucket runs from one midnight of the zone to another, however many hours lie between.
//!
//! Invariant: buckets follow each other without gap or overlap. A date begins at the first instant at which the zone's calendar shows
//! it or a later one: where the clock goes forward over midnight, when it does; where it goes back, the hour that comes twice belongs
//! to the day that had begun.

use jiff::civil::{Date, Weekday, date};
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{SignedDuration, Timestamp};

use super::time::rfc3339;
use crate::model::{TimeNs, TimeRange};

/// What numbers of buckets are counted from.
const EPOCH: Date = date(1970, 1, 1);
const SECONDS_A_DAY: i64 = 86_400;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Calendar {
    unit: CalendarUnit,
    step: i64,
    zone: TimeZone,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CalendarUnit {
    /// Several are counted from 1970-01-01.
    Day,
    /// Begins on this day. Several are counted from the week that has 1970-01-01.
    Week(Weekday),
    /// Begins on this day of the month, 1 to 28. Several are counted from January 1970.
    Month(i8),
}

impl Calendar {
    /// `step` is at least 1, and no longer than 64 bits of nanoseconds.
    #[must_use]
    pub fn new(unit: CalendarUnit, step: i64, zone: TimeZone) -> Self {
        Self { unit, step, zone }
    }

    /// The bucket that holds a time.
    #[must_use]
    pub fn bucket(&self, time: TimeNs) -> TimeRange {
        let number = self.number(time);
        TimeRange { from: self.start(number), to: self.start(number + 1) }
    }

    /// Which bucket holds a time; a later one has a greater number.
    #[must_use]
    pub fn number(&self, time: TimeNs) -> i64 {
        let mut number = self.number_of(self.zone.to_datetime(rfc3339(time)).date());
        // The clock went back over midnight and shows the day before again.
        while self.start(number + 1) <= time && time < TimeNs::MAX {
            number += 1;
        }
        number
    }

    fn number_of(&self, date: Date) -> i64 {
        let days = date.duration_since(EPOCH).as_secs().div_euclid(SECONDS_A_DAY);
        match self.unit {
            CalendarUnit::Day => days.div_euclid(self.step),
            CalendarUnit::Week(first) => (days + days_before_epoch(first)).div_euclid(7 * self.step),
            CalendarUnit::Month(first) => {
                let months = (i64::from(date.year()) - 1970) * 12 + i64::from(date.month()) - 1;
                (months - i64::from(date.day() < first)).div_euclid(self.step)
            }
        }
    }

    /// With which date a bucket begins.
    fn date_of(&self, number: i64) -> Date {
        let steps = number * self.step;
        let days = match self.unit {
            CalendarUnit::Day => steps,
            CalendarUnit::Week(first) => 7 * steps - days_before_epoch(first),
            CalendarUnit::Month(first) => {
                let (year, month) = (1970 + steps.div_euclid(12), 1 + steps.rem_euclid(12));
                let year = i16::try_from(year).expect("64 bits of nanoseconds end centuries before 16 bits of years");
                return Date::new(year, i8::try_from(month).expect("1 to 12"), first).expect("every month has its first 28 days");
            }
        };
        EPOCH
            .checked_add(SignedDuration::from_secs(days * SECONDS_A_DAY))
            .expect("64 bits of nanoseconds end centuries before the calendar")
    }

    /// Where a bucket begins; at the end of what 64 bits hold where that is beyond.
    fn start(&self, number: i64) -> TimeNs {
        let midnight = self.zone.to_ambiguous_timestamp(self.date_of(number).at(0, 0, 0, 0));
        let is_left_out = matches!(midnight.offset(), AmbiguousOffset::Gap { .. });
        let found =
            if is_left_out { midnight.later() } else { midnight.earlier() }.expect("years from 1377 to 2562 are within those of jiff");
        let start = if is_left_out { self.latest_change(found) } else { found };
        let ns = start.as_nanosecond();
        TimeNs::try_from(ns).unwrap_or(if ns < 0 { TimeNs::MIN } else { TimeNs::MAX })
    }

    /// When the zone's clock was changed last, at this time or before.
    fn latest_change(&self, time: Timestamp) -> Timestamp {
        let after = time.checked_add(SignedDuration::from_nanos(1)).expect("as above");
        self.zone.preceding(after).next().map_or(time, |change| change.timestamp())
    }
}

/// How long before 1970-01-01, a Thursday, its week began.
fn days_before_epoch(first: Weekday) -> i64 {
    i64::from(first.until(Weekday::Thursday))
}

#[cfg(test)]
mod tests;
