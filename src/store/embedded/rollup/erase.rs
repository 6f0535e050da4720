//! Deletes in rollups whose readings are gone: nobody can make them anew, so buckets that a delete meets go whole. That holds also where
//! the day has a raw file, which lost its oldest rows or was made anew.

use super::aside::set_aside;
use super::gone::{Begins, encoded, is_gone, may_have_lost};
use super::outdate::named;
use super::{body, level_ns};
use crate::model::{Position, TimeNs};
use crate::store::embedded::EmbeddedStore;
use crate::store::embedded::dayfile::{self, DayFile};
use crate::store::embedded::key::{FileKey, FileKind};
use crate::store::{PositionedDelete, StoreError};

pub(in crate::store::embedded) fn erase(store: &EmbeddedStore, file: &DayFile, deletes: &[PositionedDelete]) -> Result<(), StoreError> {
    let (first, last) = (file.key.first_time(), file.key.last_time());
    for delete in deletes.iter().filter(|d| d.delete.from <= last && d.delete.to >= first) {
        // Another stands there since one of the deletes before met damage.
        let Some(file) = store.files.get(file.key) else { return Ok(()) };
        let Err(Spoilt(why)) = one(store, &file, delete)? else { continue };
        set_aside(store, file.key, &why)?;
        if let Some(file) = store.files.get(file.key)
            && let Err(Spoilt(reason)) = one(store, &file, delete)?
        {
            return Err(StoreError::Damaged { reason });
        }
    }
    Ok(())
}

/// The file of rollups cannot be read or written.
struct Spoilt(String);

/// What came of the file of rollups.
fn of_rollups<T>(result: Result<T, StoreError>) -> Result<Result<T, Spoilt>, StoreError> {
    match result {
        Err(StoreError::Damaged { reason }) => Ok(Err(Spoilt(reason))),
        other => other.map(Ok),
    }
}

fn one(store: &EmbeddedStore, file: &DayFile, delete: &PositionedDelete) -> Result<Result<(), Spoilt>, StoreError> {
    let series = delete.delete.series;
    let metric = store.info.metric(series);
    let up_to = Position(delete.position.0.saturating_sub(1));
    let rows = match of_rollups(file.read("read rollups of", |db| db.rollups(metric, series, up_to)))? {
        Ok(rows) => rows,
        Err(spoilt) => return Ok(Err(spoilt)),
    };
    let raw = store.files.get(FileKey { kind: FileKind::Raw, ..file.key });
    let there = named(raw.as_deref(), rows.iter().map(|row| (row.is_own, row.mark, row.lo)))?;
    let begins = may_have_lost(store, file.key).then(|| Begins::of(store, raw));
    let mut changed = Vec::new();
    for row in rows {
        // What is made of rows that are there is made anew, of what the delete leaves: but for buckets whose readings are gone.
        let begin = || begins.as_ref().map_or(Ok(TimeNs::MIN), |begins| begins.at(series, row.seal));
        let gone_until = if there.contains(&(row.is_own, row.mark)) { begin()? } else { TimeNs::MAX };
        // What cannot be decoded is not shown either.
        let Ok(mut rolled) = body::decode(&row.body, row.numbers) else { continue };
        let level = level_ns(row.level);
        let meets = |start: TimeNs| delete.delete.from < start.saturating_add(level) && delete.delete.to >= start;
        let Ok(at) = rolled.binary_search_by_key(&series, |(id, _)| *id) else { continue };
        let before = rolled[at].1.len();
        rolled[at].1.retain(|summary| !(is_gone(summary, gone_until) && meets(summary.start)));
        if rolled[at].1.len() != before {
            changed.push((row.id, encoded(&mut rolled, row.numbers)));
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
