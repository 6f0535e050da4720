//! Rollups: summaries of a day that is over, so that a question over a year need not read a year, and something is left when the
//! readings have gone. Made and repaired by the merge; what was sealed since makes a row stale until then.
//!
//! `body` is summaries as bytes, of which `exact` knows what can be told as integers; `first_layout` reads what was written before. `make`
//! keeps the rows of a file what its raw rows are, `outdate` removes them before raw rows are replaced, but for what `gone` keeps of
//! them, `aside` puts a damaged file out of the way, `read` answers from both.

mod aside;
pub(super) mod body;
mod erase;
mod exact;
mod first_layout;
mod gone;
mod layer;
mod make;
mod outdate;
mod read;

pub(super) use body::{Rolled, decode};
pub(super) use erase::Erasing;
pub(super) use gone::may_have_lost;
pub(super) use make::Making;
pub(super) use outdate::{Touched, outdate};
pub(super) use read::{scan_coarse, scan_gone};

use crate::clock::NS_PER_SEC;

/// Widths of buckets, ascending: a minute, a quarter of an hour, an hour.
pub(super) const LEVELS: [i64; 3] = [60, 900, 3600];

/// A level is kept where its buckets would hold so many readings or more on average.
pub(super) const WORTH: u64 = 8;

pub(super) fn level_ns(level: i64) -> i64 {
    level * NS_PER_SEC
}
