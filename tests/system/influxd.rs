//! A real influxd of its own: started on a free port, set up, asked, paused and killed by its pid.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value as Json;
use telltale::config::Influx;

use crate::inside::SmallDisk;

pub const TOKEN: &str = "a-token-of-the-test";

pub struct Influxd {
    dir: PathBuf,
    pub disk: Option<SmallDisk>,
    port: u16,
    process: Option<Child>,
    /// Behind TLS, by the files of [`Influxd::secure`].
    is_secure: bool,
}

/// Built by its recipe when it is not there yet.
fn binary() -> PathBuf {
    let recipe = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers/influxd.sh");
    let built = Command::new("bash").arg(&recipe).stderr(Stdio::inherit()).output().unwrap();
    assert!(built.status.success(), "{} could not build influxd; its lines above say why", recipe.display());
    PathBuf::from(String::from_utf8(built.stdout).unwrap().trim())
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

impl Influxd {
    /// Running, with the organisation "o" and the bucket "b".
    pub fn start(dir: &Path) -> Self {
        Self::start_on(dir, None)
    }

    /// On a disk of its own, so large.
    pub fn start_small(dir: &Path, megabytes: u32) -> Self {
        let disk = SmallDisk::make(&dir.join("disk"), megabytes);
        Self::start_on(dir, Some(disk))
    }

    /// Running, with nothing made in it yet.
    pub fn start_new(dir: &Path) -> Self {
        Self::run_on(dir, None)
    }

    fn start_on(dir: &Path, disk: Option<SmallDisk>) -> Self {
        let influxd = Self::run_on(dir, disk);
        let setup = serde_json::json!({ "username": "u", "password": "password1", "org": "o", "bucket": "b", "token": TOKEN });
        ureq::post(&influxd.at("/api/v2/setup")).send(setup.to_string()).unwrap();
        influxd
    }

    fn run_on(dir: &Path, disk: Option<SmallDisk>) -> Self {
        std::fs::create_dir_all(dir).unwrap();
        let mut influxd = Self { dir: dir.to_owned(), disk, port: free_port(), process: None, is_secure: false };
        influxd.run();
        influxd
    }

    pub fn run(&mut self) {
        let log = self.dir.join("log");
        let out = std::fs::File::options().create(true).append(true).open(&log).unwrap();
        let path = |name: &str| self.disk.as_ref().map_or(&self.dir, |disk| &disk.at).join(name);
        let mut command = self.disk.as_ref().map_or_else(|| Command::new(binary()), |disk| disk.command(&binary()));
        command
            .arg("run")
            .arg("--bolt-path")
            .arg(path("bolt"))
            .arg("--engine-path")
            .arg(path("engine"))
            .arg("--sqlite-path")
            .arg(path("sqlite"));
        command.args(["--reporting-disabled", "--http-bind-address", &format!("127.0.0.1:{}", self.port)]);
        if self.is_secure {
            command.arg("--tls-cert").arg(self.dir.join("cert.pem")).arg("--tls-key").arg(self.dir.join("key.pem"));
        }
        self.process = Some(command.stdout(out.try_clone().unwrap()).stderr(out).spawn().unwrap());
        let deadline = Instant::now() + Duration::from_secs(60);
        while !self.answers() {
            assert!(Instant::now() < deadline, "influxd does not answer: {}", log.display());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn answers(&self) -> bool {
        match self.is_secure {
            // Who asks here knows no TLS; the hub does.
            true => std::net::TcpStream::connect(("127.0.0.1", self.port)).is_ok(),
            false => ureq::get(&self.at("/health")).call().is_ok(),
        }
    }

    /// Started anew behind TLS, with a certificate and its key as PEM.
    pub fn secure(&mut self, cert: &str, key: &str) {
        std::fs::write(self.dir.join("cert.pem"), cert).unwrap();
        std::fs::write(self.dir.join("key.pem"), key).unwrap();
        self.is_secure = true;
        self.kill();
        self.run();
    }

    pub fn kill(&mut self) {
        let mut process = self.process.take().unwrap();
        process.kill().unwrap();
        process.wait().unwrap();
    }

    /// Stops it in the middle of whatever it does; `resume` lets it go on.
    pub fn pause(&self) {
        self.signal("STOP");
    }

    pub fn resume(&self) {
        self.signal("CONT");
    }

    pub fn pid(&self) -> u32 {
        self.process.as_ref().unwrap().id()
    }

    fn signal(&self, name: &str) {
        let pid = self.pid().to_string();
        assert!(Command::new("kill").args([&format!("-{name}"), &pid]).status().unwrap().success());
    }

    fn at(&self, path: &str) -> String {
        let scheme = if self.is_secure { "https" } else { "http" };
        format!("{scheme}://127.0.0.1:{}{path}", self.port)
    }

    pub fn config(&self) -> Influx {
        Influx {
            url: self.at("").parse().unwrap(),
            org: "o".to_owned(),
            bucket: "b".to_owned(),
            token: TOKEN.to_owned(),
            ca: None,
            timeout: Duration::from_secs(3),
            backlog_bytes: 4 << 30,
        }
    }

    /// Ids of the bucket "b" and of its organisation.
    fn bucket(&self) -> (Json, Json) {
        let request = ureq::get(&self.at("/api/v2/buckets?name=b")).header("Authorization", &format!("Token {TOKEN}"));
        let found: Json = serde_json::from_reader(request.call().unwrap().body_mut().as_reader()).unwrap();
        (found["buckets"][0]["id"].clone(), found["buckets"][0]["orgID"].clone())
    }

    /// How long the bucket "b" keeps readings from now on; 0: for ever.
    pub fn keep(&self, seconds: u64) {
        // A shard holds no longer than the bucket keeps.
        let shard = if seconds > 0 { 3600 } else { 7 * 86_400 };
        let rules = serde_json::json!([{ "type": "expire", "everySeconds": seconds, "shardGroupDurationSeconds": shard }]);
        let path = format!("/api/v2/buckets/{}", self.bucket().0.as_str().unwrap());
        let request = ureq::patch(&self.at(&path)).header("Authorization", &format!("Token {TOKEN}"));
        request.send(serde_json::json!({ "retentionRules": rules }).to_string()).unwrap();
    }

    pub fn drop_bucket(&self) {
        let path = format!("/api/v2/buckets/{}", self.bucket().0.as_str().unwrap());
        ureq::delete(&self.at(&path)).header("Authorization", &format!("Token {TOKEN}")).call().unwrap();
    }

    /// Another one of the same name.
    pub fn make_bucket(&self, org: &Json) {
        let request = ureq::post(&self.at("/api/v2/buckets")).header("Authorization", &format!("Token {TOKEN}"));
        request.send(serde_json::json!({ "orgID": org, "name": "b" }).to_string()).unwrap();
    }

    pub fn org(&self) -> Json {
        self.bucket().1
    }

    /// For the bucket "b": "read", "write".
    pub fn token_that_may(&self, actions: &[&str]) -> String {
        let (id, org) = self.bucket();
        let may = |action: &&str| serde_json::json!({ "action": action, "resource": { "type": "buckets", "id": id, "orgID": org } });
        let wish = serde_json::json!({ "orgID": org, "permissions": actions.iter().map(may).collect::<Vec<_>>() });
        let request = ureq::post(&self.at("/api/v2/authorizations")).header("Authorization", &format!("Token {TOKEN}"));
        let made: Json = serde_json::from_reader(request.send(wish.to_string()).unwrap().body_mut().as_reader()).unwrap();
        made["token"].as_str().unwrap().to_owned()
    }

    /// Questions of Flux that it was asked so far.
    pub fn queries(&self) -> u64 {
        self.requests("/api/v2/query")
    }

    pub fn requests(&self, path: &str) -> u64 {
        let text = ureq::get(&self.at("/metrics")).call().unwrap().body_mut().read_to_string().unwrap();
        let path = format!("path=\"{path}\"");
        let counted = text.lines().filter(|line| line.starts_with("http_api_requests_total") && line.contains(&path));
        counted.map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()).sum()
    }

    pub fn write(&self, line: &str) {
        let request = ureq::post(&self.at("/api/v2/write?org=o&bucket=b")).header("Authorization", &format!("Token {TOKEN}"));
        request.send(line).unwrap();
    }

    /// Lines of CSV that a query of Flux answers.
    pub fn flux(&self, query: &str) -> Vec<String> {
        let request = ureq::post(&self.at("/api/v2/query?org=o")).header("Authorization", &format!("Token {TOKEN}"));
        let mut answer = request.header("Content-Type", "application/vnd.flux").send(query).unwrap();
        let text = answer.body_mut().read_to_string().unwrap();
        text.lines().map(str::trim_end).filter(|line| !line.is_empty()).map(str::to_owned).collect()
    }
}

impl Drop for Influxd {
    fn drop(&mut self) {
        if self.process.is_some() {
            self.kill();
        }
    }
}
