//! LiteLLM's `/model/info`: one row for each deployment, several of which may share the name that calls use.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::lenient::{Count, Maybe, Record};
use super::{Feature, ModelInfo, searches};
use crate::error::{Failure, FailureKind};
use crate::money::Usd;
use crate::rates::{Rates, Step, Tariff};

/// LiteLLM's names of the features.
const FEATURES: [(&str, Feature); 5] = [
    ("supports_function_calling", Feature::Tools),
    ("supports_vision", Feature::Vision),
    ("supports_response_schema", Feature::Json),
    ("supports_reasoning", Feature::Reasoning),
    ("supports_audio_input", Feature::Audio),
];

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Body {
    data: Maybe<Vec<Maybe<Record<Deployment>>>>,
}

/// The field names of both tables hold numbers (`…_above_200k_tokens`), so they are read as tables.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Deployment {
    model_name: Maybe<String>,
    litellm_params: Maybe<Fields>,
    model_info: Maybe<Fields>,
}

#[derive(Debug, Default, Deserialize)]
struct Fields(BTreeMap<String, Box<RawValue>>);

impl Fields {
    fn get<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        serde_json::from_str(self.0.get(name)?.get()).ok()
    }
}

/// What is known of one name, all its deployments together.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Group {
    price: Option<Tariff>,
    price_varies: bool,
    deployments: u32,
    context: Option<u64>,
    max_output: Option<u64>,
    supports: Option<BTreeSet<Feature>>,
    parameters: Option<BTreeSet<String>>,
}

impl Group {
    /// Adds this to a row of the model list. What the row has itself is kept, except the price.
    pub(super) fn complete(&self, model: &mut ModelInfo) {
        model.price.clone_from(&self.price);
        model.price_varies = self.price_varies;
        model.deployments = Some(self.deployments);
        model.context = model.context.or(self.context);
        model.max_output = model.max_output.or(self.max_output);
        if model.supports.is_none() {
            model.supports.clone_from(&self.supports);
        }
        if model.parameters.is_none() {
            model.parameters.clone_from(&self.parameters);
        }
    }

    /// Merges another deployment. A call may go to any of them, so what is kept is what all of them have.
    fn merge(&mut self, other: Group) {
        self.price_varies |= other.price_varies || self.price != other.price;
        if self.price_varies {
            self.price = None;
        }
        self.deployments += other.deployments;
        self.context = [self.context, other.context].into_iter().flatten().min();
        self.max_output = [self.max_output, other.max_output].into_iter().flatten().min();
        self.supports = self.supports.take().zip(other.supports).map(|(a, b)| &a & &b);
        self.parameters = self.parameters.take().zip(other.parameters).map(|(a, b)| &a & &b);
    }
}

/// The groups by name.
///
/// # Errors
/// It is not JSON, or has no rows.
pub(super) fn parse(body: &[u8]) -> Result<BTreeMap<String, Group>, Failure> {
    let bad = || Failure::new(FailureKind::Protocol, "LiteLLM's /model/info is not what it should be");
    let body: Body = serde_json::from_slice(body).map_err(|error| bad().with_cause(error.to_string()))?;
    let mut groups: BTreeMap<String, Group> = BTreeMap::new();
    for deployment in body.data.0.ok_or_else(bad)?.into_iter().filter_map(|row| Some(row.0?.0)) {
        let Some(name) = deployment.model_name.0.clone() else { continue };
        let group = deployment.into_group();
        match groups.get_mut(&name) {
            Some(known) => known.merge(group),
            None => _ = groups.insert(name, group),
        }
    }
    Ok(groups)
}

impl Deployment {
    fn into_group(self) -> Group {
        let (info, params) = (self.model_info.0.unwrap_or_default(), self.litellm_params.0.unwrap_or_default());
        let said: Vec<(Feature, bool)> =
            FEATURES.into_iter().filter_map(|(name, feature)| Some((feature, info.get(name)?))).collect();
        let count = |name: &str| info.get::<Count>(name).map(|count| count.0);
        Group {
            price: tariff(&info, &params),
            price_varies: false,
            deployments: 1,
            context: count("max_input_tokens"),
            max_output: count("max_output_tokens"),
            supports: (!said.is_empty())
                .then(|| said.into_iter().filter(|(_, supported)| *supported).map(|(feature, _)| feature).collect()),
            parameters: info.get("supported_openai_params"),
        }
    }
}

/// What is not sold by tokens of text alone has one of these prices.
const OTHER_PRICES: [&str; 11] = [
    "citation_cost_per_token",
    "cost_per_second",
    "input_cost_per_query",
    "input_cost_per_second",
    "ocr_cost_per_page",
    "output_cost_per_audio_token",
    "output_cost_per_image",
    "output_cost_per_image_token",
    "output_cost_per_second",
    "output_cost_per_video_per_second",
    "output_cost_per_video_token",
];

fn tariff(info: &Fields, params: &Fields) -> Option<Tariff> {
    let is_a_price = |fields: &Fields, name: &str| fields.get::<Usd>(name).is_some_and(|price| price != Usd::ZERO);
    if OTHER_PRICES.iter().any(|name| is_a_price(info, name) || is_a_price(params, name)) {
        return None;
    }
    let mut base = rates(info, "", Rates::default());
    base.request = base.request.max(search(info, params));
    let nothing = |rate: Option<Usd>| rate.is_none_or(|rate| rate == Usd::ZERO);
    if nothing(base.input) && nothing(base.output) {
        // LiteLLM's own data has zeros for models that are not sold by tokens, but zeros of its config are prices.
        let meant =
            ["input_cost_per_token", "output_cost_per_token"].iter().all(|name| params.get::<Usd>(name).is_some());
        return meant.then(|| base.into());
    }
    let mut lengths: Vec<u64> = info
        .0
        .keys()
        .filter_map(|name| name.strip_prefix("input_cost_per_token_above_")?.strip_suffix("k_tokens")?.parse().ok())
        .collect();
    lengths.sort_unstable();
    let mut tariff = Tariff::from(base);
    for thousands in lengths {
        let below = tariff.steps.last().map_or(base, |step: &Step| step.rates);
        let rates = Rates { request: base.request, ..rates(info, &format!("_above_{thousands}k_tokens"), below) };
        // LiteLLM writes null for steps that the model does not have.
        if rates != below {
            tariff.steps.push(Step { above: thousands.saturating_mul(1000), rates });
        }
    }
    Some(tariff)
}

/// The rates whose names end with `suffix`. Where one is missing, that of shorter prompts holds.
fn rates(info: &Fields, suffix: &str, below: Rates) -> Rates {
    let rate = |name: &str| info.get::<Usd>(&format!("{name}{suffix}")).filter(|rate| *rate >= Usd::ZERO);
    let output = rate("output_cost_per_token").or(below.output);
    Rates {
        input: rate("input_cost_per_token").or(below.input),
        output,
        cache_read: rate("cache_read_input_token_cost").or(below.cache_read),
        cache_write: rate("cache_creation_input_token_cost").or(below.cache_write),
        reasoning: rate("output_cost_per_reasoning_token").or(below.reasoning).filter(|rate| Some(*rate) != output),
        // Negative prices mean nothing, and prices of requests do not depend on their length.
        request: info.get::<Usd>("input_cost_per_request").filter(|price| *price > Usd::ZERO),
    }
}

/// The most that the search of each request costs, where the model searches by itself. Others have this price as well, for
/// searches that a request asks for.
fn search(info: &Fields, params: &Fields) -> Option<Usd> {
    params.get::<String>("model").filter(|model| searches(model))?;
    let by_size: BTreeMap<String, Usd> = info.get("search_context_cost_per_query")?;
    by_size.into_values().filter(|price| *price > Usd::ZERO).max()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(rows: &[&str]) -> Group {
        let rows: Vec<String> = rows.iter().map(|row| format!(r#"{{"model_name":"m",{row}}}"#)).collect();
        let body = format!(r#"{{"data":[{}]}}"#, rows.join(","));
        parse(body.as_bytes()).expect(&body).remove("m").expect("the model")
    }

    fn input(group: &Group) -> Option<i64> {
        group.price.as_ref()?.base.input.map(Usd::picos)
    }

    #[test]
    fn prices_are_per_token() {
        let row = r#""model_info":{"input_cost_per_token":1.5e-07,"output_cost_per_token":6e-07,"cache_read_input_token_cost":7.5e-08,
            "max_input_tokens":128000,"max_output_tokens":16384.0,"supports_function_calling":true,"supports_vision":false,"supports_reasoning":null}"#;
        let group = group(&[row]);
        let rates = group.price.as_ref().expect("a price").base;
        let picos = |rate: Option<Usd>| rate.map(Usd::picos);
        assert_eq!(
            (picos(rates.input), picos(rates.output), picos(rates.cache_read)),
            (Some(150_000), Some(600_000), Some(75_000))
        );
        assert_eq!((group.context, group.max_output), (Some(128_000), Some(16_384)));
        assert_eq!(group.supports, Some(BTreeSet::from([Feature::Tools])));
    }

    #[test]
    fn deployments_of_one_name_have_a_price_if_they_agree() {
        let row = |price: &str, context: u32, vision: bool| {
            format!(
                r#""model_info":{{"input_cost_per_token":{price},"output_cost_per_token":1e-6,"max_input_tokens":{context},"supports_vision":{vision}}}"#
            )
        };
        let same = group(&[&row("1e-6", 1000, true), &row("0.000001", 2000, false)]);
        assert_eq!(
            (input(&same), same.price_varies, same.deployments, same.context),
            (Some(1_000_000), false, 2, Some(1000))
        );
        assert_eq!(same.supports, Some(BTreeSet::new()), "only what all of them can do");
        let differ = group(&[&row("1e-6", 1000, true), &row("2e-6", 1000, true), &row("2e-6", 1000, true)]);
        assert_eq!((input(&differ), differ.price_varies, differ.deployments), (None, true, 3));
    }

    #[test]
    fn a_price_that_is_missing_is_not_zero() {
        for (row, price) in [
            (r#""model_info":{"input_cost_per_token":null,"output_cost_per_token":null}"#, None),
            (r#""model_info":{"input_cost_per_token":0,"output_cost_per_token":0,"output_cost_per_image":0.04}"#, None),
            (
                r#""litellm_params":{"input_cost_per_token":0.0,"output_cost_per_token":0},"model_info":{"input_cost_per_token":0,"output_cost_per_token":0}"#,
                Some(0),
            ),
            (r#""model_info":null"#, None),
        ] {
            assert_eq!(input(&group(&[row])), price, "{row}");
        }
    }

    #[test]
    fn what_is_not_sold_by_tokens_alone_has_no_price_of_tokens() {
        let price = |more: &str| {
            let row = format!(r#""model_info":{{"input_cost_per_token":1e-6,"output_cost_per_token":1e-6,{more}}}"#);
            group(&[&row]).price.map(|tariff| tariff.base.request)
        };
        for more in [
            r#""output_cost_per_image":0.039"#,
            r#""input_cost_per_second":1"#,
            r#""output_cost_per_audio_token":2e-5"#,
            r#""citation_cost_per_token":2e-6"#,
        ] {
            assert_eq!(price(more), None, "{more}");
        }
        let usual = r#""input_cost_per_audio_token":3e-6,"input_cost_per_image":0.001,"output_cost_per_image":null,
            "output_cost_per_second":0,"search_context_cost_per_query":{"search_context_size_low":0.03}"#;
        assert_eq!(price(usual), Some(None));
        assert_eq!(price(r#""input_cost_per_request":0.005"#), Some("0.005".parse().ok()));
    }

    #[test]
    fn a_search_is_billed_with_each_request_of_models_that_search_by_themselves() {
        let tariff = |model: &str| {
            let row = format!(
                r#""litellm_params":{{"model":"{model}"}},"model_info":{{"input_cost_per_token":1e-6,"output_cost_per_token":1e-6,
                "input_cost_per_token_above_128k_tokens":2e-6,"search_context_cost_per_query":{{"search_context_size_low":0.005,
                "search_context_size_high":0.012}}}}"#
            );
            group(&[&row]).price.expect("a price")
        };
        let sonar = tariff("perplexity/sonar");
        let fee = "0.012".parse().ok();
        assert_eq!((sonar.base.request, sonar.steps[0].rates.request), (fee, fee));
        assert_eq!(tariff("openai/gpt-4o-mini").base.request, None, "it searches only where it is told to");
    }

    #[test]
    fn long_prompts_may_cost_more() {
        let group = group(&[r#""model_info":{"input_cost_per_token":1e-6,"output_cost_per_token":4e-6,
            "input_cost_per_token_above_200k_tokens":3e-6,"input_cost_per_token_above_128k_tokens":2e-6,"output_cost_per_token_above_200k_tokens":8e-6,
            "input_cost_per_token_above_200k_tokens_priority":9e-6,"input_cost_per_token_above_272k_tokens":null}"#]);
        let steps: Vec<(u64, Option<i64>, Option<i64>)> = group
            .price
            .expect("a price")
            .steps
            .iter()
            .map(|step| (step.above, step.rates.input.map(Usd::picos), step.rates.output.map(Usd::picos)))
            .collect();
        assert_eq!(steps, [(128_000, Some(2_000_000), Some(4_000_000)), (200_000, Some(3_000_000), Some(8_000_000))]);
    }

    #[test]
    fn what_is_no_info_is_said_to_be_none() {
        for body in ["", "{}", r#"{"detail":"not found"}"#] {
            assert!(parse(body.as_bytes()).is_err(), "{body}");
        }
        assert!(parse(br#"{"data":[{"x":1},null]}"#).expect("readable").is_empty());
    }
}
