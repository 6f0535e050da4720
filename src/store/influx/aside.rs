//! Rows that InfluxDB would not take after they were acked: kept in a file, counted, and remembered by series and time, so that
//! history over their time says that it is incomplete.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use parking_lot::Mutex;
use rustc_hash::FxHashMap;

use super::group::Body;
use crate::model::{SeriesId, TimeNs, TimeRange};

const FILE_NAME: &str = "influxdb-refused.lp";

#[derive(Debug)]
pub(super) struct Aside {
    path: PathBuf,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    rows: u64,
    last: Option<String>,
    /// Least and greatest time by series.
    spans: FxHashMap<SeriesId, (TimeNs, TimeNs)>,
}

impl Kept {
    fn add(&mut self, series: SeriesId, time: TimeNs) {
        self.rows += 1;
        let span = self.spans.entry(series).or_insert((time, time));
        *span = (span.0.min(time), span.1.max(time));
    }
}

impl Aside {
    /// What was kept before is known again: each row is led by a comment with series, time and reason.
    pub(super) fn open(set_aside: &Path) -> Self {
        let path = set_aside.join(FILE_NAME);
        let mut kept = Kept::default();
        for line in fs::read_to_string(&path).unwrap_or_default().lines() {
            let mut words = line.strip_prefix("# series ").unwrap_or_default().split(' ');
            if let (Some(Ok(series)), Some(Ok(time))) = (words.next().map(str::parse), words.next().map(str::parse)) {
                kept.add(SeriesId(series), time);
            }
        }
        Self { path, kept: Mutex::new(kept) }
    }

    /// A body of one row.
    pub(super) fn keep(&self, body: &Body, why: &str) {
        let mut kept = self.kept.lock();
        for row in &body.rows {
            kept.add(row.series, row.time);
            tracing::error!(series = row.series.0, time = row.time, %why, "InfluxDB refuses a reading that was acked; it is set aside");
            let comment = format!("# series {} {} {}\n", row.series.0, row.time, why.replace(['\n', '\r'], " "));
            if let Err(error) = self.append(comment.as_bytes(), &body.bytes) {
                tracing::error!(%error, "what InfluxDB refused could not be set aside");
            }
        }
        kept.last = Some(why.to_owned());
    }

    fn append(&self, comment: &[u8], row: &[u8]) -> io::Result<()> {
        self.path.parent().map_or(Ok(()), fs::create_dir_all)?;
        let mut file = fs::File::options().create(true).append(true).open(&self.path)?;
        file.write_all(&[comment, row].concat())?;
        file.sync_data()
    }

    /// How many rows, and why the last.
    pub(super) fn told(&self) -> (u64, Option<String>) {
        let kept = self.kept.lock();
        (kept.rows, kept.last.clone())
    }

    pub(super) fn concerns(&self, series: SeriesId, range: TimeRange) -> bool {
        self.kept.lock().spans.get(&series).is_some_and(|(first, last)| *first < range.to && *last >= range.from)
    }
}

#[cfg(test)]
mod tests {
    use super::super::group::Row;
    use super::*;

    #[test]
    fn what_was_refused_is_known_after_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let set_aside = dir.path().join("set-aside");
        let aside = Aside::open(&set_aside);
        for time in [5, 9] {
            let bytes = format!("m,series:id=3 text=\"# series 4 1\n\" {time}\n");
            let rows = vec![Row { end: bytes.len(), series: SeriesId(3), time }];
            aside.keep(&Body { bytes: bytes.into(), rows }, "because\nof it");
        }
        for aside in [aside, Aside::open(&set_aside)] {
            assert_eq!(aside.told().0, 2);
            for (series, from, to, expected) in [(3, 0, 6, true), (3, 9, 10, true), (3, 10, 20, false), (3, 0, 5, false), (4, 0, 9, false)]
            {
                assert_eq!(aside.concerns(SeriesId(series), TimeRange { from, to }), expected, "{series} {from} {to}");
            }
        }
    }
}
