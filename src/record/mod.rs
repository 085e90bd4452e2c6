//! The record of a call: the fold of its events, one row of a table, one object of JSON.

mod cost;
mod json;
mod recorder;
#[cfg(test)]
mod tests;

pub use cost::{Cost, CostOrigin, TotalCost};
pub use recorder::Recorder;

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::chat::{FinishReason, TokenLogprob, ToolCall, Usage};
use crate::error::Failure;
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
    #[serde(serialize_with = "json::empty_as_null")]
    pub reasoning: String,
    /// What some vendors demand back with the reasoning on the next turn.
    #[serde(skip)]
    pub reasoning_signature: Option<String>,
    pub tool_calls: Vec<ToolCall>,
    /// The log-probabilities of the answer's tokens, where the gateway gave any; they are not kept.
    #[serde(serialize_with = "json::no_tokens_as_null")]
    pub logprobs: Vec<TokenLogprob>,
    pub finish_reason: Option<FinishReason>,
    /// Whether the answer came from the cache.
    pub cached: bool,
    /// What that answer would have cost, as far as it is known.
    pub saved: Option<Cost>,
    #[serde(serialize_with = "json::usage_in_tokens")]
    pub usage: Usage,
    #[serde(serialize_with = "json::unknown_cost")]
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
