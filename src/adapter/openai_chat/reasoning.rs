//! Reasoning that must be sent back, in the fields in which gateways put it.

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::adapter::lenient::{Text, kept};
use crate::adapter::signature::{self, join, split};

/// One entry of `reasoning_details`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Detail<'a> {
    #[serde(borrow)]
    pub(super) text: Text<'a>,
    #[serde(borrow)]
    pub(super) summary: Text<'a>,
    #[serde(borrow)]
    signature: Text<'a>,
    #[serde(borrow)]
    data: Text<'a>,
}

/// The signatures of an answer, as far as they have arrived.
#[derive(Debug, Default)]
pub(super) struct Signatures {
    /// Whether the signature of a thought was told. Each later one is kept with its text.
    is_told: bool,
    /// The text since the last signature.
    text: String,
    /// Entries that must be sent back unchanged.
    opaque: Vec<Value>,
    /// About how much memory they take, in bytes.
    size: usize,
}

impl Signatures {
    /// Adds one entry. Returns the bare signature in it, if there is one.
    pub(super) fn take(&mut self, raw: &RawValue, detail: Detail<'_>) -> Option<String> {
        if self.is_told {
            self.text.push_str(&detail.text);
            self.size += detail.text.len();
        }
        if !detail.data.is_empty() {
            self.opaque.extend(kept(raw));
            self.size += raw.get().len() + signature::OF_A_BLOCK;
        }
        let signed = detail.signature.some()?;
        if std::mem::replace(&mut self.is_told, true) {
            self.size += signed.len() + signature::OF_A_BLOCK;
            self.opaque.push(signature::further(&std::mem::take(&mut self.text), &signed));
            return None;
        }
        Some(signed)
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
        let entries = if let Some(Value::Array(entries)) = json { entries } else { Vec::new() };
        let thought = |text: &str, signed: &str| json!({"type": "reasoning.text", "text": text, "signature": signed});
        let mut details = Vec::new();
        if !bare.is_empty() {
            details.push(thought(signature::first_text(text, &entries), bare));
        }
        details.extend(entries.iter().map(|entry| match signature::read_further(entry) {
            Some((text, signed)) => thought(text, signed),
            None => entry.clone(),
        }));
        Self { reasoning_content, reasoning_details: Some(Value::Array(details)), extra_content: None }
    }

    /// The text and the signature that the fields hold.
    pub(super) fn read(self) -> (String, Option<String>) {
        let mut text = self.reasoning_content.unwrap_or_default();
        let mut bare = String::new();
        let mut opaque = Vec::new();
        for detail in self.reasoning_details.iter().flat_map(|details| details.as_array()).flatten() {
            match detail["signature"].as_str() {
                Some(signed) if bare.is_empty() => bare.push_str(signed),
                Some(signed) => opaque.push(signature::further(detail["text"].as_str().unwrap_or(""), signed)),
                None => {}
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
            Some(r#"c2ln[{"type":"thought","text":"t","signature":"x"}]"#),
            Some(r#"{"google":{"thought_signature":"t"}}"#),
        ] {
            let echo = Echo::new("thought", signature);
            assert_eq!(echo.read(), ("thought".into(), signature.map(str::to_owned)));
        }
    }
}
