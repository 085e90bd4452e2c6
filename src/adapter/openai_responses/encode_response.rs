//! Unified events, responses and failures → responses, for servers.

use serde_json::{Value, json};

use super::encode_request::reasoning;
use super::written::{At, Body, COMPLETED, Delta, Done, Events, Item, Message, Part, Text, Whole, WholeText};
use crate::adapter::body::{filled, given, to_vec};
use crate::adapter::logprobs::OpenaiTokens;
use crate::adapter::{Encoder, openai};
use crate::chat::{FinishReason, Response, StreamEvent, TokenLogprob, Usage};
use crate::error::Failure;

/// Encodes one answer. Consecutive pieces of one kind make an item.
#[derive(Debug)]
pub(super) struct ResponseEncoder {
    /// The answer so far, without tool calls. Log-probabilities wait here for the text to which they belong.
    said: Response,
    created: u64,
    began: bool,
    events: Events,
    /// The complete items by position; `None` for those that are not complete.
    items: Vec<Option<Item<'static>>>,
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
            events: Events::default(),
            items: Vec::new(),
            open: None,
            calls: Vec::new(),
        }
    }

    fn begin(&mut self, out: &mut Vec<u8>) {
        if !self.began {
            self.began = true;
            for kind in ["response.created", "response.in_progress"] {
                let body = body(&self.said, self.created, "in_progress", Vec::new());
                self.events.write(kind, Whole { response: body }, out);
            }
        }
    }

    /// Begins an item. Returns its position.
    fn add(&mut self, item: Value, out: &mut Vec<u8>) -> usize {
        self.begin(out);
        let place = self.items.len();
        self.items.push(None);
        self.events.write("response.output_item.added", json!({"output_index": place, "item": item}), out);
        place
    }

    fn complete(&mut self, place: usize, item: Item<'static>, out: &mut Vec<u8>) {
        self.events.write("response.output_item.done", Done { output_index: place, item: &item }, out);
        self.items[place] = Some(item);
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
        let place = if is_thought {
            let place = self.add(reasoning(Some(&id), "", None), out);
            let part = Part { part: json!({"type": "summary_text", "text": ""}) };
            self.events.write("response.reasoning_summary_part.added", At::new(true, &id, place, part), out);
            place
        } else {
            let empty =
                json!({"type": "message", "id": id, "role": "assistant", "status": "in_progress", "content": []});
            let place = self.add(empty, out);
            let part = Part { part: Text::new("", Vec::new()) };
            self.events.write("response.content_part.added", At::new(false, &id, place, part), out);
            place
        };
        Open { is_thought, place, text: String::new(), logprobs: Vec::new(), signature: None }
    }

    fn piece(&mut self, is_thought: bool, text: &str, out: &mut Vec<u8>) {
        let mut open = self.take_open(is_thought, out);
        let kind = if is_thought { "response.reasoning_summary_text.delta" } else { "response.output_text.delta" };
        let tokens = if is_thought { Vec::new() } else { std::mem::take(&mut self.said.logprobs) };
        let delta = Delta { delta: text, logprobs: (!is_thought).then_some(OpenaiTokens(&tokens)) };
        self.events.write(kind, At::new(is_thought, &item_id(is_thought, open.place), open.place, delta), out);
        open.logprobs.extend(tokens);
        open.text.push_str(text);
        self.open = Some(open);
    }

    fn close(&mut self, out: &mut Vec<u8>) {
        let Some(Open { is_thought, place, text, logprobs, signature }) = self.open.take() else { return };
        let id = item_id(is_thought, place);
        if is_thought {
            self.events.write(
                "response.reasoning_summary_text.done",
                At::new(true, &id, place, json!({"text": text})),
                out,
            );
            let part = Part { part: json!({"type": "summary_text", "text": text}) };
            self.events.write("response.reasoning_summary_part.done", At::new(true, &id, place, part), out);
            self.complete(place, Item::Other(reasoning(Some(&id), &text, signature.as_deref())), out);
            return;
        }
        let whole = WholeText { text: &text, logprobs: OpenaiTokens(&logprobs) };
        self.events.write("response.output_text.done", At::new(false, &id, place, whole), out);
        let text = Text::new(text, logprobs);
        self.events.write("response.content_part.done", At::new(false, &id, place, Part { part: &text }), out);
        self.complete(place, Item::Message(Message::new(id, text)), out);
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
                    self.events.write("response.function_call_arguments.delta", data, out);
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
            self.events.write("response.function_call_arguments.done", data, out);
            self.complete(place, Item::Other(function_call(place, &id, &name, &arguments)), out);
        }
        let items = self.items.drain(..).flatten().collect();
        let status = status(self.said.finish.as_ref());
        let response = body(&self.said, self.created, status, items);
        self.events.write(&format!("response.{status}"), Whole { response }, out);
    }

    fn fail(&mut self, failure: &Failure, out: &mut Vec<u8>) {
        self.begin(out);
        let mut body = body(&self.said, self.created, "failed", Vec::new());
        let (kind, code) = openai::words(failure.kind);
        body.error = Some(json!({"code": code.unwrap_or(kind), "message": failure.message}));
        self.events.write("response.failed", Whole { response: body }, out);
    }
}

pub(super) fn whole(response: &Response) -> Vec<u8> {
    let mut items = Vec::new();
    let signature = response.reasoning_signature.as_deref();
    if !response.reasoning.is_empty() || signature.is_some() {
        items.push(Item::Other(reasoning(Some(&item_id(true, 0)), &response.reasoning, signature)));
    }
    if !response.text.is_empty() || !response.logprobs.is_empty() {
        let text = Text::new(&response.text, &response.logprobs);
        items.push(Item::Message(Message::new(item_id(false, items.len()), text)));
    }
    for call in &response.tool_calls {
        items.push(Item::Other(function_call(items.len(), &call.id, &call.name, &call.arguments)));
    }
    to_vec(&body(response, openai::now(), status(response.finish.as_ref()), items))
}

fn body<'a>(response: &'a Response, created: u64, status: &'a str, output: Vec<Item<'a>>) -> Body<'a> {
    let reason = match &response.finish {
        _ if status == COMPLETED => None,
        Some(FinishReason::Length) => Some("max_output_tokens"),
        Some(reason @ (FinishReason::ContentFilter | FinishReason::Other(_))) => Some(reason.as_str()),
        _ => None,
    };
    Body {
        id: response.id.as_deref().unwrap_or("resp"),
        object: "response",
        created_at: created,
        status,
        model: response.model.as_deref().unwrap_or_default(),
        output,
        error: None,
        incomplete_details: reason.map(|reason| json!({"reason": reason})),
        usage: usage(&response.usage),
    }
}

/// The status of an answer.
fn status(finish: Option<&FinishReason>) -> &'static str {
    match finish {
        None | Some(FinishReason::Stop | FinishReason::ToolCalls) => COMPLETED,
        Some(FinishReason::Length | FinishReason::ContentFilter | FinishReason::Other(_)) => "incomplete",
    }
}

fn item_id(is_thought: bool, place: usize) -> String {
    format!("{}_{place}", if is_thought { "rs" } else { "msg" })
}

fn call_item_id(place: usize) -> String {
    format!("fc_{place}")
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
