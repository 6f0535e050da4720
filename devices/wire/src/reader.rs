//! A place in the bytes of a frame, with reads that name the part when it is not there. No read allocates, and none panics.

use crate::error::WireError;
use crate::varint;

#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
    /// Offset of `rest` in the frame, for messages.
    at: usize,
}

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, at: 0 }
    }

    /// A part of a frame that begins at `at`.
    pub fn part(bytes: &'a [u8], at: usize) -> Self {
        Self { rest: bytes, at }
    }

    pub fn at(&self) -> usize {
        self.at
    }

    pub fn left(&self) -> usize {
        self.rest.len()
    }

    pub fn bytes(&mut self, part: &'static str, count: u64) -> Result<&'a [u8], WireError> {
        let split = usize::try_from(count).ok().and_then(|count| self.rest.split_at_checked(count));
        let Some((taken, rest)) = split else {
            return Err(WireError::Truncated { part, at: self.at, needed: count, left: self.left() });
        };
        self.rest = rest;
        self.at += taken.len();
        Ok(taken)
    }

    fn array<const N: usize>(&mut self, part: &'static str) -> Result<[u8; N], WireError> {
        let Some((taken, rest)) = self.rest.split_first_chunk::<N>() else {
            return Err(WireError::Truncated { part, at: self.at, needed: N as u64, left: self.left() });
        };
        self.rest = rest;
        self.at += N;
        Ok(*taken)
    }

    pub fn u8(&mut self, part: &'static str) -> Result<u8, WireError> {
        self.array::<1>(part).map(|[byte]| byte)
    }

    pub fn u16(&mut self, part: &'static str) -> Result<u16, WireError> {
        self.array(part).map(u16::from_le_bytes)
    }

    pub fn u64(&mut self, part: &'static str) -> Result<u64, WireError> {
        self.array(part).map(u64::from_le_bytes)
    }

    pub fn i64(&mut self, part: &'static str) -> Result<i64, WireError> {
        self.array(part).map(i64::from_le_bytes)
    }

    pub fn f64(&mut self, part: &'static str) -> Result<f64, WireError> {
        self.array(part).map(f64::from_le_bytes)
    }

    #[inline]
    pub fn varint(&mut self, part: &'static str) -> Result<u64, WireError> {
        // Most are short.
        match *self.rest {
            [byte, ref rest @ ..] if byte < 0x80 => {
                self.rest = rest;
                self.at += 1;
                Ok(u64::from(byte))
            }
            [low, high, ref rest @ ..] if high < 0x80 => {
                self.rest = rest;
                self.at += 2;
                Ok(u64::from(low & 0x7f) | u64::from(high) << 7)
            }
            _ => self.long_varint(part),
        }
    }

    fn long_varint(&mut self, part: &'static str) -> Result<u64, WireError> {
        let Some((value, taken)) = varint::read(self.rest) else {
            return Err(WireError::BadVarint { part, at: self.at });
        };
        self.advance(taken);
        Ok(value)
    }

    fn advance(&mut self, taken: usize) {
        self.rest = self.rest.get(taken..).unwrap_or_default();
        self.at += taken;
    }

    /// Reads so many varints, and hands each to `sink`.
    #[inline]
    pub fn varints(&mut self, part: &'static str, count: usize, sink: impl FnMut(u64)) -> Result<(), WireError> {
        let Some(taken) = varint::unpack_first(self.rest, count, sink) else {
            return Err(WireError::BadVarint { part, at: self.at });
        };
        self.advance(taken);
        Ok(())
    }

    /// Goes past so many varints.
    pub fn skip_varints(&mut self, part: &'static str, count: u64) -> Result<(), WireError> {
        let taken = usize::try_from(count).ok().and_then(|count| varint::skip(self.rest, count));
        let Some(taken) = taken else {
            return Err(WireError::Truncated { part, at: self.at, needed: count, left: self.left() });
        };
        self.bytes(part, taken as u64).map(drop)
    }

    pub fn varint_u32(&mut self, part: &'static str) -> Result<u32, WireError> {
        let at = self.at;
        let found = self.varint(part)?;
        u32::try_from(found).map_err(|_| WireError::BadValue { part, at, found, expected: "at most 4294967295" })
    }

    /// A count of things that take at least `bytes_each` bytes: refused if the bytes that are left cannot hold them, so
    /// that a caller may reserve room for it.
    pub fn count(&mut self, part: &'static str, bytes_each: u64) -> Result<usize, WireError> {
        let at = self.at;
        let count = self.varint(part)?;
        let needed = count.saturating_mul(bytes_each);
        if needed > self.left() as u64 {
            return Err(WireError::Truncated { part, at, needed, left: self.left() });
        }
        Ok(usize::try_from(count).unwrap_or(usize::MAX))
    }

    pub fn text(&mut self, part: &'static str) -> Result<&'a str, WireError> {
        let at = self.at;
        let length = self.varint(part)?;
        let bytes = self.bytes(part, length)?;
        std::str::from_utf8(bytes).map_err(|_| WireError::BadUtf8 { part, at })
    }

    /// Refuses bytes after the last part of `frame`.
    pub fn end(&self, frame: &'static str) -> Result<(), WireError> {
        if self.rest.is_empty() {
            return Ok(());
        }
        Err(WireError::Trailing { part: frame, at: self.at, left: self.left() })
    }
}

/// Writes what [`Reader::text`] reads.
pub fn put_text(out: &mut Vec<u8>, text: &str) {
    varint::put(out, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}
