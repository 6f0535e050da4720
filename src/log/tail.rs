//! The newest commits in memory, bounded in bytes, for those who follow: live groups and presence. A follower that is too slow
//! finds its place gone and reads the log instead; the writer never waits for it.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::watch;

use crate::model::{Commit, Position};

#[derive(Debug)]
pub struct Tail {
    recent: Mutex<Recent>,
    newest: watch::Sender<Position>,
    max_bytes: usize,
}

#[derive(Debug, Default)]
struct Recent {
    commits: VecDeque<(Arc<Commit>, usize)>,
    bytes: usize,
}

/// What a follower finds after its place.
#[derive(Debug)]
pub enum After {
    /// The commits after it, in order; empty when it is at the end.
    Commits(Vec<Arc<Commit>>),
    /// It fell behind what memory keeps: read the log.
    Gone,
}

impl Tail {
    /// `start` is the newest position that recovery found.
    #[must_use]
    pub fn new(start: Position, max_bytes: usize) -> Self {
        Self { recent: Mutex::default(), newest: watch::Sender::new(start), max_bytes }
    }

    /// Gives back the commit that made way last, if one did: when nobody follows it any more, its room can be used again.
    pub fn push(&self, commit: Arc<Commit>) -> Option<Arc<Commit>> {
        let (position, weight) = (commit.position, commit.weight());
        let mut recent = self.recent.lock();
        recent.bytes += weight;
        recent.commits.push_back((commit, weight));
        let mut made_way = None;
        while recent.bytes > self.max_bytes && recent.commits.len() > 1 {
            if let Some((commit, weight)) = recent.commits.pop_front() {
                recent.bytes -= weight;
                made_way = Some(commit);
            }
        }
        drop(recent);
        self.newest.send_replace(position);
        made_way
    }

    /// Commits after `position`, at most up to `until`.
    #[must_use]
    pub fn after(&self, position: Position, until: Position) -> After {
        if position >= *self.newest.borrow() {
            return After::Commits(Vec::new());
        }
        let recent = self.recent.lock();
        let Some((oldest, _)) = recent.commits.front() else {
            return After::Gone;
        };
        if oldest.position > position.next() {
            return After::Gone;
        }
        let first = recent.commits.partition_point(|(c, _)| c.position <= position);
        After::Commits(recent.commits.range(first..).take_while(|(c, _)| c.position <= until).map(|(c, _)| Arc::clone(c)).collect())
    }

    /// Wakes at every new commit.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<Position> {
        self.newest.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn commit(position: u64) -> Arc<Commit> {
        Arc::new(Commit { position: Position(position), ..Commit::default() })
    }

    #[test]
    fn a_follower_gets_what_is_after_its_place_or_hears_that_it_is_gone() {
        let tail = Tail::new(Position(4), 3 * commit(0).weight());
        assert!(matches!(tail.after(Position(4), Position(99)), After::Commits(c) if c.is_empty()));
        assert!(matches!(tail.after(Position(3), Position(99)), After::Gone), "before this start only the log knows");
        for p in 5..=8 {
            tail.push(commit(p));
        }
        let places = |after| match tail.after(Position(after), Position(7)) {
            After::Commits(c) => Some(c.iter().map(|c| c.position.0).collect::<Vec<_>>()),
            After::Gone => None,
        };
        assert_eq!(places(4), None);
        assert_eq!(places(5), Some(vec![6, 7]));
        assert_eq!(places(8), Some(vec![]));
    }
}
