//! The models of the demo gateway: what they are like, and how each answers a call.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time;

use super::reply::{self, Reply};
use crate::call::Service;
use crate::call::{Call, Event, Events};
use crate::chat::{FinishReason, Request, StreamEvent, Usage};
use crate::error::{Failure, FailureKind};
use crate::money::Usd;

/// One model of the demo gateway.
pub(super) struct Model {
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    /// Until the first token.
    pub(super) first: Duration,
    /// Between tokens.
    pub(super) pace: Duration,
    /// Picodollars per token.
    pub(super) input: i64,
    pub(super) output: i64,
    /// Whether its answers say what they cost, as some gateways do, or leave it to the price list.
    pub(super) reports_cost: bool,
}

pub(super) const MODELS: [Model; 5] = [
    Model {
        name: "demo/quick",
        about: "answers at once with the first sentence of the prompt",
        first: Duration::from_millis(60),
        pace: Duration::from_millis(8),
        input: 100_000,
        output: 400_000,
        reports_cost: true,
    },
    Model {
        name: "demo/steady",
        about: "answers evenly with the first two sentences of the prompt",
        first: Duration::from_millis(180),
        pace: Duration::from_millis(20),
        input: 1_000_000,
        output: 4_000_000,
        reports_cost: false,
    },
    Model {
        name: "demo/thinker",
        about: "thinks first, then answers in short",
        first: Duration::from_millis(120),
        pace: Duration::from_millis(16),
        input: 3_000_000,
        output: 15_000_000,
        reports_cost: true,
    },
    Model {
        name: "demo/flaky",
        about: "fails once with 503, then answers",
        first: Duration::from_millis(90),
        pace: Duration::from_millis(10),
        input: 200_000,
        output: 800_000,
        reports_cost: false,
    },
    Model {
        name: "demo/down",
        about: "always answers 503",
        first: Duration::from_millis(20),
        pace: Duration::ZERO,
        input: 200_000,
        output: 800_000,
        reports_cost: false,
    },
];

/// The models, and which calls `demo/flaky` has failed already.
#[derive(Default)]
pub(super) struct Personalities {
    failed_once: Mutex<HashSet<String>>,
}

impl Service for Personalities {
    async fn call(&self, call: &Call, events: &Events) -> Result<(), Failure> {
        let request = &call.request;
        let asked = &call.target().model;
        let Some(model) = MODELS.iter().find(|model| model.name == asked) else {
            let message = format!("the demo gateway has no model `{asked}`");
            return Err(Failure::new(FailureKind::NotFound, message).with_status(404));
        };
        time::sleep(model.first).await;
        let first_try = model.name == "demo/flaky"
            && self.failed_once.lock().unwrap_or_else(PoisonError::into_inner).insert(call.idempotency_key.clone());
        if model.name == "demo/down" || first_try {
            let mut failure = Failure::new(FailureKind::Unavailable, format!("{} is overloaded (demo)", model.name));
            failure.status = Some(503);
            failure.retry_after = Some(Duration::from_millis(200));
            return Err(failure);
        }
        let Reply { thoughts, pieces, finish } = reply::to(model.name, request);
        let start = StreamEvent::Start { id: Some(format!("demo-{}", call.id)), model: Some(model.name.to_owned()) };
        events.emit(Event::Stream(start)).await?;
        for thought in &thoughts {
            events.emit(Event::Stream(StreamEvent::ReasoningDelta(thought.clone()))).await?;
            time::sleep(model.pace).await;
        }
        let limit = request.max_tokens.map_or(pieces.len(), |limit| usize::try_from(limit).unwrap_or(usize::MAX));
        let said = pieces.len().min(limit);
        let finish = if said < pieces.len() { FinishReason::Length } else { finish };
        for (index, piece) in pieces.into_iter().take(limit).enumerate() {
            if index > 0 {
                time::sleep(model.pace).await;
            }
            if let (Some(alternatives), StreamEvent::TextDelta(token)) = (request.logprobs, &piece) {
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
