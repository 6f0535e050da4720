//! A seal: the head's points as rows of day files. A series with enough points in a quarter of a day gets own chunks there; the many
//! slow ones of a metric lie together in blocks.
//!
//! Invariant: nothing is copied before its row is made, and rows are written a piece at a time, so a seal needs little memory beside
//! what it seals. Pieces also because of the log: its syncs wait while what a seal wrote goes to the same disk, and so do acks.

use std::collections::BTreeMap;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::EmbeddedStore;
use super::damage;
use super::dayfile::DayFile;
use super::key::{self, FileKey, FileKind};
use super::rows::{Many, Rows};
use crate::block::Block;
use crate::model::{Position, TimeRange};
use crate::store::{Handover, SeriesRun, StoreError};

/// Points in a quarter of a day from which a series has a chunk of its own there.
pub(super) const OWN_MIN: usize = 256;

/// Bodies that one transaction writes, about.
const PIECE_BYTES: usize = 1 << 20;

/// Some of a series' points, in the blocks where they are.
#[derive(Clone, Copy, Debug)]
struct Piece<'a> {
    run: SeriesRun<'a>,
    range: TimeRange,
    count: usize,
}

/// The rows of one file, planned.
#[derive(Debug, Default)]
struct Plan<'a> {
    own: Vec<Piece<'a>>,
    /// By metric, then by series; of one series several quarters may follow each other.
    slow: FxHashMap<u32, Vec<Piece<'a>>>,
}

pub(super) fn seal(store: &EmbeddedStore, handover: &Handover<'_>) -> Result<(), StoreError> {
    let plans = plan(store, &handover.runs);
    let keys = plans.keys().copied().collect();
    store.state.begin_seal(handover.up_to, &keys, handover.deletes, store.sealed())?;
    store.tombs.add(handover.deletes);
    for (key, plan) in plans {
        match Writing::new(store, key, handover.up_to).all(&plan) {
            Err(StoreError::Damaged { reason }) => {
                // What can be read of it still is; all of the seal goes into a new one, for nobody knows what of it can be read there.
                let damaged = store.between_readers(|| store.files.retire(key))?;
                store.damages.note(damage::of_upkeep(&damaged, reason), &[]);
                Writing::new(store, key, handover.up_to).all(&plan)?;
            }
            other => other?,
        }
    }
    Ok(())
}

/// The rows of one file, on their way there.
struct Writing<'a> {
    store: &'a EmbeddedStore,
    key: FileKey,
    seal: Position,
    rows: Rows,
}

impl<'a> Writing<'a> {
    fn new(store: &'a EmbeddedStore, key: FileKey, seal: Position) -> Self {
        Self { store, key, seal, rows: Rows::default() }
    }

    fn all(mut self, plan: &Plan<'_>) -> Result<(), StoreError> {
        for piece in &plan.own {
            self.rows.own(piece.run.series, &piece.block(), self.seal)?;
            self.write_if_full()?;
        }
        let mut metrics: Vec<_> = plan.slow.iter().collect();
        metrics.sort_unstable_by_key(|(metric, _)| **metric);
        for (metric, pieces) in metrics {
            let mut many = Many::new(*metric);
            for of_series in pieces.chunk_by(|a, b| a.run.series == b.run.series) {
                many.push(&mut self.rows, of_series[0].run.series, together(of_series), self.seal)?;
                self.write_if_full()?;
            }
            many.finish(&mut self.rows)?;
        }
        if self.rows.is_empty() { Ok(()) } else { self.write().map(drop) }
    }

    fn write_if_full(&mut self) -> Result<(), StoreError> {
        if self.rows.bytes() < PIECE_BYTES {
            return Ok(());
        }
        // The WAL would hold all of the seal, to go to the disk at once later on. What a reader holds up is moved then.
        let _later = self.write()?.checkpoint_in_place();
        self.rows = Rows::default();
        Ok(())
    }

    fn write(&self) -> Result<Arc<DayFile>, StoreError> {
        self.store.note_what_went(self.key)?;
        let file = self.store.files.get_or_make(self.key, self.rows.bytes())?;
        // Before it is, so that nothing written goes unnoticed.
        file.news().sealed(self.seal);
        file.write("seal into", |db| self.rows.insert(db))?;
        Ok(file)
    }
}

fn plan<'a>(store: &EmbeddedStore, runs: &[SeriesRun<'a>]) -> BTreeMap<FileKey, Plan<'a>> {
    let mut plans: BTreeMap<FileKey, Plan<'a>> = BTreeMap::new();
    for run in runs {
        let (metric, class) = (store.info.metric(run.series), store.class(run.series));
        for piece in pieces(*run) {
            let key = FileKey { day: key::day_of(piece.range.from), kind: FileKind::Raw, class };
            let plan = plans.entry(key).or_default();
            if piece.count >= OWN_MIN {
                plan.own.push(piece);
            } else {
                plan.slow.entry(metric).or_default().push(piece);
            }
        }
    }
    plans
}

/// The quarters of days in which a run has points, in time order.
fn pieces(run: SeriesRun<'_>) -> Vec<Piece<'_>> {
    let mut pieces: Vec<Piece<'_>> = Vec::new();
    for block in run.blocks {
        let times = block.times();
        let mut i = 0;
        while i < times.len() {
            let range = key::window_range(key::window_of(times[i]));
            let count = times[i..].partition_point(|t| *t < range.to).max(1);
            match pieces.last_mut() {
                Some(piece) if piece.range == range => piece.count += count,
                _ => pieces.push(Piece { run, range, count }),
            }
            i += count;
        }
    }
    pieces
}

impl Piece<'_> {
    fn block(&self) -> Block {
        let first = self.run.blocks.partition_point(|block| block.last_time() < Some(self.range.from));
        let mut all = Block::default();
        for block in self.run.blocks[first..].iter().take_while(|block| block.first_time() < Some(self.range.to)) {
            all.append(block, block.within(self.range));
        }
        all
    }
}

fn together(pieces: &[Piece<'_>]) -> Arc<Block> {
    let mut all = pieces[0].block();
    for piece in &pieces[1..] {
        let next = piece.block();
        all.append(&next, 0..next.len());
    }
    Arc::new(all)
}
