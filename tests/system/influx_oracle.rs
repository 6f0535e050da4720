//! InfluxDB as the store beside a map: random steps, and outages in between.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use telltale::clock::NS_PER_SEC;
use telltale::model::{Delete, Reading, SeriesId, TimeRange, Value};

use crate::influx::{Points, empty_head, now, open, put, read, same, series};
use crate::influxd::Influxd;

/// Random steps against a whole hub and a map at once; InfluxDB is paused, killed and started in between.
#[tokio::test]
async fn whatever_comes_the_answers_are_those_of_a_map() {
    let seed = std::env::var("TELLTALE_SEED").map_or_else(|_| fastrand::u64(..), |seed| seed.parse().unwrap());
    println!("TELLTALE_SEED={seed}");
    let mut rng = fastrand::Rng::with_seed(seed);
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let mut influxd = Influxd::start(dir.path());
    let (mut is_up, mut is_paused) = (true, false);
    let mut hub = open(&data, &influxd);
    let ids: Vec<SeriesId> = (0..6).map(|n| series(&hub, &format!("d{n}"), "m", &[])).collect();
    let start = now() - 6 * 3600 * NS_PER_SEC;
    let mut front = 0;
    // A series is known after a restart once it has a reading.
    put(&hub, ids.iter().map(|id| Reading { series: *id, time: start, value: Value::Float(0.0) }).collect()).await;
    let mut expected: BTreeMap<SeriesId, Points> = ids.iter().map(|id| (*id, Points::from([(start, Value::Float(0.0))]))).collect();
    for step in 0..300 {
        match rng.u8(0..20) {
            0 | 1 if is_up && !is_paused => {
                let from = start + rng.i64(0..=front) * NS_PER_SEC;
                let delete = Delete { series: ids[rng.usize(0..6)], from, to: from + rng.i64(0..200) * NS_PER_SEC };
                hub.queue.delete(&[delete]).await.unwrap();
                expected.get_mut(&delete.series).unwrap().retain(|time, _| !(delete.from..=delete.to).contains(time));
            }
            2 => {
                let hub = Arc::clone(&hub);
                tokio::task::spawn_blocking(move || hub.pressure.want_seal(Duration::from_secs(1))).await.unwrap();
            }
            3 if rng.bool() => {
                hub.stop().await;
                drop(hub);
                hub = open(&data, &influxd);
            }
            4 if rng.bool() => {
                // As a crash would: nothing more is forwarded or sealed.
                drop(hub);
                hub = open(&data, &influxd);
            }
            5 if is_up && !is_paused && rng.bool() => {
                influxd.kill();
                is_up = false;
            }
            6 if is_up && !is_paused => {
                influxd.pause();
                is_paused = true;
            }
            7 | 8 => {
                if is_paused {
                    influxd.resume();
                } else if !is_up {
                    influxd.run();
                }
                (is_up, is_paused) = (true, false);
            }
            9 if is_up && !is_paused => {
                let id = ids[rng.usize(0..6)];
                let found = read(&hub, id, TimeRange::ALL).await.unwrap();
                // What the head let go of while InfluxDB was away is on its way, and that is told.
                let view = hub.head.view(&[id], TimeRange::ALL);
                if hub.store.lacks(&view.pin).is_none() {
                    let again = read(&hub, id, TimeRange::ALL).await.unwrap();
                    same(&again, &expected[&id], &format!("step {step}, {} before", found.len()));
                }
            }
            _ => {
                let mut readings = Vec::new();
                for _ in 0..rng.usize(1..200) {
                    let at = if rng.u8(0..4) == 0 { rng.i64(0..=front) } else { front + 1 };
                    front = front.max(at);
                    let reading =
                        Reading { series: ids[rng.usize(0..6)], time: start + at * NS_PER_SEC, value: Value::Float(f64::from(rng.u8(..))) };
                    expected.get_mut(&reading.series).unwrap().insert(reading.time, reading.value.clone());
                    readings.push(reading);
                }
                put(&hub, readings).await;
            }
        }
    }
    if is_paused {
        influxd.resume();
    } else if !is_up {
        influxd.run();
    }
    for _ in 0..2 {
        empty_head(&hub).await;
        for id in &ids {
            same(&read(&hub, *id, TimeRange::ALL).await.unwrap(), &expected[id], "at the end");
            let last = hub.head.last(&[*id]).1.remove(0).map(|last| (last.time, last.value));
            assert_eq!(last, expected[id].last_key_value().map(|(time, value)| (*time, value.clone())));
        }
        hub.stop().await;
        drop(hub);
        hub = open(&data, &influxd);
    }
    assert_eq!(hub.influx.as_ref().unwrap().status().refused, (0, None));
}
