//! Many points of numbers at once: the digits of JSON and the bytes of MessagePack, a point in one piece.
//!
//! Readings follow each other: their times share the leading digits, and a sensor tells its values to so many decimals. So the
//! leading digits of a time are written once, and a value is tried as a whole number of the decimals that the one before had. What
//! does not fit is written as serde_json does; the text is the same either way.

use crate::clock::NS_PER_MS;
use crate::model::TimeNs;

/// Where JSON cuts a time in milliseconds in two.
const LOW: i64 = 1_000_000;
const LOW_DIGITS: usize = 6;
/// 2 for brackets, 2 for commas, 20 for a time, 25 for the longest number.
const POINT_BYTES: usize = 64;
/// What a value is multiplied by to be whole: one to six decimals.
const SCALES: [f64; 6] = [1e1, 1e2, 1e3, 1e4, 1e5, 1e6];
/// A decimal of at most 15 digits is the only one of that length which reads back as the float nearest to it.
const MAX_WHOLE: f64 = 1e15;

/// A value that stands in a column.
pub(super) trait Number: Copy {
    /// Writes it to the front of `to`; how many bytes. `decimals`: what the one before had.
    fn json(self, decimals: &mut usize, to: &mut [u8]) -> usize;
}

/// `[time,value]` for each, with commas between; `is_first`: nothing stands before them.
pub(super) fn json<N: Number>(times: &[TimeNs], values: &[N], is_first: bool, out: &mut Vec<u8>) {
    let (mut point, mut high) = ([0; POINT_BYTES], Leading::default());
    point[..2].copy_from_slice(b",[");
    let mut decimals = 1;
    let mut start = usize::from(is_first);
    for (time, value) in times.iter().zip(values) {
        let mut end = 2 + high.time(*time, &mut point[2..]);
        point[end] = b',';
        end += 1 + value.json(&mut decimals, &mut point[end + 1..]);
        point[end] = b']';
        out.extend_from_slice(&point[start..=end]);
        start = 0;
    }
}

/// Whether `json` has a form for the time: whole milliseconds since 1970.
pub(super) fn is_plain(time: TimeNs) -> bool {
    time >= 0 && time % NS_PER_MS == 0
}

/// The leading digits of the time before.
#[derive(Default)]
struct Leading {
    of: Option<i64>,
    digits: usize,
}

impl Leading {
    /// The digits of a plain time. `to` is what the time before was written to.
    #[inline]
    fn time(&mut self, time: TimeNs, to: &mut [u8]) -> usize {
        let ms = time / NS_PER_MS;
        let (high, low) = (ms / LOW, ms % LOW);
        if high == 0 {
            self.of = None;
            return put(to, itoa::Buffer::new().format(ms).as_bytes());
        }
        if self.of != Some(high) {
            *self = Self { of: Some(high), digits: put(to, itoa::Buffer::new().format(high).as_bytes()) };
        }
        let end = self.digits + LOW_DIGITS;
        let mut low = low;
        for pair in to[self.digits..end].chunks_exact_mut(2).rev() {
            let two = (low % 100) as u8;
            (pair[0], pair[1]) = (b'0' + two / 10, b'0' + two % 10);
            low /= 100;
        }
        end
    }
}

fn put(to: &mut [u8], bytes: &[u8]) -> usize {
    to[..bytes.len()].copy_from_slice(bytes);
    bytes.len()
}

impl Number for i64 {
    #[inline]
    fn json(self, _decimals: &mut usize, to: &mut [u8]) -> usize {
        put(to, itoa::Buffer::new().format(self).as_bytes())
    }
}

impl Number for f64 {
    #[inline]
    fn json(self, decimals: &mut usize, to: &mut [u8]) -> usize {
        if let Some(whole) = whole(self, SCALES[*decimals - 1]) {
            return decimal(self.is_sign_negative(), whole, *decimals, to);
        }
        let text = serde_json::to_string(&self).expect("a float is JSON");
        if let Some((_, behind)) = text.split_once('.')
            && (1..=SCALES.len()).contains(&behind.len())
        {
            *decimals = behind.len();
        }
        put(to, text.as_bytes())
    }
}

/// The float without its sign as so many tenths, hundredths, ..., if it is the float nearest to them.
#[inline]
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "between 0 and 1e15, and compared with what it came from"
)]
fn whole(float: f64, scale: f64) -> Option<u64> {
    let scaled = float.abs() * scale;
    if scaled.is_nan() || scaled >= MAX_WHOLE {
        return None;
    }
    let whole = (scaled + 0.5) as u64;
    (whole as f64 / scale == float.abs()).then_some(whole)
}

/// Without zeros at its end, but for one behind the point.
#[inline]
fn decimal(is_negative: bool, whole: u64, mut decimals: usize, to: &mut [u8]) -> usize {
    let mut whole = whole;
    while decimals > 1 && whole.is_multiple_of(10) {
        (whole, decimals) = (whole / 10, decimals - 1);
    }
    let mut digits = itoa::Buffer::new();
    let digits = digits.format(whole).as_bytes();
    to[0] = b'-';
    let start = usize::from(is_negative);
    // At least one digit in front of the point, and all decimals behind it.
    let point = start + digits.len().saturating_sub(decimals).max(1);
    let end = point + 1 + decimals;
    let behind = digits.len().min(decimals);
    to[start..end].fill(b'0');
    to[start..start + digits.len() - behind].copy_from_slice(&digits[..digits.len() - behind]);
    to[point] = b'.';
    to[end - behind..end].copy_from_slice(&digits[digits.len() - behind..]);
    end
}

/// The same for MessagePack: an array of two for each. For times that `is_long` only.
pub(super) fn pack(times: &[TimeNs], values: &[f64], out: &mut Vec<u8>) {
    let mut point = [0; 19];
    (point[0], point[1], point[10]) = (0x92, 0xcf, 0xcb);
    for (time, value) in times.iter().zip(values) {
        point[2..10].copy_from_slice(&(time / NS_PER_MS).to_be_bytes());
        point[11..].copy_from_slice(&value.to_be_bytes());
        out.extend_from_slice(&point);
    }
}

/// Whether the time is whole milliseconds that MessagePack needs 8 bytes for: later than 50 days into 1970.
pub(super) fn is_long(time: TimeNs) -> bool {
    is_plain(time) && time / NS_PER_MS > i64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(rng: &mut fastrand::Rng) -> Vec<f64> {
        let scale = SCALES[rng.usize(0..SCALES.len())];
        let special =
            [0.0, -0.0, 0.1, -0.5, 1e-7, 5e-324, f64::MAX, f64::MIN, f64::NAN, f64::INFINITY, 1e15, 99_999_999_999_999.9, 123_456_789.125];
        (0..200)
            .map(|_| match rng.u8(0..8) {
                0 => special[rng.usize(0..special.len())],
                1 => f64::from_bits(rng.u64(..)),
                2 => (rng.f64() - 0.5) * 1e3,
                3 => f64::from(rng.i32(-50..50)),
                4 => rng.i64(-2_000_000_000_000_000..2_000_000_000_000_000) as f64 / scale,
                _ => f64::from(rng.i32(-100_000..100_000)) / scale,
            })
            .collect()
    }

    fn times(rng: &mut fastrand::Rng, count: usize) -> Vec<TimeNs> {
        let start = [0, 999_990, 4_294_967_290, 1_795_396_030_000, 9_223_371_000_000][rng.usize(0..5)];
        (0..count as i64).map(|i| (start + i * [1, 7, 1000][rng.usize(0..3)]) * NS_PER_MS).collect()
    }

    #[test]
    fn the_text_is_that_of_serde_json() {
        for seed in 0..300 {
            let mut rng = fastrand::Rng::with_seed(seed);
            let values = values(&mut rng);
            let times = times(&mut rng, values.len());
            let points: Vec<_> = times.iter().map(|time| time / NS_PER_MS).zip(&values).collect();
            let mut out = Vec::new();
            json(&times[..150], &values[..150], true, &mut out);
            json(&times[150..], &values[150..], false, &mut out);
            let text = String::from_utf8(out).unwrap();
            assert_eq!(format!("[{text}]"), serde_json::to_string(&points).unwrap(), "seed {seed}");
            let ints: Vec<_> = values.iter().map(|value| value.to_bits().cast_signed()).collect();
            let points: Vec<_> = times.iter().map(|time| time / NS_PER_MS).zip(&ints).collect();
            let mut out = Vec::new();
            json(&times, &ints, true, &mut out);
            assert_eq!(format!("[{}]", String::from_utf8(out).unwrap()), serde_json::to_string(&points).unwrap(), "seed {seed}");
        }
    }

    #[test]
    fn the_bytes_are_those_of_the_crate() {
        for seed in 0..50 {
            let mut rng = fastrand::Rng::with_seed(seed);
            let mut values = values(&mut rng);
            let mut times = times(&mut rng, values.len());
            times.retain(|time| is_long(*time));
            values.truncate(times.len());
            let points: Vec<_> = times.iter().map(|time| (time / NS_PER_MS).cast_unsigned()).zip(&values).collect();
            let mut out = Vec::new();
            pack(&times, &values, &mut out);
            let expected: Vec<u8> = points.iter().flat_map(|point| rmp_serde::to_vec(point).unwrap()).collect();
            assert_eq!(out, expected, "seed {seed}");
        }
        assert!([0, -NS_PER_MS, 4_294_967_295 * NS_PER_MS, 4_294_967_296 * NS_PER_MS + 1].iter().all(|time| !is_long(*time)));
        assert!(is_long(4_294_967_296 * NS_PER_MS));
    }
}
