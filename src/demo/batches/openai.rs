//! OpenAI's form: a file of lines is uploaded, and a batch says what becomes of it.

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, header};
use axum::response::Response;
use serde_json::{Value, json};

use super::{Answered, Asked, Batch, Batches, Kept, Stand, distinct, lines, read_json, take};
use crate::adapter::Api;
use crate::demo::server::{Backend, Received, read_body};
use crate::error::Failure;
use crate::http::{invalid, json_body, not_found, refusal};

fn refused(failure: &Failure) -> Response {
    refusal(Api::OpenaiChat, failure)
}

pub(super) async fn upload<B: Backend>(state: State<Batches<B>>, headers: HeaderMap, body: Received) -> Response {
    let body = match read_body(body) {
        Ok(body) => body,
        Err(failure) => return refused(&failure),
    };
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let Some(file) = file_of(content_type, &body) else {
        return refused(&invalid("the upload has no file with the purpose `batch`"));
    };
    let bytes = file.len();
    let mut kept = state.kept();
    let id = kept.id("file-");
    kept.files.insert(id.clone(), file);
    json_body(
        json!({"id": id, "object": "file", "bytes": bytes, "purpose": "batch", "filename": "batch.jsonl"}).to_string(),
    )
}

/// The file in a body of `multipart/form-data`; `None` where it has none, or another purpose.
fn file_of(content_type: &str, body: &Bytes) -> Option<Bytes> {
    let boundary = content_type.split("boundary=").nth(1)?.split(';').next()?.trim_matches('"');
    let delimiter = format!("--{boundary}");
    let mut file = None;
    let mut is_batch = false;
    let mut rest = &body[..];
    while let Some(at) = memchr::memmem::find(rest, delimiter.as_bytes()) {
        let part = &rest[..at];
        if let Some(end) = memchr::memmem::find(part, b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&part[..end]).to_lowercase();
            let content = part[end + 4..].strip_suffix(b"\r\n").unwrap_or(&part[end + 4..]);
            if head.contains("name=\"file\"") {
                file = Some(body.slice_ref(content));
            } else if head.contains("name=\"purpose\"") {
                is_batch = content == b"batch";
            }
        }
        rest = &rest[at + delimiter.len()..];
    }
    file.filter(|_| is_batch)
}

pub(super) async fn content<B: Backend>(state: State<Batches<B>>, Path(id): Path<String>) -> Response {
    match state.kept().files.get(&id) {
        Some(file) => json_body(file.clone()),
        None => refused(&not_found(format!("there is no file {id}"))),
    }
}

pub(super) async fn create<B: Backend>(state: State<Batches<B>>, body: Received) -> Response {
    let file = |id: &str| state.kept().files.get(id).cloned();
    match read_json(body).and_then(|submission| batch(&submission, file)) {
        Ok(batch) => state.keep("batch-", batch),
        Err(failure) => refused(&failure),
    }
}

/// The batch of a submission.
fn batch(submission: &Value, file: impl Fn(&str) -> Option<Bytes>) -> Result<Batch, Failure> {
    let text = |name: &str| submission[name].as_str().unwrap_or_default();
    let (input, endpoint) = (text("input_file_id"), text("endpoint"));
    let file = file(input).ok_or_else(|| invalid(format!("there is no file `{input}`")))?;
    let api = match endpoint {
        "/v1/chat/completions" => Api::OpenaiChat,
        "/v1/responses" => Api::OpenaiResponses,
        _ => return Err(invalid(format!("there are no batches for the endpoint `{endpoint}`"))),
    };
    let asked = |(number, line): (usize, &[u8])| {
        let mut line: Value = serde_json::from_slice(line)
            .map_err(|error| invalid(format!("line {} of the file is not JSON: {error}", number + 1)))?;
        if line["url"] != endpoint {
            return Err(invalid(format!("line {} of the file is not for `{endpoint}`", number + 1)));
        }
        Ok(Asked { id: line["custom_id"].as_str().unwrap_or_default().to_owned(), body: take(&mut line, "body") })
    };
    let written = file.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let requests = written.enumerate().map(asked).collect::<Result<_, _>>()?;
    let path = endpoint.trim_start_matches("/v1/");
    let batch = Batch::new(api, path, distinct(requests)?, submission["metadata"].clone());
    Ok(Batch { input: Some(input.to_owned()), ..batch })
}

pub(super) fn shown(id: &str, batch: &Batch) -> Value {
    let status = match batch.stand {
        Stand::Received => "validating",
        Stand::Running => "in_progress",
        Stand::Answered => "completed",
        Stand::Cancelled => "cancelled",
    };
    let (completed, failed) = batch.counts();
    json!({
        "id": id, "object": "batch", "endpoint": format!("/v1/{}", batch.endpoint), "input_file_id": batch.input,
        "status": status, "completion_window": "24h", "output_file_id": batch.output, "error_file_id": null,
        "metadata": batch.mark,
        "request_counts": {"total": batch.requests.len(), "completed": completed, "failed": failed},
    })
}

/// Keeps the file of the results. Returns its id.
pub(super) fn output(kept: &mut Kept, results: &[Answered]) -> String {
    let line = |answered: &Answered| {
        let (status, body) = match &answered.body {
            Ok(body) => (200, body),
            Err((status, body)) => (*status, body),
        };
        json!({
            "id": format!("result-{}", answered.id), "custom_id": answered.id, "error": null,
            "response": {"status_code": status, "request_id": null, "body": body},
        })
    };
    let id = kept.id("file-");
    kept.files.insert(id.clone(), lines(results.iter().map(line)));
    id
}
