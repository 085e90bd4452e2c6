//! What all formats have in common about usage: which counts include which, and the cost that gateways report.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::lenient::maybe;
use crate::chat::Usage;
use crate::money::Usd;

/// The counts of one of OpenAI's formats, before it is decided what each includes.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) prompt: Option<u64>,
    pub(super) completion: Option<u64>,
    pub(super) total: Option<u64>,
    pub(super) cache_read: Option<u64>,
    pub(super) cache_write: Option<u64>,
    pub(super) reasoning: Option<u64>,
}

impl Counts {
    /// OpenAI counts cached tokens inside of the prompt and reasoning inside of the completion. Some gateways add them
    /// instead, which shows in the total, or in a part that is larger than its whole.
    pub(super) fn normalise(self, cost: Option<Usd>) -> Usage {
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
                // Another tokenizer counted it, so that it is no part of this whole.
                reasoning = None;
            }
        }
        known(Usage { input, cache_read: self.cache_read, cache_write: self.cache_write, output, reasoning, cost })
    }
}

/// The usage without counts that gateways made up. No prompt is empty: where the input is zero, the gateway itself did
/// not know.
pub(super) fn known(usage: Usage) -> Usage {
    if usage.input == Some(0) {
        return Usage { input: None, cache_read: None, cache_write: None, ..usage };
    }
    usage
}

/// The fields of a usage object that hold money. Gateways add them to every format.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Costs<'a> {
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

/// The cost of the answer, as a usage object gives it.
pub(super) fn cost(usage: &RawValue) -> Option<Usd> {
    let costs: Costs<'_> = serde_json::from_str(usage.get()).ok()?;
    let said = usd(costs.cost).or_else(|| {
        let parts: CostParts<'_> = serde_json::from_str(costs.cost?.get()).ok()?;
        usd(parts.total_cost)
    });
    let Some(said) = said else {
        return usd(costs.pydantic_ai_gateway?.cost_estimate);
    };
    // With an upstream key of the user's own, OpenRouter's cost is its fee alone.
    let upstream = costs.cost_details.filter(|_| costs.is_byok == Some(true));
    Some(said + upstream.and_then(|details| usd(details.upstream_inference_cost)).unwrap_or_default())
}

/// An amount of dollars, written as a number or a text. A negative amount is no cost.
fn usd(raw: Option<&RawValue>) -> Option<Usd> {
    let amount: Usd = serde_json::from_str(raw?.get()).ok()?;
    (amount >= Usd::ZERO).then_some(amount)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn costs_are_read_digit_for_digit() {
        for (json, dollars) in [
            (r#"{"cost":9.4e-6}"#, Some("0.0000094")),
            (r#"{"cost":0}"#, Some("0")),
            (r#"{"cost":"0.25"}"#, Some("0.25")),
            (r#"{"cost":null}"#, None),
            (r#"{"cost":-1}"#, None),
            (r#"{"cost":"free"}"#, None),
            (r#"{"cost":{"input_tokens_cost":0.1,"total_cost":0.3}}"#, Some("0.3")),
            (r#"{"cost":0.01,"is_byok":true,"cost_details":{"upstream_inference_cost":0.2}}"#, Some("0.21")),
            (r#"{"cost":0.01,"is_byok":false,"cost_details":{"upstream_inference_cost":0.2}}"#, Some("0.01")),
            (r#"{"pydantic_ai_gateway":{"cost_estimate":0.5}}"#, Some("0.5")),
            ("{}", None),
        ] {
            let usage: &RawValue = serde_json::from_str(json).expect("JSON");
            assert_eq!(cost(usage), dollars.map(|dollars| dollars.parse().expect("dollars")), "{json}");
        }
    }
}
