//! Who asks: the key of a request, in whichever header its wire format has it.

use std::sync::Arc;

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;

use super::Server;
use super::keys::Client;
use crate::error::{Failure, FailureKind};

/// The client of a request.
///
/// # Errors
/// The request has no key, or one that is not good, or whose class the config does not have.
pub(super) fn client(server: &Server, headers: &HeaderMap, query: Option<&str>) -> Result<Arc<Client>, Failure> {
    let wrong = |message: &str| Failure::new(FailureKind::Auth, message).with_status(401);
    let secret = secret(headers, query).ok_or_else(|| wrong("the request has no key"))?;
    let known = server.keys.find(secret).ok_or_else(|| wrong("the key is not known here, or has ended"))?;
    known.map_err(|missing| {
        let message = format!("the limits of this key are not known: {missing}");
        Failure::new(FailureKind::Auth, message).with_status(403)
    })
}

/// The key that a request holds: OpenAI's clients and most others have it in `authorization`, Anthropic's in `x-api-key`,
/// Google's in `x-goog-api-key` or in the query.
fn secret<'a>(headers: &'a HeaderMap, query: Option<&'a str>) -> Option<&'a str> {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let bearer = || {
        let (scheme, secret) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| secret.trim())
    };
    let in_query = || query?.split('&').find_map(|part| part.strip_prefix("key="));
    bearer().or_else(|| header("x-api-key")).or_else(|| header("x-goog-api-key")).or_else(in_query)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_found_where_each_format_has_it() {
        for (name, value, query) in [
            ("authorization", "Bearer lk-1", None),
            ("authorization", "bearer  lk-1 ", None),
            ("x-api-key", "lk-1", None),
            ("x-goog-api-key", "lk-1", Some("alt=sse")),
            ("accept", "*/*", Some("alt=sse&key=lk-1")),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(name, value.parse().expect("a header"));
            assert_eq!(secret(&headers, query), Some("lk-1"), "{name}: {value}");
        }
        let mut headers = HeaderMap::new();
        headers.insert("authorization", "Basic bGs=".parse().expect("a header"));
        assert_eq!(secret(&headers, Some("monkey=1")), None);
    }
}
