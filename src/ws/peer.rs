//! What the reading side, the writing side, the session and the sweep share about one connection.
//!
//! Invariant: one lock, never held over an await or a call out of this file.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Waker};
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use telltale_wire::CloseCode;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::frame::{self, Kind, frame};

/// When a connection counts as dead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lifetime {
    /// Nothing was heard from the peer for this long while the hub was listening.
    Heard(Duration),
    /// A ping is out to which nothing came back, and nothing else could be written, for this long.
    AnsweredOrWritten(Duration),
}

#[derive(Debug)]
pub struct Peer {
    began: Instant,
    lifetime: Lifetime,
    /// Milliseconds since `began`.
    heard: AtomicU64,
    written: AtomicU64,
    /// When the oldest ping went out behind which nothing was heard; 0: there is none.
    asked: AtomicU64,
    /// The hub does not read at this time, so silence says nothing.
    deaf: AtomicBool,
    control: Mutex<Control>,
    dead: Notify,
    over: AtomicBool,
}

#[derive(Debug, Default)]
struct Control {
    /// At most one of each: a newer pong answers the older ping too.
    ping: bool,
    pong: Option<Bytes>,
    close: Close,
    /// The body is to end once the close frame is out.
    finished: bool,
    waker: Option<Waker>,
}

#[derive(Debug, Default)]
enum Close {
    #[default]
    Open,
    Asked(Bytes),
    Sent,
}

/// What the body does next, before it asks the source of frames.
#[derive(Debug)]
pub(super) enum Turn {
    Write(Bytes),
    /// Write what is ready, then the close frame if there is one to be sent.
    Frames {
        closing: bool,
    },
    Wait,
    End,
}

impl Peer {
    pub(super) fn new(lifetime: Lifetime) -> Arc<Self> {
        Arc::new(Self {
            began: Instant::now(),
            lifetime,
            heard: AtomicU64::new(0),
            written: AtomicU64::new(0),
            asked: AtomicU64::new(0),
            deaf: AtomicBool::new(false),
            control: Mutex::default(),
            dead: Notify::new(),
            over: AtomicBool::new(false),
        })
    }

    /// Sends a close frame behind the frames that are ready now. The first call counts.
    pub fn close(&self, code: CloseCode, reason: &str) {
        self.close_with(code.number(), reason);
    }

    pub(super) fn close_with(&self, code: u16, reason: &str) {
        self.ask_close(|| frame::close(code, reason));
    }

    /// The answer to a close frame without a code.
    pub(super) fn close_without_code(&self) {
        self.ask_close(|| frame(Kind::Close, &[]));
    }

    fn ask_close(&self, frame: impl FnOnce() -> Bytes) {
        let mut control = self.control.lock();
        if let Close::Open = control.close {
            control.close = Close::Asked(frame());
        }
        wake(control);
    }

    /// The connection may end, once the close frame is out where one was asked for.
    pub fn finish(&self) {
        let mut control = self.control.lock();
        control.finished = true;
        wake(control);
    }

    /// Resolves when the sweep found the peer dead.
    pub async fn died(&self) {
        self.dead.notified().await;
    }

    /// While the hub does not read, the peer is not held to be silent.
    pub fn set_deaf(&self, deaf: bool) {
        if self.deaf.swap(deaf, Ordering::Relaxed) && !deaf {
            self.hear();
        }
    }

    /// The connection is gone: its body was dropped.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    pub(super) fn set_over(&self) {
        self.over.store(true, Ordering::Relaxed);
    }

    pub(super) fn hear(&self) {
        self.heard.store(self.now_ms(), Ordering::Relaxed);
        self.asked.store(0, Ordering::Relaxed);
    }

    pub(super) fn pong(&self, payload: &[u8]) {
        let mut control = self.control.lock();
        control.pong = Some(frame(Kind::Pong, payload));
        wake(control);
    }

    pub(super) fn ping(&self) {
        let mut control = self.control.lock();
        control.ping = true;
        wake(control);
    }

    /// Called by the sweep.
    pub(super) fn check(&self) {
        self.check_at(self.now_ms());
    }

    fn check_at(&self, now_ms: u64) {
        let at = |time: &AtomicU64| time.load(Ordering::Relaxed);
        let (since, limit) = match (self.lifetime, at(&self.asked)) {
            (Lifetime::Heard(limit), _) => (at(&self.heard), limit),
            (Lifetime::AnsweredOrWritten(_), 0) => return,
            (Lifetime::AnsweredOrWritten(limit), asked) => (asked.max(at(&self.written)), limit),
        };
        let silent = Duration::from_millis(now_ms.saturating_sub(since));
        if silent > limit && !self.deaf.load(Ordering::Relaxed) {
            self.dead.notify_one();
        }
    }

    pub(super) fn turn(&self, cx: &mut Context<'_>) -> Turn {
        let mut control = self.control.lock();
        if !control.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            control.waker = Some(cx.waker().clone());
        }
        let finished = control.finished;
        match &control.close {
            Close::Open if finished => return Turn::End,
            Close::Sent => return if finished { Turn::End } else { Turn::Wait },
            Close::Open | Close::Asked(_) => {}
        }
        if let Some(pong) = control.pong.take() {
            return Turn::Write(pong);
        }
        if std::mem::take(&mut control.ping) {
            if self.asked.load(Ordering::Relaxed) == 0 {
                self.asked.store(self.now_ms().max(1), Ordering::Relaxed);
            }
            return Turn::Write(frame(Kind::Ping, &[]));
        }
        Turn::Frames { closing: matches!(control.close, Close::Asked(_)) }
    }

    /// The close frame, to be written now.
    pub(super) fn take_close(&self) -> Option<Bytes> {
        let mut control = self.control.lock();
        match std::mem::take(&mut control.close) {
            Close::Asked(frame) => {
                control.close = Close::Sent;
                Some(frame)
            }
            other => {
                control.close = other;
                None
            }
        }
    }

    pub(super) fn wrote(&self) {
        self.written.store(self.now_ms(), Ordering::Relaxed);
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

fn wake(mut control: parking_lot::MutexGuard<'_, Control>) {
    let waker = control.waker.take();
    drop(control);
    if let Some(waker) = waker {
        waker.wake();
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use super::*;

    #[test]
    fn a_peer_is_dead_by_what_its_lifetime_counts() {
        const LIMIT: Duration = Duration::from_secs(75);
        let (heard, either) = (Lifetime::Heard(LIMIT), Lifetime::AnsweredOrWritten(LIMIT));
        // Lifetime, when it was last heard, last written to and asked without an answer, whether the hub reads, dead at 80 s.
        let rows = [
            (heard, 0, 0, 0, true, true),
            (heard, 5_000, 0, 0, true, false),
            (heard, 4_999, 80_000, 0, true, true),
            (heard, 0, 0, 0, false, false),
            (either, 0, 0, 0, true, false),
            (either, 0, 0, 5_000, true, false),
            (either, 0, 0, 4_999, true, true),
            (either, 0, 80_000, 4_999, true, false),
            (either, 0, 4_999, 4_999, true, true),
        ];
        for (lifetime, heard, written, asked, reads, dead) in rows {
            let peer = Peer::new(lifetime);
            peer.set_deaf(!reads);
            peer.heard.store(heard, Ordering::Relaxed);
            peer.written.store(written, Ordering::Relaxed);
            peer.asked.store(asked, Ordering::Relaxed);
            peer.check_at(80_000);
            let died = pin!(peer.died()).poll(&mut Context::from_waker(Waker::noop())).is_ready();
            assert_eq!(died, dead, "{lifetime:?} heard {heard} written {written} asked {asked} reads {reads}");
        }
    }

    #[test]
    fn a_ping_is_unanswered_from_when_it_goes_out_until_something_is_heard() {
        let peer = Peer::new(Lifetime::AnsweredOrWritten(Duration::from_secs(60)));
        let mut cx = Context::from_waker(Waker::noop());
        let asked = || peer.asked.load(Ordering::Relaxed);
        peer.ping();
        assert_eq!(asked(), 0, "it waits for the socket");
        assert!(matches!(peer.turn(&mut cx), Turn::Write(_)));
        let first = asked();
        peer.ping();
        assert!(matches!(peer.turn(&mut cx), Turn::Write(_)));
        assert!(first > 0 && asked() == first, "the oldest counts");
        peer.hear();
        assert_eq!(asked(), 0);
    }
}
