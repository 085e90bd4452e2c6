//! Models: those of a gateway as a list, and one model at every gateway that has it.

mod export;
mod list;
mod show;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;

use super::format::UNKNOWN;
use super::rates::TariffJson;
use crate::catalog::{Feature as ListedFeature, ModelInfo};
use crate::pricing::Quote;
use crate::probe::kept::Kept;
use crate::probe::{self, Feature};
use crate::rates::Rates;
use crate::record::CostOrigin;

pub use export::{one_csv, one_json};
pub use list::{csv, list_json, text};
pub use show::{Listing, Shown, one};

/// A model of a gateway, and what it costs there.
#[derive(Debug, Clone)]
pub struct Offer {
    pub model: ModelInfo,
    pub quote: Option<Quote>,
    /// What `llm probe` found out about it here.
    pub probed: Option<Kept>,
}

impl Offer {
    /// The rates of a short prompt. All are unknown where there is no price.
    pub fn rates(&self) -> Rates {
        self.quote.as_ref().map(|quote| quote.tariff.base).unwrap_or_default()
    }

    fn origin(&self) -> Option<CostOrigin> {
        self.quote.as_ref().map(|quote| quote.origin)
    }
}

/// The count in a short form: `200k`, `1.05M`. JSON and CSV have the exact number.
fn tokens(count: u64) -> String {
    let scaled = |unit: u64, letter: char| {
        let hundredths = count.saturating_add(unit / 200) / (unit / 100);
        let text = format!("{}.{:02}", hundredths / 100, hundredths % 100);
        format!("{}{letter}", text.trim_end_matches('0').trim_end_matches('.'))
    };
    match count {
        0..1_000 => count.to_string(),
        1_000..10_000 => scaled(1_000, 'k'),
        10_000..999_500 => format!("{}k", (count + 500) / 1000),
        _ => scaled(1_000_000, 'M'),
    }
}

/// The modalities of the input, and those of the output where it is not just text: `text+image → image`.
fn both_modalities(model: &ModelInfo) -> String {
    let (input, output) = (joined(&model.input_modalities), joined(&model.output_modalities));
    match (input.as_str(), output.as_str()) {
        ("", "") => UNKNOWN.into(),
        (_, "" | "text") => input,
        _ => format!("{input} → {output}").trim_start().to_owned(),
    }
}

/// The modalities in one word. Text comes first, since most models have it.
fn joined(modalities: &BTreeSet<String>) -> String {
    let (text, others): (Vec<&str>, Vec<&str>) =
        modalities.iter().map(String::as_str).partition(|word| *word == "text");
    [text, others].concat().join("+")
}

fn features(model: &ModelInfo) -> Option<String> {
    Some(model.supports.as_ref()?.iter().map(|feature| feature.as_str()).collect::<Vec<_>>().join(" "))
}

/// The moment in the form of RFC 3339, in UTC.
fn date(seconds: u64) -> Option<String> {
    Some(jiff::Timestamp::from_second(i64::try_from(seconds).ok()?).ok()?.to_string())
}

/// The same of a `SystemTime`.
fn moment(at: SystemTime) -> Option<String> {
    date(at.duration_since(UNIX_EPOCH).ok()?.as_secs())
}

#[derive(Serialize)]
struct OfferJson<'a> {
    id: &'a str,
    name: Option<&'a str>,
    context: Option<u64>,
    max_output: Option<u64>,
    input_modalities: &'a BTreeSet<String>,
    output_modalities: &'a BTreeSet<String>,
    supports: Option<&'a BTreeSet<ListedFeature>>,
    price: Option<PriceJson>,
    price_varies: bool,
    deployments: Option<u32>,
    created: Option<String>,
    expires: Option<&'a str>,
    parameters: Option<&'a BTreeSet<String>>,
    probed: Option<ProbedJson<'a>>,
}

/// What a probe found out about a model.
#[derive(Serialize)]
struct ProbedJson<'a> {
    features: BTreeMap<Feature, FoundJson<'a>>,
    context_accepted: Option<u64>,
}

#[derive(Serialize)]
struct FoundJson<'a> {
    value: probe::Value,
    at: &'a str,
}

impl<'a> From<&'a Kept> for ProbedJson<'a> {
    fn from(kept: &'a Kept) -> Self {
        let found = kept
            .findings
            .iter()
            .map(|(feature, found)| (*feature, FoundJson { value: found.finding.value, at: &found.at }));
        Self { features: found.collect(), context_accepted: kept.context }
    }
}

#[derive(Serialize)]
struct PriceJson {
    origin: CostOrigin,
    #[serde(flatten)]
    tariff: TariffJson,
}

impl<'a> From<&'a Offer> for OfferJson<'a> {
    fn from(Offer { model, quote, probed }: &'a Offer) -> Self {
        let price = quote.as_ref().map(|quote| PriceJson { origin: quote.origin, tariff: (&quote.tariff).into() });
        Self {
            id: &model.id,
            name: model.name.as_deref(),
            context: model.context,
            max_output: model.max_output,
            input_modalities: &model.input_modalities,
            output_modalities: &model.output_modalities,
            supports: model.supports.as_ref(),
            price,
            price_varies: model.price_varies,
            deployments: model.deployments,
            created: model.created.and_then(date),
            expires: model.expires.as_deref(),
            parameters: model.parameters.as_ref(),
            probed: probed.as_ref().map(Into::into),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn token_counts_are_short() {
        for (count, text) in [
            (0, "0"),
            (999, "999"),
            (2048, "2.05k"),
            (8192, "8.19k"),
            (32_768, "33k"),
            (128_000, "128k"),
            (999_499, "999k"),
            (999_500, "1M"),
            (1_048_576, "1.05M"),
            (10_000_000, "10M"),
        ] {
            assert_eq!(tokens(count), text, "{count}");
        }
    }
}
