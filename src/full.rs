//! A full disk: what is free, and when what it stopped is tried again. A try may write tens of MiB before it fails, which wears a card,
//! so the waits between them grow, to a bound. But when there is more room than the last try had, it is tried at once.
//!
//! Where the file system does not tell of room (the quota of a user), the bound is what it takes to notice it.

use std::path::Path;
use std::time::{Duration, Instant};

/// So much more than the last try had is worth another. Less comes and goes with what others write.
const MORE_BYTES: u64 = 1 << 20;
/// Between two tries in any case.
const PAUSE: Duration = Duration::from_millis(500);

/// What is free for this user on the file system of a folder, and its size. None: it could not be asked.
#[must_use]
pub fn free_and_size(dir: &Path) -> Option<(u64, u64)> {
    let fs = rustix::fs::statvfs(dir).ok()?;
    Some((fs.f_bavail.saturating_mul(fs.f_frsize), fs.f_blocks.saturating_mul(fs.f_frsize)))
}

#[must_use]
pub fn free(dir: &Path) -> Option<u64> {
    free_and_size(dir).map(|(free, _)| free)
}

/// Of one thing that is tried again.
#[derive(Debug)]
pub struct Retry {
    first: Duration,
    most: Duration,
    failed: Option<Failed>,
}

/// The last try.
#[derive(Clone, Copy, Debug)]
struct Failed {
    at: Instant,
    wait: Duration,
    /// What was free when it began.
    free: Option<u64>,
}

impl Retry {
    /// The first wait, and the longest.
    #[must_use]
    pub const fn new(first: Duration, most: Duration) -> Self {
        Self { first, most, failed: None }
    }

    /// A try did not end for a full disk. `free`: what was free when it began.
    pub fn failed(&mut self, free: Option<u64>) {
        self.failed_at(free, Instant::now());
    }

    /// One did end.
    pub fn ended(&mut self) {
        self.failed = None;
    }

    /// Whether it is too early for the next. `free` is asked while it is not sure.
    pub fn waits(&self, free: impl FnOnce() -> Option<u64>) -> bool {
        self.waits_at(free, Instant::now())
    }

    fn failed_at(&mut self, free: Option<u64>, at: Instant) {
        let wait = self.failed.map_or(self.first, |last| (last.wait * 2).min(self.most));
        self.failed = Some(Failed { at, wait, free });
    }

    fn waits_at(&self, free: impl FnOnce() -> Option<u64>, now: Instant) -> bool {
        let Some(last) = self.failed else { return false };
        let passed = now.saturating_duration_since(last.at);
        if passed < PAUSE || passed >= last.wait {
            return passed < last.wait;
        }
        let has_more = last.free.zip(free()).is_some_and(|(had, free)| free >= had.saturating_add(MORE_BYTES));
        !has_more
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// When it is tried again after each of eight failures, where what is free stays as it is.
    #[test]
    fn waits_grow_to_a_bound_and_begin_anew_after_a_try_that_ended() {
        let (mut retry, mut now) = (Retry::new(500 * MS, 30_000 * MS), Instant::now());
        assert!(!retry.waits_at(|| None, now));
        for free in [Some(7), None] {
            let mut waits = Vec::new();
            for _ in 0..8 {
                retry.failed_at(free, now);
                let began = now;
                while retry.waits_at(|| free, now) {
                    now += 100 * MS;
                }
                waits.push((now - began).as_millis());
            }
            assert_eq!(waits, [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000], "{free:?}");
            retry.ended();
            assert!(!retry.waits_at(|| None, now));
        }
    }

    #[test]
    fn more_room_than_the_last_try_had_ends_a_wait() {
        let (mut retry, now) = (Retry::new(10_000 * MS, 30_000 * MS), Instant::now());
        retry.failed_at(Some(3 << 20), now);
        for (passed, free, waits) in [
            (1_000, Some(3 << 20), true),
            (1_000, Some((4 << 20) - 1), true),
            (1_000, Some(4 << 20), false),
            (1_000, None, true),
            // Not at once, however much there is.
            (400, Some(1 << 40), true),
            (10_000, Some(0), false),
        ] {
            assert_eq!(retry.waits_at(|| free, now + passed * MS), waits, "{passed} {free:?}");
        }
        retry.failed_at(Some(4 << 20), now);
        assert!(retry.waits_at(|| Some(4 << 20), now + 1_000 * MS), "that much was not enough");
    }
}
