//! What the servers have in common: which wire format a request speaks, and how it is refused in this format.

pub(crate) mod models;

use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value};

use crate::adapter::Api;
use crate::error::{Failure, FailureKind};

/// The wire format of a request to a path that several formats share. Google's clients are known by the path or by
/// their key, Anthropic's by the header that their format demands; all others speak OpenAI's.
pub(crate) fn format_of(uri: &Uri, headers: &HeaderMap) -> Api {
    let has_key = |query: &str| query.split('&').any(|parameter| parameter.starts_with("key="));
    if uri.path().starts_with("/v1beta/") {
        Api::Gemini
    } else if headers.contains_key("anthropic-version") {
        Api::Anthropic
    } else if headers.contains_key("x-goog-api-key") || uri.query().is_some_and(has_key) {
        Api::Gemini
    } else {
        Api::default()
    }
}

/// A failure that is the client's fault, with status 400.
pub(crate) fn invalid(message: impl Into<String>) -> Failure {
    Failure::new(FailureKind::InvalidRequest, message).with_status(400)
}

/// The failure of a request for a model that is not there, with status 404.
pub(crate) fn not_found(message: impl Into<String>) -> Failure {
    Failure::new(FailureKind::NotFound, message).with_status(404)
}

/// The key by which a client marks all tries of one request.
pub(crate) fn idempotency_key(headers: &HeaderMap) -> Option<&str> {
    headers.get("idempotency-key").and_then(|value| value.to_str().ok())
}

/// A failure in the form of this wire format.
pub(crate) fn refusal(api: Api, failure: &Failure) -> Response {
    let status = failure.status.and_then(|status| StatusCode::from_u16(status).ok()).unwrap_or(StatusCode::BAD_GATEWAY);
    let mut response = (status, json_body(api.adapter().encode_error(failure))).into_response();
    if let Some(wait) = failure.retry_after {
        let headers = response.headers_mut();
        if let Ok(value) = wait.as_millis().to_string().parse() {
            headers.insert("retry-after-ms", value);
        }
        // A client that waits so many whole seconds is not refused again.
        if let Ok(value) = wait.as_millis().div_ceil(1_000).max(1).to_string().parse() {
            headers.insert(header::RETRY_AFTER, value);
        }
    }
    response
}

pub(crate) fn json_body(body: impl Into<Bytes>) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], body.into()).into_response()
}

/// The request whose tokens Gemini's `countTokens` counts: the body itself, or the whole request that it holds.
pub(crate) fn generate_request(body: &[u8]) -> Vec<u8> {
    let mut fields: Map<String, Value> = serde_json::from_slice(body).unwrap_or_default();
    let inner =
        ["generateContentRequest", "generate_content_request"].into_iter().find_map(|name| fields.shift_remove(name));
    inner.map_or_else(|| body.to_vec(), |request| request.to_string().into_bytes())
}
