//! What some aggregates ask of an answer beyond its buckets: quantiles need the readings themselves, and room for them; a counter needs
//! the last reading before the range.

use super::plan::{Plan, Planned};
use crate::head::ColumnView;
use crate::model::{SeriesId, TimeNs, TimeRange};
use crate::query::agg::too_full;
use crate::query::buckets::Agg;
use crate::query::error::{QueryCode, QueryError};
use crate::query::request::Shape;
use crate::query::source::{self, Part, Past};
use crate::query::summary::At;
use crate::query::time::rfc3339;
use crate::retention::Retention;
use crate::store::{Coarse, StoreError};

/// Refuses what only readings could answer that are not kept, or of which one bucket has more than `most`.
pub(super) fn check(plan: &Plan, retention: &Retention, most: usize) -> Result<(), QueryError> {
    let Shape::Buckets { grid, aggs, .. } = &plan.question.shape else { return Ok(()) };
    let Some(agg) = aggs.iter().find(|agg| agg.needs_readings()).map(|agg| agg.as_str()) else { return Ok(()) };
    for planned in &plan.series {
        let key = &planned.series.key;
        let floor = retention.floor(&planned.series).map(|floor| floor.min(plan.range().to)).filter(|floor| *floor > plan.range().from);
        if let Some(floor) = floor
            && has_gone(plan, planned, floor)?
        {
            let told: Vec<_> = Agg::ALL.into_iter().filter(|agg| !agg.needs_readings()).map(Agg::as_str).collect();
            let message = format!("agg={agg}: of {key} only rollups are kept before {}", rfc3339(floor));
            return Err(QueryError::parameter(message).with_hint(format!("ask for what is later, or for {}", told.join(", "))));
        }
        if aggs.iter().all(|agg| agg.quantile().is_none()) {
            continue;
        }
        let full = too_full(plan.range(), planned.points, most, &|time| grid.bucket(time, plan.range()), &mut |part| {
            source::count(&planned.view.within(part), plan.past(), planned.series.id, part, usize::MAX)
        })?;
        if let Some(start) = full {
            let message = format!("agg={agg}: the bucket {} of {key} holds more than {most} readings", rfc3339(start));
            return Err(QueryError::new(QueryCode::TooManyPoints, message).with_hint("ask for a shorter every or a shorter range"));
        }
    }
    Ok(())
}

/// Whether some readings before `floor` are not kept any more and rollups of them are. Cheap: few readings lie there.
fn has_gone(plan: &Plan, planned: &Planned, floor: TimeNs) -> Result<bool, StoreError> {
    let range = TimeRange { from: plan.range().from, to: floor };
    let mut has_gone = false;
    source::scan_coarse(&planned.view.within(range), plan.past(), planned.series.id, range, Coarse::WhereGone, &mut |part| {
        has_gone = matches!(part, Part::Summary { is_gone: true, .. });
        !has_gone
    })?;
    Ok(has_gone)
}

/// How many rows or points of an answer are made of rollups alone, exactly up to `enough`: what `count` does not see. Reads no more than
/// the answer will.
pub(super) fn rolled(
    shape: &Shape,
    view: &ColumnView,
    past: Option<Past<'_>>,
    series: SeriesId,
    gone: TimeRange,
    enough: usize,
) -> Result<usize, StoreError> {
    let coarse = match shape {
        _ if gone.from >= gone.to => return Ok(0),
        Shape::Raw => return Ok(0),
        Shape::Thin(_) => Coarse::WhereGone,
        Shape::Buckets { grid, aggs, .. } => Coarse::Buckets { grid, aggs },
    };
    let (mut found, mut end) = (0, TimeNs::MIN);
    source::scan_coarse(&view.within(gone), past, series, gone, coarse, &mut |part| {
        let Part::Summary { summary, is_gone: true } = part else { return true };
        let start = summary.start.max(gone.from);
        match shape {
            // The bucket is counted already.
            Shape::Buckets { .. } if start < end => {}
            Shape::Buckets { grid, .. } => (found, end) = (found + 1, grid.bucket(start, gone).to),
            Shape::Raw | Shape::Thin(_) => found += summary.points().len(),
        }
        found <= enough
    })?;
    Ok(found)
}

/// The last reading before the range, where an aggregate looks back.
pub(super) fn before(plan: &Plan, planned: &Planned) -> Result<Option<At>, StoreError> {
    let Some(earlier) = &planned.earlier else { return Ok(None) };
    source::newest(earlier, plan.past(), planned.series.id, super::plan::before(plan.range()))
}
