//! What people decide and the hub must not forget: tokens, sessions, login codes, devices' names and attributes, settings.
//! One SQLite file, `DATA/catalog.sqlite`. The commands `telltale token ...` write it from another process while the hub runs.
//!
//! Invariants: an id is given once and never reused; a secret is here only as its SHA-256; every change is on disk when its
//! call returns (`synchronous = FULL`). All calls block: from async code they go through `web::block`.
//! Beside it what a seal leaves, so that a start reads only the log after it (`sealed`). Readings are not here; they belong to
//! the log and the store.

mod agents;
pub mod check;
pub mod devices;
mod last;
pub mod sealed;
#[cfg(test)]
mod sealed_tests;
mod series_rows;
mod sums;
pub mod tokens;

use std::fs::File;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use parking_lot::Mutex;
use rusqlite::{Connection, ErrorCode, OptionalExtension, Transaction, TransactionBehavior};

use crate::model::{Position, TimeNs};

/// The format this build writes and reads.
const FORMAT: i64 = 4;
/// Format 1. A new catalog takes the same steps as an old one, so that both end up alike.
const SCHEMA: &str = include_str!("schema.sql");
/// The steps to format 2 and on.
const UPGRADES: [&str; 3] = [include_str!("upgrade_2.sql"), include_str!("upgrade_3.sql"), include_str!("upgrade_4.sql")];
/// From this format on rows have checksums.
const SUMMED: i64 = 4;
/// How long a change waits for another process's change to end. Each is one short transaction.
const BUSY: Duration = Duration::from_secs(5);
/// Of 4 KiB, after which the WAL is moved into the file.
const WAL_PAGES: i64 = 64;
/// A WAL that was longer is cut to this.
const WAL_BYTES: i64 = 512 << 10;

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
    /// Another process, or another part of this one, holds it longer than it is waited for. Nothing was changed; it may be tried again.
    #[error("{}: cannot {what} the catalog: somebody else has been changing it for {} s", path.display(), BUSY.as_secs())]
    Held { path: PathBuf, what: &'static str },
    #[error("{}: cannot be opened: {source}", path.display())]
    Io {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("{}: no thread can be started that looks for revoked tokens: {source}", path.display())]
    Unwatched {
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
        // By default it grows to 4 MiB, which is much of a small `[store] max_bytes`, and stays as long as it ever was.
        connection.pragma_update(None, "wal_autocheckpoint", WAL_PAGES).map_err(failed("open"))?;
        connection.pragma_update(None, "journal_size_limit", WAL_BYTES).map_err(failed("open"))?;
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

    /// A migration made the store anew: backups of the one before are not gone on with.
    pub fn note_store_made(&self, at: TimeNs) -> Result<(), CatalogError> {
        let sql = "INSERT OR REPLACE INTO settings (name, value) VALUES ('store_made', ?1)";
        self.write("note a new store in", |db| db.execute(sql, [at.to_string()]).map(drop))
    }

    /// Up to which commit a backup had everything that this was restored from; None: it was not.
    pub fn restored(&self) -> Result<Option<Position>, CatalogError> {
        self.read("look for a restore in", |db| {
            let sql = "SELECT CAST(value AS INTEGER) FROM settings WHERE name = 'restored'";
            let up_to: Option<i64> = db.query_row(sql, [], |row| row.get(0)).optional()?;
            Ok(up_to.map(|up_to| Position(up_to.cast_unsigned())))
        })
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

/// Tokens let nobody in any more, and stay by name.
pub(crate) fn end_tokens(db: &Connection, at: TimeNs) -> rusqlite::Result<()> {
    db.execute_batch("PRAGMA secure_delete = on")?;
    db.execute("UPDATE tokens SET hash = randomblob(32), revoked = coalesce(revoked, ?1)", [at])?;
    if db.pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0))? >= SUMMED {
        sums::put_all(db, sums::TOKENS)
    } else {
        Ok(())
    }
}

/// In a catalog that comes from a backup which has everything up to here.
pub(crate) fn note_restored(db: &Connection, up_to: Position) -> rusqlite::Result<()> {
    let sql = "INSERT OR REPLACE INTO settings (name, value) VALUES ('restored', ?1)";
    db.execute(sql, [up_to.0.cast_signed().to_string()]).map(drop)
}

/// When a migration made the store; 0: none did.
pub(crate) fn store_made(db: &Connection) -> rusqlite::Result<TimeNs> {
    let sql = "SELECT CAST(value AS INTEGER) FROM settings WHERE name = 'store_made'";
    Ok(db.query_row(sql, [], |row| row.get(0)).optional()?.unwrap_or_default())
}

fn failed(path: &Path, what: &'static str, source: rusqlite::Error) -> CatalogError {
    let path = path.to_owned();
    match source.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => CatalogError::DiskFull { path, reason: format!("cannot {what} the catalog: {source}") },
        Some(ErrorCode::DatabaseBusy) => CatalogError::Held { path, what },
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
            if step == SUMMED {
                sums::put_everywhere(&transaction)?;
            }
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
    use std::sync::Arc;

    use super::devices::Devices;
    use super::sealed_tests::Restored;
    use super::*;
    use crate::auth::secret::Hash;

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

    /// As a hub of format 1 wrote it: two tokens and a revoked one, a session of each kind, a login code, a device.
    const GOLDEN_1: &str = include_str!("golden_1.sql");

    #[test]
    fn a_catalog_of_format_1_is_upgraded_and_keeps_what_it_has() {
        let dir = tempfile::tempdir().unwrap();
        Connection::open(dir.path().join(FILE_NAME)).unwrap().execute_batch(GOLDEN_1).unwrap();
        let catalog = Arc::new(Catalog::open(dir.path()).unwrap());
        assert_eq!(catalog.hub_id().unwrap(), "de363011a3893cb1");
        let tokens = catalog.tokens().unwrap();
        let names = tokens.iter().map(|token| (token.id.0, token.spec.name.as_str())).collect::<Vec<_>>();
        assert_eq!(names, [(1, "gateway hall 1"), (2, "Zähler")]);
        assert_eq!(catalog.token(Hash::of("tt_golden_viewer")).unwrap().as_ref(), Some(&tokens[1]));
        assert_eq!(catalog.token(Hash::of("tt_golden_gone")).unwrap(), None, "revoked");
        let session = catalog.session(Hash::of("tts_golden_typed"), 0).unwrap().unwrap();
        assert_eq!((session.client.as_str(), session.token.as_ref()), ("Firefox", Some(&tokens[1])));
        assert!(catalog.redeem_login_code(Hash::of("ttl_golden_open"), Hash::of("tts_golden_new"), "b", 1).unwrap().is_some());
        let devices = Devices::load(Arc::clone(&catalog)).unwrap();
        let pump = devices.description("pump-1").unwrap();
        assert_eq!((pump.name.as_deref(), pump.note.as_deref(), pump.version), (Some("Pump one"), Some("it's loud"), 2));
        assert_eq!(pump.attributes, [("floor", "zweiter ☃"), ("site", "hall 1")].map(|(n, v)| (n.to_owned(), v.to_owned())).into());
        assert_eq!(catalog.create_token(&tokens[0].spec, Hash::of("tt_golden_next"), 9).unwrap().0, 4, "no id is used again");
        assert_eq!(catalog.sealed().unwrap(), Restored::default());
    }

    #[test]
    fn an_upgraded_catalog_is_like_a_new_one_and_is_left_alone_from_then_on() {
        let look = |dir: &Path| -> (i64, i64, Vec<(String, String)>) {
            let db = Connection::open(dir.join(FILE_NAME)).unwrap();
            let number = |name| db.pragma_query_value(None, name, |row| row.get(0)).unwrap();
            let sql = "SELECT name, sql FROM sqlite_schema WHERE sql NOT NULL AND name NOT LIKE 'sqlite_%' ORDER BY name";
            let tables = db.prepare(sql).unwrap().query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().collect::<Result<_, _>>();
            (number("user_version"), number("schema_version"), tables.unwrap())
        };
        let (old, new) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        Connection::open(old.path().join(FILE_NAME)).unwrap().execute_batch(GOLDEN_1).unwrap();
        for dir in [&old, &new] {
            drop(Catalog::open(dir.path()).unwrap());
        }
        let upgraded = look(old.path());
        assert_eq!((upgraded.0, &upgraded.2), (FORMAT, &look(new.path()).2));
        let bytes = std::fs::read(old.path().join(FILE_NAME)).unwrap();
        drop(Catalog::open(old.path()).unwrap());
        assert_eq!((look(old.path()), std::fs::read(old.path().join(FILE_NAME)).unwrap()), (upgraded, bytes));
    }

    #[test]
    fn a_catalog_of_format_2_keeps_the_sequences_of_its_agents() {
        let dir = tempfile::tempdir().unwrap();
        let db = Connection::open(dir.path().join(FILE_NAME)).unwrap();
        db.execute_batch(GOLDEN_1).unwrap();
        db.execute_batch(UPGRADES[0]).unwrap();
        db.execute_batch("INSERT INTO agents VALUES ('gw', 5, 41); PRAGMA user_version = 2").unwrap();
        drop(db);
        let (catalog, mut found) = (Catalog::open(dir.path()).unwrap(), Vec::new());
        catalog.read("look at", |db| agents::read(db, |agent, used| found.push((agent.agent, agent.boot, agent.seq, used)))).unwrap();
        assert_eq!(found, [("gw".into(), 5, 41, Position(0))]);
    }

    #[test]
    fn an_upgrade_that_fails_leaves_format_1() {
        let dir = tempfile::tempdir().unwrap();
        let db = Connection::open(dir.path().join(FILE_NAME)).unwrap();
        db.execute_batch(GOLDEN_1).unwrap();
        // The upgrade's last table cannot be made.
        db.execute_batch("CREATE TABLE agents (x)").unwrap();
        Catalog::open(dir.path()).unwrap_err();
        let left: i64 =
            db.query_row("SELECT count(*) FROM sqlite_schema WHERE name IN ('sealed', 'series', 'last')", [], |row| row.get(0)).unwrap();
        assert_eq!((left, db.pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0)).unwrap()), (0, 1));
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
