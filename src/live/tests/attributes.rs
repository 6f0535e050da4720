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

/// What was edited before the start is not known.
#[test]
fn a_cursor_from_before_the_start_is_honoured_where_no_attribute_is_used() {
    for (text, recovered) in [(NORTH, false), (ALL, true)] {
        let mut scene = scene();
        scene.world.describe("a", "site", "north");
        scene.put(scene.a, 1, 3);
        scene.say(text);
        scene.hear();
        scene.world.restart();
        scene.put(scene.a, 2, 4);
        come_back(&mut scene, Scope::default(), text);
        assert_eq!(scene.hear()[0]["recovered"], recovered, "{text}");
    }
}
