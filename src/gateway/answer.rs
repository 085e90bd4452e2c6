//! Reads the response to a request: one JSON object, a refusal, something that is no answer. Streams are read by
//! `streamed.rs`.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use reqwest::Response;
use reqwest::header::CONTENT_TYPE;
use tokio::time::timeout_at;

use super::deadlines::Deadlines;
use super::mask::Mask;
use super::spelling::Spelling;
use super::streamed::repeated_key;
use super::words::Words;
use super::{Client, body, response_headers, transport};
use crate::adapter::error_body::{self, LARGEST as LARGEST_ERROR};
use crate::adapter::sse::BOM;
use crate::adapter::stream::{self, Decoded};
use crate::adapter::{Adapter, ClientBody, DecodeError, Operation, usage_of, verdict};
use crate::call::{Event, Events, Told};
use crate::chat::{Calls, FinishReason, StreamEvent, Usage};
use crate::error::{Failure, FailureKind};
use crate::words::{on_one_line, shortened};

/// The largest answer in one piece, in bytes.
pub(super) const LARGEST_ANSWER: usize = 32 * 1024 * 1024;
/// The largest answer that is no text, in bytes: the vectors of as many inputs as OpenAI takes at once.
const LARGEST_VECTORS: usize = 128 * 1024 * 1024;
/// The number of characters of a body that is not an answer which are shown.
const EXCERPT: usize = 200;

/// The response to one request, in the wire format of that request.
#[derive(Clone, Copy)]
pub(super) struct Reading<'a> {
    pub(super) client: &'a Client,
    pub(super) adapter: &'static dyn Adapter,
    pub(super) deadlines: Deadlines,
    /// The client's own body that was sent, if it was; the client then gets the bytes of the answer.
    pub(super) passed: Option<&'a ClientBody>,
    /// Whether the answer is for a client of a server.
    pub(super) is_served: bool,
    /// Whether the request asks for a single answer, so that one of which nothing has come is nothing to whoever asked. Of several,
    /// only the first is read.
    pub(super) wants_one: bool,
}

impl Reading<'_> {
    /// Reads an answer. Some gateways send one JSON object, or a JSON list, where events were asked for.
    pub(super) async fn answer(&self, mut response: Response, events: &Events) -> Result<(), Failure> {
        let mut head = Vec::new();
        loop {
            match first_letter(&head) {
                Some(b'{' | b'[') if !self.is_generated() => return self.other_answer(head, response, events).await,
                Some(b'{') => return self.whole_answer(head, response, events).await,
                Some(b'[' | b'd' | b'e' | b'i' | b'r' | b':') => {
                    return self.streamed_answer(head, response, events).await;
                }
                Some(_) => return Err(self.no_answer(head, response).await),
                None => match self.chunk(&mut response).await? {
                    Some(chunk) if head.len() <= LARGEST_ERROR => head.extend_from_slice(&chunk),
                    _ => return Err(self.no_answer(head, response).await),
                },
            }
        }
    }

    /// Whether an answer of a model is expected, rather than a count or vectors.
    pub(super) fn is_generated(&self) -> bool {
        self.passed.is_none_or(|body| body.operation() == Operation::Generate)
    }

    /// Whether the answer is the continuation of a text.
    fn is_continuation(&self) -> bool {
        self.passed.is_some_and(|body| body.operation() == Operation::Complete)
    }

    /// Whether an answer that has ended holds nothing for whoever asked. Only what filters say is an answer by itself.
    pub(super) fn has_none(&self, outcome: &Result<(), Failure>) -> bool {
        let is_nothing = |failure: &Failure| matches!(failure.kind, FailureKind::Protocol | FailureKind::ServerError);
        self.wants_one && outcome.as_ref().is_err_and(is_nothing)
    }

    /// Whether the answer is complete for whoever asked. Clients that get its bytes miss nothing.
    pub(super) fn told_whole(&self, missing: Option<&str>) -> Result<(), Failure> {
        verdict::told_whole(missing.filter(|_| self.passed.is_none()))
    }

    /// Whether the client gets the bytes of the answer and waits for a stream.
    pub(super) fn is_stream(&self) -> bool {
        self.passed.is_some_and(ClientBody::stream)
    }

    async fn whole_answer(&self, body: Vec<u8>, mut response: Response, events: &Events) -> Result<(), Failure> {
        let body = self.rest(body, &mut response, LARGEST_ANSWER).await?;
        let answer = match self.adapter.decode_response(&body) {
            Ok(answer) => answer,
            Err(DecodeError::Failed(failure)) => return Err(failure),
            Err(why) => {
                let failure = Failure::new(FailureKind::Protocol, "the gateway's answer cannot be read");
                let cause = format!("{why}: {}", self.excerpt(&beginning(&body)));
                let failure = match &why {
                    DecodeError::Empty(usage) if !usage.is_unknown() => failure.with_usage(**usage),
                    _ => failure.maybe_billed(),
                };
                let failure = failure.with_cause(cause);
                // The client may understand what we do not, but not where it waits for a stream. Where nothing has come, another model can
                // still be asked.
                let is_empty = matches!(why, DecodeError::Empty(_)) && self.wants_one;
                if !self.is_stream() && !is_empty {
                    self.pass(body, &response, Told::Answer, events).await?;
                }
                return Err(failure);
            }
        };
        let complete = answer.complete();
        let answer = answer.response;
        let calls = answer.calls();
        let outcome = complete.and_then(|()| self.told_whole(answer.missing));
        let has_end = answer.finish.is_some() || !self.is_stream();
        let now = Instant::now();
        let mut words = self.words();
        let mut told = Vec::new();
        let mut tell = |piece| told.push(events.event(now, self.event(piece)));
        answer.into_events().into_iter().for_each(|piece| words.push(piece, &mut tell));
        words.flush(&mut tell);
        events.forward(&mut told).await?;
        let is_filtered = outcome.as_ref().is_err_and(|failure| failure.kind == FailureKind::ContentFilter);
        // Another model can still be asked.
        let is_void = self.wants_one && calls == Calls::Nothing && is_filtered;
        if self.passed.is_some() && words.has_masked() && self.spells_key(&body) {
            return Err(repeated_key());
        }
        if has_end && !self.has_none(&outcome) {
            self.pass(body, &response, if is_void { Told::End } else { Told::Answer }, events).await?;
        }
        outcome
    }

    /// Whether the words of this answer still hold a secret where each of its strings is masked by itself.
    fn spells_key(&self, body: &[u8]) -> bool {
        let Ok(answer) = self.adapter.decode_response(&self.client.mask.body(body.to_vec())) else { return true };
        let mut words = self.words();
        answer.response.into_events().into_iter().for_each(|piece| words.push(piece, &mut |_| {}));
        words.flush(&mut |_| {});
        words.has_masked()
    }

    /// Reads an answer that holds no text of a chat: vectors, a count, the continuation of a text. Of it, usage is read.
    async fn other_answer(&self, body: Vec<u8>, mut response: Response, events: &Events) -> Result<(), Failure> {
        let body = self.rest(body, &mut response, LARGEST_VECTORS).await?;
        if let Some(failure) = error_body::failure_instead(&body) {
            return Err(failure);
        }
        if let Some(usage) = usage_of(&body) {
            // Vectors have no output.
            let output = if self.is_continuation() { usage.output } else { usage.output.or(Some(0)) };
            events.emit(self.event(StreamEvent::Usage(Usage { output, ..usage }))).await?;
        }
        events.emit(Event::Stream(StreamEvent::Finish(FinishReason::Stop))).await?;
        self.pass(body, &response, Told::Answer, events).await
    }

    /// The whole body, of which this much has come.
    async fn rest(&self, mut body: Vec<u8>, response: &mut Response, largest: usize) -> Result<Vec<u8>, Failure> {
        match timeout_at(self.deadlines.first, body::read(response, &mut body, largest)).await {
            Ok(Ok(true)) => Ok(body),
            Ok(Ok(false)) => Err(too_large(largest)),
            Ok(Err(error)) => Err(transport::failure(error, self.client)),
            Err(_) => Err(self.deadlines.exceeded(false)),
        }
    }

    /// Hands a whole body on to the client, if it speaks the gateway's wire format.
    async fn pass(&self, body: Vec<u8>, response: &Response, told: Told, events: &Events) -> Result<(), Failure> {
        if self.passed.is_some() {
            let mut spelling = Spelling::default();
            spelling.read(&self.client.mask, &body);
            spelling.end();
            let bytes = self.client.mask.body(body);
            if spelling.is_split() {
                return Err(repeated_key());
            }
            let content_type = content_type(response, &self.client.mask);
            events.emit(Event::Bytes { bytes: bytes.into(), content_type, told }).await?;
        }
        Ok(())
    }

    /// The words of the answer, without the key where they are for others than its owner.
    pub(super) fn words(&self) -> Words<'_> {
        Words::new(&self.client.mask, self.is_served)
    }

    /// What is told of a piece of the answer.
    fn event(&self, mut piece: StreamEvent) -> Event {
        if let StreamEvent::Usage(usage) = &mut piece
            && self.is_continuation()
        {
            // The text is not read here, and there is one: the gateway does not count.
            usage.output = usage.output.filter(|count| *count > 0);
        }
        Event::Stream(stream::with_id(self.client.mask.event(piece)))
    }

    /// Hands on the events that tell what was decoded.
    pub(super) fn tell(&self, decoded: Decoded, words: &mut Words<'_>, each: &mut impl FnMut(Event)) {
        match decoded {
            Decoded::Event(event) => words.push(event, &mut |event| each(self.event(event))),
            Decoded::Malformed(message) => each(Event::Malformed { message: self.excerpt(&message) }),
        }
    }

    /// The failure of a response with status 200 that is no answer: a login page, a proxy's notice, nothing at all.
    async fn no_answer(&self, head: Vec<u8>, response: Response) -> Failure {
        let body = self.beginning_of(head, response).await;
        if body.iter().all(u8::is_ascii_whitespace) {
            let failure = Failure::new(FailureKind::Protocol, "the gateway's answer is empty").with_status(200);
            return failure.maybe_billed();
        }
        if let Some(refusal) = error_body::refusal(&body) {
            return refusal;
        }
        let message = format!("{} did not send an answer of a model", self.client.gateway.base_url.origin());
        let failure = Failure::new(FailureKind::Protocol, message).with_cause(self.excerpt(&beginning(&body)));
        // No model has written a page, but it may have written another text.
        let is_page = body.trim_ascii_start().starts_with(b"<");
        Failure { maybe_billed: !is_page, ..failure.with_status(200) }
    }

    /// The beginning of a text from the gateway, on one line. Keys are masked before the text is cut, since a part of a key
    /// cannot be told from other words.
    fn excerpt(&self, text: &str) -> String {
        shortened(&self.client.mask.message(&on_one_line(text)), EXCERPT).into_owned()
    }

    pub(super) async fn refusal(&self, response: Response, status: u16) -> Failure {
        let advice = response_headers::retry_advice(response.headers(), status);
        let body = self.beginning_of(Vec::new(), response).await;
        let mut failure = self.adapter.decode_error(status, &body);
        // Of some failures it is told what was taken until then.
        if let Err(DecodeError::Failed(told)) = self.adapter.decode_response(&body) {
            failure.usage = told.usage;
        }
        failure.retry_after = advice.retry_after.or(failure.retry_after);
        failure.should_retry = advice.should_retry.or(failure.should_retry);
        failure
    }

    /// The beginning of the body of a failure, of which this much has come. Any part is enough, since the status alone is.
    async fn beginning_of(&self, mut body: Vec<u8>, mut response: Response) -> Vec<u8> {
        drop(timeout_at(self.deadlines.first, body::read(&mut response, &mut body, LARGEST_ERROR)).await);
        body
    }

    async fn chunk(&self, response: &mut Response) -> Result<Option<Bytes>, Failure> {
        match timeout_at(self.deadlines.first, response.chunk()).await {
            Ok(chunk) => chunk.map_err(|error| transport::failure(error, self.client)),
            Err(_) => Err(self.deadlines.exceeded(false)),
        }
    }
}

/// The failure of an answer of more bytes than these.
pub(super) fn too_large(largest: usize) -> Failure {
    let message = format!("the answer is larger than {} MiB", largest >> 20);
    Failure::new(FailureKind::Protocol, message).maybe_billed()
}

/// The media type of a response.
pub(super) fn content_type(response: &Response, mask: &Mask) -> Option<Arc<str>> {
    let mut media_type = response.headers().get(CONTENT_TYPE)?.to_str().ok()?.to_owned();
    mask.name(&mut media_type);
    Some(media_type.into())
}

/// The beginning of a body as text.
fn beginning(body: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(&body[..body.len().min(LARGEST_ERROR)])
}

/// The first byte that is neither white space nor part of a byte order mark; `None` until it has come.
fn first_letter(bytes: &[u8]) -> Option<u8> {
    if BOM.starts_with(bytes) {
        return None;
    }
    let bytes = bytes.strip_prefix(BOM).unwrap_or(bytes);
    bytes.iter().copied().find(|byte| !byte.is_ascii_whitespace())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_answer_begins_with_is_known_once_it_has_come() {
        let text = b"\xEF\xBB\xBF \n{";
        let letters: Vec<_> = (0..=text.len()).map(|end| first_letter(&text[..end])).collect();
        assert_eq!(letters, [None, None, None, None, None, None, Some(b'{')]);
        assert_eq!(first_letter(b"\xEFx"), Some(0xEF));
        assert_eq!(first_letter(b" data"), Some(b'd'));
    }
}
