//! What one connection knows, and what it decides about each reading: form, limits, access, time, unit and kind. Every way in
//! decodes its own bytes and then asks here; the answers are the ways' own too. Pure: the clock comes in with each frame.
//!
//! Invariants: a reading is either in the batch or among its refusals, so the sums add up. A refused reading makes no series
//! unless it is refused for what the series is (`time_required`, `too_old`, `type_changed`): `take` asks for a time and a value that
//! passed the door, and the ways judge both before they ask for the series. A series met before costs one hash and no allocation,
//! unless its names are longer than `KNOWN_NAME_BYTES`.

mod slots;

use std::fmt;
use std::sync::Arc;

use slots::Slots;
use telltale_wire::RowCode;
use tokio::sync::oneshot;

use super::forms::{FormLimits, shown};
use super::refusals::{Refusals, Refused};
use super::values::Kept;
use super::{Batch, Later, Outcome, Refusal, ToldMeta, times};
use crate::auth::access::Access;
use crate::config::{Config, Mapping, MetricRules, StoreKind};
use crate::keyed::KeyedMap;
use crate::limits::{ARRIVALS_PER_CONNECTION, KNOWN_BYTES_PER_CONNECTION, KNOWN_NAME_BYTES, NAME_BYTES, REFUSALS_EXPLAINED};
use crate::metrics::Metrics;
use crate::model::{AgentSeq, Kind, Reading, SeriesId, SeriesKey, TimeNs, Value};
use crate::query::selector::Attributes;
use crate::retention::Retention;
use crate::series::{KeyRef, SeriesLimit, SeriesTable};

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
    slots: Slots,
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
    /// The clock as it was when what is decided now came in: of a frame `received`, of a long body later.
    now: TimeNs,
}

impl Session {
    #[must_use]
    pub fn new(door: Arc<Door>, access: Access) -> Self {
        Self {
            door,
            access,
            slots: Slots::default(),
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
            now: 0,
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
        self.slots.begin_frame();
        self.go_on(received)
    }

    /// More of a body came in, which may take days: how far ahead a time is, and what a token reaches, is judged as of then. Err: as
    /// for `begin_frame`.
    pub fn go_on(&mut self, now: TimeNs) -> Result<(), Later> {
        self.now = now;
        self.forget_what_may_have_changed();
        times::check_clock(now, self.door.built)
    }

    /// A batch of this frame begins.
    pub fn begin_batch(&mut self) -> Deciding {
        self.batch += 1;
        Deciding { received: self.now, ..Deciding::default() }
    }

    /// The devices whose readings came in with this frame, with the gateway where one was named.
    pub fn arrived(&self) -> impl Iterator<Item = (&Arc<str>, Option<&Arc<str>>)> {
        self.arrived.iter().map(|at| &self.arrivals[*at as usize]).map(|a| (&a.device, a.gateway.as_ref()))
    }

    pub fn when(&self, time: Option<TimeNs>) -> Result<When, Refusal> {
        let Some(time) = time else {
            return Ok(When::Untold);
        };
        times::check(time, self.now)?;
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
        &self.slots.series(known.slot).key
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
        Ok(Known { slot: self.slots.of(series), arrival: self.arrival_of(key.device, gateway) })
    }

    /// Puts a reading into the batch. What can still go wrong is what depends on the series.
    #[inline]
    pub fn take(&mut self, batch: &mut Deciding, index: u32, known: Known, when: When, value: Kept, meta: Meta<'_>) -> Result<(), Refusal> {
        let value = value.into_value();
        let time = match when {
            When::Told(time) => time,
            When::Untold if self.slots.untimed(known.slot) => self.received,
            When::Untold => {
                let message = "a second reading of this series in one frame without a time";
                return Err(Refusal::new(RowCode::TimeRequired, message));
            }
        };
        let slot = self.slots.slot(known.slot);
        if let Some(floor) = self.door.retention.floor(&slot.series) {
            times::check_floor(time, floor)?;
        }
        if !meta.is_empty() {
            slot.tell(batch, self.batch, meta, value.value_type());
        }
        slot.apply_rule(batch, self.batch, &self.door.metric_rules, value.value_type(), meta);
        batch.places.push((index, slot.id));
        batch.readings.push(Reading { series: slot.id, time, value });
        let arrival = &mut self.arrivals[known.arrival as usize];
        if arrival.frame != self.frame {
            arrival.frame = self.frame;
            self.arrived.push(known.arrival);
        }
        Ok(())
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
        self.known_since = self.now;
        self.era = self.era.wrapping_add(1);
    }

    /// Attributes are edited while a connection lasts: a scope that asks for them is asked again every second.
    fn forget_what_may_have_changed(&mut self) {
        let asks = self.access.scope().select.as_ref().is_some_and(crate::query::selector::Selector::uses_attributes);
        if asks && self.now.saturating_sub(self.known_since) > crate::clock::NS_PER_SEC {
            self.forget();
        }
    }
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
    meta: Vec<ToldMeta>,
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
