//! One SQLite file: a day of one class. Rows in, rows out; what is in a body is not its matter.
//!
//! Invariants: only the store's thread writes. A reader's rows come from one transaction, so a merge beside it is seen whole or not
//! at all. An unlinked file is read to the end by whoever has it open.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::Mutex;
use rusqlite::{CachedStatement, Connection, OptionalExtension, Row, Transaction, TransactionBehavior, params};
use rustc_hash::{FxHashMap, FxHashSet};

use super::extent::Stretch;
use super::files::with_suffix;
use super::key::{FileKey, FileKind};
use super::news::News;
use super::sql::{self, Schema};
use crate::model::{Position, SeriesId, TimeNs, TimeRange};
use crate::store::StoreError;

pub(super) static RAW: Schema = Schema { format: 1, sql: include_str!("raw.sql") };

pub(super) static ROLLUP: Schema = Schema { format: 1, sql: include_str!("rollup.sql") };

#[derive(Debug)]
pub(super) struct DayFile {
    pub(super) key: FileKey,
    pub(super) path: PathBuf,
    /// Told from a file of the same name that was there before.
    pub(super) number: u64,
    idle: Mutex<Vec<Connection>>,
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

/// A chunk or block without its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) id: i64,
    pub(super) seal: Position,
    pub(super) first: TimeNs,
    pub(super) last: TimeNs,
    pub(super) count: u32,
    pub(super) form: Form,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// A series' own chunk; the row of its time column, if others share it.
    Own {
        series: SeriesId,
        times: Option<i64>,
    },
    Many {
        metric: u32,
        lo: SeriesId,
        hi: SeriesId,
    },
}

impl Entry {
    /// Of a block, the least.
    pub(super) fn series(&self) -> SeriesId {
        match self.form {
            Form::Own { series, .. } | Form::Many { lo: series, .. } => series,
        }
    }

    /// Whether a series lies between the ends of it.
    pub(super) fn holds(&self, series: SeriesId) -> bool {
        match self.form {
            Form::Own { series: own, .. } => own == series,
            Form::Many { lo, hi, .. } => lo <= series && series <= hi,
        }
    }

    fn own(row: &Row<'_>) -> rusqlite::Result<Self> {
        let form = Form::Own { series: SeriesId(row.get(5)?), times: row.get(6)? };
        Self::with(row, form)
    }

    fn many(row: &Row<'_>) -> rusqlite::Result<Self> {
        let form = Form::Many { metric: row.get(5)?, lo: SeriesId(row.get(6)?), hi: SeriesId(row.get(7)?) };
        Self::with(row, form)
    }

    fn with(row: &Row<'_>, form: Form) -> rusqlite::Result<Self> {
        let seal: i64 = row.get(1)?;
        Ok(Self { id: row.get(0)?, seal: Position(seal.cast_unsigned()), first: row.get(2)?, last: row.get(3)?, count: row.get(4)?, form })
    }
}

/// The greatest numbers of raw rows that a file of rollups names.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Marks {
    pub(super) own: i64,
    pub(super) many: i64,
}

/// What stands of a series in own chunks: the greatest row number and seal.
#[derive(Clone, Copy, Debug)]
pub(super) struct OwnMark {
    pub(super) series: SeriesId,
    pub(super) id: i64,
    pub(super) seal: Position,
}

/// A row of rollups that may hold a series.
#[derive(Debug)]
pub(super) struct RollupRow {
    pub(super) id: i64,
    pub(super) level: i64,
    pub(super) is_own: bool,
    pub(super) mark: i64,
    pub(super) numbers: bool,
    pub(super) body: Vec<u8>,
}

/// The same without its body, for who may have decoded it before.
#[derive(Clone, Copy, Debug)]
pub(super) struct RollupHead {
    pub(super) id: i64,
    pub(super) level: i64,
    pub(super) is_own: bool,
    pub(super) mark: i64,
    pub(super) lo: SeriesId,
    pub(super) hi: SeriesId,
    pub(super) seal: Position,
}

/// A row of rollups without what it holds.
#[derive(Clone, Copy, Debug)]
pub(super) struct RollupSpan {
    pub(super) id: i64,
    pub(super) is_own: bool,
    pub(super) mark: i64,
    pub(super) lo: SeriesId,
    pub(super) hi: SeriesId,
    pub(super) seal: Position,
}

const OWN: &str = "SELECT id, seal, first, last, count, series, times FROM chunks";
const MANY: &str = "SELECT id, seal, first, last, count, metric, lo, hi FROM blocks";

/// A new row.
#[derive(Debug)]
pub(super) struct NewRow {
    pub(super) seal: Position,
    pub(super) first: TimeNs,
    pub(super) last: TimeNs,
    pub(super) count: u32,
    pub(super) form: Form,
    pub(super) body: Vec<u8>,
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
    }

    /// Whether its WAL holds what is not in the file yet.
    pub(super) fn is_written(&self) -> bool {
        self.written.load(Ordering::Acquire)
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
        let sums = self.read("count points of", |db| db.sums())?;
        *self.sums.lock() = Some(sums);
        Ok(sums)
    }

    pub(super) fn touch(&self, at: u64) {
        self.used.store(at, Ordering::Relaxed);
    }

    pub(super) fn has_idle(&self) -> bool {
        !self.idle.lock().is_empty()
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
        let attempt = db.transaction_with_behavior(TransactionBehavior::Immediate).and_then(|transaction| {
            let done = change(&transaction)?;
            transaction.commit()?;
            Ok(done)
        });
        // A commit that failed may be there all the same.
        self.version.fetch_add(1, Ordering::SeqCst);
        let done = attempt.map_err(|error| sql::sql_error(what, &self.path, &error))?;
        *self.sums.lock() = None;
        self.noted.store(false, Ordering::Release);
        self.written.store(true, Ordering::Release);
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

    /// Moves the WAL into the file. False: somebody reads it just now.
    pub(super) fn checkpoint(&self) -> Result<bool, StoreError> {
        let db = self.connection()?;
        let done = sql::checkpoint(&db).map_err(|error| sql::sql_error("checkpoint", &self.path, &error))?;
        self.written.fetch_and(!done, Ordering::AcqRel);
        self.idle.lock().push(db);
        Ok(done)
    }
}

/// What can be asked within one read transaction.
#[derive(Debug)]
pub(super) struct Reading<'a> {
    db: &'a Connection,
}

impl Reading<'_> {
    fn prepare(&self, sql: &str) -> rusqlite::Result<CachedStatement<'_>> {
        self.db.prepare_cached(sql)
    }

    /// A series' own chunks that meet the range, sealed up to `seal`, by first time; at most `limit`.
    pub(super) fn own(&self, series: SeriesId, range: TimeRange, seal: Position, limit: u32) -> rusqlite::Result<Vec<Entry>> {
        // A chunk lies within one window: none that begins earlier than that can meet the range.
        let least = range.from.saturating_sub(super::key::WINDOW_NS);
        let mut ask = self.prepare(&format!(
            "{OWN} WHERE series = ?1 AND first >= ?2 AND first < ?3 AND last >= ?4 AND seal <= ?5 ORDER BY first LIMIT ?6"
        ))?;
        let found = ask.query_map(params![series.0, least, range.to, range.from, seal.0.cast_signed(), limit], Entry::own)?;
        found.collect()
    }

    /// Row numbers and first times of `own`, out of the index alone.
    pub(super) fn own_places(&self, series: SeriesId, range: TimeRange) -> rusqlite::Result<Vec<(i64, TimeNs)>> {
        let least = range.from.saturating_sub(super::key::WINDOW_NS);
        let sql = "SELECT id, first FROM chunks INDEXED BY chunks_series WHERE series = ?1 AND first >= ?2 AND first < ?3 ORDER BY first";
        self.prepare(sql)?.query_map(params![series.0, least, range.to], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
    }

    /// Row numbers and least series of blocks that may hold a series, out of the index alone.
    pub(super) fn many_places(&self, metric: u32, series: SeriesId) -> rusqlite::Result<Vec<(i64, SeriesId)>> {
        let sql = "SELECT id, lo FROM blocks INDEXED BY blocks_metric WHERE metric = ?1 AND lo <= ?2";
        self.prepare(sql)?.query_map(params![metric, series.0], |row| Ok((row.get(0)?, SeriesId(row.get(1)?))))?.collect()
    }

    pub(super) fn own_entry(&self, id: i64) -> rusqlite::Result<Option<Entry>> {
        self.prepare(&format!("{OWN} WHERE id = ?1"))?.query_row([id], Entry::own).optional()
    }

    pub(super) fn many_entry(&self, id: i64) -> rusqlite::Result<Option<Entry>> {
        self.prepare(&format!("{MANY} WHERE id = ?1"))?.query_row([id], Entry::many).optional()
    }

    /// The blocks in which a series of this metric may have points in the range.
    pub(super) fn many(&self, metric: u32, series: SeriesId, range: TimeRange, seal: Position) -> rusqlite::Result<Vec<Entry>> {
        let sql = format!("{MANY} WHERE metric = ?1 AND lo <= ?2 AND hi >= ?2 AND first < ?3 AND last >= ?4 AND seal <= ?5");
        let mut ask = self.prepare(&sql)?;
        let found = ask.query_map(params![metric, series.0, range.to, range.from, seal.0.cast_signed()], Entry::many)?;
        found.collect()
    }

    /// Every own chunk sealed up to `seal`, by series and first time, from a series on; at most `limit`.
    pub(super) fn all_own(&self, from: SeriesId, seal: Position, limit: u32) -> rusqlite::Result<Vec<Entry>> {
        let mut ask = self.prepare(&format!("{OWN} WHERE series >= ?1 AND seal <= ?2 ORDER BY series, first LIMIT ?3"))?;
        ask.query_map(params![from.0, seal.0.cast_signed(), limit], Entry::own)?.collect()
    }

    /// Every block sealed up to `seal`, by metric and least series.
    pub(super) fn all_many(&self, seal: Position) -> rusqlite::Result<Vec<Entry>> {
        let mut ask = self.prepare(&format!("{MANY} WHERE seal <= ?1 ORDER BY metric, lo, id"))?;
        ask.query_map([seal.0.cast_signed()], Entry::many)?.collect()
    }

    /// The series between these that have own chunks, sealed up to `seal`.
    pub(super) fn series_with_own(&self, lo: SeriesId, hi: SeriesId, seal: Position) -> rusqlite::Result<FxHashSet<SeriesId>> {
        let mut ask = self.prepare("SELECT DISTINCT series FROM chunks WHERE series BETWEEN ?1 AND ?2 AND seal <= ?3")?;
        ask.query_map(params![lo.0, hi.0, seal.0.cast_signed()], |row| row.get(0).map(SeriesId))?.collect()
    }

    /// A series' own chunks sealed up to `seal`, without their bodies.
    pub(super) fn stretches(&self, series: SeriesId, seal: Position) -> rusqlite::Result<Vec<Stretch>> {
        let mut ask = self.prepare("SELECT seal, first, last, count, length(body) FROM chunks WHERE series = ?1 AND seal <= ?2")?;
        let each = |row: &Row<'_>| {
            let (seal, points, bytes): (i64, i64, i64) = (row.get(0)?, row.get(3)?, row.get(4)?);
            let (seal, points, bytes) = (Position(seal.cast_unsigned()), points.cast_unsigned(), bytes.cast_unsigned());
            Ok(Stretch { seal, first: row.get(1)?, last: row.get(2)?, points, bytes })
        };
        ask.query_map(params![series.0, seal.0.cast_signed()], each)?.collect()
    }

    pub(super) fn has_own(&self, series: SeriesId) -> rusqlite::Result<bool> {
        self.prepare("SELECT EXISTS (SELECT 1 FROM chunks WHERE series = ?1)")?.query_row([series.0], |row| row.get(0))
    }

    pub(super) fn body(&self, entry: &Entry) -> rusqlite::Result<Vec<u8>> {
        let sql = match entry.form {
            Form::Own { .. } => "SELECT body FROM chunks WHERE id = ?1",
            Form::Many { .. } => "SELECT body FROM blocks WHERE id = ?1",
        };
        self.prepare(sql)?.query_row([entry.id], |row| row.get(0))
    }

    pub(super) fn times(&self, id: i64) -> rusqlite::Result<Vec<u8>> {
        self.prepare("SELECT body FROM times WHERE id = ?1")?.query_row([id], |row| row.get(0))
    }

    /// The series that have own chunks, from one on; at most `limit`.
    pub(super) fn own_marks(&self, from: SeriesId, seal: Position, limit: u32) -> rusqlite::Result<Vec<OwnMark>> {
        let sql =
            "SELECT series, max(id), max(seal) FROM chunks WHERE series >= ?1 AND seal <= ?2 GROUP BY series ORDER BY series LIMIT ?3";
        let mark = |row: &Row<'_>| {
            let seal: i64 = row.get(2)?;
            Ok(OwnMark { series: SeriesId(row.get(0)?), id: row.get(1)?, seal: Position(seal.cast_unsigned()) })
        };
        self.prepare(sql)?.query_map(params![from.0, seal.0.cast_signed(), limit], mark)?.collect()
    }

    /// In a file of rollups: the series between these that have rows of their own, with what those were made of.
    pub(super) fn rollup_marks(&self, lo: SeriesId, hi: SeriesId) -> rusqlite::Result<FxHashMap<SeriesId, i64>> {
        let mut ask = self.prepare("SELECT lo, max(mark) FROM rollups WHERE own = 1 AND lo BETWEEN ?1 AND ?2 GROUP BY lo")?;
        ask.query_map([lo.0, hi.0], |row| Ok((SeriesId(row.get(0)?), row.get(1)?)))?.collect()
    }

    pub(super) fn greatest_marks(&self) -> rusqlite::Result<Marks> {
        let mut ask = self.prepare("SELECT coalesce(max(mark), 0) FROM rollups WHERE own = ?1")?;
        Ok(Marks { own: ask.query_row([true], |row| row.get(0))?, many: ask.query_row([false], |row| row.get(0))? })
    }

    /// Whether it gave numbers to rows.
    fn has_numbers(&self) -> rusqlite::Result<bool> {
        self.prepare("SELECT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name IN ('chunks', 'blocks'))")?.query_row([], |row| row.get(0))
    }

    /// In a raw file: whether the row that a rollup names is there.
    pub(super) fn has_row(&self, is_own: bool, mark: i64) -> rusqlite::Result<bool> {
        let sql = if is_own {
            "SELECT EXISTS (SELECT 1 FROM chunks WHERE id = ?1)"
        } else {
            "SELECT EXISTS (SELECT 1 FROM blocks WHERE id = ?1)"
        };
        self.prepare(sql)?.query_row([mark], |row| row.get(0))
    }

    /// The blocks that rows were made of.
    pub(super) fn rollup_blocks(&self) -> rusqlite::Result<FxHashSet<i64>> {
        self.prepare("SELECT DISTINCT mark FROM rollups WHERE own = 0")?.query_map([], |row| row.get(0))?.collect()
    }

    /// The blocks of which only some rows are there.
    pub(super) fn unfinished_rollups(&self) -> rusqlite::Result<FxHashSet<i64>> {
        // A file that was made before there were such has no table for them.
        let sql = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'unfinished')";
        if !self.prepare(sql)?.query_row([], |row| row.get(0))? {
            return Ok(FxHashSet::default());
        }
        self.prepare("SELECT mark FROM unfinished")?.query_map([], |row| row.get(0))?.collect()
    }

    pub(super) fn rollup_spans(&self, metric: u32) -> rusqlite::Result<Vec<RollupSpan>> {
        let each = |row: &Row<'_>| {
            let (lo, hi, seal) = (SeriesId(row.get(3)?), SeriesId(row.get(4)?), row.get::<_, i64>(5)?);
            Ok(RollupSpan { id: row.get(0)?, is_own: row.get(1)?, mark: row.get(2)?, lo, hi, seal: Position(seal.cast_unsigned()) })
        };
        self.prepare("SELECT id, own, mark, lo, hi, seal FROM rollups WHERE metric = ?1")?.query_map([metric], each)?.collect()
    }

    pub(super) fn rollups(&self, metric: u32, series: SeriesId, seal: Position) -> rusqlite::Result<Vec<RollupRow>> {
        let sql = "SELECT id, level, own, mark, numbers, body FROM rollups WHERE metric = ?1 AND lo <= ?2 AND hi >= ?2 AND seal <= ?3";
        let each = |row: &Row<'_>| {
            let (id, level, is_own, mark) = (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
            Ok(RollupRow { id, level, is_own, mark, numbers: row.get(4)?, body: row.get(5)? })
        };
        self.prepare(sql)?.query_map(params![metric, series.0, seal.0.cast_signed()], each)?.collect()
    }

    /// Every row that may hold a series.
    pub(super) fn rollup_heads(&self, metric: u32, series: SeriesId) -> rusqlite::Result<Vec<RollupHead>> {
        let sql = "SELECT id, level, own, mark, lo, hi, seal FROM rollups WHERE metric = ?1 AND lo <= ?2 AND hi >= ?2";
        let each = |row: &Row<'_>| {
            let (id, level, is_own, mark) = (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
            let (lo, hi, seal) = (SeriesId(row.get(4)?), SeriesId(row.get(5)?), row.get::<_, i64>(6)?);
            Ok(RollupHead { id, level, is_own, mark, lo, hi, seal: Position(seal.cast_unsigned()) })
        };
        self.prepare(sql)?.query_map(params![metric, series.0], each)?.collect()
    }

    /// A row's level, whether it has numbers, and its body. None: it is not there any more.
    pub(super) fn rollup_body(&self, id: i64) -> rusqlite::Result<Option<(i64, bool, Vec<u8>)>> {
        let mut ask = self.prepare("SELECT level, numbers, body FROM rollups WHERE id = ?1")?;
        ask.query_row([id], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).optional()
    }

    /// Whether all these rows are there.
    pub(super) fn has_rollups(&self, ids: impl IntoIterator<Item = i64>) -> rusqlite::Result<bool> {
        let mut ask = self.prepare("SELECT EXISTS (SELECT 1 FROM rollups WHERE id = ?1)")?;
        ids.into_iter().try_fold(true, |all, id| Ok(all && ask.query_row([id], |row| row.get(0))?))
    }

    /// Points and bytes of bodies.
    pub(super) fn sums(&self) -> rusqlite::Result<(u64, u64)> {
        let sql = "SELECT (SELECT coalesce(sum(count), 0) FROM chunks) + (SELECT coalesce(sum(count), 0) FROM blocks), \
                   (SELECT coalesce(sum(length(body)), 0) FROM chunks) + (SELECT coalesce(sum(length(body)), 0) FROM blocks)";
        self.prepare(sql)?.query_row([], |row| Ok((row.get::<_, i64>(0)?.cast_unsigned(), row.get::<_, i64>(1)?.cast_unsigned())))
    }

    /// The time behind the oldest rows that take so many bytes together. None: there are no rows.
    pub(super) fn end_of_oldest(&self, bytes: u64) -> rusqlite::Result<Option<TimeNs>> {
        let sql = "SELECT last, length(body) FROM chunks UNION ALL SELECT last, length(body) FROM blocks ORDER BY last";
        let mut ask = self.prepare(sql)?;
        let mut rows = ask.query([])?;
        let (mut end, mut sum) = (None, 0_u64);
        while sum < bytes
            && let Some(row) = rows.next()?
        {
            end = Some(row.get::<_, TimeNs>(0)?.saturating_add(1));
            sum += row.get::<_, i64>(1)?.cast_unsigned();
        }
        Ok(end)
    }

    /// Merges looked at everything that was sealed up to here.
    pub(super) fn merged_up_to(&self) -> rusqlite::Result<Position> {
        self.prepare("SELECT up_to FROM merged")?.query_row([], |row| row.get(0)).map(|up_to: i64| Position(up_to.cast_unsigned()))
    }

    /// Whether something was sealed since the last merge, up to `seal`.
    pub(super) fn is_dirty(&self, seal: Position) -> rusqlite::Result<bool> {
        let since = "seal > ?1 AND seal <= ?2";
        let sql = format!("SELECT EXISTS (SELECT 1 FROM chunks WHERE {since}) OR EXISTS (SELECT 1 FROM blocks WHERE {since})");
        let (merged, seal) = (self.merged_up_to()?.0.cast_signed(), seal.0.cast_signed());
        self.prepare(&sql)?.query_row([merged, seal], |row| row.get(0))
    }
}

pub(super) fn set_merged(db: &Transaction<'_>, up_to: Position) -> rusqlite::Result<()> {
    db.execute("UPDATE merged SET up_to = ?1", [up_to.0.cast_signed()]).map(drop)
}

/// What was sealed from here on is to be looked at again.
pub(super) fn set_dirty(db: &Transaction<'_>, seal: Position) -> rusqlite::Result<()> {
    db.execute("UPDATE merged SET up_to = min(up_to, ?1)", [seal.0.saturating_sub(1).cast_signed()]).map(drop)
}

pub(super) fn insert(db: &Transaction<'_>, row: &NewRow, form: Form) -> rusqlite::Result<()> {
    let seal = row.seal.0.cast_signed();
    match form {
        Form::Own { series, times } => {
            let sql = "INSERT INTO chunks (series, seal, first, last, count, times, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
            db.prepare_cached(sql)?.execute(params![series.0, seal, row.first, row.last, row.count, times, row.body])?;
        }
        Form::Many { metric, lo, hi } => {
            let sql = "INSERT INTO blocks (metric, lo, hi, seal, first, last, count, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
            db.prepare_cached(sql)?.execute(params![metric, lo.0, hi.0, seal, row.first, row.last, row.count, row.body])?;
        }
    }
    Ok(())
}

pub(super) fn insert_times(db: &Transaction<'_>, body: &[u8]) -> rusqlite::Result<i64> {
    db.prepare_cached("INSERT INTO times (body) VALUES (?1)")?.execute([body])?;
    Ok(db.last_insert_rowid())
}

pub(super) fn remove(db: &Transaction<'_>, entry: &Entry) -> rusqlite::Result<()> {
    let sql = match entry.form {
        Form::Own { .. } => "DELETE FROM chunks WHERE id = ?1",
        Form::Many { .. } => "DELETE FROM blocks WHERE id = ?1",
    };
    db.prepare_cached(sql)?.execute([entry.id]).map(drop)
}

/// More rows of a block will come, in other transactions.
pub(super) fn begin_rollups(db: &Transaction<'_>, mark: i64) -> rusqlite::Result<()> {
    db.execute("CREATE TABLE IF NOT EXISTS unfinished (mark INTEGER PRIMARY KEY)", [])?;
    db.execute("INSERT OR IGNORE INTO unfinished (mark) VALUES (?1)", [mark]).map(drop)
}

/// All of them are there.
pub(super) fn finish_rollups(db: &Transaction<'_>, mark: i64) -> rusqlite::Result<()> {
    db.execute("DELETE FROM unfinished WHERE mark = ?1", [mark]).map(drop)
}

/// Those of a block that were written when it was cut off.
pub(super) fn remove_unfinished_rollups(db: &Transaction<'_>, mark: i64) -> rusqlite::Result<()> {
    db.execute("DELETE FROM rollups WHERE own = 0 AND mark = ?1", [mark])?;
    finish_rollups(db, mark)
}

/// A row like another, but for its number, its series and its body, and for its mark if there is another.
pub(super) fn insert_rollup_like(
    db: &Transaction<'_>,
    id: i64,
    mark: Option<i64>,
    (lo, hi): (SeriesId, SeriesId),
    body: &[u8],
) -> rusqlite::Result<()> {
    let sql = "INSERT INTO rollups (level, metric, lo, hi, own, mark, seal, numbers, body) \
               SELECT level, metric, ?2, ?3, own, coalesce(?4, mark), seal, numbers, ?5 FROM rollups WHERE id = ?1";
    db.prepare_cached(sql)?.execute(params![id, lo.0, hi.0, mark, body]).map(drop)
}

pub(super) fn remove_rollups(db: &Transaction<'_>, ids: impl IntoIterator<Item = i64>) -> rusqlite::Result<()> {
    let mut remove = db.prepare_cached("DELETE FROM rollups WHERE id = ?1")?;
    ids.into_iter().try_for_each(|id| remove.execute([id]).map(drop))
}

/// Rows that end before `until`.
pub(super) fn remove_until(db: &Transaction<'_>, until: TimeNs) -> rusqlite::Result<()> {
    db.execute("DELETE FROM chunks WHERE last < ?1", [until])?;
    db.execute("DELETE FROM blocks WHERE last < ?1", [until])?;
    remove_unused_times(db)
}

/// Time columns that no chunk names any more.
pub(super) fn remove_unused_times(db: &Transaction<'_>) -> rusqlite::Result<()> {
    db.execute("DELETE FROM times WHERE id NOT IN (SELECT times FROM chunks WHERE times IS NOT NULL)", []).map(drop)
}

/// What a seal left that did not end: the log has it all.
pub(super) fn remove_after(db: &Transaction<'_>, sealed: Position) -> rusqlite::Result<usize> {
    let chunks = db.execute("DELETE FROM chunks WHERE seal > ?1", [sealed.0.cast_signed()])?;
    let blocks = db.execute("DELETE FROM blocks WHERE seal > ?1", [sealed.0.cast_signed()])?;
    Ok(chunks + blocks)
}
