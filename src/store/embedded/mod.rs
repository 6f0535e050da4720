//! The embedded store: chunks in SQLite files, one per UTC day, kind and retention class (FORMAT.md).
//!
//! Invariants: one thread writes (the sealer's), any number read. What a seal wrote is seen by no reader whose pin is older, and a
//! merge touches only rows that every reader sees. A body counts as written when it was decoded again to the same points.

mod belief;
mod cache;
mod check;
mod chunk;
mod classes;
mod cuts;
mod damage;
mod dayfile;
mod expire;
mod extent;
mod files;
mod key;
mod later;
mod listed;
mod looked;
mod losses;
mod merge;
mod merge_many;
mod merge_which;
mod news;
mod parts;
mod read;
mod rollup;
mod room;
mod rows;
mod salvage;
mod seal;
mod sizes;
mod sorting;
mod sql;
mod state;
mod tend;
mod tombs;
mod unsealed;
mod walked;

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::{Mutex, RwLock};

pub use check::{Checked, check};
pub use damage::Damage;
pub use expire::Budget;
pub(crate) use expire::{budget_bytes, disk_bytes};
pub use files::is_set_aside;
pub use key::ClassId;
pub use sizes::{FileSize, Sizes, sizes};

use super::{Coarse, Extent, GoneSink, Handover, PieceSink, Pin, Pins, Sink, Store, StoreError, StoreStats, Unreadable};
use crate::model::{Position, SeriesId, TimeNs, TimeRange, Value};
use crate::retention::{Floors, RetentionRule, RuleId};
use belief::{Belief, Time};
use cache::Cache;
use classes::Classes;
use damage::Damages;
use expire::Expiry;
use files::Files;
use key::FileKind;
use losses::Losses;
use parts::Decoder;
use sorting::Sorting;
use state::State;
use tend::Tending;
use tombs::Tombs;

pub const DIR_NAME: &str = "store";

/// Whether a directory is such a store with readings in it.
#[must_use]
pub fn holds_readings(dir: &Path) -> bool {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().into_string().ok()).any(|name| key::FileKey::parse(&name).is_some())
}

/// What the store asks about a series.
pub trait SeriesInfo: Send + Sync + fmt::Debug {
    /// Slow series of one metric lie together: the crc32c of its name.
    fn metric(&self, series: SeriesId) -> u32;
    /// The retention rule it falls under now.
    fn rule(&self, series: SeriesId) -> RuleId;
    /// How often something was edited that may have a series fall under another rule.
    fn edits(&self) -> u64 {
        0
    }
}

/// What opening needs.
#[derive(Debug)]
pub struct Parts<'a> {
    pub dir: &'a Path,
    /// Copies of damaged chunks go here.
    pub set_aside: &'a Path,
    /// Up to here the catalog knows what was sealed; what lies beyond was cut off, and the log has it.
    pub sealed: Position,
    /// When that was. 0: never.
    pub sealed_at: TimeNs,
    /// What the clock says now.
    pub now: TimeNs,
    pub pins: Arc<Pins>,
    pub info: Arc<dyn SeriesInfo>,
    pub cache_bytes: usize,
    pub rules: &'a [RetentionRule],
    pub floors: Arc<Floors>,
    pub budget: Budget,
}

#[derive(Debug)]
pub struct EmbeddedStore {
    files: Files,
    state: State,
    tombs: Tombs,
    cache: Cache,
    damages: Damages,
    pins: Arc<Pins>,
    info: Arc<dyn SeriesInfo>,
    classes: Classes,
    sorting: Sorting,
    floors: Arc<Floors>,
    losses: Losses,
    /// Held for reading while a reader takes the parts of a day out of its files, for writing while a series moves between files.
    layout: RwLock<()>,
    sealed: AtomicU64,
    committed: AtomicU64,
    /// A seal began whose end the catalog does not know yet.
    unfinished: AtomicBool,
    belief: Belief,
    /// What one transaction of its own work may write, about, so that the budget of bytes holds with its WAL.
    piece_bytes: u64,
    tending: Mutex<Tending>,
}

impl EmbeddedStore {
    pub fn open(parts: Parts<'_>) -> Result<Self, StoreError> {
        let Parts { dir, set_aside, sealed, sealed_at, now, pins, info, cache_bytes, rules, floors, budget } = parts;
        let files = Files::open(dir)?;
        let state = State::open(dir)?;
        let classes = Classes::new(rules, &state)?;
        let losses = Losses::open(&state)?;
        let sorting = Sorting::open(&state, rules, info.edits())?;
        for dropped in state.dropped()?.iter().filter(|dropped| dropped.kind == FileKind::Raw) {
            classes.drop_until(&floors, dropped.class, dropped.until);
        }
        let piece_bytes = budget.piece_bytes();
        let expiry = Expiry::new(budget, dir);
        let store = Self {
            files,
            state,
            tombs: Tombs::default(),
            cache: Cache::new(cache_bytes),
            damages: Damages::new(set_aside),
            pins,
            info,
            classes,
            sorting,
            floors,
            losses,
            layout: RwLock::default(),
            sealed: AtomicU64::new(sealed.0),
            committed: AtomicU64::new(sealed.0),
            unfinished: AtomicBool::new(false),
            belief: Belief::new(sealed_at),
            piece_bytes,
            tending: Mutex::new(Tending::new(expiry)),
        };
        store.set_floors(now);
        store.tending.lock().noting = store.remember()?;
        match store.clean() {
            Err(StoreError::DiskFull { reason }) => {
                // No reader sees it, and no merge; the next seal begins with it.
                tracing::warn!(reason, "what a seal left that did not end is removed when there is room");
                store.unfinished.store(true, Ordering::Release);
            }
            other => other?,
        }
        store.name_set_aside()?;
        let mut deletes = store.state.deletes()?;
        deletes.retain(|delete| delete.position <= sealed);
        store.tombs.add(&deletes);
        Ok(store)
    }

    fn sealed(&self) -> Position {
        Position(self.sealed.load(Ordering::Acquire))
    }

    /// Removes what seals left that did not end.
    fn clean(&self) -> Result<(), StoreError> {
        let sealed = self.sealed();
        for key in self.state.unfinished(sealed)? {
            let Some(file) = self.files.get(key) else { continue };
            match file.write("remove an unfinished seal from", |db| dayfile::remove_after(db, sealed)) {
                Err(StoreError::Damaged { reason }) => self.damages.note(damage::of_upkeep(&file, reason), &[]),
                other => drop(other?),
            }
        }
        self.state.cleaned()
    }

    /// The same before a seal. It comes before anything goes for room; but on a full disk it needs some itself.
    fn clean_on_any_disk(&self) -> Result<(), StoreError> {
        match self.clean() {
            Err(StoreError::DiskFull { .. }) => {
                self.make_room_for_seal();
                self.clean()
            }
            other => other,
        }
    }

    /// While nobody takes the parts of a day out of its files: a reader would find neither the file that goes nor the one that comes.
    fn between_readers<T>(&self, change: impl FnOnce() -> T) -> T {
        // One thread writes: if somebody holds it so, this does.
        let _no_reader = (!self.layout.is_locked_exclusive()).then(|| self.layout.write());
        change()
    }

    /// What could not be read so far.
    #[must_use]
    pub fn damages(&self) -> Vec<Damage> {
        self.damages.all()
    }

    /// What of a series is missing for damage. Rollups that cannot be read are, when some of their readings may not be there to answer.
    fn lost(&self, series: SeriesId, range: TimeRange) -> Vec<Damage> {
        let mut lost = self.damages.of((series, self.info.metric(series)), range);
        lost.retain(|damage| {
            let key = files::key_of(&damage.file).filter(|key| key.kind == FileKind::Rollup);
            let answers = |key| self.files.get(key::FileKey { kind: FileKind::Raw, ..key }).is_some() && !rollup::may_have_lost(self, key);
            !key.is_some_and(answers)
        });
        lost
    }

    /// Where a series' rows go now.
    fn class(&self, series: SeriesId) -> ClassId {
        self.classes.of(self.info.rule(series))
    }

    fn decoder(&self) -> Decoder<'_> {
        Decoder { cache: &self.cache, damages: &self.damages, keeps: true }
    }
}

impl Store for EmbeddedStore {
    fn seal(&self, handover: &Handover<'_>) -> Result<(), StoreError> {
        if self.unfinished.swap(true, Ordering::AcqRel) {
            self.clean_on_any_disk()?;
        }
        self.make_room_for_seal();
        seal::seal(self, handover)
    }

    fn look_up(&self, pin: &Pin, series: SeriesId, times: &[TimeNs]) -> Result<Vec<Option<Value>>, StoreError> {
        read::look_up(self, pin, series, times)
    }

    fn scan(&self, pin: &Pin, series: SeriesId, range: TimeRange, sink: &mut Sink<'_>) -> Result<(), StoreError> {
        read::scan(self, pin, series, range, read::Direction::Forward, sink)
    }

    fn scan_back(&self, pin: &Pin, series: SeriesId, range: TimeRange, sink: &mut Sink<'_>) -> Result<(), StoreError> {
        read::scan(self, pin, series, range, read::Direction::Back, sink)
    }

    fn scan_coarse(
        &self,
        pin: &Pin,
        series: SeriesId,
        range: TimeRange,
        coarse: Coarse<'_>,
        sink: &mut PieceSink<'_>,
    ) -> Result<(), StoreError> {
        rollup::scan_coarse(self, pin, series, range, coarse, sink)
    }

    fn scan_gone(
        &self,
        pin: &Pin,
        series: SeriesId,
        range: TimeRange,
        coarse: Coarse<'_>,
        sink: &mut GoneSink<'_>,
    ) -> Result<(), StoreError> {
        rollup::scan_gone(self, pin, series, range, coarse, sink)
    }

    fn count(&self, pin: &Pin, series: SeriesId, range: TimeRange) -> Result<u64, StoreError> {
        read::count(self, pin, series, range, u64::MAX)
    }

    fn count_to(&self, pin: &Pin, series: SeriesId, range: TimeRange, enough: u64) -> Result<u64, StoreError> {
        read::count(self, pin, series, range, enough)
    }

    fn extents(&self, pin: &Pin, series: &[SeriesId]) -> Result<Option<Vec<Extent>>, StoreError> {
        extent::extents(self, pin, series).map(Some)
    }

    fn set_sealed(&self, up_to: Position) {
        self.sealed.store(up_to.0, Ordering::Release);
        self.unfinished.store(false, Ordering::Release);
    }

    fn set_committed(&self, up_to: Position) {
        self.committed.store(up_to.0, Ordering::Relaxed);
    }

    fn wants_sealed(&self) -> Position {
        // Held by a backup: no day goes meanwhile.
        self.tending.try_lock().map_or(Position(0), |tending| tending.wants_sealed())
    }

    fn tend(&self, now: TimeNs, budget: Duration) -> Result<bool, StoreError> {
        self.tend_for(now, budget)
    }

    fn while_still(&self, work: &mut dyn FnMut()) {
        let _still = self.tending.lock();
        work();
    }

    fn is_damaged(&self, series: SeriesId, range: TimeRange) -> bool {
        !self.lost(series, range).is_empty()
    }

    fn unreadable(&self, series: SeriesId, range: TimeRange) -> Vec<Unreadable> {
        let lost = self.lost(series, range).into_iter();
        let span = |damage: &Damage| TimeRange { from: damage.first.max(range.from), to: damage.last.saturating_add(1).min(range.to) };
        lost.map(|damage| Unreadable { range: span(&damage), why: damage.place_and_what() }).collect()
    }

    fn damaged(&self) -> Vec<Damage> {
        self.damages()
    }

    fn believed(&self, now: TimeNs) -> TimeNs {
        match self.belief.time(now) {
            Time::Believed(time) | Time::Doubted { last: time } => time,
        }
    }

    fn stats(&self) -> StoreStats {
        StoreStats { points: self.files.points(), bytes: self.files.bytes() }
    }
}

#[cfg(test)]
mod tests;
