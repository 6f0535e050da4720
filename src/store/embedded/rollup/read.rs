//! A scan that takes rollups where they hold and would do, and readings elsewhere.

use super::{LEVELS, body, level_ns};
use crate::model::{Position, SeriesId, TimeNs, TimeRange};
use crate::query::agg::tells_spread;
use crate::query::buckets::Agg;
use crate::query::grid::Grid;
use crate::query::summary::Summary;
use crate::store::embedded::EmbeddedStore;
use crate::store::embedded::damage;
use crate::store::embedded::dayfile::{DayFile, RollupRow};
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
    summaries: Vec<Summary>,
    covered: TimeRange,
    /// Readings before this are not kept any more.
    gone_until: TimeNs,
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
        let rolled = self.rolled(day, within)?;
        let covered = rolled.as_ref().map_or(TimeRange { from: within.to, to: within.to }, |rolled| rolled.covered);
        for points in [TimeRange { from: within.from, to: covered.from }, TimeRange { from: covered.to, to: within.to }] {
            if points.from == covered.to
                && let Some(Rolled { summaries, gone_until, .. }) = &rolled
            {
                let piece = |summary| Piece::Summary { summary, is_gone: is_gone(summary, *gone_until) };
                wanted = wanted && summaries.iter().all(|summary| sink(piece(summary)));
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

    /// None: the readings are to be read.
    fn rolled(&self, day: Day, within: TimeRange) -> Result<Option<Rolled>, StoreError> {
        let _no_move = self.store.layout.read();
        if !self.store.files.retired_of_day(day).is_empty() {
            return Ok(None);
        }
        let mut rollups = self.store.files.rollups_of_day(day);
        if self.coarse == Coarse::WhereGone {
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
            if self.coarse == Coarse::WhereGone && gone_until <= within.from {
                continue;
            }
            if raw.iter().any(|raw| raw.class != file.key.class && raw.newest_seal.is_some()) {
                // It changed its class: another file may have all, or nobody summed up both.
                continue;
            }
            self.store.files.used(&file);
            let newest = of_class.and_then(|raw| raw.newest_seal).unwrap_or(Position(0));
            for row in self.rows(&file, within)? {
                let is_stale = newest > row.seal || self.hides.touches(row.seal, within.from, within.to);
                if !is_stale && let Some(rolled) = self.of_row(&file, &row, within, gone_until) {
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
            let read = file.read("look for rows in", |db| {
                let own = db.own(self.series, within, self.sealed, u32::MAX - 1)?;
                let many = db.many(self.metric, self.series, within, self.sealed)?;
                let entries = || own.iter().chain(&many);
                Ok((entries().map(|entry| entry.seal).max(), entries().map(|entry| entry.first).min()))
            });
            let (newest_seal, first) = match read {
                Err(_) if file.is_gone() => continue,
                Err(StoreError::Damaged { .. }) => (None, None),
                other => other?,
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
    fn rows(&self, file: &DayFile, within: TimeRange) -> Result<Vec<RollupRow>, StoreError> {
        let read = file.read("read rollups of", |db| db.rollups(self.metric, self.series, self.sealed));
        let mut rows = match read {
            Err(_) if file.is_gone() => Vec::new(),
            Err(StoreError::Damaged { reason }) => {
                self.store.damages.note(damage::of_file(file, reason), &[]);
                Vec::new()
            }
            other => other?,
        };
        rows.retain(|row| match self.coarse {
            Coarse::Buckets { grid, .. } => grid.leaves_whole(level_ns(row.level), within),
            Coarse::WhereGone => true,
        });
        let leaves_ends = |level: i64| within.from % level_ns(level) != 0 || within.to % level_ns(level) != 0;
        rows.sort_by_key(|row| match self.coarse {
            Coarse::WhereGone => (row.seal, false, row.level),
            Coarse::Buckets { .. } => (row.seal, leaves_ends(row.level), -row.level),
        });
        Ok(rows)
    }

    fn of_row(&self, file: &DayFile, row: &RollupRow, within: TimeRange, gone_until: TimeNs) -> Option<Rolled> {
        let rolled = match body::decode(&row.body, row.numbers) {
            Ok(rolled) => rolled,
            Err(error) => {
                self.store.damages.note(damage::of_rollup(file, row, error.to_string()), &row.body);
                return None;
            }
        };
        let at = rolled.binary_search_by_key(&self.series, |(series, _)| *series).ok()?;
        let level = level_ns(row.level);
        let mut summaries = rolled.into_iter().nth(at)?.1;
        let mut covered = TimeRange { from: up(within.from, level), to: within.to.div_euclid(level).saturating_mul(level) };
        if self.coarse == Coarse::WhereGone {
            // The readings from there on are read, but for those of a bucket of which only a part is left.
            let last_gone = summaries.iter().rfind(|summary| is_gone(summary, gone_until));
            covered.to = covered.to.min(last_gone?.start.saturating_add(level));
        }
        if covered.from >= covered.to {
            return None;
        }
        summaries.retain(|summary| covered.contains(summary.start));
        // What is left of readings that are gone is taken as it is.
        let has_gone = || summaries.iter().any(|summary| is_gone(summary, gone_until));
        if self.of_spread && !summaries.iter().all(tells_spread) && !has_gone() {
            return None;
        }
        Some(Rolled { summaries, covered, gone_until })
    }
}

/// Of at least some of its readings.
fn is_gone(summary: &Summary, gone_until: TimeNs) -> bool {
    summary.first.0 < gone_until
}

fn up(time: TimeNs, level: i64) -> TimeNs {
    time.div_euclid(level).saturating_add(i64::from(time.rem_euclid(level) != 0)).saturating_mul(level)
}
