//! Unified events, responses and failures → chat completions, for servers.

use serde::Serialize;
use serde_json::{Value, json};

use super::reasoning::Echo;
use crate::adapter::body::{filled, given, to_vec, write_event};
use crate::adapter::logprobs::OpenaiTokens;
use crate::adapter::{Encoder, openai};
use crate::chat::{FinishReason, Request, Response, StreamEvent, TokenLogprob, ToolCall, Usage};
use crate::error::Failure;

/// Encodes one answer. The finish reason and the usage are held back, because they come last in this format, in that
/// order.
#[derive(Debug)]
pub(super) struct ChatEncoder {
    id: String,
    model: String,
    /// Seconds since 1970.
    created: u64,
    began: bool,
    wants_usage: bool,
    /// The log-probabilities for the next chunk.
    logprobs: Vec<TokenLogprob>,
    usage: Usage,
    finish: Option<FinishReason>,
}

/// An answer, or a piece of one.
#[derive(Serialize)]
struct Body<'a> {
    id: &'a str,
    object: &'static str,
    created: u64,
    model: &'a str,
    choices: &'a [Choice<'a>],
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Value>,
}

#[derive(Serialize)]
struct Choice<'a> {
    index: u8,
    #[serde(flatten)]
    said: Said,
    finish_reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    logprobs: Option<Logprobs<'a>>,
}

/// What is said, under the name that it has in a stream or in one piece.
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Said {
    Delta(Value),
    Message(Value),
}

#[derive(Serialize)]
struct Logprobs<'a> {
    content: OpenaiTokens<'a>,
    refusal: Option<&'static str>,
}

impl<'a> Logprobs<'a> {
    /// `None` where there are none.
    fn new(tokens: &'a [TokenLogprob]) -> Option<Self> {
        (!tokens.is_empty()).then_some(Self { content: OpenaiTokens(tokens), refusal: None })
    }
}

impl ChatEncoder {
    pub(super) fn new(model: &str, request: &Request) -> Self {
        Self {
            id: "chatcmpl".into(),
            model: model.to_owned(),
            created: openai::now(),
            began: false,
            wants_usage: request.extra.get("stream_options").is_none_or(|options| options["include_usage"] == true),
            logprobs: Vec::new(),
            usage: Usage::default(),
            finish: None,
        }
    }

    fn delta(&mut self, delta: Value, out: &mut Vec<u8>) {
        self.begin(out);
        self.choice(delta, None, out);
    }

    /// Writes the role, which comes first and in a chunk of its own.
    fn begin(&mut self, out: &mut Vec<u8>) {
        if !self.began {
            self.began = true;
            self.choice(json!({"role": "assistant", "content": ""}), None, out);
        }
    }

    fn choice(&mut self, delta: Value, finish_reason: Option<&str>, out: &mut Vec<u8>) {
        let tokens = std::mem::take(&mut self.logprobs);
        let said = Said::Delta(given(delta));
        let choice = Choice { index: 0, said, finish_reason, logprobs: Logprobs::new(&tokens) };
        self.chunk(&[choice], None, out);
    }

    fn chunk(&self, choices: &[Choice<'_>], usage: Option<Value>, out: &mut Vec<u8>) {
        let object = "chat.completion.chunk";
        let chunk = Body { id: &self.id, object, created: self.created, model: &self.model, choices, usage };
        write_event(None, &chunk, out);
    }
}

impl Encoder for ChatEncoder {
    fn encode(&mut self, event: &StreamEvent, out: &mut Vec<u8>) {
        match event {
            StreamEvent::Start { id, model } => {
                if let Some(id) = id {
                    self.id.clone_from(id);
                }
                if let Some(model) = model {
                    self.model.clone_from(model);
                }
                self.begin(out);
            }
            StreamEvent::TextDelta(text) => self.delta(json!({"content": text}), out),
            StreamEvent::Logprobs(tokens) => self.logprobs.extend_from_slice(tokens),
            StreamEvent::ReasoningDelta(text) => self.delta(json!({"reasoning_content": text}), out),
            StreamEvent::ReasoningSignature(signature) => {
                let Echo { reasoning_details, extra_content, .. } = Echo::new("", Some(signature));
                self.delta(json!({"reasoning_details": reasoning_details, "extra_content": extra_content}), out);
            }
            StreamEvent::ToolCallStart { index, id, name } => {
                let function = json!({"name": name, "arguments": ""});
                let call = json!({"index": index, "id": id, "type": "function", "function": function});
                self.delta(json!({"tool_calls": [call]}), out);
            }
            StreamEvent::ToolCallDelta { index, arguments } => {
                self.delta(json!({"tool_calls": [{"index": index, "function": {"arguments": arguments}}]}), out);
            }
            // It is told as a failure.
            StreamEvent::Missing(_) => {}
            StreamEvent::Usage(usage) => self.usage.update(usage),
            StreamEvent::Finish(reason) => self.finish = Some(reason.clone()),
        }
    }

    fn finish(&mut self, out: &mut Vec<u8>) {
        self.begin(out);
        let finish = self.finish.take();
        self.choice(json!({}), Some(reason(finish.as_ref())), out);
        if self.wants_usage
            && let usage @ Some(_) = usage(&self.usage)
        {
            self.chunk(&[], usage, out);
        }
        out.extend_from_slice(b"data: [DONE]\n\n");
    }

    fn fail(&mut self, failure: &Failure, out: &mut Vec<u8>) {
        write_event(None, &openai::error(failure), out);
        out.extend_from_slice(b"data: [DONE]\n\n");
    }
}

pub(super) fn whole(response: &Response) -> Vec<u8> {
    let echo = Echo::new("", response.reasoning_signature.as_deref());
    let tool_call = |ToolCall { id, name, arguments }: &ToolCall| json!({"id": id, "type": "function", "function": {"name": name, "arguments": arguments}});
    let mut message = given(json!({
        "role": "assistant",
        "reasoning_content": Some(&response.reasoning).filter(|text| !text.is_empty()),
        "reasoning_details": echo.reasoning_details,
        "extra_content": echo.extra_content,
        "tool_calls": filled(response.tool_calls.iter().map(tool_call).collect()),
    }));
    let has_text = !response.text.is_empty() || response.tool_calls.is_empty();
    message["content"] = has_text.then_some(&*response.text).into();
    let choice = Choice {
        index: 0,
        said: Said::Message(message),
        finish_reason: Some(reason(response.finish.as_ref())),
        logprobs: Logprobs::new(&response.logprobs),
    };
    to_vec(&Body {
        id: response.id.as_deref().unwrap_or("chatcmpl"),
        object: "chat.completion",
        created: openai::now(),
        model: response.model.as_deref().unwrap_or_default(),
        choices: &[choice],
        usage: usage(&response.usage),
    })
}

fn reason(finish: Option<&FinishReason>) -> &str {
    finish.map_or("stop", FinishReason::as_str)
}

/// The usage, or `None` where nothing is known.
fn usage(usage: &Usage) -> Option<Value> {
    filled(json!({
        "prompt_tokens": usage.input,
        "completion_tokens": usage.output,
        "total_tokens": usage.input.zip(usage.output).map(|(input, output)| input + output),
        "prompt_tokens_details":
            filled(json!({"cached_tokens": usage.cache_read, "cache_write_tokens": usage.cache_write})),
        "completion_tokens_details": filled(json!({"reasoning_tokens": usage.reasoning})),
        "cost": usage.cost,
    }))
}
