//! Before raw rows are replaced, the rollups made of them go. A seal's rows need no such care: their seal is newer than any rollup's.
//! A merge's rows carry the seal of what they were made of, so nothing else would tell that a rollup knows less than they hold.
//!
//! Invariant: what names a raw row that is not there stays: nobody can make it anew. Of what goes, summaries of readings that are gone
//! already stay as well, in a row that names none.
//!
//! Invariant: before a rollup goes, its raw file says on disk that the rows it was made of are to be looked at again. So whatever comes
//! in between, readings do not expire before they are summed up again.

use rustc_hash::FxHashSet;

use super::aside::set_aside;
use super::gone::{self, Rest};
use crate::model::{Position, SeriesId};
use crate::store::StoreError;
use crate::store::embedded::EmbeddedStore;
use crate::store::embedded::dayfile::{self, DayFile, Reading, RollupSpan};
use crate::store::embedded::key::{FileKey, FileKind};

/// Series of a metric whose raw rows change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::store::embedded) struct Touched {
    pub(in crate::store::embedded) metric: u32,
    pub(in crate::store::embedded) lo: SeriesId,
    pub(in crate::store::embedded) hi: SeriesId,
}

impl Touched {
    pub(in crate::store::embedded) fn series(store: &EmbeddedStore, series: SeriesId) -> Self {
        Self { metric: store.info.metric(series), lo: series, hi: series }
    }
}

/// `key` is the raw file's. False: there were none.
pub(in crate::store::embedded) fn outdate(store: &EmbeddedStore, key: FileKey, touched: &[Touched]) -> Result<bool, StoreError> {
    outdate_rows(store, key, |db| made_of(db, touched))
}

/// Only the rows of their own that these series have.
pub(super) fn outdate_own(store: &EmbeddedStore, key: FileKey, touched: &[Touched]) -> Result<bool, StoreError> {
    outdate_rows(store, key, |db| made_of(db, touched).map(|rows| rows.into_iter().filter(|row| row.is_own).collect()))
}

fn outdate_rows(
    store: &EmbeddedStore,
    key: FileKey,
    which: impl FnOnce(&Reading<'_>) -> rusqlite::Result<Vec<RollupSpan>>,
) -> Result<bool, StoreError> {
    let Some(file) = store.files.get(FileKey { kind: FileKind::Rollup, ..key }) else { return Ok(false) };
    let removed = match file.read("look for rollups in", which) {
        Ok(mut rows) => {
            let there = named(store.files.get(key).as_deref(), rows.iter().map(|row| (row.is_own, row.mark, row.lo)))?;
            rows.retain(|row| there.contains(&(row.is_own, row.mark)));
            if rows.is_empty() {
                return Ok(false);
            }
            note(store, key, rows.iter().map(|row| row.seal).min().unwrap_or_default())?;
            let rests = gone::rests(store, key, &file, &rows)?;
            file.write("remove rollups from", |db| {
                for Rest { row, lo, hi, body } in &rests {
                    dayfile::insert_rollup_like(db, *row, Some(gone::NO_MARK), (*lo, *hi), body)?;
                }
                dayfile::remove_rollups(db, rows.iter().map(|row| row.id))
            })
        }
        Err(error) => Err(error),
    };
    match removed {
        // The raw rows are there: it will be made anew of them.
        Err(StoreError::Damaged { reason }) => {
            note(store, key, Position(0))?;
            set_aside(store, file.key, &reason)?;
        }
        other => other?,
    }
    Ok(true)
}

/// Of raw rows that rollups name, those that are there. What names another is all that is left of readings that expired.
/// A row is there as long as something is that it was made of: of own chunks those of its series up to its mark, with the least series
/// of the row.
pub(super) fn named(
    raw: Option<&DayFile>,
    marks: impl Iterator<Item = (bool, i64, SeriesId)>,
) -> Result<FxHashSet<(bool, i64)>, StoreError> {
    let (marks, mut there) = (marks.collect::<FxHashSet<_>>(), FxHashSet::default());
    let Some(raw) = raw.filter(|_| !marks.is_empty()) else { return Ok(there) };
    raw.read("look for rows in", |db| {
        for (is_own, mark, series) in marks {
            if db.has_row(is_own, mark, series)? {
                there.insert((is_own, mark));
            }
        }
        Ok(there)
    })
}

/// What was sealed from here on is to be summed up again. Memory has to ask the file for it, if this visit does not come to its end.
fn note(store: &EmbeddedStore, raw: FileKey, seal: Position) -> Result<(), StoreError> {
    let Some(raw) = store.files.get(raw) else { return Ok(()) };
    store.unnote(&raw)?;
    raw.news().forget();
    raw.write("note missing rollups in", |db| dayfile::set_dirty(db, seal))
}

/// The rows made of what is touched. Of a block all rows go with one: a block has all of them, or is made anew.
fn made_of(db: &Reading<'_>, touched: &[Touched]) -> rusqlite::Result<Vec<RollupSpan>> {
    let mut rows = Vec::new();
    for of_metric in together(touched).chunk_by(|a, b| a.metric == b.metric) {
        let all = db.rollup_spans(of_metric[0].metric)?;
        let is_touched = |row: &RollupSpan| {
            let next = of_metric.partition_point(|touched| touched.hi < row.lo);
            of_metric.get(next).is_some_and(|touched| touched.lo <= row.hi)
        };
        let blocks: FxHashSet<_> = all.iter().filter(|row| !row.is_own && is_touched(row)).map(|row| row.mark).collect();
        rows.extend(all.into_iter().filter(|row| if row.is_own { is_touched(row) } else { blocks.contains(&row.mark) }));
    }
    Ok(rows)
}

/// Ascending, and apart from each other.
fn together(touched: &[Touched]) -> Vec<Touched> {
    let mut sorted = touched.to_vec();
    sorted.sort_unstable();
    let mut apart: Vec<Touched> = Vec::new();
    for next in sorted {
        match apart.last_mut() {
            Some(last) if last.metric == next.metric && next.lo <= last.hi => last.hi = last.hi.max(next.hi),
            _ => apart.push(next),
        }
    }
    apart
}
