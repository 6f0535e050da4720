//! The small files around the segments: the lock, `meta`, and the names of segments.

use std::fs::{self, File, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::SpoolError;

const META_MAGIC: &[u8; 8] = b"TTSPMETA";
const META_BYTES: usize = 28;

/// What must outlive every segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Meta {
    pub(super) boot: u64,
    /// Sequence numbers below this one may have been used.
    pub(super) seq_reserved: u64,
}

/// Takes the lock of the directory. It belongs to the process, so a killed one leaves none behind.
pub(super) fn lock(dir: &Path) -> Result<File, SpoolError> {
    let path = dir.join("lock");
    let file = File::options().create(true).truncate(false).write(true).open(&path);
    let file = file.map_err(|source| SpoolError::Io { path, source })?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(SpoolError::InUse { path: dir.to_owned() }),
        Err(TryLockError::Error(source)) => Err(SpoolError::Io { path: dir.to_owned(), source }),
    }
}

/// `None` when there is none yet, or one that is not right: the spool then starts a new life.
pub(super) fn read_meta(dir: &Path) -> io::Result<Option<Meta>> {
    let bytes = match fs::read(dir.join("meta")) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let meta = decode_meta(&bytes);
    if meta.is_none() {
        tracing::warn!(bytes = bytes.len(), "spool: meta is unreadable, the spool gets a new boot id");
    }
    Ok(meta)
}

/// Replaces `meta` at once: after a crash it is the old one or the new one.
pub(super) fn write_meta(dir: &Path, meta: &Meta) -> io::Result<()> {
    let mut bytes = Vec::with_capacity(META_BYTES);
    bytes.extend_from_slice(META_MAGIC);
    bytes.extend_from_slice(&meta.boot.to_le_bytes());
    bytes.extend_from_slice(&meta.seq_reserved.to_le_bytes());
    bytes.extend_from_slice(&crc32c::crc32c(&bytes).to_le_bytes());
    let new = dir.join("meta.new");
    let mut file = File::create(&new)?;
    file.write_all(&bytes)?;
    file.sync_all()?;
    fs::rename(&new, dir.join("meta"))?;
    sync_dir(dir)
}

/// Makes names that came or went in the directory survive a power cut.
pub(super) fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

pub(super) fn segment_path(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("{number:016}.seg"))
}

/// Numbers and paths, oldest first. Other files are left alone.
pub(super) fn list_segments(dir: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    let mut segments = Vec::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        let number = path.file_name().and_then(|name| name.to_str()).and_then(|name| name.strip_suffix(".seg"));
        if let Some(number) = number.and_then(|digits| digits.parse().ok()) {
            segments.push((number, path));
        }
    }
    segments.sort_unstable();
    Ok(segments)
}

fn decode_meta(bytes: &[u8]) -> Option<Meta> {
    let bytes: &[u8; META_BYTES] = bytes.try_into().ok()?;
    if &bytes[..8] != META_MAGIC || crc32c::crc32c(&bytes[..24]).to_le_bytes() != bytes[24..] {
        return None;
    }
    let number = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"));
    Some(Meta { boot: number(8), seq_reserved: number(16) })
}
