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
    /// The largest number of tokens that the body names, also where it cannot be relied on; 0 where there is none.
    pub named: u64,
    /// How many answers are written; each is billed. `None` where their number cannot be read.
    pub answers: Option<u32>,
}

/// The names under which a wire format has its bounds, each with the path of objects that leads there.
pub(super) struct Names {
    pub(super) max_tokens: &'static [&'static [&'static str]],
    /// The field that may hold several prompts, each of which gets as many answers.
    pub(super) prompts: Option<&'static str>,
}

/// Fields of any format that ask for several answers. A gateway may obey those of another format than it is asked in.
const ANSWERS: [&[&str]; 5] = [
    &["n"],
    &["best_of"],
    &["candidateCount"],
    &["generationConfig", "candidateCount"],
    &["parameters", "candidateCount"],
];

/// Fields of any format that ask for an output of some length, or for so much thinking. They bound no answer, but a gateway
/// that obeys them writes as much, whatever the bound.
const WANTED: [&[&str]; 9] = [
    &["max_tokens"],
    &["max_completion_tokens"],
    &["max_output_tokens"],
    &["maxOutputTokens"],
    &["min_tokens"],
    &["reasoning", "max_tokens"],
    &["thinking", "budget_tokens"],
    &["thinking_budget"],
    &["generationConfig", "thinkingConfig", "thinkingBudget"],
];

impl OutputBound {
    /// Reads the bounds of a body. The largest counts where there are several, since gateways differ in which they
    /// obey. One that cannot be read could be larger than any, so nothing is known then.
    pub(super) fn read(body: &[u8], names: &Names) -> Self {
        let fields: Object<'_> = serde_json::from_slice(body).unwrap_or_default();
        let (mut named, mut is_known) = (0, true);
        for path in names.max_tokens {
            let values = values(&fields, path);
            // Where a field stands twice, a gateway may go by the one that sets nothing.
            is_known &= values.iter().all(Option::is_none) || values.iter().all(Option::is_some);
            for limit in values.into_iter().flatten().map(count) {
                is_known &= limit.is_some_and(|limit| limit > 0);
                named = named.max(limit.unwrap_or(0));
            }
        }
        let mut wanted = 0;
        for value in WANTED.iter().flat_map(|path| values(&fields, path)).flatten() {
            // A negative number leaves the length to the model.
            let is_negative = value.as_f64().is_some_and(|number| number < 0.0);
            match count(value) {
                Some(length) => wanted = wanted.max(length),
                None => is_known &= is_negative,
            }
        }
        let bound = Some(named.max(wanted)).filter(|_| is_known && named > 0);
        named = named.max(wanted);
        let answers = ANSWERS.iter().flat_map(|path| values(&fields, path)).flatten();
        let answers: Option<Vec<u64>> = answers.map(count).collect();
        let most = answers.map(|answers| answers.into_iter().max().unwrap_or(1).max(1));
        let prompts =
            fields.0.iter().filter(|(name, _)| names.prompts.is_some_and(|prompts| is_same_field(name, prompts)));
        let prompts = prompts.map(|(_, prompts)| count_prompts(prompts)).max().unwrap_or(1);
        let answers = most.map(|most| u32::try_from(most.saturating_mul(prompts)).unwrap_or(u32::MAX));
        Self { max_tokens: bound, named, answers }
    }
}

/// Whether a body may ask for several answers at once.
pub fn wants_several(body: &[u8]) -> bool {
    ask_for_several(&serde_json::from_slice(body).unwrap_or_default())
}

/// The same of the fields of a body; those that no path in [`ANSWERS`] begins with make no difference.
pub(super) fn ask_for_several(fields: &Object<'_>) -> bool {
    let mut answers = ANSWERS.iter().flat_map(|path| values(fields, path)).flatten();
    answers.any(|value| count(value) != Some(1))
}

/// Whether a field at the top of a body may ask for several answers, or hold what does.
pub(super) fn may_ask_for_several(name: &str) -> bool {
    ANSWERS.iter().any(|path| is_same_field(name, path[0]))
}

/// How many prompts a field holds: a list has one in each text and each list of tokens. Its numbers are the tokens of one.
fn count_prompts(prompts: &RawValue) -> u64 {
    let items: Vec<&RawValue> = serde_json::from_str(prompts.get()).unwrap_or_default();
    let is_number = |item: &&&RawValue| item.get().starts_with(|first: char| first == '-' || first.is_ascii_digit());
    let numbers = items.iter().filter(is_number).count();
    let prompts = items.len() - numbers + usize::from(numbers > 0);
    prompts.max(1) as u64
}

/// The values at the end of the path, however a gateway may spell the names on it; `None` where one is `null`, or where the path
/// breaks off before.
fn values(fields: &Object<'_>, path: &[&str]) -> Vec<Option<Value>> {
    let Some((name, rest)) = path.split_first() else { return Vec::new() };
    let named = fields.0.iter().filter(|(other, _)| is_same_field(other, name));
    let values = named.flat_map(|(_, value)| {
        if rest.is_empty() {
            // What is too large for a number is no null.
            let value: Value = serde_json::from_str(value.get()).unwrap_or(Value::Bool(true));
            return vec![Some(value).filter(|value| !value.is_null())];
        }
        let inner: Object<'_> = serde_json::from_str(value.get()).unwrap_or_default();
        let values = values(&inner, rest);
        if values.is_empty() { vec![None] } else { values }
    });
    values.collect()
}

/// A whole number, also one that is written as a float or a text: many gateways take it all the same.
fn count(value: Value) -> Option<u64> {
    /// Floats beyond this do not hold every whole number. What is larger is as good as no limit.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    match value {
        Value::Number(number) => number.as_u64().or_else(|| {
            if number.as_f64().is_some_and(|float| float > EXACT) {
                return Some(u64::MAX);
            }
            let float = number.as_f64().filter(|float| float.fract() == 0.0 && (0.0..=EXACT).contains(float))?;
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "whole, and within the bounds")]
            Some(float as u64)
        }),
        Value::String(text) => match text.trim() {
            digits if digits.len() > 15 && digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                Some(digits.parse().unwrap_or(u64::MAX))
            }
            text => text.parse().ok(),
        },
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
    fn bound(api: Api, max_tokens: Option<u64>, extra: &Value) -> (Option<u64>, Option<u32>) {
        let request = Request {
            messages: vec![Message::text(Role::User, "max_tokens: 7")],
            max_tokens,
            extra: extra.as_object().cloned().expect("an object"),
            ..Request::default()
        };
        let adapter = api.adapter();
        let OutputBound { max_tokens, answers, .. } = adapter.output_bound(&adapter.encode_request("m", &request));
        (max_tokens, answers)
    }

    #[test]
    fn what_was_asked_for_is_the_bound() {
        for api in [Api::OpenaiChat, Api::OpenaiResponses, Api::Anthropic, Api::Gemini] {
            assert_eq!(bound(api, Some(100), &json!({})), (Some(100), Some(1)), "{api:?}");
        }
        for api in [Api::OpenaiChat, Api::OpenaiResponses, Api::Gemini] {
            assert_eq!(bound(api, None, &json!({})), (None, Some(1)), "{api:?}");
        }
        // The one format that demands a limit, so that the adapter sends one of its own.
        assert_eq!(bound(Api::Anthropic, None, &json!({})), (Some(32_000), Some(1)));
    }

    #[test]
    fn fields_that_may_ask_for_several_answers_are_found_however_they_are_spelled() {
        for (fields, several) in [
            (json!({}), false),
            (json!({"n": 1, "seed": 2, "candidate_count": "1"}), false),
            (json!({"n": null}), false),
            (json!({"n": 2}), true),
            (json!({"n": true}), true),
            (json!({"generation_config": {"candidate_count": 3}}), true),
            (json!({"parameters": {"candidateCount": 4}}), true),
        ] {
            assert_eq!(wants_several(fields.to_string().as_bytes()), several, "{fields}");
        }
    }

    #[test]
    fn further_fields_of_the_body_count_and_the_largest_wins() {
        for (api, extra, expected) in [
            (Api::OpenaiChat, json!({"max_tokens": 500}), (Some(500), Some(1))),
            (Api::OpenaiChat, json!({"max_completion_tokens": 500}), (Some(500), Some(1))),
            (Api::OpenaiChat, json!({"max_completion_tokens": 50}), (Some(100), Some(1))),
            (Api::OpenaiChat, json!({"max_tokens": null, "max_completion_tokens": 50}), (Some(50), Some(1))),
            (Api::OpenaiChat, json!({"max_tokens": null}), (None, Some(1))),
            (Api::OpenaiChat, json!({"n": 3}), (Some(100), Some(3))),
            (Api::OpenaiChat, json!({"n": 2, "best_of": 5}), (Some(100), Some(5))),
            // Gateways in Go do not tell capitals from small letters.
            (Api::OpenaiChat, json!({"MAX_TOKENS": 500, "Max_Completion_Tokens": 700}), (Some(700), Some(1))),
            (Api::OpenaiChat, json!({"max_to\u{212a}ens": 500, "N": 3, "be\u{17f}t_of": 4}), (Some(500), Some(4))),
            (
                Api::Gemini,
                json!({"GenerationConfig": {"MaxOutputTokens": 500, "CANDIDATECOUNT": 2}}),
                (Some(500), Some(2)),
            ),
            // A number of answers that cannot be read could be any: Python reads the first two.
            (Api::OpenaiChat, json!({"n": "5_0"}), (Some(100), None)),
            (Api::OpenaiChat, json!({"n": "\u{ff15}0"}), (Some(100), None)),
            (Api::OpenaiChat, json!({"n": [50], "best_of": 2}), (Some(100), None)),
            // A field that this format does not have bounds nothing.
            (Api::OpenaiChat, json!({"max_tokens": null, "max_output_tokens": 50}), (None, Some(1))),
            (Api::OpenaiResponses, json!({"max_output_tokens": 500}), (Some(500), Some(1))),
            // Not the name of this format, but a gateway may go by it.
            (Api::OpenaiResponses, json!({"max_tokens": 500, "n": 2}), (Some(500), Some(2))),
            (Api::Anthropic, json!({"max_tokens": 64_000}), (Some(64_000), Some(1))),
            (Api::Anthropic, json!({"n": 50}), (Some(100), Some(50))),
            (Api::Gemini, json!({"best_of": 50}), (Some(100), Some(50))),
            (Api::OpenaiChat, json!({"max_tokens": 1e20}), (Some(u64::MAX), Some(1))),
            (Api::OpenaiChat, json!({"max_tokens": "18446744073709551616"}), (Some(u64::MAX), Some(1))),
            (Api::Anthropic, json!({"max_tokens": null}), (None, Some(1))),
            (Api::Gemini, json!({"generationConfig": {"maxOutputTokens": 500}}), (Some(500), Some(1))),
            (Api::Gemini, json!({"generationConfig": {"max_output_tokens": 500}}), (Some(500), Some(1))),
            (Api::Gemini, json!({"generation_config": {"max_output_tokens": 500}}), (Some(500), Some(1))),
            (Api::Gemini, json!({"generation_config": {"maxOutputTokens": 50}}), (Some(100), Some(1))),
            (Api::Gemini, json!({"generationConfig": {"candidateCount": 4}}), (Some(100), Some(4))),
            // Besides the object with the limit. A gateway may go by either.
            (Api::Gemini, json!({"generation_config": {"candidate_count": 4}}), (None, Some(4))),
            (Api::Gemini, json!({"generationConfig": null}), (None, Some(1))),
            (Api::Gemini, json!({"generationConfig": 5}), (None, Some(1))),
        ] {
            assert_eq!(bound(api, Some(100), &extra), expected, "{api:?} {extra}");
        }
    }

    #[test]
    fn odd_values_are_read_as_gateways_read_them_or_unknown() {
        for (value, max_tokens, answers) in [
            (json!("500"), Some(500), Some(500)),
            (json!(" 500 "), Some(500), Some(500)),
            (json!(500.0), Some(500), Some(500)),
            (json!(5e2), Some(500), Some(500)),
            // Gateways that are written in Go, and Google's, cannot tell zero from nothing.
            (json!(0), None, Some(1)),
            (json!(-1), None, None),
            (json!(0.5), None, None),
            (json!(-2.5), None, None),
            (json!(1e300), Some(u64::MAX), Some(u32::MAX)),
            (json!("many"), None, None),
            (json!(""), None, None),
            (json!(true), None, None),
            (json!([500]), None, None),
            (json!({"max": 500}), None, None),
            (json!(u64::MAX), Some(u64::MAX), Some(u32::MAX)),
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
                assert_eq!(bound(api, Some(100), &limit), (expected, Some(1)), "{api:?} {limit}");
                assert_eq!(bound(api, None, &count), (None, answers), "{api:?} {count}");
            }
            assert_eq!(bound(Api::Anthropic, None, &json!({"max_tokens": value})), (max_tokens, Some(1)), "{value}");
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
            assert_eq!(Api::OpenaiChat.adapter().output_bound(&wire).answers, Some(answers), "{body}");
        }
    }

    #[test]
    fn a_field_that_stands_twice_counts_twice() {
        for (api, body, is_known) in [
            (Api::OpenaiChat, r#"{"max_tokens":500,"n":3,"max_tokens":10,"n":1}"#, true),
            (Api::OpenaiChat, r#"{"max_tokens":500,"n":3,"max_tokens":null,"n":null}"#, false),
            (Api::OpenaiChat, r#"{"max_tokens":500,"n":3,"max_completion_tokens":1e999}"#, false),
            (Api::OpenaiResponses, r#"{"max_output_tokens":500,"n":3,"max_output_tokens":10,"n":1}"#, true),
            (
                Api::Gemini,
                r#"{"generationConfig":{"maxOutputTokens":500,"candidateCount":3,"maxOutputTokens":10}}"#,
                true,
            ),
            (
                Api::Gemini,
                r#"{"generationConfig":{"maxOutputTokens":500,"candidateCount":3},"generationConfig":{}}"#,
                false,
            ),
            (
                Api::Gemini,
                r#"{"generationConfig":{"maxOutputTokens":500,"candidateCount":3},"GenerationConfig":5}"#,
                false,
            ),
        ] {
            let wire = crate::adapter::WireRequest { path: String::new(), body: body.into() };
            let expected = OutputBound { max_tokens: is_known.then_some(500), named: 500, answers: Some(3) };
            assert_eq!(api.adapter().output_bound(&wire), expected, "{body}");
        }
    }

    #[test]
    fn what_a_body_wants_is_written_whatever_its_bound() {
        for (api, body, max_tokens, named) in [
            (Api::OpenaiChat, r#"{"max_tokens":10,"min_tokens":900}"#, Some(900), 900),
            (Api::OpenaiChat, r#"{"max_tokens":10,"reasoning":{"max_tokens":900}}"#, Some(900), 900),
            (Api::OpenaiChat, r#"{"max_tokens":1000,"reasoning":{"max_tokens":900}}"#, Some(1000), 1000),
            (Api::OpenaiChat, r#"{"reasoning":{"MAX_TOKENS":"900"}}"#, None, 900),
            (Api::OpenaiChat, r#"{"thinking":{"type":"enabled","budget_tokens":900}}"#, None, 900),
            (Api::OpenaiResponses, r#"{"max_output_tokens":10,"reasoning":{"max_tokens":900}}"#, Some(900), 900),
            (Api::Anthropic, r#"{"max_tokens":10,"thinking":{"budget_tokens":900}}"#, Some(900), 900),
            (
                Api::Gemini,
                r#"{"generationConfig":{"maxOutputTokens":10,"thinkingConfig":{"thinkingBudget":900}}}"#,
                Some(900),
                900,
            ),
            // What is no number of tokens could be any, for a gateway that makes one of it.
            (Api::OpenaiResponses, r#"{"max_output_tokens":10,"max_tokens":99999.5}"#, None, 10),
            (Api::OpenaiResponses, r#"{"max_output_tokens":10,"Max_Tokens":[100000]}"#, None, 10),
            (Api::Gemini, r#"{"generationConfig":{"maxOutputTokens":10},"max_tokens":"many"}"#, None, 10),
            (Api::OpenaiChat, r#"{"max_tokens":10,"min_tokens":99.5}"#, None, 10),
            // As much as the model likes, which the bound still bounds.
            (
                Api::Gemini,
                r#"{"generationConfig":{"maxOutputTokens":10,"thinkingConfig":{"thinkingBudget":-1}}}"#,
                Some(10),
                10,
            ),
        ] {
            let wire = crate::adapter::WireRequest { path: String::new(), body: body.into() };
            let expected = OutputBound { max_tokens, named, answers: Some(1) };
            assert_eq!(api.adapter().output_bound(&wire), expected, "{api:?} {body}");
        }
    }

    #[test]
    fn a_body_that_is_no_object_bounds_nothing() {
        let none = OutputBound { max_tokens: None, named: 0, answers: Some(1) };
        for body in ["", "[]", "5", "{\"max_tokens\":"] {
            let wire = crate::adapter::WireRequest { path: String::new(), body: body.into() };
            for api in [Api::OpenaiChat, Api::OpenaiResponses, Api::Anthropic, Api::Gemini] {
                assert_eq!(api.adapter().output_bound(&wire), none, "{body}");
            }
        }
    }
}
