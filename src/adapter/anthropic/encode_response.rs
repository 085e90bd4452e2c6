//! Unified events, responses and failures → messages, for servers.

use serde_json::{Value, json};

use super::encode_request::reasoning;
use crate::adapter::body::{arguments_value, given, to_vec, write_event};
use crate::adapter::{Encoder, openai};
use crate::chat::{FinishReason, Response, StreamEvent, Usage};
use crate::error::{Failure, FailureKind};

/// Encodes one answer. Consecutive pieces of one kind make a block.
#[derive(Debug)]
pub(super) struct MessageEncoder {
    model: String,
    began: bool,
    /// The kind of the open block, which is the last that began.
    open: Option<Kind>,
    /// The number of blocks that have begun.
    blocks: usize,
    /// The number of the block of each tool call.
    tool_blocks: Vec<usize>,
    usage: Usage,
    finish: Option<FinishReason>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Thinking,
    Other,
}

impl MessageEncoder {
    pub(super) fn new(model: &str) -> Self {
        Self {
            model: model.to_owned(),
            began: false,
            open: None,
            blocks: 0,
            tool_blocks: Vec::new(),
            usage: Usage::default(),
            finish: None,
        }
    }

    fn begin(&mut self, id: Option<&str>, model: Option<&str>, out: &mut Vec<u8>) {
        if self.began {
            return;
        }
        self.began = true;
        let message = json!({
            "id": id.unwrap_or("msg"), "type": "message", "role": "assistant", "model": model.unwrap_or(&self.model),
            "content": [], "stop_reason": null, "stop_sequence": null,
            "usage": {"input_tokens": 0, "output_tokens": 0},
        });
        event(json!({"type": "message_start", "message": message}), out);
    }

    fn open(&mut self, kind: Kind, block: Value, out: &mut Vec<u8>) {
        self.begin(None, None, out);
        self.close(out);
        event(json!({"type": "content_block_start", "index": self.blocks, "content_block": block}), out);
        self.open = Some(kind);
        self.blocks += 1;
    }

    fn close(&mut self, out: &mut Vec<u8>) {
        if self.open.take().is_some() {
            event(json!({"type": "content_block_stop", "index": self.blocks - 1}), out);
        }
    }

    /// Writes a piece of text or reasoning, into the open block if that is of this kind.
    fn piece(&mut self, kind: Kind, block: Value, delta: Value, out: &mut Vec<u8>) {
        if self.open != Some(kind) {
            self.open(kind, block, out);
        }
        event(json!({"type": "content_block_delta", "index": self.blocks - 1, "delta": delta}), out);
    }

    fn think(&mut self, delta: Value, out: &mut Vec<u8>) {
        self.piece(Kind::Thinking, json!({"type": "thinking", "thinking": "", "signature": ""}), delta, out);
    }
}

impl Encoder for MessageEncoder {
    fn encode(&mut self, said: &StreamEvent, out: &mut Vec<u8>) {
        match said {
            StreamEvent::Start { id, model } => self.begin(id.as_deref(), model.as_deref(), out),
            StreamEvent::TextDelta(text) => {
                let block = json!({"type": "text", "text": ""});
                self.piece(Kind::Text, block, json!({"type": "text_delta", "text": text}), out);
            }
            StreamEvent::ReasoningDelta(text) => self.think(json!({"type": "thinking_delta", "thinking": text}), out),
            StreamEvent::ReasoningSignature(signature) => {
                for block in reasoning("", Some(signature)) {
                    if block["type"] == "thinking" {
                        self.think(json!({"type": "signature_delta", "signature": block["signature"]}), out);
                    } else {
                        self.open(Kind::Other, block, out);
                    }
                }
            }
            StreamEvent::ToolCallStart { id, name, .. } => {
                self.tool_blocks.push(self.blocks);
                self.open(Kind::Other, json!({"type": "tool_use", "id": id, "name": name, "input": {}}), out);
            }
            StreamEvent::ToolCallDelta { index, arguments } => {
                if let Some(block) = self.tool_blocks.get(*index) {
                    let delta = json!({"type": "input_json_delta", "partial_json": arguments});
                    event(json!({"type": "content_block_delta", "index": block, "delta": delta}), out);
                }
            }
            // The format has no field for log-probabilities. What is missing is told as a failure.
            StreamEvent::Logprobs(_) | StreamEvent::Missing(_) => {}
            StreamEvent::Usage(usage) => self.usage.update(usage),
            StreamEvent::Finish(reason) => self.finish = Some(reason.clone()),
        }
    }

    fn finish(&mut self, out: &mut Vec<u8>) {
        self.begin(None, None, out);
        self.close(out);
        let delta = json!({"stop_reason": stop_reason(self.finish.as_ref()), "stop_sequence": null});
        event(json!({"type": "message_delta", "delta": delta, "usage": usage(&self.usage)}), out);
        event(json!({"type": "message_stop"}), out);
    }

    fn fail(&mut self, failure: &Failure, out: &mut Vec<u8>) {
        event(error(failure), out);
    }
}

/// Writes an event under its type as its name, because clients of this format read the name.
fn event(data: Value, out: &mut Vec<u8>) {
    write_event(data["type"].as_str(), &data, out);
}

pub(super) fn whole(response: &Response) -> Vec<u8> {
    let mut content = match &response.reasoning_signature {
        Some(signature) => reasoning(&response.reasoning, Some(signature)),
        None if response.reasoning.is_empty() => Vec::new(),
        None => vec![json!({"type": "thinking", "thinking": response.reasoning, "signature": ""})],
    };
    if !response.text.is_empty() {
        content.push(json!({"type": "text", "text": response.text}));
    }
    content.extend(response.tool_calls.iter().map(
        |call| json!({"type": "tool_use", "id": call.id, "name": call.name, "input": arguments_value(&call.arguments)}),
    ));
    to_vec(&json!({
        "id": response.id.as_deref().unwrap_or("msg"),
        "type": "message",
        "role": "assistant",
        "model": response.model.as_deref().unwrap_or_default(),
        "content": content,
        "stop_reason": stop_reason(response.finish.as_ref()),
        "stop_sequence": null,
        "usage": usage(&response.usage),
    }))
}

fn stop_reason(finish: Option<&FinishReason>) -> &str {
    match finish {
        None | Some(FinishReason::Stop) => "end_turn",
        Some(FinishReason::Length) => "max_tokens",
        Some(FinishReason::ToolCalls) => "tool_use",
        Some(FinishReason::ContentFilter) => "refusal",
        Some(FinishReason::Other(other)) => other,
    }
}

/// The usage. Clients demand a number of output tokens, so that an unknown number is written as 0.
fn usage(usage: &Usage) -> Value {
    let cached = usage.cache_read.unwrap_or(0) + usage.cache_write.unwrap_or(0);
    let mut wire = given(json!({
        "input_tokens": usage.input.map(|input| input.saturating_sub(cached)),
        "cache_read_input_tokens": usage.cache_read,
        "cache_creation_input_tokens": usage.cache_write,
        "output_tokens": usage.output,
        "cost": usage.cost,
    }));
    if let Some(reasoning) = usage.reasoning {
        wire["output_tokens_details"] = json!({"thinking_tokens": reasoning});
    }
    if usage.input.is_none() && usage.output.is_none() {
        wire["output_tokens"] = json!(0);
    }
    wire
}

pub(super) fn error(failure: &Failure) -> Value {
    let kind = match failure.kind {
        FailureKind::Auth | FailureKind::NoKey => "authentication_error",
        FailureKind::Credits => "billing_error",
        FailureKind::NotFound => "not_found_error",
        FailureKind::InvalidRequest | FailureKind::ContextLength | FailureKind::ContentFilter => {
            "invalid_request_error"
        }
        FailureKind::RateLimited => "rate_limit_error",
        FailureKind::Unavailable => "overloaded_error",
        FailureKind::Timeout => "timeout_error",
        _ => "api_error",
    };
    let (_, code) = openai::words(failure.kind);
    let details = code.map(|code| json!({"error_code": code}));
    let error = given(json!({"type": kind, "message": failure.message, "details": details}));
    json!({"type": "error", "error": error})
}
