//! One SQLite file: a day of one class. Rows in, rows out; what is in a body is not its matter.
//!
//! Invariants: only the store's thread writes. A reader's rows come from one transaction, so a merge beside it is seen whole or not
//! at all. An unlinked file is read to the end by whoever has it open.

mod change;
mod reading;
mod still;
mod walk;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::Mutex;
use rusqlite::{Connection, Transaction, TransactionBehavior, params};

use super::files::with_suffix;
use super::key::{FileKey, FileKind};
use super::news::News;
use super::sql::{self, Schema};
use crate::store::StoreError;

pub(super) static RAW: Schema = Schema { format: 1, sql: include_str!("raw.sql") };

pub(super) static ROLLUP: Schema = Schema { format: 1, sql: include_str!("rollup.sql") };

pub(super) use change::{
    NewRow, begin_rollups, finish_rollups, insert, insert_rollup_like, insert_times, remove, remove_after, remove_rollups,
    remove_unfinished_rollups, remove_until, remove_unused_times, set_dirty, set_merged,
};
pub(super) use reading::{Entry, Form, Marks, OwnMark, Reading, RollupHead, RollupSpan};
use still::Still;
pub(super) use walk::Walked;

#[derive(Debug)]
pub(super) struct DayFile {
    pub(super) key: FileKey,
    pub(super) path: PathBuf,
    /// Told from a file of the same name that was there before.
    pub(super) number: u64,
    idle: Mutex<Vec<Connection>>,
    still: Still,
    /// By the clock of `Files`: who was used longest ago lets go of its connections first.
    pub(super) used: AtomicU64,
    written: AtomicBool,
    /// Odd while something is written. Who reads between two equal even ones read what stands until the next.
    version: AtomicU64,
    news: News,
    /// The state knows that nothing is new in it.
    noted: AtomicBool,
    /// Its rows have other numbers than those that rollups name as gone.
    numbered: AtomicBool,
    gone: AtomicBool,
    /// Points and bytes of bodies, until something is written.
    sums: Mutex<Option<(u64, u64)>>,
}

impl DayFile {
    pub(super) fn new(dir: &Path, key: FileKey, number: u64) -> Self {
        Self::at(dir.join(key.file_name()), key, number)
    }

    pub(super) fn at(path: PathBuf, key: FileKey, number: u64) -> Self {
        let mut file = Self {
            key,
            path,
            number,
            idle: Mutex::default(),
            still: Still::default(),
            used: AtomicU64::new(0),
            written: AtomicBool::new(false),
            version: AtomicU64::new(0),
            news: News::default(),
            noted: AtomicBool::new(false),
            numbered: AtomicBool::new(false),
            gone: AtomicBool::new(false),
            sums: Mutex::default(),
        };
        // Left by a run before.
        file.written = AtomicBool::new(file.wal_bytes() > 0);
        file
    }

    /// A file that is about to be made.
    pub(super) fn made(dir: &Path, key: FileKey, number: u64) -> Self {
        Self { news: News::of_new(), ..Self::new(dir, key, number) }
    }

    /// It is as it was when it was looked at by a run before.
    pub(super) fn remember(&self, sums: (u64, u64)) {
        self.news.remember();
        *self.sums.lock() = Some(sums);
        self.set_noted();
    }

    pub(super) fn set_noted(&self) {
        self.noted.store(true, Ordering::Release);
    }

    pub(super) fn is_noted(&self) -> bool {
        self.noted.load(Ordering::Acquire)
    }

    /// As it lies in the directory.
    pub(super) fn name(&self) -> String {
        self.path.file_name().map_or_else(|| self.key.file_name(), |name| name.to_string_lossy().into_owned())
    }

    pub(super) fn refuse_newer(&self) -> Result<(), StoreError> {
        sql::refuse_newer(&self.path, self.schema())
    }

    fn schema(&self) -> &'static Schema {
        match self.key.kind {
            FileKind::Raw => &RAW,
            FileKind::Rollup => &ROLLUP,
        }
    }

    /// Nothing is new in it, which is not noted yet.
    pub(super) fn is_settled(&self) -> bool {
        !self.noted.load(Ordering::Acquire) && !self.is_written() && self.news.are_none()
    }

    pub(super) fn news(&self) -> &News {
        &self.news
    }

    fn connection(&self) -> Result<Connection, StoreError> {
        self.connection_with(sql::PAGE_BYTES)
    }

    fn connection_with(&self, page_bytes: i64) -> Result<Connection, StoreError> {
        let idle = self.idle.lock().pop();
        idle.map_or_else(|| sql::open(&self.path, self.schema(), page_bytes), Ok)
    }

    /// Lets go of its connections.
    pub(super) fn close_idle(&self) {
        self.idle.lock().clear();
        self.still.close();
    }

    fn has_usual(&self) -> bool {
        !self.idle.lock().is_empty()
    }

    /// Whether its WAL holds what is not in the file yet.
    pub(super) fn is_written(&self) -> bool {
        self.written.load(Ordering::SeqCst)
    }

    pub(super) fn version(&self) -> u64 {
        self.version.load(Ordering::SeqCst)
    }

    pub(super) fn wal_bytes(&self) -> u64 {
        std::fs::metadata(with_suffix(&self.path, "-wal")).map_or(0, |meta| meta.len())
    }

    /// Nobody finds it any more: what fails from now on is no error.
    pub(super) fn set_gone(&self) {
        self.gone.store(true, Ordering::Release);
    }

    pub(super) fn is_gone(&self) -> bool {
        self.gone.load(Ordering::Acquire)
    }

    /// Points and bytes of bodies.
    pub(super) fn sums(&self) -> Result<(u64, u64), StoreError> {
        if let Some(known) = *self.sums.lock() {
            return Ok(known);
        }
        let version = self.version();
        let sums = self.read("count points of", |db| db.sums())?;
        let mut known = self.sums.lock();
        if version.is_multiple_of(2) && self.version() == version {
            *known = Some(sums);
        }
        Ok(sums)
    }

    pub(super) fn touch(&self, at: u64) {
        self.used.store(at, Ordering::Relaxed);
    }

    pub(super) fn has_idle(&self) -> bool {
        self.has_usual() || !self.still.is_empty()
    }

    /// One short read transaction.
    pub(super) fn read<T>(&self, what: &'static str, ask: impl FnOnce(&Reading<'_>) -> rusqlite::Result<T>) -> Result<T, StoreError> {
        let mut db = self.connection()?;
        let answer = db.transaction().and_then(|transaction| ask(&Reading { db: &transaction }));
        let answer = answer.map_err(|error| sql::sql_error(what, &self.path, &error))?;
        self.idle.lock().push(db);
        Ok(answer)
    }

    /// One transaction, on disk when this returns.
    pub(super) fn write<T>(
        &self,
        what: &'static str,
        change: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        let mut db = self.connection()?;
        self.version.fetch_add(1, Ordering::SeqCst);
        let was_written = self.written.swap(true, Ordering::SeqCst);
        let attempt = db.transaction_with_behavior(TransactionBehavior::Immediate).and_then(|transaction| {
            let done = change(&transaction)?;
            transaction.commit()?;
            Ok(done)
        });
        // A commit that failed may be there all the same.
        if attempt.is_err() && !was_written && self.wal_bytes() == 0 {
            self.written.store(false, Ordering::SeqCst);
        }
        self.version.fetch_add(1, Ordering::SeqCst);
        let done = attempt.map_err(|error| sql::sql_error(what, &self.path, &error))?;
        *self.sums.lock() = None;
        self.noted.store(false, Ordering::Release);
        self.idle.lock().push(db);
        Ok(done)
    }

    /// Makes its tables, if they are not there.
    pub(super) fn prepare(&self, is_small: bool) -> Result<(), StoreError> {
        let db = self.connection_with(if is_small { sql::SMALL_PAGE_BYTES } else { sql::PAGE_BYTES })?;
        self.idle.lock().push(db);
        Ok(())
    }

    /// Before rows are written: they begin behind these numbers, if there were none yet. A crash before this leaves no rows, so it is
    /// done then.
    pub(super) fn number_behind(&self, marks: impl FnOnce() -> Result<Marks, StoreError>) -> Result<(), StoreError> {
        if self.numbered.load(Ordering::Relaxed) {
            return Ok(());
        }
        if !self.read("look for numbers in", |db| db.has_numbers())? {
            let Marks { own, many } = marks()?;
            if own > 0 || many > 0 {
                self.write("number rows of", |db| {
                    let mut begin = db.prepare_cached("INSERT INTO sqlite_sequence (name, seq) VALUES (?1, ?2)")?;
                    begin.execute(params!["chunks", own])?;
                    begin.execute(params!["blocks", many]).map(drop)
                })?;
            }
        }
        self.numbered.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// Moves what no reader needs of the WAL into the file, and the next write begins it anew, as long as it is.
    pub(super) fn checkpoint_in_place(&self) -> Result<(), StoreError> {
        let db = self.connection()?;
        sql::checkpoint_in_place(&db).map_err(|error| sql::sql_error("checkpoint", &self.path, &error))?;
        self.idle.lock().push(db);
        Ok(())
    }

    /// Moves the WAL into the file. False: somebody reads it just now.
    pub(super) fn checkpoint(&self) -> Result<bool, StoreError> {
        let db = self.connection()?;
        let done = sql::checkpoint(&db).map_err(|error| sql::sql_error("checkpoint", &self.path, &error))?;
        self.written.fetch_and(!done, Ordering::SeqCst);
        self.idle.lock().push(db);
        Ok(done)
    }
}
