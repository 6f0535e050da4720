//! What a start does with the log it finds: reads every commit back, and sets aside what cannot be read.
//!
//! A bad record with nothing good behind it is an unfinished last commit: nothing of it was acked, and the epoch stays. A bad record
//! with a good one behind it, or before an end record, is damage: named, counted, and the epoch changes, since cursors may
//! promise what is gone. Either way the bytes go to `set-aside/` first, then a skip record takes their place, so that the next
//! start finds a log in order. Every step can be cut off and is simply done again.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::mem::take;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::files::sync_dir;
use super::places::{Places, SegmentInfo};
use super::record;
use super::segment::{self, HEADER_BYTES, HeaderError, RecordKind, Scan, SegmentHeader, Stretch};
use super::trim;
use crate::model::{Commit, Position, Reading};

#[derive(Debug, Default)]
pub struct Recovered {
    pub last: Position,
    pub commits: u64,
    pub bytes: u64,
    /// The log ended with an end record (or is new).
    pub clean: bool,
    pub epoch_changed: bool,
    pub set_aside: Vec<SetAside>,
}

/// Bytes that could not be read.
#[derive(Debug)]
pub struct SetAside {
    pub segment: PathBuf,
    pub offset: u64,
    pub bytes: u64,
    pub what: String,
    /// A last commit that was not finished, as opposed to damage.
    pub unfinished: bool,
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

fn io_error(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> OpenError {
    let path = path.to_path_buf();
    move |source| OpenError::Io { what, path, source }
}

/// Takes one commit after the other. Gives back room for the readings of the next.
pub type Each<'a> = dyn FnMut(Commit) -> Vec<Reading> + 'a;

/// Commits up to `after` are sealed: a segment that holds no others is kept for cursors and not read again.
pub(super) fn recover(dir: &Path, set_aside: &Path, after: Position, each: &mut Each<'_>) -> Result<(Places, Recovered), OpenError> {
    make_dir(dir)?;
    let recovered = Recovered { clean: true, last: after, ..Recovered::default() };
    let mut recovery = Recovery { dir, set_aside, after, recovered, segments: Vec::new(), pending: None, epoch: None, room: Vec::new() };
    let paths = segment_paths(dir)?;
    for (i, path) in paths.iter().enumerate() {
        let next = paths.get(i + 1).and_then(|next| first_by_name(next));
        if !(next.is_some_and(|next| next <= after.next()) && recovery.pending.is_none() && recovery.know_segment(path)?) {
            recovery.read_segment(path, each)?;
        }
    }
    // What is still pending had nothing good behind it in any later segment.
    recovery.settle(false)?;
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

struct Recovery<'a> {
    dir: &'a Path,
    set_aside: &'a Path,
    after: Position,
    recovered: Recovered,
    segments: Vec<SegmentInfo>,
    /// Once it is read or drawn. It changes at most once in a start.
    epoch: Option<u64>,
    /// For the readings of the next commit.
    room: Vec<Reading>,
    /// Bad bytes of which it is not yet known whether something good follows.
    pending: Option<Pending>,
}

struct Pending {
    path: PathBuf,
    salt: u64,
    from: usize,
    bytes: Vec<u8>,
    what: String,
    /// The position that the skip record takes: never used again.
    position: Position,
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
                let epoch = read_or_make_epoch(self.dir, change)?;
                self.recovered.epoch_changed |= change;
                Ok(*self.epoch.insert(epoch))
            }
        }
    }

    fn read_segment(&mut self, path: &Path, each: &mut Each<'_>) -> Result<(), OpenError> {
        let bytes = fs::read(path).map_err(io_error("read", path))?;
        let header = match SegmentHeader::parse(&bytes) {
            Ok(header) => header,
            Err(HeaderError::Newer { found }) => return Err(OpenError::Newer { path: path.to_path_buf(), found }),
            Err(HeaderError::Damaged) => return self.headless(path, &bytes),
        };
        if header.first > self.recovered.last.next() && self.pending.is_none() {
            self.report_gap(path, header.first)?;
        }
        let mut info = SegmentInfo::new(path.to_path_buf(), header.salt, header.first);
        let mut scan = Scan::new(&bytes, HEADER_BYTES, header.salt);
        while let Some(stretch) = scan.next() {
            self.take(stretch, scan.offset(), &bytes, &mut info, each)?;
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
        self.recovered.bytes += info.end;
        self.segments.push(info);
        Ok(())
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
                match record::decode_into(record.position, record.body, take(&mut self.room)) {
                    Ok(commit) => {
                        self.settle(true)?;
                        self.recovered.last = commit.position;
                        self.recovered.commits += 1;
                        self.recovered.clean = false;
                        info.note(commit.position, commit.wall, record.offset as u64, end as u64);
                        self.room = each(commit);
                    }
                    Err(error) => self.set_pending(info, record.offset, &bytes[record.offset..end], error.to_string())?,
                }
            }
            Stretch::Record(record) => {
                self.settle(true)?;
                info.end = end as u64;
                info.last = info.last.max(record.position);
                self.recovered.last = self.recovered.last.max(record.position);
                self.recovered.clean = record.kind == RecordKind::End;
            }
            Stretch::Bad { from, to, what, then } => {
                let bytes = &bytes[from..to.min(bytes.len())];
                self.set_pending(info, from, bytes, what.to_owned())?;
                if let (Some(pending), Some(then)) = (&mut self.pending, then) {
                    pending.position = Position(then.0.saturating_sub(1)).max(pending.position);
                }
                info.end = to as u64;
            }
        }
        Ok(())
    }

    fn set_pending(&mut self, info: &mut SegmentInfo, from: usize, bytes: &[u8], what: String) -> Result<(), OpenError> {
        self.settle(true)?;
        let sealed = info.last < self.after;
        let position = if sealed { info.last.next() } else { self.recovered.last.next().max(info.first) };
        info.last = position;
        self.pending = Some(Pending { path: info.path.clone(), salt: info.salt, from, bytes: bytes.to_vec(), what, position });
        Ok(())
    }

    /// Now it is known what follows the pending bad bytes: something good (damage) or nothing (an unfinished commit).
    fn settle(&mut self, good_follows: bool) -> Result<(), OpenError> {
        let Some(pending) = self.pending.take() else { return Ok(()) };
        let name = pending.path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let kept_in = self.keep(&format!("{name}-{}.bytes", pending.from), &pending.bytes)?;
        if good_follows {
            self.epoch(true)?;
        }
        let file = OpenOptions::new().write(true).open(&pending.path).map_err(io_error("open", &pending.path))?;
        let room = segment::record_bytes(pending.bytes.len().saturating_sub(segment::RECORD_HEADER_BYTES));
        let skip = segment::skip_header(pending.position, pending.salt, room);
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
        self.recovered.last = self.recovered.last.max(pending.position);
        if let Some(info) = self.segments.iter_mut().find(|s| s.path == pending.path) {
            info.end = info.end.max(end);
        }
        self.recovered.clean = false;
        self.recovered.set_aside.push(SetAside {
            segment: pending.path,
            offset: pending.from as u64,
            bytes: pending.bytes.len() as u64,
            what: pending.what,
            unfinished: !good_follows,
            kept_in,
        });
        Ok(())
    }

    /// A segment without a readable header. Cut off while it was made, it holds nothing; else its records are lost to us.
    fn headless(&mut self, path: &Path, bytes: &[u8]) -> Result<(), OpenError> {
        let used = segment::written_bytes(bytes).unwrap_or(0);
        if used > HEADER_BYTES {
            self.settle(true)?;
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let kept_in = self.keep(&name, &bytes[..used])?;
            self.epoch(true)?;
            self.recovered.clean = false;
            let what = "the segment header is damaged".to_owned();
            let segment = path.to_path_buf();
            self.recovered.set_aside.push(SetAside { segment, offset: 0, bytes: used as u64, what, unfinished: false, kept_in });
        }
        fs::remove_file(path).map_err(io_error("remove", path))?;
        sync_dir(self.dir).map_err(io_error("sync", self.dir))
    }

    /// Told until the next seal passes it: then it lies behind what the log must have.
    fn report_gap(&mut self, path: &Path, first: Position) -> Result<(), OpenError> {
        self.epoch(true)?;
        self.recovered.set_aside.push(SetAside {
            segment: path.to_path_buf(),
            offset: 0,
            bytes: 0,
            what: format!("commits {} to {} are missing before it", self.recovered.last.next().0, first.0 - 1),
            unfinished: false,
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

/// The epoch is 64 random bits as 16 hexadecimal digits in `log/epoch`.
fn read_or_make_epoch(dir: &Path, change: bool) -> Result<u64, OpenError> {
    let path = dir.join("epoch");
    if !change {
        match fs::read_to_string(&path) {
            Ok(text) => {
                if let Ok(epoch) = u64::from_str_radix(text.trim(), 16) {
                    return Ok(epoch);
                }
                tracing::warn!(path = %path.display(), "the epoch is not readable: a new one is made, so cursors start anew");
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(io_error("read", &path)(error)),
        }
    }
    let epoch = getrandom::u64().map_err(|e| io_error("draw", &path)(io::Error::other(e)))?;
    let new = dir.join("epoch.new");
    let write = || {
        let mut file = File::create(&new)?;
        writeln!(file, "{epoch:016x}")?;
        file.sync_all()?;
        fs::rename(&new, &path)?;
        sync_dir(dir)
    };
    write().map_err(io_error("write", &path))?;
    Ok(epoch)
}
