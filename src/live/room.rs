//! The room in memory for snapshots that are copies: out of the store, out of the log, or of what overlaps in the head. They take it
//! from their making until the last viewer has them. What is a view of the head takes none, since it shares the head's blocks.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::protocol::Refused;

/// Shared by all makers of snapshots of a hub.
#[derive(Debug)]
pub(super) struct Room {
    /// Most points of one snapshot.
    pub points: usize,
    max_bytes: usize,
    used: AtomicUsize,
}

/// Why there is no snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unmade {
    TooManyPoints,
    NoRoom,
    /// Nobody waits for it any more.
    Unwanted,
}

impl Room {
    pub(super) fn new(points: usize, max_bytes: usize) -> Arc<Self> {
        Arc::new(Self { points, max_bytes, used: AtomicUsize::new(0) })
    }

    /// A place for one snapshot, empty yet.
    pub(super) fn place(self: &Arc<Self>) -> Place {
        Place { room: Arc::clone(self), bytes: 0 }
    }

    #[cfg(test)]
    pub(super) fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// What the viewers of a snapshot that was not made are told. None: there are none.
    pub(super) fn refusal(&self, why: Unmade, id: &str) -> Option<Refused> {
        let (code, message, hint) = match why {
            Unmade::TooManyPoints => (
                "too_many_points",
                format!("the snapshot would hold more than {} readings", self.points),
                "ask for a shorter history or fewer series; GET history answers more, and with points=N or every= in less",
            ),
            Unmade::NoRoom => (
                "too_slow",
                format!("snapshots that viewers have not taken yet fill the {} bytes that there are for them", self.max_bytes),
                "subscribe again in a while, or ask for a shorter history",
            ),
            Unmade::Unwanted => return None,
        };
        Some(Refused::new(Some(id), code, message).hint(hint))
    }
}

/// What one snapshot takes of the room; given back when it is dropped.
#[derive(Debug)]
pub struct Place {
    room: Arc<Room>,
    bytes: usize,
}

impl Place {
    pub(super) fn grow(&mut self, bytes: usize) -> Result<(), Unmade> {
        let fits = |used: usize| used.checked_add(bytes).filter(|sum| *sum <= self.room.max_bytes);
        self.room.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits).map_err(|_| Unmade::NoRoom)?;
        self.bytes += bytes;
        Ok(())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.room.used.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_takes_nothing_and_what_goes_is_given_back() {
        let room = Room::new(1, 100);
        let (mut one, mut other) = (room.place(), room.place());
        assert_eq!((one.grow(60), other.grow(41), room.used()), (Ok(()), Err(Unmade::NoRoom), 60));
        assert_eq!((other.grow(40), one.grow(usize::MAX), room.used()), (Ok(()), Err(Unmade::NoRoom), 100));
        drop(one);
        assert_eq!((room.used(), other.grow(60)), (40, Ok(())));
        drop(other);
        assert_eq!(room.used(), 0);
    }
}
