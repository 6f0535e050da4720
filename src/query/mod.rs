//! Questions about the past, as pure functions: selectors, ranges, buckets, thinning.
//! No socket, no clock: `now` is a parameter.

mod glob;
pub mod selector;
