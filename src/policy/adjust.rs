//! Sends a request once more without a parameter that the model refuses, or with another one in its place. A parameter
//! that a model has refused is not sent to it again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;

use crate::call::{Call, Event, Events, Service, Target};
use crate::chat::{Message, Part, Request, ResponseFormat, Role};
use crate::error::{Failure, FailureKind};

/// When more models than this have refused something, all is forgotten, and each refuses once more.
const MOST_TARGETS: usize = 1_000;

/// Adapts requests to what their models refuse.
#[derive(Debug)]
pub struct Adjust<S> {
    inner: S,
    /// What each target is known to refuse, by place in [`ADJUSTMENTS`].
    refused: Mutex<HashMap<Target, Vec<usize>>>,
}

/// A parameter that models may refuse, and what is sent then. Other fields that the user sets with `-p` are never changed.
struct Adjustment {
    /// The parameter as messages for people call it.
    parameter: &'static str,
    /// What is sent in its place, if anything is.
    instead: Option<&'static str>,
    /// The names that it has on the wires.
    wire: &'static [&'static str],
    /// Whether the request has it.
    is_in: fn(&Request) -> bool,
    apply: fn(&mut Request),
}

impl Adjustment {
    /// Whether it can be made to this call. A limit on the length of the answer stays where it limits the cost.
    fn is_for(&self, call: &Call) -> bool {
        (self.is_in)(&call.request)
            && !(call.limits.bounded && self.parameter == "max_tokens" && self.instead.is_none())
    }
}

const ADJUSTMENTS: [Adjustment; 12] = [
    Adjustment {
        parameter: "max_tokens",
        instead: Some("max_completion_tokens"),
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
        wire: &["max_completion_tokens"],
        is_in: |request| request.max_tokens.is_none() && request.extra.contains_key("max_completion_tokens"),
        apply: |request| {
            let limit = request.extra.remove("max_completion_tokens");
            request.max_tokens = limit.as_ref().and_then(Value::as_u64);
        },
    },
    Adjustment {
        parameter: "max_tokens",
        instead: None,
        wire: &["max_output_tokens", "maxOutputTokens"],
        is_in: |request| request.max_tokens.is_some(),
        apply: |request| request.max_tokens = None,
    },
    Adjustment {
        parameter: "temperature",
        instead: None,
        wire: &["temperature"],
        is_in: |request| request.temperature.is_some(),
        apply: |request| request.temperature = None,
    },
    Adjustment {
        parameter: "top_p",
        instead: None,
        wire: &["top_p", "topP"],
        is_in: |request| request.top_p.is_some(),
        apply: |request| request.top_p = None,
    },
    Adjustment {
        parameter: "seed",
        instead: None,
        wire: &["seed"],
        is_in: |request| request.seed.is_some(),
        apply: |request| request.seed = None,
    },
    Adjustment {
        parameter: "logprobs",
        instead: None,
        wire: &["logprobs", "Logprobs", "top_logprobs", "responseLogprobs", "response_logprobs"],
        is_in: |request| request.logprobs.is_some(),
        apply: |request| request.logprobs = None,
    },
    Adjustment {
        parameter: "stop",
        instead: None,
        wire: &["stop", "stop_sequences", "stopSequences"],
        is_in: |request| !request.stop.is_empty(),
        apply: |request| request.stop.clear(),
    },
    Adjustment {
        parameter: "response_format",
        instead: Some("the same in words"),
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
        wire: &["stream_options", "stream_options.include_usage", "include_usage"],
        is_in: |request| request.stream && !request.extra.contains_key("stream_options"),
        // In a body, null is what is left out.
        apply: |request| {
            request.extra.insert("stream_options".into(), Value::Null);
        },
    },
    Adjustment {
        parameter: "a system message",
        instead: Some("its text before the prompt"),
        wire: &["messages[0].role", "Developer", "developer", "System", "systemInstruction", "system_instruction"],
        is_in: |request| {
            request.messages.iter().any(|message| message.role == Role::System)
                && request.messages.iter().any(|message| message.role == Role::User)
        },
        apply: system_in_prompt,
    },
];

/// Asks in words for the form of the answer, where the model takes no parameter for it.
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
            // Not every gateway takes several texts in a message.
            Some(prompt) => *prompt = format!("{text}\n\n{prompt}"),
            None => first.parts.insert(0, Part::Text(text)),
        }
    }
    request.messages = others;
}

/// Words that refuse a parameter itself, not only its value.
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

/// The adjustment for this refusal, by place in [`ADJUSTMENTS`]; `None` where the failure is something else.
fn adjustment(call: &Call, failure: &Failure) -> Option<usize> {
    if failure.kind != FailureKind::InvalidRequest || !matches!(failure.status, Some(400 | 422)) {
        return None;
    }
    let message = failure.message.to_lowercase();
    if !REFUSALS.iter().any(|refusal| message.contains(refusal)) {
        return None;
    }
    let named = |names: &dyn Fn(&str) -> bool| {
        ADJUSTMENTS.iter().position(|known| known.wire.iter().any(|wire| names(wire)) && known.is_for(call))
    };
    // The field in which the gateway names the parameter is more reliable than the words of its message.
    let by_field = failure.param.as_deref().and_then(|param| named(&|wire| is_called(param, wire)));
    by_field.or_else(|| named(&|wire| words(&failure.message).any(|word| is_called(word, wire))))
}

/// Whether a name from the wire, perhaps with the path to it, is this one.
fn is_called(name: &str, wire: &str) -> bool {
    name == wire || name.strip_suffix(wire).is_some_and(|path| path.ends_with('.'))
}

/// The words of a message that may be names of fields.
fn words(message: &str) -> impl Iterator<Item = &str> {
    let words = message.split(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '[' | ']')));
    words.map(|word| word.trim_matches(['.', '[', ']'])).filter(|word| !word.is_empty())
}

impl<S> Adjust<S> {
    pub fn new(inner: S) -> Self {
        Self { inner, refused: Mutex::default() }
    }

    /// What this target is known to refuse.
    fn known(&self, target: &Target) -> Vec<usize> {
        let refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        refused.get(target).cloned().unwrap_or_default()
    }

    fn learn(&self, target: &Target, adjustment: usize) {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        if refused.len() >= MOST_TARGETS && !refused.contains_key(target) {
            refused.clear();
        }
        let known = refused.entry(target.clone()).or_default();
        if !known.contains(&adjustment) {
            known.push(adjustment);
        }
    }
}

impl<S: Service> Service for Adjust<S> {
    async fn call(&self, call: &Call, events: &Events) -> Result<(), Failure> {
        let known = self.known(call.target());
        let mut made: Vec<usize> = Vec::new();
        let mut adjusted = call.clone();
        for place in known {
            if ADJUSTMENTS[place].is_for(&adjusted) {
                (ADJUSTMENTS[place].apply)(Arc::make_mut(&mut adjusted.request));
                made.push(place);
            }
        }
        loop {
            if !made.is_empty() {
                made.sort_unstable();
                adjusted.idempotency_key = call.key_for(&format!("{made:?}"));
            }
            let failure = match self.inner.call(&adjusted, events).await {
                Ok(()) => return Ok(()),
                Err(failure) => failure,
            };
            // Each is made once, or two spellings that are both refused would replace each other for ever.
            let next = adjustment(&adjusted, &failure).filter(|place| !made.contains(place));
            let Some(place) = next.filter(|_| !events.has_output()) else { return Err(failure) };
            let Adjustment { parameter, instead, apply, .. } = ADJUSTMENTS[place];
            apply(Arc::make_mut(&mut adjusted.request));
            made.push(place);
            self.learn(call.target(), place);
            events.emit(Event::Adjusted { parameter, instead }).await?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Canned, Reply, call, run};
    use super::*;
    use crate::adapter::Api;
    use crate::call::Limits;

    fn request() -> Request {
        Request {
            messages: vec![Message::text(Role::System, "s"), Message::text(Role::User, "u")],
            max_tokens: Some(9),
            temperature: Some(0.5),
            top_p: Some(0.5),
            stop: vec!["x".into()],
            seed: Some(1),
            logprobs: Some(1),
            reasoning_effort: Some("low".into()),
            response_format: Some(ResponseFormat::JsonObject),
            stream: true,
            ..Request::default()
        }
    }

    /// What is adjusted after this answer.
    fn met(status: u16, body: &str) -> Option<&'static str> {
        let failure = Api::OpenaiChat.adapter().decode_error(status, body.as_bytes());
        let call = Call { request: Arc::new(request()), ..call(&["m"]) };
        adjustment(&call, &failure).map(|place| ADJUSTMENTS[place].wire[0])
    }

    #[test]
    fn a_refused_parameter_is_found_however_it_is_named() {
        for (body, parameter) in [
            (
                r#"{"error":{"message":"Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.","type":"invalid_request_error","param":"max_tokens","code":"unsupported_parameter"}}"#,
                "max_tokens",
            ),
            (
                r#"{"error":{"message":"Unsupported value: 'temperature' does not support 0.2 with this model. Only the default (1) value is supported.","param":"temperature","code":"unsupported_value"}}"#,
                "temperature",
            ),
            (
                r#"{"error":{"message":"Unrecognized request argument supplied: stream_options","param":null}}"#,
                "stream_options",
            ),
            (
                r#"{"type":"error","error":{"type":"invalid_request_error","message":"temperature: Extra inputs are not permitted"}}"#,
                "temperature",
            ),
            (
                r#"{"type":"error","error":{"type":"invalid_request_error","message":"seed: Extra inputs are not permitted"}}"#,
                "seed",
            ),
            (
                r#"{"error":{"message":"litellm.UnsupportedParamsError: openai does not support parameters: ['top_p'], for model=o3","param":"None","code":"400"}}"#,
                "top_p",
            ),
            (
                r#"{"type":"error","error":{"type":"invalid_request_error","message":"logprobs: Extra inputs are not permitted"}}"#,
                "logprobs",
            ),
            (
                r#"{"error":{"code":400,"message":"Logprobs is not enabled for models/m","status":"INVALID_ARGUMENT"}}"#,
                "logprobs",
            ),
            (
                r#"{"error":{"message":"logprobs are not supported with reasoning models.","param":"include"}}"#,
                "logprobs",
            ),
            (
                r#"{"error":{"code":400,"message":"Invalid JSON payload received. Unknown name \"stopSequences\" at 'generation_config': Cannot find field.","status":"INVALID_ARGUMENT"}}"#,
                "stop",
            ),
            (
                r#"{"error":{"code":400,"message":"Developer instruction is not enabled for models/gemma-3-27b-it","status":"INVALID_ARGUMENT"}}"#,
                "messages[0].role",
            ),
            (
                r#"{"error":{"message":"Unsupported value: 'messages[0].role' does not support 'system' with this model.","param":"messages[0].role"}}"#,
                "messages[0].role",
            ),
            (
                r#"{"error":{"message":"This response_format type is unavailable now: not supported","param":null}}"#,
                "response_format",
            ),
            (
                r#"{"error":{"message":"Unsupported parameter: 'reasoning.effort' is not supported with this model.","param":"reasoning.effort"}}"#,
                "reasoning_effort",
            ),
        ] {
            assert_eq!(met(400, body), Some(parameter), "{body}");
            assert_eq!(met(422, body), Some(parameter), "{body}");
        }
    }

    #[test]
    fn a_wrong_value_and_other_failures_stay_what_they_are() {
        for (status, body) in [
            (
                400,
                r#"{"error":{"message":"max_tokens is too large: 100000. This model allows at most 4096.","param":"max_tokens"}}"#,
            ),
            (400, r#"{"error":{"message":"temperature: range: 0..1","param":"temperature"}}"#),
            (400, r#"{"error":{"message":"'top_k' is not supported","param":"top_k"}}"#),
            (401, r#"{"error":{"message":"temperature is not supported","param":"temperature"}}"#),
            (500, r#"{"error":{"message":"temperature is not supported","param":"temperature"}}"#),
        ] {
            assert_eq!(met(status, body), None, "{body}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_limit_of_an_answer_is_given_up_but_not_where_money_is_set_aside_for_it() {
        for parameter in ["max_output_tokens", "maxOutputTokens"] {
            let message = format!("Unsupported parameter: {parameter}");
            let refusal = Failure::new(FailureKind::InvalidRequest, message).with_status(400);
            let replies = || vec![Reply::failure(refusal.clone()), Reply::answer(), Reply::failure(refusal.clone())];
            let gateway = Canned::new([("m", replies())]);
            let adjust = Adjust::new(gateway.clone());
            let free = Call { request: Arc::new(request()), ..call(&["m"]) };
            let bounded = Call { limits: Limits { bounded: true, ..free.limits.clone() }, ..free.clone() };
            assert_eq!((run(&adjust, &free).await.0, gateway.asked().len()), (Ok(()), 2));
            // Nor is what another call has learned used.
            assert_eq!((run(&adjust, &bounded).await.0, gateway.asked().len()), (Err(refusal), 3));
        }
    }

    #[test]
    fn what_is_adjusted_is_in_the_request_no_longer() {
        for adjustment in &ADJUSTMENTS {
            let mut request = request();
            if adjustment.parameter == "max_completion_tokens" {
                request.max_tokens = None;
                request.extra.insert("max_completion_tokens".into(), 9.into());
            }
            assert!((adjustment.is_in)(&request), "{}", adjustment.parameter);
            (adjustment.apply)(&mut request);
            assert!(!(adjustment.is_in)(&request), "{}", adjustment.parameter);
        }
    }

    #[test]
    fn a_system_message_that_is_refused_goes_before_the_prompt() {
        let mut request = request();
        system_in_prompt(&mut request);
        assert_eq!(request.messages, [Message::text(Role::User, "s\n\nu")]);
    }
}
