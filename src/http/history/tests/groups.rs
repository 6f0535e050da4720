//! `group=` and `group_by=`, as a whole answer has them: beside what the same question answers without.

use super::*;
use crate::query::number::Sum;

const SEC: TimeNs = 1_000 * MS;

/// Some devices with gaps; a part of each series is in the store.
fn random(rng: &mut fastrand::Rng) -> World {
    let mut world = World::new();
    let series: Vec<_> = (0..rng.usize(1..8)).map(|i| (format!("d{}", i / 2), format!("m{}", i % 2))).collect();
    let put = |world: &World, from: i64, rng: &mut fastrand::Rng| {
        for (i, (device, metric)) in series.iter().enumerate() {
            let mut time = T0 + from * SEC;
            let ints = i % 3 > 0;
            let points: Vec<_> = (0..rng.usize(1..60))
                .map(|_| {
                    time += rng.i64(1..200) * SEC;
                    (time, if ints { Value::Int(rng.i64(-99..99)) } else { Value::Float(f64::from(rng.i32(-99..99)) / 8.0) })
                })
                .collect();
            let room = ["", "x", "y"][i % 3];
            world.put(device, metric, &[("room", room)], &points);
        }
    };
    put(&world, 0, rng);
    let store = MemoryStore::default();
    let generation = world.head.freeze().unwrap();
    store.seal(&generation.handover()).unwrap();
    world.head.sealed(&generation);
    world.store = Some(Arc::new(store));
    put(&world, 1_800, rng);
    world
}

/// What clients would do by hand with the rows of each series.
fn by_hand(alone: &serde_json::Value, group: &str, by: &str) -> Vec<serde_json::Value> {
    let mut groups = std::collections::BTreeMap::<String, (i64, std::collections::BTreeMap<i64, Vec<Vec<Value>>>)>::new();
    for series in alone["series"].as_array().unwrap() {
        let name = match by {
            "" => String::new(),
            "label.room" => series["labels"]["room"].as_str().unwrap_or_default().to_owned(),
            by => series[by].as_str().unwrap().to_owned(),
        };
        let (count, rows) = groups.entry(name).or_default();
        *count += 1;
        for row in series["points"].as_array().unwrap() {
            let columns = rows.entry(row[0].as_i64().unwrap()).or_insert_with(|| vec![Vec::new(); row.as_array().unwrap().len() - 1]);
            for (column, value) in columns.iter_mut().zip(&row.as_array().unwrap()[1..]) {
                column.extend(value.as_i64().map(Value::Int).or_else(|| value.as_f64().map(Value::Float)));
            }
        }
    }
    let one = |values: &Vec<Value>| -> serde_json::Value {
        let mut sum = Sum::default();
        values.iter().for_each(|value| sum.add_total(value));
        let json = |value: Option<Value>| match value {
            Some(Value::Int(i)) => serde_json::json!(i),
            Some(Value::Float(f)) => serde_json::json!(f),
            _ => serde_json::Value::Null,
        };
        let best = |is_better: fn(std::cmp::Ordering) -> bool| {
            values.iter().cloned().reduce(|a, b| if is_better(crate::query::number::compare(&b, &a)) { b } else { a })
        };
        match group {
            _ if values.is_empty() => serde_json::Value::Null,
            "sum" => json(sum.total()),
            "mean" => serde_json::json!(sum.mean(values.len() as u64)),
            "min" => json(best(std::cmp::Ordering::is_lt)),
            _ => json(best(std::cmp::Ordering::is_gt)),
        }
    };
    let rows = |rows: std::collections::BTreeMap<i64, Vec<Vec<Value>>>| -> serde_json::Value {
        rows.into_iter()
            .map(|(start, columns)| std::iter::once(serde_json::json!(start)).chain(columns.iter().map(one)).collect::<serde_json::Value>())
            .collect()
    };
    groups.into_iter().map(|(name, (count, of_group))| serde_json::json!([name, count, rows(of_group)])).collect()
}

/// Whole numbers are equal; serde_json may read the last digit of a float otherwise, and sums are told to 1e-12.
pub(super) fn are_near(found: &serde_json::Value, expected: &serde_json::Value) -> bool {
    use serde_json::Value::{Array, Number, Object};
    match (found, expected) {
        (Array(found), Array(expected)) => found.len() == expected.len() && found.iter().zip(expected).all(|(a, b)| are_near(a, b)),
        (Object(found), Object(expected)) => {
            found.len() == expected.len() && found.iter().all(|(name, a)| expected.get(name).is_some_and(|b| are_near(a, b)))
        }
        (Number(a), Number(b)) if a.is_f64() && b.is_f64() => {
            let (a, b) = (a.as_f64().unwrap(), b.as_f64().unwrap());
            (a - b).abs() <= 1e-12 * b.abs().max(100.0)
        }
        _ => found == expected,
    }
}

#[test]
fn a_group_is_what_clients_would_make_of_its_series() {
    for seed in 0..60 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let world = random(&mut rng);
        let every = ["every=1m", "every=7m", "every=1d&tz=Asia/Kathmandu", ""][rng.usize(0..4)];
        let fill = ["", "&fill=null", "&fill=zero", "&fill=previous", "&fill=linear"][rng.usize(0..5)];
        let agg = ["mean,count", "sum,max", "p50,first", "increase,min,last", "stddev"][rng.usize(0..5)];
        let query = format!("select=*/*&from={}ms&to={}ms&{every}&agg={agg}{fill}", T0 / MS - 500_000, T0 / MS + 6_000_000);
        let query = query.replace("&&", "&");
        let alone: serde_json::Value = serde_json::from_str(&world.text(&query)).unwrap();
        let group = ["sum", "mean", "min", "max"][rng.usize(0..4)];
        let by = ["", "device", "metric", "label.room"][rng.usize(0..4)];
        let question = if by.is_empty() { format!("{query}&group={group}") } else { format!("{query}&group={group}&group_by={by}") };
        let found: serde_json::Value = serde_json::from_str(&world.text(&question)).unwrap();
        let name = |series: &serde_json::Value| match by {
            "" => String::new(),
            "label.room" => series["labels"]["room"].as_str().unwrap_or_default().to_owned(),
            by => series[by].as_str().unwrap().to_owned(),
        };
        let mut told: Vec<_> =
            found["series"].as_array().unwrap().iter().map(|one| serde_json::json!([name(one), one["count"], one["points"]])).collect();
        told.sort_by_key(|one| one[0].as_str().unwrap().to_owned());
        let expected = by_hand(&alone, group, by);
        assert!(are_near(&told.clone().into(), &expected.clone().into()), "seed {seed}: {question}: {told:?}, expected {expected:?}");
        let packed: serde_json::Value = rmp_serde::from_slice(&world.bytes(&format!("{question}&format=msgpack"))).unwrap();
        assert!(are_near(&packed["series"], &found["series"]), "seed {seed}");
    }
}

#[test]
fn groups_in_every_format() {
    let world = World::new();
    for (device, room, value) in [("a", "x", 1), ("b", "x", 2), ("c", "y", 4)] {
        world.put(device, "m", &[("room", room)], &[(T0, Value::Int(value)), (T0 + 60 * SEC, Value::Int(10 * value))]);
    }
    let unit = |id: u32, unit: &str| MetaChange { series: crate::model::SeriesId(id), unit: Some(unit.into()), kind: None };
    world.series.apply_meta(&unit(0, "W"), T0);
    world.series.apply_meta(&unit(1, "W"), T0);
    let ms = T0 / MS - 10_000;
    let query = format!("select=*/m&from={ms}ms&every=1m&agg=last,count&group=sum&group_by=label.room");
    let answer: serde_json::Value = serde_json::from_str(&world.text(&query)).unwrap();
    let first = T0 / MS - 10_000;
    assert_eq!(
        answer["series"],
        serde_json::json!([
            {"device": "", "metric": "m", "labels": {"room": "x"}, "unit": "W", "kind": "gauge", "count": 2,
             "columns": ["time", "last", "count"], "points": [[first, 3, 2], [first + 60_000, 30, 2]]},
            {"device": "c", "metric": "m", "labels": {"room": "y"}, "unit": null, "kind": "gauge", "count": 1,
             "columns": ["time", "last", "count"], "points": [[first, 4, 1], [first + 60_000, 40, 1]]},
        ])
    );
    let text = world.text(&format!("{query}&format=csv"));
    assert!(text.starts_with("device,metric,labels,time,last,count\n\"\",m,\"{\"\"room\"\":\"\"x\"\"}\","), "{text}");
    let lines = world.text(&format!("{query}&format=ndjson"));
    let line: serde_json::Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
    assert_eq!((&line["device"], &line["labels"], &line["last"]), (&"".into(), &serde_json::json!({"room": "x"}), &3.into()));
    assert_eq!(world.text(&query.replace("*/m", "nobody/*")), r#"{"series":[],"thinned":false}"#);
}

#[test]
fn what_has_no_sum_is_refused_by_name() {
    let world = small();
    let refused = |query: &str, max| world.plan(&format!("select=*/*&from=-2h&{query}"), &Scope::default(), max).unwrap_err();
    let error = refused("agg=last&group=max", 100);
    assert!(error.code == QueryCode::BadParameter && error.message.starts_with("group=max: a/note"), "{error}");
    assert!(error.message.contains("holds text") && error.hint.unwrap().contains("agg=count"));
    let error = world.plan("select=a/*&from=-2h&agg=count,time_in_state&group=sum", &Scope::default(), 100).unwrap_err();
    assert!(error.message.contains("time_in_state"), "{error}");
    let count = world.text("select=*/*&from=-2h&agg=count&group=sum");
    assert!(count.contains(r#""count":3,"columns":["time","count"],"points":[["#) && count.contains(",6]]"), "{count}");
}

#[test]
fn what_groups_hold_is_bounded() {
    let world = World::new();
    for device in ["a", "b", "c"] {
        world.put(device, "m", &[], &(0..100).map(|i| (T0 + i * SEC, Value::Int(i))).collect::<Vec<_>>());
    }
    let plan = |query: &str, max| world.plan(&format!("select=*/m&from={}ms&{query}", T0 / MS), &Scope::default(), max);
    assert!(plan("every=1s&agg=mean&group=sum", 300).is_ok());
    let error = plan("every=1s&agg=mean&group=sum", 299).unwrap_err();
    assert!(error.code == QueryCode::TooManyPoints && error.message.contains("buckets of series put together"), "{error}");
    // An hour has 600,000 of these: with two columns they are too many values, with one they are not.
    assert!(plan("every=6ms&agg=mean&group=sum&fill=zero", 20_000_000).is_ok());
    let error = plan("every=6ms&agg=mean,max&group=sum&fill=zero", 20_000_000).unwrap_err();
    assert!(error.code == QueryCode::TooManyPoints && error.message.contains("600001 buckets of 2 columns"), "{error}");
    assert!(error.hint.unwrap().contains("fewer of agg"));
    let error = plan("every=10ms&agg=mean&group=sum&group_by=device&fill=zero", 20_000_000).unwrap_err();
    assert!(error.message.contains("more than 1000000 buckets"), "{error}");
}
