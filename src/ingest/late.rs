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
use crate::limits::{LATE_LOOK_UPS, LATE_TIMES};
use crate::metrics::Metrics;
use crate::model::{Position, Reading, SeriesId, TimeNs, Value};
use crate::store::{Pin, Store, StoreError};

const RETRY_FAILED_MS: u32 = 5_000;

/// What stood at the times of a batch's late readings, as of a position: of texts those alone that were sent for their time.
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
        let Asked { mut looked_up, late, pin } = self.head.with_reader(|head| ask(head, &batch.readings));
        let Some(pin) = pin.filter(|_| !late.is_empty()) else {
            return Ok(looked_up);
        };
        self.metrics.late_looked_up.add(times(&late).count() as u64);
        let _place = self.places.acquire().await.expect("the semaphore is never closed");
        let store = Arc::clone(&self.store);
        let found = tokio::task::spawn_blocking(move || read(&*store, &pin, &late)).await;
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

/// What was sent for a time that only the store knows about.
type Late = (SeriesId, TimeNs, Value);

struct Asked {
    looked_up: LookedUp,
    /// By series, then time.
    late: Vec<Late>,
    pin: Option<Pin>,
}

fn ask(head: &HeadReader<'_>, readings: &[Reading]) -> Asked {
    let mut looked_up = LookedUp { as_of: head.position(), ..LookedUp::default() };
    let mut late = Vec::new();
    for Reading { series, time, value } in readings {
        if head.newest_time(*series).is_none_or(|newest| newest < *time) {
            continue;
        }
        match head.look_up(*series, *time) {
            LookUp::Found(value) => drop(looked_up.values.insert((*series, *time), value)),
            LookUp::Nothing => {}
            LookUp::AskStore => late.push((*series, *time, value.clone())),
        }
    }
    late.sort_unstable_by_key(|(series, time, _)| (*series, *time));
    let pin = (!late.is_empty()).then(|| head.pin());
    Asked { looked_up, late, pin }
}

/// Each time of each series, with all that was sent for it.
fn times(late: &[Late]) -> impl Iterator<Item = &[Late]> {
    late.chunk_by(|a, b| (a.0, a.1) == (b.0, b.1))
}

type Found = Vec<((SeriesId, TimeNs), Value)>;

fn read(store: &dyn Store, pin: &Pin, late: &[Late]) -> Result<Found, StoreError> {
    let mut found = Vec::new();
    for of_series in late.chunk_by(|a, b| a.0 == b.0) {
        let series = of_series[0].0;
        let all: Vec<&[Late]> = times(of_series).collect();
        for some in all.chunks(LATE_TIMES) {
            let times: Vec<TimeNs> = some.iter().map(|sent| sent[0].1).collect();
            let values = store.look_up(pin, series, &times)?;
            found.extend(some.iter().zip(values).filter_map(|(sent, value)| Some(((series, sent[0].1), told(sent, value?)))));
        }
    }
    Ok(found)
}

/// Of what is stored the writer asks only whether it is what was sent. So another text is not held, which may be much longer than all that
/// was sent: any value of another type tells as much.
fn told(sent: &[Late], stored: Value) -> Value {
    match stored {
        Value::Text(_) if sent.iter().all(|(.., value)| *value != stored) => Value::Bool(false),
        stored => stored,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Pins;
    use crate::store::memory::MemoryStore;

    #[test]
    fn no_more_text_is_held_than_was_sent() {
        let store = MemoryStore::default();
        let series = SeriesId(1);
        let stored = |time: TimeNs| Value::Text(format!("{time} {}", "long ".repeat(100)).into());
        let count = 3 * LATE_TIMES as TimeNs / 2;
        (0..count).for_each(|time| store.put(&Reading { series, time, value: stored(time) }, 0));
        // Each hundredth is told twice, and once as it is stored.
        let sent = |time: TimeNs| [(series, time, Value::Text("short".into())), (series, time, stored(time))];
        let late: Vec<Late> = (0..count + 7).flat_map(|time| sent(time).into_iter().take(if time % 100 == 0 { 2 } else { 1 })).collect();
        let found = read(&store, &Arc::<Pins>::default().pin(Position(0)), &late).unwrap();
        assert_eq!(found.len() as TimeNs, count, "times at which nothing stands are left out");
        for ((_, time), value) in found {
            assert_eq!(value == stored(time), time % 100 == 0, "{time}");
            assert!(time % 100 == 0 || !matches!(value, Value::Text(_)), "{time}");
        }
    }
}
