//! The store's own work, in short steps between seals: WALs into their files, days that are over merged, deletes applied.
//!
//! A round goes over the files that need it, with one limit: it touches only what was sealed up to there, and every reader sees all
//! of that. When a round ends, the deletes it was due to apply hide nothing any more, and are forgotten. What could not be applied
//! for damage stays, and is tried again much later: damage does not heal, and trying wears the disk.
//!
//! Invariant: one file that fails holds up no work on the others. A full disk ends a round, and the next waits ever longer, since it
//! writes much again; but it ends no expiry, which makes room.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use jiff::SignedDuration;

use super::EmbeddedStore;
use super::damage;
use super::dayfile::DayFile;
use super::expire::Expiry;
use super::key::{self, FileKey, FileKind};
use super::later::{Later, MUCH_LATER, SOON};
use super::looked::Noting;
use super::merge::Visit;
use super::rollup::Erasing;
use crate::full::{self, Retry};
use crate::model::{Position, TimeNs, TimeRange};
use crate::store::{PositionedDelete, StoreError};

/// A day is over when no reading in time can come any more, and some time for those on their way.
pub(super) const GRACE: SignedDuration = SignedDuration::from_hours(1);

/// A round that a full disk ended is begun again after this, then ever more rarely.
const FULL: Duration = Duration::from_secs(10);
const FULL_MOST: Duration = Duration::from_secs(600);

#[derive(Debug)]
pub(super) struct Tending {
    expiry: Expiry,
    round: Option<Round>,
    full: Retry,
    later: Later,
    /// Deletes up to here could not be applied everywhere; when they are tried again.
    stuck: Option<(Position, Instant)>,
    pub(super) noting: Noting,
    /// Files that were asked whether they have new rows.
    #[cfg(test)]
    pub(super) asked: u64,
}

impl Tending {
    pub(super) fn new(expiry: Expiry) -> Self {
        Self {
            expiry,
            round: None,
            full: Retry::new(FULL, FULL_MOST),
            later: Later::default(),
            stuck: None,
            noting: Noting::default(),
            #[cfg(test)]
            asked: 0,
        }
    }

    /// The day that a visit is at, or that deletes are applied to before one. Readings that go meanwhile would leave summaries of what
    /// was deleted.
    pub(super) fn visited(&self) -> Option<i32> {
        let round = self.round.as_ref()?;
        let erased = || round.erasing.as_ref().map(|(key, _)| key.day);
        round.visit.as_ref().map(|visit| visit.file.key.day).or_else(erased)
    }

    pub(super) fn wants_sealed(&self) -> Position {
        self.expiry.wants_sealed()
    }

    /// How long deletes are left that could not be applied.
    #[cfg(test)]
    pub(super) fn stuck_for(&self) -> Option<Duration> {
        self.stuck.map(|(_, until)| until.saturating_duration_since(Instant::now()))
    }

    #[cfg(test)]
    pub(super) fn look_again(&mut self) {
        self.expiry.look_again();
        self.later.clear();
        self.noting.look_again();
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
    /// Of the file that was taken last.
    erasing: Option<(FileKey, Erasing)>,
    visit: Option<Visit>,
    /// Files beside those that were visited, to be asked again: they got series out of these, or lost rollups.
    beside: Vec<FileKey>,
    /// A file could not be gone through: what was due stays for so long.
    skipped: Option<Duration>,
    /// What was free on the disk when it began.
    free: Option<u64>,
}

impl Round {
    fn skip(&mut self, wait: Duration) {
        self.skipped = Some(self.skipped.map_or(wait, |known| known.min(wait)));
    }

    fn end_visit(&mut self) {
        self.beside.extend(self.visit.take().into_iter().flat_map(|visit| visit.beside));
    }
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

    /// Before a seal, which the budget of bytes is to hold as well. What fails is tried again by the next look. When seals follow each
    /// other without a step between them, nothing else keeps their WALs short; and while a WAL is moved, its pages are there twice.
    pub(super) fn make_room_for_seal(&self) {
        // Held by a backup: seals do not wait for it.
        let Some(mut tending) = self.tending.try_lock() else { return };
        let (visited, tending) = (tending.visited(), &mut *tending);
        while self.checkpoint_one(&mut tending.later, |file| file.wal_bytes() >= self.piece_bytes / 2) {}
        while tending.expiry.is_over() && self.checkpoint_one(&mut tending.later, |_| true) {}
        self.make_room(&mut tending.expiry, visited);
    }

    /// One step; false: there was nothing to do.
    fn tend_step(&self, tending: &mut Tending, now: TimeNs) -> Result<bool, StoreError> {
        let visited = tending.visited();
        // WALs first, so that no day goes for bytes that are there twice.
        if self.checkpoint_one(&mut tending.later, |_| true) || self.expire(&mut tending.expiry, now, visited) {
            return Ok(true);
        }
        if tending.round.is_none() && !tending.full.waits(|| self.free()) {
            tending.stuck.take_if(|(_, until)| *until <= Instant::now());
            self.begin_sorting();
            tending.round = self.round(tending, now);
        }
        let Tending { round: Some(round), later, full, .. } = tending else {
            if self.ask_one(tending, now) {
                return Ok(true);
            }
            self.end_sorting(&tending.later, now);
            return Ok(self.note_looked(&mut tending.noting));
        };
        match self.round_step(round, later, now) {
            Ok(true) => return Ok(true),
            Ok(false) => full.ended(),
            Err(error) => {
                // What was merged stays merged, and no delete counts as done.
                full.failed(round.free);
                round.end_visit();
                self.forget_beside(round);
                tending.round = None;
                return Err(error);
            }
        }
        // What is only read keeps what they hide. Rollups that were set aside are not even read.
        let retired: Vec<_> = self.files.retired().iter().map(|file| file.key).filter(|key| key.kind == FileKind::Raw).collect();
        let (stay, done): (Vec<_>, Vec<_>) =
            round.due.drain(..).partition(|delete| round.skipped.is_some() || retired.iter().any(|key| key.meets(range_of(delete))));
        if !done.is_empty() {
            self.state.forget_deletes(&done)?;
            self.tombs.forget(&done);
        }
        if !stay.is_empty() {
            tending.stuck = Some((round.limit, Instant::now() + round.skipped.unwrap_or(MUCH_LATER)));
        }
        self.forget_beside(round);
        tending.round = None;
        Ok(true)
    }

    fn forget_beside(&self, round: &Round) {
        round.beside.iter().filter_map(|key| self.files.get(*key)).for_each(|file| file.news().forget());
    }

    /// Moves the WAL of one file into it. False: there is none, or those there are have to wait.
    fn checkpoint_one(&self, later: &mut Later, is_wanted: impl Fn(&DayFile) -> bool) -> bool {
        let mut written = self.files.written();
        written.retain(|file| !later.holds(file) && is_wanted(file));
        written.iter().any(|file| {
            self.files.used(file);
            match file.checkpoint() {
                // Not done: somebody reads it just now.
                Ok(done) => done,
                Err(error) => {
                    self.put_off(later, file, &error);
                    false
                }
            }
        })
    }

    /// Leaves a file alone for a while that an error came from. Says for how long.
    fn put_off(&self, later: &mut Later, file: &DayFile, error: &StoreError) -> Duration {
        let wait = match error {
            StoreError::Damaged { reason } => {
                self.damages.note(damage::of_upkeep(file, reason.clone()), &[]);
                later.put(file, MUCH_LATER);
                return MUCH_LATER;
            }
            // There may be room again at any time.
            StoreError::DiskFull { .. } => {
                later.put(file, SOON);
                SOON
            }
            _ => later.put_longer(file, SOON),
        };
        tracing::warn!(%error, seconds = wait.as_secs(), "a file of the store is left alone for a while");
        wait
    }

    /// What needs work now, as far as it is known without asking files. None: nothing.
    fn round(&self, tending: &Tending, now: TimeNs) -> Option<Round> {
        let limit = self.merge_limit();
        let due = self.tombs.between(tending.stuck.map_or(Position(0), |(up_to, _)| up_to), limit);
        let is_due = |key: FileKey| due.iter().any(|delete| key.meets(range_of(delete)));
        let (mut files, mut skipped) = (VecDeque::new(), None::<Duration>);
        for file in self.files.all().iter().filter(|file| file.key.kind == FileKind::Raw) {
            let key = file.key;
            let is_wanted = is_due(key) || (key::is_closed(key, now, GRACE) && file.news().are_there(limit));
            match tending.later.wait(file) {
                // Tried again when all of them can be: until then each round would only write the others anew.
                Some(wait) if is_due(key) => skipped = skipped.max(Some(wait)),
                None if is_wanted => files.push_back(key),
                _ => {}
            }
        }
        files.extend(self.only_rolled().into_iter().filter(|key| is_due(*key)));
        let is_idle = files.is_empty() && due.is_empty();
        // All of them: a million that are stuck are not copied with each look.
        let deletes = || self.tombs.up_to(limit);
        (!is_idle).then(|| Round {
            limit,
            deletes: deletes(),
            due,
            files,
            erasing: None,
            visit: None,
            beside: Vec::new(),
            skipped,
            free: self.free(),
        })
    }

    /// Bytes on the disk.
    fn free(&self) -> Option<u64> {
        full::free(self.files.dir())
    }

    /// What every reader sees.
    fn merge_limit(&self) -> Position {
        self.pins.oldest().unwrap_or(Position(u64::MAX)).min(self.sealed())
    }

    /// Asks one day that is over whether it has new rows, which reads all of it: once after a start. False: all were asked.
    fn ask_one(&self, tending: &mut Tending, now: TimeNs) -> bool {
        let is_to_ask = |file: &DayFile| {
            file.key.kind == FileKind::Raw && !file.news().are_known() && key::is_closed(file.key, now, GRACE) && !tending.later.holds(file)
        };
        let Some(file) = self.files.all().into_iter().find(|file| is_to_ask(file)) else { return false };
        #[cfg(test)]
        {
            tending.asked += 1;
        }
        let limit = self.merge_limit();
        self.files.used(&file);
        let looked = match self.is_dirty(&file, limit) {
            Ok(true) => {
                file.news().found(limit);
                Ok(())
            }
            Ok(false) => {
                file.news().looked(limit);
                self.remove_empty(file.key)
            }
            Err(error) => Err(error),
        };
        if let Err(error) = looked {
            self.put_off(&mut tending.later, &file, &error);
        }
        true
    }

    /// Rollups whose readings are gone.
    fn only_rolled(&self) -> Vec<FileKey> {
        let all = self.files.all();
        let has_raw = |key: FileKey| self.files.get(FileKey { kind: FileKind::Raw, ..key }).is_some();
        all.iter().map(|file| file.key).filter(|key| key.kind == FileKind::Rollup && !has_raw(*key)).collect()
    }

    pub(super) fn is_dirty(&self, file: &DayFile, limit: Position) -> Result<bool, StoreError> {
        match file.read("look for new rows in", |db| db.is_dirty(limit)) {
            Err(StoreError::Damaged { reason }) => {
                self.damages.note(damage::of_upkeep(file, reason), &[]);
                Ok(false)
            }
            other => other,
        }
    }

    /// False: the round is over. An error is a full disk: the whole of it is to be made anew.
    fn round_step(&self, round: &mut Round, later: &mut Later, now: TimeNs) -> Result<bool, StoreError> {
        if round.visit.is_some() {
            return self.visit_step(round, later).map(|()| true);
        }
        let Some((key, mut erasing)) = round.erasing.take() else {
            let Some(key) = round.files.pop_front() else { return Ok(false) };
            // Rollups whose readings are gone, all or some: a visit makes anew only what is made of rows that are there.
            match Erasing::new(self, key, &round.deletes) {
                Some(erasing) => round.erasing = Some((key, erasing)),
                None => self.erased(round, later, key, now)?,
            }
            return Ok(true);
        };
        match erasing.step(self) {
            Ok(true) => round.erasing = Some((key, erasing)),
            other => {
                self.met(round, later, &erasing.file, other.map(drop))?;
                self.erased(round, later, key, now)?;
            }
        }
        Ok(true)
    }

    /// Deletes hold in the rollups of a day: now in its readings.
    fn erased(&self, round: &mut Round, later: &mut Later, key: FileKey, now: TimeNs) -> Result<(), StoreError> {
        let Some(file) = self.files.get(key) else { return Ok(()) };
        let met = match key.kind {
            FileKind::Rollup => self.remove_empty(key),
            FileKind::Raw => self.begin(round, &file, now),
        };
        self.met(round, later, &file, met)
    }

    fn visit_step(&self, round: &mut Round, later: &mut Later) -> Result<(), StoreError> {
        let Some(visit) = &mut round.visit else { return Ok(()) };
        let (file, is_whole) = (std::sync::Arc::clone(&visit.file), visit.closed);
        match visit.step(self) {
            Ok(true) => Ok(()),
            Ok(false) => {
                if visit.damaged {
                    round.skip(MUCH_LATER);
                }
                round.end_visit();
                if !is_whole {
                    return Ok(());
                }
                file.news().looked(round.limit);
                self.met(round, later, &file, self.remove_empty(file.key))
            }
            Err(error) => self.met(round, later, &file, Err(error)),
        }
    }

    /// A day that is over and of which all was deleted, or moved to another class, leaves no files.
    fn remove_empty(&self, key: FileKey) -> Result<(), StoreError> {
        for kind in [FileKind::Raw, FileKind::Rollup] {
            let Some(file) = self.files.get(FileKey { kind, ..key }) else { continue };
            if !file.read("look for rows in", |db| db.is_empty(kind))? {
                return Ok(());
            }
            self.unlink(file.key)?;
        }
        Ok(())
    }

    fn begin(&self, round: &mut Round, file: &DayFile, now: TimeNs) -> Result<(), StoreError> {
        let closed = key::is_closed(file.key, now, GRACE);
        self.unnote(file)?;
        round.visit = Visit::new(self, file.key, round.limit, closed, &round.deletes)?;
        if round.visit.is_none() {
            // It is gone, or cannot be read: nothing will be found in it.
            file.news().looked(round.limit);
            round.skip(MUCH_LATER);
        }
        Ok(())
    }

    /// The round goes on without a file that an error came from. On a full disk there is nothing to go on with.
    fn met(&self, round: &mut Round, later: &mut Later, file: &DayFile, met: Result<(), StoreError>) -> Result<(), StoreError> {
        let Err(error) = met else { return Ok(()) };
        if matches!(error, StoreError::DiskFull { .. }) {
            return Err(error);
        }
        let wait = self.put_off(later, file, &error);
        if matches!(error, StoreError::Damaged { .. }) {
            file.news().looked(round.limit);
        }
        round.end_visit();
        round.skip(wait);
        Ok(())
    }
}

fn range_of(delete: &PositionedDelete) -> TimeRange {
    TimeRange { from: delete.delete.from, to: delete.delete.to.saturating_add(1) }
}
