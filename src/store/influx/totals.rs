//! Aggregates per bucket, made by InfluxDB itself: the query, and what is put together of its parts. The hub says where buckets lie.
//! Each part reads the bucket anew: Flux hands a window to the storage engine only where nothing else uses the same rows.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::rows::Row;
use super::windows::{Stretch, Window};
use crate::model::{TimeNs, TimeRange, Value, ValueType};
use crate::query::buckets::Agg;
use crate::query::summary::Totals;
use crate::store::StoreError;

/// Fewer readings a bucket than this are read as they are: each aggregate would be a row too.
pub(super) const WORTHWHILE: u64 = 4;
/// Buckets, and stretches of them, that one query tells.
pub(super) const BUCKETS_AT_ONCE: u64 = 10_000;
pub(super) const STRETCHES_AT_ONCE: usize = 8;

/// Whether totals tell all of these.
pub(super) fn tell(aggs: &[Agg]) -> bool {
    aggs.iter().all(|agg| Agg::OF_TOTALS.contains(agg))
}

/// The query for stretches of one series; `base` says what stands of it in a range.
pub(super) fn flux(base: impl Fn(TimeRange) -> String, stretches: &[Stretch], aggs: &[Agg]) -> String {
    let mut flux = String::new();
    for (number, Stretch { range, window }) in stretches.iter().enumerate() {
        let base = base(*range);
        for part in parts(aggs) {
            let (made, columns) = match window {
                Some(Window { every, offset }) => {
                    let of = format!("every: {every}ns, offset: {offset}ns, fn: {part}, createEmpty: false, timeSrc: \"_start\"");
                    (format!("aggregateWindow({of})"), "\"_time\", \"_value\"")
                }
                None => (format!("{part}()"), "\"_value\""),
            };
            writeln!(flux, "{base} |> {made} |> keep(columns: [{columns}]) |> yield(name: \"{number}.{part}\")")
                .expect("memory takes every byte");
        }
    }
    flux
}

/// What InfluxDB is asked for: a mean is a sum and a count, so that those of a bucket's parts can be put together.
fn parts(aggs: &[Agg]) -> Vec<&'static str> {
    let mut parts = Vec::new();
    for agg in aggs {
        parts.extend(match agg {
            Agg::Mean => &["sum", "count"][..],
            Agg::Count => &["count"],
            Agg::Sum => &["sum"],
            Agg::Min => &["min"],
            Agg::Max => &["max"],
            Agg::First => &["first"],
            Agg::Last => &["last"],
            // These are made of readings ([`tell`]).
            Agg::StdDev | Agg::P50 | Agg::P90 | Agg::P99 | Agg::Increase | Agg::Rate | Agg::TimeInState => &[],
        });
    }
    parts.sort_unstable();
    parts.dedup();
    parts
}

/// The parts of one answer, by the start of their bucket.
#[derive(Debug)]
pub(super) struct Gathered {
    value_type: ValueType,
    /// Where stretches begin: one that is one bucket is told without a time.
    from: Vec<TimeNs>,
    buckets: BTreeMap<TimeNs, Totals>,
}

impl Gathered {
    pub(super) fn new(value_type: ValueType, stretches: &[Stretch]) -> Self {
        Self { value_type, from: stretches.iter().map(|stretch| stretch.range.from).collect(), buckets: BTreeMap::new() }
    }

    pub(super) fn take(&mut self, row: &Row<'_>) -> Result<(), StoreError> {
        let not_asked = || StoreError::Failed { reason: format!("InfluxDB answered `{}`, which was not asked for", row.result) };
        let (number, part) = row.result.split_once('.').ok_or_else(not_asked)?;
        let from = number.parse().ok().and_then(|number: usize| self.from.get(number)).ok_or_else(not_asked)?;
        let start = row.time.unwrap_or(*from);
        let totals = self.buckets.entry(start).or_insert_with(|| Totals { start, ..Totals::default() });
        match part {
            "count" => totals.count = row.count()?,
            "sum" => totals.sum = Some(row.value(ValueType::Number)?),
            "min" => put(&mut totals.extremes, row.value(ValueType::Number)?, false),
            "max" => put(&mut totals.extremes, row.value(ValueType::Number)?, true),
            "first" => put(&mut totals.ends, row.value(self.value_type)?, false),
            "last" => put(&mut totals.ends, row.value(self.value_type)?, true),
            _ => return Err(not_asked()),
        }
        Ok(())
    }

    pub(super) fn finish(self) -> impl Iterator<Item = Totals> {
        self.buckets.into_values()
    }
}

fn put(pair: &mut Option<(Value, Value)>, value: Value, is_second: bool) {
    *pair = Some(match (pair.take(), is_second) {
        (None, _) => (value.clone(), value),
        (Some((_, second)), false) => (value, second),
        (Some((first, _)), true) => (first, value),
    });
}

/// Whether a sum is beyond what a float can say, so that the readings themselves are to be added up.
pub(super) fn is_beyond(totals: &Totals) -> bool {
    matches!(totals.sum, Some(Value::Float(sum)) if !sum.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::influx::rows::Rows;

    #[test]
    fn each_aggregate_is_asked_for_once() {
        assert_eq!(parts(&Agg::OF_TOTALS), ["count", "first", "last", "max", "min", "sum"]);
        assert_eq!(parts(&[Agg::Mean]), ["count", "sum"]);
        let windows = Stretch { range: TimeRange { from: 1, to: 200 }, window: Some(Window { every: 60, offset: 7 }) };
        let one = Stretch { range: TimeRange { from: 200, to: 300 }, window: None };
        let base = |range: TimeRange| format!("from({})", range.from);
        assert_eq!(
            flux(base, &[windows, one], &[Agg::Max]),
            "from(1) |> aggregateWindow(every: 60ns, offset: 7ns, fn: max, createEmpty: false, timeSrc: \"_start\") \
             |> keep(columns: [\"_time\", \"_value\"]) |> yield(name: \"0.max\")\n\
             from(200) |> max() |> keep(columns: [\"_value\"]) |> yield(name: \"1.max\")\n"
        );
    }

    #[test]
    fn what_totals_do_not_tell_is_made_of_readings() {
        assert!(tell(&Agg::OF_TOTALS));
        for agg in Agg::ALL.into_iter().filter(|agg| !Agg::OF_TOTALS.contains(agg)) {
            assert!(!tell(&[Agg::Mean, agg]) && parts(&[agg]).is_empty(), "{agg:?}");
        }
    }

    #[test]
    fn parts_are_put_together_by_bucket() {
        let answer = ",result,table,_time,_value\n,0.count,0,1970-01-01T00:00:01Z,3\n,0.count,0,1970-01-01T00:00:03Z,1\n\n\
                      ,result,table,_time,_value\n,1.max,0,1970-01-01T00:00:01Z,9.5\n,1.max,0,1970-01-01T00:00:03Z,2\n\n\
                      ,result,table,_time,_value\n,0.sum,0,1970-01-01T00:00:01Z,+Inf\n,0.sum,0,1970-01-01T00:00:03Z,2\n";
        let (mut rows, mut gathered) =
            (Rows::new(), Gathered::new(ValueType::Number, &[Stretch { range: TimeRange::ALL, window: None }; 2]));
        let mut each = |row: Row<'_>| gathered.take(&row);
        for chunk in [answer.as_bytes(), &[]] {
            rows.push(chunk, &mut each).unwrap();
        }
        let found: Vec<_> = gathered.finish().collect();
        let float = |f: f64| Value::Float(f);
        assert_eq!(found.len(), 2);
        assert!(is_beyond(&found[0]) && !is_beyond(&found[1]));
        assert_eq!((found[0].start, found[0].count, &found[0].extremes), (1_000_000_000, 3, &Some((float(9.5), float(9.5)))));
        assert_eq!((found[1].start, found[1].count, &found[1].sum, &found[1].ends), (3_000_000_000, 1, &Some(float(2.0)), &None));
    }
}
