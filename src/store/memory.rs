//! A store in a map: the oracle that every other store is compared with. As plain as can be.

use std::collections::BTreeMap;

use parking_lot::Mutex;
use rustc_hash::FxHashMap;

use super::{Class, Sink, Store, StoreError, StoreStats};
use crate::model::{Delete, Reading, SeriesId, TimeNs, TimeRange, Value};

/// Points handed to a sink at once.
const SCAN_POINTS: usize = 1024;

#[derive(Debug, Default)]
pub struct MemoryStore(Mutex<FxHashMap<SeriesId, BTreeMap<TimeNs, Value>>>);

impl Store for MemoryStore {
    fn apply(&self, readings: &[Reading]) -> Result<(), StoreError> {
        let mut series = self.0.lock();
        for reading in readings {
            let points = series.entry(reading.series).or_default();
            // The same value again keeps what stood there: 1 then 1.0 stays 1.
            if points.get(&reading.time) != Some(&reading.value) {
                points.insert(reading.time, reading.value.clone());
            }
        }
        Ok(())
    }

    fn classify(&self, series: SeriesId, readings: &[(TimeNs, Value)]) -> Result<Vec<Class>, StoreError> {
        let all = self.0.lock();
        let points = all.get(&series);
        let class = |(time, value): &(TimeNs, Value)| match points.and_then(|points| points.get(time)) {
            None => Class::New,
            Some(old) if old == value => Class::Duplicate,
            Some(_) => Class::Rewritten,
        };
        Ok(readings.iter().map(class).collect())
    }

    fn scan(&self, series: SeriesId, range: TimeRange, sink: &mut Sink<'_>) -> Result<(), StoreError> {
        if range.from >= range.to {
            return Ok(());
        }
        let points: Vec<_> = match self.0.lock().get(&series) {
            Some(points) => points.range(range.from..range.to).map(|(t, v)| (*t, v.clone())).collect(),
            None => Vec::new(),
        };
        for block in points.chunks(SCAN_POINTS) {
            if !sink(block) {
                break;
            }
        }
        Ok(())
    }

    fn delete(&self, delete: Delete) -> Result<(), StoreError> {
        if let Some(points) = self.0.lock().get_mut(&delete.series) {
            points.retain(|time, _| !(delete.from..=delete.to).contains(time));
        }
        Ok(())
    }

    fn stats(&self) -> StoreStats {
        let points = self.0.lock().values().map(|points| points.len() as u64).sum();
        StoreStats { points, bytes: 0 }
    }
}
