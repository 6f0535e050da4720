//! Day files that make way: one that cannot be written any more is set aside and stays to be read, and another may take its place.
//!
//! Invariant: whatever fails or is cut off, either the old file is whole in its place or the new one is, and a start finds the same. A
//! new file is whole, and its entry on disk, before the old one is touched.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Files, remove_all, remove_with_wal, with_suffix};
use crate::store::StoreError;
use crate::store::embedded::dayfile::DayFile;
use crate::store::embedded::key::{FileKey, FileKind};
use crate::store::embedded::sql;

/// What follows the name of a retired file, before its number.
const RETIRED: &str = ".damaged-";
/// What follows the name of a file that is about to be replaced, for the one that will be there.
const NEW: &str = ".new";

impl Files {
    /// A damaged file makes way for a new one, and stays to be read.
    pub(in crate::store::embedded) fn retire(&self, key: FileKey) -> Result<Arc<DayFile>, StoreError> {
        let Some(file) = self.all.write().remove(&key) else {
            return Err(StoreError::Failed { reason: format!("{} is not there any more", key.file_name()) });
        };
        file.set_gone();
        file.close_idle();
        let path = self.retired_path(key);
        let moved = self.move_all(ASIDE, &file.path, &path);
        // What is made in its place may come to the disk before this does, and would stand over it.
        let moved = moved.and_then(|()| self.sync_entries().inspect_err(|_| drop(self.move_all(BACK, &path, &file.path))));
        let Err(error) = moved else { return Ok(self.put_retired(path, key)) };
        // It is read where it is.
        if path.exists() {
            self.put_retired(path, key);
        } else {
            self.put(key);
        }
        Err(sql::io_error("set aside", &file.path, &error))
    }

    /// Where a file goes that is retired next.
    pub(in crate::store::embedded) fn retired_path(&self, key: FileKey) -> PathBuf {
        let path = self.path(key);
        let free = (1..).map(|n| with_suffix(&path, &format!("{RETIRED}{n}"))).find(|path| !path.exists());
        free.expect("there are fewer files than numbers")
    }

    /// Makes what is to take the place of a file. That is whole before the file is touched: cut off, either of them is there.
    pub(in crate::store::embedded) fn make_beside(
        &self,
        key: FileKey,
        fill: impl FnOnce(&DayFile) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let path = self.path_beside(key);
        self.fill(&path, key, fill).inspect_err(|_| drop(remove_with_wal(&path)))
    }

    /// As `retire`, but what was made beside takes its place. Where it fails, the old file is in its place as before.
    pub(in crate::store::embedded) fn replace(&self, key: FileKey) -> Result<Arc<DayFile>, StoreError> {
        let (new, path) = (self.path_beside(key), self.path(key));
        let retired = self.retire(key)?;
        if let Err(error) = self.put_new(&new, &path) {
            self.take_back(key, &retired);
            return Err(sql::io_error("put in place", &new, &error));
        }
        self.put(key);
        // That the old one is not there is on disk. A cut that undoes this leaves the new one beside: a start puts it in place.
        if let Err(error) = self.sync_entries() {
            tracing::warn!(%error, file = %path.display(), "a new file is in the place of a damaged one; that was not synced");
        }
        Ok(retired)
    }

    /// Where even that fails there is none, until the new one is put in place.
    fn take_back(&self, key: FileKey, retired: &DayFile) {
        self.retired.write().retain(|other| other.number != retired.number);
        retired.set_gone();
        retired.close_idle();
        let back = self.move_all(BACK, &retired.path, &self.path(key));
        if let Err(error) = back {
            tracing::error!(%error, file = %retired.path.display(), "a damaged file is set aside, and the new one is not in its place yet");
            self.put_retired(retired.path.clone(), key);
            return;
        }
        self.put(key);
        // A cut may leave it where it was set aside, and then the new one is all there is.
        if self.sync_entries().is_ok() {
            drop(self.remove_beside(key));
        }
    }

    /// What could not be put there when the old one was set aside. None: there is no such file.
    pub(super) fn put_in_place(&self, key: FileKey) -> Result<Option<Arc<DayFile>>, StoreError> {
        let new = self.path_beside(key);
        if key.kind != FileKind::Rollup || !new.exists() {
            return Ok(None);
        }
        let placed = self.put_new(&new, &self.path(key)).and_then(|()| self.sync_entries());
        placed.map_err(|error| sql::io_error("put in place", &new, &error))?;
        self.put(key);
        Ok(self.get(key))
    }

    /// A retired file expired.
    pub(in crate::store::embedded) fn remove_retired(&self, file: &DayFile) -> Result<(), StoreError> {
        self.retired.write().retain(|other| other.number != file.number);
        let removed = self.remove(file);
        if removed.is_err() && file.path.exists() {
            self.put_retired(file.path.clone(), file.key);
        }
        removed
    }

    /// What was left half made for a day that goes.
    pub(super) fn remove_beside(&self, key: FileKey) -> Result<(), StoreError> {
        let path = self.path_beside(key);
        remove_with_wal(&path).map_err(|error| sql::io_error("remove", &path, &error))
    }

    fn fill(&self, path: &Path, key: FileKey, fill: impl FnOnce(&DayFile) -> Result<(), StoreError>) -> Result<(), StoreError> {
        remove_with_wal(path).map_err(|error| sql::io_error("remove", path, &error))?;
        let new = DayFile::at(path.to_owned(), key, self.tick());
        sql::create(path)?;
        new.prepare(true)?;
        fill(&new)?;
        if !new.checkpoint()? {
            return Err(StoreError::Failed { reason: format!("{} is read by somebody, though it is new", path.display()) });
        }
        new.close_idle();
        remove_wal(path).map_err(|error| sql::io_error("settle", path, &error))
    }

    fn path(&self, key: FileKey) -> PathBuf {
        self.dir.join(key.file_name())
    }

    fn path_beside(&self, key: FileKey) -> PathBuf {
        with_suffix(&self.path(key), NEW)
    }

    /// It is in its place.
    pub(super) fn put(&self, key: FileKey) {
        self.all.write().insert(key, Arc::new(DayFile::new(&self.dir, key, self.tick())));
    }

    fn put_retired(&self, path: PathBuf, key: FileKey) -> Arc<DayFile> {
        let retired = Arc::new(DayFile::at(path, key, self.tick()));
        self.retired.write().push(Arc::clone(&retired));
        retired
    }

    /// What fails is undone.
    fn move_all(&self, order: [&str; 3], from: &Path, to: &Path) -> io::Result<()> {
        let mut done = Vec::new();
        for suffix in order {
            match (self.rename)(&with_suffix(from, suffix), &with_suffix(to, suffix)) {
                Ok(()) => done.push(suffix),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => {
                    for suffix in done {
                        (self.rename)(&with_suffix(to, suffix), &with_suffix(from, suffix))?;
                    }
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    /// What is made beside takes its place, and finds no WAL there of one that was before: SQLite would take it for its own.
    fn put_new(&self, new: &Path, path: &Path) -> io::Result<()> {
        remove_wal(path)?;
        (self.rename)(new, path)
    }
}

/// On the way to where a file is set aside: the WAL without its file is nothing, the file without it only older. On the way back:
/// whatever a cut leaves, a start sets it aside.
const ASIDE: [&str; 3] = ["-wal", "-shm", ""];
const BACK: [&str; 3] = ["", "-wal", "-shm"];

fn remove_wal(path: &Path) -> io::Result<()> {
    remove_all(&["-wal", "-shm"].map(|suffix| with_suffix(path, suffix)))
}

/// What was cut off, at the start.
pub(super) fn finish(dir: &Path) -> io::Result<()> {
    finish_retiring(dir)?;
    remove_orphans(dir)?;
    finish_replacing(dir)
}

/// WALs without their files: a power cut kept them while it let the file go. Nobody would remove them.
fn remove_orphans(dir: &Path) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let name = entry?.file_name();
        let file = name.to_str().and_then(|name| name.strip_suffix("-wal").or_else(|| name.strip_suffix("-shm")));
        if let Some(file) = file.filter(|file| key_of(file.strip_suffix(NEW).unwrap_or(file)).is_some())
            && !dir.join(file).exists()
        {
            fs::remove_file(dir.join(&name))?;
        }
    }
    Ok(())
}

/// Cut off before the last rename of `Files::replace`, the new file is whole, and there is no other. Cut off earlier, it is none.
fn finish_replacing(dir: &Path) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let name = entry?.file_name();
        let Some(file) = name.to_str().and_then(|name| name.strip_suffix(NEW)).filter(|file| FileKey::parse(file).is_some()) else {
            continue;
        };
        if dir.join(file).exists() {
            remove_with_wal(&dir.join(&name))?;
        } else {
            fs::rename(dir.join(&name), dir.join(file))?;
        }
        fs::File::open(dir)?.sync_all()?;
    }
    Ok(())
}

/// Cut off between the renames of `Files::retire`, a WAL would be without its file, and the file without what was sealed last.
fn finish_retiring(dir: &Path) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let name = entry?.file_name();
        let retired = name.to_str().and_then(|name| name.strip_suffix("-wal")).filter(|name| key_of_retired(name).is_some());
        let Some(retired) = retired else { continue };
        if let Some((file, _)) = retired.split_once(RETIRED)
            && !dir.join(retired).exists()
            && dir.join(file).exists()
        {
            fs::rename(dir.join(file), dir.join(retired))?;
            fs::File::open(dir)?.sync_all()?;
        }
    }
    Ok(())
}

/// Of a day file, also of one that was retired.
pub(in crate::store::embedded) fn key_of(name: &str) -> Option<FileKey> {
    FileKey::parse(name).or_else(|| key_of_retired(name))
}

/// Whether a name is that of a file that was set aside for damage, or of its WAL.
#[must_use]
pub fn is_set_aside(name: &str) -> bool {
    key_of_retired(name.strip_suffix("-wal").unwrap_or(name)).is_some()
}

pub(super) fn key_of_retired(name: &str) -> Option<FileKey> {
    let (name, number) = name.split_once(RETIRED)?;
    number.bytes().all(|byte| byte.is_ascii_digit()).then(|| FileKey::parse(name)).flatten()
}
