//! The most that the body of a request lets a model write.

use serde_json::Value;
use serde_json::value::RawValue;

use super::field_names::is_same_field;
use super::object::Object;

/// The most that one request can make a model write, as far as its body says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutputBound {
    /// Tokens of each answer, reasoning included. `None` where the body sets no bound that can be relied on.
    pub max_tokens: Option<u64>,
    /// How many answers are written; each is billed.
    pub answers: u32,
}

/// The names under which a wire format has its bounds, each with the path of objects that leads there.
pub(super) struct Names {
    pub(super) max_tokens: &'static [&'static [&'static str]],
    pub(super) answers: &'static [&'static [&'static str]],
    /// The field that may hold several prompts, each of which gets as many answers.
    pub(super) prompts: Option<&'static str>,
}

impl OutputBound {
    /// Reads the bounds of a body. The largest counts where there are several, since gateways differ in which they
    /// obey. One that cannot be read could be larger than any, so nothing is known then. The same holds for a number of answers
    /// that cannot be read.
    pub(super) fn read(body: &[u8], names: &Names) -> Self {
        let fields: Object<'_> = serde_json::from_slice(body).unwrap_or_default();
        let limits = names.max_tokens.iter().flat_map(|path| values(&fields, path));
        let limits: Option<Vec<u64>> = limits.map(|limit| count(limit).filter(|limit| *limit > 0)).collect();
        let answers = names.answers.iter().flat_map(|path| values(&fields, path));
        let answers: Vec<Option<u64>> = answers.map(count).collect();
        let most = answers.iter().flatten().copied().max();
        let is_known = answers.iter().all(Option::is_some);
        let prompts =
            fields.0.iter().filter(|(name, _)| names.prompts.is_some_and(|prompts| is_same_field(name, prompts)));
        let prompts = prompts.map(|(_, prompts)| count_prompts(prompts)).max().unwrap_or(1);
        let answers = most.unwrap_or(1).max(1).saturating_mul(prompts);
        Self {
            max_tokens: limits.filter(|_| is_known).and_then(|limits| limits.into_iter().max()),
            answers: u32::try_from(answers).unwrap_or(u32::MAX),
        }
    }
}

/// How many prompts a field holds: a list has one in each text and each list of tokens. Its numbers are the tokens of one.
fn count_prompts(prompts: &RawValue) -> u64 {
    let items: Vec<&RawValue> = serde_json::from_str(prompts.get()).unwrap_or_default();
    let is_number = |item: &&&RawValue| item.get().starts_with(|first: char| first == '-' || first.is_ascii_digit());
    let numbers = items.iter().filter(is_number).count();
    let prompts = items.len() - numbers + usize::from(numbers > 0);
    prompts.max(1) as u64
}

/// The values at the end of the path, however a gateway may spell the names on it, without those that are `null`.
fn values(fields: &Object<'_>, path: &[&str]) -> Vec<Value> {
    let Some((name, rest)) = path.split_first() else { return Vec::new() };
    let named = fields.0.iter().filter(|(other, _)| is_same_field(other, name));
    let values = named.flat_map(|(_, value)| {
        if rest.is_empty() {
            return serde_json::from_str(value.get()).into_iter().filter(|value: &Value| !value.is_null()).collect();
        }
        serde_json::from_str::<Object<'_>>(value.get()).map(|inner| values(&inner, rest)).unwrap_or_default()
    });
    values.collect()
}

/// A whole number, also one that is written as a float or a text: many gateways take it all the same.
fn count(value: Value) -> Option<u64> {
    /// Floats beyond this do not hold every whole number.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    match value {
        Value::Number(number) => number.as_u64().or_else(|| {
            let float = number.as_f64().filter(|float| float.fract() == 0.0 && (0.0..=EXACT).contains(float))?;
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "whole, and within the bounds")]
            Some(float as u64)
        }),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::adapter::Api;
    use crate::chat::{Message, Request, Role};

    /// The bound of a request with this limit and these further fields, as it is sent.
    fn bound(api: Api, max_tokens: Option<u64>, extra: &Value) -> (Option<u64>, u32) {
        let request = Request {
            messages: vec![Message::text(Role::User, "max_tokens: 7")],
            max_tokens,
            extra: extra.as_object().cloned().expect("an object"),
            ..Request::default()
        };
        let adapter = api.adapter();
        let OutputBound { max_tokens, answers } = adapter.output_bound(&adapter.encode_request("m", &request));
        (max_tokens, answers)
    }

    #[test]
    fn what_was_asked_for_is_the_bound() {
        for api in [Api::OpenaiChat, Api::OpenaiResponses, Api::Anthropic, Api::Gemini] {
            assert_eq!(bound(api, Some(100), &json!({})), (Some(100), 1), "{api:?}");
        }
        for api in [Api::OpenaiChat, Api::OpenaiResponses, Api::Gemini] {
            assert_eq!(bound(api, None, &json!({})), (None, 1), "{api:?}");
        }
        // The one format that demands a limit, so that the adapter sends one of its own.
        assert_eq!(bound(Api::Anthropic, None, &json!({})), (Some(32_000), 1));
    }

    #[test]
    fn further_fields_of_the_body_count_and_the_largest_wins() {
        for (api, extra, expected) in [
            (Api::OpenaiChat, json!({"max_tokens": 500}), (Some(500), 1)),
            (Api::OpenaiChat, json!({"max_completion_tokens": 500}), (Some(500), 1)),
            (Api::OpenaiChat, json!({"max_completion_tokens": 50}), (Some(100), 1)),
            (Api::OpenaiChat, json!({"max_tokens": null, "max_completion_tokens": 50}), (Some(50), 1)),
            (Api::OpenaiChat, json!({"max_tokens": null}), (None, 1)),
            (Api::OpenaiChat, json!({"n": 3}), (Some(100), 3)),
            (Api::OpenaiChat, json!({"n": 2, "best_of": 5}), (Some(100), 5)),
            // Gateways in Go do not tell capitals from small letters.
            (Api::OpenaiChat, json!({"MAX_TOKENS": 500, "Max_Completion_Tokens": 700}), (Some(700), 1)),
            (Api::OpenaiChat, json!({"max_to\u{212a}ens": 500, "N": 3, "be\u{17f}t_of": 4}), (Some(500), 4)),
            (Api::Gemini, json!({"GenerationConfig": {"MaxOutputTokens": 500, "CANDIDATECOUNT": 2}}), (Some(500), 2)),
            // A number of answers that cannot be read could be any: Python reads the first two.
            (Api::OpenaiChat, json!({"n": "5_0"}), (None, 1)),
            (Api::OpenaiChat, json!({"n": "\u{ff15}0"}), (None, 1)),
            (Api::OpenaiChat, json!({"n": [50], "best_of": 2}), (None, 2)),
            // A field that this format does not have bounds nothing.
            (Api::OpenaiChat, json!({"max_tokens": null, "max_output_tokens": 50}), (None, 1)),
            (Api::OpenaiResponses, json!({"max_output_tokens": 500}), (Some(500), 1)),
            (Api::OpenaiResponses, json!({"max_tokens": 500, "n": 2}), (Some(100), 2)),
            (Api::Anthropic, json!({"max_tokens": 64_000}), (Some(64_000), 1)),
            (Api::Anthropic, json!({"max_tokens": null}), (None, 1)),
            (Api::Gemini, json!({"generationConfig": {"maxOutputTokens": 500}}), (Some(500), 1)),
            (Api::Gemini, json!({"generationConfig": {"max_output_tokens": 500}}), (Some(500), 1)),
            (Api::Gemini, json!({"generation_config": {"max_output_tokens": 500}}), (Some(500), 1)),
            (Api::Gemini, json!({"generation_config": {"maxOutputTokens": 50}}), (Some(100), 1)),
            (Api::Gemini, json!({"generationConfig": {"candidateCount": 4}}), (Some(100), 4)),
            (Api::Gemini, json!({"generation_config": {"candidate_count": 4}}), (Some(100), 4)),
            (Api::Gemini, json!({"generationConfig": null}), (None, 1)),
            (Api::Gemini, json!({"generationConfig": 5}), (None, 1)),
        ] {
            assert_eq!(bound(api, Some(100), &extra), expected, "{api:?} {extra}");
        }
    }

    #[test]
    fn odd_values_are_read_as_gateways_read_them_or_unknown() {
        for (value, max_tokens, answers) in [
            (json!("500"), Some(500), 500),
            (json!(" 500 "), Some(500), 500),
            (json!(500.0), Some(500), 500),
            (json!(5e2), Some(500), 500),
            // Gateways that are written in Go, and Google's, cannot tell zero from nothing.
            (json!(0), None, 1),
            (json!(-1), None, 1),
            (json!(0.5), None, 1),
            (json!(-2.5), None, 1),
            (json!(1e300), None, 1),
            (json!("many"), None, 1),
            (json!(""), None, 1),
            (json!(true), None, 1),
            (json!([500]), None, 1),
            (json!({"max": 500}), None, 1),
            (json!(u64::MAX), Some(u64::MAX), u32::MAX),
        ] {
            for (api, limit, count) in [
                (Api::OpenaiChat, json!({"max_completion_tokens": value}), json!({"n": value})),
                (Api::OpenaiResponses, json!({"max_output_tokens": value}), json!({"n": value})),
                (
                    Api::Gemini,
                    json!({"generationConfig": {"maxOutputTokens": value}}),
                    json!({"generationConfig": {"candidateCount": value}}),
                ),
            ] {
                let known = api == Api::OpenaiChat && max_tokens.is_some();
                let expected = if known { max_tokens.max(Some(100)) } else { max_tokens };
                assert_eq!(bound(api, Some(100), &limit), (expected, 1), "{api:?} {limit}");
                assert_eq!(bound(api, None, &count), (None, answers), "{api:?} {count}");
            }
            assert_eq!(bound(Api::Anthropic, None, &json!({"max_tokens": value})), (max_tokens, 1), "{value}");
        }
    }

    #[test]
    fn each_prompt_of_a_list_is_answered() {
        for (body, answers) in [
            (r#"{"prompt":"a"}"#, 1),
            (r#"{"prompt":[]}"#, 1),
            (r#"{"prompt":["a"]}"#, 1),
            (r#"{"prompt":["a","b","c"]}"#, 3),
            (r#"{"prompt":["a","b"],"n":2,"best_of":4}"#, 8),
            (r#"{"prompt":[1,2,3],"n":2}"#, 2),
            (r#"{"prompt":[[1,2],[3]],"n":2}"#, 4),
            (r#"{"prompt":[[1],"a",2,3]}"#, 3),
            (r#"{"Prompt":["a","b"],"prompt":"a"}"#, 2),
            (r#"{"prompt":["a","b"],"n":4000000000}"#, u32::MAX),
        ] {
            let wire = crate::adapter::WireRequest { path: String::new(), body: body.into() };
            assert_eq!(Api::OpenaiChat.adapter().output_bound(&wire).answers, answers, "{body}");
        }
    }

    #[test]
    fn a_field_that_stands_twice_counts_twice() {
        for (api, body) in [
            (Api::OpenaiChat, r#"{"max_tokens":500,"n":3,"max_tokens":10,"n":1}"#),
            (Api::OpenaiResponses, r#"{"max_output_tokens":500,"n":3,"max_output_tokens":10,"n":1}"#),
            (Api::Gemini, r#"{"generationConfig":{"maxOutputTokens":500,"candidateCount":3,"maxOutputTokens":10}}"#),
            (Api::Gemini, r#"{"generationConfig":{"maxOutputTokens":500,"candidateCount":3},"generationConfig":{}}"#),
        ] {
            let wire = crate::adapter::WireRequest { path: String::new(), body: body.into() };
            assert_eq!(api.adapter().output_bound(&wire), OutputBound { max_tokens: Some(500), answers: 3 }, "{body}");
        }
    }

    #[test]
    fn a_body_that_is_no_object_bounds_nothing() {
        for body in ["", "[]", "5", "{\"max_tokens\":"] {
            let wire = crate::adapter::WireRequest { path: String::new(), body: body.into() };
            for api in [Api::OpenaiChat, Api::OpenaiResponses, Api::Anthropic, Api::Gemini] {
                assert_eq!(api.adapter().output_bound(&wire), OutputBound { max_tokens: None, answers: 1 }, "{body}");
            }
        }
    }
}
