//! `POST /api/v2/write` and `/write`: line protocol over HTTP, for what speaks to InfluxDB, in its words. The body goes in by `body`;
//! the answer comes when the last piece of it is durable.
//!
//! Invariant: 204 means that every reading of the body is stored.

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderName, RETRY_AFTER};
use actix_web::{HttpRequest, HttpResponse, web};
use telltale_wire::{BatchCode, RowCode};
use url::form_urlencoded;

use super::auth::Writer;
use super::body::{BodyError, Encoding, Intake, Tally};
use super::error::{ApiError, ErrorCode};
use crate::auth::access::Access;
use crate::hub::Hub;
use crate::ingest::line_protocol::senders::Sender;
use crate::ingest::line_protocol::{Lines, Precision};
use crate::ingest::session::Rejected;
use crate::limits::SENDER_IDLE_NS;

/// Line protocol as InfluxDB 2 takes it. `org` and `bucket` are accepted and ignored; `precision` is ns, us, ms or s.
#[utoipa::path(post, path = "/api/v2/write", tag = "ingest", request_body(content = String, content_type = "text/plain"),
    params(("precision" = Option<String>, Query, pattern = "^(|ns|n|us|u|µ|µs|ms|s|m|h)$", example = "ms", description = "What the timestamps count: ns (default), us, ms, s.")),
    responses((status = 204, description = "Every reading is durable."),
        (status = 400, description = "Lines were not well-formed; the others are stored."),
        (status = 408, description = "Nothing of the body came for 30 s."),
        (status = 413, description = "A line is longer than `[ingest] frame_bytes`."),
        (status = 422, description = "Readings were refused; the others are stored."),
        (status = 429, description = "The hub asks for a pause: send it all again."),
        (status = 503, description = "Not taken now: send it all again. What was stored already is a duplicate then.")))]
pub async fn write_v2(request: HttpRequest, body: web::Payload, hub: web::Data<Hub>, writer: Result<Writer, ApiError>) -> HttpResponse {
    write(Dialect::V2, &request, body, hub, writer).await
}

/// The same for clients of InfluxDB 1: refusals are `{"error"}`; `precision` may be n, u, m and h too.
#[utoipa::path(post, path = "/write", tag = "ingest", request_body(content = String, content_type = "text/plain"),
    params(("precision" = Option<String>, Query, pattern = "^(|ns|n|us|u|µ|µs|ms|s|m|h)$", example = "ms", description = "What the timestamps count: n (default), u, ms, s, m, h.")),
    responses((status = 204, description = "Every reading is durable."),
        (status = 400, description = "Lines were not well-formed, or readings were refused; the others are stored."),
        (status = 408, description = "Nothing of the body came for 30 s."),
        (status = 413, description = "A line is longer than `[ingest] frame_bytes`."),
        (status = 429, description = "The hub asks for a pause: send it all again."),
        (status = 503, description = "Not taken now: send it all again. What was stored already is a duplicate then.")))]
pub async fn write_v1(request: HttpRequest, body: web::Payload, hub: web::Data<Hub>, writer: Result<Writer, ApiError>) -> HttpResponse {
    write(Dialect::V1, &request, body, hub, writer).await
}

/// Whose words the answers are in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    V1,
    V2,
}

async fn write(
    dialect: Dialect,
    request: &HttpRequest,
    body: web::Payload,
    hub: web::Data<Hub>,
    writer: Result<Writer, ApiError>,
) -> HttpResponse {
    let asked = writer.map_err(Refused::from).and_then(|writer| Ok((writer.0, precision(request)?, Encoding::of(request)?)));
    let (access, precision, encoding) = match asked {
        Ok(asked) => asked,
        Err(refused) => return dialect.answer(refused),
    };
    let hub = hub.into_inner();
    hub.metrics.bodies_received.inc();
    let sender = sender_of(&hub, &access);
    let work = async move {
        let mut intake = Intake::new(Arc::clone(&hub), sender.session(&hub.door), Lines::new(precision));
        let done = intake.run(encoding, body).await;
        let Intake { session, decoder: lines, tally, .. } = intake;
        sender.brought(&session);
        sender.give_back(session, hub.clock.now());
        done.map_err(Refused::from).and_then(|()| judge(&tally, &lines))
    };
    // A task of its own: a client that goes away does not stop what it began.
    match actix_web::rt::spawn(work).await {
        Ok(Ok(())) => HttpResponse::NoContent().finish(),
        Ok(Err(refused)) => dialect.answer(refused),
        Err(error) => dialect.answer(ApiError::internal(&error).into()),
    }
}

fn precision(request: &HttpRequest) -> Result<Precision, Refused> {
    let text = form_urlencoded::parse(request.query_string().as_bytes()).find(|(name, _)| name == "precision");
    let text = text.map_or_else(Default::default, |(_, value)| value);
    Precision::parse(&text)
        .ok_or_else(|| Refused::invalid(format!("invalid precision `{text}`; valid precision units are {}", Precision::EXPECTED)))
}

fn sender_of(hub: &Arc<Hub>, access: &Access) -> Arc<Sender> {
    let (sender, is_new) = hub.senders.of(access, &hub.presence, &hub.clock);
    if is_new {
        actix_web::rt::spawn(keep(Arc::clone(hub), Arc::clone(&sender)));
    }
    sender
}

/// While its token lives, a sender's sessions are kept for some time after their last request.
async fn keep(hub: Arc<Hub>, sender: Arc<Sender>) {
    let idle = std::time::Duration::from_nanos(SENDER_IDLE_NS.unsigned_abs());
    loop {
        tokio::select! {
            () = sender.access().ended() => return hub.senders.forget(&sender),
            () = hub.stopped() => return,
            () = tokio::time::sleep(idle) => sender.tidy(hub.clock.now()),
        }
    }
}

fn judge(tally: &Tally, lines: &Lines) -> Result<(), Refused> {
    if tally.refused == 0 {
        return Ok(());
    }
    let mut message: Vec<String> = tally.quoted.iter().map(quote).collect();
    if tally.refused > tally.quoted.len() {
        message.push(format!("and {} more", tally.refused - tally.quoted.len()));
    }
    let message = format!("partial write: {} dropped={}", message.join("\n"), tally.refused);
    Err(match lines.first_malformed() {
        Some(line) => Refused { line: Some(line), ..Refused::invalid(message) },
        None => Refused::new(Status::Unprocessable, format!("failure writing points to database: {message}")),
    })
}

fn quote(rejected: &Rejected) -> String {
    let Rejected { index: line, device, metric, refusal } = rejected;
    match metric {
        // The message quotes the line.
        None => refusal.message.clone(),
        Some(metric) if refusal.code == RowCode::TypeChanged => {
            format!("field type conflict: line {line}: {device}/{metric}: {}: {}", refusal.code, refusal.message)
        }
        Some(metric) => format!("line {line}: {device}/{metric}: {}: {}", refusal.code, refusal.message),
    }
}

/// Why a body, or a part of it, is not stored.
#[derive(Debug)]
pub(super) struct Refused {
    status: Status,
    message: String,
    /// The first line that is not well-formed.
    line: Option<u32>,
    after_ms: Option<u32>,
}

/// InfluxDB's codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    Invalid,
    Unauthorized,
    Forbidden,
    TimedOut,
    TooLarge,
    Unprocessable,
    TooMany,
    Unavailable,
    Internal,
}

impl Status {
    fn code(self) -> (StatusCode, &'static str) {
        match self {
            Self::Invalid => (StatusCode::BAD_REQUEST, "invalid"),
            Self::Unauthorized => (StatusCode::UNAUTHORIZED, "unauthorized"),
            Self::Forbidden => (StatusCode::FORBIDDEN, "forbidden"),
            Self::TimedOut => (StatusCode::REQUEST_TIMEOUT, "unavailable"),
            Self::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "request too large"),
            Self::Unprocessable => (StatusCode::UNPROCESSABLE_ENTITY, "unprocessable entity"),
            Self::TooMany => (StatusCode::TOO_MANY_REQUESTS, "too many requests"),
            Self::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
            Self::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "internal error"),
        }
    }
}

impl Refused {
    fn new(status: Status, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), line: None, after_ms: None }
    }

    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new(Status::Invalid, message)
    }

    /// A short body that did not come, or not whole.
    pub(super) fn unread(error: &actix_web::Error) -> Self {
        let status = match error.as_response_error().status_code() {
            StatusCode::PAYLOAD_TOO_LARGE => Status::TooLarge,
            StatusCode::SERVICE_UNAVAILABLE => Status::TimedOut,
            _ => Status::Invalid,
        };
        Self::new(status, format!("the body cannot be read: {error}"))
    }
}

impl From<BodyError> for Refused {
    fn from(error: BodyError) -> Self {
        let status = match &error {
            BodyError::Encoding(_) | BodyError::BrokeOff(_) | BodyError::Gzip(_) | BodyError::Form(_) => Status::Invalid,
            BodyError::Stalled => Status::TimedOut,
            BodyError::Ended => Status::Unauthorized,
            BodyError::TooLarge { .. } => Status::TooLarge,
            BodyError::Later(later) if later.code == BatchCode::SlowDown => Status::TooMany,
            BodyError::Stopped | BodyError::Later(_) => Status::Unavailable,
        };
        let after_ms = if let BodyError::Later(later) = &error { Some(later.after_ms) } else { None };
        Self { after_ms, ..Self::new(status, error.to_string()) }
    }
}

impl From<ApiError> for Refused {
    fn from(error: ApiError) -> Self {
        let status = match error.code {
            ErrorCode::Unauthorized => Status::Unauthorized,
            ErrorCode::Forbidden => Status::Forbidden,
            ErrorCode::Internal => Status::Internal,
            _ => Status::Unavailable,
        };
        let hint = error.hint.map_or_else(String::new, |hint| format!("; {hint}"));
        Self::new(status, format!("{}{hint}", error.message))
    }
}

impl Dialect {
    pub(super) fn answer(self, refused: Refused) -> HttpResponse {
        let Refused { status, message, line, after_ms } = refused;
        let (status, code) = status.code();
        // InfluxDB 1 has no 422.
        let status = if self == Self::V1 && status == StatusCode::UNPROCESSABLE_ENTITY { StatusCode::BAD_REQUEST } else { status };
        let mut response = HttpResponse::build(status);
        if let Some(after_ms) = after_ms {
            response.insert_header((RETRY_AFTER, after_ms.div_ceil(1000).to_string()));
        }
        match self {
            Self::V1 => {
                // What clients of version 1 read first; a header holds one line of text.
                let one_line: String = message.chars().map(|c| if c.is_ascii_graphic() { c } else { ' ' }).take(1000).collect();
                response.insert_header((HeaderName::from_static("x-influxdb-error"), one_line));
                response.json(serde_json::json!({ "error": message }))
            }
            Self::V2 => match line {
                Some(line) => response.json(serde_json::json!({ "code": code, "message": message, "line": line })),
                None => response.json(serde_json::json!({ "code": code, "message": message })),
            },
        }
    }
}

#[cfg(test)]
#[path = "write_tests.rs"]
mod tests;
