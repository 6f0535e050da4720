//! What a day file lists of a series: its own chunks and the blocks that may hold it, without their bodies. Kept until something is
//! written to the file, so that a question over many days need not ask each file again.

use std::sync::Arc;

use super::cache::{CacheKey, Decoded};
use super::chunk;
use super::damage;
use super::dayfile::{DayFile, Entry, RollupHead};
use super::parts::{Decoder, LISTED_FORM, ROLLED_FORM, ROLLUPS_FORM};
use super::rollup::{self, Rolled};
use crate::model::{Position, SeriesId, TimeRange};
use crate::store::StoreError;

/// Whatever it was sealed at, in order of first time.
#[derive(Debug, Default)]
pub(super) struct Listed {
    own: Vec<Entry>,
    many: Vec<Entry>,
}

const EVERYTHING: Position = Position(i64::MAX as u64);

impl Listed {
    pub(super) fn weight(&self) -> usize {
        size_of::<Self>() + size_of_val(&self.own[..]) + size_of_val(&self.many[..])
    }

    /// Its own chunks that meet the range, sealed up to `seal`.
    pub(super) fn own(&self, range: TimeRange, seal: Position) -> impl Iterator<Item = &Entry> {
        self.own.iter().filter(move |entry| meets(entry, range, seal))
    }

    /// Blocks in which it may have points in the range.
    pub(super) fn many(&self, range: TimeRange, seal: Position) -> impl Iterator<Item = &Entry> {
        self.many.iter().filter(move |entry| meets(entry, range, seal))
    }
}

fn meets(entry: &Entry, range: TimeRange, seal: Position) -> bool {
    entry.first < range.to && entry.last >= range.from && entry.seal <= seal
}

fn key(file: &DayFile, form: u8, id: i64) -> CacheKey {
    (file.number, form, id)
}

impl Decoder<'_> {
    /// Of the whole day.
    pub(super) fn listed(&self, file: &DayFile, (series, metric): (SeriesId, u32)) -> Result<Arc<Listed>, StoreError> {
        let (version, key) = (file.version(), key(file, LISTED_FORM, series.0.into()));
        if let Some(Decoded::Listed(at, listed)) = self.cache.get(key)
            && at == version
        {
            return Ok(listed);
        }
        let listed = file.look("list chunks of", |db| {
            let own = db.own(series, TimeRange::ALL, EVERYTHING, u32::MAX - 1)?;
            Ok(Listed { own, many: db.many(metric, series, TimeRange::ALL, EVERYTHING)? })
        })?;
        let listed = Arc::new(listed);
        if version.is_multiple_of(2) && file.version() == version {
            self.cache.put(key, Decoded::Listed(version, Arc::clone(&listed)));
        }
        Ok(listed)
    }

    /// The rows of a file of rollups that may hold a series.
    pub(super) fn rollup_heads(&self, file: &DayFile, (series, metric): (SeriesId, u32)) -> Result<Arc<[RollupHead]>, StoreError> {
        let (version, key) = (file.version(), key(file, ROLLUPS_FORM, series.0.into()));
        if let Some(Decoded::Heads(at, heads)) = self.cache.get(key)
            && at == version
        {
            return Ok(heads);
        }
        let heads: Arc<[RollupHead]> = match file.look("list rollups of", |db| db.rollup_heads(metric, series)) {
            Err(StoreError::Damaged { .. }) => self.walked_heads(file, (series, metric))?.into(),
            other => other?.into(),
        };
        if version.is_multiple_of(2) && file.version() == version {
            self.cache.put(key, Decoded::Heads(version, Arc::clone(&heads)));
        }
        Ok(heads)
    }

    /// What a row of rollups holds. None: it is not there any more, or it is damaged, which is noted.
    pub(super) fn rolled(&self, file: &DayFile, row: &RollupHead) -> Result<Option<Arc<Rolled>>, StoreError> {
        let key = key(file, ROLLED_FORM, row.id);
        if let Some(Decoded::Rolled(rolled)) = self.cache.get(key) {
            return Ok(Some(rolled));
        }
        let (numbers, body) = match file.look("read rollups of", |db| db.rollup_body(row.id)) {
            Ok(Some((_, numbers, body))) => (numbers, body),
            Ok(None) => return Ok(None),
            Err(StoreError::Damaged { reason }) => {
                self.damages.note(damage::of_rollup(file, row, reason), &[]);
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        let decoded: Result<Rolled, chunk::Damaged> = rollup::decode(&body, numbers);
        match decoded {
            Ok(rolled) => {
                let rolled = Arc::new(rolled);
                self.cache.put(key, Decoded::Rolled(Arc::clone(&rolled)));
                Ok(Some(rolled))
            }
            Err(error) => {
                self.damages.note(damage::of_rollup(file, row, error.to_string()), &body);
                Ok(None)
            }
        }
    }
}
