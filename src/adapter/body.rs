//! JSON bodies: how further fields join a request's own, and how a request comes apart again.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::DecodeError;

/// The body with `extra` laid over it: a further field replaces one of the same name, and `null` takes it out.
pub(super) fn encode(body: &impl Serialize, extra: &Map<String, Value>) -> Vec<u8> {
    let mut body = serde_json::to_value(body).expect("wire structs have text keys and no failing serializers");
    if let Value::Object(body) = &mut body {
        for (name, value) in extra {
            if value.is_null() {
                body.remove(name);
            } else {
                body.insert(name.clone(), value.clone());
            }
        }
    }
    to_vec(&body)
}

/// JSON bytes of a wire struct.
pub(super) fn to_vec(body: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(body).expect("wire structs have text keys and no failing serializers")
}

/// The fields of a request that came in; each is taken out once, and what is left is extra.
pub(super) struct Fields(pub(super) Map<String, Value>);

impl Fields {
    pub(super) fn parse(body: &[u8]) -> Result<Self, DecodeError> {
        match serde_json::from_slice(body) {
            Ok(Value::Object(fields)) => Ok(Self(fields)),
            Ok(_) => Err(malformed("the request body is not a JSON object")),
            Err(error) => Err(malformed(format!("the request body is not JSON: {error}"))),
        }
    }

    /// The field's value; `None` where it is missing or `null`.
    pub(super) fn take<T: DeserializeOwned>(&mut self, name: &str) -> Result<Option<T>, DecodeError> {
        match self.0.remove(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => from_value(name, value).map(Some),
        }
    }

    /// The field's value as `read` understands it. What it does not understand stays where it is, to be passed on.
    pub(super) fn take_if<T>(&mut self, name: &str, read: impl FnOnce(&Value) -> Option<T>) -> Option<T> {
        let value = read(self.0.get(name)?)?;
        self.0.remove(name);
        Some(value)
    }
}

pub(super) fn from_value<T: DeserializeOwned>(name: &str, value: Value) -> Result<T, DecodeError> {
    serde_json::from_value(value).map_err(|error| malformed(format!("`{name}` is not as it should be: {error}")))
}

pub(super) fn malformed(message: impl Into<String>) -> DecodeError {
    DecodeError::Malformed(message.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn further_fields_win_and_null_takes_a_field_out() {
        let extra = json!({"a": 2, "b": null, "d": 4});
        let body = encode(&json!({"a": 1, "b": 1, "c": 1}), extra.as_object().expect("an object"));
        assert_eq!(String::from_utf8(body).expect("utf-8"), r#"{"a":2,"c":1,"d":4}"#);
    }
}
