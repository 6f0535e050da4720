//! Deletes in rollups whose readings are gone: nobody can make them anew, so buckets that a delete meets go whole.

use rusqlite::params;

use super::{body, level_ns};
use crate::model::{Position, TimeNs};
use crate::store::embedded::EmbeddedStore;
use crate::store::embedded::dayfile::DayFile;
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
    let rows = file.read("read rollups of", |db| db.rollups(metric, series, Position(delete.position.0.saturating_sub(1))))?;
    let mut changed = Vec::new();
    for row in rows {
        // What cannot be decoded is not shown either.
        let Ok(mut rolled) = body::decode(&row.body, row.numbers) else { continue };
        let level = level_ns(row.level);
        let meets = |start: TimeNs| delete.delete.from < start.saturating_add(level) && delete.delete.to >= start;
        for (_, summaries) in rolled.iter_mut().filter(|(id, _)| *id == series) {
            summaries.retain(|summary| !meets(summary.start));
        }
        rolled.retain(|(_, summaries)| !summaries.is_empty());
        changed.push((row.id, (!rolled.is_empty()).then(|| body::encode(&mut rolled, row.numbers))));
    }
    // A row is replaced, not changed: its number tells a backup whether it has it.
    let again = "INSERT INTO rollups (level, metric, lo, hi, own, mark, seal, numbers, body) \
                 SELECT level, metric, lo, hi, own, mark, seal, numbers, ?2 FROM rollups WHERE id = ?1";
    file.write("delete from rollups in", |db| {
        changed.iter().try_for_each(|(id, body)| {
            if let Some(body) = body {
                db.execute(again, params![id, body])?;
            }
            db.execute("DELETE FROM rollups WHERE id = ?1", [id]).map(drop)
        })
    })
}
