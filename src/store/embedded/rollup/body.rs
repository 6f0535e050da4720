//! Summaries as bytes (FORMAT.md, "Rollups"): columns over all series of a row, so that what is alike lies together. Series whose
//! readings are ints or decimals are told as integers (`exact`), the others as they are.

use telltale_wire::varint;

use super::exact::{self, COLUMNS, KINDS, NOT_EXACT, Places, Told};
use super::first_layout;
use crate::block::{Block, Values};
use crate::model::{SeriesId, TimeNs, Value};
use crate::query::summary::{Numbers, Summary};
use crate::store::embedded::chunk::{Damaged, MANY_MAX_POINTS, MANY_MAX_SERIES, bytes, groups, ints, pooled, texts};

/// Series by ascending id, none without a summary; all of them numbers, or none.
pub(in crate::store::embedded) type Rolled = Vec<(SeriesId, Vec<Summary>)>;

/// The value columns of numbers that are not exact, and of bools and texts.
pub(super) const VALUES: usize = 7;
const ENDS: usize = 2;

/// Sums that floats blurred are set right in `rolled` where it is sure what they are.
#[must_use]
pub(super) fn encode(rolled: &mut Rolled, numbers: bool) -> Vec<u8> {
    let told: Vec<Option<(usize, Vec<Told>)>> =
        rolled.iter_mut().map(|(_, summaries)| exact::told(summaries).filter(|_| numbers)).collect();
    let mut out = vec![bytes::VERSION];
    varint::put(&mut out, rolled.len() as u64);
    ints::encode(&mut out, &rolled.iter().map(|(series, _)| i64::from(series.0)).collect::<Vec<_>>());
    let starts: Vec<Vec<TimeNs>> = rolled.iter().map(|(_, summaries)| summaries.iter().map(|summary| summary.start).collect()).collect();
    groups::encode(&mut out, &starts.iter().map(|starts| &starts[..]).collect::<Vec<_>>());
    let kinds: Vec<i64> = told.iter().map(|told| told.as_ref().map_or(NOT_EXACT, |(kind, _)| *kind) as i64).collect();
    texts::encode_choices(&mut out, &kinds);
    let all = || rolled.iter().flat_map(|(_, summaries)| summaries);
    ints::encode(&mut out, &all().map(|summary| i64::try_from(summary.count).unwrap_or(i64::MAX)).collect::<Vec<_>>());
    for place in &PLACES[..if numbers { PLACES.len() } else { ENDS }] {
        ints::encode_scaled(&mut out, &all().map(|summary| place(summary).saturating_sub(summary.start)).collect::<Vec<_>>());
    }
    for column in 0..COLUMNS {
        let rows = told.iter().flatten().flat_map(|(_, told)| told);
        ints::encode(&mut out, &rows.map(|told| told[column]).collect::<Vec<_>>());
    }
    let others: Vec<_> = rolled.iter().zip(&starts).zip(&told).filter(|(_, told)| told.is_none()).map(|(series, _)| series).collect();
    for column in 0..if others.is_empty() { 0 } else { values(numbers) } {
        let blocks: Vec<Block> = others.iter().map(|((_, summaries), starts)| block(summaries, starts, column)).collect();
        pooled::encode(&mut out, &blocks.iter().collect::<Vec<_>>());
    }
    bytes::seal(out)
}

const fn values(numbers: bool) -> usize {
    if numbers { VALUES } else { ENDS }
}

/// Where readings of a bucket stand, in the order of their columns.
const PLACES: [fn(&Summary) -> TimeNs; 4] = [
    |summary| summary.first.0,
    |summary| summary.last.0,
    |summary| summary.numbers.as_ref().map_or(summary.start, |numbers| numbers.least.0),
    |summary| summary.numbers.as_ref().map_or(summary.start, |numbers| numbers.greatest.0),
];

fn block(summaries: &[Summary], starts: &[TimeNs], column: usize) -> Block {
    let mut values = Values::default();
    for summary in summaries {
        let number = |read: fn(&Numbers) -> Value| summary.numbers.as_ref().map_or(Value::Int(0), read);
        values.push(match column {
            0 => summary.first.1.clone(),
            1 => summary.last.1.clone(),
            2 => number(|numbers| numbers.least.1.clone()),
            3 => number(|numbers| numbers.greatest.1.clone()),
            4 => number(|numbers| numbers.sum.clone()),
            5 => number(|numbers| Value::Float(numbers.squares)),
            _ => number(|numbers| numbers.increase.clone()),
        });
    }
    Block::from_columns(starts.to_vec(), values, Vec::new(), None)
}

pub(in crate::store::embedded) fn decode(body: &[u8], numbers: bool) -> Result<Rolled, Damaged> {
    if first_layout::is(body) {
        return first_layout::decode(body, numbers);
    }
    let mut from = bytes::open(body)?;
    let count = from.count(MANY_MAX_SERIES)?;
    let ids = ints::decode(&mut from, count)?;
    let starts = groups::decode(&mut from, count)?;
    let points: usize = starts.iter().map(Vec::len).sum();
    if points > MANY_MAX_POINTS {
        return Err(Damaged::Malformed("more summaries than a row has"));
    }
    let kinds = texts::decode_choices(&mut from, count, KINDS)?;
    let counts = ints::decode(&mut from, points)?;
    let mut offsets = Vec::new();
    for _ in 0..if numbers { PLACES.len() } else { ENDS } {
        offsets.push(ints::decode_scaled(&mut from, points)?);
    }
    let lengths =
        |exact: bool| kinds.iter().zip(&starts).filter(move |(kind, _)| (**kind != NOT_EXACT) == exact).map(|(_, starts)| starts.len());
    let told: Vec<Vec<i64>> = (0..COLUMNS).map(|_| ints::decode(&mut from, lengths(true).sum())).collect::<Result<_, _>>()?;
    let other_lengths: Vec<usize> = lengths(false).collect();
    let others = (0..if other_lengths.is_empty() { 0 } else { values(numbers) }).map(|_| pooled::decode(&mut from, &other_lengths));
    let mut others = Others { columns: others.collect::<Result<_, _>>()?, next: 0 };
    from.end()?;
    let mut rolled = Rolled::new();
    let (mut at, mut at_told) = (0, 0);
    for ((id, starts), kind) in ids.into_iter().zip(starts).zip(kinds) {
        let series = u32::try_from(id).map(SeriesId).map_err(|_| Damaged::Malformed("not the id of a series"))?;
        if rolled.last().is_some_and(|(before, _)| *before >= series) {
            return Err(Damaged::Malformed("ids do not ascend"));
        }
        let mut places = Vec::with_capacity(starts.len());
        for start in starts {
            let time = |column: usize| start.saturating_add(offsets.get(column).map_or(0, |offsets| offsets[at]));
            let count = u64::try_from(counts[at]).map_err(|_| Damaged::Malformed("a bucket of fewer than no readings"))?;
            places.push(Places { start, count, first: time(0), last: time(1), least: time(2), greatest: time(3) });
            at += 1;
        }
        let summaries = if kind == NOT_EXACT {
            others.summaries(&places, numbers)
        } else {
            let rows = at_told..at_told + places.len();
            at_told = rows.end;
            let told: Vec<Told> = rows.map(|row| std::array::from_fn(|column| told[column][row])).collect();
            exact::summaries(kind, &told, &places)?
        };
        rolled.push((series, summaries));
    }
    Ok(rolled)
}

/// The value columns of series that are not exact.
struct Others {
    columns: Vec<Vec<Values>>,
    next: usize,
}

impl Others {
    /// Those of the next series.
    fn summaries(&mut self, places: &[Places], numbers: bool) -> Vec<Summary> {
        let series = self.next;
        self.next += 1;
        let of_row = |(row, at)| as_it_is(at, numbers, |column| self.columns[column][series].value(row));
        places.iter().enumerate().map(of_row).collect()
    }
}

/// The summary of which `value` gives the value columns.
pub(super) fn as_it_is(at: &Places, numbers: bool, value: impl Fn(usize) -> Value) -> Summary {
    let squares = |value| if let Value::Float(squares) = value { squares } else { 0.0 };
    Summary {
        start: at.start,
        count: at.count,
        first: (at.first, value(0)),
        last: (at.last, value(1)),
        numbers: numbers.then(|| Numbers {
            least: (at.least, value(2)),
            greatest: (at.greatest, value(3)),
            sum: value(4),
            squares: squares(value(5)),
            increase: value(6),
        }),
    }
}

#[cfg(test)]
#[path = "body_tests.rs"]
mod tests;
