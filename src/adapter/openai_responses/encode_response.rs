//! Unified events, responses and failures → responses, for servers.

use serde_json::{Value, json};

use super::encode_request::reasoning;
use crate::adapter::body::{filled, given, to_vec, write_event};
use crate::adapter::{Encoder, logprobs, openai};
use crate::chat::{FinishReason, Response, StreamEvent, TokenLogprob, Usage};
use crate::error::Failure;

/// Encodes one answer. Consecutive pieces of one kind make an item.
#[derive(Debug)]
pub(super) struct ResponseEncoder {
    /// The answer so far, without tool calls. Log-probabilities wait here for the text to which they belong.
    said: Response,
    created: u64,
    began: bool,
    /// The number of the next event.
    sequence: u64,
    /// The complete items by position; `null` for those that are not complete.
    items: Vec<Value>,
    open: Option<Open>,
    calls: Vec<Call>,
}

/// The item to which pieces of text are added.
#[derive(Debug)]
struct Open {
    is_thought: bool,
    place: usize,
    text: String,
    logprobs: Vec<TokenLogprob>,
    signature: Option<String>,
}

/// A tool call. It stays open until the end, because the pieces of several calls may alternate.
#[derive(Debug)]
struct Call {
    place: usize,
    id: String,
    name: String,
    arguments: String,
}

impl ResponseEncoder {
    pub(super) fn new(model: &str) -> Self {
        Self {
            said: Response { model: Some(model.to_owned()), ..Response::default() },
            created: openai::now(),
            began: false,
            sequence: 0,
            items: Vec::new(),
            open: None,
            calls: Vec::new(),
        }
    }

    fn event(&mut self, kind: &str, mut data: Value, out: &mut Vec<u8>) {
        data["type"] = kind.into();
        data["sequence_number"] = self.sequence.into();
        self.sequence += 1;
        write_event(Some(kind), &data, out);
    }

    fn begin(&mut self, out: &mut Vec<u8>) {
        if !self.began {
            self.began = true;
            for kind in ["response.created", "response.in_progress"] {
                let body = body(&self.said, self.created, "in_progress", Vec::new());
                self.event(kind, json!({"response": body}), out);
            }
        }
    }

    /// Begins an item. Returns its position.
    fn add(&mut self, item: Value, out: &mut Vec<u8>) -> usize {
        self.begin(out);
        let place = self.items.len();
        self.items.push(Value::Null);
        self.event("response.output_item.added", json!({"output_index": place, "item": item}), out);
        place
    }

    fn complete(&mut self, place: usize, item: Value, out: &mut Vec<u8>) {
        self.event("response.output_item.done", json!({"output_index": place, "item": &item}), out);
        self.items[place] = item;
    }

    /// Takes out the open item for text or reasoning, which is begun where another item is open. The caller puts it
    /// back.
    fn take_open(&mut self, is_thought: bool, out: &mut Vec<u8>) -> Open {
        if self.open.as_ref().is_some_and(|open| open.is_thought != is_thought) {
            self.close(out);
        }
        if let Some(open) = self.open.take() {
            return open;
        }
        let id = item_id(is_thought, self.items.len());
        let item = if is_thought { reasoning(Some(&id), "", None) } else { message(&id, None) };
        let place = self.add(item, out);
        let part = if is_thought { json!({"type": "summary_text", "text": ""}) } else { text_part("", &[]) };
        let kind = if is_thought { "response.reasoning_summary_part.added" } else { "response.content_part.added" };
        self.event(kind, at(&id, place, is_thought, json!({"part": part})), out);
        Open { is_thought, place, text: String::new(), logprobs: Vec::new(), signature: None }
    }

    fn piece(&mut self, is_thought: bool, text: &str, out: &mut Vec<u8>) {
        let mut open = self.take_open(is_thought, out);
        let kind = if is_thought { "response.reasoning_summary_text.delta" } else { "response.output_text.delta" };
        let mut data = at(&item_id(is_thought, open.place), open.place, is_thought, json!({"delta": text}));
        if !is_thought {
            let tokens = std::mem::take(&mut self.said.logprobs);
            data["logprobs"] = logprobs::openai(&tokens);
            open.logprobs.extend(tokens);
        }
        self.event(kind, data, out);
        open.text.push_str(text);
        self.open = Some(open);
    }

    fn close(&mut self, out: &mut Vec<u8>) {
        let Some(Open { is_thought, place, text, logprobs, signature }) = self.open.take() else { return };
        let id = item_id(is_thought, place);
        let (text_done, part_done) = if is_thought {
            ("response.reasoning_summary_text.done", "response.reasoning_summary_part.done")
        } else {
            ("response.output_text.done", "response.content_part.done")
        };
        let mut done = at(&id, place, is_thought, json!({"text": text}));
        if !is_thought {
            done["logprobs"] = logprobs::openai(&logprobs);
        }
        self.event(text_done, done, out);
        let part = if is_thought { json!({"type": "summary_text", "text": text}) } else { text_part(&text, &logprobs) };
        self.event(part_done, at(&id, place, is_thought, json!({"part": part})), out);
        let item = match is_thought {
            true => reasoning(Some(&id), &text, signature.as_deref()),
            false => message(&id, Some(text_part(&text, &logprobs))),
        };
        self.complete(place, item, out);
    }
}

impl Encoder for ResponseEncoder {
    fn follow(&mut self) {
        self.began = true;
    }

    fn encode(&mut self, event: &StreamEvent, out: &mut Vec<u8>) {
        match event {
            StreamEvent::Start { .. } => {
                self.said.apply(event);
                self.begin(out);
            }
            StreamEvent::Logprobs(_) | StreamEvent::Missing(_) | StreamEvent::Usage(_) | StreamEvent::Finish(_) => {
                self.said.apply(event);
            }
            StreamEvent::TextDelta(text) => self.piece(false, text, out),
            StreamEvent::ReasoningDelta(text) => self.piece(true, text, out),
            StreamEvent::ReasoningSignature(signature) => {
                let mut open = self.take_open(true, out);
                open.signature.get_or_insert_default().push_str(signature);
                self.open = Some(open);
            }
            StreamEvent::ToolCallStart { id, name, .. } => {
                self.close(out);
                let place = self.add(function_call(self.items.len(), id, name, ""), out);
                self.calls.push(Call { place, id: id.clone(), name: name.clone(), arguments: String::new() });
            }
            StreamEvent::ToolCallDelta { index, arguments } => {
                if let Some(call) = self.calls.get_mut(*index) {
                    call.arguments.push_str(arguments);
                    let place = call.place;
                    let data = json!({"item_id": call_item_id(place), "output_index": place, "delta": arguments});
                    self.event("response.function_call_arguments.delta", data, out);
                }
            }
        }
    }

    fn finish(&mut self, out: &mut Vec<u8>) {
        self.begin(out);
        // Log-probabilities that no text followed.
        if !self.said.logprobs.is_empty() {
            self.piece(false, "", out);
        }
        self.close(out);
        for Call { place, id, name, arguments } in std::mem::take(&mut self.calls) {
            let data = json!({"item_id": call_item_id(place), "output_index": place, "arguments": arguments});
            self.event("response.function_call_arguments.done", data, out);
            self.complete(place, function_call(place, &id, &name, &arguments), out);
        }
        let items = std::mem::take(&mut self.items);
        let status = status(self.said.finish.as_ref());
        let body = body(&self.said, self.created, status, items);
        self.event(&format!("response.{status}"), json!({"response": body}), out);
    }

    fn fail(&mut self, failure: &Failure, out: &mut Vec<u8>) {
        self.begin(out);
        let mut body = body(&self.said, self.created, "failed", Vec::new());
        let (kind, code) = openai::words(failure.kind);
        body["error"] = json!({"code": code.unwrap_or(kind), "message": failure.message});
        self.event("response.failed", json!({"response": body}), out);
    }
}

pub(super) fn whole(response: &Response) -> Vec<u8> {
    let mut items = Vec::new();
    let signature = response.reasoning_signature.as_deref();
    if !response.reasoning.is_empty() || signature.is_some() {
        items.push(reasoning(Some(&item_id(true, 0)), &response.reasoning, signature));
    }
    if !response.text.is_empty() || !response.logprobs.is_empty() {
        let text = text_part(&response.text, &response.logprobs);
        items.push(message(&item_id(false, items.len()), Some(text)));
    }
    for call in &response.tool_calls {
        items.push(function_call(items.len(), &call.id, &call.name, &call.arguments));
    }
    to_vec(&body(response, openai::now(), status(response.finish.as_ref()), items))
}

fn body(response: &Response, created: u64, status: &str, output: Vec<Value>) -> Value {
    let reason = match &response.finish {
        _ if status == COMPLETED => None,
        Some(FinishReason::Length) => Some("max_output_tokens"),
        Some(reason @ (FinishReason::ContentFilter | FinishReason::Other(_))) => Some(reason.as_str()),
        _ => None,
    };
    json!({
        "id": response.id.as_deref().unwrap_or("resp"),
        "object": "response",
        "created_at": created,
        "status": status,
        "model": response.model.as_deref().unwrap_or_default(),
        "output": output,
        "error": null,
        "incomplete_details": reason.map(|reason| json!({"reason": reason})),
        "usage": usage(&response.usage),
    })
}

const COMPLETED: &str = "completed";

/// The status of an answer.
fn status(finish: Option<&FinishReason>) -> &'static str {
    match finish {
        None | Some(FinishReason::Stop | FinishReason::ToolCalls) => COMPLETED,
        Some(FinishReason::Length | FinishReason::ContentFilter | FinishReason::Other(_)) => "incomplete",
    }
}

/// The position of a piece in the answer.
fn at(id: &str, place: usize, is_thought: bool, mut data: Value) -> Value {
    data["item_id"] = id.into();
    data["output_index"] = place.into();
    data[if is_thought { "summary_index" } else { "content_index" }] = 0.into();
    data
}

fn item_id(is_thought: bool, place: usize) -> String {
    format!("{}_{place}", if is_thought { "rs" } else { "msg" })
}

fn call_item_id(place: usize) -> String {
    format!("fc_{place}")
}

fn message(id: &str, text: Option<Value>) -> Value {
    let status = if text.is_some() { "completed" } else { "in_progress" };
    json!({"type": "message", "id": id, "role": "assistant", "status": status, "content": Vec::from_iter(text)})
}

fn text_part(text: &str, tokens: &[TokenLogprob]) -> Value {
    json!({"type": "output_text", "text": text, "annotations": [], "logprobs": logprobs::openai(tokens)})
}

fn function_call(place: usize, id: &str, name: &str, arguments: &str) -> Value {
    json!({"type": "function_call", "id": call_item_id(place), "call_id": id, "name": name, "arguments": arguments})
}

/// The usage, or `None` where nothing is known.
fn usage(usage: &Usage) -> Option<Value> {
    filled(given(json!({
        "input_tokens": usage.input,
        "input_tokens_details":
            filled(json!({"cached_tokens": usage.cache_read, "cache_write_tokens": usage.cache_write})),
        "output_tokens": usage.output,
        "output_tokens_details": filled(json!({"reasoning_tokens": usage.reasoning})),
        "total_tokens": usage.input.zip(usage.output).map(|(input, output)| input + output),
        "cost": usage.cost,
    })))
}
