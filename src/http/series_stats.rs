//! How much there is of each series: `GET series?with=stats`. Counted by what stands beside the values, in files and in memory. Where rows
//! overlap or a delete is not applied yet, the series' readings are counted one by one, up to a bound for all series of a page.

use serde::Serialize;
use utoipa::ToSchema;

use crate::head::ColumnView;
use crate::hub::Hub;
use crate::limits::HISTORY_POINTS;
use crate::model::{SeriesId, TimeNs, TimeRange};
use crate::query::error::QueryError;
use crate::query::source::{self, Past};
use crate::query::time::ms_f64;
use crate::store::Extent;

/// How much there is of a series. Null is what is not known without reading it all.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct SeriesStats {
    /// Null with InfluxDB as the store, and where more than 20,000,000 would have to be read to count those of the page.
    readings: Option<u64>,
    /// Times of the first reading and the last, ms since 1970 UTC; null without readings.
    first: Option<f64>,
    last: Option<f64>,
    /// In the store's files; of what it shares with others its share by readings, without rollups and without time columns that are
    /// shared. Null with InfluxDB.
    bytes: Option<u64>,
    /// Of its readings, those that are in memory and in the log alone yet.
    waiting: u64,
    /// Some of it cannot be read and is not counted.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    incomplete: bool,
}

/// In the order of `ids`. Blocking: files are read.
pub(super) fn of(hub: &Hub, ids: &[SeriesId]) -> Result<Vec<SeriesStats>, QueryError> {
    within(hub, ids, HISTORY_POINTS)
}

/// The same, with so many readings to be read for all of them.
fn within(hub: &Hub, ids: &[SeriesId], budget: usize) -> Result<Vec<SeriesStats>, QueryError> {
    let frozen = hub.head.view(ids, TimeRange::ALL);
    let extents = hub.store.extents(&frozen.pin, ids)?;
    let past = Past { store: &*hub.store, pin: &frozen.pin };
    let mut all = Vec::with_capacity(ids.len());
    let mut left = budget;
    for (i, (id, view)) in ids.iter().zip(&frozen.columns).enumerate() {
        let mut stats = SeriesStats { waiting: view.points() as u64, ..SeriesStats::default() };
        if let Some(extent) = extents.as_ref().map(|extents| extents[i]) {
            let (readings, span) = match told(view, &extent) {
                Some(told) => told,
                None => counted(view, past, *id, &mut left)?,
            };
            stats = SeriesStats {
                readings,
                first: span.map(|(first, _)| ms_f64(first)),
                last: span.map(|(_, last)| ms_f64(last)),
                bytes: Some(extent.bytes),
                incomplete: hub.store.is_damaged(*id, TimeRange::ALL),
                ..stats
            };
        }
        all.push(stats);
    }
    Ok(all)
}

type Told = (Option<u64>, Option<(TimeNs, TimeNs)>);

/// Readings, first and last, where what lies in files and what lies in memory do not touch.
fn told(view: &ColumnView, extent: &Extent) -> Option<Told> {
    let head = view.first_time().zip(view.newest().map(|(time, _)| time));
    if extent.is_unclear || (!view.hidden().is_empty() && extent.points > 0) {
        return None;
    }
    let span = match (extent.span, head) {
        (Some((_, last)), Some((first, _))) if first <= last => return None,
        (Some((first, _)), Some((_, last))) => Some((first, last)),
        (stored, head) => stored.or(head),
    };
    Some((Some(extent.points + view.points() as u64), span))
}

/// The same, by reading; `left` is what may be read for all series of the page.
fn counted(view: &ColumnView, past: Past<'_>, id: SeriesId, left: &mut usize) -> Result<Told, QueryError> {
    let (mut points, mut span) = (0, None);
    let all = source::scan(view, Some(past), id, TimeRange::ALL, &mut |run| {
        let first = span.map_or(run.time(0), |(first, _)| first);
        span = Some((first, run.time(run.len() - 1)));
        points += run.len();
        points <= *left
    })?;
    *left = left.saturating_sub(points);
    if all {
        return Ok((Some(points as u64), span));
    }
    let newest = source::newest(view, Some(past), id, TimeRange::ALL)?;
    Ok((None, span.zip(newest).map(|((first, _), (last, _))| (first, last))))
}

#[cfg(test)]
#[path = "series_stats_tests.rs"]
mod tests;
