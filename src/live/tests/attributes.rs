//! Attributes are edited, and what a subscription reaches changes with them.

use super::super::engine::Input;
use super::super::protocol::Encoding;
use super::NOW;
use super::rules::{MS, Scene, scene};
use crate::auth::access::Scope;
use crate::model::Value;
use crate::query::selector::Selector;

const NORTH: &str = r#"{"type":"subscribe","id":"s","select":["*/*{@site=\"north\"}"],"history":"1h"}"#;
const ALL: &str = r#"{"type":"subscribe","id":"s","select":["*/*"],"history":"1h"}"#;

fn leave(scene: &mut Scene) {
    let viewer = scene.client.outbox.viewer;
    scene.world.engine.on_input(Input::Gone(viewer), scene.world.now_ns);
}

/// A new connection that subscribes with the cursor of the one before.
fn come_back(scene: &mut Scene, scope: Scope, text: &str) {
    let outbox = scene.world.open(Encoding::Json, 1 << 20);
    scene.client.reconnect(outbox);
    let cursor = scene.client.cursor.clone().unwrap();
    let text = text.replace("\"1h\"}", &format!("\"1h\",\"cursor\":\"{cursor}\"}}"));
    let viewer = scene.client.outbox.viewer;
    scene.world.send(viewer, scope, &text);
}

/// A device `b` of the north beside `a`, and a viewer of the north that has heard all.
fn north() -> Scene {
    let mut scene = scene();
    let b = scene.world.id("b", "m");
    scene.put(b, 1, 7);
    scene.world.describe("b", "site", "north");
    scene.say(NORTH);
    scene.hear();
    scene.put(b, 2, 8);
    scene.hear();
    scene
}

#[test]
fn who_comes_back_after_an_edit_is_sent_what_came_into_reach_with_its_past() {
    let mut scene = north();
    leave(&mut scene);
    scene.world.describe("a", "site", "north");
    let b = scene.world.id("b", "m");
    scene.put(b, 3, 9);
    come_back(&mut scene, Scope::default(), NORTH);
    assert_eq!(scene.hear()[0]["recovered"], false);
    let truth = scene.world.truth.last().unwrap();
    assert_eq!((&scene.client.points["a/m"], &scene.client.points["b/m"]), (&truth[&scene.a], &truth[&b]));
}

#[test]
fn who_comes_back_after_an_edit_loses_what_left_its_reach() {
    let mut scene = north();
    leave(&mut scene);
    scene.world.describe("b", "site", "south");
    come_back(&mut scene, Scope::default(), NORTH);
    assert_eq!(scene.hear()[0]["recovered"], false);
    assert!(scene.client.points.is_empty());
}

#[test]
fn an_edit_between_the_return_and_the_first_tick_counts_too() {
    let mut scene = north();
    leave(&mut scene);
    come_back(&mut scene, Scope::default(), NORTH);
    scene.world.describe("a", "site", "north");
    assert_eq!(scene.hear()[0]["recovered"], false);
    assert_eq!(scene.client.points.len(), 2);
}

#[test]
fn a_cursor_from_after_the_edit_is_honoured() {
    let mut scene = north();
    leave(&mut scene);
    let b = scene.world.id("b", "m");
    scene.put(b, 3, 9);
    come_back(&mut scene, Scope::default(), NORTH);
    let heard = scene.hear();
    assert_eq!((&heard[0]["recovered"], heard[0]["series"][0]["points"].to_string()), (&true.into(), "[[1795396030003,9]]".to_owned()));
}

#[test]
fn an_edit_is_nothing_to_those_whose_reach_has_no_attribute() {
    let mut scene = scene();
    scene.say(ALL);
    scene.hear();
    leave(&mut scene);
    scene.world.describe("a", "site", "north");
    come_back(&mut scene, Scope::default(), ALL);
    assert_eq!(scene.hear()[0]["recovered"], true);
}

/// The selector names no attribute, but the token's scope does.
#[test]
fn a_scope_is_a_part_of_the_reach() {
    let mut scene = scene();
    let scope = Scope { devices: None, select: Some(Selector::parse(r#"*/*{@site="north"}"#).unwrap()) };
    let viewer = scene.client.outbox.viewer;
    scene.world.send(viewer, scope.clone(), ALL);
    scene.hear();
    leave(&mut scene);
    scene.world.describe("a", "site", "north");
    come_back(&mut scene, scope, ALL);
    assert_eq!(scene.hear()[0]["recovered"], false);
    assert_eq!(scene.client.points["a/m"][&(NOW - 10_000 * MS)], Value::Int(2));
}

#[test]
fn a_cursor_from_before_the_start_is_honoured_where_attributes_are_the_same() {
    // What is edited while the hub is away, or edited and edited back; whether the cursor of a viewer of the north is worth anything.
    let rows: [(&[(&str, &str)], bool); 4] =
        [(&[], true), (&[("b", "north")], false), (&[("b", "north"), ("b", "")], true), (&[("a", "south")], false)];
    for (edits, recovered) in rows {
        for (text, recovered) in [(NORTH, recovered), (ALL, true)] {
            let mut scene = scene();
            let b = scene.world.id("b", "m");
            scene.world.describe("a", "site", "north");
            scene.put(scene.a, 1, 3);
            scene.put(b, 1, 5);
            scene.say(text);
            scene.hear();
            for (device, site) in edits {
                scene.world.described.0.lock().insert(((*device).to_owned(), "site".to_owned()), (*site).to_owned());
            }
            scene.world.restart();
            scene.put(scene.a, 2, 4);
            scene.put(b, 2, 6);
            come_back(&mut scene, Scope::default(), text);
            assert_eq!(scene.hear()[0]["recovered"], recovered, "{text} {edits:?}");
            let truth = scene.world.truth.last().unwrap();
            let reached = |device: &str| {
                text == ALL
                    || scene.world.described.0.lock().get(&(device.to_owned(), "site".to_owned())).is_some_and(|site| site == "north")
            };
            for (device, id) in [("a", scene.a), ("b", b)].into_iter().filter(|(device, _)| reached(device)) {
                assert_eq!(scene.client.points[&format!("{device}/m")], truth[&id], "{text} {edits:?}");
            }
        }
    }
}

/// An edit of the same value, and one that is taken back, leave the reach as it was.
#[test]
fn an_edit_that_changes_nothing_costs_no_cursor() {
    let mut scene = north();
    leave(&mut scene);
    scene.world.describe("b", "site", "north");
    scene.world.describe("b", "site", "south");
    scene.world.describe("b", "site", "north");
    let b = scene.world.id("b", "m");
    scene.put(b, 3, 9);
    come_back(&mut scene, Scope::default(), NORTH);
    assert_eq!(scene.hear()[0]["recovered"], true);
    assert_eq!(scene.client.points["b/m"], scene.world.truth.last().unwrap()[&b]);
}
