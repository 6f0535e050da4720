//! Opens a state as a hub would after the power came back, and compares what it has with what was sent.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use telltale::clock::Clock;
use telltale::config::Config;
use telltale::hub::Hub;
use telltale::ingest;
use telltale::log::loss::Loss;
use telltale::model::{self, TimeNs, TimeRange, TokenId, Value};
use telltale::query::source::{self, Past};
use telltale::series::KeyRef;

use super::load::Batch;
use crate::opened::try_open;

/// 2026-02-01T00:00:00Z, after all that is sent.
const NOW: TimeNs = 1_769_904_000_000_000_000;

#[derive(Debug)]
pub(super) enum Finding {
    /// An acked reading is not there.
    Lost(String),
    Wrong(String),
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Lost(what) => write!(f, "lost: {what}"),
            Self::Wrong(what) => write!(f, "wrong: {what}"),
        }
    }
}

type Found = HashMap<(String, TimeNs), Value>;

/// `at`: how many events had happened. `twice`: the hub takes a reading, is dropped, and must have all of it once more.
pub(super) fn state(dir: &Path, batches: &[Batch], at: usize, twice: bool) -> Result<(), Finding> {
    let checked = catch_unwind(AssertUnwindSafe(|| {
        let hub = open(dir)?;
        compare(found(&hub)?, batches, at)?;
        damaged(&hub)?;
        if twice {
            take_one(&hub)?;
            drop(hub);
            let mut again = found(&open(dir)?)?;
            if again.remove(&("check/one".to_owned(), NOW)) != Some(Value::Float(1.0)) {
                return Err(Finding::Lost("what was sent after the cut".to_owned()));
            }
            compare(again, batches, at)?;
        }
        Ok(())
    }));
    checked.unwrap_or_else(|_| Err(Finding::Wrong("it panicked".to_owned())))
}

fn open(dir: &Path) -> Result<Hub, Finding> {
    let mut config = Config::default();
    config.data.dir = dir.to_owned();
    config.log.segment_bytes = 1 << 20;
    config.log.unsealed_bytes = 1 << 20;
    config.log.keep_bytes = 0;
    config.store.head_bytes = 8 << 20;
    config.store.reserve_bytes = 0;
    try_open(&config, &Clock::manual(NOW)).map_err(|error| Finding::Wrong(format!("it does not open: {error:?}")))
}

fn damaged(hub: &Hub) -> Result<(), Finding> {
    match hub.recovered.set_aside.iter().find(|aside| aside.loss == Loss::Damage) {
        Some(damage) => Err(Finding::Wrong(format!("a cut is taken for damage: {damage:?}"))),
        None => Ok(()),
    }
}

/// All that the hub has.
fn found(hub: &Hub) -> Result<Found, Finding> {
    let mut found = Found::new();
    for series in hub.series.select(|_| true) {
        let (id, name) = (series.id, series.key.to_string());
        let view = hub.head.view(&[id], TimeRange::ALL);
        let past = Some(Past { store: &*hub.store, pin: &view.pin });
        let mut twice = None;
        let scanned = source::scan(&view.columns[0], past, id, TimeRange::ALL, &mut |run| {
            for (time, value) in run.iter() {
                if found.insert((name.clone(), time), value).is_some() {
                    twice = Some(time);
                }
            }
            true
        });
        scanned.map_err(|error| Finding::Wrong(format!("{name} cannot be read: {error}")))?;
        if let Some(time) = twice {
            return Err(Finding::Wrong(format!("{name} has {time} twice")));
        }
        if hub.store.is_damaged(id, TimeRange::ALL) {
            return Err(Finding::Wrong(format!("the store is damaged at {name}")));
        }
    }
    let reasons = hub.health.reasons();
    if reasons.is_empty() { Ok(found) } else { Err(Finding::Wrong(format!("it takes no readings: {reasons:?}"))) }
}

fn compare(mut found: Found, batches: &[Batch], at: usize) -> Result<(), Finding> {
    for batch in batches {
        let mut stored = 0;
        for reading in &batch.readings {
            match found.remove(&(reading.series(), reading.time)) {
                Some(value) if value == reading.value => stored += 1,
                Some(value) => return Err(Finding::Wrong(format!("{reading:?} became {value:?}"))),
                None => {}
            }
        }
        if stored < batch.readings.len() {
            let (first, all) = (&batch.readings[0], batch.readings.len());
            let what =
                format!("{stored} of {all} readings are there from {} {}, acked after event {:?}", first.series(), first.time, batch.acked);
            if batch.acked.is_some_and(|acked| acked <= at) {
                return Err(Finding::Lost(what));
            }
            if stored > 0 {
                return Err(Finding::Wrong(format!("a batch is torn: {what}")));
            }
        }
    }
    match found.into_iter().next() {
        Some(unknown) => Err(Finding::Wrong(format!("nobody sent {unknown:?}"))),
        None => Ok(()),
    }
}

/// The hub goes on where it stands.
fn take_one(hub: &Hub) -> Result<(), Finding> {
    let key = KeyRef { device: "check", metric: "one", labels: &[] };
    let series = hub.series.resolve(key, TokenId(1)).map_err(|error| Finding::Wrong(format!("{error:?}")))?.id;
    let reading = model::Reading { series, time: NOW, value: Value::Float(1.0) };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let outcome = runtime.block_on(async {
        let (reply, outcome) = tokio::sync::oneshot::channel();
        let batch = ingest::Batch { readings: vec![reading], meta: vec![], agent: None, received: NOW, reply };
        hub.queue.submit(batch).await.map_err(|later| format!("{later:?}"))?;
        outcome.await.map_err(|error| error.to_string())
    });
    match outcome {
        Ok(ingest::Outcome::Committed { stored: 1, .. }) => Ok(()),
        other => Err(Finding::Wrong(format!("it took no reading after the cut: {other:?}"))),
    }
}
