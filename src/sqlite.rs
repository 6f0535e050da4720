//! SQLite files for who only looks at them, also where nothing can be written: on a card that went read-only, or in a directory of
//! somebody else. There SQLite cannot make the index of a WAL, and opens no file that has, or may have, one.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rusqlite::{Connection, OpenFlags};
use rustix::fs::{Access, access};

/// Whether nothing can be written beside a file.
#[must_use]
pub fn is_unwritable(path: &Path) -> bool {
    path.parent().is_some_and(|dir| access(dir, Access::WRITE_OK).is_err())
}

/// A file in a directory that cannot be written, to be read alone. One whose WAL holds something cannot be read so: it would be as it
/// was before.
pub fn open_unwritable(path: &Path) -> rusqlite::Result<Connection> {
    let mut wal = path.as_os_str().to_owned();
    wal.push("-wal");
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    if fs::metadata(&wal).is_ok_and(|wal| wal.len() > 0) {
        return Connection::open_with_flags(path, flags);
    }
    Connection::open_with_flags(immutable(path), flags | OpenFlags::SQLITE_OPEN_URI)
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

#[cfg(test)]
mod tests {
    use super::*;

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
}
