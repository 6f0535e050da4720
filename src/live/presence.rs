//! Which connection brings which device, and so who is online, silent or offline. Sessions tell it once per device and batch;
//! live groups and REST read it. It knows no sockets; time is a parameter.
//!
//! Rules: **online** from the first batch on. **silent**: a session is alive that brought it, but nothing came for
//! max(3 x the median interval of the last 32, 60 s), or for `[[device]] expect`. **offline**: every session that brought it is
//! gone. **unknown**: known from the log only and not heard since the hub started; after [`UNKNOWN_FOR`] it is offline, since
//! agents reconnect within a minute or two and its session did end with the hub's last run.
//!
//! Invariant: a device has `conns` exactly while those connections are open and brought it.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use rustc_hash::{FxHashMap, FxHashSet};
use tokio::sync::Notify;

use crate::clock::NS_PER_MS;
use crate::keyed::KeyedMap;
use crate::limits::{SILENT_AFTER, UNKNOWN_FOR};
use crate::model::TimeNs;
use crate::query::selector::Glob;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ConnId(u64);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Online,
    Silent,
    Offline,
    Unknown,
}

impl State {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Online => "online",
            Self::Silent => "silent",
            Self::Offline => "offline",
            Self::Unknown => "unknown",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceState {
    pub device: Arc<str>,
    pub state: State,
    /// When the state began, hub time.
    pub since: TimeNs,
    /// When the hub last heard of it. None: not since it keeps books.
    pub seen: Option<TimeNs>,
    /// Who brought it last: the agent's or token's name. None: nobody since the hub started.
    pub via: Option<Arc<str>>,
}

impl DeviceState {
    pub(super) fn weight(&self) -> usize {
        size_of::<Self>() + self.device.len()
    }
}

#[derive(Debug)]
pub struct Presence {
    inner: Mutex<Inner>,
    changed: Notify,
    started: TimeNs,
    /// `[[device]] expect`: the first match says how long a device may be quiet, ns.
    expect: Vec<(Glob, i64)>,
}

#[derive(Debug, Default)]
struct Inner {
    devices: Vec<Device>,
    by_name: KeyedMap<Arc<str>, u32>,
    conns: FxHashMap<ConnId, Conn>,
    next_conn: u64,
    changes: FxHashSet<u32>,
}

#[derive(Debug)]
struct Conn {
    via: Arc<str>,
    /// The oldest reading of the last frame with late ones, and when that frame came.
    late: Option<(TimeNs, TimeNs)>,
    devices: FxHashSet<u32>,
}

#[derive(Debug)]
struct Device {
    public: DeviceState,
    conns: Vec<ConnId>,
    intervals: Intervals,
}

/// The last 32 intervals between batches, in ms.
#[derive(Debug, Default)]
struct Intervals {
    ms: [u32; 32],
    count: usize,
}

impl Intervals {
    fn push(&mut self, ns: i64) {
        self.ms[self.count % 32] = u32::try_from(ns / NS_PER_MS).unwrap_or(if ns < 0 { 0 } else { u32::MAX });
        self.count += 1;
    }

    fn median_ns(&self) -> i64 {
        let filled = self.count.min(32);
        if filled == 0 {
            return 0;
        }
        let mut sorted = self.ms;
        let (_, median, _) = sorted[..filled].select_nth_unstable(filled / 2);
        i64::from(*median) * NS_PER_MS
    }
}

impl Presence {
    #[must_use]
    pub fn new(started: TimeNs, expect: Vec<(Glob, i64)>) -> Self {
        Self { inner: Mutex::default(), changed: Notify::new(), started, expect }
    }

    /// A session began. `via` is how people call the sender: the agent's or the token's name.
    #[must_use]
    pub fn opened(&self, via: &str) -> ConnId {
        let mut inner = self.inner.lock();
        inner.next_conn += 1;
        let id = ConnId(inner.next_conn);
        inner.conns.insert(id, Conn { via: via.into(), late: None, devices: FxHashSet::default() });
        id
    }

    /// A batch brought readings of the device, once per device and batch. `at` is its receive time.
    pub fn seen(&self, conn: ConnId, device: &str, at: TimeNs) {
        let mut inner = self.inner.lock();
        let index = inner.index_of(device, State::Unknown, at);
        let Some(from) = inner.conns.get_mut(&conn) else {
            return; // its session has closed in between
        };
        let first = from.devices.insert(index);
        let via = Arc::clone(&from.via);
        let device = &mut inner.devices[index as usize];
        if first {
            device.conns.push(conn);
        }
        if let Some(before) = device.public.seen
            && device.public.state != State::Unknown
        {
            device.intervals.push(at - before);
        }
        device.public.seen = device.public.seen.max(Some(at));
        let back = device.public.state != State::Online;
        if back {
            (device.public.state, device.public.since) = (State::Online, at);
        }
        if back || device.public.via.as_ref() != Some(&via) {
            device.public.via = Some(via);
            inner.note(index, &self.changed);
        }
    }

    /// A frame that came at `at` brought readings as old as `oldest`: the sender works off a backlog.
    pub fn late(&self, conn: ConnId, oldest: TimeNs, at: TimeNs) {
        if let Some(conn) = self.inner.lock().conns.get_mut(&conn) {
            conn.late = Some((oldest, at));
        }
    }

    /// Who sent late readings since a time, with the oldest of the last such frame.
    #[must_use]
    pub fn backlogs(&self, since: TimeNs) -> BTreeMap<Arc<str>, TimeNs> {
        let mut found = BTreeMap::new();
        for conn in self.inner.lock().conns.values() {
            let Some((oldest, _)) = conn.late.filter(|(_, at)| *at >= since) else { continue };
            let known = found.entry(Arc::clone(&conn.via)).or_insert(oldest);
            *known = oldest.min(*known);
        }
        found
    }

    /// The session is gone.
    pub fn closed(&self, conn: ConnId, at: TimeNs) {
        let mut inner = self.inner.lock();
        let Some(gone) = inner.conns.remove(&conn) else {
            return;
        };
        for index in gone.devices {
            let other = {
                let device = &mut inner.devices[index as usize];
                device.conns.retain(|c| *c != conn);
                device.conns.last().copied()
            };
            let other_via = other.and_then(|other| inner.conns.get(&other)).map(|conn| Arc::clone(&conn.via));
            let public = &mut inner.devices[index as usize].public;
            match other_via {
                Some(via) if public.via.as_ref() == Some(&gone.via) => public.via = Some(via),
                Some(_) => {}
                None => (public.state, public.since) = (State::Offline, at),
            }
            inner.note(index, &self.changed);
        }
    }

    /// A device that the log knows, at start.
    pub fn known(&self, device: &str, seen: Option<TimeNs>) {
        let mut inner = self.inner.lock();
        let index = inner.index_of(device, State::Unknown, self.started);
        let public = &mut inner.devices[index as usize].public;
        public.seen = public.seen.max(seen);
    }

    /// Finds who fell silent. Called about once a second.
    pub fn sweep(&self, now: TimeNs) {
        let mut inner = self.inner.lock();
        let unknown_is_over = now - self.started > ns(UNKNOWN_FOR);
        // Without `expect` nobody is silent before this: the medians need not be looked at.
        let least = if self.expect.is_empty() { ns(SILENT_AFTER) } else { 0 };
        let mut moved = Vec::new();
        for (index, device) in (0_u32..).zip(&mut inner.devices) {
            let quiet = now - device.public.seen.unwrap_or(self.started);
            let next = match device.public.state {
                State::Online if quiet > least && quiet > self.patience(device) => State::Silent,
                State::Unknown if unknown_is_over => State::Offline,
                _ => continue,
            };
            (device.public.state, device.public.since) = (next, now);
            moved.push(index);
        }
        for index in moved {
            inner.note(index, &self.changed);
        }
    }

    /// How long the device may be quiet while its session lives.
    fn patience(&self, device: &Device) -> i64 {
        let expected = self.expect.iter().find(|(glob, _)| glob.matches(&device.public.device)).map(|(_, ns)| *ns);
        expected.unwrap_or_else(|| (3 * device.intervals.median_ns()).max(ns(SILENT_AFTER)))
    }

    #[must_use]
    pub fn of(&self, device: &str) -> Option<DeviceState> {
        let inner = self.inner.lock();
        inner.by_name.get(device).map(|index| inner.devices[*index as usize].public.clone())
    }

    /// States in the order asked for; devices it has never heard of are left out.
    #[must_use]
    pub fn of_all<'a>(&self, devices: impl IntoIterator<Item = &'a str>) -> Vec<DeviceState> {
        let inner = self.inner.lock();
        let state = |device: &str| inner.by_name.get(device).map(|index| inner.devices[*index as usize].public.clone());
        devices.into_iter().filter_map(state).collect()
    }

    /// What changed since the last call, each device once with its latest state. For the one follower: live.
    #[must_use]
    pub fn take_changes(&self) -> Vec<DeviceState> {
        let mut inner = self.inner.lock();
        let changes = std::mem::take(&mut inner.changes);
        changes.into_iter().map(|index| inner.devices[index as usize].public.clone()).collect()
    }

    /// Resolves when something may have changed.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }
}

fn ns(duration: std::time::Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}

impl Inner {
    fn index_of(&mut self, device: &str, state: State, since: TimeNs) -> u32 {
        if let Some(index) = self.by_name.get(device) {
            return *index;
        }
        let index = u32::try_from(self.devices.len()).expect("devices are bounded by the series of the hub");
        let name: Arc<str> = device.into();
        let public = DeviceState { device: Arc::clone(&name), state, since, seen: None, via: None };
        self.devices.push(Device { public, conns: Vec::new(), intervals: Intervals::default() });
        self.by_name.insert(name, index);
        index
    }

    fn note(&mut self, index: u32, changed: &Notify) {
        self.changes.insert(index);
        changed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: i64 = crate::clock::NS_PER_SEC;

    fn state(presence: &Presence) -> (&'static str, i64) {
        let d = presence.of("d").unwrap();
        (d.state.as_str(), d.since / S)
    }

    #[test]
    fn a_device_is_online_then_silent_then_online_then_offline() {
        let presence = Presence::new(0, Vec::new());
        let conn = presence.opened("agent-1");
        presence.seen(conn, "d", S);
        assert_eq!(state(&presence), ("online", 1));
        presence.sweep(61 * S);
        assert_eq!(state(&presence), ("online", 1), "60 s are not yet over");
        presence.sweep(62 * S);
        assert_eq!(state(&presence), ("silent", 62));
        presence.seen(conn, "d", 70 * S);
        assert_eq!(state(&presence), ("online", 70));
        presence.closed(conn, 71 * S);
        assert_eq!(state(&presence), ("offline", 71));
        let changes = presence.take_changes();
        assert_eq!(changes.len(), 1, "each device once, latest state");
        assert_eq!(changes[0].state, State::Offline);
        assert_eq!(changes[0].via.as_deref(), Some("agent-1"));
        assert!(presence.take_changes().is_empty());
    }

    #[test]
    fn a_slow_device_is_given_three_of_its_own_intervals() {
        let presence = Presence::new(0, Vec::new());
        let conn = presence.opened("a");
        for i in 0..40 {
            presence.seen(conn, "d", i * 100 * S);
        }
        presence.sweep((3_900 + 299) * S);
        assert_eq!(state(&presence).0, "online");
        presence.sweep((3_900 + 301) * S);
        assert_eq!(state(&presence).0, "silent");
    }

    #[test]
    fn expect_overrides_what_is_silent() {
        let presence = Presence::new(0, vec![(Glob::parse("d*").unwrap(), 600 * S)]);
        let conn = presence.opened("a");
        presence.seen(conn, "d", 0);
        presence.sweep(599 * S);
        assert_eq!(state(&presence).0, "online");
        presence.sweep(601 * S);
        assert_eq!(state(&presence).0, "silent");
    }

    /// The contract's rule: max(3 x the median interval of the last 32, 60 s), or what `[[device]] expect` says of the first match.
    #[test]
    fn how_long_a_device_may_be_quiet() {
        let expect = || vec![(Glob::parse("slow-*").unwrap(), 600 * S), (Glob::parse("*-lamp").unwrap(), 5 * S)];
        // Device, intervals in s as they came, the s it may be quiet.
        let rows: [(&str, &[i64], i64); 10] = [
            ("d", &[], 60),
            ("d", &[1; 40], 60),
            ("d", &[20; 40], 60),
            ("d", &[21; 40], 63),
            ("d", &[100], 300),
            // One long gap among short intervals is no interval of its own; half of them are.
            ("d", &[30, 30, 30, 3_000, 30], 90),
            // Only the last 32 count.
            ("d", &[[500; 40].as_slice(), &[40; 32]].concat(), 120),
            ("slow-d", &[1; 40], 600),
            ("a-lamp", &[100; 40], 5),
            // The first match.
            ("slow-lamp", &[1; 40], 600),
        ];
        for (device, intervals, patience) in rows {
            let presence = Presence::new(0, expect());
            let conn = presence.opened("a");
            let mut last = 1_000 * S;
            presence.seen(conn, device, last);
            for interval in intervals {
                last += interval * S;
                presence.seen(conn, device, last);
            }
            let state = |now| {
                presence.sweep(now);
                presence.of(device).unwrap().state
            };
            assert_eq!(state(last + patience * S), State::Online, "{device} {intervals:?}");
            assert_eq!(state(last + patience * S + 1), State::Silent, "{device} {intervals:?}");
            // Heard again: online at once. Gone: offline, silent or not.
            presence.seen(conn, device, last + 10_000 * S);
            assert_eq!(presence.of(device).unwrap().state, State::Online, "{device}");
            // The gap was an interval too.
            assert_eq!(state(last + 50_000 * S), State::Silent, "{device}");
            presence.closed(conn, last + 50_001 * S);
            assert_eq!(presence.of(device).unwrap().state, State::Offline, "{device}");
        }
    }

    #[test]
    fn a_device_by_two_ways_is_offline_when_both_are_gone() {
        let presence = Presence::new(0, Vec::new());
        let (a, b) = (presence.opened("a"), presence.opened("b"));
        presence.seen(a, "d", S);
        presence.seen(b, "d", 2 * S);
        presence.closed(b, 3 * S);
        assert_eq!(state(&presence), ("online", 1));
        assert_eq!(presence.of("d").unwrap().via.as_deref(), Some("a"));
        presence.closed(a, 4 * S);
        assert_eq!(state(&presence), ("offline", 4));
    }

    #[test]
    fn after_a_restart_a_device_is_unknown_and_then_offline() {
        let presence = Presence::new(1_000 * S, Vec::new());
        presence.known("d", Some(900 * S));
        presence.sweep(1_100 * S);
        assert_eq!(state(&presence), ("unknown", 1_000));
        assert_eq!(presence.of("d").unwrap().seen, Some(900 * S));
        presence.sweep(1_301 * S);
        assert_eq!(state(&presence), ("offline", 1_301));
        let conn = presence.opened("a");
        presence.seen(conn, "d", 1_302 * S);
        assert_eq!(state(&presence), ("online", 1_302));
        assert!(presence.of("never heard of").is_none());
    }
}
