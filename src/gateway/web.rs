//! Text from the web for a prompt. It is fetched without the key and the headers of any gateway.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::redirect::{Action, Attempt, Policy};
use tokio::time::timeout;
use url::{Host, Url};

use super::names::addresses;
use super::{body, proxy, transport};
use crate::config::{Env, is_this_machine};
use crate::error::{Failure, FailureKind};
use crate::words;

/// The most that is read of a page, in bytes.
const LARGEST_PAGE: usize = 4 << 20;

/// The longest that a page may take, with all redirects.
const PATIENCE: Duration = Duration::from_secs(30);

/// How many redirects are followed.
const REDIRECTS: usize = 5;

/// What a URL leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Page {
    /// A text, and the address that redirects have led to if its host is another.
    Text(String, Option<String>),
    /// An image, which the model's provider can fetch itself.
    Image,
}

/// An address as it may be shown and sent to a model: what a query and a fragment hold may be secret.
pub fn shown(url: &Url) -> String {
    format!("{}{}", url.origin().ascii_serialization(), url.path())
}

/// The same for an address of any scheme.
fn without_query(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.set_fragment(None);
    // An address that can hold neither keeps what it has, which is none.
    let _ = url.set_username("").and_then(|()| url.set_password(None));
    url.into()
}

/// The schemes that may be asked for this address: no redirect gives up encryption.
fn schemes(address: &Url) -> &'static [&'static str] {
    if address.scheme() == "https" { &["https"] } else { &["http", "https"] }
}

/// Fetches a text. Nothing but the URL is sent. `limit` is that of `--timeout`, which can only shorten the 30 s that a page may take.
///
/// # Errors
/// The server cannot be reached, refuses, sends more than 4 MiB or something else than text, or takes too long.
pub async fn page(address: &Url, env: &Env, limit: Option<Duration>) -> Result<Page, Failure> {
    let url = shown(address);
    let wrong = |kind, message: String| Failure::new(kind, format!("cannot fetch {url}: {message}"));
    let reach = Reach::new(address);
    let (of_redirects, of_errors) = (reach.clone(), reach.clone());
    let redirects = Policy::custom(move |attempt| redirect(attempt, &of_redirects));
    transport::check_authorities(env)?;
    let http = transport::builder().redirect(redirects).dns_resolver(reach);
    let http = if is_this_machine(address) { http.no_proxy() } else { proxy::set(http, schemes(address), env)? };
    let fetch = async {
        let http = http.build().map_err(|error| wrong(FailureKind::Network, transport::chain(&error)))?;
        let sent = http
            .get(address.clone())
            .header("accept", "text/plain, text/markdown, text/*;q=0.9, application/json, */*;q=0.1");
        let broken = |error: reqwest::Error| {
            let target = of_errors.last_target();
            let asked = target.as_ref().or(error.url()).unwrap_or(address);
            let (proxy, encrypted) = (proxy_before(asked, address, env), asked.scheme() == "https");
            let is_connect = error.is_connect();
            let cause = transport::chain(&error.without_url());
            let lower = cause.to_lowercase();
            let advice = advice(&lower, proxy.as_ref().map(|proxy| proxy.variable), is_connect);
            let breaks = proxy.filter(|proxy| is_connect && proxy.breaks_tls(&lower, encrypted));
            let message = breaks.map_or(cause.clone(), |proxy| format!("no connection to {proxy}: {cause}"));
            let message =
                target.map_or(message.clone(), |target| format!("it redirects to {}: {message}", shown(&target)));
            wrong(FailureKind::Network, message).with_advice(advice)
        };
        let mut response = sent.send().await.map_err(broken)?;
        let status = response.status();
        if !status.is_success() {
            let kind = FailureKind::from_status(status.as_u16());
            let location = response.headers().get("location");
            let location = location.map(|location| String::from_utf8_lossy(location.as_bytes()));
            // The client follows no address but those of the web.
            let target = location.filter(|_| status.is_redirection()).map(|location| {
                let target =
                    response.url().join(&location).map_or_else(|_| "elsewhere".to_owned(), |url| without_query(&url));
                format!(" and redirects to {target}")
            });
            let message = format!("the server answers {status}{}", target.unwrap_or_default());
            let proxy = proxy_before(response.url(), address, env).filter(|_| status.as_u16() == 407);
            let password = proxy.map(|proxy| proxy::password(proxy.variable));
            let advice = password.unwrap_or_else(|| "it is fetched without any key".to_owned());
            return Err(wrong(kind, message).with_advice(advice));
        }
        let kind = response.headers().get("content-type").and_then(|kind| kind.to_str().ok());
        let kind = kind.unwrap_or_default().to_ascii_lowercase();
        if kind.starts_with("image/") {
            return Ok(Page::Image);
        }
        let from = Some(response.url()).filter(|from| from.host_str() != address.host_str()).map(shown);
        let mut body = Vec::new();
        if !body::read(&mut response, &mut body, LARGEST_PAGE).await.map_err(broken)? {
            let message = format!("it is larger than {} MiB", LARGEST_PAGE >> 20);
            return Err(wrong(FailureKind::InvalidRequest, message));
        }
        String::from_utf8(body).map(|text| Page::Text(text, from)).map_err(|_| {
            let what = if kind.is_empty() { "no UTF-8 text".to_owned() } else { format!("no UTF-8 text but {kind}") };
            wrong(FailureKind::InvalidRequest, format!("it is {what}"))
                .with_advice("download it, and attach the file with -f PATH")
        })
    };
    let (patience, advice) = patience(limit);
    timeout(patience, fetch).await.unwrap_or_else(|_| {
        let message = format!("it took longer than {}", words::limit(patience));
        Err(wrong(FailureKind::Timeout, message).with_advice(advice))
    })
}

/// How long a page may take, and what to do where that is too short.
fn patience(limit: Option<Duration>) -> (Duration, &'static str) {
    match limit.filter(|limit| *limit < PATIENCE) {
        Some(limit) => (limit, "--timeout sets another limit"),
        None => (PATIENCE, "download it, and attach the file with -f PATH"),
    }
}

/// The proxy that the environment puts before an address to which the one that was asked for leads, if it does.
fn proxy_before(url: &Url, asked: &Url, env: &Env) -> Option<proxy::Before> {
    if is_this_machine(asked) {
        return None;
    }
    proxy::before_address(&url.origin().ascii_serialization(), env).ok().flatten()
}

/// What can be done where a connection broke or did not come about, by the cause in lower case.
fn advice(cause: &str, proxy: Option<&str>, is_connect: bool) -> String {
    match proxy {
        Some(variable) if proxy::wants_password(cause) => proxy::password(variable),
        _ if transport::is_about_certificate(cause) => {
            "SSL_CERT_FILE names a file of the authorities that are trusted".to_owned()
        }
        Some(variable) if is_connect => proxy::doubted(variable),
        _ => "is the address right, and is there a network?".to_owned(),
    }
}

/// Follows few redirects, and none that gives up encryption or leads a request for the web to this machine.
fn redirect(attempt: Attempt<'_>, reach: &Reach) -> Action {
    let allowed = attempt.previous().last().is_some_and(|from| reach.may_lead(from, attempt.url()));
    if attempt.previous().len() > REDIRECTS {
        attempt.error("there are too many redirects")
    } else if allowed {
        attempt.follow()
    } else {
        let target = shown(attempt.url());
        attempt
            .error(format!("it redirects to {target}, which is a less safe place; attach that address if you trust it"))
    }
}

/// Where a request may lead. Whoever owns a page of the web must not have that fetched which this machine alone can read.
#[derive(Debug, Clone)]
struct Reach {
    start: Url,
    known: Arc<Mutex<Known>>,
}

#[derive(Debug, Default)]
struct Known {
    /// Whether the address that was asked for is of this machine or its network; `None` until its name is resolved, and where a
    /// proxy does that.
    starts_at_own: Option<bool>,
    /// Where redirects have led to. A resolver is also asked for the name of a proxy, which may be anywhere.
    targets: Vec<Url>,
}

impl Reach {
    fn new(start: &Url) -> Self {
        let is_name = matches!(start.host(), Some(Host::Domain(_)));
        let starts_at_own = if is_own(start) { Some(true) } else { (!is_name).then_some(false) };
        Self { start: start.clone(), known: Arc::new(Mutex::new(Known { starts_at_own, targets: Vec::new() })) }
    }

    fn may_lead(&self, from: &Url, to: &Url) -> bool {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let keeps_encryption = from.scheme() != "https" || to.scheme() == "https";
        let is_safe = if known.starts_at_own == Some(true) {
            // The port of an address is `None` if it is the usual one of its scheme.
            self.start.host() == to.host() && self.start.port() == to.port()
        } else {
            !is_own(to)
        };
        let may_lead = keeps_encryption && matches!(to.scheme(), "http" | "https") && is_safe;
        if may_lead {
            known.targets.push(to.clone());
        }
        may_lead
    }

    /// Where the last redirect has led to.
    fn last_target(&self) -> Option<Url> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).targets.last().cloned()
    }

    /// Those of the addresses of a host that may be asked.
    fn allowed(&self, host: &str, mut addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let is_start = self.start.host_str() == Some(host);
        if is_start && known.starts_at_own.is_none() {
            known.starts_at_own = Some(addresses.iter().all(|address| is_own_ip(address.ip())));
        }
        if known.starts_at_own != Some(true)
            && (is_start || known.targets.iter().any(|target| target.host_str() == Some(host)))
        {
            addresses.retain(|address| !is_own_ip(address.ip()));
        }
        addresses
    }
}

/// What [`Reach`] lets through of the addresses that the system has for a name.
impl Resolve for Reach {
    fn resolve(&self, name: Name) -> Resolving {
        let reach = self.clone();
        Box::pin(async move {
            let found = addresses(name.as_str()).await?;
            let allowed = reach.allowed(name.as_str(), found);
            if allowed.is_empty() {
                return Err(
                    format!("a redirect leads to {}, which is in this machine's own network", name.as_str()).into()
                );
            }
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

/// Whether the address is of this machine or of its own network, where pages may be that nobody else should read.
fn is_own(url: &Url) -> bool {
    let is_own_host = match url.host() {
        Some(Host::Ipv4(ip)) => is_own_ip(ip.into()),
        Some(Host::Ipv6(ip)) => is_own_ip(ip.into()),
        Some(Host::Domain(_)) | None => false,
    };
    is_own_host || is_this_machine(url)
}

fn is_own_ip(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        // Networks of providers (100.64.0.0/10) are shared by their customers.
        IpAddr::V4(ip) => {
            let [first, second, ..] = ip.octets();
            let is_shared = first == 100 && (64..128).contains(&second);
            first == 0 || is_shared || ip.is_loopback() || ip.is_private() || ip.is_link_local() || ip.is_broadcast()
        }
        IpAddr::V6(ip) => ip.is_unspecified() || ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).expect("a URL")
    }

    #[test]
    fn redirects_lead_only_to_places_that_are_as_safe() {
        let leads = |from: &str, to: &str| Reach::new(&url(from)).may_lead(&url(from), &url(to));
        assert!(leads("https://a.example/x", "https://b.example/y") && leads("http://a.example", "https://a.example"));
        assert!(leads("http://127.0.0.1:1/a", "http://127.0.0.1:1/b"));
        for to in [
            "http://a.example",
            "ftp://a.example",
            "https://localhost/",
            "https://x.localhost./",
            "https://10.0.0.1/",
            "https://100.64.0.1/",
            "https://0.0.0.0/",
            "https://[::1]/",
            "https://[::ffff:127.0.0.1]/",
        ] {
            assert!(!leads("https://a.example", to), "{to}");
        }
        assert!(!leads("http://a.example", "http://169.254.169.254/latest"));
        // Another program of this machine is another place, and so is the web.
        for to in ["http://127.0.0.1:2/b", "http://localhost:1/b", "http://a.example/"] {
            assert!(!leads("http://127.0.0.1:1/a", to), "{to}");
        }
    }

    #[test]
    fn only_what_is_on_this_machine_is_asked_without_a_proxy() {
        for own in ["10.9.8.7", "172.16.0.1", "192.168.1.5", "100.64.0.1", "169.254.1.1", "[fd00::5]", "[fe80::1]"] {
            let address = url(&format!("https://{own}/x.txt"));
            assert!(is_own(&address) && !is_this_machine(&address), "{own}");
        }
        for here in
            ["127.0.0.1", "127.9.9.9", "0.0.0.0", "[::1]", "[::]", "[::ffff:127.0.0.1]", "localhost", "x.localhost."]
        {
            let address = url(&format!("https://{here}/x.txt"));
            assert!(is_own(&address) && is_this_machine(&address), "{here}");
        }
    }

    #[test]
    fn no_name_leads_from_the_web_to_this_machine() {
        let own: SocketAddr = ([127, 0, 0, 1], 0).into();
        let public: SocketAddr = ([93, 184, 216, 34], 0).into();
        let reach = Reach::new(&url("https://a.example/x"));
        assert_eq!(reach.allowed("proxy.example", vec![own]), [own], "a proxy may be anywhere");
        assert_eq!(reach.allowed("a.example", vec![public]), [public]);
        assert!(reach.allowed("a.example", vec![own]).is_empty(), "it is another address than before");
        assert!(reach.may_lead(&url("https://a.example/x"), &url("https://b.example/")));
        assert_eq!(reach.allowed("b.example", vec![own, public]), [public]);
        // A name of the own network leads to itself alone.
        let reach = Reach::new(&url("https://wiki.example/x"));
        assert_eq!(reach.allowed("wiki.example", vec![own]), [own]);
        assert!(reach.may_lead(&url("https://wiki.example/x"), &url("https://wiki.example/y")));
        assert!(!reach.may_lead(&url("https://wiki.example/x"), &url("https://b.example/")));
        assert_eq!(reach.allowed("wiki.example", vec![own]), [own]);
    }

    #[test]
    fn the_shorter_limit_holds_and_the_advice_is_about_that_one() {
        let of = |limit: Option<u64>| patience(limit.map(Duration::from_secs));
        assert_eq!(of(Some(3)), (Duration::from_secs(3), "--timeout sets another limit"));
        for limit in [None, Some(30), Some(u64::MAX)] {
            let (patience, advice) = of(limit);
            assert_eq!(patience, PATIENCE);
            assert!(!advice.contains("--timeout"), "{advice}");
        }
    }

    #[test]
    fn what_is_secret_of_an_address_is_not_shown() {
        let signed = "https://a.example:8443/x.txt?signature=SECRET#SECRET";
        assert_eq!(shown(&url(signed)), "https://a.example:8443/x.txt");
    }
}
