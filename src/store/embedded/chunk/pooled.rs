//! The values of many series, pooled: all ints behind each other, all decimals with one digit, with two, and so on. Series lie
//! at levels of their own, so of numbers the levels stand apart from what happens within each series.

use std::borrow::Cow;

use super::bytes::In;
use super::values::{self, kind};
use super::{Damaged, bools, floats, ints, texts};
use crate::block::{Block, Values};

/// A series' type: those of `kind`, a float that is no decimal being `FLOAT`, and decimals with 0 to 9 digits from here.
const DECIMALS: u8 = 8;
const KINDS: u8 = DECIMALS + 10;

/// How a pool of integers is written.
mod form {
    /// As they are.
    pub(super) const PLAIN: u8 = 0;
    /// A middle for each series, and how far each value lies from it.
    pub(super) const MIDDLE: u8 = 1;
    /// The first of each series, and each minus the one before.
    pub(super) const DELTAS: u8 = 2;
    /// The first of each series, its first difference, and each difference minus the one before: counters.
    pub(super) const SECOND: u8 = 3;
}

/// Series that are tried in every form, before all are written in the best of them.
const SAMPLE: usize = 64;

/// The column of one series, of the kind it is pooled by.
enum Column<'a> {
    Ints(u8, Cow<'a, [i64]>),
    Other(Cow<'a, Values>),
}

impl<'a> Column<'a> {
    fn of(block: &'a Block) -> Self {
        let column = values::settled(block.values()).map_or(Cow::Borrowed(block.values()), Cow::Owned);
        let decimals = if let Values::Float(v) = &*column { floats::decimals(v) } else { None };
        match (decimals, column) {
            (Some((digits, ints)), _) => Self::Ints(DECIMALS + digits, Cow::Owned(ints)),
            (None, Cow::Borrowed(Values::Int(v))) => Self::Ints(kind::INT, Cow::Borrowed(v)),
            (None, Cow::Owned(Values::Int(v))) => Self::Ints(kind::INT, Cow::Owned(v)),
            (None, column) => Self::Other(column),
        }
    }

    fn kind(&self) -> u8 {
        match self {
            Self::Ints(kind, _) => *kind,
            Self::Other(column) => values::kind_of(column),
        }
    }
}

/// The values of each block; there is one, and none is empty.
pub(in crate::store::embedded) fn encode(out: &mut Vec<u8>, blocks: &[&Block]) {
    let columns: Vec<Column<'_>> = blocks.iter().map(|block| Column::of(block)).collect();
    texts::encode_choices(out, &columns.iter().map(|column| i64::from(column.kind())).collect::<Vec<_>>());
    for kind in 0..KINDS {
        let (mut ints, mut others) = (Vec::new(), Vec::new());
        for column in columns.iter().filter(|column| column.kind() == kind) {
            match column {
                Column::Ints(_, v) => ints.push(&**v),
                Column::Other(v) => others.push(&**v),
            }
        }
        if !ints.is_empty() {
            encode_ints(out, &ints);
        } else if !others.is_empty() {
            encode_others(out, &others);
        }
    }
}

/// All of one type, which is not int.
fn encode_others(out: &mut Vec<u8>, columns: &[&Values]) {
    let (mut reals, mut flags, mut words, mut mixed) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for column in columns {
        match column {
            Values::Float(v) => reals.extend_from_slice(v),
            Values::Bool(v) => flags.extend_from_slice(v),
            Values::Text(v) => words.extend_from_slice(v),
            Values::Mixed(v) => mixed.extend_from_slice(v),
            Values::Int(_) => unreachable!("ints are pooled apart"),
        }
    }
    match columns[0] {
        Values::Float(_) => floats::encode_bits(out, &reals),
        Values::Bool(_) => bools::encode(out, &flags),
        Values::Text(_) => texts::encode(out, &words),
        _ => values::encode(out, &Values::Mixed(mixed)),
    }
}

/// A column for each count. The counts are bounded by the caller, none is zero.
pub(in crate::store::embedded) fn decode(from: &mut In<'_>, counts: &[usize]) -> Result<Vec<Values>, Damaged> {
    let kinds = texts::decode_choices(from, counts.len(), usize::from(KINDS))?;
    let mut columns: Vec<Values> = vec![Values::default(); counts.len()];
    for kind in 0..KINDS {
        let members: Vec<usize> = (0..counts.len()).filter(|i| kinds[*i] == usize::from(kind)).collect();
        if members.is_empty() {
            continue;
        }
        let own: Vec<usize> = members.iter().map(|i| counts[*i]).collect();
        let pool = decode_pool(from, kind, &own)?;
        let mut start = 0;
        for (member, count) in members.into_iter().zip(own) {
            columns[member] = cut(&pool, start, count);
            start += count;
        }
    }
    Ok(columns)
}

fn decode_pool(from: &mut In<'_>, kind: u8, counts: &[usize]) -> Result<Values, Damaged> {
    if kind == kind::INT {
        return decode_ints(from, counts).map(Values::Int);
    }
    if kind >= DECIMALS {
        let ints = decode_ints(from, counts)?;
        return floats::from_decimals(kind - DECIMALS, &ints).map(Values::Float);
    }
    values::decode(from, kind, counts.iter().sum())
}

fn cut(pool: &Values, start: usize, count: usize) -> Values {
    let range = start..start + count;
    match pool {
        Values::Int(v) => Values::Int(v[range].to_vec()),
        Values::Float(v) => Values::Float(v[range].to_vec()),
        Values::Bool(v) => Values::Bool(v[range].to_vec()),
        Values::Text(v) => Values::Text(v[range].to_vec()),
        Values::Mixed(v) => Values::Mixed(v[range].to_vec()),
    }
}

/// A form's columns: what stands once for each series, and the rest.
struct Split {
    levels: Vec<Vec<i64>>,
    rest: Vec<i64>,
}

impl Split {
    fn of(form: u8, series: &[&[i64]]) -> Self {
        let mut levels = vec![Vec::new(); levels_of(form)];
        let mut rest = Vec::new();
        for values in series {
            match form {
                form::MIDDLE => {
                    let middle = middle(values);
                    levels[0].push(middle);
                    rest.extend(values.iter().map(|v| v.wrapping_sub(middle)));
                }
                form::PLAIN => rest.extend_from_slice(values),
                _ => {
                    let own = differences(values, levels.len());
                    let (firsts, others) = own.split_at(levels.len().min(own.len()));
                    levels.iter_mut().zip(firsts).for_each(|(level, first)| level.push(*first));
                    rest.extend_from_slice(others);
                }
            }
        }
        Self { levels, rest }
    }

    /// About its bits, so that the least of a few may be taken without packing each.
    fn bits(&self) -> u64 {
        self.levels.iter().map(|level| bits_of_steps(level)).sum::<u64>() + bits_around(&self.rest)
    }
}

fn levels_of(form: u8) -> usize {
    match form {
        form::PLAIN => 0,
        form::SECOND => 2,
        _ => 1,
    }
}

fn bits_of_steps(level: &[i64]) -> u64 {
    level.windows(2).map(|pair| ints::bits(pair[1].wrapping_sub(pair[0]))).sum()
}

fn bits_around(values: &[i64]) -> u64 {
    let middle = if values.is_empty() { 0 } else { middle(values) };
    values.iter().map(|v| ints::bits(v.wrapping_sub(middle))).sum()
}

#[expect(clippy::cast_possible_truncation, reason = "a mean of 64-bit integers is one")]
fn middle(values: &[i64]) -> i64 {
    (values.iter().map(|v| i128::from(*v)).sum::<i128>() / values.len() as i128) as i64
}

/// The first, then the differences; at order two the first difference stays as it is and the others become differences again.
fn differences(values: &[i64], order: usize) -> Vec<i64> {
    let mut own = values.to_vec();
    for at in 1..=order {
        for i in (at..own.len()).rev() {
            own[i] = own[i].wrapping_sub(own[i - 1]);
        }
    }
    own
}

fn sum_up(own: &mut [i64], order: usize) {
    for at in (1..=order).rev() {
        for i in at..own.len() {
            own[i] = own[i].wrapping_add(own[i - 1]);
        }
    }
}

fn encode_ints(out: &mut Vec<u8>, series: &[&[i64]]) {
    let forms = [form::PLAIN, form::MIDDLE, form::DELTAS, form::SECOND];
    let sample: Vec<&[i64]> = series.iter().copied().step_by(series.len().div_ceil(SAMPLE)).collect();
    let form = forms.into_iter().min_by_key(|form| Split::of(*form, &sample).bits()).unwrap_or(form::PLAIN);
    let best = Split::of(form, series);
    out.push(form);
    best.levels.iter().for_each(|level| ints::encode(out, level));
    ints::encode(out, &best.rest);
}

fn decode_ints(from: &mut In<'_>, counts: &[usize]) -> Result<Vec<i64>, Damaged> {
    let form = from.u8()?;
    if form > form::SECOND {
        return Err(Damaged::Malformed("a pool of integers has an unknown form"));
    }
    let order = levels_of(form);
    let total: usize = counts.iter().sum();
    if order == 0 {
        return ints::decode(from, total);
    }
    // A series of one point has no first difference.
    let long_enough = |at: usize| if form == form::MIDDLE { counts.len() } else { counts.iter().filter(|count| **count > at).count() };
    let levels: Vec<Vec<i64>> = (0..order).map(|at| ints::decode(from, long_enough(at))).collect::<Result<_, _>>()?;
    let apart = if form == form::MIDDLE { 0 } else { levels.iter().map(Vec::len).sum() };
    let rest = ints::decode(from, total - apart)?;
    Ok(join(form, counts, &levels, &rest))
}

/// The columns are as long as the counts say: `decode_ints` read them so.
fn join(form: u8, counts: &[usize], levels: &[Vec<i64>], rest: &[i64]) -> Vec<i64> {
    let mut values = Vec::with_capacity(counts.iter().sum());
    let mut levels: Vec<_> = levels.iter().map(|level| level.iter().copied()).collect();
    let mut rest = rest.iter().copied();
    for &count in counts {
        let start = values.len();
        if form == form::MIDDLE {
            let middle = levels[0].next().unwrap_or(0);
            values.extend(rest.by_ref().take(count).map(|v| v.wrapping_add(middle)));
            continue;
        }
        values.extend(levels.iter_mut().take(count).filter_map(Iterator::next));
        let apart = values.len() - start;
        values.extend(rest.by_ref().take(count - apart));
        sum_up(&mut values[start..], levels.len());
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_gives_the_series_back() {
        let long: Vec<i64> = (0..50).map(|i| i * i - 7).collect();
        let rows: &[&[&[i64]]] = &[
            &[&[5]],
            &[&[1], &[2, 3], &[4, 5, 6], &[7]],
            &[&[i64::MIN, i64::MAX], &[i64::MAX, i64::MIN, 0], &long],
            &[&long, &long, &[9], &long],
        ];
        for series in rows {
            let counts: Vec<usize> = series.iter().map(|values| values.len()).collect();
            for form in [form::PLAIN, form::MIDDLE, form::DELTAS, form::SECOND] {
                let split = Split::of(form, series);
                let back = if form == form::PLAIN { split.rest } else { join(form, &counts, &split.levels, &split.rest) };
                assert_eq!(back, series.concat(), "form {form}");
            }
            let mut out = Vec::new();
            encode_ints(&mut out, series);
            let mut from = In { rest: &out };
            assert_eq!(decode_ints(&mut from, &counts), Ok(series.concat()));
            assert_eq!(from.end(), Ok(()));
        }
    }
}
