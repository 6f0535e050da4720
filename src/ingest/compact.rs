//! Compact ingest, the hub's side of `telltale.v1` (`devices/wire/PROTOCOL.md`): hello, aliases, columnar batches, acks up to a
//! number. Frames go in and steps for the shell come out; outcomes of the writer go in and frames for the agent come out.
//!
//! Invariants: a batch is decoded whole before any reading of it is decided. Answers leave in the order of the frames that
//! asked for them. After `retry n` nothing from n on is acked until n came again. No I/O, no clock.

mod aliases;
mod answer;
mod readings;
#[cfg(test)]
mod socket_tests;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use telltale_wire::{self as wire, AgentFrame, CloseCode, ColumnBuf, FrameCode, Limits, WireError};

use self::aliases::Aliases;
use self::answer::Due;
use super::agents::{Agents, Expected, Missing};
use super::session::{Pending, Session};
use super::way::{Answer, Step, Way};
use super::{Later, Outcome};
use crate::limits::{ALIASES_PER_CONNECTION, BAD_FRAMES};
use crate::model::{AgentSeq, TimeNs};

/// One connection that speaks `telltale.v1`.
#[derive(Debug)]
pub struct Compact {
    limits: Limits,
    agents: Arc<Agents>,
    state: State,
    opened: Option<Opened>,
    aliases: Aliases,
    /// What the first batch is compared with, until it came.
    expected: Option<Expected>,
    /// The highest batch number taken on this connection.
    last_seq: Option<u64>,
    /// A `retry` went out: batches above this number were sent before the agent knew, and are dropped.
    again_from: Option<u64>,
    /// Counts the retries: a batch that was taken before one is not acked any more.
    turn: u64,
    due: Due,
    bad_frames: u32,
    times: Vec<i64>,
    columns: ColumnBuf,
}

#[derive(Debug)]
enum State {
    New,
    Open {
        agent: Arc<str>,
        boot: u64,
    },
    /// The last word is on its way; what still comes in is not read.
    Ending,
}

/// What a hello said that the shell acts on, before the welcome goes out.
#[derive(Debug, PartialEq)]
pub struct Opened {
    pub agent: Arc<str>,
    pub boot: u64,
    /// The agent's clock less the hub's.
    pub clock_ahead_ns: i64,
    pub program: Box<str>,
    /// Attributes of the gateway, for the catalog.
    pub attributes: Vec<(Box<str>, Box<str>)>,
}

/// An answer that has its place in the order but is not made yet.
#[derive(Debug)]
pub struct Waiting(What);

#[derive(Debug)]
enum What {
    Say(Vec<u8>),
    Batch {
        seq: u64,
        turn: u64,
        pending: Pending,
    },
    /// Refused whole, for good.
    Refused {
        seq: u64,
        turn: u64,
        code: FrameCode,
        message: String,
    },
    /// Not taken at this time, known before the writer was asked.
    Later {
        seq: u64,
        turn: u64,
        later: Later,
    },
    Close {
        code: CloseCode,
        reason: String,
    },
}

/// Why the connection cannot go on.
struct Fatal(CloseCode, String);

impl Way for Compact {
    type Waiting = Waiting;

    fn frame(&mut self, session: &mut Session, frame: &[u8], received: TimeNs) -> Vec<Step<Waiting>> {
        session.door().metrics.frames_received.inc();
        let clock = session.begin_frame(received);
        self.decide(session, frame, received, clock).unwrap_or_else(|Fatal(code, reason)| {
            session.door().metrics.frames_refused.inc();
            vec![self.end(code, reason)]
        })
    }

    fn opened(&mut self) -> Option<Opened> {
        self.opened.take()
    }

    fn sent(waiting: &Waiting) -> usize {
        if let What::Batch { pending, .. } = &waiting.0 { pending.sent() } else { 0 }
    }

    fn answer(&mut self, session: &Session, waiting: Waiting, outcome: Option<Outcome>, at: TimeNs) -> Vec<Answer> {
        self.answers_to(session, waiting.0, outcome, at)
    }

    fn caught_up(&mut self) -> Option<Answer> {
        self.ack()
    }

    fn slow_down(&self, after_ms: u32) -> Option<Vec<u8>> {
        let mut frame = Vec::new();
        wire::SlowDown { after_ms }.encode(&mut frame);
        Some(frame)
    }

    fn closing(&mut self, code: CloseCode, reason: &str) -> Option<Answer> {
        self.last_word(code, reason)
    }
}

impl Compact {
    #[must_use]
    pub fn new(session: &Session, agents: Arc<Agents>, frame_bytes: usize) -> Self {
        let narrow = |limit: usize| u32::try_from(limit).unwrap_or(u32::MAX);
        let door = session.door();
        Self {
            limits: Limits {
                frame_bytes: narrow(frame_bytes),
                batch_readings: narrow(door.batch_readings),
                aliases: narrow(ALIASES_PER_CONNECTION),
                name_bytes: narrow(door.forms.name_bytes),
                label_value_bytes: narrow(door.forms.label_value_bytes),
                label_count: narrow(door.forms.labels),
                text_bytes: narrow(door.forms.text_bytes),
            },
            agents,
            state: State::New,
            opened: None,
            aliases: Aliases::default(),
            expected: None,
            last_seq: None,
            again_from: None,
            turn: 0,
            due: Due::default(),
            bad_frames: 0,
            times: Vec::new(),
            columns: ColumnBuf::default(),
        }
    }

    /// Ends the connection behind the answers that are on their way.
    fn end(&mut self, code: CloseCode, reason: impl Into<String>) -> Step<Waiting> {
        self.state = State::Ending;
        Step::Settled(Waiting(What::Close { code, reason: reason.into() }))
    }

    fn decide(
        &mut self,
        session: &mut Session,
        frame: &[u8],
        received: TimeNs,
        clock: Result<(), Later>,
    ) -> Result<Vec<Step<Waiting>>, Fatal> {
        if matches!(self.state, State::Ending) {
            return Ok(Vec::new());
        }
        let parsed = match AgentFrame::parse(frame, &self.limits) {
            Ok(parsed) => parsed,
            Err(error) => return self.unreadable(session, frame, &error),
        };
        match (&self.state, parsed) {
            (State::New, AgentFrame::Hello(hello)) => self.hello(session, &hello, received),
            (State::New, _) => Err(Fatal(CloseCode::Protocol, "the first frame of a connection is hello".to_owned())),
            (_, AgentFrame::Hello(_)) => Err(Fatal(CloseCode::Protocol, "a second hello on one connection".to_owned())),
            (_, AgentFrame::Define(define)) => {
                self.aliases.define(&define).map_err(|reason| Fatal(CloseCode::Policy, reason))?;
                Ok(Vec::new())
            }
            (_, AgentFrame::Batch(batch)) => self.batch(session, &batch, received, clock),
            (_, AgentFrame::Goodbye(goodbye)) => {
                tracing::debug!(reason = goodbye.reason, "an agent said goodbye");
                Ok(vec![self.end(CloseCode::Normal, "goodbye")])
            }
        }
    }

    fn hello(&mut self, session: &Session, hello: &wire::Hello<'_>, received: TimeNs) -> Result<Vec<Step<Waiting>>, Fatal> {
        let forms = &session.door().forms;
        forms.device(hello.agent).map_err(|refusal| Fatal(CloseCode::Policy, format!("agent id: {}", refusal.message)))?;
        forms.labels(&hello.attributes).map_err(|refusal| Fatal(CloseCode::Policy, format!("attributes: {}", refusal.message)))?;
        let agent: Arc<str> = hello.agent.into();
        self.expected = self.agents.expected(&agent, hello.boot);
        let mut welcome = Vec::new();
        wire::Welcome {
            limits: self.limits,
            hub_time_ns: received,
            last_durable: self.agents.last_durable(&agent, hello.boot),
            program: concat!("telltale ", env!("CARGO_PKG_VERSION")),
        }
        .encode(&mut welcome);
        self.opened = Some(Opened {
            agent: Arc::clone(&agent),
            boot: hello.boot,
            clock_ahead_ns: hello.clock_ns.saturating_sub(received),
            program: hello.program.into(),
            attributes: hello.attributes.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect(),
        });
        self.state = State::Open { agent, boot: hello.boot };
        Ok(vec![Step::Settled(Waiting(What::Say(welcome)))])
    }

    /// A batch whose number can be read is refused whole and the connection stays; any other frame ends it.
    fn unreadable(&mut self, session: &Session, frame: &[u8], error: &WireError) -> Result<Vec<Step<Waiting>>, Fatal> {
        let open = matches!(self.state, State::Open { .. });
        let Some(seq) = wire::Batch::peek_seq(frame).filter(|_| open) else {
            let code = if matches!(error, WireError::Limit { .. }) { CloseCode::Policy } else { CloseCode::Protocol };
            return Err(Fatal(code, error.to_string()));
        };
        if !self.is_next(seq)? {
            return Ok(Vec::new());
        }
        Ok(self.refuse_batch(session, seq, error))
    }

    fn refuse_batch(&mut self, session: &Session, seq: u64, error: &WireError) -> Vec<Step<Waiting>> {
        session.door().metrics.frames_refused.inc();
        self.bad_frames += 1;
        let refused = What::Refused { seq, turn: self.turn, code: error.code(), message: error.to_string() };
        let mut steps = vec![Step::Settled(Waiting(refused))];
        if self.bad_frames >= BAD_FRAMES {
            steps.push(self.end(CloseCode::BadData, format!("{BAD_FRAMES} batches that cannot be read, the last: {error}")));
        }
        steps
    }

    /// Whether the batch of this number is to be looked at: false for what was sent before the agent read a `retry`.
    fn is_next(&mut self, seq: u64) -> Result<bool, Fatal> {
        if self.again_from.is_some_and(|from| seq > from) {
            return Ok(false);
        }
        let last = if self.again_from.take().is_some() { None } else { self.last_seq };
        if let Some(last) = last.filter(|last| seq <= *last) {
            return Err(Fatal(CloseCode::Protocol, format!("batch {seq} after batch {last}: numbers grow on a connection")));
        }
        self.last_seq = Some(seq);
        Ok(true)
    }

    /// An agent goes on with numbers above those that are here. Told once: the next welcome knows this batch.
    fn tell_span(&self, session: &Session, first: &AgentSeq, expected: Expected, at: TimeNs) {
        let from = expected.durable.saturating_add(1);
        if first.seq <= from {
            return;
        }
        let (agent, boot, to) = (Arc::clone(&first.agent), first.boot, first.seq - 1);
        if !expected.is_from_backup {
            tracing::info!(%agent, boot, "batches {from} to {to} never came: the agent ended without a stop, or its spool was full");
            return;
        }
        session.door().metrics.agents_ahead.inc();
        tracing::warn!(%agent, boot, "batches {from} to {to} are missing: they came after the backup that this hub was restored from");
        self.agents.note_missing(Missing { at, agent, boot, from, to });
    }

    fn batch(
        &mut self,
        session: &mut Session,
        batch: &wire::Batch<'_>,
        received: TimeNs,
        clock: Result<(), Later>,
    ) -> Result<Vec<Step<Waiting>>, Fatal> {
        let (seq, turn) = (batch.seq(), self.turn);
        let State::Open { agent, boot } = &self.state else {
            return Err(Fatal(CloseCode::Protocol, "a batch before hello".to_owned()));
        };
        let from = AgentSeq { agent: Arc::clone(agent), boot: *boot, seq };
        if !self.is_next(seq)? {
            return Ok(Vec::new());
        }
        if let Some(expected) = self.expected.take() {
            self.tell_span(session, &from, expected, received);
        }
        if let Err(later) = clock {
            return Ok(vec![Step::Settled(Waiting(What::Later { seq, turn, later }))]);
        }
        if let Err(error) = batch.check(&mut self.times, &mut self.columns) {
            return Ok(self.refuse_batch(session, seq, &error));
        }
        if let Some(alias) = self.aliases.first_unknown(batch) {
            return Err(Fatal(CloseCode::Protocol, format!("batch {seq} uses alias {alias}, which is not defined")));
        }
        let Self { aliases, times, columns, .. } = self;
        let (submit, pending) = readings::decide(session, aliases, &from.agent, batch, times, columns).finish(Some(from));
        let waiting = Waiting(What::Batch { seq, turn, pending });
        Ok(vec![match submit {
            Some((batch, outcome)) => Step::Submit { batch, outcome, waiting },
            None => Step::Settled(waiting),
        }])
    }
}
