//! `GET last`: the newest value of each series by event time, with when it was last heard of and since when it holds.

use actix_web::{HttpRequest, HttpResponse, web};
use utoipa::ToSchema;

use super::auth::Reader;
use super::error::{ApiError, ErrorBody};
use super::history::TimeParam;
use super::history::encode::{put_json, put_time, put_value};
use super::openapi::forms::KindName;
use super::params::Params;
use super::series::Described;
use super::stream::{self, ChunkSink};
use crate::hub::Hub;
use crate::limits::HISTORY_CHUNK_BYTES;
use crate::model::SeriesId;
use crate::query::last;
use crate::query::reach::reachable;
use crate::query::request::parse_selectors;
use crate::query::time::TimeFormat;
use crate::series::Series;

/// Series whose last known values are read under one lock of the head.
const AT_ONCE: usize = 1000;

#[derive(ToSchema)]
#[expect(dead_code, reason = "the shape for the document; the bytes are written as they are read")]
struct LastBody {
    series: Vec<LastSeries>,
}

#[derive(ToSchema)]
#[expect(dead_code, reason = "as above")]
struct LastSeries {
    device: String,
    metric: String,
    labels: std::collections::BTreeMap<String, String>,
    unit: Option<String>,
    #[schema(value_type = KindName)]
    kind: String,
    /// When it was measured: the newest there is. A text with `time=rfc3339`.
    time: serde_json::Value,
    value: serde_json::Value,
    /// When the hub last received a reading of the series, whatever its time.
    seen: serde_json::Value,
    /// When the value became what it is.
    changed: serde_json::Value,
}

/// Last known values.
#[utoipa::path(get, path = "/api/v1/last", tag = "readings",
    params(
        ("select" = Vec<String>, Query, description = "Selector. Several are a union."),
        ("time" = Option<TimeParam>, Query, description = "`ms` (default), `ns` or `rfc3339`: for time, seen and changed.")),
    responses((status = 200, body = LastBody), (status = 400, body = ErrorBody, description = "`bad_selector` or `bad_parameter`.")))]
pub async fn last(hub: web::Data<Hub>, reader: Reader, request: HttpRequest) -> Result<HttpResponse, ApiError> {
    let params = Params::read(&request, &["select", "time"])?;
    let selectors = parse_selectors(&params.all("select"))?;
    let time = params.one("time")?.map(TimeFormat::parse).transpose()?.unwrap_or_default();
    let place = stream::place(&hub.long_answers).await?;
    let (hub, access) = (hub.into_inner(), reader.0.clone());
    Ok(stream::answer(&access, place, "application/json", "last", move |sink| {
        let series = reachable(&hub.series, &selectors, reader.0.scope(), &*hub.devices);
        write(&hub, &series, time, sink)
    }))
}

fn write(hub: &Hub, series: &[std::sync::Arc<Series>], time: TimeFormat, sink: &mut ChunkSink<'_>) -> Result<(), &'static str> {
    let mut out = b"{\"series\":[".to_vec();
    let mut first = true;
    for some in series.chunks(AT_ONCE) {
        let ids: Vec<SeriesId> = some.iter().map(|series| series.id).collect();
        let last = last::settled(&hub.head, Some(hub.store.as_ref()), &ids).map_err(|error| {
            tracing::error!(%error, "last known values could not be settled");
            "the store failed"
        })?;
        for (series, last) in some.iter().zip(last) {
            // A series whose readings were all deleted has none.
            let Some(last) = last else { continue };
            if !std::mem::take(&mut first) {
                out.push(b',');
            }
            put_json(&mut out, &Described::of(series));
            out.pop(); // the closing brace: the map goes on
            for (name, at) in [(",\"time\":", last.time), (",\"seen\":", last.seen), (",\"changed\":", last.changed)] {
                out.extend_from_slice(name.as_bytes());
                put_time(&mut out, time, at);
            }
            out.extend_from_slice(b",\"value\":");
            put_value(&mut out, Some(&last.value));
            out.push(b'}');
            if out.len() >= HISTORY_CHUNK_BYTES && !sink(std::mem::take(&mut out)) {
                return Err("the client went");
            }
        }
    }
    out.extend_from_slice(b"]}");
    if sink(out) { Ok(()) } else { Err("the client went") }
}
