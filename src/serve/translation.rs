//! What a request needs to be sent in another wire format than it came in: nothing in it may be lost in silence.

use serde_json::{Map, Value};

use crate::adapter::Api;
use crate::chat::Request;
use crate::error::Failure;
use crate::http::invalid;

/// Fields that change nothing about the answer: what a vendor keeps, counts or bills by.
const WITHOUT_EFFECT: [&str; 13] = [
    "metadata",
    "user",
    "store",
    "service_tier",
    "serviceTier",
    "safety_identifier",
    "prompt_cache_key",
    "prompt_cache_retention",
    "stream_options",
    "labels",
    "include",
    "background",
    "cache_control",
];

/// Fields whose usual value is also what the other formats do without them.
fn is_usual(name: &str, value: &Value) -> bool {
    match name {
        "n" | "candidateCount" => *value == 1,
        "truncation" => *value == "disabled",
        "frequency_penalty" | "presence_penalty" => value.as_f64() == Some(0.0),
        "text" | "reasoning" | "thinking" | "generationConfig" => {
            value.as_object().is_some_and(|settings| settings.iter().all(|(name, value)| is_usual(name, value)))
        }
        _ => value.is_null() || value.as_array().is_some_and(Vec::is_empty),
    }
}

/// The request as it is sent in other formats than its own.
///
/// # Errors
/// It has a field that only its own format knows.
pub(super) fn translated(api: Api, request: &Request) -> Result<Request, Failure> {
    let lost = |(name, value): (&String, &Value)| {
        (!WITHOUT_EFFECT.contains(&&**name) && !is_usual(name, value)).then(|| inner(name, value))
    };
    let lost: Vec<String> = request.extra.iter().filter_map(lost).collect();
    if let Some(first) = lost.first() {
        let message =
            format!("`{}` cannot be translated from {} for the gateway of this model", lost.join("`, `"), api.as_str());
        return Err(Failure { param: Some(first.clone()), ..invalid(message) });
    }
    Ok(Request { extra: Map::new(), ..request.clone() })
}

/// The path of the first setting that is lost inside of this field, or the field.
fn inner(name: &str, value: &Value) -> String {
    let settings = value.as_object().filter(|_| matches!(name, "text" | "reasoning" | "thinking" | "generationConfig"));
    let lost = settings.and_then(|settings| settings.iter().find(|(name, value)| !is_usual(name, value)));
    lost.map_or_else(|| name.to_owned(), |(setting, _)| format!("{name}.{setting}"))
}

/// Why a gateway of this wire format cannot be sent the request, although what all formats have in common is known of it.
pub(super) fn unable(api: Api, request: &Request) -> Option<Failure> {
    let needs_one = request.parallel_tool_calls == Some(false) && !request.tools.is_empty();
    (needs_one && api == Api::Gemini).then(|| {
        let field = "parallel_tool_calls";
        let failure = invalid(format!("`{field}` cannot be translated for the gateway of this model"));
        Failure { param: Some(field.into()), ..failure }
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn request(extra: Value) -> Request {
        Request { extra: extra.as_object().cloned().unwrap_or_default(), max_tokens: Some(7), ..Request::default() }
    }

    #[test]
    fn what_changes_nothing_is_left_out_and_all_else_is_refused_by_name() {
        let harmless = json!({"user": "u", "n": 1, "stream_options": {"include_usage": false}, "tools": [], "x": null,
            "generationConfig": {"candidateCount": 1}});
        let sent = translated(Api::OpenaiChat, &request(harmless)).expect("nothing is lost");
        assert_eq!(sent, Request { max_tokens: Some(7), ..Request::default() });
        for (extra, param) in [
            (json!({"logit_bias": {"1": 2}}), "logit_bias"),
            (json!({"n": 2}), "n"),
            (json!({"generationConfig": {"topK": 3}}), "generationConfig.topK"),
            (json!({"thinking": {"type": "enabled", "budget_tokens": 5}}), "thinking.type"),
        ] {
            let failure = translated(Api::Gemini, &request(extra)).expect_err(param);
            assert_eq!((failure.param.as_deref(), failure.status), (Some(param), Some(400)));
            assert!(failure.message.contains(&format!("`{param}`")), "{}", failure.message);
        }
    }

    #[test]
    fn at_most_one_call_at_once_is_refused_where_the_format_has_no_word_for_it() {
        let tool = crate::chat::Tool { name: "f".into(), description: None, parameters: None, strict: None };
        let one = Request { tools: vec![tool], parallel_tool_calls: Some(false), ..Request::default() };
        let failure = unable(Api::Gemini, &one).expect("a refusal");
        assert_eq!((failure.param.as_deref(), failure.status), (Some("parallel_tool_calls"), Some(400)));
        assert!([Api::OpenaiChat, Api::OpenaiResponses, Api::Anthropic].iter().all(|api| unable(*api, &one).is_none()));
        assert!(unable(Api::Gemini, &Request { tools: Vec::new(), ..one }).is_none(), "without tools it says nothing");
    }
}
