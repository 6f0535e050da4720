//! What a seal leaves in the catalog and a start reads back: series, last known values, agents' sequences, and the position up
//! to which all of them hold.
//!
//! Invariants: a seal is one transaction, so the position and what belongs to it change together or not at all. `next_series`
//! never falls. The log after `up_to` is replayed over what is read here; that it tells some of it again is harmless.

use rusqlite::{Connection, OptionalExtension, params};

use super::{Catalog, CatalogError, agents, last, series_rows, sums};
use crate::head::LastKnown;
use crate::model::{AgentSeq, Position, SeriesDef, SeriesId, TimeNs};
use crate::series::SeriesMeta;

/// The name of a setting: the epoch of the log in which ids of series were reserved.
const RESERVED_IN: &str = "series_reserved_in";

/// What holds at `up_to`. Series, last known values and agents that are not named stay as an earlier seal left them.
#[derive(Debug)]
pub struct SealedState<S: Iterator<Item = SealedSeries>, L: Iterator<Item = SealedLast>> {
    /// The store has every commit up to this one.
    pub up_to: Position,
    /// When it was sealed, by a clock that was believed.
    pub wall: TimeNs,
    /// New ones and those whose unit or kind changed. By ascending id it is fastest.
    pub series: S,
    /// Those that got a reading or lost one. By ascending id it is fastest.
    pub last: L,
    /// With the commit that brought the last batch of each. Not ahead of `up_to`: a batch that is named here is never asked for again.
    pub agents: Vec<(AgentSeq, Position)>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct SealedSeries {
    pub def: SeriesDef,
    pub meta: SeriesMeta,
    /// When the commit that defined it was written.
    pub created: TimeNs,
}

#[derive(Clone, Debug, PartialEq)]
pub struct SealedLast {
    pub id: SeriesId,
    /// None: nothing is left of the series.
    pub last: Option<LastKnown>,
    /// The newest time that the store may hold of it.
    pub stored_until: TimeNs,
}

/// The last seal as a whole.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LastSeal {
    /// The log after it is replayed. 0: nothing was ever sealed.
    pub up_to: Position,
    pub wall: TimeNs,
    /// For `SeriesTable::reserve`: one past the greatest id that any seal brought.
    pub next_series: u32,
}

/// Takes what a start begins with, piece by piece: of a million series nothing is held twice.
pub trait Restore {
    /// Comes first.
    fn seal(&mut self, seal: LastSeal);
    /// By ascending id.
    fn series(&mut self, series: SealedSeries);
    /// Behind all others: its row is damaged, so it has another name; its id may be that of another series.
    fn nameless(&mut self, series: SealedSeries);
    /// By ascending id, behind the series.
    fn last(&mut self, last: SealedLast);
    /// The row of its last known value is damaged.
    fn lost_last(&mut self, id: SeriesId);
    fn agent(&mut self, agent: AgentSeq, used: Position);
}

impl Catalog {
    /// Blocks for a second or so with a million series, and other changes wait that long: take a connection of its own
    /// (`reopen`), so that at least reads do not.
    pub fn seal<S, L>(&self, state: SealedState<S, L>) -> Result<(), CatalogError>
    where
        S: Iterator<Item = SealedSeries>,
        L: Iterator<Item = SealedLast>,
    {
        self.write("seal into", |db| {
            let series = series_rows::write(db, state.series)?;
            let last = last::write(db, state.last)?;
            agents::write(db, &state.agents)?;
            let next_series = series.max(last).map_or(0, |id| i64::from(id.0) + 1);
            let sql = "UPDATE sealed SET up_to = ?1, wall = ?2, next_series = max(next_series, ?3)";
            db.execute(sql, params![state.up_to.0.cast_signed(), state.wall, next_series])?;
            sums::put(db, sums::SEALED, 1)
        })
    }

    /// Ids below `next` are not given any more, and this is so for all that was lost before the log got this epoch, and up to `lost` in
    /// it. Both change together.
    pub fn reserve_series(&self, (epoch, lost): (u64, Position), next: u32) -> Result<(), CatalogError> {
        self.write("reserve series in", |db| {
            let text = format!("{epoch:016x} {}", lost.0);
            db.execute("INSERT OR REPLACE INTO settings (name, value) VALUES (?1, ?2)", params![RESERVED_IN, text])?;
            db.execute("UPDATE sealed SET next_series = max(next_series, ?1)", [next])?;
            sums::put(db, sums::SEALED, 1)
        })
    }

    /// The epoch of the log when ids were last reserved, and up to where. None: a new catalog, or one of an older build.
    pub fn series_reserved_in(&self) -> Result<Option<(u64, Position)>, CatalogError> {
        let sql = "SELECT value FROM settings WHERE name = ?1";
        let text: Option<String> =
            self.read("read the reserved series from", |db| db.query_row(sql, [RESERVED_IN], |row| row.get(0)).optional())?;
        Ok(text.as_deref().and_then(|text| {
            let (epoch, lost) = text.split_once(' ')?;
            Some((u64::from_str_radix(epoch, 16).ok()?, Position(lost.parse().ok()?)))
        }))
    }

    /// Hands over all that seals left, at one moment.
    pub fn restore(&self, to: &mut dyn Restore) -> Result<(), CatalogError> {
        let is_whole = self.read("read the sealed state from", |db| {
            // Ended by its drop: nothing was changed.
            let at_once = db.unchecked_transaction()?;
            if !sums::row_is_right(&at_once, sums::SEALED, 1)? {
                return Ok(false);
            }
            to.seal(read_seal(&at_once)?);
            series_rows::read(&at_once, to)?;
            last::read(&at_once, to)?;
            agents::read(&at_once, |agent, used| to.agent(agent, used))?;
            Ok(true)
        })?;
        if is_whole {
            return Ok(());
        }
        // With another position readings would be left out, or taken for sealed.
        let what = "the row that says up to where readings are sealed is damaged: restore a backup into another directory".to_owned();
        Err(CatalogError::Damaged { path: self.path().to_owned(), what })
    }
}

fn read_seal(db: &Connection) -> rusqlite::Result<LastSeal> {
    db.query_row("SELECT up_to, wall, next_series FROM sealed", [], |row| {
        let up_to = Position(row.get::<_, i64>(0)?.cast_unsigned());
        Ok(LastSeal { up_to, wall: row.get(1)?, next_series: row.get(2)? })
    })
}
