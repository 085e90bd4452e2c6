//! The HTTP client, and the failures that its errors mean.

use std::collections::HashSet;
use std::error::Error as _;
use std::path::Path;
use std::time::Duration;

use reqwest::Certificate;
use reqwest::redirect::Policy;
use url::Url;

use super::connect::Connects;
use super::names::Names;
use super::{Client, proxy};
use crate::certificates::{self, LARGEST_FILE};
use crate::config::{self, is_this_machine};
use crate::error::{Failure, FailureKind};
use crate::input;

/// The time for which an idle connection is kept. Servers close theirs later, and without a word.
const IDLE: Duration = Duration::from_secs(4);

/// The most headers of a response. Proxies repeat those of the vendor under names of their own.
const MOST_HEADERS: usize = 512;

/// What all clients have in common.
pub(super) fn builder() -> reqwest::ClientBuilder {
    // This fails only where another thread has installed the same provider before.
    let _ = rustls::crypto::CryptoProvider::install_default(rustls::crypto::ring::default_provider());
    reqwest::Client::builder()
        .user_agent(concat!("llm/", env!("CARGO_PKG_VERSION")))
        .dns_resolver(Names)
        .http1_max_headers(MOST_HEADERS)
}

/// A client for one gateway. Certificates are read only where TLS is used, and requests to this machine never go
/// through a proxy.
pub(super) fn client(
    gateway: &config::Gateway,
    connects: Connects,
    env: &config::Env,
) -> Result<reqwest::Client, Failure> {
    let mut builder = builder()
        .redirect(Policy::none())
        .connect_timeout(gateway.timeouts.connect)
        .pool_idle_timeout(IDLE)
        .connector_layer(connects);
    let proxy = proxy::before(&gateway.base_url, env)?;
    builder = match &proxy {
        None => builder.no_proxy(),
        Some(_) => proxy::set(builder, &[gateway.base_url.scheme()], env)?,
    };
    if gateway.base_url.is_https() || proxy.is_some_and(|proxy| proxy.is_encrypted()) {
        check_authorities(env)?;
        if let Some(path) = &gateway.ca_file {
            builder = builder.tls_certs_merge(authorities(path)?);
        }
    } else {
        builder = builder.tls_certs_only(Vec::new());
    }
    builder.build().map_err(|error| no_tls(&error, env))
}

/// The certificates of a `ca_file`.
fn authorities(path: &Path) -> Result<Vec<Certificate>, Failure> {
    let unreadable = |cause: String| {
        let message = format!("the ca_file {} cannot be read", path.display());
        Failure::new(FailureKind::Network, message).with_cause(cause)
    };
    let found = certificates::read_authorities(path).map_err(|error| unreadable(error.to_string()))?;
    let certificate = |found| Certificate::from_der(found).map_err(|error| unreadable(chain(&error)));
    found.iter().map(|found| certificate(found)).collect()
}

/// The failure of a client that could not be built, mostly because no authority is found.
fn no_tls(error: &reqwest::Error, env: &config::Env) -> Failure {
    const NAMES: [&str; 2] = ["SSL_CERT_FILE", "SSL_CERT_DIR"];
    let empty = NAMES.into_iter().find(|name| env.is_empty(name));
    let advice = match NAMES.into_iter().find_map(|name| Some((name, env.get(name)?))) {
        None if let Some(name) = empty => {
            format!("{name} is set to nothing, which is taken for a name: `unset {name}`")
        }
        Some((name, path)) => format!(
            "{name} names {path}: is it there, and does it hold certificates as PEM? Without it, those of the system are used \
             (package ca-certificates)"
        ),
        None => "are the system's certificates installed (package ca-certificates)? ca_file names others".to_owned(),
    };
    Failure::new(FailureKind::Network, "TLS cannot be set up").with_cause(chain(error)).with_advice(advice)
}

/// Checks the file of authorities that the environment names, and those in its directories, which are read as wholes.
///
/// # Errors
/// It is no file, or too large. One that is not there is as good as none.
pub(super) fn check_authorities(env: &config::Env) -> Result<(), Failure> {
    if let Some(directories) = env.get("SSL_CERT_DIR") {
        std::env::split_paths(directories).try_for_each(|directory| check_directory(&directory))?;
    }
    let Some(path) = env.get("SSL_CERT_FILE") else { return Ok(()) };
    input::check(Path::new(path), LARGEST_FILE).map_err(|error| {
        Failure::new(FailureKind::Network, format!("SSL_CERT_FILE names {path}, which cannot be read"))
            .with_cause(error.to_string())
    })
}

/// Checks the files of a directory of authorities. Each is read once, however many names it has; what is no file is not read.
fn check_directory(directory: &Path) -> Result<(), Failure> {
    let Ok(entries) = std::fs::read_dir(directory) else { return Ok(()) };
    let unreadable = |cause: String| {
        let message = format!("SSL_CERT_DIR names {}, which cannot be read", directory.display());
        Failure::new(FailureKind::Network, message).with_cause(cause)
    };
    let (mut together, mut seen) = (0, HashSet::new());
    for path in entries.flatten().filter_map(|entry| std::fs::canonicalize(entry.path()).ok()) {
        let Some(found) = std::fs::metadata(&path).ok().filter(std::fs::Metadata::is_file) else { continue };
        if !seen.insert(path.clone()) {
            continue;
        }
        input::check(&path, LARGEST_FILE).map_err(|error| unreadable(format!("{}: {error}", path.display())))?;
        together += found.len();
        if together > LARGEST_FILE {
            return Err(unreadable(format!("its files are larger than {} MiB together", LARGEST_FILE >> 20)));
        }
    }
    Ok(())
}

/// A client for what is no gateway.
///
/// # Errors
/// As for [`client`].
pub(super) fn plain_client(url: &Url, limit: Duration, env: &config::Env) -> Result<reqwest::Client, Failure> {
    let builder = builder().redirect(Policy::none()).timeout(limit);
    let (builder, proxy) = match is_this_machine(url) {
        true => (builder.no_proxy(), None),
        false => (proxy::set(builder, &[url.scheme()], env)?, proxy::before_address(url.as_str(), env)?),
    };
    let builder = if url.scheme() == "https" || proxy.is_some_and(|proxy| proxy.is_encrypted()) {
        check_authorities(env)?;
        builder
    } else {
        builder.tls_certs_only(Vec::new())
    };
    builder.build().map_err(|error| no_tls(&error, env))
}

/// Whether a request got no answer because its connection ended. Where the server reset only the request and kept the
/// connection, it had received the request; hyper says that in its message alone.
pub(super) fn is_lost(error: &reqwest::Error) -> bool {
    let ended = error.is_request() && !error.is_timeout() && !error.is_connect();
    let cause = chain(error);
    ended && !cause.contains("stream error received") && !is_not_http(&cause)
}

/// The failure that an error of the HTTP client means.
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
        let message = format!("what answers at {origin} does not speak HTTP as it should");
        let failure = Failure::new(FailureKind::Protocol, message);
        // Behind such a head there may be an answer.
        if has_version(&cause) { failure.maybe_billed() } else { failure }
    } else {
        Failure::new(FailureKind::Network, format!("the connection to {origin} broke")).maybe_billed()
    };
    let lower = cause.to_lowercase();
    let encrypted = client.gateway.base_url.is_https();
    let breaks = client.proxy.as_ref().filter(|proxy| error.is_connect() && proxy.breaks_tls(&lower, encrypted));
    // Where there is no tunnel, the proxy itself takes the request and begins the answer.
    let talks = client
        .proxy
        .as_ref()
        .filter(|_| !encrypted && error.is_request() && !error.is_connect() && !error.is_timeout());
    if let Some(proxy) = breaks.or(talks) {
        failure.message = format!("{} through {proxy}", failure.message);
    }
    let certificate = certificate_advice(&lower, if breaks.is_some() { "proxy" } else { "gateway" });
    // A proxy that makes a tunnel takes no part in the TLS within it.
    let handshake = refused_handshake(&lower, error.is_connect());
    if let Some(wrong) = handshake.or_else(|| certificate.is_some().then(|| wrong_certificate(&lower))) {
        // The gateway would show the same certificate again, or refuse the same connection.
        failure.should_retry = Some(false);
        // Records and tables have no other words than these.
        failure.message = format!("{}: {wrong}", failure.message);
    }
    let wants_password = proxy::wants_password(&lower);
    if wants_password {
        failure.should_retry = Some(false);
    }
    let variable = client.proxy.as_ref().map(|proxy| proxy.variable);
    failure.advice = if let Some(variable) = variable.filter(|_| wants_password) {
        Some(proxy::password(variable).into())
    } else if handshake.is_some() && breaks.is_none() {
        Some("whoever runs the gateway can change that; a proxy of your own before it can do what it wants".into())
    } else if certificate.is_some() {
        certificate.map(Into::into)
    } else if let Some(variable) = variable.filter(|_| error.is_connect() || talks.is_some()) {
        Some(proxy::doubted(variable).into())
    } else if lower.contains("invalidcontenttype") || lower.contains("corrupt message") {
        Some("the gateway does not seem to speak TLS there: is its base_url https:// by mistake?".into())
    } else if !encrypted && (is_not_http(&cause) || lower.contains("closed before message completed")) {
        Some("if the gateway speaks TLS there, its base_url begins with https://".into())
    } else if client.gateway.base_url.is_loopback() && error.is_connect() {
        Some(format!("is the gateway running? `{}` says it is at {origin}", client.gateway.name).into())
    } else {
        None
    };
    failure.with_cause(cause)
}

/// What a server wants of the connection that it does not get, by the cause in lower case. Such a failure says nothing of its
/// certificate. That it wants a certificate may come after the connection is made; other alerts then say that it broke.
fn refused_handshake(cause: &str, is_connect: bool) -> Option<&'static str> {
    let says = |word: &str| cause.contains(word);
    match () {
        () if says("alert: unrecognisedname") || says("alert: unrecognizedname") => {
            Some("it does not know the name of the host")
        }
        () if says("alert: unknownca") => Some("it does not trust the certificate of this client"),
        () if says("alert: certificaterequired")
            || says("alert: badcertificate")
            || says("alert: certificateunknown")
            || says("alert: certificateexpired")
            || says("alert: certificaterevoked")
            || says("alert: unsupportedcertificate") =>
        {
            Some("it wants a certificate of its clients, and llm has none")
        }
        () if says("alert: protocolversion") || says("serverdoesnotsupporttls12or13") => {
            Some("it speaks no version of TLS that is safe (1.2 or later)")
        }
        () if says("alert: handshakefailure") || says("peer is incompatible") => {
            Some("it has no way of TLS in common with llm")
        }
        // What is wrong within the server may pass.
        () if is_connect
            && says("received fatal alert: ")
            && !says("alert: internalerror")
            && !says("alert: closenotify") =>
        {
            Some("it refuses the connection")
        }
        () => None,
    }
}

/// Whether a certificate is of an authority that nobody here knows, by its cause in lower case.
fn is_of_unknown_authority(cause: &str) -> bool {
    ["unknownissuer", "unknown issuer"].iter().any(|words| cause.contains(words))
}

/// Whether a signature is wrong, by the cause in lower case: of two authorities of one name, the other one signed; or the key is too
/// short to be taken.
fn has_bad_signature(cause: &str) -> bool {
    ["badsignature", "bad signature"].iter().any(|words| cause.contains(words))
}

/// What is wrong with a certificate, by its cause in lower case.
fn wrong_certificate(cause: &str) -> &'static str {
    let is_any = |words: &[&str]| words.iter().any(|word| cause.contains(word));
    match () {
        () if is_of_unknown_authority(cause) => {
            "its certificate is of an authority that is not trusted (ca_file names one)"
        }
        () if has_bad_signature(cause) => {
            "its certificate has a signature that does not fit, or an RSA key of less than 2048 bits"
        }
        () if is_any(&["notvalidyet", "not valid yet"]) => "its certificate is not valid yet",
        () if cause.contains("expired") => "its certificate has expired",
        () if cause.contains("causedasendentity") => "its certificate is that of an authority, and not of a server",
        () if is_any(&["notvalidforname", "not valid for name"]) => "its certificate is for another host",
        () => "its certificate cannot be trusted (ca_file names its authority)",
    }
}

/// Whether a certificate is not trusted, by the cause in lower case.
pub(super) fn is_about_certificate(cause: &str) -> bool {
    cause.contains("certificate") && refused_handshake(cause, true).is_none()
}

/// Advice about a certificate that is not trusted; `None` where the cause, given in lower case, is another. `whose` is what
/// showed it.
fn certificate_advice(cause: &str, whose: &str) -> Option<String> {
    if !is_about_certificate(cause) {
        return None;
    }
    if cause.contains("causedasendentity") {
        return Some(format!(
            "whoever runs the {whose} can make it a certificate that is no authority (`openssl req -x509 -addext \
             basicConstraints=critical,CA:FALSE …`), which ca_file of the gateway, or SSL_CERT_FILE, can name"
        ));
    }
    if has_bad_signature(cause) {
        return Some(format!(
            "whoever runs the {whose} can make it a certificate with a longer key; or ca_file of the gateway, or SSL_CERT_FILE, \
             names another authority of the same name than the one that signed"
        ));
    }
    Some(if is_of_unknown_authority(cause) {
        format!(
            "if an authority of your own signed the {whose}'s certificate, name its file in ca_file of the gateway, or in \
             SSL_CERT_FILE for all gateways"
        )
    } else {
        format!(
            "whoever runs the {whose} has to mend its certificate, unless something in between replaced it: the authority of \
             that can be named in ca_file of the gateway, or in SSL_CERT_FILE"
        )
    })
}

/// Whether the head of a response could not be read, or was too long; hyper says that in its message alone.
fn is_not_http(cause: &str) -> bool {
    cause.ends_with(" parsed") || cause.ends_with("message head is too large")
}

/// Whether the head of such a response began as one of HTTP does.
fn has_version(cause: &str) -> bool {
    !cause.ends_with("version parsed")
}

/// The causes of an error, outermost first, without the one that only says that a request failed.
pub(super) fn chain(error: &reqwest::Error) -> String {
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
