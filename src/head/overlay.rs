//! One generation's points of a series laid over those of the one before, in one walk along both. Blocks that the other side does not
//! touch stay shared.

use std::ops::Range;
use std::sync::Arc;

use crate::block::{BLOCK_POINTS, Block};
use crate::model::TimeNs;

/// Where both have a time, `upper` has the word; what of `lower` lies in `gone` (ascending, apart, both ends inside) is left out.
pub(super) fn overlay(lower: &[Arc<Block>], gone: &[(TimeNs, TimeNs)], upper: &[Arc<Block>]) -> Vec<Arc<Block>> {
    let mut out = Out::default();
    let mut lower = Walk::new(without(lower, gone));
    let mut upper = Walk::new(upper.iter().map(|block| Piece { block, range: 0..block.len() }));
    while let (Some(below), Some(above)) = (lower.time(), upper.time()) {
        if below == above {
            lower.skip();
        } else if below < above {
            lower.give(Some(above), &mut out);
        } else {
            upper.give(Some(below), &mut out);
        }
    }
    lower.give_rest(&mut out);
    upper.give_rest(&mut out);
    out.finish()
}

#[derive(Clone, Debug)]
struct Piece<'a> {
    block: &'a Arc<Block>,
    /// Never empty within a walk.
    range: Range<usize>,
}

fn without<'a>(blocks: &'a [Arc<Block>], gone: &'a [(TimeNs, TimeNs)]) -> impl Iterator<Item = Piece<'a>> {
    let mut gone = gone.iter().peekable();
    blocks.iter().flat_map(move |block| {
        let (mut pieces, mut at) = (Vec::new(), 0);
        let (first, last) = (block.first_time().unwrap_or(TimeNs::MAX), block.last_time().unwrap_or(TimeNs::MIN));
        while gone.next_if(|(_, to)| *to < first).is_some() {}
        while let Some((from, to)) = gone.peek().filter(|(from, _)| *from <= last) {
            let hole = block.lower_bound(*from)..block.times().partition_point(|time| time <= to);
            pieces.push(Piece { block, range: at..hole.start.max(at) });
            at = hole.end.max(at);
            if *to > last {
                break; // it reaches into the next block
            }
            gone.next();
        }
        pieces.push(Piece { block, range: at..block.len() });
        pieces
    })
}

/// Goes along pieces in time order.
struct Walk<'a, I> {
    rest: I,
    now: Option<Piece<'a>>,
}

impl<'a, I: Iterator<Item = Piece<'a>>> Walk<'a, I> {
    fn new(mut pieces: I) -> Self {
        let now = pieces.find(|piece| !piece.range.is_empty());
        Self { rest: pieces, now }
    }

    fn time(&self) -> Option<TimeNs> {
        self.now.as_ref().map(|piece| piece.block.times()[piece.range.start])
    }

    fn skip(&mut self) {
        if let Some(piece) = &mut self.now {
            piece.range.start += 1;
        }
        self.tidy();
    }

    /// Gives out what of this piece is before `until`.
    fn give(&mut self, until: Option<TimeNs>, out: &mut Out) {
        if let Some(piece) = &mut self.now {
            let times = &piece.block.times()[piece.range.clone()];
            let count = until.map_or(times.len(), |until| times.iter().take_while(|time| **time < until).count());
            let given = piece.range.start..piece.range.start + count;
            piece.range.start = given.end;
            out.add(piece.block, given);
        }
        self.tidy();
    }

    fn give_rest(mut self, out: &mut Out) {
        while self.now.is_some() {
            self.give(None, out);
        }
    }

    fn tidy(&mut self) {
        if self.now.as_ref().is_some_and(|piece| piece.range.is_empty()) {
            self.now = self.rest.find(|piece| !piece.range.is_empty());
        }
    }
}

#[derive(Debug, Default)]
struct Out {
    blocks: Vec<Arc<Block>>,
    open: Block,
}

impl Out {
    fn add(&mut self, block: &Arc<Block>, mut range: Range<usize>) {
        if range == (0..block.len()) {
            self.close();
            self.blocks.push(Arc::clone(block));
            return;
        }
        while !range.is_empty() {
            if self.open.len() >= BLOCK_POINTS {
                self.close();
            }
            let end = range.end.min(range.start + BLOCK_POINTS - self.open.len());
            self.open.append(block, range.start..end);
            range.start = end;
        }
    }

    fn close(&mut self) {
        if !self.open.is_empty() {
            self.blocks.push(Arc::new(std::mem::take(&mut self.open)));
        }
    }

    fn finish(mut self) -> Vec<Arc<Block>> {
        self.close();
        self.blocks
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::head::column::Column;
    use crate::head::generation::hide;
    use crate::model::Value;

    const HOUR: i64 = 3_600_000_000_000;

    fn layer(rng: &mut fastrand::Rng, points: usize, times: Range<i64>) -> (Column, BTreeMap<TimeNs, (Value, TimeNs)>) {
        let (mut column, mut map) = (Column::default(), BTreeMap::new());
        for _ in 0..points {
            let time = rng.i64(times.clone()) * 1_000;
            let value = if rng.u8(..) < 250 { Value::Float(rng.f64()) } else { Value::Int(rng.i64(..)) };
            // Late ones have a receive time of their own.
            let received = if rng.bool() { time } else { time + HOUR + rng.i64(0..9) };
            column.put(time, value.clone(), received);
            map.insert(time, (value, received));
        }
        (column, map)
    }

    #[test]
    fn it_is_one_map_over_another() {
        for seed in 0..300 {
            let mut rng = fastrand::Rng::with_seed(seed);
            let (points, start) = (rng.usize(0..6_000), rng.i64(0..12_000));
            let (lower, mut map) = layer(&mut rng, points, 0..10_000);
            let points = if rng.bool() { rng.usize(0..6_000) } else { rng.usize(0..5) };
            let (upper, over) = layer(&mut rng, points, start..start + 5_000);
            let mut gone = Vec::new();
            for _ in 0..rng.usize(0..5) {
                let from = rng.i64(0..11_000) * 1_000;
                hide(&mut gone, from, from + rng.i64(-1..3_000_000));
            }
            map.retain(|time, _| !gone.iter().any(|(from, to)| (from..=to).contains(&time)));
            map.extend(over);
            let laid = overlay(lower.blocks(), &gone, upper.blocks());
            let point = |block: &Arc<Block>, i: usize| (block.times()[i], (block.value(i), block.received(i)));
            let found: Vec<_> = laid.iter().flat_map(|block| (0..block.len()).map(move |i| point(block, i))).collect();
            assert_eq!(found, map.into_iter().collect::<Vec<_>>(), "seed {seed}");
            assert!(laid.iter().all(|block| (1..=BLOCK_POINTS).contains(&block.len())), "seed {seed}");
        }
    }

    #[test]
    fn blocks_that_are_not_touched_stay_shared() {
        let mut rng = fastrand::Rng::with_seed(1);
        let (lower, _) = layer(&mut rng, 20_000, 0..20_000);
        let (upper, _) = layer(&mut rng, 10, 10_000..10_010);
        let laid = overlay(lower.blocks(), &[(0, 5_000)], upper.blocks());
        let shared = lower.blocks().iter().filter(|block| laid.iter().any(|other| Arc::ptr_eq(block, other))).count();
        assert!(shared + 3 >= lower.blocks().len(), "{shared} of {}", lower.blocks().len());
    }
}
