//! The first message of who comes new: the head's state at one place, and for a history that reaches behind the head, what the store
//! holds before it. The store is read beside the engine; the viewer's later frames wait behind the snapshot in its mailbox. What would be
//! too much is refused, and ends the subscription; what nobody waits for any more is given up.

use std::sync::Arc;

use parking_lot::Mutex;

use super::column::{Point, Thinner};
use super::content::{Named, Points, Snapshot, SnapshotSeries, point_weight};
use super::cursor::Cursor;
use super::frame;
use super::mailbox::{SnapshotSlot, SubId};
use super::outbox::{Outbox, ViewerId};
use super::protocol::Refused;
use super::room::{Place, Room, Unmade};
use crate::block::{BLOCK_POINTS, Block};
use crate::head::{ColumnView, Layers};
use crate::limits::LIVE_THIN_POINTS;
use crate::model::{SeriesId, TimeNs, TimeRange, TokenId, Value};
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
    /// Where `points` was given: the history is thinned into columns of this width.
    pub column_ns: Option<i64>,
}

/// A snapshot, and what of it could not be read.
pub(super) type Made = (Snapshot, Option<StoreError>);

/// Who waits for one snapshot.
#[derive(Debug)]
pub(super) struct Newcomers {
    pub slot: Arc<SnapshotSlot>,
    pub viewers: Vec<(SubId, Arc<Outbox>)>,
    /// Whose share of the room it takes.
    pub owner: TokenId,
    pub room: Arc<Room>,
    pub refused: Arc<RefusedSubs>,
}

/// Subscriptions that were refused beside the engine, until it hears of them. Lock order: a mailbox first.
pub(super) type RefusedSubs = Mutex<Vec<(ViewerId, SubId)>>;

impl Newcomers {
    pub(super) fn give(self, fresh: Fresh) {
        let made = fresh.make(&self);
        self.give_made(made);
    }

    pub(super) fn give_made(self, made: Result<Made, Unmade>) {
        let (snapshot, failed) = match made {
            Ok(made) => made,
            Err(why) => return self.refuse(why),
        };
        // Set once: nobody else holds the slot's writing side.
        let _already = self.slot.content.set(snapshot);
        let failed = failed.map(|error| {
            tracing::error!(%error, "the past of a snapshot could not be read; the viewers are told");
            Refused::new(Some(&self.slot.envelope.id), "store_failed", format!("the snapshot lacks what lies behind the head: {error}"))
        });
        for (_, outbox) in self.viewers {
            outbox.with(|mailbox| failed.iter().for_each(|failed| mailbox.push_error(frame::error(outbox.encoding, failed))));
        }
    }

    fn refuse(self, why: Unmade) {
        let Some(refusal) = self.room.refusal(why, &self.slot.envelope.id) else {
            return;
        };
        for (sub, outbox) in self.viewers {
            outbox.refuse(sub, &self.slot, &refusal, &self.refused);
        }
    }

    /// Whether a mailbox still waits for it: each holds the slot until its viewer or its subscription is gone.
    pub(super) fn wanted(&self) -> Result<(), Unmade> {
        if Arc::strong_count(&self.slot) > 1 { Ok(()) } else { Err(Unmade::Unwanted) }
    }
}

impl Fresh {
    /// All is in the head, and in one line there: it takes no time to make.
    pub(super) fn is_at_hand(&self) -> bool {
        self.column_ns.is_none() && self.behind.is_none() && !self.shown.iter().any(|shown| matches!(shown, Shown::Layers(_)))
    }

    /// Cheap where it is at hand. An error of the store leaves out what lies behind the head.
    pub(super) fn make(self, newcomers: &Newcomers) -> Result<Made, Unmade> {
        if let Some(width) = self.column_ns {
            return self.make_thinned(width, newcomers);
        }
        let mut place = newcomers.room.place(newcomers.owner);
        let mut left = newcomers.room.points;
        let mut series = Vec::with_capacity(self.named.len());
        for (named, shown) in self.named.into_iter().zip(self.shown) {
            let view = match shown {
                Shown::Last(last) => {
                    series.push(SnapshotSeries { named, points: Points::List(last.into_iter().collect()) });
                    continue;
                }
                Shown::View(view) => view,
                Shown::Layers(layers) => {
                    newcomers.wanted()?;
                    let view = layers.merge();
                    place.grow(view.weight())?;
                    view
                }
            };
            left = left.checked_sub(view.points()).ok_or(Unmade::TooManyPoints)?;
            series.push(SnapshotSeries { named, points: Points::View(view) });
        }
        let failed = match self.behind.map_or(Ok(()), |behind| behind.put_in(&mut series, &mut place, newcomers)) {
            Ok(()) => None,
            Err(Stopped::Store(error)) => Some(error),
            Err(Stopped::Unmade(unmade)) => return Err(unmade),
        };
        let (spans, merged) = (Vec::new(), 0);
        Ok((Snapshot { cursor: self.cursor, recovered: false, spans, series, merged, place }, failed))
    }

    /// Of each column its smallest, largest and last reading. What is thinned is read, and not kept.
    fn make_thinned(self, width: i64, newcomers: &Newcomers) -> Result<Made, Unmade> {
        let mut thinned =
            Thinned { place: newcomers.room.place(newcomers.owner), points: newcomers.room.points, looks: LIVE_THIN_POINTS, left_out: 0 };
        let (mut series, mut failed) = (Vec::with_capacity(self.named.len()), None);
        for (named, shown) in self.named.into_iter().zip(self.shown) {
            let view = match shown {
                Shown::Last(last) => {
                    series.push(SnapshotSeries { named, points: Points::List(last.into_iter().collect()) });
                    continue;
                }
                Shown::View(view) => view,
                Shown::Layers(layers) => layers.merge(),
            };
            let behind = self.behind.as_ref().filter(|_| failed.is_none());
            let points = match thinned.of(&view, behind, named.series.id, width, newcomers) {
                Ok(points) => points,
                Err(Stopped::Unmade(unmade)) => return Err(unmade),
                Err(Stopped::Store(error)) => {
                    failed = Some(error);
                    thinned.of(&view, None, named.series.id, width, newcomers).or(Err(Unmade::Unwanted))?
                }
            };
            series.push(SnapshotSeries { named, points: Points::List(points) });
        }
        let Thinned { place, left_out: merged, .. } = thinned;
        Ok((Snapshot { cursor: self.cursor, recovered: false, spans: Vec::new(), series, merged, place }, failed))
    }
}

/// What the thinned series of one snapshot share.
struct Thinned {
    place: Place,
    /// That it may still hold, and that may still be read.
    points: usize,
    looks: usize,
    left_out: u64,
}

impl Thinned {
    fn of(
        &mut self,
        view: &ColumnView,
        behind: Option<&Behind>,
        id: SeriesId,
        width: i64,
        newcomers: &Newcomers,
    ) -> Result<Vec<Point>, Stopped> {
        let mut thinner = Thinner::new(width);
        let mut unmade = newcomers.wanted();
        let range = behind.map_or(TimeRange::ALL, Behind::range);
        source::scan(view, behind.map(Behind::past), id, range, &mut |run| {
            unmade = unmade.and_then(|()| newcomers.wanted());
            match self.looks.checked_sub(run.len()) {
                Some(left) => self.looks = left,
                None => unmade = unmade.and(Err(Unmade::TooManyPoints)),
            }
            if unmade.is_ok() {
                (0..run.len()).for_each(|i| thinner.push(run.time(i), &run.value(i)));
            }
            unmade.is_ok()
        })?;
        unmade?;
        let (points, left_out) = thinner.finish();
        self.left_out += left_out;
        self.points = self.points.checked_sub(points.len()).ok_or(Unmade::TooManyPoints)?;
        self.place.grow(points.iter().map(|(_, value)| point_weight(value)).sum())?;
        Ok(points)
    }
}

enum Stopped {
    Store(StoreError),
    Unmade(Unmade),
}

impl From<StoreError> for Stopped {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<Unmade> for Stopped {
    fn from(unmade: Unmade) -> Self {
        Self::Unmade(unmade)
    }
}

impl Behind {
    /// Puts the store's part before the head's. First it is counted, so that what would be too much is not read in vain.
    fn put_in(&self, series: &mut [SnapshotSeries], place: &mut Place, newcomers: &Newcomers) -> Result<(), Stopped> {
        let mut left = newcomers.room.points;
        for one in series.iter() {
            if let Points::View(head) = &one.points {
                newcomers.wanted()?;
                let points = source::count(head, Some(self.past()), one.named.series.id, self.range(), left)?;
                left = left.checked_sub(points).ok_or(Unmade::TooManyPoints)?;
            }
        }
        for one in series {
            if let Points::View(head) = &one.points {
                one.points = Points::View(self.whole(head, one.named.series.id, place, newcomers)?);
            }
        }
        Ok(())
    }

    fn past(&self) -> Past<'_> {
        Past { store: self.store.as_ref(), pin: &self.pin }
    }

    fn range(&self) -> TimeRange {
        TimeRange { from: self.from, to: TimeNs::MAX }
    }

    fn whole(&self, head: &ColumnView, id: SeriesId, place: &mut Place, newcomers: &Newcomers) -> Result<ColumnView, Stopped> {
        let mut blocks = vec![Block::default()];
        let mut unmade = newcomers.wanted();
        source::scan(head, Some(self.past()), id, self.range(), &mut |run| {
            if let Some(full) = blocks.last().filter(|block| block.len() >= BLOCK_POINTS) {
                unmade = unmade.and_then(|()| newcomers.wanted()).and_then(|()| place.grow(full.weight()));
                blocks.push(Block::default());
            }
            blocks.last_mut().into_iter().for_each(|block| run.append_to(block));
            unmade.is_ok()
        })?;
        unmade?;
        place.grow(blocks.last().map_or(0, Block::weight))?;
        Ok(ColumnView::of_blocks(blocks.into_iter().filter(|block| !block.is_empty()).map(Arc::new).collect()))
    }
}
