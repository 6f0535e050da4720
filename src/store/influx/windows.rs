//! Buckets as windows of equal length: those that follow each other without a change of length are one window for InfluxDB, whatever
//! calendar they are of. Their bounds are the hub's; no calendar and no location of Flux is used. Pure.

use crate::model::{TimeNs, TimeRange};
use crate::query::grid::Grid;

/// Buckets that follow each other, as far as they lie in the range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stretch {
    pub(super) range: TimeRange,
    /// None: the stretch is one bucket.
    pub(super) window: Option<Window>,
}

/// Each begins on a multiple of `every` since 1970 UTC, moved by `offset`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Window {
    pub(super) every: i64,
    pub(super) offset: i64,
}

/// The first stretches of a range that begins at 1970 or later: at most so many, of at most so many buckets in all.
pub(super) fn stretches(grid: &Grid, range: TimeRange, most: usize, mut buckets: u64) -> Vec<Stretch> {
    let (mut found, mut from) = (Vec::new(), range.from);
    while from < range.to && found.len() < most && buckets > 0 {
        let (stretch, taken) = stretch(grid, TimeRange { from, ..range }, buckets);
        (from, buckets) = (stretch.range.to, buckets - taken);
        found.push(stretch);
    }
    found
}

/// Of at least one bucket, and how many they are.
fn stretch(grid: &Grid, range: TimeRange, most: u64) -> (Stretch, u64) {
    let first = grid.bucket(range.from, range);
    let length = length(first);
    let (mut end, mut taken) = (first.to, 1);
    while let Some(length) = length
        && end < range.to
        && taken < most
        && end.checked_add(length) == Some(grid.bucket(end, range).to)
    {
        (end, taken) = (end + length, taken + 1);
    }
    let window = length.filter(|_| taken > 1).map(|every| Window { every, offset: first.from.rem_euclid(every) });
    (Stretch { range: TimeRange { from: range.from, to: end.min(range.to) }, window }, taken)
}

/// None: longer than 64 bits of nanoseconds.
fn length(bucket: TimeRange) -> Option<TimeNs> {
    bucket.to.checked_sub(bucket.from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::NS_PER_SEC;
    use crate::query::grid::Params;

    const HOUR: i64 = 3600 * NS_PER_SEC;
    const DAY: i64 = 24 * HOUR;

    fn grid(every: &str, zone: &str) -> Grid {
        Grid::parse(&Params { every: Some(every), tz: Some(zone), ..Params::default() }).unwrap()
    }

    fn at(text: &str) -> TimeNs {
        text.parse::<jiff::Timestamp>().unwrap().as_nanosecond() as TimeNs
    }

    /// Begin, length of windows and offset, in hours.
    fn told(grid: &Grid, from: &str, to: &str) -> Vec<(i64, Option<(i64, i64)>)> {
        let range = TimeRange { from: at(from), to: at(to) };
        let found = stretches(grid, range, 100, 10_000);
        assert_eq!((found[0].range.from, found[found.len() - 1].range.to), (range.from, range.to));
        assert!(found.windows(2).all(|pair| pair[0].range.to == pair[1].range.from));
        let hours = |window: Window| (window.every / HOUR, window.offset / HOUR);
        found.iter().map(|stretch| ((stretch.range.from - range.from) / HOUR, stretch.window.map(hours))).collect()
    }

    #[test]
    fn a_change_of_the_clock_parts_days() {
        let days = grid("1d", "Europe/Berlin");
        // The summer ends on 2025-10-26, which has 25 hours.
        let found = told(&days, "2025-10-20T12:00:00Z", "2025-10-30T12:00:00Z");
        let sunday = 5 * 24 + 10;
        assert_eq!(found, [(0, Some((24, 22))), (sunday, None), (sunday + 25, Some((24, 23)))]);
        assert_eq!(told(&days, "2025-07-01T00:00:00Z", "2025-07-01T05:00:00Z"), [(0, None)]);
        let months = told(&grid("1mo", "UTC"), "2025-01-01T00:00:00Z", "2025-06-01T00:00:00Z");
        assert_eq!(months.len(), 5, "31, 28, 31, 30, 31 days");
        assert_eq!(
            told(&grid("1mo", "UTC"), "2025-07-02T00:00:00Z", "2025-08-09T00:00:00Z"),
            [(0, Some((31 * 24, at("2025-07-01T00:00:00Z") / HOUR % (31 * 24))))]
        );
    }

    #[test]
    fn windows_and_buckets_have_the_same_bounds() {
        let mut rng = fastrand::Rng::with_seed(7);
        let zones = ["UTC", "Europe/Berlin", "Asia/Kathmandu", "Australia/Lord_Howe", "America/Santiago", "Pacific/Apia"];
        for zone in zones {
            for every in ["1d", "2d", "1w", "1mo", "1y", "90m", "450ms"] {
                let (grid, from) = (grid(every, zone), rng.i64(0..50 * 365) * DAY + rng.i64(0..DAY));
                let range = TimeRange { from, to: from + rng.i64(1..900) * DAY };
                for Stretch { range: part, window } in stretches(&grid, range, 50, 3_000) {
                    for time in [part.from, part.to - 1, rng.i64(part.from..part.to)] {
                        let bucket = grid.bucket(time, range);
                        match window {
                            None => assert!(bucket.from <= part.from && part.to <= bucket.to, "{zone} {every} {time}"),
                            Some(Window { every: length, offset }) => {
                                let start = (time - offset).div_euclid(length) * length + offset;
                                assert_eq!((start, start + length), (bucket.from, bucket.to), "{zone} {every} {time}");
                            }
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn stretches_are_bounded() {
        let range = TimeRange { from: 5, to: TimeNs::MAX };
        let day = Grid::Fixed(DAY);
        let window = Some(Window { every: DAY, offset: 0 });
        assert_eq!(stretches(&day, range, 1, 10), [Stretch { range: TimeRange { from: 5, to: 10 * DAY }, window }]);
        assert_eq!(stretches(&day, range, 9, 10).len(), 1);
        assert_eq!(stretches(&grid("1mo", "UTC"), range, 9, 10_000).len(), 9);
        assert_eq!(stretches(&Grid::Whole, range, 9, 10), [Stretch { range, window: None }]);
        assert_eq!(stretches(&grid("200y", "UTC"), TimeRange { from: 0, to: TimeNs::MAX }, 9, 10).len(), 2);
        assert!(stretches(&day, TimeRange { from: 5, to: 5 }, 9, 10).is_empty());
    }
}
