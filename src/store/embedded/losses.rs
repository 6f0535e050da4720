//! What is gone and not in the files to see: days some of whose readings went while others came anew, and files of rollups that were set
//! aside and told of readings that are gone. Floors say it as well, but they move back: a rule may keep longer, a clock may be set.
//!
//! Invariant: a day is noted before the raw file is made that hides that there was another.

use std::collections::BTreeSet;

use parking_lot::RwLock;
use rustc_hash::FxHashSet;

use super::EmbeddedStore;
use super::damage;
use super::dayfile::DayFile;
use super::key::{ClassId, FileKey, FileKind};
use super::state::State;
use crate::store::StoreError;

/// Days and classes of which some readings are gone while a raw file is there.
#[derive(Debug, Default)]
pub(super) struct Losses(RwLock<FxHashSet<(i32, ClassId)>>);

impl Losses {
    pub(super) fn open(state: &State) -> Result<Self, StoreError> {
        let keys = state.lost()?.iter().filter_map(|name| FileKey::parse(name)).map(|key| (key.day, key.class)).collect();
        Ok(Self(RwLock::new(keys)))
    }

    /// `key` is a file's of that day and class.
    pub(super) fn are_of(&self, key: FileKey) -> bool {
        self.0.read().contains(&(key.day, key.class))
    }

    fn note(&self, state: &State, raw: FileKey) -> Result<(), StoreError> {
        if !self.are_of(raw) {
            state.note_lost(&raw.file_name())?;
            self.0.write().insert((raw.day, raw.class));
        }
        Ok(())
    }

    /// Nothing is left that tells of them.
    pub(super) fn forget(&self, state: &State, key: FileKey) {
        if self.are_of(key) {
            self.0.write().remove(&(key.day, key.class));
            // What stays noted costs a look at most.
            if let Err(error) = state.forget_lost(&FileKey { kind: FileKind::Raw, ..key }.file_name()) {
                tracing::debug!(%error, "a day that is gone stays noted");
            }
        }
    }
}

impl EmbeddedStore {
    /// Before a raw file is made: rollups that are there without one tell of readings that are gone.
    pub(super) fn note_what_went(&self, raw: FileKey) -> Result<(), StoreError> {
        let is_there = |kind| self.files.get(FileKey { kind, ..raw }).is_some();
        if is_there(FileKind::Rollup) && !is_there(FileKind::Raw) { self.losses.note(&self.state, raw) } else { Ok(()) }
    }

    /// At the start: which files were set aside, and what went with them.
    pub(super) fn name_set_aside(&self) -> Result<(), StoreError> {
        let known = self.state.set_aside()?;
        let retired = self.files.retired();
        for file in &retired {
            let lost = known.iter().find(|(name, _)| *name == file.name());
            self.damages.note(lost.map_or_else(|| set_aside(file), |(_, what)| damage::of_file(file, what.clone())), &[]);
        }
        let there: BTreeSet<_> = retired.iter().map(|file| file.name()).collect();
        known.iter().filter(|(name, _)| !there.contains(name)).try_for_each(|(name, _)| self.state.forget_set_aside(name))
    }
}

fn set_aside(file: &DayFile) -> damage::Damage {
    damage::of_upkeep(file, "it is damaged and was set aside".to_owned())
}

const LOST: &str = "CREATE TABLE IF NOT EXISTS lost (file TEXT PRIMARY KEY) WITHOUT ROWID";
const ASIDE: &str = "CREATE TABLE IF NOT EXISTS aside (file TEXT PRIMARY KEY, what TEXT NOT NULL) WITHOUT ROWID";

impl State {
    fn lost(&self) -> Result<Vec<String>, StoreError> {
        let files = self.read_table("read what was lost from", "lost", |db| {
            db.prepare("SELECT file FROM lost")?.query_map([], |row| row.get(0))?.collect()
        });
        files.map(Option::unwrap_or_default)
    }

    fn note_lost(&self, file: &str) -> Result<(), StoreError> {
        self.write("note what was lost in", |db| {
            db.execute_batch(LOST)?;
            db.execute("INSERT OR IGNORE INTO lost (file) VALUES (?1)", [file]).map(drop)
        })
    }

    fn forget_lost(&self, file: &str) -> Result<(), StoreError> {
        self.write("forget what was lost in", |db| {
            db.execute_batch(LOST)?;
            db.execute("DELETE FROM lost WHERE file = ?1", [file]).map(drop)
        })
    }

    /// Files with what was lost with them.
    fn set_aside(&self) -> Result<Vec<(String, String)>, StoreError> {
        let files = self.read_table("read what was set aside from", "aside", |db| {
            db.prepare("SELECT file, what FROM aside")?.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
        });
        files.map(Option::unwrap_or_default)
    }

    /// Before a file is set aside with which something is lost.
    pub(super) fn note_set_aside(&self, file: &str, what: &str) -> Result<(), StoreError> {
        self.write("note what is set aside in", |db| {
            db.execute_batch(ASIDE)?;
            db.execute("INSERT OR REPLACE INTO aside (file, what) VALUES (?1, ?2)", [file, what]).map(drop)
        })
    }

    pub(super) fn forget_set_aside(&self, file: &str) -> Result<(), StoreError> {
        self.write("forget what was set aside in", |db| {
            db.execute_batch(ASIDE)?;
            db.execute("DELETE FROM aside WHERE file = ?1", [file]).map(drop)
        })
    }
}
