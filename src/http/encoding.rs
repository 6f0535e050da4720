//! In which form an answer goes out: what `Accept-Encoding` says (RFC 9110, 12.5.3), for the files of the page, which were packed at build,
//! and for long answers, which are packed by gzip as they are streamed. Deflate is not made, since clients read it in two ways. A client
//! that takes none of what there is gets the answer as it is, and no refusal.

use actix_web::http::header::{ACCEPT_ENCODING, HeaderMap, HeaderValue, VARY};
use actix_web::middleware::DefaultHeaders;

const IDENTITY: &str = "identity";
/// A weight in thousandths, as it is written at its finest.
const MOST: u16 = 1000;

/// For the answers that are packed for some: a cache must not give one's to another, the plain ones neither.
pub(super) fn varies() -> DefaultHeaders {
    DefaultHeaders::new().add((VARY, "accept-encoding"))
}

/// Leaves of `Accept-Encoding` what counts for streamed answers: gzip, or nothing.
pub(super) fn keep_gzip(headers: &mut HeaderMap) {
    let takes_gzip = Accepted::of(headers).best(&["gzip"]).is_some();
    headers.remove(ACCEPT_ENCODING);
    if takes_gzip {
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
    }
}

/// The forms that a client takes, each with its weight.
#[derive(Debug)]
pub(super) struct Accepted(Vec<(String, u16)>);

impl Accepted {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let values = headers.get_all(ACCEPT_ENCODING).filter_map(|value| value.to_str().ok());
        Self(values.flat_map(|value| value.split(',')).filter_map(entry).collect())
    }

    /// Which of the packed forms at hand to send, by its place; where the client does not care the first of them. None: as it is.
    pub(super) fn best(&self, forms: &[&str]) -> Option<usize> {
        // As it is, it is taken unless that is ruled out; but what the client names goes before what it only does not rule out.
        let mut best = (self.weight(IDENTITY).unwrap_or(0), None);
        for (place, form) in forms.iter().enumerate() {
            let weight = self.weight(form).unwrap_or(0);
            if weight > best.0 || (weight == best.0 && weight > 0 && best.1.is_none()) {
                best = (weight, Some(place));
            }
        }
        best.1
    }

    /// None: nothing is said of it. Of one that is named twice the first counts; `*` is what is not named.
    fn weight(&self, form: &str) -> Option<u16> {
        let of = |name: &str| self.0.iter().find(|(known, _)| known == name).map(|(_, weight)| *weight);
        of(form).or_else(|| of("*"))
    }
}

/// A name in lower case and its weight. None: not in the form that the RFC has.
fn entry(text: &str) -> Option<(String, u16)> {
    let (name, parameter) = match text.split_once(';') {
        Some((name, parameter)) => (name, Some(parameter.trim())),
        None => (text, None),
    };
    let name = match name.trim().to_ascii_lowercase() {
        name if name == "x-gzip" => "gzip".to_owned(),
        name if name.is_empty() => return None,
        name => name,
    };
    let weight = match parameter {
        Some(parameter) => thousandths(parameter.strip_prefix("q=").or_else(|| parameter.strip_prefix("Q="))?)?,
        None => MOST,
    };
    Some((name, weight))
}

/// `0`, `1`, or with up to three digits behind the point.
fn thousandths(text: &str) -> Option<u16> {
    let (whole, rest) = text.split_once('.').unwrap_or((text, ""));
    if !matches!(whole, "0" | "1") || rest.len() > 3 || !rest.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let weight = whole.parse::<u16>().ok()? * MOST + format!("{rest:0<3}").parse::<u16>().ok()?;
    (weight <= MOST).then_some(weight)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(ACCEPT_ENCODING, HeaderValue::from_str(line).unwrap());
        }
        headers
    }

    #[test]
    fn the_form_with_the_most_weight_is_sent() {
        let rows: &[(&[&str], &str)] = &[
            (&[], ""),
            (&[""], ""),
            (&["gzip, deflate, br, zstd"], "br"),
            (&["gzip;q=0.5, BR;q=1.0"], "br"),
            (&["gzip;q=1.0, br;q=0.9"], "gzip"),
            (&["br;q=0, gzip"], "gzip"),
            (&["br; q=0.000 , gzip ; q=0.001"], "gzip"),
            (&["x-gzip"], "gzip"),
            (&["brotli"], ""),
            (&["*"], "br"),
            (&["*;q=0"], ""),
            (&["br;q=0, *"], "gzip"),
            (&["*, br;q=0"], "gzip"),
            (&["gzip;q=0.5, *;q=0"], "gzip"),
            (&["*;q=0.5, gzip;q=0.7"], "gzip"),
            (&["identity"], ""),
            (&["identity, gzip;q=0.5"], ""),
            (&["identity;q=0.5, gzip;q=0.5"], "gzip"),
            (&["identity;q=0, gzip;q=0.1"], "gzip"),
            (&["identity;q=0, *;q=0.1"], "br"),
            (&["identity;q=0"], ""),
            (&["gzip;q=x"], ""),
            (&["gzip;q=1.001, br;q=0.1234, deflate"], ""),
            (&["gzip;Q=0"], ""),
            (&["gzip;level=1"], ""),
            (&["gzip;q=0, gzip"], ""),
            (&["deflate", "gzip"], "gzip"),
        ];
        for (lines, expected) in rows {
            let forms = ["br", "gzip"];
            let best = Accepted::of(&headers(lines)).best(&forms).map_or("", |place| forms[place]);
            assert_eq!(best, *expected, "{lines:?}");
        }
    }

    #[test]
    fn streamed_answers_know_gzip_alone() {
        for (accept, expected) in
            [("gzip, br", true), ("br, deflate", false), ("br, gzip;q=0.1", true), ("br, identity;q=0", false), ("*", true)]
        {
            let mut headers = headers(&[accept]);
            keep_gzip(&mut headers);
            let left = headers.get(ACCEPT_ENCODING).map(|value| value.to_str().unwrap().to_owned());
            assert_eq!(left.as_deref(), expected.then_some("gzip"), "{accept}");
        }
    }
}
