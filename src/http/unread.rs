//! Chunked bodies that nobody reads to their end, such as that of a GET, or of what is refused by its headers: the answer is written, says
//! `Connection: close`, and the connection ends behind it.
//!
//! Of a body of a declared length actix-http (3.20) sees to that itself. A chunked one that was let go of it means to read over and then
//! go on; but it does not look at the socket again once 128 KiB of it wait there, and it runs no timer until the body has ended. So one
//! request without credentials would hold a connection for as long as it likes, and the next request on it would never be answered. Of a
//! body that is still held when the answer is written it reads on for a moment, so that the answer arrives, and closes. So it is held.
//!
//! What a client says of its own side is another matter: one that has closed it (`nc -N`) has its answer.

use std::cell::RefCell;
use std::error::Error as StdError;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use actix_web::Error;
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::error::PayloadError;
use actix_web::http::StatusCode;
use actix_web::http::header::TRANSFER_ENCODING;
use actix_web::middleware::Next;
use actix_web::web::Bytes;
use futures_util::Stream;

/// For what is asked outside of the routes that share a middleware.
pub(super) async fn looked_after(mut request: ServiceRequest, next: Next<BoxBody>) -> Result<ServiceResponse<BoxBody>, Error> {
    let chunked = watch(&mut request);
    let answer = next.call(request).await?;
    Ok(match chunked {
        Some(chunked) => chunked.held_by(answer).await,
        None => answer,
    })
}

/// The body of a request, which who reads it and who looks after the rest of it both have.
#[derive(Clone)]
pub(super) struct Chunked(Rc<RefCell<Source>>);

struct Source {
    payload: Payload,
    is_over: bool,
}

/// None: the request has no chunked body.
pub(super) fn watch(request: &mut ServiceRequest) -> Option<Chunked> {
    if !request.headers().contains_key(TRANSFER_ENCODING) {
        return None;
    }
    let payload = std::mem::replace(request.parts_mut().1, Payload::None);
    let chunked = Chunked(Rc::new(RefCell::new(Source { payload, is_over: false })));
    let reader: Pin<Box<dyn Stream<Item = _>>> = Box::pin(Reader(chunked.clone()));
    request.set_payload(reader.into());
    Some(chunked)
}

impl Chunked {
    /// What is left of the body stays for as long as the answer is written.
    pub(super) async fn held_by(self, mut answer: ServiceResponse<BoxBody>) -> ServiceResponse<BoxBody> {
        if self.0.borrow().is_over || answer.status() == StatusCode::SWITCHING_PROTOCOLS {
            return answer;
        }
        // All of a short one may have come with the request; actix looks before it goes on here, and then has nothing to close for.
        tokio::task::yield_now().await;
        // Of an answer without a body nothing is kept but its head.
        answer.response_mut().extensions_mut().insert(self.clone());
        answer.map_body(|_, body| Held { body, _unread: self }.boxed())
    }
}

struct Reader(Chunked);

impl Stream for Reader {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut source = self.0.0.borrow_mut();
        let polled = Pin::new(&mut source.payload).poll_next(cx);
        if let Poll::Ready(None | Some(Err(_))) = polled {
            source.is_over = true;
        }
        polled
    }
}

/// An answer's body, with the rest of its request's.
struct Held {
    body: BoxBody,
    _unread: Chunked,
}

impl MessageBody for Held {
    type Error = Box<dyn StdError>;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Pin::new(&mut self.body).poll_next(cx)
    }
}

#[cfg(test)]
#[path = "unread_tests.rs"]
mod tests;
