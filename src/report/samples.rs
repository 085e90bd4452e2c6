//! Records made by hand, for the tests of every report.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::chat::{FinishReason, Usage};
use crate::error::{Failure, FailureKind};
use crate::record::{Attempt, Cost, CostOrigin, Record, Status, Timing};

pub(crate) fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// A complete answer with all figures known.
pub(crate) fn record(model: &str, text: &str) -> Record {
    Record {
        id: format!("id-{model}"),
        run: "run-1".into(),
        model: model.into(),
        gateway: "openrouter".into(),
        answered_by: Some(model.into()),
        status: Status::Ok,
        text: text.into(),
        reasoning: String::new(),
        reasoning_signature: None,
        tool_calls: Vec::new(),
        logprobs: Vec::new(),
        finish_reason: Some(FinishReason::Stop),
        cached: false,
        saved: None,
        usage: Usage { input: Some(14), output: Some(9), ..Usage::default() },
        cost: Some(Cost::new("0.000177".parse().expect("dollars"), CostOrigin::Reported)),
        rates: None,
        timing: Timing {
            connect: Some(ms(31)),
            first_byte: Some(ms(400)),
            first_reasoning: None,
            first_token: Some(ms(412)),
            total: Some(ms(1900)),
            tokens_per_second: Some(61.2),
        },
        attempts: vec![attempt(model, Some(200), None)],
        error: None,
        tags: BTreeMap::new(),
    }
}

pub(crate) fn attempt(model: &str, status: Option<u16>, error: Option<Failure>) -> Attempt {
    Attempt {
        gateway: "openrouter".into(),
        model: model.into(),
        status,
        error,
        start: Duration::ZERO,
        duration: ms(900),
        cost: None,
        request_id: None,
    }
}

/// The three answers of the sketch in the manual.
pub(crate) fn three() -> Vec<Record> {
    let claude = record("claude-sonnet-4-6", "A cat was sitting on a mat.");
    let mut gpt = record("gpt-5.4-mini", "The cat sat on the mat.");
    gpt.timing =
        Timing { first_token: Some(ms(198)), total: Some(ms(600)), tokens_per_second: Some(88.0), ..gpt.timing };
    gpt.usage.output = Some(8);
    gpt.cost = Some(Cost::new("0.000013".parse().expect("dollars"), CostOrigin::Reported));
    let mut deepseek = record("deepseek-v4", "A cat sits on its mat.");
    deepseek.timing =
        Timing { first_token: Some(ms(640)), total: Some(ms(2200)), tokens_per_second: Some(31.0), ..deepseek.timing };
    deepseek.usage.output = Some(8);
    deepseek.cost = Some(Cost::new("0.000015".parse().expect("dollars"), CostOrigin::Table));
    deepseek.attempts.insert(0, attempt("deepseek-v4", Some(429), Some(rate_limited())));
    vec![claude, gpt, deepseek]
}

pub(crate) fn rate_limited() -> Failure {
    Failure::new(FailureKind::RateLimited, "Rate limit exceeded").with_status(429)
}

/// A call that nothing answered.
pub(crate) fn failed(model: &str) -> Record {
    let failure = Failure::new(FailureKind::Unavailable, "no provider is available for this model").with_status(503);
    Record {
        answered_by: None,
        status: Status::Failed,
        text: String::new(),
        finish_reason: None,
        usage: Usage::default(),
        cost: None,
        timing: Timing { total: Some(ms(310)), ..Timing::default() },
        attempts: vec![attempt(model, Some(503), Some(failure.clone()))],
        error: Some(failure),
        ..record(model, "")
    }
}

/// An answer that ended before its end.
pub(crate) fn truncated(model: &str) -> Record {
    Record { status: Status::Truncated, finish_reason: Some(FinishReason::Length), ..record(model, "Once upon a") }
}

/// Text with everything that a terminal would obey.
pub(super) const HOSTILE: &str =
    "\x1b[2J\x1b]52;c;aGk=\x07 \u{9b}31m a\rb\x08 \u{202e}evil\u{2066} \u{200b}\u{feff}\u{e0041} end";
