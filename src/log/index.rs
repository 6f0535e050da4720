//! What is known of a finished segment beside its records (FORMAT.md, "Index"): where each record is and which series it concerns,
//! so that a resume reads only its own. Pure, and only a help: without it, or when it is damaged, the segment itself is read.

use std::io::{self, BufRead, Seek};

use telltale_wire::WireError;
use telltale_wire::reader::Reader;
use telltale_wire::varint::put;

use super::record;
use super::segment::{HEADER_BYTES, RecordKind};
use super::skim;
use super::stream::each_record;
use crate::model::{Position, SeriesId, TimeNs};

const MAGIC: &[u8; 4] = b"TTix";
const VERSION: u8 = 1;
/// Records begin at multiples of eight.
const ALIGN: u64 = 8;
/// No hub gives ids so high: room is not made for one that only a fault can have written.
const SERIES_MAX: u32 = 1 << 27;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct SegmentIndex {
    pub(super) salt: u64,
    pub(super) first: Position,
    pub(super) last: Position,
    pub(super) wall: TimeNs,
    pub(super) end: u64,
    /// Position and offset of each commit, in order.
    pub(super) records: Vec<(Position, u64)>,
    pub(super) series: Places,
}

/// For each series, by id, the records that concern it, by their place in `records`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Places {
    /// A series, and where its places end; they begin where those of the one before end.
    ends: Vec<(SeriesId, u32)>,
    places: Vec<u32>,
}

/// How many records concern each series, read off one after the other.
#[derive(Debug, Default)]
struct Counts {
    records: u32,
    /// By series: how many records, and one more than the one met last.
    series: Vec<(u32, u32)>,
}

impl Counts {
    /// False: the record cannot be read, or names a series that cannot be.
    fn count(&mut self, body: &[u8]) -> bool {
        self.records += 1;
        let (mark, counts) = (self.records, &mut self.series);
        let mut known = true;
        let read = skim::series(body, |id| {
            if id.index() >= counts.len() {
                known &= id.0 < SERIES_MAX;
                counts.resize(if known { id.index() + 1 } else { counts.len() }, (0, 0));
            }
            if let Some((count, met)) = counts.get_mut(id.index()).filter(|(_, met)| *met != mark) {
                (*count, *met) = (*count + 1, mark);
            }
        });
        known && read.is_ok()
    }

    fn into_filling(mut self) -> Filling {
        let (mut ends, mut begin) = (Vec::new(), 0);
        for (id, (count, met)) in (0..).map(SeriesId).zip(&mut self.series) {
            if *count > 0 {
                ends.push((id, begin + *count));
                (begin, *count, *met) = (begin + *count, begin, 0);
            }
        }
        Filling { places: Places { ends, places: vec![0; begin as usize] }, records: 0, next: self.series }
    }
}

/// The same records a second time: now their places are known.
#[derive(Debug)]
struct Filling {
    places: Places,
    records: u32,
    /// By series: where its next place goes, and one more than the record met last.
    next: Vec<(u32, u32)>,
}

impl Filling {
    fn fill(&mut self, body: &[u8]) -> bool {
        let Self { places, records, next } = self;
        let read = skim::series(body, |id| {
            if let Some((next, met)) = next.get_mut(id.index()).filter(|(_, met)| *met != *records + 1)
                && let Some(place) = places.places.get_mut(*next as usize)
            {
                *place = *records;
                (*next, *met) = (*next + 1, *records + 1);
            }
        });
        *records += 1;
        read.is_ok()
    }
}

impl Places {
    fn of_series(&self, id: SeriesId) -> &[u32] {
        self.ends.binary_search_by_key(&id, |(id, _)| *id).map_or(&[], |at| self.at(at))
    }

    fn at(&self, at: usize) -> &[u32] {
        let begin = if at == 0 { 0 } else { self.ends[at - 1].1 };
        &self.places[begin as usize..self.ends[at].1 as usize]
    }

    fn iter(&self) -> impl Iterator<Item = (SeriesId, &[u32])> {
        self.ends.iter().enumerate().map(|(at, (id, _))| (*id, self.at(at)))
    }
}

impl SegmentIndex {
    /// Reads it off a whole segment. None when a record in it cannot be read: then there is no index.
    pub(super) fn of(segment: &mut (impl BufRead + Seek), salt: u64, first: Position) -> io::Result<Option<Self>> {
        let mut index =
            Self { salt, first, last: Position(first.0.saturating_sub(1)), wall: TimeNs::MIN, end: HEADER_BYTES as u64, ..Self::default() };
        let mut counts = Counts::default();
        let counted = each_record(segment, salt, |record| {
            match record.kind {
                RecordKind::Commit => {
                    (index.last, index.wall) = (record.position, record::wall(record.body));
                    index.records.push((record.position, record.offset as u64));
                    if !counts.count(record.body) {
                        return false;
                    }
                }
                RecordKind::End => return true,
                RecordKind::Skip => index.last = index.last.max(record.position),
            }
            index.end = record.end() as u64;
            true
        })?;
        if !counted {
            return Ok(None);
        }
        let mut filling = counts.into_filling();
        let filled = each_record(segment, salt, |record| record.kind != RecordKind::Commit || filling.fill(record.body))?;
        index.series = filling.places;
        Ok(filled.then_some(index))
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
        put(&mut out, self.series.ends.len() as u64);
        let mut id = 0;
        for (series, records) in self.series.iter() {
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
            let mut place = 0_u32;
            for _ in 0..r.count("places", 1)? {
                place = place.wrapping_add(r.varint_u32("place")?);
                index.series.places.push(place);
            }
            let end = u32::try_from(index.series.places.len()).expect("a byte each, in a file below 4 GiB");
            index.series.ends.push((SeriesId(id), end));
        }
        r.end("index")?;
        Ok(index)
    }

    /// The offsets of the records after `after` up to `until` that concern any of these, in order, without repeats.
    pub(super) fn records_of(&self, ids: &[SeriesId], after: Position, until: Position) -> Vec<u64> {
        let places = ids.iter().flat_map(|id| self.series.of_series(*id));
        let mut places: Vec<_> = places.filter_map(|place| self.records.get(*place as usize)).collect();
        places.retain(|(position, _)| *position > after && *position <= until);
        places.sort_unstable();
        places.dedup();
        places.into_iter().map(|(_, offset)| *offset).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;
    use crate::log::record::tests::random_commit;
    use crate::model::{Commit, Delete};

    fn index() -> SegmentIndex {
        let series = Places { ends: vec![(SeriesId(3), 2), (SeriesId(900), 4)], places: vec![0, 2, 1, 2] };
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
    fn places_are_read_off_the_records() {
        for seed in 0..50 {
            let mut rng = fastrand::Rng::with_seed(seed);
            let commits: Vec<_> = (0..rng.usize(0..30))
                .map(|_| {
                    let mut commit = random_commit(&mut rng);
                    commit.deletes.iter_mut().for_each(|delete| delete.series.0 %= 2_000);
                    commit
                })
                .collect();
            let bodies: Vec<_> = commits
                .iter()
                .map(|commit| {
                    let mut body = Vec::new();
                    record::encode(commit, &mut body);
                    body
                })
                .collect();
            let mut expected = BTreeMap::<SeriesId, BTreeSet<u32>>::new();
            for (place, commit) in (0..).zip(&commits) {
                let ids = commit.deletes.iter().map(|delete| delete.series).chain(commit.readings.iter().map(|reading| reading.series));
                ids.for_each(|id| expected.entry(id).or_default().extend([place]));
            }
            let mut counts = Counts::default();
            assert!(bodies.iter().all(|body| counts.count(body)), "seed {seed}");
            let mut filling = counts.into_filling();
            assert!(bodies.iter().all(|body| filling.fill(body)), "seed {seed}");
            let found: Vec<_> = filling.places.iter().map(|(id, places)| (id, places.to_vec())).collect();
            assert_eq!(
                found,
                expected.into_iter().map(|(id, places)| (id, places.into_iter().collect())).collect::<Vec<_>>(),
                "seed {seed}"
            );
        }
    }

    #[test]
    fn an_id_that_no_hub_gives_makes_no_index() {
        let delete = Delete { series: SeriesId(u32::MAX), from: 0, to: 1 };
        let mut body = Vec::new();
        record::encode(&Commit { deletes: vec![delete], ..Commit::default() }, &mut body);
        assert!(!Counts::default().count(&body));
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
