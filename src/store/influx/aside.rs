//! What was acked and will not be in InfluxDB: rows that it would not take, and commits that the log could not give any more. Kept in
//! files, counted, and remembered by series and time, so that history over their time says that it is incomplete.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use parking_lot::Mutex;
use rustc_hash::FxHashMap;

use super::group::Body;
use crate::log::reader::Unreadable;
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
    /// Of any series.
    wide: Vec<(TimeNs, TimeNs)>,
}

impl Kept {
    fn add(&mut self, series: SeriesId, time: TimeNs) {
        self.rows += 1;
        let span = self.spans.entry(series).or_insert((time, time));
        *span = (span.0.min(time), span.1.max(time));
    }

    fn add_wide(&mut self, span: (TimeNs, TimeNs)) {
        self.rows += 1;
        self.wide.push(span);
    }
}

impl Aside {
    /// What was kept before is known again: each row is led by a comment with series, time and reason.
    pub(super) fn open(set_aside: &Path) -> Self {
        let path = set_aside.join(FILE_NAME);
        let mut kept = Kept::default();
        for line in fs::read_to_string(&path).unwrap_or_default().lines() {
            if let Some(span) = line.strip_prefix("# unreadable ").and_then(span_of) {
                kept.add_wide(span);
            }
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

    /// A place of the log that holds commits of this time, as far as is known. What they were of, nobody can tell.
    pub(super) fn keep_unreadable(&self, lost: &Unreadable, span: (TimeNs, TimeNs)) {
        let stem = lost.path.file_stem().unwrap_or_default().to_string_lossy();
        let kept_in = self.path.with_file_name(format!("{stem}-{}.bytes", lost.offset));
        if kept_in.exists() {
            return;
        }
        let why = format!("{} at {} of {}", lost.what, lost.offset, lost.path.display());
        tracing::error!(%why, kept_in = %kept_in.display(), "commits that were acked cannot be read any more and are not in InfluxDB");
        let comment = format!("# unreadable {} {} {}\n", span.0, span.1, why.replace(['\n', '\r'], " "));
        let kept = self.append(comment.as_bytes(), &[]).and_then(|()| fs::write(&kept_in, &lost.bytes));
        if let Err(error) = kept {
            tracing::error!(%error, "what cannot be read of the log could not be set aside");
        }
        let mut kept = self.kept.lock();
        kept.add_wide(span);
        kept.last = Some(why);
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
        let kept = self.kept.lock();
        let mut spans = kept.spans.get(&series).into_iter().chain(&kept.wide);
        spans.any(|(first, last)| *first < range.to && *last >= range.from)
    }
}

fn span_of(words: &str) -> Option<(TimeNs, TimeNs)> {
    let mut words = words.split(' ').map(str::parse);
    Some((words.next()?.ok()?, words.next()?.ok()?))
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
            let bytes = format!("m,id:=3 text=\"# series 4 1\n\" {time}\n");
            let rows = vec![Row { end: bytes.len(), series: SeriesId(3), time }];
            aside.keep(&Body { bytes: bytes.into(), rows }, "because\nof it");
        }
        let lost = Unreadable { path: "log/7.seg".into(), offset: 40, bytes: vec![1], what: "bad".to_owned() };
        // What is met twice is told once.
        aside.keep_unreadable(&lost, (100, 200));
        aside.keep_unreadable(&lost, (100, 200));
        assert_eq!(fs::read(set_aside.join("7-40.bytes")).unwrap(), [1]);
        for aside in [aside, Aside::open(&set_aside)] {
            assert_eq!(aside.told().0, 3);
            let concerned = [(8, 100, 101), (3, 150, 151), (9, 201, 300), (9, 50, 100)]
                .map(|(series, from, to)| aside.concerns(SeriesId(series), TimeRange { from, to }));
            assert_eq!(concerned, [true, true, false, false]);
            for (series, from, to, expected) in [(3, 0, 6, true), (3, 9, 10, true), (3, 10, 20, false), (3, 0, 5, false), (4, 0, 9, false)]
            {
                assert_eq!(aside.concerns(SeriesId(series), TimeRange { from, to }), expected, "{series} {from} {to}");
            }
        }
    }
}
