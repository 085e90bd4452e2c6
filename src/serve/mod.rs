//! HTTP in, the same engine, HTTP out: an OpenAI-compatible front over any [`Service`].

pub mod demo;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use futures_util::stream;

use crate::adapter::{Api, Encoder};
use crate::call::{Call, Event, Limits, RunEvent, Target};
use crate::chat::{self, StreamEvent};
use crate::engine::{self, Run};
use crate::error::{Failure, FailureKind};
use crate::policy::Service;

/// The longest that one request may take.
const LONGEST: Duration = Duration::from_secs(600);

struct Front<S> {
    service: Arc<S>,
    /// The body of the model list.
    models: Bytes,
}

/// The routes: chat completions, and the list of models (a JSON document).
pub fn router<S: Service + 'static>(service: S, models: Vec<u8>) -> Router {
    let front = Arc::new(Front { service: Arc::new(service), models: models.into() });
    Router::new()
        .route("/v1/chat/completions", post(chat_completions::<S>))
        .route("/v1/models", get(list::<S>))
        .with_state(front)
}

async fn list<S: Service>(State(front): State<Arc<Front<S>>>) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], front.models.clone()).into_response()
}

async fn chat_completions<S: Service + 'static>(
    State(front): State<Arc<Front<S>>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    answer(&front.service, Api::OpenaiChat, "chat/completions", &headers, &body).await
}

/// One request, from body to body.
async fn answer<S: Service + 'static>(
    service: &Arc<S>,
    api: Api,
    path: &str,
    headers: &HeaderMap,
    body: &[u8],
) -> Response {
    let adapter = api.adapter();
    let request = match adapter.decode_request(path, body) {
        Ok(request) => request,
        Err(error) => {
            return refusal(api, &Failure::new(FailureKind::InvalidRequest, error.to_string()).with_status(400));
        }
    };
    let stream = request.stream;
    let encoder = adapter.encoder(&request);
    let mut run = engine::start(service, vec![call(request, headers)], 1);
    if stream { streamed(api, run, encoder).await } else { whole(api, &mut run).await }
}

fn call(request: chat::Request, headers: &HeaderMap) -> Call {
    // The client's own name for the call, the same over its tries.
    let key = headers.get("idempotency-key").and_then(|value| value.to_str().ok());
    Call {
        index: 0,
        id: key.map_or_else(|| uuid::Uuid::now_v7().to_string(), str::to_owned),
        asked: request.model.clone(),
        task: None,
        choices: vec![Target { gateway: String::new(), model: request.model.clone() }.into()],
        limits: Limits { retries: None, timeout: LONGEST },
        request: Arc::new(request),
    }
}

async fn whole(api: Api, run: &mut Run) -> Response {
    let mut response = chat::Response::default();
    let mut batch = Vec::new();
    while run.next(&mut batch).await {
        for event in batch.drain(..) {
            match event.event {
                Event::Stream(event) => response.apply(&event),
                Event::Done(Err(failure)) => return refusal(api, &failure),
                _ => {}
            }
        }
    }
    ([(header::CONTENT_TYPE, "application/json")], api.adapter().encode_response(&response)).into_response()
}

/// The status line waits for the first event: a call that fails before it is an ordinary HTTP error.
async fn streamed(api: Api, mut run: Run, encoder: Box<dyn Encoder + Send>) -> Response {
    let mut batch = Vec::new();
    while run.next(&mut batch).await {
        if let Some(RunEvent { event: Event::Done(Err(failure)), .. }) = batch.first() {
            return refusal(api, failure);
        }
        if batch.iter().any(|event| matches!(event.event, Event::Stream(_) | Event::Done(_))) {
            break;
        }
    }
    let body = stream::unfold(Some((run, encoder, batch)), |state| async move {
        let (mut run, mut encoder, mut batch) = state?;
        let mut bytes = Vec::new();
        let mut over = false;
        for event in batch.drain(..) {
            match event.event {
                Event::Stream(event) => encoder.encode(&event, &mut bytes),
                Event::Done(Ok(())) => {
                    encoder.finish(&mut bytes);
                    over = true;
                }
                Event::Done(Err(failure)) => {
                    encoder.fail(&failure, &mut bytes);
                    over = true;
                }
                _ => {}
            }
        }
        let more = !over && run.next(&mut batch).await;
        let next = more.then_some((run, encoder, batch));
        Some((Ok::<_, std::convert::Infallible>(Bytes::from(bytes)), next))
    });
    let headers = [(header::CONTENT_TYPE, "text/event-stream"), (header::CACHE_CONTROL, "no-cache")];
    (headers, Body::from_stream(body)).into_response()
}

fn refusal(api: Api, failure: &Failure) -> Response {
    let status = failure.status.and_then(|status| StatusCode::from_u16(status).ok()).unwrap_or(StatusCode::BAD_GATEWAY);
    let body = api.adapter().encode_error(failure);
    let mut response = (status, [(header::CONTENT_TYPE, "application/json")], body).into_response();
    if let Some(wait) = failure.retry_after {
        let headers = response.headers_mut();
        if let Ok(value) = wait.as_millis().to_string().parse() {
            headers.insert("retry-after-ms", value);
        }
        if let Ok(value) = wait.as_secs().max(1).to_string().parse() {
            headers.insert(header::RETRY_AFTER, value);
        }
    }
    response
}

/// A stream event for a service that makes up its answers.
fn text(text: impl Into<String>) -> Event {
    Event::Stream(StreamEvent::TextDelta(text.into()))
}
