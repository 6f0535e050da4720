//! Points as the bytes of a chunk, and back (FORMAT.md, "Chunk bodies"). Pure: bytes in, blocks out. A chunk of one series has up
//! to 4,096 points; one of many series holds those that have too few to be worth a row each.
//!
//! | file | holds |
//! |---|---|
//! | `bytes` | reads that cannot run past the end; the checksum |
//! | `header` | what a chunk says of itself before its columns |
//! | `times`, `values`, `received` | the columns |
//! | `ints`, `floats`, `bools`, `texts` | a column of each type, in the smallest of a few forms |
//! | `pack` | `pco`, and what of it is taken |
//! | `many`, `groups`, `pooled` | chunks of many series: their frame, their times, their values |
//!
//! Invariants: what was encoded is decoded to the bit. No bytes make it panic, and a count is checked against its limit before
//! room is made for it; the checksum comes first.

mod bools;
pub(in crate::store::embedded) mod bytes;
pub(in crate::store::embedded) mod floats;
#[cfg(test)]
pub(in crate::store::embedded) mod golden;
pub(in crate::store::embedded) mod groups;
mod header;
pub(in crate::store::embedded) mod ints;
mod many;
#[cfg(test)]
mod measure;
mod pack;
pub(in crate::store::embedded) mod pooled;
mod received;
#[cfg(test)]
mod tests;
pub(in crate::store::embedded) mod texts;
mod times;
mod values;

use std::borrow::Cow;

use telltale_wire::varint::{put, zigzag};

pub(in crate::store::embedded) use header::Stats;
pub(in crate::store::embedded) use many::{decode_many, encode_many, times_of_many};

use crate::block::Block;
use crate::model::TimeNs;
use header::{Header, flag};

/// Points in a chunk of one series.
pub(in crate::store::embedded) const MAX_POINTS: usize = 4096;
/// Series in a chunk of many.
pub(in crate::store::embedded) const MANY_MAX_SERIES: usize = 1000;
/// Points in a chunk of many, all series together.
pub(in crate::store::embedded) const MANY_MAX_POINTS: usize = 65_536;

pub(in crate::store::embedded) const VERSION: u8 = 1;

/// Why bytes are no chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(in crate::store::embedded) enum Damaged {
    #[error("a chunk ends before it should")]
    Short,
    #[error("the checksum of a chunk is wrong")]
    Checksum,
    #[error("a chunk has version {found}, and this program knows version 1")]
    Version { found: u8 },
    #[error("a chunk is damaged: {0}")]
    Malformed(&'static str),
}

/// Where a chunk's times are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store::embedded) enum Times {
    Own,
    /// By the caller, once for several chunks that have the same.
    Shared,
}

/// A block of 1 to [`MAX_POINTS`] points as bytes.
#[must_use]
pub(in crate::store::embedded) fn encode(block: &Block, times: Times) -> Vec<u8> {
    assert!((1..=MAX_POINTS).contains(&block.len()), "a chunk has 1 to {MAX_POINTS} points, not {}", block.len());
    let column = values::settled(block.values()).map_or(Cow::Borrowed(block.values()), Cow::Owned);
    let late = received::places(block.times(), block.late());
    let constant = values::constant(&column);
    let flags = match times {
        Times::Shared => flag::SHARED,
        Times::Own if times::regular(block.times()) => flag::REGULAR,
        Times::Own => 0,
    };
    let flags = flags
        | if constant { flag::CONSTANT } else { 0 }
        | if late.is_empty() { 0 } else { flag::LATE }
        | if block.lag().is_some() { flag::LAG } else { 0 };
    let mut out = Vec::with_capacity(64 + 2 * block.len());
    Header::of(block, &column, flags).encode(&mut out);
    if times == Times::Own {
        times::encode(&mut out, block.times());
    }
    if constant {
        values::encode_constant(&mut out, &column);
    } else {
        values::encode(&mut out, &column);
    }
    if !late.is_empty() {
        received::encode(&mut out, &late);
    }
    if let Some(lag) = block.lag() {
        put(&mut out, zigzag(lag));
    }
    bytes::seal(out)
}

/// The block that was encoded. `shared` are its times if these are kept elsewhere; otherwise it is not looked at.
pub(in crate::store::embedded) fn decode(bytes: &[u8], shared: Option<&[TimeNs]>) -> Result<Block, Damaged> {
    let mut from = bytes::open(bytes)?;
    let header = Header::decode(&mut from)?;
    let times = if header.has(flag::SHARED) {
        given(&header, shared)?
    } else {
        times::decode(&mut from, header.has(flag::REGULAR), header.first, header.span, header.count)?
    };
    let column = if header.has(flag::CONSTANT) {
        values::decode_constant(&mut from, header.kind, header.count)?
    } else {
        values::decode(&mut from, header.kind, header.count)?
    };
    let late = if header.has(flag::LATE) { received::decode(&mut from, header.count)? } else { Vec::new() };
    let late = received::late_of(&times, &late);
    let lag = if header.has(flag::LAG) { Some(from.zigzag()?) } else { None };
    from.end()?;
    Ok(Block::from_columns(times, column, late, lag))
}

fn given(header: &Header, shared: Option<&[TimeNs]>) -> Result<Vec<TimeNs>, Damaged> {
    let times = shared.ok_or(Damaged::Malformed("its times are kept elsewhere and were not given"))?;
    let alike = times.len() == header.count && times.first() == Some(&header.first) && times::span(times) == header.span;
    if alike && times.is_sorted_by(|a, b| a < b) { Ok(times.to_vec()) } else { Err(Damaged::Malformed("the times given are not its own")) }
}

/// What a chunk of one series says of itself. All its bytes are checked, but only the header is read.
pub(in crate::store::embedded) fn stats(bytes: &[u8]) -> Result<Stats, Damaged> {
    let header = Header::decode(&mut bytes::open(bytes)?)?;
    if header.kind == header::TIMES { Err(Damaged::Malformed("not a chunk of one series")) } else { Ok(header.stats()) }
}

/// A column of 1 to [`MAX_POINTS`] times that several chunks share.
#[must_use]
pub(in crate::store::embedded) fn encode_times(times: &[TimeNs]) -> Vec<u8> {
    assert!((1..=MAX_POINTS).contains(&times.len()), "a chunk has 1 to {MAX_POINTS} times, not {}", times.len());
    let flags = if times::regular(times) { flag::REGULAR } else { 0 };
    let mut out = Vec::new();
    Header { flags, kind: header::TIMES, count: times.len(), first: times[0], span: times::span(times), numbers: None }.encode(&mut out);
    times::encode(&mut out, times);
    bytes::seal(out)
}

pub(in crate::store::embedded) fn decode_times(bytes: &[u8]) -> Result<Vec<TimeNs>, Damaged> {
    let mut from = bytes::open(bytes)?;
    let header = Header::decode(&mut from)?;
    if header.kind != header::TIMES {
        return Err(Damaged::Malformed("not a column of times"));
    }
    let times = times::decode(&mut from, header.has(flag::REGULAR), header.first, header.span, header.count)?;
    from.end()?;
    Ok(times)
}
