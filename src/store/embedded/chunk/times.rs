//! The times between the first and the last, which the header has: nothing where they are regular, else their common divisor
//! and the differences as a column of integers.

use telltale_wire::varint::put;

use super::Damaged;
use super::bytes::In;
use super::ints;
use crate::model::TimeNs;

/// From the first to the last. Unsigned: the two may lie further apart than an `i64` can say.
pub(super) fn span(times: &[TimeNs]) -> u64 {
    match times {
        [first, .., last] => last.wrapping_sub(*first).cast_unsigned(),
        _ => 0,
    }
}

/// The same difference always; also true for one time and for two.
pub(super) fn regular(times: &[TimeNs]) -> bool {
    let mut steps = times.windows(2).map(|pair| pair[1].wrapping_sub(pair[0]));
    steps.next().is_none_or(|first| steps.all(|step| step == first))
}

/// What each lies behind the one before.
pub(super) fn steps(times: &[TimeNs]) -> impl Iterator<Item = u64> + Clone {
    times.windows(2).map(|pair| pair[1].wrapping_sub(pair[0]).cast_unsigned())
}

/// Differences of one or of many series behind each other.
pub(super) fn encode_steps(out: &mut Vec<u8>, steps: impl Iterator<Item = u64> + Clone) {
    let unit = steps.clone().fold(0, ints::divisor).max(1);
    put(out, unit);
    let scaled: Vec<i64> = steps.map(|step| (step / unit).cast_signed()).collect();
    ints::encode(out, &scaled);
}

pub(super) fn decode_steps(from: &mut In<'_>, count: usize) -> Result<Vec<u64>, Damaged> {
    let unit = from.varint()?;
    let scaled = ints::decode(from, count)?;
    let steps: Option<Vec<u64>> = scaled.into_iter().map(|v| v.cast_unsigned().checked_mul(unit).filter(|step| *step > 0)).collect();
    steps.ok_or(Damaged::Malformed("times do not ascend"))
}

/// `count` times, `span` from the first to the last.
pub(super) fn decode_regular(first: TimeNs, span: u64, count: usize) -> Result<Vec<TimeNs>, Damaged> {
    let gaps = count as u64 - 1;
    let whole = span.checked_rem(gaps).unwrap_or(span) == 0 && (span == 0) == (gaps == 0);
    if !whole || !fits(first, span) {
        return Err(Damaged::Malformed("regular times do not fit their span"));
    }
    let step = span.checked_div(gaps).unwrap_or(0).cast_signed();
    let mut time = first.wrapping_sub(step);
    let mut next = |_| {
        time = time.wrapping_add(step);
        time
    };
    Ok((0..count).map(&mut next).collect())
}

/// The times that lie `steps` apart; the last is `span` behind the first.
pub(super) fn from_steps(first: TimeNs, span: u64, steps: &[u64]) -> Result<Vec<TimeNs>, Damaged> {
    let mut times = Vec::with_capacity(steps.len() + 1);
    times.push(first);
    let mut offset = 0_u64;
    for step in steps {
        offset = offset.checked_add(*step).ok_or(Damaged::Malformed("times run past their end"))?;
        times.push(first.wrapping_add(offset.cast_signed()));
    }
    if offset == span && fits(first, span) { Ok(times) } else { Err(Damaged::Malformed("times do not end where they should")) }
}

/// Whether a time that lies so far behind `first` can be said.
pub(super) fn fits(first: TimeNs, span: u64) -> bool {
    span <= TimeNs::MAX.wrapping_sub(first).cast_unsigned()
}

/// A column of times and its own first and last, as `header` leaves them out for itself.
pub(super) fn encode(out: &mut Vec<u8>, times: &[TimeNs]) {
    if !regular(times) {
        encode_steps(out, steps(times));
    }
}

pub(super) fn decode(from: &mut In<'_>, is_regular: bool, first: TimeNs, span: u64, count: usize) -> Result<Vec<TimeNs>, Damaged> {
    if is_regular {
        return decode_regular(first, span, count);
    }
    let unit = from.varint()?;
    let mut times = Vec::with_capacity(count);
    times.push(first);
    let (mut offset, mut is_wrong) = (0, false);
    // What is wrong is told when all of it was read.
    ints::each(from, count - 1, |scaled| is_wrong |= !follow(&mut times, unit, &mut offset, scaled))?;
    if !is_wrong && offset == span && fits(first, span) {
        Ok(times)
    } else {
        Err(Damaged::Malformed("times do not ascend to where they should end"))
    }
}

/// Puts the times behind those there are that lie so many units further each. False: they do not ascend, or run past what can be said.
fn follow(times: &mut Vec<TimeNs>, unit: u64, offset: &mut u64, scaled: &[i64]) -> bool {
    let Some(first) = times.first().copied() else { return false };
    // Asked of all before, so that a scan of readings with jitter has two steps for each: no step is longer than all their bits.
    let (bits, none) = scaled.iter().fold((0, false), |(bits, none), step| (bits | step.cast_unsigned(), none | (*step == 0)));
    let longest = bits.checked_mul(unit).and_then(|step| step.checked_mul(scaled.len() as u64));
    if none || unit == 0 {
        return false;
    }
    if longest.is_none_or(|longest| offset.checked_add(longest).is_none()) {
        return follow_far(times, unit, offset, scaled);
    }
    let mut at = *offset;
    times.extend(scaled.iter().map(|step| {
        at += step.cast_unsigned() * unit;
        first.wrapping_add(at.cast_signed())
    }));
    *offset = at;
    true
}

/// The same where a step may be too long.
fn follow_far(times: &mut Vec<TimeNs>, unit: u64, offset: &mut u64, scaled: &[i64]) -> bool {
    let Some(first) = times.first().copied() else { return false };
    for step in scaled {
        let next = step.cast_unsigned().checked_mul(unit).and_then(|step| offset.checked_add(step));
        let Some(next) = next else { return false };
        *offset = next;
        times.push(first.wrapping_add(next.cast_signed()));
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_written() {
        let ms = 1_000_000;
        let jitter = |i: i64| 1_800_000_000_000 * ms + i * 1000 * ms + (i * 7919 % 11) * ms;
        let rows: &[(&str, Vec<TimeNs>, usize)] = &[
            ("one", vec![i64::MIN], 0),
            ("the ends of time", vec![i64::MIN, i64::MAX], 0),
            ("the ends and between", vec![i64::MIN, 0, i64::MAX], 30),
            ("regular", (0..4096).map(|i| i * 250 * ms).collect(), 0),
            ("a gap", (0..4096).map(|i| (i + i / 2000) * 250 * ms).collect(), 60),
            ("whole milliseconds", (0..1000).map(jitter).collect(), 700),
        ];
        for (name, times, most) in rows {
            let mut out = Vec::new();
            encode(&mut out, times);
            assert!(out.len() <= *most, "{name}: {} bytes", out.len());
            let mut from = In { rest: &out };
            assert_eq!(decode(&mut from, regular(times), times[0], span(times), times.len()), Ok(times.clone()), "{name}");
            assert_eq!(from.end(), Ok(()), "{name}");
        }
    }

    #[test]
    fn steps_that_lead_nowhere_are_damage() {
        let rows: &[(&str, u64, &[i64], Option<u64>)] = &[
            ("far apart", 3, &[1 << 60, 5, 1 << 60, 1], Some((2 * (1 << 60) + 6) * 3)),
            ("farther apart", 3, &[1 << 61, 5, 1 << 60, 1], Some(((1 << 61) + (1 << 60) + 6) * 3)),
            ("twice the same time", 1, &[5, 0, 5], None),
            ("no unit", 0, &[5, 5], None),
            ("a step too long", u64::MAX, &[2], None),
            ("too far together", 1, &[-1, 1], None),
            ("too far behind", 1 << 62, &[1, 1, 1, 1], None),
        ];
        for (name, unit, steps, end) in rows {
            let (mut times, mut offset) = (vec![-7], 0);
            let ascend = follow(&mut times, *unit, &mut offset, steps);
            assert_eq!(ascend.then_some(offset), *end, "{name}");
            if let Some(end) = end {
                assert_eq!((times.len(), times.last().copied()), (steps.len() + 1, Some(end.cast_signed() - 7)), "{name}");
            }
        }
    }

    #[test]
    fn a_span_that_does_not_fit_is_damage() {
        let rows: &[(TimeNs, u64, usize)] = &[(0, 10, 4), (0, 1, 1), (0, 0, 2), (1, i64::MAX as u64, 2), (0, u64::MAX, 2), (-1, 1, 3)];
        for (first, span, count) in rows {
            assert!(decode_regular(*first, *span, *count).is_err(), "{first} {span} {count}");
        }
        assert!(from_steps(0, 3, &[1, 1]).is_err());
        assert!(from_steps(0, 0, &[u64::MAX, 1]).is_err());
    }
}
