//! The one follower of commits for all viewers: routes changes to groups, ticks them, admits newcomers. A state machine: its
//! thread (in `live`) tells it the time and what came in. It never waits for a viewer, and reads the log only when it fell behind
//! what memory keeps.
//!
//! `members` is who is in which group, `routes` which series go there, `admit` lets newcomers in.
//!
//! Invariants: every group has been given all commits up to `position`. A snapshot is taken at a tick: the group's pending
//! changes up to the snapshot's position go to the members first, so that all members stand at one cursor from then on.
//! A head's view at position P means that the tail holds (or held) P and that P's new series are listed: both happen under the
//! head's write lock.

mod admit;
mod members;
mod routes;

use std::sync::Arc;

use routes::Routes;
use rustc_hash::FxHashMap;

use crate::auth::access::Access;
use crate::clock::Clock;
use crate::head::Head;
use crate::keyed::KeyedMap;
use crate::limits::{GROUP_PENDING_BYTES, LIVE_HISTORY_POINTS, SNAPSHOT_BYTES};
use crate::live::column::{bounds, column_of};
use crate::live::content::Envelope;
use crate::live::cursor::Cursor;
use crate::live::fresh::RefusedSubs;
use crate::live::group::Group;
use crate::live::mailbox::{Frame, SubId};
use crate::live::outbox::{Outbox, ViewerId};
use crate::live::presence::Presence;
use crate::live::protocol::{Subscribe, Wish};
use crate::live::room::Room;
use crate::live::slot::{Late, Seen};
use crate::log::LogRead;
use crate::log::tail::{After, Tail};
use crate::metrics::Metrics;
use crate::model::{Commit, Position, SeriesId, TimeNs, TimeRange, TokenId};
use crate::query::selector::{Attributes, Selector};
use crate::series::{Series, SeriesTable};
use crate::store::Store;

/// What live is given of the hub.
#[derive(Clone)]
pub struct Parts {
    pub clock: Clock,
    pub series: Arc<SeriesTable>,
    pub head: Arc<Head>,
    pub tail: Arc<Tail>,
    pub log: Arc<dyn LogRead>,
    pub store: Arc<dyn Store>,
    pub attributes: Arc<dyn Attributes + Send + Sync>,
    pub presence: Arc<Presence>,
    pub metrics: Arc<Metrics>,
}

impl std::fmt::Debug for Parts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Parts").field("position", &self.head.position()).finish_non_exhaustive()
    }
}

/// All that can reach the engine beside commits and time.
#[derive(Debug)]
pub enum Input {
    Opened(Arc<Outbox>),
    Subscribe {
        viewer: ViewerId,
        access: Access,
        subscribe: Subscribe,
    },
    Unsubscribe {
        viewer: ViewerId,
        id: String,
    },
    Gone(ViewerId),
    /// An attribute of the device was edited: selectors and scopes may see it otherwise.
    Attributes {
        device: Box<str>,
    },
}

/// Work that reads the disk or takes its time, to be run beside the engine.
pub type Job = Box<dyn FnOnce() + Send>;

/// The makers of snapshots that are not at hand run here.
pub type Pool = Box<dyn Fn(Job) + Send>;

type GroupId = usize;

pub struct Engine {
    parts: Parts,
    pool: Pool,
    epoch: u64,
    position: Position,
    described: Described,
    groups: Vec<Option<Watched>>,
    free: Vec<GroupId>,
    by_wish: KeyedMap<String, Vec<GroupId>>,
    /// Groups with something to do, each once.
    busy: Vec<GroupId>,
    routes: Routes,
    viewers: FxHashMap<ViewerId, Viewer>,
    next_sub: u64,
    room: Arc<Room>,
    /// Told by the makers of snapshots.
    refused: Arc<RefusedSubs>,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("position", &self.position).field("viewers", &self.viewers.len()).finish_non_exhaustive()
    }
}

#[derive(Debug)]
struct Viewer {
    outbox: Arc<Outbox>,
    subs: KeyedMap<String, (GroupId, SubId)>,
}

/// A group with what the engine needs to serve it.
#[derive(Debug)]
struct Watched {
    key: String,
    wish: Wish,
    access: Access,
    envelope: Arc<Envelope>,
    interval_ns: u64,
    due_ns: u64,
    busy: bool,
    group: Group<Handle>,
    joining: Vec<Joiner>,
}

#[derive(Clone, Debug)]
struct Handle {
    sub: SubId,
    outbox: Arc<Outbox>,
    /// By which it came, and whose share of the room for snapshots it takes.
    token: TokenId,
}

#[derive(Debug)]
struct Joiner {
    handle: Handle,
    cursor: Option<Cursor>,
}

/// The attributes of all devices, as the groups were made after them.
#[derive(Debug, Default)]
struct Described {
    devices: KeyedMap<Box<str>, u64>,
    all: u64,
}

impl Described {
    fn read(attributes: &dyn Attributes) -> Self {
        let mut described = Self::default();
        attributes.fingerprints(&mut |device, fingerprint| described.set(device, fingerprint));
        described
    }

    fn set(&mut self, device: &str, fingerprint: u64) {
        let before = match self.devices.get_mut(device) {
            Some(known) => std::mem::replace(known, fingerprint),
            None => {
                self.devices.insert(device.into(), fingerprint);
                0
            }
        };
        self.all = self.all.wrapping_sub(before).wrapping_add(fingerprint);
    }
}

impl Watched {
    fn reaches(&self, series: &Series, attributes: &dyn Attributes) -> bool {
        self.access.scope().reaches(&series.key, attributes) && self.wish.select.iter().any(|s| s.matches(&series.key, attributes))
    }

    fn cursor(&self, epoch: u64, position: Position, described: &Described) -> Cursor {
        Cursor { epoch, position, attributes: self.uses_attributes().then_some(described.all) }
    }

    /// How wide the columns are into which a full mailbox merges, at first.
    fn merge_ns(&self) -> i64 {
        self.wish.column_ns.unwrap_or_else(|| i64::try_from(self.interval_ns).unwrap_or(i64::MAX))
    }

    /// Whether an edit of attributes can change which series it reaches.
    fn uses_attributes(&self) -> bool {
        self.access.scope().select.iter().chain(&self.wish.select).any(Selector::uses_attributes)
    }
}

impl Engine {
    #[must_use]
    pub fn new(parts: Parts, pool: Pool) -> Self {
        let position = parts.head.position().max(*parts.tail.watch().borrow());
        let (epoch, described) = (parts.log.epoch(), Described::read(&*parts.attributes));
        let room = Room::counted(LIVE_HISTORY_POINTS, SNAPSHOT_BYTES, &parts.metrics);
        let engine = Self {
            parts,
            pool,
            epoch,
            position,
            described,
            groups: Vec::new(),
            free: Vec::new(),
            by_wish: KeyedMap::default(),
            busy: Vec::new(),
            routes: Routes::default(),
            viewers: FxHashMap::default(),
            next_sub: 0,
            room,
            refused: Arc::default(),
        };
        engine.tell_presence();
        engine
    }

    /// The devices that the log knows, with when the hub last heard of them.
    fn tell_presence(&self) {
        let series = self.parts.series.select(|_| true);
        let ids: Vec<SeriesId> = series.iter().map(|s| s.id).collect();
        let (_, last) = self.parts.head.last(&ids);
        for (series, last) in series.iter().zip(last) {
            self.parts.presence.known(&series.key.device, last.map(|last| last.seen));
        }
    }

    /// Other bounds than a hub's, so that a test reaches them.
    #[cfg(test)]
    pub(super) fn set_room(&mut self, room: Arc<Room>) {
        self.room = room;
    }

    pub fn on_input(&mut self, input: Input, now_ns: u64) {
        self.end_refused();
        match input {
            Input::Opened(outbox) => {
                self.parts.metrics.viewers_open.inc();
                self.viewers.insert(outbox.viewer, Viewer { outbox, subs: KeyedMap::default() });
            }
            Input::Subscribe { viewer, access, subscribe } => self.subscribe(viewer, access, subscribe, now_ns),
            Input::Unsubscribe { viewer, id } => self.unsubscribe(viewer, &id),
            Input::Gone(viewer) => {
                if let Some(gone) = self.viewers.remove(&viewer) {
                    self.parts.metrics.viewers_open.sub(1);
                    for (group, sub) in gone.subs.into_values() {
                        // Whoever makes its snapshot sees that nobody waits for it.
                        gone.outbox.with(|mailbox| mailbox.drop_items(sub));
                        self.leave(group, sub);
                    }
                }
            }
            Input::Attributes { device } => self.attributes_changed(&device),
        }
    }

    fn make_busy(&mut self, id: GroupId) {
        if let Some(watched) = self.groups[id].as_mut()
            && !watched.busy
        {
            watched.busy = true;
            self.busy.push(id);
        }
    }

    /// Takes in all commits there are.
    pub fn follow(&mut self) {
        self.end_refused();
        self.follow_to(Position(u64::MAX));
    }

    fn follow_to(&mut self, until: Position) {
        match self.parts.tail.after(self.position, until) {
            After::Commits(commits) => commits.iter().for_each(|commit| self.route(commit)),
            After::Gone => self.catch_up(until),
        }
    }

    /// Fell behind what memory keeps: the log has the rest. Where it has not, everyone begins anew with a snapshot.
    fn catch_up(&mut self, until: Position) {
        self.parts.metrics.live_log_reads.inc();
        let newest = until.min(self.parts.head.position());
        let log = Arc::clone(&self.parts.log);
        let read = log.read(self.position, newest, u64::MAX, &mut |commit| {
            self.route(&commit);
            self.relieve();
        });
        let Err(error) = read else {
            return;
        };
        tracing::warn!(%error, behind = newest.0 - self.position.0, "live cannot follow the log; every subscription starts anew with a snapshot");
        self.position = newest;
        (0..self.groups.len()).for_each(|id| self.rebuild(id));
    }

    /// Sends groups that gathered too much what they have, in the midst of commits that the log has many more of. The head is
    /// ahead of them, so nobody looks there whether late points are neighbours; and when they are due next is not changed.
    fn relieve(&mut self) {
        for id in &self.busy {
            if let Some(watched) = self.groups[*id].as_mut().filter(|watched| watched.group.weight() > GROUP_PENDING_BYTES) {
                let cursor = watched.cursor(self.epoch, self.position, &self.described);
                deliver(watched, cursor, false, &FxHashMap::default(), &self.parts.metrics);
            }
        }
    }

    fn route(&mut self, commit: &Commit) {
        if commit.position <= self.position {
            return;
        }
        self.position = commit.position;
        for change in &commit.meta {
            self.each_group(change.series, |group, number| group.stale_description(number), false);
        }
        for delete in &commit.deletes {
            self.each_group(delete.series, |group, number| group.delete(number, delete.from, delete.to), true);
        }
        for (part, readings) in commit.batches() {
            for reading in readings {
                self.meet(reading.series, part.received);
                self.each_group(reading.series, |group, number| group.put(number, reading.time, &reading.value), true);
            }
        }
    }

    /// The first reading of a series since the start: which groups want it?
    fn meet(&mut self, id: SeriesId, received: TimeNs) {
        if self.routes.see(id) {
            return;
        }
        let Some(series) = self.parts.series.by_id(id) else {
            return;
        };
        self.parts.presence.known(&series.key.device, Some(received));
        for (group, watched) in self.groups.iter_mut().enumerate() {
            if let Some(watched) = watched
                && watched.group.number_of(id).is_none()
                && watched.reaches(&series, &*self.parts.attributes)
            {
                let is_new_device = !watched.group.devices().contains(&*series.key.device);
                self.routes.add(id, group, watched.group.add_series(Arc::clone(&series)));
                // Presence is told of a frame before the writer is, so this change may have come when no group had the device.
                if is_new_device && let Some(state) = self.parts.presence.of(&series.key.device) {
                    watched.group.device_state(&state);
                }
            }
        }
    }

    fn each_group(&mut self, id: SeriesId, mut change: impl FnMut(&mut Group<Handle>, u32), news: bool) {
        for (id, number) in self.routes.of(id) {
            let Some(watched) = self.groups[*id].as_mut() else {
                continue;
            };
            change(&mut watched.group, *number);
            if news && !watched.busy {
                watched.busy = true;
                self.busy.push(*id);
            }
            if watched.group.weight() > GROUP_PENDING_BYTES {
                watched.due_ns = 0;
            }
        }
    }

    /// States of devices that changed since the last call.
    pub fn presence_changed(&mut self) {
        let changes = self.parts.presence.take_changes();
        if changes.is_empty() {
            return;
        }
        for id in 0..self.groups.len() {
            if let Some(watched) = self.groups[id].as_mut() {
                changes.iter().for_each(|state| watched.group.device_state(state));
                if watched.group.has_pending() {
                    self.make_busy(id);
                }
            }
        }
    }

    /// When the next tick is due; None while nobody has anything to be told.
    #[must_use]
    pub fn due_ns(&self) -> Option<u64> {
        self.busy.iter().filter_map(|id| self.groups[*id].as_ref()).map(|watched| watched.due_ns).min()
    }

    /// Ticks every group that is due.
    pub fn tick(&mut self, now_ns: u64) {
        let is_due = |id: &GroupId| self.groups[*id].as_ref().is_some_and(|watched| watched.due_ns <= now_ns);
        let due: Vec<GroupId> = self.busy.iter().copied().filter(is_due).collect();
        for id in due {
            self.busy.retain(|busy| *busy != id);
            if let Some(watched) = self.groups[id].as_mut() {
                watched.busy = false;
                if watched.joining.is_empty() {
                    self.send(id, now_ns);
                } else {
                    self.admit(id, now_ns);
                }
            }
        }
    }

    /// Sends a group what is pending. Late points are looked at in the head, so that a backlog travels as few spans and not as
    /// one for each point.
    fn send(&mut self, id: GroupId, now_ns: u64) {
        let views = self.look_at_late(id);
        if let Some(watched) = self.groups[id].as_mut() {
            let cursor = watched.cursor(self.epoch, self.position, &self.described);
            send(watched, cursor, false, &views, now_ns, &self.parts.metrics);
        }
    }

    /// The head over the times of late points, with the group brought to the same place.
    fn look_at_late(&mut self, id: GroupId) -> Views {
        let column_ns = self.groups[id].as_ref().and_then(|watched| watched.wish.column_ns);
        let late = |engine: &Self| engine.groups[id].as_ref().map(|watched| watched.group.late()).unwrap_or_default();
        let mut wanted = late(self);
        for _ in 0..LOOKS {
            if wanted.is_empty() {
                break;
            }
            let (position, views) = look(&self.parts.head, &wanted, column_ns);
            self.follow_to(position);
            let looked_at = std::mem::replace(&mut wanted, late(self));
            // In between others may have come: for columns they are to be looked at too.
            let is_seen = |late: &Late| looked_at.iter().any(|before| before.number == late.number && before.from <= late.from);
            if column_ns.is_none() || wanted.iter().all(is_seen) {
                return views;
            }
        }
        Views::default()
    }
}

/// The head over the late points of series, by number.
type Views = FxHashMap<u32, Seen>;

/// How often the head is looked at for one tick while new late points come in between; then the tick goes without.
const LOOKS: usize = 3;

/// Left out: a series of which the store may hold other points in between, and one whose points lie far apart among many others. For
/// columns it is looked at as far back as the head alone has them.
fn look(head: &Head, late: &[Late], column_ns: Option<i64>) -> (Position, Views) {
    let (position, views) = head.with_reader(|head| {
        let view = |late: &Late| {
            let stored = head.stored_until(late.series);
            let from = match column_ns {
                Some(width) if late.from <= stored => bounds(column_of(stored, width).saturating_add(1), width).0,
                None if late.from <= stored => return None,
                _ => late.from,
            };
            Some((late.number, late.count, from, head.view(late.series, TimeRange { from, to: late.to.saturating_add(1) })))
        };
        (head.position(), late.iter().filter_map(view).collect::<Vec<_>>())
    });
    let views = views.into_iter().map(|(number, count, from, layers)| (number, count, Seen { from, view: layers.merge() }));
    let worth = views.filter(|(_, count, seen)| column_ns.is_some() || seen.view.points() <= 4 * count + 64);
    (position, worth.map(|(number, _, seen)| (number, seen)).collect())
}

/// Sends a group what is pending at `cursor`, and sets when it may be sent something again.
fn send(watched: &mut Watched, cursor: Cursor, mark: bool, views: &Views, now_ns: u64, metrics: &Metrics) {
    if let Some(messages) = deliver(watched, cursor, mark, views, metrics) {
        watched.due_ns = now_ns + watched.interval_ns * messages.max(1);
    }
}

/// Puts what is pending at `cursor` into the mailboxes. Says how many messages it is; None: there was nothing.
fn deliver(watched: &mut Watched, cursor: Cursor, mark: bool, views: &Views, metrics: &Metrics) -> Option<u64> {
    let tick = watched.group.take(cursor, mark, views)?;
    let messages = tick.messages();
    for (tick, members) in watched.group.audience(tick) {
        let frame = Arc::new(Frame::new(Arc::clone(&watched.envelope), tick));
        metrics.live_frames.add(members.len() as u64);
        for index in members {
            let Handle { sub, outbox, .. } = &watched.group.members[index].handle;
            outbox.with(|mailbox| mailbox.push_frame(*sub, Arc::clone(&frame), watched.merge_ns()));
        }
    }
    Some(messages)
}
