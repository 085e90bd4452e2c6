//! How large values are. What several lists share is counted as often as it occurs, since that is how often it is printed and
//! compared: forty times `{% set a = [a, a] %}` make a small value with 2^40 texts.

use std::fmt::{self, Write as _};

use minijinja::Value;
use minijinja::value::ObjectRepr;

use super::limits::LARGEST;

/// The most items that a value holds, with those of the lists in it.
const MOST_ITEMS: usize = LARGEST / size_of::<Value>();

/// So many lists may stand in each other: each takes a part of the stack when it is printed, compared or dropped.
const DEEPEST: usize = 200;

/// What is in a value.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Size {
    /// The items of its lists and maps.
    pub(super) items: usize,
    /// The bytes of its texts.
    pub(super) text: usize,
}

impl Size {
    /// What is in the value, or nothing where that is more than a value may hold. Counting ends there, so that it takes no
    /// longer for larger values.
    pub(super) fn of(value: &Value) -> Option<Self> {
        let mut size = Self::default();
        size.add(value, 0).then_some(size)
    }

    /// What comparing it may read, in bytes.
    pub(super) fn to_compare(self) -> usize {
        self.of_items().saturating_add(self.text / 4)
    }

    /// The memory of its items, in bytes, without their texts.
    pub(super) fn of_items(self) -> usize {
        self.items.saturating_mul(size_of::<Value>())
    }

    /// Adds a value. Returns whether all is still as small as it may be.
    fn add(&mut self, value: &Value, depth: usize) -> bool {
        if let Some(text) = value.as_str() {
            self.text += text.len();
            return self.text <= LARGEST;
        }
        let Some(object) = value.as_object() else { return true };
        let added = object.enumerator_len().unwrap_or(0);
        if depth > DEEPEST || self.items.saturating_add(added) > MOST_ITEMS {
            return false;
        }
        let mut item = |value: &Value| {
            self.items += 1;
            self.items <= MOST_ITEMS && self.add(value, depth + 1)
        };
        match object.repr() {
            ObjectRepr::Map => {
                object.try_iter_pairs().is_none_or(|mut pairs| pairs.all(|(key, value)| item(&key) && item(&value)))
            }
            ObjectRepr::Seq | ObjectRepr::Iterable => {
                object.try_iter().is_none_or(|mut items| items.all(|value| item(&value)))
            }
            _ => true,
        }
    }
}

/// The bytes of a text, or of the items of a list without what is in them.
pub(super) fn weight(value: &Value) -> usize {
    match value.as_str() {
        Some(text) => text.len(),
        None => value.len().unwrap_or(0).saturating_mul(size_of::<Value>()),
    }
}

/// How many bytes the value is as a text; more than [`LARGEST`] where it is larger.
pub(super) fn printed(value: &Value) -> usize {
    match value.as_str() {
        Some(text) => text.len(),
        // Each item takes a byte and a comma at least. The list is not printed, since that would not end at the limit.
        None if value.len().is_some_and(|items| items > LARGEST / 2) => LARGEST + 1,
        None => count(format_args!("{value}")),
    }
}

/// How many bytes a list or a map is as a text. A text is one, which needs not be made.
pub(super) fn list_printed(value: &Value) -> usize {
    if value.as_object().is_some() { printed(value) } else { 0 }
}

/// How many bytes `pprint` makes of the value, which begins each item in its own line.
pub(super) fn printed_in_lines(value: &Value) -> usize {
    if printed(value) > LARGEST { LARGEST + 1 } else { count(format_args!("{value:#?}")) }
}

/// The bytes of a text, or more than [`LARGEST`].
fn count(text: fmt::Arguments<'_>) -> usize {
    struct Count(usize);
    impl fmt::Write for Count {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            self.0 += text.len();
            if self.0 > LARGEST { Err(fmt::Error) } else { Ok(()) }
        }
    }
    let mut count = Count(0);
    // The error is the writer's own, and the count says what it means.
    count.write_fmt(text).map_or(LARGEST + 1, |()| count.0)
}
