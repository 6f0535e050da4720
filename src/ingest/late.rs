//! Late readings are looked up before they enter the writer's queue, so that a late flood does not delay rows in order: on the
//! reading pool, with a bound of its own, one range per series and batch. The writer then compares only with what was committed
//! since.
//!
//! Invariant: what is looked up holds as of a position. As long as nothing later than that was sealed, the head knows of every
//! change since, and the writer needs no disk.

use std::sync::Arc;

use telltale_wire::BatchCode;
use tokio::sync::Semaphore;

use super::{Batch, Later};
use crate::head::{Head, HeadReader, LookUp};
use crate::keyed::KeyedMap;
use crate::limits::LATE_LOOK_UPS;
use crate::metrics::Metrics;
use crate::model::{Position, Reading, SeriesId, TimeNs, Value};
use crate::store::{Pin, Store, StoreError};

const RETRY_FAILED_MS: u32 = 5_000;

/// What stood at the times of a batch's late readings, as of a position.
#[derive(Debug, Default)]
pub(super) struct LookedUp {
    as_of: Position,
    values: KeyedMap<(SeriesId, TimeNs), Value>,
}

impl LookedUp {
    /// What stands there for a writer whose head asks for the store. None: too much was sealed since to tell.
    pub(super) fn stands(&self, head: &HeadReader<'_>, series: SeriesId, time: TimeNs) -> Option<Option<&Value>> {
        (head.sealed() <= self.as_of).then(|| self.values.get(&(series, time)))
    }
}

/// Where late readings are looked up.
#[derive(Clone, Debug)]
pub(super) struct Desk {
    head: Arc<Head>,
    store: Arc<dyn Store>,
    metrics: Arc<Metrics>,
    places: Arc<Semaphore>,
}

impl Desk {
    pub(super) fn new(head: Arc<Head>, store: Arc<dyn Store>, metrics: Arc<Metrics>) -> Self {
        Self { head, store, metrics, places: Arc::new(Semaphore::new(LATE_LOOK_UPS)) }
    }

    /// Waits for the disk where the batch has readings that only the store knows about.
    pub(super) async fn look(&self, batch: &Batch) -> Result<LookedUp, Later> {
        let Asked { mut looked_up, ask, pin } = self.head.with_reader(|head| ask(head, &batch.readings));
        let Some(pin) = pin.filter(|_| !ask.is_empty()) else {
            return Ok(looked_up);
        };
        self.metrics.late_looked_up.add(ask.len() as u64);
        let _place = self.places.acquire().await.expect("the semaphore is never closed");
        let store = Arc::clone(&self.store);
        let found = tokio::task::spawn_blocking(move || read(&*store, &pin, &ask)).await;
        let found = found.map_err(|panic| later(&panic.to_string()))?.map_err(|error| later(&error.to_string()))?;
        looked_up.values.extend(found);
        Ok(looked_up)
    }
}

fn later(why: &str) -> Later {
    Later {
        code: BatchCode::StoreFailed,
        after_ms: RETRY_FAILED_MS,
        message: format!("late readings could not be compared with the store: {why}"),
    }
}

struct Asked {
    looked_up: LookedUp,
    /// By series, then time.
    ask: Vec<(SeriesId, TimeNs)>,
    pin: Option<Pin>,
}

fn ask(head: &HeadReader<'_>, readings: &[Reading]) -> Asked {
    let mut looked_up = LookedUp { as_of: head.position(), ..LookedUp::default() };
    let mut ask = Vec::new();
    for Reading { series, time, .. } in readings {
        if head.newest_time(*series).is_none_or(|newest| newest < *time) {
            continue;
        }
        match head.look_up(*series, *time) {
            LookUp::Found(value) => drop(looked_up.values.insert((*series, *time), value)),
            LookUp::Nothing => {}
            LookUp::AskStore => ask.push((*series, *time)),
        }
    }
    ask.sort_unstable();
    ask.dedup();
    let pin = (!ask.is_empty()).then(|| head.pin());
    Asked { looked_up, ask, pin }
}

type Found = Vec<((SeriesId, TimeNs), Value)>;

fn read(store: &dyn Store, pin: &Pin, ask: &[(SeriesId, TimeNs)]) -> Result<Found, StoreError> {
    let mut found = Vec::new();
    for one in ask.chunk_by(|a, b| a.0 == b.0) {
        let series = one[0].0;
        let times: Vec<TimeNs> = one.iter().map(|(_, time)| *time).collect();
        let values = store.look_up(pin, series, &times)?;
        found.extend(times.into_iter().zip(values).filter_map(|(time, value)| Some(((series, time), value?))));
    }
    Ok(found)
}
