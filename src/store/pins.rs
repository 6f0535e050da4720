//! What readers hold on to. A reader takes a pin under the head's lock, at the moment of its view: from then on its scans see what
//! was sealed at that moment and nothing later, and merges keep their hands off what would mix the two.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::model::Position;

#[derive(Debug, Default)]
pub struct Pins(Mutex<Held>);

/// How many readers stand at each place.
#[derive(Debug, Default)]
struct Held {
    sealed: BTreeMap<Position, usize>,
    /// And since when the first of them.
    views: BTreeMap<Position, (usize, Instant)>,
}

/// A scan with it sees the chunks that were sealed up to here. Given back on drop.
#[derive(Debug)]
pub struct Pin {
    sealed: Position,
    view: Position,
    pins: Arc<Pins>,
}

impl Pins {
    /// For a reader that has no view of the head.
    #[must_use]
    pub fn pin(self: &Arc<Self>, sealed: Position) -> Pin {
        self.pin_view(sealed, sealed)
    }

    /// `view`: the newest commit that the reader's view of the head knows of.
    #[must_use]
    pub fn pin_view(self: &Arc<Self>, sealed: Position, view: Position) -> Pin {
        let mut held = self.0.lock();
        *held.sealed.entry(sealed).or_default() += 1;
        held.views.entry(view).or_insert_with(|| (0, Instant::now())).0 += 1;
        drop(held);
        Pin { sealed, view, pins: Arc::clone(self) }
    }

    /// The oldest seal that a reader still stands at.
    #[must_use]
    pub fn oldest(&self) -> Option<Position> {
        self.0.lock().sealed.keys().next().copied()
    }

    /// The oldest view that a reader still has, and has not had for longer than this.
    #[must_use]
    pub fn oldest_view(&self, at_most: Duration) -> Option<Position> {
        self.0.lock().views.iter().find(|(_, (_, since))| since.elapsed() <= at_most).map(|(view, _)| *view)
    }
}

impl Pin {
    /// Everything up to here is in the store, for this reader.
    #[must_use]
    pub fn sealed(&self) -> Position {
        self.sealed
    }
}

impl Clone for Pin {
    fn clone(&self) -> Self {
        self.pins.pin_view(self.sealed, self.view)
    }
}

impl Drop for Pin {
    fn drop(&mut self) {
        let mut held = self.pins.0.lock();
        let Held { sealed, views } = &mut *held;
        if let Entry::Occupied(mut count) = sealed.entry(self.sealed) {
            *count.get_mut() -= 1;
            (*count.get() == 0).then(|| count.remove());
        }
        if let Entry::Occupied(mut count) = views.entry(self.view) {
            count.get_mut().0 -= 1;
            (count.get().0 == 0).then(|| count.remove());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_pin_counts_until_all_its_holders_let_go() {
        let pins = Arc::new(Pins::default());
        let first = pins.pin_view(Position(3), Position(30));
        let second = pins.pin_view(Position(5), Position(20));
        let again = first.clone();
        drop(first);
        assert_eq!((pins.oldest(), pins.oldest_view(Duration::MAX)), (Some(Position(3)), Some(Position(20))));
        drop(again);
        assert_eq!((pins.oldest(), pins.oldest_view(Duration::MAX)), (Some(Position(5)), Some(Position(20))));
        drop(second);
        assert_eq!((pins.oldest(), pins.oldest_view(Duration::MAX)), (None, None));
        let old = pins.pin_view(Position(6), Position(40));
        assert_eq!(pins.oldest_view(Duration::ZERO), None, "had for longer");
        drop(old);
    }
}
