//! Which answers are compressed: long ones, by gzip, for who takes it. Deflate is left out, since clients read it in two ways; a client that
//! takes none gets the answer as it is, and no refusal.

use actix_web::http::header::{ACCEPT_ENCODING, HeaderMap, HeaderValue, VARY};
use actix_web::middleware::DefaultHeaders;

/// For the answers that are compressed for some: a cache must not give one's to another, the plain ones neither.
pub(super) fn varies() -> DefaultHeaders {
    DefaultHeaders::new().add((VARY, "accept-encoding"))
}

/// Leaves of `Accept-Encoding` what counts here: gzip, or nothing.
pub(super) fn keep_gzip(headers: &mut HeaderMap) {
    if !headers.contains_key(ACCEPT_ENCODING) {
        return;
    }
    let values: Vec<_> = headers.get_all(ACCEPT_ENCODING).filter_map(|value| value.to_str().ok()).collect();
    let takes_gzip = takes_gzip(&values.join(","));
    headers.remove(ACCEPT_ENCODING);
    if takes_gzip {
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
    }
}

/// `*` is what is not named.
fn takes_gzip(accept: &str) -> bool {
    let parts: Vec<_> = accept.split(',').map(wanted).collect();
    let of = |names: &[&str]| {
        let mut named = parts.iter().filter(|(name, _)| names.iter().any(|known| name.eq_ignore_ascii_case(known))).peekable();
        named.peek().is_some().then(|| named.any(|(_, is_wanted)| *is_wanted))
    };
    of(&["gzip", "x-gzip"]).or_else(|| of(&["*"])).unwrap_or(false)
}

/// A name, and whether its weight is more than none.
fn wanted(part: &str) -> (&str, bool) {
    let mut words = part.split(';').map(str::trim);
    let name = words.next().unwrap_or_default();
    let weight = words.find_map(|word| word.strip_prefix("q=").or_else(|| word.strip_prefix("Q=")));
    (name, weight.map_or(Ok(1.0), str::parse::<f32>).is_ok_and(|weight| weight > 0.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_what_counts() {
        let rows = [
            ("gzip, deflate, br, zstd", true),
            ("br;q=1.0, GZIP;q=0.1", true),
            ("*", true),
            ("x-gzip", true),
            ("gzip;q=0", false),
            ("gzip; q=x", false),
            ("br, deflate", false),
            ("identity;q=0, br", false),
            ("gzip;q=0, *", false),
            ("*, gzip;q=0", false),
            ("gzip;Q=0", false),
            ("GZIP; Q=0.5, *;q=0", true),
            ("*;q=0", false),
            ("", false),
        ];
        for (accept, expected) in rows {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT_ENCODING, HeaderValue::from_str(accept).unwrap());
            keep_gzip(&mut headers);
            let left = headers.get(ACCEPT_ENCODING).map(|value| value.to_str().unwrap().to_owned());
            assert_eq!(left.as_deref(), expected.then_some("gzip"), "{accept}");
        }
    }
}
