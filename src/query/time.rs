//! Times and lengths of time as people write them, and times as answers write them.
//!
//! A time is RFC 3339 with an offset, an epoch with its unit (`1795396030s`, `…ms`, `…us`, `…ns`; the number may have a
//! fraction), `now`, or a length before or after now (`-1h`, `now-1h30m`, `+10m`). A number without a unit is refused: nobody
//! can know which it is. A length is whole numbers with units: `500ms`, `10s`, `15m`, `1h30m`, `1d` (24 hours).
//! What `every` takes besides, in days and longer, is in `grid.rs`.

use std::io::Write;

use super::error::{QueryCode, QueryError};
use crate::clock::{NS_PER_MS, NS_PER_SEC};
use crate::model::TimeNs;

/// Units of a length, longest text first where one begins another.
const UNITS: [(&str, i64); 7] = [
    ("ns", 1),
    ("us", 1_000),
    ("ms", NS_PER_MS),
    ("s", NS_PER_SEC),
    ("m", 60 * NS_PER_SEC),
    ("h", 3600 * NS_PER_SEC),
    ("d", 24 * 3600 * NS_PER_SEC),
];

/// What `from` and `to` may be. The name of the parameter comes first in the message.
pub fn parse_time(name: &str, text: &str, now: TimeNs) -> Result<TimeNs, QueryError> {
    let bad = |why: String| QueryError::new(QueryCode::BadTime, format!("{name}={text}: {why}"));
    let beyond = || bad("beyond what 64 bits of nanoseconds hold (years 1677 to 2262)".to_owned());
    if text == "now" {
        return Ok(now);
    }
    // A `+` that nobody encoded arrives as a blank.
    let relative = text.strip_prefix("now").unwrap_or(text);
    if let Some((sign, length)) = signed(relative) {
        let length = parse_length(length).map_err(bad)?;
        return now.checked_add(sign * length).ok_or_else(beyond);
    }
    if text.starts_with(|c: char| c.is_ascii_digit())
        && let Some((number, unit)) = split_number(text)
    {
        let Some(&(_, unit)) = UNITS[..4].iter().find(|(unit_name, _)| *unit_name == unit) else {
            return Err(match unit {
                "" => bad("a number needs its unit".to_owned()).with_hint(format!("{number}{}", likely_unit(number))),
                _ => bad(format!("an epoch is in s, ms, us or ns, not `{unit}`")).with_hint(format!("-{text} for that long ago")),
            });
        };
        return epoch(number, unit).ok_or_else(beyond);
    }
    parse_rfc3339(text).map_err(bad)
}

/// A length of time such as `15m`: `every`, and `history` of a subscription.
pub fn parse_duration(name: &str, text: &str) -> Result<i64, QueryError> {
    parse_length(text).map_err(|why| QueryError::parameter(format!("{name}={text}: {why}")))
}

fn signed(text: &str) -> Option<(i64, &str)> {
    let (sign, rest) = match text.as_bytes().first()? {
        b'-' => (-1, &text[1..]),
        b'+' | b' ' => (1, &text[1..]),
        _ => return None,
    };
    Some((sign, rest))
}

fn parse_length(text: &str) -> Result<i64, String> {
    let mut rest = text;
    let mut sum = 0_i64;
    if text.is_empty() {
        return Err("a length of time such as 15m is expected".to_owned());
    }
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, after) = rest.split_at(digits);
        let unit_len = after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len());
        let (unit, after) = after.split_at(unit_len);
        if digits == 0 || unit.is_empty() {
            return Err("a length of time such as 10s, 15m, 1h30m or 1d is expected".to_owned());
        }
        let Some((_, ns)) = UNITS.iter().find(|(name, _)| *name == unit) else {
            return Err(match unit {
                "w" | "mo" | "y" => {
                    format!(
                        "`{unit}` is a calendar unit, which stands alone and in every; a length is in ns, us, ms, s, m, h and d (24 hours)"
                    )
                }
                _ => format!("`{unit}` is no unit of time; ns, us, ms, s, m, h and d are"),
            });
        };
        let length = number.parse::<i64>().ok().and_then(|n| n.checked_mul(*ns)).and_then(|length| sum.checked_add(length));
        sum = length.ok_or("longer than 292 years")?;
        rest = after;
    }
    Ok(sum)
}

/// Digits with at most one point, and what follows. None when it looks like a date.
fn split_number(text: &str) -> Option<(&str, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let is_unit = unit.bytes().all(|b| b.is_ascii_alphabetic());
    (is_unit && number.matches('.').count() <= 1 && !number.ends_with('.')).then_some((number, unit))
}

/// Exact: decimal digits, no float.
fn epoch(number: &str, unit_ns: i64) -> Option<TimeNs> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let whole = whole.parse::<i64>().ok()?.checked_mul(unit_ns)?;
    let mut part = 0_i64;
    let mut weight = unit_ns;
    for digit in fraction.bytes() {
        weight /= 10;
        part += i64::from(digit - b'0') * weight;
    }
    whole.checked_add(part)
}

/// The unit in which the number falls between 1973 and 5138.
fn likely_unit(number: &str) -> &'static str {
    match number.split('.').next().map_or(0, str::len) {
        0..=11 => "s",
        12..=14 => "ms",
        15..=17 => "us",
        _ => "ns",
    }
}

fn parse_rfc3339(text: &str) -> Result<TimeNs, String> {
    // As above: `2026-01-01T00:00:00 01:00` can only have been a plus.
    let mended = match text.len().checked_sub(6).and_then(|at| text.split_at_checked(at)) {
        Some((date, offset)) if date.contains(['T', 't']) && offset.starts_with(' ') => format!("{date}+{}", &offset[1..]),
        _ => text.to_owned(),
    };
    let time = mended.parse::<jiff::Timestamp>().map_err(|_| {
        if mended.parse::<jiff::civil::DateTime>().is_ok() && mended.starts_with(|c: char| c.is_ascii_digit()) {
            "the offset is missing: end it in Z for UTC or in +01:00".to_owned()
        } else {
            "expected RFC 3339 such as 2026-11-23T15:00:00Z, an epoch with its unit such as 1795396030s, -1h or now".to_owned()
        }
    })?;
    i64::try_from(time.as_nanosecond()).map_err(|_| "beyond what 64 bits of nanoseconds hold (years 1677 to 2262)".to_owned())
}

/// How an answer writes times.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TimeFormat {
    /// Milliseconds as a number, with a fraction where the time has one.
    #[default]
    Ms,
    /// Nanoseconds as an integer.
    Ns,
    Rfc3339,
}

impl TimeFormat {
    pub fn parse(text: &str) -> Result<Self, QueryError> {
        match text {
            "ms" => Ok(Self::Ms),
            "ns" => Ok(Self::Ns),
            "rfc3339" => Ok(Self::Rfc3339),
            _ => Err(QueryError::parameter(format!("time={text}: expected ms, ns or rfc3339"))),
        }
    }

    /// As JSON and CSV write it; RFC 3339 without quotes.
    pub fn write(self, time: TimeNs, out: &mut Vec<u8>) {
        match self {
            Self::Ms => write_ms(time, out),
            Self::Ns => write_int(time, out),
            Self::Rfc3339 => write!(out, "{}", rfc3339(time)).expect("writing to a Vec does not fail"),
        }
    }
}

/// The exact decimal: `1795396030123`, or `1795396030123.4567` when there is more than milliseconds.
pub fn write_ms(time: TimeNs, out: &mut Vec<u8>) {
    let (ms, mut ns) = (time / NS_PER_MS, (time % NS_PER_MS).abs());
    if time < 0 && ms == 0 {
        out.push(b'-');
    }
    write_int(ms, out);
    if ns != 0 {
        let mut digits = 6;
        while ns % 10 == 0 {
            ns /= 10;
            digits -= 1;
        }
        write!(out, ".{ns:0digits$}").expect("writing to a Vec does not fail");
    }
}

fn write_int(int: i64, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(int).as_bytes());
}

/// Milliseconds as f64, for MessagePack: an integral one is exact, a fraction is rounded to the nearest float.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "the contract's JSON number is a double; ns are there for exactness")]
pub fn ms_f64(time: TimeNs) -> f64 {
    (time / NS_PER_MS) as f64 + (time % NS_PER_MS) as f64 / NS_PER_MS as f64
}

#[must_use]
pub fn rfc3339(time: TimeNs) -> jiff::Timestamp {
    jiff::Timestamp::from_nanosecond(i128::from(time)).expect("every i64 of nanoseconds is within the years of jiff")
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: TimeNs = 1_795_396_030_000_000_000;

    #[test]
    fn times_are_read() {
        let rows: &[(&str, i64)] = &[
            ("now", NOW),
            ("-1h", NOW - 3_600_000_000_000),
            ("now-1h30m", NOW - 5_400_000_000_000),
            ("+10m", NOW + 600_000_000_000),
            (" 10m", NOW + 600_000_000_000),
            ("-500ms", NOW - 500_000_000),
            ("-0s", NOW),
            ("1795396030s", NOW),
            ("1795396030000ms", NOW),
            ("1795396030000000us", NOW),
            ("1795396030000000000ns", NOW),
            ("1795396030.5s", NOW + 500_000_000),
            ("1795396030000.123456ms", NOW + 123_456),
            ("0s", 0),
            ("1970-01-01T00:00:01Z", 1_000_000_000),
            ("1970-01-01t00:00:01.000000001z", 1_000_000_001),
            ("1970-01-01T01:00:01+01:00", 1_000_000_000),
            ("1970-01-01T01:00:01 01:00", 1_000_000_000),
            ("1969-12-31T23:59:59Z", -1_000_000_000),
        ];
        for (text, expected) in rows {
            assert_eq!(parse_time("from", text, NOW), Ok(*expected), "{text}");
        }
    }

    #[test]
    fn times_are_refused_with_a_reason() {
        let rows: &[(&str, &str, Option<&str>)] = &[
            ("1795396030", "needs its unit", Some("1795396030s")),
            ("1795396030123", "needs its unit", Some("1795396030123ms")),
            ("1795396030000000000", "needs its unit", Some("1795396030000000000ns")),
            ("15m", "an epoch is in", Some("-15m for that long ago")),
            ("2026-01-01T00:00:00", "offset is missing", None),
            ("2026-01-01", "offset is missing", None),
            ("yesterday", "expected RFC 3339", None),
            ("", "expected RFC 3339", None),
            ("-1w", "calendar unit", None),
            ("-1x", "no unit", None),
            ("-h", "a length of time", None),
            ("--1h", "a length of time", None),
            ("9999999999s", "beyond", None),
            ("99999999999999999999s", "beyond", None),
            ("-300000d", "292 years", None),
            ("2300-01-01T00:00:00Z", "beyond", None),
            ("1.2.3s", "expected RFC 3339", None),
        ];
        for (text, part, hint) in rows {
            let error = parse_time("from", text, NOW).expect_err(text);
            assert!(error.message.contains(part) && error.message.starts_with("from="), "{text}: {error}");
            assert_eq!(error.code, QueryCode::BadTime);
            assert_eq!(error.hint.as_deref(), *hint, "{text}");
        }
    }

    #[test]
    fn lengths() {
        for (text, expected) in
            [("10s", 10 * NS_PER_SEC), ("1h30m", 5_400 * NS_PER_SEC), ("1d", 86_400 * NS_PER_SEC), ("1500us", 1_500_000)]
        {
            assert_eq!(parse_duration("every", text), Ok(expected), "{text}");
        }
        for text in ["", "1", "s", "1mo", "1 s", "-1s", "1.5s", "99999999999h", "é"] {
            assert_eq!(parse_duration("every", text).unwrap_err().code, QueryCode::BadParameter, "{text}");
        }
    }

    #[test]
    fn times_are_written() {
        let rows: &[(i64, &str, &str)] = &[
            (NOW, "1795396030000", "2026-11-23T01:07:10Z"),
            (NOW + 1, "1795396030000.000001", "2026-11-23T01:07:10.000000001Z"),
            (NOW + 123_450_000, "1795396030123.45", "2026-11-23T01:07:10.12345Z"),
            (0, "0", "1970-01-01T00:00:00Z"),
            (-1, "-0.000001", "1969-12-31T23:59:59.999999999Z"),
            (-1_500_000, "-1.5", "1969-12-31T23:59:59.9985Z"),
        ];
        for (time, ms, text) in rows {
            let written = |format: TimeFormat| {
                let mut out = Vec::new();
                format.write(*time, &mut out);
                String::from_utf8(out).unwrap()
            };
            assert_eq!(written(TimeFormat::Ms), *ms);
            assert_eq!(written(TimeFormat::Ns), time.to_string());
            assert_eq!(written(TimeFormat::Rfc3339), *text);
            assert_eq!(parse_time("from", text, 0), Ok(*time));
            #[expect(clippy::float_cmp, reason = "the same double is meant")]
            {
                assert_eq!(ms_f64(*time), ms.parse::<f64>().unwrap());
            }
        }
        for extreme in [i64::MIN, i64::MAX] {
            assert!(!rfc3339(extreme).to_string().is_empty());
        }
    }
}
