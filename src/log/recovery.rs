//! What a start does with the log it finds: reads every commit back, and sets aside what cannot be read.
//!
//! A bad record with nothing good behind it, which lacks its end, is an unfinished last commit: nothing of it was acked, and the epoch
//! stays. One that has its end may have been acked, nobody can tell (`loss.rs`): the epoch stays too. What something good follows is
//! damage: the epoch changes, since cursors may promise what is gone. Either way the bytes go to `set-aside/` first, then a skip record
//! takes their place and the last position that they may have held, so that the next start finds a log in order. Every step can be cut
//! off and is simply done again.
//!
//! The last good commit may be in the page cache alone, when the hub was killed before its sync or the sync failed. From now on it
//! counts, so its bytes are written again and synced.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::epoch;
use super::files::sync_dir;
use super::loss::{self, Loss};
use super::places::{Places, SegmentInfo};
use super::record;
use super::segment::{self, HEADER_BYTES, HeaderError, RecordKind, Scan, SegmentHeader, Stretch};
use super::trim;
use crate::model::Position;
use crate::replayed::Replayed;

#[derive(Debug, Default)]
pub struct Recovered {
    pub last: Position,
    pub commits: u64,
    pub bytes: u64,
    /// The log ended with an end record (or is new).
    pub clean: bool,
    pub epoch_changed: bool,
    /// The newest position that a last commit, of which nobody can tell whether it was acked, may have had.
    pub unclear: Position,
    pub set_aside: Vec<SetAside>,
}

/// Bytes that could not be read.
#[derive(Debug)]
pub struct SetAside {
    pub segment: PathBuf,
    pub offset: u64,
    pub bytes: u64,
    pub what: String,
    pub loss: Loss,
    pub kept_in: PathBuf,
}

#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("cannot {what} {}", path.display())]
    Io {
        what: &'static str,
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("{}: format version {found} is newer than this program reads", path.display())]
    Newer { path: PathBuf, found: u32 },
}

pub(super) fn io_error(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> OpenError {
    let path = path.to_path_buf();
    move |source| OpenError::Io { what, path, source }
}

/// Sees what was read so far after each commit, and takes it out when it is enough. True: these are the last.
pub type Each<'a> = dyn FnMut(&mut Replayed, bool) + 'a;

/// Commits up to `after` are sealed: a segment that holds no others is kept for cursors and not read again.
pub(super) fn recover(dir: &Path, set_aside: &Path, after: Position, each: &mut Each<'_>) -> Result<(Places, Recovered), OpenError> {
    make_dir(dir)?;
    if let Err(error) = trim::remove_orphans(dir) {
        tracing::warn!(%error, "old indexes of the log stay");
    }
    let recovered = Recovered { clean: true, last: after, ..Recovered::default() };
    let mut recovery = Recovery {
        dir,
        set_aside,
        after,
        recovered,
        segments: Vec::new(),
        pending: None,
        newest: None,
        epoch: None,
        read: Replayed::default(),
        bytes: Vec::new(),
    };
    let paths = segment_paths(dir)?;
    for (i, path) in paths.iter().enumerate() {
        let next = paths.get(i + 1).and_then(|next| first_by_name(next));
        if !(next.is_some_and(|next| next <= after.next()) && recovery.pending.is_none() && recovery.know_segment(path)?) {
            recovery.read_segment(path, next, each)?;
        }
    }
    // What is still pending had nothing good behind it in any later segment.
    recovery.settle(false)?;
    recovery.write_again()?;
    each(&mut recovery.read, true);
    let epoch = recovery.epoch(false)?;
    Ok((Places::new(epoch, recovery.segments, recovery.recovered.last), recovery.recovered))
}

/// A segment is named by the position of its first record.
fn first_by_name(path: &Path) -> Option<Position> {
    path.file_stem()?.to_str()?.parse().ok().map(Position)
}

/// A directory is on disk when its parent's entry is: what is synced inside it would be lost with it.
fn make_dir(dir: &Path) -> Result<(), OpenError> {
    fs::create_dir_all(dir).map_err(io_error("make", dir))?;
    dir.parent().map_or(Ok(()), sync_dir).map_err(io_error("sync the parent of", dir))
}

fn segment_paths(dir: &Path) -> Result<Vec<PathBuf>, OpenError> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(dir).map_err(io_error("list", dir))? {
        let path = entry.map_err(io_error("list", dir))?.path();
        if path.extension().is_some_and(|e| e == "seg") {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

fn remove_index(segment: &Path) -> Result<(), OpenError> {
    let index = trim::index_path(segment);
    trim::remove(&index).map_err(io_error("remove", &index))
}

struct Recovery<'a> {
    dir: &'a Path,
    set_aside: &'a Path,
    after: Position,
    recovered: Recovered,
    segments: Vec<SegmentInfo>,
    /// The last commit, unless an end record follows it.
    newest: Option<Newest>,
    /// Once it is read or drawn. It changes at most once in a start.
    epoch: Option<u64>,
    /// Commits that nobody took yet.
    read: Replayed,
    /// Room for the bytes of one segment after the other.
    bytes: Vec<u8>,
    /// Bad bytes of which it is not yet known whether something good follows.
    pending: Option<Pending>,
}

struct Pending {
    path: PathBuf,
    salt: u64,
    from: usize,
    bytes: Vec<u8>,
    what: String,
    /// What they are if nothing good follows.
    loss: Loss,
    /// The position in front of them.
    before: Position,
    /// The last that they may have held. The skip record takes it, and it is never used again.
    last: Position,
}

/// A record that may not be on disk.
struct Newest {
    path: PathBuf,
    offset: usize,
    bytes: Vec<u8>,
}

impl Recovery<'_> {
    /// Whether all that must be known of a sealed segment stands in its index.
    fn know_segment(&mut self, path: &Path) -> Result<bool, OpenError> {
        let mut head = [0; HEADER_BYTES];
        let file = File::open(path).map_err(io_error("open", path))?;
        let len = file.metadata().map_err(io_error("ask for the size of", path))?.len();
        if file.read_exact_at(&mut head, 0).is_err() {
            return Ok(false);
        }
        let info = SegmentHeader::parse(&head).ok().and_then(|header| trim::indexed(path, header.salt, len));
        let known = info.is_some();
        self.segments.extend(info);
        Ok(known)
    }

    fn epoch(&mut self, change: bool) -> Result<u64, OpenError> {
        match self.epoch {
            Some(epoch) if !change || self.recovered.epoch_changed => Ok(epoch),
            _ => {
                let epoch = epoch::read_or_make(self.dir, change)?;
                self.recovered.epoch_changed |= change;
                Ok(*self.epoch.insert(epoch))
            }
        }
    }

    /// `next` is where the segment behind it begins.
    fn read_segment(&mut self, path: &Path, next: Option<Position>, each: &mut Each<'_>) -> Result<(), OpenError> {
        let mut bytes = std::mem::take(&mut self.bytes);
        bytes.clear();
        let read = File::open(path).and_then(|mut file| file.read_to_end(&mut bytes));
        read.map_err(io_error("read", path))?;
        self.take_segment(path, next, &bytes, each)?;
        self.bytes = bytes;
        Ok(())
    }

    fn take_segment(&mut self, path: &Path, next: Option<Position>, bytes: &[u8], each: &mut Each<'_>) -> Result<(), OpenError> {
        let header = match SegmentHeader::parse(bytes) {
            Ok(header) => header,
            Err(HeaderError::Newer { found }) => return Err(OpenError::Newer { path: path.to_path_buf(), found }),
            Err(HeaderError::Damaged) => return self.headless(path, next, bytes),
        };
        if let Some(pending) = &mut self.pending {
            // A segment is made when all before it is on disk, and says where that ends.
            pending.last = pending.last.min(Position(header.first.0.saturating_sub(1))).max(pending.before);
            self.settle(true)?;
        }
        if header.first > self.recovered.last.next() {
            self.report_gap(path, header.first)?;
        }
        if trim::indexed(path, header.salt, bytes.len() as u64).is_none() {
            // Torn by a power cut: the next trim makes another.
            remove_index(path)?;
        }
        let mut info = SegmentInfo::new(path.to_path_buf(), header.salt, header.first);
        let mut scan = Scan::new(bytes, HEADER_BYTES, header.salt);
        let mut newest = None;
        while let Some(stretch) = scan.next() {
            match &stretch {
                Stretch::Record(record) if record.kind == RecordKind::Commit => {
                    newest = Some(record.offset..scan.offset().min(bytes.len()))
                }
                Stretch::Record(record) if record.kind == RecordKind::End => newest = None,
                Stretch::Record(_) | Stretch::Bad { .. } => {}
            }
            self.take(stretch, scan.offset(), bytes, &mut info, each)?;
        }
        if info.marks.is_empty() && info.end == HEADER_BYTES as u64 && self.pending.is_none() {
            // Made, but nothing was written: the next append would make a file of the same name.
            fs::remove_file(path).map_err(io_error("remove the empty segment", path))?;
            return Ok(());
        }
        if self.pending.is_none() && scan.offset() < bytes.len() {
            // Reserved and never written: given back, so that the next start does not read it again.
            let cut = OpenOptions::new()
                .write(true)
                .open(path)
                .and_then(|file| file.set_len(scan.offset() as u64).and_then(|()| file.sync_all()));
            cut.map_err(io_error("cut", path))?;
        }
        self.newest = newest.map(|at| Newest { path: path.to_path_buf(), offset: at.start, bytes: bytes[at].to_vec() });
        self.recovered.bytes += info.end;
        self.segments.push(info);
        Ok(())
    }

    /// Pages whose sync failed count as clean: only bytes that are written anew are sure to be in the next sync.
    fn write_again(&self) -> Result<(), OpenError> {
        let Some(Newest { path, offset, bytes }) = &self.newest else { return Ok(()) };
        let file = OpenOptions::new().write(true).open(path);
        let written = file.and_then(|file| file.write_all_at(bytes, *offset as u64).and_then(|()| file.sync_all()));
        written.map_err(io_error("write the last commit again in", path))
    }

    fn take(
        &mut self,
        stretch: Stretch<'_>,
        end: usize,
        bytes: &[u8],
        info: &mut SegmentInfo,
        each: &mut Each<'_>,
    ) -> Result<(), OpenError> {
        match stretch {
            Stretch::Record(record) if record.kind == RecordKind::Commit && record.position <= self.after => {
                self.settle(true)?;
                info.note(record.position, record::wall(record.body), record.offset as u64, end as u64);
            }
            Stretch::Record(record) if record.kind == RecordKind::Commit => {
                match record::decode_into(record.position, record.body, &mut self.read) {
                    Ok(()) => {
                        self.settle(true)?;
                        self.recovered.last = record.position;
                        self.recovered.commits += 1;
                        self.recovered.clean = false;
                        info.note(record.position, record::wall(record.body), record.offset as u64, end as u64);
                        each(&mut self.read, false);
                    }
                    Err(error) => {
                        let bytes = &bytes[record.offset..end.min(bytes.len())];
                        // Its checksum is good, so all of it was written.
                        self.set_pending(info, record.offset, bytes, error.to_string(), |_| (Loss::Unclear, record.position))?;
                    }
                }
            }
            Stretch::Record(record) => {
                self.settle(true)?;
                info.end = end as u64;
                info.last = info.last.max(record.position);
                self.recovered.last = self.recovered.last.max(record.position);
                self.recovered.clean = record.kind == RecordKind::End;
                if record.is_unclear {
                    self.recovered.unclear = record.position;
                }
            }
            Stretch::Bad { from, to, what, then } => {
                let (salt, rest) = (info.salt, &bytes[from..]);
                let bytes = &bytes[from..to.min(bytes.len())];
                self.set_pending(info, from, bytes, what.to_owned(), |before| match then {
                    Some(then) => (Loss::Damage, Position(then.0.saturating_sub(1)).max(before.next())),
                    None => loss::of_the_end(rest, salt, before),
                })?;
                info.end = to as u64;
            }
        }
        Ok(())
    }

    /// `judge` says of the position before what the bytes are, if nothing good follows, and the last position they may have held.
    fn set_pending(
        &mut self,
        info: &mut SegmentInfo,
        from: usize,
        bytes: &[u8],
        what: String,
        judge: impl FnOnce(Position) -> (Loss, Position),
    ) -> Result<(), OpenError> {
        self.settle(true)?;
        let sealed = info.last < self.after;
        let before = if sealed { info.last } else { self.recovered.last.max(Position(info.first.0.saturating_sub(1))) };
        let (loss, last) = judge(before);
        info.last = last;
        self.pending = Some(Pending { path: info.path.clone(), salt: info.salt, from, bytes: bytes.to_vec(), what, loss, before, last });
        Ok(())
    }

    /// Now it is known what follows the pending bad bytes: something good (damage) or nothing.
    fn settle(&mut self, good_follows: bool) -> Result<(), OpenError> {
        let Some(pending) = self.pending.take() else { return Ok(()) };
        let name = pending.path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let kept_in = self.keep(&format!("{name}-{}.bytes", pending.from), &pending.bytes)?;
        let loss = if good_follows { Loss::Damage } else { pending.loss };
        match loss {
            Loss::Unfinished => {}
            Loss::Unclear => self.recovered.unclear = pending.last,
            Loss::Damage => drop(self.epoch(true)?),
        }
        // It tells of a record that will not be there.
        remove_index(&pending.path)?;
        let file = OpenOptions::new().write(true).open(&pending.path).map_err(io_error("open", &pending.path))?;
        let room = segment::record_bytes(pending.bytes.len().saturating_sub(segment::RECORD_HEADER_BYTES));
        let skip = segment::skip_header(pending.last, pending.salt, room, loss == Loss::Unclear);
        let end = (pending.from + room) as u64;
        let len = file.metadata().map_err(io_error("ask for the size of", &pending.path))?.len();
        let write = || {
            if len < end {
                file.set_len(end)?;
            }
            file.write_all_at(&skip, pending.from as u64)?;
            file.sync_all()
        };
        write().map_err(io_error("mark damage in", &pending.path))?;
        self.recovered.last = self.recovered.last.max(pending.last);
        if let Some(info) = self.segments.iter_mut().find(|s| s.path == pending.path) {
            (info.end, info.last) = (info.end.max(end), pending.last);
        }
        self.recovered.clean = false;
        self.recovered.set_aside.push(SetAside {
            segment: pending.path,
            offset: pending.from as u64,
            bytes: pending.bytes.len() as u64,
            what: pending.what,
            loss,
            kept_in,
        });
        Ok(())
    }

    /// A segment without a readable header. Cut off while it was made, it holds nothing; else its records are lost to us, and one
    /// that says so takes its place.
    fn headless(&mut self, path: &Path, next: Option<Position>, bytes: &[u8]) -> Result<(), OpenError> {
        let used = segment::written_bytes(bytes).unwrap_or(0);
        if used <= HEADER_BYTES {
            fs::remove_file(path).map_err(io_error("remove", path))?;
            return sync_dir(self.dir).map_err(io_error("sync", self.dir));
        }
        self.settle(true)?;
        let first = first_by_name(path).unwrap_or(self.recovered.last.next());
        if first > self.recovered.last.next() {
            self.report_gap(path, first)?;
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let kept_in = self.keep(&name, &bytes[..used])?;
        self.epoch(true)?;
        let most = Position(first.0.saturating_sub(1) + loss::most_commits(used - HEADER_BYTES));
        let last = next.map_or(most, |next| most.min(Position(next.0.saturating_sub(1)))).max(first);
        let salt = getrandom::u64().map_err(|e| io_error("draw a salt for", path)(io::Error::other(e)))?;
        let mut skipped = SegmentHeader { salt, first }.encode().to_vec();
        skipped.extend(segment::skip_header(last, salt, segment::RECORD_HEADER_BYTES, false));
        self.replace(path, &skipped).map_err(io_error("mark damage in", path))?;
        let mut info = SegmentInfo::new(path.to_path_buf(), salt, first);
        (info.last, info.end) = (last, skipped.len() as u64);
        self.segments.push(info);
        self.newest = None;
        self.recovered.last = self.recovered.last.max(last);
        self.recovered.clean = false;
        self.recovered.set_aside.push(SetAside {
            segment: path.to_path_buf(),
            offset: 0,
            bytes: used as u64,
            what: "the segment header is damaged".to_owned(),
            loss: Loss::Damage,
            kept_in,
        });
        Ok(())
    }

    fn replace(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        trim::remove(&trim::index_path(path))?;
        let new = path.with_extension("new");
        let mut file = File::create(&new)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&new, path)?;
        sync_dir(self.dir)
    }

    /// Told until the next seal passes it: then it lies behind what the log must have.
    fn report_gap(&mut self, path: &Path, first: Position) -> Result<(), OpenError> {
        self.epoch(true)?;
        self.recovered.set_aside.push(SetAside {
            segment: path.to_path_buf(),
            offset: 0,
            bytes: 0,
            what: format!("commits {} to {} are missing before it", self.recovered.last.next().0, first.0 - 1),
            loss: Loss::Damage,
            kept_in: PathBuf::new(),
        });
        Ok(())
    }

    fn keep(&self, name: &str, bytes: &[u8]) -> Result<PathBuf, OpenError> {
        make_dir(self.set_aside)?;
        let path = self.set_aside.join(name);
        let write = || {
            let mut file = File::create(&path)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            sync_dir(self.set_aside)
        };
        write().map_err(io_error("write", &path))?;
        Ok(path)
    }
}
