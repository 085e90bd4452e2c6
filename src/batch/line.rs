//! The lines of a batch's output: one JSON object for each row and model, written when its call has ended and read again when
//! the batch goes on.

use std::borrow::Cow;
use std::time::Duration;

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::rows::RowHash;
use crate::call::Target;
use crate::error::FailureKind;
use crate::record::{Cost, CostOrigin, Record, Status};

/// What a line says of its row, before the fields of the record.
#[derive(Debug, Clone, Serialize)]
pub struct RowPart<'a> {
    /// The number of the row in the data set, from 1.
    pub row: u64,
    /// The line of the file on which the row begins, from 1.
    pub line: u64,
    /// The value of the id field, where one was named.
    pub row_id: Option<&'a str>,
    /// The hash of the row, by which a changed data set is noticed.
    pub row_hash: RowHash,
    /// The id of the job.
    pub job: &'a str,
    /// The hash of everything else that shapes the request: template, system prompt, parameters.
    pub plan: RowHash,
}

/// What a line says after the fields of the record: of the answer's worth, and of who gave it.
#[derive(Debug, Clone, Default, Serialize)]
pub struct WorthPart<'a> {
    /// The reference answer of the row.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<&'a str>,
    /// Whether the answer is the expected one; `None` where there is no complete answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub correct: Option<bool>,
    /// The scores of the answer, by the name of the scorer.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub scores: Vec<Scored>,
    /// The cost of judging the answer, which is not part of its own cost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub judge_cost: Option<Cost>,
    /// Which models answered that were not asked first.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub fallbacks: &'a [FellBack],
}

/// An answer of another model than the one that was asked first.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
pub struct FellBack {
    /// The name of the model that was asked first; with its gateway where another one is asked for the same model.
    pub from: String,
    /// The name of the model that answered.
    pub to: String,
    /// Why the first one did not.
    pub kind: FailureKind,
}

impl FellBack {
    /// What the record of one call says; `None` where the first model answered, or none. The call is shown `beside` these models.
    pub fn of<'t>(record: &Record, beside: impl IntoIterator<Item = &'t Target>) -> Option<Self> {
        let from = record.first_attempt()?.target();
        let to = match record.cached {
            true => Target { gateway: record.gateway.clone(), model: record.answered_by.clone()? },
            false => record.attempts.last()?.target(),
        };
        if !has_answer(record.status) || from == to {
            return None;
        }
        let failed = record.attempts.iter().rev().find(|attempt| attempt.target() == from)?;
        let mut others: Vec<&Target> = beside.into_iter().collect::<Vec<_>>();
        others.extend([&from, &to]);
        let name = |target: &Target| target.name_among(others.iter().copied());
        Some(Self { from: name(&from), to: name(&to), kind: failed.error.as_ref()?.kind })
    }

    /// Whether the same model answered in the place of the same one.
    pub fn is_like(&self, other: &Self) -> bool {
        (&self.from, &self.to) == (&other.from, &other.to)
    }
}

/// One score of an answer.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq)]
pub struct Scored {
    /// The specification of the scorer.
    pub by: String,
    /// From 0 to 1; `None` where the scorer could not tell.
    pub score: Option<f64>,
}

/// The line, with its line end.
///
/// # Errors
/// A part cannot be written as JSON, which no record causes.
pub fn write(row: &RowPart<'_>, record: &Record, worth: &WorthPart<'_>) -> serde_json::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(row)?;
    for part in [serde_json::to_vec(record)?, serde_json::to_vec(worth)?] {
        // `{"a":1}` and `{"b":2}` become `{"a":1,"b":2}`.
        if part.len() > 2 {
            line.pop();
            line.push(b',');
            line.extend_from_slice(&part[1..]);
        }
    }
    line.push(b'\n');
    Ok(line)
}

/// The most rows that a data set can have; a few bytes of memory are needed for each.
const MOST_ROWS: u64 = 1_000_000_000;

/// What is read again of a line.
#[derive(Debug, Deserialize)]
pub struct Line<'a> {
    pub row: u64,
    pub row_hash: RowHash,
    #[serde(borrow)]
    pub job: Cow<'a, str>,
    pub plan: RowHash,
    #[serde(borrow, default)]
    pub run: Cow<'a, str>,
    #[serde(borrow)]
    pub model: Cow<'a, str>,
    pub status: Status,
    #[serde(borrow)]
    text: &'a RawValue,
    #[serde(default)]
    cached: bool,
    usage: Tokens,
    #[serde(borrow)]
    cost: Option<LineCost<'a>>,
    timing: Times,
    #[serde(borrow)]
    attempts: Vec<LineAttempt<'a>>,
    error: Option<LineError>,
    #[serde(borrow, default)]
    expected: Option<Cow<'a, str>>,
    #[serde(default)]
    correct: Option<bool>,
    #[serde(default)]
    scores: Vec<Scored>,
    #[serde(default)]
    judge_cost: Option<Cost>,
    #[serde(default)]
    fallbacks: Vec<FellBack>,
}

#[derive(Debug, Deserialize)]
struct Tokens {
    input_tokens: Option<u64>,
    output_tokens: Option<u64>,
}

#[derive(Debug, Deserialize)]
struct LineCost<'a> {
    #[serde(borrow)]
    usd: Option<&'a RawValue>,
    origin: Option<LineOrigin>,
    #[serde(default)]
    partial: bool,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum LineOrigin {
    Reported,
    Config,
    Gateway,
    Table,
    Unknown,
}

#[derive(Debug, Deserialize)]
struct Times {
    first_token_ms: Option<f64>,
    total_ms: Option<f64>,
}

/// What is read again of an attempt.
#[derive(Debug, Deserialize)]
struct LineAttempt<'a> {
    #[serde(borrow, default)]
    gateway: Cow<'a, str>,
    #[serde(borrow, default)]
    model: Cow<'a, str>,
    #[serde(default)]
    cost: Option<IgnoredAny>,
    maybe_billed: bool,
}

#[derive(Debug, Deserialize)]
struct LineError {
    kind: FailureKind,
}

/// The figures of one row and model, from a record or from a line that was read again.
#[derive(Debug, Clone)]
pub struct Ended {
    pub status: Status,
    /// The kind of failure, where there is no complete answer.
    pub failure: Option<FailureKind>,
    pub cached: bool,
    pub first_token: Option<Duration>,
    pub total: Option<Duration>,
    pub input: Option<u64>,
    pub output: Option<u64>,
    pub cost: Option<Cost>,
    /// Whether no model has worked for it, so that an unknown cost is zero.
    pub cost_nothing: bool,
    pub expected: Option<String>,
    pub correct: Option<bool>,
    /// The text of the answer as a label, where there is an expected one.
    pub label: Option<String>,
    pub scores: Vec<Scored>,
    pub judge_cost: Option<Cost>,
    pub fallbacks: Vec<FellBack>,
}

impl<'a> Line<'a> {
    /// Reads a line.
    ///
    /// # Errors
    /// It is not a whole line of a batch.
    pub fn parse(line: &'a [u8]) -> serde_json::Result<Self> {
        let line: Self = serde_json::from_slice(line)?;
        // What is done is kept by the number of the row.
        if line.row == 0 || line.row > MOST_ROWS {
            return Err(serde::de::Error::custom(format!("no data set has a row {}", line.row)));
        }
        Ok(line)
    }

    /// Whether there is an answer that was paid for.
    pub fn has_answer(&self) -> bool {
        has_answer(self.status)
    }

    /// Whether a model has worked for it, as far as the answer tells.
    fn has_used(&self) -> bool {
        !self.status.is_without_answer() || self.usage.input_tokens.is_some() || self.usage.output_tokens.is_some()
    }

    /// Whether any of the attempts may have been billed.
    fn maybe_billed(&self) -> bool {
        self.attempts.iter().any(|attempt| attempt.maybe_billed)
    }

    /// The models whose tries may have cost something that nobody told, once for each try.
    pub fn unknown_tries(&self) -> Vec<Target> {
        let Some((last, _)) = self.attempts.split_last() else { return Vec::new() };
        let is_known = self.cost.as_ref().is_some_and(|cost| !cost.partial && cost.usd.is_some());
        let is_unknown = |attempt: &&LineAttempt<'_>| {
            let has_used = std::ptr::eq(*attempt, last) && !is_known && self.has_used();
            attempt.cost.is_none() && (attempt.maybe_billed || has_used)
        };
        let unknown = self.attempts.iter().filter(is_unknown);
        unknown
            .map(|attempt| Target { gateway: attempt.gateway.to_string(), model: attempt.model.to_string() })
            .collect()
    }

    /// The figures of the line.
    pub fn ended(&self) -> Ended {
        let time = |ms: Option<f64>| Duration::try_from_secs_f64(ms?.max(0.0) / 1000.0).ok();
        let cost = self.cost.as_ref().and_then(|cost| {
            let origin = match cost.origin? {
                LineOrigin::Reported => CostOrigin::Reported,
                LineOrigin::Config => CostOrigin::Config,
                LineOrigin::Gateway => CostOrigin::Gateway,
                LineOrigin::Table => CostOrigin::Table,
                LineOrigin::Unknown => return None,
            };
            Some(Cost { usd: cost.usd?.get().trim_matches('"').parse().ok()?, origin, partial: cost.partial })
        });
        let expected = self.expected.clone().map(Cow::into_owned);
        let text = || serde_json::from_str::<String>(self.text.get()).unwrap_or_default();
        Ended {
            status: self.status,
            failure: self.error.as_ref().map(|error| error.kind),
            cached: self.cached,
            first_token: time(self.timing.first_token_ms),
            total: time(self.timing.total_ms),
            input: self.usage.input_tokens,
            output: self.usage.output_tokens,
            cost,
            cost_nothing: !self.has_used() && !self.maybe_billed(),
            label: expected.as_ref().filter(|_| self.correct.is_some()).map(|_| label(&text())),
            expected,
            correct: self.correct,
            scores: self.scores.clone(),
            judge_cost: self.judge_cost,
            fallbacks: self.fallbacks.clone(),
        }
    }
}

impl Ended {
    /// Whether a part of its cost, or all of it, is not known.
    pub fn has_unknown_cost(&self) -> bool {
        self.cost.map_or(!self.cost_nothing, |cost| cost.partial)
    }

    /// The figures of a record and of what it is worth.
    pub fn new(record: &Record, worth: &WorthPart<'_>) -> Self {
        Self {
            status: record.status,
            failure: record.error.as_ref().map(|error| error.kind),
            cached: record.cached,
            first_token: record.timing.first_token,
            total: record.timing.total,
            input: record.usage.input,
            output: record.usage.output,
            cost: record.cost,
            cost_nothing: record.cost_nothing(),
            expected: worth.expected.map(str::to_owned),
            correct: worth.correct,
            label: worth.correct.map(|_| label(&record.text)),
            scores: worth.scores.clone(),
            judge_cost: worth.judge_cost,
            fallbacks: worth.fallbacks.to_vec(),
        }
    }
}

/// Whether an answer, whole or in part, has this status.
pub fn has_answer(status: Status) -> bool {
    matches!(status, Status::Ok | Status::Truncated)
}

/// The most characters of a label in tables.
const LONGEST_LABEL: usize = 40;

/// An answer as a label: without white space around it and a full stop at its end, in lower case. Whatever is longer than a
/// label is cut.
pub fn label(text: &str) -> String {
    let trimmed = text.trim().trim_end_matches('.').trim_end();
    let label = trimmed.to_lowercase();
    match label.char_indices().nth(LONGEST_LABEL) {
        Some((end, _)) => format!("{}…", &label[..end]),
        None => label,
    }
}

/// Whether an answer is the expected one: the same text apart from case, white space around it, and a full stop at its end.
pub fn is_correct(answer: &str, expected: &str) -> bool {
    let plain = |text: &str| text.trim().trim_end_matches('.').trim_end().to_lowercase();
    plain(answer) == plain(expected)
}
