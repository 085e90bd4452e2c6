//! The names of fields in request bodies, as gateways may read them.

use std::collections::HashSet;

/// Fields with which some gateway asks another model than `model` says, or sends the request elsewhere. Budgets, allow-lists and
/// prices go by the one model that is known, so nobody may set them: OpenRouter has the first two, Azure and old clients of OpenAI
/// the next four, LiteLLM and its like those after them, among them a prompt of its own that has a model, Portkey and Google the last.
const OTHER_MODELS: [&str; 26] = [
    "models",
    "preset",
    "deployment_id",
    "deployment",
    "deployment_name",
    "engine",
    "fallback",
    "fallback_models",
    "default_fallbacks",
    "litellm_params",
    "fallbacks",
    "context_window_fallbacks",
    "content_policy_fallbacks",
    "context_window_fallback_dict",
    "model_list",
    "user_config",
    "prompt_id",
    "api_base",
    "base_url",
    "extra_body",
    "targets",
    "target",
    "override_params",
    "routing_config",
    "model_config",
    "model_selection_config",
];

/// Whether some gateway takes these two names for the same field. Those that are written in Go do not tell capitals from small
/// letters, not even those outside of ASCII that have a common form with one of it; Google's also take both `maxTokens` and
/// `max_tokens`.
pub fn is_same_field(name: &str, other: &str) -> bool {
    folded(name) == folded(other)
}

/// What all names have in common that some gateway takes for the same field.
pub(super) fn folded(name: &str) -> String {
    name.trim().replace(['_', '-'], "").to_uppercase().to_lowercase()
}

/// The first of these names that some gateway takes for the same as one before it. Gateways differ in which of them counts.
pub(super) fn repeated<'a>(names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let mut seen = HashSet::new();
    names.into_iter().find(|name| !seen.insert(folded(name)))
}

/// Whether a gateway may ask a model that `model` does not name because of this field. One that is `model` but for its spelling
/// is among them: where a gateway takes both for the same, the last one counts.
pub fn names_other_model(field: &str) -> bool {
    field != "model" && (is_model(field) || OTHER_MODELS.iter().any(|name| is_same_field(name, field)))
}

/// Whether a gateway may ask a model that no limit knows of because of how its name is written: with a comma, LiteLLM takes it for
/// the names of several models; with a preset, it stands for settings that the owner of an OpenRouter account keeps there.
pub fn may_name_others(model: &str) -> bool {
    model.contains(',') || model.to_lowercase().contains("@preset/")
}

/// Whether a field names one or several models: `model`, `models`, `backup_models`, `fallbackModel`, `modelName` …
pub(super) fn is_model(name: &str) -> bool {
    let name = folded(name);
    let name = name.trim_end_matches("[]");
    let ends = ["names", "name", "ids", "id", "overrides", "override", "groups", "group"];
    let subject = ends.into_iter().find_map(|end| name.strip_suffix(end));
    [subject.unwrap_or(name), name].iter().any(|name| name.ends_with("model") || name.ends_with("models"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_the_same_however_a_gateway_reads_them() {
        for (name, other) in [
            ("model", "Model"),
            ("model", "MODEL "),
            ("messages", "me\u{17f}\u{17f}ages"),
            ("max_tokens", "max_to\u{212a}ens"),
            ("max_output_tokens", "maxOutputTokens"),
        ] {
            assert!(is_same_field(name, other), "{name}, {other}");
        }
        for (name, other) in [("model", "models"), ("n", "m"), ("max_tokens", "max_token"), ("", "n")] {
            assert!(!is_same_field(name, other), "{name}, {other}");
        }
    }

    #[test]
    fn what_may_ask_another_model_is_known() {
        for name in [
            "models",
            "Models",
            "fallbacks",
            "contextWindowFallbacks",
            "Model",
            "model ",
            "user_config",
            "apiBase",
            "preset",
            "prompt_id",
            "deploymentId",
            "Engine",
            "fallback",
            "fallback_models",
            "default_fallbacks",
            "litellm_params",
            "backup_models",
            "model_override",
            "model_group",
            "modelOverrides",
            "models[]",
            "deployment",
            "alternateModels",
            "model_name",
            "modelId",
            "override_params",
            "targets",
            "target",
        ] {
            assert!(names_other_model(name), "{name}");
        }
        for name in ["model", "modalities", "messages", "metadata", "provider", "tool_name", "previous_response_id"] {
            assert!(!names_other_model(name), "{name}");
        }
    }
}
