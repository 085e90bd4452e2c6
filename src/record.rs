//! The record of a call: the fold of its events, one row of a table, one object of JSON.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize, Serializer};

use crate::call::{Call, Event, Meta, RunEvent, Target};
use crate::chat::{FinishReason, Response, StreamEvent, ToolCall, Usage};
use crate::error::{Failure, FailureKind};
use crate::money::Usd;
use crate::rates::Rates;

/// What is kept of one call. Serialises as documented in `docs/output.md`.
#[derive(Debug, Clone, Serialize)]
pub struct Record {
    pub id: String,
    /// The id of the run, the same for all calls of one command.
    pub run: String,
    /// The model as it was asked for.
    pub model: String,
    /// The gateway that answered, or that was tried last.
    pub gateway: String,
    /// The model that answered, by the gateway's word where it gives one; `None` where nothing answered.
    pub answered_by: Option<String>,
    pub status: Status,
    pub text: String,
    #[serde(serialize_with = "empty_as_null")]
    pub reasoning: String,
    /// What some vendors demand back with the reasoning on the next turn.
    #[serde(skip)]
    pub reasoning_signature: Option<String>,
    pub tool_calls: Vec<ToolCall>,
    pub finish_reason: Option<FinishReason>,
    /// Whether the answer came from the cache.
    pub cached: bool,
    /// What that answer would have cost, as far as it is known.
    pub saved: Option<Cost>,
    #[serde(serialize_with = "usage_in_tokens")]
    pub usage: Usage,
    #[serde(serialize_with = "unknown_cost")]
    pub cost: Option<Cost>,
    /// The rates by which the cost was computed, where it was.
    #[serde(skip)]
    pub rates: Option<Rates>,
    pub timing: Timing,
    /// Every HTTP request made for the call, in order.
    pub attempts: Vec<Attempt>,
    pub error: Option<Failure>,
    pub tags: BTreeMap<String, String>,
}

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// The wire said that the answer is complete.
    Ok,
    /// Part of an answer arrived, and then an error, an early end, or the token limit.
    Truncated,
    /// No answer.
    Failed,
    /// The user stopped it.
    Interrupted,
    /// It was not sent: a budget or an allow-list forbids it.
    Refused,
    /// It was not sent: what it builds on is not there.
    Skipped,
}

impl Status {
    /// The word used in records and tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Truncated => "truncated",
            Self::Failed => "failed",
            Self::Interrupted => "interrupted",
            Self::Refused => "refused",
            Self::Skipped => "skipped",
        }
    }

    /// Whether it may have ended before any model began to answer.
    pub fn is_without_answer(self) -> bool {
        matches!(self, Self::Failed | Self::Interrupted | Self::Refused | Self::Skipped)
    }
}

/// What a call cost, and who says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cost {
    pub usd: Usd,
    pub origin: CostOrigin,
    /// Whether it is a lower bound (`≥`): an attempt that nobody told the price of may have been billed as well.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub partial: bool,
}

impl Cost {
    /// All that there is to pay.
    pub fn new(usd: Usd, origin: CostOrigin) -> Self {
        Self { usd, origin, partial: false }
    }
}

/// Where a cost comes from, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CostOrigin {
    /// The gateway said what the answer cost.
    Reported,
    /// Computed from a price in the config.
    Config,
    /// Computed from the gateway's own price list.
    Gateway,
    /// Computed from the built-in table of list prices.
    Table,
}

impl CostOrigin {
    /// Whether the amount is computed rather than said by the gateway; shown with `~`.
    pub fn is_computed(self) -> bool {
        self != Self::Reported
    }

    /// The word used in records.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reported => "reported",
            Self::Config => "config",
            Self::Gateway => "gateway",
            Self::Table => "table",
        }
    }
}

/// When things happened. All are counted from the moment the first request of the call could go out on a ready
/// connection; making the connection is `connect` alone. In JSON as milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Timing {
    /// DNS, TCP and TLS of the call's first connection; `None` where one was reused.
    pub connect: Option<Duration>,
    /// The response headers of the attempt that answered.
    pub first_byte: Option<Duration>,
    /// The first piece of reasoning.
    pub first_reasoning: Option<Duration>,
    /// The first non-empty piece of text or of a tool call.
    pub first_token: Option<Duration>,
    /// The stream's terminal event, or the failure.
    pub total: Option<Duration>,
    /// Output tokens after the first, over the time between the first and the end; `None` where the answer came in
    /// one piece.
    pub tokens_per_second: Option<f64>,
}

impl Serialize for Timing {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct;
        let ms = |time: Option<Duration>| time.map(|time| (time.as_secs_f64() * 10_000.0).round() / 10.0);
        let mut object = serializer.serialize_struct("Timing", 6)?;
        object.serialize_field("connect_ms", &ms(self.connect))?;
        object.serialize_field("first_byte_ms", &ms(self.first_byte))?;
        object.serialize_field("first_reasoning_ms", &ms(self.first_reasoning))?;
        object.serialize_field("first_token_ms", &ms(self.first_token))?;
        object.serialize_field("total_ms", &ms(self.total))?;
        object
            .serialize_field("tokens_per_second", &self.tokens_per_second.map(|rate| (rate * 10.0).round() / 10.0))?;
        object.end()
    }
}

/// One HTTP request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    pub gateway: String,
    pub model: String,
    /// The HTTP status; `None` where no response came.
    pub status: Option<u16>,
    pub error: Option<Failure>,
    /// Since the call began.
    pub start: Duration,
    pub duration: Duration,
    /// What it cost, where that is known apart from the call's.
    pub cost: Option<Usd>,
    /// The gateway's id of the request.
    pub request_id: Option<String>,
}

impl Attempt {
    /// Whether it may have cost something that nobody told.
    pub fn maybe_billed(&self) -> bool {
        self.cost.is_none() && self.error.as_ref().is_some_and(|error| error.maybe_billed)
    }
}

impl Serialize for Attempt {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct;
        let ms = |time: Duration| (time.as_secs_f64() * 10_000.0).round() / 10.0;
        let mut object = serializer.serialize_struct("Attempt", 10)?;
        object.serialize_field("gateway", &self.gateway)?;
        object.serialize_field("model", &self.model)?;
        object.serialize_field("status", &self.status)?;
        object.serialize_field("error", &self.error.as_ref().map(|error| &error.message))?;
        object.serialize_field("kind", &self.error.as_ref().map(|error| error.kind))?;
        object.serialize_field("start_ms", &ms(self.start))?;
        object.serialize_field("duration_ms", &ms(self.duration))?;
        object.serialize_field("cost", &self.cost)?;
        object.serialize_field("request_id", &self.request_id)?;
        object.serialize_field("maybe_billed", &self.maybe_billed())?;
        object.end()
    }
}

fn empty_as_null<S: Serializer>(text: &str, serializer: S) -> Result<S::Ok, S::Error> {
    if text.is_empty() { serializer.serialize_none() } else { serializer.serialize_str(text) }
}

fn usage_in_tokens<S: Serializer>(usage: &Usage, serializer: S) -> Result<S::Ok, S::Error> {
    use serde::ser::SerializeStruct;
    let mut object = serializer.serialize_struct("Usage", 5)?;
    object.serialize_field("input_tokens", &usage.input)?;
    object.serialize_field("cached_input_tokens", &usage.cache_read)?;
    object.serialize_field("cache_write_tokens", &usage.cache_write)?;
    object.serialize_field("output_tokens", &usage.output)?;
    object.serialize_field("reasoning_tokens", &usage.reasoning)?;
    object.end()
}

fn unknown_cost<S: Serializer>(cost: &Option<Cost>, serializer: S) -> Result<S::Ok, S::Error> {
    use serde::ser::SerializeStruct;
    let mut object = serializer.serialize_struct("Cost", 3)?;
    object.serialize_field("usd", &cost.map(|cost| cost.usd))?;
    object.serialize_field("origin", cost.map_or("unknown", |cost| cost.origin.as_str()))?;
    match cost {
        Some(Cost { partial: true, .. }) => object.serialize_field("partial", &true)?,
        _ => object.skip_field("partial")?,
    }
    object.end()
}

impl Record {
    /// How many attempts may have cost something that nobody told.
    pub fn maybe_billed(&self) -> usize {
        self.attempts.iter().filter(|attempt| attempt.maybe_billed()).count()
    }

    /// Whether no model has worked for it: what never reached one costs nothing, what did and does not say is unknown.
    fn cost_nothing(&self) -> bool {
        self.status.is_without_answer() && self.usage.is_unknown() && self.maybe_billed() == 0
    }
}

/// Exact cost of several records, as far as it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct TotalCost {
    /// The sum of what is known; `None` where nothing is.
    pub usd: Option<Usd>,
    /// How many records have a cost that is not known, or not all of it; the sum is then a lower bound (`≥`).
    pub unknown: usize,
    /// Whether any part of the sum is computed rather than reported (`~`).
    pub computed: bool,
}

impl<'a> FromIterator<&'a Record> for TotalCost {
    fn from_iter<I: IntoIterator<Item = &'a Record>>(records: I) -> Self {
        let mut total = Self::default();
        for record in records {
            match record.cost {
                Some(cost) => {
                    *total.usd.get_or_insert(Usd::ZERO) += cost.usd;
                    total.computed |= cost.origin.is_computed();
                    total.unknown += usize::from(cost.partial);
                }
                None if record.cost_nothing() => {}
                None => total.unknown += 1,
            }
        }
        total
    }
}

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
    pub fn new(run: &str, call: &Call, tags: BTreeMap<String, String>) -> Self {
        Self {
            id: call.id.clone(),
            run: run.to_owned(),
            asked: call.asked.clone(),
            target: call.target().clone(),
            tags,
            response: Response::default(),
            attempts: Vec::new(),
            meta: Meta::default(),
            under_way: false,
            cached: false,
            begun: Duration::ZERO,
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

    /// The call was made only now, since the run began.
    pub fn begin(&mut self, now: Duration) {
        self.begun = now;
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
                if self.attempts.len() == 1 && self.connect.is_none() {
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
            attempt.error = error;
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
        let Response { model, text, reasoning, reasoning_signature, tool_calls, usage, finish, .. } = self.response;
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::call::Limits;
    use crate::chat::Request;

    /// The record of a call with these events, each at so many milliseconds.
    fn fold(events: impl IntoIterator<Item = (u64, Event)>) -> Record {
        let target = Target { gateway: "g".into(), model: "m".into() };
        let call = Call {
            index: 0,
            id: "id".into(),
            asked: "m".into(),
            task: None,
            choices: vec![target.clone().into()],
            request: Arc::new(Request::default()),
            limits: Limits { retries: None, timeout: Duration::from_secs(60) },
        };
        let mut recorder = Recorder::new("run", &call, BTreeMap::new());
        for (at, event) in std::iter::once((0, Event::Attempt { target })).chain(events) {
            recorder.event(&RunEvent { call: 0, at: Duration::from_millis(at), event });
        }
        recorder.finish(Duration::from_secs(99))
    }

    fn text() -> Event {
        Event::Stream(StreamEvent::TextDelta("Hi".into()))
    }

    fn finish(reason: FinishReason) -> Event {
        Event::Stream(StreamEvent::Finish(reason))
    }

    fn usage(output: u64) -> Event {
        Event::Stream(StreamEvent::Usage(Usage { output: Some(output), ..Usage::default() }))
    }

    const fn ms(ms: u64) -> Option<Duration> {
        Some(Duration::from_millis(ms))
    }

    #[test]
    fn an_answer_ends_with_its_own_last_event_whether_it_is_complete_or_cut() {
        let record =
            fold([(100, text()), (200, finish(FinishReason::Stop)), (210, usage(12)), (900, Event::Done(Ok(())))]);
        assert_eq!((record.status, record.timing.total), (Status::Ok, ms(210)));
        assert_eq!(record.attempts[0].duration, Duration::from_millis(210));

        let cut = Failure::new(FailureKind::Truncated, "cut at the token limit");
        let record = fold([
            (100, text()),
            (200, finish(FinishReason::Length)),
            (210, usage(12)),
            (900, Event::AttemptFailed { failure: cut.clone() }),
            (901, Event::Done(Err(cut))),
        ]);
        assert_eq!((record.status, record.timing.total), (Status::Truncated, ms(210)));
        assert_eq!(record.attempts[0].duration, Duration::from_millis(210));
        assert_eq!(record.timing.tokens_per_second, Some(100.0));
    }

    #[test]
    fn an_answer_that_broke_off_ends_when_it_was_given_up() {
        let late = Failure::new(FailureKind::Truncated, "nothing more came");
        let record =
            fold([(100, text()), (900, Event::AttemptFailed { failure: late.clone() }), (901, Event::Done(Err(late)))]);
        assert_eq!((record.status, record.timing.total), (Status::Truncated, ms(901)));
        assert_eq!(record.attempts[0].duration, Duration::from_millis(900));
    }

    #[test]
    fn times_count_from_the_ready_connection() {
        let record = fold([
            (40, Event::Connected { took: Duration::from_millis(40) }),
            (90, Event::Stream(StreamEvent::ReasoningDelta("hm".into()))),
            (140, text()),
            (240, finish(FinishReason::Stop)),
            (240, Event::Done(Ok(()))),
        ]);
        let timing = record.timing;
        assert_eq!((timing.connect, timing.first_reasoning), (ms(40), ms(50)));
        assert_eq!((timing.first_token, timing.total), (ms(100), ms(200)));
    }

    #[test]
    fn what_a_failed_try_left_behind_is_not_part_of_the_answer() {
        let down = Failure::new(FailureKind::Unavailable, "down").with_status(503);
        let again = Event::Attempt { target: Target { gateway: "g".into(), model: "other".into() } };
        let record = fold([
            (10, usage(3)),
            (20, Event::AttemptFailed { failure: down }),
            (30, again),
            (50, text()),
            (60, finish(FinishReason::Stop)),
            (60, Event::Done(Ok(()))),
        ]);
        assert_eq!((record.usage.output, record.text.as_str()), (None, "Hi"));
        assert_eq!(record.answered_by.as_deref(), Some("other"));
        let kinds: Vec<_> = record.attempts.iter().map(|attempt| attempt.error.as_ref().map(|e| e.kind)).collect();
        assert_eq!(kinds, [Some(FailureKind::Unavailable), None]);
    }

    // H41
    #[test]
    fn times_that_go_backwards_are_never_negative() {
        // No clock of ours does; a suspended machine may make one seem to.
        let record = fold([
            (500, Event::Connected { took: Duration::from_millis(900) }),
            (90, text()),
            (40, finish(FinishReason::Stop)),
            (10, Event::Done(Ok(()))),
        ]);
        let timing = record.timing;
        assert_eq!((timing.first_token, timing.total, timing.tokens_per_second), (ms(0), ms(0), None));
        assert_eq!(
            (record.attempts[0].start, record.attempts[0].duration),
            (Duration::ZERO, ms(40).unwrap_or_default())
        );
    }

    #[test]
    fn a_call_that_has_not_ended_was_interrupted() {
        let record = fold([(100, text())]);
        assert_eq!((record.status, record.timing.total), (Status::Interrupted, ms(99_000)));
        assert_eq!(record.text, "Hi");
    }
}
