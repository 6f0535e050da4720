//! A frozen stretch of one series, as a reader takes it out of the head. Under the lock only pointers are copied
//! ([`Layers`]); what overlaps is merged outside of it.

use std::sync::Arc;

use super::generation::{Generation, Hidden, hide};
use super::overlay::overlay;
use crate::block::Block;
use crate::model::{SeriesId, TimeNs, TimeRange, Value};

/// What the generations hold of one series, oldest first.
#[derive(Clone, Debug)]
pub struct Layers {
    range: TimeRange,
    lower: Vec<Arc<Block>>,
    /// Where the upper generation hides the lower.
    gone: Hidden,
    upper: Vec<Arc<Block>>,
    /// Where the head hides the store.
    hidden: Hidden,
}

impl Layers {
    pub(super) fn of(frozen: Option<&Generation>, active: &Generation, id: SeriesId, range: TimeRange) -> Self {
        let blocks = |generation: &Generation| generation.column(id).map_or_else(Vec::new, |column| column.blocks_in(range).to_vec());
        let gone = active.hidden(id).to_vec();
        let mut hidden = gone.clone();
        if let Some(frozen) = frozen {
            frozen.hidden(id).iter().for_each(|(from, to)| hide(&mut hidden, *from, *to));
        }
        Self { range, lower: frozen.map_or_else(Vec::new, blocks), gone, upper: blocks(active), hidden }
    }

    /// To merge them takes time in proportion to their points, and not only pointer copies.
    #[must_use]
    pub fn overlap(&self) -> bool {
        let first = self.upper.first().and_then(|block| block.first_time());
        let last = self.lower.last().and_then(|block| block.last_time());
        let after = first.is_none_or(|first| last.is_none_or(|last| last < first));
        !(after && (self.gone.is_empty() || self.lower.is_empty()))
    }

    /// One line of blocks.
    #[must_use]
    pub fn merge(mut self) -> ColumnView {
        let blocks = if self.overlap() {
            overlay(&self.lower, &self.gone, &self.upper)
        } else {
            self.lower.append(&mut self.upper);
            self.lower
        };
        ColumnView { blocks, range: self.range, hidden: self.hidden }
    }
}

/// Shared blocks in time order, without overlap, cut to a range; and where the head says that nothing older stands.
#[derive(Clone, Debug)]
pub struct ColumnView {
    blocks: Vec<Arc<Block>>,
    range: TimeRange,
    hidden: Hidden,
}

impl ColumnView {
    #[must_use]
    pub fn empty() -> Self {
        Self { blocks: Vec::new(), range: TimeRange::ALL, hidden: Vec::new() }
    }

    /// In time order, without overlap.
    #[must_use]
    pub fn of_blocks(blocks: Vec<Arc<Block>>) -> Self {
        Self { blocks, range: TimeRange::ALL, hidden: Vec::new() }
    }

    /// A part of it.
    #[must_use]
    pub fn within(&self, range: TimeRange) -> Self {
        let range = TimeRange { from: range.from.max(self.range.from), to: range.to.min(self.range.to) };
        let touched = |block: &&Arc<Block>| !block.within(range).is_empty();
        Self { blocks: self.blocks.iter().filter(touched).cloned().collect(), range, hidden: self.hidden.clone() }
    }

    /// Pieces in time order: a block and the index range of it that is inside.
    pub fn pieces(&self) -> impl Iterator<Item = (&Block, std::ops::Range<usize>)> {
        self.blocks.iter().map(|block| (&**block, block.within(self.range)))
    }

    /// Ranges (both ends inside, ascending, apart) in which what the store has is deleted.
    #[must_use]
    pub fn hidden(&self) -> &[(TimeNs, TimeNs)] {
        &self.hidden
    }

    pub fn iter(&self) -> impl Iterator<Item = (TimeNs, Value)> + '_ {
        self.pieces().flat_map(|(block, range)| range.map(move |i| (block.times()[i], block.value(i))))
    }

    #[must_use]
    pub fn points(&self) -> usize {
        self.pieces().map(|(_, range)| range.len()).sum()
    }

    /// About the bytes of its blocks, shared with others or not.
    #[must_use]
    pub fn weight(&self) -> usize {
        self.blocks.iter().map(|block| block.weight()).sum()
    }

    #[must_use]
    pub fn first_time(&self) -> Option<TimeNs> {
        self.pieces().find(|(_, range)| !range.is_empty()).map(|(block, range)| block.times()[range.start])
    }

    #[must_use]
    pub fn newest(&self) -> Option<(TimeNs, Value)> {
        let within = self.blocks.iter().rev().map(|block| (block, block.within(self.range)));
        within
            .into_iter()
            .find(|(_, range)| !range.is_empty())
            .map(|(block, range)| (block.times()[range.end - 1], block.value(range.end - 1)))
    }
}
