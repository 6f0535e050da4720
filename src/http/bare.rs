//! Answers for who takes less than GET over HTTP/1.1 gives: HEAD is GET without its body, and HTTP/1.0 knows no chunks.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use actix_http::ConnectionType;
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{CONTENT_LENGTH, HeaderMap, HeaderValue, TRANSFER_ENCODING, UPGRADE};
use actix_web::http::{Method, Version};
use actix_web::web::Bytes;

/// HEAD goes the way of GET, so that status and headers are the same, but to no other protocol. Says whether it was one.
pub(super) fn as_get(request: &mut ServiceRequest) -> bool {
    let is_head = *request.method() == Method::HEAD;
    if is_head {
        request.head_mut().method = Method::GET;
        request.headers_mut().remove(UPGRADE);
    }
    is_head
}

/// What of an answer may be sent.
pub(super) fn fit(answer: ServiceResponse<BoxBody>, is_head: bool, version: Version) -> ServiceResponse<BoxBody> {
    let size = answer.response().body().size();
    // The body goes with what writes it: nobody would read it.
    let mut answer = if is_head { answer.map_body(|_, body| without(body)) } else { answer };
    let head = answer.response_mut().head_mut();
    if size == BodySize::Stream && version < Version::HTTP_11 {
        // It ends with the connection.
        head.no_chunking(true);
        head.set_connection_type(ConnectionType::Close);
    } else if is_head && is_some(size) {
        head.no_chunking(true);
        tell_length(&mut head.headers, size);
    }
    answer
}

fn is_some(size: BodySize) -> bool {
    !matches!(size, BodySize::None | BodySize::Sized(0))
}

fn without(body: BoxBody) -> BoxBody {
    if is_some(body.size()) { NoBody.boxed() } else { body }
}

/// What the headers of GET say of the body. Actix would write them itself, and frame nothing to match when a GET is behind the HEAD in one
/// pipeline.
fn tell_length(headers: &mut HeaderMap, size: BodySize) {
    match size {
        BodySize::Sized(bytes) => headers.insert(CONTENT_LENGTH, HeaderValue::from(bytes)),
        _ => headers.insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked")),
    };
}

/// Of no length that is known, so that nothing but its headers is written.
struct NoBody;

impl MessageBody for NoBody {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, Infallible>>> {
        Poll::Ready(None)
    }
}
