//! Whether the hub takes readings, and why not. The writer and the stop sequence say; `readyz`, `status` and sessions ask.

use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use telltale_wire::BatchCode;
use tokio::sync::watch;

#[derive(Debug)]
pub struct Health {
    poisoned: watch::Sender<Option<String>>,
    disk_full: Mutex<Option<String>>,
    draining: AtomicBool,
}

impl Default for Health {
    fn default() -> Self {
        Self { poisoned: watch::Sender::new(None), disk_full: Mutex::default(), draining: AtomicBool::new(false) }
    }
}

impl Health {
    /// A write or sync failed. There is no way back but a restart.
    pub fn poison(&self, why: String) {
        self.poisoned.send_if_modified(|reason| {
            let first = reason.is_none();
            reason.get_or_insert(why);
            first
        });
    }

    #[must_use]
    pub fn is_poisoned(&self) -> Option<String> {
        self.poisoned.borrow().clone()
    }

    /// Resolves with the reason when the log is poisoned.
    pub async fn poisoned(&self) -> String {
        let mut poisoned = self.poisoned.subscribe();
        match poisoned.wait_for(Option::is_some).await {
            Ok(reason) => reason.clone().unwrap_or_default(),
            Err(_) => unreachable!("self holds the sender"),
        }
    }

    pub fn disk_full(&self, why: Option<String>) {
        *self.disk_full.lock() = why;
    }

    pub fn is_disk_full(&self) -> bool {
        self.disk_full.lock().is_some()
    }

    pub fn drain(&self) {
        self.draining.store(true, Ordering::SeqCst);
    }

    /// Why batches are refused now; empty when they are taken.
    #[must_use]
    pub fn reasons(&self) -> Vec<(BatchCode, String)> {
        let mut reasons = Vec::new();
        if let Some(why) = self.poisoned.borrow().clone() {
            reasons.push((BatchCode::StoreFailed, why));
        }
        if let Some(why) = self.disk_full.lock().clone() {
            reasons.push((BatchCode::DiskFull, why));
        }
        if self.draining.load(Ordering::SeqCst) {
            reasons.push((BatchCode::Draining, "the hub is stopping".to_owned()));
        }
        reasons
    }
}
