//! The encodings of a column's values, and their decoder.
//!
//! Invariant: decoding gives the value that was encoded, bit for bit. An integer stays an integer and a float a float;
//! a float travels as a decimal only where `integer / 10^exponent` gives its very bits.

use crate::batch::presence;
use crate::error::WireError;
use crate::reader::Reader;
use crate::varint::{self, unzigzag};

/// One value, borrowed from the frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    Int(i64),
    Float(f64),
    Bool(bool),
    Text(&'a str),
}

/// How a payload holds its values; the low bits of a column's form byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Encoding {
    IntDelta = 0,
    IntOffset = 1,
    DecimalDelta = 2,
    DecimalOffset = 3,
    F64 = 4,
    F32 = 5,
    Bool = 6,
    Text = 7,
    Constant = 8,
    Mixed = 9,
}

impl Encoding {
    pub(super) fn from_byte(byte: u8, at: usize) -> Result<Self, WireError> {
        Ok(match byte {
            0 => Self::IntDelta,
            1 => Self::IntOffset,
            2 => Self::DecimalDelta,
            3 => Self::DecimalOffset,
            4 => Self::F64,
            5 => Self::F32,
            6 => Self::Bool,
            7 => Self::Text,
            8 => Self::Constant,
            9 => Self::Mixed,
            _ => return Err(WireError::BadValue { part: "column.form", at, found: u64::from(byte), expected: "an encoding 0-9" }),
        })
    }
}

/// Tags of a constant's value.
pub(super) mod constant {
    pub(in crate::batch) const INT: u8 = 1;
    pub(in crate::batch) const FLOAT: u8 = 2;
    pub(in crate::batch) const FALSE: u8 = 3;
    pub(in crate::batch) const TRUE: u8 = 4;
    pub(in crate::batch) const TEXT: u8 = 5;
}

/// 10^0 to 10^15, each exact as a float.
pub(super) const POWERS_OF_TEN: [f64; 16] = [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15];

/// Room that decoding uses again and again. Keep one per task.
#[derive(Debug, Default)]
pub struct ColumnBuf {
    ints: Vec<i64>,
    floats: Vec<f64>,
    bools: Vec<bool>,
    ends: Vec<u32>,
}

/// The values of one column, in the order of its rows.
#[derive(Clone, Copy, Debug)]
pub enum Values<'a, 'b> {
    Ints(&'b [i64]),
    Floats(&'b [f64]),
    /// Integers and floats of one series, in their order.
    Mixed(Mixed<'a, 'b>),
    Bools(&'b [bool]),
    Texts(Texts<'a, 'b>),
}

/// Integers and floats that take turns.
#[derive(Clone, Copy, Debug)]
pub struct Mixed<'a, 'b> {
    count: usize,
    /// A set bit is a float.
    floats_at: &'a [u8],
    ints: &'b [i64],
    floats: &'b [f64],
}

/// Text values, borrowed from the frame.
#[derive(Clone, Copy, Debug)]
pub enum Texts<'a, 'b> {
    Same { text: &'a str, count: usize },
    Each { joined: &'a str, ends: &'b [u32] },
}

impl<'a, 'b> Mixed<'a, 'b> {
    pub fn iter(&self) -> impl Iterator<Item = Value<'a>> + use<'a, 'b> {
        let Self { count, floats_at, ints, floats } = *self;
        let (mut ints, mut floats) = (ints.iter(), floats.iter());
        (0..count).map_while(move |index| {
            if presence::bit(floats_at, index) {
                floats.next().map(|&float| Value::Float(float))
            } else {
                ints.next().map(|&int| Value::Int(int))
            }
        })
    }
}

impl<'a, 'b> Texts<'a, 'b> {
    pub fn len(&self) -> usize {
        match self {
            Self::Same { count, .. } => *count,
            Self::Each { ends, .. } => ends.len(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn iter(&self) -> impl Iterator<Item = &'a str> + use<'a, 'b> {
        let texts = *self;
        let mut from = 0;
        (0..self.len()).map_while(move |index| match texts {
            Self::Same { text, .. } => Some(text),
            Self::Each { joined, ends } => {
                let to = *ends.get(index)? as usize;
                joined.get(std::mem::replace(&mut from, to)..to)
            }
        })
    }
}

impl<'a> Values<'a, '_> {
    pub fn len(&self) -> usize {
        match self {
            Self::Ints(values) => values.len(),
            Self::Floats(values) => values.len(),
            Self::Mixed(mixed) => mixed.count,
            Self::Bools(values) => values.len(),
            Self::Texts(texts) => texts.len(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Calls `each` with every value in order. Whoever wants speed matches on the variant and takes the slice.
    pub fn for_each(&self, mut each: impl FnMut(Value<'a>)) {
        match self {
            Self::Ints(values) => values.iter().for_each(|&value| each(Value::Int(value))),
            Self::Floats(values) => values.iter().for_each(|&value| each(Value::Float(value))),
            Self::Mixed(mixed) => mixed.iter().for_each(each),
            Self::Bools(values) => values.iter().for_each(|&value| each(Value::Bool(value))),
            Self::Texts(texts) => texts.iter().for_each(|text| each(Value::Text(text))),
        }
    }
}

/// Decodes `count` values, which must fill the payload exactly.
pub(super) fn decode<'a, 'b>(
    encoding: Encoding,
    payload: &'a [u8],
    at: usize,
    count: usize,
    buf: &'b mut ColumnBuf,
) -> Result<Values<'a, 'b>, WireError> {
    match encoding {
        Encoding::Bool => bools(payload, at, count, buf),
        Encoding::Text => texts(payload, at, count, buf),
        Encoding::Constant => repeat(payload, at, count, buf),
        Encoding::Mixed => mixed(payload, at, count, buf),
        numbers => match decode_numbers(numbers, payload, at, count, buf)? {
            Numbers::Ints => Ok(Values::Ints(&buf.ints)),
            Numbers::Floats => Ok(Values::Floats(&buf.floats)),
        },
    }
}

/// Which half of the buffer was filled.
enum Numbers {
    Ints,
    Floats,
}

fn decode_numbers(encoding: Encoding, payload: &[u8], at: usize, count: usize, buf: &mut ColumnBuf) -> Result<Numbers, WireError> {
    match encoding {
        Encoding::IntDelta => integers(payload, at, count, false, &mut buf.ints)?,
        Encoding::IntOffset => integers(payload, at, count, true, &mut buf.ints)?,
        Encoding::DecimalDelta | Encoding::DecimalOffset => {
            let mut reader = Reader::part(payload, at);
            let exponent = reader.u8("decimal.exponent")?;
            let Some(&power) = POWERS_OF_TEN.get(usize::from(exponent)) else {
                return Err(WireError::BadValue { part: "decimal.exponent", at, found: u64::from(exponent), expected: "0-15" });
            };
            let rest = reader.bytes("decimal", payload.len() as u64 - 1)?;
            integers(rest, at + 1, count, encoding == Encoding::DecimalOffset, &mut buf.ints)?;
            buf.floats.clear();
            buf.floats.extend(buf.ints.iter().map(|&int| int as f64 / power));
            return Ok(Numbers::Floats);
        }
        Encoding::F64 => {
            floats(payload, at, count, f64::from_le_bytes, &mut buf.floats)?;
            return Ok(Numbers::Floats);
        }
        Encoding::F32 => {
            floats(payload, at, count, |bytes| f64::from(f32::from_le_bytes(bytes)), &mut buf.floats)?;
            return Ok(Numbers::Floats);
        }
        other => {
            return Err(WireError::BadValue { part: "mixed.encoding", at, found: other as u64, expected: "an encoding of numbers, 0-5" });
        }
    }
    Ok(Numbers::Ints)
}

/// Varints of differences: from the value before, or from a base that stands first.
fn integers(payload: &[u8], at: usize, count: usize, offset: bool, ints: &mut Vec<i64>) -> Result<(), WireError> {
    ints.clear();
    if payload.len() < count {
        return Err(WireError::Truncated { part: "integers", at, needed: count as u64, left: payload.len() });
    }
    ints.reserve(count);
    let bad = || WireError::BadVarint { part: "integers", at };
    if offset {
        let (base, taken) = varint::read(payload).ok_or_else(bad)?;
        let base = unzigzag(base);
        let rest = payload.get(taken..).unwrap_or_default();
        return varint::unpack(rest, count, |above| ints.push(base.wrapping_add(above.cast_signed()))).ok_or_else(bad);
    }
    let mut value = 0_i64;
    varint::unpack(payload, count, |delta| {
        value = value.wrapping_add(unzigzag(delta));
        ints.push(value);
    })
    .ok_or_else(bad)
}

fn floats<const N: usize>(
    payload: &[u8],
    at: usize,
    count: usize,
    convert: impl Fn([u8; N]) -> f64,
    floats: &mut Vec<f64>,
) -> Result<(), WireError> {
    floats.clear();
    let (chunks, rest) = payload.as_chunks::<N>();
    if chunks.len() != count || !rest.is_empty() {
        return Err(wrong_length("floats", at, count * N, payload));
    }
    floats.extend(chunks.iter().map(|&bytes| convert(bytes)));
    Ok(())
}

fn bools<'a, 'b>(payload: &[u8], at: usize, count: usize, buf: &'b mut ColumnBuf) -> Result<Values<'a, 'b>, WireError> {
    check_bits("bools", payload, at, count)?;
    buf.bools.clear();
    buf.bools.extend((0..count).map(|index| presence::bit(payload, index)));
    Ok(Values::Bools(&buf.bools))
}

/// A bitmap of exactly `count` bits; gives the set ones.
fn check_bits(part: &'static str, bits: &[u8], at: usize, count: usize) -> Result<usize, WireError> {
    if bits.len() != count.div_ceil(8) {
        return Err(wrong_length(part, at, count.div_ceil(8), bits));
    }
    let rows = u32::try_from(count).unwrap_or(u32::MAX);
    let ones = presence::count_ones(bits, rows).ok_or(WireError::BadValue {
        part,
        at,
        found: u64::from(bits.last().copied().unwrap_or(0)),
        expected: "no bit set after the last value",
    })?;
    Ok(ones as usize)
}

/// All lengths, then all bytes in one piece, so that UTF-8 is checked once.
fn texts<'a, 'b>(payload: &'a [u8], at: usize, count: usize, buf: &'b mut ColumnBuf) -> Result<Values<'a, 'b>, WireError> {
    buf.ends.clear();
    if payload.len() < count {
        return Err(WireError::Truncated { part: "texts", at, needed: count as u64, left: payload.len() });
    }
    buf.ends.reserve(count);
    let mut reader = Reader::part(payload, at);
    let mut end = 0_u64;
    for _ in 0..count {
        end = end.saturating_add(reader.varint("text.length")?);
        let room = u32::try_from(end).ok().filter(|_| end <= payload.len() as u64);
        buf.ends.push(room.ok_or(WireError::Truncated { part: "texts", at, needed: end, left: payload.len() })?);
    }
    let bytes = reader.bytes("texts", end)?;
    reader.end("texts")?;
    let joined = std::str::from_utf8(bytes).map_err(|_| WireError::BadUtf8 { part: "texts", at })?;
    if buf.ends.iter().any(|&end| !joined.is_char_boundary(end as usize)) {
        return Err(WireError::BadUtf8 { part: "texts", at });
    }
    Ok(Values::Texts(Texts::Each { joined, ends: &buf.ends }))
}

fn read_constant<'a>(payload: &'a [u8], at: usize) -> Result<Value<'a>, WireError> {
    let mut reader = Reader::part(payload, at);
    let value = match reader.u8("constant.tag")? {
        constant::INT => Value::Int(unzigzag(reader.varint("constant.int")?)),
        constant::FLOAT => Value::Float(reader.f64("constant.float")?),
        constant::FALSE => Value::Bool(false),
        constant::TRUE => Value::Bool(true),
        constant::TEXT => Value::Text(reader.text("constant.text")?),
        found => return Err(WireError::BadValue { part: "constant.tag", at, found: u64::from(found), expected: "1-5" }),
    };
    reader.end("constant")?;
    Ok(value)
}

fn repeat<'a, 'b>(payload: &'a [u8], at: usize, count: usize, buf: &'b mut ColumnBuf) -> Result<Values<'a, 'b>, WireError> {
    fn fill<T: Copy>(room: &mut Vec<T>, value: T, count: usize) -> &[T] {
        room.clear();
        room.resize(count, value);
        room
    }
    Ok(match read_constant(payload, at)? {
        Value::Int(int) => Values::Ints(fill(&mut buf.ints, int, count)),
        Value::Float(float) => Values::Floats(fill(&mut buf.floats, float, count)),
        Value::Bool(bool) => Values::Bools(fill(&mut buf.bools, bool, count)),
        Value::Text(text) => Values::Texts(Texts::Same { text, count }),
    })
}

/// Bytes that one constant text has; 0 for every other column.
pub(super) fn constant_text_bytes(encoding: Encoding, payload: &[u8], at: usize) -> Result<u64, WireError> {
    if encoding != Encoding::Constant {
        return Ok(0);
    }
    Ok(match read_constant(payload, at)? {
        Value::Text(text) => text.len() as u64,
        _ => 0,
    })
}

/// A bitmap of which are floats, then the floats and the integers, each in an encoding of its own.
fn mixed<'a, 'b>(payload: &'a [u8], at: usize, count: usize, buf: &'b mut ColumnBuf) -> Result<Values<'a, 'b>, WireError> {
    let mut reader = Reader::part(payload, at);
    let floats_at = reader.bytes("mixed.bits", count.div_ceil(8) as u64)?;
    let floats = check_bits("mixed.bits", floats_at, at, count)?;
    // Floats first: decimals pass through the room of the integers.
    for (part, count) in [(Numbers::Floats, floats), (Numbers::Ints, count - floats)] {
        let at = reader.at();
        let encoding = Encoding::from_byte(reader.u8("mixed.encoding")?, at)?;
        let length = reader.varint("mixed.length")?;
        let block_at = reader.at();
        let block = reader.bytes("mixed.payload", length)?;
        let found = decode_numbers(encoding, block, block_at, count, buf)?;
        if !matches!((part, found), (Numbers::Floats, Numbers::Floats) | (Numbers::Ints, Numbers::Ints)) {
            return Err(WireError::BadValue {
                part: "mixed.encoding",
                at,
                found: encoding as u64,
                expected: "floats (2-5), then integers (0-1)",
            });
        }
    }
    reader.end("mixed")?;
    Ok(Values::Mixed(Mixed { count, floats_at, ints: &buf.ints, floats: &buf.floats }))
}

fn wrong_length(part: &'static str, at: usize, needed: usize, payload: &[u8]) -> WireError {
    if payload.len() < needed {
        return WireError::Truncated { part, at, needed: needed as u64, left: payload.len() };
    }
    WireError::Trailing { part, at: at + needed, left: payload.len() - needed }
}
