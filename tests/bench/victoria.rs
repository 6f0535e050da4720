//! VictoriaMetrics beside the hub: the binary that `TELLTALE_VICTORIA` names (`make bench-store` sets it). Without it, nothing.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::hub;

#[derive(Debug)]
pub(crate) struct Victoria {
    process: Child,
    address: String,
    data: Arc<TempDir>,
}

impl Victoria {
    pub(crate) fn start() -> Option<Self> {
        Self::start_in(hub::data_dir())
    }

    /// `nice` as the hub has it: both inherit it from the bench.
    pub(crate) fn start_in(data: Arc<TempDir>) -> Option<Self> {
        let Some(binary) = std::env::var_os("TELLTALE_VICTORIA") else {
            println!("  VictoriaMetrics is not measured: TELLTALE_VICTORIA names no binary");
            return None;
        };
        let port = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a port is free").port();
        let address = format!("127.0.0.1:{port}");
        let process = Command::new(binary)
            .arg(format!("-storageDataPath={}", data.path().display()))
            .arg(format!("-httpListenAddr={address}"))
            .arg("-retentionPeriod=100y")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("VictoriaMetrics starts");
        let victoria = Self { process, address, data };
        let begun = Instant::now();
        while ureq::get(victoria.url("/health")).call().is_err() {
            assert!(begun.elapsed() < Duration::from_secs(60), "VictoriaMetrics does not answer");
            std::thread::sleep(Duration::from_millis(20));
        }
        Some(victoria)
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Each list over a connection of its own; says how many readings it took.
    pub(crate) fn write(&self, lists: &[Vec<(String, usize)>]) -> usize {
        let url = self.url("/write?precision=ms");
        std::thread::scope(|scope| {
            let senders: Vec<_> = lists.iter().map(|list| scope.spawn(|| post_all(&url, list))).collect();
            senders.into_iter().map(|sender| sender.join().expect("a sender ends well")).sum()
        })
    }

    /// Every point of one series; says how many bytes came.
    pub(crate) fn export(&self, series: &str) -> usize {
        self.get("/api/v1/export", &[("match[]", series)])
    }

    pub(crate) fn get(&self, path: &str, query: &[(&str, &str)]) -> usize {
        let request = query.iter().fold(ureq::get(self.url(path)), |request, (key, value)| request.query(*key, *value));
        whole(path, request).len()
    }

    /// The answer to a path with its query.
    pub(crate) fn read(&self, path: &str) -> Vec<u8> {
        whole(path, ureq::get(self.url(path)))
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// What is in memory goes to the disk.
    pub(crate) fn flush(&self) {
        self.get("/internal/force_flush", &[]);
    }

    pub(crate) fn force_merge(&self) {
        self.flush();
        self.get("/internal/force_merge", &[]);
        hub::wait_until_idle(self.process.id());
    }

    pub(crate) fn cpu_s(&self) -> f64 {
        hub::cpu_s(self.process.id())
    }

    pub(crate) fn rss_peak_mib(&self) -> f64 {
        hub::status_mib(self.process.id(), "VmHWM:")
    }

    pub(crate) fn written_bytes(&self) -> u64 {
        hub::written_bytes(self.process.id())
    }

    /// A clean stop.
    pub(crate) fn stop(mut self) -> Arc<TempDir> {
        let pid = i32::try_from(self.process.id()).ok().and_then(rustix::process::Pid::from_raw).expect("a process has an id");
        rustix::process::kill_process(pid, rustix::process::Signal::INT).expect("VictoriaMetrics can be told to stop");
        self.process.wait().expect("VictoriaMetrics can be waited for");
        Arc::clone(&self.data)
    }
}

impl Drop for Victoria {
    fn drop(&mut self) {
        // It has ended already when it was stopped.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

fn whole(path: &str, request: ureq::RequestBuilder<ureq::typestate::WithoutBody>) -> Vec<u8> {
    let mut answer = request.call().unwrap_or_else(|error| panic!("VictoriaMetrics answers {path}: {error}"));
    answer.body_mut().with_config().limit(1 << 30).read_to_vec().expect("an answer has an end")
}

fn post_all(url: &str, list: &[(String, usize)]) -> usize {
    let agent = ureq::Agent::new_with_defaults();
    for (body, _) in list.iter().filter(|(_, readings)| *readings > 0) {
        agent.post(url).send(body.as_bytes()).expect("VictoriaMetrics takes it");
    }
    list.iter().map(|(_, readings)| readings).sum()
}

/// What it keeps on disk.
pub(crate) fn disk_bytes(data: &Path) -> u64 {
    hub::disk_bytes(data, &[])
}
