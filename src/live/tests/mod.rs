//! Live against the real head and tail, with a log in memory, a manual clock, and viewers that keep a map as the contract tells
//! them to. No threads: the engine is stepped.

mod attributes;
mod bounds;
mod breaks;
mod client;
mod columns;
mod events;
mod exact;
mod flood;
mod large;
mod rules;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use tokio::sync::watch;

use super::engine::{Engine, Input, Job, Parts};
use super::outbox::{Outbox, ViewerId};
use super::presence::Presence;
use super::protocol::{ClientMessage, Encoding, parse_json};
use crate::auth::access::{Access, Role, Scope};
use crate::clock::Clock;
use crate::head::Head;
use crate::log::tail::Tail;
use crate::log::{LogRead, ReadError};
use crate::metrics::Metrics;
use crate::model::{BatchPart, Commit, Delete, MetaChange, Position, Reading, SeriesDef, SeriesId, TimeNs, TokenId, Value};
use crate::query::last;
use crate::query::selector::{Attributes, fingerprint};
use crate::series::{KeyRef, SeriesTable};
use crate::store::Store;
use crate::store::memory::MemoryStore;

const EPOCH: u64 = 0x1234;
/// Where the manual clock starts: 2026-11-23, in whole ms so that JSON is exact too.
const NOW: TimeNs = 1_795_396_030_000_000_000;

/// A commit log that forgets what is before `oldest`.
#[derive(Debug, Default)]
struct MemLog {
    commits: Mutex<Vec<Arc<Commit>>>,
    oldest: AtomicU64,
    bytes_read: AtomicU64,
}

impl LogRead for MemLog {
    fn bytes_read(&self) -> u64 {
        self.bytes_read.load(Ordering::Relaxed)
    }

    fn epoch(&self) -> u64 {
        EPOCH
    }

    fn read(&self, after: Position, until: Position, _max: u64, each: &mut dyn FnMut(Commit)) -> Result<(), ReadError> {
        let oldest = Position(self.oldest.load(Ordering::Relaxed));
        if after < oldest {
            return Err(ReadError::Gone { asked: after, oldest });
        }
        let commits = self.commits.lock().clone();
        for commit in commits.iter().filter(|c| c.position > after && c.position <= until) {
            self.bytes_read.fetch_add(commit.weight() as u64, Ordering::Relaxed);
            each((**commit).clone());
        }
        Ok(())
    }
}

/// Attributes that a test may edit: by device and name.
#[derive(Debug, Default)]
struct Described(Mutex<BTreeMap<(String, String), String>>);

impl Attributes for Described {
    fn with_value(&self, device: &str, name: &str, use_value: &mut dyn FnMut(&str)) {
        let all = self.0.lock();
        use_value(all.get(&(device.to_owned(), name.to_owned())).map_or("", String::as_str));
    }

    fn fingerprint(&self, device: &str) -> u64 {
        let all = self.0.lock();
        let of_device = all.iter().filter(|((of, _), value)| of == device && !value.is_empty());
        fingerprint(device, of_device.map(|((_, name), value)| (name.as_str(), value.as_str())))
    }

    fn fingerprints(&self, each: &mut dyn FnMut(&str, u64)) {
        let devices: std::collections::BTreeSet<String> = self.0.lock().keys().map(|(device, _)| device.clone()).collect();
        devices.iter().for_each(|device| each(device, self.fingerprint(device)));
    }
}

/// All points of all series as they were after one commit.
type Truth = BTreeMap<SeriesId, BTreeMap<TimeNs, Value>>;

struct World {
    engine: Engine,
    parts: Parts,
    series: Arc<SeriesTable>,
    head: Arc<Head>,
    tail: Arc<Tail>,
    log: Arc<MemLog>,
    store: Arc<MemoryStore>,
    presence: Arc<Presence>,
    described: Arc<Described>,
    metrics: Arc<Metrics>,
    clock: Clock,
    jobs: Arc<Mutex<Vec<Job>>>,
    now_ns: u64,
    /// By position: what history answered then.
    truth: Vec<Arc<Truth>>,
    viewers: u64,
}

impl World {
    fn new() -> Self {
        Self::with_tail(64 << 20)
    }

    fn with_tail(tail_bytes: usize) -> Self {
        let clock = Clock::manual(NOW);
        let (series, head, log) = (Arc::new(SeriesTable::new(10_000, 10_000)), Arc::new(Head::default()), Arc::new(MemLog::default()));
        let tail = Arc::new(Tail::new(Position(0), tail_bytes));
        let (presence, metrics) = (Arc::new(Presence::new(NOW, Vec::new())), Arc::new(Metrics::default()));
        let (described, store) = (Arc::new(Described::default()), Arc::new(MemoryStore::default()));
        let jobs: Arc<Mutex<Vec<Job>>> = Arc::default();
        let parts = Parts {
            clock: clock.clone(),
            series: Arc::clone(&series),
            head: Arc::clone(&head),
            tail: Arc::clone(&tail),
            log: Arc::clone(&log) as Arc<dyn LogRead>,
            store: Arc::clone(&store) as Arc<dyn Store>,
            attributes: Arc::clone(&described) as Arc<dyn Attributes + Send + Sync>,
            presence: Arc::clone(&presence),
            metrics: Arc::clone(&metrics),
        };
        let engine = engine(parts.clone(), &jobs);
        let truth = vec![Arc::new(Truth::new())];
        Self { engine, parts, series, head, tail, log, store, presence, described, metrics, clock, jobs, now_ns: 1, truth, viewers: 0 }
    }

    /// Another engine over the same head and log.
    fn restart(&mut self) {
        self.engine = engine(self.parts.clone(), &self.jobs);
    }

    fn id(&self, device: &str, metric: &str) -> SeriesId {
        self.series.resolve(KeyRef { device, metric, labels: &[] }, TokenId(1)).unwrap().id
    }

    /// Commits as the writer does: defines what is new, drops duplicates, publishes under the head's lock.
    fn commit(&mut self, deletes: &[Delete], readings: &[(SeriesId, TimeNs, Value)]) {
        let position = Position(self.truth.len() as u64);
        let mut truth = (**self.truth.last().unwrap()).clone();
        let mut commit = Commit { position, wall: self.clock.now(), deletes: deletes.to_vec(), ..Commit::default() };
        for delete in deletes {
            truth.entry(delete.series).or_default().retain(|t, _| !(delete.from..=delete.to).contains(t));
        }
        for (id, time, value) in readings {
            let series = self.series.by_id(*id).unwrap();
            if !series.is_listed() && !commit.series.iter().any(|def| def.id == *id) {
                let value_type = series.fix_type(value.value_type());
                commit.series.push(SeriesDef { id: *id, key: series.key.clone(), value_type, owner: TokenId(1) });
            }
            let points = truth.entry(*id).or_default();
            if points.get(time) != Some(value) {
                points.insert(*time, value.clone());
                commit.readings.push(Reading { series: *id, time: *time, value: value.clone() });
            }
        }
        commit.parts.push(BatchPart { agent: None, received: self.clock.now(), end: commit.readings.len() });
        self.truth.push(Arc::new(truth));
        self.publish(commit);
    }

    fn publish(&self, commit: Commit) {
        let commit = Arc::new(commit);
        self.log.commits.lock().push(Arc::clone(&commit));
        let repairs = last::repairs(&self.head, Some(self.store.as_ref()), &commit).unwrap();
        self.head.apply(&commit, &repairs, || {
            commit.series.iter().for_each(|def| self.series.list(def.id, commit.wall));
            commit.meta.iter().for_each(|change| self.series.apply_meta(change, commit.wall));
            self.tail.push(Arc::clone(&commit));
        });
    }

    /// Seals what the head holds. The store knows one state, the newest: whoever reads an older one does it before.
    fn seal(&self) {
        self.run_jobs();
        if let Some(generation) = self.head.freeze() {
            self.store.seal(&generation.handover()).unwrap();
            self.head.sealed(&generation);
        }
    }

    fn change_meta(&mut self, series: SeriesId, unit: &str) {
        let position = Position(self.truth.len() as u64);
        self.truth.push(Arc::clone(self.truth.last().unwrap()));
        let meta = vec![MetaChange { series, unit: Some(unit.into()), kind: None }];
        self.publish(Commit { position, meta, ..Commit::default() });
    }

    fn describe(&mut self, device: &str, name: &str, value: &str) {
        self.described.0.lock().insert((device.to_owned(), name.to_owned()), value.to_owned());
        self.engine.on_input(Input::Attributes { device: device.into() }, self.now_ns);
    }

    /// Moves time and lets the engine do what is due.
    fn advance(&mut self, ms: u64) {
        self.now_ns += ms * 1_000_000;
        self.clock.advance(i64::try_from(ms).unwrap() * 1_000_000);
        self.turn();
    }

    fn turn(&mut self) {
        self.engine.presence_changed();
        self.engine.follow();
        self.engine.tick(self.now_ns);
    }

    fn run_jobs(&self) {
        let jobs = std::mem::take(&mut *self.jobs.lock());
        jobs.into_iter().for_each(|job| job());
    }

    fn open(&mut self, encoding: Encoding, mailbox_bytes: usize) -> Arc<Outbox> {
        self.viewers += 1;
        let outbox = Arc::new(Outbox::new(ViewerId(self.viewers), encoding, mailbox_bytes, Arc::clone(&self.metrics)));
        self.engine.on_input(Input::Opened(Arc::clone(&outbox)), self.now_ns);
        outbox
    }

    fn send(&mut self, viewer: ViewerId, scope: Scope, text: &str) {
        self.send_as(TokenId(1), viewer, scope, text);
    }

    fn send_as(&mut self, token: TokenId, viewer: ViewerId, scope: Scope, text: &str) {
        let input = match parse_json(text).unwrap() {
            ClientMessage::Subscribe(subscribe) => Input::Subscribe { viewer, access: access(token, scope), subscribe },
            ClientMessage::Unsubscribe { id } => Input::Unsubscribe { viewer, id },
            ClientMessage::Ping => return,
        };
        self.engine.on_input(input, self.now_ns);
    }
}

fn access(token: TokenId, scope: Scope) -> Access {
    Access::new(token, "test".to_owned(), Role::Viewer, scope, watch::channel(false).1)
}

fn engine(parts: Parts, jobs: &Arc<Mutex<Vec<Job>>>) -> Engine {
    let queue = Arc::clone(jobs);
    Engine::new(parts, Box::new(move |job| queue.lock().push(job)))
}
