//! Lenient fields. A value of an unexpected type counts as missing, and the fields beside it are still read.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

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

/// The items of a list, as a [`Vec`] or [`Few`]; none where the value is no list of such items. It reads the text
/// twice.
pub(super) fn list<'de, D, L>(deserializer: D) -> Result<L, D::Error>
where
    D: Deserializer<'de>,
    L: Deserialize<'de> + Default,
{
    let raw = <&RawValue>::deserialize(deserializer)?;
    Ok(serde_json::from_str(raw.get()).unwrap_or_default())
}

/// The items of a list by position, with `None` for an item of another type; nothing where the value is no list.
pub(super) fn by_position<'a, T: Deserialize<'a>>(raw: &'a RawValue) -> Vec<Option<T>> {
    let items: Vec<&RawValue> = serde_json::from_str(raw.get()).unwrap_or_default();
    items.into_iter().map(|item| maybe(item).ok().flatten()).collect()
}

/// A list that mostly has one item, for which it allocates no memory; empty where the value is `null`.
#[derive(Debug)]
pub(super) struct Few<T> {
    first: Option<T>,
    others: Vec<T>,
}

impl<T> Default for Few<T> {
    fn default() -> Self {
        Self { first: None, others: Vec::new() }
    }
}

impl<T> IntoIterator for Few<T> {
    type Item = T;
    type IntoIter = std::iter::Chain<std::option::IntoIter<T>, std::vec::IntoIter<T>>;

    fn into_iter(self) -> Self::IntoIter {
        self.first.into_iter().chain(self.others)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Few<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(FewVisitor(PhantomData))
    }
}

struct FewVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for FewVisitor<T> {
    type Value = Few<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list or null")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Few::default())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut few = Few { first: seq.next_element()?, others: Vec::new() };
        while let Some(item) = seq.next_element()? {
            few.others.push(item);
        }
        Ok(few)
    }
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
        deserializer.deserialize_any(TextVisitor).map(Self)
    }
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(text.to_owned()))
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(""))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(""))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(""))
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(""))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(""))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Cow::Borrowed(""))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Cow::Borrowed(""))
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
    fn a_list_keeps_its_order_however_long_it_is() {
        for (json, items) in [("null", &[][..]), ("[]", &[]), ("[1]", &[1]), ("[1,2,3]", &[1, 2, 3])] {
            let few: Few<u64> = serde_json::from_str(json).expect(json);
            assert_eq!(few.into_iter().collect::<Vec<_>>(), items, "{json}");
        }
        assert!(serde_json::from_str::<Few<u64>>("{}").is_err());
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
