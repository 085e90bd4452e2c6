//! `--tools FILE`: definitions of functions that the model may call.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::Value;

use crate::chat::{Tool, check_values};

/// A function in a field of its own, as in chat completions, or in one object with its type, as in responses.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Definition {
    Apart { function: Function },
    InOne(Function),
}

#[derive(Debug, Deserialize)]
struct Function {
    name: String,
    #[serde(default)]
    description: Option<String>,
    /// Anthropic and MCP have other names for it.
    #[serde(default, alias = "input_schema", alias = "inputSchema")]
    parameters: Option<Value>,
    #[serde(default)]
    strict: Option<bool>,
}

/// Reads the definitions.
///
/// # Errors
/// The first mistake in them, in words for the user.
pub fn parse(text: &str) -> Result<Vec<Tool>, String> {
    check_values(text.as_bytes())?;
    let definitions: Vec<Value> =
        serde_json::from_str(text).map_err(|error| format!("it is not a JSON array of functions: {error}"))?;
    let mut names = BTreeSet::new();
    let mut tools = Vec::with_capacity(definitions.len());
    for (index, definition) in definitions.into_iter().enumerate() {
        let place = index + 1;
        let Ok(Definition::Apart { function } | Definition::InOne(function)) = serde_json::from_value(definition)
        else {
            return Err(format!("definition {place} is not a function with a name"));
        };
        let Function { name, description, parameters, strict } = function;
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
        if !(1..=64).contains(&name.len()) || !name.chars().all(is_plain) {
            return Err(format!("`{name}` cannot name a function: letters, digits, `_` and `-` can, 64 at most"));
        }
        if parameters.as_ref().is_some_and(|parameters| !parameters.is_object()) {
            return Err(format!("the parameters of `{name}` are not a JSON Schema"));
        }
        if !names.insert(name.clone()) {
            return Err(format!("two functions are called `{name}`"));
        }
        tools.push(Tool { name, description, parameters, strict });
    }
    Ok(tools)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn definitions_are_read_as_any_vendor_writes_them() {
        let schema = json!({"type": "object"});
        let tool =
            Tool { name: "f".into(), description: Some("does".into()), parameters: Some(schema.clone()), strict: None };
        for definition in [
            json!({"type": "function", "function": {"name": "f", "description": "does", "parameters": schema}}),
            json!({"type": "function", "name": "f", "description": "does", "parameters": schema}),
            json!({"name": "f", "description": "does", "input_schema": schema}),
        ] {
            assert_eq!(parse(&json!([definition]).to_string()), Ok(vec![tool.clone()]));
        }
    }

    #[test]
    fn what_no_gateway_would_take_is_refused_by_name() {
        for (text, said) in [
            ("{}", "not a JSON array"),
            ("[{}]", "definition 1"),
            (r#"[{"name":"f"},{"type":"web_search"}]"#, "definition 2"),
            (r#"[{"name":"a b"}]"#, "`a b`"),
            (r#"[{"name":""}]"#, "``"),
            (r#"[{"name":"f"},{"name":"f"}]"#, "two functions"),
            (r#"[{"name":"f","parameters":[]}]"#, "parameters of `f`"),
        ] {
            let error = parse(text).expect_err(text);
            assert!(error.contains(said), "{error}");
        }
    }
}
