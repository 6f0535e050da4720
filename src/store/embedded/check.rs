//! Reads every row of every file of a store and says what is bad. It opens the files itself, so that it can run beside a hub or
//! without one; nothing is changed.
//!
//! Invariant: rows come in short transactions. A merge or an expiry beside it takes rows away and brings others, which is no damage.

use std::fs;
use std::path::Path;

use rusqlite::{Connection, OptionalExtension, Row};
use rustc_hash::FxHashMap;

use super::chunk;
use super::damage::Damage;
use super::dayfile::{RAW, ROLLUP};
use super::files::key_of;
use super::key::{FileKey, FileKind};
use super::rollup::{self, Rolled};
use super::{sql, state};
use crate::block::Block;
use crate::model::{SeriesId, TimeNs};
use crate::store::StoreError;

/// Rows that are read in one transaction.
const PAGE: u32 = 64;
/// Bad places that are named; more are counted.
const MAX_NAMED: usize = 1_000;

/// What a check found.
#[derive(Debug, Default)]
pub struct Checked {
    pub files: u64,
    pub rows: u64,
    pub points: u64,
    pub bytes: u64,
    pub bad: Vec<Damage>,
    /// Also those that are not named.
    pub bad_count: u64,
}

impl Checked {
    fn note(&mut self, damage: Damage) {
        self.bad_count += 1;
        if self.bad.len() < MAX_NAMED {
            self.bad.push(damage);
        }
    }
}

/// Checks the store in `dir`. `progress` is told the bytes that were looked at and those there are.
pub fn check(dir: &Path, progress: &mut dyn FnMut(u64, u64)) -> Result<Checked, StoreError> {
    let mut checked = Checked::default();
    let files = list(dir)?;
    let total = files.iter().map(|(_, bytes)| bytes).sum();
    let mut done = 0;
    for (name, bytes) in files {
        let mut within = 0;
        let mut read = |more: u64| {
            within = (within + more).min(bytes);
            progress(done + within, total);
        };
        match Check::new(dir, &name, &mut checked, &mut read).run() {
            // Expired meanwhile.
            Err(_) if !dir.join(&name).exists() => {}
            Err(error @ StoreError::Newer { .. }) => return Err(error),
            Err(error) => checked.note(of_file(&name, error.to_string())),
            Ok(()) => {}
        }
        checked.files += 1;
        checked.bytes += bytes;
        done += bytes;
        progress(done, total);
    }
    Ok(checked)
}

/// The day files and the state, by name, with their sizes.
pub(super) fn list(dir: &Path) -> Result<Vec<(String, u64)>, StoreError> {
    let io_error = |error: std::io::Error| sql::io_error("list", dir, &error);
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).map_err(io_error)? {
        let entry = entry.map_err(io_error)?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        if (name == state::FILE_NAME || key_of(&name).is_some())
            && let Ok(meta) = entry.metadata()
        {
            files.push((name, meta.len()));
        }
    }
    files.sort();
    Ok(files)
}

fn of_file(name: &str, what: String) -> Damage {
    let (first, last) = key_of(name).map_or((TimeNs::MIN, TimeNs::MAX), |key| (key.first_time(), key.last_time()));
    let (lo, hi) = (SeriesId(0), SeriesId(u32::MAX));
    Damage { file: name.to_owned(), table: "file", row: 0, metric: None, lo, hi, first, last, loses: true, what }
}

/// A row of `chunks` or `blocks`.
struct Found {
    id: i64,
    first: TimeNs,
    last: TimeNs,
    count: u64,
    lo: SeriesId,
    hi: SeriesId,
    times: Option<i64>,
    body: Vec<u8>,
}

impl Found {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            first: row.get(1)?,
            last: row.get(2)?,
            count: row.get::<_, i64>(3)?.cast_unsigned(),
            lo: SeriesId(row.get(4)?),
            hi: SeriesId(row.get(5)?),
            times: row.get(6)?,
            body: row.get(7)?,
        })
    }
}

const OWN: &str = "SELECT id, first, last, count, series, series, times, body FROM chunks WHERE id > ?1 ORDER BY id LIMIT ?2";
const MANY: &str = "SELECT id, first, last, count, lo, hi, NULL, body FROM blocks WHERE id > ?1 ORDER BY id LIMIT ?2";
const TIMES: &str = "SELECT id, body FROM times WHERE id > ?1 ORDER BY id LIMIT ?2";
const ROLLUPS: &str = "SELECT id, lo, hi, numbers, body FROM rollups WHERE id > ?1 ORDER BY id LIMIT ?2";

type Columns = FxHashMap<i64, Vec<u8>>;

struct Check<'a> {
    dir: &'a Path,
    name: &'a str,
    checked: &'a mut Checked,
    read: &'a mut dyn FnMut(u64),
}

impl<'a> Check<'a> {
    fn new(dir: &'a Path, name: &'a str, checked: &'a mut Checked, read: &'a mut dyn FnMut(u64)) -> Self {
        Self { dir, name, checked, read }
    }

    fn run(&mut self) -> Result<(), StoreError> {
        let key = key_of(self.name);
        let schema = key.map_or(&state::SCHEMA, |key| if key.kind == FileKind::Raw { &RAW } else { &ROLLUP });
        let path = self.dir.join(self.name);
        let mut db = sql::open_to_look(&path, schema)?;
        self.pages(&db).map_err(|error| sql::sql_error("check", &path, &error))?;
        match key.map(|key| key.kind) {
            None => return Ok(()),
            Some(FileKind::Rollup) => return self.rollups(&db).map_err(|error| sql::sql_error("read rollups of", &path, &error)),
            Some(FileKind::Raw) => {}
        }
        let Some(key) = key else { return Ok(()) };
        for (table, sql) in [("chunks", OWN), ("blocks", MANY)] {
            self.rows(&mut db, key, table, sql).map_err(|error| sql::sql_error("read rows of", &path, &error))?;
        }
        self.columns(&db).map_err(|error| sql::sql_error("read times of", &path, &error))
    }

    /// What SQLite itself finds: pages, and indexes against their tables.
    fn pages(&mut self, db: &Connection) -> rusqlite::Result<()> {
        let mut ask = db.prepare("PRAGMA integrity_check(100)")?;
        let said = ask.query_map([], |row| row.get::<_, String>(0))?.collect::<rusqlite::Result<Vec<_>>>()?;
        said.into_iter().filter(|line| line != "ok").for_each(|line| self.checked.note(of_file(self.name, line)));
        Ok(())
    }

    fn rows(&mut self, db: &mut Connection, key: FileKey, table: &'static str, sql: &str) -> rusqlite::Result<()> {
        let mut after = 0;
        loop {
            let (page, columns) = page(db, sql, after)?;
            let Some(last) = page.last() else { return Ok(()) };
            after = last.id;
            for row in &page {
                (self.read)(row.body.len() as u64);
                self.checked.rows += 1;
                match judge(row, key, table, &columns) {
                    Ok(()) => self.checked.points += row.count,
                    Err(what) => self.checked.note(self.of_row(row, table, what)),
                }
            }
        }
    }

    fn of_row(&self, row: &Found, table: &'static str, what: String) -> Damage {
        let Found { id, first, last, lo, hi, .. } = *row;
        Damage { file: self.name.to_owned(), table, row: id, metric: None, lo, hi, first, last, loses: true, what }
    }

    fn rollups(&mut self, db: &Connection) -> rusqlite::Result<()> {
        let mut after = 0;
        loop {
            let mut ask = db.prepare_cached(ROLLUPS)?;
            let read = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?));
            let page: Vec<(i64, u32, u32, bool, Vec<u8>)> = ask.query_map((after, PAGE), read)?.collect::<rusqlite::Result<_>>()?;
            let Some((last, ..)) = page.last() else { return Ok(()) };
            after = *last;
            for (id, lo, hi, numbers, body) in page {
                (self.read)(body.len() as u64);
                self.checked.rows += 1;
                let ends = |rolled: &Rolled| (rolled.first().map(|(id, _)| id.0), rolled.last().map(|(id, _)| id.0));
                let what = match rollup::decode(&body, numbers) {
                    Ok(rolled) if ends(&rolled) == (Some(lo), Some(hi)) => continue,
                    Ok(_) => "its series are not those of its row".to_owned(),
                    Err(error) => error.to_string(),
                };
                let of_row = Damage { table: "rollups", row: id, ..of_file(self.name, what) };
                self.checked.note(Damage { lo: SeriesId(lo), hi: SeriesId(hi), ..of_row });
            }
        }
    }

    fn columns(&mut self, db: &Connection) -> rusqlite::Result<()> {
        let mut after = 0;
        loop {
            let mut ask = db.prepare_cached(TIMES)?;
            let page = ask.query_map((after, PAGE), |row| Ok((row.get(0)?, row.get(1)?)))?;
            let page: Vec<(i64, Vec<u8>)> = page.collect::<rusqlite::Result<_>>()?;
            let Some((last, _)) = page.last() else { return Ok(()) };
            after = *last;
            for (id, body) in page {
                (self.read)(body.len() as u64);
                if let Err(error) = chunk::decode_times(&body) {
                    self.checked.note(Damage { table: "times", row: id, ..of_file(self.name, error.to_string()) });
                }
            }
        }
    }
}

/// Rows and the time columns that they name, as they are at one moment.
fn page(db: &mut Connection, sql: &str, after: i64) -> rusqlite::Result<(Vec<Found>, Columns)> {
    let at_once = db.transaction()?;
    let page = at_once.prepare_cached(sql)?.query_map((after, PAGE), Found::read)?.collect::<rusqlite::Result<Vec<_>>>()?;
    let mut columns = Columns::default();
    for id in page.iter().filter_map(|row| row.times) {
        if !columns.contains_key(&id) {
            let mut ask = at_once.prepare_cached("SELECT body FROM times WHERE id = ?1")?;
            columns.extend(ask.query_row([id], |row| row.get(0)).optional()?.map(|body| (id, body)));
        }
    }
    Ok((page, columns))
}

/// Whether the body decodes, and to what the row says.
fn judge(row: &Found, key: FileKey, table: &str, columns: &Columns) -> Result<(), String> {
    let blocks = if table == "chunks" { vec![(row.lo, own(row, columns)?)] } else { many(row)? };
    let points: u64 = blocks.iter().map(|(_, block)| block.len() as u64).sum();
    let first = blocks.iter().filter_map(|(_, block)| block.first_time()).min();
    let last = blocks.iter().filter_map(|(_, block)| block.last_time()).max();
    let series = (blocks.first().map(|(id, _)| *id), blocks.last().map(|(id, _)| *id));
    if points != row.count {
        return Err(format!("it holds {points} readings where its row says {}", row.count));
    }
    if (first, last) != (Some(row.first), Some(row.last)) {
        return Err("its times are not those of its row".to_owned());
    }
    if series != (Some(row.lo), Some(row.hi)) {
        return Err("its series are not those of its row".to_owned());
    }
    let in_day = key.first_time() <= row.first && row.last <= key.last_time();
    if in_day { Ok(()) } else { Err("its times are of another day".to_owned()) }
}

fn own(row: &Found, columns: &Columns) -> Result<Block, String> {
    let Some(id) = row.times else { return chunk::decode(&row.body, None).map_err(|error| error.to_string()) };
    let column = columns.get(&id).ok_or_else(|| format!("its time column {id} is not there"))?;
    let times = chunk::decode_times(column).map_err(|error| format!("its time column {id}: {error}"))?;
    chunk::decode(&row.body, Some(&times)).map_err(|error| error.to_string())
}

fn many(row: &Found) -> Result<Vec<(SeriesId, Block)>, String> {
    chunk::decode_many(&row.body).map_err(|error| error.to_string())
}
