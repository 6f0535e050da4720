//! Plain ingest (contract, "Plain"): MessagePack from anyone. A binary frame is looked over once (`survey`), then its readings
//! are decided one by one, borrowed from the frame; each batch of it is one step for the shell, in order.
//!
//! Invariants: a frame is refused whole or not at all, before anything of it is decided. Every batch gets one answer, and
//! answers leave in the order of the batches. No I/O, no clock.

mod answer;
mod msgpack;
mod reading;
mod survey;
mod telegraf;
#[cfg(test)]
mod tests;

use telltale_wire::{CloseCode, FrameCode};

use self::msgpack::{Cursor, Malformed, Token};
use self::reading::{Entries, Parts, Shape};
use self::survey::{RefusedFrame, Seq, Survey};
use super::session::{self, Deciding, Pending, Session};
use super::way::{Answer, Step, Way};
use super::{Later, Outcome, Refusal};
use crate::limits::{BAD_FRAMES, KNOWN_NAME_BYTES};
use crate::model::{Position, TimeNs};

/// One connection's plain frames.
#[derive(Debug, Default)]
pub struct Plain {
    names: Names,
    /// Binary frames so far; answers count them from 1.
    frames: u64,
    bad_frames: u32,
}

/// A batch, or what a frame holds beside batches, until it is settled; or an answer that is ready.
#[derive(Debug)]
pub struct Waiting(What);

#[derive(Debug)]
enum What {
    Pending(Whose, Pending),
    Say(Answer),
}

#[derive(Clone, Copy, Debug)]
enum Whose {
    Batch(Seq),
    /// The frame of this number, without a sequence number.
    Frame(u64),
}

impl Way for Plain {
    type Waiting = Waiting;

    fn frame(&mut self, session: &mut Session, frame: &[u8], received: TimeNs) -> Vec<Step<Waiting>> {
        self.frames += 1;
        session.door().metrics.frames_received.inc();
        let clock = session.begin_frame(received);
        let survey = match survey::survey(frame, session.door().batch_readings) {
            Ok(survey) => survey,
            Err(refused) => return self.refuse_frame(session, &refused),
        };
        if let Err(later) = clock {
            return self.later(frame, &survey, &later);
        }
        let deciding = Frame { number: self.frames, cursor: Cursor::new(frame), names: &mut self.names, session, index: 0 };
        let decided = deciding.decide(&survey);
        self.names.end();
        match decided {
            Ok(steps) => steps,
            // The survey went over every byte, so this is a defect here; the peer hears that nothing was taken.
            Err(malformed) => {
                let seqs = survey.batches.into_iter().map(|(_, seq)| seq).collect();
                self.refuse_frame(session, &RefusedFrame { seqs, code: FrameCode::BadFrame, message: malformed.to_string() })
            }
        }
    }

    fn sent(waiting: &Waiting) -> usize {
        if let What::Pending(_, pending) = &waiting.0 { pending.sent() } else { 0 }
    }

    fn answer(&mut self, session: &Session, waiting: Waiting, outcome: Option<Outcome>, at: TimeNs) -> Vec<Answer> {
        let (whose, pending) = match waiting.0 {
            What::Say(answer) => return vec![answer],
            What::Pending(whose, pending) => (whose, pending),
        };
        let nothing_left = Outcome::Committed { position: Position(0), stored: 0, duplicate: 0, refused: Vec::new() };
        let settled = match pending.settle(session.door(), session.access(), at, outcome.unwrap_or(nothing_left)) {
            Ok(settled) => settled,
            Err(later) => return vec![whose.later(&later)],
        };
        match whose {
            Whose::Batch(seq) => vec![Answer { bytes: answer::ack(seq, &settled), ..Answer::default() }],
            Whose::Frame(_) if settled.rejected.is_empty() => Vec::new(),
            Whose::Frame(number) => {
                vec![Answer { bytes: answer::rejected(number, &settled.rejected), may_be_dropped: true, close: None }]
            }
        }
    }
}

impl Plain {
    fn refuse_frame(&mut self, session: &Session, refused: &RefusedFrame) -> Vec<Step<Waiting>> {
        session.door().metrics.frames_refused.inc();
        self.bad_frames += 1;
        let whose: Vec<Option<Seq>> = if refused.seqs.is_empty() { vec![None] } else { refused.seqs.iter().copied().map(Some).collect() };
        let mut answers: Vec<Answer> = whose
            .into_iter()
            .map(|seq| Answer {
                bytes: answer::frame_refused(self.frames, seq, refused.code, &refused.message),
                // Not even for a peer that does not read: there are BAD_FRAMES of them at most.
                ..Answer::default()
            })
            .collect();
        if self.bad_frames >= BAD_FRAMES
            && let Some(last) = answers.last_mut()
        {
            last.close = Some((CloseCode::BadData, format!("{BAD_FRAMES} frames that are not well-formed, the last: {}", refused.message)));
        }
        answers.into_iter().map(say).collect()
    }

    /// The hub takes nothing now: every batch hears so, and a peer without batches keeps what it has when the connection ends.
    fn later(&self, frame: &[u8], survey: &Survey, later: &Later) -> Vec<Step<Waiting>> {
        let only_batches = survey.batches.first().is_some_and(|(at, _)| *at == 0) && count_values(frame) == survey.batches.len();
        let batches = survey.batches.iter().map(|(_, seq)| Whose::Batch(*seq));
        let frame = (!only_batches).then_some(Whose::Frame(self.frames));
        batches.chain(frame).map(|whose| say(whose.later(later))).collect()
    }
}

fn count_values(frame: &[u8]) -> usize {
    let mut cursor = Cursor::new(frame);
    let mut values = 0;
    while !cursor.is_at_end() && cursor.pass(0).is_ok() {
        values += 1;
    }
    values
}

fn say(answer: Answer) -> Step<Waiting> {
    Step::Settled(Waiting(What::Say(answer)))
}

impl Whose {
    fn later(self, later: &Later) -> Answer {
        match self {
            Self::Batch(seq) => Answer { bytes: answer::retry(seq, later), ..Answer::default() },
            Self::Frame(number) => Answer {
                bytes: answer::frame_later(number, later),
                may_be_dropped: true,
                close: Some((CloseCode::Failed, format!("{}: {}", later.code, later.message))),
            },
        }
    }
}

/// One frame on its way through.
struct Frame<'a, 's> {
    number: u64,
    cursor: Cursor<'a>,
    names: &'s mut Names,
    session: &'s mut Session,
    /// Among the frame's own values, arrays counted through; a batch counts its own.
    index: u32,
}

impl Frame<'_, '_> {
    fn decide(mut self, survey: &Survey) -> Result<Vec<Step<Waiting>>, Malformed> {
        let mut steps = Vec::with_capacity(survey.batches.len() + 1);
        let mut batches = survey.batches.iter().peekable();
        let mut loose = self.session.begin_batch();
        while !self.cursor.is_at_end() {
            match batches.next_if(|(at, _)| *at == self.cursor.at()) {
                Some((_, seq)) => {
                    // What came before the batch goes before it.
                    let before = std::mem::replace(&mut loose, self.session.begin_batch());
                    steps.extend(self.loose_step(before));
                    let batch = self.batch()?;
                    steps.push(step(batch, Whose::Batch(*seq)));
                }
                None => {
                    self.index = item(&mut self.cursor, self.session, self.names, &mut loose, self.index, 0)?;
                }
            }
        }
        steps.extend(self.loose_step(loose));
        Ok(steps)
    }

    fn loose_step(&self, loose: Deciding) -> Option<Step<Waiting>> {
        (!loose.is_empty()).then(|| step(loose, Whose::Frame(self.number)))
    }

    /// `{seq, readings}`, whose number the survey has read.
    fn batch(&mut self) -> Result<Deciding, Malformed> {
        let mut batch = self.session.begin_batch();
        let Token::Map(pairs) = self.cursor.token()? else {
            return Ok(batch);
        };
        for _ in 0..pairs {
            if self.cursor.token()? != Token::Text(b"readings") {
                self.cursor.pass(1)?;
                continue;
            }
            let Token::Array(count) = self.cursor.token()? else {
                continue;
            };
            let mut index = 0;
            for _ in 0..count {
                index = item(&mut self.cursor, self.session, self.names, &mut batch, index, 2)?;
            }
        }
        Ok(batch)
    }
}

fn step(batch: Deciding, whose: Whose) -> Step<Waiting> {
    match batch.finish(None) {
        (Some((batch, outcome)), pending) => Step::Submit { batch, outcome, waiting: Waiting(What::Pending(whose, pending)) },
        (None, pending) => Step::Settled(Waiting(What::Pending(whose, pending))),
    }
}

/// One value at a reading's place, or an array of them. Gives the index after it. The survey bounds how deep this goes.
fn item<'a>(
    cursor: &mut Cursor<'a>,
    session: &mut Session,
    names: &mut Names,
    batch: &mut Deciding,
    index: u32,
    depth: usize,
) -> Result<u32, Malformed> {
    match cursor.token()? {
        Token::Map(pairs) => {
            let parts: Parts<'a> = Parts::read(cursor, pairs, depth)?;
            match parts.shape() {
                Shape::Reading => reading::reading(session, names, batch, index, &parts),
                Shape::Row => reading::row(session, names, batch, index, &parts),
                Shape::Telegraf => telegraf::metric(session, names, batch, index, &parts),
            }
            Ok(index + 1)
        }
        Token::Array(count) => (0..count).try_fold(index, |index, _| item(cursor, session, names, batch, index, depth + 1)),
        other => {
            let message = format!("a reading is a map, this is {}", other.name());
            batch.refuse(index, &[], None, Refusal::new(telltale_wire::RowCode::BadValue, message));
            Ok(index + 1)
        }
    }
}

/// The bytes by which a series is known again: how the names are to be read, then the names as they came.
#[derive(Debug, Default)]
struct Names {
    raw: Vec<u8>,
    /// Where the part ends that all values of a row share.
    head: usize,
}

impl Names {
    fn begin(&mut self, shape: u8, name: &[u8], labels: Entries<'_>) {
        self.raw.clear();
        self.raw.push(shape);
        for part in [name, labels.raw] {
            // Lengths first, so that no two lists of names run into the same bytes.
            self.raw.extend_from_slice(&part.len().to_le_bytes());
            self.raw.extend_from_slice(part);
        }
        self.head = self.raw.len();
    }

    /// Names may be as long as a frame. Between frames no more room is kept than names need by which a series is known again.
    fn end(&mut self) {
        self.raw.clear();
        self.raw.shrink_to(KNOWN_NAME_BYTES);
    }

    #[inline]
    fn series(
        &mut self,
        session: &mut Session,
        tail: &[u8],
        meet: impl FnOnce(&mut Session, &[u8]) -> Result<session::Known, Refusal>,
    ) -> Result<session::Known, Refusal> {
        self.raw.truncate(self.head);
        self.raw.extend_from_slice(tail);
        match session.known(&self.raw) {
            Some(known) => Ok(known),
            None => meet(session, &self.raw),
        }
    }
}
