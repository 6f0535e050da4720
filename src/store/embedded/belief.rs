//! Whether the clock is believed. One that jumped far is not until it has gone on for a while: nothing expires by it, and what is sealed
//! meanwhile does not say that it was that late. A start that took it for good would let all expire that it makes old.
//!
//! Invariant: whoever asks for the time is told of a jump at once, however long ago somebody asked before.

use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::clock::NS_PER_SEC;
use crate::model::TimeNs;

/// A step of the clock beyond what has passed that is not believed at once.
const JUMP_NS: i64 = 7 * 86_400 * NS_PER_SEC;
/// How long a clock that jumped must go on before it is believed.
const DOUBT: Duration = Duration::from_secs(3600);

#[derive(Debug)]
pub(super) struct Belief(Mutex<Known>);

#[derive(Debug)]
struct Known {
    asked: Option<Instant>,
    /// What the clock said then.
    seen: TimeNs,
    /// The last that was believed.
    believed: TimeNs,
    doubted_since: Option<Instant>,
}

/// What the clock says, or the last time that was believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Time {
    Believed(TimeNs),
    Doubted { last: TimeNs },
}

impl Belief {
    /// `sealed_at`: the newest time that is known to have been. 0: none is.
    pub(super) fn new(sealed_at: TimeNs) -> Self {
        Self(Mutex::new(Known { asked: None, seen: sealed_at, believed: sealed_at, doubted_since: None }))
    }

    /// What the clock says now is looked at.
    pub(super) fn time(&self, now: TimeNs) -> Time {
        self.0.lock().time(now)
    }

    /// What the clock said last.
    pub(super) fn seen(&self) -> TimeNs {
        self.0.lock().seen
    }
}

impl Known {
    fn time(&mut self, now: TimeNs) -> Time {
        let passed = self.asked.map_or(0, |asked| i64::try_from(asked.elapsed().as_nanos()).unwrap_or(i64::MAX));
        let off = now.saturating_sub(self.seen.saturating_add(passed));
        if self.seen > 0 && off.unsigned_abs() > JUMP_NS.unsigned_abs() {
            tracing::warn!(days = off / (86_400 * NS_PER_SEC), "the clock jumped more than a week: for an hour nothing expires by age");
            self.doubted_since = Some(Instant::now());
        }
        (self.asked, self.seen) = (Some(Instant::now()), now);
        if self.doubted_since.is_some_and(|since| since.elapsed() < DOUBT) {
            return Time::Doubted { last: self.believed };
        }
        self.believed = now;
        Time::Believed(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_jumps_a_week_is_doubted() {
        let day = 86_400 * NS_PER_SEC;
        for (sealed_at, steps, expected) in [
            (0, vec![20_000 * day, 20_001 * day], vec![true, true]),
            (20_000 * day, vec![20_006 * day, 20_012 * day], vec![true, true]),
            (20_000 * day, vec![20_008 * day, 20_009 * day], vec![false, false]),
            (20_000 * day, vec![20_001 * day, 46_000 * day, 20_001 * day], vec![true, false, false]),
            (20_000 * day, vec![-6_000 * day, 100 * day], vec![false, false]),
            (20_000 * day, vec![19_995 * day, 19_990 * day], vec![true, true]),
        ] {
            let belief = Belief::new(sealed_at);
            let found: Vec<_> = steps.iter().map(|now| matches!(belief.time(*now), Time::Believed(_))).collect();
            assert_eq!(found, expected, "{sealed_at} {steps:?}");
        }
    }
}
