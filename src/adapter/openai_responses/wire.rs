//! The wire form of a response and of the events of its stream.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::adapter::lenient::{Count, Text, list, maybe, whole};
use crate::adapter::usage::{self, Counts};
use crate::chat::Usage;

/// An event of a stream, which its `type` names.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Event<'a> {
    #[serde(borrow, rename = "type")]
    pub(super) kind: Text<'a>,
    #[serde(borrow)]
    pub(super) object: Text<'a>,
    #[serde(borrow)]
    pub(super) response: Option<Body<'a>>,
    /// Only a whole response has these fields.
    #[serde(borrow)]
    pub(super) output: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) item: Option<Item<'a>>,
    #[serde(borrow)]
    pub(super) item_id: Text<'a>,
    #[serde(deserialize_with = "whole")]
    pub(super) output_index: Option<u64>,
    #[serde(deserialize_with = "whole")]
    pub(super) summary_index: Option<u64>,
    #[serde(borrow)]
    pub(super) delta: Text<'a>,
    #[serde(borrow)]
    pub(super) logprobs: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) arguments: Text<'a>,
    #[serde(borrow)]
    pub(super) error: Option<&'a RawValue>,
}

/// A response as far as it has arrived.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Body<'a> {
    #[serde(borrow)]
    pub(super) id: Text<'a>,
    #[serde(borrow)]
    pub(super) model: Text<'a>,
    #[serde(borrow)]
    pub(super) status: Text<'a>,
    #[serde(borrow, deserialize_with = "list")]
    pub(super) output: Vec<Item<'a>>,
    #[serde(borrow)]
    pub(super) usage: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) service_tier: Text<'a>,
    #[serde(borrow)]
    pub(super) error: Option<&'a RawValue>,
    #[serde(borrow, deserialize_with = "maybe")]
    pub(super) incomplete_details: Option<Incomplete<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Incomplete<'a> {
    #[serde(borrow)]
    pub(super) reason: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Item<'a> {
    #[serde(borrow)]
    pub(super) status: Text<'a>,
    #[serde(borrow, rename = "type")]
    pub(super) kind: Text<'a>,
    #[serde(borrow)]
    pub(super) id: Text<'a>,
    #[serde(borrow)]
    pub(super) call_id: Text<'a>,
    #[serde(borrow)]
    pub(super) name: Text<'a>,
    #[serde(borrow)]
    pub(super) arguments: Text<'a>,
    #[serde(borrow, deserialize_with = "list")]
    pub(super) content: Vec<Part<'a>>,
    #[serde(borrow, deserialize_with = "list")]
    pub(super) summary: Vec<Part<'a>>,
    #[serde(borrow)]
    pub(super) encrypted_content: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Part<'a> {
    #[serde(borrow, rename = "type")]
    pub(super) kind: Text<'a>,
    #[serde(borrow)]
    pub(super) text: Text<'a>,
    #[serde(borrow)]
    pub(super) refusal: Text<'a>,
    #[serde(borrow)]
    pub(super) logprobs: Option<&'a RawValue>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct WireUsage {
    input_tokens: Count,
    output_tokens: Count,
    total_tokens: Count,
    #[serde(deserialize_with = "maybe")]
    input_tokens_details: Option<InputDetails>,
    #[serde(deserialize_with = "maybe")]
    output_tokens_details: Option<OutputDetails>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct InputDetails {
    cached_tokens: Count,
    cache_write_tokens: Count,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct OutputDetails {
    reasoning_tokens: Count,
}

/// Reads a usage object.
pub(super) fn read_usage(raw: &RawValue) -> Usage {
    let wire: WireUsage = serde_json::from_str(raw.get()).unwrap_or_default();
    let input = wire.input_tokens_details.unwrap_or_default();
    Counts {
        prompt: wire.input_tokens.0,
        completion: wire.output_tokens.0,
        total: wire.total_tokens.0,
        cache_read: input.cached_tokens.0,
        cache_write: input.cache_write_tokens.0,
        reasoning: wire.output_tokens_details.and_then(|details| details.reasoning_tokens.0),
    }
    .normalise(usage::bill(raw))
}
