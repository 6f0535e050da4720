//! A hub as its users run it: the built program, its own data directory, a free port. Killed when dropped.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};
use serde_json::Value as Json;

/// Nothing here takes this long; a test that waits longer has found a bug.
const PATIENCE: Duration = Duration::from_secs(30);

pub struct Hub {
    child: Child,
    /// `127.0.0.1:PORT`
    pub address: String,
    dir: PathBuf,
    pub admin: String,
}

impl Hub {
    pub fn start(dir: &Path) -> Self {
        Self::start_with(dir, &[])
    }

    pub fn start_with(dir: &Path, arguments: &[&str]) -> Self {
        let admin = token(dir, &["--role", "admin", "--name", "test"]);
        Self::launch(dir, arguments, &[], admin)
            .unwrap_or_else(|| panic!("the hub ended before it listened; see {}/hub.log", dir.display()))
    }

    /// With these variables, for whoever has a token already. None: it ended before it listened.
    pub fn launch(dir: &Path, arguments: &[&str], variables: &[(&str, &str)], admin: String) -> Option<Self> {
        let log = std::fs::File::options().create(true).append(true).open(dir.join("hub.log")).unwrap();
        let mut child = program(dir, &["serve", "--listen", "127.0.0.1:0"])
            .args(arguments)
            .envs(variables.iter().copied())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .expect("the hub starts");
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let address = loop {
            let Some(line) = lines.next() else {
                child.wait().unwrap();
                return None;
            };
            if let Some(url) = line.unwrap().strip_prefix("listening on http://") {
                break url.to_owned();
            }
        };
        // The pipe must be read to its end, or a later line would stop the hub.
        std::thread::spawn(move || lines.for_each(drop));
        Some(Self { child, address, dir: dir.to_path_buf(), admin })
    }

    pub fn token(&self, arguments: &[&str]) -> String {
        token(&self.dir, arguments)
    }

    pub fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// kill -9, and wait until the process is gone.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM; the exit code.
    pub fn stop(self) -> Option<i32> {
        rustix::process::kill_process(self.pid(), Signal::TERM).unwrap();
        self.ended()
    }

    /// The exit code of a hub that ends by itself.
    pub fn ended(mut self) -> Option<i32> {
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            assert!(began.elapsed() < PATIENCE, "the hub did not stop");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    pub fn get(&self, path: &str) -> Json {
        let (status, text) = self.ask(path);
        assert_eq!(status, 200, "{path}: {text}");
        serde_json::from_str(&text).unwrap_or_else(|e| panic!("{path}: {e}: {text}"))
    }

    pub fn ask(&self, path: &str) -> (u16, String) {
        let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
        let request = agent.get(format!("http://{}{path}", self.address)).header("Authorization", format!("Bearer {}", self.admin));
        let mut response = request.call().unwrap_or_else(|e| panic!("{path}: {e}"));
        (response.status().as_u16(), response.body_mut().with_config().limit(1 << 30).read_to_string().unwrap())
    }

    /// Every point of a selection in time order: (series text, nanoseconds, value).
    pub fn history(&self, select: &str) -> Vec<(String, i64, Json)> {
        let answer = self.get(&format!("/api/v1/history?select={select}&from=0s&time=ns"));
        let mut points = Vec::new();
        for series in answer["series"].as_array().unwrap() {
            let name = format!("{}/{}", series["device"].as_str().unwrap(), series["metric"].as_str().unwrap());
            for point in series["points"].as_array().unwrap() {
                points.push((name.clone(), point[0].as_i64().unwrap(), point[1].clone()));
            }
        }
        points
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        // Already gone after `stop` and `kill`; an error says just that.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn program(dir: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_telltale"));
    command.args(arguments).arg("--data-dir").arg(dir.join("data")).env_clear();
    command
}

pub fn token(dir: &Path, arguments: &[&str]) -> String {
    token_with(dir, arguments, &[])
}

pub fn token_with(dir: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> String {
    let output = program(dir, &["token", "create"]).args(arguments).envs(variables.iter().copied()).output().unwrap();
    assert!(output.status.success(), "token create: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}
