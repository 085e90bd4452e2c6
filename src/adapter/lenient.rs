//! Lenient fields. A value of an unexpected type counts as missing, and the fields beside it are still read.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::chat::{StreamEvent, check_values};

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

/// The most items of a list of an answer, which has a few. A small body can hold millions of empty ones, if it is compressed.
pub(super) const MOST_ITEMS: usize = 1 << 16;

/// The most items of a list that has one for each token.
const MOST_TOKENS: usize = 1 << 20;

/// The items of a list, unless there are more than `MOST`.
enum Bounded<T, const MOST: usize> {
    Items(Vec<T>),
    TooMany,
}

impl<'de, T: Deserialize<'de>, const MOST: usize> Deserialize<'de> for Bounded<T, MOST> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(BoundedVisitor(PhantomData))
    }
}

impl<T, const MOST: usize> Bounded<T, MOST> {
    fn items<E: serde::de::Error>(self) -> Result<Vec<T>, E> {
        match self {
            Self::Items(items) => Ok(items),
            Self::TooMany => Err(E::custom(format_args!("a list of more than {MOST} items"))),
        }
    }
}

struct BoundedVisitor<T, const MOST: usize>(PhantomData<T>);

impl<'de, T: Deserialize<'de>, const MOST: usize> Visitor<'de> for BoundedVisitor<T, MOST> {
    type Value = Bounded<T, MOST>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut items = Vec::new();
        while items.len() < MOST {
            let Some(item) = seq.next_element()? else { return Ok(Bounded::Items(items)) };
            items.push(item);
        }
        let mut is_more = false;
        while seq.next_element::<IgnoredAny>()?.is_some() {
            is_more = true;
        }
        Ok(if is_more { Bounded::TooMany } else { Bounded::Items(items) })
    }
}

/// The items of a list; none where the value is no list of such items. It reads the text twice.
pub(super) fn list<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    let raw = <&RawValue>::deserialize(deserializer)?;
    serde_json::from_str::<Bounded<T, MOST_ITEMS>>(raw.get()).map_or_else(|_| Ok(Vec::new()), Bounded::items)
}

/// The items of a list; none where the value is `null`.
pub(super) fn list_or_null<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Option::<Bounded<T, MOST_ITEMS>>::deserialize(deserializer)?.map_or_else(|| Ok(Vec::new()), Bounded::items)
}

/// The items of a list by position, with `None` for an item of another type; nothing where the value is no list, or has more items
/// than an answer has tokens.
pub(super) fn by_position<'a, T: Deserialize<'a>>(raw: &'a RawValue) -> Vec<Option<T>> {
    match serde_json::from_str::<Bounded<&'a RawValue, MOST_TOKENS>>(raw.get()) {
        Ok(Bounded::Items(items)) => items.into_iter().map(|item| maybe(item).ok().flatten()).collect(),
        _ => Vec::new(),
    }
}

/// A value that is kept as it is, for the gateway wants it back; `None` where it holds too many others.
pub(super) fn kept(raw: &RawValue) -> Option<Value> {
    check_values(raw.get().as_bytes()).ok().and_then(|()| serde_json::from_str(raw.get()).ok())
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

/// A number of tokens, also one that is written as a float or in a text. One with decimals, a negative or an implausibly large
/// number is unknown, because any guess could be wrong.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Count(pub(super) Option<u64>);

impl Count {
    /// Reads the text of a JSON value.
    pub(super) fn parse(json: &str) -> Self {
        /// No answer has a million million tokens, and sums of counts below this limit cannot overflow.
        const LIMIT: u64 = 1 << 40;
        let number = json.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(json);
        // Some programs write all numbers as floats.
        let digits = match number.split_once('.') {
            Some((digits, decimals)) if !decimals.is_empty() && decimals.bytes().all(|digit| digit == b'0') => digits,
            _ => number,
        };
        let is_whole = digits.bytes().all(|digit| digit.is_ascii_digit());
        Self(digits.parse().ok().filter(|count| is_whole && *count < LIMIT))
    }
}

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self::parse(<&RawValue>::deserialize(deserializer)?.get()))
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
            ("\"12\"", Some(12)),
            ("12.0", Some(12)),
            ("\"12.00\"", Some(12)),
            ("\"+12\"", None),
            ("\"\"", None),
            ("\"12.\"", None),
            ("1e2", None),
            ("true", None),
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
    fn a_list_of_too_many_items_is_an_error_and_takes_no_memory() {
        let of = |count: usize| format!("[{}]", vec!["1"; count].join(","));
        let (most, more) = (of(MOST_ITEMS), of(MOST_ITEMS + 1));
        let read = |json: &str| {
            let deserializer = || serde_json::Deserializer::from_str(json);
            [list::<_, u64>(&mut deserializer()), list_or_null(&mut deserializer())]
        };
        for items in read(&most) {
            assert_eq!(items.expect("a list").len(), MOST_ITEMS);
        }
        for items in read(&more) {
            let error = items.expect_err("too many").to_string();
            assert!(error.starts_with("a list of more than 65536 items"), "{error}");
        }
        let raw = |json: &str| serde_json::from_str::<Box<RawValue>>(json).expect("JSON");
        assert_eq!(by_position::<u64>(&raw(&more)).len(), MOST_ITEMS + 1);
        assert!(by_position::<u64>(&raw(&of(MOST_TOKENS + 1))).is_empty());
        assert!(kept(&raw(&more)).is_some() && kept(&raw(&of(crate::chat::MOST_VALUES))).is_none());
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
