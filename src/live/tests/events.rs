//! Server-sent events: the messages of the socket, and what is different because there is one subscription and nothing is read.
//! That each event is well formed and has its cursor as id is checked by the client of all these tests.

use std::task::{Context, Poll, Waker};

use super::super::mailbox::{Mailbox, Pulled};
use super::super::protocol::Encoding;
use super::super::room::Room;
use super::NOW;
use super::bounds::{ask, code, filled, points};
use super::client::Client;
use super::rules::{MS, SUBSCRIBE, Scene, scene, shape};
use crate::limits::{LIVE_HISTORY_POINTS, SNAPSHOT_BYTES};
use crate::live::engine::Input;

/// The scene's viewer takes events.
fn by_events(mut scene: Scene) -> Scene {
    scene.client = Client::new(scene.world.open(Encoding::Events, 1 << 20));
    scene
}

/// Whether the body would end here.
fn is_over(scene: &Scene) -> bool {
    matches!(scene.client.outbox.poll_next(&mut None, &Context::from_waker(Waker::noop())), Poll::Ready(None))
}

#[test]
fn a_snapshot_of_several_parts_can_be_resumed_from_behind_its_last() {
    let mut scene = by_events(scene());
    scene.world.commit(&[], &points(scene.a, NOW - 600_000 * MS, 50_000));
    scene.world.turn();
    scene.say(&ask("s", ""));
    let heard = scene.hear();
    assert!(heard.len() > 3 && heard[0]["more"] == true, "{:?}", shape(&heard));
    assert_eq!(scene.client.points["a/m"], scene.world.truth.last().unwrap()[&scene.a]);
    let cursor = scene.client.cursor.clone().unwrap();
    scene.world.engine.on_input(Input::Gone(scene.client.outbox.viewer), scene.world.now_ns);
    // So many changes that the resume comes in parts too, which leave the reader where it stood.
    scene.world.commit(&[], &points(scene.a, NOW, 50_000));
    let outbox = scene.world.open(Encoding::Events, 1 << 20);
    scene.client.reconnect(outbox);
    scene.say(&ask("s", &format!(r#","cursor":"{cursor}""#)));
    let heard = scene.hear();
    assert!(heard.len() > 3 && heard[0]["more"] == true && heard[0]["recovered"] == true, "{:?}", shape(&heard));
    assert_eq!(scene.client.points["a/m"], scene.world.truth.last().unwrap()[&scene.a]);
}

#[test]
fn a_refusal_is_the_end() {
    let mut scene = by_events(filled(1001, 0, &Room::new(1000, SNAPSHOT_BYTES)));
    scene.say(&ask("s", ""));
    assert!(!is_over(&scene));
    let heard = scene.hear();
    assert_eq!((shape(&heard).join(" "), code(&heard[0])), ("error".to_owned(), "too_many_points"));
    assert_eq!(scene.client.outbox.refusal().map(|refused| refused.code), Some("too_many_points"));
    assert!(is_over(&scene));
    scene.put(scene.a, 1, 7);
    assert!(scene.hear().is_empty() && is_over(&scene));
}

/// A subscription that begins anew in the middle of its life may be refused then.
#[test]
fn a_later_refusal_is_the_end_too() {
    let room = Room::new(1000, SNAPSHOT_BYTES);
    let mut scene = by_events(filled(999, 0, &room));
    scene.world.describe("a", "site", "north");
    scene.say(&ask("s", "").replace("*/*", r#"*/*{@site=\"north\"}"#));
    assert_eq!(shape(&scene.hear()), ["snapshot", "state"]);
    let b = scene.world.id("b", "m");
    scene.world.commit(&[], &points(b, NOW - 60_000 * MS, 10));
    scene.world.turn();
    scene.world.describe("b", "site", "north");
    let heard = scene.hear();
    assert_eq!((heard.len(), code(&heard[0])), (1, "too_many_points"), "{heard:?}");
    assert!(is_over(&scene));
}

#[test]
fn a_comment_is_made_only_where_nothing_else_waits() {
    let mut mailbox = Mailbox::new(1 << 20);
    mailbox.push_idle("one".into());
    mailbox.push_idle("two".into());
    assert!(matches!(mailbox.pull(), Some(Pulled::Bytes(bytes)) if bytes == "one"));
    assert!(mailbox.pull().is_none());
    mailbox.push_error("error".into());
    mailbox.push_idle("three".into());
    mailbox.close(Some("closing".into()));
    mailbox.push_idle("four".into());
    assert!(!mailbox.is_over());
    assert!(matches!(mailbox.pull(), Some(Pulled::Bytes(bytes)) if bytes == "closing"));
    assert!(mailbox.pull().is_none() && mailbox.is_over());
}

#[test]
fn viewers_of_both_kinds_see_the_same() {
    let mut events = by_events(filled(10, 10, &Room::new(LIVE_HISTORY_POINTS, SNAPSHOT_BYTES)));
    let mut socket = Client::new(events.world.open(Encoding::Json, 1 << 20));
    events.world.send(socket.outbox.viewer, crate::auth::access::Scope::default(), SUBSCRIBE);
    events.say(SUBSCRIBE);
    let mut seen = events.hear();
    for value in [1, 2] {
        events.put(events.a, value, value);
        seen.extend(events.hear());
    }
    events.put(events.a, 0, 5);
    seen.extend(events.hear());
    let mut told = Vec::new();
    while let Some(message) = socket.next() {
        told.push(message);
    }
    assert_eq!(shape(&seen), ["snapshot", "state", "update", "update", "patch"]);
    assert_eq!(seen, told);
}
