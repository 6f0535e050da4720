//! Which pages may speak for a user: the addresses a browser reaches the hub at, and the rule for a cookie.
//!
//! Invariant: a request that brings a cookie and can change something, or opens a socket, passes only with an Origin from the
//! list and a Host on it. A foreign page cannot forge either, and a name that was re-bound to this address is not on the list.

use std::net::SocketAddr;

use url::Url;

/// Scheme, host and port as a browser writes them in Origin and Host (default ports left out).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicUrl {
    origin: String,
    host: String,
}

impl PublicUrl {
    /// None unless it is http or https with a host and nothing after it.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"))?;
        let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
        let nobody = url.username().is_empty() && url.password().is_none();
        if !(bare && nobody) {
            return None;
        }
        let host = match (url.host_str()?, url.port()) {
            (host, Some(port)) => format!("{host}:{port}"),
            (host, None) => host.to_owned(),
        };
        Some(Self { origin: url.origin().ascii_serialization(), host })
    }

    /// Without a slash at the end.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.origin
    }
}

/// The list that Origin and Host are held against.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origins(Vec<PublicUrl>);

/// Why a request with a cookie was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OriginError {
    #[error("a request with a cookie needs an Origin header; programs use a token (Authorization: Bearer) or a ticket")]
    NoOrigin,
    #[error("the Origin {0:?} is not one of this hub's addresses; add it to [http] public_urls if it is")]
    Origin(String),
    #[error("the Host {0:?} is not one of this hub's addresses; add it to [http] public_urls if it is")]
    Host(String),
}

impl Origins {
    /// `public` if there are any; else the address that was bound and the loopback names with its port.
    #[must_use]
    pub fn new(public: &[PublicUrl], bound: SocketAddr, tls: bool) -> Self {
        if !public.is_empty() {
            return Self(public.to_vec());
        }
        let scheme = if tls { "https" } else { "http" };
        let port = bound.port();
        // 0.0.0.0 is no address that a browser could be at.
        let address = if bound.ip().is_unspecified() { None } else { Some(bound.to_string()) };
        let loopback = [format!("127.0.0.1:{port}"), format!("[::1]:{port}"), format!("localhost:{port}")];
        let mut urls: Vec<PublicUrl> = Vec::new();
        for url in address.iter().chain(&loopback).filter_map(|name| PublicUrl::parse(&format!("{scheme}://{name}"))) {
            if !urls.contains(&url) {
                urls.push(url);
            }
        }
        Self(urls)
    }

    /// Where a link for a person should point.
    #[must_use]
    pub fn first(&self) -> Option<&PublicUrl> {
        self.0.first()
    }

    #[must_use]
    pub fn all_https(&self) -> bool {
        self.0.iter().all(|url| url.origin.starts_with("https:"))
    }

    /// The rule for a request that brings a cookie and changes something or opens a socket.
    pub fn check(&self, origin: Option<&str>, host: Option<&str>) -> Result<(), OriginError> {
        let origin = origin.ok_or(OriginError::NoOrigin)?;
        if !self.0.iter().any(|url| url.origin == origin) {
            return Err(OriginError::Origin(origin.to_owned()));
        }
        let host = host.unwrap_or_default();
        if !self.0.iter().any(|url| url.host.eq_ignore_ascii_case(host)) {
            return Err(OriginError::Host(host.to_owned()));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_url_is_scheme_host_and_port() {
        let rows = [
            ("https://hub.example", Some(("https://hub.example", "hub.example"))),
            ("https://hub.example:443/", Some(("https://hub.example", "hub.example"))),
            ("http://HUB.example:8080", Some(("http://hub.example:8080", "hub.example:8080"))),
            ("http://[::1]:80", Some(("http://[::1]", "[::1]"))),
            ("ftp://hub.example", None),
            ("hub.example", None),
            ("https://hub.example/path", None),
            ("https://hub.example/?q", None),
            ("https://me@hub.example", None),
            ("*", None),
        ];
        for (text, wanted) in rows {
            let url = PublicUrl::parse(text);
            assert_eq!(url.as_ref().map(|url| (url.origin.as_str(), url.host.as_str())), wanted, "{text}");
        }
    }

    #[test]
    fn origin_and_host_must_both_be_on_the_list() {
        const OK: &str = "";
        let local = Origins::new(&[], "127.0.0.1:8080".parse().unwrap(), false);
        let tls = Origins::new(&[], "192.0.2.7:443".parse().unwrap(), true);
        let public = Origins::new(&[PublicUrl::parse("https://hub.example").unwrap()], "127.0.0.1:8080".parse().unwrap(), false);
        let rows = [
            (&local, Some("http://127.0.0.1:8080"), Some("127.0.0.1:8080"), OK),
            (&local, Some("http://localhost:8080"), Some("localhost:8080"), OK),
            (&local, Some("http://localhost:8080"), Some("LOCALHOST:8080"), OK),
            (&local, Some("http://[::1]:8080"), Some("127.0.0.1:8080"), OK),
            (&local, None, Some("127.0.0.1:8080"), "needs an Origin"),
            (&local, Some("null"), Some("127.0.0.1:8080"), "Origin \"null\""),
            (&local, Some("http://evil.example"), Some("127.0.0.1:8080"), "Origin \"http://evil.example\""),
            (&local, Some("https://127.0.0.1:8080"), Some("127.0.0.1:8080"), "Origin \"https://127.0.0.1:8080\""),
            (&local, Some("http://127.0.0.1:8081"), Some("127.0.0.1:8080"), "Origin \"http://127.0.0.1:8081\""),
            (&local, Some("http://127.0.0.1:8080.evil.example"), Some("127.0.0.1:8080"), "Origin"),
            (&local, Some("http://127.0.0.1:8080"), Some("rebound.example:8080"), "Host \"rebound.example:8080\""),
            (&local, Some("http://127.0.0.1:8080"), None, "Host \"\""),
            (&tls, Some("https://192.0.2.7"), Some("192.0.2.7"), OK),
            (&tls, Some("http://192.0.2.7"), Some("192.0.2.7"), "Origin"),
            (&public, Some("https://hub.example"), Some("hub.example"), OK),
            (&public, Some("http://127.0.0.1:8080"), Some("127.0.0.1:8080"), "Origin"),
        ];
        for (origins, origin, host, wanted) in rows {
            let answer = origins.check(origin, host).map_or_else(|error| error.to_string(), |()| OK.to_owned());
            assert!(if wanted == OK { answer == OK } else { answer.contains(wanted) }, "{origin:?} {host:?}: {answer}");
        }
    }

    #[test]
    fn a_link_for_a_person_never_points_at_the_unspecified_address() {
        let first = |bound: &str| Origins::new(&[], bound.parse().unwrap(), false).first().unwrap().as_str().to_owned();
        assert_eq!(first("127.0.0.1:43127"), "http://127.0.0.1:43127");
        assert_eq!(first("[::1]:80"), "http://[::1]");
        assert_eq!(first("0.0.0.0:8080"), "http://127.0.0.1:8080");
    }
}
