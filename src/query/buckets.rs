//! `every=` and `agg=`: one row per bucket that holds a point, or a state where `time_in_state` is asked for. Where buckets lie is in
//! `grid.rs`, what is said of empty ones in `fill.rs`. A bucket is named by its start, also when the range begins inside it; only what
//! is inside the range counts.

use super::agg::Further;
pub use super::agg::{Agg, TIME_IN_STATE};
use super::grid::Grid;
use super::number::{self, Sum};
use super::run::Run;
use super::summary::{At, Summary, Totals};
use crate::model::{TimeNs, TimeRange, Value};

/// Takes a bucket's start and its values in the order of the aggregates; None where there is no such number (a sum beyond f64).
/// False stops.
pub type RowSink<'a> = dyn FnMut(TimeNs, &[Option<Value>]) -> bool + 'a;

/// Makes rows of one series' runs.
#[derive(Debug)]
pub struct Buckets<'a> {
    aggs: &'a [Agg],
    grid: &'a Grid,
    range: TimeRange,
    needs: Needs,
    open: Option<Open>,
    further: Further,
    /// Where the bucket after those that were told begins, or later within it.
    next: TimeNs,
    /// No state holds beyond, since it is not known yet.
    until: TimeNs,
    row: Vec<Option<Value>>,
}

#[derive(Clone, Copy, Debug)]
struct Needs {
    sum: bool,
    extremes: bool,
    ends: bool,
}

#[derive(Debug)]
struct Open {
    start: TimeNs,
    end: TimeNs,
    count: u64,
    sum: Sum,
    /// A part of it is not told: its readings are gone, and their sum was beyond what a float can say.
    lacks_sum: bool,
    /// Least and greatest.
    extremes: Option<(Value, Value)>,
    /// First and last.
    ends: Option<(Value, Value)>,
}

impl<'a> Buckets<'a> {
    #[must_use]
    pub fn new(aggs: &'a [Agg], grid: &'a Grid, range: TimeRange) -> Self {
        let any = |wanted: &[Agg]| aggs.iter().any(|agg| wanted.contains(agg));
        let needs = Needs { sum: any(&[Agg::Sum, Agg::Mean]), extremes: any(&[Agg::Min, Agg::Max]), ends: any(&[Agg::First, Agg::Last]) };
        Self {
            aggs,
            grid,
            range,
            needs,
            open: None,
            further: Further::of(aggs, range.from),
            next: range.from,
            until: range.to,
            row: Vec::new(),
        }
    }

    /// The last reading before the range: what a counter grew by since belongs to the first bucket.
    pub fn begin_after(&mut self, before: At) {
        self.further.begin_after(before);
    }

    /// What time it is: where the range goes on beyond, nothing is known.
    #[must_use]
    pub fn known_until(mut self, now: TimeNs) -> Self {
        self.until = now.min(self.range.to);
        self.further.known_until(self.until);
        self
    }

    /// Runs come in time order. Says whether the sink wants more.
    pub fn push(&mut self, mut run: Run<'_>, sink: &mut RowSink<'_>) -> bool {
        while !run.is_empty() {
            let time = run.time(0);
            if !self.come_to(time, sink) {
                return false;
            }
            let (grid, range) = (self.grid, self.range);
            let open = self.open.get_or_insert_with(|| Open::at(time, grid, range));
            let (inside, rest) = run.split_before(open.end);
            open.add(&inside, self.needs);
            self.further.add(&inside);
            run = rest;
        }
        true
    }

    /// In place of its points, whose stretch lies within one bucket.
    pub fn push_summary(&mut self, summary: &Summary, sink: &mut RowSink<'_>) -> bool {
        let is_wanted = self.bucket_of(summary.start, sink).is_some_and(|open| {
            open.add_summary(summary);
            true
        });
        if is_wanted {
            self.further.add_summary(summary);
        }
        is_wanted
    }

    /// In place of the points of a bucket, or of a part of it.
    pub fn push_totals(&mut self, totals: &Totals, sink: &mut RowSink<'_>) -> bool {
        self.bucket_of(totals.start, sink).is_some_and(|open| {
            open.add_totals(totals);
            true
        })
    }

    /// None: the sink wants no more.
    fn bucket_of(&mut self, time: TimeNs, sink: &mut RowSink<'_>) -> Option<&mut Open> {
        let time = time.max(self.range.from);
        if !self.come_to(time, sink) {
            return None;
        }
        let (grid, range) = (self.grid, self.range);
        Some(self.open.get_or_insert_with(|| Open::at(time, grid, range)))
    }

    /// Rows of the buckets before the one that a time lies in.
    fn come_to(&mut self, time: TimeNs, sink: &mut RowSink<'_>) -> bool {
        if self.open.as_ref().is_some_and(|open| time < open.end) {
            return true;
        }
        if !self.close(sink) {
            return false;
        }
        while self.next < self.until && self.further.hold_at(self.next) {
            let open = Open::at(self.next, self.grid, self.range);
            if time < open.end {
                break;
            }
            self.open = Some(open);
            if !self.close(sink) {
                return false;
            }
        }
        true
    }

    /// The last rows. To be called after the last run.
    pub fn finish(&mut self, sink: &mut RowSink<'_>) -> bool {
        let mut wanted = self.close(sink);
        while wanted && self.next < self.until && self.further.hold_at(self.next) {
            self.open = Some(Open::at(self.next, self.grid, self.range));
            wanted = self.close(sink);
        }
        wanted
    }

    /// The open bucket's row, if there is one.
    fn close(&mut self, sink: &mut RowSink<'_>) -> bool {
        let Some(open) = self.open.take() else {
            return true;
        };
        self.further.pass(open.end.min(self.until));
        self.next = open.end;
        self.row.clear();
        self.row.extend(self.aggs.iter().map(|agg| open.value(*agg).or_else(|| self.further.value(*agg))));
        self.further.close();
        sink(open.start, &self.row)
    }
}

impl Open {
    fn at(time: TimeNs, grid: &Grid, range: TimeRange) -> Self {
        let TimeRange { from: start, to: end } = grid.bucket(time, range);
        Self { start, end, count: 0, sum: Sum::default(), lacks_sum: false, extremes: None, ends: None }
    }

    fn add(&mut self, run: &Run<'_>, needs: Needs) {
        self.count += run.len() as u64;
        if needs.ends {
            let last = run.value(run.len() - 1);
            let first = self.ends.take().map_or_else(|| run.value(0), |(first, _)| first);
            self.ends = Some((first, last));
        }
        if needs.sum {
            self.sum.add(run);
        }
        if needs.extremes {
            let (low, high) = number::extremes(run);
            self.widen(run.value(low), run.value(high));
        }
    }

    fn add_summary(&mut self, summary: &Summary) {
        self.count += summary.count;
        let first = self.ends.take().map_or_else(|| summary.first.1.clone(), |(first, _)| first);
        self.ends = Some((first, summary.last.1.clone()));
        if let Some(numbers) = &summary.numbers {
            self.lacks_sum |= !numbers.has_sum();
            self.sum.add_total(&numbers.sum);
            self.widen(numbers.least.1.clone(), numbers.greatest.1.clone());
        }
    }

    fn add_totals(&mut self, totals: &Totals) {
        self.count += totals.count;
        if let Some((first, last)) = &totals.ends {
            let first = self.ends.take().map_or_else(|| first.clone(), |(first, _)| first);
            self.ends = Some((first, last.clone()));
        }
        if let Some(sum) = &totals.sum {
            self.sum.add_total(sum);
        }
        if let Some((least, greatest)) = &totals.extremes {
            self.widen(least.clone(), greatest.clone());
        }
    }

    fn widen(&mut self, low: Value, high: Value) {
        self.extremes = Some(match self.extremes.take() {
            None => (low, high),
            Some((least, greatest)) => (
                if number::compare(&low, &least).is_lt() { low } else { least },
                if number::compare(&high, &greatest).is_gt() { high } else { greatest },
            ),
        });
    }

    fn value(&self, agg: Agg) -> Option<Value> {
        match agg {
            Agg::Count => Some(Value::Int(i64::try_from(self.count).unwrap_or(i64::MAX))),
            Agg::Mean | Agg::Sum if self.lacks_sum => None,
            // Where a state holds there may be no reading.
            Agg::Mean => (self.count > 0).then(|| Value::Float(self.sum.mean(self.count))),
            Agg::Min => self.extremes.as_ref().map(|(low, _)| low.clone()),
            Agg::Max => self.extremes.as_ref().map(|(_, high)| high.clone()),
            Agg::First => self.ends.as_ref().map(|(first, _)| first.clone()),
            Agg::Last => self.ends.as_ref().map(|(_, last)| last.clone()),
            Agg::Sum => self.sum.total(),
            Agg::StdDev | Agg::P50 | Agg::P90 | Agg::P99 | Agg::Increase | Agg::Rate | Agg::TimeInState => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::NS_PER_SEC;
    use crate::model::ValueType;

    type Row = (TimeNs, Vec<Option<Value>>);

    fn rows(points: &[(TimeNs, Value)], aggs: &[Agg], every: Option<i64>, range: TimeRange, rng: &mut fastrand::Rng) -> Vec<Row> {
        let grid = Grid::from(every);
        let (mut buckets, mut found) = (Buckets::new(aggs, &grid, range), Vec::new());
        let mut sink = |time: TimeNs, row: &[Option<Value>]| {
            found.push((time, row.to_vec()));
            true
        };
        let mut rest = points;
        while !rest.is_empty() {
            let (run, after) = rest.split_at(rng.usize(1..=rest.len().min(400)));
            assert!(buckets.push(Run::of_pairs(run), &mut sink));
            rest = after;
        }
        assert!(buckets.finish(&mut sink));
        found
    }

    /// Each bucket on its own, by the words of the contract.
    fn by_definition(points: &[(TimeNs, Value)], every: i64) -> Vec<(TimeNs, Vec<&(TimeNs, Value)>)> {
        let mut groups: std::collections::BTreeMap<TimeNs, Vec<&(TimeNs, Value)>> = std::collections::BTreeMap::new();
        for point in points {
            let mut start = point.0 - point.0 % every;
            if start > point.0 {
                start -= every;
            }
            groups.entry(start).or_default().push(point);
        }
        groups.into_iter().collect()
    }

    #[test]
    fn buckets_agree_with_the_definition() {
        for seed in 0..60 {
            let mut rng = fastrand::Rng::with_seed(seed);
            let mut time = rng.i64(0..1_000);
            let points: Vec<_> = (0..rng.usize(1..3_000))
                .map(|_| {
                    time += rng.i64(1..rng.clone().i64(2..2_000));
                    let value = if rng.u8(..) < 128 { Value::Int(rng.i64(-1000..1000)) } else { Value::Float(rng.f64() * 100.0) };
                    (time, value)
                })
                .collect();
            let every = rng.i64(1..20_000);
            let found = rows(&points, &Agg::OF_TOTALS, Some(every), TimeRange::ALL, &mut rng);
            let expected = by_definition(&points, every);
            assert_eq!(found.iter().map(|(t, _)| *t).collect::<Vec<_>>(), expected.iter().map(|(t, _)| *t).collect::<Vec<_>>(), "{seed}");
            for ((start, row), (_, group)) in found.iter().zip(&expected) {
                check_row(row, group, &format!("seed {seed}, bucket {start}"));
            }
        }
    }

    fn check_row(row: &[Option<Value>], group: &[&(TimeNs, Value)], place: &str) {
        let floats: Vec<f64> = group.iter().map(|(_, v)| v.as_f64().unwrap()).collect();
        let sum: f64 = floats.iter().sum();
        let as_f64 = |i: usize| row[i].as_ref().unwrap().as_f64().unwrap();
        assert!((as_f64(0) - sum / floats.len() as f64).abs() < 1e-9 * (1.0 + sum.abs()), "mean, {place}");
        assert!((as_f64(6) - sum).abs() < 1e-9 * (1.0 + sum.abs()), "sum, {place}");
        let mut sorted: Vec<&Value> = group.iter().map(|(_, v)| v).collect();
        sorted.sort_by(|a, b| number::compare(a, b));
        assert_eq!(row[1].as_ref(), Some(sorted[0]), "min, {place}");
        assert_eq!(row[2].as_ref(), sorted.last().copied(), "max, {place}");
        assert_eq!(row[3].as_ref(), Some(&group[0].1), "first, {place}");
        assert_eq!(row[4].as_ref(), group.last().map(|(_, v)| v), "last, {place}");
        assert_eq!(row[5], Some(Value::Int(group.len() as i64)), "count, {place}");
    }

    #[test]
    fn columns_give_what_pairs_give() {
        use crate::head::Head;
        use crate::model::{BatchPart, Commit, Position, Reading, SeriesId};
        for seed in 0..20 {
            let mut rng = fastrand::Rng::with_seed(seed);
            let int = rng.bool();
            let points: Vec<_> = (0..5_000_i64)
                .map(|t| (t * 10, if int { Value::Int(rng.i64(-9..9)) } else { Value::Float(f64::from(rng.i32(-9..9)) / 4.0) }))
                .collect();
            let readings: Vec<_> =
                points.iter().map(|(time, value)| Reading { series: SeriesId(0), time: *time, value: value.clone() }).collect();
            let head = Head::default();
            let parts = vec![BatchPart { agent: None, received: 0, end: readings.len() }];
            head.apply(&Commit { position: Position(1), parts, readings, ..Commit::default() }, &[], || ());
            let view = head.view(&[SeriesId(0)], TimeRange::ALL).columns.remove(0);
            let every = Some(rng.i64(1..30_000));
            // A deviation is put together of runs, to rounding.
            let aggs: Vec<_> = Agg::ALL.into_iter().filter(|agg| agg.fits(ValueType::Number) && *agg != Agg::StdDev).collect();
            let grid = Grid::from(every);
            let (mut buckets, mut found) = (Buckets::new(&aggs, &grid, TimeRange::ALL), Vec::<Row>::new());
            let mut sink = |time: TimeNs, row: &[Option<Value>]| {
                found.push((time, row.to_vec()));
                true
            };
            for (block, range) in view.pieces() {
                buckets.push(Run::of_block(block, range), &mut sink);
            }
            buckets.finish(&mut sink);
            assert_eq!(found, rows(&points, &aggs, every, TimeRange::ALL, &mut rng), "seed {seed}");
            let least = found[0].1[1].as_ref().unwrap();
            assert_eq!(matches!(least, Value::Int(_)), int, "min keeps the type of the value it is");
        }
    }

    #[test]
    fn types_of_sum_and_names_of_buckets() {
        let rng = &mut fastrand::Rng::with_seed(1);
        let one = |points: &[(TimeNs, Value)], agg, every, range, rng: &mut fastrand::Rng| rows(points, &[agg], every, range, rng);
        let whole = TimeRange { from: 5, to: 1_000 };
        let ints = [(7, Value::Int(i64::MAX)), (8, Value::Int(-1))];
        assert_eq!(one(&ints, Agg::Sum, None, whole, rng), [(5, vec![Some(Value::Int(i64::MAX - 1))])], "the one bucket is named by from");
        let beyond = [(7, Value::Int(i64::MAX)), (8, Value::Int(1))];
        assert!(matches!(one(&beyond, Agg::Sum, None, whole, rng)[0].1[0], Some(Value::Float(f)) if f > 9.2e18));
        let day = 86_400 * NS_PER_SEC;
        let late = [(3 * day + 5, Value::Bool(true))];
        let range = TimeRange { from: 3 * day + 1, to: 4 * day };
        assert_eq!(
            one(&late, Agg::Last, Some(day), range, rng),
            [(3 * day, vec![Some(Value::Bool(true))])],
            "a bucket begins before the range"
        );
        let early = [(-5, Value::Int(1))];
        assert_eq!(one(&early, Agg::Count, Some(10), TimeRange::ALL, rng), [(-10, vec![Some(Value::Int(1))])]);
        for extreme in [i64::MIN, i64::MAX - 1] {
            assert_eq!(one(&[(extreme, Value::Int(1))], Agg::Count, Some(day), TimeRange::ALL, rng).len(), 1);
        }
        assert!(one(&[], Agg::Count, Some(10), whole, rng).is_empty(), "empty buckets are left out");
    }

    #[test]
    fn aggregates_are_read() {
        assert_eq!(Agg::parse_list("max,mean").unwrap(), [Agg::Max, Agg::Mean]);
        for text in ["", "mean,", "average", "mean,mean", "MEAN"] {
            let error = Agg::parse_list(text).unwrap_err();
            assert!(error.message.contains("none of mean") || error.message.contains("twice"), "{error}");
        }
    }
}
