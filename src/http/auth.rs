//! Who is asking: credentials in the order they count, as extractors that a handler names for the right it needs.
//!
//! 1. A connection over the hub's own unix socket: everything.
//! 2. `Authorization` (Bearer, Token, or Basic with the token as password), and nothing else if it is there.
//! 3. The session's cookie, under the rules for Origin and Host when the request changes something or opens a socket.
//! 4. For live alone, a ticket in the query, before the others.
//!
//! Invariant: credentials and query strings are never logged.

use std::net::SocketAddr;
use std::sync::Arc;

use actix_web::cookie::time::Duration as CookieAge;
use actix_web::cookie::{Cookie, SameSite};
use actix_web::dev::Payload;
use actix_web::http::Method;
use actix_web::http::header::{AUTHORIZATION, FORWARDED, HOST, HeaderName, ORIGIN, UPGRADE};
use actix_web::{FromRequest, HttpRequest, web};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use futures_util::future::LocalBoxFuture;

use super::error::{ApiError, ErrorCode};
use crate::auth::access::{Access, Role};
use crate::auth::origins::Origins;
use crate::auth::secret::{Hash, Secret};
use crate::auth::{Auth, By, Grant, local_access};
use crate::config::Config;
use crate::limits;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// What the checks need; one per hub, given to every request.
#[derive(Debug)]
pub struct Door {
    pub auth: Arc<Auth>,
    pub origins: Origins,
    cookie_name: String,
    /// Under TLS a browser must not send the cookie in the clear.
    secure: bool,
}

/// Marks a connection over `DATA/hub.sock`, whose file mode lets only the owner in. Put there by `on_connect`.
#[derive(Clone, Copy, Debug)]
pub struct LocalPeer;

impl Door {
    #[must_use]
    pub fn new(auth: Arc<Auth>, config: &Config, bound: SocketAddr) -> Self {
        let tls = config.listen.tls.is_some();
        let origins = Origins::new(&config.http.public_urls, bound, tls);
        // Also where a proxy does the TLS, if it is the only way in for browsers.
        let secure = origins.all_https();
        let cookie_name = format!("telltale_{}", auth.hub_id());
        Self { auth, origins, cookie_name, secure }
    }

    /// A link that logs its reader in. The code is in the fragment, which browsers do not send.
    #[must_use]
    pub fn login_link(&self, code: &Secret) -> String {
        format!("{}/#login={}", self.origins.first().map_or("", |url| url.as_str()), code.reveal())
    }

    #[must_use]
    pub fn session_cookie(&self, session: &Secret) -> Cookie<'static> {
        let age = CookieAge::try_from(limits::SESSION).expect("30 days fit");
        self.cookie(session.reveal().to_owned(), age)
    }

    /// Takes the cookie away.
    #[must_use]
    pub fn empty_cookie(&self) -> Cookie<'static> {
        self.cookie(String::new(), CookieAge::ZERO)
    }

    fn cookie(&self, value: String, age: CookieAge) -> Cookie<'static> {
        Cookie::build(self.cookie_name.clone(), value)
            .path("/")
            .http_only(true)
            .same_site(SameSite::Strict)
            .secure(self.secure)
            .max_age(age)
            .finish()
    }

    /// The rule for requests that a foreign page could make in a user's name.
    pub fn check_origin(&self, request: &HttpRequest) -> Result<(), ApiError> {
        self.origins.check(header(request, &ORIGIN), header(request, &HOST)).map_err(|error| ApiError::forbidden(error.to_string()))
    }
}

/// Somebody with valid credentials, whatever the role.
#[derive(Clone, Debug)]
pub struct Known {
    pub access: Access,
    pub by: Option<By>,
}

/// May see what its scope reaches: viewers and admins.
#[derive(Clone, Debug)]
pub struct Reader(pub Access);

/// May send readings: agents and admins.
#[derive(Clone, Debug)]
pub struct Writer(pub Access);

/// May see what its scope reaches over a live socket: a [`Reader`], or the bearer of a ticket.
#[derive(Clone, Debug)]
pub struct LiveReader(pub Access);

/// May change the hub: an admin whose token is not scoped, since tokens it made could reach beyond the scope.
#[derive(Clone, Debug)]
pub struct Admin(pub Access);

/// May read `/metrics`: anyone known, and without credentials only a program on this machine that is no proxy.
#[derive(Clone, Debug)]
pub struct Scraper(pub Option<Access>);

async fn known(request: &HttpRequest) -> Result<Option<Known>, ApiError> {
    if request.conn_data::<LocalPeer>().is_some() {
        return Ok(Some(Known { access: local_access(), by: None }));
    }
    let door = door(request);
    if let Some(value) = request.headers().get(AUTHORIZATION) {
        let token = value.to_str().ok().and_then(token_of).ok_or_else(|| {
            ApiError::new(ErrorCode::Unauthorized, "the Authorization header is not understood")
                .with_hint("send `Authorization: Bearer TOKEN`")
        })?;
        return match grant(&door.auth, Hash::of(&token), Auth::token).await? {
            Some(grant) => Ok(Some(Known { access: grant.access.clone(), by: Some(grant.by) })),
            None => Err(ApiError::new(ErrorCode::Unauthorized, "the token is unknown or was revoked")),
        };
    }
    let Some(cookie) = request.cookie(&door.cookie_name) else {
        return Ok(None);
    };
    if changes_or_upgrades(request) {
        door.check_origin(request)?;
    }
    let Some(grant) = grant(&door.auth, Hash::of(cookie.value()), Auth::session).await? else {
        return Ok(None);
    };
    if let (true, By::Session(id)) = (door.auth.touch_due(&grant), grant.by) {
        let auth = Arc::clone(&door.auth);
        // A full disk must not lock out those who look after it.
        if let Err(error) = web::block(move || auth.touch(id)).await? {
            tracing::warn!(%error, "the use of a session could not be noted");
        }
    }
    Ok(Some(Known { access: grant.access.clone(), by: Some(grant.by) }))
}

type Load = fn(&Auth, Hash) -> Result<Option<Arc<Grant>>, crate::catalog::CatalogError>;

async fn grant(auth: &Arc<Auth>, hash: Hash, load: Load) -> Result<Option<Arc<Grant>>, ApiError> {
    if let Some(grant) = auth.known(hash) {
        return Ok(Some(grant));
    }
    let auth = Arc::clone(auth);
    Ok(web::block(move || load(&auth, hash)).await??)
}

/// The token of `Bearer T`, `Token T` or `Basic base64(user:T)`.
fn token_of(authorization: &str) -> Option<String> {
    let (scheme, rest) = authorization.trim().split_once(' ')?;
    let rest = rest.trim();
    if scheme.eq_ignore_ascii_case("bearer") || scheme.eq_ignore_ascii_case("token") {
        return Some(rest.to_owned());
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(BASE64.decode(rest).ok()?).ok()?;
    Some(text.split_once(':')?.1.to_owned())
}

fn changes_or_upgrades(request: &HttpRequest) -> bool {
    !matches!(*request.method(), Method::GET | Method::HEAD) || request.headers().contains_key(UPGRADE)
}

fn header<'a>(request: &'a HttpRequest, name: &HeaderName) -> Option<&'a str> {
    request.headers().get(name).map(|value| value.to_str().unwrap_or("(not text)"))
}

fn door(request: &HttpRequest) -> &Door {
    request.app_data::<web::Data<Door>>().expect("App::build gives every request the Door")
}

fn nobody() -> ApiError {
    ApiError::new(ErrorCode::Unauthorized, "this needs a token or a session").with_hint("send `Authorization: Bearer TOKEN`, or log in")
}

fn wrong_role(needed: &str, access: &Access) -> ApiError {
    ApiError::forbidden(format!("this needs {needed}; \"{}\" has the role {}", access.name(), access.role().as_str()))
}

/// `live?ticket=T`. The value of a secret needs no decoding.
fn ticket(request: &HttpRequest) -> Option<&str> {
    request.query_string().split('&').find_map(|pair| pair.strip_prefix("ticket="))
}

macro_rules! extractor {
    ($name:ty, $check:expr) => {
        impl FromRequest for $name {
            type Error = ApiError;
            type Future = LocalBoxFuture<'static, Result<Self, ApiError>>;

            fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
                let request = request.clone();
                Box::pin(async move { $check(&request, known(&request).await?) })
            }
        }
    };
}

extractor!(Known, |_: &HttpRequest, known: Option<Known>| known.ok_or_else(nobody));

extractor!(Reader, |_: &HttpRequest, known: Option<Known>| {
    let access = known.ok_or_else(nobody)?.access;
    if access.role().may_read() { Ok(Self(access)) } else { Err(wrong_role("a viewer or an admin", &access)) }
});

extractor!(Writer, |_: &HttpRequest, known: Option<Known>| {
    let access = known.ok_or_else(nobody)?.access;
    if access.role().may_write() { Ok(Self(access)) } else { Err(wrong_role("an agent or an admin", &access)) }
});

extractor!(Admin, |_: &HttpRequest, known: Option<Known>| {
    let access = known.ok_or_else(nobody)?.access;
    if access.role() != Role::Admin {
        return Err(wrong_role("an admin", &access));
    }
    if !access.scope().is_everything() {
        return Err(ApiError::forbidden("this needs an admin without --devices and --select"));
    }
    Ok(Self(access))
});

extractor!(Scraper, |request: &HttpRequest, known: Option<Known>| {
    if let Some(known) = known {
        return Ok(Self(Some(known.access)));
    }
    let local = request.peer_addr().is_some_and(|peer| peer.ip().to_canonical().is_loopback());
    let proxied = request.headers().contains_key(FORWARDED) || request.headers().contains_key(FORWARDED_FOR);
    if local && !proxied { Ok(Self(None)) } else { Err(nobody()) }
});

impl FromRequest for LiveReader {
    type Error = ApiError;
    type Future = LocalBoxFuture<'static, Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        if let Some(ticket) = ticket(request) {
            let access = door(request).auth.use_ticket(ticket);
            let refused = || ApiError::new(ErrorCode::Unauthorized, "the ticket is unknown, used or older than 30 s");
            return Box::pin(async move { access.map(Self).ok_or_else(refused) });
        }
        let reader = Reader::from_request(request, payload);
        Box::pin(async move { reader.await.map(|reader| Self(reader.0)) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_taken_from_each_form_of_the_header() {
        let rows = [
            ("Bearer tt_x", Some("tt_x")),
            ("bearer  tt_x ", Some("tt_x")),
            ("Token tt_x", Some("tt_x")),
            ("Basic dXNlcjp0dF94", Some("tt_x")),
            ("Basic dXNlcg==", None),
            ("Basic ???", None),
            ("Digest tt_x", None),
            ("tt_x", None),
        ];
        for (header, token) in rows {
            assert_eq!(token_of(header).as_deref(), token, "{header}");
        }
    }
}
