//! The hub's answers to batches: ack, retry and slow_down.

use crate::codes::Code;
use crate::error::WireError;
use crate::frame::tag;
use crate::reader::{Reader, put_text};
use crate::varint;

/// All batches up to and with `up_to` are durable, but for the readings that are listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ack<'a> {
    pub up_to: u64,
    /// Readings stored since the last ack of this connection, rewritten ones included.
    pub stored: u64,
    /// Readings since the last ack whose value was there already.
    pub duplicate: u64,
    pub rejected: Vec<Rejected<'a>>,
}

/// Readings of one batch that were refused for one reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected<'a> {
    pub seq: u64,
    pub places: Places,
    pub code: Code,
    /// `false`: never send them again. `true`: keep them and send them again in a later batch.
    pub retry: bool,
    pub message: &'a str,
}

/// Which readings of a batch, by their place (see `Column::first_place`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Places {
    /// The batch was refused as a whole, for a reason that the same bytes would meet again.
    All,
    /// `count` readings from `first` on; `count` is at least 1.
    Run { first: u32, count: u32 },
}

impl Places {
    pub const fn one(place: u32) -> Self {
        Self::Run { first: place, count: 1 }
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        let count = reader.varint_u32("rejected.count")?;
        let at = reader.at();
        let first = reader.varint_u32("rejected.first")?;
        if first.checked_add(count).is_none() {
            let found = u64::from(first);
            return Err(WireError::BadValue { part: "rejected.first", at, found, expected: "first + count of at most 4294967295" });
        }
        Ok(if count == 0 { Self::All } else { Self::Run { first, count } })
    }

    fn put(self, out: &mut Vec<u8>) {
        let (count, first) = match self {
            Self::All => (0, 0),
            Self::Run { first, count } => (count, first),
        };
        varint::put(out, u64::from(count));
        varint::put(out, u64::from(first));
    }
}

/// Bytes that the shortest entry of `rejected` takes.
const REJECTED_BYTES_MIN: u64 = 7;

impl<'a> Ack<'a> {
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.push(tag::ACK);
        varint::put(out, self.up_to);
        varint::put(out, self.stored);
        varint::put(out, self.duplicate);
        varint::put(out, self.rejected.len() as u64);
        for rejected in &self.rejected {
            varint::put(out, rejected.seq);
            rejected.places.put(out);
            out.extend_from_slice(&rejected.code.number().to_le_bytes());
            out.push(u8::from(rejected.retry));
            put_text(out, rejected.message);
        }
    }

    pub(crate) fn read(reader: &mut Reader<'a>) -> Result<Self, WireError> {
        let up_to = reader.varint("ack.up_to")?;
        let stored = reader.varint("ack.stored")?;
        let duplicate = reader.varint("ack.duplicate")?;
        let count = reader.count("ack.rejected", REJECTED_BYTES_MIN)?;
        let mut rejected = Vec::with_capacity(count.min(1024));
        for _ in 0..count {
            rejected.push(Rejected {
                seq: reader.varint("rejected.seq")?,
                places: Places::read(reader)?,
                code: Code::from_number(reader.u16("rejected.code")?),
                retry: read_flag(reader, "rejected.retry")?,
                message: reader.text("rejected.message")?,
            });
        }
        reader.end("ack")?;
        Ok(Self { up_to, stored, duplicate, rejected })
    }
}

fn read_flag(reader: &mut Reader<'_>, part: &'static str) -> Result<bool, WireError> {
    let at = reader.at();
    match reader.u8(part)? {
        0 => Ok(false),
        1 => Ok(true),
        found => Err(WireError::BadValue { part, at, found: u64::from(found), expected: "0 or 1" }),
    }
}

/// Nothing from batch `seq` on is taken, whatever was sent behind it: send from there again, after the pause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retry<'a> {
    pub seq: u64,
    pub after_ms: u32,
    pub code: Code,
    pub message: &'a str,
}

impl<'a> Retry<'a> {
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.push(tag::RETRY);
        varint::put(out, self.seq);
        varint::put(out, u64::from(self.after_ms));
        out.extend_from_slice(&self.code.number().to_le_bytes());
        put_text(out, self.message);
    }

    pub(crate) fn read(reader: &mut Reader<'a>) -> Result<Self, WireError> {
        let retry = Self {
            seq: reader.varint("retry.seq")?,
            after_ms: reader.varint_u32("retry.after_ms")?,
            code: Code::from_number(reader.u16("retry.code")?),
            message: reader.text("retry.message")?,
        };
        reader.end("retry")?;
        Ok(retry)
    }
}

/// What was sent stays taken; send nothing more for this long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlowDown {
    pub after_ms: u32,
}

impl SlowDown {
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.push(tag::SLOW_DOWN);
        varint::put(out, u64::from(self.after_ms));
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        let slow_down = Self { after_ms: reader.varint_u32("slow_down.after_ms")? };
        reader.end("slow_down")?;
        Ok(slow_down)
    }
}
