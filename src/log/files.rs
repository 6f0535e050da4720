//! The commit log in files: `DATA/log/NNNN.seg`, appended to and synced by the writer.
//!
//! Invariants: a record is written only after the one before it is synced. A position is in at most one record; one that a bad
//! record held is never used again. Nothing is erased: what recovery cannot read goes to `set-aside/` first.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::FallocateFlags;

use super::places::{Places, SegmentInfo};
use super::reader::FileLogReader;
use super::recovery::{self, Each, OpenError, Recovered};
use super::segment::{self, HEADER_BYTES, RECORD_HEADER_BYTES, RecordKind, SegmentHeader};
use super::{AppendError, Log, record};
use crate::model::{Commit, Position, TimeNs};

#[derive(Debug)]
pub struct FileLog {
    dir: PathBuf,
    segment_bytes: u64,
    active: Option<Active>,
    places: Arc<Places>,
    /// Kept between commits so that a large one does not cost an allocation each time.
    buffer: Vec<u8>,
    poisoned: bool,
}

#[derive(Debug)]
struct Active {
    file: File,
    path: PathBuf,
    salt: u64,
    offset: u64,
    capacity: u64,
}

#[derive(Debug)]
pub struct Opened {
    pub log: FileLog,
    pub reader: Arc<FileLogReader>,
    pub recovered: Recovered,
}

impl FileLog {
    /// Opens or makes the log in `dir`, hands every commit after `after` to `each` in order, and is ready to append. What lies before
    /// is sealed: it is only kept for cursors, and not read if its place is known. `set_aside` is where unreadable bytes go.
    pub fn open(dir: &Path, set_aside: &Path, segment_bytes: u64, after: Position, each: &mut Each<'_>) -> Result<Opened, OpenError> {
        let (places, recovered) = recovery::recover(dir, set_aside, after, each)?;
        let places = Arc::new(places);
        let log =
            Self { dir: dir.to_path_buf(), segment_bytes, active: None, places: Arc::clone(&places), buffer: Vec::new(), poisoned: false };
        Ok(Opened { log, reader: Arc::new(FileLogReader::new(places)), recovered })
    }

    fn write_record(&mut self, kind: RecordKind, position: Position, wall: TimeNs) -> Result<(), AppendError> {
        if self.poisoned {
            return Err(AppendError::Poisoned { what: "an earlier write", path: self.dir.clone(), source: None });
        }
        // Checksums are seeded by the segment, so the segment must be known before the record is finished.
        let bytes = segment::record_bytes(self.buffer.len() - RECORD_HEADER_BYTES) as u64;
        // A commit leaves room for the end record: that one never begins a segment.
        let spare = if kind == RecordKind::Commit { RECORD_HEADER_BYTES as u64 } else { 0 };
        if self.active.as_ref().is_none_or(|active| active.offset + bytes + spare > active.capacity) {
            self.roll(position, bytes)?;
        }
        let active = self.active.as_mut().expect("roll made it");
        segment::finish_record(kind, position, active.salt, &mut self.buffer);
        let written = active.file.write_all_at(&self.buffer, active.offset).map_err(|e| ("writing", e));
        let synced = written.and_then(|()| active.file.sync_data().map_err(|e| ("fdatasync", e)));
        if let Err((what, source)) = synced {
            self.poisoned = true;
            return Err(AppendError::Poisoned { what, path: active.path.clone(), source: Some(source) });
        }
        let offset = active.offset;
        active.offset += bytes;
        if kind == RecordKind::Commit {
            self.places.appended(position, wall, offset, offset + bytes);
        }
        Ok(())
    }

    /// Begins a new segment and cuts the old one to its length.
    fn roll(&mut self, first: Position, needed: u64) -> Result<(), AppendError> {
        let capacity = self.segment_bytes.max((HEADER_BYTES + RECORD_HEADER_BYTES) as u64 + needed);
        let salt = getrandom::u64().map_err(|e| self.poison("drawing a salt", io::Error::other(e)))?;
        let path = self.dir.join(format!("{:020}.seg", first.0));
        let created = OpenOptions::new().read(true).write(true).create_new(true).open(&path);
        let is_ours = created.is_ok();
        let made = created.and_then(|file| fill_segment(&file, capacity, SegmentHeader { salt, first }).map(|()| file));
        let file = match made.and_then(|file| sync_dir(&self.dir).map(|()| file)) {
            Ok(file) => file,
            Err(error) => {
                // Without its header a left-over file is empty to recovery; with it, it is a segment without records. What was there
                // before is not ours to remove.
                if is_ours {
                    drop(std::fs::remove_file(&path));
                }
                if error.kind() == io::ErrorKind::StorageFull || error.kind() == io::ErrorKind::QuotaExceeded {
                    return Err(AppendError::DiskFull { path });
                }
                return Err(self.poison("making a segment", error));
            }
        };
        if let Some(old) = self.active.take()
            && let Err(error) = cut(&old.file, old.offset)
        {
            return Err(self.poison("cutting a full segment", error));
        }
        self.active = Some(Active { file, path: path.clone(), salt, offset: HEADER_BYTES as u64, capacity });
        self.places.begun(SegmentInfo::new(path, salt, first));
        Ok(())
    }

    fn poison(&mut self, what: &'static str, source: io::Error) -> AppendError {
        self.poisoned = true;
        AppendError::Poisoned { what, path: self.dir.clone(), source: Some(source) }
    }
}

impl Log for FileLog {
    fn append(&mut self, commit: &Commit) -> Result<u64, AppendError> {
        self.buffer.clear();
        self.buffer.resize(RECORD_HEADER_BYTES, 0);
        record::encode(commit, &mut self.buffer);
        self.write_record(RecordKind::Commit, commit.position, commit.wall)?;
        Ok(self.buffer.len() as u64)
    }

    fn close(&mut self) -> Result<(), AppendError> {
        if self.active.is_none() {
            return Ok(());
        }
        self.buffer.clear();
        self.buffer.resize(RECORD_HEADER_BYTES, 0);
        self.write_record(RecordKind::End, self.places.newest(), 0)?;
        let active = self.active.take().expect("checked above");
        cut(&active.file, active.offset).map_err(|e| self.poison("cutting the last segment", e))?;
        self.places.ended();
        Ok(())
    }
}

fn fill_segment(file: &File, capacity: u64, header: SegmentHeader) -> io::Result<()> {
    match rustix::fs::fallocate(file, FallocateFlags::empty(), 0, capacity) {
        Ok(()) => {}
        // A file system without fallocate: the size at least is set once, so a sync need not write it each time.
        Err(rustix::io::Errno::OPNOTSUPP) => file.set_len(capacity)?,
        Err(error) => return Err(error.into()),
    }
    file.write_all_at(&header.encode(), 0)?;
    file.sync_all()
}

fn cut(file: &File, len: u64) -> io::Result<()> {
    file.set_len(len)?;
    file.sync_all()
}

pub(super) fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}
