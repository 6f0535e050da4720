//! Keeps the rollups of a file what its raw rows are. Own chunks of a series have rows of their own; a block has rows for its series.
//!
//! Invariant: a row names the raw row it was made of. That row is never changed, only replaced by one with another number, and before
//! that `outdate` removes the rollup. So what names a row that is gone is all that is left of readings that expired: it stays.

use std::sync::Arc;

use rusqlite::{Transaction, params};
use rustc_hash::FxHashMap;

use super::body::{self, Rolled};
use super::{LEVELS, WORTH, level_ns};
use crate::block::Block;
use crate::model::{Position, SeriesId, TimeRange};
use crate::query::run::Run;
use crate::query::summary::{Summary, Summing};
use crate::store::StoreError;
use crate::store::embedded::EmbeddedStore;
use crate::store::embedded::dayfile::{DayFile, Entry, Form, OwnMark};
use crate::store::embedded::key::{FileKey, FileKind};
use crate::store::embedded::tombs::Hides;

/// Series of own chunks that are looked at in one step.
const PAGE: u32 = 200;
/// In one row: more would make reading one series slower than its readings are.
const MAX_SERIES: usize = 64;
const MAX_SUMMARIES: usize = 4096;

/// Where the work on one file stands.
#[derive(Debug)]
pub(in crate::store::embedded) struct Making {
    file: Arc<DayFile>,
    limit: Position,
    step: Step,
}

#[derive(Debug)]
enum Step {
    Own { from: SeriesId },
    Blocks { left: Vec<Entry> },
    End,
}

/// A row to be written.
#[derive(Debug)]
struct NewRollup {
    level: i64,
    metric: u32,
    is_own: bool,
    mark: i64,
    seal: Position,
    numbers: bool,
    lo: SeriesId,
    hi: SeriesId,
    body: Vec<u8>,
}

impl Making {
    pub(in crate::store::embedded) fn new(file: &Arc<DayFile>, limit: Position) -> Self {
        Self { file: Arc::clone(file), limit, step: Step::Own { from: SeriesId(0) } }
    }

    fn key(&self) -> FileKey {
        FileKey { kind: FileKind::Rollup, ..self.file.key }
    }

    /// False: all is made.
    pub(in crate::store::embedded) fn step(&mut self, store: &EmbeddedStore) -> Result<bool, StoreError> {
        self.step = match std::mem::replace(&mut self.step, Step::End) {
            Step::Own { from } => match self.own_page(store, from)? {
                Some(from) => Step::Own { from },
                None => Step::Blocks { left: self.begin_blocks(store)? },
            },
            Step::Blocks { mut left } => match left.pop() {
                Some(entry) => {
                    self.block(store, &entry)?;
                    Step::Blocks { left }
                }
                None => Step::End,
            },
            Step::End => return Ok(false),
        };
        Ok(true)
    }

    fn own_page(&self, store: &EmbeddedStore, from: SeriesId) -> Result<Option<SeriesId>, StoreError> {
        let marks = self.file.read("list series of", |db| db.own_marks(from, self.limit, PAGE))?;
        let until = if marks.len() < PAGE as usize { SeriesId(u32::MAX) } else { marks[marks.len() - 1].series };
        let known = match store.files.get(self.key()) {
            Some(file) => file.read("list rollups of", |db| db.rollup_marks(from, until))?,
            None => FxHashMap::default(),
        };
        let mut old = Vec::new();
        let mut rows = Vec::new();
        for mark in marks.into_iter().filter(|mark| known.get(&mark.series) != Some(&mark.id)) {
            old.extend(known.contains_key(&mark.series).then_some(mark.series));
            if let Some(block) = self.whole(store, mark.series)? {
                rows.extend(own_rows(store.info.metric(mark.series), &mark, &block));
            }
        }
        self.write(store, &rows, |db| {
            let mut remove = db.prepare_cached("DELETE FROM rollups WHERE own = 1 AND lo = ?1")?;
            old.iter().try_for_each(|series| remove.execute([series.0]).map(drop))
        })?;
        Ok(until.0.checked_add(1).map(SeriesId))
    }

    /// All points of a series in the file. None: there are none, or they cannot all be read.
    fn whole(&self, store: &EmbeddedStore, series: SeriesId) -> Result<Option<Arc<Block>>, StoreError> {
        let key = self.file.key;
        let day = TimeRange { from: key.first_time(), to: key.last_time().saturating_add(1) };
        let (decoder, metric) = (store.decoder(), store.info.metric(series));
        let mut parts = decoder.parts(&self.file, (series, metric), day, self.limit, u32::MAX - 1)?.unwrap_or_default();
        if parts.iter().any(|part| decoder.block(part).is_none()) {
            return Ok(None);
        }
        Ok(decoder.lay(&mut parts, day, &Hides::default()))
    }

    /// The blocks without rows.
    fn begin_blocks(&self, store: &EmbeddedStore) -> Result<Vec<Entry>, StoreError> {
        let mut blocks = self.file.read("list blocks of", |db| db.all_many(self.limit))?;
        let Some(file) = store.files.get(self.key()) else { return Ok(blocks) };
        let known = file.read("list rollups of", |db| db.rollup_blocks())?;
        blocks.retain(|entry| !known.contains(&entry.id));
        Ok(blocks)
    }

    fn block(&self, store: &EmbeddedStore, entry: &Entry) -> Result<(), StoreError> {
        let Form::Many { metric, .. } = entry.form else { return Ok(()) };
        let body = self.file.read("read a block of", |db| db.body(entry))?;
        let Some(all) = store.decoder().whole(&self.file, entry, body) else { return Ok(()) };
        let mut rows = Vec::new();
        for level in LEVELS {
            for numbers in [true, false] {
                let of_kind = all.iter().filter(|(_, block)| is_number(block) == numbers);
                let rolled = of_kind.filter_map(|(series, block)| Some((*series, summaries(block, level)?)));
                for some in in_rows(rolled) {
                    rows.extend(row(level, metric, (false, entry.id, entry.seal), numbers, some));
                }
            }
        }
        self.write(store, &rows, |_| Ok(()))
    }

    fn write(
        &self,
        store: &EmbeddedStore,
        rows: &[NewRollup],
        before: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<()>,
    ) -> Result<(), StoreError> {
        let file = match store.files.get(self.key()) {
            Some(file) => file,
            None if rows.is_empty() => return Ok(()),
            None => store.files.get_or_make(self.key(), rows.iter().map(|row| row.body.len()).sum())?,
        };
        file.write("write rollups to", |db| {
            before(db)?;
            rows.iter().try_for_each(|row| insert(db, row))
        })
    }
}

fn is_number(block: &Block) -> bool {
    block.value_type() == Some(crate::model::ValueType::Number)
}

/// None: the level's buckets would hold too few.
fn summaries(block: &Block, level: i64) -> Option<Vec<Summary>> {
    let mut summing = Summing::new(level_ns(level));
    summing.push(Run::of_block(block, 0..block.len()));
    let summaries = summing.finish();
    (block.len() as u64 >= WORTH * summaries.len() as u64).then_some(summaries)
}

fn own_rows(metric: u32, mark: &OwnMark, block: &Block) -> Vec<NewRollup> {
    let numbers = is_number(block);
    let of_level = |level| row(level, metric, (true, mark.id, mark.seal), numbers, vec![(mark.series, summaries(block, level)?)]);
    LEVELS.into_iter().filter_map(of_level).collect()
}

fn in_rows(rolled: impl Iterator<Item = (SeriesId, Vec<Summary>)>) -> Vec<Rolled> {
    let (mut rows, mut points) = (Vec::<Rolled>::new(), 0);
    for one in rolled {
        if rows.last().is_none_or(|row| row.len() >= MAX_SERIES || points + one.1.len() > MAX_SUMMARIES) {
            rows.push(Rolled::new());
            points = 0;
        }
        points += one.1.len();
        rows.last_mut().into_iter().for_each(|row| row.push(one.clone()));
    }
    rows
}

/// None when there is nothing, or when it does not decode to what it holds: then the readings answer.
fn row(level: i64, metric: u32, (is_own, mark, seal): (bool, i64, Position), numbers: bool, mut rolled: Rolled) -> Option<NewRollup> {
    let (lo, hi) = (rolled.first()?.0, rolled.last()?.0);
    let body = body::encode(&mut rolled, numbers);
    if body::decode(&body, numbers).as_ref() != Ok(&rolled) {
        tracing::error!(level, metric, "a rollup does not decode to what it holds; it is left out");
        return None;
    }
    Some(NewRollup { level, metric, is_own, mark, seal, numbers, lo, hi, body })
}

fn insert(db: &Transaction<'_>, row: &NewRollup) -> rusqlite::Result<()> {
    let sql = "INSERT INTO rollups (level, metric, lo, hi, own, mark, seal, numbers, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
    let (lo, hi, seal) = (row.lo.0, row.hi.0, row.seal.0.cast_signed());
    db.prepare_cached(sql)?.execute(params![row.level, row.metric, lo, hi, row.is_own, row.mark, seal, row.numbers, row.body]).map(drop)
}
