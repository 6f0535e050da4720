//! The commit log: the truth that a store and the live side follow. Two narrow traits, so that the files of one hub can
//! later be a stream between several.
//!
//! Invariant: `append` returns only when the commit is on disk; after an error nothing more is appended (the log is
//! poisoned), since nobody can know what the disk kept.

pub mod check;
mod epoch;
pub mod files;
mod index;
pub mod loss;
mod places;
pub mod reader;
mod record;
pub mod recovery;
mod runs;
mod segment;
mod skim;
mod stream;
pub mod tail;
#[cfg(test)]
mod tests;
mod trim;
mod values;

use std::path::PathBuf;

pub(crate) use record::readings;
pub(crate) use runs::{Unpacked, unpack};
pub use trim::Keep;

use crate::model::{Commit, Position, SeriesId};

/// Appends commits. Only the writer holds one.
pub trait Log: Send {
    /// Makes the commit durable and says how many bytes it took, or why it is not.
    fn append(&mut self, commit: &Commit) -> Result<u64, AppendError>;
    /// Writes the end record of a clean stop and closes.
    fn close(&mut self) -> Result<(), AppendError>;
}

/// Reads commits back, beside the writer. Shared by live resumes.
pub trait LogRead: Send + Sync {
    fn epoch(&self) -> u64;
    /// Calls `each` with every commit after `after`, up to and including `until`, in order. Refused before the first call when
    /// that would read more than `max_bytes`, or when `after` is older than the log keeps.
    fn read(&self, after: Position, until: Position, max_bytes: u64, each: &mut dyn FnMut(Commit)) -> Result<(), ReadError>;
    /// The same for a reader that wants these series alone: commits that do not concern them may be left out.
    fn read_of(
        &self,
        ids: &[SeriesId],
        after: Position,
        until: Position,
        max_bytes: u64,
        each: &mut dyn FnMut(Commit),
    ) -> Result<(), ReadError> {
        let _unused = ids;
        self.read(after, until, max_bytes, each)
    }

    /// Bytes that reads took from the disk since the start.
    fn bytes_read(&self) -> u64 {
        0
    }
}

#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// Nothing of it is in the log; the same commit may be tried again later.
    #[error("no space left for the commit log in {}", path.display())]
    DiskFull { path: PathBuf },
    /// The disk's state is unknown. No more acks until a restart reads it back.
    #[error("the commit log is poisoned: {what} of {} failed", path.display())]
    Poisoned {
        what: &'static str,
        path: PathBuf,
        #[source]
        source: Option<std::io::Error>,
    },
}

#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error("position {} is older than the log keeps (oldest {})", asked.0, oldest.0)]
    Gone { asked: Position, oldest: Position },
    #[error("position {} has not been committed (newest {})", asked.0, newest.0)]
    Ahead { asked: Position, newest: Position },
    #[error("reading from position {} takes {bytes} bytes, more than {max}", asked.0)]
    TooMuch { asked: Position, bytes: u64, max: u64 },
    #[error("cannot read {}", path.display())]
    Io {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("damaged record at {}+{offset}: {what}", path.display())]
    Damaged { path: PathBuf, offset: u64, what: String },
}

/// A commit as a start reads it back.
#[cfg(test)]
pub(crate) fn write_and_read(commit: &Commit, replayed: &mut crate::replayed::Replayed) {
    let mut body = Vec::new();
    record::encode(commit, &mut body);
    record::decode_into(commit.position, &body, replayed).expect("what is written is read");
}
