//! What takes the room in a store: files, levels and series. Reads the files itself, as the check does.
//!
//! Own bodies belong to their series. What series share is spread over them: a block and a row of rollups by points, a time column
//! evenly. The parts add up to the whole.

use std::path::Path;

use rusqlite::Connection;
use rustc_hash::FxHashMap;

use super::check::list;
use super::chunk;
use super::dayfile::{RAW, ROLLUP};
use super::files::key_of;
use super::key::{FileKey, FileKind};
use super::{rollup, sql};
use crate::model::SeriesId;
use crate::store::StoreError;

#[derive(Debug, Default)]
pub struct Sizes {
    pub files: Vec<FileSize>,
    /// Bytes of bodies, and readings.
    pub series: FxHashMap<SeriesId, (u64, u64)>,
}

/// One file of a day.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileSize {
    pub name: String,
    /// Of the file and its WAL.
    pub bytes: u64,
    pub rollup: bool,
    /// As the rows count them: twice where a reading was written twice and not merged yet.
    pub readings: u64,
    /// Bytes of bodies by level: 0 for readings, seconds for rollups.
    pub levels: Vec<(i64, u64)>,
}

/// Measures the store in `dir`. Files and rows that cannot be read are left out: `check` names them.
pub fn sizes(dir: &Path) -> Result<Sizes, StoreError> {
    let mut sizes = Sizes::default();
    for (name, bytes) in list(dir)? {
        let Some(key) = key_of(&name) else { continue };
        let wal = dir.join(format!("{name}-wal")).metadata().map_or(0, |meta| meta.len());
        let mut file = FileSize { name, bytes: bytes + wal, rollup: key.kind == FileKind::Rollup, ..FileSize::default() };
        match measure(dir, key, &mut file, &mut sizes.series) {
            Err(error @ StoreError::Newer { .. }) => return Err(error),
            Err(error) => tracing::warn!(%error, "a file is not measured"),
            Ok(()) => {}
        }
        sizes.files.push(file);
    }
    Ok(sizes)
}

type BySeries = FxHashMap<SeriesId, (u64, u64)>;

fn measure(dir: &Path, key: FileKey, file: &mut FileSize, series: &mut BySeries) -> Result<(), StoreError> {
    let path = dir.join(&file.name);
    let is_raw = key.kind == FileKind::Raw;
    let mut db = sql::open_to_look(&path, if is_raw { &RAW } else { &ROLLUP })?;
    let measured = db.transaction().and_then(|db| if is_raw { raw(&db, file, series) } else { rollups(&db, file, series) });
    measured.map_err(|error| sql::sql_error("measure", &path, &error))
}

fn raw(db: &Connection, file: &mut FileSize, series: &mut BySeries) -> rusqlite::Result<()> {
    let mut level = 0;
    let mut ask = db.prepare("SELECT series, sum(length(body)), sum(count) FROM chunks GROUP BY series")?;
    let mut rows = ask.query([])?;
    while let Some(row) = rows.next()? {
        let (bytes, points) = (unsigned(row.get(1)?), unsigned(row.get(2)?));
        add(series, SeriesId(row.get(0)?), bytes, points);
        (level, file.readings) = (level + bytes, file.readings + points);
    }
    let mut ask = db.prepare("SELECT times, series, (SELECT length(body) FROM times WHERE id = times) FROM chunks WHERE times NOT NULL")?;
    let shared = ask.query_map([], |row| Ok((row.get(0)?, SeriesId(row.get(1)?), row.get::<_, Option<i64>>(2)?.unwrap_or(0))))?;
    let mut columns: FxHashMap<i64, (u64, Vec<(SeriesId, u64)>)> = FxHashMap::default();
    for found in shared {
        let (id, of, bytes): (i64, SeriesId, i64) = found?;
        let column = columns.entry(id).or_insert_with(|| (unsigned(bytes), Vec::new()));
        column.1.push((of, 1));
    }
    for (bytes, sharers) in columns.into_values() {
        spread(bytes, &sharers).for_each(|(of, bytes)| add(series, of, bytes, 0));
        level += bytes;
    }
    let mut ask = db.prepare("SELECT body FROM blocks")?;
    let mut rows = ask.query([])?;
    while let Some(row) = rows.next()? {
        let body: Vec<u8> = row.get(0)?;
        let Ok(blocks) = chunk::decode_many(&body) else { continue };
        let points: Vec<_> = blocks.iter().map(|(id, block)| (*id, block.len() as u64)).collect();
        for ((of, bytes), (_, points)) in spread(body.len() as u64, &points).zip(&points) {
            add(series, of, bytes, *points);
            file.readings += points;
        }
        level += body.len() as u64;
    }
    file.levels.push((0, level));
    Ok(())
}

fn rollups(db: &Connection, file: &mut FileSize, series: &mut BySeries) -> rusqlite::Result<()> {
    let mut ask = db.prepare("SELECT level, numbers, body FROM rollups ORDER BY level")?;
    let mut rows = ask.query([])?;
    while let Some(row) = rows.next()? {
        let (level, numbers, body): (i64, bool, Vec<u8>) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let Ok(rolled) = rollup::decode(&body, numbers) else { continue };
        let points: Vec<_> = rolled.iter().map(|(id, summaries)| (*id, summaries.len() as u64)).collect();
        spread(body.len() as u64, &points).for_each(|(of, bytes)| add(series, of, bytes, 0));
        match file.levels.last_mut() {
            Some((last, bytes)) if *last == level => *bytes += body.len() as u64,
            _ => file.levels.push((level, body.len() as u64)),
        }
    }
    Ok(())
}

fn add(series: &mut BySeries, id: SeriesId, bytes: u64, points: u64) {
    let of = series.entry(id).or_default();
    (of.0, of.1) = (of.0 + bytes, of.1 + points);
}

/// Shares by weight that add up to `bytes`.
fn spread(bytes: u64, weights: &[(SeriesId, u64)]) -> impl Iterator<Item = (SeriesId, u64)> {
    let total = weights.iter().map(|(_, weight)| u128::from(*weight)).sum::<u128>().max(1);
    let share = move |until: u128| u64::try_from(u128::from(bytes) * until / total).unwrap_or(u64::MAX);
    weights.iter().scan(0, move |passed: &mut u128, (id, weight)| {
        let before = share(*passed);
        *passed += u128::from(*weight);
        Some((*id, share(*passed) - before))
    })
}

fn unsigned(n: i64) -> u64 {
    n.cast_unsigned()
}
