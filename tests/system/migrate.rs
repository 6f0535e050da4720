//! `telltale migrate` against a real influxd: history is the same in both stores, there and back, whenever it is killed.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};
use telltale::clock::{Clock, NS_PER_SEC};
use telltale::config::{Config, Influx, StoreKind};
use telltale::hub::Hub;
use telltale::ingest::{Batch, Outcome};
use telltale::model::{AgentSeq, Delete, Reading, SeriesId, TimeNs, TokenId, Value};
use telltale::series::KeyRef;

use crate::hub::{self, Hub as Program};
use crate::influxd::{Influxd, TOKEN};

const PATIENCE: Duration = Duration::from_secs(60);
const TO_INFLUX: [&str; 4] = ["--from", "embedded", "--to", "influxdb"];
const TO_EMBEDDED: [&str; 4] = ["--from", "influxdb", "--to", "embedded"];
/// Of `gw`: one boot.
const BOOT: u64 = 5;

/// A data directory, an InfluxDB beside it, and a configuration that knows both.
struct Site {
    dir: tempfile::TempDir,
    influxd: Influxd,
    admin: String,
    now: TimeNs,
}

impl Site {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let influxd = Influxd::start(dir.path());
        let Influx { url, org, bucket, .. } = influxd.config();
        // A handover for each 4 MiB.
        let text = format!(
            "[store]\nhead_bytes = \"8MiB\"\n[store.influxdb]\nurl = \"{url}\"\norg = \"{org}\"\nbucket = \"{bucket}\"\ntoken = \"{TOKEN}\"\n"
        );
        std::fs::write(dir.path().join("hub.toml"), text).unwrap();
        let admin = hub::token(dir.path(), &["--role", "admin"]);
        Self { dir, influxd, admin, now: Clock::system().now() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Within the test's own process.
    fn open(&self, kind: StoreKind) -> Arc<Hub> {
        let influx = (kind == StoreKind::Influx).then(|| self.influxd.config());
        let mut config = Config { influx, ..Config::default() };
        config.store.kind = kind;
        config.data.dir = self.path("data");
        Arc::new(Hub::open(config, Clock::system()).unwrap())
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_telltale"));
        command.args(arguments).arg("--config").arg(self.path("hub.toml")).arg("--data-dir").arg(self.path("data")).env_clear();
        command
    }

    /// Exit code, stdout and stderr.
    fn run(&self, arguments: &[&str]) -> (i32, String, String) {
        let output = self.command(arguments).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.code().expect("it was not killed"), text(output.stdout), text(output.stderr))
    }

    fn migrate(&self, way: [&str; 4]) -> (i32, String, String) {
        self.run(&[&["migrate"], &way[..]].concat())
    }

    fn migrated(&self, way: [&str; 4]) -> String {
        let (code, stdout, stderr) = self.migrate(way);
        assert_eq!((code, stderr.as_str()), (0, ""), "{stdout}");
        let last = stdout.lines().last().unwrap();
        assert!(last.starts_with(&format!("now set [store] kind = \"{}\"", way[3])), "{stdout}");
        stdout
    }

    fn serve(&self, kind: &str) -> Program {
        let (file, kind) = (self.path("hub.toml"), [("TELLTALE_STORE__KIND", kind)]);
        let started = Program::launch(self.dir.path(), &["--config", file.to_str().unwrap()], &kind, self.admin.clone());
        started.unwrap_or_else(|| panic!("{}", std::fs::read_to_string(self.path("hub.log")).unwrap()))
    }

    /// As users see it: every reading, and the last known ones.
    fn answers(&self, kind: &str) -> (Points, Points) {
        let hub = self.serve(kind);
        let mut readings = Points::new();
        let answer = hub.get("/api/v1/history?select=*/*&from=0s&time=ns");
        assert_eq!(answer.get("incomplete"), None, "{answer}");
        for series in answer["series"].as_array().unwrap() {
            let points = series["points"].as_array().unwrap().iter().map(|point| (point[0].as_i64().unwrap(), plain(&point[1])));
            readings.insert(name(series), points.collect());
        }
        let last = hub.get("/api/v1/last?select=*/*&time=ns");
        let last = last["series"].as_array().unwrap().iter().map(|series| {
            let (time, seen) = (series["time"].as_i64().unwrap(), &series["seen"]);
            (name(series), vec![(time, json!([plain(&series["value"]), seen]))])
        });
        let last = last.collect();
        assert_eq!(hub.stop(), Some(0));
        (readings, last)
    }

    /// Those that were not killed in between are compared beside what they hold.
    fn same(&self, kind: &str, expected: &(Points, Points)) {
        let found = self.answers(kind);
        let count = |points: &Points| points.iter().map(|(name, points)| (name.clone(), points.len())).collect::<Vec<_>>();
        assert_eq!(count(&found.0), count(&expected.0));
        for (name, points) in &expected.0 {
            let differs = points.iter().zip(&found.0[name]).find(|(expected, found)| expected != found);
            assert!(differs.is_none(), "{name}: {differs:?}");
        }
        assert_eq!(found.1, expected.1);
    }
}

type Points = BTreeMap<String, Vec<(i64, Json)>>;

fn name(series: &Json) -> String {
    format!("{}/{}{}{}{}", series["device"], series["metric"], series["labels"], series["unit"], series["kind"])
}

/// 1 and 1.0 are the same value.
fn plain(value: &Json) -> Json {
    value.as_f64().map_or_else(|| value.clone(), |number| json!(number + 0.0))
}

fn series(hub: &Hub, device: &str, metric: &str, labels: &[(&str, &str)]) -> SeriesId {
    hub.series.resolve(KeyRef { device, metric, labels }, TokenId(1)).unwrap().id
}

/// How many were new, and how many were known.
async fn put(hub: &Hub, seq: u64, readings: Vec<Reading>) -> (usize, usize) {
    let (reply, outcome) = tokio::sync::oneshot::channel();
    let agent = Some(AgentSeq { agent: "gw".into(), boot: BOOT, seq });
    hub.queue.submit(Batch { readings, meta: vec![], agent, received: hub.clock.now(), reply }).await.unwrap();
    match outcome.await.unwrap() {
        Outcome::Committed { stored, duplicate, refused, .. } if refused.is_empty() => (stored, duplicate),
        other => panic!("not taken: {other:?}"),
    }
}

/// A value for each series of `fill`.
fn value(rng: &mut fastrand::Rng, at: usize) -> Value {
    match at {
        4 => Value::Bool(rng.bool()),
        5 => Value::Text(["a, \"b\" \\", "two\nlines", "", "x=1 2", "one\r\nof \r", "é ☃ \u{e00d}", "${v} \t"][rng.usize(0..7)].into()),
        6 => Value::Int([3, -7, 0, 1 << 53, -(1 << 53)][rng.usize(0..5)]),
        7 if rng.bool() => Value::Int(rng.i64(-9..9)),
        _ => Value::Float([rng.f64(), -0.0, 1e300, 0.1 + 0.2, 5e-324, f64::MIN][rng.usize(0..6)]),
    }
}

/// Readings in order, late, and at times that were written before.
async fn fill(hub: &Hub, seq: u64, start: TimeNs) -> (Vec<SeriesId>, Vec<Reading>) {
    let names = [
        ("d", "m", &[][..]),
        ("d", "m", &[("cpu", "0")]),
        ("a b,c=d", "x y,z=\"q\"", &[("l", "=, \"v\"")]),
        ("end\\", "#m\\", &[]),
        ("d", "on", &[]),
        ("d", "t", &[]),
        ("d", "count", &[]),
        ("d", "mixed", &[]),
    ];
    let ids: Vec<SeriesId> = names.iter().map(|(device, metric, labels)| series(hub, device, metric, labels)).collect();
    let mut rng = fastrand::Rng::with_seed(seq);
    let reading = |rng: &mut fastrand::Rng| {
        let at = rng.usize(0..ids.len());
        Reading { series: ids[at], time: start + rng.i64(0..4_000) * (60 * NS_PER_SEC + 1), value: value(rng, at) }
    };
    let readings: Vec<_> = (0..6_000).map(|_| reading(&mut rng)).collect();
    put(hub, seq, readings.clone()).await;
    (ids, readings)
}

async fn sealed(hub: &Arc<Hub>) {
    let deadline = Instant::now() + PATIENCE;
    while hub.head.points() > 0 {
        assert!(Instant::now() < deadline);
        let hub = Arc::clone(hub);
        tokio::task::spawn_blocking(move || hub.pressure.want_seal(Duration::from_secs(1))).await.unwrap();
    }
}

#[tokio::test]
async fn history_is_the_same_there_and_back_and_there_again() {
    let site = Site::new();
    let start = site.now - 4 * 86_400 * NS_PER_SEC;
    let hub = site.open(StoreKind::Embedded);
    let (ids, _) = fill(&hub, 1, start).await;
    sealed(&hub).await;
    hub.queue.delete(&[Delete { series: ids[0], from: start, to: start + 7200 * NS_PER_SEC }]).await.unwrap();
    fill(&hub, 2, start).await;
    // As after a crash: the log has what the store has not.
    drop(hub);
    let expected = site.answers("embedded");
    let backup = site.path("backup").to_str().unwrap().to_owned();
    assert_eq!(site.run(&["backup", &backup]).0, 0);
    let said = site.migrated(TO_INFLUX);
    assert!(said.contains("readings of 8 series copied and compared"), "{said}");
    assert!(site.path("data/store-before-migration/state.sqlite").exists() && !site.path("data/store").exists());
    site.same("influxdb", &expected);

    let hub = site.open(StoreKind::Influx);
    assert_eq!(hub.agents.last_durable("gw", BOOT), Some(2));
    let (_, mut last) = fill(&hub, 3, start - 86_400 * NS_PER_SEC).await;
    put(&hub, 4, vec![Reading { series: series(&hub, "new", "here", &[]), time: site.now, value: Value::Bool(true) }]).await;
    for id in &ids[..6] {
        let from = start + i64::from(id.0) * 3600 * NS_PER_SEC;
        hub.queue.delete(&[Delete { series: *id, from, to: from + 9_000 * NS_PER_SEC }]).await.unwrap();
    }
    hub.stop().await;
    drop(hub);
    let expected = site.answers("influxdb");
    let asked = site.influxd.queries();
    let said = site.migrated(TO_EMBEDDED);
    assert!(said.contains("readings of 9 series copied and compared"), "{said}");
    assert_eq!(site.influxd.queries() - asked, 9, "each series is read once");
    assert!(site.path("data/influx-before-migration/forwarded").exists() && !site.path("data/influx").exists());
    site.same("embedded", &expected);
    let (code, stdout, stderr) = site.run(&["check"]);
    assert_eq!((code, stderr.as_str()), (0, ""), "{stdout}");
    // Rows of the new store may have the numbers of the old one's.
    let (code, stdout, stderr) = site.run(&["backup", &backup]);
    let words: Vec<_> = stdout.lines().nth(1).unwrap().split(' ').collect();
    assert!(code == 0 && words[0] == words[2], "all files are copied: {stdout}{stderr}");

    // Readings that are sent again are known; what is gone here is still in the bucket.
    let hub = site.open(StoreKind::Embedded);
    assert_eq!(hub.agents.last_durable("gw", BOOT), Some(4));
    last.retain(|reading| reading.series == ids[7]);
    let mut by_time: BTreeMap<TimeNs, Reading> = last.into_iter().map(|reading| (reading.time, reading)).collect();
    let sent: Vec<_> = std::mem::take(&mut by_time).into_values().collect();
    assert_eq!(put(&hub, 4, sent.clone()).await, (0, sent.len()), "duplicates");
    for id in [ids[1], ids[6]] {
        hub.queue.delete(&[Delete { series: id, from: start, to: start + 86_400 * NS_PER_SEC }]).await.unwrap();
    }
    hub.queue.delete(&[Delete { series: ids[3], from: 0, to: site.now }]).await.unwrap();
    hub.stop().await;
    drop(hub);
    let expected = site.answers("embedded");
    site.migrated(TO_INFLUX);
    assert!(site.path("data/store-before-migration-2/state.sqlite").exists());
    site.same("influxdb", &expected);
    let leftover = "from(bucket: \"b\") |> range(start: -9d) |> filter(fn: (r) => r[\"id:\"] =~ /\\.3$/)";
    assert_eq!(site.influxd.flux(leftover), Vec::<String>::new(), "a series whose readings were all deleted");
}

/// Long texts and numbers: several handovers each way.
async fn fill_much(hub: &Hub, now: TimeNs) {
    let mut rng = fastrand::Rng::with_seed(7);
    let ids: Vec<SeriesId> = (0..12).map(|n| series(hub, "d", &format!("m{n:02}"), &[])).collect();
    for (at, id) in ids.iter().enumerate() {
        let count = if at % 2 == 0 { 25_000 } else { 1_800 };
        let mut value = |n: i64| match at % 2 {
            0 => Value::Float(n as f64 / 8.0),
            _ => Value::Text((0..1_600).map(|_| rng.alphanumeric()).collect::<String>().into()),
        };
        let readings: Vec<_> =
            (0..count).map(|n| Reading { series: *id, time: now - (count - n) * 1_000_000_000, value: value(n) }).collect();
        put(hub, 1 + at as u64, readings).await;
    }
}

/// The note of how far it is, once it is another than this. None: the command has ended.
fn noted(site: &Site, child: &mut Child, before: &[u8]) -> Option<Vec<u8>> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let ended = child.try_wait().unwrap().is_some();
        let text = std::fs::read(site.path("data/migrating/progress")).unwrap_or_default();
        if !text.is_empty() && text != before {
            return Some(text);
        }
        if ended {
            return None;
        }
        assert!(Instant::now() < deadline, "it neither goes on nor ends");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Kills it each time it noted something new, or a little later. How often that was.
fn kill_all_the_way(site: &Site, way: [&str; 4]) -> usize {
    let mut rng = fastrand::Rng::with_seed(11);
    let (mut kills, mut before) = (0, Vec::new());
    loop {
        let mut child = site.command(&["migrate"]).args(way).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let next = noted(site, &mut child, &before);
        if next.is_some() {
            std::thread::sleep(Duration::from_millis(rng.u64(0..30)));
        }
        child.kill().unwrap();
        let status = child.wait().unwrap();
        match next {
            // It was done before the kill.
            Some(_) if status.success() => return kills,
            Some(_) if status.code().is_some() => panic!("it ended by itself: {status}"),
            Some(next) => before = next,
            None => return kills,
        }
        kills += 1;
    }
}

#[tokio::test]
async fn a_run_that_was_killed_goes_on_where_it_was() {
    let site = Site::new();
    let hub = site.open(StoreKind::Embedded);
    fill_much(&hub, site.now).await;
    hub.stop().await;
    drop(hub);
    let expected = site.answers("embedded");
    // A hub may run in between, and what it takes is copied too.
    let mut child = site.command(&["migrate"]).args(TO_INFLUX).stdout(Stdio::null()).spawn().unwrap();
    let first = noted(&site, &mut child, b"").unwrap();
    noted(&site, &mut child, &first).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    site.same("embedded", &expected);
    let hub = site.open(StoreKind::Embedded);
    put(&hub, 99, vec![Reading { series: SeriesId(0), time: site.now, value: Value::Float(0.5) }]).await;
    hub.queue.delete(&[Delete { series: SeriesId(0), from: site.now - 30_000 * NS_PER_SEC, to: site.now - 1 }]).await.unwrap();
    hub.stop().await;
    drop(hub);
    let expected = site.answers("embedded");
    for (way, kind) in [(TO_INFLUX, "influxdb"), (TO_EMBEDDED, "embedded")] {
        let kills = kill_all_the_way(&site, way);
        assert!(kills >= 3, "{kills} kills {way:?}");
        site.same(kind, &expected);
        assert!(!site.path("data/migrating").exists());
    }
}

#[tokio::test]
async fn a_switch_that_was_cut_off_holds_the_hub_up_until_it_is_done() {
    let site = Site::new();
    let hub = site.open(StoreKind::Embedded);
    fill(&hub, 1, site.now - 4 * 86_400 * NS_PER_SEC).await;
    hub.stop().await;
    drop(hub);
    let expected = site.answers("embedded");
    let said = site.migrated(TO_INFLUX);
    let cursor = said.lines().next().unwrap().rsplit_once(' ').unwrap().1;
    let (epoch, position) = cursor.split_once('-').unwrap();
    let (epoch, position) = (u64::from_str_radix(epoch, 16).unwrap(), position.parse::<u64>().unwrap());
    // As it was before the first step of the switch.
    std::fs::rename(site.path("data/store-before-migration"), site.path("data/store")).unwrap();
    std::fs::remove_dir_all(site.path("data/influx")).unwrap();
    std::fs::create_dir(site.path("data/migrating")).unwrap();
    let moves = [["store", "store-before-migration"]];
    let switch = json!({ "to": "influxdb", "epoch": epoch, "position": position, "moves": moves, "made": 1 });
    std::fs::write(site.path("data/migrating/switch"), switch.to_string()).unwrap();
    for arguments in [&["serve", "--listen", "127.0.0.1:0"][..], &["backup", site.path("backup").to_str().unwrap()]] {
        let (code, _, stderr) = site.run(arguments);
        assert!(code == 1 && stderr.contains("a migration is being switched over: run telltale migrate again"), "{stderr}");
    }
    let said = site.migrated(TO_INFLUX);
    assert!(said.starts_with("the readings were copied and compared before"), "{said}");
    assert!(said.contains("data/store-before-migration: remove it"), "{said}");
    site.same("influxdb", &expected);
}

#[tokio::test]
async fn what_cannot_be_migrated_is_refused_and_nothing_is_changed() {
    let mut site = Site::new();
    let refused = |site: &Site, way: [&str; 4], code: i32, part: &str| {
        let (found, stdout, stderr) = site.migrate(way);
        assert!((found, stdout.as_str()) == (code, "") && stderr.contains(part), "{found} {stdout}{stderr}, expected {part}");
    };
    let hub = site.open(StoreKind::Embedded);
    let [old, large] = ["old", "large"].map(|metric| series(&hub, "d", metric, &[("l", "1")]));
    let at = |days: i64, series, value| Reading { series, time: site.now - days * 86_400 * NS_PER_SEC, value };
    put(&hub, 1, vec![at(40, old, Value::Float(1.0)), at(1, large, Value::Int((1 << 53) + 1)), at(2, large, Value::Int(1))]).await;
    hub.stop().await;
    drop(hub);
    let expected = site.answers("embedded");

    refused(&site, ["--from", "embedded", "--to", "embedded"], 64, "--from embedded --to embedded: expected the two kinds");
    refused(&site, ["--from", "embedded", "--to", "influx"], 64, "possible values: embedded, influxdb");
    refused(&site, TO_EMBEDDED, 64, "holds the readings of the store \"embedded\"");
    let running = site.serve("embedded");
    refused(&site, TO_INFLUX, 75, "is in use by another hub");
    running.kill();
    let data = site.path("data").to_str().unwrap().to_owned();
    let mut command = Command::new(env!("CARGO_BIN_EXE_telltale"));
    let output = command.arg("migrate").args(TO_INFLUX).args(["--data-dir", &data]).env_clear().output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(64) && stderr.contains("needs [store.influxdb]"), "{stderr}");
    assert!(!site.path("data/migrating").exists());

    refused(&site, TO_INFLUX, 1, "integers beyond 2^53 would change: d/large{l=\"1\"}");
    let hub = site.open(StoreKind::Embedded);
    hub.queue.delete(&[Delete { series: large, from: site.now - 86_400 * NS_PER_SEC, to: site.now }]).await.unwrap();
    hub.stop().await;
    drop(hub);
    keep(&site.influxd, 30 * 86_400);
    refused(&site, TO_INFLUX, 1, "d/old{l=\"1\"} has one of 20");
    keep(&site.influxd, 60 * 86_400);
    site.influxd.kill();
    refused(&site, TO_INFLUX, 1, "cannot be reached");
    site.influxd.run();
    // A measurement in which another program wrote text into the field.
    let text = format!("old,device=e,id:=x value=\"text\" {}", site.now - 40 * 86_400 * NS_PER_SEC);
    site.influxd.write(&text);
    refused(&site, TO_INFLUX, 1, "InfluxDB refuses a reading of series number 0");
    let (readings, _) = site.answers("embedded");
    assert_eq!(readings.len(), expected.0.len());
    assert!(!site.path("data/influx").exists());
}

/// How long the bucket keeps what it has.
fn keep(influxd: &Influxd, seconds: u64) {
    let url = influxd.config().url;
    let token = format!("Token {TOKEN}");
    let mut answer = ureq::get(format!("{url}api/v2/buckets?name=b")).header("Authorization", &token).call().unwrap();
    let found: Json = serde_json::from_str(&answer.body_mut().read_to_string().unwrap()).unwrap();
    let id = found["buckets"][0]["id"].as_str().unwrap();
    let rules = json!({ "retentionRules": [{ "type": "expire", "everySeconds": seconds }] });
    let request = ureq::patch(format!("{url}api/v2/buckets/{id}")).header("Authorization", &token);
    request.header("Content-Type", "application/json").send(rules.to_string()).unwrap();
}
