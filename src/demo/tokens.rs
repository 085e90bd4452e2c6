//! Token counts of requests that are not sent, in the formats that have a path for them.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde_json::{Value, json};

use super::server::{Backend, Received, decode, read_body};
use crate::adapter::Api;
use crate::error::Failure;
use crate::http::{generate_request, json_body, refusal};

/// Anthropic's `count_tokens`.
pub(super) async fn of_messages<B: Backend>(backend: State<Arc<B>>, body: Received) -> Response {
    let count = read_body(body).and_then(|body| count(&**backend, Api::Anthropic, "messages", &body));
    respond(Api::Anthropic, count, |count| json!({"input_tokens": count}))
}

/// Gemini's `countTokens`; `model` is the path up to the method.
pub(super) fn of_contents(backend: &impl Backend, model: &str, body: Received) -> Response {
    let count = read_body(body)
        .and_then(|body| count(backend, Api::Gemini, &format!("{model}:generateContent"), &generate_request(&body)));
    respond(Api::Gemini, count, |count| json!({"totalTokens": count}))
}

fn count(backend: &impl Backend, api: Api, path: &str, body: &[u8]) -> Result<u64, Failure> {
    let named = decode(api, path, body)?;
    backend.count_tokens(&named.model, &named.request)
}

fn respond(api: Api, count: Result<u64, Failure>, form: impl FnOnce(u64) -> Value) -> Response {
    match count {
        Ok(count) => json_body(form(count).to_string()),
        Err(failure) => refusal(api, &failure),
    }
}
