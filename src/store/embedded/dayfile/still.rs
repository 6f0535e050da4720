//! A file in which nothing is being written is opened for less: without its WAL, shared memory and locks, which take more than a small
//! question does (on a Xeon 500 us of CPU against 200). A question over a year opens hundreds of files.
//!
//! Invariant: what was read so counts only if nothing was written from before it began until after it ended, and the WAL held nothing all
//! the while: a write changes the version before it begins, and the file itself changes only when its WAL is moved into it. And the file
//! was not gone at the end: it is before another can stand at its path.

use parking_lot::Mutex;
use rusqlite::Connection;

use super::{DayFile, Reading};
use crate::store::StoreError;
use crate::store::embedded::sql;

/// Connections that are not in use, each good for one version of the file.
#[derive(Debug, Default)]
pub(super) struct Still(Mutex<Vec<(u64, Connection)>>);

impl Still {
    pub(super) fn is_empty(&self) -> bool {
        self.0.lock().is_empty()
    }

    pub(super) fn close(&self) {
        self.0.lock().clear();
    }

    fn take(&self, version: u64) -> Option<Connection> {
        let mut all = self.0.lock();
        all.retain(|(of, _)| *of == version);
        all.pop().map(|(_, db)| db)
    }
}

impl DayFile {
    /// As `read`; what is asked may be asked twice.
    pub(in crate::store::embedded) fn look<T>(
        &self,
        what: &'static str,
        ask: impl Fn(&Reading<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        match self.look_still(&ask) {
            Some(answer) => Ok(answer),
            None => self.read(what, &ask).or_else(|error| match error {
                StoreError::DiskFull { .. } => self.look_where_full(ask).ok_or(error),
                error => Err(error),
            }),
        }
    }

    /// With no room for the index of its WAL, as behind a kill on a full disk, the index is in memory. Nobody is told to wait for such a
    /// reader: what it read counts if nothing was written meanwhile. A WAL that was moved into the file meanwhile is one that ends early,
    /// which fails.
    fn look_where_full<T>(&self, ask: impl Fn(&Reading<'_>) -> rusqlite::Result<T>) -> Option<T> {
        let version = self.version();
        let is_still = || version.is_multiple_of(2) && self.version() == version && !self.is_gone();
        let db = sql::open_where_full(&self.path, self.schema())?;
        let answer = db.unchecked_transaction().and_then(|transaction| ask(&Reading { db: &transaction })).ok()?;
        is_still().then_some(answer)
    }

    /// None: it has to be read as a file that changes, and that tells what is wrong with it.
    fn look_still<T>(&self, ask: impl Fn(&Reading<'_>) -> rusqlite::Result<T>) -> Option<T> {
        let version = self.version();
        let is_still = || version.is_multiple_of(2) && self.version() == version && !self.is_written() && !self.is_gone();
        if !is_still() || self.has_usual() {
            return None;
        }
        let db = self.still.take(version).or_else(|| sql::open_still(&self.path, self.schema()))?;
        let answer = db.unchecked_transaction().and_then(|transaction| ask(&Reading { db: &transaction })).ok()?;
        if !is_still() {
            return None;
        }
        self.still.0.lock().push((version, db));
        Some(answer)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

    use super::*;
    use crate::model::Position;
    use crate::store::embedded::files::with_suffix;
    use crate::store::embedded::key::{ClassId, FileKey, FileKind};

    const KEY: FileKey = FileKey { day: 20_000, kind: FileKind::Raw, class: ClassId(0) };

    fn made(dir: &Path) -> DayFile {
        let file = DayFile::made(dir, KEY, 1);
        sql::create(&file.path).unwrap();
        file.prepare(true).unwrap();
        file
    }

    fn set(file: &DayFile, to: u64) {
        file.write("change", |db| db.execute("UPDATE merged SET up_to = ?1", [to.cast_signed()]).map(drop)).unwrap();
    }

    fn seen(file: &DayFile) -> u64 {
        file.look("ask", |db| db.merged_up_to()).map(|Position(at)| at).unwrap()
    }

    #[test]
    fn a_file_at_rest_is_read_without_its_wal_and_locks() {
        let dir = tempfile::tempdir().unwrap();
        let names = ["plain", "a b%2f?c#d&\u{e9}='"].map(|name| dir.path().join(name));
        for dir in names {
            std::fs::create_dir(&dir).unwrap();
            let file = made(&dir);
            set(&file, 7);
            assert_eq!(seen(&file), 7, "out of the WAL");
            assert!(file.checkpoint().unwrap());
            file.close_idle();
            for suffix in ["-wal", "-shm"] {
                drop(std::fs::remove_file(with_suffix(&file.path, suffix)));
            }
            assert_eq!((seen(&file), seen(&file)), (7, 7));
            assert!(file.has_idle() && !file.has_usual());
            assert!(!with_suffix(&file.path, "-shm").exists(), "nothing was made for it");
            set(&file, 8);
            assert_eq!(seen(&file), 8);
            assert!(file.checkpoint().unwrap());
            file.close_idle();
            assert_eq!(seen(&file), 8);
            assert!(file.has_idle() && !file.has_usual());
        }
    }

    #[test]
    fn a_change_that_fails_leaves_it_at_rest() {
        let dir = tempfile::tempdir().unwrap();
        let file = made(dir.path());
        set(&file, 7);
        assert!(file.checkpoint().unwrap());
        assert!(file.write("change", |db| db.execute("UPDATE nothing SET up_to = 8", []).map(drop)).is_err());
        file.close_idle();
        assert_eq!((seen(&file), file.has_usual()), (7, false));
    }

    #[test]
    fn who_reads_beside_writes_sees_no_less_than_was_there_when_it_began() {
        let dir = tempfile::tempdir().unwrap();
        let (file, done, over) = (Arc::new(made(dir.path())), AtomicU64::new(0), AtomicBool::new(false));
        set(&file, 0);
        let still = AtomicU64::new(0);
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    while !over.load(Ordering::SeqCst) {
                        let before = done.load(Ordering::SeqCst);
                        let found = seen(&file);
                        assert!((before..=done.load(Ordering::SeqCst) + 1).contains(&found), "{found} after {before}");
                        still.fetch_add(u64::from(!file.still.is_empty()), Ordering::SeqCst);
                        file.close_idle();
                    }
                });
            }
            for to in 1..300 {
                set(&file, to);
                done.store(to, Ordering::SeqCst);
                if to % 3 == 0 {
                    let _readers_may_be_in_its_way = file.checkpoint().unwrap();
                }
            }
            over.store(true, Ordering::SeqCst);
        });
        assert_eq!(seen(&file), 299);
        assert!(still.load(Ordering::SeqCst) > 0, "some of it was read as at rest");
    }
}
