//! Many commits at once, at a start: nobody reads yet, so the series are shared out among threads, page by page. What a series
//! gets is in the order of the log.

use super::column::{Column, Grown};
use super::columns::{PAGE, Page, new_page};
use super::runs;
use super::{Head, LastKnown, SeriesState, State};
use crate::replayed::{Column as Values, Replayed, Stretch};

/// Readings that are worth a second thread.
const SHARED_OUT: usize = 20_000;
/// Threads that put readings in their places. One more decodes.
const THREADS: usize = 2;

impl Head {
    /// Applies commits that have no deletes: these of `replayed`. As `apply` one after the other.
    pub fn apply_many(&self, replayed: &Replayed, commits: std::ops::Range<usize>) {
        let Some(newest) = replayed.commits()[commits.clone()].last() else { return };
        let mut state = self.state.write();
        debug_assert!(state.position < newest.position, "commits are applied in order, once");
        for commit in &replayed.commits()[commits.clone()] {
            debug_assert!(commit.deletes.is_empty(), "a delete may change last known values");
            state.active.note(commit);
        }
        let threads = if replayed.readings() < SHARED_OUT { 1 } else { THREADS };
        state.put_stretches(replayed.stretches(commits), threads);
        state.position = newest.position;
        state.active.up_to = newest.position;
    }
}

impl State {
    fn put_stretches<'a>(&mut self, stretches: impl Iterator<Item = Stretch<'a>> + Clone + Send, threads: usize) {
        let series = stretches.clone().map(|stretch| stretch.series.index() + 1).max().unwrap_or(0);
        if self.series.len() < series {
            self.series.resize_with(series, SeriesState::default);
        }
        let pages =
            self.active.pages_mut(series).iter_mut().zip(self.series.chunks_mut(PAGE)).map(|(columns, series)| Part { columns, series });
        let mut shares: Vec<Vec<Part<'_>>> = (0..threads).map(|_| Vec::new()).collect();
        pages.enumerate().for_each(|(i, page)| shares[i % threads].push(page));
        let grown = std::thread::scope(|scope| {
            let mut shares = shares.into_iter().enumerate();
            let (_, own) = shares.next().expect("there is one thread or more");
            let others: Vec<_> = shares
                .map(|(at, mut share)| {
                    let stretches = stretches.clone();
                    scope.spawn(move || put(stretches, &mut share, at, threads))
                })
                .collect();
            let mut grown = vec![put(stretches, &mut { own }, 0, threads)];
            grown.extend(others.into_iter().map(|other| other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))));
            grown
        });
        grown.into_iter().for_each(|grown| self.active.grew(grown));
    }
}

/// The series of a page.
struct Part<'a> {
    columns: &'a mut Option<Page>,
    series: &'a mut [SeriesState],
}

/// Puts the stretches of each `of`th page, from the `at`th on.
fn put<'a>(stretches: impl Iterator<Item = Stretch<'a>>, share: &mut [Part<'_>], at: usize, of: usize) -> Grown {
    let mut sum = Grown::default();
    for stretch in stretches {
        let (page, place) = (stretch.series.index() / PAGE, stretch.series.index() % PAGE);
        if page % of != at {
            continue;
        }
        let Part { columns, series } = &mut share[page / of];
        let grown = put_stretch(&mut columns.get_or_insert_with(new_page)[place], &mut series[place], &stretch);
        sum.points += grown.points;
        sum.bytes += grown.bytes;
    }
    sum
}

fn put_stretch(column: &mut Column, series: &mut SeriesState, stretch: &Stretch<'_>) -> Grown {
    let Stretch { received, times, values, .. } = *stretch;
    let in_order =
        times.is_sorted_by(|a, b| a < b) && column.newest_time().is_none_or(|newest| times.first().is_some_and(|first| newest < *first));
    if !in_order || matches!(values, Values::Other(_)) {
        let readings: Vec<_> = stretch.readings().collect();
        let mut sum = Grown::default();
        runs::by_series(&readings, |run| {
            let grown = column.put_run(run.clone(), received);
            (sum.points, sum.bytes) = (sum.points + grown.points, sum.bytes + grown.bytes);
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
