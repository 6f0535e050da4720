//! A store that a test stands before another: it passes on what it is asked, but for what the test has it do otherwise.

use std::fmt;
use std::ops::Deref;

use super::{Coarse, Handover, Piece, PieceSink, Pin, Sink, Store, StoreError, StoreStats};
use crate::model::{SeriesId, TimeRange, Value};
use crate::query::summary::Summary;

/// What happens before something is asked.
type Before<'a> = Box<dyn Fn() -> Result<(), StoreError> + Send + Sync + 'a>;

/// `S`: a store by reference or in a box.
pub(crate) struct Double<'a, S> {
    store: S,
    before_scan_back: Option<Before<'a>>,
    gone: Option<Summary>,
}

impl<'a, S: Deref<Target: Store>> Double<'a, S> {
    pub(crate) fn of(store: S) -> Self {
        Self { store, before_scan_back: None, gone: None }
    }

    /// It does this whenever it is asked for the newest points.
    pub(crate) fn before_scan_back(self, before: impl Fn() -> Result<(), StoreError> + Send + Sync + 'a) -> Self {
        Self { before_scan_back: Some(Box::new(before)), ..self }
    }

    /// It has lost readings before its own, but for one summary.
    pub(crate) fn that_lost(self, gone: Summary) -> Self {
        Self { gone: Some(gone), ..self }
    }
}

impl<S> fmt::Debug for Double<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Double").field("gone", &self.gone).finish_non_exhaustive()
    }
}

impl<S: Deref<Target: Store> + Send + Sync> Store for Double<'_, S> {
    fn seal(&self, handover: &Handover<'_>) -> Result<(), StoreError> {
        self.store.seal(handover)
    }

    fn look_up(&self, pin: &Pin, series: SeriesId, times: &[i64]) -> Result<Vec<Option<Value>>, StoreError> {
        self.store.look_up(pin, series, times)
    }

    fn scan(&self, pin: &Pin, series: SeriesId, range: TimeRange, sink: &mut Sink<'_>) -> Result<(), StoreError> {
        self.store.scan(pin, series, range, sink)
    }

    fn scan_back(&self, pin: &Pin, series: SeriesId, range: TimeRange, sink: &mut Sink<'_>) -> Result<(), StoreError> {
        self.before_scan_back.as_ref().map_or(Ok(()), |before| before())?;
        self.store.scan_back(pin, series, range, sink)
    }

    fn scan_coarse(
        &self,
        pin: &Pin,
        series: SeriesId,
        range: TimeRange,
        coarse: Coarse<'_>,
        sink: &mut PieceSink<'_>,
    ) -> Result<(), StoreError> {
        let Some(summary) = &self.gone else { return self.store.scan_coarse(pin, series, range, coarse, sink) };
        let has_enough = range.contains(summary.start) && !sink(Piece::Summary { summary, is_gone: true });
        if has_enough { Ok(()) } else { self.store.scan(pin, series, range, &mut |block| sink(Piece::Points(block))) }
    }

    fn count(&self, pin: &Pin, series: SeriesId, range: TimeRange) -> Result<u64, StoreError> {
        self.store.count(pin, series, range)
    }

    fn stats(&self) -> StoreStats {
        self.store.stats()
    }
}
