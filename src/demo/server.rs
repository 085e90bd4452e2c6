//! The server of the demo gateway: HTTP in over every wire format, calls to one [`Backend`], HTTP out.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::{HeaderMap, Method, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use futures_util::stream;

use super::batches::{self, Batches};
use super::embeddings::{self, Embeddings, Input};
use super::tokens;
use crate::adapter::{Api, Encoder, NamedRequest};
use crate::call::{Call, Event, RunEvent, Service, Target};
use crate::chat;
use crate::engine::Engine;
use crate::error::{Failure, FailureKind};
use crate::http::{format_of, idempotency_key, invalid, json_body, models, refusal};

/// What the server answers from.
pub(super) trait Backend: Service + 'static {
    /// The number of input tokens that an answer of this model to this request reports as its usage.
    ///
    /// # Errors
    /// There is no such model.
    fn count_tokens(&self, model: &str, request: &chat::Request) -> Result<u64, Failure>;

    /// One vector for each input, of so many dimensions, or of as many as the model has by itself. `key` is the
    /// idempotency key of the request.
    ///
    /// # Errors
    /// There is no such model, it does not answer, or it has no vectors of so many dimensions.
    fn embed(
        &self,
        model: &str,
        key: &str,
        inputs: &[Input],
        dimensions: Option<usize>,
    ) -> impl Future<Output = Result<Embeddings, Failure>> + Send;
}

/// A request's body, or why it could not be read.
pub(super) type Received = Result<Bytes, BytesRejection>;

/// The routes of all wire formats. `models` is the list of models in OpenAI's form.
pub(super) fn router<B: Backend>(backend: B, models: Vec<u8>) -> Router {
    let generate = post(generate::<B>);
    let backend = Arc::new(backend);
    let batches = Batches::new(Arc::clone(&backend));
    let of_models = Router::new()
        // Google's library uses the first path since version 3, and the second before.
        .route("/v1/models/{*id}", generate.clone())
        .route("/v1beta/models/{*id}", generate)
        .with_state((Arc::clone(&backend), batches.clone()));
    let answers = Router::new()
        .route("/v1/chat/completions", post(chat_completions::<B>))
        .route("/v1/responses", post(responses::<B>))
        .route("/v1/messages", post(messages::<B>))
        .route("/v1/messages/count_tokens", post(tokens::of_messages::<B>))
        .route("/v1/embeddings", post(embeddings::embeddings::<B>))
        .with_state(backend);
    let all = answers.merge(of_models).merge(batches::router(batches)).merge(models::router(models));
    all.fallback(unknown_path).method_not_allowed_fallback(unknown_path)
}

async fn chat_completions<B: Backend>(backend: State<Arc<B>>, headers: HeaderMap, body: Received) -> Response {
    answer(&backend, Api::OpenaiChat, "chat/completions", &headers, body).await
}

async fn responses<B: Backend>(backend: State<Arc<B>>, headers: HeaderMap, body: Received) -> Response {
    answer(&backend, Api::OpenaiResponses, "responses", &headers, body).await
}

async fn messages<B: Backend>(backend: State<Arc<B>>, headers: HeaderMap, body: Received) -> Response {
    answer(&backend, Api::Anthropic, "messages", &headers, body).await
}

/// Every method of a model in Gemini's format.
async fn generate<B: Backend>(
    State((backend, batches)): State<(Arc<B>, Batches<B>)>,
    uri: Uri,
    headers: HeaderMap,
    body: Received,
) -> Response {
    if let Some(model) = uri.path().strip_suffix(":countTokens") {
        return tokens::of_contents(&*backend, model, body);
    }
    if let Some((_, model)) = uri.path().strip_suffix(batches::VERB).and_then(|path| path.split_once("/models/")) {
        return batches::create(&batches, model, body);
    }
    let path = uri.path_and_query().map_or(uri.path(), |path| path.as_str());
    answer(&backend, Api::Gemini, path, &headers, body).await
}

async fn unknown_path(method: Method, uri: Uri, headers: HeaderMap) -> Response {
    let message = format!("there is nothing at {method} {}", uri.path());
    refusal(format_of(&uri, &headers), &Failure::new(FailureKind::NotFound, message).with_status(404))
}

/// The answer to one request, streamed if the client asks for that.
async fn answer<B: Backend>(backend: &Arc<B>, api: Api, path: &str, headers: &HeaderMap, body: Received) -> Response {
    let NamedRequest { model, request } = match read_body(body).and_then(|body| decode(api, path, &body)) {
        Ok(named) => named,
        Err(failure) => return refusal(api, &failure),
    };
    let stream = request.stream;
    let encoder = api.adapter().encoder(path, &model, &request);
    let mut run = Engine::new();
    run.start(backend, Arc::new(call(model, request, headers)));
    if stream { streamed(api, run, encoder).await } else { whole(api, &mut run).await }
}

/// The body of a request.
pub(super) fn read_body(body: Received) -> Result<Bytes, Failure> {
    body.map_err(|rejection| invalid(rejection.body_text()).with_status(rejection.status().as_u16()))
}

/// The request that a body in this wire format holds.
pub(super) fn decode(api: Api, path: &str, body: &[u8]) -> Result<NamedRequest, Failure> {
    api.adapter().decode_request(path, body).map_err(|error| invalid(error.to_string()))
}

/// A call with a new id. Its idempotency key is the client's, where the client sends one.
pub(super) fn call(model: String, request: chat::Request, headers: &HeaderMap) -> Call {
    let target = Target { gateway: String::new(), model: model.clone() };
    let mut call = Call::new(0, model, vec![target.into()], Arc::new(request));
    if let Some(key) = idempotency_key(headers) {
        key.clone_into(&mut call.idempotency_key);
    }
    call
}

/// The answer in one piece.
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
    json_body(api.adapter().encode_response(&response))
}

/// The answer as a stream. The status line is sent after the first event, so that a call that fails before it is an
/// ordinary HTTP error.
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
        let is_over = encode(&mut *encoder, &mut batch, &mut bytes);
        let more = !is_over && run.next(&mut batch).await;
        let next = more.then_some((run, encoder, batch));
        Some((Ok::<_, std::convert::Infallible>(Bytes::from(bytes)), next))
    });
    let headers = [(header::CONTENT_TYPE, content_type), (header::CACHE_CONTROL, "no-cache")];
    (headers, Body::from_stream(body)).into_response()
}

/// Appends the bytes of these events, and returns whether the call is over.
fn encode(encoder: &mut (dyn Encoder + Send), batch: &mut Vec<RunEvent>, bytes: &mut Vec<u8>) -> bool {
    let mut is_over = false;
    for event in batch.drain(..) {
        match event.event {
            Event::Stream(event) => encoder.encode(&event, bytes),
            Event::Done(result) => {
                match result {
                    Ok(()) => encoder.finish(bytes),
                    Err(failure) => encoder.fail(&failure, bytes),
                }
                is_over = true;
            }
            _ => {}
        }
    }
    is_over
}
