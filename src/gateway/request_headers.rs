//! The headers of a request: built once, for what is sent and for what `--dry-run` shows.

use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use secrecy::{ExposeSecret, SecretString};

use crate::adapter::{Api, ClientBody};
use crate::call::Call;
use crate::config::{Auth, BaseUrl, Gateway};
use crate::error::{Failure, FailureKind};

/// The origin of Anthropic itself. It documents one header for the key, the adapter's first, and does not say what it does
/// with a key in two.
const ANTHROPIC: &str = "https://api.anthropic.com:443";

/// What is shown in the place of a secret.
const REDACTED: &str = "***";

/// The headers of everything that is sent to the gateway in this wire format. A header of the config wins over one of the
/// same name, since some gateways want their key elsewhere.
///
/// # Errors
/// A header of the config, or the key, holds characters that HTTP does not allow in a header.
pub(super) fn common(gateway: &Gateway, api: Api, key: Option<&SecretString>) -> Result<HeaderMap, Failure> {
    let mut headers = HeaderMap::new();
    for (name, value) in &gateway.headers {
        let bad =
            || Failure::new(FailureKind::InvalidRequest, format!("the header `{name}` of the config cannot be sent"));
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| bad())?;
        let mut value = HeaderValue::from_str(value).map_err(|_| bad())?;
        value.set_sensitive(true);
        headers.insert(name, value);
    }
    for (name, value) in api.adapter().headers() {
        headers.entry(*name).or_insert(HeaderValue::from_static(value));
    }
    for (name, value) in key.map(|key| of_key(&gateway.base_url, api, key)).transpose()?.unwrap_or_default() {
        headers.entry(name).or_insert(value);
    }
    Ok(headers)
}

/// The headers of a call, all but those that the HTTP client adds by itself: `host`, `content-length`, `user-agent` and
/// `accept-encoding`.
///
/// # Errors
/// As for [`common`].
pub(super) fn of_call(
    gateway: &Gateway,
    api: Api,
    call: &Call,
    key: Option<&SecretString>,
) -> Result<HeaderMap, Failure> {
    let mut headers = common(gateway, api, key)?;
    let of_client = call.passed().map(ClientBody::headers).unwrap_or_default().iter();
    let traced = call.trace.iter().map(|trace| ("traceparent", &**trace));
    for (name, value) in of_client.map(|(name, value)| (name.as_str(), value.as_str())).chain(traced) {
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(value))
            && !is_of_config(gateway, &name)
        {
            headers.insert(name, value);
        }
    }
    let accept = if call.request.stream { "text/event-stream" } else { "application/json" };
    let id = HeaderValue::from_str(&call.idempotency_key)
        .map_err(|_| Failure::new(FailureKind::InvalidRequest, "the id of the call cannot be sent in a header"))?;
    headers.entry(CONTENT_TYPE).or_insert(HeaderValue::from_static("application/json"));
    headers.entry(ACCEPT).or_insert(HeaderValue::from_static(accept));
    headers.entry("idempotency-key").or_insert(id);
    Ok(headers)
}

/// The names and values of the headers with which the call would be sent, without secrets. No key is looked for: one is
/// shown where the gateway requires it.
///
/// # Errors
/// As for the call itself.
pub fn redacted(gateway: &Gateway, call: &Call) -> Result<Vec<(String, String)>, Failure> {
    let key = (gateway.auth == Auth::Required).then(|| SecretString::from(REDACTED));
    let headers = of_call(gateway, gateway.api_of(&call.target().model), call, key.as_ref())?;
    let shown = |(name, value): (&HeaderName, &HeaderValue)| {
        // Whatever is in the config may be secret; all else was made of letters.
        let value = if is_of_config(gateway, name) { REDACTED } else { value.to_str().unwrap_or(REDACTED) };
        (name.to_string(), value.to_owned())
    };
    Ok(headers.iter().map(shown).collect())
}

/// The headers that carry the key, marked so that no log of the HTTP client prints them.
fn of_key(base: &BaseUrl, api: Api, key: &SecretString) -> Result<Vec<(HeaderName, HeaderValue)>, Failure> {
    let header = |(name, value): (&'static str, String)| {
        let mut value = HeaderValue::from_str(&value).map_err(|_| {
            Failure::new(FailureKind::NoKey, "the key holds characters that cannot be sent")
                .with_advice("`llm key set` saves it anew")
        })?;
        value.set_sensitive(true);
        Ok((HeaderName::from_static(name), value))
    };
    let wanted = if base.origin() == ANTHROPIC { 1 } else { usize::MAX };
    api.adapter().auth_headers(key.expose_secret()).into_iter().take(wanted).map(header).collect()
}

/// Whether the config has a header of this name.
fn is_of_config(gateway: &Gateway, name: &HeaderName) -> bool {
    gateway.headers.keys().any(|own| own.eq_ignore_ascii_case(name.as_str()))
}

/// Whether headers of the config stand in the place of the key, so that none is sent.
pub fn replace_key(gateway: &Gateway) -> bool {
    let of_key = of_key(&gateway.base_url, gateway.api, &REDACTED.into()).unwrap_or_default();
    !of_key.is_empty() && of_key.iter().all(|(name, _)| is_of_config(gateway, name))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::call::Target;

    #[test]
    fn anthropic_itself_gets_the_key_in_its_one_documented_header() {
        let names = |base: &str| -> Vec<String> {
            let base = BaseUrl::parse(base, false).expect("an address");
            let headers = of_key(&base, Api::Anthropic, &"k".into()).expect("can be sent");
            assert!(headers.iter().all(|(_, value)| value.is_sensitive()));
            headers.iter().map(|(name, _)| name.to_string()).collect()
        };
        assert_eq!(names("https://api.anthropic.com/v1"), ["x-api-key"]);
        assert_eq!(names("https://llm.corp.example/v1"), ["x-api-key", "authorization"]);
    }

    #[test]
    fn a_dry_run_shows_anthropic_itself_no_other_header_than_it_gets() {
        let base_url = BaseUrl::parse("https://api.anthropic.com/v1", false).expect("an address");
        let gateway =
            Gateway { base_url, api: Api::Anthropic, auth: Auth::Required, ..crate::secret::testing::gateway("g") };
        let target = Target { gateway: "g".into(), model: "m".into() };
        let call = Call::new(0, "m", vec![target.into()], Arc::default());
        let sent = of_call(&gateway, Api::Anthropic, &call, Some(&"k".into())).expect("can be sent");
        let shown = redacted(&gateway, &call).expect("can be sent");
        let pairs: Vec<_> = shown.iter().map(|(name, value)| (&**name, &**value)).collect();
        assert_eq!(pairs.len(), sent.len());
        assert!(sent.keys().all(|name| pairs.iter().any(|(shown, _)| shown == name)));
        assert!(pairs.contains(&("x-api-key", "***")) && pairs.contains(&("anthropic-version", "2023-06-01")));
        assert!(pairs.iter().all(|(name, _)| *name != "authorization"));
    }
}
