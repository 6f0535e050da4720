//! A scan that takes rollups where they hold and would do, and readings elsewhere.

use super::{body, level_ns};
use crate::model::{Position, SeriesId, TimeNs, TimeRange};
use crate::query::summary::Summary;
use crate::store::embedded::EmbeddedStore;
use crate::store::embedded::damage;
use crate::store::embedded::dayfile::{DayFile, RollupRow};
use crate::store::embedded::files::Day;
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
    let sealed = pin.sealed();
    let asked = Asked { store, series, metric: store.info.metric(series), sealed, hides: store.tombs.of(series, sealed), coarse };
    let mut wanted = true;
    for day in store.files.all_days_in(range) {
        let within = day.range(range);
        let rolled = asked.rolled(day, within)?;
        let covered = rolled.as_ref().map_or(TimeRange { from: within.to, to: within.to }, |rolled| rolled.covered);
        for points in [TimeRange { from: within.from, to: covered.from }, TimeRange { from: covered.to, to: within.to }] {
            if points.from == covered.to
                && let Some(Rolled { summaries, is_gone, .. }) = &rolled
            {
                wanted = wanted && summaries.iter().all(|summary| sink(Piece::Summary { summary, is_gone: *is_gone }));
            }
            if wanted && points.from < points.to {
                read::scan(store, pin, series, points, Direction::Forward, &mut |block| {
                    wanted = sink(Piece::Points(block));
                    wanted
                })?;
            }
        }
        if !wanted {
            break;
        }
    }
    Ok(())
}

struct Asked<'a> {
    store: &'a EmbeddedStore,
    series: SeriesId,
    metric: u32,
    sealed: Position,
    hides: Hides,
    coarse: Coarse<'a>,
}

/// The summaries of a part of a day, which hold in place of its readings.
struct Rolled {
    summaries: Vec<Summary>,
    covered: TimeRange,
    is_gone: bool,
}

impl Asked<'_> {
    /// None: the readings are to be read.
    fn rolled(&self, day: Day, within: TimeRange) -> Result<Option<Rolled>, StoreError> {
        let _no_move = self.store.layout.read();
        if !self.store.files.retired_of_day(day).is_empty() {
            return Ok(None);
        }
        let raw = self.store.files.of_day(day);
        for file in self.store.files.rollups_of_day(day) {
            let is_gone = raw.iter().all(|raw| raw.key.class != file.key.class);
            if self.coarse == Coarse::WhereGone && !is_gone {
                continue;
            }
            self.store.files.used(&file);
            let (mut newest, mut elsewhere) = (Position(0), false);
            for raw in &raw {
                match self.newest_seal(raw, within)? {
                    Some(seal) if raw.key.class == file.key.class => newest = seal,
                    found => elsewhere |= found.is_some(),
                }
            }
            if elsewhere {
                // It changed its class: another file may have all, or nobody summed up both.
                continue;
            }
            for row in self.rows(&file)? {
                let is_stale = newest > row.seal || self.hides.touches(row.seal, within.from, within.to);
                if !is_stale && let Some(rolled) = self.of_row(&file, &row, within, is_gone) {
                    return Ok(Some(rolled));
                }
            }
        }
        Ok(None)
    }

    /// The newest seal of what may hold readings of the series.
    fn newest_seal(&self, raw: &DayFile, within: TimeRange) -> Result<Option<Position>, StoreError> {
        let newest = raw.read("look for rows in", |db| {
            let own = db.own(self.series, within, self.sealed, u32::MAX - 1)?;
            let many = db.many(self.metric, self.series, within, self.sealed)?;
            Ok(own.iter().chain(&many).map(|entry| entry.seal).max())
        });
        match newest {
            Err(StoreError::Damaged { .. }) => Ok(None),
            other => other,
        }
    }

    /// Those that would do, the coarsest first; where readings are gone and a line is drawn, the finest.
    fn rows(&self, file: &DayFile) -> Result<Vec<RollupRow>, StoreError> {
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
            Coarse::Buckets { every: Some(every), .. } => every % level_ns(row.level) == 0,
            Coarse::Buckets { every: None, .. } | Coarse::WhereGone => true,
        });
        rows.sort_by_key(|row| if self.coarse == Coarse::WhereGone { row.level } else { -row.level });
        Ok(rows)
    }

    fn of_row(&self, file: &DayFile, row: &RollupRow, within: TimeRange, is_gone: bool) -> Option<Rolled> {
        let rolled = match body::decode(&row.body, row.numbers) {
            Ok(rolled) => rolled,
            Err(error) => {
                self.store.damages.note(damage::of_rollup(file, row, error.to_string()), &row.body);
                return None;
            }
        };
        let at = rolled.binary_search_by_key(&self.series, |(series, _)| *series).ok()?;
        let level = level_ns(row.level);
        let covered = TimeRange { from: up(within.from, level), to: within.to.div_euclid(level).saturating_mul(level) };
        if covered.from >= covered.to {
            return None;
        }
        let mut summaries = rolled.into_iter().nth(at)?.1;
        summaries.retain(|summary| covered.contains(summary.start));
        Some(Rolled { summaries, covered, is_gone })
    }
}

fn up(time: TimeNs, level: i64) -> TimeNs {
    time.div_euclid(level).saturating_add(i64::from(time.rem_euclid(level) != 0)).saturating_mul(level)
}
