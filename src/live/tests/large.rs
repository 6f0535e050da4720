//! Much at once: backlogs and snapshots that take several messages, and what overlaps in the head.

use super::NOW;
use super::rules::{MS, SUBSCRIBE, Scene, scene, shape};
use crate::limits::SNAPSHOT_PART_BYTES;
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
