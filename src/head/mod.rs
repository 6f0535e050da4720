//! The head: recent readings per series in memory, and last known values beside them. The writer applies each commit here
//! after it is durable; queries and live read views.
//!
//! Invariants: the head only ever holds what is in the log on disk. A view is the state at exactly one position: a commit is
//! applied whole under the write lock. Views share blocks, so the lock is held for a handful of pointer copies per series.

mod column;

use parking_lot::RwLock;

pub use column::{Column, ColumnView};

use crate::model::{Commit, Position, SeriesId, TimeNs, TimeRange, Value};

/// The newest value of a series by event time.
#[derive(Clone, Debug, PartialEq)]
pub struct LastKnown {
    pub time: TimeNs,
    pub value: Value,
    /// Receive time of the last reading of the series, whatever its event time.
    pub seen: TimeNs,
    /// Event time at which the value became what it is.
    pub changed: TimeNs,
}

#[derive(Debug, Default)]
struct SeriesHead {
    column: Column,
    last: Option<LastKnown>,
}

#[derive(Debug, Default)]
struct State {
    position: Position,
    series: Vec<SeriesHead>,
    points: usize,
}

#[derive(Debug, Default)]
pub struct Head(RwLock<State>);

/// Many series at one position.
#[derive(Debug)]
pub struct HeadView {
    pub position: Position,
    /// In the order asked for.
    pub columns: Vec<ColumnView>,
}

impl Head {
    /// Applies a durable commit. `then` runs before any reader can see it: the place to make the commit reachable for
    /// those who will see its position in a view.
    pub fn apply(&self, commit: &Commit, then: impl FnOnce()) {
        let mut state = self.0.write();
        debug_assert!(state.position < commit.position, "commits are applied in order, once");
        for delete in &commit.deletes {
            state.delete(delete.series, delete.from, delete.to);
        }
        for (part, readings) in commit.batches() {
            for reading in readings {
                state.put(reading.series, reading.time, &reading.value, part.received);
            }
        }
        state.position = commit.position;
        then();
    }

    /// A series was heard of again though nothing changed (a duplicate): moves only `seen`. Not logged, so it is lost by a restart.
    pub fn seen(&self, ids: impl IntoIterator<Item = SeriesId>, at: TimeNs) {
        let mut state = self.0.write();
        for id in ids {
            if let Some(last) = state.series.get_mut(id.index()).and_then(|s| s.last.as_mut()) {
                last.seen = last.seen.max(at);
            }
        }
    }

    #[must_use]
    pub fn position(&self) -> Position {
        self.0.read().position
    }

    #[must_use]
    pub fn points(&self) -> usize {
        self.0.read().points
    }

    /// Answers several look-ups under one lock.
    pub fn with_reader<T>(&self, ask: impl FnOnce(&HeadReader<'_>) -> T) -> T {
        ask(&HeadReader(&self.0.read()))
    }

    #[must_use]
    pub fn view(&self, ids: &[SeriesId], range: TimeRange) -> HeadView {
        self.with_reader(|head| HeadView { position: head.position(), columns: ids.iter().map(|id| head.view(*id, range)).collect() })
    }

    /// Last known values in the order asked for, all at one position.
    #[must_use]
    pub fn last(&self, ids: &[SeriesId]) -> (Position, Vec<Option<LastKnown>>) {
        self.with_reader(|head| (head.position(), ids.iter().map(|id| head.last(*id).cloned()).collect()))
    }
}

/// The head under its read lock. Keep it short: the writer waits.
#[derive(Debug)]
pub struct HeadReader<'a>(&'a State);

impl HeadReader<'_> {
    #[must_use]
    pub fn position(&self) -> Position {
        self.0.position
    }

    #[must_use]
    pub fn newest_time(&self, id: SeriesId) -> Option<TimeNs> {
        Some(self.0.series.get(id.index())?.last.as_ref()?.time)
    }

    #[must_use]
    pub fn look_up(&self, id: SeriesId, time: TimeNs) -> Option<Value> {
        self.0.series.get(id.index())?.column.look_up(time)
    }

    #[must_use]
    pub fn last(&self, id: SeriesId) -> Option<&LastKnown> {
        self.0.series.get(id.index())?.last.as_ref()
    }

    #[must_use]
    pub fn view(&self, id: SeriesId, range: TimeRange) -> ColumnView {
        self.0.series.get(id.index()).map_or_else(ColumnView::empty, |s| s.column.view(range))
    }

    #[must_use]
    pub fn points(&self, id: SeriesId) -> usize {
        self.0.series.get(id.index()).map_or(0, |s| s.column.points())
    }

    #[must_use]
    pub fn oldest_time(&self, id: SeriesId) -> Option<TimeNs> {
        self.0.series.get(id.index())?.column.oldest_time()
    }
}

impl State {
    fn put(&mut self, id: SeriesId, time: TimeNs, value: &Value, received: TimeNs) {
        if self.series.len() <= id.index() {
            self.series.resize_with(id.index() + 1, SeriesHead::default);
        }
        let series = &mut self.series[id.index()];
        let replaced = series.column.put(time, value.clone(), received);
        self.points += usize::from(replaced.is_none());
        match &mut series.last {
            None => series.last = Some(LastKnown { time, value: value.clone(), seen: received, changed: time }),
            Some(last) => {
                last.seen = last.seen.max(received);
                if time > last.time {
                    if last.value != *value {
                        last.changed = time;
                    }
                    last.time = time;
                    last.value = value.clone();
                } else {
                    last.correct(&series.column, time, value);
                }
            }
        }
    }

    fn delete(&mut self, id: SeriesId, from: TimeNs, to: TimeNs) {
        let Some(series) = self.series.get_mut(id.index()) else {
            return;
        };
        let before = series.column.points();
        series.column.remove(from, to);
        self.points -= before - series.column.points();
        series.settle_last();
    }
}

impl SeriesHead {
    /// After a write into the past: the newest value and since when it holds, read anew from the newest points back.
    fn settle_last(&mut self) {
        let Some((time, value)) = self.column.newest() else {
            self.last = None;
            return;
        };
        let Some(last) = &mut self.last else { return };
        last.time = time;
        last.changed = self.column.run_start(&value, time).unwrap_or(time);
        last.value = value;
    }
}

impl LastKnown {
    /// A point at or before the newest was written. Walks only what the write changed: a late flood stays linear.
    fn correct(&mut self, column: &Column, time: TimeNs, value: &Value) {
        if time == self.time {
            self.value = value.clone();
            self.changed = column.run_start(value, time).unwrap_or(time);
        } else if time >= self.changed {
            if *value != self.value {
                self.changed = column.next_time(time).unwrap_or(self.time);
            }
        } else if *value == self.value && column.next_time(time) == Some(self.changed) {
            self.changed = column.run_start(value, time).unwrap_or(time);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{BatchPart, Delete, Reading};

    fn commit(position: u64, received: TimeNs, readings: &[(TimeNs, i64)]) -> Commit {
        Commit {
            position: Position(position),
            parts: vec![BatchPart { agent: None, received, end: readings.len() }],
            readings: readings.iter().map(|&(time, v)| Reading { series: SeriesId(3), time, value: Value::Int(v) }).collect(),
            ..Commit::default()
        }
    }

    #[test]
    fn last_known_follows_event_time_and_tells_when_it_changed() {
        let head = Head::default();
        let last = |head: &Head| {
            let last = head.last(&[SeriesId(3)]).1[0].clone().unwrap();
            (last.time, last.value, last.seen, last.changed)
        };
        head.apply(&commit(1, 100, &[(10, 1), (20, 2), (30, 2)]), || ());
        assert_eq!(last(&head), (30, Value::Int(2), 100, 20));
        head.apply(&commit(2, 101, &[(5, 9)]), || ());
        assert_eq!(last(&head), (30, Value::Int(2), 101, 20), "a late reading moves seen alone");
        head.apply(&commit(3, 102, &[(25, 7)]), || ());
        assert_eq!(last(&head), (30, Value::Int(2), 102, 30), "a late reading can move changed");
        head.apply(
            &Commit { position: Position(4), deletes: vec![Delete { series: SeriesId(3), from: 30, to: 30 }], ..Commit::default() },
            || (),
        );
        assert_eq!(last(&head), (25, Value::Int(7), 102, 25), "a delete repairs the last known value");
        assert_eq!(head.points(), 4);
        head.apply(&commit(5, 103, &[(24, 7)]), || ());
        assert_eq!(last(&head), (25, Value::Int(7), 103, 24), "a late equal value before the run lengthens it");
    }
}
