//! Text from the web for a prompt. It is fetched without the key and the headers of any gateway.

use std::time::Duration;

use reqwest::redirect::{Action, Attempt, Policy};
use tokio::time::timeout;
use url::{Host, Url};

use super::{body, transport};
use crate::error::{Failure, FailureKind};

/// The most that is read of a page, in bytes.
const LARGEST_PAGE: usize = 4 << 20;

/// How long a page may take, with all redirects.
const PATIENCE: Duration = Duration::from_secs(30);

/// How many redirects are followed.
const REDIRECTS: usize = 5;

/// What a URL leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Page {
    Text(String),
    /// An image, which the model's provider can fetch itself.
    Image,
}

/// Fetches a text. Nothing but the URL is sent.
///
/// # Errors
/// The server cannot be reached, refuses, sends more than 4 MiB or something else than text, or takes longer than 30 s.
pub async fn page(url: &str) -> Result<Page, Failure> {
    let wrong = |kind, message: String| Failure::new(kind, format!("cannot fetch {url}: {message}"));
    let address = Url::parse(url).map_err(|error| wrong(FailureKind::InvalidRequest, error.to_string()))?;
    let mut http = transport::builder().redirect(Policy::custom(redirect));
    if is_own(&address) {
        http = http.no_proxy();
    }
    let fetch = async {
        let http = http.build().map_err(|error| wrong(FailureKind::Network, transport::chain(&error)))?;
        let sent =
            http.get(url).header("accept", "text/plain, text/markdown, text/*;q=0.9, application/json, */*;q=0.1");
        let broken = |error: reqwest::Error| wrong(FailureKind::Network, transport::chain(&error.without_url()));
        let mut response = sent.send().await.map_err(broken)?;
        let status = response.status();
        if !status.is_success() {
            let kind = FailureKind::from_status(status.as_u16());
            return Err(
                wrong(kind, format!("the server answers {status}")).with_advice("it is fetched without any key")
            );
        }
        let kind = response.headers().get("content-type").and_then(|kind| kind.to_str().ok());
        let kind = kind.unwrap_or_default().to_ascii_lowercase();
        if kind.starts_with("image/") {
            return Ok(Page::Image);
        }
        let mut body = Vec::new();
        if !body::read(&mut response, &mut body, LARGEST_PAGE).await.map_err(broken)? {
            let message = format!("it is larger than {} MiB", LARGEST_PAGE >> 20);
            return Err(wrong(FailureKind::InvalidRequest, message));
        }
        String::from_utf8(body).map(Page::Text).map_err(|_| {
            let what = if kind.is_empty() { "no UTF-8 text".to_owned() } else { format!("no UTF-8 text but {kind}") };
            wrong(FailureKind::InvalidRequest, format!("it is {what}"))
                .with_advice("download it, and attach the file with -f PATH")
        })
    };
    let late = || Err(wrong(FailureKind::Timeout, format!("it took longer than {} s", PATIENCE.as_secs())));
    timeout(PATIENCE, fetch).await.unwrap_or_else(|_| late())
}

/// Follows few redirects, and none that gives up encryption or leads a request for the web to this machine.
fn redirect(attempt: Attempt<'_>) -> Action {
    let allowed = attempt.previous().last().is_some_and(|from| may_lead(from, attempt.url()));
    if attempt.previous().len() > REDIRECTS {
        attempt.error("there are too many redirects")
    } else if allowed {
        attempt.follow()
    } else {
        attempt.error("a redirect leads to a less safe place")
    }
}

fn may_lead(from: &Url, to: &Url) -> bool {
    let keeps_encryption = from.scheme() != "https" || to.scheme() == "https";
    keeps_encryption && matches!(to.scheme(), "http" | "https") && (is_own(from) || !is_own(to))
}

/// Whether the address is of this machine or of its own network, where pages may be that nobody else should read.
fn is_own(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(ip)) => ip.is_loopback() || ip.is_private() || ip.is_link_local() || ip.is_unspecified(),
        Some(Host::Ipv6(ip)) => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects_lead_only_to_places_that_are_as_safe() {
        let leads = |from: &str, to: &str| may_lead(&Url::parse(from).expect("a URL"), &Url::parse(to).expect("a URL"));
        assert!(leads("https://a.example/x", "https://b.example/y") && leads("http://a.example", "https://a.example"));
        assert!(leads("http://127.0.0.1:1/a", "http://127.0.0.1:1/b"));
        for to in ["http://a.example", "ftp://a.example", "https://localhost/", "https://10.0.0.1/", "https://[::1]/"] {
            assert!(!leads("https://a.example", to), "{to}");
        }
        assert!(!leads("http://a.example", "http://169.254.169.254/latest"));
    }
}
