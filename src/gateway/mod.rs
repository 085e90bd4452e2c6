//! Attempts: a wire request over HTTP, and what comes back as events. The only user of reqwest.

mod connect;
mod headers;
mod transport;

use std::collections::HashMap;
use std::time::Duration;

use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, IF_NONE_MATCH};
use reqwest::{Method, Response};
use secrecy::{ExposeSecret, SecretString};
use tokio::time::{Instant, timeout_at};

use crate::adapter::stream::{self, Decoded, Stream};
use crate::adapter::{Adapter, Api, DecodeError, Flow, mask_keys};
use crate::call::{Call, Event, Events};
use crate::chat::StreamEvent;
use crate::config;
use crate::error::{Failure, FailureKind};
use crate::policy::Service;
use connect::Connects;

/// The largest answer that is read in one piece.
const LARGEST_ANSWER: usize = 32 * 1024 * 1024;
/// As much of the body of a failed response as is looked at.
const LARGEST_ERROR: usize = 64 * 1024;
/// How long a stream that has said why it ended may take to say what was used, and then that it is over.
const GRACE: Duration = Duration::from_secs(2);
const SHORT_GRACE: Duration = Duration::from_millis(250);
/// As much of a body that is not an answer as is shown.
const EXCERPT: usize = 200;

/// All gateways of a run, ready to be called. A gateway that could not be made ready answers with why.
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
            // What keeps it from being made ready will not pass within this run.
            Some(Err(failure)) => Err(Failure { should_retry: Some(false), ..failure.clone() }),
            None => Err(Failure::new(FailureKind::Protocol, format!("no gateway is called {}", target.gateway))),
        }
    }
}

/// One gateway: its connections, its key and its wire format.
pub struct Client {
    http: reqwest::Client,
    gateway: config::Gateway,
    headers: HeaderMap,
    key: Option<SecretString>,
    connects: Connects,
    /// The environment variable that puts a proxy in between, to be named when a connection fails.
    proxy: Option<&'static str>,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("gateway", &self.gateway).finish_non_exhaustive()
    }
}

/// A body that was fetched, for lists and checks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    pub status: u16,
    pub body: Vec<u8>,
    pub etag: Option<String>,
}

impl Client {
    /// Makes the gateway ready: everything but its key, and the connection, which is made when it is first needed.
    pub fn new(gateway: config::Gateway, env: &config::Env) -> Result<Self, Failure> {
        let connects = Connects::default();
        let http = transport::client(&gateway, connects.clone())?;
        let mut headers = HeaderMap::new();
        for (name, value) in &gateway.headers {
            let bad = || {
                Failure::new(FailureKind::InvalidRequest, format!("the header `{name}` of the config cannot be sent"))
            };
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| bad())?;
            let mut value = HeaderValue::from_str(value).map_err(|_| bad())?;
            value.set_sensitive(true);
            headers.insert(name, value);
        }
        let https = gateway.base_url.is_https();
        let proxy = if gateway.base_url.is_loopback() { None } else { env.proxy_variable(https) };
        // One that makes no sense would be ignored, and the request go out past the proxy that the user wants.
        if let Some(variable) = proxy
            && env.get(variable).is_some_and(|address| reqwest::Proxy::all(address).is_err())
        {
            let message = format!("{variable} is not the address of a proxy");
            return Err(
                Failure::new(FailureKind::Network, message).with_advice(format!("unset {variable}, or mend it"))
            );
        }
        Ok(Self { http, gateway, headers, key: None, connects, proxy })
    }

    /// Sends this key with every request, in the header that the api wants it in. A header of the config wins: some
    /// gateways want their key elsewhere.
    pub fn with_key(mut self, key: SecretString) -> Result<Self, Failure> {
        let (name, value) = auth_header(self.gateway.api, &key)?;
        self.headers.entry(name).or_insert(value);
        self.key = Some(key);
        Ok(self)
    }

    /// The gateway's settings.
    pub fn config(&self) -> &config::Gateway {
        &self.gateway
    }

    /// Fetches a JSON document below `max` bytes; `etag` asks for it only if it has changed (status 304 then).
    pub async fn get(&self, url: &str, etag: Option<&str>, max: usize) -> Result<Fetched, Failure> {
        let mut request = self.http.get(url).headers(self.headers.clone());
        if let Some(etag) = etag.and_then(|etag| HeaderValue::from_str(etag).ok()) {
            request = request.header(IF_NONE_MATCH, etag);
        }
        let deadline = Instant::now() + self.gateway.timeouts.connect + Duration::from_secs(30);
        let fetch = async {
            let mut response = request.send().await.map_err(|error| transport::failure(error, self))?;
            let status = response.status().as_u16();
            if (300..400).contains(&status) && status != 304 {
                return Err(headers::redirect(&response, &self.gateway));
            }
            let etag = response.headers().get("etag").and_then(|value| value.to_str().ok()).map(str::to_owned);
            let mut body = Vec::new();
            while let Some(chunk) = response.chunk().await.map_err(|error| transport::failure(error, self))? {
                body.extend_from_slice(&chunk);
                if body.len() > max {
                    return Err(Failure::new(
                        FailureKind::Protocol,
                        format!("{url} holds more than {} MiB", max >> 20),
                    ));
                }
            }
            if status >= 400 {
                return Err(self.masked(self.adapter().decode_error(status, &body)));
            }
            Ok(Fetched { status, body, etag })
        };
        timeout_at(deadline, fetch).await.unwrap_or_else(|_| {
            Err(Failure::new(
                FailureKind::Timeout,
                format!("{} did not answer in time", self.gateway.base_url.origin()),
            ))
        })
    }

    fn adapter(&self) -> &'static dyn Adapter {
        self.gateway.api.adapter()
    }

    /// The beginning of a body, on one line and without keys: they are masked before one can be cut in two.
    fn excerpt(&self, body: &[u8]) -> String {
        let text = String::from_utf8_lossy(&body[..body.len().min(LARGEST_ERROR)]);
        let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let mut excerpt = mask_keys(&line, self.key.as_ref().map(ExposeSecret::expose_secret)).into_owned();
        if let Some((at, _)) = excerpt.char_indices().nth(EXCERPT) {
            excerpt.truncate(at);
            excerpt.push('…');
        }
        excerpt
    }

    /// Gateways like to repeat the key they refuse.
    fn masked(&self, mut failure: Failure) -> Failure {
        let key = self.key.as_ref().map(ExposeSecret::expose_secret);
        failure.message = mask_keys(&failure.message, key).into_owned();
        failure.cause = failure.cause.map(|cause| mask_keys(&cause, key).into_owned());
        failure
    }

    async fn attempt(&self, call: &Call, events: &Events) -> Result<(), Failure> {
        let target = call.target();
        let adapter = self.adapter();
        let wire = if call.request.model == target.model {
            adapter.encode_request(&call.request)
        } else {
            let request = crate::chat::Request { model: target.model.clone(), ..(*call.request).clone() };
            adapter.encode_request(&request)
        };
        let mut request = self.http.request(Method::POST, self.gateway.base_url.join(&wire.path));
        for (name, value) in &wire.headers {
            request = request.header(*name, value);
        }
        let accept = if call.request.stream { "text/event-stream" } else { "application/json" };
        let request = request
            .headers(self.headers.clone())
            .header(CONTENT_TYPE, "application/json")
            .header(ACCEPT, accept)
            .header("idempotency-key", &call.id)
            .body(wire.body);
        let began = Instant::now();
        let deadline = began + self.gateway.timeouts.first_token;
        let again = request.try_clone();
        let (mut sent, mut connected) = self.connects.watch(timeout_at(deadline, request.send())).await;
        // A server may close a kept connection in the moment in which it is used again. That is nobody's failure.
        if let (Ok(Err(error)), None, Some(again)) = (&sent, &connected, again)
            && transport::is_lost(error)
        {
            (sent, connected) = self.connects.watch(timeout_at(deadline, again.send())).await;
        }
        if let Some(connected) = connected {
            events.emit_at(connected.at, Event::Connected { took: connected.took }).await?;
        }
        let response = match sent {
            Ok(response) => response.map_err(|error| transport::failure(error, self))?,
            Err(_) => return Err(self.too_late(false)),
        };
        let status = response.status().as_u16();
        events.emit(Event::Headers { status, meta: headers::meta(response.headers()) }).await?;
        match status {
            200..=203 => self.answer(response, deadline, events).await,
            300..=399 => Err(headers::redirect(&response, &self.gateway)),
            400.. => Err(self.refusal(response, status, deadline).await),
            _ => Err(Failure::new(
                FailureKind::Protocol,
                format!("the gateway answered with status {status} and no answer"),
            )
            .with_status(status)),
        }
    }

    /// Reads an answer: a stream of events, or one JSON object even where a stream was asked for.
    async fn answer(&self, mut response: Response, first: Instant, events: &Events) -> Result<(), Failure> {
        let mut head = Vec::new();
        loop {
            match first_letter(&head) {
                Some(b'{' | b'[') => return self.whole_answer(head, response, first, events).await,
                Some(b'd' | b'e' | b'i' | b'r' | b':') => {
                    return self.streamed_answer(&head, response, first, events).await;
                }
                Some(_) => return Err(self.no_answer(head, response, first).await),
                None => match self.chunk(&mut response, first).await? {
                    Some(chunk) if head.len() <= LARGEST_ERROR => head.extend_from_slice(&chunk),
                    _ => return Err(self.no_answer(head, response, first).await),
                },
            }
        }
    }

    async fn whole_answer(
        &self,
        mut body: Vec<u8>,
        mut response: Response,
        deadline: Instant,
        events: &Events,
    ) -> Result<(), Failure> {
        while let Some(chunk) = self.chunk(&mut response, deadline).await? {
            body.extend_from_slice(&chunk);
            if body.len() > LARGEST_ANSWER {
                let message = format!("the answer is larger than {} MiB", LARGEST_ANSWER >> 20);
                return Err(Failure::new(FailureKind::Protocol, message));
            }
        }
        let answer = match self.adapter().decode_response(&body) {
            Ok(answer) => answer,
            Err(DecodeError::Failed(failure)) => return Err(self.masked(failure)),
            Err(DecodeError::Malformed(why)) => {
                let failure = Failure::new(FailureKind::Protocol, "the gateway's answer cannot be read");
                return Err(self.masked(failure.with_cause(format!("{why}: {}", self.excerpt(&body)))));
            }
        };
        let outcome = stream::complete(answer.finish.as_ref());
        for event in answer.into_events() {
            events.emit(Event::Stream(event)).await?;
        }
        outcome
    }

    async fn streamed_answer(
        &self,
        head: &[u8],
        mut response: Response,
        first: Instant,
        events: &Events,
    ) -> Result<(), Failure> {
        let mut stream = Stream::new(self.adapter());
        let mut decoded = Vec::new();
        let mut spoke = false;
        let mut deadline = first;
        let mut flow = stream.push(head, &mut decoded);
        loop {
            let arrived = Instant::now();
            for piece in decoded.drain(..) {
                match piece {
                    Decoded::Event(event) => {
                        match &event {
                            StreamEvent::Finish(_) => deadline = arrived + GRACE,
                            StreamEvent::Usage(_) | StreamEvent::Start { .. } => {}
                            _ => {
                                spoke = true;
                                deadline = arrived + self.gateway.timeouts.idle;
                            }
                        }
                        events.emit_at(arrived.into_std(), Event::Stream(event)).await?;
                    }
                    Decoded::Malformed(message) => events.emit(Event::Malformed { message }).await?,
                }
            }
            match flow {
                Err(failure) => return Err(self.masked(failure)),
                Ok(Flow::Done) => break,
                Ok(Flow::Continue) => {}
            }
            if stream.finished() && stream.has_usage() {
                deadline = deadline.min(arrived + SHORT_GRACE);
            }
            match timeout_at(deadline, response.chunk()).await {
                Ok(Ok(Some(chunk))) => flow = stream.push(&chunk, &mut decoded),
                Ok(Ok(None)) => break,
                // What follows the reason of the end is not part of the answer.
                Ok(Err(_)) | Err(_) if stream.finished() => break,
                Ok(Err(error)) => return Err(stream.broken_by(transport::failure(error, self))),
                Err(_) => return Err(stream.broken_by(self.too_late(spoke))),
            }
        }
        let outcome = stream.end(&mut decoded);
        for piece in decoded {
            match piece {
                Decoded::Event(event) => events.emit(Event::Stream(event)).await?,
                Decoded::Malformed(message) => events.emit(Event::Malformed { message }).await?,
            }
        }
        outcome.map_err(|failure| self.masked(failure))
    }

    /// What came with status 200 but is no answer: a login page, a proxy's notice, nothing at all.
    async fn no_answer(&self, mut body: Vec<u8>, mut response: Response, deadline: Instant) -> Failure {
        while body.len() < LARGEST_ERROR {
            match self.chunk(&mut response, deadline).await {
                Ok(Some(chunk)) => body.extend_from_slice(&chunk),
                _ => break,
            }
        }
        if body.iter().all(u8::is_ascii_whitespace) {
            return Failure::new(FailureKind::Protocol, "the gateway's answer is empty").with_status(200);
        }
        let message = format!("{} did not send an answer of a model", self.gateway.base_url.origin());
        self.masked(Failure::new(FailureKind::Protocol, message).with_cause(self.excerpt(&body)).with_status(200))
    }

    async fn refusal(&self, mut response: Response, status: u16, deadline: Instant) -> Failure {
        let advice = headers::retry_advice(response.headers(), status);
        let mut body = Vec::new();
        while body.len() < LARGEST_ERROR {
            match self.chunk(&mut response, deadline).await {
                Ok(Some(chunk)) => body.extend_from_slice(&chunk),
                // The status alone says enough.
                _ => break,
            }
        }
        let mut failure = self.masked(self.adapter().decode_error(status, &body));
        failure.retry_after = advice.retry_after.or(failure.retry_after);
        failure.should_retry = advice.should_retry.or(failure.should_retry);
        failure
    }

    async fn chunk(&self, response: &mut Response, deadline: Instant) -> Result<Option<bytes::Bytes>, Failure> {
        match timeout_at(deadline, response.chunk()).await {
            Ok(chunk) => chunk.map_err(|error| transport::failure(error, self)),
            Err(_) => Err(self.too_late(false)),
        }
    }

    fn too_late(&self, spoke: bool) -> Failure {
        let timeouts = &self.gateway.timeouts;
        let message = if spoke {
            format!("nothing more came for {} s", timeouts.idle.as_secs_f64())
        } else {
            format!("no answer began within {} s", timeouts.first_token.as_secs_f64())
        };
        let setting = if spoke { "idle" } else { "first_token" };
        Failure::new(FailureKind::Timeout, message)
            .with_advice(format!("timeouts.{setting} of the gateway in the config sets this limit"))
    }
}

impl Service for Client {
    async fn call(&self, call: &Call, events: &Events) -> Result<(), Failure> {
        events.emit(Event::Attempt { target: call.target().clone() }).await?;
        let result = self.attempt(call, events).await;
        if let Err(failure) = &result {
            events.emit(Event::AttemptFailed { failure: failure.clone() }).await?;
        }
        result
    }
}

/// The header that carries the key, marked so that nothing prints it.
fn auth_header(api: Api, key: &SecretString) -> Result<(HeaderName, HeaderValue), Failure> {
    let (name, value) = api.adapter().auth_header(key.expose_secret());
    let mut value = HeaderValue::from_str(&value).map_err(|_| {
        Failure::new(FailureKind::NoKey, "the key holds characters that cannot be sent")
            .with_advice("`llm key set` saves it anew")
    })?;
    value.set_sensitive(true);
    let name = HeaderName::from_bytes(name.as_bytes()).unwrap_or(AUTHORIZATION);
    Ok((name, value))
}

/// The first byte that is not white space or part of a byte order mark.
fn first_letter(bytes: &[u8]) -> Option<u8> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    bytes.iter().copied().find(|byte| !byte.is_ascii_whitespace())
}
