//! The signature of reasoning as one text that every wire format can carry, whichever vendor wrote it.
//!
//! The bare signature of a vendor stands as it is. JSON may follow it: `[…]` holds whole blocks (OpenRouter's
//! `reasoning_details`, Anthropic's `redacted_thinking`), and `{…}` is the `extra_content` of Gemini's
//! OpenAI-compatible endpoint.

use serde_json::Value;

/// About how many bytes a small block takes in memory besides its text.
pub(super) const OF_A_BLOCK: usize = 256;

/// The bare signature and the JSON after it. Signatures are base64, so that a bracket begins the JSON.
pub(super) fn split(signature: &str) -> (&str, Option<Value>) {
    let Some(at) = signature.find(['[', '{']) else { return (signature, None) };
    match serde_json::from_str(&signature[at..]) {
        Ok(json) => (&signature[..at], Some(json)),
        Err(_) => (signature, None),
    }
}

/// The inverse of [`split`].
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
