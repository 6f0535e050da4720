//! A visit to one day file: chunks of a series that overlap, are small, or lie in blocks as well become one line of own chunks; blocks
//! of a metric become one line of blocks; what deletes hide is left out.
//!
//! Invariants: a series' points are written anew only together with all its parts of that day that were sealed up to the limit, so
//! the new row's seal (the newest of them) puts nothing over what was sealed later. Every step is one transaction in a file; cut off
//! anywhere, what is left over is there twice with the same values.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use super::EmbeddedStore;
use super::chunk::MAX_POINTS;
use super::damage;
use super::dayfile::{self, DayFile, Entry, Form};
use super::files::Day;
use super::key::{self, ClassId, FileKey, FileKind};
use super::merge_which::Which;
use super::rollup::{self, Making, Touched};
use super::rows::Rows;
use super::sql;
use super::tombs::Hides;
use crate::block::Block;
use crate::model::{Position, SeriesId, TimeNs, TimeRange};
use crate::store::{PositionedDelete, StoreError};

/// Chunks that are looked at in one step.
const PAGE: u32 = 1_000;
/// What a point takes that does not compress.
pub(super) const POINT_BYTES: u64 = 8;

#[derive(Debug)]
pub(super) struct Visit {
    pub(super) file: Arc<DayFile>,
    /// Of the same day and other classes: a series that changed its class has points there too.
    pub(super) siblings: Vec<Arc<DayFile>>,
    /// What was sealed up to here is touched.
    pub(super) limit: Position,
    /// The day is over: everything new is merged, not only what deletes touch.
    pub(super) closed: bool,
    pub(super) merged_up_to: Position,
    /// Series with deletes that meet the day.
    pub(super) deleted: FxHashSet<SeriesId>,
    /// By metric and least series, sealed up to the limit; as it was when the visit began.
    pub(super) blocks: Vec<Entry>,
    pub(super) folded: FxHashSet<SeriesId>,
    /// Files of other classes that got series of this one, or gave some.
    pub(super) beside: BTreeSet<FileKey>,
    /// Of the metric whose blocks are merged.
    pub(super) which: Which,
    /// The last series of its last slice that was left for damage.
    pub(super) left_until: Option<SeriesId>,
    making: Option<Making>,
    /// Something could not be read, and was left as it is.
    pub(super) damaged: bool,
    step: Step,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Own {
        from: SeriesId,
    },
    /// A metric's blocks begin at this index; its series from here on are to do.
    Many {
        index: usize,
        from: SeriesId,
    },
    /// Of a day that is over.
    Rollups,
    Shrink,
    End,
}

/// All there is of a series, in the file and its siblings.
#[derive(Debug)]
pub(super) struct Folded {
    pub(super) block: Option<Arc<Block>>,
    pub(super) seal: Position,
    pub(super) old: Vec<(Arc<DayFile>, Entry)>,
}

/// What replaces what.
#[derive(Debug, Default)]
pub(super) struct Change {
    /// Of the file itself.
    pub(super) rows: Rows,
    /// Of series that belong into a file of another class.
    moved: BTreeMap<ClassId, Rows>,
    pub(super) old: Vec<(Arc<DayFile>, Entry)>,
}

impl Change {
    /// Rows for series of a class, in a visit to this file.
    fn rows_of(&mut self, class: ClassId, visited: FileKey) -> &mut Rows {
        if class == visited.class { &mut self.rows } else { self.moved.entry(class).or_default() }
    }

    fn bytes(&self) -> usize {
        self.rows.bytes() + self.moved.values().map(Rows::bytes).sum::<usize>()
    }
}

impl Visit {
    /// None: the file is gone or cannot be read.
    pub(super) fn new(
        store: &EmbeddedStore,
        key: FileKey,
        limit: Position,
        closed: bool,
        deletes: &[PositionedDelete],
    ) -> Result<Option<Self>, StoreError> {
        let Some(file) = store.files.get(key) else { return Ok(None) };
        let read = file.read("list blocks of", |db| Ok((db.all_many(limit)?, db.merged_up_to()?)));
        let (blocks, merged_up_to) = match read {
            Ok(read) => read,
            Err(StoreError::Damaged { reason }) => {
                store.damages.note(damage::of_upkeep(&file, reason), &[]);
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        let meets = |delete: &&PositionedDelete| delete.delete.from <= key.last_time() && delete.delete.to >= key.first_time();
        let deleted = deletes.iter().filter(meets).map(|delete| delete.delete.series).collect();
        let (folded, beside, step) = (FxHashSet::default(), BTreeSet::new(), Step::Own { from: SeriesId(0) });
        let siblings = store.files.of_day(Day(key.day)).into_iter().filter(|other| other.key != key).collect();
        Ok(Some(Self {
            file,
            siblings,
            limit,
            closed,
            merged_up_to,
            deleted,
            blocks,
            folded,
            beside,
            which: Which::default(),
            left_until: None,
            making: None,
            damaged: false,
            step,
        }))
    }

    /// False: the visit is over.
    pub(super) fn step(&mut self, store: &EmbeddedStore) -> Result<bool, StoreError> {
        store.files.used(&self.file);
        self.step = match self.step {
            Step::Own { from } => match self.own_page(store, from)? {
                Some(from) => Step::Own { from },
                None => Step::Many { index: 0, from: SeriesId(0) },
            },
            Step::Many { index, .. } if index >= self.blocks.len() => Step::Rollups,
            Step::Many { index, from } => match self.slice(store, index, from)? {
                Some(from) => Step::Many { index, from },
                None => Step::Many { index: index + self.metric_blocks(index).len(), from: SeriesId(0) },
            },
            Step::Rollups if self.closed => {
                let left_since = self.damaged.then_some(self.merged_up_to);
                let making = self.making.get_or_insert_with(|| Making::new(&self.file, self.limit, left_since));
                if making.step(store)? { Step::Rollups } else { Step::Shrink }
            }
            Step::Rollups => Step::End,
            Step::Shrink if self.shrink(store)? => Step::Shrink,
            Step::Shrink => Step::End,
            Step::End => {
                self.end()?;
                return Ok(false);
            }
        };
        Ok(true)
    }

    /// What merges freed goes back to the disk. False: all of it has.
    fn shrink(&self, store: &EmbeddedStore) -> Result<bool, StoreError> {
        let rollups = store.files.get(FileKey { kind: FileKind::Rollup, ..self.file.key });
        for file in std::iter::once(&self.file).chain(&rollups) {
            if file.write("shrink", |db| sql::shrink(db, store.piece_bytes))? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn end(&self) -> Result<(), StoreError> {
        let (closed, limit) = (self.closed, self.limit);
        self.file.write("end a merge of", |db| {
            dayfile::remove_unused_times(db)?;
            if closed { dayfile::set_merged(db, limit) } else { Ok(()) }
        })
    }

    /// Own chunks from a series on; the series to go on with.
    fn own_page(&mut self, store: &EmbeddedStore, from: SeriesId) -> Result<Option<SeriesId>, StoreError> {
        let limit = self.limit;
        let entries = self.file.read("list chunks of", |db| db.all_own(from, limit, PAGE))?;
        let mut groups: Vec<&[Entry]> = entries.chunk_by(|a, b| a.series() == b.series()).collect();
        // The last series of a full page may go on in the next one; a series of its own that fills pages is taken as it is.
        let is_full = entries.len() == PAGE as usize;
        let next = match groups.len() {
            0 => return Ok(None),
            1 if is_full => series_of(groups[0]).0.checked_add(1).map(SeriesId),
            _ if is_full => groups.pop().map(series_of),
            _ => None,
        };
        let (lo, hi) = (series_of(groups[0]), series_of(groups[groups.len() - 1]));
        let in_blocks = self.in_blocks(store, lo, hi)?;
        let goes_on = groups.len() == 1 && is_full;
        let mut change = Change::default();
        for group in groups {
            let series = series_of(group);
            let in_block = in_blocks.get(&series).copied();
            if !self.is_due(store, group, in_block.is_some()) {
                continue;
            }
            if goes_on || !self.stays(store, series)? {
                self.fold_into(&mut change, store, series)?;
            } else {
                self.fold_windows(&mut change, store, group, in_block)?;
            }
        }
        self.apply(store, change)?;
        Ok(next)
    }

    fn is_due(&self, store: &EmbeddedStore, group: &[Entry], in_blocks: bool) -> bool {
        let series = series_of(group);
        let is_scattered = self.closed && (in_blocks || self.is_moving(store, series) || self.is_new(group));
        is_scattered || self.deleted.contains(&series)
    }

    fn is_new(&self, chunks: &[Entry]) -> bool {
        chunks.iter().any(|entry| entry.seal > self.merged_up_to) && !is_compact(chunks)
    }

    /// All of a series stays in this file, and no other has something of it.
    fn stays(&self, store: &EmbeddedStore, series: SeriesId) -> Result<bool, StoreError> {
        let goes = self.deleted.contains(&series) || self.is_moving(store, series);
        Ok(!goes && !self.is_in_siblings(store, series)?)
    }

    /// Quarters of the day, over whose bounds no chunk reaches, are merged each by itself: those with something new, and those of which a
    /// block has a part.
    fn fold_windows(
        &mut self,
        change: &mut Change,
        store: &EmbeddedStore,
        group: &[Entry],
        in_block: Option<(TimeNs, TimeNs)>,
    ) -> Result<(), StoreError> {
        let series = series_of(group);
        let windows = group.chunk_by(|a, b| key::window_of(a.first) == key::window_of(b.first));
        let new = windows.filter(|window| self.is_new(window)).map(|window| key::window_of(window[0].first));
        let of_block = in_block.into_iter().flat_map(|(first, last)| key::window_of(first)..=key::window_of(last));
        for window in new.chain(of_block).collect::<BTreeSet<_>>() {
            let Some(folded) = self.fold(store, series, key::window_range(window))? else { return Ok(()) };
            self.replace(change, store, series, folded)?;
        }
        if in_block.is_some() {
            self.folded.insert(series);
        }
        Ok(())
    }

    /// It belongs into a file of another class.
    pub(super) fn is_moving(&self, store: &EmbeddedStore, series: SeriesId) -> bool {
        store.class(series) != self.file.key.class
    }

    /// The series between these that lie in blocks as well, and from when to when.
    fn in_blocks(&self, store: &EmbeddedStore, lo: SeriesId, hi: SeriesId) -> Result<FxHashMap<SeriesId, (TimeNs, TimeNs)>, StoreError> {
        let mut found: FxHashMap<SeriesId, (TimeNs, TimeNs)> = FxHashMap::default();
        for entry in self.blocks.iter().filter(|entry| matches!(entry.form, Form::Many { lo: l, hi: h, .. } if l <= hi && h >= lo)) {
            let body = self.file.read("read a block of", |db| db.body(entry))?;
            let Some(all) = store.decoder().whole(&self.file, entry, body) else { continue };
            for (series, block) in all.iter().filter(|(series, _)| (lo..=hi).contains(series)) {
                let (Some(first), Some(last)) = (block.first_time(), block.last_time()) else { continue };
                let span = found.entry(*series).or_insert((first, last));
                *span = (span.0.min(first), span.1.max(last));
            }
        }
        Ok(found)
    }

    /// All of a series becomes own chunks. False: a part cannot be read, so they all stay as they are.
    pub(super) fn fold_into(&mut self, change: &mut Change, store: &EmbeddedStore, series: SeriesId) -> Result<bool, StoreError> {
        let Some(folded) = self.fold(store, series, day_range(self.file.key))? else { return Ok(false) };
        self.replace(change, store, series, folded)?;
        self.folded.insert(series);
        Ok(true)
    }

    /// Where bytes are bounded, no transaction's WAL may take much of them: so a series is cut where no old chunk is cut, and what there
    /// is so far is applied once it is enough. A piece holds all there is of its time, so what is not replaced yet says nothing else.
    fn replace(&mut self, change: &mut Change, store: &EmbeddedStore, series: SeriesId, folded: Folded) -> Result<(), StoreError> {
        let Folded { block, seal, mut old } = folded;
        let (of_file, class) = (self.file.key, store.class(series));
        let mut replaced: Vec<_> = old.extract_if(.., |(file, _)| file.key == of_file).collect();
        replaced.sort_by_key(|(_, entry)| entry.first);
        let least = usize::try_from(store.piece_bytes / POINT_BYTES).unwrap_or(usize::MAX).max(1);
        let (mut from, mut end) = (0, TimeNs::MIN);
        for (file, entry) in replaced {
            if let Some(block) = &block
                && end < entry.first
            {
                let until = block.times().partition_point(|t| *t < entry.first);
                if until - from >= least {
                    let piece = Some(Arc::new(block.cut(from..until)));
                    push_own(change.rows_of(class, of_file), series, &Folded { block: piece, seal, old: Vec::new() })?;
                    self.apply_a_piece(store, change)?;
                    from = until;
                }
            }
            end = end.max(entry.last);
            change.old.push((file, entry));
        }
        let rest = block.map(|block| if from == 0 { block } else { Arc::new(block.cut(from..block.len())) });
        push_own(change.rows_of(class, of_file), series, &Folded { block: rest, seal, old: Vec::new() })?;
        change.old.extend(old);
        self.apply_a_piece(store, change)
    }

    /// What there is so far, if it is enough for a transaction.
    pub(super) fn apply_a_piece(&mut self, store: &EmbeddedStore, change: &mut Change) -> Result<(), StoreError> {
        if change.bytes() as u64 >= store.piece_bytes {
            let keys: Vec<_> = change.moved.keys().map(|class| FileKey { class: *class, ..self.file.key }).collect();
            self.apply(store, std::mem::take(change))?;
            // A reader in its way: it is done the next time.
            let _later = self.file.checkpoint()?;
            for file in keys.into_iter().filter_map(|key| store.files.get(key)) {
                let _later = file.checkpoint()?;
            }
        }
        Ok(())
    }

    /// All parts of a series in a stretch of the day as one block, without what deletes hide. None: one cannot be read.
    fn fold(&mut self, store: &EmbeddedStore, series: SeriesId, range: TimeRange) -> Result<Option<Folded>, StoreError> {
        let (decoder, limit) = (store.decoder(), self.limit);
        let metric = store.info.metric(series);
        let (mut parts, mut old) = (Vec::new(), Vec::new());
        for file in std::iter::once(&self.file).chain(&self.siblings) {
            parts.extend(decoder.parts(file, (series, metric), range, limit, u32::MAX - 1)?.unwrap_or_default());
            let own = file.read("list chunks of", |db| db.own(series, range, limit, u32::MAX - 1))?;
            old.extend(own.into_iter().map(|entry| (Arc::clone(file), entry)));
        }
        if parts.iter().any(|part| decoder.block(part).is_none()) {
            self.damaged = true;
            return Ok(None);
        }
        let seal = parts.iter().map(|part| part.seal).max().unwrap_or(limit);
        let block = decoder.lay(&mut parts, range, &self.hides(store, series));
        Ok(Some(Folded { block, seal, old }))
    }

    /// Whether a file of another class has points of it.
    pub(super) fn is_in_siblings(&self, store: &EmbeddedStore, series: SeriesId) -> Result<bool, StoreError> {
        let (day, metric) = (day_range(self.file.key), store.info.metric(series));
        for file in &self.siblings {
            let parts = store.decoder().parts(file, (series, metric), day, self.limit, u32::MAX - 1)?;
            if parts.is_some_and(|parts| !parts.is_empty()) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    pub(super) fn hides(&self, store: &EmbeddedStore, series: SeriesId) -> Hides {
        if self.deleted.contains(&series) { store.tombs.of(series, self.limit) } else { Hides::default() }
    }

    /// New rows first: cut off in between, a series is in two files with the same values.
    pub(super) fn apply(&mut self, store: &EmbeddedStore, change: Change) -> Result<(), StoreError> {
        let Change { rows, moved, old } = change;
        let (own, others): (Vec<_>, Vec<_>) = old.into_iter().partition(|(file, _)| file.key == self.file.key);
        let _no_reader = (!moved.is_empty() || !others.is_empty()).then(|| store.layout.write());
        outdate(store, self.file.key, own.iter().map(|(_, entry)| entry.form).chain(rows.forms()))?;
        for file in &self.siblings {
            if outdate(store, file.key, others.iter().filter(|(of, _)| of.key == file.key).map(|(_, entry)| entry.form))? {
                // Of a block the rollups of all series went: it makes them anew.
                self.beside.insert(file.key);
            }
        }
        for (class, rows) in moved {
            let key = FileKey { class, ..self.file.key };
            store.note_what_went(key)?;
            let file = store.files.get_or_make(key, rows.bytes())?;
            outdate(store, file.key, rows.forms())?;
            store.unnote(&file)?;
            // It does not expire before it was asked again.
            file.news().forget();
            file.write("move series to", |db| {
                rows.oldest_seal().map_or(Ok(()), |seal| dayfile::set_dirty(db, seal))?;
                rows.insert(db)
            })?;
            self.beside.insert(file.key);
        }
        if !rows.is_empty() || !own.is_empty() {
            self.file.write("merge", |db| {
                own.iter().try_for_each(|(_, entry)| dayfile::remove(db, entry))?;
                rows.insert(db)
            })?;
        }
        for file in &self.siblings {
            let entries: Vec<_> = others.iter().filter(|(of, _)| of.key == file.key).map(|(_, entry)| entry).collect();
            if !entries.is_empty() {
                file.write("move series from", |db| entries.iter().try_for_each(|entry| dayfile::remove(db, entry)))?;
            }
        }
        Ok(())
    }
}

pub(super) fn push_own(rows: &mut Rows, series: SeriesId, folded: &Folded) -> Result<(), StoreError> {
    let Some(block) = &folded.block else { return Ok(()) };
    block.times().chunk_by(|a, b| key::window_of(*a) == key::window_of(*b)).try_fold(0, |at, window| {
        rows.own(series, &block.cut(at..at + window.len()), folded.seal)?;
        Ok(at + window.len())
    })?;
    Ok(())
}

fn day_range(key: FileKey) -> TimeRange {
    TimeRange { from: key.first_time(), to: key.last_time().saturating_add(1) }
}

/// The rollups of these rows go, if there are any.
fn outdate(store: &EmbeddedStore, key: FileKey, forms: impl Iterator<Item = Form>) -> Result<bool, StoreError> {
    let touched = forms.map(|form| match form {
        Form::Own { series, .. } => Touched::series(store, series),
        Form::Many { metric, lo, hi } => Touched { metric, lo, hi },
    });
    rollup::outdate(store, key, &touched.collect::<Vec<_>>())
}

/// A group is one series' chunks, and not empty.
fn series_of(group: &[Entry]) -> SeriesId {
    group[0].series()
}

/// No overlap, and no more chunks than their points need.
fn is_compact(group: &[Entry]) -> bool {
    let apart = group.windows(2).all(|pair| pair[0].last < pair[1].first);
    let mut windows = group.chunk_by(|a, b| key::window_of(a.first) == key::window_of(b.first));
    apart && windows.all(|chunks| chunks.len() <= chunks.iter().map(|chunk| chunk.count as usize).sum::<usize>().div_ceil(MAX_POINTS))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(first: TimeNs, last: TimeNs, count: u32) -> Entry {
        let form = Form::Own { series: SeriesId(1), times: None };
        Entry { id: 1, seal: Position(1), first, last, count, form }
    }

    #[test]
    fn chunks_are_left_alone_when_fewer_would_not_do() {
        let hour = 3600 * 1_000_000_000;
        for (entries, expected) in [
            (vec![entry(0, hour, 10)], true),
            (vec![entry(0, hour, 10), entry(2 * hour, 3 * hour, 10)], false),
            (vec![entry(0, hour, 4096), entry(2 * hour, 3 * hour, 10)], true),
            (vec![entry(0, 2 * hour, 4096), entry(2 * hour, 3 * hour, 10)], false),
            (vec![entry(0, hour, 10), entry(7 * hour, 8 * hour, 10)], true),
        ] {
            assert_eq!(is_compact(&entries), expected, "{entries:?}");
        }
    }
}
