//! Reads everything in a data directory and names what is bad: the catalog, every chunk of the store, every record of the log.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::{Progress, wal};
use crate::catalog::{self, CatalogError};
use crate::log;
use crate::log::check::LogBad;
use crate::model::{SeriesId, TimeRange};
use crate::store::StoreError;
use crate::store::embedded::{self, Damage};

/// Who is at work on the directory meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beside {
    /// A hub, which may be writing its last commit.
    Hub,
    Nobody,
}

#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("cannot read {}", path.display())]
    Io {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

/// What there is, and what of it is bad.
#[derive(Debug, Default)]
pub struct Report {
    pub files: u64,
    pub bytes: u64,
    pub rows: u64,
    pub readings: u64,
    pub segments: u64,
    pub commits: u64,
    pub series: u64,
    pub bad: Vec<Bad>,
    /// Also those that are not named.
    pub bad_count: u64,
    /// What is worth knowing and no damage.
    pub notes: Vec<String>,
}

/// A place that is damaged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bad {
    /// Within the data directory.
    pub file: String,
    /// Where in it: a table and row, or an offset. Empty: the file as a whole.
    pub place: String,
    /// By number, from and to.
    pub series: Option<(SeriesId, SeriesId)>,
    /// Its name, where it is one.
    pub name: Option<String>,
    /// `to` is outside.
    pub times: Option<TimeRange>,
    pub what: String,
}

pub fn run(dir: &Path, beside: Beside, progress: &mut Progress<'_>) -> Result<Report, CheckError> {
    let log_dir = dir.join("log");
    let listed = absent_is_empty(log::check::segments(&log_dir)).map_err(io_error(&log_dir))?;
    let log_bytes: u64 = listed.iter().filter_map(|path| fs::metadata(path).ok()).map(|meta| meta.len()).sum();
    let mut report = Report::default();
    if beside == Beside::Nobody {
        check_wals(dir, &mut report);
    }
    let catalog = catalog::check::check(dir)?;
    report.series = catalog.series;
    let of_catalog = |what| Bad { file: catalog::FILE_NAME.to_owned(), what, ..Bad::default() };
    report.bad.extend(catalog.bad.into_iter().map(of_catalog));
    report.bad_count = report.bad.len() as u64;
    let mut store_bytes = 0;
    check_store(dir, &mut report, &mut |done, total| {
        store_bytes = total;
        progress(done, total + log_bytes);
    })?;
    let checked =
        log::check::check(&log_dir, &listed, catalog.sealed, &mut |done, total| progress(store_bytes + done, store_bytes + total));
    let checked = absent_is_empty(checked).map_err(io_error(&log_dir))?;
    (report.segments, report.commits) = (checked.segments, checked.commits);
    report.bytes += checked.bytes;
    report.bad_count += checked.bad.len() as u64;
    report.bad.extend(checked.bad.into_iter().map(of_log));
    if let Some(LogBad { file, offset, what }) = checked.unfinished.filter(|_| beside == Beside::Nobody) {
        if checked.unclear {
            let what = format!("{what}; it is the last commit, which was cut off or is damaged");
            report.bad_count += 1;
            report.bad.push(of_log(LogBad { file, offset, what }));
        } else {
            report.notes.push(format!("log/{file} offset {offset}: {what}; the last commit was not finished, so it was never acked"));
        }
    }
    name_series(dir, &mut report.bad);
    Ok(report)
}

/// What was committed and is not in the files yet. Looked at before SQLite opens them; a hub at work would change them meanwhile.
fn check_wals(dir: &Path, report: &mut Report) {
    for within in ["", embedded::DIR_NAME] {
        let entries = fs::read_dir(dir.join(within)).into_iter().flatten().flatten();
        let mut paths: Vec<_> = entries.map(|entry| entry.path()).collect();
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "sqlite-wal"));
        paths.sort();
        for path in paths {
            let found = fs::read(&path).map_or_else(|error| Some(error.to_string()), |bytes| wal::lost(&bytes));
            let file = path.strip_prefix(dir).unwrap_or(&path).display().to_string();
            report.bad.extend(found.map(|what| Bad { file, what, ..Bad::default() }));
        }
    }
}

fn absent_is_empty<T: Default>(result: io::Result<T>) -> io::Result<T> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(T::default()),
        other => other,
    }
}

fn io_error(path: &Path) -> impl FnOnce(io::Error) -> CheckError {
    let path = path.to_owned();
    move |source| CheckError::Io { path, source }
}

fn check_store(dir: &Path, report: &mut Report, progress: &mut Progress<'_>) -> Result<(), StoreError> {
    let store = dir.join(embedded::DIR_NAME);
    if !store.exists() {
        return Ok(());
    }
    let checked = embedded::check(&store, progress)?;
    (report.files, report.bytes, report.rows, report.readings) = (checked.files, checked.bytes, checked.rows, checked.points);
    report.bad_count += checked.bad_count;
    report.bad.extend(checked.bad.into_iter().map(of_store));
    Ok(())
}

fn of_store(damage: Damage) -> Bad {
    let Damage { file, table, row, lo, hi, first, last, what, metric: _, loses: _ } = damage;
    let whole = (lo, hi) == (SeriesId(0), SeriesId(u32::MAX));
    Bad {
        file: format!("{}/{file}", embedded::DIR_NAME),
        place: if row == 0 { String::new() } else { format!("{table} row {row}") },
        series: (!whole).then_some((lo, hi)),
        name: None,
        times: (first > i64::MIN && last < i64::MAX).then(|| TimeRange { from: first, to: last + 1 }),
        what,
    }
}

fn of_log(bad: LogBad) -> Bad {
    let LogBad { file, offset, what } = bad;
    let place = if offset == 0 { String::new() } else { format!("offset {offset}") };
    Bad { file: format!("log/{file}"), place, what, ..Bad::default() }
}

fn name_series(dir: &Path, bad: &mut [Bad]) {
    let alone = |bad: &Bad| bad.series.filter(|(lo, hi)| lo == hi).map(|(lo, _)| lo);
    let ids: Vec<_> = bad.iter().filter_map(alone).collect();
    let mut names = catalog::check::names(dir, &ids).into_iter();
    for bad in bad.iter_mut().filter(|bad| alone(bad).is_some()) {
        bad.name = names.next().flatten();
    }
}
