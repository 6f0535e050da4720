//! `telltale import`: a file goes to the hub in parts of some megabytes, each durable before the next. How far it is stands in
//! `FILE.imported` until all of it is taken, so that what was cut off goes on there; a part that comes twice is all duplicates. Parquet is
//! read here, and its rows go as lines.

use std::convert::Infallible;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use clap::Args;
use futures_util::stream;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::export::{beside, format_of};
use super::task::Bar;
use super::{Exit, Failure, Place, client, offline, print};
use crate::auth::local_access;
use crate::http::body::Encoding;
use crate::http::import::carry_out;
use crate::limits::{IMPORT_LINE_BYTES, IMPORT_PART_BYTES, REFUSALS_QUOTED};
#[cfg(feature = "parquet")]
use crate::rows::parquet::Lines;
use crate::rows::{self, RowFormat, whole};

#[derive(Args, Debug)]
pub(super) struct Import {
    /// What an export wrote
    file: PathBuf,
    /// csv, ndjson, lp (line protocol) or parquet [default: by the file's name]
    #[arg(long)]
    format: Option<String>,
    #[command(flatten)]
    place: Place,
}

impl Import {
    pub(super) fn run(self) -> Result<(), Failure> {
        let dir = self.place.data_dir()?;
        let Self { file, format, place } = self;
        let format = format_of(format.as_deref(), Some(&file))?.ok_or_else(|| {
            let message = format!("{}: its name does not say what it is; give --format {}", file.display(), RowFormat::EXPECTED);
            Failure::new(Exit::Configuration, message)
        })?;
        let mut job = Job::open(&file, &dir, format)?;
        let format = job.format;
        let path = format!("/api/v1/import?format={}", format.as_str());
        if offline::is_running(&dir) {
            while let Some(part) = job.part()? {
                let gone = || Failure::new(Exit::Failed, "the hub ended; the same command goes on where it was");
                job.taken(&client::send(&dir, &path, &part)?.ok_or_else(gone)?)?;
            }
        } else {
            offline::with_hub(&place, async |hub| {
                while let Some(part) = job.part()? {
                    let body = stream::iter([Ok::<_, Infallible>(Bytes::from(part))]);
                    let imported = carry_out(hub.clone(), local_access(), format, Encoding::Plain, body).await;
                    let imported = imported.map_err(|error| Failure::of(&error))?;
                    job.taken(&serde_json::to_value(imported).map_err(|error| Failure::of(&error))?)?;
                }
                Ok(())
            })?;
        }
        job.finish()
    }
}

/// What `FILE.imported` holds.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
struct Progress {
    /// Into which data, and what of: where one of them changed it begins anew.
    data_dir: PathBuf,
    file_bytes: u64,
    format: String,
    /// What is taken.
    bytes: u64,
    lines: u64,
    stored: u64,
    duplicate: u64,
    refused: u64,
}

#[derive(Debug)]
struct Job {
    name: PathBuf,
    file: File,
    /// Of the parts.
    format: RowFormat,
    #[cfg(feature = "parquet")]
    rows: Option<Lines>,
    /// The first line of CSV, which stands before each part but the first.
    header: Vec<u8>,
    /// Read, and not yet taken.
    buf: Vec<u8>,
    /// The part at the hub: its bytes and lines of the file, and those before it in the body.
    under_way: (rows::Whole, usize),
    told: usize,
    progress: Progress,
    bar: Bar,
}

impl Job {
    fn open(name: &Path, data_dir: &Path, format: RowFormat) -> Result<Self, Failure> {
        let named = |error| failed(name, &error);
        let mut file = File::open(name).map_err(named)?;
        let about = file.metadata().map_err(named)?;
        if !about.is_file() {
            let message = format!("{}: no regular file, so that it could not go on where it was cut off; ", name.display());
            return Err(Failure::new(Exit::Failed, message + "a stream goes to POST /api/v1/import"));
        }
        let fresh = Progress {
            data_dir: std::path::absolute(data_dir).map_err(named)?,
            file_bytes: about.len(),
            format: format.as_str().to_owned(),
            ..Progress::default()
        };
        let noted = std::fs::read(beside(name, NOTE)).ok().and_then(|note| serde_json::from_slice(&note).ok());
        let goes_on = |noted: &Progress| {
            (&noted.data_dir, noted.file_bytes, &noted.format) == (&fresh.data_dir, fresh.file_bytes, &fresh.format)
                && noted.bytes <= fresh.file_bytes
        };
        let progress = noted.filter(goes_on).unwrap_or(fresh);
        let mut header = Vec::new();
        if format == RowFormat::Csv {
            (&file).take(64 << 10).read_to_end(&mut header).map_err(named)?;
            header = rows::header(&header).unwrap_or_default().to_vec();
        }
        #[cfg(feature = "parquet")]
        let (rows, format) = match format {
            RowFormat::Parquet => (Some(rows(name, &file, progress.lines)?), RowFormat::Ndjson),
            _ => (None, format),
        };
        file.seek(SeekFrom::Start(progress.bytes)).map_err(named)?;
        let bar = Bar::new();
        bar.show(progress.bytes, progress.file_bytes);
        let (name, buf, under_way) = (name.to_owned(), Vec::new(), (rows::Whole::default(), 0));
        Ok(Self {
            name,
            file,
            format,
            #[cfg(feature = "parquet")]
            rows,
            header,
            buf,
            under_way,
            told: 0,
            progress,
            bar,
        })
    }

    /// The next body. None: all is taken.
    fn part(&mut self) -> Result<Option<Vec<u8>>, Failure> {
        #[cfg(feature = "parquet")]
        if let Some(rows) = &mut self.rows {
            let read = rows
                .next_piece(IMPORT_PART_BYTES)
                .map_err(|error| Failure::new(Exit::Failed, format!("{}: {error}", self.name.display())))?;
            let Some(piece) = read else { return Ok(None) };
            // How much of the file that is, for the bar: as much of it as of its rows.
            let lines = self.progress.lines + piece.rows;
            let share = u128::from(self.progress.file_bytes) * u128::from(lines) / u128::from(rows.rows().max(1));
            let bytes = u64::try_from(share).unwrap_or(u64::MAX).saturating_sub(self.progress.bytes);
            let whole = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
            self.under_way = (rows::Whole { bytes: whole(bytes), lines: whole(piece.rows) }, 0);
            return Ok(Some(piece.text));
        }
        let mut most = IMPORT_PART_BYTES;
        loop {
            let wanted = most.saturating_sub(self.buf.len()) as u64;
            let read = (&self.file).take(wanted).read_to_end(&mut self.buf).map_err(|error| failed(&self.name, &error))?;
            let is_last = (read as u64) < wanted;
            if self.buf.is_empty() {
                return Ok(None);
            }
            let cut = whole(self.format, &self.buf, is_last);
            if cut.bytes > 0 {
                let is_first = self.progress.bytes == 0;
                let header = if is_first { &[][..] } else { &self.header };
                self.under_way = (cut, whole(self.format, header, true).lines);
                return Ok(Some([header, &self.buf[..cut.bytes]].concat()));
            }
            if most >= IMPORT_LINE_BYTES {
                let message = format!("{}: a line after byte {} is longer than {most} bytes", self.name.display(), self.progress.bytes);
                return Err(Failure::new(Exit::Failed, message));
            }
            most *= 2;
        }
    }

    /// The hub has it.
    fn taken(&mut self, answer: &Value) -> Result<(), Failure> {
        let (cut, header_lines) = self.under_way;
        for refusal in answer["refusals"].as_array().into_iter().flatten() {
            let line = (self.progress.lines + refusal["line"].as_u64().unwrap_or(0)).saturating_sub(header_lines as u64);
            if self.told < REFUSALS_QUOTED {
                self.told += 1;
                let text = |name: &str| refusal[name].as_str().unwrap_or_default();
                let (device, metric) = (text("device"), text("metric"));
                self.bar.say(&format!("line {line}: {device}/{metric}: {}: {}", text("code"), text("message")));
            }
        }
        let number = |name: &str| answer[name].as_u64().unwrap_or_default();
        let progress = &mut self.progress;
        progress.bytes += cut.bytes as u64;
        progress.lines += cut.lines as u64;
        progress.stored += number("stored");
        progress.duplicate += number("duplicate");
        progress.refused += number("refused");
        self.buf.drain(..cut.bytes.min(self.buf.len()));
        self.bar.show(progress.bytes, progress.file_bytes);
        let (note, fresh) = (beside(&self.name, NOTE), beside(&self.name, ".imported.new"));
        let text = serde_json::to_vec(progress).map_err(|error| Failure::of(&error))?;
        std::fs::write(&fresh, text).and_then(|()| std::fs::rename(&fresh, &note)).map_err(|error| failed(&note, &error))
    }

    fn finish(self) -> Result<(), Failure> {
        let Progress { stored, duplicate, refused, .. } = self.progress;
        drop(self.bar);
        let note = beside(&self.name, NOTE);
        match std::fs::remove_file(&note) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(&note, &error)),
            _ => {}
        }
        print(format_args!("{stored} stored, {duplicate} there already, {refused} refused"))?;
        match refused {
            0 => Ok(()),
            n => Err(Failure::new(Exit::Failed, format!("refused readings: {n}; `telltale status` has them by code"))),
        }
    }
}

/// The rows behind those that are taken.
#[cfg(feature = "parquet")]
fn rows(name: &Path, file: &File, taken: u64) -> Result<Lines, Failure> {
    let told = |error: crate::rows::parquet::ReadError| Failure::new(Exit::Failed, format!("{}: {error}", name.display()));
    let mut lines = Lines::open(file.try_clone().map_err(|error| failed(name, &error))?).map_err(told)?;
    lines.skip(taken).map_err(told)?;
    Ok(lines)
}

const NOTE: &str = ".imported";

fn failed(name: &Path, error: &io::Error) -> Failure {
    Failure::new(Exit::Failed, format!("{}: {error}", name.display()))
}
