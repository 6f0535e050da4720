//! What an admin does with a whole data directory: beside a running hub, or without one under the directory's lock.
//!
//! Invariant: nothing here changes what a hub stored; a restore writes where nothing was, a migration beside it, and sets the old store
//! aside when the new one was compared.

pub mod backup;
pub mod check;
#[cfg(feature = "influxdb")]
pub mod migrate;
pub mod restore;
pub mod stats;
pub mod sums;
mod wal;

/// Within the data directory, while a migration sets one store in the place of the other: then no hub starts on it.
pub const SWITCHING: &str = "migrating/switch";

/// Told how many bytes are done, and how many there are.
pub type Progress<'a> = dyn FnMut(u64, u64) + 'a;
