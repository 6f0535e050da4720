//! `backup.json`: what a backup holds. Written last, under another name first: where it is, everything it names is.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{BackupError, io_error};

pub const FORMAT: u32 = 1;
const NAME: &str = "backup.json";
pub(super) const NEW_NAME: &str = "backup.json.new";

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    pub format: u32,
    /// Backups that were made into this directory.
    pub number: u64,
    /// Of the hub; with the position its cursor.
    pub epoch: u64,
    /// Everything committed up to here is in it, and nothing after it.
    pub position: u64,
    /// When a migration made the store; 0: none did.
    #[serde(default)]
    pub store_made: i64,
    pub files: Vec<Saved>,
    /// Number, readings and crc32c of each series.
    pub series: Vec<(u32, u64, u32)>,
}

/// One file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Saved {
    /// In the data directory.
    pub name: String,
    /// In the backup's `files`.
    pub stored: String,
    pub bytes: u64,
    pub crc: u32,
    /// What tells whether it holds the same rows.
    pub rows: String,
    /// Size and time of change of the original, when all of it was in the file; 0 when it was not.
    pub original: (u64, u64),
}

impl Manifest {
    /// None: there is no backup yet.
    pub fn find(dir: &Path) -> Result<Option<Self>, BackupError> {
        let path = dir.join(NAME);
        let text = match fs::read(&path) {
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(None),
            other => other.map_err(io_error("read", &path))?,
        };
        let none = |why: String| BackupError::NoBackup { path: dir.to_owned(), why };
        let found: Self = serde_json::from_slice(&text).map_err(|error| none(format!("{NAME}: {error}")))?;
        if found.format > FORMAT {
            return Err(none(format!("its format {} is newer than this program knows ({FORMAT})", found.format)));
        }
        Ok(Some(found))
    }

    /// The backup of a directory that must have one.
    pub fn read(dir: &Path) -> Result<Self, BackupError> {
        let none =
            || BackupError::NoBackup { path: dir.to_owned(), why: format!("there is no {NAME}; a first backup may have been cut off") };
        Self::find(dir)?.ok_or_else(none)
    }

    pub(super) fn write(&self, dir: &Path) -> Result<(), BackupError> {
        let (new, path) = (dir.join(NEW_NAME), dir.join(NAME));
        let write = || {
            let mut file = File::create(&new)?;
            file.write_all(&serde_json::to_vec(self)?)?;
            file.sync_all()?;
            // The files' entries, and that of their directory.
            File::open(dir.join(super::FILES))?.sync_all()?;
            File::open(dir)?.sync_all()?;
            fs::rename(&new, &path)?;
            File::open(dir)?.sync_all()
        };
        write().map_err(io_error("write", &path))
    }
}
