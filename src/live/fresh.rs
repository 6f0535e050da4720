//! The first message of who comes new: the head's state at one place, and for a history that reaches behind the head, what the store
//! holds before it. The store is read beside the engine; the viewer's later frames wait behind the snapshot in its mailbox.

use std::sync::Arc;

use super::content::{Named, Points, Snapshot, SnapshotSeries};
use super::cursor::Cursor;
use super::frame;
use super::mailbox::SnapshotSlot;
use super::outbox::Outbox;
use super::protocol::Refused;
use crate::block::{BLOCK_POINTS, Block};
use crate::head::{ColumnView, Layers};
use crate::model::{TimeNs, TimeRange, Value};
use crate::query::source::{self, Past};
use crate::store::{Pin, Store, StoreError};

/// What the head shows of one series.
#[derive(Clone, Debug)]
pub(super) enum Shown {
    View(ColumnView),
    /// To be merged beside the engine.
    Layers(Layers),
    Last(Option<(TimeNs, Value)>),
}

/// The store as it was when the head was looked at, and how far back the history goes.
#[derive(Clone, Debug)]
pub(super) struct Behind {
    pub store: Arc<dyn Store>,
    pub pin: Pin,
    pub from: TimeNs,
}

#[derive(Debug)]
pub(super) struct Fresh {
    pub cursor: Cursor,
    pub named: Vec<Named>,
    /// In the order of `named`.
    pub shown: Vec<Shown>,
    /// None: the head has all of it.
    pub behind: Option<Behind>,
}

/// Who waits for one snapshot.
#[derive(Debug)]
pub(super) struct Newcomers {
    pub slot: Arc<SnapshotSlot>,
    pub outboxes: Vec<Arc<Outbox>>,
}

impl Newcomers {
    pub(super) fn give(self, fresh: Fresh) {
        let (snapshot, failed) = fresh.make();
        self.give_made(snapshot, failed);
    }

    pub(super) fn give_made(self, snapshot: Snapshot, failed: Option<StoreError>) {
        // Set once: nobody else holds the slot's writing side.
        let _already = self.slot.content.set(snapshot);
        let failed = failed.map(|error| {
            tracing::error!(%error, "the past of a snapshot could not be read; the viewers are told");
            Refused::new(Some(&self.slot.envelope.id), "store_failed", format!("the snapshot lacks what lies behind the head: {error}"))
        });
        for outbox in self.outboxes {
            outbox.with(|mailbox| failed.iter().for_each(|failed| mailbox.push_error(frame::error(outbox.encoding, failed))));
        }
    }
}

impl Fresh {
    /// All is in the head, and in one line there: it takes no time to make.
    pub(super) fn is_at_hand(&self) -> bool {
        self.behind.is_none() && !self.shown.iter().any(|shown| matches!(shown, Shown::Layers(_)))
    }

    /// Cheap where it is at hand. An error leaves out what lies behind the head.
    pub(super) fn make(self) -> (Snapshot, Option<StoreError>) {
        let mut failed = None;
        let behind = self.behind.as_ref();
        let series = self.named.into_iter().zip(self.shown).map(|(named, shown)| {
            let view = match shown {
                Shown::Last(last) => return SnapshotSeries { named, points: Points::List(last.into_iter().collect()) },
                Shown::View(view) => view,
                Shown::Layers(layers) => layers.merge(),
            };
            let points = match behind.filter(|_| failed.is_none()).map(|behind| with_past(&named, &view, behind)) {
                None => Points::View(view),
                Some(Ok(whole)) => Points::View(whole),
                Some(Err(error)) => {
                    failed = Some(error);
                    Points::View(view)
                }
            };
            SnapshotSeries { named, points }
        });
        let series = series.collect();
        (Snapshot { cursor: self.cursor, recovered: false, spans: Vec::new(), series }, failed)
    }
}

fn with_past(named: &Named, head: &ColumnView, behind: &Behind) -> Result<ColumnView, StoreError> {
    let past = Past { store: behind.store.as_ref(), pin: &behind.pin };
    let range = TimeRange { from: behind.from, to: TimeNs::MAX };
    let mut blocks = vec![Block::default()];
    source::scan(head, Some(past), named.series.id, range, &mut |run| {
        if blocks.last().is_none_or(|block| block.len() >= BLOCK_POINTS) {
            blocks.push(Block::default());
        }
        blocks.last_mut().into_iter().for_each(|block| run.append_to(block));
        true
    })?;
    Ok(ColumnView::of_blocks(blocks.into_iter().filter(|block| !block.is_empty()).map(Arc::new).collect()))
}
