//! What is kept of one call, in the form in which it is stored.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::chat::{FinishReason, Message, Part, Request, Role, ToolCall, Usage};
use crate::error::{Failure, FailureKind};
use crate::money::Usd;
use crate::rates::Rates;
use crate::record::{Attempt, Cost, CostOrigin, Record, Status, Timing};

/// The name of the demo gateway, which no other gateway can have.
pub const DEMO: &str = "demo";

/// One call. As JSON it is a line of the spill file, so fields are only ever added, with a default.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// The call's UUID.
    pub id: String,
    /// The UUID of the run that it belongs to.
    pub run: String,
    /// The command that made it: `ask`, `compare`.
    pub command: String,
    /// Its place in the run, from 0.
    pub place: usize,
    /// When its first request could go out, in milliseconds since 1970.
    pub at_ms: i64,
    /// The model, alias or task that was asked for.
    pub asked: String,
    /// The name of the gateway.
    pub gateway: String,
    /// The model that answered, else the one that was tried last.
    pub model: String,
    /// Whether any model answered.
    pub answered: bool,
    /// Which of the user's keys paid: its name, or the variable it was in.
    pub key: Option<String>,
    /// The task by which it was routed.
    pub task: Option<String>,
    /// What the user calls it, for sums of costs.
    pub tags: BTreeMap<String, String>,
    /// How it ended.
    pub status: Status,
    /// Why the model stopped, as the gateway said.
    pub finish: Option<FinishReason>,
    /// Whether the answer came from llm's own cache.
    pub cached: bool,
    /// What it took, as the gateway said.
    pub tokens: Tokens,
    /// What it cost; `None` where that is unknown.
    pub cost: Option<Amount>,
    /// The prices by which the cost was computed.
    pub rates: Option<Rates>,
    /// What an answer from llm's own cache would have cost.
    #[serde(default)]
    pub saved: Option<Amount>,
    /// How long it took.
    pub times: Times,
    /// Its HTTP requests, in order.
    pub attempts: Vec<AttemptRow>,
    /// Why there is no whole answer.
    pub error: Option<Fault>,
    /// What was asked.
    pub request: Sent,
    /// The id of the conversation's first call.
    pub conversation: Option<String>,
    /// The id of the call that this one continues.
    pub parent: Option<String>,
    /// Characters of the answer's text.
    pub answer_chars: u64,
    /// What was answered; `None` where only metadata is kept.
    pub answer: Option<Answer>,
}

/// Token counts; see [`Usage`]. `None` is unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Tokens {
    /// All of the prompt, cached tokens included.
    pub input: Option<u64>,
    /// Part of the input that was read from the provider's cache.
    pub cache_read: Option<u64>,
    /// Part of the input that was written to the provider's cache.
    pub cache_write: Option<u64>,
    /// All of the answer, reasoning included.
    pub output: Option<u64>,
    /// Part of the output that is reasoning.
    pub reasoning: Option<u64>,
}

/// A cost, and where it comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Amount {
    /// In picodollars (10⁻¹² USD).
    pub picos: i64,
    /// Who said so.
    pub origin: CostOrigin,
    /// See [`Cost::partial`].
    #[serde(default)]
    pub partial: bool,
}

impl From<Cost> for Amount {
    fn from(cost: Cost) -> Self {
        Self { picos: cost.usd.picos(), origin: cost.origin, partial: cost.partial }
    }
}

impl From<Amount> for Cost {
    fn from(amount: Amount) -> Self {
        Self { usd: Usd::from_picos(amount.picos), origin: amount.origin, partial: amount.partial }
    }
}

/// Microseconds since the first request could go out; see [`Timing`]. `None` is unknown.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Times {
    /// How long DNS, TCP and TLS took; it is part of no other figure.
    pub connect: Option<u64>,
    /// Until the first byte of the response.
    pub first_byte: Option<u64>,
    /// Until the first piece of reasoning.
    pub first_reasoning: Option<u64>,
    /// Until the first piece of the answer.
    pub first_token: Option<u64>,
    /// Until the end of the answer.
    pub total: Option<u64>,
    /// Tokens of the answer a second.
    pub tokens_per_second: Option<f64>,
}

/// One HTTP request; see [`Attempt`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptRow {
    /// The name of the gateway.
    pub gateway: String,
    /// The model as the gateway was asked for it.
    pub model: String,
    /// The status of HTTP; `None` where there was no response.
    pub status: Option<u16>,
    /// Why it failed; `None` where it answered.
    pub error: Option<Fault>,
    /// When it began, in microseconds since the call's first request could go out.
    pub start_us: u64,
    /// How long it took, in microseconds.
    pub duration_us: u64,
    /// What it cost, in picodollars, as far as that is known.
    pub cost_picos: Option<i64>,
    /// What the gateway calls it.
    pub request_id: Option<String>,
    /// Whether it may have cost something that nobody told; `None` in calls recorded before that was known.
    #[serde(default)]
    pub maybe_billed: Option<bool>,
}

/// What went wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// What kind of failure it is.
    pub kind: FailureKind,
    /// In words. It may quote the prompt, so it is kept where prompts are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The status of HTTP, where there was a response.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
}

/// What was sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sent {
    /// SHA-256 of the body, hexadecimal.
    pub hash: String,
    /// Characters of text in it.
    pub chars: u64,
    /// The unified request as JSON, without the model; of a conversation, its last turn alone. `None` where only
    /// metadata is kept.
    pub body: Option<String>,
}

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Answer {
    /// The answer itself.
    pub text: String,
    /// What the model thought before it; empty where it said nothing of that.
    pub reasoning: String,
    /// By which the vendor knows the reasoning as its own when it is sent back.
    pub signature: Option<String>,
    /// The tools that the model wants to be called.
    pub tool_calls: Vec<ToolCall>,
}

/// Where a call stands in a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turn {
    /// The id of the conversation's first call.
    pub conversation: String,
    /// The id of the call that this one continues.
    pub parent: String,
    /// How many messages of the request come from there.
    pub inherited: usize,
}

/// What a record does not say about its call.
#[derive(Debug, Clone, Copy)]
pub struct Circumstances<'a> {
    /// The command that made it.
    pub command: &'a str,
    /// Its place in the run, from 0.
    pub place: usize,
    /// When its first request could go out.
    pub at: jiff::Timestamp,
    /// Which of the user's keys paid: its name, or the variable it was in.
    pub key: Option<&'a str>,
    /// The task by which it was routed.
    pub task: Option<&'a str>,
    /// What was asked.
    pub request: &'a Request,
    /// Where it stands in a conversation.
    pub turn: Option<&'a Turn>,
    /// Whether prompts and answers are kept; otherwise only their hashes and lengths are.
    pub texts: bool,
}

impl Row {
    /// Whether nobody but the demo gateway was asked, so that nothing was paid.
    pub fn is_of_demo(&self) -> bool {
        self.gateway == DEMO && self.attempts.iter().all(|attempt| attempt.gateway == DEMO)
    }

    /// Returns what is kept of this record.
    pub fn new(mut record: Record, about: &Circumstances<'_>) -> Self {
        // A text that grew piece by piece may hold twice the memory that it needs, and SQLite needs some now.
        record.text.shrink_to_fit();
        let tried = || record.attempts.last().map_or(&record.model, |attempt| &attempt.model).clone();
        let (model, answered) = (record.answered_by.clone().unwrap_or_else(tried), record.answered_by.is_some());
        let attempts = record.attempts.iter().map(|attempt| AttemptRow::new(attempt, about.texts)).collect();
        let error = record.error.as_ref().map(|failure| Fault::new(failure, about.texts));
        let answer_chars = record.text.chars().count() as u64;
        let Usage { input, cache_read, cache_write, output, reasoning, .. } = record.usage;
        Self {
            id: record.id,
            run: record.run,
            command: about.command.to_owned(),
            place: about.place,
            at_ms: about.at.as_millisecond(),
            asked: record.model,
            gateway: record.gateway,
            model,
            answered,
            key: about.key.map(str::to_owned),
            task: about.task.map(str::to_owned),
            tags: record.tags,
            status: record.status,
            finish: record.finish_reason,
            cached: record.cached,
            tokens: Tokens { input, cache_read, cache_write, output, reasoning },
            cost: record.cost.map(Amount::from),
            rates: record.rates,
            saved: record.saved.map(Amount::from),
            times: Times::from(record.timing),
            attempts,
            error,
            request: Sent::new(about.request, about.turn, about.texts),
            conversation: about.turn.map(|turn| turn.conversation.clone()),
            parent: about.turn.map(|turn| turn.parent.clone()),
            answer_chars,
            answer: about.texts.then_some(Answer {
                text: record.text,
                reasoning: record.reasoning,
                signature: record.reasoning_signature,
                tool_calls: record.tool_calls,
            }),
        }
    }

    /// Returns the record of which this was kept, as far as it was.
    pub fn into_record(self) -> Record {
        let Answer { text, reasoning, signature, tool_calls } = self.answer.unwrap_or_default();
        let Tokens { input, cache_read, cache_write, output, reasoning: thought } = self.tokens;
        Record {
            id: self.id,
            run: self.run,
            model: self.asked,
            gateway: self.gateway,
            answered_by: self.answered.then_some(self.model),
            status: self.status,
            text,
            reasoning,
            reasoning_signature: signature,
            tool_calls,
            logprobs: Vec::new(),
            finish_reason: self.finish,
            cached: self.cached,
            saved: self.saved.map(Cost::from),
            usage: Usage { input, cache_read, cache_write, output, reasoning: thought, ..Usage::default() },
            cost: self.cost.map(Cost::from),
            rates: self.rates,
            timing: Timing::from(self.times),
            attempts: self.attempts.into_iter().map(AttemptRow::into_attempt).collect(),
            error: self.error.map(Fault::into_failure),
            tags: self.tags,
        }
    }

    /// What a list shows of the call: of its texts, only the beginning of the last prompt is left.
    pub(crate) fn brief(mut self) -> Self {
        /// Characters; no list shows more.
        const BEGINNING: usize = 200;
        let prompt = self.request.request().and_then(|request| {
            let said = request.messages.iter().rev().find(|message| message.role == Role::User)?;
            let text = texts_of(said).next()?.split_whitespace().flat_map(|word| [word, " "]).flat_map(str::chars);
            Some(Message::text(Role::User, text.take(BEGINNING).collect::<String>()))
        });
        let request = Request { messages: prompt.into_iter().collect(), ..Request::default() };
        self.request.body = self.request.body.map(|_| serde_json::to_string(&request).unwrap_or_default());
        self.answer = None;
        self
    }

    /// Returns what attempts cost that gave no answer, in picodollars, as far as it is known.
    pub(super) fn retry_cost(&self) -> Option<i64> {
        let (_, earlier) = self.attempts.split_last()?;
        earlier.iter().filter_map(|attempt| attempt.cost_picos).reduce(i64::saturating_add)
    }

    /// Returns how many attempts may have cost something that nobody told, or more than was told; `None` in calls recorded before
    /// that was known.
    pub(super) fn maybe_billed(&self) -> Option<usize> {
        let silent: Option<usize> = self.attempts.iter().map(|attempt| attempt.maybe_billed.map(usize::from)).sum();
        let is_partial = self.cost.is_some_and(|cost| cost.partial);
        silent.map(|silent| silent.max(usize::from(is_partial)))
    }

    /// Returns what it saved that tokens came from the provider's cache, or the whole answer from llm's own, in picodollars;
    /// `None` where a price or count is unknown.
    pub(super) fn saved(&self) -> Option<i64> {
        if self.cached {
            return self.saved.map(|saved| saved.picos);
        }
        let rates = self.rates?;
        let less = Usd::from_picos(rates.input?.picos() - rates.cache_read?.picos());
        less.times(self.tokens.cache_read?).map(Usd::picos)
    }

    /// Returns how often another target was tried than the one before.
    pub(super) fn fallbacks(&self) -> usize {
        let target = |attempt: &AttemptRow| (attempt.gateway.clone(), attempt.model.clone());
        self.attempts.windows(2).filter(|pair| target(&pair[0]) != target(&pair[1])).count()
    }
}

/// Whether a cached answer saved more than this amount of the ledger, which has its cost besides, of nothing, and not where the
/// amount comes from. None is computed without the input, so that without it the gateway has reported an amount, which is exact.
/// Where only the output is unknown, an amount may be reported as well: it is called a lower bound rather than another one exact.
pub(super) fn saved_more(saved: Option<i64>, input: Option<u64>, output: Option<u64>) -> bool {
    match saved {
        Some(_) => input.is_some() && output.is_none(),
        None => input.is_none() || output.is_none(),
    }
}

impl From<Timing> for Times {
    fn from(timing: Timing) -> Self {
        Self {
            connect: timing.connect.map(micros),
            first_byte: timing.first_byte.map(micros),
            first_reasoning: timing.first_reasoning.map(micros),
            first_token: timing.first_token.map(micros),
            total: timing.total.map(micros),
            tokens_per_second: timing.tokens_per_second,
        }
    }
}

impl From<Times> for Timing {
    fn from(times: Times) -> Self {
        Self {
            connect: times.connect.map(Duration::from_micros),
            first_byte: times.first_byte.map(Duration::from_micros),
            first_reasoning: times.first_reasoning.map(Duration::from_micros),
            first_token: times.first_token.map(Duration::from_micros),
            total: times.total.map(Duration::from_micros),
            tokens_per_second: times.tokens_per_second,
        }
    }
}

impl AttemptRow {
    fn new(attempt: &Attempt, texts: bool) -> Self {
        Self {
            gateway: attempt.gateway.clone(),
            model: attempt.model.clone(),
            status: attempt.status,
            error: attempt.error.as_ref().map(|failure| Fault::new(failure, texts)),
            start_us: micros(attempt.start),
            duration_us: micros(attempt.duration),
            cost_picos: attempt.cost.map(Usd::picos),
            request_id: attempt.request_id.clone(),
            maybe_billed: Some(attempt.maybe_billed()),
        }
    }

    fn into_attempt(self) -> Attempt {
        let maybe_billed = self.maybe_billed.unwrap_or(false);
        Attempt {
            gateway: self.gateway,
            model: self.model,
            status: self.status,
            error: self.error.map(|fault| Failure { maybe_billed, ..fault.into_failure() }),
            start: Duration::from_micros(self.start_us),
            duration: Duration::from_micros(self.duration_us),
            cost: self.cost_picos.map(Usd::from_picos),
            request_id: self.request_id,
        }
    }
}

impl Fault {
    fn new(failure: &Failure, texts: bool) -> Self {
        let message = texts.then(|| failure.message.clone());
        Self { kind: failure.kind, message, status: failure.status }
    }

    /// Returns the failure, with a message that says so where none was kept.
    pub fn into_failure(self) -> Failure {
        let message = self.message.unwrap_or_else(|| format!("{} (message not kept)", self.kind.as_str()));
        let failure = Failure::new(self.kind, message);
        match self.status {
            Some(status) => failure.with_status(status),
            None => failure,
        }
    }
}

impl Sent {
    fn new(request: &Request, turn: Option<&Turn>, texts: bool) -> Self {
        let inherited = turn.map_or(0, |turn| turn.inherited).min(request.messages.len());
        let kept = Request { messages: request.messages[inherited..].to_vec(), ..request.clone() };
        // A request can always be written as JSON, so there is no error to tell.
        let body = serde_json::to_string(&kept).unwrap_or_default();
        let hash = Sha256::digest(body.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
        let chars = kept.messages.iter().flat_map(texts_of).map(|text| text.chars().count() as u64).sum();
        Self { hash, chars, body: texts.then_some(body) }
    }

    /// Returns the request, if it was kept.
    pub fn request(&self) -> Option<Request> {
        let mut body: serde_json::Map<_, _> = serde_json::from_str(self.body.as_deref()?).ok()?;
        // Older versions could write the model here as well; the row names it.
        body.shift_remove("model");
        serde_json::from_value(body.into()).ok()
    }
}

/// The text of a message, part by part.
pub(super) fn texts_of(message: &Message) -> impl Iterator<Item = &str> {
    message.parts.iter().filter_map(|part| match part {
        Part::Text(text) | Part::ToolResult { content: text, .. } => Some(text.as_str()),
        _ => None,
    })
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
