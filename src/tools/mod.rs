//! What an admin does with a whole data directory: beside a running hub, or without one under the directory's lock.
//!
//! Invariant: nothing here changes what a hub stored.

pub mod check;
pub mod stats;
mod wal;

/// Told how many bytes are done, and how many there are.
pub type Progress<'a> = dyn FnMut(u64, u64) + 'a;
