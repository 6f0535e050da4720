//! `GET history`: readings of a range, whole, thinned or in buckets.
//!
//! plan (what, frozen, within bounds) -> write (series by series) -> encode (bytes), in a blocking thread; `http::stream` moves
//! the chunks to the socket.

mod budget;
mod digits;
pub mod encode;
mod encoder;
pub mod erase;
mod groups;
pub mod plan;
mod points;
mod readings;
mod rows;
pub mod write;

use std::sync::Arc;

use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, web};
use url::form_urlencoded;
use utoipa::ToSchema;

use self::plan::{Plan, Sources};
use super::auth::Reader;
use super::error::{ApiError, ErrorBody};
use super::openapi::forms::KindName;
use super::stream::{self, ChunkSink};
use crate::hub::Hub;
use crate::query::request::{Format, History};

/// Why an answer lacks something, where that is known before it begins: not every format has a place for it at the end.
const INCOMPLETE: HeaderName = HeaderName::from_static("x-telltale-incomplete");

/// The answer as JSON; `msgpack` is the same map.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the shape for the document; the bytes are written as they are read (encode.rs)")]
struct HistoryBody {
    /// Sorted by device, metric, labels.
    series: Vec<HistorySeries>,
    /// Whether `points` was asked for.
    thinned: bool,
    /// `rollup`: some of it was made of rollups, since the readings themselves are not kept any more.
    source: Option<String>,
    /// What is older than this is not kept; only told when `from` is.
    retained_from: Option<serde_json::Value>,
    /// Something of the range cannot be read and is left out.
    incomplete: Option<bool>,
    /// Why; not in MessagePack. What is known before the answer begins is in the header `X-Telltale-Incomplete` too, in every format.
    incomplete_why: Option<String>,
}

#[derive(ToSchema)]
#[expect(dead_code, reason = "as above")]
struct HistorySeries {
    /// With `group` what its series have in common, else empty; so is the metric.
    device: String,
    metric: String,
    labels: std::collections::BTreeMap<String, String>,
    unit: Option<String>,
    #[schema(value_type = KindName)]
    kind: String,
    /// With `group`: of how many series this is one.
    count: Option<u64>,
    /// `time`, then `value` or the aggregates in the order asked.
    columns: Vec<String>,
    /// One array per point, as the columns say.
    points: Vec<Vec<serde_json::Value>>,
}

/// How times are written.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
#[expect(dead_code, reason = "the names for the document; TimeFormat::parse reads them")]
pub(super) enum TimeParam {
    Ms,
    Ns,
    Rfc3339,
}

#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
#[expect(dead_code, reason = "as above; Format reads them")]
pub(super) enum FormatParam {
    Json,
    Csv,
    Ndjson,
    Msgpack,
    Parquet,
}

/// With which day a week begins.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
#[expect(dead_code, reason = "as above; query/grid.rs reads them")]
pub(super) enum WeekdayParam {
    Monday,
    Tuesday,
    Wednesday,
    Thursday,
    Friday,
    Saturday,
    Sunday,
}

/// What is said of empty buckets.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
#[expect(dead_code, reason = "as above; Fill::parse reads them")]
pub(super) enum FillParam {
    None,
    Null,
    Previous,
    Linear,
    Zero,
}

/// What is made of the series of a group.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
#[expect(dead_code, reason = "as above; query/groups.rs reads them")]
pub(super) enum GroupParam {
    Sum,
    Mean,
    Min,
    Max,
}

/// Readings of a range: every one, or thinned to `points` columns, or summed up in buckets.
#[utoipa::path(get, path = "/api/v1/history", tag = "readings",
    params(
        ("select" = Vec<String>, Query, description = "Selector, `DEVICE_GLOB/METRIC_GLOB{label=\"value\",@attribute=\"value\"}`. Several are a union."),
        ("from" = String, Query, description = "Start, inside: RFC 3339, an epoch with unit (`1795396030s`, `ms`, `us`, `ns`), `-1h`, `now`."),
        ("to" = Option<String>, Query, description = "End, outside. Default: now."),
        ("points" = Option<u32>, Query, minimum = 1, maximum = 100000, description = "Thin to this many columns: of each at most its least and greatest reading, and the first and last of the range."),
        ("every" = Option<String>, Query, description = "Buckets: of a length (`10s`, `15m`, `24h`, on multiples since 1970 UTC), or of the calendar of `tz` (`1d`, `1w`, `1mo`, `3mo`, `1y`). Needs `agg`."),
        ("agg" = Option<String>, Query, description = "Any of `mean,min,max,first,last,count,sum,stddev,p50,p90,p99,increase,rate,time_in_state`, several at once; bools and texts have `first,last,count,time_in_state`. `stddev` is that of the population. `p50`, `p90` and `p99` are exact and lie on the line between two readings. `increase` is what a counter grew by since the last reading before the bucket, resets to 0 and rounds of 32 bits counted; `rate` is that a second. `time_in_state` is an object, value to seconds; in CSV its JSON text. Without `every` the range is one bucket."),
        ("tz" = Option<String>, Query, description = "In which time zone days, weeks, months and years begin: `Europe/Berlin`. Default: UTC. Lengths do not depend on it."),
        ("week_start" = Option<WeekdayParam>, Query, description = "With which day the weeks of `every=1w` begin. Default: Monday."),
        ("billing_day" = Option<u32>, Query, minimum = 1, maximum = 28, description = "On which day, 1 to 28, the months of `every=1mo` begin, and years in January. Default: 1."),
        ("fill" = Option<FillParam>, Query, description = "Of buckets without readings, from `from` to `to`: `none` (default) leaves them out, `null`, `zero`, `previous` (carried into three buckets or those within an hour, whichever are more), `linear` (between the buckets around). Their `count` is 0."),
        ("group" = Option<GroupParam>, Query, description = "Makes one series of several: of their values in each bucket the `sum`, `mean`, `min` or `max`, after `fill`; a series without a value does not count. An entry of the answer is a group, with `count` of its series and the names they have in common. Needs `agg`."),
        ("group_by" = Option<String>, Query, description = "Which series are together: those with the same `device`, `metric`, `label.NAME` or `@ATTRIBUTE`, several by comma. Default: all. Needs `group`."),
        ("time" = Option<TimeParam>, Query, description = "`ms` (default, a fraction where the time has one), `ns` (integers) or `rfc3339`."),
        ("received" = Option<bool>, Query, description = "Adds a column `received`: when the hub received the reading, exactly if that was more than a minute after its time, else to within a minute (and as much more as times of the series are ahead of the clock)."),
        ("format" = Option<FormatParam>, Query, description = "`json` (default), `csv`, `ndjson`, `msgpack` or `parquet` (one row a point; columns in ROWS.md, times as timestamps).")),
    responses(
        (status = 200, description = "Streamed. A connection that breaks off means an incomplete answer.",
            content((HistoryBody = "application/json"), (String = "text/csv"), (Vec<serde_json::Value> = "application/x-ndjson"), (HistoryBody = "application/vnd.msgpack"), (Vec<u8> = "application/vnd.apache.parquet")),
            headers(("X-Telltale-Incomplete" = String, description = "What is missing, where that is known before the answer begins."))),
        (status = 400, body = ErrorBody, description = "`bad_selector`, `bad_time` or `bad_parameter`."),
        (status = 422, body = ErrorBody, description = "`too_many_points`."),
        (status = 503, body = ErrorBody, description = "`too_slow` (also where nothing was ready within 60 s), `store_away` or `store_failed`.")))]
pub async fn history(hub: web::Data<Hub>, reader: Reader, request: HttpRequest) -> Result<HttpResponse, ApiError> {
    let pairs: Vec<_> = form_urlencoded::parse(request.query_string().as_bytes()).collect();
    let question = History::parse(pairs.iter().map(|(name, value)| (&**name, &**value)), hub.clock.now())?;
    // Waited for first: who waits takes no place from others.
    let grouped = if question.shape.grouping().is_some() { Some(stream::grouped_place(&hub.grouped_answers).await?) } else { None };
    let place = stream::place(&hub.long_answers).await?;
    let content_type = content_type(question.format);
    let (hub, access) = (hub.into_inner(), reader.0.clone());
    let again = (Arc::clone(&hub), reader.clone());
    let decide = move |is_wanted: &dyn Fn() -> bool| {
        let plan = make_plan(&hub, question, &reader, is_wanted)?;
        let lacks = plan.lacks().and_then(|why| HeaderValue::from_str(&why).ok());
        Ok((plan, lacks))
    };
    let write = move |plan: Plan, sink: &mut ChunkSink<'_>| {
        let _grouped = grouped;
        write::write_or_anew(plan, sink, |question| make_plan(&again.0, question, &again.1, &|| true).ok())
    };
    let (mut answer, lacks) = stream::answer_decided(&request, &access, place, content_type, "history", decide, write).await?;
    if let Some(why) = lacks {
        answer.headers_mut().insert(INCOMPLETE, why);
    }
    Ok(answer)
}

fn make_plan(hub: &Arc<Hub>, question: History, reader: &Reader, is_wanted: &dyn Fn() -> bool) -> Result<Plan, ApiError> {
    let sources = Sources { series: &hub.series, head: &hub.head, store: Some(&hub.store), retention: &hub.retention };
    Ok(Plan::make(question, sources, reader.0.scope(), &*hub.devices, hub.config.limits.history_points, is_wanted)?)
}

fn content_type(format: Format) -> &'static str {
    match format {
        Format::Json => "application/json",
        Format::Csv => "text/csv; charset=utf-8",
        Format::Ndjson => "application/x-ndjson",
        Format::MessagePack => "application/vnd.msgpack",
        #[cfg(feature = "parquet")]
        Format::Parquet => crate::rows::parquet::CONTENT_TYPE,
    }
}

#[cfg(test)]
mod tests;
