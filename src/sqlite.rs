//! SQLite files for who only looks at them, also where nothing can be written: on a card that went read-only, or in a directory of
//! somebody else. There SQLite cannot make the index of a WAL, and opens no file that has, or may have, one. And which of its errors
//! mean that a file is damaged.

use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, Error, ErrorCode, OpenFlags};
use rustix::fs::{Access, access};

/// Whether nothing can be written beside a file.
#[must_use]
pub fn is_unwritable(path: &Path) -> bool {
    path.parent().is_some_and(|dir| access(dir, Access::WRITE_OK).is_err())
}

/// A file in a directory that cannot be written, with what its WAL holds: as a hub that was killed leaves it, or a card that went
/// read-only under one. Nothing is made beside it, and nothing is locked: it is for who knows that nobody writes it.
pub fn open_unwritable(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    if is_empty(&beside(path, "-wal")) {
        return Connection::open_with_flags(immutable(path), flags | OpenFlags::SQLITE_OPEN_URI);
    }
    // With the lock of one who is alone SQLite keeps the index of the WAL in memory; a file that is only read cannot be locked so. An index
    // that a kill left beside it may not be what it takes for one.
    let db = Connection::open_with_flags_and_vfs(path, flags, "unix-none")?;
    db.pragma_update(None, "locking_mode", "exclusive")?;
    Ok(db)
}

/// Surely so: one of which nobody can tell may hold something.
fn is_empty(path: &Path) -> bool {
    match fs::metadata(path) {
        Ok(meta) => meta.len() == 0,
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    }
}

fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    name.into()
}

/// The address of a file that nobody writes meanwhile, so that it is read without WAL and locks. What would mean something in a URI is told by its number.
#[must_use]
pub fn immutable(path: &Path) -> String {
    let mut uri = "file:".to_owned();
    for byte in path.as_os_str().as_bytes() {
        if byte.is_ascii_alphanumeric() || b"/.-_~".contains(byte) {
            uri.push(char::from(*byte));
        } else {
            uri.push_str(&format!("%{byte:02X}"));
        }
    }
    uri + "?immutable=1"
}

/// What was written is not what is read: SQLite says so, or a row has a value that nobody wrote there.
#[must_use]
pub fn is_damage(error: &Error) -> bool {
    match error {
        Error::IntegralValueOutOfRange(..) | Error::FromSqlConversionFailure(..) | Error::InvalidColumnType(..) | Error::Utf8Error(..) => {
            true
        }
        _ => matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_nobody_wrote_are_damage_and_what_a_program_got_wrong_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.sqlite");
        fs::write(&path, [7; 4096]).unwrap();
        let of_file = Connection::open(&path).unwrap().query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()));
        assert!(is_damage(&of_file.unwrap_err()));
        let db = Connection::open_in_memory().unwrap();
        let read = |sql: &str| {
            [db.query_row(sql, [], |row| row.get::<_, u8>(0).map(drop)), db.query_row(sql, [], |row| row.get::<_, String>(0).map(drop))]
        };
        for (sql, [as_number, as_text]) in [
            ("SELECT 300", [true, true]),
            ("SELECT 'a'", [true, false]),
            ("SELECT CAST(x'ff' AS TEXT)", [true, true]),
            ("SELECT x'ff'", [true, true]),
            ("SELECT 1 WHERE false", [false, false]),
            ("SELECT x FROM t", [false, false]),
        ] {
            assert_eq!(read(sql).map(|read| read.is_err_and(|error| is_damage(&error))), [as_number, as_text], "{sql}");
        }
    }

    #[test]
    fn any_name_is_opened_as_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a ?b#c%20d.sqlite");
        Connection::open(&path).unwrap().execute_batch("PRAGMA journal_mode = wal; CREATE TABLE t (x); INSERT INTO t VALUES (7)").unwrap();
        let db = open_unwritable(&path).unwrap();
        assert_eq!(db.query_row("SELECT x FROM t", [], |row| row.get::<_, i64>(0)).unwrap(), 7);
        assert!(db.execute("INSERT INTO t VALUES (8)", []).is_err());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "nothing is made beside it");
    }

    #[test]
    fn what_is_in_the_wal_alone_is_read_with_its_index_and_without() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.sqlite");
        let db = Connection::open(&path).unwrap();
        db.set_db_config(rusqlite::config::DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).unwrap();
        db.execute_batch("PRAGMA journal_mode = wal; CREATE TABLE t (x); PRAGMA wal_checkpoint(TRUNCATE); INSERT INTO t VALUES (7)")
            .unwrap();
        drop(db);
        for index in [true, false] {
            if !index {
                fs::remove_file(beside(&path, "-shm")).unwrap();
            }
            let before = ["", "-wal"].map(|end| fs::read(beside(&path, end)).unwrap());
            let db = open_unwritable(&path).unwrap();
            assert_eq!(db.query_row("SELECT x FROM t", [], |row| row.get::<_, i64>(0)).unwrap(), 7);
            assert!(db.execute("INSERT INTO t VALUES (8)", []).is_err());
            drop(db);
            assert_eq!(["", "-wal"].map(|end| fs::read(beside(&path, end)).unwrap()), before);
            assert_eq!(beside(&path, "-shm").exists(), index);
        }
    }
}
