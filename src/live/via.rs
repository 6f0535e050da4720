//! One ingest session's side of presence: turns the readings of a batch into "this device was heard", once per device and batch.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::presence::{ConnId, Presence};
use crate::clock::Clock;
use crate::model::{Reading, SeriesId, TimeNs};
use crate::series::SeriesTable;

/// The session is open while this lives.
#[derive(Debug)]
pub struct Via {
    presence: Arc<Presence>,
    series: Arc<SeriesTable>,
    clock: Clock,
    conn: ConnId,
    devices: Vec<Device>,
    by_name: FxHashMap<Box<str>, usize>,
    /// The device of each series it has brought: bounded by the series of its token.
    by_series: FxHashMap<SeriesId, usize>,
    batch: u64,
}

#[derive(Debug)]
struct Device {
    name: Box<str>,
    /// The batch in which it was told last.
    told: u64,
}

impl Via {
    /// `name` is how people call the sender: the agent's or the token's name.
    #[must_use]
    pub fn open(presence: &Arc<Presence>, series: &Arc<SeriesTable>, clock: &Clock, name: &str) -> Self {
        Self {
            conn: presence.opened(name),
            presence: Arc::clone(presence),
            series: Arc::clone(series),
            clock: clock.clone(),
            devices: Vec::new(),
            by_name: FxHashMap::default(),
            by_series: FxHashMap::default(),
            batch: 0,
        }
    }

    /// A batch that passed the door.
    pub fn brought(&mut self, readings: &[Reading], received: TimeNs) {
        self.batch += 1;
        let mut last = None;
        for reading in readings {
            if last == Some(reading.series) {
                continue;
            }
            last = Some(reading.series);
            let Some(index) = self.device_of(reading.series) else {
                continue;
            };
            let device = &mut self.devices[index];
            if device.told != self.batch {
                device.told = self.batch;
                self.presence.seen(self.conn, &device.name, received);
            }
        }
    }

    fn device_of(&mut self, id: SeriesId) -> Option<usize> {
        if let Some(index) = self.by_series.get(&id) {
            return Some(*index);
        }
        let series = self.series.by_id(id)?;
        let name = &series.key.device;
        let index = self.by_name.get(name).copied().unwrap_or_else(|| {
            self.devices.push(Device { name: name.clone(), told: 0 });
            self.by_name.insert(name.clone(), self.devices.len() - 1);
            self.devices.len() - 1
        });
        self.by_series.insert(id, index);
        Some(index)
    }
}

impl Drop for Via {
    fn drop(&mut self) {
        self.presence.closed(self.conn, self.clock.now());
    }
}

#[cfg(test)]
mod tests {
    use super::super::presence::State;
    use super::*;
    use crate::clock::NS_PER_SEC;
    use crate::model::{TokenId, Value};
    use crate::series::KeyRef;

    #[test]
    fn a_device_is_told_once_a_batch_and_offline_at_the_end() {
        let (presence, series) = (Arc::new(Presence::new(0, Vec::new())), Arc::new(SeriesTable::new(10, 10)));
        let clock = Clock::manual(500 * NS_PER_SEC);
        let id = |device, metric| series.resolve(KeyRef { device, metric, labels: &[] }, TokenId(1)).unwrap().id;
        let ids = [id("d", "m1"), id("d", "m2"), id("e", "m1"), id("d", "m1")];
        let mut via = Via::open(&presence, &series, &clock, "gateway-7");
        for batch in 0..40 {
            let at = batch * 50 * NS_PER_SEC;
            let readings: Vec<_> = ids.iter().map(|id| Reading { series: *id, time: at, value: Value::Int(1) }).collect();
            via.brought(&readings, at);
        }
        // Told once a batch its median interval is 50 s, so it may be quiet for 150; told four times it would be 0.
        presence.sweep((39 * 50 + 149) * NS_PER_SEC);
        assert_eq!(presence.of("d").unwrap().state, State::Online);
        presence.sweep((39 * 50 + 151) * NS_PER_SEC);
        assert_eq!(presence.of("d").unwrap().state, State::Silent);
        assert_eq!(presence.of("e").unwrap().via.as_deref(), Some("gateway-7"));
        drop(via);
        assert_eq!(presence.of("d").unwrap().state, State::Offline);
        assert_eq!(presence.of("d").unwrap().since, 500 * NS_PER_SEC);
    }
}
