//! Series that fall under another retention rule than when they were written. A day that is over and merged rests, so when the rules
//! changed, days are gone through once more: what belongs into another class moves there, all else stays as it is. A day that is open
//! is sorted when it is over.
//!
//! Invariant: the state names the rules only when every day that is over was gone through under them. Cut off, a start begins anew.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use rusqlite::OptionalExtension;

use super::EmbeddedStore;
use super::dayfile::DayFile;
use super::key::{self, FileKind};
use super::later::Later;
use super::state::State;
use super::tend::GRACE;
use crate::model::TimeNs;
use crate::retention::RetentionRule;
use crate::store::StoreError;

#[derive(Debug)]
pub(super) struct Sorting {
    /// As they are written, in their order: the first that matches holds.
    rules: String,
    /// `SeriesInfo::edits` when it was looked last.
    edits: AtomicU64,
    /// Days are to be gone through, and were not told so yet.
    is_due: AtomicBool,
    /// Not all of them were gone through.
    is_on: AtomicBool,
}

impl Sorting {
    pub(super) fn open(state: &State, rules: &[RetentionRule], edits: u64) -> Result<Self, StoreError> {
        let rules = rules.iter().map(|rule| rule.text.as_str()).collect::<Vec<_>>().join("\n");
        let is_due = match state.sorted()? {
            Some(known) => known != rules,
            // A store that never had a rule has nothing to sort.
            None => state.has_classes()?,
        };
        Ok(Self { rules, edits: AtomicU64::new(edits), is_due: AtomicBool::new(is_due), is_on: AtomicBool::new(false) })
    }

    pub(super) fn is_on(&self) -> bool {
        self.is_on.load(Ordering::Relaxed)
    }

    /// Series may lie in files of a rule that is not theirs any more.
    fn is_pending(&self, edits: u64) -> bool {
        self.is_on() || self.is_due.load(Ordering::Relaxed) || self.edits.load(Ordering::Relaxed) != edits
    }
}

impl EmbeddedStore {
    /// Until then no readings go by age: a series could go by a rule that is not its own any more.
    pub(super) fn is_sorted(&self) -> bool {
        !self.sorting.is_pending(self.info.edits())
    }

    /// Before it is looked what needs work.
    pub(super) fn begin_sorting(&self) {
        let (sorting, edits) = (&self.sorting, self.info.edits());
        if sorting.edits.swap(edits, Ordering::Relaxed) != edits {
            sorting.is_due.store(true, Ordering::Relaxed);
            // A start in between is to begin anew.
            if let Err(error) = self.state.note_sorted(None) {
                tracing::debug!(%error, "that series change their retention is not noted");
            }
        }
        if !sorting.is_due.swap(false, Ordering::Relaxed) {
            return;
        }
        tracing::info!("retention rules changed: days are gone through for series that fall under another one");
        sorting.is_on.store(true, Ordering::Relaxed);
        let limit = self.sealed();
        self.files.all().iter().filter(|file| file.key.kind == FileKind::Raw).for_each(|file| file.news().found(limit));
    }

    /// When nothing needs work. Files that fail are not waited for: a start goes through all of them again.
    pub(super) fn end_sorting(&self, later: &Later, now: TimeNs) {
        if !self.sorting.is_on() {
            return;
        }
        let is_left = |file: &DayFile| file.key.kind == FileKind::Raw && key::is_closed(file.key, now, GRACE) && !file.news().are_none();
        let left: Vec<_> = self.files.all().into_iter().filter(|file| is_left(file)).collect();
        if left.iter().any(|file| !later.holds(file)) {
            return;
        }
        self.sorting.is_on.store(false, Ordering::Relaxed);
        // That it fails costs no more than going through them again after a start.
        if left.is_empty()
            && let Err(error) = self.state.note_sorted(Some(&self.sorting.rules))
        {
            tracing::debug!(%error, "that all days are sorted by retention is not noted");
        }
    }
}

impl State {
    /// The rules under which all days were gone through. None: not known.
    fn sorted(&self) -> Result<Option<String>, StoreError> {
        let rules = self
            .read_table("read sorted rules from", "sorted", |db| db.query_row("SELECT rules FROM sorted", [], |row| row.get(0)).optional());
        rules.map(Option::flatten)
    }

    fn has_classes(&self) -> Result<bool, StoreError> {
        self.read("look for classes in", |db| db.query_row("SELECT EXISTS (SELECT 1 FROM classes)", [], |row| row.get(0)))
    }

    fn note_sorted(&self, rules: Option<&str>) -> Result<(), StoreError> {
        self.write("note sorted rules in", |db| {
            db.execute_batch("CREATE TABLE IF NOT EXISTS sorted (rules TEXT NOT NULL); DELETE FROM sorted")?;
            rules.map_or(Ok(()), |rules| db.execute("INSERT INTO sorted (rules) VALUES (?1)", [rules]).map(drop))
        })
    }
}
