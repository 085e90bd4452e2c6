//! Chunks of a stream, or a whole answer, → events.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

use super::reasoning::{Detail, Signatures};
use super::usage::read as read_usage;
use crate::adapter::lenient::{Text, kept, list, list_or_null, maybe, whole};
use crate::adapter::start::Start;
use crate::adapter::tool_calls::{Function, Piece, ToolCalls};
use crate::adapter::usage::{self, Surcharges};
use crate::adapter::{DecodeError, Decoder, Flow, error_body, logprobs, missing, sse};
use crate::chat::{FinishReason, StreamEvent, Surcharge, TokenLogprob};

/// A chunk of a stream. A whole answer has the same form, with `message` in the place of `delta`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Chunk<'a> {
    #[serde(borrow)]
    id: Text<'a>,
    #[serde(borrow)]
    model: Text<'a>,
    #[serde(borrow, deserialize_with = "list_or_null")]
    choices: Vec<Choice<'a>>,
    #[serde(borrow)]
    usage: Option<&'a RawValue>,
    #[serde(borrow)]
    service_tier: Text<'a>,
    /// Groq has the usage here as well, for older models only here.
    #[serde(borrow, deserialize_with = "maybe")]
    x_groq: Option<Groq<'a>>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Groq<'a> {
    #[serde(borrow)]
    usage: Option<&'a RawValue>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Choice<'a> {
    #[serde(deserialize_with = "whole")]
    index: Option<u64>,
    /// Boxed, as is `message`: serde moves each value several times, and this one is large.
    #[serde(borrow)]
    delta: Option<Box<Delta<'a>>>,
    #[serde(borrow)]
    message: Option<Box<Delta<'a>>>,
    #[serde(borrow)]
    logprobs: Option<&'a RawValue>,
    #[serde(borrow)]
    finish_reason: Text<'a>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Logprobs<'a> {
    #[serde(borrow)]
    content: Option<&'a RawValue>,
    #[serde(borrow)]
    refusal: Option<&'a RawValue>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Delta<'a> {
    #[serde(borrow)]
    content: Content<'a>,
    #[serde(borrow)]
    reasoning_content: Text<'a>,
    #[serde(borrow)]
    reasoning: Text<'a>,
    #[serde(borrow, deserialize_with = "list")]
    reasoning_details: Vec<&'a RawValue>,
    #[serde(borrow)]
    refusal: Text<'a>,
    #[serde(borrow, deserialize_with = "list_or_null")]
    tool_calls: Vec<Piece<'a>>,
    /// The older form of `tool_calls`, for one call.
    #[serde(borrow, deserialize_with = "maybe")]
    function_call: Option<Function<'a>>,
    /// OpenRouter's pictures.
    #[serde(borrow, deserialize_with = "list")]
    images: Vec<&'a RawValue>,
    #[serde(borrow, deserialize_with = "maybe")]
    audio: Option<Audio<'a>>,
    #[serde(borrow)]
    extra_content: Option<&'a RawValue>,
    /// What a search has found.
    #[serde(borrow, deserialize_with = "list")]
    annotations: Vec<&'a RawValue>,
    /// The tools that Groq ran.
    #[serde(borrow, deserialize_with = "list")]
    executed_tools: Vec<&'a RawValue>,
}

/// Speech, and what is said.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Audio<'a> {
    #[serde(borrow)]
    data: Text<'a>,
    #[serde(borrow)]
    transcript: Text<'a>,
}

/// Decodes one answer; only its first choice is read.
#[derive(Debug, Default)]
pub(super) struct ChatDecoder {
    start: Start,
    has_content: bool,
    tool_calls: ToolCalls,
    signatures: Signatures,
    /// Whether the reasoning comes in a field of its own.
    has_reasoning: bool,
    finished: bool,
    surcharges: Surcharges,
}

impl Decoder for ChatDecoder {
    fn decode(&mut self, frame: &sse::Frame<'_>, events: &mut Vec<StreamEvent>) -> Result<Flow, DecodeError> {
        let chunk: Chunk<'_> = frame.json("a chunk of a chat completion")?;
        let is_bare = chunk.choices.is_empty() && chunk.usage.is_none() && chunk.x_groq.is_none();
        let is_error = frame.is_error()
            || chunk.error.is_some_and(says_something)
            || is_bare && error_body::is_unnamed_error(frame.data.as_bytes());
        self.start.take(&chunk.id, &chunk.model, events);
        let mut surcharge = usage::of_tier(&chunk.service_tier);
        let mut failed = None;
        let mut finish = None;
        // A choice without an index is the first one. Where two say that they are, only one is.
        if let Some(choice) = chunk.choices.into_iter().find(|choice| choice.index.unwrap_or(0) == 0) {
            if let Some(raw) = choice.logprobs {
                logprobs::tell(read_logprobs(raw), events);
            }
            let is_whole = choice.delta.is_none();
            if let Some(delta) = choice.delta.or(choice.message) {
                let is_heard = delta.audio.as_ref().is_some_and(|audio| !audio.data.is_empty());
                let has_tools = !(delta.annotations.is_empty() && delta.executed_tools.is_empty());
                if has_tools || is_heard || !delta.images.is_empty() {
                    surcharge = Some(Surcharge::Parts);
                }
                self.delta(*delta, is_whole, events);
            }
            failed = choice.error.filter(|error| says_something(error));
            finish = finish_reason(&choice.finish_reason);
        }
        self.surcharges.find(surcharge, events);
        let usage = chunk.usage.or_else(|| chunk.x_groq.and_then(|groq| groq.usage));
        events.extend(usage.map(read_usage).filter(|usage| !usage.is_unknown()).map(StreamEvent::Usage));
        if is_error {
            return Err(frame.failure());
        }
        if let Some(error) = failed {
            return Err(error_body::decode(200, format!("{{\"error\":{}}}", error.get()).as_bytes()).into());
        }
        if let Some(finish) = finish {
            self.finish(finish, events);
        }
        Ok(Flow::Continue)
    }

    /// The terminal event completes an answer without a finish reason.
    fn done(&mut self, events: &mut Vec<StreamEvent>) {
        if !self.finished && self.has_content {
            let calls_tools = !self.tool_calls.is_empty();
            self.finish(if calls_tools { FinishReason::ToolCalls } else { FinishReason::Stop }, events);
        }
    }

    fn held(&self) -> usize {
        self.signatures.size() + self.tool_calls.held()
    }
}

impl ChatDecoder {
    fn delta(&mut self, delta: Delta<'_>, is_whole: bool, events: &mut Vec<StreamEvent>) {
        let before = events.len();
        let mut thought = [delta.reasoning_content.0, delta.reasoning.0, delta.content.thinking]
            .into_iter()
            .find(|text| !text.is_empty())
            .map(Cow::into_owned)
            .unwrap_or_default();
        let mut signed = None;
        self.has_reasoning |= !thought.is_empty();
        for raw in delta.reasoning_details {
            let Ok(detail) = serde_json::from_str::<Detail<'_>>(raw.get()) else { continue };
            // `reasoning` holds the same text, here or before.
            if !self.has_reasoning {
                thought.push_str(&detail.text);
                thought.push_str(&detail.summary);
            }
            signed = self.signatures.take(raw, detail).or(signed);
        }
        if !thought.is_empty() {
            events.push(StreamEvent::ReasoningDelta(thought));
        }
        events.extend(signed.map(StreamEvent::ReasoningSignature));
        let Audio { data, transcript } = delta.audio.unwrap_or_default();
        for text in [delta.content.text, delta.refusal.0, transcript.0] {
            if !text.is_empty() {
                events.push(StreamEvent::TextDelta(text.into_owned()));
            }
        }
        let recording = (!data.is_empty()).then_some(missing::RECORDING);
        let picture = (!delta.images.is_empty()).then_some(missing::PICTURE);
        events.extend(delta.content.missing.or(recording).or(picture).map(StreamEvent::Missing));
        let is_called = !delta.tool_calls.is_empty();
        let mut extra = delta.extra_content;
        for piece in delta.tool_calls {
            extra = extra.or(piece.extra_content);
            match is_whole {
                true => self.tool_calls.take_whole(piece, events),
                false => self.tool_calls.take(piece, events),
            }
        }
        // Some servers send a call in both forms.
        if let Some(function) = delta.function_call.filter(|_| !is_called) {
            self.tool_calls.take(Piece::of_function(function), events);
        }
        if let Some(extra) = extra.and_then(kept).filter(Value::is_object) {
            events.push(StreamEvent::ReasoningSignature(extra.to_string()));
        }
        self.has_content |= events.len() > before;
    }

    fn finish(&mut self, reason: FinishReason, events: &mut Vec<StreamEvent>) {
        self.tool_calls.end(events);
        events.extend(self.signatures.rest().map(StreamEvent::ReasoningSignature));
        self.finished = true;
        events.push(StreamEvent::Finish(reason));
    }
}

/// Reads the log-probabilities of the text. Those of a refusal count as well, since a refusal is text.
fn read_logprobs(raw: &RawValue) -> Vec<TokenLogprob> {
    let Logprobs { content, refusal } = serde_json::from_str(raw.get()).unwrap_or_default();
    content.into_iter().chain(refusal).flat_map(logprobs::read_openai).collect()
}

fn says_something(error: &RawValue) -> bool {
    !matches!(error.get(), "null" | "false" | "{}" | "\"\"")
}

/// Returns `None` where there is no reason yet.
fn finish_reason(reason: &str) -> Option<FinishReason> {
    (!reason.is_empty()).then(|| FinishReason::of_word(reason))
}

/// The content of a message: a text, `null`, or Mistral's list of parts, which includes the reasoning.
#[derive(Debug, Default)]
struct Content<'a> {
    text: Cow<'a, str>,
    thinking: Cow<'a, str>,
    /// A part that is no text.
    missing: Option<&'static str>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ContentPart<'a> {
    #[serde(borrow, rename = "type")]
    kind: Text<'a>,
    #[serde(borrow)]
    text: Text<'a>,
    #[serde(borrow)]
    refusal: Text<'a>,
    /// A text, or a list of text parts.
    #[serde(borrow)]
    thinking: Content<'a>,
}

impl<'de: 'a, 'a> Deserialize<'de> for Content<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ContentVisitor)
    }
}

struct ContentVisitor;

impl<'de> Visitor<'de> for ContentVisitor {
    type Value = Content<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text, a list of parts, or null")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Content { text: Cow::Borrowed(text), ..Content::default() })
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Content { text: Cow::Owned(text.to_owned()), ..Content::default() })
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Content::default())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<Self::Value, A::Error> {
        let mut content = Content::default();
        while let Some(raw) = parts.next_element::<&RawValue>()? {
            if let Ok(part) = serde_json::from_str::<ContentPart<'_>>(raw.get()) {
                content.text.to_mut().push_str(&part.text);
                content.text.to_mut().push_str(&part.refusal);
                content.thinking.to_mut().push_str(&part.thinking.text);
                content.missing = content.missing.or(missing::of_part(&part.kind));
            }
        }
        Ok(content)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Content::default())
    }
}
