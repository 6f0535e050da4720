//! Which store lies behind the head: the one place that names concrete ones.

use std::sync::Arc;

use super::OpenHubError;
use crate::catalog::sealed::LastSeal;
use crate::config::Config;
use crate::head::Head;
use crate::model::{Position, TimeNs};
use crate::retention::Retention;
use crate::series::SeriesTable;
use crate::store::Store;
use crate::store::embedded::{self, Budget, EmbeddedStore, SeriesInfo};
#[cfg(feature = "influxdb")]
use crate::store::influx::{self, Forwarder, InfluxStore};

/// The store, and what is particular to one kind.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) store: Arc<dyn Store>,
    #[cfg(feature = "influxdb")]
    pub(super) influx: Option<Arc<InfluxStore>>,
}

/// What follows the log, where the store needs it.
#[derive(Debug, Default)]
pub(super) struct Following {
    #[cfg(feature = "influxdb")]
    pub(super) forwarder: Option<Forwarder>,
}

impl Following {
    /// Blocks until all up to `last` is forwarded, or that takes too long.
    pub(super) fn stop(&self, last: Position) {
        #[cfg(feature = "influxdb")]
        if let Some(forwarder) = &self.forwarder {
            forwarder.stop(last, crate::limits::FORWARD_ON_STOP);
        }
        #[cfg(not(feature = "influxdb"))]
        let _unused = last;
    }
}

/// A data directory belongs to the kind of store that it was begun with.
fn check_kind(config: &Config) -> Result<(), OpenHubError> {
    let dir = &config.data.dir;
    let (other, is_there) = match config.influx {
        Some(_) => ("embedded", embedded::holds_readings(&dir.join(embedded::DIR_NAME))),
        None => ("influxdb", dir.join("influx").exists()),
    };
    if is_there { Err(OpenHubError::OtherStore { dir: dir.clone(), kind: other }) } else { Ok(()) }
}

pub(super) fn open(
    config: &Config,
    hub_id: &str,
    seal: &LastSeal,
    head: &Head,
    series: &Arc<SeriesTable>,
    retention: &Arc<Retention>,
    now: TimeNs,
) -> Result<Opened, OpenHubError> {
    check_kind(config)?;
    let set_aside = &config.data.dir.join("set-aside");
    #[cfg(feature = "influxdb")]
    if let Some(influx) = &config.influx {
        let store = InfluxStore::open(&config.data.dir, set_aside, influx, hub_id, Arc::clone(series), Arc::clone(retention.floors()))?;
        let influx = Arc::new(store);
        return Ok(Opened { store: Arc::clone(&influx) as Arc<dyn Store>, influx: Some(influx) });
    }
    #[cfg(not(feature = "influxdb"))]
    let _unused = (series, hub_id);
    let store = EmbeddedStore::open(embedded::Parts {
        dir: &config.data.dir.join(embedded::DIR_NAME),
        set_aside,
        sealed: seal.up_to,
        sealed_at: seal.wall,
        now,
        pins: Arc::clone(head.pins()),
        info: Arc::clone(retention) as Arc<dyn SeriesInfo>,
        cache_bytes: config.store.cache_bytes,
        rules: &config.retention,
        floors: Arc::clone(retention.floors()),
        budget: Budget { data: config.data.dir.clone(), max_bytes: config.store.max_bytes },
    })?;
    Ok(Opened {
        store: Arc::new(store),
        #[cfg(feature = "influxdb")]
        influx: None,
    })
}

impl Opened {
    #[cfg(feature = "influxdb")]
    pub(super) fn follow(&self, parts: impl FnOnce(Arc<InfluxStore>) -> influx::ForwarderParts) -> std::io::Result<Following> {
        let forwarder = self.influx.clone().map(|store| Forwarder::start(parts(store))).transpose()?;
        Ok(Following { forwarder })
    }
}
