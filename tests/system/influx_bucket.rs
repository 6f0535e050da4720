//! What somebody does to the bucket while the hub runs: it keeps less, it goes, it comes back; and deletes while InfluxDB is away.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value as Json;
use telltale::clock::NS_PER_SEC;
use telltale::model::{Delete, Reading, TimeRange, Value};

use crate::hub::Hub;
use crate::influx::{Points, empty_head, now, open, put, read, series};
use crate::influxd::{Influxd, TOKEN};

const HOUR: i64 = 3600 * NS_PER_SEC;
const PATIENCE: Duration = Duration::from_secs(60);

/// The built program before this InfluxDB, with what sends to it.
struct Site {
    influxd: Influxd,
    hub: Hub,
    agent: String,
    // Goes last.
    _dir: tempfile::TempDir,
}

impl Site {
    fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let influxd = Influxd::start(dir.path());
        let config = dir.path().join("hub.toml");
        let url = influxd.config().url;
        let text = format!(
            "[log]\nunsealed_bytes = \"64KiB\"\n[store]\nkind = \"influxdb\"\n[store.influxdb]\nurl = \"{url}\"\norg = \"o\"\n\
             bucket = \"b\"\ntoken = \"{TOKEN}\"\ntimeout = \"2s\"\n"
        );
        std::fs::write(&config, text).unwrap();
        let hub = Hub::start_with(dir.path(), &["--config", config.to_str().unwrap()]);
        let agent = hub.token(&["--role", "agent"]);
        Self { influxd, hub, agent, _dir: dir }
    }

    /// Status and body of the answer.
    fn write(&self, lines: &str) -> (u16, String) {
        let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
        let request = agent.post(format!("http://{}/api/v2/write", self.hub.address));
        let mut answer = request.header("Authorization", format!("Token {}", self.agent)).send(lines).unwrap();
        (answer.status().as_u16(), answer.body_mut().read_to_string().unwrap())
    }

    fn influx_status(&self) -> Json {
        self.hub.get("/api/v1/status")["store"]["influxdb"].clone()
    }

    /// Readings in order, a millisecond apart, until the head has let go of some and InfluxDB has all of them. How many.
    async fn fill(&self, metric: &str) -> i64 {
        let (start, mut sent) = (now() - HOUR / 2, 0);
        let deadline = Instant::now() + PATIENCE;
        loop {
            let lines: String = (sent..sent + 20_000).map(|n| format!("{metric},host=h v={n} {}\n", start + n * 1_000_000)).collect();
            assert_eq!(self.write(&lines).0, 204);
            sent += 20_000;
            let until = Instant::now() + Duration::from_secs(2);
            while Instant::now() < until {
                let status = self.hub.get("/api/v1/status");
                if status["head_points"] == 0 && status["store"]["influxdb"]["backlog_bytes"] == 0 {
                    return sent;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            assert!(Instant::now() < deadline, "{}", self.hub.get("/api/v1/status"));
        }
    }

    async fn eventually(&self, what: &str, mut holds: impl FnMut(&Self) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !holds(self) {
            assert!(Instant::now() < deadline, "{what}: {}", self.influx_status());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

#[tokio::test]
async fn a_bucket_that_keeps_less_moves_the_floor_of_the_door() {
    let site = Site::start();
    let old = |n: i64| format!("m,host=h v={n} {}\n", now() - 2 * HOUR);
    assert_eq!(site.write(&old(1)).0, 204, "it keeps everything");
    site.fill("x").await;
    site.influxd.keep(3600);
    // Asked for when something is asked of it, and once a minute.
    let answer = site.hub.get("/api/v1/history?select=h/x.v&from=-3h&agg=count");
    let answer = if answer["retained_from"].is_null() { site.hub.get("/api/v1/history?select=h/x.v&from=-3h&agg=count") } else { answer };
    assert!(answer["retained_from"].is_number(), "{answer}");
    let (status, text) = site.write(&old(2));
    assert!(status == 422 && text.contains("too_old"), "{status} {text}");
    assert_eq!(site.write(&format!("m,host=h v=3 {}\n", now() - HOUR / 2)).0, 204);
    site.influxd.keep(0);
    site.hub.get("/api/v1/history?select=h/x.v&from=-3h&agg=count");
    assert_eq!(site.write(&old(4)).0, 204, "it keeps everything again");
    site.eventually("all is forwarded", |site| site.influx_status()["backlog_bytes"] == 0).await;
    assert_eq!((&site.influx_status()["refused"], &site.influx_status()["expired"]), (&0.into(), &0.into()));
    assert_eq!(site.hub.stop(), Some(0));
}

#[tokio::test]
async fn what_a_bucket_keeps_is_the_floor_of_the_door_from_the_start() {
    let dir = tempfile::tempdir().unwrap();
    let influxd = Influxd::start(dir.path());
    influxd.keep(3600);
    let begun = now();
    let hub = open(&dir.path().join("data"), &influxd);
    let series = hub.series.by_id(series(&hub, "d", "m", &[])).unwrap();
    let floor = hub.retention.floor(&series);
    assert!(floor.is_some_and(|floor| (begun - HOUR..=now() - HOUR).contains(&floor)), "{floor:?}");
}

#[tokio::test]
async fn what_expires_before_influxdb_takes_it_is_let_go_of_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let mut influxd = Influxd::start(dir.path());
    let hub = open(&data, &influxd);
    influxd.kill();
    let ids = [series(&hub, "d", "old", &[]), series(&hub, "d", "mixed", &[])];
    let (start, begun) = (now() - 4 * HOUR, now());
    let old = |id, n: i64| Reading { series: id, time: start + n * NS_PER_SEC, value: Value::Float(n as f64) };
    let young = |n: i64| Reading { series: ids[1], time: begun - HOUR / 2 + n * NS_PER_SEC, value: Value::Float(n as f64) };
    put(&hub, (0..3_000).map(|n| old(ids[0], n)).chain((0..1_000).map(|n| old(ids[1], n))).chain((0..1_000).map(young)).collect()).await;
    hub.stop().await;
    drop(hub);
    influxd.run();
    influxd.keep(3600);
    let before = influxd.requests("/api/v2/write");
    let hub = open(&data, &influxd);
    empty_head(&hub).await;
    let status = hub.influx.as_ref().unwrap().status();
    assert_eq!((status.expired_readings, status.refused), (4_000, (0, None)));
    let asked = influxd.requests("/api/v2/write") - before;
    assert!(asked < 20, "{asked} requests for what is refused for its age");
    let since = TimeRange { from: begun - HOUR, to: begun };
    let expected: Points = (0..1_000).map(young).map(|reading| (reading.time, reading.value)).collect();
    assert_eq!(read(&hub, ids[1], since).await.unwrap(), expected);
}

#[tokio::test]
async fn a_delete_during_an_outage_is_carried_out_when_it_is_over() {
    let dir = tempfile::tempdir().unwrap();
    let mut influxd = Influxd::start(dir.path());
    let data = dir.path().join("data");
    let hub = open(&data, &influxd);
    let (id, start) = (series(&hub, "d", "m", &[]), now() - HOUR);
    let time = |n: i64| start + n * NS_PER_SEC;
    let readings =
        |range: std::ops::Range<i64>| range.map(|n| Reading { series: id, time: time(n), value: Value::Float(n as f64) }).collect();
    put(&hub, readings(0..100)).await;
    empty_head(&hub).await;
    influxd.kill();
    let delete = |from: i64, to: i64| [Delete { series: id, from: time(from), to: time(to) }];
    hub.queue.delete(&delete(20, 39)).await.unwrap();
    // What comes later stands, also at the same times.
    put(&hub, readings(30..35)).await;
    let later = hub.queue.delete(&delete(90, 99)).await.unwrap_err();
    assert_eq!(later.code.as_str(), "store_away", "the last known value that is left is in InfluxDB alone");
    // A crash in the middle of it.
    drop(hub);
    let hub: Arc<_> = open(&data, &influxd);
    assert!(hub.influx.as_ref().unwrap().status().away.is_some());
    influxd.run();
    empty_head(&hub).await;
    let expected: Points = (0..20).chain(30..35).chain(40..100).map(|n| (time(n), Value::Float(n as f64))).collect();
    assert_eq!(read(&hub, id, TimeRange::ALL).await.unwrap(), expected);
    let there = influxd.flux("from(bucket: \"b\") |> range(start: -2h) |> count()");
    assert!(there.last().unwrap().contains(&format!(",{},", expected.len())), "{there:?}");
    hub.queue.delete(&delete(90, 99)).await.unwrap();
    assert_eq!(hub.head.last(&[id]).1.remove(0).unwrap().time, time(89));
}

/// It is an outage that says why. What was in the bucket has gone with it; what is in the log comes into the next one of its name.
#[tokio::test]
async fn a_bucket_that_goes_is_told_and_one_that_comes_is_used() {
    let site = Site::start();
    let sent = site.fill("x").await;
    let history = "/api/v1/history?select=h/x.v&from=-2h&agg=count";
    assert_eq!(site.hub.get(history)["series"][0]["points"][0][1], sent);
    let org = site.influxd.org();
    site.influxd.drop_bucket();
    // Before the first byte, whatever is asked.
    for question in [history, "/api/v1/history?select=h/x.v&from=-2h", "/api/v1/history?select=h/x.v&from=-2h&points=100"] {
        let (status, text) = site.hub.ask(question);
        assert!(status == 503 && text.contains("store_away") && text.contains("bucket \\\"b\\\""), "{status} {text}");
    }
    let is_told = |site: &Site| site.influx_status()["away"].as_str().is_some_and(|why| why.contains("bucket \"b\""));
    site.eventually("an idle hub tells it too", is_told).await;
    assert_eq!(site.write(&format!("y,host=h v=1 {}\n", now())).0, 204, "acks go on");
    let answer = site.hub.get("/api/v1/history?select=h/y.v&from=-2h");
    assert_eq!(answer["series"][0]["points"].as_array().unwrap().len(), 1, "{answer}");
    site.influxd.make_bucket(&org);
    site.eventually("it goes on by itself", |site| site.influx_status()["away"].is_null() && site.influx_status()["backlog_bytes"] == 0)
        .await;
    let (status, text) = site.hub.ask(history);
    assert_eq!(status, 200, "{text}");
    let there = site.influxd.flux("from(bucket: \"b\") |> range(start: -2h) |> filter(fn: (r) => r._measurement == \"y.v\")");
    assert_eq!(there.len(), 2, "a head and a row: {there:?}");
    assert_eq!(site.influx_status()["refused"], 0);
    assert_eq!(site.hub.stop(), Some(0));
}
