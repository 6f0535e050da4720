//! Retention rules and the classes whose files they are about. A class is a rule's selector as it was written: its id is given once
//! and kept, so a rule that moves in the list or gets another age stands for the same files.
//!
//! Invariant: what was dropped of a class whose rule is gone is no floor of anybody: its series fall under other rules now, of which it
//! says nothing.

use parking_lot::RwLock;
use rustc_hash::FxHashMap;

use super::key::ClassId;
use super::state::State;
use crate::model::TimeNs;
use crate::retention::{Floors, PRIORITY, RetentionRule, RuleId};
use crate::store::StoreError;

#[derive(Debug)]
pub(super) struct Classes {
    /// By rule.
    classes: Vec<ClassId>,
    rules: FxHashMap<ClassId, RuleId>,
    priorities: Vec<u64>,
    /// Up to where classes without a rule were dropped.
    dropped: RwLock<FxHashMap<ClassId, TimeNs>>,
}

impl Classes {
    pub(super) fn new(rules: &[RetentionRule], state: &State) -> Result<Self, StoreError> {
        let mut classes = vec![ClassId(0)];
        for rule in rules {
            classes.push(state.class(&rule.text)?);
        }
        // Of two rules with one selector the first holds.
        let mut by_class = FxHashMap::default();
        for (class, rule) in classes.iter().zip((0..).map(RuleId)) {
            by_class.entry(*class).or_insert(rule);
        }
        let priorities = std::iter::once(PRIORITY).chain(rules.iter().map(|rule| rule.priority)).collect();
        Ok(Self { classes, rules: by_class, priorities, dropped: RwLock::default() })
    }

    pub(super) fn of(&self, rule: RuleId) -> ClassId {
        self.classes[usize::from(rule.0)]
    }

    /// A class whose rule is gone is kept as what has none.
    pub(super) fn rule(&self, class: ClassId) -> RuleId {
        self.rules.get(&class).copied().unwrap_or(RuleId(0))
    }

    /// Of its readings, those before were dropped for bytes.
    pub(super) fn drop_until(&self, floors: &Floors, class: ClassId, until: TimeNs) {
        if let Some(rule) = self.rules.get(&class) {
            return floors.drop_until(*rule, until);
        }
        let mut dropped = self.dropped.write();
        let known = dropped.entry(class).or_insert(until);
        *known = until.max(*known);
    }

    /// Before this its readings may be gone. None: all are there.
    pub(super) fn floor(&self, floors: &Floors, class: ClassId) -> Option<TimeNs> {
        match self.rules.get(&class) {
            Some(rule) => floors.of(*rule),
            None => self.dropped.read().get(&class).copied(),
        }
    }

    pub(super) fn priority(&self, class: ClassId) -> u64 {
        self.priorities[usize::from(self.rule(class).0)]
    }
}
