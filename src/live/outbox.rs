//! One viewer's mailbox as engine and socket share it: the engine pushes and wakes, the socket polls. The lock is held for pointer
//! work only; encoding happens outside of it, on the socket's side.

use std::sync::atomic::{AtomicUsize, Ordering};
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
    /// What of the mailbox's weight the metrics count. Changed while the mailbox is held.
    counted: AtomicUsize,
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
            counted: AtomicUsize::new(0),
            waker: AtomicWaker::new(),
            metrics,
            idle_since: Mutex::new(None),
            refusal: OnceLock::new(),
        }
    }

    /// Changes the mailbox and wakes the socket.
    pub fn with<T>(&self, change: impl FnOnce(&mut Mailbox) -> T) -> T {
        let result = self.change(change);
        self.waker.wake();
        result
    }

    fn change<T>(&self, change: impl FnOnce(&mut Mailbox) -> T) -> T {
        let mut mailbox = self.mailbox.lock();
        let result = change(&mut mailbox);
        let (after, before) = (mailbox.weight(), self.counted.swap(mailbox.weight(), Ordering::Relaxed));
        if after > before {
            self.metrics.live_mailbox_bytes.add((after - before) as u64);
        } else {
            self.metrics.live_mailbox_bytes.sub((before - after) as u64);
        }
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
        let pulled = self.change(|mailbox| match mailbox.is_sending() {
            true => None,
            false => Some(mailbox.pull()),
        });
        match pulled {
            None => {}
            Some(None) => {
                *reading = None;
                return None;
            }
            Some(Some(pulled)) => {
                *reading = None;
                if let Some(bytes) = self.ready(pulled, reading) {
                    return Some(bytes);
                }
            }
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

    /// The bytes of what was pulled. None: it is a snapshot, which is read part by part.
    fn ready(&self, pulled: Pulled, reading: &mut Option<Reading>) -> Option<Bytes> {
        match pulled {
            Pulled::Bytes(bytes) => Some(bytes),
            Pulled::Frame(frame) => {
                self.metrics.live_readings_merged.add(frame.tick.merged);
                Some(frame.bytes())
            }
            Pulled::Merged(envelope, merged) => {
                let tick = merged.into_tick();
                self.metrics.live_readings_merged.add(tick.merged);
                Some(frame::tick(&envelope, &tick))
            }
            Pulled::Snapshot(slot) => {
                *reading = Some(Reading { slot, place: SnapshotPlace::default() });
                None
            }
        }
    }

    #[must_use]
    pub fn weight(&self) -> usize {
        self.mailbox.lock().weight()
    }
}

impl Drop for Outbox {
    fn drop(&mut self) {
        self.metrics.live_mailbox_bytes.sub(self.counted.load(Ordering::Relaxed) as u64);
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
