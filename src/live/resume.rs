//! The first message for a viewer that came back with a cursor: what was committed after it. Reads the tail in memory or the log on
//! disk, so it runs beside the engine; the viewer's later frames wait behind it in its mailbox.

use std::sync::{Arc, OnceLock};

use rustc_hash::FxHashMap;

use super::change::Since;
use super::column::{Point, Thinner};
use super::content::{Named, Number, Points, Snapshot, SnapshotSeries, point_weight};
use super::cursor::Cursor;
use super::fresh::{Fresh, Newcomers};
use super::room::{Place, Unmade};
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
        let cursor = self.otherwise.cursor;
        let changes = self.changes(cursor.position);
        let made = match changes.and_then(|(since, place)| recovered(&self.named, since, cursor, place, self.otherwise.column_ns)) {
            Ok(snapshot) => Ok((snapshot, None)),
            Err(Unable::Made(Unmade::Unwanted)) => Err(Unmade::Unwanted),
            Err(error) => {
                tracing::debug!(%error, "a cursor cannot be honoured; the viewer is sent a full snapshot");
                self.otherwise.make(&self.newcomers)
            }
        };
        if let Ok((snapshot, _)) = &made {
            // Set once: nobody else holds the slot's writing side.
            let _already = self.recovered.set(snapshot.recovered);
        }
        self.newcomers.give_made(made);
    }

    /// What was committed after the cursor, as far as there is room for it.
    fn changes(&self, until: Position) -> Result<(FxHashMap<Number, Since>, Place), Unable> {
        let mut gathered = Gathered {
            numbers: self.named.iter().map(|named| (named.series.id, named.number)).collect(),
            since: FxHashMap::default(),
            points: self.newcomers.room.points,
            place: self.newcomers.room.place(self.newcomers.owner),
        };
        let mut unmade = Ok(());
        let mut add = |commit: &Commit| {
            if unmade.is_ok() {
                unmade = self.newcomers.wanted().and_then(|()| gathered.add(commit));
                if unmade.is_err() {
                    gathered.since.clear();
                }
            }
        };
        match self.tail.after(self.after, until) {
            After::Commits(commits) => commits.iter().for_each(|commit| add(commit)),
            After::Gone => {
                self.metrics.live_log_reads.inc();
                let ids: Vec<_> = self.named.iter().map(|named| named.series.id).collect();
                self.log.read_of(&ids, self.after, until, RESUME_BYTES, &mut |commit| add(&commit))?;
            }
        }
        unmade?;
        Ok((gathered.since, gathered.place))
    }
}

#[derive(Debug, thiserror::Error)]
enum Unable {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error("{0:?}")]
    Made(Unmade),
    #[error("what was committed after it is more than the columns of its viewer keep")]
    LeavesOut,
}

impl From<Unmade> for Unable {
    fn from(unmade: Unmade) -> Self {
        Self::Made(unmade)
    }
}

struct Gathered {
    numbers: FxHashMap<SeriesId, Number>,
    since: FxHashMap<Number, Since>,
    /// Points that it may still hold.
    points: usize,
    place: Place,
}

impl Gathered {
    fn add(&mut self, commit: &Commit) -> Result<(), Unmade> {
        let (mut points, mut bytes) = (0, 0);
        for delete in &commit.deletes {
            if let Some(number) = self.numbers.get(&delete.series) {
                self.since.entry(*number).or_default().delete(delete.from, delete.to);
                bytes += CHANGE_BYTES;
            }
        }
        for reading in &commit.readings {
            if let Some(number) = self.numbers.get(&reading.series) {
                self.since.entry(*number).or_default().put(reading.time, reading.value.clone());
                points += 1;
                bytes += CHANGE_BYTES + point_weight(&reading.value);
            }
        }
        self.points = self.points.checked_sub(points).ok_or(Unmade::TooManyPoints)?;
        self.place.grow(bytes)
    }
}

/// What a change takes beside its point.
const CHANGE_BYTES: usize = 16;

/// Nothing may be left out: each change may be another value for a reading that the viewer has.
fn recovered(
    named: &[Named],
    mut since: FxHashMap<Number, Since>,
    cursor: Cursor,
    place: Place,
    column_ns: Option<i64>,
) -> Result<Snapshot, Unable> {
    let mut spans = Vec::new();
    let series = named.iter().map(|named| {
        let (mut deleted, points) = since.remove(&named.number).unwrap_or_default().settle(named.number);
        if column_ns.is_some_and(|width| leaves_out(&points, width)) {
            return Err(Unable::LeavesOut);
        }
        spans.append(&mut deleted);
        Ok(SnapshotSeries { named: named.clone(), points: Points::List(points) })
    });
    let series = series.collect::<Result<_, _>>()?;
    Ok(Snapshot { cursor, recovered: true, spans, series, merged: 0, place })
}

/// Whether columns of this width keep less than all of these.
fn leaves_out(points: &[Point], width_ns: i64) -> bool {
    let mut thinner = Thinner::new(width_ns);
    points.iter().for_each(|(time, value)| thinner.push(*time, value));
    thinner.finish().1 > 0
}
