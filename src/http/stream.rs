//! Long answers: a blocking thread writes chunks, the socket takes them at its pace. The thread ends when the client goes or takes
//! nothing for too long, and what is in memory is a few chunks, whatever the length of the answer.
//!
//! Invariants: an error after the first byte breaks the connection, so that a cut answer is never taken for a whole one. Nothing of an
//! answer is handed on once the token or session that asked for it has ended: that breaks it too, or is the refusal before its first byte.

use std::cell::RefCell;
use std::fmt::Display;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse, web};
use bytes::Bytes;
use futures_util::stream::poll_fn;
use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::time::timeout;

use super::error::{ApiError, ErrorCode};
use super::line;
use crate::auth::access::Access;
use crate::limits::{
    CLOSED_SIDE_WAITED, GROUPED_ANSWERS, HISTORY_ANSWERS, HISTORY_CHUNK_BYTES, HISTORY_CHUNKS_AHEAD, HISTORY_FIRST, HISTORY_STALLED,
    HISTORY_WAIT,
};

/// Takes the next bytes of the answer. False: nobody reads on, stop. No bytes: only asks.
pub type ChunkSink<'a> = dyn FnMut(Vec<u8>) -> bool + 'a;

/// Large pieces go in chunks, so that what waits for the socket is bounded by their number.
pub fn send(sink: &mut ChunkSink<'_>, bytes: Vec<u8>) -> bool {
    if bytes.len() < 2 * HISTORY_CHUNK_BYTES {
        return sink(bytes);
    }
    bytes.chunks(HISTORY_CHUNK_BYTES).all(|chunk| sink(chunk.to_vec()))
}

/// A place among the answers being written, waited for not too long.
pub async fn place(places: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit, ApiError> {
    place_within(places, HISTORY_WAIT, &format!("{HISTORY_ANSWERS} long answers")).await
}

/// The same, among those that put series together.
pub async fn grouped_place(places: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit, ApiError> {
    place_within(places, HISTORY_WAIT, &format!("{GROUPED_ANSWERS} answers with group")).await
}

async fn place_within(places: &Arc<Semaphore>, wait: Duration, what: &str) -> Result<OwnedSemaphorePermit, ApiError> {
    let waited = timeout(wait, Arc::clone(places).acquire_owned()).await;
    waited.ok().and_then(Result::ok).ok_or_else(|| {
        let message = format!("{what} are being written already, and none ended within {} s", wait.as_secs());
        ApiError::new(ErrorCode::TooSlow, message).with_hint("try again later")
    })
}

/// Answers with what `write` gives to its sink. `what` is for the log.
pub fn answer<E: Display>(
    access: &Access,
    place: OwnedSemaphorePermit,
    content_type: &'static str,
    what: &'static str,
    write: impl FnOnce(&mut ChunkSink<'_>) -> Result<(), E> + Send + 'static,
) -> HttpResponse {
    begin(access, place, what, HISTORY_STALLED, write).answer(content_type)
}

/// The same for what is decided first: which answer there is to write, and what its headers say. Both on one thread, since to wake another
/// takes its time; `decide` may ask whether the client still waits. The answer comes once its first bytes are there: what takes longer is
/// given up, and what fails before is told.
pub async fn answer_decided<P, T: Send + 'static, E: Display>(
    request: &HttpRequest,
    access: &Access,
    place: OwnedSemaphorePermit,
    content_type: &'static str,
    what: &'static str,
    decide: impl FnOnce(&dyn Fn() -> bool) -> Result<(P, T), ApiError> + Send + 'static,
    write: impl FnOnce(P, &mut ChunkSink<'_>) -> Result<(), E> + Send + 'static,
) -> Result<(HttpResponse, T), ApiError> {
    let (told, mut decided) = oneshot::channel();
    let begun = begin(access, place, what, HISTORY_STALLED, move |sink| {
        let decided = {
            let asked = RefCell::new(&mut *sink);
            decide(&|| asked.borrow_mut()(Vec::new()))
        };
        match decided {
            Ok((answer, headers)) => {
                // Who does not listen any more does not read either.
                drop(told.send(Ok(headers)));
                write(answer, sink)
            }
            Err(refused) => {
                drop(told.send(Err(refused)));
                Ok(())
            }
        }
    });
    let begun = tokio::select! {
        biased;
        // First: whoever writes it may have noticed already, and given it up.
        () = access.ended() => return Err(ended()),
        begun = begun_within(begun, HISTORY_FIRST) => begun?,
        // Whoever writes it finds that nobody reads any more.
        () = line::left(request) => return Err(left()),
    };
    let headers = decided.try_recv().expect("it is told before the first bytes and before the end")?;
    Ok((begun.answer(content_type), headers))
}

/// What takes long before the first byte, on a thread of its own, which may ask whether its client still waits.
pub async fn decided<T: Send + 'static>(
    request: &HttpRequest,
    access: &Access,
    decide: impl FnOnce(&dyn Fn() -> bool) -> Result<T, ApiError> + Send + 'static,
) -> Result<T, ApiError> {
    let waiting = Arc::new(());
    let waits = Arc::downgrade(&waiting);
    let decided = web::block(move || decide(&|| waits.strong_count() > 0));
    tokio::select! {
        () = access.ended() => Err(ended()),
        decided = decided => decided?,
        () = line::left(request) => Err(left()),
    }
}

fn ended() -> ApiError {
    ApiError::new(ErrorCode::Unauthorized, "the token was revoked or has ended")
}

/// For a client that closed its side and is there all the same.
pub(super) fn left() -> ApiError {
    let wait = CLOSED_SIDE_WAITED.as_secs();
    let message = format!("nothing of the answer was ready within {wait} s of the moment at which the client closed its side");
    ApiError::new(ErrorCode::TooSlow, message).with_hint("keep the connection open until the answer is there")
}

async fn begun_within(mut begun: Begun, wait: Duration) -> Result<Begun, ApiError> {
    match timeout(wait, begun.receiver.recv()).await {
        Ok(Some(first)) => begun.first = Some(first),
        Ok(None) if begun.whole.load(Ordering::Acquire) => {}
        Ok(None) => {
            let why = begun.why.lock().take().unwrap_or_else(|| "it broke off".to_owned());
            return Err(ApiError::new(ErrorCode::StoreFailed, format!("the answer could not be made: {why}")));
        }
        // Whoever writes it finds that nobody reads any more.
        Err(_) => {
            let message = format!("nothing of the answer was ready within {} s", wait.as_secs());
            let hint = "ask for a shorter range or fewer series, or with every= for buckets that rollups tell (BUCKETS.md)";
            return Err(ApiError::new(ErrorCode::TooSlow, message).with_hint(hint));
        }
    }
    Ok(begun)
}

/// An answer that is being written.
struct Begun {
    receiver: mpsc::Receiver<Bytes>,
    /// Taken out already.
    first: Option<Bytes>,
    whole: Arc<AtomicBool>,
    /// Why it was not written to its end.
    why: Arc<Mutex<Option<String>>>,
    /// Of who asked.
    access: Access,
}

fn begin<E: Display>(
    access: &Access,
    place: OwnedSemaphorePermit,
    what: &'static str,
    patience: Duration,
    write: impl FnOnce(&mut ChunkSink<'_>) -> Result<(), E> + Send + 'static,
) -> Begun {
    let (sender, receiver) = mpsc::channel::<Bytes>(HISTORY_CHUNKS_AHEAD);
    let runtime = Handle::current();
    // Only an answer that was written to its end ends the body; whatever else closes the channel, a panic too, breaks it.
    let whole = Arc::new(AtomicBool::new(false));
    let why = Arc::new(Mutex::new(None));
    let (written, said, asks) = (Arc::clone(&whole), Arc::clone(&why), access.clone());
    tokio::task::spawn_blocking(move || {
        let _place = place;
        let mut stalled = false;
        let done = write(&mut |chunk| match chunk.is_empty() {
            _ if asks.has_ended() => false,
            true => !sender.is_closed(),
            false => match sender.try_send(chunk.into()) {
                Ok(()) => true,
                Err(TrySendError::Closed(_)) => false,
                Err(TrySendError::Full(chunk)) => match runtime.block_on(timeout(patience, room(&sender, chunk, &asks))) {
                    Ok(sent) => sent,
                    Err(_) => {
                        stalled = true;
                        false
                    }
                },
            },
        });
        let Err(error) = done else {
            written.store(true, Ordering::Release);
            return;
        };
        *said.lock() = Some(error.to_string());
        if stalled {
            tracing::info!(what, "a client took nothing for {} s; its answer is broken off", patience.as_secs());
        } else if asks.has_ended() {
            tracing::info!(what, "a token or session ended; its answer is broken off");
        } else if !sender.is_closed() {
            tracing::error!(what, %error, "an answer is broken off");
        }
    });
    Begun { receiver, first: None, whole, why, access: access.clone() }
}

/// Waits for the socket. False: nobody reads on, or may.
async fn room(sender: &mpsc::Sender<Bytes>, chunk: Bytes, access: &Access) -> bool {
    tokio::select! {
        sent = sender.send(chunk) => sent.is_ok(),
        () = access.ended() => false,
    }
}

impl Begun {
    fn answer(self, content_type: &'static str) -> HttpResponse {
        let Self { mut receiver, mut first, whole, access, .. } = self;
        let mut ended = Box::pin(async move { access.ended().await });
        let mut broken = false;
        HttpResponse::Ok().content_type(content_type).streaming(poll_fn(move |context| {
            if broken {
                return Poll::Ready(None);
            }
            // Also while nothing else is ready: what waits for the next chunk is woken by it.
            if ended.as_mut().poll(context).is_ready() {
                broken = true;
                return Poll::Ready(Some(Err(io::Error::other("the token was revoked or has ended: the answer is broken off"))));
            }
            if let Some(first) = first.take() {
                return Poll::Ready(Some(Ok(first)));
            }
            receiver.poll_recv(context).map(|chunk| match chunk {
                Some(chunk) => Some(Ok(chunk)),
                None if whole.load(Ordering::Acquire) => None,
                None => {
                    broken = true;
                    Some(Err(io::Error::other("the answer is broken off")))
                }
            })
        }))
    }
}

#[cfg(test)]
#[path = "stream_tests.rs"]
mod tests;
