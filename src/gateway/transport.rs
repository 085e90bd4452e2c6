//! The HTTP client, and what its errors mean.

use std::error::Error as _;
use std::time::Duration;

use reqwest::Certificate;
use reqwest::redirect::Policy;

use super::Client;
use super::connect::Connects;
use crate::config;
use crate::error::{Failure, FailureKind};
use crate::input::{self, Accept};

/// Servers close idle connections without a word; ours are dropped before that.
const IDLE: Duration = Duration::from_secs(4);

/// The largest file of certificates that is read, in bytes; the system's own are a fifth of a mebibyte.
const LARGEST_CA_FILE: u64 = 16 << 20;

/// A client for one gateway. Certificates are only read where TLS is spoken, and no proxy sees what stays on this
/// machine.
pub(super) fn client(gateway: &config::Gateway, connects: Connects) -> Result<reqwest::Client, Failure> {
    let mut builder = reqwest::Client::builder()
        .user_agent(concat!("llm/", env!("CARGO_PKG_VERSION")))
        .redirect(Policy::none())
        .connect_timeout(gateway.timeouts.connect)
        .pool_idle_timeout(IDLE)
        .connector_layer(connects);
    // Another thread may have been first, with the same provider.
    let _ = rustls::crypto::CryptoProvider::install_default(rustls::crypto::ring::default_provider());
    if gateway.base_url.is_loopback() {
        builder = builder.no_proxy();
    }
    if gateway.base_url.is_https() {
        if let Some(path) = &gateway.ca_file {
            let unreadable = |cause: String| {
                let message = format!("the ca_file {} cannot be read", path.display());
                Failure::new(FailureKind::Network, message).with_cause(cause)
            };
            let pem =
                input::read(path, LARGEST_CA_FILE, Accept::Files).map_err(|error| unreadable(error.to_string()))?;
            let certificates = Certificate::from_pem_bundle(&pem).map_err(|error| unreadable(chain(&error)))?;
            if certificates.is_empty() {
                return Err(unreadable("it holds no certificate".into()));
            }
            builder = builder.tls_certs_merge(certificates);
        }
    } else {
        builder = builder.tls_certs_only(Vec::new());
    }
    builder.build().map_err(|error| {
        Failure::new(FailureKind::Network, "TLS cannot be set up")
            .with_cause(chain(&error))
            .with_advice("are the system's certificates installed (package ca-certificates)? ca_file names others")
    })
}

/// Whether a request that was being sent on a connection, or had been, got no answer because that connection ended. One
/// that the other side gave up while the connection stays had been received, which hyper says in words alone.
pub(super) fn is_lost(error: &reqwest::Error) -> bool {
    let ended = error.is_request() && !error.is_timeout() && !error.is_connect();
    ended && !chain(error).contains("stream error received")
}

/// What went wrong on the way.
pub(super) fn failure(error: reqwest::Error, client: &Client) -> Failure {
    let origin = client.gateway.base_url.origin();
    let error = error.without_url();
    let cause = chain(&error);
    let mut failure = if error.is_timeout() {
        let limit = client.gateway.timeouts.connect.as_secs_f64();
        Failure::new(FailureKind::Timeout, format!("no connection to {origin} within {limit} s"))
    } else if error.is_connect() {
        Failure::new(FailureKind::Network, format!("cannot connect to {origin}"))
    } else if is_not_http(&cause) {
        Failure::new(FailureKind::Protocol, format!("what answers at {origin} does not speak HTTP as it should"))
    } else {
        Failure::new(FailureKind::Network, format!("the connection to {origin} broke")).maybe_billed()
    };
    let lower = cause.to_lowercase();
    failure.advice = if let Some(variable) = client.proxy.filter(|_| error.is_connect()) {
        Some(format!("{variable} is set: connections go through that proxy; is it right?"))
    } else if lower.contains("unknownissuer") || lower.contains("unknown issuer") {
        Some("if the gateway's certificate is signed by your own authority, name that in ca_file".into())
    } else if lower.contains("invalidcontenttype") || lower.contains("corrupt message") {
        Some("the gateway does not seem to speak TLS there: is its base_url https:// by mistake?".into())
    } else if client.gateway.base_url.is_loopback() && error.is_connect() {
        Some(format!("is the gateway running? `{}` says it is at {origin}", client.gateway.name))
    } else {
        None
    };
    failure.with_cause(cause)
}

/// Whether the head of a response could not be read, or had no end; hyper says so in words alone.
fn is_not_http(cause: &str) -> bool {
    cause.ends_with(" parsed") || cause.ends_with("message head is too large")
}

/// The causes of an error, outermost first, without the one that only says that a request failed.
fn chain(error: &reqwest::Error) -> String {
    let mut causes = Vec::new();
    let mut source = error.source();
    while let Some(error) = source {
        let text = error.to_string();
        if causes.last() != Some(&text) {
            causes.push(text);
        }
        source = error.source();
    }
    if causes.is_empty() {
        causes.push(error.to_string());
    }
    causes.join(": ")
}
