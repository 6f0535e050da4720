//! What takes the room in a data directory.

use std::fs;
use std::path::Path;

use crate::catalog;
use crate::model::SeriesId;
use crate::store::StoreError;
use crate::store::embedded::{self, FileSize, Sizes};

#[derive(Debug, Default)]
pub struct Stats {
    /// Of the commit log as it stands on the disk, with room taken beforehand.
    pub log_bytes: u64,
    pub catalog_bytes: u64,
    pub files: Vec<FileSize>,
    /// Those that take most, and how many there are.
    pub top: Vec<SeriesSize>,
    pub series: usize,
}

#[derive(Debug)]
pub struct SeriesSize {
    pub id: SeriesId,
    pub name: Option<String>,
    pub bytes: u64,
    pub readings: u64,
}

impl Stats {
    /// Of the store's files.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }

    #[must_use]
    pub fn readings(&self) -> u64 {
        self.files.iter().map(|file| file.readings).sum()
    }
}

/// What is only in the log yet has no series here.
pub fn run(dir: &Path, top: usize) -> Result<Stats, StoreError> {
    let store = dir.join(embedded::DIR_NAME);
    let Sizes { files, series } = if store.is_dir() { embedded::sizes(&store)? } else { Sizes::default() };
    let mut sizes: Vec<_> = series.into_iter().collect();
    sizes.sort_unstable_by_key(|(id, (bytes, _))| (std::cmp::Reverse(*bytes), *id));
    let count = sizes.len();
    sizes.truncate(top);
    let ids: Vec<_> = sizes.iter().map(|(id, _)| *id).collect();
    let names = catalog::check::names(dir, &ids);
    let size = |((id, (bytes, readings)), name)| SeriesSize { id, name, bytes, readings };
    let top = sizes.into_iter().zip(names).map(size).collect();
    let catalog_bytes = ["", "-wal"].iter().map(|end| bytes_of(&dir.join(format!("{}{end}", catalog::FILE_NAME)))).sum();
    let log_bytes = fs::read_dir(dir.join("log")).into_iter().flatten().flatten().map(|entry| bytes_of(&entry.path())).sum();
    Ok(Stats { log_bytes, catalog_bytes, files, top, series: count })
}

fn bytes_of(path: &Path) -> u64 {
    path.metadata().map_or(0, |meta| meta.len())
}
