//! Which tools cost no more than the tokens of their description and their calls, and which may ask a model.

use crate::adapter::field_names::{is_model, is_same_field, names_other_model, repeated};
use crate::adapter::object::Object;
use crate::adapter::tree::Tree;

/// Tools that a vendor describes and a client runs.
const DESCRIBED: [&str; 4] = ["bash_", "computer_", "memory_", "text_editor_"];

/// The fields of such tools that hold lists or objects. Gemini's tools are objects with a field for each kind, so that any other
/// object may be one of these.
const NESTED: [&str; 13] = [
    "allowed_callers",
    "annotations",
    "cache_control",
    "custom",
    "format",
    "function",
    "functionDeclarations",
    "function_declarations",
    "input_examples",
    "input_schema",
    "metadata",
    "output_schema",
    "parameters",
];

/// Fields that decide what a tool is and costs. Gateways that take another spelling for the same would read another tool.
const DECISIVE: [&str; 3] = ["cache_control", "input_schema", "type"];

/// Whether the client runs the tool, so that nothing but the tokens of its description and its calls is paid for.
pub(super) fn runs_at_the_client(tool: &Tree<'_>) -> bool {
    let Tree::Object(fields) = tool else { return false };
    let is_plain = |name: &str, value: &Tree<'_>| {
        let is_other_kind = matches!(value, Tree::List(_) | Tree::Object(_)) && !NESTED.contains(&name);
        value.is_null() || !(is_other_spelling(name) || is_other_kind || is_model(name))
    };
    if tool.repeats_a_field() || !fields.iter().all(|(name, value)| is_plain(name, value)) {
        return false;
    }
    match tool.get(&["type"]) {
        Some(Tree::Text(kind)) => {
            matches!(&**kind, "function" | "custom") || DESCRIBED.iter().any(|described| kind.starts_with(described))
        }
        Some(_) => false,
        // Anthropic's functions have a schema.
        None if tool.get(&["input_schema"]).is_some() => true,
        None => fields.iter().all(|(kind, value)| value.is_null() || is_same_field(kind, "functionDeclarations")),
    }
}

/// The path of a tool or a plugin in this body that names a model, which a gateway may ask besides the one of the request.
pub(super) fn naming_model(body: &Object<'_>) -> Option<String> {
    body.0.iter().filter(|(name, _)| is_holder(name)).find_map(|(name, value)| {
        let Ok(tree) = serde_json::from_str::<Tree<'_>>(value.get()) else { return Some((**name).to_owned()) };
        let are_tools = is_same_field(name, "tools");
        let names_model = |tool: &Tree<'_>| names_model(tool, are_tools);
        let found = tree.items().iter().position(names_model).map(|place| format!("{name}.{place}"));
        found.or_else(|| names_model(&tree).then(|| (**name).to_owned()))
    })
}

/// Whether a field of a body holds tools or plugins.
pub(super) fn is_holder(name: &str) -> bool {
    is_same_field(name, "tools") || is_same_field(name, "plugins")
}

/// Plugins and tools that ask models of their own, whatever is said of them.
const WITH_MODELS: [&str; 4] = ["fusion", "auto-router", "pareto-router", "openrouter:fusion"];

fn names_model(tool: &Tree<'_>, is_tool: bool) -> bool {
    let fields = tool.fields();
    let kinds = [&["id"][..], &["type"]].into_iter().filter_map(|field| tool.get(field).and_then(Tree::text));
    if kinds.into_iter().any(|kind| WITH_MODELS.contains(&kind)) {
        return true;
    }
    // The schema of a function may have any names.
    let is_clear = repeated(fields.iter().map(|(name, _)| &**name)).is_none()
        && !fields.iter().any(|(name, _)| is_other_spelling(name));
    let is_function = tool.get(&["type"]).and_then(Tree::text) == Some("function");
    let is_schema = |name: &str| match name {
        "functionDeclarations" | "function_declarations" | "input_schema" => is_clear,
        "function" | "parameters" => is_clear && is_function,
        _ => false,
    };
    // What describes a function may speak of targets and presets of its own.
    let is_described = match tool.get(&["type"]) {
        Some(kind) => kind.text().is_some_and(|kind| matches!(kind, "function" | "custom")),
        None => true,
    };
    let is_of_client = is_tool && is_clear && is_described;
    let names_one = if is_of_client { names_model_itself } else { may_lead_to_model };
    fields.iter().any(|(name, value)| names_one(name, value) || !is_schema(name) && is_anywhere_in(value, names_one))
}

/// Whether a field with this value names a model.
type NamesOne = fn(&str, &Tree<'_>) -> bool;

fn is_anywhere_in(tree: &Tree<'_>, names_one: NamesOne) -> bool {
    tree.items().iter().any(|item| is_anywhere_in(item, names_one))
        || tree.fields().iter().any(|(name, value)| names_one(name, value) || is_anywhere_in(value, names_one))
}

fn names_model_itself(name: &str, value: &Tree<'_>) -> bool {
    !value.is_null() && is_model(name)
}

/// The same with presets, fallbacks and the like. Searches of the web have engines, too.
fn may_lead_to_model(name: &str, value: &Tree<'_>) -> bool {
    !value.is_null() && (is_model(name) || names_other_model(name) && !is_same_field(name, "engine"))
}

fn is_other_spelling(name: &str) -> bool {
    !DECISIVE.contains(&name) && DECISIVE.iter().any(|known| is_same_field(known, name))
}
