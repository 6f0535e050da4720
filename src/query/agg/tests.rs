//! Every aggregate against its definition, however the readings come: in runs cut anywhere, summed up, over borders of buckets.

use std::collections::BTreeMap;

use super::*;
use crate::clock::NS_PER_SEC;
use crate::model::{TimeNs, TimeRange};
use crate::query::buckets::Buckets;
use crate::query::grid::Grid;
use crate::query::summary::Summing;

const SUMMED: [Agg; 3] = [Agg::StdDev, Agg::Increase, Agg::Rate];
const QUANTILES: [Agg; 3] = [Agg::P50, Agg::P90, Agg::P99];
const ROUND: i64 = 1 << 32;

type Row = (TimeNs, Vec<Option<Value>>);

/// Each stretch of `level` comes as a summary or in runs cut anywhere.
fn rows(points: &[At], aggs: &[Agg], every: Option<i64>, range: TimeRange, level: Option<i64>, rng: &mut fastrand::Rng) -> Vec<Row> {
    let grid = Grid::from(every);
    let (mut buckets, mut found) = (Buckets::new(aggs, &grid, range), Vec::new());
    let inside: Vec<_> = points.iter().filter(|(time, _)| range.contains(*time)).cloned().collect();
    if let Some(before) = points.iter().rfind(|(time, _)| *time < range.from) {
        buckets.begin_after(before.clone());
    }
    let mut sink = |time: TimeNs, row: &[Option<Value>]| {
        found.push((time, row.to_vec()));
        true
    };
    let stretch = |point: &At| level.map_or(0, |level| point.0.div_euclid(level));
    for points in inside.chunk_by(|a, b| stretch(a) == stretch(b)) {
        if let Some(level) = level.filter(|_| rng.bool()) {
            let mut summing = Summing::new(level);
            summing.push(Run::of_pairs(points));
            let summaries = summing.finish();
            assert_eq!(summaries.len(), 1);
            assert!(buckets.push_summary(&summaries[0], &mut sink));
            continue;
        }
        let mut rest = points;
        while !rest.is_empty() {
            let (run, after) = rest.split_at(rng.usize(1..=rest.len().min(50)));
            assert!(buckets.push(Run::of_pairs(run), &mut sink));
            rest = after;
        }
    }
    assert!(buckets.finish(&mut sink));
    found
}

/// A counter that is reset now and then and goes round at 32 bits, or a gauge; ints, floats or both.
fn random(rng: &mut fastrand::Rng) -> Vec<At> {
    let (is_counter, form, step) = (rng.u8(..) < 200, rng.u8(0..3), 1 << rng.i64(1..27));
    let (mut time, mut count) = (rng.i64(0..1_000), rng.i64(0..ROUND));
    let gap = 1 << rng.i64(1..12);
    (0..rng.usize(1..2_000))
        .map(|_| {
            time += rng.i64(1..=gap);
            count = match rng.u8(..) {
                0..4 => rng.i64(0..100),
                _ if is_counter => (count + rng.i64(0..step)) % ROUND,
                _ => rng.i64(-1000..1000),
            };
            let is_int = form == 0 || (form == 1 && rng.bool());
            (time, if is_int { Value::Int(count) } else { Value::Float(count as f64 / if form == 2 { 1.0 } else { 8.0 }) })
        })
        .collect()
}

/// The growth of one step by the words of AGGREGATES.md, in eighths, which all values here are whole numbers of.
fn step(from: &Value, to: &Value) -> i128 {
    let eighths = |value: &Value| (value.as_f64().unwrap() * 8.0) as i128;
    let (from, to, round) = (eighths(from), eighths(to), i128::from(ROUND) * 8);
    let is_whole = from % 8 == 0 && to % 8 == 0;
    match to - from {
        up if up >= 0 => up,
        _ if is_whole && (round - round / 16..round).contains(&from) && (0..round / 16).contains(&to) => to + round - from,
        _ => to,
    }
}

fn check_row(row: &[Option<Value>], aggs: &[Agg], points: &[At], place: Place<'_>) {
    let Place { from, to, of_summaries, name } = place;
    let (floats, before) = (points[from..to].iter().map(|(_, v)| v.as_f64().unwrap()).collect::<Vec<_>>(), from.saturating_sub(1));
    let grown: i128 = points[before..to].windows(2).map(|pair| step(&pair[0].1, &pair[1].1)).sum();
    let (n, scale) = (floats.len() as f64, floats.iter().fold(1.0, |most: f64, value| most.max(value.abs())));
    for (agg, value) in aggs.iter().zip(row) {
        let near = |expected: f64, part: f64| {
            let found = value.as_ref().unwrap().as_f64().unwrap();
            assert!((found - expected).abs() <= part * scale, "{agg:?}: {found}, expected {expected}; {name}");
        };
        match agg {
            Agg::Increase if points[before..to].iter().all(|(_, value)| matches!(value, Value::Int(_))) => {
                let Some(Value::Int(found)) = value else { panic!("{value:?} {name}") };
                assert_eq!(i128::from(*found) * 8, grown, "{name}");
            }
            // Eighths below 2^53 add up exactly.
            Agg::Increase => near(grown as f64 / 8.0, 0.0),
            Agg::Rate if to - before < 2 => assert_eq!(*value, None, "{name}"),
            Agg::Rate => {
                let seconds = (points[to - 1].0 - points[before].0) as f64 / NS_PER_SEC as f64;
                let found = value.as_ref().unwrap().as_f64().unwrap();
                assert!((found * seconds - grown as f64 / 8.0).abs() <= 1e-12 * grown.unsigned_abs() as f64, "{name}");
            }
            Agg::StdDev => {
                let mean = floats.iter().sum::<f64>() / n;
                let squares = floats.iter().map(|value| (value - mean).powi(2)).sum::<f64>();
                // Of summaries of readings that lie close together it is not told, see below.
                near((squares / n).sqrt(), if of_summaries { 1e-7 } else { 1e-12 });
            }
            _ => {
                let mut sorted = floats.clone();
                sorted.sort_by(f64::total_cmp);
                let at = agg.quantile().unwrap() * (n - 1.0);
                let (low, high, share) = (sorted[at.floor() as usize], sorted[at.ceil() as usize], at.fract());
                near(low * (1.0 - share) + high * share, 1e-14);
            }
        }
    }
}

/// Which points are in the row's bucket.
#[derive(Clone, Copy)]
struct Place<'a> {
    from: usize,
    to: usize,
    of_summaries: bool,
    name: &'a str,
}

#[test]
fn aggregates_agree_with_the_definition_however_readings_come() {
    for seed in 0..400 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let points = random(&mut rng);
        let level = rng.bool().then(|| rng.i64(1..2_000));
        let every = (rng.u8(..) > 20).then(|| level.unwrap_or(1) * rng.i64(1..40));
        let end = points[points.len() - 1].0 + 1;
        // Summaries lie within the range.
        let from = (rng.i64(0..end) / level.unwrap_or(1) * level.unwrap_or(1)).min(end - 1);
        let range = TimeRange { from, to: end };
        let aggs = if level.is_some() { SUMMED.to_vec() } else { [SUMMED, QUANTILES].concat() };
        let found = rows(&points, &aggs, every, range, level, &mut rng);
        let mut expected = BTreeMap::<TimeNs, (usize, usize)>::new();
        for (i, (time, _)) in points.iter().enumerate().filter(|(_, (time, _))| range.contains(*time)) {
            let start = every.map_or(from, |every| time.div_euclid(every) * every);
            expected.entry(start).or_insert((i, i)).1 = i + 1;
        }
        assert_eq!(found.iter().map(|(start, _)| *start).collect::<Vec<_>>(), expected.keys().copied().collect::<Vec<_>>(), "{seed}");
        for ((start, row), (from, to)) in found.iter().zip(expected.into_values()) {
            let name = format!("seed {seed}, bucket {start}");
            check_row(row, &aggs, &points, Place { from, to, of_summaries: level.is_some(), name: &name });
        }
    }
}

#[test]
fn increases_of_parts_add_up_to_that_of_the_whole() {
    for seed in 0..100 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let (mut time, mut count) = (0, 0_i64);
        let points: Vec<At> = (0..500)
            .map(|_| {
                time += rng.i64(1..40);
                count = if rng.u8(..) < 9 { rng.i64(0..9) } else { count + rng.i64(0..1 << 50) };
                (time, Value::Int(count))
            })
            .collect();
        let mut sum = |every: Option<i64>, range: TimeRange| -> i128 {
            let of_row = |(_, row): &Row| match &row[0] {
                Some(Value::Int(i)) => i128::from(*i),
                other => panic!("{other:?}, seed {seed}"),
            };
            rows(&points, &[Agg::Increase], every, range, None, &mut rng).iter().map(of_row).sum()
        };
        let (cut, to) = (time / 3, time + 1);
        let whole = sum(None, TimeRange { from: 0, to });
        assert_eq!(sum(Some(17), TimeRange { from: 0, to }), whole, "seed {seed}");
        assert_eq!(sum(Some(100), TimeRange { from: 0, to: cut }) + sum(Some(7), TimeRange { from: cut, to }), whole, "seed {seed}");
    }
}

#[test]
fn a_fall_is_a_reset_or_the_end_of_a_round() {
    let rows: [(Value, Value, Value); 9] = [
        (Value::Int(5), Value::Int(9), Value::Int(4)),
        (Value::Int(9), Value::Int(5), Value::Int(5)),
        (Value::Int(ROUND - 6), Value::Int(5), Value::Int(11)),
        (Value::Float((ROUND - 6) as f64), Value::Float(5.0), Value::Float(11.0)),
        (Value::Float((ROUND - 6) as f64 + 0.5), Value::Float(5.0), Value::Float(5.0)),
        // Not near both ends of a round, or beyond one.
        (Value::Int(ROUND / 2), Value::Int(5), Value::Int(5)),
        (Value::Int(ROUND - 6), Value::Int(ROUND / 2), Value::Int(ROUND / 2)),
        (Value::Int(ROUND + 6), Value::Int(5), Value::Int(5)),
        (Value::Int(i64::MIN), Value::Int(i64::MAX), Value::Float(18_446_744_073_709_551_615.0)),
    ];
    for (from, to, expected) in rows {
        let points = [(1, from.clone()), (2, to.clone())];
        let rng = &mut fastrand::Rng::with_seed(1);
        let found = self::rows(&points, &[Agg::Increase], None, TimeRange { from: 0, to: 9 }, None, rng);
        assert_eq!(found, [(0, vec![Some(expected)])], "{from:?} {to:?}");
    }
}

#[test]
fn a_rate_is_told_between_readings_and_of_one_alone_there_is_none() {
    let points: Vec<At> = [(10, 100), (20, 150), (50, 450)].map(|(s, count)| (s * NS_PER_SEC, Value::Int(count))).to_vec();
    let rng = &mut fastrand::Rng::with_seed(1);
    let mut of = |from: i64, every: i64| {
        let range = TimeRange { from: from * NS_PER_SEC, to: 60 * NS_PER_SEC };
        let found = rows(&points, &[Agg::Rate, Agg::Increase], Some(every * NS_PER_SEC), range, None, rng);
        found.into_iter().map(|(start, row)| (start / NS_PER_SEC, row[0].clone(), row[1].clone())).collect::<Vec<_>>()
    };
    let (rate, grown) = (|rate| Some(Value::Float(rate)), |by| Some(Value::Int(by)));
    assert_eq!(of(0, 15), [(0, None, grown(0)), (15, rate(5.0), grown(50)), (45, rate(10.0), grown(300))]);
    assert_eq!(of(15, 60), [(0, rate(350.0 / 40.0), grown(350))], "since the last reading before the range");
}

#[test]
fn quantiles_are_numpys() {
    let rows: [(&[f64], [f64; 3]); 4] = [
        (&[7.0], [7.0, 7.0, 7.0]),
        (&[4.0, 1.0, 3.0, 2.0], [2.5, 3.7, 3.97]),
        (&[1.0, 2.0, 2.0, 2.0, 10.0], [2.0, 6.8, 9.68]),
        (&[f64::MAX, -f64::MAX], [0.0, f64::MAX * 0.8, f64::MAX * 0.98]),
    ];
    for (values, expected) in rows {
        let points: Vec<At> = (0..).zip(values.iter().map(|value| Value::Float(*value))).collect();
        let found = self::rows(&points, &QUANTILES, None, TimeRange { from: 0, to: 9 }, None, &mut fastrand::Rng::with_seed(1));
        for (found, expected) in found[0].1.iter().zip(expected) {
            let found = found.as_ref().unwrap().as_f64().unwrap();
            assert!((found - expected).abs() <= 1e-14 * expected.abs(), "{values:?}: {found}, expected {expected}");
        }
    }
}

#[test]
fn a_deviation_is_told_of_a_summary_only_where_rounding_leaves_it() {
    let summary = |values: &[f64]| {
        let points: Vec<At> = (0..).zip(values.iter().map(|value| Value::Float(*value))).collect();
        let mut summing = Summing::new(1_000);
        summing.push(Run::of_pairs(&points));
        summing.finish().remove(0)
    };
    let deviation = |summary: &Summary| {
        let mut spread = Spread::default();
        spread.add_summary(summary);
        spread.deviation().unwrap()
    };
    let near = summary(&[20.0, 20.5, 21.0]);
    assert!(tells_spread(&near) && (deviation(&near) - (1.0_f64 / 6.0).sqrt()).abs() < 1e-9);
    let constant = summary(&[20.1; 60]);
    assert!(tells_spread(&constant), "least is greatest");
    assert_eq!(deviation(&constant).to_bits(), 0.0_f64.to_bits());
    let far = summary(&[1e9, 1e9 + 0.25, 1e9 + 0.5]);
    assert!(!tells_spread(&far));
    assert!((0.2..=0.25).contains(&deviation(&far)), "as well as least and greatest tell: {}", deviation(&far));
    let beyond = summary(&[f64::MAX, f64::MAX / 2.0]);
    assert!(!tells_spread(&beyond));
    let run: Vec<At> = vec![(0, Value::Float(f64::MAX)), (1, Value::Float(-f64::MAX))];
    let mut spread = Spread::default();
    spread.add(&Run::of_pairs(&run));
    assert_eq!(spread.deviation(), None, "beyond a float");
}

#[test]
fn a_bucket_that_is_too_full_is_found_by_counting() {
    for seed in 0..300 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let range = TimeRange { from: rng.i64(0..500), to: rng.i64(500..3_000) };
        let (every, most) = (rng.i64(1..600), rng.usize(1..60));
        let times: Vec<_> = (0..rng.usize(0..400)).map(|_| rng.i64(range.from..range.to)).collect();
        let bucket_of = |time: TimeNs| {
            let from = time.div_euclid(every) * every;
            TimeRange { from, to: from + every }
        };
        let mut counts = BTreeMap::<TimeNs, usize>::new();
        times.iter().for_each(|time| *counts.entry(bucket_of(*time).from).or_default() += 1);
        let mut asked = 0;
        let mut count = |part: TimeRange| {
            asked += 1;
            Ok::<_, ()>(times.iter().filter(|time| part.contains(**time)).count())
        };
        let found = too_full(range, times.len(), most, &bucket_of, &mut count).unwrap();
        let first = counts.iter().find(|(_, count)| **count > most).map(|(start, _)| *start);
        assert_eq!(found, first, "seed {seed}");
        assert!(asked <= (times.len() / most + 1) * 13, "seed {seed}: asked {asked} times");
    }
}

const DAY: i64 = 86_400 * NS_PER_SEC;

/// Each reading's stretch laid over each bucket.
fn states_by_definition(points: &[At], every: i64, range: TimeRange, until: TimeNs) -> Vec<(TimeNs, u64, BTreeMap<String, i64>)> {
    let holds = 7 * DAY;
    let mut rows = Vec::new();
    for start in (range.from.div_euclid(every)..=(range.to - 1).div_euclid(every)).map(|bucket| bucket * every) {
        let bucket = TimeRange { from: start.max(range.from), to: (start + every).min(range.to) };
        let mut spent = BTreeMap::new();
        let mut is_held = false;
        for (i, (time, value)) in points.iter().enumerate() {
            let next = points.get(i + 1).map_or(TimeNs::MAX, |(next, _)| *next);
            let end = next.min(time + holds);
            is_held |= *time < bucket.from && bucket.from < end;
            let seconds = (end.min(bucket.to).min(until) - (*time).max(bucket.from)) / NS_PER_SEC;
            if seconds > 0 {
                let Value::Text(text) = value else { panic!("{value:?}") };
                *spent.entry(text.to_string()).or_default() += seconds;
            }
        }
        let count = points.iter().filter(|(time, _)| bucket.contains(*time)).count() as u64;
        if count > 0 || (is_held && bucket.from < until) {
            rows.push((start, count, spent));
        }
    }
    rows
}

#[test]
fn time_in_state_agrees_with_the_definition() {
    for seed in 0..300 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let (mut time, gap) = (rng.i64(0..40_000), [60, 4_000, 90_000, 1_500_000][rng.usize(0..4)]);
        let points: Vec<At> = (0..rng.usize(1..80))
            .map(|_| {
                time += rng.i64(1..gap);
                (time * NS_PER_SEC, Value::Text(["on", "off", "\"stuck\""][rng.usize(0..3)].into()))
            })
            .collect();
        let seconds = [60, 3_600, 86_400, 7 * 86_400][rng.usize(0..4)];
        let (from, to) = ((time - rng.i64(0..seconds * 40)).max(0), time + 1 + rng.i64(0..seconds * 20));
        let (every, until) = (seconds * NS_PER_SEC, to.min(time + 1 + rng.i64(0..seconds * 20)) * NS_PER_SEC);
        let range = TimeRange { from: from * NS_PER_SEC, to: to * NS_PER_SEC };
        let aggs = [Agg::Count, Agg::TimeInState, Agg::Last];
        let grid = Grid::Fixed(every);
        let (mut buckets, mut found) = (Buckets::new(&aggs, &grid, range).known_until(until), Vec::new());
        if let Some(before) = points.iter().rfind(|(time, _)| *time < range.from) {
            buckets.begin_after(before.clone());
        }
        let mut sink = |time: TimeNs, row: &[Option<Value>]| {
            let (Some(Value::Int(count)), Some(Value::Text(object))) = (&row[0], &row[1]) else { panic!("{row:?}") };
            let object: BTreeMap<String, f64> = serde_json::from_str(object).unwrap();
            assert_eq!(row[2].is_some(), *count > 0);
            let whole = object.into_iter().map(|(value, seconds)| (value, seconds.round() as i64));
            found.push((time, u64::try_from(*count).unwrap(), whole.filter(|(_, seconds)| *seconds > 0).collect::<BTreeMap<_, _>>()));
            true
        };
        let inside: Vec<_> = points.iter().filter(|(time, _)| range.contains(*time)).cloned().collect();
        let mut rest = &inside[..];
        while !rest.is_empty() {
            let (run, after) = rest.split_at(rng.usize(1..=rest.len()));
            assert!(buckets.push(Run::of_pairs(run), &mut sink));
            rest = after;
        }
        assert!(buckets.finish(&mut sink));
        assert_eq!(found, states_by_definition(&points, every, range, until), "seed {seed}");
    }
}

#[test]
fn more_states_than_are_told_are_none() {
    for (states, is_told) in [(crate::limits::STATES, true), (crate::limits::STATES + 1, false)] {
        let points: Vec<At> = (0..=states as i64).map(|i| (i, Value::Int(i))).collect();
        let range = TimeRange { from: 0, to: states as i64 };
        let found = rows(&points, &[Agg::TimeInState], None, range, None, &mut fastrand::Rng::with_seed(1));
        assert_eq!(found[0].1[0].is_some(), is_told, "{states}");
    }
}

/// A gateway's clock may be ahead of the hub's: what it sent is counted, but no state is known to have held since.
#[test]
fn a_reading_ahead_of_the_clock_gives_no_state_time_that_has_not_passed() {
    const MINUTE: i64 = 60 * NS_PER_SEC;
    let text = |text: &str| Value::Text(text.into());
    let (aggs, grid, range) = ([Agg::Count, Agg::TimeInState], Grid::Fixed(MINUTE), TimeRange { from: 0, to: 20 * MINUTE });
    let (mut buckets, mut found) = (Buckets::new(&aggs, &grid, range).known_until(150 * NS_PER_SEC), Vec::new());
    buckets.begin_after((-MINUTE, text("on")));
    let mut sink = |time: TimeNs, row: &[Option<Value>]| {
        found.push((time / MINUTE, row.to_vec()));
        true
    };
    assert!(buckets.push(Run::of_pairs(&[(7 * MINUTE + 1, text("off")), (9 * MINUTE, text("on"))]), &mut sink));
    assert!(buckets.finish(&mut sink));
    let row = |minute: i64, count: i64, states: &str| (minute, vec![Some(Value::Int(count)), Some(text(states))]);
    let expected = [row(0, 0, "{\"on\":60.0}"), row(1, 0, "{\"on\":60.0}"), row(2, 0, "{\"on\":30.0}"), row(7, 1, "{}"), row(9, 1, "{}")];
    assert_eq!(found, expected);
}
