//! The one place that asks the system for the time of day.

/// Gives the time, in nanoseconds since 1970 UTC. Tests give another one.
pub type WallClock = fn() -> i64;

/// The system's clock.
#[expect(clippy::disallowed_methods, reason = "this is the clock that is injected everywhere else")]
#[must_use]
pub fn system_clock() -> i64 {
    let since_1970 = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_1970.as_nanos()).unwrap_or(i64::MAX)
}
