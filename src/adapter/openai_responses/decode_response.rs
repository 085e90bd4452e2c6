//! Events of a stream, or a whole response, → events.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::wire::{Body, Event, Item, read_usage};
use crate::adapter::lenient::Text;
use crate::adapter::start::Start;
use crate::adapter::usage::{self, Surcharges};
use crate::adapter::{DecodeError, Decoder, Flow, logprobs, missing, signature, sse, tool_calls, verdict};
use crate::chat::{FinishReason, StreamEvent, Surcharge, Usage};

/// Decodes one answer.
#[derive(Debug, Default)]
pub(super) struct ResponseDecoder {
    start: Start,
    has_content: bool,
    /// The form in which reasoning comes. Some gateways send both the summary and the whole.
    thoughts: Option<Thoughts>,
    calls: Vec<Call>,
    /// Whether the encrypted form of a thought was told. Those of later ones are told with their texts, so that each keeps its own.
    has_signature: bool,
    surcharges: Surcharges,
    /// Whether a part of the answer was said to be cut.
    is_cut: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Thoughts {
    Summary,
    Whole,
}

#[derive(Debug)]
struct Call {
    output_index: Option<u64>,
    item_id: String,
    has_arguments: bool,
}

impl Decoder for ResponseDecoder {
    fn decode(&mut self, frame: &sse::Frame<'_>, events: &mut Vec<StreamEvent>) -> Result<Flow, DecodeError> {
        let event: Event<'_> = frame.json("one of a response")?;
        let kind = frame.kind(&event.kind);
        let failed = event.error.or_else(|| event.response.as_ref()?.error).is_some_and(|error| error.get() != "null");
        let before = events.len();
        match kind {
            "error" | "response.failed" => {
                self.end_failed(event.response, events);
                return Err(frame.failure());
            }
            _ if failed => {
                self.end_failed(event.response.or_else(|| frame.json("a response").ok()), events);
                return Err(frame.failure());
            }
            "" if &*event.object == "response" || event.output.is_some() => {
                self.end(frame.json("a response")?, events);
                return Ok(Flow::Done);
            }
            "response.completed" | "response.incomplete" | "response.cancelled" => {
                let mut body = event.response.unwrap_or_default();
                // The event says more than a body that contradicts it.
                if matches!(&*body.status, "" | "completed") {
                    body.status = Text(Cow::Borrowed(kind.trim_start_matches("response.")));
                }
                self.end(body, events);
                return Ok(Flow::Done);
            }
            "response.created" | "response.in_progress" | "response.queued" => self.begin(event.response, events),
            "response.output_item.added" => self.item_added(event.output_index, event.item, events),
            "response.output_item.done" => self.item_done(event.output_index, event.item, events),
            "response.output_text.delta" | "response.refusal.delta" => {
                tell_logprobs(event.logprobs, events);
                event.delta.tell(StreamEvent::TextDelta, events);
            }
            "response.reasoning_text.delta" => self.think(Thoughts::Whole, event.delta, events),
            "response.reasoning_summary_text.delta" => self.think(Thoughts::Summary, event.delta, events),
            "response.reasoning_summary_part.added" if event.summary_index.unwrap_or(0) > 0 => {
                self.think(Thoughts::Summary, Text(Cow::Borrowed("\n\n")), events);
            }
            "response.function_call_arguments.delta" => {
                self.arguments(event.output_index, &event.item_id, event.delta, events);
            }
            "response.function_call_arguments.done" => {
                self.all_arguments(event.output_index, &event.item_id, event.arguments, events);
            }
            // About fifty more types report parts that begin and end, and the vendor's own tools.
            _ => {}
        }
        self.has_content |= kind.ends_with(".delta") && events.len() > before;
        Ok(Flow::Continue)
    }
}

/// What is billed for an item besides its tokens. Vendors add tools that they run all the time, so the items that cost no more
/// are listed.
fn of_item(kind: &str) -> Option<Surcharge> {
    let is_free = matches!(
        kind,
        "" | "message"
            | "reasoning"
            | "compaction"
            | "function_call"
            | "custom_tool_call"
            | "computer_call"
            | "local_shell_call"
            | "apply_patch_call"
            | "tool_search_call"
            | "mcp_list_tools"
            | "mcp_approval_request"
            | "mcp_call"
    );
    (!is_free && !kind.ends_with("_output")).then_some(Surcharge::Parts)
}

/// What is shown of an item of reasoning.
fn thought(item: &Item<'_>) -> String {
    let is_whole = item.content.iter().any(|part| !part.text.is_empty());
    let (parts, between) = if is_whole { (&item.content, "") } else { (&item.summary, "\n\n") };
    parts.iter().map(|part| &*part.text).collect::<Vec<_>>().join(between)
}

fn tell_missing(item: &Item<'_>, events: &mut Vec<StreamEvent>) {
    let parts = item.content.iter().filter(|_| &*item.kind == "message");
    let missing = parts.filter_map(|part| missing::of_part(&part.kind)).chain(missing::of_item(&item.kind)).last();
    events.extend(missing.map(StreamEvent::Missing));
}

fn tell_logprobs(raw: Option<&RawValue>, events: &mut Vec<StreamEvent>) {
    logprobs::tell(raw.map(logprobs::read_openai).unwrap_or_default(), events);
}

impl ResponseDecoder {
    fn begin(&mut self, body: Option<Body<'_>>, events: &mut Vec<StreamEvent>) {
        if let Some(body) = body {
            self.start.take(&body.id, &body.model, events);
            // Of the answer, nothing has come that could be counted.
            let usage = body.usage.map(read_usage).map(|usage| Usage { output: None, reasoning: None, ..usage });
            events.extend(usage.filter(|usage| !usage.is_unknown()).map(StreamEvent::Usage));
        }
    }

    /// A response that failed may tell what came of it, and what it took.
    fn end_failed(&mut self, body: Option<Body<'_>>, events: &mut Vec<StreamEvent>) {
        if let Some(body) = body {
            self.start.take(&body.id, &body.model, events);
            self.output(body.output, &body.service_tier, events);
            events.extend(body.usage.map(read_usage).filter(|usage| !usage.is_unknown()).map(StreamEvent::Usage));
        }
    }

    /// Whether so many calls have come that the answer is given up. Each further one would be compared with all of them.
    fn are_too_many(&self) -> bool {
        tool_calls::bounded(self.calls.len()).is_err()
    }

    fn item_added(&mut self, index: Option<u64>, item: Option<Item<'_>>, events: &mut Vec<StreamEvent>) {
        let Some(item) = item.filter(|item| &*item.kind == "function_call" && !self.are_too_many()) else { return };
        let id = if item.call_id.is_empty() { item.id.clone() } else { item.call_id };
        let start = StreamEvent::ToolCallStart {
            index: self.calls.len(),
            id: id.0.into_owned(),
            name: item.name.0.into_owned(),
        };
        events.push(start);
        self.calls.push(Call { output_index: index, item_id: item.id.0.into_owned(), has_arguments: false });
    }

    fn item_done(&mut self, index: Option<u64>, item: Option<Item<'_>>, events: &mut Vec<StreamEvent>) {
        let Some(item) = item else { return };
        self.is_cut |= &*item.status == "incomplete";
        tell_missing(&item, events);
        self.surcharges.find(of_item(&item.kind), events);
        match &*item.kind {
            "function_call" if !self.are_too_many() => {
                let (id, arguments) = (item.id.clone(), item.arguments.clone());
                if self.find(index, &id).is_none() {
                    self.item_added(index, Some(item), events);
                }
                self.all_arguments(index, &id, arguments, events);
            }
            "reasoning" => self.sign(&item, events),
            _ => {}
        }
    }

    /// Reads an item that comes as a whole.
    fn whole_item(&mut self, index: usize, item: Item<'_>, events: &mut Vec<StreamEvent>) {
        match &*item.kind {
            "message" => {
                for part in item.content {
                    tell_logprobs(part.logprobs, events);
                    part.text.tell(StreamEvent::TextDelta, events);
                    part.refusal.tell(StreamEvent::TextDelta, events);
                }
            }
            "reasoning" => {
                Text(thought(&item).into()).tell(StreamEvent::ReasoningDelta, events);
                self.sign(&item, events);
            }
            "function_call" => self.item_done(Some(index as u64), Some(item), events),
            _ => {}
        }
    }

    /// Tells the encrypted form of a thought.
    fn sign(&mut self, item: &Item<'_>, events: &mut Vec<StreamEvent>) {
        let encrypted = &*item.encrypted_content;
        if encrypted.is_empty() {
            return;
        }
        let signed = match std::mem::replace(&mut self.has_signature, true) {
            false => Some(encrypted.to_owned()),
            true => signature::join("", vec![signature::further(&thought(item), encrypted)]),
        };
        events.extend(signed.map(StreamEvent::ReasoningSignature));
    }

    fn think(&mut self, form: Thoughts, text: Text<'_>, events: &mut Vec<StreamEvent>) {
        if *self.thoughts.get_or_insert(form) == form {
            text.tell(StreamEvent::ReasoningDelta, events);
        }
    }

    fn arguments(&mut self, index: Option<u64>, item_id: &str, piece: Text<'_>, events: &mut Vec<StreamEvent>) {
        let Some(index) = self.find(index, item_id) else { return };
        self.calls[index].has_arguments = true;
        piece.tell(|arguments| StreamEvent::ToolCallDelta { index, arguments }, events);
    }

    /// Reads the whole arguments of a call, which are new only where they did not come in pieces.
    fn all_arguments(&mut self, index: Option<u64>, item_id: &str, all: Text<'_>, events: &mut Vec<StreamEvent>) {
        if let Some(call) = self.find(index, item_id)
            && !self.calls[call].has_arguments
            && !all.is_empty()
        {
            self.arguments(index, item_id, all, events);
        }
    }

    fn find(&self, index: Option<u64>, item_id: &str) -> Option<usize> {
        let is_it = |call: &Call| match (index, call.output_index) {
            (Some(index), Some(known)) => index == known,
            _ => call.item_id == item_id,
        };
        self.calls.iter().position(is_it)
    }

    /// Reads all items of a response. Their words are new only where they did not come in pieces.
    fn output(&mut self, output: Vec<Item<'_>>, service_tier: &str, events: &mut Vec<StreamEvent>) {
        output.iter().for_each(|item| tell_missing(item, events));
        self.is_cut |= output.iter().any(|item| &*item.status == "incomplete");
        let surcharge = output.iter().map(|item| of_item(&item.kind)).max().flatten();
        self.surcharges.find(surcharge.max(usage::of_tier(service_tier)), events);
        if !self.has_content {
            for (index, item) in output.into_iter().enumerate() {
                self.whole_item(index, item, events);
            }
        }
    }

    fn end(&mut self, body: Body<'_>, events: &mut Vec<StreamEvent>) {
        let Body { id, model, status, output, usage, service_tier, incomplete_details, .. } = body;
        self.start.take(&id, &model, events);
        // A body that holds neither an answer nor a word of how it ended is none.
        let is_nothing = status.is_empty() && output.is_empty() && !self.has_content;
        self.output(output, &service_tier, events);
        events.extend(usage.map(read_usage).filter(|usage| !usage.is_unknown()).map(StreamEvent::Usage));
        let reason = incomplete_details.unwrap_or_default().reason;
        if is_nothing && reason.is_empty() {
            return;
        }
        let reason = match (&*reason, &*status) {
            ("max_output_tokens" | "max_tokens", _) => FinishReason::Length,
            ("content_filter", _) => FinishReason::ContentFilter,
            ("", "completed" | "") if self.is_cut => FinishReason::Length,
            ("", "completed" | "") if self.calls.is_empty() => FinishReason::Stop,
            ("", "completed" | "") => FinishReason::ToolCalls,
            // Queued, in progress, cancelled: the answer has not begun, or will not go on.
            ("", status) => FinishReason::other(status),
            (other, "completed" | "") => FinishReason::other(other),
            // That it is incomplete is told, whatever the reason is called.
            (other, _) if verdict::sounds_cut(other) => FinishReason::other(other),
            (other, status) => FinishReason::other(&format!("{status}: {other}")),
        };
        events.push(StreamEvent::Finish(reason));
    }
}
