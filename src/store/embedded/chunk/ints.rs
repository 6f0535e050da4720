//! A column of integers in the smallest of four forms. Its count stands elsewhere; an empty column takes no byte.

use telltale_wire::varint::{put, size, zigzag};

use super::Damaged;
use super::bytes::In;
use super::pack::{self, Plan};

mod form {
    /// Once for all.
    pub(super) const CONSTANT: u8 = 0;
    /// The first, then the same difference always.
    pub(super) const STEP: u8 = 1;
    /// Each minus the one before, as zigzag.
    pub(super) const DELTAS: u8 = 2;
    pub(super) const PACKED: u8 = 3;
}

/// pco's own description takes about this much, so a shorter column of deltas is not worth a try.
const PACK_FROM_BYTES: usize = 24;
/// From here on pco's own search costs a few ns a value and saves up to a fifth; on a short column it costs 100 ns.
const SEARCH_FROM: usize = 1024;
/// Beyond, deltas as bytes are hardly ever smaller.
const DELTAS_UP_TO: usize = 512;

/// What a look at the whole column tells.
struct Look {
    /// All differences are the first one.
    step: bool,
    /// Bytes as deltas.
    bytes: usize,
    /// About the bits of a value, a difference and a difference of differences, summed.
    bits: [u64; 3],
}

fn look(values: &[i64]) -> Look {
    let mut look = Look { step: true, bytes: 0, bits: [0; 3] };
    let middle = values[values.len() / 2];
    let first_step = values.get(1).map_or(0, |v| v.wrapping_sub(values[0]));
    let (mut previous, mut step) = (0_i64, 0_i64);
    for (i, &value) in values.iter().enumerate() {
        let delta = value.wrapping_sub(previous);
        look.bytes += size(zigzag(delta));
        look.bits[0] += bits(value.wrapping_sub(middle));
        if i > 0 {
            look.step &= delta == first_step;
            look.bits[1] += bits(delta);
        }
        if i > 1 {
            look.bits[2] += bits(delta.wrapping_sub(step));
        }
        (previous, step) = (value, delta);
    }
    look
}

/// About what pco spends on a value of this size.
pub(super) fn bits(value: i64) -> u64 {
    u64::from(64 - zigzag(value).leading_zeros())
}

/// As many orders of deltas as make it small; each costs something, so a tie goes to fewer.
fn order(bits: [u64; 3]) -> usize {
    let [none, one, two] = bits;
    if none <= one && none <= two { 0 } else { 1 + usize::from(two < one) }
}

pub(in crate::store::embedded) fn encode(out: &mut Vec<u8>, values: &[i64]) {
    let Some(&first) = values.first() else { return };
    let look = look(values);
    if look.step {
        let step = values.get(1).map_or(0, |v| v.wrapping_sub(first));
        out.push(if step == 0 { form::CONSTANT } else { form::STEP });
        put(out, zigzag(first));
        if step != 0 {
            put(out, zigzag(step));
        }
        return;
    }
    let start = out.len();
    if look.bytes > PACK_FROM_BYTES {
        out.push(form::PACKED);
        let plan = if values.len() < SEARCH_FROM { Plan::Delta(order(look.bits)) } else { Plan::Search };
        pack::put(out, values, plan);
        if values.len() > DELTAS_UP_TO || out.len() - start <= look.bytes {
            return;
        }
        out.truncate(start);
    }
    out.push(form::DELTAS);
    let mut previous = 0_i64;
    for value in values {
        put(out, zigzag(value.wrapping_sub(previous)));
        previous = *value;
    }
}

pub(in crate::store::embedded) fn decode(from: &mut In<'_>, count: usize) -> Result<Vec<i64>, Damaged> {
    if count == 0 {
        return Ok(Vec::new());
    }
    match from.u8()? {
        form::CONSTANT => Ok(vec![from.zigzag()?; count]),
        form::STEP => {
            let (first, step) = (from.zigzag()?, from.zigzag()?);
            Ok(running(first, step, count))
        }
        form::DELTAS => {
            let mut previous = 0_i64;
            (0..count)
                .map(|_| {
                    previous = previous.wrapping_add(from.zigzag()?);
                    Ok(previous)
                })
                .collect()
        }
        form::PACKED => pack::read(from, count),
        _ => Err(Damaged::Malformed("a column of integers has an unknown form")),
    }
}

/// The same column in pieces, for who makes something else of it.
pub(super) fn each(from: &mut In<'_>, count: usize, mut take: impl FnMut(&[i64])) -> Result<(), Damaged> {
    if count > 0 && from.rest.first() == Some(&form::PACKED) {
        from.u8()?;
        return pack::each::<i64>(from, count, take);
    }
    take(&decode(from, count)?);
    Ok(())
}

fn running(first: i64, step: i64, count: usize) -> Vec<i64> {
    std::iter::successors(Some(first), |value| Some(value.wrapping_add(step))).take(count).collect()
}

/// A column whose values lie a common divisor apart, such as times that are whole milliseconds: the divisor, the first value,
/// then how many divisors each lies behind it.
pub(in crate::store::embedded) fn encode_scaled(out: &mut Vec<u8>, values: &[i64]) {
    let Some(&first) = values.first() else { return };
    let unit = values.iter().fold(0, |unit, v| divisor(unit, v.wrapping_sub(first).unsigned_abs())).max(1);
    put(out, unit);
    put(out, zigzag(first));
    // A quotient's sign is that of the difference: the magnitudes were divided.
    let scaled: Vec<i64> = values.iter().map(|v| signed_quotient(v.wrapping_sub(first), unit)).collect();
    encode(out, &scaled);
}

pub(in crate::store::embedded) fn decode_scaled(from: &mut In<'_>, count: usize) -> Result<Vec<i64>, Damaged> {
    if count == 0 {
        return Ok(Vec::new());
    }
    let (unit, first) = (from.varint()?.cast_signed(), from.zigzag()?);
    let scaled = decode(from, count)?;
    Ok(scaled.into_iter().map(|v| first.wrapping_add(v.wrapping_mul(unit))).collect())
}

fn signed_quotient(value: i64, unit: u64) -> i64 {
    let magnitude = (value.unsigned_abs() / unit).cast_signed();
    if value < 0 { magnitude.wrapping_neg() } else { magnitude }
}

/// The greatest common divisor; one division where `unit` already divides `value`.
pub(super) fn divisor(unit: u64, value: u64) -> u64 {
    if unit == 1 {
        return 1;
    }
    let (mut a, mut b) = (value, unit);
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_is_read_as_written() {
        let rows: &[(&str, Vec<i64>, usize)] = &[
            ("empty", vec![], 0),
            ("one", vec![5], 2),
            ("constant", vec![-3; 1000], 2),
            ("step", (0..1000).map(|i| 7 + 3 * i).collect(), 3),
            ("extremes", vec![i64::MIN, i64::MAX, 0, i64::MIN, -1], 30),
            ("few", vec![1, 4, 2, 8, 5, 7], 7),
            ("squares", (0..2000).map(|i| i * i).collect(), 60),
            ("a pattern", (0..4000).map(|i| fastrand::Rng::with_seed(i % 50).i64(..)).collect(), 4500),
            ("noise", (0..4000).map(|i| i * 7919 % 256).collect(), 4300),
        ];
        for (name, values, most) in rows {
            for (encode, decode) in
                [(encode as fn(&mut Vec<u8>, &[i64]), decode as fn(&mut In<'_>, usize) -> _), (encode_scaled, decode_scaled)]
            {
                let mut out = Vec::new();
                encode(&mut out, values);
                assert!(out.len() <= most + 20, "{name}: {} bytes", out.len());
                let mut from = In { rest: &out };
                assert_eq!(decode(&mut from, values.len()), Ok(values.clone()), "{name}");
                assert_eq!(from.end(), Ok(()), "{name}");
            }
        }
    }

    #[test]
    fn the_divisor_of_nothing_is_the_other() {
        for (a, b, expected) in [(0, 12, 12), (12, 0, 12), (12, 18, 6), (1, 99, 1), (7, 5, 1), (0, u64::MAX, u64::MAX)] {
            assert_eq!(divisor(a, b), expected, "{a} {b}");
        }
    }
}
