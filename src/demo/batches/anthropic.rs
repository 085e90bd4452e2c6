//! Anthropic's form: the requests are in the submission itself, and the results are lines of one document.

use axum::extract::{Path, State};
use axum::response::Response;
use serde_json::{Value, json};

use super::{Answered, Asked, Batch, Batches, Stand, distinct, lines, missing, read_json, take};
use crate::adapter::Api;
use crate::demo::server::{Backend, Received};
use crate::error::Failure;
use crate::http::{invalid, json_body, not_found, refusal};

pub(super) async fn create<B: Backend>(state: State<Batches<B>>, body: Received) -> Response {
    match read_json(body).and_then(batch) {
        Ok(batch) => state.keep("msgbatch_", batch),
        Err(failure) => refusal(Api::Anthropic, &failure),
    }
}

/// The batch of a submission.
fn batch(mut submission: Value) -> Result<Batch, Failure> {
    let Value::Array(requests) = take(&mut submission, "requests") else {
        return Err(invalid("requests: Field required"));
    };
    let asked = |mut request: Value| Asked {
        id: request["custom_id"].as_str().unwrap_or_default().to_owned(),
        body: take(&mut request, "params"),
    };
    let requests = distinct(requests.into_iter().map(asked).collect())?;
    Ok(Batch::new(Api::Anthropic, "messages", requests, Value::Null))
}

pub(super) fn shown(id: &str, batch: &Batch) -> Value {
    let all = batch.requests.len();
    let (succeeded, errored) = batch.counts();
    let (status, processing, canceled) = match batch.stand {
        Stand::Received | Stand::Running => ("in_progress", all, 0),
        Stand::Answered => ("ended", 0, 0),
        Stand::Cancelled => ("ended", 0, all),
    };
    json!({
        "id": id, "type": "message_batch", "processing_status": status,
        "request_counts": {"processing": processing, "succeeded": succeeded, "errored": errored, "canceled": canceled,
                           "expired": 0},
        "results_url": (status == "ended").then(|| format!("/v1/messages/batches/{id}/results")),
    })
}

pub(super) async fn results<B: Backend>(state: State<Batches<B>>, Path(id): Path<String>) -> Response {
    let kept = state.kept();
    let Some(batch) = kept.batches.get(&id).filter(|batch| batch.api == Api::Anthropic) else {
        return missing(&id, Api::Anthropic);
    };
    let line = |id: &str, result: Value| json!({"custom_id": id, "result": result});
    let answered = |answered: &Answered| {
        let result = match &answered.body {
            Ok(message) => json!({"type": "succeeded", "message": message}),
            Err((_, error)) => json!({"type": "errored", "error": error}),
        };
        line(&answered.id, result)
    };
    json_body(match batch.stand {
        Stand::Answered => lines(batch.results.iter().map(answered)),
        Stand::Cancelled => lines(batch.requests.iter().map(|asked| line(&asked.id, json!({"type": "canceled"})))),
        Stand::Received | Stand::Running => {
            return refusal(Api::Anthropic, &not_found(format!("the batch {id} has not ended")));
        }
    })
}
