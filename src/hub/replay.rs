//! What a start brings back: the state as of the last seal, then the commits of the log behind it. The log is read on one thread, many
//! commits at a time; their readings are unpacked and applied on others.

use std::sync::mpsc;
use std::time::Instant;

use super::OpenHubError;
use crate::catalog::sealed::{LastSeal, Restore, SealedLast, SealedSeries};
use crate::catalog::{Catalog, CatalogError};
use crate::head::{Head, LastKnown};
use crate::ingest::agents::Agents;
use crate::limits::IDS_LOST;
use crate::log::loss::Loss;
use crate::log::recovery::{Each, OpenError, Recovered};
use crate::model::{AgentSeq, Commit, Position, SeriesDef, SeriesId, SeriesKey, TimeNs, TimeRange, TokenId};
use crate::query::last;
use crate::replayed::Replayed;
use crate::series::SeriesTable;
use crate::store::{Store, StoreError};

/// Batches that are read ahead.
const AHEAD: usize = 1;
/// Readings that are worth a second thread.
const SHARED_OUT: usize = 20_000;

/// What the last seal left goes here: where everything begins before the log is read.
pub(super) struct Sealed<'a> {
    pub(super) series: &'a SeriesTable,
    pub(super) head: &'a Head,
    pub(super) agents: &'a Agents,
    pub(super) seal: LastSeal,
    /// Series whose last known value was lost.
    pub(super) lost: Vec<SeriesId>,
}

impl Restore for Sealed<'_> {
    fn seal(&mut self, seal: LastSeal) {
        self.series.reserve(seal.next_series);
        self.head.start_at(seal.up_to);
        self.seal = seal;
    }

    fn series(&mut self, series: SealedSeries) {
        self.series.restore_sealed(&series);
    }

    fn nameless(&mut self, series: SealedSeries) {
        // The id itself may be what is damaged.
        if self.series.by_id(series.def.id).is_none() {
            tracing::error!(name = %series.def.key, "the row of a series in the catalog is damaged: its readings are kept under this name");
            self.series.restore_sealed(&series);
        }
    }

    fn last(&mut self, last: SealedLast) {
        self.head.restore(last.id, last.last, last.stored_until);
    }

    fn lost_last(&mut self, id: SeriesId) {
        self.lost.push(id);
    }

    fn agent(&mut self, agent: AgentSeq, used: Position) {
        self.agents.committed(&agent, used);
    }
}

/// Last known values that the catalog lost: the newest that is stored, seen and changed at its time. The log is read back over them.
pub(super) fn mend_last(head: &Head, store: &dyn Store, sealed: Position, lost: &[SeriesId]) -> Result<(), StoreError> {
    let pin = head.pins().pin(sealed);
    for id in lost {
        let mut newest = None;
        let read = store.scan_back(&pin, *id, TimeRange::ALL, &mut |block| {
            newest = block.last_time().map(|time| (time, block.value(block.len() - 1)));
            newest.is_none()
        });
        match read {
            // A start does not wait for a store that is away.
            Err(StoreError::Away { .. }) => {}
            read => read?,
        }
        tracing::error!(series = id.0, "the last known value of a series in the catalog is damaged: the newest that is stored is taken");
        let stored_until = newest.as_ref().map_or(TimeNs::MIN, |(time, _)| *time);
        let last = newest.map(|(time, value)| LastKnown { time, value, seen: time, changed: time, settled: false });
        head.restore(*id, last, stored_until);
    }
    Ok(())
}

pub(super) struct Replay<'a> {
    pub(super) series: &'a SeriesTable,
    pub(super) head: &'a Head,
    pub(super) store: &'a dyn Store,
    pub(super) agents: &'a Agents,
}

impl Replay<'_> {
    /// `read` hands over one commit after the other.
    pub(super) fn run<T>(&self, read: impl FnOnce(&mut Each<'_>) -> Result<T, OpenError>) -> Result<T, OpenHubError> {
        std::thread::scope(|scope| {
            let (sender, receiver) = mpsc::sync_channel::<Replayed>(AHEAD);
            let (used, room) = mpsc::sync_channel::<Replayed>(AHEAD);
            let applying = scope.spawn(move || self.apply_all(&receiver, &used));
            // Once one could not be applied nobody takes more: that error is the answer.
            let read = read(&mut |replayed, is_all| {
                if is_all || replayed.is_full() {
                    (0..replayed.commits().len()).for_each(|at| self.describe(replayed, at));
                    self.note_agents(replayed);
                    if is_worth_sharing(replayed) {
                        replayed.by_series();
                    }
                    drop(sender.send(std::mem::replace(replayed, room.try_recv().unwrap_or_default())));
                }
            });
            drop(sender);
            applying.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
            Ok(read?)
        })
    }

    fn apply_all(&self, batches: &mpsc::Receiver<Replayed>, used: &mpsc::SyncSender<Replayed>) -> Result<(), StoreError> {
        let give_back = |mut replayed: Replayed| {
            replayed.clear();
            // Full, or the last was read: nobody needs it.
            drop(used.try_send(replayed));
        };
        let mut next = batches.recv().ok();
        while let Some(replayed) = next {
            if is_worth_sharing(&replayed) {
                next = self.apply_shared(replayed, batches, &give_back);
            } else {
                self.apply(&replayed)?;
                give_back(replayed);
                next = batches.recv().ok();
            }
        }
        Ok(())
    }

    /// On two threads, up to a batch with deletes, which is left.
    fn apply_shared(
        &self,
        first: Replayed,
        batches: &mpsc::Receiver<Replayed>,
        give_back: &(impl Fn(Replayed) + Sync),
    ) -> Option<Replayed> {
        let (mut first, mut left) = (Some(first), None);
        let next = || {
            let replayed = first.take().or_else(|| batches.recv().ok())?;
            if has_deletes(&replayed) {
                left = Some(replayed);
                return None;
            }
            Some(replayed)
        };
        self.head.fill(next, give_back);
        left
    }

    fn apply(&self, replayed: &Replayed) -> Result<(), StoreError> {
        let mut start = 0;
        for (at, commit) in replayed.commits().iter().enumerate() {
            if !commit.deletes.is_empty() {
                self.head.apply_many(replayed, start..at);
                self.apply_deletes(&replayed.whole(at))?;
                start = at + 1;
            }
        }
        self.head.apply_many(replayed, start..replayed.commits().len());
        Ok(())
    }

    fn note_agents(&self, replayed: &Replayed) {
        for commit in replayed.commits() {
            for agent in commit.parts.iter().filter_map(|part| part.agent.as_ref()) {
                self.agents.committed(agent, commit.position);
            }
        }
    }

    /// A commit whose deletes may leave other last known values: it is alone.
    fn apply_deletes(&self, commit: &Commit) -> Result<(), StoreError> {
        let repairs = match last::repairs(self.head, Some(self.store), commit) {
            // A start does not wait for a store that is away: what the head knows is taken.
            Err(StoreError::Away { .. }) => last::repairs(self.head, None, commit)?,
            repairs => repairs?,
        };
        self.head.apply(commit, &repairs, || ());
        Ok(())
    }

    /// What a commit says of series.
    fn describe(&self, replayed: &mut Replayed, at: usize) {
        for def in &replayed.commits()[at].series {
            self.series.restore(def, replayed.commits()[at].wall);
        }
        self.name_unknown(replayed, at);
        for change in &replayed.commits()[at].meta {
            self.series.apply_meta(change, replayed.commits()[at].wall);
        }
    }
}

fn is_worth_sharing(replayed: &Replayed) -> bool {
    replayed.readings() >= SHARED_OUT && !has_deletes(replayed)
}

fn has_deletes(replayed: &Replayed) -> bool {
    replayed.commits().iter().any(|commit| !commit.deletes.is_empty())
}

impl Replay<'_> {
    /// Readings of series whose definition was lost with an earlier commit: they are kept under a name that says so. It is put into
    /// the commit, so that a seal brings it to the catalog.
    fn name_unknown(&self, replayed: &mut Replayed, at: usize) {
        let wall = replayed.commits()[at].wall;
        for id in self.series.unknown(replayed.series(at)) {
            let Some(value_type) = replayed.value_type(at, id) else { continue };
            let def = SeriesDef { id, key: SeriesKey::unnamed(id), value_type, owner: TokenId(0) };
            tracing::warn!(series = id.0, name = %def.key, "the name of a series was lost with a commit; its readings are kept under this one");
            self.series.restore(&def, wall);
            replayed.define(at, def);
        }
    }
}

/// Ids that lost commits may have given are not given to other series: the store behind the log, or somebody who asked, may know
/// them. Damage changes the log's epoch before anything else, and an unclear end stays in the log as such, so that this is done again
/// when the start was cut off.
pub(super) fn reserve_ids(catalog: &Catalog, series: &SeriesTable, epoch: u64, recovered: &Recovered) -> Result<(), CatalogError> {
    let before = catalog.series_reserved_in()?;
    let same_epoch = before.filter(|(of, _)| *of == epoch);
    if same_epoch.is_some_and(|(_, lost)| recovered.unclear <= lost) {
        return Ok(());
    }
    let is_loss = before.is_some() || recovered.epoch_changed || recovered.unclear > Position(0);
    let lost = recovered.unclear;
    let next = series.next_id().saturating_add(if is_loss { IDS_LOST } else { 0 });
    catalog.reserve_series((epoch, lost), next)?;
    series.reserve(next);
    Ok(())
}

pub(super) fn report(recovered: &Recovered, began: Instant) {
    for aside in &recovered.set_aside {
        let (segment, kept) = (aside.segment.display(), aside.kept_in.display());
        let (offset, bytes, what) = (aside.offset, aside.bytes, &aside.what);
        match aside.loss {
            Loss::Unfinished => {
                tracing::warn!(%segment, offset, bytes, %kept, "the last commit was not finished; it was not acked, and its bytes are set aside");
            }
            Loss::Unclear => {
                tracing::error!(%segment, offset, bytes, %kept, %what, "the last commit was cut off or is damaged, nobody can tell; the bytes are set aside");
            }
            Loss::Damage => {
                tracing::error!(%segment, offset, bytes, %kept, %what, "the commit log is damaged here; the bytes are set aside and all cursors start anew");
            }
        }
    }
    let took_ms = began.elapsed().as_millis();
    tracing::info!(commits = recovered.commits, bytes = recovered.bytes, clean = recovered.clean, took_ms, "read the commit log");
}

#[cfg(test)]
#[path = "replay_tests.rs"]
mod tests;
