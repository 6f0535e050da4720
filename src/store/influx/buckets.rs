//! Buckets of one series: made by InfluxDB where that is less to read, of its readings otherwise.

use super::InfluxStore;
use super::totals::{self, Gathered};
use super::windows::{Stretch, stretches};
use crate::model::{SeriesId, TimeRange};
use crate::query::buckets::Agg;
use crate::query::grid::Grid;
use crate::store::{Piece, PieceSink, Pin, Store as _, StoreError};

impl InfluxStore {
    pub(super) fn scan_buckets(
        &self,
        pin: &Pin,
        series: SeriesId,
        range: TimeRange,
        (grid, aggs): (&Grid, &[Agg]),
        sink: &mut PieceSink<'_>,
    ) -> Result<(), StoreError> {
        let mut left = TimeRange { from: range.from.max(0), ..range };
        if !totals::tell(aggs) || self.count(pin, series, range)? < grid.buckets_in(left).saturating_mul(totals::WORTHWHILE) {
            return self.scan(pin, series, range, &mut |block| sink(Piece::Points(block)));
        }
        while left.from < left.to {
            let asked = stretches(grid, left, totals::STRETCHES_AT_ONCE, totals::BUCKETS_AT_ONCE);
            left.from = asked.last().map_or(left.to, |stretch| stretch.range.to);
            if !self.totals(pin, series, &asked, (grid, aggs), sink)? {
                break;
            }
        }
        Ok(())
    }

    /// The buckets of some stretches, as InfluxDB makes them. Says whether the sink wants more.
    fn totals(
        &self,
        pin: &Pin,
        series: SeriesId,
        asked: &[Stretch],
        (grid, aggs): (&Grid, &[Agg]),
        sink: &mut PieceSink<'_>,
    ) -> Result<bool, StoreError> {
        let Some((measurement, value_type)) = self.named(series) else { return Ok(true) };
        let mut gathered = Gathered::new(value_type, asked);
        let base = |range| self.base(&measurement, series, value_type, range);
        self.ask(totals::flux(base, asked, aggs), &mut |row| {
            gathered.take(&row)?;
            Ok(true)
        })?;
        let end = asked.last().map_or(0, |stretch| stretch.range.to);
        let mut wanted = true;
        for totals in gathered.finish() {
            if totals::is_beyond(&totals) {
                let rest = TimeRange { from: totals.start, to: end };
                let bucket = TimeRange { to: grid.bucket(totals.start, rest).to.min(end), ..rest };
                self.scan(pin, series, bucket, &mut |block| {
                    wanted = sink(Piece::Points(block));
                    wanted
                })?;
            } else {
                wanted = sink(Piece::Totals(&totals));
            }
            if !wanted {
                break;
            }
        }
        Ok(wanted)
    }
}
