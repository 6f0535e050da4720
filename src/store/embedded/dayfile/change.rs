//! What changes in a day file, within a transaction.

use rusqlite::{Transaction, params};

use super::reading::{Entry, Form};
use crate::model::{Position, SeriesId, TimeNs};

/// A new row.
#[derive(Debug)]
pub(in crate::store::embedded) struct NewRow {
    pub(in crate::store::embedded) seal: Position,
    pub(in crate::store::embedded) first: TimeNs,
    pub(in crate::store::embedded) last: TimeNs,
    pub(in crate::store::embedded) count: u32,
    pub(in crate::store::embedded) form: Form,
    pub(in crate::store::embedded) body: Vec<u8>,
}

pub(in crate::store::embedded) fn set_merged(db: &Transaction<'_>, up_to: Position) -> rusqlite::Result<()> {
    db.execute("UPDATE merged SET up_to = ?1", [up_to.0.cast_signed()]).map(drop)
}

/// What was sealed from here on is to be looked at again.
pub(in crate::store::embedded) fn set_dirty(db: &Transaction<'_>, seal: Position) -> rusqlite::Result<()> {
    db.execute("UPDATE merged SET up_to = min(up_to, ?1)", [seal.0.saturating_sub(1).cast_signed()]).map(drop)
}

pub(in crate::store::embedded) fn insert(db: &Transaction<'_>, row: &NewRow, form: Form) -> rusqlite::Result<()> {
    let seal = row.seal.0.cast_signed();
    match form {
        Form::Own { series, times } => {
            let sql = "INSERT INTO chunks (series, seal, first, last, count, times, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
            db.prepare_cached(sql)?.execute(params![series.0, seal, row.first, row.last, row.count, times, row.body])?;
        }
        Form::Many { metric, lo, hi } => {
            let sql = "INSERT INTO blocks (metric, lo, hi, seal, first, last, count, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
            db.prepare_cached(sql)?.execute(params![metric, lo.0, hi.0, seal, row.first, row.last, row.count, row.body])?;
        }
    }
    Ok(())
}

pub(in crate::store::embedded) fn insert_times(db: &Transaction<'_>, body: &[u8]) -> rusqlite::Result<i64> {
    db.prepare_cached("INSERT INTO times (body) VALUES (?1)")?.execute([body])?;
    Ok(db.last_insert_rowid())
}

pub(in crate::store::embedded) fn remove(db: &Transaction<'_>, entry: &Entry) -> rusqlite::Result<()> {
    let sql = match entry.form {
        Form::Own { .. } => "DELETE FROM chunks WHERE id = ?1",
        Form::Many { .. } => "DELETE FROM blocks WHERE id = ?1",
    };
    db.prepare_cached(sql)?.execute([entry.id]).map(drop)
}

/// More rows of a block will come, in other transactions.
pub(in crate::store::embedded) fn begin_rollups(db: &Transaction<'_>, mark: i64) -> rusqlite::Result<()> {
    db.execute("CREATE TABLE IF NOT EXISTS unfinished (mark INTEGER PRIMARY KEY)", [])?;
    db.execute("INSERT OR IGNORE INTO unfinished (mark) VALUES (?1)", [mark]).map(drop)
}

/// All of them are there.
pub(in crate::store::embedded) fn finish_rollups(db: &Transaction<'_>, mark: i64) -> rusqlite::Result<()> {
    db.execute("DELETE FROM unfinished WHERE mark = ?1", [mark]).map(drop)
}

/// Those of a block that were written when it was cut off.
pub(in crate::store::embedded) fn remove_unfinished_rollups(db: &Transaction<'_>, mark: i64) -> rusqlite::Result<()> {
    db.execute("DELETE FROM rollups WHERE own = 0 AND mark = ?1", [mark])?;
    finish_rollups(db, mark)
}

/// A row like another, but for its number, its series and its body, and for its mark if there is another.
pub(in crate::store::embedded) fn insert_rollup_like(
    db: &Transaction<'_>,
    id: i64,
    mark: Option<i64>,
    (lo, hi): (SeriesId, SeriesId),
    body: &[u8],
) -> rusqlite::Result<()> {
    let sql = "INSERT INTO rollups (level, metric, lo, hi, own, mark, seal, numbers, body) \
               SELECT level, metric, ?2, ?3, own, coalesce(?4, mark), seal, numbers, ?5 FROM rollups WHERE id = ?1";
    db.prepare_cached(sql)?.execute(params![id, lo.0, hi.0, mark, body]).map(drop)
}

pub(in crate::store::embedded) fn remove_rollups(db: &Transaction<'_>, ids: impl IntoIterator<Item = i64>) -> rusqlite::Result<()> {
    let mut remove = db.prepare_cached("DELETE FROM rollups WHERE id = ?1")?;
    ids.into_iter().try_for_each(|id| remove.execute([id]).map(drop))
}

/// Rows that end before `until`.
pub(in crate::store::embedded) fn remove_until(db: &Transaction<'_>, until: TimeNs) -> rusqlite::Result<()> {
    db.execute("DELETE FROM chunks WHERE last < ?1", [until])?;
    db.execute("DELETE FROM blocks WHERE last < ?1", [until])?;
    remove_unused_times(db)
}

/// Time columns that no chunk names any more.
pub(in crate::store::embedded) fn remove_unused_times(db: &Transaction<'_>) -> rusqlite::Result<()> {
    db.execute("DELETE FROM times WHERE id NOT IN (SELECT times FROM chunks WHERE times IS NOT NULL)", []).map(drop)
}

/// What a seal left that did not end: the log has it all.
pub(in crate::store::embedded) fn remove_after(db: &Transaction<'_>, sealed: Position) -> rusqlite::Result<usize> {
    let chunks = db.execute("DELETE FROM chunks WHERE seal > ?1", [sealed.0.cast_signed()])?;
    let blocks = db.execute("DELETE FROM blocks WHERE seal > ?1", [sealed.0.cast_signed()])?;
    Ok(chunks + blocks)
}
