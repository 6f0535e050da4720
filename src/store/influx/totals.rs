//! Aggregates per bucket, made by InfluxDB itself: the query, and what is put together of its parts. The hub says where buckets lie.
//! Each part reads the bucket anew: Flux hands a window to the storage engine only where nothing else uses the same rows.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::rows::Row;
use crate::model::{TimeNs, Value, ValueType};
use crate::query::buckets::Agg;
use crate::query::summary::Totals;
use crate::store::StoreError;

/// Fewer readings a bucket than this are read as they are: each aggregate would be a row too.
pub(super) const WORTHWHILE: u64 = 4;
/// Buckets that one query tells.
pub(super) const AT_ONCE: i64 = 10_000;

/// Whether totals tell all of these.
pub(super) fn tell(aggs: &[Agg]) -> bool {
    aggs.iter().all(|agg| Agg::OF_TOTALS.contains(agg))
}

/// The query for `base`, which is one series over one range.
pub(super) fn flux(base: &str, every: Option<i64>, aggs: &[Agg]) -> String {
    let mut flux = String::new();
    for part in parts(aggs) {
        let window = match every {
            Some(every) => format!("aggregateWindow(every: {every}ns, fn: {part}, createEmpty: false, timeSrc: \"_start\")"),
            None => format!("{part}()"),
        };
        let columns = if every.is_some() { "\"_time\", \"_value\"" } else { "\"_value\"" };
        writeln!(flux, "{base} |> {window} |> keep(columns: [{columns}]) |> yield(name: \"{part}\")").expect("memory takes every byte");
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
    /// Where the bucket begins that is told without a time.
    from: TimeNs,
    buckets: BTreeMap<TimeNs, Totals>,
}

impl Gathered {
    pub(super) fn new(value_type: ValueType, from: TimeNs) -> Self {
        Self { value_type, from, buckets: BTreeMap::new() }
    }

    pub(super) fn take(&mut self, row: &Row<'_>) -> Result<(), StoreError> {
        let start = row.time.unwrap_or(self.from);
        let totals = self.buckets.entry(start).or_insert_with(|| Totals { start, ..Totals::default() });
        match row.result {
            "count" => totals.count = row.count()?,
            "sum" => totals.sum = Some(row.value(ValueType::Number)?),
            "min" => put(&mut totals.extremes, row.value(ValueType::Number)?, false),
            "max" => put(&mut totals.extremes, row.value(ValueType::Number)?, true),
            "first" => put(&mut totals.ends, row.value(self.value_type)?, false),
            "last" => put(&mut totals.ends, row.value(self.value_type)?, true),
            other => return Err(StoreError::Failed { reason: format!("InfluxDB answered `{other}`, which was not asked for") }),
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
        let asked = flux("from(x)", Some(60), &[Agg::Max]);
        assert_eq!(
            asked,
            "from(x) |> aggregateWindow(every: 60ns, fn: max, createEmpty: false, timeSrc: \"_start\") |> keep(columns: [\"_time\", \"_value\"]) |> yield(name: \"max\")\n"
        );
        assert_eq!(flux("from(x)", None, &[Agg::Count]), "from(x) |> count() |> keep(columns: [\"_value\"]) |> yield(name: \"count\")\n");
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
        let answer = ",result,table,_time,_value\n,count,0,1970-01-01T00:00:01Z,3\n,count,0,1970-01-01T00:00:03Z,1\n\n\
                      ,result,table,_time,_value\n,max,0,1970-01-01T00:00:01Z,9.5\n,max,0,1970-01-01T00:00:03Z,2\n\n\
                      ,result,table,_time,_value\n,sum,0,1970-01-01T00:00:01Z,+Inf\n,sum,0,1970-01-01T00:00:03Z,2\n";
        let (mut rows, mut gathered) = (Rows::new(), Gathered::new(ValueType::Number, 0));
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
