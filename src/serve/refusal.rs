//! Failures as clients see them: in the shape of their wire format, with a status that is true for them.

use std::time::Duration;

use axum::body::Body;
use axum::http::StatusCode;
use axum::http::header::CONTENT_LENGTH;
use axum::response::Response;
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use serde_json::{Value, json};

use crate::adapter::Api;
use crate::error::{Failure, FailureKind, RefusedKey};
use crate::http;
use crate::policy::budget::is_store_lost;

/// When a client may try again whose budgets could not be asked.
const STORE_WAIT: Duration = Duration::from_secs(5);

/// A gateway that tells clients to wait longer is not believed: they would do so.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 60 * 60);

/// The answer to a request that failed. Whatever is wrong between this server and its gateway is not the client's mistake.
pub(super) fn respond(api: Api, failure: &Failure, id: &str) -> Response {
    as_it_is(api, &told(api, failure), id)
}

/// A failure that is between the client and this server alone, with its own status.
pub(super) fn as_it_is(api: Api, failure: &Failure, id: &str) -> Response {
    let mut response = http::refusal(api, failure);
    let body: Value = serde_json::from_slice(&api.adapter().encode_error(failure)).unwrap_or_default();
    let status = response.status();
    let body = if is_forbidden(failure) { with_permission(api, body, failure) } else { body };
    *response.body_mut() = with_id(api, body, id, status).to_string().into();
    response
}

/// The failure in words for the client, with the status that it gets.
pub(super) fn told(api: Api, failure: &Failure) -> Failure {
    let mut told = failure.clone();
    told.retry_after = failure.retry_after.map(|wait| wait.min(LONGEST_WAIT));
    let status = match failure.kind {
        FailureKind::Refused if failure.param.as_deref() == Some("model") => {
            told.kind = FailureKind::Auth;
            403
        }
        // Nothing is wrong with the account of the client, and the words name what is on this machine.
        FailureKind::Refused if is_store_lost(failure) => {
            told.kind = FailureKind::Unavailable;
            told.message = "this server cannot keep account of budgets at the moment".to_owned();
            told.retry_after = Some(STORE_WAIT);
            (told.param, told.advice) = (None, None);
            return told.with_status(503);
        }
        // OpenAI's clients know an account without credit by this status and its code.
        FailureKind::Refused => {
            told.kind = FailureKind::Credits;
            if matches!(api, Api::OpenaiChat | Api::OpenaiResponses) { 429 } else { 402 }
        }
        FailureKind::Auth | FailureKind::NoKey | FailureKind::Credits => {
            told.kind = FailureKind::Unavailable;
            told.message = match failure.kind {
                FailureKind::Credits => "the account of this server at the gateway cannot pay".to_owned(),
                FailureKind::NoKey => "this server has no key for the gateway".to_owned(),
                _ => match failure.refused_key {
                    RefusedKey::Sent => "the gateway refused the key of this server",
                    RefusedKey::Missing => "the gateway refused this server, which sent it no key",
                    RefusedKey::OfUpstream => "the gateway's own key for this model was refused by its upstream",
                }
                .to_owned(),
            };
            502
        }
        FailureKind::NotFound => 404,
        FailureKind::InvalidRequest if failure.status.is_some_and(|status| BETWEEN.contains(&status)) => {
            told.kind = FailureKind::Unavailable;
            told.message = "the gateway, or a proxy before it, does not take the connections of this server".to_owned();
            502
        }
        FailureKind::InvalidRequest | FailureKind::ContextLength | FailureKind::ContentFilter => {
            failure.status.filter(|status| (400..500).contains(status)).unwrap_or(400)
        }
        FailureKind::RateLimited => 429,
        FailureKind::Timeout => 504,
        FailureKind::Unavailable | FailureKind::ServerError => {
            failure.status.filter(|status| *status >= 500).unwrap_or(502)
        }
        FailureKind::Interrupted | FailureKind::Skipped => 503,
        FailureKind::Network | FailureKind::Protocol | FailureKind::Truncated | FailureKind::Schema => 502,
    };
    if failure.kind == FailureKind::Refused
        && let Some(advice) = &failure.advice
    {
        // What follows is for people at a terminal.
        let what = advice.split_once(';').map_or(&**advice, |(what, _)| what);
        told.message = format!("{}: {what}", failure.message);
    }
    if matches!(
        failure.kind,
        FailureKind::Network | FailureKind::Timeout | FailureKind::Protocol | FailureKind::Truncated
    ) {
        told.message = match failure.status {
            Some(300..400) => "the gateway redirects elsewhere; redirects are not followed".to_owned(),
            _ => without_addresses(&told.message),
        };
    }
    told.with_status(status)
}

/// The failure with these sentences behind its message.
pub(super) fn with_sentences(failure: Failure, sentences: &[String]) -> Failure {
    let message = std::iter::once(&failure.message).chain(sentences).map(String::as_str);
    Failure { message: message.collect::<Vec<_>>().join("; "), ..failure }
}

/// What a gateway says of the connection to it: a proxy wants a login, or the request is for another server or another version
/// of HTTP.
const BETWEEN: [u16; 3] = [407, 421, 426];

/// The text without the addresses in it. Where the gateway is concerns nobody else; the ledger has the whole message.
fn without_addresses(text: &str) -> String {
    let word = |word: &str| match word.find("http://").or_else(|| word.find("https://")) {
        Some(start) => {
            let end = word.trim_end_matches([',', ';', ':', '.', ')']).len();
            [&word[..start], "the gateway", &word[end.max(start)..]].concat()
        }
        None => word.to_owned(),
    };
    text.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

/// Whether a key is good, and not for this.
fn is_forbidden(failure: &Failure) -> bool {
    failure.kind == FailureKind::Auth && failure.status == Some(403)
}

/// The body of an error in the words that the wire format has for a key that may not do this.
fn with_permission(api: Api, mut body: Value, failure: &Failure) -> Value {
    let code = (failure.param.as_deref() == Some("model")).then_some("model_not_allowed");
    let error = &mut body["error"];
    match api {
        Api::OpenaiChat | Api::OpenaiResponses => {
            error["type"] = "permission_error".into();
            error["code"] = code.into();
        }
        Api::Anthropic => {
            error["type"] = "permission_error".into();
            error["details"] = json!({"error_code": code.unwrap_or("permission_denied")});
        }
        Api::Gemini => {
            error["status"] = "PERMISSION_DENIED".into();
            let reason = code.unwrap_or("permission_denied").to_uppercase();
            error["details"] = json!([{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason}]);
        }
    }
    body
}

/// The body of an error with the id of the request, where the wire format has it.
fn with_id(api: Api, mut body: Value, id: &str, status: StatusCode) -> Value {
    match api {
        Api::Anthropic => body["request_id"] = id.into(),
        Api::OpenaiChat | Api::OpenaiResponses => body["error"]["request_id"] = id.into(),
        Api::Gemini => {
            // Google's clients read the status here.
            body["error"]["code"] = status.as_u16().into();
            let info = json!({"@type": "type.googleapis.com/google.rpc.RequestInfo", "requestId": id});
            match &mut body["error"]["details"] {
                Value::Array(details) => details.push(info),
                details => *details = json!([info]),
            }
        }
    }
    body
}

/// The refusal as the one item of a list.
pub(super) fn in_list(response: Response) -> Response {
    let (mut head, body) = response.into_parts();
    head.headers.remove(CONTENT_LENGTH);
    let bracket = |text: &'static str| stream::iter([Ok(Bytes::from_static(text.as_bytes()))]);
    let body = bracket("[").chain(body.into_data_stream()).chain(bracket("]\n"));
    Response::from_parts(head, Body::from_stream(body))
}

/// A status without a body of its own.
pub(super) fn plain(status: StatusCode, text: &'static str) -> Response {
    let mut response = Response::new(text.into());
    *response.status_mut() = status;
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_are_told_to_wait_for_a_day_at_most() {
        for (asked_ms, seconds, milliseconds) in
            [(7_000, 7, 7_000), (2_161, 3, 2_161), (30, 1, 30), (99_999_999_999_000, 86_400, 86_400_000)]
        {
            let limited = Failure::new(FailureKind::RateLimited, "slow down").with_status(429);
            let limited = Failure { retry_after: Some(Duration::from_millis(asked_ms)), ..limited };
            let response = respond(Api::OpenaiChat, &limited, "id");
            assert_eq!(response.headers()["retry-after"], seconds.to_string());
            assert_eq!(response.headers()["retry-after-ms"], milliseconds.to_string());
        }
    }

    #[test]
    fn clients_learn_no_address_of_the_gateway() {
        let told = |kind, message: &str, status: Option<u16>| {
            told(Api::OpenaiChat, &Failure { status, ..Failure::new(kind, message) }).message
        };
        for (kind, message, shown) in [
            (FailureKind::Network, "cannot connect to http://10.0.0.7:4000", "cannot connect to the gateway"),
            (
                FailureKind::Truncated,
                "the connection to https://in.example:443 broke",
                "the connection to the gateway broke",
            ),
            (
                FailureKind::Timeout,
                "no connection to http://[::1]:80 within 5 s",
                "no connection to the gateway within 5 s",
            ),
            (
                FailureKind::Protocol,
                "https://a.example did not (http://b.example).",
                "the gateway did not (the gateway).",
            ),
            (FailureKind::InvalidRequest, "see https://docs.example", "see https://docs.example"),
        ] {
            assert_eq!(told(kind, message, None), shown);
        }
        let redirect = told(FailureKind::Protocol, "http://a.example redirects to http://b.example", Some(302));
        assert_eq!(redirect, "the gateway redirects elsewhere; redirects are not followed");
    }
}
