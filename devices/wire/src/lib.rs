//! The device protocol `telltale.v1`. The frames land next; the codes are shared with the hub already.

mod codes;

pub use codes::{BatchCode, CloseCode, Code, FrameCode, RowCode};
