//! How the store opens SQLite, and what an error of it means.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior, ffi};

use crate::sqlite;
use crate::store::StoreError;

/// A page holds several chunks of about 4 KiB: little is lost at its end.
pub(super) const PAGE_BYTES: i64 = 32 << 10;
/// For files that stay small: what is lost at the ends of pages is less than their half-empty tables.
pub(super) const SMALL_PAGE_BYTES: i64 = 4 << 10;
/// Pages that one connection keeps: chunks are kept decoded elsewhere.
const CACHE_KIB: i64 = 1024;

/// Pages that one step of shrinking moves at most.
const SHRINK_PAGES: u64 = 128;
/// One page in so many may stay free.
const FREE_SHARE: i64 = 64;

/// The schema of one kind of file.
#[derive(Debug)]
pub(super) struct Schema {
    pub(super) format: i64,
    pub(super) sql: &'static str,
}

/// Makes an empty file for SQLite, readable by its owner alone, and its entry durable.
pub(super) fn create(path: &Path) -> Result<(), StoreError> {
    let made = File::options().create(true).truncate(false).write(true).mode(0o600).open(path);
    let synced = made.and_then(|_file| File::open(path.parent().expect("a file in the store's directory"))?.sync_all());
    synced.map_err(|error| io_error("make", path, &error))
}

/// `page_bytes` is for a file that is empty yet.
pub(super) fn open(path: &Path, schema: &Schema, page_bytes: i64) -> Result<Connection, StoreError> {
    let attempt = || -> rusqlite::Result<(Connection, i64)> {
        // Never made here: a file that was unlinked since stays gone.
        let mut db = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
        // Only the store's thread writes; a reader meets it for a moment at most, when a file is made.
        db.busy_timeout(std::time::Duration::from_secs(5))?;
        // Checkpoints are made when the store chooses, not when a reader lets go.
        db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        let mut found: i64 = db.pragma_query_value(None, "user_version", |row| row.get(0))?;
        if found != schema.format && !(found == 0 && is_empty(&db)?) {
            // Of another program, or damaged: nothing is written.
            return Ok((db, found));
        }
        if found == 0 {
            db.pragma_update(None, "page_size", page_bytes)?;
            // Pages that merges free are given back when the day is over.
            db.pragma_update(None, "auto_vacuum", "incremental")?;
        }
        db.pragma_update(None, "journal_mode", "wal")?;
        db.pragma_update(None, "synchronous", "full")?;
        db.pragma_update(None, "wal_autocheckpoint", 0)?;
        db.pragma_update(None, "cache_size", -CACHE_KIB)?;
        if found == 0 {
            let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
            transaction.execute_batch(schema.sql)?;
            transaction.pragma_update(None, "user_version", schema.format)?;
            transaction.commit()?;
            found = schema.format;
        }
        Ok((db, found))
    };
    attempt().map_err(|error| sql_error("open", path, &error)).and_then(|(db, found)| judge(db, found, path, schema))
}

fn is_empty(db: &Connection) -> rusqlite::Result<bool> {
    db.query_row("SELECT NOT EXISTS (SELECT 1 FROM sqlite_schema)", [], |row| row.get(0))
}

/// Tables that came later are made when something is written to them first.
pub(super) fn has_table(db: &Connection, name: &str) -> rusqlite::Result<bool> {
    let mut ask = db.prepare_cached("SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?1)")?;
    ask.query_row([name], |row| row.get(0))
}

fn judge(db: Connection, found: i64, path: &Path, schema: &Schema) -> Result<Connection, StoreError> {
    if found == schema.format {
        return Ok(db);
    }
    if found > schema.format && found <= FORMATS_MAX {
        return Err(StoreError::Newer { path: path.to_owned(), found, known: schema.format });
    }
    // Bits that are no format are damage, which costs the file alone.
    let reason = format!("cannot open {}: its format {found} is none; expected {}", path.display(), schema.format);
    Err(StoreError::Damaged { reason })
}

/// For who only looks, also where nothing can be written.
pub(super) fn open_to_look(path: &Path, schema: &Schema) -> Result<Connection, StoreError> {
    if !sqlite::is_unwritable(path) {
        return open(path, schema, PAGE_BYTES);
    }
    let opened = open_unwritable(path, schema);
    let (db, found) = opened.map_err(|error| sql_error("open, where nothing can be written,", path, &error))?;
    judge(db, found, path, schema)
}

/// One that was being made when a hub was killed has no tables yet: it holds nothing, which is no damage.
fn open_unwritable(path: &Path, schema: &Schema) -> rusqlite::Result<(Connection, i64)> {
    if fs::metadata(path).is_ok_and(|meta| meta.len() == 0) {
        return without_rows(schema);
    }
    let db = sqlite::open_unwritable(path)?;
    let found = db.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if found == 0 && is_empty(&db)? { without_rows(schema) } else { Ok((db, found)) }
}

fn without_rows(schema: &Schema) -> rusqlite::Result<(Connection, i64)> {
    let db = Connection::open_in_memory()?;
    db.execute_batch(schema.sql)?;
    Ok((db, schema.format))
}

/// For reading a file that nobody writes: what SQLite has for files that others may write is left out. None: it cannot be read so.
pub(super) fn open_still(path: &Path, schema: &Schema) -> Option<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
    let db = Connection::open_with_flags(sqlite::immutable(path), flags).ok()?;
    let found: i64 = db.pragma_query_value(None, "user_version", |row| row.get(0)).ok()?;
    db.pragma_update(None, "cache_size", -CACHE_KIB).ok()?;
    (found == schema.format).then_some(db)
}

/// For reading a file whose WAL holds something, where there is no room for the index of it. None: it cannot be read so.
pub(super) fn open_where_full(path: &Path, schema: &Schema) -> Option<Connection> {
    let (db, found) = open_unwritable(path, schema).ok()?;
    db.pragma_update(None, "cache_size", -CACHE_KIB).ok()?;
    (found == schema.format).then_some(db)
}

/// By the file's header alone, which says its format at this place (SQLite's file format, 1.3). What cannot be read is told when it is
/// opened.
pub(super) fn refuse_newer(path: &Path, schema: &Schema) -> Result<(), StoreError> {
    const AT: u64 = 60;
    let mut bytes = [0; 4];
    let read = File::open(path).and_then(|file| file.read_exact_at(&mut bytes, AT));
    let found = i64::from(u32::from_be_bytes(bytes));
    // Bits that are no format are damage, which costs the file alone.
    if read.is_err() || found <= schema.format || found > FORMATS_MAX {
        return Ok(());
    }
    Err(StoreError::Newer { path: path.to_owned(), found, known: schema.format })
}

/// More formats than there will be.
const FORMATS_MAX: i64 = 1_000;

/// Moves what the WAL holds into the file. A reader in its way is no harm: it is done the next time.
pub(super) fn checkpoint(db: &Connection) -> rusqlite::Result<bool> {
    db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0)).map(|busy| busy == 0)
}

/// The same, but the WAL stays as long as it is, and the next write begins it anew.
pub(super) fn checkpoint_in_place(db: &Connection) -> rusqlite::Result<()> {
    db.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))
}

/// Gives back free pages at the file's end, some of them, and writes about `piece_bytes` for it. False: there are none, or few.
pub(super) fn shrink(db: &Connection, piece_bytes: u64) -> rusqlite::Result<bool> {
    let free = || db.pragma_query_value(None, "freelist_count", |row| row.get::<_, i64>(0));
    let (before, all) = (free()?, db.pragma_query_value(None, "page_count", |row| row.get::<_, i64>(0))?);
    if before * FREE_SHARE < all {
        return Ok(false);
    }
    let page_bytes: i64 = db.pragma_query_value(None, "page_size", |row| row.get(0))?;
    let pages = (piece_bytes / page_bytes.cast_unsigned().max(1)).clamp(1, SHRINK_PAGES);
    let mut step = db.prepare_cached(&format!("PRAGMA incremental_vacuum({pages})"))?;
    let mut rows = step.query([])?;
    while rows.next()?.is_some() {}
    Ok(free()? < before)
}

pub(super) fn io_error(what: &'static str, path: &Path, error: &io::Error) -> StoreError {
    let reason = format!("cannot {what} {}: {error}", path.display());
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StoreError::DiskFull { reason },
        _ => StoreError::Failed { reason },
    }
}

pub(super) fn sql_error(what: &'static str, path: &Path, error: &rusqlite::Error) -> StoreError {
    let reason = format!("cannot {what} {}: {error}", path.display());
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => StoreError::DiskFull { reason },
        _ if sqlite::is_damage(error) => StoreError::Damaged { reason },
        // There is no room for the index of a WAL.
        _ if error.sqlite_error().is_some_and(|error| error.extended_code == ffi::SQLITE_IOERR_SHMSIZE) => StoreError::DiskFull { reason },
        _ => StoreError::Failed { reason },
    }
}
