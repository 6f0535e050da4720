//! The writer against a log in memory that can be told to fail.

use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::FutureExt;
use parking_lot::Mutex;

use super::*;
use crate::ingest::ToldMeta;
use crate::limits::{BOOTS_PER_AGENT, WRITER_QUEUE_BATCHES};
use crate::model::{Kind, MetaChange, TimeRange, TokenId};
use crate::series::KeyRef;
use crate::store::memory::MemoryStore;

#[derive(Clone, Copy, PartialEq)]
enum Fail {
    No,
    Full,
    Broken,
    Panic,
}

struct FakeLog {
    commits: Arc<Mutex<Vec<Commit>>>,
    fail: Arc<Mutex<Fail>>,
    closed: Arc<AtomicBool>,
}

impl Log for FakeLog {
    fn append(&mut self, commit: &Commit) -> Result<u64, AppendError> {
        match *self.fail.lock() {
            Fail::No => self.commits.lock().push(commit.clone()),
            Fail::Full => return Err(AppendError::DiskFull { path: "/d".into() }),
            Fail::Panic => panic!("asked for by the test"),
            Fail::Broken => return Err(AppendError::Poisoned { what: "fdatasync", path: "/d".into(), source: None }),
        }
        Ok(1)
    }

    fn close(&mut self) -> Result<(), AppendError> {
        self.closed.store(true, Ordering::SeqCst);
        Ok(())
    }
}

struct Bench {
    queue: Queue,
    series: Arc<SeriesTable>,
    head: Arc<Head>,
    store: Arc<MemoryStore>,
    pressure: Arc<Pressure>,
    tail: Arc<Tail>,
    health: Arc<Health>,
    agents: Arc<Agents>,
    metrics: Arc<Metrics>,
    commits: Arc<Mutex<Vec<Commit>>>,
    fail: Arc<Mutex<Fail>>,
    room: Arc<AtomicBool>,
    closed: Arc<AtomicBool>,
}

impl Bench {
    fn new(commit_delay: Duration) -> Self {
        let series = Arc::new(SeriesTable::new(100, 100));
        let (head, tail) = (Arc::<Head>::default(), Arc::new(Tail::new(Position(0), 1 << 20)));
        let (health, agents, metrics) = (Arc::<Health>::default(), Arc::<Agents>::default(), Arc::<Metrics>::default());
        let (commits, fail) = (Arc::default(), Arc::new(Mutex::new(Fail::No)));
        let (closed, room) = (Arc::<AtomicBool>::default(), Arc::new(AtomicBool::new(true)));
        let (store, pressure) = (Arc::<MemoryStore>::default(), Arc::<Pressure>::default());
        let log = FakeLog { commits: Arc::clone(&commits), fail: Arc::clone(&fail), closed: Arc::clone(&closed) };
        let has_room = Arc::clone(&room);
        let queue = start(Parts {
            log: Box::new(log),
            series: Arc::clone(&series),
            head: Arc::clone(&head),
            store: Arc::clone(&store) as Arc<dyn Store>,
            pressure: Arc::clone(&pressure),
            active_bytes: 1 << 20,
            tail: Arc::clone(&tail),
            agents: Arc::clone(&agents),
            health: Arc::clone(&health),
            metrics: Arc::clone(&metrics),
            clock: Clock::manual(1_000),
            last: Position(0),
            commit_delay,
            has_room: Box::new(move || has_room.load(Ordering::SeqCst)),
        })
        .unwrap();
        Self { queue, series, head, store, pressure, tail, health, agents, metrics, commits, fail, room, closed }
    }

    fn id(&self, metric: &str) -> SeriesId {
        self.series.resolve(KeyRef { device: "d", metric, labels: &[] }, TokenId(1)).unwrap().id
    }

    async fn send(&self, readings: &[(SeriesId, TimeNs, Value)]) -> oneshot::Receiver<Outcome> {
        self.send_batch(readings, Vec::new(), None).await
    }

    async fn send_batch(
        &self,
        readings: &[(SeriesId, TimeNs, Value)],
        meta: Vec<ToldMeta>,
        agent: Option<AgentSeq>,
    ) -> oneshot::Receiver<Outcome> {
        let (reply, outcome) = oneshot::channel();
        let readings =
            readings.iter().map(|(series, time, value)| Reading { series: *series, time: *time, value: value.clone() }).collect();
        self.queue.submit(Batch { readings, meta, agent, received: 77, reply }).await.unwrap();
        outcome
    }

    /// (stored, duplicate, refused codes by index)
    async fn result(&self, readings: &[(SeriesId, TimeNs, Value)]) -> (usize, usize, Vec<(usize, RowCode)>) {
        match self.send(readings).await.await.unwrap() {
            Outcome::Committed { stored, duplicate, refused, .. } => {
                (stored, duplicate, refused.into_iter().map(|(i, refusal)| (i, refusal.code)).collect())
            }
            Outcome::Later(later) => panic!("{later:?}"),
        }
    }

    fn points(&self, id: SeriesId) -> Vec<(TimeNs, Value)> {
        self.head.view(&[id], TimeRange::ALL).columns[0].iter().collect()
    }
}

fn int(i: i64) -> Value {
    Value::Int(i)
}

#[tokio::test]
async fn new_rewritten_duplicate_and_wrong_type_are_told_apart() {
    let bench = Bench::new(Duration::ZERO);
    let (a, b) = (bench.id("a"), bench.id("b"));
    assert_eq!(bench.result(&[(a, 10, int(1)), (a, 20, int(2)), (b, 10, Value::Bool(true))]).await, (3, 0, vec![]));
    assert_eq!(bench.result(&[(a, 10, int(1)), (a, 20, Value::Float(2.0))]).await, (0, 2, vec![]), "the same again");
    assert_eq!(bench.commits.lock().len(), 1, "duplicates are not logged");
    assert_eq!(bench.result(&[(a, 20, int(3)), (b, 11, int(1)), (a, 5, int(0))]).await, (2, 0, vec![(1, RowCode::TypeChanged)]));
    assert_eq!(bench.points(a), [(5, int(0)), (10, int(1)), (20, int(3))]);
    assert_eq!(bench.points(b), [(10, Value::Bool(true))]);
}

#[tokio::test]
async fn within_one_commit_the_last_write_wins_and_a_repeat_is_a_duplicate() {
    let bench = Bench::new(Duration::ZERO);
    let a = bench.id("a");
    assert_eq!(bench.result(&[(a, 10, int(1)), (a, 10, int(1)), (a, 10, int(2)), (a, 9, int(5)), (a, 9, int(5))]).await, (3, 2, vec![]));
    assert_eq!(bench.points(a), [(9, int(5)), (10, int(2))]);
}

#[tokio::test]
async fn what_waits_together_becomes_one_commit_with_a_part_a_batch() {
    let bench = Bench::new(Duration::from_millis(50));
    let (a, b) = (bench.id("a"), bench.id("b"));
    let agent = AgentSeq { agent: "gw".into(), boot: 3, seq: 8 };
    let first = bench.send(&[(b, 1, int(1)), (a, 1, int(1)), (b, 2, int(1))]).await;
    let second = bench.send_batch(&[(a, 1, int(2))], vec![], Some(agent.clone())).await;
    assert!(matches!(first.await.unwrap(), Outcome::Committed { stored: 3, position: Position(1), .. }));
    assert!(matches!(second.await.unwrap(), Outcome::Committed { stored: 1, position: Position(1), .. }));
    let commit = bench.commits.lock()[0].clone();
    assert_eq!(commit.parts.iter().map(|p| (p.end, p.agent.clone())).collect::<Vec<_>>(), [(3, None), (4, Some(agent))]);
    assert_eq!(commit.readings.iter().map(|r| (r.series, r.time)).collect::<Vec<_>>(), [(a, 1), (b, 1), (b, 2), (a, 1)], "runs by series");
    assert_eq!(commit.series.len(), 2);
    assert_eq!(bench.agents.last_durable("gw", 3), Some(8));
    assert!(matches!(bench.tail.after(Position(0), Position(1)), crate::log::tail::After::Commits(c) if c.len() == 1));
}

#[tokio::test]
async fn a_batch_of_duplicates_settles_its_sequence() {
    let bench = Bench::new(Duration::ZERO);
    let a = bench.id("a");
    for seq in [4, 5] {
        let agent = AgentSeq { agent: "gw".into(), boot: 1, seq };
        bench.send_batch(&[(a, 1, int(1))], vec![], Some(agent)).await.await.unwrap();
        assert_eq!(bench.agents.last_durable("gw", 1), Some(seq));
    }
    assert_eq!(bench.commits.lock().len(), 1);
}

#[tokio::test]
async fn boots_that_are_forgotten_for_newer_ones_are_counted_and_not_sealed() {
    let bench = Bench::new(Duration::ZERO);
    let a = bench.id("a");
    let boots = BOOTS_PER_AGENT as u64 + 2;
    for boot in 0..boots {
        let agent = AgentSeq { agent: "gw".into(), boot, seq: 1 };
        // The last brings a duplicate, which is not logged.
        let time = boot.min(boots - 2).cast_signed();
        bench.send_batch(&[(a, time, int(1))], vec![], Some(agent)).await.await.unwrap();
    }
    let known: Vec<_> = (0..boots).filter(|boot| bench.agents.last_durable("gw", *boot).is_some()).collect();
    assert_eq!((known, bench.metrics.agents_forgotten.value()), ((2..boots).collect(), 2));
    let mut sealed: Vec<_> = bench.head.freeze().unwrap().agents().map(|(agent, used)| (agent.boot, used.0)).collect();
    sealed.sort_unstable();
    assert_eq!(sealed, (1..boots - 1).map(|boot| (boot, boot + 1)).collect::<Vec<_>>());
}

#[tokio::test]
async fn what_is_followed_in_memory_has_no_room_for_duplicates() {
    let bench = Bench::new(Duration::ZERO);
    let a = bench.id("a");
    let mut readings: Vec<_> = (0..1_000).map(|time| (a, time, int(1))).collect();
    for new in 0..20 {
        bench.result(&readings).await;
        readings[new].2 = int(2);
    }
    let crate::log::tail::After::Commits(commits) = bench.tail.after(Position(1), Position(99)) else { panic!("they fit") };
    assert_eq!(commits.len(), 19);
    assert!(commits.iter().all(|commit| commit.readings.len() == 1 && commit.readings.capacity() <= 4));
}

#[tokio::test]
async fn a_full_disk_refuses_leaves_no_trace_and_is_left_by_itself() {
    let bench = Bench::new(Duration::ZERO);
    let a = bench.id("a");
    *bench.fail.lock() = Fail::Full;
    bench.room.store(false, Ordering::SeqCst);
    let outcome = bench.send(&[(a, 1, int(1))]).await.await.unwrap();
    assert!(matches!(outcome, Outcome::Later(Later { code: BatchCode::DiskFull, .. })), "{outcome:?}");
    assert!(bench.points(a).is_empty() && bench.series.is_empty() && bench.health.is_disk_full());
    *bench.fail.lock() = Fail::No;
    bench.room.store(true, Ordering::SeqCst);
    let deadline = Instant::now() + Duration::from_secs(10);
    while bench.health.is_disk_full() {
        assert!(Instant::now() < deadline, "room again was not noticed");
        tokio::task::yield_now().await;
    }
    assert_eq!(bench.result(&[(a, 1, Value::Bool(true))]).await, (1, 0, vec![]), "the first stored reading fixes the type");
    assert_eq!(bench.commits.lock()[0].position, Position(1));
    assert_eq!(bench.commits.lock()[0].series[0].value_type, ValueType::Bool);
}

#[tokio::test]
async fn a_poisoned_log_acks_nothing_and_says_so() {
    let bench = Bench::new(Duration::ZERO);
    *bench.fail.lock() = Fail::Broken;
    let outcome = bench.send(&[(bench.id("a"), 1, int(1))]).await.await.unwrap();
    assert!(matches!(outcome, Outcome::Later(Later { code: BatchCode::StoreFailed, .. })));
    assert_eq!(bench.health.reasons()[0].0, BatchCode::StoreFailed);
    assert!(bench.health.poisoned().await.contains("fdatasync"));
}

#[tokio::test]
async fn a_writer_that_breaks_poisons_the_hub() {
    let bench = Bench::new(Duration::ZERO);
    *bench.fail.lock() = Fail::Panic;
    let unanswered = bench.send(&[(bench.id("a"), 1, int(1))]).await.await;
    assert!(unanswered.is_err());
    assert!(bench.health.poisoned().await.contains("invariant"));
}

#[tokio::test]
async fn a_queue_more_than_half_full_is_crowded() {
    let bench = Bench::new(Duration::from_secs(3600));
    assert!(!bench.queue.is_crowded());
    for time in 0..=WRITER_QUEUE_BATCHES as i64 / 2 + 1 {
        drop(bench.send(&[(bench.id("a"), time, int(1))]).await);
    }
    assert!(bench.queue.is_crowded());
}

#[tokio::test]
async fn a_new_unit_is_taken_with_its_commit() {
    let bench = Bench::new(Duration::ZERO);
    let a = bench.id("a");
    let change = MetaChange { series: a, unit: Some("B".into()), kind: Some(Kind::Counter) };
    let told = ToldMeta { change: change.clone(), with: ValueType::Number };
    bench.send_batch(&[(a, 1, int(1))], vec![told], None).await.await.unwrap();
    assert_eq!(bench.commits.lock()[0].meta, [change]);
    let series = bench.series.by_id(a).unwrap();
    assert_eq!((series.meta().unit.as_deref(), series.kind(), series.meta().changed), (Some("B"), Kind::Counter, Some(1_000)));
}

#[tokio::test]
async fn a_reading_that_is_refused_for_its_type_brings_no_unit_and_no_kind() {
    let bench = Bench::new(Duration::ZERO);
    let a = bench.id("a");
    let told = |unit: &str, with| ToldMeta { change: MetaChange { series: a, unit: Some(unit.into()), kind: None }, with };
    let (number, text) = (told("V", ValueType::Number), told("x", ValueType::Text));
    bench.send_batch(&[(a, 1, int(1)), (a, 2, Value::Text("on".into()))], vec![number, text.clone()], None).await.await.unwrap();
    bench.send_batch(&[(a, 3, Value::Text("off".into()))], vec![text], None).await.await.unwrap();
    assert_eq!(bench.series.by_id(a).unwrap().meta().unit.as_deref(), Some("V"));
}

#[tokio::test]
async fn a_stop_commits_what_was_submitted_before_it_and_refuses_what_comes_after() {
    let bench = Bench::new(Duration::from_millis(20));
    let a = bench.id("a");
    let waiting = bench.send(&[(a, 1, int(1))]).await;
    bench.queue.stop().await;
    assert!(matches!(waiting.await.unwrap(), Outcome::Committed { stored: 1, .. }));
    assert!(bench.closed.load(Ordering::SeqCst));
    let (reply, _outcome) = oneshot::channel();
    let refused = bench.queue.submit(Batch { readings: vec![], meta: vec![], agent: None, received: 0, reply }).await;
    assert_eq!(refused.unwrap_err().code, BatchCode::Draining);
}

impl Bench {
    /// What the sealer does.
    fn seal(&self) {
        let generation = self.head.freeze().unwrap();
        self.store.seal(&generation.handover()).unwrap();
        self.head.sealed(&generation);
    }
}

#[tokio::test]
async fn duplicates_are_told_at_any_age() {
    let bench = Bench::new(Duration::ZERO);
    let a = bench.id("a");
    assert_eq!(bench.result(&[(a, 10, int(1)), (a, 20, int(2)), (a, 30, int(3))]).await, (3, 0, vec![]));
    bench.seal();
    assert_eq!(bench.result(&[(a, 10, int(1)), (a, 20, int(5)), (a, 15, int(1)), (a, 40, int(4))]).await, (3, 1, vec![]));
    assert_eq!(bench.result(&[(a, 20, int(5)), (a, 15, int(1))]).await, (0, 2, vec![]), "what the head has is not asked of the store");
    drop(bench.head.freeze());
    assert_eq!(bench.result(&[(a, 20, int(5)), (a, 30, int(3)), (a, 40, int(4))]).await, (0, 3, vec![]));
    bench.seal();
    assert_eq!(bench.result(&[(a, 10, int(1)), (a, 20, int(5)), (a, 30, int(4))]).await, (1, 2, vec![]));
}

#[tokio::test]
async fn a_look_up_holds_though_a_generation_is_sealed_before_the_writer_comes_to_it() {
    let bench = Bench::new(Duration::ZERO);
    let a = bench.id("a");
    bench.result(&[(a, 10, int(1)), (a, 30, int(3))]).await;
    let batch = |readings: &[(TimeNs, i64)]| {
        let readings = readings.iter().map(|(time, value)| Reading { series: a, time: *time, value: int(*value) }).collect();
        Batch { readings, meta: vec![], agent: None, received: 77, reply: oneshot::channel().0 }
    };
    let late = [(10, 1), (20, 2)];
    let looked_up = bench.queue.late.look(&batch(&late)).await.unwrap();
    bench.seal();
    let stands = |looked_up: &LookedUp, time| bench.head.with_reader(|head| looked_up.stands(head, a, time).map(|v| v.cloned()));
    assert_eq!((stands(&looked_up, 10), stands(&looked_up, 20)), (Some(Some(int(1))), Some(None)));
    bench.result(&[(a, 20, int(9))]).await;
    bench.seal();
    assert_eq!(stands(&looked_up, 20), None, "committed after the look-up and sealed before the writer: nobody can tell without the disk");
}

#[tokio::test]
async fn a_delete_is_a_commit_that_spares_what_comes_later() {
    let bench = Bench::new(Duration::ZERO);
    let (a, b) = (bench.id("a"), bench.id("b"));
    bench.result(&[(a, 10, int(1)), (a, 20, int(2)), (b, 10, int(1))]).await;
    bench.seal();
    bench.result(&[(a, 30, int(3))]).await;
    let position = bench.queue.delete(&[Delete { series: a, from: 15, to: 99 }]).await.unwrap();
    assert_eq!(position, Some(Position(3)));
    let last = bench.head.last(&[a, b]).1;
    assert_eq!(last.iter().map(|last| last.as_ref().unwrap().time).collect::<Vec<_>>(), [10, 10], "the store is asked for the newest");
    assert_eq!(bench.result(&[(a, 20, int(2)), (a, 10, int(1))]).await, (1, 1, vec![]), "what was deleted is new again");
    assert_eq!(bench.commits.lock()[2].deletes, [Delete { series: a, from: 15, to: 99 }]);
    assert_eq!(bench.queue.delete(&[]).await, Ok(None));
}

#[tokio::test]
async fn a_full_memory_waits_for_the_sealer_and_says_why_it_cannot_go_on() {
    let bench = Bench::new(Duration::ZERO);
    let a = bench.id("a");
    let many: Vec<_> = (0..80_000).map(|i| (a, i, int(i))).collect();
    bench.result(&many).await;
    let generation = bench.head.freeze().unwrap();
    let more: Vec<_> = (80_000..160_000).map(|i| (a, i, int(i))).collect();
    bench.result(&more).await;
    let waits = bench.send(&[(a, 200_000, int(1))]).await;
    bench.store.seal(&generation.handover()).unwrap();
    bench.head.sealed(&generation);
    bench.pressure.ended(None);
    assert!(matches!(waits.await.unwrap(), Outcome::Committed { stored: 1, .. }));
    drop(bench.head.freeze());
    let more: Vec<_> = (300_000..380_000).map(|i| (a, i, int(i))).collect();
    bench.result(&more).await;
    bench.pressure.ended(Some(Trouble::DiskFull("no room for chunks".to_owned())));
    let outcome = bench.send(&[(a, 400_000, int(1))]).await.await.unwrap();
    assert!(
        matches!(&outcome, Outcome::Later(later) if later.code == BatchCode::DiskFull && later.message == "no room for chunks"),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn what_waits_is_bounded_by_its_bytes() {
    let bench = Bench::new(Duration::ZERO);
    let a = bench.id("a");
    // One text in many readings: heavy for the queue, light for this test.
    let text: Arc<str> = "x".repeat(1 << 20).into();
    let batch = |mib: i64| {
        let readings = (0..mib).map(|time| Reading { series: a, time, value: Value::Text(Arc::clone(&text)) }).collect();
        let (reply, outcome) = oneshot::channel();
        (Batch { readings, meta: vec![], agent: None, received: 77, reply }, outcome)
    };
    // The writer stands in its first append while this is held.
    let held = Arc::clone(&bench.fail);
    let (locked, is_locked) = std::sync::mpsc::sync_channel(1);
    let (go_on, go) = std::sync::mpsc::sync_channel::<()>(1);
    let holder = std::thread::spawn(move || {
        let mut held = held.lock();
        locked.send(()).unwrap();
        assert!(go.recv().is_err(), "the sender is dropped");
        // All is turned away at once: a memory that holds it would wait for the sealer.
        *held = Fail::Full;
    });
    is_locked.recv().unwrap();
    let mut outcomes = Vec::new();
    for (mib, bytes, is_crowded) in [(20, 20, false), (20, 40, true), (23, 63, true)] {
        let (batch, outcome) = batch(mib);
        assert!(bench.queue.submit(batch).now_or_never().is_some(), "{mib} MiB more fit");
        assert_eq!((bench.queue.bytes() >> 20, bench.queue.is_crowded()), (bytes, is_crowded));
        outcomes.push(outcome);
    }
    let (larger_than_the_queue, outcome) = batch(100);
    let mut waits = Box::pin(bench.queue.submit(larger_than_the_queue));
    assert!(waits.as_mut().now_or_never().is_none(), "no room until what is there is committed");
    assert!(bench.queue.depth() <= 3);
    drop(go_on);
    waits.await.unwrap();
    outcomes.push(outcome);
    for outcome in outcomes {
        assert!(matches!(outcome.await.unwrap(), Outcome::Later(later) if later.code == BatchCode::DiskFull));
    }
    holder.join().unwrap();
    let deadline = Instant::now() + Duration::from_secs(10);
    while bench.queue.bytes() > 0 {
        assert!(Instant::now() < deadline, "room was not given back");
        tokio::task::yield_now().await;
    }
}
