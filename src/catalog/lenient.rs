//! Types for JSON of which every field may be missing, null, or of another type than usual.

use std::collections::BTreeMap;
use std::ops::Deref;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// The value of a field. One of an unexpected type counts as missing, and the fields around it can still be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Maybe<T>(pub(super) Option<T>);

impl<T> Default for Maybe<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T> Deref for Maybe<T> {
    type Target = Option<T>;

    fn deref(&self) -> &Option<T> {
        &self.0
    }
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for Maybe<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        Ok(Self(serde_json::from_str(raw.get()).ok()))
    }
}

/// What is read from the fields of an object. A list counts as another type, although its items could be taken for the fields in
/// their order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Record<T>(pub(super) T);

impl<T> Deref for Record<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for Record<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        if !raw.get().starts_with('{') {
            return Err(serde::de::Error::custom("not an object"));
        }
        serde_json::from_str(raw.get()).map(Self).map_err(serde::de::Error::custom)
    }
}

/// A whole number however it is written: `128000`, `128000.0`, `"128000"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Count(pub(super) u64);

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        let text = raw.get().trim_matches('"');
        // A float holds every count below 2⁵³ exactly.
        let float =
            || text.parse::<f64>().ok().filter(|n| n.fract() == 0.0 && (0.0..9e15).contains(n)).map(|n| n as u64);
        let count = text.parse().ok().or_else(float);
        count.map(Count).ok_or_else(|| serde::de::Error::custom("not a count"))
    }
}

/// The names of what is supported: `["a"]`, `{"a": true}` or `{"a": {"supported": true}}`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Flags(pub(super) Vec<String>);

impl<'de> Deserialize<'de> for Flags {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Supported {
            supported: bool,
        }
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        if let Ok(names) = serde_json::from_str(raw.get()) {
            return Ok(Self(names));
        }
        let table: BTreeMap<String, Box<RawValue>> =
            serde_json::from_str(raw.get()).map_err(serde::de::Error::custom)?;
        let is_set = |value: &RawValue| {
            let supported = || serde_json::from_str::<Supported>(value.get()).is_ok_and(|value| value.supported);
            value.get() == "true" || supported()
        };
        Ok(Self(table.into_iter().filter(|(_, value)| is_set(value)).map(|(name, _)| name).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::money::Usd;

    #[derive(Debug, Default, Deserialize)]
    #[serde(default)]
    struct Row {
        name: Maybe<String>,
        context: Maybe<Count>,
        price: Maybe<Usd>,
        can: Maybe<Flags>,
    }

    fn row(json: &str) -> Row {
        serde_json::from_str(json).expect(json)
    }

    #[test]
    fn a_field_of_the_wrong_type_is_missing_and_the_others_are_not() {
        let row = row(r#"{"name": 5, "context": null, "price": [], "can": "tools", "more": {"x": 1}}"#);
        assert_eq!((row.name.0, row.context.0, row.price.0, row.can.0), (None, None, None, None));
    }

    #[test]
    fn a_list_is_no_record() {
        let name = |json: &str| serde_json::from_str::<Record<Row>>(json).ok().and_then(|row| row.name.0.clone());
        assert_eq!(name(r#" {"name": "a"}"#).as_deref(), Some("a"));
        assert_eq!(name(r#"["a", 1, 2]"#), None);
    }

    #[test]
    fn numbers_are_read_in_every_notation() {
        for (json, count) in [
            ("128000", Some(128_000)),
            ("128000.0", Some(128_000)),
            ("\"128000\"", Some(128_000)),
            ("1.28e5", Some(128_000)),
            ("-1", None),
            ("0.5", None),
            ("\"\"", None),
            ("1e300", None),
        ] {
            assert_eq!(row(&format!(r#"{{"context": {json}}}"#)).context.map(|count| count.0), count, "{json}");
        }
        for json in ["0.00000015", "\"0.00000015\"", "1.5e-07", "\"1.5E-7\""] {
            assert_eq!(row(&format!(r#"{{"price": {json}}}"#)).price.map(Usd::picos), Some(150_000), "{json}");
        }
    }

    #[test]
    fn flags_come_as_lists_and_as_tables() {
        for json in [r#"["a","b"]"#, r#"{"a":true,"b":{"supported":true},"c":false,"d":{"supported":false},"e":1}"#] {
            let row = row(&format!(r#"{{"can": {json}}}"#));
            assert_eq!(row.can.as_ref().map(|flags| flags.0.join(" ")).as_deref(), Some("a b"), "{json}");
        }
    }
}
