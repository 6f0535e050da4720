//! Aggregates beyond count, sum, ends and extremes, as a whole answer has them.

use std::time::Duration;

use super::*;
use crate::http::history::readings;
use crate::model::TimeRange;
use crate::query::summary::Summary;
use crate::store::double::Double;

const SEC: TimeNs = 1_000 * MS;

fn counter() -> Vec<(TimeNs, Value)> {
    (0..60).map(|i| (T0 + i * 10 * SEC, Value::Int(1_000 + i * 7))).collect()
}

fn points(world: &World, query: &str) -> serde_json::Value {
    let answer: serde_json::Value = serde_json::from_str(&world.text(query)).unwrap();
    answer["series"][0]["points"].clone()
}

/// Half of it is in the store, half in the head.
fn half_sealed(readings: &[(TimeNs, Value)]) -> World {
    let mut world = World::new();
    world.put("d", "m", &[], &readings[..readings.len() / 2]);
    let store = MemoryStore::default();
    let generation = world.head.freeze().unwrap();
    store.seal(&generation.handover()).unwrap();
    world.head.sealed(&generation);
    world.store = Some(Arc::new(store));
    world.put("d", "m", &[], &readings[readings.len() / 2..]);
    world
}

#[test]
fn a_counter_begins_at_the_last_reading_before_the_range() {
    let world = half_sealed(&counter());
    let at = |i: i64| T0 / MS + i * 10_000;
    let of = |from: i64, to: i64| format!("select=d/m&from={}ms&to={}ms&agg=increase,rate,count", at(from), at(to));
    assert_eq!(points(&world, &of(0, 60)), serde_json::json!([[at(0), 59 * 7, 0.7, 60]]), "there is none before the first");
    assert_eq!(points(&world, &of(10, 20)), serde_json::json!([[at(10), 70, 0.7, 10]]), "in the store");
    assert_eq!(points(&world, &of(30, 40)), serde_json::json!([[at(30), 70, 0.7, 10]]), "in the store, the range in the head");
    assert_eq!(points(&world, &of(45, 50)), serde_json::json!([[at(45), 35, 0.7, 5]]), "in the head");
    let long = (T0 / MS) + 8 * 86_400_000;
    world.put("d", "m", &[], &[(long * MS, Value::Int(9_000))]);
    let late = format!("select=d/m&from={}ms&to={}ms&agg=increase,rate", long - 1, long + 1);
    assert_eq!(points(&world, &late), serde_json::json!([[long - 1, 0, null]]), "what is older than a week does not count");
}

#[test]
fn several_at_once_in_every_format() {
    let world = half_sealed(&counter());
    let query = format!("select=d/m&from={}ms&to={}ms&agg=stddev,p50,p90,p99,rate", T0 / MS, T0 / MS + 50_000);
    let row = serde_json::json!([T0 / MS, 98.0_f64.sqrt(), 1014.0, 1025.2, 1027.72, 0.7]);
    let found = points(&world, &query);
    for (found, expected) in found[0].as_array().unwrap().iter().zip(row.as_array().unwrap()) {
        let (found, expected) = (found.as_f64().unwrap(), expected.as_f64().unwrap());
        assert!((found - expected).abs() < 1e-9, "{found} {expected}");
    }
    let text = world.text(&format!("{query}&format=csv"));
    assert!(text.starts_with("device,metric,labels,time,stddev,p50,p90,p99,rate\nd,m,{},"), "{text}");
    let line: serde_json::Value = serde_json::from_str(world.text(&format!("{query}&format=ndjson")).trim_end()).unwrap();
    assert_eq!((&line["p50"], &line["rate"]), (&found[0][2], &found[0][5]));
    let packed: serde_json::Value = rmp_serde::from_slice(&world.bytes(&format!("{query}&format=msgpack"))).unwrap();
    let packed = packed["series"][0]["points"][0].as_array().unwrap();
    // The first place is the time, the second a float whose last digit JSON may read otherwise.
    assert_eq!(packed[2..], found[0].as_array().unwrap()[2..]);
}

#[test]
fn what_is_no_number_is_refused_by_name() {
    let world = small();
    for agg in ["stddev", "p50", "p90", "p99", "increase", "rate"] {
        let error = world.plan(&format!("select=*/*&from=-2h&agg=count,{agg}"), &Scope::default(), 100).unwrap_err();
        let message = &error.message;
        assert!(error.code == QueryCode::BadParameter && message.starts_with(&format!("agg={agg}: a/note")), "{message}");
        assert!(message.ends_with("holds text, which has only first, last, count, time_in_state"), "{message}");
    }
}

#[test]
fn quantiles_are_bounded_by_readings_and_by_those_of_a_bucket() {
    let world = half_sealed(&counter());
    let whole = "select=d/m&from=-2h&agg=p99";
    let error = world.plan(whole, &Scope::default(), 59).unwrap_err();
    assert!(error.code == QueryCode::TooManyPoints && error.message.contains("more than 59"), "{error}");
    let plan = world.plan(whole, &Scope::default(), 60).unwrap();
    let check = |plan: &Plan, most| readings::check(plan, &world.retention, most);
    assert!(check(&plan, 60).is_ok());
    let error = check(&plan, 59).unwrap_err();
    assert!(error.code == QueryCode::TooManyPoints && error.message.contains("more than 59 readings"), "{error}");
    let plan = world.plan(&format!("{whole},mean&every=1m"), &Scope::default(), 60).unwrap();
    assert!(check(&plan, 6).is_ok(), "a bucket holds six");
    assert!(check(&plan, 5).is_err());
    assert!(world.plan("select=d/m&from=-2h&agg=mean,stddev,rate", &Scope::default(), 1).is_ok(), "others look at no reading twice");
}

/// Where the readings that are gone begin.
const GONE: TimeNs = T0 - 600 * SEC;

/// A counter, sealed, and before it the summary of readings that are gone.
fn with_gone() -> World {
    let mut world = World::new();
    world.put("d", "m", &[], &counter());
    let summary = Summary { start: GONE, count: 9, first: (GONE, Value::Int(3)), last: (GONE + SEC, Value::Int(900)), numbers: None };
    let store = Double::of(Box::new(MemoryStore::default())).that_lost(summary);
    let generation = world.head.freeze().unwrap();
    store.seal(&generation.handover()).unwrap();
    world.head.sealed(&generation);
    world.store = Some(Arc::new(store));
    world
}

#[test]
fn quantiles_of_readings_that_are_gone_are_refused() {
    let world = with_gone();
    assert!(world.plan("select=d/m&from=-2h&agg=p50", &Scope::default(), 100).is_ok(), "nothing has gone that is known of");
    world.retention.floors().set_now(T0 + 100 * SEC);
    world.retention.floors().set_store_keeps(Some(Duration::from_secs(110)));
    let error = world.plan("select=d/m&from=-2h&agg=mean,p50", &Scope::default(), 100).unwrap_err();
    assert!(error.code == QueryCode::BadParameter && error.message.contains("agg=p50: of d/m only rollups"), "{error}");
    assert!(error.hint.unwrap().contains("stddev, increase, rate"));
    assert!(world.plan("select=d/m&from=-2h&agg=mean,rate", &Scope::default(), 100).is_ok());
    let later = format!("select=d/m&from={}ms&agg=p50", T0 / MS - 60_000);
    assert!(world.plan(&later, &Scope::default(), 100).is_ok(), "what is later is there");
}

/// A bucket of rollups is a row as any other, and so are the points of a line drawn from them.
#[test]
fn rows_of_readings_that_are_gone_are_counted() {
    let world = with_gone();
    world.retention.floors().set_now(T0 + 100 * SEC);
    world.retention.floors().set_store_keeps(Some(Duration::from_secs(110)));
    let rolled = |shape: &str, to: TimeNs| {
        let plan = world.plan(&format!("select=d/m&from=-2h{shape}"), &Scope::default(), 100).unwrap();
        let gone = TimeRange { from: plan.range().from, to };
        let one = &plan.series[0];
        readings::rolled(&plan.question.shape, &one.view, plan.past(), one.series.id, gone, usize::MAX).unwrap()
    };
    assert_eq!(rolled("&every=1s&agg=mean", T0), 1);
    assert_eq!(rolled("&points=500", T0), 2, "its ends");
    assert_eq!(rolled("", T0), 0, "readings alone");
    assert_eq!(rolled("&every=1s&agg=mean", GONE - SEC), 0, "nothing has gone before");
}

#[test]
fn time_in_state_is_an_object_in_every_format() {
    let world = World::new();
    let minute = 60 * SEC;
    world.put("d", "door", &[], &[(T0, Value::Text("closed".into())), (T0 + 3 * minute, Value::Text("open".into()))]);
    world.put("d", "lid", &[], &[(T0, Value::Bool(false))]);
    world.put("d", "mode", &[], &[(T0, Value::Int(3))]);
    world.put("d", "level", &[], &[(T0, Value::Int(3))]);
    let kind = MetaChange { series: crate::model::SeriesId(2), unit: None, kind: Some(Kind::State) };
    world.series.apply_meta(&kind, T0);
    let ms = T0 / MS;
    let ask =
        |metric: &str, rest: &str| format!("select=d/{metric}&from={}ms&to={}ms&agg=time_in_state,count{rest}", ms + 60_000, ms + 300_000);
    let whole = serde_json::json!({"closed": 120.0, "open": 120.0});
    assert_eq!(points(&world, &ask("door", "")), serde_json::json!([[ms + 60_000, whole, 1]]));
    assert_eq!(points(&world, &ask("lid", "")), serde_json::json!([[ms + 60_000, {"false": 240.0}, 0]]), "it holds, without a reading");
    assert_eq!(points(&world, &ask("mode", "")), serde_json::json!([[ms + 60_000, {"3": 240.0}, 0]]));
    let error = world.plan(&ask("level", ""), &Scope::default(), 100).unwrap_err();
    assert!(error.message.starts_with("agg=time_in_state: d/level holds number"), "{error}");
    let text = world.text(&ask("door", "&format=csv"));
    assert!(text.ends_with(&format!("d,door,{{}},{},\"{{\"\"closed\"\":120.0,\"\"open\"\":120.0}}\",1\n", ms + 60_000)), "{text}");
    let line: serde_json::Value = serde_json::from_str(world.text(&ask("door", "&format=ndjson")).trim_end()).unwrap();
    assert_eq!((&line["time_in_state"], &line["count"]), (&whole, &serde_json::json!(1)));
    let packed: serde_json::Value = rmp_serde::from_slice(&world.bytes(&ask("door", "&format=msgpack"))).unwrap();
    assert_eq!(packed["series"][0]["points"], serde_json::json!([[ms + 60_000, whole, 1]]));
    // Without an end it holds until now, which is an hour after.
    let open = format!("select=d/lid&from={ms}ms&every=1h&agg=time_in_state");
    let sum: f64 = points(&world, &open).as_array().unwrap().iter().map(|row| row[1]["false"].as_f64().unwrap()).sum();
    assert!((sum - 3_600.0).abs() < 1e-9, "{sum}");
    let ahead = format!("select=d/lid&from={ms}ms&to={}ms&every=1h&agg=time_in_state", ms + 86_400_000);
    assert_eq!(points(&world, &ahead), points(&world, &open), "nothing holds beyond now");
}
