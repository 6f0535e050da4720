//! `backup.json`: what a backup holds (FORMAT.md). Written last, under another name first: where it is, everything it names is.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{BackupError, io_error};

pub const FORMAT: u32 = 1;
const NAME: &str = "backup.json";
pub(super) const NEW_NAME: &str = "backup.json.new";
/// Before the crc32c of all before it, at the end of the object.
const CHECKSUM: &[u8] = b",\"checksum\":";

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
        if !is_whole(&text) {
            return Err(none(format!("{NAME} is damaged: its checksum is not that of what it holds")));
        }
        let found: Self = serde_json::from_slice(&text).map_err(|error| none(format!("{NAME}: {error}")))?;
        if found.format > FORMAT {
            return Err(BackupError::Newer { path: dir.to_owned(), found: found.format, known: FORMAT });
        }
        Ok(Some(found))
    }

    fn encode(&self) -> serde_json::Result<Vec<u8>> {
        let mut text = serde_json::to_vec(self)?;
        // Its last brace comes behind the checksum.
        text.pop();
        let crc = crc32c::crc32c(&text);
        text.extend_from_slice(CHECKSUM);
        text.extend_from_slice(format!("{crc}}}").as_bytes());
        Ok(text)
    }

    /// The backup of a directory that must have one.
    pub fn read(dir: &Path) -> Result<Self, BackupError> {
        let why = || {
            let cut_off = format!("there is no {NAME}; a first backup may have been cut off");
            if dir.is_dir() { cut_off } else { "there is no such directory".to_owned() }
        };
        Self::find(dir)?.ok_or_else(|| BackupError::NoBackup { path: dir.to_owned(), why: why() })
    }

    pub(super) fn write(&self, dir: &Path) -> Result<(), BackupError> {
        let (new, path) = (dir.join(NEW_NAME), dir.join(NAME));
        let write = || {
            let mut file = File::create(&new)?;
            file.write_all(&self.encode()?)?;
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

/// Those of the first programs have no checksum.
fn is_whole(text: &[u8]) -> bool {
    let Some(at) = memchr::memmem::rfind(text, CHECKSUM) else { return true };
    let told = std::str::from_utf8(&text[at + CHECKSUM.len()..]).ok().and_then(|end| end.strip_suffix('}')?.parse().ok());
    told == Some(crc32c::crc32c(&text[..at]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn golden() -> Manifest {
        let saved =
            |name: &str, stored: &str, bytes, crc| Saved { name: name.into(), stored: stored.into(), bytes, crc, ..Saved::default() };
        let day = saved("store/2026-01-01.raw.0.sqlite", "2026-01-01.raw.0.sqlite.000001", 61_440, 7);
        let (rows, original) = ("blocks 1 to 1; chunks 4 to 9; ".to_owned(), (61_440, 1_767_312_000_123_456_789));
        Manifest {
            format: 1,
            number: 3,
            epoch: 13_464_654_573_299_691_533,
            position: 4711,
            store_made: 0,
            files: vec![saved("catalog.sqlite", "catalog.sqlite.000003", 81_920, 0xdead_beef), Saved { rows, original, ..day }],
            series: vec![(0, 350, 0x1234_5678), (7, 12, 0)],
        }
    }

    #[test]
    fn what_the_first_version_wrote_is_read() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(NAME), include_str!("golden_1.json")).unwrap();
        assert_eq!(Manifest::read(dir.path()).unwrap(), golden());
    }

    #[test]
    fn a_flipped_bit_is_found_wherever_it_is() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join(super::super::FILES)).unwrap();
        golden().write(dir.path()).unwrap();
        assert_eq!(Manifest::read(dir.path()).unwrap(), golden());
        let bytes = fs::read(dir.path().join(NAME)).unwrap();
        for at in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[at / 8] ^= 1 << (at % 8);
            fs::write(dir.path().join(NAME), flipped).unwrap();
            // In the name of the checksum it makes one that is not there, and all else is whole.
            let found = Manifest::read(dir.path());
            assert!(found.as_ref().map_or(true, |found| *found == golden()), "bit {at}: {found:?}");
        }
    }

    #[test]
    fn a_newer_one_is_told() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join(super::super::FILES)).unwrap();
        Manifest { format: 2, ..golden() }.write(dir.path()).unwrap();
        let error = Manifest::find(dir.path()).unwrap_err();
        assert!(
            error.to_string().ends_with("the backup has format 2, this program knows formats up to 1: use a newer telltale"),
            "{error}"
        );
    }
}
