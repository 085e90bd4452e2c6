//! What an answer is written as: its events, its items and the object that has them all. Log-probabilities stay what they are until
//! they are written, since a tree of them takes a kilobyte for each token.

use std::borrow::Cow;

use serde::{Serialize, Serializer};
use serde_json::Value;

use crate::adapter::body::write_event;
use crate::adapter::logprobs::OpenaiTokens;
use crate::chat::TokenLogprob;

/// The status of what is complete.
pub(super) const COMPLETED: &str = "completed";

/// Writes the events and numbers them.
#[derive(Debug, Default)]
pub(super) struct Events {
    next: u64,
}

impl Events {
    pub(super) fn write(&mut self, kind: &str, data: impl Serialize, out: &mut Vec<u8>) {
        write_event(Some(kind), &Event { data, kind, sequence_number: self.next }, out);
        self.next += 1;
    }
}

#[derive(Serialize)]
struct Event<'a, T> {
    #[serde(flatten)]
    data: T,
    #[serde(rename = "type")]
    kind: &'a str,
    sequence_number: u64,
}

/// What an event says of a piece, and the position of the piece in the answer.
#[derive(Serialize)]
pub(super) struct At<'a, T> {
    #[serde(flatten)]
    data: T,
    item_id: &'a str,
    output_index: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    summary_index: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_index: Option<u8>,
}

impl<'a, T> At<'a, T> {
    pub(super) fn new(is_thought: bool, item_id: &'a str, output_index: usize, data: T) -> Self {
        let summary_index = is_thought.then_some(0);
        let content_index = (!is_thought).then_some(0);
        Self { data, item_id, output_index, summary_index, content_index }
    }
}

#[derive(Serialize)]
pub(super) struct Part<T> {
    pub(super) part: T,
}

#[derive(Serialize)]
pub(super) struct Delta<'a> {
    pub(super) delta: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) logprobs: Option<OpenaiTokens<'a>>,
}

#[derive(Serialize)]
pub(super) struct WholeText<'a> {
    pub(super) text: &'a str,
    pub(super) logprobs: OpenaiTokens<'a>,
}

#[derive(Serialize)]
pub(super) struct Done<'a> {
    pub(super) output_index: usize,
    pub(super) item: &'a Item<'a>,
}

#[derive(Serialize)]
pub(super) struct Whole<'a> {
    pub(super) response: Body<'a>,
}

#[derive(Serialize)]
pub(super) struct Body<'a> {
    pub(super) id: &'a str,
    pub(super) object: &'static str,
    pub(super) created_at: u64,
    pub(super) status: &'a str,
    pub(super) model: &'a str,
    pub(super) output: Vec<Item<'a>>,
    pub(super) error: Option<Value>,
    pub(super) incomplete_details: Option<Value>,
    pub(super) usage: Option<Value>,
}

/// A complete part of an answer.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Item<'a> {
    Message(Message<'a>),
    Other(Value),
}

#[derive(Debug, Serialize)]
pub(super) struct Message<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    id: String,
    role: &'static str,
    status: &'static str,
    content: [Text<'a>; 1],
}

impl<'a> Message<'a> {
    pub(super) fn new(id: String, text: Text<'a>) -> Self {
        Self { kind: "message", id, role: "assistant", status: COMPLETED, content: [text] }
    }
}

#[derive(Debug, Serialize)]
pub(super) struct Text<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    text: Cow<'a, str>,
    annotations: [(); 0],
    #[serde(serialize_with = "write_tokens")]
    logprobs: Cow<'a, [TokenLogprob]>,
}

impl<'a> Text<'a> {
    pub(super) fn new(text: impl Into<Cow<'a, str>>, logprobs: impl Into<Cow<'a, [TokenLogprob]>>) -> Self {
        Self { kind: "output_text", text: text.into(), annotations: [], logprobs: logprobs.into() }
    }
}

fn write_tokens<S: Serializer>(tokens: &[TokenLogprob], serializer: S) -> Result<S::Ok, S::Error> {
    OpenaiTokens(tokens).serialize(serializer)
}
