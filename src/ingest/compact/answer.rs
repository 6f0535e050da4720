//! What goes back to an agent: acks that add up until they are sent, retries, the last word.

use telltale_wire::{self as wire, CloseCode, Code, Places};

use super::{Compact, State, Waiting, What};
use crate::ingest::session::{Rejected, Session, Settled};
use crate::ingest::{Later, Outcome};
use crate::limits::REFUSALS_EXPLAINED;
use crate::model::{Position, TimeNs};

/// A frame for the agent.
#[derive(Debug, PartialEq)]
pub struct Answer {
    pub bytes: Vec<u8>,
    /// Close the connection after it.
    pub close: Option<(CloseCode, String)>,
}

impl Answer {
    fn frame(encode: impl FnOnce(&mut Vec<u8>)) -> Self {
        let mut bytes = Vec::new();
        encode(&mut bytes);
        Self { bytes, close: None }
    }
}

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
    /// Books what became of a step, in the order of the steps; `None` for one that was settled. An ack is not given at once:
    /// [`Compact::flush`] makes one for all that came together.
    #[must_use]
    pub fn answer(&mut self, session: &Session, waiting: Waiting, outcome: Option<Outcome>, at: TimeNs) -> Vec<Answer> {
        match waiting.0 {
            What::Say(bytes) => self.behind_the_ack(Answer { bytes, close: None }),
            What::Close { code, reason } => self.closing(code, reason, None),
            // Taken before a retry went out: the agent sends it again, and then it is acked.
            What::Batch { turn, .. } | What::Refused { turn, .. } | What::Later { turn, .. } if turn != self.turn => Vec::new(),
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

    /// The ack for everything that was answered since the last one. Asked for when no outcome is ready any more.
    #[must_use]
    pub fn flush(&mut self) -> Option<Answer> {
        let Due { up_to, stored, duplicate, rejected } = std::mem::take(&mut self.due);
        let rejected = rejected.iter().map(DueRejected::borrowed).collect();
        Some(Answer::frame(|out| wire::Ack { up_to: up_to.unwrap_or(0), stored, duplicate, rejected }.encode(out)))
            .filter(|_| up_to.is_some())
    }

    /// The last word, for a connection that ends by the hub's will with a time to come again.
    #[must_use]
    pub fn closing(&mut self, code: CloseCode, reason: String, retry_after_ms: Option<u32>) -> Vec<Answer> {
        self.state = State::Ending;
        let mut answer = Answer::frame(|out| wire::Closing { code: code.number(), reason: &reason, retry_after_ms }.encode(out));
        answer.close = Some((code, reason));
        self.behind_the_ack(answer)
    }

    fn acked(&mut self, seq: u64) -> Vec<Answer> {
        self.due.up_to = Some(seq);
        if self.due.rejected.len() >= REFUSALS_EXPLAINED { self.flush().into_iter().collect() } else { Vec::new() }
    }

    fn retry(&mut self, seq: u64, later: &Later) -> Vec<Answer> {
        self.turn += 1;
        self.again_from = Some(seq);
        let retry = wire::Retry { seq, after_ms: later.after_ms, code: Code::Batch(later.code), message: &later.message };
        self.behind_the_ack(Answer::frame(|out| retry.encode(out)))
    }

    fn behind_the_ack(&mut self, answer: Answer) -> Vec<Answer> {
        self.flush().into_iter().chain([answer]).collect()
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
