//! The driver of all decoders: it bounds a stream, skips what cannot be read, and decides whether the answer was
//! complete.

use std::collections::BTreeMap;

use super::list::Items;
use super::sse::{BOM, Frame, FrameError, Parser};
use super::{Adapter, DecodeError, Decoder, Flow, error_body, surrogates, tool_calls, verdict};
use crate::chat::{Calls, FinishReason, Nesting, StreamEvent, TokenLogprob, Usage};
use crate::error::{Failure, FailureKind};

/// The largest answer that is read, in bytes: text, log-probabilities, reasoning and tool arguments together.
pub const MAX_ANSWER: usize = 16 << 20;

/// The number of unreadable frames that are reported one by one; further ones are only counted.
const TOLD: usize = 3;

/// The number of unreadable frames that ends a stream, since a stream of answers does not have so many.
const MOST_MALFORMED: usize = 1_000;

/// So many bytes of the first frames are kept until the answer begins. A refusal is short.
const OPENING: usize = 16 << 10;

/// One thing that was decoded from a stream.
#[derive(Debug, Clone, PartialEq)]
pub enum Decoded {
    /// An event of the answer.
    Event(StreamEvent),
    /// A frame could not be read and was skipped, for this reason. The first few are reported; the failure at the end
    /// of the stream holds their number.
    Malformed(String),
}

/// Decodes the body of one streamed answer: server-sent events, or a JSON list of the same objects.
pub struct Stream {
    framing: Framing,
    decoder: Box<dyn Decoder + Send>,
    progress: Progress,
    /// What has come while there was no frame: it may be a refusal in plain text.
    unframed: Vec<u8>,
    /// Empty between frames; kept for its memory.
    events: Vec<StreamEvent>,
}

impl std::fmt::Debug for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stream").field("progress", &self.progress).finish_non_exhaustive()
    }
}

/// How the bytes are cut into frames.
enum Framing {
    /// Nothing but white space has come, so that both forms are still possible.
    Open(Parser),
    Events(Parser),
    List(Items),
}

impl Framing {
    fn push(&mut self, bytes: &[u8]) {
        if let Self::Open(parser) = self
            && let Some(first) = bytes.iter().find(|byte| !byte.is_ascii_whitespace() && !BOM.contains(byte))
        {
            // No server-sent event begins with a bracket.
            *self = match first {
                b'[' => Self::List(Items::default()),
                _ => Self::Events(std::mem::take(parser)),
            };
        }
        match self {
            Self::Open(parser) | Self::Events(parser) => parser.push(bytes),
            Self::List(items) => items.push(bytes),
        }
    }

    fn next(&mut self) -> Option<Result<Frame<'_>, FrameError>> {
        match self {
            Self::Open(parser) | Self::Events(parser) => parser.next(),
            Self::List(items) => items.next(),
        }
    }

    /// The last frame of a stream that has just ended.
    fn finish(&mut self) -> Option<Result<Frame<'_>, FrameError>> {
        match self {
            Self::Open(parser) | Self::Events(parser) => parser.finish(),
            Self::List(_) => None,
        }
    }

    /// Whether nothing more can come.
    fn ended(&self) -> bool {
        matches!(self, Self::List(items) if items.ended())
    }
}

#[derive(Debug, Default)]
struct Progress {
    frames: usize,
    /// The first frames, until the answer begins: what is no answer may say that the key was refused.
    opening: Vec<String>,
    malformed: usize,
    /// Bytes of the answer so far.
    size: usize,
    tool_calls: usize,
    /// The calls of which no arguments have come.
    without_arguments: Vec<usize>,
    /// How far the arguments of the others are open.
    arguments: BTreeMap<usize, Nesting>,
    finish: Option<FinishReason>,
    missing: Option<&'static str>,
    final_usage: bool,
    done: bool,
    /// Whether the gateway itself reported a failure.
    has_reported: bool,
}

impl Stream {
    /// A stream in the wire format of this adapter, of which nothing has arrived.
    pub fn new(adapter: &dyn Adapter) -> Self {
        Self {
            framing: Framing::Open(Parser::new()),
            decoder: adapter.decoder(),
            progress: Progress::default(),
            unframed: Vec::new(),
            events: Vec::new(),
        }
    }

    /// Decodes bytes as they arrived and appends the result to `out`, also where it fails.
    ///
    /// # Errors
    /// The gateway reported an error, or the stream exceeded a bound. The answer ends here.
    pub fn push(&mut self, bytes: &[u8], out: &mut Vec<Decoded>) -> Result<Flow, Failure> {
        if self.progress.done {
            return Ok(Flow::Done);
        }
        if self.progress.is_empty() {
            self.unframed.extend_from_slice(&bytes[..bytes.len().min(OPENING - self.unframed.len())]);
        }
        self.framing.push(bytes);
        while let Some(frame) = self.framing.next() {
            let flow = self.progress.take(frame, &mut *self.decoder, &mut self.events, out)?;
            if flow == Flow::Done {
                return Ok(Flow::Done);
            }
        }
        self.progress.done = self.framing.ended();
        Ok(if self.progress.done { Flow::Done } else { Flow::Continue })
    }

    /// Ends the stream, as no more bytes come, and says whether the answer is complete.
    ///
    /// # Errors
    /// The answer is not complete: the stream ended early or was damaged, the gateway reported an error at the very
    /// end, or the finish reason means that something is missing (see [`verdict::complete`]).
    pub fn end(&mut self, out: &mut Vec<Decoded>) -> Result<(), Failure> {
        if !self.progress.done
            && let Some(Ok(frame)) = self.framing.finish()
        {
            // The end cut a last frame that cannot be read. Whether the answer is complete depends on the frames before
            // it.
            let mut last = Vec::new();
            let malformed = self.progress.malformed;
            let result = self.progress.take(Ok(frame), &mut *self.decoder, &mut self.events, &mut last);
            self.progress.malformed = malformed;
            out.extend(last.into_iter().filter(|decoded| matches!(decoded, Decoded::Event(_))));
            result?;
        }
        if self.progress.is_empty()
            && let Some(refusal) = error_body::refusal(&self.unframed)
        {
            return Err(refusal);
        }
        self.progress.verdict()
    }

    /// How many frames have come, comments not among them.
    pub fn frames(&self) -> usize {
        self.progress.frames
    }

    /// Whether the gateway has said why the answer ended.
    pub fn finished(&self) -> bool {
        self.progress.finish.is_some()
    }

    /// Whether the gateway ended the answer before anything of it came, by a filter or for a reason that nobody knows.
    pub fn is_void(&self) -> bool {
        matches!(self.progress.finish, Some(FinishReason::ContentFilter | FinishReason::Other(_)))
            && (self.progress.size, self.progress.tool_calls) == (0, 0)
            && self.progress.missing.is_none()
    }

    /// What came of the answer that has no form here.
    pub fn missing(&self) -> Option<&'static str> {
        self.progress.missing
    }

    /// Whether usage came with or after the finish reason, so that nothing of interest can follow.
    pub fn has_usage(&self) -> bool {
        self.progress.final_usage
    }

    /// Whether the gateway refuses the key in this stream, instead of an answer.
    pub fn is_refusal(&self) -> bool {
        self.progress.refusal().is_some()
    }

    /// Whether the gateway itself has told in this stream that the answer failed.
    pub fn has_reported_failure(&self) -> bool {
        self.progress.has_reported
    }

    /// The failure of this stream for this reason. After a part of the answer it means that the answer is truncated,
    /// and must not be retried as if nothing had arrived.
    pub fn broken_by(&self, failure: Failure) -> Failure {
        self.progress.broken_by(failure)
    }
}

impl Progress {
    fn take(
        &mut self,
        frame: Result<Frame<'_>, FrameError>,
        decoder: &mut dyn Decoder,
        events: &mut Vec<StreamEvent>,
        out: &mut Vec<Decoded>,
    ) -> Result<Flow, Failure> {
        let decoded = match &frame {
            Ok(frame) => {
                self.frames += 1;
                match frame.data.trim() {
                    "" => Ok(Flow::Continue),
                    "[DONE]" => {
                        decoder.done(events);
                        Ok(Flow::Done)
                    }
                    data => decoder.decode(&Frame { data: &surrogates::mended(data), ..*frame }, events),
                }
            }
            Err(FrameError::NotUtf8) => Err(DecodeError::Malformed(FrameError::NotUtf8.to_string())),
            Err(FrameError::TooLarge) => {
                let failure = Failure::new(FailureKind::Protocol, FrameError::TooLarge.to_string()).maybe_billed();
                return Err(self.broken_by(failure));
            }
        };
        events.retain(|event| self.note(event));
        if let Ok(frame) = &frame {
            self.keep_opening(frame.data.trim());
        }
        self.count_tool_calls(events)?;
        let has_failed = matches!(decoded, Err(DecodeError::Failed(_)));
        let mut last_usage = Usage::default();
        for mut event in events.drain(..) {
            if is_whole(&event) {
                // Clients read arguments as JSON.
                let empty = |index| StreamEvent::ToolCallDelta { index, arguments: "{}".to_owned() };
                out.extend(self.without_arguments.drain(..).map(empty).map(Decoded::Event));
            }
            if let StreamEvent::Usage(usage) = &mut event {
                self.final_usage |= self.finish.is_some();
                // A count of zero means nothing before the end, and cannot be right beside an answer.
                let is_empty = self.size == 0 && (self.finish.is_some() || has_failed);
                usage.output = usage.output.filter(|count| *count > 0 || is_empty);
                last_usage.update(usage);
            }
            out.push(Decoded::Event(event));
        }
        // What a decoder keeps for the end takes memory, too.
        if self.size + decoder.held() > MAX_ANSWER {
            let message = format!("the answer is longer than {} MiB", MAX_ANSWER >> 20);
            return Err(Failure::new(FailureKind::Truncated, message));
        }
        match decoded {
            Ok(flow) => {
                self.done = flow == Flow::Done;
                Ok(flow)
            }
            Err(DecodeError::Malformed(message)) => {
                self.malformed += 1;
                if self.malformed <= TOLD {
                    out.push(Decoded::Malformed(message));
                }
                if self.malformed == MOST_MALFORMED {
                    let message = format!("{MOST_MALFORMED} events of the stream could not be read");
                    return Err(self.broken_by(Failure::new(FailureKind::Protocol, message).maybe_billed()));
                }
                Ok(Flow::Continue)
            }
            Err(DecodeError::Failed(failure)) => {
                self.has_reported = true;
                Err(self.broken_by(failure.with_usage(last_usage)))
            }
        }
    }

    /// Keeps a frame that may be a refusal, as long as nothing of an answer has come.
    fn keep_opening(&mut self, data: &str) {
        if self.has_begun() {
            self.opening = Vec::new();
        } else if self.opening.iter().map(String::len).sum::<usize>() + data.len() <= OPENING {
            self.opening.push(data.to_owned());
        }
    }

    /// Whether not even a frame has come.
    fn is_empty(&self) -> bool {
        (self.frames, self.malformed) == (0, 0)
    }

    /// Whether anything of an answer has come, or its end.
    fn has_begun(&self) -> bool {
        self.size > 0 || self.tool_calls > 0 || self.finish.is_some() || self.missing.is_some()
    }

    /// Counts the tool calls that begin, which may be many although they are small.
    fn count_tool_calls(&mut self, events: &[StreamEvent]) -> Result<(), Failure> {
        self.tool_calls += events.iter().filter(|event| matches!(event, StreamEvent::ToolCallStart { .. })).count();
        tool_calls::bounded(self.tool_calls)
    }

    /// Returns whether the event says anything new.
    fn note(&mut self, event: &StreamEvent) -> bool {
        match event {
            StreamEvent::TextDelta(text) | StreamEvent::ReasoningDelta(text) => self.size += text.len(),
            StreamEvent::Logprobs(tokens) => self.size += tokens.iter().map(TokenLogprob::size).sum::<usize>(),
            StreamEvent::ReasoningSignature(signature) => self.size += signature.len(),
            StreamEvent::ToolCallStart { id, name, index } => {
                self.size += id.len() + name.len();
                self.without_arguments.push(*index);
            }
            StreamEvent::ToolCallDelta { arguments, index } => {
                self.size += arguments.len();
                if !arguments.is_empty() {
                    self.without_arguments.retain(|call| call != index);
                    self.arguments.entry(*index).or_default().push(arguments);
                }
            }
            // Some gateways repeat the finish reason; others correct it. What was cut is not whole again.
            StreamEvent::Finish(reason) if self.finish.as_ref() == Some(reason) => return false,
            StreamEvent::Finish(_) if is_whole(event) && self.finish.as_ref().is_some_and(verdict::is_for_good) => {
                return false;
            }
            StreamEvent::Finish(reason) => self.finish = Some(reason.clone()),
            StreamEvent::Missing(what) => self.missing = Some(what),
            StreamEvent::Start { .. } | StreamEvent::Usage(_) => {}
        }
        true
    }

    fn broken_by(&self, failure: Failure) -> Failure {
        if self.size == 0 || failure.kind == FailureKind::Interrupted {
            return failure;
        }
        after_a_part(failure)
    }

    /// The refusal of the key that the stream began with, if no answer has come.
    fn refusal(&self) -> Option<Failure> {
        self.opening.iter().find_map(|data| error_body::refusal(data.as_bytes()))
    }

    fn verdict(&self) -> Result<(), Failure> {
        if let Some(refusal) = self.refusal() {
            return Err(refusal);
        }
        if self.is_empty() {
            return Err(Failure::new(FailureKind::Protocol, "the gateway sent an empty stream").maybe_billed());
        }
        if self.malformed > 0 {
            let events = if self.malformed == 1 { "one event".into() } else { format!("{} events", self.malformed) };
            let message = format!("{events} of the answer could not be read: some of it may be missing");
            return Err(Failure::new(FailureKind::Truncated, message).maybe_billed());
        }
        let calls = match self.tool_calls {
            _ if self.arguments.values().any(Nesting::is_open) => Calls::Cut,
            0 if self.missing.is_some() => Calls::Formless,
            0 if self.size == 0 => Calls::Nothing,
            0 => Calls::None,
            _ => Calls::Whole,
        };
        if self.finish.is_none() && calls == Calls::Nothing {
            return Err(
                Failure::new(FailureKind::Protocol, "the gateway sent a stream without an answer").maybe_billed()
            );
        }
        verdict::complete(self.finish.as_ref(), calls)
    }
}

/// The failure of an answer of which a part has come.
pub(super) fn after_a_part(failure: Failure) -> Failure {
    Failure { kind: FailureKind::Truncated, should_retry: None, ..failure }
}

/// Whether this event is the end of an answer from which nothing was cut.
fn is_whole(event: &StreamEvent) -> bool {
    matches!(event, StreamEvent::Finish(reason) if verdict::sounds_whole(reason))
}

/// The event, with an id for a tool call that came without one. No two calls of a conversation may have the same: the results are
/// found by it, also by gateways that take the conversation over.
pub fn with_id(mut event: StreamEvent) -> StreamEvent {
    if let StreamEvent::ToolCallStart { id, .. } = &mut event
        && id.is_empty()
    {
        *id = format!("call_{}", uuid::Uuid::now_v7().simple());
    }
    event
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapter::Api;

    fn stream(text: &str) -> (Stream, Result<Flow, Failure>, Vec<Decoded>) {
        let mut stream = Stream::new(Api::OpenaiChat.adapter());
        let mut out = Vec::new();
        let result = stream.push(text.as_bytes(), &mut out);
        (stream, result, out)
    }

    const TEXT: &str = "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n";
    const FINISH: &str = "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";
    const USAGE: &str = "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":5}}\n\n";

    #[test]
    fn it_is_known_when_nothing_of_worth_can_follow() {
        for (text, finished, has_usage) in [
            (TEXT.to_owned(), false, false),
            ([TEXT, USAGE].concat(), false, false),
            ([TEXT, USAGE, FINISH].concat(), true, false),
            ([TEXT, FINISH, USAGE].concat(), true, true),
        ] {
            let (stream, ..) = stream(&text);
            assert_eq!((stream.finished(), stream.has_usage()), (finished, has_usage), "{text}");
        }
    }

    #[test]
    fn a_count_of_no_tokens_is_believed_of_an_empty_answer_alone() {
        let usage = USAGE.replace("}}", ",\"completion_tokens\":0}}");
        for (text, output) in [
            ([TEXT, FINISH, &usage].concat(), None),
            ([TEXT, &usage, FINISH].concat(), None),
            ([&usage, TEXT, FINISH].concat(), None),
            ([FINISH, &usage].concat(), Some(0)),
        ] {
            let (_, _, out) = stream(&text);
            let told = out.iter().find_map(|decoded| match decoded {
                Decoded::Event(StreamEvent::Usage(usage)) => Some((usage.input, usage.output)),
                _ => None,
            });
            assert_eq!(told, Some((Some(5), output)), "{text}");
        }
    }

    #[test]
    fn a_call_whose_arguments_break_off_is_cut_whatever_the_gateway_says() {
        let call = |arguments: &str| {
            let call = serde_json::json!([{"index": 0, "id": "c", "function": {"name": "f", "arguments": arguments}}]);
            TEXT.replace(r#""content":"a""#, &format!(r#""tool_calls":{call}"#))
        };
        let done = "data: [DONE]\n\n";
        for (arguments, is_cut) in [(r#"{"a":"b"}"#, false), (r#"{"a":"b"#, true), (r#"{"a":["#, true), ("", false)] {
            for end in [FINISH.replace("stop", "tool_calls"), FINISH.to_owned(), done.to_owned()] {
                let failure = stream(&[&*call(arguments), &end].concat()).0.end(&mut Vec::new()).err();
                let is_told = failure.is_some_and(|failure| failure.message == verdict::CALL_CUT);
                assert_eq!(is_told, is_cut, "{arguments} {end}");
            }
        }
    }

    #[test]
    fn what_was_cut_is_not_whole_again_and_unknown_words_after_whole_calls_are_no_failure() {
        for (first, said) in [("length", "token limit"), ("error", "error")] {
            for later in ["stop", "function_called"] {
                let cut = [TEXT, &FINISH.replace("stop", first), &FINISH.replace("stop", later)].concat();
                let failure = stream(&cut).0.end(&mut Vec::new()).expect_err(later);
                assert!(failure.message.contains(said), "{failure:?}");
            }
        }
        let call = TEXT.replace(
            r#""content":"a""#,
            r#""tool_calls":[{"index":0,"id":"c","function":{"name":"f","arguments":"{}"}}]"#,
        );
        for (word, is_whole) in [
            ("function_called", true),
            ("tools_requested", true),
            ("stopped_by_stop_sequence", true),
            ("stop_token", true),
            ("requires_action", true),
            ("grammar_closed", true),
            ("refused", false),
            ("expired", false),
            ("denied", false),
            ("killed", false),
            ("stopped_by_user", false),
            ("quota_reached", false),
            ("Forbidden", false),
            ("not_allowed", false),
            ("shutdown", false),
            ("terminated", false),
            ("connection_closed", false),
            ("ended_early", false),
            ("out_of_credits", false),
            ("cancelled", false),
            ("max_output", false),
            ("insufficient_system_resource", false),
            ("repetition_truncation", false),
            ("overloaded", false),
            ("in_progress", false),
            ("sensitive", false),
            ("guardrail_intervened", false),
            ("PROHIBITED_CONTENT", false),
            ("TOO_MANY_TOOL_CALLS", false),
            ("LANGUAGE", false),
            ("deadline", false),
            ("out_of_memory", false),
            ("exception", false),
        ] {
            let text = [&*call, &FINISH.replace("stop", word)].concat();
            assert_eq!(stream(&text).0.end(&mut Vec::new()).is_ok(), is_whole, "{word}");
        }
        let nothing = stream("data: [DONE]\n\n").0.end(&mut Vec::new()).expect_err("nothing");
        assert_eq!(nothing.kind, FailureKind::Protocol);
    }

    #[test]
    fn a_whole_call_without_arguments_gets_an_empty_object_whatever_word_the_gateway_ends_with() {
        let call = r#""tool_calls":[{"index":0,"id":"c","function":{"name":"f","arguments":""}}]"#;
        for (word, arguments) in [("tool_calls", "{}"), ("function_called", "{}"), ("length", "")] {
            let text = [&*TEXT.replace(r#""content":"a""#, call), &FINISH.replace("stop", word)].concat();
            let pieces = stream(&text).2.into_iter().filter_map(|decoded| match decoded {
                Decoded::Event(StreamEvent::ToolCallDelta { arguments, .. }) => Some(arguments),
                _ => None,
            });
            assert_eq!(pieces.collect::<String>(), arguments, "{word}");
            let body = format!(r#"{{"choices":[{{"message":{{{call}}},"finish_reason":"{word}"}}]}}"#);
            let answer = Api::OpenaiChat.adapter().decode_response(body.as_bytes()).expect("an answer").response;
            assert_eq!(answer.tool_calls[0].arguments, arguments, "{word}");
        }
    }

    #[test]
    fn a_reason_that_is_too_long_for_one_is_cut() {
        let long = "A b\n".repeat(1000);
        let finish = FINISH.replace("\"stop\"", &serde_json::json!(long).to_string());
        let (mut stream, _, out) = stream(&[TEXT, &finish].concat());
        let Some(Decoded::Event(StreamEvent::Finish(reason))) = out.last() else { panic!("{out:?}") };
        assert_eq!(reason.as_str(), format!("{}…", &long[..256]));
        let failure = stream.end(&mut Vec::new()).expect_err("an unknown end");
        assert_eq!(failure.message, format!("the answer ended early: {}…", &"A b ".repeat(25)[..100]));
    }

    #[test]
    fn an_answer_that_ends_with_calls_has_some() {
        let finish = FINISH.replace("stop", "tool_calls");
        let call = TEXT.replace(r#""content":"a""#, r#""tool_calls":[{"index":0,"id":"c","function":{"name":"f"}}]"#);
        for (text, told) in
            [(finish.clone(), true), ([TEXT, &finish].concat(), true), ([&*call, &finish].concat(), false)]
        {
            let failure = stream(&text).0.end(&mut Vec::new()).err();
            let told_by_finish = failure.as_ref().map(|failure| verdict::is_told_by(&FinishReason::ToolCalls, failure));
            assert_eq!(told_by_finish, told.then_some(true), "{text}");
            assert!(failure.is_none_or(|failure| failure.kind == FailureKind::Truncated));
        }
    }

    #[test]
    fn a_stream_that_only_refuses_the_key_says_so_in_every_format() {
        for body in [
            r#"{"code":401,"message":"Invalid token","data":null}"#,
            r#"{"base_resp":{"status_code":1004,"status_msg":"login fail: Please carry the API secret key"}}"#,
            r#"{"success":false,"message":"Invalid API key"}"#,
            r#"{"code":"InvalidApiKey","message":"Invalid API-key provided.","request_id":"f"}"#,
            r#"{"detail":"Unauthorized"}"#,
            r#"{"message":"Invalid Authentication","type":"authentication_error"}"#,
        ] {
            for api in [Api::OpenaiChat, Api::OpenaiResponses, Api::Anthropic, Api::Gemini] {
                for text in [
                    format!("data: {body}\n\ndata: [DONE]\n\n"),
                    format!(": hello\n\ndata: {{}}\n\nevent: error\ndata: {body}\n\n"),
                    format!("data: {body}"),
                    format!("[{body}]"),
                ] {
                    let mut stream = Stream::new(api.adapter());
                    let flow = stream.push(text.as_bytes(), &mut Vec::new());
                    let failure = flow.map(drop).and_then(|()| stream.end(&mut Vec::new())).expect_err("no answer");
                    assert_eq!(failure.kind, FailureKind::Auth, "{api:?} {text}");
                }
            }
            let begun = [TEXT, &format!("data: {body}\n\n"), FINISH].concat();
            let outcome = stream(&begun).0.end(&mut Vec::new());
            assert_ne!(outcome.map_err(|failure| failure.kind), Err(FailureKind::Auth));
            let followed = [&format!("data: {body}\n\n"), TEXT, FINISH].concat();
            let outcome = stream(&followed).0.end(&mut Vec::new());
            assert_ne!(outcome.map_err(|failure| failure.kind), Err(FailureKind::Auth));
        }
    }

    #[test]
    fn a_failure_comes_with_what_the_gateway_tells_in_it() {
        let failed = |text: &str, counts: &str| {
            let error = "\"error\":{\"message\":\"boom\"}";
            let text = [text, &format!("data: {{\"choices\":[],\"usage\":{counts},{error}}}\n\n")].concat();
            let usage = stream(&text).1.expect_err("failed").usage;
            usage.map(|usage| (usage.input, usage.output))
        };
        let counts = r#"{"prompt_tokens":5,"completion_tokens":0}"#;
        assert_eq!(failed("", counts), Some((Some(5), Some(0))));
        assert_eq!(failed(TEXT, counts), Some((Some(5), None)), "something was answered");
        assert_eq!(failed(TEXT, r#"{"prompt_tokens":5,"completion_tokens":2}"#), Some((Some(5), Some(2))));
        assert_eq!(failed(USAGE, "null"), None, "what was told before is not what was told in the end");
    }

    #[test]
    fn nothing_is_read_after_the_terminal_event() {
        let (mut stream, flow, mut out) = stream(&[TEXT, FINISH, "data: [DONE]\n\n", TEXT].concat());
        assert_eq!((flow, out.len()), (Ok(Flow::Done), 2));
        assert_eq!(stream.push(TEXT.as_bytes(), &mut out), Ok(Flow::Done));
        assert_eq!((stream.end(&mut out), out.len()), (Ok(()), 2));
    }

    #[test]
    fn an_answer_without_bounds_is_stopped() {
        let long = "x".repeat(1 << 20);
        // The number beside the token counts as well.
        let token = &long[size_of::<f64>()..];
        for choice in [
            format!(r#"{{"delta":{{"content":"{long}"}}}}"#),
            format!(r#"{{"logprobs":{{"content":[{{"token":"{token}","logprob":0}}]}}}}"#),
        ] {
            let piece = format!("data: {{\"choices\":[{choice}]}}\n\n");
            let mut stream = Stream::new(Api::OpenaiChat.adapter());
            let results: Vec<_> = (0..17).map(|_| stream.push(piece.as_bytes(), &mut Vec::new())).collect();
            assert!(results[..16].iter().all(Result::is_ok));
            assert_eq!(results[16].as_ref().map_err(|failure| failure.kind), Err(FailureKind::Truncated));
        }
    }

    #[test]
    fn an_answer_with_tool_calls_without_end_is_stopped() {
        let call = |n: usize| format!(r#"{{"index":{n},"id":"c{n}","function":{{"name":"f","arguments":"{{}}"}}}}"#);
        let frame = |calls: &[String]| {
            format!("data: {{\"choices\":[{{\"delta\":{{\"tool_calls\":[{}]}}}}]}}\n\n", calls.join(","))
        };
        let calls: Vec<String> = (0..=tool_calls::MOST).map(call).collect();
        let one_by_one: String = calls.iter().map(|call| frame(std::slice::from_ref(call))).collect();
        for (text, most) in [(one_by_one, tool_calls::MOST), (frame(&calls), 0)] {
            let (_, flow, out) = stream(&text);
            let failure = flow.expect_err("too many");
            assert_eq!(
                (failure.kind, &*failure.message),
                (FailureKind::Truncated, "the answer has more than 1024 tool calls")
            );
            let is_start = |decoded: &&Decoded| matches!(decoded, Decoded::Event(StreamEvent::ToolCallStart { .. }));
            assert_eq!(out.iter().filter(is_start).count(), most);
        }
        let (_, flow, _) = stream(&frame(&calls[..tool_calls::MOST]));
        assert_eq!(flow, Ok(Flow::Continue));
    }

    #[test]
    fn a_failure_after_a_part_of_the_answer_leaves_it_truncated() {
        let timeout = || Failure::new(FailureKind::Timeout, "too slow").with_status(504);
        assert_eq!(stream(FINISH).0.broken_by(timeout()), timeout());
        let broken = stream(TEXT).0.broken_by(timeout());
        assert_eq!((broken.kind, &*broken.message, broken.status), (FailureKind::Truncated, "too slow", Some(504)));
        assert!(!broken.is_transient());
    }

    #[test]
    fn events_that_cannot_be_read_are_told_of_three_times_and_end_the_stream_in_the_end() {
        let (mut few, flow, mut out) = stream(&["data: x\n\n".repeat(MOST_MALFORMED - 1).as_str(), FINISH].concat());
        let told = |out: &[Decoded]| out.iter().filter(|decoded| matches!(decoded, Decoded::Malformed(_))).count();
        assert_eq!((flow, told(&out)), (Ok(Flow::Continue), TOLD));
        let failure = few.end(&mut out).expect_err("incomplete");
        assert_eq!(failure.message, "999 events of the answer could not be read: some of it may be missing");

        for (start, kind) in [("", FailureKind::Protocol), (TEXT, FailureKind::Truncated)] {
            let (_, flow, out) = stream(&[start, &"data: x\n\n".repeat(MOST_MALFORMED), FINISH].concat());
            let failure = flow.expect_err("given up");
            assert_eq!((failure.kind, told(&out)), (kind, TOLD));
            assert_eq!(failure.message, "1000 events of the stream could not be read");
        }
    }

    #[test]
    fn only_a_failure_that_the_gateway_told_counts_as_reported() {
        let error = "data: {\"error\":{\"message\":\"overloaded\"}}\n\n";
        for (text, has_reported) in [
            ([TEXT, error].concat(), true),
            ([TEXT, &"data: x\n\n".repeat(MOST_MALFORMED)].concat(), false),
            ([TEXT, &"x".repeat(super::super::sse::MAX_EVENT + 1)].concat(), false),
        ] {
            let (stream, flow, _) = stream(&text);
            assert_eq!((flow.is_err(), stream.has_reported_failure()), (true, has_reported));
        }
        let (mut cut, ..) = stream(&[TEXT, error.trim_end()].concat());
        assert!(!cut.has_reported_failure() && cut.end(&mut Vec::new()).is_err() && cut.has_reported_failure());
    }

    #[test]
    fn an_event_without_end_breaks_the_stream() {
        let mut stream = Stream::new(Api::OpenaiChat.adapter());
        let result = stream.push(&vec![b'x'; super::super::sse::MAX_EVENT + 1], &mut Vec::new());
        assert_eq!(result.map_err(|failure| failure.kind), Err(FailureKind::Protocol));
    }
}
