//! The hub under measurement: a child process on a free port with an empty data directory, gone when dropped.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

#[derive(Debug)]
pub(crate) struct Hub {
    process: Child,
    pub(crate) address: String,
    data: TempDir,
}

impl Hub {
    pub(crate) fn start() -> Self {
        let data = tempfile::tempdir().expect("a temporary folder can be made");
        let mut process = Command::new(binary())
            .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(data.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the hub's binary starts");
        let stdout = process.stdout.take().expect("stdout is piped");
        let mut lines = BufReader::new(stdout).lines().map(|line| line.expect("the hub prints text"));
        let address =
            lines.find_map(|line| line.strip_prefix("listening on http://").map(ToOwned::to_owned)).expect("the hub says where it listens");
        Self { process, address, data }
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

    /// CPU seconds that the hub has used, in user and in system.
    pub(crate) fn cpu_s(&self) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.process.id())).expect("the hub runs");
        let after_name = stat.rsplit_once(')').expect("the name is in brackets").1;
        let ticks: u64 = after_name.split_whitespace().skip(11).take(2).map(|n| n.parse::<u64>().expect("a count of ticks")).sum();
        ticks as f64 / 100.0
    }

    /// Resident memory in MiB.
    pub(crate) fn rss_mib(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).expect("the hub runs");
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("Linux says VmRSS");
        line.split_whitespace().nth(1).expect("a number of KiB").parse::<f64>().expect("a number of KiB") / 1024.0
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        self.process.kill().expect("the hub can be killed");
        self.process.wait().expect("the hub can be waited for");
    }
}

fn binary() -> PathBuf {
    std::env::var_os("TELLTALE_BIN").map_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_telltale")), PathBuf::from)
}
