//! The one table code -> status, and the one form of a refusal: `{"error":{"code","message","hint"?}}`.

use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, HeaderName, SEC_WEBSOCKET_VERSION, WWW_AUTHENTICATE};
use actix_web::{HttpResponse, ResponseError};
use serde::Serialize;
use telltale_wire::BatchCode;

use crate::catalog::CatalogError;
use crate::catalog::devices::EditError;
use crate::hub::describe::DescribeError;
use crate::ingest::Later;
use crate::logging::chain;
use crate::query::error::{QueryCode, QueryError};
use crate::query::selector::SelectorError;
use crate::ws::{self, NoHandshake};

macro_rules! error_codes {
    ($($variant:ident = $text:literal, $status:ident;)+) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum ErrorCode {
            $($variant,)+
        }

        impl ErrorCode {
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }

            /// The code of this text.
            #[must_use]
            pub fn of(text: &str) -> Option<Self> {
                match text { $($text => Some(Self::$variant),)+ _ => None }
            }

            #[must_use]
            pub fn status(self) -> StatusCode {
                match self { $(Self::$variant => StatusCode::$status,)+ }
            }
        }
    };
}

error_codes! {
    BadSelector = "bad_selector", BAD_REQUEST;
    BadTime = "bad_time", BAD_REQUEST;
    BadParameter = "bad_parameter", BAD_REQUEST;
    TooManyPoints = "too_many_points", UNPROCESSABLE_ENTITY;
    TooSlow = "too_slow", SERVICE_UNAVAILABLE;
    NotFound = "not_found", NOT_FOUND;
    MethodNotAllowed = "method_not_allowed", METHOD_NOT_ALLOWED;
    Unauthorized = "unauthorized", UNAUTHORIZED;
    Forbidden = "forbidden", FORBIDDEN;
    Conflict = "conflict", CONFLICT;
    TooLarge = "too_large", PAYLOAD_TOO_LARGE;
    StoreAway = "store_away", SERVICE_UNAVAILABLE;
    StoreFailed = "store_failed", SERVICE_UNAVAILABLE;
    DiskFull = "disk_full", INSUFFICIENT_STORAGE;
    Draining = "draining", SERVICE_UNAVAILABLE;
    ClockUnset = "clock_unset", SERVICE_UNAVAILABLE;
    SlowDown = "slow_down", SERVICE_UNAVAILABLE;
    Internal = "internal", INTERNAL_SERVER_ERROR;
}

impl ErrorCode {
    /// Said only by what hands something to the writer.
    #[must_use]
    pub fn is_of_writer(self) -> bool {
        matches!(self, Self::ClockUnset | Self::SlowDown)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ApiError {
    pub code: ErrorCode,
    pub message: String,
    pub hint: Option<String>,
    /// What the client may do instead, for programs: with 405 what the resource takes, with a WebSocket of another version ours.
    header: Option<(HeaderName, &'static str)>,
}

impl ApiError {
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), hint: None, header: None }
    }

    pub fn parameter(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::BadParameter, message)
    }

    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::NotFound, message)
    }

    pub fn forbidden(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::Forbidden, message)
    }

    pub fn method_not_allowed(method: &str, path: &str, allow: &'static str) -> Self {
        let mut error =
            Self::new(ErrorCode::MethodNotAllowed, format!("{path} does not take {method}")).with_hint(format!("it takes {allow}"));
        error.header = Some((ALLOW, allow));
        error
    }

    /// What the hub did wrong. The user gets no more than that; the operator gets the cause, here and only here.
    pub fn internal(cause: &dyn std::error::Error) -> Self {
        tracing::error!(cause = %chain(cause), "a request failed");
        Self::new(ErrorCode::Internal, "the hub failed to answer; its log says why")
    }

    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    #[must_use]
    pub fn body(&self) -> ErrorBody<'_> {
        ErrorBody { error: ErrorDetail { code: self.code.as_str(), message: &self.message, hint: self.hint.as_deref() } }
    }
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct ErrorBody<'a> {
    error: ErrorDetail<'a>,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct ErrorDetail<'a> {
    /// What kind of refusal it is, for programs.
    code: &'a str,
    /// What was wrong, for people.
    message: &'a str,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<&'a str>,
}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        self.code.status()
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status_code());
        if self.code == ErrorCode::Unauthorized {
            response.insert_header((WWW_AUTHENTICATE, "Bearer realm=\"telltale\""));
        }
        if let Some((name, value)) = &self.header {
            response.insert_header((name.clone(), *value));
        }
        response.json(self.body())
    }
}

impl From<CatalogError> for ApiError {
    fn from(error: CatalogError) -> Self {
        match &error {
            CatalogError::DiskFull { .. } => {
                tracing::error!(cause = %chain(&error), "a request failed");
                Self::new(ErrorCode::DiskFull, "the hub's disk has no room")
            }
            _ => Self::internal(&error),
        }
    }
}

impl From<EditError> for ApiError {
    fn from(error: EditError) -> Self {
        match error {
            EditError::Conflict { .. } => Self::new(ErrorCode::Conflict, error.to_string()).with_hint("read it again and repeat the edit"),
            EditError::TooMany { .. } => Self::parameter(error.to_string()),
            EditError::Catalog(error) => error.into(),
        }
    }
}

impl From<DescribeError> for ApiError {
    fn from(error: DescribeError) -> Self {
        match error {
            DescribeError::Edit(error) => error.into(),
            DescribeError::CutOff(_) => Self::internal(&error),
        }
    }
}

impl From<SelectorError> for ApiError {
    fn from(error: SelectorError) -> Self {
        QueryError::from(error).into()
    }
}

impl From<QueryError> for ApiError {
    fn from(error: QueryError) -> Self {
        let code = match error.code {
            QueryCode::BadSelector => ErrorCode::BadSelector,
            QueryCode::BadTime => ErrorCode::BadTime,
            QueryCode::BadParameter => ErrorCode::BadParameter,
            QueryCode::TooManyPoints => ErrorCode::TooManyPoints,
            QueryCode::TooSlow => ErrorCode::TooSlow,
            QueryCode::StoreAway => ErrorCode::StoreAway,
            QueryCode::StoreFailed => ErrorCode::StoreFailed,
        };
        Self { code, message: error.message, hint: error.hint, header: None }
    }
}

/// What the writer does not take now.
impl From<&Later> for ApiError {
    fn from(later: &Later) -> Self {
        let code = match later.code {
            BatchCode::DiskFull => ErrorCode::DiskFull,
            BatchCode::StoreAway => ErrorCode::StoreAway,
            BatchCode::StoreFailed => ErrorCode::StoreFailed,
            BatchCode::ClockUnset => ErrorCode::ClockUnset,
            BatchCode::Draining => ErrorCode::Draining,
            BatchCode::SlowDown => ErrorCode::SlowDown,
        };
        Self::new(code, later.message.clone()).with_hint("ask again later")
    }
}

impl From<NoHandshake> for ApiError {
    fn from(error: NoHandshake) -> Self {
        let mut refusal = Self::parameter(format!("expected a WebSocket handshake: {error}"));
        if let NoHandshake::Version = error {
            refusal.header = Some((SEC_WEBSOCKET_VERSION, ws::VERSION));
        }
        refusal
    }
}

impl From<actix_web::error::BlockingError> for ApiError {
    fn from(_: actix_web::error::BlockingError) -> Self {
        Self::new(ErrorCode::Draining, "the hub is stopping")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_has_one_text_and_query_codes_keep_theirs() {
        let mut texts: Vec<_> = ErrorCode::ALL.iter().map(|code| code.as_str()).collect();
        texts.sort_unstable();
        texts.dedup();
        assert_eq!(texts.len(), ErrorCode::ALL.len());
        assert!(ErrorCode::ALL.iter().all(|code| ErrorCode::of(code.as_str()) == Some(*code)) && ErrorCode::of("x").is_none());
        for code in [QueryCode::BadSelector, QueryCode::BadTime, QueryCode::BadParameter, QueryCode::TooManyPoints, QueryCode::TooSlow] {
            assert_eq!(ApiError::from(QueryError::new(code, "m")).code.as_str(), code.as_str());
        }
        for code in BatchCode::ALL {
            let later = Later { code: *code, after_ms: 1, message: "m".to_owned() };
            assert_eq!(ApiError::from(&later).code.as_str(), code.as_str());
        }
    }
}
