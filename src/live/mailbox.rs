//! What waits for one viewer, bounded in bytes. Pure: the socket pulls, the engine pushes, nobody waits.
//!
//! A tick waits as the group's shared frame until the frames of this viewer weigh more than the bound; then their contents are
//! merged, per subscription, and what follows is merged into that until it has been pulled: a viewer that fell behind is served
//! from its own merged mailbox until it is empty, and then from shared frames again. A single frame is never merged, however
//! large: merging must have something to gain.
//! Errors are kept up to a number, the oldest goes. Snapshots wait as frozen views. Pings, pongs and close frames are the socket's.
//!
//! Invariant: the messages of one subscription leave in the order they came, its snapshot first.

use std::collections::VecDeque;
use std::sync::{Arc, OnceLock};

use actix_web::web::Bytes;

use super::content::{Envelope, Snapshot, Tick};
use super::frame;
use super::merge::Merged;
use crate::limits::VIEWER_ERRORS;

/// One subscription of one viewer; never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SubId(pub u64);

/// A tick with its address, encoded once by whoever pulls it first.
#[derive(Debug)]
pub struct Frame {
    pub envelope: Arc<Envelope>,
    pub tick: Tick,
    weight: usize,
    encoded: OnceLock<Bytes>,
}

impl Frame {
    #[must_use]
    pub fn new(envelope: Arc<Envelope>, tick: Tick) -> Self {
        let weight = tick.weight();
        Self { envelope, tick, weight, encoded: OnceLock::new() }
    }

    #[must_use]
    pub fn bytes(&self) -> Bytes {
        self.encoded.get_or_init(|| frame::tick(&self.envelope, &self.tick)).clone()
    }
}

/// A snapshot that may still be in the making: a resume reads the log first. Shared by all who joined with it.
#[derive(Debug)]
pub struct SnapshotSlot {
    pub envelope: Arc<Envelope>,
    pub content: OnceLock<Snapshot>,
}

#[derive(Debug)]
enum Item {
    Message(Bytes),
    Snapshot(SubId, Arc<SnapshotSlot>),
    Frame(SubId, Arc<Frame>),
    Merged(SubId, Arc<Envelope>, Box<Merged>),
}

impl Item {
    fn sub(&self) -> Option<SubId> {
        match self {
            Self::Message(_) => None,
            Self::Snapshot(sub, _) | Self::Frame(sub, _) | Self::Merged(sub, ..) => Some(*sub),
        }
    }
}

/// What the socket is to send next.
#[derive(Debug)]
pub enum Pulled {
    Bytes(Bytes),
    Frame(Arc<Frame>),
    Merged(Arc<Envelope>, Box<Merged>),
    /// To be sent part by part before the next pull, while [`Mailbox::is_sending`].
    Snapshot(Arc<SnapshotSlot>),
}

#[derive(Debug)]
pub struct Mailbox {
    items: VecDeque<Item>,
    /// Of frames and merged content; snapshots are views of the head and not counted.
    weight: usize,
    max_weight: usize,
    /// Above this it is merged: `max_weight`, or twice what the last merge could not go below (one reading of each of very many
    /// series), so that merging does not repeat at every frame.
    limit: usize,
    /// Messages that are of no subscription: errors, and `closing`.
    messages: usize,
    closed: bool,
    /// Something in `items` is merged.
    merged: bool,
    /// The subscription whose snapshot the socket sends part by part.
    sending: Option<SubId>,
    /// Refused while the engine still sends for them: what comes is left out.
    refused: Vec<SubId>,
}

impl Mailbox {
    #[must_use]
    pub fn new(max_weight: usize) -> Self {
        Self {
            items: VecDeque::new(),
            weight: 0,
            max_weight,
            limit: max_weight,
            messages: 0,
            closed: false,
            merged: false,
            sending: None,
            refused: Vec::new(),
        }
    }

    pub fn push_error(&mut self, message: Bytes) {
        if self.closed {
            return;
        }
        if self.messages == VIEWER_ERRORS
            && let Some(oldest) = self.items.iter().position(|item| matches!(item, Item::Message(_)))
        {
            self.items.remove(oldest);
            self.messages -= 1;
        }
        self.messages += 1;
        self.items.push_back(Item::Message(message));
    }

    /// Words that only show that somebody is there: of use where nothing else waits, so at most one of them ever does.
    pub fn push_idle(&mut self, words: Bytes) {
        if !self.closed && self.items.is_empty() && self.sending.is_none() {
            self.messages += 1;
            self.items.push_back(Item::Message(words));
        }
    }

    /// A snapshot begins its subscription anew: what waited for it is no longer of use. One that is being sent goes out to its end,
    /// since nothing in its next part could tell the viewer that another one has begun.
    pub fn push_snapshot(&mut self, sub: SubId, slot: Arc<SnapshotSlot>) {
        if !self.closed && !self.refused.contains(&sub) {
            self.drop_waiting(sub);
            self.items.push_back(Item::Snapshot(sub, slot));
        }
    }

    /// The snapshot is not made, and with it ends its subscription: of this nothing comes after the error. False: it was not waited
    /// for any more.
    pub fn refuse(&mut self, sub: SubId, slot: &Arc<SnapshotSlot>, error: Bytes) -> bool {
        let waits = self.items.iter().any(|item| matches!(item, Item::Snapshot(of, its) if *of == sub && Arc::ptr_eq(its, slot)));
        if waits {
            self.drop_waiting(sub);
            self.refused.push(sub);
            self.push_error(error);
        }
        waits
    }

    pub fn push_frame(&mut self, sub: SubId, frame: Arc<Frame>, column_ns: i64) {
        if self.closed || self.refused.contains(&sub) {
            return;
        }
        // Most mailboxes hold nothing merged and a frame or two: look through the items only where there is a reason.
        let waiting = self.merged.then(|| self.merged_of(sub)).flatten();
        if let Some(merged) = waiting {
            let before = merged.weight();
            merged.fold(&frame.tick);
            let after = merged.weight();
            self.weight = self.weight + after - before;
        } else {
            self.weight += frame.weight;
            self.items.push_back(Item::Frame(sub, frame));
        }
        let mergeable = || self.items.iter().filter(|item| matches!(item, Item::Frame(..) | Item::Merged(..))).count();
        if self.weight > self.limit && (self.merged || mergeable() > 1) {
            self.merge(column_ns);
        }
    }

    fn merged_of(&mut self, sub: SubId) -> Option<&mut Merged> {
        self.items.iter_mut().find_map(|item| match item {
            Item::Merged(of, _, merged) if *of == sub => Some(&mut **merged),
            _ => None,
        })
    }

    /// Merges the waiting frames of each subscription at the place of its first, then thins until the bound is kept or nothing
    /// but the last reading of each series is left.
    fn merge(&mut self, width: i64) {
        let mut kept: VecDeque<Item> = VecDeque::with_capacity(self.items.len());
        for item in self.items.drain(..) {
            let Item::Frame(sub, frame) = item else {
                kept.push_back(item);
                continue;
            };
            let same = |item: &&mut Item| matches!(item, Item::Merged(of, ..) if *of == sub);
            if let Some(Item::Merged(_, _, merged)) = kept.iter_mut().find(same) {
                merged.fold(&frame.tick);
            } else {
                let merged = Box::new(Merged::new(&frame.tick, width));
                kept.push_back(Item::Merged(sub, Arc::clone(&frame.envelope), merged));
            }
        }
        self.items = kept;
        self.merged = true;
        self.weight = self.merged_weight();
        if self.weight > self.max_weight {
            // To half the bound: thinning again at every tick would cost more than the tick.
            let subs = self.items.iter().filter(|item| matches!(item, Item::Merged(..))).count().max(1);
            let target = self.max_weight / 2 / subs;
            for item in &mut self.items {
                if let Item::Merged(_, _, merged) = item {
                    merged.thin(target);
                }
            }
            self.weight = self.merged_weight();
        }
        self.limit = if self.weight > self.max_weight { 2 * self.weight } else { self.max_weight };
    }

    fn merged_weight(&self) -> usize {
        self.items.iter().map(|item| if let Item::Merged(_, _, merged) = item { merged.weight() } else { 0 }).sum()
    }

    /// The subscription has ended, as the engine knows: its snapshot is cut off, too.
    pub fn drop_items(&mut self, sub: SubId) {
        self.refused.retain(|refused| *refused != sub);
        if self.sending == Some(sub) {
            self.sending = None;
        }
        self.drop_waiting(sub);
    }

    fn drop_waiting(&mut self, sub: SubId) {
        self.items.retain(|item| item.sub() != Some(sub));
        self.weight = self
            .items
            .iter()
            .map(|item| match item {
                Item::Frame(_, frame) => frame.weight,
                Item::Merged(_, _, merged) => merged.weight(),
                Item::Message(_) | Item::Snapshot(..) => 0,
            })
            .sum();
    }

    /// The connection is about to be closed: what waits is dropped; `words` (the `closing` message) are the last that is sent.
    pub fn close(&mut self, words: Option<Bytes>) {
        if !self.closed {
            self.closed = true;
            self.items.clear();
            self.weight = 0;
            self.sending = None;
            self.messages = usize::from(words.is_some());
            self.items.extend(words.map(Item::Message));
        }
    }

    /// The last words are out.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.closed && self.items.is_empty()
    }

    /// The next thing that can be sent now. A subscription whose snapshot is in the making does not hold up the others.
    pub fn pull(&mut self) -> Option<Pulled> {
        let place = self.next_place()?;
        Some(match self.items.remove(place)? {
            Item::Message(bytes) => {
                self.messages -= 1;
                Pulled::Bytes(bytes)
            }
            Item::Snapshot(sub, slot) => {
                self.sending = Some(sub);
                Pulled::Snapshot(slot)
            }
            Item::Frame(_, frame) => {
                self.weight -= frame.weight;
                Pulled::Frame(frame)
            }
            Item::Merged(_, envelope, merged) => {
                self.weight -= merged.weight();
                self.merged = self.items.iter().any(|item| matches!(item, Item::Merged(..)));
                if !self.merged {
                    self.limit = self.max_weight;
                }
                Pulled::Merged(envelope, merged)
            }
        })
    }

    fn next_place(&self) -> Option<usize> {
        let mut unready: Vec<SubId> = Vec::new();
        self.items.iter().position(|item| match item {
            Item::Snapshot(sub, slot) if slot.content.get().is_none() => {
                unready.push(*sub);
                false
            }
            other => other.sub().is_none_or(|sub| !unready.contains(&sub)),
        })
    }

    /// Whether the snapshot pulled last is still wanted.
    #[must_use]
    pub fn is_sending(&self) -> bool {
        self.sending.is_some()
    }

    /// Its last part is out.
    pub fn sent_snapshot(&mut self) {
        self.sending = None;
    }

    #[must_use]
    pub fn weight(&self) -> usize {
        self.weight
    }
}
