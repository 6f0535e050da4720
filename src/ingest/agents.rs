//! What the hub knows of agents: the last durable batch of each agent and boot, which `welcome` tells, who is connected, and which batches
//! are missing in a hub that was restored from a backup.
//!
//! Invariant: an agent and boot has one seat. Who sits down makes the one before get up (4409).

use std::collections::VecDeque;
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::boots::Boots;
use crate::keyed::KeyedMap;
use crate::limits::MISSING_KEPT;
use crate::model::{AgentSeq, Position, TimeNs};

type Key = (Arc<str>, u64);

#[derive(Debug, Default)]
pub struct Agents {
    durable: Mutex<Boots>,
    seats: Mutex<KeyedMap<Key, Arc<Notify>>>,
    /// Up to which commit the backup had everything that this hub was restored from.
    restored: OnceLock<Position>,
    missing: Mutex<VecDeque<Missing>>,
}

/// Batches that were acked, by the numbers of their agent, and are not in the backup that this hub was restored from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// When the agent came with a later one.
    pub at: TimeNs,
    pub agent: Arc<str>,
    pub boot: u64,
    pub from: u64,
    pub to: u64,
}

/// What the first batch of a connection is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expected {
    /// The newest that is here; 0: none is.
    pub durable: u64,
    /// Nothing came since the restore, so what lies between was sent to the hub before it.
    pub is_from_backup: bool,
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

    pub fn set_restored(&self, up_to: Position) {
        self.restored.get_or_init(|| up_to);
    }

    /// None: nothing can be said of an agent that is not known here.
    #[must_use]
    pub fn expected(&self, agent: &str, boot: u64) -> Option<Expected> {
        let known = self.durable.lock().newest_and_used(agent, boot);
        let is_from_backup = self.restored.get().is_some_and(|up_to| known.is_none_or(|(_, used)| used <= *up_to));
        let expected = Expected { durable: known.map_or(0, |(seq, _)| seq), is_from_backup };
        (known.is_some() || is_from_backup).then_some(expected)
    }

    pub fn note_missing(&self, missing: Missing) {
        let mut kept = self.missing.lock();
        if kept.len() == MISSING_KEPT {
            kept.pop_front();
        }
        kept.push_back(missing);
    }

    /// Newest first.
    #[must_use]
    pub fn missing(&self) -> Vec<Missing> {
        self.missing.lock().iter().rev().cloned().collect()
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
    fn what_may_be_missing_is_known_of_a_restored_hub_alone() {
        let known = AgentSeq { agent: "gw".into(), boot: 1, seq: 41 };
        let agents = Agents::default();
        agents.committed(&known, Position(7));
        let expected = |durable, is_from_backup| Some(Expected { durable, is_from_backup });
        assert_eq!((agents.expected("gw", 1), agents.expected("gw", 2)), (expected(41, false), None));
        agents.set_restored(Position(7));
        assert_eq!((agents.expected("gw", 1), agents.expected("gw", 2)), (expected(41, true), expected(0, true)));
        agents.committed(&AgentSeq { seq: 60, ..known }, Position(8));
        assert_eq!(agents.expected("gw", 1), expected(60, false), "it sent something since");
        let missing = |to: usize| Missing { at: 0, agent: "gw".into(), boot: 1, from: 42, to: to as u64 };
        (0..MISSING_KEPT + 2).for_each(|to| agents.note_missing(missing(to)));
        let kept = agents.missing();
        assert_eq!((kept.len(), &kept[0]), (MISSING_KEPT, &missing(MISSING_KEPT + 1)));
    }

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
