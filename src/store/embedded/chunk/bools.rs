//! A column of bools: the lengths of its runs, or a bit for each, whichever is smaller.

use telltale_wire::varint::{put, size};

use super::Damaged;
use super::bytes::In;

mod form {
    // 0 and 1: runs, the first of which is false or true.
    pub(super) const BITS: u8 = 2;
}

pub(super) fn encode(out: &mut Vec<u8>, values: &[bool]) {
    let Some(&first) = values.first() else { return };
    let runs = || values.chunk_by(|a, b| a == b).map(|run| run.len() as u64);
    if runs().map(size).sum::<usize>() <= values.len().div_ceil(8) {
        out.push(u8::from(first));
        runs().for_each(|length| put(out, length));
        return;
    }
    out.push(form::BITS);
    out.extend(values.chunks(8).map(|eight| eight.iter().rev().fold(0, |byte, bit| byte << 1 | u8::from(*bit))));
}

pub(super) fn decode(from: &mut In<'_>, count: usize) -> Result<Vec<bool>, Damaged> {
    if count == 0 {
        return Ok(Vec::new());
    }
    let form = from.u8()?;
    match form {
        form::BITS => {
            let bytes = from.take(count.div_ceil(8))?;
            Ok((0..count).map(|i| bytes[i / 8] >> (i % 8) & 1 == 1).collect())
        }
        0 | 1 => {
            let (mut values, mut now) = (Vec::with_capacity(count), form == 1);
            while values.len() < count {
                let length = from.count(count - values.len())?;
                values.resize(values.len() + length, now);
                now = !now;
            }
            Ok(values)
        }
        _ => Err(Damaged::Malformed("a column of bools has an unknown form")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_is_read_as_written() {
        let rows: &[(&str, Vec<bool>, usize)] = &[
            ("empty", vec![], 0),
            ("one", vec![true], 2),
            ("long runs", [vec![false; 1000], vec![true; 1000]].concat(), 5),
            ("to and fro", [true, false].repeat(100), 26),
            ("nine", vec![true, false, true, true, false, false, true, false, true], 3),
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
