//! Unified events, responses and failures → generated content, for servers.

use serde::Serialize;
use serde_json::{Value, json};

use crate::adapter::body::{arguments_value, filled, given, to_vec, write_event};
use crate::adapter::logprobs::GeminiTokens;
use crate::adapter::{Encoder, openai};
use crate::chat::{FinishReason, Response, StreamEvent, ToolCall, Usage};
use crate::error::{Failure, FailureKind};

/// Encodes one answer. Function calls are written whole in this format, so that they are held back to the end.
#[derive(Debug)]
pub(super) struct ContentEncoder {
    /// The parts that are not written yet, and the fields that every piece repeats.
    said: Response,
    form: Form,
}

/// The form of a stream.
#[derive(Debug)]
enum Form {
    Events,
    /// One JSON list with an item for each piece.
    List {
        began: bool,
    },
}

fn asks_for_events(path: &str) -> bool {
    path.split_once('?').is_some_and(|(_, query)| query.split('&').any(|field| field == "alt=sse"))
}

/// Whether what is at this path is one JSON list: a stream for which no events are asked.
pub(in crate::adapter) fn is_list(path: &str) -> bool {
    let method = path.split('?').next().and_then(|path| path.rsplit_once(':')).map(|(_, method)| method);
    method == Some("streamGenerateContent") && !asks_for_events(path)
}

impl ContentEncoder {
    /// The encoder of a stream, which consists of events where the query asks for them.
    pub(super) fn new(path: &str, model: &str) -> Self {
        let form = if asks_for_events(path) { Form::Events } else { Form::List { began: false } };
        Self { said: Response { model: Some(model.to_owned()), ..Response::default() }, form }
    }

    fn part(&mut self, part: Value, out: &mut Vec<u8>) {
        self.form.write(&piece(&self.said, vec![part], None), out);
        self.said.logprobs.clear();
    }
}

impl Form {
    fn write(&mut self, piece: &impl Serialize, out: &mut Vec<u8>) {
        match self {
            Self::Events => write_event(None, piece, out),
            Self::List { began } => {
                out.extend_from_slice(if std::mem::replace(began, true) { b",\r\n" } else { b"[" });
                out.extend_from_slice(&to_vec(piece));
            }
        }
    }

    fn close(&self, out: &mut Vec<u8>) {
        if let Self::List { .. } = self {
            out.extend_from_slice(b"]\n");
        }
    }
}

impl Encoder for ContentEncoder {
    fn content_type(&self) -> &'static str {
        match self.form {
            Form::Events => "text/event-stream",
            Form::List { .. } => "application/json",
        }
    }

    fn follow(&mut self) {
        if let Form::List { began } = &mut self.form {
            *began = true;
        }
    }

    fn encode(&mut self, event: &StreamEvent, out: &mut Vec<u8>) {
        match event {
            StreamEvent::TextDelta(text) => self.part(json!({"text": text}), out),
            StreamEvent::ReasoningDelta(text) => self.part(json!({"text": text, "thought": true}), out),
            StreamEvent::ReasoningSignature(signature) => self.part(signed(signature), out),
            StreamEvent::Start { .. }
            | StreamEvent::Logprobs(_)
            | StreamEvent::ToolCallStart { .. }
            | StreamEvent::ToolCallDelta { .. }
            | StreamEvent::Missing(_)
            | StreamEvent::Usage(_)
            | StreamEvent::Finish(_) => self.said.apply(event),
        }
    }

    fn finish(&mut self, out: &mut Vec<u8>) {
        let mut parts: Vec<_> = self.said.tool_calls.iter().map(function_call).collect();
        if parts.is_empty() {
            parts.push(json!({"text": ""}));
        }
        let last = piece(&self.said, parts, Some(finish_reason(self.said.finish.as_ref())));
        self.form.write(&last, out);
        self.form.close(out);
    }

    fn fail(&mut self, failure: &Failure, out: &mut Vec<u8>) {
        self.form.write(&error(failure), out);
        self.form.close(out);
    }
}

pub(super) fn whole(response: &Response) -> Vec<u8> {
    let mut parts = Vec::new();
    if !response.reasoning.is_empty() {
        parts.push(json!({"text": response.reasoning, "thought": true}));
    }
    parts.extend(response.reasoning_signature.as_deref().map(signed));
    if !response.text.is_empty() {
        parts.push(json!({"text": response.text}));
    }
    parts.extend(response.tool_calls.iter().map(function_call));
    to_vec(&piece(response, parts, Some(finish_reason(response.finish.as_ref()))))
}

/// A piece of the answer. The last one has the finish reason and the usage.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Piece<'a> {
    candidates: [Candidate<'a>; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    usage_metadata: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    model_version: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_id: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Candidate<'a> {
    index: u8,
    content: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    logprobs_result: Option<GeminiTokens<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    finish_reason: Option<&'a str>,
}

fn piece<'a>(response: &'a Response, parts: Vec<Value>, reason: Option<&'a str>) -> Piece<'a> {
    let candidate = Candidate {
        index: 0,
        content: json!({"role": "model", "parts": parts}),
        logprobs_result: GeminiTokens::new(&response.logprobs),
        finish_reason: reason,
    };
    Piece {
        candidates: [candidate],
        usage_metadata: reason.and_then(|_| usage(&response.usage)),
        model_version: response.model.as_deref(),
        response_id: response.id.as_deref(),
    }
}

fn signed(signature: &str) -> Value {
    json!({"text": "", "thought": true, "thoughtSignature": signature})
}

fn function_call(ToolCall { id, name, arguments }: &ToolCall) -> Value {
    json!({"functionCall": {"id": id, "name": name, "args": arguments_value(arguments)}})
}

fn finish_reason(finish: Option<&FinishReason>) -> &str {
    match finish {
        None | Some(FinishReason::Stop | FinishReason::ToolCalls) => "STOP",
        Some(FinishReason::Length) => "MAX_TOKENS",
        Some(FinishReason::ContentFilter) => "SAFETY",
        Some(FinishReason::Other(other)) => other,
    }
}

/// The usage, or `None` where nothing is known. The format has no fields for costs and for tokens that were written to
/// a cache.
fn usage(usage: &Usage) -> Option<Value> {
    filled(json!({
        "promptTokenCount": usage.input,
        "cachedContentTokenCount": usage.cache_read,
        "candidatesTokenCount": usage.output.map(|output| output.saturating_sub(usage.reasoning.unwrap_or(0))),
        "thoughtsTokenCount": usage.reasoning,
        "totalTokenCount": usage.input.zip(usage.output).map(|(input, output)| input + output),
    }))
}

pub(super) fn error(failure: &Failure) -> Value {
    let (code, status) = match failure.kind {
        FailureKind::Auth | FailureKind::NoKey => (401, "UNAUTHENTICATED"),
        FailureKind::Credits => (402, "FAILED_PRECONDITION"),
        FailureKind::NotFound => (404, "NOT_FOUND"),
        FailureKind::InvalidRequest | FailureKind::ContextLength | FailureKind::ContentFilter => {
            (400, "INVALID_ARGUMENT")
        }
        FailureKind::RateLimited => (429, "RESOURCE_EXHAUSTED"),
        FailureKind::Unavailable => (503, "UNAVAILABLE"),
        FailureKind::Timeout => (504, "DEADLINE_EXCEEDED"),
        _ => (500, "INTERNAL"),
    };
    let (_, word) = openai::words(failure.kind);
    let details =
        word.map(|word| json!([{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": word.to_uppercase()}]));
    json!({"error": given(json!({"code": code, "message": failure.message, "status": status, "details": details}))})
}
