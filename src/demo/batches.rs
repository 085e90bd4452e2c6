//! OpenAI's files and batches, for the demo gateway: what is uploaded is kept in memory, and a batch is answered when it is
//! first asked how it stands.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, header};
use axum::response::Response;
use axum::routing::{get, post};
use serde_json::{Value, json};

use super::server::{Backend, Received, call, decode, read_body};
use crate::adapter::{Api, NamedRequest};
use crate::call::Event;
use crate::chat;
use crate::engine::Engine;
use crate::error::Failure;
use crate::http::{invalid, json_body, not_found, refusal};

/// What the server keeps.
#[derive(Debug, Default)]
struct Kept {
    files: BTreeMap<String, Bytes>,
    batches: BTreeMap<String, Batch>,
    /// How many ids were given.
    ids: u64,
}

impl Kept {
    fn id(&mut self, prefix: &str) -> String {
        self.ids += 1;
        format!("{prefix}-demo-{}", self.ids)
    }
}

#[derive(Debug, Clone)]
struct Batch {
    input: String,
    endpoint: String,
    metadata: Value,
    status: &'static str,
    output: Option<String>,
    requests: usize,
}

struct Batches<B> {
    backend: Arc<B>,
    kept: Arc<Mutex<Kept>>,
}

impl<B> Clone for Batches<B> {
    fn clone(&self) -> Self {
        Self { backend: Arc::clone(&self.backend), kept: Arc::clone(&self.kept) }
    }
}

impl<B> Batches<B> {
    fn kept(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The routes.
pub(super) fn router<B: Backend>(backend: Arc<B>) -> Router {
    Router::new()
        .route("/v1/files", post(upload::<B>))
        .route("/v1/files/{id}/content", get(content::<B>))
        .route("/v1/batches", post(create::<B>).get(list::<B>))
        .route("/v1/batches/{id}", get(status::<B>))
        .route("/v1/batches/{id}/cancel", post(cancel::<B>))
        .with_state(Batches { backend, kept: Arc::default() })
}

fn refused(failure: &Failure) -> Response {
    refusal(Api::OpenaiChat, failure)
}

async fn upload<B: Backend>(state: State<Batches<B>>, headers: HeaderMap, body: Received) -> Response {
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
    let id = kept.id("file");
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

async fn content<B: Backend>(state: State<Batches<B>>, Path(id): Path<String>) -> Response {
    match state.kept().files.get(&id) {
        Some(file) => json_body(file.clone()),
        None => refused(&not_found(format!("there is no file {id}"))),
    }
}

async fn create<B: Backend>(state: State<Batches<B>>, body: Received) -> Response {
    let request = read_body(body).and_then(|body| {
        serde_json::from_slice::<Value>(&body).map_err(|error| invalid(format!("the body is not JSON: {error}")))
    });
    let request = match request {
        Ok(request) => request,
        Err(failure) => return refused(&failure),
    };
    let text = |name: &str| request[name].as_str().unwrap_or_default().to_owned();
    let (input, endpoint) = (text("input_file_id"), text("endpoint"));
    let mut kept = state.kept();
    let Some(file) = kept.files.get(&input) else { return refused(&invalid(format!("there is no file `{input}`"))) };
    let requests = file.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).count();
    if api_of(&endpoint).is_none() {
        return refused(&invalid(format!("there are no batches for the endpoint `{endpoint}`")));
    }
    let id = kept.id("batch");
    let metadata = request["metadata"].clone();
    let batch = Batch { input, endpoint, metadata, status: "validating", output: None, requests };
    let shown = shown(&id, &batch);
    kept.batches.insert(id, batch);
    json_body(shown.to_string())
}

fn api_of(endpoint: &str) -> Option<Api> {
    match endpoint {
        "/v1/chat/completions" => Some(Api::OpenaiChat),
        "/v1/responses" => Some(Api::OpenaiResponses),
        _ => None,
    }
}

fn shown(id: &str, batch: &Batch) -> Value {
    let done = if batch.output.is_some() { batch.requests } else { 0 };
    json!({
        "id": id, "object": "batch", "endpoint": batch.endpoint, "input_file_id": batch.input, "status": batch.status,
        "completion_window": "24h", "output_file_id": batch.output, "error_file_id": null, "metadata": batch.metadata,
        "request_counts": {"total": batch.requests, "completed": done, "failed": 0},
    })
}

async fn list<B: Backend>(state: State<Batches<B>>) -> Response {
    let kept = state.kept();
    let data: Vec<Value> = kept.batches.iter().rev().map(|(id, batch)| shown(id, batch)).collect();
    json_body(json!({"object": "list", "data": data, "has_more": false}).to_string())
}

/// How a batch stands. The first question finds it in progress, and has it answered.
async fn status<B: Backend>(state: State<Batches<B>>, Path(id): Path<String>) -> Response {
    let found = {
        let mut kept = state.kept();
        let Kept { files, batches, .. } = &mut *kept;
        let Some(batch) = batches.get_mut(&id) else { return refused(&not_found(format!("there is no batch {id}"))) };
        let asked = (batch.status == "in_progress").then(|| (files.get(&batch.input).cloned(), batch.endpoint.clone()));
        if batch.status == "validating" {
            batch.status = "in_progress";
        }
        match asked {
            Some((Some(file), endpoint)) => (file, endpoint),
            _ => return json_body(shown(&id, batch).to_string()),
        }
    };
    let output = answers(&state.backend, &found.0, &found.1).await;
    let mut kept = state.kept();
    let file = kept.id("file");
    kept.files.insert(file.clone(), output.into());
    let Some(batch) = kept.batches.get_mut(&id) else { return refused(&not_found("the batch is gone")) };
    (batch.status, batch.output) = ("completed", Some(file));
    json_body(shown(&id, batch).to_string())
}

async fn cancel<B: Backend>(state: State<Batches<B>>, Path(id): Path<String>) -> Response {
    let mut kept = state.kept();
    let Some(batch) = kept.batches.get_mut(&id) else { return refused(&not_found(format!("there is no batch {id}"))) };
    if batch.output.is_none() {
        batch.status = "cancelled";
    }
    json_body(shown(&id, batch).to_string())
}

/// The lines of results, in the order in which the requests end.
async fn answers<B: Backend>(backend: &Arc<B>, file: &Bytes, endpoint: &str) -> Vec<u8> {
    let api = api_of(endpoint).unwrap_or_default();
    let mut output = Vec::new();
    let mut run = Engine::new();
    let mut asked: BTreeMap<usize, (String, chat::Response)> = BTreeMap::new();
    for (index, line) in file.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).enumerate() {
        let line: Value = serde_json::from_slice(line).unwrap_or_default();
        let id = line["custom_id"].as_str().unwrap_or_default().to_owned();
        let path = endpoint.trim_start_matches("/v1/");
        match decode(api, path, line["body"].to_string().as_bytes()) {
            Ok(NamedRequest { model, request }) => {
                let mut call = call(model, request, &HeaderMap::new());
                call.index = index;
                asked.insert(index, (id, chat::Response::default()));
                run.start(backend, Arc::new(call));
            }
            Err(failure) => result(&mut output, api, &id, Err(&failure)),
        }
    }
    let mut batch = Vec::new();
    while run.next(&mut batch).await {
        for event in batch.drain(..) {
            match event.event {
                Event::Stream(piece) => {
                    if let Some((_, response)) = asked.get_mut(&event.call) {
                        response.apply(&piece);
                    }
                }
                Event::Done(ended) => {
                    if let Some((id, response)) = asked.remove(&event.call) {
                        result(&mut output, api, &id, ended.as_ref().map(|()| &response));
                    }
                }
                _ => {}
            }
        }
    }
    output
}

/// Appends the line of one result.
fn result(output: &mut Vec<u8>, api: Api, id: &str, ended: Result<&chat::Response, &Failure>) {
    let (status, body) = match ended {
        Ok(response) => (200, api.adapter().encode_response(response)),
        Err(failure) => (failure.status.unwrap_or(500), api.adapter().encode_error(failure)),
    };
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let line = json!({
        "id": format!("result-{id}"), "custom_id": id, "error": null,
        "response": {"status_code": status, "request_id": null, "body": body},
    });
    output.extend_from_slice(line.to_string().as_bytes());
    output.push(b'\n');
}
