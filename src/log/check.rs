//! Reads the whole log and says what is bad, without changing anything: beside a hub or without one.

use std::fs;
use std::io::{self, Cursor};
use std::path::{Path, PathBuf};

use super::index::SegmentIndex;
use super::loss::{self, Loss};
use super::record;
use super::segment::{HEADER_BYTES, HeaderError, RecordKind, Scan, SegmentHeader, Stretch};
use super::trim;
use crate::model::Position;

/// A hub that writes while it is read may show a record by halves: it is read again so often.
const ATTEMPTS: usize = 3;

#[derive(Debug, Default)]
pub struct LogChecked {
    pub segments: u64,
    pub commits: u64,
    pub bytes: u64,
    pub bad: Vec<LogBad>,
    /// A last commit that cannot be read: it was never acked, or a hub writes it just now, or (`unclear`) nobody can tell.
    pub unfinished: Option<LogBad>,
    /// What `unfinished` may have been acked.
    pub unclear: bool,
}

/// A place that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogBad {
    pub file: String,
    pub offset: u64,
    pub what: String,
}

/// The segments that are there now, in order. Listed before it is asked what is sealed, so that none in between is missed.
pub fn segments(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "seg") {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

/// Checks these segments, their indexes and the epoch. Commits up to `sealed` need not be there. `progress` is told the bytes read
/// and those there are.
pub fn check(dir: &Path, segments: &[PathBuf], sealed: Position, progress: &mut dyn FnMut(u64, u64)) -> io::Result<LogChecked> {
    let total = segments.iter().filter_map(|path| fs::metadata(path).ok()).map(|meta| meta.len()).sum();
    let mut checked = LogChecked::default();
    check_epoch(dir, &mut checked)?;
    // None: the one before went while it was checked.
    let mut last = Some(sealed);
    for path in segments {
        let Some(bytes) = read(path)? else {
            last = None;
            continue;
        };
        // What is still open in one segment is damage when another one follows.
        checked.bad.extend(checked.unfinished.take());
        checked.segments += 1;
        checked.bytes += bytes.len() as u64;
        last = Some(segment(path, &bytes, last, &mut checked));
        progress(checked.bytes.min(total), total);
    }
    Ok(checked)
}

fn check_epoch(dir: &Path, checked: &mut LogChecked) -> io::Result<()> {
    let text = match fs::read_to_string(dir.join("epoch")) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => String::new(),
        other => other?,
    };
    if u64::from_str_radix(text.trim(), 16).is_err() {
        checked.bad.push(LogBad { file: "epoch".to_owned(), offset: 0, what: "it is no epoch: all cursors will start anew".to_owned() });
    }
    Ok(())
}

/// None: it is gone.
fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    for _ in 0..ATTEMPTS {
        bytes = match fs::read(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other?,
        };
        let Ok(header) = SegmentHeader::parse(&bytes) else { continue };
        if Scan::new(&bytes, HEADER_BYTES, header.salt).all(|stretch| matches!(stretch, Stretch::Record(_))) {
            break;
        }
    }
    Ok(Some(bytes))
}

/// Gives the newest position that it holds.
fn segment(path: &Path, bytes: &[u8], before: Option<Position>, checked: &mut LogChecked) -> Position {
    let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let bad = |offset: usize, what: String| LogBad { file: file.clone(), offset: offset as u64, what };
    let header = match SegmentHeader::parse(bytes) {
        Ok(header) => header,
        // Cut off while it was made.
        Err(HeaderError::Damaged) if bytes.iter().all(|byte| *byte == 0) => return before.unwrap_or(Position(0)),
        Err(error) => {
            checked.bad.push(bad(0, error.to_string()));
            return before.unwrap_or(Position(0));
        }
    };
    let mut last = before.unwrap_or(header.first).max(Position(header.first.0.saturating_sub(1)));
    if before.is_some_and(|before| header.first > before.next())
        && let Some(before) = before
    {
        checked.bad.push(bad(0, format!("commits {} to {} are missing before it", before.next().0, header.first.0 - 1)));
    }
    let mut newest = Position(0);
    for stretch in Scan::new(bytes, HEADER_BYTES, header.salt) {
        match stretch {
            Stretch::Record(found) if found.kind == RecordKind::Commit => {
                checked.commits += 1;
                if let Err(error) = record::decode(found.position, found.body) {
                    checked.bad.push(bad(found.offset, format!("commit {}: {error}", found.position.0)));
                }
                if found.position <= newest {
                    checked.bad.push(bad(found.offset, format!("commit {} stands behind {}", found.position.0, newest.0)));
                }
                newest = found.position;
                last = last.max(newest);
            }
            Stretch::Record(found) => last = last.max(found.position),
            Stretch::Bad { from, what, then: Some(then), .. } => {
                checked.bad.push(bad(from, format!("{what}; commit {} behind it can be read", then.0)));
            }
            Stretch::Bad { from, what, then: None, .. } => {
                checked.unclear = loss::of_the_end(&bytes[from..], header.salt, last).0 == Loss::Unclear;
                checked.unfinished = Some(bad(from, what.to_owned()));
            }
        }
    }
    check_index(path, bytes, header, checked);
    last
}

fn check_index(path: &Path, bytes: &[u8], header: SegmentHeader, checked: &mut LogChecked) {
    let index = trim::index_path(path);
    let Ok(found) = fs::read(&index) else { return };
    let expected = SegmentIndex::of(&mut Cursor::new(bytes), header.salt, header.first).ok().flatten();
    if SegmentIndex::decode(&found) != expected {
        let file = index.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let what = "it is not the index of its segment, which is read instead; remove it".to_owned();
        checked.bad.push(LogBad { file, offset: 0, what });
    }
}
