//! Frames in, answers out. A row is a frame as JSON (or hex) and its answers as JSON; a writer of a few lines stands behind.

mod costly;
mod names;

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Value as Json, json};
use telltale_wire::{BatchCode, RowCode};
use tokio::sync::watch;

use super::*;
use crate::auth::access::{Access, Role, Scope};
use crate::config::Config;
use crate::ingest::refusals::Refusals;
use crate::ingest::session::Door;
use crate::ingest::{Batch, Later, build_date};
use crate::metrics::Metrics;
use crate::model::{SeriesId, TokenId, Value};
use crate::query::selector::{Attributes, Glob, Selector};
use crate::series::SeriesTable;

const NOW: TimeNs = 1_795_400_000_000_000_000;

struct NoAttributes;
impl Attributes for NoAttributes {
    fn with_value(&self, _: &str, _: &str, use_value: &mut dyn FnMut(&str)) {
        use_value("");
    }
}

struct World {
    plain: Plain,
    session: Session,
    stored: HashMap<(SeriesId, TimeNs), Value>,
    metas: Vec<String>,
    later: Option<Later>,
    now: TimeNs,
    closed: Option<CloseCode>,
}

fn world() -> World {
    world_with(Scope::default(), |_| {})
}

fn world_with(scope: Scope, change: impl FnOnce(&mut Door)) -> World {
    let series = Arc::new(SeriesTable::new(50, 100));
    let retention = Arc::new(crate::retention::Retention::none(Arc::clone(&series)));
    let mut door = Door::new(
        &Config::default(),
        series,
        Arc::new(Refusals::default()),
        Arc::new(Metrics::default()),
        Arc::new(NoAttributes),
        retention,
    );
    assert_eq!(door.built, build_date());
    door.built = NOW - 1;
    change(&mut door);
    // The sender is kept for ever, else the access would have ended.
    let ended = Box::leak(Box::new(watch::Sender::new(false))).subscribe();
    let access = Access::new(TokenId(7), "test".to_owned(), Role::Agent, scope, ended);
    World {
        plain: Plain::default(),
        session: Session::new(Arc::new(door), access),
        stored: HashMap::new(),
        metas: Vec::new(),
        later: None,
        now: NOW,
        closed: None,
    }
}

impl World {
    fn frame(&mut self, frame: &[u8]) -> Vec<Json> {
        let mut answers = Vec::new();
        for step in self.plain.frame(&mut self.session, frame, self.now) {
            let made = match step {
                Step::Settled(waiting) => self.plain.answer(&self.session, waiting, None, self.now),
                Step::Submit { batch, waiting, .. } => {
                    let outcome = self.write(&batch);
                    self.plain.answer(&self.session, waiting, Some(outcome), self.now)
                }
            };
            for answer in made {
                if !answer.bytes.is_empty() {
                    answers.push(rmp_serde::from_slice(&answer.bytes).unwrap());
                }
                self.closed = self.closed.or(answer.close.map(|(code, _)| code));
            }
        }
        answers
    }

    fn write(&mut self, batch: &Batch) -> Outcome {
        if let Some(later) = &self.later {
            return Outcome::Later(later.clone());
        }
        let table = Arc::clone(&self.session.door().series);
        for change in batch.meta.iter().map(|told| &told.change) {
            table.apply_meta(change, self.now);
            let series = table.by_id(change.series).unwrap();
            self.metas.push(format!(
                "{} {} {}",
                series.key,
                change.unit.as_deref().unwrap_or("-"),
                change.kind.map_or("-", |k| k.as_str())
            ));
        }
        let (mut stored, mut duplicate, mut refused) = (0, 0, Vec::new());
        for (i, reading) in batch.readings.iter().enumerate() {
            let fixed = table.by_id(reading.series).unwrap().fix_type(reading.value.value_type());
            if fixed != reading.value.value_type() {
                refused.push((i, Refusal::new(RowCode::TypeChanged, "changed")));
            } else if self.stored.insert((reading.series, reading.time), reading.value.clone()).as_ref() == Some(&reading.value) {
                duplicate += 1;
            } else {
                stored += 1;
            }
        }
        Outcome::Committed { position: crate::model::Position(1), stored, duplicate, refused }
    }

    fn json(&mut self, frame: &Json) -> Vec<Json> {
        self.frame(&pack(frame))
    }

    /// What is stored, as `device/metric{labels} time-NOW value`, sorted.
    fn kept(&self) -> Vec<String> {
        let table = &self.session.door().series;
        let mut kept: Vec<_> = self
            .stored
            .iter()
            .map(|((id, time), value)| {
                let value = match value {
                    Value::Int(i) => format!("{i}"),
                    Value::Float(f) => format!("{f:?}"),
                    Value::Bool(b) => format!("{b}"),
                    Value::Text(t) => format!("{t:?}"),
                };
                format!("{} {} {value}", table.by_id(*id).unwrap().key, time - NOW)
            })
            .collect();
        kept.sort();
        kept
    }
}

fn pack(value: &Json) -> Vec<u8> {
    rmp_serde::to_vec(value).unwrap()
}

/// Answers without their messages, which other tests look at.
fn codes(answers: &[Json]) -> Json {
    fn strip(value: &Json) -> Json {
        match value {
            Json::Object(map) => map.iter().filter(|(k, _)| *k != "message").map(|(k, v)| (k.clone(), strip(v))).collect(),
            Json::Array(items) => items.iter().map(strip).collect(),
            other => other.clone(),
        }
    }
    answers.iter().map(strip).collect()
}

fn batch(readings: &Json) -> Json {
    json!({"seq": 1, "readings": readings})
}

#[track_caller]
fn check_kept(frame: &Json, expected: &[&str]) {
    let mut world = world();
    let answers = world.json(&batch(&json!([frame])));
    assert_eq!(codes(&answers), json!([{"ack": 1, "stored": expected.len(), "duplicate": 0, "rejected": []}]), "{frame}: {answers:?}");
    assert_eq!(world.kept(), expected, "{frame}");
}

#[test]
fn each_shape_is_read_with_its_keys_in_any_order() {
    check_kept(&json!({"device": "d", "metric": "m", "value": 1, "time": NOW - 5}), &["d/m -5 1"]);
    check_kept(&json!({"time": NOW - 5, "value": 1.5, "metric": "m", "device": "d"}), &["d/m -5 1.5"]);
    check_kept(&json!({"device": "d", "metric": "m", "value": true}), &["d/m 0 true"]);
    check_kept(&json!({"device": "d", "metric": "m", "value": "hot"}), &["d/m 0 \"hot\""]);
    check_kept(
        &json!({"labels": {"b": "2", "a": "1", "gone": ""}, "device": "d", "metric": "m", "value": 1}),
        &["d/m{a=\"1\",b=\"2\"} 0 1"],
    );
    check_kept(&json!({"values": {"m": 1, "n": 2.5}, "time": NOW - 1, "device": "d"}), &["d/m -1 1", "d/n -1 2.5"]);
    check_kept(&json!({"device": "d", "labels": {"x": "1"}, "values": {"m": 1}}), &["d/m{x=\"1\"} 0 1"]);
    check_kept(&json!({"device": "d", "values": {}}), &[]);
    check_kept(
        &json!({"name": "cpu", "time": NOW - 2, "tags": {"host": "h", "cpu": "cpu0"}, "fields": {"idle": 1.5, "user": 2}}),
        &["h/cpu.idle{cpu=\"cpu0\"} -2 1.5", "h/cpu.user{cpu=\"cpu0\"} -2 2"],
    );
    check_kept(&json!([{"device": "d", "metric": "m", "value": 1}, [{"device": "d", "metric": "n", "value": 2}]]), &["d/m 0 1", "d/n 0 2"]);
}

#[test]
fn a_refused_reading_leaves_the_others() {
    let good = json!({"device": "d", "metric": "good", "value": 1, "time": NOW});
    let long = "x".repeat(257);
    let labels: Json = (0..33).map(|i| (format!("l{i}"), json!("x"))).collect::<serde_json::Map<_, _>>().into();
    let rows = [
        (json!({"metric": "m", "value": 1}), "no_device", Some("m")),
        (json!({"device": 5, "metric": "m", "value": 1}), "bad_device", Some("m")),
        (json!({"device": "", "metric": "m", "value": 1}), "bad_device", Some("m")),
        (json!({"device": "a\u{7}", "metric": "m", "value": 1}), "bad_device", Some("m")),
        (json!({"device": long, "metric": "m", "value": 1}), "limit_name", Some("m")),
        (json!({"device": "d", "value": 1}), "bad_metric", None),
        (json!({"device": "d", "metric": "a/b", "value": 1}), "bad_metric", Some("a/b")),
        (json!({"device": "d", "metric": "", "value": 1}), "bad_metric", Some("")),
        (json!({"device": "d", "metric": "m"}), "bad_value", Some("m")),
        (json!({"device": "d", "metric": "m", "value": null}), "bad_value", Some("m")),
        (json!({"device": "d", "metric": "m", "value": [1]}), "bad_value", Some("m")),
        (json!({"device": "d", "metric": "m", "value": u64::MAX}), "value_range", Some("m")),
        (json!({"device": "d", "metric": "m", "value": "x".repeat(16385)}), "limit_text", Some("m")),
        (json!({"device": "d", "metric": "m", "value": 1, "labels": ["a"]}), "bad_label", Some("m")),
        (json!({"device": "d", "metric": "m", "value": 1, "labels": {"a": 1}}), "bad_label", Some("m")),
        (json!({"device": "d", "metric": "m", "value": 1, "labels": {"device": "x"}}), "bad_label", Some("m")),
        (json!({"device": "d", "metric": "m", "value": 1, "labels": labels}), "limit_labels", Some("m")),
        (json!({"device": "d", "metric": "m", "value": 1, "kind": "gage"}), "bad_kind", Some("m")),
        (json!({"device": "d", "metric": "m", "value": "x", "kind": "counter"}), "bad_kind", Some("m")),
        (json!({"device": "d", "metric": "m", "value": 1, "unit": 5}), "bad_metric", Some("m")),
        (json!({"device": "d", "metric": "m", "value": 1, "time": 1.5e18}), "bad_time", Some("m")),
        (json!({"device": "d", "metric": "m", "value": 1, "time": 1_795_400_000}), "bad_time", Some("m")),
        (json!({"device": "d", "metric": "m", "value": 1, "time": "2026-11-01T00:00:00"}), "bad_time", Some("m")),
        (json!({"device": "d", "metric": "m", "value": 1, "time": null}), "bad_time", Some("m")),
        (json!({"device": "d", "metric": "m", "value": 1, "time": NOW + 601_000_000_000}), "time_ahead", Some("m")),
        (json!({"device": "d", "metric": "m", "value": 1, "time": u64::MAX}), "time_ahead", Some("m")),
        (json!({"device": "d", "metric": "m", "valeu": 1}), "unknown_field", Some("m")),
        (json!({"seq": 1, "readings": []}), "unknown_field", None),
        (json!({}), "no_device", None),
        (json!(17), "bad_value", None),
        (json!("text"), "bad_value", None),
        (json!({"device": "d", "values": [1]}), "bad_value", None),
        (json!({"name": "cpu", "tags": {}, "fields": {"f": 1}}), "no_device", Some("cpu.f")),
        (json!({"name": "cpu", "tags": {"host": "h", "a b": "1", "a_b": "2"}, "fields": {"f": 1}}), "bad_label", Some("cpu.f")),
        (json!({"name": "cpu", "tags": {"host": "h"}, "fields": {"f": null}}), "bad_value", Some("cpu.f")),
        (json!({"name": "cpu", "tags": {"host": "h"}}), "bad_value", Some("cpu")),
        (json!({"name": 5, "tags": {"host": "h"}, "fields": {"f": 1}}), "bad_metric", Some(".f")),
    ];
    for (reading, code, metric) in rows {
        let mut world = world();
        let answers = world.json(&batch(&json!([good, reading, good])));
        let mut refusal = json!({"index": 1, "code": code, "retry": code == "time_ahead"});
        if let Some(metric) = metric {
            refusal["metric"] = json!(metric);
        }
        assert_eq!(codes(&answers), json!([{"ack": 1, "stored": 1, "duplicate": 1, "rejected": [refusal]}]), "{reading}");
        assert!(!answers[0]["rejected"][0]["message"].as_str().unwrap().is_empty());
        let noted = world.session.door().refusals.recent();
        assert_eq!((noted.len(), noted[0].code.as_str(), noted[0].token), (1, code, TokenId(7)), "{reading}");
        assert_eq!(world.session.door().metrics.readings_received.value(), 3);
        assert_eq!(world.session.door().metrics.readings_refused.value(), 1);
        if code != "unknown_field" {
            assert!(
                world.session.door().series.resolve(key("a series of its own"), TokenId(7)).unwrap().id.0 <= 2,
                "{reading} made a series"
            );
        }
    }
}

fn key(device: &str) -> crate::series::KeyRef<'_> {
    crate::series::KeyRef { device, metric: "m", labels: &[] }
}

#[test]
fn a_row_refused_whole_lists_each_value_and_one_bad_value_only_itself() {
    let mut world = world();
    let answers = world.json(&batch(&json!([
        {"device": "d", "time": NOW + 3_600_000_000_000_i64, "values": {"x": 1, "y": 2}},
        {"device": "d", "time": NOW, "values": {"x": 1, "y": null, "z": 3}},
        {"device": "d", "time": NOW, "values": {"x": 1, "y": 2}, "kind": "gauge"},
    ])));
    let row = |index, metric, code, retry| json!({"index": index, "metric": metric, "code": code, "retry": retry});
    let expected = json!([{"ack": 1, "stored": 2, "duplicate": 0, "rejected": [
        row(0, "x", "time_ahead", true), row(0, "y", "time_ahead", true), row(1, "y", "bad_value", false),
        row(2, "x", "unknown_field", false), row(2, "y", "unknown_field", false),
    ]}]);
    assert_eq!(codes(&answers), expected);
    assert_eq!(world.kept(), ["d/x 0 1", "d/z 0 3"]);
}

#[test]
fn floats_that_are_not_finite_and_float32() {
    let mut world = world();
    let mut frame = pack(&json!({"device": "d", "values": {"a": 0, "b": 1, "c": 2, "d": 3}}));
    for (name, bytes) in [(b'a', &f64::NAN.to_be_bytes()[..]), (b'b', &f64::INFINITY.to_be_bytes()), (b'c', &0.1_f32.to_be_bytes())] {
        let at = frame.windows(2).position(|w| w == [0xa1, name]).unwrap() + 2;
        let marker = if bytes.len() == 8 { 0xcb } else { 0xca };
        frame.splice(at..=at, [marker].into_iter().chain(bytes.iter().copied()));
    }
    let answers = world.frame(&frame);
    let row = |metric| json!({"index": 0, "metric": metric, "code": "not_finite", "retry": false});
    assert_eq!(codes(&answers), json!([{"frame": 1, "rejected": [row("a"), row("b")]}]));
    assert_eq!(world.kept(), [&format!("d/c 0 {:?}", f64::from(0.1_f32)), "d/d 0 3"]);
}

#[test]
fn a_timestamp_extension_and_text_are_times() {
    let seconds = u32::try_from(NOW / 1_000_000_000).unwrap();
    let mut frame = pack(&json!({"device": "d", "metric": "m", "value": 1}));
    frame[0] += 1;
    frame.extend(b"\xa4time\xd6\xff");
    frame.extend(seconds.to_be_bytes());
    let mut world = world();
    world.frame(&frame);
    world.json(&json!({"device": "d", "metric": "n", "value": 1, "time": "2026-11-23T03:13:20+01:00"}));
    assert_eq!(world.kept(), ["d/m 0 1", "d/n 0 1"]);
}

#[test]
fn a_second_reading_without_time_is_refused_within_a_frame() {
    let mut world = world();
    let untimed = json!({"device": "d", "metric": "m", "value": 1});
    let other_bytes = json!({"metric": "m", "device": "d", "value": 2, "labels": {"x": ""}});
    let answers = world.json(&batch(&json!([untimed, other_bytes, {"device": "d", "metric": "m", "value": 3, "time": NOW - 1}])));
    let refusal = json!({"index": 1, "metric": "m", "code": "time_required", "retry": false});
    assert_eq!(codes(&answers), json!([{"ack": 1, "stored": 2, "duplicate": 0, "rejected": [refusal]}]));
    world.now += 1;
    assert_eq!(world.json(&untimed), Vec::<Json>::new());
    assert_eq!(world.kept(), ["d/m -1 3", "d/m 0 1", "d/m 1 1"]);
}

#[test]
fn the_writer_s_refusals_name_place_and_metric() {
    let mut world = world();
    world.json(&json!({"device": "d", "metric": "m", "value": 1}));
    let answers = world.json(&batch(&json!([17, {"device": "d", "values": {"m": "text", "n": 1}, "time": NOW - 1}, 18])));
    let row = |index, code| json!({"index": index, "code": code, "retry": false});
    let changed = json!({"index": 1, "metric": "m", "code": "type_changed", "retry": false});
    let expected = json!([{"ack": 1, "stored": 1, "duplicate": 0, "rejected": [row(0, "bad_value"), changed, row(2, "bad_value")]}]);
    assert_eq!(codes(&answers), expected);
}

#[test]
fn batches_and_loose_values_share_a_frame_and_keep_their_order() {
    let mut world = world();
    let reading = |value: i64| json!({"device": "d", "metric": "m", "value": value, "time": NOW});
    let parts = [
        reading(1),
        json!({"seq": 9, "readings": [reading(2), 5]}),
        json!([reading(3), 6]),
        json!({"readings": [reading(4)], "seq": -3}),
        json!(7),
    ];
    let frame: Vec<u8> = parts.iter().flat_map(pack).collect();
    let row = |index| json!({"index": index, "code": "bad_value", "retry": false});
    let expected = json!([
        {"ack": 9, "stored": 1, "duplicate": 0, "rejected": [row(1)]},
        {"frame": 1, "rejected": [row(2)]},
        {"ack": -3, "stored": 1, "duplicate": 0, "rejected": []},
        {"frame": 1, "rejected": [row(3)]},
    ]);
    assert_eq!(codes(&world.frame(&frame)), expected);
    assert_eq!(world.kept(), ["d/m 0 4"]);
}

#[test]
fn a_broken_frame_is_refused_whole() {
    let good = pack(&json!({"device": "d", "metric": "m", "value": 1}));
    let cut = |frame: &Json, by: usize| {
        let mut bytes = pack(frame);
        bytes.truncate(bytes.len() - by);
        bytes
    };
    let many = batch(&json!(vec![json!(1); 50_001]));
    let rows: Vec<(Vec<u8>, Option<i64>, &str)> = vec![
        (vec![], None, "bad_frame"),
        (vec![0xc1], None, "bad_frame"),
        ([&good[..], &[0xc1]].concat(), None, "bad_frame"),
        (cut(&batch(&json!([{"device": "d", "metric": "m", "value": 1}])), 1), None, "bad_frame"),
        (b"\x82\xa3seq\x01\xa8readings\x91".to_vec(), Some(1), "bad_frame"),
        (cut(&json!({"device": "d"}), 1), None, "bad_frame"),
        (vec![0xdd, 255, 255, 255, 255], None, "bad_frame"),
        (vec![0xdf, 255, 255, 255, 255], None, "bad_frame"),
        (vec![0xdb, 255, 255, 255, 255], None, "bad_frame"),
        ([vec![0x91; 100_000], vec![0xc0]].concat(), None, "limit_depth"),
        ([[0x81, 0xa1, b'a'].repeat(100_000), vec![0xc0]].concat(), None, "limit_depth"),
        (vec![0x90; 100_000], None, "limit_batch"),
        (pack(&many), Some(1), "limit_batch"),
        (pack(&json!({"seq": "one", "readings": []})), None, "bad_frame"),
        (pack(&json!({"readings": []})), None, "bad_frame"),
        (pack(&json!({"seq": 4})), Some(4), "bad_frame"),
        (pack(&json!({"seq": 4, "readings": {}})), Some(4), "bad_frame"),
        (pack(&json!({"seq": 4, "readings": [], "device": "d"})), Some(4), "bad_frame"),
    ];
    for (frame, seq, code) in rows {
        let mut world = world();
        let shown = &frame[..frame.len().min(16)];
        let mut expected = json!({"frame": 1, "error": {"code": code}});
        if let Some(seq) = seq {
            expected["seq"] = json!(seq);
        }
        assert_eq!(codes(&world.frame(&frame)), json!([expected]), "{shown:02x?}");
        assert!(world.kept().is_empty(), "{shown:02x?}");
        assert_eq!(world.closed, None);
        assert_eq!(world.frame(&good), Vec::<Json>::new(), "the connection stays");
    }
}

#[test]
fn the_hundredth_broken_frame_closes() {
    let mut world = world();
    for n in 1..=100 {
        assert_eq!(world.closed, None);
        assert_eq!(codes(&world.frame(&[0xc1])), json!([{"frame": n, "error": {"code": "bad_frame"}}]));
    }
    assert_eq!(world.closed, Some(CloseCode::BadData));
    assert_eq!(world.session.door().metrics.frames_refused.value(), 100);
}

#[test]
fn what_is_not_taken_now_is_to_be_sent_again() {
    let mut world = world();
    let reading = json!({"device": "d", "metric": "m", "value": 1});
    world.later = Some(Later { code: BatchCode::DiskFull, after_ms: 500, message: "full".to_owned() });
    assert_eq!(world.json(&batch(&json!([reading, 5]))), [json!({"retry": 1, "after_ms": 500, "code": "disk_full", "message": "full"})]);
    assert_eq!(world.closed, None);
    assert!(world.session.door().refusals.recent().is_empty(), "the reading comes again and is refused then");
    let error = json!({"frame": 2, "error": {"code": "disk_full", "message": "full", "after_ms": 500}});
    assert_eq!(world.json(&reading), [error]);
    assert_eq!(world.closed, Some(CloseCode::Failed));
}

#[test]
fn a_hub_without_a_clock_takes_nothing() {
    let reading = json!({"device": "d", "metric": "m", "value": 1});
    let frames = [(pack(&batch(&json!([reading]))), false), ([pack(&batch(&json!([]))), pack(&reading)].concat(), true)];
    for (frame, closes) in frames {
        let mut world = world_with(Scope::default(), |door| door.built = NOW + 1);
        let answers = world.frame(&frame);
        assert_eq!((answers[0]["retry"].as_i64(), answers[0]["code"].as_str()), (Some(1), Some("clock_unset")));
        assert_eq!(world.closed.is_some(), closes);
        assert_eq!(answers.len(), 1 + usize::from(closes));
    }
}

#[test]
fn what_a_token_does_not_reach_is_not_allowed() {
    let scope = Scope { devices: Some(Glob::parse("a*").unwrap()), select: Some(Selector::parse("*/m").unwrap()) };
    let mut world = world_with(scope, |_| {});
    for _ in 0..2 {
        let answers =
            world.json(&batch(&json!([{"device": "a1", "values": {"m": 1, "n": 1}}, {"device": "b", "metric": "m", "value": 1}])));
        let row = |index, metric| json!({"index": index, "metric": metric, "code": "not_allowed", "retry": false});
        assert_eq!(codes(&answers)[0]["rejected"], json!([row(0, "n"), row(1, "m")]));
    }
    assert_eq!(world.kept(), ["a1/m 0 1"]);
}

#[test]
fn a_token_for_one_device_names_what_telegraf_does_not() {
    let scope = Scope { devices: Some(Glob::literal("mine")), select: None };
    let mut world = world_with(scope, |_| {});
    world.json(&json!({"name": "cpu", "tags": {"cpu": "0"}, "fields": {"f": 1}}));
    assert_eq!(world.kept(), ["mine/cpu.f{cpu=\"0\"} 0 1"]);
}

#[test]
fn series_beyond_the_limit_may_come_later_and_known_ones_go_on() {
    let mut world = world();
    let values: serde_json::Map<_, _> = (0..51).map(|i| (format!("m{i:02}"), json!(1))).collect();
    let row = json!({"device": "d", "values": values});
    for round in 0..2 {
        let answers = world.json(&batch(&json!([row])));
        assert_eq!(answers[0]["stored"].as_u64().unwrap() + answers[0]["duplicate"].as_u64().unwrap(), 50, "{round}");
        let refusal = json!({"index": 0, "metric": "m50", "code": "limit_series", "retry": true});
        assert_eq!(codes(&answers)[0]["rejected"], json!([refusal]));
        let message = answers[0]["rejected"][0]["message"].as_str().unwrap();
        assert!(
            message.contains("[limits] series_per_token") && message.ends_with("`telltale series top` shows what makes them"),
            "{message}"
        );
    }
}

#[test]
fn unit_and_kind_are_told_when_they_change_and_again_after_a_refusal_for_now() {
    let mut world = world();
    let reading =
        |unit: &str, time: i64| json!({"device": "d", "metric": "own", "value": 1, "unit": unit, "kind": "counter", "time": NOW + time});
    world.later = Some(Later { code: BatchCode::DiskFull, after_ms: 500, message: "full".to_owned() });
    world.json(&batch(&json!([reading("B", 0)])));
    world.later = None;
    world.json(&batch(&json!([reading("B", 0), reading("B", 1)])));
    world.json(&batch(&json!([reading("B", 2)])));
    assert_eq!(world.metas, ["d/own B counter"]);
    world.json(&batch(&json!([reading("kB", 3), reading("B", 4), {"device": "d", "metric": "own", "value": 1}])));
    assert_eq!(world.metas[1..], ["d/own kB counter", "d/own B counter"]);
    world.json(&json!({"device": "d", "values": {"t": 1}, "units": {"t": "°C", "other": "x"}}));
    assert_eq!(world.metas[3..], ["d/t °C -"]);
}

#[test]
fn the_shipped_rules_hold_where_the_sender_is_silent() {
    let mut world = world();
    let metric = json!({"name": "net", "tags": {"host": "h", "interface": "eth0"}, "fields": {"bytes_sent": 5}});
    world.json(&metric);
    world.now += 1;
    world.json(&metric);
    assert_eq!(world.metas, ["h/net.bytes_sent{interface=\"eth0\"} B counter"]);
    let told = json!({"device": "d", "metric": "net.bytes_sent", "value": 5, "unit": "kB"});
    world.json(&told);
    assert_eq!(world.metas[1..], ["d/net.bytes_sent kB -", "d/net.bytes_sent - counter"]);
}

#[test]
fn devices_arrive_with_their_gateway_once_a_frame() {
    let mut world = world();
    let metric = |id: &str| json!({"name": "m", "tags": {"device_id": id, "host": "gw"}, "fields": {"a": 1, "b": 2}});
    world.frame(&[pack(&metric("x")), pack(&metric("y")), pack(&json!({"device": "x", "metric": "m", "value": 1}))].concat());
    let arrived: Vec<_> = world.session.arrived().map(|(device, gateway)| format!("{device} {gateway:?}")).collect();
    assert_eq!(arrived, ["x Some(\"gw\")", "y Some(\"gw\")", "x None"]);
    world.json(&json!({"device": "", "metric": "m", "value": 1}));
    assert_eq!(world.session.arrived().count(), 0);
}

#[test]
fn an_answer_does_not_outgrow_its_batch() {
    let mut world = world();
    let answers = world.json(&batch(&json!(vec![json!({"valeu": 1}); 3000])));
    let rejected = answers[0]["rejected"].as_array().unwrap();
    assert_eq!(rejected.len(), 3000);
    assert!(rejected[999]["message"].as_str().unwrap().contains("`value`"));
    assert_eq!(rejected[1000]["message"], "unknown_field, as explained above");
}

/// Any bytes: no panic, and the sums of every answer are right (`settle` asserts them).
#[test]
fn mutated_frames_are_answered() {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut rng = fastrand::Rng::with_seed(seed);
    let good: Vec<Vec<u8>> = [
        batch(&json!([{"device": "d", "metric": "m", "value": 1.5, "time": NOW, "labels": {"a": "b"}, "unit": "B", "kind": "gauge"}])),
        batch(&json!([{"device": "d", "time": "2026-11-23T03:13:20Z", "values": {"m": 1, "n": "x", "o": true}, "units": {"m": "B"}}, [1, null]])),
        json!({"name": "cpu", "time": NOW, "tags": {"host": "h", "cpu": "0"}, "fields": {"a": 1, "b": 2.5}}),
    ]
    .iter()
    .map(pack)
    .collect();
    let mut world = world_with(Scope::default(), |door| door.batch_readings = 100);
    for _ in 0..20_000 {
        let mut frame: Vec<u8> = (0..rng.usize(1..3)).flat_map(|_| rng.choice(&good).unwrap().clone()).collect();
        for _ in 0..rng.usize(0..6) {
            let at = rng.usize(..frame.len());
            match rng.u8(..4) {
                0 => frame[at] = rng.u8(..),
                1 => frame[at] ^= 1 << rng.u8(..8),
                2 => drop(frame.remove(at)),
                _ => frame.insert(at, rng.u8(..)),
            }
            if frame.is_empty() {
                break;
            }
        }
        let answers = world.frame(&frame);
        assert!(answers.iter().all(Json::is_object), "{frame:02x?}");
    }
}
