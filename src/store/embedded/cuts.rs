//! Readings of buckets that the columns of a line cut. To read one is to decode a chunk of which a little counts, so what any edge through
//! the bucket asks for (`query/cuts.rs`) is kept: the same line again, or one that cuts it elsewhere, does not read it.
//!
//! Invariant: what is kept is what every reader sees, at one version of the one file that the day's readings are in.

use std::sync::Arc;

use super::EmbeddedStore;
use super::cache::{CacheKey, Decoded};
use super::dayfile::DayFile;
use super::files::Day;
use super::key::DAY_NS;
use super::parts::CUT_FORM;
use super::read;
use super::tombs::Hides;
use crate::block::{Block, Values};
use crate::clock::NS_PER_SEC;
use crate::model::{Position, SeriesId, TimeNs, TimeRange};
use crate::query::cuts::for_any_edge;
use crate::query::run::Run;
use crate::store::{Pin, StoreError};

/// Buckets of one length, in time order, each cut by one edge.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cut<'a> {
    pub(super) day: Day,
    pub(super) level_ns: i64,
    pub(super) buckets: &'a [TimeRange],
}

/// Of each bucket what one edge through it may ask for, or all its readings: blocks in time order, none in two buckets.
pub(super) fn readings(
    store: &EmbeddedStore,
    pin: &Pin,
    series: SeriesId,
    hides: &Hides,
    cut: Cut<'_>,
) -> Result<Vec<Arc<Block>>, StoreError> {
    let Cut { day, level_ns, buckets } = cut;
    let read = |buckets: &[TimeRange]| read::scan_ranges(store, pin, series, day, buckets);
    let Some((file, version)) = settled(store, series, hides, day) else { return read(buckets) };
    let key = |bucket: &TimeRange| key(&file, series, level_ns, bucket.from);
    let known = |bucket: &TimeRange| match store.cache.get(key(bucket)) {
        Some(Decoded::Cut(at, block)) if at == version => Some(block),
        _ => None,
    };
    let mut blocks: Vec<Option<Arc<Block>>> = buckets.iter().map(known).collect();
    let missing: Vec<TimeRange> = buckets.iter().zip(&blocks).filter(|(_, known)| known.is_none()).map(|(bucket, _)| *bucket).collect();
    let mut found = read(&missing)?.into_iter().peekable();
    let is_same = file.version() == version && file.news().are_none();
    for (bucket, place) in buckets.iter().zip(&mut blocks).filter(|(_, known)| known.is_none()) {
        let parts = std::iter::from_fn(|| found.next_if(|block| block.first_time() < Some(bucket.to)));
        let Some(block) = parts.reduce(|before, after| joined(before, &after)).map(kept) else { continue };
        if is_same {
            store.cache.put(key(bucket), Decoded::Cut(version, Arc::clone(&block)));
        }
        *place = Some(block);
    }
    Ok(blocks.into_iter().flatten().collect())
}

/// The one file that has the day's readings, when every reader sees all that is in it, and its version. Merges take nothing that a reader
/// does not see, so what they have looked at is so.
fn settled(store: &EmbeddedStore, series: SeriesId, hides: &Hides, day: Day) -> Option<(Arc<DayFile>, u64)> {
    let files = store.files.of_day(day);
    let [file] = &files[..] else { return None };
    let version = file.version();
    let whole = day.range(TimeRange::ALL);
    let is_clear = store.files.retired_of_day(day).is_empty()
        && !hides.touches(Position(0), whole.from, whole.to)
        && !store.damages.concern((series, store.info.metric(series)), whole);
    (is_clear && version.is_multiple_of(2) && file.news().are_none()).then(|| (Arc::clone(file), version))
}

/// By series, length and second of the day.
fn key(file: &DayFile, series: SeriesId, level_ns: i64, start: TimeNs) -> CacheKey {
    let [level, second] = [level_ns, start.rem_euclid(DAY_NS)].map(|ns| ns / NS_PER_SEC);
    debug_assert!(level < 1 << 13 && second < 1 << 17, "levels are seconds of an hour at most, and a day has 86,400");
    (file.number, CUT_FORM, (i64::from(series.0) << 30) | (level << 17) | second)
}

fn joined(before: Arc<Block>, after: &Block) -> Arc<Block> {
    let mut all = Arc::unwrap_or_clone(before);
    all.append(after, 0..after.len());
    Arc::new(all)
}

fn kept(block: Arc<Block>) -> Arc<Block> {
    let Some(places) = for_any_edge(&Run::of_block(&block, 0..block.len())) else { return block };
    let times = places.iter().map(|at| block.times()[*at]).collect();
    let values = match block.values() {
        Values::Int(values) => Values::Int(places.iter().map(|at| values[*at]).collect()),
        Values::Float(values) => Values::Float(places.iter().map(|at| values[*at]).collect()),
        Values::Bool(_) | Values::Text(_) | Values::Mixed(_) => return block,
    };
    Arc::new(Block::from_columns(times, values, Vec::new(), None))
}
