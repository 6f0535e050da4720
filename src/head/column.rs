//! All points of one series that the head holds: blocks in time order, no overlap.

use std::ops::AddAssign;
use std::sync::Arc;

use smallvec::SmallVec;

use super::runs::Run;
use crate::block::{BLOCK_POINTS, Block};
use crate::model::{TimeNs, TimeRange, Value};
use crate::replayed::Column as Numbers;

#[derive(Debug, Default)]
pub(super) struct Column {
    /// Most columns of many series never have a second one.
    blocks: SmallVec<[Arc<Block>; 2]>,
}

const _: () = assert!(size_of::<Column>() == 24 && size_of::<Block>() + 2 * size_of::<usize>() <= 96);

/// What came to a column.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Grown {
    pub(super) points: usize,
    /// About the memory it took.
    pub(super) bytes: usize,
}

impl AddAssign for Grown {
    fn add_assign(&mut self, other: Self) {
        self.points += other.points;
        self.bytes += other.bytes;
    }
}

impl Column {
    /// Puts readings in their places. Those that are newer than all come to the last block together. The first have room of their own
    /// size: of a million series most get one reading between two seals.
    pub(super) fn put_run(&mut self, mut run: Run<'_>, received: TimeNs) -> Grown {
        let mut grown = Grown::default();
        if self.blocks.is_empty() {
            grown.bytes += self.begin(&run);
        }
        while let Some(reading) = run.next() {
            if self.newest_time().is_some_and(|newest| newest >= reading.time) {
                if self.put(reading.time, reading.value.clone(), received).is_none() {
                    grown.points += 1;
                    grown.bytes += LATE_BYTES + text_bytes(&reading.value);
                }
                continue;
            }
            let (block, new) = self.block_with_room();
            let (before, room) = (block.len(), block.room());
            block.push(reading.time, &reading.value, received);
            let mut newest = reading.time;
            grown.bytes += text_bytes(&reading.value);
            let mut ahead = run.clone();
            while let Some(reading) = ahead.next().filter(|reading| reading.time > newest && block.len() < BLOCK_POINTS) {
                block.push(reading.time, &reading.value, received);
                newest = reading.time;
                grown.bytes += text_bytes(&reading.value);
                run.next();
            }
            grown.points += block.len() - before;
            grown.bytes += block.room().saturating_sub(room) + if new { BLOCK_BYTES } else { 0 };
        }
        grown
    }

    /// Says the memory that it took.
    #[cold]
    fn begin(&mut self, run: &Run<'_>) -> usize {
        let Some(first) = run.clone().next() else { return 0 };
        let mut block = Block::default();
        block.reserve(run.len().next_power_of_two().min(BLOCK_POINTS), &first.value);
        let room = block.room();
        self.blocks.push(Arc::new(block));
        BLOCK_BYTES + room
    }

    /// The same for numbers whose times ascend and are newer than all. A series that filled a block fills another: it gets all of its
    /// room at once.
    pub(super) fn extend(&mut self, mut times: &[TimeNs], mut values: Numbers<'_>, received: TimeNs) -> Grown {
        let mut grown = Grown::default();
        while !times.is_empty() {
            let follows = !self.blocks.is_empty();
            let (block, new) = self.block_with_room();
            let (before, room) = (block.len(), block.room());
            let count = times.len().min(BLOCK_POINTS - before);
            if block.room_for() < before + count {
                let points = if new && follows { BLOCK_POINTS } else { (before + count).next_power_of_two().min(BLOCK_POINTS) };
                block.reserve(points, &values.value(0));
            }
            block.extend(&times[..count], values.cut(0..count), received);
            grown.points += count;
            grown.bytes += block.room().saturating_sub(room) + if new { BLOCK_BYTES } else { 0 };
            (times, values) = (&times[count..], values.cut(count..times.len()));
        }
        grown
    }

    /// The last block, if it is not full, or a new one.
    fn block_with_room(&mut self) -> (&mut Block, bool) {
        let new = self.blocks.last().is_none_or(|last| last.len() >= BLOCK_POINTS);
        if new {
            self.blocks.push(Arc::default());
        }
        (Arc::make_mut(self.blocks.last_mut().expect("it was made if there was none")), new)
    }

    /// Puts a point in its place; says what stood at that time before.
    pub(super) fn put(&mut self, time: TimeNs, value: Value, received: TimeNs) -> Option<Value> {
        let i = self.block_for(time);
        if i == self.blocks.len() {
            self.blocks.push(Arc::default());
        }
        let block = Arc::make_mut(&mut self.blocks[i]);
        let old = block.put(time, value, received);
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

    pub(super) fn look_up(&self, time: TimeNs) -> Option<Value> {
        let block = self.blocks.get(self.blocks.partition_point(|b| b.last_time().is_some_and(|t| t < time)))?;
        let i = block.lower_bound(time);
        (block.times().get(i) == Some(&time)).then(|| block.value(i))
    }

    pub(super) fn newest_time(&self) -> Option<TimeNs> {
        self.blocks.last()?.last_time()
    }

    pub(super) fn newest(&self) -> Option<(TimeNs, Value)> {
        let last = self.blocks.last()?;
        Some((last.last_time()?, last.value(last.len() - 1)))
    }

    pub(super) fn blocks(&self) -> &[Arc<Block>] {
        &self.blocks
    }

    /// The blocks that may hold points of `range`.
    pub(super) fn blocks_in(&self, range: TimeRange) -> &[Arc<Block>] {
        let first = self.blocks.partition_point(|b| b.last_time().is_some_and(|t| t < range.from));
        let end = self.blocks.partition_point(|b| b.first_time().is_some_and(|t| t < range.to));
        self.blocks.get(first..end.max(first)).unwrap_or_default()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.blocks.is_empty()
    }

    /// Says how many points were removed.
    pub(super) fn remove(&mut self, from: TimeNs, to: TimeNs) -> usize {
        let mut removed = 0;
        if from > to {
            return removed;
        }
        for block in &mut self.blocks {
            let untouched = block.last_time().is_none_or(|t| t < from) || block.first_time().is_none_or(|t| t > to);
            if !untouched {
                removed += Arc::make_mut(block).remove(from, to);
            }
        }
        self.blocks.retain(|b| !b.is_empty());
        removed
    }
}

/// A block, its place in the column, and what the allocator adds to them and to the two columns of the block.
const BLOCK_BYTES: usize = size_of::<Block>() + 2 * size_of::<usize>() + size_of::<Arc<Block>>() + 3 * 16;
/// A point that is put between others: half of a block's room is free after it was split.
const LATE_BYTES: usize = 32;

/// What a text takes beside its place in the column.
fn text_bytes(value: &Value) -> usize {
    if let Value::Text(text) = value { 32 + text.len() } else { 0 }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::head::runs::by_series;
    use crate::model::{Reading, SeriesId};

    #[test]
    fn runs_give_the_same_as_reading_by_reading() {
        for seed in 0..50 {
            let mut rng = fastrand::Rng::with_seed(seed);
            let (mut runs, mut one_by_one, mut points) = (Column::default(), Column::default(), 0);
            let mut time = 0;
            for _ in 0..rng.usize(1..20) {
                let received = time + rng.i64(0..2) * 120 * 1_000_000_000;
                let readings: Vec<_> = (0..rng.usize(0..700))
                    .map(|_| {
                        time += if rng.u8(..) < 250 { 1 + rng.i64(0..9) } else { -rng.i64(0..5_000) };
                        let value = if rng.u8(..) < 250 { Value::Float(rng.f64()) } else { Value::Int(rng.i64(..)) };
                        Reading { series: SeriesId(3), time, value }
                    })
                    .collect();
                by_series(&readings, |run| points += runs.put_run(run, received).points);
                for reading in readings {
                    drop(one_by_one.put(reading.time, reading.value, received));
                }
            }
            let all = |column: &Column| {
                let late =
                    |block: &Block, i| block.late().iter().find(|(time, _)| *time == block.times()[i]).map(|(_, received)| *received);
                let points =
                    |block: &Arc<Block>| (0..block.len()).map(|i| (block.times()[i], block.value(i), late(block, i))).collect::<Vec<_>>();
                column.blocks().iter().flat_map(points).collect::<Vec<_>>()
            };
            assert_eq!(all(&runs), all(&one_by_one), "seed {seed}");
            assert_eq!(points, all(&runs).len(), "seed {seed}");
            assert!(runs.blocks().iter().all(|block| block.len() <= BLOCK_POINTS), "seed {seed}");
        }
    }

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
                    let before = map.len();
                    let removed = column.remove(time, to);
                    map.retain(|t, _| !(time..=to).contains(t));
                    assert_eq!(removed, before - map.len(), "seed {seed}");
                    continue;
                }
                assert_eq!(column.look_up(time), map.get(&time).cloned(), "seed {seed}");
                assert_eq!(column.put(time, value.clone(), time), map.insert(time, value), "seed {seed}");
            }
            let range = TimeRange { from: rng.i64(0..4_000), to: rng.i64(4_000..9_000) };
            let expected: Vec<_> = map.range(range.from..range.to).map(|(t, v)| (*t, v.clone())).collect();
            let point = |block: &Arc<Block>| block.within(range).map(|i| (block.times()[i], block.value(i))).collect::<Vec<_>>();
            assert_eq!(column.blocks_in(range).iter().flat_map(point).collect::<Vec<_>>(), expected, "seed {seed}");
            assert_eq!(column.is_empty(), map.is_empty(), "seed {seed}");
            assert_eq!(column.newest_time(), map.keys().last().copied(), "seed {seed}");
        }
    }
}
