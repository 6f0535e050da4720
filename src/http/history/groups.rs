//! Groups of series in an answer: the rows of each series are gathered, then told as those of one. One group after the other.

use super::plan::Plan;
use super::rows::bucket_rows;
use super::write::{Answer, Broken, flush_if_full, is_wanted};
use crate::http::series::{Described, LabelMap};
use crate::model::Kind;
use crate::query::groups::{Gather, Group};

/// Rows that are put together before it is asked whether somebody still waits for them.
const ASKED_EVERY: usize = 4096;

impl Answer<'_, '_> {
    pub(super) fn group(&mut self, plan: &Plan, group: &Group) -> Result<(), Broken> {
        let Some(grouping) = plan.question.shape.grouping() else { return Ok(()) };
        let mut gather = Gather::new(grouping.together, plan.question.shape.aggs().len());
        let mut added = 0_usize;
        for at in &group.members {
            let rows = bucket_rows(plan, &plan.series[*at], &|| is_wanted(&self.sink), &mut |start, row| {
                gather.add(start, row);
                added += 1;
                // A series of one reading may fill a million buckets.
                !added.is_multiple_of(ASKED_EVERY) || is_wanted(&self.sink)
            })?;
            self.has_gone |= rows.has_gone;
            if !rows.wanted {
                return Err(Broken::ClientGone);
            }
        }
        self.encoder.begin_group(&described(plan, group), group.members.len(), gather.len());
        let told = gather.finish(&mut |start, row| {
            self.encoder.row(start, row);
            flush_if_full(&mut self.encoder, &self.sink)
        });
        if !told {
            return Err(Broken::ClientGone);
        }
        self.encoder.end_series();
        Ok(())
    }
}

/// What its series have in common.
fn described<'a>(plan: &Plan, group: &'a Group) -> Described<'a> {
    let series = || group.members.iter().map(|at| &plan.series[*at].series);
    let first = &plan.series[group.members[0]].series;
    let unit = first.meta().unit.filter(|unit| series().all(|one| one.meta().unit.as_ref() == Some(unit)));
    let kind = Some(first.kind()).filter(|kind| series().all(|one| one.kind() == *kind)).unwrap_or(Kind::Gauge);
    Described { device: &group.key.device, metric: &group.key.metric, labels: LabelMap(&group.key.labels), unit, kind: kind.as_str() }
}
