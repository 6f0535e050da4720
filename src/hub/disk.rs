//! The disk under the data directory: what is free, what the hub takes, and when it is full.

use super::Hub;
use crate::full::free_and_size;
use crate::growth::{Forecast, Room, forecast};
use crate::store::embedded::{budget_bytes, disk_bytes};

#[derive(Clone, Copy, Debug)]
pub struct Disk {
    /// Free, and the size of the disk.
    pub free_and_size: Option<(u64, u64)>,
    /// Of everything in the data directory.
    pub used: u64,
    /// None: not known yet, or nothing is sealed here.
    pub forecast: Option<Forecast>,
}

impl Hub {
    /// Reads the sizes of all files of the data directory: some hundred look-ups.
    #[must_use]
    pub fn disk(&self) -> Disk {
        let dir = &self.config.data.dir;
        let (free_and_size, used, store) = (free_and_size(dir), disk_bytes(dir), self.store.stats());
        let max_bytes = self.config.store.max_bytes;
        let room = Room {
            free: free_and_size.map(|(free, _)| free.saturating_sub(self.config.store.reserve_bytes)),
            budget: (max_bytes > 0).then(|| budget_bytes(max_bytes).saturating_sub(used)),
            readings: store.points,
            bytes: store.bytes,
        };
        let forecast = self.growth.rate().filter(|_| self.store.is_local()).and_then(|rate| forecast(&room, rate));
        Disk { free_and_size, used, forecast }
    }

    /// For the forecast: how many readings are stored by now. Called about once a minute.
    pub fn note_growth(&self) {
        self.growth.note(self.clock.now(), self.metrics.readings_stored.value());
    }
}
