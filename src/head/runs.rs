//! Readings of a batch, series by series. A device sends rows of the same metrics, so what belongs to one series lies a row apart;
//! taken together it costs one visit to the series instead of one a reading.

use crate::model::{Reading, SeriesId};

/// Rows longer than this are taken reading by reading.
const MAX_ROW: usize = 4096;

/// The readings of one series within a block of rows.
#[derive(Clone, Debug)]
pub(super) struct Run<'a> {
    pub(super) series: SeriesId,
    readings: std::iter::StepBy<std::slice::Iter<'a, Reading>>,
}

impl<'a> Iterator for Run<'a> {
    type Item = &'a Reading;

    fn next(&mut self) -> Option<&'a Reading> {
        self.readings.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.readings.size_hint()
    }
}

impl ExactSizeIterator for Run<'_> {}

impl DoubleEndedIterator for Run<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.readings.next_back()
    }
}

/// Calls `each` with every reading once; those of one series keep their order.
pub(super) fn by_series<'a>(mut readings: &'a [Reading], mut each: impl FnMut(Run<'a>)) {
    while !readings.is_empty() {
        let (row, rows) = rows(readings);
        let (block, rest) = readings.split_at(row * rows);
        for at in 0..row {
            each(Run { series: block[at].series, readings: block[at..].iter().step_by(row) });
        }
        readings = rest;
    }
}

/// The readings in a row at the beginning, and how many rows of the same series follow each other.
fn rows(readings: &[Reading]) -> (usize, usize) {
    let first = readings[0].series;
    let within = &readings[1..readings.len().min(MAX_ROW + 1)];
    let row = within.iter().position(|reading| reading.series == first).map_or(within.len().max(1), |at| at + 1);
    let same = readings.iter().zip(&readings[row.min(readings.len())..]).take_while(|(a, b)| a.series == b.series).count();
    (row, 1 + same / row)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Value;

    fn order(series: &[u32]) -> Vec<(u32, i64)> {
        let readings: Vec<_> =
            (0..).zip(series).map(|(time, series)| Reading { series: SeriesId(*series), time, value: Value::Bool(true) }).collect();
        let mut order = Vec::new();
        by_series(&readings, |run| {
            let series = run.series.0;
            order.extend(run.map(|reading| {
                assert_eq!(reading.series.0, series);
                (series, reading.time)
            }));
        });
        order
    }

    #[test]
    fn rows_are_taken_by_series() {
        for (series, expected) in [
            (vec![], vec![]),
            (vec![7], vec![(7, 0)]),
            (vec![7, 7, 7], vec![(7, 0), (7, 1), (7, 2)]),
            (vec![1, 2, 1, 2], vec![(1, 0), (1, 2), (2, 1), (2, 3)]),
            (vec![1, 2, 1, 2, 1, 3], vec![(1, 0), (1, 2), (2, 1), (2, 3), (1, 4), (3, 5)]),
            (vec![1, 2, 3, 4], vec![(1, 0), (2, 1), (3, 2), (4, 3)]),
            (vec![1, 2, 3, 1], vec![(1, 0), (2, 1), (3, 2), (1, 3)]),
        ] {
            assert_eq!(order(&series), expected, "{series:?}");
        }
    }

    #[test]
    fn every_reading_comes_once_and_series_keep_their_order() {
        for seed in 0..50 {
            let mut rng = fastrand::Rng::with_seed(seed);
            let (row, count) = (rng.u32(1..12), rng.usize(0..200));
            let series: Vec<_> = (0..count).map(|i| if rng.u8(..) < 5 { rng.u32(0..20) } else { i as u32 % row }).collect();
            let (mut found, mut expected) = (order(&series), series.into_iter().zip(0..).collect::<Vec<_>>());
            assert!(found.chunk_by(|a, b| a.0 == b.0).all(|run| run.is_sorted()), "seed {seed}");
            found.sort_unstable();
            expected.sort_unstable();
            assert_eq!(found, expected, "seed {seed}");
        }
    }
}
