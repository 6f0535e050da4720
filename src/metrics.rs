//! The hub's own counters, for `/metrics` and `status`. Plain atomics: counting never waits.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

use crate::limits::COMMIT_TIMES;

#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    pub fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    pub fn inc(&self) {
        self.add(1);
    }

    pub fn sub(&self, n: u64) {
        self.0.fetch_sub(n, Ordering::Relaxed);
    }

    pub fn set(&self, n: u64) {
        self.0.store(n, Ordering::Relaxed);
    }

    #[must_use]
    pub fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// How long the newest of something took. One writer, so its lock is free but while somebody looks.
#[derive(Debug, Default)]
pub struct Times(Mutex<VecDeque<Duration>>);

/// Of the newest, `of` in number: half took no longer than `p50`, all but one in a hundred no longer than `p99`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Percentiles {
    pub of: usize,
    pub p50: Duration,
    pub p99: Duration,
    pub max: Duration,
}

impl Times {
    pub fn add(&self, took: Duration) {
        let mut times = self.0.lock();
        if times.len() == COMMIT_TIMES {
            times.pop_front();
        }
        times.push_back(took);
    }

    /// None before the first.
    #[must_use]
    pub fn percentiles(&self) -> Option<Percentiles> {
        let mut times: Vec<_> = self.0.lock().iter().copied().collect();
        times.sort_unstable();
        let of = times.len();
        // The least time that so many of a hundred do not exceed.
        let at = |percent: usize| times.get((of * percent).div_ceil(100).max(1) - 1).copied();
        Some(Percentiles { of, p50: at(50)?, p99: at(99)?, max: at(100)? })
    }
}

/// One field, one line of `/metrics`. Names there are `telltale_` + field (+ `_total` for what only grows).
#[derive(Debug, Default)]
pub struct Metrics {
    pub readings_received: Counter,
    pub readings_stored: Counter,
    pub readings_duplicate: Counter,
    pub readings_refused: Counter,
    pub frames_received: Counter,
    pub frames_refused: Counter,
    /// Bodies of line protocol, and of imports.
    pub bodies_received: Counter,
    pub batches_later: Counter,
    pub slow_downs: Counter,
    /// Refusals of frames without a sequence number that the peer did not read.
    pub answers_dropped: Counter,
    /// Late readings that were looked up in the store, and those for which the writer had to do it.
    pub late_looked_up: Counter,
    pub late_looked_up_by_writer: Counter,
    pub seals: Counter,
    pub seal_ns: Counter,
    pub sealed_readings: Counter,
    /// What the store spent on its own work between seals, and whether more of it waits.
    pub tend_ns: Counter,
    pub tending: Counter,
    pub deletes: Counter,
    pub commits: Counter,
    pub commit_bytes: Counter,
    pub commit_ns: Counter,
    /// How long each of the newest commits took: no line of its own, its percentiles have.
    pub commit_times: Times,
    /// Agents whose batches are missing in a hub that was restored.
    pub agents_ahead: Counter,
    /// Boots of agents whose newest batch is not known any more, for others that sent after them.
    pub agents_forgotten: Counter,
    pub agents_open: Counter,
    pub viewers_open: Counter,
    pub live_subscriptions: Counter,
    pub live_groups: Counter,
    pub live_mailbox_bytes: Counter,
    pub live_snapshot_bytes: Counter,
    pub live_frames: Counter,
    pub live_readings_merged: Counter,
    pub live_log_reads: Counter,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_the_newest() {
        let told = |ms: &[u64]| {
            let times = Times::default();
            ms.iter().for_each(|ms| times.add(Duration::from_millis(*ms)));
            times.percentiles().map(|p| (p.of, p.p50.as_millis(), p.p99.as_millis(), p.max.as_millis()))
        };
        assert_eq!(told(&[]), None);
        assert_eq!(told(&[7]), Some((1, 7, 7, 7)));
        assert_eq!(told(&[4, 1, 3, 2]), Some((4, 2, 4, 4)));
        let hundred: Vec<u64> = (1..=100).rev().collect();
        assert_eq!(told(&hundred), Some((100, 50, 99, 100)));
        let many: Vec<u64> = (0..COMMIT_TIMES as u64 + 10).collect();
        assert_eq!(told(&many), Some((COMMIT_TIMES, 521, 1023, 1033)));
    }
}
