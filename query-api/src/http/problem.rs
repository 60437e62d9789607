//! Errors as they are shown: `application/problem+json`, with a stable code and never an internal text.
use crate::engine::types::QueryError;
use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use keys::{KeyError, KeyErrorClass};
use records::RecordError;
use schemas::clock::NoEntropy;
use serde::Serialize;
use std::borrow::Cow;

/// What went wrong, in the caller's terms. The place to look up which status goes with which code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// The request is not HTTP as it should be.
    BadRequest,
    /// A parameter is unknown, repeated, or its value does not read.
    BadParameter,
    /// A cursor was changed, or belongs to another question.
    BadCursor,
    /// The body does not read.
    BadBody,
    /// No key, or one that does not hold.
    Unauthorized,
    /// The key may not do this.
    Scope,
    /// Not there, or not yours.
    NotFound,
    /// The path is served, but not by this method.
    MethodNotAllowed,
    /// A position of another log.
    PositionUnknown,
    /// The workspace's key is destroyed; its data cannot be read any more.
    KeyDestroyed,
    /// The body is too large.
    TooLarge,
    /// The body is not JSON by its type.
    UnsupportedMediaType,
    /// The key asks too often.
    RateLimited,
    /// The workspace has as many live streams as it may.
    TooManyStreams,
    /// `min_position` was not reached in time.
    NotYet,
    /// Something that is needed does not answer.
    Unavailable,
    /// Stored data does not verify.
    Integrity,
    /// Our mistake.
    Internal,
}

impl Code {
    /// Status, code and title.
    fn row(self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::BadRequest => (StatusCode::BAD_REQUEST, "bad_request", "Bad request"),
            Self::BadParameter => (StatusCode::BAD_REQUEST, "bad_parameter", "Bad parameter"),
            Self::BadCursor => (StatusCode::BAD_REQUEST, "bad_cursor", "Bad cursor"),
            Self::BadBody => (StatusCode::BAD_REQUEST, "bad_body", "Bad body"),
            Self::Unauthorized => (StatusCode::UNAUTHORIZED, "unauthorized", "No valid key"),
            Self::Scope => (StatusCode::FORBIDDEN, "scope", "Not within the key's scopes"),
            Self::NotFound => (StatusCode::NOT_FOUND, "not_found", "Not found"),
            Self::MethodNotAllowed => (StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "Method not allowed"),
            Self::PositionUnknown => (StatusCode::GONE, "position_unknown", "Position unknown"),
            Self::KeyDestroyed => (StatusCode::GONE, "key_destroyed", "Key destroyed"),
            Self::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "too_large", "Body too large"),
            Self::UnsupportedMediaType => {
                (StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", "Unsupported media type")
            }
            Self::RateLimited => (StatusCode::TOO_MANY_REQUESTS, "rate_limited", "Too many requests"),
            Self::TooManyStreams => (StatusCode::TOO_MANY_REQUESTS, "too_many_streams", "Too many streams"),
            Self::NotYet => (StatusCode::SERVICE_UNAVAILABLE, "not_yet", "Not yet"),
            Self::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, "unavailable", "Unavailable"),
            Self::Integrity => (StatusCode::INTERNAL_SERVER_ERROR, "integrity", "Integrity"),
            Self::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "internal", "Internal error"),
        }
    }

    /// The HTTP status.
    pub fn status(self) -> StatusCode {
        self.row().0
    }

    /// For an error that something other than a handler answered.
    pub(super) fn of_status(status: StatusCode) -> Self {
        match status.as_u16() {
            401 => Self::Unauthorized,
            403 => Self::Scope,
            404 => Self::NotFound,
            405 => Self::MethodNotAllowed,
            413 => Self::TooLarge,
            415 => Self::UnsupportedMediaType,
            429 => Self::RateLimited,
            503 => Self::Unavailable,
            400..=499 => Self::BadRequest,
            _ => Self::Internal,
        }
    }

    fn default_detail(self) -> &'static str {
        match self {
            Self::BadRequest => "The request cannot be read.",
            Self::BadParameter => "A parameter cannot be read.",
            Self::BadCursor => "The cursor does not belong to this question. Start without one.",
            Self::BadBody => "The body is not what this route takes.",
            Self::Unauthorized => "A valid API key is needed: `Authorization: Bearer <key>`.",
            Self::Scope => "The key's scopes do not include this.",
            Self::NotFound => "There is no such thing here.",
            Self::MethodNotAllowed => "The path does not take this method.",
            Self::PositionUnknown => "The position is of another log. Start anew without one.",
            Self::KeyDestroyed => "The workspace's key is destroyed.",
            Self::TooLarge => "The body is too large.",
            Self::UnsupportedMediaType => "The body has to be application/json.",
            Self::RateLimited => "The key asks too often.",
            Self::TooManyStreams => "The workspace has as many live streams as it may.",
            Self::NotYet => "The position has not been reached yet.",
            Self::Unavailable => "Something that is needed does not answer. Try again.",
            Self::Integrity => "Stored data does not verify.",
            Self::Internal => "Something went wrong here.",
        }
    }
}

/// An error on its way out. The envelope writes it, as it knows the request's id.
#[derive(Clone, Debug)]
pub struct ApiError {
    /// What it is.
    pub code: Code,
    /// For the caller.
    pub detail: Cow<'static, str>,
    /// For our log only.
    pub cause: Option<String>,
    /// Seconds after which it is worth trying again.
    pub retry_after: Option<u64>,
}

impl ApiError {
    /// With the words that the caller is to read.
    pub fn new(code: Code, detail: impl Into<Cow<'static, str>>) -> Self {
        let retry_after = (code.status() == StatusCode::SERVICE_UNAVAILABLE).then_some(1);
        Self { code, detail: detail.into(), cause: None, retry_after }
    }

    fn caused(code: Code, cause: impl ToString) -> Self {
        Self { cause: Some(cause.to_string()), ..code.into() }
    }
}

impl From<Code> for ApiError {
    fn from(code: Code) -> Self {
        Self::new(code, code.default_detail())
    }
}

impl From<QueryError> for ApiError {
    fn from(error: QueryError) -> Self {
        match error {
            QueryError::NotFound => Code::NotFound.into(),
            QueryError::PositionUnknown => Code::PositionUnknown.into(),
            QueryError::KeyDestroyed => Code::KeyDestroyed.into(),
            QueryError::Unavailable(why) => Self::caused(Code::Unavailable, why),
            QueryError::Integrity(why) => Self::caused(Code::Integrity, why),
        }
    }
}

impl From<KeyError> for ApiError {
    fn from(error: KeyError) -> Self {
        match error.class() {
            KeyErrorClass::Retry => Self::caused(Code::Unavailable, error),
            KeyErrorClass::Destroyed => Code::KeyDestroyed.into(),
            KeyErrorClass::Integrity => Self::caused(Code::Integrity, error),
        }
    }
}

impl From<RecordError> for ApiError {
    fn from(error: RecordError) -> Self {
        match error {
            RecordError::Unavailable(why) => Self::caused(Code::Unavailable, why),
            RecordError::KeyDestroyed => Code::KeyDestroyed.into(),
            RecordError::Integrity(why) => Self::caused(Code::Integrity, why),
            RecordError::Log(error) => Self::caused(Code::Internal, error),
        }
    }
}

impl From<NoEntropy> for ApiError {
    fn from(error: NoEntropy) -> Self {
        Self::caused(Code::Unavailable, error)
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = self.code.status().into_response();
        if self.code == Code::Unauthorized {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response.extensions_mut().insert(self);
        response
    }
}

/// The body of every error.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Problem {
    /// Names the code as a URI.
    #[serde(rename = "type")]
    pub kind: String,
    /// The code in words.
    pub title: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// Stable, for programs.
    pub code: &'static str,
    /// What to do about it, for people.
    pub detail: String,
    /// The same as in the header `x-request-id`.
    pub request_id: String,
}

impl Problem {
    pub(super) fn new(error: &ApiError, request_id: &str) -> Self {
        let (status, code, title) = error.code.row();
        Self {
            kind: format!("urn:chatmai:problem:{code}"),
            title,
            status: status.as_u16(),
            code,
            detail: error.detail.to_string(),
            request_id: request_id.to_owned(),
        }
    }
}
