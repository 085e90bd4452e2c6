//! What all formats have in common about usage: which counts include which, the cost that gateways report, and what is billed
//! besides tokens of text.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::lenient::{Count, Text, list, maybe};
use super::object::Object;
use super::unpriced::is_usual_tier;
use crate::chat::{StreamEvent, Surcharge, Usage};
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
    pub(super) fn normalise(self, bill: Bill) -> Usage {
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
        known(Usage {
            input,
            cache_read: self.cache_read,
            cache_write: self.cache_write,
            output,
            reasoning,
            cache_write_hour: bill.cache_write_hour,
            cost: bill.cost,
            surcharge: bill.surcharge,
        })
    }
}

/// The usage without counts that gateways made up. No prompt is empty: where the input is zero, the gateway itself did
/// not know.
pub(super) fn known(usage: Usage) -> Usage {
    if usage.input == Some(0) {
        return Usage { input: None, cache_read: None, cache_write: None, cache_write_hour: None, ..usage };
    }
    usage
}

/// What a usage object says of the bill besides its tokens.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Bill {
    pub(super) cost: Option<Usd>,
    pub(super) surcharge: Option<Surcharge>,
    pub(super) cache_write_hour: Option<u64>,
}

/// The surcharges of an answer that its usage does not tell.
#[derive(Debug, Default)]
pub(super) struct Surcharges(Option<Surcharge>);

impl Surcharges {
    /// Tells of a surcharge, unless it is known by now.
    pub(super) fn find(&mut self, found: Option<Surcharge>, events: &mut Vec<StreamEvent>) {
        if found > self.0 {
            self.0 = found;
            events.push(StreamEvent::Usage(Usage { surcharge: found, ..Usage::default() }));
        }
    }
}

/// The surcharge of a tier. Gateways write an empty text, or nothing, where there is only one.
pub(super) fn of_tier(tier: &str) -> Option<Surcharge> {
    (!tier.is_empty() && !is_usual_tier(tier)).then_some(Surcharge::Tier)
}

/// The fields of a usage object that hold money, or tell of what the prices of its tokens do not cover. Gateways add them to
/// every format.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Fields<'a> {
    // What each token costs.
    #[serde(borrow)]
    service_tier: Text<'a>,
    #[serde(borrow, rename = "serviceTier")]
    google_tier: Text<'a>,
    #[serde(borrow, rename = "trafficType")]
    traffic_type: Text<'a>,
    #[serde(borrow)]
    speed: Text<'a>,
    #[serde(borrow)]
    inference_geo: Text<'a>,
    #[serde(deserialize_with = "maybe")]
    cache_creation: Option<CacheCreation>,
    // Tokens that are no text.
    #[serde(deserialize_with = "maybe")]
    prompt_tokens_details: Option<Details>,
    #[serde(deserialize_with = "maybe")]
    input_tokens_details: Option<Details>,
    #[serde(deserialize_with = "maybe")]
    completion_tokens_details: Option<Details>,
    #[serde(deserialize_with = "maybe")]
    output_tokens_details: Option<Details>,
    #[serde(borrow, rename = "promptTokensDetails", deserialize_with = "list")]
    prompt_modalities: Vec<Modality<'a>>,
    #[serde(borrow, rename = "cacheTokensDetails", deserialize_with = "list")]
    cache_modalities: Vec<Modality<'a>>,
    #[serde(borrow, rename = "toolUsePromptTokensDetails", deserialize_with = "list")]
    tool_modalities: Vec<Modality<'a>>,
    #[serde(borrow, rename = "candidatesTokensDetails", deserialize_with = "list")]
    output_modalities: Vec<Modality<'a>>,
    // What is no token of the model.
    #[serde(deserialize_with = "maybe")]
    server_tool_use: Option<BTreeMap<String, Count>>,
    /// OpenRouter's name.
    #[serde(deserialize_with = "maybe")]
    server_tool_use_details: Option<BTreeMap<String, Count>>,
    /// The names of xAI.
    #[serde(deserialize_with = "maybe")]
    server_side_tool_usage_details: Option<BTreeMap<String, Count>>,
    num_sources_used: Count,
    /// The names of Perplexity.
    num_search_queries: Count,
    citation_tokens: Count,
    // Money.
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
    #[serde(borrow)]
    upstream_inference_prompt_cost: Option<&'a RawValue>,
    #[serde(borrow)]
    upstream_inference_completions_cost: Option<&'a RawValue>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct PydanticGateway<'a> {
    #[serde(borrow)]
    cost_estimate: Option<&'a RawValue>,
}

/// Tokens by how long a cache keeps them.
#[derive(Debug, Default, Clone, Copy, Deserialize)]
#[serde(default)]
pub(super) struct CacheCreation {
    pub(super) ephemeral_1h_input_tokens: Count,
    /// LiteLLM's name for what OpenAI's cache keeps.
    ephemeral_12h_input_tokens: Count,
}

/// OpenAI's names for the same.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct CacheWrites {
    ttl_12h_tokens: Count,
}

/// Parts of the tokens, in OpenAI's formats.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Details {
    audio_tokens: Count,
    image_tokens: Count,
    video_tokens: Count,
    /// LiteLLM's name.
    #[serde(deserialize_with = "maybe")]
    cache_creation_token_details: Option<CacheCreation>,
    #[serde(deserialize_with = "maybe")]
    cache_write_tokens_details: Option<CacheWrites>,
}

impl Details {
    /// Whether a cache keeps some of the tokens for half a day, for which no list has a price.
    fn is_kept_long(&self) -> bool {
        self.cache_creation_token_details.as_ref().is_some_and(|kept| is_some(kept.ephemeral_12h_input_tokens))
            || self.cache_write_tokens_details.as_ref().is_some_and(|kept| is_some(kept.ttl_12h_tokens))
    }
}

/// Tokens of one kind, in Google's format.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Modality<'a> {
    #[serde(borrow)]
    modality: Text<'a>,
    token_count: Count,
}

/// Perplexity gives the cost as an object of parts.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct CostParts<'a> {
    #[serde(borrow)]
    total_cost: Option<&'a RawValue>,
}

/// What a usage object says of the bill besides its tokens.
pub(super) fn bill(usage: &RawValue) -> Bill {
    let fields: Fields<'_> = serde_json::from_str(usage.get()).unwrap_or_default();
    // A count that cannot be read may be one that is billed besides the others.
    let unread = has_unread_count(usage, MOST_LEVELS, false).then_some(Surcharge::Parts);
    Bill { cost: fields.cost(), surcharge: fields.surcharge().max(unread), cache_write_hour: fields.cache_write_hour() }
}

/// As deep as counts are in a usage object: in the details of a round.
const MOST_LEVELS: u8 = 4;

/// The objects that hold nothing but counts.
const TOOLS: [&str; 3] = ["server_tool_use", "server_tool_use_details", "server_side_tool_usage_details"];

/// Whether a field says how many tokens, or calls of tools, there were, in a form that cannot be read.
fn has_unread_count(raw: &RawValue, levels: u8, is_of_tools: bool) -> bool {
    let Some(deeper) = levels.checked_sub(1) else { return false };
    if raw.get().starts_with('[') {
        return items(raw).into_iter().any(|item| has_unread_count(item, deeper, is_of_tools));
    }
    let fields: Object<'_> = serde_json::from_str(raw.get()).unwrap_or_default();
    fields.0.iter().any(|(name, value)| match value.get().as_bytes().first() {
        Some(b'[') if is_count(name) && items(value).into_iter().any(|item| !item.get().starts_with('{')) => true,
        Some(b'{' | b'[') => has_unread_count(value, deeper, TOOLS.contains(&&**name)),
        // Nothing was counted.
        None | Some(b'n' | b'f') => false,
        Some(b'"') if value.get() == "\"\"" => false,
        // Objects of tools hold names and times too.
        Some(_) => {
            let is_number = value.get().bytes().any(|byte| byte.is_ascii_digit());
            (is_of_tools && is_number || is_count(name)) && Count::parse(value.get()).0.is_none()
        }
    })
}

/// The items of a list; none where the value is none.
fn items(raw: &RawValue) -> Vec<&RawValue> {
    serde_json::from_str(raw.get()).unwrap_or_default()
}

/// Whether a field of this name says how many of something that is billed there were.
fn is_count(name: &str) -> bool {
    let is_of_tokens = ["tokens", "TokenCount", "tokenCount"].iter().any(|end| name.ends_with(end));
    is_of_tokens && !name.contains("per_") || matches!(name, "num_sources_used" | "num_search_queries")
}

fn is_some(count: Count) -> bool {
    count.0.is_some_and(|count| count > 0)
}

impl Fields<'_> {
    /// The cost of the answer.
    fn cost(&self) -> Option<Usd> {
        let said = usd(self.cost).or_else(|| {
            let parts: CostParts<'_> = serde_json::from_str(self.cost?.get()).ok()?;
            usd(parts.total_cost)
        });
        let Some(said) = said else {
            return usd(self.pydantic_ai_gateway.as_ref()?.cost_estimate);
        };
        if self.is_byok != Some(true) {
            return Some(said);
        }
        // With an upstream key of the user's own, OpenRouter's cost is its fee alone.
        let details = self.cost_details.as_ref()?;
        let parts =
            || Some(usd(details.upstream_inference_prompt_cost)? + usd(details.upstream_inference_completions_cost)?);
        let upstream =
            usd(details.upstream_inference_cost).filter(|cost| *cost > Usd::ZERO || said == Usd::ZERO).or_else(parts);
        Some(said + upstream?)
    }

    fn surcharge(&self) -> Option<Surcharge> {
        if self.has_other_tokens() || self.has_more_than_tokens() {
            return Some(Surcharge::Parts);
        }
        let is_dearer = !matches!(&*self.speed, "" | "standard")
            || !matches!(&*self.inference_geo, "" | "global" | "not_available")
            || !matches!(
                &*self.traffic_type,
                "" | "TRAFFIC_TYPE_UNSPECIFIED" | "ON_DEMAND" | "ON_DEMAND_FLEX" | "PROVISIONED_THROUGHPUT"
            );
        let tier = of_tier(&self.service_tier).or(of_tier(&self.google_tier));
        tier.or(is_dearer.then_some(Surcharge::Tier))
    }

    /// Whether tokens were counted whose price is not that of text. Pictures and films that are read cost what text does.
    fn has_other_tokens(&self) -> bool {
        let input = [&self.prompt_tokens_details, &self.input_tokens_details];
        let output = [&self.completion_tokens_details, &self.output_tokens_details];
        let read = [&self.prompt_modalities, &self.cache_modalities, &self.tool_modalities];
        input.into_iter().flatten().any(|details| is_some(details.audio_tokens) || details.is_kept_long())
            || output.into_iter().flatten().any(|details| {
                [details.audio_tokens, details.image_tokens, details.video_tokens].into_iter().any(is_some)
            })
            || read.into_iter().flatten().any(|part| &*part.modality == "AUDIO" && is_some(part.token_count))
            || self.output_modalities.iter().any(|part| {
                !matches!(&*part.modality, "" | "TEXT" | "MODALITY_UNSPECIFIED") && is_some(part.token_count)
            })
    }

    fn has_more_than_tokens(&self) -> bool {
        // Of the tools that vendors run, this one alone is known to cost nothing but tokens.
        let is_billed = |(name, count): (&String, &Count)| name != "web_fetch_requests" && is_some(*count);
        let tools = [&self.server_tool_use, &self.server_tool_use_details, &self.server_side_tool_usage_details];
        tools.into_iter().flatten().any(|tools| tools.iter().any(is_billed))
            || [self.num_sources_used, self.num_search_queries, self.citation_tokens].into_iter().any(is_some)
    }

    fn cache_write_hour(&self) -> Option<u64> {
        let details = [&self.prompt_tokens_details, &self.input_tokens_details].into_iter().flatten();
        let creations = details.filter_map(|details| details.cache_creation_token_details.as_ref());
        let hours =
            self.cache_creation.iter().chain(creations).filter_map(|creation| creation.ephemeral_1h_input_tokens.0);
        hours.max().filter(|count| *count > 0)
    }
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
            (r#"{"cost":0.01,"is_byok":true}"#, None),
            (r#"{"cost":0.01,"is_byok":true,"cost_details":{"upstream_inference_cost":null}}"#, None),
            (r#"{"cost":0.01,"is_byok":true,"cost_details":{"upstream_inference_cost":0}}"#, None),
            (
                r#"{"cost":0.01,"is_byok":true,"cost_details":{"upstream_inference_cost":null,"upstream_inference_prompt_cost":0.1,"upstream_inference_completions_cost":0.2}}"#,
                Some("0.31"),
            ),
            (r#"{"pydantic_ai_gateway":{"cost_estimate":0.5}}"#, Some("0.5")),
            ("{}", None),
        ] {
            let usage: &RawValue = serde_json::from_str(json).expect("JSON");
            assert_eq!(bill(usage).cost, dollars.map(|dollars| dollars.parse().expect("dollars")), "{json}");
        }
    }

    #[test]
    fn what_the_prices_of_tokens_do_not_cover_is_known_and_zeros_are_nothing() {
        let none = [
            r#"{"service_tier":"default","speed":"standard","inference_geo":"not_available"}"#,
            r#"{"service_tier":null,"inference_geo":"global","trafficType":"ON_DEMAND"}"#,
            r#"{"service_tier":"flex"}"#,
            r#"{"serviceTier":"standard"}"#,
            r#"{"service_tier":{"a":1},"server_tool_use":[1],"promptTokensDetails":{"a":1}}"#,
            r#"{"server_tool_use":{"web_search_requests":0,"web_fetch_requests":3},"num_search_queries":0}"#,
            r#"{"server_tool_use":null,"server_tool_use_details":{"web_search_requests":null}}"#,
            r#"{"prompt_tokens_details":{"audio_tokens":0,"image_tokens":7,"video_tokens":7,"cached_tokens":3}}"#,
            r#"{"input_tokens_details":{"cache_write_tokens_details":{"ttl_30m_tokens":9,"ttl_12h_tokens":0}}}"#,
            r#"{"completion_tokens_details":{"audio_tokens":null,"image_tokens":0,"reasoning_tokens":9}}"#,
            r#"{"promptTokensDetails":[{"modality":"TEXT","tokenCount":3},{"modality":"IMAGE","tokenCount":3}]}"#,
            r#"{"candidatesTokensDetails":[{"modality":"TEXT","tokenCount":3},{"modality":"AUDIO"}]}"#,
        ];
        let tier = [
            r#"{"service_tier":"priority"}"#,
            r#"{"serviceTier":"PRIORITY"}"#,
            r#"{"service_tier":"scale"}"#,
            r#"{"trafficType":"ON_DEMAND_PRIORITY"}"#,
            r#"{"speed":"fast"}"#,
            r#"{"inference_geo":"us"}"#,
        ];
        let parts = [
            r#"{"server_tool_use":{"web_search_requests":1},"service_tier":"priority"}"#,
            r#"{"server_tool_use_details":{"web_search_requests":1}}"#,
            r#"{"server_side_tool_usage_details":{"x_search_calls":1}}"#,
            r#"{"num_sources_used":1}"#,
            r#"{"num_search_queries":1}"#,
            r#"{"citation_tokens":1}"#,
            r#"{"prompt_tokens_details":{"audio_tokens":1}}"#,
            r#"{"input_tokens_details":{"audio_tokens":1}}"#,
            r#"{"input_tokens_details":{"cache_write_tokens_details":{"ttl_30m_tokens":0,"ttl_12h_tokens":1}}}"#,
            r#"{"prompt_tokens_details":{"cache_creation_token_details":{"ephemeral_12h_input_tokens":1}}}"#,
            r#"{"completion_tokens_details":{"audio_tokens":1}}"#,
            r#"{"output_tokens_details":{"image_tokens":1}}"#,
            r#"{"promptTokensDetails":[{"modality":"TEXT","tokenCount":3},{"modality":"AUDIO","tokenCount":1}]}"#,
            r#"{"cacheTokensDetails":[{"modality":"AUDIO","tokenCount":1}]}"#,
            r#"{"toolUsePromptTokensDetails":[{"modality":"AUDIO","tokenCount":1}]}"#,
            r#"{"candidatesTokensDetails":[{"modality":"IMAGE","tokenCount":1}]}"#,
        ];
        let unread = [
            r#"{"cache_read_input_tokens":-1}"#,
            r#"{"server_tool_use":{"web_search_requests":"3.5"}}"#,
            r#"{"promptTokensDetails":[{"modality":"AUDIO","tokenCount":1.5}]}"#,
            r#"{"thoughtsTokenCount":18446744073709551616}"#,
            r#"{"iterations":[{"output_tokens_details":{"thinking_tokens":-7}}]}"#,
            r#"{"cache_read_input_tokens":"many"}"#,
            r#"{"cache_creation_input_tokens":true}"#,
            r#"{"thoughtsTokenCount":[1000]}"#,
        ];
        let of = |json: &str| bill(serde_json::from_str(json).expect(json)).surcharge;
        for json in unread {
            assert_eq!(of(json), Some(Surcharge::Parts), "{json}");
        }
        for json in [
            r#"{"x_tokens":"","y_tokens":null,"z_tokens":false,"w_tokens":[],"tokens":[{"a":1}],"tokens_per_second":1.5,"cost_per_million_tokens":0.15}"#,
            r#"{"model_used":"gpt-5","cache_used":false,"credits_used":0.25,"tool_calls":1.5,"server_tool_use":{"type":"search"}}"#,
            r#"{"input_tokens":"7","output_tokens":7.0}"#,
        ] {
            assert_eq!(of(json), None, "{json}");
        }
        for (all, meant) in [(&none[..], None), (&tier, Some(Surcharge::Tier)), (&parts, Some(Surcharge::Parts))] {
            for json in all {
                assert_eq!(of(json), meant, "{json}");
            }
        }
    }

    #[test]
    fn tokens_that_a_cache_keeps_for_an_hour_are_told_apart() {
        for (json, hour) in [
            (r#"{"cache_creation":{"ephemeral_5m_input_tokens":5,"ephemeral_1h_input_tokens":7}}"#, Some(7)),
            (r#"{"prompt_tokens_details":{"cache_creation_token_details":{"ephemeral_1h_input_tokens":7}}}"#, Some(7)),
            (r#"{"cache_creation":{"ephemeral_5m_input_tokens":5,"ephemeral_1h_input_tokens":0}}"#, None),
            (r#"{"cache_creation":null}"#, None),
        ] {
            assert_eq!(bill(serde_json::from_str(json).expect(json)).cache_write_hour, hour, "{json}");
        }
    }
}
