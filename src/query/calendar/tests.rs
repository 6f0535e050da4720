//! Beside brute force: what each zone's calendar shows, second by second where it changes.

use super::*;
use crate::clock::NS_PER_SEC;
use crate::query::zone::{every_zone, parse_zone};

const DAY_S: i64 = 86_400;

/// The instants (seconds) at which the calendar first shows a day that it did not show before, with that day since 1970. Only the offsets
/// come from the zone.
fn new_days(zone: &TimeZone, from: i64, to: i64) -> Vec<(i64, i64)> {
    let at = |seconds| Timestamp::from_second(seconds).unwrap();
    let changes = zone.following(at(from)).map(|change| (change.timestamp().as_second(), i64::from(change.offset().seconds())));
    let mut spans: Vec<(i64, i64)> = vec![(from, i64::from(zone.to_offset(at(from)).seconds()))];
    spans.extend(changes.take_while(|(time, _)| *time < to));
    let ends: Vec<i64> = spans.iter().skip(1).map(|(time, _)| *time).chain([to]).collect();
    let mut newest = (from + spans[0].1).div_euclid(DAY_S);
    let mut days = Vec::new();
    for ((start, offset), end) in spans.into_iter().zip(ends) {
        if (start + offset).div_euclid(DAY_S) > newest {
            newest = (start + offset).div_euclid(DAY_S);
            days.push((start, newest));
        }
        while (newest + 1) * DAY_S - offset < end {
            newest += 1;
            days.push((newest * DAY_S - offset, newest));
        }
    }
    days
}

/// What the days of one bucket have in common.
fn key(unit: CalendarUnit, step: i64, day: i64) -> i64 {
    match unit {
        CalendarUnit::Day => day.div_euclid(step),
        CalendarUnit::Week(first) => {
            let first = i64::from(first.to_monday_zero_offset());
            // 1970-01-01 was a Thursday, which is 3 from Monday on.
            let monday_of = |day: i64| day - (day + 3 - first).rem_euclid(7);
            (monday_of(day) - monday_of(0)).div_euclid(7 * step)
        }
        CalendarUnit::Month(first) => {
            let date = EPOCH.checked_add(SignedDuration::from_hours(24 * day)).unwrap();
            let before = i64::from(date.day() < first);
            (i64::from(date.year()) * 12 + i64::from(date.month()) - 1 - before - 1970 * 12).div_euclid(step)
        }
    }
}

/// Buckets follow each other without gap or overlap and begin where brute force says; irregular times fall into the right one.
fn check(zone: &TimeZone, unit: CalendarUnit, step: i64, days: &[(i64, i64)], rng: &mut fastrand::Rng) {
    let calendar = Calendar::new(unit, step, zone.clone());
    let name = || format!("{:?} {unit:?} {step}", zone.iana_name());
    let changes = days.windows(2).filter(|pair| key(unit, step, pair[0].1) != key(unit, step, pair[1].1));
    let starts: Vec<i64> = changes.map(|pair| pair[1].0 * NS_PER_SEC).collect();
    for pair in starts.windows(2) {
        let expected = TimeRange { from: pair[0], to: pair[1] };
        let inside = [pair[0], pair[1] - 1, rng.i64(pair[0]..pair[1])];
        for time in inside {
            assert_eq!(calendar.bucket(time), expected, "{} at {}", name(), rfc3339(time));
        }
    }
    if let [first, .., last] = starts[..] {
        let touched = calendar.number(last) - calendar.number(first) + 1;
        assert!(touched as usize >= starts.len(), "{}: {touched} of {}", name(), starts.len());
    }
}

const UNITS: [(CalendarUnit, i64); 14] = [
    (CalendarUnit::Day, 1),
    (CalendarUnit::Day, 3),
    (CalendarUnit::Week(Weekday::Monday), 1),
    (CalendarUnit::Week(Weekday::Tuesday), 1),
    (CalendarUnit::Week(Weekday::Wednesday), 1),
    (CalendarUnit::Week(Weekday::Thursday), 1),
    (CalendarUnit::Week(Weekday::Friday), 1),
    (CalendarUnit::Week(Weekday::Saturday), 1),
    (CalendarUnit::Week(Weekday::Sunday), 2),
    (CalendarUnit::Month(1), 1),
    (CalendarUnit::Month(28), 1),
    (CalendarUnit::Month(15), 3),
    (CalendarUnit::Month(1), 5),
    (CalendarUnit::Month(1), 12),
];

#[test]
fn every_zone_over_two_years() {
    let mut rng = fastrand::Rng::with_seed(6);
    let zones = every_zone();
    assert!(zones.len() > 500);
    for zone in &zones {
        // 2025 to 2026, and two years of the past with all its oddities.
        let past = rng.i64(-2_500_000_000..1_700_000_000);
        for from in [1_735_689_600, past] {
            let days = new_days(zone, from, from + 2 * 366 * DAY_S);
            assert!(days.len() > 700, "{:?}", zone.iana_name());
            // The day, and three of the others: all of them would take a while.
            for (unit, step) in [UNITS[0]].into_iter().chain((0..3).map(|_| UNITS[rng.usize(1..UNITS.len())]).collect::<Vec<_>>()) {
                check(zone, unit, step, &days, &mut rng);
            }
        }
    }
}

/// Irregular readings of two years, in each zone: each is summed up on the day that the zone's calendar shows, by brute force.
#[test]
fn irregular_readings_of_two_years_fall_on_their_days_in_every_zone() {
    use std::collections::BTreeMap;

    use crate::model::{TimeRange, Value};
    use crate::query::buckets::{Agg, Buckets};
    use crate::query::grid::Grid;
    use crate::query::run::Run;

    const AGGS: [Agg; 5] = [Agg::Count, Agg::Sum, Agg::Min, Agg::Max, Agg::Last];
    let mut rng = fastrand::Rng::with_seed(11);
    for (n, zone) in every_zone().iter().enumerate() {
        let from = [1_735_689_600, rng.i64(-1_500_000_000..1_700_000_000)][n % 2];
        let days = new_days(zone, from, from + 2 * 366 * DAY_S);
        let (first, last) = (days[0].0, days[days.len() - 1].0);
        let mut times: Vec<i64> = (0..400).map(|_| rng.i64(first * NS_PER_SEC..last * NS_PER_SEC)).collect();
        // Also on the borders themselves, and a nanosecond before.
        times.extend((0..40).map(|_| days[rng.usize(1..days.len() - 1)].0 * NS_PER_SEC - i64::from(rng.bool())));
        times.sort_unstable();
        times.dedup();
        let points: Vec<(TimeNs, Value)> = times.iter().map(|time| (*time, Value::Int(rng.i64(-99..99)))).collect();
        let (unit, step) = UNITS[if n % 3 == 0 { 0 } else { rng.usize(1..UNITS.len()) }];
        let mut expected = BTreeMap::<i64, Vec<i64>>::new();
        for (time, value) in &points {
            let day = days.partition_point(|(start, _)| *start * NS_PER_SEC <= *time) - 1;
            let Value::Int(value) = value else { continue };
            expected.entry(key(unit, step, days[day].1)).or_default().push(*value);
        }
        let grid = Grid::Calendar(Calendar::new(unit, step, zone.clone()));
        let mut found = Vec::new();
        let mut buckets = Buckets::new(&AGGS, &grid, TimeRange::ALL);
        let mut sink = |_: TimeNs, row: &[Option<Value>]| {
            found.push(row.to_vec());
            true
        };
        assert!(points.chunks(rng.usize(1..200)).all(|run| buckets.push(Run::of_pairs(run), &mut sink)) && buckets.finish(&mut sink));
        let rows: Vec<Vec<Option<Value>>> = expected
            .values()
            .map(|of| {
                let told = [of.len() as i64, of.iter().sum(), *of.iter().min().unwrap(), *of.iter().max().unwrap(), of[of.len() - 1]];
                told.map(|value| Some(Value::Int(value))).to_vec()
            })
            .collect();
        assert_eq!(found, rows, "{:?} {unit:?} {step} from {from}", zone.iana_name());
    }
}

fn instant(text: &str) -> TimeNs {
    TimeNs::try_from(text.parse::<Timestamp>().unwrap().as_nanosecond()).unwrap()
}

#[test]
fn days_that_are_not_of_24_hours() {
    let rows = [
        // Summer time begins and ends.
        ("Europe/Berlin", "2026-03-29T12:00:00Z", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"),
        ("Europe/Berlin", "2026-10-25T12:00:00Z", "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z"),
        // Offsets of halves and quarters of an hour, and a summer time of half an hour.
        ("Asia/Kolkata", "2026-05-05T00:00:00Z", "2026-05-04T18:30:00Z", "2026-05-05T18:30:00Z"),
        ("Asia/Kathmandu", "2026-05-05T00:00:00Z", "2026-05-04T18:15:00Z", "2026-05-05T18:15:00Z"),
        ("Australia/Lord_Howe", "2026-10-04T00:00:00Z", "2026-10-03T13:30:00Z", "2026-10-04T13:00:00Z"),
        // No midnight: the clock went from 00:00 to 01:00, and from 23:30 to 00:30.
        ("America/Sao_Paulo", "2018-11-04T12:00:00Z", "2018-11-04T03:00:00Z", "2018-11-05T02:00:00Z"),
        ("America/Toronto", "1919-03-31T12:00:00Z", "1919-03-31T04:30:00Z", "1919-04-01T04:00:00Z"),
        // Midnight twice: back from 01:00 to 00:00, and from 00:01 to 23:01 of the day before, which is then of the day that had begun.
        ("America/Havana", "2025-11-02T12:00:00Z", "2025-11-02T04:00:00Z", "2025-11-03T05:00:00Z"),
        ("America/St_Johns", "2010-11-07T03:00:00Z", "2010-11-07T02:30:00Z", "2010-11-08T03:30:00Z"),
        // The last hour twice: back from 24:00 to 23:00.
        ("America/Sao_Paulo", "2019-02-17T02:30:00Z", "2019-02-16T02:00:00Z", "2019-02-17T03:00:00Z"),
        // A date that was left out: the 30th was none.
        ("Pacific/Apia", "2011-12-30T09:59:59Z", "2011-12-29T10:00:00Z", "2011-12-30T10:00:00Z"),
        ("Pacific/Apia", "2011-12-30T10:00:00Z", "2011-12-30T10:00:00Z", "2011-12-31T10:00:00Z"),
    ];
    for (zone, time, from, to) in rows {
        let calendar = Calendar::new(CalendarUnit::Day, 1, parse_zone(zone).unwrap());
        let found = calendar.bucket(instant(time));
        let found = [found.from, found.to].map(|time| rfc3339(time).to_string());
        assert_eq!(found, [from, to], "{zone} {time}");
    }
}

#[test]
fn weeks_months_and_years_as_people_count_them() {
    let rows = [
        (CalendarUnit::Week(Weekday::Monday), 1, "2026-11-29T22:59:59Z", "2026-11-22T23:00:00Z", "2026-11-29T23:00:00Z"),
        (CalendarUnit::Week(Weekday::Sunday), 1, "2026-11-29T22:59:59Z", "2026-11-28T23:00:00Z", "2026-12-05T23:00:00Z"),
        (CalendarUnit::Month(1), 1, "2026-02-28T22:59:59Z", "2026-01-31T23:00:00Z", "2026-02-28T23:00:00Z"),
        (CalendarUnit::Month(15), 1, "2026-03-01T00:00:00Z", "2026-02-14T23:00:00Z", "2026-03-14T23:00:00Z"),
        (CalendarUnit::Month(1), 3, "2026-05-05T00:00:00Z", "2026-03-31T22:00:00Z", "2026-06-30T22:00:00Z"),
        (CalendarUnit::Month(1), 12, "2026-05-05T00:00:00Z", "2025-12-31T23:00:00Z", "2026-12-31T23:00:00Z"),
        (CalendarUnit::Month(28), 12, "2026-01-27T00:00:00Z", "2025-01-27T23:00:00Z", "2026-01-27T23:00:00Z"),
        (CalendarUnit::Day, 2, "1970-01-02T00:00:00Z", "1969-12-31T23:00:00Z", "1970-01-02T23:00:00Z"),
    ];
    for (unit, step, time, from, to) in rows {
        let calendar = Calendar::new(unit, step, parse_zone("Europe/Berlin").unwrap());
        let found = calendar.bucket(instant(time));
        let found = [found.from, found.to].map(|time| rfc3339(time).to_string());
        assert_eq!(found, [from, to], "{unit:?} {step} {time}");
    }
}

#[test]
fn the_ends_of_64_bits_are_ends_of_buckets() {
    for zone in ["Europe/Berlin", "Pacific/Kiritimati", "Pacific/Pago_Pago"] {
        for (unit, step) in UNITS.into_iter().chain([(CalendarUnit::Month(28), 292 * 12), (CalendarUnit::Day, 106_751)]) {
            let calendar = Calendar::new(unit, step, parse_zone(zone).unwrap());
            let (first, last) = (calendar.bucket(TimeNs::MIN), calendar.bucket(TimeNs::MAX - 1));
            assert_eq!((first.from, last.to), (TimeNs::MIN, TimeNs::MAX), "{unit:?} {step} {zone}");
            assert!(first.to > TimeNs::MIN && last.from < TimeNs::MAX);
        }
    }
}
