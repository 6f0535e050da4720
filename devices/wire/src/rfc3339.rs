//! The form of RFC 3339, and nothing wider: what `time` may be as text, in the plain protocol and in an agent's JSON lines. Calendars
//! read more than the RFC has (a date without dashes, a zone in brackets), and a leap second as the second before it, which would be
//! another time than the one that was told.

/// Whether the text has the form of RFC 3339 with an offset, and tells no leap second. Whether there is such a date is for a calendar to
/// say.
#[must_use]
pub fn is_rfc3339(text: &[u8]) -> bool {
    let Some((date, rest)) = text.split_at_checked(10) else { return false };
    let Some((separator, rest)) = rest.split_first() else { return false };
    let Some((clock, rest)) = rest.split_at_checked(8) else { return false };
    if !fits(b"0000-00-00", date) || !matches!(separator, b'T' | b't' | b' ') || !fits(b"00:00:00", clock) || clock.ends_with(b"60") {
        return false;
    }
    match behind_the_fraction(rest) {
        Some(b"Z" | b"z") => true,
        Some([b'+' | b'-', offset @ ..]) => fits(b"00:00", offset),
        _ => false,
    }
}

/// None: a point without digits behind it.
fn behind_the_fraction(rest: &[u8]) -> Option<&[u8]> {
    let Some(fraction) = rest.strip_prefix(b".") else { return Some(rest) };
    let digits = fraction.iter().take_while(|byte| byte.is_ascii_digit()).count();
    fraction.get(digits..).filter(|_| digits > 0)
}

/// `0` in the form is any digit.
fn fits(form: &[u8], part: &[u8]) -> bool {
    form.len() == part.len() && form.iter().zip(part).all(|(f, byte)| if *f == b'0' { byte.is_ascii_digit() } else { f == byte })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_is_that_of_the_rfc() {
        let rows = [
            ("2026-11-23T02:27:10Z", true),
            ("2026-11-23t02:27:10z", true),
            ("2026-11-23 02:27:10.5Z", true),
            ("2026-11-23T02:27:10.123456789+01:30", true),
            ("2026-11-23T02:27:10-06:00", true),
            // No date, but of the form of one.
            ("2026-99-99T99:99:99Z", true),
            ("2026-11-23T02:27:10", false),
            ("2026-11-23T02:27:10.Z", false),
            ("2026-11-23T02:27:10,5Z", false),
            ("2026-11-23T02:27:60Z", false),
            ("2026-11-23T02:27:60.5+01:00", false),
            ("2026-11-23T02:27:10+01", false),
            ("2026-11-23T02:27:10+0100", false),
            ("2026-11-23T02:27:10Z[UTC]", false),
            ("2026-11-23T02:27Z", false),
            ("2026-11-23_02:27:10Z", false),
            ("20261123T022710Z", false),
            ("+002026-11-23T02:27:10Z", false),
            ("2026-11-23T02:27:1\u{0660}Z", false),
            ("2026-11-23", false),
            ("now", false),
            ("", false),
        ];
        for (text, expected) in rows {
            assert_eq!(is_rfc3339(text.as_bytes()), expected, "{text}");
        }
    }
}
