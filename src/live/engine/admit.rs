//! Newcomers: the head's state at one place, the group brought to the same place, and then they are members.

use std::sync::{Arc, OnceLock};

use rustc_hash::FxHashMap;

use super::{Engine, GroupId, Handle, Joiner, send};
use crate::live::column::{bounds, column_of};
use crate::live::content::{Named, Tick};
use crate::live::cursor::Cursor;
use crate::live::floor::Floor;
use crate::live::fresh::{Behind, Fresh, Newcomers, Shown};
use crate::live::group::{Group, Member};
use crate::live::mailbox::{Frame, SnapshotSlot};
use crate::live::resume::Resume;
use crate::model::{Position, SeriesId, TimeNs, TimeRange, TokenId};

/// What those who join at one tick share.
struct JoinTick {
    start: Start,
    cursor: Cursor,
    state: Arc<Frame>,
}

impl Engine {
    /// Takes the head's state, brings the group to the same place, and lets the newcomers in there.
    pub(super) fn admit(&mut self, id: GroupId, now_ns: u64) {
        if self.groups[id].as_ref().is_some_and(|watched| watched.wish.column_ns.is_some() && !watched.group.members.is_empty()) {
            // Late points are looked at in the head, which must not go on between the newcomers' look and their admission.
            self.send(id, now_ns);
        }
        let (start, states) = loop {
            let Some(watched) = &self.groups[id] else {
                return;
            };
            let ids: Vec<SeriesId> = watched.group.series().map(|series| series.id).collect();
            let start = self.look(&ids, watched.wish.history, watched.wish.column_ns);
            self.follow_to(start.position);
            let Some(watched) = &self.groups[id] else {
                return;
            };
            if watched.group.series().map(|series| series.id).eq(ids) {
                let devices = watched.group.devices().iter().map(|device| &**device);
                break (start, self.parts.presence.of_all(devices));
            }
            // A series was new in a commit between the list and the look, or the group was begun anew: look again.
        };
        let Some(watched) = self.groups[id].as_mut() else {
            return;
        };
        let cursor = watched.cursor(self.epoch, start.position.max(self.position), &self.described);
        send(watched, cursor, true, &FxHashMap::default(), now_ns, &self.parts.metrics);
        watched.due_ns = watched.due_ns.max(now_ns + watched.interval_ns);
        let newcomers = std::mem::take(&mut watched.joining);
        let state = Tick { states, ..Tick::empty(cursor, cursor) };
        let state = Arc::new(Frame::new(Arc::clone(&watched.envelope), state));
        let mut by_cursor: FxHashMap<Option<Position>, Vec<Handle>> = FxHashMap::default();
        for Joiner { handle, cursor: given } in newcomers {
            // An edit is no commit: whoever left while attributes were others may have been shown other series than these.
            let is_same = |given: &Cursor| cursor.attributes.is_none() || given.attributes == cursor.attributes;
            let given = given.filter(|given| given.epoch == self.epoch && given.position <= cursor.position && is_same(given));
            by_cursor.entry(given.map(|given| given.position)).or_default().push(handle);
        }
        let tick = JoinTick { start, cursor, state };
        by_cursor.into_iter().for_each(|(after, handles)| self.let_in(id, &tick, after, handles));
    }

    /// Lets in those who came with the same cursor, or without.
    fn let_in(&mut self, id: GroupId, tick: &JoinTick, after: Option<Position>, handles: Vec<Handle>) {
        let Some(watched) = self.groups[id].as_mut() else {
            return;
        };
        let JoinTick { start, cursor, state } = tick;
        let slot = Arc::new(SnapshotSlot { envelope: Arc::clone(&watched.envelope), content: OnceLock::new() });
        let recovered = Arc::new(OnceLock::new());
        for handle in &handles {
            handle.outbox.with(|mailbox| {
                mailbox.push_snapshot(handle.sub, Arc::clone(&slot));
                if !state.tick.states.is_empty() {
                    mailbox.push_frame(handle.sub, Arc::clone(state), watched.merge_ns());
                }
            });
            let floor = match after {
                None => start.floor.clone(),
                Some(_) => Floor::Resuming { otherwise: Box::new(start.floor.clone()), recovered: Arc::clone(&recovered) },
            };
            watched.group.join(Member { handle: handle.clone(), floor }, *cursor, &start.last);
        }
        let owner = handles.first().map_or(TokenId(0), |handle| handle.token);
        let (named, viewers) = (named(&watched.group), handles.into_iter().map(|handle| (handle.sub, handle.outbox)).collect());
        let column_ns = watched.wish.column_ns;
        let (shown, behind) = (start.shown.clone(), start.behind.clone());
        let fresh = Fresh { cursor: *cursor, named: named.clone(), shown, behind, column_ns };
        let (room, refused) = (Arc::clone(&self.room), Arc::clone(&self.refused));
        let newcomers = Newcomers { slot, viewers, owner, room, refused };
        match after {
            None if fresh.is_at_hand() => newcomers.give(fresh),
            None => (self.pool)(Box::new(move || newcomers.give(fresh))),
            Some(after) => {
                let log = Arc::clone(&self.parts.log);
                let (tail, metrics) = (Arc::clone(&self.parts.tail), Arc::clone(&self.parts.metrics));
                let resume = Resume { log, tail, metrics, after, named, otherwise: fresh, recovered, newcomers };
                (self.pool)(Box::new(move || resume.run()));
            }
        }
    }

    /// What a snapshot shows of these series, all at one position.
    fn look(&self, ids: &[SeriesId], history: Option<i64>, column_ns: Option<i64>) -> Start {
        // Columns begin as a whole, or the first would change when a late reading comes in it.
        let start = |time: TimeNs| column_ns.map_or(time, |width| bounds(column_of(time, width), width).0);
        let from = history.map(|length| start(self.parts.clock.now().saturating_sub(length)));
        let mut start = self.parts.head.with_reader(|head| {
            let last: Vec<Option<TimeNs>> = ids.iter().map(|id| head.newest_time(*id)).collect();
            let points = |id: &SeriesId| match from {
                Some(from) => Shown::Layers(head.view(*id, TimeRange { from, to: TimeNs::MAX })),
                None => Shown::Last(head.last(*id).map(|last| (last.time, last.value.clone()))),
            };
            let floor = match from {
                Some(time) => Floor::From { time, count: ids.len() },
                None => Floor::Last(last.iter().map(|time| time.unwrap_or(TimeNs::MIN)).collect()),
            };
            let behind = from.filter(|from| ids.iter().any(|id| *from <= head.stored_until(*id)));
            let behind = behind.map(|from| Behind { store: Arc::clone(&self.parts.store), pin: head.pin(), from });
            Start { position: head.position(), shown: ids.iter().map(points).collect(), behind, last, floor }
        });
        // The lock is given back. What takes longer is left to whoever makes the snapshot.
        let merged = |shown| match shown {
            Shown::Layers(layers) if !layers.overlap() => Shown::View(layers.merge()),
            other => other,
        };
        start.shown = start.shown.into_iter().map(merged).collect();
        start
    }
}

/// The head's state for a group's newcomers.
struct Start {
    position: Position,
    shown: Vec<Shown>,
    behind: Option<Behind>,
    last: Vec<Option<TimeNs>>,
    floor: Floor,
}

fn named(group: &Group<Handle>) -> Vec<Named> {
    (0..).zip(group.series()).map(|(number, series)| Named { number, series: Arc::clone(series) }).collect()
}
