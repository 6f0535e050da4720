//! Many points of numbers at once: the text of JSON, lines of text, and the bytes of MessagePack, block by block in the nearest memory.
//!
//! Times that follow each other share their leading digits, which are made once; the numbers are in `digits`. A time that has another
//! form in the answer (a fraction of a millisecond, the first day of 1970) ends what is written here, and the caller goes on point by
//! point: the bytes are the same either way.

use super::digits::{AT_ONCE, EIGHT, ROOM, Room, decimals_of, eight, put_eight, put_f64, put_i64, put_u64};
use crate::model::TimeNs;

/// What is copied behind the answer at once.
const BLOCK_BYTES: usize = 4096;

/// A value that stands in a column.
pub(super) trait Number: Copy {
    /// What is found out of several together, before they are written.
    fn looked_at(values: &[Self], decimals: usize) -> [u64; AT_ONCE];
    /// Writes it to the room from a place on; where it ends. `found`: what was found out of it, with so many decimals; `next`: with how many
    /// to look at those that come after.
    fn put_json(self, room: &mut Room, at: usize, found: (u64, usize), next: &mut usize) -> usize;
}

impl Number for i64 {
    #[inline]
    fn looked_at(_values: &[Self], _decimals: usize) -> [u64; AT_ONCE] {
        [0; AT_ONCE]
    }

    #[inline]
    fn put_json(self, room: &mut Room, at: usize, _found: (u64, usize), _next: &mut usize) -> usize {
        put_i64(room, at, self)
    }
}

impl Number for f64 {
    #[inline]
    fn looked_at(values: &[Self], decimals: usize) -> [u64; AT_ONCE] {
        decimals_of(values, decimals)
    }

    #[inline(always)]
    fn put_json(self, room: &mut Room, at: usize, found: (u64, usize), next: &mut usize) -> usize {
        put_f64(room, at, self, found, next)
    }
}

/// Calls back with each time, as it is told, and its value, with what was found out of it. Ends at the first time of another form, or all.
/// How many there were.
#[inline(always)]
fn each<const UNIT: i64, N: Number>(times: &[TimeNs], values: &[N], mut put: impl FnMut(u64, N, (u64, usize), &mut usize)) -> usize {
    let (mut next, mut done) = (1, 0);
    for (times, values) in times.chunks(AT_ONCE).zip(values.chunks(AT_ONCE)) {
        let (found, decimals) = (N::looked_at(values, next), next);
        for ((time, value), found) in times.iter().zip(values).zip(found) {
            let Some(told) = told::<UNIT>(*time, EIGHT) else { return done };
            put(told, *value, (found, decimals), &mut next);
            done += 1;
        }
    }
    done
}

/// `[time,value]` for each, with commas between them; `is_first`: nothing stands before them. Times are told in `UNIT` nanoseconds. How many
/// points were written.
pub(super) fn json<const UNIT: i64, N: Number>(times: &[TimeNs], values: &[N], is_first: bool, out: &mut Vec<u8>) -> usize {
    let (mut block, mut leading) = (Block::default(), Leading::behind(*b",["));
    // The comma of the first.
    let mut left_out = usize::from(is_first);
    let done = each::<UNIT, N>(times, values, |told, value, found, next| {
        let room = block.room(out);
        let mut end = leading.put(room, told);
        room[end] = b',';
        end = value.put_json(room, end + 1, found, next);
        room[end] = b']';
        block.end += end + 1;
        block.start += std::mem::take(&mut left_out);
    });
    block.flush(out);
    done
}

/// A line for each: what it begins with, the time, what stands before the value, the value, the end of the line.
pub(super) fn lines<const UNIT: i64, N: Number>(
    times: &[TimeNs],
    values: &[N],
    [start, between, end]: [&[u8]; 3],
    out: &mut Vec<u8>,
) -> usize {
    let (mut room, mut leading) = ([0; ROOM], Leading::behind([]));
    each::<UNIT, N>(times, values, |told, value, found, next| {
        let value_at = leading.put(&mut room, told) + between.len();
        room[value_at - between.len()..value_at].copy_from_slice(between);
        let value_end = value.put_json(&mut room, value_at, found, next);
        out.extend_from_slice(start);
        out.extend_from_slice(&room[..value_end]);
        out.extend_from_slice(end);
    })
}

/// The same as MessagePack: an array of two for each.
pub(super) fn pack_floats<const UNIT: i64>(times: &[TimeNs], values: &[f64], out: &mut Vec<u8>) -> usize {
    const POINT_BYTES: usize = 19;
    const POINTS: usize = BLOCK_BYTES / POINT_BYTES;
    let mut point = [0; POINT_BYTES];
    (point[0], point[1], point[10]) = (ARRAY_OF_2, U64, F64);
    let (mut block, mut done) = ([point; POINTS], 0);
    for (times, values) in times.chunks(POINTS).zip(values.chunks(POINTS)) {
        let mut filled = 0;
        for ((point, time), value) in block.iter_mut().zip(times).zip(values) {
            let Some(told) = told::<UNIT>(*time, LEAST_U64) else { break };
            point[2..10].copy_from_slice(&told.to_be_bytes());
            point[11..].copy_from_slice(&value.to_be_bytes());
            filled += 1;
        }
        out.extend_from_slice(block[..filled].as_flattened());
        done += filled;
        if filled < times.len() {
            break;
        }
    }
    done
}

pub(super) fn pack_ints<const UNIT: i64>(times: &[TimeNs], values: &[i64], out: &mut Vec<u8>) -> usize {
    let (mut block, mut done) = (Block::default(), 0);
    for (time, value) in times.iter().zip(values) {
        let Some(told) = told::<UNIT>(*time, LEAST_U64) else { break };
        let room = block.room(out);
        (room[0], room[1]) = (ARRAY_OF_2, U64);
        room[2..10].copy_from_slice(&told.to_be_bytes());
        let end = pack_int(room, 10, *value);
        block.end += end;
        done += 1;
    }
    block.flush(out);
    done
}

const ARRAY_OF_2: u8 = 0x92;
const U64: u8 = 0xcf;
const F64: u8 = 0xcb;
/// Less is told in fewer bytes.
const LEAST_U64: u64 = 1 << 32;

/// In the fewest bytes.
#[inline]
fn pack_int(room: &mut Room, at: usize, value: i64) -> usize {
    let (marker, bytes) = match value {
        -32..=127 => {
            room[at] = value.to_le_bytes()[0];
            return at + 1;
        }
        128..=0xff => (0xcc, 1),
        0x100..=0xffff => (0xcd, 2),
        0x1_0000..=0xffff_ffff => (0xce, 4),
        0x1_0000_0000.. => (U64, 8),
        -0x80..=-33 => (0xd0, 1),
        -0x8000..=-0x81 => (0xd1, 2),
        -0x8000_0000..=-0x8001 => (0xd2, 4),
        ..=-0x8000_0001 => (0xd3, 8),
    };
    room[at] = marker;
    let first = value.cast_unsigned() << (64 - 8 * bytes);
    room[at + 1..at + 9].copy_from_slice(&first.to_be_bytes());
    at + 1 + bytes
}

/// A time in whole units, if it is one and as late as `least` units.
#[inline]
fn told<const UNIT: i64>(time: TimeNs, least: u64) -> Option<u64> {
    let (time, unit) = (u64::try_from(time).ok()?, const { UNIT.cast_unsigned() });
    let units = time / unit;
    (units * unit == time && units >= least).then_some(units)
}

/// What stands in front of a time, and the digits that those before had as well.
struct Leading<const FRONT: usize> {
    front: [u8; FRONT],
    /// The time without its last eight digits. 0: there was none before.
    of: u64,
    text: [u8; 16],
    end: usize,
}

impl<const FRONT: usize> Leading<FRONT> {
    fn behind(front: [u8; FRONT]) -> Self {
        Self { front, of: 0, text: [0; 16], end: 0 }
    }

    /// Where the time ends, which has more than eight digits.
    #[inline]
    fn put(&mut self, room: &mut Room, told: u64) -> usize {
        let (high, low) = (told / EIGHT, told % EIGHT);
        if self.of != high {
            self.begin(high);
        }
        room[..16].copy_from_slice(&self.text);
        put_eight(room, self.end, eight(low));
        self.end + 8
    }

    #[cold]
    fn begin(&mut self, high: u64) {
        let mut room = [0; ROOM];
        room[..FRONT].copy_from_slice(&self.front);
        self.end = put_u64(&mut room, FRONT, high);
        self.text.copy_from_slice(&room[..16]);
        self.of = high;
    }
}

/// Bytes that are not behind the answer yet.
struct Block {
    bytes: [u8; BLOCK_BYTES],
    start: usize,
    end: usize,
}

impl Default for Block {
    fn default() -> Self {
        Self { bytes: [0; BLOCK_BYTES], start: 0, end: 0 }
    }
}

impl Block {
    /// Where the next point goes.
    #[inline]
    fn room(&mut self, out: &mut Vec<u8>) -> &mut Room {
        if self.end > BLOCK_BYTES - ROOM {
            self.flush(out);
        }
        self.bytes[self.end..].first_chunk_mut().expect("as much is left of the block")
    }

    fn flush(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.bytes[self.start..self.end]);
        (self.start, self.end) = (0, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::NS_PER_MS;
    use crate::http::history::digits::SCALES;

    const STARTS_MS: [i64; 7] =
        [100_000_000, 99_999_999_000, 4_294_967_296, 1_795_396_030_000, 1_795_399_999_500, 999_999_999_000, 9_223_371_000_000];

    fn floats(rng: &mut fastrand::Rng) -> Vec<f64> {
        let scale = SCALES[rng.usize(0..SCALES.len())];
        let special = [0.0, -0.0, 0.1, -0.5, 1e-7, 5e-324, f64::MAX, f64::MIN, f64::NAN, f64::INFINITY, 1e15, 123_456_789.125];
        let count = rng.usize(1..600);
        (0..count)
            .map(|_| match rng.u8(0..8) {
                0 => special[rng.usize(0..special.len())],
                1 => f64::from_bits(rng.u64(..)),
                2 => f64::from(rng.i32(-50..50)),
                _ => f64::from(rng.i32(-100_000..100_000)) / scale,
            })
            .collect()
    }

    fn ints(rng: &mut fastrand::Rng) -> Vec<i64> {
        let edges = [0, -1, 127, 128, -32, -33, 255, 256, -128, -129, 65_535, 65_536, -32_768, -32_769, 4_294_967_295, 4_294_967_296];
        let ends = [-2_147_483_648, -2_147_483_649, i64::MAX, i64::MIN, 99_999_999, 100_000_000];
        let count = rng.usize(1..600);
        (0..count)
            .map(|_| match rng.u8(0..4) {
                0 => edges[rng.usize(0..edges.len())],
                1 => ends[rng.usize(0..ends.len())],
                _ => rng.i64(..) >> rng.u32(0..64),
            })
            .collect()
    }

    fn times(rng: &mut fastrand::Rng, count: usize) -> Vec<i64> {
        let (start, step) = (STARTS_MS[rng.usize(0..STARTS_MS.len())], [1, 7, 1000][rng.usize(0..3)]);
        (0..count as i64).map(|i| start + i * step).collect()
    }

    fn check_json<const UNIT: i64, N: Number + serde::Serialize>(rng: &mut fastrand::Rng, values: &[N], seed: u64) {
        let told = times(rng, values.len());
        let times: Vec<_> = told.iter().map(|told| told * UNIT).collect();
        let middle = rng.usize(0..values.len());
        let mut out = Vec::new();
        assert_eq!(json::<UNIT, _>(&times[..middle], &values[..middle], true, &mut out), middle, "seed {seed}");
        json::<UNIT, _>(&times[middle..], &values[middle..], middle == 0, &mut out);
        let points: Vec<_> = told.iter().zip(values).collect();
        assert_eq!(format!("[{}]", String::from_utf8(out).unwrap()), serde_json::to_string(&points).unwrap(), "seed {seed}");
    }

    #[test]
    fn the_text_is_that_of_serde_json() {
        for seed in 0..200 {
            let mut rng = fastrand::Rng::with_seed(seed);
            let (floats, ints) = (floats(&mut rng), ints(&mut rng));
            check_json::<NS_PER_MS, _>(&mut rng, &floats, seed);
            check_json::<NS_PER_MS, _>(&mut rng, &ints, seed);
            check_json::<1, _>(&mut rng, &floats, seed);
            check_json::<1, _>(&mut rng, &ints, seed);
        }
    }

    fn check_packed<const UNIT: i64, N: serde::Serialize>(
        rng: &mut fastrand::Rng,
        values: &[N],
        pack: fn(&[TimeNs], &[N], &mut Vec<u8>) -> usize,
        seed: u64,
    ) {
        let told: Vec<_> = times(rng, values.len()).into_iter().map(|told| told + (1 << 32)).collect();
        let times: Vec<_> = told.iter().map(|told| told.saturating_mul(UNIT)).take_while(|time| *time < i64::MAX).collect();
        let mut out = Vec::new();
        let done = pack(&times, &values[..times.len()], &mut out);
        let expected: Vec<u8> = told.iter().zip(values).take(times.len()).flat_map(|point| rmp_serde::to_vec(&point).unwrap()).collect();
        assert_eq!((done, out), (times.len(), expected), "seed {seed}");
    }

    #[test]
    fn the_bytes_are_those_of_the_crate() {
        for seed in 0..100 {
            let mut rng = fastrand::Rng::with_seed(seed);
            let (floats, ints) = (floats(&mut rng), ints(&mut rng));
            check_packed::<NS_PER_MS, _>(&mut rng, &floats, pack_floats::<NS_PER_MS>, seed);
            check_packed::<NS_PER_MS, _>(&mut rng, &ints, pack_ints::<NS_PER_MS>, seed);
            check_packed::<1, _>(&mut rng, &floats, pack_floats::<1>, seed);
            check_packed::<1, _>(&mut rng, &ints, pack_ints::<1>, seed);
        }
    }

    #[test]
    fn a_time_of_another_form_ends_what_is_written_at_once() {
        let plain = 1_795_396_030_000 * NS_PER_MS;
        for odd in [plain + 1, 99_999_999 * NS_PER_MS, 0, -NS_PER_MS, i64::MIN, i64::MAX] {
            for before in [0, 1, 250] {
                let mut times: Vec<_> = (0..before).map(|i| plain + i * NS_PER_MS).collect();
                times.extend([odd, plain]);
                let (floats, ints) = (vec![0.5; times.len()], vec![7; times.len()]);
                let [mut text, mut floats_packed, mut ints_packed] = [const { Vec::new() }; 3];
                let many = [
                    json::<NS_PER_MS, _>(&times, &floats, true, &mut text),
                    pack_floats::<NS_PER_MS>(&times, &floats, &mut floats_packed),
                    pack_ints::<NS_PER_MS>(&times, &ints, &mut ints_packed),
                ];
                assert_eq!(many, [before as usize; 3], "{odd}");
                assert_eq!(text.iter().filter(|byte| **byte == b'[').count(), many[0], "{odd}");
                assert_eq!([floats_packed.len(), ints_packed.len()], [19 * many[0], 11 * many[0]], "{odd}");
            }
        }
        assert_eq!(pack_floats::<NS_PER_MS>(&[4_294_967_295 * NS_PER_MS], &[0.5], &mut Vec::new()), 0, "told in four bytes");
    }
}
