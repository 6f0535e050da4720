//! Commits that a start reads back of the log, many at a time. Their readings stay packed as they are in the record; beside them stands
//! where each run of one series begins, in a list for each share of the series. So who fills a share unpacks its own runs, and reads
//! nothing of the others: what one core wrote costs another dearly to look at.

use std::hint;
use std::ops::Range;

use telltale_wire::reader::Reader;

use crate::head::PAGE;
use crate::log::{self, Unpacked};
use crate::model::{Commit, Reading, SeriesDef, SeriesId, TimeNs, Value, ValueType};

/// Into so many shares the series are cut, page by page in turn: one for each thread that fills the head.
pub const SHARES: usize = 2;

const MAX_READINGS: usize = 500_000;
const MAX_RUNS: usize = 100_000;
const MAX_COMMITS: usize = 8192;
const MAX_BYTES: usize = 4 << 20;

/// Runs, or readings of fewer, that are unpacked at a time.
const RUNS: usize = 256;
const READINGS: usize = 4096;

const CHECKED: &str = "a run was gone past as it is unpacked when its record was read";

#[derive(Debug, Default)]
pub struct Replayed {
    /// Without their readings.
    commits: Vec<Commit>,
    /// The bodies of their records, one behind the other.
    bodies: Vec<u8>,
    runs: [Vec<Packed>; SHARES],
    /// Where each commit ends.
    ends: Vec<End>,
    readings: usize,
}

#[derive(Clone, Copy, Debug, Default)]
struct End {
    body: usize,
    runs: [usize; SHARES],
    readings: usize,
}

/// Where a run of one series begins.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Packed {
    series: SeriesId,
    at: u32,
    /// The time that the first of its times builds on.
    before: TimeNs,
    received: TimeNs,
}

/// Readings of one series of one batch, in the order in which they came.
#[derive(Clone, Copy, Debug)]
pub struct Stretch<'a> {
    pub series: SeriesId,
    pub received: TimeNs,
    pub times: &'a [TimeNs],
    pub values: Column<'a>,
}

#[derive(Clone, Copy, Debug)]
pub enum Column<'a> {
    Float(&'a [f64]),
    Int(&'a [i64]),
    Other(&'a [Value]),
}

impl Column<'_> {
    #[must_use]
    pub fn value(&self, i: usize) -> Value {
        match self {
            Self::Float(v) => Value::Float(v[i]),
            Self::Int(v) => Value::Int(v[i]),
            Self::Other(v) => v[i].clone(),
        }
    }

    #[must_use]
    pub fn cut(&self, range: Range<usize>) -> Self {
        match self {
            Self::Float(v) => Self::Float(&v[range]),
            Self::Int(v) => Self::Int(&v[range]),
            Self::Other(v) => Self::Other(&v[range]),
        }
    }
}

impl Stretch<'_> {
    pub fn readings(&self) -> impl Iterator<Item = Reading> {
        let Self { series, times, values, .. } = *self;
        times.iter().enumerate().map(move |(i, time)| Reading { series, time: *time, value: values.value(i) })
    }
}

/// Which share a series is in.
fn share_of(series: SeriesId) -> usize {
    series.index() / PAGE % SHARES
}

impl Replayed {
    #[must_use]
    pub fn commits(&self) -> &[Commit] {
        &self.commits
    }

    #[must_use]
    pub fn readings(&self) -> usize {
        self.readings
    }

    /// So much is worth to be taken together, and no more.
    #[must_use]
    pub fn is_full(&self) -> bool {
        let runs = self.runs.iter().map(Vec::len).sum::<usize>();
        self.readings >= MAX_READINGS || runs >= MAX_RUNS || self.commits.len() >= MAX_COMMITS || self.bodies.len() >= MAX_BYTES
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.commits.is_empty()
    }

    /// What follows each other in the log belongs to many series, and each is far away in memory: from here on the runs of a series are
    /// taken one after the other, those of all commits. So commits are only asked for together.
    pub fn by_series(&mut self) {
        self.runs.iter_mut().for_each(|runs| runs.sort_by_key(|packed| packed.series));
    }

    /// The readings of these commits, of the series of one share, some runs at a time.
    pub(crate) fn unpack(&self, share: usize, commits: Range<usize>, room: &mut Unpacked, mut some: impl FnMut(&Unpacked)) {
        let runs = &self.runs[share][self.end(commits.start).runs[share]..self.end(commits.end).runs[share]];
        for runs in runs.chunks(RUNS) {
            // What is far away is fetched for all of them at once, and not one after the other.
            hint::black_box(runs.iter().map(|packed| usize::from(self.bodies[packed.at as usize])).sum::<usize>());
            for packed in runs {
                self.unpack_run(packed, room);
                if room.readings() >= READINGS {
                    some(room);
                    room.clear();
                }
            }
            some(room);
            room.clear();
        }
    }

    /// The series of a commit's readings. Some come more than once.
    pub fn series(&self, commit: usize) -> impl Iterator<Item = SeriesId> {
        self.packed(commit).map(|packed| packed.series)
    }

    /// Of the first reading of a series in a commit.
    #[must_use]
    pub fn value_type(&self, commit: usize, series: SeriesId) -> Option<ValueType> {
        let mut room = Unpacked::default();
        self.unpack_run(self.packed(commit).find(|packed| packed.series == series)?, &mut room);
        Some(room.stretches().next()?.values.value(0).value_type())
    }

    /// Adds a definition that a commit lacks.
    pub fn define(&mut self, commit: usize, def: SeriesDef) {
        self.commits[commit].series.push(def);
    }

    /// One of the commits with its readings.
    #[must_use]
    pub fn whole(&self, at: usize) -> Commit {
        let commit = &self.commits[at];
        let body = &self.bodies[self.end(at).body..self.end(at + 1).body];
        Commit { readings: log::readings(commit.position, body).expect(CHECKED), ..commit.clone() }
    }

    /// Keeps the room.
    pub fn clear(&mut self) {
        self.commits.clear();
        self.bodies.clear();
        self.ends.clear();
        self.forget_runs();
    }

    fn unpack_run(&self, packed: &Packed, room: &mut Unpacked) {
        let mut r = Reader::new(&self.bodies[packed.at as usize..]);
        log::unpack(&mut r, packed.series, (packed.before, packed.received), room).expect(CHECKED);
    }

    fn packed(&self, commit: usize) -> impl Iterator<Item = &Packed> {
        let (start, end) = (self.end(commit).runs, self.end(commit + 1).runs);
        self.runs.iter().zip(start.into_iter().zip(end)).flat_map(|(runs, (start, end))| &runs[start..end])
    }

    /// Where so many commits end.
    fn end(&self, commits: usize) -> End {
        commits.checked_sub(1).map_or(End::default(), |last| self.ends[last])
    }
}

/// What the decoder of a record does.
impl Replayed {
    /// The next run of so many readings, `at` in the body of a commit that is pushed when all its runs are known.
    pub(crate) fn run(&mut self, series: SeriesId, at: usize, (before, received): (TimeNs, TimeNs), readings: usize) {
        let at = u32::try_from(self.bodies.len() + at).expect("a commit is bounded far below 4 GiB");
        self.runs[share_of(series)].push(Packed { series, at, before, received });
        self.readings += readings;
    }

    /// Runs that no commit has come to.
    pub(crate) fn forget_runs(&mut self) {
        let end = self.end(self.commits.len());
        self.runs.iter_mut().zip(end.runs).for_each(|(runs, end)| runs.truncate(end));
        self.readings = end.readings;
    }

    /// The runs since the commit before are its own.
    pub(crate) fn push(&mut self, commit: Commit, body: &[u8]) {
        self.commits.push(commit);
        self.bodies.extend_from_slice(body);
        self.ends.push(End { body: self.bodies.len(), runs: self.runs.each_ref().map(Vec::len), readings: self.readings });
    }
}

#[cfg(test)]
impl Replayed {
    /// What the decoder makes of the records of these.
    pub(crate) fn of(commits: &[Commit]) -> Self {
        let mut replayed = Self::default();
        commits.iter().for_each(|commit| replayed.add(commit));
        replayed
    }

    pub(crate) fn add(&mut self, commit: &Commit) {
        log::write_and_read(commit, self);
    }
}
