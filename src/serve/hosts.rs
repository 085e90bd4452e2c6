//! Which names a server answers to: a page of a browser must not reach a server of this machine under a name of its own.

use std::net::{IpAddr, SocketAddr};

use axum::http::HeaderMap;
use axum::http::header::{HOST, ORIGIN};

/// The names by which clients may call a server.
#[derive(Debug)]
pub(crate) struct Hosts {
    /// Whether only programs of this machine can connect.
    is_local: bool,
    names: Vec<String>,
}

impl Hosts {
    /// The names of a server that listens here, and further ones.
    pub(crate) fn new(address: SocketAddr, names: Vec<String>) -> Self {
        Self { is_local: address.ip().is_loopback(), names }
    }

    /// Whether a request with these headers may be answered. A server that other machines can reach has names that nobody here
    /// knows, so that only requests of foreign pages are refused there.
    pub(super) fn permit(&self, headers: &HeaderMap) -> bool {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let host = text(HOST);
        let is_named = !self.is_local || host.is_none_or(|host| self.is_own(name_of(host)));
        let of_page = headers.get(ORIGIN).is_some();
        let same = text(ORIGIN).and_then(|origin| origin.split_once("://")).map(|(_, origin)| origin) == host;
        is_named && (!of_page || (same && host.is_some()))
    }

    fn is_own(&self, name: &str) -> bool {
        let is_address = || name.trim_matches(['[', ']']).parse().is_ok_and(|address: IpAddr| address.is_loopback());
        name.eq_ignore_ascii_case("localhost")
            || is_address()
            || self.names.iter().any(|own| own.eq_ignore_ascii_case(name))
    }
}

/// A host without its port.
fn name_of(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}
