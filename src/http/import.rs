//! `POST import`: takes what an export gave, through the session and the writer of every other way in. Readings that are there already
//! are duplicates, so the same body twice changes nothing.

use std::fmt::Display;
use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, web};
use bytes::Bytes;
use futures_util::Stream;
use serde::Serialize;
use utoipa::ToSchema;

use super::auth::Writer;
use super::body::{BodyError, Encoding, Intake, Tally};
use super::error::{ApiError, ErrorBody, ErrorCode};
use super::export::RowFormatParam;
use super::params::Params;
use crate::auth::access::Access;
use crate::hub::Hub;
use crate::ingest::session::{Rejected, Session};
use crate::rows::{self, RowFormat};

/// What became of the readings of a body.
#[derive(Debug, Serialize, ToSchema)]
pub struct Imported {
    /// New or rewritten.
    pub stored: usize,
    /// There already with the same value.
    pub duplicate: usize,
    pub refused: usize,
    /// The first that were refused.
    pub refusals: Vec<RefusedLine>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct RefusedLine {
    /// From 1; the first line of CSV counts. Of Parquet, the row.
    pub line: u32,
    pub device: String,
    pub metric: Option<String>,
    pub code: String,
    pub message: String,
}

impl From<Tally> for Imported {
    fn from(tally: Tally) -> Self {
        let line = |rejected: Rejected| RefusedLine {
            line: rejected.index,
            device: rejected.device.to_string(),
            metric: rejected.metric.map(|metric| metric.to_string()),
            code: rejected.refusal.code.to_string(),
            message: rejected.refusal.message,
        };
        let refusals = tally.quoted.into_iter().map(line).collect();
        Self { stored: tally.stored, duplicate: tally.duplicate, refused: tally.refused, refusals }
    }
}

/// Takes what `GET export` gives, of any length. A line that is refused does not hold up the others; the same body again is harmless.
#[utoipa::path(post, path = "/api/v1/import", tag = "ingest", request_body(content = String, content_type = "text/plain"),
    params(("format" = RowFormatParam, Query, description = "`csv`, `ndjson`, `parquet` (up to 256 MiB) or `lp` (line protocol as an export writes it; other line protocol goes to `/api/v2/write`).")),
    responses((status = 200, body = Imported, description = "All of it is durable but for what was refused."),
        (status = 400, body = ErrorBody, description = "`bad_parameter`: the format, the gzip, the first line of CSV or the columns of Parquet. Whole lines before are stored."),
        (status = 413, body = ErrorBody, description = "`too_large`: a line is longer than `[ingest] frame_bytes`, or Parquet than what is spooled of it."),
        (status = 503, body = ErrorBody, description = "Not taken now, or nothing came for 30 s: send it all again. What was stored already is a duplicate then.")))]
pub async fn import(hub: web::Data<Hub>, writer: Writer, request: HttpRequest, body: web::Payload) -> Result<HttpResponse, ApiError> {
    let params = Params::read(&request, &["format"])?;
    let format =
        params.one("format")?.ok_or_else(|| ApiError::parameter("format is missing: what is the body?").with_hint("format=csv"))?;
    let format = RowFormat::parse(format)?;
    let encoding = Encoding::of(&request)?;
    let hub = hub.into_inner();
    #[cfg(feature = "parquet")]
    if format == RowFormat::Parquet {
        let work = actix_web::rt::spawn(super::spool::import(hub, writer.0, encoding, body));
        let imported = work.await.map_err(|error| ApiError::internal(&error))??;
        return Ok(HttpResponse::Ok().json(imported));
    }
    // A task of its own: a client that goes away does not stop what it began.
    let work = actix_web::rt::spawn(carry_out(hub, writer.0, format, encoding, body));
    let imported = work.await.map_err(|error| ApiError::internal(&error))??;
    Ok(HttpResponse::Ok().json(imported))
}

/// Also for the command when no hub runs. Devices whose past comes in are not online for it.
pub async fn carry_out<E: Display>(
    hub: Arc<Hub>,
    access: Access,
    format: RowFormat,
    encoding: Encoding,
    body: impl Stream<Item = Result<Bytes, E>> + Unpin,
) -> Result<Imported, ApiError> {
    hub.metrics.bodies_received.inc();
    let session = Session::new(Arc::clone(&hub.door), access);
    let mut intake = Intake::new(hub, session, rows::Reader::new(format));
    intake.run(encoding, body).await?;
    Ok(intake.tally.into())
}

impl From<BodyError> for ApiError {
    fn from(error: BodyError) -> Self {
        let code = match &error {
            BodyError::Encoding(_) | BodyError::BrokeOff(_) | BodyError::Gzip(_) | BodyError::Form(_) => ErrorCode::BadParameter,
            BodyError::TooLarge { .. } => ErrorCode::TooLarge,
            BodyError::Stalled => ErrorCode::TooSlow,
            BodyError::Ended => ErrorCode::Unauthorized,
            BodyError::Stopped => ErrorCode::Draining,
            BodyError::Later(later) => return Self::from(later).with_hint("send it all again later: what is stored is a duplicate then"),
        };
        Self::new(code, error.to_string())
    }
}
