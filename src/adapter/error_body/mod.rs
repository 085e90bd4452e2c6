//! Bodies of failed answers → failures: whatever a gateway, or a proxy before it, sends, the user gets a sentence.

mod classify;
mod key;
mod shape;

#[cfg(test)]
mod tests;

use serde_json::{Map, Value};

use self::shape::Said;
use super::object::Object;
use super::sse;
use crate::error::{Failure, FailureKind, RefusedKey};
use crate::words::shortened;

/// The longest message, in characters.
const MAX_MESSAGE: usize = 500;

/// The longest body of a failure, in bytes. Of a longer one with a status of failure, the beginning is read.
pub const LARGEST: usize = 64 * 1024;

/// Reads the body of a failed answer. With a status below 400 it is an error inside of an answer, and the status is the
/// one that the error claims, if any. Keys are masked where the failure leaves the gateway's client; control characters are left to
/// the reporter.
pub fn decode(status: u16, body: &[u8]) -> Failure {
    let text = String::from_utf8_lossy(body.strip_prefix(sse::BOM).unwrap_or(body));
    let mut said = read(text.trim());
    said.split_message();
    let status = Some(status).filter(|status| *status >= 400).or(said.status);
    let kind = classify::kind(status, &said);
    let message = match said.message.as_deref().map(str::trim).filter(|message| !message.is_empty()) {
        Some(message) => shorten(message),
        None => status_line(status, said.code.as_deref().or(said.kind.as_deref())),
    };
    Failure {
        status,
        param: said.param.clone().or_else(|| classify::param(&message)),
        retry_after: said.retry_after,
        should_retry: classify::should_retry(kind, &said),
        advice: classify::advice(kind, status, &said).map(Into::into),
        cause: said.cause.as_deref().map(shorten),
        refused_key: if classify::is_of_upstream(kind, &said) { RefusedKey::OfUpstream } else { RefusedKey::Sent },
        // The gateway, or a proxy before it, has stopped waiting, and the model may go on.
        maybe_billed: kind == FailureKind::Timeout || matches!(status, Some(408 | 504 | 524)),
        ..Failure::new(kind, message)
    }
}

/// The failure in the body of an answer that holds nothing else, where it tells that the key was refused. Some gateways say that
/// with a status of success, some of them in plain text.
pub fn refusal(body: &[u8]) -> Option<Failure> {
    /// What holds answers in some format.
    const ANSWERS: [&str; 5] = ["choices", "content", "candidates", "output", "data"];
    if body.len() > LARGEST {
        return None;
    }
    let may_refuse = match fields(body) {
        Some(fields) => !has_any(&fields, &ANSWERS),
        None => is_sentence(body),
    };
    Some(body).filter(|_| may_refuse).map(|body| decode(200, body)).filter(|failure| failure.kind == FailureKind::Auth)
}

/// Whether an event of a stream without anything of an answer is an error that has no field of this name: `{"object":"error"}` of
/// vLLM, FastChat's `error_code`, MiniMax's `base_resp`, Alibaba's `code` beside a message.
pub fn is_unnamed_error(body: &[u8]) -> bool {
    let Some(fields) = fields(body) else { return false };
    let is_code = |value: &Value| match value {
        Value::Number(code) => !matches!(code.as_u64(), Some(0 | 200..=299)),
        Value::String(code) => !matches!(&**code, "" | "0" | "200"),
        _ => false,
    };
    let is_text = |value: &Value| value.as_str().is_some_and(|text| !text.is_empty());
    let is_told = |name: &str| fields.get(name).is_some_and(is_text);
    fields.get("object").is_some_and(|object| object == "error")
        || fields.get("error_code").is_some_and(is_code)
        || fields.get("code").is_some_and(is_code) && is_told("message")
        || fields.get("base_resp").is_some_and(|answer| is_code(&answer["status_code"]))
}

/// Whether a body is nothing but a short text: no page, and no JSON but a text.
fn is_sentence(body: &[u8]) -> bool {
    let body = body.strip_prefix(sse::BOM).unwrap_or(body).trim_ascii();
    body.len() <= MAX_MESSAGE && body.first().is_some_and(|first| !b"<{[".contains(first))
}

/// The failure in a body of success that should be something else than an answer of a model, such as a list, a count or vectors: an
/// error, or a refusal of the key without one. What has an id or a name, such as a batch, may hold an error of its own, and so may
/// what a batch has for one request.
pub fn failure_instead(body: &[u8]) -> Option<Failure> {
    const ASKED_FOR: [&str; 7] = ["id", "name", "data", "models", "choices", "custom_id", "metadata"];
    if body.len() > LARGEST {
        return None;
    }
    let Some(fields) = fields(body) else { return refusal(body) };
    if has_any(&fields, &ASKED_FOR) {
        return None;
    }
    let is_told = match fields.get("error") {
        Some(Value::Object(error)) => !error.is_empty(),
        Some(Value::String(error)) => !error.is_empty(),
        _ => false,
    };
    if is_told { Some(decode(200, body)) } else { refusal(body) }
}

/// The fields of a body that is an object. Of a long one, which may hold millions of values, those that are short.
fn fields(body: &[u8]) -> Option<Map<String, Value>> {
    let body = body.strip_prefix(sse::BOM).unwrap_or(body);
    if body.len() <= LARGEST {
        return serde_json::from_slice(body).ok();
    }
    let mut left = LARGEST;
    short_fields(serde_json::from_slice(body).ok()?, &mut left, DEEPEST_ERROR)
}

/// As deep in a body stands the object of an error: in that of a response, which has the whole request beside it.
const DEEPEST_ERROR: u8 = 2;

/// The shortest fields of an object, as many as there is room left for, and those of the objects in it that are too long.
fn short_fields(Object(mut fields): Object<'_>, left: &mut usize, deeper: u8) -> Option<Map<String, Value>> {
    fields.sort_by_key(|(_, value)| value.get().len());
    let short = fields.into_iter().filter_map(|(name, value)| {
        let value = match left.checked_sub(name.len() + value.get().len()) {
            Some(rest) => {
                *left = rest;
                serde_json::from_str(value.get()).ok()?
            }
            None => short_fields(serde_json::from_str(value.get()).ok()?, left, deeper.checked_sub(1)?)
                .map(Value::Object)?,
        };
        Some((name.into_owned(), value))
    });
    Some(short.collect())
}

fn has_any(fields: &Map<String, Value>, names: &[&str]) -> bool {
    names.iter().any(|name| fields.get(*name).is_some_and(|value| !value.is_null()))
}

/// The JSON of a body.
fn json(text: &str) -> Option<Value> {
    let short = || Some(text).filter(|text| text.len() <= LARGEST).and_then(|text| serde_json::from_str(text).ok());
    fields(text.as_bytes()).map(Value::Object).or_else(short).map(shape::with_usual_names)
}

/// Reads a body of any known shape.
fn read(text: &str) -> Said {
    if let Some(value) = json(text) {
        return Said::from_json(&value);
    }
    if text.starts_with("data:") || text.starts_with("event:") || text.starts_with(':') {
        let mut parser = sse::Parser::new();
        parser.push(text.as_bytes());
        parser.push(b"\n\n");
        while let Some(frame) = parser.next() {
            if let Some(value) = frame.ok().and_then(|frame| json(frame.data)) {
                return Said::from_json(&value);
            }
        }
    }
    Said { message: Some(shape::plain_text(text)), ..Said::default() }
}

/// A message made of the status, where the body has none.
fn status_line(status: Option<u16>, word: Option<&str>) -> String {
    let status = match status.and_then(|status| http::StatusCode::from_u16(status).ok()) {
        Some(status) => match (status.as_u16(), status.canonical_reason()) {
            (529, _) => "the gateway is overloaded (status 529)".to_owned(),
            (_, Some(reason)) => format!("the gateway answered {} {reason}", status.as_u16()),
            (_, None) => format!("the gateway answered with status {}", status.as_u16()),
        },
        None => "the gateway reported an error without a message".to_owned(),
    };
    match word {
        Some(word) => shorten(&format!("{status}: {word}")),
        None => status,
    }
}

/// Cuts a text that is too long for a message. Keys in it are masked where the failure leaves the gateway's client: of one that
/// was sent, all forms are known there.
fn shorten(text: &str) -> String {
    shortened(text, MAX_MESSAGE).into_owned()
}
