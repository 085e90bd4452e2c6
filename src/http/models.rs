//! The list of models, in the form of the wire format that asks.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Uri};
use axum::response::Response;
use axum::routing::get;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{format_of, json_body, not_found, refusal};
use crate::adapter::Api;

/// The list in OpenAI's form, and its rows, from which the other forms are made.
struct Models {
    body: Bytes,
    rows: Vec<Value>,
}

/// The routes. `list` is a list in OpenAI's form.
pub(crate) fn router(list: Vec<u8>) -> Router {
    let rows = match serde_json::from_slice::<Value>(&list) {
        Ok(Value::Object(mut list)) => list.shift_remove("data"),
        _ => None,
    };
    let rows = if let Some(Value::Array(rows)) = rows { rows } else { Vec::new() };
    Router::new()
        .route("/v1/models", get(all))
        .route("/v1/models/{*id}", get(one))
        .route("/v1beta/models", get(all))
        .route("/v1beta/models/{*id}", get(one))
        .with_state(Arc::new(Models { body: list.into(), rows }))
}

/// All models on one page, whatever number of them the client asks for.
async fn all(State(models): State<Arc<Models>>, uri: Uri, headers: HeaderMap) -> Response {
    match format_of(&uri, &headers) {
        Api::OpenaiChat | Api::OpenaiResponses => json_body(models.body.clone()),
        api => json_body(list(api, &models.rows).to_string()),
    }
}

async fn one(State(models): State<Arc<Models>>, Path(id): Path<String>, uri: Uri, headers: HeaderMap) -> Response {
    let api = format_of(&uri, &headers);
    match models.rows.iter().find(|row| row["id"] == id) {
        Some(row) => json_body(model(api, row).to_string()),
        None => refusal(api, &not_found(format!("there is no model `{id}`"))),
    }
}

/// A list of models in this wire format, made from its rows in OpenAI's.
pub(crate) fn list(api: Api, rows: &[Value]) -> Value {
    let models: Vec<Value> = rows.iter().map(|row| model(api, row)).collect();
    match api {
        Api::OpenaiChat | Api::OpenaiResponses => json!({"object": "list", "data": models}),
        Api::Anthropic => {
            let id = |row: Option<&Value>| row.map(|row| row["id"].clone());
            let (first, last) = (id(rows.first()), id(rows.last()));
            json!({"data": models, "has_more": false, "first_id": first, "last_id": last})
        }
        Api::Gemini => json!({"models": models}),
    }
}

/// A model in this wire format, made from its row in OpenAI's.
pub(crate) fn model(api: Api, row: &Value) -> Value {
    match api {
        Api::OpenaiChat | Api::OpenaiResponses => row.clone(),
        Api::Anthropic => anthropic(row),
        Api::Gemini => gemini(row),
    }
}

/// A model in Anthropic's form. A time of creation that is not known is the start of 1970 there.
fn anthropic(row: &Value) -> Value {
    let created = row["created"].as_i64().and_then(|seconds| Timestamp::from_second(seconds).ok());
    json!({
        "type": "model",
        "id": row["id"],
        "display_name": row["id"],
        "created_at": created.unwrap_or(Timestamp::UNIX_EPOCH).to_string(),
        "max_input_tokens": row["context_length"],
    })
}

/// A model in Gemini's form.
fn gemini(row: &Value) -> Value {
    json!({
        "name": format!("models/{}", row["id"].as_str().unwrap_or_default()),
        "displayName": row["id"],
        "description": row["description"],
        "inputTokenLimit": row["context_length"],
        "supportedGenerationMethods": ["generateContent", "streamGenerateContent", "countTokens"],
    })
}
