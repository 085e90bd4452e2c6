//! HTTP in, the same engine, HTTP out: a front over any [`Service`] that speaks every wire format.

pub mod demo;
mod models;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use futures_util::stream;

use crate::adapter::{Api, Encoder, NamedRequest};
use crate::call::{Call, Event, RunEvent, Service, Target};
use crate::chat;
use crate::engine::Engine;
use crate::error::{Failure, FailureKind};

/// The longest that one request may take.
const LONGEST: Duration = Duration::from_secs(600);

/// A request's body, or why it could not be read.
type Received = Result<Bytes, BytesRejection>;

/// The routes of all wire formats. `models` is the list of models, as OpenAI has it.
pub fn router<S: Service + 'static>(service: S, models: Vec<u8>) -> Router {
    let generate = post(generate::<S>);
    let answers = Router::new()
        .route("/v1/chat/completions", post(chat_completions::<S>))
        .route("/v1/responses", post(responses::<S>))
        .route("/v1/messages", post(messages::<S>))
        // Google's library asks below either.
        .route("/v1/models/{*id}", generate.clone())
        .route("/v1beta/models/{*id}", generate)
        .with_state(Arc::new(service));
    answers.merge(models::router(models)).fallback(nowhere)
}

async fn chat_completions<S: Service + 'static>(
    service: State<Arc<S>>,
    headers: HeaderMap,
    body: Received,
) -> Response {
    answer(&service, Api::OpenaiChat, "chat/completions", &headers, body).await
}

async fn responses<S: Service + 'static>(service: State<Arc<S>>, headers: HeaderMap, body: Received) -> Response {
    answer(&service, Api::OpenaiResponses, "responses", &headers, body).await
}

async fn messages<S: Service + 'static>(service: State<Arc<S>>, headers: HeaderMap, body: Received) -> Response {
    answer(&service, Api::Anthropic, "messages", &headers, body).await
}

async fn generate<S: Service + 'static>(
    service: State<Arc<S>>,
    uri: Uri,
    headers: HeaderMap,
    body: Received,
) -> Response {
    let path = uri.path_and_query().map_or(uri.path(), |path| path.as_str());
    answer(&service, Api::Gemini, path, &headers, body).await
}

async fn nowhere(uri: Uri) -> Response {
    let api = if uri.path().starts_with("/v1beta/") { Api::Gemini } else { Api::default() };
    let message = format!("there is nothing at {}", uri.path());
    refusal(api, &Failure::new(FailureKind::InvalidRequest, message).with_status(404))
}

/// One request, from body to body.
async fn answer<S: Service + 'static>(
    service: &Arc<S>,
    api: Api,
    path: &str,
    headers: &HeaderMap,
    body: Received,
) -> Response {
    let adapter = api.adapter();
    let invalid = |status: StatusCode, message: String| {
        refusal(api, &Failure::new(FailureKind::InvalidRequest, message).with_status(status.as_u16()))
    };
    let request = match body {
        Ok(body) => adapter.decode_request(path, &body),
        Err(rejection) => return invalid(rejection.status(), rejection.body_text()),
    };
    let NamedRequest { model, request } = match request {
        Ok(named) => named,
        Err(error) => return invalid(StatusCode::BAD_REQUEST, error.to_string()),
    };
    let stream = request.stream;
    let encoder = adapter.encoder(path, &model, &request);
    let mut run = Engine::new();
    run.start(service, Arc::new(call(model, request, headers)));
    if stream { streamed(api, run, encoder).await } else { whole(api, &mut run).await }
}

fn call(model: String, request: chat::Request, headers: &HeaderMap) -> Call {
    // The client's own name for the call, the same over its tries.
    let key = headers.get("idempotency-key").and_then(|value| value.to_str().ok());
    let target = Target { gateway: String::new(), model: model.clone() };
    let mut call = Call::new(0, model, vec![target.into()], Arc::new(request));
    call.limits.timeout = LONGEST;
    if let Some(key) = key {
        key.clone_into(&mut call.idempotency_key);
    }
    call
}

async fn whole(api: Api, run: &mut Engine) -> Response {
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
async fn streamed(api: Api, mut run: Engine, encoder: Box<dyn Encoder + Send>) -> Response {
    let mut batch = Vec::new();
    while run.next(&mut batch).await {
        if let Some(RunEvent { event: Event::Done(Err(failure)), .. }) = batch.first() {
            return refusal(api, failure);
        }
        if batch.iter().any(|event| matches!(event.event, Event::Stream(_) | Event::Done(_))) {
            break;
        }
    }
    let content_type = encoder.content_type();
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
    let headers = [(header::CONTENT_TYPE, content_type), (header::CACHE_CONTROL, "no-cache")];
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
