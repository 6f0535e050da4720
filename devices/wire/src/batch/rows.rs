//! Which series of a batch share a time column.
//!
//! Series with equal times always do. Neighbours (aliases are given device by device, so the metrics of one device stand
//! together) also do when their times overlap so much that one column with both, and a presence bitmap for who lacks a
//! row, takes fewer bytes. The sizes are computed, not guessed, so a merge never makes the frame longer.

use std::collections::HashMap;

use crate::batch::time;
use crate::varint;

/// The readings of one alias and class: a range of the readings in the order of the wire.
#[derive(Clone, Copy, Debug)]
pub(super) struct Series {
    pub(super) alias: u32,
    pub(super) from: usize,
    pub(super) to: usize,
}

/// Series that share `times`, which is sorted; one whose length differs has a presence bitmap.
#[derive(Debug)]
pub(super) struct Rows {
    pub(super) times: Vec<i64>,
    pub(super) series: Vec<Series>,
    time_bytes: usize,
}

impl Series {
    pub(super) fn of<'a, T>(&self, all: &'a [T]) -> &'a [T] {
        all.get(self.from..self.to).unwrap_or_default()
    }

    fn len(&self) -> usize {
        self.to - self.from
    }
}

impl Rows {
    fn new(times: Vec<i64>, series: Vec<Series>, base_ns: i64) -> Self {
        let time_bytes = group_bytes(base_ns, &times);
        Self { times, series, time_bytes }
    }

    /// Bytes of the times and bitmaps, with `rows` rows.
    fn bitmap_bytes(&self, rows: usize) -> usize {
        self.series.iter().filter(|series| series.len() != rows).count() * rows.div_ceil(8)
    }

    /// Takes `other` in, if that is shorter.
    fn absorb(&mut self, other: Self, base_ns: i64) -> Result<(), Self> {
        if overlap(&self.times, &other.times) * 2 < self.times.len().max(other.times.len()) {
            return Err(other);
        }
        let times = union(&self.times, &other.times);
        let time_bytes = group_bytes(base_ns, &times);
        let apart = self.time_bytes + self.bitmap_bytes(self.times.len()) + other.time_bytes + other.bitmap_bytes(other.times.len());
        let together = time_bytes + self.bitmap_bytes(times.len()) + other.bitmap_bytes(times.len());
        if together >= apart {
            return Err(other);
        }
        self.series.extend(other.series);
        (self.times, self.time_bytes) = (times, time_bytes);
        Ok(())
    }
}

/// Bytes of a group's head and times; the count of its columns takes one byte nearly always.
fn group_bytes(base_ns: i64, times: &[i64]) -> usize {
    1 + varint::size(times.len() as u64) + time::size(base_ns, times)
}

/// `all_times` has the times of all readings, each series' sorted.
pub(super) fn share(series: &[Series], all_times: &[i64], base_ns: i64) -> Vec<Rows> {
    let mut shared: Vec<Rows> = Vec::new();
    for rows in equal(series, all_times, base_ns) {
        let alone = match shared.last_mut() {
            Some(last) => last.absorb(rows, base_ns),
            None => Err(rows),
        };
        shared.extend(alone.err());
    }
    shared
}

/// Series with equal times together, in the order in which the first of each came.
fn equal(series: &[Series], all_times: &[i64], base_ns: i64) -> Vec<Rows> {
    let mut groups: Vec<Vec<Series>> = Vec::new();
    let mut by_times: HashMap<&[i64], usize> = HashMap::new();
    for &one in series {
        let index = *by_times.entry(one.of(all_times)).or_insert(groups.len());
        match groups.get_mut(index) {
            Some(group) => group.push(one),
            None => groups.push(vec![one]),
        }
    }
    groups
        .into_iter()
        .map(|group| Rows::new(group.first().map_or_else(Vec::new, |one| one.of(all_times).to_vec()), group, base_ns))
        .collect()
}

/// For each row whether the series has it. A time that stands several times in `rows` is taken from its first place on.
pub(super) fn present<'a>(rows: &'a [i64], times: &'a [i64]) -> impl Iterator<Item = bool> + use<'a> {
    let mut left = times.iter().peekable();
    rows.iter().map(move |row| left.next_if_eq(&row).is_some())
}

fn overlap(left: &[i64], right: &[i64]) -> usize {
    left.len() + right.len() - merge(left, right).count()
}

fn union(left: &[i64], right: &[i64]) -> Vec<i64> {
    merge(left, right).collect()
}

/// Both sorted lists as one; what is in both comes once.
fn merge<'a>(left: &'a [i64], right: &'a [i64]) -> impl Iterator<Item = i64> + use<'a> {
    let (mut left, mut right) = (left.iter().copied().peekable(), right.iter().copied().peekable());
    std::iter::from_fn(move || match (left.peek().copied(), right.peek().copied()) {
        (Some(one), Some(other)) if one == other => {
            left.next();
            right.next()
        }
        (Some(one), Some(other)) if one < other => left.next(),
        (Some(_), None) => left.next(),
        _ => right.next(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(rule: &str, columns: &[&[i64]], groups: &[usize]) {
        let (mut all, mut series) = (Vec::new(), Vec::new());
        for (&times, alias) in columns.iter().zip(0..) {
            let from = all.len();
            all.extend_from_slice(times);
            series.push(Series { alias, from, to: all.len() });
        }
        let shared = share(&series, &all, all[0]);
        assert_eq!(shared.iter().map(|rows| rows.series.len()).collect::<Vec<_>>(), groups, "{rule}");
        for rows in &shared {
            for one in &rows.series {
                let mut flags = present(&rows.times, one.of(&all));
                let back: Vec<i64> = rows.times.iter().copied().filter(|_| flags.next().unwrap()).collect();
                assert_eq!(back, one.of(&all), "{rule}");
            }
        }
    }

    #[test]
    fn series_share_times_where_that_is_shorter() {
        let jitter: Vec<i64> = (0..40).map(|row| row * 1_000_000_007 + row * row % 13).collect();
        let without = |missing: usize| -> Vec<i64> {
            jitter.iter().copied().enumerate().filter(|(row, _)| row % 9 != missing).map(|(_, time)| time).collect()
        };
        let regular: Vec<i64> = (0..400).map(|row| row * 1_000_000_000).collect();
        let every_second: Vec<i64> = regular.iter().copied().step_by(2).collect();
        let other: Vec<i64> = jitter.iter().map(|time| time + 1).collect();
        let twice = [jitter.clone(), vec![jitter[39]; 2]].concat();
        check("equal times, also apart", &[&jitter, &other, &jitter], &[2, 1]);
        check("a row is missing", &[&jitter, &without(3)], &[2]);
        check("each lacks another row", &[&without(2), &without(3), &without(4)], &[3]);
        check("a time given three times", &[&jitter, &twice], &[2]);
        check("a regular column costs nothing and stays", &[&regular, &every_second], &[1, 1]);
        check("nothing in common", &[&jitter, &other], &[1, 1]);
    }
}
