//! What travels to viewers, before it is text or bytes: snapshots, ticks, states. Shared read-only between the members of a
//! group; a mailbox that is too full merges these and not encoded frames.

use std::sync::Arc;

use super::cursor::Cursor;
use super::presence::DeviceState;
use super::protocol::Encoding;
use super::room::Place;
use crate::head::ColumnView;
use crate::model::{TimeNs, Value};
use crate::series::Series;

/// A series' number: it belongs to one group, and so to one subscription on one connection.
pub type Number = u32;

/// One subscription's address on its messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    pub id: Box<str>,
    pub encoding: Encoding,
}

/// A series and the number by which messages name it.
#[derive(Clone, Debug)]
pub struct Named {
    pub number: Number,
    pub series: Arc<Series>,
}

/// Points of one series in time order, all newer than what was sent before.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    pub number: Number,
    pub points: Vec<(TimeNs, Value)>,
}

/// Forget what you have in [from, to], both inside, and put these in.
#[derive(Clone, Debug, PartialEq)]
pub struct Span {
    pub number: Number,
    pub from: TimeNs,
    pub to: TimeNs,
    /// True for a range that was deleted. False for late points: nothing else that stands in the range is forgotten, since
    /// there is nothing else.
    pub deleted: bool,
    pub points: Vec<(TimeNs, Value)>,
    /// Readings of it that are not sent, for viewers that gave `points`.
    pub left_out: u64,
}

impl Span {
    /// Without what lies before `floor`; of a deleted range all is kept.
    #[must_use]
    pub fn since(&self, floor: TimeNs) -> Self {
        let mut span = self.clone();
        if !span.deleted && span.from < floor {
            span.from = floor;
            span.points.retain(|(time, _)| *time >= floor);
        }
        span
    }
}

/// What a group has to say at one tick.
#[derive(Clone, Debug)]
pub struct Tick {
    /// The cursor before this tick. Every message of the tick but its last carries it, so that whoever breaks off in between
    /// and resumes is sent the tick again.
    pub before: Cursor,
    pub cursor: Cursor,
    pub announced: Vec<Named>,
    pub runs: Vec<Run>,
    pub spans: Vec<Span>,
    pub states: Vec<DeviceState>,
    /// Readings left out: by a full mailbox, or because `points` was given.
    pub merged: u64,
    /// Nothing of this viewer's changed, but it is told the cursor: all members of a group stand at one.
    pub mark: bool,
}

impl Tick {
    #[must_use]
    pub fn empty(before: Cursor, cursor: Cursor) -> Self {
        let (announced, runs, spans, states) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Self { before, cursor, announced, runs, spans, states, merged: 0, mark: false }
    }

    /// Counts what its spans leave out.
    #[must_use]
    pub fn with_left_out(mut self) -> Self {
        self.merged += self.spans.iter_mut().map(|span| std::mem::take(&mut span.left_out)).sum::<u64>();
        self
    }

    #[must_use]
    pub fn has_readings(&self) -> bool {
        self.has_update() || !self.spans.is_empty()
    }

    /// Whether an update message is due: for new points, for descriptions (a patch has no place for them), to tell `merged`, or
    /// the cursor alone.
    #[must_use]
    pub fn has_update(&self) -> bool {
        !self.runs.is_empty() || !self.announced.is_empty() || self.merged > 0 || self.mark
    }

    /// Messages it becomes, the splitting of very large ones aside.
    #[must_use]
    pub fn messages(&self) -> u64 {
        u64::from(self.has_update()) + u64::from(!self.spans.is_empty()) + u64::from(!self.states.is_empty())
    }

    /// About its bytes in memory, for bounds.
    #[must_use]
    pub fn weight(&self) -> usize {
        let runs: usize = self.runs.iter().map(|run| 48 + points_weight(&run.points)).sum();
        let spans: usize = self.spans.iter().map(|span| 64 + points_weight(&span.points)).sum();
        let states: usize = self.states.iter().map(DeviceState::weight).sum();
        size_of::<Self>() + runs + spans + states + self.announced.len() * size_of::<Named>()
    }
}

fn points_weight(points: &[(TimeNs, Value)]) -> usize {
    points.iter().map(|(_, value)| point_weight(value)).sum()
}

/// About the bytes of one point in memory.
pub(super) fn point_weight(value: &Value) -> usize {
    size_of::<(TimeNs, Value)>() + if let Value::Text(text) = value { text.len() } else { 0 }
}

/// The first message of a subscription: all series known so far with what is to be shown of them.
#[derive(Debug)]
pub struct Snapshot {
    pub cursor: Cursor,
    pub recovered: bool,
    /// Only when recovered: deletes since the viewer's cursor, applied before the points.
    pub spans: Vec<Span>,
    pub series: Vec<SnapshotSeries>,
    /// Readings left out because `points` was given.
    pub merged: u64,
    /// What it takes of the room for snapshots.
    pub place: Place,
}

#[derive(Debug)]
pub struct SnapshotSeries {
    pub named: Named,
    pub points: Points,
}

/// A frozen stretch of the head, or a list made for the purpose.
#[derive(Debug)]
pub enum Points {
    View(ColumnView),
    List(Vec<(TimeNs, Value)>),
}

impl Points {
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::View(view) => view.points(),
            Self::List(list) => list.len(),
        }
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Calls `each` with the points from index `start` on, until it says false.
    pub fn walk(&self, start: usize, each: &mut dyn FnMut(TimeNs, &Value) -> bool) {
        match self {
            Self::List(list) => {
                list.iter().skip(start).all(|(time, value)| each(*time, value));
            }
            Self::View(view) => {
                let mut skip = start;
                for (block, range) in view.pieces() {
                    let skipped = skip.min(range.len());
                    skip -= skipped;
                    for i in range.start + skipped..range.end {
                        if !each(block.times()[i], &block.value(i)) {
                            return;
                        }
                    }
                }
            }
        }
    }
}
