//! What the hub knows of agents: the last durable batch of each agent and boot, which `welcome` tells, and who is connected.
//!
//! Invariant: an agent and boot has one seat. Who sits down makes the one before get up (4409).

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::boots::Boots;
use crate::keyed::KeyedMap;
use crate::model::{AgentSeq, Position};

type Key = (Arc<str>, u64);

#[derive(Debug, Default)]
pub struct Agents {
    durable: Mutex<Boots>,
    seats: Mutex<KeyedMap<Key, Arc<Notify>>>,
}

/// A connection's place as this agent and boot; given back on drop.
#[derive(Debug)]
pub struct Seat {
    agents: Arc<Agents>,
    key: Key,
    displaced: Arc<Notify>,
}

impl Agents {
    /// Gives how many boots were forgotten for it.
    pub fn committed(&self, agent: &AgentSeq, at: Position) -> usize {
        self.durable.lock().note(agent, at)
    }

    #[must_use]
    pub fn last_durable(&self, agent: &str, boot: u64) -> Option<u64> {
        self.durable.lock().newest(agent, boot)
    }

    /// `displaced` is notified when another connection comes as the same agent and boot.
    #[must_use]
    pub fn sit(self: &Arc<Self>, agent: &Arc<str>, boot: u64, displaced: &Arc<Notify>) -> Seat {
        let key = (Arc::clone(agent), boot);
        if let Some(before) = self.seats.lock().insert(key.clone(), Arc::clone(displaced)) {
            before.notify_one();
        }
        Seat { agents: Arc::clone(self), key, displaced: Arc::clone(displaced) }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut seats = self.agents.seats.lock();
        if seats.get(&self.key).is_some_and(|now| Arc::ptr_eq(now, &self.displaced)) {
            seats.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_sits_down_makes_the_one_before_get_up() {
        let agents = Arc::new(Agents::default());
        let told = |notify: &Arc<Notify>| {
            let notified = std::pin::pin!(notify.notified());
            futures_util::FutureExt::now_or_never(notified).is_some()
        };
        let agent: Arc<str> = "gw".into();
        let (first, second, other) = (Arc::default(), Arc::default(), Arc::default());
        let one = agents.sit(&agent, 1, &first);
        let _other_boot = agents.sit(&agent, 2, &other);
        let two = agents.sit(&agent, 1, &second);
        assert!(told(&first) && !told(&second) && !told(&other));
        drop(one);
        assert_eq!(agents.seats.lock().len(), 2, "the first does not take the second's seat along");
        drop(two);
        assert_eq!(agents.seats.lock().len(), 1);
    }
}
