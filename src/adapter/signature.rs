//! The signature of reasoning as one text that every wire format can carry, whichever vendor wrote it.
//!
//! The bare signature of a vendor stands as it is. JSON may follow it: `[…]` holds whole blocks (OpenRouter's
//! `reasoning_details`, Anthropic's `redacted_thinking`, and thoughts after the first one), and `{…}` is the `extra_content` of Gemini's
//! OpenAI-compatible endpoint.

use serde_json::{Value, json};

/// About how many bytes a small block takes in memory besides its text.
pub(super) const OF_A_BLOCK: usize = 256;

/// The bare signature and the JSON after it. Signatures are base64, so that a bracket begins the JSON.
pub(crate) fn split(signature: &str) -> (&str, Option<Value>) {
    let Some(at) = signature.find(['[', '{']) else { return (signature, None) };
    let found: Result<Vec<Value>, _> = serde_json::Deserializer::from_str(&signature[at..]).into_iter().collect();
    let json = match found {
        Ok(mut all) if all.len() == 1 => all.pop(),
        // Blocks that came at several places of an answer.
        Ok(all) if all.iter().all(Value::is_array) => Some(
            all.into_iter()
                .flat_map(|list| if let Value::Array(blocks) = list { blocks } else { Vec::new() })
                .collect(),
        ),
        _ => None,
    };
    json.map_or((signature, None), |json| (&signature[..at], Some(json)))
}

/// A thought after the first one of an answer, with the signature that belongs to it alone.
pub(super) fn further(text: &str, signature: &str) -> Value {
    json!({"type": FURTHER, "text": text, "signature": signature})
}

const FURTHER: &str = "thought";

/// Whether a block is a [`further`] thought.
pub(super) fn is_further(block: &Value) -> bool {
    block["type"] == FURTHER
}

/// The text and the signature of a [`further`] thought.
pub(super) fn read_further(block: &Value) -> Option<(&str, &str)> {
    is_further(block).then(|| Some((block["text"].as_str()?, block["signature"].as_str()?)))?
}

/// Of the text of several thoughts, what is not that of these [`further`] ones.
pub(super) fn first_text<'a>(text: &'a str, blocks: &[Value]) -> &'a str {
    let further: String = blocks.iter().filter_map(read_further).map(|(text, _)| text).collect();
    text.strip_suffix(&*further).unwrap_or(text)
}

/// The inverse of [`split`].
pub(super) fn join(bare: &str, blocks: Vec<Value>) -> Option<String> {
    let json = if blocks.is_empty() { String::new() } else { Value::Array(blocks).to_string() };
    Some(format!("{bare}{json}")).filter(|signature| !signature.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_come_apart_and_together() {
        assert_eq!(split("c2ln"), ("c2ln", None));
        assert_eq!(split("c2ln[{\"a\":1}]"), ("c2ln", Some(json!([{"a": 1}]))));
        assert_eq!(split("c2ln[{\"a\":1}][2]"), ("c2ln", Some(json!([{"a": 1}, 2]))));
        assert_eq!(split("c2ln[1]{}"), ("c2ln[1]{}", None));
        assert_eq!(split("{\"a\":1}"), ("", Some(json!({"a": 1}))));
        assert_eq!(split("odd[text"), ("odd[text", None));
        assert_eq!(join("c2ln", vec![json!({"a": 1})]).as_deref(), Some("c2ln[{\"a\":1}]"));
        assert_eq!(join("", Vec::new()), None);
    }
}
