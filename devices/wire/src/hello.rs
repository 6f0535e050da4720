//! How a connection begins and ends: hello and goodbye from the agent, welcome and closing from the hub.
//!
//! Bytes after the last known field of a hello or a welcome are ignored, so that a later version may add fields.

use crate::codes::CloseCode;
use crate::error::WireError;
use crate::frame::tag;
use crate::limits::Limits;
use crate::reader::{Reader, put_text};
use crate::varint;

/// The agent's first frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello<'a> {
    /// Opaque, chosen by the agent, the same over restarts.
    pub agent: &'a str,
    /// Random, drawn when the agent's spool is made: sequence numbers begin anew with it.
    pub boot: u64,
    /// The agent's clock, nanoseconds since 1970 UTC, when the frame was made.
    pub clock_ns: i64,
    /// Name and version of the agent's program.
    pub program: &'a str,
    /// Attributes of the gateway, as a hub's operator may also set them.
    pub attributes: Vec<(&'a str, &'a str)>,
}

impl<'a> Hello<'a> {
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.push(tag::HELLO);
        put_text(out, self.agent);
        out.extend_from_slice(&self.boot.to_le_bytes());
        out.extend_from_slice(&self.clock_ns.to_le_bytes());
        put_text(out, self.program);
        put_pairs(out, &self.attributes);
    }

    pub(crate) fn read(reader: &mut Reader<'a>, limits: &Limits) -> Result<Self, WireError> {
        let hello = Self {
            agent: reader.text("hello.agent")?,
            boot: reader.u64("hello.boot")?,
            clock_ns: reader.i64("hello.clock_ns")?,
            program: reader.text("hello.program")?,
            attributes: read_pairs(reader, "hello.attributes")?,
        };
        let within = |limit, found: usize, max: u32| {
            if found as u64 > u64::from(max) {
                return Err(WireError::over_frame(limit, found as u64, max));
            }
            Ok(())
        };
        within("name_bytes (hello.agent)", hello.agent.len(), limits.name_bytes)?;
        within("name_bytes (hello.program)", hello.program.len(), limits.name_bytes)?;
        within("label_count (hello.attributes)", hello.attributes.len(), limits.label_count)?;
        for (name, value) in &hello.attributes {
            within("name_bytes (hello.attributes)", name.len(), limits.name_bytes)?;
            within("label_value_bytes (hello.attributes)", value.len(), limits.label_value_bytes)?;
        }
        Ok(hello)
    }
}

/// The hub's answer to hello. Until it came, an agent sends nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Welcome<'a> {
    pub limits: Limits,
    /// The hub's clock, nanoseconds since 1970 UTC, when the frame was made.
    pub hub_time_ns: i64,
    /// The highest batch number of this agent and boot that the hub knows of: where numbering goes on, not what may be deleted.
    pub last_durable: Option<u64>,
    /// Name and version of the hub's program.
    pub program: &'a str,
}

impl<'a> Welcome<'a> {
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.push(tag::WELCOME);
        let limits = &self.limits;
        for limit in [
            limits.frame_bytes,
            limits.batch_readings,
            limits.aliases,
            limits.name_bytes,
            limits.label_value_bytes,
            limits.label_count,
            limits.text_bytes,
        ] {
            varint::put(out, u64::from(limit));
        }
        out.extend_from_slice(&self.hub_time_ns.to_le_bytes());
        put_optional(out, self.last_durable);
        put_text(out, self.program);
    }

    pub(crate) fn read(reader: &mut Reader<'a>) -> Result<Self, WireError> {
        Ok(Self {
            limits: Limits {
                frame_bytes: reader.varint_u32("welcome.frame_bytes")?,
                batch_readings: reader.varint_u32("welcome.batch_readings")?,
                aliases: reader.varint_u32("welcome.aliases")?,
                name_bytes: reader.varint_u32("welcome.name_bytes")?,
                label_value_bytes: reader.varint_u32("welcome.label_value_bytes")?,
                label_count: reader.varint_u32("welcome.label_count")?,
                text_bytes: reader.varint_u32("welcome.text_bytes")?,
            },
            hub_time_ns: reader.i64("welcome.hub_time_ns")?,
            last_durable: read_optional(reader, "welcome.last_durable")?,
            program: reader.text("welcome.program")?,
        })
    }
}

/// The agent's last frame: it has nothing more to send. The hub acks what it has, then closes with 1000.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Goodbye<'a> {
    pub reason: &'a str,
}

impl<'a> Goodbye<'a> {
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.push(tag::GOODBYE);
        put_text(out, self.reason);
    }

    pub(crate) fn read(reader: &mut Reader<'a>) -> Result<Self, WireError> {
        let goodbye = Self { reason: reader.text("goodbye.reason")? };
        reader.end("goodbye")?;
        Ok(goodbye)
    }
}

/// The hub's last frame, before the WebSocket close frame with the same code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closing<'a> {
    /// A number of [`CloseCode`], or one that this version does not know.
    pub code: u16,
    pub reason: &'a str,
    /// When to connect again at the earliest; `None` leaves it to the agent's own back-off.
    pub retry_after_ms: Option<u32>,
}

impl<'a> Closing<'a> {
    /// The known code, if it is one.
    pub fn close_code(&self) -> Option<CloseCode> {
        CloseCode::from_number(self.code)
    }

    pub fn encode(&self, out: &mut Vec<u8>) {
        out.push(tag::CLOSING);
        out.extend_from_slice(&self.code.to_le_bytes());
        put_text(out, self.reason);
        put_optional(out, self.retry_after_ms.map(u64::from));
    }

    pub(crate) fn read(reader: &mut Reader<'a>) -> Result<Self, WireError> {
        let code = reader.u16("closing.code")?;
        let reason = reader.text("closing.reason")?;
        let at = reader.at();
        let retry_after_ms = match read_optional(reader, "closing.retry_after_ms")? {
            None => None,
            Some(found) => Some(u32::try_from(found).map_err(|_| WireError::BadValue {
                part: "closing.retry_after_ms",
                at,
                found,
                expected: "at most 4294967295",
            })?),
        };
        reader.end("closing")?;
        Ok(Self { code, reason, retry_after_ms })
    }
}

/// A byte 0, or a byte 1 and a varint.
fn put_optional(out: &mut Vec<u8>, value: Option<u64>) {
    out.push(u8::from(value.is_some()));
    if let Some(value) = value {
        varint::put(out, value);
    }
}

fn read_optional(reader: &mut Reader<'_>, part: &'static str) -> Result<Option<u64>, WireError> {
    let at = reader.at();
    match reader.u8(part)? {
        0 => Ok(None),
        1 => reader.varint(part).map(Some),
        found => Err(WireError::BadValue { part, at, found: u64::from(found), expected: "0 (none) or 1 (a value follows)" }),
    }
}

pub(crate) fn put_pairs(out: &mut Vec<u8>, pairs: &[(&str, &str)]) {
    varint::put(out, pairs.len() as u64);
    for (name, value) in pairs {
        put_text(out, name);
        put_text(out, value);
    }
}

pub(crate) fn read_pairs<'a>(reader: &mut Reader<'a>, part: &'static str) -> Result<Vec<(&'a str, &'a str)>, WireError> {
    let count = reader.count(part, 2)?;
    let mut pairs = Vec::with_capacity(count.min(64));
    for _ in 0..count {
        pairs.push((reader.text(part)?, reader.text(part)?));
    }
    Ok(pairs)
}
