//! The answers of plain ingest as MessagePack maps, with the keys of contract.md in its order.

use rmp::encode;
use rmp::encode::buffer::ByteBuf;
use telltale_wire::FrameCode;

use super::survey::Seq;
use crate::ingest::Later;
use crate::ingest::session::{Rejected, Settled};

/// `{ack: seq, stored, duplicate, rejected: […]}`
pub(super) fn ack(seq: Seq, settled: &Settled) -> Vec<u8> {
    let mut map = Map::new(4);
    map.seq("ack", seq);
    map.count("stored", settled.stored as u64);
    map.count("duplicate", settled.duplicate as u64);
    map.rejected(&settled.rejected);
    map.bytes()
}

/// `{retry: seq, after_ms, code, message}`
pub(super) fn retry(seq: Seq, later: &Later) -> Vec<u8> {
    let mut map = Map::new(4);
    map.seq("retry", seq);
    map.count("after_ms", u64::from(later.after_ms));
    map.text("code", later.code.as_str());
    map.text("message", &later.message);
    map.bytes()
}

/// `{frame: n, rejected: […]}`
pub(super) fn rejected(frame: u64, rejected: &[Rejected]) -> Vec<u8> {
    let mut map = Map::new(2);
    map.count("frame", frame);
    map.rejected(rejected);
    map.bytes()
}

/// `{frame: n, error: {code, message, after_ms}}`
pub(super) fn frame_later(frame: u64, later: &Later) -> Vec<u8> {
    let mut map = Map::new(2);
    map.count("frame", frame);
    map.key("error");
    map.begin(3);
    map.text("code", later.code.as_str());
    map.text("message", &later.message);
    map.count("after_ms", u64::from(later.after_ms));
    map.bytes()
}

/// `{frame: n, seq?, error: {code, message}}`
pub(super) fn frame_refused(frame: u64, seq: Option<Seq>, code: FrameCode, message: &str) -> Vec<u8> {
    let mut map = Map::new(2 + u32::from(seq.is_some()));
    map.count("frame", frame);
    if let Some(seq) = seq {
        map.seq("seq", seq);
    }
    map.key("error");
    map.begin(2);
    map.text("code", code.as_str());
    map.text("message", message);
    map.bytes()
}

struct Map(ByteBuf);

/// Why no write here fails.
const MEMORY: &str = "memory takes every byte";

impl Map {
    fn new(pairs: u32) -> Self {
        let mut map = Self(ByteBuf::with_capacity(64));
        map.begin(pairs);
        map
    }

    fn bytes(self) -> Vec<u8> {
        self.0.into_vec()
    }

    fn begin(&mut self, pairs: u32) {
        encode::write_map_len(&mut self.0, pairs).expect(MEMORY);
    }

    fn key(&mut self, key: &str) {
        encode::write_str(&mut self.0, key).expect(MEMORY);
    }

    fn text(&mut self, key: &str, text: &str) {
        self.key(key);
        encode::write_str(&mut self.0, text).expect(MEMORY);
    }

    fn count(&mut self, key: &str, n: u64) {
        self.key(key);
        encode::write_uint(&mut self.0, n).expect(MEMORY);
    }

    fn seq(&mut self, key: &str, seq: Seq) {
        self.key(key);
        match (u64::try_from(seq), i64::try_from(seq)) {
            (Ok(seq), _) => encode::write_uint(&mut self.0, seq).expect(MEMORY),
            (_, Ok(seq)) => encode::write_sint(&mut self.0, seq).expect(MEMORY),
            _ => unreachable!("a sequence number was read from 64 bits"),
        };
    }

    fn rejected(&mut self, rejected: &[Rejected]) {
        self.key("rejected");
        encode::write_array_len(&mut self.0, u32::try_from(rejected.len()).expect("bounded by the batch limit")).expect(MEMORY);
        for r in rejected {
            self.begin(4 + u32::from(r.metric.is_some()));
            self.count("index", u64::from(r.index));
            if let Some(metric) = &r.metric {
                self.text("metric", metric);
            }
            self.text("code", r.refusal.code.as_str());
            self.text("message", &r.refusal.message);
            self.key("retry");
            encode::write_bool(&mut self.0, r.refusal.code.retry()).expect(MEMORY);
        }
    }
}
