//! The dashboards, built into the binary from `dashboards/dist`. Built without them, the hub says how to build them.
//!
//! `index.html` is never cached, so that a new hub brings its new page; everything under `assets/` has its content's hash in its
//! name and is cached for good. A path that names no file is the page's own business, so it gets `index.html`. Brotli and gzip
//! forms were made at build and lie beside their files; a client gets the one it takes.

use actix_web::http::Method;
use actix_web::http::header::{ALLOW, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, HeaderMap, IF_NONE_MATCH, VARY};
use actix_web::{HttpRequest, HttpResponse};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rust_embed::{EmbeddedFile, RustEmbed};

use super::encoding::Accepted;
use super::error::ApiError;

#[derive(RustEmbed)]
#[folder = "dashboards/dist"]
#[allow_missing = true]
struct Built;

const NOT_BUILT: &str = include_str!("not_built.html");

pub(super) async fn serve(request: HttpRequest) -> Result<HttpResponse, ApiError> {
    match *request.method() {
        Method::GET => {}
        Method::OPTIONS => return Ok(HttpResponse::NoContent().insert_header((ALLOW, "GET, HEAD")).finish()),
        _ => return Err(ApiError::method_not_allowed(request.method().as_str(), request.path(), "GET, HEAD")),
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

/// The forms that a build lays beside a file, best first, and how their names end.
const FORMS: [(&str, &str); 2] = [("br", ".br"), ("gzip", ".gz")];

fn answer(request: &HttpRequest, path: &str, file: EmbeddedFile) -> HttpResponse {
    let mimetype = file.metadata.mimetype().to_owned();
    let (encoding, file) = smallest(request.headers(), path, file);
    let etag = format!("\"{}\"", URL_SAFE_NO_PAD.encode(file.metadata.sha256_hash()));
    let cache = if path.starts_with("assets/") { "public, max-age=31536000, immutable" } else { "no-cache" };
    let is_held = holds(request.headers(), &etag);
    let mut response = if is_held { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    response.insert_header((CACHE_CONTROL, cache)).insert_header((ETAG, etag)).insert_header((VARY, "accept-encoding"));
    if is_held {
        return response.finish();
    }
    if let Some(encoding) = encoding {
        response.insert_header((CONTENT_ENCODING, encoding));
    }
    response.insert_header((CONTENT_TYPE, mimetype)).body(file.data.into_owned())
}

fn smallest(headers: &HeaderMap, path: &str, plain: EmbeddedFile) -> (Option<&'static str>, EmbeddedFile) {
    let made = FORMS.into_iter().filter_map(|(name, ending)| Some((name, Built::get(&format!("{path}{ending}"))?)));
    let (names, mut files): (Vec<_>, Vec<_>) = made.unzip();
    match Accepted::of(headers).best(&names) {
        Some(best) => (Some(names[best]), files.swap_remove(best)),
        None => (None, plain),
    }
}

/// Whether the client has this form already. A proxy that packs or unpacks on the way marks the name as a weak one.
fn holds(headers: &HeaderMap, etag: &str) -> bool {
    let mut seen = headers.get_all(IF_NONE_MATCH).filter_map(|seen| seen.to_str().ok()).flat_map(|seen| seen.split(','));
    seen.any(|seen| matches!(seen.trim(), "*") || seen.trim().trim_start_matches("W/") == etag)
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    #[test]
    fn a_form_that_is_held_is_known_by_its_name() {
        for (seen, is_held) in
            [("\"a\"", true), ("W/\"a\"", true), ("\"b\", W/\"a\"", true), ("*", true), ("\"b\"", false), ("a", false), ("", false)]
        {
            let mut headers = HeaderMap::new();
            headers.insert(IF_NONE_MATCH, HeaderValue::from_str(seen).unwrap());
            assert_eq!(holds(&headers, "\"a\""), is_held, "{seen}");
        }
    }
}
