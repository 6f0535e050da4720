//! The dashboards, built into the binary from `dashboards/dist`. Built without them, the hub says how to build them.
//!
//! `index.html` is never cached, so that a new hub brings its new page; everything under `assets/` has its content's hash in its
//! name and is cached for good. A path that names no file is the page's own business, so it gets `index.html`.

use actix_web::http::Method;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use actix_web::{HttpRequest, HttpResponse};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rust_embed::{EmbeddedFile, RustEmbed};

use super::error::ApiError;

#[derive(RustEmbed)]
#[folder = "dashboards/dist"]
#[allow_missing = true]
struct Built;

const NOT_BUILT: &str = include_str!("not_built.html");

pub(super) async fn serve(request: HttpRequest) -> Result<HttpResponse, ApiError> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return Err(ApiError::method_not_allowed(request.method().as_str(), request.path(), "GET, HEAD"));
    }
    let path = request.path().trim_start_matches('/');
    if let Some(file) = Built::get(path).filter(|_| !path.is_empty()) {
        return Ok(answer(&request, path, file));
    }
    // A name with an ending is a file that should be there; a page's own path has none.
    if path.rsplit('/').next().is_some_and(|name| name.contains('.')) {
        return Err(ApiError::not_found(format!("there is no /{path}")));
    }
    match Built::get("index.html") {
        Some(file) => Ok(answer(&request, "index.html", file)),
        None => Ok(HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-cache")).content_type("text/html; charset=utf-8").body(NOT_BUILT)),
    }
}

fn answer(request: &HttpRequest, path: &str, file: EmbeddedFile) -> HttpResponse {
    let etag = format!("\"{}\"", URL_SAFE_NO_PAD.encode(file.metadata.sha256_hash()));
    let cache = if path.starts_with("assets/") { "public, max-age=31536000, immutable" } else { "no-cache" };
    if request.headers().get(IF_NONE_MATCH).is_some_and(|seen| seen.as_bytes() == etag.as_bytes()) {
        return HttpResponse::NotModified().insert_header((ETAG, etag)).insert_header((CACHE_CONTROL, cache)).finish();
    }
    HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, cache))
        .insert_header((ETAG, etag))
        .insert_header((CONTENT_TYPE, file.metadata.mimetype().to_owned()))
        .body(file.data.into_owned())
}
