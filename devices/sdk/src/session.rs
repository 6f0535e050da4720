//! What to say to the hub and when: a pure state machine. Events and the time go in, actions come out; the socket and the
//! spool are elsewhere (`client.rs`).
//!
//! What is promised about order:
//! - Batches wait in two lanes: *live*, the newest [`LIVE_BATCHES_MAX`] that were not sent, and *backlog*, all older ones. Each
//!   lane is sent in the order of pushing. Live goes first; a backlog batch gets a turn after [`LIVE_IN_A_ROW`] live ones,
//!   and takes at most half the window, so neither starves. Between the lanes there is no order: the hub sorts by time.
//! - Sequence numbers ascend on a connection and say nothing about time. A batch keeps its number until it is acked: after a
//!   break, and after `retry`, the same batches go out again under the same numbers before any new one. No more than a
//!   window of them can be on their way, so a break costs no more than that in duplicates.
//!
//! Invariant: a batch is in exactly one of `live`, `backlog`, `later`, `resend` and `in_flight` until the hub has it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use telltale_wire::{Ack, CloseCode, Code, HubFrame, Places};

use crate::backoff::Backoff;

/// Unacked batches on one connection. At 100 ms to the hub and 1,000 readings a batch this carries 600,000 readings a second.
pub(crate) const WINDOW_BATCHES: usize = 64;
/// Half the window, so that a live batch never waits for the backlog's acks.
const BACKLOG_WINDOW_BATCHES: usize = WINDOW_BATCHES / 2;
/// Unsent batches that count as live; the oldest beyond it become backlog.
pub(crate) const LIVE_BATCHES_MAX: usize = 64;
/// Live batches sent before a waiting backlog batch gets its turn.
const LIVE_IN_A_ROW: u8 = 4;

/// No byte from the hub for this long, and the connection is dead.
const IDLE_DEADLINE: Duration = Duration::from_secs(60);
/// No byte from the hub for this long, and it is asked for one.
const PING_AFTER: Duration = Duration::from_secs(25);
/// From the open socket to the hub's welcome.
const WELCOME_DEADLINE: Duration = Duration::from_secs(10);
/// A batch that is neither acked nor asked for again for this long: the connection is of no use.
const ACK_DEADLINE: Duration = Duration::from_secs(120);
/// A connection that lived this long, or that acked something, was a good one: the next break starts with short waits.
const GOOD_AFTER: Duration = Duration::from_secs(30);
/// No agent comes to a batch of this number. A hub that names one is not to be believed, nor is there room to count on behind it.
const SEQ_BEYOND: u64 = u64::MAX / 2;
/// First wait for rows that the hub asked for again; doubled each time up to the longest.
const KEPT_FIRST: Duration = Duration::from_secs(30);
const KEPT_LONGEST: Duration = Duration::from_secs(600);

/// What happened.
#[derive(Debug)]
pub(crate) enum Event<'a> {
    /// A batch was pushed.
    Appended {
        batch: u64,
    },
    /// Rows that the hub refused for now stand in this batch of their own.
    Kept {
        batch: u64,
        tries: u8,
    },
    /// Batches before this one are gone from the spool.
    Dropped {
        before: u64,
    },
    /// The socket is open.
    Opened,
    Frame(HubFrame<'a>),
    /// Any other sign of life.
    Heard,
    /// A batch that was to be sent cannot be: it is gone, or its rows stand in other batches now.
    Unsendable {
        seq: u64,
    },
    /// The socket could not be opened, or ended, with the close code if there was one.
    Lost {
        close_code: Option<u16>,
    },
    /// Send what is there, then say goodbye.
    Finish,
    Tick,
}

/// What to do.
#[derive(Debug, PartialEq)]
pub(crate) enum Action {
    Connect,
    Hello,
    /// Rows of this batch were refused. Comes before the `Acked` that finishes the batch.
    Rejected {
        batch: u64,
        seq: u64,
        places: Places,
        code: Code,
        retry: bool,
        message: String,
    },
    /// The hub has these batches.
    Acked {
        up_to: u64,
        batches: Vec<u64>,
        stored: u64,
        duplicate: u64,
    },
    Ping,
    Goodbye,
    /// End the connection; `Lost` is expected after it.
    Disconnect {
        reason: String,
    },
    /// Everything is acked and the hub was told: nothing more will happen.
    Ended,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Link {
    Down {
        connect_at: Instant,
    },
    Connecting,
    Greeting {
        until: Instant,
    },
    Ready {
        since: Instant,
        acked: bool,
    },
    /// Goodbye was said.
    Leaving {
        until: Instant,
    },
    /// The connection is being ended; nothing more is said on it.
    Breaking,
    Ended,
}

#[derive(Debug)]
struct Flight {
    batch: u64,
    backlog: bool,
    sent_at: Instant,
}

#[derive(Debug)]
pub(crate) struct Session {
    link: Link,
    backoff: Backoff,
    next_seq: u64,
    /// Batch numbers, see the lanes above.
    live: BTreeSet<u64>,
    backlog: BTreeSet<u64>,
    /// Sequence number -> batch: must go out again under that number, before anything else.
    resend: BTreeMap<u64, u64>,
    in_flight: BTreeMap<u64, Flight>,
    /// Kept rows and when to try them again.
    later: BTreeSet<(Instant, u64)>,
    live_in_a_row: u8,
    paused_until: Option<Instant>,
    heard_at: Instant,
    pinged: bool,
    /// From the hub's `closing`: its code and how long to stay away.
    closing: Option<(u16, Option<Duration>)>,
    finishing: bool,
}

impl Session {
    /// `found` are batches of an earlier process with the sequence number that each went out under, if it did.
    pub(crate) fn new(now: Instant, backoff: Backoff, next_seq: u64, found: impl IntoIterator<Item = (u64, Option<u64>)>) -> Session {
        let mut session = Session {
            link: Link::Down { connect_at: now },
            backoff,
            next_seq,
            live: BTreeSet::new(),
            backlog: BTreeSet::new(),
            resend: BTreeMap::new(),
            in_flight: BTreeMap::new(),
            later: BTreeSet::new(),
            live_in_a_row: 0,
            paused_until: None,
            heard_at: now,
            pinged: false,
            closing: None,
            finishing: false,
        };
        for (batch, seq) in found {
            match seq {
                Some(seq) => {
                    session.resend.insert(seq, batch);
                }
                None => {
                    session.backlog.insert(batch);
                }
            }
        }
        session
    }

    pub(crate) fn handle(&mut self, now: Instant, event: Event<'_>) -> Vec<Action> {
        let mut actions = Vec::new();
        match event {
            Event::Appended { batch } => self.appended(batch),
            Event::Kept { batch, tries } => {
                let wait = KEPT_FIRST.saturating_mul(1 << tries.saturating_sub(1).min(8)).min(KEPT_LONGEST);
                self.later.insert((now + wait, batch));
            }
            Event::Dropped { before } => self.dropped(before),
            Event::Opened => {
                self.heard(now);
                self.link = Link::Greeting { until: now + WELCOME_DEADLINE };
                actions.push(Action::Hello);
            }
            Event::Frame(frame) => {
                self.heard(now);
                self.frame(now, frame, &mut actions);
            }
            Event::Heard => self.heard(now),
            Event::Unsendable { seq } => {
                self.in_flight.remove(&seq);
            }
            Event::Lost { close_code } => self.lost(now, close_code),
            Event::Finish => self.finishing = true,
            Event::Tick => {}
        }
        self.due(now, &mut actions);
        actions
    }

    /// The next batch to send and its sequence number, if one may be sent now. It counts as in flight from here on.
    pub(crate) fn next_send(&mut self, now: Instant) -> Option<(u64, u64)> {
        let may_send = matches!(self.link, Link::Ready { .. }) && self.closing.is_none();
        if !may_send || self.paused_until.is_some_and(|until| now < until) {
            return None;
        }
        if let Some((seq, batch)) = self.resend.pop_first() {
            self.in_flight.insert(seq, Flight { batch, backlog: true, sent_at: now });
            return Some((batch, seq));
        }
        let (batch, backlog) = self.next_of_lanes()?;
        let seq = self.next_seq;
        self.next_seq += 1;
        self.in_flight.insert(seq, Flight { batch, backlog, sent_at: now });
        Some((batch, seq))
    }

    /// When to come back with a `Tick` at the latest.
    pub(crate) fn wake_at(&self) -> Option<Instant> {
        let later = self.later.first().map(|(due, _)| *due);
        let own = match self.link {
            Link::Down { connect_at } => Some(connect_at),
            Link::Greeting { until } | Link::Leaving { until } => Some(until),
            Link::Ready { .. } => {
                let heard = self.heard_at + if self.pinged { IDLE_DEADLINE } else { PING_AFTER };
                let acked = self.oldest_unacked().map(|sent_at| sent_at + ACK_DEADLINE);
                [Some(heard), acked, self.paused_until].into_iter().flatten().min()
            }
            Link::Connecting | Link::Breaking | Link::Ended => None,
        };
        [later, own].into_iter().flatten().min()
    }

    /// Batches that the hub does not have yet, as far as is known; those the hub asked to have later are not among them.
    pub(crate) fn unacked(&self) -> usize {
        self.live.len() + self.backlog.len() + self.resend.len() + self.in_flight.len()
    }

    fn appended(&mut self, batch: u64) {
        self.live.insert(batch);
        if self.live.len() > LIVE_BATCHES_MAX
            && let Some(oldest) = self.live.pop_first()
        {
            self.backlog.insert(oldest);
        }
    }

    fn dropped(&mut self, before: u64) {
        self.live = self.live.split_off(&before);
        self.backlog = self.backlog.split_off(&before);
        self.resend.retain(|_, batch| *batch >= before);
        self.later.retain(|(_, batch)| *batch >= before);
    }

    fn heard(&mut self, now: Instant) {
        self.heard_at = now;
        self.pinged = false;
    }

    fn frame(&mut self, now: Instant, frame: HubFrame<'_>, actions: &mut Vec<Action>) {
        match (self.link, frame) {
            (Link::Greeting { .. }, HubFrame::Welcome(welcome)) => {
                // What the hub has on disk but did not ack goes out again too: only an ack names the readings that it
                // refused. The hub answers the others as duplicates.
                let last_durable = welcome.last_durable.unwrap_or(0);
                if last_durable >= SEQ_BEYOND {
                    return self.break_off(actions, format!("the hub has batch {last_durable} of this agent, which no agent comes to"));
                }
                self.link = Link::Ready { since: now, acked: false };
                self.paused_until = None;
                self.next_seq = self.next_seq.max(last_durable + 1);
            }
            (Link::Ready { since, .. }, HubFrame::Ack(ack)) => {
                self.link = Link::Ready { since, acked: true };
                self.ack(ack, actions);
            }
            (Link::Leaving { .. }, HubFrame::Ack(_)) => {}
            (Link::Ready { .. }, HubFrame::Retry(retry)) => {
                let again = self.in_flight.split_off(&retry.seq);
                tracing::info!(seq = retry.seq, batches = again.len(), code = %retry.code, after_ms = retry.after_ms, "hub: retry, {}", retry.message);
                self.resend.extend(again.into_iter().map(|(seq, flight)| (seq, flight.batch)));
                self.pause(now, retry.after_ms);
            }
            (Link::Ready { .. }, HubFrame::SlowDown(slow_down)) => self.pause(now, slow_down.after_ms),
            (_, HubFrame::Closing(closing)) => {
                tracing::info!(code = closing.code, "hub is closing the connection: {}", closing.reason);
                let after = closing.retry_after_ms.map(|after_ms| Duration::from_millis(after_ms.into()));
                self.closing = Some((closing.code, after));
            }
            (Link::Breaking | Link::Ended, _) => {}
            (_, frame) => self.break_off(actions, format!("the hub sent a {} out of turn", frame_name(&frame))),
        }
    }

    fn ack(&mut self, ack: Ack<'_>, actions: &mut Vec<Action>) {
        if ack.up_to >= self.next_seq {
            let reason = format!("the hub acked batch {}, which was never sent", ack.up_to);
            return self.break_off(actions, reason);
        }
        // Noted, it would be the end of these after a restart.
        if let Some((seq, _)) = self.resend.first_key_value().filter(|(seq, _)| **seq <= ack.up_to) {
            let reason = format!("the hub acked batch {}, though batch {seq} was not sent again yet", ack.up_to);
            return self.break_off(actions, reason);
        }
        for rejected in ack.rejected {
            if let Some(flight) = self.in_flight.get(&rejected.seq) {
                actions.push(Action::Rejected {
                    batch: flight.batch,
                    seq: rejected.seq,
                    places: rejected.places,
                    code: rejected.code,
                    retry: rejected.retry,
                    message: rejected.message.to_owned(),
                });
            }
        }
        let unacked = self.in_flight.split_off(&(ack.up_to + 1));
        let acked = std::mem::replace(&mut self.in_flight, unacked);
        let batches = acked.into_values().map(|flight| flight.batch).collect();
        actions.push(Action::Acked { up_to: ack.up_to, batches, stored: ack.stored, duplicate: ack.duplicate });
    }

    fn pause(&mut self, now: Instant, after_ms: u32) {
        let until = now + Duration::from_millis(after_ms.into());
        self.paused_until = Some(self.paused_until.map_or(until, |before| before.max(until)));
    }

    fn lost(&mut self, now: Instant, close_code: Option<u16>) {
        if matches!(self.link, Link::Down { .. } | Link::Ended) {
            return;
        }
        let good = match self.link {
            Link::Ready { since, acked } => acked || now.duration_since(since) >= GOOD_AFTER,
            Link::Leaving { .. } => true,
            _ => false,
        };
        if good {
            self.backoff.reset();
        }
        let in_flight = std::mem::take(&mut self.in_flight);
        self.resend.extend(in_flight.into_iter().map(|(seq, flight)| (seq, flight.batch)));
        self.paused_until = None;
        let (code, after) = self.closing.take().map_or((close_code, None), |(code, after)| (Some(code), after));
        let wait = match (after, code.and_then(CloseCode::from_number)) {
            (Some(after), _) => self.backoff.at_least(after),
            (None, Some(code)) if !code.retry() => self.backoff.longest(),
            _ => self.backoff.next(),
        };
        self.link = Link::Down { connect_at: now + wait };
    }

    /// Everything that follows from the time and the state alone.
    fn due(&mut self, now: Instant, actions: &mut Vec<Action>) {
        while let Some((due, batch)) = self.later.first().copied().filter(|(due, _)| *due <= now) {
            self.later.remove(&(due, batch));
            self.backlog.insert(batch);
        }
        if self.paused_until.is_some_and(|until| until <= now) {
            self.paused_until = None;
        }
        match self.link {
            Link::Down { .. } if self.finishing && self.unacked() == 0 => self.end(actions),
            Link::Down { connect_at } if connect_at <= now => {
                self.link = Link::Connecting;
                actions.push(Action::Connect);
            }
            Link::Greeting { until } if until <= now => {
                self.break_off(actions, format!("no welcome within {} s", WELCOME_DEADLINE.as_secs()));
            }
            Link::Ready { .. } => self.watch(now, actions),
            Link::Leaving { until } if until <= now => {
                self.break_off(actions, "the hub did not answer the goodbye".to_owned());
            }
            _ => {}
        }
    }

    fn watch(&mut self, now: Instant, actions: &mut Vec<Action>) {
        if now >= self.heard_at + IDLE_DEADLINE {
            return self.break_off(actions, format!("nothing heard for {} s", IDLE_DEADLINE.as_secs()));
        }
        if self.oldest_unacked().is_some_and(|sent_at| now >= sent_at + ACK_DEADLINE) {
            return self.break_off(actions, format!("no ack for {} s", ACK_DEADLINE.as_secs()));
        }
        if self.finishing && self.unacked() == 0 {
            self.link = Link::Leaving { until: now + WELCOME_DEADLINE };
            actions.push(Action::Goodbye);
        } else if !self.pinged && now >= self.heard_at + PING_AFTER {
            self.pinged = true;
            actions.push(Action::Ping);
        }
    }

    fn break_off(&mut self, actions: &mut Vec<Action>, reason: String) {
        // What counts as a good connection is decided in `lost`, which then finds none: the hub misbehaved.
        self.link = Link::Breaking;
        actions.push(Action::Disconnect { reason });
    }

    fn end(&mut self, actions: &mut Vec<Action>) {
        self.link = Link::Ended;
        actions.push(Action::Ended);
    }

    fn oldest_unacked(&self) -> Option<Instant> {
        self.in_flight.values().map(|flight| flight.sent_at).min()
    }

    fn next_of_lanes(&mut self) -> Option<(u64, bool)> {
        if self.in_flight.len() >= WINDOW_BATCHES {
            return None;
        }
        let backlog_in_flight = self.in_flight.values().filter(|flight| flight.backlog).count();
        let backlog_may = !self.backlog.is_empty() && backlog_in_flight < BACKLOG_WINDOW_BATCHES;
        if backlog_may && (self.live.is_empty() || self.live_in_a_row >= LIVE_IN_A_ROW) {
            self.live_in_a_row = 0;
            return self.backlog.pop_first().map(|batch| (batch, true));
        }
        self.live_in_a_row = self.live_in_a_row.saturating_add(1);
        self.live.pop_first().map(|batch| (batch, false))
    }
}

fn frame_name(frame: &HubFrame<'_>) -> &'static str {
    match frame {
        HubFrame::Welcome(_) => "welcome",
        HubFrame::Ack(_) => "ack",
        HubFrame::Retry(_) => "retry",
        HubFrame::SlowDown(_) => "slow_down",
        HubFrame::Closing(_) => "closing",
    }
}

#[cfg(test)]
mod tests;
