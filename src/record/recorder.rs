//! From the events of a call to its record.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Attempt, Cost, CostOrigin, Record, Status, Timing};
use crate::call::{Call, Event, Meta, RunEvent, Target};
use crate::chat::{Response, StreamEvent};
use crate::error::{Failure, FailureKind};
use crate::money::Usd;

/// Makes the record of one call from its events.
///
/// Every time that it keeps is counted since the run began; those of the record count from the first request.
#[derive(Debug)]
pub(crate) struct Recorder {
    id: String,
    run: String,
    /// The model as it was asked for.
    asked: String,
    /// Where the call went last.
    target: Target,
    tags: BTreeMap<String, String>,
    /// What has arrived of the answer.
    response: Response,
    attempts: Vec<Attempt>,
    /// The place in `attempts` of the one that started first.
    first: usize,
    /// What the headers of the last attempt say.
    meta: Meta,
    /// Whether the last attempt has not ended.
    is_open: bool,
    /// Whether the answer came from the cache.
    cached: bool,
    /// When the call was made.
    begun: Duration,
    /// When the call was to be made, if its schedule says so.
    due: Option<Duration>,
    /// When the first request could go out.
    ready: Option<Duration>,
    /// How long the first attempt's connection took to make.
    connect: Option<Duration>,
    /// When the last attempt began.
    attempt_began: Duration,
    /// The times of the last attempt.
    times: Times,
    /// When and how the call ended.
    ended: Option<(Duration, Result<(), Failure>)>,
}

/// When the parts of one attempt's answer arrived.
#[derive(Debug, Clone, Copy, Default)]
struct Times {
    first_byte: Option<Duration>,
    first_reasoning: Option<Duration>,
    first_token: Option<Duration>,
    last_event: Option<Duration>,
}

impl Recorder {
    /// Starts the record of a call of this run; `begun` is the time of the call since the run began.
    pub(crate) fn new(run: &str, call: &Call, begun: Duration) -> Self {
        Self {
            id: call.id.clone(),
            run: run.to_owned(),
            asked: call.asked.clone(),
            target: call.target().clone(),
            tags: call.tags(),
            response: Response::default(),
            attempts: Vec::new(),
            first: 0,
            meta: Meta::default(),
            is_open: false,
            cached: false,
            begun,
            due: call.due,
            ready: None,
            connect: None,
            attempt_began: Duration::ZERO,
            times: Times::default(),
            ended: None,
        }
    }

    /// Takes in one event of this call.
    pub(crate) fn event(&mut self, event: &RunEvent) {
        let at = event.at;
        match &event.event {
            Event::Attempt { target } => self.attempt_began(at, target),
            Event::Connected { took } => self.connected(at, *took),
            Event::Headers { status, meta } => self.headers_came(at, *status, meta),
            Event::Stream(event) => self.piece_came(at, event),
            Event::AttemptFailed { failure } => {
                self.end_attempt(self.end_of_answer(at), Some(failure.clone()));
                // Some failures come with the cost of the attempt.
                if let Some(attempt) = self.attempts.last_mut() {
                    attempt.cost = self.response.usage.cost.or(self.meta.cost);
                }
            }
            Event::Cached { target } => {
                self.response = Response::default();
                self.target = target.clone();
                self.ready.get_or_insert(at);
                self.cached = true;
            }
            Event::Bytes { .. }
            | Event::Malformed { .. }
            | Event::Notice { .. }
            | Event::NotTried { .. }
            | Event::SeveralGateways { .. }
            | Event::Adjusted { .. }
            | Event::Retry { .. }
            | Event::Hedge { .. }
            | Event::Fallback { .. } => {}
            Event::Done(result) => {
                let end = self.end_of_answer(at);
                if result.is_ok() {
                    self.end_attempt(end, None);
                }
                self.ended = Some((end, result.clone()));
            }
        }
    }

    fn attempt_began(&mut self, at: Duration, target: &Target) {
        // Nothing is tried again once text has arrived, so what a failed attempt left is not part of the answer.
        self.response = Response::default();
        self.times = Times::default();
        self.meta = Meta::default();
        self.target = target.clone();
        // Of two models that are asked at once, the one that started first may be reported last.
        if self.attempts.get(self.first).is_some_and(|first| at < first.start) {
            (self.first, self.ready, self.connect) = (self.attempts.len(), Some(at), None);
        }
        self.ready.get_or_insert(at);
        (self.attempt_began, self.is_open) = (at, true);
        self.attempts.push(Attempt {
            gateway: target.gateway.clone(),
            model: target.model.clone(),
            status: None,
            error: None,
            start: at,
            duration: Duration::ZERO,
            cost: None,
            request_id: None,
        });
    }

    /// The times count from the moment when the first attempt's connection is ready.
    fn connected(&mut self, at: Duration, took: Duration) {
        if self.attempts.len() == self.first + 1 && self.connect.is_none() {
            (self.connect, self.ready) = (Some(took), Some(at));
        }
    }

    fn headers_came(&mut self, at: Duration, status: u16, meta: &Meta) {
        self.times.first_byte = Some(at);
        self.meta = meta.clone();
        if let Some(attempt) = self.attempts.last_mut() {
            attempt.status = Some(status);
            attempt.request_id.clone_from(&meta.request_id);
        }
    }

    fn piece_came(&mut self, at: Duration, event: &StreamEvent) {
        match event {
            StreamEvent::TextDelta(_) | StreamEvent::ToolCallStart { .. } => {
                self.times.first_token.get_or_insert(at);
            }
            StreamEvent::ReasoningDelta(_) => {
                self.times.first_reasoning.get_or_insert(at);
            }
            _ => {}
        }
        self.times.last_event = Some(at);
        self.response.apply(event);
    }

    /// When the answer of an attempt that is over `at` this time was complete. An answer that gives the reason of its
    /// end, the token limit among them, ends with its last event, which may come before the socket is closed.
    fn end_of_answer(&self, at: Duration) -> Duration {
        if self.response.finish.is_some() { self.times.last_event.unwrap_or(at) } else { at }
    }

    fn end_attempt(&mut self, at: Duration, error: Option<Failure>) {
        if let Some(attempt) = self.attempts.last_mut()
            && std::mem::take(&mut self.is_open)
        {
            attempt.duration = at.saturating_sub(self.attempt_began);
            attempt.error = error.map(|error| billed(error, &mut self.response, self.meta.cost));
        }
    }

    /// The record. A call that has not ended was interrupted `now`, a time since the run began.
    pub(crate) fn finish(mut self, now: Duration) -> Record {
        let (end, result) = self.ended.take().unwrap_or_else(|| {
            let failure = Failure::new(FailureKind::Interrupted, "interrupted").maybe_billed();
            (now, Err(failure))
        });
        self.end_attempt(end, result.as_ref().err().cloned());
        let ready = self.due.or(self.ready).unwrap_or(self.begun);
        for attempt in &mut self.attempts {
            attempt.start = attempt.start.saturating_sub(ready);
        }
        let Response { model, mut text, logprobs, reasoning, reasoning_signature, tool_calls, usage, finish, .. } =
            self.response;
        // It has grown by doubling, and does not grow any more.
        text.shrink_to_fit();
        let has_output = !text.is_empty() || !tool_calls.is_empty();
        let status = status(&result, has_output);
        let has_answer = has_output || !reasoning.is_empty() || finish.is_some();
        let reported = usage.cost.or(self.meta.cost).map(|usd| Cost::new(usd, CostOrigin::Reported));
        let (cost, saved) = if self.cached {
            // The reported cost is that of the first time; from the cache the answer costs nothing.
            (Some(Cost::new(Usd::ZERO, CostOrigin::Reported)), reported)
        } else {
            (reported, None)
        };
        let mut timing = self.times.since(ready, end, usage.output);
        timing.connect = self.connect;
        timing.total = timing.total.filter(|_| status != Status::Skipped);
        Record {
            id: self.id,
            run: self.run,
            model: self.asked,
            gateway: self.target.gateway,
            answered_by: has_answer.then(|| model.unwrap_or(self.target.model)),
            status,
            text,
            reasoning,
            reasoning_signature,
            tool_calls,
            logprobs,
            finish_reason: finish,
            cached: self.cached,
            saved,
            usage,
            cost,
            rates: None,
            timing,
            attempts: self.attempts,
            error: result.err(),
            tags: self.tags,
        }
    }
}

impl Times {
    /// These times counted from `ready`, for an answer of so many tokens that ended at `end`.
    fn since(self, ready: Duration, end: Duration, output: Option<u64>) -> Timing {
        let since = |time: Option<Duration>| time.map(|time| time.saturating_sub(ready));
        let first_piece = self.first_token.into_iter().chain(self.first_reasoning).min();
        Timing {
            connect: None,
            first_byte: since(self.first_byte),
            first_reasoning: since(self.first_reasoning),
            first_token: since(self.first_token),
            total: since(Some(end)),
            tokens_per_second: tokens_per_second(output, first_piece, end),
        }
    }
}

/// The failure of an attempt of which this much came, with all that it took, or marked if that is not known.
fn billed(mut failure: Failure, response: &mut Response, cost: Option<Usd>) -> Failure {
    if let Some(usage) = &failure.usage {
        response.usage.update(usage);
        return failure;
    }
    if response.bill_is_open() && cost.is_none() {
        return failure.maybe_billed();
    }
    if response.finish.is_some() {
        // An answer that came to its end has told all of its usage, although it is not the answer that was wanted.
        failure = failure.with_usage(response.usage);
    }
    failure
}

/// How a call with this result ended; `has_output` is whether any text or tool call arrived.
fn status(result: &Result<(), Failure>, has_output: bool) -> Status {
    let Err(failure) = result else { return Status::Ok };
    match failure.kind {
        FailureKind::Refused => Status::Refused,
        FailureKind::Skipped => Status::Skipped,
        FailureKind::Interrupted => Status::Interrupted,
        FailureKind::Truncated => Status::Truncated,
        _ if has_output => Status::Truncated,
        _ => Status::Failed,
    }
}

/// The output tokens after the first per second, from the first piece to the end. Returns `None` where all came within
/// 5 ms: then a proxy has held the stream back, and the time does not say how fast the model is.
fn tokens_per_second(output: Option<u64>, first: Option<Duration>, end: Duration) -> Option<f64> {
    let after_first = output?.checked_sub(1).filter(|tokens| *tokens > 0)?;
    let seconds = end.saturating_sub(first?).as_secs_f64();
    (seconds >= 0.005).then(|| after_first as f64 / seconds)
}
