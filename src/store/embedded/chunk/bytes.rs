//! A place in the bytes of a chunk, and the checksum at its end. No read panics, and none makes room for more than is there.

use telltale_wire::varint::{self, unzigzag};

use super::Damaged;
pub(in crate::store::embedded) use super::VERSION;

const CRC_BYTES: usize = 4;

#[derive(Clone, Copy, Debug)]
pub(in crate::store::embedded) struct In<'a> {
    pub(super) rest: &'a [u8],
}

impl<'a> In<'a> {
    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8], Damaged> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(Damaged::Short)?;
        self.rest = rest;
        Ok(taken)
    }

    pub(super) fn u8(&mut self) -> Result<u8, Damaged> {
        let (first, rest) = self.rest.split_first().ok_or(Damaged::Short)?;
        self.rest = rest;
        Ok(*first)
    }

    pub(super) fn f64(&mut self) -> Result<f64, Damaged> {
        let (bytes, rest) = self.rest.split_first_chunk().ok_or(Damaged::Short)?;
        self.rest = rest;
        Ok(f64::from_le_bytes(*bytes))
    }

    pub(super) fn varint(&mut self) -> Result<u64, Damaged> {
        let (value, taken) = varint::read(self.rest).ok_or(Damaged::Malformed("a varint does not end"))?;
        self.take(taken)?;
        Ok(value)
    }

    pub(super) fn zigzag(&mut self) -> Result<i64, Damaged> {
        self.varint().map(unzigzag)
    }

    /// A count of things, at least one and at most `most`, so that a caller may make room for them.
    pub(in crate::store::embedded) fn count(&mut self, most: usize) -> Result<usize, Damaged> {
        let count = usize::try_from(self.varint()?).unwrap_or(usize::MAX);
        if (1..=most).contains(&count) { Ok(count) } else { Err(Damaged::Malformed("a count is out of bounds")) }
    }

    pub(super) fn text(&mut self) -> Result<&'a str, Damaged> {
        let length = usize::try_from(self.varint()?).unwrap_or(usize::MAX);
        std::str::from_utf8(self.take(length)?).map_err(|_| Damaged::Malformed("a text is not UTF-8"))
    }

    pub(in crate::store::embedded) fn end(&self) -> Result<(), Damaged> {
        if self.rest.is_empty() { Ok(()) } else { Err(Damaged::Malformed("bytes are left over")) }
    }
}

/// Puts the checksum of all that is there behind it.
pub(in crate::store::embedded) fn seal(mut out: Vec<u8>) -> Vec<u8> {
    let crc = crc32c::crc32c(&out);
    out.extend_from_slice(&crc.to_le_bytes());
    out
}

/// What stands before the checksum, if it is whole and of this version.
pub(in crate::store::embedded) fn open(bytes: &[u8]) -> Result<In<'_>, Damaged> {
    let (body, crc) = bytes.split_last_chunk::<CRC_BYTES>().ok_or(Damaged::Short)?;
    let (&found, rest) = body.split_first().ok_or(Damaged::Short)?;
    if crc32c::crc32c(body) != u32::from_le_bytes(*crc) {
        return Err(Damaged::Checksum);
    }
    if found == super::VERSION { Ok(In { rest }) } else { Err(Damaged::Version { found }) }
}
