//! A day file whose index cannot be read: its rows by their numbers, without their bodies. Kept until something is written to the file,
//! since all of it has to be looked at to find the rows of one series.

use std::sync::Arc;

use super::cache::Decoded;
use super::damage;
use super::dayfile::{DayFile, Entry, RollupHead, Walked};
use super::parts::{Decoder, WALKED_FORM};
use super::salvage::Shown;
use crate::model::{SeriesId, TimeNs, TimeRange};
use crate::store::StoreError;

/// Which rows of a file.
#[derive(Clone, Copy, Debug)]
enum Table {
    Own = 0,
    Many = 1,
}

impl Table {
    fn name(self) -> &'static str {
        match self {
            Self::Own => "chunks",
            Self::Many => "blocks",
        }
    }
}

impl Decoder<'_> {
    /// Row numbers and first times of a series' own chunks that may meet the range, by first time.
    pub(super) fn own_places(&self, shown: Shown<'_>, series: SeriesId, range: TimeRange) -> rusqlite::Result<Vec<(i64, TimeNs)>> {
        let listed = shown.db.own_places(series, range);
        if let Some(places) = self.or_note(shown, "list chunks of", listed, |what| damage::of_upkeep(shown.file, what))? {
            return Ok(places);
        }
        let all = self.walked(shown, Table::Own)?;
        let meets = |entry: &&Entry| entry.series() == series && entry.first < range.to && entry.last >= range.from;
        let mut found: Vec<_> = all.iter().filter(meets).map(|entry| (entry.id, entry.first)).collect();
        found.sort_unstable_by_key(|(_, first)| *first);
        Ok(found)
    }

    /// Row numbers and least series of blocks that may hold a series.
    pub(super) fn many_places(&self, shown: Shown<'_>, (series, metric): (SeriesId, u32)) -> rusqlite::Result<Vec<(i64, SeriesId)>> {
        let listed = shown.db.many_places(metric, series);
        if let Some(places) = self.or_note(shown, "list blocks of", listed, |what| damage::of_upkeep(shown.file, what))? {
            return Ok(places);
        }
        let all = self.walked(shown, Table::Many)?;
        Ok(all.iter().filter(|entry| entry.holds_of(series, metric)).map(|entry| (entry.id, entry.series())).collect())
    }

    /// All rows that can be read. Those that cannot are noted, with all series of the day: whose they were is not known.
    fn walked(&self, shown: Shown<'_>, table: Table) -> rusqlite::Result<Arc<Vec<Entry>>> {
        let Shown { file, db, version } = shown;
        let key = (file.number, WALKED_FORM, table as i64);
        if let Some(Decoded::Walked(at, entries)) = self.cache.get(key)
            && version == Some(at)
        {
            return Ok(entries);
        }
        let Walked { rows, lost } = match table {
            Table::Own => db.walk_own(),
            Table::Many => db.walk_many(),
        }?;
        lost.iter().for_each(|numbers| self.damages.note(damage::of_numbers(file, table.name(), numbers), &[]));
        let rows = Arc::new(rows);
        if let Some(version) = version {
            self.cache.put(key, Decoded::Walked(version, Arc::clone(&rows)));
        }
        Ok(rows)
    }

    /// The rows of a file of rollups that may hold a series, where no index tells.
    pub(super) fn walked_heads(&self, file: &DayFile, (series, metric): (SeriesId, u32)) -> Result<Vec<RollupHead>, StoreError> {
        let Walked { rows, lost } = file.read("read one by one the rollups of", |db| db.walk_rollups())?;
        lost.iter().for_each(|numbers| self.damages.note(damage::of_numbers(file, "rollups", numbers), &[]));
        let is_of = |(of, head): &(u32, RollupHead)| *of == metric && head.lo <= series && series <= head.hi;
        Ok(rows.into_iter().filter(is_of).map(|(_, head)| head).collect())
    }
}
