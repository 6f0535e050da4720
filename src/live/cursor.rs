//! The cursor as viewers carry it: a place in the order of commits, in an opaque text form.
//!
//! `EPOCH-POSITION`, both in lower-case hexadecimal, the epoch always 16 digits, the position without leading zeros; for a
//! subscription whose reach depends on attributes also `-ATTRIBUTES`, 16 digits. Parsing is strict: one cursor has one text. The text
//! means nothing to a viewer; it may change with another epoch.

use std::fmt;

use crate::model::Position;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Cursor {
    pub epoch: u64,
    pub position: Position,
    /// All attributes of all devices as they were then. An edit of them is no commit, so what the log has after the position says
    /// nothing of it. None: they do not matter to this subscription.
    pub attributes: Option<u64>,
}

impl Cursor {
    /// None for anything that no hub ever wrote.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (epoch, rest) = text.split_once('-')?;
        let (position, attributes) = rest.split_once('-').map_or((rest, None), |(position, attributes)| (position, Some(attributes)));
        if position.len() > 1 && position.starts_with('0') {
            return None;
        }
        let attributes = match attributes {
            Some(text) => Some(number(text, 16)?),
            None => None,
        };
        Some(Self { epoch: number(epoch, 16)?, position: Position(number(position, position.len().clamp(1, 16))?), attributes })
    }
}

fn number(text: &str, digits: usize) -> Option<u64> {
    let is_hexadecimal = text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    (text.len() == digits && is_hexadecimal).then(|| u64::from_str_radix(text, 16).ok())?
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}-{:x}", self.epoch, self.position.0)?;
        self.attributes.map_or(Ok(()), |attributes| write!(f, "-{attributes:016x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back_and_nothing_else() {
        for (epoch, position) in [(0, 0), (1, 17), (u64::MAX, u64::MAX), (0xdead_beef, 1 << 40)] {
            for attributes in [None, Some(0), Some(epoch)] {
                let cursor = Cursor { epoch, position: Position(position), attributes };
                assert_eq!(Cursor::parse(&cursor.to_string()), Some(cursor));
            }
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
            "0000000000000001-1-",
            "0000000000000001-1-1",
            "0000000000000001-1-0000000000000001-",
        ] {
            assert_eq!(Cursor::parse(text), None, "{text:?}");
        }
    }
}
