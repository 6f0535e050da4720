//! A gateway was away and brings its backlog: the last known value, rollups and chunk statistics, answers that were given before, and
//! charts that are open are all as if it had come in time.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};

use super::hub::Hub;
use super::viewer::{Held, Viewer};

const HOUR_MS: i64 = 3_600_000;

fn write(hub: &Hub, rows: &[(i64, f64)]) {
    let lines: String = rows.iter().map(|(ms, value)| format!("temp,device_id=boiler v={value} {ms}\n")).collect();
    let url = format!("http://{}/api/v2/write?precision=ms", hub.address);
    ureq::post(url).header("Authorization", format!("Bearer {}", hub.admin)).send(lines).unwrap();
}

/// Per hour: count, smallest, largest, mean.
type Hours = BTreeMap<i64, (i64, f64, f64, f64)>;

fn brute(readings: &BTreeMap<i64, f64>) -> Hours {
    let mut by_hour: BTreeMap<i64, Vec<f64>> = BTreeMap::new();
    readings.iter().for_each(|(ms, value)| by_hour.entry(ms.div_euclid(HOUR_MS) * HOUR_MS).or_default().push(*value));
    let of = |values: Vec<f64>| {
        let (least, greatest) = (values.iter().copied().fold(f64::MAX, f64::min), values.iter().copied().fold(f64::MIN, f64::max));
        (values.len() as i64, least, greatest, values.iter().sum::<f64>() / values.len() as f64)
    };
    by_hour.into_iter().map(|(hour, values)| (hour, of(values))).collect()
}

fn hours(hub: &Hub, from: i64) -> Hours {
    let answer = hub.get(&format!("/api/v1/history?select=boiler/temp.v&from={from}ms&every=1h&agg=count,min,max,mean"));
    let points = answer["series"][0]["points"].as_array().unwrap();
    let number = |point: &Json, i: usize| point[i].as_f64().unwrap();
    points.iter().map(|p| (p[0].as_i64().unwrap(), (p[1].as_i64().unwrap(), number(p, 2), number(p, 3), number(p, 4)))).collect()
}

fn assert_same(found: &Hours, expected: &Hours, when: &str) {
    assert_eq!(found.len(), expected.len(), "{when}");
    for (hour, (count, least, greatest, mean)) in expected {
        let of = found[hour];
        assert_eq!((of.0, of.1, of.2), (*count, *least, *greatest), "{when}, hour {hour}");
        assert!((of.3 - mean).abs() <= 1e-9 * mean.abs().max(1.0), "{when}, hour {hour}: {} instead of {mean}", of.3);
    }
}

fn last(hub: &Hub) -> (i64, f64) {
    let answer = hub.get("/api/v1/last?select=boiler/*");
    (answer["series"][0]["time"].as_i64().unwrap(), answer["series"][0]["value"].as_f64().unwrap())
}

#[test]
fn late_data_repairs_everything() {
    let dir = tempfile::tempdir().unwrap();
    let hub = Hub::start(dir.path());
    let now = jiff::Timestamp::now().as_millisecond();
    let begin = now.div_euclid(HOUR_MS) * HOUR_MS - 60 * HOUR_MS;
    // Two and a half days, one reading in 30 s, without the hours in which the gateway was away.
    let away = |ms: i64| (20..29).contains(&((ms - begin) / HOUR_MS));
    let all = |step: i64| (begin..now).step_by(usize::try_from(step).unwrap());
    let value = |ms: i64| ((ms / 1_000) % 997) as f64 / 8.0;
    let mut readings: BTreeMap<i64, f64> = all(30_000).filter(|ms| !away(*ms)).map(|ms| (ms, value(ms))).collect();
    write(&hub, &readings.iter().map(|(ms, value)| (*ms, *value)).collect::<Vec<_>>());
    // A clean stop seals: what follows is asked of chunks, their statistics and rollups.
    let admin = hub.admin.clone();
    assert_eq!(hub.stop(), Some(0));
    let hub = Hub::launch(dir.path(), &[], &[], admin).unwrap();
    assert_same(&hours(&hub, begin), &brute(&readings), "before");
    assert_same(&hours(&hub, begin), &brute(&readings), "before, asked again");
    let mut viewer = Viewer::connect(&hub.address, &hub.admin);
    viewer.say(&json!({"type": "subscribe", "id": "a", "select": ["boiler/*"], "history": "70h"}));
    let mut held = Held::default();
    loop {
        let message = viewer.next().unwrap();
        held.apply(&message);
        if message["cursor"].is_string() {
            break;
        }
    }
    // The backlog, newest first and mixed; one of it is an extreme, and some rewrite what is there.
    let mut late: Vec<(i64, f64)> = all(10_000).filter(|ms| away(*ms)).map(|ms| (ms, value(ms))).collect();
    late[700].1 = 5_000.0;
    late.extend(all(30_000).filter(|ms| !away(*ms)).step_by(500).map(|ms| (ms, -7.0)));
    late.reverse();
    for (newest, part) in (now..).zip(late.chunks(1_000)) {
        write(&hub, part);
        // Newer ones keep coming beside it. By now they are of the past, which is where history ends.
        readings.insert(newest, 1.5);
        write(&hub, &[(newest, 1.5)]);
        readings.extend(part.iter().copied());
    }
    assert_same(&hours(&hub, begin), &brute(&readings), "after");
    let (time, newest) = readings.last_key_value().unwrap();
    assert_eq!(last(&hub), (*time, *newest), "the last known value is the newest by its time");
    let raw = hub.get(&format!("/api/v1/history?select=boiler/temp.v&from={begin}ms"));
    let raw: BTreeMap<i64, f64> =
        raw["series"][0]["points"].as_array().unwrap().iter().map(|p| (p[0].as_i64().unwrap(), p[1].as_f64().unwrap())).collect();
    assert!(raw == readings, "{} readings instead of {}", raw.len(), readings.len());
    let deadline = Instant::now() + Duration::from_secs(30);
    let of_viewer =
        |held: &Held| -> BTreeMap<i64, f64> { held.points["boiler/temp.v"].iter().map(|(t, v)| (*t, v.as_f64().unwrap())).collect() };
    while of_viewer(&held) != readings {
        assert!(Instant::now() < deadline, "the open chart is not repaired");
        held.apply(&viewer.next().unwrap());
    }
    assert!(held.patches > 0);
    // And the same after another seal, which lays the late rows over the others.
    let admin = hub.admin.clone();
    assert_eq!(hub.stop(), Some(0));
    let hub = Hub::launch(dir.path(), &[], &[], admin).unwrap();
    assert_same(&hours(&hub, begin), &brute(&readings), "after a seal");
    assert_eq!(last(&hub), (*time, *newest));
}
