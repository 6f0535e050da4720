//! What is kept between the requests of one token: sessions that know its series already, and which devices it brings. HTTP has no
//! connection that stands for a sender, so its devices are online or silent, and offline only when the token ends.
//!
//! Invariant: a session works for one request at a time.

use std::sync::Arc;

use parking_lot::Mutex;
use rustc_hash::FxHashMap;

use crate::auth::access::Access;
use crate::clock::Clock;
use crate::ingest::session::{Door, Session};
use crate::limits::{SENDER_IDLE_NS, SENDER_SESSIONS};
use crate::live::presence::Presence;
use crate::live::via::Via;
use crate::model::{TimeNs, TokenId};

#[derive(Debug, Default)]
pub struct Senders {
    by_token: Mutex<FxHashMap<TokenId, Arc<Sender>>>,
}

#[derive(Debug)]
pub struct Sender {
    access: Access,
    via: Mutex<Via>,
    /// The newest last.
    idle: Mutex<Vec<(TimeNs, Session)>>,
}

impl Senders {
    /// The sender of this token; new where `true`: then its end is to be waited for.
    pub fn of(&self, access: &Access, presence: &Arc<Presence>, clock: &Clock) -> (Arc<Sender>, bool) {
        let mut senders = self.by_token.lock();
        if let Some(sender) = senders.get(&access.token()).filter(|sender| !sender.access.has_ended()) {
            return (Arc::clone(sender), false);
        }
        let via = Mutex::new(Via::open(presence, clock, access.name()));
        let sender = Arc::new(Sender { access: access.clone(), via, idle: Mutex::default() });
        senders.insert(access.token(), Arc::clone(&sender));
        (sender, true)
    }

    /// When its token has ended.
    pub fn forget(&self, sender: &Arc<Sender>) {
        let mut senders = self.by_token.lock();
        if senders.get(&sender.access.token()).is_some_and(|known| Arc::ptr_eq(known, sender)) {
            senders.remove(&sender.access.token());
        }
    }
}

impl Sender {
    #[must_use]
    pub fn access(&self) -> &Access {
        &self.access
    }

    pub fn session(&self, door: &Arc<Door>) -> Session {
        let idle = self.idle.lock().pop();
        idle.map_or_else(|| Session::new(Arc::clone(door), self.access.clone()), |(_, session)| session)
    }

    /// The next request finds the session again.
    pub fn give_back(&self, session: Session, now: TimeNs) {
        let mut idle = self.idle.lock();
        if idle.len() < SENDER_SESSIONS {
            idle.push((now, session));
        }
    }

    /// Sessions that nobody used for a while go.
    pub fn tidy(&self, now: TimeNs) {
        self.idle.lock().retain(|(since, _)| now.saturating_sub(*since) < SENDER_IDLE_NS);
    }

    /// The devices of this session's request are online.
    pub fn brought(&self, session: &Session) {
        self.via.lock().brought(session.arrived(), session.received());
    }
}
