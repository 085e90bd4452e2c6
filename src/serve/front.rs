//! What is at which path, and how a request gets there.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri};
use axum::response::Response;
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};
use percent_encoding::percent_decode_str;
use tokio::time::{Instant, timeout, timeout_at};

use super::answer::set_header;
use super::bodies::Room;
use super::keys::Client;
use super::refusal::{self, plain};
use super::request::Asked;
use super::running::{Asking, respond};
use super::{Server, auth, hosts, limits, models};
use crate::adapter::{Api, Operation};
use crate::error::{Failure, FailureKind};
use crate::http::{format_of, invalid, json_body, not_found};
use crate::ids::new_id;
use crate::pricing::estimate;

/// A body whose length is not told begins with room for so many bytes.
const UNTOLD: usize = 64 << 10;

/// The whole of a body may take so many times as long as the next part of it.
const PARTS: u32 = 10;

/// What is at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    Live,
    Ready,
    Metrics,
    Models(Option<String>),
    /// A request in this wire format, at this path below the base URL.
    Ask(Api, Operation, String),
    Nothing,
}

fn place(method: &Method, uri: &Uri) -> Place {
    let path = uri.path();
    let versioned = path.strip_prefix("/v1/").map(|path| (path, false));
    let versioned = versioned.or_else(|| path.strip_prefix("/v1beta/").map(|path| (path, true)));
    if *method == Method::GET {
        return match (path, versioned) {
            ("/health/live", _) => Place::Live,
            ("/health/ready", _) => Place::Ready,
            ("/metrics", _) => Place::Metrics,
            (_, Some(("models", _))) => Place::Models(None),
            (_, Some((path, _))) => match path.strip_prefix("models/") {
                Some(id) => Place::Models(Some(percent_decode_str(id).decode_utf8_lossy().into_owned())),
                None => Place::Nothing,
            },
            _ => Place::Nothing,
        };
    }
    let ask = |api, operation, path: &str| Place::Ask(api, operation, path.to_owned());
    match versioned {
        _ if *method != Method::POST => Place::Nothing,
        Some(("chat/completions", false)) => ask(Api::OpenaiChat, Operation::Generate, "chat/completions"),
        Some(("responses", false)) => ask(Api::OpenaiResponses, Operation::Generate, "responses"),
        Some(("messages", false)) => ask(Api::Anthropic, Operation::Generate, "messages"),
        Some(("messages/count_tokens", false)) => ask(Api::Anthropic, Operation::CountTokens, "messages/count_tokens"),
        Some(("embeddings", false)) => ask(Api::OpenaiChat, Operation::Embed, "embeddings"),
        Some(("completions", false)) => ask(Api::OpenaiChat, Operation::Complete, "completions"),
        Some((path, _)) if path.starts_with("models/") => {
            let query = uri.query().map_or_else(String::new, |query| format!("?{query}"));
            match path.rsplit_once(':').map(|(_, method)| method) {
                Some("generateContent" | "streamGenerateContent") => {
                    ask(Api::Gemini, Operation::Generate, &format!("{path}{query}"))
                }
                Some("countTokens") => ask(Api::Gemini, Operation::CountTokens, path),
                _ => Place::Nothing,
            }
        }
        _ => Place::Nothing,
    }
}

/// Answers one request.
pub(super) async fn handle(server: Arc<Server>, request: Request<Incoming>) -> Result<Response, Infallible> {
    let (head, body) = request.into_parts();
    if !hosts::is_clear(&head.headers) {
        return Ok(plain(StatusCode::BAD_REQUEST, "a request names one host\n"));
    }
    if !server.hosts.permit(&head.uri, &head.headers) {
        return Ok(plain(StatusCode::FORBIDDEN, "this server does not answer to this name, nor to pages\n"));
    }
    let mut response = match place(&head.method, &head.uri) {
        Place::Metrics => metrics(&server, &head.headers, &head.uri),
        Place::Live => plain(StatusCode::OK, "live\n"),
        Place::Ready => ready(&server).await,
        Place::Models(id) => {
            let api = format_of(&head.uri, &head.headers);
            match known(&server, api, &head.headers, &head.uri) {
                Ok(client) => models::respond(&server.loaded(), &client, api, id.as_deref()),
                Err(refused) => *refused,
            }
        }
        Place::Ask(api, operation, path) => {
            let response = match known(&server, api, &head.headers, &head.uri) {
                Ok(client) => {
                    let answered = ask(&server, &client, (api, operation, &path), &head.headers, body).await;
                    answered.unwrap_or_else(|failure| {
                        server.metrics.refused(&failure);
                        refused(api, &failure)
                    })
                }
                Err(refused) => {
                    discard(&head.headers, body).await;
                    *refused
                }
            };
            match response.status().is_success() || !api.is_list(&path) {
                true => response,
                false => refusal::in_list(response),
            }
        }
        Place::Nothing => {
            discard(&head.headers, body).await;
            let failure = not_found(format!("there is nothing at {} {}", head.method, head.uri.path()));
            refused(format_of(&head.uri, &head.headers), &failure)
        }
    };
    if server.is_draining() {
        // The client makes its next connection, and finds the server that has taken over.
        set_header(response.headers_mut(), "connection", "close");
    }
    Ok(response)
}

/// The refusal of a request that has not become a call.
pub(super) fn refused(api: Api, failure: &Failure) -> Response {
    let id = new_id().to_string();
    let mut response = refusal::respond(api, failure, &id);
    set_header(response.headers_mut(), "x-request-id", &id);
    response
}

/// The client of a request, or the refusal of its key.
fn known(server: &Server, api: Api, headers: &HeaderMap, uri: &Uri) -> Result<Arc<Client>, Box<Response>> {
    auth::client(server, headers, uri.query()).map_err(|failure| {
        server.metrics.refused(&failure);
        Box::new(own(api, &failure))
    })
}

/// A refusal that is between the client and this server alone.
fn own(api: Api, failure: &Failure) -> Response {
    let id = new_id().to_string();
    let mut response = refusal::as_it_is(api, failure, &id);
    set_header(response.headers_mut(), "x-request-id", &id);
    response
}

/// The figures, for whoever may administer the server.
fn metrics(server: &Server, headers: &HeaderMap, uri: &Uri) -> Response {
    let api = Api::OpenaiChat;
    match known(server, api, headers, uri) {
        Ok(client) if client.rules.admin => server.metrics.respond(server),
        Ok(_) => {
            let message = "this takes a key that may administer the server";
            own(api, &Failure::new(FailureKind::Auth, message).with_status(403))
        }
        Err(refused) => *refused,
    }
}

async fn ready(server: &Server) -> Response {
    if server.is_draining() {
        return plain(StatusCode::SERVICE_UNAVAILABLE, "draining\n");
    }
    match server.stores.keys.version().await {
        Ok(_) if server.stores.recording.as_ref().is_some_and(|recording| !recording.ledger.is_safe()) => {
            plain(StatusCode::SERVICE_UNAVAILABLE, "calls cannot be written\n")
        }
        Ok(_) if server.is_store_lost() => plain(StatusCode::SERVICE_UNAVAILABLE, "the store cannot be written\n"),
        Ok(_) => plain(StatusCode::OK, "ready\n"),
        Err(_) => plain(StatusCode::SERVICE_UNAVAILABLE, "the store cannot be read\n"),
    }
}

/// Makes a call of a request and answers with what comes of it.
async fn ask(
    server: &Arc<Server>,
    client: &Client,
    (api, operation, path): (Api, Operation, &str),
    headers: &HeaderMap,
    body: Incoming,
) -> Result<Response, Failure> {
    let (bytes, room) = read(server, client, headers, body).await?;
    let asked = Asked::read(api, operation, path, headers, bytes)?;
    let loaded = server.loaded();
    let counted = asked.request();
    let (call, asked) = match asked.call(&loaded, client, headers) {
        Ok(call) => call,
        // Where the gateway cannot count, an estimate is better than none, and says that it is one.
        Err(failure) if operation == Operation::CountTokens && failure.kind == FailureKind::InvalidRequest => {
            return estimated(api, estimate::input_tokens(&counted, ""));
        }
        Err(failure) => return Err(failure),
    };
    let taken = limits::take(server, client, &call).await?;
    let place = server.line.enter(&client.name).await.map_err(|_| busy())?;
    drop(room);
    Ok(respond(server, Asking { loaded, asked, call, taken, place }, headers).await)
}

/// The refusal of a request for which there is no place.
fn busy() -> Failure {
    let failure = Failure::new(FailureKind::Unavailable, "this server has too much to do").with_status(503);
    Failure { retry_after: Some(Duration::from_secs(1)), ..failure }
}

fn estimated(api: Api, tokens: u64) -> Result<Response, Failure> {
    let mut response = json_body(match api {
        Api::Gemini => format!("{{\"totalTokens\":{tokens}}}"),
        _ => format!("{{\"input_tokens\":{tokens}}}"),
    });
    set_header(response.headers_mut(), "x-llm-estimated", "true");
    Ok(response)
}

/// The body of a request, within the bounds of the server, and the room that it takes until the request runs.
async fn read(
    server: &Server,
    client: &Client,
    headers: &HeaderMap,
    mut body: Incoming,
) -> Result<(Bytes, Room), Failure> {
    let bounds = &server.bounds;
    let too_large = || {
        let message = format!("the body of the request is larger than {} bytes", bounds.max_body);
        invalid(message).with_status(413)
    };
    let is_encoded = |value: &HeaderValue| !value.as_bytes().eq_ignore_ascii_case(b"identity") && !value.is_empty();
    if headers.get_all("content-encoding").iter().any(is_encoded) {
        discard(headers, body).await;
        return Err(invalid("the body of the request is compressed, which is not supported").with_status(415));
    }
    if body.size_hint().lower() > bounds.max_body as u64 {
        discard(headers, body).await;
        return Err(too_large());
    }
    let told = body.size_hint().exact().map_or(UNTOLD.min(bounds.max_body), |length| length as usize);
    let Ok(mut room) = server.bodies.enter(&client.name, told).await else {
        discard(headers, body).await;
        return Err(busy());
    };
    let end = Instant::now() + bounds.idle.saturating_mul(PARTS);
    let mut whole = BytesMut::new();
    loop {
        let frame = timeout_at(end.min(Instant::now() + bounds.idle), body.frame()).await;
        let frame = frame.map_err(|_| invalid("the body of the request came too slowly").with_status(408))?;
        let Some(frame) = frame else { return Ok((whole.freeze(), room)) };
        let frame = frame.map_err(|_| invalid("the body of the request broke off"))?;
        let Ok(data) = frame.into_data() else { continue };
        let length = whole.len() + data.len();
        if length > bounds.max_body {
            discard(headers, body).await;
            return Err(too_large());
        }
        if whole.is_empty() && body.is_end_stream() {
            return Ok((data, room));
        }
        if length > room.bytes() && !room.grow(length.max(2 * room.bytes()).min(bounds.max_body)) {
            discard(headers, body).await;
            return Err(busy());
        }
        // No more than there is room for.
        whole.reserve(room.bytes() - whole.len());
        whole.extend_from_slice(&data);
    }
}

/// Reads what is left of a request that is refused, within bounds. The connection is closed if anything stays unread, and the
/// system may then drop the answer before the client has read it.
async fn discard(headers: &HeaderMap, mut body: Incoming) {
    /// In bytes.
    const MOST: usize = 1 << 20;
    const LIMIT: Duration = Duration::from_secs(2);
    if headers.contains_key("expect") {
        // The client waits for the answer before it sends the body.
        return;
    }
    let reading = async {
        let mut left = MOST;
        while let Some(Ok(frame)) = body.frame().await {
            let length = frame.data_ref().map_or(0, Bytes::len);
            if length >= left {
                return;
            }
            left -= length;
        }
    };
    // Whoever sends too slowly is answered all the same.
    let _ = timeout(LIMIT, reading).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_of_the_vendors_is_known() {
        let at = |method: Method, uri: &str| place(&method, &uri.parse().expect("a path"));
        let ask = |api, operation, path: &str| Place::Ask(api, operation, path.to_owned());
        for (uri, expected) in [
            ("/v1/chat/completions", ask(Api::OpenaiChat, Operation::Generate, "chat/completions")),
            ("/v1/messages?beta=true", ask(Api::Anthropic, Operation::Generate, "messages")),
            ("/v1/messages/count_tokens", ask(Api::Anthropic, Operation::CountTokens, "messages/count_tokens")),
            (
                "/v1beta/models/g::m:streamGenerateContent?alt=sse",
                ask(Api::Gemini, Operation::Generate, "models/g::m:streamGenerateContent?alt=sse"),
            ),
            ("/v1/models/a/b:generateContent", ask(Api::Gemini, Operation::Generate, "models/a/b:generateContent")),
            ("/v1/models/m:deleteEverything", Place::Nothing),
            ("/v1beta/messages", Place::Nothing),
            ("/admin", Place::Nothing),
        ] {
            assert_eq!(at(Method::POST, uri), expected, "{uri}");
        }
        assert_eq!(at(Method::GET, "/v1/models"), Place::Models(None));
        assert_eq!(at(Method::GET, "/v1beta/models/a/b"), Place::Models(Some("a/b".into())));
        assert_eq!(at(Method::GET, "/v1/models/a%2Fb"), Place::Models(Some("a/b".into())));
        assert_eq!(at(Method::DELETE, "/v1/messages"), Place::Nothing);
        assert_eq!(at(Method::GET, "/v1/messages"), Place::Nothing);
    }
}
