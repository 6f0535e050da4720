//! A column of texts: each different text once, in the order of first use, then which one stands at each place. And the columns
//! of small numbers that name one of few things, here and elsewhere.

use std::sync::Arc;

use telltale_wire::reader::put_text;
use telltale_wire::varint::{put, size};

use super::Damaged;
use super::bytes::In;
use super::ints;
use crate::keyed::KeyedMap;

mod form {
    /// Length and number of each run.
    pub(super) const RUNS: u8 = 0;
    /// A column of integers.
    pub(super) const EACH: u8 = 1;
}

pub(super) fn encode(out: &mut Vec<u8>, values: &[Arc<str>]) {
    let mut numbers: KeyedMap<&str, i64> = KeyedMap::default();
    let mut texts: Vec<&str> = Vec::new();
    let mut places = Vec::with_capacity(values.len());
    for text in values {
        let next = texts.len() as i64;
        let number = *numbers.entry(text).or_insert(next);
        if number == next {
            texts.push(text);
        }
        places.push(number);
    }
    put(out, texts.len() as u64);
    texts.iter().for_each(|text| put_text(out, text));
    encode_choices(out, &places);
}

pub(super) fn decode(from: &mut In<'_>, count: usize) -> Result<Vec<Arc<str>>, Damaged> {
    let different = from.count(count)?;
    let texts: Vec<Arc<str>> = (0..different).map(|_| from.text().map(Arc::from)).collect::<Result<_, _>>()?;
    Ok(decode_choices(from, count, different)?.into_iter().map(|i| Arc::clone(&texts[i])).collect())
}

/// Numbers of few different things, in runs where these are smaller. Not empty.
pub(in crate::store::embedded) fn encode_choices(out: &mut Vec<u8>, places: &[i64]) {
    let start = out.len();
    out.push(form::EACH);
    ints::encode(out, places);
    let runs = || places.chunk_by(|a, b| a == b).map(|run| (run.len() as u64, run[0].cast_unsigned()));
    if runs().map(|(length, place)| size(length) + size(place)).sum::<usize>() < out.len() - start - 1 {
        out.truncate(start);
        out.push(form::RUNS);
        for (length, place) in runs() {
            put(out, length);
            put(out, place);
        }
    }
}

/// Each is below `choices`.
pub(in crate::store::embedded) fn decode_choices(from: &mut In<'_>, count: usize, choices: usize) -> Result<Vec<usize>, Damaged> {
    let known = |place: u64| {
        let place = usize::try_from(place).ok().filter(|place| *place < choices);
        place.ok_or(Damaged::Malformed("a column names a thing that is not there"))
    };
    match from.u8()? {
        form::RUNS => {
            let mut places = Vec::with_capacity(count);
            while places.len() < count {
                let length = from.count(count - places.len())?;
                let place = known(from.varint()?)?;
                places.resize(places.len() + length, place);
            }
            Ok(places)
        }
        form::EACH => ints::decode(from, count)?.into_iter().map(|place| known(place.cast_unsigned())).collect(),
        _ => Err(Damaged::Malformed("a column of choices has an unknown form")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_is_read_as_written() {
        let word = |i: usize| Arc::from(["running", "stopped", "", "fault: \u{fc}berhitzt"][i % 4]);
        let rows: &[(&str, Vec<Arc<str>>, usize)] = &[
            ("one", vec![word(0)], 12),
            ("the same", vec![word(1); 4096], 14),
            ("runs", (0..4000).map(|i| word(i / 1000)).collect(), 50),
            ("by turns", (0..4000).map(word).collect(), 1100),
            ("all different", (0..4000).map(|i| Arc::from(format!("{i:04}"))).collect(), 4000 * 5 + 10),
        ];
        for (name, values, most) in rows {
            let mut out = Vec::new();
            encode(&mut out, values);
            assert!(out.len() <= *most, "{name}: {} bytes", out.len());
            let mut from = In { rest: &out };
            assert_eq!(decode(&mut from, values.len()), Ok(values.clone()), "{name}");
            assert_eq!(from.end(), Ok(()), "{name}");
        }
    }
}
