//! What stands in the files, for a reader with a pin. One step is a UTC day: its files' parts are read, then laid over each other.
//!
//! Invariant: the deletes are taken before the rows. A merge that applies a delete in between leaves nothing that is not hidden.

use std::sync::Arc;

use super::EmbeddedStore;
use super::damage;
use super::dayfile::{DayFile, Entry};
use super::files::Day;
use super::key::{self, WINDOW_NS};
use super::parts::{self, Decoder, Part};
use super::tombs::Hides;
use crate::block::Block;
use crate::model::{Position, SeriesId, TimeNs, TimeRange, Value};
use crate::query::buckets::Agg;
use crate::query::grid::Grid;
use crate::store::{Piece, PieceSink, Pin, Sink, StoreError};

/// Own chunks of a series that are read at once; a day with more is read by its quarters.
const STEP_CHUNKS: u32 = 64;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    Forward,
    Back,
}

impl Direction {
    fn order<T>(self, items: &mut [T]) {
        if self == Self::Back {
            items.reverse();
        }
    }
}

/// One series as one reader sees it.
struct Reader<'a> {
    store: &'a EmbeddedStore,
    series: SeriesId,
    metric: u32,
    sealed: Position,
    hides: Hides,
}

impl<'a> Reader<'a> {
    fn new(store: &'a EmbeddedStore, pin: &Pin, series: SeriesId) -> Self {
        let (metric, sealed) = (store.info.metric(series), pin.sealed());
        Self { store, series, metric, sealed, hides: store.tombs.of(series, sealed) }
    }

    /// The parts of a day, in steps in time order. False from `each` stops.
    fn day(
        &self,
        day: Day,
        range: TimeRange,
        direction: Direction,
        each: &mut dyn FnMut(TimeRange, Vec<Part>) -> bool,
    ) -> Result<bool, StoreError> {
        let within = day.range(range);
        if let Some(parts) = self.parts(day, within, STEP_CHUNKS)? {
            return Ok(each(within, parts));
        }
        let mut windows = windows(within);
        direction.order(&mut windows);
        for window in windows {
            let parts = self.parts(day, window, u32::MAX - 1)?.unwrap_or_default();
            if !each(window, parts) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// None: more own chunks than `limit`.
    fn parts(&self, day: Day, range: TimeRange, limit: u32) -> Result<Option<Vec<Part>>, StoreError> {
        self.parts_of(day, range, limit, &|_| true)
    }

    /// Of these rows alone.
    fn parts_of(&self, day: Day, range: TimeRange, limit: u32, only: &dyn Fn(&Entry) -> bool) -> Result<Option<Vec<Part>>, StoreError> {
        let mut all = Vec::new();
        let _no_move = self.store.layout.read();
        for file in self.store.files.of_day(day).into_iter().chain(self.store.files.retired_of_day(day)) {
            self.store.files.used(&file);
            match self.store.decoder().parts_of(&file, (self.series, self.metric), range, self.sealed, limit, only) {
                Ok(Some(parts)) => all.extend(parts),
                Ok(None) => return Ok(None),
                Err(StoreError::Damaged { .. }) => all.extend(self.salvage(&file, range)?),
                Err(error) => return Err(error),
            }
        }
        Ok(Some(all))
    }
}

impl Reader<'_> {
    /// What can be read one by one, when not all can be read at once.
    fn salvage(&self, file: &Arc<DayFile>, range: TimeRange) -> Result<Vec<Part>, StoreError> {
        match self.store.decoder().salvage(file, (self.series, self.metric), range, self.sealed) {
            Err(_) if file.is_gone() => Ok(Vec::new()),
            Err(StoreError::Damaged { reason }) => {
                self.store.damages.note(damage::of_series(file, self.series, range, reason), &[]);
                Ok(Vec::new())
            }
            other => other,
        }
    }
}

fn windows(range: TimeRange) -> Vec<TimeRange> {
    let mut windows = Vec::new();
    let mut from = range.from;
    while from < range.to {
        let end = key::window_of(from).saturating_add(1).saturating_mul(WINDOW_NS).min(range.to);
        windows.push(TimeRange { from, to: end });
        from = end;
    }
    windows
}

pub(super) fn scan(
    store: &EmbeddedStore,
    pin: &Pin,
    series: SeriesId,
    range: TimeRange,
    direction: Direction,
    sink: &mut Sink<'_>,
) -> Result<(), StoreError> {
    let mut sink = |piece: Piece<'_>| if let Piece::Points(block) = piece { sink(block) } else { true };
    scan_with(&Reader::new(store, pin, series), range, direction, None, &mut sink)
}

/// A scan for who wants these aggregates alone: of chunks that lie in one bucket, what they say of themselves, if that is enough.
pub(super) fn scan_for(
    store: &EmbeddedStore,
    pin: &Pin,
    series: SeriesId,
    range: TimeRange,
    (grid, aggs): (&Grid, &[Agg]),
    sink: &mut PieceSink<'_>,
) -> Result<(), StoreError> {
    let told = aggs.iter().all(|agg| matches!(agg, Agg::Count | Agg::Min | Agg::Max)).then_some(grid);
    scan_with(&Reader::new(store, pin, series), range, Direction::Forward, told, sink)
}

fn scan_with(
    reader: &Reader<'_>,
    range: TimeRange,
    direction: Direction,
    told: Option<&Grid>,
    sink: &mut PieceSink<'_>,
) -> Result<(), StoreError> {
    let store = reader.store;
    let mut days = store.files.days_in(range);
    direction.order(&mut days);
    let mut points = 0;
    for day in days {
        let wanted = reader.day(day, range, direction, &mut |step, parts| {
            let mut clusters = parts::clusters(parts);
            direction.order(&mut clusters);
            clusters.iter_mut().all(|cluster| {
                if let Some(totals) = told.and_then(|grid| parts::told(cluster, step, &reader.hides, grid)) {
                    return sink(Piece::Totals(&totals));
                }
                let decoder = Decoder { keeps: store.cache.has_room_for(points), ..store.decoder() };
                decoder.lay(cluster, step, &reader.hides).is_none_or(|block| {
                    points += block.len();
                    sink(Piece::Points(&block))
                })
            })
        })?;
        if !wanted {
            break;
        }
    }
    Ok(())
}

/// The points of a day that lie in one of these ranges, which ascend and do not meet: blocks in time order, none reaches over the end of
/// its range.
pub(super) fn scan_ranges(
    store: &EmbeddedStore,
    pin: &Pin,
    series: SeriesId,
    day: Day,
    ranges: &[TimeRange],
) -> Result<Vec<Arc<Block>>, StoreError> {
    let (Some(first), Some(last)) = (ranges.first(), ranges.last()) else { return Ok(Vec::new()) };
    let (reader, hull) = (Reader::new(store, pin, series), TimeRange { from: first.from, to: last.to });
    let meets =
        |first: TimeNs, last: TimeNs| ranges.get(ranges.partition_point(|range| range.to <= first)).is_some_and(|range| range.from <= last);
    let parts = reader.parts_of(day, hull, u32::MAX - 1, &|entry| meets(entry.first, entry.last))?.unwrap_or_default();
    // A little of many chunks: kept whole they would push out what stands for the others.
    let decoder = Decoder { keeps: false, ..store.decoder() };
    let mut blocks = Vec::new();
    for mut cluster in parts::clusters(parts) {
        let Some(block) = decoder.lay(&mut cluster, hull, &reader.hides) else { continue };
        let (Some(first), Some(last)) = (block.first_time(), block.last_time()) else { continue };
        let next = ranges.partition_point(|range| range.to <= first);
        let within = ranges[next..].iter().take_while(|range| range.from <= last).map(|range| block.within(*range));
        blocks.extend(within.filter(|part| !part.is_empty()).map(|part| Arc::new(block.cut(part))));
    }
    Ok(blocks)
}

pub(super) fn count(store: &EmbeddedStore, pin: &Pin, series: SeriesId, range: TimeRange, enough: u64) -> Result<u64, StoreError> {
    let reader = Reader::new(store, pin, series);
    let mut points = 0;
    for day in store.files.days_in(range) {
        if points > enough {
            break;
        }
        points += match reader.told(day, range)? {
            Some(told) => told,
            None => reader.counted(day, range)?,
        };
    }
    Ok(points)
}

impl Reader<'_> {
    /// What the rows of a day say without their bodies. None: they overlap each other, the ends of the range or a delete, or one of them
    /// cannot be read.
    fn told(&self, day: Day, range: TimeRange) -> Result<Option<u64>, StoreError> {
        let within = day.range(range);
        let _no_move = self.store.layout.read();
        let files = self.store.files.of_day(day);
        let [file] = &files[..] else { return Ok(None) };
        if self.store.damages.concern((self.series, self.metric), within) || !self.store.files.retired_of_day(day).is_empty() {
            return Ok(None);
        }
        self.store.files.used(file);
        let Ok(listed) = self.store.decoder().listed(file, (self.series, self.metric)) else { return Ok(None) };
        if listed.many(within, self.sealed).next().is_some() {
            return Ok(None);
        }
        let own: Vec<&Entry> = listed.own(within, self.sealed).collect();
        let apart = own.windows(2).all(|pair| pair[0].last < pair[1].first);
        let whole = |e: &&Entry| within.from <= e.first && e.last < within.to && !self.hides.touches(e.seal, e.first, e.last);
        Ok((apart && own.iter().all(whole)).then(|| own.iter().map(|entry| u64::from(entry.count)).sum()))
    }

    fn counted(&self, day: Day, range: TimeRange) -> Result<u64, StoreError> {
        let mut points = 0;
        self.day(day, range, Direction::Forward, &mut |step, parts| {
            let mut clusters = parts::clusters(parts);
            let blocks = clusters.iter_mut().filter_map(|cluster| self.store.decoder().lay(cluster, step, &self.hides));
            points += blocks.map(|block| block.len() as u64).sum::<u64>();
            true
        })?;
        Ok(points)
    }
}

/// `times` ascend. Near ones are looked up together.
pub(super) fn look_up(store: &EmbeddedStore, pin: &Pin, series: SeriesId, times: &[TimeNs]) -> Result<Vec<Option<Value>>, StoreError> {
    let reader = Reader::new(store, pin, series);
    let mut found = Vec::with_capacity(times.len());
    for near in times.chunk_by(|a, b| key::window_of(*a) == key::window_of(*b)) {
        let range = TimeRange { from: near[0], to: near[near.len() - 1].saturating_add(1) };
        let mut parts = Vec::new();
        for day in store.files.days_in(range) {
            reader.day(day, range, Direction::Forward, &mut |_, found| {
                parts.extend(found);
                true
            })?;
        }
        parts.sort_unstable_by_key(|part| std::cmp::Reverse(part.seal));
        let blocks: Vec<_> = parts.iter().map(|part| (part.seal, part.first..=part.last, std::cell::OnceCell::new())).collect();
        found.extend(near.iter().map(|time| {
            let holding = parts.iter().zip(&blocks).filter(|(_, (_, span, _))| span.contains(time));
            let mut values = holding.filter_map(|(part, (seal, _, block))| {
                let block = block.get_or_init(|| store.decoder().block(part)).as_ref()?;
                Some((*seal, block.look_up(*time)?))
            });
            values.next().and_then(|(seal, value)| (!reader.hides.hides(seal, *time)).then_some(value))
        }));
    }
    Ok(found)
}
