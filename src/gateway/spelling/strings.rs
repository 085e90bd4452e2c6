//! Walks over the strings of JSON, and knows where each of them stands.

use std::borrow::Cow;
use std::hash::{DefaultHasher, Hash, Hasher};

use memchr::memchr;

use super::ends::LONGEST_NAME;
use crate::gateway::json_text::end_of_string;

/// A string in JSON.
pub(super) enum Found<'j> {
    Name(Cow<'j, [u8]>),
    /// A value, with the name of the field that it is in, or in a list of.
    Value(Cow<'j, [u8]>, Cow<'j, [u8]>),
}

/// Walks over the strings of JSON.
pub(super) struct Strings<'j> {
    json: &'j [u8],
    at: usize,
    /// The last string as it is written.
    last: &'j [u8],
    /// The name of the field that is being read.
    field: Cow<'j, [u8]>,
    /// The objects and lists that are open, from the outside in.
    levels: Vec<Level<'j>>,
    /// So many more bytes are read ahead.
    ahead: usize,
    /// How many more are open, which are deeper than any client reads.
    deeper: usize,
    /// Stands for the `type` and the `item_id` of an event, by which clients tell apart what it belongs to.
    told: [u64; 2],
}

/// An object or a list that is open.
struct Level<'j> {
    /// The name of the field that it is in.
    field: Cow<'j, [u8]>,
    /// Stands for all that is around it, once that was asked for.
    around: Option<u64>,
    /// Whether its `index` is known, or was looked for in all of it.
    is_numbered: bool,
    is_list: bool,
    /// Of a list, how many items came before this one. Of an object, what it tells as its `index`, or else its place in a list.
    number: Option<u64>,
}

impl<'j> Strings<'j> {
    /// As deep as other programs read JSON.
    const DEEPEST: usize = 128;
    /// So many bytes of a line are read ahead for the `index` of what a string is in.
    const FARTHEST: usize = 1 << 20;

    pub(super) fn new(json: &'j [u8]) -> Self {
        Self {
            json,
            at: 0,
            last: b"",
            field: Cow::Borrowed(b""),
            levels: Vec::new(),
            ahead: Self::FARTHEST,
            deeper: 0,
            told: [0; 2],
        }
    }

    /// The last string as it is written, with its escapes.
    pub(super) fn as_written(&self) -> &'j [u8] {
        self.last
    }

    /// What follows the last string.
    pub(super) fn rest(&self) -> &'j [u8] {
        self.json.get(self.at..).unwrap_or_default()
    }

    /// The name of the field that holds the object of the last string.
    pub(super) fn parent(&self) -> &[u8] {
        self.levels.iter().rev().find(|level| !level.is_list).map_or(b"", |level| &level.field)
    }

    /// Stands for the place of the last string: the fields, objects and lists around it, and the kind of the event.
    pub(super) fn place(&mut self) -> u64 {
        self.look_for_numbers();
        let mut outer: Option<(u64, bool, Option<u64>)> = None;
        for level in &mut self.levels {
            let around = *level.around.get_or_insert_with(|| match outer {
                // What an object tells of itself goes before its place in the list.
                Some((around, true, _)) if !level.is_list => around,
                outer => hash(&(outer, &level.field[..level.field.len().min(LONGEST_NAME)])),
            });
            outer = Some((around, level.is_list, level.number));
        }
        hash(&(outer, self.told))
    }

    /// Finds what the objects that are open tell as their `index` behind the last string.
    fn look_for_numbers(&mut self) {
        let Some(outermost) = self.levels.iter().position(|level| !level.is_numbered) else { return };
        let json = self.rest();
        let (json, mut at) = (&json[..json.len().min(self.ahead)], 0);
        // How many of the objects that were open have ended, where others began and ended between.
        let mut open = self.levels.len();
        let mut depth = 0_usize;
        while open > outermost {
            let rest = json.get(at..).unwrap_or_default();
            let Some(start) = memchr(b'"', rest) else { break };
            for byte in &rest[..start] {
                match byte {
                    b'{' | b'[' => depth += 1,
                    b'}' | b']' if depth > 0 => depth -= 1,
                    b'}' | b']' => open = open.saturating_sub(1),
                    _ => {}
                }
            }
            let end = end_of_string(rest, start + 1);
            at += end + 1;
            let is_index = rest[start + 1..end] == *b"index";
            if is_index && depth == 0 && open > outermost {
                let level = &mut self.levels[open - 1];
                let number = number_after(rest.get(end + 1..).unwrap_or_default());
                if let Some(number) = number.filter(|_| !level.is_numbered) {
                    (level.number, level.is_numbered) = (Some(number), true);
                }
            }
        }
        self.ahead = self.ahead.saturating_sub(at);
        self.levels.iter_mut().for_each(|level| level.is_numbered = true);
    }

    fn open(&mut self, is_list: bool) {
        if self.levels.len() == Self::DEEPEST {
            self.deeper += 1;
            return;
        }
        let number = match self.levels.last() {
            _ if is_list => Some(0),
            Some(Level { is_list: true, number, .. }) => *number,
            _ => None,
        };
        let field = self.field.clone();
        self.levels.push(Level { field, around: None, is_numbered: is_list, is_list, number });
    }

    fn close(&mut self) {
        if self.deeper > 0 {
            self.deeper -= 1;
        } else {
            self.field = self.levels.pop().map(|level| level.field).unwrap_or_default();
        }
    }

    /// Takes in what stands between two strings.
    fn read(&mut self, between: &[u8]) {
        for (at, byte) in between.iter().enumerate() {
            match byte {
                b'{' => self.open(false),
                b'[' => self.open(true),
                b'}' | b']' => self.close(),
                b',' => {
                    if let Some(Level { is_list: true, number: Some(number), .. }) = self.levels.last_mut() {
                        *number += 1;
                    }
                }
                b':' if *self.field == *b"index" => {
                    let told = number_after(&between[at..]);
                    if let (Some(level), Some(told)) = (self.levels.last_mut(), told) {
                        (level.number, level.is_numbered) = (Some(told), true);
                    }
                }
                _ => {}
            }
        }
    }
}

impl<'j> Iterator for Strings<'j> {
    type Item = Found<'j>;

    fn next(&mut self) -> Option<Found<'j>> {
        let start = self.at + memchr(b'"', self.json.get(self.at..)?)? + 1;
        self.read(&self.json[self.at..start - 1]);
        let end = end_of_string(self.json, start);
        let string = &self.json[start..end];
        self.at = end + 1;
        self.last = string;
        let after = self.rest().iter().find(|byte| !byte.is_ascii_whitespace());
        if after == Some(&b':') {
            let name = unescaped(string);
            self.field = match &name {
                Cow::Borrowed(_) => name.clone(),
                // A long one would be copied with each object and list in it.
                Cow::Owned(own) => Cow::Owned(own[..own.len().min(LONGEST_NAME)].to_vec()),
            };
            return Some(Found::Name(name));
        }
        if self.levels.len() == 1 {
            match &*self.field {
                b"type" => self.told[0] = hash(string),
                b"item_id" => self.told[1] = hash(string),
                _ => {}
            }
        }
        Some(Found::Value(self.field.clone(), unescaped(string)))
    }
}

/// The number behind the name of a field, with the colon.
fn number_after(text: &[u8]) -> Option<u64> {
    let text = text.trim_ascii_start().strip_prefix(b":")?.trim_ascii_start();
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    str::from_utf8(&text[..digits]).ok()?.parse().ok()
}

/// A number that stands for this value in this process.
pub(super) fn hash(value: &(impl Hash + ?Sized)) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

/// The string as it is meant.
fn unescaped(string: &[u8]) -> Cow<'_, [u8]> {
    if memchr(b'\\', string).is_none() {
        return Cow::Borrowed(string);
    }
    let quoted = [b"\"", string, b"\""].concat();
    serde_json::from_slice::<String>(&quoted).map_or(Cow::Borrowed(string), |text| Cow::Owned(text.into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_that_is_deeper_than_any_client_reads_takes_no_memory_for_it() {
        let deep = format!("{}\"x\"{}", "[{".repeat(100_000), "}]".repeat(100_000));
        let mut strings = Strings::new(deep.as_bytes());
        assert!(strings.next().is_some());
        assert_eq!((strings.levels.len(), strings.deeper), (Strings::DEEPEST, 200_000 - Strings::DEEPEST));
    }
}
