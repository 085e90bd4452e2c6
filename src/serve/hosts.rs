//! Which names a server answers to: a page of a browser must not reach a server of this machine under a name of its own.

use std::net::{IpAddr, SocketAddr};

use axum::http::header::{HOST, ORIGIN};
use axum::http::{HeaderMap, Uri};

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

    /// Whether a request with this target and these headers may be answered. A server that other machines can reach has names
    /// that nobody here knows, so that only requests of foreign pages are refused there.
    pub(super) fn permit(&self, uri: &Uri, headers: &HeaderMap) -> bool {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let host = text(HOST);
        let is_named = !self.is_local || host.is_none_or(|host| self.is_own(name_of(host)));
        // A proxy goes by the host of the target, if there is one, and not by the header.
        let is_target = !self.is_local || uri.host().is_none_or(|host| self.is_own(host));
        let of_page = headers.get(ORIGIN).is_some();
        let same = text(ORIGIN).and_then(|origin| origin.split_once("://")).map(|(_, origin)| origin) == host;
        is_named && is_target && (!of_page || (same && host.is_some()))
    }

    fn is_own(&self, name: &str) -> bool {
        let is_address = || name.trim_matches(['[', ']']).parse().is_ok_and(|address: IpAddr| address.is_loopback());
        name.eq_ignore_ascii_case("localhost")
            || is_address()
            || self.names.iter().any(|own| own.eq_ignore_ascii_case(name))
    }
}

/// Whether the headers name one host at most, and can be read. What stands between a client and this server could go by
/// another host than this server does.
pub(super) fn is_clear(headers: &HeaderMap) -> bool {
    let mut hosts = headers.get_all(HOST).iter();
    hosts.next().is_none_or(|host| host.to_str().is_ok()) && hosts.next().is_none()
}

/// A host without its port.
fn name_of(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}
