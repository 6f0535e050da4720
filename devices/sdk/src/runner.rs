//! The client's task: moves bytes between the session, the spool and the socket, and waits for whichever comes first.
//!
//! When the socket's queue is full the session is not asked for more. The disk is synced beside the loop: a slow card must
//! not hold up acks.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use telltale_wire::{Goodbye, Hello, HubFrame, Places, Welcome};
use tokio::sync::watch;
use tokio::task::{JoinError, JoinHandle};
use tokio::time::Instant as TokioInstant;
use tokio_tungstenite::tungstenite::{Error as WsError, Message};

use crate::client::{Config, Shared};
use crate::connect::{Dialer, Socket};
use crate::error::ConnectError;
use crate::link::{CLOSED_DEADLINE, Closed, Link};
use crate::outgoing::{Encoder, TooBig};
use crate::refusals::Refusals;
use crate::session::{Action, Event, Session};
use crate::spool::codec::Batch;

/// The hub's clock and ours should not differ by more.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(60);

/// Whether and until when the client is being closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    No,
    By(Instant),
}

type Dialing = Pin<Box<dyn Future<Output = Result<Socket, ConnectError>> + Send>>;

pub(crate) struct Runner {
    shared: Arc<Shared>,
    session: Session,
    dialer: Dialer,
    config: Config,
    stop: watch::Receiver<Stop>,
    stop_at: Option<Instant>,
    dialing: Option<Dialing>,
    link: Option<Link>,
    /// Batches before this one were told to the session.
    told_batch: u64,
    told_first: u64,
    sync_at: TokioInstant,
    syncing: Option<JoinHandle<io::Result<()>>>,
    refusals: Refusals,
    ended: bool,
}

/// What the task waited for.
enum Woken {
    Pushed,
    Dialed(Box<Result<Socket, ConnectError>>),
    Incoming(Option<Result<Message, WsError>>),
    /// The outbox has room again; `false`: the writer is gone.
    Outbox(bool),
    Stop,
    Synced(Result<io::Result<()>, JoinError>),
    Timer,
}

impl Runner {
    pub(crate) fn new(shared: Arc<Shared>, session: Session, dialer: Dialer, config: Config, stop: watch::Receiver<Stop>) -> Runner {
        let (told_batch, told_first) = {
            let spool = shared.spool();
            (spool.next_batch(), spool.first_batch())
        };
        Runner {
            shared,
            session,
            dialer,
            sync_at: TokioInstant::now() + config.sync_every,
            config,
            stop,
            stop_at: None,
            dialing: None,
            link: None,
            told_batch,
            told_first,
            refusals: Refusals::default(),
            syncing: None,
            ended: false,
        }
    }

    pub(crate) async fn run(mut self) {
        self.handle(Event::Tick);
        while !self.ended {
            self.tell_pushed();
            self.send_all();
            match self.wait().await {
                Woken::Pushed | Woken::Outbox(true) => {}
                Woken::Outbox(false) => self.lost(None, "the connection ended while a batch was written".to_owned()),
                Woken::Dialed(result) => self.dialed(*result),
                Woken::Incoming(message) => self.incoming(message),
                Woken::Stop => self.stopping(),
                Woken::Synced(result) => self.synced(result),
                Woken::Timer => self.timer(),
            }
        }
        if let Some(link) = self.link.take() {
            link.close().await;
        }
        self.refusals.flush();
        self.sync_to_the_end().await;
    }

    async fn wait(&mut self) -> Woken {
        let timer = self.next_timer();
        let outbox = self.link.as_ref().filter(|link| link.outbox.capacity() == 0).map(|link| link.outbox.clone());
        tokio::select! {
            () = self.shared.pushed.notified() => Woken::Pushed,
            result = maybe(self.dialing.as_mut()) => Woken::Dialed(Box::new(result)),
            message = async { maybe(self.link.as_mut().map(|link| link.incoming.next())).await } => Woken::Incoming(message),
            room = async { maybe(outbox.as_ref().map(|outbox| outbox.reserve())).await } => Woken::Outbox(room.is_ok()),
            Ok(()) = self.stop.changed() => Woken::Stop,
            result = maybe(self.syncing.as_mut()) => Woken::Synced(result),
            () = tokio::time::sleep_until(timer) => Woken::Timer,
        }
    }

    fn next_timer(&self) -> TokioInstant {
        let closed = self.link.as_ref().and_then(|link| link.closed.as_ref()).map(|closed| closed.until);
        let wake_at = [self.session.wake_at(), self.stop_at, closed].into_iter().flatten().min();
        wake_at.map_or(self.sync_at, |at| TokioInstant::from_std(at).min(self.sync_at))
    }

    fn timer(&mut self) {
        if TokioInstant::now() >= self.sync_at {
            self.sync();
            self.refusals.flush_old();
            // Zero means that push syncs by itself; the timer then only writes the log.
            let every = if self.config.sync_every.is_zero() { Duration::from_secs(1) } else { self.config.sync_every };
            self.sync_at = TokioInstant::now() + every;
        }
        let over = |link: &Link| link.closed.as_ref().is_some_and(|closed| closed.until <= Instant::now());
        if self.link.as_ref().is_some_and(over) {
            self.gone("");
        }
        self.handle(Event::Tick);
        self.stopping();
    }

    fn stopping(&mut self) {
        let Stop::By(deadline) = *self.stop.borrow_and_update() else { return };
        if self.stop_at.is_none() {
            self.stop_at = Some(deadline);
            self.tell_pushed();
            self.handle(Event::Finish);
        }
        self.ended |= Instant::now() >= deadline;
    }

    /// Tells the session what was pushed and what the bound dropped since the last time.
    fn tell_pushed(&mut self) {
        let (next, first) = {
            let spool = self.shared.spool();
            (spool.next_batch(), spool.first_batch())
        };
        if first > self.told_first {
            self.told_first = first;
            self.handle(Event::Dropped { before: first });
        }
        for batch in self.told_batch.max(first)..next {
            self.handle(Event::Appended { batch });
        }
        self.told_batch = self.told_batch.max(next);
    }

    fn handle(&mut self, event: Event<'_>) {
        let actions = self.session.handle(Instant::now(), event);
        for action in actions {
            self.perform(action);
        }
    }

    fn perform(&mut self, action: Action) {
        match action {
            Action::Connect => self.dialing = Some(Box::pin(self.dialer.clone().connect())),
            Action::Hello => {
                let hello = self.hello();
                self.say(Message::Binary(hello.into()));
            }
            Action::Rejected { batch, seq, places, code, retry, message } => {
                let rows = self.rejected_rows(batch, seq, places);
                self.refusals.note(&code.to_string(), retry, rows.len() as u64, &message);
                if retry { self.keep(batch, &rows) } else { self.shared.stats().rejected += rows.len() as u64 }
            }
            Action::Acked { up_to, batches, stored, duplicate } => self.acked(up_to, &batches, stored, duplicate),
            Action::Ping => self.say(Message::Ping(Vec::new().into())),
            Action::Goodbye => {
                let mut frame = Vec::new();
                Goodbye { reason: "all is sent" }.encode(&mut frame);
                self.say(Message::Binary(frame.into()));
            }
            Action::Disconnect { reason } => {
                tracing::warn!(url = self.dialer.url(), "connection ended: {reason}");
                self.lost(None, reason);
            }
            Action::Ended => self.ended = true,
        }
    }

    fn hello(&self) -> Vec<u8> {
        let mut frame = Vec::new();
        let Config { agent_id, program, attributes, .. } = &self.config;
        let hello = Hello {
            agent: agent_id,
            boot: self.shared.spool().boot(),
            clock_ns: (self.shared.clock)(),
            program,
            attributes: attributes.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect(),
        };
        hello.encode(&mut frame);
        frame
    }

    /// Hello, ping and goodbye find room: each comes when nothing else waits, or may be left out.
    fn say(&mut self, message: Message) {
        if let Some(link) = &self.link
            && let Err(error) = link.outbox.try_send(vec![message])
        {
            tracing::debug!(%error, "the socket takes no more");
        }
    }

    fn dialed(&mut self, result: Result<Socket, ConnectError>) {
        self.dialing = None;
        match result {
            Ok(socket) => {
                self.link = Some(Link::new(socket));
                self.handle(Event::Opened);
            }
            Err(error) => {
                tracing::warn!("{error}");
                self.lost(None, error.to_string());
            }
        }
    }

    fn incoming(&mut self, message: Option<Result<Message, WsError>>) {
        match message {
            Some(Ok(Message::Binary(bytes))) => match HubFrame::parse(&bytes) {
                Ok(frame) => {
                    if let HubFrame::Welcome(welcome) = &frame {
                        self.welcomed(welcome);
                    }
                    self.handle(Event::Frame(frame));
                }
                Err(error) => self.lost(None, format!("the hub sent a frame that cannot be read: {error}")),
            },
            Some(Ok(Message::Text(_))) => self.lost(None, "the hub sent text; telltale.v1 is binary".to_owned()),
            Some(Ok(Message::Close(frame))) => {
                let code = frame.as_ref().map(|frame| u16::from(frame.code));
                let reason = frame.map_or_else(String::new, |frame| frame.reason.to_string());
                tracing::debug!(?code, "the hub closed the connection: {reason}");
                if let Some(link) = &mut self.link {
                    // Reading on writes our own close frame; then the hub ends the connection.
                    link.closed = Some(Closed { code, reason, until: Instant::now() + CLOSED_DEADLINE });
                }
            }
            Some(Ok(_)) => self.handle(Event::Heard),
            Some(Err(error)) => self.gone(&error.to_string()),
            None => self.gone("the connection ended without a close frame"),
        }
    }

    /// The connection is over, after a close frame or without.
    fn gone(&mut self, reason: &str) {
        match self.link.as_mut().and_then(|link| link.closed.take()) {
            Some(Closed { code, reason, .. }) => {
                self.lost(code, format!("closed by the hub: {} {reason}", code.unwrap_or(1005)));
            }
            None => self.lost(None, reason.to_owned()),
        }
    }

    fn welcomed(&mut self, welcome: &Welcome<'_>) {
        tracing::info!(url = self.dialer.url(), hub = welcome.program, last_durable = welcome.last_durable, "connected");
        let apart_s = welcome.hub_time_ns.saturating_sub((self.shared.clock)()) / 1_000_000_000;
        if apart_s.unsigned_abs() > CLOCK_TOLERANCE.as_secs() {
            tracing::warn!(apart_s, "the hub's clock and this machine's are apart: readings may be refused; set the clock");
        }
        if let Some(link) = &mut self.link {
            link.encoder = Encoder::new(welcome.limits);
        }
        let mut stats = self.shared.stats();
        stats.connected = true;
        stats.connects += 1;
        stats.last_error = None;
    }

    fn lost(&mut self, close_code: Option<u16>, reason: String) {
        tracing::debug!(?close_code, reason, "no connection");
        self.link = None;
        {
            let mut stats = self.shared.stats();
            stats.connected = false;
            stats.last_error = Some(reason);
        }
        self.handle(Event::Lost { close_code });
    }

    fn send_all(&mut self) {
        while self.link.as_ref().is_some_and(|link| link.closed.is_none() && link.outbox.capacity() > 0) {
            let Some((batch, seq)) = self.session.next_send(Instant::now()) else { return };
            self.send(batch, seq);
        }
    }

    fn send(&mut self, number: u64, seq: u64) {
        let read = self.shared.spool().read(number);
        let batch = match read {
            Ok(Some(batch)) => batch,
            Ok(None) => return self.handle(Event::Unsendable { seq }),
            // It goes out again after a break, as what was sent does.
            Err(error) if error.may_pass() => return self.lost(None, format!("a batch cannot be read now: {error}")),
            Err(error) => {
                tracing::error!(%error, "a batch is lost");
                return self.give_up(number, seq, |stats, rows| stats.unreadable += rows);
            }
        };
        let Some(link) = &mut self.link else { return };
        match link.encoder.encode(seq, &batch) {
            Ok(encoded) => {
                let marked = self.shared.spool().mark_sent(number, seq);
                self.note_failure(marked.err());
                let Some(link) = &mut self.link else { return };
                link.orders.insert(seq, encoded.order);
                let frames = encoded.frames.into_iter().map(|frame| Message::Binary(frame.into())).collect();
                if link.outbox.try_send(frames).is_err() {
                    self.lost(None, "the connection ended while a batch was written".to_owned());
                }
            }
            Err(too_big) => self.split(number, seq, &batch, &too_big),
        }
    }

    /// Puts the two halves of a batch in its place. A single reading that is too big can never be sent.
    fn split(&mut self, number: u64, seq: u64, batch: &Batch, too_big: &TooBig) {
        let rows = batch.rows.len();
        if rows < 2 {
            self.refusals.note(too_big.limit, false, rows as u64, &too_big.to_string());
            return self.give_up(number, seq, |stats, rows| stats.rejected += rows);
        }
        let halves = [0..rows / 2, rows / 2..rows].map(|half| batch.select(half, batch.tries));
        let appended = halves.iter().try_for_each(|half| self.shared.spool().append(half).map(|_| ()));
        match appended {
            Ok(()) => self.give_up(number, seq, |_, _| {}),
            Err(error) => {
                tracing::error!(%error, "a batch is too big for the hub and the spool has no room for its halves");
                self.give_up(number, seq, |stats, rows| stats.rejected += rows);
            }
        }
    }

    /// The batch as such will not be sent.
    fn give_up(&mut self, number: u64, seq: u64, count: impl FnOnce(&mut crate::client::Stats, u64)) {
        let (rows, marked) = {
            let mut spool = self.shared.spool();
            (spool.rows_of(number), spool.mark_done(number))
        };
        count(&mut self.shared.stats(), rows.into());
        self.note_failure(marked.err());
        self.handle(Event::Unsendable { seq });
    }

    fn acked(&mut self, up_to: u64, batches: &[u64], stored: u64, duplicate: u64) {
        let marked = self.shared.spool().mark_acked(up_to, batches);
        self.note_failure(marked.err());
        if let Some(link) = &mut self.link {
            link.orders = link.orders.split_off(&(up_to + 1));
        }
        let mut stats = self.shared.stats();
        stats.stored += stored;
        stats.duplicate += duplicate;
    }

    /// The rows of the batch that stand at these places of its frame.
    fn rejected_rows(&self, batch: u64, seq: u64, places: Places) -> Vec<usize> {
        let order = self.link.as_ref().and_then(|link| link.orders.get(&seq));
        let row_of = |place: u32| order.and_then(|order| order.get(place as usize)).map(|row| *row as usize);
        match places {
            Places::All => (0..self.shared.spool().rows_of(batch) as usize).collect(),
            Places::Run { first, count } => (first..first.saturating_add(count)).map_while(row_of).collect(),
        }
    }

    /// Puts rows that the hub will take later into a batch of their own, before theirs counts as acked.
    fn keep(&mut self, number: u64, rows: &[usize]) {
        self.tell_pushed();
        let mut spool = self.shared.spool();
        let kept = spool.read(number).and_then(|batch| {
            let Some(batch) = batch else { return Ok(None) };
            let tries = batch.tries.saturating_add(1);
            let kept = spool.append(&batch.select(rows.iter().copied(), tries))?;
            Ok(Some((kept, tries)))
        });
        let next = spool.next_batch();
        drop(spool);
        match kept {
            Ok(Some((batch, tries))) => {
                // Another push may stand between: what is not ours is told as pushed.
                for other in (self.told_batch..next).filter(|other| *other != batch) {
                    self.handle(Event::Appended { batch: other });
                }
                self.told_batch = next;
                self.shared.stats().kept += rows.len() as u64;
                self.handle(Event::Kept { batch, tries });
            }
            Ok(None) => {}
            Err(error) => {
                tracing::error!(%error, readings = rows.len(), "readings that the hub refused for now are lost");
                self.shared.stats().rejected += rows.len() as u64;
            }
        }
    }

    /// Starts a sync of what was written since the last one, unless one is under way.
    fn sync(&mut self) {
        if self.syncing.is_some() {
            return;
        }
        if self.shared.spool().has_unsynced() {
            let shared = Arc::clone(&self.shared);
            self.syncing = Some(tokio::task::spawn_blocking(move || shared.sync()));
        }
    }

    fn synced(&mut self, result: Result<io::Result<()>, JoinError>) {
        self.syncing = None;
        if let Ok(Err(error)) = result {
            tracing::error!(%error, "the spool could not be synced: a power cut may lose readings");
            self.shared.stats().spool_failures += 1;
        }
    }

    /// Waits until all that was written is synced.
    async fn sync_to_the_end(&mut self) {
        loop {
            self.sync();
            let Some(syncing) = self.syncing.as_mut() else { return };
            let result = syncing.await;
            self.synced(result);
        }
    }

    /// A mark that could not be written costs a repeated batch after a restart, no reading.
    fn note_failure(&self, error: Option<crate::spool::SpoolError>) {
        if let Some(error) = error {
            tracing::warn!(%error, "the spool could not be written");
            self.shared.stats().spool_failures += 1;
        }
    }
}

/// Waits for what is there, and for ever for what is not.
async fn maybe<F: Future>(future: Option<F>) -> F::Output {
    match future {
        Some(future) => future.await,
        None => std::future::pending().await,
    }
}
