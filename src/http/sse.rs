//! `GET live/sse`: one live subscription as server-sent events, for curl and for networks that break WebSockets. What it speaks is
//! in `live`; here the question is read.

use std::convert::Infallible;

use actix_web::http::header::{CACHE_CONTROL, HeaderName};
use actix_web::{HttpRequest, HttpResponse, web};
use futures_util::stream::poll_fn;

use super::auth::LiveReader;
use super::error::{ApiError, ErrorBody, ErrorCode};
use super::line;
use super::params::Params;
use crate::hub::Hub;
use crate::live::protocol::{Refused, Subscribe, subscribe};
use crate::live::sse::{Events, SUBSCRIPTION};

const PARAMETERS: &[&str] = &["select", "history", "max_hz", "points", "cursor", "ticket"];

/// Where a browser stood when its connection broke; newer than the cursor in its URL.
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// nginx and others that took its word pass events on at once.
const ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// A snapshot, then every change, as server-sent events: `event` is the message's type, `id` its cursor, `data` the message that
/// the WebSocket sends as JSON.
#[utoipa::path(get, path = "/api/v1/live/sse", tag = "live",
    params(
        ("select" = Vec<String>, Query, description = "Selector. Several are a union."),
        ("history" = Option<String>, Query, description = "How far back the snapshot goes: `15m`. Default: last known values."),
        ("max_hz" = Option<f64>, Query, description = "Most events a second, 0.1 to 60. Default: 10."),
        ("points" = Option<u64>, Query, description = "Pixels that the history is drawn on: of each column the smallest, the largest and the last reading. Needs `history`."),
        ("cursor" = Option<String>, Query, description = "Resume: only what was committed after it, if that is still known."),
        ("ticket" = Option<String>, Query, description = "From `POST live/ticket`, instead of a token; good for one connection."),
        ("Last-Event-ID" = Option<String>, Header, description = "The `id` of the last event; goes before `cursor`. A browser sends it when it connects again.")),
    responses(
        (status = 200, body = String, content_type = "text/event-stream", description = "Does not end by itself."),
        (status = 400, body = ErrorBody, description = "`bad_selector`, `bad_time` or `bad_parameter`."),
        (status = 422, body = ErrorBody, description = "`too_many_points`: the history would be too large."),
        (status = 503, body = ErrorBody, description = "`too_slow`: there is no room for the snapshot now.")))]
pub async fn events(hub: web::Data<Hub>, reader: LiveReader, request: HttpRequest) -> Result<HttpResponse, ApiError> {
    let subscribe = question(&request)?;
    // Comments find out whether the viewer is there.
    line::forget(&request);
    let events = Events::open(hub.into_inner(), reader.0, subscribe).await.map_err(|stopped| ApiError::internal(&stopped))?;
    let mut events = events.begin().await?;
    let mut answer = HttpResponse::Ok();
    answer.content_type("text/event-stream").insert_header((CACHE_CONTROL, "no-store")).insert_header((ACCEL_BUFFERING, "no"));
    // Nothing more is to come on the connection, so nobody waits for it when the hub stops.
    answer.force_close();
    Ok(answer.streaming(poll_fn(move |context| events.poll_next(context).map(|bytes| bytes.map(Ok::<_, Infallible>)))))
}

fn question(request: &HttpRequest) -> Result<Subscribe, ApiError> {
    let params = Params::read(request, PARAMETERS)?;
    let text = |name: &str| params.one(name).map(|value| value.map(str::to_owned));
    let max_hz = params.one("max_hz")?.map(|text| {
        let number = text.parse().ok().filter(|hz: &f64| hz.is_finite());
        number.ok_or_else(|| ApiError::parameter(format!("max_hz={text}: expected a number")))
    });
    let points = params.one("points")?.map(|text| {
        let number = text.parse::<u64>();
        number.map_err(|_| ApiError::parameter(format!("points={text}: expected a whole number")))
    });
    let select = params.all("select").into_iter().map(str::to_owned).collect();
    let (history, cursor) = (text("history")?, resume_from(request).or(text("cursor")?));
    Ok(subscribe(SUBSCRIPTION, select, history, max_hz.transpose()?, points.transpose()?, cursor)?)
}

impl From<Refused> for ApiError {
    fn from(refused: Refused) -> Self {
        // Live has no codes of its own.
        let code = ErrorCode::of(refused.code).unwrap_or(ErrorCode::BadParameter);
        let mut error = Self::new(code, refused.message);
        error.hint = refused.hint;
        error
    }
}

/// A header that is no text is a cursor that no hub wrote.
fn resume_from(request: &HttpRequest) -> Option<String> {
    let id = request.headers().get(LAST_EVENT_ID).filter(|id| !id.is_empty())?;
    Some(id.to_str().unwrap_or_default().to_owned())
}
