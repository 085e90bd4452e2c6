//! What a model can really do at a gateway, found out by small requests: `llm probe`.
//!
//! [`Question`] is a request, [`Answer`] is what came back, and a file below `check/` says for each [`Feature`] what the
//! answers prove. Nothing here does IO except [`kept`], which keeps the findings.

mod check;
pub mod context;
pub mod kept;
mod needs;

pub use needs::{lacking, needed};

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::chat::{FinishReason, Message, Request, Role, ToolCall, Usage};
use crate::error::{Failure, FailureKind};
use crate::record::{CostOrigin, Record};
use crate::words::{on_one_line, shortened};

/// The limit of most answers, in output tokens. It leaves room for models that reason first.
const ANSWER_TOKENS: u64 = 1_024;

/// The most characters of an answer or an error that evidence repeats.
const EXCERPT: usize = 60;

/// Something that a model or its gateway may be able to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Feature {
    /// The answer arrives in pieces.
    Stream,
    /// The system message is obeyed.
    System,
    /// The answer ends before a stop text.
    Stop,
    /// The same seed gives the same answer, and another seed another one.
    Seed,
    /// The limit of output tokens is kept.
    MaxTokens,
    /// A function is called with arguments that follow its schema.
    Tools,
    /// Several functions are called in one answer.
    ParallelTools,
    /// The answer follows a JSON Schema.
    JsonSchema,
    /// An image is seen.
    Image,
    /// A PDF is read.
    Pdf,
    /// The log-probabilities of tokens come with the answer.
    Logprobs,
    /// Reasoning comes back, as text or as a count of tokens.
    Reasoning,
    /// Input and output tokens are reported.
    Usage,
    /// The cost is reported.
    Cost,
    /// The whole listed context is accepted.
    Context,
}

impl Feature {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Self; 15] = [
        Self::Stream,
        Self::System,
        Self::Stop,
        Self::Seed,
        Self::MaxTokens,
        Self::Tools,
        Self::ParallelTools,
        Self::JsonSchema,
        Self::Image,
        Self::Pdf,
        Self::Logprobs,
        Self::Reasoning,
        Self::Usage,
        Self::Cost,
        Self::Context,
    ];

    /// The word in flags, tables and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stream => "stream",
            Self::System => "system",
            Self::Stop => "stop",
            Self::Seed => "seed",
            Self::MaxTokens => "max_tokens",
            Self::Tools => "tools",
            Self::ParallelTools => "parallel_tools",
            Self::JsonSchema => "json_schema",
            Self::Image => "image",
            Self::Pdf => "pdf",
            Self::Logprobs => "logprobs",
            Self::Reasoning => "reasoning",
            Self::Usage => "usage",
            Self::Cost => "cost",
            Self::Context => "context",
        }
    }

    /// The feature of this name; `-` counts as `_`.
    pub fn named(word: &str) -> Option<Self> {
        let word = word.trim().to_lowercase().replace('-', "_");
        Self::ALL.into_iter().find(|feature| feature.as_str() == word)
    }

    /// The requests that show whether a model has it, besides the plain one.
    pub fn questions(self) -> &'static [Question] {
        check::of(self).map_or(&[], |check| check.questions())
    }
}

/// Whether a model has a feature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Value {
    Yes,
    No,
    /// The answers prove neither, or there was none.
    Unknown,
}

impl Value {
    /// The word in tables and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Yes => "yes",
            Self::No => "no",
            Self::Unknown => "unknown",
        }
    }
}

/// What was found out about one feature of one model, and how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    pub value: Value,
    /// What was sent, in one line.
    pub sent: String,
    /// What came back, in one line.
    pub received: String,
}

/// What an answer proves.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Verdict {
    value: Value,
    received: String,
}

fn yes(received: impl Into<String>) -> Verdict {
    Verdict { value: Value::Yes, received: received.into() }
}

fn no(received: impl Into<String>) -> Verdict {
    Verdict { value: Value::No, received: received.into() }
}

fn unknown(received: impl Into<String>) -> Verdict {
    Verdict { value: Value::Unknown, received: received.into() }
}

/// One small request of a probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Question {
    /// A prompt with a system message. Nothing else is asked of a model that does not answer it.
    Plain,
    Stop,
    Seed,
    /// The same request as [`Question::Seed`].
    SeedAgain,
    OtherSeed,
    Limit,
    Tools,
    Schema,
    Image,
    Pdf,
    Logprobs,
    Reasoning,
}

impl Question {
    /// The request. No model's answer to it depends on the answer to another.
    pub fn request(self) -> Request {
        match self {
            Self::Plain => check::system::request(),
            Self::Stop => check::stop::request(),
            Self::Seed | Self::SeedAgain => check::seed::request(check::seed::SEED),
            Self::OtherSeed => check::seed::request(check::seed::SEED + 1),
            Self::Limit => check::max_tokens::request(),
            Self::Tools => check::tools::request(),
            Self::Schema => check::json_schema::request(),
            Self::Image => check::image::request(),
            Self::Pdf => check::pdf::request(),
            Self::Logprobs => check::logprobs::request(),
            Self::Reasoning => check::reasoning::request(),
        }
    }

    /// The word that names the request among those of its run.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Stop => "stop",
            Self::Seed => "seed",
            Self::SeedAgain => "seed again",
            Self::OtherSeed => "other seed",
            Self::Limit => "limit",
            Self::Tools => "tools",
            Self::Schema => "schema",
            Self::Image => "image",
            Self::Pdf => "pdf",
            Self::Logprobs => "logprobs",
            Self::Reasoning => "reasoning",
        }
    }
}

/// A request with this prompt.
fn prompt(text: &str) -> Request {
    Request {
        messages: vec![Message::text(Role::User, text)],
        max_tokens: Some(ANSWER_TOKENS),
        stream: true,
        ..Request::default()
    }
}

/// The requests that these features need: the plain one first, each once.
pub fn questions(features: &[Feature]) -> Vec<Question> {
    let mut questions = vec![Question::Plain];
    for question in features.iter().flat_map(|feature| feature.questions()) {
        if !questions.contains(question) {
            questions.push(*question);
        }
    }
    questions
}

/// What came back for one request.
#[derive(Debug, Clone, Default)]
pub struct Answer {
    pub text: String,
    pub reasoning: String,
    pub tool_calls: Vec<ToolCall>,
    /// How many tokens have a log-probability.
    pub logprobs: usize,
    pub usage: Usage,
    pub finish: Option<FinishReason>,
    /// Whether the gateway said what the answer cost.
    pub reports_cost: bool,
    /// In how many pieces text and tool calls arrived.
    pub pieces: usize,
    /// The parameters that the model refused, after which it was asked without them.
    pub refused: Vec<&'static str>,
    /// Why the answer is not complete.
    pub failure: Option<Failure>,
}

impl Answer {
    /// The answer of a record. Pieces and refused parameters are not in a record; events have them.
    pub fn of(record: &Record, pieces: usize, refused: Vec<&'static str>) -> Self {
        Self {
            text: record.text.clone(),
            reasoning: record.reasoning.clone(),
            tool_calls: record.tool_calls.clone(),
            logprobs: record.logprobs.len(),
            usage: record.usage,
            finish: record.finish_reason.clone(),
            reports_cost: record.cost.is_some_and(|cost| cost.origin == CostOrigin::Reported),
            pieces,
            refused,
            failure: record.error.clone(),
        }
    }

    /// Whether the model came to an end by itself or at the token limit. Anything else proves nothing about the model.
    pub fn is_whole(&self) -> bool {
        self.failure.is_none() || self.finish == Some(FinishReason::Length)
    }

    /// Whether the gateway says that it refuses the request because of what it asks for.
    pub fn is_refusal(&self) -> bool {
        let kinds = [FailureKind::InvalidRequest, FailureKind::NotFound];
        self.failure.as_ref().is_some_and(|failure| kinds.contains(&failure.kind))
    }

    /// Whether there is neither text nor a call of a function.
    fn is_empty(&self) -> bool {
        self.text.trim().is_empty() && self.tool_calls.is_empty()
    }

    /// The beginning of the answer, for evidence.
    fn said(&self) -> String {
        match self.text.trim() {
            "" if !self.tool_calls.is_empty() => "a call of a function".to_owned(),
            "" if self.finish == Some(FinishReason::Length) => "nothing before the token limit".to_owned(),
            "" => "an empty answer".to_owned(),
            text => format!("“{}”", excerpt(text)),
        }
    }

    /// Why there is no whole answer, for evidence.
    fn why(&self) -> String {
        let Some(failure) = &self.failure else { return "no answer".to_owned() };
        let status = failure.status.map_or_else(String::new, |status| format!("{status} "));
        format!("{status}{}", excerpt(&failure.message))
    }
}

/// The beginning of a text, on one line.
fn excerpt(text: &str) -> String {
    shortened(&on_one_line(text), EXCERPT).into_owned()
}

/// The answers of one model.
pub type Answers = BTreeMap<Question, Answer>;

/// What the answers of a model prove about these features. [`Feature::Context`] is found by a
/// [search](context::Search).
pub fn findings(features: &[Feature], answers: &Answers) -> BTreeMap<Feature, Finding> {
    let checked = features.iter().filter_map(|feature| Some((*feature, check::of(*feature)?)));
    checked
        .map(|(feature, check)| {
            let Verdict { value, received } = verdict(check, answers);
            (feature, Finding { value, sent: check.sent().to_owned(), received })
        })
        .collect()
}

fn verdict(check: &dyn check::Check, answers: &Answers) -> Verdict {
    let Some(plain) = answers.get(&Question::Plain) else { return unknown("not asked") };
    if !plain.is_whole() {
        return unknown(plain.why());
    }
    // A parameter that a model has refused once is left out of its later requests.
    let is_refused = |parameter: &str| answers.values().any(|answer| answer.refused.contains(&parameter));
    if check.parameter().is_some_and(is_refused) {
        return no("the parameter was refused, and the request answered without it");
    }
    let mut needed = Vec::new();
    for question in check.questions().iter().chain(check.questions().is_empty().then_some(&Question::Plain)) {
        match answers.get(question) {
            Some(answer) if answer.is_whole() => needed.push(answer),
            Some(answer) if answer.is_refusal() => return no(answer.why()),
            Some(answer) => return unknown(answer.why()),
            None => return unknown("not asked"),
        }
    }
    check.judge(&needed)
}

#[cfg(test)]
mod tests;
