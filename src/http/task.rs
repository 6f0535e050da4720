//! Tasks that take a while: the answer is a line of JSON for each step, `{"progress":[done,total]}` in bytes, and a last one,
//! `{"answer":...}` or `{"error":...}`. One task at a time.

use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::HttpResponse;
use serde::Serialize;
use serde_json::json;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::error::{ApiError, ErrorCode};
use super::stream::{self, ChunkSink};
use crate::auth::access::Access;
use crate::tools::Progress;

/// At most so many progress lines a second.
const TELL_EVERY: Duration = Duration::from_millis(100);
pub(super) const CONTENT_TYPE: &str = "application/x-ndjson";

pub(super) fn place(tasks: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit, ApiError> {
    let taken = Arc::clone(tasks).try_acquire_owned();
    taken.map_err(|_| ApiError::new(ErrorCode::Conflict, "a check or a backup runs already").with_hint("try again when it has ended"))
}

/// Answers with what `run` does. It goes on to its end when the client goes, or its token.
pub(super) fn answer<T: Serialize>(
    access: &Access,
    place: OwnedSemaphorePermit,
    what: &'static str,
    run: impl FnOnce(&mut Progress<'_>) -> Result<T, ApiError> + Send + 'static,
) -> HttpResponse {
    stream::answer(access, place, CONTENT_TYPE, what, move |sink| write(sink, run))
}

fn write<T: Serialize>(
    sink: &mut ChunkSink<'_>,
    run: impl FnOnce(&mut Progress<'_>) -> Result<T, ApiError>,
) -> Result<(), serde_json::Error> {
    let mut told: Option<Instant> = None;
    let mut listens = true;
    let done = run(&mut |done, total| {
        if listens && told.is_none_or(|told| told.elapsed() >= TELL_EVERY) {
            listens = sink(line(&json!({ "progress": [done, total] })));
            told = Some(Instant::now());
        }
    });
    let last = match done {
        Ok(answer) => json!({ "answer": serde_json::to_value(answer)? }),
        Err(error) => serde_json::to_value(error.body())?,
    };
    if listens {
        let _heard = sink(line(&last));
    }
    Ok(())
}

fn line(json: &serde_json::Value) -> Vec<u8> {
    format!("{json}\n").into_bytes()
}
