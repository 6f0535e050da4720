//! The hub under measurement: a child process on a free port. Its data directory may outlive it, for another start.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tempfile::TempDir;

#[derive(Debug)]
pub(crate) struct Hub {
    pub(crate) process: Child,
    pub(crate) address: String,
    pub(crate) data: Arc<TempDir>,
    /// From the start of the process until it said where it listens.
    pub(crate) opened_in: Duration,
    /// What it prints after that.
    pub(crate) stdout: Option<BufReader<ChildStdout>>,
}

impl Hub {
    pub(crate) fn start() -> Self {
        Self::start_in(data_dir(), &[])
    }

    /// With settings as variables, such as `("STORE__HEAD_BYTES", "64MiB")`.
    pub(crate) fn start_in(data: Arc<TempDir>, settings: &[(&str, &str)]) -> Self {
        let mut command = Command::new(binary());
        command.args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]).arg(data.path());
        Self::spawn(command, data, settings)
    }

    /// Any command that prints the hub's address; what it logs is kept in `stderr` in the data directory.
    pub(crate) fn spawn(mut command: Command, data: Arc<TempDir>, settings: &[(&str, &str)]) -> Self {
        let began = Instant::now();
        let log = File::options().create(true).append(true).open(data.path().join("stderr")).expect("the folder takes a file");
        let mut process = command
            .envs(settings.iter().map(|(key, value)| (format!("TELLTALE_{key}"), value)))
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .expect("the hub's binary starts");
        let mut stdout = BufReader::new(process.stdout.take().expect("stdout is piped"));
        let mut lines = stdout.by_ref().lines().map(|line| line.expect("the hub prints text"));
        let address =
            lines.find_map(|line| line.strip_prefix("listening on http://").map(ToOwned::to_owned)).expect("the hub says where it listens");
        Self { process, address, data, opened_in: began.elapsed(), stdout: Some(stdout) }
    }

    pub(crate) fn token(&self, role: &str) -> String {
        let made = Command::new(binary())
            .args(["token", "create", "--role", role, "--data-dir"])
            .arg(self.data.path())
            .output()
            .expect("the hub's binary starts");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        String::from_utf8(made.stdout).expect("a token is text").trim().to_owned()
    }

    pub(crate) fn cpu_s(&self) -> f64 {
        cpu_s(self.process.id())
    }

    pub(crate) fn rss_mib(&self) -> f64 {
        status_mib(self.process.id(), "VmRSS:")
    }

    pub(crate) fn rss_peak_mib(&self) -> f64 {
        status_mib(self.process.id(), "VmHWM:")
    }

    pub(crate) fn written_bytes(&self) -> u64 {
        written_bytes(self.process.id())
    }

    /// One of the hub's own counters.
    pub(crate) fn metric(&self, name: &str) -> u64 {
        let mut answer = ureq::get(format!("http://{}/metrics", self.address)).call().expect("the hub answers");
        let text = answer.body_mut().read_to_string().expect("metrics are text");
        let line = text.lines().find_map(|line| line.strip_prefix(&format!("telltale_{name} ")));
        line.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("a metric {name}"))
    }

    /// Waits until the hub uses almost no CPU, as when the store's own work is done.
    pub(crate) fn wait_until_idle(&self) {
        wait_until_idle(self.process.id());
    }

    /// A clean stop; what is sealed by then is on disk.
    pub(crate) fn stop(mut self) -> Arc<TempDir> {
        let pid = i32::try_from(self.process.id()).ok().and_then(rustix::process::Pid::from_raw).expect("a process has an id");
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("the hub can be told to stop");
        self.process.wait().expect("the hub can be waited for");
        Arc::clone(&self.data)
    }

    /// As by a power cut, as far as a process can see one.
    pub(crate) fn kill(mut self) -> Arc<TempDir> {
        self.process.kill().expect("the hub can be killed");
        self.process.wait().expect("the hub can be waited for");
        Arc::clone(&self.data)
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        // It has ended already when it was stopped.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

pub(crate) fn data_dir() -> Arc<TempDir> {
    Arc::new(tempfile::tempdir().expect("a temporary folder can be made"))
}

/// CPU seconds that a process has used, in user and in system.
pub(crate) fn cpu_s(pid: u32) -> f64 {
    ticks(&std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("the process runs")).1
}

/// The same by the names of its threads.
pub(crate) fn cpu_s_by_thread(pid: u32) -> BTreeMap<String, f64> {
    let mut all = BTreeMap::new();
    for task in std::fs::read_dir(format!("/proc/{pid}/task")).expect("the process runs").flatten() {
        // A thread may end in between.
        let Ok(stat) = std::fs::read_to_string(task.path().join("stat")) else { continue };
        let (name, seconds) = ticks(&stat);
        *all.entry(name).or_default() += seconds;
    }
    all
}

fn ticks(stat: &str) -> (String, f64) {
    let (before, after) = stat.rsplit_once(')').expect("the name is in brackets");
    let name = before.split_once('(').expect("the name is in brackets").1;
    let ticks: u64 = after.split_whitespace().skip(11).take(2).map(|n| n.parse::<u64>().expect("a count of ticks")).sum();
    (name.to_owned(), ticks as f64 / 100.0)
}

pub(crate) fn status_mib(pid: u32, key: &str) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("the process runs");
    let line = status.lines().find(|line| line.starts_with(key)).expect("Linux says it");
    line.split_whitespace().nth(1).and_then(|kib| kib.parse::<f64>().ok()).expect("a number of KiB") / 1024.0
}

/// What a process had the kernel write to the disk, whether it is there yet or not.
pub(crate) fn written_bytes(pid: u32) -> u64 {
    let io = std::fs::read_to_string(format!("/proc/{pid}/io")).expect("the process runs");
    io.lines().find_map(|line| line.strip_prefix("write_bytes: ")?.parse().ok()).expect("Linux counts bytes written")
}

pub(crate) fn wait_until_idle(pid: u32) {
    let mut quiet = 0;
    while quiet < 4 {
        let before = cpu_s(pid);
        std::thread::sleep(Duration::from_millis(500));
        quiet = if cpu_s(pid) - before < 0.03 { quiet + 1 } else { 0 };
    }
}

/// What a folder takes on disk, without the entries of these names at its top.
pub(crate) fn disk_bytes(dir: &Path, without: &[&str]) -> u64 {
    let mut bytes = 0;
    for entry in std::fs::read_dir(dir).expect("the folder is there").flatten() {
        if without.iter().any(|name| entry.file_name() == *name) {
            continue;
        }
        let about = entry.metadata().expect("the entry is there");
        bytes += if about.is_dir() { disk_bytes(&entry.path(), &[]) } else { about.blocks() * 512 };
    }
    bytes
}

fn binary() -> PathBuf {
    std::env::var_os("TELLTALE_BIN").map_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_telltale")), PathBuf::from)
}
