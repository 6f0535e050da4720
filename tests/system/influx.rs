//! InfluxDB as the store, against a real influxd: what is acked is there once, under its names, with the settings that hold.

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

use crate::influxd::Influxd;

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

/// Names the first time at which they differ.
pub(crate) fn same(found: &Points, expected: &Points, when: &str) {
    let times: std::collections::BTreeSet<_> = found.keys().chain(expected.keys()).collect();
    let differs: Vec<_> = times.into_iter().filter(|time| found.get(time) != expected.get(time)).collect();
    if let Some(time) = differs.first() {
        let (found, expected) = (found.get(time), expected.get(time));
        panic!("{when}: {} times differ, the first is {time}: {found:?} for {expected:?}", differs.len());
    }
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
