//! Frames of an agent in, frames of the hub out, with a writer of a few lines between them. Answers are told as short texts.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use telltale_wire::{
    BatchBuilder, BatchCode, Definition, Goodbye, Hello, HubFrame, Kind, Places, Retry, RowCode, Value as Sent, ValueType as SentType,
    encode_define,
};
use tokio::sync::watch;

use super::*;
use crate::auth::access::{Access, Role, Scope};
use crate::ingest::refusals::Refusals;
use crate::ingest::session::Door;
use crate::ingest::{Batch, Refusal};
use crate::metrics::Metrics;
use crate::model::{Position, SeriesId, TokenId, Value};
use crate::query::selector::Glob;
use crate::series::SeriesTable;

const NOW: TimeNs = 1_795_400_000_000_000_000;
const SECOND: TimeNs = 1_000_000_000;

struct World {
    compact: Compact,
    session: Session,
    agents: Arc<Agents>,
    now: TimeNs,
    /// Steps whose answers are not made yet, with the batches that the writer has not seen.
    queue: VecDeque<(Option<Batch>, Waiting)>,
    stored: HashMap<(SeriesId, TimeNs), Value>,
    metas: Vec<String>,
    opened: Vec<Opened>,
    closed: Option<(CloseCode, String)>,
}

fn world() -> World {
    world_with(Scope::default(), |_| {})
}

fn world_with(scope: Scope, change: impl FnOnce(&mut Door)) -> World {
    let series = Arc::new(SeriesTable::new(50, 100));
    let retention = Arc::new(crate::retention::Retention::none(Arc::clone(&series)));
    let mut door = Door::new(
        &crate::config::Config::default(),
        series,
        Arc::new(Refusals::default()),
        Arc::new(Metrics::default()),
        Arc::new(()),
        retention,
    );
    door.built = NOW - 1;
    change(&mut door);
    // The sender is kept for ever, else the access would have ended.
    let ended = Box::leak(Box::new(watch::Sender::new(false))).subscribe();
    let session = Session::new(Arc::new(door), Access::new(TokenId(7), "test".to_owned(), Role::Agent, scope, ended));
    let agents = Arc::<Agents>::default();
    World {
        compact: Compact::new(&session, Arc::clone(&agents), crate::limits::FRAME_BYTES),
        session,
        agents,
        now: NOW,
        queue: VecDeque::new(),
        stored: HashMap::new(),
        metas: Vec::new(),
        opened: Vec::new(),
        closed: None,
    }
}

/// A connection that is open, with aliases 0 (number), 1 (bool), 2 (text) of device d.
fn open() -> World {
    let mut world = world();
    world.send(&hello("gw"));
    world.send(&define(&[series(0, "d", "n", SentType::Number), series(1, "d", "b", SentType::Bool), series(2, "d", "t", SentType::Text)]));
    world.answers();
    world
}

impl World {
    fn send(&mut self, frame: &[u8]) {
        let steps = self.compact.frame(&mut self.session, frame, self.now);
        self.opened.extend(self.compact.opened());
        for step in steps {
            match step {
                Step::Submit { batch, waiting, .. } => self.queue.push_back((Some(batch), waiting)),
                Step::Settled(waiting) => self.queue.push_back((None, waiting)),
            }
        }
    }

    /// Lets the writer commit what waits, and gives what the agent hears.
    fn answers(&mut self) -> Vec<String> {
        self.answers_with(|_| None)
    }

    /// `later` says which batches the writer does not take.
    fn answers_with(&mut self, later: impl Fn(u64) -> Option<Later>) -> Vec<String> {
        let mut heard = Vec::new();
        while let Some((batch, waiting)) = self.queue.pop_front() {
            let outcome = batch.map(|batch| match later(batch.agent.as_ref().unwrap().seq) {
                Some(later) => Outcome::Later(later),
                None => self.write(&batch),
            });
            heard.extend(self.compact.answer(&self.session, waiting, outcome, self.now));
        }
        heard.extend(self.compact.caught_up());
        // What the shell does: what has bytes is sent, and a close is preceded by the last word.
        let mut told = Vec::new();
        for answer in heard {
            if !answer.bytes.is_empty() {
                told.push(say(&answer));
            }
            if let Some((code, reason)) = answer.close {
                told.extend(self.compact.closing(code, &reason).map(|last| say(&last)));
                self.closed = Some((code, reason));
            }
        }
        told
    }

    fn exchange(&mut self, frame: &[u8]) -> Vec<String> {
        self.send(frame);
        self.answers()
    }

    fn write(&mut self, batch: &Batch) -> Outcome {
        let table = Arc::clone(&self.session.door().series);
        for change in batch.meta.iter().map(|told| &told.change) {
            table.apply_meta(change, self.now);
            let key = &table.by_id(change.series).unwrap().key;
            self.metas.push(format!("{key} {:?} {:?}", change.unit.as_deref(), change.kind));
        }
        let (mut stored, mut duplicate, mut refused) = (0, 0, Vec::new());
        for (i, reading) in batch.readings.iter().enumerate() {
            let sent = reading.value.value_type();
            if table.by_id(reading.series).unwrap().fix_type(sent) != sent {
                refused.push((i, Refusal::new(RowCode::TypeChanged, "changed")));
            } else if self.stored.insert((reading.series, reading.time), reading.value.clone()).as_ref() == Some(&reading.value) {
                duplicate += 1;
            } else {
                stored += 1;
            }
        }
        self.agents.committed(batch.agent.as_ref().unwrap(), Position(1));
        Outcome::Committed { position: Position(1), stored, duplicate, refused }
    }

    /// What is stored, as `device/metric{labels} time-NOW value`, sorted.
    fn kept(&self) -> Vec<String> {
        let table = &self.session.door().series;
        let line = |((id, time), value): (&(SeriesId, TimeNs), &Value)| {
            format!("{} {} {}", table.by_id(*id).unwrap().key, (time - NOW) / SECOND, shown(value))
        };
        let mut kept: Vec<String> = self.stored.iter().map(line).collect();
        kept.sort();
        kept
    }
}

fn say(answer: &Answer) -> String {
    told(&HubFrame::parse(&answer.bytes).unwrap())
}

fn shown(value: &Value) -> String {
    match value {
        Value::Int(int) => int.to_string(),
        Value::Float(float) => format!("{float:?}"),
        Value::Bool(bool) => bool.to_string(),
        Value::Text(text) => format!("{text:?}"),
    }
}

fn told(frame: &HubFrame<'_>) -> String {
    match frame {
        HubFrame::Welcome(welcome) => format!("welcome {:?}", welcome.last_durable),
        HubFrame::Ack(ack) => {
            let mut told = format!("ack {} stored {} duplicate {}", ack.up_to, ack.stored, ack.duplicate);
            for rejected in &ack.rejected {
                let places = match rejected.places {
                    Places::All => "all".to_owned(),
                    Places::Run { first, count: 1 } => first.to_string(),
                    Places::Run { first, count } => format!("{first}-{}", first + count - 1),
                };
                let star = if rejected.retry { "*" } else { "" };
                told += &format!(" [{}:{places} {}{star}]", rejected.seq, rejected.code);
            }
            told
        }
        HubFrame::Retry(Retry { seq, after_ms, code, .. }) => format!("retry {seq} after {after_ms} {code}"),
        HubFrame::SlowDown(slow_down) => format!("slow_down {}", slow_down.after_ms),
        HubFrame::Closing(closing) => format!("closing {} {}", closing.code, closing.reason),
    }
}

fn hello(agent: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let attributes = vec![("site", "north")];
    Hello { agent, boot: 5, clock_ns: NOW + 3, program: "test 1", attributes }.encode(&mut out);
    out
}

fn series<'a>(alias: u32, device: &'a str, metric: &'a str, value_type: SentType) -> Definition<'a> {
    Definition { alias, device, metric, labels: Vec::new(), value_type, unit: None, kind: None }
}

fn define(definitions: &[Definition<'_>]) -> Vec<u8> {
    let mut out = Vec::new();
    encode_define(definitions, &mut out);
    out
}

/// Readings as (alias, seconds after NOW, value).
fn batch(seq: u64, readings: &[(u32, i64, Sent<'_>)]) -> Vec<u8> {
    let mut builder = BatchBuilder::new(Limits::default());
    for (alias, seconds, value) in readings {
        builder.push(*alias, NOW + seconds * SECOND, *value).unwrap();
    }
    let mut out = Vec::new();
    builder.encode(seq, &mut out);
    out
}

fn one(seq: u64) -> Vec<u8> {
    batch(seq, &[(0, -i64::try_from(seq).unwrap(), Sent::Int(1))])
}

fn disk_full() -> Later {
    Later { code: BatchCode::DiskFull, after_ms: 1000, message: "full".to_owned() }
}

#[test]
fn an_agent_is_welcomed_with_what_is_durable() {
    let mut world = world();
    world.agents.committed(&AgentSeq { agent: "gw".into(), boot: 5, seq: 41 }, Position(1));
    assert_eq!(world.exchange(&hello("gw")), ["welcome Some(41)"]);
    let attributes = vec![("site".into(), "north".into())];
    let opened = Opened { agent: "gw".into(), boot: 5, clock_ahead_ns: 3, program: "test 1".into(), attributes };
    assert_eq!(world.opened, [opened]);
}

#[test]
fn an_agent_that_is_ahead_of_a_restored_hub_is_taken_and_told_once() {
    let rows = [
        (true, Some(41), 42, None),
        (true, Some(41), 41, None),
        (true, Some(41), 45, Some((42, 44))),
        (true, None, 1, None),
        (true, None, 45, Some((1, 44))),
        (false, Some(41), 45, None),
        (false, None, 45, None),
    ];
    for (is_restored, durable, first, missing) in rows {
        let mut world = world();
        if let Some(seq) = durable {
            world.agents.committed(&AgentSeq { agent: "gw".into(), boot: 5, seq }, Position(1));
        }
        if is_restored {
            world.agents.set_restored(Position(1));
        }
        world.send(&hello("gw"));
        world.send(&define(&[series(0, "d", "n", SentType::Number)]));
        world.answers();
        assert_eq!(world.exchange(&one(first)), [format!("ack {first} stored 1 duplicate 0")]);
        world.exchange(&one(first + 5));
        let told: Vec<_> = world.agents.missing().into_iter().map(|Missing { from, to, .. }| (from, to)).collect();
        assert_eq!(told, missing.into_iter().collect::<Vec<_>>(), "{is_restored} {durable:?} {first}");
        assert_eq!(world.session.door().metrics.agents_ahead.value(), told.len() as u64);
    }
}

#[test]
fn readings_of_every_type_are_stored_and_acked_together() {
    let mut world = open();
    world.send(&batch(1, &[(0, -2, Sent::Int(7)), (0, -1, Sent::Float(7.5)), (1, -1, Sent::Bool(true)), (2, -1, Sent::Text("läuft"))]));
    world.send(&batch(2, &[(0, -1, Sent::Float(7.5)), (2, 0, Sent::Text("läuft"))]));
    assert_eq!(world.answers(), ["ack 2 stored 5 duplicate 1"]);
    assert_eq!(world.kept(), ["d/b -1 true", "d/n -1 7.5", "d/n -2 7", "d/t -1 \"läuft\"", "d/t 0 \"läuft\""]);
    assert_eq!(world.exchange(&batch(3, &[])), ["ack 3 stored 0 duplicate 0"]);
    assert_eq!(world.compact.caught_up(), None);
}

#[test]
fn the_device_comes_by_its_agent() {
    let mut world = open();
    world.send(&one(1));
    let arrived: Vec<_> = world.session.arrived().map(|(device, gateway)| (device.to_string(), gateway.map(ToString::to_string))).collect();
    assert_eq!(arrived, [("d".to_owned(), Some("gw".to_owned()))]);
}

#[test]
fn a_refused_reading_leaves_the_others_and_is_named_by_its_place() {
    let mut world = open();
    let readings = [
        (0, -9000 * 24 * 3600 * 10, Sent::Int(1)),
        (0, -3, Sent::Int(2)),
        (0, -2, Sent::Float(f64::NAN)),
        (0, -1, Sent::Float(3.5)),
        (0, 601, Sent::Int(4)),
        (0, 602, Sent::Int(5)),
        (1, -1, Sent::Int(6)),
        (2, -1, Sent::Text("x")),
    ];
    let answer = world.exchange(&batch(1, &readings));
    // Each refusal's message has its own time, so the two that are ahead are two entries.
    assert_eq!(
        answer,
        ["ack 1 stored 3 duplicate 0 [1:0 bad_time] [1:2 not_finite] [1:4 time_ahead*] [1:5 time_ahead*] [1:6 type_changed]"]
    );
    assert_eq!(world.kept(), ["d/n -1 3.5", "d/n -3 2", "d/t -1 \"x\""]);
    let door = world.session.door();
    assert_eq!((door.metrics.readings_received.value(), door.metrics.readings_refused.value()), (8, 5));
}

#[test]
fn what_is_wrong_with_a_series_refuses_its_column_in_one_entry() {
    let scope = Scope { devices: Some(Glob::parse("d*").unwrap()), select: None };
    let mut world = world_with(scope, |door| door.forms.text_bytes = 10);
    world.send(&hello("gw"));
    let long = "m".repeat(300);
    let mut labelled = series(4, "d", "n", SentType::Number);
    labelled.labels = vec![("a", "1"), ("a", "2")];
    let mut counter = series(5, "d", "t", SentType::Text);
    counter.kind = Some(Kind::Counter);
    world.send(&define(&[
        series(0, "d1", "n", SentType::Number),
        series(1, "other", "n", SentType::Number),
        series(2, "d", &long, SentType::Number),
        series(3, "d", "a/b", SentType::Number),
        labelled,
        counter,
        series(6, "d", "long", SentType::Text),
    ]));
    let mut readings = Vec::new();
    for alias in 0..5 {
        readings.extend([(alias, -2, Sent::Int(1)), (alias, -1, Sent::Int(2))]);
    }
    readings.extend([(5, -2, Sent::Text("x")), (5, -1, Sent::Text("y")), (6, -1, Sent::Text("eleven byte"))]);
    let answers = world.exchange(&batch(1, &readings));
    assert_eq!(
        answers[1],
        "ack 1 stored 2 duplicate 0 [1:2-3 not_allowed] [1:4-5 limit_name] [1:6-7 bad_metric] [1:8-9 bad_label] [1:10-11 bad_kind] [1:12 limit_text]"
    );
}

#[test]
fn a_reading_that_is_refused_makes_no_series() {
    let mut world = world_with(Scope::default(), |door| {
        door.floats_only = true;
        door.forms.text_bytes = 3;
    });
    world.send(&hello("gw"));
    world.send(&define(&[
        series(0, "d", "a", SentType::Number),
        series(1, "d", "b", SentType::Number),
        series(2, "d", "c", SentType::Text),
        series(3, "d", "e", SentType::Number),
        series(4, "d", "f", SentType::Bool),
    ]));
    world.answers();
    let beyond = Sent::Int((1 << 53) + 1);
    let readings =
        [(0, -1, Sent::Float(f64::NAN)), (1, -1, beyond), (2, -1, Sent::Text("four")), (3, 601, Sent::Int(1)), (4, -1, Sent::Int(1))];
    let refused = "[1:0 not_finite] [1:1 value_range] [1:2 limit_text] [1:3 type_changed] [1:4 time_ahead*]";
    assert_eq!(world.exchange(&batch(1, &readings)), [format!("ack 1 stored 0 duplicate 0 {refused}")]);
    assert_eq!(world.session.door().series.next_id(), 0);
    world.exchange(&batch(2, &[(0, -1, Sent::Float(f64::NAN)), (0, -2, Sent::Int(1))]));
    assert_eq!((world.kept(), world.session.door().series.next_id()), (vec!["d/a -2 1.0".to_owned()], 1));
}

#[test]
fn unit_and_kind_reach_the_series_once() {
    let mut world = world();
    world.send(&hello("gw"));
    let mut counter = series(0, "d", "bytes", SentType::Number);
    (counter.unit, counter.kind) = (Some("B"), Some(Kind::Counter));
    world.send(&define(&[counter]));
    for seq in 1..4 {
        world.send(&batch(seq, &[(0, -1, Sent::Int(1)), (0, 0, Sent::Int(2))]));
        world.answers();
    }
    assert_eq!(world.metas, ["d/bytes Some(\"B\") Some(Counter)"]);
}

#[test]
fn an_alias_can_be_given_to_another_series() {
    let mut world = open();
    world.send(&one(1));
    world.send(&define(&[series(0, "e", "n", SentType::Number)]));
    world.send(&one(2));
    assert_eq!(world.answers(), ["ack 2 stored 2 duplicate 0"]);
    assert_eq!(world.kept(), ["d/n -1 1", "e/n -2 1"]);
}

#[test]
fn after_a_retry_nothing_is_acked_until_the_batch_came_again() {
    let mut world = open();
    for seq in 1..=4 {
        world.send(&one(seq));
    }
    // The disk is full for batch 2 alone: 3 and 4 are stored, but an ack would speak for 2 as well.
    let heard = world.answers_with(|seq| (seq == 2).then(disk_full));
    assert_eq!(heard, ["ack 1 stored 1 duplicate 0", "retry 2 after 1000 disk_full"]);
    assert_eq!(world.exchange(&one(5)), [""; 0], "sent before the agent read the retry");
    for seq in 2..=5 {
        world.send(&one(seq));
    }
    assert_eq!(world.answers(), ["ack 5 stored 2 duplicate 2"]);
    assert_eq!(world.kept().len(), 5);
}

/// The writer counts what it committed; what it was told of the batch is counted here, and the sums are to add up.
#[test]
fn what_was_committed_behind_a_retry_is_counted_though_it_is_not_acked() {
    let mut world = open();
    let (first, second) = (one(1), batch(2, &[(0, -3, Sent::Int(2)), (0, -2, Sent::Float(f64::NAN))]));
    world.send(&first);
    world.send(&second);
    assert_eq!(world.answers_with(|seq| (seq == 1).then(disk_full)), ["retry 1 after 1000 disk_full"]);
    let counted = |world: &World| {
        let metrics = &world.session.door().metrics;
        (metrics.readings_received.value(), metrics.readings_refused.value())
    };
    assert_eq!((world.kept().len(), counted(&world)), (1, (2, 1)));
    world.send(&first);
    world.send(&second);
    assert_eq!(world.answers(), ["ack 2 stored 1 duplicate 1 [2:1 not_finite]"]);
    assert_eq!((world.kept().len(), counted(&world)), (2, (5, 2)));
}

#[test]
fn answers_of_the_first_time_do_not_ack_the_second() {
    let mut world = open();
    for seq in 1..=2 {
        world.send(&one(seq));
    }
    let first: Vec<_> = world.queue.drain(..).collect();
    let mut outcomes = first.into_iter();
    let (_, waiting) = outcomes.next().unwrap();
    let heard = world.compact.answer(&world.session, waiting, Some(Outcome::Later(disk_full())), NOW);
    assert_eq!(heard.len(), 1);
    world.send(&one(1));
    // Batch 2 of the first time is committed while batch 1 of the second is not.
    let (batch, waiting) = outcomes.next().unwrap();
    let outcome = world.write(&batch.unwrap());
    assert_eq!(world.compact.answer(&world.session, waiting, Some(outcome), NOW), []);
    assert_eq!(world.compact.caught_up(), None);
    assert_eq!(world.answers(), ["ack 1 stored 1 duplicate 0"]);
}

#[test]
fn an_agent_is_asked_for_a_pause() {
    let frame = open().compact.slow_down(500).expect("telltale.v1 has a word for it");
    assert_eq!(told(&HubFrame::parse(&frame).unwrap()), "slow_down 500");
}

#[test]
fn a_hub_that_does_not_know_the_time_takes_nothing() {
    let mut world = open();
    world.now = NOW - 2;
    assert_eq!(world.exchange(&one(1)), ["retry 1 after 10000 clock_unset"]);
    world.now = NOW;
    assert_eq!(world.exchange(&one(1)), ["ack 1 stored 1 duplicate 0"]);
}

#[test]
fn a_batch_that_cannot_be_read_is_refused_whole_in_its_place() {
    let mut world = world_with(Scope::default(), |door| door.batch_readings = 3);
    world.send(&hello("gw"));
    world.send(&define(&[series(0, "d", "n", SentType::Number)]));
    world.answers();
    world.send(&one(1));
    world.send(&batch(2, &[0, 1, 2, 3].map(|second| (0, second, Sent::Int(second)))));
    let mut cut = batch(3, &[(0, 0, Sent::Int(300)), (0, 1, Sent::Int(70_000))]);
    *cut.last_mut().unwrap() |= 0x80;
    world.send(&cut);
    world.send(&one(4));
    assert_eq!(world.answers(), ["ack 4 stored 2 duplicate 0 [2:all limit_batch] [3:all bad_frame]"]);
    assert_eq!(world.kept(), ["d/n -1 1", "d/n -4 1"]);
    assert_eq!(world.session.door().metrics.frames_refused.value(), 2);
}

#[test]
fn too_many_batches_that_cannot_be_read_end_the_connection() {
    let mut world = open();
    for seq in 1..=u64::from(BAD_FRAMES) {
        assert_eq!(world.closed, None);
        let frame = one(seq);
        world.send(&frame[..frame.len() - 1]);
        world.answers();
    }
    assert_eq!(world.closed.as_ref().map(|(code, _)| *code), Some(CloseCode::BadData));
    assert_eq!(world.exchange(&one(200)), [""; 0], "nothing is read any more");
}

#[test]
fn what_breaks_the_protocol_ends_the_connection() {
    let check = |rule: &str, mut world: World, frames: &[Vec<u8>], last: &str| {
        frames.iter().for_each(|frame| world.send(frame));
        assert_eq!(world.answers().last().map(String::as_str), Some(last), "{rule}");
        let code: u16 = last.split(' ').nth(1).unwrap().parse().unwrap();
        assert_eq!(world.closed.map(|(closed, _)| closed.number()), Some(code), "{rule}");
    };
    check("a batch first", world(), &[one(1)], "closing 1002 the first frame of a connection is hello");
    check("two hellos", open(), &[hello("gw")], "closing 1002 a second hello on one connection");
    check("no agent id", world(), &[hello("")], "closing 1008 agent id: the device id is empty");
    check(
        "a type that is not known",
        open(),
        &[vec![0x42]],
        "closing 1002 frame type 0x42 is not known here; expected an agent's: 1 hello, 2 define, 3 batch, 4 goodbye",
    );
    check(
        "a batch that is nothing but its type",
        open(),
        &[vec![3]],
        "closing 1002 batch.seq at byte 1 is not a varint of at most 64 bits",
    );
    check(
        "an alias that is not defined",
        open(),
        &[batch(1, &[(9, 0, Sent::Int(1))])],
        "closing 1002 batch 1 uses alias 9, which is not defined",
    );
    check("a number again", open(), &[one(2), one(2)], "closing 1002 batch 2 after batch 2: numbers grow on a connection");
    let far = define(&[series(100_000, "d", "n", SentType::Number)]);
    check("an alias beyond the limit", open(), &[far], "closing 1008 limit aliases: 100001 is more than 100000");
    let after = [hello("gw"), vec![0x42], one(1)];
    check(
        "nothing is answered after the end",
        world(),
        &after,
        "closing 1002 frame type 0x42 is not known here; expected an agent's: 1 hello, 2 define, 3 batch, 4 goodbye",
    );
}

#[test]
fn names_of_aliases_are_bounded_in_sum_and_a_replaced_one_counts_no_more() {
    let name = "n".repeat(60_000);
    let mut world = open();
    let full = u32::try_from(crate::limits::ALIAS_BYTES_PER_CONNECTION / 60_000).unwrap();
    for alias in 0..full + 100 {
        world.send(&define(&[series(alias % 10, &name, "m", SentType::Number)]));
    }
    assert_eq!(world.answers(), [""; 0]);
    for alias in 0..=full {
        world.send(&define(&[series(alias, &name, "m", SentType::Number)]));
    }
    assert!(world.answers()[0].starts_with("closing 1008 limit alias bytes of a connection: "), "{:?}", world.closed);
}

#[test]
fn goodbye_is_answered_when_everything_is() {
    let mut world = open();
    world.send(&one(1));
    let mut goodbye = Vec::new();
    Goodbye { reason: "updating" }.encode(&mut goodbye);
    world.send(&goodbye);
    world.send(&one(2));
    assert_eq!(world.answers(), ["ack 1 stored 1 duplicate 0", "closing 1000 goodbye"]);
    assert_eq!(world.closed.map(|(code, _)| code), Some(CloseCode::Normal));
}
