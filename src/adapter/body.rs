//! JSON bodies: how further fields join the body of a request, and how the body of a received request is taken apart.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::{DecodeError, surrogates};
use crate::chat::{JsonStrings, check_values};

/// The object without its `null` fields. In the bodies that we write, `null` means that a field is not given.
pub(super) fn given(mut object: Value) -> Value {
    if let Value::Object(fields) = &mut object {
        fields.retain(|_, value| !value.is_null());
    }
    object
}

/// `None` for an empty object or list, so that [`given`] leaves it out.
pub(super) fn filled(value: Value) -> Option<Value> {
    let value = given(value);
    let is_empty = match &value {
        Value::Object(fields) => fields.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => value.is_null(),
    };
    (!is_empty).then_some(value)
}

/// The body with the fields of `extra` in it. A field of `extra` replaces one of the same name, and `null` removes it.
/// Fields that are named in `joining` hold several settings, in an object or a list: there, the settings of both are
/// joined.
pub(super) fn encode(body: Value, extra: &Map<String, Value>, joining: &[&str]) -> Vec<u8> {
    let mut body = given(body);
    if let Value::Object(body) = &mut body {
        lay_over(body, extra, joining);
    }
    to_vec(&body)
}

fn lay_over(body: &mut Map<String, Value>, extra: &Map<String, Value>, joining: &[&str]) {
    for (name, value) in extra {
        match (value, body.get_mut(name)) {
            (Value::Null, _) => {
                body.shift_remove(name);
            }
            (Value::Object(more), Some(Value::Object(there))) if joining.contains(&name.as_str()) => {
                lay_over(there, more, &[]);
            }
            (Value::Array(more), Some(Value::Array(there))) if joining.contains(&name.as_str()) => {
                for item in more {
                    if !there.contains(item) {
                        there.push(item.clone());
                    }
                }
            }
            _ => {
                body.insert(name.clone(), value.clone());
            }
        }
    }
}

/// The parts of a turn without empty texts, which other formats have beside calls of tools. A text that is all that a user says
/// stays; `None` is an answer that says nothing.
pub(super) fn said(is_answer: bool, mut parts: Vec<Value>, is_empty: impl Fn(&Value) -> bool) -> Option<Vec<Value>> {
    if is_answer || parts.len() > 1 {
        parts.retain(|part| !is_empty(part));
    }
    (!is_answer || !parts.is_empty()).then_some(parts)
}

/// The JSON bytes of a value that we built.
pub(super) fn to_vec(body: &impl Serialize) -> Vec<u8> {
    let mut bytes = Vec::new();
    write(body, &mut bytes);
    bytes
}

fn write(body: &impl Serialize, out: &mut Vec<u8>) {
    serde_json::to_writer(out, body).expect("wire values have text keys and serializers that cannot fail");
}

/// Writes one server-sent event, with or without a name.
pub(super) fn write_event(name: Option<&str>, data: &impl Serialize, out: &mut Vec<u8>) {
    if let Some(name) = name {
        out.extend_from_slice(b"event: ");
        out.extend_from_slice(name.as_bytes());
        out.push(b'\n');
    }
    out.extend_from_slice(b"data: ");
    write(data, out);
    out.extend_from_slice(b"\n\n");
}

/// The arguments of a tool call as JSON. Text that is not JSON stays text, which the other side will refuse, and so does JSON with a
/// number that would change, since an amount or an account must not become another one, or with too many values.
pub(super) fn arguments_value(arguments: &str) -> Value {
    if arguments.trim().is_empty() {
        return Value::Object(Map::new());
    }
    let value = check_values(arguments.as_bytes()).ok();
    let value = value.and_then(|()| serde_json::from_str(&surrogates::mended(arguments)).ok());
    value.filter(|_| !has_long_integer(arguments)).unwrap_or_else(|| arguments.into())
}

/// Whether this JSON holds a whole number that no integer has room for, so that reading it would round it.
fn has_long_integer(json: &str) -> bool {
    let mut strings = JsonStrings::default();
    let is_part = |byte: &u8| byte.is_ascii_digit() || b"+-.eE".contains(byte);
    let words = json.as_bytes().split(|byte| strings.holds(*byte) || !is_part(byte));
    words.filter_map(|word| str::from_utf8(word).ok()).any(|word| {
        let digits = word.trim_start_matches('-');
        let is_whole = !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
        is_whole && word.parse::<i64>().is_err() && word.parse::<u64>().is_err()
    })
}

/// The inverse of [`arguments_value`].
pub(super) fn arguments_text(arguments: Value) -> String {
    match arguments {
        Value::Null => String::new(),
        Value::String(text) => text,
        value => value.to_string(),
    }
}

/// The fields of a received request. Each is taken out once; those that are left are passed on as extra fields.
pub(super) struct Fields(pub(super) Map<String, Value>);

impl Fields {
    pub(super) fn parse(body: &[u8]) -> Result<Self, DecodeError> {
        let text = str::from_utf8(body).map_err(|_| malformed("the request body is not JSON: it is not UTF-8"))?;
        match serde_json::from_str(&surrogates::mended(text)) {
            Ok(Value::Object(fields)) => Ok(Self(fields)),
            Ok(_) => Err(malformed("the request body is not a JSON object")),
            Err(error) => Err(malformed(format!("the request body is not JSON: {error}"))),
        }
    }

    /// Takes out the value of a field; `None` where it is missing or `null`.
    pub(super) fn take<T: DeserializeOwned>(&mut self, name: &str) -> Result<Option<T>, DecodeError> {
        match self.0.shift_remove(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => serde_json::from_value(value)
                .map(Some)
                .map_err(|error| malformed(format!("`{name}` is not as it should be: {error}"))),
        }
    }

    /// Takes out the value of a field that must be there.
    pub(super) fn require<T: DeserializeOwned>(&mut self, name: &str) -> Result<T, DecodeError> {
        self.take(name)?.ok_or_else(|| malformed(format!("`{name}` is missing")))
    }

    /// Takes out the value of a field as `read` understands it. A value that it does not understand stays where it is,
    /// to be passed on.
    pub(super) fn take_if<T>(&mut self, name: &str, read: impl FnOnce(&Value) -> Option<T>) -> Option<T> {
        let value = read(self.0.get(name)?)?;
        self.0.shift_remove(name);
        Some(value)
    }

    /// Takes out the settings inside of a field. [`put_back`](Self::put_back) returns those that are left.
    pub(super) fn open(&mut self, name: &str) -> Fields {
        Fields(self.take_if(name, |value| value.as_object().cloned()).unwrap_or_default())
    }

    pub(super) fn put_back(&mut self, name: &str, rest: Fields) {
        if !rest.0.is_empty() {
            self.0.insert(name.to_owned(), Value::Object(rest.0));
        }
    }
}

pub(super) fn malformed(message: impl Into<String>) -> DecodeError {
    DecodeError::Malformed(message.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn encoded(body: Value, extra: Value) -> String {
        let body = encode(body, extra.as_object().expect("an object"), &["settings"]);
        String::from_utf8(body).expect("utf-8")
    }

    #[test]
    fn further_fields_win_and_null_takes_a_field_out() {
        let extra = json!({"a": 2, "b": null, "d": {"e": null}});
        assert_eq!(encoded(json!({"a": 1, "b": 1, "c": 1}), extra), r#"{"a":2,"c":1,"d":{"e":null}}"#);
    }

    #[test]
    fn settings_are_joined_and_other_objects_replaced() {
        let body = json!({"settings": {"a": 1, "b": 1}, "other": {"a": 1}});
        let extra = json!({"settings": {"b": 2, "c": 3}, "other": {"b": 2}});
        assert_eq!(encoded(body, extra), r#"{"settings":{"a":1,"b":2,"c":3},"other":{"b":2}}"#);
    }

    #[test]
    fn arguments_read_back() {
        for arguments in ["{}", r#"{"a":1}"#, r#"{"a": cut"#] {
            assert_eq!(arguments_text(arguments_value(arguments)), arguments);
        }
        assert_eq!(arguments_value(""), json!({}));
    }

    #[test]
    fn no_number_of_arguments_is_changed() {
        let exact = r#"{"n":18446744073709551615,"m":-9223372036854775808,"f":[1.5,1e3,6.02e23,-1E20],"t":"\"12345678901234567890123 -"}"#;
        assert!(arguments_value(exact).is_object());
        for rounded in [r#"{"a":12345678901234567890123456789}"#, r#"[{"a":-9223372036854775809}]"#] {
            assert_eq!(arguments_value(rounded), json!(rounded), "it stays the text that it is");
            assert_eq!(arguments_text(arguments_value(rounded)), rounded, "also where it comes back");
        }
    }
}
