//! A frozen stretch of one series, as a reader takes it out of the head. Under the lock only pointers are copied
//! ([`Layers`]); what overlaps is merged outside of it.

use std::sync::Arc;

use super::column::Column;
use super::generation::{Generation, Hidden, hide};
use crate::block::Block;
use crate::model::{SeriesId, TimeNs, TimeRange, Value};

/// What the generations hold of one series, oldest first.
#[derive(Debug)]
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

    /// One line of blocks.
    #[must_use]
    pub fn merge(self) -> ColumnView {
        let Self { range, mut lower, gone, mut upper, hidden } = self;
        let first = upper.first().and_then(|block| block.first_time());
        let last = lower.last().and_then(|block| block.last_time());
        if gone.is_empty() && first.is_none_or(|first| last.is_none_or(|last| last < first)) {
            lower.append(&mut upper);
            return ColumnView { blocks: lower, range, hidden };
        }
        let mut column = Column::of_blocks(lower);
        for (from, to) in gone {
            column.remove(from, to);
        }
        for block in upper {
            for (i, time) in block.times().iter().enumerate() {
                column.put(*time, block.value(i), block.received(i));
            }
        }
        ColumnView { blocks: column.into_blocks(), range, hidden }
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
