//! The rows of one series in buckets: read from head and store, summed up, filled. What an answer tells of a series, and what a group of
//! them is made of.

use super::plan::{Plan, Planned};
use super::readings;
use crate::query::buckets::{Buckets, RowSink};
use crate::query::fill::Filler;
use crate::query::request::Shape;
use crate::query::source::{self, Part};
use crate::store::{Coarse, StoreError};

/// How the rows went.
#[derive(Clone, Copy, Debug)]
pub(super) struct Told {
    /// Whether the sink wanted them all.
    pub(super) wanted: bool,
    /// Whether some were made of rollups, since the readings are not kept any more.
    pub(super) has_gone: bool,
}

/// Nothing unless the question asks for buckets. A bucket may be of any number of readings: `is_wanted` is asked while they are read.
pub(super) fn bucket_rows(
    plan: &Plan,
    planned: &Planned,
    is_wanted: &dyn Fn() -> bool,
    sink: &mut RowSink<'_>,
) -> Result<Told, StoreError> {
    let mut told = Told { wanted: true, has_gone: false };
    let Shape::Buckets { grid, aggs, fill, .. } = &plan.question.shape else { return Ok(told) };
    let range = plan.range();
    let mut buckets = Buckets::new(aggs, grid, range).known_until(plan.question.now);
    if let Some(before) = readings::before(plan, planned)? {
        buckets.begin_after(before);
    }
    let mut filler = Filler::new(*fill, grid, aggs, range);
    let mut row = |time, row: &[_]| filler.push(time, row, sink);
    let coarse = Coarse::Buckets { grid, aggs };
    source::scan_coarse(&planned.view, plan.past(), planned.series.id, range, coarse, &mut |part| {
        told.has_gone |= matches!(part, Part::Summary { is_gone: true, .. });
        told.wanted = match part {
            Part::Run(run) => buckets.push(run, &mut row),
            Part::Summary { summary, .. } => buckets.push_summary(summary, &mut row),
            Part::Totals(totals) => buckets.push_totals(totals, &mut row),
        };
        told.wanted = told.wanted && is_wanted();
        told.wanted
    })?;
    told.wanted = told.wanted && buckets.finish(&mut row) && filler.finish(sink);
    Ok(told)
}
