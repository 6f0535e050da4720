//! Days that are to go for their age while their rollups stay: what came for them and is not sealed yet belongs into those. Such a day waits
//! for the seal that holds it, and asks for one, so that it does not wait long.
//!
//! Invariant: nothing comes for such a day any more. What was judged before its floor passed it is committed within a look of the store.

use std::collections::BTreeMap;

use super::key::FileKey;
use crate::model::Position;

#[derive(Debug, Default)]
pub(super) struct Unsealed {
    /// Up to where they wait. None: this look found them, and the next says it.
    days: BTreeMap<FileKey, Option<Position>>,
}

impl Unsealed {
    /// Of those that were found by a look, the ones to go. The others are forgotten: they went, or are not old any more.
    pub(super) fn sealed(&mut self, found: &[FileKey], committed: Position, sealed: Position) -> Vec<FileKey> {
        let known = std::mem::take(&mut self.days);
        let until = |key| known.get(key).map(|until| until.unwrap_or(committed));
        self.days = found.iter().map(|key| (*key, until(key))).collect();
        found.iter().filter(|key| self.days[key].is_some_and(|until| until <= sealed)).copied().collect()
    }

    /// Up to where all of them wait.
    pub(super) fn until(&self) -> Position {
        self.days.values().flatten().max().copied().unwrap_or(Position(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::embedded::key::{ClassId, FileKind};

    fn day(day: i32) -> FileKey {
        FileKey { day, kind: FileKind::Raw, class: ClassId(0) }
    }

    #[test]
    fn a_day_goes_when_what_was_committed_a_look_later_is_sealed() {
        let (mut unsealed, [first, second]) = (Unsealed::default(), [day(1), day(2)]);
        let mut go = |found: &[FileKey], committed, sealed| {
            let days = unsealed.sealed(found, Position(committed), Position(sealed));
            (days, unsealed.until().0)
        };
        assert_eq!(go(&[first], 5, 5), (vec![], 0), "what is on its way is not committed yet");
        assert_eq!(go(&[first, second], 7, 5), (vec![], 7));
        assert_eq!(go(&[first, second], 9, 6), (vec![], 9), "each waits from its second look on");
        assert_eq!(go(&[first, second], 11, 7), (vec![first], 9));
        assert_eq!(go(&[second], 11, 9), (vec![second], 9));
        assert_eq!(go(&[], 12, 9), (vec![], 0));
        assert_eq!(go(&[second], 12, 12), (vec![], 0), "found anew");
    }
}
