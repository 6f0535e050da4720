//! Files that failed, and until when they are left alone: so one holds up no work on the others, and trying wears no disk.

use std::time::{Duration, Instant};

use rustc_hash::FxHashMap;

use super::dayfile::DayFile;

/// What failed is tried again so much later.
pub(super) const SOON: Duration = Duration::from_secs(60);
/// What is damaged: damage does not heal.
pub(super) const MUCH_LATER: Duration = Duration::from_secs(6 * 3600);

/// By the files' numbers.
#[derive(Debug, Default)]
pub(super) struct Later(FxHashMap<u64, Instant>);

impl Later {
    pub(super) fn put(&mut self, file: &DayFile, wait: Duration) {
        let now = Instant::now();
        self.0.retain(|_, until| *until > now);
        self.0.insert(file.number, now + wait);
    }

    pub(super) fn holds(&self, file: &DayFile) -> bool {
        self.0.get(&file.number).is_some_and(|until| *until > Instant::now())
    }

    #[cfg(test)]
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}
