//! What lies behind the head: sealed history. The head answers for what was committed since the last seal; a store for the rest.
//! Drawn for all three kinds (memory, embedded, InfluxDB) from the start.
//!
//! Invariant: a store knows neither sockets nor HTTP, and only `hub.rs` names a concrete one. What `seal` was given is on disk when
//! it returns, and seen by no reader whose pin is older.

#[cfg(test)]
pub(crate) mod double;
pub mod embedded;
#[cfg(feature = "influxdb")]
pub mod influx;
pub mod memory;
mod pins;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

pub use pins::{Pin, Pins};

use crate::block::Block;
use crate::model::{Delete, Position, SeriesId, TimeNs, TimeRange, Value};
use crate::query::buckets::Agg;
use crate::query::columns::Columns;
use crate::query::grid::Grid;
use crate::query::summary::{Summary, Totals};

/// All that was committed after the last seal, up to `up_to`. The deletes concern what was sealed before; the runs already
/// stand as their deletes left them.
#[derive(Debug)]
pub struct Handover<'a> {
    pub up_to: Position,
    /// By series id, each once.
    pub runs: Vec<SeriesRun<'a>>,
    pub deletes: &'a [PositionedDelete],
}

/// One series' points: blocks in time order, without overlap, none empty.
#[derive(Clone, Copy, Debug)]
pub struct SeriesRun<'a> {
    pub series: SeriesId,
    pub blocks: &'a [Arc<Block>],
}

/// Hides what was committed before its position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PositionedDelete {
    pub position: Position,
    pub delete: Delete,
}

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("the store does not answer: {reason}")]
    Away { reason: String },
    /// Nothing of the call was done; it may be tried again when there is room.
    #[error("no space left for the store: {reason}")]
    DiskFull { reason: String },
    /// A part of the store cannot be read; the rest can.
    #[error("the store is damaged: {reason}")]
    Damaged { reason: String },
    #[error("{}: format {found} is newer than this program knows ({known}): use a newer telltale", path.display())]
    Newer { path: PathBuf, found: i64, known: i64 },
    #[error("the store failed: {reason}")]
    Failed { reason: String },
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StoreStats {
    pub points: u64,
    pub bytes: u64,
}

/// How much there is of a series, as what stands beside the values tells it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extent {
    pub points: u64,
    /// Times of the first point and the last.
    pub span: Option<(TimeNs, TimeNs)>,
    /// On the disk; of what series share, its share.
    pub bytes: u64,
    /// Some points may be counted twice or be deleted: only reading them tells.
    pub is_unclear: bool,
}

/// A stretch of a series that cannot be read, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    pub range: TimeRange,
    pub why: String,
}

/// Receives blocks in time order (or the reverse, where it says so), none empty. False stops the scan.
pub type Sink<'a> = dyn FnMut(&Block) -> bool + 'a;

/// A part of what a scan gives that need not give every point.
#[derive(Clone, Copy, Debug)]
pub enum Piece<'a> {
    Points(&'a Block),
    Summary {
        summary: &'a Summary,
        /// The readings themselves are not kept any more.
        is_gone: bool,
    },
    /// Of the points of a bucket that lie within the range; what the aggregates need.
    Totals(&'a Totals),
}

/// What may come in place of points.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coarse<'a> {
    /// Summaries or totals that lie within one bucket, and tell these aggregates: none where one of them needs readings
    /// ([`Agg::needs_readings`]).
    Buckets { grid: &'a Grid, aggs: &'a [Agg] },
    /// Of numbers: summaries where the readings are gone, and where they tell least and greatest of the columns; points elsewhere.
    Columns(&'a Columns),
    /// Summaries where the readings are gone; points where they are not.
    WhereGone,
}

/// Receives pieces in time order. False stops.
pub type PieceSink<'a> = dyn FnMut(Piece<'_>) -> bool + 'a;

/// Receives summaries in time order, each with the stretch that it tells of.
pub type GoneSink<'a> = dyn FnMut(TimeRange, &Summary) + 'a;

/// Blocking by design: called from the reading pool or a background thread, never from a socket's task.
pub trait Store: Send + Sync + fmt::Debug {
    /// Takes what the head hands over, durably. The same handover again, or a later one that holds it, changes nothing wrongly.
    fn seal(&self, handover: &Handover<'_>) -> Result<(), StoreError>;
    /// What stands at each of these times, which ascend.
    fn look_up(&self, pin: &Pin, series: SeriesId, times: &[TimeNs]) -> Result<Vec<Option<Value>>, StoreError>;
    /// Every point of the range, in time order, no time twice.
    fn scan(&self, pin: &Pin, series: SeriesId, range: TimeRange, sink: &mut Sink<'_>) -> Result<(), StoreError>;
    /// The same blocks from the end; the points within each still ascend.
    fn scan_back(&self, pin: &Pin, series: SeriesId, range: TimeRange, sink: &mut Sink<'_>) -> Result<(), StoreError>;
    /// A scan that may give summaries in place of points. Where it gives points, it gives all of them.
    fn scan_coarse(
        &self,
        pin: &Pin,
        series: SeriesId,
        range: TimeRange,
        coarse: Coarse<'_>,
        sink: &mut PieceSink<'_>,
    ) -> Result<(), StoreError> {
        let _unused = coarse;
        self.scan(pin, series, range, &mut |block| sink(Piece::Points(block)))
    }
    /// Of what such a scan gives the summaries of readings that are gone, alone: for who lays what the store does not know yet over the
    /// others. They lie over what came since for their stretches. Cheap where nothing is gone.
    fn scan_gone(
        &self,
        pin: &Pin,
        series: SeriesId,
        range: TimeRange,
        coarse: Coarse<'_>,
        sink: &mut GoneSink<'_>,
    ) -> Result<(), StoreError> {
        let _unused = (pin, series, range, coarse, sink);
        Ok(())
    }
    /// How many points `scan` would give.
    fn count(&self, pin: &Pin, series: SeriesId, range: TimeRange) -> Result<u64, StoreError>;
    /// The same, exactly up to `enough`; beyond, some number over it.
    fn count_to(&self, pin: &Pin, series: SeriesId, range: TimeRange, enough: u64) -> Result<u64, StoreError> {
        let _unused = enough;
        self.count(pin, series, range)
    }
    /// How much there is of each of these series, cheaply. None: this store cannot tell without reading them.
    fn extents(&self, pin: &Pin, series: &[SeriesId]) -> Result<Option<Vec<Extent>>, StoreError> {
        let _unused = (pin, series);
        Ok(None)
    }
    /// The catalog has it too: what was sealed up to here is what a start begins with, and may be merged.
    fn set_sealed(&self, up_to: Position) {
        let _unused = up_to;
    }
    /// What is committed: what came since it was sealed is in the head.
    fn set_committed(&self, up_to: Position) {
        let _unused = up_to;
    }
    /// Up to where the store's own work waits for a seal.
    fn wants_sealed(&self) -> Position {
        Position(0)
    }
    /// A step of the store's own work (merges, rollups), about as long as `budget`. True: there is more.
    fn tend(&self, now: TimeNs, budget: Duration) -> Result<bool, StoreError> {
        let _unused = (now, budget);
        Ok(false)
    }
    /// Does `work` while nothing but seals changes what is kept: no merge, no expiry.
    fn while_still(&self, work: &mut dyn FnMut()) {
        work();
    }
    /// Whether something of this series in this range was found to be unreadable, and is left out.
    fn is_damaged(&self, series: SeriesId, range: TimeRange) -> bool {
        let _unused = (series, range);
        false
    }
    /// What that is.
    fn unreadable(&self, series: SeriesId, range: TimeRange) -> Vec<Unreadable> {
        let all = || Unreadable { range, why: "the store set some of it aside".to_owned() };
        self.is_damaged(series, range).then(all).into_iter().collect()
    }
    /// All places that were found to be unreadable, as far as they are named.
    fn damaged(&self) -> Vec<embedded::Damage> {
        Vec::new()
    }
    /// Of the log only what lies behind this may go, whatever else is kept.
    fn released(&self) -> Position {
        Position(u64::MAX)
    }
    /// Why nothing more may come in until the store has caught up.
    fn overdue(&self) -> Option<String> {
        None
    }
    /// Whether what it holds lies in the data directory, and so in its backups.
    fn is_local(&self) -> bool {
        true
    }
    /// Whether it answers now. Asked before an answer begins, which may not break off for an outage that was there before.
    fn probe(&self) -> Result<(), StoreError> {
        Ok(())
    }
    /// Why something that the head let go of is not there yet.
    fn lacks(&self, pin: &Pin) -> Option<String> {
        let _unused = pin;
        None
    }
    /// The time, or where the clock jumped and is not believed yet, the last that was.
    fn believed(&self, now: TimeNs) -> TimeNs {
        now
    }
    fn stats(&self) -> StoreStats;
}
