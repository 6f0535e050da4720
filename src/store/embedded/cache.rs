//! Decoded chunks, so that a question asked again is answered from memory. Bounded in bytes; who was used longest ago goes first.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use rustc_hash::FxHashMap;

use super::dayfile::{Entry, RollupHead};
use super::listed::Listed;
use super::rollup::Rolled;
use crate::block::Block;
use crate::model::{SeriesId, TimeNs, Value};
use crate::query::summary::Summary;

/// File number, form, row id. Neither file numbers nor row ids are used again.
pub(super) type CacheKey = (u64, u8, i64);

/// A time and a number.
const POINT_BYTES: usize = 16;

#[derive(Clone, Debug)]
pub(super) enum Decoded {
    Own(Arc<Block>),
    Many(Arc<Vec<(SeriesId, Arc<Block>)>>),
    Times(Arc<[TimeNs]>),
    /// What a file lists of a series, at a version of the file.
    Listed(u64, Arc<Listed>),
    Heads(u64, Arc<[RollupHead]>),
    Rolled(Arc<Rolled>),
    /// The rows of a file whose index cannot be read, at a version of the file.
    Walked(u64, Arc<Vec<Entry>>),
    /// Of a bucket that columns cut, at a version of the file.
    Cut(u64, Arc<Block>),
}

#[derive(Debug)]
pub(super) struct Cache {
    held: Mutex<Held>,
    max_bytes: usize,
}

#[derive(Debug, Default)]
struct Held {
    by_key: FxHashMap<CacheKey, (Decoded, usize, u64)>,
    by_use: BTreeMap<u64, CacheKey>,
    clock: u64,
    bytes: usize,
}

impl Cache {
    pub(super) fn new(max_bytes: usize) -> Self {
        Self { held: Mutex::default(), max_bytes }
    }

    /// Whether one scan that gave so many points should leave more of them here.
    pub(super) fn has_room_for(&self, points: usize) -> bool {
        points.saturating_mul(POINT_BYTES) < self.max_bytes / 2
    }

    pub(super) fn get(&self, key: CacheKey) -> Option<Decoded> {
        let held = &mut *self.held.lock();
        let (decoded, _, used) = held.by_key.get_mut(&key)?;
        held.by_use.remove(used);
        held.clock += 1;
        *used = held.clock;
        held.by_use.insert(held.clock, key);
        Some(decoded.clone())
    }

    pub(super) fn put(&self, key: CacheKey, decoded: Decoded) {
        let weight = decoded.weight();
        if weight > self.max_bytes / 4 {
            return;
        }
        let held = &mut *self.held.lock();
        held.clock += 1;
        if let Some((_, weight, used)) = held.by_key.insert(key, (decoded, weight, held.clock)) {
            held.by_use.remove(&used);
            held.bytes -= weight;
        }
        held.by_use.insert(held.clock, key);
        held.bytes += weight;
        while held.bytes > self.max_bytes {
            let Some((_, oldest)) = held.by_use.pop_first() else { break };
            if let Some((_, weight, _)) = held.by_key.remove(&oldest) {
                held.bytes -= weight;
            }
        }
    }
}

impl Decoded {
    fn weight(&self) -> usize {
        64 + match self {
            Self::Own(block) | Self::Cut(_, block) => block.weight(),
            Self::Many(blocks) => blocks.iter().map(|(_, block)| 32 + block.weight()).sum(),
            Self::Times(times) => times.len() * 8,
            Self::Listed(_, listed) => listed.weight(),
            Self::Heads(_, heads) => size_of_val(&**heads),
            Self::Walked(_, entries) => size_of_val(&entries[..]),
            Self::Rolled(rolled) => rolled.iter().map(|(_, summaries)| 32 + summaries.iter().map(of_summary).sum::<usize>()).sum(),
        }
    }
}

/// With the texts that it ends in.
fn of_summary(summary: &Summary) -> usize {
    let text = |value: &Value| if let Value::Text(text) = value { text.len() } else { 0 };
    size_of::<Summary>() + text(&summary.first.1) + text(&summary.last.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_was_used_longest_ago_goes_first() {
        let cache = Cache::new(1100);
        let times = |n: usize| Decoded::Times(vec![0; n].into());
        (0..4).for_each(|i| cache.put((0, 0, i), times(25)));
        assert!(cache.get((0, 0, 0)).is_some());
        cache.put((0, 0, 4), times(25));
        let there: Vec<_> = (0..5).filter(|i| cache.get((0, 0, *i)).is_some()).collect();
        assert_eq!(there, [0, 2, 3, 4]);
        cache.put((0, 0, 9), times(500));
        assert!(cache.get((0, 0, 9)).is_none(), "what would empty the cache is not kept");
        assert_eq!([34, 35].map(|points| cache.has_room_for(points)), [true, false], "one scan takes half of it at most");
    }
}
