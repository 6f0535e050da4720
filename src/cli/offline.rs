//! The hub's data without a running hub: opened under its lock by the command itself.

use std::path::Path;
use std::sync::Arc;

use super::{Exit, Failure, Place, owner, task};
use crate::catalog::CatalogError;
use crate::clock::Clock;
use crate::config::Config;
use crate::http::local;
use crate::hub::{Hub, OpenHubError};
use crate::log::recovery::OpenError;
use crate::logging;
use crate::store::StoreError;
#[cfg(feature = "influxdb")]
use crate::store::influx::OpenInfluxError;

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
    task::must_be_data(&config.data.dir)?;
    actix_web::rt::System::new().block_on(async move {
        let hub = Hub::open(config, Clock::system()).map_err(|error| not_opened(&error))?;
        work(Arc::new(hub)).await
    })
}

/// Why the data could not be opened, with the code for it, which is the same for `serve` and every other command.
pub(super) fn not_opened(error: &OpenHubError) -> Failure {
    let exit = match error {
        OpenHubError::InUse { .. } => Exit::DirectoryInUse,
        OpenHubError::Log(OpenError::Newer { .. })
        | OpenHubError::Catalog(CatalogError::Newer { .. })
        | OpenHubError::Store(StoreError::Newer { .. }) => Exit::NewerFormat,
        OpenHubError::OtherStore { .. } => Exit::Configuration,
        #[cfg(feature = "influxdb")]
        OpenHubError::Influx(OpenInfluxError::Denied(_)) => Exit::Configuration,
        #[cfg(feature = "influxdb")]
        OpenHubError::Influx(OpenInfluxError::Newer { .. }) => Exit::NewerFormat,
        _ => Exit::Failed,
    };
    Failure::new(exit, logging::chain(error))
}
