//! One ingest session's side of presence: the session tells which devices a frame brought, and by which gateway.

use std::sync::Arc;

use super::presence::{ConnId, Presence};
use crate::clock::Clock;
use crate::keyed::KeyedMap;
use crate::limits::LATE_AFTER_NS;
use crate::model::TimeNs;

/// The session is open while this lives.
#[derive(Debug)]
pub struct Via {
    presence: Arc<Presence>,
    clock: Clock,
    conn: ConnId,
    /// Gateways that name themselves in the readings, such as Telegraf's `host`: each is a way of its own. Bounded by
    /// `ARRIVALS_PER_CONNECTION`, beyond which the session names none.
    gateways: KeyedMap<Arc<str>, ConnId>,
}

impl Via {
    /// `name` is how people call the sender: the agent's or the token's name.
    #[must_use]
    pub fn open(presence: &Arc<Presence>, clock: &Clock, name: &str) -> Self {
        Self { conn: presence.opened(name), presence: Arc::clone(presence), clock: clock.clone(), gateways: KeyedMap::default() }
    }

    /// The devices that a frame brought readings of, each once for each gateway.
    pub fn brought<'a>(&mut self, devices: impl Iterator<Item = (&'a Arc<str>, Option<&'a Arc<str>>)>, received: TimeNs) {
        for (device, gateway) in devices {
            let conn = gateway
                .map_or(self.conn, |gateway| *self.gateways.entry(Arc::clone(gateway)).or_insert_with(|| self.presence.opened(gateway)));
            self.presence.seen(conn, device, received);
        }
    }

    /// The oldest reading that a frame brought. What is told with its delay is no backlog.
    pub fn brought_from(&self, oldest: TimeNs, received: TimeNs) {
        if received.saturating_sub(oldest) > LATE_AFTER_NS {
            self.presence.late(self.conn, oldest, received);
        }
    }
}

impl Drop for Via {
    fn drop(&mut self) {
        let now = self.clock.now();
        self.gateways.values().chain([&self.conn]).for_each(|conn| self.presence.closed(*conn, now));
    }
}

#[cfg(test)]
mod tests {
    use super::super::presence::State;
    use super::*;
    use crate::clock::NS_PER_SEC;

    #[test]
    fn who_sends_late_readings_has_a_backlog_for_as_long_as_it_does() {
        let presence = Arc::new(Presence::new(0, Vec::new()));
        let clock = Clock::manual(0);
        let [gateway, other] = ["gateway-7", "gateway-8"].map(|name| Via::open(&presence, &clock, name));
        let now = 10_000 * NS_PER_SEC;
        other.brought_from(now - 30 * NS_PER_SEC, now);
        gateway.brought_from(now - 7_200 * NS_PER_SEC, now);
        gateway.brought_from(now - 3_600 * NS_PER_SEC, now + NS_PER_SEC);
        let told = |since| presence.backlogs(since).into_iter().map(|(via, from)| (via.to_string(), from)).collect::<Vec<_>>();
        assert_eq!(told(now), [("gateway-7".to_owned(), now - 3_600 * NS_PER_SEC)]);
        assert_eq!(told(now + 2 * NS_PER_SEC), []);
        drop(gateway);
        assert_eq!(told(now), []);
    }

    #[test]
    fn a_device_is_told_with_its_gateway_and_offline_at_the_end() {
        let presence = Arc::new(Presence::new(0, Vec::new()));
        let clock = Clock::manual(500 * NS_PER_SEC);
        let [d, e, gateway] = ["d", "e", "gateway-9"].map(Arc::<str>::from);
        let mut via = Via::open(&presence, &clock, "gateway-7");
        for frame in 0..40 {
            via.brought([(&d, None), (&e, Some(&gateway))].into_iter(), frame * 50 * NS_PER_SEC);
        }
        // Its median interval is 50 s, so it may be quiet for 150.
        presence.sweep((39 * 50 + 149) * NS_PER_SEC);
        assert_eq!(presence.of("d").unwrap().state, State::Online);
        presence.sweep((39 * 50 + 151) * NS_PER_SEC);
        assert_eq!(presence.of("d").unwrap().state, State::Silent);
        assert_eq!(presence.of("d").unwrap().via.as_deref(), Some("gateway-7"));
        assert_eq!(presence.of("e").unwrap().via.as_deref(), Some("gateway-9"));
        drop(via);
        for device in ["d", "e"] {
            assert_eq!(presence.of(device).unwrap().state, State::Offline, "{device}");
            assert_eq!(presence.of(device).unwrap().since, 500 * NS_PER_SEC);
        }
    }
}
