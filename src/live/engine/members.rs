//! Who is in which group: subscribing, leaving, and groups that begin anew.
//!
//! Invariant: a series of a group has exactly one route to it, as long as the group lives.

use std::fmt::Write;
use std::sync::Arc;

use super::routes::Routes;
use super::{Engine, GroupId, Handle, Joiner, Watched};
use crate::auth::access::Access;
use crate::limits::SUBSCRIPTIONS_PER_VIEWER;
use crate::live::content::Envelope;
use crate::live::cursor::Cursor;
use crate::live::frame;
use crate::live::group::Group;
use crate::live::mailbox::SubId;
use crate::live::outbox::ViewerId;
use crate::live::protocol::{Encoding, Refused, Subscribe, Wish};

impl Engine {
    pub(super) fn subscribe(&mut self, viewer: ViewerId, access: Access, subscribe: Subscribe, now_ns: u64) {
        let Some(entry) = self.viewers.get_mut(&viewer) else {
            return; // gone in between
        };
        let Subscribe { wish, cursor } = subscribe;
        let id = wish.id.clone();
        let refusal = if entry.subs.contains_key(&id) {
            Some(Refused::new(
                Some(&id),
                "conflict",
                format!("the id {id:?} is already subscribed on this connection; unsubscribe it first"),
            ))
        } else if entry.subs.len() >= SUBSCRIPTIONS_PER_VIEWER {
            let message = format!("this connection has {SUBSCRIPTIONS_PER_VIEWER} subscriptions, which is the most it may have");
            Some(Refused::new(Some(&id), "bad_parameter", message))
        } else {
            None
        };
        let outbox = Arc::clone(&entry.outbox);
        if let Some(refused) = refusal {
            outbox.with(|mailbox| mailbox.push_error(frame::error(outbox.encoding, &refused)));
            return;
        }
        self.next_sub += 1;
        let sub = SubId(self.next_sub);
        let token = access.token();
        let group = self.group_for(wish, access, outbox.encoding, now_ns);
        if let Some(viewer) = self.viewers.get_mut(&viewer) {
            viewer.subs.insert(id, (group, sub));
            self.parts.metrics.live_subscriptions.inc();
        }
        if let Some(watched) = self.groups[group].as_mut() {
            watched.joining.push(Joiner { handle: Handle { sub, outbox, token }, cursor });
        }
        self.make_busy(group);
    }

    pub(super) fn unsubscribe(&mut self, viewer: ViewerId, id: &str) {
        let Some(entry) = self.viewers.get_mut(&viewer) else {
            return;
        };
        let Some((group, sub)) = entry.subs.remove(id) else {
            let refused = Refused::new(Some(id), "not_found", format!("the id {id:?} is not subscribed on this connection"));
            entry.outbox.with(|mailbox| mailbox.push_error(frame::error(entry.outbox.encoding, &refused)));
            return;
        };
        entry.outbox.with(|mailbox| mailbox.drop_items(sub));
        self.leave(group, sub);
    }

    /// Ends the subscriptions whose snapshots were refused since the last call.
    pub(super) fn end_refused(&mut self) {
        let refused = std::mem::take(&mut *self.refused.lock());
        for (viewer, sub) in refused {
            let Some(entry) = self.viewers.get_mut(&viewer) else {
                continue; // gone in between
            };
            let Some((_, (group, _))) = entry.subs.extract_if(|_, (_, of)| *of == sub).next() else {
                continue;
            };
            entry.outbox.with(|mailbox| mailbox.drop_items(sub));
            self.leave(group, sub);
        }
    }

    pub(super) fn leave(&mut self, id: GroupId, sub: SubId) {
        self.parts.metrics.live_subscriptions.sub(1);
        let Some(watched) = self.groups[id].as_mut() else {
            return;
        };
        watched.joining.retain(|joiner| joiner.handle.sub != sub);
        watched.group.members.retain(|member| member.handle.sub != sub);
        if watched.joining.is_empty() && watched.group.members.is_empty() {
            self.drop_group(id);
        }
    }

    fn drop_group(&mut self, id: GroupId) {
        let Some(watched) = self.groups[id].take() else {
            return;
        };
        self.parts.metrics.live_groups.sub(1);
        unroute(&mut self.routes, id, &watched.group);
        if let Some(same) = self.by_wish.get_mut(&watched.key) {
            same.retain(|group| *group != id);
            if same.is_empty() {
                self.by_wish.remove(&watched.key);
            }
        }
        self.busy.retain(|group| *group != id);
        self.free.push(id);
    }

    /// The group of this wish and reach; a new one where there is none. Below one frame a second everyone has a group alone,
    /// since a newcomer would wait for the next tick.
    fn group_for(&mut self, wish: Wish, access: Access, encoding: Encoding, now_ns: u64) -> GroupId {
        let key = wish_key(&wish, encoding);
        let private = wish.max_hz < 1.0;
        let same = self.by_wish.get(&key).map_or(&[][..], Vec::as_slice).iter().copied();
        let same_reach = |id: &GroupId| self.groups[*id].as_ref().is_some_and(|watched| watched.access.scope() == access.scope());
        if !private && let Some(id) = same.into_iter().find(same_reach) {
            return id;
        }
        let watched = Watched {
            envelope: Arc::new(Envelope { id: wish.id.as_str().into(), encoding }),
            interval_ns: wish.interval_ns(),
            due_ns: now_ns,
            busy: false,
            group: Group::new(Cursor { epoch: self.epoch, position: self.position, attributes: None }, wish.column_ns),
            joining: Vec::new(),
            key: key.clone(),
            wish,
            access,
        };
        let id = self.free.pop().unwrap_or(self.groups.len());
        if id == self.groups.len() {
            self.groups.push(None);
        }
        self.parts.metrics.live_groups.inc();
        self.by_wish.entry(key).or_default().push(id);
        self.fill(id, watched);
        id
    }

    /// Puts the series that exist into a new group.
    fn fill(&mut self, id: GroupId, mut watched: Watched) {
        let attributes = &*self.parts.attributes;
        for series in self.parts.series.select(|series| watched.reaches(series, attributes)) {
            self.routes.add(series.id, id, watched.group.add_series(series));
        }
        self.groups[id] = Some(watched);
    }

    /// Groups that see the device otherwise now begin anew: what came in brings its past, and what left is gone from view.
    pub(super) fn attributes_changed(&mut self, device: &str) {
        // Before the groups are: a cursor never says more of attributes than its group knows.
        self.described.set(device, self.parts.attributes.fingerprint(device));
        let attributes = Arc::clone(&self.parts.attributes);
        let series = self.parts.series.select(|series| *series.key.device == *device);
        for id in 0..self.groups.len() {
            let Some(watched) = &self.groups[id] else {
                continue;
            };
            if series.iter().any(|series| watched.reaches(series, &*attributes) != watched.group.number_of(series.id).is_some()) {
                self.rebuild(id);
            }
        }
    }

    /// Everyone in the group is sent a fresh snapshot, with numbers of its own.
    pub(super) fn rebuild(&mut self, id: GroupId) {
        let Some(mut watched) = self.groups[id].take() else {
            return;
        };
        unroute(&mut self.routes, id, &watched.group);
        let cursor = watched.cursor(self.epoch, self.position, &self.described);
        let old = std::mem::replace(&mut watched.group, Group::new(cursor, watched.wish.column_ns));
        // Those who wait to resume stood in what is replaced now.
        watched.joining.iter_mut().for_each(|joiner| joiner.cursor = None);
        watched.joining.extend(old.members.into_iter().map(|member| Joiner { handle: member.handle, cursor: None }));
        self.fill(id, watched);
        self.make_busy(id);
    }
}

fn unroute(routes: &mut Routes, id: GroupId, group: &Group<Handle>) {
    group.series().for_each(|series| routes.remove(series.id, id));
}

/// Equal wishes of equal encoding give equal text.
fn wish_key(wish: &Wish, encoding: Encoding) -> String {
    let mut key = format!("{encoding:?} {:?} {:?} {:?} {}", wish.id, wish.history, wish.column_ns, wish.max_hz);
    for selector in &wish.select {
        write!(key, " {:?}", selector.to_string()).expect("a String takes all");
    }
    key
}
