//! What rollups tell of readings that are gone: of a whole day that expired, or of the oldest of a day that lost these for bytes. Nobody
//! can make that anew, so it is kept apart when the rest of a row is.
//!
//! Invariant: a row with the mark 0 tells of nothing that is there. No raw row has that number.

use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use super::{Rolled, body};
use crate::model::{Position, SeriesId, TimeNs, TimeRange};
use crate::query::summary::Summary;
use crate::store::StoreError;
use crate::store::embedded::EmbeddedStore;
use crate::store::embedded::damage;
use crate::store::embedded::dayfile::{DayFile, RollupSpan};
use crate::store::embedded::key::FileKey;

/// The mark of a row whose readings are all gone, cut out of one that told of others as well.
pub(super) const NO_MARK: i64 = 0;

/// Whether some readings of a day may be gone while others are there. `key` is a file's of that day and class.
pub(in crate::store::embedded) fn may_have_lost(store: &EmbeddedStore, key: FileKey) -> bool {
    store.losses.are_of(key) || store.classes.floor(&store.floors, key.class).is_some_and(|floor| floor > key.first_time())
}

/// Of at least some of its readings.
pub(super) fn is_gone(summary: &Summary, gone_until: TimeNs) -> bool {
    summary.first.0 < gone_until
}

/// Where the readings of series begin that a raw file holds.
#[derive(Debug)]
pub(super) struct Begins<'a> {
    store: &'a EmbeddedStore,
    raw: Option<Arc<DayFile>>,
}

impl<'a> Begins<'a> {
    pub(super) fn of(store: &'a EmbeddedStore, raw: Option<Arc<DayFile>>) -> Self {
        Self { store, raw }
    }

    /// Of those that were there when a rollup was sealed: what came since may lie in front of them. The end of time where nothing is there.
    pub(super) fn at(&self, series: SeriesId, seal: Position) -> Result<TimeNs, StoreError> {
        let Some(raw) = &self.raw else { return Ok(TimeNs::MAX) };
        let day = TimeRange { from: raw.key.first_time(), to: raw.key.last_time().saturating_add(1) };
        let of_series = (series, self.store.info.metric(series));
        let held = self.store.decoder().held(raw, of_series, day, seal)?;
        Ok(held.map_or(TimeNs::MAX, |held| held.first))
    }
}

/// What stays of a row whose raw row is about to be replaced. None: nothing.
#[derive(Debug)]
pub(super) struct Rest {
    pub(super) row: i64,
    pub(super) lo: SeriesId,
    pub(super) hi: SeriesId,
    pub(super) body: Vec<u8>,
}

/// Of rows that are about to go, what tells of readings that are gone. `key` is the raw file's.
pub(super) fn rests(store: &EmbeddedStore, key: FileKey, rollups: &DayFile, rows: &[RollupSpan]) -> Result<Vec<Rest>, StoreError> {
    if !may_have_lost(store, key) {
        return Ok(Vec::new());
    }
    let begins = Begins::of(store, store.files.get(key));
    let mut rests = Vec::new();
    for row in rows {
        let unread = |what| damage::of_rollup_row(rollups, row.id, (row.lo, row.hi), what);
        let (level, numbers, bytes) = match rollups.read("read rollups of", |db| db.rollup_body(row.id)) {
            Ok(Some(found)) => found,
            Ok(None) => continue,
            // What cannot be read tells nothing: the readings that are there are summed up anew.
            Err(StoreError::Damaged { reason }) => {
                store.damages.note(unread(reason), &[]);
                continue;
            }
            Err(error) => return Err(error),
        };
        let mut rolled = match body::decode(&bytes, numbers) {
            Ok(rolled) => rolled,
            Err(error) => {
                store.damages.note(unread(error.to_string()), &bytes);
                continue;
            }
        };
        retain_gone(&begins, &mut rolled, row.seal, || kept(store, rollups, row, level))?;
        if let Some((lo, hi, body)) = encoded(&mut rolled, numbers) {
            rests.push(Rest { row: row.id, lo, hi, body });
        }
    }
    Ok(rests)
}

/// Leaves what tells of readings that are gone. `kept`: what was kept before, which says more of a stretch of which a part was there then.
pub(super) fn retain_gone(
    begins: &Begins<'_>,
    rolled: &mut Rolled,
    seal: Position,
    kept: impl FnOnce() -> Result<Kept, StoreError>,
) -> Result<(), StoreError> {
    for (series, summaries) in &mut *rolled {
        let begin = begins.at(*series, seal)?;
        summaries.retain(|summary| is_gone(summary, begin));
    }
    if rolled.iter().all(|(_, summaries)| summaries.is_empty()) {
        return Ok(());
    }
    let kept = kept()?;
    for (series, summaries) in rolled {
        summaries.retain(|summary| !kept.has(*series, summary.start));
    }
    Ok(())
}

/// Where the buckets begin that were kept before, of all series of a row.
#[derive(Debug, Default)]
pub(super) struct Kept(FxHashMap<SeriesId, FxHashSet<TimeNs>>);

impl Kept {
    pub(super) fn add(&mut self, rolled: &Rolled) {
        for (series, summaries) in rolled {
            self.0.entry(*series).or_default().extend(summaries.iter().map(|summary| summary.start));
        }
    }

    fn has(&self, series: SeriesId, start: TimeNs) -> bool {
        self.0.get(&series).is_some_and(|starts| starts.contains(&start))
    }
}

fn kept(store: &EmbeddedStore, rollups: &DayFile, row: &RollupSpan, level: i64) -> Result<Kept, StoreError> {
    let metric = store.info.metric(row.lo);
    let bodies = rollups.read("read rollups of", |db| db.marked_rollups(metric, (row.lo, row.hi), level, NO_MARK))?;
    let mut kept = Kept::default();
    bodies.iter().filter_map(|(body, numbers)| body::decode(body, *numbers).ok()).for_each(|rolled| kept.add(&rolled));
    Ok(kept)
}

/// The body without series of which nothing is left, and which is the first of them and the last. None: nothing is left.
pub(super) fn encoded(rolled: &mut Rolled, numbers: bool) -> Option<(SeriesId, SeriesId, Vec<u8>)> {
    rolled.retain(|(_, summaries)| !summaries.is_empty());
    let (lo, hi) = (rolled.first()?.0, rolled.last()?.0);
    Some((lo, hi, body::encode(rolled, numbers)))
}
