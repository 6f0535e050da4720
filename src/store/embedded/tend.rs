//! The store's own work, in short steps between seals: WALs into their files, days that are over merged, deletes applied.
//!
//! A round goes over the files that need it, with one limit: it touches only what was sealed up to there, and every reader sees all
//! of that. When a round ends, the deletes it was due to apply hide nothing any more, and are forgotten. What could not be applied
//! for damage stays, and is tried again much later: damage does not heal, and trying wears the disk.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use jiff::SignedDuration;
use rustc_hash::FxHashMap;

use super::EmbeddedStore;
use super::damage;
use super::expire::Expiry;
use super::key::{self, FileKey, FileKind};
use super::merge::Visit;
use super::rollup;
use crate::model::{Position, TimeNs, TimeRange};
use crate::store::{PositionedDelete, StoreError};

/// A day is over when no reading in time can come any more, and some time for those on their way.
const GRACE: SignedDuration = SignedDuration::from_hours(1);
/// When deletes that met damage are tried again.
const AGAIN: Duration = Duration::from_secs(6 * 3600);

#[derive(Debug)]
pub(super) struct Tending {
    expiry: Expiry,
    round: Option<Round>,
    /// Up to which seal each file was looked at.
    looked_at: FxHashMap<FileKey, Position>,
    /// Deletes up to here met damage, then.
    stuck: Option<(Position, Instant)>,
}

impl Tending {
    pub(super) fn new(expiry: Expiry) -> Self {
        Self { expiry, round: None, looked_at: FxHashMap::default(), stuck: None }
    }

    /// The day that a visit is at.
    pub(super) fn visited(&self) -> Option<i32> {
        self.round.as_ref()?.visit.as_ref().map(|visit| visit.file.key.day)
    }

    #[cfg(test)]
    pub(super) fn look_again(&mut self) {
        self.expiry.look_again();
    }
}

#[derive(Debug)]
struct Round {
    limit: Position,
    /// All there are: whatever is written anew is written without what they hide.
    deletes: Vec<PositionedDelete>,
    /// Of these, those for which the round goes over every file they meet.
    due: Vec<PositionedDelete>,
    files: VecDeque<FileKey>,
    visit: Option<Visit>,
    /// Files to look at again when it ends: they got series out of others, or their visit failed.
    again: Vec<FileKey>,
    /// A file could not be gone through: what was due stays.
    skipped: bool,
}

impl EmbeddedStore {
    pub(super) fn tend_for(&self, now: TimeNs, budget: Duration) -> Result<bool, StoreError> {
        let began = Instant::now();
        // Held by a backup: seals do not wait for it.
        let Some(mut tending) = self.tending.try_lock() else { return Ok(false) };
        loop {
            if !self.tend_step(&mut tending, now)? {
                return Ok(false);
            }
            if began.elapsed() >= budget {
                return Ok(true);
            }
        }
    }

    /// Before a seal, which the budget of bytes is to hold as well. What fails is tried again by the next look.
    pub(super) fn make_room_for_seal(&self) {
        // Held by a backup: seals do not wait for it.
        let Some(mut tending) = self.tending.try_lock() else { return };
        let visited = tending.visited();
        if let Err(error) = self.make_room(&mut tending.expiry, visited) {
            tracing::warn!(%error, "no room could be made so that [store] max_bytes holds");
        }
    }

    /// One step; false: there was nothing to do.
    fn tend_step(&self, tending: &mut Tending, now: TimeNs) -> Result<bool, StoreError> {
        let visited = tending.visited();
        if self.files.checkpoint_one()? || self.expire(&mut tending.expiry, now, visited)? {
            return Ok(true);
        }
        if tending.round.is_none() {
            tending.stuck.take_if(|(_, since)| since.elapsed() >= AGAIN);
            tending.round = self.round(&mut tending.looked_at, tending.stuck.map(|(up_to, _)| up_to), now)?;
        }
        let Some(round) = &mut tending.round else { return Ok(false) };
        if self.round_step(round, now)? {
            return Ok(true);
        }
        // What is only read keeps what they hide.
        let retired = self.files.retired();
        let (stay, done): (Vec<_>, Vec<_>) =
            round.due.drain(..).partition(|delete| round.skipped || retired.iter().any(|file| file.key.meets(range_of(delete))));
        if !done.is_empty() {
            self.state.forget_deletes(&done)?;
            self.tombs.forget(&done);
        }
        if !stay.is_empty() {
            tending.stuck = Some((round.limit, Instant::now()));
        }
        for key in &round.again {
            tending.looked_at.remove(key);
        }
        tending.round = None;
        Ok(true)
    }

    /// What needs work now. None: nothing.
    fn round(
        &self,
        looked_at: &mut FxHashMap<FileKey, Position>,
        stuck: Option<Position>,
        now: TimeNs,
    ) -> Result<Option<Round>, StoreError> {
        let limit = self.pins.oldest().unwrap_or(Position(u64::MAX)).min(self.sealed());
        let deletes = self.tombs.up_to(limit);
        let due: Vec<_> = deletes.iter().filter(|delete| stuck.is_none_or(|stuck| delete.position > stuck)).copied().collect();
        let (mut files, mut looked) = (VecDeque::new(), Vec::new());
        for file in self.files.all().iter().filter(|file| file.key.kind == FileKind::Raw) {
            let (key, closed) = (file.key, key::is_closed(file.key, now, GRACE));
            let hides = due.iter().any(|delete| key.meets(range_of(delete)));
            if hides || (closed && looked_at.get(&key).is_none_or(|at| *at < limit) && self.is_dirty(file, limit)?) {
                files.push_back(key);
            }
            if closed {
                looked.push((key, limit));
            }
        }
        // Not before: if one of them cannot be asked, there is no round, and none was looked at.
        looked_at.extend(looked);
        files.extend(self.only_rolled().into_iter().filter(|key| due.iter().any(|delete| key.meets(range_of(delete)))));
        let is_idle = files.is_empty() && due.is_empty();
        Ok((!is_idle).then_some(Round { limit, deletes, due, files, visit: None, again: Vec::new(), skipped: false }))
    }

    /// Rollups whose readings are gone.
    fn only_rolled(&self) -> Vec<FileKey> {
        let all = self.files.all();
        let has_raw = |key: FileKey| self.files.get(FileKey { kind: FileKind::Raw, ..key }).is_some();
        all.iter().map(|file| file.key).filter(|key| key.kind == FileKind::Rollup && !has_raw(*key)).collect()
    }

    pub(super) fn is_dirty(&self, file: &super::dayfile::DayFile, limit: Position) -> Result<bool, StoreError> {
        match file.read("look for new rows in", |db| db.is_dirty(limit)) {
            Err(StoreError::Damaged { reason }) => {
                self.damages.note(damage::of_file(file, reason), &[]);
                Ok(false)
            }
            other => other,
        }
    }

    /// False: the round is over.
    fn round_step(&self, round: &mut Round, now: TimeNs) -> Result<bool, StoreError> {
        let Some(key) = round.files.front().copied() else { return Ok(false) };
        let step = match self.file_step(round, key, now) {
            Ok(true) => return Ok(true),
            Ok(false) => Ok(true),
            Err(StoreError::Damaged { reason }) => {
                if let Some(file) = self.files.get(key) {
                    self.damages.note(damage::of_file(&file, reason), &[]);
                }
                round.skipped = true;
                Ok(true)
            }
            Err(error) => {
                // There is another round soon: what was merged stays merged, and no delete counts as done.
                round.due.clear();
                round.again.push(key);
                Err(error)
            }
        };
        round.files.pop_front();
        round.again.extend(round.visit.take().into_iter().flat_map(|visit| visit.beside));
        step
    }

    /// False: the file is done.
    fn file_step(&self, round: &mut Round, key: FileKey, now: TimeNs) -> Result<bool, StoreError> {
        if let Some(visit) = &mut round.visit {
            let more = visit.step(self)?;
            round.skipped |= visit.damaged;
            return Ok(more);
        }
        if key.kind == FileKind::Raw && self.files.get(key).is_some() {
            let closed = key::is_closed(key, now, GRACE);
            round.visit = Visit::new(self, key, round.limit, closed, &round.deletes)?;
            round.skipped |= round.visit.is_none();
            return Ok(round.visit.is_some());
        }
        // Its readings are gone, perhaps since the round began.
        if let Some(file) = self.files.get(FileKey { kind: FileKind::Rollup, ..key }) {
            rollup::erase(self, &file, &round.deletes)?;
        }
        Ok(false)
    }
}

fn range_of(delete: &PositionedDelete) -> TimeRange {
    TimeRange { from: delete.delete.from, to: delete.delete.to.saturating_add(1) }
}
