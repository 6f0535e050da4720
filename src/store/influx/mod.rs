//! InfluxDB 2 as the store. The log is forwarded to it in the background (`forward`); what the head let go of is read from it by Flux.
//! The catalog, tokens and dashboards stay in the data directory.
//!
//! Invariants: an ack means the hub's log, never InfluxDB. The hub is the only writer of its measurements and reads no others. Numbers
//! are floats from the door on, so nothing is rounded here.

mod aside;
mod buckets;
mod client;
mod forward;
mod group;
mod import;
mod line;
mod progress;
mod retry;
mod rows;
mod spare;
mod totals;
mod wait;
mod windows;

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::mpsc;
use tokio::time::timeout;

pub use forward::{Forwarder, Parts as ForwarderParts};
pub use import::{ImportError, note_forwarded};
pub use progress::{Away, Backlog};

use bytes::Bytes;

use super::{Coarse, Handover, Piece, PieceSink, Pin, Sink, Store, StoreError, StoreStats};
use crate::block::{BLOCK_POINTS, Block};
use crate::clock::NS_PER_SEC;
use crate::config::Influx;
use crate::log::reader::FileLogReader;
use crate::metrics::Counter;
use crate::model::{Position, SeriesId, TimeNs, TimeRange, Value, ValueType};
use crate::retention::Floors;
use crate::series::SeriesTable;
use aside::Aside;
use client::{Client, Failed, rfc3339};
use group::Body;
use line::Names;
use progress::Progress;
use rows::{Row, Rows};
use spare::Spare;
use wait::Worker;

/// How long a seal waits for what it seals to be forwarded. Longer, and readers are told that something is not there yet.
const SEAL_PATIENCE: Duration = Duration::from_secs(2);
/// The first step back from the end of a range; each further one is four times as long.
const BACK_STEP_NS: i64 = 3600 * NS_PER_SEC;
/// Chunks of an answer that wait for who reads it.
const CHUNKS_AHEAD: usize = 4;
/// How long the question whether it is there may take.
const PROBE: Duration = Duration::from_secs(3);
/// How often it is asked for the bucket: what it keeps, and whether it is there. And while InfluxDB takes nothing.
const BUCKET_EVERY: Duration = Duration::from_secs(60);
const BUCKET_EVERY_AWAY: Duration = Duration::from_secs(2);
/// Within the data directory: what this store keeps beside InfluxDB.
pub const DIR_NAME: &str = "influx";

#[derive(Debug)]
pub struct InfluxStore {
    client: Arc<Client>,
    config: Influx,
    names: Names,
    worker: Worker,
    series: Arc<SeriesTable>,
    progress: Arc<Progress>,
    aside: Aside,
    spare: Spare,
    dir: PathBuf,
    log: OnceLock<Arc<FileLogReader>>,
    floors: Arc<Floors>,
    bucket_asked: Mutex<Option<Instant>>,
    forwarded_readings: Counter,
    expired_readings: Counter,
}

#[derive(Debug, thiserror::Error)]
pub enum OpenInfluxError {
    #[error("[store.influxdb]: {0}")]
    Denied(String),
    #[error("{}: its rows in InfluxDB have names of form {form}, and this program knows 1 and 2; a newer one wrote it", dir.display())]
    Newer { dir: PathBuf, form: u64 },
    #[error("cannot use {}", path.display())]
    Io {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
}

/// For `status` and `/metrics`.
#[derive(Clone, Debug)]
pub struct InfluxStatus {
    pub away: Option<Away>,
    pub backlog: Backlog,
    pub forwarded: Position,
    pub forwarded_readings: u64,
    /// Readings that were older than the bucket keeps before InfluxDB took them.
    pub expired_readings: u64,
    /// Rows set aside, and why the last.
    pub refused: (u64, Option<String>),
}

impl InfluxStore {
    /// `data` is the data directory. InfluxDB need not answer; when it answers that token, organisation or bucket are wrong, that is an
    /// error.
    pub fn open(
        data: &Path,
        set_aside: &Path,
        config: &Influx,
        hub_id: &str,
        series: Arc<SeriesTable>,
        floors: Arc<Floors>,
    ) -> Result<Self, OpenInfluxError> {
        let io_error = |source| OpenInfluxError::Io { path: data.to_path_buf(), source };
        let dir = data.join(DIR_NAME);
        let form = forward::form(&dir).map_err(|form| OpenInfluxError::Newer { dir: dir.clone(), form })?;
        let worker = Worker::start().map_err(io_error)?;
        let client = Arc::new(Client::new(config).map_err(|error| OpenInfluxError::Denied(error.to_string()))?);
        let progress = Arc::new(Progress::default());
        let (asking, patience) = (Arc::clone(&client), config.timeout);
        let asked = async move {
            let bucket = match asking.bucket().await {
                Err(Failed::Denied(why)) => Err(asking.is_not_set_up().await.unwrap_or(Failed::Denied(why))),
                other => other,
            }?;
            asking.may_write().await.map(|()| bucket)
        };
        let bucket = worker.run(async move { timeout(patience, asked).await.ok() }).flatten();
        let store = Self {
            client,
            config: config.clone(),
            names: Names::new(form, hub_id),
            worker,
            series,
            progress,
            aside: Aside::open(set_aside),
            spare: Spare::default(),
            dir,
            log: OnceLock::new(),
            floors,
            bucket_asked: Mutex::default(),
            forwarded_readings: Counter::default(),
            expired_readings: Counter::default(),
        };
        match bucket.unwrap_or_else(|| Err(Failed::Away(format!("InfluxDB at {} did not answer in time", config.url)))) {
            Ok(bucket) => {
                store.floors.set_store_keeps(bucket.keep);
                *store.bucket_asked.lock() = Some(Instant::now());
            }
            Err(Failed::Away(why) | Failed::Open(why)) => {
                tracing::warn!(%why, "the hub starts without InfluxDB: readings are acked and kept in the log until it answers");
                store.progress.set_away(&why, 0);
            }
            Err(Failed::Denied(why) | Failed::Refused(why)) => return Err(OpenInfluxError::Denied(why)),
        }
        // Only now is this a data directory of InfluxDB.
        std::fs::create_dir_all(&store.dir).map_err(io_error)?;
        Ok(store)
    }

    /// What the bucket keeps may be changed at any time, and the bucket may go.
    fn ask_for_the_bucket(&self, now: TimeNs) {
        let every = if self.progress.away().is_some() { BUCKET_EVERY_AWAY } else { BUCKET_EVERY };
        let mut asked = self.bucket_asked.lock();
        if asked.is_some_and(|asked| asked.elapsed() < every) {
            return;
        }
        *asked = Some(Instant::now());
        let (client, floors, progress) = (Arc::clone(&self.client), Arc::clone(&self.floors), Arc::clone(&self.progress));
        self.worker.spawn(async move {
            // No longer than until it is asked again, so that few wait for one that is paused.
            let Ok(learnt) = timeout(BUCKET_EVERY_AWAY, learn(&client, &floors)).await else { return };
            match learnt {
                Ok(()) => progress.seen(),
                Err(Failed::Denied(why)) => {
                    if progress.set_away(&why, now) {
                        tracing::warn!(%why, "InfluxDB does not let the hub in; readings are acked as before and kept in the log");
                    }
                }
                Err(error) => tracing::debug!(%error, "what the bucket keeps could not be asked for"),
            }
        });
    }

    /// What is left of a body without the rows that the bucket does not keep any more, by the clock of InfluxDB. None: it was refused for
    /// something else.
    fn without_expired(&self, body: &Body, why: &str) -> Option<Body> {
        let rest = body.since(client::keeps_from(why)?)?;
        let expired = body.rows.len() - rest.rows.len();
        self.expired_readings.add(expired as u64);
        tracing::warn!(expired, "readings grew older than the bucket keeps before InfluxDB took them");
        Some(rest)
    }

    #[must_use]
    pub fn status(&self) -> InfluxStatus {
        InfluxStatus {
            away: self.progress.away(),
            backlog: self.backlog(),
            forwarded: self.progress.forwarded(),
            forwarded_readings: self.forwarded_readings.value(),
            expired_readings: self.expired_readings.value(),
            refused: self.aside.told(),
        }
    }

    /// From now on this log is what is forwarded.
    fn follow(&self, log: &Arc<FileLogReader>) {
        // A store is followed once.
        let _before = self.log.set(Arc::clone(log));
    }

    fn backlog(&self) -> Backlog {
        let (forwarded, since) = self.progress.place();
        let bytes = self.log.get().map_or(0, |log| log.unsealed_bytes(forwarded));
        Backlog { bytes, since: since.filter(|_| bytes > 0) }
    }

    fn named(&self, series: SeriesId) -> Option<(String, ValueType)> {
        let series = self.series.by_id(series)?;
        Some((line::measurement(&series.key.metric), series.value_type()?))
    }

    /// What stands of a series in a range.
    fn base(&self, measurement: &str, series: SeriesId, value_type: ValueType, range: TimeRange) -> String {
        let (bucket, measurement) = (quoted(&self.config.bucket), quoted(measurement));
        let (from, to, field) = (rfc3339(range.from), rfc3339(range.to), line::field(value_type));
        format!(
            "from(bucket: {bucket}) |> range(start: {from}, stop: {to}) |> filter(fn: (r) => r._measurement == {measurement} \
             and r[\"{}\"] == \"{}\" and r._field == \"{field}\")",
            self.names.tag(),
            self.names.of(series)
        )
    }

    /// Runs a query and gives its rows as they come; false from `each` ends it.
    fn ask(&self, flux: String, each: &mut dyn FnMut(Row<'_>) -> Result<bool, StoreError>) -> Result<(), StoreError> {
        let patience = self.config.timeout;
        let (chunks, mut answer) = mpsc::channel(CHUNKS_AHEAD);
        let client = Arc::clone(&self.client);
        self.worker.spawn(async move {
            if let Err(error) = read(&client, flux, patience, &chunks).await {
                // Who asked may have heard enough.
                drop(chunks.send(Err(error)).await);
            }
        });
        let (mut rows, mut wanted) = (Rows::new(), true);
        while wanted && let Some(chunk) = wait::wait(answer.recv()) {
            rows.push(&chunk?, &mut |row| {
                wanted = wanted && each(row)?;
                Ok(())
            })?;
        }
        Ok(())
    }
}

/// What the bucket keeps is what the door takes.
async fn learn(client: &Client, floors: &Floors) -> Result<(), Failed> {
    let bucket = client.bucket().await?;
    floors.set_store_keeps(bucket.keep);
    Ok(())
}

/// Sends the answer on as it comes, and an empty chunk at its end.
async fn read(
    client: &Client,
    flux: String,
    patience: Duration,
    chunks: &mpsc::Sender<Result<Bytes, StoreError>>,
) -> Result<(), StoreError> {
    let too_slow = |_| StoreError::Away { reason: format!("InfluxDB did not go on with its answer for {} s", patience.as_secs()) };
    let mut answer = timeout(patience, client.query(flux)).await.map_err(too_slow)?.map_err(|failed| match failed {
        Failed::Refused(reason) => StoreError::Failed { reason },
        failed => StoreError::Away { reason: failed.why() },
    })?;
    loop {
        let chunk = timeout(patience, answer.chunk()).await.map_err(too_slow)?;
        let chunk = chunk.map_err(|error| StoreError::Away { reason: format!("InfluxDB broke off its answer: {error}") })?;
        let is_end = chunk.is_none();
        if chunks.send(Ok(chunk.unwrap_or_default())).await.is_err() || is_end {
            return Ok(());
        }
    }
}

impl Store for InfluxStore {
    /// The forwarder writes what the log has; a seal only waits for it, so that readers find what the head lets go of.
    fn seal(&self, handover: &Handover<'_>) -> Result<(), StoreError> {
        self.progress.wait_for(handover.up_to, SEAL_PATIENCE);
        Ok(())
    }

    /// Nothing is asked here: what the head does not know of counts as new, and InfluxDB keeps one value a time.
    fn look_up(&self, _pin: &Pin, _series: SeriesId, times: &[TimeNs]) -> Result<Vec<Option<Value>>, StoreError> {
        Ok(vec![None; times.len()])
    }

    fn scan(&self, _pin: &Pin, series: SeriesId, range: TimeRange, sink: &mut Sink<'_>) -> Result<(), StoreError> {
        let Some((measurement, value_type)) = self.named(series).filter(|_| range.from < range.to) else { return Ok(()) };
        let flux = format!("{} |> keep(columns: [\"_time\", \"_value\"])", self.base(&measurement, series, value_type, range));
        let (mut block, mut wanted) = (Block::default(), true);
        self.ask(flux, &mut |row| {
            if let Some(time) = row.time {
                block.push(time, &row.value(value_type)?, time);
            }
            if block.len() >= BLOCK_POINTS {
                wanted = sink(&std::mem::take(&mut block));
            }
            Ok(wanted)
        })?;
        if wanted && !block.is_empty() {
            sink(&block);
        }
        Ok(())
    }

    fn scan_back(&self, pin: &Pin, series: SeriesId, range: TimeRange, sink: &mut Sink<'_>) -> Result<(), StoreError> {
        let (mut to, mut step, mut wanted) = (range.to, BACK_STEP_NS, true);
        while wanted && range.from < to {
            let from = to.saturating_sub(step).max(range.from);
            let mut blocks = Vec::new();
            self.scan(pin, series, TimeRange { from, to }, &mut |block| {
                blocks.push(block.clone());
                true
            })?;
            wanted = blocks.iter().rev().all(&mut *sink);
            (to, step) = (from, step.saturating_mul(4));
        }
        Ok(())
    }

    fn count(&self, _pin: &Pin, series: SeriesId, range: TimeRange) -> Result<u64, StoreError> {
        let Some((measurement, value_type)) = self.named(series).filter(|_| range.from < range.to) else { return Ok(0) };
        let flux = format!("{} |> count() |> keep(columns: [\"_value\"])", self.base(&measurement, series, value_type, range));
        let mut count = 0;
        self.ask(flux, &mut |row| {
            count += row.count()?;
            Ok(true)
        })?;
        Ok(count)
    }

    fn scan_coarse(
        &self,
        pin: &Pin,
        series: SeriesId,
        range: TimeRange,
        coarse: Coarse<'_>,
        sink: &mut PieceSink<'_>,
    ) -> Result<(), StoreError> {
        match coarse {
            Coarse::Buckets { grid, aggs } => self.scan_buckets(pin, series, range, (grid, aggs), sink),
            Coarse::Columns(_) | Coarse::WhereGone => self.scan(pin, series, range, &mut |block| sink(Piece::Points(block))),
        }
    }

    fn tend(&self, now: TimeNs, _budget: Duration) -> Result<bool, StoreError> {
        self.floors.set_now(now);
        self.ask_for_the_bucket(now);
        Ok(false)
    }

    fn is_damaged(&self, series: SeriesId, range: TimeRange) -> bool {
        self.aside.concerns(series, range)
    }

    fn released(&self) -> Position {
        self.progress.noted()
    }

    fn overdue(&self) -> Option<String> {
        let Backlog { bytes, .. } = self.backlog();
        let why = self.progress.away().map_or_else(|| "InfluxDB is slower than what comes in".to_owned(), |away| away.why);
        (bytes >= self.config.backlog_bytes)
            .then(|| format!("{bytes} bytes of the log wait for InfluxDB, the bound is [log] backlog_bytes: {why}"))
    }

    fn is_local(&self) -> bool {
        false
    }

    /// By the bucket: one that is gone, or a token that was taken back, is found before an answer begins.
    fn probe(&self) -> Result<(), StoreError> {
        let (client, floors) = (Arc::clone(&self.client), Arc::clone(&self.floors));
        let patience = PROBE.min(self.config.timeout);
        let slow = || Err(Failed::Away(format!("InfluxDB at {} did not answer within {} s", self.config.url, patience.as_secs())));
        let answered = self.worker.run(async move { timeout(patience, learn(&client, &floors)).await.ok() }).flatten();
        match answered.unwrap_or_else(slow) {
            Ok(()) => {
                self.progress.seen();
                Ok(())
            }
            Err(failed) => {
                if let Failed::Denied(_) = failed {
                    // So that `status` says it soon.
                    *self.bucket_asked.lock() = None;
                }
                Err(StoreError::Away { reason: failed.why() })
            }
        }
    }

    fn lacks(&self, pin: &Pin) -> Option<String> {
        (self.progress.forwarded() < pin.sealed())
            .then(|| self.progress.away().map_or_else(|| "readings are on their way to InfluxDB".to_owned(), |away| away.why))
    }

    fn stats(&self) -> StoreStats {
        StoreStats::default()
    }
}

/// A text of Flux.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace("${", "\\${"))
}
