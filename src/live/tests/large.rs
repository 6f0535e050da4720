//! Much at once: backlogs and snapshots that take several messages, and what overlaps in the head.

use std::collections::HashSet;

use super::NOW;
use super::rules::{MS, SUBSCRIBE, Scene, scene, shape};
use crate::limits::SNAPSHOT_PART_BYTES;
use crate::live::engine::Input;
use crate::live::protocol::Encoding;
use crate::model::{Delete, SeriesId, TimeNs, Value};
use serde_json::Value as Json;

/// `count` points of the series, each 50 ms after the one before.
fn backlog(series: SeriesId, start: TimeNs, count: i64, value: f64) -> Vec<(SeriesId, TimeNs, Value)> {
    (0..count).map(|i| (series, start + i * 50 * MS, Value::Float(value))).collect()
}

fn watching(history: &str) -> Scene {
    let mut scene = scene();
    scene.say(&SUBSCRIBE.replace("]}", &format!(r#"],"history":"{history}"}}"#)));
    scene.hear();
    scene
}

/// Every range of the patches, in the order they came.
fn ranges(heard: &[Json]) -> Vec<Json> {
    heard.iter().flat_map(|message| message["ranges"].as_array().unwrap().clone()).collect()
}

fn is_exact(scene: &Scene) -> bool {
    scene.client.points["a/m"] == scene.world.truth.last().unwrap()[&scene.a]
}

#[test]
fn a_backlog_of_one_series_comes_in_several_patches() {
    let mut scene = watching("2h");
    let before = scene.client.cursor.clone();
    let points = backlog(scene.a, NOW - 3_600_000 * MS, 50_000, 0.5);
    scene.world.commit(&[], &points);
    let heard = scene.hear();
    assert!(heard.len() > 3 && shape(&heard).iter().all(|kind| kind == "patch"), "{:?}", shape(&heard));
    assert!(scene.client.largest < 2 * SNAPSHOT_PART_BYTES, "{} bytes", scene.client.largest);
    let (last, parts) = heard.split_last().unwrap();
    assert!(parts.iter().all(|part| part["cursor"].as_str() == before.as_deref()), "the cursor before, until all is there");
    assert_ne!(last["cursor"].as_str(), before.as_deref());
    let ends: Vec<(f64, f64)> = ranges(&heard).iter().map(|r| (r["from"].as_f64().unwrap(), r["to"].as_f64().unwrap())).collect();
    assert!(ends.windows(2).all(|pair| pair[0].1 < pair[1].0), "no range reaches into the one before");
    assert!(is_exact(&scene));
}

#[test]
fn a_deleted_range_that_is_filled_again_comes_in_several_patches() {
    let mut scene = watching("2h");
    let (a, from, to) = (scene.a, NOW - 3_600_000 * MS, NOW - 60_000 * MS);
    scene.world.commit(&[], &backlog(a, from + MS, 50_000, 0.5));
    scene.hear();
    scene.world.commit(&[Delete { series: a, from, to }], &backlog(a, from + 20 * MS, 50_000, 1.5));
    let heard = scene.hear();
    assert!(heard.len() > 3 && shape(&heard).iter().all(|kind| kind == "patch"), "{:?}", shape(&heard));
    assert!(scene.client.largest < 2 * SNAPSHOT_PART_BYTES, "{} bytes", scene.client.largest);
    let ranges = ranges(&heard);
    assert_eq!((ranges[0]["from"].as_i64(), ranges[0]["to"].as_i64()), (Some(from / MS), Some(to / MS)), "all of it is forgotten first");
    assert!(is_exact(&scene));
}

#[test]
fn a_snapshot_on_its_way_is_sent_to_its_end_before_one_that_begins_anew() {
    let mut scene = scene();
    for (k, device) in [0.5, 1.5, 2.5].into_iter().zip(["p", "q", "r"]) {
        let id = scene.world.id(device, "m");
        scene.world.commit(&[], &backlog(id, NOW - 1_500_000 * MS, 30_000, k));
        scene.world.describe(device, "site", "north");
    }
    scene.say(r#"{"type":"subscribe","id":"s","select":["*/*{@site=\"north\"}"],"history":"1h"}"#);
    scene.world.advance(1_000);
    scene.world.run_jobs();
    let mut heard: Vec<Json> = (0..2).map(|_| scene.client.next().unwrap()).collect();
    assert!(heard.iter().all(|part| part["more"] == true));
    // The numbers of the second snapshot are others than those of the first, of which two parts are out. A third takes the second's place.
    for site in ["south", "north", "south"] {
        scene.world.describe("p", "site", site);
        scene.world.advance(1_000);
    }
    scene.world.run_jobs();
    while let Some(message) = scene.client.next() {
        heard.push(message);
    }
    let mut snapshots = vec![Vec::new()];
    for part in heard.iter().filter(|message| message["type"] == "snapshot") {
        let points = part["series"].as_array().unwrap().iter().map(|s| (s["device"].to_string(), s["points"].as_array().unwrap().len()));
        snapshots.last_mut().unwrap().extend(points);
        if part["more"].is_null() {
            snapshots.push(Vec::new());
        }
    }
    let sum = |of: &[(String, usize)], device: &str| of.iter().filter(|(d, _)| d.contains(device)).map(|(_, n)| n).sum::<usize>();
    let sums: Vec<_> = snapshots.iter().map(|one| ["p", "q", "r"].map(|device| sum(one, device))).collect();
    assert_eq!(sums, [[30_000; 3], [0, 30_000, 30_000], [0; 3]]);
}

#[test]
fn a_series_is_described_no_later_than_its_deletes() {
    let mut scene = scene();
    let devices: Vec<_> = (0..8_000).map(|i| scene.world.id(&format!("d{i}"), "m")).collect();
    let points: Vec<_> = devices.iter().map(|id| (*id, NOW - 60_000 * MS, Value::Float(0.5))).collect();
    scene.world.commit(&[], &points);
    scene.say(r#"{"type":"subscribe","id":"s","select":["d*/m"]}"#);
    scene.hear();
    let (cursor, viewer) = (scene.client.cursor.clone().unwrap(), scene.client.outbox.viewer);
    scene.world.engine.on_input(Input::Gone(viewer), scene.world.now_ns);
    let deletes: Vec<_> = devices.iter().map(|id| Delete { series: *id, from: NOW - 90_000 * MS, to: NOW - 30_000 * MS }).collect();
    scene.world.commit(&deletes, &backlog(devices[0], NOW - 25_000 * MS, 400, 1.5));
    let outbox = scene.world.open(Encoding::Json, 1 << 20);
    scene.client.reconnect(outbox);
    scene.say(&format!(r#"{{"type":"subscribe","id":"s","select":["d*/m"],"cursor":"{cursor}"}}"#));
    let mut heard = scene.hear();
    heard.retain(|message| message["type"] == "snapshot");
    assert!(heard.len() > 3 && heard.iter().all(|part| part["recovered"] == true), "{} parts", heard.len());
    assert!(scene.client.largest < 2 * SNAPSHOT_PART_BYTES, "{} bytes", scene.client.largest);
    let (mut described, mut deleted, mut points) = (HashSet::new(), 0, 0);
    for part in &heard {
        let series = part["series"].as_array().unwrap();
        let numbers: HashSet<_> = series.iter().map(|one| one["series"].as_u64().unwrap()).collect();
        assert_eq!(numbers.len(), series.len(), "a series stands in a part once");
        described.extend(numbers);
        for range in part["ranges"].as_array().into_iter().flatten() {
            assert!(described.contains(&range["series"].as_u64().unwrap()), "{range} is of a series that nobody described");
            deleted += 1;
        }
        points += series.iter().map(|one| one["points"].as_array().unwrap().len()).sum::<usize>();
    }
    assert_eq!((described.len(), deleted, points), (8_000, 8_000, 400));
}

#[test]
fn an_unsubscribe_cuts_a_snapshot_on_its_way() {
    let mut scene = scene();
    scene.world.commit(&[], &backlog(scene.a, NOW - 3_600_000 * MS, 50_000, 0.5));
    scene.say(&SUBSCRIBE.replace("]}", r#"],"history":"2h"}"#));
    scene.world.run_jobs();
    assert_eq!(scene.client.next().unwrap()["more"], true);
    scene.say(r#"{"type":"unsubscribe","id":"s"}"#);
    assert!(scene.client.next().is_none());
}

/// Two generations of the head hold points among each other's. To lay them over each other takes time in proportion to them, which
/// neither the writer nor the engine is to wait for.
#[test]
fn a_snapshot_of_what_overlaps_in_the_head_is_made_beside_the_engine() {
    let mut scene = scene();
    let a = scene.a;
    scene.world.commit(&[], &backlog(a, NOW - 3_600_000 * MS, 3_000, 0.5));
    let frozen = scene.world.head.freeze().unwrap();
    scene.world.commit(&[Delete { series: a, from: NOW - 3_000_000 * MS, to: NOW - 2_999_000 * MS }], &[]);
    scene.world.commit(&[], &backlog(a, NOW - 3_600_000 * MS + 20 * MS, 3_000, 1.5));
    scene.say(&SUBSCRIBE.replace("]}", r#"],"history":"2h"}"#));
    scene.world.advance(1_000);
    assert!(scene.client.next().is_none(), "it is in the making");
    scene.put(a, 1, 7);
    let heard = scene.hear();
    assert_eq!(shape(&heard), ["snapshot", "state", "update"]);
    assert!(is_exact(&scene));
    drop(frozen);
}
