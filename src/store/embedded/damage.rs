//! What could not be read: named once each, kept as bytes, told to whoever asks over its time.
//!
//! Invariant: damage costs the chunk it is in and no other; nothing is removed for being damaged. A file whose index is broken, or that
//! cannot be written any more, has lost nothing yet: readings name what they cannot find.
//!
//! Invariant: however much is damaged, who asks over it is told. Beyond a bound places are named by their files, of which there are few.

use std::fmt;
use std::fs::{self, File};
use std::io::Write;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use parking_lot::Mutex;

use super::dayfile::{DayFile, Entry, Form, RollupHead};
use super::files;
use crate::model::{SeriesId, TimeNs, TimeRange};

/// Places that are named one by one.
const MAX_NAMED: usize = 1_000;

#[derive(Debug)]
pub(super) struct Damages {
    set_aside: PathBuf,
    found: Mutex<Found>,
}

#[derive(Debug, Default)]
struct Found {
    places: Vec<Damage>,
}

/// A chunk, or with `row` 0 a whole file, that is damaged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    pub file: String,
    pub table: &'static str,
    pub row: i64,
    /// The metric of the series; None: of any.
    pub metric: Option<u32>,
    pub lo: SeriesId,
    pub hi: SeriesId,
    pub first: TimeNs,
    pub last: TimeNs,
    /// What it holds cannot be read. Else it can, as far as nothing else says so.
    pub loses: bool,
    pub what: String,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.loses {
            return write!(f, "{}: {}; what can be read of it is", self.file, self.what);
        }
        let (lo, hi) = (self.lo.0, self.hi.0);
        write!(
            f,
            "{} {} row {}, series {lo} to {hi}, times {} to {}: {}",
            self.file, self.table, self.row, self.first, self.last, self.what
        )
    }
}

impl Damage {
    fn concerns(&self, (series, metric): (SeriesId, u32), range: TimeRange) -> bool {
        let is_of = self.lo <= series && series <= self.hi && self.metric.is_none_or(|own| own == metric);
        self.loses && is_of && self.first < range.to && range.from <= self.last
    }

    /// Without series and times.
    pub(super) fn place_and_what(&self) -> String {
        let Self { file, table, row, what, .. } = self;
        if *row == 0 { format!("{file}: {what}") } else { format!("{file} {table} row {row}: {what}") }
    }

    /// A place is told by its row; what is of no row, by what it concerns.
    fn holds(&self, other: &Self) -> bool {
        let is_there = self.file == other.file && self.table == other.table && self.row == other.row;
        let is_within = self.lo <= other.lo && other.hi <= self.hi && self.first <= other.first && other.last <= self.last;
        is_there && (self.loses || !other.loses) && (self.row != 0 || is_within)
    }
}

pub(super) fn of_entry(file: &DayFile, entry: &Entry, what: String) -> Damage {
    let (table, metric, lo, hi) = match entry.form {
        Form::Own { series, .. } => ("chunks", None, series, series),
        Form::Many { metric, lo, hi } => ("blocks", Some(metric), lo, hi),
    };
    Damage { file: file.name(), table, row: entry.id, metric, lo, hi, first: entry.first, last: entry.last, loses: true, what }
}

pub(super) fn of_file(file: &DayFile, what: String) -> Damage {
    let (lo, hi) = (SeriesId(0), SeriesId(u32::MAX));
    let (first, last) = (file.key.first_time(), file.key.last_time());
    Damage { file: file.name(), table: "file", row: 0, metric: None, lo, hi, first, last, loses: true, what }
}

/// Of a file that cannot be written, or not be read by its indexes.
pub(super) fn of_upkeep(file: &DayFile, what: String) -> Damage {
    Damage { loses: false, ..of_file(file, what) }
}

/// Rows of which no more is known than their numbers.
pub(super) fn of_numbers(file: &DayFile, table: &'static str, numbers: &RangeInclusive<i64>) -> Damage {
    let (first, last) = numbers.clone().into_inner();
    let what = if first == last { "it cannot be read".to_owned() } else { format!("it and what follows up to row {last} cannot be read") };
    Damage { table, row: first, ..of_file(file, what) }
}

/// What of one series cannot be found in a file that can be opened.
pub(super) fn of_series(file: &DayFile, series: SeriesId, range: TimeRange, what: String) -> Damage {
    Damage { lo: series, hi: series, first: range.from, last: range.to.saturating_sub(1), ..of_file(file, what) }
}

/// A row that cannot even be read from its page.
pub(super) fn of_row(
    file: &DayFile,
    (table, row): (&'static str, i64),
    series: (SeriesId, Option<u32>),
    span: TimeRange,
    what: String,
) -> Damage {
    let (series, metric) = series;
    let hi = if metric.is_some() { SeriesId(u32::MAX) } else { series };
    Damage { table, row, metric, hi, ..of_series(file, series, span, what) }
}

pub(super) fn of_rollup(file: &DayFile, row: &RollupHead, what: String) -> Damage {
    of_rollup_row(file, row.id, (row.lo, row.hi), what)
}

pub(super) fn of_rollup_row(file: &DayFile, row: i64, (lo, hi): (SeriesId, SeriesId), what: String) -> Damage {
    Damage { table: "rollups", row, lo, hi, ..of_file(file, what) }
}

/// All of the file that a place lies in. None: nothing is lost there.
fn whole(damage: &Damage) -> Option<Damage> {
    let key = files::key_of(&damage.file).filter(|_| damage.loses)?;
    let (lo, hi, first, last) = (SeriesId(0), SeriesId(u32::MAX), key.first_time(), key.last_time());
    let what = "more of it cannot be read than is named one by one".to_owned();
    Some(Damage { file: damage.file.clone(), table: "file", row: 0, metric: None, lo, hi, first, last, loses: true, what })
}

impl Damages {
    pub(super) fn new(set_aside: &Path) -> Self {
        Self { set_aside: set_aside.to_owned(), found: Mutex::default() }
    }

    /// Notes a place, once, with its bytes where there are some.
    pub(super) fn note(&self, damage: Damage, body: &[u8]) {
        let mut found = self.found.lock();
        if found.places.iter().any(|known| known.holds(&damage)) {
            return;
        }
        if found.places.len() >= MAX_NAMED {
            let Some(whole) = whole(&damage).filter(|whole| !found.places.iter().any(|known| known.holds(whole))) else { return };
            tracing::error!(damage = %whole, "parts of the store cannot be read; the rest is served");
            found.places.push(whole);
            return;
        }
        tracing::error!(%damage, "a part of the store cannot be read; the rest is served");
        let name = format!("{}-{}-{}.bytes", damage.file, damage.table, damage.row);
        if !body.is_empty()
            && let Err(error) = self.keep(&name, body)
        {
            tracing::warn!(%error, name, "the damaged bytes were not copied to set-aside; they are still in the file");
        }
        found.places.push(damage);
    }

    fn keep(&self, name: &str, body: &[u8]) -> std::io::Result<()> {
        fs::create_dir_all(&self.set_aside)?;
        File::create(self.set_aside.join(name))?.write_all(body)
    }

    /// The places of a series, with its metric, that meet a range.
    pub(super) fn of(&self, series: (SeriesId, u32), range: TimeRange) -> Vec<Damage> {
        self.found.lock().places.iter().filter(|damage| damage.concerns(series, range)).cloned().collect()
    }

    pub(super) fn concern(&self, series: (SeriesId, u32), range: TimeRange) -> bool {
        self.found.lock().places.iter().any(|damage| damage.concerns(series, range))
    }

    pub(super) fn all(&self) -> Vec<Damage> {
        self.found.lock().places.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::embedded::key::{ClassId, FileKey, FileKind};

    #[test]
    fn what_is_not_named_any_more_is_told_by_its_file() {
        let dir = tempfile::tempdir().unwrap();
        let damages = Damages::new(dir.path());
        let file = |day| DayFile::new(dir.path(), FileKey { day, kind: FileKind::Raw, class: ClassId(0) }, 1);
        let (first, second) = (file(20_000), file(20_001));
        let span = |file: &DayFile| TimeRange { from: file.key.first_time(), to: file.key.first_time() + 10 };
        let rows = i64::try_from(MAX_NAMED).unwrap();
        for row in 0..rows {
            damages.note(of_row(&first, ("chunks", row + 1), (SeriesId(1), None), span(&first), "x".to_owned()), &[]);
        }
        assert!(!damages.concern((SeriesId(7), 0), span(&first)));
        for row in 0..3 {
            for file in [&first, &second] {
                damages.note(of_row(file, ("chunks", rows + row + 1), (SeriesId(7), None), span(file), "x".to_owned()), &[]);
            }
        }
        assert!([&first, &second].iter().all(|file| damages.concern((SeriesId(7), 0), span(file))));
        assert!(!damages.concern((SeriesId(7), 0), span(&file(20_002))));
        assert_eq!(damages.all().len(), MAX_NAMED + 2, "each file once");
    }
}
