//! The events of a call's life, and the channel through which they reach the one consumer of the run.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::mpsc;

use super::{Call, Target};
use crate::chat::{Response, StreamEvent, TokenLogprob, Usage};
use crate::error::{Failure, FailureKind};
use crate::money::Usd;

/// One thing that happened to one call of a run.
#[derive(Debug, Clone)]
pub struct RunEvent {
    /// The position of the call in the run.
    pub call: usize,
    /// The time since the run began, by a monotonic clock.
    pub at: Duration,
    /// What happened.
    pub event: Event,
}

/// What happened to a call.
#[derive(Debug, Clone)]
pub enum Event {
    /// An HTTP request is about to be sent.
    Attempt {
        /// Where it goes.
        target: Target,
    },
    /// Several gateways may be asked for this model, by this call or by others that the user sees beside it, so that what is
    /// said of it names the gateway. Comes before the first attempt.
    SeveralGateways {
        /// The model.
        model: String,
    },
    /// A connection was made for the attempt. There is no such event where one was reused.
    Connected {
        /// The time for DNS, TCP and TLS.
        took: Duration,
    },
    /// The status line and the headers arrived.
    Headers {
        /// The HTTP status.
        status: u16,
        /// What the headers say.
        meta: Meta,
    },
    /// A piece of the answer arrived.
    Stream(StreamEvent),
    /// Bytes of an answer in the wire format of the client, as they arrived. The pieces that are read from them are events of
    /// their own.
    Bytes {
        /// The bytes.
        bytes: Bytes,
        /// The media type of the answer; `None` after the first bytes, and where the gateway gives none.
        content_type: Option<Arc<str>>,
        /// What they tell the client.
        told: Told,
    },
    /// One event of the stream could not be read and was skipped.
    Malformed {
        /// What is wrong with it.
        message: String,
    },
    /// The attempt failed. The next event says whether another attempt follows.
    AttemptFailed {
        /// Why.
        failure: Failure,
    },
    /// The model refuses a parameter, so it is asked again without it or with another one.
    Adjusted {
        /// Who refuses it.
        target: Target,
        /// The refused parameter.
        parameter: &'static str,
        /// What is sent in its place.
        instead: Option<&'static str>,
    },
    /// The same model is tried again after a wait.
    Retry {
        /// The wait.
        after: Duration,
        /// Why the last attempt failed.
        cause: Failure,
    },
    /// The answer comes from the cache, so no request is sent.
    Cached {
        /// The model that gave the answer.
        target: Target,
    },
    /// The user should read this at once.
    Notice {
        /// One sentence.
        message: String,
    },
    /// A further model of the call is not asked.
    NotTried {
        /// One sentence, which names it and the reason.
        message: String,
    },
    /// No model that was asked has begun its answer, so another one is asked as well.
    Hedge {
        /// The model that was asked last and has not begun; `None` where it has ended before the other is asked.
        slow: Option<Target>,
        /// The model that is asked as well.
        to: Target,
    },
    /// The next model is tried instead.
    Fallback {
        /// The model that failed.
        from: Target,
        /// The next model.
        to: Target,
        /// Why the one before failed.
        cause: Failure,
    },
    /// The call is over.
    Done(Result<(), Failure>),
}

impl Event {
    /// Says why this further model of a call is not asked.
    pub fn not_tried(call: &Call, next: &Target, why: &str) -> Self {
        Self::NotTried { message: next.not_tried(call.told_apart(), why) }
    }

    /// What the user is told in words that are ready.
    pub fn message(&self) -> Option<&str> {
        match self {
            Self::Notice { message } | Self::NotTried { message } => Some(message),
            _ => None,
        }
    }

    /// Whether it is a piece of an answer that users see. Nothing is tried again or replaced after the first of them.
    pub fn is_output(&self) -> bool {
        match self {
            Self::Stream(piece) => piece.is_output(),
            Self::Bytes { told, .. } => *told != Told::End,
            _ => false,
        }
    }

    /// How many bytes of an answer it holds.
    fn size(&self) -> usize {
        match self {
            Self::Bytes { bytes, .. } => bytes.len(),
            Self::Stream(piece) => match piece {
                StreamEvent::TextDelta(text)
                | StreamEvent::ReasoningDelta(text)
                | StreamEvent::ReasoningSignature(text)
                | StreamEvent::ToolCallDelta { arguments: text, .. } => text.len(),
                StreamEvent::Logprobs(tokens) => tokens.iter().map(TokenLogprob::size).sum(),
                StreamEvent::Start { .. }
                | StreamEvent::ToolCallStart { .. }
                | StreamEvent::Missing(_)
                | StreamEvent::Usage(_)
                | StreamEvent::Finish(_) => 0,
            },
            _ => 0,
        }
    }
}

/// What the bytes that are passed on tell their client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// A part of an answer.
    Answer,
    /// That the answer has failed.
    Failure,
    /// Why there is no answer, of which nothing has come. Another one may take its place.
    End,
}

/// What the headers of a response say that its body does not.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Meta {
    /// The cost of the answer, where the gateway sends it in a header (LiteLLM does, but not for streams).
    pub cost: Option<Usd>,
    /// The gateway's id of the request, for its support.
    pub request_id: Option<String>,
    /// How often the gateway itself tried again.
    pub upstream_retries: Option<u32>,
    /// How often the gateway itself took another model.
    pub upstream_fallbacks: Option<u32>,
}

/// How many messages wait for a policy which decides later whether their events count.
const BUFFERED_MESSAGES: usize = 64;

/// A message that holds more bytes of an answer is sent when several places are free, so that the bytes that wait are bounded too.
const MESSAGE_BYTES: usize = 64 * 1024;

/// The sending end of the run's one channel, for one call.
#[derive(Debug, Clone)]
pub struct Events {
    call: usize,
    began: Instant,
    sender: mpsc::Sender<Vec<RunEvent>>,
    has_output: Arc<AtomicBool>,
    observer: Option<Observer>,
    /// What is sent directly before the first attempt, until it was.
    announced: Option<Arc<Mutex<Option<Event>>>>,
    undelivered: Undelivered,
}

/// The run was stopped and takes no more events, so the call must end at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stopped;

impl From<Stopped> for Failure {
    fn from(_: Stopped) -> Self {
        Failure::new(FailureKind::Interrupted, "interrupted")
    }
}

impl Events {
    /// A sender whose times are counted from `began`.
    pub fn new(call: usize, began: Instant, sender: mpsc::Sender<Vec<RunEvent>>) -> Self {
        let (observer, announced) = (None, None);
        Self {
            call,
            began,
            sender,
            has_output: Arc::default(),
            observer,
            announced,
            undelivered: Undelivered::default(),
        }
    }

    /// Sends an event that happens now. Waits while the consumer is behind.
    ///
    /// # Errors
    /// The run was stopped.
    pub async fn emit(&self, event: Event) -> Result<(), Stopped> {
        self.emit_at(Instant::now(), event).await
    }

    /// Sends an event that happened at `when`.
    ///
    /// # Errors
    /// The run was stopped.
    pub async fn emit_at(&self, when: Instant, event: Event) -> Result<(), Stopped> {
        self.forward(&mut vec![self.event(when, event)]).await
    }

    /// Makes an event of this call without sending it.
    pub fn event(&self, when: Instant, event: Event) -> RunEvent {
        RunEvent { call: self.call, at: when.saturating_duration_since(self.began), event }
    }

    /// Sends these events in one message, and leaves the list empty. If this is dropped while it waits, none is sent and the
    /// list is as it was.
    ///
    /// # Errors
    /// The run was stopped.
    pub async fn forward(&self, events: &mut Vec<RunEvent>) -> Result<(), Stopped> {
        if events.is_empty() {
            return Ok(());
        }
        let bytes: usize = events.iter().map(|event| event.event.size()).sum();
        // One larger than the channel is sent when nothing else waits.
        let places = (bytes / MESSAGE_BYTES).clamp(1, self.sender.max_capacity());
        let mut permits = self.sender.reserve_many(places).await.map_err(|_| Stopped)?;
        self.announce(events);
        if events.iter().any(|event| event.event.is_output()) {
            self.has_output.store(true, Ordering::Relaxed);
        }
        if let Some(observer) = &self.observer {
            observer.observe(events);
        }
        if let Some(permit) = permits.next() {
            permit.send(std::mem::take(events));
        }
        Ok(())
    }

    /// Puts what is to be sent before the first attempt into its place, if that is one of these.
    fn announce(&self, events: &mut Vec<RunEvent>) {
        let Some(announced) = &self.announced else { return };
        let Some(place) = events.iter().position(|event| matches!(event.event, Event::Attempt { .. })) else { return };
        if let Some(event) = announced.lock().unwrap_or_else(PoisonError::into_inner).take() {
            events.insert(place, RunEvent { event, ..events[place].clone() });
        }
    }

    /// Keeps events that cannot be sent any more because the call is being dropped. The engine sends them later.
    pub fn keep_undelivered(&self, events: impl IntoIterator<Item = RunEvent>) {
        self.undelivered.add(events);
    }

    /// Where such events are kept.
    pub fn undelivered(&self) -> Undelivered {
        self.undelivered.clone()
    }

    /// This sender with an observer that sees everything that is sent through it.
    pub fn observed(&self) -> (Self, Observer) {
        let observer = self.observer.clone().unwrap_or_default();
        (Self { observer: Some(observer.clone()), ..self.clone() }, observer)
    }

    /// This sender, which sends the event directly before the first attempt. Where none is made, it is not sent.
    #[must_use]
    pub fn announcing(&self, event: Event) -> Self {
        Self { announced: Some(Arc::new(Mutex::new(Some(event)))), ..self.clone() }
    }

    /// A sender for a part of this call, whose events go to the receiver until it is known whether they count.
    pub fn buffered(&self) -> (Self, mpsc::Receiver<Vec<RunEvent>>) {
        let (sender, receiver) = mpsc::channel(BUFFERED_MESSAGES);
        (Self::new(self.call, self.began, sender), receiver)
    }

    /// Whether a piece of the answer has reached the user. From then on nothing is tried again or replaced.
    pub fn has_output(&self) -> bool {
        self.has_output.load(Ordering::Relaxed)
    }
}

/// The events that a stopped call could not send.
#[derive(Debug, Clone, Default)]
pub struct Undelivered(Arc<Mutex<Vec<RunEvent>>>);

impl Undelivered {
    /// Takes all of them; a second call returns none.
    pub fn take(&self) -> Vec<RunEvent> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn add(&self, events: impl IntoIterator<Item = RunEvent>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(events);
    }
}

/// A handle through which a policy sees what its call has sent.
#[derive(Debug, Clone, Default)]
pub struct Observer(Arc<Mutex<Observed>>);

/// What a call has sent so far.
#[derive(Debug, Default)]
pub struct Observed {
    /// The answer, as far as it has arrived.
    pub response: Response,
    /// The cost of the answer, where a header said it.
    pub cost: Option<Usd>,
    /// The cost of failed attempts, where the gateway reported it.
    pub failed_cost: Usd,
    /// What came of each failed attempt that may be billed although the gateway reported no cost.
    pub lost: Vec<Lost>,
    /// Whether an attempt is running.
    pub is_running: bool,
    /// Whether the gateway has told all that the answer took, because it has ended or failed.
    pub is_final: bool,
    /// The bytes that the client got of the answer, where somebody wants to know them.
    pub passed: Option<Passed>,
}

/// The bytes of an answer in the wire format of the client, and their media type.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Passed {
    /// The media type; `None` where the gateway gave none.
    pub content_type: Option<Arc<str>>,
    /// All that was handed on.
    pub bytes: Vec<u8>,
}

/// An answer that broke off.
#[derive(Debug)]
pub struct Lost {
    /// The model that answered, as far as it was told.
    pub model: Option<String>,
    /// What was used until then.
    pub usage: Usage,
}

impl Observer {
    /// What was sent until now.
    pub fn observed(&self) -> MutexGuard<'_, Observed> {
        // What was observed before a panic elsewhere is still true.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn observe(&self, events: &[RunEvent]) {
        let mut observed = self.observed();
        for event in events {
            observed.take(&event.event);
        }
    }
}

impl Observed {
    fn take(&mut self, event: &Event) {
        match event {
            Event::Attempt { .. } => {
                (self.response, self.cost, self.is_running) = (Response::default(), None, true);
                self.is_final = false;
                self.passed = self.passed.take().map(|_| Passed::default());
            }
            Event::Bytes { bytes, content_type, .. } => {
                if let Some(passed) = &mut self.passed {
                    passed.bytes.extend_from_slice(bytes);
                    passed.content_type = passed.content_type.take().or_else(|| content_type.clone());
                }
            }
            Event::Headers { meta, .. } => self.cost = meta.cost,
            Event::Stream(event) => {
                self.response.apply(event);
                self.is_final |= self.response.finish.is_some();
            }
            Event::AttemptFailed { failure } => self.end_failed_attempt(failure),
            _ => {}
        }
    }

    fn end_failed_attempt(&mut self, failure: &Failure) {
        self.is_running = false;
        if let Some(usage) = &failure.usage {
            self.response.usage.update(usage);
            self.is_final = true;
        }
        if let Some(cost) = self.response.usage.cost.or(self.cost) {
            self.failed_cost += cost;
            (self.response, self.cost, self.is_final) = (Response::default(), None, false);
            return;
        }
        // An answer that came to its end has told all of its usage, although it is not the answer that was wanted.
        let is_told = self.is_final && !self.response.usage.is_unknown();
        if !is_told && (self.response.bill_is_open() || failure.maybe_billed) {
            let Response { model, usage, .. } = std::mem::take(&mut self.response);
            self.is_final = false;
            self.lost.push(Lost { model, usage });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn large_messages_wait_one_by_one() {
        let (sender, mut receiver) = mpsc::channel(4);
        let events = Events::new(0, Instant::now(), sender);
        let piece = |bytes: usize| Event::Stream(StreamEvent::TextDelta("x".repeat(bytes)));
        for _ in 0..2 {
            events.emit(piece(2 * MESSAGE_BYTES)).await.expect("the run goes on");
        }
        let large = [piece(3 * MESSAGE_BYTES), piece(100 * MESSAGE_BYTES)];
        for event in large {
            let mut sending = std::pin::pin!(events.emit(event));
            assert!(futures_util::poll!(&mut sending).is_pending(), "others wait");
            while receiver.try_recv().is_ok() {}
            sending.await.expect("the run goes on");
        }
        assert!(receiver.try_recv().is_ok(), "what is larger than all places is sent as well");
    }
}
