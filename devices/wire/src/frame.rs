//! The first byte of a frame says what it is; the rest is read by the type's own module. Two closed enums, one for each
//! direction, so that a hub cannot be handed a hub's frame.

use crate::ack::{Ack, Retry, SlowDown};
use crate::batch::Batch;
use crate::define::Define;
use crate::error::WireError;
use crate::hello::{Closing, Goodbye, Hello, Welcome};
use crate::limits::Limits;
use crate::reader::Reader;

/// Frame types. Bit 7 says that the hub sends it.
pub(crate) mod tag {
    pub(crate) const HELLO: u8 = 0x01;
    pub(crate) const DEFINE: u8 = 0x02;
    pub(crate) const BATCH: u8 = 0x03;
    pub(crate) const GOODBYE: u8 = 0x04;
    pub(crate) const WELCOME: u8 = 0x81;
    pub(crate) const ACK: u8 = 0x82;
    pub(crate) const RETRY: u8 = 0x83;
    pub(crate) const SLOW_DOWN: u8 = 0x84;
    pub(crate) const CLOSING: u8 = 0x85;
}

/// What an agent sends.
#[derive(Clone, Debug)]
pub enum AgentFrame<'a> {
    Hello(Hello<'a>),
    Define(Define<'a>),
    Batch(Batch<'a>),
    Goodbye(Goodbye<'a>),
}

impl<'a> AgentFrame<'a> {
    pub fn parse(bytes: &'a [u8], limits: &Limits) -> Result<Self, WireError> {
        if bytes.len() as u64 > u64::from(limits.frame_bytes) {
            return Err(WireError::over_frame("frame_bytes", bytes.len() as u64, limits.frame_bytes));
        }
        let mut reader = Reader::new(bytes);
        if bytes.is_empty() {
            return Err(WireError::Empty);
        }
        match reader.u8("type")? {
            tag::HELLO => Hello::read(&mut reader, limits).map(Self::Hello),
            tag::DEFINE => Define::read(&mut reader, limits).map(Self::Define),
            tag::BATCH => Batch::read(&mut reader, limits).map(Self::Batch),
            tag::GOODBYE => Goodbye::read(&mut reader).map(Self::Goodbye),
            found => Err(WireError::UnknownType { found, expected: "an agent's: 1 hello, 2 define, 3 batch, 4 goodbye" }),
        }
    }
}

/// What a hub sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HubFrame<'a> {
    Welcome(Welcome<'a>),
    Ack(Ack<'a>),
    Retry(Retry<'a>),
    SlowDown(SlowDown),
    Closing(Closing<'a>),
}

impl<'a> HubFrame<'a> {
    pub fn parse(bytes: &'a [u8]) -> Result<Self, WireError> {
        let mut reader = Reader::new(bytes);
        if bytes.is_empty() {
            return Err(WireError::Empty);
        }
        match reader.u8("type")? {
            tag::WELCOME => Welcome::read(&mut reader).map(Self::Welcome),
            tag::ACK => Ack::read(&mut reader).map(Self::Ack),
            tag::RETRY => Retry::read(&mut reader).map(Self::Retry),
            tag::SLOW_DOWN => SlowDown::read(&mut reader).map(Self::SlowDown),
            tag::CLOSING => Closing::read(&mut reader).map(Self::Closing),
            found => {
                Err(WireError::UnknownType { found, expected: "a hub's: 0x81 welcome, 0x82 ack, 0x83 retry, 0x84 slow_down, 0x85 closing" })
            }
        }
    }

    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Welcome(welcome) => welcome.encode(out),
            Self::Ack(ack) => ack.encode(out),
            Self::Retry(retry) => retry.encode(out),
            Self::SlowDown(slow_down) => slow_down.encode(out),
            Self::Closing(closing) => closing.encode(out),
        }
    }
}
