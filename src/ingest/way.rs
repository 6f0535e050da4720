//! What a connection's loop asks of a way in, plain or compact: frames become steps, outcomes become answers.

use telltale_wire::CloseCode;
use tokio::sync::oneshot;

use super::compact::Opened;
use super::session::Session;
use super::{Batch, Outcome};
use crate::model::TimeNs;

/// What the shell does next for a frame, in this order.
#[derive(Debug)]
pub enum Step<W> {
    /// Give the batch to the writer; its outcome makes the answer.
    Submit { batch: Batch, outcome: oneshot::Receiver<Outcome>, waiting: W },
    /// Nothing is for the writer, but the answer has its place behind those before it.
    Settled(W),
}

/// Goes back to the peer. No bytes: nothing to say.
#[derive(Debug, Default, PartialEq)]
pub struct Answer {
    pub bytes: Vec<u8>,
    /// A peer that asked for no answers may not read them: then they are dropped, never waited for.
    pub may_be_dropped: bool,
    /// Close the connection after it.
    pub close: Option<(CloseCode, String)>,
}

/// Answers leave in the order of the steps. Pure: no I/O, no clock.
pub trait Way {
    /// An answer that has its place in the order but is not made yet.
    type Waiting;

    /// Decides one binary frame.
    fn frame(&mut self, session: &mut Session, frame: &[u8], received: TimeNs) -> Vec<Step<Self::Waiting>>;

    /// What the frame said about who is there; the shell acts on it before the steps.
    fn opened(&mut self) -> Option<Opened> {
        None
    }

    /// How many readings it stands for.
    fn sent(waiting: &Self::Waiting) -> usize;

    /// Books what became of a step and makes its answers; no outcome for a step that was settled.
    fn answer(&mut self, session: &Session, waiting: Self::Waiting, outcome: Option<Outcome>, at: TimeNs) -> Vec<Answer>;

    /// What adds up while outcomes come one after the other, once no more are ready.
    fn caught_up(&mut self) -> Option<Answer> {
        None
    }

    /// How to ask the peer for a pause, where the protocol has a word for it.
    fn slow_down(&self, _after_ms: u32) -> Option<Vec<u8>> {
        None
    }

    /// The last word before a close frame that the hub sends.
    fn closing(&mut self, _code: CloseCode, _reason: &str) -> Option<Answer> {
        None
    }
}
