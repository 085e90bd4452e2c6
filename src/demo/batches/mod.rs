//! The Batch APIs of the demo gateway: OpenAI's files and batches, Anthropic's message batches, Gemini's batch mode. What is
//! handed over is kept in memory, and a batch is answered when it is asked for the second time how it stands.

mod anthropic;
mod gemini;
mod openai;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Uri};
use axum::response::Response;
use axum::routing::{get, post};
use serde_json::{Value, json};

pub(super) use self::gemini::{VERB, create};
use super::server::{Backend, Received, call, decode, read_body};
use crate::adapter::{Api, NamedRequest};
use crate::call::Event;
use crate::chat;
use crate::engine::Engine;
use crate::error::Failure;
use crate::http::{format_of, invalid, json_body, not_found, refusal};

/// What the server keeps.
#[derive(Debug, Default)]
struct Kept {
    files: BTreeMap<String, Bytes>,
    batches: BTreeMap<String, Batch>,
    /// How many ids were given.
    ids: u64,
}

impl Kept {
    /// A new id. Ids are in the order in which they were given.
    fn id(&mut self, prefix: &str) -> String {
        self.ids += 1;
        format!("{prefix}demo-{:06}", self.ids)
    }
}

/// How a batch stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stand {
    /// Nobody has asked for it yet.
    Received,
    /// It was asked for once.
    Running,
    Answered,
    Cancelled,
}

#[derive(Debug, Clone)]
struct Batch {
    /// The wire format of its requests, which is also the form in which it is shown.
    api: Api,
    /// The path of the endpoint for single requests.
    endpoint: String,
    requests: Arc<[Asked]>,
    /// What the client gave to find it again; what this is depends on the form.
    mark: Value,
    stand: Stand,
    /// What became of the requests, in the order in which they ended.
    results: Arc<[Answered]>,
    /// The files of OpenAI's form.
    input: Option<String>,
    output: Option<String>,
}

impl Batch {
    fn new(api: Api, endpoint: impl Into<String>, requests: Vec<Asked>, mark: Value) -> Self {
        let (stand, results) = (Stand::Received, Arc::default());
        Self {
            api,
            endpoint: endpoint.into(),
            requests: requests.into(),
            mark,
            stand,
            results,
            input: None,
            output: None,
        }
    }

    /// How many results are answers, and how many are failures.
    fn counts(&self) -> (usize, usize) {
        let ok = self.results.iter().filter(|answered| answered.body.is_ok()).count();
        (ok, self.results.len() - ok)
    }

    /// In the form in which it was handed over.
    fn shown(&self, id: &str) -> Value {
        match self.api {
            Api::OpenaiChat | Api::OpenaiResponses => openai::shown(id, self),
            Api::Anthropic => anthropic::shown(id, self),
            Api::Gemini => gemini::shown(id, self),
        }
    }
}

/// A request of a batch.
#[derive(Debug)]
struct Asked {
    id: String,
    body: Value,
}

/// What became of a request: the body of the answer, or the status and body of a failure.
#[derive(Debug)]
struct Answered {
    id: String,
    body: Result<Value, (u16, Value)>,
}

/// The batches, and what answers them.
pub(super) struct Batches<B> {
    backend: Arc<B>,
    kept: Arc<Mutex<Kept>>,
}

impl<B> Clone for Batches<B> {
    fn clone(&self) -> Self {
        Self { backend: Arc::clone(&self.backend), kept: Arc::clone(&self.kept) }
    }
}

impl<B> Batches<B> {
    pub(super) fn new(backend: Arc<B>) -> Self {
        Self { backend, kept: Arc::default() }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a batch, and shows it.
    fn keep(&self, prefix: &str, batch: Batch) -> Response {
        let mut kept = self.kept();
        let id = kept.id(prefix);
        let shown = batch.shown(&id);
        kept.batches.insert(id, batch);
        json_body(shown.to_string())
    }
}

/// The routes. Gemini's batches are handed over at a path of a model, which the server knows.
pub(super) fn router<B: Backend>(batches: Batches<B>) -> Router {
    let mut router = Router::new()
        .route("/v1/files", post(openai::upload::<B>))
        .route("/v1/files/{id}/content", get(openai::content::<B>))
        .route("/v1/batches", post(openai::create::<B>))
        .route("/v1/messages/batches", post(anthropic::create::<B>))
        .route("/v1/messages/batches/{id}/results", get(anthropic::results::<B>));
    for path in ["/v1/batches", "/v1beta/batches", "/v1/messages/batches"] {
        router = router
            .route(path, get(list::<B>))
            .route(&format!("{path}/{{id}}"), get(status::<B>))
            .route(&format!("{path}/{{id}}/cancel"), post(cancel::<B>));
    }
    for path in ["/v1/batches", "/v1beta/batches"] {
        // Google's form has the verb behind a colon.
        router = router.route(&format!("{path}/{{id}}"), post(cancel::<B>));
    }
    router.with_state(batches)
}

/// The form of a request to a path of batches.
fn api_of(uri: &Uri, headers: &HeaderMap) -> Api {
    if uri.path().starts_with("/v1/messages/") { Api::Anthropic } else { format_of(uri, headers) }
}

/// A body of JSON.
fn read_json(body: Received) -> Result<Value, Failure> {
    let body = read_body(body)?;
    serde_json::from_slice(&body).map_err(|error| invalid(format!("the body is not JSON: {error}")))
}

/// Takes a field out of an object. What is not there, or no object, has none.
fn take(value: &mut Value, name: &str) -> Value {
    value.get_mut(name).map(Value::take).unwrap_or_default()
}

/// The requests of a batch, if they can be told apart.
fn distinct(requests: Vec<Asked>) -> Result<Vec<Asked>, Failure> {
    let mut ids = BTreeSet::new();
    if requests.is_empty() {
        return Err(invalid("the batch has no requests"));
    }
    match requests.iter().find(|asked| asked.id.is_empty() || !ids.insert(asked.id.as_str())) {
        Some(asked) if asked.id.is_empty() => Err(invalid("a request of the batch has no id")),
        Some(asked) => Err(invalid(format!("two requests of the batch have the id `{}`", asked.id))),
        None => Ok(requests),
    }
}

/// All batches of the form that asks, the newest first.
async fn list<B: Backend>(state: State<Batches<B>>, uri: Uri, headers: HeaderMap) -> Response {
    let api = api_of(&uri, &headers);
    let is_openai = |api: Api| matches!(api, Api::OpenaiChat | Api::OpenaiResponses);
    let kept = state.kept();
    let batches = kept.batches.iter().filter(|(_, batch)| batch.api == api || is_openai(batch.api) && is_openai(api));
    let mut shown: Vec<(&String, Value)> = batches.map(|(id, batch)| (id, batch.shown(id))).collect();
    // The prefixes of ids differ, their numbers are in order.
    shown.sort_by_key(|(id, _)| std::cmp::Reverse(id.rsplit('-').next().map(str::to_owned)));
    let data: Vec<Value> = shown.into_iter().map(|(_, batch)| batch).collect();
    let list = match api {
        Api::Gemini => json!({"operations": data}),
        Api::OpenaiChat | Api::OpenaiResponses => json!({"object": "list", "data": data, "has_more": false}),
        Api::Anthropic => {
            let id = |batch: Option<&Value>| batch.map(|batch| batch["id"].clone());
            json!({"data": data, "has_more": false, "first_id": id(data.first()), "last_id": id(data.last())})
        }
    };
    json_body(list.to_string())
}

/// How a batch stands. The first question finds it in progress, and the second one has it answered.
async fn status<B: Backend>(
    state: State<Batches<B>>,
    Path(id): Path<String>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let found = {
        let mut kept = state.kept();
        let Some(batch) = kept.batches.get_mut(&id) else { return missing(&id, api_of(&uri, &headers)) };
        if batch.stand != Stand::Running {
            if batch.stand == Stand::Received {
                batch.stand = Stand::Running;
            }
            return json_body(batch.shown(&id).to_string());
        }
        batch.clone()
    };
    let results = answers(&state.backend, &found).await;
    let mut kept = state.kept();
    let output =
        matches!(found.api, Api::OpenaiChat | Api::OpenaiResponses).then(|| openai::output(&mut kept, &results));
    let Some(batch) = kept.batches.get_mut(&id) else { return missing(&id, found.api) };
    // It may have been cancelled meanwhile.
    if batch.stand == Stand::Running {
        (batch.stand, batch.results, batch.output) = (Stand::Answered, results.into(), output);
    }
    json_body(batch.shown(&id).to_string())
}

/// Ends a batch that has no answers yet.
async fn cancel<B: Backend>(
    state: State<Batches<B>>,
    Path(id): Path<String>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let api = api_of(&uri, &headers);
    let name = match api {
        Api::Gemini => id.strip_suffix(":cancel"),
        _ => Some(&*id).filter(|_| uri.path().ends_with("/cancel")),
    };
    let mut kept = state.kept();
    let found = name.and_then(|name| Some((name, kept.batches.get_mut(name)?)));
    let Some((name, batch)) = found else { return missing(&id, api) };
    if batch.stand != Stand::Answered {
        batch.stand = Stand::Cancelled;
    }
    json_body(match api {
        // Google answers with nothing.
        Api::Gemini => "{}".to_owned(),
        _ => batch.shown(name).to_string(),
    })
}

fn missing(id: &str, api: Api) -> Response {
    refusal(api, &not_found(format!("there is no batch {id}")))
}

/// What becomes of the requests of a batch, in the order in which they end.
async fn answers<B: Backend>(backend: &Arc<B>, batch: &Batch) -> Vec<Answered> {
    let api = batch.api;
    let mut results = Vec::new();
    let mut run = Engine::new();
    let mut asked: BTreeMap<usize, (String, chat::Response)> = BTreeMap::new();
    for (index, Asked { id, body }) in batch.requests.iter().enumerate() {
        match decode(api, &batch.endpoint, body.to_string().as_bytes()) {
            Ok(NamedRequest { model, request }) => {
                let mut call = call(model, request, &HeaderMap::new());
                call.index = index;
                asked.insert(index, (id.clone(), chat::Response::default()));
                run.start(backend, Arc::new(call));
            }
            Err(failure) => results.push(answered(api, id.clone(), Err(&failure))),
        }
    }
    let mut events = Vec::new();
    while run.next(&mut events).await {
        for event in events.drain(..) {
            match event.event {
                Event::Stream(piece) => {
                    if let Some((_, response)) = asked.get_mut(&event.call) {
                        response.apply(&piece);
                    }
                }
                Event::Done(ended) => {
                    if let Some((id, response)) = asked.remove(&event.call) {
                        results.push(answered(api, id, ended.as_ref().map(|()| &response)));
                    }
                }
                _ => {}
            }
        }
    }
    results
}

fn answered(api: Api, id: String, ended: Result<&chat::Response, &Failure>) -> Answered {
    let value = |body: Vec<u8>| serde_json::from_slice(&body).unwrap_or_default();
    let body = match ended {
        Ok(response) => Ok(value(api.adapter().encode_response(response))),
        Err(failure) => Err((failure.status.unwrap_or(500), value(api.adapter().encode_error(failure)))),
    };
    Answered { id, body }
}

/// Lines of JSON.
fn lines(values: impl Iterator<Item = Value>) -> Bytes {
    values.flat_map(|value| (value.to_string() + "\n").into_bytes()).collect()
}
