//! Deletes whose points are still in files: what a scan leaves out. Few; they go when a merge has removed what they hide.

use parking_lot::RwLock;
use rustc_hash::FxHashMap;

use crate::block::Block;
use crate::model::{Delete, Position, SeriesId};
use crate::store::PositionedDelete;

#[derive(Debug, Default)]
pub(super) struct Tombs(RwLock<FxHashMap<SeriesId, Vec<PositionedDelete>>>);

/// The deletes of one series that a reader knows.
#[derive(Clone, Debug, Default)]
pub(super) struct Hides(Vec<PositionedDelete>);

impl Tombs {
    pub(super) fn add(&self, deletes: &[PositionedDelete]) {
        let mut all = self.0.write();
        for delete in deletes {
            let of = all.entry(delete.delete.series).or_default();
            if !of.contains(delete) {
                of.push(*delete);
            }
        }
    }

    pub(super) fn forget(&self, done: &[PositionedDelete]) {
        let mut all = self.0.write();
        for delete in done {
            if let Some(of) = all.get_mut(&delete.delete.series) {
                of.retain(|one| one != delete);
                if of.is_empty() {
                    all.remove(&delete.delete.series);
                }
            }
        }
    }

    /// Those up to a position.
    pub(super) fn of(&self, series: SeriesId, up_to: Position) -> Hides {
        let all = self.0.read();
        if all.is_empty() {
            return Hides::default();
        }
        Hides(all.get(&series).into_iter().flatten().filter(|delete| delete.position <= up_to).copied().collect())
    }

    pub(super) fn up_to(&self, position: Position) -> Vec<PositionedDelete> {
        self.between(Position(0), position)
    }

    /// Those behind a position, up to another.
    pub(super) fn between(&self, after: Position, up_to: Position) -> Vec<PositionedDelete> {
        self.0.read().values().flatten().filter(|delete| after < delete.position && delete.position <= up_to).copied().collect()
    }
}

impl Hides {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn of_seal(&self, seal: Position) -> impl Iterator<Item = &Delete> {
        self.0.iter().filter(move |delete| delete.position > seal).map(|delete| &delete.delete)
    }

    pub(super) fn hides(&self, seal: Position, time: i64) -> bool {
        self.of_seal(seal).any(|delete| (delete.from..=delete.to).contains(&time))
    }

    /// Whether some of what was sealed then, between these times, is hidden.
    pub(super) fn touches(&self, seal: Position, first: i64, last: i64) -> bool {
        self.of_seal(seal).any(|delete| delete.from <= last && delete.to >= first)
    }

    /// A copy without what is hidden.
    pub(super) fn without(&self, seal: Position, block: &Block) -> Block {
        let mut left = block.clone();
        for delete in self.of_seal(seal) {
            let _points = left.remove(delete.from, delete.to);
        }
        left
    }
}
