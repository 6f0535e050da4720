//! Sealing: what the head holds goes into the store, so that memory stays bounded and the log may go.

mod pressure;

pub use pressure::{Pressure, Trouble};
