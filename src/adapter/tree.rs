//! JSON as it stands: every field in order, also those whose name stands twice. Texts without escapes are borrowed, since some of
//! them hold whole files.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use super::field_names::repeated;
use super::object::Name;

/// A JSON value, of which only texts, lists and objects are kept.
#[derive(Debug)]
pub(super) enum Tree<'a> {
    Null,
    Text(Cow<'a, str>),
    List(Vec<Tree<'a>>),
    Object(Vec<(Cow<'a, str>, Tree<'a>)>),
    /// A number or a truth value.
    Other,
}

impl<'a> Tree<'a> {
    /// The text, where it is one.
    pub(super) fn text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    /// The fields; none where it is no object.
    pub(super) fn fields(&self) -> &[(Cow<'a, str>, Tree<'a>)] {
        if let Self::Object(fields) = self { fields } else { &[] }
    }

    /// The items; none where it is no list.
    pub(super) fn items(&self) -> &[Tree<'a>] {
        if let Self::List(items) = self { items } else { &[] }
    }

    /// The value of the first field with one of these names that is not null.
    pub(super) fn get(&self, names: &[&str]) -> Option<&Tree<'a>> {
        let named = |(name, value): &&(Cow<'_, str>, Tree<'_>)| names.contains(&&**name) && !value.is_null();
        self.fields().iter().find(named).map(|(_, value)| value)
    }

    /// Whether some gateway takes two of its fields for the same.
    pub(super) fn repeats_a_field(&self) -> bool {
        repeated(self.fields().iter().map(|(name, _)| &**name)).is_some()
    }

    /// Whether it is null.
    pub(super) fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Tree<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Values)
    }
}

struct Values;

impl<'de> Visitor<'de> for Values {
    type Value = Tree<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("any value")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Tree::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Tree::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Tree::Null)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(Tree::Other)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(Tree::Other)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(Tree::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(Tree::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Tree::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut fields = Vec::new();
        while let Some(Name(name)) = map.next_key()? {
            fields.push((name, map.next_value()?));
        }
        Ok(Tree::Object(fields))
    }
}
