//! A store in a map: the oracle that every other store is compared with. As plain as can be; it knows one state, the newest.

use std::collections::BTreeMap;

use parking_lot::Mutex;
use rustc_hash::FxHashMap;

use super::{Handover, Pin, Sink, Store, StoreError, StoreStats};
use crate::block::Block;
use crate::model::{Delete, Reading, SeriesId, TimeNs, TimeRange, Value};

/// Points handed to a sink at once.
const SCAN_POINTS: usize = 1024;

/// Value and receive time by time.
type Points = BTreeMap<TimeNs, (Value, TimeNs)>;

#[derive(Debug, Default)]
pub struct MemoryStore(Mutex<FxHashMap<SeriesId, Points>>);

impl MemoryStore {
    pub fn put(&self, reading: &Reading, received: TimeNs) {
        self.0.lock().entry(reading.series).or_default().insert(reading.time, (reading.value.clone(), received));
    }

    pub fn delete(&self, delete: Delete) {
        if let Some(points) = self.0.lock().get_mut(&delete.series) {
            points.retain(|time, _| !(delete.from..=delete.to).contains(time));
        }
    }

    fn blocks(&self, series: SeriesId, range: TimeRange) -> Vec<Block> {
        if range.from >= range.to {
            return Vec::new();
        }
        let all = self.0.lock();
        let Some(points) = all.get(&series) else { return Vec::new() };
        let mut blocks: Vec<Block> = Vec::new();
        for (time, (value, received)) in points.range(range.from..range.to) {
            if blocks.last().is_none_or(|block| block.len() == SCAN_POINTS) {
                blocks.push(Block::default());
            }
            blocks.last_mut().expect("just made").put(*time, value.clone(), *received);
        }
        blocks
    }
}

impl Store for MemoryStore {
    fn seal(&self, handover: &Handover<'_>) -> Result<(), StoreError> {
        handover.deletes.iter().for_each(|positioned| self.delete(positioned.delete));
        for run in &handover.runs {
            for block in run.blocks {
                for (i, time) in block.times().iter().enumerate() {
                    self.put(&Reading { series: run.series, time: *time, value: block.value(i) }, block.received(i));
                }
            }
        }
        Ok(())
    }

    fn look_up(&self, _pin: &Pin, series: SeriesId, times: &[TimeNs]) -> Result<Vec<Option<Value>>, StoreError> {
        let all = self.0.lock();
        let points = all.get(&series);
        Ok(times.iter().map(|time| points.and_then(|points| points.get(time)).map(|(value, _)| value.clone())).collect())
    }

    fn scan(&self, _pin: &Pin, series: SeriesId, range: TimeRange, sink: &mut Sink<'_>) -> Result<(), StoreError> {
        self.blocks(series, range).iter().all(sink);
        Ok(())
    }

    fn scan_back(&self, _pin: &Pin, series: SeriesId, range: TimeRange, sink: &mut Sink<'_>) -> Result<(), StoreError> {
        self.blocks(series, range).iter().rev().all(sink);
        Ok(())
    }

    fn count(&self, _pin: &Pin, series: SeriesId, range: TimeRange) -> Result<u64, StoreError> {
        Ok(self.blocks(series, range).iter().map(|block| block.len() as u64).sum())
    }

    fn stats(&self) -> StoreStats {
        let points = self.0.lock().values().map(|points| points.len() as u64).sum();
        StoreStats { points, bytes: 0 }
    }
}
