//! The hub's data without a running hub: opened under its lock by the command itself.

use std::path::Path;
use std::sync::Arc;

use super::{Exit, Failure, Place, owner};
use crate::clock::Clock;
use crate::config::Config;
use crate::http::local;
use crate::hub::{Hub, OpenHubError};

/// Whether a hub answers on this directory.
pub(super) fn is_running(data_dir: &Path) -> bool {
    local::connect(data_dir).is_ok()
}

/// Opens the data, lets `work` use it, and closes it in order.
pub(super) fn with_hub<T>(place: &Place, work: impl AsyncFnOnce(Arc<Hub>) -> Result<T, Failure>) -> Result<T, Failure> {
    let config = place.config([])?;
    with_config(config, async |hub| {
        let done = work(Arc::clone(&hub)).await;
        hub.stop().await;
        done
    })
}

/// The same for work that stops the hub itself.
pub(super) fn with_config<T>(config: Config, work: impl AsyncFnOnce(Arc<Hub>) -> Result<T, Failure>) -> Result<T, Failure> {
    owner::check(&config.data.dir)?;
    if !config.data.dir.exists() {
        return Err(Failure::new(Exit::Failed, format!("{}: there is no data directory", config.data.dir.display())));
    }
    actix_web::rt::System::new().block_on(async move {
        let hub = Hub::open(config, Clock::system()).map_err(|error| match error {
            OpenHubError::InUse { .. } => Failure::new(Exit::DirectoryInUse, error.to_string()),
            error => Failure::of(&error),
        })?;
        work(Arc::new(hub)).await
    })
}
