//! One viewer's mailbox as engine and socket share it: the engine pushes and wakes, the socket polls. The lock is held for pointer
//! work only; encoding happens outside of it, on the socket's side.

use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use actix_web::web::Bytes;
use futures_util::task::AtomicWaker;
use parking_lot::Mutex;

use super::frame::{self, SnapshotPlace};
use super::fresh::RefusedSubs;
use super::mailbox::{Mailbox, Pulled, SnapshotSlot, SubId};
use super::protocol::{Encoding, Refused};
use crate::metrics::Metrics;

/// One connection of a viewer; never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ViewerId(pub u64);

#[derive(Debug)]
pub struct Outbox {
    pub viewer: ViewerId,
    pub encoding: Encoding,
    mailbox: Mutex<Mailbox>,
    waker: AtomicWaker,
    metrics: Arc<Metrics>,
    /// Since when the socket could be written and nothing was there to send. None: something is on its way.
    idle_since: Mutex<Option<Instant>>,
    /// Why the only subscription of a stream of events ended.
    refusal: OnceLock<Box<Refused>>,
}

impl Outbox {
    #[must_use]
    pub fn new(viewer: ViewerId, encoding: Encoding, mailbox_bytes: usize, metrics: Arc<Metrics>) -> Self {
        Self {
            viewer,
            encoding,
            mailbox: Mutex::new(Mailbox::new(mailbox_bytes)),
            waker: AtomicWaker::new(),
            metrics,
            idle_since: Mutex::new(None),
            refusal: OnceLock::new(),
        }
    }

    /// Changes the mailbox and wakes the socket.
    pub fn with<T>(&self, change: impl FnOnce(&mut Mailbox) -> T) -> T {
        let result = change(&mut self.mailbox.lock());
        self.waker.wake();
        result
    }

    /// The snapshot is not made; see [`Mailbox::refuse`]. A stream of events has no other subscription, so it ends too.
    pub(super) fn refuse(&self, sub: SubId, slot: &Arc<SnapshotSlot>, refusal: &Refused, refused: &RefusedSubs) {
        let error = frame::error(self.encoding, refusal);
        // While the mailbox is held, so that the engine hears of nothing that has not happened.
        self.with(|mailbox| {
            if !mailbox.refuse(sub, slot, error.clone()) {
                return;
            }
            refused.lock().push((self.viewer, sub));
            if self.encoding == Encoding::Events {
                mailbox.close(Some(error));
                let _already = self.refusal.set(Box::new(refusal.clone()));
            }
        });
    }

    #[must_use]
    pub fn refusal(&self) -> Option<&Refused> {
        self.refusal.get().map(|refusal| &**refusal)
    }

    /// The next bytes for the socket; None: the last words are out. `reading` is the snapshot that is being sent part by part; it
    /// belongs to the one caller.
    pub fn poll_next(&self, reading: &mut Option<Reading>, cx: &Context<'_>) -> Poll<Option<Bytes>> {
        let next = self.next(reading).or_else(|| {
            self.waker.register(cx.waker());
            // What came between the look and the registration would wake nobody.
            self.next(reading)
        });
        let mut idle_since = self.idle_since.lock();
        match next {
            Some(bytes) => {
                *idle_since = None;
                Poll::Ready(Some(bytes))
            }
            None if self.mailbox.lock().is_over() => Poll::Ready(None),
            None => {
                idle_since.get_or_insert_with(Instant::now);
                Poll::Pending
            }
        }
    }

    /// How long the viewer has taken everything there was. None: it is still taking, however slowly.
    #[must_use]
    pub fn idle(&self) -> Option<Duration> {
        self.idle_since.lock().map(|since| since.elapsed())
    }

    /// None: nothing now.
    pub fn next(&self, reading: &mut Option<Reading>) -> Option<Bytes> {
        let pulled = {
            let mut mailbox = self.mailbox.lock();
            if mailbox.is_sending() {
                None
            } else {
                *reading = None;
                Some(mailbox.pull()?)
            }
        };
        match pulled {
            None => {}
            Some(Pulled::Bytes(bytes)) => return Some(bytes),
            Some(Pulled::Frame(frame)) => return Some(frame.bytes()),
            Some(Pulled::Merged(envelope, merged)) => {
                let tick = merged.into_tick();
                self.metrics.live_readings_merged.add(tick.merged);
                return Some(frame::tick(&envelope, &tick));
            }
            Some(Pulled::Snapshot(slot)) => *reading = Some(Reading { slot, place: SnapshotPlace::default() }),
        }
        let current = reading.as_mut()?;
        let (bytes, next) = current.part()?;
        match next {
            Some(place) => current.place = place,
            None => {
                *reading = None;
                self.mailbox.lock().sent_snapshot();
            }
        }
        Some(bytes)
    }

    #[must_use]
    pub fn weight(&self) -> usize {
        self.mailbox.lock().weight()
    }
}

/// A snapshot on its way out.
#[derive(Debug)]
pub struct Reading {
    slot: Arc<SnapshotSlot>,
    place: SnapshotPlace,
}

impl Reading {
    /// None never happens: a mailbox gives a snapshot out only when its content is there.
    fn part(&self) -> Option<(Bytes, Option<SnapshotPlace>)> {
        Some(frame::snapshot_part(&self.slot.envelope, self.slot.content.get()?, self.place))
    }
}
