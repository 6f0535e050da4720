//! `fill=`: rows for the buckets of the range that hold no reading, from its beginning to its end.
//!
//! - `none` leaves them out; `null` says that there is nothing; `zero` says 0.
//! - `previous` says what the last bucket with readings said, but not for ever: into the three buckets after it, or as many as begin within
//!   an hour of its end, whichever are more. `linear` draws a line between the buckets around, by when they begin.
//!   Where there is no bucket to go by (before the first, after the last) they say null. Readings outside of the range do not count.
//!
//! Invariant: `count` of a bucket without readings is 0, whatever fills it, so that what is made up can be told from what was read.

use super::buckets::{Agg, RowSink};
use super::error::{QueryError, nearest};
use super::grid::Grid;
use super::number::to_f64;
use crate::limits::{FILL_PREVIOUS_BUCKETS, FILL_PREVIOUS_NS};
use crate::model::{TimeNs, TimeRange, Value, ValueType};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fill {
    #[default]
    None,
    Null,
    Previous,
    Linear,
    Zero,
}

impl Fill {
    pub const ALL: [Self; 5] = [Self::None, Self::Null, Self::Previous, Self::Linear, Self::Zero];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Null => "null",
            Self::Previous => "previous",
            Self::Linear => "linear",
            Self::Zero => "zero",
        }
    }

    pub fn parse(text: &str) -> Result<Self, QueryError> {
        if let Some(fill) = Self::ALL.into_iter().find(|fill| fill.as_str() == text) {
            return Ok(fill);
        }
        let error = QueryError::parameter(format!("fill={text}: expected none, null, previous, linear or zero"));
        Err(match nearest(text, Self::ALL.map(|fill| (fill.as_str(), fill.as_str()))) {
            Some(fill) => error.with_hint(format!("the nearest known one is {fill}")),
            None => error,
        })
    }

    /// Bools and texts have no zero, and nothing lies between two of them. A bucket in which a state holds has a row of its own, so beside
    /// states nothing is made up.
    #[must_use]
    pub fn fits(self, agg: Agg, value_type: ValueType) -> bool {
        if agg == Agg::TimeInState {
            return matches!(self, Self::None | Self::Null);
        }
        value_type == ValueType::Number || agg == Agg::Count || !matches!(self, Self::Linear | Self::Zero)
    }
}

/// Takes the rows of one series in time order and puts those of empty buckets between them.
#[derive(Debug)]
pub struct Filler<'a> {
    fill: Fill,
    grid: &'a Grid,
    aggs: &'a [Agg],
    range: TimeRange,
    /// Where the next bucket begins, or the range.
    next: TimeNs,
    /// The last bucket with readings.
    known: Option<Known>,
    /// How many empty ones came since.
    empty: usize,
    row: Vec<Option<Value>>,
}

#[derive(Debug)]
struct Known {
    start: TimeNs,
    end: TimeNs,
    row: Vec<Option<Value>>,
}

impl<'a> Filler<'a> {
    #[must_use]
    pub fn new(fill: Fill, grid: &'a Grid, aggs: &'a [Agg], range: TimeRange) -> Self {
        Self { fill, grid, aggs, range, next: range.from, known: None, empty: 0, row: Vec::new() }
    }

    /// A bucket with readings. False: the sink wants no more.
    pub fn push(&mut self, start: TimeNs, row: &[Option<Value>], sink: &mut RowSink<'_>) -> bool {
        if self.fill == Fill::None {
            return sink(start, row);
        }
        if !self.empty_until(start, Some((start, row)), sink) || !sink(start, row) {
            return false;
        }
        let end = self.grid.bucket(start.max(self.range.from), self.range).to;
        let mut kept = self.known.take().map(|known| known.row).unwrap_or_default();
        kept.clear();
        kept.extend_from_slice(row);
        self.known = Some(Known { start, end, row: kept });
        (self.next, self.empty) = (end, 0);
        true
    }

    /// To be called after the last row.
    pub fn finish(&mut self, sink: &mut RowSink<'_>) -> bool {
        self.fill == Fill::None || self.empty_until(self.range.to, None, sink)
    }

    fn empty_until(&mut self, until: TimeNs, after: Option<(TimeNs, &[Option<Value>])>, sink: &mut RowSink<'_>) -> bool {
        while self.next < until {
            let bucket = self.grid.bucket(self.next, self.range);
            let mut row = std::mem::take(&mut self.row);
            row.clear();
            row.extend((0..self.aggs.len()).map(|column| self.cell(column, bucket.from, after)));
            self.row = row;
            (self.next, self.empty) = (bucket.to, self.empty + 1);
            if !sink(bucket.from, &self.row) {
                return false;
            }
        }
        true
    }

    fn cell(&self, column: usize, start: TimeNs, after: Option<(TimeNs, &[Option<Value>])>) -> Option<Value> {
        match (self.fill, self.aggs[column]) {
            (_, Agg::Count) => Some(Value::Int(0)),
            // Where a state holds, the bucket is not empty.
            (_, Agg::TimeInState) => None,
            (Fill::None | Fill::Null, _) => None,
            (Fill::Zero, Agg::Mean | Agg::StdDev | Agg::P50 | Agg::P90 | Agg::P99 | Agg::Rate) => Some(Value::Float(0.0)),
            (Fill::Zero, _) => Some(Value::Int(0)),
            (Fill::Previous, _) => {
                let known = self.known.as_ref()?;
                let is_near = self.empty < FILL_PREVIOUS_BUCKETS || start.saturating_sub(known.end) < FILL_PREVIOUS_NS;
                if is_near { known.row[column].clone() } else { None }
            }
            (Fill::Linear, _) => {
                let (known, (after, row)) = (self.known.as_ref()?, after?);
                let (before, behind) = (to_f64(known.row[column].as_ref()?), to_f64(row[column].as_ref()?));
                Some(Value::Float(between(before, behind, part(known.start, start, after))))
            }
        }
    }
}

/// How far on the way from one time to another a third is.
#[expect(clippy::cast_precision_loss, reason = "a part of 1 is asked for, as exactly as a float can say it")]
fn part(from: TimeNs, at: TimeNs, to: TimeNs) -> f64 {
    at.abs_diff(from) as f64 / to.abs_diff(from) as f64
}

fn between(from: f64, to: f64, part: f64) -> f64 {
    let way = to - from;
    // Two numbers may be farther from each other than a float can say.
    if way.is_finite() { from + way * part } else { from * (1.0 - part) + to * part }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::NS_PER_SEC;
    use crate::query::grid::Params;

    type Row = (TimeNs, Vec<Option<Value>>);
    const MINUTE: i64 = 60 * NS_PER_SEC;

    fn filled(fill: Fill, grid: &Grid, aggs: &[Agg], range: TimeRange, rows: &[Row]) -> Vec<Row> {
        let (mut filler, mut found) = (Filler::new(fill, grid, aggs, range), Vec::new());
        let mut sink = |time: TimeNs, row: &[Option<Value>]| {
            found.push((time, row.to_vec()));
            true
        };
        for (start, row) in rows {
            assert!(filler.push(*start, row, &mut sink));
        }
        assert!(filler.finish(&mut sink));
        found
    }

    fn int(value: i64) -> Option<Value> {
        Some(Value::Int(value))
    }

    fn float(value: f64) -> Option<Value> {
        Some(Value::Float(value))
    }

    #[test]
    fn each_fill_as_its_words_say() {
        // Buckets of 10: readings in those at 20 and 50, the range begins within the first and ends within the last.
        let (range, rows) = (TimeRange { from: 5, to: 75 }, [(20, vec![int(4), int(2)]), (50, vec![int(10), int(1)])]);
        let column = |fill| -> Vec<_> {
            let found = filled(fill, &Grid::Fixed(10), &[Agg::Max, Agg::Count], range, &rows);
            let counts: Vec<_> = found.iter().map(|(_, row)| row[1].clone()).collect();
            let starts: Vec<_> = found.iter().map(|(start, _)| *start).collect();
            if fill == Fill::None {
                assert_eq!(starts, [20, 50]);
            } else {
                assert_eq!(starts, [0, 10, 20, 30, 40, 50, 60, 70], "{fill:?}");
                assert_eq!(
                    counts,
                    [int(0), int(0), int(2), int(0), int(0), int(1), int(0), int(0)],
                    "{fill:?}: what is made up has no count"
                );
            }
            found.into_iter().map(|(_, row)| row[0].clone()).collect()
        };
        assert_eq!(column(Fill::None), [int(4), int(10)]);
        assert_eq!(column(Fill::Null), [None, None, int(4), None, None, int(10), None, None]);
        assert_eq!(column(Fill::Zero), [int(0), int(0), int(4), int(0), int(0), int(10), int(0), int(0)]);
        assert_eq!(column(Fill::Previous), [None, None, int(4), int(4), int(4), int(10), int(10), int(10)]);
        assert_eq!(column(Fill::Linear), [None, None, int(4), float(6.0), float(8.0), int(10), None, None]);
    }

    #[test]
    fn beside_states_nothing_is_made_up() {
        let fits = |fill: Fill| fill.fits(Agg::TimeInState, ValueType::Number);
        assert_eq!([Fill::None, Fill::Null, Fill::Previous, Fill::Linear, Fill::Zero].map(fits), [true, true, false, false, false]);
    }

    #[test]
    fn a_series_that_stopped_is_not_drawn_on_for_ever() {
        for (every, expected) in [(MINUTE, 60), (7 * MINUTE, 9), (20 * MINUTE, 3), (60 * MINUTE, 3), (24 * 60 * MINUTE, 3)] {
            let range = TimeRange { from: 0, to: 200 * every };
            let found = filled(Fill::Previous, &Grid::Fixed(every), &[Agg::Last], range, &[(0, vec![int(7)])]);
            assert_eq!(found.len(), 200);
            let carried = found.iter().skip(1).take_while(|(_, row)| row[0] == int(7)).count();
            assert_eq!(carried, expected, "buckets of {} min", every / MINUTE);
            assert!(found[1 + carried..].iter().all(|(_, row)| row[0].is_none()));
        }
    }

    #[test]
    fn a_line_goes_by_time_and_beyond_what_a_difference_can_say() {
        let months = Grid::parse(&Params { every: Some("1mo"), ..Default::default() }).unwrap();
        let day = 86_400 * NS_PER_SEC;
        let range = TimeRange { from: 0, to: 90 * day };
        let found = filled(Fill::Linear, &months, &[Agg::Mean], range, &[(0, vec![float(0.0)]), (59 * day, vec![float(59.0)])]);
        assert_eq!(found.iter().map(|(start, _)| *start / day).collect::<Vec<_>>(), [0, 31, 59]);
        let february = found[1].1[0].as_ref().map_or(0.0, to_f64);
        assert!((february - 31.0).abs() < 1e-9, "{february}: January is longer");
        let range = TimeRange { from: 0, to: 30 };
        let far = [(0, vec![float(-f64::MAX)]), (20, vec![float(f64::MAX)])];
        assert_eq!(filled(Fill::Linear, &Grid::Fixed(10), &[Agg::Mean], range, &far)[1].1, [float(0.0)]);
        let unknown = [(0, vec![None]), (20, vec![float(1.0)])];
        assert_eq!(filled(Fill::Linear, &Grid::Fixed(10), &[Agg::Sum], range, &unknown)[1].1, [None]);
    }

    #[test]
    fn a_series_without_readings_and_a_range_of_nothing() {
        let of = |fill, grid: &Grid, from, to| filled(fill, grid, &[Agg::Count, Agg::Mean], TimeRange { from, to }, &[]);
        assert_eq!(of(Fill::Zero, &Grid::Whole, 5, 8), [(5, vec![int(0), float(0.0)])]);
        assert_eq!(of(Fill::Previous, &Grid::Fixed(10), -5, 5), [(-10, vec![int(0), None]), (0, vec![int(0), None])]);
        for fill in Fill::ALL {
            assert_eq!(of(fill, &Grid::Fixed(10), 5, 5), [], "{fill:?}");
            assert_eq!(of(fill, &Grid::Whole, 5, 5), [], "{fill:?}");
        }
        let every = Grid::Fixed(i64::MAX / 2);
        assert_eq!(of(Fill::Null, &every, i64::MIN, i64::MAX).len() as u64, every.buckets_in(TimeRange::ALL), "to the ends of 64 bits");
    }

    /// Every bucket of the range once and in order, those with rows as they came: by a list of all buckets and a map of rows.
    #[test]
    fn rows_are_kept_and_every_other_bucket_is_told_once() {
        for seed in 0..200 {
            let mut rng = fastrand::Rng::with_seed(seed);
            let zone = rng.choice(["Europe/Berlin", "Asia/Kathmandu", "Australia/Lord_Howe", "Pacific/Apia"]).unwrap();
            let every = rng.choice(["1d", "1w", "1mo", "2h", "17m"]).unwrap();
            let params = Params { every: Some(every), tz: Some(zone), ..Default::default() };
            let grid = Grid::parse(&params).unwrap();
            let from = 1_325_000_000 * NS_PER_SEC + rng.i64(-40_000_000..40_000_000) * NS_PER_SEC;
            let days = if matches!(every, "2h" | "17m") { 4 } else { 100 };
            let range = TimeRange { from, to: from + rng.i64(1..days * 86_400) * NS_PER_SEC };
            let (mut starts, mut at) = (Vec::new(), range.from);
            while at < range.to {
                let bucket = grid.bucket(at, range);
                assert!(bucket.from <= at && at < bucket.to, "seed {seed}");
                starts.push(bucket.from);
                at = bucket.to;
            }
            let density = rng.f64();
            let mut rows: Vec<Row> = Vec::new();
            for start in &starts {
                if rng.f64() < density {
                    rows.push((*start, vec![float(rng.f64())]));
                }
            }
            for fill in Fill::ALL {
                let found = filled(fill, &grid, &[Agg::Mean], range, &rows);
                let expected = if fill == Fill::None { rows.iter().map(|(start, _)| *start).collect() } else { starts.clone() };
                assert_eq!(found.iter().map(|(start, _)| *start).collect::<Vec<_>>(), expected, "seed {seed} {fill:?} {every} {zone}");
                let mut known = rows.iter();
                let mut next = known.next();
                for row in &found {
                    if next.is_some_and(|next| next.0 == row.0) {
                        assert_eq!(Some(row), next, "seed {seed} {fill:?}");
                        next = known.next();
                        continue;
                    }
                    let (before, after) = (rows.iter().rfind(|r| r.0 < row.0), rows.iter().find(|r| r.0 > row.0));
                    match (fill, row.1[0].as_ref().map(to_f64)) {
                        (Fill::None, _) => unreachable!("no row is made up"),
                        (Fill::Null, value) => assert_eq!(value, None),
                        (Fill::Zero, value) => assert_eq!(value, Some(0.0)),
                        (Fill::Previous, value) => assert!(value.is_none() || row.1 == before.unwrap().1, "seed {seed}"),
                        (Fill::Linear, None) => assert!(before.is_none() || after.is_none(), "seed {seed}"),
                        (Fill::Linear, Some(value)) => {
                            let ends = [before, after].map(|row| to_f64(row.unwrap().1[0].as_ref().unwrap()));
                            assert!(ends[0].min(ends[1]) <= value && value <= ends[0].max(ends[1]), "seed {seed}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn a_sink_that_wants_no_more_ends_it() {
        let (grid, range) = (Grid::Fixed(10), TimeRange { from: 0, to: 10_000 });
        let mut filler = Filler::new(Fill::Null, &grid, &[Agg::Mean], range);
        let mut taken = 0;
        assert!(!filler.push(9_990, &[None], &mut |_, _| {
            taken += 1;
            taken < 5
        }));
        assert_eq!(taken, 5);
    }

    #[test]
    fn fills_are_read() {
        assert_eq!(Fill::parse("linear"), Ok(Fill::Linear));
        let error = Fill::parse("prev").unwrap_err();
        assert!(error.message.contains("fill=prev") && error.hint.unwrap().contains("previous"));
        for fill in Fill::ALL {
            assert!(fill.fits(Agg::Count, ValueType::Text) && fill.fits(Agg::Mean, ValueType::Number));
            assert_eq!(fill.fits(Agg::Last, ValueType::Bool), !matches!(fill, Fill::Zero | Fill::Linear));
        }
    }
}
