//! How the signature of reasoning is kept: one text that each wire can carry, whoever wrote it.
//!
//! A vendor's bare signature stands as it is. What does not fit into that follows it as JSON: `[…]` are whole blocks
//! (OpenRouter's `reasoning_details`, Anthropic's `redacted_thinking`), `{…}` is Gemini's `extra_content` as its
//! OpenAI-compatible endpoint has it.

use serde_json::Value;

/// The bare signature, and the JSON behind it. Signatures are base64, so a bracket begins the JSON.
pub(super) fn split(signature: &str) -> (&str, Option<Value>) {
    let Some(at) = signature.find(['[', '{']) else { return (signature, None) };
    match serde_json::from_str(&signature[at..]) {
        Ok(json) => (&signature[..at], Some(json)),
        Err(_) => (signature, None),
    }
}

/// Puts together again what [`split`] took apart.
pub(super) fn join(bare: &str, blocks: Vec<Value>) -> Option<String> {
    let json = if blocks.is_empty() { String::new() } else { Value::Array(blocks).to_string() };
    Some(format!("{bare}{json}")).filter(|signature| !signature.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn signatures_come_apart_and_together() {
        assert_eq!(split("c2ln"), ("c2ln", None));
        assert_eq!(split("c2ln[{\"a\":1}]"), ("c2ln", Some(json!([{"a": 1}]))));
        assert_eq!(split("{\"a\":1}"), ("", Some(json!({"a": 1}))));
        assert_eq!(split("odd[text"), ("odd[text", None));
        assert_eq!(join("c2ln", vec![json!({"a": 1})]).as_deref(), Some("c2ln[{\"a\":1}]"));
        assert_eq!(join("", Vec::new()), None);
    }
}
