//! The driver of all decoders: it bounds a stream, skips what cannot be read, and decides whether the answer was
//! complete.

use std::collections::BTreeMap;

use super::list::Items;
use super::sse::{BOM, Frame, FrameError, Parser};
use super::{Adapter, DecodeError, Decoder, Flow, error_body, surrogates, tool_calls, verdict};
use crate::chat::{Calls, FinishReason, Nesting, StreamEvent, TokenLogprob, Usage};
use crate::error::{Failure, FailureKind};
use crate::ids::new_id;

/// The largest answer that is read, in bytes: text, log-probabilities, reasoning and tool arguments together.
pub const MAX_ANSWER: usize = 16 << 20;

/// The number of unreadable frames that are reported one by one; further ones are only counted.
const TOLD: usize = 3;

/// The number of unreadable frames that ends a stream, since a stream of answers does not have so many.
const MOST_MALFORMED: usize = 1_000;

/// So many bytes of what comes before the answer begins are searched for a refusal, which is short.
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
    /// How many bytes of frames have been searched for a refusal.
    searched: usize,
    /// That of the key, as one of the first frames says it. What is no answer may say so.
    refusal: Option<Failure>,
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
        self.progress.refusal.is_some()
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
            self.look_for_refusal(frame.data.trim());
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
            Err(DecodeError::Failed(failure)) => {
                self.has_reported = true;
                Err(self.broken_by(failure.with_usage(last_usage)))
            }
            Err(malformed) => {
                self.malformed += 1;
                if self.malformed <= TOLD {
                    out.push(Decoded::Malformed(malformed.to_string()));
                }
                if self.malformed == MOST_MALFORMED {
                    let message = format!("{MOST_MALFORMED} events of the stream could not be read");
                    return Err(self.broken_by(Failure::new(FailureKind::Protocol, message).maybe_billed()));
                }
                Ok(Flow::Continue)
            }
        }
    }

    /// Takes in whether a frame refuses the key, as long as nothing of an answer has come.
    fn look_for_refusal(&mut self, data: &str) {
        if self.has_begun() {
            self.refusal = None;
        } else if self.refusal.is_none() && !data.is_empty() && self.searched + data.len() <= OPENING {
            self.searched += data.len();
            self.refusal = error_body::refusal(data.as_bytes());
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

    fn verdict(&self) -> Result<(), Failure> {
        if let Some(refusal) = self.refusal.clone() {
            return Err(refusal);
        }
        if self.is_empty() {
            return Err(Failure::new(FailureKind::Protocol, "the gateway sent an empty stream").maybe_billed());
        }
        if self.malformed > 0 {
            let events = if self.malformed == 1 { "one event".into() } else { format!("{} events", self.malformed) };
            // Where nothing else has come, another model may still be asked.
            let (kind, message) = match self.has_begun() {
                true => (
                    FailureKind::Truncated,
                    format!("{events} of the answer could not be read: some of it may be missing"),
                ),
                false => (
                    FailureKind::Protocol,
                    format!("{events} of the stream could not be read, and nothing else has come"),
                ),
            };
            return Err(Failure::new(kind, message).maybe_billed());
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
        *id = format!("call_{}", new_id().simple());
    }
    event
}

#[cfg(test)]
mod tests;
