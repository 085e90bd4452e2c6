//! Vectors of texts, in OpenAI's format.

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::server::{Backend, Received, read_body};
use crate::adapter::Api;
use crate::error::{Failure, FailureKind};
use crate::http::{idempotency_key, invalid, json_body, refusal};
use crate::ids::new_id;

/// The most inputs of one request, as at OpenAI.
const MOST_INPUTS: usize = 2048;

/// What a vector is made of.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Input {
    Text(String),
    /// The numbers of tokens.
    Tokens(Vec<u32>),
}

impl Input {
    fn is_empty(&self) -> bool {
        match self {
            Self::Text(text) => text.is_empty(),
            Self::Tokens(tokens) => tokens.is_empty(),
        }
    }
}

/// The vectors of several inputs.
#[derive(Debug)]
pub(super) struct Embeddings {
    /// The vectors in the order of the inputs.
    pub(super) vectors: Vec<Vec<f32>>,
    /// The number of tokens of all inputs together.
    pub(super) input_tokens: u64,
}

#[derive(Debug, Deserialize)]
struct WireRequest {
    model: String,
    input: WireInput,
    dimensions: Option<usize>,
    encoding_format: Option<Encoding>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "`input` must be a text, a list of token numbers, or a list of such inputs")]
enum WireInput {
    One(Input),
    Several(Vec<Input>),
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Encoding {
    #[default]
    Float,
    /// The components as 32-bit floats, lowest byte first.
    Base64,
}

#[derive(Debug, Serialize)]
struct WireResponse {
    object: &'static str,
    data: Vec<WireEmbedding>,
    model: String,
    usage: WireUsage,
}

#[derive(Debug, Serialize)]
struct WireEmbedding {
    object: &'static str,
    index: usize,
    embedding: WireVector,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum WireVector {
    Float(Vec<f32>),
    Base64(String),
}

#[derive(Debug, Serialize)]
struct WireUsage {
    prompt_tokens: u64,
    total_tokens: u64,
}

/// OpenAI's `embeddings`.
pub(super) async fn embeddings<B: Backend>(backend: State<Arc<B>>, headers: HeaderMap, body: Received) -> Response {
    match embed(&**backend, &headers, body).await {
        Ok(body) => json_body(body),
        Err(failure) => refusal(Api::OpenaiChat, &failure),
    }
}

async fn embed(backend: &impl Backend, headers: &HeaderMap, body: Received) -> Result<Vec<u8>, Failure> {
    let body = read_body(body)?;
    if !body.trim_ascii_start().starts_with(b"{") {
        return Err(invalid("the request body is not a JSON object"));
    }
    let request: WireRequest = serde_json::from_slice(&body).map_err(|error| invalid(error.to_string()))?;
    let inputs = match request.input {
        WireInput::One(input) => vec![input],
        WireInput::Several(inputs) => inputs,
    };
    if inputs.is_empty() || inputs.iter().any(Input::is_empty) {
        return Err(invalid("`input` must not be empty"));
    }
    if inputs.len() > MOST_INPUTS {
        return Err(invalid(format!("`input` must not have more than {MOST_INPUTS} items")));
    }
    let key = idempotency_key(headers).map_or_else(|| new_id().to_string(), str::to_owned);
    let answer = backend.embed(&request.model, &key, &inputs, request.dimensions).await?;
    let encoding = request.encoding_format.unwrap_or_default();
    let data = answer.vectors.into_iter().enumerate().map(|(index, vector)| WireEmbedding {
        object: "embedding",
        index,
        embedding: encoded(vector, encoding),
    });
    let usage = WireUsage { prompt_tokens: answer.input_tokens, total_tokens: answer.input_tokens };
    let response = WireResponse { object: "list", data: data.collect(), model: request.model, usage };
    serde_json::to_vec(&response).map_err(|error| Failure::new(FailureKind::ServerError, error.to_string()))
}

fn encoded(vector: Vec<f32>, encoding: Encoding) -> WireVector {
    match encoding {
        Encoding::Float => WireVector::Float(vector),
        Encoding::Base64 => {
            let bytes: Vec<u8> = vector.into_iter().flat_map(f32::to_le_bytes).collect();
            WireVector::Base64(STANDARD.encode(bytes))
        }
    }
}
