//! Looks at the catalog's version a few times a second, on a thread of its own, since SQLite blocks. Looking costs one read of
//! a counter in shared memory; the lists are read only when somebody changed something.

use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;

use super::{Inner, WATCH_EVERY};
use crate::catalog::{Catalog, CatalogError};

/// How many looks there are between two that also end sessions which were not used for too long.
const EXPIRY_LOOKS: u32 = 150;

/// Dropping it ends the thread.
#[derive(Debug)]
pub(super) struct Watch {
    stop: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Watch {
    /// `catalog` is a connection of its own, so that changes by this process are seen as well.
    pub(super) fn start(catalog: Catalog, auth: Arc<Inner>) -> Result<Self, CatalogError> {
        let mut seen = catalog.data_version()?;
        let path = catalog.path().to_owned();
        let (stop, stopped) = sync_channel(0);
        let look = move || {
            let mut looks = 0u32;
            while stopped.recv_timeout(WATCH_EVERY) == Err(RecvTimeoutError::Timeout) {
                looks = looks.wrapping_add(1);
                match changed(&catalog, &mut seen, &auth, looks.is_multiple_of(EXPIRY_LOOKS)) {
                    Ok(()) => {}
                    // The next look tries again: `seen` is only moved on when the lists were read.
                    Err(error) => tracing::error!(%error, "cannot look for revoked tokens"),
                }
            }
        };
        let thread = std::thread::Builder::new().name("catalog-watch".to_owned()).spawn(look);
        let thread = thread.map_err(|source| CatalogError::Unwatched { path, source })?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

fn changed(catalog: &Catalog, seen: &mut i64, auth: &Inner, expiry: bool) -> Result<(), CatalogError> {
    let version = catalog.data_version()?;
    if version != *seen || expiry {
        auth.refresh()?;
        *seen = version;
    }
    Ok(())
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            // A panic in the thread was printed when it happened.
            drop(thread.join());
        }
    }
}
