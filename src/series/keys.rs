//! Series by key. The keys stand in the series themselves, and names that many series share are held once: a million series of ten
//! thousand devices have ten thousand names of devices.

use std::hash::BuildHasher;
use std::sync::Arc;

use hashbrown::HashTable;

use super::Series;
use crate::keyed::{KeyedSet, RandomKey};
use crate::model::{Labels, SeriesKey};

#[derive(Debug, Default)]
pub(super) struct Keys {
    table: HashTable<Arc<Series>>,
    /// Of the table.
    key: RandomKey,
    names: KeyedSet<Arc<str>>,
    labels: KeyedSet<Labels>,
}

impl Keys {
    pub(super) fn len(&self) -> usize {
        self.table.len()
    }

    pub(super) fn get(&self, key: &SeriesKey) -> Option<&Arc<Series>> {
        self.table.find(self.key.hash_one(key), |series| series.key == *key)
    }

    /// A series of the same key makes room for it.
    pub(super) fn insert(&mut self, series: Arc<Series>) {
        let Self { table, key, .. } = self;
        let hash_of = |series: &Arc<Series>| key.hash_one(&series.key);
        match table.entry(hash_of(&series), |known| known.key == series.key, hash_of) {
            hashbrown::hash_table::Entry::Occupied(mut known) => *known.get_mut() = series,
            hashbrown::hash_table::Entry::Vacant(free) => drop(free.insert(series)),
        }
    }

    /// Room for so many in all.
    pub(super) fn reserve(&mut self, series: usize) {
        let Self { table, key, .. } = self;
        table.reserve(series.saturating_sub(table.len()), |series| key.hash_one(&series.key));
    }

    /// The same key, of names that are held once.
    pub(super) fn shared(&mut self, key: SeriesKey) -> SeriesKey {
        let labels = self.labels.get(&key.labels).cloned().unwrap_or_else(|| {
            self.labels.insert(key.labels.clone());
            key.labels
        });
        SeriesKey { device: self.shared_name(key.device), metric: self.shared_name(key.metric), labels }
    }

    pub(super) fn shared_name(&mut self, name: Arc<str>) -> Arc<str> {
        self.names.get(&name).cloned().unwrap_or_else(|| {
            self.names.insert(Arc::clone(&name));
            name
        })
    }
}
