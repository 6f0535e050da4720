//! What a caller may do, carried by every socket and request. Cheap to clone; ends when its token or session does.

use std::sync::Arc;

use tokio::sync::watch;

use crate::model::{SeriesKey, TokenId};
use crate::query::selector::{Attributes, Glob, Selector};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Ingest and write.
    Agent,
    /// Live, history, series, devices, last, dashboards, export.
    Viewer,
    Admin,
}

impl Role {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::Viewer => "viewer",
            Self::Admin => "admin",
        }
    }

    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Agent, Self::Viewer, Self::Admin].into_iter().find(|role| role.as_str() == text)
    }

    #[must_use]
    pub fn may_write(self) -> bool {
        matches!(self, Self::Agent | Self::Admin)
    }

    #[must_use]
    pub fn may_read(self) -> bool {
        matches!(self, Self::Viewer | Self::Admin)
    }
}

/// Which series a token reaches. Empty on both sides: everything its role may.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scope {
    pub devices: Option<Glob>,
    pub select: Option<Selector>,
}

impl Scope {
    #[must_use]
    pub fn reaches(&self, key: &SeriesKey, attributes: &dyn Attributes) -> bool {
        self.devices.as_ref().is_none_or(|glob| glob.matches(&key.device))
            && self.select.as_ref().is_none_or(|s| s.matches(key, attributes))
    }

    #[must_use]
    pub fn is_everything(&self) -> bool {
        self.devices.is_none() && self.select.is_none()
    }
}

#[derive(Clone, Debug)]
pub struct Access(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    token: TokenId,
    name: String,
    role: Role,
    scope: Scope,
    ended: watch::Receiver<bool>,
}

impl Access {
    /// `ended` turns true (or its sender goes) when the token or session ends.
    #[must_use]
    pub fn new(token: TokenId, name: String, role: Role, scope: Scope, ended: watch::Receiver<bool>) -> Self {
        Self(Arc::new(Inner { token, name, role, scope, ended }))
    }

    #[must_use]
    pub fn token(&self) -> TokenId {
        self.0.token
    }

    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    #[must_use]
    pub fn role(&self) -> Role {
        self.0.role
    }

    #[must_use]
    pub fn scope(&self) -> &Scope {
        &self.0.scope
    }

    #[must_use]
    pub fn has_ended(&self) -> bool {
        *self.0.ended.borrow() || self.0.ended.has_changed().is_err()
    }

    /// Resolves when the token or session ends: sockets close with 4401 then.
    pub async fn ended(&self) {
        let mut ended = self.0.ended.clone();
        // An error means that the sender is gone, which is an end as well.
        drop(ended.wait_for(|ended| *ended).await);
    }
}
