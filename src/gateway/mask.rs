//! Masks the gateway's secrets in what the gateway says, before anything else sees it.
//!
//! Some gateways repeat the key that they were sent: in errors, ids, headers and lists, as it is or encoded. The text of an
//! answer, its reasoning and the arguments of its tool calls are the user's own data and stay as they are here; `words.rs` masks
//! them for clients of a server.

mod forms;
mod letters;

use std::borrow::Cow;
use std::ops::Range;

use bytes::Bytes;
use memchr::memmem;
use secrecy::{ExposeSecret, SecretString};

use self::forms::{Forms, apart, large_part, shortened};
use self::letters::{spellings, styles};
use super::json_text::strings;
use crate::adapter::mask_keys;
use crate::call::Meta;
use crate::chat::{FinishReason, StreamEvent, decode_base64};
use crate::config::Gateway;
use crate::error::Failure;
use crate::words::on_one_line;

/// What stands in the place of a secret.
pub(super) const MASK: &str = "***";

/// The length in bytes from which a secret is masked in names as well, and in other encodings. Shorter ones are mostly
/// words that servers without keys are given, such as `ollama`, and names of models hold these too.
pub(super) const LONG: usize = 12;

/// As many bytes of a secret at the end of a text, which may have been cut there, are masked as well.
pub(super) const SHORTEST_PART: usize = 6;

/// The shortest password that is masked, in bytes. A shorter one would hide half of each message, and is no secret.
pub(super) const SHORTEST_PASSWORD: usize = 4;

/// JSON in strings of JSON is searched as many times.
const MOST_NESTED: u8 = 3;

/// The longest id of an answer and the longest name of a model that are kept, in bytes.
const LONGEST_NAME: usize = 4096;

/// Parts of the names of headers whose values are secrets.
const SECRET_HEADERS: [&str; 6] = ["auth", "key", "token", "secret", "cookie", "password"];

/// The secrets of one gateway, in the forms in which they could come back.
#[derive(Default)]
pub(super) struct Mask {
    secrets: Vec<Secret>,
    /// The long secrets as they are, for bytes that pass through.
    exact: Vec<memmem::Finder<'static>>,
}

/// How a secret goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rest {
    /// All the rest of it has come, which is so long.
    Whole(usize),
    /// All that has come is more of it, which begins at this place of the end before.
    More(usize),
}

struct Secret {
    /// The secret and its reverse. They are found however each of their characters is escaped.
    spelled: [SecretString; 2],
    /// The forms in which a large part of it is found wherever that begins.
    forms: Forms,
}

impl Mask {
    /// Masks the key, and the headers of the config that look as if they held a secret.
    pub(super) fn new(gateway: &Gateway, key: Option<&SecretString>) -> Self {
        let is_secret = |name: &str| SECRET_HEADERS.iter().any(|part| name.to_ascii_lowercase().contains(part));
        let headers = gateway.headers.iter().filter(|(name, _)| is_secret(name));
        let values = headers.map(|(name, value)| (name.eq_ignore_ascii_case("cookie"), without_scheme(value).trim()));
        let parts = |(is_cookie, value)| std::iter::once(value).chain(parts_of_header(value, is_cookie));
        let values: Vec<&str> = values.flat_map(parts).collect();
        // `Basic` has a name and a password in base64.
        let basic = values.iter().filter_map(|value| String::from_utf8(decode_base64(value)?).ok());
        let passwords: Vec<String> = basic
            .filter_map(|pair| Some(pair.split_once(':')?.1.to_owned()))
            .filter(|text| text.len() >= SHORTEST_PASSWORD)
            .collect();
        let values = values.into_iter().chain(passwords.iter().map(String::as_str));
        Self::default().with(key.map(ExposeSecret::expose_secret).into_iter().chain(values))
    }

    /// Masks these as well.
    pub(super) fn and(self, more: &[SecretString]) -> Self {
        self.with(more.iter().map(ExposeSecret::expose_secret))
    }

    fn with<'s>(mut self, secrets: impl Iterator<Item = &'s str>) -> Self {
        for secret in secrets.filter(|secret| !secret.is_empty()) {
            if secret.len() >= LONG {
                self.exact.push(memmem::Finder::new(secret).into_owned());
            }
            self.secrets.push(Secret::new(secret));
        }
        self
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

    /// Masks the long secrets in a line of a stream, in every form. `None` where it has none. Bytes that are no UTF-8 are left out
    /// of a line that has one, as many programs leave them out when they read it.
    pub(super) fn line(&self, line: &[u8]) -> Option<Vec<u8>> {
        let text = match str::from_utf8(line) {
            Ok(text) => Cow::Borrowed(text),
            Err(_) => line.utf8_chunks().map(|chunk| chunk.valid()).collect(),
        };
        let masked = self.masked_in(&text, LONG, Place::Json);
        let again = self.masked_strings(masked.as_deref().unwrap_or(&text), MOST_NESTED);
        again.or(masked).map(String::into_bytes)
    }

    /// Masks the long secrets in the strings of JSON that hold escapes, by what they mean. Strings may hold JSON again, as many
    /// times as `nested` says. `None` where there is no secret.
    fn masked_strings(&self, json: &str, nested: u8) -> Option<String> {
        memchr::memchr(b'\\', json.as_bytes())?;
        let mut masked = None;
        let mut kept = 0;
        for place in strings(json).filter(|place| json[place.clone()].contains('\\')) {
            let Ok(meant) = serde_json::from_str::<String>(&json[place.clone()]) else { continue };
            // JSON in it stays JSON.
            let is_json = meant.trim_start().starts_with(['{', '[']);
            let own = self.masked_in(&meant, LONG, if is_json { Place::Json } else { Place::Text });
            let known = own.as_deref().unwrap_or(&meant);
            let inner = nested.checked_sub(1).and_then(|nested| self.masked_strings(known, nested));
            if let Some(text) = inner.or(own) {
                let masked: &mut String = masked.get_or_insert_default();
                masked.push_str(&json[kept..place.start]);
                masked.push_str(&serde_json::Value::String(text).to_string());
                kept = place.end;
            }
        }
        let mut masked = masked?;
        masked.push_str(&json[kept..]);
        Some(masked)
    }

    /// Whether there is a long secret.
    pub(super) fn has_exact(&self) -> bool {
        !self.exact.is_empty()
    }

    /// Where the long secrets stand that are spelled as they are, from the first on.
    pub(super) fn find_exact<'a>(&'a self, bytes: &'a [u8]) -> impl Iterator<Item = Range<usize>> + 'a {
        let mut searched = 0;
        std::iter::from_fn(move || {
            let found = |secret: &memmem::Finder<'_>| {
                secret.find(&bytes[searched..]).map(|at| searched + at..searched + at + secret.needle().len())
            };
            let first = self.exact.iter().filter_map(found).min_by_key(|range| range.start)?;
            searched = first.end;
            Some(first)
        })
    }

    /// Whether a text tells a long secret by its escapes: by what it means, it has more of them than as it is `spelled`.
    pub(super) fn tells_more(&self, meant: &[u8], spelled: &[u8]) -> bool {
        self.find_exact(meant).count() > self.find_exact(spelled).count()
    }

    /// How many bytes at the end may be the beginning of a long secret.
    pub(super) fn open_at_end(&self, bytes: &[u8]) -> usize {
        let open = |secret: &memmem::Finder<'_>| {
            let secret = secret.needle();
            let end = &bytes[bytes.len().saturating_sub(secret.len() - 1)..];
            let mut starts = memchr::memchr_iter(secret[0], end);
            starts.find(|start| secret.starts_with(&end[*start..])).map_or(0, |start| end.len() - start)
        };
        self.exact.iter().map(open).max().unwrap_or(0)
    }

    /// The beginning of a long secret up to the place that the text ends with, where the text ends with so much of it that it is
    /// masked.
    pub(super) fn masked_at_end(&self, text: &[u8]) -> Option<&[u8]> {
        self.exact.iter().map(memmem::Finder::needle).find_map(|secret| {
            let large = large_part(secret.len());
            let end = (large..secret.len()).rev().find(|end| text.ends_with(&secret[end - large..*end]))?;
            Some(&secret[..end])
        })
    }

    /// Whether this is so large a part of a long secret that it is masked wherever it stands.
    pub(super) fn is_large_part(&self, part: &[u8]) -> bool {
        let secrets = self.exact.iter().map(memmem::Finder::needle);
        secrets
            .filter(|secret| part.len() >= large_part(secret.len()))
            .any(|secret| memmem::find(secret, part).is_some())
    }

    /// How a long secret goes on in the text that comes `next`, of which a text before has ended with the beginning.
    pub(super) fn rest(&self, end: &[u8], next: &[u8]) -> Option<Rest> {
        let secrets = self.exact.iter().map(memmem::Finder::needle);
        let rests = secrets.flat_map(|secret| {
            let rest = move |start: usize| Some((start, secret.strip_prefix(&end[start..])?));
            (0..end.len()).filter_map(rest)
        });
        let mut more = None;
        for (start, rest) in rests {
            if next.starts_with(rest) {
                return Some(Rest::Whole(rest.len()));
            }
            if rest.starts_with(next) {
                more = more.or(Some(Rest::More(start)));
            }
        }
        more
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

    /// Masks the ids and names of an event, and cuts those that are too long to be any: they stand in messages and in the ledger.
    /// Most events have none, and cost nothing.
    pub(super) fn event(&self, mut event: StreamEvent) -> StreamEvent {
        match &mut event {
            StreamEvent::Start { id, model } => {
                // No name of a model has line breaks, and many lines tell it.
                for model in model.iter_mut().filter(|model| model.contains(char::is_control)) {
                    *model = on_one_line(model);
                }
                id.iter_mut().chain(model).for_each(|text| {
                    self.name(text);
                    cut(text, LONGEST_NAME);
                });
            }
            // A gateway may need the whole id again, and some keep much in it. Their sum is limited with the answer.
            StreamEvent::ToolCallStart { id, name, .. } => [id, name].into_iter().for_each(|text| self.name(text)),
            // It would be of no use to the gateway with the key in it.
            StreamEvent::ReasoningSignature(signature) => self.name(signature),
            StreamEvent::Logprobs(tokens) => tokens.iter_mut().for_each(|token| {
                self.name(&mut token.token);
                token.top.iter_mut().for_each(|other| self.name(&mut other.token));
            }),
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
        self.line(&body).unwrap_or(body)
    }

    /// The text without the secrets of at least this length; `None` where it holds none.
    fn masked(&self, text: &str, shortest: usize) -> Option<String> {
        self.masked_in(text, shortest, Place::Text)
    }

    fn masked_in(&self, text: &str, shortest: usize, place: Place) -> Option<String> {
        let long_enough = self.secrets.iter().filter(|secret| secret.len() >= shortest);
        let mut found: Vec<Range<usize>> = long_enough.flat_map(|secret| secret.find(text, place)).collect();
        found.iter_mut().for_each(|range| *range = whole_characters(text, range));
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

/// The range with all of the characters that it has a part of: a part of a secret may begin within one.
fn whole_characters(text: &str, range: &Range<usize>) -> Range<usize> {
    let is_boundary = |at: &usize| text.is_char_boundary(*at);
    let start = (0..=range.start).rev().find(is_boundary).unwrap_or(0);
    start..(range.end..text.len()).find(is_boundary).unwrap_or(text.len())
}

/// The value of a header without `Bearer` and the like before it, which are no secrets.
fn without_scheme(value: &str) -> &str {
    let is_word = |word: &str| word.len() < LONG && word.bytes().all(|byte| byte.is_ascii_alphabetic());
    let is_scheme = |word: &str| is_word(word) || word.contains("-SHA");
    value.split_once(' ').filter(|(word, _)| is_scheme(word)).map_or(value, |(_, value)| value)
}

/// The long parts of a header's value, such as the values of cookies, each of which may be a secret.
fn parts_of_header(value: &str, is_cookie: bool) -> impl Iterator<Item = &str> {
    let parts = value.split([' ', ';', ',']).map(move |part| match part.split_once('=') {
        // What base64 ends with names nothing, but a cookie may be empty.
        Some((_, value)) if is_cookie || !value.trim_matches('=').is_empty() => value,
        _ => part,
    });
    let parts = parts.map(|part| part.trim_matches(['"', '=']));
    parts.filter(move |part| part.len() >= LONG && *part != value)
}

/// Cuts a text to this many bytes or a few less, and says so.
fn cut(text: &mut String, most: usize) {
    if text.len() > most {
        let end = (0..=most).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
        text.truncate(end);
        text.push('…');
    }
}

/// Where a text stands, which decides what may be taken out of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Text,
    /// A document whose strings end where they ended before.
    Json,
}

impl Secret {
    fn new(secret: &str) -> Self {
        let reversed: String = secret.chars().rev().collect();
        Self { forms: Forms::new(secret, &reversed), spelled: [secret.into(), reversed.into()] }
    }

    fn len(&self) -> usize {
        self.spelled[0].expose_secret().len()
    }

    /// Where the secret stands in the text, in bytes.
    fn find(&self, text: &str, place: Place) -> Vec<Range<usize>> {
        let bytes = text.as_bytes();
        let mut found = Vec::new();
        for spelled in &self.spelled {
            let secret = spelled.expose_secret().as_bytes();
            for style in styles(secret, place) {
                found.extend(spellings(bytes, secret, *style, place));
            }
        }
        if self.len() >= LONG {
            found.extend(self.forms.find(text));
            let secret = self.spelled[0].expose_secret().as_bytes();
            found.extend(shortened(text, secret));
            found.extend(apart(text, secret));
        }
        found
    }
}

#[cfg(test)]
mod tests;
