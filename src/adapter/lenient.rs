//! Lenient fields. A value of an unexpected type counts as missing, and the fields beside it are still read.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::chat::StreamEvent;

/// An object or a scalar, or `None` where the value is of another type. It reads the text twice, so it is for fields
/// that are small or rare.
pub(super) fn maybe<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    let raw = <&RawValue>::deserialize(deserializer)?;
    // Serde reads structs from lists too, by position.
    Ok(if raw.get().starts_with('[') { None } else { serde_json::from_str(raw.get()).ok() })
}

/// The items of a list; none where the value is no list of such items. It reads the text twice.
pub(super) fn list<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    let raw = <&RawValue>::deserialize(deserializer)?;
    Ok(serde_json::from_str(raw.get()).unwrap_or_default())
}

/// The items of a list; none where the value is `null`.
pub(super) fn list_or_null<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// The items of a list by position, with `None` for an item of another type; nothing where the value is no list.
pub(super) fn by_position<'a, T: Deserialize<'a>>(raw: &'a RawValue) -> Vec<Option<T>> {
    let items: Vec<&RawValue> = serde_json::from_str(raw.get()).unwrap_or_default();
    items.into_iter().map(|item| maybe(item).ok().flatten()).collect()
}

/// A text; empty where the value is missing, `null` or of another type. It borrows from the input where the JSON has no
/// escapes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Text<'a>(pub(super) Cow<'a, str>);

impl<'a> Text<'a> {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn some(&self) -> Option<String> {
        (!self.0.is_empty()).then(|| self.0.clone().into_owned())
    }

    /// Adds the event with this text, unless the text is empty.
    pub(super) fn tell(self, event: impl FnOnce(String) -> StreamEvent, events: &mut Vec<StreamEvent>) {
        if !self.0.is_empty() {
            events.push(event(self.0.into_owned()));
        }
    }
}

impl std::ops::Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ScalarVisitor).map(|scalar| match scalar {
            Scalar::Text(text) => Self(text),
            Scalar::Whole(_) | Scalar::Other => Self::default(),
        })
    }
}

/// A whole number; `None` where the value is none.
pub(super) fn whole<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    deserializer.deserialize_any(ScalarVisitor).map(|scalar| match scalar {
        Scalar::Whole(number) => Some(number),
        Scalar::Text(_) | Scalar::Other => None,
    })
}

/// A value of any type, of which only texts and whole numbers are kept.
enum Scalar<'a> {
    Text(Cow<'a, str>),
    Whole(u64),
    Other,
}

struct ScalarVisitor;

impl<'de> Visitor<'de> for ScalarVisitor {
    type Value = Scalar<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Scalar::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Scalar::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
        Ok(Scalar::Whole(number))
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Scalar::Other)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(Scalar::Other)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(Scalar::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(Scalar::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Scalar::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Scalar::Other)
    }
}

/// A number of tokens. A float, a text, a negative or an implausibly large number is unknown, because any guess could
/// be wrong.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Count(pub(super) Option<u64>);

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        /// No answer has a million million tokens, and sums of counts below this limit cannot overflow.
        const LIMIT: u64 = 1 << 40;
        let raw = <&RawValue>::deserialize(deserializer)?;
        Ok(Self(raw.get().parse().ok().filter(|count| *count < LIMIT)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_whole_plausible_numbers_or_unknown() {
        for (json, count) in [
            ("0", Some(0)),
            ("12", Some(12)),
            ("-1", None),
            ("1.5", None),
            ("9223372036854775808", None),
            ("\"12\"", None),
            ("null", None),
            ("{}", None),
            ("[1]", None),
        ] {
            assert_eq!(serde_json::from_str::<Count>(json).expect(json).0, count, "{json}");
        }
    }

    #[test]
    fn a_list_may_be_null() {
        for (json, items) in [("null", &[][..]), ("[]", &[]), ("[1]", &[1]), ("[1,2,3]", &[1, 2, 3])] {
            let list: Vec<u64> = list_or_null(&mut serde_json::Deserializer::from_str(json)).expect(json);
            assert_eq!(list, items, "{json}");
        }
        assert!(list_or_null::<_, u64>(&mut serde_json::Deserializer::from_str("{}")).is_err());
    }

    #[test]
    fn texts_of_another_type_are_empty() {
        for json in ["null", "1", "-1", "0.5", "true", "[1,{}]", "{\"a\":[]}"] {
            assert!(serde_json::from_str::<Text<'_>>(json).expect(json).is_empty(), "{json}");
        }
        let text: Text<'_> = serde_json::from_str("\"a\"").expect("text");
        assert!(matches!(text.0, Cow::Borrowed("a")));
    }
}
