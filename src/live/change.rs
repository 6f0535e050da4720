//! What a commit does to one series: puts a point in, or deletes a range. And what several of them, one after the other, come to.

use std::collections::BTreeMap;

use super::content::{Number, Span};
use super::merge::unite;
use crate::model::{TimeNs, Value};

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Change {
    Put(TimeNs, Value),
    Delete(TimeNs, TimeNs),
}

impl Change {
    pub(super) fn from(&self) -> TimeNs {
        match self {
            Self::Put(time, _) => *time,
            Self::Delete(from, _) => *from,
        }
    }

    pub(super) fn time(&self) -> Option<TimeNs> {
        match self {
            Self::Put(time, _) => Some(*time),
            Self::Delete(..) => None,
        }
    }

    pub(super) fn into_point(self) -> Option<(TimeNs, Value)> {
        match self {
            Self::Put(time, value) => Some((time, value)),
            Self::Delete(..) => None,
        }
    }
}

/// Changes in commit order, as what stays of them: the points that stand, and all that was deleted on the way.
pub(super) fn fold(changes: Vec<Change>) -> (BTreeMap<TimeNs, Value>, Vec<(TimeNs, TimeNs)>) {
    let (mut points, mut deletes) = (BTreeMap::new(), Vec::new());
    for change in changes {
        match change {
            Change::Put(time, value) => drop(points.insert(time, value)),
            Change::Delete(from, to) => {
                let gone: Vec<TimeNs> = points.range(from..=to).map(|(time, _)| *time).collect();
                for time in gone {
                    points.remove(&time);
                }
                deletes.push((from, to));
            }
        }
    }
    (points, deletes)
}

/// What a resumed viewer is sent of one series: changes since its cursor, deletes first.
#[derive(Debug, Default)]
pub(super) struct Since {
    changes: Vec<Change>,
}

impl Since {
    pub(super) fn put(&mut self, time: TimeNs, value: Value) {
        self.changes.push(Change::Put(time, value));
    }

    pub(super) fn delete(&mut self, from: TimeNs, to: TimeNs) {
        self.changes.push(Change::Delete(from, to));
    }

    /// Deleted ranges, and the points to put in after they are forgotten.
    #[must_use]
    pub(super) fn settle(self, number: Number) -> (Vec<Span>, Vec<(TimeNs, Value)>) {
        let (points, mut deletes) = fold(self.changes);
        unite(&mut deletes);
        let span = |(from, to)| Span { number, from, to, deleted: true, points: Vec::new(), left_out: 0 };
        (deletes.into_iter().map(span).collect(), points.into_iter().collect())
    }
}
