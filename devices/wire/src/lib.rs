//! The device protocol `telltale.v1`: what an agent and a hub say to each other, one WebSocket binary message a frame.
//! PROTOCOL.md beside this crate has the byte tables; `golden/` has frames that every implementation must read and write.
//!
//! | module | holds |
//! |---|---|
//! | `codes` | every code of a refusal and of a close frame, with number and text |
//! | `limits` | what one connection may carry |
//! | `frame` | the first byte: which frame it is, for each direction |
//! | `hello` | hello, welcome, goodbye, closing |
//! | `define` | aliases of series |
//! | `batch` | columnar batches: time, values, the encoder |
//! | `ack` | ack, retry, slow_down |
//! | `error` | what can be wrong with the bytes |
//! | `reader`, `varint` | parts of bytes; the commit log and the spool of the SDK are written with them too |
//! | `rfc3339` | what a time may be as text, in the plain protocol |
//!
//! Invariants: no I/O, no clock, no await. No input makes it panic. The decoder borrows from the frame and allocates
//! nothing per reading; a count is checked against the bytes that are left, or against a limit, before room is made for it.

#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::indexing_slicing))]

mod ack;
mod batch;
mod codes;
mod define;
mod error;
mod frame;
mod hello;
mod limits;
pub mod reader;
mod rfc3339;
pub mod varint;

pub use ack::{Ack, Places, Rejected, Retry, SlowDown};
pub use batch::{Batch, BatchBuilder, Column, ColumnBuf, Full, Group, Mixed, Presence, Texts, Value, Values};
pub use codes::{BatchCode, CloseCode, Code, FrameCode, RowCode};
pub use define::{Define, Definition, Kind, ValueType, encode_define};
pub use error::WireError;
pub use frame::{AgentFrame, HubFrame};
pub use hello::{Closing, Goodbye, Hello, Welcome};
pub use limits::Limits;
pub use rfc3339::is_rfc3339;

/// The WebSocket subprotocol; it stands for this version of the frames.
pub const SUBPROTOCOL: &str = "telltale.v1";
