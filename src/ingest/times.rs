//! Which times are taken. Pure: the hub's clock comes in as `now`. A time is taken as it came or refused, never rewritten.

use telltale_wire::{BatchCode, RowCode, is_rfc3339};

use super::forms::shown;
use super::{Later, Refusal};
use crate::clock::NS_PER_SEC;
use crate::limits::{TIME_AHEAD, TIME_EARLIEST_NS};
use crate::model::TimeNs;

/// When this hub was built: a clock that says earlier is not set. `SOURCE_DATE_EPOCH` of the build, else the date of this source.
#[must_use]
pub fn build_date() -> TimeNs {
    const SOURCE_DATE_SECONDS: i64 = 1_795_392_000; // 2026-11-23T00:00:00Z
    let seconds = option_env!("SOURCE_DATE_EPOCH").and_then(|text| text.parse().ok()).unwrap_or(SOURCE_DATE_SECONDS);
    seconds.saturating_mul(NS_PER_SEC)
}

/// A hub that does not know the time takes nothing: it would refuse good times and keep bad ones.
pub(crate) fn check_clock(now: TimeNs, built: TimeNs) -> Result<(), Later> {
    if now >= built {
        return Ok(());
    }
    let message = format!("the hub's clock says {}, before its build date {}: set it, for example by NTP", said(now), said(built));
    Err(Later { code: BatchCode::ClockUnset, after_ms: 10_000, message })
}

#[inline]
pub(super) fn check(time: TimeNs, now: TimeNs) -> Result<(), Refusal> {
    let ahead = i64::try_from(TIME_AHEAD.as_nanos()).unwrap_or(i64::MAX);
    if time > now.saturating_add(ahead) {
        let message = format!("time {} is more than 10 minutes ahead of the hub's clock {}", said(time), said(now));
        return Err(Refusal::new(RowCode::TimeAhead, message));
    }
    if time < TIME_EARLIEST_NS {
        return Err(too_early(time));
    }
    Ok(())
}

/// `floor`: where the retention of the series begins.
#[inline]
pub(super) fn check_floor(time: TimeNs, floor: TimeNs) -> Result<(), Refusal> {
    if time >= floor {
        return Ok(());
    }
    let message = format!("time {} is before {}, where the retention begins", said(time), said(floor));
    Err(Refusal::new(RowCode::TooOld, message))
}

fn too_early(time: TimeNs) -> Refusal {
    // 2000 to 2100 in each unit: the ranges do not meet.
    const SECONDS: std::ops::Range<i64> = 946_684_800..4_102_444_800;
    let unit = [(1, "seconds"), (1_000, "milliseconds"), (1_000_000, "microseconds")]
        .into_iter()
        .find_map(|(per_second, unit)| SECONDS.contains(&(time.div_euclid(per_second))).then_some(unit));
    let message = match unit {
        Some(unit) => format!("time {time} looks like {unit}, expected nanoseconds since 1970"),
        None => format!("time {time} ({}) is before 2000, expected nanoseconds since 1970", said(time)),
    };
    Refusal::new(RowCode::BadTime, message)
}

/// MessagePack's timestamp, extension -1, in its three widths. A time beyond i64 becomes the nearest that is refused all the same.
pub(super) fn from_timestamp(bytes: &[u8]) -> Result<TimeNs, Refusal> {
    let (seconds, nanos) = if let Ok(bytes) = <[u8; 4]>::try_from(bytes) {
        (i64::from(u32::from_be_bytes(bytes)), 0)
    } else if let Ok(bytes) = <[u8; 8]>::try_from(bytes) {
        let both = u64::from_be_bytes(bytes);
        (i64::try_from(both & 0x3_ffff_ffff).expect("34 bits fit"), both >> 34)
    } else if let Ok(bytes) = <[u8; 12]>::try_from(bytes) {
        let both = u128::from_be_bytes([&[0; 4][..], &bytes].concat().try_into().expect("4 + 12 bytes"));
        #[expect(clippy::cast_possible_truncation, reason = "the low half is the seconds, the high half the nanoseconds")]
        let parts = ((both as u64).cast_signed(), (both >> 64) as u64);
        parts
    } else {
        return Err(bad(format!("a timestamp of {} bytes, expected 4, 8 or 12", bytes.len())));
    };
    if nanos > 999_999_999 {
        return Err(bad(format!("a timestamp with {nanos} nanoseconds, expected at most 999999999")));
    }
    let time = i128::from(seconds) * i128::from(NS_PER_SEC) + i128::from(nanos);
    Ok(TimeNs::try_from(time).unwrap_or(if time > 0 { TimeNs::MAX } else { TimeNs::MIN }))
}

/// RFC 3339 with an offset, and nothing wider.
pub(crate) fn from_text(text: &[u8]) -> Result<TimeNs, Refusal> {
    let refused = || bad(format!("time `{}`, expected RFC 3339 with an offset such as 2026-11-23T14:00:00Z", shown(text)));
    if !is_rfc3339(text) {
        return Err(refused());
    }
    let text = std::str::from_utf8(text).map_err(|_| refused())?;
    let time: jiff::Timestamp = text.parse().map_err(|_| refused())?;
    let time = time.as_nanosecond();
    Ok(TimeNs::try_from(time).unwrap_or(if time > 0 { TimeNs::MAX } else { TimeNs::MIN }))
}

pub(super) fn bad(message: String) -> Refusal {
    Refusal::new(RowCode::BadTime, message)
}

fn said(time: TimeNs) -> String {
    jiff::Timestamp::from_nanosecond(i128::from(time)).map_or_else(|_| time.to_string(), |t| t.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: TimeNs = 1_795_396_030_000_000_000;

    #[test]
    fn the_build_date_is_before_now() {
        assert!(build_date() <= crate::clock::Clock::system().now());
        assert!(check_clock(build_date(), build_date()).is_ok());
        assert_eq!(check_clock(build_date() - 1, build_date()).unwrap_err().code, BatchCode::ClockUnset);
    }

    #[test]
    fn a_time_has_its_bounds() {
        let minutes = 60 * NS_PER_SEC;
        let rows = [
            (NOW, None),
            (NOW + 10 * minutes, None),
            (NOW + 10 * minutes + 1, Some("time_ahead")),
            (TimeNs::MAX, Some("time_ahead")),
            (TIME_EARLIEST_NS, None),
            (TIME_EARLIEST_NS - 1, Some("bad_time")),
            (TimeNs::MIN, Some("bad_time")),
        ];
        for (time, code) in rows {
            assert_eq!(check(time, NOW).err().map(|r| r.code.as_str()), code, "{time}");
        }
        let old = check_floor(NOW - 2, NOW - 1).unwrap_err();
        assert_eq!(old.code, RowCode::TooOld);
        assert!(old.message.contains("2026-11-23T"), "{}", old.message);
        check_floor(NOW - 1, NOW - 1).unwrap();
    }

    #[test]
    fn a_time_in_another_unit_is_named() {
        for (time, unit) in [(NOW / 1_000, "microseconds"), (NOW / 1_000_000, "milliseconds"), (NOW / NS_PER_SEC, "like seconds")] {
            let refusal = check(time, NOW).unwrap_err();
            assert!(refusal.message.contains(unit) && refusal.message.contains("nanoseconds"), "{}", refusal.message);
        }
        assert!(!check(5, NOW).unwrap_err().message.contains("looks like"));
    }

    #[test]
    fn rfc_3339_is_read_and_nothing_wider() {
        let rows: &[(&str, Option<i64>)] = &[
            ("2026-11-23T02:27:10Z", Some(1_795_400_830_000_000_000)),
            ("2026-11-23t02:27:10z", Some(1_795_400_830_000_000_000)),
            ("2026-11-23 02:27:10.5Z", Some(1_795_400_830_500_000_000)),
            ("2026-11-23T02:27:10.123456789Z", Some(1_795_400_830_123_456_789)),
            ("2026-11-23T03:57:10+01:30", Some(1_795_400_830_000_000_000)),
            ("2026-11-22T20:27:10-06:00", Some(1_795_400_830_000_000_000)),
            ("2026-11-23T02:27:10", None),
            ("2026-11-23T02:27:10.Z", None),
            ("2026-11-23T02:27:10.1234567891Z", None),
            ("2026-11-23T02:27:60Z", None),
            ("2026-11-23T02:27:10+01", None),
            ("2026-11-23T02:27:10Z[UTC]", None),
            ("2026-11-23T02:27Z", None),
            ("2026-02-30T02:27:10Z", None),
            ("2026-11-23T25:27:10Z", None),
            ("20261123T022710Z", None),
            ("yesterday", None),
            ("", None),
        ];
        for (text, time) in rows {
            assert_eq!(from_text(text.as_bytes()).ok(), *time, "{text}");
        }
        assert_eq!(from_text("9999-01-01T00:00:00Z".as_bytes()), Ok(TimeNs::MAX));
    }

    #[test]
    fn timestamps_come_in_three_widths() {
        let wide = |nanos: u32, seconds: i64| [&nanos.to_be_bytes()[..], &seconds.to_be_bytes()].concat();
        assert_eq!(from_timestamp(&5_u32.to_be_bytes()), Ok(5 * NS_PER_SEC));
        assert_eq!(from_timestamp(&((7_u64 << 34) | 5).to_be_bytes()), Ok(5 * NS_PER_SEC + 7));
        assert_eq!(from_timestamp(&wide(7, 5)), Ok(5 * NS_PER_SEC + 7));
        assert_eq!(from_timestamp(&wide(7, -5)), Ok(-5 * NS_PER_SEC + 7));
        assert_eq!(from_timestamp(&wide(0, i64::MAX)), Ok(TimeNs::MAX));
        assert_eq!(from_timestamp(&wide(0, i64::MIN)), Ok(TimeNs::MIN));
        assert_eq!(from_timestamp(&wide(1_000_000_000, 5)).unwrap_err().code, RowCode::BadTime);
        assert_eq!(from_timestamp(&[1, 2, 3]).unwrap_err().code, RowCode::BadTime);
    }
}
