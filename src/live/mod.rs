//! Live: a snapshot, and then every change, for everyone who watches; no hole and no repeat, also after a break.
//!
//! commit -> `log::tail` -> [`engine`] (one thread) -> [`group`] (equal wishes share everything; a `slot` for each series, its pending `change`s, the `floor` of each member) -> one [`mailbox`] per viewer ->
//! [`outbox`], from which the [`socket`] pulls, or an answer of server-sent events ([`sse`]). `protocol` reads what viewers send,
//! `frame` and `write` make bytes, `merge` is what a slow viewer gets, `column` and `open` what one gets that told its pixels, `fresh` what a new one gets, `resume` a returning one, `room`
//! bounds both, `presence` knows who is online.
//!
//! What the contract leaves open is decided in LIVE.md.
//!
//! Invariant: nobody awaits a viewer. What the engine does takes as long with a stuck viewer as without.

mod change;
mod column;
pub mod content;
pub mod cursor;
pub mod engine;
pub mod floor;
pub mod frame;
mod fresh;
pub mod group;
pub mod mailbox;
pub mod merge;
mod open;
pub mod outbox;
pub mod presence;
pub mod protocol;
mod resume;
mod room;
pub mod slot;
pub mod socket;
pub mod sse;
pub mod via;
mod write;

#[cfg(test)]
mod socket_tests;
#[cfg(test)]
mod sse_tests;
#[cfg(test)]
mod tests;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use self::engine::{Engine, Input, Parts};
use self::outbox::{Outbox, ViewerId};
use self::protocol::Encoding;
use crate::limits::{LIVE_INPUTS, MAILBOX_BYTES, RESUME_THREADS};
use crate::metrics::Metrics;

/// How often presence looks for devices that fell silent.
const SWEEP_EVERY: Duration = Duration::from_secs(1);

/// The way to the engine. Its thread ends when this is dropped.
#[derive(Debug)]
pub struct Live {
    inputs: mpsc::Sender<Input>,
    viewers: AtomicU64,
    metrics: Arc<Metrics>,
}

/// The engine's thread is gone: it broke an invariant and said so in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("live has stopped")]
pub struct Stopped;

impl Live {
    /// Starts the engine where the head stands now; everything after it is followed.
    pub fn start(parts: Parts) -> io::Result<Self> {
        let (inputs, waiting) = mpsc::channel(LIVE_INPUTS);
        let metrics = Arc::clone(&parts.metrics);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().max_blocking_threads(RESUME_THREADS).build()?;
        std::thread::Builder::new().name("live".to_owned()).spawn(move || runtime.block_on(run(parts, waiting)))?;
        Ok(Self { inputs, viewers: AtomicU64::new(0), metrics })
    }

    /// A mailbox for a viewer that connects. The engine knows it from [`Input::Opened`] on.
    #[must_use]
    pub fn outbox(&self, encoding: Encoding) -> Arc<Outbox> {
        let viewer = ViewerId(self.viewers.fetch_add(1, Ordering::Relaxed));
        Arc::new(Outbox::new(viewer, encoding, MAILBOX_BYTES, Arc::clone(&self.metrics)))
    }

    /// Waits while the engine has many before it: the one who asks is a viewer's own reading side, or a request.
    pub async fn tell(&self, input: Input) -> Result<(), Stopped> {
        self.inputs.send(input).await.map_err(|_| Stopped)
    }
}

/// The engine's thread: whatever happens first, then all commits there are, then the ticks that are due.
async fn run(parts: Parts, mut inputs: mpsc::Receiver<Input>) {
    let began = Instant::now();
    let now_ns = || u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX);
    let (presence, clock) = (Arc::clone(&parts.presence), parts.clock.clone());
    let mut newest = parts.tail.watch();
    let mut sweep = interval(SWEEP_EVERY);
    sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut engine = Engine::new(parts, Box::new(|job| drop(tokio::task::spawn_blocking(job))));
    loop {
        let due = engine.due_ns().map(|due_ns| began + Duration::from_nanos(due_ns));
        tokio::select! {
            input = inputs.recv() => match input {
                Some(input) => engine.on_input(input, now_ns()),
                None => return,
            },
            // The engine holds the tail, so its sender lives.
            _ = newest.changed() => {}
            () = presence.changed() => engine.presence_changed(),
            _ = sweep.tick() => presence.sweep(clock.now()),
            () = sleep_until(due.unwrap_or(began)), if due.is_some() => {}
        }
        while let Ok(input) = inputs.try_recv() {
            engine.on_input(input, now_ns());
        }
        engine.follow();
        engine.tick(now_ns());
    }
}
