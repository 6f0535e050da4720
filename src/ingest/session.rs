//! What one connection knows, and what it decides about each reading: form, limits, access, time, unit and kind. Every way in
//! decodes its own bytes and then asks here; the answers are the ways' own too. Pure: the clock comes in with each frame.
//!
//! Invariants: a reading is either in the batch or among its refusals, so the sums add up. A refused reading makes no series
//! unless it is refused for what the series is (`time_required`, `too_old`, `type_changed`): `take` asks for a time and a value that
//! passed the door, and the ways judge both before they ask for the series. A series met before costs one hash and no allocation,
//! unless its names are longer than `KNOWN_NAME_BYTES`.

use std::fmt;
use std::sync::Arc;

use rustc_hash::FxHashMap;
use telltale_wire::RowCode;
use tokio::sync::oneshot;

use super::forms::{FormLimits, shown};
use super::mapping::fits;
use super::refusals::{Refusals, Refused};
use super::values::Kept;
use super::{Batch, Later, Outcome, Refusal, times};
use crate::auth::access::Access;
use crate::config::{Config, Mapping, MetricRules, StoreKind};
use crate::keyed::KeyedMap;
use crate::limits::{ARRIVALS_PER_CONNECTION, KNOWN_BYTES_PER_CONNECTION, KNOWN_NAME_BYTES, NAME_BYTES, REFUSALS_EXPLAINED};
use crate::metrics::Metrics;
use crate::model::{AgentSeq, Kind, MetaChange, Reading, SeriesId, SeriesKey, TimeNs, Value, ValueType};
use crate::query::selector::Attributes;
use crate::retention::Retention;
use crate::series::{KeyRef, Series, SeriesLimit, SeriesTable};

/// What all connections share.
pub struct Door {
    pub series: Arc<SeriesTable>,
    pub refusals: Arc<Refusals>,
    pub metrics: Arc<Metrics>,
    pub attributes: Arc<dyn Attributes + Send + Sync>,
    pub mappings: Vec<Mapping>,
    pub metric_rules: MetricRules,
    pub forms: FormLimits,
    pub batch_readings: usize,
    /// A clock that says earlier is not set: [`times::build_date`].
    pub built: TimeNs,
    /// The store has no other numbers (`values`).
    pub floats_only: bool,
    /// Where the retention of a series begins; earlier readings are `too_old`.
    pub retention: Arc<Retention>,
}

impl Door {
    #[must_use]
    pub fn new(
        config: &Config,
        series: Arc<SeriesTable>,
        refusals: Arc<Refusals>,
        metrics: Arc<Metrics>,
        attributes: Arc<dyn Attributes + Send + Sync>,
        retention: Arc<Retention>,
    ) -> Self {
        Self {
            series,
            refusals,
            metrics,
            attributes,
            mappings: config.ingest.mappings.clone(),
            metric_rules: config.metrics.clone(),
            forms: FormLimits::from(&config.limits),
            batch_readings: config.ingest.batch_readings,
            built: times::build_date(),
            floats_only: config.store.kind == StoreKind::Influx,
            retention,
        }
    }
}

impl fmt::Debug for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Door").field("mappings", &self.mappings).field("forms", &self.forms).finish_non_exhaustive()
    }
}

/// A series that this connection has met, and the way its device came. Stays good as long as the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    slot: u32,
    arrival: u32,
}

/// A time that passed the door, or none: then it is the frame's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    Told(TimeNs),
    Untold,
}

/// Unit and kind as a reading tells them; None means unchanged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Meta<'a> {
    pub unit: Option<&'a str>,
    pub kind: Option<Kind>,
}

impl Meta<'_> {
    fn is_empty(&self) -> bool {
        self.unit.is_none() && self.kind.is_none()
    }
}

#[derive(Debug)]
struct Slot {
    series: Arc<Series>,
    /// The frame in which it last had a reading without time.
    untimed_in: u64,
    /// The unit and kind this connection last sent to the writer, and with which batch: they may still be on their way. Let go of
    /// when the series has them: a connection may bring a hundred thousand.
    told: Option<Box<Told>>,
    rule: Rule,
}

#[derive(Debug)]
struct Told {
    batch: u64,
    unit: Option<Arc<str>>,
    kind: Option<Kind>,
}

/// What `[[metric]]` says about a series.
#[derive(Debug)]
enum Rule {
    NotAsked,
    /// Nothing that the series does not have.
    Settled,
    Wants(Box<(Option<Arc<str>>, Option<Kind>)>),
}

/// A device, and the gateway that named itself for it.
#[derive(Debug)]
struct Arrival {
    device: Arc<str>,
    gateway: Option<Arc<str>>,
    frame: u64,
}

#[derive(Debug)]
pub struct Session {
    door: Arc<Door>,
    access: Access,
    slots: Vec<Slot>,
    by_series: FxHashMap<SeriesId, u32>,
    /// By the bytes a sender names a series with.
    known: KeyedMap<Box<[u8]>, Known>,
    known_bytes: usize,
    known_since: TimeNs,
    /// Grows when all that is known by name is to be asked anew.
    era: u32,
    arrivals: Vec<Arrival>,
    arrival_of: KeyedMap<(Arc<str>, Option<Arc<str>>), u32>,
    /// The arrivals of this frame.
    arrived: Vec<u32>,
    frame: u64,
    batch: u64,
    received: TimeNs,
}

impl Session {
    #[must_use]
    pub fn new(door: Arc<Door>, access: Access) -> Self {
        Self {
            door,
            access,
            slots: Vec::new(),
            by_series: FxHashMap::default(),
            known: KeyedMap::default(),
            known_bytes: 0,
            known_since: TimeNs::MIN,
            era: 0,
            arrivals: Vec::new(),
            arrival_of: KeyedMap::default(),
            arrived: Vec::new(),
            frame: 0,
            batch: 0,
            received: 0,
        }
    }

    #[must_use]
    pub fn door(&self) -> &Arc<Door> {
        &self.door
    }

    #[must_use]
    pub fn access(&self) -> &Access {
        &self.access
    }

    /// When the frame at hand was received: the time of readings that tell none.
    #[must_use]
    pub fn received(&self) -> TimeNs {
        self.received
    }

    /// A frame came in. Err: the hub takes nothing at this time.
    pub fn begin_frame(&mut self, received: TimeNs) -> Result<(), Later> {
        self.frame += 1;
        self.received = received;
        self.arrived.clear();
        self.forget_what_may_have_changed();
        times::check_clock(received, self.door.built)
    }

    /// A batch of this frame begins.
    pub fn begin_batch(&mut self) -> Deciding {
        self.batch += 1;
        Deciding { received: self.received, ..Deciding::default() }
    }

    /// The devices whose readings came in with this frame, with the gateway where one was named.
    pub fn arrived(&self) -> impl Iterator<Item = (&Arc<str>, Option<&Arc<str>>)> {
        self.arrived.iter().map(|at| &self.arrivals[*at as usize]).map(|a| (&a.device, a.gateway.as_ref()))
    }

    pub fn when(&self, time: Option<TimeNs>) -> Result<When, Refusal> {
        let Some(time) = time else {
            return Ok(When::Untold);
        };
        times::check(time, self.received)?;
        Ok(When::Told(time))
    }

    /// As `when`, for the value.
    #[inline]
    pub fn keeps(&self, value: Value) -> Result<Kept, Refusal> {
        Kept::of(value, self.door.floats_only)
    }

    /// The series that these bytes named before.
    #[inline]
    #[must_use]
    pub fn known(&self, raw: &[u8]) -> Option<Known> {
        if raw.len() > KNOWN_NAME_BYTES { None } else { self.known.get(raw).copied() }
    }

    /// Checks names that were not met before, and finds or makes their series. `raw`: how to know them again.
    pub fn meet(&mut self, raw: &[u8], key: KeyRef<'_>, gateway: Option<&str>) -> Result<Known, Refusal> {
        self.check(key.device, key.labels)?;
        self.meet_checked(raw, key, gateway)
    }

    /// What several readings share of their names.
    pub fn check(&self, device: &str, labels: &[(&str, &str)]) -> Result<(), Refusal> {
        self.door.forms.device(device)?;
        self.door.forms.labels(labels)
    }

    /// As `meet`, where device and labels passed `check`.
    pub fn meet_checked(&mut self, raw: &[u8], key: KeyRef<'_>, gateway: Option<&str>) -> Result<Known, Refusal> {
        let known = self.find_checked(key, gateway)?;
        self.remember(raw, known);
        Ok(known)
    }

    /// What was found in another era is to be found again.
    #[must_use]
    pub fn era(&self) -> u32 {
        self.era
    }

    #[must_use]
    pub fn key_of(&self, known: Known) -> &SeriesKey {
        &self.slots[known.slot as usize].series.key
    }

    /// As `meet`, for a way that keeps what was found until the era ends.
    pub fn find(&mut self, key: KeyRef<'_>, gateway: Option<&str>) -> Result<Known, Refusal> {
        self.check(key.device, key.labels)?;
        self.find_checked(key, gateway)
    }

    fn find_checked(&mut self, key: KeyRef<'_>, gateway: Option<&str>) -> Result<Known, Refusal> {
        self.door.forms.metric(key.metric)?;
        let scope = self.access.scope();
        if !scope.is_everything() && !scope.reaches(&key.to_key(), &*self.door.attributes) {
            let name = shown(self.access.name().as_bytes());
            return Err(Refusal::new(RowCode::NotAllowed, format!("token `{name}` does not reach this series")));
        }
        let series = self.door.series.resolve(key, self.access.token()).map_err(refused_for)?;
        Ok(Known { slot: self.slot_of(series), arrival: self.arrival_of(key.device, gateway) })
    }

    /// Puts a reading into the batch. What can still go wrong is what depends on the series.
    #[inline]
    pub fn take(&mut self, batch: &mut Deciding, index: u32, known: Known, when: When, value: Kept, meta: Meta<'_>) -> Result<(), Refusal> {
        let value = value.into_value();
        let slot = &mut self.slots[known.slot as usize];
        let time = match when {
            When::Told(time) => time,
            When::Untold if slot.untimed_in == self.frame => {
                let message = "a second reading of this series in one frame without a time";
                return Err(Refusal::new(RowCode::TimeRequired, message));
            }
            When::Untold => {
                slot.untimed_in = self.frame;
                self.received
            }
        };
        if let Some(floor) = self.door.retention.floor(&slot.series) {
            times::check_floor(time, floor)?;
        }
        if !meta.is_empty() {
            tell(slot, batch, self.batch, meta);
        }
        apply_rule(slot, batch, self.batch, &self.door, value.value_type(), meta);
        batch.places.push((index, slot.series.id));
        batch.readings.push(Reading { series: slot.series.id, time, value });
        let arrival = &mut self.arrivals[known.arrival as usize];
        if arrival.frame != self.frame {
            arrival.frame = self.frame;
            self.arrived.push(known.arrival);
        }
        Ok(())
    }

    fn slot_of(&mut self, series: Arc<Series>) -> u32 {
        *self.by_series.entry(series.id).or_insert_with(|| {
            self.slots.push(Slot { series, untimed_in: 0, told: None, rule: Rule::NotAsked });
            u32::try_from(self.slots.len() - 1).expect("a hub has fewer than 2^32 series")
        })
    }

    fn arrival_of(&mut self, device: &str, gateway: Option<&str>) -> u32 {
        let gateway = gateway.filter(|_| self.arrivals.len() < ARRIVALS_PER_CONNECTION);
        let way = (Arc::from(device), gateway.map(Arc::from));
        if let Some(at) = self.arrival_of.get(&way) {
            return *at;
        }
        let at = u32::try_from(self.arrivals.len()).expect("fewer than 2^32: bounded, or one for each device");
        self.arrivals.push(Arrival { device: Arc::clone(&way.0), gateway: way.1.clone(), frame: 0 });
        self.arrival_of.insert(way, at);
        at
    }

    fn remember(&mut self, raw: &[u8], known: Known) {
        const ENTRY: usize = size_of::<(Box<[u8]>, Known)>();
        if raw.len() > KNOWN_NAME_BYTES {
            return;
        }
        if self.known_bytes > KNOWN_BYTES_PER_CONNECTION {
            self.forget();
        }
        self.known_bytes += raw.len() + ENTRY;
        self.known.insert(raw.into(), known);
    }

    fn forget(&mut self) {
        self.known = KeyedMap::default();
        self.known_bytes = 0;
        self.known_since = self.received;
        self.era = self.era.wrapping_add(1);
    }

    /// Attributes are edited while a connection lasts: a scope that asks for them is asked again every second.
    fn forget_what_may_have_changed(&mut self) {
        let asks = self.access.scope().select.as_ref().is_some_and(crate::query::selector::Selector::uses_attributes);
        if asks && self.received.saturating_sub(self.known_since) > crate::clock::NS_PER_SEC {
            self.forget();
        }
    }
}

/// Sends a unit or kind to the writer if it changes anything, also against what this connection has on its way.
fn tell(slot: &mut Slot, batch: &mut Deciding, number: u64, meta: Meta<'_>) {
    let needed = match &slot.told {
        Some(told) => {
            let same = meta.unit.is_none_or(|u| told.unit.as_deref() == Some(u)) && meta.kind.is_none_or(|k| told.kind == Some(k));
            !same || (told.batch != number && slot.series.differs(meta.unit, meta.kind))
        }
        None => slot.series.differs(meta.unit, meta.kind),
    };
    if !needed {
        let series = &slot.series;
        slot.told.take_if(|told| told.batch != number && !series.differs(told.unit.as_deref(), told.kind));
        return;
    }
    let unit: Option<Arc<str>> = meta.unit.map(Arc::from);
    batch.meta.push(MetaChange { series: slot.series.id, unit: unit.clone(), kind: meta.kind });
    let (unit_before, kind_before) = slot.told.take().map_or((None, None), |told| (told.unit, told.kind));
    slot.told = Some(Box::new(Told { batch: number, unit: unit.or(unit_before), kind: meta.kind.or(kind_before) }));
}

/// What the rules say holds where this connection's sender is silent. It is told until the series has it, since a batch may
/// come back untaken.
fn apply_rule(slot: &mut Slot, batch: &mut Deciding, number: u64, door: &Door, value_type: ValueType, meta: Meta<'_>) {
    if let Rule::NotAsked = slot.rule {
        let (kind, unit) = door.metric_rules.of(&slot.series.key.metric);
        slot.rule = Rule::Wants(Box::new((unit, kind.filter(|kind| fits(*kind, value_type)))));
    }
    let Rule::Wants(wants) = &mut slot.rule else {
        return;
    };
    let (unit, kind) = &mut **wants;
    unit.take_if(|_| meta.unit.is_some());
    kind.take_if(|_| meta.kind.is_some());
    if !slot.series.differs(unit.as_deref(), *kind) {
        slot.rule = Rule::Settled;
        return;
    }
    let (unit, kind) = (unit.clone(), *kind);
    tell(slot, batch, number, Meta { unit: unit.as_deref(), kind });
}

fn refused_for(limit: SeriesLimit) -> Refusal {
    let limit = match limit {
        SeriesLimit::Token { max } => format!("the token has its {max} series, the limit is [limits] series_per_token"),
        SeriesLimit::Hub { max } => format!("the hub has its {max} series, the limit is [limits] series_per_hub"),
    };
    let message = format!("{limit}; `telltale series top` shows what makes them");
    Refusal::new(RowCode::LimitSeries, message)
}

/// One refused reading, as answers list it.
#[derive(Clone, Debug, PartialEq)]
pub struct Rejected {
    pub index: u32,
    pub device: Arc<str>,
    pub metric: Option<Arc<str>>,
    pub refusal: Refusal,
}

/// A batch while its readings are decided.
#[derive(Debug, Default)]
pub struct Deciding {
    readings: Vec<Reading>,
    meta: Vec<MetaChange>,
    /// For each reading its place in what was sent, and its series.
    places: Vec<(u32, SeriesId)>,
    rejected: Vec<Rejected>,
    received: TimeNs,
}

impl Deciding {
    /// Names come as bytes, for they may be what is wrong.
    pub fn refuse(&mut self, index: u32, device: &[u8], metric: Option<&[u8]>, mut refusal: Refusal) {
        if self.rejected.len() >= REFUSALS_EXPLAINED {
            refusal.message = format!("{}, as explained above", refusal.code);
        }
        self.rejected.push(Rejected { index, device: cut(device), metric: metric.map(cut), refusal });
    }

    /// Readings decided so far, taken or not.
    #[must_use]
    pub fn len(&self) -> usize {
        self.readings.len() + self.rejected.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The batch for the writer, if any reading is left for it, and what waits for its outcome.
    #[must_use]
    pub fn finish(self, agent: Option<AgentSeq>) -> (Option<(Batch, oneshot::Receiver<Outcome>)>, Pending) {
        let pending = Pending { places: self.places, rejected: self.rejected };
        if self.readings.is_empty() && agent.is_none() {
            return (None, pending);
        }
        let (reply, outcome) = oneshot::channel();
        let batch = Batch { readings: self.readings, meta: self.meta, agent, received: self.received, reply };
        (Some((batch, outcome)), pending)
    }
}

/// A name for an answer: whole if it could be a name, else its beginning.
fn cut(name: &[u8]) -> Arc<str> {
    if name.len() > NAME_BYTES {
        return shown(name).into();
    }
    std::str::from_utf8(name).map_or_else(|_| shown(name).into(), Into::into)
}

/// A batch at the writer.
#[derive(Debug)]
pub struct Pending {
    places: Vec<(u32, SeriesId)>,
    rejected: Vec<Rejected>,
}

/// What became of all that was sent: the three add up to it.
#[derive(Debug, PartialEq)]
pub struct Settled {
    pub stored: usize,
    pub duplicate: usize,
    /// By index.
    pub rejected: Vec<Rejected>,
}

impl Pending {
    /// How many readings were sent, taken or not.
    #[must_use]
    pub fn sent(&self) -> usize {
        self.places.len() + self.rejected.len()
    }

    /// Books what was decided. Nothing is booked for a batch that is to come again: it will be decided then.
    pub fn settle(self, door: &Door, access: &Access, at: TimeNs, outcome: Outcome) -> Result<Settled, Later> {
        let sent = self.sent();
        let (stored, duplicate, refused) = match outcome {
            Outcome::Committed { stored, duplicate, refused, .. } => (stored, duplicate, refused),
            Outcome::Later(later) => return Err(later),
        };
        let mut rejected = self.rejected;
        for (reading, refusal) in refused {
            let Some((index, series)) = self.places.get(reading).copied() else {
                debug_assert!(false, "the writer refused reading {reading} of {}", self.places.len());
                continue;
            };
            let key = door.series.by_id(series).map(|series| series.key.clone());
            let (device, metric) = key.map_or_else(Default::default, |key| (key.device, Some(key.metric)));
            rejected.push(Rejected { index, device, metric, refusal });
        }
        rejected.sort_by_key(|r| r.index);
        debug_assert_eq!(stored + duplicate + rejected.len(), sent, "the sums of an answer add up");
        door.metrics.readings_received.add(sent as u64);
        door.metrics.readings_refused.add(rejected.len() as u64);
        for r in &rejected {
            door.refusals.note(Refused {
                at,
                token: access.token(),
                device: r.device.clone(),
                metric: r.metric.clone().unwrap_or_default(),
                code: r.refusal.code,
                message: r.refusal.message.as_str().into(),
            });
        }
        Ok(Settled { stored, duplicate, rejected })
    }
}
