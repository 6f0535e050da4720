//! Tickets for live sockets: for pages that may not send a header. In memory only; 30 seconds, once.

use std::collections::VecDeque;

use rustc_hash::FxHashMap;

use super::access::Access;
use super::{ns, secret::Hash};
use crate::limits;
use crate::model::TimeNs;

/// Invariant: `order` holds each key of `open` once (and perhaps used ones), oldest first, at most [`limits::TICKETS`].
#[derive(Debug, Default)]
pub(super) struct Tickets {
    open: FxHashMap<Hash, (Access, TimeNs)>,
    order: VecDeque<(Hash, TimeNs)>,
}

impl Tickets {
    pub(super) fn add(&mut self, ticket: Hash, access: Access, now: TimeNs) {
        let expires = now + ns(limits::LIVE_TICKET);
        while let Some((oldest, its_end)) = self.order.front().copied() {
            if its_end > now && self.order.len() < limits::TICKETS {
                break;
            }
            self.order.pop_front();
            self.open.remove(&oldest);
        }
        self.open.insert(ticket, (access, expires));
        self.order.push_back((ticket, expires));
    }

    pub(super) fn take(&mut self, ticket: Hash, now: TimeNs) -> Option<Access> {
        let (access, expires) = self.open.remove(&ticket)?;
        (expires > now && !access.has_ended()).then_some(access)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::local_access;
    use crate::clock::NS_PER_SEC;

    fn hash(n: usize) -> Hash {
        Hash::of(&n.to_string())
    }

    #[test]
    fn a_ticket_works_once_and_for_thirty_seconds() {
        let mut tickets = Tickets::default();
        tickets.add(hash(1), local_access(), 0);
        tickets.add(hash(2), local_access(), 0);
        assert!(tickets.take(hash(1), 29 * NS_PER_SEC).is_some());
        assert!(tickets.take(hash(1), 29 * NS_PER_SEC).is_none(), "used");
        assert!(tickets.take(hash(2), 30 * NS_PER_SEC).is_none(), "too late");
        assert!(tickets.take(hash(3), 0).is_none(), "unknown");
    }

    #[test]
    fn the_oldest_ticket_is_forgotten_at_the_bound() {
        let mut tickets = Tickets::default();
        for n in 0..=limits::TICKETS {
            tickets.add(hash(n), local_access(), 0);
        }
        assert_eq!(tickets.open.len(), limits::TICKETS);
        assert!(tickets.take(hash(0), 0).is_none());
        assert!(tickets.take(hash(1), 0).is_some());
        tickets.add(hash(1), local_access(), 31 * NS_PER_SEC);
        assert_eq!((tickets.open.len(), tickets.order.len()), (1, 1), "expired ones go");
    }
}
