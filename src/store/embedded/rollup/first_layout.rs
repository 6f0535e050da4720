//! The layout of rollups before 2026-11-27: a chunk of many series for each column. It is read and not written any more.

use telltale_wire::varint;

use super::body::{Rolled, VALUES, as_it_is};
use super::exact::Places;
use crate::block::Block;
use crate::model::{TimeNs, Value};
use crate::query::summary::Summary;
use crate::store::embedded::chunk::{self, Damaged, bytes};

/// The columns that every summary has, and those of numbers.
const ENDS: usize = 5;
const ALL: usize = ENDS + 7;
/// Where the value columns of `body` stand.
const VALUE_COLUMNS: [usize; VALUES] = [2, 4, 6, 8, 9, 10, 11];

/// Whether these bytes are of this layout: they begin with the length of a column, which is not so short.
pub(super) fn is(body: &[u8]) -> bool {
    body.first() != Some(&bytes::VERSION)
}

pub(super) fn decode(bytes: &[u8], numbers: bool) -> Result<Rolled, Damaged> {
    let mut columns = Vec::new();
    let mut rest = bytes;
    for _ in 0..if numbers { ALL } else { ENDS } {
        let (length, taken) = varint::read(rest).ok_or(Damaged::Short)?;
        let length = usize::try_from(length).map_err(|_| Damaged::Short)?;
        let (body, after) = rest[taken..].split_at_checked(length).ok_or(Damaged::Short)?;
        columns.push(chunk::decode_many(body)?);
        rest = after;
    }
    if !rest.is_empty() {
        return Err(Damaged::Malformed("bytes after the last column"));
    }
    let mut rolled = Rolled::new();
    for (i, (series, counts)) in columns[0].iter().enumerate() {
        let of_series: Vec<&Block> = columns.iter().filter_map(|column| column.get(i)).map(|(_, block)| block).collect();
        let alike = |block: &&Block| block.times() == counts.times();
        if of_series.len() != columns.len() || !of_series.iter().all(alike) {
            return Err(Damaged::Malformed("columns of different length"));
        }
        rolled.push((*series, (0..counts.len()).map(|row| summary(&of_series, row, numbers)).collect()));
    }
    Ok(rolled)
}

fn summary(columns: &[&Block], row: usize, numbers: bool) -> Summary {
    let start: TimeNs = columns[0].times()[row];
    let int = |column: usize| match columns.get(column).map(|column| column.value(row)) {
        Some(Value::Int(i)) => i,
        _ => 0,
    };
    let time = |column| start.saturating_add(int(column));
    let count = u64::try_from(int(0)).unwrap_or(0);
    let at = Places { start, count, first: time(1), last: time(3), least: time(5), greatest: time(7) };
    as_it_is(&at, numbers, |column| columns[VALUE_COLUMNS[column]].value(row))
}
