//! The newest durable batch of each agent and boot, as a seal leaves it: no more of them than `Boots` keeps.

use rusqlite::{Connection, params};

use crate::limits::{BOOTS, BOOTS_PER_AGENT};
use crate::model::{AgentSeq, Position};

/// Those that are named. The others stay, but for those that sent longest ago, where an agent or all have too many.
pub(super) fn write(db: &Connection, agents: &[(AgentSeq, Position)]) -> rusqlite::Result<()> {
    let mut put = db.prepare("INSERT OR REPLACE INTO agents (agent, boot, seq, used) VALUES (?1, ?2, ?3, ?4)")?;
    for (AgentSeq { agent, boot, seq }, used) in agents {
        put.execute(params![&**agent, boot.cast_signed(), seq.cast_signed(), used.0.cast_signed()])?;
    }
    let beyond = "DELETE FROM agents WHERE (agent, boot) IN (SELECT agent, boot FROM (SELECT agent, boot, row_number() OVER \
                  (PARTITION BY agent ORDER BY used DESC, boot DESC) AS place FROM agents) WHERE place > ?1)";
    db.execute(beyond, [BOOTS_PER_AGENT as i64])?;
    let beyond = "DELETE FROM agents WHERE (agent, boot) IN \
                  (SELECT agent, boot FROM agents ORDER BY used DESC, boot DESC LIMIT -1 OFFSET ?1)";
    db.execute(beyond, [BOOTS as i64]).map(drop)
}

pub(super) fn read(db: &Connection, mut each: impl FnMut(AgentSeq, Position)) -> rusqlite::Result<()> {
    let mut statement = db.prepare("SELECT agent, boot, seq, used FROM agents")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (agent, boot, seq, used): (String, i64, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
        each(AgentSeq { agent: agent.into(), boot: boot.cast_unsigned(), seq: seq.cast_unsigned() }, Position(used.cast_unsigned()));
    }
    Ok(())
}
