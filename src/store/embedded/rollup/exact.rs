//! Summaries of decimals as integers, of which little is left once each is told from those before: the first reading of a bucket from
//! the last of the bucket before, the sum from the ends, the squares from the sum, the increase from the ends. Pure.

use crate::model::{TimeNs, Value};
use crate::query::summary::{Numbers, Summary};
use crate::store::embedded::chunk::{Damaged, floats};

/// Digits behind the point that readings may have: their squares have twice as many.
const DIGITS_MAX: u8 = 4;
/// Kinds of series: 0 is not exact, 1 is of ints, from 2 on decimals with 0 to [`DIGITS_MAX`] digits.
pub(super) const KINDS: usize = 3 + DIGITS_MAX as usize;
pub(super) const NOT_EXACT: usize = 0;
const INTS: usize = 1;

/// The columns of an exact series, in this order.
pub(super) const COLUMNS: usize = 7;

/// What a bucket holds, as integers.
#[derive(Clone, Copy, Debug, Default)]
struct Whole {
    first: i64,
    last: i64,
    least: i64,
    greatest: i64,
    sum: i64,
    squares: i64,
    increase: i64,
}

/// What is told of a bucket.
pub(super) type Told = [i64; COLUMNS];

/// The kind of a series and what is told of its buckets; sums of its summaries that floats blurred are set right. None: it is not exact.
pub(super) fn told(summaries: &mut [Summary]) -> Option<(usize, Vec<Told>)> {
    let kinds = match summaries.first()?.first.1 {
        Value::Int(_) => INTS..INTS + 1,
        _ => INTS + 1..KINDS,
    };
    kinds.into_iter().find_map(|kind| {
        let wholes: Vec<Whole> = summaries.iter().map(|summary| whole(summary, kind)).collect::<Option<_>>()?;
        let mut told = Vec::with_capacity(wholes.len());
        let mut before = 0;
        for (summary, whole) in summaries.iter().zip(&wholes) {
            told.push(differences(whole, before, summary.count)?);
            before = whole.last;
        }
        for (summary, whole) in summaries.iter_mut().zip(&wholes) {
            if let Some(numbers) = &mut summary.numbers {
                (numbers.sum, numbers.increase) = (number(whole.sum, kind), number(whole.increase, kind));
                numbers.squares = squares(whole.squares, kind);
            }
        }
        Some((kind, told))
    })
}

/// Where readings of a bucket stand: what is not told here.
#[derive(Clone, Copy, Debug)]
pub(super) struct Places {
    pub(super) start: TimeNs,
    pub(super) count: u64,
    pub(super) first: TimeNs,
    pub(super) last: TimeNs,
    pub(super) least: TimeNs,
    pub(super) greatest: TimeNs,
}

/// The summaries of a series of an exact kind.
pub(super) fn summaries(kind: usize, told: &[Told], places: &[Places]) -> Result<Vec<Summary>, Damaged> {
    let mut before = 0;
    let mut summaries = Vec::with_capacity(told.len());
    for (told, at) in told.iter().zip(places) {
        let whole = undo(told, before, at.count).ok_or(Damaged::Malformed("a summary beyond what numbers can be"))?;
        before = whole.last;
        let value = |int| number(int, kind);
        let numbers = Numbers {
            least: (at.least, value(whole.least)),
            greatest: (at.greatest, value(whole.greatest)),
            sum: value(whole.sum),
            squares: squares(whole.squares, kind),
            increase: value(whole.increase),
        };
        let (first, last) = ((at.first, value(whole.first)), (at.last, value(whole.last)));
        summaries.push(Summary { start: at.start, count: at.count, first, last, numbers: Some(numbers) });
    }
    Ok(summaries)
}

fn differences(whole: &Whole, before: i64, count: u64) -> Option<Told> {
    let Whole { first, last, least, greatest, sum, squares, increase } = *whole;
    Some([
        first.checked_sub(before)?,
        last.checked_sub(first)?,
        first.min(last).checked_sub(least)?,
        greatest.checked_sub(first.max(last))?,
        i64::try_from(i128::from(sum) - between(first, last, count)?).ok()?,
        i64::try_from(i128::from(squares) - square_of_mean(sum, count)?).ok()?,
        increase.checked_sub(last.checked_sub(first)?)?,
    ])
}

fn undo(told: &Told, before: i64, count: u64) -> Option<Whole> {
    let [first, last, least, greatest, sum, squares, increase] = *told;
    let first = before.checked_add(first)?;
    let last = first.checked_add(last)?;
    let sum = i64::try_from(i128::from(sum) + between(first, last, count)?).ok()?;
    Some(Whole {
        first,
        last,
        least: first.min(last).checked_sub(least)?,
        greatest: first.max(last).checked_add(greatest)?,
        sum,
        squares: i64::try_from(i128::from(squares) + square_of_mean(sum, count)?).ok()?,
        increase: increase.checked_add(last.checked_sub(first)?)?,
    })
}

/// The sum if the readings lay on a line between the ends.
fn between(first: i64, last: i64, count: u64) -> Option<i128> {
    (i128::from(first) + i128::from(last)).checked_mul(i128::from(count)).map(|twice| twice.div_euclid(2))
}

/// The sum of the squares if all readings were the mean.
fn square_of_mean(sum: i64, count: u64) -> Option<i128> {
    i128::from(sum).pow(2).checked_div_euclid(i128::from(count))
}

fn digits(kind: usize) -> u8 {
    u8::try_from(kind.saturating_sub(INTS + 1)).unwrap_or(0)
}

fn number(int: i64, kind: usize) -> Value {
    if kind == INTS { Value::Int(int) } else { Value::Float(floats::decimal(int, digits(kind))) }
}

fn squares(int: i64, kind: usize) -> f64 {
    floats::decimal(int, 2 * digits(kind))
}

fn whole(summary: &Summary, kind: usize) -> Option<Whole> {
    let numbers = summary.numbers.as_ref()?;
    let exactly = |value: &Value| match value {
        Value::Int(i) if kind == INTS => Some(*i),
        Value::Float(f) if kind != INTS => floats::digits_of(*f, digits(kind)),
        _ => None,
    };
    let (least, greatest) = (exactly(&numbers.least.1)?, exactly(&numbers.greatest.1)?);
    // A sum of so many floats is blurred by no more than this.
    let blur = summary.count as f64 * 4.0 * f64::EPSILON;
    let size = floats::decimal(least.saturating_abs().max(greatest.saturating_abs()), digits(kind));
    let total = |value: &Value| match value {
        Value::Float(f) if kind != INTS => nearest(*f, digits(kind), blur * size),
        value => exactly(value),
    };
    Some(Whole {
        first: exactly(&summary.first.1)?,
        last: exactly(&summary.last.1)?,
        least,
        greatest,
        sum: total(&numbers.sum)?,
        squares: nearest(numbers.squares, 2 * digits(kind), blur * size * size)?,
        increase: total(&numbers.increase)?,
    })
}

/// The integer of the decimal that lies next to a sum which floats may have blurred by so much. Of ints nothing is blurred.
fn nearest(sum: f64, digits: u8, blur: f64) -> Option<i64> {
    let int = floats::nearest(sum, digits)?;
    ((floats::decimal(int, digits) - sum).abs() <= blur).then_some(int)
}
