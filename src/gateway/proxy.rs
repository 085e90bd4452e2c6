//! The proxies that the environment names, chosen by the rules of curl.

use hyper_util::client::proxy::matcher::Matcher;
use reqwest::{ClientBuilder, NoProxy, Proxy};

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

/// The environment variable that puts a proxy before this address, if one does.
///
/// # Errors
/// As for [`in_force`].
pub(super) fn before(base: &BaseUrl, env: &Env) -> Result<Option<&'static str>, Failure> {
    if base.is_loopback() {
        return Ok(None);
    }
    let Some((variable, _)) = in_force(if base.is_https() { "https" } else { "http" }, env)? else { return Ok(None) };
    // The client decides by the same rules, whatever the address of the proxy is.
    let rules = Matcher::builder().all("http://proxy").no(exceptions(env)).build();
    let is_proxied = base.as_str().parse().is_ok_and(|url| rules.intercept(&url).is_some());
    Ok(Some(variable).filter(|_| is_proxied))
}

/// The environment variable that names the proxy for addresses of this scheme, and what it holds; `None` where there is none.
///
/// # Errors
/// The variable does not hold the address of a proxy. The client would ignore it, and requests would go past the proxy
/// that the user wants.
fn in_force<'e>(scheme: &str, env: &'e Env) -> Result<Option<(&'static str, &'e str)>, Failure> {
    let variable = env.proxy_variable(scheme == "https").filter(|_| !has_none(env));
    let Some((variable, address)) = variable.and_then(|name| Some((name, env.get(name)?))) else { return Ok(None) };
    // The client passes by an address with another scheme, a space or quotes in silence.
    let is_used = Matcher::builder().all(address).build().intercept(&http::Uri::from_static("https://host")).is_some();
    if is_used && Proxy::all(address).is_ok() { Ok(Some((variable, address))) } else { Err(senseless(variable)) }
}

/// Advice where the proxy that this variable names asks who comes.
pub(super) fn password(variable: &str) -> String {
    format!("the proxy wants a name and a password, which {variable} may hold: http://NAME:PASSWORD@HOST:PORT")
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
    use super::*;

    /// The variable that is in force for a gateway at this address.
    fn variable(url: &str, vars: &[(&str, &str)]) -> Option<&'static str> {
        let env = Env::from_pairs(vars.iter().copied());
        before(&BaseUrl::parse(url, true).expect("a URL"), &env).expect("an address")
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
