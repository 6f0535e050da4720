//! What readers hold on to. A reader takes a pin under the head's lock, at the moment of its view: from then on its scans see what
//! was sealed at that moment and nothing later, and merges keep their hands off what would mix the two.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::model::Position;

#[derive(Debug, Default)]
pub struct Pins(Mutex<BTreeMap<Position, usize>>);

/// A scan with it sees the chunks that were sealed up to here. Given back on drop.
#[derive(Debug)]
pub struct Pin {
    sealed: Position,
    pins: Arc<Pins>,
}

impl Pins {
    #[must_use]
    pub fn pin(self: &Arc<Self>, sealed: Position) -> Pin {
        *self.0.lock().entry(sealed).or_default() += 1;
        Pin { sealed, pins: Arc::clone(self) }
    }

    /// The oldest place that a reader still stands at.
    #[must_use]
    pub fn oldest(&self) -> Option<Position> {
        self.0.lock().keys().next().copied()
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
        self.pins.pin(self.sealed)
    }
}

impl Drop for Pin {
    fn drop(&mut self) {
        let mut pins = self.pins.0.lock();
        if let Some(count) = pins.get_mut(&self.sealed) {
            *count -= 1;
            if *count == 0 {
                pins.remove(&self.sealed);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_pin_counts_until_all_its_holders_let_go() {
        let pins = Arc::new(Pins::default());
        let first = pins.pin(Position(3));
        let second = pins.pin(Position(5));
        let again = first.clone();
        drop(first);
        assert_eq!(pins.oldest(), Some(Position(3)));
        drop(again);
        assert_eq!(pins.oldest(), Some(Position(5)));
        drop(second);
        assert_eq!(pins.oldest(), None);
    }
}
