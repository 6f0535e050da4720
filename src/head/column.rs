//! All points of one series that the head holds: blocks in time order, no overlap.

use std::sync::Arc;

use crate::block::{BLOCK_POINTS, Block};
use crate::model::{TimeNs, TimeRange, Value};

#[derive(Debug, Default)]
pub struct Column {
    blocks: Vec<Arc<Block>>,
    points: usize,
}

impl Column {
    /// Puts a point in its place; says what stood at that time before.
    pub(super) fn put(&mut self, time: TimeNs, value: Value, received: TimeNs) -> Option<Value> {
        let i = self.block_for(time);
        if i == self.blocks.len() {
            self.blocks.push(Arc::new(Block::default()));
        }
        let block = Arc::make_mut(&mut self.blocks[i]);
        let old = block.put(time, value, received);
        if old.is_none() {
            self.points += 1;
        }
        if block.len() > BLOCK_POINTS {
            let upper = block.split_half();
            self.blocks.insert(i + 1, Arc::new(upper));
        }
        old
    }

    /// The block that a point of this time belongs into. In-order points go to a new block when the last one is full, so
    /// that full blocks stay full.
    fn block_for(&self, time: TimeNs) -> usize {
        let Some(last) = self.blocks.last() else {
            return 0;
        };
        if last.last_time().is_some_and(|t| t < time) {
            return if last.len() >= BLOCK_POINTS { self.blocks.len() } else { self.blocks.len() - 1 };
        }
        self.blocks.partition_point(|b| b.last_time().is_some_and(|t| t < time))
    }

    #[must_use]
    pub fn look_up(&self, time: TimeNs) -> Option<Value> {
        let block = self.blocks.get(self.blocks.partition_point(|b| b.last_time().is_some_and(|t| t < time)))?;
        let i = block.lower_bound(time);
        (block.times().get(i) == Some(&time)).then(|| block.value(i))
    }

    #[must_use]
    pub fn newest(&self) -> Option<(TimeNs, Value)> {
        let block = self.blocks.last()?;
        Some((block.last_time()?, block.value(block.len() - 1)))
    }

    /// The time of the first point of the unbroken run of `value` that ends at the point at or before `end`.
    pub(super) fn run_start(&self, value: &Value, end: TimeNs) -> Option<TimeNs> {
        let mut start = None;
        let blocks = self.blocks.partition_point(|b| b.first_time().is_some_and(|t| t <= end));
        for block in self.blocks.iter().take(blocks).rev() {
            for i in (0..block.times().partition_point(|&t| t <= end)).rev() {
                if block.value(i) != *value {
                    return start;
                }
                start = Some(block.times()[i]);
            }
        }
        start
    }

    /// The time of the first point after `time`.
    pub(super) fn next_time(&self, time: TimeNs) -> Option<TimeNs> {
        let block = self.blocks.get(self.blocks.partition_point(|b| b.last_time().is_some_and(|t| t <= time)))?;
        block.times().get(block.times().partition_point(|&t| t <= time)).copied()
    }

    #[must_use]
    pub fn oldest_time(&self) -> Option<TimeNs> {
        self.blocks.first()?.first_time()
    }

    #[must_use]
    pub fn points(&self) -> usize {
        self.points
    }

    pub(super) fn remove(&mut self, from: TimeNs, to: TimeNs) {
        for block in &mut self.blocks {
            let untouched = block.last_time().is_none_or(|t| t < from) || block.first_time().is_none_or(|t| t > to);
            if !untouched {
                self.points -= Arc::make_mut(block).remove(from, to);
            }
        }
        self.blocks.retain(|b| !b.is_empty());
    }

    /// The points in `range` as they are now; later writes do not change a view.
    #[must_use]
    pub fn view(&self, range: TimeRange) -> ColumnView {
        let first = self.blocks.partition_point(|b| b.last_time().is_some_and(|t| t < range.from));
        let end = self.blocks.partition_point(|b| b.first_time().is_some_and(|t| t < range.to));
        ColumnView { blocks: self.blocks.get(first..end.max(first)).unwrap_or_default().to_vec(), range }
    }
}

/// A frozen stretch of one series: shared blocks, cut to a range.
#[derive(Clone, Debug)]
pub struct ColumnView {
    blocks: Vec<Arc<Block>>,
    range: TimeRange,
}

impl ColumnView {
    #[must_use]
    pub fn empty() -> Self {
        Self { blocks: Vec::new(), range: TimeRange::ALL }
    }

    /// Pieces in time order: a block and the index range of it that is inside.
    pub fn pieces(&self) -> impl Iterator<Item = (&Block, std::ops::Range<usize>)> {
        self.blocks.iter().map(|block| (&**block, block.lower_bound(self.range.from)..block.lower_bound(self.range.to)))
    }

    pub fn iter(&self) -> impl Iterator<Item = (TimeNs, Value)> + '_ {
        self.pieces().flat_map(|(block, range)| range.map(move |i| (block.times()[i], block.value(i))))
    }

    #[must_use]
    pub fn points(&self) -> usize {
        self.pieces().map(|(_, range)| range.len()).sum()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn any_order_gives_the_same_as_a_map() {
        for seed in 0..20 {
            let mut rng = fastrand::Rng::with_seed(seed);
            let (mut column, mut map) = (Column::default(), BTreeMap::new());
            for _ in 0..6_000 {
                let time = rng.i64(0..8_000);
                let value = if rng.u8(..) < 200 { Value::Float(rng.f64()) } else { Value::Int(rng.i64(..)) };
                if rng.u16(..) < 30 {
                    let to = time + rng.i64(0..500);
                    column.remove(time, to);
                    map.retain(|t, _| !(time..=to).contains(t));
                    continue;
                }
                assert_eq!(column.look_up(time), map.get(&time).cloned(), "seed {seed}");
                assert_eq!(column.put(time, value.clone(), time), map.insert(time, value), "seed {seed}");
            }
            let range = TimeRange { from: rng.i64(0..4_000), to: rng.i64(4_000..9_000) };
            let expected: Vec<_> = map.range(range.from..range.to).map(|(t, v)| (*t, v.clone())).collect();
            assert_eq!(column.view(range).iter().collect::<Vec<_>>(), expected, "seed {seed}");
            assert_eq!(column.view(range).points(), expected.len(), "seed {seed}");
            assert_eq!(column.points(), map.len(), "seed {seed}");
            assert_eq!(column.newest().map(|(t, _)| t), map.keys().last().copied(), "seed {seed}");
        }
    }

    #[test]
    fn a_view_stays_as_it_was() {
        let mut column = Column::default();
        column.put(1, Value::Int(1), 1);
        let view = column.view(TimeRange::ALL);
        column.put(1, Value::Int(2), 1);
        column.put(2, Value::Int(3), 2);
        assert_eq!(view.iter().collect::<Vec<_>>(), [(1, Value::Int(1))]);
    }
}
