//! The one task that orders everything. It takes all batches that wait, decides for each reading whether it is new, rewritten, a
//! duplicate or of a wrong type, and puts them into one commit: one append, one fdatasync. Then the head, then live, then
//! the acks.
//!
//! Invariants: nothing is published or acked before it is on disk. Positions follow each other without a hole while this process
//! lives. A failed append leaves no trace in the head or in the series table.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rustc_hash::FxHashMap;
use telltale_wire::{BatchCode, RowCode};
use tokio::sync::{mpsc, oneshot};

use super::agents::Agents;
use super::{Batch, Later, Outcome, Refusal};
use crate::clock::Clock;
use crate::head::{Head, HeadReader, LookUp};
use crate::health::Health;
use crate::limits::{COMMIT_BYTES, WRITER_QUEUE_BATCHES};
use crate::log::tail::Tail;
use crate::log::{AppendError, Log};
use crate::metrics::Metrics;
use crate::model::{AgentSeq, BatchPart, Commit, Position, Reading, SeriesDef, SeriesId, TimeNs, Value, ValueType};
use crate::series::SeriesTable;

/// How often a full disk is tried again while nobody sends.
const DISK_FULL_PROBE: Duration = Duration::from_millis(500);
/// What a refused batch is told to wait.
const RETRY_DISK_FULL_MS: u32 = 1_000;
const RETRY_FAILED_MS: u32 = 5_000;
const RETRY_DRAINING_MS: u32 = 1_000;

/// What the writer works with. All but the log is shared.
pub struct Parts {
    pub log: Box<dyn Log>,
    pub series: Arc<SeriesTable>,
    pub head: Arc<Head>,
    pub tail: Arc<Tail>,
    pub agents: Arc<Agents>,
    pub health: Arc<Health>,
    pub metrics: Arc<Metrics>,
    pub clock: Clock,
    pub last: Position,
    /// How long the first batch of a commit waits for company. Zero: a commit at once when idle.
    pub commit_delay: Duration,
    /// Asked while the disk is full: is there room for a segment again?
    pub has_room: Box<dyn Fn() -> bool + Send>,
}

impl std::fmt::Debug for Parts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Parts").field("last", &self.last).field("commit_delay", &self.commit_delay).finish_non_exhaustive()
    }
}

#[derive(Debug)]
enum Input {
    Batch(Batch),
    Stop(oneshot::Sender<()>),
}

/// The way to the writer. Bounded: when it is full, who submits waits, and so does its peer.
#[derive(Clone, Debug)]
pub struct Queue(mpsc::Sender<Input>);

impl Queue {
    pub async fn submit(&self, batch: Batch) -> Result<(), Later> {
        self.0.send(Input::Batch(batch)).await.map_err(|_| draining())
    }

    /// Batches that wait now.
    #[must_use]
    pub fn depth(&self) -> usize {
        self.0.max_capacity() - self.0.capacity()
    }

    /// More than half full: senders do well to pause.
    #[must_use]
    pub fn is_crowded(&self) -> bool {
        self.depth() > self.0.max_capacity() / 2
    }

    /// Commits what waits, writes the end record, and ends the writer. Later submits are answered `draining`.
    pub async fn stop(&self) {
        let (done, ended) = oneshot::channel();
        if self.0.send(Input::Stop(done)).await.is_ok() {
            // An error means that the writer ended without an answer, which is an end as well.
            drop(ended.await);
        }
    }
}

fn draining() -> Later {
    Later {
        code: BatchCode::Draining,
        after_ms: RETRY_DRAINING_MS,
        message: "the hub is stopping; send it again after the restart".to_owned(),
    }
}

/// Starts the writer on a thread of its own: it blocks on the disk.
pub fn start(parts: Parts) -> std::io::Result<Queue> {
    let (sender, receiver) = mpsc::channel(WRITER_QUEUE_BATCHES);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    let panicked = PoisonOnPanic(Arc::clone(&parts.health));
    std::thread::Builder::new().name("writer".to_owned()).spawn(move || {
        let _panicked = panicked;
        runtime.block_on(Writer::new(parts).run(receiver));
    })?;
    Ok(Queue(sender))
}

/// A broken invariant ends the writer loudly: the hub says so, acks nothing more, and ends to be started again.
struct PoisonOnPanic(Arc<Health>);

impl Drop for PoisonOnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.poison("the writer broke an invariant; its panic is in the log".to_owned());
        }
    }
}

#[derive(Debug)]
struct Writer {
    parts: Parts,
    position: Position,
    /// The types of series that the log defines, by id.
    defined: Vec<Option<ValueType>>,
}

/// A batch that is part of the commit being built, and what is known of it so far.
#[derive(Debug)]
struct Waiting {
    reply: oneshot::Sender<Outcome>,
    stored: usize,
    duplicate: usize,
    refused: Vec<(usize, Refusal)>,
    /// The sequence of a batch that brought nothing to the log: it is settled all the same. Not logged, so after a restart the
    /// agent sends it again, as duplicates.
    settles: Option<AgentSeq>,
}

impl Writer {
    fn new(parts: Parts) -> Self {
        Self { position: parts.last, parts, defined: Vec::new() }
    }

    async fn run(mut self, mut inputs: mpsc::Receiver<Input>) {
        let mut stop = None;
        let mut batches = Vec::new();
        while stop.is_none() {
            match self.next_input(&mut inputs).await {
                Some(Input::Batch(batch)) => batches.push(batch),
                Some(Input::Stop(done)) => stop = Some(done),
                None => break,
            }
            if stop.is_none() && !self.parts.commit_delay.is_zero() {
                tokio::time::sleep(self.parts.commit_delay).await;
            }
            // A stop takes what was submitted before it; what comes later finds the queue closed.
            if stop.is_some() {
                inputs.close();
            }
            let mut bytes = batches.iter().map(weight).sum::<usize>();
            while bytes < COMMIT_BYTES
                && let Ok(input) = inputs.try_recv()
            {
                match input {
                    Input::Batch(batch) => {
                        bytes += weight(&batch);
                        batches.push(batch);
                    }
                    Input::Stop(done) => {
                        inputs.close();
                        stop = Some(done);
                    }
                }
            }
            self.commit(std::mem::take(&mut batches));
        }
        while let Ok(Input::Batch(batch)) = inputs.try_recv() {
            batches.push(batch);
        }
        self.commit(batches);
        if let Err(error) = self.parts.log.close() {
            tracing::error!(error = %with_cause(&error), "the log was not closed cleanly; the next start recovers it");
        }
        if stop.is_some_and(|done| done.send(()).is_err()) {
            tracing::debug!("who asked for the stop gave up waiting");
        }
    }

    /// The next input; while the disk is full, looks now and then whether there is room again.
    async fn next_input(&self, inputs: &mut mpsc::Receiver<Input>) -> Option<Input> {
        loop {
            if !self.parts.health.is_disk_full() {
                return inputs.recv().await;
            }
            match tokio::time::timeout(DISK_FULL_PROBE, inputs.recv()).await {
                Ok(input) => return input,
                Err(_) if (self.parts.has_room)() => self.parts.health.disk_full(None),
                Err(_) => {}
            }
        }
    }

    fn commit(&mut self, batches: Vec<Batch>) {
        if batches.is_empty() {
            return;
        }
        let started = Instant::now();
        let head = Arc::clone(&self.parts.head);
        let (commit, waiting, heard) = head.with_reader(|head| self.decide(head, batches));
        if commit.parts.is_empty() && commit.meta.is_empty() {
            head.seen(heard.iter().map(|(id, _)| *id), heard.iter().map(|(_, at)| *at).max().unwrap_or_default());
            self.answer(waiting);
            return;
        }
        match self.parts.log.append(&commit) {
            Ok(bytes) => self.parts.metrics.commit_bytes.add(bytes),
            Err(error) => {
                let later = self.append_failed(&commit, &error);
                self.parts.metrics.batches_later.add(waiting.len() as u64);
                for batch in waiting {
                    // Whose connection is gone needs no answer.
                    drop(batch.reply.send(Outcome::Later(later.clone())));
                }
                return;
            }
        }
        self.position = commit.position;
        self.parts.health.disk_full(None);
        self.publish(&Arc::new(commit));
        if !heard.is_empty() {
            head.seen(heard.iter().map(|(id, _)| *id), heard.iter().map(|(_, at)| *at).max().unwrap_or_default());
        }
        self.parts.metrics.commits.inc();
        self.parts.metrics.commit_ns.add(u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX));
        self.answer(waiting);
    }

    /// Durable: now readers may see it.
    fn publish(&self, commit: &Arc<Commit>) {
        let Parts { series, tail, agents, .. } = &self.parts;
        self.parts.head.apply(commit, &[], || {
            for def in &commit.series {
                series.list(def.id);
            }
            for change in &commit.meta {
                series.apply_meta(change, commit.wall);
            }
            tail.push(Arc::clone(commit));
        });
        commit.parts.iter().filter_map(|part| part.agent.as_ref()).for_each(|agent| agents.committed(agent));
    }

    fn answer(&self, waiting: Vec<Waiting>) {
        let metrics = &self.parts.metrics;
        for Waiting { reply, stored, duplicate, refused, settles } in waiting {
            if let Some(agent) = settles {
                self.parts.agents.committed(&agent);
            }
            metrics.readings_stored.add(stored as u64);
            metrics.readings_duplicate.add(duplicate as u64);
            // Whose connection is gone needs no answer; its readings are stored all the same.
            drop(reply.send(Outcome::Committed { position: self.position, stored, duplicate, refused }));
        }
    }

    /// Sorts the readings into a commit. Series that were heard of through duplicates alone come back beside it.
    fn decide(&mut self, head: &HeadReader<'_>, batches: Vec<Batch>) -> (Commit, Vec<Waiting>, Vec<(SeriesId, TimeNs)>) {
        let mut commit = Commit { position: self.position.next(), wall: self.parts.clock.now(), ..Commit::default() };
        let mut pending = Pending::default();
        let mut waiting = Vec::with_capacity(batches.len());
        let mut heard = Vec::new();
        for batch in batches {
            let start = commit.readings.len();
            let mut outcome = Waiting { reply: batch.reply, stored: 0, duplicate: 0, refused: Vec::new(), settles: None };
            for (index, reading) in batch.readings.into_iter().enumerate() {
                if let Err(refusal) = self.check_type(&reading, &mut commit.series) {
                    outcome.refused.push((index, refusal));
                } else if pending.is_duplicate(head, &reading, &commit.readings) {
                    outcome.duplicate += 1;
                    heard.push((reading.series, batch.received));
                } else {
                    outcome.stored += 1;
                    pending.add(&reading);
                    commit.readings.push(reading);
                }
            }
            // The log writes runs of one series; a stable sort keeps the order within each.
            commit.readings[start..].sort_by_key(|reading| reading.series);
            if commit.readings.len() > start {
                commit.parts.push(BatchPart { agent: batch.agent, received: batch.received, end: commit.readings.len() });
            } else {
                outcome.settles = batch.agent;
            }
            commit.meta.extend(batch.meta.into_iter().filter(|change| self.is_defined(change.series)));
            waiting.push(outcome);
        }
        (commit, waiting, heard)
    }

    fn is_defined(&self, id: SeriesId) -> bool {
        matches!(self.defined.get(id.index()), Some(Some(_)))
    }

    /// The first reading of a series fixes its type and brings its definition into the commit.
    fn check_type(&mut self, reading: &Reading, definitions: &mut Vec<SeriesDef>) -> Result<(), Refusal> {
        let value_type = reading.value.value_type();
        if self.defined.len() <= reading.series.index() {
            self.defined.resize(reading.series.index() + 1, None);
        }
        let known = &mut self.defined[reading.series.index()];
        if known.is_none() {
            let series = self.parts.series.by_id(reading.series).expect("sessions resolve series before they submit");
            *known = Some(series.fix_type(value_type));
            if !series.is_listed() {
                definitions.push(SeriesDef { id: series.id, key: series.key.clone(), value_type, owner: series.owner });
            }
        }
        match *known {
            Some(fixed) if fixed != value_type => {
                let message = format!("the series holds {} values, this is a {}", fixed.as_str(), value_type.as_str());
                Err(Refusal::new(RowCode::TypeChanged, message))
            }
            _ => Ok(()),
        }
    }

    /// Takes back what the failed commit did to the series table, and says what the senders are told.
    fn append_failed(&mut self, commit: &Commit, error: &AppendError) -> Later {
        for def in &commit.series {
            self.defined[def.id.index()] = None;
            if let Some(series) = self.parts.series.by_id(def.id) {
                series.unfix_type();
            }
        }
        let message = error.to_string();
        match error {
            AppendError::DiskFull { .. } => {
                if !self.parts.health.is_disk_full() {
                    tracing::error!(%message, "the disk is full: batches are refused until there is room");
                }
                self.parts.health.disk_full(Some(message.clone()));
                Later { code: BatchCode::DiskFull, after_ms: RETRY_DISK_FULL_MS, message }
            }
            AppendError::Poisoned { .. } => {
                let cause = with_cause(error);
                tracing::error!(error = %cause, "the commit log is poisoned: nothing is acked any more");
                self.parts.health.poison(cause);
                Later { code: BatchCode::StoreFailed, after_ms: RETRY_FAILED_MS, message }
            }
        }
    }
}

/// About how much of a commit's byte bound a batch takes.
fn weight(batch: &Batch) -> usize {
    let text = |reading: &Reading| if let Value::Text(text) = &reading.value { text.len() } else { 0 };
    size_of_val(&batch.readings[..]) + batch.readings.iter().map(text).sum::<usize>()
}

fn with_cause(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

/// What the commit being built already holds, beyond the head. The map is made only when a reading is not in order.
#[derive(Debug, Default)]
struct Pending {
    newest: FxHashMap<SeriesId, TimeNs>,
    values: Option<FxHashMap<(SeriesId, TimeNs), Value>>,
}

impl Pending {
    fn is_duplicate(&mut self, head: &HeadReader<'_>, reading: &Reading, earlier: &[Reading]) -> bool {
        let newest = self.newest.get(&reading.series).copied().max(head.newest_time(reading.series));
        if newest.is_none_or(|newest| newest < reading.time) {
            return false;
        }
        let values = self.values.get_or_insert_with(|| earlier.iter().map(|r| ((r.series, r.time), r.value.clone())).collect());
        match values.get(&(reading.series, reading.time)) {
            Some(value) => *value == reading.value,
            None => head.look_up(reading.series, reading.time) == LookUp::Found(reading.value.clone()),
        }
    }

    fn add(&mut self, reading: &Reading) {
        let newest = self.newest.entry(reading.series).or_insert(reading.time);
        *newest = reading.time.max(*newest);
        if let Some(values) = &mut self.values {
            values.insert((reading.series, reading.time), reading.value.clone());
        }
    }
}

#[cfg(test)]
#[path = "writer_tests.rs"]
mod tests;
