//! Reads commits back, beside the writer: for resumes, which want a few series, and for the start.
//!
//! A segment may be dropped while it is read: then the position is gone, as if it had been before.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::index::SegmentIndex;
use super::places::{Places, SegmentInfo};
use super::segment::{RECORD_HEADER_BYTES, RecordKind, Scan, Stretch};
use super::trim::index_path;
use super::{LogRead, ReadError, record, segment};
use crate::model::{Commit, Position, SeriesId};

/// Cheap to share; each read opens its segments anew.
#[derive(Debug)]
pub struct FileLogReader {
    pub(super) places: Arc<Places>,
    bytes_read: AtomicU64,
}

/// Bytes of the log that are no commit, though they should be.
#[derive(Debug)]
pub struct Unreadable {
    pub path: PathBuf,
    pub offset: u64,
    pub bytes: Vec<u8>,
    pub what: String,
}

/// Takes what a stretch of the log holds, one after the other.
type Found<'a> = dyn FnMut(Result<Commit, Unreadable>) -> Result<(), ReadError> + 'a;

/// What is read of one segment.
enum Plan<'a> {
    /// From here to its end.
    Stretch(&'a SegmentInfo, u64),
    /// The records at these offsets.
    Records(&'a SegmentInfo, Vec<(u64, u64)>),
}

impl FileLogReader {
    pub(super) fn new(places: Arc<Places>) -> Self {
        Self { places, bytes_read: AtomicU64::new(0) }
    }

    /// About how many bytes of log come after `after`.
    #[must_use]
    pub fn unsealed_bytes(&self, after: Position) -> u64 {
        self.places.bytes_after(after)
    }

    /// The end of the segment in which the commit after this one stands; where none does, `after`.
    #[must_use]
    pub fn end_of_segment(&self, after: Position) -> Position {
        let (segments, _) = self.places.all();
        segments.iter().find(|segment| segment.last > after).map_or(after, |segment| segment.last)
    }

    /// Reads on behind what cannot be read.
    pub fn read_around(&self, after: Position, until: Position, each: &mut dyn FnMut(Result<Commit, Unreadable>)) -> Result<(), ReadError> {
        self.read_plans((after, until), u64::MAX, None, &mut |found| {
            each(found);
            Ok(())
        })
    }

    fn read_plans(
        &self,
        (after, until): (Position, Position),
        max_bytes: u64,
        ids: Option<&[SeriesId]>,
        each: &mut Found<'_>,
    ) -> Result<(), ReadError> {
        let (segments, newest) = self.places.all();
        if after > newest {
            return Err(ReadError::Ahead { asked: after, newest });
        }
        let oldest = segments.first().map_or(newest.next(), |s| s.first);
        if after.next() < oldest {
            return Err(ReadError::Gone { asked: after, oldest });
        }
        let wanted: Vec<_> = segments.iter().filter(|s| s.last > after && s.first <= until && s.first <= s.last).collect();
        let mut before = after;
        for segment in &wanted {
            if segment.first > before.next() {
                // Segments are missing here: what they held is as gone as what is older than the log.
                return Err(ReadError::Gone { asked: after, oldest: segment.first });
            }
            before = before.max(segment.last);
        }
        let plans: Vec<_> = wanted.into_iter().map(|segment| plan(segment, after, until, ids)).collect();
        let bytes = plans.iter().map(Plan::bytes).sum();
        if bytes > max_bytes {
            return Err(ReadError::TooMuch { asked: after, bytes, max: max_bytes });
        }
        self.bytes_read.fetch_add(bytes, Ordering::Relaxed);
        plans.into_iter().try_for_each(|plan| plan.read(after, until, each)).map_err(|error| match error {
            ReadError::Io { source, .. } if source.kind() == io::ErrorKind::NotFound => ReadError::Gone { asked: after, oldest: until },
            other => other,
        })
    }
}

impl LogRead for FileLogReader {
    fn epoch(&self) -> u64 {
        self.places.epoch
    }

    fn bytes_read(&self) -> u64 {
        self.bytes_read.load(Ordering::Relaxed)
    }

    fn read(&self, after: Position, until: Position, max_bytes: u64, each: &mut dyn FnMut(Commit)) -> Result<(), ReadError> {
        self.read_plans((after, until), max_bytes, None, &mut whole(each))
    }

    fn read_of(
        &self,
        ids: &[SeriesId],
        after: Position,
        until: Position,
        max_bytes: u64,
        each: &mut dyn FnMut(Commit),
    ) -> Result<(), ReadError> {
        self.read_plans((after, until), max_bytes, Some(ids), &mut whole(each))
    }
}

/// For a reader who wants all or nothing.
fn whole(each: &mut dyn FnMut(Commit)) -> impl FnMut(Result<Commit, Unreadable>) -> Result<(), ReadError> {
    |found| {
        let Unreadable { path, offset, what, .. } = match found {
            Ok(commit) => {
                each(commit);
                return Ok(());
            }
            Err(unreadable) => unreadable,
        };
        Err(ReadError::Damaged { path, offset, what })
    }
}

fn plan<'a>(segment: &'a SegmentInfo, after: Position, until: Position, ids: Option<&[SeriesId]>) -> Plan<'a> {
    let index = ids.and_then(|ids| Some((ids, SegmentIndex::decode(&fs::read(index_path(&segment.path)).ok()?)?)));
    match index {
        Some((ids, index)) if index.salt == segment.salt && index.end == segment.end => {
            let ends: Vec<u64> = index.records.iter().skip(1).map(|(_, offset)| *offset).chain([index.end]).collect();
            let end_of = |offset: u64| ends[ends.partition_point(|end| *end <= offset)];
            let records = index.records_of(ids, after, until);
            Plan::Records(segment, records.into_iter().map(|offset| (offset, end_of(offset))).collect())
        }
        _ => Plan::Stretch(segment, segment.start(after)),
    }
}

impl Plan<'_> {
    fn bytes(&self) -> u64 {
        match self {
            Self::Stretch(segment, start) => segment.end - start,
            Self::Records(_, records) => records.iter().map(|(from, to)| to - from).sum(),
        }
    }

    fn read(self, after: Position, until: Position, each: &mut Found<'_>) -> Result<(), ReadError> {
        match self {
            Self::Stretch(segment, start) => read_stretch(segment, start, after, until, each),
            Self::Records(segment, records) => read_records(segment, &records, each),
        }
    }
}

fn read_stretch(segment: &SegmentInfo, start: u64, after: Position, until: Position, each: &mut Found<'_>) -> Result<(), ReadError> {
    let bytes = read_bytes(&open(segment)?, segment, start, segment.end)?;
    for stretch in Scan::new(&bytes, 0, segment.salt) {
        match stretch {
            Stretch::Record(record) if record.kind == RecordKind::Commit && record.position > after => {
                if record.position > until {
                    break;
                }
                let commit = record::decode(record.position, record.body);
                let bad = |e: telltale_wire::WireError| unreadable(segment, start + record.offset as u64, record.body, e.to_string());
                each(commit.map_err(bad))?;
            }
            Stretch::Record(_) => {}
            Stretch::Bad { from, to, what, .. } => {
                each(Err(unreadable(segment, start + from as u64, &bytes[from..to.min(bytes.len())], what.to_owned())))?;
            }
        }
    }
    Ok(())
}

fn read_records(segment: &SegmentInfo, records: &[(u64, u64)], each: &mut Found<'_>) -> Result<(), ReadError> {
    if records.is_empty() {
        return Ok(());
    }
    let file = open(segment)?;
    for (from, to) in records {
        let bytes = read_bytes(&file, segment, *from, (*to).max(from + RECORD_HEADER_BYTES as u64))?;
        let commit = segment::record_at(&bytes, 0, segment.salt)
            .map_err(str::to_owned)
            .and_then(|record| record::decode(record.position, record.body).map_err(|e| e.to_string()));
        each(commit.map_err(|what| unreadable(segment, *from, &bytes, what)))?;
    }
    Ok(())
}

fn open(segment: &SegmentInfo) -> Result<File, ReadError> {
    File::open(&segment.path).map_err(|source| ReadError::Io { path: segment.path.clone(), source })
}

fn read_bytes(file: &File, segment: &SegmentInfo, from: u64, to: u64) -> Result<Vec<u8>, ReadError> {
    let mut bytes = vec![0; usize::try_from(to - from).expect("a segment fits into memory")];
    file.read_exact_at(&mut bytes, from).map_err(|source| ReadError::Io { path: segment.path.clone(), source })?;
    Ok(bytes)
}

fn unreadable(segment: &SegmentInfo, offset: u64, bytes: &[u8], what: String) -> Unreadable {
    Unreadable { path: segment.path.clone(), offset, bytes: bytes.to_vec(), what }
}
