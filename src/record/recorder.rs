//! The fold of a call's events into its record.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Attempt, Cost, CostOrigin, Record, Status, Timing};
use crate::call::{Call, Event, Meta, RunEvent, Target};
use crate::chat::{Response, StreamEvent};
use crate::error::{Failure, FailureKind};
use crate::money::Usd;

/// Folds the events of one call into its record.
#[derive(Debug)]
pub struct Recorder {
    id: String,
    run: String,
    asked: String,
    target: Target,
    tags: BTreeMap<String, String>,
    response: Response,
    attempts: Vec<Attempt>,
    /// Which of them started first.
    first: usize,
    meta: Meta,
    /// Whether the last attempt is under way.
    under_way: bool,
    cached: bool,
    /// When the call was made, since the run began.
    begun: Duration,
    /// When the first request could go out, since the run began.
    ready: Option<Duration>,
    connect: Option<Duration>,
    attempt_began: Duration,
    first_byte: Option<Duration>,
    first_reasoning: Option<Duration>,
    first_token: Option<Duration>,
    last_event: Option<Duration>,
    ended: Option<(Duration, Result<(), Failure>)>,
}

impl Recorder {
    /// For a call of this run that is made now, `begun` after the run's start.
    pub fn new(run: &str, call: &Call, begun: Duration) -> Self {
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
            under_way: false,
            cached: false,
            begun,
            ready: None,
            connect: None,
            attempt_began: Duration::ZERO,
            first_byte: None,
            first_reasoning: None,
            first_token: None,
            last_event: None,
            ended: None,
        }
    }

    /// Takes in one event of this call.
    pub fn event(&mut self, event: &RunEvent) {
        let at = event.at;
        match &event.event {
            Event::Attempt { target } => {
                // Nothing is tried again once text has arrived, so what a failed try left behind is not part of the
                // answer.
                self.response = Response::default();
                (self.first_byte, self.first_reasoning, self.first_token, self.last_event) = (None, None, None, None);
                self.meta = Meta::default();
                self.target = target.clone();
                // Of two models that race, the one that started first may be told of last.
                if self.attempts.get(self.first).is_some_and(|first| at < first.start) {
                    (self.first, self.ready, self.connect) = (self.attempts.len(), Some(at), None);
                }
                self.ready.get_or_insert(at);
                (self.attempt_began, self.under_way) = (at, true);
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
            Event::Connected { took } => {
                if self.attempts.len() == self.first + 1 && self.connect.is_none() {
                    self.connect = Some(*took);
                    self.ready = Some(at);
                }
            }
            Event::Headers { status, meta } => {
                self.first_byte = Some(at);
                self.meta = meta.clone();
                if let Some(attempt) = self.attempts.last_mut() {
                    attempt.status = Some(*status);
                    attempt.request_id.clone_from(&meta.request_id);
                }
            }
            Event::Stream(event) => {
                match event {
                    StreamEvent::TextDelta(_) | StreamEvent::ToolCallStart { .. } => {
                        self.first_token.get_or_insert(at);
                    }
                    StreamEvent::ReasoningDelta(_) => {
                        self.first_reasoning.get_or_insert(at);
                    }
                    _ => {}
                }
                self.last_event = Some(at);
                self.response.apply(event);
            }
            Event::AttemptFailed { failure } => {
                self.end_attempt(self.end_of_answer(at), Some(failure.clone()));
                // Some failures come with their bill.
                if let Some(attempt) = self.attempts.last_mut() {
                    attempt.cost = self.response.usage.cost;
                }
            }
            Event::Cached { target } => {
                self.response = Response::default();
                self.target = target.clone();
                self.ready.get_or_insert(at);
                self.cached = true;
            }
            Event::Malformed { .. }
            | Event::Notice { .. }
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

    /// What has arrived so far.
    pub fn response(&self) -> &Response {
        &self.response
    }

    /// Whether the call is over.
    pub fn is_done(&self) -> bool {
        self.ended.is_some()
    }

    /// Where the call went last.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// When the attempt that is over `at` some moment had said all: an answer that gives the reason of its end, a cut
    /// at the token limit among them, ends with its own last event and not with the closing of the socket.
    fn end_of_answer(&self, at: Duration) -> Duration {
        if self.response.finish.is_some() { self.last_event.unwrap_or(at) } else { at }
    }

    fn end_attempt(&mut self, at: Duration, error: Option<Failure>) {
        if let Some(attempt) = self.attempts.last_mut()
            && std::mem::take(&mut self.under_way)
        {
            attempt.duration = at.saturating_sub(self.attempt_began);
            let in_doubt = self.response.bill_is_open() && self.meta.cost.is_none();
            attempt.error = error.map(|error| if in_doubt { error.maybe_billed() } else { error });
        }
    }

    /// The record. A call that has not ended was interrupted `now` (since the run began).
    pub fn finish(mut self, now: Duration) -> Record {
        let (end, result) = self.ended.take().unwrap_or_else(|| {
            let failure = Failure::new(FailureKind::Interrupted, "interrupted").maybe_billed();
            (now, Err(failure))
        });
        self.end_attempt(end, result.as_ref().err().cloned());
        let ready = self.ready.unwrap_or(self.begun);
        for attempt in &mut self.attempts {
            attempt.start = attempt.start.saturating_sub(ready);
        }
        let since = |time: Option<Duration>| time.map(|time| time.saturating_sub(ready));
        let Response { model, text, logprobs, reasoning, reasoning_signature, tool_calls, usage, finish, .. } =
            self.response;
        let answered = !text.is_empty() || !tool_calls.is_empty();
        let (status, error) = match result {
            Err(failure) if failure.kind == FailureKind::Refused => (Status::Refused, Some(failure)),
            Err(failure) if failure.kind == FailureKind::Skipped => (Status::Skipped, Some(failure)),
            Err(failure) if failure.kind == FailureKind::Interrupted => (Status::Interrupted, Some(failure)),
            Err(failure) if answered || failure.kind == FailureKind::Truncated => (Status::Truncated, Some(failure)),
            Err(failure) => (Status::Failed, Some(failure)),
            Ok(()) => (Status::Ok, None),
        };
        let heard = answered || !reasoning.is_empty() || finish.is_some();
        let first_piece = self.first_token.into_iter().chain(self.first_reasoning).min();
        let cost = usage.cost.or(self.meta.cost).map(|usd| Cost::new(usd, CostOrigin::Reported));
        // What it cost then, it does not cost again.
        let (cost, saved) =
            if self.cached { (Some(Cost::new(Usd::ZERO, CostOrigin::Reported)), cost) } else { (cost, None) };
        Record {
            id: self.id,
            run: self.run,
            model: self.asked,
            gateway: self.target.gateway,
            answered_by: heard.then(|| model.unwrap_or(self.target.model)),
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
            timing: Timing {
                connect: self.connect,
                first_byte: since(self.first_byte),
                first_reasoning: since(self.first_reasoning),
                first_token: since(self.first_token),
                total: since(Some(end)).filter(|_| status != Status::Skipped),
                tokens_per_second: tokens_per_second(usage.output, first_piece, end),
            },
            attempts: self.attempts,
            error,
            tags: self.tags,
        }
    }
}

/// The rate of a stream, or `None` where the tokens came (nearly) at once: a buffering proxy says nothing about speed.
fn tokens_per_second(output: Option<u64>, first: Option<Duration>, end: Duration) -> Option<f64> {
    let after_first = output?.checked_sub(1).filter(|tokens| *tokens > 0)?;
    let seconds = end.saturating_sub(first?).as_secs_f64();
    (seconds >= 0.005).then(|| after_first as f64 / seconds)
}
