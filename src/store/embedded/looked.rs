//! Days that are over in which nothing is new, remembered over restarts: to ask a file reads all of it. A file is told by its length and
//! its time of change, so whatever changed it, a program of another version too, has it asked again.
//!
//! Invariant: what is remembered of a file was so after its last change that this time tells: a change within the same tick of the clock
//! would not be told, so only what has rested for a while is noted.
//!
//! Invariant: nothing that adds to a file is written before the note of it is gone from the disk. A file system may keep the time of
//! change in memory long after the bytes are on the disk, and with a power cut a changed file would look as it was.

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::{Connection, params};

use super::EmbeddedStore;
use super::dayfile::DayFile;
use super::files::with_suffix;
use super::key::{FileKey, FileKind};
use super::sql;
use crate::store::StoreError;

/// A file that changed less long ago is noted later.
const REST: Duration = Duration::from_secs(2);
/// How often it is looked what can be noted.
const EVERY: Duration = Duration::from_secs(10);
/// Files that one step looks at and notes.
const AT_ONCE: usize = 100;

/// As the file system tells a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    bytes: u64,
    changed_ns: i64,
}

/// What is remembered of a file: all its rows were looked at.
#[derive(Clone, Debug)]
pub(super) struct Looked {
    file: String,
    stamp: Stamp,
    /// Points and bytes of bodies.
    sums: (u64, u64),
}

/// None: it is not there, or its WAL holds something.
fn stamp(path: &Path) -> Option<(Stamp, Metadata)> {
    if fs::metadata(with_suffix(path, "-wal")).is_ok_and(|wal| wal.len() > 0) {
        return None;
    }
    let meta = fs::metadata(path).ok()?;
    let changed_ns = meta.mtime().wrapping_mul(crate::clock::NS_PER_SEC).wrapping_add(meta.mtime_nsec());
    Some((Stamp { bytes: meta.len(), changed_ns }, meta))
}

/// When notes are made.
#[derive(Debug, Default)]
pub(super) struct Noting {
    next: Option<Instant>,
    /// Names of files that are not there any more.
    vanished: Vec<String>,
}

impl Noting {
    #[cfg(test)]
    pub(super) fn look_again(&mut self) {
        self.next = None;
    }
}

impl EmbeddedStore {
    /// At the start: what was remembered is not asked again. The others may be of a newer program, which is told before anything is
    /// written.
    pub(super) fn remember(&self) -> Result<Noting, StoreError> {
        let mut vanished = Vec::new();
        for looked in self.state.looked()? {
            match FileKey::parse(&looked.file).and_then(|key| self.files.get(key)) {
                Some(file) if stamp(&file.path).is_some_and(|(stamp, _)| stamp == looked.stamp) => file.remember(looked.sums),
                Some(_) => {}
                None => vanished.push(looked.file),
            }
        }
        let others = self.files.all().into_iter().filter(|file| !file.is_noted());
        others.into_iter().try_for_each(|file| file.refuse_newer())?;
        Ok(Noting { next: None, vanished })
    }

    /// Before a file gets something new, other than by a seal, which does so itself.
    pub(super) fn unnote(&self, file: &DayFile) -> Result<(), StoreError> {
        if file.is_noted() { self.state.forget_looked(file.key) } else { Ok(()) }
    }

    /// Notes some files of which nothing is new. False: there are none now. That it fails costs no more than a look at the next start.
    pub(super) fn note_looked(&self, noting: &mut Noting) -> bool {
        if noting.next.is_some_and(|next| next > Instant::now()) {
            return false;
        }
        let files = self.files.all();
        let settled = files.iter().filter(|file| file.key.kind == FileKind::Raw && file.is_settled());
        let found: Vec<_> = settled.filter_map(|file| Some((file, looked(file)?))).take(AT_ONCE).collect();
        if found.is_empty() && noting.vanished.is_empty() {
            noting.next = Some(Instant::now() + EVERY);
            return false;
        }
        let rows: Vec<_> = found.iter().map(|(_, looked)| looked.clone()).collect();
        match self.state.note_looked(&rows, &noting.vanished) {
            Ok(()) => {
                noting.vanished.clear();
                found.iter().for_each(|(file, _)| file.set_noted());
                true
            }
            Err(error) => {
                tracing::debug!(%error, "what was looked at is not remembered");
                noting.next = Some(Instant::now() + EVERY);
                false
            }
        }
    }
}

/// None: it changed just now, or cannot be read.
fn looked(file: &DayFile) -> Option<Looked> {
    let (stamp, meta) = stamp(&file.path)?;
    let rested = meta.modified().ok()?.elapsed().ok()? >= REST;
    let file_name = file.key.file_name();
    rested.then(|| file.sums().ok()).flatten().map(|sums| Looked { file: file_name, stamp, sums })
}

pub(super) fn read(db: &Connection) -> rusqlite::Result<Vec<Looked>> {
    let mut ask = db.prepare("SELECT file, bytes, changed_ns, points, body_bytes FROM looked")?;
    let unsigned = |row: &rusqlite::Row<'_>, at| row.get::<_, i64>(at).map(i64::cast_unsigned);
    let each = |row: &rusqlite::Row<'_>| {
        let stamp = Stamp { bytes: unsigned(row, 1)?, changed_ns: row.get(2)? };
        Ok(Looked { file: row.get(0)?, stamp, sums: (unsigned(row, 3)?, unsigned(row, 4)?) })
    };
    ask.query_map([], each)?.collect()
}

/// Before something is written to these: their time of change may not come to the disk with what changed them.
pub(super) fn forget<'a>(db: &Connection, files: impl IntoIterator<Item = &'a FileKey>) -> rusqlite::Result<()> {
    if !sql::has_table(db, "looked")? {
        return Ok(());
    }
    let mut forget = db.prepare_cached("DELETE FROM looked WHERE file = ?1")?;
    files.into_iter().try_for_each(|file| forget.execute([file.file_name()]).map(drop))
}

pub(super) fn write(db: &Connection, looked: &[Looked], vanished: &[String]) -> rusqlite::Result<()> {
    db.execute_batch(
        "CREATE TABLE IF NOT EXISTS looked (file TEXT PRIMARY KEY, bytes INTEGER NOT NULL, changed_ns INTEGER NOT NULL, \
         points INTEGER NOT NULL, body_bytes INTEGER NOT NULL) WITHOUT ROWID",
    )?;
    let mut note =
        db.prepare_cached("INSERT OR REPLACE INTO looked (file, bytes, changed_ns, points, body_bytes) VALUES (?1, ?2, ?3, ?4, ?5)")?;
    for Looked { file, stamp, sums } in looked {
        let (bytes, points, bodies) = (stamp.bytes.cast_signed(), sums.0.cast_signed(), sums.1.cast_signed());
        note.execute(params![file, bytes, stamp.changed_ns, points, bodies])?;
    }
    let mut forget = db.prepare_cached("DELETE FROM looked WHERE file = ?1")?;
    vanished.iter().try_for_each(|file| forget.execute([file]).map(drop))
}
