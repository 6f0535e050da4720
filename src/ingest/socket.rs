//! `GET /api/v1/ingest`: the shell around a way in. It moves bytes: frames to the way, batches to the writer, outcomes back to the
//! way, answers to the peer. What it decides is only when to read and when to end.
//!
//! Invariants: batches go to the writer and answers to the peer in the order of the frames. At most
//! `UNANSWERED_PER_CONNECTION` batches are at the writer; beyond that the socket is not read, and its peer waits through TCP. Every
//! batch that went to the writer is booked, also when its connection is gone.

use std::collections::VecDeque;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse, web};
use bytes::Bytes;
use telltale_wire::{BatchCode, CloseCode, SUBPROTOCOL};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::timeout;

use super::agents::Seat;
use super::compact::{Compact, Opened};
use super::gateway;
use super::plain::Plain;
use super::session::Session;
use super::way::{Answer, Step, Way};
use super::{Batch, Later, Outcome};
use crate::auth::access::Access;
use crate::clock::NS_PER_MS;
use crate::http::auth::Writer;
use crate::http::error::ApiError;
use crate::http::line;
use crate::http::params::NoParams;
use crate::hub::Hub;
use crate::limits::{
    AGENT_IDLE, ANSWERS_PER_CONNECTION, LAST_ANSWERS, SLOW_DOWN_MS, UNANSWERED_PER_CONNECTION, UNANSWERED_READINGS_PER_CONNECTION,
};
use crate::live::via::Via;
use crate::model::TimeNs;
use crate::ws::{self, End, Incoming, Lifetime, Message, Peer};

/// The handler: upgrades and serves until the peer, the token or the hub ends.
#[utoipa::path(get, path = "/api/v1/ingest", tag = "ingest",
    responses((status = 101, description = "A WebSocket: binary frames of readings in MessagePack, answers with `ack`.")))]
pub async fn ingest(
    request: HttpRequest,
    payload: web::Payload,
    hub: web::Data<Hub>,
    writer: Writer,
    _: NoParams,
) -> Result<HttpResponse, ApiError> {
    let hub = hub.into_inner();
    let access = writer.0;
    let (answers, frames) = mpsc::channel(ANSWERS_PER_CONNECTION);
    let frame_bytes = hub.config.ingest.frame_bytes;
    line::forget(&request);
    let opened = ws::open(&request, payload, &[SUBPROTOCOL], frame_bytes, Lifetime::Heard(AGENT_IDLE), &hub.sockets, frames).await?;
    let session = Session::new(Arc::clone(&hub.door), access.clone());
    let shell = Shell { hub, access, incoming: opened.incoming, peer: opened.peer, answers };
    match opened.protocol {
        Some(_) => {
            let compact = Compact::new(&session, Arc::clone(&shell.hub.agents), frame_bytes);
            actix_web::rt::spawn(Connection::new(shell, session).run(compact));
        }
        None => {
            actix_web::rt::spawn(Connection::new(shell, session).run(Plain::default()));
        }
    }
    Ok(opened.response)
}

/// What a connection of either form is made of.
struct Shell {
    hub: Arc<Hub>,
    access: Access,
    incoming: Incoming,
    peer: Arc<Peer>,
    answers: mpsc::Sender<Bytes>,
}

struct Connection<W: Way> {
    hub: Arc<Hub>,
    access: Access,
    session: Session,
    via: Via,
    incoming: Incoming,
    peer: Arc<Peer>,
    answers: mpsc::Sender<Bytes>,
    unanswered: VecDeque<Unanswered<W::Waiting>>,
    unanswered_readings: usize,
    /// Told when another connection comes as the same agent.
    displaced: Arc<Notify>,
    seat: Option<Seat>,
    /// When the peer was last asked to pause.
    pause_asked: TimeNs,
}

/// A step whose answer is not out. Without an outcome it is ready.
struct Unanswered<T> {
    outcome: Option<oneshot::Receiver<Outcome>>,
    waiting: T,
}

/// Why a connection ends.
enum Ending {
    /// The peer closed, and was answered.
    Closed,
    /// The connection broke: there is nobody to tell.
    Gone,
    /// The hub closes.
    Close(CloseCode, String),
}

impl From<End> for Ending {
    fn from(end: End) -> Self {
        match end {
            End::Closed => Self::Closed,
            End::Gone => Self::Gone,
            End::Broke(code, reason) => Self::Close(code, reason),
        }
    }
}

impl<W: Way> Connection<W> {
    fn new(shell: Shell, session: Session) -> Self {
        let Shell { hub, access, incoming, peer, answers } = shell;
        Self {
            via: Via::open(&hub.presence, &hub.clock, access.name()),
            hub,
            access,
            session,
            incoming,
            peer,
            answers,
            unanswered: VecDeque::new(),
            unanswered_readings: 0,
            displaced: Arc::default(),
            seat: None,
            pause_asked: TimeNs::MIN,
        }
    }

    async fn run(mut self, mut way: W) {
        let hub = Arc::clone(&self.hub);
        hub.metrics.agents_open.inc();
        let (access, peer, displaced) = (self.access.clone(), Arc::clone(&self.peer), Arc::clone(&self.displaced));
        let mut ended = pin!(ended(&hub, &access, &peer, &displaced));
        let ending = tokio::select! {
            ending = self.serve(&mut way) => ending,
            ending = &mut ended => ending,
        };
        // Their steps may have been cut off between two answers; what is left is answered in order, for a short time.
        if timeout(LAST_ANSWERS, self.answer_all(&mut way)).await.is_err() {
            tracing::debug!(unanswered = self.unanswered.len(), "a connection ends before its answers are out");
        }
        if let Ending::Close(code, reason) = &ending {
            if let Some(last) = way.closing(*code, reason) {
                self.offer(&last.bytes);
            }
            peer.close(*code, reason);
        }
        let Self { incoming, session, unanswered, via, .. } = self;
        drop(via);
        if let Ending::Gone = ending {
            peer.finish();
        } else {
            incoming.linger().await;
        }
        hub.metrics.agents_open.sub(1);
        book(&mut way, &session, &hub, unanswered).await;
    }

    async fn serve(&mut self, way: &mut W) -> Ending {
        loop {
            let may_read = self.has_room();
            self.peer.set_deaf(!may_read);
            let next = tokio::select! {
                biased;
                outcome = front(&mut self.unanswered), if !self.unanswered.is_empty() => Next::Outcome(outcome),
                message = self.incoming.next(), if may_read => Next::Message(message),
            };
            let went = match next {
                Next::Outcome(outcome) => self.answer(way, outcome).await,
                Next::Message(Ok(Message::Binary(frame))) => self.frame(way, &frame).await,
                Next::Message(Ok(Message::Text(_))) => {
                    Err(Ending::Close(CloseCode::Unsupported, "text frame; readings come in binary frames".to_owned()))
                }
                Next::Message(Err(end)) => Err(end.into()),
            };
            if let Err(ending) = went {
                return ending;
            }
        }
    }

    fn has_room(&self) -> bool {
        self.unanswered.len() < UNANSWERED_PER_CONNECTION && self.unanswered_readings < UNANSWERED_READINGS_PER_CONNECTION
    }

    async fn frame(&mut self, way: &mut W, frame: &[u8]) -> Result<(), Ending> {
        let received = self.hub.clock.now();
        let steps = way.frame(&mut self.session, frame, received);
        if let Some(opened) = way.opened() {
            self.opened(&opened);
        }
        self.via.brought(self.session.arrived(), received);
        if let Some(oldest) = steps.iter().filter_map(oldest).min() {
            self.via.brought_from(oldest, received);
        }
        self.peer.set_deaf(true);
        for step in steps {
            // One frame may hold many batches.
            while !self.has_room() {
                let outcome = front(&mut self.unanswered).await;
                self.answer(way, outcome).await?;
            }
            self.step(way, step).await;
        }
        Ok(())
    }

    /// An agent said who it is.
    fn opened(&mut self, opened: &Opened) {
        let Opened { agent, boot, clock_ahead_ns, program, .. } = opened;
        tracing::info!(%agent, boot, clock_ahead_ns, program, token = self.access.name(), "an agent connected");
        self.seat = Some(self.hub.agents.sit(agent, *boot, &self.displaced));
        // From now on people see the agent's name, not its token's.
        self.via = Via::open(&self.hub.presence, &self.hub.clock, agent);
        gateway::describe(&self.hub, &self.access, opened);
    }

    async fn step(&mut self, way: &W, step: Step<W::Waiting>) {
        let (outcome, waiting) = match step {
            Step::Submit { batch, outcome, waiting } => {
                self.ask_for_a_pause(way);
                (Some(self.submit(batch, outcome).await), waiting)
            }
            Step::Settled(waiting) => (None, waiting),
        };
        self.unanswered_readings += W::sent(&waiting);
        self.unanswered.push_back(Unanswered { outcome, waiting });
    }

    /// A sender that knows how is asked to pause before the queue is full and its socket is not read any more.
    fn ask_for_a_pause(&mut self, way: &W) {
        let now = self.hub.clock.now();
        if self.hub.queue.is_crowded()
            && now.saturating_sub(self.pause_asked) >= i64::from(SLOW_DOWN_MS) * NS_PER_MS
            && let Some(frame) = way.slow_down(SLOW_DOWN_MS)
        {
            self.pause_asked = now;
            self.hub.metrics.slow_downs.inc();
            self.offer(&frame);
        }
    }

    /// Waits while the writer's queue is full.
    async fn submit(&self, batch: Batch, outcome: oneshot::Receiver<Outcome>) -> oneshot::Receiver<Outcome> {
        match self.hub.queue.submit(batch).await {
            Ok(()) => outcome,
            Err(later) => {
                self.hub.metrics.batches_later.inc();
                let (reply, outcome) = oneshot::channel();
                // The receiver is right here, so this cannot fail.
                drop(reply.send(Outcome::Later(later)));
                outcome
            }
        }
    }

    /// Answers the oldest step.
    async fn answer(&mut self, way: &mut W, outcome: Option<Outcome>) -> Result<(), Ending> {
        let Some(Unanswered { waiting, .. }) = self.unanswered.pop_front() else {
            return Ok(());
        };
        self.unanswered_readings -= W::sent(&waiting);
        let mut answers = way.answer(&self.session, waiting, outcome, self.hub.clock.now());
        if !self.is_next_ready() {
            answers.extend(way.caught_up());
        }
        for answer in answers {
            self.say(answer).await?;
        }
        Ok(())
    }

    fn is_next_ready(&mut self) -> bool {
        self.unanswered.front().is_some_and(|next| next.outcome.as_ref().is_none_or(|outcome| !outcome.is_empty()))
    }

    /// Waits while the peer does not read, unless nobody asked for the answer.
    async fn say(&mut self, answer: Answer) -> Result<(), Ending> {
        if answer.may_be_dropped {
            if self.answers.capacity() == 0 {
                // The body has not had its turn since a burst of frames; a peer that reads has room after it.
                tokio::task::yield_now().await;
            }
            self.offer(&answer.bytes);
        } else if !answer.bytes.is_empty() {
            self.peer.set_deaf(true);
            self.answers.send(ws::frame(ws::Kind::Binary, &answer.bytes)).await.map_err(|_| Ending::Gone)?;
        }
        answer.close.map_or(Ok(()), |(code, reason)| Err(Ending::Close(code, reason)))
    }

    fn offer(&self, bytes: &[u8]) {
        if !bytes.is_empty() && self.answers.try_send(ws::frame(ws::Kind::Binary, bytes)).is_err() {
            self.hub.metrics.answers_dropped.inc();
        }
    }

    async fn answer_all(&mut self, way: &mut W) {
        while !self.unanswered.is_empty() {
            let outcome = front(&mut self.unanswered).await;
            // A second reason to close does not matter any more.
            if let Err(Ending::Gone) = self.answer(way, outcome).await {
                return;
            }
        }
    }
}

enum Next {
    Outcome(Option<Outcome>),
    Message(Result<Message, End>),
}

/// The oldest reading of a step that has some.
fn oldest<T>(step: &Step<T>) -> Option<TimeNs> {
    match step {
        Step::Submit { batch, .. } => batch.readings.iter().map(|reading| reading.time).min(),
        Step::Settled(_) => None,
    }
}

/// The outcome of the oldest step. May be dropped and asked again.
async fn front<T>(unanswered: &mut VecDeque<Unanswered<T>>) -> Option<Outcome> {
    match unanswered.front_mut().and_then(|oldest| oldest.outcome.as_mut()) {
        Some(outcome) => Some(outcome.await.unwrap_or_else(|_| Outcome::Later(writer_gone()))),
        None => None,
    }
}

/// The writer ended with the batch in hand: whether it is in the log shows after the restart, and sending it again is harmless.
fn writer_gone() -> Later {
    Later { code: BatchCode::Draining, after_ms: 1000, message: "the hub stopped before the batch was committed".to_owned() }
}

/// Resolves when something other than the peer's frames ends the connection.
async fn ended(hub: &Hub, access: &Access, peer: &Peer, displaced: &Notify) -> Ending {
    let (code, reason) = tokio::select! {
        () = access.ended() => (CloseCode::TokenEnded, "the token was revoked or has ended"),
        () = hub.stopped() => (CloseCode::Draining, "the hub is stopping"),
        () = displaced.notified() => (CloseCode::SameAgent, "the same agent with the same boot id connected elsewhere"),
        () = peer.died() => (CloseCode::Policy, "idle: no frame and no pong"),
    };
    Ending::Close(code, reason.to_owned())
}

/// Books what is still at the writer when its connection is over: the readings are stored or refused all the same.
async fn book<W: Way>(way: &mut W, session: &Session, hub: &Hub, unanswered: VecDeque<Unanswered<W::Waiting>>) {
    /// The writer answers everything it took, so this is for a stop that runs out of time.
    const PATIENCE: Duration = Duration::from_secs(60);
    for Unanswered { outcome, waiting } in unanswered {
        let outcome = match outcome {
            Some(outcome) => match timeout(PATIENCE, outcome).await {
                Ok(Ok(outcome)) => Some(outcome),
                Ok(Err(_)) | Err(_) => return,
            },
            None => None,
        };
        drop(way.answer(session, waiting, outcome, hub.clock.now()));
    }
}

#[cfg(test)]
#[path = "socket_tests.rs"]
mod tests;
