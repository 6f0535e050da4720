//! What people decide and the hub must not forget: tokens, sessions, login codes, devices' names and attributes, settings.
//! One SQLite file, `DATA/catalog.sqlite`. The commands `telltale token ...` write it from another process while the hub runs.
//!
//! Invariants: an id is given once and never reused; a secret is here only as its SHA-256; every change is on disk when its
//! call returns (`synchronous = FULL`). All calls block: from async code they go through `web::block`.
//! Beside it what a seal leaves, so that a start reads only the log after it (`sealed`). Readings are not here; they belong to
//! the log and the store.

pub mod devices;
mod last;
pub mod sealed;
mod series_rows;
pub mod tokens;

use std::fs::File;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use parking_lot::Mutex;
use rusqlite::{Connection, ErrorCode, OptionalExtension, Transaction, TransactionBehavior};

/// The format this build writes and reads.
const FORMAT: i64 = 2;
/// Format 1. A new catalog takes the same steps as an old one, so that both end up alike.
const SCHEMA: &str = include_str!("schema.sql");
/// The steps to format 2 and on.
const UPGRADES: [&str; 1] = [include_str!("upgrade_2.sql")];
/// How long a change waits for another process's change to end. Each is one short transaction.
const BUSY: Duration = Duration::from_secs(5);

pub const FILE_NAME: &str = "catalog.sqlite";

#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    #[error("{}: cannot {what} the catalog: {source}", path.display())]
    Sqlite {
        path: PathBuf,
        what: &'static str,
        #[source]
        source: rusqlite::Error,
    },
    /// Nothing was changed; it may be tried again when there is room.
    #[error("{}: the disk has no room for it: {reason}", path.display())]
    DiskFull { path: PathBuf, reason: String },
    #[error("{}: cannot be opened: {source}", path.display())]
    Io {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    /// The hub ends with 78.
    #[error("{}: the catalog has format {found}, this build knows formats up to {known}: use a newer telltale", path.display())]
    Newer { path: PathBuf, found: i64, known: i64 },
    #[error("{}: not a catalog of telltale", path.display())]
    Foreign { path: PathBuf },
    #[error("{}: {what}", path.display())]
    Damaged { path: PathBuf, what: String },
    #[error("no random bytes from the system: {0}")]
    Random(#[from] getrandom::Error),
}

#[derive(Debug)]
pub struct Catalog {
    connection: Mutex<Connection>,
    path: PathBuf,
}

impl Catalog {
    /// Opens `dir/catalog.sqlite`, made if it is not there. The directory must exist.
    pub fn open(dir: &Path) -> Result<Self, CatalogError> {
        let path = dir.join(FILE_NAME);
        let failed = |what| {
            let path = path.clone();
            move |source| failed(&path, what, source)
        };
        private(&path)?;
        let mut connection = Connection::open(&path).map_err(failed("open"))?;
        connection.busy_timeout(BUSY).map_err(failed("open"))?;
        connection.pragma_update(None, "journal_mode", "wal").map_err(failed("open"))?;
        connection.pragma_update(None, "synchronous", "full").map_err(failed("open"))?;
        connection.pragma_update(None, "foreign_keys", "on").map_err(failed("open"))?;
        let found = connection.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(failed("read"))?;
        match found {
            0..FORMAT => bring_up(&mut connection, &path)?,
            FORMAT => {}
            newer => return Err(CatalogError::Newer { path, found: newer, known: FORMAT }),
        }
        Ok(Self { connection: Mutex::new(connection), path })
    }

    /// A second connection to the same file. `PRAGMA data_version` of one connection tells of changes by all others.
    pub fn reopen(&self) -> Result<Self, CatalogError> {
        Self::open(self.path.parent().expect("the path was made by joining a directory"))
    }

    /// A number that changes when any other connection, in this process or another, changed the catalog.
    pub fn data_version(&self) -> Result<i64, CatalogError> {
        self.read("look at", |db| db.pragma_query_value(None, "data_version", |row| row.get(0)))
    }

    /// Random, made with the catalog; part of the cookie's name, so that two hubs on one host do not share one.
    pub fn hub_id(&self) -> Result<String, CatalogError> {
        self.read("read the hub's id from", |db| db.query_row("SELECT value FROM settings WHERE name = 'hub_id'", [], |row| row.get(0)))
    }

    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn read<T>(&self, what: &'static str, ask: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, CatalogError> {
        ask(&self.connection.lock()).map_err(|source| failed(&self.path, what, source))
    }

    /// One short transaction, which takes the write lock at its start so that it cannot fail half way for being late.
    fn write<T>(&self, what: &'static str, change: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>) -> Result<T, CatalogError> {
        let mut connection = self.connection.lock();
        let attempt = || {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let done = change(&transaction)?;
            transaction.commit()?;
            Ok(done)
        };
        attempt().map_err(|source| failed(&self.path, what, source))
    }
}

fn failed(path: &Path, what: &'static str, source: rusqlite::Error) -> CatalogError {
    let path = path.to_owned();
    match source.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => CatalogError::DiskFull { path, reason: format!("cannot {what} the catalog: {source}") },
        _ => CatalogError::Sqlite { path, what, source },
    }
}

/// Whatever the directory's mode is, only the owner reads the catalog; SQLite gives its WAL the mode of the file.
fn private(path: &Path) -> Result<(), CatalogError> {
    let made = File::options().create(true).truncate(false).write(true).mode(0o600).open(path);
    made.map(drop).map_err(|source| CatalogError::Io { path: path.to_owned(), source })
}

/// Makes the tables, or changes those of an older build to this build's format: all in one transaction, unless another process
/// just did.
fn bring_up(connection: &mut Connection, path: &Path) -> Result<(), CatalogError> {
    let mut id = [0; 8];
    getrandom::fill(&mut id)?;
    let hub_id = format!("{:016x}", u64::from_be_bytes(id));
    match step_up(connection, &hub_id) {
        Ok(FORMAT) => Ok(()),
        Ok(0) => Err(CatalogError::Foreign { path: path.to_owned() }),
        Ok(newer) => Err(CatalogError::Newer { path: path.to_owned(), found: newer, known: FORMAT }),
        Err(source) => Err(failed(path, "make", source)),
    }
}

/// Gives the format that the file has afterwards; 0 is another program's file.
fn step_up(connection: &mut Connection, hub_id: &str) -> rusqlite::Result<i64> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Asked again: only now nobody else can change it.
    let mut format: i64 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if format == 0 {
        let foreign: Option<String> = transaction.query_row("SELECT name FROM sqlite_schema LIMIT 1", [], |row| row.get(0)).optional()?;
        if foreign.is_some() {
            return Ok(0);
        }
        transaction.execute_batch(SCHEMA)?;
        transaction.execute("INSERT INTO settings (name, value) VALUES ('hub_id', ?1)", [hub_id])?;
        format = 1;
    }
    for (step, sql) in (2..).zip(UPGRADES) {
        if format < step {
            transaction.execute_batch(sql)?;
            format = step;
        }
    }
    transaction.pragma_update(None, "user_version", format)?;
    transaction.commit()?;
    Ok(format)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn it_is_made_once_and_keeps_its_id() {
        let dir = tempfile::tempdir().unwrap();
        let id = Catalog::open(dir.path()).unwrap().hub_id().unwrap();
        assert_eq!(id.len(), 16);
        assert_eq!(Catalog::open(dir.path()).unwrap().hub_id().unwrap(), id);
        let mode = std::fs::metadata(dir.path().join(FILE_NAME)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_newer_format_is_refused_and_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        Catalog::open(dir.path()).unwrap().connection.lock().pragma_update(None, "user_version", 7).unwrap();
        let error = Catalog::open(dir.path()).unwrap_err();
        assert!(matches!(error, CatalogError::Newer { found: 7, known: FORMAT, .. }), "{error}");
    }

    #[test]
    fn another_programs_file_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        Connection::open(dir.path().join(FILE_NAME)).unwrap().execute_batch("CREATE TABLE theirs (x)").unwrap();
        assert!(matches!(Catalog::open(dir.path()).unwrap_err(), CatalogError::Foreign { .. }));
    }

    #[test]
    fn a_change_by_another_connection_is_seen() {
        let dir = tempfile::tempdir().unwrap();
        let hub = Catalog::open(dir.path()).unwrap();
        let watch = hub.reopen().unwrap();
        let before = watch.data_version().unwrap();
        assert_eq!(watch.data_version().unwrap(), before);
        hub.write("change", |db| db.execute("INSERT INTO settings VALUES ('a', 'b')", [])).unwrap();
        assert_ne!(watch.data_version().unwrap(), before);
    }
}
