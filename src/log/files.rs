//! The commit log in files: `DATA/log/NNNN.seg`, appended to and synced by the writer, read back by resumes.
//!
//! Invariants: a record is written only after the one before it is synced. A position is in at most one record; one that a bad
//! record held is never used again. Nothing is erased: what recovery cannot read goes to `set-aside/` first.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use rustix::fs::FallocateFlags;

use super::recovery::{self, OpenError, Recovered};
use super::segment::{self, HEADER_BYTES, RECORD_HEADER_BYTES, RecordKind, Scan, SegmentHeader, Stretch};
use super::{AppendError, Log, LogRead, ReadError, record};
use crate::model::{Commit, Position};

/// A read starts at most this far before the record it wants.
const MARK_EVERY: u64 = 64 << 10;

#[derive(Debug)]
pub struct FileLog {
    dir: PathBuf,
    segment_bytes: u64,
    active: Option<Active>,
    index: Arc<Index>,
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

/// Where the records are; shared by the writer's log and by readers.
#[derive(Debug)]
pub(super) struct Index {
    pub(super) epoch: u64,
    pub(super) segments: Mutex<Vec<SegmentInfo>>,
}

#[derive(Clone, Debug)]
pub(super) struct SegmentInfo {
    pub(super) path: PathBuf,
    pub(super) salt: u64,
    pub(super) first: Position,
    pub(super) last: Position,
    /// Behind its last record.
    pub(super) end: u64,
    /// Some of its records, in order: where a read may begin.
    pub(super) marks: Vec<(Position, u64)>,
}

impl SegmentInfo {
    pub(super) fn note(&mut self, position: Position, offset: u64, end: u64) {
        if self.marks.last().is_none_or(|(_, at)| offset - at >= MARK_EVERY) {
            self.marks.push((position, offset));
        }
        self.last = position;
        self.end = end;
    }
}

#[derive(Debug)]
pub struct Opened {
    pub log: FileLog,
    pub reader: Arc<FileLogReader>,
    pub recovered: Recovered,
}

impl FileLog {
    /// Opens or makes the log in `dir`, hands every commit to `each` in order, and is ready to append.
    /// `set_aside` is where unreadable bytes go.
    pub fn open(dir: &Path, set_aside: &Path, segment_bytes: u64, each: &mut dyn FnMut(Commit)) -> Result<Opened, OpenError> {
        let (index, recovered) = recovery::recover(dir, set_aside, each)?;
        let index = Arc::new(index);
        let log =
            Self { dir: dir.to_path_buf(), segment_bytes, active: None, index: Arc::clone(&index), buffer: Vec::new(), poisoned: false };
        Ok(Opened { log, reader: Arc::new(FileLogReader { index }), recovered })
    }

    fn write_record(&mut self, kind: RecordKind, position: Position) -> Result<(), AppendError> {
        if self.poisoned {
            return Err(AppendError::Poisoned { what: "an earlier write", path: self.dir.clone(), source: None });
        }
        // Checksums are seeded by the segment, so the segment must be known before the record is finished.
        let bytes = segment::record_bytes(self.buffer.len() - RECORD_HEADER_BYTES) as u64;
        if self.active.as_ref().is_none_or(|active| active.offset + bytes > active.capacity) {
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
            let mut segments = self.index.segments.lock();
            segments.last_mut().expect("the active segment is listed").note(position, offset, offset + bytes);
        }
        Ok(())
    }

    /// Begins a new segment and cuts the old one to its length.
    fn roll(&mut self, first: Position, needed: u64) -> Result<(), AppendError> {
        let capacity = self.segment_bytes.max(HEADER_BYTES as u64 + needed);
        let salt = getrandom::u64().map_err(|e| self.poison("drawing a salt", io::Error::other(e)))?;
        let path = self.dir.join(format!("{:020}.seg", first.0));
        let made = make_segment(&path, capacity, SegmentHeader { salt, first }).and_then(|file| sync_dir(&self.dir).map(|()| file));
        let file = match made {
            Ok(file) => file,
            Err(error) => {
                // Without its header a left-over file is empty to recovery; with it, it is a segment without records.
                drop(std::fs::remove_file(&path));
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
        let info = SegmentInfo { path, salt, first, last: Position(first.0 - 1), end: HEADER_BYTES as u64, marks: Vec::new() };
        self.index.segments.lock().push(info);
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
        self.write_record(RecordKind::Commit, commit.position)?;
        Ok(self.buffer.len() as u64)
    }

    fn close(&mut self) -> Result<(), AppendError> {
        let last = self.index.segments.lock().last().map(|s| s.last);
        let (Some(last), Some(_)) = (last, &self.active) else { return Ok(()) };
        self.buffer.clear();
        self.buffer.resize(RECORD_HEADER_BYTES, 0);
        self.write_record(RecordKind::End, last)?;
        let active = self.active.take().expect("checked above");
        cut(&active.file, active.offset).map_err(|e| self.poison("cutting the last segment", e))
    }
}

fn make_segment(path: &Path, capacity: u64, header: SegmentHeader) -> io::Result<File> {
    let file = OpenOptions::new().read(true).write(true).create_new(true).open(path)?;
    match rustix::fs::fallocate(&file, FallocateFlags::empty(), 0, capacity) {
        Ok(()) => {}
        // A file system without fallocate: the size at least is set once, so a sync need not write it each time.
        Err(rustix::io::Errno::OPNOTSUPP) => file.set_len(capacity)?,
        Err(error) => return Err(error.into()),
    }
    file.write_all_at(&header.encode(), 0)?;
    file.sync_all()?;
    Ok(file)
}

fn cut(file: &File, len: u64) -> io::Result<()> {
    file.set_len(len)?;
    file.sync_all()
}

pub(super) fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

/// Reads commits back. Cheap to share; each read opens its segments anew.
#[derive(Debug)]
pub struct FileLogReader {
    index: Arc<Index>,
}

impl LogRead for FileLogReader {
    fn epoch(&self) -> u64 {
        self.index.epoch
    }

    fn read(&self, after: Position, until: Position, max_bytes: u64, each: &mut dyn FnMut(Commit)) -> Result<(), ReadError> {
        let segments = self.index.segments.lock().clone();
        let newest = segments.last().map_or(Position(0), |s| s.last);
        if after > newest {
            return Err(ReadError::Ahead { asked: after, newest });
        }
        let oldest = segments.first().map_or(Position(1), |s| s.first);
        if after.next() < oldest {
            return Err(ReadError::Gone { asked: after, oldest });
        }
        let wanted: Vec<_> =
            segments.iter().filter(|s| s.last > after && s.first <= until && s.first <= s.last).map(|s| (s, start_in(s, after))).collect();
        let bytes = wanted.iter().map(|(s, start)| s.end - start).sum();
        if bytes > max_bytes {
            return Err(ReadError::TooMuch { asked: after, bytes, max: max_bytes });
        }
        wanted.into_iter().try_for_each(|(segment, start)| read_segment(segment, start, after, until, each))
    }
}

fn start_in(segment: &SegmentInfo, after: Position) -> u64 {
    let first_beyond = segment.marks.partition_point(|(position, _)| *position <= after.next());
    first_beyond.checked_sub(1).map_or(HEADER_BYTES as u64, |i| segment.marks[i].1)
}

fn read_segment(
    segment: &SegmentInfo,
    start: u64,
    after: Position,
    until: Position,
    each: &mut dyn FnMut(Commit),
) -> Result<(), ReadError> {
    let io_error = |source| ReadError::Io { path: segment.path.clone(), source };
    let damaged = |offset: usize, what: String| ReadError::Damaged { path: segment.path.clone(), offset: start + offset as u64, what };
    let mut bytes = vec![0; usize::try_from(segment.end - start).expect("a segment fits into memory")];
    File::open(&segment.path).and_then(|file| file.read_exact_at(&mut bytes, start)).map_err(io_error)?;
    for stretch in Scan::new(&bytes, 0, segment.salt) {
        match stretch {
            Stretch::Record(record) if record.kind == RecordKind::Commit && record.position > after => {
                if record.position > until {
                    break;
                }
                each(record::decode(record.position, record.body).map_err(|e| damaged(record.offset, e.to_string()))?);
            }
            Stretch::Record(_) => {}
            Stretch::Bad { from, what, .. } => return Err(damaged(from, what.to_owned())),
        }
    }
    Ok(())
}
