//! From the events of a call to the bytes that its client gets, in the client's wire format.

use std::sync::Arc;

use axum::http::{HeaderMap, HeaderName, HeaderValue};

use super::limits::Taken;
use super::refusal;
use super::request::Asked;
use crate::adapter::Encoder;
use crate::adapter::verdict::is_told_by;
use crate::call::{Call, Event, RunEvent, Target, Told, origin};
use crate::chat::{self, FinishReason, StreamEvent};
use crate::error::{Failure, FailureKind};
use crate::gateway::REPEATED_KEY;

/// Sets a header whose value can be sent.
pub(super) fn set_header(headers: &mut HeaderMap, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(HeaderName::from_static(name), value);
    }
}

/// What has come of an answer, on its way into the wire format of its client.
pub(super) struct Answer {
    pub(super) asked: Asked,
    /// The id of the call.
    pub(super) call: String,
    /// The models that get the body of the client as it is, and whose answer the client gets as it is.
    passing: Vec<Target>,
    encoder: Box<dyn Encoder + Send>,
    /// Who was asked last.
    pub(super) target: Target,
    attempts: usize,
    cache: &'static str,
    /// The parameters that this model has refused, so that it did not get them.
    left_out: Vec<&'static str>,
    /// Those that the next attempt at a model leaves out.
    next_left_out: Vec<(Target, &'static str)>,
    /// Whether the answer is handed on byte by byte.
    passes: bool,
    content_type: Option<Arc<str>>,
    /// The last bytes of an answer that is handed on.
    passed_end: Vec<u8>,
    /// The bytes of a stream, or of an answer that is handed on, that have not been sent.
    pub(super) ready: Vec<u8>,
    /// The answer of a gateway that speaks another wire format.
    response: chat::Response,
    /// Whether its signature has the mark of who gave it.
    is_marked: bool,
    /// Why the answer ended, as the gateway told it.
    pub(super) finish: Option<FinishReason>,
    /// Whether something has come that another try or another model does not replace any more.
    pub(super) has_begun: bool,
    has_calls: bool,
    /// Whether the client has been told that the answer has failed.
    has_told_failure: bool,
    pub(super) failed: Option<Failure>,
    /// What was said of the models that the client may have expected and that were not asked.
    not_tried: Vec<String>,
    /// Whether the call has come to its end.
    pub(super) is_over: bool,
}

impl Answer {
    pub(super) fn new(mut asked: Asked, call: &Call) -> Self {
        let encoder = encoder(&asked);
        let not_tried = std::mem::take(&mut asked.not_tried);
        let passing = call.choices.iter().filter(|choice| choice.passes).map(|choice| choice.target.clone());
        Self {
            call: call.id.clone(),
            passing: passing.collect(),
            encoder,
            target: call.target().clone(),
            attempts: 0,
            cache: if call.uncached { "off" } else { "miss" },
            left_out: Vec::new(),
            next_left_out: Vec::new(),
            passes: false,
            content_type: None,
            passed_end: Vec::new(),
            ready: Vec::new(),
            response: chat::Response::default(),
            is_marked: false,
            finish: None,
            has_begun: false,
            has_calls: false,
            has_told_failure: false,
            failed: None,
            not_tried,
            is_over: false,
            asked,
        }
    }

    /// Whether the client wants a stream.
    pub(super) fn streams(&self) -> bool {
        self.asked.body.stream()
    }

    pub(super) fn content_type(&self) -> &str {
        let passed = self.content_type.as_deref().filter(|_| self.passes);
        passed.unwrap_or_else(|| self.encoder.content_type())
    }

    pub(super) fn take(&mut self, event: RunEvent) {
        match event.event {
            Event::Attempt { target } => {
                self.passes = self.passing.contains(&target);
                if target != self.target {
                    self.left_out.clear();
                }
                for (_, parameter) in self.next_left_out.extract_if(.., |(of, _)| *of == target) {
                    if !self.left_out.contains(&parameter) {
                        self.left_out.push(parameter);
                    }
                }
                self.target = target;
                self.attempts += 1;
                self.begin_anew();
            }
            // One that is sent under its other name has reached the gateway.
            Event::Adjusted { target, parameter, instead }
                if !instead.is_some_and(|other| other.starts_with("max_")) =>
            {
                self.next_left_out.push((target, parameter));
            }
            Event::Cached { target } => {
                self.left_out.clear();
                self.next_left_out.clear();
                self.begin_anew();
                (self.passes, self.target, self.cache) = (false, target, "hit");
            }
            Event::Bytes { bytes, content_type, told } => {
                self.passes = true;
                self.has_begun |= told != Told::End;
                self.content_type = content_type.or(self.content_type.take());
                self.has_told_failure |= told == Told::Failure;
                self.passed_end.extend_from_slice(&bytes[bytes.len().saturating_sub(BLANK_LINE)..]);
                self.passed_end.drain(..self.passed_end.len().saturating_sub(BLANK_LINE));
                self.ready.extend_from_slice(&bytes);
            }
            Event::Stream(piece) => {
                if let StreamEvent::Finish(reason) = &piece {
                    self.finish = Some(reason.clone());
                }
                self.has_begun |= piece.is_output();
                self.has_calls |= matches!(piece, StreamEvent::ToolCallStart { .. });
                self.piece(&piece);
            }
            Event::NotTried { message } => self.not_tried.push(message),
            Event::Done(result) => {
                self.is_over = true;
                self.end(result);
            }
            _ => {}
        }
    }

    /// Another attempt, or the cache, gives the answer from now on. What was said before of an answer that did not begin is not part
    /// of this one.
    fn begin_anew(&mut self) {
        self.finish = None;
        if !self.has_begun {
            self.encoder = encoder(&self.asked);
            self.ready.clear();
            self.passed_end.clear();
            self.content_type = None;
            self.response = chat::Response::default();
            self.is_marked = false;
        }
    }

    fn piece(&mut self, event: &StreamEvent) {
        let marked = match event {
            StreamEvent::ReasoningSignature(signature) if !std::mem::replace(&mut self.is_marked, true) => {
                Some(StreamEvent::ReasoningSignature(origin::marked(&self.target, signature)))
            }
            _ => None,
        };
        let event = marked.as_ref().unwrap_or(event);
        match (self.passes, self.streams()) {
            (true, _) => {}
            (false, true) => self.encoder.encode(event, &mut self.ready),
            (false, false) => self.response.apply(event),
        }
    }

    /// An answer that is cut at the token limit is an answer, since its end says so. So is one that was handed on with its end:
    /// its client has read all that this server has read. In the words of another wire format, the end is written only now,
    /// and not where a part of the answer may be missing.
    pub(super) fn end(&mut self, result: Result<(), Failure>) {
        // Whole calls have ended as calls do, whatever the gateway says.
        let is_other = |finish: &FinishReason| matches!(finish, FinishReason::Other(_));
        let has_calls = self.has_calls && self.finish == Some(FinishReason::Stop);
        if result.is_ok() && (has_calls || self.finish.as_ref().is_some_and(is_other)) {
            self.piece(&StreamEvent::Finish(FinishReason::ToolCalls));
        }
        // Calls that have not come are missing, which no client would notice.
        let calls = FinishReason::ToolCalls;
        if self.finish == Some(calls.clone()) && result.as_ref().is_err_and(|failure| is_told_by(&calls, failure)) {
            self.piece(&StreamEvent::Finish(FinishReason::Length));
        }
        let finish = self.finish.as_ref();
        let has_end = |failure: &Failure| self.passes && !self.passed_end.is_empty() && failure.message != REPEATED_KEY;
        let is_told = |failure: &Failure| finish.is_some_and(|finish| has_end(failure) || is_told_by(finish, failure));
        let Some(failure) = result.err().filter(|failure| !is_told(failure)) else {
            if self.streams() && !self.passes {
                self.encoder.finish(&mut self.ready);
            }
            self.has_begun = true;
            return;
        };
        // Of a stream that nobody asked for, its client has got nothing yet.
        let is_unasked_stream = !self.streams() && self.passes && self.content_type.as_deref().is_some_and(is_stream);
        if !self.has_begun || is_unasked_stream {
            self.ready.clear();
        } else if self.streams() && !self.has_told_failure {
            if !self.passed_end.is_empty() {
                self.encoder.follow();
                self.ready.extend_from_slice(missing_line_ends(&self.passed_end));
            }
            self.encoder.fail(&self.told(&failure), &mut self.ready);
        }
        self.failed = Some(failure);
    }

    /// The failure in words for the client, with the further models of the call that were not asked.
    pub(super) fn told(&self, failure: &Failure) -> Failure {
        refusal::with_sentences(refusal::told(self.asked.api, failure), &self.not_tried)
    }

    /// The media type and the body of an answer in one piece.
    ///
    /// # Errors
    /// There is no answer.
    pub(super) fn whole(&mut self) -> Result<(String, Vec<u8>), Failure> {
        let content_type = match (self.passes, &self.content_type) {
            (true, Some(content_type)) => content_type.to_string(),
            _ => "application/json".to_owned(),
        };
        if !self.ready.is_empty() {
            return Ok((content_type, std::mem::take(&mut self.ready)));
        }
        if let Some(failure) = self.failed.take() {
            return Err(failure);
        }
        if self.finish.is_none() {
            return Err(Failure::new(FailureKind::Interrupted, "the call was stopped"));
        }
        Ok((content_type, self.asked.api.adapter().encode_response(&self.response)))
    }

    /// Tells the client how its call went.
    pub(super) fn tell(&self, headers: &mut HeaderMap, taken: &Taken) {
        set_header(headers, "x-request-id", &self.call);
        set_header(headers, "x-llm-call-id", &self.call);
        set_header(headers, "x-llm-model", &self.target.model);
        set_header(headers, "x-llm-gateway", &self.target.gateway);
        set_header(headers, "x-llm-cache", self.cache);
        set_header(headers, "x-llm-attempts", &self.attempts.to_string());
        let translated = self.asked.ignored.iter().filter(|_| !self.passes).map(String::as_str);
        let ignored: Vec<&str> = translated.chain(self.left_out.iter().copied()).collect();
        if !ignored.is_empty() {
            set_header(headers, "x-llm-ignored", &ignored.join(", "));
        }
        if !self.not_tried.is_empty() {
            // No header holds letters of other alphabets.
            let letter = |c: char| if c.is_ascii_graphic() || c == ' ' { c } else { '?' };
            let said: String = self.not_tried.join("; ").chars().take(LONGEST_TOLD).map(letter).collect();
            set_header(headers, "x-llm-not-tried", &said);
        }
        taken.tell(headers);
    }
}

/// The most characters of a header that names models: many clients take no more than some thousands in all headers.
const LONGEST_TOLD: usize = 1000;

/// The length of the longest end of a line with a blank line behind it.
const BLANK_LINE: usize = b"\r\n\r\n".len();

/// Whether this is the media type of events.
fn is_stream(content_type: &str) -> bool {
    content_type.to_ascii_lowercase().starts_with("text/event-stream")
}

/// What is missing after these bytes for a new event to begin.
fn missing_line_ends(end: &[u8]) -> &'static [u8] {
    match end {
        [.., b'\n', b'\n'] | [.., b'\r', b'\r'] | [b'\r', b'\n', b'\r', b'\n'] => b"",
        [.., b'\n' | b'\r'] => b"\n",
        _ => b"\n\n",
    }
}

fn encoder(asked: &Asked) -> Box<dyn Encoder + Send> {
    asked.api.adapter().encoder(&asked.path, asked.body.model(), &asked.request())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapter::{Api, Operation};
    use crate::call::Choice;
    use bytes::Bytes;

    #[test]
    fn what_a_model_refuses_that_was_not_asked_is_not_what_the_answer_lacks() {
        let body = Bytes::from_static(br#"{"model":"m","messages":[{"role":"user","content":"hi"}]}"#);
        let path = "chat/completions";
        let asked =
            Asked::read(Api::OpenaiChat, Operation::Generate, path, &HeaderMap::new(), body).expect("a request");
        let target = |model: &str| Target { gateway: "g".into(), model: model.into() };
        let choices = vec![Choice::from(target("slow")), Choice::from(target("fast"))];
        let call = Call::new(0, "m", choices, asked.request());
        let mut answer = Answer::new(asked, &call);
        let mut take = |event| {
            answer.take(RunEvent { call: 0, at: std::time::Duration::ZERO, event });
            answer.left_out.clone()
        };
        let adjusted = |model, parameter| Event::Adjusted { target: target(model), parameter, instead: None };
        let attempt = |model| Event::Attempt { target: target(model) };
        // It is stopped before its request is sent, because another one has begun to answer.
        take(adjusted("slow", "temperature"));
        take(adjusted("fast", "seed"));
        assert_eq!(take(attempt("fast")), ["seed"]);
        take(adjusted("fast", "stop"));
        assert_eq!(take(attempt("fast")), ["seed", "stop"]);
        assert_eq!(take(attempt("slow")), ["temperature"]);
    }
}
