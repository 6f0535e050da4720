//! What goes back to an agent: acks that add up until they are sent, retries, the last word.

use telltale_wire::{self as wire, CloseCode, Code, Places};

use super::{Compact, State, What};
use crate::ingest::session::{Rejected, Session, Settled};
use crate::ingest::way::Answer;
use crate::ingest::{Later, Outcome};
use crate::limits::REFUSALS_EXPLAINED;
use crate::model::{Position, TimeNs};

fn frame(encode: impl FnOnce(&mut Vec<u8>)) -> Answer {
    let mut bytes = Vec::new();
    encode(&mut bytes);
    Answer { bytes, ..Answer::default() }
}

/// When an agent should come back to a hub that stops: a restart takes about this long.
const RETRY_DRAINING_MS: u32 = 1_000;

/// What is durable and not yet said.
#[derive(Debug, Default)]
pub(super) struct Due {
    up_to: Option<u64>,
    stored: u64,
    duplicate: u64,
    rejected: Vec<DueRejected>,
}

#[derive(Debug)]
struct DueRejected {
    seq: u64,
    places: Places,
    code: Code,
    retry: bool,
    message: String,
}

impl Compact {
    /// An ack is not made at once: [`Compact::ack`] makes one for all that came together.
    pub(super) fn answers_to(&mut self, session: &Session, what: What, outcome: Option<Outcome>, at: TimeNs) -> Vec<Answer> {
        match what {
            What::Say(bytes) => self.behind_the_ack(Answer { bytes, ..Answer::default() }),
            // The shell asks for the last word when it closes.
            What::Close { code, reason } => self.behind_the_ack(Answer { close: Some((code, reason)), ..Answer::default() }),
            // Taken before a retry went out: the agent sends it again, and then it is acked. What the writer committed of it is counted
            // by now, so the rest of the batch is too: received are those that are stored, duplicate or refused.
            What::Batch { turn, pending, .. } if turn != self.turn => {
                if let Some(committed @ Outcome::Committed { .. }) = outcome {
                    drop(pending.settle(session.door(), session.access(), at, committed));
                }
                Vec::new()
            }
            What::Refused { turn, .. } | What::Later { turn, .. } if turn != self.turn => Vec::new(),
            What::Later { seq, later, .. } => self.retry(seq, &later),
            What::Refused { seq, code, message, .. } => {
                let (places, code, retry) = (Places::All, Code::Frame(code), code.retry());
                self.due.rejected.push(DueRejected { seq, places, code, retry, message });
                self.acked(seq)
            }
            What::Batch { seq, pending, .. } => {
                let nothing = Outcome::Committed { position: Position(0), stored: 0, duplicate: 0, refused: Vec::new() };
                match pending.settle(session.door(), session.access(), at, outcome.unwrap_or(nothing)) {
                    Err(later) => self.retry(seq, &later),
                    Ok(settled) => {
                        self.due.add(seq, settled);
                        self.acked(seq)
                    }
                }
            }
        }
    }

    /// The ack for everything that was answered since the last one.
    pub(super) fn ack(&mut self) -> Option<Answer> {
        let up_to = self.due.up_to?;
        let Due { stored, duplicate, rejected, .. } = std::mem::take(&mut self.due);
        let rejected = rejected.iter().map(DueRejected::borrowed).collect();
        Some(frame(|out| wire::Ack { up_to, stored, duplicate, rejected }.encode(out)))
    }

    /// The last frame of a connection, with a time to come again where the hub knows one.
    pub(super) fn last_word(&mut self, code: CloseCode, reason: &str) -> Option<Answer> {
        self.state = State::Ending;
        let retry_after_ms = (code == CloseCode::Draining).then_some(RETRY_DRAINING_MS);
        Some(frame(|out| wire::Closing { code: code.number(), reason, retry_after_ms }.encode(out)))
    }

    fn acked(&mut self, seq: u64) -> Vec<Answer> {
        self.due.up_to = Some(seq);
        if self.due.rejected.len() >= REFUSALS_EXPLAINED { self.ack().into_iter().collect() } else { Vec::new() }
    }

    fn retry(&mut self, seq: u64, later: &Later) -> Vec<Answer> {
        self.turn += 1;
        self.again_from = Some(seq);
        let retry = wire::Retry { seq, after_ms: later.after_ms, code: Code::Batch(later.code), message: &later.message };
        self.behind_the_ack(frame(|out| retry.encode(out)))
    }

    fn behind_the_ack(&mut self, answer: Answer) -> Vec<Answer> {
        self.ack().into_iter().chain([answer]).collect()
    }
}

impl Due {
    fn add(&mut self, seq: u64, settled: Settled) {
        self.stored += settled.stored as u64;
        self.duplicate += settled.duplicate as u64;
        // Entries of earlier batches are left as they are: places count within one batch.
        let first = self.rejected.len();
        for Rejected { index, refusal, .. } in settled.rejected {
            let code = Code::Row(refusal.code);
            match self.rejected[first..].last_mut() {
                Some(DueRejected { places: Places::Run { first, count }, code: before, message, .. })
                    if *before == code && *first + *count == index && *message == refusal.message =>
                {
                    *count += 1;
                }
                _ => {
                    let (places, retry, message) = (Places::one(index), refusal.code.retry(), refusal.message);
                    self.rejected.push(DueRejected { seq, places, code, retry, message });
                }
            }
        }
    }
}

impl DueRejected {
    fn borrowed(&self) -> wire::Rejected<'_> {
        wire::Rejected { seq: self.seq, places: self.places, code: self.code, retry: self.retry, message: &self.message }
    }
}
