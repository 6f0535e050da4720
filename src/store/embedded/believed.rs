//! The newest time that was believed, remembered over restarts: a clock that jumped ahead is doubted again after a start, whatever was sealed
//! under it.

use rusqlite::OptionalExtension;

use super::EmbeddedStore;
use super::state::State;
use crate::clock::NS_PER_SEC;
use crate::model::TimeNs;
use crate::store::StoreError;

/// It is noted again when it is so much off: once a day.
const OFF_NS: i64 = 86_400 * NS_PER_SEC;

impl EmbeddedStore {
    /// `noted` is what the state says. That it cannot be noted costs an hour's doubt after a start.
    pub(super) fn note_believed(&self, noted: &mut Option<TimeNs>, now: TimeNs) {
        if noted.is_some_and(|noted| now.abs_diff(noted) < OFF_NS.unsigned_abs()) {
            return;
        }
        *noted = Some(now);
        if let Err(error) = self.state.note_believed(now) {
            tracing::debug!(%error, "the time that is believed is not noted");
        }
    }
}

impl State {
    /// None: nothing went by age yet.
    fn believed(&self) -> Result<Option<TimeNs>, StoreError> {
        self.read("read the believed time from", |db| {
            // A state that was made before has no table for it.
            let is_there: bool =
                db.query_row("SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'believed')", [], |row| row.get(0))?;
            if is_there { db.query_row("SELECT at FROM believed", [], |row| row.get(0)).optional() } else { Ok(None) }
        })
    }

    /// At a start, where something goes by age. A store that noted none yet believes when it was sealed last, and notes that: what is sealed
    /// from now on may be under a clock that is not believed.
    pub(super) fn believed_since(&self, sealed_at: TimeNs, are_ages: bool) -> Result<Option<TimeNs>, StoreError> {
        let believed = self.believed()?;
        if believed.is_some() || sealed_at <= 0 || !are_ages {
            return Ok(believed);
        }
        if let Err(error) = self.note_believed(sealed_at) {
            tracing::debug!(%error, "the time that is believed is not noted");
        }
        Ok(Some(sealed_at))
    }

    fn note_believed(&self, at: TimeNs) -> Result<(), StoreError> {
        self.write("note the believed time in", |db| {
            db.execute_batch("CREATE TABLE IF NOT EXISTS believed (at INTEGER NOT NULL); DELETE FROM believed")?;
            db.execute("INSERT INTO believed (at) VALUES (?1)", [at]).map(drop)
        })
    }
}
