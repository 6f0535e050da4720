//! Who may do what: tokens, sessions, login links, tickets, and the rules for Origin and Host.
//!
//! [`Auth`] keeps what is in use in memory, so that a known token costs one look-up in a map; an unknown one is looked for in the
//! catalog at once, since `telltale token create` writes it there from outside. A watch notices every change of the catalog
//! within [`WATCH_EVERY`] and ends the [`Access`] of what was revoked.
//!
//! Invariant: no secret is kept or logged, only its hash. Lock order: `loading` before `grants`; neither over an await.

pub mod access;
pub mod origins;
pub mod secret;
mod tickets;
mod watch;

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use parking_lot::{Mutex, RwLock};
use rustc_hash::{FxHashMap, FxHashSet};

use self::access::{Access, Role, Scope};
use self::secret::{Hash, Secret};
use self::tickets::Tickets;
use crate::catalog::tokens::{Session, SessionId, Token, TokenSpec};
use crate::catalog::{Catalog, CatalogError};
use crate::clock::Clock;
use crate::limits;
use crate::model::{TimeNs, TokenId};

/// How often the catalog is looked at for changes by others. A revoked token is noticed within a second.
pub const WATCH_EVERY: Duration = Duration::from_millis(400);
/// A session's last use is written down at most this often.
const TOUCH_EVERY: Duration = Duration::from_secs(3600);

/// Somebody let in, and by what.
#[derive(Debug)]
pub struct Grant {
    pub access: Access,
    pub by: By,
    /// When the session was last used, as far as the catalog knows; unused for tokens.
    touched: AtomicI64,
    end: tokio::sync::watch::Sender<bool>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum By {
    Token(TokenId),
    Session(SessionId),
}

#[derive(Debug)]
pub struct Auth {
    inner: Arc<Inner>,
    _watch: watch::Watch,
}

#[derive(Debug)]
struct Inner {
    catalog: Arc<Catalog>,
    clock: Clock,
    grants: RwLock<FxHashMap<Hash, Arc<Grant>>>,
    /// Held from reading the catalog until `grants` shows it, so that a revocation cannot slip in between and be missed.
    loading: Mutex<()>,
    tickets: Mutex<Tickets>,
    hub_id: String,
}

impl Auth {
    /// Reads the hub's id and starts the watch.
    pub fn open(catalog: Arc<Catalog>, clock: Clock) -> Result<Self, CatalogError> {
        let hub_id = catalog.hub_id()?;
        let watched = catalog.reopen()?;
        let inner =
            Arc::new(Inner { catalog, clock, grants: RwLock::default(), loading: Mutex::default(), tickets: Mutex::default(), hub_id });
        let watch = watch::Watch::start(watched, Arc::clone(&inner))?;
        Ok(Self { inner, _watch: watch })
    }

    #[must_use]
    pub fn hub_id(&self) -> &str {
        &self.inner.hub_id
    }

    /// A token or session that is in use already. Does not block.
    #[must_use]
    pub fn known(&self, hash: Hash) -> Option<Arc<Grant>> {
        self.inner.grants.read().get(&hash).filter(|grant| !grant.access.has_ended()).cloned()
    }

    /// Blocks on the catalog. None: there is no such token.
    pub fn token(&self, hash: Hash) -> Result<Option<Arc<Grant>>, CatalogError> {
        self.inner.load(hash, |inner| {
            let Some(token) = inner.catalog.token(hash)? else {
                return Ok(None);
            };
            Ok(Some(inner.grant(By::Token(token.id), token.spec.role, Some(&token), 0)?))
        })
    }

    /// Blocks on the catalog. None: there is no such session, or it was not used for too long.
    pub fn session(&self, hash: Hash) -> Result<Option<Arc<Grant>>, CatalogError> {
        self.inner.load(hash, |inner| {
            let Some(session) = inner.catalog.session(hash, inner.sessions_since())? else {
                return Ok(None);
            };
            Ok(Some(inner.grant_of_session(&session)?))
        })
    }

    /// Whether the session's use should be written down now; true at most once per [`TOUCH_EVERY`].
    #[must_use]
    pub fn touch_due(&self, grant: &Grant) -> bool {
        let now = self.inner.clock.now();
        let touched = grant.touched.load(Ordering::Relaxed);
        matches!(grant.by, By::Session(_))
            && now.saturating_sub(touched) > ns(TOUCH_EVERY)
            && grant.touched.compare_exchange(touched, now, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    /// Blocks on the catalog.
    pub fn touch(&self, id: SessionId) -> Result<(), CatalogError> {
        self.inner.catalog.touch_session(id, self.inner.clock.now())
    }

    /// Makes a token; its secret is known to nobody else from here on. The spec's scope was checked. Blocks.
    pub fn create_token(&self, spec: TokenSpec) -> Result<(Secret, Token), CatalogError> {
        create_token(&self.inner.catalog, spec, self.inner.clock.now())
    }

    pub fn tokens(&self) -> Result<Vec<Token>, CatalogError> {
        self.inner.catalog.tokens()
    }

    pub fn revoke_token(&self, id: TokenId) -> Result<bool, CatalogError> {
        let revoked = self.inner.catalog.revoke_token(id, self.inner.clock.now())?;
        self.inner.refresh()?;
        Ok(revoked)
    }

    pub fn sessions(&self) -> Result<Vec<Session>, CatalogError> {
        self.inner.catalog.sessions(self.inner.sessions_since())
    }

    pub fn end_session(&self, id: SessionId) -> Result<bool, CatalogError> {
        let ended = self.inner.catalog.end_session(id)?;
        self.inner.refresh()?;
        Ok(ended)
    }

    /// Whether nobody can manage this hub from a browser yet, so that `serve` should print a login link.
    pub fn login_due(&self) -> Result<bool, CatalogError> {
        Ok(!self.sessions()?.iter().any(|session| session.role == Role::Admin))
    }

    /// A code for one login within [`limits::LOGIN_CODE`]. Blocks.
    pub fn create_login_code(&self, role: Role) -> Result<Secret, CatalogError> {
        let code = Secret::login_code()?;
        let now = self.inner.clock.now();
        let expires = now + ns(limits::LOGIN_CODE);
        self.inner.catalog.create_login_code(code.hash(), role, expires, now, self.inner.sessions_since())?;
        Ok(code)
    }

    /// Opens a session for a login code. None: unknown, used or expired. Blocks.
    pub fn login_by_code(&self, code: &str, client: &str) -> Result<Option<Secret>, CatalogError> {
        let session = Secret::session()?;
        let opened = self.inner.catalog.redeem_login_code(Hash::of(code), session.hash(), &cut(client), self.inner.clock.now())?;
        Ok(opened.map(|_| session))
    }

    /// Opens a session with the role and scope of a token. It ends with the token. None: no such token. Blocks.
    pub fn login_by_token(&self, token: &str, client: &str) -> Result<Option<Secret>, CatalogError> {
        let Some(token) = self.inner.catalog.token(Hash::of(token))? else {
            return Ok(None);
        };
        let session = Secret::session()?;
        let now = self.inner.clock.now();
        self.inner.catalog.create_session(session.hash(), token.spec.role, Some(token.id), &cut(client), now)?;
        Ok(Some(session))
    }

    /// A ticket for one live socket within [`limits::LIVE_TICKET`], with the access of whoever asks.
    pub fn create_ticket(&self, access: Access) -> Result<Secret, CatalogError> {
        let ticket = Secret::ticket()?;
        self.inner.tickets.lock().add(ticket.hash(), access, self.inner.clock.now());
        Ok(ticket)
    }

    #[must_use]
    pub fn use_ticket(&self, ticket: &str) -> Option<Access> {
        self.inner.tickets.lock().take(Hash::of(ticket), self.inner.clock.now())
    }
}

impl Inner {
    fn load(
        &self,
        hash: Hash,
        find: impl FnOnce(&Self) -> Result<Option<Grant>, CatalogError>,
    ) -> Result<Option<Arc<Grant>>, CatalogError> {
        let _loading = self.loading.lock();
        if let Some(grant) = self.grants.read().get(&hash) {
            return Ok(Some(Arc::clone(grant)));
        }
        let Some(grant) = find(self)?.map(Arc::new) else {
            return Ok(None);
        };
        self.grants.write().insert(hash, Arc::clone(&grant));
        Ok(Some(grant))
    }

    fn grant_of_session(&self, session: &Session) -> Result<Grant, CatalogError> {
        self.grant(By::Session(session.id), session.role, session.token.as_ref(), session.used)
    }

    fn grant(&self, by: By, role: Role, token: Option<&Token>, used: TimeNs) -> Result<Grant, CatalogError> {
        let scope = token.map_or(Ok(Scope::default()), |token| token.spec.scope());
        let scope = scope.map_err(|error| CatalogError::Damaged { path: self.catalog.path().to_owned(), what: error.to_string() })?;
        let (end, ended) = tokio::sync::watch::channel(false);
        let id = token.map_or(TokenId::default(), |token| token.id);
        let name = token.map_or_else(|| format!("{} by login link", role.as_str()), |token| token.spec.name.clone());
        Ok(Grant { access: Access::new(id, name, role, scope, ended), by, touched: AtomicI64::new(used), end })
    }

    /// Ends what the catalog does not hold any more.
    fn refresh(&self) -> Result<(), CatalogError> {
        let _loading = self.loading.lock();
        let tokens = self.catalog.tokens()?.into_iter().map(|token| By::Token(token.id));
        let sessions = self.catalog.sessions(self.sessions_since())?.into_iter().map(|session| By::Session(session.id));
        let valid: FxHashSet<By> = tokens.chain(sessions).collect();
        self.grants.write().retain(|_, grant| {
            let keep = valid.contains(&grant.by);
            if !keep {
                grant.end.send_replace(true);
            }
            keep
        });
        Ok(())
    }

    /// A session that was last used before this has ended.
    fn sessions_since(&self) -> TimeNs {
        self.clock.now().saturating_sub(ns(limits::SESSION))
    }
}

/// Writes a token into the catalog; also for `telltale token create`, which has no [`Auth`].
pub fn create_token(catalog: &Catalog, spec: TokenSpec, now: TimeNs) -> Result<(Secret, Token), CatalogError> {
    let secret = Secret::token()?;
    let id = catalog.create_token(&spec, secret.hash(), now)?;
    Ok((secret, Token { id, spec, created: now, revoked: None }))
}

/// What the hub's own unix socket may: everything. Never ends.
#[must_use]
pub fn local_access() -> Access {
    /// A receiver whose sender is gone counts as ended, and this one must not be.
    static NEVER: LazyLock<tokio::sync::watch::Sender<bool>> = LazyLock::new(|| tokio::sync::watch::channel(false).0);
    Access::new(TokenId::default(), "local".to_owned(), Role::Admin, Scope::default(), NEVER.subscribe())
}

fn cut(client: &str) -> String {
    client.chars().filter(|c| !c.is_control()).take(limits::CLIENT_CHARS).collect()
}

fn ns(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).expect("limits are far below 292 years")
}

#[cfg(test)]
mod tests;
