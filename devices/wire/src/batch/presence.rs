//! Which rows of a group a column has: all, or those whose bit is set (row 0 is the lowest bit of the first byte).

use crate::error::WireError;
use crate::reader::Reader;

/// The rows that a column has, ascending.
#[derive(Clone, Copy, Debug)]
pub struct Presence<'a> {
    rows: u32,
    count: u32,
    /// Empty when all rows are there.
    bits: &'a [u8],
}

impl<'a> Presence<'a> {
    pub(super) fn all(rows: u32) -> Self {
        Self { rows, count: rows, bits: &[] }
    }

    pub(super) fn read(reader: &mut Reader<'a>, rows: u32) -> Result<Self, WireError> {
        let at = reader.at();
        let bits = reader.bytes("column.presence", u64::from(rows.div_ceil(8)))?;
        let count = count_ones(bits, rows).ok_or(WireError::BadValue {
            part: "column.presence",
            at,
            found: u64::from(bits.last().copied().unwrap_or(0)),
            expected: "no bit set after the last row",
        })?;
        if count == 0 {
            return Err(WireError::BadValue { part: "column.presence", at, found: 0, expected: "at least one row" });
        }
        Ok(Self { rows, count, bits })
    }

    /// Rows that are there.
    pub fn count(&self) -> u32 {
        self.count
    }

    pub fn is_all(&self) -> bool {
        self.count == self.rows
    }

    /// The row numbers, ascending.
    pub fn rows(&self) -> impl Iterator<Item = u32> + use<'a> {
        let Self { rows, bits, .. } = *self;
        (0..rows).filter(move |&row| bits.is_empty() || bit(bits, row as usize))
    }
}

/// `bits` as a bitmap of `rows` rows: how many are set; `None` if one is set after the last row.
pub(super) fn count_ones(bits: &[u8], rows: u32) -> Option<u32> {
    let spare = (8 - rows % 8) % 8;
    let last = bits.last().copied().unwrap_or(0);
    if spare > 0 && last >> (8 - spare) != 0 {
        return None;
    }
    Some(bits.iter().map(|byte| byte.count_ones()).sum())
}

pub(super) fn bit(bits: &[u8], index: usize) -> bool {
    bits.get(index / 8).is_some_and(|byte| byte >> (index % 8) & 1 == 1)
}

/// Writes a bitmap.
pub(super) fn put_bits(out: &mut Vec<u8>, flags: impl Iterator<Item = bool>) {
    let mut byte = 0_u8;
    let mut used = 0;
    for flag in flags {
        byte |= u8::from(flag) << used;
        used += 1;
        if used == 8 {
            out.push(byte);
            (byte, used) = (0, 0);
        }
    }
    if used > 0 {
        out.push(byte);
    }
}
