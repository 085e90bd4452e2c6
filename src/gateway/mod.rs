//! Attempts: a wire request over HTTP, and what comes back as events. The only user of reqwest.

mod answer;
mod connect;
mod headers;
mod patience;
mod places;
mod transport;

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use reqwest::Method;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, IF_NONE_MATCH};
use secrecy::{ExposeSecret, SecretString};
use tokio::time::{Instant, timeout_at};

use crate::adapter::{Api, mask_keys};
use crate::call::Service;
use crate::call::{Call, Event, Events};
use crate::config::{self, BaseUrl};
use crate::error::{Failure, FailureKind};
use answer::Reading;
use connect::Connects;
use patience::Patience;
use places::Places;

/// Where Anthropic itself answers. It documents one header for the key, the adapter's first; what it makes of a key in two
/// is not said.
const ANTHROPIC: &str = "https://api.anthropic.com:443";

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
    places: Places,
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
        let places = Places::of(gateway.base_url.as_str(), None);
        Ok(Self { http, gateway, headers, key: None, connects, places, proxy })
    }

    /// Keeps what is found out about the gateway in this directory, for other runs.
    #[must_use]
    pub fn remembering(mut self, cache_dir: Option<&Path>) -> Self {
        self.places = Places::of(self.gateway.base_url.as_str(), cache_dir);
        self
    }

    /// Sends this key with every request, in the header that the wire format wants it in.
    pub fn with_key(mut self, key: SecretString) -> Result<Self, Failure> {
        // What cannot be sent in one format cannot be sent in any.
        auth_headers(&self.gateway.base_url, self.gateway.api, &key)?;
        self.key = Some(key);
        Ok(self)
    }

    /// The gateway's settings.
    pub fn config(&self) -> &config::Gateway {
        &self.gateway
    }

    /// Fetches a JSON document below `max` bytes; `etag` asks for it only if it has changed (status 304 then).
    pub async fn get(&self, url: &str, etag: Option<&str>, max: usize) -> Result<Fetched, Failure> {
        let adapter = self.gateway.api.adapter();
        let mut request = self.http.get(url).headers(self.headers_for(self.gateway.api)?);
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
                return Err(self.masked(adapter.decode_error(status, &body)));
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

    /// The headers of every request in this wire format. A header of the config wins: some gateways want their key
    /// elsewhere.
    fn headers_for(&self, api: Api) -> Result<HeaderMap, Failure> {
        let mut headers = self.headers.clone();
        for (name, value) in api.adapter().headers() {
            headers.entry(*name).or_insert(HeaderValue::from_static(value));
        }
        if let Some(key) = &self.key {
            for (name, value) in auth_headers(&self.gateway.base_url, api, key)? {
                headers.entry(name).or_insert(value);
            }
        }
        Ok(headers)
    }

    /// Gateways like to repeat the key they refuse.
    fn masked(&self, mut failure: Failure) -> Failure {
        let key = self.key.as_ref().map(ExposeSecret::expose_secret);
        failure.message = mask_keys(&failure.message, key).into_owned();
        failure.cause = failure.cause.map(|cause| mask_keys(&cause, key).into_owned());
        failure
    }

    async fn attempt(&self, call: &Call, api: Api, url: &str, body: Bytes, events: &Events) -> Result<(), Failure> {
        let adapter = api.adapter();
        let request = self.http.request(Method::POST, url);
        let accept = if call.request.stream { "text/event-stream" } else { "application/json" };
        let request = request
            .headers(self.headers_for(api)?)
            .header(CONTENT_TYPE, "application/json")
            .header(ACCEPT, accept)
            .header("idempotency-key", &call.idempotency_key)
            .body(body);
        let patience = Patience::new(&self.gateway.timeouts, call.choice().timeout);
        let reading = Reading { client: self, adapter, patience };
        let again = request.try_clone();
        let (mut sent, mut connected) = self.connects.watch(timeout_at(patience.first, request.send())).await;
        // A server may close a kept connection in the moment in which it is used again. That is nobody's failure.
        if let (Ok(Err(error)), None, Some(again)) = (&sent, &connected, again)
            && transport::is_lost(error)
        {
            (sent, connected) = self.connects.watch(timeout_at(patience.first, again.send())).await;
        }
        if let Some(connected) = connected {
            events.emit_at(connected.at, Event::Connected { took: connected.took }).await?;
        }
        let response = match sent {
            Ok(response) => response.map_err(|error| transport::failure(error, self))?,
            Err(_) => return Err(patience.too_late(false)),
        };
        let status = response.status().as_u16();
        events.emit(Event::Headers { status, meta: headers::meta(response.headers()) }).await?;
        match status {
            200..=203 => reading.answer(response, events).await,
            300..=399 => Err(headers::redirect(&response, &self.gateway)),
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
        let api = self.gateway.api_of(&target.model);
        let wire = api.adapter().encode_request(&target.model, &call.request);
        let body = Bytes::from(wire.body);
        let places: Vec<String> = self.gateway.base_url.places(api, &wire.path).collect();
        let mut order = self.places.order(places.len()).into_iter();
        // There always is one.
        let mut place = order.next().unwrap_or(0);
        loop {
            events.emit(Event::Attempt { target: target.clone() }).await?;
            let result = self.attempt(call, api, &places[place], body.clone(), events).await;
            let mut is_there = true;
            if let Err(failure) = &result {
                events.emit(Event::AttemptFailed { failure: failure.clone() }).await?;
                is_there = !is_nowhere(failure, &wire.path);
            }
            if is_there {
                self.places.found(place, places.len());
                return result;
            }
            match order.next() {
                Some(next) => place = next,
                None => return result,
            }
        }
    }
}

/// Whether the gateway has nothing at this path, rather than no such model.
fn is_nowhere(failure: &Failure, path: &str) -> bool {
    let path = path.split_once('?').map_or(path, |(path, _)| path);
    match failure.status {
        Some(404) => !failure.message.replace(path, "").to_lowercase().contains("model"),
        Some(405) => true,
        _ => false,
    }
}

/// The headers that carry the key, marked so that nothing prints it.
fn auth_headers(base: &BaseUrl, api: Api, key: &SecretString) -> Result<Vec<(HeaderName, HeaderValue)>, Failure> {
    let header = |(name, value): (&'static str, String)| {
        let mut value = HeaderValue::from_str(&value).map_err(|_| {
            Failure::new(FailureKind::NoKey, "the key holds characters that cannot be sent")
                .with_advice("`llm key set` saves it anew")
        })?;
        value.set_sensitive(true);
        Ok((HeaderName::from_static(name), value))
    };
    let wanted = if base.origin() == ANTHROPIC { 1 } else { usize::MAX };
    api.adapter().auth_headers(key.expose_secret()).into_iter().take(wanted).map(header).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn anthropic_itself_gets_the_key_in_its_one_documented_header() {
        let names = |base: &str| -> Vec<String> {
            let base = BaseUrl::parse(base, false).expect("an address");
            let headers = auth_headers(&base, Api::Anthropic, &"k".into()).expect("can be sent");
            assert!(headers.iter().all(|(_, value)| value.is_sensitive()));
            headers.iter().map(|(name, _)| name.to_string()).collect()
        };
        assert_eq!(names("https://api.anthropic.com/v1"), ["x-api-key"]);
        assert_eq!(names("https://llm.corp.example/v1"), ["x-api-key", "authorization"]);
    }
}
