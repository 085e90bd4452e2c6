//! Attempts: sends a wire request over HTTP, and reports what comes back as events. Only this module uses reqwest.

mod answer;
mod body;
mod collector;
mod connect;
mod content;
mod deadlines;
mod documents;
mod endpoints;
mod json_text;
mod mask;
mod names;
mod proxy;
mod relay;
mod request_headers;
mod response_headers;
mod spelling;
mod streamed;
mod transport;
pub mod web;
mod words;

use std::collections::HashMap;
use std::time::Duration;

use bytes::Bytes;
use secrecy::SecretString;
use tokio::time::{Instant, timeout_at};
use url::Url;

use crate::adapter::{Api, wants_several};
use crate::call::Service;
use crate::call::{Call, Event, Events};
use crate::chat::StreamEvent;
use crate::config::{self, Auth};
use crate::error::{Failure, FailureKind, RefusedKey};
use crate::failpoint;
use answer::Reading;
use connect::Connects;
use deadlines::Deadlines;
use endpoints::Endpoints;
use mask::Mask;

pub use collector::Collector;
pub use content::Content;
pub use documents::{Fetched, check_document};
pub use request_headers::{redacted as redacted_headers, replace_key};
pub(crate) use streamed::REPEATED_KEY;

/// A connection that is closed later than this after a request was sent on it was not closed because it was idle.
const LATEST_CLOSE: Duration = Duration::from_millis(250);

/// Whether the config of this gateway has headers that look as if they held a secret.
pub fn has_secret_headers(gateway: &config::Gateway) -> bool {
    !Mask::new(gateway, None).is_empty()
}

/// All gateways of a run. A gateway that could not be prepared answers every call with the reason.
#[derive(Debug, Default)]
pub struct Gateways {
    clients: HashMap<String, Result<Client, Failure>>,
}

impl Gateways {
    /// Adds a gateway under its name in the config.
    pub fn add(&mut self, name: &str, client: Result<Client, Failure>) {
        self.clients.insert(name.to_owned(), client);
    }
}

impl Service for Gateways {
    async fn call(&self, call: &Call, events: &Events) -> Result<(), Failure> {
        let target = call.target();
        match self.clients.get(&target.gateway) {
            Some(Ok(client)) => client.call(call, events).await,
            // The reason does not go away within this run.
            Some(Err(failure)) => Err(Failure { should_retry: Some(false), ..failure.clone() }),
            None => Err(Failure::new(FailureKind::Protocol, format!("no gateway is called {}", target.gateway))),
        }
    }
}

/// One gateway: its connections, its key and its settings.
pub struct Client {
    http: reqwest::Client,
    gateway: config::Gateway,
    key: Option<SecretString>,
    /// What the user is told if the gateway refuses the key; `None` where none is sent.
    if_refused: Option<String>,
    mask: Mask,
    connects: Connects,
    endpoints: Endpoints,
    /// The proxy before the gateway, for the error and the hint where a connection fails.
    proxy: Option<proxy::Before>,
    /// What that proxy is told to let the requests pass.
    proxy_secrets: Vec<SecretString>,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("gateway", &self.gateway).finish_non_exhaustive()
    }
}

impl Client {
    /// Prepares a gateway without its key. The connection is made when it is first needed.
    ///
    /// # Errors
    /// A header of the config cannot be sent, TLS or the `ca_file` cannot be set up, or a proxy variable holds no address.
    pub fn new(gateway: config::Gateway, env: &config::Env) -> Result<Self, Failure> {
        let connects = Connects::default();
        let http = transport::client(&gateway, connects.clone(), env)?;
        // A header that cannot be sent is found before anything is sent.
        request_headers::common(&gateway, gateway.api, None)?;
        let proxy = proxy::before(&gateway.base_url, env)?;
        // Most gateways have none.
        let proxy_secrets = match &proxy {
            Some(_) => proxy::secrets(gateway.base_url.scheme(), env)?,
            None => Vec::new(),
        };
        let mask = Mask::new(&gateway, None).and(&proxy_secrets);
        let endpoints = Endpoints::default();
        Ok(Self { http, gateway, key: None, if_refused: None, mask, connects, endpoints, proxy, proxy_secrets })
    }

    /// Adds the key, which is sent with every request in the headers of the wire format, and what the user is told if the gateway
    /// refuses it.
    ///
    /// # Errors
    /// The key holds characters that HTTP does not allow in a header.
    pub fn with_key(mut self, key: SecretString, if_refused: String) -> Result<Self, Failure> {
        // A key that cannot be sent in one format cannot be sent in any.
        request_headers::common(&self.gateway, self.gateway.api, Some(&key))?;
        self.mask = Mask::new(&self.gateway, Some(&key)).and(&self.proxy_secrets);
        let is_replaced = replace_key(&self.gateway);
        (self.key, self.if_refused) = (Some(key), (!is_replaced).then_some(if_refused));
        Ok(self)
    }

    /// Masks these secrets as well, such as keys that were used before.
    pub(crate) fn masking(mut self, secrets: &[SecretString]) -> Self {
        self.mask = self.mask.and(secrets);
        self
    }

    /// The gateway's settings.
    pub fn config(&self) -> &config::Gateway {
        &self.gateway
    }

    /// A body that came from the gateway, without secrets.
    pub(crate) fn masked(&self, body: Vec<u8>) -> Vec<u8> {
        self.mask.body(body)
    }

    /// The event without secrets, which stay in the words of the model.
    pub(crate) fn masked_event(&self, event: StreamEvent) -> StreamEvent {
        self.mask.event(event)
    }

    /// The failure as other modules see it: without secrets, and with advice that fits the key that was sent, if any.
    pub(crate) fn reported(&self, failure: Failure) -> Failure {
        let mut failure = self.mask.failure(failure);
        let name = &self.gateway.name;
        if let Some(proxy) = self.proxy.as_ref().filter(|_| failure.status == Some(407)) {
            failure.advice = Some(proxy::password(proxy.variable).into());
            // Without a tunnel, it is the proxy that answers.
            if !self.gateway.base_url.is_https() {
                let origin = self.gateway.base_url.origin();
                failure.kind = FailureKind::Network;
                failure.should_retry = Some(false);
                failure.message = format!("cannot connect to {origin} through {proxy}: it answers 407");
            }
        }
        if failure.advice.is_none() {
            let advice = match failure.kind {
                FailureKind::Auth => self.if_refused.clone(),
                FailureKind::NotFound => {
                    Some(format!("`llm models -g {name}` lists what {name} offers; `llm doctor` checks its base URL"))
                }
                _ => None,
            };
            failure.advice = advice.map(Into::into);
        }
        let is_ours = failure.refused_key != RefusedKey::OfUpstream;
        if failure.kind == FailureKind::Auth && is_ours && self.if_refused.is_none() {
            let is_in_headers = has_secret_headers(&self.gateway);
            if !is_in_headers {
                failure.refused_key = RefusedKey::Missing;
            }
            let advice = match self.gateway.auth {
                _ if is_in_headers => {
                    format!("the gateway refused what the headers of {name} in the config hold; no other key was sent")
                }
                Auth::None => format!("no key was sent, as auth = \"none\" of {name} in the config asks"),
                Auth::Required | Auth::Optional => {
                    format!("no key was sent: `llm key set {name}` or an environment variable gives one")
                }
            };
            failure.advice = Some(advice.into());
        }
        failure
    }

    async fn attempt(&self, call: &Call, api: Api, url: Url, body: Bytes, events: &Events) -> Result<(), Failure> {
        let adapter = api.adapter();
        let headers = request_headers::of_call(&self.gateway, api, call, self.key.as_ref())?;
        let wants_one = match call.passed() {
            Some(passed) => !passed.wants_several(),
            // Our own requests ask for one answer, unless their further fields say otherwise.
            None => call.request.extra.is_empty() || !wants_several(&body),
        };
        let request = self.http.post(url).headers(headers).body(body);
        let deadlines = Deadlines::new(&self.gateway.timeouts, call.choice().timeout);
        let (passed, is_served) = (call.passed(), call.body.is_some());
        let reading = Reading { client: self, adapter, deadlines, passed, is_served, wants_one };
        let again = request.try_clone();
        let began = Instant::now();
        let (mut sent, mut connected) = self.connects.watch(timeout_at(deadlines.first, request.send())).await;
        // A server may close an idle connection at the moment in which it is used again. The request is then sent once
        // more, and the attempt goes on. One that closes it later may have worked on the request.
        if let (Ok(Err(error)), None, Some(again)) = (&sent, &connected, again)
            && transport::is_lost(error)
            && began.elapsed() < LATEST_CLOSE
        {
            (sent, connected) = self.connects.watch(timeout_at(deadlines.first, again.send())).await;
        }
        if let Some(connected) = connected {
            events.emit_at(connected.at, Event::Connected { took: connected.took }).await?;
        }
        let response = match sent {
            Ok(response) => response.map_err(|error| transport::failure(error, self))?,
            Err(_) => return Err(deadlines.exceeded(false)),
        };
        failpoint::reach("response");
        let status = response.status().as_u16();
        events
            .emit(Event::Headers { status, meta: self.mask.meta(response_headers::meta(response.headers())) })
            .await?;
        match status {
            200..=203 => reading.answer(response, events).await,
            300..=399 => Err(response_headers::redirect(&response, &self.gateway, &self.mask)),
            400.. => Err(reading.refusal(response, status).await),
            _ => Err(Failure::new(
                FailureKind::Protocol,
                format!("the gateway answered with status {status} and no answer"),
            )
            .with_status(status)),
        }
    }
}

impl Service for Client {
    async fn call(&self, call: &Call, events: &Events) -> Result<(), Failure> {
        let target = call.target();
        let api = call.api(self.gateway.api_of(&target.model));
        let wire = call.wire(api);
        let body = Bytes::from(wire.body);
        let urls = self.endpoints.urls(&self.gateway.base_url, api, &wire.path)?;
        let mut result = Ok(());
        for index in self.endpoints.order(urls.len()) {
            events.emit(Event::Attempt { target: target.clone() }).await?;
            // The state of an attempt is large, and every policy around it would move it.
            result = Box::pin(self.attempt(call, api, urls[index].clone(), body.clone(), events)).await;
            result = result.map_err(|failure| self.reported(failure));
            if let Err(failure) = &result {
                events.emit(Event::AttemptFailed { failure: failure.clone() }).await?;
                if is_nowhere(failure, &wire.path) {
                    continue;
                }
            }
            self.endpoints.found(index);
            break;
        }
        result
    }
}

/// Whether the failure means that this path does not exist, rather than that the model does not.
fn is_nowhere(failure: &Failure, path: &str) -> bool {
    let path = path.split_once('?').map_or(path, |(path, _)| path);
    match failure.status {
        Some(404) => !failure.message.replace(path, "").to_lowercase().contains("model"),
        Some(405) => true,
        _ => false,
    }
}
