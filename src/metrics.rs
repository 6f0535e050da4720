//! The hub's own counters, for `/metrics` and `status`. Plain atomics: counting never waits.

use std::sync::atomic::{AtomicU64, Ordering};

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

/// One field, one line of `/metrics`. Names there are `telltale_` + field (+ `_total` for what only grows).
#[derive(Debug, Default)]
pub struct Metrics {
    pub readings_received: Counter,
    pub readings_stored: Counter,
    pub readings_duplicate: Counter,
    pub readings_refused: Counter,
    pub frames_received: Counter,
    pub frames_refused: Counter,
    /// Bodies of line protocol.
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
    pub deletes: Counter,
    pub commits: Counter,
    pub commit_bytes: Counter,
    pub commit_ns: Counter,
    /// Agents that went on beyond what this hub knows of them.
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
