//! A chunk of many series with few points each. Columns run across all series: a chunk of its own would cost each series about
//! fifty bytes of description.

use std::sync::Arc;

use telltale_wire::varint::put;

use super::bytes::{self, In};
use super::header::{MANY, flag};
use super::{Damaged, MANY_MAX_POINTS, MANY_MAX_SERIES, VERSION, bools, groups, ints, pooled, received};
use crate::block::Block;
use crate::model::{SeriesId, TimeNs};

/// Series by ascending id, none empty: 1 to [`MANY_MAX_SERIES`] of them, at most [`MANY_MAX_POINTS`] points together.
#[must_use]
pub(in crate::store::embedded) fn encode_many(series: &[(SeriesId, Arc<Block>)]) -> Vec<u8> {
    let points: usize = series.iter().map(|(_, block)| block.len()).sum();
    assert!((1..=MANY_MAX_SERIES).contains(&series.len()), "a chunk of many has 1 to {MANY_MAX_SERIES} series, not {}", series.len());
    assert!(points <= MANY_MAX_POINTS, "a chunk of many has at most {MANY_MAX_POINTS} points, not {points}");
    assert!(series.iter().all(|(_, block)| !block.is_empty()), "no series of a chunk is empty");
    debug_assert!(series.is_sorted_by(|a, b| a.0 < b.0), "ids ascend");
    let blocks: Vec<&Block> = series.iter().map(|(_, block)| &**block).collect();
    let late = late_places(&blocks);
    let lags: Vec<i64> = blocks.iter().filter_map(|block| block.lag()).collect();
    let flags = if late.is_empty() { 0 } else { flag::LATE } | if lags.is_empty() { 0 } else { flag::LAG };
    let mut out = vec![VERSION, flags, MANY];
    put(&mut out, series.len() as u64);
    ints::encode(&mut out, &series.iter().map(|(id, _)| i64::from(id.0)).collect::<Vec<_>>());
    groups::encode(&mut out, &blocks.iter().map(|block| block.times()).collect::<Vec<_>>());
    pooled::encode(&mut out, &blocks);
    if !late.is_empty() {
        received::encode(&mut out, &late);
    }
    if !lags.is_empty() {
        bools::encode(&mut out, &blocks.iter().map(|block| block.lag().is_some()).collect::<Vec<_>>());
        ints::encode_scaled(&mut out, &lags);
    }
    bytes::seal(out)
}

/// Places count through all series.
fn late_places(blocks: &[&Block]) -> Vec<(usize, i64)> {
    let mut places = Vec::new();
    let mut start = 0;
    for block in blocks {
        places.extend(received::places(block.times(), block.late()).into_iter().map(|(place, delay)| (start + place, delay)));
        start += block.len();
    }
    places
}

/// What stands before the values.
struct Head {
    flags: u8,
    ids: Vec<SeriesId>,
    times: Vec<Vec<TimeNs>>,
}

fn head(from: &mut In<'_>) -> Result<Head, Damaged> {
    let flags = from.u8()?;
    if from.u8()? != MANY || flags & !(flag::LATE | flag::LAG) != 0 {
        return Err(Damaged::Malformed("not a chunk of many series"));
    }
    let series = from.count(MANY_MAX_SERIES)?;
    Ok(Head { flags, ids: ids(from, series)?, times: groups::decode(from, series)? })
}

/// The times of the blocks that were encoded, by ascending id; their values are not read.
pub(in crate::store::embedded) fn times_of_many(bytes: &[u8]) -> Result<Vec<(SeriesId, Vec<TimeNs>)>, Damaged> {
    let Head { ids, times, .. } = head(&mut bytes::open(bytes)?)?;
    Ok(ids.into_iter().zip(times).collect())
}

/// The blocks that were encoded, by ascending id.
pub(in crate::store::embedded) fn decode_many(bytes: &[u8]) -> Result<Vec<(SeriesId, Block)>, Damaged> {
    let mut from = bytes::open(bytes)?;
    let Head { flags, ids, times } = head(&mut from)?;
    let series = ids.len();
    let counts: Vec<usize> = times.iter().map(Vec::len).collect();
    let columns = pooled::decode(&mut from, &counts)?;
    let late = if flags & flag::LATE == 0 { Vec::new() } else { received::decode(&mut from, counts.iter().sum())? };
    let lags = if flags & flag::LAG == 0 { vec![None; series] } else { lags(&mut from, series)? };
    from.end()?;
    let mut late = &late[..];
    let mut start = 0;
    let mut blocks = Vec::with_capacity(series);
    for (((id, times), column), lag) in ids.into_iter().zip(times).zip(columns).zip(lags) {
        let end = start + times.len();
        let (own, rest) = late.split_at(late.partition_point(|(place, _)| *place < end));
        let own: Vec<(usize, i64)> = own.iter().map(|(place, delay)| (place - start, *delay)).collect();
        let own = received::late_of(&times, &own);
        blocks.push((id, Block::from_columns(times, column, own, lag)));
        (late, start) = (rest, end);
    }
    Ok(blocks)
}

fn ids(from: &mut In<'_>, series: usize) -> Result<Vec<SeriesId>, Damaged> {
    let bad = Damaged::Malformed("ids of series do not ascend");
    let ids: Vec<SeriesId> =
        ints::decode(from, series)?.into_iter().map(|id| u32::try_from(id).map(SeriesId).map_err(|_| bad)).collect::<Result<_, _>>()?;
    if ids.is_sorted_by(|a, b| a < b) { Ok(ids) } else { Err(bad) }
}

fn lags(from: &mut In<'_>, series: usize) -> Result<Vec<Option<i64>>, Damaged> {
    let has = bools::decode(from, series)?;
    let mut lags = ints::decode_scaled(from, has.iter().filter(|has| **has).count())?.into_iter();
    Ok(has.into_iter().map(|has| if has { lags.next() } else { None }).collect())
}
