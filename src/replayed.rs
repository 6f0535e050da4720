//! Commits that a start reads back of the log, many at a time. Their readings stand in columns as they do in a record, run by run of one
//! series: most are numbers in order, and those are only copied from here on.

use std::ops::Range;

use crate::log::RunSink;
use crate::model::{Commit, Reading, SeriesDef, SeriesId, TimeNs, Value};

#[derive(Debug, Default)]
pub struct Replayed {
    /// Without their readings.
    commits: Vec<Commit>,
    /// Where the runs of each commit end.
    ends: Vec<usize>,
    heads: Vec<Head>,
    times: Vec<TimeNs>,
    floats: Vec<f64>,
    ints: Vec<i64>,
    others: Vec<Value>,
}

#[derive(Clone, Copy, Debug)]
struct Head {
    series: SeriesId,
    form: Form,
    count: usize,
    received: TimeNs,
    /// Where its times and values begin.
    time: usize,
    value: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Float,
    Int,
    Other,
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

impl Replayed {
    #[must_use]
    pub fn commits(&self) -> &[Commit] {
        &self.commits
    }

    #[must_use]
    pub fn readings(&self) -> usize {
        self.times.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.commits.is_empty()
    }

    /// The readings of these commits.
    pub fn stretches(&self, commits: Range<usize>) -> impl Iterator<Item = Stretch<'_>> + Clone {
        self.heads[self.start(commits.start)..self.start(commits.end)].iter().map(|head| {
            let range = head.value..head.value + head.count;
            Stretch {
                series: head.series,
                received: head.received,
                times: &self.times[head.time..head.time + head.count],
                values: match head.form {
                    Form::Float => Column::Float(&self.floats[range]),
                    Form::Int => Column::Int(&self.ints[range]),
                    Form::Other => Column::Other(&self.others[range]),
                },
            }
        })
    }

    /// Adds a definition that a commit lacks.
    pub fn define(&mut self, commit: usize, def: SeriesDef) {
        self.commits[commit].series.push(def);
    }

    /// One of the commits with its readings.
    #[must_use]
    pub fn whole(&self, commit: usize) -> Commit {
        let readings = self.stretches(commit..commit + 1).flat_map(|stretch| stretch.readings().collect::<Vec<_>>()).collect();
        Commit { readings, ..self.commits[commit].clone() }
    }

    /// Keeps the room.
    pub fn clear(&mut self) {
        self.commits.clear();
        self.ends.clear();
        self.forget(&Mark::default());
    }

    fn start(&self, commit: usize) -> usize {
        commit.checked_sub(1).map_or(0, |before| self.ends[before])
    }
}

/// How far it was filled before a commit, of which a part may not be readable.
#[derive(Debug, Default)]
pub(crate) struct Mark([usize; 5]);

/// What the decoder of a record does.
impl Replayed {
    pub(crate) fn mark(&self) -> Mark {
        Mark([self.heads.len(), self.times.len(), self.floats.len(), self.ints.len(), self.others.len()])
    }

    pub(crate) fn forget(&mut self, Mark([heads, times, floats, ints, others]): &Mark) {
        self.heads.truncate(*heads);
        self.times.truncate(*times);
        self.floats.truncate(*floats);
        self.ints.truncate(*ints);
        self.others.truncate(*others);
    }

    /// The runs since the commit before are its own.
    pub(crate) fn push(&mut self, commit: Commit) {
        self.commits.push(commit);
        self.ends.push(self.heads.len());
    }
}

impl RunSink for Replayed {
    fn run(&mut self, series: SeriesId, received: TimeNs, times: &[TimeNs], form: Form) {
        let value = match form {
            Form::Float => self.floats.len(),
            Form::Int => self.ints.len(),
            Form::Other => self.others.len(),
        };
        self.heads.push(Head { series, form, count: times.len(), received, time: self.times.len(), value });
        self.times.extend_from_slice(times);
    }

    #[inline]
    fn float(&mut self, value: f64) {
        self.floats.push(value);
    }

    #[inline]
    fn int(&mut self, value: i64) {
        self.ints.push(value);
    }

    fn other(&mut self, value: Value) {
        self.others.push(value);
    }

    fn readings(&self) -> usize {
        self.times.len()
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
        for (part, readings) in commit.batches() {
            readings.chunk_by(|a, b| a.series == b.series).for_each(|run| self.add_run(run, part.received));
        }
        self.push(Commit { readings: Vec::new(), ..commit.clone() });
    }

    fn add_run(&mut self, readings: &[Reading], received: TimeNs) {
        let times: Vec<_> = readings.iter().map(|reading| reading.time).collect();
        let all = |is: fn(&Value) -> bool| readings.iter().all(|reading| is(&reading.value));
        let form = match () {
            () if all(|v| matches!(v, Value::Float(_))) => Form::Float,
            () if all(|v| matches!(v, Value::Int(_))) => Form::Int,
            () => Form::Other,
        };
        self.run(readings[0].series, received, &times, form);
        for reading in readings {
            match (&reading.value, form) {
                (Value::Float(float), Form::Float) => self.float(*float),
                (Value::Int(int), Form::Int) => self.int(*int),
                (value, _) => self.other(value.clone()),
            }
        }
    }
}
