//! Readings as lines of text, one a line: what an export writes and an import reads, equal to the last bit. `write` makes them;
//! `csv`, `ndjson` and `ingest::line_protocol` take them apart, and `take` gives them to a session as any other way in. Pure.
//!
//! Invariant: what one form cannot say is refused by name before the first byte, and never written otherwise.

mod csv;
mod ndjson;
#[cfg(feature = "parquet")]
pub mod parquet;
mod read;
mod take;
#[cfg(test)]
mod tests;
pub mod write;

pub use read::{Reader, Whole, header, whole};

use crate::query::error::QueryError;

/// The forms. `src/rows/ROWS.md` has their rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowFormat {
    Csv,
    Ndjson,
    /// Line protocol.
    Lines,
    /// Columns; a file is read from its end, so it comes and goes as a whole (`parquet`).
    #[cfg(feature = "parquet")]
    Parquet,
}

impl RowFormat {
    /// Those of one reading a line.
    pub const LINES: [Self; 3] = [Self::Csv, Self::Ndjson, Self::Lines];
    /// For messages.
    pub const EXPECTED: &'static str =
        if cfg!(feature = "parquet") { "csv, ndjson, lp (line protocol) or parquet" } else { "csv, ndjson or lp (line protocol)" };

    pub fn parse(text: &str) -> Result<Self, QueryError> {
        match text {
            "csv" => Ok(Self::Csv),
            "ndjson" => Ok(Self::Ndjson),
            "lp" => Ok(Self::Lines),
            #[cfg(feature = "parquet")]
            "parquet" => Ok(Self::Parquet),
            #[cfg(not(feature = "parquet"))]
            "parquet" => Err(no_parquet(Self::EXPECTED)),
            _ => Err(QueryError::parameter(format!("format={text}: expected {}", Self::EXPECTED))),
        }
    }

    /// By the end of a file's name.
    #[must_use]
    pub fn of_extension(extension: &str) -> Option<Self> {
        match extension.to_ascii_lowercase().as_str() {
            "csv" => Some(Self::Csv),
            "ndjson" | "jsonl" => Some(Self::Ndjson),
            "lp" | "line" => Some(Self::Lines),
            #[cfg(feature = "parquet")]
            "parquet" | "pq" => Some(Self::Parquet),
            _ => None,
        }
    }

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Ndjson => "ndjson",
            Self::Lines => "lp",
            #[cfg(feature = "parquet")]
            Self::Parquet => "parquet",
        }
    }

    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8",
            Self::Ndjson => "application/x-ndjson",
            Self::Lines => "text/plain; charset=utf-8",
            #[cfg(feature = "parquet")]
            Self::Parquet => parquet::CONTENT_TYPE,
        }
    }
}

/// A build that leaves it out says so.
#[cfg(not(feature = "parquet"))]
pub fn no_parquet(expected: &str) -> QueryError {
    QueryError::parameter(format!("format=parquet: this hub was built without it; there are {expected}"))
        .with_hint("build with the cargo feature `parquet`")
}
