//! One file of the spool: a header, then records, each with its length and checksum. The byte table is in `SPOOL.md`.
//!
//! Invariant: a record counts only when all its bytes and its checksum are there. Reading stops at the first that does
//! not: what follows is an unfinished write of a process that was killed, or damage, and is reported either way.

use std::io;

pub(super) const HEADER_BYTES: usize = 36;
pub(super) const RECORD_HEADER_BYTES: usize = 17;
const MAGIC: &[u8; 8] = b"TTSPOOL1";

/// What every segment says about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) boot: u64,
    pub(super) segment: u64,
    /// The number of the first batch in it.
    pub(super) first_batch: u64,
}

/// What a record says; `Batch` alone has bytes to keep, the others are marks about batches before them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Record<'a> {
    /// A batch and its number in the spool.
    Batch { batch: u64, payload: &'a [u8] },
    /// This batch goes out under this sequence number, from now on and for good.
    Sent { batch: u64, seq: u64 },
    /// The hub has everything up to this sequence number on disk.
    Acked { up_to: u64 },
    /// This batch is finished by itself: the hub refused it for good, or its rows stand in a later batch.
    Done { batch: u64 },
}

pub(super) fn encode_header(header: &Header) -> [u8; HEADER_BYTES] {
    let mut out = [0; HEADER_BYTES];
    out[..8].copy_from_slice(MAGIC);
    out[8..16].copy_from_slice(&header.boot.to_le_bytes());
    out[16..24].copy_from_slice(&header.segment.to_le_bytes());
    out[24..32].copy_from_slice(&header.first_batch.to_le_bytes());
    let crc = crc32c::crc32c(&out[..32]);
    out[32..].copy_from_slice(&crc.to_le_bytes());
    out
}

pub(super) fn decode_header(bytes: &[u8]) -> Option<Header> {
    let bytes = bytes.get(..HEADER_BYTES)?;
    if &bytes[..8] != MAGIC || crc32c::crc32c(&bytes[..32]) != u32_at(bytes, 32) {
        return None;
    }
    Some(Header { boot: u64_at(bytes, 8), segment: u64_at(bytes, 16), first_batch: u64_at(bytes, 24) })
}

/// Adds a record's bytes to `out`.
pub(super) fn encode_record(out: &mut Vec<u8>, record: Record<'_>) {
    let seq_bytes;
    let (kind, number, payload): (u8, u64, &[u8]) = match record {
        Record::Batch { batch, payload } => (1, batch, payload),
        Record::Sent { batch, seq } => {
            seq_bytes = seq.to_le_bytes();
            (2, batch, &seq_bytes)
        }
        Record::Acked { up_to } => (3, up_to, &[]),
        Record::Done { batch } => (4, batch, &[]),
    };
    let start = out.len();
    let length = u32::try_from(payload.len()).expect("a payload is bounded below 4 GiB");
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(&[0; 4]);
    out.push(kind);
    out.extend_from_slice(&number.to_le_bytes());
    out.extend_from_slice(payload);
    let crc = record_crc(&out[start..]);
    out[start + 4..start + 8].copy_from_slice(&crc.to_le_bytes());
}

/// The record at the start of `bytes` and how many bytes it takes; `None` when it is not whole or not right.
pub(super) fn decode_record(bytes: &[u8]) -> Option<(Record<'_>, usize)> {
    let head = bytes.get(..RECORD_HEADER_BYTES)?;
    let length = u32_at(head, 0) as usize;
    let total = RECORD_HEADER_BYTES.checked_add(length)?;
    let bytes = bytes.get(..total)?;
    if record_crc(bytes) != u32_at(head, 4) {
        return None;
    }
    let number = u64_at(head, 9);
    let payload = &bytes[RECORD_HEADER_BYTES..];
    let record = match (head[8], length) {
        (1, _) => Record::Batch { batch: number, payload },
        (2, 8) => Record::Sent { batch: number, seq: u64_at(payload, 0) },
        (3, 0) => Record::Acked { up_to: number },
        (4, 0) => Record::Done { batch: number },
        _ => return None,
    };
    Some((record, total))
}

/// Calls `each` with every whole record and its offset; returns the offset at which reading stopped.
pub(super) fn scan<'a>(bytes: &'a [u8], mut each: impl FnMut(usize, Record<'a>)) -> usize {
    let mut at = HEADER_BYTES.min(bytes.len());
    while let Some((record, length)) = decode_record(&bytes[at..]) {
        each(at, record);
        at += length;
    }
    at
}

/// Over everything but the checksum itself, the length included.
fn record_crc(record: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&record[..4]), &record[8..])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}

/// An error that names the file.
pub(super) fn at_path(path: &std::path::Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_come_back_and_a_changed_byte_stops_the_reading() {
        let records = [
            Record::Batch { batch: 7, payload: b"abc" },
            Record::Sent { batch: 7, seq: 41 },
            Record::Acked { up_to: 41 },
            Record::Done { batch: 7 },
        ];
        let mut bytes = encode_header(&Header { boot: 7, segment: 1, first_batch: 7 }).to_vec();
        let mut ends = vec![bytes.len()];
        for record in records {
            encode_record(&mut bytes, record);
            ends.push(bytes.len());
        }
        let read = |bytes: &[u8]| {
            let mut count = 0;
            let end = scan(bytes, |_, record| {
                assert_eq!(record, records[count]);
                count += 1;
            });
            (count, end)
        };
        assert_eq!(read(&bytes), (4, bytes.len()));
        for at in HEADER_BYTES..bytes.len() {
            let mut wrong = bytes.clone();
            wrong[at] ^= 0x10;
            let whole_before = ends.iter().filter(|end| **end <= at).count() - 1;
            assert_eq!(read(&wrong), (whole_before, ends[whole_before]), "byte {at}");
        }
        assert_eq!(decode_header(&bytes).unwrap().first_batch, 7);
        assert_eq!(decode_header(&bytes[..HEADER_BYTES - 1]), None);
    }
}
