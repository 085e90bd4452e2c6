//! From the request of a client to a call.

use std::sync::Arc;

use axum::http::HeaderMap;
use bytes::Bytes;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::ignored::ignored;
use super::keys::Client;
use super::loaded_config::LoadedConfig;
use super::models::may_use_for;
use super::readable;
use super::refusal::with_sentences;
use super::translation::{translated, unable};
use crate::adapter::{Api, ClientBody, NamedRequest, Operation, asks_for_background, naming_model};
use crate::call::{Call, Caller, Choice, Limits, Target, origin};
use crate::chat::Request;
use crate::config::{Settings, name_fits};
use crate::error::{Failure, FailureKind};
use crate::http::{generate_request, idempotency_key, invalid};
use crate::policy::budget::other_model;
use crate::route::NamedRoute;

/// The headers of clients that belong to their wire format and are sent on to a gateway that speaks it.
const OF_FORMAT: [&str; 3] = ["anthropic-version", "anthropic-beta", "openai-beta"];

/// The longest name of a model, in bytes: as long as Amazon Bedrock allows, which has the longest ones. It stands in headers, messages
/// and the ledger.
const LONGEST_MODEL: usize = 2_048;

/// What begins the name of a header whose value is a tag of the call.
const TAG: &str = "x-llm-tag-";

/// What a client asks for, before it is known who answers.
pub(super) struct Asked {
    pub(super) api: Api,
    /// Below the base URL, with the query.
    pub(super) path: String,
    pub(super) body: ClientBody,
    /// The fields inside of the body that a gateway of another wire format does not get.
    pub(super) ignored: Vec<String>,
    /// What is said of the models of the alias that are left out of the call.
    pub(super) not_tried: Vec<String>,
    /// The request in our terms; or why it has none, so that only a gateway of its own wire format can answer it.
    decoded: Result<Arc<Request>, Failure>,
}

impl Asked {
    /// Reads a request.
    ///
    /// # Errors
    /// It is no request of this format, or asks for what a server cannot do.
    pub(super) fn read(
        api: Api,
        operation: Operation,
        path: &str,
        headers: &HeaderMap,
        bytes: Bytes,
    ) -> Result<Self, Failure> {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let of_format = OF_FORMAT.into_iter().filter_map(|name| Some((name.to_owned(), text(name)?))).collect();
        let body = ClientBody::read(api, operation, path, bytes.clone()).map_err(|error| invalid(error.to_string()))?;
        if body.model().len() > LONGEST_MODEL {
            let message = format!("the name of the model is longer than {LONGEST_MODEL} bytes");
            return Err(Failure { param: Some("model".into()), ..invalid(message) });
        }
        // The answer would be written after this one, when nobody can fetch or stop it here, nor learn what it cost.
        if api == Api::OpenaiResponses
            && let Some(field) = asks_for_background(&bytes)
        {
            let message = format!("leave `{field}` out: this server cannot fetch an answer later, nor stop it");
            return Err(Failure { param: Some(field), ..invalid(message) });
        }
        let decoded = match operation {
            Operation::Generate | Operation::CountTokens => {
                let decoded = if (api, operation) == (Api::Gemini, Operation::CountTokens) {
                    let path = path.replace(":countTokens", ":generateContent");
                    api.adapter().decode_request(&path, &generate_request(&bytes))
                } else {
                    api.adapter().decode_request(path, &bytes)
                };
                decoded
                    .map(|NamedRequest { request, .. }| Arc::new(request))
                    .map_err(|error| invalid(error.to_string()))
            }
            Operation::Embed => Err(invalid("the gateway of this model has no embeddings in the format of OpenAI")),
            Operation::Complete => Err(invalid("the gateway of this model completes no texts in the format of OpenAI")),
        };
        let body = body.with_headers(of_format);
        // Of embeddings and completions, the body holds all that is paid for.
        let body = match &decoded {
            Err(obstacle) if operation == Operation::Generate => body.not_understood(obstacle.message.clone()),
            _ => body,
        };
        Ok(Self { api, path: path.to_owned(), body, ignored: Vec::new(), not_tried: Vec::new(), decoded })
    }

    /// The request in our terms. Where it has none, the fields of the body stand for it, with the messages as far as they can be
    /// read, so that the ledger knows what was asked.
    pub(super) fn request(&self) -> Arc<Request> {
        self.decoded.clone().unwrap_or_else(|_| {
            let extra = match serde_json::from_slice(self.body.bytes()) {
                Ok(Value::Object(fields)) => fields,
                _ => serde_json::Map::new(),
            };
            let messages = readable::messages(&extra);
            Arc::new(Request { messages, stream: self.body.stream(), extra, ..Request::default() })
        })
    }

    /// The call of this client.
    ///
    /// # Errors
    /// There is no such model, the client may not use it, or the request cannot be put into the format of its gateway.
    pub(super) fn call(
        mut self,
        loaded: &LoadedConfig,
        client: &Client,
        headers: &HeaderMap,
    ) -> Result<(Call, Self), Failure> {
        let named = loaded.route(self.body.model())?;
        let request = self.request();
        let choices = loaded.choices(&named, &request);
        let mut left_out = LeftOut::of(&choices);
        let (choices, caller) = permitted(&loaded.settings, client, self.body.model(), &named, choices, &mut left_out)?;
        // Who may use an alias has no list any more when its models are checked.
        if let Some(field) = is_limited(client).then(|| naming_model(self.body.bytes())).flatten() {
            return Err(other_model(&client.name, &field));
        }
        let refused = left_out.told.clone();
        let fitting = self.fitting(loaded, choices, request, &mut left_out);
        let (choices, request) = fitting.map_err(|failure| with_sentences(failure, &refused))?;
        self.not_tried = left_out.told;
        if choices.iter().any(|choice| !choice.passes) {
            self.ignored = ignored(self.api, self.body.bytes());
        }
        let timeout = loaded.timeout(&choices[0].target.gateway);
        let mut call = Call::new(0, self.body.model(), choices, request);
        call.task = named.task;
        call.caller = with_tags(caller, headers);
        call.limits = Limits { timeout, ..Limits::default() };
        call.uncached = headers.get("x-llm-cache").is_some_and(|value| value == "off");
        if let Some(key) = idempotency_key(headers) {
            call.idempotency_key = of_client(&client.name, key);
        }
        call.body = Some(Arc::new(self.body.with_usage()));
        Ok((call, self))
    }

    /// The choices that can answer, each marked whether it gets the body as it is, and the request for the others.
    fn fitting(
        &self,
        loaded: &LoadedConfig,
        choices: Vec<Choice>,
        request: Arc<Request>,
        left_out: &mut LeftOut,
    ) -> Result<(Vec<Choice>, Arc<Request>), Failure> {
        let mut why_not = None;
        let translation = match &self.decoded {
            Ok(request) if self.body.operation() == Operation::Generate => translated(self.api, request),
            Ok(_) => Err(invalid("the gateway of this model has nothing of this kind")),
            Err(failure) => Err(failure.clone()),
        };
        let api_of = |choice: &Choice| {
            let gateway = loaded.prepared.gateways().get(&choice.target.gateway);
            gateway.map(|gateway| gateway.api_of(&choice.target.model))
        };
        let passes = |choice: &Choice| {
            let api = api_of(choice);
            match self.body.operation() {
                Operation::Generate | Operation::CountTokens => api == Some(self.api),
                Operation::Embed | Operation::Complete => {
                    matches!(api, Some(Api::OpenaiChat | Api::OpenaiResponses))
                }
            }
        };
        // Reasoning of other models in it is for those alone.
        let has_marks = translation.as_ref().is_ok_and(origin::has_marks);
        let fitting = choices.into_iter().filter_map(|choice| {
            let passes = passes(&choice) && !has_marks;
            let failure = match &translation {
                _ if passes => None,
                Err(failure) => Some(failure.clone()),
                Ok(request) => api_of(&choice).and_then(|api| unable(api, request)),
            };
            let Some(failure) = failure else { return Some(Choice { passes, ..choice }) };
            left_out.add(&choice.target, &failure.message);
            why_not.get_or_insert(failure);
            None
        });
        let fitting: Vec<Choice> = fitting.collect();
        match why_not {
            Some(failure) if fitting.is_empty() => Err(failure),
            // Where all get the body as it is, the request serves the records alone, and stays whole.
            _ if fitting.iter().all(|choice| choice.passes) => Ok((fitting, request)),
            _ => Ok((fitting, translation.map(Arc::new).unwrap_or(request))),
        }
    }
}

/// What is said of the models of an alias that its call is made without.
struct LeftOut {
    /// All models of the alias.
    all: Vec<Target>,
    told: Vec<String>,
}

impl LeftOut {
    fn of(choices: &[Choice]) -> Self {
        Self { all: choices.iter().map(|choice| choice.target.clone()).collect(), told: Vec::new() }
    }

    fn add(&mut self, target: &Target, why: &str) {
        self.told.push(target.not_tried(&self.all, why));
    }
}

/// Whether a client may use some models only.
fn is_limited(client: &Client) -> bool {
    client.caller.allow.is_some() || !client.caller.refuse.is_empty()
}

/// The choices that a client may use which has asked for this name, and the caller whose rules hold for them.
fn permitted(
    settings: &Settings,
    client: &Client,
    asked: &str,
    named: &NamedRoute,
    choices: Vec<Choice>,
    left_out: &mut LeftOut,
) -> Result<(Vec<Choice>, Arc<Caller>), Failure> {
    let (permitted, refused): (Vec<Choice>, Vec<Choice>) =
        choices.into_iter().partition(|choice| may_use_for(settings, client, asked, &choice.target));
    if permitted.is_empty() || named.names().into_iter().any(|name| client.caller.is_refused(name)) {
        let message = format!("the key {} may not be used for {asked}", client.name);
        return Err(Failure { param: Some("model".into()), ..Failure::new(FailureKind::Refused, message) });
    }
    let why = format!("the key {} may not be used for it", client.name);
    refused.iter().for_each(|choice| left_out.add(&choice.target, &why));
    // Whoever may use an alias has no list any more when its models are checked.
    let is_named = |allow: &Vec<String>| allow.iter().any(|pattern| name_fits(pattern, asked));
    let caller = match client.caller.allow.as_ref().is_some_and(is_named) {
        true => Arc::new(Caller { allow: None, ..(*client.caller).clone() }),
        false => Arc::clone(&client.caller),
    };
    Ok((permitted, caller))
}

/// The caller with the tags of this request. Those of the key come first: a client cannot change to whom its costs belong.
fn with_tags(caller: Arc<Caller>, headers: &HeaderMap) -> Arc<Caller> {
    let tag = |(name, value): (&axum::http::HeaderName, &axum::http::HeaderValue)| {
        Some((name.as_str().strip_prefix(TAG)?.to_owned(), value.to_str().ok()?.to_owned()))
    };
    let mut tags: std::collections::BTreeMap<String, String> = headers.iter().filter_map(tag).collect();
    if tags.is_empty() {
        return caller;
    }
    tags.extend(caller.tags.clone());
    Arc::new(Caller { tags, ..(*caller).clone() })
}

/// The idempotency key of a client's request at the gateway, where all clients have the same account: a client never gets
/// the answer to the request of another one that has chosen the same key.
fn of_client(client: &str, key: &str) -> String {
    let hash = Sha256::new().chain_update(client).chain_update("\n").chain_update(key).finalize();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash[..16]);
    uuid::Builder::from_random_bytes(bytes).into_uuid().to_string()
}
