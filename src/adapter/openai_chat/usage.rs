//! Token counts in the spellings of all gateways → [`Usage`].

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::adapter::lenient::{Count, Text, maybe};
use crate::adapter::usage::{self, Counts};
use crate::chat::Usage;

/// The `usage` object, of which every gateway fills some fields.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct WireUsage {
    prompt_tokens: Count,
    completion_tokens: Count,
    total_tokens: Count,
    #[serde(deserialize_with = "maybe")]
    prompt_tokens_details: Option<PromptDetails>,
    #[serde(deserialize_with = "maybe")]
    completion_tokens_details: Option<CompletionDetails>,
    /// DeepSeek's name.
    prompt_cache_hit_tokens: Count,
    /// Mistral's name.
    num_cached_tokens: Count,
    /// Together's name.
    cached_tokens: Count,
    /// The names of LiteLLM and Portkey, which they have from Anthropic.
    cache_read_input_tokens: Count,
    cache_creation_input_tokens: Count,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct PromptDetails {
    cached_tokens: Count,
    cache_write_tokens: Count,
    cache_creation_tokens: Count,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct CompletionDetails {
    reasoning_tokens: Count,
}

/// Reads the object. Nothing is known where the value is no object.
pub(super) fn read(raw: &RawValue) -> Usage {
    if !raw.get().starts_with('{') {
        return Usage::default();
    }
    let wire: WireUsage = serde_json::from_str(raw.get()).unwrap_or_default();
    let prompt = wire.prompt_tokens_details.unwrap_or_default();
    let cache_read = [
        prompt.cached_tokens,
        wire.cache_read_input_tokens,
        wire.prompt_cache_hit_tokens,
        wire.num_cached_tokens,
        wire.cached_tokens,
    ];
    let cache_write = [prompt.cache_write_tokens, prompt.cache_creation_tokens, wire.cache_creation_input_tokens];
    let first_known = |counts: &[Count]| counts.iter().find_map(|count| count.0);
    Counts {
        prompt: wire.prompt_tokens.0,
        completion: wire.completion_tokens.0,
        total: wire.total_tokens.0,
        cache_read: first_known(&cache_read),
        cache_write: first_known(&cache_write),
        reasoning: wire.completion_tokens_details.and_then(|details| details.reasoning_tokens.0),
    }
    .normalise(usage::bill(raw))
}

/// The usage in an answer of OpenAI's that is no chat: vectors, the continuation of a text.
pub(crate) fn usage_of(body: &[u8]) -> Option<Usage> {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Answer<'a> {
        #[serde(borrow)]
        usage: Option<&'a RawValue>,
        #[serde(borrow)]
        service_tier: Text<'a>,
    }
    let answer: Answer<'_> = serde_json::from_slice(body).ok()?;
    let usage = read(answer.usage?);
    Some(Usage { surcharge: usage.surcharge.max(usage::of_tier(&answer.service_tier)), ..usage })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::Surcharge;

    fn usage(json: &str) -> Usage {
        read(serde_json::from_str(json).expect(json))
    }

    #[test]
    fn every_spelling_has_one_meaning() {
        let plain = Usage { input: Some(50), output: Some(12), ..Usage::default() };
        let cached = Usage { cache_read: Some(37), ..plain };
        for (more, meaning) in [
            (r#""total_tokens":62"#, plain),
            (r#""prompt_tokens_details":null,"completion_tokens_details":null"#, plain),
            (r#""prompt_tokens_details":[1],"cost":null"#, plain),
            (r#""prompt_tokens_details":{"cached_tokens":37}"#, cached),
            (r#""prompt_cache_hit_tokens":37,"prompt_cache_miss_tokens":13"#, cached),
            (r#""num_cached_tokens":37"#, cached),
            (r#""cached_tokens":37"#, cached),
            (r#""prompt_tokens_details":{"cache_write_tokens":5}"#, Usage { cache_write: Some(5), ..plain }),
            (r#""completion_tokens_details":{"reasoning_tokens":7}"#, Usage { reasoning: Some(7), ..plain }),
        ] {
            let json = format!(r#"{{"prompt_tokens":50,"completion_tokens":12,{more}}}"#);
            assert_eq!(usage(&json), meaning, "{json}");
        }
    }

    #[test]
    fn what_is_no_chat_is_billed_alike() {
        let tier =
            r#"{"choices":[{"text":"x"}],"service_tier":"priority","usage":{"prompt_tokens":5,"completion_tokens":1}}"#;
        let usage = usage_of(tier.as_bytes()).expect("told");
        assert_eq!((usage.input, usage.output, usage.surcharge), (Some(5), Some(1), Some(Surcharge::Tier)));
        let vectors =
            usage_of(br#"{"data":[],"usage":{"prompt_tokens":7,"total_tokens":7,"cost":1e-6}}"#).expect("told");
        assert_eq!((vectors.input, vectors.output, vectors.cost), (Some(7), None, "0.000001".parse().ok()));
        assert_eq!(usage_of(br#"{"input_tokens":7}"#), None);
    }

    #[test]
    fn cached_tokens_beside_the_prompt_are_added_to_it() {
        let total = usage(r#"{"prompt_tokens":1,"completion_tokens":12,"total_tokens":50,"cached_tokens":37}"#);
        assert_eq!((total.input, total.cache_read), (Some(38), Some(37)));
        let larger = usage(r#"{"prompt_tokens":1,"completion_tokens":12,"cache_creation_input_tokens":37}"#);
        assert_eq!((larger.input, larger.cache_write), (Some(38), Some(37)));
    }

    #[test]
    fn reasoning_beside_the_completion_is_added_and_never_larger_than_it() {
        let details = |total: u64, reasoning: u64| {
            format!(
                r#"{{"prompt_tokens":10,"completion_tokens":5,"total_tokens":{total},
                "completion_tokens_details":{{"reasoning_tokens":{reasoning}}}}}"#
            )
        };
        let apart = usage(&details(115, 100));
        assert_eq!((apart.output, apart.reasoning), (Some(105), Some(100)));
        let odd = usage(&details(15, 6));
        assert_eq!((odd.output, odd.reasoning), (Some(5), None));
    }

    #[test]
    fn what_is_no_count_is_unknown() {
        for count in ["-1", "1.5", "9223372036854775808", "\"many\"", "null", "{}"] {
            let usage = usage(&format!(r#"{{"prompt_tokens":{count},"completion_tokens":4}}"#));
            let surcharge = Some(Surcharge::Parts).filter(|_| !matches!(count, "null" | "{}"));
            assert_eq!(usage, Usage { output: Some(4), surcharge, ..Usage::default() }, "{count}");
        }
        for json in ["null", "\"none\"", "[1]", "3"] {
            assert!(usage(json).is_unknown(), "{json}");
        }
    }
}
