//! What can be wrong with the bytes of a frame. Every error names the part, what was found and what was expected, so that
//! its text can go to the peer as it is.

use crate::codes::FrameCode;

/// Why bytes are not a frame, or not one that is allowed. `at` is the offset in the frame where the part begins.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    #[error("the frame is empty; a frame begins with its type")]
    Empty,
    #[error("frame type {found:#04x} is not known here; expected {expected}")]
    UnknownType { found: u8, expected: &'static str },
    #[error("{part} at byte {at} needs {needed} bytes, {left} are left")]
    Truncated { part: &'static str, at: usize, needed: u64, left: usize },
    #[error("{part} at byte {at} is not a varint of at most 64 bits")]
    BadVarint { part: &'static str, at: usize },
    #[error("{part} at byte {at} is not UTF-8")]
    BadUtf8 { part: &'static str, at: usize },
    #[error("{part} at byte {at} is {found}; expected {expected}")]
    BadValue { part: &'static str, at: usize, found: u64, expected: &'static str },
    #[error("{left} bytes follow the end of {part} at byte {at}")]
    Trailing { part: &'static str, at: usize, left: usize },
    #[error("limit {limit}: {found} is more than {max}")]
    Limit { limit: &'static str, found: u64, max: u64, code: FrameCode },
}

impl WireError {
    /// The code that the peer gets for it.
    pub fn code(&self) -> FrameCode {
        match self {
            Self::Limit { code, .. } => *code,
            _ => FrameCode::BadFrame,
        }
    }

    pub(crate) fn over_batch(limit: &'static str, found: u64, max: u32) -> Self {
        Self::Limit { limit, found, max: u64::from(max), code: FrameCode::LimitBatch }
    }

    pub(crate) fn over_frame(limit: &'static str, found: u64, max: u32) -> Self {
        Self::Limit { limit, found, max: u64::from(max), code: FrameCode::LimitFrame }
    }
}
