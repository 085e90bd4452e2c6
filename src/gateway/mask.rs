//! Masks the gateway's secrets in what the gateway says, before anything else sees it.
//!
//! Some gateways repeat the key that they were sent: in errors, ids, headers and lists, as it is or encoded. The text of an
//! answer, its reasoning and the arguments of its tool calls are the user's own data and stay as they are.

use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use bytes::Bytes;
use memchr::memmem;
use secrecy::{ExposeSecret, SecretString};

use crate::adapter::mask_keys;
use crate::call::Meta;
use crate::chat::{FinishReason, StreamEvent};
use crate::config::Gateway;
use crate::error::Failure;

/// What stands in the place of a secret.
const MASK: &str = "***";

/// The length in bytes from which a secret is masked in names as well, and in other encodings. Shorter ones are mostly
/// words that servers without keys are given, such as `ollama`, and names of models hold these too.
const LONG: usize = 12;

/// As many bytes of a secret at the end of a text, which may have been cut there, are masked as well.
const SHORTEST_PART: usize = 6;

/// As many backslashes are read as one escape: JSON in JSON in JSON has seven.
const MOST_SLASHES: usize = 8;

/// Parts of the names of headers whose values are secrets.
const SECRET_HEADERS: [&str; 6] = ["auth", "key", "token", "secret", "cookie", "password"];

/// The secrets of one gateway, in the forms in which they could come back.
#[derive(Default)]
pub(super) struct Mask {
    secrets: Vec<Secret>,
    /// The long secrets as they are, for bytes that pass through.
    exact: Vec<memmem::Finder<'static>>,
}

struct Secret {
    /// The secret and its reverse. They are found however each of their characters is escaped.
    spelled: [SecretString; 2],
    /// Its encodings in which no character stands for itself.
    encoded: Vec<SecretString>,
}

impl Mask {
    /// Masks the key, and the headers of the config that look as if they held a secret.
    pub(super) fn new(gateway: &Gateway, key: Option<&SecretString>) -> Self {
        let is_secret = |name: &str| SECRET_HEADERS.iter().any(|part| name.to_ascii_lowercase().contains(part));
        let headers = gateway.headers.iter().filter(|(name, _)| is_secret(name));
        // `Bearer` and the like are no secrets.
        let values = headers.map(|(_, value)| value.split_once(' ').map_or(&**value, |(_, value)| value).trim());
        let all = key.map(ExposeSecret::expose_secret).into_iter().chain(values);
        let all: Vec<&str> = all.filter(|secret| !secret.is_empty()).collect();
        let long = all.iter().filter(|secret| secret.len() >= LONG);
        Self {
            exact: long.map(|secret| memmem::Finder::new(secret).into_owned()).collect(),
            secrets: all.into_iter().map(Secret::new).collect(),
        }
    }

    /// Masks the long secrets in bytes that pass through, where they are spelled as they are. All else stays to the byte.
    pub(super) fn exactly(&self, mut bytes: Bytes) -> Bytes {
        for secret in &self.exact {
            while let Some(at) = secret.find(&bytes) {
                bytes = [&bytes[..at], MASK.as_bytes(), &bytes[at + secret.needle().len()..]].concat().into();
            }
        }
        bytes
    }

    /// How many bytes at the end may be the beginning of a long secret.
    pub(super) fn open_at_end(&self, bytes: &[u8]) -> usize {
        let open = |secret: &memmem::Finder<'_>| {
            let secret = secret.needle();
            let most = bytes.len().min(secret.len() - 1);
            (1..=most).rev().find(|length| bytes.ends_with(&secret[..*length])).unwrap_or(0)
        };
        self.exact.iter().map(open).max().unwrap_or(0)
    }

    /// Whether there is no secret at all.
    pub(super) fn is_empty(&self) -> bool {
        self.secrets.is_empty()
    }

    /// Masks every secret in a text for people, and whatever else looks like a key.
    pub(super) fn message(&self, text: &str) -> String {
        let own = self.masked(text, 1);
        mask_keys(own.as_deref().unwrap_or(text)).into_owned()
    }

    /// Masks the long secrets in a name or an id, and leaves everything else to the letter: programs compare them.
    pub(super) fn name(&self, text: &mut String) {
        if let Some(masked) = self.masked(text, LONG) {
            *text = masked;
        }
    }

    /// Masks the texts of a failure.
    pub(super) fn failure(&self, mut failure: Failure) -> Failure {
        failure.message = self.message(&failure.message);
        failure.cause = failure.cause.map(|cause| self.message(&cause));
        failure.param = failure.param.map(|param| self.message(&param));
        failure
    }

    /// Masks the ids and names of an event. Most events have none, and cost nothing.
    pub(super) fn event(&self, mut event: StreamEvent) -> StreamEvent {
        match &mut event {
            StreamEvent::Start { id, model } => id.iter_mut().chain(model).for_each(|text| self.name(text)),
            StreamEvent::ToolCallStart { id, name, .. } => [id, name].into_iter().for_each(|text| self.name(text)),
            StreamEvent::Finish(FinishReason::Other(reason)) => self.name(reason),
            _ => {}
        }
        event
    }

    /// Masks what the headers of a response say.
    pub(super) fn meta(&self, mut meta: Meta) -> Meta {
        meta.request_id.iter_mut().for_each(|id| self.name(id));
        meta
    }

    /// Masks the long secrets in a body. JSON stays JSON.
    pub(super) fn body(&self, body: Vec<u8>) -> Vec<u8> {
        match str::from_utf8(&body).ok().and_then(|text| self.masked(text, LONG)) {
            Some(masked) => masked.into_bytes(),
            None => body,
        }
    }

    /// The text without the secrets of at least this length; `None` where it holds none.
    fn masked(&self, text: &str, shortest: usize) -> Option<String> {
        let long_enough = self.secrets.iter().filter(|secret| secret.len() >= shortest);
        let mut found: Vec<Range<usize>> = long_enough.flat_map(|secret| secret.find(text)).collect();
        found.sort_by_key(|range| range.start);
        let mut masked = String::with_capacity(if found.is_empty() { 0 } else { text.len() });
        let mut kept = 0;
        for range in &found {
            if range.start >= kept {
                masked.push_str(&text[kept..range.start]);
                masked.push_str(MASK);
            }
            kept = kept.max(range.end);
        }
        masked.push_str(text.get(kept..)?);
        (!found.is_empty()).then_some(masked)
    }
}

impl Secret {
    fn new(secret: &str) -> Self {
        let reversed: String = secret.chars().rev().collect();
        let encoded = if secret.len() < LONG { Vec::new() } else { encodings(secret.as_bytes()) };
        Self { spelled: [secret.into(), reversed.into()], encoded }
    }

    fn len(&self) -> usize {
        self.spelled[0].expose_secret().len()
    }

    /// Where the secret stands in the text, in bytes.
    fn find(&self, text: &str) -> Vec<Range<usize>> {
        let bytes = text.as_bytes();
        let mut found = Vec::new();
        for spelled in &self.spelled {
            let secret = spelled.expose_secret().as_bytes();
            let mut at = 0;
            while at < bytes.len() {
                let end = spelled_at(bytes, at, secret);
                if let Some(end) = end {
                    // The escape of an escape is masked as a whole, so that none is left half.
                    let escapes = bytes[..at].iter().rev().take_while(|byte| **byte == b'\\').count();
                    let start = if bytes[at] == b'\\' { at - escapes } else { at };
                    found.push(start..end);
                }
                at = end.unwrap_or(at + 1);
            }
        }
        for encoded in &self.encoded {
            let encoded = encoded.expose_secret().as_bytes();
            for at in memmem::find_iter(bytes, encoded) {
                // What stands around it without a gap encodes its first and last letters.
                let is_part =
                    |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_' | b'=');
                let before = bytes[..at].iter().rev().take_while(is_part).count();
                let after = bytes[at + encoded.len()..].iter().take_while(is_part).count();
                found.push(at - before..at + encoded.len() + after);
            }
            found.extend(cut_at_end(text, encoded));
        }
        found
    }
}

/// The secret in base64, also in the midst of a longer text, and in hexadecimal.
fn encodings(secret: &[u8]) -> Vec<SecretString> {
    let mut all = Vec::new();
    for shift in 0..3 {
        let padded = [&[0; 2][..shift], secret].concat();
        for engine in [STANDARD_NO_PAD, URL_SAFE_NO_PAD] {
            let text = engine.encode(&padded);
            // Only letters that stand for bits of the secret alone are the same in every text.
            let inner = (shift * 8).div_ceil(6)..padded.len() * 8 / 6;
            all.push(text[inner].to_owned());
        }
    }
    let hex: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
    all.extend([hex.to_uppercase(), hex]);
    all.dedup();
    all.into_iter().map(SecretString::from).collect()
}

/// Where the beginning of an encoded secret stands at the end of a text, which was cut there.
fn cut_at_end(text: &str, encoded: &[u8]) -> Option<Range<usize>> {
    let text = text.trim_end_matches(['.', '…']).as_bytes();
    let length = (SHORTEST_PART..encoded.len()).rev().find(|length| text.ends_with(&encoded[..*length]))?;
    Some(text.len() - length..text.len())
}

/// Where the secret ends that begins at this place, whatever its case and however its characters are escaped. A long one
/// may be cut by the end of the text.
fn spelled_at(text: &[u8], start: usize, secret: &[u8]) -> Option<usize> {
    let mut at = start;
    for (read, byte) in secret.iter().enumerate() {
        match character(&text[at..]) {
            Some((said, length)) if said.eq_ignore_ascii_case(byte) => at += length,
            _ => {
                let is_cut = matches!(&text[at..], b"" | b"..." | b"\xE2\x80\xA6");
                return (is_cut && secret.len() >= LONG && read >= SHORTEST_PART).then_some(at);
            }
        }
    }
    Some(at)
}

/// The byte that the text begins with, and the length of its spelling: as it is, or escaped as URLs, JSON, source code or
/// HTML do.
fn character(text: &[u8]) -> Option<(u8, usize)> {
    let number = |range: Range<usize>, radix| {
        let digits = str::from_utf8(text.get(range)?).ok().filter(|digits| !digits.starts_with('+'))?;
        u8::from_str_radix(digits, radix).ok()
    };
    let entity = |digits: usize, radix| {
        let end = memchr::memchr(b';', text.get(..12.min(text.len()))?)?;
        Some((number(digits..end, radix)?, end + 1))
    };
    // JSON within JSON escapes the backslashes of its escapes.
    let slashes = text.iter().take(MOST_SLASHES).take_while(|byte| **byte == b'\\').count();
    let escaped = match &text[slashes..] {
        [b'u', ..] if slashes > 0 => number(slashes + 1..slashes + 5, 16).map(|byte| (byte, slashes + 5)),
        [b'x', ..] if slashes > 0 => number(slashes + 1..slashes + 3, 16).map(|byte| (byte, slashes + 3)),
        [byte @ (b'/' | b'"'), ..] if slashes > 0 => Some((*byte, slashes + 1)),
        [b'%', ..] if slashes == 0 => number(1..3, 16).map(|byte| (byte, 3)),
        [b'&', b'#', b'x' | b'X', ..] if slashes == 0 => entity(3, 16),
        [b'&', b'#', ..] if slashes == 0 => entity(2, 10),
        _ => None,
    };
    escaped.or_else(|| text.first().map(|byte| (*byte, 1)))
}

#[cfg(test)]
mod tests;
