//! Which series a commit concerns, read off its bytes without unpacking its readings: the index of a segment needs no more, and a
//! segment holds millions of them.

use telltale_wire::WireError;

use super::{record, runs};
use crate::model::{Position, SeriesId};

/// Calls `each` with the series of every run of readings and of every delete; some come more than once. What cannot be decoded is refused.
pub(super) fn series(body: &[u8], mut each: impl FnMut(SeriesId)) -> Result<(), WireError> {
    let commit = record::decode_with(Position(0), body, |r, received| {
        runs::walk(r, received, |r, series, before| {
            each(series);
            runs::skip(r, before).map(|(first, _)| first)
        })?;
        Ok(0)
    })?;
    commit.deletes.iter().for_each(|delete| each(delete.series));
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::log::record::{decode, encode, tests::random_commit};

    #[test]
    fn it_is_what_would_be_decoded_and_nothing_is_left() {
        for seed in 0..500 {
            let commit = random_commit(&mut fastrand::Rng::with_seed(seed));
            let mut body = Vec::new();
            encode(&commit, &mut body);
            let mut found = Vec::new();
            series(&body, |id| found.push(id)).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
            let mut expected = Vec::new();
            for (_, readings) in commit.batches() {
                expected.extend(readings.chunk_by(|a, b| a.series == b.series).map(|run| run[0].series));
            }
            expected.extend(commit.deletes.iter().map(|delete| delete.series));
            assert_eq!(found, expected, "seed {seed}");
            for cut in 0..body.len() {
                assert!(series(&body[..cut], |_| ()).is_err(), "seed {seed}, cut at {cut}");
            }
        }
    }

    /// An index that names a record which cannot be read would have every resume of its series fail.
    #[test]
    fn what_is_refused_here_is_what_cannot_be_decoded() {
        let mut refused = 0;
        for seed in 0..20_000 {
            let mut rng = fastrand::Rng::with_seed(seed);
            let mut body = Vec::new();
            encode(&random_commit(&mut rng), &mut body);
            for _ in 0..rng.usize(1..4) {
                let at = rng.usize(0..body.len());
                match rng.u8(0..4) {
                    0 => body[at] = rng.u8(..),
                    1 => body[at] ^= 1 << rng.u8(0..8),
                    2 => body.insert(at, [0, 1, 0x7f, 0x80, 0xff][rng.usize(0..5)]),
                    _ => drop(body.remove(at)),
                }
            }
            let mut found = BTreeSet::new();
            let skimmed = series(&body, |id| found.extend([id]));
            match decode(Position(7), &body) {
                Ok(commit) => {
                    let deleted = commit.deletes.iter().map(|delete| delete.series);
                    let expected: BTreeSet<_> = deleted.chain(commit.readings.iter().map(|reading| reading.series)).collect();
                    assert_eq!((skimmed.is_ok(), found), (true, expected), "seed {seed}");
                }
                Err(error) => {
                    refused += 1;
                    assert!(skimmed.is_err(), "seed {seed}: {error}");
                }
            }
        }
        assert!((2_000..18_000).contains(&refused), "{refused}");
    }
}
