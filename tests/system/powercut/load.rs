//! Agents that send batches of one-of-a-kind readings and write down what was acked, and when.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use telltale::model::{TimeNs, Value};

use crate::agent::{Agent, Answer, encode};

/// Batches an agent has on the way.
const WINDOW: usize = 4;
/// 2026-01-01T00:00:00Z
const START: TimeNs = 1_767_225_600_000_000_000;
const DAY: TimeNs = 86_400_000_000_000;
const TEXT_BYTES: usize = 3 << 10;
const OTHER_TEXT_BYTES: usize = 1 << 10;

#[derive(Clone, Debug)]
pub(super) struct Reading {
    pub(super) device: String,
    pub(super) metric: String,
    pub(super) time: TimeNs,
    pub(super) value: Value,
}

impl Reading {
    pub(super) fn series(&self) -> String {
        format!("{}/{}", self.device, self.metric)
    }
}

#[derive(Clone, Debug)]
pub(super) struct Batch {
    pub(super) readings: Vec<Reading>,
    /// The length of the record when the ack was here: bytes, and later events.
    pub(super) acked: Option<usize>,
}

/// What a load shares: who is slow when enough was sent, and where acks are marked.
#[derive(Clone, Debug)]
pub(super) struct Shared {
    pub(super) record: PathBuf,
    /// Batches that go at full speed; then a trickle.
    pub(super) fast: Arc<AtomicUsize>,
    /// An agent ends after so many.
    pub(super) most: usize,
    pub(super) texts: Texts,
}

/// What texts are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Texts {
    /// A few, over three days, so that the store stays small.
    Few,
    /// Each another, all of one day: they take as much in the store as in the log.
    Others,
}

#[derive(Debug, Default)]
pub(super) struct Sent {
    pub(super) batches: Vec<Batch>,
    /// The code with which the hub refused a batch; then the agent ended.
    pub(super) refused: Option<String>,
}

/// Sends until the connection ends, a batch is refused, or enough was sent. `first` numbers the batches, so that runs differ.
pub(super) async fn agent(address: String, token: String, number: usize, first: usize, shared: Shared) -> Sent {
    let mut sent = Sent::default();
    let Ok(mut agent) = Agent::connect(&address, &token).await else { return sent };
    let mut on_the_way = 0;
    while sent.batches.len() < shared.most {
        if shared.fast.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_err() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let readings = readings(number, first + sent.batches.len(), shared.texts);
        let frame = frame(sent.batches.len() as u64, &readings);
        sent.batches.push(Batch { readings, acked: None });
        if agent.send(frame).await.is_err() {
            return sent;
        }
        on_the_way += 1;
        while on_the_way >= WINDOW {
            if !answer(&mut agent, &mut sent, &shared.record).await {
                return sent;
            }
            on_the_way -= 1;
        }
    }
    while on_the_way > 0 && answer(&mut agent, &mut sent, &shared.record).await {
        on_the_way -= 1;
    }
    sent
}

/// False: this agent ends.
async fn answer(agent: &mut Agent, sent: &mut Sent, record: &Path) -> bool {
    match agent.answer().await {
        Some(Answer::Ack { seq, stored, duplicate, rejected }) => {
            let batch = &mut sent.batches[usize::try_from(seq).unwrap()];
            assert_eq!((stored, duplicate, rejected), (batch.readings.len() as u64, 0, 0));
            let len = std::fs::metadata(record).map_or(0, |meta| meta.len());
            batch.acked = Some(usize::try_from(len).unwrap());
            true
        }
        Some(Answer::Retry { code, .. }) => {
            sent.refused = Some(code);
            false
        }
        Some(Answer::Other(other)) => panic!("{other}"),
        None => false,
    }
}

/// Times of one agent never repeat, so every reading is one of a kind. Texts fill the log, and few days have files.
fn readings(agent: usize, batch: usize, texts: Texts) -> Vec<Reading> {
    let count = 8 + (batch * 7 + agent) % 16;
    let (day, text): (_, &dyn Fn(usize) -> Arc<str>) = match texts {
        Texts::Few => ((batch / 8 % 3) as TimeNs * DAY, &|i| few(batch + i)),
        Texts::Others => (0, &|i| other((batch * 4 + i) as u64 * 8 + agent as u64)),
    };
    let reading = |i: usize| Reading {
        device: format!("gw{agent}"),
        metric: if i < 4 { format!("text{i}") } else { format!("m{}", i % 5) },
        time: START + day + (batch * 100 + i) as TimeNs * 1_000_000,
        value: if i < 4 { Value::Text(text(i)) } else { Value::Float((batch * 100 + i) as f64 / 10.0) },
    };
    (0..count).map(reading).collect()
}

fn few(number: usize) -> Arc<str> {
    format!("{:07} ", number % 8).repeat(TEXT_BYTES / 8).into()
}

fn other(number: u64) -> Arc<str> {
    let mut rng = fastrand::Rng::with_seed(number);
    (0..OTHER_TEXT_BYTES).map(|_| rng.alphanumeric()).collect::<String>().into()
}

fn frame(seq: u64, readings: &[Reading]) -> Vec<u8> {
    let reading = |r: &Reading| {
        let value = match &r.value {
            Value::Float(float) => rmpv::Value::from(*float),
            Value::Text(text) => rmpv::Value::from(&**text),
            other => panic!("{other:?} is not sent here"),
        };
        let pairs = [("device", r.device.as_str().into()), ("metric", r.metric.as_str().into()), ("time", r.time.into()), ("value", value)];
        rmpv::Value::Map(pairs.into_iter().map(|(key, value)| (key.into(), value)).collect())
    };
    let readings = readings.iter().map(reading).collect();
    encode(&rmpv::Value::Map(vec![("seq".into(), seq.into()), ("readings".into(), rmpv::Value::Array(readings))]))
}
