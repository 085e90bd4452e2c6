//! Events of a stream, or a whole message, → events.

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::usage::WireUsage;
use crate::adapter::lenient::{Text, list_or_null, whole};
use crate::adapter::start::Start;
use crate::adapter::tool_calls::arguments;
use crate::adapter::usage::Surcharges;
use crate::adapter::{DecodeError, Decoder, Flow, signature, sse};
use crate::chat::{FinishReason, StreamEvent, Surcharge};

/// An event of a stream, which its `type` names. A whole message is read as an event of type `message`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Event<'a> {
    #[serde(borrow, rename = "type")]
    kind: Text<'a>,
    #[serde(borrow)]
    message: Option<Message<'a>>,
    #[serde(deserialize_with = "whole")]
    index: Option<u64>,
    #[serde(borrow)]
    content_block: Option<Block<'a>>,
    #[serde(borrow)]
    delta: Option<Delta<'a>>,
    #[serde(borrow)]
    usage: Option<&'a RawValue>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Message<'a> {
    #[serde(borrow)]
    id: Text<'a>,
    #[serde(borrow)]
    model: Text<'a>,
    #[serde(borrow, deserialize_with = "list_or_null")]
    content: Vec<Block<'a>>,
    #[serde(borrow)]
    stop_reason: Text<'a>,
    #[serde(borrow)]
    usage: Option<&'a RawValue>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Block<'a> {
    #[serde(borrow, rename = "type")]
    kind: Text<'a>,
    #[serde(borrow)]
    text: Text<'a>,
    #[serde(borrow)]
    thinking: Text<'a>,
    #[serde(borrow)]
    signature: Text<'a>,
    #[serde(borrow)]
    data: Text<'a>,
    #[serde(borrow)]
    id: Text<'a>,
    #[serde(borrow)]
    name: Text<'a>,
    #[serde(borrow)]
    input: Option<&'a RawValue>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Delta<'a> {
    #[serde(borrow)]
    text: Text<'a>,
    #[serde(borrow)]
    thinking: Text<'a>,
    #[serde(borrow)]
    signature: Text<'a>,
    #[serde(borrow)]
    partial_json: Text<'a>,
    #[serde(borrow)]
    stop_reason: Text<'a>,
}

/// Decodes one answer.
#[derive(Debug, Default)]
pub(super) struct MessageDecoder {
    start: Start,
    /// Whether something of the answer has come.
    has_content: bool,
    /// The number of the block of each tool call, by the position of the call.
    tool_blocks: Vec<Option<u64>>,
    /// Blocks of reasoning that must be sent back unchanged.
    redacted: Vec<Value>,
    /// Whether there was a thought, whose signature is told as it comes.
    has_thought: bool,
    /// The text and the signature of a later one, which are told together with those of other blocks.
    further: Option<(String, String)>,
    /// About how much memory the blocks have taken, in bytes.
    held: usize,
    usage: WireUsage,
    finished: bool,
    surcharges: Surcharges,
}

impl Decoder for MessageDecoder {
    fn decode(&mut self, frame: &sse::Frame<'_>, events: &mut Vec<StreamEvent>) -> Result<Flow, DecodeError> {
        let event: Event<'_> = frame.json("one of a message")?;
        let kind = frame.kind(&event.kind);
        if kind == "error" || event.error.is_some() {
            if kind == "message" {
                self.message(frame.json("a message")?, true, events);
            }
            return Err(frame.failure());
        }
        match kind {
            "message" => self.message(frame.json("a message")?, true, events),
            "message_start" => self.message(event.message.unwrap_or_default(), false, events),
            "content_block_start" => self.block(event.index, event.content_block.unwrap_or_default(), events),
            "content_block_delta" => self.delta(event.index, event.delta.unwrap_or_default(), events),
            "message_delta" => {
                self.say_usage(event.usage, events);
                self.finish(&event.delta.unwrap_or_default().stop_reason, events);
            }
            "message_stop" => {
                // Some gateways leave out why an answer ended. One of which nothing has come is none.
                if !self.finished && self.has_content {
                    self.finish(if self.tool_blocks.is_empty() { "end_turn" } else { "tool_use" }, events);
                }
                return Ok(Flow::Done);
            }
            // Pings, ends of blocks and unknown events say nothing about the answer.
            _ => {}
        }
        Ok(Flow::Continue)
    }

    fn held(&self) -> usize {
        self.held
    }
}

impl MessageDecoder {
    fn message(&mut self, message: Message<'_>, is_whole: bool, events: &mut Vec<StreamEvent>) {
        self.start.take(&message.id, &message.model, events);
        for block in message.content {
            self.block(None, block, events);
        }
        if is_whole || !message.stop_reason.is_empty() {
            self.say_usage(message.usage, events);
        } else if let Some(usage) = message.usage {
            self.usage.begin(usage);
            self.tell_usage(events);
        }
        self.finish(&message.stop_reason, events);
    }

    fn block(&mut self, index: Option<u64>, block: Block<'_>, events: &mut Vec<StreamEvent>) {
        self.has_content = true;
        self.keep_further();
        match &*block.kind {
            "text" => {
                self.say_redacted(events);
                block.text.tell(StreamEvent::TextDelta, events);
            }
            "thinking" => {
                if std::mem::replace(&mut self.has_thought, true) {
                    self.further = Some(Default::default());
                }
                self.think(block.thinking, block.signature, events);
            }
            "redacted_thinking" => {
                self.held += block.data.0.len() + signature::OF_A_BLOCK;
                self.redacted.push(json!({"type": "redacted_thinking", "data": block.data.0}));
            }
            "tool_use" => {
                self.say_redacted(events);
                let call = self.tool_blocks.len();
                self.tool_blocks.push(index);
                let (id, name) = (block.id.0.into_owned(), block.name.0.into_owned());
                events.push(StreamEvent::ToolCallStart { index: call, id, name });
                // In a stream, the input is empty here and follows in pieces.
                let input = block.input.filter(|input| index.is_none() || !is_empty_object(input.get()));
                if let Some(input) = input.map(arguments).filter(|input| !input.is_empty()) {
                    events.push(StreamEvent::ToolCallDelta { index: call, arguments: input.into_owned() });
                }
            }
            // The vendor's own tools run on its side; their blocks are no part of the answer. Usage counts searches and advice.
            "server_tool_use" => {
                let is_told = matches!(&*block.name, "web_search" | "web_fetch" | "advisor");
                let is_billed = !is_told && !block.name.starts_with("tool_search");
                self.surcharges.find(is_billed.then_some(Surcharge::Parts), events);
            }
            _ => {}
        }
    }

    fn delta(&mut self, index: Option<u64>, delta: Delta<'_>, events: &mut Vec<StreamEvent>) {
        self.has_content = true;
        delta.text.tell(StreamEvent::TextDelta, events);
        self.think(delta.thinking, delta.signature, events);
        if let Some(index) = self.tool_blocks.iter().position(|block| *block == index) {
            delta.partial_json.tell(|arguments| StreamEvent::ToolCallDelta { index, arguments }, events);
        }
    }

    fn think(&mut self, text: Text<'_>, signature: Text<'_>, events: &mut Vec<StreamEvent>) {
        if let Some((all, signed)) = &mut self.further {
            self.held += text.len() + signature.len();
            all.push_str(&text);
            signed.push_str(&signature);
        } else {
            signature.tell(StreamEvent::ReasoningSignature, events);
        }
        text.tell(StreamEvent::ReasoningDelta, events);
    }

    /// Keeps a later thought that has come to its end.
    fn keep_further(&mut self) {
        if let Some((text, signed)) = self.further.take().filter(|(_, signed)| !signed.is_empty()) {
            self.held += signature::OF_A_BLOCK;
            self.redacted.push(signature::further(&text, &signed));
        }
    }

    fn say_redacted(&mut self, events: &mut Vec<StreamEvent>) {
        self.keep_further();
        events.extend(signature::join("", std::mem::take(&mut self.redacted)).map(StreamEvent::ReasoningSignature));
    }

    fn say_usage(&mut self, usage: Option<&RawValue>, events: &mut Vec<StreamEvent>) {
        if let Some(usage) = usage {
            self.usage.update(usage);
            self.tell_usage(events);
        }
    }

    fn tell_usage(&self, events: &mut Vec<StreamEvent>) {
        let known = self.usage.normalise();
        if !known.is_unknown() {
            events.push(StreamEvent::Usage(known));
        }
    }

    fn finish(&mut self, reason: &str, events: &mut Vec<StreamEvent>) {
        if reason.is_empty() {
            return;
        }
        self.say_redacted(events);
        self.finished = true;
        events.push(StreamEvent::Finish(FinishReason::of_word(reason)));
    }
}

fn is_empty_object(json: &str) -> bool {
    json.chars().filter(|c| !c.is_ascii_whitespace()).eq("{}".chars())
}
