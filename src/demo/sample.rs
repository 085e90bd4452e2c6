//! A value that follows a JSON Schema, made from the schema alone: the arguments and answers of the demo models.

use std::cell::Cell;

use serde_json::{Map, Value};

/// The depth below which only required properties are filled in, so that a schema that contains itself ends.
const SHALLOW: usize = 4;
/// The depth below which every value is `null`.
const DEEPEST: usize = 32;
/// The most items of a list and characters of a text, even if the schema demands more, so that memory is bounded.
const LONGEST: u64 = 1000;

/// The most bytes that all values have together, or a little more: lists in lists, and objects in objects, multiply.
const LARGEST: usize = 1 << 20;
/// The bytes of a value without its letters.
const SMALLEST: usize = 16;

/// A value that follows the schema. Patterns and conditions of the schema are not regarded.
pub(super) fn of(schema: &Value) -> Value {
    Sampler { root: schema, left: Cell::new(LARGEST) }.value(schema, "text", 0)
}

struct Sampler<'a> {
    root: &'a Value,
    /// How many bytes the values may still have.
    left: Cell<usize>,
}

impl Sampler<'_> {
    /// A value for this part of the schema. `name` is the name of the property, which serves as its text.
    fn value(&self, schema: &Value, name: &str, depth: usize) -> Value {
        if depth > DEEPEST || self.left.get() == 0 {
            return Value::Null;
        }
        self.take(SMALLEST + name.len());
        if let Some(target) = schema["$ref"].as_str().and_then(|path| path.strip_prefix('#')) {
            let target = self.root.pointer(target).unwrap_or(&Value::Null);
            return self.value(target, name, depth + 1);
        }
        for given in [&schema["const"], &schema["default"], &schema["enum"][0], &schema["examples"][0]] {
            if !given.is_null() {
                self.take(given.to_string().len());
                return given.clone();
            }
        }
        for choices in ["anyOf", "oneOf", "allOf"] {
            if let Some(first) = schema[choices].get(0) {
                return self.value(first, name, depth + 1);
            }
        }
        let kind = schema["type"].as_str().or_else(|| schema["type"][0].as_str());
        match kind {
            Some("object") => self.object(schema, depth),
            Some("array") => self.array(schema, name, depth),
            Some("integer") => Value::from(lowest(schema).ceil() as i64),
            Some("number") => Value::from(lowest(schema)),
            Some("boolean") => Value::Bool(true),
            Some("null") => Value::Null,
            Some("string") => {
                let text = text(schema, name);
                self.take(text.len());
                Value::from(text)
            }
            _ if schema["properties"].is_object() => self.object(schema, depth),
            _ => Value::from(name),
        }
    }

    fn object(&self, schema: &Value, depth: usize) -> Value {
        let required: Vec<&str> =
            schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let properties = schema["properties"].as_object();
        let mut fields = Map::new();
        for (name, property) in properties.into_iter().flatten() {
            if depth < SHALLOW || required.contains(&name.as_str()) {
                fields.insert(name.clone(), self.value(property, name, depth + 1));
            }
        }
        Value::Object(fields)
    }

    fn array(&self, schema: &Value, name: &str, depth: usize) -> Value {
        let least = schema["minItems"].as_u64().unwrap_or(0);
        let most = schema["maxItems"].as_u64().unwrap_or(u64::MAX);
        let usual = if depth < SHALLOW { 1 } else { 0 };
        let count = least.max(usual).min(most).min(LONGEST);
        let items = (0..count).take_while(|_| self.left.get() > 0);
        items.map(|_| self.value(&schema["items"], name, depth + 1)).collect()
    }

    fn take(&self, bytes: usize) {
        self.left.set(self.left.get().saturating_sub(bytes));
    }
}

/// A small number that the schema allows.
fn lowest(schema: &Value) -> f64 {
    let step = schema["multipleOf"].as_f64().filter(|step| *step > 0.0).unwrap_or(1.0);
    let least = schema["minimum"].as_f64().unwrap_or(f64::MIN);
    let above = schema["exclusiveMinimum"].as_f64().unwrap_or(f64::MIN);
    let most = schema["maximum"].as_f64().unwrap_or(f64::MAX);
    let mut number = step.min(most).max(least);
    number = (number / step).ceil() * step;
    if number <= above { (above / step).floor() * step + step } else { number }
}

fn text(schema: &Value, name: &str) -> String {
    let mut text = match schema["format"].as_str() {
        Some("date-time") => "2026-11-20T12:00:00Z".to_owned(),
        Some("date") => "2026-11-20".to_owned(),
        Some("time") => "12:00:00Z".to_owned(),
        Some("email") => "demo@example.com".to_owned(),
        Some("uri") => "https://example.com/".to_owned(),
        Some("uuid") => "01939c00-0000-7000-8000-000000000000".to_owned(),
        _ => name.to_owned(),
    };
    let least = schema["minLength"].as_u64().unwrap_or(0).min(LONGEST);
    while (text.chars().count() as u64) < least {
        text.push('.');
    }
    match schema["maxLength"].as_u64().and_then(|most| text.char_indices().nth(usize::try_from(most).ok()?)) {
        Some((end, _)) => text[..end].to_owned(),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_a_schema_allows_is_made() {
        for (schema, value) in [
            (
                json!({"type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"}}}),
                json!({"city": "city", "days": 1}),
            ),
            (json!({"type": ["string", "null"]}), json!("text")),
            (json!({"enum": ["c", "f"]}), json!("c")),
            (json!({"const": 7}), json!(7)),
            (json!({"type": "number", "minimum": 2.5}), json!(3.0)),
            (json!({"type": "integer", "exclusiveMinimum": 4, "multipleOf": 5}), json!(5)),
            (json!({"type": "integer", "maximum": -3}), json!(-3)),
            (json!({"type": "array", "items": {"type": "boolean"}, "minItems": 2}), json!([true, true])),
            (json!({"type": "string", "minLength": 6}), json!("text..")),
            (json!({"type": "string", "maxLength": 2}), json!("te")),
            (json!({"anyOf": [{"type": "null"}, {"type": "string"}]}), json!(null)),
            (json!({"$ref": "#/$defs/a", "$defs": {"a": {"type": "string", "format": "date"}}}), json!("2026-11-20")),
            (json!({}), json!("text")),
        ] {
            assert_eq!(of(&schema), value, "{schema}");
        }
    }

    #[test]
    fn a_schema_that_contains_itself_comes_to_an_end() {
        let list = json!({"type": "object", "properties": {"next": {"$ref": "#"}, "n": {"type": "integer"}}, "required": ["n"]});
        assert_eq!(of(&list)["next"]["n"], 1);
        let endless = json!({"type": "object", "properties": {"next": {"$ref": "#"}}, "required": ["next"]});
        assert!(of(&endless)["next"].is_object());
        assert_eq!(of(&json!({"$ref": "#"})), Value::Null);
    }

    #[test]
    fn what_multiplies_comes_to_an_end() {
        let nested = |of: &dyn Fn(Value) -> Value| (0..8).fold(json!({"type": "string"}), |inner, _| of(inner));
        let lists = nested(&|items| json!({"type": "array", "minItems": 1000, "items": items}));
        let itself = json!({
            "type": "object", "required": ["a", "b"],
            "properties": {"a": {"$ref": "#"}, "b": {"$ref": "#"}}
        });
        let given = json!({"type": "array", "minItems": 1000, "items": {"default": "x".repeat(100_000)}});
        let long = json!({"type": "array", "minItems": 1000, "items": {"type": "array", "minItems": 1000, "items": {
            "type": "string", "minLength": 1000
        }}});
        for schema in [lists, itself, given, long] {
            let length = of(&schema).to_string().len();
            assert!((1000..4 * LARGEST).contains(&length), "{length}");
        }
    }
}
