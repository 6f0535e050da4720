//! Columns of numbers through `pco`: its wrapped form, without a header, since a column's count and type stand elsewhere.
//!
//! Hostile bytes: the count comes from outside and is bounded there. Of what pco can read, only what this file writes is taken:
//! a dictionary or a long look-back window asks for hundreds of megabytes by a few bytes.

use pco::data_types::Number;
use pco::metadata::DeltaEncoding;
use pco::wrapped::{FileCompressor, FileDecompressor};
use pco::{ChunkConfig, DeltaSpec, ModeSpec};

use super::Damaged;
use super::bytes::In;

/// pco's own format, 4.1: what its header would say. Part of the version of the chunk.
const FORMAT: [u8; 2] = [4, 1];
/// Of sixteen; more costs time and gains about a percent.
const LEVEL: usize = 4;
/// pco's mode is the low four bits of the first byte; 4 is the dictionary, and what comes after it is not known.
const LAST_MODE: u8 = 3;

/// pco looks back at most 2^15 numbers when it writes.
const WINDOW_LOG: u32 = 15;

/// Numbers that pco unpacks in one go.
const AT_ONCE: usize = 256;

const BAD: Damaged = Damaged::Malformed("a column of numbers cannot be unpacked");

/// How a column is told to pco.
#[derive(Clone, Copy, Debug)]
pub(super) enum Plan {
    /// Integers, after so many orders of deltas.
    Delta(usize),
    /// pco looks for itself.
    Search,
}

pub(super) fn put<T: Number>(out: &mut Vec<u8>, values: &[T], plan: Plan) {
    let (mode, delta) = match plan {
        Plan::Delta(0) => (ModeSpec::Classic, DeltaSpec::NoOp),
        Plan::Delta(order) => (ModeSpec::Classic, DeltaSpec::TryConsecutive(order)),
        Plan::Search => (ModeSpec::Auto, DeltaSpec::Auto),
    };
    let config = ChunkConfig::default().with_compression_level(LEVEL).with_mode_spec(mode).with_delta_spec(delta);
    let packed = FileCompressor::default().chunk_compressor(values, &config).and_then(|mut chunk| {
        chunk.write_meta(&mut *out)?;
        chunk.write_page(0, &mut *out).map(drop)
    });
    packed.expect("the settings are valid, the column is neither empty nor longer than a page, and a Vec takes every byte");
}

pub(super) fn read<T: Number + Default>(from: &mut In<'_>, count: usize) -> Result<Vec<T>, Damaged> {
    let mut values = Vec::with_capacity(count);
    each(from, count, |some| values.extend_from_slice(some))?;
    Ok(values)
}

/// A column in pieces that lie in the nearest memory while they are looked at. What `take` got counts only when all of it was read.
pub(super) fn each<T: Number + Default>(from: &mut In<'_>, count: usize, mut take: impl FnMut(&[T])) -> Result<(), Damaged> {
    let first = from.rest.first().ok_or(Damaged::Short)?;
    if first & 15 > LAST_MODE {
        return Err(BAD);
    }
    let (file, _) = FileDecompressor::new(&FORMAT[..]).map_err(|_| BAD)?;
    let (mut chunk, rest) = file.chunk_decompressor::<T, _>(from.rest).map_err(|_| BAD)?;
    match chunk.meta().delta_encoding {
        DeltaEncoding::NoOp | DeltaEncoding::Consecutive { .. } => {}
        DeltaEncoding::Lookback { config, .. } if config.window_n_log <= WINDOW_LOG => {}
        _ => return Err(BAD),
    }
    let mut page = chunk.page_decompressor(rest, count).map_err(|_| BAD)?;
    let (mut some, mut left) = ([T::default(); AT_ONCE], count);
    loop {
        let part = &mut some[..left.min(AT_ONCE)];
        let progress = page.read(part).map_err(|_| BAD)?;
        take(part);
        left -= part.len();
        if progress.finished && left == 0 {
            break;
        }
        if progress.finished || left == 0 {
            return Err(BAD);
        }
    }
    from.rest = page.into_src();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pco_still_writes_the_format_that_is_named_here() {
        let mut header = Vec::new();
        FileCompressor::default().write_header(&mut header).unwrap();
        assert_eq!(header, FORMAT, "a new pco format needs a new version of the chunk");
    }

    /// What a pattern makes pco write, and what it never writes: a window that asks for 128 MB.
    #[test]
    fn it_looks_back_a_little_but_not_far() {
        let pattern: Vec<i64> = (0..4000).map(|i| fastrand::Rng::with_seed(i % 50).i64(..)).collect();
        let mut out = Vec::new();
        put(&mut out, &pattern, Plan::Search);
        let (file, _) = FileDecompressor::new(&FORMAT[..]).unwrap();
        let (chunk, _) = file.chunk_decompressor::<i64, _>(&out[..]).unwrap();
        assert!(matches!(chunk.meta().delta_encoding, DeltaEncoding::Lookback { .. }), "{:?}", chunk.meta().delta_encoding);
        assert_eq!(read(&mut In { rest: &out }, 4000), Ok(pattern));
        // Variant 2 behind the mode's four bits; then five bits of the window.
        out[1] = out[1] & 0xe0 | 23;
        assert_eq!(read::<i64>(&mut In { rest: &out }, 4000).unwrap_err(), BAD);
    }

    #[test]
    fn a_dictionary_and_an_unknown_mode_are_refused_before_room_is_made() {
        for mode in 4..16 {
            let bytes = [mode, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0];
            assert_eq!(read::<i64>(&mut In { rest: &bytes }, 4).unwrap_err(), BAD, "{mode}");
        }
    }
}
