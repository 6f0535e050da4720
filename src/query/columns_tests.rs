//! Summaries in place of readings against the readings themselves: the same points, at every width and with many equals.

use super::*;
use crate::model::ValueType;
use crate::query::run::Run;
use crate::query::summary::Summing;
use crate::query::thin::Thinner;

type Points = Vec<At>;

fn thinned(range: TimeRange, count: u32, push: impl FnOnce(&mut Thinner, &mut dyn FnMut(TimeNs, Value) -> bool)) -> Points {
    let (mut thinner, mut found) = (Thinner::new(range, count, ValueType::Number), Points::new());
    let mut sink = |time, value| {
        found.push((time, value));
        true
    };
    push(&mut thinner, &mut sink);
    assert!(thinner.finish(&mut sink));
    found
}

/// Readings at random distances; few different values, so that equals are everywhere.
fn random(rng: &mut fastrand::Rng, level: i64, range: TimeRange) -> Points {
    let (mut time, mut walk) = (range.from, 0);
    let (most, different, holes) = (rng.i64(2..level), rng.i64(2..40), rng.bool());
    let mut points = Points::new();
    loop {
        time += if holes && rng.u8(..) < 3 { rng.i64(1..level * 5) } else { rng.i64(1..most) };
        if time >= range.to {
            return points;
        }
        walk += rng.i64(-1..=1);
        let value = if rng.bool() { walk } else { rng.i64(0..different) };
        points.push((time, if rng.u8(..) < 200 { Value::Int(value) } else { Value::Float(value as f64 / 2.0) }));
    }
}

#[test]
fn summaries_draw_the_line_that_readings_draw() {
    let (mut cut, mut read) = (0, 0);
    for seed in 0..600 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let level = rng.i64(8..300);
        let from = rng.i64(-50..50) * level;
        let covered = TimeRange { from, to: from + rng.i64(1..200) * level };
        let points = random(&mut rng, level, covered);
        let mut summing = Summing::new(level);
        summing.push(Run::of_pairs(&points));
        let summaries = summing.finish();
        // What is covered may be a part of what is drawn.
        let range = TimeRange { from: from - rng.i64(0..level * 3), to: covered.to + rng.i64(0..level * 3) };
        let count = rng.u32(1..250);
        let columns = Columns::new(range, count);
        let unclear = columns.unclear(&summaries, level);
        let found = thinned(range, count, |thinner, sink| {
            for (i, summary) in summaries.iter().enumerate() {
                let of_bucket =
                    points.partition_point(|(t, _)| *t < summary.start)..points.partition_point(|(t, _)| *t < summary.start + level);
                match unclear.binary_search(&i) {
                    Ok(_) => assert!(thinner.push(Run::of_pairs(&points[of_bucket]), sink)),
                    Err(_) => assert!(thinner.push_summary(summary, sink)),
                }
            }
        });
        let expected = thinned(range, count, |thinner, sink| assert!(points.is_empty() || thinner.push(Run::of_pairs(&points), sink)));
        assert_eq!(found, expected, "seed {seed}: level {level}, {count} columns of {range:?}");
        if columns.suit(level) {
            let is_cut = |summary: &&Summary| columns.end_of_column_with(summary.first.0) <= summary.last.0;
            (cut, read) = (cut + summaries.iter().filter(is_cut).count(), read + unclear.len());
        }
    }
    assert!(read > 0 && read < cut / 2, "{read} of {cut} that are cut are read where it is worth it");
}

#[test]
fn a_level_suits_where_it_is_not_cut_or_seldom() {
    let minute = 60_000_000_000;
    for (from, count, width, expected) in [
        (0, 2000_u32, 8 * minute, true),
        (minute, 2000, minute, true),
        (1, 2000, minute, false),
        (1, 2000, 8 * minute, true),
        (1, 2000, 8 * minute - 1, false),
        (0, 10, minute / 2, false),
    ] {
        let range = TimeRange { from, to: from + i64::from(count) * width };
        assert_eq!(Columns::new(range, count).suit(minute), expected, "{from} {count} {width}");
    }
    assert!(Columns::new(TimeRange::ALL, 1000).suit(minute), "a range longer than can be said");
}
