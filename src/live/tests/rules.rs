//! Single rules of the contract, each as a short scene.

use std::sync::atomic::Ordering;

use serde_json::Value as Json;

use super::super::engine::Input;
use super::super::protocol::Encoding;
use super::client::Client;
use super::{NOW, World};
use crate::auth::access::Scope;
use crate::limits::SNAPSHOT_PART_BYTES;
use crate::model::{Delete, SeriesId, TimeNs, Value};
use crate::query::selector::Glob;

pub(super) const MS: i64 = 1_000_000;

pub(super) struct Scene {
    pub world: World,
    pub client: Client,
    pub a: SeriesId,
}

/// A series `a/m` with points at NOW-20s (1) and NOW-10s (2), and a viewer of JSON.
pub(super) fn scene() -> Scene {
    let mut world = World::new();
    let a = world.id("a", "m");
    world.commit(&[], &[(a, NOW - 20_000 * MS, Value::Int(1)), (a, NOW - 10_000 * MS, Value::Int(2))]);
    world.turn();
    let outbox = world.open(Encoding::Json, 1 << 20);
    Scene { world, client: Client::new(outbox), a }
}

impl Scene {
    pub(super) fn say(&mut self, text: &str) {
        let viewer = self.client.outbox.viewer;
        self.world.send(viewer, Scope::default(), text);
        self.world.advance(0);
    }

    pub(super) fn put(&mut self, series: SeriesId, ms: i64, value: i64) {
        self.world.commit(&[], &[(series, NOW + ms * MS, Value::Int(value))]);
    }

    /// Time for one more frame, and what came.
    pub(super) fn hear(&mut self) -> Vec<Json> {
        self.world.advance(1_000);
        self.world.run_jobs();
        let mut heard = Vec::new();
        while let Some(message) = self.client.next() {
            self.client.apply(&message);
            heard.push(message);
        }
        heard
    }
}

pub(super) fn shape(messages: &[Json]) -> Vec<String> {
    messages.iter().map(|m| m["type"].as_str().unwrap().to_owned()).collect()
}

fn without_cursor(message: &Json) -> String {
    let mut message = message.clone();
    message.as_object_mut().unwrap().remove("cursor");
    message.to_string()
}

pub(super) const SUBSCRIBE: &str = r#"{"type":"subscribe","id":"s","select":["*/*"]}"#;
const WITH_HISTORY: &str = r#"{"type":"subscribe","id":"s","select":["*/*"],"history":"15s"}"#;

#[test]
fn without_history_the_snapshot_has_last_known_values_and_state_follows() {
    let mut scene = scene();
    scene.say(SUBSCRIBE);
    let heard = scene.hear();
    assert_eq!(
        without_cursor(&heard[0]),
        r#"{"id":"s","recovered":false,"series":[{"device":"a","kind":"gauge","labels":{},"metric":"m","points":[[1795396020000,2]],"series":0,"unit":null}],"type":"snapshot"}"#
    );
    assert_eq!(shape(&heard), ["snapshot", "state"]);
    assert_eq!(heard[1]["devices"][0]["state"], "unknown");
}

#[test]
fn new_is_an_update_late_is_a_patch_and_what_is_before_the_start_is_not_sent() {
    let mut scene = scene();
    scene.say(WITH_HISTORY);
    assert_eq!(scene.hear()[0]["series"][0]["points"].to_string(), "[[1795396020000,2]]");
    let a = scene.a;
    scene.put(a, 1, 3);
    assert_eq!(without_cursor(&scene.hear()[0]), r#"{"id":"s","points":[[0,1795396030001,3]],"type":"update"}"#);
    scene.put(a, -5_000, 4);
    assert_eq!(
        without_cursor(&scene.hear()[0]),
        r#"{"id":"s","ranges":[{"from":1795396025000,"points":[[1795396025000,4]],"series":0,"to":1795396025000}],"type":"patch"}"#
    );
    scene.put(a, -20_001, 5);
    let heard = scene.hear();
    assert!(shape(&heard).iter().all(|t| t == "update") && heard.iter().all(|m| m["points"] == Json::Array(vec![])), "{heard:?}");
    scene.world.commit(&[Delete { series: a, from: NOW - 11_000 * MS, to: NOW - 9_000 * MS }], &[]);
    let heard = scene.hear();
    assert_eq!(
        without_cursor(&heard[0]),
        r#"{"id":"s","ranges":[{"from":1795396019000,"points":[],"series":0,"to":1795396021000}],"type":"patch"}"#
    );
}

#[test]
fn a_backlog_travels_as_one_range_for_each_stretch_without_other_points() {
    let mut scene = scene();
    let (a, start) = (scene.a, NOW - 60_000 * MS);
    scene.world.commit(&[], &[(a, start + 500 * MS + MS / 2, Value::Int(-1))]);
    scene.say(&SUBSCRIBE.replace("]}", r#"],"history":"55s"}"#));
    scene.hear();
    let backlog: Vec<_> = (0..1_000).map(|i| (a, start + i * 10 * MS, Value::Int(i))).collect();
    backlog.chunks(100).for_each(|chunk| scene.world.commit(&[], chunk));
    let heard = scene.hear();
    assert_eq!(shape(&heard), ["patch"]);
    // Five of the sixty seconds are before the start of this viewer, and with them the point that stood there.
    let ranges = heard[0]["ranges"].as_array().unwrap();
    assert_eq!((ranges.len(), ranges[0]["points"].as_array().unwrap().len()), (1, 500));
    assert_eq!((&ranges[0]["from"], &ranges[0]["to"]), (&Json::from(1_795_395_975_000_u64), &Json::from(1_795_395_979_990_u64)));
    let again: Vec<_> = [2, 3, 5].map(|i| (a, start + (600 + i) * 10 * MS, Value::Int(7))).into();
    scene.world.commit(&[], &again);
    assert_eq!(scene.hear()[0]["ranges"].as_array().unwrap().len(), 2, "the point between is not forgotten");
}

#[test]
fn one_frame_holds_what_came_between_and_a_rewrite_in_it_shows_its_last_value() {
    let mut scene = scene();
    scene.say(SUBSCRIBE);
    scene.hear();
    let a = scene.a;
    for (ms, value) in [(1, 1), (3, 3), (2, 2), (3, 4)] {
        scene.put(a, ms, value);
    }
    let heard = scene.hear();
    assert_eq!(shape(&heard), ["update"]);
    assert_eq!(heard[0]["points"].to_string(), "[[0,1795396030001,1],[0,1795396030002,2],[0,1795396030003,4]]");
}

#[test]
fn a_new_series_is_described_once_and_a_new_unit_again() {
    let mut scene = scene();
    scene.say(SUBSCRIBE);
    scene.hear();
    let b = scene.world.id("b", "m");
    scene.put(b, 1, 1);
    let heard = scene.hear();
    assert_eq!(heard[0]["series"].to_string(), r#"[{"device":"b","kind":"gauge","labels":{},"metric":"m","series":1,"unit":null}]"#);
    assert_eq!(heard[0]["points"].to_string(), "[[1,1795396030001,1]]");
    scene.put(b, 2, 2);
    assert!(scene.hear()[0]["series"].is_null());
    scene.world.change_meta(b, "bar");
    scene.put(b, 3, 3);
    assert_eq!(scene.hear()[0]["series"][0]["unit"], "bar");
}

#[test]
fn the_first_change_after_quiet_goes_out_at_once_and_then_max_hz_holds() {
    let mut scene = scene();
    scene.say(SUBSCRIBE);
    scene.hear();
    let a = scene.a;
    let mut frames = 0;
    for ms in 0..1_000 {
        scene.put(a, 2_000 + ms, ms);
        scene.world.advance(1);
        while let Some(message) = scene.client.next() {
            assert!(ms != 0 || message["points"][0][2] == 0, "the first change waits for nothing");
            frames += 1;
        }
        assert!(ms != 0 || frames == 1);
    }
    assert!((10..=11).contains(&frames), "{frames} frames in a second at 10 Hz");
}

#[test]
fn a_cursor_brings_what_was_committed_after_it_deletes_first() {
    let mut scene = scene();
    scene.say(SUBSCRIBE);
    scene.hear();
    let cursor = scene.client.cursor.clone().unwrap();
    let viewer = scene.client.outbox.viewer;
    scene.world.engine.on_input(Input::Gone(viewer), scene.world.now_ns);
    let (a, b) = (scene.a, scene.world.id("b", "m"));
    scene.put(a, 5, 5);
    scene.put(a, -60_000, 6);
    scene.world.commit(&[Delete { series: a, from: NOW - 30_000 * MS, to: NOW + 5 * MS }], &[(b, NOW, Value::Bool(true))]);
    scene.put(a, 3, 7);
    let outbox = scene.world.open(Encoding::Json, 1 << 20);
    scene.client.reconnect(outbox);
    scene.say(&format!(r#"{{"type":"subscribe","id":"s","select":["*/*"],"cursor":"{cursor}"}}"#));
    let snapshot = &scene.hear()[0];
    assert_eq!(snapshot["recovered"], true);
    assert_eq!(snapshot["ranges"].to_string(), r#"[{"from":1795396000000,"points":[],"series":0,"to":1795396030005}]"#);
    assert_eq!(snapshot["series"][0]["points"].to_string(), "[[1795395970000,6],[1795396030003,7]]");
    assert_eq!(snapshot["series"][1]["points"].to_string(), "[[1795396030000,true]]");
}

#[test]
fn a_cursor_that_cannot_be_honoured_brings_everything() {
    // Another epoch, a place not yet committed, no cursor at all, and one that both memory and log have forgotten.
    for cursor in ["0000000000009999-1", "0000000000001234-99", "of old", "0000000000001234-1"] {
        let mut world = World::with_tail(1);
        let a = world.id("a", "m");
        for ms in 1..=3 {
            world.commit(&[], &[(a, NOW + ms * MS, Value::Int(ms))]);
        }
        world.turn();
        world.log.oldest.store(2, Ordering::Relaxed);
        let client = Client::new(world.open(Encoding::Json, 1 << 20));
        let mut scene = Scene { world, client, a };
        scene.say(&format!(r#"{{"type":"subscribe","id":"s","select":["*/*"],"history":"1h","cursor":"{cursor}"}}"#));
        let snapshot = &scene.hear()[0];
        assert_eq!(snapshot["recovered"], false, "{cursor}");
        assert_eq!(snapshot["series"][0]["points"].as_array().unwrap().len(), 3, "{cursor}");
        // It has a start then, and what is before it is not sent.
        scene.put(a, -3_700_000, 9);
        assert!(scene.hear().iter().all(|m| m["ranges"].is_null()), "{cursor}");
    }
}

#[test]
fn a_follower_that_lost_the_log_too_starts_everyone_anew() {
    let mut world = World::with_tail(1);
    let a = world.id("a", "m");
    world.commit(&[], &[(a, NOW, Value::Int(0))]);
    let client = Client::new(world.open(Encoding::Json, 1 << 20));
    let mut scene = Scene { world, client, a };
    scene.say(SUBSCRIBE);
    scene.hear();
    for ms in 1..=3 {
        scene.put(a, ms, ms);
    }
    // Memory keeps one commit; the log has the rest: nobody notices.
    let heard = scene.hear();
    assert_eq!((shape(&heard), heard[0]["points"].as_array().unwrap().len()), (vec!["update".to_owned()], 3));
    for ms in 4..=6 {
        scene.put(a, ms, ms);
    }
    scene.world.log.oldest.store(6, Ordering::Relaxed);
    let heard = scene.hear();
    assert_eq!(shape(&heard)[0], "snapshot");
    assert_eq!(heard[0]["series"][0]["points"].to_string(), "[[1795396030006,6]]");
    assert_eq!(scene.world.metrics.live_log_reads.value(), 2);
}

#[test]
fn a_large_snapshot_comes_in_parts_and_the_cursor_in_the_last() {
    let mut scene = scene();
    let points: Vec<(SeriesId, TimeNs, Value)> =
        (0..60_000).map(|i| (scene.a, NOW - 5_000 * MS + i * MS / 20, Value::Float(0.5))).collect();
    scene.world.commit(&[], &points);
    scene.say(WITH_HISTORY);
    let heard = scene.hear();
    let parts: Vec<&Json> = heard.iter().filter(|m| m["type"] == "snapshot").collect();
    assert!(parts.len() > 3, "{} parts", parts.len());
    assert!(parts[..parts.len() - 1].iter().all(|part| part["more"] == true && part["cursor"].is_null()));
    assert!(parts.last().unwrap()["more"].is_null() && parts.last().unwrap()["cursor"].is_string());
    assert!(scene.client.largest < 2 * SNAPSHOT_PART_BYTES, "{} bytes", scene.client.largest);
    assert_eq!(scene.client.points["a/m"].len(), 60_001);
}

#[test]
fn what_is_out_of_scope_does_not_exist() {
    let mut scene = scene();
    let b = scene.world.id("b", "m");
    scene.put(b, 1, 1);
    let scope = Scope { devices: Some(Glob::parse("b*").unwrap()), select: None };
    let viewer = scene.client.outbox.viewer;
    scene.world.send(viewer, scope, SUBSCRIBE);
    let heard = scene.hear();
    assert_eq!(heard[0]["series"].as_array().unwrap().len(), 1);
    assert_eq!(heard[0]["series"][0]["device"], "b");
    assert_eq!(heard[1]["devices"].as_array().unwrap().len(), 1);
    let (a, c) = (scene.a, scene.world.id("c", "m"));
    scene.put(a, 50, 1);
    scene.put(c, 50, 1);
    assert!(scene.hear().is_empty());
}

#[test]
fn an_edited_attribute_brings_a_device_in_and_takes_it_out() {
    let mut scene = scene();
    scene.say(r#"{"type":"subscribe","id":"s","select":["*/*{@site=\"north\"}"]}"#);
    assert_eq!(scene.hear()[0]["series"], Json::Array(Vec::new()));
    let a = scene.a;
    scene.world.describe("a", "site", "north");
    let heard = scene.hear();
    assert_eq!(
        (&heard[0]["recovered"], heard[0]["series"][0]["points"].to_string()),
        (&Json::from(false), "[[1795396020000,2]]".to_owned())
    );
    scene.put(a, 2, 4);
    assert_eq!(scene.hear()[0]["points"].to_string(), "[[0,1795396030002,4]]");
    scene.put(a, 3, 5);
    scene.world.describe("a", "site", "south");
    let heard = scene.hear();
    assert_eq!((shape(&heard), &heard[0]["series"]), (vec!["snapshot".to_owned()], &Json::Array(Vec::new())), "gone from view");
    scene.put(a, 4, 6);
    assert!(scene.hear().is_empty());
}

#[test]
fn a_change_of_state_reaches_the_groups_that_show_the_device() {
    let mut scene = scene();
    scene.say(SUBSCRIBE);
    scene.hear();
    let conn = scene.world.presence.opened("agent-1");
    scene.world.presence.seen(conn, "a", NOW);
    scene.world.presence.seen(conn, "elsewhere", NOW);
    let heard = scene.hear();
    assert_eq!(
        heard[0].to_string(),
        r#"{"devices":[{"device":"a","seen":1795396030000,"since":1795396030000,"state":"online","via":"agent-1"}],"id":"s","type":"state"}"#
    );
    scene.world.presence.closed(conn, NOW + 5 * MS);
    assert_eq!(scene.hear()[0]["devices"][0]["state"], "offline");
}

/// The socket tells presence before the batch is at the writer, so the engine may hear of the device before there is a series of it.
#[test]
fn the_state_of_a_device_that_is_new_reaches_those_who_watch_already() {
    let mut scene = scene();
    scene.say(SUBSCRIBE);
    scene.hear();
    scene.client.states.clear();
    let conn = scene.world.presence.opened("agent-1");
    scene.world.presence.seen(conn, "n", NOW);
    scene.world.turn();
    let n = scene.world.id("n", "m");
    scene.put(n, 1, 7);
    assert_eq!(shape(&scene.hear()), ["update", "state"]);
    assert_eq!(scene.client.states, [("n".to_owned(), "online".to_owned())]);
    // A second series of it is no news of the device.
    let other = scene.world.id("n", "o");
    scene.put(other, 2, 8);
    assert_eq!(shape(&scene.hear()), ["update"]);
}

#[test]
fn ids_are_used_once_and_end_with_unsubscribe() {
    let mut scene = scene();
    scene.say(SUBSCRIBE);
    scene.hear();
    scene.say(SUBSCRIBE);
    scene.say(r#"{"type":"unsubscribe","id":"other"}"#);
    scene.hear();
    assert_eq!(scene.client.errors.len(), 2);
    assert!(scene.client.errors[0].starts_with("s conflict"), "{:?}", scene.client.errors);
    assert!(scene.client.errors[1].starts_with("other not_found"), "{:?}", scene.client.errors);
    scene.say(r#"{"type":"unsubscribe","id":"s"}"#);
    let a = scene.a;
    scene.put(a, 1, 1);
    assert!(scene.hear().is_empty());
    scene.say(SUBSCRIBE);
    assert_eq!(shape(&scene.hear())[0], "snapshot");
}

#[test]
fn a_viewer_that_reads_nothing_keeps_a_bounded_mailbox_and_ends_at_the_last_values() {
    let mut scene = scene();
    let bound = 50_000;
    scene.client.outbox = scene.world.open(Encoding::Json, bound);
    scene.say(SUBSCRIBE);
    scene.hear();
    let ids: Vec<SeriesId> = (0..20).map(|i| scene.world.id("d", &format!("m{i}"))).collect();
    let mut most = 0;
    let sent = 500 * ids.len() as u64;
    for i in 0..500_i64 {
        let rows: Vec<_> = ids.iter().map(|id| (*id, NOW + (i * 100 + 1) * MS, Value::Int((i * 37) % 1000))).collect();
        scene.world.commit(&[], &rows);
        scene.world.advance(100);
        most = most.max(scene.client.outbox.weight());
    }
    assert!(most < bound + 20_000, "{most} bytes waited");
    let heard = scene.hear();
    assert!(heard[0]["merged"].as_u64().is_some(), "what was left out is told");
    let got: u64 = heard.iter().filter_map(|m| m["points"].as_array()).map(|p| p.len() as u64).sum();
    assert_eq!(got + scene.client.merged, sent, "every reading is sent or counted");
    for i in 0..20 {
        let points = &scene.client.points[&format!("d/m{i}")];
        assert_eq!(points.last_key_value().unwrap().1, &Value::Int((499 * 37) % 1000));
        let values = || points.values().filter_map(Value::as_f64);
        assert_eq!(values().fold(f64::MIN, f64::max), 999.0, "extremes are kept");
        assert_eq!(values().fold(f64::MAX, f64::min), 0.0, "extremes are kept");
    }
    // Caught up: shared frames again, nothing left out.
    scene.put(ids[0], 60_000, 1);
    assert!(scene.hear()[0]["merged"].is_null());
}
