//! How long series are kept: `[[retention]]` rules, the first that matches a series holds, and what was dropped to stay within
//! `[store] max_bytes`. The door asks for the floor, the store for the rule that a series falls under.
//!
//! Invariant: time that nobody trusts (a clock that jumped far ahead) moves no floor and expires nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use crate::model::{SeriesId, TimeNs};
use crate::query::selector::{Attributes, Selector};
use crate::series::{Series, SeriesTable};
use crate::store::embedded::SeriesInfo;

/// A `[[retention]]` table.
#[derive(Clone, Debug, PartialEq)]
pub struct RetentionRule {
    pub select: Selector,
    /// As it was written: the name of the class whose files it is about.
    pub text: String,
    /// None: no bound by age.
    pub keep: Option<Duration>,
    /// How long rollups are kept, which need less room. None: as long as the readings; zero: no bound by age.
    pub keep_rollups: Option<Duration>,
    /// When bytes are short, lower goes first. Without a rule: `PRIORITY`.
    pub priority: u64,
}

/// Of series without a rule.
pub const PRIORITY: u64 = 100;

/// A series' rule: 0 for none, else the place in the list from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RuleId(pub u16);

/// Where the retention of each rule begins. Shared by the door and the store.
#[derive(Debug)]
pub struct Floors {
    /// The newest time that is trusted.
    now: AtomicI64,
    /// What the store keeps at most, of everything. The greatest: no bound.
    store_keeps: AtomicI64,
    rules: Vec<Floor>,
}

#[derive(Debug)]
struct Floor {
    keep_ns: Option<i64>,
    keep_rollups_ns: Option<i64>,
    /// The end of the newest day that was dropped for bytes.
    dropped: AtomicI64,
}

impl Floors {
    #[must_use]
    pub fn new(rules: &[RetentionRule]) -> Self {
        let ns = |keep: Duration| i64::try_from(keep.as_nanos()).unwrap_or(i64::MAX);
        let floor = |keep: Option<Duration>, rollups: Option<Duration>| Floor {
            keep_ns: keep.map(ns),
            keep_rollups_ns: rollups.filter(|keep| !keep.is_zero()).map(ns),
            dropped: AtomicI64::new(TimeNs::MIN),
        };
        let of_rule = |rule: &RetentionRule| floor(rule.keep, rule.keep_rollups.or(rule.keep));
        let rules = std::iter::once(floor(None, None)).chain(rules.iter().map(of_rule)).collect();
        Self { now: AtomicI64::new(TimeNs::MIN), store_keeps: AtomicI64::new(i64::MAX), rules }
    }

    /// None: everything is taken.
    #[inline]
    #[must_use]
    pub fn of(&self, rule: RuleId) -> Option<TimeNs> {
        let dropped = self.rules[usize::from(rule.0)].dropped.load(Ordering::Relaxed);
        let floor = self.by_age(rule).map_or(dropped, |by_age| by_age.max(dropped));
        (floor > TimeNs::MIN).then_some(floor)
    }

    /// Where the rule's own age begins, at the time that is trusted.
    #[must_use]
    pub fn by_age(&self, rule: RuleId) -> Option<TimeNs> {
        let store_keeps = self.store_keeps.load(Ordering::Relaxed);
        let keep_ns = self.rules[usize::from(rule.0)].keep_ns.unwrap_or(i64::MAX).min(store_keeps);
        (keep_ns < i64::MAX).then(|| self.now.load(Ordering::Relaxed).saturating_sub(keep_ns))
    }

    /// The same for its rollups.
    #[must_use]
    pub fn rollups_by_age(&self, rule: RuleId) -> Option<TimeNs> {
        let keep_ns = self.rules[usize::from(rule.0)].keep_rollups_ns?;
        Some(self.now.load(Ordering::Relaxed).saturating_sub(keep_ns))
    }

    pub fn set_now(&self, now: TimeNs) {
        self.now.store(now, Ordering::Relaxed);
    }

    /// A store with a bound of its own; None: it keeps everything.
    pub fn set_store_keeps(&self, keep: Option<Duration>) {
        let ns = keep.map_or(i64::MAX, |keep| i64::try_from(keep.as_nanos()).unwrap_or(i64::MAX));
        self.store_keeps.store(ns, Ordering::Relaxed);
    }

    /// What a store with a bound of its own keeps, in nanoseconds. None: everything.
    #[must_use]
    pub fn store_keeps(&self) -> Option<i64> {
        Some(self.store_keeps.load(Ordering::Relaxed)).filter(|keep| *keep < i64::MAX)
    }

    pub fn drop_until(&self, rule: RuleId, until: TimeNs) {
        self.rules[usize::from(rule.0)].dropped.fetch_max(until, Ordering::Relaxed);
    }
}

/// Which rule a series falls under. A series remembers it until an attribute of its device is edited.
pub struct Retention {
    rules: Vec<RetentionRule>,
    floors: Arc<Floors>,
    series: Arc<SeriesTable>,
    attributes: Arc<dyn Attributes + Send + Sync>,
    /// Of attributes that rules select by.
    edits: AtomicU64,
}

impl std::fmt::Debug for Retention {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Retention").field("rules", &self.rules).finish_non_exhaustive()
    }
}

impl Retention {
    #[must_use]
    pub fn new(rules: Vec<RetentionRule>, series: Arc<SeriesTable>, attributes: Arc<dyn Attributes + Send + Sync>) -> Self {
        Self { floors: Arc::new(Floors::new(&rules)), rules, series, attributes, edits: AtomicU64::new(0) }
    }

    /// Everything is kept for ever.
    #[must_use]
    pub fn none(series: Arc<SeriesTable>) -> Self {
        Self::new(Vec::new(), series, Arc::new(()))
    }

    #[must_use]
    pub fn floors(&self) -> &Arc<Floors> {
        &self.floors
    }

    /// Where the retention of a series begins. None: nothing is too old.
    #[inline]
    #[must_use]
    pub fn floor(&self, series: &Series) -> Option<TimeNs> {
        self.floors.of(self.of(series))
    }

    #[inline]
    #[must_use]
    pub fn of(&self, series: &Series) -> RuleId {
        if self.rules.is_empty() {
            return RuleId(0);
        }
        series.rule_or(|| {
            let first = self.rules.iter().position(|rule| rule.select.matches(&series.key, &*self.attributes));
            RuleId(first.and_then(|at| u16::try_from(at + 1).ok()).unwrap_or(0))
        })
    }

    /// A rule may select by attributes.
    pub fn attributes_changed(&self, device: &str) {
        if self.rules.iter().any(|rule| rule.select.uses_attributes()) {
            self.series.forget_rules(device);
            self.edits.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl SeriesInfo for Retention {
    fn metric(&self, series: SeriesId) -> u32 {
        self.series.by_id(series).map_or(0, |series| crc32c::crc32c(series.key.metric.as_bytes()))
    }

    fn rule(&self, series: SeriesId) -> RuleId {
        self.series.by_id(series).map_or(RuleId(0), |series| self.of(&series))
    }

    fn edits(&self) -> u64 {
        self.edits.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::TokenId;
    use crate::series::KeyRef;

    fn rule(select: &str, keep: Option<u64>) -> RetentionRule {
        let (select, text) = (Selector::parse(select).unwrap(), select.to_owned());
        RetentionRule { select, text, keep: keep.map(Duration::from_secs), keep_rollups: None, priority: 0 }
    }

    #[test]
    fn the_first_rule_that_matches_holds() {
        let series = Arc::new(SeriesTable::new(10, 10));
        let rules = vec![rule("pump-*/debug.*", Some(60)), rule("pump-*/*", None)];
        let rules = Retention::new(rules, Arc::clone(&series), Arc::new(()));
        for (device, metric, expected) in [("pump-1", "debug.x", 1), ("pump-1", "rpm", 2), ("meter", "power", 0)] {
            let one = series.resolve(KeyRef { device, metric, labels: &[] }, TokenId(1)).unwrap();
            assert_eq!(rules.of(&one), RuleId(expected), "{device}/{metric}");
            assert_eq!(rules.rule(one.id), RuleId(expected), "remembered");
        }
    }

    #[test]
    fn a_floor_is_the_later_of_age_and_what_was_dropped() {
        let floors = Floors::new(&[rule("*/*", Some(10)), rule("*/*", None)]);
        let second = 1_000_000_000;
        assert_eq!([0, 2].map(|rule| floors.of(RuleId(rule))), [None, None]);
        floors.set_now(100 * second);
        assert_eq!([0, 1, 2].map(|rule| floors.of(RuleId(rule))), [None, Some(90 * second), None]);
        floors.drop_until(RuleId(1), 95 * second);
        floors.drop_until(RuleId(2), 5);
        floors.drop_until(RuleId(2), 3);
        assert_eq!([0, 1, 2].map(|rule| floors.of(RuleId(rule))), [None, Some(95 * second), Some(5)]);
    }
}
