//! The newest durable batch of each agent and boot: what `welcome` tells, what the head brings to a seal, what a start reads back. Pure.
//!
//! Invariants: an agent has at most [`BOOTS_PER_AGENT`] here, and all have at most [`BOOTS`]; those stay that sent last. To forget one
//! loses no reading and doubles none: its agent is welcomed without a number, sends again what it has no ack for, and what is there
//! already is a duplicate, since a reading is its series and time.

use std::sync::Arc;

use crate::keyed::KeyedMap;
use crate::limits::{BOOTS, BOOTS_PER_AGENT};
use crate::model::{AgentSeq, Position};

#[derive(Debug, Default)]
pub struct Boots {
    by_agent: KeyedMap<Arc<str>, Vec<Boot>>,
    count: usize,
}

#[derive(Clone, Copy, Debug)]
struct Boot {
    boot: u64,
    seq: u64,
    /// The newest commit when it last sent something.
    used: Position,
}

impl Boot {
    /// Who sent longest ago is least. Boots of one commit are ordered by chance: their numbers are random.
    fn use_order(&self) -> (Position, u64) {
        (self.used, self.boot)
    }
}

impl Boots {
    /// A batch of this agent is durable with this commit. Gives how many boots were forgotten for it.
    pub fn note(&mut self, agent: &AgentSeq, used: Position) -> usize {
        let boots = match self.by_agent.get_mut(&*agent.agent) {
            Some(boots) => boots,
            None => self.by_agent.entry(Arc::clone(&agent.agent)).or_default(),
        };
        if let Some(known) = boots.iter_mut().find(|known| known.boot == agent.boot) {
            (known.seq, known.used) = (known.seq.max(agent.seq), known.used.max(used));
            return 0;
        }
        boots.push(Boot { boot: agent.boot, seq: agent.seq, used });
        let before = self.count + 1;
        if boots.len() > BOOTS_PER_AGENT {
            boots.sort_unstable_by_key(|boot| std::cmp::Reverse(boot.use_order()));
            boots.truncate(BOOTS_PER_AGENT);
        } else {
            self.count = before;
        }
        if self.count > BOOTS {
            self.forget_an_eighth();
        }
        before - self.count
    }

    #[must_use]
    pub fn newest(&self, agent: &str, boot: u64) -> Option<u64> {
        self.newest_and_used(agent, boot).map(|(seq, _)| seq)
    }

    /// With the commit at which it last sent something.
    #[must_use]
    pub fn newest_and_used(&self, agent: &str, boot: u64) -> Option<(u64, Position)> {
        self.by_agent.get(agent)?.iter().find(|known| known.boot == boot).map(|known| (known.seq, known.used))
    }

    /// All of them, with the commit at which each sent last.
    pub fn iter(&self) -> impl Iterator<Item = (AgentSeq, Position)> + '_ {
        self.by_agent.iter().flat_map(|(agent, boots)| {
            boots.iter().map(|boot| (AgentSeq { agent: Arc::clone(agent), boot: boot.boot, seq: boot.seq }, boot.used))
        })
    }

    /// Those that sent longest ago. Many at once, so that looking through all of them is rare.
    fn forget_an_eighth(&mut self) {
        let mut all: Vec<_> = self.by_agent.values().flatten().map(Boot::use_order).collect();
        let (_, last_to_go, _) = all.select_nth_unstable(BOOTS / 8);
        let last_to_go = *last_to_go;
        self.by_agent.retain(|_, boots| {
            boots.retain(|boot| boot.use_order() > last_to_go);
            !boots.is_empty()
        });
        self.count = self.by_agent.values().map(Vec::len).sum();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seq(agent: &str, boot: u64, seq: u64) -> AgentSeq {
        AgentSeq { agent: agent.into(), boot, seq }
    }

    #[test]
    fn the_newest_batch_of_a_boot_is_known() {
        let mut boots = Boots::default();
        for (of, used) in [(seq("gw", 1, 7), 1), (seq("gw", 2, 3), 2), (seq("gw", 1, 5), 3), (seq("other", 1, 9), 3)] {
            assert_eq!(boots.note(&of, Position(used)), 0);
        }
        let newest: Vec<_> = [("gw", 1), ("gw", 2), ("gw", 3), ("other", 1), ("none", 1)].map(|(a, b)| boots.newest(a, b)).into();
        assert_eq!(newest, [Some(7), Some(3), None, Some(9), None]);
        let mut all: Vec<_> = boots.iter().map(|(of, used)| (of.agent.to_string(), of.boot, of.seq, used.0)).collect();
        all.sort();
        assert_eq!(all, [("gw".to_owned(), 1, 7, 3), ("gw".to_owned(), 2, 3, 2), ("other".to_owned(), 1, 9, 3)]);
    }

    #[test]
    fn an_agent_keeps_the_boots_that_sent_last() {
        let mut boots = Boots::default();
        let most = BOOTS_PER_AGENT as u64;
        for boot in 1..=most {
            assert_eq!(boots.note(&seq("gw", boot, 10 + boot), Position(boot)), 0);
        }
        boots.note(&seq("gw", 1, 20), Position(most + 1));
        assert_eq!(boots.note(&seq("gw", 99, 1), Position(most + 2)), 1);
        assert_eq!((boots.newest("gw", 2), boots.newest("gw", 1), boots.newest("gw", 99)), (None, Some(20), Some(1)));
        // What a start reads back may be in any order: one that was used before all others stays away.
        assert_eq!(boots.note(&seq("gw", 50, 1), Position(0)), 1);
        assert_eq!(boots.newest("gw", 50), None);
        for boot in 1000..2000 {
            boots.note(&seq("gw", boot, 1), Position(boot));
            boots.note(&seq("another", boot % 2, boot), Position(boot));
        }
        assert_eq!(
            (boots.iter().count(), boots.newest("gw", 1999), boots.newest("another", 0)),
            (BOOTS_PER_AGENT + 2, Some(1), Some(1998))
        );
    }

    #[test]
    fn many_agents_keep_the_boots_that_sent_last() {
        let mut boots = Boots::default();
        let (mut forgotten, many) = (0, BOOTS + BOOTS / 2);
        for i in 0..many {
            forgotten += boots.note(&seq(&format!("gw-{i}"), 7, 1), Position(i as u64));
            assert!(boots.count <= BOOTS);
            // One that goes on sending.
            forgotten += boots.note(&seq("busy", 7, i as u64), Position(i as u64));
        }
        assert_eq!(boots.iter().count(), boots.count);
        assert_eq!(boots.count + forgotten, many + 1, "each is there or counted");
        assert!(boots.count > BOOTS - BOOTS / 4, "no more are forgotten than needed: {} are left", boots.count);
        assert_eq!((boots.newest("busy", 7), boots.newest("gw-0", 7)), (Some(many as u64 - 1), None));
        assert_eq!(boots.newest(&format!("gw-{}", many - 1), 7), Some(1));
    }
}
