//! Whether an answer follows a JSON Schema.

use serde_json::json;

use super::{Answer, Check, Question, Verdict, no, prompt, unknown, yes};
use crate::chat::{Request, ResponseFormat};
use crate::schema::Schema;

/// Its names are such that nobody guesses them who has not read it.
fn schema() -> serde_json::Value {
    json!({
        "type": "object",
        "properties": {
            "kestrels": {"type": "integer"},
            "shade": {"type": "string", "enum": ["teal", "ochre"]},
        },
        "required": ["kestrels", "shade"],
        "additionalProperties": false,
    })
}

pub(crate) fn request() -> Request {
    let format = ResponseFormat::JsonSchema { name: "sighting".to_owned(), schema: schema(), strict: Some(true) };
    Request { response_format: Some(format), ..prompt("Tell me of a bird that you saw today.") }
}

pub(super) struct JsonSchema;

impl Check for JsonSchema {
    fn questions(&self) -> &'static [Question] {
        &[Question::Schema]
    }

    fn parameter(&self) -> Option<&'static str> {
        Some("response_format")
    }

    fn sent(&self) -> &'static str {
        "a prompt with a JSON Schema of two properties that it does not mention"
    }

    fn judge(&self, answers: &[&Answer]) -> Verdict {
        let answer = answers[0];
        let follows = Schema::parse(&schema().to_string()).is_ok_and(|schema| schema.check(&answer.text).is_ok());
        match follows {
            true => yes(answer.said()),
            false if answer.is_empty() => unknown(answer.said()),
            false => no(answer.said()),
        }
    }
}
