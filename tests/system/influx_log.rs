//! InfluxDB as the store behind a log that lost something: what can be read of it is forwarded.

use std::sync::Arc;
use std::time::{Duration, Instant};

use telltale::clock::{Clock, NS_PER_SEC};
use telltale::hub::Hub;
use telltale::model::{Reading, TimeRange, Value};

use crate::influx::{Points, config, empty_head, now, open, put, read, series};
use crate::influxd::Influxd;

/// A disk that forgets a part of the log before it is forwarded costs what was in that part alone.
#[tokio::test]
async fn what_cannot_be_read_of_the_log_does_not_hold_up_the_rest() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let mut influxd = Influxd::start(dir.path());
    let open = |influxd: &Influxd| {
        let mut config = config(&data, influxd.config());
        config.log.segment_bytes = 1 << 20;
        Arc::new(Hub::open(config, Clock::system()).unwrap())
    };
    let hub = open(&influxd);
    let id = series(&hub, "d", "m", &[]);
    influxd.kill();
    let (mut rng, start, mut expected) = (fastrand::Rng::with_seed(5), now() - 3600 * NS_PER_SEC, Points::new());
    for commit in 0..20 {
        let some = (0..10_000).map(|n| (start + commit * 10_000 + n, Value::Float(rng.f64())));
        let readings: Vec<_> = some.map(|(time, value)| Reading { series: id, time, value }).collect();
        expected.extend(readings.iter().map(|reading| (reading.time, reading.value.clone())));
        put(&hub, readings).await;
    }
    let segments = || {
        let entries = std::fs::read_dir(data.join("log")).unwrap().map(|entry| entry.unwrap().path());
        let mut segments: Vec<_> = entries.filter(|path| path.extension().is_some_and(|extension| extension == "seg")).collect();
        segments.sort();
        segments
    };
    let deadline = Instant::now() + Duration::from_secs(30);
    while hub.head.points() > 0 {
        assert!(Instant::now() < deadline, "it is sealed without InfluxDB");
        let hub = Arc::clone(&hub);
        tokio::task::spawn_blocking(move || hub.pressure.want_seal(Duration::from_secs(1))).await.unwrap();
    }
    drop(hub);
    // Nothing is in memory, and the start found all of it good.
    let hub = open(&influxd);
    let first = &segments()[0];
    let mut bytes = std::fs::read(first).unwrap();
    bytes[500_000] ^= 1;
    std::fs::write(first, bytes).unwrap();
    influxd.run();
    empty_head(&hub).await;
    let found = read(&hub, id, TimeRange::ALL).await.unwrap();
    assert!(found.iter().all(|(time, value)| expected.get(time) == Some(value)));
    assert_eq!(expected.len() - found.len(), 10_000, "one commit");
    let status = hub.influx.as_ref().unwrap().status();
    assert!(status.refused.0 == 1 && status.refused.1.unwrap().contains("checksum"));
    // Nobody knows what was in it, only when it came.
    assert!(hub.store.is_damaged(id, TimeRange { from: start, to: now() }) && !hub.store.is_damaged(id, TimeRange { from: 0, to: start }));
}

/// What the log lost does not keep the forwarder from what came instead.
#[tokio::test]
async fn a_noted_place_ahead_of_the_log_is_not_believed() {
    let dir = tempfile::tempdir().unwrap();
    let influxd = Influxd::start(dir.path());
    let data = dir.path().join("data");
    let hub = open(&data, &influxd);
    let id = series(&hub, "d", "m", &[]);
    let at = now();
    put(&hub, vec![Reading { series: id, time: at, value: Value::Float(1.0) }]).await;
    hub.stop().await;
    drop(hub);
    let noted = data.join("influx/forwarded");
    let text = std::fs::read_to_string(&noted).unwrap();
    let (epoch, position) = text.trim().split_once(' ').unwrap();
    assert_eq!(position, "1 2", "the place, and how rows are named");
    std::fs::write(&noted, format!("{epoch} 1 3\n")).unwrap();
    let error = Hub::open(config(&data, influxd.config()), Clock::system()).unwrap_err();
    assert!(error.to_string().contains("names of form 3"), "{error}");
    std::fs::write(&noted, format!("{epoch} 1000 2\n")).unwrap();
    let hub = open(&data, &influxd);
    put(&hub, vec![Reading { series: id, time: at + 1, value: Value::Float(2.0) }]).await;
    empty_head(&hub).await;
    assert_eq!(read(&hub, id, TimeRange::ALL).await.unwrap(), Points::from([(at, Value::Float(1.0)), (at + 1, Value::Float(2.0))]));
}
