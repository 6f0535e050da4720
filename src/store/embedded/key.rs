//! Which file holds what: a UTC day, raw points or rollups, a retention class. So every expiry is an unlink.

use jiff::civil::Date;
use jiff::{SignedDuration, ToSpan};

use crate::model::{TimeNs, TimeRange};

pub(super) const DAY_NS: i64 = 86_400 * 1_000_000_000;
/// Own chunks do not cross the quarters of a UTC day.
pub(super) const WINDOW_NS: i64 = DAY_NS / 4;

/// A retention class: the `[[retention]]` rule that its series fell under when they were written. 0: no rule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClassId(pub u16);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum FileKind {
    Raw,
    Rollup,
}

/// Ordered by day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct FileKey {
    /// Days since 1970-01-01.
    pub(super) day: i32,
    pub(super) kind: FileKind,
    pub(super) class: ClassId,
}

impl FileKind {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Rollup => "rollup",
        }
    }
}

const EPOCH: Date = jiff::civil::date(1970, 1, 1);
const EXTENSION: &str = "sqlite";

impl FileKey {
    /// `2026-11-25.raw.0.sqlite`
    pub(super) fn file_name(self) -> String {
        let date = EPOCH.checked_add(self.day.days()).expect("a day of 64 bits of nanoseconds is within the calendar");
        format!("{date}.{}.{}.{EXTENSION}", self.kind.as_str(), self.class.0)
    }

    pub(super) fn parse(name: &str) -> Option<Self> {
        let mut parts = name.split('.');
        let date: Date = parts.next()?.parse().ok()?;
        let kind = parts.next()?;
        let kind = [FileKind::Raw, FileKind::Rollup].into_iter().find(|k| k.as_str() == kind)?;
        let class = ClassId(parts.next()?.parse().ok()?);
        let day = i32::try_from(date.duration_since(EPOCH).as_hours() / 24).ok()?;
        (parts.next() == Some(EXTENSION) && parts.next().is_none()).then_some(Self { day, kind, class })
    }

    pub(super) fn first_time(self) -> TimeNs {
        i64::from(self.day).saturating_mul(DAY_NS)
    }

    /// The newest time that it can hold.
    pub(super) fn last_time(self) -> TimeNs {
        (i64::from(self.day) + 1).checked_mul(DAY_NS).map_or(if self.day < 0 { TimeNs::MIN } else { TimeNs::MAX }, |next| next - 1)
    }

    pub(super) fn meets(self, range: TimeRange) -> bool {
        self.first_time() < range.to && range.from <= self.last_time()
    }
}

pub(super) fn day_of(time: TimeNs) -> i32 {
    i32::try_from(time.div_euclid(DAY_NS)).expect("64 bits of nanoseconds are 213,504 days")
}

/// Where the quarter of a day ends that a time lies in.
pub(super) fn window_end(time: TimeNs) -> TimeNs {
    window_of(time).saturating_add(1).saturating_mul(WINDOW_NS)
}

pub(super) fn window_of(time: TimeNs) -> i64 {
    time.div_euclid(WINDOW_NS)
}

pub(super) fn window_range(window: i64) -> TimeRange {
    TimeRange { from: window.saturating_mul(WINDOW_NS), to: window.saturating_add(1).saturating_mul(WINDOW_NS) }
}

/// Whether the day is over, with some time for readings that are on their way.
pub(super) fn is_closed(key: FileKey, now: TimeNs, grace: SignedDuration) -> bool {
    let grace = i64::try_from(grace.as_nanos()).unwrap_or(i64::MAX);
    key.last_time().saturating_add(grace) < now
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        for (day, kind, class, name) in [
            (0, FileKind::Raw, 0, "1970-01-01.raw.0.sqlite"),
            (20_782, FileKind::Rollup, 12, "2026-11-25.rollup.12.sqlite"),
            (-1, FileKind::Raw, 3, "1969-12-31.raw.3.sqlite"),
        ] {
            let key = FileKey { day, kind, class: ClassId(class) };
            assert_eq!(key.file_name(), name);
            assert_eq!(FileKey::parse(name), Some(key));
        }
        for name in ["2026-11-25.raw.0.sqlite-wal", "2026-11-25.raw.sqlite", "state.sqlite", "2026-13-01.raw.0.sqlite", "x", ""] {
            assert_eq!(FileKey::parse(name), None, "{name}");
        }
    }

    #[test]
    fn a_day_holds_its_times() {
        for time in [0, -1, 1, DAY_NS - 1, DAY_NS, i64::MAX, i64::MIN] {
            let key = FileKey { day: day_of(time), kind: FileKind::Raw, class: ClassId(0) };
            assert!((key.first_time()..=key.last_time()).contains(&time), "{time}");
        }
    }
}
