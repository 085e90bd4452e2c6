//! Sends a request again without a parameter that the model refused, or with another parameter instead. The parameter is
//! not sent to that model again in requests with the same parameters: some models refuse one only beside another.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;

use crate::adapter::Api;
use crate::call::{Call, Event, Events, Service, Target};
use crate::chat::{Message, Part, Request, ResponseFormat, Role};
use crate::error::{Failure, FailureKind};

/// The most kinds of requests whose refusals are remembered. When there are more, all refusals are forgotten, which costs each
/// one more refused request.
const MOST_KINDS: usize = 1_000;

/// Returns the wire format in which a model is asked for chats, if it is known.
pub type Apis = Box<dyn Fn(&Target) -> Option<Api> + Send + Sync>;

/// Removes or replaces the parameters that a model refuses.
pub struct Adjust<S> {
    inner: S,
    apis: Apis,
    /// The adjustments that each kind of request needs, as indexes in [`ADJUSTMENTS`].
    refused: Mutex<HashMap<Kind, Vec<usize>>>,
}

impl<S> fmt::Debug for Adjust<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Adjust").field("refused", &self.refused).finish_non_exhaustive()
    }
}

/// What requests have in common of which a model refuses the same.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Kind {
    target: Target,
    /// Which of the parameters that models may refuse the request has.
    parameters: [bool; ADJUSTMENTS.len()],
    has_tools: bool,
}

impl Kind {
    fn of(call: &Call, api: Option<Api>) -> Self {
        Self {
            target: call.target().clone(),
            parameters: std::array::from_fn(|index| ADJUSTMENTS[index].is_for(call, api)),
            has_tools: !call.request.tools.is_empty(),
        }
    }
}

/// A parameter that models may refuse, and what is sent instead. Other fields that the user sets with `-p` are never changed.
struct Adjustment {
    /// The name of the parameter in messages to the user.
    parameter: &'static str,
    /// What is sent instead, if anything, for messages to the user.
    instead: Option<&'static str>,
    /// The wire format that it is for, if it is not for each that has such a field.
    api: Option<Api>,
    /// Its names in the wire formats.
    wire: &'static [&'static str],
    /// Whether the request has the parameter.
    is_in: fn(&Request) -> bool,
    /// Removes the parameter from the request, or replaces it.
    apply: fn(&mut Request),
}

impl Adjustment {
    /// Whether the adjustment can be applied to this call. A limit of the answer's length is not removed where a cost limit
    /// depends on it.
    fn is_for(&self, call: &Call, api: Option<Api>) -> bool {
        if self.api.zip(api).is_some_and(|(own, api)| own != call.api(api)) {
            return false;
        }
        let is_in = match call.passed() {
            // Of a client's own body, a field is left out or renamed, and nothing is put into other words.
            Some(body) => self.is_of_fields() && self.wire.iter().any(|name| body.has(name)),
            None => (self.is_in)(&call.request),
        };
        is_in && !(call.limits.bounded && self.parameter == "max_tokens" && self.instead.is_none())
    }
}

impl Adjustment {
    /// Whether the adjustment leaves out fields, or renames one.
    fn is_of_fields(&self) -> bool {
        self.instead.is_none_or(|instead| instead.starts_with("max_"))
    }

    fn event(&self, call: &Call) -> Event {
        Event::Adjusted { target: call.target().clone(), parameter: self.parameter, instead: self.instead }
    }

    fn make(&self, call: &mut Call) {
        (self.apply)(Arc::make_mut(&mut call.request));
        if let Some(body) = call.passed() {
            call.body = Some(Arc::new(match (self.wire, self.instead) {
                ([from], Some(to)) => body.renamed(from, to),
                _ => body.without(self.wire),
            }));
        }
    }
}

const ADJUSTMENTS: [Adjustment; 12] = [
    Adjustment {
        parameter: "max_tokens",
        instead: Some("max_completion_tokens"),
        api: Some(Api::OpenaiChat),
        wire: &["max_tokens"],
        is_in: |request| request.max_tokens.is_some(),
        apply: |request| {
            let limit = request.max_tokens.take();
            request.extra.insert("max_completion_tokens".into(), limit.into());
        },
    },
    Adjustment {
        parameter: "max_completion_tokens",
        instead: Some("max_tokens"),
        api: Some(Api::OpenaiChat),
        wire: &["max_completion_tokens"],
        is_in: |request| request.max_tokens.is_none() && request.extra.contains_key("max_completion_tokens"),
        apply: |request| {
            let limit = request.extra.shift_remove("max_completion_tokens");
            request.max_tokens = limit.as_ref().and_then(Value::as_u64);
        },
    },
    Adjustment {
        parameter: "max_tokens",
        instead: None,
        api: None,
        wire: &["max_output_tokens", "maxOutputTokens"],
        is_in: |request| request.max_tokens.is_some(),
        apply: |request| request.max_tokens = None,
    },
    Adjustment {
        parameter: "temperature",
        instead: None,
        api: None,
        wire: &["temperature"],
        is_in: |request| request.temperature.is_some(),
        apply: |request| request.temperature = None,
    },
    Adjustment {
        parameter: "top_p",
        instead: None,
        api: None,
        wire: &["top_p", "topP"],
        is_in: |request| request.top_p.is_some(),
        apply: |request| request.top_p = None,
    },
    Adjustment {
        parameter: "seed",
        instead: None,
        api: None,
        wire: &["seed"],
        is_in: |request| request.seed.is_some(),
        apply: |request| request.seed = None,
    },
    Adjustment {
        parameter: "logprobs",
        instead: None,
        api: None,
        wire: &["logprobs", "Logprobs", "top_logprobs", "responseLogprobs", "response_logprobs"],
        is_in: |request| request.logprobs.is_some(),
        apply: |request| request.logprobs = None,
    },
    Adjustment {
        parameter: "stop",
        instead: None,
        api: None,
        wire: &["stop", "stop_sequences", "stopSequences"],
        is_in: |request| !request.stop.is_empty(),
        apply: |request| request.stop.clear(),
    },
    Adjustment {
        parameter: "response_format",
        instead: Some("the same in words"),
        api: None,
        wire: &[
            "response_format",
            "response_format.type",
            "text.format",
            "text.format.type",
            "output_config.format",
            "responseJsonSchema",
            "responseSchema",
            "responseMimeType",
            "response_json_schema",
            "response_mime_type",
        ],
        is_in: |request| request.response_format.is_some(),
        apply: format_in_words,
    },
    Adjustment {
        parameter: "effort",
        instead: None,
        api: None,
        wire: &[
            "reasoning_effort",
            "reasoning",
            "reasoning.effort",
            "effort",
            "thinking",
            "thinking.type",
            "thinkingConfig",
            "thinking_config",
            "thinkingLevel",
            "thinking_level",
        ],
        is_in: |request| request.reasoning_effort.is_some(),
        apply: |request| request.reasoning_effort = None,
    },
    Adjustment {
        parameter: "stream_options",
        instead: None,
        api: None,
        wire: &["stream_options", "stream_options.include_usage", "include_usage"],
        is_in: |request| request.stream && !request.extra.contains_key("stream_options"),
        // The adapter leaves out fields that are null.
        apply: |request| {
            request.extra.insert("stream_options".into(), Value::Null);
        },
    },
    Adjustment {
        parameter: "a system message",
        instead: Some("its text before the prompt"),
        api: None,
        wire: &["messages[0].role", "Developer", "developer", "System", "systemInstruction", "system_instruction"],
        is_in: |request| {
            request.messages.iter().any(|message| message.role == Role::System)
                && request.messages.iter().any(|message| message.role == Role::User)
        },
        apply: system_in_prompt,
    },
];

/// Replaces the response format by an instruction in words.
fn format_in_words(request: &mut Request) {
    let words = match request.response_format.take() {
        None => return,
        Some(ResponseFormat::JsonObject) => "Answer with one JSON object and nothing else.".to_owned(),
        Some(ResponseFormat::JsonSchema { schema, .. }) => {
            format!("Answer with JSON alone, without a code fence, that follows this JSON Schema:\n{schema}")
        }
    };
    request.messages.insert(0, Message::text(Role::System, words));
}

/// Moves system messages to the beginning of the first user message.
fn system_in_prompt(request: &mut Request) {
    let (system, mut others): (Vec<_>, Vec<_>) =
        std::mem::take(&mut request.messages).into_iter().partition(|message| message.role == Role::System);
    let texts = system.into_iter().flat_map(|message| message.parts).filter_map(|part| match part {
        Part::Text(text) => Some(text),
        _ => None,
    });
    let text = texts.collect::<Vec<_>>().join("\n\n");
    if let Some(first) = others.iter_mut().find(|message| message.role == Role::User) {
        match first.parts.iter_mut().find_map(|part| if let Part::Text(text) = part { Some(text) } else { None }) {
            // The texts are joined, because some gateways accept only one text in a message.
            Some(prompt) => *prompt = format!("{text}\n\n{prompt}"),
            None => first.parts.insert(0, Part::Text(text)),
        }
    }
    request.messages = others;
}

/// Parts of messages that refuse a parameter itself and not only its value.
const REFUSALS: [&str; 18] = [
    "unsupported",
    "not support",
    "n't support",
    "unknown",
    "unrecognized",
    "unexpected",
    "not permitted",
    "not allowed",
    "not enabled",
    "not available",
    "not accept",
    "not compatible",
    "cannot find field",
    "cannot be used",
    "extra_forbidden",
    "deprecated",
    "invalid field",
    "must be absent",
];

/// Parts of messages that refuse a value, where another one of the same parameter would be taken.
const BOUNDS: [&str; 17] = [
    "above",
    "at least",
    "at most",
    "between",
    "exceed",
    "greater than",
    "higher than",
    "invalid value",
    "larger than",
    "less than",
    "maximum",
    "minimum",
    "more than",
    "out of range",
    "too high",
    "too large",
    "too low",
];

/// Whether a message, in small letters, refuses the size of a limit and not its parameter: it names the limit that was sent, or a
/// number directly behind the parameter.
fn names_size(message: &str, known: &Adjustment, sent: Option<u64>) -> bool {
    /// As many words behind the parameter may end with the number: `max_tokens higher than 40000`.
    const NEAR: usize = 3;
    let is_end = |c: char| c.is_whitespace() || matches!(c, '(' | ')' | '\'' | '"' | '`' | ':' | ';' | '=' | '<' | '>');
    let words: Vec<&str> = message.split(is_end).filter(|word| !word.is_empty()).collect();
    let number = |word: &str| word.trim_end_matches(['.', ',']).replace([',', '_'], "").parse::<u64>().ok();
    let is_parameter = |word: &str| known.wire.iter().any(|wire| is_called(word, &wire.to_lowercase()));
    let is_sent = |word: &&str| sent.is_some() && number(word) == sent;
    let numbered = |at: usize| words[at + 1..].iter().take(NEAR).any(|word| number(word).is_some());
    words.iter().any(is_sent) || (0..words.len()).any(|at| is_parameter(words[at]) && numbered(at))
}

/// The index in [`ADJUSTMENTS`] of the adjustment for this failure; `None` where the failure does not refuse a known
/// parameter.
fn adjustment(call: &Call, api: Option<Api>, failure: &Failure) -> Option<usize> {
    if failure.kind != FailureKind::InvalidRequest || !matches!(failure.status, Some(400 | 422)) {
        return None;
    }
    let message = failure.message.to_lowercase();
    let says = |parts: &[&str]| parts.iter().any(|part| message.contains(part));
    if !says(&REFUSALS) || says(&BOUNDS) {
        return None;
    }
    let named = |names: &dyn Fn(&str) -> bool| {
        ADJUSTMENTS.iter().position(|known| {
            known.wire.iter().any(|wire| names(wire))
                && known.is_for(call, api)
                && !(known.parameter.starts_with("max_") && names_size(&message, known, call.request.max_tokens))
        })
    };
    // The gateway's field for the parameter's name is more reliable than the words of its message.
    let by_field = failure.param.as_deref().and_then(|param| named(&|wire| is_called(param, wire)));
    by_field.or_else(|| named(&|wire| words(&failure.message).any(|word| is_called(word, wire))))
}

/// Whether `name`, which may include a path such as `messages[0].`, is the name `wire`.
fn is_called(name: &str, wire: &str) -> bool {
    name == wire || name.strip_suffix(wire).is_some_and(|path| path.ends_with('.'))
}

/// The words of a message that may be field names.
fn words(message: &str) -> impl Iterator<Item = &str> {
    let words = message.split(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '[' | ']')));
    words.map(|word| word.trim_matches(['.', '[', ']'])).filter(|word| !word.is_empty())
}

impl<S> Adjust<S> {
    pub fn new(inner: S) -> Self {
        Self { inner, apis: Box::new(|_| None), refused: Mutex::default() }
    }

    /// With what is known of the wire formats.
    pub fn speaking(self, apis: Apis) -> Self {
        Self { apis, ..self }
    }

    /// The adjustments that such requests are known to need.
    fn known(&self, call: &Call, api: Option<Api>) -> Vec<usize> {
        let refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        if refused.is_empty() {
            return Vec::new();
        }
        refused.get(&Kind::of(call, api)).cloned().unwrap_or_default()
    }

    /// Remembers that such requests need these adjustments.
    fn learn(&self, call: &Call, api: Option<Api>, adjustments: &[usize]) {
        if adjustments.is_empty() {
            return;
        }
        let kind = Kind::of(call, api);
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        if refused.len() >= MOST_KINDS && !refused.contains_key(&kind) {
            refused.clear();
        }
        let known = refused.entry(kind).or_default();
        for adjustment in adjustments {
            if !known.contains(adjustment) {
                known.push(*adjustment);
            }
        }
    }
}

impl<S: Service> Service for Adjust<S> {
    async fn call(&self, call: &Call, events: &Events) -> Result<(), Failure> {
        let mut applied: Vec<usize> = Vec::new();
        let mut adjusted = call.clone();
        let api = (self.apis)(call.target());
        for index in self.known(call, api) {
            if ADJUSTMENTS[index].is_for(&adjusted, api) {
                ADJUSTMENTS[index].make(&mut adjusted);
                applied.push(index);
                // Of a run's models, the first refusal has been told. A server's clients know nothing of each other.
                if call.body.is_some() {
                    events.emit(ADJUSTMENTS[index].event(call)).await?;
                }
            }
        }
        let mut new = Vec::new();
        loop {
            if !applied.is_empty() {
                applied.sort_unstable();
                adjusted.idempotency_key = call.key_for(&format!("{applied:?}"));
            }
            let result = self.inner.call(&adjusted, events).await;
            // What does not help one request must not change those of others. Where the gateway had no time for the request, the
            // next try begins with what is known.
            if result.as_ref().map_or_else(Failure::is_transient, |()| true) || events.has_output() {
                self.learn(call, api, &new);
            }
            let failure = match result {
                Ok(()) => return Ok(()),
                Err(failure) => failure,
            };
            // Each adjustment is made once. Otherwise two names of a parameter that are both refused would replace each
            // other without end.
            let next = adjustment(&adjusted, api, &failure).filter(|index| !applied.contains(index));
            let Some(index) = next.filter(|_| !events.has_output()) else { return Err(failure) };
            ADJUSTMENTS[index].make(&mut adjusted);
            applied.push(index);
            new.push(index);
            events.emit(ADJUSTMENTS[index].event(call)).await?;
        }
    }
}

#[cfg(test)]
mod tests;
