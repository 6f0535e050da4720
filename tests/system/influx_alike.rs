//! What users ask over HTTP and live, of a hub with the embedded store and of one with InfluxDB, after the same lines: the answers are the
//! same to the byte, but for what the contract names. `stores.rs` compares the stores below.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};
use telltale::clock::NS_PER_SEC;

use crate::hub::{Hub, token};
use crate::influx::now;
use crate::influxd::{Influxd, TOKEN};
use crate::viewer::Viewer;

const PATIENCE: Duration = Duration::from_secs(60);

/// A data directory of one kind, and the hub on it.
struct Side {
    name: &'static str,
    dir: tempfile::TempDir,
    admin: String,
    hub: Option<Hub>,
}

impl Side {
    fn start(name: &'static str, influxd: Option<&Influxd>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = influxd.map_or_else(String::new, |influxd| {
            let url = influxd.config().url;
            format!("[store]\nkind = \"influxdb\"\n[store.influxdb]\nurl = \"{url}\"\norg = \"o\"\nbucket = \"b\"\ntoken = \"{TOKEN}\"\n")
        });
        std::fs::write(dir.path().join("hub.toml"), store).unwrap();
        let admin = token(dir.path(), &["--role", "admin", "--name", "test"]);
        let mut side = Self { name, dir, admin, hub: None };
        side.run();
        side
    }

    fn run(&mut self) {
        let config = self.dir.path().join("hub.toml");
        let hub = Hub::launch(self.dir.path(), &["--config", config.to_str().unwrap()], &[], self.admin.clone());
        self.hub = Some(hub.unwrap_or_else(|| panic!("{}", log(self.dir.path()))));
    }

    fn hub(&self) -> &Hub {
        self.hub.as_ref().unwrap()
    }

    fn write(&self, lines: &str) {
        let request = ureq::post(format!("http://{}/api/v2/write", self.hub().address));
        assert_eq!(request.header("Authorization", format!("Token {}", self.admin)).send(lines).unwrap().status(), 204);
    }

    /// A clean stop seals the head, so that the store alone has what came before.
    fn restart(&mut self) {
        let deadline = Instant::now() + PATIENCE;
        while self.hub().get("/api/v1/status")["store"]["influxdb"]["backlog_bytes"].as_u64().is_some_and(|bytes| bytes > 0) {
            assert!(Instant::now() < deadline, "{}", self.hub().get("/api/v1/status"));
            std::thread::sleep(Duration::from_millis(20));
        }
        assert_eq!(self.hub.take().unwrap().stop(), Some(0), "{}", log(self.dir.path()));
        self.run();
        assert_eq!(self.hub().get("/api/v1/status")["head_points"], 0);
    }

    /// Status, media type and bytes.
    fn ask(&self, path: &str) -> (u16, String, Vec<u8>) {
        let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
        let request = agent.get(format!("http://{}{path}", self.hub().address)).header("Authorization", format!("Bearer {}", self.admin));
        let mut answer = request.call().unwrap();
        let kind = answer.headers().get("content-type").map_or_else(String::new, |kind| kind.to_str().unwrap().to_owned());
        (answer.status().as_u16(), kind, answer.body_mut().read_to_vec().unwrap())
    }

    /// The first messages of a subscription, as far as they hold points.
    fn snapshot(&self, mut wish: Json) -> BTreeMap<String, Json> {
        let mut viewer = Viewer::connect(&self.hub().address, &self.admin);
        wish["type"] = json!("subscribe");
        wish["id"] = json!("a");
        viewer.say(&wish);
        let mut held = BTreeMap::<String, Json>::new();
        loop {
            let message = viewer.next().expect("a snapshot");
            assert_ne!(message["type"], "error", "{message}");
            for series in message["series"].as_array().into_iter().flatten() {
                let name = format!("{}/{}{}", series["device"], series["metric"], series["labels"]);
                held.insert(name, series["points"].clone());
            }
            if message["type"] == "snapshot" && message["more"] != true {
                return held;
            }
        }
    }
}

fn log(dir: &Path) -> String {
    std::fs::read_to_string(dir.join("hub.log")).unwrap_or_default()
}

/// Every type, odd names, two rooms; counters that are reset; a step of 7 s with gaps.
fn lines(rng: &mut fastrand::Rng, start: i64, from: i64, to: i64) -> String {
    let mut lines = String::new();
    for n in from..to {
        let time = start + n * 7 * NS_PER_SEC;
        for (device, room) in [("a", "hall\\ 1"), ("b", "hall\\ 1"), ("c", "yard\\,2")] {
            if rng.u8(0..9) > 0 {
                let (level, count) = (f64::from(rng.i32(-900..900)) / 8.0, f64::from((n % 300) as i32));
                lines += &format!("room,device={device},room={room} level={level:?},count={count:?} {time}\n");
            }
        }
        if n % 11 == 0 {
            let (open, text) = (rng.bool(), ["off", "on", "", "two\nlines"][rng.usize(0..4)]);
            lines += &format!("door,device=a open={open},says=\"{text}\" {time}\n");
        }
    }
    lines
}

/// Everything that history and its neighbours can be asked; `{s}` and `{e}` are the ends of what there is, in ms. But for `stddev`, whose last
/// digit depends on the runs in which the readings come.
const QUESTIONS: [&str; 41] = [
    "history?select=*/*&from=0s&time=ns",
    "history?select=*/*&from={s}ms&to={e}ms&time=rfc3339&format=csv",
    "history?select=*/*&from={s}ms&to={e}ms&format=ndjson",
    "history?select=*/*&from={s}ms&to={e}ms&format=msgpack",
    "history?select=*/room.*&from={s}ms&to={e}ms&format=parquet",
    "history?select=a/room.level&from={s}ms&to={e}ms&points=40",
    "history?select=*/*&from={s}ms&to={e}ms&points=300&format=csv",
    "history?select=*/room.level&from=-30d&points=7",
    "history?select=*/room.level&from={s}ms&to={e}ms&every=10m&agg=min,max,first,last,count",
    "history?select=*/room.count&from={s}ms&to={e}ms&every=77s&agg=sum,count,increase,rate",
    "history?select=*/room.level&from={s}ms&to={e}ms&every=15m&agg=mean,p50,p90,p99",
    "history?select=*/room.level&from={s}ms&to={e}ms&agg=min,max,count",
    "history?select=*/*&from={s}ms&to={e}ms&every=1h&agg=count,first,last",
    "history?select=a/door.*&from={s}ms&to={e}ms&every=1h&agg=time_in_state",
    "history?select=*/room.level&from={s}ms&to={e}ms&every=3s&agg=max&fill=null",
    "history?select=*/room.level&from={s}ms&to={e}ms&every=3s&agg=max&fill=previous",
    "history?select=*/room.level&from={s}ms&to={e}ms&every=3s&agg=max&fill=linear",
    "history?select=*/room.level&from={s}ms&to={e}ms&every=3s&agg=max&fill=zero",
    "history?select=*/room.level&from={s}ms&to={e}ms&every=1d&tz=Asia/Kathmandu&agg=max,count",
    "history?select=*/room.level&from={s}ms&to={e}ms&every=1w&tz=Europe/Berlin&agg=count",
    "history?select=*/room.level&from={s}ms&to={e}ms&every=1mo&agg=count",
    "history?select=*/room.level&from={s}ms&to={e}ms&every=5m&agg=max&group=max",
    "history?select=*/room.level&from={s}ms&to={e}ms&every=5m&agg=max,count&group=sum&group_by=label.room",
    "history?select=*/room.*&from={s}ms&to={e}ms&every=1h&agg=last&group=min&group_by=metric,label.room&fill=previous",
    "history?select=*/room.count&from={s}ms&to={e}ms&agg=count&group=mean&group_by=device",
    "history?select=*/*{room=\"hall 1\"}&from={s}ms&to={e}ms&agg=count",
    "history?select=nobody/*&from=-1h",
    "history?select=*/*&from=-1h&agg=p50",
    "last?select=*/*",
    "last?select=*/room.level{room=\"yard,2\"}&time=ns",
    "series",
    "complete?prefix=",
    "complete?prefix=a/ro",
    "complete?prefix=*/*{room%3D\"",
    "series/top?by=device",
    "export?select=*/*&from=0s",
    "export?select=*/*&from={s}ms&to={e}ms&format=ndjson",
    "export?select=*/*&from={s}ms&to={e}ms&format=lp",
    "export?select=*/*&from={s}ms&to={e}ms&format=parquet",
    "history?select=*/room.level&from={s}ms&to={e}ms&every=10m&agg=max&format=parquet",
    "history?select=*/room.level&from={s}ms&to={e}ms&every=10m&agg=max&group=max&format=msgpack",
];

/// Receive times and when somebody was seen are of each hub; the embedded store tells them.
fn told(kind: &str, bytes: &[u8]) -> String {
    if !kind.starts_with("application/json") {
        return String::from_utf8_lossy(bytes).into_owned();
    }
    let mut json: Json = serde_json::from_slice(bytes).unwrap();
    for series in json["series"].as_array_mut().into_iter().flatten() {
        for own in ["seen", "changed_seen", "first_seen", "created"] {
            series.as_object_mut().unwrap().remove(own);
        }
    }
    json.to_string()
}

#[tokio::test]
async fn whatever_is_asked_the_answers_are_the_same() {
    let influxd_dir = tempfile::tempdir().unwrap();
    let influxd = Influxd::start(influxd_dir.path());
    let mut sides = [Side::start("embedded", None), Side::start("influx", Some(&influxd))];
    let mut rng = fastrand::Rng::with_seed(9);
    let start = (now() / NS_PER_SEC - 5 * 3600) * NS_PER_SEC;
    let (sealed, recent) = (lines(&mut rng, start, 0, 2_000), lines(&mut rng, start, 1_900, 2_400));
    let late = lines(&mut rng, start, 500, 520);
    for side in &mut sides {
        side.write(&sealed);
        side.restart();
        // In the store alone, then with a front and late ones in memory.
        side.write(&recent);
        side.write(&late);
    }
    let (from, to) = (start / 1_000_000 - 60_000, (start + 2_500 * 7 * NS_PER_SEC) / 1_000_000);
    for question in QUESTIONS {
        let path = format!("/api/v1/{}", question.replace("{s}", &from.to_string()).replace("{e}", &to.to_string()));
        let path = path.replace(' ', "%20").replace('"', "%22").replace('{', "%7B").replace('}', "%7D");
        let [(status, kind, bytes), (other_status, other_kind, other)] = [0, 1].map(|side: usize| sides[side].ask(&path));
        assert_eq!((status, &kind), (other_status, &other_kind), "{question}: {}", String::from_utf8_lossy(&other));
        let (expected, found) = (told(&kind, &bytes), told(&other_kind, &other));
        if expected != found {
            let at = expected.bytes().zip(found.bytes()).take_while(|(a, b)| a == b).count();
            let near = |text: &str| text.chars().skip(at.saturating_sub(80)).take(240).collect::<String>();
            panic!("{question}: at {at}\n{}: {}\n{}: {}", sides[0].name, near(&expected), sides[1].name, near(&found));
        }
        assert!(status == 200 || question.contains("p50") && status == 400, "{question}: {status} {found}");
    }
    let wishes = [
        json!({ "select": ["*/*"] }),
        json!({ "select": ["*/*"], "history": "6h" }),
        json!({ "select": ["*/room.*"], "history": "6h", "points": 50 }),
    ];
    for wish in wishes {
        let [expected, found] = [0, 1].map(|side: usize| sides[side].snapshot(wish.clone()));
        assert!(!expected.is_empty());
        for (name, points) in &expected {
            assert_eq!(Some(points), found.get(name), "{wish}: {name}");
        }
        assert_eq!(found.len(), expected.len());
    }
    // How much there is of each series is told by what stands beside the values in files, which InfluxDB does not give.
    let stats = sides[1].hub().get("/api/v1/series?with=stats&select=a/room.level");
    let stats = &stats["series"][0]["stats"];
    assert!(stats["readings"].is_null() && stats["waiting"].as_u64().unwrap() > 0, "{stats}");
    for side in &mut sides {
        assert_eq!(side.hub.take().unwrap().stop(), Some(0));
    }
}
