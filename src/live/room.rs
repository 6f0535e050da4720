//! The room in memory for snapshots that are copies: out of the store, out of the log, or of what overlaps in the head. They take it
//! from their making until the last viewer has them, each token no more than its share. What is a view of the head takes none, since it shares the head's blocks.

use std::sync::Arc;

use parking_lot::Mutex;
use rustc_hash::FxHashMap;

use super::protocol::Refused;
use crate::metrics::Metrics;
use crate::model::TokenId;

/// Shared by all makers of snapshots of a hub.
#[derive(Debug)]
pub(super) struct Room {
    /// Most points of one snapshot.
    pub points: usize,
    max_bytes: usize,
    used: Mutex<Used>,
    metrics: Arc<Metrics>,
}

#[derive(Debug, Default)]
struct Used {
    bytes: usize,
    /// Of it, by token: nobody has more than twice what is left free, so two thirds when alone, and a newcomer always finds some.
    by_owner: FxHashMap<TokenId, usize>,
}

impl Used {
    /// What an owner has when it takes so many bytes more. None: it may not.
    fn with(&self, owner: TokenId, bytes: usize, max_bytes: usize) -> Option<usize> {
        let free = max_bytes.checked_sub(self.bytes.checked_add(bytes)?)?;
        let has = self.by_owner.get(&owner).copied().unwrap_or(0) + bytes;
        (has <= free.saturating_mul(2)).then_some(has)
    }
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
    #[cfg(test)]
    pub(super) fn new(points: usize, max_bytes: usize) -> Arc<Self> {
        Self::counted(points, max_bytes, &Arc::default())
    }

    pub(super) fn counted(points: usize, max_bytes: usize, metrics: &Arc<Metrics>) -> Arc<Self> {
        Arc::new(Self { points, max_bytes, used: Mutex::default(), metrics: Arc::clone(metrics) })
    }

    /// A place for one snapshot, empty yet.
    pub(super) fn place(self: &Arc<Self>, owner: TokenId) -> Place {
        Place { room: Arc::clone(self), owner, bytes: 0 }
    }

    #[cfg(test)]
    pub(super) fn used(&self) -> usize {
        self.used.lock().bytes
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
                format!(
                    "snapshots that viewers have not taken yet, of this token or of all, leave no room in the {} bytes for them",
                    self.max_bytes
                ),
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
    owner: TokenId,
    bytes: usize,
}

impl Place {
    pub(super) fn grow(&mut self, bytes: usize) -> Result<(), Unmade> {
        let mut used = self.room.used.lock();
        let has = used.with(self.owner, bytes, self.room.max_bytes).ok_or(Unmade::NoRoom)?;
        used.bytes += bytes;
        used.by_owner.insert(self.owner, has);
        self.bytes += bytes;
        self.room.metrics.live_snapshot_bytes.add(bytes as u64);
        Ok(())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut used = self.room.used.lock();
        used.bytes -= self.bytes;
        if let Some(has) = used.by_owner.get_mut(&self.owner) {
            *has -= self.bytes;
            if *has == 0 {
                used.by_owner.remove(&self.owner);
            }
        }
        self.room.metrics.live_snapshot_bytes.sub(self.bytes as u64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_takes_nothing_and_what_goes_is_given_back() {
        let room = Room::new(1, 300);
        let (mut one, mut other) = (room.place(TokenId(1)), room.place(TokenId(1)));
        assert_eq!((one.grow(150), other.grow(51), room.used()), (Ok(()), Err(Unmade::NoRoom), 150));
        assert_eq!((other.grow(50), one.grow(usize::MAX), room.used()), (Ok(()), Err(Unmade::NoRoom), 200));
        drop(one);
        assert_eq!((room.used(), other.grow(60)), (50, Ok(())));
        drop(other);
        assert_eq!((room.used(), room.metrics.live_snapshot_bytes.value(), room.used.lock().by_owner.len()), (0, 0, 0));
    }

    #[test]
    fn whoever_takes_all_it_may_leaves_room_for_others() {
        let room = Room::new(1, 900);
        let mut places: Vec<Place> = (0..4).map(|token| room.place(TokenId(token))).collect();
        let most = |place: &mut Place| (0..900).take_while(|_| place.grow(1).is_ok()).count();
        assert_eq!(places.iter_mut().map(most).collect::<Vec<_>>(), [600, 200, 66, 22]);
        // Those that had much get no more until the others are gone.
        assert_eq!(places[0].grow(1), Err(Unmade::NoRoom));
        places.truncate(1);
        assert_eq!((places[0].grow(1), room.used()), (Err(Unmade::NoRoom), 600));
    }
}
