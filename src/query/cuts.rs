//! What of a bucket's readings is worth keeping for lines whose columns end within it. Pure.
//!
//! Wherever one edge cuts a bucket, the line needs the least and the greatest reading on either side of it, the first of equals, and of the
//! whole range the first and the last. On the left these are readings that nothing before undercuts or passes, on the right such that nothing
//! after does. Of a walk of n readings they are about the root of n.

use super::run::{Run, Slice};

/// The places of those readings, ascending. None: of ints and floats side by side, or of what is no number, all are kept.
#[must_use]
pub fn for_any_edge(run: &Run<'_>) -> Option<Vec<usize>> {
    match run.slice()? {
        Slice::Int(values) => Some(records(values)),
        Slice::Float(values) => Some(records(values)),
        Slice::Bool(_) | Slice::Text(_) | Slice::Mixed(_) => None,
    }
}

fn records<N: PartialOrd + Copy>(values: &[N]) -> Vec<usize> {
    let (Some(first), Some(last)) = (values.first(), values.last()) else { return Vec::new() };
    let mut places = vec![0];
    let (mut least, mut greatest) = (*first, *first);
    for (i, value) in values.iter().enumerate() {
        if *value < least || *value > greatest {
            places.push(i);
        }
        (least, greatest) = wider((least, greatest), *value);
    }
    // An equal one after it does not take its place: behind an edge between them the later one is the first.
    let (mut least, mut greatest) = (*last, *last);
    for (i, value) in values.iter().enumerate().rev() {
        if *value <= least || *value >= greatest {
            places.push(i);
        }
        (least, greatest) = wider((least, greatest), *value);
    }
    places.sort_unstable();
    places.dedup();
    places
}

fn wider<N: PartialOrd + Copy>((least, greatest): (N, N), value: N) -> (N, N) {
    (if value < least { value } else { least }, if value > greatest { value } else { greatest })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::{Block, Values};
    use crate::model::Value;

    fn kept(values: Values) -> Option<Vec<usize>> {
        let times = (0_i64..).take(values.len()).collect();
        let block = Block::from_columns(times, values, Vec::new(), None);
        for_any_edge(&Run::of_block(&block, 0..block.len()))
    }

    /// The place of the first least and the first greatest of a part.
    fn ends(values: &[i64], part: std::ops::Range<usize>) -> [usize; 2] {
        let first = |best: i64| part.start + values[part.clone()].iter().position(|value| *value == best).unwrap();
        let of_part = || values[part.clone()].iter().copied();
        [first(of_part().min().unwrap()), first(of_part().max().unwrap())]
    }

    #[test]
    fn either_side_of_any_edge_keeps_its_extremes_and_the_whole_its_ends() {
        let (mut all, mut left) = (0, 0);
        for seed in 0..300 {
            let mut rng = fastrand::Rng::with_seed(seed);
            let (mut walk, is_walk, different) = (0, rng.bool(), rng.i64(1..30));
            let mut next = || {
                walk += rng.i64(-1..=1);
                if is_walk { walk } else { rng.i64(0..different) }
            };
            let values: Vec<i64> = (0..fastrand::Rng::with_seed(seed).usize(1..300)).map(|_| next()).collect();
            let places = kept(Values::Int(values.clone())).unwrap();
            let floats = values.iter().map(|value| *value as f64 / 4.0).collect();
            assert_eq!(kept(Values::Float(floats)).unwrap(), places, "seed {seed}");
            assert!(places.is_sorted_by(|a, b| a < b), "seed {seed}");
            let mut needed = vec![0, values.len() - 1];
            needed.extend((1..=values.len()).flat_map(|edge| ends(&values, 0..edge)));
            needed.extend((0..values.len()).flat_map(|edge| ends(&values, edge..values.len())));
            assert!(needed.iter().all(|place| places.binary_search(place).is_ok()), "seed {seed}: {values:?} {places:?}");
            if is_walk {
                (all, left) = (all + values.len(), left + places.len());
            }
        }
        assert!(left * 2 < all, "{left} of {all} are kept of walks");
    }

    #[test]
    fn what_has_no_order_of_its_own_is_kept_whole() {
        assert_eq!(kept(Values::Bool(vec![true, false])), None);
        assert_eq!(kept(Values::Mixed(vec![Value::Int(1), Value::Float(2.5)])), None);
    }
}
