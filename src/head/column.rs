//! All points of one series that the head holds: blocks in time order, no overlap.

use std::sync::Arc;

use super::runs::Run;
use crate::block::{BLOCK_POINTS, Block};
use crate::model::{TimeNs, TimeRange, Value};

#[derive(Debug, Default)]
pub(super) struct Column {
    blocks: Vec<Arc<Block>>,
    points: usize,
}

impl Column {
    /// Puts readings in their places; says about how many bytes are new. Those that are newer than all come to the last block together.
    pub(super) fn put_run(&mut self, mut run: Run<'_>, received: TimeNs) -> usize {
        let mut bytes = 0;
        while let Some(reading) = run.next() {
            if self.newest_time().is_some_and(|newest| newest >= reading.time) {
                let replaced = self.put(reading.time, reading.value.clone(), received);
                bytes += weight(&reading.value) * usize::from(replaced.is_none());
                continue;
            }
            let block = self.block_with_room();
            block.push(reading.time, &reading.value, received);
            let (before, mut newest) = (block.len(), reading.time);
            bytes += weight(&reading.value);
            let mut ahead = run.clone();
            while let Some(reading) = ahead.next().filter(|reading| reading.time > newest && block.len() < BLOCK_POINTS) {
                block.push(reading.time, &reading.value, received);
                newest = reading.time;
                bytes += weight(&reading.value);
                run.next();
            }
            let pushed = 1 + block.len() - before;
            self.points += pushed;
        }
        bytes
    }

    /// The last block, if it is not full, or a new one.
    fn block_with_room(&mut self) -> &mut Block {
        if self.blocks.last().is_none_or(|last| last.len() >= BLOCK_POINTS) {
            self.blocks.push(Arc::new(Block::default()));
        }
        Arc::make_mut(self.blocks.last_mut().expect("it was made if there was none"))
    }

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

    pub(super) fn look_up(&self, time: TimeNs) -> Option<Value> {
        let block = self.blocks.get(self.blocks.partition_point(|b| b.last_time().is_some_and(|t| t < time)))?;
        let i = block.lower_bound(time);
        (block.times().get(i) == Some(&time)).then(|| block.value(i))
    }

    pub(super) fn newest_time(&self) -> Option<TimeNs> {
        self.blocks.last()?.last_time()
    }

    pub(super) fn of_blocks(blocks: Vec<Arc<Block>>) -> Self {
        let points = blocks.iter().map(|block| block.len()).sum();
        Self { blocks, points }
    }

    pub(super) fn into_blocks(self) -> Vec<Arc<Block>> {
        self.blocks
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

    pub(super) fn points(&self) -> usize {
        self.points
    }

    pub(super) fn remove(&mut self, from: TimeNs, to: TimeNs) {
        if from > to {
            return;
        }
        for block in &mut self.blocks {
            let untouched = block.last_time().is_none_or(|t| t < from) || block.first_time().is_none_or(|t| t > to);
            if !untouched {
                self.points -= Arc::make_mut(block).remove(from, to);
            }
        }
        self.blocks.retain(|b| !b.is_empty());
    }
}

fn weight(value: &Value) -> usize {
    size_of::<TimeNs>()
        + match value {
            Value::Int(_) | Value::Float(_) => 8,
            Value::Bool(_) => 1,
            Value::Text(text) => 32 + text.len(),
        }
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
            let (mut runs, mut one_by_one) = (Column::default(), Column::default());
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
                by_series(&readings, |run| {
                    runs.put_run(run, received);
                });
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
            assert_eq!(runs.points(), one_by_one.points(), "seed {seed}");
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
                    column.remove(time, to);
                    map.retain(|t, _| !(time..=to).contains(t));
                    continue;
                }
                assert_eq!(column.look_up(time), map.get(&time).cloned(), "seed {seed}");
                assert_eq!(column.put(time, value.clone(), time), map.insert(time, value), "seed {seed}");
            }
            let range = TimeRange { from: rng.i64(0..4_000), to: rng.i64(4_000..9_000) };
            let expected: Vec<_> = map.range(range.from..range.to).map(|(t, v)| (*t, v.clone())).collect();
            let point = |block: &Arc<Block>| block.within(range).map(|i| (block.times()[i], block.value(i))).collect::<Vec<_>>();
            assert_eq!(column.blocks_in(range).iter().flat_map(point).collect::<Vec<_>>(), expected, "seed {seed}");
            assert_eq!(column.points(), map.len(), "seed {seed}");
            assert_eq!(column.newest_time(), map.keys().last().copied(), "seed {seed}");
        }
    }
}
