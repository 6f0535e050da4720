//! What is known of a finished segment beside its records (FORMAT.md, "Index"): where each record is and which series it concerns,
//! so that a resume reads only its own. Pure, and only a help: without it, or when it is damaged, the segment itself is read.

use std::collections::BTreeMap;

use telltale_wire::WireError;
use telltale_wire::reader::Reader;
use telltale_wire::varint::put;

use super::record;
use super::segment::{HEADER_BYTES, RecordKind, Scan, Stretch};
use crate::model::{Commit, Position, SeriesId, TimeNs};

const MAGIC: &[u8; 4] = b"TTix";
const VERSION: u8 = 1;
/// Records begin at multiples of eight.
const ALIGN: u64 = 8;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct SegmentIndex {
    pub(super) salt: u64,
    pub(super) first: Position,
    pub(super) last: Position,
    pub(super) wall: TimeNs,
    pub(super) end: u64,
    /// Position and offset of each commit, in order.
    pub(super) records: Vec<(Position, u64)>,
    /// The records, by their place in `records`, that concern a series.
    pub(super) series: BTreeMap<SeriesId, Vec<u32>>,
}

impl SegmentIndex {
    /// Reads it off a whole segment. None when a record in it cannot be read: then there is no index.
    pub(super) fn of(bytes: &[u8], salt: u64, first: Position) -> Option<Self> {
        let mut index =
            Self { salt, first, last: Position(first.0.saturating_sub(1)), wall: TimeNs::MIN, end: HEADER_BYTES as u64, ..Self::default() };
        let mut scan = Scan::new(bytes, HEADER_BYTES, salt);
        while let Some(stretch) = scan.next() {
            let Stretch::Record(record) = stretch else { return None };
            match record.kind {
                RecordKind::Commit => index.add(&record::decode(record.position, record.body).ok()?, record.offset as u64),
                RecordKind::End => continue,
                RecordKind::Skip => index.last = index.last.max(record.position),
            }
            index.end = scan.offset() as u64;
        }
        Some(index)
    }

    fn add(&mut self, commit: &Commit, offset: u64) {
        let place = u32::try_from(self.records.len()).expect("a segment is below 4 GiB, a record is no smaller than its header");
        (self.last, self.wall) = (commit.position, commit.wall);
        self.records.push((commit.position, offset));
        let deleted = commit.deletes.iter().map(|delete| delete.series);
        let written = commit.readings.chunk_by(|a, b| a.series == b.series).map(|run| run[0].series);
        for series in deleted.chain(written) {
            let records = self.series.entry(series).or_default();
            if records.last() != Some(&place) {
                records.push(place);
            }
        }
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        out.push(VERSION);
        [self.salt, self.first.0, self.last.0, self.wall.cast_unsigned(), self.end]
            .iter()
            .for_each(|n| out.extend_from_slice(&n.to_le_bytes()));
        put(&mut out, self.records.len() as u64);
        let (mut position, mut offset) = (self.first.0, 0);
        for (at, byte) in &self.records {
            put(&mut out, at.0 - position);
            put(&mut out, (byte - offset) / ALIGN);
            (position, offset) = (at.0, *byte);
        }
        put(&mut out, self.series.len() as u64);
        let mut id = 0;
        for (series, records) in &self.series {
            put(&mut out, u64::from(series.0 - id));
            id = series.0;
            put(&mut out, records.len() as u64);
            let mut place = 0;
            for record in records {
                put(&mut out, u64::from(record - place));
                place = *record;
            }
        }
        let crc = crc32c::crc32c(&out);
        out.extend_from_slice(&crc.to_le_bytes());
        out
    }

    /// None: not an index of this version, or damaged.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let (body, crc) = bytes.split_last_chunk::<4>()?;
        if crc32c::crc32c(body) != u32::from_le_bytes(*crc) {
            return None;
        }
        Self::read(&mut Reader::new(body.strip_prefix(MAGIC)?.strip_prefix(&[VERSION])?)).ok()
    }

    fn read(r: &mut Reader<'_>) -> Result<Self, WireError> {
        let (salt, first, last) = (r.u64("salt")?, Position(r.u64("first")?), Position(r.u64("last")?));
        let mut index = Self { salt, first, last, wall: r.i64("wall")?, end: r.u64("end")?, ..Self::default() };
        let (mut position, mut offset) = (first.0, 0_u64);
        for _ in 0..r.count("records", 2)? {
            position = position.wrapping_add(r.varint("position")?);
            offset = offset.wrapping_add(r.varint("offset")?.wrapping_mul(ALIGN));
            index.records.push((Position(position), offset));
        }
        let mut id = 0_u32;
        for _ in 0..r.count("series", 3)? {
            id = id.wrapping_add(r.varint_u32("series id")?);
            let (mut places, mut place) = (Vec::new(), 0_u32);
            for _ in 0..r.count("places", 1)? {
                place = place.wrapping_add(r.varint_u32("place")?);
                places.push(place);
            }
            index.series.insert(SeriesId(id), places);
        }
        r.end("index")?;
        Ok(index)
    }

    /// The offsets of the records after `after` up to `until` that concern any of these, in order, without repeats.
    pub(super) fn records_of(&self, ids: &[SeriesId], after: Position, until: Position) -> Vec<u64> {
        let places = ids.iter().filter_map(|id| self.series.get(id)).flatten();
        let mut places: Vec<_> = places.filter_map(|place| self.records.get(*place as usize)).collect();
        places.retain(|(position, _)| *position > after && *position <= until);
        places.sort_unstable();
        places.dedup();
        places.into_iter().map(|(_, offset)| *offset).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index() -> SegmentIndex {
        let series = [(SeriesId(3), vec![0, 2]), (SeriesId(900), vec![1, 2])].into_iter().collect();
        let records = vec![(Position(10), 40), (Position(11), 400), (Position(15), 4096)];
        SegmentIndex { salt: 77, first: Position(10), last: Position(16), wall: -5, end: 8000, records, series }
    }

    #[test]
    fn what_is_written_is_read_and_a_flipped_bit_is_noticed() {
        let bytes = index().encode();
        assert_eq!(SegmentIndex::decode(&bytes), Some(index()));
        for at in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1;
            assert_eq!(SegmentIndex::decode(&flipped), None, "byte {at}");
        }
    }

    #[test]
    fn a_series_finds_its_records_alone() {
        let index = index();
        let rows: &[(&[u32], u64, u64, &[u64])] = &[
            (&[3], 0, 99, &[40, 4096]),
            (&[3, 900], 0, 99, &[40, 400, 4096]),
            (&[900, 3], 10, 14, &[400]),
            (&[4], 0, 99, &[]),
            (&[3], 15, 99, &[]),
        ];
        for (ids, after, until, expected) in rows {
            let ids: Vec<_> = ids.iter().map(|id| SeriesId(*id)).collect();
            assert_eq!(index.records_of(&ids, Position(*after), Position(*until)), *expected, "{ids:?}");
        }
    }
}
