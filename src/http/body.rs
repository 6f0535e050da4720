//! Bodies of readings: decided in pieces while they come in, so that memory stays flat for a body of any length; done when the last
//! piece is durable. What the lines are is the reader's matter, and how an answer is worded the route's.
//!
//! Invariant: every batch that went to the writer is booked, also when its client is gone.

use std::collections::VecDeque;
use std::fmt::Display;
use std::io::{self, Write as _};
use std::sync::Arc;

use actix_web::HttpRequest;
use actix_web::http::header::CONTENT_ENCODING;
use bytes::Bytes;
use flate2::write::MultiGzDecoder;
use futures_util::{Stream, StreamExt as _};
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::auth::access::Access;
use crate::hub::Hub;
use crate::ingest::line_protocol::Lines;
use crate::ingest::session::{Deciding, Pending, Rejected, Session, Settled};
use crate::ingest::{Later, Outcome};
use crate::limits::{BODY_BATCHES, BODY_PIECE_BYTES, BODY_STALLED, GZIP_STEP_BYTES, REFUSALS_QUOTED};
use crate::model::Position;
use crate::rows;

/// Tells the readings of a body apart.
pub trait Decode {
    /// Decides whole lines until the batch is full. Gives how many bytes they were. Err: nothing of the body can be read.
    fn decide(&mut self, session: &mut Session, batch: &mut Deciding, buf: &[u8], is_last: bool) -> Result<usize, String>;
}

impl Decode for Lines {
    fn decide(&mut self, session: &mut Session, batch: &mut Deciding, buf: &[u8], is_last: bool) -> Result<usize, String> {
        Ok(Self::decide(self, session, batch, buf, is_last))
    }
}

impl Decode for rows::Reader {
    fn decide(&mut self, session: &mut Session, batch: &mut Deciding, buf: &[u8], is_last: bool) -> Result<usize, String> {
        Self::decide(self, session, batch, buf, is_last)
    }
}

#[derive(Debug)]
pub enum Encoding {
    Plain,
    Gzip(Box<MultiGzDecoder<Vec<u8>>>),
}

impl Encoding {
    pub fn of(request: &HttpRequest) -> Result<Self, BodyError> {
        let text = request.headers().get(CONTENT_ENCODING).map_or("identity", |value| value.to_str().unwrap_or("(not text)"));
        match text.trim().to_ascii_lowercase().as_str() {
            "" | "identity" => Ok(Self::Plain),
            "gzip" | "x-gzip" => Ok(Self::Gzip(Box::new(MultiGzDecoder::new(Vec::new())))),
            _ => Err(BodyError::Encoding(text.to_owned())),
        }
    }
}

/// Why a body, or the rest of it, was not taken.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    #[error("Content-Encoding `{0}`, expected gzip or identity")]
    Encoding(String),
    #[error("the body broke off: {0}")]
    BrokeOff(String),
    #[error("the body is not gzip, as its Content-Encoding says: {0}")]
    Gzip(io::Error),
    #[error("{0}")]
    Form(String),
    #[error("nothing of the body came for {} s", BODY_STALLED.as_secs())]
    Stalled,
    #[error("a line is longer than {longest} bytes ([ingest] frame_bytes)")]
    TooLarge { longest: usize },
    #[error("the token was revoked or has ended")]
    Ended,
    #[error("the hub stopped before the body was committed")]
    Stopped,
    #[error("{}: {}", .0.code, .0.message)]
    Later(Later),
}

impl From<Later> for BodyError {
    fn from(later: Later) -> Self {
        Self::Later(later)
    }
}

/// What became of the readings of a body.
#[derive(Debug, Default)]
pub struct Tally {
    pub stored: usize,
    pub duplicate: usize,
    pub refused: usize,
    /// The first that were refused.
    pub quoted: Vec<Rejected>,
}

impl Tally {
    fn add(&mut self, settled: Settled) {
        self.stored += settled.stored;
        self.duplicate += settled.duplicate;
        self.refused += settled.rejected.len();
        let room = REFUSALS_QUOTED.saturating_sub(self.quoted.len());
        self.quoted.extend(settled.rejected.into_iter().take(room));
    }
}

/// When the text that came in is looked at again. A line is read from its beginning each time, so one that is not whole is not
/// looked at for every few bytes more.
#[derive(Debug)]
pub(super) struct Pace {
    at_bytes: usize,
    /// Beyond, a line is refused.
    longest: usize,
}

impl Pace {
    pub(super) fn new(longest: usize) -> Self {
        Self { at_bytes: BODY_PIECE_BYTES, longest }
    }

    pub(super) fn is_due(&self, bytes: usize) -> bool {
        bytes >= self.at_bytes
    }

    /// So much is left of what was looked at: the beginning of a line.
    pub(super) fn looked(&mut self, left: usize) {
        self.at_bytes = (2 * left).min(self.longest + 1).max(BODY_PIECE_BYTES);
    }
}

/// One body on its way in.
#[derive(Debug)]
pub struct Intake<D> {
    hub: Arc<Hub>,
    access: Access,
    pub session: Session,
    pub decoder: D,
    at_writer: VecDeque<(Option<oneshot::Receiver<Outcome>>, Pending)>,
    pub tally: Tally,
    pace: Pace,
}

impl<D: Decode> Intake<D> {
    pub fn new(hub: Arc<Hub>, session: Session, decoder: D) -> Self {
        let (access, pace) = (session.access().clone(), Pace::new(hub.config.ingest.frame_bytes));
        Self { hub, access, session, decoder, at_writer: VecDeque::new(), tally: Tally::default(), pace }
    }

    /// Everything that came is decided and booked when it returns, whatever it returns.
    pub async fn run<E: Display>(
        &mut self,
        encoding: Encoding,
        body: impl Stream<Item = Result<Bytes, E>> + Unpin,
    ) -> Result<(), BodyError> {
        let read = match self.session.begin_frame(self.hub.clock.now()) {
            Ok(()) => self.read(encoding, body).await,
            Err(later) => Err(later.into()),
        };
        let mut settled = Ok(());
        while !self.at_writer.is_empty() {
            settled = settled.and(self.settle_oldest().await);
        }
        read.and(settled)
    }

    async fn read<E: Display>(
        &mut self,
        mut encoding: Encoding,
        mut body: impl Stream<Item = Result<Bytes, E>> + Unpin,
    ) -> Result<(), BodyError> {
        let mut text = Vec::new();
        loop {
            let chunk = timeout(BODY_STALLED, body.next()).await;
            let chunk = chunk.map_err(|_| BodyError::Stalled)?.transpose();
            let chunk = chunk.map_err(|error| BodyError::BrokeOff(error.to_string()))?;
            // A body may last for days.
            if self.access.has_ended() {
                return Err(BodyError::Ended);
            }
            match (&mut encoding, &chunk) {
                (Encoding::Plain, Some(chunk)) => {
                    text.extend_from_slice(chunk);
                    self.pieces(&mut text, false).await?;
                }
                (Encoding::Gzip(gzip), Some(chunk)) => {
                    for step in chunk.chunks(GZIP_STEP_BYTES) {
                        gzip.write_all(step).and_then(|()| gzip.flush()).map_err(BodyError::Gzip)?;
                        text.append(gzip.get_mut());
                        self.pieces(&mut text, false).await?;
                    }
                }
                (Encoding::Plain, None) => break,
                (Encoding::Gzip(gzip), None) => {
                    gzip.try_finish().map_err(BodyError::Gzip)?;
                    text.append(gzip.get_mut());
                    break;
                }
            }
        }
        self.pieces(&mut text, true).await
    }

    /// Decides the whole lines of `text` and leaves what is not one yet.
    async fn pieces(&mut self, text: &mut Vec<u8>, is_last: bool) -> Result<(), BodyError> {
        if !self.pace.is_due(text.len()) && !is_last {
            return Ok(());
        }
        self.session.go_on(self.hub.clock.now())?;
        let mut at = 0;
        loop {
            let mut batch = self.session.begin_batch();
            let taken = self.decoder.decide(&mut self.session, &mut batch, &text[at..], is_last).map_err(BodyError::Form)?;
            at += taken;
            if taken == 0 {
                break;
            }
            self.submit(batch).await?;
        }
        text.drain(..at);
        self.pace.looked(text.len());
        let longest = self.hub.config.ingest.frame_bytes;
        if text.len() > longest { Err(BodyError::TooLarge { longest }) } else { Ok(()) }
    }

    async fn submit(&mut self, batch: Deciding) -> Result<(), BodyError> {
        let (batch, pending) = batch.finish(None);
        // Also where nothing is left for the writer: refusals wait in memory as well.
        while self.at_writer.len() >= BODY_BATCHES {
            self.settle_oldest().await?;
        }
        let Some((batch, outcome)) = batch else {
            self.at_writer.push_back((None, pending));
            return Ok(());
        };
        let submitted = self.hub.queue.submit(batch).await;
        submitted.inspect_err(|_| self.hub.metrics.batches_later.inc())?;
        self.at_writer.push_back((Some(outcome), pending));
        Ok(())
    }

    async fn settle_oldest(&mut self) -> Result<(), BodyError> {
        let Some((outcome, pending)) = self.at_writer.pop_front() else {
            return Ok(());
        };
        let outcome = match outcome {
            Some(outcome) => outcome.await.map_err(|_| BodyError::Stopped)?,
            None => Outcome::Committed { position: Position(0), stored: 0, duplicate: 0, refused: Vec::new() },
        };
        let settled = pending.settle(&self.hub.door, &self.access, self.hub.clock.now(), outcome)?;
        self.tally.add(settled);
        Ok(())
    }
}
