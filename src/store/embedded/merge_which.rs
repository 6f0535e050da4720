//! Which blocks of a metric a merge is about. One late reading is to cost the block it belongs to, not all blocks of its metric, nor
//! their rollups: so blocks stay as they are that hold no series of which something is new, deleted or elsewhere.
//!
//! Invariant: a series lies in blocks that are all merged, or in blocks that all stay. A merged row has the newest seal of its series, so a
//! part that stayed would count for older than it is.

use std::collections::BTreeSet;

use super::EmbeddedStore;
use super::dayfile::Entry;
use super::merge::Visit;
use super::merge_many::{metric_of, span};
use crate::model::SeriesId;
use crate::store::StoreError;

/// Of the blocks of one metric.
#[derive(Debug, Default)]
pub(super) struct Which {
    pub(super) merged: Vec<Entry>,
    /// Where those begin that stay, ascending. No merged block reaches over one of these: who looks for a series would read both.
    stay: Vec<SeriesId>,
}

impl Which {
    /// Equal for series between which no block begins that stays.
    pub(super) fn gap(&self, series: SeriesId) -> usize {
        self.stay.partition_point(|lo| *lo <= series)
    }
}

impl Visit {
    /// Blocks with something new, and those that hold a series of which something is deleted, moves, came to have chunks of its own, or
    /// lies in one of these blocks. A block that cannot be read may hold any.
    pub(super) fn which(&self, store: &EmbeddedStore, entries: Vec<Entry>) -> Result<Which, StoreError> {
        let is_new = |entry: &Entry| self.closed && entry.seal > self.merged_up_to;
        let (mut merged, mut left): (Vec<_>, Vec<_>) = entries.into_iter().partition(is_new);
        if left.is_empty() {
            return Ok(Which { merged, stay: Vec::new() });
        }
        let mut touched: BTreeSet<SeriesId> = self.elsewhere(store, metric_of(&left[0])).collect();
        // New series that no block is known to have.
        let mut homeless = BTreeSet::new();
        for entry in &merged {
            homeless.extend(self.series_in(store, entry)?.into_iter().flatten());
        }
        touched.extend(&homeless);
        loop {
            let (mut found, mut rest) = (Vec::new(), Vec::new());
            for entry in left {
                match self.series_if_touched(store, &entry, &touched)? {
                    Some(ids) => found.push((entry, ids)),
                    None => rest.push(entry),
                }
            }
            if found.is_empty() {
                // They join the block that they lie within.
                let around: Vec<_> = rest.extract_if(.., |entry| holds_one(&homeless, entry)).collect();
                for entry in around {
                    let ids = self.series_in(store, &entry)?.unwrap_or_default();
                    homeless.retain(|id| !(span(&entry).0..=span(&entry).1).contains(id));
                    found.push((entry, ids));
                }
            }
            left = rest;
            if found.is_empty() {
                break;
            }
            for (entry, ids) in found {
                homeless.retain(|id| !ids.contains(id));
                touched.extend(ids);
                merged.push(entry);
            }
        }
        merged.sort_by_key(|entry| (span(entry).0, entry.id));
        Ok(Which { merged, stay: left.iter().map(|entry| span(entry).0).collect() })
    }

    /// Series of a metric that blocks are to lose, all or some of.
    pub(super) fn elsewhere(&self, store: &EmbeddedStore, metric: u32) -> impl Iterator<Item = SeriesId> {
        self.deleted.union(&self.folded).copied().filter(move |series| store.info.metric(*series) == metric)
    }

    /// The series of a block that is to be merged. None: it stays.
    fn series_if_touched(
        &self,
        store: &EmbeddedStore,
        entry: &Entry,
        touched: &BTreeSet<SeriesId>,
    ) -> Result<Option<Vec<SeriesId>>, StoreError> {
        let sorts = self.closed && store.sorting.is_on();
        if !sorts && !holds_one(touched, entry) {
            return Ok(None);
        }
        let Some(ids) = self.series_in(store, entry)? else { return Ok(Some(Vec::new())) };
        let is_touched = |id: &SeriesId| touched.contains(id) || (sorts && self.is_moving(store, *id));
        Ok(ids.iter().any(is_touched).then_some(ids))
    }

    /// None: it cannot be read.
    pub(super) fn series_in(&self, store: &EmbeddedStore, entry: &Entry) -> Result<Option<Vec<SeriesId>>, StoreError> {
        let body = self.file.read("read a block of", |db| db.body(entry))?;
        let all = store.decoder().whole(&self.file, entry, body);
        Ok(all.map(|all| all.iter().map(|(series, _)| *series).collect()))
    }
}

/// Whether the block's span does.
fn holds_one(ids: &BTreeSet<SeriesId>, entry: &Entry) -> bool {
    let (lo, hi) = span(entry);
    lo <= hi && ids.range(lo..=hi).next().is_some()
}
