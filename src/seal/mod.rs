//! Sealing: what the head holds goes into the store, so that memory stays bounded and the log may go. One thread; between seals it
//! lets the store do its own work.
//!
//! The order of a seal: store, then catalog (one transaction: it decides that the seal was), then head, then log. A crash in between
//! leaves either what was before or what is after; what a cut-off seal left in the store is removed at the next start.

mod pressure;

use std::fmt;
use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

pub use pressure::{Pressure, Trouble};

use crate::catalog::sealed::{SealedLast, SealedState};
use crate::catalog::{Catalog, CatalogError};
use crate::clock::Clock;
use crate::full::Retry;
use crate::head::{Generation, Head};
use crate::health::Health;
use crate::log::Keep;
use crate::log::reader::FileLogReader;
use crate::metrics::Metrics;
use crate::model::SeriesId;
use crate::series::SeriesTable;
use crate::store::{Store, StoreError};
use pressure::Woken;

/// How often the sealer looks whether a seal is due.
const TICK: Duration = Duration::from_millis(200);
/// What a full disk stopped is tried again after this, then ever more rarely: each try writes again what it wrote before.
const RETRY: Duration = Duration::from_millis(500);
const RETRY_MOST: Duration = Duration::from_secs(30);
/// Work of the store's own that failed is tried again so much later.
const TEND_AGAIN: Duration = Duration::from_secs(10);
/// What the store may take for its own work before the sealer looks again.
const TEND: Duration = Duration::from_millis(100);

/// When a seal is due, and what is kept of the log behind it.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Of the active generation.
    pub active_bytes: usize,
    pub unsealed_bytes: u64,
    pub seal_every: Duration,
    pub keep: Keep,
}

pub struct Parts {
    pub head: Arc<Head>,
    pub store: Arc<dyn Store>,
    pub catalog: Catalog,
    pub series: Arc<SeriesTable>,
    pub log: Arc<FileLogReader>,
    pub pressure: Arc<Pressure>,
    pub health: Arc<Health>,
    pub metrics: Arc<Metrics>,
    pub clock: Clock,
    pub bounds: Bounds,
    /// Bytes that are free on the disk of the store.
    pub free: Box<dyn Fn() -> Option<u64> + Send>,
}

impl fmt::Debug for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parts").field("bounds", &self.bounds).finish_non_exhaustive()
    }
}

#[derive(Debug, thiserror::Error)]
enum SealError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Catalog(#[from] CatalogError),
}

impl SealError {
    /// Nothing is wrong with the disk: the next try may end well.
    fn may_pass(&self) -> bool {
        matches!(self, Self::Catalog(CatalogError::Held { .. }))
    }
}

impl From<&SealError> for Trouble {
    fn from(error: &SealError) -> Self {
        match error {
            SealError::Store(error) => Self::from(error),
            SealError::Catalog(error @ CatalogError::DiskFull { .. }) => Self::DiskFull(error.to_string()),
            SealError::Catalog(error) => Self::Failed(error.to_string()),
        }
    }
}

/// The running thread.
#[derive(Debug)]
pub struct Sealer {
    pressure: Arc<Pressure>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Sealer {
    pub fn start(parts: Parts) -> io::Result<Self> {
        let pressure = Arc::clone(&parts.pressure);
        let run = Run { parts, sealed_at: Instant::now(), retry: Retry::new(RETRY, RETRY_MOST), tend_failed_at: None };
        let thread = std::thread::Builder::new().name("sealer".to_owned()).spawn(move || {
            let _panicked = PoisonOnPanic(Arc::clone(&run.parts.health));
            run.run();
        })?;
        Ok(Self { pressure, thread: Mutex::new(Some(thread)) })
    }

    /// Seals what is left and ends. Blocks; call it when the writer has ended.
    pub fn stop(&self) {
        self.pressure.stop();
        if let Some(thread) = self.thread.lock().take() {
            // A panic was told to the health already.
            drop(thread.join());
        }
    }
}

impl Drop for Sealer {
    /// Without `stop`: as after a crash, nothing more is sealed.
    fn drop(&mut self) {
        self.pressure.abandon();
        if let Some(thread) = self.thread.get_mut().take() {
            drop(thread.join());
        }
    }
}

/// A hub that cannot seal would grow without end.
#[derive(Debug)]
struct PoisonOnPanic(Arc<Health>);

impl Drop for PoisonOnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.poison("the sealer ended by a bug; a restart reads the log back".to_owned());
        }
    }
}

struct Run {
    parts: Parts,
    sealed_at: Instant,
    retry: Retry,
    tend_failed_at: Option<Instant>,
}

impl Run {
    fn run(mut self) {
        let mut busy = false;
        loop {
            let wait = if busy { Duration::ZERO } else { TICK };
            match self.parts.pressure.wait(wait) {
                Woken::Abandoned => return,
                Woken::Stopping => {
                    self.seal();
                    return;
                }
                Woken::Wanted => self.seal(),
                Woken::Asked | Woken::Tick if self.is_due() => self.seal(),
                Woken::Asked | Woken::Tick => busy = self.tend(),
            }
        }
    }

    fn is_due(&self) -> bool {
        let Parts { head, store, log, bounds, health, free, .. } = &self.parts;
        if health.is_poisoned().is_some() || self.retry.waits(free) {
            return false;
        }
        let sealed = head.sealed_position();
        head.is_frozen()
            || store.wants_sealed() > sealed
            || head.bytes().0 >= bounds.active_bytes
            || log.unsealed_bytes(sealed) >= bounds.unsealed_bytes
            || (head.position() > sealed && self.sealed_at.elapsed() >= bounds.seal_every)
    }

    fn seal(&mut self) {
        if self.parts.health.is_poisoned().is_some() {
            return;
        }
        let began = Instant::now();
        let Some(generation) = self.parts.head.freeze() else {
            self.trim();
            self.parts.pressure.ended(None);
            return;
        };
        let free = (self.parts.free)();
        match self.seal_generation(&generation) {
            Ok(()) => {
                let took = began.elapsed();
                self.note(&generation, took);
                self.sealed_at = Instant::now();
                self.retry.ended();
                self.parts.pressure.ended(None);
                self.trim();
            }
            Err(error) => {
                let trouble = Trouble::from(&error);
                if let Trouble::Failed(why) = &trouble
                    && !error.may_pass()
                {
                    self.parts.health.poison(why.clone());
                }
                tracing::error!(%error, "the head could not be sealed; the log keeps all of it");
                self.retry.failed(free);
                self.parts.pressure.ended(Some(trouble));
            }
        }
    }

    fn seal_generation(&self, generation: &Generation) -> Result<(), SealError> {
        let Parts { head, store, catalog, series, clock, .. } = &self.parts;
        store.seal(&generation.handover())?;
        let described = generation.described();
        let touched = generation.touched();
        catalog.seal(SealedState {
            up_to: generation.up_to(),
            wall: store.believed(clock.now()),
            series: described.iter().filter_map(|id| series.by_id(*id)?.to_sealed()),
            last: touched.iter().map(|id| self.last(*id, generation)),
            agents: generation.agents().collect(),
        })?;
        head.sealed(generation);
        // After the head: no reader can take a pin below what may be merged from now on.
        store.set_sealed(generation.up_to());
        Ok(())
    }

    fn last(&self, id: SeriesId, generation: &Generation) -> SealedLast {
        self.parts.head.with_reader(|head| {
            let stored_until = generation.newest_time(id).unwrap_or(i64::MIN).max(head.stored_until(id));
            SealedLast { id, last: head.last(id).cloned(), stored_until }
        })
    }

    fn note(&self, generation: &Generation, took: Duration) {
        let Parts { metrics, .. } = &self.parts;
        metrics.seals.inc();
        metrics.seal_ns.add(nanoseconds(took));
        metrics.sealed_readings.add(generation.points() as u64);
        let (readings, took_ms) = (generation.points(), took.as_millis());
        tracing::debug!(readings, took_ms, "sealed");
    }

    fn trim(&self) {
        let Parts { log, head, store, clock, bounds, .. } = &self.parts;
        let done = head.sealed_position().min(store.released());
        if let Err(error) = log.trim(done, clock.now(), &bounds.keep) {
            tracing::warn!(%error, "old segments of the log could not be dropped; they are tried again after the next seal");
        }
    }

    /// Says whether there is more to do at once.
    fn tend(&mut self) -> bool {
        if self.tend_failed_at.is_some_and(|at| at.elapsed() < TEND_AGAIN) {
            return false;
        }
        self.tend_failed_at = None;
        let began = Instant::now();
        self.parts.store.set_committed(self.parts.head.position());
        let more = self.parts.store.tend(self.parts.clock.now(), TEND).unwrap_or_else(|error| {
            tracing::warn!(%error, "the store's own work did not end; it is tried again");
            self.tend_failed_at = Some(Instant::now());
            false
        });
        let Parts { metrics, .. } = &self.parts;
        metrics.tend_ns.add(nanoseconds(began.elapsed()));
        metrics.tending.set(u64::from(more));
        more
    }
}

fn nanoseconds(took: Duration) -> u64 {
    u64::try_from(took.as_nanos()).unwrap_or(u64::MAX)
}
