//! What becomes of segments whose commits are sealed: they stay a while for cursors, with an index; then they go.
//!
//! Invariants: a segment goes only when the store and the catalog have all of it, and never before an older one: the log has no holes.

use std::fs::{self, File};
use std::io::{self, BufReader, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::files::sync_dir;
use super::index::SegmentIndex;
use super::places::SegmentInfo;
use super::reader::FileLogReader;
use crate::model::{Position, TimeNs};

/// A segment is read in pieces of so many bytes.
const READ_BYTES: usize = 256 << 10;

/// How much of the sealed log is kept, so that a cursor can resume: whichever bound comes first, 0 = none.
#[derive(Clone, Copy, Debug)]
pub struct Keep {
    pub keep_for: Duration,
    pub keep_bytes: u64,
}

impl FileLogReader {
    /// Drops what `keep` does not ask for of the segments that hold nothing after `sealed`, and indexes the others. The one that is
    /// appended to stays.
    pub fn trim(&self, sealed: Position, now: TimeNs, keep: &Keep) -> io::Result<()> {
        let mut done = self.places.finished();
        let count = done.iter().take_while(|segment| segment.last <= sealed).count();
        done.truncate(count);
        let mut bytes: u64 = done.iter().map(|segment| segment.end).sum();
        let oldest = now.saturating_sub(i64::try_from(keep.keep_for.as_nanos()).unwrap_or(i64::MAX));
        let mut dropping = true;
        for segment in &done {
            // A clock that was set back makes a later segment look older than one that stays.
            dropping &= bytes > keep.keep_bytes || segment.wall <= oldest;
            if dropping {
                bytes -= segment.end;
                self.drop_segment(segment)?;
            } else {
                write_index(segment)?;
            }
        }
        Ok(())
    }

    /// Off the list when it is gone, so that what fails is tried again. Who reads it in between finds it gone as well.
    fn drop_segment(&self, segment: &SegmentInfo) -> io::Result<()> {
        remove(&segment.path)?;
        remove(&index_path(&segment.path))?;
        self.places.forget(&segment.path);
        segment.path.parent().map_or(Ok(()), sync_dir)
    }
}

pub(super) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

pub(super) fn index_path(segment: &Path) -> PathBuf {
    segment.with_extension("idx")
}

/// At the start: indexes whose segments are gone, and such as were not finished. A kill between the two removals of `drop_segment` leaves
/// one, and nobody would look at it again.
pub(super) fn remove_orphans(dir: &Path) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let index = name.strip_suffix(".new").unwrap_or(name);
        let Some(segment) = index.strip_suffix(".idx") else { continue };
        let is_ours = segment.len() == 20 && segment.bytes().all(|byte| byte.is_ascii_digit());
        if is_ours && (index != name || !dir.join(format!("{segment}.seg")).exists()) {
            remove(&path)?;
        }
    }
    Ok(())
}

/// The index of a segment, if it has none. It is made from the segment, so it needs no sync: a torn one is not believed.
fn write_index(segment: &SegmentInfo) -> io::Result<()> {
    let path = index_path(&segment.path);
    if path.exists() {
        return Ok(());
    }
    let mut bytes = BufReader::with_capacity(READ_BYTES, File::open(&segment.path)?);
    let Some(index) = SegmentIndex::of(&mut bytes, segment.salt, segment.first)? else { return Ok(()) };
    let new = path.with_extension("idx.new");
    File::create(&new)?.write_all(&index.encode())?;
    fs::rename(&new, &path)
}

/// What the index says of a segment that need not be read, when it fits the segment.
pub(super) fn indexed(path: &Path, salt: u64, len: u64) -> Option<SegmentInfo> {
    let index = SegmentIndex::decode(&fs::read(index_path(path)).ok()?)?;
    if index.salt != salt || index.end > len {
        return None;
    }
    let mut info = SegmentInfo::new(path.to_path_buf(), salt, index.first);
    let ends = index.records.iter().skip(1).map(|(_, offset)| *offset).chain([index.end]);
    index.records.iter().zip(ends).for_each(|((position, offset), end)| info.note(*position, index.wall, *offset, end));
    info.last = index.last;
    Some(info)
}
