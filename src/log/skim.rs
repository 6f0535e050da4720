//! Which series a commit concerns, read off its bytes without decoding its readings: the index of a segment needs no more, and a
//! segment holds millions of them.

use telltale_wire::WireError;
use telltale_wire::reader::Reader;

use super::runs;
use crate::model::SeriesId;

/// Calls `each` with the series of every delete and of every run of readings; some come more than once.
pub(super) fn series(body: &[u8], mut each: impl FnMut(SeriesId)) -> Result<(), WireError> {
    let mut r = Reader::new(body);
    r.i64("wall")?;
    for _ in 0..r.count("series", 6)? {
        r.skip_varints("series id", 1)?;
        r.u8("value type")?;
        r.skip_varints("owner", 1)?;
        texts(&mut r, 2)?;
        let labels = r.count("labels", 2)? as u64;
        texts(&mut r, 2 * labels)?;
    }
    for _ in 0..r.count("meta changes", 2)? {
        r.skip_varints("series id", 1)?;
        if r.u8("meta flags")? & 1 == 1 {
            texts(&mut r, 1)?;
        }
    }
    for _ in 0..r.count("deletes", 17)? {
        each(SeriesId(r.varint_u32("series id")?));
        r.bytes("from and to", 16)?;
    }
    for _ in 0..r.count("batches", 3)? {
        if r.u8("batch flags")? & 1 == 1 {
            texts(&mut r, 1)?;
            r.u64("boot")?;
            r.skip_varints("sequence", 1)?;
        }
        r.skip_varints("received", 1)?;
        // Only differences matter here.
        runs::walk(&mut r, 0, |r, series, before| {
            each(series);
            runs::skip(r, before).map(|(first, _)| first)
        })?;
    }
    r.end("commit")
}

fn texts(r: &mut Reader<'_>, count: u64) -> Result<(), WireError> {
    for _ in 0..count {
        let length = r.varint("text")?;
        r.bytes("text", length)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::record::{encode, tests::random_commit};

    #[test]
    fn it_is_what_would_be_decoded_and_nothing_is_left() {
        for seed in 0..500 {
            let commit = random_commit(&mut fastrand::Rng::with_seed(seed));
            let mut body = Vec::new();
            encode(&commit, &mut body);
            let mut found = Vec::new();
            series(&body, |id| found.push(id)).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
            let deleted = commit.deletes.iter().map(|delete| delete.series);
            let mut expected: Vec<_> = deleted.collect();
            for (_, readings) in commit.batches() {
                expected.extend(readings.chunk_by(|a, b| a.series == b.series).map(|run| run[0].series));
            }
            assert_eq!(found, expected, "seed {seed}");
            for cut in 0..body.len() {
                assert!(series(&body[..cut], |_| ()).is_err(), "seed {seed}, cut at {cut}");
            }
        }
    }
}
