//! Summaries as bytes: one chunk of many series for each column (FORMAT.md, "Rollups"), so that what is alike lies together.

use std::sync::Arc;

use telltale_wire::varint;

use crate::block::{Block, Values};
use crate::model::{SeriesId, TimeNs, Value};
use crate::query::summary::{Numbers, Summary};
use crate::store::embedded::chunk::{self, Damaged};

/// The columns that every summary has, and those of numbers.
const ENDS: usize = 5;
const ALL: usize = ENDS + 7;

/// Series by ascending id, none without a summary; all of them numbers, or none.
pub(in crate::store::embedded) type Rolled = Vec<(SeriesId, Vec<Summary>)>;

#[must_use]
pub(super) fn encode(rolled: &Rolled, numbers: bool) -> Vec<u8> {
    let mut out = Vec::new();
    for column in 0..if numbers { ALL } else { ENDS } {
        let of_series = |(series, summaries): &(SeriesId, Vec<Summary>)| (*series, Arc::new(column_of(summaries, column)));
        let body = chunk::encode_many(&rolled.iter().map(of_series).collect::<Vec<_>>());
        varint::put(&mut out, body.len() as u64);
        out.extend_from_slice(&body);
    }
    out
}

fn column_of(summaries: &[Summary], column: usize) -> Block {
    let times: Vec<TimeNs> = summaries.iter().map(|summary| summary.start).collect();
    let mut values = Values::default();
    for summary in summaries {
        values.push(cell(summary, column));
    }
    Block::from_columns(times, values, Vec::new(), None)
}

fn cell(summary: &Summary, column: usize) -> Value {
    let offset = |time: TimeNs| Value::Int(time.saturating_sub(summary.start));
    let number = |read: fn(&Numbers) -> Value| summary.numbers.as_ref().map_or(Value::Int(0), read);
    match column {
        0 => Value::Int(i64::try_from(summary.count).unwrap_or(i64::MAX)),
        1 => offset(summary.first.0),
        2 => summary.first.1.clone(),
        3 => offset(summary.last.0),
        4 => summary.last.1.clone(),
        5 => summary.numbers.as_ref().map_or(Value::Int(0), |numbers| offset(numbers.least.0)),
        6 => number(|numbers| numbers.least.1.clone()),
        7 => summary.numbers.as_ref().map_or(Value::Int(0), |numbers| offset(numbers.greatest.0)),
        8 => number(|numbers| numbers.greatest.1.clone()),
        9 => number(|numbers| numbers.sum.clone()),
        10 => number(|numbers| Value::Float(numbers.squares)),
        _ => number(|numbers| numbers.increase.clone()),
    }
}

pub(in crate::store::embedded) fn decode(bytes: &[u8], numbers: bool) -> Result<Rolled, Damaged> {
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
    let start = columns[0].times()[row];
    let int = |column: usize| match columns[column].value(row) {
        Value::Int(i) => i,
        _ => 0,
    };
    let at = |column: usize| (start.saturating_add(int(column)), columns[column + 1].value(row));
    let squares = |value: Value| if let Value::Float(squares) = value { squares } else { 0.0 };
    Summary {
        start,
        count: u64::try_from(int(0)).unwrap_or(0),
        first: at(1),
        last: at(3),
        numbers: numbers.then(|| Numbers {
            least: at(5),
            greatest: at(7),
            sum: columns[9].value(row),
            squares: squares(columns[10].value(row)),
            increase: columns[11].value(row),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::run::Run;
    use crate::query::summary::Summing;

    #[test]
    fn summaries_are_read_back_and_broken_ones_refused() {
        for numbers in [true, false] {
            let rolled: Rolled = (0..3)
                .map(|series| {
                    let value = |i: i64| if numbers { Value::Float(i as f64 / 7.0) } else { Value::Text(format!("t{}", i % 3).into()) };
                    let points: Vec<_> = (0..500).map(|i: i64| (i * i * 1_000, value(i + series))).collect();
                    let mut summing = Summing::new(60_000_000);
                    summing.push(Run::of_pairs(&points));
                    (SeriesId(u32::try_from(series).unwrap()), summing.finish())
                })
                .collect();
            let bytes = encode(&rolled, numbers);
            assert_eq!(decode(&bytes, numbers).unwrap(), rolled);
            for cut in 0..bytes.len() {
                assert!(decode(&bytes[..cut], numbers).is_err(), "{cut}");
            }
            for at in 0..bytes.len() {
                let mut broken = bytes.clone();
                broken[at] ^= 4;
                assert!(decode(&broken, numbers).is_err(), "{at}");
            }
        }
    }
}
