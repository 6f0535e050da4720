//! A scan that takes rollups where they hold and would do, and readings elsewhere.

use std::ops::Range;
use std::sync::Arc;

use super::{LEVELS, Rolled as Rows, level_ns};
use crate::model::{Position, SeriesId, TimeNs, TimeRange};
use crate::query::agg::tells_spread;
use crate::query::buckets::Agg;
use crate::query::grid::Grid;
use crate::query::summary::Summary;
use crate::store::embedded::EmbeddedStore;
use crate::store::embedded::damage;
use crate::store::embedded::dayfile::{DayFile, RollupHead};
use crate::store::embedded::files::Day;
use crate::store::embedded::key::ClassId;
use crate::store::embedded::read::{self, Direction};
use crate::store::embedded::tombs::Hides;
use crate::store::{Coarse, Piece, PieceSink, Pin, StoreError};

pub(in crate::store::embedded) fn scan_coarse(
    store: &EmbeddedStore,
    pin: &Pin,
    series: SeriesId,
    range: TimeRange,
    coarse: Coarse<'_>,
    sink: &mut PieceSink<'_>,
) -> Result<(), StoreError> {
    let aggs: &[Agg] = if let Coarse::Buckets { aggs, .. } = coarse { aggs } else { &[] };
    if aggs.iter().any(|agg| agg.needs_readings()) {
        return read::scan(store, pin, series, range, Direction::Forward, &mut |block| sink(Piece::Points(block)));
    }
    let (sealed, metric, of_spread) = (pin.sealed(), store.info.metric(series), aggs.contains(&Agg::StdDev));
    let asked = Asked { store, series, metric, sealed, hides: store.tombs.of(series, sealed), coarse, of_spread };
    let mut wanted = true;
    for day in store.files.all_days_in(range) {
        for within in parts(coarse, day.range(range)) {
            wanted = wanted && asked.part(day, within, pin, sink)?;
        }
        if !wanted {
            break;
        }
    }
    Ok(())
}

/// A range of a day, cut where a bucket of a calendar begins, unless no stretch of any level lies in two buckets.
fn parts(coarse: Coarse<'_>, within: TimeRange) -> Vec<TimeRange> {
    let coarsest = LEVELS.into_iter().max().map_or(1, level_ns);
    let calendar = match coarse {
        Coarse::Buckets { grid: grid @ Grid::Calendar(calendar), .. } if !grid.leaves_whole(coarsest, within) => calendar,
        _ => return vec![within],
    };
    let (mut parts, mut from) = (Vec::new(), within.from);
    while from < within.to {
        let to = calendar.bucket(from).to.min(within.to);
        parts.push(TimeRange { from, to });
        from = to;
    }
    parts
}

struct Asked<'a> {
    store: &'a EmbeddedStore,
    series: SeriesId,
    metric: u32,
    sealed: Position,
    hides: Hides,
    coarse: Coarse<'a>,
    /// A deviation is asked for, which not every summary tells.
    of_spread: bool,
}

/// The summaries of a part of a day, which hold in place of its readings.
struct Rolled {
    rows: Arc<Rows>,
    /// The series in these rows, and which of its summaries.
    at: usize,
    shown: Range<usize>,
    /// Nanoseconds.
    level: i64,
    covered: TimeRange,
    /// Readings before this are not kept any more.
    gone_until: TimeNs,
}

impl Rolled {
    fn summaries(&self) -> &[Summary] {
        &self.rows[self.at].1[self.shown.clone()]
    }
}

/// What a raw file may hold of the series.
struct Raw {
    class: ClassId,
    newest_seal: Option<Position>,
    first: Option<TimeNs>,
}

impl Asked<'_> {
    /// Summaries as far as they hold, and the readings before and after. Says whether the sink wants more.
    fn part(&self, day: Day, within: TimeRange, pin: &Pin, sink: &mut PieceSink<'_>) -> Result<bool, StoreError> {
        let mut wanted = true;
        let rolled = match self.coarse {
            // What is gone is told by all there is; what is not, by what suits the columns.
            Coarse::Columns(_) => match self.rolled(day, within, Coarse::WhereGone)? {
                None => self.rolled(day, within, self.coarse)?,
                gone => gone,
            },
            coarse => self.rolled(day, within, coarse)?,
        };
        let covered = rolled.as_ref().map_or(TimeRange { from: within.to, to: within.to }, |rolled| rolled.covered);
        for points in [TimeRange { from: within.from, to: covered.from }, TimeRange { from: covered.to, to: within.to }] {
            if points.from == covered.to
                && let Some(rolled) = &rolled
            {
                wanted = wanted && self.give(day, rolled, pin, sink)?;
            }
            if wanted && points.from < points.to {
                read::scan(self.store, pin, self.series, points, Direction::Forward, &mut |block| {
                    wanted = sink(Piece::Points(block));
                    wanted
                })?;
            }
        }
        Ok(wanted)
    }

    /// Summaries, and in place of those that do not tell what the columns need, their readings. Says whether the sink wants more.
    fn give(&self, day: Day, rolled: &Rolled, pin: &Pin, sink: &mut PieceSink<'_>) -> Result<bool, StoreError> {
        let summaries = rolled.summaries();
        let piece = |summary| Piece::Summary { summary, is_gone: is_gone(summary, rolled.gone_until) };
        let mut unclear = match self.coarse {
            Coarse::Columns(columns) => columns.unclear(summaries, rolled.level),
            _ => Vec::new(),
        };
        unclear.retain(|i| !is_gone(&summaries[*i], rolled.gone_until));
        let bucket = |i: &usize| TimeRange { from: summaries[*i].start, to: summaries[*i].start.saturating_add(rolled.level) };
        let ranges: Vec<_> = unclear.iter().map(bucket).collect();
        let mut blocks = read::scan_ranges(self.store, pin, self.series, day, &ranges)?.into_iter().peekable();
        let mut from = 0;
        for (i, range) in unclear.into_iter().zip(ranges) {
            if !summaries[from..i].iter().all(|summary| sink(piece(summary))) {
                return Ok(false);
            }
            while let Some(block) = blocks.next_if(|block| block.first_time() < Some(range.to)) {
                if !sink(Piece::Points(&block)) {
                    return Ok(false);
                }
            }
            from = i + 1;
        }
        Ok(summaries[from..].iter().all(|summary| sink(piece(summary))))
    }

    /// None: the readings are to be read.
    fn rolled(&self, day: Day, within: TimeRange, coarse: Coarse<'_>) -> Result<Option<Rolled>, StoreError> {
        let _no_move = self.store.layout.read();
        if !self.store.files.retired_of_day(day).is_empty() {
            return Ok(None);
        }
        let mut rollups = self.store.files.rollups_of_day(day);
        if coarse == Coarse::WhereGone {
            let classes: Vec<_> = self.store.files.of_day(day).iter().filter(|raw| !raw.is_gone()).map(|raw| raw.key.class).collect();
            rollups.retain(|file| !classes.contains(&file.key.class) || self.is_below_floor(file));
        }
        if rollups.is_empty() {
            return Ok(None);
        }
        let raw = self.raw(day, within)?;
        for file in rollups {
            let of_class = raw.iter().find(|raw| raw.class == file.key.class);
            let gone_until = self.gone_until(&file, of_class);
            if coarse == Coarse::WhereGone && gone_until <= within.from {
                continue;
            }
            if raw.iter().any(|raw| raw.class != file.key.class && raw.newest_seal.is_some()) {
                // It changed its class: another file may have all, or nobody summed up both.
                continue;
            }
            self.store.files.used(&file);
            let newest = of_class.and_then(|raw| raw.newest_seal).unwrap_or(Position(0));
            for row in self.rows(&file, within, coarse)? {
                let is_stale = newest > row.seal || self.hides.touches(row.seal, within.from, within.to);
                if !is_stale && let Some(rolled) = self.of_row(&file, &row, within, gone_until, coarse)? {
                    return Ok(Some(rolled));
                }
            }
        }
        Ok(None)
    }

    /// Of each raw file of the day. One that expires at this moment is none.
    fn raw(&self, day: Day, within: TimeRange) -> Result<Vec<Raw>, StoreError> {
        let mut all = Vec::new();
        for file in self.store.files.of_day(day) {
            let (newest_seal, first) = match self.store.decoder().listed(&file, (self.series, self.metric)) {
                Ok(listed) => {
                    let entries = || listed.own(within, self.sealed).chain(listed.many(within, self.sealed));
                    (entries().map(|entry| entry.seal).max(), entries().map(|entry| entry.first).min())
                }
                Err(_) if file.is_gone() => continue,
                Err(StoreError::Damaged { .. }) => (None, None),
                Err(error) => return Err(error),
            };
            all.push(Raw { class: file.key.class, newest_seal, first });
        }
        Ok(all)
    }

    /// Up to where the readings of a file of rollups are not kept any more. A day that ends below the floor may have lost its oldest
    /// readings only, or have got a file anew by what came late.
    fn gone_until(&self, file: &DayFile, raw: Option<&Raw>) -> TimeNs {
        match raw {
            None => TimeNs::MAX,
            Some(raw) if self.is_below_floor(file) => raw.first.unwrap_or(TimeNs::MAX),
            Some(_) => TimeNs::MIN,
        }
    }

    fn is_below_floor(&self, file: &DayFile) -> bool {
        let floor = self.store.floors.of(self.store.classes.rule(file.key.class));
        floor.is_some_and(|floor| file.key.last_time() < floor)
    }

    /// Those that would do; first those that cover the part whole, and of these the coarsest. Where readings are gone and a line is
    /// drawn, the finest. Of readings that came when others of the series had expired, there may be some as well: they come last.
    fn rows(&self, file: &DayFile, within: TimeRange, coarse: Coarse<'_>) -> Result<Vec<RollupHead>, StoreError> {
        let mut rows = match self.store.decoder().rollup_heads(file, (self.series, self.metric)) {
            Err(_) if file.is_gone() => Vec::new(),
            Err(StoreError::Damaged { reason }) => {
                self.store.damages.note(damage::of_file(file, reason), &[]);
                Vec::new()
            }
            other => other?.to_vec(),
        };
        rows.retain(|row| {
            let suits = match coarse {
                Coarse::Buckets { grid, .. } => grid.leaves_whole(level_ns(row.level), within),
                Coarse::Columns(columns) => columns.suit(level_ns(row.level)),
                Coarse::WhereGone => true,
            };
            suits && row.seal <= self.sealed
        });
        let leaves_ends = |level: i64| within.from % level_ns(level) != 0 || within.to % level_ns(level) != 0;
        rows.sort_by_key(|row| match coarse {
            Coarse::WhereGone => (row.seal, false, row.level),
            Coarse::Buckets { .. } | Coarse::Columns(_) => (row.seal, leaves_ends(row.level), -row.level),
        });
        Ok(rows)
    }

    fn of_row(
        &self,
        file: &DayFile,
        row: &RollupHead,
        within: TimeRange,
        gone_until: TimeNs,
        coarse: Coarse<'_>,
    ) -> Result<Option<Rolled>, StoreError> {
        let rows = match self.store.decoder().rolled(file, row) {
            Err(_) if file.is_gone() => None,
            Err(StoreError::Damaged { reason }) => {
                self.store.damages.note(damage::of_file(file, reason), &[]);
                None
            }
            other => other?,
        };
        Ok(rows.and_then(|rows| self.of_rows(rows, level_ns(row.level), within, gone_until, coarse)))
    }

    fn of_rows(&self, rows: Arc<Rows>, level: i64, within: TimeRange, gone_until: TimeNs, coarse: Coarse<'_>) -> Option<Rolled> {
        let at = rows.binary_search_by_key(&self.series, |(series, _)| *series).ok()?;
        let summaries = &rows[at].1;
        let mut covered = TimeRange { from: up(within.from, level), to: within.to.div_euclid(level).saturating_mul(level) };
        if coarse == Coarse::WhereGone {
            // The readings from there on are read, but for those of a bucket of which only a part is left.
            let last_gone = summaries.iter().rfind(|summary| is_gone(summary, gone_until));
            covered.to = covered.to.min(last_gone?.start.saturating_add(level));
        }
        if covered.from >= covered.to {
            return None;
        }
        let from = summaries.partition_point(|summary| summary.start < covered.from);
        let shown = from..summaries.partition_point(|summary| summary.start < covered.to);
        // What is left of readings that are gone is taken as it is.
        let has_gone = || summaries[shown.clone()].iter().any(|summary| is_gone(summary, gone_until));
        if self.of_spread && !summaries[shown.clone()].iter().all(tells_spread) && !has_gone() {
            return None;
        }
        Some(Rolled { rows, at, shown, level, covered, gone_until })
    }
}

/// Of at least some of its readings.
fn is_gone(summary: &Summary, gone_until: TimeNs) -> bool {
    summary.first.0 < gone_until
}

fn up(time: TimeNs, level: i64) -> TimeNs {
    time.div_euclid(level).saturating_add(i64::from(time.rem_euclid(level) != 0)).saturating_mul(level)
}
