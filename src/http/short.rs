//! Short bodies: read whole before anything is done with them, and given up when they take too long. Without that bound a client that
//! sends a byte now and then would hold its connection for good, before anybody asked who it is. Nor may a packed one be more in memory
//! than it may be long.

use std::time::Duration;

use actix_http::BoxedPayloadStream;
use actix_web::dev::Payload;
use actix_web::error::PayloadError;
use actix_web::http::header::CONTENT_ENCODING;
use actix_web::{Error, FromRequest, HttpRequest, web};
use bytes::Bytes;
use futures_util::future::LocalBoxFuture;
use futures_util::{StreamExt as _, stream};
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use super::error::{ApiError, ErrorCode};
use super::params::Object;
use crate::limits::{GZIP_STEP_BYTES, SHORT_BODY_WITHIN};

/// A body of JSON that is an object.
#[derive(Debug)]
pub struct JsonBody<T>(T);

impl<T> JsonBody<T> {
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T: DeserializeOwned + 'static> FromRequest for JsonBody<T> {
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<Self, Error>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let json = web::Json::<Object<T>>::from_request(request, &mut in_steps(request, payload));
        Box::pin(async move { Ok(Self(in_time(SHORT_BODY_WITHIN, json).await?.into_inner().0)) })
    }
}

/// A body as it is.
#[derive(Debug, Default)]
pub struct PlainBody(pub web::Bytes);

impl FromRequest for PlainBody {
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<Self, Error>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let bytes = web::Bytes::from_request(request, &mut in_steps(request, payload));
        Box::pin(async move { in_time(SHORT_BODY_WITHIN, bytes).await.map(Self) })
    }
}

/// actix-http (3.20) unpacks each piece of a body whole before anybody sees how long it became, and gzip grows to a thousandfold: of 128 KiB,
/// as it reads them, 128 MiB. So it gets small pieces.
fn in_steps(request: &HttpRequest, payload: &mut Payload) -> Payload {
    let body = payload.take();
    if !request.headers().contains_key(CONTENT_ENCODING) {
        return body;
    }
    let steps: BoxedPayloadStream = Box::pin(body.flat_map(|piece| stream::iter(piece.map_or_else(|error| vec![Err(error)], steps))));
    steps.into()
}

fn steps(mut piece: Bytes) -> Vec<Result<Bytes, PayloadError>> {
    let mut steps = Vec::with_capacity(piece.len().div_ceil(GZIP_STEP_BYTES));
    while !piece.is_empty() {
        steps.push(Ok(piece.split_to(piece.len().min(GZIP_STEP_BYTES))));
    }
    steps
}

async fn in_time<T>(within: Duration, body: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    timeout(within, body).await.unwrap_or_else(|_| {
        let message = format!("the body did not come within {} s", within.as_secs());
        Err(ApiError::new(ErrorCode::TooSlow, message).into())
    })
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use actix_web::test::TestRequest;
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use serde_json::Value as Json;

    use super::*;
    use crate::limits::JSON_BYTES;

    /// Never whole, and never silent for long.
    fn dripping() -> Payload {
        let drops = stream::unfold((), async |()| {
            tokio::task::yield_now().await;
            Some((Ok(Bytes::from_static(b"\n")), ()))
        });
        Payload::from(Box::pin(drops) as BoxedPayloadStream)
    }

    fn packed(text: &[u8]) -> Vec<u8> {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
        gzip.write_all(text).unwrap();
        gzip.finish().unwrap()
    }

    #[actix_web::test]
    async fn a_packed_body_is_unpacked_in_small_pieces_up_to_its_bound() {
        let bomb = packed(&vec![b' '; 64 << 20]);
        assert!(bomb.len() > 40 * GZIP_STEP_BYTES, "{}", bomb.len());
        let request = |body: Vec<u8>| {
            let request =
                TestRequest::default().insert_header((CONTENT_ENCODING, "gzip")).insert_header(("Content-Type", "application/json"));
            request.app_data(web::JsonConfig::default().limit(JSON_BYTES)).set_payload(body).to_http_parts()
        };
        let (asked, mut payload) = request(bomb.clone());
        let pieces: Vec<_> = in_steps(&asked, &mut payload).map(Result::unwrap).collect().await;
        assert!(pieces.iter().all(|piece| piece.len() <= GZIP_STEP_BYTES) && pieces.concat() == bomb);
        let (asked, mut payload) = request(bomb);
        let refused = JsonBody::<Json>::from_request(&asked, &mut payload).await.unwrap_err();
        assert_eq!(refused.as_response_error().status_code().as_u16(), 413, "{refused}");
        let (asked, mut payload) = request(packed(b"{\"a\":1}"));
        assert_eq!(JsonBody::<Json>::from_request(&asked, &mut payload).await.unwrap().into_inner()["a"], 1);
    }

    #[actix_web::test]
    async fn a_body_that_drips_is_given_up() {
        let request = TestRequest::default().app_data(web::PayloadConfig::new(usize::MAX)).to_http_request();
        let body = web::Bytes::from_request(&request, &mut dripping());
        let refused = in_time(Duration::from_millis(20), body).await.unwrap_err();
        assert!(refused.to_string().contains("did not come within"), "{refused}");
        assert_eq!(refused.as_response_error().status_code().as_u16(), 503);
    }
}
