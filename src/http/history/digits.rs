//! Numbers as the decimal text that JSON has of them, eight digits in one store. Whoever calls gives room that ends far behind the
//! number, so that every store has a width which the compiler knows: a copy of a few bytes whose number is not known costs more than they.
//!
//! A sensor tells its values to so many decimals: floats are tried as whole numbers of the decimals that one before had, several at a
//! time, since the processor waits for a division otherwise. What does not fit is written by serde_json; the text is the same either way.

/// What one point is written to: 4 for brackets and commas, 20 for a time, 25 for the longest number, and a store of 8 behind them.
pub(super) const ROOM: usize = 64;
pub(super) type Room = [u8; ROOM];

/// Behind the greatest number of eight digits.
pub(super) const EIGHT: u64 = 100_000_000;
const ZEROS: u64 = 0x3030_3030_3030_3030;

/// What a float is multiplied by to be whole: one to six decimals.
pub(super) const SCALES: [f64; 6] = [1e1, 1e2, 1e3, 1e4, 1e5, 1e6];
/// A decimal of at most 15 digits is the only one of that length which reads back as the float nearest to it.
const MAX_WHOLE: f64 = 1e15;
/// Below so many millionths JSON has `1e-6`.
const LEAST_MILLIONTHS: f64 = 10.0;

/// All eight digits of a number below [`EIGHT`], the first of them in the lowest byte.
#[inline]
#[must_use]
pub(super) fn eight(number: u64) -> u64 {
    debug_assert!(number < EIGHT, "eight digits");
    // Two numbers of four digits side by side, four of two, eight of one: a division is a product and a shift, of all at once.
    let fours = (number / 10_000) | ((number % 10_000) << 32);
    let hundreds = ((fours * 10_486) >> 20) & 0x7f_0000_007f;
    let twos = hundreds | ((fours - hundreds * 100) << 16);
    let tens = ((twos * 103) >> 10) & 0x000f_000f_000f_000f;
    let ones = tens | ((twos - tens * 10) << 8);
    ones | ZEROS
}

/// How many of eight digits are left without zeros in front: none of 0.
#[inline]
fn significant(digits: u64) -> usize {
    8 - (digits ^ ZEROS).trailing_zeros() as usize / 8
}

#[inline]
pub(super) fn put_eight(room: &mut Room, at: usize, digits: u64) {
    room[at..at + 8].copy_from_slice(&digits.to_le_bytes());
}

/// Where the number ends.
#[inline]
pub(super) fn put_u64(room: &mut Room, at: usize, number: u64) -> usize {
    if number < EIGHT {
        let digits = eight(number);
        let count = significant(digits).max(1);
        put_eight(room, at, digits >> (8 * (8 - count)));
        return at + count;
    }
    let at = put_u64(room, at, number / EIGHT);
    put_eight(room, at, eight(number % EIGHT));
    at + 8
}

#[inline]
pub(super) fn put_i64(room: &mut Room, at: usize, number: i64) -> usize {
    room[at] = b'-';
    put_u64(room, at + usize::from(number < 0), number.unsigned_abs())
}

/// Floats that are looked at together.
pub(super) const AT_ONCE: usize = 32;
/// A float that is not so many decimals.
const NO_DECIMAL: u64 = u64::MAX;

/// Between 2^52 and 2^53 the bits of a float count by ones: this is the middle of them. What is added there is rounded to a whole number.
const COUNTER: f64 = 6_755_399_441_055_744.0;

/// Each float without its sign as so many tenths, hundredths, ..., if it is the float nearest to them and JSON tells it without an
/// exponent. In a loop of its own, without a branch: the processor divides several at a time.
#[inline]
pub(super) fn decimals_of(floats: &[f64], decimals: usize) -> [u64; AT_ONCE] {
    let scale = SCALES[decimals - 1];
    let least = if decimals == SCALES.len() { LEAST_MILLIONTHS } else { 1.0 };
    let mut wholes = [NO_DECIMAL; AT_ONCE];
    for (float, whole) in floats.iter().zip(&mut wholes) {
        let counted = float.abs() * scale + COUNTER;
        let rounded = counted - COUNTER;
        let fits = (rounded / scale == float.abs()) & (rounded < MAX_WHOLE) & ((rounded >= least) | (rounded == 0.0));
        *whole = if fits { counted.to_bits().wrapping_sub(COUNTER.to_bits()) } else { NO_DECIMAL };
    }
    wholes
}

/// `whole`: what it is as so many decimals. `next`: with how many to try what comes after it.
#[inline(always)]
pub(super) fn put_f64(room: &mut Room, at: usize, float: f64, (whole, decimals): (u64, usize), next: &mut usize) -> usize {
    if whole == NO_DECIMAL { put_any(room, at, float, next) } else { put_decimal(room, at, float.is_sign_negative(), whole, decimals) }
}

/// Without zeros at its end, but for one behind the point.
#[inline(always)]
fn put_decimal(room: &mut Room, at: usize, is_negative: bool, mut whole: u64, mut decimals: usize) -> usize {
    while decimals > 1 && whole.is_multiple_of(10) {
        (whole, decimals) = (whole / 10, decimals - 1);
    }
    room[at] = b'-';
    let mut at = at + usize::from(is_negative);
    let (digits, count) = if whole < EIGHT {
        let digits = eight(whole);
        // At least one in front of the point.
        let count = significant(digits).max(decimals + 1);
        (digits >> (8 * (8 - count)), count)
    } else {
        at = put_u64(room, at, whole / EIGHT);
        (eight(whole % EIGHT), 8)
    };
    let point = count - decimals;
    put_eight(room, at, digits);
    put_eight(room, at + point + 1, digits >> (8 * point));
    room[at + point] = b'.';
    at + count + 1
}

#[cold]
fn put_any(room: &mut Room, at: usize, float: f64, next: &mut usize) -> usize {
    let mut rest = &mut room[at..];
    let before = rest.len();
    serde_json::to_writer(&mut rest, &float).expect("a float is JSON, and the longest has room");
    let end = at + before - rest.len();
    let point = room[at..end].iter().position(|byte| *byte == b'.');
    if let Some(behind) = point.map(|point| end - at - point - 1).filter(|behind| *behind <= SCALES.len()) {
        *next = behind;
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;

    /// In a room full of what a number must not take for its own, at any place that a number may begin at.
    fn written(at: usize, put: impl FnOnce(&mut Room, usize) -> usize) -> String {
        let mut room = [b'#'; ROOM];
        let end = put(&mut room, at);
        assert!(room[..at].iter().all(|byte| *byte == b'#'), "nothing in front of it");
        String::from_utf8(room[at..end].to_vec()).unwrap()
    }

    /// As one of a column, behind a float of so many decimals.
    fn float_written(at: usize, float: f64, decimals: &mut usize) -> String {
        let told = (decimals_of(&[float], *decimals)[0], *decimals);
        written(at, |room, at| put_f64(room, at, float, told, decimals))
    }

    fn near_powers() -> impl Iterator<Item = u64> {
        let tens = (0..20).map(|exponent| 10_u64.pow(exponent));
        let twos = (0..64).map(|exponent| 1_u64 << exponent);
        tens.chain(twos).flat_map(|power| [power - 1, power, power + 1, power.wrapping_mul(3)]).chain([u64::MAX, u64::MAX - 1])
    }

    #[test]
    fn eight_digits_are_those_of_the_number() {
        let spread = (0..EIGHT).step_by(9973);
        for number in (0..20_000).chain(spread).chain(near_powers().filter(|number| *number < EIGHT)).chain([EIGHT - 1]) {
            assert_eq!(String::from_utf8(eight(number).to_le_bytes().to_vec()).unwrap(), format!("{number:08}"));
        }
    }

    #[test]
    fn whole_numbers_are_written_as_by_serde_json() {
        let check = |number: u64, at: usize| {
            assert_eq!(written(at, |room, at| put_u64(room, at, number)), serde_json::to_string(&number).unwrap());
            let signed = number.cast_signed();
            for signed in [signed, signed.wrapping_neg()] {
                assert_eq!(written(at, |room, at| put_i64(room, at, signed)), serde_json::to_string(&signed).unwrap());
            }
        };
        near_powers().for_each(|number| check(number, 0));
        for seed in 0..20 {
            let mut rng = fastrand::Rng::with_seed(seed);
            (0..2000).for_each(|_| check(rng.u64(..) >> rng.u32(0..64), rng.usize(0..24)));
        }
    }

    fn corners() -> Vec<f64> {
        let whole = near_powers().map(|number| number as f64);
        let small = (0..24).map(|exponent| 10_f64.powi(-exponent)).flat_map(|tiny| [tiny, 2.0 * tiny, 9.0 * tiny, 1.5 * tiny]);
        let ends = [0.0, f64::MAX, f64::MIN_POSITIVE, f64::EPSILON, 5e-324, 2.2e-308, f64::NAN, f64::INFINITY];
        let exact = [9_007_199_254_740_991.0, 9_007_199_254_740_992.0, 9_007_199_254_740_994.0, 1e15, 1e16, 1e17, 1e21, 1e22];
        let long = [99_999_999_999_999.9, 999_999_999_999_999.9, 123_456_789.125, 1.0 / 3.0, 0.1 + 0.2, 4.35, 0.000_012, 0.000_001_5];
        let all = whole.chain(small).chain(ends).chain(exact).chain(long);
        all.flat_map(|float| [float, -float, float.next_up(), float.next_down()]).collect()
    }

    fn some_float(rng: &mut fastrand::Rng) -> f64 {
        let scale = SCALES[rng.usize(0..SCALES.len())];
        match rng.u8(0..6) {
            0 => f64::from_bits(rng.u64(..)),
            1 => (rng.f64() - 0.5) * 1e3,
            2 => rng.i64(-2_000_000_000_000_000..2_000_000_000_000_000) as f64 / scale,
            3 => f64::from(rng.i32(-100..100)) / scale,
            4 => f64::from(rng.f32()),
            _ => f64::from(rng.i32(-100_000_000..100_000_000)) / scale,
        }
    }

    /// Whatever the float before was like.
    #[test]
    fn floats_are_written_as_by_serde_json() {
        let check = |float: f64, before: usize, at: usize| {
            let mut decimals = before;
            let text = float_written(at, float, &mut decimals);
            assert_eq!(text, serde_json::to_string(&float).unwrap(), "{float:?} behind one of {before} decimals");
            assert!((1..=SCALES.len()).contains(&decimals), "{float:?} leaves {decimals}");
        };
        for float in corners() {
            (1..=SCALES.len()).for_each(|before| check(float, before, 0));
        }
        for seed in 0..100 {
            let mut rng = fastrand::Rng::with_seed(seed);
            (0..2000).for_each(|_| check(some_float(&mut rng), rng.usize(1..=SCALES.len()), rng.usize(0..24)));
        }
    }

    #[test]
    fn a_column_of_decimals_is_tried_by_what_came_before() {
        let mut decimals = 1;
        let texts: Vec<_> = [21.25, 21.5, 0.125, 7.0].iter().map(|float| float_written(0, *float, &mut decimals)).collect();
        assert_eq!((texts.join(" "), decimals), ("21.25 21.5 0.125 7.0".to_owned(), 3));
    }
}
