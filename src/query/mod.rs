//! Questions about the past, as pure functions: selectors, ranges, buckets, thinning.
//! No socket, no clock: `now` is a parameter.

pub mod agg;
pub mod buckets;
pub mod calendar;
pub mod columns;
pub mod complete;
pub mod cuts;
pub mod error;
pub mod fill;
mod glob;
pub mod grid;
pub mod groups;
pub mod last;
pub mod number;
pub mod reach;
pub mod request;
pub mod run;
pub mod selector;
pub mod source;
pub mod summary;
pub mod thin;
pub mod time;
mod zone;
