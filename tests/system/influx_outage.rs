//! InfluxDB as the store, away for a while: acks go on, answers say what they lack, and it catches up.

use std::sync::Arc;
use std::time::{Duration, Instant};

use telltale::clock::{Clock, NS_PER_SEC};
use telltale::config::Influx;
use telltale::hub::Hub;
use telltale::ingest::Outcome;
use telltale::model::{Reading, SeriesId, TimeRange, Value};
use telltale::store::StoreError;

use crate::influx::{Points, config, empty_head, now, open, put, read, same, series, try_put};
use crate::influxd::{Influxd, TOKEN};

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
