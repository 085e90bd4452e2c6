//! The models of the demo gateway, and how each of them answers a call.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time;

use super::reply::{self, Reply};
use super::vector;
use crate::call::{Call, Event, Events, Service};
use crate::chat::{FinishReason, Request, StreamEvent, Usage};
use crate::demo::embeddings::{Embeddings, Input};
use crate::demo::server::Backend;
use crate::error::{Failure, FailureKind};
use crate::http::{invalid, not_found};
use crate::money::Usd;

/// One model of the demo gateway.
pub(super) struct Model {
    pub(super) name: &'static str,
    /// What it does, for the list of models.
    pub(super) about: &'static str,
    /// The time until the first token.
    first: Duration,
    /// The time between two tokens.
    pace: Duration,
    /// The price of an input token in picodollars.
    pub(super) input: i64,
    /// The price of an output token in picodollars.
    pub(super) output: i64,
    /// Whether its answers say what they cost, as those of some gateways do; else the price list alone does.
    reports_cost: bool,
    /// What it can do besides streaming, calling tools, following a schema, and keeping to the limit of output tokens,
    /// which all can.
    pub(super) skills: &'static [Skill],
    /// Whether the list of models has it. Those that it has not are for trying what bad models do.
    pub(super) is_listed: bool,
}

/// What some models of the demo gateway can do. `llm probe` finds exactly this, and the list of models says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Skill {
    /// Begins its answers with the word that a system message asks for.
    System,
    /// Ends its answers at a stop text.
    Stop,
    /// Orders the words of its answers by the seed.
    Seed,
    /// Calls several tools in one answer; else it calls one alone.
    ParallelTools,
    /// Gives the log-probabilities of its tokens.
    Logprobs,
    /// Shows its reasoning.
    Reasoning,
}

impl Skill {
    /// The name of the parameter in lists of models.
    pub(super) fn parameter(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Stop => "stop",
            Self::Seed => "seed",
            Self::ParallelTools => "parallel_tool_calls",
            Self::Logprobs => "logprobs",
            Self::Reasoning => "reasoning",
        }
    }
}

/// The context in the list of models, in tokens.
pub(crate) const CONTEXT: u64 = 8192;

/// The model that takes no prompt beyond its context. The others take prompts of any length.
const LIMITED: &str = "demo/steady";

/// A judge that judges badly.
const fn bad_judge(name: &'static str, about: &'static str) -> Model {
    Model {
        name,
        about,
        first: Duration::from_millis(30),
        pace: Duration::from_millis(1),
        input: 1_000_000,
        output: 4_000_000,
        reports_cost: true,
        is_listed: false,
        skills: &[],
    }
}

pub(super) const MODELS: [Model; 10] = [
    Model {
        name: "demo/quick",
        about: "answers at once with the first sentence of the prompt",
        first: Duration::from_millis(60),
        pace: Duration::from_millis(8),
        input: 100_000,
        output: 400_000,
        reports_cost: true,
        is_listed: true,
        skills: &[Skill::ParallelTools, Skill::Logprobs],
    },
    Model {
        name: "demo/steady",
        about: "answers evenly with the first two sentences of the prompt",
        first: Duration::from_millis(180),
        pace: Duration::from_millis(20),
        input: 1_000_000,
        output: 4_000_000,
        reports_cost: false,
        is_listed: true,
        skills: &[Skill::System, Skill::Stop, Skill::Seed, Skill::Logprobs],
    },
    Model {
        name: "demo/thinker",
        about: "thinks first, then answers in short",
        first: Duration::from_millis(120),
        pace: Duration::from_millis(16),
        input: 3_000_000,
        output: 15_000_000,
        reports_cost: true,
        is_listed: true,
        skills: &[Skill::System, Skill::Stop, Skill::ParallelTools, Skill::Logprobs, Skill::Reasoning],
    },
    Model {
        name: "demo/flaky",
        about: "fails once with 503, then answers",
        first: Duration::from_millis(90),
        pace: Duration::from_millis(10),
        input: 200_000,
        output: 800_000,
        reports_cost: false,
        is_listed: true,
        skills: &[Skill::ParallelTools],
    },
    Model {
        name: "demo/down",
        about: "always answers 503",
        first: Duration::from_millis(20),
        pace: Duration::ZERO,
        input: 200_000,
        output: 800_000,
        reports_cost: false,
        is_listed: true,
        skills: &[],
    },
    Model {
        name: "demo/judge",
        about: "scores answers by how many words of the prompt they have and how few others",
        first: Duration::from_millis(90),
        pace: Duration::from_millis(2),
        input: 1_000_000,
        output: 4_000_000,
        reports_cost: true,
        is_listed: true,
        skills: &[],
    },
    bad_judge("demo/judge-first", "likes the first answer best"),
    bad_judge("demo/judge-longest", "likes the longest answer best"),
    bad_judge("demo/judge-obedient", "gives the points that an answer asks for"),
    bad_judge("demo/judge-talker", "does not keep to the form of a verdict"),
];

/// The models, and the idempotency keys of the requests that `demo/flaky` has failed already.
#[derive(Default)]
pub(super) struct DemoModels {
    failed_once: Mutex<HashSet<String>>,
}

impl DemoModels {
    /// The model of this name, once it begins to answer the request with this idempotency key.
    async fn begin(&self, name: &str, key: &str) -> Result<&'static Model, Failure> {
        let model = find(name)?;
        time::sleep(model.first).await;
        let first_try = model.name == "demo/flaky"
            && self.failed_once.lock().unwrap_or_else(PoisonError::into_inner).insert(key.to_owned());
        if model.name == "demo/down" || first_try {
            let mut failure = Failure::new(FailureKind::Unavailable, format!("{} is overloaded (demo)", model.name));
            failure.status = Some(503);
            failure.retry_after = Some(Duration::from_millis(200));
            return Err(failure);
        }
        Ok(model)
    }
}

fn find(name: &str) -> Result<&'static Model, Failure> {
    let model = MODELS.iter().find(|model| model.name == name);
    model.ok_or_else(|| not_found(format!("the demo gateway has no model `{name}`")))
}

impl Backend for DemoModels {
    fn count_tokens(&self, model: &str, request: &Request) -> Result<u64, Failure> {
        find(model).map(|_| reply::input_tokens(request))
    }

    async fn embed(
        &self,
        model: &str,
        key: &str,
        inputs: &[Input],
        dimensions: Option<usize>,
    ) -> Result<Embeddings, Failure> {
        let dimensions = dimensions.unwrap_or(vector::USUAL);
        if !(1..=vector::MOST).contains(&dimensions) {
            let mut failure = invalid(format!("`dimensions` must be from 1 to {}", vector::MOST));
            failure.param = Some("dimensions".into());
            return Err(failure);
        }
        self.begin(model, key).await?;
        let mut input_tokens = 0;
        let vectors = inputs.iter().map(|input| {
            let words: Vec<String> = match input {
                Input::Text(text) => reply::tokens(text).into_iter().map(str::to_owned).collect(),
                Input::Tokens(tokens) => tokens.iter().map(u32::to_string).collect(),
            };
            input_tokens += words.len() as u64;
            vector::of(&words, dimensions)
        });
        Ok(Embeddings { vectors: vectors.collect(), input_tokens })
    }
}

impl Service for DemoModels {
    async fn call(&self, call: &Call, events: &Events) -> Result<(), Failure> {
        let request = &call.request;
        let model = self.begin(&call.target().model, &call.idempotency_key).await?;
        let tokens = reply::input_tokens(request);
        if tokens > CONTEXT && model.name == LIMITED {
            let message = format!("the prompt has {tokens} tokens, and the context of {} is {CONTEXT}", model.name);
            return Err(Failure::new(FailureKind::ContextLength, message).with_status(400));
        }
        let Reply { mut thoughts, pieces, finish } = reply::to(model.name, model.skills, request);
        let limit = request.max_tokens.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
        thoughts.truncate(limit);
        let limit = limit - thoughts.len();
        let start = StreamEvent::Start { id: Some(format!("demo-{}", call.id)), model: Some(model.name.to_owned()) };
        events.emit(Event::Stream(start)).await?;
        for thought in &thoughts {
            events.emit(Event::Stream(StreamEvent::ReasoningDelta(thought.clone()))).await?;
            time::sleep(model.pace).await;
        }
        let said = pieces.len().min(limit);
        let finish = if said < pieces.len() { FinishReason::Length } else { finish };
        for (index, piece) in pieces.into_iter().take(limit).enumerate() {
            if index > 0 {
                time::sleep(model.pace).await;
            }
            let logprobs = request.logprobs.filter(|_| model.skills.contains(&Skill::Logprobs));
            if let (Some(alternatives), StreamEvent::TextDelta(token)) = (logprobs, &piece) {
                events
                    .emit(Event::Stream(StreamEvent::Logprobs(vec![reply::logprob(token, index, alternatives)])))
                    .await?;
            }
            events.emit(Event::Stream(piece)).await?;
        }
        events.emit(Event::Stream(StreamEvent::Finish(finish))).await?;
        events.emit(Event::Stream(StreamEvent::Usage(model.usage(request, thoughts.len(), said)))).await?;
        Ok(())
    }
}

impl Model {
    fn usage(&self, request: &Request, thoughts: usize, pieces: usize) -> Usage {
        let (input, thought) = (reply::input_tokens(request), thoughts as u64);
        let output = thought + pieces as u64;
        let price = |rate: i64, count: u64| Usd::from_picos(rate).times(count).unwrap_or_default();
        Usage {
            input: Some(input),
            output: Some(output),
            reasoning: (thought > 0).then_some(thought),
            cost: self.reports_cost.then(|| price(self.input, input) + price(self.output, output)),
            ..Usage::default()
        }
    }
}
