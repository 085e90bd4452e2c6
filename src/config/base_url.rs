//! The address of a gateway, checked once.

use std::fmt;
use std::net::IpAddr;

use url::{Host, Url};

use crate::adapter::Api;

/// Why an address cannot be a gateway's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadBaseUrl(String);

/// The URL below which a gateway's endpoints lie. It holds no user, password, query or fragment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseUrl(Url);

impl BaseUrl {
    /// Checks the address. A key must not travel in the clear, so `http` is for this machine alone unless
    /// `allow_http`.
    pub fn parse(text: &str, allow_http: bool) -> Result<Self, BadBaseUrl> {
        let bad = |why: &str| BadBaseUrl(format!("base_url {why}"));
        let text = text.trim();
        // A URL parser drops some of them without a word.
        if text.contains(|c: char| c.is_whitespace() || c.is_control() || matches!(c, '"' | '\'' | '`')) {
            return Err(bad("must not hold white space, quotes or control characters"));
        }
        // A parser would take the first part of the path for the host.
        let is_whole = text.split_once("://").is_none_or(|(_, rest)| !rest.starts_with(['/', '\\']));
        if !is_whole {
            return Err(bad("names no host"));
        }
        let mut url = Url::parse(text).map_err(|error| bad(&format!("is not a URL: {error}")))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(bad("must begin with http:// or https://"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(bad("must not hold a user name or password; `llm key set` keeps keys"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(bad("must not have a query or a fragment"));
        }
        let path = url.path().trim_end_matches('/').to_owned();
        url.set_path(&path);
        let base = Self(url);
        if base.0.scheme() == "http" && !base.is_loopback() && !allow_http {
            return Err(bad("is http:// on another machine, where the key would travel in the clear; \
                            use https://, or allow_http = true if you must"));
        }
        Ok(base)
    }

    /// `scheme://host:port`, the port always said: what a saved key belongs to.
    pub fn origin(&self) -> String {
        let port = self.0.port_or_known_default().unwrap_or(0);
        format!("{}://{}:{port}", self.0.scheme(), self.0.host_str().unwrap_or_default())
    }

    /// Whether the gateway is on this machine.
    pub fn is_loopback(&self) -> bool {
        is_this_machine(&self.0)
    }

    pub fn is_https(&self) -> bool {
        self.0.scheme() == "https"
    }

    pub fn scheme(&self) -> &str {
        self.0.scheme()
    }

    /// The URL of an endpoint below this one.
    pub fn join(&self, path: &str) -> String {
        format!("{}/{}", self.as_str(), path.trim_start_matches('/'))
    }

    /// The URLs at which an endpoint of this format may be, most likely first; never empty. The base URL is taken as
    /// given, but that Gemini's address is commonly named without the version that goes below it.
    pub fn endpoints(&self, api: Api, path: &str) -> impl Iterator<Item = String> {
        let versions = if api == Api::Gemini && !self.names_version() { &["v1beta/", "v1/", ""][..] } else { &[""] };
        versions.iter().map(move |version| self.join(&format!("{version}{path}")))
    }

    /// Whether a part of the path is the version of an API: `v1`, `v1beta`.
    fn names_version(&self) -> bool {
        let is_version =
            |part: &str| part.strip_prefix('v').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
        self.0.path().split('/').any(is_version)
    }

    /// The URL of an endpoint at the root of the same server, such as LiteLLM's `/model/info` beside `/v1`.
    pub fn at_root(&self, path: &str) -> String {
        let mut url = self.0.clone();
        url.set_path(path);
        url.into()
    }

    /// Without a trailing slash.
    pub fn as_str(&self) -> &str {
        self.0.as_str().trim_end_matches('/')
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a pasted URL of an endpoint says: the base URL, and the wire format that is spoken there. `None` for what is a
/// base URL already, or none at all.
pub(super) fn endpoint(url: &str) -> Option<(&str, Api)> {
    let url = url.trim();
    // A query is refused with the rest of what no address should hold, but this one only asks for a stream.
    let path = url.strip_suffix("?alt=sse").unwrap_or(url).trim_end_matches('/');
    for (end, api) in
        [("/chat/completions", Api::OpenaiChat), ("/responses", Api::OpenaiResponses), ("/messages", Api::Anthropic)]
    {
        if let Some(base) = path.strip_suffix(end) {
            return Some((base, api));
        }
    }
    let named = path.strip_suffix(":generateContent").or_else(|| path.strip_suffix(":streamGenerateContent"))?;
    let (base, _model) = named.rsplit_once("/models/")?;
    Some((base, Api::Gemini))
}

/// Whether the address is that of this machine. One of no machine in particular, as servers print it (`0.0.0.0`), leads here, too.
pub fn is_this_machine(url: &Url) -> bool {
    let is_here = |ip: IpAddr| {
        let ip = ip.to_canonical();
        ip.is_loopback() || ip.is_unspecified()
    };
    match url.host() {
        Some(Host::Domain(name)) => {
            let name = name.trim_end_matches('.');
            name == "localhost" || name.ends_with(".localhost")
        }
        Some(Host::Ipv4(ip)) => is_here(ip.into()),
        Some(Host::Ipv6(ip)) => is_here(ip.into()),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_plain_address_is_taken() {
        for (text, allow_http, good) in [
            ("https://openrouter.ai/api/v1", false, true),
            ("https://llm.corp.example/v1/", false, true),
            ("http://localhost:4000/v1", false, true),
            ("http://127.9.9.9:1", false, true),
            ("http://[::1]:8080", false, true),
            ("http://0.0.0.0:4000", false, true),
            ("http://[::]:4000", false, true),
            ("http://[::ffff:127.0.0.1]:4000", false, true),
            ("http://localhost.:4000", false, true),
            ("http://10.0.0.1:4000", false, false),
            ("http://llm.corp.example/v1", false, false),
            ("http://llm.corp.example/v1", true, true),
            ("http://localhost.evil.example/", false, false),
            ("https://user@host/v1", false, false),
            ("https:///v1", false, false),
            ("https://user:pass@host/v1", false, false),
            ("https://host/v1?key=x", false, false),
            ("https://host/v1#x", false, false),
            ("ftp://host", false, false),
            ("openrouter.ai/api/v1", false, false),
            ("", false, false),
            (" https://host/v1\n", false, true),
            ("http://127.0.0.1:1/v1\"\nallow_http = true", false, false),
            ("http://127.0.0.1:1/v1\nx", false, false),
            ("https://host/v1'", false, false),
            ("https://host/\u{9b}v1", false, false),
            ("https://ho\tst/v1", false, false),
        ] {
            assert_eq!(BaseUrl::parse(text, allow_http).is_ok(), good, "{text}");
        }
    }

    #[test]
    fn the_url_of_an_endpoint_gives_base_and_format() {
        for (url, expected) in [
            ("https://host/v1/chat/completions", Some(("https://host/v1", Api::OpenaiChat))),
            ("https://host/v1/chat/completions/", Some(("https://host/v1", Api::OpenaiChat))),
            ("http://localhost:1/responses", Some(("http://localhost:1", Api::OpenaiResponses))),
            ("https://host/api/v1/messages", Some(("https://host/api/v1", Api::Anthropic))),
            ("https://host/v1beta/models/m:generateContent", Some(("https://host/v1beta", Api::Gemini))),
            ("https://host/v1/models/a/b:streamGenerateContent?alt=sse", Some(("https://host/v1", Api::Gemini))),
            ("https://host/v1/models/m:generateContent?key=k", None),
            ("https://host/v1", None),
            ("https://host/openai", None),
            ("https://host/commit-messages", None),
        ] {
            assert_eq!(endpoint(url), expected, "{url}");
        }
    }

    #[test]
    fn a_bad_address_is_never_repeated_with_its_password() {
        let error = BaseUrl::parse("https://user:hunter2@host/v1", false).expect_err("refused");
        assert!(!error.to_string().contains("hunter2"));
    }

    #[test]
    fn endpoints_lie_below_it() {
        let base = BaseUrl::parse("https://host/api/v1/", false).expect("good");
        assert_eq!(base.join("chat/completions"), "https://host/api/v1/chat/completions");
        assert_eq!(base.at_root("/model/info"), "https://host/model/info");
        assert_eq!(base.origin(), "https://host:443");
        let bare = BaseUrl::parse("http://localhost:9", false).expect("good");
        assert_eq!(bare.join("models"), "http://localhost:9/models");
    }

    #[test]
    fn only_gemini_has_versions_and_only_where_the_address_names_none() {
        for (base, api, places) in [
            ("https://host", Api::OpenaiChat, &["https://host/m"][..]),
            ("https://host", Api::Gemini, &["https://host/v1beta/m", "https://host/v1/m", "https://host/m"]),
            (
                "https://host/vertex",
                Api::Gemini,
                &["https://host/vertex/v1beta/m", "https://host/vertex/v1/m", "https://host/vertex/m"],
            ),
            ("https://host/v1", Api::Gemini, &["https://host/v1/m"]),
            ("https://host/x/v1beta", Api::Gemini, &["https://host/x/v1beta/m"]),
            ("https://host/v1/projects/p", Api::Gemini, &["https://host/v1/projects/p/m"]),
        ] {
            let base = BaseUrl::parse(base, false).expect("good");
            assert_eq!(base.endpoints(api, "m").collect::<Vec<_>>(), places, "{base} {api:?}");
        }
    }
}
