//! Answers as bytes, from a head and a store filled by hand.

mod aggregates;
mod groups;
mod order;
#[cfg(feature = "parquet")]
mod parquet;
mod runs;

use std::sync::Arc;

use super::plan::{Plan, Sources};
use super::write::{Broken, write, write_or_anew};
use crate::auth::access::Scope;
use crate::head::Head;
use crate::model::{BatchPart, Commit, Delete, Kind, MetaChange, Position, Reading, TimeNs, TokenId, Value};
use crate::query::error::{QueryCode, QueryError};
use crate::query::request::History;
use crate::query::selector::Selector;
use crate::retention::Retention;
use crate::series::{KeyRef, SeriesTable};
use crate::store::Store;
use crate::store::memory::MemoryStore;

const MS: TimeNs = 1_000_000;
/// 2026-11-23T01:07:10Z.
const T0: TimeNs = 1_795_396_030_000 * MS;

struct World {
    series: Arc<SeriesTable>,
    head: Head,
    store: Option<Arc<dyn Store>>,
    retention: Retention,
}

impl World {
    fn new() -> Self {
        let series = Arc::new(SeriesTable::new(1000, 1000));
        Self { retention: Retention::none(Arc::clone(&series)), series, head: Head::default(), store: None }
    }

    fn put(&self, device: &str, metric: &str, labels: &[(&str, &str)], points: &[(TimeNs, Value)]) {
        let series = self.series.resolve(KeyRef { device, metric, labels }, TokenId(1)).unwrap();
        series.fix_type(points[0].1.value_type());
        self.series.list(series.id, T0);
        let readings: Vec<_> = points.iter().map(|(t, value)| Reading { series: series.id, time: *t, value: value.clone() }).collect();
        let parts = vec![BatchPart { agent: None, received: T0, end: readings.len() }];
        self.head.apply(&Commit { position: self.head.position().next(), parts, readings, ..Commit::default() }, &[], || ());
    }

    fn plan(&self, query: &str, scope: &Scope, max: usize) -> Result<Plan, QueryError> {
        self.plan_while(query, scope, max, &|| true)
    }

    fn plan_while(&self, query: &str, scope: &Scope, max: usize, is_wanted: &dyn Fn() -> bool) -> Result<Plan, QueryError> {
        let pairs: Vec<_> = url::form_urlencoded::parse(query.as_bytes()).collect();
        let question = History::parse(pairs.iter().map(|(k, v)| (&**k, &**v)), T0 + 3_600_000 * MS)?;
        let sources = Sources { series: &self.series, head: &self.head, store: self.store.as_ref(), retention: &self.retention };
        Plan::make(question, sources, scope, &(), max, is_wanted)
    }

    fn bytes(&self, query: &str) -> Vec<u8> {
        let mut answer = Vec::new();
        write(&self.plan(query, &Scope::default(), 1_000_000).unwrap(), &mut |chunk| {
            answer.extend(chunk);
            true
        })
        .unwrap();
        answer
    }

    fn text(&self, query: &str) -> String {
        String::from_utf8(self.bytes(query)).unwrap()
    }
}

fn small() -> World {
    let world = World::new();
    world.put("b", "m", &[], &[(T0, Value::Int(1)), (T0 + MS, Value::Float(1.0)), (T0 + 2 * MS + 500, Value::Float(0.1 + 0.2))]);
    world.put("a", "on", &[], &[(T0, Value::Bool(true))]);
    world.put("a", "note", &[("x", "1,\"2\"")], &[(T0, Value::Text("say \"hi\",\nyou".into())), (T0 + MS, Value::Text("".into()))]);
    let unit = MetaChange { series: crate::model::SeriesId(0), unit: Some("bar".into()), kind: Some(Kind::Counter) };
    world.series.apply_meta(&unit, T0);
    world
}

#[test]
fn json_as_in_the_contract() {
    let expected = concat!(
        r#"{"series":["#,
        r#"{"device":"a","metric":"note","labels":{"x":"1,\"2\""},"unit":null,"kind":"text","columns":["time","value"],"points":[[1795396030000,"say \"hi\",\nyou"],[1795396030001,""]]},"#,
        r#"{"device":"a","metric":"on","labels":{},"unit":null,"kind":"state","columns":["time","value"],"points":[[1795396030000,true]]},"#,
        r#"{"device":"b","metric":"m","labels":{},"unit":"bar","kind":"counter","columns":["time","value"],"points":[[1795396030000,1],[1795396030001,1.0],[1795396030002.0005,0.30000000000000004]]}"#,
        r#"],"thinned":false}"#
    );
    assert_eq!(small().text("select=*/*&from=-2h"), expected);
}

#[test]
fn the_range_is_half_open_and_nothing_matched_is_an_empty_list() {
    let world = small();
    let points = |query: &str| {
        let answer: serde_json::Value = serde_json::from_str(&world.text(query)).unwrap();
        answer["series"][0]["points"].as_array().map(Vec::len)
    };
    assert_eq!(points("select=b/m&from=1795396030000ms&to=1795396030001ms"), Some(1));
    assert_eq!(points("select=b/m&from=1795396030001ms&to=1795396030001ms"), Some(0));
    assert_eq!(points("select=b/m&from=1795396030001ms&to=1795396030001ms&points=5"), Some(0));
    assert_eq!(points("select=b/m&from=1795396030001ms&to=1795396030001ms&agg=mean"), Some(0));
    assert_eq!(world.text("select=nobody/m&from=-2h"), r#"{"series":[],"thinned":false}"#);
}

#[test]
fn times_in_every_form() {
    let world = small();
    let points = |time: &str| {
        let text = world.text(&format!("select=b/m&from=1795396030001ms&time={time}"));
        text.split_once("\"points\":").unwrap().1.to_owned()
    };
    assert_eq!(points("ns"), "[[1795396030001000000,1.0],[1795396030002000500,0.30000000000000004]]}],\"thinned\":false}");
    assert!(points("rfc3339").starts_with("[[\"2026-11-23T01:07:10.001Z\",1.0],[\"2026-11-23T01:07:10.0020005Z\","));
}

#[test]
fn csv_and_ndjson_have_a_line_per_point() {
    let world = small();
    assert_eq!(
        world.text("select=*/*&from=-2h&format=csv&time=rfc3339"),
        "device,metric,labels,time,value\n\
         a,note,\"{\"\"x\"\":\"\"1,\\\"\"2\\\"\"\"\"}\",2026-11-23T01:07:10Z,\"say \"\"hi\"\",\nyou\"\n\
         a,note,\"{\"\"x\"\":\"\"1,\\\"\"2\\\"\"\"\"}\",2026-11-23T01:07:10.001Z,\"\"\n\
         a,on,{},2026-11-23T01:07:10Z,true\n\
         b,m,{},2026-11-23T01:07:10Z,1\n\
         b,m,{},2026-11-23T01:07:10.001Z,1.0\n\
         b,m,{},2026-11-23T01:07:10.0020005Z,0.30000000000000004\n"
    );
    let lines = world.text("select=b/m&from=-2h&format=ndjson&agg=count,max");
    let line: serde_json::Value = serde_json::from_str(lines.trim_end()).unwrap();
    let from = 1_795_396_030_000_i64 - 3_600_000;
    assert_eq!(line, serde_json::json!({"device": "b", "metric": "m", "labels": {}, "time": from, "count": 3, "max": 1}));
}

/// MessagePack says what JSON says, raw, thinned and in buckets.
#[test]
fn messagepack_is_the_same_answer() {
    let world = small();
    let filled = "&every=1m&tz=Asia/Kathmandu&agg=last,count&fill=previous";
    for shape in ["", "&time=ns", "&time=rfc3339", "&points=2&select=b/m", "&every=1ms&agg=first,count", filled] {
        let query = format!("select=*/*&from=-2h{shape}");
        let mut packed: serde_json::Value = rmp_serde::from_slice(&world.bytes(&format!("{query}&format=msgpack"))).unwrap();
        // Told always, since MessagePack tells the number of its keys first.
        assert_eq!(packed.as_object_mut().unwrap().remove("incomplete"), Some(false.into()));
        assert_eq!(packed.as_object_mut().unwrap().remove("source"), Some("readings".into()));
        let json: serde_json::Value = serde_json::from_str(&world.text(&query)).unwrap();
        assert_eq!(packed, json, "{query}");
    }
}

#[test]
fn buckets_and_columns() {
    let world = World::new();
    let points: Vec<_> = (0..1000).map(|i| (T0 + i * 10 * MS, Value::Int(i * 7 % 100))).collect();
    world.put("d", "m", &[], &points);
    let series = |query: &str| {
        let answer: serde_json::Value = serde_json::from_str(&world.text(query)).unwrap();
        (answer["series"][0].clone(), answer["thinned"].as_bool().unwrap())
    };
    let (thin, thinned) = series("select=d/m&from=1795396030s&to=1795396040s&points=10");
    let times: Vec<i64> = thin["points"].as_array().unwrap().iter().map(|p| p[0].as_i64().unwrap()).collect();
    assert!(thinned && times.len() <= 22 && times.is_sorted(), "{times:?}");
    assert_eq!((times[0], times[times.len() - 1]), (1_795_396_030_000, 1_795_396_039_990));
    let (buckets, thinned) = series("select=d/m&from=1795396030s&to=1795396040s&every=1s&agg=max,mean,count,sum");
    assert!(!thinned);
    assert_eq!(buckets["columns"], serde_json::json!(["time", "max", "mean", "count", "sum"]));
    assert_eq!(buckets["points"].as_array().unwrap().len(), 10);
    assert_eq!(buckets["points"][9], serde_json::json!([1_795_396_039_000_i64, 99, 49.5, 100, 4950]));
}

/// A reading each hour over a day of 25 hours in Berlin, and days without any.
#[test]
fn days_of_a_zone_and_those_without_readings() {
    let world = World::new();
    let start: jiff::Timestamp = "2026-10-24T00:00:00Z".parse().unwrap();
    let start = i64::try_from(start.as_nanosecond()).unwrap();
    world.put("d", "m", &[], &(0..72).map(|i| (start + i * 3_600_000 * MS, Value::Int(i))).collect::<Vec<_>>());
    world.put("e", "on", &[], &[(start, Value::Bool(true))]);
    let query = "from=2026-10-23T22:00:00Z&to=2026-10-29T01:00:00+01:00&every=1d&time=rfc3339&format=csv";
    let rows = |rest: &str| {
        let text = world.text(&format!("{query}&{rest}"));
        text.lines().skip(1).map(|line| line.splitn(4, ',').nth(3).unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(
        rows("select=d/m&tz=Europe/Berlin&agg=count,max&fill=previous"),
        [
            "2026-10-23T22:00:00Z,22,21",
            "2026-10-24T22:00:00Z,25,46",
            "2026-10-25T23:00:00Z,24,70",
            "2026-10-26T23:00:00Z,1,71",
            "2026-10-27T23:00:00Z,0,71",
            "2026-10-28T23:00:00Z,0,71",
        ]
    );
    assert_eq!(rows("select=d/m&agg=count"), ["2026-10-24T00:00:00Z,24", "2026-10-25T00:00:00Z,24", "2026-10-26T00:00:00Z,24"]);
    assert_eq!(rows("select=d/m&agg=count&fill=zero").len(), 6);
    assert_eq!(rows("select=e/on&tz=Asia/Tokyo&agg=last,count&fill=null")[..2], ["2026-10-23T15:00:00Z,true,1", "2026-10-24T15:00:00Z,,0"]);
    let refused = world.plan(&format!("{query}&select=*/*&agg=last&fill=linear"), &Scope::default(), 100).unwrap_err();
    assert!(refused.code == QueryCode::BadParameter && refused.message.contains("e/on holds bool"), "{refused}");
    assert!(world.plan(&format!("{query}&select=*/*&agg=count&fill=linear"), &Scope::default(), 100).is_ok());
    let many = world.plan("select=d/m&from=0s&every=1m&agg=count&fill=zero", &Scope::default(), 100).unwrap_err();
    assert_eq!(many.code, QueryCode::TooManyPoints, "each bucket is told, so each counts");
}

#[test]
fn the_store_s_points_come_before_the_head_s() {
    let mut world = World::new();
    world.put("d", "m", &[], &[(T0, Value::Int(0)), (T0 + MS, Value::Int(1)), (T0 + 2 * MS, Value::Int(2))]);
    let store = MemoryStore::default();
    let generation = world.head.freeze().unwrap();
    store.seal(&generation.handover()).unwrap();
    world.head.sealed(&generation);
    world.store = Some(Arc::new(store));
    world.put("d", "m", &[], &[(T0 + 2 * MS, Value::Int(20)), (T0 + 3 * MS, Value::Int(30))]);
    assert!(world.text("select=d/m&from=-2h").contains("[[1795396030000,0],[1795396030001,1],[1795396030002,20],[1795396030003,30]]"));
    assert!(world.text("select=d/m&from=-2h&agg=count,min").contains(",4,0]]"));
    let refused = world.plan("select=d/m&from=-2h", &Scope::default(), 3).unwrap_err();
    assert_eq!(refused.code, QueryCode::TooManyPoints);
}

/// As where a day expires meanwhile. MessagePack tells how many points there are before them.
#[test]
fn what_changes_while_it_is_answered_is_planned_anew_before_its_first_byte() {
    let mut world = World::new();
    world.put("d", "m", &[], &[(T0, Value::Int(0)), (T0 + MS, Value::Int(1))]);
    let store = Arc::new(MemoryStore::default());
    let generation = world.head.freeze().unwrap();
    store.seal(&generation.handover()).unwrap();
    world.head.sealed(&generation);
    world.store = Some(store.clone());
    let query = "select=d/m&from=-2h&format=msgpack";
    let lose = |time| store.delete(Delete { series: crate::model::SeriesId(0), from: time, to: time });
    let plan = || world.plan(query, &Scope::default(), 100).unwrap();
    let stale = plan();
    lose(T0);
    let (mut answer, mut anew) = (Vec::new(), 0);
    let mut sink = |chunk: Vec<u8>| {
        answer.extend(chunk);
        true
    };
    assert!(matches!(write(&stale, &mut sink), Err(Broken::Changed { told: 2, found: 1, .. })));
    write_or_anew(stale, &mut sink, |_| {
        anew += 1;
        Some(plan())
    })
    .unwrap();
    assert_eq!((answer, anew), (world.bytes(query), 1));
}

#[test]
fn a_late_reading_tells_when_it_was_received() {
    let world = World::new();
    let hour = 3_600_000 * MS;
    world.put("d", "m", &[], &[(T0 - hour, Value::Int(1)), (T0 - MS, Value::Int(2))]);
    let columns = "\"columns\":[\"time\",\"value\",\"received\"]";
    let text = world.text("select=d/m&from=-3h&received=true");
    assert!(text.contains(columns) && text.contains("[[1795392430000,1,1795396030000],[1795396029999,2,1795396030000]]"), "{text}");
    let text = world.text("select=d/m&from=-3h&received=true&format=csv&time=rfc3339");
    assert!(
        text.ends_with("2026-11-23T00:07:10Z,1,2026-11-23T01:07:10Z\nd,m,{},2026-11-23T01:07:09.999Z,2,2026-11-23T01:07:10Z\n"),
        "{text}"
    );
}

#[test]
fn what_does_not_fit_is_refused_before_the_first_byte() {
    let world = small();
    let refused = |query: &str, max| world.plan(query, &Scope::default(), max).unwrap_err();
    let error = refused("select=*/*&from=-2h", 5);
    assert_eq!(error.code, QueryCode::TooManyPoints);
    assert!(error.message.contains("more than 5 readings") && error.hint.unwrap().contains("points=N"));
    assert!(world.plan("select=*/*&from=-2h", &Scope::default(), 6).is_ok(), "the bound itself is allowed");
    assert!(world.plan("select=*/*&from=-2h&points=100000", &Scope::default(), 6).is_ok(), "few readings are few, whatever is asked");
    let error = refused("select=*/*&from=-2h&agg=count,mean", 100);
    assert!(error.code == QueryCode::BadParameter && error.message.contains("a/note"), "{error}");
    assert!(world.plan("select=*/*&from=-2h&agg=count,first,last", &Scope::default(), 100).is_ok());
}

#[test]
fn out_of_scope_does_not_exist() {
    let world = small();
    let scope = Scope { devices: None, select: Some(Selector::parse("a/*").unwrap()) };
    let found = world.plan("select=*/*&from=-2h", &scope, 100).unwrap();
    assert_eq!(found.series.iter().map(|p| &*p.series.key.metric).collect::<Vec<_>>(), ["note", "on"]);
    assert!(world.plan("select=*/*&from=-2h", &scope, 3).is_ok(), "nor does it count");
}

#[test]
fn chunks_are_bounded_and_a_client_that_goes_ends_the_work() {
    let world = World::new();
    let points: Vec<_> = (0..100_000_i64).map(|i| (T0 + i * MS, Value::Float(i as f64 / 7.0))).collect();
    world.put("d", "m", &[], &points);
    for shape in ["", "&points=60000", "&every=1ms&agg=first"] {
        let query = format!("select=*/*&from=1795396030s&to=1795396130s{shape}");
        let plan = world.plan(&query, &Scope::default(), 1_000_000).unwrap();
        let (mut chunks, mut longest) = (0, 0);
        write(&plan, &mut |chunk| {
            chunks += 1;
            longest = longest.max(chunk.len());
            true
        })
        .unwrap();
        assert!(chunks > 10 && longest < 3 * crate::limits::HISTORY_CHUNK_BYTES, "{shape}: {chunks} of at most {longest}");
        let mut taken = 0;
        let gone = write(&plan, &mut |_| {
            taken += 1;
            taken < 3
        });
        assert!(matches!(gone, Err(super::write::Broken::ClientGone)));
        assert_eq!(taken, 3, "{shape}: nothing is written after the client went");
    }
}

#[test]
fn what_is_read_before_the_first_byte_ends_when_nobody_waits() {
    let world = World::new();
    let points: Vec<_> = (0..100_000_i64).map(|i| (T0 + i * MS, Value::Int(i))).collect();
    world.put("d", "m", &[], &points);
    let mut plan = world.plan("select=*/*&from=1795396030s&to=1795396130s", &Scope::default(), 1_000_000).unwrap();
    let asked = std::cell::Cell::new(0);
    let mut read = |most: usize| {
        asked.set(0);
        let is_wanted = || {
            asked.set(asked.get() + 1);
            asked.get() < most
        };
        (plan.read_through(&is_wanted).unwrap(), asked.get())
    };
    let (is_whole, times) = read(usize::MAX);
    assert!(is_whole && times > 2, "it is asked while it is read: {times}");
    assert_eq!(read(2), (false, 2), "nothing is read after that");
}

#[test]
fn what_is_counted_before_the_first_byte_ends_when_nobody_waits() {
    let world = small();
    let asked = std::cell::Cell::new(0);
    let plan = |most: usize| {
        asked.set(0);
        let is_wanted = || {
            asked.set(asked.get() + 1);
            asked.get() < most
        };
        (world.plan_while("select=*/*&from=-2h", &Scope::default(), 100, &is_wanted).map(|plan| plan.series.len()), asked.get())
    };
    assert_eq!(plan(usize::MAX), (Ok(3), 3), "it is asked for each series");
    let (left, times) = plan(2);
    assert_eq!((left.unwrap_err().code, times), (QueryCode::TooSlow, 2), "no series is counted after that");
}

#[test]
fn an_answer_is_the_state_at_one_commit() {
    let world = small();
    let plan = world.plan("select=*/*&from=-2h&to=now", &Scope::default(), 100).unwrap();
    assert_eq!(plan.position, Position(3));
    world.put("b", "m", &[], &[(T0, Value::Int(9)), (T0 + 7 * MS, Value::Int(9))]);
    let mut answer = Vec::new();
    write(&plan, &mut |chunk| {
        answer.extend(chunk);
        true
    })
    .unwrap();
    assert!(String::from_utf8(answer).unwrap().contains("[[1795396030000,1],[1795396030001,1.0],[1795396030002.0005"));
}
