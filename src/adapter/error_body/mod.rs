//! Failed answers → failures: whatever a gateway or a proxy before it says, a person gets a sentence to act on.

mod classify;
mod shape;

#[cfg(test)]
mod tests;

use serde_json::Value;

use self::shape::Said;
use super::mask::mask_keys;
use super::sse;
use crate::error::Failure;

/// The longest message that is passed on, in characters.
const MAX_MESSAGE: usize = 500;

/// The body of a failed answer → failure. With a status below 400 the body is an error inside of an answer, and the
/// status is the one it claims, if any. Keys are masked; control characters are for the reporter to escape.
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
        should_retry: classify::should_retry(kind, &said),
        advice: classify::advice(kind, status, &said),
        cause: said.cause.as_deref().map(shorten),
        ..Failure::new(kind, message)
    }
}

/// A body as it came → what it says, as far as any known shape fits.
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

/// A message that says at least what the status says.
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

/// Masks keys, and cuts what is too long for a message.
fn shorten(text: &str) -> String {
    let text = mask_keys(text);
    match text.char_indices().nth(MAX_MESSAGE) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.into_owned(),
    }
}
