//! The client that programs use: readings go in, the hub has them at last. The work is done by one task (`runner.rs`)
//! around the pure `session.rs`; between them stands the spool.
//!
//! Invariant: no queue but the spool. `push` writes to it and returns, whatever the network does.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

use crate::backoff::Backoff;
use crate::clock::{WallClock, system_clock};
use crate::connect::Dialer;
use crate::error::ConnectError;
use crate::reading::{Reading, Value};
use crate::runner::{Runner, Stop};
use crate::session::Session;
use crate::spool::codec::Batch;
use crate::spool::{Spool, SpoolError, WhenFull};

/// Readings of one batch. A bigger push is cut into several batches.
pub const BATCH_READINGS_MAX: usize = 5_000;
/// Bytes of names and texts after which a batch is cut.
const BATCH_TEXT_BYTES: usize = 256 << 10;

/// How to reach the hub, who we are, and where the spool is.
#[derive(Debug, Clone)]
pub struct Config {
    /// `ws://HOST:PORT` or `wss://HOST:PORT`; without a path the hub's ingest path is taken.
    pub url: String,
    pub token: Option<Token>,
    /// Certificates to trust instead of the system's, in PEM; read at each connect.
    pub ca_file: Option<PathBuf>,
    /// The name of this agent, the same over restarts.
    pub agent_id: String,
    /// Name and version of the program, for the hub's list of agents.
    pub program: String,
    /// Attributes of the gateway that the agent runs on.
    pub attributes: Vec<(String, String)>,
    /// Directory of the spool; made when missing; one agent each.
    pub spool_dir: PathBuf,
    pub spool_bytes_max: u64,
    pub when_full: WhenFull,
    /// How often what was pushed is synced to the disk; zero: before each push returns. A killed process loses nothing
    /// either way; a power cut loses at most what came since the last sync.
    pub sync_every: Duration,
    pub clock: WallClock,
    /// Seeds waits and the boot id; `None` draws one.
    pub seed: Option<u64>,
}

impl Config {
    /// The defaults: no token, system roots, a spool of 1 GiB that drops the oldest, a sync each second.
    #[must_use]
    pub fn new(url: impl Into<String>, agent_id: impl Into<String>, spool_dir: impl Into<PathBuf>) -> Config {
        Config {
            url: url.into(),
            token: None,
            ca_file: None,
            agent_id: agent_id.into(),
            program: concat!("telltale-sdk ", env!("CARGO_PKG_VERSION")).to_owned(),
            attributes: Vec::new(),
            spool_dir: spool_dir.into(),
            spool_bytes_max: 1 << 30,
            when_full: WhenFull::DropOldest,
            sync_every: Duration::from_secs(1),
            clock: system_clock,
            seed: None,
        }
    }
}

/// The agent's token. It is never printed.
#[derive(Clone)]
pub enum Token {
    Text(String),
    /// A file with the token alone, read anew at each connect.
    File(PathBuf),
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Token::Text(_) => f.write_str("Token::Text(..)"),
            Token::File(path) => f.debug_tuple("Token::File").field(path).finish(),
        }
    }
}

impl Token {
    pub(crate) fn read(&self) -> Result<String, ConnectError> {
        match self {
            Token::Text(text) => Ok(text.trim().to_owned()),
            Token::File(path) => read_token(path),
        }
    }
}

fn read_token(path: &Path) -> Result<String, ConnectError> {
    let bad = |reason: String| ConnectError::TokenFile { path: path.to_owned(), reason };
    let text = std::fs::read_to_string(path).map_err(|error| bad(error.to_string()))?;
    match text.trim() {
        "" => Err(bad("it is empty".to_owned())),
        token if token.contains(char::is_whitespace) => Err(bad("it holds more than a token".to_owned())),
        token => Ok(token.to_owned()),
    }
}

/// Opening a client failed. Nothing is tried again: something has to be changed first.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error(transparent)]
    Spool(#[from] SpoolError),
    #[error(transparent)]
    Connect(#[from] ConnectError),
}

/// What the client did since it was opened, and what is left to do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stats {
    pub connected: bool,
    /// Connections that reached the hub's welcome.
    pub connects: u64,
    /// Why there is no connection, if there is none.
    pub last_error: Option<String>,
    /// Readings written to the spool by `push`.
    pub pushed: u64,
    /// Readings that the hub stored, and those it had already.
    pub stored: u64,
    pub duplicate: u64,
    /// Readings that the hub refused for good.
    pub rejected: u64,
    /// Times that a reading was refused for now and kept to be sent again.
    pub kept: u64,
    /// Readings dropped because the spool was full, and those refused for it.
    pub dropped: u64,
    pub refused: u64,
    /// Readings lost because the spool could not be read back.
    pub unreadable: u64,
    /// Failed writes of marks and failed syncs of the spool.
    pub spool_failures: u64,
    /// Readings in the spool that the hub has not acked.
    pub unsent: u64,
    pub spool_bytes: u64,
}

/// What was left when the client was closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Closed {
    /// Readings that stay in the spool for the next run.
    pub unsent: u64,
}

/// A connection to a hub that comes back by itself, over a spool on disk.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
/// use telltale_sdk::{Client, Config, Kind, Reading, Token};
///
/// let mut config = Config::new("ws://127.0.0.1:8080", "gateway-17", "/var/lib/gateway/spool");
/// config.token = Some(Token::File("/etc/gateway/token".into()));
/// let client = Client::open(config)?;
/// client.push(vec![
///     Reading::new("pump-1", "temperature", 21.5).unit("°C"),
///     Reading::new("pump-1", "turns", 4_711).kind(Kind::Counter).label("axis", "x"),
/// ])?;
/// client.close(Duration::from_secs(5)).await;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Client {
    shared: Arc<Shared>,
    sync_each_push: bool,
    stop: watch::Sender<Stop>,
    /// `None` once closed.
    task: Option<JoinHandle<()>>,
}

/// What `push` and the task share. Locks: `syncing` before `spool` before `stats`, none over an await.
#[derive(Debug)]
pub(crate) struct Shared {
    spool: Mutex<Spool>,
    stats: Mutex<Stats>,
    /// Held by who syncs: who finds nothing to sync then knows that it is synced, not that somebody is about to.
    syncing: Mutex<()>,
    /// The spool has something new.
    pub(crate) pushed: Notify,
    pub(crate) clock: WallClock,
}

impl Client {
    /// Opens the spool and starts connecting. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// The spool cannot be opened, or the URL makes no sense.
    pub fn open(config: Config) -> Result<Client, OpenError> {
        let dialer = Dialer::new(&config.url, config.token.clone(), config.ca_file.clone())?;
        let mut random = config.seed.map_or_else(fastrand::Rng::new, fastrand::Rng::with_seed);
        let (spool, found) = Spool::open(&config.spool_dir, config.spool_bytes_max, config.when_full, random.u64(..))?;
        if spool.readings() > 0 {
            tracing::info!(readings = spool.readings(), "spool holds readings of an earlier run");
        }
        let found = found.into_iter().map(|found| (found.batch, found.seq));
        let session = Session::new(Instant::now(), Backoff::new(random.fork()), spool.next_seq(), found);
        let shared = Arc::new(Shared::new(spool, config.clock));
        let (stop, stopped) = watch::channel(Stop::No);
        let sync_each_push = config.sync_every.is_zero();
        let runner = Runner::new(Arc::clone(&shared), session, dialer, config, stopped);
        Ok(Client { shared, sync_each_push, stop, task: Some(tokio::spawn(runner.run())) })
    }

    /// Writes readings to the spool. When it returns, they survive the end of this process, however it ends.
    ///
    /// # Errors
    /// The spool is full and set to refuse, or its disk fails. What of a big push was written before stays written.
    pub fn push(&self, readings: Vec<Reading>) -> Result<(), SpoolError> {
        let now_ns = (self.shared.clock)();
        let mut result = Ok(());
        for part in cut(readings) {
            let count = part.len() as u64;
            let batch = Batch::from_readings(part, now_ns);
            // The rest is tried also after a failure: what is refused has to be counted.
            match self.shared.spool().append(&batch) {
                Ok(_) => self.shared.stats().pushed += count,
                Err(error) => result = Err(error),
            }
        }
        if self.sync_each_push {
            self.shared.sync().map_err(|source| self.shared.spool().io_error(source))?;
        }
        self.shared.pushed.notify_one();
        result
    }

    #[must_use]
    pub fn stats(&self) -> Stats {
        let spool = self.shared.spool();
        let counters = spool.counters();
        Stats {
            dropped: counters.dropped_readings,
            refused: counters.refused_readings,
            unsent: spool.readings(),
            spool_bytes: spool.bytes(),
            ..self.shared.stats().clone()
        }
    }

    /// Sends what is there, waits for its acks until the deadline, and ends. What is not acked stays in the spool.
    pub async fn close(mut self, deadline: Duration) -> Closed {
        self.stop.send_replace(Stop::By(Instant::now() + deadline));
        if let Some(task) = self.task.take()
            && let Err(error) = task.await
        {
            tracing::error!(%error, "the client's task failed");
        }
        Closed { unsent: self.shared.spool().readings() }
    }
}

impl Drop for Client {
    /// Without `close`, the task ends soon; the spool keeps what was not acked, and is free for another client then.
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

impl Shared {
    fn new(spool: Spool, clock: WallClock) -> Shared {
        Shared { spool: Mutex::new(spool), stats: Mutex::default(), syncing: Mutex::default(), pushed: Notify::new(), clock }
    }

    /// Waits until all that was written before is on disk.
    pub(crate) fn sync(&self) -> io::Result<()> {
        let _one = self.syncing.lock().unwrap_or_else(PoisonError::into_inner);
        let unsynced = self.spool().take_unsynced();
        unsynced.map_or(Ok(()), |unsynced| unsynced.sync())
    }

    /// A panic while the lock was held leaves the spool as it was: each of its writes is whole or taken back.
    pub(crate) fn spool(&self) -> MutexGuard<'_, Spool> {
        self.spool.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn stats(&self) -> MutexGuard<'_, Stats> {
        self.stats.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Cuts a push into batches that a hub with default limits takes.
fn cut(readings: Vec<Reading>) -> Vec<Vec<Reading>> {
    let mut parts = Vec::new();
    let mut part = Vec::new();
    let mut bytes = 0;
    for reading in readings {
        let added = text_bytes(&reading);
        if !part.is_empty() && (part.len() >= BATCH_READINGS_MAX || bytes + added > BATCH_TEXT_BYTES) {
            parts.push(std::mem::take(&mut part));
            bytes = 0;
        }
        bytes += added;
        part.push(reading);
    }
    if !part.is_empty() {
        parts.push(part);
    }
    parts
}

/// Only text values repeat in a frame; names are counted as if each reading brought new ones when there are labels.
fn text_bytes(reading: &Reading) -> usize {
    let value = if let Value::Text(text) = &reading.value { text.len() } else { 0 };
    let labels: usize = reading.labels.iter().map(|(name, value)| name.len() + value.len()).sum();
    value + labels
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    static HANGS: Mutex<()> = Mutex::new(());

    /// With a sync for each push, one that comes while another is synced may find its bytes taken: they are not on disk yet.
    #[test]
    fn who_finds_nothing_to_sync_waits_for_who_took_it() {
        let dir = tempfile::tempdir().unwrap();
        let (mut spool, _) = Spool::open(dir.path(), 1 << 20, WhenFull::DropOldest, 1).unwrap();
        spool.set_sync_dir(|_| {
            drop(HANGS.lock().unwrap());
            Ok(())
        });
        spool.append(&Batch::from_readings(vec![Reading::new("d", "m", 1_i64).at(1)], 0)).unwrap();
        let shared = Shared::new(spool, system_clock);
        std::thread::scope(|scope| {
            let hangs = HANGS.lock().unwrap();
            scope.spawn(|| shared.sync().unwrap());
            while shared.spool().has_unsynced() {
                std::thread::yield_now();
            }
            let (done, heard) = mpsc::sync_channel(1);
            let shared = &shared;
            scope.spawn(move || done.send(shared.sync().is_ok()).unwrap());
            assert_eq!(heard.recv_timeout(Duration::from_millis(100)), Err(mpsc::RecvTimeoutError::Timeout));
            drop(hangs);
            assert_eq!(heard.recv(), Ok(true));
        });
    }
}
