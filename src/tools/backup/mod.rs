//! A backup of a hub at work: everything up to one position, into a directory that may hold an older one.
//!
//! The order: seal, let the store rest but for seals, copy the catalog (it says up to which position), then the store's files
//! without what was sealed since, then the manifest. Until that is renamed the backup before it is whole: changed files get new names.
//! A file that holds the same rows as in the backup before is not copied again. Files that were set aside for damage are in it as they are.

pub(super) mod copy;
pub mod manifest;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

pub use manifest::{Manifest, Saved};

use super::{Progress, sums};
use crate::catalog;
use crate::hub::Hub;
use crate::limits::SEAL_WAIT;
use crate::model::{Position, SeriesId};
use crate::seal::Trouble;
use crate::store::embedded;
use crate::store::{Pin, Store, StoreError};

/// Within the backup's directory.
pub const FILES: &str = "files";

#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    #[error("cannot {what} {}", path.display())]
    Io {
        what: &'static str,
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("cannot {what} {}: {source}", path.display())]
    Sqlite {
        what: &'static str,
        path: PathBuf,
        #[source]
        source: rusqlite::Error,
    },
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("{}: not a backup of telltale: {why}", path.display())]
    NoBackup { path: PathBuf, why: String },
    #[error("{}: the backup has format {found}, this program knows formats up to {known}: use a newer telltale", path.display())]
    Newer { path: PathBuf, found: u32, known: u32 },
    #[error("{} is not empty and holds no backup", path.display())]
    NotEmpty { path: PathBuf },
    #[error("{} lies within the data directory {}: a backup is to be elsewhere", path.display(), data.display())]
    Within { path: PathBuf, data: PathBuf },
    #[error("the readings in memory were not sealed: {why}")]
    NotSealed { why: String },
    #[error("{file} of the backup is damaged: {why}")]
    Damaged { file: String, why: String },
}

pub(super) fn io_error(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> BackupError {
    let path = path.to_owned();
    move |source| BackupError::Io { what, path, source }
}

pub(super) fn sqlite_error(what: &'static str, path: &Path) -> impl FnOnce(rusqlite::Error) -> BackupError {
    let path = path.to_owned();
    move |source| BackupError::Sqlite { what, path, source }
}

/// What was done.
#[derive(Debug)]
pub struct Done {
    pub epoch: u64,
    pub position: Position,
    pub files: usize,
    pub copied: usize,
    pub copied_bytes: u64,
    pub series: usize,
    pub readings: u64,
}

/// Blocks for as long as copying takes; the hub goes on meanwhile.
pub fn run(hub: &Hub, dir: &Path, progress: &mut Progress<'_>) -> Result<Done, BackupError> {
    refuse_within(dir, &hub.config.data.dir)?;
    let before = prepare(dir)?;
    seal(hub)?;
    let mut done = None;
    hub.store.while_still(&mut || done = Some(save(hub, dir, before.as_ref(), progress)));
    let (manifest, done) = done.expect("a store does the work it is given")?;
    manifest.write(dir)?;
    // Only now: until here the backup before was whole.
    copy::remove_others(dir, &manifest)?;
    Ok(done)
}

/// There it would count as data, and go with it. The directory need not be there yet.
fn refuse_within(dir: &Path, data: &Path) -> Result<(), BackupError> {
    let data = data.canonicalize().map_err(io_error("find", data))?;
    let there = dir.ancestors().find_map(|ancestor| ancestor.canonicalize().ok());
    if there.is_some_and(|there| there.starts_with(&data)) {
        return Err(BackupError::Within { path: dir.to_owned(), data });
    }
    Ok(())
}

/// The backup that is there. A directory with other things is not taken.
fn prepare(dir: &Path) -> Result<Option<Manifest>, BackupError> {
    if let Some(manifest) = Manifest::find(dir)? {
        return Ok(Some(manifest));
    }
    make(dir).map_err(io_error("make", dir))?;
    for entry in fs::read_dir(dir).map_err(io_error("list", dir))? {
        let name = entry.map_err(io_error("list", dir))?.file_name();
        // A first backup that was cut off left files, and nothing else.
        if name != FILES && name != manifest::NEW_NAME {
            return Err(BackupError::NotEmpty { path: dir.to_owned() });
        }
    }
    Ok(None)
}

/// With the entries that lead to it on disk: a backup that was said to be done is there after a power cut.
fn make(dir: &Path) -> io::Result<()> {
    let parent = dir.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    match fs::create_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            make(parent)?;
            fs::create_dir(dir)?;
        }
        // It may be there since a backup that was cut off.
        Err(_) if dir.is_dir() => {}
        other => other?,
    }
    match fs::File::open(parent).and_then(|parent| parent.sync_all()) {
        // Who may go through a directory may not list it, nor sync it.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        other => other,
    }
}

/// Everything that is committed by now.
fn seal(hub: &Hub) -> Result<(), BackupError> {
    let (target, began) = (hub.head.position(), Instant::now());
    while hub.head.sealed_position() < target {
        if let Some(Trouble::DiskFull(why) | Trouble::Failed(why)) = hub.pressure.want_seal(Duration::from_secs(1)) {
            return Err(BackupError::NotSealed { why });
        }
        if let Some(why) = hub.health.is_poisoned() {
            return Err(BackupError::NotSealed { why });
        }
        if began.elapsed() > SEAL_WAIT * 3 {
            return Err(BackupError::NotSealed { why: format!("it took longer than {} s", SEAL_WAIT.as_secs() * 3) });
        }
    }
    Ok(())
}

fn save(hub: &Hub, dir: &Path, before: Option<&Manifest>, progress: &mut Progress<'_>) -> Result<(Manifest, Done), BackupError> {
    let (data, store) = (&hub.config.data.dir, hub.config.data.dir.join(embedded::DIR_NAME));
    let files = dir.join(FILES);
    fs::create_dir_all(&files).map_err(io_error("make", &files))?;
    let number = before.map_or(1, |before| before.number + 1);
    let mut copier = copy::Copier { to: &files, number, before, position: Position(0), copied: 0, bytes: 0 };
    let copy::CatalogCopy { saved: catalog, position, ids, store_made } = copier.catalog(&data.join(catalog::FILE_NAME))?;
    copier.position = position;
    // Rows of another store may have the same numbers and be others.
    copier.before = before.filter(|before| before.store_made == store_made);
    let sources = copy::sources(&store)?;
    // Copied, and then read once more for the sums.
    let all: u64 = sources.iter().map(|(_, bytes)| bytes).sum();
    let mut saved = vec![catalog];
    let mut seen = 0;
    for (name, bytes) in &sources {
        saved.extend(copier.store_file(&store.join(name), name)?);
        seen += bytes;
        progress(seen, all * 2);
    }
    // A seal beside it may have found a day damaged, and set it aside.
    for (name, _) in copy::sources(&store)? {
        if embedded::is_set_aside(&name) && !sources.iter().any(|(seen, _)| *seen == name) {
            saved.extend(copier.store_file(&store.join(&name), &name)?);
        }
    }
    let pin = hub.head.pins().pin(position);
    let mut summed = |done: u64| progress(all + all * done / ids.len().max(1) as u64, all * 2);
    let series = if hub.store.is_local() { sums::of(hub.store.as_ref(), &pin, &ids, &mut summed)? } else { Vec::new() };
    let (copied, copied_bytes) = (copier.copied, copier.bytes);
    let epoch = hub.log.epoch();
    let manifest = Manifest { format: manifest::FORMAT, number, epoch, position: position.0, store_made, files: saved, series };
    let readings = manifest.series.iter().map(|(_, count, _)| count).sum();
    let count = manifest.series.len();
    let done = Done { epoch, position, files: manifest.files.len(), copied, copied_bytes, series: count, readings };
    Ok((manifest, done))
}

/// A series whose readings are not those of a backup: how many there are, and how many the backup has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Difference {
    pub series: SeriesId,
    pub there: u64,
    pub saved: u64,
}

/// Where a store differs from what a backup says of it. `progress` is told how many series are done, of how many.
pub fn differences(store: &dyn Store, pin: &Pin, manifest: &Manifest, progress: &mut Progress<'_>) -> Result<Vec<Difference>, BackupError> {
    let ids: Vec<_> = manifest.series.iter().map(|(id, ..)| SeriesId(*id)).collect();
    let mut found = sums::of(store, pin, &ids, &mut |done| progress(done, ids.len() as u64))?.into_iter().peekable();
    let mut differences = Vec::new();
    for (id, count, sum) in &manifest.series {
        let (there, same) = match found.next_if(|(of, ..)| of == id) {
            Some((_, there, of)) => (there, of == *sum),
            None => (0, false),
        };
        if there != *count || !same {
            differences.push(Difference { series: SeriesId(*id), there, saved: *count });
        }
    }
    Ok(differences)
}
