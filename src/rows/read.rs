//! Takes a body apart by its form, in pieces as it comes in.

use memchr::{memchr_iter, memrchr};

use super::RowFormat;
use super::csv::{Csv, Records};
use super::ndjson::Ndjson;
use crate::ingest::line_protocol::{Lines, whole_lines};
use crate::ingest::session::{Deciding, Session};

#[derive(Debug)]
pub enum Reader {
    Csv(Box<Csv>),
    Ndjson(Ndjson),
    Lines(Lines),
}

impl Reader {
    #[must_use]
    pub fn new(format: RowFormat) -> Self {
        match format {
            RowFormat::Csv => Self::Csv(Box::new(Csv::new())),
            RowFormat::Ndjson => Self::Ndjson(Ndjson::default()),
            RowFormat::Lines => Self::Lines(Lines::exported()),
            // Its rows come as such lines (`super::parquet`).
            #[cfg(feature = "parquet")]
            RowFormat::Parquet => Self::Ndjson(Ndjson::default()),
        }
    }

    /// Decides whole lines until the batch is full. Gives how many bytes they were. Err: nothing of the body can be read.
    pub fn decide(&mut self, session: &mut Session, batch: &mut Deciding, buf: &[u8], is_last: bool) -> Result<usize, String> {
        match self {
            Self::Csv(csv) => csv.decide(session, batch, buf, is_last),
            Self::Ndjson(ndjson) => Ok(ndjson.decide(session, batch, buf, is_last)),
            Self::Lines(lines) => Ok(lines.decide(session, batch, buf, is_last)),
        }
    }
}

/// The whole lines that bytes begin with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Whole {
    pub bytes: usize,
    /// As refusals count them.
    pub lines: usize,
}

/// Where a file may be cut, so that each part is a body of its own. The first line of CSV is to stand before each.
#[must_use]
pub fn whole(format: RowFormat, buf: &[u8], is_last: bool) -> Whole {
    let up_to = |bytes: usize| Whole { bytes, lines: memchr_iter(b'\n', &buf[..bytes]).count() };
    match format {
        _ if is_last => up_to(buf.len()),
        #[cfg(feature = "parquet")]
        RowFormat::Parquet => up_to(memrchr(b'\n', buf).map_or(0, |at| at + 1)),
        RowFormat::Ndjson => up_to(memrchr(b'\n', buf).map_or(0, |at| at + 1)),
        RowFormat::Lines => {
            let (bytes, lines) = whole_lines(buf);
            Whole { bytes, lines }
        }
        RowFormat::Csv => {
            let (mut records, mut at) = (Records::new(), 0);
            while let Some((_, read)) = records.next(&buf[at..], false) {
                at += read;
            }
            up_to(at)
        }
    }
}

/// The first line of CSV with its end.
#[must_use]
pub fn header(buf: &[u8]) -> Option<&[u8]> {
    let (_, read) = Records::new().next(buf, false)?;
    Some(&buf[..read])
}
