//! A file of rollups that cannot be read or written any more is set aside, and another takes its place: what tells of readings that are
//! there is made anew of them. It may be all there is of readings that are gone, so what of it can be read and tells of such goes over.
//!
//! Invariant: the new file is whole before the old one is touched, so nothing is merged or expires between the two.

use std::sync::Arc;

use rustc_hash::FxHashSet;

use super::Rolled;
use super::body;
use super::gone::{self, Begins, Kept, NO_MARK, may_have_lost};
use super::make::{NewRollup, insert};
use super::outdate::named;
use crate::store::StoreError;
use crate::store::embedded::EmbeddedStore;
use crate::store::embedded::damage;
use crate::store::embedded::dayfile::{DayFile, RollupHead, Walked};
use crate::store::embedded::key::{FileKey, FileKind};

/// Rows that are taken over in one transaction.
const PAGE: usize = 256;

/// `key` is the file's of rollups. `why`: what could not be done with it.
pub(in crate::store::embedded) fn set_aside(store: &EmbeddedStore, key: FileKey, why: &str) -> Result<(), StoreError> {
    let Some(file) = store.files.get(key) else { return Ok(()) };
    let mut left = Left::of(store, &file)?;
    let name = store.files.retired_path(key).file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let moved = if left.rows.is_empty() {
        left.note(store, &name)?;
        store.between_readers(|| store.files.retire(key))
    } else {
        store.files.make_beside(key, |new| {
            left.take_over(store, &file, new)?;
            left.note(store, &name)
        })?;
        store.between_readers(|| store.files.replace(key))
    };
    let retired = moved.inspect_err(|error| not_moved(store, &file, &name, error))?;
    let lost = left.lost();
    tracing::error!(file = retired.name(), why, lost, "damaged rollups are set aside; those of readings that are there are made anew");
    let named = lost.map_or_else(|| damage::of_upkeep(&retired, why.to_owned()), |lost| damage::of_file(&retired, lost));
    store.damages.note(named, &[]);
    Ok(())
}

/// The old file is in its place as before, and what was noted of it is not so. Or no file is, and nothing answers for readings that are
/// gone until the new one is put there.
fn not_moved(store: &EmbeddedStore, file: &DayFile, name: &str, error: &StoreError) {
    if store.files.get(file.key).is_none() {
        store.damages.note(damage::of_file(file, format!("it is set aside, and another is not in its place yet: {error}")), &[]);
    } else if let Err(error) = store.state.forget_set_aside(name) {
        tracing::debug!(%error, name, "what was noted of a file that was not set aside stays noted");
    }
}

/// What of a damaged file is to be taken over.
struct Left {
    raw: Option<Arc<DayFile>>,
    rows: Vec<Old>,
    /// Rows that told of readings that are gone, or may have, and cannot be read.
    unread: u64,
}

struct Old {
    metric: u32,
    head: RollupHead,
    /// Some of what it was made of is there, and the rest of it is gone.
    is_there: bool,
}

impl Left {
    fn of(store: &EmbeddedStore, file: &DayFile) -> Result<Self, StoreError> {
        let raw = store.files.get(FileKey { kind: FileKind::Raw, ..file.key });
        let lacks_some = may_have_lost(store, file.key);
        let lost_rows = |count: u64| if lacks_some || raw.is_none() { count } else { 0 };
        let (rows, lost) = match file.read("read one by one the rollups of", |db| db.walk_rollups()) {
            Ok(Walked { rows, lost }) => (rows, lost_rows(lost.len() as u64)),
            Err(StoreError::Damaged { .. }) => (Vec::new(), lost_rows(1)),
            Err(error) => return Err(error),
        };
        let there = match named(raw.as_deref(), rows.iter().map(|(_, head)| (head.is_own, head.mark, head.lo))) {
            // Nobody can tell: all of them stay.
            Err(StoreError::Damaged { .. }) => FxHashSet::default(),
            other => other?,
        };
        let old = |(metric, head): (u32, RollupHead)| Old { metric, head, is_there: there.contains(&(head.is_own, head.mark)) };
        let rows = rows.into_iter().map(old).filter(|old| lacks_some || !old.is_there).collect();
        Ok(Self { raw, rows, unread: lost })
    }

    fn take_over(&mut self, store: &EmbeddedStore, from: &DayFile, to: &DayFile) -> Result<(), StoreError> {
        let (begins, mut unread) = (Begins::of(store, self.raw.clone()), 0);
        for page in self.rows.chunks(PAGE) {
            let mut rows = Vec::new();
            for old in page {
                match self.row(old, from, &begins)? {
                    Ok(row) => rows.extend(row),
                    Err(Unreadable) => unread += 1,
                }
            }
            to.write("take over rollups into", |db| rows.iter().try_for_each(|row| insert(db, row)))?;
        }
        self.unread += unread;
        Ok(())
    }

    /// None: it tells of nothing that is gone.
    fn row(&self, old: &Old, from: &DayFile, begins: &Begins<'_>) -> Result<Result<Option<NewRollup>, Unreadable>, StoreError> {
        let Old { metric, head, is_there } = *old;
        let Some((bytes, numbers, mut rolled)) = read(from, head.id)? else { return Ok(Err(Unreadable)) };
        let like = |mark, (lo, hi), body| NewRollup {
            level: head.level,
            metric,
            is_own: head.is_own,
            mark,
            seal: head.seal,
            numbers,
            lo,
            hi,
            body,
        };
        if !is_there {
            return Ok(Ok(Some(like(head.mark, (head.lo, head.hi), bytes))));
        }
        gone::retain_gone(begins, &mut rolled, head.seal, || self.kept(from, metric, &head))?;
        Ok(Ok(gone::encoded(&mut rolled, numbers).map(|(lo, hi, body)| like(NO_MARK, (lo, hi), body))))
    }

    /// What was kept before of the series of a row.
    fn kept(&self, from: &DayFile, metric: u32, row: &RollupHead) -> Result<Kept, StoreError> {
        let mut kept = Kept::default();
        let is_of = |head: &RollupHead| head.mark == NO_MARK && head.level == row.level && head.lo <= row.hi && row.lo <= head.hi;
        for old in self.rows.iter().filter(|old| old.metric == metric && is_of(&old.head)) {
            if let Some((_, _, rolled)) = read(from, old.head.id)? {
                kept.add(&rolled);
            }
        }
        Ok(kept)
    }

    /// What is lost for good. None: nothing that is known of.
    fn lost(&self) -> Option<String> {
        let rows = self.unread;
        (rows > 0).then(|| format!("{rows} of its rows or stretches of rows cannot be read; they may have told of readings that are gone"))
    }

    /// On disk before it is set aside, so that a start knows it.
    fn note(&self, store: &EmbeddedStore, name: &str) -> Result<(), StoreError> {
        self.lost().map_or(Ok(()), |lost| store.state.note_set_aside(name, &lost))
    }
}

struct Unreadable;

/// A row's body as bytes, and what it holds. None: it cannot be read.
fn read(from: &DayFile, id: i64) -> Result<Option<(Vec<u8>, bool, Rolled)>, StoreError> {
    let found = match from.read("read rollups of", |db| db.rollup_body(id)) {
        Err(StoreError::Damaged { .. }) => None,
        other => other?,
    };
    Ok(found.and_then(|(_, numbers, bytes)| {
        let rolled = body::decode(&bytes, numbers).ok()?;
        Some((bytes, numbers, rolled))
    }))
}
