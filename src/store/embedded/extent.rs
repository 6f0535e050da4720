//! How much there is of each series: told by rows and headers, without reading values.
//!
//! A series' own chunks have all of it in their rows. A block of many series is opened as far as its times. Bytes are those of own bodies
//! and of a block's body by points; a column of times that several chunks share is nobody's here (`sizes` spreads it, by reading every row).

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::dayfile::{DayFile, Entry};
use super::files::Day;
use super::parts::Decoder;
use super::{EmbeddedStore, chunk, damage};
use crate::model::{Position, SeriesId, TimeNs, TimeRange};
use crate::store::{Extent, Pin, StoreError};

/// What one row has of a series.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stretch {
    pub(super) seal: Position,
    pub(super) first: TimeNs,
    pub(super) last: TimeNs,
    pub(super) points: u64,
    pub(super) bytes: u64,
}

type BySeries = FxHashMap<SeriesId, Vec<Stretch>>;

pub(super) fn extents(store: &EmbeddedStore, pin: &Pin, series: &[SeriesId]) -> Result<Vec<Extent>, StoreError> {
    let mut extents: FxHashMap<SeriesId, Extent> = series.iter().map(|id| (*id, Extent::default())).collect();
    // The deletes before the rows: a merge that applies one in between leaves nothing that is not hidden.
    let deletes: FxHashMap<SeriesId, _> = series.iter().map(|id| (*id, store.tombs.of(*id, pin.sealed()))).collect();
    for day in store.files.days_in(TimeRange::ALL) {
        for (id, mut found) in of_day(store, day, series, pin.sealed())? {
            found.sort_unstable_by_key(|stretch| stretch.first);
            let hides = &deletes[&id];
            let are_apart = found.windows(2).all(|pair| pair[0].last < pair[1].first);
            let is_hidden = found.iter().any(|one| hides.touches(one.seal, one.first, one.last));
            let Some(extent) = extents.get_mut(&id) else { continue };
            extent.is_unclear |= !are_apart || is_hidden;
            for one in &found {
                extent.points += one.points;
                extent.bytes += one.bytes;
                let (first, last) = extent.span.unwrap_or((one.first, one.last));
                extent.span = Some((first.min(one.first), last.max(one.last)));
            }
        }
    }
    Ok(series.iter().map(|id| extents[id]).collect())
}

fn of_day(store: &EmbeddedStore, day: Day, series: &[SeriesId], sealed: Position) -> Result<BySeries, StoreError> {
    let mut found = BySeries::default();
    let _no_move = store.layout.read();
    for file in store.files.of_day(day).into_iter().chain(store.files.retired_of_day(day)) {
        store.files.used(&file);
        match measure(store, &file, series, sealed, &mut found) {
            // Its expiry came in between.
            Err(_) if file.is_gone() => {}
            Err(StoreError::Damaged { .. }) => match one_by_one(store, &file, series, sealed, &mut found) {
                Err(StoreError::Damaged { reason }) => store.damages.note(damage::of_file(&file, reason), &[]),
                other => other?,
            },
            other => other?,
        }
    }
    Ok(found)
}

/// What can be read where not all can be at once: readings are counted, and what they take is not known.
fn one_by_one(
    store: &EmbeddedStore,
    file: &Arc<DayFile>,
    series: &[SeriesId],
    sealed: Position,
    found: &mut BySeries,
) -> Result<(), StoreError> {
    let decoder = Decoder { keeps: false, ..store.decoder() };
    for id in series {
        for part in decoder.salvage(file, (*id, store.info.metric(*id)), TimeRange::ALL, sealed)? {
            let Some(block) = decoder.block(&part) else { continue };
            let stretch = Stretch { seal: part.seal, first: part.first, last: part.last, points: block.len() as u64, bytes: 0 };
            found.entry(*id).or_default().push(stretch);
        }
    }
    Ok(())
}

/// From one transaction: a merge beside it moves readings from blocks into own chunks.
fn measure(store: &EmbeddedStore, file: &DayFile, series: &[SeriesId], sealed: Position, found: &mut BySeries) -> Result<(), StoreError> {
    let of_series: Vec<(SeriesId, u32)> = series.iter().map(|id| (*id, store.info.metric(*id))).collect();
    let (own, bodies) = file.read("measure", |db| {
        let own = series.iter().map(|id| Ok((*id, db.stretches(*id, sealed)?))).collect::<rusqlite::Result<Vec<_>>>()?;
        let mut entries: Vec<Entry> = Vec::new();
        for (id, metric) in &of_series {
            entries.extend(db.many(*metric, *id, TimeRange::ALL, sealed)?);
        }
        entries.sort_unstable_by_key(|entry| entry.id);
        entries.dedup_by_key(|entry| entry.id);
        let bodies = entries.into_iter().map(|entry| Ok((entry, db.body(&entry)?))).collect::<rusqlite::Result<Vec<_>>>()?;
        Ok((own, bodies))
    })?;
    for (id, stretches) in own.into_iter().filter(|(_, stretches)| !stretches.is_empty()) {
        found.entry(id).or_default().extend(stretches);
    }
    for (entry, body) in bodies {
        match chunk::times_of_many(&body) {
            Ok(all) => put(&entry, body.len() as u64, &all, series, found),
            Err(damaged) => store.damages.note(damage::of_entry(file, &entry, damaged.to_string()), &body),
        }
    }
    Ok(())
}

/// The shares of a block that these series have.
fn put(entry: &Entry, bytes: u64, all: &[(SeriesId, Vec<TimeNs>)], series: &[SeriesId], found: &mut BySeries) {
    let total = all.iter().map(|(_, times)| times.len() as u64).sum::<u64>().max(1);
    for (id, times) in all.iter().filter(|(id, _)| series.contains(id)) {
        let (Some(first), Some(last)) = (times.first().copied(), times.last().copied()) else { continue };
        let points = times.len() as u64;
        let bytes = u64::try_from(u128::from(bytes) * u128::from(points) / u128::from(total)).unwrap_or(bytes);
        found.entry(*id).or_default().push(Stretch { seal: entry.seal, first, last, points, bytes });
    }
}
