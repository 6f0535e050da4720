//! Long answers: a blocking thread writes chunks, the socket takes them at its pace. The thread ends when the client goes or takes
//! nothing for too long, and what is in memory is a few chunks, whatever the length of the answer.
//!
//! Invariant: an error after the first byte breaks the connection, so that a cut answer is never taken for a whole one.

use std::fmt::Display;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use actix_web::HttpResponse;
use bytes::Bytes;
use futures_util::stream::poll_fn;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::timeout;

use super::error::{ApiError, ErrorCode};
use crate::limits::{HISTORY_ANSWERS, HISTORY_CHUNKS_AHEAD, HISTORY_STALLED, HISTORY_WAIT};

/// Takes the next bytes of the answer. False: nobody reads on, stop.
pub type ChunkSink<'a> = dyn FnMut(Vec<u8>) -> bool + 'a;

/// A place among the answers being written, waited for not too long.
pub async fn place(places: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit, ApiError> {
    place_within(places, HISTORY_WAIT).await
}

async fn place_within(places: &Arc<Semaphore>, wait: Duration) -> Result<OwnedSemaphorePermit, ApiError> {
    let waited = timeout(wait, Arc::clone(places).acquire_owned()).await;
    waited.ok().and_then(Result::ok).ok_or_else(|| {
        let message = format!("{HISTORY_ANSWERS} long answers are being written already, and none ended within {} s", wait.as_secs());
        ApiError::new(ErrorCode::TooSlow, message).with_hint("try again later")
    })
}

/// Answers with what `write` gives to its sink. `what` is for the log.
pub fn answer<E: Display>(
    place: OwnedSemaphorePermit,
    content_type: &'static str,
    what: &'static str,
    write: impl FnOnce(&mut ChunkSink<'_>) -> Result<(), E> + Send + 'static,
) -> HttpResponse {
    answer_within(place, content_type, what, HISTORY_STALLED, write)
}

fn answer_within<E: Display>(
    place: OwnedSemaphorePermit,
    content_type: &'static str,
    what: &'static str,
    patience: Duration,
    write: impl FnOnce(&mut ChunkSink<'_>) -> Result<(), E> + Send + 'static,
) -> HttpResponse {
    let (sender, mut receiver) = mpsc::channel::<Bytes>(HISTORY_CHUNKS_AHEAD);
    let runtime = Handle::current();
    // Only an answer that was written to its end ends the body; whatever else closes the channel, a panic too, breaks it.
    let whole = Arc::new(AtomicBool::new(false));
    let written = Arc::clone(&whole);
    tokio::task::spawn_blocking(move || {
        let _place = place;
        let mut stalled = false;
        let done = write(&mut |chunk| match runtime.block_on(timeout(patience, sender.send(chunk.into()))) {
            Ok(sent) => sent.is_ok(),
            Err(_) => {
                stalled = true;
                false
            }
        });
        let Err(error) = done else {
            written.store(true, Ordering::Release);
            return;
        };
        if stalled {
            tracing::info!(what, "a client took nothing for {} s; its answer is broken off", patience.as_secs());
        } else if !sender.is_closed() {
            tracing::error!(what, %error, "an answer is broken off");
        }
    });
    let mut broken = false;
    HttpResponse::Ok().content_type(content_type).streaming(poll_fn(move |context| {
        receiver.poll_recv(context).map(|chunk| match chunk {
            Some(chunk) => Some(Ok(chunk)),
            None if whole.load(Ordering::Acquire) || broken => None,
            None => {
                broken = true;
                Some(Err(io::Error::other("the answer is broken off")))
            }
        })
    }))
}

#[cfg(test)]
mod tests {
    use actix_web::body::{BodySize, MessageBody, to_bytes};

    use super::*;

    async fn body(write: impl FnOnce(&mut ChunkSink<'_>) -> Result<(), &'static str> + Send + 'static) -> Result<Bytes, String> {
        let places = Arc::new(Semaphore::new(1));
        let response = answer(place(&places).await.unwrap(), "text/plain", "test", write);
        assert_eq!(response.body().size(), BodySize::Stream);
        let body = to_bytes(response.into_body()).await.map_err(|error| error.to_string());
        assert!(place(&places).await.is_ok(), "the place is free again");
        body
    }

    #[actix_web::test]
    async fn only_a_whole_answer_ends_well() {
        let many = |sink: &mut ChunkSink<'_>| (0..20).all(|i| sink(vec![b'a' + i])).then_some(()).ok_or("gone");
        assert_eq!(body(many).await.unwrap(), "abcdefghijklmnopqrst");
        let failed = |sink: &mut ChunkSink<'_>| {
            sink(b"a".to_vec());
            Err("the disk")
        };
        assert!(body(failed).await.unwrap_err().contains("broken off"));
        let panics = |sink: &mut ChunkSink<'_>| {
            sink(b"a".to_vec());
            panic!("a bug in the middle of an answer")
        };
        assert!(body(panics).await.unwrap_err().contains("broken off"));
    }

    #[actix_web::test]
    async fn a_client_that_takes_nothing_loses_its_place() {
        let places = Arc::new(Semaphore::new(1));
        let endless = |sink: &mut ChunkSink<'_>| {
            while sink(vec![0; 1000]) {}
            Err("stalled")
        };
        let taken = place(&places).await.unwrap();
        let response = answer_within(taken, "text/plain", "test", Duration::from_millis(20), endless);
        assert!(place(&places).await.is_ok(), "though the client still holds its connection");
        assert!(to_bytes(response.into_body()).await.is_err());
    }

    #[actix_web::test]
    async fn no_place_is_too_slow() {
        let places = Arc::new(Semaphore::new(1));
        let _taken = place(&places).await.unwrap();
        let refused = place_within(&places, Duration::from_millis(1)).await.unwrap_err();
        assert_eq!(refused.code, ErrorCode::TooSlow);
    }

    #[actix_web::test]
    async fn a_client_that_goes_frees_its_place() {
        let places = Arc::new(Semaphore::new(1));
        let endless = |sink: &mut ChunkSink<'_>| {
            while sink(vec![0; 1000]) {}
            Err("the client went")
        };
        let response = answer(place(&places).await.unwrap(), "text/plain", "test", endless);
        drop(response);
        assert!(place(&places).await.is_ok());
    }
}
