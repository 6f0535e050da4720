//! The head: what was committed since the last seal, per series in memory, and last known values beside it. The writer
//! applies each commit here after it is durable; queries and live read views; the sealer freezes a generation and drops it
//! when the store has it.
//!
//! Invariants: the head only ever holds what is in the log on disk. A view is the state at exactly one position: a commit is
//! applied whole under the write lock. Views share blocks, so the lock is held for a handful of pointer copies per series. The
//! store has all up to `sealed`; a generation is dropped in the same moment as `sealed` moves to its end.

mod column;
mod columns;
mod generation;
mod last;
mod overlay;
mod replay;
mod runs;
mod view;

use std::sync::Arc;

use parking_lot::RwLock;
use runs::Run;

pub(crate) use columns::PAGE;
pub use generation::Generation;
pub use last::LastKnown;
pub use view::{ColumnView, Layers};

use crate::model::{Commit, Position, SeriesId, TimeNs, TimeRange, Value};
use crate::store::{Pin, Pins};

#[derive(Debug)]
struct SeriesState {
    last: Option<LastKnown>,
    /// The newest time that the store may hold of it.
    stored_until: TimeNs,
}

impl Default for SeriesState {
    fn default() -> Self {
        Self { last: None, stored_until: TimeNs::MIN }
    }
}

#[derive(Debug, Default)]
struct State {
    position: Position,
    sealed: Position,
    series: Vec<SeriesState>,
    active: Generation,
    frozen: Option<Arc<Generation>>,
}

#[derive(Debug, Default)]
pub struct Head {
    state: RwLock<State>,
    pins: Arc<Pins>,
}

/// Many series at one position.
#[derive(Debug)]
pub struct HeadView {
    pub position: Position,
    /// For scans of the store at the same position.
    pub pin: Pin,
    /// In the order asked for.
    pub columns: Vec<ColumnView>,
}

/// What the head knows about one time of a series.
#[derive(Clone, Debug, PartialEq)]
pub enum LookUp {
    Found(Value),
    /// Nothing stands there.
    Nothing,
    /// Nothing here; the store may have it.
    AskStore,
}

/// What the last known value is after the deletes of a commit, where they took the newest point.
pub type Repair = (SeriesId, Option<(TimeNs, Value)>);

impl Head {
    /// What holds of a series as of the last seal, read from the catalog before the log is replayed.
    pub fn restore(&self, id: SeriesId, last: Option<LastKnown>, stored_until: TimeNs) {
        *self.state.write().series_mut(id) = SeriesState { last, stored_until };
    }

    /// Everything up to here is in the store: where a start begins to replay the log.
    pub fn start_at(&self, sealed: Position) {
        let mut state = self.state.write();
        (state.position, state.sealed, state.active.up_to) = (sealed, sealed, sealed);
    }

    /// Applies a durable commit. `repairs` are the last known values that its deletes leave. `then` runs before any reader can see
    /// it: the place to make the commit reachable for those who will see its position in a view.
    pub fn apply(&self, commit: &Commit, repairs: &[Repair], then: impl FnOnce()) {
        let mut state = self.state.write();
        debug_assert!(state.position < commit.position, "commits are applied in order, once");
        state.active.note(commit);
        for delete in &commit.deletes {
            state.active.delete(commit.position, *delete);
            if let Some(last) = &mut state.series_mut(delete.series).last {
                last.deleted(delete.from, delete.to);
            }
        }
        for (id, newest) in repairs {
            let last = &mut state.series_mut(*id).last;
            let seen = last.as_ref().map_or(TimeNs::MIN, |last| last.seen);
            *last = newest.clone().map(|(time, value)| LastKnown { time, value, seen, changed: time, settled: false });
        }
        for (part, readings) in commit.batches() {
            runs::by_series(readings, |run| state.put(run, part.received));
        }
        state.position = commit.position;
        state.active.up_to = commit.position;
        then();
    }

    /// A series was heard of again though nothing changed (a duplicate): moves only `seen`. Not logged, so it is lost by a restart.
    pub fn seen(&self, ids: impl IntoIterator<Item = SeriesId>, at: TimeNs) {
        let mut state = self.state.write();
        for id in ids {
            if let Some(last) = state.series.get_mut(id.index()).and_then(|s| s.last.as_mut()) {
                last.seen = last.seen.max(at);
            }
        }
    }

    /// Somebody looked up since when the value holds. Taken if it still is the same value at the same time.
    pub fn settle(&self, id: SeriesId, asked: &LastKnown, changed: TimeNs) {
        let mut state = self.state.write();
        if let Some(last) = state.series.get_mut(id.index()).and_then(|s| s.last.as_mut())
            && (last.time, last.changed, last.settled) == (asked.time, asked.changed, asked.settled)
            && last.value == asked.value
        {
            (last.changed, last.settled) = (changed, true);
        }
    }

    /// Sets the active generation aside to be sealed. While one is frozen, that one again. None: all is sealed.
    pub fn freeze(&self) -> Option<Arc<Generation>> {
        let mut state = self.state.write();
        if state.frozen.is_none() && state.position > state.sealed {
            let up_to = state.position;
            let full = std::mem::take(&mut state.active);
            state.active.up_to = up_to;
            state.frozen = Some(Arc::new(full));
        }
        state.frozen.clone()
    }

    /// The store and the catalog have the frozen generation: from now on readers find it there.
    pub fn sealed(&self, generation: &Generation) {
        let mut state = self.state.write();
        for (id, newest) in generation.newest_times() {
            let stored_until = &mut state.series_mut(id).stored_until;
            *stored_until = newest.max(*stored_until);
        }
        state.sealed = generation.up_to;
        let frozen = state.frozen.take();
        drop(state);
        debug_assert!(frozen.is_some_and(|frozen| frozen.up_to == generation.up_to), "the frozen generation is what was sealed");
    }

    #[must_use]
    pub fn position(&self) -> Position {
        self.state.read().position
    }

    /// Everything up to here is in the store.
    #[must_use]
    pub fn sealed_position(&self) -> Position {
        self.state.read().sealed
    }

    /// A generation is being sealed.
    #[must_use]
    pub fn is_frozen(&self) -> bool {
        self.state.read().frozen.is_some()
    }

    #[must_use]
    pub fn pins(&self) -> &Arc<Pins> {
        &self.pins
    }

    #[must_use]
    pub fn points(&self) -> usize {
        let state = self.state.read();
        state.active.points() + state.frozen.as_ref().map_or(0, |frozen| frozen.points())
    }

    /// About the bytes of the active and of the frozen generation.
    #[must_use]
    pub fn bytes(&self) -> (usize, usize) {
        let state = self.state.read();
        (state.active.bytes(), state.frozen.as_ref().map_or(0, |frozen| frozen.bytes()))
    }

    /// Answers several questions under one lock.
    pub fn with_reader<T>(&self, ask: impl FnOnce(&HeadReader<'_>) -> T) -> T {
        ask(&HeadReader { state: &self.state.read(), pins: &self.pins })
    }

    #[must_use]
    pub fn view(&self, ids: &[SeriesId], range: TimeRange) -> HeadView {
        let (position, pin, layers) =
            self.with_reader(|head| (head.position(), head.pin(), ids.iter().map(|id| head.view(*id, range)).collect::<Vec<_>>()));
        HeadView { position, pin, columns: layers.into_iter().map(Layers::merge).collect() }
    }

    /// Last known values in the order asked for, all at one position.
    #[must_use]
    pub fn last(&self, ids: &[SeriesId]) -> (Position, Vec<Option<LastKnown>>) {
        self.with_reader(|head| (head.position(), ids.iter().map(|id| head.last(*id).cloned()).collect()))
    }
}

/// The head under its read lock. Keep it short: the writer waits.
#[derive(Debug)]
pub struct HeadReader<'a> {
    state: &'a State,
    pins: &'a Arc<Pins>,
}

impl HeadReader<'_> {
    #[must_use]
    pub fn position(&self) -> Position {
        self.state.position
    }

    #[must_use]
    pub fn sealed(&self) -> Position {
        self.state.sealed
    }

    /// For scans of the store that go with what is read here.
    #[must_use]
    pub fn pin(&self) -> Pin {
        self.pins.pin_view(self.state.sealed, self.state.position)
    }

    #[must_use]
    pub fn newest_time(&self, id: SeriesId) -> Option<TimeNs> {
        Some(self.last(id)?.time)
    }

    /// The newest time that the store may hold of the series.
    #[must_use]
    pub fn stored_until(&self, id: SeriesId) -> TimeNs {
        self.state.series.get(id.index()).map_or(TimeNs::MIN, |s| s.stored_until)
    }

    #[must_use]
    pub fn look_up(&self, id: SeriesId, time: TimeNs) -> LookUp {
        for generation in std::iter::once(&self.state.active).chain(self.state.frozen.as_deref()) {
            if let Some(value) = generation.column(id).and_then(|column| column.look_up(time)) {
                return LookUp::Found(value);
            }
            if generation.hides(id, time) {
                return LookUp::Nothing;
            }
        }
        if time <= self.stored_until(id) { LookUp::AskStore } else { LookUp::Nothing }
    }

    #[must_use]
    pub fn last(&self, id: SeriesId) -> Option<&LastKnown> {
        self.state.series.get(id.index())?.last.as_ref()
    }

    /// To be merged when the lock is given back.
    #[must_use]
    pub fn view(&self, id: SeriesId, range: TimeRange) -> Layers {
        Layers::of(self.state.frozen.as_deref(), &self.state.active, id, range)
    }
}

impl SeriesState {
    fn put(&mut self, mut run: Run<'_>, received: TimeNs) {
        if self.last.is_none() {
            self.last = run.next().map(|first| LastKnown::first(first.time, first.value.clone(), received));
        }
        if let Some(last) = &mut self.last {
            last.put_run(run, received);
        }
    }
}

impl State {
    fn series_mut(&mut self, id: SeriesId) -> &mut SeriesState {
        state_of(&mut self.series, id)
    }

    fn put(&mut self, run: Run<'_>, received: TimeNs) {
        self.active.put(run.clone(), received);
        self.series_mut(run.series).put(run, received);
    }
}

fn state_of(series: &mut Vec<SeriesState>, id: SeriesId) -> &mut SeriesState {
    if series.len() <= id.index() {
        series.resize_with(id.index() + 1, SeriesState::default);
    }
    &mut series[id.index()]
}

#[cfg(test)]
mod tests;
