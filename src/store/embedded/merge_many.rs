//! The blocks of one metric, by slices of series ids, so that a day of a million series is merged in little memory. A block that
//! reaches beyond a slice stays until the slice in which it ends. Which blocks that are says `merge_which.rs`.
//!
//! Invariant: a block goes when all of its series were written anew. A slice that is left for damage keeps every block that reaches into
//! it, also one that ends in a later slice.
//!
//! With a small budget of bytes a slice is written in several transactions, and its old blocks go with the last. Until then series are
//! there twice with the same values. So that damage leaves nothing twice, blocks are written when nothing more is to be read.

use std::collections::BTreeMap;
use std::sync::Arc;

use rustc_hash::FxHashSet;

use super::EmbeddedStore;
use super::dayfile::{Entry, Form};
use super::key;
use super::merge::{Change, Folded, POINT_BYTES, Visit, push_own};
use super::merge_which::Which;
use super::parts;
use super::rows::Many;
use super::seal::OWN_MIN;
use super::tombs::Hides;
use crate::block::Block;
use crate::model::{Position, SeriesId};
use crate::store::StoreError;

/// About as many points are decoded at once; fewer where bytes are bounded, since a slice's old blocks lie beside the new ones.
const SLICE_POINTS: u64 = 500_000;

type PartsBySeries = BTreeMap<SeriesId, Vec<(Position, Arc<Block>)>>;

impl Visit {
    /// The blocks of the metric whose first is at `index`.
    pub(super) fn metric_blocks(&self, index: usize) -> &[Entry] {
        let metric = metric_of(&self.blocks[index]);
        let count = self.blocks[index..].iter().take_while(|entry| metric_of(entry) == metric).count();
        &self.blocks[index..index + count]
    }

    /// Merges series from `from` on; the series to go on with.
    pub(super) fn slice(&mut self, store: &EmbeddedStore, index: usize, from: SeriesId) -> Result<Option<SeriesId>, StoreError> {
        if from == SeriesId(0) {
            self.left_until = None;
            let all = self.metric_blocks(index).to_vec();
            self.which = if self.is_metric_due(store, &all)? { self.which(store, all)? } else { Which::default() };
        }
        let entries = self.which.merged.clone();
        if entries.is_empty() {
            return Ok(None);
        }
        let until = slice_end(&entries, from, SLICE_POINTS.min(store.piece_bytes / POINT_BYTES));
        let meeting: Vec<_> = entries.iter().filter(|entry| span(entry).0 <= until && span(entry).1 >= from).collect();
        let Some(parts) = self.parts_of(store, &meeting, from, until)? else {
            return Ok(self.leave(until));
        };
        let own = self.with_own(from, until)?;
        let mut change = Change::default();
        let mut in_blocks = Vec::new();
        for (series, parts) in parts {
            if own.contains(&series) || self.is_moving(store, series) || self.is_in_siblings(store, series)? {
                if !self.folded.contains(&series) && !self.fold_into(&mut change, store, series)? {
                    return Ok(self.leave(until));
                }
            } else {
                in_blocks.push((series, parts));
            }
        }
        let (mut many, mut gap) = (Many::new(metric_of(&entries[0])), 0);
        for (series, parts) in in_blocks {
            if std::mem::replace(&mut gap, self.which.gap(series)) != gap {
                many.finish(&mut change.rows)?;
            }
            let Some((block, seal)) = together(&self.hides(store, series), parts) else { continue };
            if is_fast(&block) {
                push_own(&mut change.rows, series, &Folded { block: Some(block), seal, old: Vec::new() })?;
            } else {
                many.push(&mut change.rows, series, block, seal)?;
            }
            self.apply_a_piece(store, &mut change)?;
        }
        many.finish(&mut change.rows)?;
        let ended = meeting.into_iter().filter(|entry| span(entry).1 <= until && self.left_until.is_none_or(|left| span(entry).0 > left));
        change.old.extend(ended.map(|entry| (Arc::clone(&self.file), *entry)));
        self.apply(store, change)?;
        Ok(until.0.checked_add(1).map(SeriesId))
    }

    /// Something of the slice that ends here cannot be read: it stays as it is. The series to go on with.
    fn leave(&mut self, until: SeriesId) -> Option<SeriesId> {
        self.damaged = true;
        self.left_until = Some(until);
        until.0.checked_add(1).map(SeriesId)
    }

    fn is_metric_due(&self, store: &EmbeddedStore, entries: &[Entry]) -> Result<bool, StoreError> {
        let spans: Vec<_> = entries.iter().map(span).collect();
        // Of what came to have chunks of its own a block has a part, which is one line with them.
        if self.elsewhere(store, metric_of(&entries[0])).any(|series| spans.iter().any(|(lo, hi)| *lo <= series && series <= *hi)) {
            return Ok(true);
        }
        if self.closed && store.sorting.is_on() && self.has_moving(store, entries)? {
            return Ok(true);
        }
        if !self.closed || entries.iter().all(|entry| entry.seal <= self.merged_up_to) {
            return Ok(false);
        }
        if spans.windows(2).any(|pair| pair[0].1 >= pair[1].0) {
            return Ok(true);
        }
        for (lo, hi) in spans {
            if !self.with_own(lo, hi)?.is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether a series belongs into a file of another class.
    fn has_moving(&self, store: &EmbeddedStore, entries: &[Entry]) -> Result<bool, StoreError> {
        for entry in entries {
            let ids = self.series_in(store, entry)?;
            if ids.is_some_and(|ids| ids.iter().any(|series| self.is_moving(store, *series))) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Series between these that have chunks of their own.
    fn with_own(&self, lo: SeriesId, hi: SeriesId) -> Result<FxHashSet<SeriesId>, StoreError> {
        let limit = self.limit;
        self.file.read("list series of", |db| db.series_with_own(lo, hi, limit))
    }

    /// None: a block cannot be read.
    fn parts_of(
        &self,
        store: &EmbeddedStore,
        entries: &[&Entry],
        from: SeriesId,
        until: SeriesId,
    ) -> Result<Option<PartsBySeries>, StoreError> {
        let mut parts = PartsBySeries::new();
        for entry in entries {
            let body = self.file.read("read a block of", |db| db.body(entry))?;
            let Some(all) = store.decoder().whole(&self.file, entry, body) else { return Ok(None) };
            for (series, block) in all.iter().filter(|(series, _)| (from..=until).contains(series)) {
                parts.entry(*series).or_default().push((entry.seal, Arc::clone(block)));
            }
        }
        Ok(Some(parts))
    }
}

/// A series' parts as one, and the newest seal, without what deletes hide. None: nothing is left.
pub(super) fn together(hides: &Hides, mut parts: Vec<(Position, Arc<Block>)>) -> Option<(Arc<Block>, Position)> {
    parts.sort_by_key(|(seal, _)| *seal);
    let seal = parts.last()?.0;
    let seen = parts.into_iter().map(|(seal, block)| if hides.is_empty() { block } else { Arc::new(hides.without(seal, &block)) });
    let block = seen.filter(|block| !block.is_empty()).reduce(|older, newer| Arc::new(parts::over(&older, &newer)))?;
    Some((block, seal))
}

pub(super) fn metric_of(entry: &Entry) -> u32 {
    match entry.form {
        Form::Many { metric, .. } => metric,
        Form::Own { .. } => 0,
    }
}

pub(super) fn span(entry: &Entry) -> (SeriesId, SeriesId) {
    match entry.form {
        Form::Many { lo, hi, .. } => (lo, hi),
        Form::Own { series, .. } => (series, series),
    }
}

/// Two blocks that may hold the same series.
pub(super) fn share_a_span(a: &Entry, b: &Entry) -> bool {
    metric_of(a) == metric_of(b) && span(a).0 <= span(b).1 && span(b).0 <= span(a).1
}

fn slice_end(entries: &[Entry], from: SeriesId, max_points: u64) -> SeriesId {
    let mut points = 0;
    let ahead = entries.iter().filter(|entry| span(entry).1 >= from);
    let mut crossing = ahead.skip_while(|entry| {
        points += u64::from(entry.count);
        points <= max_points
    });
    crossing.next().map_or(SeriesId(u32::MAX), |entry| span(entry).1)
}

fn is_fast(block: &Block) -> bool {
    block.times().chunk_by(|a, b| key::window_of(*a) == key::window_of(*b)).any(|window| window.len() >= OWN_MIN)
}
