//! Varints (LEB128: seven bits a byte, lowest first, the high bit says that another byte follows) and zigzag.
//!
//! `unpack` is the hot loop of the decoder: it takes eight bytes at a time as one word, so that a mix of short and long
//! varints costs no mispredicted branch. Encoders write the shortest form; decoders also take a longer one of at most ten bytes.

/// Small magnitudes of either sign become small numbers: 0, -1, 1, -2 give 0, 1, 2, 3.
pub const fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)).cast_unsigned()
}

pub const fn unzigzag(value: u64) -> i64 {
    (value >> 1).cast_signed() ^ -((value & 1).cast_signed())
}

/// Bytes that [`put`] writes for this value.
pub const fn size(value: u64) -> usize {
    (70 - (value | 1).leading_zeros() as usize) / 7
}

pub fn put(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    out.push(value.to_le_bytes()[0]);
}

/// Reads one varint: its value and its bytes. `None` if the bytes end inside it or it holds more than 64 bits.
pub fn read(bytes: &[u8]) -> Option<(u64, usize)> {
    let mut value = 0_u64;
    for (index, &byte) in bytes.iter().take(10).enumerate() {
        let bits = u64::from(byte & 0x7f);
        if index == 9 && bits > 1 {
            return None;
        }
        value |= bits << (7 * index);
        if byte < 0x80 {
            return Some((value, index + 1));
        }
    }
    None
}

const HIGH_BITS: u64 = 0x8080_8080_8080_8080;

/// Reads exactly `count` varints, which must fill `bytes` exactly, and hands each to `sink`. `None` if they do not.
#[inline]
pub fn unpack(bytes: &[u8], count: usize, sink: impl FnMut(u64)) -> Option<()> {
    (unpack_first(bytes, count, sink)? == bytes.len()).then_some(())
}

/// Reads `count` varints at the beginning of `bytes`, hands each to `sink`, and says how many bytes they took. `None` if they end before.
#[inline]
pub fn unpack_first(bytes: &[u8], count: usize, mut sink: impl FnMut(u64)) -> Option<usize> {
    let mut rest = bytes;
    let mut left = count;
    while left > 0
        && let Some((chunk, after)) = rest.split_first_chunk::<8>()
    {
        let word = u64::from_le_bytes(*chunk);
        let stops = !word & HIGH_BITS;
        if stops == HIGH_BITS && left >= 8 {
            for byte in chunk {
                sink(u64::from(*byte));
            }
            rest = after;
            left -= 8;
            continue;
        }
        if stops == 0 {
            let (value, taken) = read(rest)?;
            sink(value);
            rest = rest.get(taken..)?;
        } else {
            sink(squeeze(word & (stops ^ (stops - 1))));
            rest = rest.get(stops.trailing_zeros() as usize / 8 + 1..)?;
        }
        left -= 1;
    }
    for _ in 0..left {
        let (value, taken) = read(rest)?;
        sink(value);
        rest = rest.get(taken..)?;
    }
    Some(bytes.len() - rest.len())
}

/// The bytes that the next `count` varints take, of which no value is made. `None` where `unpack_first` has none.
#[must_use]
pub fn skip(bytes: &[u8], count: usize) -> Option<usize> {
    // `open` bytes right before `at` belong to a varint that is not at its end.
    let (mut at, mut left, mut open) = (0, count, 0);
    while left > 0 {
        let rest = bytes.get(at..)?;
        let Some(chunk) = rest.first_chunk::<8>() else {
            at = at - open + read(bytes.get(at - open..)?)?.1;
            (left, open) = (left - 1, 0);
            continue;
        };
        let mut stops = !u64::from_le_bytes(*chunk) & HIGH_BITS;
        if open + stops.trailing_zeros() as usize / 8 >= 9 {
            // Ten bytes may hold more than 64 bits, and more do.
            read(bytes.get(at - open..)?)?;
        }
        let ends = stops.count_ones() as usize;
        if ends < left {
            open = if ends == 0 { open + 8 } else { stops.leading_zeros() as usize / 8 };
            (at, left) = (at + 8, left - ends);
            continue;
        }
        (1..left).for_each(|_| stops &= stops - 1);
        return Some(at + stops.trailing_zeros() as usize / 8 + 1);
    }
    Some(at)
}

/// Puts the low seven bits of each of eight bytes together.
const fn squeeze(word: u64) -> u64 {
    let word = word & !HIGH_BITS;
    let word = (word & 0x007f_007f_007f_007f) | ((word & 0x7f00_7f00_7f00_7f00) >> 1);
    let word = (word & 0x0000_3fff_0000_3fff) | ((word & 0x3fff_0000_3fff_0000) >> 2);
    (word & 0x0fff_ffff) | ((word & 0x0fff_ffff_0000_0000) >> 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples() -> Vec<u64> {
        let mut samples = vec![0, 1, u64::MAX];
        for bits in 1..64 {
            samples.extend([(1 << bits) - 1, 1 << bits, (1 << bits) + 1]);
        }
        samples
    }

    #[test]
    fn every_length_is_read_as_written() {
        for value in samples() {
            let mut out = Vec::new();
            put(&mut out, value);
            assert_eq!(out.len(), size(value), "{value}");
            assert_eq!(read(&out), Some((value, out.len())));
            assert_eq!(read(&out[..out.len() - 1]), None, "{value} cut");
            assert_eq!(zigzag(unzigzag(value)), value);
        }
    }

    #[test]
    fn unpack_reads_any_mix_of_lengths() {
        let mut values = samples();
        values.extend((0..100).map(|small| small % 128));
        let mut random = fastrand::Rng::with_seed(7);
        for _ in 0..200 {
            random.shuffle(&mut values);
            let mut out = Vec::new();
            values.iter().for_each(|&value| put(&mut out, value));
            let mut back = Vec::new();
            assert_eq!(unpack(&out, values.len(), |value| back.push(value)), Some(()));
            assert_eq!(back, values);
            let last = size(values[values.len() - 1]);
            assert_eq!(unpack(&out, values.len() - 1, |_| ()), None, "bytes left over");
            assert_eq!(unpack_first(&out, values.len() - 1, |_| ()), Some(out.len() - last));
            assert_eq!(unpack(&out, values.len() + 1, |_| ()), None, "bytes missing");
        }
    }

    #[test]
    fn what_is_skipped_is_what_would_be_read() {
        let mut values = samples();
        values.extend((0..100).map(|small| small % 128));
        fastrand::Rng::with_seed(8).shuffle(&mut values);
        let (mut out, mut ends) = (Vec::new(), vec![0]);
        for value in &values {
            put(&mut out, *value);
            ends.push(out.len());
        }
        for (count, end) in ends.iter().enumerate() {
            assert_eq!(skip(&out, count), Some(*end));
            assert_eq!(skip(&out[..*end], count), Some(*end));
            assert_eq!(skip(&out[..end.saturating_sub(1)], count), (count == 0).then_some(0));
        }
    }

    #[test]
    fn bytes_that_are_not_read_are_not_skipped() {
        let mut random = fastrand::Rng::with_seed(9);
        let mut refused = 0;
        for _ in 0..200_000 {
            let many = random.u8(..) < 128;
            let bytes: Vec<_> = (0..random.usize(0..40))
                .map(|_| if many && random.u8(..) < 230 { random.u8(..) | 0x80 } else { random.u8(..) & if many { 0x01 } else { 0xff } })
                .collect();
            let count = random.usize(0..12);
            let read = unpack_first(&bytes, count, |_| ());
            assert_eq!(skip(&bytes, count), read, "{count} of {bytes:x?}");
            refused += usize::from(read.is_none());
        }
        assert!((20_000..180_000).contains(&refused), "{refused}");
    }

    #[test]
    fn more_than_64_bits_are_refused() {
        let mut long = vec![0xff; 9];
        long.push(0x02);
        assert_eq!(read(&long), None);
        long.extend([0; 20]);
        assert_eq!(unpack(&long, 21, |_| ()), None);
        assert_eq!(read(&[0x80; 11]), None);
    }
}
