//! The series that one connection has met, each in its slot: what was told of its unit and kind, and whether it had a reading without
//! time in the frame at hand.
//!
//! Invariant: a slot's place is good as long as the session. Small: a connection may bring a hundred thousand.

use std::hash::BuildHasher;
use std::sync::Arc;

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use rustc_hash::FxBuildHasher;

use super::{Deciding, Meta};
use crate::config::MetricRules;
use crate::ingest::ToldMeta;
use crate::ingest::mapping::fits;
use crate::model::{Kind, MetaChange, SeriesId, ValueType};
use crate::series::Series;

#[derive(Debug, Default)]
pub(super) struct Slots {
    all: Vec<Slot>,
    /// Their places, by the ids of their series, which the hub gives.
    places: HashTable<u32>,
    /// Those that had a reading without time in this frame.
    untimed: Vec<u32>,
}

#[derive(Debug)]
pub(super) struct Slot {
    pub(super) series: Arc<Series>,
    wishes: Option<Box<Wishes>>,
    pub(super) id: SeriesId,
    /// What `[[metric]]` says was looked up.
    rule_asked: bool,
    is_untimed: bool,
}

const _: () = assert!(size_of::<Slot>() == 24);

/// Units and kinds that the series may not have yet. Let go of when it has them.
#[derive(Debug, Default)]
struct Wishes {
    told: Option<Told>,
    /// What `[[metric]]` says that the series does not have.
    rule: Option<Ruled>,
}

/// The unit and kind this connection last sent to the writer, with which batch and beside a value of which type: they may still be on
/// their way, and those beside a value of another type than the series' are not taken.
#[derive(Debug)]
struct Told {
    batch: u64,
    with: ValueType,
    unit: Option<Arc<str>>,
    kind: Option<Kind>,
}

#[derive(Debug)]
struct Ruled {
    unit: Option<Arc<str>>,
    kind: Option<Kind>,
}

impl Slots {
    /// The place of a series, made if it was not met before.
    pub(super) fn of(&mut self, series: Arc<Series>) -> u32 {
        let Self { all, places, .. } = self;
        let hash_of = |id: SeriesId| FxBuildHasher.hash_one(id);
        match places.entry(hash_of(series.id), |at| all[*at as usize].id == series.id, |at| hash_of(all[*at as usize].id)) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(free) => {
                let at = u32::try_from(all.len()).expect("a hub has fewer than 2^32 series");
                all.push(Slot { id: series.id, series, wishes: None, rule_asked: false, is_untimed: false });
                *free.insert(at).get()
            }
        }
    }

    pub(super) fn series(&self, at: u32) -> &Series {
        &self.all[at as usize].series
    }

    #[inline]
    pub(super) fn slot(&mut self, at: u32) -> &mut Slot {
        &mut self.all[at as usize]
    }

    pub(super) fn begin_frame(&mut self) {
        self.untimed.drain(..).for_each(|at| self.all[at as usize].is_untimed = false);
    }

    /// A reading without time came. False: it is not the first of its series in this frame.
    pub(super) fn untimed(&mut self, at: u32) -> bool {
        let is_first = !std::mem::replace(&mut self.all[at as usize].is_untimed, true);
        if is_first {
            self.untimed.push(at);
        }
        is_first
    }
}

impl Slot {
    /// Sends a unit or kind to the writer if it changes anything, also against what this connection has on its way.
    pub(super) fn tell(&mut self, batch: &mut Deciding, number: u64, meta: Meta<'_>, with: ValueType) {
        let Self { series, wishes, .. } = self;
        let needed = match wishes.as_ref().and_then(|wishes| wishes.told.as_ref()) {
            Some(told) => {
                let same = meta.unit.is_none_or(|u| told.unit.as_deref() == Some(u)) && meta.kind.is_none_or(|k| told.kind == Some(k));
                !same || ((told.batch, told.with) != (number, with) && series.differs(meta.unit, meta.kind))
            }
            None => series.differs(meta.unit, meta.kind),
        };
        if !needed {
            if let Some(wishes) = wishes {
                wishes.told.take_if(|told| told.batch != number && !series.differs(told.unit.as_deref(), told.kind));
            }
            return self.drop_fulfilled();
        }
        let unit: Option<Arc<str>> = meta.unit.map(Arc::from);
        batch.meta.push(ToldMeta { change: MetaChange { series: self.id, unit: unit.clone(), kind: meta.kind }, with });
        let told = &mut self.wishes_mut().told;
        let (unit_before, kind_before) = told.take().map_or((None, None), |told| (told.unit, told.kind));
        *told = Some(Told { batch: number, with, unit: unit.or(unit_before), kind: meta.kind.or(kind_before) });
    }

    /// What the rules say holds where this connection's sender is silent. It is told until the series has it, since a batch may
    /// come back untaken.
    #[inline]
    pub(super) fn apply_rule(&mut self, batch: &mut Deciding, number: u64, rules: &MetricRules, value_type: ValueType, meta: Meta<'_>) {
        if !self.rule_asked {
            self.ask_rule(rules);
        }
        if self.wishes.is_some() {
            self.tell_rule(batch, number, meta, value_type);
        }
    }

    #[cold]
    fn ask_rule(&mut self, rules: &MetricRules) {
        self.rule_asked = true;
        let (kind, unit) = rules.of(&self.series.key.metric);
        if unit.is_some() || kind.is_some() {
            self.wishes_mut().rule = Some(Ruled { unit, kind });
        }
    }

    fn tell_rule(&mut self, batch: &mut Deciding, number: u64, meta: Meta<'_>, with: ValueType) {
        let fixed = self.series.value_type();
        let Some(rule) = self.wishes.as_mut().and_then(|wishes| wishes.rule.as_mut()) else { return };
        rule.unit.take_if(|_| meta.unit.is_some());
        rule.kind.take_if(|kind| meta.kind.is_some() || fixed.is_some_and(|fixed| !fits(*kind, fixed)));
        if !self.series.differs(rule.unit.as_deref(), rule.kind) {
            self.wishes_mut().rule = None;
            return self.drop_fulfilled();
        }
        let (unit, kind) = (rule.unit.clone(), rule.kind.filter(|kind| fits(*kind, with)));
        self.tell(batch, number, Meta { unit: unit.as_deref(), kind }, with);
    }

    fn wishes_mut(&mut self) -> &mut Wishes {
        self.wishes.get_or_insert_default()
    }

    fn drop_fulfilled(&mut self) {
        self.wishes.take_if(|wishes| wishes.told.is_none() && wishes.rule.is_none());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::TokenId;
    use crate::series::{KeyRef, SeriesTable};

    fn series(count: usize) -> (SeriesTable, Vec<Arc<Series>>) {
        let table = SeriesTable::new(count, count);
        let make = |n| table.resolve(KeyRef { device: "d", metric: &format!("m{n}"), labels: &[] }, TokenId(1)).unwrap();
        let all = (0..count).map(make).collect();
        (table, all)
    }

    #[test]
    fn a_series_has_one_place_for_ever() {
        let (_, mut series) = series(1000);
        fastrand::Rng::with_seed(1).shuffle(&mut series);
        let mut slots = Slots::default();
        for _ in 0..2 {
            for (at, series) in (0..).zip(&series) {
                assert_eq!(slots.of(Arc::clone(series)), at);
                assert_eq!((slots.series(at).id, slots.slot(at).id), (series.id, series.id));
            }
        }
    }

    #[test]
    fn a_frame_has_one_reading_without_time_of_a_series() {
        let mut slots = Slots::default();
        assert_eq!(series(3).1.into_iter().map(|series| slots.of(series)).collect::<Vec<_>>(), [0, 1, 2]);
        assert_eq!([1, 1, 2, 1, 2].map(|at| slots.untimed(at)), [true, false, true, false, false]);
        slots.begin_frame();
        assert_eq!([2, 0, 2, 1].map(|at| slots.untimed(at)), [true, true, false, true]);
    }

    #[test]
    fn what_is_on_its_way_is_told_once_and_let_go_of_when_the_series_has_it() {
        let (table, series) = series(1);
        let mut slots = Slots::default();
        let at = slots.of(Arc::clone(&series[0]));
        let slot = slots.slot(at);
        let (mut batch, bytes) = (Deciding::default(), Meta { unit: Some("B"), kind: None });
        slot.tell(&mut batch, 1, bytes, ValueType::Number);
        slot.tell(&mut batch, 1, bytes, ValueType::Number);
        assert_eq!((batch.meta.len(), slot.wishes.is_some()), (1, true));
        table.apply_meta(&batch.meta[0].change, 5);
        slot.tell(&mut batch, 2, bytes, ValueType::Number);
        assert_eq!((batch.meta.len(), slot.wishes.is_none()), (1, true));
    }
}
