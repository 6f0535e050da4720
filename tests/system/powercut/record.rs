//! A recorded run of a hub: its files before, what it did to them, what was sent and acked meanwhile. It is killed, started, stopped
//! and started again, so that recovery and a clean stop are in the record too.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use super::disk::{Disk, State};
use super::event::Event;
use super::load::{self, Batch, Sent, Shared, Texts};
use crate::hub::{self, Hub};

const AGENTS: usize = 3;
/// Of a run at full speed: about 2 MiB of log.
const FAST: usize = 160;
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(super) struct Recording {
    before: Disk,
    pub(super) events: Vec<Event>,
    /// `acked` counts events.
    pub(super) batches: Vec<Batch>,
}

/// How a run ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Kill,
    Stop,
}

/// The shim's library, built if need be.
pub(super) fn shim() -> &'static Path {
    static SHIM: OnceLock<PathBuf> = OnceLock::new();
    SHIM.get_or_init(|| {
        let profile = Path::new(env!("CARGO_BIN_EXE_telltale")).parent().unwrap();
        let target = profile.parent().unwrap();
        let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
        let arguments = ["build", "--quiet", "--locked", "--package", "telltale-shim", "--target-dir"];
        let built = Command::new(cargo).args(arguments).arg(target).current_dir(env!("CARGO_MANIFEST_DIR")).status().unwrap();
        assert!(built.success(), "the shim is not built");
        target.join("debug/libtelltale_shim.so")
    })
}

/// Small bounds: seals, checkpoints and trims come soon.
const SMALL: &str = "[log]\nsegment_bytes = \"1MiB\"\nunsealed_bytes = \"1MiB\"\nkeep_bytes = 0\n[store]\nhead_bytes = \"8MiB\"\n";
/// Seals of about 2 MiB, which are two pieces and more, and merges in pieces of as much.
const LARGE: &str = "[log]\nkeep_bytes = 0\n[store]\nmax_bytes = \"64MiB\"\nreserve_bytes = 0\n";

/// A directory of a hub, the tokens in it, and the shim's settings.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) dir: PathBuf,
    pub(super) data: PathBuf,
    pub(super) record: PathBuf,
    settings: PathBuf,
    admin: String,
    pub(super) agent: String,
}

impl Place {
    pub(super) fn new(dir: &Path) -> Self {
        Self::with(dir, SMALL)
    }

    pub(super) fn for_pieces(dir: &Path) -> Self {
        Self::with(dir, LARGE)
    }

    fn with(dir: &Path, bounds: &str) -> Self {
        let place = Self::without_data(dir, bounds);
        let admin = hub::token(&place.dir, &["--role", "admin", "--name", "test"]);
        let agent = hub::token(&place.dir, &["--role", "agent", "--name", "agents"]);
        Self { admin, agent, ..place }
    }

    /// Around a state that a cut left: the hub finds its tokens in it.
    pub(super) fn around(dir: &Path, state: &State) -> Self {
        let place = Self::without_data(dir, SMALL);
        state.write(&place.data);
        place
    }

    fn without_data(dir: &Path, bounds: &str) -> Self {
        let dir = std::fs::canonicalize(dir).unwrap();
        let settings = dir.join("settings.toml");
        std::fs::write(&settings, bounds).unwrap();
        Self { data: dir.join("data"), record: dir.join("record"), settings, admin: String::new(), agent: String::new(), dir }
    }

    /// None: it ended before it listened.
    pub(super) fn start(&self, more: &[(&str, &str)]) -> Option<Hub> {
        let mut variables = self.variables();
        variables.extend(more);
        Hub::launch(&self.dir, &["--config", self.settings.to_str().unwrap()], &variables, self.admin.clone())
    }

    fn variables(&self) -> Vec<(&str, &str)> {
        let (data, record) = (self.data.to_str().unwrap(), self.record.to_str().unwrap());
        vec![("LD_PRELOAD", shim().to_str().unwrap()), ("TELLTALE_SHIM_DIR", data), ("TELLTALE_SHIM_RECORD", record)]
    }

    /// kill -9 between two calls to files: what was done is recorded.
    pub(super) fn kill(&self, hub: Hub) {
        let record = std::fs::File::options().create(true).append(true).open(&self.record).unwrap();
        record.lock().unwrap();
        hub.kill();
    }

    /// Agents at work.
    pub(super) fn load(&self, hub: &Hub, first: usize, shared: &Shared) -> Vec<tokio::task::JoinHandle<Sent>> {
        let start = |i| tokio::spawn(load::agent(hub.address.clone(), self.agent.clone(), i, first, shared.clone()));
        (0..AGENTS).map(start).collect()
    }

    pub(super) fn shared(&self, fast: usize, most: usize) -> Shared {
        Shared { record: self.record.clone(), fast: Arc::new(fast.into()), most, texts: Texts::Few }
    }

    /// At full speed.
    pub(super) fn of_others(&self, most: usize) -> Shared {
        Shared { texts: Texts::Others, ..self.shared(usize::MAX, most) }
    }

    fn oldest_segment(&self) -> Option<PathBuf> {
        let entries = std::fs::read_dir(self.data.join("log")).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|e| e == "seg")).min()
    }
}

pub(super) async fn record(dir: &Path, skip: Option<&str>) -> Recording {
    let place = Place::new(dir);
    let before = Disk::of(&place.data);
    let skip: Vec<_> = skip.iter().map(|skip| ("TELLTALE_SHIM_SKIP", *skip)).collect();
    let mut batches = Vec::new();
    for (run, end) in [End::Kill, End::Stop, End::Kill].into_iter().enumerate() {
        let hub = place.start(&skip).expect("it starts");
        let agents = place.load(&hub, run * 10_000, &place.shared(FAST, usize::MAX));
        sealed_and_trimmed(&place).await;
        match end {
            End::Kill => place.kill(hub),
            // The agents hear of it meanwhile.
            End::Stop => assert_eq!(tokio::task::spawn_blocking(|| hub.stop()).await.unwrap(), Some(0)),
        }
        for agent in agents {
            batches.extend(agent.await.unwrap().batches);
        }
        // While no hub runs, the last connection to the catalog closes, which moves its WAL into the file.
        hub::token_with(&place.dir, &["--role", "agent", "--name", &format!("run {run}")], &place.variables());
    }
    Recording::new(before, &place.record, batches)
}

/// Waits until a seal has made the segment superfluous that was the oldest.
async fn sealed_and_trimmed(place: &Place) {
    let (began, mut first) = (Instant::now(), None);
    loop {
        let oldest = place.oldest_segment();
        if first.is_some() && oldest.is_some() && oldest != first {
            return;
        }
        first = first.or(oldest);
        assert!(began.elapsed() < PATIENCE, "nothing was sealed; see {}/hub.log", place.dir.display());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

impl Recording {
    pub(super) fn new(before: Disk, record: &Path, mut batches: Vec<Batch>) -> Self {
        let bytes = std::fs::read(record).unwrap();
        let (mut events, mut ends, mut at) = (Vec::new(), Vec::new(), 0);
        while let Some((event, took)) = Event::decode(&bytes[at..]) {
            at += took;
            events.push(event);
            ends.push(at);
        }
        assert_eq!(at, bytes.len(), "the record ends within an event");
        for acked in batches.iter_mut().filter_map(|batch| batch.acked.as_mut()) {
            *acked = ends.partition_point(|end| end <= acked);
        }
        Self { before, events, batches }
    }

    pub(super) fn disk(&self) -> Disk {
        self.before.clone()
    }

    /// Instants for cuts, ascending: half of them anywhere, half where something other than a commit is done.
    pub(super) fn places(&self, rng: &mut fastrand::Rng, count: usize) -> Vec<usize> {
        let rare: Vec<usize> = (0..self.events.len()).filter(|i| !self.events[*i].is_commit()).collect();
        let mut pick = |i: usize| match rng.choice(&rare) {
            Some(rare) if i % 2 == 1 => rare + rng.usize(..2),
            _ => rng.usize(..=self.events.len()),
        };
        let mut places: Vec<_> = (0..count).map(&mut pick).collect();
        places.sort_unstable();
        places
    }

    /// The states say little if the hub did not do all of this.
    pub(super) fn has_everything(&self) {
        let done: BTreeSet<String> = self.events.iter().map(Event::brief).collect();
        let has = |what: &str, of: &str, end: &str| {
            let found = done.iter().any(|brief| brief.starts_with(&format!("{what} {of}")) && brief.ends_with(end));
            assert!(found, "the record has no {what} {of}*{end}: {done:#?}");
        };
        has("write", "log/", ".seg");
        has("allocate", "log/", ".seg");
        has("cut", "log/", ".seg");
        has("unlink", "log/", ".seg");
        has("rename", "log/epoch", "");
        has("sync", "log/", ".seg");
        has("sync dir", "log", "");
        has("write", "catalog.sqlite", "-wal");
        has("write", "catalog.sqlite", ".sqlite");
        has("cut", "store/", "-wal");
        has("sync dir", "store", "");
        let acked = self.batches.iter().filter(|batch| batch.acked.is_some()).count();
        assert!(acked > 100, "{acked} batches acked");
    }
}

impl Event {
    /// What it does to which file.
    pub(super) fn brief(&self) -> String {
        let what = match self {
            Self::Create { .. } => "create",
            Self::Write { .. } => "write",
            Self::SetLen { .. } => "cut",
            Self::Allocate { .. } => "allocate",
            Self::Sync { .. } => "sync",
            Self::SyncFailed { .. } => "sync failed",
            Self::SyncDir { .. } => "sync dir",
            Self::Rename { .. } => "rename",
            Self::Unlink { .. } => "unlink",
            Self::Mkdir { .. } => "mkdir",
            Self::Link { .. } => "link",
        };
        format!("{what} {}", self.path())
    }

    fn is_commit(&self) -> bool {
        matches!(self, Self::Write { path, .. } | Self::Sync { path, .. } if path.ends_with(".seg"))
    }
}
