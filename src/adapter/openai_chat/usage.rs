//! Token counts and costs in all the spellings of the gateways → the one meaning of [`Usage`].

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::adapter::lenient::{Count, maybe};
use crate::chat::Usage;
use crate::money::Usd;

/// The `usage` object; every gateway fills some of it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct WireUsage<'a> {
    prompt_tokens: Count,
    completion_tokens: Count,
    total_tokens: Count,
    #[serde(deserialize_with = "maybe")]
    prompt_tokens_details: Option<PromptDetails>,
    #[serde(deserialize_with = "maybe")]
    completion_tokens_details: Option<CompletionDetails>,
    /// DeepSeek.
    prompt_cache_hit_tokens: Count,
    /// Mistral.
    num_cached_tokens: Count,
    /// Together.
    cached_tokens: Count,
    /// LiteLLM and Portkey, from Anthropic.
    cache_read_input_tokens: Count,
    cache_creation_input_tokens: Count,
    #[serde(borrow)]
    cost: Option<&'a RawValue>,
    #[serde(deserialize_with = "maybe")]
    is_byok: Option<bool>,
    #[serde(borrow, deserialize_with = "maybe")]
    cost_details: Option<CostDetails<'a>>,
    #[serde(borrow, deserialize_with = "maybe")]
    pydantic_ai_gateway: Option<PydanticGateway<'a>>,
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

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct CostDetails<'a> {
    #[serde(borrow)]
    upstream_inference_cost: Option<&'a RawValue>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct PydanticGateway<'a> {
    #[serde(borrow)]
    cost_estimate: Option<&'a RawValue>,
}

/// Perplexity gives the cost as an object of parts.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct CostParts<'a> {
    #[serde(borrow)]
    total_cost: Option<&'a RawValue>,
}

impl WireUsage<'_> {
    pub(super) fn normalise(&self) -> Usage {
        let prompt = self.prompt_tokens_details.as_ref();
        let cache_read = [
            prompt.and_then(|details| details.cached_tokens.0),
            self.cache_read_input_tokens.0,
            self.prompt_cache_hit_tokens.0,
            self.num_cached_tokens.0,
            self.cached_tokens.0,
        ];
        let cache_read = cache_read.into_iter().find_map(|count| count);
        let cache_write = prompt
            .and_then(|details| details.cache_write_tokens.0.or(details.cache_creation_tokens.0))
            .or(self.cache_creation_input_tokens.0);
        let reasoning = self.completion_tokens_details.as_ref().and_then(|details| details.reasoning_tokens.0);
        Counts {
            prompt: self.prompt_tokens.0,
            completion: self.completion_tokens.0,
            total: self.total_tokens.0,
            cache_read,
            cache_write,
            reasoning,
            cost: self.cost(),
        }
        .normalise()
    }

    fn cost(&self) -> Option<Usd> {
        let cost = usd(self.cost).or_else(|| {
            let parts: CostParts<'_> = serde_json::from_str(self.cost?.get()).ok()?;
            usd(parts.total_cost)
        });
        let Some(cost) = cost else {
            return usd(self.pydantic_ai_gateway.as_ref()?.cost_estimate);
        };
        // With the user's own upstream key, OpenRouter's cost is its fee alone.
        if self.is_byok == Some(true) {
            let upstream = self.cost_details.as_ref().and_then(|details| usd(details.upstream_inference_cost));
            return Some(cost + upstream.unwrap_or_default());
        }
        Some(cost)
    }
}

/// The counts of one of OpenAI's formats, before it is known what each includes.
#[derive(Debug, Default)]
pub(in crate::adapter) struct Counts {
    pub(in crate::adapter) prompt: Option<u64>,
    pub(in crate::adapter) completion: Option<u64>,
    pub(in crate::adapter) total: Option<u64>,
    pub(in crate::adapter) cache_read: Option<u64>,
    pub(in crate::adapter) cache_write: Option<u64>,
    pub(in crate::adapter) reasoning: Option<u64>,
    pub(in crate::adapter) cost: Option<Usd>,
}

impl Counts {
    /// OpenAI counts cached tokens inside the prompt and reasoning inside the completion. Some gateways add them
    /// instead; the total, or a part larger than its whole, gives them away.
    pub(in crate::adapter) fn normalise(self) -> Usage {
        let cached = self.cache_read.unwrap_or(0) + self.cache_write.unwrap_or(0);
        let input = self.prompt.map(|prompt| {
            let added = prompt + self.completion.unwrap_or(0) + cached;
            let is_apart = cached > prompt || (cached > 0 && self.total == Some(added));
            if is_apart { prompt + cached } else { prompt }
        });
        let mut output = self.completion;
        let mut reasoning = self.reasoning;
        if let (Some(completion), Some(thought)) = (self.completion, self.reasoning) {
            let added = input.unwrap_or(0) + completion + thought;
            if thought > 0 && self.total == Some(added) {
                output = Some(completion + thought);
            } else if thought > completion {
                // Counted by another tokenizer: not part of this whole.
                reasoning = None;
            }
        }
        Usage { input, cache_read: self.cache_read, cache_write: self.cache_write, output, reasoning, cost: self.cost }
    }
}

/// An amount of dollars, as a number or a text of one; a negative one is no cost.
pub(in crate::adapter) fn usd(raw: Option<&RawValue>) -> Option<Usd> {
    let amount: Usd = serde_json::from_str(raw?.get()).ok()?;
    (amount >= Usd::ZERO).then_some(amount)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usage(json: &str) -> Usage {
        serde_json::from_str::<WireUsage<'_>>(json).expect(json).normalise()
    }

    fn picos(dollars: &str) -> Option<Usd> {
        Some(dollars.parse().expect("dollars"))
    }

    #[test]
    fn every_spelling_has_one_meaning() {
        let plain = Usage { input: Some(50), output: Some(12), ..Usage::default() };
        let cached = Usage { cache_read: Some(37), ..plain };
        for (json, meaning) in [
            (r#"{"prompt_tokens":50,"completion_tokens":12,"total_tokens":62}"#, plain),
            (
                r#"{"prompt_tokens":50,"completion_tokens":12,"prompt_tokens_details":null,"completion_tokens_details":null}"#,
                plain,
            ),
            (r#"{"prompt_tokens":50,"completion_tokens":12,"prompt_tokens_details":[1],"cost":null}"#, plain),
            (r#"{"prompt_tokens":50,"completion_tokens":12,"prompt_tokens_details":{"cached_tokens":37}}"#, cached),
            (
                r#"{"prompt_tokens":50,"completion_tokens":12,"prompt_cache_hit_tokens":37,"prompt_cache_miss_tokens":13}"#,
                cached,
            ),
            (r#"{"prompt_tokens":50,"completion_tokens":12,"num_cached_tokens":37}"#, cached),
            (r#"{"prompt_tokens":50,"completion_tokens":12,"cached_tokens":37}"#, cached),
            (
                r#"{"prompt_tokens":50,"completion_tokens":12,"prompt_tokens_details":{"cache_write_tokens":5}}"#,
                Usage { cache_write: Some(5), ..plain },
            ),
            (
                r#"{"prompt_tokens":50,"completion_tokens":12,"completion_tokens_details":{"reasoning_tokens":7}}"#,
                Usage { reasoning: Some(7), ..plain },
            ),
        ] {
            assert_eq!(usage(json), meaning, "{json}");
        }
    }

    #[test]
    fn cached_tokens_beside_the_prompt_are_added_to_it() {
        let total =
            usage(r#"{"prompt_tokens":1,"completion_tokens":12,"total_tokens":50,"cache_read_input_tokens":37}"#);
        assert_eq!((total.input, total.cache_read), (Some(38), Some(37)));
        let larger = usage(r#"{"prompt_tokens":1,"completion_tokens":12,"cache_creation_input_tokens":37}"#);
        assert_eq!((larger.input, larger.cache_write), (Some(38), Some(37)));
    }

    #[test]
    fn reasoning_beside_the_completion_is_added_and_never_larger_than_it() {
        let apart = usage(
            r#"{"prompt_tokens":10,"completion_tokens":5,"total_tokens":115,"completion_tokens_details":{"reasoning_tokens":100}}"#,
        );
        assert_eq!((apart.output, apart.reasoning), (Some(105), Some(100)));
        let odd = usage(
            r#"{"prompt_tokens":43,"completion_tokens":10,"total_tokens":53,"completion_tokens_details":{"reasoning_tokens":11}}"#,
        );
        assert_eq!((odd.output, odd.reasoning), (Some(10), None));
    }

    #[test]
    fn what_is_no_count_is_unknown() {
        for count in ["-1", "1.5", "9223372036854775808", "\"3\"", "null", "{}"] {
            let usage = usage(&format!(r#"{{"prompt_tokens":{count},"completion_tokens":4}}"#));
            assert_eq!(usage, Usage { output: Some(4), ..Usage::default() }, "{count}");
        }
    }

    #[test]
    fn costs_are_read_digit_for_digit() {
        for (json, cost) in [
            (r#"{"cost":9.4e-6}"#, picos("0.0000094")),
            (r#"{"cost":0}"#, picos("0")),
            (r#"{"cost":"0.25"}"#, picos("0.25")),
            (r#"{"cost":null}"#, None),
            (r#"{"cost":-1}"#, None),
            (r#"{"cost":"free"}"#, None),
            (r#"{"cost":{"input_tokens_cost":0.1,"total_cost":0.3}}"#, picos("0.3")),
            (r#"{"cost":0.01,"is_byok":true,"cost_details":{"upstream_inference_cost":0.2}}"#, picos("0.21")),
            (r#"{"cost":0.01,"is_byok":false,"cost_details":{"upstream_inference_cost":0.2}}"#, picos("0.01")),
            (r#"{"pydantic_ai_gateway":{"cost_estimate":0.5}}"#, picos("0.5")),
        ] {
            assert_eq!(usage(json).cost, cost, "{json}");
        }
    }
}
