//! One row of a list of models, in any of the known shapes.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::lenient::{Count, Flags, Maybe, Record};
use super::price::{Pricing, Unit};
use super::{Feature, ModelInfo, searches};
use crate::money::Usd;

/// LiteLLM writes this time of creation for every model.
const LITELLM_CREATED: u64 = 1_677_610_602;

/// The fields of all shapes together: no two shapes use one name for different things.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Row {
    id: Maybe<String>,
    name: Maybe<String>,
    model: Maybe<String>,
    display_name: Maybe<String>,
    #[serde(rename = "displayName")]
    gemini_display_name: Maybe<String>,
    r#type: Maybe<String>,
    mode: Maybe<String>,
    created: Maybe<Count>,
    created_at: Maybe<String>,
    expiration_date: Maybe<String>,
    deprecation: Maybe<String>,
    context_length: Maybe<Count>,
    context_window: Maybe<Count>,
    max_context_length: Maybe<Count>,
    max_model_len: Maybe<Count>,
    max_input_tokens: Maybe<Count>,
    #[serde(rename = "inputTokenLimit")]
    input_token_limit: Maybe<Count>,
    max_completion_tokens: Maybe<Count>,
    max_output_tokens: Maybe<Count>,
    #[serde(rename = "outputTokenLimit")]
    output_token_limit: Maybe<Count>,
    max_tokens: Maybe<Count>,
    top_provider: Maybe<Record<TopProvider>>,
    meta: Maybe<Record<Meta>>,
    architecture: Maybe<Record<Architecture>>,
    supported_parameters: Maybe<Vec<String>>,
    capabilities: Maybe<Flags>,
    tags: Maybe<Vec<String>>,
    thinking: Maybe<bool>,
    #[serde(rename = "supportedGenerationMethods")]
    generation_methods: Maybe<Vec<String>>,
    pricing: Maybe<Record<Pricing>>,
    input_price: Maybe<Usd>,
    output_price: Maybe<Usd>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct TopProvider {
    context_length: Maybe<Count>,
    max_completion_tokens: Maybe<Count>,
}

/// llama.cpp.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Meta {
    n_ctx: Maybe<Count>,
    n_ctx_train: Maybe<Count>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Architecture {
    input_modalities: Maybe<BTreeSet<String>>,
    output_modalities: Maybe<BTreeSet<String>>,
}

/// Adds the features that the modalities of input imply.
fn with_modalities(mut features: BTreeSet<Feature>, input: &BTreeSet<String>) -> BTreeSet<Feature> {
    features.extend(input.iter().filter_map(|modality| Feature::from_wire(modality)));
    features
}

impl Row {
    /// The row's prices, from which the unit of the list is found.
    pub(super) fn pricing(&self) -> Option<&Pricing> {
        self.pricing.as_deref()
    }

    /// The model of this row. Returns `None` where the row does not name it.
    pub(super) fn into_model(self, unit: Unit) -> Option<ModelInfo> {
        let id = [&self.id, &self.model, &self.name].into_iter().find_map(|name| name.0.clone())?;
        // The ids of Gemini's own list are paths.
        let id = if self.generation_methods.is_some() { id.trim_start_matches("models/").to_owned() } else { id };
        if id.is_empty() {
            return None;
        }
        let own_price = Pricing::per_million(self.input_price.clone(), self.output_price.clone());
        let rates = match self.pricing.as_ref() {
            Some(pricing) => pricing.rates(unit, searches(&id)),
            None => own_price.rates(Unit::Million, false),
        };
        let (input, output) = self.modalities();
        Some(ModelInfo {
            name: [&self.display_name, &self.gemini_display_name, &self.name]
                .into_iter()
                .find_map(|name| name.0.clone())
                .filter(|name| *name != id),
            context: self.context(),
            max_output: self.max_output(),
            supports: self.features().map(|features| with_modalities(features, &input)),
            parameters: self.supported_parameters.0.clone().map(|names| names.into_iter().collect()),
            input_modalities: input,
            output_modalities: output,
            price: rates.map(Into::into),
            price_varies: false,
            deployments: None,
            created: self.created(),
            expires: self.expiration_date.0.clone().or_else(|| self.deprecation.0.clone()),
            id,
        })
    }

    fn context(&self) -> Option<u64> {
        let provider = self.top_provider.as_ref().map(|provider| provider.context_length.0);
        let meta = self.meta.as_ref().map(|meta| meta.n_ctx.0.or(meta.n_ctx_train.0));
        [self.context_length.0, self.context_window.0, self.max_context_length.0, self.max_model_len.0]
            .into_iter()
            .chain([self.max_input_tokens.0, self.input_token_limit.0, provider.flatten(), meta.flatten()])
            .flatten()
            .map(|count| count.0)
            .find(|count| *count > 0)
    }

    fn max_output(&self) -> Option<u64> {
        let provider = self.top_provider.as_ref().and_then(|provider| provider.max_completion_tokens.0);
        [provider, self.max_completion_tokens.0, self.max_output_tokens.0, self.output_token_limit.0, self.max_tokens.0]
            .into_iter()
            .flatten()
            .map(|count| count.0)
            .find(|count| *count > 0)
    }

    fn modalities(&self) -> (BTreeSet<String>, BTreeSet<String>) {
        let Some(architecture) = self.architecture.as_ref() else {
            let embeds = self.mode.as_deref() == Some("embedding") || self.r#type.as_deref() == Some("embedding");
            return (BTreeSet::new(), embeds.then(|| "embeddings".to_owned()).into_iter().collect());
        };
        let of = |modalities: &Maybe<BTreeSet<String>>| modalities.0.clone().unwrap_or_default();
        (of(&architecture.input_modalities), of(&architecture.output_modalities))
    }

    fn created(&self) -> Option<u64> {
        let date = || u64::try_from(self.created_at.as_ref()?.parse::<jiff::Timestamp>().ok()?.as_second()).ok();
        let created = self.created.map(|count| count.0).or_else(date)?;
        Some(created).filter(|created| *created > 0 && *created != LITELLM_CREATED)
    }

    /// What the model can do. Returns `None` where the row does not say.
    fn features(&self) -> Option<BTreeSet<Feature>> {
        let (parameters, flags) = (self.supported_parameters.as_ref(), self.capabilities.as_ref());
        // llama.cpp writes an empty list of tags for every model.
        let tags = self.tags.as_ref().filter(|tags| !tags.is_empty());
        if parameters.is_none() && flags.is_none() && tags.is_none() && self.thinking.is_none() {
            return None;
        }
        let words = [parameters, tags, flags.map(|flags| &flags.0)].into_iter().flatten().flatten();
        let mut features: BTreeSet<Feature> = words.filter_map(|word| Feature::from_wire(word)).collect();
        if *self.thinking == Some(true) {
            features.insert(Feature::Reasoning);
        }
        // Anthropic's list does not mention tools, since all of its models can use them.
        if self.r#type.as_deref() == Some("model") && flags.is_some() {
            features.insert(Feature::Tools);
        }
        Some(features)
    }
}
