//! Deletes in rollups whose readings are gone: nobody can make them anew, so buckets that a delete meets go whole. That holds also where
//! the day has a raw file, which lost its oldest rows or was made anew.
//!
//! A delete of a device may be one of a thousand series, which lie in the same rows: so a row is read and written once for all deletes,
//! some rows in one transaction, and a step of the round does no more than these.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::aside::set_aside;
use super::gone::{Begins, encoded, is_gone, may_have_lost};
use super::outdate::named;
use super::{Rolled, body, level_ns};
use crate::model::{SeriesId, TimeNs};
use crate::store::embedded::EmbeddedStore;
use crate::store::embedded::dayfile::{self, DayFile, RollupSpan};
use crate::store::embedded::key::{FileKey, FileKind};
use crate::store::{PositionedDelete, StoreError};

/// Rows that are read and written in one step.
const PAGE: usize = 32;

/// Of the series of one metric.
type Deletes = BTreeMap<SeriesId, Vec<PositionedDelete>>;

/// How far the deletes of one file are applied.
#[derive(Debug)]
pub(in crate::store::embedded) struct Erasing {
    pub(in crate::store::embedded) file: Arc<DayFile>,
    deletes: BTreeMap<u32, Deletes>,
    /// Metrics that are to do, the next one last.
    metrics: Vec<u32>,
    /// Rows of a metric that are to do.
    rows: (u32, Vec<RollupSpan>),
    /// The file that was there first was set aside.
    is_another: bool,
}

/// The file of rollups cannot be read or written.
struct Spoilt(String);

impl Erasing {
    /// `key` is a file's of the day. None: it has no rollups, or no delete meets them.
    pub(in crate::store::embedded) fn new(store: &EmbeddedStore, key: FileKey, deletes: &[PositionedDelete]) -> Option<Self> {
        let (first, last) = (key.first_time(), key.last_time());
        let file = store.files.get(FileKey { kind: FileKind::Rollup, ..key })?;
        let mut by_metric: BTreeMap<u32, Deletes> = BTreeMap::new();
        for delete in deletes.iter().filter(|d| d.delete.from <= last && d.delete.to >= first) {
            let series = delete.delete.series;
            by_metric.entry(store.info.metric(series)).or_default().entry(series).or_default().push(*delete);
        }
        let metrics: Vec<_> = by_metric.keys().copied().collect();
        (!metrics.is_empty()).then_some(Self { file, deletes: by_metric, metrics, rows: (0, Vec::new()), is_another: false })
    }

    /// False: all is done.
    pub(in crate::store::embedded) fn step(&mut self, store: &EmbeddedStore) -> Result<bool, StoreError> {
        // It expired, or another stands there since a step before met damage.
        let Some(file) = store.files.get(self.file.key) else { return Ok(false) };
        if file.number != self.file.number {
            (self.file, self.metrics, self.rows) = (file, self.deletes.keys().copied().collect(), (0, Vec::new()));
        }
        match self.page(store)? {
            Ok(more) => Ok(more),
            Err(Spoilt(reason)) if self.is_another => Err(StoreError::Damaged { reason }),
            Err(Spoilt(why)) => {
                set_aside(store, self.file.key, &why)?;
                self.is_another = true;
                Ok(true)
            }
        }
    }

    /// The next rows, or what rows a metric has.
    fn page(&mut self, store: &EmbeddedStore) -> Result<Result<bool, Spoilt>, StoreError> {
        let (metric, rows) = &mut self.rows;
        if rows.is_empty() {
            let Some(next) = self.metrics.pop() else { return Ok(Ok(false)) };
            let deletes = &self.deletes[&next];
            let is_met = |row: &RollupSpan| {
                let mut of_row = deletes.range(row.lo..=row.hi);
                row.lo <= row.hi && of_row.any(|(_, deletes)| deletes.iter().any(|delete| delete.position > row.seal))
            };
            let found = of_rollups(self.file.read("look for rollups in", |db| db.rollup_spans(next)))?;
            return Ok(found.map(|all| {
                (*metric, *rows) = (next, all.into_iter().filter(is_met).collect());
                true
            }));
        }
        let page = rows.split_off(rows.len().saturating_sub(PAGE));
        let erased = erase(store, &self.file, &page, &self.deletes[&*metric])?;
        Ok(erased.map(|()| true))
    }
}

/// What came of the file of rollups.
fn of_rollups<T>(result: Result<T, StoreError>) -> Result<Result<T, Spoilt>, StoreError> {
    match result {
        Err(StoreError::Damaged { reason }) => Ok(Err(Spoilt(reason))),
        other => other.map(Ok),
    }
}

fn erase(store: &EmbeddedStore, file: &DayFile, rows: &[RollupSpan], deletes: &Deletes) -> Result<Result<(), Spoilt>, StoreError> {
    let raw = store.files.get(FileKey { kind: FileKind::Raw, ..file.key });
    let there = named(raw.as_deref(), rows.iter().map(|row| (row.is_own, row.mark, row.lo)))?;
    let begins = may_have_lost(store, file.key).then(|| Begins::of(store, raw));
    let mut changed = Vec::new();
    for row in rows {
        let found = match of_rollups(file.read("read rollups of", |db| db.rollup_body(row.id)))? {
            Ok(found) => found,
            Err(spoilt) => return Ok(Err(spoilt)),
        };
        let Some((level, numbers, bytes)) = found else { continue };
        // What cannot be decoded is not shown either.
        let Ok(mut rolled) = body::decode(&bytes, numbers) else { continue };
        // What is made of rows that are there is made anew, of what the delete leaves: but for buckets whose readings are gone.
        let is_there = there.contains(&(row.is_own, row.mark));
        let begin = |series| begins.as_ref().map_or(Ok(TimeNs::MIN), |begins| begins.at(series, row.seal));
        let gone_until = |series| if is_there { begin(series) } else { Ok(TimeNs::MAX) };
        if remove(&mut rolled, (row, level), deletes, gone_until)? {
            changed.push((row.id, encoded(&mut rolled, numbers)));
        }
    }
    if changed.is_empty() {
        return Ok(Ok(()));
    }
    // A row is replaced, not changed: its number tells a backup whether it has it.
    of_rollups(file.write("delete from rollups in", |db| {
        for (id, left) in &changed {
            if let Some((lo, hi, body)) = left {
                dayfile::insert_rollup_like(db, *id, None, (*lo, *hi), body)?;
            }
        }
        dayfile::remove_rollups(db, changed.iter().map(|(id, _)| *id))
    }))
}

/// Buckets whose readings are gone and that a delete meets. Says whether there were some.
fn remove(
    rolled: &mut Rolled,
    (row, level): (&RollupSpan, i64),
    deletes: &Deletes,
    gone_until: impl Fn(SeriesId) -> Result<TimeNs, StoreError>,
) -> Result<bool, StoreError> {
    let mut is_changed = false;
    for (series, summaries) in rolled {
        let known: Vec<_> = deletes.get(series).into_iter().flatten().filter(|delete| delete.position > row.seal).collect();
        let is_hidden = |start: TimeNs| {
            let end = start.saturating_add(level_ns(level));
            known.iter().any(|delete| delete.delete.from < end && delete.delete.to >= start)
        };
        if !summaries.iter().any(|summary| is_hidden(summary.start)) {
            continue;
        }
        let (gone_until, before) = (gone_until(*series)?, summaries.len());
        summaries.retain(|summary| !(is_gone(summary, gone_until) && is_hidden(summary.start)));
        is_changed |= summaries.len() != before;
    }
    Ok(is_changed)
}
