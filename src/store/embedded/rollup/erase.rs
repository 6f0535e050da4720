//! Deletes in rollups whose readings are gone: nobody can make them anew, so buckets that a delete meets go whole. That holds also where
//! the day has a raw file, which lost its oldest rows or was made anew.

use rusqlite::params;

use super::outdate::named;
use super::{body, level_ns};
use crate::model::{Position, TimeNs};
use crate::store::embedded::EmbeddedStore;
use crate::store::embedded::dayfile::DayFile;
use crate::store::embedded::key::{FileKey, FileKind};
use crate::store::{PositionedDelete, StoreError};

pub(in crate::store::embedded) fn erase(store: &EmbeddedStore, file: &DayFile, deletes: &[PositionedDelete]) -> Result<(), StoreError> {
    let (first, last) = (file.key.first_time(), file.key.last_time());
    for delete in deletes.iter().filter(|d| d.delete.from <= last && d.delete.to >= first) {
        one(store, file, delete)?;
    }
    Ok(())
}

fn one(store: &EmbeddedStore, file: &DayFile, delete: &PositionedDelete) -> Result<(), StoreError> {
    let series = delete.delete.series;
    let metric = store.info.metric(series);
    let mut rows = file.read("read rollups of", |db| db.rollups(metric, series, Position(delete.position.0.saturating_sub(1))))?;
    // The others are made anew, of what the delete leaves.
    let raw = store.files.get(FileKey { kind: FileKind::Raw, ..file.key });
    let there = named(raw.as_deref(), rows.iter().map(|row| (row.is_own, row.mark)))?;
    rows.retain(|row| !there.contains(&(row.is_own, row.mark)));
    let mut changed = Vec::new();
    for row in rows {
        // What cannot be decoded is not shown either.
        let Ok(mut rolled) = body::decode(&row.body, row.numbers) else { continue };
        let level = level_ns(row.level);
        let meets = |start: TimeNs| delete.delete.from < start.saturating_add(level) && delete.delete.to >= start;
        let Ok(at) = rolled.binary_search_by_key(&series, |(id, _)| *id) else { continue };
        let before = rolled[at].1.len();
        rolled[at].1.retain(|summary| !meets(summary.start));
        if rolled[at].1.len() == before {
            continue;
        }
        rolled.retain(|(_, summaries)| !summaries.is_empty());
        let ends = rolled.first().zip(rolled.last()).map(|((lo, _), (hi, _))| (lo.0, hi.0));
        changed.push((row.id, ends.map(|ends| (ends, body::encode(&mut rolled, row.numbers)))));
    }
    if changed.is_empty() {
        return Ok(());
    }
    // A row is replaced, not changed: its number tells a backup whether it has it.
    let again = "INSERT INTO rollups (level, metric, lo, hi, own, mark, seal, numbers, body) \
                 SELECT level, metric, ?3, ?4, own, mark, seal, numbers, ?2 FROM rollups WHERE id = ?1";
    file.write("delete from rollups in", |db| {
        changed.iter().try_for_each(|(id, body)| {
            if let Some(((lo, hi), body)) = body {
                db.execute(again, params![id, body, lo, hi])?;
            }
            db.execute("DELETE FROM rollups WHERE id = ?1", [id]).map(drop)
        })
    })
}
