//! History from one kind of store to the other, while no hub runs: series by series, compared at the end, then switched over.
//!
//! The order: what cannot arrive is refused, all is copied, all is compared, the switch is noted and done (`place`). Names, tokens, last
//! known values and agents' sequences lie in the catalog, which stays as it is.
//!
//! Invariants: the source is only read. What is copied twice is there once.

mod place;
mod survey;
mod target;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use place::Switch;
use rustc_hash::FxHashMap;

use super::sums::{self, Numbers, Sum};
use crate::block::Block;
use crate::catalog::CatalogError;
use crate::config::{Both, StoreKind};
use crate::hub::Hub;
use crate::model::{Position, SeriesId, TimeNs, TimeRange};
use crate::series::Series;
use crate::store::influx::{ImportError, OpenInfluxError};
use crate::store::{Pin, Store, StoreError};
use place::{Place, Plan, Progress};
use target::{Run, Target};

/// Series that a message names.
const NAMED: usize = 10;

#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    #[error("cannot {what} {}", path.display())]
    Io {
        what: &'static str,
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Import(#[from] ImportError),
    #[error(transparent)]
    Influx(#[from] OpenInfluxError),
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    #[error("InfluxDB keeps numbers as floats, and integers beyond 2^53 would change: {series}")]
    Inexact { series: Names },
    #[error(
        "the bucket keeps readings from {} on and would drop older ones; {series} has one of {}: give the bucket a longer retention, \
         or delete what is older with telltale delete",
        told(*from), told(*time)
    )]
    TooOld { time: TimeNs, series: String, from: TimeNs },
    #[error("nothing was switched over: these series are not the same in both stores: {series}")]
    Differ { series: Names },
}

fn told(time: TimeNs) -> String {
    jiff::Timestamp::from_nanosecond(i128::from(time)).map_or_else(|_| format!("{time} ns"), |time| time.to_string())
}

fn io_error(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> MigrateError {
    let path = path.to_owned();
    move |source| MigrateError::Io { what, path, source }
}

/// Some series by name, and how many more.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    named: Vec<String>,
    count: usize,
}

impl Names {
    fn add(&mut self, series: &Series) {
        self.count += 1;
        if self.named.len() < NAMED {
            self.named.push(series.key.to_string());
        }
    }

    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }
}

impl fmt::Display for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.named.join(", "))?;
        match self.count - self.named.len() {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    Reading,
    Copying,
    Comparing,
}

/// How far a phase is.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    pub phase: Phase,
    pub series: usize,
    pub of: usize,
    pub readings: u64,
}

pub type Show<'a> = dyn FnMut(Step) + 'a;

#[derive(Debug)]
pub struct Done {
    pub switch: Switch,
    pub epoch: u64,
    pub position: Position,
    pub series: usize,
    pub readings: u64,
    /// Of them, those that an earlier run copied.
    pub before: u64,
    /// Readings that the source cannot give: damaged, or set aside.
    pub unreadable: Names,
    /// Rollups of readings that are gone.
    pub rollups: Names,
}

/// What is copied.
struct Source<'a> {
    store: &'a dyn Store,
    pin: Pin,
    /// By id.
    series: Vec<Arc<Series>>,
}

/// The store of `hub` into the other kind. The hub has stopped, and its store has everything up to its position. Blocks.
pub fn run(hub: &Hub, both: &Both, to: StoreKind, show: &mut Show<'_>) -> Result<Done, MigrateError> {
    let data = &hub.config.data.dir;
    let position = hub.head.sealed_position();
    let mut series = hub.series.select(|_| true);
    series.sort_unstable_by_key(|series| series.id);
    let source = Source { store: hub.store.as_ref(), pin: hub.head.pins().pin(position), series };
    let address = both.of(to).influx.as_ref().map(|influx| format!("{} {} {}", influx.url, influx.org, influx.bucket));
    let epoch = hub.log.epoch();
    let plan = Plan { to: to.as_str().to_owned(), address: address.unwrap_or_default(), epoch, position: position.0 };
    let (place, mut progress) = Place::open(data, plan)?;
    let before = progress.readings;
    let target = Target::open(hub, both, to, &place, &progress)?;
    let rollups = match to {
        StoreKind::Influx => survey::survey(&source, target.keeps_from(hub.clock.now())?, show)?,
        StoreKind::Embedded => Names::default(),
    };
    let read = copy(&source, &target, &place, &mut progress, show)?;
    compare(&source, &read, &target, &place, &mut progress, show)?;
    drop(target);
    let mut unreadable = Names::default();
    let damaged = source.series.iter().filter(|series| source.store.is_damaged(series.id, TimeRange::ALL));
    damaged.for_each(|series| unreadable.add(series));
    let switch = place.switch(&progress.plan, hub.clock.now())?;
    switch.finish(data)?;
    let (series, readings) = (source.series.len(), progress.readings);
    Ok(Done { switch, epoch, position, series, readings, before: before.min(readings), unreadable, rollups })
}

/// What is handed over next.
#[derive(Default)]
struct Batch {
    runs: Vec<Run>,
    readings: usize,
    bytes: usize,
}

impl Batch {
    fn push(&mut self, series: &Arc<Series>, block: &Block) {
        self.readings += block.len();
        self.bytes += block.weight();
        let block = Arc::new(block.clone());
        match self.runs.last_mut().filter(|(last, _)| last.id == series.id) {
            Some((_, blocks)) => blocks.push(block),
            None => self.runs.push((Arc::clone(series), vec![block])),
        }
    }

    /// Afterwards everything before `series`, and of it what lies before `from`, is in the target, and that is noted.
    fn hand_over(
        &mut self,
        target: &Target,
        place: &Place,
        progress: &mut Progress,
        (series, from): (u64, TimeNs),
    ) -> Result<(), MigrateError> {
        let batch = std::mem::take(self);
        let mut next = Progress { series, from, ..progress.clone() };
        if !batch.runs.is_empty() {
            next.handovers += 1;
            next.readings += batch.readings as u64;
            target.take(&batch.runs, &next)?;
        }
        place.note(&next)?;
        *progress = next;
        Ok(())
    }
}

/// Of series that were read from their beginning to their end, so that the source is read once.
type Read = FxHashMap<SeriesId, Sum>;

/// From where `progress` says it is.
fn copy(source: &Source<'_>, target: &Target, place: &Place, progress: &mut Progress, show: &mut Show<'_>) -> Result<Read, MigrateError> {
    let (mut batch, mut read) = (Batch::default(), Read::default());
    for (done, series) in source.series.iter().enumerate() {
        let id = u64::from(series.id.0);
        if id < progress.series {
            continue;
        }
        let from = if id == progress.series { progress.from } else { TimeNs::MIN };
        let (mut handed, mut sum) = (Ok(()), Sum::default());
        source.store.scan(&source.pin, series.id, TimeRange { from, ..TimeRange::ALL }, &mut |block| {
            batch.push(series, block);
            sum.add(block, Numbers::AsFloats);
            if batch.readings >= target.most_readings || batch.bytes >= target.most_bytes {
                let next = block.last_time().map_or(from, |last| last.saturating_add(1));
                handed = batch.hand_over(target, place, progress, (id, next));
                show(Step { phase: Phase::Copying, series: done, of: source.series.len(), readings: progress.readings });
            }
            handed.is_ok()
        })?;
        handed?;
        if from == TimeNs::MIN {
            read.insert(series.id, sum);
        }
        let readings = progress.readings + batch.readings as u64;
        show(Step { phase: Phase::Copying, series: done + 1, of: source.series.len(), readings });
    }
    batch.hand_over(target, place, progress, (u64::MAX, TimeNs::MIN))?;
    Ok(read)
}

/// Series that differ are copied once more where the target can let go of them: it may hold something from before.
fn compare(
    source: &Source<'_>,
    read: &Read,
    target: &Target,
    place: &Place,
    progress: &mut Progress,
    show: &mut Show<'_>,
) -> Result<(), MigrateError> {
    let (differing, readings) = differences(source, read, &source.series, target, show)?;
    let mut read_anew = Read::default();
    for series in &differing {
        if !target.erase(series)? {
            break;
        }
        let of_one = Source { store: source.store, pin: source.pin.clone(), series: vec![Arc::clone(series)] };
        let mut anew = Progress { series: 0, ..progress.clone() };
        read_anew.extend(copy(&of_one, target, place, &mut anew, &mut |_| ())?);
    }
    progress.readings = readings;
    let (still, _) = differences(source, &read_anew, &differing, target, &mut |_| ())?;
    if still.is_empty() {
        return Ok(());
    }
    place.forget()?;
    let mut series = Names::default();
    still.iter().for_each(|one| series.add(one));
    Err(MigrateError::Differ { series })
}

/// And how many readings the source has of all. What this run did not read from its beginning is read for it.
fn differences(
    source: &Source<'_>,
    read: &Read,
    of: &[Arc<Series>],
    target: &Target,
    show: &mut Show<'_>,
) -> Result<(Vec<Arc<Series>>, u64), MigrateError> {
    let (mut differing, mut readings) = (Vec::new(), 0);
    for (done, series) in of.iter().enumerate() {
        let sum = |store: &dyn Store| sums::of_one(store, &source.pin, series.id, Numbers::AsFloats);
        let here = read.get(&series.id).map_or_else(|| sum(source.store), |sum| Ok(*sum))?;
        if here != sum(target.store())? {
            differing.push(Arc::clone(series));
        }
        readings += here.count;
        show(Step { phase: Phase::Comparing, series: done + 1, of: of.len(), readings });
    }
    Ok((differing, readings))
}
