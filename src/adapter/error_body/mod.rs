//! Bodies of failed answers → failures: whatever a gateway, or a proxy before it, sends, the user gets a sentence.

mod classify;
mod key;
mod shape;

#[cfg(test)]
mod tests;

use serde_json::{Map, Value};

use self::shape::Said;
use super::mask::mask_keys;
use super::sse;
use crate::error::{Failure, FailureKind};
use crate::words::shortened;

/// The longest message, in characters.
const MAX_MESSAGE: usize = 500;

/// Reads the body of a failed answer. With a status below 400 it is an error inside of an answer, and the status is the
/// one that the error claims, if any. What looks like a key is masked; control characters are left to the reporter.
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
        ..Failure::new(kind, message)
    }
}

/// The failure in the body of an answer that holds nothing else, where it tells that the key was refused. Some gateways say that
/// with a status of success.
pub fn refusal(body: &[u8]) -> Option<Failure> {
    /// What holds answers in some format.
    const ANSWERS: [&str; 5] = ["choices", "content", "candidates", "output", "data"];
    let fields: Map<String, Value> = serde_json::from_slice(body).ok()?;
    let is_answer = ANSWERS.iter().any(|name| fields.get(*name).is_some_and(|answer| !answer.is_null()));
    Some(decode(200, body)).filter(|failure| failure.kind == FailureKind::Auth && !is_answer)
}

/// Reads a body of any known shape.
fn read(text: &str) -> Said {
    if let Ok(value) = serde_json::from_str::<Value>(text) {
        return Said::from_json(&value);
    }
    if text.starts_with("data:") || text.starts_with("event:") || text.starts_with(':') {
        let mut parser = sse::Parser::new();
        parser.push(text.as_bytes());
        parser.push(b"\n\n");
        while let Some(frame) = parser.next() {
            if let Some(value) = frame.ok().and_then(|frame| serde_json::from_str::<Value>(frame.data).ok()) {
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

/// Masks what looks like a key, and cuts a text that is too long for a message.
fn shorten(text: &str) -> String {
    shortened(&mask_keys(text), MAX_MESSAGE).into_owned()
}
