//! From when on a member of a group is sent changes: never from before the start of its snapshot.

use std::sync::{Arc, OnceLock};

use super::content::Number;
use crate::model::TimeNs;

/// Where a member's promise begins, per series.
#[derive(Clone, Debug)]
pub enum Floor {
    /// `history`: a time for the first `count` series, known at its snapshot; what is seen later begins with its first point.
    From { time: TimeNs, count: usize },
    /// Last known values: a time for each series known at its snapshot.
    Last(Arc<[TimeNs]>),
    /// It gave a cursor and the log is being read: no floor, unless the answer turns out to be a fresh snapshot.
    Resuming { otherwise: Box<Floor>, recovered: Arc<OnceLock<bool>> },
}

impl Floor {
    pub(super) fn of(&self, number: Number) -> TimeNs {
        let index = number as usize;
        match self {
            Self::From { time, count } => {
                if index < *count {
                    *time
                } else {
                    TimeNs::MIN
                }
            }
            Self::Last(times) => times.get(index).copied().unwrap_or(TimeNs::MIN),
            Self::Resuming { otherwise, recovered } => {
                if recovered.get() == Some(&false) {
                    otherwise.of(number)
                } else {
                    TimeNs::MIN
                }
            }
        }
    }

    /// The highest it may turn out to be.
    pub(super) fn at_most(&self, number: Number) -> TimeNs {
        match self {
            Self::Resuming { otherwise, .. } => otherwise.of(number),
            decided => decided.of(number),
        }
    }
}
