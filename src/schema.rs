//! The JSON Schema that an answer must follow: it is sent with the request, and the answer is checked against it.

mod cost;

use jsonschema::Validator;
use serde_json::Value;

use crate::adapter::mask_keys;
use crate::chat::{Request, Response, ResponseFormat, check_values};
use crate::error::{Failure, FailureKind};

/// The name that is sent with a schema, because the wire formats require one.
const NAME: &str = "answer";

/// A valid schema.
#[derive(Debug)]
pub struct Schema {
    value: Value,
    validator: Validator,
}

impl Schema {
    /// Reads a schema. References to other documents are not followed.
    ///
    /// # Errors
    /// The first mistake in it, in words for the user.
    pub fn parse(text: &str) -> Result<Self, String> {
        let value = json(text)?;
        if !value.is_object() {
            return Err("it is not a JSON object".into());
        }
        Self::new(value)
    }

    fn new(value: Value) -> Result<Self, String> {
        if !cost::is_reasonable(&value, 0) {
            return Err("no answer could be checked in a reasonable time: its references multiply".to_owned());
        }
        let validator = jsonschema::validator_for(&value).map_err(|error| error.to_string())?;
        Ok(Self { value, validator })
    }

    /// The form of answer to ask for. Strict mode is asked for where the schema is closed; gateways refuse it for others.
    pub fn response_format(&self) -> ResponseFormat {
        let strict = is_closed(&self.value).then_some(true);
        ResponseFormat::JsonSchema { name: NAME.into(), schema: self.value.clone(), strict }
    }

    /// Whether the text is JSON that follows the schema. The failure says where it does not, without repeating it.
    pub fn check(&self, text: &str) -> Result<(), Failure> {
        let fails = |what: String| {
            // The names of fields are repeated, and a model may put a key in the place of one.
            let what = mask_keys(&what);
            Failure::new(FailureKind::Schema, format!("the answer does not follow the schema: {what}"))
        };
        let answer = json(text).map_err(&fails)?;
        if !cost::is_reasonable(&self.value, cost::depth(&answer)) {
            return Err(fails("it is nested so deep that it cannot be checked in a reasonable time".to_owned()));
        }
        let mut errors = self.validator.iter_errors(&answer);
        let Some(first) = errors.next() else { return Ok(()) };
        let mut what = first.masked().to_string();
        let place = first.instance_path().to_string();
        if !place.is_empty() {
            what = format!("at {place}, {what}");
        }
        match errors.count() {
            0 => Err(fails(what)),
            more => Err(fails(format!("{what} (and {more} more)"))),
        }
    }
}

/// Reads a JSON text that is held as a whole.
fn json(text: &str) -> Result<Value, String> {
    check_values(text.as_bytes())?;
    serde_json::from_str(text).map_err(|error| format!("it is not JSON: {error}"))
}

/// Whether an answer has the form that its request asks for. An answer that calls tools is not the last
/// one yet. Nothing is held against a schema that is invalid, or that takes too long.
pub fn is_as_asked(request: &Request, answer: &Response) -> bool {
    let Some(ResponseFormat::JsonSchema { schema, .. }) = &request.response_format else { return true };
    if !answer.tool_calls.is_empty() {
        return true;
    }
    Schema::new(schema.clone()).map_or(true, |schema| schema.check(&answer.text).is_ok())
}

/// Whether every object in it requires all of its properties and allows no others: what OpenAI's strict mode demands.
fn is_closed(schema: &Value) -> bool {
    match schema {
        Value::Object(fields) => {
            let properties = fields.get("properties").and_then(Value::as_object);
            let is_object = fields.get("type").is_some_and(|kind| kind == "object") || properties.is_some();
            let required = fields.get("required").and_then(Value::as_array);
            let all_required = properties
                .into_iter()
                .flat_map(|properties| properties.keys())
                .all(|name| required.is_some_and(|required| required.iter().any(|required| required == name.as_str())));
            let closed = fields.get("additionalProperties") == Some(&Value::Bool(false));
            // A property may be named like a keyword; its schema is checked like all others.
            (!is_object || closed && all_required) && fields.values().all(is_closed)
        }
        Value::Array(items) => items.iter().all(is_closed),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn city() -> Schema {
        Schema::parse(
            r#"{"type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer", "minimum": 1}},
                "required": ["city", "days"], "additionalProperties": false}"#,
        )
        .expect("a schema")
    }

    #[test]
    fn no_key_in_the_place_of_a_name_is_repeated() {
        let key = "sk-Zq7XwR4mVb9TkPy3NfLs8HdGc2Ja";
        let failure = city().check(&format!(r#"{{"city": "Oslo", "days": 3, "{key}": 1}}"#)).expect_err("unexpected");
        assert!(failure.message.contains("unexpected") && !failure.message.contains(key), "{}", failure.message);
    }

    #[test]
    fn an_answer_is_held_against_the_schema() {
        city().check(r#" {"city": "Oslo", "days": 3} "#).expect("follows it");
        for (answer, said) in [
            ("Oslo", "it is not JSON"),
            ("```json\n{\"city\": \"Oslo\", \"days\": 3}\n```", "it is not JSON"),
            ("", "it is not JSON"),
            (r#"{"city": "Oslo", "days": "three"}"#, "at /days, "),
            (r#"{"city": 1, "days": 0}"#, "(and 1 more)"),
            (r#"{"city": "Oslo"}"#, "\"days\" is a required property"),
        ] {
            let failure = city().check(answer).expect_err(answer);
            assert_eq!((failure.kind, failure.exit_code()), (FailureKind::Schema, 9));
            assert!(failure.message.contains(said), "{}", failure.message);
            assert!(!failure.message.contains("three"), "{}", failure.message);
        }
    }

    #[test]
    fn what_is_no_schema_is_refused() {
        for text in ["", "[]", "true", r#"{"type": "objekt"}"#, r#"{"$ref": "https://example.com/x.json"}"#] {
            assert!(Schema::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn only_a_schema_without_anything_open_is_asked_for_to_the_letter() {
        let strict = |schema: Value| {
            let ResponseFormat::JsonSchema { strict, .. } =
                Schema::parse(&schema.to_string()).expect("a schema").response_format()
            else {
                panic!("a schema")
            };
            strict
        };
        let closed = json!({"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": false});
        assert_eq!(strict(closed.clone()), Some(true));
        for (field, value) in [("required", json!([])), ("additionalProperties", json!(true))] {
            let mut open = closed.clone();
            open[field] = value;
            assert_eq!(strict(open), None, "{field}");
        }
        let mut nested = closed;
        nested["properties"]["a"] = json!({"type": "array", "items": {"type": "object"}});
        assert_eq!(strict(nested), None);
    }
}
