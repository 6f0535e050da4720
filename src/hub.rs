//! The shared state of a running hub: what every socket, request and task is given. Opening it takes the data directory's lock,
//! reads the log back and starts the writer; nothing here listens on a port.

pub mod describe;
pub mod disk;
mod replay;
mod store;

use std::fs::{DirBuilder, File, TryLockError};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use replay::Replay;
use telltale_wire::BatchCode;
use tokio::sync::{Semaphore, watch};

use crate::auth::Auth;
use crate::catalog::devices::Devices;
use crate::catalog::sealed::LastSeal;
use crate::catalog::{Catalog, CatalogError};
use crate::clock::Clock;
use crate::config::{Config, DeviceRule};
use crate::full;
use crate::growth::Growth;
use crate::head::Head;
use crate::health::Health;
use crate::ingest;
use crate::ingest::agents::Agents;
use crate::ingest::line_protocol::senders::Senders;
use crate::ingest::queue::Queue;
use crate::ingest::refusals::Refusals;
use crate::ingest::writer;
use crate::limits::{GROUPED_ANSWERS, HISTORY_ANSWERS, SEAL_EVERY, TAIL_BYTES};
use crate::live::Live;
use crate::live::engine;
use crate::live::presence::Presence;
use crate::log::files::{FileLog, Opened};
use crate::log::recovery::{OpenError, Recovered};
use crate::log::tail::Tail;
use crate::log::{Keep, LogRead};
use crate::metrics::Metrics;
use crate::model::TimeNs;
use crate::query::selector::{Attributes, Glob};
use crate::retention::Retention;
use crate::seal::{self, Pressure, Sealer};
use crate::series::SeriesTable;
use crate::store::embedded::DIR_NAME;
use crate::store::{Store, StoreError};
use crate::tools::{SWITCHING, restore};
use crate::ws;

pub struct Hub {
    pub config: Config,
    pub clock: Clock,
    pub started: TimeNs,
    pub auth: Arc<Auth>,
    /// Names, notes and attributes of devices.
    pub devices: Arc<Devices>,
    pub series: Arc<SeriesTable>,
    pub head: Arc<Head>,
    pub tail: Arc<Tail>,
    pub log: Arc<dyn LogRead>,
    /// Sealed history behind the head.
    pub store: Arc<dyn Store>,
    pub retention: Arc<Retention>,
    pub pressure: Arc<Pressure>,
    pub queue: Queue,
    sealer: Arc<Sealer>,
    following: Arc<store::Following>,
    /// When it is InfluxDB.
    #[cfg(feature = "influxdb")]
    pub influx: Option<Arc<crate::store::influx::InfluxStore>>,
    /// What every way in shares.
    pub door: Arc<ingest::session::Door>,
    /// Every open WebSocket.
    pub sockets: Arc<ws::Registry>,
    /// Followers of the commits, and who brings which device.
    pub live: Live,
    pub presence: Arc<Presence>,
    pub agents: Arc<Agents>,
    pub health: Arc<Health>,
    pub refusals: Arc<Refusals>,
    /// Who writes line protocol.
    pub senders: Senders,
    pub metrics: Arc<Metrics>,
    /// How many readings were stored by when.
    pub growth: Growth,
    /// Places for long answers that are being written.
    pub long_answers: Arc<Semaphore>,
    /// Besides, for those of them that put series together.
    pub grouped_answers: Arc<Semaphore>,
    /// One place: a check or a backup reads everything, and two would only slow each other down.
    pub tasks: Arc<Semaphore>,
    pub recovered: Recovered,
    /// True from the moment the hub begins to stop: sockets say goodbye.
    pub stopping: watch::Sender<bool>,
    _lock: File,
}

impl std::fmt::Debug for Hub {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hub").field("data", &self.config.data.dir).field("recovered", &self.recovered).finish_non_exhaustive()
    }
}

#[derive(Debug, thiserror::Error)]
pub enum OpenHubError {
    #[error("{} is in use by another hub", dir.display())]
    InUse { dir: PathBuf },
    #[error("{} holds a restore that was cut off: restore it again", dir.display())]
    Restoring { dir: PathBuf },
    #[error("{}: a migration is being switched over: run telltale migrate again", dir.display())]
    Migrating { dir: PathBuf },
    #[error("cannot {what} {}", path.display())]
    Io {
        what: &'static str,
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error(transparent)]
    Log(#[from] OpenError),
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("{} holds the readings of the store \"{kind}\": set [store] kind = \"{kind}\", or choose another data directory", dir.display())]
    OtherStore { dir: PathBuf, kind: &'static str },
    #[cfg(feature = "influxdb")]
    #[error(transparent)]
    Influx(#[from] crate::store::influx::OpenInfluxError),
}

fn io_error(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> OpenHubError {
    let path = path.to_path_buf();
    move |source| OpenHubError::Io { what, path, source }
}

impl Hub {
    /// Opens the data directory and everything in it. Blocks while the log is read back.
    pub fn open(config: Config, clock: Clock) -> Result<Self, OpenHubError> {
        let config = config.fitted();
        let dir = config.data.dir.clone();
        let lock = lock(&dir)?;
        if dir.join(restore::MARKER).exists() {
            return Err(OpenHubError::Restoring { dir });
        }
        if dir.join(SWITCHING).exists() {
            return Err(OpenHubError::Migrating { dir });
        }
        let catalog = Arc::new(Catalog::open(&dir)?);
        let auth = Arc::new(Auth::open(Arc::clone(&catalog), clock.clone())?);
        let devices = Arc::new(Devices::load(Arc::clone(&catalog))?);
        let series = Arc::new(SeriesTable::new(config.limits.series_per_token, config.limits.series_per_hub));
        let head = Arc::new(Head::default());
        let agents = Arc::new(Agents::default());
        if let Some(up_to) = catalog.restored()? {
            agents.set_restored(up_to);
        }
        let retention = Retention::new(config.retention.clone(), Arc::clone(&series), Arc::<Devices>::clone(&devices));
        let retention = Arc::new(retention);
        let mut restore = replay::Sealed { series: &series, head: &head, agents: &agents, seal: LastSeal::default(), lost: Vec::new() };
        catalog.restore(&mut restore)?;
        let (seal, lost) = (restore.seal, restore.lost);
        let set_aside = dir.join("set-aside");
        let behind = store::open(&config, &catalog.hub_id()?, &seal, &head, &series, &retention, clock.now())?;
        if !behind.store.is_local() {
            // Its own bound holds from the start, not from the first look of the sealer on.
            retention.floors().set_now(clock.now());
        }
        let store = Arc::clone(&behind.store);
        replay::mend_last(&head, store.as_ref(), seal.up_to, &lost)?;
        let pressure = Arc::new(Pressure::default());
        let began = Instant::now();
        let replay = Replay { series: &series, head: &head, store: store.as_ref(), agents: &agents };
        let opened = replay.run(|each| FileLog::open(&dir.join("log"), &set_aside, config.log.segment_bytes, seal.up_to, each));
        let Opened { log, reader, recovered } = opened?;
        replay::report(&recovered, began);
        replay::reserve_ids(&catalog, &series, reader.epoch(), &recovered)?;
        let tail = Arc::new(Tail::new(recovered.last, TAIL_BYTES));
        let (health, metrics) = (Arc::new(Health::default()), Arc::new(Metrics::default()));
        let queue = writer::start(writer::Parts {
            log: Box::new(log),
            series: Arc::clone(&series),
            head: Arc::clone(&head),
            store: Arc::clone(&store),
            pressure: Arc::clone(&pressure),
            active_bytes: config.store.head_bytes / 2,
            tail: Arc::clone(&tail),
            agents: Arc::clone(&agents),
            health: Arc::clone(&health),
            metrics: Arc::clone(&metrics),
            clock: clock.clone(),
            last: recovered.last,
            commit_delay: config.log.commit_delay,
            has_room: room_probe(dir.join("log"), config.log.segment_bytes.saturating_add(config.store.reserve_bytes)),
        })
        .map_err(io_error("start the writer for", &dir))?;
        let sealer = Sealer::start(seal::Parts {
            head: Arc::clone(&head),
            store: Arc::clone(&store),
            catalog: catalog.reopen()?,
            series: Arc::clone(&series),
            log: Arc::clone(&reader),
            pressure: Arc::clone(&pressure),
            health: Arc::clone(&health),
            metrics: Arc::clone(&metrics),
            clock: clock.clone(),
            bounds: bounds(&config),
            free: free_probe(&dir),
        })
        .map_err(io_error("start the sealer for", &dir))?;
        #[cfg(feature = "influxdb")]
        let following = behind
            .follow(|store| crate::store::influx::ForwarderParts {
                store,
                head: Arc::clone(&head),
                tail: Arc::clone(&tail),
                log: Arc::clone(&reader),
                series: Arc::clone(&series),
                clock: clock.clone(),
            })
            .map_err(io_error("start the forwarder for", &dir))?;
        #[cfg(not(feature = "influxdb"))]
        let following = store::Following::default();
        let refusals = Arc::new(Refusals::default());
        let attributes: Arc<dyn Attributes + Send + Sync> = Arc::<Devices>::clone(&devices);
        let presence = Arc::new(Presence::new(clock.now(), expectations(&config)));
        let live = Live::start(engine::Parts {
            clock: clock.clone(),
            series: Arc::clone(&series),
            head: Arc::clone(&head),
            tail: Arc::clone(&tail),
            log: Arc::clone(&reader) as Arc<dyn LogRead>,
            store: Arc::clone(&store),
            attributes: Arc::clone(&attributes),
            presence: Arc::clone(&presence),
            metrics: Arc::clone(&metrics),
        })
        .map_err(io_error("start live for", &dir))?;
        let door = ingest::session::Door::new(
            &config,
            Arc::clone(&series),
            Arc::clone(&refusals),
            Arc::clone(&metrics),
            attributes,
            Arc::clone(&retention),
        );
        Ok(Self {
            started: clock.now(),
            config,
            clock,
            auth,
            devices,
            series,
            head,
            tail,
            log: reader,
            store,
            retention,
            pressure,
            queue,
            sealer: Arc::new(sealer),
            following: Arc::new(following),
            #[cfg(feature = "influxdb")]
            influx: behind.influx,
            door: Arc::new(door),
            sockets: Arc::default(),
            live,
            presence,
            agents,
            health,
            refusals,
            senders: Senders::default(),
            metrics,
            growth: Growth::default(),
            long_answers: Arc::new(Semaphore::new(HISTORY_ANSWERS)),
            grouped_answers: Arc::new(Semaphore::new(GROUPED_ANSWERS)),
            tasks: Arc::new(Semaphore::new(1)),
            recovered,
            stopping: watch::Sender::new(false),
            _lock: lock,
        })
    }

    /// Why readings are not taken now; empty when they are.
    #[must_use]
    pub fn reasons(&self) -> Vec<(BatchCode, String)> {
        let mut reasons = self.health.reasons();
        let clock = ingest::times::check_clock(self.clock.now(), self.door.built);
        reasons.extend(clock.err().map(|later| (later.code, later.message)));
        reasons.extend(self.store.overdue().map(|why| (BatchCode::StoreAway, why)));
        reasons
    }

    /// Commits what waits, writes the end record, then seals what the head holds. Nothing is at risk if it is cut off.
    pub async fn stop(&self) {
        self.queue.stop().await;
        let (sealer, following, last) = (Arc::clone(&self.sealer), Arc::clone(&self.following), self.head.position());
        // An error is a panic of the sealer, which was told to the health.
        let ending = tokio::task::spawn_blocking(move || {
            following.stop(last);
            sealer.stop();
        });
        drop(ending.await);
    }

    /// Resolves when the hub begins to stop.
    pub async fn stopped(&self) {
        // Self holds the sender, so the only way out is the value.
        drop(self.stopping.subscribe().wait_for(|stopping| *stopping).await);
    }
}

/// `[[device]] expect` in the unit of presence.
fn expectations(config: &Config) -> Vec<(Glob, i64)> {
    let ns = |rule: &DeviceRule| i64::try_from(rule.expect.as_nanos()).unwrap_or(i64::MAX);
    config.devices.iter().map(|rule| (rule.devices.clone(), ns(rule))).collect()
}

/// An OS lock on `DATA/lock`: free again after kill -9, whatever is written in the file.
pub(crate) fn lock(dir: &Path) -> Result<File, OpenHubError> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(io_error("make the data directory", dir))?;
    // The directory's own entry must be on disk before anything in it is promised.
    let parent = dir.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(parent).and_then(|parent| parent.sync_all()).map_err(io_error("sync the parent of", dir))?;
    let path = dir.join("lock");
    let file = File::options().create(true).truncate(false).write(true).open(&path).map_err(io_error("open", &path))?;
    try_lock(file, dir, &path)
}

/// For who only looks: also of a directory in which nothing can be written.
pub(crate) fn lock_to_look(dir: &Path) -> Result<File, OpenHubError> {
    let path = dir.join("lock");
    match lock(dir) {
        Err(OpenHubError::Io { source, .. })
            if matches!(source.kind(), io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied) =>
        {
            let file = File::open(&path).or_else(|_| File::open(dir)).map_err(io_error("open", &path))?;
            try_lock(file, dir, &path)
        }
        other => other,
    }
}

fn try_lock(file: File, dir: &Path, path: &Path) -> Result<File, OpenHubError> {
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenHubError::InUse { dir: dir.to_path_buf() }),
        Err(TryLockError::Error(error)) => Err(io_error("lock", path)(error)),
    }
}

fn bounds(config: &Config) -> seal::Bounds {
    seal::Bounds {
        active_bytes: config.store.head_bytes / 2,
        unsealed_bytes: config.log.unsealed_bytes,
        seal_every: SEAL_EVERY,
        keep: Keep { keep_for: config.log.keep_for, keep_bytes: config.log.keep_bytes },
    }
}

fn room_probe(dir: PathBuf, needed: u64) -> Box<dyn Fn() -> bool + Send> {
    Box::new(move || full::free(&dir).is_some_and(|free| free > needed.saturating_add(1 << 20)))
}

/// Where days go: the store's folder may lie on a disk of its own.
fn free_probe(dir: &Path) -> Box<dyn Fn() -> Option<u64> + Send> {
    let dirs = [dir.join(DIR_NAME), dir.to_owned()];
    Box::new(move || dirs.iter().find_map(|dir| full::free(dir)))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::clock::NS_PER_SEC;
    use crate::live::presence::State;

    #[actix_web::test]
    async fn a_device_is_silent_after_the_time_its_setting_says() {
        let dir = tempfile::tempdir().unwrap();
        let mut config = Config::default();
        config.data.dir = dir.path().to_owned();
        config.devices = vec![DeviceRule { devices: Glob::parse("meter-*").unwrap(), expect: Duration::from_secs(600) }];
        let now = 1_800_000_000 * NS_PER_SEC;
        let hub = Hub::open(config, Clock::manual(now)).unwrap();
        let agent = hub.presence.opened("agent");
        for device in ["meter-1", "pump"] {
            hub.presence.seen(agent, device, now);
        }
        hub.presence.sweep(now + 599 * NS_PER_SEC);
        let states = hub.presence.of_all(["meter-1", "pump"]).into_iter().map(|state| state.state);
        assert_eq!(states.collect::<Vec<_>>(), [State::Online, State::Silent]);
    }
}
