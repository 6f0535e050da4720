//! `state.sqlite`: what the store must know beside its day files. Written by the store's thread before a seal, read at the start.
//!
//! Its WAL keeps its room and is written from its beginning each time. So on a disk that is full to the last byte it can still be noted
//! up to where days are dropped, which makes room (where the file system writes in place).

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use parking_lot::Mutex;
use rusqlite::{Connection, Transaction, TransactionBehavior, params};

use super::key::{ClassId, FileKey, FileKind};
use super::looked::{self, Looked};
use super::sql::{self, Schema};
use crate::model::{Delete, Position, SeriesId, TimeNs};
use crate::store::{PositionedDelete, StoreError};

pub(super) const FILE_NAME: &str = "state.sqlite";
/// What is kept of a WAL that was larger.
const WAL_BYTES: i64 = 64 << 10;
pub(super) const SCHEMA: Schema = Schema { format: 1, sql: include_str!("state.sql") };

#[derive(Debug)]
pub(super) struct State {
    db: Mutex<Connection>,
    path: PathBuf,
}

/// Up to which time a class was dropped for bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Dropped {
    pub(super) class: ClassId,
    pub(super) kind: FileKind,
    pub(super) until: TimeNs,
}

impl State {
    pub(super) fn open(dir: &Path) -> Result<Self, StoreError> {
        let path = dir.join(FILE_NAME);
        if !path.exists() {
            sql::create(&path)?;
        }
        let db = sql::open(&path, &SCHEMA, sql::SMALL_PAGE_BYTES)?;
        // What a run before left there is in the file then, so that the first write begins anew as well.
        let settled = db.pragma_update(None, "journal_size_limit", WAL_BYTES).and_then(|()| sql::checkpoint_in_place(&db));
        settled.map_err(|error| sql::sql_error("open", &path, &error))?;
        Ok(Self { db: Mutex::new(db), path })
    }

    /// Before a seal: which files it will touch, and the deletes it brings. What was noted for seals up to `sealed` is done with.
    pub(super) fn begin_seal(
        &self,
        up_to: Position,
        files: &BTreeSet<FileKey>,
        deletes: &[PositionedDelete],
        sealed: Position,
    ) -> Result<(), StoreError> {
        self.write("note a seal in", |db| {
            db.execute("DELETE FROM seals WHERE up_to <= ?1", [at(sealed)])?;
            looked::forget(db, files)?;
            let mut note = db.prepare_cached("INSERT OR IGNORE INTO seals (up_to, file) VALUES (?1, ?2)")?;
            for file in files {
                note.execute(params![at(up_to), file.file_name()])?;
            }
            let mut note = db.prepare_cached("INSERT OR IGNORE INTO deletes (position, series, from_ns, to_ns) VALUES (?1, ?2, ?3, ?4)")?;
            for PositionedDelete { position, delete } in deletes {
                note.execute(params![at(*position), delete.series.0, delete.from, delete.to])?;
            }
            Ok(())
        })
    }

    /// The files of seals that may not have ended, when all up to `sealed` have. Deletes of such seals are forgotten.
    pub(super) fn unfinished(&self, sealed: Position) -> Result<Vec<FileKey>, StoreError> {
        self.write("read unfinished seals from", |db| {
            db.execute("DELETE FROM deletes WHERE position > ?1", [at(sealed)])?;
            let mut ask = db.prepare("SELECT DISTINCT file FROM seals WHERE up_to > ?1")?;
            let names = ask.query_map([at(sealed)], |row| row.get::<_, String>(0))?.collect::<rusqlite::Result<Vec<_>>>()?;
            Ok(names.iter().filter_map(|name| FileKey::parse(name)).collect())
        })
    }

    /// The files of `unfinished` are in order again.
    pub(super) fn cleaned(&self) -> Result<(), StoreError> {
        self.write("forget unfinished seals in", |db| db.execute("DELETE FROM seals", []).map(drop))
    }

    pub(super) fn deletes(&self) -> Result<Vec<PositionedDelete>, StoreError> {
        self.read("read deletes from", |db| {
            let mut ask = db.prepare("SELECT position, series, from_ns, to_ns FROM deletes ORDER BY position")?;
            let each = |row: &rusqlite::Row<'_>| {
                let delete = Delete { series: SeriesId(row.get(1)?), from: row.get(2)?, to: row.get(3)? };
                Ok(PositionedDelete { position: position(row.get(0)?), delete })
            };
            ask.query_map([], each)?.collect()
        })
    }

    /// Nothing that it hides is left.
    pub(super) fn forget_deletes(&self, done: &[PositionedDelete]) -> Result<(), StoreError> {
        self.write("forget deletes in", |db| {
            let mut forget =
                db.prepare_cached("DELETE FROM deletes WHERE position = ?1 AND series = ?2 AND from_ns = ?3 AND to_ns = ?4")?;
            for PositionedDelete { position, delete } in done {
                forget.execute(params![at(*position), delete.series.0, delete.from, delete.to])?;
            }
            Ok(())
        })
    }

    /// The class of a rule, given once for each rule text.
    pub(super) fn class(&self, rule: &str) -> Result<ClassId, StoreError> {
        self.write("note a class in", |db| {
            db.execute("INSERT OR IGNORE INTO classes (rule) VALUES (?1)", [rule])?;
            db.query_row("SELECT id FROM classes WHERE rule = ?1", [rule], |row| row.get(0)).map(ClassId)
        })
    }

    pub(super) fn note_dropped(&self, dropped: Dropped) -> Result<(), StoreError> {
        self.write("note what was dropped in", |db| {
            let sql = "INSERT INTO dropped (class, kind, until) VALUES (?1, ?2, ?3) \
                       ON CONFLICT (class, kind) DO UPDATE SET until = max(until, excluded.until)";
            db.execute(sql, params![dropped.class.0, dropped.kind.as_str(), dropped.until]).map(drop)
        })
    }

    pub(super) fn dropped(&self) -> Result<Vec<Dropped>, StoreError> {
        self.read("read what was dropped from", |db| {
            let mut ask = db.prepare("SELECT class, kind, until FROM dropped")?;
            let each = |row: &rusqlite::Row<'_>| {
                let kind: String = row.get(1)?;
                let kind = if kind == FileKind::Raw.as_str() { FileKind::Raw } else { FileKind::Rollup };
                Ok(Dropped { class: ClassId(row.get(0)?), kind, until: row.get(2)? })
            };
            ask.query_map([], each)?.collect()
        })
    }

    pub(super) fn looked(&self) -> Result<Vec<Looked>, StoreError> {
        self.read_table("read what was looked at from", "looked", looked::read).map(Option::unwrap_or_default)
    }

    pub(super) fn forget_looked(&self, file: FileKey) -> Result<(), StoreError> {
        self.write("forget what was looked at in", |db| looked::forget(db, [&file]))
    }

    pub(super) fn note_looked(&self, looked: &[Looked], vanished: &[String]) -> Result<(), StoreError> {
        self.write("note what was looked at in", |db| looked::write(db, looked, vanished))
    }

    pub(super) fn read<T>(&self, what: &'static str, ask: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, StoreError> {
        ask(&self.db.lock()).map_err(|error| sql::sql_error(what, &self.path, &error))
    }

    /// None: a state that was made before has no such table.
    pub(super) fn read_table<T>(
        &self,
        what: &'static str,
        table: &str,
        ask: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<Option<T>, StoreError> {
        self.read(what, |db| if sql::has_table(db, table)? { ask(db).map(Some) } else { Ok(None) })
    }

    pub(super) fn write<T>(
        &self,
        what: &'static str,
        change: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        let mut db = self.db.lock();
        let attempt = db.transaction_with_behavior(TransactionBehavior::Immediate).and_then(|transaction| {
            let done = change(&transaction)?;
            transaction.commit()?;
            Ok(done)
        });
        let done = attempt.map_err(|error| sql::sql_error(what, &self.path, &error))?;
        // Small and rarely written: kept short at once. A reader in its way is done the next time.
        let _later = sql::checkpoint_in_place(&db);
        Ok(done)
    }
}

fn at(position: Position) -> i64 {
    position.0.cast_signed()
}

fn position(at: i64) -> Position {
    Position(at.cast_unsigned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_dropped_is_noted_without_more_room_on_the_disk() {
        let dir = tempfile::tempdir().unwrap();
        let bytes = || ["", "-wal"].map(|end| std::fs::metadata(dir.path().join(format!("{FILE_NAME}{end}"))).unwrap().len());
        let files: BTreeSet<_> = (0..3).map(|day| FileKey { day, kind: FileKind::Raw, class: ClassId(0) }).collect();
        let state = State::open(dir.path()).unwrap();
        state.begin_seal(Position(1), &files, &[], Position(0)).unwrap();
        drop(state);
        // Also by the first write after a start, and by any later one.
        let state = State::open(dir.path()).unwrap();
        let before = bytes();
        for until in 1..20 {
            state.note_dropped(Dropped { class: ClassId(0), kind: FileKind::Raw, until }).unwrap();
            assert_eq!(bytes(), before, "note {until}");
        }
        assert!(before[1] > 8 << 10, "{before:?}");
        drop(state);
        assert_eq!(State::open(dir.path()).unwrap().dropped().unwrap().iter().map(|dropped| dropped.until).collect::<Vec<_>>(), [19]);
    }

    #[test]
    fn a_wal_that_was_large_gives_its_room_back() {
        let dir = tempfile::tempdir().unwrap();
        let state = State::open(dir.path()).unwrap();
        let delete = |i: i64| PositionedDelete { position: Position(1), delete: Delete { series: SeriesId(1), from: i, to: i } };
        state.begin_seal(Position(2), &BTreeSet::new(), &(0..20_000).map(delete).collect::<Vec<_>>(), Position(0)).unwrap();
        let wal_bytes = || std::fs::metadata(dir.path().join(format!("{FILE_NAME}-wal"))).unwrap().len();
        assert!(wal_bytes() > WAL_BYTES.cast_unsigned());
        state.note_dropped(Dropped { class: ClassId(0), kind: FileKind::Raw, until: 1 }).unwrap();
        assert!(wal_bytes() <= WAL_BYTES.cast_unsigned());
    }
}
