//! What can be read of a day file of which a page cannot: its rows one by one. Those that cannot be read are named, and the others answer.
//! Not for merges, which would take the rest for all there is.
//!
//! Invariant: all of it comes from one transaction. A merge beside it moves readings between rows and tables: what is listed of one
//! moment and read of another would lack some.

use std::sync::Arc;

use super::damage::{self, Damage};
use super::dayfile::{DayFile, Entry, Reading};
use super::key;
use super::parts::{Decoder, Fetched, Part};
use super::sql;
use crate::model::{Position, SeriesId, TimeRange};
use crate::store::StoreError;

/// A file as one transaction shows it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shown<'a> {
    pub(super) file: &'a Arc<DayFile>,
    pub(super) db: &'a Reading<'a>,
    /// None: something was written while the transaction began.
    pub(super) version: Option<u64>,
}

impl<'a> Shown<'a> {
    fn new(file: &'a Arc<DayFile>, db: &'a Reading<'a>) -> rusqlite::Result<Self> {
        let version = file.version();
        db.begin()?;
        let is_still = version.is_multiple_of(2) && file.version() == version;
        Ok(Self { file, db, version: is_still.then_some(version) })
    }
}

impl Decoder<'_> {
    /// The parts of a series in the range that can be read.
    pub(super) fn salvage(
        &self,
        file: &Arc<DayFile>,
        of: (SeriesId, u32),
        range: TimeRange,
        sealed: Position,
    ) -> Result<Vec<Part>, StoreError> {
        let (own, many) = file.read("read one by one the rows of", |db| {
            let shown = Shown::new(file, db)?;
            Ok((self.own_rows(shown, of.0, range, sealed)?, self.many_rows(shown, of, range, sealed)?))
        })?;
        Ok(self.with_blocks(file, of.0, range, own, many))
    }

    fn own_rows(&self, shown: Shown<'_>, series: SeriesId, range: TimeRange, sealed: Position) -> rusqlite::Result<Vec<Part>> {
        let Shown { file, db, .. } = shown;
        let (places, mut parts) = (self.own_places(shown, series, range)?, Vec::new());
        for (at, (id, first)) in places.iter().enumerate() {
            let read = db.own_entry(*id).and_then(|entry| {
                let seen = entry.filter(|entry| entry.seal <= sealed);
                seen.map(|entry| self.own_part(file, db, entry)).transpose()
            });
            let end = places.get(at + 1).map_or(key::window_end(*first), |(_, next)| *next);
            let span = TimeRange { from: *first, to: end.max(first + 1) };
            let of = |what| damage::of_row(file, ("chunks", *id), (series, None), span, what);
            parts.extend(self.or_note(shown, "read a chunk from", read, of)?.flatten());
        }
        Ok(parts)
    }

    fn many_rows(
        &self,
        shown: Shown<'_>,
        (series, metric): (SeriesId, u32),
        range: TimeRange,
        sealed: Position,
    ) -> rusqlite::Result<Vec<(Entry, Fetched)>> {
        let Shown { file, db, .. } = shown;
        let day = TimeRange { from: file.key.first_time(), to: file.key.last_time().saturating_add(1) };
        let meets = |entry: &Entry| entry.seal <= sealed && entry.first < range.to && entry.last >= range.from;
        let mut blocks = Vec::new();
        for (id, lo) in self.many_places(shown, (series, metric))? {
            let read = db.many_entry(id).and_then(|entry| {
                let seen = entry.filter(|entry| entry.holds(series) && meets(entry));
                seen.map(|entry| Ok((entry, self.fetch(file, db, &entry)?))).transpose()
            });
            let of = |what| damage::of_row(file, ("blocks", id), (lo, Some(metric)), day, what);
            blocks.extend(self.or_note(shown, "read a block from", read, of)?.flatten());
        }
        Ok(blocks)
    }

    /// None: it is damaged, which is noted.
    pub(super) fn or_note<T>(
        &self,
        shown: Shown<'_>,
        what: &'static str,
        read: rusqlite::Result<T>,
        of: impl FnOnce(String) -> Damage,
    ) -> rusqlite::Result<Option<T>> {
        let error = match read {
            Ok(found) => return Ok(Some(found)),
            Err(error) => error,
        };
        match sql::sql_error(what, &shown.file.path, &error) {
            StoreError::Damaged { reason } => {
                self.damages.note(of(reason), &[]);
                Ok(None)
            }
            _ => Err(error),
        }
    }
}
