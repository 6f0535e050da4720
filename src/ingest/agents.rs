//! The last durable batch of each agent and boot: what `welcome` tells a reconnecting agent.

use std::sync::Arc;

use parking_lot::Mutex;
use rustc_hash::FxHashMap;

use crate::model::AgentSeq;

#[derive(Debug, Default)]
pub struct Agents(Mutex<FxHashMap<(Arc<str>, u64), u64>>);

impl Agents {
    pub fn committed(&self, agent: &AgentSeq) {
        let mut agents = self.0.lock();
        let newest = agents.entry((Arc::clone(&agent.agent), agent.boot)).or_default();
        *newest = agent.seq.max(*newest);
    }

    #[must_use]
    pub fn last_durable(&self, agent: &str, boot: u64) -> Option<u64> {
        self.0.lock().get(&(Arc::from(agent), boot)).copied()
    }
}
