//! Room of bodies that were answered, used again: given back to the system and taken anew, each of its pages would be cleared first.

use bytes::BytesMut;
use parking_lot::Mutex;

use super::group::{Body, Row};

/// Bodies whose room is kept, and the most that one may keep: some have long texts.
const KEPT: usize = 12;
const MOST_BYTES: usize = 4 << 20;

#[derive(Debug, Default)]
pub(super) struct Spare(Mutex<Vec<(BytesMut, Vec<Row>)>>);

impl Spare {
    /// Empty, with room or without.
    pub(super) fn take(&self) -> (BytesMut, Vec<Row>) {
        self.0.lock().pop().unwrap_or_default()
    }

    pub(super) fn give(&self, body: Body) {
        let Body { bytes, mut rows } = body;
        // Somebody may still hold it.
        let Ok(mut bytes) = bytes.try_into_mut() else { return };
        bytes.clear();
        rows.clear();
        let mut kept = self.0.lock();
        if kept.len() < KEPT && bytes.capacity() <= MOST_BYTES {
            kept.push((bytes, rows));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_used_again_when_nobody_holds_it() {
        let (spare, body) = (Spare::default(), |bytes: BytesMut| Body { bytes: bytes.freeze(), rows: Vec::with_capacity(5) });
        let mut bytes = BytesMut::with_capacity(1000);
        bytes.extend_from_slice(b"m v=1\n");
        let held = body(bytes);
        let sent = held.bytes.clone();
        spare.give(held.clone());
        assert_eq!(spare.take().0.capacity(), 0, "it is still sent");
        drop(sent);
        spare.give(held);
        let (bytes, rows) = spare.take();
        assert!(bytes.is_empty() && bytes.capacity() >= 1000 && rows.capacity() >= 5);
        spare.give(body(BytesMut::with_capacity(MOST_BYTES + 1)));
        assert_eq!(spare.take().0.capacity(), 0, "that is too much to keep");
        (0..20).for_each(|_| spare.give(body(BytesMut::with_capacity(10))));
        assert_eq!(spare.0.lock().len(), KEPT);
    }
}
