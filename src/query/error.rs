//! Why a question about the past cannot be answered. REST and live give the code's text to the client; `http/error.rs` has
//! the status for each.

use super::selector::SelectorError;
use crate::store::StoreError;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum QueryCode {
    BadSelector,
    BadTime,
    BadParameter,
    TooManyPoints,
    TooSlow,
    StoreAway,
    StoreFailed,
}

impl QueryCode {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BadSelector => "bad_selector",
            Self::BadTime => "bad_time",
            Self::BadParameter => "bad_parameter",
            Self::TooManyPoints => "too_many_points",
            Self::TooSlow => "too_slow",
            Self::StoreAway => "store_away",
            Self::StoreFailed => "store_failed",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct QueryError {
    pub code: QueryCode,
    pub message: String,
    pub hint: Option<String>,
}

impl QueryError {
    pub fn new(code: QueryCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), hint: None }
    }

    pub fn parameter(message: impl Into<String>) -> Self {
        Self::new(QueryCode::BadParameter, message)
    }

    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// Longest text that is compared with known names: to compare costs as much as both are long.
const COMPARED_BYTES: usize = 64;

/// Of names, each with what it stands for, the one that was most likely meant; the last of equal ones.
pub fn nearest<'a, T>(given: &str, names: impl IntoIterator<Item = (&'a str, T)>) -> Option<T> {
    if given.is_empty() || given.len() > COMPARED_BYTES {
        return None;
    }
    let given = given.to_lowercase();
    let likeness = names.into_iter().map(|(name, meant)| (strsim::jaro_winkler(&given, &name.to_lowercase()), meant));
    likeness.max_by(|(a, _), (b, _)| a.total_cmp(b)).map(|(_, meant)| meant)
}

impl From<SelectorError> for QueryError {
    fn from(error: SelectorError) -> Self {
        Self { code: QueryCode::BadSelector, message: error.message, hint: error.hint }
    }
}

impl From<StoreError> for QueryError {
    fn from(error: StoreError) -> Self {
        let code = match error {
            StoreError::Away { .. } => QueryCode::StoreAway,
            _ => QueryCode::StoreFailed,
        };
        Self::new(code, error.to_string())
    }
}
