//! `GET export`: every reading of a selection as lines of text (`src/rows`), for `POST import` and for other programs.
//!
//! Invariant: an export is whole or refused. What is known to be missing is said before the first byte; an error after it breaks the
//! connection. Who asks for it gets what can be read, and is told what is left out.

use std::sync::Arc;

use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, web};
use utoipa::ToSchema;

use super::auth::Reader;
use super::error::{ApiError, ErrorBody, ErrorCode};
use super::history::plan::{Plan, Sources};
use super::history::write::Broken;
use super::params::Params;
use super::stream::{self, ChunkSink, send};
use crate::auth::access::Scope;
use crate::hub::Hub;
use crate::limits::HISTORY_CHUNK_BYTES;
use crate::model::{TimeNs, TimeRange};
use crate::query::error::{QueryCode, QueryError};
use crate::query::request::{Format, History, Shape, parse_selectors};
use crate::query::run::Run;
use crate::query::source;
use crate::query::time::{TimeFormat, parse_time};
use crate::rows::RowFormat;
use crate::rows::write::{Told, Writer, unsayable};

/// How many readings the answer holds, for those who show how far it is.
pub const READINGS: HeaderName = HeaderName::from_static("x-telltale-readings");

/// What was left out of an export for damage: a list of texts, as JSON.
pub const LEFT_OUT: HeaderName = HeaderName::from_static("x-telltale-left-out");
const LEAVES_OUT: &str = "skip_damaged=true (--skip-damaged) leaves it out";
/// Of that header, about.
const LEFT_OUT_BYTES: usize = 4 << 10;

/// The forms of exports and imports.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
#[expect(dead_code, reason = "the names for the document; RowFormat::parse reads them")]
pub(super) enum RowFormatParam {
    Csv,
    Ndjson,
    Lp,
    Parquet,
}

/// What to export, as query parameters write it.
#[derive(Clone, Debug)]
pub struct Wish {
    pub select: Vec<String>,
    /// None: since the first reading.
    pub from: Option<String>,
    /// None: up to the last.
    pub to: Option<String>,
    pub format: RowFormat,
    /// What cannot be read for damage is left out.
    pub skip_damaged: bool,
}

impl Wish {
    fn read(params: &Params) -> Result<Self, ApiError> {
        let text = |name| params.one(name).map(|text| text.map(str::to_owned));
        let select = params.all("select").into_iter().map(str::to_owned).collect();
        let format = params.one("format")?.map_or(Ok(RowFormat::Csv), RowFormat::parse)?;
        let skip_damaged = match params.one("skip_damaged")? {
            None | Some("false") => false,
            Some("true") => true,
            Some(other) => return Err(ApiError::parameter(format!("skip_damaged={other}: expected true or false"))),
        };
        Ok(Self { select, from: text("from")?, to: text("to")?, format, skip_damaged })
    }

    fn question(&self, now: TimeNs) -> Result<History, QueryError> {
        let end = |name, text: Option<&String>, default| text.map_or(Ok(default), |text| parse_time(name, text, now));
        let all = TimeRange::ALL;
        let range = TimeRange { from: end("from", self.from.as_ref(), all.from)?, to: end("to", self.to.as_ref(), all.to)? };
        if range.to < range.from {
            return Err(QueryError::new(QueryCode::BadTime, "to is before from"));
        }
        let select: Vec<&str> = self.select.iter().map(String::as_str).collect();
        Ok(History {
            selectors: parse_selectors(&select)?,
            range,
            shape: Shape::Raw,
            time: TimeFormat::Ns,
            format: Format::default(),
            received: false,
            now,
        })
    }
}

/// Every reading of a selection, for `POST import` and other programs. Of any length; sorted by device, metric, labels, then time.
#[utoipa::path(get, path = "/api/v1/export", tag = "readings",
    params(
        ("select" = Vec<String>, Query, description = "Selector. Several are a union."),
        ("from" = Option<String>, Query, description = "Start, inside, as for history. Default: the first reading."),
        ("to" = Option<String>, Query, description = "End, outside. Default: beyond the last reading."),
        ("format" = Option<RowFormatParam>, Query, description = "`csv` (default), `ndjson`, `lp` (line protocol) or `parquet`."),
        ("skip_damaged" = Option<bool>, Query, description = "`true`: what cannot be read for damage is left out, and `X-Telltale-Left-Out` names it. Default: such an export is refused, or breaks off.")),
    responses(
        (status = 200, description = "Streamed. A connection that breaks off means an incomplete answer.",
            content((String = "text/csv"), (Vec<serde_json::Value> = "application/x-ndjson"), (String = "text/plain"), (Vec<u8> = "application/vnd.apache.parquet")),
            headers(("X-Telltale-Readings" = u64, description = "How many readings it holds."))),
        (status = 400, body = ErrorBody, description = "`bad_selector`, `bad_time` or `bad_parameter`, also where `lp` cannot say a name."),
        (status = 503, body = ErrorBody, description = "`too_slow`, `store_away` or `store_failed`: something is missing now.")))]
pub async fn export(hub: web::Data<Hub>, reader: Reader, request: HttpRequest) -> Result<HttpResponse, ApiError> {
    let wish = Wish::read(&Params::read(&request, &["select", "from", "to", "format", "skip_damaged"])?)?;
    let place = stream::place(&hub.long_answers).await?;
    let (hub, format, skip_damaged) = (hub.into_inner(), wish.format, wish.skip_damaged);
    let (access, scope) = (reader.0.clone(), reader.0);
    let plan = stream::decided(&request, &access, move |is_wanted| plan(&hub, &wish, scope.scope(), is_wanted)).await?;
    let (readings, damaged) = (HeaderValue::from(readings(&plan)), plan.damaged());
    let left_out = left_out(&damaged);
    let said = skip_damaged.then_some(damaged);
    let write = move |sink: &mut ChunkSink<'_>| write(&plan, format, said.as_deref(), sink);
    let mut answer = stream::answer(&access, place, format.content_type(), "export", write);
    answer.headers_mut().insert(READINGS, readings);
    left_out.into_iter().for_each(|places| drop(answer.headers_mut().insert(LEFT_OUT, places)));
    Ok(answer)
}

/// JSON, as far as a header may be long. None: nothing is.
fn left_out(places: &[String]) -> Option<HeaderValue> {
    let first = places.first()?;
    let (mut told, mut bytes) = (vec![first.clone()], first.len());
    for place in &places[1..] {
        bytes += place.len();
        if bytes > LEFT_OUT_BYTES {
            told.push(format!("and {} more places", places.len() - told.len()));
            break;
        }
        told.push(place.clone());
    }
    HeaderValue::from_bytes(&serde_json::to_vec(&told).ok()?).ok()
}

/// What is to be written, frozen at one commit. Blocking, and given up when `is_wanted` says no.
pub fn plan(hub: &Arc<Hub>, wish: &Wish, scope: &Scope, is_wanted: &dyn Fn() -> bool) -> Result<Plan, ApiError> {
    let question = wish.question(hub.clock.now())?;
    let sources = Sources { series: &hub.series, head: &hub.head, store: Some(&hub.store), retention: &hub.retention };
    let mut plan = Plan::make(question, sources, scope, &*hub.devices, usize::MAX, is_wanted)?;
    if let Some(why) = plan.lacks() {
        return Err(ApiError::new(ErrorCode::StoreAway, why).with_hint("an export would not be whole; history answers what is there"));
    }
    if wish.skip_damaged {
        if !plan.read_through(is_wanted).map_err(QueryError::from)? {
            return Err(stream::left());
        }
    } else if let Some(why) = plan.incomplete() {
        let hint = format!("an export would not be whole; narrow select, from or to; {LEAVES_OUT}");
        return Err(ApiError::new(ErrorCode::StoreFailed, why).with_hint(hint));
    }
    let unsaid = plan.series.iter().find_map(|one| Some((&one.series.key, unsayable(wish.format, &one.series.key)?)));
    if let Some((key, why)) = unsaid {
        let message = format!("format={}: it cannot say the names of {key}: {why}", wish.format.as_str());
        return Err(ApiError::parameter(message).with_hint("format=csv and format=ndjson can"));
    }
    Ok(plan)
}

#[must_use]
pub fn readings(plan: &Plan) -> usize {
    plan.series.iter().map(|one| one.points).sum()
}

/// Blocking; what is in memory is one chunk. `said`: what is left out for damage, as was said before; None: nothing may be.
pub fn write(plan: &Plan, format: RowFormat, said: Option<&[String]>, sink: &mut ChunkSink<'_>) -> Result<(), Broken> {
    let mut writer = Writer::new(format);
    for one in &plan.series {
        let meta = one.series.meta();
        writer.series(&one.series.key, one.value_type, Told { unit: meta.unit.as_deref(), kind: meta.kind });
        let mut run = |run: Run<'_>| {
            for i in 0..run.len() {
                writer.point(run.time(i), &run.value(i));
            }
            writer.take(HISTORY_CHUNK_BYTES).is_none_or(|out| send(sink, out))
        };
        if !source::scan(&one.view, plan.past(), one.series.id, plan.range(), &mut run)? {
            return Err(Broken::ClientGone);
        }
    }
    let damaged = || plan.incomplete().map(|why| format!("{why}; {LEAVES_OUT}"));
    if let Some(why) = plan.lacks().or_else(|| said.map_or_else(damaged, |said| grown(said, plan.damaged()))) {
        return Err(Broken::Incomplete(why));
    }
    writer.finish();
    if writer.take(0).is_none_or(|out| send(sink, out)) { Ok(()) } else { Err(Broken::ClientGone) }
}

/// What was found to be damaged since it was said what is.
fn grown(said: &[String], now: Vec<String>) -> Option<String> {
    let new = now.into_iter().find(|place| !said.contains(place))?;
    Some(format!("{new}, which was read before"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damage_that_was_not_said_breaks_an_export_off() {
        let said = ["a".to_owned(), "b".to_owned()];
        assert_eq!(grown(&said, said.to_vec()), None);
        assert_eq!(grown(&said, vec!["a".to_owned(), "c".to_owned()]), Some("c, which was read before".to_owned()));
    }
}
