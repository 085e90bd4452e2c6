//! What the headers of a response say.

use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::fmt::rfc2822::DateTimeParser;
use jiff::tz::TimeZone;
use reqwest::header::{HeaderMap, LOCATION};
use reqwest::{Response, Url};

use super::mask::Mask;
use crate::call::Meta;
use crate::config;
use crate::error::{Failure, FailureKind, LONGEST_WAIT, asked_wait};
use crate::money::Usd;
use crate::words::shortened;

/// The headers in which gateways give the id of a request, best first.
const REQUEST_IDS: [&str; 7] = [
    "x-request-id",
    "request-id",
    "x-generation-id",
    "x-litellm-call-id",
    "x-portkey-trace-id",
    "helicone-id",
    "cf-ray",
];

/// The longest id of a request that is kept, in characters. It is printed with every attempt, and stands in the ledger.
const LONGEST_ID: usize = 256;

pub(super) fn meta(headers: &HeaderMap) -> Meta {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let number = |name: &str| text(name).and_then(|value| value.parse().ok());
    Meta {
        // LiteLLM reports zero for models without a price, and while it streams.
        cost: text("x-litellm-response-cost").and_then(|cost| cost.parse().ok()).filter(|cost| *cost > Usd::ZERO),
        request_id: REQUEST_IDS.into_iter().find_map(text).map(|id| shortened(id, LONGEST_ID).into_owned()),
        upstream_retries: number("x-litellm-attempted-retries"),
        upstream_fallbacks: number("x-litellm-attempted-fallbacks"),
    }
}

/// What a refusal says about another try.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct RetryAdvice {
    pub(super) retry_after: Option<Duration>,
    pub(super) should_retry: Option<bool>,
}

/// Reads what a refusal says about another try. A time to come back counts only where another try can help, or where
/// the gateway says that it can.
pub(super) fn retry_advice(headers: &HeaderMap, status: u16) -> RetryAdvice {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let should_retry = text("x-should-retry").and_then(|value| value.to_ascii_lowercase().parse().ok());
    if !matches!(status, 402 | 408 | 409 | 429 | 500..) && should_retry != Some(true) {
        return RetryAdvice { retry_after: None, should_retry };
    }
    let milliseconds = text("retry-after-ms").and_then(|value| seconds(value, 0.001));
    // Some gateways fill a field that they have no value for with zero.
    let told = milliseconds.filter(|wait| !wait.is_zero());
    let told = told.or_else(|| text("retry-after").and_then(|value| retry_after(value, Timestamp::now())));
    let retry_after = told.or(milliseconds);
    RetryAdvice { retry_after, should_retry }
}

/// Dates as in mails, with an offset.
const MAIL_DATE: DateTimeParser = DateTimeParser::new().relaxed_weekday(true);

/// Reads a number of seconds, which may have decimals, or an HTTP date in any of its three forms.
fn retry_after(value: &str, now: Timestamp) -> Option<Duration> {
    seconds(value, 1.0).or_else(|| {
        // Some servers name another day of the week than the one that the date has.
        let (_, after_weekday) = value.split_once(' ')?;
        let form = |form| DateTime::strptime(form, after_weekday).ok();
        let utc = |time: Timestamp| time.to_zoned(TimeZone::UTC).datetime();
        // The last day of the year 9999, which some send for "never", is a date, but no timestamp.
        let date = form("%d %b %Y %H:%M:%S GMT")
            .or_else(|| form("%d-%b-%y %H:%M:%S GMT"))
            .or_else(|| form("%b %e %H:%M:%S %Y"))
            .or_else(|| MAIL_DATE.parse_timestamp(value).map(utc).ok());
        let wait = Duration::try_from(date?.duration_since(utc(now))).unwrap_or(Duration::ZERO);
        Some(wait.min(LONGEST_WAIT))
    })
}

/// Reads a number of seconds, times `unit`. Returns `None` for what is no number, or no possible time to wait.
fn seconds(value: &str, unit: f64) -> Option<Duration> {
    asked_wait(value.parse::<f64>().ok()? * unit)
}

/// The failure of a request that was redirected. No redirect is followed, since it would send key and prompt where the user
/// did not mean them to go.
pub(super) fn redirect(response: &Response, gateway: &config::Gateway, mask: &Mask) -> Failure {
    // Many servers send letters of other languages as they are. The location is masked before it is parsed, because parsing
    // changes the name of a host to lower case.
    let location = response.headers().get(LOCATION).map(|value| String::from_utf8_lossy(value.as_bytes()));
    let target = location.map(|location| target(response.url(), &mask.message(&location)));
    let place = target.as_ref().map_or(", and does not say where".to_owned(), |target| format!(" to {target}"));
    let message = format!("{} redirects{place}; redirects are not followed", gateway.base_url.origin());
    let failure = Failure::new(FailureKind::Protocol, message).with_status(response.status().as_u16());
    match target {
        Some(_) => failure.with_advice("if that is where the gateway now is, change its base_url"),
        None => failure,
    }
}

/// The target of a redirect without what could be secret: another origin, or another path of the same origin.
fn target(from: &Url, location: &str) -> String {
    match from.join(location) {
        Ok(to) if to.origin() == from.origin() => format!("its own path {}", to.path()),
        Ok(to) if to.has_host() => to.origin().ascii_serialization(),
        Ok(to) => format!("an address that begins with {}:", to.scheme()),
        Err(_) => "an address that makes no sense".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use reqwest::header::{HeaderName, HeaderValue};

    const KEY: &str = "sk-proj-0123456789abcdef";

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| ((*name).parse().expect("a name"), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn a_wait_is_taken_in_every_spelling_and_nonsense_is_not() {
        let now: Timestamp = "2026-11-20T10:00:00Z".parse().expect("a time");
        for (value, wait) in [
            ("1", Some(1_000)),
            ("0", Some(0)),
            ("1.5", Some(1_500)),
            ("86400", Some(86_400_000)),
            ("Fri, 20 Nov 2026 10:00:30 GMT", Some(30_000)),
            ("Fri, 20 Nov 2020 10:00:30 GMT", Some(0)),
            ("Friday, 20-Nov-26 10:00:30 GMT", Some(30_000)),
            ("Fri Nov 20 10:00:30 2026", Some(30_000)),
            ("Sat Nov  7 10:00:30 2026", Some(0)),
            ("1795168830", None),
            ("1795168830000", None),
            ("Thu, 31 Dec 2037 23:55:55 GMT", Some(366 * 86_400_000)),
            ("Fri, 31 Dec 9999 23:59:59 GMT", Some(366 * 86_400_000)),
            ("Wed, 31 Dec 9999 23:59:59 GMT", Some(366 * 86_400_000)),
            ("Thu, 20 Nov 2026 10:00:30 GMT", Some(30_000)),
            ("Monday, 20-Nov-26 10:00:30 GMT", Some(30_000)),
            ("Sun Nov 20 10:00:30 2026", Some(30_000)),
            ("Sat, 20 Nov 2026 11:00:30 +0100", Some(30_000)),
            ("Fri, 20 Nov 2026 11:00:30 +0100", Some(30_000)),
            ("63072000", Some(366 * 86_400_000)),
            ("99999999999", None),
            ("-5", None),
            ("NaN", None),
            ("inf", None),
            ("1e308", None),
            ("soon", None),
            ("", None),
        ] {
            assert_eq!(retry_after(value, now), wait.map(Duration::from_millis), "{value}");
        }
    }

    #[test]
    fn milliseconds_win_and_refusals_for_good_name_no_time() {
        let both = headers(&[("retry-after", "7"), ("retry-after-ms", "250"), ("x-should-retry", "false")]);
        let advice = retry_advice(&both, 429);
        assert_eq!(advice, RetryAdvice { retry_after: Some(Duration::from_millis(250)), should_retry: Some(false) });
        assert_eq!(retry_advice(&both, 400), RetryAdvice { retry_after: None, should_retry: Some(false) });
        for (both, wait) in
            [([("retry-after", "7"), ("retry-after-ms", "0")], 7), ([("retry-after", "x"), ("retry-after-ms", "0")], 0)]
        {
            assert_eq!(retry_advice(&headers(&both), 429).retry_after, Some(Duration::from_secs(wait)));
        }
        let yes = headers(&[("retry-after", "7"), ("x-should-retry", "true")]);
        assert_eq!(retry_advice(&yes, 400).retry_after, Some(Duration::from_secs(7)));
        assert_eq!(retry_advice(&headers(&[("x-should-retry", "maybe")]), 429), RetryAdvice::default());
        for (value, should_retry) in [("False", false), ("TRUE", true)] {
            assert_eq!(retry_advice(&headers(&[("x-should-retry", value)]), 429).should_retry, Some(should_retry));
        }
    }

    #[test]
    fn a_redirect_names_its_target_without_what_could_be_secret() {
        let from = Url::parse("https://gateway.example/v1/chat/completions?a=b").expect("an address");
        for (location, target) in [
            ("https://other.example/v1?key=secret", "https://other.example"),
            ("https://user:secret@other.example:8443/", "https://other.example:8443"),
            ("http://gateway.example/v1", "http://gateway.example"),
            ("//other.example/x", "https://other.example"),
            ("/login?next=secret", "its own path /login"),
            ("file:///etc/passwd", "an address that begins with file:"),
            ("https://", "an address that makes no sense"),
            ("/anmelden/für", "its own path /anmelden/f%C3%BCr"),
            ("https://bücher.example/été", "https://xn--bcher-kva.example"),
        ] {
            assert_eq!(super::target(&from, location), target, "{location:?}");
        }
    }

    #[test]
    fn an_id_without_measure_is_cut_and_shows_no_part_of_a_key() {
        let id = |value: &str| {
            let headers = HeaderMap::from_iter([(
                HeaderName::from_static("cf-ray"),
                HeaderValue::from_str(value).expect("a value"),
            )]);
            let mask = Mask::new(&crate::secret::testing::gateway("g"), Some(&KEY.into()));
            mask.meta(meta(&headers)).request_id.expect("an id")
        };
        assert_eq!(id(&"x".repeat(256)), "x".repeat(256));
        assert_eq!(id(&"x".repeat(60_000)), "x".repeat(256) + "…");
        for before in 0..300 {
            let told = id(&format!("{}{KEY}{}", "x".repeat(before), "y".repeat(300)));
            assert!(!told.contains(&KEY[..6]), "{told}");
        }
    }

    #[test]
    fn a_cost_of_zero_in_a_header_says_nothing() {
        assert_eq!(meta(&headers(&[("x-litellm-response-cost", "0.0")])).cost, None);
        let cost = meta(&headers(&[("x-litellm-response-cost", "1.7e-05")])).cost;
        assert_eq!(cost.map(Usd::to_decimal).as_deref(), Some("0.000017"));
    }
}
