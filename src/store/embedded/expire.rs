//! Expiry: whole files go, by age of their class, and to stay within the budget of bytes. Nothing is rewritten for it, but where the
//! budget holds only a few days: of a day that is a large part of it, or still open, the oldest rows go.
//!
//! Invariant: a clock that jumped far ahead expires nothing until it is believed (`belief.rs`).

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::EmbeddedStore;
use super::belief::Time;
use super::damage;
use super::dayfile::{self, DayFile};
use super::key::{self, FileKey, FileKind};
use super::room::Room;
use super::sql;
use super::state::Dropped;
use super::unsealed::Unsealed;
use crate::model::{Position, TimeNs};
use crate::store::StoreError;

/// How often it is looked.
const EVERY: Duration = Duration::from_secs(1);
/// When one failed.
const AGAIN: Duration = Duration::from_secs(10);
/// Of the budget: what is kept free for what comes before the next look: a seal, its WAL, and segments of the log (`Config::fitted`).
const SPARE: u64 = 8;
/// Of the budget: a file that takes more does not go as a whole.
const LARGE: u64 = 4;
/// Of the budget: what goes of such a file at once, and what is written before it is moved from the WAL into the file, since it is
/// there twice then.
const PIECE: u64 = 32;

/// What everything in the data directory may take.
#[derive(Clone, Debug)]
pub struct Budget {
    pub data: PathBuf,
    /// 0: no bound.
    pub max_bytes: u64,
}

impl Budget {
    /// What one transaction may write, about.
    pub(super) fn piece_bytes(&self) -> u64 {
        if self.max_bytes > 0 { self.max_bytes / PIECE } else { u64::MAX }
    }
}

/// From how many bytes on the oldest days go.
pub(crate) fn budget_bytes(max_bytes: u64) -> u64 {
    max_bytes - max_bytes / SPARE
}

#[derive(Debug)]
pub(super) struct Expiry {
    budget: Budget,
    looked: Option<Instant>,
    /// From then to the next look.
    wait: Duration,
    /// The budget cannot be kept, and that was said.
    told: bool,
    room: Room,
    unsealed: Unsealed,
}

impl Expiry {
    pub(super) fn new(budget: Budget, store: &Path) -> Self {
        let room = Room::new(store, budget.max_bytes);
        Self { budget, looked: None, wait: EVERY, told: false, room, unsealed: Unsealed::default() }
    }

    /// Up to where days that are to go wait for a seal.
    pub(super) fn wants_sealed(&self) -> Position {
        self.unsealed.until()
    }

    #[cfg(test)]
    pub(super) fn look_again(&mut self) {
        self.looked = None;
    }

    /// Something must go so that the budget holds, and room is left.
    pub(super) fn is_over(&self) -> bool {
        let Budget { data, max_bytes } = &self.budget;
        *max_bytes > 0 && disk_bytes(data) > budget_bytes(*max_bytes)
    }
}

impl EmbeddedStore {
    /// Says whether it did something. A day that is being `visited` does not go, and loses no rows. What fails is told, and tried
    /// again by a later look.
    pub(super) fn expire(&self, expiry: &mut Expiry, now: TimeNs, visited: Option<i32>) -> bool {
        if expiry.looked.is_some_and(|looked| looked.elapsed() < expiry.wait) {
            return false;
        }
        (expiry.looked, expiry.wait) = (Some(Instant::now()), EVERY);
        let time = self.set_floors(now);
        let by_age = if let Time::Believed(_) = time { self.expire_by_age(expiry, visited) } else { Ok(0) };
        let for_bytes = self.expire_for_bytes(expiry, now, visited);
        let mut gone = 0;
        for part in [by_age, for_bytes] {
            match part {
                Ok(files) => gone += files,
                Err(error) => {
                    tracing::warn!(%error, "not all could expire that should");
                    expiry.wait = AGAIN;
                }
            }
        }
        gone > 0
    }

    /// They hold from the start, not from the first look on. A clock that is behind what was believed makes nothing too old.
    pub(super) fn set_floors(&self, now: TimeNs) -> Time {
        let time = self.belief.time(now);
        self.floors.set_now(match time {
            Time::Believed(now) => now,
            Time::Doubted { last } => last.min(now),
        });
        time
    }

    /// Room for what is about to be sealed, though there was no time for a look.
    pub(super) fn make_room(&self, expiry: &mut Expiry, visited: Option<i32>) {
        if let Err(error) = self.expire_for_bytes(expiry, self.belief.seen(), visited) {
            tracing::warn!(%error, "no room could be made so that [store] max_bytes holds");
        }
    }

    fn expire_by_age(&self, expiry: &mut Expiry, visited: Option<i32>) -> Result<usize, StoreError> {
        let floor = |key: &FileKey| match key.kind {
            FileKind::Raw => self.floors.by_age(self.classes.rule(key.class)),
            FileKind::Rollup => self.floors.rollups_by_age(self.classes.rule(key.class)),
        };
        let is_old = |key: &FileKey| floor(key).is_some_and(|floor| key.last_time() < floor);
        let (mut old, mut rolled, is_sorted) = (Vec::new(), Vec::new(), self.is_sorted());
        let may_go = |key: &FileKey| visited != Some(key.day) && (is_sorted || key.kind == FileKind::Rollup);
        for key in self.files.all().iter().map(|file| file.key).filter(is_old) {
            if key.kind == FileKind::Raw && !is_old(&FileKey { kind: FileKind::Rollup, ..key }) {
                rolled.push(key);
            } else if may_go(&key) {
                old.push(key);
            }
        }
        // Readings whose rollups stay longer go when those are made, of all that came for them. What may not go yet waits on: a day that is
        // forgotten would ask for one more seal.
        let sealed = expiry.unsealed.sealed(&rolled, Position(self.committed.load(Ordering::Relaxed)), self.sealed());
        let is_summed_up = |key: &FileKey| self.files.get(*key).is_some_and(|file| !self.waits_for_rollups(&file));
        old.extend(sealed.into_iter().filter(|key| may_go(key) && is_summed_up(key)));
        let (mut gone, mut failed) = (0, Ok(()));
        for file in self.files.retired().iter().filter(|file| is_old(&file.key)) {
            failed = failed.and(self.files.remove_retired(file));
        }
        for key in &old {
            tracing::info!(file = key.file_name(), "a day is older than its retention");
            // One that cannot be removed holds up no other.
            let removed = self.unlink(*key);
            gone += usize::from(removed.is_ok());
            failed = failed.and(removed);
        }
        failed.map(|()| gone)
    }

    /// Whether a day is to be summed up yet. What a visit had to leave for damage is not: damage does not heal.
    fn waits_for_rollups(&self, file: &DayFile) -> bool {
        if !file.news().are_known() {
            match self.is_dirty(file, self.sealed()) {
                Ok(true) => file.news().found(self.sealed()),
                Ok(false) => return false,
                // One that cannot be asked now waits as well.
                Err(_) => return true,
            }
        }
        file.news().are_there(Position(u64::MAX))
    }

    /// One file at a time, so that no more goes than must. One that gives no room holds up no other.
    fn expire_for_bytes(&self, expiry: &mut Expiry, now: TimeNs, visited: Option<i32>) -> Result<usize, StoreError> {
        let (max_bytes, today) = (expiry.budget.max_bytes, key::day_of(now));
        let (mut gone, mut stays) = (0, Vec::new());
        while expiry.is_over() {
            let Some((file, is_retired)) = self.next_to_go(today, &stays) else {
                if !std::mem::replace(&mut expiry.told, true) {
                    tracing::warn!(max_bytes, "[store] max_bytes is too small: nothing is left to drop");
                }
                return Ok(gone);
            };
            let key = file.key;
            if !is_retired && visited == Some(key.day) && key.kind == FileKind::Raw {
                // Soon over; until then there is what is kept free. What it took away of rollups is made of these readings.
                return Ok(gone);
            }
            let is_large = || fs::metadata(&file.path).is_ok_and(|meta| allocated(&meta) > max_bytes / LARGE);
            let went = if is_retired {
                self.drop_retired(&file)
            } else if key.kind == FileKind::Rollup || (key.day < today && !is_large()) {
                self.drop_day(&file)
            } else {
                self.drop_some(&file, max_bytes / PIECE, today)
            };
            match went {
                Ok(true) => {
                    gone += 1;
                    expiry.told = false;
                }
                Ok(false) => stays.push(file.path.clone()),
                // What was held for this.
                Err(StoreError::DiskFull { .. }) if expiry.room.release() => {}
                Err(error) => return Err(error),
            }
        }
        expiry.room.hold();
        Ok(gone)
    }

    /// Readings before their rollups, lower priority before higher, older before newer; and whether it is one that was set aside.
    fn next_to_go(&self, today: i32, stays: &[PathBuf]) -> Option<(Arc<DayFile>, bool)> {
        let order = |file: &Arc<DayFile>| (file.key.kind, self.classes.priority(file.key.class), file.key.day);
        let least = |files: Vec<Arc<DayFile>>| files.into_iter().filter(|file| !stays.contains(&file.path)).min_by_key(order);
        let mut all = self.files.all();
        all.retain(|file| file.key.day < today || file.key.kind == FileKind::Raw);
        match (least(all), least(self.files.retired())) {
            (Some(file), Some(retired)) if order(&file) < order(&retired) => Some((file, false)),
            (file, retired) => retired.map(|retired| (retired, true)).or(file.map(|file| (file, false))),
        }
    }

    fn drop_retired(&self, file: &DayFile) -> Result<bool, StoreError> {
        tracing::info!(file = %file.path.display(), "a damaged file goes so that [store] max_bytes holds");
        if self.files.get(file.key).is_none() {
            self.drop_until(file.key, file.key.last_time().saturating_add(1))?;
        }
        Ok(or_stays(self.files.remove_retired(file)))
    }

    fn drop_day(&self, file: &DayFile) -> Result<bool, StoreError> {
        tracing::info!(file = file.name(), "a day goes so that [store] max_bytes holds");
        self.drop_until(file.key, file.key.last_time().saturating_add(1))?;
        Ok(or_stays(self.unlink(file.key)))
    }

    fn drop_some(&self, file: &DayFile, bytes: u64, today: i32) -> Result<bool, StoreError> {
        match self.drop_oldest(file, bytes, today) {
            Err(error @ StoreError::DiskFull { .. }) => {
                // What the attempt wrote is given back.
                let _later = file.checkpoint();
                Err(error)
            }
            Err(error) => {
                tracing::warn!(%error, "a day gives no room; the next has to");
                Ok(false)
            }
            other => other,
        }
    }

    pub(super) fn unlink(&self, key: FileKey) -> Result<(), StoreError> {
        self.files.unlink(key)?;
        if key.kind == FileKind::Rollup {
            self.losses.forget(&self.state, key);
        }
        Ok(())
    }

    /// The floor first: what is late for that time from now on is refused, and does not make it anew.
    pub(super) fn drop_until(&self, key: FileKey, until: TimeNs) -> Result<(), StoreError> {
        self.state.note_dropped(Dropped { class: key.class, kind: key.kind, until })?;
        if key.kind == FileKind::Raw {
            self.classes.drop_until(&self.floors, key.class, until);
        }
        Ok(())
    }

    /// The oldest rows of a file, of so many bytes together. False: it has none. A day that is summed up is given up whole: what came
    /// late for the rest of it would have its rollups made anew of that rest.
    pub(super) fn drop_oldest(&self, file: &DayFile, bytes: u64, today: i32) -> Result<bool, StoreError> {
        // Of rows that went before, when the disk was full in the middle.
        if self.give_back(file)? {
            return Ok(true);
        }
        let key = file.key;
        let read = file.read("look for the oldest rows of", |db| db.end_of_oldest(bytes));
        let until = match read {
            Err(StoreError::Damaged { reason }) => {
                self.damages.note(damage::of_upkeep(file, reason), &[]);
                None
            }
            other => other?,
        };
        let Some(until) = until else { return Ok(false) };
        tracing::info!(file = key.file_name(), until, "the oldest readings of a day go so that [store] max_bytes holds");
        let is_summed_up = key.day < today && !self.is_dirty(file, self.sealed())?;
        self.drop_until(key, if is_summed_up { key.last_time().saturating_add(1) } else { until })?;
        file.write("drop the oldest rows of", |db| dayfile::remove_until(db, until))?;
        file.checkpoint()?;
        self.give_back(file)?;
        Ok(true)
    }

    /// Free pages of a file go back to the disk, a few at a time: each lies in the WAL before. Says whether there were some.
    fn give_back(&self, file: &DayFile) -> Result<bool, StoreError> {
        let mut given = false;
        while file.write("shrink", |db| sql::shrink(db, self.piece_bytes / 4))? {
            file.checkpoint()?;
            given = true;
        }
        file.checkpoint()?;
        Ok(given)
    }
}

/// Whether it is gone.
fn or_stays(removed: Result<(), StoreError>) -> bool {
    removed.inspect_err(|error| tracing::warn!(%error, "a file cannot be removed; the next has to go")).is_ok()
}

fn allocated(meta: &fs::Metadata) -> u64 {
    meta.blocks() * 512
}

/// What a directory and those in it take on the disk.
pub(crate) fn disk_bytes(dir: &Path) -> u64 {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let each = |entry: fs::DirEntry| match entry.metadata() {
        Ok(meta) if meta.is_dir() => disk_bytes(&entry.path()),
        Ok(meta) => allocated(&meta),
        // It went in between.
        Err(_) => 0,
    };
    entries.map(each).sum()
}
