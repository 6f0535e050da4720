//! `POST /api/v2/write` and `/write`: line protocol over HTTP, for what speaks to InfluxDB. The body is decided in pieces while it
//! comes in, so that memory stays flat for a body of any length; the answer comes when the last piece is durable.
//!
//! Invariants: 204 means that every reading of the body is stored. Every batch that went to the writer is booked, also when its
//! client is gone.

use std::collections::VecDeque;
use std::io::{self, Write as _};
use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_ENCODING, HeaderName, RETRY_AFTER};
use actix_web::{HttpRequest, HttpResponse, web};
use flate2::write::MultiGzDecoder;
use futures_util::StreamExt as _;
use telltale_wire::{BatchCode, RowCode};
use tokio::sync::oneshot;
use tokio::time::timeout;
use url::form_urlencoded;

use super::auth::Writer;
use super::error::{ApiError, ErrorCode};
use crate::auth::access::Access;
use crate::hub::Hub;
use crate::ingest::line_protocol::senders::Sender;
use crate::ingest::line_protocol::{Lines, Precision};
use crate::ingest::session::{Deciding, Pending, Rejected, Session, Settled};
use crate::ingest::{Batch, Later, Outcome};
use crate::limits::{BODY_BATCHES, BODY_PIECE_BYTES, BODY_STALLED, REFUSALS_QUOTED, SENDER_IDLE_NS};

/// What an inflated step may be made of: gzip grows to a thousandfold at most.
const GZIP_STEP_BYTES: usize = 1 << 10;

/// Line protocol as InfluxDB 2 takes it. `org` and `bucket` are accepted and ignored; `precision` is ns, us, ms or s.
#[utoipa::path(post, path = "/api/v2/write", tag = "ingest", request_body(content = String, content_type = "text/plain"),
    params(("precision" = Option<String>, Query, description = "What the timestamps count: ns (default), us, ms, s.")),
    responses((status = 204, description = "Every reading is durable."),
        (status = 400, description = "Lines were not well-formed; the others are stored."),
        (status = 413, description = "A line is longer than `[ingest] frame_bytes`."),
        (status = 422, description = "Readings were refused; the others are stored."),
        (status = 429, description = "The hub asks for a pause: send it all again."),
        (status = 503, description = "Not taken now: send it all again. What was stored already is a duplicate then.")))]
pub async fn write_v2(request: HttpRequest, body: web::Payload, hub: web::Data<Hub>, writer: Result<Writer, ApiError>) -> HttpResponse {
    write(Dialect::V2, &request, body, hub, writer).await
}

/// The same for clients of InfluxDB 1: refusals are `{"error"}`; `precision` may be n, u, m and h too.
#[utoipa::path(post, path = "/write", tag = "ingest", request_body(content = String, content_type = "text/plain"),
    params(("precision" = Option<String>, Query, description = "What the timestamps count: n (default), u, ms, s, m, h.")),
    responses((status = 204, description = "Every reading is durable."),
        (status = 400, description = "Lines were not well-formed, or readings were refused; the others are stored.")))]
pub async fn write_v1(request: HttpRequest, body: web::Payload, hub: web::Data<Hub>, writer: Result<Writer, ApiError>) -> HttpResponse {
    write(Dialect::V1, &request, body, hub, writer).await
}

/// Whose words the answers are in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Dialect {
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
    let asked = writer.map_err(Refused::from).and_then(|writer| Ok((writer.0, precision(request)?, encoding(request)?)));
    let (access, precision, encoding) = match asked {
        Ok(asked) => asked,
        Err(refused) => return dialect.answer(refused),
    };
    let hub = hub.into_inner();
    hub.metrics.bodies_received.inc();
    let sender = sender_of(&hub, &access);
    let pace = Pace::new(hub.config.ingest.frame_bytes);
    let work = Work {
        session: sender.session(&hub.door),
        hub,
        sender,
        lines: Lines::new(precision),
        at_writer: VecDeque::new(),
        tally: Tally::default(),
        pace,
    };
    // A task of its own: a client that goes away does not stop what it began.
    match actix_web::rt::spawn(work.run(encoding, body)).await {
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

fn encoding(request: &HttpRequest) -> Result<Encoding, Refused> {
    let text = request.headers().get(CONTENT_ENCODING).map_or("identity", |value| value.to_str().unwrap_or("(not text)"));
    match text.trim().to_ascii_lowercase().as_str() {
        "" | "identity" => Ok(Encoding::Plain),
        "gzip" | "x-gzip" => Ok(Encoding::Gzip(Box::new(MultiGzDecoder::new(Vec::new())))),
        _ => Err(Refused::invalid(format!("Content-Encoding `{text}`, expected gzip or identity"))),
    }
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

enum Encoding {
    Plain,
    Gzip(Box<MultiGzDecoder<Vec<u8>>>),
}

/// One body on its way in.
struct Work {
    hub: Arc<Hub>,
    sender: Arc<Sender>,
    session: Session,
    lines: Lines,
    at_writer: VecDeque<(Option<oneshot::Receiver<Outcome>>, Pending)>,
    tally: Tally,
    pace: Pace,
}

/// When the text that came in is looked at again. A line is read from its beginning each time, so one that is not whole is not
/// looked at for every few bytes more.
#[derive(Debug)]
struct Pace {
    at_bytes: usize,
    /// Beyond, a line is refused.
    longest: usize,
}

impl Pace {
    fn new(longest: usize) -> Self {
        Self { at_bytes: BODY_PIECE_BYTES, longest }
    }

    fn is_due(&self, bytes: usize) -> bool {
        bytes >= self.at_bytes
    }

    /// So much is left of what was looked at: the beginning of a line.
    fn looked(&mut self, left: usize) {
        self.at_bytes = (2 * left).min(self.longest + 1).max(BODY_PIECE_BYTES);
    }
}

impl Work {
    async fn run(mut self, encoding: Encoding, body: web::Payload) -> Result<(), Refused> {
        let read = match self.session.begin_frame(self.hub.clock.now()) {
            Ok(()) => self.read(encoding, body).await,
            Err(later) => Err(later.into()),
        };
        let mut settled = Ok(());
        while !self.at_writer.is_empty() {
            settled = settled.and(self.settle_oldest().await);
        }
        let Self { hub, sender, session, lines, tally, .. } = self;
        sender.brought(&session);
        sender.give_back(session, hub.clock.now());
        read.and(settled).and_then(|()| tally.judge(&lines))
    }

    async fn read(&mut self, mut encoding: Encoding, mut body: web::Payload) -> Result<(), Refused> {
        let mut text = Vec::new();
        loop {
            let chunk = timeout(BODY_STALLED, body.next()).await;
            let chunk = chunk.map_err(|_| Refused::stalled())?.transpose();
            let chunk = chunk.map_err(|error| Refused::invalid(format!("the body broke off: {error}")))?;
            match (&mut encoding, &chunk) {
                (Encoding::Plain, Some(chunk)) => {
                    text.extend_from_slice(chunk);
                    self.pieces(&mut text, false).await?;
                }
                (Encoding::Gzip(gzip), Some(chunk)) => {
                    for step in chunk.chunks(GZIP_STEP_BYTES) {
                        gzip.write_all(step).and_then(|()| gzip.flush()).map_err(|error| Refused::gzip(&error))?;
                        text.append(gzip.get_mut());
                        self.pieces(&mut text, false).await?;
                    }
                }
                (Encoding::Plain, None) => break,
                (Encoding::Gzip(gzip), None) => {
                    gzip.try_finish().map_err(|error| Refused::gzip(&error))?;
                    text.append(gzip.get_mut());
                    break;
                }
            }
        }
        self.pieces(&mut text, true).await
    }

    /// Decides the whole lines of `text` and leaves what is not one yet.
    async fn pieces(&mut self, text: &mut Vec<u8>, is_last: bool) -> Result<(), Refused> {
        if !self.pace.is_due(text.len()) && !is_last {
            return Ok(());
        }
        let mut at = 0;
        loop {
            let mut batch = self.session.begin_batch();
            let taken = self.lines.decide(&mut self.session, &mut batch, &text[at..], is_last);
            at += taken;
            if taken == 0 {
                break;
            }
            self.submit(batch).await?;
        }
        text.drain(..at);
        self.pace.looked(text.len());
        let longest = self.hub.config.ingest.frame_bytes;
        if text.len() > longest { Err(Refused::too_large(longest)) } else { Ok(()) }
    }

    async fn submit(&mut self, batch: Deciding) -> Result<(), Refused> {
        let (batch, pending) = match batch.finish(None) {
            (Some((batch, outcome)), pending) => (Some((batch, outcome)), pending),
            (None, pending) => (None, pending),
        };
        let Some((batch, outcome)) = batch else {
            self.at_writer.push_back((None, pending));
            return Ok(());
        };
        while self.at_writer.len() >= BODY_BATCHES {
            self.settle_oldest().await?;
        }
        self.hand_over(batch).await?;
        self.at_writer.push_back((Some(outcome), pending));
        Ok(())
    }

    async fn hand_over(&self, batch: Batch) -> Result<(), Refused> {
        self.hub.queue.submit(batch).await.map_err(|later| {
            self.hub.metrics.batches_later.inc();
            later.into()
        })
    }

    async fn settle_oldest(&mut self) -> Result<(), Refused> {
        let Some((outcome, pending)) = self.at_writer.pop_front() else {
            return Ok(());
        };
        let outcome = match outcome {
            Some(outcome) => outcome.await.map_err(|_| Refused::stopped())?,
            None => Outcome::Committed { position: crate::model::Position(0), stored: 0, duplicate: 0, refused: Vec::new() },
        };
        let settled = pending.settle(&self.hub.door, self.sender.access(), self.hub.clock.now(), outcome)?;
        self.tally.add(settled);
        Ok(())
    }
}

/// What became of the readings of a body.
#[derive(Debug, Default)]
struct Tally {
    dropped: usize,
    /// The first that were refused.
    quoted: Vec<Rejected>,
}

impl Tally {
    fn add(&mut self, settled: Settled) {
        self.dropped += settled.rejected.len();
        let room = REFUSALS_QUOTED.saturating_sub(self.quoted.len());
        self.quoted.extend(settled.rejected.into_iter().take(room));
    }

    fn judge(&self, lines: &Lines) -> Result<(), Refused> {
        if self.dropped == 0 {
            return Ok(());
        }
        let mut message: Vec<String> = self.quoted.iter().map(quote).collect();
        if self.dropped > self.quoted.len() {
            message.push(format!("and {} more", self.dropped - self.quoted.len()));
        }
        let message = format!("partial write: {} dropped={}", message.join("\n"), self.dropped);
        Err(match lines.first_malformed() {
            Some(line) => Refused { line: Some(line), ..Refused::invalid(message) },
            None => Refused::new(Status::Unprocessable, format!("failure writing points to database: {message}")),
        })
    }
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
struct Refused {
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

    fn invalid(message: impl Into<String>) -> Self {
        Self::new(Status::Invalid, message)
    }

    fn gzip(error: &io::Error) -> Self {
        Self::invalid(format!("the body is not gzip, as its Content-Encoding says: {error}"))
    }

    fn stalled() -> Self {
        Self::new(Status::TimedOut, format!("nothing of the body came for {} s", BODY_STALLED.as_secs()))
    }

    fn too_large(longest: usize) -> Self {
        Self::new(Status::TooLarge, format!("a line is longer than {longest} bytes ([ingest] frame_bytes)"))
    }

    fn stopped() -> Self {
        Self::new(Status::Unavailable, "the hub stopped before the body was committed")
    }
}

impl From<Later> for Refused {
    fn from(later: Later) -> Self {
        let status = if later.code == BatchCode::SlowDown { Status::TooMany } else { Status::Unavailable };
        Self { after_ms: Some(later.after_ms), ..Self::new(status, format!("{}: {}", later.code, later.message)) }
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
    fn answer(self, refused: Refused) -> HttpResponse {
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
