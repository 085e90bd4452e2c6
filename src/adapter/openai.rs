//! What OpenAI's two formats share when they are served.

use std::time::SystemTime;

use serde_json::{Value, json};

use crate::error::{Failure, FailureKind};

/// A failure as OpenAI writes it.
pub(super) fn error(failure: &Failure) -> Value {
    let (kind, code) = words(failure.kind);
    json!({"error": {"message": failure.message, "type": kind, "param": failure.param, "code": code}})
}

/// OpenAI's words for the family of an error and, where it has one, for the error itself.
pub(super) fn words(kind: FailureKind) -> (&'static str, Option<&'static str>) {
    match kind {
        FailureKind::Auth | FailureKind::NoKey => ("authentication_error", Some("invalid_api_key")),
        FailureKind::Credits => ("insufficient_quota", Some("insufficient_quota")),
        FailureKind::NotFound => ("invalid_request_error", Some("model_not_found")),
        FailureKind::InvalidRequest => ("invalid_request_error", None),
        FailureKind::ContextLength => ("invalid_request_error", Some("context_length_exceeded")),
        FailureKind::ContentFilter => ("invalid_request_error", Some("content_filter")),
        FailureKind::RateLimited => ("rate_limit_error", Some("rate_limit_exceeded")),
        FailureKind::Unavailable => ("overloaded_error", Some("unavailable")),
        FailureKind::Timeout => ("timeout_error", Some("timeout")),
        kind => ("api_error", Some(kind.as_str())),
    }
}

/// Now, in seconds since 1970.
pub(super) fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_secs())
}
