//! Copies of SQLite files while others write them, by SQLite's own backup. What it cannot copy for damage goes as it is, with its WAL:
//! what can be read of it can then be read of the copy.

use std::fs::{self, File, Metadata};
use std::io::Read;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags};

use super::manifest::{Manifest, Saved};
use super::{BackupError, FILES, io_error, sqlite_error};
use crate::catalog;
use crate::model::{Position, SeriesId};
use crate::sqlite::is_damage;
use crate::store::embedded;

pub(super) struct Copier<'a> {
    pub(super) to: &'a Path,
    pub(super) number: u64,
    pub(super) before: Option<&'a Manifest>,
    /// What was sealed after it is left out.
    pub(super) position: Position,
    pub(super) copied: usize,
    pub(super) bytes: u64,
}

/// The catalog's copy, and what it says.
#[derive(Debug)]
pub(super) struct CatalogCopy {
    pub(super) saved: Saved,
    pub(super) position: Position,
    pub(super) ids: Vec<SeriesId>,
    pub(super) store_made: i64,
}

/// The store's files, with their sizes. None where the store is another program.
pub(super) fn sources(store: &Path) -> Result<Vec<(String, u64)>, BackupError> {
    let mut names = Vec::new();
    let entries = match fs::read_dir(store) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(names),
        entries => entries.map_err(io_error("list", store))?,
    };
    for entry in entries {
        let entry = entry.map_err(io_error("list", store))?;
        if let Ok(name) = entry.file_name().into_string()
            && (name.ends_with(".sqlite") || embedded::is_set_aside(&name))
        {
            names.push((name, entry.metadata().map_or(0, |meta| meta.len())));
        }
    }
    names.sort();
    Ok(names)
}

/// What no manifest names any more.
pub(super) fn remove_others(dir: &Path, manifest: &Manifest) -> Result<(), BackupError> {
    let files = dir.join(FILES);
    for entry in fs::read_dir(&files).map_err(io_error("list", &files))? {
        let entry = entry.map_err(io_error("list", &files))?;
        if !manifest.files.iter().any(|saved| entry.file_name() == *saved.stored) {
            fs::remove_file(entry.path()).map_err(io_error("remove", &entry.path()))?;
        }
    }
    Ok(())
}

impl Copier<'_> {
    /// Without sessions and login codes. It says up to which position, and which series there are.
    pub(super) fn catalog(&mut self, from: &Path) -> Result<CatalogCopy, BackupError> {
        let (mut position, mut ids, mut store_made) = (Position(0), Vec::new(), 0);
        let saved = self.copy(from, catalog::FILE_NAME, |db| {
            db.execute_batch("PRAGMA secure_delete = on; DELETE FROM sessions; DELETE FROM login_codes")?;
            let up_to: i64 = db.query_row("SELECT up_to FROM sealed", [], |row| row.get(0))?;
            // By metric, as they lie in the files.
            let mut ask = db.prepare("SELECT id FROM series ORDER BY metric, id")?;
            ids = ask.query_map([], |row| row.get(0).map(SeriesId))?.collect::<rusqlite::Result<_>>()?;
            position = Position(up_to.cast_unsigned());
            store_made = catalog::store_made(db)?;
            Ok(String::new())
        })?;
        Ok(CatalogCopy { saved, position, ids, store_made })
    }

    pub(super) fn store_file(&mut self, from: &Path, name: &str) -> Result<Vec<Saved>, BackupError> {
        if embedded::is_set_aside(name) {
            return Ok(vec![self.set_aside(from, name)?]);
        }
        match self.database(from, name) {
            Err(BackupError::Sqlite { source, .. }) if is_damage(&source) => {
                let _reader = reader(from);
                let mut saved = vec![self.as_it_is(from, name)?];
                let (wal, name) = (with_suffix(from, "-wal"), format!("{name}-wal"));
                if fs::metadata(&wal).is_ok_and(|wal| wal.len() > 0) {
                    saved.push(self.as_it_is(&wal, &name)?);
                }
                Ok(saved)
            }
            other => Ok(vec![other?]),
        }
    }

    fn before(&self, stored_as: &str) -> Option<&Saved> {
        self.before.and_then(|before| before.files.iter().find(|saved| saved.name == stored_as))
    }

    fn database(&mut self, from: &Path, name: &str) -> Result<Saved, BackupError> {
        let stored_as = format!("{}/{name}", embedded::DIR_NAME);
        let original = original(from).map_err(io_error("look at", from))?;
        let at = self.position.0.cast_signed();
        if let Some(before) = self.before(&stored_as).filter(|before| !before.rows.is_empty()) {
            let db = open(from).map_err(sqlite_error("open", from))?;
            if before.original == original && original.1 != 0 || told(from, &db, at).map_err(sqlite_error("look at", from))? == before.rows
            {
                return Ok(Saved { original, ..before.clone() });
            }
        }
        let saved = self.copy(from, &stored_as, |db| {
            cut(db, at)?;
            told(from, db, at)
        })?;
        Ok(Saved { original, ..saved })
    }

    /// Or the WAL of one. Nobody writes it any more.
    fn set_aside(&mut self, from: &Path, name: &str) -> Result<Saved, BackupError> {
        let original = fs::metadata(from).map(|meta| stamp(&meta)).map_err(io_error("look at", from))?;
        let before = self.before(&format!("{}/{name}", embedded::DIR_NAME));
        match before.filter(|before| before.original == original && original.1 != 0) {
            Some(before) => Ok(before.clone()),
            None => Ok(Saved { original, ..self.as_it_is(from, name)? }),
        }
    }

    fn as_it_is(&mut self, from: &Path, name: &str) -> Result<Saved, BackupError> {
        let (stored, path) = self.place(name);
        let copied = File::open(from).and_then(|mut from| {
            let mut to = File::options().create_new(true).write(true).mode(0o600).open(&path)?;
            std::io::copy(&mut from, &mut to)
        });
        copied.map_err(io_error("copy to", &path))?;
        let (bytes, crc) = read(&path, true).map_err(io_error("read back", &path))?;
        (self.copied, self.bytes) = (self.copied + 1, self.bytes + bytes);
        let name = format!("{}/{name}", embedded::DIR_NAME);
        Ok(Saved { name, stored, bytes, crc, rows: String::new(), original: (0, 0) })
    }

    /// Where a copy goes, and its path. What a backup left there that was cut off is removed.
    fn place(&self, name: &str) -> (String, PathBuf) {
        let stored = format!("{}.{:06}", name.rsplit('/').next().unwrap_or(name), self.number);
        for end in ["", "-wal", "-shm", "-journal"] {
            drop(fs::remove_file(self.to.join(format!("{stored}{end}"))));
        }
        let path = self.to.join(&stored);
        (stored, path)
    }

    fn copy(
        &mut self,
        from: &Path,
        name: &str,
        change: impl FnOnce(&Connection) -> rusqlite::Result<String>,
    ) -> Result<Saved, BackupError> {
        let (stored, path) = self.place(name);
        File::options().create_new(true).write(true).mode(0o600).open(&path).map_err(io_error("make", &path))?;
        let source = open(from).map_err(sqlite_error("open", from))?;
        let mut target = Connection::open(&path).map_err(sqlite_error("open", &path))?;
        let rows = whole(&source, &mut target).and_then(|()| change(&target)).map_err(sqlite_error("copy to", &path))?;
        // So that it is one file, and none is made beside it when it is looked at.
        target.pragma_update(None, "journal_mode", "delete").map_err(sqlite_error("settle", &path))?;
        target.close().map_err(|(_, error)| sqlite_error("close", &path)(error))?;
        let (bytes, crc) = read(&path, true).map_err(io_error("read back", &path))?;
        (self.copied, self.bytes) = (self.copied + 1, self.bytes + bytes);
        Ok(Saved { name: name.to_owned(), stored, bytes, crc, rows, original: (0, 0) })
    }
}

fn open(path: &Path) -> rusqlite::Result<Connection> {
    let db = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    // The store makes its checkpoints itself.
    db.set_db_config(rusqlite::config::DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    db.busy_timeout(std::time::Duration::from_secs(5))?;
    Ok(db)
}

/// While somebody reads a file its WAL is not begun anew: what a seal moves between them meanwhile is in the copy of one or the other.
/// None: it is too damaged to be read, or to be written.
fn reader(path: &Path) -> Option<Connection> {
    let db = open(path).ok()?;
    db.execute_batch("BEGIN").ok()?;
    db.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(())).ok()?;
    Some(db)
}

fn whole(from: &Connection, to: &mut Connection) -> rusqlite::Result<()> {
    let backup = Backup::new(from, to)?;
    loop {
        match backup.step(-1)? {
            StepResult::Done => return Ok(()),
            _ => std::thread::sleep(std::time::Duration::from_millis(10)),
        }
    }
}

fn tables(db: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut ask = db.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name")?;
    ask.query_map([], |row| row.get(0))?.collect()
}

/// Takes out what was sealed or deleted after a position.
fn cut(db: &Connection, at: i64) -> rusqlite::Result<()> {
    for table in tables(db)? {
        match table.as_str() {
            "chunks" | "blocks" | "rollups" => db.execute(&format!("DELETE FROM {table} WHERE seal > ?1"), [at])?,
            "deletes" => db.execute("DELETE FROM deletes WHERE position > ?1", [at])?,
            "seals" => db.execute("DELETE FROM seals", [])?,
            _ => 0,
        };
    }
    Ok(())
}

/// What a file held up to a position. Empty for the state, which is always copied.
fn told(original: &Path, db: &Connection, at: i64) -> rusqlite::Result<String> {
    let rows = rows(db, at)?;
    if rows.is_empty() {
        return Ok(rows);
    }
    // One that went with all its rows and was made anew counts them from one again. Where the file system does not know when a file was
    // made, rows that came later have a later seal all the same.
    let made = fs::metadata(original).and_then(|meta| meta.created()).ok();
    let made = made.and_then(|made| made.duration_since(UNIX_EPOCH).ok()).map_or(0, |made| made.as_nanos());
    Ok(format!("{rows}made {made}"))
}

/// The rows up to a position, told by their number, greatest id and last seal: ids of a file are not used again, so rows that came or
/// went show.
fn rows(db: &Connection, at: i64) -> rusqlite::Result<String> {
    let mut told = String::new();
    for table in tables(db)?.iter().filter(|table| ["chunks", "blocks", "rollups"].contains(&table.as_str())) {
        let sql =
            format!("SELECT count(*) || ' to ' || coalesce(max(id), 0) || ' of ' || coalesce(max(seal), 0) FROM {table} WHERE seal <= ?1");
        let found: String = db.query_row(&sql, [at], |row| row.get(0))?;
        told = format!("{told}{table} {found}; ");
    }
    Ok(told)
}

/// Size and time of change, if the file holds all there is of it.
fn original(path: &Path) -> std::io::Result<(u64, u64)> {
    if fs::metadata(with_suffix(path, "-wal")).is_ok_and(|wal| wal.len() > 0) {
        return Ok((0, 0));
    }
    fs::metadata(path).map(|meta| stamp(&meta))
}

fn stamp(meta: &Metadata) -> (u64, u64) {
    let changed = meta.mtime().cast_unsigned().wrapping_mul(1_000_000_000).wrapping_add(meta.mtime_nsec().cast_unsigned());
    (meta.len(), changed)
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Length and crc32c.
pub(in crate::tools) fn read(path: &Path, sync: bool) -> std::io::Result<(u64, u32)> {
    let mut file = File::open(path)?;
    if sync {
        file.sync_all()?;
    }
    let (mut buffer, mut bytes, mut crc) = (vec![0; 1 << 20], 0, 0);
    loop {
        let n = file.read(&mut buffer)?;
        if n == 0 {
            return Ok((bytes, crc));
        }
        bytes += n as u64;
        crc = crc32c::crc32c_append(crc, &buffer[..n]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_of_a_file_and_its_wal_is_whole_though_one_is_moved_into_the_other_between() {
        let dir = tempfile::tempdir().unwrap();
        let (path, copy) = (dir.path().join("day"), dir.path().join("copy"));
        File::create(&path).unwrap();
        let db = open(&path).unwrap();
        db.execute_batch("PRAGMA journal_mode = wal; PRAGMA wal_autocheckpoint = 0; CREATE TABLE t (x); INSERT INTO t VALUES (1)").unwrap();
        let held = reader(&path).unwrap();
        fs::copy(&path, &copy).unwrap();
        db.execute_batch("INSERT INTO t VALUES (2); PRAGMA wal_checkpoint(PASSIVE); INSERT INTO t VALUES (3)").unwrap();
        fs::copy(with_suffix(&path, "-wal"), with_suffix(&copy, "-wal")).unwrap();
        drop(held);
        let found: String = open(&copy).unwrap().query_row("SELECT group_concat(x) FROM t", [], |row| row.get(0)).unwrap();
        assert_eq!(found, "1,2,3");
    }

    #[test]
    fn a_file_that_went_and_was_made_anew_is_another_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("day");
        let made = |seal: i64| {
            drop(fs::remove_file(&path));
            File::create(&path).unwrap();
            let db = open(&path).unwrap();
            db.execute_batch("CREATE TABLE chunks (id INTEGER PRIMARY KEY, seal INTEGER)").unwrap();
            db.execute("INSERT INTO chunks (seal) VALUES (?1)", [seal]).unwrap();
            told(&path, &db, 99).unwrap()
        };
        let first = made(3);
        assert_ne!(made(4), first, "its rows came later");
        if fs::metadata(&path).unwrap().created().is_ok() {
            assert_ne!(made(3), first, "and when they are the old ones, it was made later");
        }
    }
}
