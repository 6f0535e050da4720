//! What one row of rollups tells of a series, where it holds in place of readings; layers lie over each other.

use std::ops::Range;
use std::sync::Arc;

use super::Rolled;
use crate::model::{Position, TimeNs, TimeRange};
use crate::query::summary::Summary;

/// Summaries of one row, which hold in place of readings.
pub(super) struct Layer {
    /// Nanoseconds.
    pub(super) level: i64,
    pub(super) seal: Position,
    pub(super) rows: Arc<Rolled>,
    /// The series in these rows, and which of its summaries.
    pub(super) at: usize,
    pub(super) shown: Range<usize>,
    /// There is nothing but these: else what lies between them is told by the next layer.
    pub(super) is_whole: bool,
    /// Readings before this are not kept any more.
    pub(super) gone_until: TimeNs,
    /// Where readings are told instead.
    pub(super) until: TimeNs,
}

impl Layer {
    pub(super) fn summaries(&self) -> &[Summary] {
        &self.rows[self.at].1[self.shown.clone()]
    }

    /// The first reading that it tells of.
    pub(super) fn first(&self) -> TimeNs {
        self.summaries().first().map_or(TimeNs::MAX, |summary| summary.first.0)
    }

    /// What of a range its buckets can tell.
    pub(super) fn covered(&self, range: TimeRange) -> TimeRange {
        let to = range.to.div_euclid(self.level).saturating_mul(self.level);
        TimeRange { from: up(range.from, self.level), to: to.min(self.until) }
    }

    /// What the layer tells of a range, in pieces, each with its summaries.
    pub(super) fn pieces(&self, range: TimeRange) -> Vec<(TimeRange, &[Summary])> {
        let covered = self.covered(range);
        if covered.from >= covered.to {
            return Vec::new();
        }
        let summaries = self.summaries();
        let [from, to] = [covered.from, covered.to].map(|time| summaries.partition_point(|summary| summary.start < time));
        let within = &summaries[from..to];
        if self.is_whole {
            return vec![(covered, within)];
        }
        let end = |summary: &Summary| summary.start.saturating_add(self.level);
        let joined = within.chunk_by(|a, b| end(a) == b.start);
        joined.map(|some| (TimeRange { from: some[0].start, to: end(&some[some.len() - 1]) }, some)).collect()
    }
}

fn up(time: TimeNs, level: i64) -> TimeNs {
    time.div_euclid(level).saturating_add(i64::from(time.rem_euclid(level) != 0)).saturating_mul(level)
}
