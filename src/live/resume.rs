//! The first message for a viewer that came back with a cursor: what was committed after it. Reads the tail in memory or the log on
//! disk, so it runs beside the engine; the viewer's later frames wait behind it in its mailbox.

use std::sync::{Arc, OnceLock};

use rustc_hash::FxHashMap;

use super::content::{Named, Number, Points, Snapshot, SnapshotSeries};
use super::cursor::Cursor;
use super::fresh::{Fresh, Newcomers};
use super::group::Since;
use crate::limits::RESUME_BYTES;
use crate::log::tail::{After, Tail};
use crate::log::{LogRead, ReadError};
use crate::metrics::Metrics;
use crate::model::{Commit, Position, SeriesId};

/// All who came back with the same cursor at the same tick share one.
pub(super) struct Resume {
    pub log: Arc<dyn LogRead>,
    pub tail: Arc<Tail>,
    pub metrics: Arc<Metrics>,
    pub after: Position,
    /// The series of the group at its tick, in the order of their numbers.
    pub named: Vec<Named>,
    /// The full snapshot at the same place, for a cursor that cannot be honoured.
    pub otherwise: Fresh,
    pub recovered: Arc<OnceLock<bool>>,
    pub newcomers: Newcomers,
}

impl Resume {
    pub(super) fn run(self) {
        let until = self.otherwise.cursor.position;
        let (snapshot, failed) = match self.changes(until) {
            Ok(since) => (recovered(&self.named, since, self.otherwise.cursor), None),
            Err(error) => {
                tracing::debug!(%error, "a cursor cannot be honoured; the viewer is sent a full snapshot");
                self.otherwise.make()
            }
        };
        // Set once: nobody else holds the slot's writing side.
        let _already = self.recovered.set(snapshot.recovered);
        self.newcomers.give_made(snapshot, failed);
    }

    fn changes(&self, until: Position) -> Result<FxHashMap<Number, Since>, ReadError> {
        let numbers: FxHashMap<SeriesId, Number> = self.named.iter().map(|named| (named.series.id, named.number)).collect();
        let mut since: FxHashMap<Number, Since> = FxHashMap::default();
        let mut add = |commit: &Commit| {
            for delete in &commit.deletes {
                if let Some(number) = numbers.get(&delete.series) {
                    since.entry(*number).or_default().delete(delete.from, delete.to);
                }
            }
            for reading in &commit.readings {
                if let Some(number) = numbers.get(&reading.series) {
                    since.entry(*number).or_default().put(reading.time, reading.value.clone());
                }
            }
        };
        match self.tail.after(self.after, until) {
            After::Commits(commits) => commits.iter().for_each(|commit| add(commit)),
            After::Gone => {
                self.metrics.live_log_reads.inc();
                let ids: Vec<_> = numbers.keys().copied().collect();
                self.log.read_of(&ids, self.after, until, RESUME_BYTES, &mut |commit| add(&commit))?;
            }
        }
        Ok(since)
    }
}

fn recovered(named: &[Named], mut since: FxHashMap<Number, Since>, cursor: Cursor) -> Snapshot {
    let mut spans = Vec::new();
    let series = named.iter().map(|named| {
        let (mut deleted, points) = since.remove(&named.number).unwrap_or_default().settle(named.number);
        spans.append(&mut deleted);
        SnapshotSeries { named: named.clone(), points: Points::List(points) }
    });
    let series = series.collect();
    Snapshot { cursor, recovered: true, spans, series }
}
