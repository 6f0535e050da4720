//! `GET series`, and how a series is described in every answer: the same five fields in history, last and series.

use std::collections::BTreeMap;
use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Serialize, Serializer};
use utoipa::ToSchema;

use super::auth::Reader;
use super::error::{ApiError, ErrorBody};
use super::history::encode::{pack_map, pack_str};
use super::openapi::forms::{KindName, TypeName};
use super::params::{Page, Params};
use super::series_stats::{self, SeriesStats};
use super::stream;
use crate::hub::Hub;
use crate::limits::{STATS_ROWS, STATS_ROWS_MAX};
use crate::model::{Labels, SeriesId, SeriesKey, ValueType};
use crate::query::error::QueryError;
use crate::query::reach::reach;
use crate::query::request::parse_selectors;
use crate::query::selector::Selector;
use crate::query::time::ms_f64;
use crate::series::Series;

/// `{device, metric, labels, unit, kind}`.
#[derive(Debug, Serialize)]
pub struct Described<'a> {
    pub device: &'a str,
    pub metric: &'a str,
    pub labels: LabelMap<'a>,
    #[serde(serialize_with = "shared_text")]
    pub unit: Option<Arc<str>>,
    pub kind: &'static str,
}

#[derive(Clone, Copy, Debug)]
pub struct LabelMap<'a>(pub &'a Labels);

impl Serialize for LabelMap<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter())
    }
}

#[expect(clippy::ref_option, reason = "the signature is serde's")]
fn shared_text<S: Serializer>(text: &Option<Arc<str>>, serializer: S) -> Result<S::Ok, S::Error> {
    text.as_deref().serialize(serializer)
}

impl<'a> Described<'a> {
    #[must_use]
    pub fn of(series: &'a Series) -> Self {
        let (unit, kind) = series.unit_and_kind();
        let SeriesKey { device, metric, labels } = &series.key;
        Self { device, metric, labels: LabelMap(labels), unit, kind: kind.as_str() }
    }

    /// As the beginning of a MessagePack map that `more` entries follow.
    pub fn pack(&self, out: &mut Vec<u8>, more: usize) {
        pack_map(out, 5 + more);
        pack_str(out, "device");
        pack_str(out, self.device);
        pack_str(out, "metric");
        pack_str(out, self.metric);
        pack_str(out, "labels");
        pack_map(out, self.labels.0.len());
        for (name, value) in self.labels.0.iter() {
            pack_str(out, name);
            pack_str(out, value);
        }
        pack_str(out, "unit");
        match &self.unit {
            Some(unit) => pack_str(out, unit),
            None => rmp::encode::write_nil(out).expect("writing to a Vec does not fail"),
        }
        pack_str(out, "kind");
        pack_str(out, self.kind);
    }
}

/// What a row may have besides.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
#[expect(dead_code, reason = "the names for the document; `list` reads them")]
pub(super) enum WithParam {
    Stats,
}

/// A page of series, sorted by device, metric, labels.
#[derive(Debug, Serialize, ToSchema)]
pub struct SeriesBody {
    series: Vec<SeriesRow>,
    /// Give it as `after` for the next page; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct SeriesRow {
    device: String,
    metric: String,
    labels: BTreeMap<String, String>,
    unit: Option<String>,
    #[schema(value_type = KindName)]
    kind: &'static str,
    /// `number`, `bool` or `text`; fixed by the first reading.
    #[serde(rename = "type")]
    #[schema(value_type = TypeName)]
    value_type: &'static str,
    /// The newest reading's time, ms since 1970 UTC; null when all were deleted.
    time: Option<f64>,
    /// When the hub last received a reading of it, ms since 1970 UTC.
    seen: Option<f64>,
    /// With `with=stats`.
    #[serde(skip_serializing_if = "Option::is_none")]
    stats: Option<SeriesStats>,
}

/// The series there are.
#[utoipa::path(get, path = "/api/v1/series", tag = "readings",
    params(
        ("select" = Option<Vec<String>>, Query, description = "Selector; several are a union. Default: all."),
        ("with" = Option<WithParam>, Query, description = "`stats`: how much there is of each series."),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 10000, description = "Rows of a page: 1 to 10000, default 1000; with `with=stats` up to 1000, default 100."),
        ("after" = Option<String>, Query, description = "`next` of the page before.")),
    responses((status = 200, body = SeriesBody), (status = 400, body = ErrorBody, description = "`bad_selector` or `bad_parameter`.")))]
pub async fn list(hub: web::Data<Hub>, reader: Reader, request: HttpRequest) -> Result<HttpResponse, ApiError> {
    let params = Params::read(&request, &["select", "with", "limit", "after"])?;
    let with_stats = match params.one("with")? {
        None => false,
        Some("stats") => true,
        Some(other) => return Err(ApiError::parameter(format!("with={other}: expected stats"))),
    };
    let page = if with_stats { Page::read_within(&params, STATS_ROWS, STATS_ROWS_MAX)? } else { Page::read(&params)? };
    let after = params.one("after")?.map(|text| place(&hub, &reader, text)).transpose()?;
    let selects = params.all("select");
    let selectors = if selects.is_empty() { Vec::new() } else { parse_selectors(&selects)? };
    // Files are read for it, so it takes a place among those who do.
    let busy = if with_stats { Some(stream::place(&hub.long_answers).await?) } else { None };
    let hub = hub.into_inner();
    let body = web::block(move || {
        let _busy = busy;
        rows(&hub, &reader, &selectors, page, after.as_deref(), with_stats)
    });
    Ok(HttpResponse::Ok().json(body.await??))
}

/// `next` is the number of the last series of a page: numbers are never used again, and the order is that of the keys.
/// One that the token does not reach does not exist, as everywhere.
fn place(hub: &Hub, reader: &Reader, text: &str) -> Result<Arc<Series>, ApiError> {
    let series = text.parse().ok().and_then(|id| hub.series.by_id(SeriesId(id)));
    series
        .filter(|series| reader.0.scope().reaches(&series.key, &*hub.devices))
        .ok_or_else(|| ApiError::parameter(format!("after={text}: expected `next` of the page before")))
}

fn rows(
    hub: &Hub,
    reader: &Reader,
    selectors: &[Selector],
    page: Page,
    after: Option<&Series>,
    with_stats: bool,
) -> Result<SeriesBody, QueryError> {
    let is_behind = |series: &Series| after.is_none_or(|after| series.key > after.key);
    let is_reached = reach(selectors, reader.0.scope(), &*hub.devices);
    let found = hub.series.select_first(page.rows() + 1, |series| is_behind(series) && is_reached(series));
    let (shown, next) = page.cut(&found);
    let ids: Vec<_> = shown.iter().map(|series| series.id).collect();
    let last = hub.head.last(&ids).1;
    let mut stats = if with_stats { series_stats::of(hub, &ids)? } else { Vec::new() }.into_iter();
    let row = |(series, last): (&Arc<Series>, Option<crate::head::LastKnown>)| SeriesRow {
        device: series.key.device.to_string(),
        metric: series.key.metric.to_string(),
        labels: series.key.labels.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        unit: series.meta().unit.map(|unit| unit.to_string()),
        kind: series.kind().as_str(),
        value_type: series.value_type().unwrap_or(ValueType::Number).as_str(),
        time: last.as_ref().map(|last| ms_f64(last.time)),
        seen: last.as_ref().map(|last| ms_f64(last.seen)),
        stats: stats.next(),
    };
    Ok(SeriesBody { series: shown.iter().zip(last).map(row).collect(), next: next.map(|series| series.id.0.to_string()) })
}
