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
use super::late::{Desk, LookedUp};
use super::queue::{Input, Queue, weight};
use super::{Batch, Later, Outcome, Refusal};
use crate::clock::Clock;
use crate::head::{Head, HeadReader, LookUp, Repair};
use crate::health::Health;
use crate::keyed::KeyedMap;
use crate::limits::{COMMIT_BYTES, SEAL_WAIT};
use crate::log::tail::Tail;
use crate::log::{AppendError, Log};
use crate::logging::chain;
use crate::metrics::Metrics;
use crate::model::{AgentSeq, BatchPart, Commit, Delete, Position, Reading, SeriesDef, SeriesId, TimeNs, Value, ValueType};
use crate::query::last;
use crate::seal::{Pressure, Trouble};
use crate::series::SeriesTable;
use crate::store::{Store, StoreError};

/// How often a full disk is tried again while nobody sends.
const DISK_FULL_PROBE: Duration = Duration::from_millis(500);
/// How often the disk is asked for its free space while batches come in.
const ROOM_PROBE: Duration = Duration::from_millis(100);
/// The writer's steps of waiting for a seal; between them it looks whether sealing is in trouble.
const SEAL_STEP: Duration = Duration::from_millis(250);
/// What a refused batch is told to wait.
const RETRY_DISK_FULL_MS: u32 = 1_000;
const RETRY_FAILED_MS: u32 = 5_000;

/// What the writer works with. All but the log is shared.
pub struct Parts {
    pub log: Box<dyn Log>,
    pub series: Arc<SeriesTable>,
    pub head: Arc<Head>,
    pub store: Arc<dyn Store>,
    pub pressure: Arc<Pressure>,
    pub tail: Arc<Tail>,
    pub agents: Arc<Agents>,
    pub health: Arc<Health>,
    pub metrics: Arc<Metrics>,
    pub clock: Clock,
    pub last: Position,
    /// How long the first batch of a commit waits for company. Zero: a commit at once when idle.
    pub commit_delay: Duration,
    /// Bytes of the active generation beyond which the writer waits for the sealer.
    pub active_bytes: usize,
    /// Is there room on the disk for more than what is sealed next?
    pub has_room: Box<dyn Fn() -> bool + Send>,
}

impl std::fmt::Debug for Parts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Parts").field("last", &self.last).field("commit_delay", &self.commit_delay).finish_non_exhaustive()
    }
}

/// Starts the writer on a thread of its own: it blocks on the disk.
pub fn start(parts: Parts) -> std::io::Result<Queue> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    let panicked = PoisonOnPanic(Arc::clone(&parts.health));
    let late = Desk::new(Arc::clone(&parts.head), Arc::clone(&parts.store), Arc::clone(&parts.metrics));
    let (queue, receiver) = Queue::new(late);
    std::thread::Builder::new().name("writer".to_owned()).spawn(move || {
        let _panicked = panicked;
        runtime.block_on(Writer::new(parts).run(receiver));
    })?;
    Ok(queue)
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
    /// When the disk was last asked for its free space.
    room_seen: Option<Instant>,
    /// The types of series that the log defines, by id.
    defined: Vec<Option<ValueType>>,
    /// Readings of an earlier commit that nobody reads any more: room for those of the next.
    room: Vec<Reading>,
}

/// Readings sorted into a commit, who waits for it, and series that were heard of through duplicates alone.
struct Decided {
    commit: Commit,
    waiting: Vec<Waiting>,
    heard: Vec<(SeriesId, TimeNs)>,
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
        Self { position: parts.last, parts, room_seen: None, defined: Vec::new(), room: Vec::new() }
    }

    async fn run(mut self, mut inputs: mpsc::Receiver<Input>) {
        let mut stop = None;
        while stop.is_none() {
            let mut batches = Vec::new();
            let mut deletes = Vec::new();
            // Given back when the batches are answered.
            let mut rooms = Vec::new();
            match self.next_input(&mut inputs).await {
                Some(Input::Batch(batch, looked_up, room)) => {
                    batches.push((batch, looked_up));
                    rooms.push(room);
                }
                Some(Input::Delete(ranges, done)) => deletes.push((ranges, done)),
                Some(Input::Stop(done)) => stop = Some(done),
                None => break,
            }
            if stop.is_none() && deletes.is_empty() && !self.parts.commit_delay.is_zero() {
                tokio::time::sleep(self.parts.commit_delay).await;
            }
            // A stop takes what was submitted before it; what comes later finds the queue closed.
            if stop.is_some() {
                inputs.close();
            }
            let mut bytes = batches.iter().map(|(batch, _)| weight(batch)).sum::<usize>();
            // A delete ends a commit: what was sent after it is not deleted by it.
            while bytes < COMMIT_BYTES
                && deletes.is_empty()
                && let Ok(input) = inputs.try_recv()
            {
                match input {
                    Input::Batch(batch, looked_up, room) => {
                        bytes += weight(&batch);
                        batches.push((batch, looked_up));
                        rooms.push(room);
                    }
                    Input::Delete(ranges, done) => deletes.push((ranges, done)),
                    Input::Stop(done) => {
                        inputs.close();
                        stop = Some(done);
                    }
                }
            }
            self.commit(batches);
            drop(rooms);
            deletes.into_iter().for_each(|(ranges, done)| self.delete(ranges, done));
        }
        let mut batches = Vec::new();
        while let Ok(input) = inputs.try_recv() {
            match input {
                // What waits is bounded, and nobody comes after it.
                Input::Batch(batch, looked_up, _room) => batches.push((batch, looked_up)),
                // Who asked for it is told by the dropped answer.
                Input::Delete(..) | Input::Stop(_) => {}
            }
        }
        self.commit(batches);
        if let Err(error) = self.parts.log.close() {
            tracing::error!(error = %chain(&error), "the log was not closed cleanly; the next start recovers it");
        }
        if stop.is_some_and(|done| done.send(()).is_err()) {
            tracing::debug!("who asked for the stop gave up waiting");
        }
    }

    /// The next input; while the disk is full, looks now and then whether there is room again.
    async fn next_input(&mut self, inputs: &mut mpsc::Receiver<Input>) -> Option<Input> {
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

    fn commit(&mut self, batches: Vec<(Batch, LookedUp)>) {
        if batches.is_empty() {
            return;
        }
        if let Err(later) = self.make_room() {
            return self.turn_away(batches.into_iter().map(|(batch, _)| batch.reply), &later);
        }
        let started = Instant::now();
        let head = Arc::clone(&self.parts.head);
        let decided = head.with_reader(|head| self.decide(head, batches));
        let Decided { commit, waiting, heard } = decided;
        if !heard.is_empty() {
            head.seen(heard.iter().map(|(id, _)| *id), heard.iter().map(|(_, at)| *at).max().unwrap_or_default());
        }
        if commit.parts.is_empty() && commit.meta.is_empty() {
            self.answer(waiting);
            return;
        }
        if let Err(later) = self.append(&commit) {
            return self.turn_away(waiting.into_iter().map(|waiting| waiting.reply), &later);
        }
        self.publish(&Arc::new(commit), &[]);
        let took = started.elapsed();
        self.parts.metrics.commit_ns.add(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
        self.parts.metrics.commit_times.add(took);
        self.answer(waiting);
        if head.bytes().0 >= self.parts.active_bytes {
            self.parts.pressure.ask();
        }
    }

    /// A delete is a commit of its own.
    fn delete(&mut self, deletes: Vec<Delete>, done: oneshot::Sender<Result<Position, Later>>) {
        let commit = Commit { position: self.position.next(), wall: self.parts.clock.now(), deletes, ..Commit::default() };
        let outcome = self.make_room().and_then(|()| {
            let repairs = last::repairs(&self.parts.head, Some(&*self.parts.store), &commit).map_err(|error| store_failed(&error))?;
            self.append(&commit)?;
            self.parts.metrics.deletes.add(commit.deletes.len() as u64);
            self.publish(&Arc::new(commit), &repairs);
            Ok(self.position)
        });
        // Who asked may be gone; the delete stands all the same.
        drop(done.send(outcome));
    }

    /// Whether a commit can be taken now: the log and the store work, the disk has room, and so has memory, for which the sealer
    /// is waited for.
    fn make_room(&mut self) -> Result<(), Later> {
        let Parts { health, pressure, head, active_bytes, has_room, .. } = &self.parts;
        if self.room_seen.is_none_or(|at| at.elapsed() >= ROOM_PROBE) {
            self.room_seen = Some(Instant::now());
            let room = has_room();
            if !room && !health.is_disk_full() {
                tracing::error!("the disk is nearly full: batches are refused until there is room");
            }
            health.disk_full((!room).then(|| "the disk is nearly full, below [store] reserve_bytes".to_owned()));
            if !room {
                // Looked at again with the next batch: room that came back is noticed at once.
                self.room_seen = None;
                let message = "the disk of the hub is nearly full".to_owned();
                return Err(Later { code: BatchCode::DiskFull, after_ms: RETRY_DISK_FULL_MS, message });
            }
        }
        if let Some(message) = self.parts.store.overdue() {
            return Err(Later { code: BatchCode::StoreAway, after_ms: RETRY_FAILED_MS, message });
        }
        let mut waited = Duration::ZERO;
        // Over the bound the sealer is asked; it may be busy with other work, so some more is let in before it is waited for.
        let is_full = || head.bytes().0 >= active_bytes + active_bytes / 2 || (head.bytes().0 >= *active_bytes && head.is_frozen());
        while is_full() {
            if let Some(why) = health.is_poisoned() {
                return Err(Later { code: BatchCode::StoreFailed, after_ms: RETRY_FAILED_MS, message: why });
            }
            match pressure.trouble() {
                Some(Trouble::DiskFull(message)) => {
                    health.disk_full(Some(message.clone()));
                    return Err(Later { code: BatchCode::DiskFull, after_ms: RETRY_DISK_FULL_MS, message });
                }
                Some(Trouble::Failed(message)) => {
                    return Err(Later { code: BatchCode::StoreFailed, after_ms: RETRY_FAILED_MS, message });
                }
                None if waited >= SEAL_WAIT => {
                    let message = "memory is full and the store is too slow to take it over".to_owned();
                    return Err(Later { code: BatchCode::SlowDown, after_ms: RETRY_FAILED_MS, message });
                }
                None => {
                    let began = Instant::now();
                    pressure.wait_for_seal(SEAL_STEP);
                    waited += began.elapsed();
                }
            }
        }
        match health.is_poisoned() {
            Some(message) => Err(Later { code: BatchCode::StoreFailed, after_ms: RETRY_FAILED_MS, message }),
            None => Ok(()),
        }
    }

    /// Makes the commit durable. Err: what the senders are told; nothing of it stands.
    fn append(&mut self, commit: &Commit) -> Result<(), Later> {
        match self.parts.log.append(commit) {
            Ok(bytes) => {
                self.parts.metrics.commits.inc();
                self.parts.metrics.commit_bytes.add(bytes);
                self.position = commit.position;
                Ok(())
            }
            Err(error) => Err(self.append_failed(commit, &error)),
        }
    }

    fn turn_away(&self, replies: impl ExactSizeIterator<Item = oneshot::Sender<Outcome>>, later: &Later) {
        self.parts.metrics.batches_later.add(replies.len() as u64);
        for reply in replies {
            // Whose connection is gone needs no answer.
            drop(reply.send(Outcome::Later(later.clone())));
        }
    }

    /// Durable: now readers may see it.
    fn publish(&mut self, commit: &Arc<Commit>, repairs: &[Repair]) {
        let Parts { series, tail, agents, metrics, .. } = &self.parts;
        let mut made_way = None;
        self.parts.head.apply(commit, repairs, || {
            for def in &commit.series {
                series.list(def.id, commit.wall);
            }
            for change in &commit.meta {
                series.apply_meta(change, commit.wall);
            }
            made_way = tail.push(Arc::clone(commit));
        });
        for agent in commit.parts.iter().filter_map(|part| part.agent.as_ref()) {
            metrics.agents_forgotten.add(agents.committed(agent, commit.position) as u64);
        }
        if let Some(old) = made_way.and_then(Arc::into_inner) {
            self.room = old.readings;
            self.room.clear();
        }
    }

    /// An empty list for so many readings, with not much more room than they need.
    fn readings_room(&mut self, count: usize) -> Vec<Reading> {
        let room = std::mem::take(&mut self.room);
        if (count..=2 * count).contains(&room.capacity()) { room } else { Vec::with_capacity(count) }
    }

    fn answer(&self, waiting: Vec<Waiting>) {
        let metrics = &self.parts.metrics;
        for Waiting { reply, stored, duplicate, refused, settles } in waiting {
            if let Some(agent) = settles {
                metrics.agents_forgotten.add(self.parts.agents.committed(&agent, self.position) as u64);
            }
            metrics.readings_stored.add(stored as u64);
            metrics.readings_duplicate.add(duplicate as u64);
            // Whose connection is gone needs no answer; its readings are stored all the same.
            drop(reply.send(Outcome::Committed { position: self.position, stored, duplicate, refused }));
        }
    }

    /// Sorts the readings into a commit.
    fn decide(&mut self, head: &HeadReader<'_>, batches: Vec<(Batch, LookedUp)>) -> Decided {
        let readings = self.readings_room(batches.iter().map(|(batch, _)| batch.readings.len()).sum());
        let mut commit = Commit { position: self.position.next(), wall: self.parts.clock.now(), readings, ..Commit::default() };
        let mut pending = Pending::default();
        let mut waiting = Vec::with_capacity(batches.len());
        let mut heard = Vec::new();
        for (batch, looked_up) in batches {
            let start = commit.readings.len();
            let mut outcome = Waiting { reply: batch.reply, stored: 0, duplicate: 0, refused: Vec::new(), settles: None };
            for (index, reading) in batch.readings.into_iter().enumerate() {
                if let Err(refusal) = self.check_type(&reading, &mut commit.series) {
                    outcome.refused.push((index, refusal));
                    continue;
                }
                let stands = pending.stands(head, &reading, &commit.readings);
                let duplicate = match stands {
                    Stands::Value(value) => value == reading.value,
                    Stands::Nothing => false,
                    Stands::AskStore => self.stored(head, &looked_up, &reading),
                };
                if duplicate {
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
            let told = batch.meta.into_iter().filter(|told| self.holds(told.change.series, told.with));
            commit.meta.extend(told.map(|told| told.change));
            waiting.push(outcome);
        }
        if commit.readings.len() < commit.readings.capacity() / 4 {
            // Most were duplicates: what is followed in memory is not to keep their room.
            commit.readings.shrink_to_fit();
        }
        Decided { commit, waiting, heard }
    }

    /// Whether the store has this very value.
    fn stored(&self, head: &HeadReader<'_>, looked_up: &LookedUp, reading: &Reading) -> bool {
        if let Some(stands) = looked_up.stands(head, reading.series, reading.time) {
            return stands == Some(&reading.value);
        }
        // A whole generation was committed and sealed while the batch waited. Rare, so the writer may read the disk.
        self.parts.metrics.late_looked_up_by_writer.inc();
        match self.parts.store.look_up(&head.pin(), reading.series, &[reading.time]) {
            Ok(found) => found.first().is_some_and(|found| found.as_ref() == Some(&reading.value)),
            Err(error) => {
                // Taken as new: it is then stored once more with the same value, which harms nobody.
                tracing::error!(%error, series = reading.series.0, "a late reading could not be compared with the store");
                false
            }
        }
    }

    /// Whether the series has readings, and of this type.
    fn holds(&self, id: SeriesId, value_type: ValueType) -> bool {
        self.defined.get(id.index()).copied().flatten() == Some(value_type)
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
                let cause = chain(error);
                tracing::error!(error = %cause, "the commit log is poisoned: nothing is acked any more");
                self.parts.health.poison(cause);
                Later { code: BatchCode::StoreFailed, after_ms: RETRY_FAILED_MS, message }
            }
        }
    }
}

fn store_failed(error: &StoreError) -> Later {
    let code = if let StoreError::Away { .. } = error { BatchCode::StoreAway } else { BatchCode::StoreFailed };
    Later { code, after_ms: RETRY_FAILED_MS, message: error.to_string() }
}

/// What stands at a reading's time before it.
enum Stands {
    Value(Value),
    Nothing,
    AskStore,
}

/// What the commit being built already holds, beyond the head. The map is made only when a reading is not in order.
#[derive(Debug, Default)]
struct Pending {
    newest: FxHashMap<SeriesId, TimeNs>,
    /// By times that senders choose.
    values: Option<KeyedMap<(SeriesId, TimeNs), Value>>,
}

impl Pending {
    fn stands(&mut self, head: &HeadReader<'_>, reading: &Reading, earlier: &[Reading]) -> Stands {
        let newest = self.newest.get(&reading.series).copied().max(head.newest_time(reading.series));
        if newest.is_none_or(|newest| newest < reading.time) {
            return Stands::Nothing;
        }
        let values = self.values.get_or_insert_with(|| earlier.iter().map(|r| ((r.series, r.time), r.value.clone())).collect());
        if let Some(value) = values.get(&(reading.series, reading.time)) {
            return Stands::Value(value.clone());
        }
        match head.look_up(reading.series, reading.time) {
            LookUp::Found(value) => Stands::Value(value),
            LookUp::Nothing => Stands::Nothing,
            LookUp::AskStore => Stands::AskStore,
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
