//! Before raw rows are replaced, the rollups made of them go. A seal's rows need no such care: their seal is newer than any rollup's.
//! A merge's rows carry the seal of what they were made of, so nothing else would tell that a rollup knows less than they hold.

use rusqlite::{Transaction, params};

use crate::model::SeriesId;
use crate::store::StoreError;
use crate::store::embedded::EmbeddedStore;
use crate::store::embedded::key::{FileKey, FileKind};

/// Series of a metric whose raw rows change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::store::embedded) struct Touched {
    pub(in crate::store::embedded) metric: u32,
    pub(in crate::store::embedded) lo: SeriesId,
    pub(in crate::store::embedded) hi: SeriesId,
}

/// `key` is the raw file's.
pub(in crate::store::embedded) fn outdate(store: &EmbeddedStore, key: FileKey, touched: &[Touched]) -> Result<(), StoreError> {
    let Some(file) = store.files.get(FileKey { kind: FileKind::Rollup, ..key }) else { return Ok(()) };
    match file.write("remove rollups from", |db| touched.iter().try_for_each(|touched| remove(db, touched))) {
        // The raw rows are there: a new file will be made of them.
        Err(StoreError::Damaged { .. }) => store.files.unlink(file.key),
        other => other,
    }
}

/// Of a block all rows go with one: a block has all of them, or is made anew.
fn remove(db: &Transaction<'_>, touched: &Touched) -> rusqlite::Result<()> {
    let meets = "metric = ?1 AND lo <= ?3 AND hi >= ?2";
    let values = params![touched.metric, touched.lo.0, touched.hi.0];
    let of_blocks = format!("DELETE FROM rollups WHERE own = 0 AND mark IN (SELECT mark FROM rollups WHERE own = 0 AND {meets})");
    db.prepare_cached(&of_blocks)?.execute(values)?;
    db.prepare_cached(&format!("DELETE FROM rollups WHERE own = 1 AND {meets}"))?.execute(values).map(drop)
}
