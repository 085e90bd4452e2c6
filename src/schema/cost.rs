//! How long a check may take. Alternatives that refer to alternatives multiply: a schema of 2 KB can take years.

use std::collections::{HashMap, HashSet};

use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

/// How often one part of an answer may be looked at. Schemas that people write take less than a hundred.
const MOST_VISITS: u64 = 100_000;

/// A chain of references may be so long.
const LONGEST_CHAIN: usize = 400;

/// So many parts of a schema are followed, each at each depth of an answer.
const MOST_PARTS: usize = 200_000;

/// Whether answers that are nested so deep can be checked in a reasonable time, in the worst case.
pub(super) fn is_reasonable(schema: &Value, depth: usize) -> bool {
    let mut names = HashMap::new();
    name(schema, &mut names);
    let mut visits = Visits { root: schema, names, known: HashMap::new(), open: HashSet::new() };
    visits.of(schema, depth) <= MOST_VISITS
}

/// How deep a value is nested; 0 for what is no list and no object.
pub(super) fn depth(value: &Value) -> usize {
    let inner = |values: &mut dyn Iterator<Item = &Value>| values.map(depth).max().unwrap_or(0) + 1;
    match value {
        Value::Array(items) => inner(&mut items.iter()),
        Value::Object(fields) => inner(&mut fields.values()),
        _ => 0,
    }
}

/// Collects the parts of a schema that have names of their own.
fn name<'a>(schema: &'a Value, names: &mut HashMap<&'a str, &'a Value>) {
    match schema {
        Value::Object(fields) => {
            for keyword in ["$id", "id", "$anchor", "$dynamicAnchor"] {
                let name = fields.get(keyword).and_then(Value::as_str);
                names.extend(name.map(|name| (last_part(name.trim_end_matches('#')), schema)));
            }
            fields.values().for_each(|value| name(value, names));
        }
        Value::Array(items) => items.iter().for_each(|item| name(item, names)),
        _ => {}
    }
}

fn last_part(uri: &str) -> &str {
    uri.rsplit(['/', '#', ':']).next().unwrap_or(uri)
}

/// How often a check looks at one part of an answer at most.
struct Visits<'a> {
    root: &'a Value,
    names: HashMap<&'a str, &'a Value>,
    /// By the schema and the depth of what is checked against it.
    known: HashMap<(*const Value, usize), u64>,
    /// Those that are being worked out.
    open: HashSet<(*const Value, usize)>,
}

impl<'a> Visits<'a> {
    fn of(&mut self, schema: &'a Value, depth: usize) -> u64 {
        let Value::Object(fields) = schema else { return 1 };
        let at = (std::ptr::from_ref(schema), depth);
        if let Some(known) = self.known.get(&at) {
            return *known;
        }
        // A schema that needs itself for the same part never comes to an end.
        let is_too_large = self.open.len() >= LONGEST_CHAIN || self.known.len() >= MOST_PARTS;
        if is_too_large || !self.open.insert(at) {
            return u64::MAX;
        }
        let below = if depth > 0 { self.below(fields, depth - 1) } else { 0 };
        let visits = self.here(fields, depth).saturating_add(below);
        self.open.remove(&at);
        self.known.insert(at, visits);
        visits
    }

    /// What other schemas add for the same part of the answer.
    fn here(&mut self, fields: &'a Map<String, Value>, depth: usize) -> u64 {
        let mut sum = 1_u64;
        for (keyword, value) in fields {
            let more = match (&**keyword, value) {
                ("$ref" | "$dynamicRef" | "$recursiveRef", Value::String(to)) => self.referred(to, depth),
                ("allOf" | "anyOf" | "oneOf", Value::Array(schemas)) => self.sum(schemas, depth),
                ("not" | "if" | "then" | "else", schema) => self.of(schema, depth),
                ("dependentSchemas" | "dependencies", Value::Object(schemas)) => self.sum(schemas.values(), depth),
                _ => 0,
            };
            sum = sum.saturating_add(more);
        }
        // These ask the others once more what they have looked at.
        let repeats = ["unevaluatedItems", "unevaluatedProperties"].iter().filter(|name| fields.contains_key(**name));
        sum.saturating_mul(1 + repeats.count() as u64)
    }

    /// The most that is added for one part of this part.
    fn below(&mut self, fields: &'a Map<String, Value>, depth: usize) -> u64 {
        let mut sum = 0_u64;
        for (keyword, value) in fields {
            let more = match (&**keyword, value) {
                // Each of its parts is looked at by one of these.
                ("properties", Value::Object(schemas)) => self.most(schemas.values(), depth),
                ("prefixItems" | "items", Value::Array(schemas)) => self.most(schemas, depth),
                ("patternProperties", Value::Object(schemas)) => self.sum(schemas.values(), depth),
                (
                    "items"
                    | "additionalItems"
                    | "contains"
                    | "additionalProperties"
                    | "propertyNames"
                    | "unevaluatedItems"
                    | "unevaluatedProperties",
                    schema,
                ) => self.of(schema, depth),
                _ => 0,
            };
            sum = sum.saturating_add(more);
        }
        sum
    }

    fn sum(&mut self, schemas: impl IntoIterator<Item = &'a Value>, depth: usize) -> u64 {
        schemas.into_iter().fold(0, |sum, schema| sum.saturating_add(self.of(schema, depth)))
    }

    fn most(&mut self, schemas: impl IntoIterator<Item = &'a Value>, depth: usize) -> u64 {
        schemas.into_iter().map(|schema| self.of(schema, depth)).max().unwrap_or(0)
    }

    fn referred(&mut self, to: &str, depth: usize) -> u64 {
        let (document, place) = to.split_once('#').unwrap_or((to, ""));
        let schema = match document {
            "" => Some(self.root),
            document => self.names.get(last_part(document)).copied(),
        };
        let place = percent_decode_str(place).decode_utf8_lossy();
        let schema = match &*place {
            "" => schema,
            place if place.starts_with('/') => schema.and_then(|schema| schema.pointer(place)),
            anchor => self.names.get(anchor).copied(),
        };
        match schema {
            Some(schema) => self.of(schema, depth),
            // Schemas of schemas are known without being there.
            None if to.contains("json-schema.org") => MOST_VISITS / 10,
            None => u64::MAX,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Two equal alternatives, so many times one below the other.
    fn doubled(times: usize, keyword: &str) -> Value {
        let level = |i: usize| {
            (
                format!("d{i}"),
                json!({keyword: [{"$ref": format!("#/$defs/d{}", i + 1)}, {"$ref": format!("#/$defs/d{}", i + 1)}]}),
            )
        };
        let mut levels: Map<String, Value> = (0..times).map(level).collect();
        levels.insert(format!("d{times}"), json!({"type": "null"}));
        json!({"$defs": levels, "$ref": "#/$defs/d0"})
    }

    #[test]
    fn alternatives_that_multiply_are_found_and_others_are_not() {
        for keyword in ["anyOf", "allOf", "oneOf"] {
            assert!(is_reasonable(&doubled(10, keyword), 0));
            assert!(!is_reasonable(&doubled(40, keyword), 0), "{keyword}");
        }
        let tree = json!({"type": "object", "properties": {"left": {"$ref": "#"}, "right": {"$ref": "#"}, "value": {"type": "string"}}});
        let list = json!({"$defs": {"node": {"anyOf": [{"type": "null"}, {"properties": {"next": {"$ref": "#/$defs/node"}}}]}}, "$ref": "#/$defs/node"});
        let wide = json!({"anyOf": (0..1_000).map(|i| json!({"const": i})).collect::<Vec<_>>()});
        for schema in [
            &tree,
            &list,
            &wide,
            &json!(true),
            &json!({}),
            &json!({"$ref": "https://json-schema.org/draft/2020-12/schema"}),
        ] {
            assert!(is_reasonable(schema, 120), "{schema}");
        }
    }

    #[test]
    fn alternatives_that_multiply_with_the_depth_of_an_answer_are_found() {
        let items = json!({"anyOf": [{"items": {"$ref": "#"}}, {"items": {"$ref": "#"}}]});
        assert!(is_reasonable(&items, 5));
        assert!(!is_reasonable(&items, 40));
        let names = json!({"$defs": {"a": {"$anchor": "a", "allOf": [{"additionalProperties": {"$ref": "#a"}}, {"patternProperties": {"x": {"$ref": "#a"}}}]}}, "$ref": "#a"});
        assert!(is_reasonable(&names, 5));
        assert!(!is_reasonable(&names, 40));
    }

    #[test]
    fn a_schema_that_needs_itself_is_found() {
        for schema in
            [json!({"$ref": "#"}), json!({"anyOf": [{"$ref": "#"}, {"type": "null"}]}), json!({"$ref": "#/$defs/none"})]
        {
            assert!(!is_reasonable(&schema, 0), "{schema}");
        }
        let long: Map<String, Value> =
            (0..2_000).map(|i| (format!("d{i}"), json!({"$ref": format!("#/$defs/d{}", i + 1)}))).collect();
        assert!(!is_reasonable(&json!({"$defs": long, "$ref": "#/$defs/d0"}), 0));
    }

    #[test]
    fn a_large_schema_with_a_deep_answer_is_not_followed_for_long() {
        let field = |i: usize| (format!("f{i}"), json!({"additionalProperties": {"$ref": "#"}}));
        let large = json!({"properties": (0..3_000).map(field).collect::<Map<_, _>>()});
        assert!(is_reasonable(&large, 20));
        assert!(!is_reasonable(&large, 120));
    }

    #[test]
    fn the_depth_of_an_answer() {
        for (value, expected) in [(json!(1), 0), (json!([]), 1), (json!({"a": [[1], 2]}), 3)] {
            assert_eq!(depth(&value), expected, "{value}");
        }
    }
}
