//! What lies behind the head: sealed history. The head answers for what the log still holds; a store for the rest.
//! Drawn for all three kinds (memory, embedded, InfluxDB) from the start.
//!
//! Invariant: a store knows neither sockets nor HTTP, and only `app.rs` names a concrete one.

pub mod memory;

use std::fmt;

use crate::model::{Delete, Reading, SeriesId, TimeNs, TimeRange, Value};

/// Where a reading stands against what the store holds at its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    New,
    Rewritten,
    Duplicate,
    /// This store cannot tell (InfluxDB beyond the head).
    Unknown,
}

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("the store does not answer: {reason}")]
    Away { reason: String },
    #[error("the store failed: {reason}")]
    Failed { reason: String },
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StoreStats {
    pub points: u64,
    pub bytes: u64,
}

/// Receives points in time order, a block at a time. False stops the scan.
pub type Sink<'a> = dyn FnMut(&[(TimeNs, Value)]) -> bool + 'a;

/// Blocking by design: called from the reading pool or the background thread, never from a socket's task.
pub trait Store: Send + Sync + fmt::Debug {
    /// Applies a run of readings. The same run again changes nothing.
    fn apply(&self, readings: &[Reading]) -> Result<(), StoreError>;
    /// One answer per time, for one series.
    fn classify(&self, series: SeriesId, readings: &[(TimeNs, Value)]) -> Result<Vec<Class>, StoreError>;
    fn scan(&self, series: SeriesId, range: TimeRange, sink: &mut Sink<'_>) -> Result<(), StoreError>;
    fn delete(&self, delete: Delete) -> Result<(), StoreError>;
    fn stats(&self) -> StoreStats;
}
