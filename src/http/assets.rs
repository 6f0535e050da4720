//! The dashboards, built into the binary from `dashboards/dist`. Built without them, the hub says how to build them.
//!
//! `index.html` is never cached, so that a new hub brings its new page; everything under `assets/` has its content's hash in its
//! name and is cached for good. A path that names no file is the page's own business, so it gets `index.html`. Brotli and gzip
//! forms were made at build and lie beside their files; a client gets the one it takes.

use actix_web::http::Method;
use actix_web::http::header::{ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, IF_NONE_MATCH, VARY};
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

/// The forms that a build lays beside a file, best first.
const FORMS: [(&str, &str); 2] = [("br", ".br"), ("gzip", ".gz")];

fn answer(request: &HttpRequest, path: &str, file: EmbeddedFile) -> HttpResponse {
    let mimetype = file.metadata.mimetype().to_owned();
    let (encoding, file) = smallest(request, path, file);
    let etag = format!("\"{}\"", URL_SAFE_NO_PAD.encode(file.metadata.sha256_hash()));
    let cache = if path.starts_with("assets/") { "public, max-age=31536000, immutable" } else { "no-cache" };
    let is_held = request.headers().get(IF_NONE_MATCH).is_some_and(|seen| seen.as_bytes() == etag.as_bytes());
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

fn smallest(request: &HttpRequest, path: &str, plain: EmbeddedFile) -> (Option<&'static str>, EmbeddedFile) {
    let takes = request.headers().get(ACCEPT_ENCODING).and_then(|accepts| accepts.to_str().ok()).unwrap_or_default();
    let found = FORMS.into_iter().filter(|(name, _)| accepts(takes, name));
    let form = found.into_iter().find_map(|(name, ending)| Some((Some(name), Built::get(&format!("{path}{ending}"))?)));
    form.unwrap_or((None, plain))
}

/// Whether an `Accept-Encoding` names this form, and not with a weight of nothing.
fn accepts(header: &str, form: &str) -> bool {
    header.split(',').any(|entry| {
        let mut parts = entry.split(';').map(str::trim);
        let is_named = parts.next().is_some_and(|name| name.eq_ignore_ascii_case(form));
        is_named && !parts.any(|part| part.strip_prefix("q=").is_some_and(|weight| weight.parse() == Ok(0.0)))
    })
}

#[cfg(test)]
mod tests {
    use super::accepts;

    #[test]
    fn a_form_is_taken_where_it_is_named_with_a_weight() {
        for (header, form, taken) in [
            ("gzip, deflate, br, zstd", "br", true),
            ("gzip;q=0.5, BR;q=1.0", "br", true),
            ("br;q=0, gzip", "br", false),
            ("br; q=0.000", "br", false),
            ("brotli", "br", false),
            ("", "gzip", false),
            ("*", "gzip", false),
        ] {
            assert_eq!(accepts(header, form), taken, "{header:?} {form}");
        }
    }
}
