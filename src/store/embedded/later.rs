//! Files that failed, and until when they are left alone: so one holds up no work on the others, and trying wears no disk.

use std::time::{Duration, Instant};

use rustc_hash::FxHashMap;

use super::dayfile::DayFile;

/// What failed is tried again so much later.
pub(super) const SOON: Duration = Duration::from_secs(60);
/// What is damaged: damage does not heal.
pub(super) const MUCH_LATER: Duration = Duration::from_secs(6 * 3600);

/// By the files' numbers: until when, and how long that was in all.
#[derive(Debug, Default)]
pub(super) struct Later(FxHashMap<u64, (Instant, Duration)>);

impl Later {
    pub(super) fn put(&mut self, file: &DayFile, wait: Duration) {
        self.put_at(file.number, wait, Instant::now());
    }

    /// For twice as long as the time before, if there was one not long ago. Says for how long.
    pub(super) fn put_longer(&mut self, file: &DayFile, wait: Duration) -> Duration {
        self.put_longer_at(file.number, wait, Instant::now())
    }

    fn put_at(&mut self, number: u64, wait: Duration, now: Instant) {
        self.0.retain(|_, (until, _)| *until + MUCH_LATER > now);
        self.0.insert(number, (now + wait, wait));
    }

    fn put_longer_at(&mut self, number: u64, wait: Duration, now: Instant) -> Duration {
        let last = self.0.get(&number).filter(|(until, _)| *until + MUCH_LATER > now);
        let wait = last.map_or(wait, |(_, last)| (*last * 2).clamp(wait, MUCH_LATER));
        self.put_at(number, wait, now);
        wait
    }

    pub(super) fn holds(&self, file: &DayFile) -> bool {
        self.wait(file).is_some()
    }

    /// How long it is left alone from now on. None: it is not.
    pub(super) fn wait(&self, file: &DayFile) -> Option<Duration> {
        let (until, _) = self.0.get(&file.number)?;
        until.checked_duration_since(Instant::now()).filter(|wait| !wait.is_zero())
    }

    #[cfg(test)]
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fails_again_and_again_is_tried_ever_more_rarely() {
        let (mut later, mut now) = (Later::default(), Instant::now());
        let mut waits = Vec::new();
        for _ in 0..12 {
            let wait = later.put_longer_at(7, SOON, now);
            waits.push(wait.as_secs());
            now += wait;
        }
        assert_eq!(waits, [60, 120, 240, 480, 960, 1920, 3840, 7680, 15_360, 21_600, 21_600, 21_600]);
        assert_eq!(later.put_longer_at(8, SOON, now), SOON, "another file");
        now += 3 * MUCH_LATER;
        assert_eq!(later.put_longer_at(7, SOON, now), SOON, "long after");
    }
}
