//! A scan that takes rollups where they hold and would do, and readings elsewhere.
//!
//! Invariant: what is left of readings that are gone is told whatever comes for the day. It is laid over what else there is: the rows of
//! what came since fill its gaps, and so do readings.

use std::cell::OnceCell;
use std::sync::Arc;

use rustc_hash::FxHashSet;

use super::gone::{is_gone, may_have_lost};
use super::layer::Layer;
use super::outdate::named;
use super::{LEVELS, Rolled, level_ns};
use crate::block::Block;
use crate::model::{Position, SeriesId, TimeNs, TimeRange};
use crate::query::agg::tells_spread;
use crate::query::buckets::Agg;
use crate::query::grid::Grid;
use crate::query::summary::{Summary, tell_sum, tells_increase};
use crate::store::embedded::EmbeddedStore;
use crate::store::embedded::cuts::{self, Cut};
use crate::store::embedded::damage;
use crate::store::embedded::dayfile::{DayFile, RollupHead};
use crate::store::embedded::files::Day;
use crate::store::embedded::parts::Held;
use crate::store::embedded::read::{self, Direction};
use crate::store::embedded::tombs::Hides;
use crate::store::{Coarse, GoneSink, Piece, PieceSink, Pin, StoreError};

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
    let asked = Asked::new(store, pin, series, coarse, Of::aggs(aggs));
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

/// Of these the summaries of readings that are gone, alone.
pub(in crate::store::embedded) fn scan_gone(
    store: &EmbeddedStore,
    pin: &Pin,
    series: SeriesId,
    range: TimeRange,
    coarse: Coarse<'_>,
    sink: &mut GoneSink<'_>,
) -> Result<(), StoreError> {
    let aggs: &[Agg] = if let Coarse::Buckets { aggs, .. } = coarse { aggs } else { &[] };
    if aggs.iter().any(|agg| agg.needs_readings()) {
        return Ok(());
    }
    let asked = Asked::new(store, pin, series, coarse, Of::aggs(aggs));
    let mut days = store.files.all_days_in(range);
    days.retain(|day| !asked.that_lack(*day).is_empty());
    for day in days {
        for within in parts(coarse, day.range(range)) {
            give_gone(within, &asked.all_layers(day, within)?, sink);
        }
    }
    Ok(())
}

/// What the first layer does not tell, the next ones do.
fn give_gone(range: TimeRange, layers: &[Layer], sink: &mut GoneSink<'_>) {
    let Some((layer, below)) = layers.split_first().filter(|_| range.from < range.to) else { return };
    let mut from = range.from;
    for (piece, summaries) in layer.pieces(range) {
        give_gone(TimeRange { from, to: piece.from }, below, sink);
        for summary in summaries.iter().filter(|summary| is_gone(summary, layer.gone_until)) {
            sink(TimeRange { from: summary.start, to: summary.start.saturating_add(layer.level) }, summary);
        }
        from = piece.to;
    }
    give_gone(TimeRange { from, to: range.to }, below, sink);
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

/// What a row of rollups may answer for.
#[derive(Clone, Copy)]
struct Tells {
    /// All of the day up to where readings are told.
    is_whole: bool,
    /// Only of readings that are gone: of the others it knows less than there is.
    only_gone: bool,
    /// Readings before this are not kept any more.
    gone_until: TimeNs,
}

impl<'a> Asked<'a> {
    fn new(store: &'a EmbeddedStore, pin: &Pin, series: SeriesId, coarse: Coarse<'a>, of: Of) -> Self {
        let (sealed, metric) = (pin.sealed(), store.info.metric(series));
        Self { store, series, metric, sealed, hides: store.tombs.of(series, sealed), coarse, of }
    }
}

impl Asked<'_> {
    /// Summaries as far as they hold, and the readings before and after. Says whether the sink wants more.
    fn part(&self, day: Day, within: TimeRange, pin: &Pin, sink: &mut PieceSink<'_>) -> Result<bool, StoreError> {
        let layers = self.all_layers(day, within)?;
        self.fill(day, within, &layers, (pin, sink))
    }

    fn all_layers(&self, day: Day, within: TimeRange) -> Result<Vec<Layer>, StoreError> {
        match self.coarse {
            // What is gone is told by all there is; what is not, by what suits the columns.
            Coarse::Columns(_) => match self.layers(day, within, Coarse::WhereGone)? {
                none if none.is_empty() => self.layers(day, within, self.coarse),
                gone => Ok(gone),
            },
            coarse => self.layers(day, within, coarse),
        }
    }

    /// What the first layer does not tell, the next ones do, and in the end the readings.
    fn fill(&self, day: Day, range: TimeRange, layers: &[Layer], to: (&Pin, &mut PieceSink<'_>)) -> Result<bool, StoreError> {
        let (pin, sink) = to;
        if range.from >= range.to {
            return Ok(true);
        }
        let Some((layer, below)) = layers.split_first() else {
            let mut wanted = true;
            let mut sink = |piece: Piece<'_>| {
                wanted = sink(piece);
                wanted
            };
            match self.coarse {
                Coarse::Buckets { grid, aggs } => read::scan_for(self.store, pin, self.series, range, (grid, aggs), &mut sink)?,
                Coarse::Columns(_) | Coarse::WhereGone => {
                    read::scan(self.store, pin, self.series, range, Direction::Forward, &mut |block| sink(Piece::Points(block)))?;
                }
            }
            return Ok(wanted);
        };
        let mut from = range.from;
        for (piece, summaries) in layer.pieces(range) {
            if !self.fill(day, TimeRange { from, to: piece.from }, below, (pin, sink))? {
                return Ok(false);
            }
            if !self.give(day, layer, summaries, (pin, sink))? {
                return Ok(false);
            }
            from = piece.to;
        }
        self.fill(day, TimeRange { from, to: range.to }, below, (pin, sink))
    }

    /// Summaries, and in place of those that do not tell what the columns need, their readings. Says whether the sink wants more.
    fn give(&self, day: Day, layer: &Layer, summaries: &[Summary], to: (&Pin, &mut PieceSink<'_>)) -> Result<bool, StoreError> {
        let (pin, sink) = to;
        let piece = |summary| Piece::Summary { summary, is_gone: is_gone(summary, layer.gone_until) };
        let mut unclear = match self.coarse {
            Coarse::Columns(columns) => columns.unclear(summaries, layer.level),
            _ => Vec::new(),
        };
        unclear.retain(|i| !is_gone(&summaries[*i], layer.gone_until));
        let bucket = |i: &usize| TimeRange { from: summaries[*i].start, to: summaries[*i].start.saturating_add(layer.level) };
        let ranges: Vec<_> = unclear.iter().map(bucket).collect();
        let mut blocks = self.readings(day, layer.level, &ranges, pin)?.into_iter().peekable();
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

    /// Of buckets that do not tell what the columns need. Where a column is shorter than they are, one may be cut twice.
    fn readings(&self, day: Day, level_ns: i64, buckets: &[TimeRange], pin: &Pin) -> Result<Vec<Arc<Block>>, StoreError> {
        match self.coarse {
            _ if buckets.is_empty() => Ok(Vec::new()),
            Coarse::Columns(columns) if columns.suit(level_ns) => {
                cuts::readings(self.store, pin, self.series, &self.hides, Cut { day, level_ns, buckets })
            }
            _ => read::scan_ranges(self.store, pin, self.series, day, buckets),
        }
    }

    /// None: the readings are to be read.
    fn layers(&self, day: Day, within: TimeRange, coarse: Coarse<'_>) -> Result<Vec<Layer>, StoreError> {
        let _no_move = self.store.layout.read();
        if !self.store.files.retired_of_day(day).is_empty() {
            return Ok(Vec::new());
        }
        let rollups = if coarse == Coarse::WhereGone { self.that_lack(day) } else { self.store.files.rollups_of_day(day) };
        if rollups.is_empty() {
            return Ok(Vec::new());
        }
        let (raw, mut all, mut classes) = (self.raw(day, within)?, Vec::new(), 0);
        for file in rollups {
            // It changed its class: another file may have all, or nobody summed up both. What is gone is told all the same.
            let others = raw.iter().filter(|raw| raw.file.key.class != file.key.class);
            let is_alone = !others.map(|raw| self.exact(raw, within)).collect::<Result<Vec<_>, _>>()?.iter().any(Option::is_some);
            let own = raw.iter().find(|raw| raw.file.key.class == file.key.class);
            let layers = self.of_file(&file, (own, is_alone), within, coarse)?;
            classes += usize::from(!layers.is_empty());
            all.extend(layers);
        }
        if classes < 2 {
            return Ok(all);
        }
        // What of one class is gone lies over what there is of another; and of what went from one after the other, what was summed up
        // first: of the hour in which that was cut, the next has a part.
        all.sort_by_key(|layer: &Layer| (layer.is_whole, layer.seal, layer.first()));
        Ok(all)
    }

    /// Rollups of a day some of whose readings may be gone.
    fn that_lack(&self, day: Day) -> Vec<Arc<DayFile>> {
        let mut rollups = self.store.files.rollups_of_day(day);
        let classes: Vec<_> = self.store.files.of_day(day).iter().filter(|raw| !raw.is_gone()).map(|raw| raw.key.class).collect();
        rollups.retain(|file| !classes.contains(&file.key.class) || may_have_lost(self.store, file.key));
        rollups
    }

    /// `is_alone`: no file of another class has readings of the series there.
    fn of_file(
        &self,
        file: &DayFile,
        (raw, is_alone): (Option<&Raw>, bool),
        within: TimeRange,
        coarse: Coarse<'_>,
    ) -> Result<Vec<Layer>, StoreError> {
        self.store.files.used(file);
        let mut rows = self.rows(file, within, coarse)?;
        let Some(gone) = self.gone(file, raw, &rows)? else { return Ok(Vec::new()) };
        // What is left of readings that are gone comes first, and of such as came after others had gone, the oldest.
        rows.sort_by_key(|row| !gone.contains(&row.id));
        let (mut layers, mut made_of) = (Vec::<Layer>::new(), Vec::new());
        while let Some(row) = next_row(&mut rows, layers.first().map(|layer| layer.level), &made_of) {
            if self.hides.touches(row.seal, within.from, within.to) {
                continue;
            }
            let Some(tells) = self.tells(file, &row, (raw, is_alone), within, gone.contains(&row.id))? else { continue };
            if coarse == Coarse::WhereGone && tells.gone_until <= within.from {
                continue;
            }
            if let Some(layer) = self.layer((file, &row), within, tells, coarse)? {
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

    /// What a row may answer for. None: nothing, its readings are to be read.
    fn tells(
        &self,
        file: &DayFile,
        row: &RollupHead,
        (raw, is_alone): (Option<&Raw>, bool),
        within: TimeRange,
        is_gone: bool,
    ) -> Result<Option<Tells>, StoreError> {
        let Some(raw) = raw.filter(|_| !is_gone) else {
            return Ok(Some(Tells { is_whole: false, only_gone: false, gone_until: TimeNs::MAX }));
        };
        let is_stale = self.is_stale(row, raw, within)?;
        // What came since may lie in front of what is left of what the row was made of.
        let of_row = |held: Held| held.newest_seal <= row.seal;
        let gone_until = match raw.quick {
            _ if !may_have_lost(self.store, file.key) => TimeNs::MIN,
            Some(quick) if of_row(quick) => self.exact(raw, within)?.map_or(TimeNs::MAX, |held| held.first),
            _ => self.begin(raw, within, row.seal)?,
        };
        let knows_all = is_alone && !is_stale;
        if !knows_all && gone_until == TimeNs::MIN {
            return Ok(None);
        }
        Ok(Some(Tells { is_whole: knows_all, only_gone: !knows_all, gone_until }))
    }

    /// Where readings begin that were there at a seal.
    fn begin(&self, raw: &Raw, within: TimeRange, seal: Position) -> Result<TimeNs, StoreError> {
        match self.store.decoder().held(&raw.file, (self.series, self.metric), within, seal) {
            Err(_) if raw.file.is_gone() => Ok(TimeNs::MAX),
            Err(StoreError::Damaged { .. }) => Ok(TimeNs::MIN),
            other => Ok(other?.map_or(TimeNs::MAX, |held| held.first)),
        }
    }

    /// Something came for the series since.
    fn is_stale(&self, row: &RollupHead, raw: &Raw, within: TimeRange) -> Result<bool, StoreError> {
        let newer = |held: Option<Held>| held.is_some_and(|held| held.newest_seal > row.seal);
        if newer(raw.quick) { self.exact(raw, within).map(newer) } else { Ok(false) }
    }

    /// The rows whose readings are gone. None: it changes at this moment.
    fn gone(&self, file: &DayFile, raw: Option<&Raw>, rows: &[RollupHead]) -> Result<Option<FxHashSet<i64>>, StoreError> {
        let all = || rows.iter().map(|row| row.id);
        let Some(raw) = raw else { return Ok(Some(all().collect())) };
        let is_newer = || rows.iter().any(|row| raw.quick.is_some_and(|held| held.newest_seal > row.seal));
        if !may_have_lost(self.store, file.key) && !is_newer() {
            return Ok(Some(FxHashSet::default()));
        }
        let there = match named(Some(&raw.file), rows.iter().map(|row| (row.is_own, row.mark, row.lo))) {
            Err(_) if raw.file.is_gone() => return Ok(Some(all().collect())),
            Err(StoreError::Damaged { .. }) => return Ok(Some(FxHashSet::default())),
            other => other?,
        };
        let gone: FxHashSet<_> = rows.iter().filter(|row| !there.contains(&(row.is_own, row.mark))).map(|row| row.id).collect();
        // A merge takes rollups away before what they were made of: those that are still there did not lose it to one.
        if gone.is_empty() {
            return Ok(Some(gone));
        }
        let still_there = match file.read("look for rollups in", |db| db.has_rollups(gone.iter().copied())) {
            Err(_) if file.is_gone() => false,
            Err(StoreError::Damaged { reason }) => {
                self.store.damages.note(damage::of_file(file, reason), &[]);
                false
            }
            other => other?,
        };
        Ok(still_there.then_some(gone))
    }

    /// Of each raw file of the day. One that expires at this moment is none.
    fn raw(&self, day: Day, within: TimeRange) -> Result<Vec<Raw>, StoreError> {
        let mut all = Vec::new();
        for file in self.store.files.of_day(day) {
            let (quick, has_blocks) = match self.store.decoder().listed(&file, (self.series, self.metric)) {
                Ok(listed) => {
                    let entries = || listed.own(within, self.sealed).chain(listed.many(within, self.sealed));
                    let newest = entries().map(|entry| entry.seal).max().zip(entries().map(|entry| entry.first).min());
                    let quick = newest.map(|(newest_seal, first)| Held { newest_seal, first });
                    (quick, listed.many(within, self.sealed).next().is_some())
                }
                Err(_) if file.is_gone() => continue,
                Err(StoreError::Damaged { .. }) => (None, false),
                Err(error) => return Err(error),
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
            Coarse::WhereGone => (row.seal, row.mark, false, row.level),
            Coarse::Buckets { .. } | Coarse::Columns(_) => (row.seal, row.mark, leaves_ends(row.level), -row.level),
        });
        Ok(rows)
    }

    fn layer(
        &self,
        (file, row): (&DayFile, &RollupHead),
        within: TimeRange,
        tells: Tells,
        coarse: Coarse<'_>,
    ) -> Result<Option<Layer>, StoreError> {
        let rows = match self.store.decoder().rolled(file, row) {
            Err(_) if file.is_gone() => None,
            other => other?,
        };
        Ok(rows.and_then(|rows| self.of_rows(rows, row, within, tells, coarse)))
    }

    fn of_rows(&self, rows: Arc<Rolled>, row: &RollupHead, within: TimeRange, tells: Tells, coarse: Coarse<'_>) -> Option<Layer> {
        let at = rows.binary_search_by_key(&self.series, |(series, _)| *series).ok()?;
        let Tells { is_whole, only_gone, gone_until } = tells;
        let shown = 0..rows[at].1.len();
        let level = level_ns(row.level);
        let mut layer = Layer { level, seal: row.seal, rows, at, shown, is_whole, gone_until, until: TimeNs::MAX };
        if coarse == Coarse::WhereGone || only_gone {
            // The readings from there on are read, but for those of a bucket of which only a part is left.
            let last_gone = layer.summaries().iter().rfind(|summary| is_gone(summary, gone_until));
            layer.until = last_gone?.start.saturating_add(level);
        }
        let covered = layer.covered(within);
        if covered.from >= covered.to {
            return None;
        }
        let [from, to] = [covered.from, covered.to].map(|time| layer.summaries().partition_point(|summary| summary.start < time));
        layer.shown = from..to;
        if !is_whole && layer.shown.is_empty() {
            return None;
        }
        // What is left of readings that are gone is taken as it is.
        let has_gone = || layer.summaries().iter().any(|summary| is_gone(summary, gone_until));
        if !self.tell(layer.summaries()) && !has_gone() {
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
fn next_row(rows: &mut Vec<RollupHead>, level_ns_taken: Option<i64>, made_of: &[(bool, i64, Position)]) -> Option<RollupHead> {
    let of_level = |row: &RollupHead| level_ns_taken.is_none_or(|taken| level_ns(row.level) == taken);
    let of_others = |row: &RollupHead| !made_of.contains(&(row.is_own, row.mark, row.seal));
    let at = rows.iter().position(of_level).or_else(|| rows.iter().position(of_others))?;
    Some(rows.remove(at))
}
