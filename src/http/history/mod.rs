//! `GET history`: readings of a range, whole, thinned or in buckets.
//!
//! plan (what, frozen, within bounds) -> write (series by series) -> encode (bytes), in a blocking thread; this file moves the
//! chunks to the socket.

pub mod encode;
pub mod plan;
pub mod write;

#[cfg(test)]
mod tests;
