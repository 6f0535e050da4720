//! Parquet: the same rows as columns, for pandas, DuckDB and what else reads it. `write` makes files row group by row group, so that
//! memory stays flat; `read` gives their rows as lines of NDJSON, which go the way of every import; `thrift` and `pages` look at what a
//! file declares before anything is allocated for it; `passing` counts the rows of a file on its way. `src/rows/ROWS.md` has the columns.
//!
//! Invariant: what a file declares is compared with what it holds before it is believed.

mod cells;
mod pages;
mod passing;
mod read;
mod thrift;
pub mod write;

#[cfg(test)]
mod tests;

pub use passing::Passing;
pub use read::{Lines, ReadError};
pub use write::Sheet;

pub const CONTENT_TYPE: &str = "application/vnd.apache.parquet";
