//! Unified events, responses and failures → chat completions, for servers.

use std::time::SystemTime;

use serde::Serialize;
use serde_json::{Value, json};

use super::reasoning::Echo;
use crate::adapter::{Encoder, body};
use crate::chat::{FinishReason, Request, Response, StreamEvent, Usage};
use crate::error::{Failure, FailureKind};
use crate::money::Usd;

#[derive(Debug, Serialize)]
struct Chunk<'a> {
    id: &'a str,
    object: &'static str,
    /// Seconds since 1970.
    created: u64,
    model: &'a str,
    choices: &'a [Choice<'a>],
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<WireUsage>,
}

#[derive(Debug, Serialize)]
struct Choice<'a> {
    index: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    delta: Option<Delta<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<Delta<'a>>,
    finish_reason: Option<&'a str>,
}

#[derive(Debug, Default, Serialize)]
struct Delta<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_content: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_details: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    extra_content: Option<Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<Call<'a>>,
}

#[derive(Debug, Serialize)]
struct Call<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    index: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    function: Function<'a>,
}

#[derive(Debug, Serialize)]
struct Function<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    arguments: &'a str,
}

#[derive(Debug, Serialize)]
struct WireUsage {
    /// OpenAI's clients want the three numbers; an unknown one is 0 here for want of a better word.
    prompt_tokens: u64,
    completion_tokens: u64,
    total_tokens: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt_tokens_details: Option<PromptDetails>,
    #[serde(skip_serializing_if = "Option::is_none")]
    completion_tokens_details: Option<CompletionDetails>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cost: Option<Usd>,
}

#[derive(Debug, Serialize)]
struct PromptDetails {
    #[serde(skip_serializing_if = "Option::is_none")]
    cached_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_write_tokens: Option<u64>,
}

#[derive(Debug, Serialize)]
struct CompletionDetails {
    reasoning_tokens: u64,
}

impl WireUsage {
    /// `None` where nothing is known: then nothing is said.
    fn new(usage: &Usage) -> Option<Self> {
        if usage.is_unknown() {
            return None;
        }
        let (prompt, completion) = (usage.input.unwrap_or(0), usage.output.unwrap_or(0));
        let has_cache = usage.cache_read.or(usage.cache_write).is_some();
        Some(Self {
            prompt_tokens: prompt,
            completion_tokens: completion,
            total_tokens: prompt + completion,
            prompt_tokens_details: has_cache
                .then_some(PromptDetails { cached_tokens: usage.cache_read, cache_write_tokens: usage.cache_write }),
            completion_tokens_details: usage.reasoning.map(|reasoning_tokens| CompletionDetails { reasoning_tokens }),
            cost: usage.cost,
        })
    }
}

/// Encodes one answer. Reason and usage are held back to the end: here they come last, in that order.
#[derive(Debug)]
pub(super) struct ChatEncoder {
    id: String,
    model: String,
    created: u64,
    began: bool,
    wants_usage: bool,
    usage: Usage,
    finish: Option<FinishReason>,
}

impl ChatEncoder {
    pub(super) fn new(request: &Request) -> Self {
        Self {
            id: "chatcmpl".into(),
            model: request.model.clone(),
            created: now(),
            began: false,
            wants_usage: request.extra.get("stream_options").is_none_or(|options| options["include_usage"] == true),
            usage: Usage::default(),
            finish: None,
        }
    }

    fn delta(&mut self, delta: Delta<'_>, out: &mut Vec<u8>) {
        self.begin(out);
        self.choice(Choice { index: 0, delta: Some(delta), message: None, finish_reason: None }, out);
    }

    /// The role comes first, in a chunk of its own.
    fn begin(&mut self, out: &mut Vec<u8>) {
        if !self.began {
            self.began = true;
            let delta = Delta { role: Some("assistant"), content: Some(""), ..Delta::default() };
            self.choice(Choice { index: 0, delta: Some(delta), message: None, finish_reason: None }, out);
        }
    }

    fn choice(&self, choice: Choice<'_>, out: &mut Vec<u8>) {
        self.chunk(&[choice], None, out);
    }

    fn chunk(&self, choices: &[Choice<'_>], usage: Option<WireUsage>, out: &mut Vec<u8>) {
        let object = "chat.completion.chunk";
        data(&Chunk { id: &self.id, object, created: self.created, model: &self.model, choices, usage }, out);
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
            StreamEvent::TextDelta(text) => self.delta(Delta { content: Some(text), ..Delta::default() }, out),
            StreamEvent::ReasoningDelta(text) => {
                self.delta(Delta { reasoning_content: Some(text), ..Delta::default() }, out);
            }
            StreamEvent::ReasoningSignature(signature) => {
                let Echo { reasoning_details, extra_content, .. } = Echo::new("", Some(signature));
                self.delta(Delta { reasoning_details, extra_content, ..Delta::default() }, out);
            }
            StreamEvent::ToolCallStart { index, id, name } => {
                let function = Function { name: Some(name), arguments: "" };
                let call = Call { index: Some(*index), id: Some(id), kind: Some("function"), function };
                self.delta(Delta { tool_calls: vec![call], ..Delta::default() }, out);
            }
            StreamEvent::ToolCallDelta { index, arguments } => {
                let function = Function { name: None, arguments };
                let call = Call { index: Some(*index), id: None, kind: None, function };
                self.delta(Delta { tool_calls: vec![call], ..Delta::default() }, out);
            }
            StreamEvent::Usage(usage) => self.usage.update(usage),
            StreamEvent::Finish(reason) => self.finish = Some(reason.clone()),
        }
    }

    fn finish(&mut self, out: &mut Vec<u8>) {
        self.begin(out);
        let reason = self.finish.as_ref().map_or("stop", FinishReason::as_str);
        let delta = Some(Delta::default());
        self.choice(Choice { index: 0, delta, message: None, finish_reason: Some(reason) }, out);
        if self.wants_usage
            && let usage @ Some(_) = WireUsage::new(&self.usage)
        {
            self.chunk(&[], usage, out);
        }
        out.extend_from_slice(b"data: [DONE]\n\n");
    }

    fn fail(&mut self, failure: &Failure, out: &mut Vec<u8>) {
        data(&error_value(failure), out);
        out.extend_from_slice(b"data: [DONE]\n\n");
    }
}

fn data(value: &impl Serialize, out: &mut Vec<u8>) {
    out.extend_from_slice(b"data: ");
    out.extend_from_slice(&body::to_vec(value));
    out.extend_from_slice(b"\n\n");
}

pub(super) fn whole(response: &Response) -> Vec<u8> {
    let echo = Echo::new("", response.reasoning_signature.as_deref());
    let has_text = !response.text.is_empty() || response.tool_calls.is_empty();
    let tool_calls = response.tool_calls.iter().map(|call| Call {
        index: None,
        id: Some(&call.id),
        kind: Some("function"),
        function: Function { name: Some(&call.name), arguments: &call.arguments },
    });
    let message = Delta {
        role: Some("assistant"),
        content: has_text.then_some(&response.text),
        reasoning_content: (!response.reasoning.is_empty()).then_some(&response.reasoning),
        reasoning_details: echo.reasoning_details,
        extra_content: echo.extra_content,
        tool_calls: tool_calls.collect(),
    };
    let reason = response.finish.as_ref().map_or("stop", FinishReason::as_str);
    body::to_vec(&Chunk {
        id: response.id.as_deref().unwrap_or("chatcmpl"),
        object: "chat.completion",
        created: now(),
        model: response.model.as_deref().unwrap_or_default(),
        choices: &[Choice { index: 0, delta: None, message: Some(message), finish_reason: Some(reason) }],
        usage: WireUsage::new(&response.usage),
    })
}

pub(super) fn error(failure: &Failure) -> Vec<u8> {
    body::to_vec(&error_value(failure))
}

/// The words are OpenAI's where it has one for the kind.
pub(in crate::adapter) fn error_value(failure: &Failure) -> Value {
    let (kind, code) = match failure.kind {
        FailureKind::Auth | FailureKind::NoKey => ("authentication_error", Some("invalid_api_key")),
        FailureKind::Credits => ("insufficient_quota", Some("insufficient_quota")),
        FailureKind::NotFound => ("invalid_request_error", Some("model_not_found")),
        FailureKind::InvalidRequest => ("invalid_request_error", None),
        FailureKind::ContextLength => ("invalid_request_error", Some("context_length_exceeded")),
        FailureKind::ContentFilter => ("invalid_request_error", Some("content_filter")),
        FailureKind::RateLimited => ("rate_limit_error", Some("rate_limit_exceeded")),
        FailureKind::Unavailable => ("overloaded_error", Some("unavailable")),
        FailureKind::Timeout => ("timeout_error", Some("timeout")),
        kind => ("api_error", Some(kind.as_str())),
    };
    json!({"error": {"message": failure.message, "type": kind, "param": failure.param, "code": code}})
}

fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_secs())
}
