//! The one place that asks the machine what time it is. Everything else is given a [`Clock`], so that tests can move time.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::model::TimeNs;

pub const NS_PER_MS: i64 = 1_000_000;
pub const NS_PER_SEC: i64 = 1_000_000_000;

/// A source of wall time. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    System,
    Manual(Arc<AtomicI64>),
}

impl Clock {
    #[must_use]
    pub fn system() -> Self {
        Self(Source::System)
    }

    /// A clock that stands still until [`Clock::set`] or [`Clock::advance`] moves it.
    #[must_use]
    pub fn manual(now: TimeNs) -> Self {
        Self(Source::Manual(Arc::new(AtomicI64::new(now))))
    }

    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the clock that every other place takes")]
    pub fn now(&self) -> TimeNs {
        match &self.0 {
            Source::System => match SystemTime::now().duration_since(UNIX_EPOCH) {
                Ok(since) => i64::try_from(since.as_nanos()).unwrap_or(i64::MAX),
                // A clock before 1970 is reported as such: ingest then answers `clock_unset`.
                Err(before) => i64::try_from(before.duration().as_nanos()).map_or(i64::MIN, |ns| -ns),
            },
            Source::Manual(now) => now.load(Ordering::SeqCst),
        }
    }

    /// Moves a manual clock. A system clock cannot be set; asking is a bug in the test.
    pub fn set(&self, now: TimeNs) {
        match &self.0 {
            Source::Manual(cell) => cell.store(now, Ordering::SeqCst),
            Source::System => panic!("the system clock cannot be set"),
        }
    }

    pub fn advance(&self, by_ns: i64) {
        self.set(self.now() + by_ns);
    }
}
