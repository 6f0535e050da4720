//! One segment file as bytes (FORMAT.md, "Segment"): its header, the frame around each record, and the scan that finds records
//! again. Pure: no file is opened here.
//!
//! Checksums are seeded with the segment's salt, which never leaves the disk: bytes that a client sent as text cannot pass for a
//! record when a scan looks for the next good one behind damage.

use crate::model::Position;

pub(super) const VERSION: u32 = 1;
pub(super) const HEADER_BYTES: usize = 40;
pub(super) const RECORD_HEADER_BYTES: usize = 24;
/// Records begin at multiples of this.
const ALIGN: usize = 8;
const MAGIC: &[u8; 8] = b"telltale";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SegmentHeader {
    pub(super) salt: u64,
    /// The position that its first record has, if it gets one.
    pub(super) first: Position,
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum HeaderError {
    #[error("format version {found} is newer than this program reads ({VERSION})")]
    Newer { found: u32 },
    #[error("the segment header is damaged")]
    Damaged,
}

impl SegmentHeader {
    pub(super) fn encode(self) -> [u8; HEADER_BYTES] {
        let mut out = [0; HEADER_BYTES];
        out[..8].copy_from_slice(MAGIC);
        out[8..12].copy_from_slice(&VERSION.to_le_bytes());
        out[16..24].copy_from_slice(&self.salt.to_le_bytes());
        out[24..32].copy_from_slice(&self.first.0.to_le_bytes());
        let crc = crc32c::crc32c(&out[..32]);
        out[32..36].copy_from_slice(&crc.to_le_bytes());
        out
    }

    pub(super) fn parse(bytes: &[u8]) -> Result<Self, HeaderError> {
        let head = bytes.first_chunk::<HEADER_BYTES>().ok_or(HeaderError::Damaged)?;
        if &head[..8] != MAGIC || u32_at(head, 32) != crc32c::crc32c(&head[..32]) {
            return Err(HeaderError::Damaged);
        }
        match u32_at(head, 8) {
            VERSION => Ok(Self { salt: u64_at(head, 16), first: Position(u64_at(head, 24)) }),
            found => Err(HeaderError::Newer { found }),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RecordKind {
    Commit,
    /// A clean stop: nothing follows in this run of the hub.
    End,
    /// Bytes that recovery set aside; their body is not looked at again.
    Skip,
}

impl RecordKind {
    fn magic(self) -> [u8; 4] {
        *match self {
            Self::Commit => b"TTcm",
            Self::End => b"TTen",
            Self::Skip => b"TTsk",
        }
    }

    fn from_magic(magic: &[u8]) -> Option<Self> {
        [Self::Commit, Self::End, Self::Skip].into_iter().find(|kind| kind.magic() == magic)
    }
}

/// Bytes that a record with this body takes in the file.
pub(super) fn record_bytes(body: usize) -> usize {
    (RECORD_HEADER_BYTES + body).next_multiple_of(ALIGN)
}

/// Writes the header of a record whose body already stands in `record` behind room for it, and pads the end.
pub(super) fn finish_record(kind: RecordKind, position: Position, salt: u64, record: &mut Vec<u8>) {
    let body_len = u32::try_from(record.len() - RECORD_HEADER_BYTES).expect("a commit is bounded far below 4 GiB");
    let body_crc = crc32c::crc32c_append(seed(salt), &record[RECORD_HEADER_BYTES..]);
    record[..RECORD_HEADER_BYTES].copy_from_slice(&record_header(kind, position, salt, body_len, body_crc));
    record.resize(record_bytes(body_len as usize), 0);
}

/// The header alone, for a skip record that is written over damage of `bytes` bytes.
pub(super) fn skip_header(position: Position, salt: u64, bytes: usize, is_unclear: bool) -> [u8; RECORD_HEADER_BYTES] {
    let body = u32::try_from(bytes - RECORD_HEADER_BYTES).unwrap_or(u32::MAX - 7);
    record_header(RecordKind::Skip, position, salt, body, u32::from(is_unclear))
}

fn record_header(kind: RecordKind, position: Position, salt: u64, body_len: u32, body_crc: u32) -> [u8; RECORD_HEADER_BYTES] {
    let mut head = [0; RECORD_HEADER_BYTES];
    head[..4].copy_from_slice(&kind.magic());
    head[4..8].copy_from_slice(&body_len.to_le_bytes());
    head[8..16].copy_from_slice(&position.0.to_le_bytes());
    head[16..20].copy_from_slice(&body_crc.to_le_bytes());
    let crc = crc32c::crc32c_append(seed(salt), &head[..20]);
    head[20..].copy_from_slice(&crc.to_le_bytes());
    head
}

fn seed(salt: u64) -> u32 {
    crc32c::crc32c(&salt.to_le_bytes())
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Record<'a> {
    pub(super) kind: RecordKind,
    pub(super) position: Position,
    pub(super) offset: usize,
    pub(super) body: &'a [u8],
    /// Of a skip record: nobody can tell whether what it stands for was acked.
    pub(super) is_unclear: bool,
}

impl Record<'_> {
    pub(super) fn end(&self) -> usize {
        self.offset + record_bytes(self.body.len())
    }
}

/// The kind of the record that begins with these bytes and the length of its body, or what is wrong with its header.
pub(super) fn header_of(bytes: &[u8], salt: u64) -> Result<(RecordKind, usize), &'static str> {
    let head = bytes.first_chunk::<RECORD_HEADER_BYTES>().ok_or("it ends inside a record header")?;
    if crc32c::crc32c_append(seed(salt), &head[..20]) != u32_at(head, 20) {
        return Err("the checksum of the record header is wrong");
    }
    let kind = RecordKind::from_magic(&head[..4]).ok_or("the kind of record is unknown")?;
    Ok((kind, u32_at(head, 4) as usize))
}

/// The position of the record that begins with these bytes and the length of its body, when its header alone is good.
pub(super) fn place_of(bytes: &[u8], salt: u64) -> Option<(Position, usize)> {
    let (_, body) = header_of(bytes, salt).ok()?;
    Some((Position(u64_at(bytes, 8)), body))
}

/// The record at `offset`, or what is wrong with it.
pub(super) fn record_at(bytes: &[u8], offset: usize, salt: u64) -> Result<Record<'_>, &'static str> {
    let head = bytes.get(offset..).unwrap_or_default();
    let (kind, len) = header_of(head, salt)?;
    let body = head.get(RECORD_HEADER_BYTES..RECORD_HEADER_BYTES + len).ok_or("it ends inside a record")?;
    if kind != RecordKind::Skip && crc32c::crc32c_append(seed(salt), body) != u32_at(head, 16) {
        return Err("the checksum of the record is wrong");
    }
    let is_unclear = kind == RecordKind::Skip && u32_at(head, 16) != 0;
    Ok(Record { kind, position: Position(u64_at(head, 8)), offset, body, is_unclear })
}

/// A stretch of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stretch<'a> {
    Record(Record<'a>),
    /// Bytes that are no record. `then` is the good record behind them, if there is one in this segment.
    Bad {
        from: usize,
        to: usize,
        what: &'static str,
        then: Option<Position>,
    },
}

/// Walks over a segment's records; ends at the unwritten zeros or the end of the file.
#[derive(Debug)]
pub(super) struct Scan<'a> {
    bytes: &'a [u8],
    offset: usize,
    salt: u64,
}

impl<'a> Scan<'a> {
    pub(super) fn new(bytes: &'a [u8], offset: usize, salt: u64) -> Self {
        Self { bytes, offset, salt }
    }

    /// Where the walk stands: behind the last stretch.
    pub(super) fn offset(&self) -> usize {
        self.offset
    }
}

impl<'a> Iterator for Scan<'a> {
    type Item = Stretch<'a>;

    fn next(&mut self) -> Option<Stretch<'a>> {
        let what = match record_at(self.bytes, self.offset, self.salt) {
            Ok(record) => {
                self.offset = record.end();
                return Some(Stretch::Record(record));
            }
            Err(what) => what,
        };
        let from = self.offset;
        let written = from + written_bytes(self.bytes.get(from..).unwrap_or_default())?;
        let good = (from + ALIGN..written).step_by(ALIGN).find_map(|at| record_at(self.bytes, at, self.salt).ok());
        let to = good.map_or(written.next_multiple_of(ALIGN).max(from + RECORD_HEADER_BYTES), |record| record.offset);
        self.offset = to;
        Some(Stretch::Bad { from, to, what, then: good.map(|record| record.position) })
    }
}

/// How many bytes stand before the zeros at the end; None if all are zeros. A start reads megabytes of them, so blocks are compared
/// whole.
pub(super) fn written_bytes(bytes: &[u8]) -> Option<usize> {
    const ZEROS: [u8; 4096] = [0; 4096];
    let mut end = bytes.len();
    for block in bytes.rchunks(ZEROS.len()) {
        if *block != ZEROS[..block.len()] {
            return block.iter().rposition(|&b| b != 0).map(|last| end - block.len() + last + 1);
        }
        end -= block.len();
    }
    None
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..).and_then(|b| b.first_chunk()).copied().map_or(0, u32::from_le_bytes)
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..).and_then(|b| b.first_chunk()).copied().map_or(0, u64::from_le_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SALT: u64 = 42;

    fn segment(bodies: &[&[u8]]) -> Vec<u8> {
        let mut bytes = SegmentHeader { salt: SALT, first: Position(1) }.encode().to_vec();
        for (i, body) in bodies.iter().enumerate() {
            let mut record = vec![0; RECORD_HEADER_BYTES];
            record.extend_from_slice(body);
            finish_record(RecordKind::Commit, Position(i as u64 + 1), SALT, &mut record);
            bytes.extend_from_slice(&record);
        }
        bytes.resize(bytes.len() + 4096, 0);
        bytes
    }

    fn walk(bytes: &[u8]) -> Vec<String> {
        Scan::new(bytes, HEADER_BYTES, SALT)
            .map(|stretch| match stretch {
                Stretch::Record(r) => format!("{}:{}", r.position.0, String::from_utf8_lossy(r.body)),
                Stretch::Bad { from, to, then, .. } => format!("bad {from}-{to} then {:?}", then.map(|p| p.0)),
            })
            .collect()
    }

    #[test]
    fn records_are_found_up_to_the_unwritten_zeros() {
        assert_eq!(walk(&segment(&[b"one", b"", b"three is longer"])), ["1:one", "2:", "3:three is longer"]);
    }

    #[test]
    fn a_flipped_bit_anywhere_costs_that_record_alone() {
        let whole = segment(&[b"one", b"two", b"three"]);
        for at in HEADER_BYTES + 32..HEADER_BYTES + 32 + 27 {
            let mut bytes = whole.clone();
            bytes[at] ^= 4;
            assert_eq!(walk(&bytes), ["1:one", "bad 72-104 then Some(3)", "3:three"], "byte {at}");
        }
    }

    #[test]
    fn a_torn_last_record_is_bad_and_nothing_follows() {
        let whole = segment(&[b"one", b"two and some more bytes"]);
        for cut in 73..72 + 24 + 23 {
            let mut bytes = whole.clone();
            bytes[cut..].fill(0);
            let walked = walk(&bytes);
            assert_eq!(walked.len(), 2, "cut {cut}: {walked:?}");
            assert!(walked[1].ends_with("then None"), "cut {cut}: {walked:?}");
            bytes.truncate(cut);
            assert_eq!(walk(&bytes).len(), 2, "file ends at {cut}");
        }
    }

    #[test]
    fn a_record_inside_another_is_not_taken_without_the_salt() {
        let mut inner = vec![0; RECORD_HEADER_BYTES];
        finish_record(RecordKind::Commit, Position(9), SALT + 1, &mut inner);
        let mut bytes = segment(&[&inner, b"two"]);
        bytes[HEADER_BYTES] ^= 1;
        assert_eq!(walk(&bytes), ["bad 40-88 then Some(2)", "2:two"]);
    }

    #[test]
    fn a_newer_version_is_told_from_damage() {
        let mut head = SegmentHeader { salt: 1, first: Position(5) }.encode();
        assert_eq!(SegmentHeader::parse(&head), Ok(SegmentHeader { salt: 1, first: Position(5) }));
        head[9] = 1;
        assert_eq!(SegmentHeader::parse(&head), Err(HeaderError::Damaged));
        let crc = crc32c::crc32c(&head[..32]);
        head[32..36].copy_from_slice(&crc.to_le_bytes());
        assert_eq!(SegmentHeader::parse(&head), Err(HeaderError::Newer { found: 257 }));
    }
}
