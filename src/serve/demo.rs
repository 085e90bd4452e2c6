//! The demo gateway: a real server on a loopback port, whose models answer from the prompt itself. No key, no network.

use std::collections::HashSet;
use std::net::TcpListener;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use axum::serve::ListenerExt;
use serde_json::json;
use tokio::sync::oneshot;
use tokio::time;

use super::{router, text};
use crate::call::{Call, Event, Events};
use crate::chat::{FinishReason, Part, Request, Role, StreamEvent, Usage};
use crate::error::{Error, Failure, FailureKind};
use crate::money::Usd;
use crate::policy::Service;
use crate::rates::{Rates, Tariff};

/// One model of the demo gateway.
struct Model {
    name: &'static str,
    about: &'static str,
    /// Until the first token.
    first: Duration,
    /// Between tokens.
    pace: Duration,
    /// Picodollars per token.
    input: i64,
    output: i64,
    /// Whether its answers say what they cost, as some gateways do, or leave it to the price list.
    reports_cost: bool,
}

const MODELS: [Model; 5] = [
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

/// The demo gateway while it runs; dropping it stops the server.
#[derive(Debug)]
pub struct Demo {
    port: u16,
    _stop: oneshot::Sender<()>,
}

impl Demo {
    /// Starts the server on a free loopback port, on a thread of its own, so that its work does not show in our times.
    pub fn start() -> Result<Self, Error> {
        let cannot = |error: std::io::Error| Error::Config {
            message: "the demo gateway cannot be started".into(),
            cause: Some(error.to_string()),
            hint: None,
        };
        let listener = TcpListener::bind(("127.0.0.1", 0)).map_err(cannot)?;
        listener.set_nonblocking(true).map_err(cannot)?;
        let port = listener.local_addr().map_err(cannot)?.port();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(cannot)?;
        let (stop, stopped) = oneshot::channel::<()>();
        thread::Builder::new()
            .name("demo".into())
            .spawn(move || {
                runtime.block_on(async move {
                    // Neither can fail for a socket that is bound and a runtime that runs.
                    let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
                    // Tokens leave as they are made.
                    let listener = listener.tap_io(|connection| {
                        // Refused only for connections that are gone.
                        let _ = connection.set_nodelay(true);
                    });
                    let router = router(Personalities::default(), model_list());
                    // Whoever sends is this process, and has limits of its own.
                    let router = router.layer(axum::extract::DefaultBodyLimit::disable());
                    let server = axum::serve(listener, router);
                    tokio::select! {
                        _ = server => {}
                        _ = stopped => {}
                    }
                });
            })
            .map_err(cannot)?;
        Ok(Self { port, _stop: stop })
    }

    /// Where it listens.
    pub fn base_url(&self) -> String {
        format!("http://127.0.0.1:{}/v1", self.port)
    }
}

/// The body of `GET /v1/models`, in OpenRouter's shape: prices are strings in USD per token.
pub fn model_list() -> Vec<u8> {
    let models: Vec<_> = MODELS
        .iter()
        .map(|model| {
            json!({
                "id": model.name,
                "object": "model",
                "owned_by": "demo",
                "description": model.about,
                "context_length": 8192,
                "architecture": {"input_modalities": ["text"], "output_modalities": ["text"]},
                "pricing": {
                    "prompt": Usd::from_picos(model.input).to_decimal(),
                    "completion": Usd::from_picos(model.output).to_decimal(),
                },
                "supported_parameters": if model.name == "demo/thinker" { vec!["reasoning"] } else { vec![] },
            })
        })
        .collect();
    json!({"object": "list", "data": models}).to_string().into_bytes()
}

/// What the list says of prices, for those who need not ask for it.
pub fn prices() -> impl Iterator<Item = (String, Tariff)> {
    MODELS.iter().map(|model| {
        let rates = Rates {
            input: Some(Usd::from_picos(model.input)),
            output: Some(Usd::from_picos(model.output)),
            ..Rates::default()
        };
        (model.name.to_owned(), Tariff { base: rates, steps: Vec::new() })
    })
}

/// The models, and which calls `demo/flaky` has failed already.
#[derive(Default)]
struct Personalities {
    failed_once: Mutex<HashSet<String>>,
}

impl Service for Personalities {
    async fn call(&self, call: &Call, events: &Events) -> Result<(), Failure> {
        let request = &call.request;
        let Some(model) = MODELS.iter().find(|model| model.name == request.model) else {
            let message = format!("the demo gateway has no model `{}`", request.model);
            return Err(Failure::new(FailureKind::NotFound, message).with_status(404));
        };
        time::sleep(model.first).await;
        let first_try = model.name == "demo/flaky"
            && self.failed_once.lock().unwrap_or_else(PoisonError::into_inner).insert(call.id.clone());
        if model.name == "demo/down" || first_try {
            let mut failure = Failure::new(FailureKind::Unavailable, format!("{} is overloaded (demo)", model.name));
            failure.status = Some(503);
            failure.retry_after = Some(Duration::from_millis(200));
            return Err(failure);
        }
        let prompt = prompt(request);
        let (reasoning, answer) = reply(model, &prompt);
        let start = StreamEvent::Start { id: Some(format!("demo-{}", call.id)), model: Some(model.name.to_owned()) };
        events.emit(Event::Stream(start)).await?;
        let thoughts = tokens(&reasoning);
        for token in &thoughts {
            events.emit(Event::Stream(StreamEvent::ReasoningDelta((*token).to_owned()))).await?;
            time::sleep(model.pace).await;
        }
        let pieces = tokens(&answer);
        let limit = request.max_tokens.map_or(pieces.len(), |limit| usize::try_from(limit).unwrap_or(usize::MAX));
        for (index, token) in pieces.iter().take(limit).enumerate() {
            if index > 0 {
                time::sleep(model.pace).await;
            }
            events.emit(text(*token)).await?;
        }
        let finish = if limit < pieces.len() { FinishReason::Length } else { FinishReason::Stop };
        events.emit(Event::Stream(StreamEvent::Finish(finish))).await?;
        let input = request.messages.iter().flat_map(|message| &message.parts).map(part_tokens).sum::<u64>();
        let (thought, said) = (thoughts.len() as u64, pieces.len().min(limit) as u64);
        let output = thought + said;
        let price = |rate: i64, count: u64| Usd::from_picos(rate).times(count).unwrap_or_default();
        let usage = Usage {
            input: Some(input),
            output: Some(output),
            reasoning: (thought > 0).then_some(thought),
            cost: model.reports_cost.then(|| price(model.input, input) + price(model.output, output)),
            ..Usage::default()
        };
        events.emit(Event::Stream(StreamEvent::Usage(usage))).await?;
        Ok(())
    }
}

/// What the last user message says.
fn prompt(request: &Request) -> String {
    let message = request.messages.iter().rev().find(|message| message.role == Role::User);
    let parts = message.into_iter().flat_map(|message| &message.parts);
    let texts = parts.filter_map(|part| if let Part::Text(text) = part { Some(text.as_str()) } else { None });
    texts.collect::<Vec<_>>().join("\n")
}

/// What a model thinks and says to a prompt.
fn reply(model: &Model, prompt: &str) -> (String, String) {
    let sentences = sentences(matter(prompt));
    let first = sentences.first().cloned().unwrap_or_else(|| "There is nothing to go by.".to_owned());
    match model.name {
        "demo/steady" => (String::new(), sentences.iter().take(2).cloned().collect::<Vec<_>>().join(" ")),
        "demo/thinker" => {
            let words = prompt.split_whitespace().count();
            let thought = format!(
                "{words} words, {} to go by. What comes first usually matters most.",
                plural(sentences.len(), "sentence")
            );
            (thought, format!("In short: {first}"))
        }
        _ => (String::new(), first),
    }
}

fn plural(count: usize, noun: &str) -> String {
    if count == 1 { format!("{count} {noun}") } else { format!("{count} {noun}s") }
}

/// The prompt without an instruction in front: `Summarize: …`.
fn matter(prompt: &str) -> &str {
    match prompt.split_once(':') {
        Some((instruction, matter)) if instruction.split_whitespace().count() <= 4 && !matter.trim().is_empty() => {
            matter
        }
        _ => prompt,
    }
}

fn sentences(text: &str) -> Vec<String> {
    let mut sentences = Vec::new();
    for piece in text.split_inclusive(['.', '!', '?', '\n']) {
        let piece = piece.split_whitespace().collect::<Vec<_>>().join(" ");
        let mut letters = piece.chars();
        if let Some(first) = letters.next().filter(|_| piece.chars().any(char::is_alphanumeric)) {
            sentences.push(first.to_uppercase().chain(letters).collect());
        }
    }
    sentences
}

/// The demo's tokens: words with the space before them.
fn tokens(text: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    let mut start = 0;
    for (at, _) in text.match_indices(' ') {
        if at > start {
            tokens.push(&text[start..at]);
            start = at;
        }
    }
    if start < text.len() {
        tokens.push(&text[start..]);
    }
    tokens
}

fn part_tokens(part: &Part) -> u64 {
    if let Part::Text(text) = part { tokens(text).len() as u64 } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_come_from_the_prompt() {
        let said = |name: &str, prompt: &str| {
            let model = MODELS.iter().find(|model| model.name == name).expect("a model");
            reply(model, prompt).1
        };
        assert_eq!(said("demo/quick", "Summarize: the cat sat on the mat. It purred."), "The cat sat on the mat.");
        assert_eq!(said("demo/steady", "the cat sat.\nIt purred. It slept."), "The cat sat. It purred.");
        assert_eq!(said("demo/thinker", "why is the sky blue?"), "In short: Why is the sky blue?");
        assert_eq!(said("demo/quick", "..."), "There is nothing to go by.");
    }

    #[test]
    fn tokens_are_the_text() {
        for text in ["", "a", "a b", " a  b ", "äß 😀 c"] {
            assert_eq!(tokens(text).concat(), text);
        }
    }
}
