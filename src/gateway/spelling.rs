//! Finds a secret that an answer spells in several pieces, in one field of it after another, or in the names of its fields. For bytes
//! that are handed on as they are: in them, pieces cannot be masked any more, unless one is so large that it is known alone.

mod strings;

use std::borrow::Cow;
use std::collections::HashMap;

use memchr::memchr;

use self::strings::{Found, Strings, hash};
use super::json_text::{Unescaped, holds_text, unescaped};
use super::mask::{LONG, Mask, Rest, SHORTEST_PART};
use crate::adapter::sse::BOM;

/// What the strings of an answer end with that may be the beginning of a secret.
#[derive(Debug, Default)]
pub(super) struct Spelling {
    /// The ends of the last strings, by their fields.
    open: HashMap<Field, Beginning>,
    /// What the fields of this event went on from: an event may have a field twice, and readers take the last one.
    earlier: HashMap<Field, Beginning>,
    names: Vec<OpenName>,
    /// Whether these are the lines of a stream, in whose texts a secret is masked only as it is spelled.
    is_stream: bool,
    /// The names of the fields that the event has had.
    fields: Vec<Vec<u8>>,
    is_split: bool,
}

/// What the name of a field ended with. Other names may come before the one that goes on with it.
#[derive(Debug)]
struct OpenName {
    beginning: Beginning,
    /// How many names have come since.
    age: usize,
}

/// As many ends of names are kept, the longest ones.
const MOST_NAMES: usize = 8;

/// So many fields of an event are known.
const MOST_FIELDS: usize = 64;

/// The ends of so many strings are kept, unless they are long ones.
const MOST_OPEN: usize = 1024;

/// An answer is held back for the end of a name until so many other names have come.
const OLD: usize = 64;

/// A field of an answer.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Field {
    name: Vec<u8>,
    /// The numbers of the choice, the block and the tool call that it belongs to, as its event has them or by its place in lists, or the
    /// name of the object that it is in; empty for the field wherever it is.
    place: Vec<u8>,
}

/// What a text may have told of a secret so far.
#[derive(Debug, Clone, Default)]
struct Beginning {
    /// The letters of the secret, up to where the text goes on.
    letters: Vec<u8>,
    /// How many of them were told. All others are masked.
    told: usize,
    is_masked: bool,
    /// The beginning of an escape that the text ended with.
    cut: Vec<u8>,
}

/// What comes of a beginning.
enum Next {
    /// More of a secret is told than may be.
    Split,
    More(Beginning),
    Other,
}

impl Beginning {
    /// What a text ends with that may be the beginning of a secret. Parts of one may stay in it as they are where `is_answer`.
    fn at_end(mask: &Mask, text: &[u8], is_answer: bool) -> Option<Self> {
        if let Some(letters) = mask.masked_at_end(text).filter(|_| !is_answer) {
            return Some(Self { letters: letters.to_vec(), is_masked: true, ..Self::default() });
        }
        let told = mask.open_at_end(text);
        (told > 0).then(|| Self { letters: text[text.len() - told..].to_vec(), told, ..Self::default() })
    }

    /// How this goes on in the text that comes next.
    fn next(&self, mask: &Mask, text: &[u8], is_answer: bool) -> Next {
        let Some(rest) = mask.rest(&self.letters, text) else { return Next::Other };
        let part = if let Rest::Whole(length) = rest { &text[..length] } else { text };
        let is_large = !is_answer && mask.is_large_part(part);
        let told = self.told + if is_large { 0 } else { part.len() };
        let is_masked = self.is_masked || is_large;
        match rest {
            _ if is_masked && told >= SHORTEST_PART => Next::Split,
            Rest::Whole(_) if is_masked => Next::Other,
            Rest::Whole(_) => Next::Split,
            Rest::More(start) => {
                let letters = [&self.letters[start..], text].concat();
                Next::More(Self { told: told.min(letters.len()), letters, is_masked, cut: Vec::new() })
            }
        }
    }
}

/// So many bytes of an answer are held back for the beginning of a secret, unless it is a long one.
const MOST_HELD: usize = 64 << 10;

impl Spelling {
    /// That of a stream.
    pub(super) fn of_stream() -> Self {
        Self { is_stream: true, ..Self::default() }
    }

    /// Whether a secret came in several pieces.
    pub(super) fn is_split(&self) -> bool {
        self.is_split
    }

    /// Whether bytes must be held back, of which so many are: what has come ends with what tells something of a secret, unless
    /// it goes on otherwise. The few letters with which many keys begin do not hold back an answer that goes on elsewhere.
    pub(super) fn is_open(&self, held: usize) -> bool {
        let shortest = if held > MOST_HELD { LONG } else { SHORTEST_PART };
        self.is_longest_end(shortest)
    }

    /// Whether an end has at least this length, with which a secret may be beginning.
    fn is_longest_end(&self, shortest: usize) -> bool {
        self.open.values().any(|beginning| beginning.told >= shortest)
            || self.names.iter().any(|name| name.beginning.told >= shortest && name.age < OLD)
    }

    /// Takes in that nothing more comes: an answer may have been cut within a secret.
    pub(super) fn end(&mut self) {
        self.is_split |= self.is_longest_end(LONG);
        self.open.clear();
        self.names.clear();
    }

    /// Takes in the lines of JSON, or of events with JSON in them. Strings are not read across two calls.
    pub(super) fn read(&mut self, mask: &Mask, lines: &[u8]) {
        if !mask.has_exact() {
            return;
        }
        for line in lines.split(|byte| matches!(byte, b'\n' | b'\r')) {
            let line = line.strip_prefix(BOM).unwrap_or(line);
            if line.is_empty() {
                self.fields.clear();
                self.earlier.clear();
            }
            match field_of_event(line) {
                Some((name, value)) => {
                    self.add_name(mask, name);
                    if self.may_matter(mask, value) {
                        self.add(mask, name, OF_EVENT, value);
                        // An event may have a field twice.
                        let before = self.fields.iter().filter(|field| **field == name).count();
                        if before > 0 {
                            self.add(mask, name, &[OF_EVENT, &before.to_ne_bytes()].concat(), value);
                        }
                    }
                    if self.fields.len() < MOST_FIELDS {
                        self.fields.push(name.to_vec());
                    }
                }
                None => self.read_json(mask, line),
            }
        }
    }

    fn read_json(&mut self, mask: &Mask, line: &[u8]) {
        self.earlier.retain(|field, _| field.place.starts_with(OF_EVENT));
        let mut numbers_of_line = None;
        let mut strings = Strings::new(line);
        while let Some(found) = strings.next() {
            let (field, string) = match found {
                Found::Name(name) => {
                    self.add_name(mask, &name);
                    continue;
                }
                Found::Value(field, string) => (field, string),
            };
            // The bytes of a text are masked as they are, so that a key with escapes in it stays.
            if self.is_stream && holds_text(&field) && matches!(string, Cow::Owned(_)) {
                self.is_split |= mask.find_exact(&string).next().is_some();
            }
            if !self.may_matter(mask, &string) && self.in_arguments(&field, &string).is_none() {
                continue;
            }
            let numbers = *numbers_of_line.get_or_insert_with(|| {
                let numbers = numbers(line);
                (!numbers.is_empty()).then(|| hash(&numbers))
            });
            self.add(mask, &field, &[], &string);
            if let Some(numbers) = numbers {
                self.add(mask, &field, &at(numbers), &string);
            }
            // Tool calls have ids, and so have answers.
            let parent = strings.parent();
            if !parent.is_empty() {
                self.add(mask, &field, &[b"in ", parent].concat(), &string);
            }
            // One event may have pieces of several choices, or a field twice.
            let (place, before) = (strings.place(), strings.before());
            self.add(mask, &field, &at(place), &string);
            if before > 0 {
                self.add(mask, &field, &at(hash(&(place, before))), &string);
            }
        }
    }

    /// Most strings neither go on with a secret nor begin one.
    fn may_matter(&self, mask: &Mask, string: &[u8]) -> bool {
        !(self.open.is_empty() && self.earlier.is_empty())
            || mask.open_at_end(string) > 0
            || mask.masked_at_end(string).is_some()
    }

    /// The text of an answer with the escapes in it read: the arguments of a tool are JSON in a string of JSON. `None` where it has none, or
    /// where a secret in it is masked.
    fn in_arguments(&self, field: &[u8], string: &[u8]) -> Option<Unescaped> {
        let may_have = self.is_stream && holds_text(field) && memchr(b'\\', string).is_some();
        str::from_utf8(string).ok().filter(|_| may_have).and_then(unescaped)
    }

    /// Takes in the name of a field. An end that it does not go on with stays open: every object has other names.
    fn add_name(&mut self, mask: &Mask, name: &[u8]) {
        if name.is_empty() {
            return;
        }
        for open in &mut self.names {
            match open.beginning.next(mask, name, false) {
                Next::Split => self.is_split = true,
                Next::More(beginning) => *open = OpenName { beginning, age: 0 },
                Next::Other => open.age += 1,
            }
        }
        let Some(beginning) = Beginning::at_end(mask, name, false) else { return };
        if self.names.iter().any(|open| open.beginning.letters == beginning.letters) {
            return;
        }
        if self.names.len() == MOST_NAMES {
            let shortest = (0..MOST_NAMES).min_by_key(|at| self.names[*at].beginning.letters.len()).unwrap_or(0);
            self.names.swap_remove(shortest);
        }
        self.names.push(OpenName { beginning, age: 0 });
    }

    fn add(&mut self, mask: &Mask, field: &[u8], place: &[u8], string: &[u8]) {
        // A piece without a word changes nothing.
        if string.is_empty() {
            return;
        }
        let is_answer = holds_text(field);
        let field = Field { name: field.to_vec(), place: place.to_vec() };
        let before = self.open.remove(&field);
        let cut = before.as_ref().map_or(&[][..], |before| &before.cut);
        let joined = if cut.is_empty() { Cow::Borrowed(string) } else { Cow::Owned([cut, string].concat()) };
        let read = self.in_arguments(&field.name, &joined);
        let (string, cut) = match &read {
            Some(read) => (read.text.as_bytes(), &joined[joined.len() - read.cut..]),
            None => (&*joined, &[][..]),
        };
        self.is_split |= read.is_some() && mask.find_exact(string).next().is_some();
        let next = |before: &Beginning| before.next(mask, string, is_answer);
        let next = match (before.as_ref().map(next), self.earlier.get(&field).map(next)) {
            (Some(Next::Other) | None, Some(earlier)) => earlier,
            (next, _) => next.unwrap_or(Next::Other),
        };
        self.is_split |= matches!(next, Next::Split);
        let beginning = match next {
            Next::More(beginning) => Some(beginning),
            Next::Split | Next::Other => Beginning::at_end(mask, string, is_answer),
        };
        let beginning = match beginning {
            None if cut.is_empty() => None,
            beginning => Some(Beginning { cut: cut.to_vec(), ..beginning.unwrap_or_default() }),
        };
        if let Some(before) = before {
            self.earlier.entry(field.clone()).or_insert(before);
        }
        if self.open.len() >= MOST_OPEN {
            self.open.retain(|_, beginning| beginning.is_masked || beginning.told >= SHORTEST_PART);
            // No answer has so many texts that end with the same letters of a key.
            self.is_split |= self.open.len() >= MOST_OPEN / 2;
        }
        self.open.extend(beginning.map(|beginning| (field, beginning)));
    }
}

/// The place of what stands in a field of an event itself, rather than in JSON.
const OF_EVENT: &[u8] = b"event";

/// The name and the value of a field of a server-sent event; of a comment the name is empty. `None` where a line holds JSON.
fn field_of_event(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let is_json = |text: &[u8]| matches!(text.trim_ascii_start(), [] | [b'{' | b'}' | b'[' | b']' | b'"' | b',', ..]);
    if is_json(line) {
        return None;
    }
    let (name, value) = line.split_at(memchr(b':', line).unwrap_or(line.len()));
    let value = value.get(1..).unwrap_or_default().trim_ascii();
    (name != b"data" || !is_json(value)).then_some((name.trim_ascii(), value))
}

/// The place of a field that this number stands for.
fn at(place: u64) -> Vec<u8> {
    [&b"at "[..], &place.to_ne_bytes()].concat()
}

/// All numbers of the fields `index` and the like, one after the other.
fn numbers(json: &[u8]) -> Vec<u8> {
    let mut numbers = Vec::new();
    for at in memchr::memmem::find_iter(json, b"index\":") {
        let number = json[at + 7..].iter().skip_while(|byte| **byte == b' ').take_while(|byte| byte.is_ascii_digit());
        numbers.extend(number);
        numbers.push(b' ');
    }
    numbers
}

#[cfg(test)]
mod tests;
