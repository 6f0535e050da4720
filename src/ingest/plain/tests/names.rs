//! What a frame leaves behind: series, and room.

use super::*;
use crate::limits::KNOWN_NAME_BYTES;

#[test]
fn a_value_that_is_refused_makes_no_series() {
    let mut world = world_with(Scope::default(), |door| {
        door.floats_only = true;
        door.forms.text_bytes = 3;
    });
    let beyond = (1_i64 << 53) + 1;
    let refused = [
        json!({"device": "d", "metric": "a", "value": beyond}),
        json!({"device": "d", "metric": "b", "value": null}),
        json!({"device": "d", "metric": "c", "value": 1, "time": NOW + 601 * 1_000_000_000}),
        json!({"device": "d", "values": {"e": beyond, "f": "four", "g": []}}),
        json!({"name": "m", "tags": {"host": "h"}, "fields": {"f": beyond, "g": "four"}}),
    ];
    let answers = world.json(&batch(&json!(refused)));
    assert_eq!((&answers[0]["stored"], answers[0]["rejected"].as_array().unwrap().len()), (&json!(0), 8), "{answers:?}");
    assert_eq!(world.session.door().series.next_id(), 0);
    // Nor does it stand for the one reading of its series that may come without a time.
    world.json(&json!([{"device": "d", "metric": "a", "value": beyond}, {"device": "d", "metric": "a", "value": 2}]));
    assert_eq!((world.kept(), world.session.door().series.next_id()), (vec!["d/a 0 2.0".to_owned()], 1));
}

#[test]
fn a_connection_does_not_keep_the_room_of_its_longest_names() {
    let mut world = world();
    let long = "x".repeat(2 << 20);
    let frames = [
        json!({"device": long, "metric": "m", "value": 1}),
        json!({"device": "d", "metric": long, "value": 1}),
        json!({"device": "d", "labels": {"l": long}, "values": {"m": 1, "n": 2}}),
        json!({"name": long, "tags": {"host": "h"}, "fields": {"f": 1}}),
    ];
    for frame in frames {
        world.json(&frame);
        let room = world.plain.names.raw.capacity();
        assert!(room <= KNOWN_NAME_BYTES, "{room} bytes");
    }
    world.json(&json!({"device": "d", "metric": "m", "value": 1}));
    assert_eq!(world.kept(), ["d/m 0 1"]);
}
