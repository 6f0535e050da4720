//! A column of floats, exact to the bit. Sensors send decimals: where all are integers over one power of ten, the integers are
//! kept, which is a third of the size. The others go through pco as they are, or raw where they are few.

use telltale_wire::varint::{put, zigzag};

use super::Damaged;
use super::bytes::In;
use super::ints;
use super::pack::{self, Plan};

const SCALES: [f64; 10] = [1.0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9];
/// Every integer below is exact as a float.
pub(super) const EXACT_BELOW: f64 = 9_007_199_254_740_992.0;

mod form {
    // 0..=9: decimals with so many digits behind the point.
    pub(super) const PACKED: u8 = 16;
    pub(super) const RAW: u8 = 17;
}

/// Below this many bytes a value decimals are not compared with pco over floats.
const DECIMALS_AT_EASE: usize = 2;
/// Fewer floats are raw: pco's description alone takes as much.
const PACK_FROM: usize = 4;

/// The integer that gives `f` back to the bit when divided by the scale.
fn scaled(f: f64, scale: f64) -> Option<i64> {
    rounded(f, scale).filter(|int| unscale(*int, scale).to_bits() == f.to_bits())
}

/// The integer next to `f` times the scale; None where integers have gaps as floats.
fn rounded(f: f64, scale: f64) -> Option<i64> {
    let product = f * scale;
    // Half away from zero by hand: `round` is a call into libm on the x86-64 baseline, and a way back tells how near it is.
    (product.abs() < EXACT_BELOW).then(|| (product + 0.5_f64.copysign(product)) as i64)
}

#[expect(clippy::cast_precision_loss, reason = "below 2^53 where it was written; else the bytes are damaged and any float will do")]
fn unscale(int: i64, scale: f64) -> f64 {
    int as f64 / scale
}

/// The float that is this integer with so many digits behind the point.
pub(in crate::store::embedded) fn decimal(int: i64, digits: u8) -> f64 {
    unscale(int, SCALES[usize::from(digits).min(SCALES.len() - 1)])
}

/// The integer of which `f` is the decimal with so many digits behind the point.
pub(in crate::store::embedded) fn digits_of(f: f64, digits: u8) -> Option<i64> {
    scaled(f, *SCALES.get(usize::from(digits))?)
}

/// The integer of the decimal next to `f`.
pub(in crate::store::embedded) fn nearest(f: f64, digits: u8) -> Option<i64> {
    rounded(f, *SCALES.get(usize::from(digits))?)
}

/// The integers and their digits behind the point; None where no power of ten fits them all.
pub(super) fn decimals(values: &[f64]) -> Option<(u8, Vec<i64>)> {
    let mut digits = 0;
    for &f in values {
        while scaled(f, SCALES[digits]).is_none() {
            digits += 1;
            if digits == SCALES.len() {
                return None;
            }
        }
    }
    let ints: Option<Vec<i64>> = values.iter().map(|f| scaled(*f, SCALES[digits])).collect();
    Some((u8::try_from(digits).ok()?, ints?))
}

pub(super) fn from_decimals(digits: u8, ints: &[i64]) -> Result<Vec<f64>, Damaged> {
    let mut floats = Vec::with_capacity(ints.len());
    unscale_all(&mut floats, ints, scale_of(digits)?);
    Ok(floats)
}

fn scale_of(digits: u8) -> Result<f64, Damaged> {
    SCALES.get(usize::from(digits)).copied().ok_or(Damaged::Malformed("too many digits behind the point"))
}

/// Between 2^52 and 2^53 the bits of a float count by ones: this is the middle of them.
const COUNTER: f64 = 6_755_399_441_055_744.0;
/// Integers that lie as near to 0 can be counted there.
const COUNTED: i64 = 1 << 51;

/// The same as `unscale` of each, to the bit. No instruction of the x86-64 baseline makes floats of several integers at once, so those that
/// are not large are added to the bits of a float.
fn unscale_all(floats: &mut Vec<f64>, ints: &[i64], scale: f64) {
    let outside = ints.iter().fold(0, |all, int| all | int.wrapping_add(COUNTED)) & !(2 * COUNTED - 1);
    if outside == 0 {
        let counted = |int: &i64| f64::from_bits(COUNTER.to_bits().wrapping_add_signed(*int)) - COUNTER;
        floats.extend(ints.iter().map(|int| counted(int) / scale));
    } else {
        floats.extend(ints.iter().map(|int| unscale(*int, scale)));
    }
}

pub(super) fn encode(out: &mut Vec<u8>, values: &[f64]) {
    let start = out.len();
    if let Some((digits, ints)) = decimals(values) {
        out.push(digits);
        ints::encode(out, &ints);
        if out.len() - start <= DECIMALS_AT_EASE * values.len() + PACK_FROM * 8 {
            return;
        }
    }
    let mut bits = Vec::new();
    encode_bits(&mut bits, values);
    if out.len() == start || bits.len() < out.len() - start {
        out.truncate(start);
        out.extend_from_slice(&bits);
    }
}

/// As floats, never as decimals.
pub(super) fn encode_bits(out: &mut Vec<u8>, values: &[f64]) {
    let start = out.len();
    if values.len() >= PACK_FROM {
        out.push(form::PACKED);
        pack::put(out, values, Plan::Search);
        if out.len() - start <= 8 * values.len() {
            return;
        }
        out.truncate(start);
    }
    out.push(form::RAW);
    values.iter().for_each(|f| out.extend_from_slice(&f.to_le_bytes()));
}

pub(super) fn decode(from: &mut In<'_>, count: usize) -> Result<Vec<f64>, Damaged> {
    match from.u8()? {
        form::PACKED => pack::read(from, count),
        form::RAW => (0..count).map(|_| from.f64()).collect(),
        digits => {
            let (scale, mut floats) = (scale_of(digits)?, Vec::with_capacity(count));
            ints::each(from, count, |ints| unscale_all(&mut floats, ints, scale))?;
            Ok(floats)
        }
    }
}

/// One float: its digits and its integer, or its eight bytes.
pub(super) fn put_one(out: &mut Vec<u8>, value: f64) {
    match decimals(&[value]) {
        Some((digits, ints)) => {
            out.push(digits);
            ints.iter().for_each(|int| put(out, zigzag(*int)));
        }
        None => {
            out.push(form::RAW);
            out.extend_from_slice(&value.to_le_bytes());
        }
    }
}

pub(super) fn read_one(from: &mut In<'_>) -> Result<f64, Damaged> {
    match from.u8()? {
        form::RAW => from.f64(),
        digits => from_decimals(digits, &[from.zigzag()?])?.pop().ok_or(Damaged::Short),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bit_comes_back() {
        let tenths: Vec<f64> = (0..500).map(|i| f64::from(i * 37 % 300) / 10.0).collect();
        let rows: &[(&str, Vec<f64>, usize)] = &[
            ("one", vec![1.5], 3),
            ("zeros of both signs", [0.0, -0.0].repeat(40), 80),
            ("tenths", tenths.clone(), 800),
            ("tenths and one that is none", [tenths.clone(), vec![std::f64::consts::PI]].concat(), 1500),
            ("just exact", vec![9_007_199_254_740_991.0, -9_007_199_254_740_991.0], 18),
            ("no longer exact", vec![9_007_199_254_740_992.0, 0.1], 17),
            ("the ends", vec![f64::MAX, f64::MIN, f64::MIN_POSITIVE, 5e-324, 0.0], 41),
            ("never stored, yet kept", vec![f64::INFINITY, f64::NEG_INFINITY, f64::NAN, 1.0], 40),
            ("from f32", (0..500_u16).map(|i| f64::from((f32::from(i) * 0.37).sin())).collect(), 2500),
        ];
        for (name, values, most) in rows {
            let mut out = Vec::new();
            encode(&mut out, values);
            assert!(out.len() <= *most, "{name}: {} bytes", out.len());
            let mut from = In { rest: &out };
            let back = decode(&mut from, values.len()).unwrap();
            assert!(back.iter().map(|f| f.to_bits()).eq(values.iter().map(|f| f.to_bits())), "{name}");
            assert_eq!(from.end(), Ok(()), "{name}");
            let mut out = Vec::new();
            values.iter().for_each(|f| put_one(&mut out, *f));
            let mut from = In { rest: &out };
            assert!(values.iter().all(|f| read_one(&mut from).unwrap().to_bits() == f.to_bits()), "{name}");
        }
    }

    #[test]
    fn integers_become_floats_as_one_by_one() {
        let edge = COUNTED;
        let near: Vec<i64> = [0, 1, -1, 7, edge - 1, -edge, 1 - edge, 12_345_678_901].into_iter().collect();
        let far = [edge, -edge - 1, 1 << 53, -(1 << 53) + 1, i64::MAX, i64::MIN];
        let columns = far.iter().map(|one| [&near[..], &[*one]].concat()).chain([near.clone(), Vec::new()]);
        for (column, scale) in columns.flat_map(|column| SCALES.map(|scale| (column.clone(), scale))) {
            let mut found = Vec::new();
            unscale_all(&mut found, &column, scale);
            let expected: Vec<u64> = column.iter().map(|int| unscale(*int, scale).to_bits()).collect();
            assert_eq!(found.iter().map(|f| f.to_bits()).collect::<Vec<_>>(), expected, "{column:?} by {scale}");
        }
    }

    #[test]
    fn the_digits_are_the_fewest_that_fit_all() {
        for (values, expected) in [(vec![1.0, 2.0], 0), (vec![1.0, 0.25, 3.5], 2), (vec![1e-9], 9), (vec![21.3, 1e9], 1)] {
            assert_eq!(decimals(&values).unwrap().0, expected, "{values:?}");
        }
        for values in [vec![-0.0], vec![1e-10], vec![0.1, 1e16], vec![f64::NAN]] {
            assert_eq!(decimals(&values), None, "{values:?}");
        }
    }
}
