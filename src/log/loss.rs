//! What bad bytes may have been, and up to which position they may have held commits. Pure.

use super::segment::{RECORD_HEADER_BYTES, place_of, record_bytes, written_bytes};
use crate::model::Position;

/// No commit is shorter, with the header of its record.
const COMMIT_BYTES_MIN: usize = 32;

/// What a place in the log that cannot be read means for those who were told of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// An append that was cut off: nothing of it was acked, so nothing is lost.
    Unfinished,
    /// Nothing follows, but all its bytes are there and wrong: it was cut off with its blocks out of order, or it was acked and is
    /// lost. Nobody can tell.
    Unclear,
    /// Something good follows, so it was on disk once: it is lost.
    Damage,
}

impl Loss {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unfinished => "unfinished",
            Self::Unclear => "unclear",
            Self::Damage => "damage",
        }
    }
}

/// Judges bad bytes with nothing good behind them: all of the segment from where they begin. `before` is the position in front of
/// them. The position is the last that they may have held; it counts as used.
///
/// A body that ends in zeros of its own and is damaged elsewhere looks as if it was cut off; no rule tells these two apart.
pub(super) fn of_the_end(bad: &[u8], salt: u64, before: Position) -> (Loss, Position) {
    let written = written_bytes(bad).unwrap_or(0);
    let place = place_of(bad, salt);
    let body = place.map_or(0, |(_, body)| body);
    let ends = RECORD_HEADER_BYTES + body;
    // What was appended begins at its front, so what is cut off lacks its end. An unreadable header with bytes behind it is no such.
    let is_torn = if body > 0 { bad.len() < ends || written < ends } else { written <= RECORD_HEADER_BYTES };
    if is_torn {
        return (Loss::Unfinished, place.map_or(before.next(), |(position, _)| position).max(before.next()));
    }
    let last = match place {
        Some((position, body)) => position.0 + most_commits(written.saturating_sub(record_bytes(body))),
        None => before.0 + most_commits(written),
    };
    (Loss::Unclear, Position(last).max(before.next()))
}

/// How many commits so many bytes may have held.
pub(super) fn most_commits(bytes: usize) -> u64 {
    bytes.div_ceil(COMMIT_BYTES_MIN) as u64
}

#[cfg(test)]
mod tests {
    use super::super::segment::{RecordKind, finish_record};
    use super::*;

    const SALT: u64 = 7;
    const BEFORE: Position = Position(10);

    fn record(position: u64, body: &[u8]) -> Vec<u8> {
        let mut record = vec![0; RECORD_HEADER_BYTES];
        record.extend_from_slice(body);
        finish_record(RecordKind::Commit, Position(position), SALT, &mut record);
        record
    }

    #[test]
    fn an_append_that_was_cut_off_is_told_from_one_that_may_have_been_acked() {
        let body = [7; 100];
        let whole = record(11, &body);
        let changed = |change: &dyn Fn(&mut Vec<u8>)| {
            let mut bytes = whole.clone();
            bytes.resize(bytes.len() + 64, 0);
            change(&mut bytes);
            bytes
        };
        let two = |first: usize, second: usize| {
            let mut bytes = [whole.clone(), record(12, &body)].concat();
            (bytes[first], bytes[whole.len() + second]) = (0xee, 0xee);
            bytes
        };
        for (rule, bytes, expected) in [
            ("its tail is zeros", changed(&|b| b[90..].fill(0)), (Loss::Unfinished, 11)),
            ("its last byte is missing", changed(&|b| b[123..].fill(0)), (Loss::Unfinished, 11)),
            ("the file ends within", whole[..100].to_vec(), (Loss::Unfinished, 11)),
            ("the file ends in its header", whole[..20].to_vec(), (Loss::Unfinished, 11)),
            ("half a header and nothing else", changed(&|b| b[12..].fill(0)), (Loss::Unfinished, 11)),
            (
                "a header that is wrong and nothing else",
                changed(&|b| {
                    b[1] = 0;
                    b[24..].fill(0);
                }),
                (Loss::Unfinished, 11),
            ),
            ("one flipped bit", changed(&|b| b[60] ^= 4), (Loss::Unclear, 11)),
            ("a hole in the middle", changed(&|b| b[40..80].fill(0)), (Loss::Unclear, 11)),
            ("its header is wrong", changed(&|b| b[9] ^= 4), (Loss::Unclear, 14)),
            ("its front is missing", changed(&|b| b[..64].fill(0)), (Loss::Unclear, 14)),
            ("two, the first with a header", two(60, 3), (Loss::Unclear, 15)),
            ("two without headers", two(3, 3), (Loss::Unclear, 18)),
        ] {
            let (loss, last) = of_the_end(&bytes, SALT, BEFORE);
            assert_eq!((loss, last.0), expected, "{rule}");
        }
    }

    #[test]
    fn no_commit_is_shorter_than_the_bound_says() {
        let mut body = Vec::new();
        super::super::record::encode(&crate::model::Commit::default(), &mut body);
        assert!(record_bytes(body.len()) >= COMMIT_BYTES_MIN);
    }
}
