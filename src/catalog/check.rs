//! Whether the catalog can be read, asked without changing it: beside a hub or without one.

use std::path::Path;

use rusqlite::{Connection, OpenFlags, OptionalExtension};

use super::{BUSY, CatalogError, FILE_NAME, FORMAT, failed, sums};
use crate::model::{Position, SeriesId};
use crate::sqlite;

/// What a check found.
#[derive(Debug, Default)]
pub struct CatalogChecked {
    pub bad: Vec<String>,
    /// 0 where it cannot be read.
    pub sealed: Position,
    pub series: u64,
}

/// A catalog of a newer format is an error.
pub fn check(dir: &Path) -> Result<CatalogChecked, CatalogError> {
    let path = dir.join(FILE_NAME);
    match look(&path) {
        Ok((found, _)) if found > FORMAT => Err(CatalogError::Newer { path, found, known: FORMAT }),
        Ok((_, checked)) => Ok(checked),
        Err(error) => Ok(CatalogChecked { bad: vec![failed(&path, "read", error).to_string()], ..CatalogChecked::default() }),
    }
}

/// Names of these series, for people; a series that it does not know has none.
#[must_use]
pub fn names(dir: &Path, ids: &[SeriesId]) -> Vec<Option<String>> {
    let name = |id: &SeriesId| -> rusqlite::Result<Option<String>> {
        let db = open(&dir.join(FILE_NAME))?;
        let sql = "SELECT device || '/' || metric, labels FROM series WHERE id = ?1";
        let found: Option<(String, String)> = db.query_row(sql, [id.0], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
        Ok(found.map(|(name, labels)| format!("{name}{}", braces(&labels))))
    };
    ids.iter().map(|id| name(id).ok().flatten()).collect()
}

fn braces(labels: &str) -> String {
    let pairs: Vec<_> = labels.lines().filter_map(|line| line.split_once('\t')).map(|(name, value)| format!("{name}={value:?}")).collect();
    if pairs.is_empty() { String::new() } else { format!("{{{}}}", pairs.join(",")) }
}

fn open(path: &Path) -> rusqlite::Result<Connection> {
    if sqlite::is_unwritable(path) {
        return sqlite::open_unwritable(path);
    }
    let db = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    db.busy_timeout(BUSY)?;
    Ok(db)
}

fn look(path: &Path) -> rusqlite::Result<(i64, CatalogChecked)> {
    let db = open(path)?;
    let format = db.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let mut ask = db.prepare("PRAGMA integrity_check(100)")?;
    let said = ask.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<Vec<String>>>()?;
    let mut checked = CatalogChecked { bad: said.into_iter().filter(|line| line != "ok").collect(), ..CatalogChecked::default() };
    // Both tables are there since format 2.
    if (2..=FORMAT).contains(&format) {
        checked.sealed = Position(db.query_row("SELECT up_to FROM sealed", [], |row| row.get::<_, i64>(0))?.cast_unsigned());
        if format >= super::SUMMED {
            checked.bad.extend(sums::check(&db)?);
        }
        checked.series = db.query_row("SELECT count(*) FROM series", [], |row| row.get::<_, i64>(0))?.cast_unsigned();
    }
    Ok((format, checked))
}
