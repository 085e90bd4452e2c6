//! What a judge says of each answer, and the schema that its words must follow.

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::chat::check_values;
use crate::schema::Schema;

/// The best score; the worst is 0.
const MOST: u8 = 10;

/// What one judge says of one answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Verdict {
    /// From 0 to 1. Judges give whole numbers from 0 to 10; this is the mean over all orders, as a share.
    pub score: f64,
    /// The judge's reason; of several orders, the reason of each, in the order in which the judge was asked.
    pub reasons: Vec<String>,
}

/// The name of an answer in the prompt of a judge: A, B, …, Z, AA, AB, ….
pub(super) fn letter(index: usize) -> String {
    let last = char::from(b'A' + u8::try_from(index % 26).unwrap_or(0));
    if index < 26 { last.to_string() } else { format!("{}{last}", letter(index / 26 - 1)) }
}

/// The schema of a verdict on so many answers: an object with a property for each. It uses only what all vendors accept in a
/// schema that they enforce, so the range of scores is a list.
pub(super) fn schema(count: usize) -> Value {
    let one = json!({
        "type": "object",
        "properties": {
            "reason": {"type": "string"},
            "score": {"type": "integer", "enum": (0..=MOST).collect::<Vec<_>>()},
        },
        "required": ["reason", "score"],
        "additionalProperties": false,
    });
    let letters: Vec<String> = (0..count).map(letter).collect();
    let properties: Map<String, Value> = letters.iter().map(|letter| (letter.clone(), one.clone())).collect();
    json!({"type": "object", "properties": properties, "required": letters, "additionalProperties": false})
}

/// The scores (0 to 1) and reasons of a verdict on so many answers, in the order in which the judge saw them.
///
/// # Errors
/// How the text breaks the schema.
pub(super) fn read(text: &str, count: usize) -> Result<Vec<(f64, String)>, String> {
    let text = unfenced(text);
    let schema = Schema::parse(&schema(count).to_string())?;
    schema.check(text).map_err(|failure| failure.message)?;
    check_values(text.as_bytes())?;
    let value: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let verdict = |index: usize| {
        let verdict = &value[letter(index)];
        let score = verdict["score"].as_f64().ok_or("a score is no number")?;
        Ok((score / f64::from(MOST), verdict["reason"].as_str().unwrap_or_default().trim().to_owned()))
    };
    (0..count).map(verdict).collect()
}

/// The text without the fence of a Markdown code block around it, which models put there where the gateway does not enforce
/// the schema.
fn unfenced(text: &str) -> &str {
    let text = text.trim();
    let inner = text.strip_prefix("```").and_then(|rest| rest.strip_suffix("```"));
    inner.and_then(|inner| inner.split_once('\n')).map_or(text, |(_, inner)| inner.trim())
}
