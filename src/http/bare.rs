//! Answers for who takes less than GET over HTTP/1.1 gives: HEAD is GET without its body, and HTTP/1.0 knows no chunks.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use actix_http::ConnectionType;
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::{Method, Version};
use actix_web::web::Bytes;

/// HEAD goes the way of GET, so that status and headers are the same. Says whether it was one.
pub(super) fn as_get(request: &mut ServiceRequest) -> bool {
    let is_head = *request.method() == Method::HEAD;
    if is_head {
        request.head_mut().method = Method::GET;
    }
    is_head
}

/// What of an answer may be sent.
pub(super) fn fit(answer: ServiceResponse<BoxBody>, is_head: bool, version: Version) -> ServiceResponse<BoxBody> {
    // The body goes with what writes it: nobody would read it.
    let mut answer = if is_head { answer.map_body(|_, body| NoBody(body.size()).boxed()) } else { answer };
    if version < Version::HTTP_11 && answer.response().body().size() == BodySize::Stream {
        // It ends with the connection.
        let head = answer.response_mut().head_mut();
        head.no_chunking(true);
        head.set_connection_type(ConnectionType::Close);
    }
    answer
}

/// As long as the one that is left out, for the headers.
struct NoBody(BodySize);

impl MessageBody for NoBody {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        self.0
    }

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, Infallible>>> {
        Poll::Ready(None)
    }
}
