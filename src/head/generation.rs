//! What was committed between two seals: columns by series, and the deletes, which hide what lies below. One generation is active;
//! while it is sealed into the store it is frozen, and the next is active.

use rustc_hash::FxHashMap;

use super::column::{Column, Grown};
use super::columns::{Columns, Page};
use super::runs::Run;
use crate::boots::Boots;
use crate::model::{AgentSeq, Commit, Delete, Position, SeriesId, TimeNs};
use crate::store::{Handover, PositionedDelete, SeriesRun};

/// Ranges, both ends inside, in which what lies below is gone. By start, without overlap.
pub(super) type Hidden = Vec<(TimeNs, TimeNs)>;

#[derive(Debug, Default)]
pub struct Generation {
    /// The newest commit in it.
    pub(super) up_to: Position,
    columns: Columns,
    deletes: Vec<PositionedDelete>,
    hidden: FxHashMap<SeriesId, Hidden>,
    /// Series that were defined, or whose unit or kind changed.
    described: Vec<SeriesId>,
    boots: Boots,
    points: usize,
    bytes: usize,
}

impl Generation {
    pub(super) fn put(&mut self, run: Run<'_>, received: TimeNs) {
        let grown = self.columns.get_or_make(run.series).put_run(run, received);
        self.grew(grown);
    }

    pub(super) fn column_mut(&mut self, id: SeriesId) -> &mut Column {
        self.columns.get_or_make(id)
    }

    /// Its columns, until they are set again.
    pub(super) fn take_pages(&mut self) -> Vec<Option<Page>> {
        self.columns.take_pages()
    }

    pub(super) fn set_pages(&mut self, pages: Vec<Option<Page>>) {
        self.columns.set_pages(pages);
    }

    /// Somebody put so much into the columns.
    pub(super) fn grew(&mut self, Grown { points, bytes }: Grown) {
        self.points += points;
        self.bytes += bytes;
    }

    pub(super) fn delete(&mut self, position: Position, delete: Delete) {
        self.deletes.push(PositionedDelete { position, delete });
        hide(self.hidden.entry(delete.series).or_default(), delete.from, delete.to);
        if let Some(column) = self.columns.get_mut(delete.series) {
            self.points -= column.remove(delete.from, delete.to);
        }
    }

    /// What a commit says beside its readings and deletes.
    pub(super) fn note(&mut self, commit: &Commit) {
        self.described.extend(commit.series.iter().map(|def| def.id));
        self.described.extend(commit.meta.iter().map(|change| change.series));
        for agent in commit.parts.iter().filter_map(|part| part.agent.as_ref()) {
            // What is forgotten here is forgotten by all, for others that sent after it.
            self.boots.note(agent, commit.position);
        }
    }

    pub(super) fn column(&self, id: SeriesId) -> Option<&Column> {
        self.columns.get(id)
    }

    /// The ranges in which this generation hides what lies below it.
    pub(super) fn hidden(&self, id: SeriesId) -> &[(TimeNs, TimeNs)] {
        if self.hidden.is_empty() {
            return &[];
        }
        self.hidden.get(&id).map_or(&[], Vec::as_slice)
    }

    pub(super) fn hides(&self, id: SeriesId, time: TimeNs) -> bool {
        self.hidden(id).iter().any(|(from, to)| (*from..=*to).contains(&time))
    }

    /// Each series that has points here, with the newest of their times.
    pub(super) fn newest_times(&self) -> impl Iterator<Item = (SeriesId, TimeNs)> + '_ {
        self.series().filter_map(|(id, column)| Some((id, column.newest_time()?)))
    }

    fn series(&self) -> impl Iterator<Item = (SeriesId, &Column)> {
        self.columns.iter()
    }

    #[must_use]
    pub fn up_to(&self) -> Position {
        self.up_to
    }

    #[must_use]
    pub fn points(&self) -> usize {
        self.points
    }

    /// About its bytes in memory.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Series that were defined, or whose unit or kind changed.
    #[must_use]
    pub fn described(&self) -> Vec<SeriesId> {
        let mut ids = self.described.clone();
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    #[must_use]
    pub fn newest_time(&self, id: SeriesId) -> Option<TimeNs> {
        self.column(id)?.newest_time()
    }

    /// The newest sequence of each agent and boot, and the commit that brought its last batch.
    pub fn agents(&self) -> impl Iterator<Item = (AgentSeq, Position)> + '_ {
        self.boots.iter()
    }

    /// Series whose last known value may have changed.
    #[must_use]
    pub fn touched(&self) -> Vec<SeriesId> {
        let mut ids: Vec<_> = self.series().map(|(id, _)| id).chain(self.hidden.keys().copied()).collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    /// As the store takes it.
    #[must_use]
    pub fn handover(&self) -> Handover<'_> {
        let runs = self.series().map(|(series, column)| SeriesRun { series, blocks: column.blocks() }).collect();
        Handover { up_to: self.up_to, runs, deletes: &self.deletes }
    }
}

/// Adds a range, united with those it touches.
pub(super) fn hide(hidden: &mut Hidden, mut from: TimeNs, mut to: TimeNs) {
    if from > to {
        return;
    }
    hidden.retain(|(f, t)| {
        let apart = *t < from || *f > to;
        if !apart {
            from = from.min(*f);
            to = to.max(*t);
        }
        apart
    });
    hidden.insert(hidden.partition_point(|(f, _)| *f < from), (from, to));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_ranges_unite() {
        let mut hidden = Hidden::new();
        for (from, to) in [(10, 20), (40, 50), (5, 7), (15, 30), (9, 8), (30, 45)] {
            hide(&mut hidden, from, to);
        }
        assert_eq!(hidden, [(5, 7), (10, 50)]);
        hide(&mut hidden, i64::MIN, i64::MAX);
        assert_eq!(hidden, [(i64::MIN, i64::MAX)]);
    }
}
