//! Unified events, responses and failures → messages, for servers.

use serde::de::IgnoredAny;
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
    /// Whether the open block of thinking has its signature.
    is_signed: bool,
    /// The number of blocks that have begun.
    blocks: usize,
    calls: Vec<Call>,
    /// The number of calls whose block has begun. The others wait: this format has one open block at a time.
    begun_calls: usize,
    usage: Usage,
    finish: Option<FinishReason>,
}

/// A call of a tool, as far as it has come.
#[derive(Debug)]
struct Call {
    id: String,
    name: String,
    arguments: String,
    /// The number of its block, once that has begun.
    block: usize,
}

impl Call {
    /// Whether no more of its arguments can come.
    fn is_whole(&self) -> bool {
        self.arguments.trim_end().ends_with('}') && serde_json::from_str::<IgnoredAny>(&self.arguments).is_ok()
    }
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
            is_signed: false,
            blocks: 0,
            calls: Vec::new(),
            begun_calls: 0,
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
        (self.open, self.is_signed) = (Some(kind), false);
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

    /// Begins the block of the next call, with what has come of it.
    fn begin_call(&mut self, out: &mut Vec<u8>) {
        let (at, block) = (self.begun_calls, self.blocks);
        let Some(call) = self.calls.get_mut(at) else { return };
        call.block = block;
        let (id, name, arguments) = (call.id.clone(), call.name.clone(), call.arguments.clone());
        self.begun_calls += 1;
        self.open(Kind::Other, json!({"type": "tool_use", "id": id, "name": name, "input": {}}), out);
        if !arguments.is_empty() {
            arguments_delta(block, &arguments, out);
        }
    }

    /// Begins the blocks of the calls that wait, as long as the one before is whole.
    fn begin_calls(&mut self, out: &mut Vec<u8>) {
        while self.begun_calls < self.calls.len()
            && self.begun_calls.checked_sub(1).is_none_or(|last| self.calls[last].is_whole())
        {
            self.begin_call(out);
        }
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
                // A bare signature may come in pieces. Each later thought has one of its own.
                let mut is_piece = !signature.starts_with('[');
                for block in reasoning("", Some(signature)) {
                    if block["type"] == "thinking" {
                        if !std::mem::take(&mut is_piece) && self.open == Some(Kind::Thinking) && self.is_signed {
                            self.close(out);
                        }
                        self.think(json!({"type": "signature_delta", "signature": block["signature"]}), out);
                        self.is_signed = true;
                    } else {
                        self.open(Kind::Other, block, out);
                    }
                }
            }
            StreamEvent::ToolCallStart { id, name, .. } => {
                let (id, name) = (id.clone(), name.clone());
                self.calls.push(Call { id, name, arguments: String::new(), block: 0 });
                self.begin_calls(out);
            }
            StreamEvent::ToolCallDelta { index, arguments } => {
                let Some(call) = self.calls.get_mut(*index) else { return };
                call.arguments.push_str(arguments);
                if *index + 1 == self.begun_calls {
                    arguments_delta(call.block, arguments, out);
                }
                self.begin_calls(out);
            }
            // The format has no field for log-probabilities. What is missing is told as a failure.
            StreamEvent::Logprobs(_) | StreamEvent::Missing(_) => {}
            StreamEvent::Usage(usage) => self.usage.update(usage),
            StreamEvent::Finish(reason) => self.finish = Some(reason.clone()),
        }
    }

    fn finish(&mut self, out: &mut Vec<u8>) {
        self.begin(None, None, out);
        while self.begun_calls < self.calls.len() {
            self.begin_call(out);
        }
        self.close(out);
        let delta = json!({"stop_reason": stop_reason(self.finish.as_ref()), "stop_sequence": null});
        event(json!({"type": "message_delta", "delta": delta, "usage": usage(&self.usage)}), out);
        event(json!({"type": "message_stop"}), out);
    }

    fn fail(&mut self, failure: &Failure, out: &mut Vec<u8>) {
        event(error(failure), out);
    }
}

fn arguments_delta(block: usize, arguments: &str, out: &mut Vec<u8>) {
    let delta = json!({"type": "input_json_delta", "partial_json": arguments});
    event(json!({"type": "content_block_delta", "index": block, "delta": delta}), out);
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
    let mut usage = usage(&response.usage);
    // Clients demand it, as they do the other number.
    if usage["input_tokens"].is_null() {
        usage["input_tokens"] = json!(0);
    }
    to_vec(&json!({
        "id": response.id.as_deref().unwrap_or("msg"),
        "type": "message",
        "role": "assistant",
        "model": response.model.as_deref().unwrap_or_default(),
        "content": content,
        "stop_reason": stop_reason(response.finish.as_ref()),
        "stop_sequence": null,
        "usage": usage,
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
        "output_tokens": usage.output.unwrap_or(0),
        "cost": usage.cost,
    }));
    if let Some(reasoning) = usage.reasoning {
        wire["output_tokens_details"] = json!({"thinking_tokens": reasoning});
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

#[cfg(test)]
mod tests {
    use super::*;

    /// The events as `start 0`, `{"x":`, `stop 0`.
    fn blocks(said: &[StreamEvent]) -> Vec<String> {
        let (mut encoder, mut out) = (MessageEncoder::new("m"), Vec::new());
        said.iter().for_each(|event| encoder.encode(event, &mut out));
        encoder.finish(&mut out);
        let text = String::from_utf8(out).expect("UTF-8");
        let data = text.lines().filter_map(|line| serde_json::from_str::<Value>(line.strip_prefix("data: ")?).ok());
        let told = data.filter_map(|data| {
            let index = data["index"].as_u64()?;
            Some(match data["type"].as_str()? {
                "content_block_start" => format!("start {index}"),
                "content_block_stop" => format!("stop {index}"),
                _ => data["delta"]["partial_json"].as_str()?.to_owned(),
            })
        });
        told.collect()
    }

    #[test]
    fn a_block_is_closed_when_all_its_arguments_have_come() {
        let start = |index: usize| StreamEvent::ToolCallStart { index, id: format!("t{index}"), name: "f".into() };
        let delta = |index, arguments: &str| StreamEvent::ToolCallDelta { index, arguments: arguments.into() };
        let one_by_one = [start(0), delta(0, "{\"x\":"), delta(0, "1}"), start(1), delta(1, "{}")];
        assert_eq!(blocks(&one_by_one), ["start 0", "{\"x\":", "1}", "stop 0", "start 1", "{}", "stop 1"]);
        let in_turns = [
            start(0),
            start(1),
            delta(1, "{\"y\":"),
            delta(0, "{\"x\":"),
            start(2),
            delta(0, "1}"),
            delta(1, "2}"),
            delta(2, "{}"),
        ];
        assert_eq!(
            blocks(&in_turns),
            ["start 0", "{\"x\":", "1}", "stop 0", "start 1", "{\"y\":", "2}", "stop 1", "start 2", "{}", "stop 2"]
        );
        let cut = [start(0), start(1), delta(1, "{\"y\"")];
        assert_eq!(blocks(&cut), ["start 0", "stop 0", "start 1", "{\"y\"", "stop 1"]);
    }
}
