//! Google's form: the requests are in the submission itself, and the results in the batch that has ended.

use axum::response::Response;
use serde_json::{Value, json};

use super::{Answered, Asked, Batch, Batches, Stand, distinct, read_json, take};
use crate::adapter::Api;
use crate::demo::server::{Backend, Received};
use crate::error::Failure;
use crate::http::{invalid, refusal};

/// The verb of a submission, behind the name of the model.
pub(in crate::demo) const VERB: &str = ":batchGenerateContent";

/// The id of a batch begins with this in the paths of the form.
const PREFIX: &str = "batches/";

/// Keeps a batch for this model.
pub(in crate::demo) fn create<B: Backend>(batches: &Batches<B>, model: &str, body: Received) -> Response {
    match read_json(body).and_then(|submission| batch(model, submission)) {
        Ok(batch) => batches.keep("", batch),
        Err(failure) => refusal(Api::Gemini, &failure),
    }
}

/// The value of a field, which may be spelled in either of Google's ways.
fn field(value: &mut Value, [snake, camel]: [&str; 2]) -> Value {
    let name = if value[snake].is_null() { camel } else { snake };
    take(value, name)
}

fn batch(model: &str, mut submission: Value) -> Result<Batch, Failure> {
    let mut batch = take(&mut submission, "batch");
    let mut input = field(&mut batch, ["input_config", "inputConfig"]);
    let Value::Array(requests) = take(&mut take(&mut input, "requests"), "requests") else {
        return Err(invalid("batch.input_config.requests.requests has to be a list"));
    };
    let asked = |mut request: Value| Asked {
        id: request["metadata"]["key"].as_str().unwrap_or_default().to_owned(),
        body: take(&mut request, "request"),
    };
    let requests = distinct(requests.into_iter().map(asked).collect())?;
    let name = field(&mut batch, ["display_name", "displayName"]);
    Ok(Batch::new(Api::Gemini, format!("models/{model}:generateContent"), requests, name))
}

pub(super) fn shown(id: &str, batch: &Batch) -> Value {
    let (state, is_over) = match batch.stand {
        Stand::Received => ("BATCH_STATE_PENDING", false),
        Stand::Running => ("BATCH_STATE_RUNNING", false),
        Stand::Answered => ("BATCH_STATE_SUCCEEDED", true),
        Stand::Cancelled => ("BATCH_STATE_CANCELLED", true),
    };
    let (ok, failed) = batch.counts();
    // Numbers of 64 bits are texts in Google's JSON.
    let stats = json!({
        "requestCount": batch.requests.len().to_string(), "successfulRequestCount": ok.to_string(),
        "failedRequestCount": failed.to_string(),
    });
    let mut shown = json!({
        "name": format!("{PREFIX}{id}"), "done": is_over,
        "metadata": {"@type": "type.googleapis.com/google.ai.generativelanguage.v1main.GenerateContentBatch",
                     "name": format!("{PREFIX}{id}"), "displayName": batch.mark, "state": state, "batchStats": stats},
    });
    match batch.stand {
        Stand::Answered => {
            let responses: Vec<Value> = batch.results.iter().map(inlined).collect();
            shown["response"] = json!({"inlinedResponses": {"inlinedResponses": responses}});
        }
        Stand::Cancelled => shown["error"] = json!({"code": 1, "message": "the batch was cancelled"}),
        Stand::Received | Stand::Running => {}
    }
    shown
}

fn inlined(answered: &Answered) -> Value {
    let metadata = json!({"key": answered.id});
    match &answered.body {
        Ok(response) => json!({"metadata": metadata, "response": response}),
        Err((status, body)) => {
            // The codes of gRPC.
            let code = match status {
                400 => 3,
                404 => 5,
                429 => 8,
                503 => 14,
                _ => 13,
            };
            json!({"metadata": metadata, "error": {"code": code, "message": body["error"]["message"]}})
        }
    }
}
