//! Walks over the records of a segment without holding it in memory: for an index, which is made beside everything else.

use std::io::{self, BufRead, Read, Seek, SeekFrom};

use super::segment::{HEADER_BYTES, RECORD_HEADER_BYTES, Record, header_of, record_at, record_bytes};

/// Calls `each` with one record after the other until it says false. Says whether all were good and `each` wanted all.
pub(super) fn each_record(source: &mut (impl BufRead + Seek), salt: u64, mut each: impl FnMut(Record<'_>) -> bool) -> io::Result<bool> {
    let mut offset = HEADER_BYTES;
    source.seek(SeekFrom::Start(offset as u64))?;
    let mut bytes = Vec::new();
    loop {
        bytes.clear();
        source.by_ref().take(RECORD_HEADER_BYTES as u64).read_to_end(&mut bytes)?;
        let Ok((_, body)) = header_of(&bytes, salt) else {
            return Ok(bytes.iter().all(|byte| *byte == 0) && only_zeros(source)?);
        };
        let end = record_bytes(body);
        source.by_ref().take((end - RECORD_HEADER_BYTES) as u64).read_to_end(&mut bytes)?;
        let Some(record) = record_at(&bytes, 0, salt).ok().filter(|record| each(Record { offset, ..*record })) else { return Ok(false) };
        offset += record.end();
    }
}

/// Behind the last record: what was reserved and never written.
fn only_zeros(source: &mut impl BufRead) -> io::Result<bool> {
    loop {
        let bytes = source.fill_buf()?;
        if bytes.is_empty() || bytes.iter().any(|byte| *byte != 0) {
            return Ok(bytes.is_empty());
        }
        let read = bytes.len();
        source.consume(read);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;
    use crate::log::segment::{RecordKind, Scan, SegmentHeader, Stretch, finish_record};
    use crate::model::Position;

    #[test]
    fn it_finds_what_a_scan_finds() {
        for seed in 0..100 {
            let mut rng = fastrand::Rng::with_seed(seed);
            let salt = rng.u64(..);
            let mut bytes = SegmentHeader { salt, first: Position(1) }.encode().to_vec();
            for position in 1..rng.u64(1..9) {
                let mut record = vec![0; RECORD_HEADER_BYTES];
                (0..rng.usize(0..300)).for_each(|_| record.push(rng.u8(..)));
                finish_record(RecordKind::Commit, Position(position), salt, &mut record);
                bytes.extend(record);
            }
            match rng.u8(0..4) {
                0 => bytes.resize(bytes.len() + rng.usize(0..200), 0),
                1 => bytes.truncate(HEADER_BYTES + rng.usize(0..=bytes.len() - HEADER_BYTES)),
                2 => {
                    let at = rng.usize(HEADER_BYTES..=bytes.len());
                    bytes.get_mut(at).into_iter().for_each(|byte| *byte ^= 1);
                }
                _ => {}
            }
            let (mut expected, mut good) = (Vec::new(), true);
            for stretch in Scan::new(&bytes, HEADER_BYTES, salt) {
                match stretch {
                    Stretch::Record(record) if good => expected.push((record.position, record.offset, record.body.to_vec())),
                    Stretch::Record(_) => {}
                    Stretch::Bad { .. } => good = false,
                }
            }
            let mut found = Vec::new();
            let mut source = io::BufReader::with_capacity(rng.usize(1..100), Cursor::new(&bytes));
            let whole = each_record(&mut source, salt, |record| {
                found.push((record.position, record.offset, record.body.to_vec()));
                true
            });
            assert_eq!((whole.unwrap(), found), (good, expected), "seed {seed}");
        }
    }
}
