//! A data directory from a backup. The store first, then an empty log, the catalog last; a marker stands there meanwhile, and no hub
//! starts on a directory that has one.
//!
//! The log draws a new epoch at its first start, since commits after the backup are gone: cursors start anew, positions go on.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::Progress;
use super::backup::{self, BackupError, Manifest, Saved, copy, io_error, sqlite_error};
use crate::catalog;
use crate::model::{Position, TimeNs};
use crate::store::embedded;

/// Within the data directory, while it is not whole.
pub const MARKER: &str = "restoring";
/// What a restore may have left that was cut off.
const OURS: [&str; 4] = [MARKER, "lock", "log", embedded::DIR_NAME];

#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    #[error(transparent)]
    Backup(#[from] BackupError),
    #[error("{} is not empty: a restore needs a directory of its own", dir.display())]
    NotEmpty { dir: PathBuf },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tokens {
    Kept,
    /// They stay by name, as owners of series, and let nobody in.
    Ended {
        at: TimeNs,
    },
}

/// Whether `data` may be restored into: it is empty, not there, or a restore was cut off in it.
pub fn prepare(data: &Path) -> Result<(), RestoreError> {
    let names = match fs::read_dir(data) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other.map_err(io_error("list", data))?,
    };
    let names: Vec<_> =
        names.collect::<io::Result<Vec<_>>>().map_err(io_error("list", data))?.iter().map(fs::DirEntry::file_name).collect();
    let begun = names.iter().any(|name| name == MARKER);
    let ours = |name: &std::ffi::OsString| OURS.iter().any(|ours| name == ours) || name.to_string_lossy().starts_with(catalog::FILE_NAME);
    if names.is_empty() || names.iter().all(|name| name == "lock") || (begun && names.iter().all(ours)) {
        Ok(())
    } else {
        Err(RestoreError::NotEmpty { dir: data.to_owned() })
    }
}

/// With the lock of `data` held.
pub fn run(from: &Path, data: &Path, tokens: Tokens, progress: &mut Progress<'_>) -> Result<Manifest, RestoreError> {
    let manifest = Manifest::read(from)?;
    prepare(data)?;
    make_empty(data)?;
    let total = manifest.files.iter().map(|saved| saved.bytes).sum();
    let mut done = 0;
    let (catalog, store): (Vec<_>, Vec<_>) = manifest.files.iter().partition(|saved| saved.name == catalog::FILE_NAME);
    for saved in store.into_iter().chain(catalog) {
        let path = data.join(&saved.name);
        let new = if saved.name == catalog::FILE_NAME { data.join(format!("{}.new", catalog::FILE_NAME)) } else { path.clone() };
        put(from, saved, &new)?;
        if saved.name == catalog::FILE_NAME {
            settle(&new, tokens, Position(manifest.position)).map_err(sqlite_error("settle", &new))?;
            sync(&[&data.join(embedded::DIR_NAME), &new, data])?;
            fs::rename(&new, &path).map_err(io_error("rename", &new))?;
        }
        done += saved.bytes;
        progress(done, total);
    }
    sync(&[data])?;
    let marker = data.join(MARKER);
    fs::remove_file(&marker).map_err(io_error("remove", &marker))?;
    sync(&[data])?;
    Ok(manifest)
}

fn make_empty(data: &Path) -> Result<(), BackupError> {
    let marker = data.join(MARKER);
    File::create(&marker).and_then(|file| file.sync_all()).map_err(io_error("make", &marker))?;
    sync(&[data])?;
    for name in ["log", embedded::DIR_NAME] {
        let dir = data.join(name);
        match fs::remove_dir_all(&dir) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(io_error("remove", &dir)(error)),
            _ => {}
        }
        DirBuilder::new().mode(0o700).create(&dir).map_err(io_error("make", &dir))?;
    }
    for end in ["", ".new", ".new-journal"] {
        let path = data.join(format!("{}{end}", catalog::FILE_NAME));
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(io_error("remove", &path)(error)),
            _ => {}
        }
    }
    Ok(())
}

/// Copies a file of the backup, and checks what was copied.
fn put(from: &Path, saved: &Saved, to: &Path) -> Result<(), BackupError> {
    let source = from.join(backup::FILES).join(&saved.stored);
    let mut opened = File::open(&source).map_err(io_error("read", &source))?;
    let copied = File::options().create_new(true).write(true).mode(0o600).open(to).and_then(|mut file| io::copy(&mut opened, &mut file));
    copied.map_err(io_error("copy to", to))?;
    let found = copy::read(to, true).map_err(io_error("read back", to))?;
    if found == (saved.bytes, saved.crc) {
        return Ok(());
    }
    let why = format!("it holds {} bytes with checksum {:08x}, not {} with {:08x}", found.0, found.1, saved.bytes, saved.crc);
    Err(BackupError::Damaged { file: source.display().to_string(), why })
}

/// Up to where it has everything, so that agents which sent more are told of; and its tokens.
fn settle(path: &Path, tokens: Tokens, up_to: Position) -> rusqlite::Result<()> {
    let db = Connection::open(path)?;
    catalog::note_restored(&db, up_to)?;
    if let Tokens::Ended { at } = tokens {
        catalog::end_tokens(&db, at)?;
    }
    db.close().map_err(|(_, error)| error)
}

fn sync(paths: &[&Path]) -> Result<(), BackupError> {
    paths.iter().try_for_each(|path| File::open(path).and_then(|file| file.sync_all()).map_err(io_error("sync", path)))
}
