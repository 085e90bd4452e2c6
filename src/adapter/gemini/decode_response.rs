//! Pieces of a stream, or a whole answer, which have the same form, → events.

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use crate::adapter::lenient::{Count, Text, list, list_or_null, maybe, whole};
use crate::adapter::start::Start;
use crate::adapter::usage::Surcharges;
use crate::adapter::{DecodeError, Decoder, Flow, logprobs, missing, signature, sse, tool_calls, usage, verdict};
use crate::chat::{FinishReason, StreamEvent, Surcharge, Usage};

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Piece<'a> {
    #[serde(borrow)]
    response_id: Text<'a>,
    #[serde(borrow)]
    model_version: Text<'a>,
    #[serde(borrow, deserialize_with = "list_or_null")]
    candidates: Vec<Candidate<'a>>,
    #[serde(borrow, deserialize_with = "maybe")]
    prompt_feedback: Option<Feedback<'a>>,
    #[serde(borrow)]
    usage_metadata: Option<&'a RawValue>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Feedback<'a> {
    #[serde(borrow)]
    block_reason: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Candidate<'a> {
    #[serde(deserialize_with = "whole")]
    index: Option<u64>,
    #[serde(borrow)]
    content: Option<Content<'a>>,
    #[serde(borrow)]
    logprobs_result: Option<&'a RawValue>,
    #[serde(borrow, deserialize_with = "maybe")]
    grounding_metadata: Option<Grounding<'a>>,
    #[serde(borrow)]
    finish_reason: Text<'a>,
}

/// What was searched for the answer.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Grounding<'a> {
    #[serde(borrow, deserialize_with = "list")]
    web_search_queries: Vec<&'a RawValue>,
    #[serde(borrow, deserialize_with = "list")]
    image_search_queries: Vec<&'a RawValue>,
    #[serde(borrow)]
    search_entry_point: Option<&'a RawValue>,
    #[serde(borrow)]
    google_maps_widget_context_token: Option<&'a RawValue>,
    #[serde(borrow, deserialize_with = "list")]
    grounding_chunks: Vec<Found<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Found<'a> {
    /// From maps. What was found in files of the user or at an address of the prompt costs its tokens alone.
    #[serde(borrow)]
    maps: Option<&'a RawValue>,
}

impl Grounding<'_> {
    /// Whether the web or maps were searched, which has a price for each request.
    fn is_billed(&self) -> bool {
        !(self.web_search_queries.is_empty() && self.image_search_queries.is_empty())
            || self.search_entry_point.or(self.google_maps_widget_context_token).is_some()
            || self.grounding_chunks.iter().any(|found| found.maps.is_some())
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Content<'a> {
    #[serde(borrow, deserialize_with = "list_or_null")]
    parts: Vec<Part<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Part<'a> {
    /// `None` in parts of other kinds, such as those of the vendor's own tools.
    #[serde(borrow)]
    text: Option<Text<'a>>,
    #[serde(deserialize_with = "maybe")]
    thought: Option<bool>,
    #[serde(borrow)]
    thought_signature: Text<'a>,
    #[serde(borrow, deserialize_with = "maybe")]
    function_call: Option<FunctionCall<'a>>,
    #[serde(borrow, alias = "inline_data", alias = "fileData", alias = "file_data", deserialize_with = "maybe")]
    inline_data: Option<Media<'a>>,
}

/// A picture, a recording, or another file, whether its content is here or at an address.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Media<'a> {
    #[serde(borrow, rename = "mimeType", alias = "mime_type")]
    mime_type: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct FunctionCall<'a> {
    #[serde(borrow)]
    id: Text<'a>,
    #[serde(borrow)]
    name: Text<'a>,
    #[serde(borrow)]
    args: Option<&'a RawValue>,
    /// Arguments in pieces, each with the path at which it belongs. They come only if a client asks for them.
    #[serde(rename = "partialArgs", alias = "partial_args")]
    partial_args: Option<IgnoredAny>,
    #[serde(rename = "willContinue", alias = "will_continue", deserialize_with = "maybe")]
    will_continue: Option<bool>,
}

impl FunctionCall<'_> {
    /// Whether it is a piece of a call, or the end of one that came in pieces.
    fn is_piece(&self) -> bool {
        let is_end = self.name.is_empty() && self.args.is_none();
        self.partial_args.is_some() || self.will_continue == Some(true) || is_end
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct WireUsage {
    prompt_token_count: Count,
    tool_use_prompt_token_count: Count,
    cached_content_token_count: Count,
    candidates_token_count: Count,
    thoughts_token_count: Count,
    total_token_count: Count,
}

/// Decodes one answer; only its first candidate is read.
#[derive(Debug, Default)]
pub(super) struct ContentDecoder {
    start: Start,
    calls: usize,
    /// Whether a signature was reported, and one of a call. Several parts may have one; the first must come back, and that of
    /// the first call.
    signed: bool,
    signed_call: bool,
    surcharges: Surcharges,
}

impl Decoder for ContentDecoder {
    fn decode(&mut self, frame: &sse::Frame<'_>, events: &mut Vec<StreamEvent>) -> Result<Flow, DecodeError> {
        let piece: Piece<'_> = frame.json("generated content")?;
        let is_error = piece.error.is_some() || frame.is_error();
        self.piece(piece, events);
        if is_error {
            return Err(frame.failure());
        }
        Ok(Flow::Continue)
    }
}

impl ContentDecoder {
    fn piece(&mut self, piece: Piece<'_>, events: &mut Vec<StreamEvent>) {
        let Piece { response_id, model_version, candidates, prompt_feedback, usage_metadata, .. } = piece;
        self.start.take(&response_id, &model_version, events);
        let mut reason = None;
        // A candidate without an index is the first one. Where two say that they are, only one is.
        if let Some(candidate) = candidates.into_iter().find(|candidate| candidate.index.unwrap_or(0) == 0) {
            let is_grounded = candidate.grounding_metadata.is_some_and(|grounding| grounding.is_billed());
            self.surcharges.find(is_grounded.then_some(Surcharge::Parts), events);
            logprobs::tell(candidate.logprobs_result.map(logprobs::read_gemini).unwrap_or_default(), events);
            for part in candidate.content.unwrap_or_default().parts {
                self.part(part, events);
            }
            reason = self.finish_reason(&candidate.finish_reason);
        }
        let blocked = prompt_feedback.map(|feedback| feedback.block_reason).filter(|reason| !reason.is_empty());
        if let Some(why) = blocked {
            // The unspecified reason is that of a prompt that was not blocked, where the answer says how it ended.
            let is_told = &*why != "BLOCK_REASON_UNSPECIFIED";
            reason = reason.filter(|reason| !(is_told && verdict::sounds_whole(reason)));
            reason = reason.or(Some(FinishReason::ContentFilter));
        }
        events.extend(usage_metadata.map(read_usage).filter(|usage| !usage.is_unknown()).map(StreamEvent::Usage));
        events.extend(reason.map(StreamEvent::Finish));
    }

    fn part(&mut self, part: Part<'_>, events: &mut Vec<StreamEvent>) {
        let is_thought = part.thought == Some(true);
        if let Some(media) = part.inline_data.filter(|_| !is_thought) {
            events.push(StreamEvent::Missing(missing::media(&media.mime_type)));
        }
        if part.text.is_none() && part.function_call.is_none() {
            return;
        }
        if is_thought {
            part.text.unwrap_or_default().tell(StreamEvent::ReasoningDelta, events);
            self.sign(&part.thought_signature, false, events);
            return;
        }
        self.sign(&part.thought_signature, part.function_call.is_some(), events);
        part.text.unwrap_or_default().tell(StreamEvent::TextDelta, events);
        if let Some(call) = part.function_call {
            if call.is_piece() {
                events.push(StreamEvent::Missing(missing::CALL_IN_PIECES));
                return;
            }
            let index = self.calls;
            self.calls += 1;
            let id = call.id.0.into_owned();
            events.push(StreamEvent::ToolCallStart { index, id, name: call.name.0.into_owned() });
            if let Some(arguments) = call.args.map(tool_calls::arguments).filter(|arguments| !arguments.is_empty()) {
                events.push(StreamEvent::ToolCallDelta { index, arguments: arguments.into_owned() });
            }
        }
    }

    fn sign(&mut self, signature: &Text<'_>, is_call: bool, events: &mut Vec<StreamEvent>) {
        if signature.is_empty() {
            return;
        }
        let of_first_call = is_call && !self.signed_call;
        self.signed_call |= is_call;
        let told = match std::mem::replace(&mut self.signed, true) {
            false => Some(signature.to_string()),
            true if of_first_call => signature::join("", vec![signature::further("", signature)]),
            true => None,
        };
        events.extend(told.map(StreamEvent::ReasoningSignature));
    }

    fn finish_reason(&self, reason: &str) -> Option<FinishReason> {
        Some(match reason {
            "" | "FINISH_REASON_UNSPECIFIED" => return None,
            // Function calls have no finish reason of their own.
            "STOP" if self.calls > 0 => FinishReason::ToolCalls,
            "STOP" => FinishReason::Stop,
            "MAX_TOKENS" => FinishReason::Length,
            "SAFETY"
            | "RECITATION"
            | "BLOCKLIST"
            | "PROHIBITED_CONTENT"
            | "SPII"
            | "MODEL_ARMOR"
            | "IMAGE_SAFETY"
            | "IMAGE_PROHIBITED_CONTENT"
            | "IMAGE_RECITATION" => FinishReason::ContentFilter,
            // Calls arrive whole in this format, so that only a reason which sounds like a failure makes them incomplete.
            other if self.calls > 0 && !verdict::sounds_cut(other) => FinishReason::ToolCalls,
            other => FinishReason::other(other),
        })
    }
}

/// Reads the usage. Reasoning is counted beside the candidates, and results of the vendor's tools beside the prompt.
fn read_usage(raw: &RawValue) -> Usage {
    let wire: WireUsage = serde_json::from_str(raw.get()).unwrap_or_default();
    let input = wire.prompt_token_count.0.map(|prompt| prompt + wire.tool_use_prompt_token_count.0.unwrap_or(0));
    let (candidates, thoughts) = (wire.candidates_token_count.0, wire.thoughts_token_count.0);
    // Some gateways count reasoning inside of the candidates, which shows in the total.
    let is_inside = wire.total_token_count.0.zip(input).zip(candidates).is_some_and(|((total, input), candidates)| {
        thoughts.is_some_and(|thoughts| thoughts <= candidates) && total == input + candidates
    });
    let is_all = wire.total_token_count.0.zip(input).map(|(total, input)| total == input + thoughts.unwrap_or(0));
    let output = match (candidates, thoughts) {
        // Something else came that is not counted.
        (Some(0) | None, Some(1..)) if is_all == Some(false) => None,
        (Some(0), Some(1..)) if is_all.is_none() => None,
        (Some(candidates), Some(thoughts)) if !is_inside => Some(candidates + thoughts),
        (candidates, thoughts) => candidates.or(thoughts),
    };
    let bill = usage::bill(raw);
    usage::known(Usage {
        input,
        cache_read: wire.cached_content_token_count.0,
        cache_write: None,
        output,
        reasoning: thoughts,
        cache_write_hour: None,
        cost: bill.cost,
        surcharge: bill.surcharge,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_in_pieces_is_not_told_as_one_without_arguments() {
        let pieces = [
            r#"{"name":"f","willContinue":true}"#,
            r#"{"partialArgs":[{"jsonPath":"$.a","stringValue":"x"}],"willContinue":true}"#,
            "{}",
        ];
        let mut decoder = ContentDecoder::default();
        let mut events = Vec::new();
        for piece in pieces {
            let data = format!(r#"{{"candidates":[{{"content":{{"parts":[{{"functionCall":{piece}}}]}}}}]}}"#);
            decoder.decode(&sse::Frame { event: "", data: &data }, &mut events).expect("a frame");
        }
        let answer: crate::chat::Response = events.into_iter().collect();
        assert_eq!((answer.tool_calls.len(), answer.missing), (0, Some(missing::CALL_IN_PIECES)));
    }

    #[test]
    fn whole_calls_are_complete_whatever_the_reason_is_called() {
        let call = r#"{"functionCall":{"name":"f","args":{}}}"#;
        for (part, reason, finish) in [
            (call, "FUNCTION_CALL", FinishReason::ToolCalls),
            (call, "TOOL_CALLS", FinishReason::ToolCalls),
            (call, "STOP", FinishReason::ToolCalls),
            (call, "MAX_TOKENS", FinishReason::Length),
            (call, "SAFETY", FinishReason::ContentFilter),
            (call, "MALFORMED_FUNCTION_CALL", FinishReason::Other("MALFORMED_FUNCTION_CALL".into())),
            (r#"{"text":"a"}"#, "FUNCTION_CALL", FinishReason::Other("FUNCTION_CALL".into())),
        ] {
            let data = format!(r#"{{"candidates":[{{"content":{{"parts":[{part}]}},"finishReason":"{reason}"}}]}}"#);
            let mut events = Vec::new();
            let frame = sse::Frame { event: "", data: &data };
            ContentDecoder::default().decode(&frame, &mut events).expect("readable");
            assert_eq!(events.pop(), Some(StreamEvent::Finish(finish)), "{part} {reason}");
        }
    }

    #[test]
    fn a_prompt_that_was_blocked_has_no_whole_answer() {
        for (block, reason, finish) in [
            ("SAFETY", "STOP", FinishReason::ContentFilter),
            ("SAFETY", "MAX_TOKENS", FinishReason::Length),
            ("SAFETY", "", FinishReason::ContentFilter),
            ("BLOCK_REASON_UNSPECIFIED", "STOP", FinishReason::Stop),
            ("BLOCK_REASON_UNSPECIFIED", "", FinishReason::ContentFilter),
            ("", "STOP", FinishReason::Stop),
        ] {
            let candidate = format!(r#"{{"content":{{"parts":[{{"text":"a"}}]}},"finishReason":"{reason}"}}"#);
            let data = format!(r#"{{"candidates":[{candidate}],"promptFeedback":{{"blockReason":"{block}"}}}}"#);
            let mut events = Vec::new();
            let frame = sse::Frame { event: "", data: &data };
            ContentDecoder::default().decode(&frame, &mut events).expect("readable");
            assert_eq!(events.pop(), Some(StreamEvent::Finish(finish)), "{block} {reason}");
        }
    }

    #[test]
    fn thoughts_and_tool_results_are_added_unless_they_are_inside() {
        for (json, input, output, reasoning) in [
            (
                r#"{"promptTokenCount":15,"candidatesTokenCount":8,"thoughtsTokenCount":275,"totalTokenCount":298}"#,
                Some(15),
                Some(283),
                Some(275),
            ),
            (r#"{"promptTokenCount":15,"thoughtsTokenCount":2,"totalTokenCount":17}"#, Some(15), Some(2), Some(2)),
            (
                r#"{"promptTokenCount":13,"candidatesTokenCount":194,"toolUsePromptTokenCount":289,"totalTokenCount":496}"#,
                Some(302),
                Some(194),
                None,
            ),
            (
                r#"{"promptTokenCount":5,"candidatesTokenCount":9,"thoughtsTokenCount":4,"totalTokenCount":14}"#,
                Some(5),
                Some(9),
                Some(4),
            ),
            (r#"{"promptTokenCount":15,"totalTokenCount":15}"#, Some(15), None, None),
        ] {
            let usage = read_usage(serde_json::from_str(json).expect(json));
            assert_eq!((usage.input, usage.output, usage.reasoning), (input, output, reasoning), "{json}");
        }
    }
}
