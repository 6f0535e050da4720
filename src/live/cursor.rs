//! The cursor as viewers carry it: a place in the order of commits, in an opaque text form.
//!
//! `EPOCH-POSITION`, both in lower-case hexadecimal, the epoch always 16 digits, the position without leading zeros. Parsing is
//! strict: one cursor has one text. The text means nothing to a viewer; it may change with another epoch.

use std::fmt;

use crate::model::Position;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Cursor {
    pub epoch: u64,
    pub position: Position,
}

impl Cursor {
    /// None for anything that no hub ever wrote.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (epoch, position) = text.split_once('-')?;
        let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        if epoch.len() != 16 || position.is_empty() || position.len() > 16 || !digits(epoch) || !digits(position) {
            return None;
        }
        if position.len() > 1 && position.starts_with('0') {
            return None;
        }
        let number = |text: &str| u64::from_str_radix(text, 16).ok();
        Some(Self { epoch: number(epoch)?, position: Position(number(position)?) })
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}-{:x}", self.epoch, self.position.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back_and_nothing_else() {
        for (epoch, position) in [(0, 0), (1, 17), (u64::MAX, u64::MAX), (0xdead_beef, 1 << 40)] {
            let cursor = Cursor { epoch, position: Position(position) };
            assert_eq!(Cursor::parse(&cursor.to_string()), Some(cursor));
        }
        for text in [
            "",
            "-",
            "1-1",
            "000000000000000g-1",
            "0000000000000001-",
            "0000000000000001-01",
            "000000000000000A-1",
            "0000000000000001-+1",
            "0000000000000001-11111111111111111",
            "0000000000000001-1 ",
            "é000000000000001-1",
        ] {
            assert_eq!(Cursor::parse(text), None, "{text:?}");
        }
    }
}
