//! Keeps the rollups of a file what its raw rows are. Own chunks of a series have rows of their own; a block has rows for its series.
//!
//! Invariant: a row names the raw row it was made of. That row is never changed, only replaced by one with another number, and before
//! that `outdate` removes the rollup. So what names a row that is gone is all that is left of readings that expired: it stays.
//!
//! Invariant: what is told of a series stands under one raw row: its own chunks, if it has some, or the block that was sealed last. It is
//! made of all rows of the series: after a merge there are no others; what damage left unmerged lies in several.

use std::collections::BTreeMap;
use std::sync::Arc;

use rusqlite::{Transaction, params};
use rustc_hash::{FxHashMap, FxHashSet};

use super::aside::set_aside;
use super::body::{self, Rolled};
use super::outdate::{Touched, named, outdate, outdate_own};
use super::{LEVELS, WORTH, level_ns};
use crate::block::Block;
use crate::model::{Position, SeriesId, TimeRange};
use crate::query::run::Run;
use crate::query::summary::{Summary, Summing};
use crate::store::StoreError;
use crate::store::embedded::EmbeddedStore;
use crate::store::embedded::dayfile::{self, DayFile, Entry, Form, OwnMark};
use crate::store::embedded::key::{FileKey, FileKind};
use crate::store::embedded::merge_many::{share_a_span, together};
use crate::store::embedded::parts::OfMany;

/// Series of own chunks that are looked at in one step.
const PAGE: u32 = 200;
/// In one row: more would make reading one series slower than its readings are.
const MAX_SERIES: usize = 64;
const MAX_SUMMARIES: usize = 4096;
/// Points of the other blocks that are read to sum up one. With more there are none, and readings answer.
const MAX_BESIDE: u64 = 4_000_000;

/// Where the work on one file stands.
#[derive(Debug)]
pub(in crate::store::embedded) struct Making {
    file: Arc<DayFile>,
    limit: Position,
    /// Something was left unmerged: blocks that were sealed since are not in the rollups of those beside them.
    left_since: Option<Position>,
    /// The file of rollups cannot be read or written.
    spoilt: bool,
    /// It was made anew for that.
    is_again: bool,
    step: Step,
}

#[derive(Debug)]
enum Step {
    Begin,
    Own { from: SeriesId },
    Blocks { all: Vec<Entry>, left: Vec<Entry> },
    End,
}

/// A row to be written.
#[derive(Debug)]
pub(super) struct NewRollup {
    pub(super) level: i64,
    pub(super) metric: u32,
    pub(super) is_own: bool,
    pub(super) mark: i64,
    pub(super) seal: Position,
    pub(super) numbers: bool,
    pub(super) lo: SeriesId,
    pub(super) hi: SeriesId,
    pub(super) body: Vec<u8>,
}

/// What one transaction writes.
#[derive(Debug, Default)]
struct Piece {
    rows: Vec<NewRollup>,
    /// Series whose own rows go before.
    old: Vec<SeriesId>,
    /// The block that these are rows of. It counts as done when it has some, unless it is noted that there are more to come.
    unfinished: Option<i64>,
    is_begun: bool,
    is_last: bool,
}

impl Piece {
    fn bytes(&self) -> usize {
        self.rows.iter().map(|row| row.body.len()).sum()
    }

    fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.old.is_empty() && !self.is_begun
    }

    fn write(&self, db: &Transaction<'_>) -> rusqlite::Result<()> {
        match self.unfinished {
            Some(mark) if !self.is_begun && !self.is_last => dayfile::begin_rollups(db, mark)?,
            Some(mark) if self.is_begun && self.is_last => dayfile::finish_rollups(db, mark)?,
            _ => {}
        }
        self.rows.iter().try_for_each(|row| insert(db, row))
    }
}

impl Making {
    pub(in crate::store::embedded) fn new(file: &Arc<DayFile>, limit: Position, left_since: Option<Position>) -> Self {
        Self { file: Arc::clone(file), limit, left_since, spoilt: false, is_again: false, step: Step::Begin }
    }

    fn key(&self) -> FileKey {
        FileKey { kind: FileKind::Rollup, ..self.file.key }
    }

    /// False: all is made.
    pub(in crate::store::embedded) fn step(&mut self, store: &EmbeddedStore) -> Result<bool, StoreError> {
        match self.next(store) {
            Err(StoreError::Damaged { reason }) if std::mem::take(&mut self.spoilt) && !std::mem::replace(&mut self.is_again, true) => {
                // The raw rows are there, and are not what is damaged.
                set_aside(store, self.key(), &reason)?;
                self.step = Step::Begin;
                Ok(true)
            }
            other => other,
        }
    }

    /// What came of the file of rollups.
    fn of_rollups<T>(&mut self, result: Result<T, StoreError>) -> Result<T, StoreError> {
        self.spoilt |= matches!(result, Err(StoreError::Damaged { .. }));
        result
    }

    fn next(&mut self, store: &EmbeddedStore) -> Result<bool, StoreError> {
        self.step = match std::mem::replace(&mut self.step, Step::End) {
            Step::Begin => {
                self.begin(store)?;
                Step::Own { from: SeriesId(0) }
            }
            Step::Own { from } => match self.own_page(store, from)? {
                Some(from) => Step::Own { from },
                None => self.begin_blocks(store)?,
            },
            Step::Blocks { all, mut left } => match left.pop() {
                Some(entry) => {
                    self.block(store, &entry, &all)?;
                    Step::Blocks { all, left }
                }
                None => Step::End,
            },
            Step::End => return Ok(false),
        };
        Ok(true)
    }

    /// Rollups beside new blocks that were left unmerged are made anew.
    fn begin(&self, store: &EmbeddedStore) -> Result<(), StoreError> {
        let Some(since) = self.left_since else { return Ok(()) };
        let blocks = self.file.read("list blocks of", |db| db.all_many(self.limit))?;
        let new = blocks.into_iter().filter(|entry| entry.seal > since).filter_map(|entry| match entry.form {
            Form::Many { metric, lo, hi } => Some(Touched { metric, lo, hi }),
            Form::Own { .. } => None,
        });
        outdate(store, self.file.key, &new.collect::<Vec<_>>()).map(drop)
    }

    fn own_page(&mut self, store: &EmbeddedStore, from: SeriesId) -> Result<Option<SeriesId>, StoreError> {
        let marks = self.file.read("list series of", |db| db.own_marks(from, self.limit, PAGE))?;
        let until = if marks.len() < PAGE as usize { SeriesId(u32::MAX) } else { marks[marks.len() - 1].series };
        let of = marks.iter().map(|mark| (mark.series, store.info.metric(mark.series)));
        let known = match store.files.get(self.key()) {
            Some(file) => self.of_rollups(file.read("list rollups of", |db| db.rollup_marks(of)))?,
            None => FxHashMap::default(),
        };
        let there = named(Some(&self.file), known.iter().map(|(series, mark)| (true, *mark, *series)))?;
        let mut piece = Piece::default();
        for mark in marks {
            match known.get(&mark.series) {
                Some(known) if *known == mark.id => continue,
                Some(known) if there.contains(&(true, *known)) => piece.old.push(mark.series),
                // What is left of readings that expired stays beside it.
                _ => {}
            }
            if let Some((block, seal)) = self.whole(store, mark.series)? {
                piece.rows.extend(own_rows(store.info.metric(mark.series), &OwnMark { seal, ..mark }, &block));
            }
            if piece.bytes() as u64 >= store.piece_bytes {
                self.write(store, &std::mem::take(&mut piece))?;
                self.checkpoint(store)?;
            }
        }
        self.write(store, &piece)?;
        Ok(until.0.checked_add(1).map(SeriesId))
    }

    /// Within a step nothing else keeps the WAL short.
    fn checkpoint(&mut self, store: &EmbeddedStore) -> Result<(), StoreError> {
        let Some(file) = store.files.get(self.key()) else { return Ok(()) };
        // A reader in its way: it is done the next time.
        self.of_rollups(file.checkpoint()).map(drop)
    }

    /// All points of a series in the file, and their newest seal. None: there are none, or they cannot all be read.
    fn whole(&self, store: &EmbeddedStore, series: SeriesId) -> Result<Option<(Arc<Block>, Position)>, StoreError> {
        let key = self.file.key;
        let day = TimeRange { from: key.first_time(), to: key.last_time().saturating_add(1) };
        let (decoder, metric) = (store.decoder(), store.info.metric(series));
        let parts = decoder.parts(&self.file, (series, metric), day, self.limit, u32::MAX - 1)?.unwrap_or_default();
        let blocks: Option<Vec<_>> = parts.iter().map(|part| Some((part.seal, decoder.block(part)?))).collect();
        Ok(blocks.and_then(|blocks| together(&store.tombs.of(series, self.limit), blocks)))
    }

    /// The blocks without rows.
    fn begin_blocks(&mut self, store: &EmbeddedStore) -> Result<Step, StoreError> {
        let all = self.file.read("list blocks of", |db| db.all_many(self.limit))?;
        let known = match store.files.get(self.key()) {
            Some(file) => self.whole_blocks(&file, &all)?,
            None => FxHashSet::default(),
        };
        let left = all.iter().filter(|entry| !known.contains(&entry.id)).copied().collect();
        Ok(Step::Blocks { all, left })
    }

    /// The blocks whose rows are all there. What was cut off of others goes, and they are summed up anew.
    fn whole_blocks(&mut self, rollups: &DayFile, all: &[Entry]) -> Result<FxHashSet<i64>, StoreError> {
        let (known, unfinished) =
            self.of_rollups(rollups.read("list rollups of", |db| Ok((db.rollup_blocks()?, db.unfinished_rollups()?))))?;
        for mark in &unfinished {
            // A block that went meanwhile has no others.
            let is_there = all.iter().any(|entry| entry.id == *mark);
            let end = if is_there { dayfile::remove_unfinished_rollups } else { dayfile::finish_rollups };
            self.of_rollups(rollups.write("remove rollups from", |db| end(db, *mark)))?;
        }
        Ok(known.into_iter().filter(|mark| !unfinished.contains(mark)).collect())
    }

    fn block(&mut self, store: &EmbeddedStore, entry: &Entry, all: &[Entry]) -> Result<(), StoreError> {
        let Form::Many { metric, .. } = entry.form else { return Ok(()) };
        let Some(series) = self.of_block(store, entry, all)? else { return Ok(()) };
        let mut piece = Piece { unfinished: Some(entry.id), ..Piece::default() };
        for level in LEVELS {
            for numbers in [true, false] {
                let of_kind = series.iter().filter(|(_, block)| is_number(block) == numbers);
                let rolled = of_kind.filter_map(|(series, block)| Some((*series, summaries(block, level)?)));
                for some in in_rows(rolled) {
                    piece.rows.extend(row(level, metric, (false, entry.id, entry.seal), numbers, some));
                    if piece.bytes() as u64 >= store.piece_bytes {
                        self.write(store, &piece)?;
                        self.checkpoint(store)?;
                        (piece.is_begun, piece.rows) = (true, Vec::new());
                    }
                }
            }
        }
        piece.is_last = true;
        self.write(store, &piece)
    }

    /// The series that stand under a block, with all their points. None: it cannot be read, or too much lies beside it.
    fn of_block(&self, store: &EmbeddedStore, entry: &Entry, all: &[Entry]) -> Result<Option<OfMany>, StoreError> {
        let read = |entry: &Entry| -> Result<Option<Arc<OfMany>>, StoreError> {
            let body = self.file.read("read a block of", |db| db.body(entry))?;
            Ok(store.decoder().whole(&self.file, entry, body))
        };
        let beside: Vec<_> = all.iter().filter(|other| other.id != entry.id && share_a_span(entry, other)).collect();
        if beside.iter().map(|other| u64::from(other.count)).sum::<u64>() > MAX_BESIDE {
            return Ok(None);
        }
        let Some(of_entry) = read(entry)? else { return Ok(None) };
        let mut parts: BTreeMap<_, _> = of_entry.iter().map(|(series, block)| (*series, vec![(entry.seal, Arc::clone(block))])).collect();
        self.file.read("look for chunks in", |db| {
            of_entry.iter().try_for_each(|(series, _)| {
                if db.has_own(*series)? {
                    parts.remove(series);
                }
                Ok(())
            })
        })?;
        for other in beside {
            let is_last = (other.seal, other.id) > (entry.seal, entry.id);
            for (series, block) in read(other)?.iter().flat_map(|all| all.iter()) {
                if is_last {
                    parts.remove(series);
                } else if let Some(parts) = parts.get_mut(series) {
                    parts.push((other.seal, Arc::clone(block)));
                }
            }
        }
        let whole = |(series, parts)| Some((series, together(&store.tombs.of(series, self.limit), parts)?.0));
        Ok(Some(parts.into_iter().filter_map(whole).collect()))
    }

    fn write(&mut self, store: &EmbeddedStore, piece: &Piece) -> Result<(), StoreError> {
        if piece.is_empty() {
            return Ok(());
        }
        if !piece.old.is_empty() {
            // What they tell of readings that are gone stays.
            let touched: Vec<_> = piece.old.iter().map(|series| Touched::series(store, *series)).collect();
            outdate_own(store, self.file.key, &touched)?;
        }
        let file = store.files.get_or_make(self.key(), piece.bytes())?;
        let written = file.write("write rollups to", |db| piece.write(db));
        self.of_rollups(written)
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

pub(super) fn insert(db: &Transaction<'_>, row: &NewRollup) -> rusqlite::Result<()> {
    let sql = "INSERT INTO rollups (level, metric, lo, hi, own, mark, seal, numbers, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
    let (lo, hi, seal) = (row.lo.0, row.hi.0, row.seal.0.cast_signed());
    db.prepare_cached(sql)?.execute(params![row.level, row.metric, lo, hi, row.is_own, row.mark, seal, row.numbers, row.body]).map(drop)
}
