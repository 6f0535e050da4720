//! Where the readings go: a fresh embedded store beside the hub's own, or the bucket of an InfluxDB.

use std::sync::Arc;

use super::MigrateError;
use super::place::{Place, Progress};
use crate::block::Block;
use crate::config::{Both, StoreKind};
use crate::hub::Hub;
use crate::model::{Position, TimeNs};
use crate::query::selector::Attributes;
use crate::retention::{Floors, Retention};
use crate::series::Series;
use crate::store::embedded::{self, Budget, EmbeddedStore, SeriesInfo};
use crate::store::influx::InfluxStore;
use crate::store::{Handover, Pins, SeriesRun, Store};

/// The readings of a series that are handed over, in time order.
pub(super) type Run = (Arc<Series>, Vec<Arc<Block>>);

#[derive(Debug)]
pub(super) struct Target {
    kind: Kind,
    /// What is handed over at once: much of a day file, or requests that are soon answered.
    pub(super) most_readings: usize,
    /// As much as the head holds before it is sealed; texts may be long.
    pub(super) most_bytes: usize,
}

#[derive(Debug)]
enum Kind {
    Embedded(Box<EmbeddedStore>),
    Influx(Box<InfluxStore>),
}

impl Target {
    /// Both lie within the place of the migration until the switch: a hub that starts in between finds nothing of them.
    pub(super) fn open(hub: &Hub, both: &Both, to: StoreKind, place: &Place, progress: &Progress) -> Result<Self, MigrateError> {
        let most_bytes = hub.config.store.head_bytes / 2;
        let set_aside = hub.config.data.dir.join("set-aside");
        if let (StoreKind::Influx, Some(influx)) = (to, &both.influx.influx) {
            let floors = Arc::new(Floors::new(&[]));
            let store = InfluxStore::open(place.dir(), &set_aside, influx, hub.auth.hub_id(), Arc::clone(&hub.series), floors)?;
            return Ok(Self { kind: Kind::Influx(Box::new(store)), most_readings: 80_000, most_bytes });
        }
        let config = &both.embedded;
        let attributes: Arc<dyn Attributes + Send + Sync> = Arc::<crate::catalog::devices::Devices>::clone(&hub.devices);
        let retention = Arc::new(Retention::new(config.retention.clone(), Arc::clone(&hub.series), attributes));
        let floors = Arc::clone(retention.floors());
        let store = EmbeddedStore::open(embedded::Parts {
            dir: &place.dir().join(embedded::DIR_NAME),
            set_aside: &set_aside,
            // What a killed run began behind it is removed.
            sealed: seal_of(progress),
            sealed_at: hub.clock.now(),
            now: hub.clock.now(),
            pins: Arc::new(Pins::default()),
            info: retention as Arc<dyn SeriesInfo>,
            cache_bytes: config.store.cache_bytes,
            rules: &config.retention,
            floors,
            // Nothing goes while it is made; the hub sees to its bound later.
            budget: Budget { data: config.data.dir.clone(), max_bytes: 0 },
        })?;
        Ok(Self { kind: Kind::Embedded(Box::new(store)), most_readings: 1_000_000, most_bytes })
    }

    pub(super) fn store(&self) -> &dyn Store {
        match &self.kind {
            Kind::Embedded(store) => store.as_ref(),
            Kind::Influx(store) => store.as_ref(),
        }
    }

    /// On disk, or answered, when it returns. `progress` counts this handover already.
    pub(super) fn take(&self, runs: &[Run], progress: &Progress) -> Result<(), MigrateError> {
        match &self.kind {
            Kind::Embedded(store) => {
                let runs = runs.iter().map(|(series, blocks)| SeriesRun { series: series.id, blocks }).collect();
                let up_to = seal_of(progress);
                store.seal(&Handover { up_to, runs, deletes: &[] })?;
                store.set_sealed(up_to);
            }
            Kind::Influx(store) => store.import(runs)?,
        }
        Ok(())
    }

    /// So that it can be copied again. False: nothing but a new store helps.
    pub(super) fn erase(&self, series: &Series) -> Result<bool, MigrateError> {
        match &self.kind {
            Kind::Embedded(_) => Ok(false),
            Kind::Influx(store) => store.erase(series).map(|()| true).map_err(MigrateError::from),
        }
    }

    /// Before this nothing is kept.
    pub(super) fn keeps_from(&self, now: TimeNs) -> Result<Option<TimeNs>, MigrateError> {
        let Kind::Influx(store) = &self.kind else { return Ok(None) };
        let keep = store.keeps()?.map(|keep| i64::try_from(keep.as_nanos()).unwrap_or(i64::MAX));
        Ok(keep.map(|keep| now.saturating_sub(keep)))
    }
}

/// Each handover is a seal of its own, and none is later than what the catalog says is sealed: of a hub with few commits the last ones
/// share that.
fn seal_of(progress: &Progress) -> Position {
    Position(progress.handovers.min(progress.plan.position))
}
