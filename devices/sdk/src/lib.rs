//! Connect to a Telltale hub, and lose nothing on the way: readings are written to a spool on disk, sent over
//! `telltale.v1`, and deleted when the hub has them on its own disk.
//!
//! | module | holds |
//! |---|---|
//! | `client` | [`Client`]: open, push, stats, close |
//! | `runner` | its task: bytes between session, spool and socket |
//! | `link` | an open connection |
//! | `session` | what to say and when; pure |
//! | `outgoing` | batches -> frames: aliases and the hub's limits |
//! | `connect`, `tls`, `error` | from a URL to a socket, and every way that fails, by name |
//! | `probe` | one connection, to see whether it works |
//! | `backoff` | how long to wait before trying again |
//! | `spool` | batches on disk; `SPOOL.md` has the bytes |
//! | `refusals` | what the hub refuses, in the log |
//! | `reading`, `clock` | what is pushed, and the time of day |

mod backoff;
mod client;
mod clock;
mod connect;
mod error;
mod link;
mod outgoing;
mod probe;
mod reading;
mod refusals;
mod runner;
mod session;
mod spool;
mod tls;

pub use client::{BATCH_READINGS_MAX, Client, Closed, Config, OpenError, Stats, Token};
pub use clock::{WallClock, system_clock};
pub use error::ConnectError;
pub use probe::{Probe, probe};
pub use reading::{Kind, Reading, Value};
pub use spool::{SPOOL_BYTES_MIN, SpoolCounters, SpoolError, WhenFull};
/// What the hub takes for a time as text.
pub use telltale_wire::is_rfc3339;
