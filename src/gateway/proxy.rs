//! The proxies that the environment names, chosen by the rules of curl.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper_util::client::proxy::matcher::Matcher;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use reqwest::{ClientBuilder, NoProxy, Proxy};
use secrecy::SecretString;
use url::Url;

use super::mask::SHORTEST_PASSWORD;
use crate::config::{BaseUrl, Env};
use crate::error::{Failure, FailureKind};

/// The client with the proxies that the environment names for URLs of these schemes, and with no others. What the client reads
/// of the environment by itself differs in small things.
///
/// # Errors
/// As for [`in_force`].
pub(super) fn set(client: ClientBuilder, schemes: &[&str], env: &Env) -> Result<ClientBuilder, Failure> {
    let mut client = client.no_proxy();
    for scheme in schemes {
        let Some((variable, address)) = in_force(scheme, env)? else { continue };
        let proxy = if *scheme == "https" { Proxy::https(address) } else { Proxy::http(address) };
        let proxy = proxy.map_err(|_| senseless(variable))?;
        client = client.proxy(proxy.no_proxy(NoProxy::from_string(&exceptions(env))));
    }
    Ok(client)
}

/// A proxy that the environment puts before an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Before {
    /// The variable that names it.
    pub(super) variable: &'static str,
    /// Its address, without the name and the password for it.
    address: String,
}

impl Before {
    fn new(variable: &'static str, address: &str) -> Self {
        let (scheme, rest) = address.split_once("://").unwrap_or(("http", address));
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        Self { variable, address: format!("{scheme}://{host}") }
    }

    /// Whether the connection to the proxy itself is encrypted.
    pub(super) fn is_encrypted(&self) -> bool {
        self.address.starts_with("https://")
    }

    /// Whether TLS failed at the proxy, and not behind it, by the cause in lower case. `is_https` says whether what is behind it
    /// is encrypted as well: then the proxy makes a tunnel to it, and hyper says in its message alone on which side that failed.
    pub(super) fn breaks_tls(&self, cause: &str, is_https: bool) -> bool {
        self.is_encrypted() && (!is_https || cause.contains("failed to create underlying connection"))
    }
}

/// As it is named in errors.
impl fmt::Display for Before {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the proxy {} of {}", self.address, self.variable)
    }
}

/// The proxy that the environment puts before this gateway, if it does.
///
/// # Errors
/// As for [`in_force`].
pub(super) fn before(base: &BaseUrl, env: &Env) -> Result<Option<Before>, Failure> {
    if base.is_loopback() { Ok(None) } else { before_address(base.as_str(), env) }
}

/// The same for any address that is asked through proxies.
///
/// # Errors
/// As for [`in_force`].
pub(super) fn before_address(address: &str, env: &Env) -> Result<Option<Before>, Failure> {
    // The client decides by the same rules, whatever the address of the proxy is.
    let rules = Matcher::builder().all("http://proxy").no(exceptions(env)).build();
    if address.parse().is_ok_and(|url| rules.intercept(&url).is_none()) {
        return Ok(None);
    }
    let scheme = if address.starts_with("https:") { "https" } else { "http" };
    Ok(in_force(scheme, env)?.map(|(variable, address)| Before::new(variable, &address)))
}

/// The secrets that the proxy for addresses of this scheme gets: its password, and what is sent for it. The proxy may repeat them.
///
/// # Errors
/// As for [`in_force`].
pub(super) fn secrets(scheme: &str, env: &Env) -> Result<Vec<SecretString>, Failure> {
    let address = in_force(scheme, env)?.and_then(|(_, address)| Url::parse(&address).ok());
    let Some((user, password)) = address.as_ref().and_then(|url| Some((url.username(), url.password()?))) else {
        return Ok(Vec::new());
    };
    let plain = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let (user, password) = (plain(user), plain(password));
    let sent = STANDARD.encode(format!("{user}:{password}"));
    let is_long = |secret: &String| secret.len() >= SHORTEST_PASSWORD;
    Ok([password, sent].into_iter().filter(is_long).map(SecretString::from).collect())
}

/// The environment variable that names the proxy for addresses of this scheme, and what it holds; `None` where there is none.
///
/// # Errors
/// The variable does not hold the address of a proxy. The client would ignore it, and requests would go past the proxy
/// that the user wants.
fn in_force(scheme: &str, env: &Env) -> Result<Option<(&'static str, String)>, Failure> {
    let variable = env.proxy_variable(scheme == "https").filter(|_| !has_none(env));
    let Some((variable, address)) = variable.and_then(|name| Some((name, env.get(name)?))) else { return Ok(None) };
    let address = in_full(address);
    // The client passes by an address with another scheme, a space or quotes in silence.
    let is_used =
        Matcher::builder().all(&*address).build().intercept(&http::Uri::from_static("https://host")).is_some();
    if is_used && Proxy::all(&*address).is_ok() { Ok(Some((variable, address))) } else { Err(senseless(variable)) }
}

/// The address with the scheme and the port that curl takes where none is written, which are not those of the client.
fn in_full(address: &str) -> String {
    let (scheme, rest) = match address.split_once("://") {
        Some(both) => both,
        // It may be a scheme that is written wrongly.
        None if address.trim_end_matches('/').contains('/') => return address.to_owned(),
        None => ("http", address),
    };
    let scheme = match scheme.to_ascii_lowercase() {
        scheme if scheme == "socks" => "socks4".to_owned(),
        scheme => scheme,
    };
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let (login, host) = authority.rsplit_once('@').map_or((None, authority), |(login, host)| (Some(login), host));
    let login = login.map_or_else(String::new, |login| format!("{}@", utf8_percent_encode(login, UNUSUAL)));
    // The colons of an IPv6 address are between brackets.
    let end = host.rsplit_once(']').map_or(host, |(_, end)| end);
    let has_port = end.split_once(':').is_some_and(|(_, port)| !port.is_empty());
    let host = match scheme.as_str() {
        _ if has_port || host.is_empty() => host.to_owned(),
        "https" => host.to_owned(),
        _ => format!("{}:{USUAL_PORT}", host.trim_end_matches(':')),
    };
    format!("{scheme}://{login}{host}{path}")
}

/// What is encoded in the name and the password for a proxy: curl takes most of it as it is, as in `DOMAIN\name`.
const UNUSUAL: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'%').remove(b':').remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The port of a proxy for which none is written, unless it is one with TLS: those have the port of HTTPS.
const USUAL_PORT: u16 = 1080;

/// Advice where the proxy that this variable names asks who comes.
pub(super) fn password(variable: &str) -> String {
    format!("the proxy wants a name and a password, which {variable} may hold: http://NAME:PASSWORD@HOST:PORT")
}

/// Advice where no connection comes about through the proxy that this variable names.
pub(super) fn doubted(variable: &str) -> String {
    format!("{variable} is set: connections go through that proxy; is it right?")
}

/// Whether a proxy asks who comes, by the cause in lower case of a connection that did not come about.
pub(super) fn wants_password(cause: &str) -> bool {
    cause.contains("proxy authorization required")
}

fn senseless(variable: &str) -> Failure {
    let message = format!("{variable} is not the address of a proxy");
    Failure::new(FailureKind::Network, message).with_advice(format!("unset {variable}, or mend it"))
}

/// The names and addresses of `NO_PROXY`, which commas or spaces part.
fn excepted(env: &Env) -> impl Iterator<Item = &str> {
    let said = ["no_proxy", "NO_PROXY"].into_iter().find_map(|name| env.get(name)).unwrap_or_default();
    said.split([',', ' ', '\t', '\n', '\r']).filter(|name| !name.is_empty())
}

/// The same in the form that the client reads. The dot at the end of a name, which says that it is whole, makes no difference.
fn exceptions(env: &Env) -> String {
    let names = excepted(env).map(|name| name.trim_end_matches('.').to_ascii_lowercase());
    names.map(|name| format!("{name},{name}.")).collect::<Vec<_>>().join(",")
}

/// Whether `NO_PROXY=*` says that there is no proxy for any address. The client takes that for all names, but not for addresses
/// of numbers.
fn has_none(env: &Env) -> bool {
    excepted(env).any(|exception| exception == "*")
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    /// The variable that is in force for a gateway at this address.
    fn variable(url: &str, vars: &[(&str, &str)]) -> Option<&'static str> {
        let env = Env::from_pairs(vars.iter().copied());
        before(&BaseUrl::parse(url, true).expect("a URL"), &env).expect("an address").map(|proxy| proxy.variable)
    }

    #[test]
    fn the_variable_is_that_of_curl() {
        let proxy = "http://proxy:3128";
        for (url, set, expected) in [
            ("https://a.example/v1", &["https_proxy", "HTTPS_PROXY", "all_proxy"][..], Some("https_proxy")),
            ("https://a.example/v1", &["HTTPS_PROXY", "all_proxy"], Some("HTTPS_PROXY")),
            ("https://a.example/v1", &["all_proxy", "ALL_PROXY", "http_proxy"], Some("all_proxy")),
            ("http://a.example/v1", &["http_proxy", "HTTP_PROXY"], Some("http_proxy")),
            ("http://a.example/v1", &["HTTP_PROXY", "https_proxy"], Some("HTTP_PROXY")),
            // A web server sets it to what a header of its client says.
            ("http://a.example/v1", &["HTTP_PROXY", "REQUEST_METHOD"], None),
            ("https://a.example/v1", &["http_proxy"], None),
        ] {
            let vars: Vec<(&str, &str)> = set.iter().map(|name| (*name, proxy)).collect();
            assert_eq!(variable(url, &vars), expected, "{url} {set:?}");
        }
    }

    #[test]
    fn an_address_has_the_scheme_and_the_port_that_curl_takes() {
        for (written, taken) in [
            ("proxy", "http://proxy:1080"),
            ("proxy:3128", "http://proxy:3128"),
            ("http://proxy", "http://proxy:1080"),
            ("HTTP://proxy/", "http://proxy:1080/"),
            ("http://proxy:", "http://proxy:1080"),
            ("http://proxy:80", "http://proxy:80"),
            ("http://name:pass@proxy", "http://name:pass@proxy:1080"),
            ("name:pass@proxy:3128", "http://name:pass@proxy:3128"),
            ("http://corp\\name:p\u{e4}ss[1@proxy:1", "http://corp%5Cname:p%C3%A4ss%5B1@proxy:1"),
            ("http://n%40me:p@ss@proxy:1", "http://n%40me:p%40ss@proxy:1"),
            ("http://[::1]", "http://[::1]:1080"),
            ("[::1]:3128", "http://[::1]:3128"),
            ("https://proxy", "https://proxy"),
            ("https://proxy:8443", "https://proxy:8443"),
            ("socks://proxy", "socks4://proxy:1080"),
            ("Socks://proxy:9050", "socks4://proxy:9050"),
            ("socks4a://proxy", "socks4a://proxy:1080"),
            ("socks5h://name:pass@proxy", "socks5h://name:pass@proxy:1080"),
        ] {
            let env = Env::from_pairs([("https_proxy", written)]);
            let taken_of = in_force("https", &env).unwrap_or_else(|failure| panic!("{written}: {failure}"));
            assert_eq!(taken_of, Some(("https_proxy", taken.to_owned())), "{written}");
        }
        for senseless in [
            "http://",
            "://proxy",
            "ftp://proxy",
            "http://:1080",
            "http://a b",
            "::garbage::",
            "http//proxy:1",
            "proxy:port",
            "socks6://proxy",
        ] {
            let env = Env::from_pairs([("https_proxy", senseless)]);
            assert!(in_force("https", &env).is_err(), "{senseless}");
        }
    }

    #[test]
    fn a_senseless_proxy_stops_no_request_that_would_not_use_it() {
        let vars = [("https_proxy", "socks9://proxy:1"), ("NO_PROXY", "corp.example")];
        assert_eq!(variable("https://corp.example/v1", &vars), None);
        let env = Env::from_pairs(vars);
        assert!(before(&BaseUrl::parse("https://other.example/v1", true).expect("a URL"), &env).is_err());
    }

    #[test]
    fn the_password_of_a_proxy_is_known_plain_and_as_it_is_sent() {
        let secrets = |proxy: &str| {
            let secrets = secrets("https", &Env::from_pairs([("https_proxy", proxy)])).expect("an address");
            secrets.iter().map(|secret| secret.expose_secret().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(secrets("http://us%65r:p%40ss@proxy:1"), ["p@ss", &STANDARD.encode("user:p@ss")]);
        for none in ["http://proxy:1", "http://user@proxy:1"] {
            assert_eq!(secrets(none), Vec::<String>::new());
        }
    }

    #[test]
    fn a_proxy_is_named_without_its_password() {
        for (written, named) in [
            ("proxy", "http://proxy:1080"),
            ("https://name:p@ss@proxy:8443/x?y", "https://proxy:8443"),
            ("https://name@[::1]:8443", "https://[::1]:8443"),
        ] {
            let env = Env::from_pairs([("https_proxy", written)]);
            let proxy = before_address("https://a.example", &env).expect("an address").expect("one is set");
            assert_eq!(proxy.to_string(), format!("the proxy {named} of https_proxy"));
        }
    }

    #[test]
    fn exceptions_are_parted_and_written_as_curl_reads_them() {
        for (host, exceptions, is_excepted) in [
            ("llm.corp.example", "foo corp.example", true),
            ("llm.corp.example", "foo,\tcorp.example.", true),
            ("llm.corp.example.", "corp.example", true),
            ("llm.corp.example", "CORP.example", true),
            ("llm.corp.example", ".corp.example", true),
            ("llm.corp.example", "x, *", true),
            ("llm.corp.example", "orp.example", false),
            ("10.1.2.3", "10.0.0.0/8", true),
            ("11.1.2.3", "10.0.0.0/8", false),
            ("10.1.2.3", "*", true),
        ] {
            let url = format!("https://{host}/v1");
            let vars = [("https_proxy", "http://proxy:3128"), ("NO_PROXY", exceptions)];
            assert_eq!(variable(&url, &vars).is_none(), is_excepted, "{host} {exceptions}");
            // The small letters come first.
            let vars = [vars[0], ("NO_PROXY", "other.example"), ("no_proxy", exceptions)];
            assert_eq!(variable(&url, &vars).is_none(), is_excepted, "{host} {exceptions}");
        }
    }
}
