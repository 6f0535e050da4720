//! The spool: batches on disk from the moment they are pushed until the hub has them on its own disk.
//!
//! Files (byte tables in `SPOOL.md`): `lock`, `meta` (boot id, reserved sequence numbers) and segments, which are only
//! appended to and deleted whole. Invariants:
//! - `append` returns after the bytes are with the operating system, so a killed process loses nothing; a power cut loses at most
//!   what was pushed since the last sync. Who appends waits for no disk: files and the directory are synced by whoever takes
//!   [`Unsynced`], after the bytes they hold and the names that came and went were written.
//! - Opening never writes into an old segment: a torn tail stays as it is until its segment is deleted.
//! - A sequence number is given to one batch only, over crashes too: numbers are reserved in `meta` before use.
//! - The bytes on disk stay within the bound; what the bound costs is counted.
//!
//! The spool knows neither sockets nor time; who sends what and when is `session.rs`.

pub(crate) mod codec;
mod files;
mod segment;

use std::collections::{BTreeMap, VecDeque};
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use codec::Batch;
use segment::{Header, RECORD_HEADER_BYTES, Record, at_path};

/// Sequence numbers are reserved in `meta` this many at a time, so that a crash skips numbers and never reuses one.
const SEQ_RESERVE: u64 = 4096;
/// A segment is at most this big, and at most a 16th of the spool: dropping the oldest segment then loses little.
const SEGMENT_BYTES_MAX: u64 = 8 << 20;
/// The smallest bound that leaves room for 16 segments of a useful size.
pub const SPOOL_BYTES_MIN: u64 = 1 << 20;

/// What happens to new readings when the spool is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WhenFull {
    /// The oldest segment goes, and is counted.
    #[default]
    DropOldest,
    /// The push is refused, and is counted.
    RefuseNew,
}

/// What went wrong with the spool.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    #[error("spool {path}: {source}")]
    Io { path: PathBuf, source: io::Error },
    #[error("spool {path} is in use by another process: give each agent a spool directory of its own")]
    InUse { path: PathBuf },
    #[error("spool bound {bytes} B is too small: {SPOOL_BYTES_MIN} B is the least")]
    BoundTooSmall { bytes: u64 },
    #[error("spool is full ({bytes_max} B) and set to refuse new readings")]
    Full { bytes_max: u64 },
    #[error("batch of {bytes} B is too big for the spool: {bytes_max} B is the most; push fewer readings at once")]
    BatchTooBig { bytes: u64, bytes_max: u64 },
}

impl SpoolError {
    /// This process is short of memory or files. It may have some again, and what is on the disk is not what is wrong.
    pub(crate) fn may_pass(&self) -> bool {
        // ENOMEM, ENFILE, EMFILE: the standard library has no names for them.
        matches!(self, Self::Io { source, .. } if matches!(source.raw_os_error(), Some(12 | 23 | 24)))
    }
}

/// Counted since the spool was opened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SpoolCounters {
    /// Batches and readings dropped because the spool was full.
    pub dropped_batches: u64,
    pub dropped_readings: u64,
    /// Readings refused because the spool was full or could not be written.
    pub refused_readings: u64,
    /// Bytes found unreadable when opening: a torn tail, or damage.
    pub unreadable_bytes: u64,
}

/// A batch found when opening, with the sequence number it went out under, if it did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) batch: u64,
    pub(crate) seq: Option<u64>,
    pub(crate) rows: u32,
}

#[derive(Debug)]
pub(crate) struct Spool {
    dir: PathBuf,
    /// Held for as long as the spool is open; the operating system lets go of it when the process ends.
    _lock: File,
    boot: u64,
    bytes_max: u64,
    when_full: WhenFull,
    /// Oldest first. The last one is appended to when `current` is there.
    segments: VecDeque<Segment>,
    current: Option<Arc<File>>,
    /// Written to since the last sync.
    unsynced: Vec<Arc<File>>,
    /// Segments came or went since the last sync.
    is_dir_unsynced: bool,
    sync_dir: SyncDir,
    bytes: u64,
    /// Readings in batches that are not done.
    readings: u64,
    next_segment: u64,
    next_batch: u64,
    next_seq: u64,
    seq_reserved: u64,
    counters: SpoolCounters,
}

/// How names that came or went in a directory survive a power cut.
pub(crate) type SyncDir = fn(&Path) -> io::Result<()>;

/// What a power cut could still take.
#[derive(Debug)]
pub(crate) struct Unsynced {
    files: Vec<Arc<File>>,
    dir: Option<(PathBuf, SyncDir)>,
}

impl Unsynced {
    /// Waits for the disk. The names of segments come first: bytes that nobody finds are lost.
    pub(crate) fn sync(&self) -> io::Result<()> {
        self.dir.as_ref().map_or(Ok(()), |(dir, sync)| sync(dir))?;
        self.files.iter().try_for_each(|file| file.sync_data())
    }
}

#[derive(Debug)]
struct Segment {
    number: u64,
    path: PathBuf,
    bytes: u64,
    first_batch: u64,
    entries: Vec<Entry>,
    /// Entries that are not done.
    open: usize,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    offset: u32,
    bytes: u32,
    rows: u32,
    done: bool,
}

impl Spool {
    /// Opens or makes the spool. `new_boot` is used when there is none yet: it names this spool's life to the hub.
    pub(crate) fn open(dir: &Path, bytes_max: u64, when_full: WhenFull, new_boot: u64) -> Result<(Spool, Vec<Found>), SpoolError> {
        if bytes_max < SPOOL_BYTES_MIN {
            return Err(SpoolError::BoundTooSmall { bytes: bytes_max });
        }
        let io = |source| SpoolError::Io { path: dir.to_owned(), source };
        fs::create_dir_all(dir).map_err(io)?;
        let lock = files::lock(dir)?;
        let meta = files::read_meta(dir).map_err(io)?;
        let mut spool = Spool {
            dir: dir.to_owned(),
            _lock: lock,
            boot: meta.map_or(new_boot, |meta| meta.boot),
            bytes_max,
            when_full,
            segments: VecDeque::new(),
            current: None,
            unsynced: Vec::new(),
            is_dir_unsynced: false,
            sync_dir: files::sync_dir,
            bytes: 0,
            readings: 0,
            next_segment: 1,
            next_batch: 1,
            next_seq: meta.map_or(1, |meta| meta.seq_reserved),
            seq_reserved: 0,
            counters: SpoolCounters::default(),
        };
        let found = spool.load().map_err(io)?;
        spool.reserve_seq().map_err(io)?;
        Ok((spool, found))
    }

    /// Writes a batch and gives it the next number.
    pub(crate) fn append(&mut self, batch: &Batch) -> Result<u64, SpoolError> {
        let rows = u32::try_from(batch.rows.len()).expect("a batch is bounded far below u32");
        let payload = codec::encode(batch);
        let number = self.next_batch;
        let result = self.append_payload(number, &payload, rows);
        match &result {
            Ok(()) => self.next_batch += 1,
            Err(_) => self.counters.refused_readings += u64::from(rows),
        }
        result.map(|()| number)
    }

    /// Reads a batch back; `None` when the bound has dropped it since.
    pub(crate) fn read(&self, batch: u64) -> Result<Option<Batch>, SpoolError> {
        let Some((segment, entry)) = self.entry(batch) else { return Ok(None) };
        let mut bytes = vec![0; entry.bytes as usize];
        File::open(&segment.path)
            .and_then(|file| file.read_exact_at(&mut bytes, u64::from(entry.offset)))
            .map_err(|source| SpoolError::Io { path: segment.path.clone(), source })?;
        let damaged = |what: String| SpoolError::Io {
            path: segment.path.clone(),
            source: io::Error::new(io::ErrorKind::InvalidData, format!("record at byte {}: {what}", entry.offset)),
        };
        match segment::decode_record(&bytes) {
            Some((Record::Batch { payload, .. }, _)) => codec::decode(payload).map(Some).map_err(|error| damaged(error.to_string())),
            _ => Err(damaged("its checksum is wrong".into())),
        }
    }

    /// Notes that this batch now goes out under this sequence number, and reserves more numbers when they run out.
    pub(crate) fn mark_sent(&mut self, batch: u64, seq: u64) -> Result<(), SpoolError> {
        self.next_seq = self.next_seq.max(seq + 1);
        if self.next_seq > self.seq_reserved {
            self.reserve_seq().map_err(|source| self.io_error(source))?;
        }
        self.write_mark(Record::Sent { batch, seq })
    }

    /// Notes that the hub has everything up to this sequence number; `batches` are those it held. They are finished also where that
    /// cannot be noted: a full disk is to get their room.
    pub(crate) fn mark_acked(&mut self, up_to: u64, batches: &[u64]) -> Result<(), SpoolError> {
        let noted = self.write_mark(Record::Acked { up_to });
        self.finish(batches).and(noted)
    }

    /// Notes that a batch is finished without an ack of its own. The same holds.
    pub(crate) fn mark_done(&mut self, batch: u64) -> Result<(), SpoolError> {
        let noted = self.write_mark(Record::Done { batch });
        self.finish(&[batch]).and(noted)
    }

    /// What a power cut could still take, if there is something; the caller syncs it, outside any lock.
    pub(crate) fn take_unsynced(&mut self) -> Option<Unsynced> {
        let has_some = self.has_unsynced();
        let dir = std::mem::take(&mut self.is_dir_unsynced).then(|| (self.dir.clone(), self.sync_dir));
        has_some.then(|| Unsynced { files: std::mem::take(&mut self.unsynced), dir })
    }

    pub(crate) fn has_unsynced(&self) -> bool {
        self.is_dir_unsynced || !self.unsynced.is_empty()
    }

    /// A disk as a test wants it.
    #[cfg(test)]
    pub(crate) fn set_sync_dir(&mut self, sync_dir: SyncDir) {
        self.sync_dir = sync_dir;
    }

    /// An error of this spool as a whole.
    pub(crate) fn io_error(&self, source: io::Error) -> SpoolError {
        SpoolError::Io { path: self.dir.clone(), source }
    }

    pub(crate) fn boot(&self) -> u64 {
        self.boot
    }

    /// No batch was ever sent under this sequence number or a later one.
    pub(crate) fn next_seq(&self) -> u64 {
        self.next_seq
    }

    /// The number that the next batch will get; all before it were given.
    pub(crate) fn next_batch(&self) -> u64 {
        self.next_batch
    }

    /// Batches before this one are gone: acked, or dropped for the bound.
    pub(crate) fn first_batch(&self) -> u64 {
        self.segments.front().map_or(self.next_batch, |segment| segment.first_batch)
    }

    /// How many rows a batch holds; 0 when it is gone.
    pub(crate) fn rows_of(&self, batch: u64) -> u32 {
        self.entry(batch).map_or(0, |(_, entry)| entry.rows)
    }

    /// Readings that the hub does not have yet.
    pub(crate) fn readings(&self) -> u64 {
        self.readings
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(crate) fn counters(&self) -> SpoolCounters {
        self.counters
    }

    fn append_payload(&mut self, number: u64, payload: &[u8], rows: u32) -> Result<(), SpoolError> {
        let length = (RECORD_HEADER_BYTES + payload.len()) as u64;
        if length > self.bytes_max / 4 {
            return Err(SpoolError::BatchTooBig { bytes: length, bytes_max: self.bytes_max / 4 });
        }
        self.make_room(length)?;
        let mut record = Vec::with_capacity(length as usize);
        segment::encode_record(&mut record, Record::Batch { batch: number, payload });
        let offset = self.write(&record)?;
        let segment = self.segments.back_mut().expect("a write leaves a current segment");
        segment.entries.push(Entry { offset, bytes: record.len() as u32, rows, done: false });
        segment.open += 1;
        self.readings += u64::from(rows);
        Ok(())
    }

    /// Makes the bytes fit: acked segments are gone already, so what is dropped here was not acked.
    fn make_room(&mut self, length: u64) -> Result<(), SpoolError> {
        let new_segment = self.segment_for(length).is_none();
        let needed = length + if new_segment { segment::HEADER_BYTES as u64 } else { 0 };
        while self.bytes + needed > self.bytes_max {
            if self.when_full == WhenFull::RefuseNew {
                return Err(SpoolError::Full { bytes_max: self.bytes_max });
            }
            if !self.drop_oldest()? {
                break;
            }
        }
        Ok(())
    }

    fn drop_oldest(&mut self) -> Result<bool, SpoolError> {
        let Some(segment) = self.segments.pop_front() else { return Ok(false) };
        if self.segments.is_empty() {
            self.current = None;
        }
        let batches = segment.open as u64;
        let readings: u64 = segment.entries.iter().filter(|entry| !entry.done).map(|entry| u64::from(entry.rows)).sum();
        self.counters.dropped_batches += batches;
        self.counters.dropped_readings += readings;
        self.readings -= readings;
        if batches > 0 {
            tracing::warn!(batches, readings, bytes_max = self.bytes_max, "spool is full: dropped the oldest segment");
        }
        self.delete(&segment)?;
        Ok(true)
    }

    /// Marks are small and must not fail for the bound: it holds for batches, with a 16th of it to spare in practice.
    fn write_mark(&mut self, mark: Record<'_>) -> Result<(), SpoolError> {
        let mut record = Vec::with_capacity(RECORD_HEADER_BYTES + 8);
        segment::encode_record(&mut record, mark);
        self.write(&record).map(|_| ())
    }

    /// Appends bytes to the current segment, or to a new one; takes a partial write back.
    fn write(&mut self, record: &[u8]) -> Result<u32, SpoolError> {
        let file = match self.segment_for(record.len() as u64) {
            Some(file) => file,
            None => self.roll()?,
        };
        let segment = self.segments.back_mut().expect("there is a current segment");
        let offset = segment.bytes;
        if let Err(source) = file.write_all_at(record, offset) {
            // Half a record must not stand before the next one; when even that fails the segment is left.
            if file.set_len(offset).is_err() {
                self.current = None;
            }
            return Err(SpoolError::Io { path: segment.path.clone(), source });
        }
        segment.bytes += record.len() as u64;
        self.bytes += record.len() as u64;
        if !self.unsynced.iter().any(|unsynced| Arc::ptr_eq(unsynced, &file)) {
            self.unsynced.push(file);
        }
        Ok(u32::try_from(offset).expect("a segment is bounded far below 4 GiB"))
    }

    fn segment_for(&self, length: u64) -> Option<Arc<File>> {
        let file = self.current.as_ref()?;
        let bytes = self.segments.back()?.bytes;
        let bytes_max = (self.bytes_max / 16).min(SEGMENT_BYTES_MAX);
        (bytes + length <= bytes_max || bytes == segment::HEADER_BYTES as u64).then(|| Arc::clone(file))
    }

    /// Starts a new segment; the one before is deleted at once if nothing in it waits.
    fn roll(&mut self) -> Result<Arc<File>, SpoolError> {
        self.current = None;
        self.delete_finished()?;
        let number = self.next_segment;
        // Whatever is left of one that cannot be made, the next attempt finds its own name free.
        self.next_segment += 1;
        let path = files::segment_path(&self.dir, number);
        let header = Header { boot: self.boot, segment: number, first_batch: self.next_batch };
        let made = File::options().read(true).write(true).create_new(true).open(&path).and_then(|mut file| {
            file.write_all(&segment::encode_header(&header)).inspect_err(|_| drop(fs::remove_file(&path)))?;
            Ok(Arc::new(file))
        });
        let file = made.map_err(|source| SpoolError::Io { path: path.clone(), source })?;
        self.is_dir_unsynced = true;
        self.bytes += segment::HEADER_BYTES as u64;
        self.segments.push_back(Segment {
            number,
            path,
            bytes: segment::HEADER_BYTES as u64,
            first_batch: self.next_batch,
            entries: Vec::new(),
            open: 0,
        });
        self.current = Some(Arc::clone(&file));
        Ok(file)
    }

    fn finish(&mut self, batches: &[u64]) -> Result<(), SpoolError> {
        for batch in batches {
            self.set_done(*batch);
        }
        self.delete_finished()
    }

    /// Deletes every segment without an open batch, except the one that is appended to.
    fn delete_finished(&mut self) -> Result<(), SpoolError> {
        let current = self.current.as_ref().and(self.segments.back()).map(|segment| segment.number);
        let finished = |segment: &Segment| segment.open == 0 && Some(segment.number) != current;
        while let Some(index) = self.segments.iter().position(finished) {
            let segment = self.segments.remove(index).expect("the index was just found");
            self.delete(&segment)?;
        }
        Ok(())
    }

    fn delete(&mut self, segment: &Segment) -> Result<(), SpoolError> {
        self.bytes -= segment.bytes;
        self.is_dir_unsynced = true;
        fs::remove_file(&segment.path).map_err(|source| SpoolError::Io { path: segment.path.clone(), source })
    }

    fn reserve_seq(&mut self) -> io::Result<()> {
        let seq_reserved = self.next_seq + SEQ_RESERVE;
        files::write_meta(&self.dir, &files::Meta { boot: self.boot, seq_reserved })?;
        self.seq_reserved = seq_reserved;
        Ok(())
    }

    fn entry(&self, batch: u64) -> Option<(&Segment, Entry)> {
        let segment = &self.segments[self.segment_index(batch)?];
        Some((segment, segment.entries[(batch - segment.first_batch) as usize]))
    }

    fn segment_index(&self, batch: u64) -> Option<usize> {
        let index = self.segments.partition_point(|segment| segment.first_batch <= batch).checked_sub(1)?;
        let segment = &self.segments[index];
        (batch - segment.first_batch < segment.entries.len() as u64).then_some(index)
    }

    /// Reads what an earlier process left.
    fn load(&mut self) -> io::Result<Vec<Found>> {
        let mut seqs: BTreeMap<u64, u64> = BTreeMap::new();
        for (number, path) in files::list_segments(&self.dir)? {
            self.next_segment = self.next_segment.max(number + 1);
            self.load_segment(number, path, &mut seqs)?;
        }
        self.segments.retain(|segment| {
            // A file that cannot be deleted now is met again at the next start.
            segment.open > 0 || fs::remove_file(&segment.path).is_err()
        });
        self.bytes = self.segments.iter().map(|segment| segment.bytes).sum();
        let seq_of: BTreeMap<u64, u64> = seqs.into_iter().map(|(seq, batch)| (batch, seq)).collect();
        let mut found = Vec::new();
        for segment in &self.segments {
            for (batch, entry) in (segment.first_batch..).zip(&segment.entries).filter(|(_, entry)| !entry.done) {
                found.push(Found { batch, seq: seq_of.get(&batch).copied(), rows: entry.rows });
            }
        }
        Ok(found)
    }

    /// `seqs` holds the sequence numbers that wait for an ack: number -> batch.
    fn load_segment(&mut self, number: u64, path: PathBuf, seqs: &mut BTreeMap<u64, u64>) -> io::Result<()> {
        let bytes = fs::read(&path).map_err(|error| at_path(&path, &error))?;
        let header = segment::decode_header(&bytes).filter(|header| header.first_batch >= self.next_batch);
        let Some(header) = header else {
            return self.set_aside(&path, bytes.len());
        };
        self.segments.push_back(Segment {
            number,
            path,
            bytes: bytes.len() as u64,
            first_batch: header.first_batch,
            entries: Vec::new(),
            open: 0,
        });
        self.next_batch = header.first_batch;
        let same_life = header.boot == self.boot;
        let end = segment::scan(&bytes, |offset, record| self.replay(offset, record, same_life, seqs));
        if end < bytes.len() {
            let unreadable = bytes.len() - end;
            self.counters.unreadable_bytes += unreadable as u64;
            let path = &self.segments.back().expect("it was just pushed").path;
            tracing::warn!(file = %path.display(), at = end, unreadable, "spool: the end of a segment is unreadable");
        }
        Ok(())
    }

    fn replay(&mut self, offset: usize, record: Record<'_>, same_life: bool, seqs: &mut BTreeMap<u64, u64>) {
        match record {
            Record::Batch { batch, payload } if batch == self.next_batch => {
                let segment = self.segments.back_mut().expect("a record stands in a segment");
                let rows = codec::row_count(payload).unwrap_or(0);
                let bytes = (RECORD_HEADER_BYTES + payload.len()) as u32;
                segment.entries.push(Entry { offset: offset as u32, bytes, rows, done: false });
                segment.open += 1;
                self.readings += u64::from(rows);
                self.next_batch += 1;
            }
            Record::Batch { batch, .. } => {
                tracing::warn!(batch, expected = self.next_batch, "spool: a batch out of order is left out");
            }
            Record::Sent { batch, seq } => {
                self.next_seq = self.next_seq.max(seq + 1);
                if same_life {
                    seqs.retain(|_, other| *other != batch);
                    seqs.insert(seq, batch);
                }
            }
            Record::Acked { up_to } if same_life => {
                let waiting = seqs.split_off(&(up_to + 1));
                for batch in std::mem::replace(seqs, waiting).into_values() {
                    self.set_done(batch);
                }
            }
            Record::Acked { .. } => {}
            Record::Done { batch } => {
                seqs.retain(|_, other| *other != batch);
                self.set_done(batch);
            }
        }
    }

    fn set_done(&mut self, batch: u64) {
        let Some(index) = self.segment_index(batch) else { return };
        let segment = &mut self.segments[index];
        let entry = &mut segment.entries[(batch - segment.first_batch) as usize];
        if !entry.done {
            entry.done = true;
            segment.open -= 1;
            self.readings -= u64::from(entry.rows);
        }
    }

    /// A segment whose header is not right is kept beside the others under another name, never erased.
    fn set_aside(&mut self, path: &Path, bytes: usize) -> io::Result<()> {
        if bytes == 0 {
            return fs::remove_file(path); // made, and killed before its header was written
        }
        self.counters.unreadable_bytes += bytes as u64;
        let aside = path.with_extension("damaged");
        tracing::warn!(file = %aside.display(), bytes, "spool: a segment is unreadable and was set aside");
        fs::rename(path, aside)
    }
}

impl Drop for Spool {
    /// A clean end gives back the reserved numbers and deletes what is done. Both may fail: nothing depends on them.
    fn drop(&mut self) {
        self.current = None;
        if let Err(error) = self.delete_finished() {
            tracing::debug!(%error, "spool: a finished segment stays until the next start");
        }
        let meta = files::Meta { boot: self.boot, seq_reserved: self.next_seq };
        if let Err(error) = files::write_meta(&self.dir, &meta) {
            tracing::debug!(%error, "spool: reserved sequence numbers are skipped at the next start");
        }
    }
}

#[cfg(test)]
mod tests;
