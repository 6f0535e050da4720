//! InfluxDB as the store, against a real influxd: what is acked is there once, what is asked is answered, whatever happens to it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use telltale::clock::{Clock, NS_PER_SEC};
use telltale::config::{Config, Influx, StoreKind};
use telltale::hub::{Hub, OpenHubError};
use telltale::ingest::{Batch, Outcome};
use telltale::model::{Delete, Reading, SeriesId, TimeNs, TimeRange, TokenId, Value};
use telltale::query::source::{self, Past};
use telltale::series::KeyRef;
use telltale::store::StoreError;

use crate::influxd::{Influxd, TOKEN};

pub(crate) fn config(dir: &Path, influx: Influx) -> Config {
    let mut config = Config { influx: Some(influx), ..Config::default() };
    config.store.kind = StoreKind::Influx;
    config.data.dir = dir.to_owned();
    config
}

pub(crate) fn open(dir: &Path, influxd: &Influxd) -> Arc<Hub> {
    Arc::new(Hub::open(config(dir, influxd.config()), Clock::system()).unwrap())
}

pub(crate) fn series(hub: &Hub, device: &str, metric: &str, labels: &[(&str, &str)]) -> SeriesId {
    hub.series.resolve(KeyRef { device, metric, labels }, TokenId(1)).unwrap().id
}

pub(crate) async fn put(hub: &Hub, readings: Vec<Reading>) {
    let sent = readings.len();
    match try_put(hub, readings).await {
        Outcome::Committed { stored, duplicate, refused, .. } => assert_eq!((stored + duplicate, refused.len()), (sent, 0)),
        Outcome::Later(later) => panic!("not taken: {later:?}"),
    }
}

pub(crate) async fn try_put(hub: &Hub, readings: Vec<Reading>) -> Outcome {
    let (reply, outcome) = tokio::sync::oneshot::channel();
    hub.queue.submit(Batch { readings, meta: vec![], agent: None, received: hub.clock.now(), reply }).await.unwrap();
    outcome.await.unwrap()
}

pub(crate) type Points = BTreeMap<TimeNs, Value>;

/// Blocking, as the pool reads.
pub(crate) async fn read(hub: &Arc<Hub>, id: SeriesId, range: TimeRange) -> Result<Points, StoreError> {
    let hub = Arc::clone(hub);
    let read = move || {
        let view = hub.head.view(&[id], range);
        let past = Some(Past { store: &*hub.store, pin: &view.pin });
        let is_whole = hub.store.lacks(&view.pin).is_none();
        let mut points = Points::new();
        source::scan(&view.columns[0], past, id, range, &mut |run| {
            run.iter().for_each(|(time, value)| assert_eq!(points.insert(time, value), None, "a time twice"));
            true
        })?;
        let counted = source::count(&view.columns[0], past, id, range, usize::MAX)?;
        assert!(!is_whole || counted == points.len(), "{counted} counted, {} read", points.len());
        Ok(points)
    };
    tokio::task::spawn_blocking(read).await.unwrap()
}

/// The head lets go of all it has, so that InfluxDB alone answers.
pub(crate) async fn empty_head(hub: &Arc<Hub>) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while hub.head.points() > 0 || hub.influx.as_ref().unwrap().status().forwarded < hub.head.position() {
        assert!(Instant::now() < deadline, "{:?}", hub.influx.as_ref().unwrap().status());
        let hub = Arc::clone(hub);
        tokio::task::spawn_blocking(move || hub.pressure.want_seal(Duration::from_secs(1))).await.unwrap();
    }
}

pub(crate) fn now() -> TimeNs {
    Clock::system().now()
}

#[tokio::test]
async fn every_type_is_read_back_and_deletes_hold() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let influxd = Influxd::start(dir.path());
    let hub = open(&data, &influxd);
    let start = now() - 3600 * NS_PER_SEC;
    let names = [
        ("d", "m", &[][..]),
        ("d", "m", &[("cpu", "0")]),
        ("a b,c=d", "x y,z=\"q\"", &[("l", "=, \"v\"")]),
        ("end\\", "#m\\", &[]),
        ("d", "on", &[]),
        ("d", "t", &[]),
        ("d\\=", "a\\=b\\,c\\ d\\\"e", &[("l", "x\\=y\\,z\\ ")]),
    ];
    let ids: Vec<SeriesId> = names.iter().map(|(device, metric, labels)| series(&hub, device, metric, labels)).collect();
    let mut expected: BTreeMap<SeriesId, Points> = BTreeMap::new();
    let mut rng = fastrand::Rng::with_seed(3);
    let value = |rng: &mut fastrand::Rng, at: usize| match at {
        4 => Value::Bool(rng.bool()),
        5 => Value::Text(["a, \"b\" \\", "two\nlines", "", "x=1 2", "one\r\nof \r"][rng.usize(0..5)].into()),
        _ => Value::Float([rng.f64(), -0.0, 1e300, 9_007_199_254_740_992.0, 0.1 + 0.2, 5e-324][rng.usize(0..6)]),
    };
    for round in 0..3 {
        let mut readings = Vec::new();
        for _ in 0..3_000 {
            let at = rng.usize(0..ids.len());
            // In order, late, and at times that were written before.
            let time = start + rng.i64(0..2_000) * (NS_PER_SEC + 1);
            let reading = Reading { series: ids[at], time, value: value(&mut rng, at) };
            expected.entry(ids[at]).or_default().insert(time, reading.value.clone());
            readings.push(reading);
        }
        put(&hub, readings).await;
        let (from, to) = (start + round * 300 * NS_PER_SEC, start + (round * 300 + 77) * NS_PER_SEC);
        let delete = Delete { series: ids[round as usize], from, to };
        hub.queue.delete(&[delete]).await.unwrap();
        expected.get_mut(&delete.series).unwrap().retain(|time, _| !(from..=to).contains(time));
        if round == 1 {
            empty_head(&hub).await;
        }
    }
    let compare = async |hub: &Arc<Hub>| {
        for (id, points) in &expected {
            let found = read(hub, *id, TimeRange::ALL).await.unwrap();
            let differs = points.iter().zip(&found).find(|(expected, found)| expected != found);
            assert!(found.len() == points.len() && differs.is_none(), "{}: {differs:?}", hub.series.by_id(*id).unwrap().key);
            let (from, to) = (start + 200 * NS_PER_SEC, start + 900 * NS_PER_SEC);
            let part: Points = points.range(from..to).map(|(time, value)| (*time, value.clone())).collect();
            assert_eq!(read(hub, *id, TimeRange { from, to }).await.unwrap(), part);
        }
    };
    compare(&hub).await;
    empty_head(&hub).await;
    compare(&hub).await;
    hub.stop().await;
    drop(hub);
    let hub = open(&data, &influxd);
    compare(&hub).await;
    assert_eq!(hub.influx.as_ref().unwrap().status().refused, (0, None));
    let lines =
        influxd.flux("from(bucket: \"b\") |> range(start: -2h) |> filter(fn: (r) => r._measurement == \"on\") |> group() |> count()");
    assert!(lines.last().unwrap().ends_with(&format!(",{}", expected[&ids[4]].len())), "{lines:?}");
}

#[tokio::test]
async fn while_influxdb_is_away_acks_go_on_and_it_catches_up() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let mut influxd = Influxd::start(dir.path());
    let hub = open(&data, &influxd);
    let id = series(&hub, "d", "m", &[]);
    let start = now() - 3600 * NS_PER_SEC;
    let mut expected = Points::new();
    let mut send = async |hub: &Arc<Hub>, from: i64| {
        let readings: Vec<_> =
            (from..from + 100).map(|n| Reading { series: id, time: start + n * NS_PER_SEC, value: Value::Float(n as f64) }).collect();
        expected.extend(readings.iter().map(|reading| (reading.time, reading.value.clone())));
        put(hub, readings).await;
    };
    send(&hub, 0).await;
    empty_head(&hub).await;
    influxd.kill();
    send(&hub, 100).await;
    assert!(matches!(read(&hub, id, TimeRange::ALL).await, Err(StoreError::Away { .. })));
    // A start without it is the same outage.
    hub.stop().await;
    drop(hub);
    let hub = open(&data, &influxd);
    send(&hub, 200).await;
    let last = hub.head.last(&[id]).1.remove(0).unwrap();
    assert_eq!((last.time, last.value), (start + 299 * NS_PER_SEC, Value::Float(299.0)));
    let status = hub.influx.as_ref().unwrap().status();
    assert!(status.away.is_some(), "{status:?}");
    influxd.run();
    empty_head(&hub).await;
    assert_eq!(read(&hub, id, TimeRange::ALL).await.unwrap(), expected);
    let status = hub.influx.as_ref().unwrap().status();
    assert_eq!((status.away, status.refused), (None, (0, None)));
}

#[tokio::test]
async fn what_is_wrong_with_the_settings_ends_the_start() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let influxd = Influxd::start(dir.path());
    let good = influxd.config();
    let read_only = influxd.token_that_may(&["read"]);
    let rows = [
        (Influx { token: read_only, ..good.clone() }, "403 Forbidden: insufficient permissions for write; check [store.influxdb] token"),
        (Influx { ca: Some(b"no certificate".to_vec()), ..good.clone() }, "ca_file holds no certificate"),
        (Influx { token: "another".to_owned(), ..good.clone() }, "[store.influxdb] token"),
        (Influx { org: "p".to_owned(), ..good.clone() }, "p"),
        (Influx { bucket: "c".to_owned(), ..good.clone() }, "bucket \"c\""),
    ];
    for (influx, part) in rows {
        let error = Hub::open(config(&data, influx), Clock::system()).unwrap_err();
        assert!(matches!(error, OpenHubError::Influx(_)) && error.to_string().contains(part), "{error}");
    }
    let new = Influxd::start_new(&dir.path().join("new"));
    let error = Hub::open(config(&data, new.config()), Clock::system()).unwrap_err();
    assert!(error.to_string().contains("is not set up: make the organisation \"o\", the bucket \"b\" and a token"), "{error}");
    assert!(!data.join("influx").exists(), "another kind of store may still be chosen");
    drop(open(&data, &influxd));
    let mut embedded = Config::default();
    embedded.data.dir = data;
    let error = Hub::open(embedded, Clock::system()).unwrap_err();
    assert!(matches!(error, OpenHubError::OtherStore { kind: "influxdb", .. }), "{error}");
}

/// Names the first time at which they differ.
fn same(found: &Points, expected: &Points, when: &str) {
    let times: std::collections::BTreeSet<_> = found.keys().chain(expected.keys()).collect();
    let differs: Vec<_> = times.into_iter().filter(|time| found.get(time) != expected.get(time)).collect();
    if let Some(time) = differs.first() {
        let (found, expected) = (found.get(time), expected.get(time));
        panic!("{when}: {} times differ, the first is {time}: {found:?} for {expected:?}", differs.len());
    }
}

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

#[tokio::test]
async fn a_backlog_has_a_bound_and_what_is_refused_is_set_aside() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let mut influxd = Influxd::start(dir.path());
    let mut config = config(&data, Influx { backlog_bytes: 1 << 20, ..influxd.config() });
    (config.log.segment_bytes, config.log.keep_bytes) = (64 << 10, 0);
    let hub = Arc::new(Hub::open(config, Clock::system()).unwrap());
    let segments = || std::fs::read_dir(data.join("log")).unwrap().count();
    let id = series(&hub, "d", "m", &[]);
    let mut rng = fastrand::Rng::with_seed(1);
    let mut time = now() - 3600 * NS_PER_SEC;
    let mut readings = |rng: &mut fastrand::Rng| {
        let some = (0..10_000).map(|n| Reading { series: id, time: time + n, value: Value::Float(rng.f64()) }).collect();
        time += 10_000;
        some
    };
    put(&hub, readings(&mut rng)).await;
    empty_head(&hub).await;
    influxd.kill();
    let deadline = Instant::now() + Duration::from_secs(60);
    let later = loop {
        assert!(Instant::now() < deadline, "{:?}", hub.influx.as_ref().unwrap().status());
        match try_put(&hub, readings(&mut rng)).await {
            Outcome::Later(later) => break later,
            Outcome::Committed { .. } => {}
        }
    };
    assert_eq!(later.code.as_str(), "store_away");
    assert!(later.message.contains("backlog_bytes") && later.message.contains("cannot be reached"), "{}", later.message);
    let codes: Vec<_> = hub.reasons().iter().map(|(code, _)| code.as_str()).collect();
    assert_eq!(codes, ["store_away"], "the hub is not ready meanwhile");
    let kept = segments();
    assert!(kept > 5, "{kept} segments: what is not forwarded stays, though nothing is kept for cursors");
    influxd.run();
    let deadline = Instant::now() + Duration::from_secs(60);
    while let Outcome::Later(_) = try_put(&hub, readings(&mut rng)).await {
        assert!(Instant::now() < deadline, "it goes on by itself");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    empty_head(&hub).await;
    assert_eq!(hub.reasons(), []);
    let deadline = Instant::now() + Duration::from_secs(60);
    while segments() > kept / 2 {
        assert!(Instant::now() < deadline, "{} segments: what is forwarded goes", segments());
        let sealing = Arc::clone(&hub);
        tokio::task::spawn_blocking(move || sealing.pressure.want_seal(Duration::from_secs(1))).await.unwrap();
        try_put(&hub, readings(&mut rng)).await;
    }
    // A measurement in which another program wrote text into the field: InfluxDB refuses the rows for good.
    influxd.write(&format!("broken,device=e value=\"text\" {}", now()));
    let broken = series(&hub, "e", "broken", &[]);
    assert_eq!(broken, SeriesId(1));
    let at = now();
    let bad = Reading { series: broken, time: at, value: Value::Float(1.0) };
    put(&hub, [readings(&mut rng), vec![bad]].concat()).await;
    empty_head(&hub).await;
    let status = hub.influx.as_ref().unwrap().status();
    assert_eq!(status.refused.0, 1, "{status:?}");
    assert!(status.refused.1.unwrap().contains("field type conflict"));
    assert!(hub.store.is_damaged(broken, TimeRange::ALL) && !hub.store.is_damaged(id, TimeRange::ALL));
    let kept = std::fs::read_to_string(data.join("set-aside/influxdb-refused.lp")).unwrap();
    assert!(kept.contains("\nbroken,device=e,id:=") && kept.ends_with(&format!(".1 value=1.0 {at}\n")), "{kept}");
}

/// Acks go on while the disk of InfluxDB is full. It does not get over that by itself (its WAL stays closed), so it is started anew.
#[tokio::test]
async fn a_full_disk_of_influxdb_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let mut influxd = Influxd::start_small(&dir.path().join("influxd"), 96);
    let hub = open(&data, &influxd);
    let id = series(&hub, "d", "m", &[]);
    let (start, mut expected) = (now() - 3600 * NS_PER_SEC, Points::new());
    let mut send = async |from: i64, count: i64| {
        let some = (from..from + count).map(|n| (start + n * 1_000_000, Value::Float(n as f64)));
        let readings = some.clone().map(|(time, value)| Reading { series: id, time, value }).collect();
        expected.extend(some);
        put(&hub, readings).await;
    };
    send(0, 10_000).await;
    empty_head(&hub).await;
    influxd.disk.as_ref().unwrap().fill();
    let deadline = Instant::now() + Duration::from_secs(60);
    let mut from = 10_000;
    let away = loop {
        assert!(Instant::now() < deadline, "{:?}", hub.influx.as_ref().unwrap().status());
        send(from, 20_000).await;
        from += 20_000;
        match hub.influx.as_ref().unwrap().status().away {
            Some(away) => break away,
            None => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    };
    assert!(away.why.contains("no space left"), "{away:?}");
    send(from, 100).await;
    influxd.disk.as_ref().unwrap().free();
    influxd.kill();
    influxd.run();
    empty_head(&hub).await;
    same(&read(&hub, id, TimeRange::ALL).await.unwrap(), &expected, "after the disk was full");
    assert_eq!(hub.influx.as_ref().unwrap().status().refused, (0, None));
}

/// By REST, as a user sees an outage: what the head has is answered and says what it lacks; what it has not is 503.
#[tokio::test]
async fn an_outage_is_told_in_every_answer() {
    let dir = tempfile::tempdir().unwrap();
    let mut influxd = Influxd::start(dir.path());
    let data = dir.path().join("data");
    std::fs::create_dir_all(&data).unwrap();
    let config = data.join("hub.toml");
    let url = influxd.config().url;
    let text = format!(
        "[log]\nunsealed_bytes = \"64KiB\"\n[store]\nkind = \"influxdb\"\n[store.influxdb]\nurl = \"{url}\"\norg = \"o\"\nbucket = \"b\"\ntoken = \"{TOKEN}\"\ntimeout = \"2s\"\n"
    );
    std::fs::write(&config, text).unwrap();
    let hub = crate::hub::Hub::start_with(&data, &["--config", config.to_str().unwrap()]);
    let token = hub.token(&["--role", "agent"]);
    let send = |from: i64, count: i64| {
        let lines: String =
            (from..from + count).map(|n| format!("m,host=h v={n} {}\n", now() - 3_600_000_000_000 + n * 1_000_000)).collect();
        let request = ureq::post(format!("http://{}/api/v2/write", hub.address)).header("Authorization", format!("Token {token}"));
        assert_eq!(request.send(lines).unwrap().status(), 204);
    };
    let forwarded =
        || hub.get("/api/v1/status")["store"]["influxdb"]["backlog_bytes"] == 0 && hub.get("/api/v1/status")["head_points"] == 0;
    send(0, 40_000);
    let (deadline, mut sent) = (Instant::now() + Duration::from_secs(60), 40_000);
    let mut more_at = Instant::now() + Duration::from_secs(2);
    while !forwarded() {
        assert!(Instant::now() < deadline, "{}", hub.get("/api/v1/status"));
        tokio::time::sleep(Duration::from_millis(20)).await;
        // What came while the head was sealed is sealed with more.
        if Instant::now() > more_at {
            send(sent, 10_000);
            (sent, more_at) = (sent + 10_000, Instant::now() + Duration::from_secs(2));
        }
    }
    influxd.kill();
    let history = "/api/v1/history?select=h/m.v&from=-2h&agg=count";
    let (status, text) = hub.ask(history);
    assert!(status == 503 && text.contains("store_away") && text.contains("cannot be reached"), "{status} {text}");
    send(1_000_000, 10);
    let answer = hub.get(history);
    assert_eq!((&answer["incomplete"], &answer["series"][0]["points"][0][1]), (&true.into(), &10.into()), "{answer}");
    assert!(answer["incomplete_why"].as_str().unwrap().contains("cannot be reached"), "{answer}");
    let request = ureq::get(format!("http://{}{history}&format=csv", hub.address)).header("Authorization", format!("Bearer {}", hub.admin));
    assert!(request.call().unwrap().headers()["x-telltale-incomplete"].to_str().unwrap().contains("cannot be reached"));
    assert_eq!(hub.get("/api/v1/last?select=*/*")["series"].as_array().unwrap().len(), 1);
    assert!(hub.get("/api/v1/status")["store"]["influxdb"]["backlog_bytes"].as_u64().unwrap() > 0);
    influxd.run();
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let (status, text) = hub.ask(history);
        let answer: serde_json::Value = serde_json::from_str(&text).unwrap();
        if status == 200 && answer.get("incomplete").is_none() && answer["series"][0]["points"][0][1] == sent + 10 {
            break;
        }
        assert!(Instant::now() < deadline, "it goes on by itself: {status} {text}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(hub.stop(), Some(0));
}

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

/// InfluxDB renames nothing, and an upgrade takes nobody's history away.
#[tokio::test]
async fn a_data_directory_of_the_first_builds_keeps_the_names_of_its_rows() {
    let dir = tempfile::tempdir().unwrap();
    let influxd = Influxd::start(dir.path());
    let data = dir.path().join("data");
    let noted = data.join("influx/forwarded");
    open(&data, &influxd).stop().await;
    // As those noted it.
    std::fs::write(&noted, "0 0\n").unwrap();
    let at = now() - NS_PER_SEC;
    let mut expected = Points::new();
    for round in 0..3 {
        let hub = open(&data, &influxd);
        let id = series(&hub, "d", "m", &[]);
        let added: Vec<_> = (0..10).map(|n| (at + round * 100 + n, Value::Float(n as f64))).collect();
        put(&hub, added.iter().map(|(time, value)| Reading { series: id, time: *time, value: value.clone() }).collect()).await;
        expected.extend(added);
        let delete = Delete { series: id, from: at + round * 100 + 2, to: at + round * 100 + 4 };
        hub.queue.delete(&[delete]).await.unwrap();
        expected.retain(|time, _| !(delete.from..=delete.to).contains(time));
        empty_head(&hub).await;
        assert_eq!(read(&hub, id, TimeRange::ALL).await.unwrap(), expected, "round {round}");
        hub.stop().await;
    }
    assert!(std::fs::read_to_string(&noted).unwrap().ends_with(" 1\n"), "it is said from then on");
    let told = influxd.flux("from(bucket: \"b\") |> range(start: -1h) |> filter(fn: (r) => exists r[\"series:id\"])");
    let rows = told.iter().filter(|line| line.starts_with(",_result")).count();
    assert_eq!(rows, expected.len(), "{told:?}");
    let short = influxd.flux("from(bucket: \"b\") |> range(start: -1h) |> filter(fn: (r) => exists r[\"id:\"])");
    assert!(short.is_empty(), "{short:?}");
}

/// A backup of the data directory has what InfluxDB has not: names, last known values, tokens.
#[tokio::test]
async fn a_backup_brings_back_what_is_not_in_influxdb() {
    let dir = tempfile::tempdir().unwrap();
    let influxd = Influxd::start(dir.path());
    let (data, backup, restored) = (dir.path().join("data"), dir.path().join("backup"), dir.path().join("restored"));
    let hub = open(&data, &influxd);
    let id = series(&hub, "d", "m", &[("l", "1")]);
    let at = now();
    put(&hub, vec![Reading { series: id, time: at, value: Value::Float(4.5) }]).await;
    let (of, to) = (Arc::clone(&hub), backup.clone());
    tokio::task::spawn_blocking(move || telltale::tools::backup::run(&of, &to, &mut |_, _| ()).unwrap()).await.unwrap();
    hub.stop().await;
    drop(hub);
    std::fs::create_dir_all(&restored).unwrap();
    telltale::tools::restore::run(&backup, &restored, telltale::tools::restore::Tokens::Kept, &mut |_, _| ()).unwrap();
    let hub = open(&restored, &influxd);
    assert_eq!(hub.series.by_id(id).unwrap().key.to_string(), "d/m{l=\"1\"}");
    let last = hub.head.last(&[id]).1.remove(0).unwrap();
    assert_eq!((last.time, last.value), (at, Value::Float(4.5)));
    assert_eq!(read(&hub, id, TimeRange::ALL).await.unwrap(), Points::from([(at, Value::Float(4.5))]));
}
