//! The rows of a Parquet file as lines of NDJSON: from there they go the way of every import. A row is a line, from 1.
//!
//! What a file declares is looked at before (`pages`). What the crate's reader panics on all the same (arrow-rs#11121) is an error here.

use std::fs::File;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};

use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, SerializedFileReader};
use serde::de::IgnoredAny;

use super::cells::{AT_ONCE, Cell, Open, Role, Wanted};
use super::pages;
use crate::limits::{PARQUET_ROWS_PER_BYTE, PARQUET_TEXT_BYTES};

#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error("the file is no Parquet that can be read: {0}")]
    NoParquet(String),
    /// It holds something else.
    #[error("{0}")]
    Columns(String),
    #[error("the file is beyond what is read: {0}")]
    Bounds(String),
    #[error("the file is broken: {0}")]
    Broken(String),
    #[error("the file cannot be read: {0}")]
    Io(#[from] io::Error),
}

impl ReadError {
    pub(super) fn no_parquet(why: &str) -> Self {
        Self::NoParquet(why.to_owned())
    }
}

impl From<ParquetError> for ReadError {
    fn from(error: ParquetError) -> Self {
        Self::Broken(error.to_string())
    }
}

/// Lines, and of how many rows.
#[derive(Debug, Default)]
pub struct Piece {
    pub text: Vec<u8>,
    pub rows: u64,
}

pub struct Lines {
    file: File,
    reader: SerializedFileReader<File>,
    wanted: Vec<Wanted>,
    rows: u64,
    /// The row group that is next.
    group: usize,
    columns: Vec<Open>,
    /// Of the open row group, rows that are left; of those that were read at once, the next and how many.
    left: u64,
    next: usize,
    filled: usize,
    /// Labels that are known to be JSON.
    labels: Vec<u8>,
}

impl std::fmt::Debug for Lines {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lines").field("rows", &self.rows).field("group", &self.group).finish_non_exhaustive()
    }
}

impl Lines {
    pub fn open(file: File) -> Result<Self, ReadError> {
        pages::check_footer(&file)?;
        let clone = file.try_clone()?;
        let reader = guarded(|| Ok(SerializedFileReader::new(clone)?))?;
        let metadata = reader.metadata();
        let columns = metadata.file_metadata().schema_descr().columns();
        let wanted = columns.iter().enumerate().map(|(at, column)| Wanted::of(at, column)).collect::<Result<Vec<_>, _>>()?;
        for (role, name) in [(Role::Device, "device"), (Role::Metric, "metric"), (Role::Time, "time"), (Role::Value, "value")] {
            if wanted.iter().all(|wanted| wanted.role != role) {
                return Err(ReadError::Columns(format!("there is no column `{name}`")));
            }
        }
        let mut rows = 0_u64;
        pages::check_packing(metadata, &wanted)?;
        pages::check_places(metadata, &wanted)?;
        for group in metadata.row_groups() {
            let of_group = u64::try_from(group.num_rows()).map_err(|_| ReadError::Broken("a row group without a number".to_owned()))?;
            rows = rows.saturating_add(of_group);
        }
        let bytes = file.metadata()?.len();
        if rows > bytes.saturating_mul(PARQUET_ROWS_PER_BYTE) {
            let message = format!("{rows} rows in {bytes} bytes, more than {PARQUET_ROWS_PER_BYTE} for each");
            return Err(ReadError::Bounds(message));
        }
        let (columns, labels) = (Vec::new(), Vec::new());
        Ok(Self { file, reader, wanted, rows, group: 0, columns, left: 0, next: 0, filled: 0, labels })
    }

    /// How many the file holds.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Leaves out the next rows.
    pub fn skip(&mut self, mut rows: u64) -> Result<(), ReadError> {
        guarded(|| {
            while rows > 0 && self.more()? {
                for column in &mut self.columns {
                    column.take(self.next);
                }
                self.next += 1;
                rows -= 1;
            }
            Ok(())
        })
    }

    /// The next lines, of about so many bytes. None: there are no more.
    pub fn next_piece(&mut self, bytes: usize) -> Result<Option<Piece>, ReadError> {
        let mut piece = Piece::default();
        guarded(|| {
            while piece.text.len() < bytes && self.more()? {
                self.line(&mut piece.text)?;
                piece.rows += 1;
            }
            Ok(())
        })?;
        Ok((piece.rows > 0).then_some(piece))
    }

    /// Whether a row is at hand, after reading some if need be.
    fn more(&mut self) -> Result<bool, ReadError> {
        while self.next == self.filled {
            if self.left == 0 && !self.open_group()? {
                return Ok(false);
            }
            let rows = usize::try_from(self.left).unwrap_or(AT_ONCE).min(AT_ONCE);
            for column in &mut self.columns {
                column.fill(rows)?;
            }
            (self.next, self.filled) = (0, rows);
            self.left -= rows as u64;
        }
        Ok(true)
    }

    fn open_group(&mut self) -> Result<bool, ReadError> {
        // The pages of the one before go first.
        self.columns.clear();
        let Some(metadata) = self.reader.metadata().row_groups().get(self.group) else { return Ok(false) };
        let wanted: Vec<usize> = self.wanted.iter().map(|wanted| wanted.at).collect();
        pages::check_group(&self.file, metadata, &wanted)?;
        self.left = metadata.num_rows().unsigned_abs();
        let group = self.reader.get_row_group(self.group)?;
        for wanted in &self.wanted {
            self.columns.push(Open::new(wanted.clone(), group.get_column_reader(wanted.at)?)?);
        }
        self.group += 1;
        Ok(true)
    }

    fn line(&mut self, out: &mut Vec<u8>) -> Result<(), ReadError> {
        out.push(b'{');
        let row = self.next;
        self.next += 1;
        let mut values = 0;
        for column in &mut self.columns {
            let (role, name) = (column.wanted.role, column.wanted.name.clone());
            let cell = column.take(row);
            let key = match role {
                Role::Device => "device",
                Role::Metric => "metric",
                Role::Labels => "labels",
                Role::Time => "time",
                Role::Unit => "unit",
                Role::Kind => "kind",
                Role::Value => "value",
            };
            // Two values are two keys of one name, which the import refuses.
            if role == Role::Value && cell != Cell::None {
                values += 1;
            } else if cell == Cell::None && !matches!(role, Role::Device | Role::Metric | Role::Time) {
                continue;
            }
            if out.last() != Some(&b'{') {
                out.push(b',');
            }
            put(out, key);
            out.push(b':');
            let long = |text: &[u8]| ReadError::Bounds(format!("column `{name}` holds a text of {} bytes", text.len()));
            match cell {
                Cell::Text(text) if text.len() > PARQUET_TEXT_BYTES => return Err(long(text)),
                Cell::Text(text) => {
                    let broken = |_| ReadError::Broken(format!("column `{name}` holds a text that is not UTF-8"));
                    let text = std::str::from_utf8(text).map_err(broken)?;
                    if role == Role::Labels { put_labels(out, text, &mut self.labels) } else { put(out, text) }
                }
                other => put_bare(out, other),
            }
        }
        if values == 0 {
            out.extend_from_slice(b",\"value\":null");
        }
        out.extend_from_slice(b"}\n");
        Ok(())
    }
}

/// Labels are JSON already; what is none stays a text, which the import refuses by name.
fn put_labels(out: &mut Vec<u8>, text: &str, known: &mut Vec<u8>) {
    if known != text.as_bytes() {
        if text.trim_start().starts_with('{') && serde_json::from_str::<IgnoredAny>(text).is_ok() {
            known.clear();
            known.extend_from_slice(text.as_bytes());
        } else if text.is_empty() {
            return out.extend_from_slice(b"{}");
        } else {
            return put(out, text);
        }
    }
    // Between the parts of JSON a newline is a blank.
    out.extend(text.bytes().map(|byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { byte }));
}

fn put_bare(out: &mut Vec<u8>, cell: Cell<'_>) {
    match cell {
        Cell::None | Cell::Text(_) => out.extend_from_slice(b"null"),
        Cell::Int(int) => out.extend_from_slice(int.to_string().as_bytes()),
        // JSON has no word for what is not finite; this is no float either.
        Cell::Float(float) if !float.is_finite() => out.extend_from_slice(b"1e999"),
        Cell::Float(float) => serde_json::to_writer(out, &float).expect("a finite float is JSON, and writing to a Vec does not fail"),
        Cell::Bool(bool) => out.extend_from_slice(if bool { b"true" } else { b"false" }),
    }
}

fn put(out: &mut Vec<u8>, text: &str) {
    serde_json::to_writer(out, text).expect("a text is JSON, and writing to a Vec does not fail");
}

fn guarded<T>(work: impl FnOnce() -> Result<T, ReadError>) -> Result<T, ReadError> {
    let done = catch_unwind(AssertUnwindSafe(work));
    done.unwrap_or_else(|_| Err(ReadError::Broken("its pages are not what they say to be".to_owned())))
}
