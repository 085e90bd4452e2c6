//! A scripted gateway, for tests of policies under a paused clock.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{self, Instant};

use crate::call::Service;
use crate::call::{Call, Choice, Event, Events, RunEvent, Target};
use crate::chat::{FinishReason, Request, StreamEvent, Usage};
use crate::error::{Failure, FailureKind};
use crate::record::{Record, Recorder};

/// What happens to one request.
#[derive(Debug, Clone)]
pub(super) struct Reply {
    /// How long after the request the answer begins, or the reply ends without one.
    pub(super) after: Duration,
    /// Whether a piece of the answer is sent.
    pub(super) begins: bool,
    /// How long after the piece the reply ends.
    pub(super) ends_after: Duration,
    pub(super) result: Result<(), Failure>,
    /// Whether the usage is reported before the first piece, as Anthropic does.
    pub(super) reports_input_early: bool,
    /// The finish reason of a complete answer.
    pub(super) finish: FinishReason,
    /// The usage that the reply reports.
    pub(super) usage: Usage,
}

impl Reply {
    pub(super) fn answer() -> Self {
        Self {
            after: Duration::ZERO,
            begins: true,
            ends_after: Duration::ZERO,
            reports_input_early: false,
            result: Ok(()),
            finish: FinishReason::Stop,
            usage: Usage { input: Some(10), output: Some(1), ..Usage::default() },
        }
    }

    pub(super) fn failure(failure: Failure) -> Self {
        Self { begins: false, result: Err(failure), ..Self::answer() }
    }

    pub(super) fn kind(kind: FailureKind) -> Self {
        Self::failure(Failure::new(kind, kind.as_str()))
    }

    pub(super) fn status(status: u16) -> Self {
        Self::failure(Failure::new(FailureKind::from_status(status), "no").with_status(status))
    }

    pub(super) fn after(self, ms: u64) -> Self {
        Self { after: Duration::from_millis(ms), ..self }
    }

    pub(super) fn lasts(self, ms: u64) -> Self {
        Self { ends_after: Duration::from_millis(ms), ..self }
    }

    pub(super) fn begins(self) -> Self {
        Self { begins: true, ..self }
    }

    pub(super) fn reports_input_early(self) -> Self {
        Self { reports_input_early: true, ..self }
    }

    pub(super) fn reports_no_usage(self) -> Self {
        Self { usage: Usage::default(), ..self }
    }

    pub(super) fn finishes(self, finish: FinishReason) -> Self {
        Self { finish, ..self }
    }
}

/// The replies of each model, in order. The last reply of a model is repeated.
#[derive(Debug, Default)]
pub(super) struct Canned {
    replies: Mutex<HashMap<String, VecDeque<Reply>>>,
    seen: Mutex<Vec<(String, Instant)>>,
    /// The number of requests that had come when the first piece of an answer was sent.
    requests_before_output: Mutex<Option<usize>>,
    /// When requests ended, or were dropped.
    ended: Mutex<Vec<(String, Instant)>>,
    /// The number of running requests, and the highest number so far.
    running: Mutex<(usize, usize)>,
}

impl Canned {
    pub(super) fn new(replies: impl IntoIterator<Item = (&'static str, Vec<Reply>)>) -> Arc<Self> {
        let replies = replies.into_iter().map(|(model, replies)| (model.to_owned(), replies.into())).collect();
        Arc::new(Self { replies: Mutex::new(replies), ..Self::default() })
    }

    /// The models that were asked, in order.
    pub(super) fn asked(&self) -> Vec<String> {
        self.seen.lock().expect("no test panics here").iter().map(|(model, _)| model.clone()).collect()
    }

    /// When requests came.
    pub(super) fn times(&self) -> Vec<Instant> {
        self.seen.lock().expect("no test panics here").iter().map(|(_, at)| *at).collect()
    }

    /// Whether requests came after the first piece of an answer.
    pub(super) fn asked_after_output(&self) -> bool {
        self.requests_before_output.lock().expect("no test panics here").is_some_and(|asked| asked < self.asked().len())
    }

    /// When the last request to this model ended, or was dropped.
    pub(super) fn ended(&self, model: &str) -> Option<Instant> {
        let ended = self.ended.lock().expect("no test panics here");
        ended.iter().rev().find(|(ended, _)| ended == model).map(|(_, at)| *at)
    }

    pub(super) fn running(&self) -> usize {
        self.running.lock().expect("no test panics here").0
    }

    pub(super) fn most_at_once(&self) -> usize {
        self.running.lock().expect("no test panics here").1
    }
}

/// Counts a request as running until it is dropped.
struct Running<'a> {
    gateway: &'a Canned,
    model: &'a str,
}

impl<'a> Running<'a> {
    fn new(gateway: &'a Canned, model: &'a str) -> Self {
        let mut now = gateway.running.lock().expect("no test panics here");
        now.0 += 1;
        now.1 = now.1.max(now.0);
        Self { gateway, model }
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.gateway.running.lock().expect("no test panics here").0 -= 1;
        self.gateway.ended.lock().expect("no test panics here").push((self.model.to_owned(), Instant::now()));
    }
}

impl Service for Canned {
    async fn call(&self, call: &Call, events: &Events) -> Result<(), Failure> {
        let model = call.target().model.clone();
        let _running = Running::new(self, &model);
        let reply = {
            let mut replies = self.replies.lock().expect("no test panics here");
            let queue = replies.get_mut(&model).expect("a model that the test knows");
            if queue.len() > 1 { queue.pop_front() } else { queue.front().cloned() }.expect("a reply")
        };
        self.seen.lock().expect("no test panics here").push((model.clone(), Instant::now()));
        events.emit(Event::Attempt { target: call.target().clone() }).await?;
        time::sleep(reply.after).await;
        if reply.reports_input_early {
            events.emit(Event::Stream(StreamEvent::Usage(reply.usage))).await?;
        }
        if reply.begins {
            self.requests_before_output.lock().expect("no test panics here").get_or_insert(self.asked().len());
            events.emit(Event::Stream(StreamEvent::TextDelta(model.clone()))).await?;
        }
        time::sleep(reply.ends_after).await;
        if reply.result.is_ok() || reply.finish != FinishReason::Stop {
            events.emit(Event::Stream(StreamEvent::Usage(reply.usage))).await?;
            events.emit(Event::Stream(StreamEvent::Finish(reply.finish.clone()))).await?;
        }
        if let Err(failure) = &reply.result {
            events.emit(Event::AttemptFailed { failure: failure.clone() }).await?;
        }
        reply.result
    }
}

/// A call to these models of the gateway `g`.
pub(super) fn call(models: &[&str]) -> Call {
    let choice = |model: &&str| Choice::from(Target { gateway: "g".into(), model: (*model).into() });
    let request = Arc::new(Request::default());
    let call = Call::new(0, models[0], models.iter().map(choice).collect(), request);
    Call { id: "id".into(), idempotency_key: "id".into(), ..call }
}

/// Waits for all of these at once.
pub(super) async fn all<F: Future>(futures: impl IntoIterator<Item = F>) -> Vec<F::Output> {
    let mut running: Vec<_> = futures.into_iter().map(|future| Some(Box::pin(future))).collect();
    let mut outputs: Vec<_> = running.iter().map(|_| None).collect();
    std::future::poll_fn(|context| {
        for (future, output) in running.iter_mut().zip(&mut outputs) {
            if let Some(pending) = future
                && let Poll::Ready(ready) = pending.as_mut().poll(context)
            {
                (*future, *output) = (None, Some(ready));
            }
        }
        if running.iter().any(Option::is_some) { Poll::Pending } else { Poll::Ready(()) }
    })
    .await;
    outputs.into_iter().flatten().collect()
}

/// Makes the call, and returns its result and events.
pub(super) async fn run(service: &impl Service, call: &Call) -> (Result<(), Failure>, Vec<RunEvent>) {
    let (result, events) = run_for(service, call, Duration::MAX).await;
    (result.expect("the limit is never reached"), events)
}

/// Makes the call, and stops it after this time. Returns its result, if it ended, and its events.
pub(super) async fn run_for(
    service: &impl Service,
    call: &Call,
    limit: Duration,
) -> (Option<Result<(), Failure>>, Vec<RunEvent>) {
    let (sender, mut receiver) = mpsc::channel(4096);
    let events = Events::new(call.index, std::time::Instant::now(), sender);
    let result = time::timeout(limit, service.call(call, &events)).await.ok();
    let leftover = events.undelivered();
    drop(events);
    let mut seen = Vec::new();
    while let Some(events) = receiver.recv().await {
        seen.extend(events);
    }
    seen.extend(leftover.take());
    (result, seen)
}

/// The record of a call with these events and this result, if it ended.
pub(super) fn record(call: &Call, events: &[RunEvent], result: Option<Result<(), Failure>>) -> Record {
    let mut recorder = Recorder::new("run", call, Duration::ZERO);
    events.iter().for_each(|event| recorder.event(event));
    if let Some(result) = result {
        recorder.event(&RunEvent { call: call.index, at: Duration::ZERO, event: Event::Done(result) });
    }
    recorder.finish(Duration::ZERO)
}
