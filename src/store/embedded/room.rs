//! A file that holds room, where bytes are bounded. On a disk that others filled to the last byte, taking rows out of a file needs room
//! itself: for the WAL that says so. Then this file goes first, and is made anew when there is room again.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::io::Errno;

const FILE_NAME: &str = "reserve";
/// What a transaction writes that takes rows out, at least.
const LEAST_BYTES: u64 = 512 << 10;
const MOST_BYTES: u64 = 4 << 20;
/// Of the bound on bytes.
const SHARE: u64 = 32;
/// What is written at once where room cannot be taken otherwise.
const PIECE_BYTES: usize = 64 << 10;
/// When there was no room to make it, or it takes none.
const AGAIN: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(super) struct Room {
    path: PathBuf,
    /// 0: bytes are not bounded, and none is held.
    bytes: u64,
    next: Option<Instant>,
    /// Takes room for a file without writing, where the file system can.
    allocate: fn(&File, u64) -> io::Result<()>,
}

impl Room {
    /// In the store's directory.
    pub(super) fn new(dir: &Path, max_bytes: u64) -> Self {
        let bytes = if max_bytes > 0 { (max_bytes / SHARE).clamp(LEAST_BYTES, MOST_BYTES) } else { 0 };
        Self { path: dir.join(FILE_NAME), bytes, next: None, allocate }
    }

    /// Holds room, if it is not held and can be.
    pub(super) fn hold(&mut self) {
        if self.next.is_some_and(|next| next > Instant::now()) || self.is_held() {
            return;
        }
        let made = self.make();
        if let Err(error) = &made {
            tracing::debug!(%error, path = %self.path.display(), "there is no room to hold");
            // What there is of it would be room for nothing.
            drop(fs::remove_file(&self.path));
        }
        if made.is_err() || !self.is_held() {
            self.next = Some(Instant::now() + AGAIN);
        }
    }

    fn is_held(&self) -> bool {
        match fs::metadata(&self.path) {
            Ok(meta) => meta.blocks() * 512 >= self.bytes && meta.len() == self.bytes,
            Err(_) => self.bytes == 0,
        }
    }

    fn make(&self) -> io::Result<()> {
        if self.bytes == 0 {
            // Of a run before, when bytes were bounded.
            return fs::remove_file(&self.path);
        }
        let file = File::options().create(true).truncate(true).write(true).mode(0o600).open(&self.path)?;
        match (self.allocate)(&file, self.bytes) {
            // The file system has no way to take room but to write.
            Err(error) if matches!(Errno::from_io_error(&error), Some(Errno::OPNOTSUPP | Errno::NOSYS)) => fill(&file, self.bytes)?,
            other => other?,
        }
        file.sync_all()
    }

    /// Gives it back to the disk. Says whether there was some.
    pub(super) fn release(&mut self) -> bool {
        let is_released = self.bytes > 0 && fs::remove_file(&self.path).is_ok();
        if is_released {
            tracing::warn!(bytes = self.bytes, "the disk is full: what was held for that is released, so that old readings can go");
            self.next = Some(Instant::now() + AGAIN);
        }
        is_released
    }
}

fn allocate(file: &File, bytes: u64) -> io::Result<()> {
    Ok(rustix::fs::fallocate(file, rustix::fs::FallocateFlags::empty(), 0, bytes)?)
}

/// With bytes that no file system packs: zeros may take no room at all.
fn fill(mut file: &File, bytes: u64) -> io::Result<()> {
    let (mut state, mut left, mut piece) = (0x9e37_79b9_7f4a_7c15_u64, bytes, vec![0; PIECE_BYTES]);
    while left > 0 {
        for word in piece.chunks_exact_mut(8) {
            // Xorshift: noise enough for this.
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            word.copy_from_slice(&state.to_le_bytes());
        }
        let next = usize::try_from(left).unwrap_or(PIECE_BYTES).min(PIECE_BYTES);
        file.write_all(&piece[..next])?;
        left -= next as u64;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_held_once_and_of_the_size_that_is_asked_for() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE_NAME);
        let length = || fs::metadata(&path).ok().map(|meta| meta.len());
        for (max_bytes, expected) in [(0, None), (1 << 30, Some(4 << 20)), (32 << 20, Some(1 << 20)), (1, Some(LEAST_BYTES)), (0, None)] {
            let mut room = Room::new(dir.path(), max_bytes);
            room.hold();
            assert_eq!(length(), expected, "{max_bytes}");
            assert!(room.is_held());
        }
        let mut room = Room::new(dir.path(), 1);
        room.hold();
        assert!(room.release() && !room.release());
        room.hold();
        assert_eq!(length(), None, "not at once");
        room.next = None;
        room.hold();
        assert_eq!(length(), Some(LEAST_BYTES));
    }

    #[test]
    fn room_is_written_where_it_cannot_be_taken_otherwise() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE_NAME);
        let cannot = |_: &File, _: u64| Err(Errno::OPNOTSUPP.into());
        let mut room = Room { allocate: cannot, ..Room::new(dir.path(), 100 << 20) };
        room.hold();
        let meta = fs::metadata(&path).unwrap();
        assert_eq!((meta.len(), meta.blocks() * 512 >= meta.len()), ((100 << 20) / SHARE, true));
        assert!(room.is_held() && room.next.is_none());
        let bytes = fs::read(&path).unwrap();
        assert!(bytes.chunks(PIECE_BYTES).all(|piece| piece.iter().any(|byte| *byte != 0)), "no hole");
        assert!(room.release() && !path.exists());
        let fails = |_: &File, _: u64| Err(io::Error::from(io::ErrorKind::StorageFull));
        let mut room = Room { allocate: fails, ..Room::new(dir.path(), 100 << 20) };
        room.hold();
        assert!(!path.exists() && room.next.is_some(), "a full disk is no reason to write");
    }
}
