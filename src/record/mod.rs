//! The record of a call, made from its events: what tables, JSON and the ledger show of it.

#![warn(missing_docs)]

mod cost;
mod json;
mod recorder;
#[cfg(test)]
mod tests;

pub use cost::{Cost, CostOrigin, TotalCost, known};
pub(crate) use recorder::Recorder;

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::call::Target;
use crate::chat::{FinishReason, TokenLogprob, ToolCall, Usage};
use crate::error::Failure;
use crate::money::Usd;
use crate::rates::Rates;

/// What is known of one call when it is over. Its JSON form is documented in `docs/output.md`; `None` is `null` there, and
/// means that a value is not known or does not exist, never zero.
#[derive(Debug, Clone, Serialize)]
pub struct Record {
    /// The id of the call, a UUID that is new for every call.
    pub id: String,
    /// The id of the run, the same for all calls of one command.
    pub run: String,
    /// The model as it was asked for.
    pub model: String,
    /// The gateway that answered, or that was tried last.
    pub gateway: String,
    /// The model that answered, in the gateway's words where it gives any; `None` where nothing answered.
    pub answered_by: Option<String>,
    /// How the call ended.
    pub status: Status,
    /// The text of the answer as far as it arrived.
    pub text: String,
    /// What the model showed of its reasoning; empty where it showed none.
    #[serde(serialize_with = "json::empty_as_null")]
    pub reasoning: String,
    /// A signature of the reasoning, which some vendors demand with it on the next turn of the conversation.
    #[serde(skip)]
    pub reasoning_signature: Option<String>,
    /// The functions that the model wants called, in its order.
    pub tool_calls: Vec<ToolCall>,
    /// The log-probabilities of the answer's tokens; empty where the gateway gave none. The ledger does not keep them.
    #[serde(serialize_with = "json::no_tokens_as_null")]
    pub logprobs: Vec<TokenLogprob>,
    /// Why the model stopped, by the gateway's report.
    pub finish_reason: Option<FinishReason>,
    /// Whether the answer came from the cache.
    pub cached: bool,
    /// The cost of the answer when it was stored in the cache, as far as it is known; `None` where `cached` is false.
    pub saved: Option<Cost>,
    /// The tokens of the answer, by the gateway's report. Those of attempts that failed are not among them.
    #[serde(serialize_with = "json::usage_in_tokens")]
    pub usage: Usage,
    /// The cost of the call with all of its attempts; `None` where it is not known. The recorder enters what the gateway
    /// reports, and the price lists complete it.
    #[serde(serialize_with = "json::unknown_cost")]
    pub cost: Option<Cost>,
    /// The rates by which the cost was computed; `None` where the gateway reported it.
    #[serde(skip)]
    pub rates: Option<Rates>,
    /// When the parts of the answer arrived.
    pub timing: Timing,
    /// Every HTTP request made for the call, in order.
    pub attempts: Vec<Attempt>,
    /// Why the answer is not complete; `None` where it is.
    pub error: Option<Failure>,
    /// The names and values by which costs can be grouped, from the command line or the key of the caller.
    pub tags: BTreeMap<String, String>,
}

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// The gateway said that the answer is complete.
    Ok,
    /// Part of an answer arrived before an error, an early end or the token limit.
    Truncated,
    /// No part of an answer arrived.
    Failed,
    /// The user stopped the call.
    Interrupted,
    /// A budget, an allow-list or `--max-cost` forbids the call or its next attempt, which was not sent.
    Refused,
    /// The call was not sent, because the answer of another one that it needs is missing.
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

    /// Whether calls of this status may have ended before any model began to answer.
    pub fn is_without_answer(self) -> bool {
        matches!(self, Self::Failed | Self::Interrupted | Self::Refused | Self::Skipped)
    }
}

/// When the parts of an answer arrived, by a monotonic clock.
///
/// The times are counted from the moment when the first request of the call could go out on a ready connection, so they
/// include failed attempts and the waits between them; `connect` alone comes before that moment. Those of a call that was
/// [due](crate::call::Call::due) at a certain time count from that time. The JSON has milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Timing {
    /// How long DNS, TCP and TLS of the call's first connection took; `None` where an open connection was used.
    pub connect: Option<Duration>,
    /// When the response headers of the last attempt arrived.
    pub first_byte: Option<Duration>,
    /// When the first piece of reasoning arrived.
    pub first_reasoning: Option<Duration>,
    /// When the first piece of text or of a tool call arrived.
    pub first_token: Option<Duration>,
    /// When the last event of a complete answer arrived, or else when the call failed; `None` for a skipped call.
    pub total: Option<Duration>,
    /// The output tokens after the first per second, from the first piece (reasoning included) to the end; `None` where
    /// they are not known, fewer than two, or all came within 5 ms.
    pub tokens_per_second: Option<f64>,
}

/// One HTTP request of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// The gateway's name in the config.
    pub gateway: String,
    /// The model as that gateway calls it.
    pub model: String,
    /// The HTTP status; `None` where no response came.
    pub status: Option<u16>,
    /// Why it failed; `None` where it gave the answer.
    pub error: Option<Failure>,
    /// When it began, counted as the times in [`Timing`].
    pub start: Duration,
    /// How long it took, the making of its connection included.
    pub duration: Duration,
    /// What it cost, where the gateway reports that for a failed attempt.
    pub cost: Option<Usd>,
    /// The gateway's id of the request.
    pub request_id: Option<String>,
}

impl Attempt {
    /// The model that was asked.
    pub fn target(&self) -> Target {
        Target { gateway: self.gateway.clone(), model: self.model.clone() }
    }

    /// Whether the gateway may bill it at a cost that is not known.
    pub fn maybe_billed(&self) -> bool {
        self.cost.is_none() && self.error.as_ref().is_some_and(|error| error.maybe_billed)
    }
}

impl Record {
    /// The number of attempts that the gateway may bill at a cost that is not known.
    pub fn maybe_billed(&self) -> usize {
        self.attempts.iter().filter(|attempt| attempt.maybe_billed()).count()
    }

    /// The attempt that began first. Of two models that are asked at once, the one that was asked first may be told last.
    pub(crate) fn first_attempt(&self) -> Option<&Attempt> {
        self.attempts.iter().min_by_key(|attempt| attempt.start)
    }

    /// Whether no model has worked for the call, so that an unknown cost is zero.
    pub(crate) fn cost_nothing(&self) -> bool {
        self.status.is_without_answer() && self.usage.is_unknown() && self.maybe_billed() == 0
    }
}
