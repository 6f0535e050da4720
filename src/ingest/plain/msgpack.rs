//! MessagePack, read in place. A cursor of our own and not rmp's readers: it has to give borrowed text, to pass over a value
//! without looking into it, to check every count against the bytes that are left, and to stop at a depth. The table of markers
//! is rmp's.
//!
//! Invariants: nothing is allocated, nothing recurses, no input makes it panic. [`Cursor::pass`] has checked all it went over.

use rmp::Marker;

use crate::limits::NESTING;

/// One value, or the head of an array or map whose content follows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Token<'a> {
    Nil,
    Bool(bool),
    Int(i64),
    /// Beyond i64.
    Big(u64),
    Float(f64),
    /// Not yet known to be UTF-8.
    Text(&'a [u8]),
    Bytes(&'a [u8]),
    Ext(i8, &'a [u8]),
    Array(u32),
    Map(u32),
}

impl Token<'_> {
    /// For messages: what the sender put where something else was expected.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Nil => "nil",
            Self::Bool(_) => "a bool",
            Self::Int(_) | Self::Big(_) => "an integer",
            Self::Float(_) => "a float",
            Self::Text(_) => "text",
            Self::Bytes(_) => "binary",
            Self::Ext(..) => "an extension",
            Self::Array(_) => "an array",
            Self::Map(_) => "a map",
        }
    }
}

/// A whole value: its token, and for an array or map the bytes of what it holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Field<'a> {
    pub(super) token: Token<'a>,
    pub(super) body: &'a [u8],
}

#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub(super) enum Malformed {
    #[error("the frame ends inside a value, at byte {at}")]
    Ends { at: usize },
    #[error("byte {at} is 0xc1, which MessagePack never uses")]
    Reserved { at: usize },
    #[error("{count} values declared at byte {at}, more than the bytes that are left")]
    Count { at: usize, count: u32 },
    #[error("nested deeper than {NESTING} at byte {at}")]
    Deep { at: usize },
}

#[derive(Clone, Debug)]
pub(super) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    pub(super) fn at(&self) -> usize {
        self.at
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.at == self.bytes.len()
    }

    #[inline]
    pub(super) fn token(&mut self) -> Result<Token<'a>, Malformed> {
        let at = self.at;
        let marker = Marker::from_u8(self.array::<1>()?[0]);
        Ok(match marker {
            Marker::FixPos(n) => Token::Int(i64::from(n)),
            Marker::FixNeg(n) => Token::Int(i64::from(n)),
            Marker::FixStr(n) => Token::Text(self.take(usize::from(n))?),
            Marker::FixMap(n) => self.map(at, u32::from(n))?,
            Marker::FixArray(n) => self.list(at, u32::from(n))?,
            Marker::Null => Token::Nil,
            Marker::Reserved => return Err(Malformed::Reserved { at }),
            Marker::False => Token::Bool(false),
            Marker::True => Token::Bool(true),
            Marker::U8 => Token::Int(i64::from(self.array::<1>()?[0])),
            Marker::U16 => Token::Int(i64::from(u16::from_be_bytes(self.array()?))),
            Marker::U32 => Token::Int(i64::from(u32::from_be_bytes(self.array()?))),
            Marker::U64 => {
                let n = u64::from_be_bytes(self.array()?);
                i64::try_from(n).map_or(Token::Big(n), Token::Int)
            }
            Marker::I8 => Token::Int(i64::from(i8::from_be_bytes(self.array()?))),
            Marker::I16 => Token::Int(i64::from(i16::from_be_bytes(self.array()?))),
            Marker::I32 => Token::Int(i64::from(i32::from_be_bytes(self.array()?))),
            Marker::I64 => Token::Int(i64::from_be_bytes(self.array()?)),
            Marker::F32 => Token::Float(f64::from(f32::from_be_bytes(self.array()?))),
            Marker::F64 => Token::Float(f64::from_be_bytes(self.array()?)),
            Marker::Str8 | Marker::Str16 | Marker::Str32 | Marker::Bin8 | Marker::Bin16 | Marker::Bin32 => self.bytes_or_text(marker)?,
            Marker::Array16 => {
                let n = u16::from_be_bytes(self.array()?);
                self.list(at, u32::from(n))?
            }
            Marker::Array32 => {
                let n = u32::from_be_bytes(self.array()?);
                self.list(at, n)?
            }
            Marker::Map16 => {
                let n = u16::from_be_bytes(self.array()?);
                self.map(at, u32::from(n))?
            }
            Marker::Map32 => {
                let n = u32::from_be_bytes(self.array()?);
                self.map(at, n)?
            }
            _ => self.ext(marker)?,
        })
    }

    /// The next value whole. `depth`: how many arrays and maps are open around it.
    #[inline]
    pub(super) fn field(&mut self, depth: usize) -> Result<Field<'a>, Malformed> {
        let token = self.token()?;
        let start = self.at;
        if let Token::Array(_) | Token::Map(_) = token {
            self.pass_content(token, depth)?;
        }
        Ok(Field { token, body: &self.bytes[start..self.at] })
    }

    /// Goes over the next value, checking it.
    #[inline]
    pub(super) fn pass(&mut self, depth: usize) -> Result<(), Malformed> {
        let token = self.token()?;
        self.pass_content(token, depth)
    }

    /// Goes over what the array or map just begun holds.
    #[inline]
    pub(super) fn pass_content(&mut self, token: Token<'_>, depth: usize) -> Result<(), Malformed> {
        let Some(count) = values_in(token) else {
            return Ok(());
        };
        let mut open = [0_u64; NESTING];
        let mut depth = depth;
        *open.get_mut(depth).ok_or(Malformed::Deep { at: self.at })? = count;
        let floor = depth;
        loop {
            if open[depth] == 0 {
                if depth == floor {
                    return Ok(());
                }
                depth -= 1;
                continue;
            }
            open[depth] -= 1;
            if let Some(count) = values_in(self.token()?) {
                depth += 1;
                *open.get_mut(depth).ok_or(Malformed::Deep { at: self.at })? = count;
            }
        }
    }

    fn bytes_or_text(&mut self, marker: Marker) -> Result<Token<'a>, Malformed> {
        let len = match marker {
            Marker::Str8 | Marker::Bin8 => usize::from(self.array::<1>()?[0]),
            Marker::Str16 | Marker::Bin16 => usize::from(u16::from_be_bytes(self.array()?)),
            _ => u32::from_be_bytes(self.array()?) as usize,
        };
        let bytes = self.take(len)?;
        Ok(if matches!(marker, Marker::Str8 | Marker::Str16 | Marker::Str32) { Token::Text(bytes) } else { Token::Bytes(bytes) })
    }

    fn ext(&mut self, marker: Marker) -> Result<Token<'a>, Malformed> {
        let len = match marker {
            Marker::FixExt1 => 1,
            Marker::FixExt2 => 2,
            Marker::FixExt4 => 4,
            Marker::FixExt8 => 8,
            Marker::FixExt16 => 16,
            Marker::Ext8 => usize::from(self.array::<1>()?[0]),
            Marker::Ext16 => usize::from(u16::from_be_bytes(self.array()?)),
            _ => u32::from_be_bytes(self.array()?) as usize,
        };
        let kind = i8::from_be_bytes(self.array()?);
        Ok(Token::Ext(kind, self.take(len)?))
    }

    fn list(&self, at: usize, count: u32) -> Result<Token<'a>, Malformed> {
        if count as usize > self.left() { Err(Malformed::Count { at, count }) } else { Ok(Token::Array(count)) }
    }

    fn map(&self, at: usize, count: u32) -> Result<Token<'a>, Malformed> {
        if count as usize > self.left() / 2 { Err(Malformed::Count { at, count }) } else { Ok(Token::Map(count)) }
    }

    fn left(&self) -> usize {
        self.bytes.len() - self.at
    }

    #[inline]
    fn take(&mut self, len: usize) -> Result<&'a [u8], Malformed> {
        if len > self.left() {
            return Err(Malformed::Ends { at: self.bytes.len() });
        }
        let taken = &self.bytes[self.at..self.at + len];
        self.at += len;
        Ok(taken)
    }

    #[inline]
    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let bytes = self.take(N)?;
        Ok(bytes.try_into().expect("take gives the length asked for"))
    }
}

/// How many values an array or map holds; None for anything else.
#[inline]
fn values_in(token: Token<'_>) -> Option<u64> {
    match token {
        Token::Array(count) => Some(u64::from(count)),
        Token::Map(count) => Some(2 * u64::from(count)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_marker_is_read() {
        let rows: &[(&[u8], Token<'_>)] = &[
            (&[0x7f], Token::Int(127)),
            (&[0xe0], Token::Int(-32)),
            (&[0xc0], Token::Nil),
            (&[0xc2], Token::Bool(false)),
            (&[0xc3], Token::Bool(true)),
            (&[0xcc, 200], Token::Int(200)),
            (&[0xcd, 1, 0], Token::Int(256)),
            (&[0xce, 0, 1, 0, 0], Token::Int(65536)),
            (&[0xcf, 0x7f, 255, 255, 255, 255, 255, 255, 255], Token::Int(i64::MAX)),
            (&[0xcf, 0x80, 0, 0, 0, 0, 0, 0, 0], Token::Big(1 << 63)),
            (&[0xd0, 0x80], Token::Int(-128)),
            (&[0xd1, 0x80, 0], Token::Int(-32768)),
            (&[0xd2, 0x80, 0, 0, 0], Token::Int(i64::from(i32::MIN))),
            (&[0xd3, 0x80, 0, 0, 0, 0, 0, 0, 0], Token::Int(i64::MIN)),
            (&[0xca, 0x3d, 0xcc, 0xcc, 0xcd], Token::Float(f64::from(0.1_f32))),
            (&[0xcb, 0x3f, 0xf8, 0, 0, 0, 0, 0, 0], Token::Float(1.5)),
            (&[0xa2, b'o', b'k'], Token::Text(b"ok")),
            (&[0xd9, 1, b'x'], Token::Text(b"x")),
            (&[0xda, 0, 1, b'x'], Token::Text(b"x")),
            (&[0xdb, 0, 0, 0, 1, b'x'], Token::Text(b"x")),
            (&[0xc4, 1, 9], Token::Bytes(&[9])),
            (&[0xc5, 0, 1, 9], Token::Bytes(&[9])),
            (&[0xc6, 0, 0, 0, 1, 9], Token::Bytes(&[9])),
            (&[0xd4, 255, 9], Token::Ext(-1, &[9])),
            (&[0xd5, 5, 9, 9], Token::Ext(5, &[9, 9])),
            (&[0xd6, 255, 1, 2, 3, 4], Token::Ext(-1, &[1, 2, 3, 4])),
            (&[0xc7, 1, 7, 9], Token::Ext(7, &[9])),
            (&[0xc8, 0, 1, 7, 9], Token::Ext(7, &[9])),
            (&[0xc9, 0, 0, 0, 1, 7, 9], Token::Ext(7, &[9])),
            (&[0x91, 1], Token::Array(1)),
            (&[0xdc, 0, 1, 1], Token::Array(1)),
            (&[0xdd, 0, 0, 0, 1, 1], Token::Array(1)),
            (&[0x81, 1, 1], Token::Map(1)),
            (&[0xde, 0, 1, 1, 1], Token::Map(1)),
            (&[0xdf, 0, 0, 0, 1, 1, 1], Token::Map(1)),
        ];
        for (bytes, token) in rows {
            assert_eq!(Cursor::new(bytes).token().as_ref(), Ok(token), "{bytes:02x?}");
            let mut whole = Cursor::new(bytes);
            assert_eq!(whole.pass(0), Ok(()), "{bytes:02x?}");
            assert!(whole.is_at_end(), "{bytes:02x?}");
            for cut in 0..bytes.len() {
                assert!(Cursor::new(&bytes[..cut]).pass(0).is_err(), "{bytes:02x?} cut at {cut}");
            }
        }
    }

    #[test]
    fn depth_and_counts_are_bounded() {
        let nested = |levels: usize| [vec![0x91; levels], vec![0xc0]].concat();
        assert_eq!(Cursor::new(&nested(NESTING)).pass(0), Ok(()));
        assert!(matches!(Cursor::new(&nested(NESTING + 1)).pass(0), Err(Malformed::Deep { .. })));
        assert!(matches!(Cursor::new(&nested(NESTING)).pass(1), Err(Malformed::Deep { .. })));
        assert_eq!(Cursor::new(&[0xdd, 255, 255, 255, 255]).pass(0), Err(Malformed::Count { at: 0, count: u32::MAX }));
        assert_eq!(Cursor::new(&[0x82, 1, 1, 1]).pass(0), Err(Malformed::Count { at: 0, count: 2 }));
        assert_eq!(Cursor::new(&[0xc1]).pass(0), Err(Malformed::Reserved { at: 0 }));
    }
}
