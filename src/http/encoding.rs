//! Which answers are compressed: long ones, by gzip, for who takes it. Deflate is left out, since clients read it in two ways; a client that
//! takes none gets the answer as it is, and no refusal.

use actix_web::http::header::{ACCEPT_ENCODING, HeaderMap, HeaderValue};

/// Leaves of `Accept-Encoding` what counts here: gzip, or nothing.
pub(super) fn keep_gzip(headers: &mut HeaderMap) {
    if !headers.contains_key(ACCEPT_ENCODING) {
        return;
    }
    let takes_gzip = headers.get_all(ACCEPT_ENCODING).filter_map(|value| value.to_str().ok()).any(takes_gzip);
    headers.remove(ACCEPT_ENCODING);
    if takes_gzip {
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
    }
}

fn takes_gzip(accept: &str) -> bool {
    accept.split(',').any(|part| {
        let mut words = part.split(';').map(str::trim);
        let is_gzip = words.next().is_some_and(|name| ["gzip", "x-gzip", "*"].iter().any(|known| name.eq_ignore_ascii_case(known)));
        let weight = words.find_map(|word| word.strip_prefix("q=")).map_or(Ok(1.0), str::parse::<f32>);
        is_gzip && weight.is_ok_and(|weight| weight > 0.0)
    })
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
