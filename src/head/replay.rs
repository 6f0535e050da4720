//! Many commits at once, at a start. Nobody reads yet, so the series are shared out between two threads, page by page, for as long as
//! commits come: each unpacks its own readings and goes on at its own pace, and neither begins anew with each batch. What a series gets
//! is in the order of the log.

use std::hint;
use std::ops::Range;
use std::sync::{Arc, mpsc};

use super::column::{Column, Grown};
use super::columns::{PAGE, Page, new_page};
use super::runs;
use super::{Head, LastKnown, SeriesState, State, state_of};
use crate::log::Unpacked;
use crate::model::SeriesId;
use crate::replayed::{Column as Values, Replayed, SHARES, Stretch};

/// Batches that the other thread may be behind.
const BEHIND: usize = 1;

impl Head {
    /// Applies commits that have no deletes: these of `replayed`. As `apply` one after the other.
    pub fn apply_many(&self, replayed: &Replayed, commits: Range<usize>) {
        let mut state = self.state.write();
        state.note_many(replayed, commits.clone());
        let State { active, series, .. } = &mut *state;
        let mut room = Unpacked::default();
        for share in 0..SHARES {
            replayed.unpack(share, commits.clone(), &mut room, |some| {
                for stretch in some.stretches() {
                    let grown = put_stretch(active.column_mut(stretch.series), state_of(series, stretch.series), &stretch);
                    active.grew(grown);
                }
            });
        }
    }

    /// The same for batch after batch, as long as `next` has one, on two threads. `done` has each back, on either of them.
    pub fn fill(&self, mut next: impl FnMut() -> Option<Replayed>, done: impl Fn(Replayed) + Sync) {
        let mut state = self.state.write();
        let [mut own, mut other] = state.share_out();
        let done = &done;
        let shares = std::thread::scope(|scope| {
            let (sender, receiver) = mpsc::sync_channel(BEHIND);
            let beside = scope.spawn(move || {
                receiver.iter().for_each(|batch| other.put(batch, done));
                other
            });
            while let Some(replayed) = next() {
                state.note_many(&replayed, 0..replayed.commits().len());
                let batch = Arc::new(replayed);
                if sender.send(Arc::clone(&batch)).is_err() {
                    // It panicked, and so does this thread below.
                    break;
                }
                own.put(batch, done);
            }
            drop(sender);
            [own, beside.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))]
        });
        state.put_together(shares);
    }
}

impl State {
    /// All of commits but their readings.
    fn note_many(&mut self, replayed: &Replayed, commits: Range<usize>) {
        for commit in &replayed.commits()[commits] {
            debug_assert!(self.position < commit.position, "commits are applied in order, once");
            debug_assert!(commit.deletes.is_empty(), "a delete may change last known values");
            self.active.note(commit);
            (self.position, self.active.up_to) = (commit.position, commit.position);
        }
    }

    fn share_out(&mut self) -> [Share; SHARES] {
        let (pages, series) = (self.active.take_pages(), std::mem::take(&mut self.series));
        let count = pages.len().max(series.len().div_ceil(PAGE));
        let (mut pages, mut series) = (pages.into_iter(), series.into_iter());
        let mut shares = std::array::from_fn(|at| Share {
            at,
            parts: Vec::with_capacity(count / SHARES + 1),
            grown: Grown::default(),
            room: Unpacked::default(),
        });
        for page in 0..count {
            let part = Part { columns: pages.next().flatten(), series: series.by_ref().take(PAGE).collect() };
            shares[page % SHARES].parts.push(part);
        }
        shares
    }

    fn put_together(&mut self, shares: [Share; SHARES]) {
        let last = |share: &Share| share.parts.len().checked_sub(1).map(|last| last * SHARES + share.at);
        let count = shares.iter().filter_map(last).max().map_or(0, |last| last + 1);
        shares.iter().for_each(|share| self.active.grew(share.grown));
        let mut parts = shares.map(|share| share.parts.into_iter());
        let mut pages = Vec::with_capacity(count);
        self.series.reserve_exact(count * PAGE);
        for page in 0..count {
            let Part { columns, series } = parts[page % SHARES].next().unwrap_or_default();
            pages.push(columns);
            self.series.extend(series);
            self.series.resize_with((page + 1) * PAGE, SeriesState::default);
        }
        self.active.set_pages(pages);
    }
}

/// The series of each page whose number leaves `at` when it is divided by the threads.
struct Share {
    at: usize,
    parts: Vec<Part>,
    grown: Grown,
    room: Unpacked,
}

/// The series of a page.
#[derive(Default)]
struct Part {
    columns: Option<Page>,
    series: Vec<SeriesState>,
}

impl Share {
    /// Puts what is its own of a batch in its places.
    fn put(&mut self, batch: Arc<Replayed>, done: &impl Fn(Replayed)) {
        let mut room = std::mem::take(&mut self.room);
        batch.unpack(self.at, 0..batch.commits().len(), &mut room, |some| self.put_some(some));
        self.room = room;
        // The last who has it gives it back.
        if let Some(batch) = Arc::into_inner(batch) {
            done(batch);
        }
    }

    /// First it is looked where each series stands: what is far away for one is fetched while the next is asked for.
    fn put_some(&mut self, some: &Unpacked) {
        let mut before = None;
        for stretch in some.stretches().filter(|stretch| before.replace(stretch.series) != Some(stretch.series)) {
            let (column, series) = self.of(stretch.series);
            hint::black_box((column.newest(), series.last.as_ref().map(|last| last.changed)));
        }
        for stretch in some.stretches() {
            let (column, series) = self.of(stretch.series);
            let grown = put_stretch(column, series, &stretch);
            self.grown += grown;
        }
    }

    fn of(&mut self, id: SeriesId) -> (&mut Column, &mut SeriesState) {
        let part = id.index() / PAGE / SHARES;
        if self.parts.len() <= part {
            self.parts.resize_with(part + 1, Part::default);
        }
        let Part { columns, series } = &mut self.parts[part];
        if series.len() < PAGE {
            series.resize_with(PAGE, SeriesState::default);
        }
        let place = id.index() % PAGE;
        (&mut columns.get_or_insert_with(new_page)[place], &mut series[place])
    }
}

fn put_stretch(column: &mut Column, series: &mut SeriesState, stretch: &Stretch<'_>) -> Grown {
    let Stretch { received, times, values, .. } = *stretch;
    let in_order =
        times.is_sorted_by(|a, b| a < b) && column.newest_time().is_none_or(|newest| times.first().is_some_and(|first| newest < *first));
    if !in_order || matches!(values, Values::Other(_)) {
        let readings: Vec<_> = stretch.readings().collect();
        let mut sum = Grown::default();
        runs::by_series(&readings, |run| {
            sum += column.put_run(run.clone(), received);
            series.put(run, received);
        });
        return sum;
    }
    match &mut series.last {
        Some(last) => last.put_stretch(stretch),
        None => {
            let mut last = LastKnown::first(times[0], values.value(0), received);
            last.put_stretch(&Stretch { times: &times[1..], values: values.cut(1..times.len()), ..*stretch });
            series.last = Some(last);
        }
    }
    column.extend(times, values, received)
}
