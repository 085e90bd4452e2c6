//! Answers a call from the cache if the same caller has sent exactly the same request before.

mod store;

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use sha2::{Digest, Sha256};

pub use store::{Stats, Store};

use crate::adapter::{ClientBody, Operation};
use crate::call::{Call, Event, Events, Passed, Service, Told};
use crate::chat::{FinishReason, Request, Response};
use crate::config::Gateway;
use crate::error::Failure;
use crate::schema;

/// A part of every key. It is changed when answers that older versions stored must not be used any more.
const VERSION: &str = "2";

/// Identifies one request of one caller to one gateway with one key.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key([u8; 32]);

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// An answer, and the bytes of it where its client speaks the wire format of the gateway.
type Answer = (Response, Option<Passed>);

/// The answers that a run may use, and to which it adds its own.
#[derive(Debug)]
pub struct Answers {
    store: Store,
    /// By name, each gateway and a text that differs for different keys of it.
    gateways: BTreeMap<String, (Gateway, String)>,
    /// The answers that were found while gateways were prepared. Each is used once.
    found: Mutex<HashMap<Key, Answer>>,
}

impl Answers {
    /// `gateways` are those of the run, each with a text that differs for different keys of it, which need not be the key.
    pub fn new(store: Store, gateways: BTreeMap<String, (Gateway, String)>) -> Self {
        Self { store, gateways, found: Mutex::default() }
    }

    /// Whether the cache has an answer of the call's first choice. The answer is then kept in memory for the run.
    pub fn find(&self, call: &Call) -> bool {
        let Some(key) = self.key(call) else { return false };
        let Some(answer) = self.stored(&key, call) else { return false };
        self.found.lock().unwrap_or_else(PoisonError::into_inner).insert(key, answer);
        true
    }

    fn get(&self, key: &Key, call: &Call) -> Option<Answer> {
        let found = self.found.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
        found.or_else(|| self.stored(key, call))
    }

    /// Reads an answer. Returns `None` also for an answer that does not have the form that the request asks for, or not the
    /// bytes that its client is to get.
    fn stored(&self, key: &Key, call: &Call) -> Option<Answer> {
        let is_good = |(answer, passed): &Answer| {
            schema::is_as_asked(&call.request, answer) && passed.is_some() == call.passed().is_some()
        };
        self.store.get(key, SystemTime::now()).filter(is_good)
    }

    /// Stores an answer if it is complete and has the form that the request asks for.
    fn keep(&self, key: &Key, request: &Request, (answer, passed): &Answer) {
        let is_whole = matches!(answer.finish, Some(FinishReason::Stop | FinishReason::ToolCalls))
            && (passed.is_some() || answer.missing.is_none());
        if is_whole && schema::is_as_asked(request, answer) {
            // If the answer cannot be stored, the gateway is asked again next time, so the user gets no error.
            let _ = self.store.put(key, answer, passed.as_ref(), SystemTime::now());
        }
    }

    /// The key of a call; `None` where its gateway is not one of the run, or the call is not
    /// to be cached. It is a hash of everything that is sent to the
    /// gateway, so that no parameter can be left out, and of the caller, so that no caller gets the answer of another.
    fn key(&self, call: &Call) -> Option<Key> {
        if call.uncached || call.operation() != Operation::Generate {
            return None;
        }
        let target = call.target();
        let (gateway, scope) = self.gateways.get(&target.gateway)?;
        let api = gateway.api_of(&target.model);
        let adapter = api.adapter();
        let wire = call.wire(api);
        // Of several answers to one request, only the first is read, so nobody knows whether all are whole.
        if adapter.output_bound(&wire).answers != Some(1) {
            return None;
        }
        // The demo gateway's URL has another port at each start, so its name is used instead.
        let base = if gateway.name == "demo" { "demo" } else { gateway.base_url.as_str() };
        let mut hash = Sha256::new();
        let mut add = |part: &[u8]| {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        };
        let caller = call.caller.key.as_deref().map_or_else(String::new, |key| format!("key {key}"));
        for part in [VERSION, api.as_str(), base, &wire.path, &gateway.name, scope, &caller] {
            add(part.as_bytes());
        }
        let own = adapter.headers().iter().copied();
        let given = gateway.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let of_client = call.passed().map(ClientBody::headers).unwrap_or_default();
        let of_client = of_client.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        for (name, value) in own.chain(given).chain(of_client) {
            add(name.as_bytes());
            add(value.as_bytes());
        }
        add(&wire.body);
        // Of the bytes that are kept, usage is left out for a client that did not ask for it.
        add(&[u8::from(call.passed().is_some_and(ClientBody::hides_usage))]);
        Some(Key(hash.finalize().into()))
    }
}

/// Answers calls from the cache, and stores the answers of others in it.
#[derive(Debug)]
pub struct Cache<S> {
    inner: S,
    answers: Option<Arc<Answers>>,
}

impl<S> Cache<S> {
    /// Without `answers`, every call is passed on as it is.
    pub fn new(inner: S, answers: Option<Arc<Answers>>) -> Self {
        Self { inner, answers }
    }
}

impl<S: Service> Service for Cache<S> {
    async fn call(&self, call: &Call, events: &Events) -> Result<(), Failure> {
        let Some((answers, key)) = self.answers.as_ref().and_then(|answers| Some((answers, answers.key(call)?))) else {
            return self.inner.call(call, events).await;
        };
        if let Some((answer, passed)) = answers.get(&key, call) {
            events.emit(Event::Cached { target: call.target().clone() }).await?;
            if let Some(Passed { content_type, bytes }) = passed {
                events.emit(Event::Bytes { bytes: bytes.into(), content_type, told: Told::Answer }).await?;
            }
            for event in answer.into_events() {
                events.emit(Event::Stream(event)).await?;
            }
            return Ok(());
        }
        let (events, observer) = events.observed();
        observer.observed().passed = call.passed().map(|_| Passed::default());
        let result = self.inner.call(call, &events).await;
        let answer = {
            let mut observed = observer.observed();
            (std::mem::take(&mut observed.response), observed.passed.take().filter(|passed| !passed.bytes.is_empty()))
        };
        if result.is_ok() {
            answers.keep(&key, &call.request, &answer);
        }
        result
    }
}

#[cfg(test)]
mod tests;
