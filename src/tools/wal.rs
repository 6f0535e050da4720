//! The write-ahead log of a SQLite file as bytes. SQLite drops what it cannot read there without a word, and what was committed
//! behind it; so a check looks itself. Pure.
//!
//! <https://sqlite.org/fileformat2.html#walformat>

const HEADER_BYTES: usize = 32;
const FRAME_HEADER_BYTES: usize = 24;
/// With it set in the first word, checksums are of big-endian words.
const MAGIC: u32 = 0x377f_0682;

/// What is lost of it, if something is. What a write left that was cut off is no loss.
#[must_use]
pub(super) fn lost(bytes: &[u8]) -> Option<String> {
    if bytes.iter().all(|byte| *byte == 0) {
        return None;
    }
    let (head, frames) = bytes.split_at_checked(HEADER_BYTES)?;
    let big = u32_at(head, 0) & 1 == 1;
    let page = usize::try_from(u32_at(head, 8)).ok()?;
    let mut sum = checksum(&head[..24], big, (0, 0));
    let is_page = page.is_power_of_two() && (512..=65_536).contains(&page);
    if u32_at(head, 0) & !1 != MAGIC || sum != (u32_at(head, 24), u32_at(head, 28)) || !is_page {
        return (!frames.is_empty()).then(|| "its header is damaged: nothing of it is read".to_owned());
    }
    let frames: Vec<_> = frames.chunks_exact(FRAME_HEADER_BYTES + page).collect();
    for (i, frame) in frames.iter().enumerate() {
        let next = checksum(&frame[FRAME_HEADER_BYTES..], big, checksum(&frame[..8], big, sum));
        if frame[8..16] != head[16..24] || next != (u32_at(frame, 16), u32_at(frame, 20)) {
            return behind(head, &frames[i..]).then(|| format!("frame {i} is damaged, and what was committed in it and behind it is lost"));
        }
        sum = next;
    }
    None
}

/// Whether a commit of the same round ends in one of these frames. Others were there before.
fn behind(head: &[u8], frames: &[&[u8]]) -> bool {
    frames.iter().any(|frame| frame[8..16] == head[16..24] && u32_at(frame, 4) != 0)
}

fn checksum(bytes: &[u8], big: bool, (mut a, mut b): (u32, u32)) -> (u32, u32) {
    let word = |bytes: &[u8]| if big { u32_at(bytes, 0) } else { u32_at(bytes, 0).swap_bytes() };
    for pair in bytes.chunks_exact(8) {
        a = a.wrapping_add(word(&pair[..4])).wrapping_add(b);
        b = b.wrapping_add(word(&pair[4..])).wrapping_add(a);
    }
    (a, b)
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..).and_then(|rest| rest.first_chunk()).copied().map_or(0, u32::from_be_bytes)
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::*;

    #[test]
    fn a_flipped_bit_is_noticed_and_a_torn_end_is_none() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.sqlite");
        let db = Connection::open(&path).unwrap();
        db.execute_batch("PRAGMA journal_mode = wal; CREATE TABLE t (x); INSERT INTO t VALUES (1); INSERT INTO t VALUES (2)").unwrap();
        let whole = std::fs::read(dir.path().join("a.sqlite-wal")).unwrap();
        assert_eq!(lost(&whole), None);
        assert_eq!(lost(&[]), None);
        for at in (0..whole.len()).step_by(97).chain(0..60) {
            let mut bytes = whole.clone();
            bytes[at] ^= 16;
            // A flipped salt of the last frame looks as if it were of an older round.
            let of_last = at + FRAME_HEADER_BYTES + 4096 >= whole.len();
            assert!(lost(&bytes).is_some() || of_last, "byte {at}");
        }
        for cut in 0..200 {
            assert_eq!(lost(&whole[..whole.len() - cut * 13]), None, "cut {cut}");
        }
    }
}
