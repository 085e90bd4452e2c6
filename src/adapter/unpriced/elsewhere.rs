//! Which fields may ask another model than the one of the request, wherever they stand.

use super::tools;
use crate::adapter::field_names::{is_same_field, names_other_model};
use crate::adapter::object::Object;
use crate::adapter::tree::Tree;

/// Fields that hold what people and programs say, or a schema. Their inner fields may have any names, and no gateway takes them
/// for settings.
const CONTENT: [&str; 31] = [
    "chat_template_kwargs",
    "content",
    "contents",
    "documents",
    "examples",
    "format",
    "function_call",
    "functions",
    "generate_content_request",
    "guided_json",
    "input",
    "instructions",
    "json_schema",
    "labels",
    "logit_bias",
    "messages",
    "metadata",
    "output_config",
    "output_format",
    "prediction",
    "prompt",
    "response_format",
    "response_json_schema",
    "response_schema",
    "schema",
    "structured_outputs",
    "system",
    "system_instruction",
    "text",
    "tool_choice",
    "user",
];

/// Those of them whose own fields are known, and none of which names a model.
const DESCRIBED: [&str; 6] = ["function_call", "functions", "prediction", "prompt", "response_format", "tool_choice"];

/// The path of what in this body names a model, which a gateway may ask besides the one of the request: a tool or a plugin, or a
/// field among settings.
pub fn naming_model(body: &[u8]) -> Option<String> {
    let fields: Object<'_> = serde_json::from_slice(body).unwrap_or_default();
    tools::naming_model(&fields).or_else(|| {
        fields.0.iter().find_map(|(name, value)| {
            let is_nested = value.get().starts_with(['{', '[']);
            let is_described = DESCRIBED.iter().any(|known| is_same_field(known, name));
            if !is_nested || is_content(name) && !is_described || tools::is_holder(name) {
                return None;
            }
            let Ok(tree) = serde_json::from_str::<Tree<'_>>(value.get()) else { return Some((**name).to_owned()) };
            let path = if is_described { own_path_in(&tree) } else { path_in(&tree) };
            path.map(|path| format!("{name}.{path}"))
        })
    })
}

fn is_content(name: &str) -> bool {
    CONTENT.iter().any(|known| is_same_field(known, name))
}

/// The first field of an object, or of those in a list, that may name a model. What is in its fields is not searched.
fn own_path_in(described: &Tree<'_>) -> Option<String> {
    let names = |tree: &Tree<'_>| {
        let names_model = |name: &&str| is_same_field(name, "model") || names_other_model(name);
        tree.fields().iter().map(|(name, _)| &**name).find(names_model).map(str::to_owned)
    };
    names(described).or_else(|| described.items().iter().find_map(names))
}

/// The path of the first field among settings that may name a model.
fn path_in(settings: &Tree<'_>) -> Option<String> {
    let of_field = settings.fields().iter().find_map(|(name, value)| {
        if value.is_null() {
            return None;
        }
        if is_same_field(name, "model") || names_other_model(name) {
            return Some((**name).to_owned());
        }
        let inner = if is_content(name) { None } else { path_in(value) };
        inner.map(|path| format!("{name}.{path}"))
    });
    of_field.or_else(|| {
        let mut items = settings.items().iter().enumerate();
        items.find_map(|(place, item)| path_in(item).map(|path| format!("{place}.{path}")))
    })
}
