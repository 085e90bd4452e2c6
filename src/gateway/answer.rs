//! Reads the response to a request: a stream, one JSON object, a refusal, or something that is no answer.

use std::borrow::Cow;
use std::pin::{Pin, pin};
use std::time::Duration;

use bytes::Bytes;
use reqwest::Response;
use tokio::task::yield_now;
use tokio::time::{Instant, Sleep, sleep_until, timeout_at};

use super::deadlines::Deadlines;
use super::{Client, response_headers, transport};
use crate::adapter::sse::BOM;
use crate::adapter::stream::{self, Decoded, Stream};
use crate::adapter::{Adapter, DecodeError, Flow};
use crate::call::{Event, Events, RunEvent, Stopped};
use crate::chat::StreamEvent;
use crate::error::{Failure, FailureKind};

/// The largest answer in one piece, in bytes.
const LARGEST_ANSWER: usize = 32 * 1024 * 1024;
/// The number of bytes of the body of a failed response that are read.
const LARGEST_ERROR: usize = 64 * 1024;
/// How long a stream may go on after the finish reason: to report usage, and after that to end.
const GRACE: Duration = Duration::from_secs(2);
const SHORT_GRACE: Duration = Duration::from_millis(250);
/// Events are sent at the latest when this many bytes of the body have been read, so that they do not fill the memory.
const MESSAGE: usize = 64 * 1024;
/// The number of characters of a body that is not an answer which are shown.
const EXCERPT: usize = 200;

/// The response to one request, in the wire format of that request.
#[derive(Clone, Copy)]
pub(super) struct Reading<'a> {
    pub(super) client: &'a Client,
    pub(super) adapter: &'static dyn Adapter,
    pub(super) deadlines: Deadlines,
}

impl Reading<'_> {
    /// Reads an answer. Some gateways send one JSON object, or a JSON list, where events were asked for.
    pub(super) async fn answer(&self, mut response: Response, events: &Events) -> Result<(), Failure> {
        let mut head = Vec::new();
        loop {
            match first_letter(&head) {
                Some(b'{') => return self.whole_answer(head, response, events).await,
                Some(b'[' | b'd' | b'e' | b'i' | b'r' | b':') => {
                    return self.streamed_answer(&head, response, events).await;
                }
                Some(_) => return Err(self.no_answer(head, response).await),
                None => match self.chunk(&mut response).await? {
                    Some(chunk) if head.len() <= LARGEST_ERROR => head.extend_from_slice(&chunk),
                    _ => return Err(self.no_answer(head, response).await),
                },
            }
        }
    }

    async fn whole_answer(&self, mut body: Vec<u8>, mut response: Response, events: &Events) -> Result<(), Failure> {
        while let Some(chunk) = self.chunk(&mut response).await? {
            body.extend_from_slice(&chunk);
            if body.len() > LARGEST_ANSWER {
                let message = format!("the answer is larger than {} MiB", LARGEST_ANSWER >> 20);
                return Err(Failure::new(FailureKind::Protocol, message));
            }
        }
        let answer = match self.adapter.decode_response(&body) {
            Ok(answer) => answer,
            Err(DecodeError::Failed(failure)) => return Err(failure),
            Err(DecodeError::Malformed(why)) => {
                let failure = Failure::new(FailureKind::Protocol, "the gateway's answer cannot be read");
                return Err(failure.with_cause(format!("{why}: {}", self.excerpt(&beginning(&body)))));
            }
        };
        let outcome = stream::complete(answer.finish.as_ref());
        for event in answer.into_events() {
            events.emit(self.event(Decoded::Event(event))).await?;
        }
        outcome
    }

    async fn streamed_answer(&self, head: &[u8], response: Response, events: &Events) -> Result<(), Failure> {
        let mut unsent = Unsent::new(events);
        let result = self.read_stream(head, response, &mut unsent).await;
        unsent.send().await?;
        result
    }

    /// Reads a stream to its end. Leaves the events that are not sent yet in `unsent`.
    async fn read_stream(&self, head: &[u8], mut response: Response, unsent: &mut Unsent<'_>) -> Result<(), Failure> {
        let mut stream = Stream::new(self.adapter);
        let mut decoded = Vec::new();
        let mut limit = StreamLimit::new(self.deadlines);
        let mut timer = pin!(sleep_until(limit.deadline));
        let mut flow = stream.push(head, &mut decoded);
        loop {
            let arrived = Instant::now();
            for piece in decoded.drain(..) {
                limit.put_off(&piece, arrived);
                unsent.push(arrived, self.event(piece));
            }
            match flow? {
                Flow::Done => break,
                Flow::Continue => {}
            }
            if stream.finished() && stream.has_usage() {
                limit.deadline = limit.deadline.min(arrived + SHORT_GRACE);
            }
            if unsent.read >= MESSAGE {
                unsent.send().await?;
            }
            match next_chunk(&mut response, unsent, timer.as_mut(), limit.deadline).await? {
                Some(Ok(Some(chunk))) => {
                    unsent.read += chunk.len();
                    flow = stream.push(&chunk, &mut decoded);
                }
                Some(Ok(None)) => break,
                // Whatever follows the finish reason is not part of the answer.
                Some(Err(_)) | None if stream.finished() => break,
                Some(Err(error)) => return Err(stream.broken_by(transport::failure(error, self.client))),
                None => return Err(stream.broken_by(self.deadlines.exceeded(limit.spoke))),
            }
        }
        let outcome = stream.end(&mut decoded);
        let ended = Instant::now();
        decoded.drain(..).for_each(|piece| unsent.push(ended, self.event(piece)));
        outcome
    }

    /// The event that tells what was decoded.
    fn event(&self, decoded: Decoded) -> Event {
        match decoded {
            Decoded::Event(mut event) => {
                self.client.mask.event(&mut event);
                Event::Stream(event)
            }
            Decoded::Malformed(message) => Event::Malformed { message: self.excerpt(&message) },
        }
    }

    /// The failure of a response with status 200 that is no answer: a login page, a proxy's notice, nothing at all.
    async fn no_answer(&self, head: Vec<u8>, response: Response) -> Failure {
        let body = self.beginning_of(head, response).await;
        if body.iter().all(u8::is_ascii_whitespace) {
            return Failure::new(FailureKind::Protocol, "the gateway's answer is empty").with_status(200);
        }
        let message = format!("{} did not send an answer of a model", self.client.gateway.base_url.origin());
        Failure::new(FailureKind::Protocol, message).with_cause(self.excerpt(&beginning(&body))).with_status(200)
    }

    /// The beginning of a text from the gateway, on one line. Keys are masked before the text is cut, since a part of a key
    /// cannot be told from other words.
    fn excerpt(&self, text: &str) -> String {
        let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let mut excerpt = self.client.mask.message(&line);
        if let Some((at, _)) = excerpt.char_indices().nth(EXCERPT) {
            excerpt.truncate(at);
            excerpt.push('…');
        }
        excerpt
    }

    pub(super) async fn refusal(&self, response: Response, status: u16) -> Failure {
        let advice = response_headers::retry_advice(response.headers(), status);
        let body = self.beginning_of(Vec::new(), response).await;
        let mut failure = self.adapter.decode_error(status, &body);
        failure.retry_after = advice.retry_after.or(failure.retry_after);
        failure.should_retry = advice.should_retry.or(failure.should_retry);
        failure
    }

    /// The beginning of the body of a failure, after what of it has been read. A part is enough, and so is none.
    async fn beginning_of(&self, mut body: Vec<u8>, mut response: Response) -> Vec<u8> {
        while body.len() < LARGEST_ERROR
            && let Ok(Some(chunk)) = self.chunk(&mut response).await
        {
            body.extend_from_slice(&chunk);
        }
        body
    }

    async fn chunk(&self, response: &mut Response) -> Result<Option<Bytes>, Failure> {
        match timeout_at(self.deadlines.first, response.chunk()).await {
            Ok(chunk) => chunk.map_err(|error| transport::failure(error, self.client)),
            Err(_) => Err(self.deadlines.exceeded(false)),
        }
    }
}

/// How long a stream may go on without another piece of the answer.
struct StreamLimit {
    deadlines: Deadlines,
    deadline: Instant,
    /// Whether the answer has begun.
    spoke: bool,
}

impl StreamLimit {
    fn new(deadlines: Deadlines) -> Self {
        Self { deadlines, deadline: deadlines.first, spoke: false }
    }

    fn put_off(&mut self, piece: &Decoded, arrived: Instant) {
        match piece {
            Decoded::Event(StreamEvent::Finish(_)) => self.deadline = arrived + GRACE,
            Decoded::Event(StreamEvent::Usage(_) | StreamEvent::Start { .. }) | Decoded::Malformed(_) => {}
            Decoded::Event(_) => (self.spoke, self.deadline) = (true, self.deadlines.next_piece(arrived)),
        }
    }
}

/// Events of a stream that have arrived and are not sent yet. If the call is dropped before, the engine sends them.
struct Unsent<'a> {
    events: &'a Events,
    list: Vec<RunEvent>,
    /// How many bytes of the body have been read since the last message.
    read: usize,
}

impl<'a> Unsent<'a> {
    fn new(events: &'a Events) -> Self {
        Self { events, list: Vec::new(), read: 0 }
    }

    fn push(&mut self, arrived: Instant, event: Event) {
        self.list.push(self.events.event(arrived.into_std(), event));
    }

    /// Sends all of them in one message. Dropping this future loses none.
    async fn send(&mut self) -> Result<(), Stopped> {
        self.events.forward(&mut self.list).await?;
        self.read = 0;
        Ok(())
    }

    /// Sends them as soon as no task can go on.
    async fn send_when_idle(&mut self) -> Result<(), Stopped> {
        yield_now().await;
        self.send().await
    }
}

impl Drop for Unsent<'_> {
    fn drop(&mut self) {
        self.events.keep_undelivered(self.list.drain(..));
    }
}

/// The next chunk of the body; `None` if it has not come by the deadline. Events are sent while nothing arrives, so that those
/// that arrive together go in one message.
///
/// # Errors
/// The run was stopped.
async fn next_chunk(
    response: &mut Response,
    unsent: &mut Unsent<'_>,
    mut timer: Pin<&mut Sleep>,
    deadline: Instant,
) -> Result<Option<reqwest::Result<Option<Bytes>>>, Stopped> {
    // Most deadlines are put off long before they pass, so the timer is set only if it is too late, or has fired too early.
    if timer.deadline() > deadline {
        timer.as_mut().reset(deadline);
    }
    loop {
        let is_sent = unsent.list.is_empty();
        tokio::select! {
            biased;
            chunk = response.chunk() => return Ok(Some(chunk)),
            sent = unsent.send_when_idle(), if !is_sent => sent?,
            () = &mut timer, if is_sent => {
                if timer.deadline() >= deadline {
                    return Ok(None);
                }
                timer.as_mut().reset(deadline);
            }
        }
    }
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
    use tokio::sync::mpsc;

    fn notice(message: &str) -> Event {
        Event::Notice { message: message.into() }
    }

    #[tokio::test]
    async fn events_that_arrive_together_go_in_one_message() {
        let (sender, mut messages) = mpsc::channel(1);
        let events = Events::new(0, Instant::now().into_std(), sender);
        let mut unsent = Unsent::new(&events);
        for message in ["a", "b", "c"] {
            unsent.push(Instant::now(), notice(message));
        }
        unsent.send_when_idle().await.expect("the run goes on");
        assert_eq!(messages.try_recv().expect("a message").len(), 3);
        unsent.send().await.expect("nothing to send");
        assert!(messages.try_recv().is_err(), "no message is empty");
    }

    #[tokio::test]
    async fn events_that_could_not_be_sent_are_kept_for_the_engine() {
        let (sender, mut messages) = mpsc::channel(1);
        let events = Events::new(0, Instant::now().into_std(), sender);
        events.emit(notice("fills the channel")).await.expect("the run goes on");
        let mut unsent = Unsent::new(&events);
        unsent.push(Instant::now(), notice("a"));
        assert!(timeout_at(Instant::now(), unsent.send()).await.is_err(), "the channel is full");
        unsent.push(Instant::now(), notice("b"));
        drop(unsent);
        assert_eq!(events.undelivered().take().len(), 2);
        assert_eq!(messages.try_recv().expect("a message").len(), 1);
    }

    #[test]
    fn what_an_answer_begins_with_is_known_once_it_has_come() {
        let text = b"\xEF\xBB\xBF \n{";
        let letters: Vec<_> = (0..=text.len()).map(|end| first_letter(&text[..end])).collect();
        assert_eq!(letters, [None, None, None, None, None, None, Some(b'{')]);
        assert_eq!(first_letter(b"\xEFx"), Some(0xEF));
        assert_eq!(first_letter(b" data"), Some(b'd'));
    }
}
