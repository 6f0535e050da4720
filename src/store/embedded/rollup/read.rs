//! A scan that takes rollups where they hold and would do, and readings elsewhere.
//!
//! Invariant: what is left of readings that are gone is told whatever comes for the day. It is laid over what else there is: the rows of
//! what came since fill its gaps, and so do readings.

use std::cell::OnceCell;
use std::sync::Arc;

use rustc_hash::FxHashSet;

use super::gone::{is_gone, may_have_lost};
use super::outdate::named;
use super::{LEVELS, body, level_ns};
use crate::model::{Position, SeriesId, TimeNs, TimeRange};
use crate::query::agg::tells_spread;
use crate::query::buckets::Agg;
use crate::query::grid::Grid;
use crate::query::summary::{Summary, tell_sum, tells_increase};
use crate::store::embedded::EmbeddedStore;
use crate::store::embedded::damage;
use crate::store::embedded::dayfile::{DayFile, RollupRow};
use crate::store::embedded::files::Day;
use crate::store::embedded::parts::Held;
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
    let (sealed, metric, of) = (pin.sealed(), store.info.metric(series), Of::aggs(aggs));
    let asked = Asked { store, series, metric, sealed, hides: store.tombs.of(series, sealed), coarse, of };
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
    /// What is asked for that not every summary tells.
    of: Of,
}

#[derive(Clone, Copy)]
struct Of {
    sum: bool,
    spread: bool,
    increase: bool,
}

impl Of {
    fn aggs(aggs: &[Agg]) -> Self {
        let any = |wanted: &[Agg]| aggs.iter().any(|agg| wanted.contains(agg));
        Self { sum: any(&[Agg::Sum, Agg::Mean]), spread: any(&[Agg::StdDev]), increase: any(&[Agg::Increase, Agg::Rate]) }
    }
}

/// What a raw file may hold of the series, by the ends of its rows. Of a block only its own say whether the series is in it.
struct Raw {
    file: Arc<DayFile>,
    quick: Option<Held>,
    has_blocks: bool,
    exact: OnceCell<Option<Held>>,
}

/// Summaries of one row, which hold in place of readings.
struct Layer {
    level: i64,
    summaries: Vec<Summary>,
    /// There is nothing but these: else what lies between them is told by the next layer.
    is_whole: bool,
    /// Readings before this are not kept any more.
    gone_until: TimeNs,
    /// Where readings are told instead.
    until: TimeNs,
}

impl Layer {
    /// What of a range its buckets can tell.
    fn covered(&self, range: TimeRange) -> TimeRange {
        let to = range.to.div_euclid(self.level).saturating_mul(self.level);
        TimeRange { from: up(range.from, self.level), to: to.min(self.until) }
    }

    /// What the layer tells of a range, in pieces, each with its summaries.
    fn pieces(&self, range: TimeRange) -> Vec<(TimeRange, &[Summary])> {
        let covered = self.covered(range);
        if covered.from >= covered.to {
            return Vec::new();
        }
        let [from, to] = [covered.from, covered.to].map(|time| self.summaries.partition_point(|summary| summary.start < time));
        let within = &self.summaries[from..to];
        if self.is_whole {
            return vec![(covered, within)];
        }
        let end = |summary: &Summary| summary.start.saturating_add(self.level);
        let joined = within.chunk_by(|a, b| end(a) == b.start);
        joined.map(|some| (TimeRange { from: some[0].start, to: end(&some[some.len() - 1]) }, some)).collect()
    }
}

impl Asked<'_> {
    /// Summaries as far as they hold, and the readings before and after. Says whether the sink wants more.
    fn part(&self, day: Day, within: TimeRange, pin: &Pin, sink: &mut PieceSink<'_>) -> Result<bool, StoreError> {
        let layers = self.layers(day, within)?;
        self.fill(within, &layers, pin, sink)
    }

    /// What the first layer does not tell, the next ones do, and in the end the readings.
    fn fill(&self, range: TimeRange, layers: &[Layer], pin: &Pin, sink: &mut PieceSink<'_>) -> Result<bool, StoreError> {
        if range.from >= range.to {
            return Ok(true);
        }
        let Some((layer, below)) = layers.split_first() else {
            let mut wanted = true;
            read::scan(self.store, pin, self.series, range, Direction::Forward, &mut |block| {
                wanted = sink(Piece::Points(block));
                wanted
            })?;
            return Ok(wanted);
        };
        let mut from = range.from;
        for (piece, summaries) in layer.pieces(range) {
            if !self.fill(TimeRange { from, to: piece.from }, below, pin, sink)? {
                return Ok(false);
            }
            let told = |summary| Piece::Summary { summary, is_gone: is_gone(summary, layer.gone_until) };
            if !summaries.iter().all(|summary| sink(told(summary))) {
                return Ok(false);
            }
            from = piece.to;
        }
        self.fill(TimeRange { from, to: range.to }, below, pin, sink)
    }

    /// None: the readings are to be read.
    fn layers(&self, day: Day, within: TimeRange) -> Result<Vec<Layer>, StoreError> {
        let _no_move = self.store.layout.read();
        if !self.store.files.retired_of_day(day).is_empty() {
            return Ok(Vec::new());
        }
        let mut rollups = self.store.files.rollups_of_day(day);
        if self.coarse == Coarse::WhereGone {
            let classes: Vec<_> = self.store.files.of_day(day).iter().filter(|raw| !raw.is_gone()).map(|raw| raw.key.class).collect();
            rollups.retain(|file| !classes.contains(&file.key.class) || may_have_lost(self.store, file.key));
        }
        if rollups.is_empty() {
            return Ok(Vec::new());
        }
        let raw = self.raw(day, within)?;
        for file in rollups {
            // It changed its class: another file may have all, or nobody summed up both.
            let others = raw.iter().filter(|raw| raw.file.key.class != file.key.class);
            if others.map(|raw| self.exact(raw, within)).collect::<Result<Vec<_>, _>>()?.iter().any(Option::is_some) {
                continue;
            }
            let layers = self.of_file(&file, raw.iter().find(|raw| raw.file.key.class == file.key.class), within)?;
            if !layers.is_empty() {
                return Ok(layers);
            }
        }
        Ok(Vec::new())
    }

    fn of_file(&self, file: &DayFile, raw: Option<&Raw>, within: TimeRange) -> Result<Vec<Layer>, StoreError> {
        let gone_until = match raw {
            None => TimeNs::MAX,
            Some(raw) if may_have_lost(self.store, file.key) => self.exact(raw, within)?.map_or(TimeNs::MAX, |held| held.first),
            Some(_) => TimeNs::MIN,
        };
        if self.coarse == Coarse::WhereGone && gone_until <= within.from {
            return Ok(Vec::new());
        }
        self.store.files.used(file);
        let mut rows = self.rows(file, within)?;
        let Some(gone) = self.gone(file, raw, &rows)? else { return Ok(Vec::new()) };
        // What is left of readings that are gone comes first, and of such as came after others had gone, the oldest.
        rows.sort_by_key(|row| !gone.contains(&row.id));
        let (mut layers, mut made_of) = (Vec::<Layer>::new(), Vec::new());
        while let Some(row) = next_row(&mut rows, layers.first().map(|layer| layer.level), &made_of) {
            let is_gone = gone.contains(&row.id);
            if self.hides.touches(row.seal, within.from, within.to) || (!is_gone && self.is_stale(&row, raw, within)?) {
                continue;
            }
            if let Some(layer) = self.layer(file, &row, within, if is_gone { None } else { Some(gone_until) }) {
                made_of.push((row.is_own, row.mark, row.seal));
                let is_whole = layer.is_whole && layer.until == TimeNs::MAX;
                layers.push(layer);
                if is_whole {
                    break;
                }
            }
        }
        Ok(layers)
    }

    /// Something came for the series since.
    fn is_stale(&self, row: &RollupRow, raw: Option<&Raw>, within: TimeRange) -> Result<bool, StoreError> {
        let newer = |held: Option<Held>| held.is_some_and(|held| held.newest_seal > row.seal);
        match raw {
            Some(raw) if newer(raw.quick) => self.exact(raw, within).map(newer),
            _ => Ok(false),
        }
    }

    /// The rows whose readings are gone. None: it changes at this moment.
    fn gone(&self, file: &DayFile, raw: Option<&Raw>, rows: &[RollupRow]) -> Result<Option<FxHashSet<i64>>, StoreError> {
        let all = || rows.iter().map(|row| row.id);
        let Some(raw) = raw else { return Ok(Some(all().collect())) };
        let is_newer = || rows.iter().any(|row| raw.quick.is_some_and(|held| held.newest_seal > row.seal));
        if !may_have_lost(self.store, file.key) && !is_newer() {
            return Ok(Some(FxHashSet::default()));
        }
        let there = match named(Some(&raw.file), rows.iter().map(|row| (row.is_own, row.mark))) {
            Err(_) if raw.file.is_gone() => return Ok(Some(all().collect())),
            Err(StoreError::Damaged { .. }) => return Ok(Some(FxHashSet::default())),
            other => other?,
        };
        let gone: FxHashSet<_> = rows.iter().filter(|row| !there.contains(&(row.is_own, row.mark))).map(|row| row.id).collect();
        // A merge takes rollups away before what they were made of: those that are still there did not lose it to one.
        let still_there = gone.is_empty() || file.read("look for rollups in", |db| db.has_rollups(gone.iter().copied()))?;
        Ok(still_there.then_some(gone))
    }

    /// Of each raw file of the day. One that expires at this moment is none.
    fn raw(&self, day: Day, within: TimeRange) -> Result<Vec<Raw>, StoreError> {
        let mut all = Vec::new();
        for file in self.store.files.of_day(day) {
            let read = file.read("look for rows in", |db| {
                let own = db.own(self.series, within, self.sealed, u32::MAX - 1)?;
                let many = db.many(self.metric, self.series, within, self.sealed)?;
                let entries = || own.iter().chain(&many);
                let newest = entries().map(|entry| entry.seal).max();
                let quick = newest.zip(entries().map(|entry| entry.first).min()).map(|(newest_seal, first)| Held { newest_seal, first });
                Ok((quick, !many.is_empty()))
            });
            let (quick, has_blocks) = match read {
                Err(_) if file.is_gone() => continue,
                Err(StoreError::Damaged { .. }) => (None, false),
                other => other?,
            };
            all.push(Raw { file, quick, has_blocks, exact: OnceCell::new() });
        }
        Ok(all)
    }

    /// What is there of the series itself, for which blocks have to be looked into.
    fn exact(&self, raw: &Raw, within: TimeRange) -> Result<Option<Held>, StoreError> {
        if !raw.has_blocks {
            return Ok(raw.quick);
        }
        if let Some(known) = raw.exact.get() {
            return Ok(*known);
        }
        let held = match self.store.decoder().held(&raw.file, (self.series, self.metric), within, self.sealed) {
            Err(_) if raw.file.is_gone() => None,
            Err(StoreError::Damaged { .. }) => None,
            other => other?,
        };
        Ok(*raw.exact.get_or_init(|| held))
    }

    /// Those that would do, the oldest first; then those that cover the part whole, and of these the coarsest. Where readings are gone
    /// and a line is drawn, the finest.
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
            Coarse::WhereGone => (row.seal, row.mark, false, row.level),
            Coarse::Buckets { .. } => (row.seal, row.mark, leaves_ends(row.level), -row.level),
        });
        Ok(rows)
    }

    /// `gone_until`: up to where the readings are gone of a row whose raw row is there.
    fn layer(&self, file: &DayFile, row: &RollupRow, within: TimeRange, gone_until: Option<TimeNs>) -> Option<Layer> {
        let rolled = match body::decode(&row.body, row.numbers) {
            Ok(rolled) => rolled,
            Err(error) => {
                self.store.damages.note(damage::of_rollup(file, row, error.to_string()), &row.body);
                return None;
            }
        };
        let at = rolled.binary_search_by_key(&self.series, |(series, _)| *series).ok()?;
        let level = level_ns(row.level);
        let summaries = rolled.into_iter().nth(at)?.1;
        let mut layer =
            Layer { level, summaries, is_whole: gone_until.is_some(), gone_until: gone_until.unwrap_or(TimeNs::MAX), until: TimeNs::MAX };
        if self.coarse == Coarse::WhereGone {
            // The readings from there on are read, but for those of a bucket of which only a part is left.
            let last_gone = layer.summaries.iter().rfind(|summary| is_gone(summary, layer.gone_until));
            layer.until = last_gone?.start.saturating_add(level);
        }
        let covered = layer.covered(within);
        layer.summaries.retain(|summary| covered.contains(summary.start));
        if covered.from >= covered.to || (!layer.is_whole && layer.summaries.is_empty()) {
            return None;
        }
        // What is left of readings that are gone is taken as it is.
        let has_gone = || layer.summaries.iter().any(|summary| is_gone(summary, layer.gone_until));
        if !self.tell(&layer.summaries) && !has_gone() {
            return None;
        }
        Some(layer)
    }

    /// Whether the aggregates that are asked for can be made of these as exactly as of readings.
    fn tell(&self, summaries: &[Summary]) -> bool {
        let Coarse::Buckets { grid, .. } = self.coarse else { return true };
        (!self.of.spread || summaries.iter().all(tells_spread))
            && (!self.of.increase || summaries.iter().all(tells_increase))
            && (!self.of.sum || of_buckets(grid, summaries).all(|some| tell_sum(some.iter())))
    }
}

fn of_buckets<'a>(grid: &'a Grid, mut summaries: &'a [Summary]) -> impl Iterator<Item = &'a [Summary]> {
    std::iter::from_fn(move || {
        let end = grid.bucket(summaries.first()?.start, TimeRange::ALL).to;
        let (of_bucket, rest) = summaries.split_at(summaries.partition_point(|summary| summary.start < end).max(1));
        summaries = rest;
        Some(of_bucket)
    })
}

/// The next to be laid under those that were taken: of their level, or of another that was made of other rows.
fn next_row(rows: &mut Vec<RollupRow>, level_ns_taken: Option<i64>, made_of: &[(bool, i64, Position)]) -> Option<RollupRow> {
    let of_level = |row: &RollupRow| level_ns_taken.is_none_or(|taken| level_ns(row.level) == taken);
    let of_others = |row: &RollupRow| !made_of.contains(&(row.is_own, row.mark, row.seal));
    let at = rows.iter().position(of_level).or_else(|| rows.iter().position(of_others))?;
    Some(rows.remove(at))
}

fn up(time: TimeNs, level: i64) -> TimeNs {
    time.div_euclid(level).saturating_add(i64::from(time.rem_euclid(level) != 0)).saturating_mul(level)
}
