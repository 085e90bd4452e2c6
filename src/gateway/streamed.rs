//! Reads a streamed answer.

use std::pin::{Pin, pin};
use std::time::Duration;

use bytes::Bytes;
use reqwest::Response;
use tokio::task::yield_now;
use tokio::time::{Instant, Sleep, sleep_until, timeout_at};

use super::answer::{LARGEST_ANSWER, Reading, content_type, too_large};
use super::deadlines::Deadlines;
use super::relay::Relay;
use super::transport;
use super::words::Words;
use crate::adapter::Flow;
use crate::adapter::stream::{Decoded, Stream};
use crate::call::{Event, Events, RunEvent, Stopped, Told};
use crate::chat::StreamEvent;
use crate::error::{Failure, FailureKind};

/// How long the bytes of a stream are held back that has not begun its answer, so that another model can still be asked.
const HELD_BACK: Duration = Duration::from_secs(1);
/// How long a stream may go on after the finish reason: to report usage, and after that to end.
const GRACE: Duration = Duration::from_secs(2);
const SHORT_GRACE: Duration = Duration::from_millis(250);
/// After a chunk of so many bytes, signals, time limits and other calls have their turn: it may hold a thousand events, and what a
/// compressed body holds comes without a wait.
const LARGE_CHUNK: usize = 4 * 1024;
/// Events are sent at the latest when this many bytes of the body have been read, so that they do not fill the memory.
const MESSAGE: usize = 64 * 1024;

impl Reading<'_> {
    pub(super) async fn streamed_answer(
        &self,
        head: Vec<u8>,
        response: Response,
        events: &Events,
    ) -> Result<(), Failure> {
        let mut unsent = Unsent::new(events);
        let mut words = self.words();
        let result = self.read_stream(head, response, &mut words, &mut unsent).await;
        words.flush(&mut |event| unsent.push(Instant::now(), Event::Stream(event)));
        unsent.send().await?;
        result
    }

    /// Reads a stream to its end. Leaves the events that are not sent yet in `unsent`.
    async fn read_stream(
        &self,
        head: Vec<u8>,
        mut response: Response,
        words: &mut Words<'_>,
        unsent: &mut Unsent<'_>,
    ) -> Result<(), Failure> {
        let mut relay =
            self.passed.map(|body| Relay::new(&self.client.mask, body, content_type(&response, &self.client.mask)));
        let mut stream = Stream::new(self.adapter);
        let mut decoded = Vec::new();
        let mut limit = StreamLimit::new(self.deadlines, self.wants_one);
        let release = Instant::now() + HELD_BACK;
        let mut timer = pin!(sleep_until(limit.deadline));
        let mut frames = 0;
        let mut read = head.len();
        let mut flow = stream.push(&head, &mut decoded);
        relay.iter_mut().for_each(|relay| relay.add(Bytes::copy_from_slice(&head)));
        loop {
            let arrived = Instant::now();
            for piece in decoded.drain(..) {
                limit.put_off(&piece, arrived);
                self.tell(piece, words, &mut |event| unsent.push(arrived, event));
            }
            if let Some(relay) = &mut relay {
                if words.is_split() || relay.has_split_secret() {
                    return Err(stream.broken_by(repeated_key()));
                }
                let is_decided = limit.spoke || stream.finished() && !self.is_void(&stream);
                let is_late = flow.is_ok() && arrived >= release && !self.is_void(&stream);
                if is_decided || is_late || !self.is_generated() {
                    relay.open();
                }
                // What ends with the beginning of a key is passed on once it has gone on otherwise.
                if !words.is_open() {
                    relay.take(self.told(&stream)).for_each(|event| unsent.push(arrived, event));
                }
            }
            match flow? {
                Flow::Done => break,
                Flow::Continue => {}
            }
            let is_refusal = stream.is_refusal();
            let has_more = std::mem::replace(&mut frames, stream.frames()) < stream.frames();
            if stream.finished() {
                limit.after_end(stream.has_usage(), has_more, arrived);
            } else if is_refusal {
                limit.deadline = limit.deadline.min(arrived + SHORT_GRACE);
            }
            if unsent.read >= MESSAGE {
                unsent.send().await?;
            }
            let is_held = relay.as_ref().is_some_and(|relay| !relay.is_open());
            let wake = if is_held && arrived < release { limit.deadline.min(release) } else { limit.deadline };
            // Where chunks come without a wait, the timer is never asked.
            let next = match arrived < limit.deadline {
                true => next_chunk(&mut response, unsent, timer.as_mut(), wake).await?,
                false => None,
            };
            match next {
                Some(Ok(Some(chunk))) => {
                    unsent.read += chunk.len();
                    read += chunk.len();
                    // A client that waits for a whole answer gets all of it at once.
                    if read > LARGEST_ANSWER && relay.is_some() && !self.is_stream() {
                        return Err(stream.broken_by(too_large(LARGEST_ANSWER)));
                    }
                    flow = stream.push(&chunk, &mut decoded);
                    relay.iter_mut().for_each(|relay| relay.add(chunk.clone()));
                    if chunk.len() >= LARGE_CHUNK {
                        yield_now().await;
                    }
                }
                Some(Ok(None)) => break,
                None if wake < limit.deadline => flow = Ok(Flow::Continue),
                // Whatever follows the finish reason of a single answer is no part of it, and no answer follows a refusal.
                Some(Err(_)) | None if stream.finished() && self.wants_one || is_refusal => break,
                Some(Err(error)) => return Err(stream.broken_by(transport::failure(error, self.client))),
                None => return Err(stream.broken_by(self.deadlines.exceeded(limit.spoke))),
            }
        }
        let outcome = stream.end(&mut decoded).and_then(|()| self.told_whole(stream.missing()));
        let ended = Instant::now();
        decoded.drain(..).for_each(|piece| self.tell(piece, words, &mut |event| unsent.push(ended, event)));
        words.flush(&mut |event| unsent.push(ended, Event::Stream(event)));
        if let Some(mut relay) = relay {
            if words.is_split() {
                return Err(stream.broken_by(repeated_key()));
            }
            unsent.send().await?;
            // The answer may have come to its end in an event without a line end.
            if stream.finished() && !self.has_none(&outcome) {
                relay.open();
            }
            let is_told = stream.has_reported_failure();
            let told = self.told(&stream);
            relay_rest(&mut relay, response).await;
            relay.end(outcome.is_err() && !stream.finished() && !is_told);
            if relay.has_split_secret() {
                return Err(stream.broken_by(repeated_key()));
            }
            relay.take(told).for_each(|event| unsent.push(Instant::now(), event));
        }
        outcome
    }

    /// Whether the gateway ended the stream before anything of an answer came.
    fn is_void(&self, stream: &Stream) -> bool {
        self.wants_one && stream.is_void()
    }

    /// What the bytes of this stream tell their client.
    fn told(&self, stream: &Stream) -> Told {
        match () {
            () if stream.has_reported_failure() => Told::Failure,
            () if self.is_void(stream) => Told::End,
            () => Told::Answer,
        }
    }
}

/// The failure of an answer in which a key comes in several pieces. They cannot be masked in bytes that are passed on.
pub(super) fn repeated_key() -> Failure {
    Failure::new(FailureKind::Protocol, REPEATED_KEY)
}

/// What it says. The end of such an answer is not passed on, whatever the gateway says of it.
pub(crate) const REPEATED_KEY: &str = "the answer repeats a key of this server, and was ended there";

/// Takes in the bytes to their end, those behind the last event among them.
async fn relay_rest(relay: &mut Relay<'_>, mut response: Response) {
    let limit = Instant::now() + SHORT_GRACE;
    while let Ok(Ok(Some(chunk))) = timeout_at(limit, response.chunk()).await {
        relay.add(chunk);
    }
}

/// How long a stream may go on without another piece of the answer.
struct StreamLimit {
    deadlines: Deadlines,
    deadline: Instant,
    /// Whether the answer has begun.
    spoke: bool,
    /// Whether the request wants a single answer. Others may go on when the first one, which is all that is read, has ended.
    is_one: bool,
}

impl StreamLimit {
    fn new(deadlines: Deadlines, is_one: bool) -> Self {
        Self { deadlines, deadline: deadlines.first, spoke: false, is_one }
    }

    /// Takes in that the finish reason has come. `has_more` says whether anything but comments has come with it or after it.
    fn after_end(&mut self, has_usage: bool, has_more: bool, arrived: Instant) {
        if !self.is_one {
            if has_more {
                self.deadline = self.deadlines.next_piece(arrived);
            }
        } else if has_usage {
            self.deadline = self.deadline.min(arrived + SHORT_GRACE);
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::FinishReason;
    use crate::config::Timeouts;
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

    #[test]
    fn after_the_end_of_the_first_answer_others_have_as_long_as_before_and_usage_has_a_moment() {
        let timeouts = Timeouts { idle: Duration::from_secs(60), ..Timeouts::default() };
        let now = Instant::now();
        for (is_one, has_usage, left) in [
            (true, false, GRACE),
            (true, true, SHORT_GRACE),
            (false, false, timeouts.idle),
            (false, true, timeouts.idle),
        ] {
            let mut limit = StreamLimit::new(Deadlines::new(&timeouts, None), is_one);
            limit.put_off(&Decoded::Event(StreamEvent::Finish(FinishReason::Stop)), now);
            limit.after_end(has_usage, true, now);
            limit.after_end(has_usage, false, now + SHORT_GRACE);
            assert_eq!(limit.deadline - now, left, "one: {is_one}, usage: {has_usage}");
        }
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
}
