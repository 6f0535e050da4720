//! What viewers ask for and do not take is bounded: the points of a snapshot, the memory of all together, what a group gathers.

use std::sync::{Arc, OnceLock};

use serde_json::Value as Json;

use super::super::content::{Envelope, Named};
use super::super::cursor::Cursor;
use super::super::engine::Input;
use super::super::fresh::{Behind, Fresh, Newcomers, Shown};
use super::super::mailbox::{Mailbox, SnapshotSlot, SubId};
use super::super::protocol::Encoding;
use super::super::room::{Room, Unmade};
use super::client::Client;
use super::rules::{MS, SUBSCRIBE, Scene, shape};
use super::{EPOCH, NOW, World};
use crate::auth::access::Scope;
use crate::head::ColumnView;
use crate::limits::{GROUP_PENDING_BYTES, LIVE_HISTORY_POINTS, SNAPSHOT_BYTES};
use crate::log::LogRead;
use crate::model::{BatchPart, Commit, Position, Reading, SeriesId, TimeNs, TokenId, Value};

/// What one point that came late takes in a block: its receive time is kept on its own.
const POINT: usize = 32;

pub(super) fn ask(id: &str, more: &str) -> String {
    format!(r#"{{"type":"subscribe","id":"{id}","select":["*/*"],"history":"1h"{more}}}"#)
}

pub(super) fn points(series: SeriesId, from: TimeNs, count: usize) -> Vec<(SeriesId, TimeNs, Value)> {
    (0..count as i64).map(|i| (series, from + i * MS, Value::Float(0.5))).collect()
}

/// A series with `stored` points in the store and `recent` in the head, and a viewer; snapshots may have that much.
pub(super) fn filled(stored: usize, recent: usize, room: &Arc<Room>) -> Scene {
    let mut world = World::new();
    world.engine.set_room(Arc::clone(room));
    let a = world.id("a", "m");
    world.commit(&[], &points(a, NOW - 1_800_000 * MS, stored));
    world.seal();
    world.commit(&[], &points(a, NOW - 600_000 * MS, recent));
    world.turn();
    let outbox = world.open(Encoding::Json, 1 << 20);
    Scene { world, client: Client::new(outbox), a }
}

pub(super) fn code(message: &Json) -> &str {
    message["error"]["code"].as_str().unwrap_or_default()
}

#[test]
fn a_history_of_too_many_points_is_refused_and_the_connection_stays() {
    // In the store, in the head, and in both.
    for (stored, recent) in [(1001, 0), (0, 1001), (501, 500)] {
        let room = Room::new(1000, SNAPSHOT_BYTES);
        let mut scene = filled(stored, recent, &room);
        scene.say(&ask("s", ""));
        let heard = scene.hear();
        assert_eq!((shape(&heard).join(" "), code(&heard[0])), ("error".to_owned(), "too_many_points"), "{stored} {recent}");
        assert_eq!(heard[0]["id"], "s");
        assert!(heard[0]["error"]["hint"].as_str().unwrap().contains("shorter history"), "{}", heard[0]);
        assert_eq!(room.used(), 0);
        // Nothing of it comes any more, its id is free, and what is smaller is served.
        scene.put(scene.a, 1, 7);
        assert_eq!(scene.hear(), Vec::<Json>::new(), "{stored} {recent}");
        scene.say(&SUBSCRIBE.replace("]}", r#"],"history":"1m"}"#));
        assert_eq!(shape(&scene.hear()), ["snapshot", "state"]);
        scene.put(scene.a, 2, 8);
        assert_eq!(shape(&scene.hear()), ["update"]);
    }
    let room = Room::new(1001, SNAPSHOT_BYTES);
    let mut scene = filled(501, 500, &room);
    scene.say(&ask("s", ""));
    assert_eq!(shape(&scene.hear()), ["snapshot", "state"]);
    assert_eq!(scene.client.points["a/m"], scene.world.truth.last().unwrap()[&scene.a]);
}

/// The hub does not know yet that the subscription has ended; the viewer is told nothing more of it all the same.
#[test]
fn nothing_comes_after_a_refusal() {
    let mut scene = filled(1001, 1, &Room::new(1000, SNAPSHOT_BYTES));
    scene.say(&ask("s", ""));
    scene.put(scene.a, 1, 7);
    scene.world.advance(1_000);
    scene.put(scene.a, 2, 8);
    scene.world.engine.follow();
    scene.world.run_jobs();
    scene.world.engine.tick(scene.world.now_ns + 1_000_000_000);
    let heard: Vec<Json> = std::iter::from_fn(|| scene.client.next()).collect();
    assert_eq!(shape(&heard), ["error"]);
    assert_eq!(scene.hear(), Vec::<Json>::new());
}

#[test]
fn snapshots_that_wait_share_one_room_and_one_token_leaves_some_to_others() {
    // A snapshot of 3,000 stored points takes 96 kB and a little, so two are what one token may have of a room for four.
    let room = Room::new(10_000, 4 * (3_000 * POINT + 5_000));
    let mut scene = filled(3_000, 0, &room);
    for id in ["s", "t", "u"] {
        scene.say(&ask(id, ""));
    }
    let other = scene.world.open(Encoding::Json, 1 << 20);
    scene.world.send_as(TokenId(2), other.viewer, Scope::default(), &ask("s", ""));
    scene.world.advance(1_000);
    scene.world.run_jobs();
    let full = room.used();
    assert!((3 * 3_000 * POINT..3 * 3_000 * POINT + 15_000).contains(&full), "{full} bytes");
    let kinds = |heard: &[Json]| -> Vec<(String, String)> {
        let all = heard.iter().map(|m| (m["type"].as_str().unwrap().to_owned(), code(m).to_owned()));
        all.filter(|(kind, _)| kind != "state").collect()
    };
    let (snapshot, refusal) = (("snapshot".to_owned(), String::new()), ("error".to_owned(), "too_slow".to_owned()));
    let heard = scene.hear();
    assert_eq!(kinds(&heard), [snapshot.clone(), snapshot.clone(), refusal]);
    scene.client = Client::new(other);
    let heard = scene.hear();
    assert_eq!(kinds(&heard), [snapshot], "another token's has room");
    assert_eq!(room.used(), 0, "they are taken");
    scene.say(&ask("u", ""));
    assert_eq!(shape(&scene.hear()), ["snapshot", "state"]);
}

/// A wall of screens loses its connections at once and comes back at once: what memory does not keep is read from the log once.
#[test]
fn fifty_screens_that_come_back_at_once_share_one_read_of_the_log() {
    let mut read = Vec::new();
    for screens in [1, 50] {
        let mut world = World::with_tail(4_000);
        let a = world.id("a", "m");
        world.commit(&[], &points(a, NOW, 10));
        world.turn();
        let mut clients: Vec<Client> = (0..screens).map(|_| Client::new(world.open(Encoding::Json, 1 << 20))).collect();
        for client in &mut clients {
            world.send(client.outbox.viewer, Scope::default(), &ask("s", ""));
        }
        let hear = |world: &mut World, clients: &mut [Client]| {
            world.advance(1_000);
            world.run_jobs();
            for client in clients {
                while let Some(message) = client.next() {
                    client.apply(&message);
                }
            }
        };
        hear(&mut world, &mut clients);
        clients.iter().for_each(|client| world.engine.on_input(Input::Gone(client.outbox.viewer), world.now_ns));
        for k in 1..200 {
            world.commit(&[], &points(a, NOW + k * 1_000 * MS, 10));
            world.turn();
        }
        assert_eq!((world.log.bytes_read(), world.metrics.live_log_reads.value()), (0, 0));
        for client in &mut clients {
            let cursor = client.cursor.clone().unwrap();
            client.reconnect(world.open(Encoding::Json, 1 << 20));
            world.send(client.outbox.viewer, Scope::default(), &ask("s", &format!(r#","cursor":"{cursor}""#)));
        }
        hear(&mut world, &mut clients);
        assert!(clients.iter().all(|client| client.resumed && client.points["a/m"] == world.truth.last().unwrap()[&a]));
        assert_eq!(world.metrics.live_log_reads.value(), 1, "{screens} screens");
        read.push(world.log.bytes_read());
    }
    assert!(read[0] > 0 && read[0] == read[1], "{read:?} bytes");
}

#[test]
fn a_viewer_that_goes_or_unsubscribes_gives_back_its_room() {
    let room = Room::new(10_000, SNAPSHOT_BYTES);
    for leaves in [true, false] {
        let mut scene = filled(3_000, 0, &room);
        scene.say(&ask("s", ""));
        scene.world.run_jobs();
        assert!(room.used() >= 3_000 * POINT);
        match leaves {
            true => scene.world.engine.on_input(Input::Gone(scene.client.outbox.viewer), scene.world.now_ns),
            false => scene.say(r#"{"type":"unsubscribe","id":"s"}"#),
        }
        assert_eq!(room.used(), 0, "gone {leaves}");
    }
}

#[test]
fn what_nobody_waits_for_is_not_made() {
    let room = Room::new(10_000, SNAPSHOT_BYTES);
    let scene = filled(3_000, 0, &room);
    let cursor = Cursor { epoch: EPOCH, position: Position(2), attributes: None };
    let make = |slot: &Arc<SnapshotSlot>| {
        let newcomers =
            Newcomers { slot: Arc::clone(slot), viewers: Vec::new(), owner: TokenId(1), room: Arc::clone(&room), refused: Arc::default() };
        let named = vec![Named { number: 0, series: scene.world.series.by_id(scene.a).unwrap() }];
        let pin = scene.world.head.with_reader(|head| head.pin());
        let behind = Behind { store: scene.world.store.clone(), pin, from: NOW - 3_600_000 * MS };
        let fresh = Fresh { cursor, named, shown: vec![Shown::View(ColumnView::empty())], behind: Some(behind), column_ns: None };
        (fresh, newcomers)
    };
    let envelope = Arc::new(Envelope { id: "s".into(), encoding: Encoding::Json });
    let slot = Arc::new(SnapshotSlot { envelope, content: OnceLock::new() });
    let (fresh, newcomers) = make(&slot);
    assert_eq!(fresh.make(&newcomers).unwrap().0.series[0].points.len(), 3_000);
    drop(newcomers);
    let (fresh, newcomers) = make(&slot);
    drop(slot);
    assert_eq!(fresh.make(&newcomers).unwrap_err(), Unmade::Unwanted);
}

/// A subscription may begin anew while the maker of its first snapshot finds that it cannot be.
#[test]
fn a_refusal_reaches_only_who_waits_for_that_snapshot() {
    let slot = || {
        let envelope = Arc::new(Envelope { id: "s".into(), encoding: Encoding::Json });
        Arc::new(SnapshotSlot { envelope, content: OnceLock::new() })
    };
    let (mut mailbox, sub, old, new) = (Mailbox::new(1 << 20), SubId(1), slot(), slot());
    mailbox.push_snapshot(sub, Arc::clone(&old));
    mailbox.push_snapshot(sub, Arc::clone(&new));
    let mut refuse = |slot| (mailbox.refuse(sub, slot, "no".into()), mailbox.pull().is_some());
    assert_eq!(refuse(&old), (false, false));
    assert_eq!(refuse(&new), (true, true));
    assert_eq!(refuse(&new), (false, false), "it was told");
}

#[test]
fn a_resume_that_has_no_room_is_a_snapshot() {
    // Of 1,000 changes after the cursor, by points and by bytes; the snapshot itself is in the head, which takes no room.
    for room in [Room::new(999, SNAPSHOT_BYTES), Room::new(LIVE_HISTORY_POINTS, 16_000)] {
        let mut scene = filled(0, 1, &room);
        scene.say(SUBSCRIBE);
        scene.hear();
        let cursor = scene.client.cursor.clone().unwrap();
        scene.say(r#"{"type":"unsubscribe","id":"s"}"#);
        scene.world.commit(&[], &points(scene.a, NOW, 1_000));
        scene.say(&ask("t", &format!(r#","cursor":"{cursor}""#)).replace(r#""1h""#, r#""100ms""#));
        let snapshot = &scene.hear()[0];
        assert_eq!((&snapshot["type"], &snapshot["recovered"], room.used()), (&"snapshot".into(), &false.into(), 0));
    }
}

/// 40 MiB of texts fall out of the tail while the engine is busy.
#[test]
fn who_catches_up_from_the_log_sends_before_too_much_is_gathered() {
    let mut world = World::with_tail(4_000);
    let a = world.id("a", "m");
    world.commit(&[], &[(a, NOW, Value::Text("".into()))]);
    world.turn();
    let outbox = world.open(Encoding::Json, usize::MAX);
    let mut client = Client::new(outbox);
    world.send(client.outbox.viewer, Scope::default(), SUBSCRIBE);
    world.advance(1_000);
    while let Some(message) = client.next() {
        client.apply(&message);
    }
    let text: Arc<str> = "x".repeat(16 << 10).into();
    for k in 1..=160 {
        let reading = |i| Reading { series: a, time: NOW + k * MS + i, value: Value::Text(Arc::clone(&text)) };
        let readings: Vec<Reading> = (0..16).map(reading).collect();
        let position = Position(world.truth.len() as u64);
        world.truth.push(Arc::clone(world.truth.last().unwrap()));
        let parts = vec![BatchPart { agent: None, received: NOW, end: readings.len() }];
        world.publish(Commit { position, parts, readings, ..Commit::default() });
    }
    world.turn();
    // All messages of a tick but its last repeat the cursor before it.
    let (mut by_tick, mut told, mut before) = (vec![0], 0, client.cursor.clone());
    while let Some(message) = client.next() {
        let points = message["points"].as_array().unwrap();
        told += points.len();
        *by_tick.last_mut().unwrap() += points.iter().map(|point| point[2].as_str().unwrap().len()).sum::<usize>();
        if message["cursor"].as_str() != before.as_deref() {
            by_tick.push(0);
            before = message["cursor"].as_str().map(str::to_owned);
        }
    }
    assert_eq!(told, 160 * 16);
    assert!(by_tick.iter().all(|bytes| *bytes <= GROUP_PENDING_BYTES + (256 << 10)), "{by_tick:?}");
}

#[test]
fn what_waits_behind_a_snapshot_in_the_making_is_bounded_by_its_series() {
    let mut world = World::new();
    let ids: Vec<SeriesId> = (0..50).map(|i| world.id("d", &format!("m{i}"))).collect();
    let outbox = world.open(Encoding::Json, 4_000);
    world.send(outbox.viewer, Scope::default(), &ask("a", r#","points":10"#));
    world.advance(0);
    let mut most = 0;
    for i in 0..300 {
        let now = world.clock.now();
        world.commit(&[], &ids.iter().map(|id| (*id, now, Value::Int(i))).collect::<Vec<_>>());
        world.advance(100);
        most = most.max(outbox.with(|mailbox| mailbox.weight()));
    }
    // Of 15,000 readings. Merging goes down to one of each series, and begins again at twice that.
    assert!((4_000..25_000).contains(&most), "{most} bytes");
    let mut client = Client::new(outbox);
    assert!(client.next().is_none(), "the snapshot is still in the making");
    world.run_jobs();
    while let Some(message) = client.next() {
        client.apply(&message);
    }
    assert!(client.merged > 0 && client.points.values().all(|points| points.values().next_back() == Some(&Value::Int(299))));
}
