//! Reasoning that must be sent back, in the fields in which gateways put it.

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::adapter::lenient::Text;
use crate::adapter::signature::{self, join, split};

/// One entry of `reasoning_details`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Detail<'a> {
    #[serde(borrow, rename = "type")]
    kind: Text<'a>,
    #[serde(borrow)]
    pub(super) text: Text<'a>,
    #[serde(borrow)]
    pub(super) summary: Text<'a>,
    #[serde(borrow)]
    signature: Text<'a>,
    #[serde(borrow)]
    data: Text<'a>,
}

impl Detail<'_> {
    /// Whether it is a thought after the first one, with text and signature of its own.
    pub(super) fn is_further(&self) -> bool {
        &*self.kind == signature::FURTHER
    }
}

/// The signatures of an answer, as far as they have arrived.
#[derive(Debug, Default)]
pub(super) struct Signatures {
    /// Entries that must be sent back unchanged.
    opaque: Vec<Value>,
    /// About how much memory they take, in bytes.
    size: usize,
}

impl Signatures {
    /// Adds one entry. Returns the bare signature in it, if there is one.
    pub(super) fn take(&mut self, raw: &RawValue, detail: Detail<'_>) -> Option<String> {
        if !detail.data.is_empty() || detail.is_further() {
            self.opaque.extend(serde_json::from_str::<Value>(raw.get()).ok());
            self.size += raw.get().len() + signature::OF_A_BLOCK;
        }
        if detail.is_further() { None } else { detail.signature.some() }
    }

    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// The signature that remains to be reported at the end of the answer.
    pub(super) fn rest(&mut self) -> Option<String> {
        join("", std::mem::take(&mut self.opaque))
    }
}

/// The fields of a message that hold a piece of reasoning.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Echo {
    pub(super) reasoning_content: Option<String>,
    pub(super) reasoning_details: Option<Value>,
    pub(super) extra_content: Option<Value>,
}

impl Echo {
    pub(super) fn new(text: &str, signature: Option<&str>) -> Self {
        let reasoning_content = (!text.is_empty()).then(|| text.to_owned());
        let Some(signature) = signature else {
            return Self { reasoning_content, ..Self::default() };
        };
        let (bare, json) = split(signature);
        if let Some(object @ Value::Object(_)) = json {
            return Self { reasoning_content, extra_content: Some(object), ..Self::default() };
        }
        let mut details = Vec::new();
        if !bare.is_empty() {
            details.push(json!({"type": "reasoning.text", "text": text, "signature": bare}));
        }
        if let Some(Value::Array(entries)) = json {
            details.extend(entries);
        }
        Self { reasoning_content, reasoning_details: Some(Value::Array(details)), extra_content: None }
    }

    /// The text and the signature that the fields hold.
    pub(super) fn read(self) -> (String, Option<String>) {
        let mut text = self.reasoning_content.unwrap_or_default();
        let mut bare = String::new();
        let mut opaque = Vec::new();
        for detail in self.reasoning_details.iter().flat_map(|details| details.as_array()).flatten() {
            if signature::is_further(detail) {
                opaque.push(detail.clone());
                continue;
            }
            if let Some(signed) = detail["signature"].as_str() {
                bare.push_str(signed);
            }
            if detail["data"].is_string() {
                opaque.push(detail.clone());
            }
            if let Some(thought) = detail["text"].as_str()
                && !text.contains(thought)
            {
                text.push_str(thought);
            }
        }
        match self.extra_content {
            Some(extra) => (text, Some(format!("{bare}{extra}"))),
            None => (text, join(&bare, opaque)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_of_reasoning_reads_back() {
        for signature in [
            None,
            Some("c2ln"),
            Some(r#"[{"data":"x","id":"r1","type":"reasoning.encrypted"}]"#),
            Some(r#"c2ln[{"data":"x","type":"reasoning.encrypted"}]"#),
            Some(r#"c2ln[{"signature":"x","text":"t","type":"thought"}]"#),
            Some(r#"{"google":{"thought_signature":"t"}}"#),
        ] {
            let echo = Echo::new("thought", signature);
            assert_eq!(echo.read(), ("thought".into(), signature.map(str::to_owned)));
        }
    }
}
