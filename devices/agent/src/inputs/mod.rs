//! What the agent reads. One input, one file; each turns its source into readings and hands them to the [`Sink`].
//!
//! Invariant: an input knows neither the hub nor the spool. It ends when its source ends or when it is told to stop.

pub(crate) mod host;
pub(crate) mod simulate;
pub(crate) mod stdin;

use std::sync::Arc;
use std::time::Duration;

use telltale_sdk::{Client, Reading, SpoolError, WhenFull, system_clock};
use tokio::sync::watch;

use crate::config;

/// How long an input that can wait does so before it tries a full spool again.
const FULL_WAIT: Duration = Duration::from_millis(200);

/// Where readings go.
#[derive(Clone, Debug)]
pub(crate) struct Sink {
    client: Arc<Client>,
    /// The spool refuses when it is full, so that an input may have to wait.
    may_refuse: bool,
    /// Each push waits for the disk: beside the tasks that talk to the hub, which are on this thread too.
    waits_for_disk: bool,
}

impl Sink {
    pub(crate) fn new(client: Arc<Client>, config: &config::Spool) -> Sink {
        Sink { client, may_refuse: config.when_full == WhenFull::RefuseNew, waits_for_disk: config.sync_every.is_zero() }
    }

    /// For sources that cannot wait: what the spool does not take is lost, counted and logged.
    pub(crate) async fn push(&self, readings: Vec<Reading>) {
        let count = readings.len();
        if let Err(error) = self.spool(readings).await {
            tracing::warn!(readings = count, "readings are lost: {error}");
        }
    }

    /// For sources that can wait: comes back when the spool has taken the readings, or with the reason why it never will.
    pub(crate) async fn push_or_wait(&self, readings: Vec<Reading>) -> Result<(), SpoolError> {
        if !self.may_refuse {
            return self.spool(readings).await;
        }
        loop {
            match self.spool(readings.clone()).await {
                Err(SpoolError::Full { .. }) => tokio::time::sleep(FULL_WAIT).await,
                other => return other,
            }
        }
    }

    async fn spool(&self, readings: Vec<Reading>) -> Result<(), SpoolError> {
        if !self.waits_for_disk {
            return self.client.push(readings);
        }
        let client = Arc::clone(&self.client);
        let pushed = tokio::task::spawn_blocking(move || client.push(readings)).await;
        pushed.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))
    }

    /// Nanoseconds since 1970 UTC.
    pub(crate) fn now_ns(&self) -> i64 {
        system_clock()
    }
}

/// Becomes true once, when the agent stops.
pub(crate) type Stop = watch::Receiver<bool>;

/// Waits until the agent stops.
pub(crate) async fn stopped(stop: &mut Stop) {
    // An error says that the sender is gone, which means the same.
    drop(stop.wait_for(|stop| *stop).await);
}
