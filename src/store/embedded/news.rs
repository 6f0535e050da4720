//! What is known of the rows of a day file that no merge has looked at, without asking the file: a look reads all of it.

use parking_lot::Mutex;

use crate::model::Position;

#[derive(Debug, Default)]
pub(super) struct News(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    /// Of what was sealed before the start.
    is_asked: bool,
    /// The oldest and the newest seal that no merge has looked at. The oldest may be older than there is one.
    seals: Option<(Position, Position)>,
}

impl News {
    /// Of a file that was just made: all that comes is told.
    pub(super) fn of_new() -> Self {
        Self(Mutex::new(Known { is_asked: true, seals: None }))
    }

    /// Of a file that a run before looked at, if nothing was told of it since.
    pub(super) fn remember(&self) {
        self.0.lock().is_asked = true;
    }

    /// A seal writes into the file.
    pub(super) fn sealed(&self, seal: Position) {
        let mut known = self.0.lock();
        known.seals = Some((known.seals.map_or(seal, |(oldest, _)| oldest), seal));
    }

    /// It was asked and has some, sealed up to `limit`.
    pub(super) fn found(&self, limit: Position) {
        let mut known = self.0.lock();
        *known = Known { is_asked: true, seals: Some((Position(0), known.seals.map_or(limit, |(_, newest)| newest))) };
    }

    /// Whatever was sealed up to `limit` was looked at.
    pub(super) fn looked(&self, limit: Position) {
        let mut known = self.0.lock();
        let left = known.seals.filter(|(_, newest)| *newest > limit);
        *known = Known { is_asked: true, seals: left.map(|(oldest, newest)| (oldest.max(Position(limit.0 + 1)), newest)) };
    }

    /// Something else than a seal wrote into it.
    pub(super) fn forget(&self) {
        self.0.lock().is_asked = false;
    }

    /// Nothing is there that was not looked at.
    pub(super) fn are_none(&self) -> bool {
        let known = self.0.lock();
        known.is_asked && known.seals.is_none()
    }

    pub(super) fn are_known(&self) -> bool {
        self.0.lock().is_asked
    }

    /// Whether there is something of which a merge up to `limit` would see a part.
    pub(super) fn are_there(&self, limit: Position) -> bool {
        self.0.lock().seals.is_some_and(|(oldest, _)| oldest <= limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_merge_could_not_look_at_stays_news() {
        let news = News::default();
        assert!(!news.are_known() && !news.are_there(Position(100)));
        news.sealed(Position(5));
        news.sealed(Position(9));
        let seen = |news: &News| [4, 5, 6, 9].map(|limit| news.are_there(Position(limit)));
        assert_eq!(seen(&news), [false, true, true, true]);
        news.looked(Position(5));
        assert_eq!(seen(&news), [false, false, true, true]);
        news.looked(Position(9));
        assert_eq!(seen(&news), [false; 4]);
        assert!(news.are_known());
        news.forget();
        assert!(!news.are_known());
        news.found(Position(9));
        assert_eq!(seen(&news), [true; 4]);
        news.looked(Position(9));
        assert_eq!(seen(&news), [false; 4]);
    }
}
