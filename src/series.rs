//! Every series the hub knows, by key and by id. Sessions resolve keys here; the writer fixes the type with the first
//! reading; queries and live list what has a stored reading.
//!
//! Invariants: an id is given once and never reused. A series is *listed* from the commit of its first reading on.
//! Lock order: `by_key` before `per_owner` before `by_id` before a series' own `state`. No lock is held over an await or over I/O.

mod keys;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicUsize, Ordering};

use keys::Keys;
use parking_lot::RwLock;
use rustc_hash::FxHashMap;

use crate::catalog::sealed::SealedSeries;
use crate::model::{Kind, Labels, MetaChange, SeriesDef, SeriesId, SeriesKey, TimeNs, TokenId, ValueType};
use crate::retention::RuleId;

#[derive(Debug)]
pub struct Series {
    pub id: SeriesId,
    pub key: SeriesKey,
    pub owner: TokenId,
    state: RwLock<SeriesState>,
    listed: AtomicBool,
    /// The retention rule it falls under, once somebody asked.
    rule: AtomicU16,
}

const RULE_UNKNOWN: u16 = u16::MAX;
/// Series that are shown under one lock.
const SHOWN_AT_ONCE: usize = 4096;

/// `SeriesMeta` in pieces: with the counts of its `Arc` a series takes 128 bytes, which is a size of allocators.
#[derive(Debug)]
struct SeriesState {
    unit: Option<Arc<str>>,
    /// `TimeNs::MIN`: never told.
    changed: TimeNs,
    /// Known once it is listed.
    created: TimeNs,
    kind: Option<Kind>,
    value_type: Option<ValueType>,
}

const _: () = assert!(size_of::<Series>() + 2 * size_of::<usize>() <= 128);

impl SeriesState {
    fn meta(&self) -> SeriesMeta {
        let changed = (self.changed != TimeNs::MIN).then_some(self.changed);
        SeriesMeta { unit: self.unit.clone(), kind: self.kind, changed }
    }

    fn kind_told(&self) -> Kind {
        self.kind.unwrap_or_else(|| Kind::default_for(self.value_type.unwrap_or(ValueType::Number)))
    }

    fn set_meta(&mut self, meta: SeriesMeta) {
        (self.unit, self.kind, self.changed) = (meta.unit, meta.kind, meta.changed.unwrap_or(TimeNs::MIN));
    }
}

/// Unit and kind as last told, and when that was (the receive time of the commit).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SeriesMeta {
    pub unit: Option<Arc<str>>,
    pub kind: Option<Kind>,
    pub changed: Option<TimeNs>,
}

impl Series {
    fn new(id: SeriesId, key: SeriesKey, owner: TokenId) -> Self {
        let state = SeriesState { unit: None, changed: TimeNs::MIN, created: 0, kind: None, value_type: None };
        Self { id, key, owner, state: RwLock::new(state), listed: AtomicBool::new(false), rule: AtomicU16::new(RULE_UNKNOWN) }
    }

    /// None until the first reading is on its way to the log.
    #[must_use]
    pub fn value_type(&self) -> Option<ValueType> {
        self.state.read().value_type
    }

    /// Fixes the type if this is the first reading, and says which type holds.
    pub fn fix_type(&self, value_type: ValueType) -> ValueType {
        if let Some(fixed) = self.state.read().value_type {
            return fixed;
        }
        *self.state.write().value_type.get_or_insert(value_type)
    }

    /// Takes the type back after a failed append of the defining commit, so that the next first reading decides.
    pub fn unfix_type(&self) {
        if !self.is_listed() {
            self.state.write().value_type = None;
        }
    }

    #[must_use]
    pub fn meta(&self) -> SeriesMeta {
        self.state.read().meta()
    }

    /// When the commit that defined it was written. None until it is listed.
    #[must_use]
    pub fn created(&self) -> Option<TimeNs> {
        self.is_listed().then(|| self.state.read().created)
    }

    /// As a seal writes it to the catalog. None until it is listed. Unit and kind may be newer than what is sealed: the log tells
    /// them again.
    #[must_use]
    pub fn to_sealed(&self) -> Option<SealedSeries> {
        let state = self.state.read();
        let (value_type, created) = (state.value_type?, self.is_listed().then_some(state.created)?);
        let def = SeriesDef { id: self.id, key: self.key.clone(), value_type, owner: self.owner };
        Some(SealedSeries { def, meta: state.meta(), created })
    }

    /// What was told at another time: the newer stands, part by part.
    fn merge_meta(&self, other: &SeriesMeta) {
        let mut state = self.state.write();
        let mine = state.meta();
        let (newer, older) = if other.changed > mine.changed { (other, &mine) } else { (&mine, other) };
        state.set_meta(SeriesMeta {
            unit: newer.unit.clone().or_else(|| older.unit.clone()),
            kind: newer.kind.or(older.kind),
            changed: newer.changed,
        });
    }

    /// The kind told, or the default for its type.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.state.read().kind_told()
    }

    /// Both at once, for answers that describe many series.
    #[must_use]
    pub fn unit_and_kind(&self) -> (Option<Arc<str>>, Kind) {
        let state = self.state.read();
        (state.unit.clone(), state.kind_told())
    }

    /// Whether a change of unit or kind would change anything: sessions ask before they send one to the writer.
    #[must_use]
    pub fn differs(&self, unit: Option<&str>, kind: Option<Kind>) -> bool {
        let state = self.state.read();
        unit.is_some_and(|unit| state.unit.as_deref() != Some(unit)) || kind.is_some_and(|kind| state.kind != Some(kind))
    }

    /// Its retention rule, looked for once. `look` asks for nothing of this series' state.
    #[inline]
    pub fn rule_or(&self, look: impl FnOnce() -> RuleId) -> RuleId {
        match self.rule.load(Ordering::Relaxed) {
            RULE_UNKNOWN => self.find_rule(look),
            known => RuleId(known),
        }
    }

    /// Under the lock of `forget_rule`: what was found before an edit is not remembered after it.
    #[cold]
    fn find_rule(&self, look: impl FnOnce() -> RuleId) -> RuleId {
        let _no_edit = self.state.write();
        let found = look();
        self.rule.store(found.0, Ordering::Relaxed);
        found
    }

    fn forget_rule(&self) {
        let _nobody_looks = self.state.write();
        self.rule.store(RULE_UNKNOWN, Ordering::Relaxed);
    }

    #[must_use]
    pub fn is_listed(&self) -> bool {
        self.listed.load(Ordering::Acquire)
    }
}

/// Names of a series that are still borrowed from a frame.
#[derive(Clone, Copy, Debug)]
pub struct KeyRef<'a> {
    pub device: &'a str,
    pub metric: &'a str,
    /// Checked, in any order; empty values mean absent.
    pub labels: &'a [(&'a str, &'a str)],
}

impl KeyRef<'_> {
    #[must_use]
    pub fn to_key(&self) -> SeriesKey {
        SeriesKey { device: self.device.into(), metric: self.metric.into(), labels: Labels::from_pairs(self.labels.iter().copied()) }
    }
}

/// The limit a new series would pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SeriesLimit {
    Token { max: usize },
    Hub { max: usize },
}

#[derive(Debug)]
pub struct SeriesTable {
    by_key: RwLock<Keys>,
    /// Indexed by id. A hole is an id that was given before a crash and never committed.
    by_id: RwLock<Vec<Option<Arc<Series>>>>,
    per_owner: RwLock<FxHashMap<TokenId, usize>>,
    listed: AtomicUsize,
    max_per_token: usize,
    max_per_hub: usize,
}

impl SeriesTable {
    #[must_use]
    pub fn new(max_per_token: usize, max_per_hub: usize) -> Self {
        Self {
            by_key: RwLock::default(),
            by_id: RwLock::default(),
            per_owner: RwLock::default(),
            listed: AtomicUsize::new(0),
            max_per_token,
            max_per_hub,
        }
    }

    /// The series of this key; made if it is new and no limit forbids it. An existing series is always given.
    pub fn resolve(&self, key: KeyRef<'_>, owner: TokenId) -> Result<Arc<Series>, SeriesLimit> {
        let key = key.to_key();
        if let Some(series) = self.by_key.read().get(&key) {
            return Ok(Arc::clone(series));
        }
        let mut by_key = self.by_key.write();
        if let Some(series) = by_key.get(&key) {
            return Ok(Arc::clone(series));
        }
        if by_key.len() >= self.max_per_hub {
            return Err(SeriesLimit::Hub { max: self.max_per_hub });
        }
        let mut per_owner = self.per_owner.write();
        let owned = per_owner.entry(owner).or_default();
        if *owned >= self.max_per_token {
            return Err(SeriesLimit::Token { max: self.max_per_token });
        }
        *owned += 1;
        let mut by_id = self.by_id.write();
        let id = SeriesId(u32::try_from(by_id.len()).expect("series per hub are bounded far below 2^32"));
        let series = Arc::new(Series::new(id, by_key.shared(key), owner));
        by_id.push(Some(Arc::clone(&series)));
        by_key.insert(Arc::clone(&series));
        Ok(series)
    }

    /// Brings back a series that the log defines, in a commit written at `at`. Where the catalog or an earlier record brought it
    /// before, that one stays as it is. Only used before ingest starts.
    pub fn restore(&self, def: &SeriesDef, at: TimeNs) -> Arc<Series> {
        let mut by_key = self.by_key.write();
        let known = by_key.get(&def.key).filter(|known| known.id == def.id).cloned();
        let series = known.unwrap_or_else(|| {
            let made = self.put_back(def, by_key.shared(def.key.clone()));
            by_key.insert(Arc::clone(&made));
            made
        });
        series.fix_type(def.value_type);
        self.mark_listed(&series, at);
        series
    }

    fn put_back(&self, def: &SeriesDef, key: SeriesKey) -> Arc<Series> {
        *self.per_owner.write().entry(def.owner).or_default() += 1;
        let mut by_id = self.by_id.write();
        if by_id.len() <= def.id.index() {
            by_id.resize(def.id.index() + 1, None);
        }
        let made = Arc::new(Series::new(def.id, key, def.owner));
        let before = by_id[def.id.index()].replace(Arc::clone(&made));
        debug_assert!(before.is_none(), "an id is given once: {before:?}, then {def:?}");
        made
    }

    /// Brings back a series from the catalog. If the log brought it before, the newer unit and kind stand. Only used before ingest
    /// starts.
    pub fn restore_sealed(&self, sealed: &SealedSeries) -> Arc<Series> {
        let series = self.restore(&sealed.def, sealed.created);
        let unit = sealed.meta.unit.clone().map(|unit| self.by_key.write().shared_name(unit));
        series.merge_meta(&SeriesMeta { unit, ..sealed.meta });
        series
    }

    /// Ids below `next` are not given to new series: they may have been given before, and their series be gone since. Said before
    /// they are restored, it also makes room for them at once.
    pub fn reserve(&self, next: u32) {
        let next = next as usize;
        let mut by_key = self.by_key.write();
        by_key.reserve(next.min(self.max_per_hub));
        let mut by_id = self.by_id.write();
        if by_id.len() < next {
            by_id.resize(next, None);
        }
    }

    /// One past the greatest id that was given or reserved.
    #[must_use]
    pub fn next_id(&self) -> u32 {
        u32::try_from(self.by_id.read().len()).expect("series per hub are bounded far below 2^32")
    }

    /// Those of these ids that no series has, by id.
    pub fn unknown(&self, ids: impl Iterator<Item = SeriesId>) -> Vec<SeriesId> {
        let by_id = self.by_id.read();
        let mut unknown = Vec::new();
        let mut before = None;
        for id in ids {
            if before.replace(id) != Some(id) && by_id.get(id.index()).is_none_or(Option::is_none) {
                unknown.push(id);
            }
        }
        unknown.sort_unstable();
        unknown.dedup();
        unknown
    }

    /// Its first reading is committed, by a commit written at `at`: from now on it is seen by lists, selectors and live.
    pub fn list(&self, id: SeriesId, at: TimeNs) {
        if let Some(series) = self.by_id(id) {
            self.mark_listed(&series, at);
        }
    }

    /// The time first: who sees it listed knows when it was made.
    fn mark_listed(&self, series: &Series, at: TimeNs) {
        let mut state = series.state.write();
        if !series.is_listed() {
            state.created = at;
            series.listed.store(true, Ordering::Release);
            self.listed.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub fn apply_meta(&self, change: &MetaChange, at: TimeNs) {
        let Some(series) = self.by_id(change.series) else {
            return;
        };
        let unit = change.unit.clone().map(|unit| self.by_key.write().shared_name(unit));
        let mut state = series.state.write();
        if unit.is_some() {
            state.unit = unit;
        }
        if let Some(kind) = change.kind {
            state.kind = Some(kind);
        }
        state.changed = at;
    }

    #[must_use]
    pub fn by_id(&self, id: SeriesId) -> Option<Arc<Series>> {
        self.by_id.read().get(id.index()).cloned().flatten()
    }

    #[must_use]
    pub fn by_key(&self, key: &SeriesKey) -> Option<Arc<Series>> {
        self.by_key.read().get(key).cloned()
    }

    /// A device's attributes were edited: its series may fall under other retention rules.
    pub fn forget_rules(&self, device: &str) {
        self.each(|series| {
            if &*series.key.device == device {
                series.forget_rule();
            }
        });
    }

    /// The listed series that `wanted` says yes to, sorted by device, metric, labels.
    #[must_use]
    pub fn select(&self, mut wanted: impl FnMut(&Series) -> bool) -> Vec<Arc<Series>> {
        let mut found = Vec::new();
        self.each_listed(|series| {
            if wanted(series) {
                found.push(Arc::clone(series));
            }
        });
        found.sort_unstable_by(|a, b| a.key.cmp(&b.key));
        found
    }

    /// The first `most` of what [`Self::select`] would give. Costs a look at each series, and memory for so many alone.
    #[must_use]
    pub fn select_first(&self, most: usize, mut wanted: impl FnMut(&Series) -> bool) -> Vec<Arc<Series>> {
        let mut found: Vec<Arc<Series>> = Vec::new();
        // Behind this one are enough others.
        let mut bound: Option<SeriesKey> = None;
        let cut = |found: &mut Vec<Arc<Series>>| {
            found.sort_unstable_by(|a, b| a.key.cmp(&b.key));
            found.truncate(most);
        };
        self.each_listed(|series| {
            if bound.as_ref().is_some_and(|bound| series.key >= *bound) || !wanted(series) {
                return;
            }
            found.push(Arc::clone(series));
            if found.len() >= most.saturating_mul(2).max(64) {
                cut(&mut found);
                bound = found.last().filter(|_| found.len() == most).map(|last| last.key.clone());
            }
        });
        cut(&mut found);
        found
    }

    /// Shows each listed series, in the order they came in. No lock is held for long, so a series that comes meanwhile may be shown or not.
    pub fn each_listed(&self, mut show: impl FnMut(&Arc<Series>)) {
        self.each(|series| {
            if series.is_listed() {
                show(series);
            }
        });
    }

    fn each(&self, mut show: impl FnMut(&Arc<Series>)) {
        let mut from = 0;
        loop {
            let by_id = self.by_id.read();
            let until = (from + SHOWN_AT_ONCE).min(by_id.len());
            by_id[from..until].iter().flatten().for_each(&mut show);
            if until == by_id.len() {
                return;
            }
            from = until;
        }
    }

    /// How many are listed.
    #[must_use]
    pub fn len(&self) -> usize {
        self.listed.load(Ordering::Relaxed)
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests;
