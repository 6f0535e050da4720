//! The files of the store, by day. Few are open at a time: a gateway with 400 days keeps 400 names.

mod retired;

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::RwLock;

use super::dayfile::{DayFile, Marks};
use super::key::{self, ClassId, FileKey, FileKind};
use super::sql;
use crate::model::TimeRange;
use crate::store::StoreError;

pub use retired::is_set_aside;
pub(super) use retired::key_of;

/// Files whose connections stay open between two questions.
const OPEN_FILES: usize = 16;

/// A UTC day, by its number since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Day(pub(super) i32);

impl Day {
    fn least(self) -> FileKey {
        FileKey { day: self.0, kind: FileKind::Raw, class: ClassId(0) }
    }

    fn most(self) -> FileKey {
        FileKey { day: self.0, kind: FileKind::Rollup, class: ClassId(u16::MAX) }
    }

    /// What of a range lies in the day.
    pub(super) fn range(self, range: TimeRange) -> TimeRange {
        let day = self.least();
        TimeRange { from: range.from.max(day.first_time()), to: range.to.min(day.last_time().saturating_add(1)) }
    }
}

/// A file whose first rows are smaller stays small.
const SMALL_BYTES: usize = 256 << 10;

/// More rows than a day gets in ten thousand years, and far from the greatest number there is.
const UNKNOWN_MARK: i64 = 1 << 40;

#[derive(Debug)]
pub(super) struct Files {
    dir: PathBuf,
    all: RwLock<BTreeMap<FileKey, Arc<DayFile>>>,
    /// Files that could not be written for damage: read as far as they can be, never written or merged.
    retired: RwLock<Vec<Arc<DayFile>>>,
    /// Numbers files, and counts uses.
    clock: AtomicU64,
    /// How files that make way are moved.
    pub(super) rename: Rename,
}

pub(super) type Rename = fn(&Path, &Path) -> io::Result<()>;

impl Files {
    /// Finds the files of a directory, which is made if it is not there.
    pub(super) fn open(dir: &Path) -> Result<Self, StoreError> {
        let io_error = |what| move |error: io::Error| sql::io_error(what, dir, &error);
        fs::create_dir_all(dir).map_err(io_error("make"))?;
        let parent = dir.parent().expect("the store's directory lies in the data directory");
        fs::File::open(parent).and_then(|parent| parent.sync_all()).map_err(io_error("sync the parent of"))?;
        let rename: Rename = |from, to| fs::rename(from, to);
        let files = Self { dir: dir.to_owned(), all: RwLock::default(), retired: RwLock::default(), clock: AtomicU64::new(0), rename };
        retired::finish(dir).map_err(io_error("finish what was cut off in"))?;
        for entry in fs::read_dir(dir).map_err(io_error("list"))? {
            let name = entry.map_err(io_error("list"))?.file_name();
            if let Some(key) = name.to_str().and_then(FileKey::parse) {
                files.all.write().insert(key, Arc::new(DayFile::new(dir, key, files.tick())));
            } else if let Some(key) = name.to_str().and_then(retired::key_of_retired) {
                files.retired.write().push(Arc::new(DayFile::at(dir.join(&name), key, files.tick())));
            }
        }
        Ok(files)
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    fn tick(&self) -> u64 {
        self.clock.fetch_add(1, Ordering::Relaxed)
    }

    pub(super) fn get(&self, key: FileKey) -> Option<Arc<DayFile>> {
        let file = self.all.read().get(&key).cloned()?;
        self.used(&file);
        Some(file)
    }

    /// `first_bytes`: what is about to be written. Files begin with a seal of an hour or two of their day.
    pub(super) fn get_or_make(&self, key: FileKey, first_bytes: usize) -> Result<Arc<DayFile>, StoreError> {
        let file = match self.get(key) {
            Some(file) => file,
            None => match self.put_in_place(key)? {
                Some(file) => file,
                None => self.make(key, first_bytes)?,
            },
        };
        if key.kind == FileKind::Raw {
            file.number_behind(|| self.marks(key))?;
        }
        Ok(file)
    }

    /// Up to where the rollups of a day name raw rows, also such as have expired: what a raw file gets that is made anew has other numbers.
    fn marks(&self, raw: FileKey) -> Result<Marks, StoreError> {
        let Some(rollups) = self.get(FileKey { kind: FileKind::Rollup, ..raw }) else { return Ok(Marks::default()) };
        match rollups.read("look for marks in", |db| db.greatest_marks()) {
            // Behind any that they can name.
            Err(StoreError::Damaged { .. }) => Ok(Marks { own: UNKNOWN_MARK, many: UNKNOWN_MARK }),
            other => other,
        }
    }

    fn make(&self, key: FileKey, first_bytes: usize) -> Result<Arc<DayFile>, StoreError> {
        let file = Arc::new(DayFile::made(&self.dir, key, self.tick()));
        sql::create(&file.path)?;
        // A day of minutes is larger than any page but for that of a few; cut into small pages it loses nothing but in its last.
        file.prepare(key.kind == FileKind::Rollup || first_bytes < SMALL_BYTES)?;
        self.all.write().insert(key, Arc::clone(&file));
        self.used(&file);
        Ok(file)
    }

    /// The days of the range that have raw files.
    pub(super) fn days_in(&self, range: TimeRange) -> Vec<Day> {
        self.days_with(range, |key| key.kind == FileKind::Raw)
    }

    /// The days of the range that have raw files or rollups.
    pub(super) fn all_days_in(&self, range: TimeRange) -> Vec<Day> {
        self.days_with(range, |_| true)
    }

    fn days_with(&self, range: TimeRange, wanted: impl Fn(&FileKey) -> bool) -> Vec<Day> {
        if range.from >= range.to {
            return Vec::new();
        }
        let all = self.all.read();
        let files = all.range(Day(key::day_of(range.from)).least()..=Day(key::day_of(range.to - 1)).most());
        let mut days: Vec<_> = files.filter(|(key, _)| wanted(key)).map(|(key, _)| Day(key.day)).collect();
        let retired = self.retired.read();
        days.extend(retired.iter().map(|file| file.key).filter(|key| key.meets(range) && wanted(key)).map(|key| Day(key.day)));
        days.sort_unstable();
        days.dedup();
        days
    }

    /// The raw files of a day, one per class.
    pub(super) fn of_day(&self, day: Day) -> Vec<Arc<DayFile>> {
        self.of_day_and_kind(day, FileKind::Raw)
    }

    pub(super) fn rollups_of_day(&self, day: Day) -> Vec<Arc<DayFile>> {
        self.of_day_and_kind(day, FileKind::Rollup)
    }

    fn of_day_and_kind(&self, day: Day, kind: FileKind) -> Vec<Arc<DayFile>> {
        let all = self.all.read();
        let files = all.range(day.least()..=day.most()).filter(|(key, _)| key.kind == kind);
        files.map(|(_, file)| Arc::clone(file)).collect()
    }

    /// Those of a day that are only read.
    pub(super) fn retired_of_day(&self, day: Day) -> Vec<Arc<DayFile>> {
        self.retired.read().iter().filter(|file| file.key.day == day.0 && file.key.kind == FileKind::Raw).cloned().collect()
    }

    pub(super) fn retired(&self) -> Vec<Arc<DayFile>> {
        self.retired.read().clone()
    }

    fn sync_entries(&self) -> io::Result<()> {
        fs::File::open(&self.dir).and_then(|dir| dir.sync_all())
    }

    /// Those whose WAL may hold something.
    pub(super) fn written(&self) -> Vec<Arc<DayFile>> {
        self.all.read().values().filter(|file| file.is_written()).cloned().collect()
    }

    /// Points of all raw files that can be read.
    pub(super) fn points(&self) -> u64 {
        let all = self.all();
        let raw = all.iter().filter(|file| file.key.kind == FileKind::Raw);
        raw.filter_map(|file| file.sums().ok()).map(|(points, _)| points).sum()
    }

    pub(super) fn all(&self) -> Vec<Arc<DayFile>> {
        self.all.read().values().cloned().collect()
    }

    /// Notes a use, and lets whoever was used longest ago close.
    pub(super) fn used(&self, file: &DayFile) {
        file.touch(self.tick());
        if file.has_idle() {
            return;
        }
        let all = self.all.read();
        let mut open: Vec<_> = all.values().filter(|file| file.has_idle()).collect();
        if open.len() > OPEN_FILES {
            // Uses go on meanwhile, so each is looked at once.
            open.sort_by_cached_key(|file| file.used.load(Ordering::Relaxed));
            open[..open.len() - OPEN_FILES].iter().for_each(|file| file.close_idle());
        }
    }

    /// The file is gone for all who come later; its room is free when those who read it let go. One that cannot be removed is there as
    /// before, and counts: it is tried again.
    pub(super) fn unlink(&self, key: FileKey) -> Result<(), StoreError> {
        let Some(file) = self.all.write().remove(&key) else { return Ok(()) };
        let removed = self.remove_beside(key).and_then(|()| self.remove(&file));
        if removed.is_err() && file.path.exists() {
            file.set_gone();
            self.put(key);
        }
        removed
    }

    fn remove(&self, file: &DayFile) -> Result<(), StoreError> {
        file.set_gone();
        file.close_idle();
        remove_with_wal(&file.path).map_err(|error| sql::io_error("remove", &file.path, &error))?;
        self.sync_entries().map_err(|error| sql::io_error("sync", &self.dir, &error))
    }

    /// Bytes of the files, their WALs and what else lies in the directory.
    pub(super) fn bytes(&self) -> u64 {
        let entries = fs::read_dir(&self.dir).into_iter().flatten().flatten();
        entries.filter_map(|entry| entry.metadata().ok()).map(|meta| meta.len()).sum()
    }
}

fn remove_with_wal(path: &Path) -> io::Result<()> {
    remove_all(&[with_suffix(path, "-wal"), with_suffix(path, "-shm"), path.to_owned()])
}

fn remove_all(paths: &[PathBuf]) -> io::Result<()> {
    paths.iter().try_for_each(|path| match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    })
}

pub(super) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}
