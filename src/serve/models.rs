//! The list of models, as each wire format has it.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::{Value, json};

use super::refusal;
use crate::adapter::Api;
use crate::error::{Failure, FailureKind};

/// The list in OpenAI's form, and what is made of it.
struct Models {
    body: Bytes,
    rows: Vec<Value>,
}

/// The routes. `list` is a list in OpenAI's form.
pub(super) fn router(list: Vec<u8>) -> Router {
    let rows = match serde_json::from_slice::<Value>(&list) {
        Ok(Value::Object(mut list)) => list.remove("data"),
        _ => None,
    };
    let rows = if let Some(Value::Array(rows)) = rows { rows } else { Vec::new() };
    Router::new()
        .route("/v1/models", get(all))
        .route("/v1/models/{*id}", get(one))
        .route("/v1beta/models", get(gemini_all))
        .route("/v1beta/models/{*id}", get(gemini_one))
        .with_state(Arc::new(Models { body: list.into(), rows }))
}

impl Models {
    /// The model of this name in the form of the api, or the api's word for its absence.
    fn one(&self, api: Api, id: &str, form: impl Fn(&Value) -> Value) -> Response {
        match self.rows.iter().find(|row| row["id"] == id) {
            Some(row) => json_body(form(row).to_string()),
            None => {
                let message = format!("there is no model `{id}`");
                refusal(api, &Failure::new(FailureKind::NotFound, message).with_status(404))
            }
        }
    }
}

async fn all(State(models): State<Arc<Models>>) -> Response {
    json_body(models.body.clone())
}

async fn one(State(models): State<Arc<Models>>, Path(id): Path<String>) -> Response {
    models.one(Api::default(), &id, Value::clone)
}

async fn gemini_all(State(models): State<Arc<Models>>) -> Response {
    json_body(json!({"models": models.rows.iter().map(gemini).collect::<Vec<_>>()}).to_string())
}

async fn gemini_one(State(models): State<Arc<Models>>, Path(id): Path<String>) -> Response {
    models.one(Api::Gemini, &id, gemini)
}

/// A model in Gemini's form.
fn gemini(row: &Value) -> Value {
    json!({
        "name": format!("models/{}", row["id"].as_str().unwrap_or_default()),
        "displayName": row["id"],
        "description": row["description"],
        "inputTokenLimit": row["context_length"],
        "supportedGenerationMethods": ["generateContent", "streamGenerateContent"],
    })
}

fn json_body(body: impl Into<Bytes>) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], body.into()).into_response()
}
