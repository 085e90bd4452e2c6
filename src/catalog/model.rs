//! One model of a gateway's list.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::rates::Tariff;

/// What a model can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Feature {
    /// Calls functions.
    Tools,
    /// Takes images.
    Vision,
    /// Answers in JSON, or by a schema.
    Json,
    /// Reasons before it answers.
    Reasoning,
    /// Takes audio.
    Audio,
}

impl Feature {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Feature; 5] = [Self::Tools, Self::Vision, Self::Json, Self::Reasoning, Self::Audio];

    /// The word used in flags and tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tools => "tools",
            Self::Vision => "vision",
            Self::Json => "json",
            Self::Reasoning => "reasoning",
            Self::Audio => "audio",
        }
    }

    /// The feature of this name.
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|feature| feature.as_str() == word)
    }

    /// The feature that a gateway's word for a parameter, capability, tag or modality stands for.
    pub(super) fn from_wire(word: &str) -> Option<Self> {
        Some(match word {
            "tools" | "tool_use" | "tool-use" | "function_calling" | "function-calling" => Self::Tools,
            "vision" | "image" | "image_input" | "multimodal" => Self::Vision,
            "response_format" | "structured_outputs" | "structured-outputs" | "json" | "json_mode" => Self::Json,
            "reasoning" | "include_reasoning" | "thinking" => Self::Reasoning,
            "audio" | "audio_input" => Self::Audio,
            _ => return None,
        })
    }
}

/// One model of a gateway. What the gateway does not say is missing, empty or `None`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ModelInfo {
    /// Its name in requests.
    pub id: String,
    /// Another name, for people.
    pub name: Option<String>,
    /// The largest prompt and answer together, in tokens.
    pub context: Option<u64>,
    /// The longest answer, in tokens.
    pub max_output: Option<u64>,
    /// `text`, `image`, `file`, `audio`, `video`.
    pub input_modalities: BTreeSet<String>,
    pub output_modalities: BTreeSet<String>,
    /// What it can do; `None` where the gateway does not say.
    pub supports: Option<BTreeSet<Feature>>,
    /// The names of the parameters that requests may have, as the gateway spells them; `None` where it does not say.
    pub parameters: Option<BTreeSet<String>>,
    /// The gateway's own price.
    pub price: Option<Tariff>,
    /// The price depends on which of its deployments a call goes to.
    pub price_varies: bool,
    /// How many servers share the name.
    pub deployments: Option<u32>,
    /// Seconds since 1970.
    pub created: Option<u64>,
    /// When the gateway will remove it, as the gateway writes it.
    pub expires: Option<String>,
}

impl ModelInfo {
    /// Its name and its price, if it has one.
    pub(super) fn priced(&self) -> Option<(String, Tariff)> {
        Some((self.id.clone(), self.price.clone()?))
    }

    /// Whether it can do this. Returns `None` where the gateway does not say.
    pub fn can(&self, feature: Feature) -> Option<bool> {
        let modality = match feature {
            Feature::Vision => Some("image"),
            Feature::Audio => Some("audio"),
            _ => None,
        };
        let by_modality = || {
            let modality = modality.filter(|_| !self.input_modalities.is_empty())?;
            Some(self.input_modalities.contains(modality))
        };
        match &self.supports {
            Some(supports) => Some(supports.contains(&feature)),
            None => by_modality(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_said_is_unknown() {
        let silent = ModelInfo::default();
        assert_eq!(silent.can(Feature::Tools), None);
        let sees =
            ModelInfo { input_modalities: BTreeSet::from(["text".into(), "image".into()]), ..ModelInfo::default() };
        assert_eq!(
            (sees.can(Feature::Vision), sees.can(Feature::Audio), sees.can(Feature::Tools)),
            (Some(true), Some(false), None)
        );
        let says = ModelInfo { supports: Some(BTreeSet::from([Feature::Tools])), ..ModelInfo::default() };
        assert_eq!((says.can(Feature::Tools), says.can(Feature::Json)), (Some(true), Some(false)));
    }
}
