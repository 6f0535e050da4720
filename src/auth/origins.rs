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
        let names = [bound.to_string(), format!("127.0.0.1:{port}"), format!("[::1]:{port}"), format!("localhost:{port}")];
        let mut urls: Vec<PublicUrl> = Vec::new();
        for url in names.iter().filter_map(|name| PublicUrl::parse(&format!("{scheme}://{name}"))) {
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
