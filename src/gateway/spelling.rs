//! Finds a secret that an answer spells in several pieces, in one field of it after another, or in the names of its fields. For bytes
//! that are handed on as they are: in them, pieces cannot be masked any more, unless one is so large that it is known alone.

mod ends;
mod strings;

use std::borrow::Cow;

use memchr::{memchr, memchr2};

use self::ends::{Beginning, Ends, Field, Kind, LONGEST_NAME, Next};
use self::strings::{Found, Strings, hash};
use super::json_text::holds_text;
use super::mask::{LONG, Mask, SHORTEST_PART};
use crate::adapter::sse::BOM;

/// What the strings of an answer end with that may be the beginning of a secret.
#[derive(Debug, Default)]
pub(super) struct Spelling {
    /// Of the strings of JSON.
    in_json: Ends,
    /// Of the bytes of tokens.
    bytes: Ends,
    /// Of the fields of events themselves.
    of_events: Ends,
    names: Vec<OpenName>,
    /// Whether these are the lines of a stream, in whose texts a secret is masked only as it is spelled.
    is_stream: bool,
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

/// An answer is held back for the end of a name until so many other names have come.
const OLD: usize = 64;

/// The bytes of a token are no longer than this, as they are written.
const LONGEST_LIST: usize = 64 << 10;

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
        self.in_json.is_any_told(shortest)
            || self.bytes.is_any_told(shortest)
            || self.of_events.is_any_told(shortest)
            || self.names.iter().any(|name| name.beginning.told >= shortest && name.age < OLD)
    }

    /// Takes in that nothing more comes: an answer may have been cut within a secret.
    pub(super) fn end(&mut self) {
        self.is_split |= self.is_longest_end(LONG);
        self.in_json.clear();
        self.bytes.clear();
        self.of_events.clear();
        self.names.clear();
    }

    /// Takes in the lines of JSON, or of events with JSON in them. Strings are not read across two calls.
    pub(super) fn read(&mut self, mask: &Mask, lines: &[u8]) {
        if !mask.has_exact() {
            return;
        }
        if !self.is_stream {
            self.read_bytes(mask, lines);
        }
        self.of_events.begin_event();
        for line in lines_of(lines) {
            let line = line.strip_prefix(BOM).unwrap_or(line);
            if line.is_empty() {
                self.of_events.begin_event();
            }
            match field_of_event(line) {
                Some((name, value)) => {
                    self.add_name(mask, name);
                    if !value.is_empty() && (!self.of_events.is_empty() || may_matter(mask, value)) {
                        let field = Field::new(name, &[]);
                        self.is_split |= self.of_events.add(mask, field, value, (self.kind(name), true));
                    }
                }
                None => self.read_json(mask, line),
            }
        }
    }

    fn read_json(&mut self, mask: &Mask, line: &[u8]) {
        self.in_json.begin_event();
        if self.is_stream {
            self.read_bytes(mask, line);
        }
        let mut numbers_of_line = None;
        let mut strings = Strings::new(line);
        while let Some(found) = strings.next() {
            let (field, string) = match found {
                Found::Name(name) => {
                    self.add_name(mask, &name);
                    // One without escapes was found before.
                    if matches!(name, Cow::Owned(_)) && *name == *b"bytes" {
                        self.read_list(mask, strings.rest(), &[at(hash(&numbers_of(line)))]);
                    }
                    continue;
                }
                Found::Value(field, string) => (field, string),
            };
            // A piece without a word changes nothing.
            if string.is_empty() {
                continue;
            }
            let kind = self.kind(&field);
            let is_of_stream = kind == Kind::WordsOfStream;
            // The bytes of a text are masked as they are, so that a key with escapes in it stays.
            if is_of_stream && matches!(string, Cow::Owned(_)) {
                self.is_split |= mask.tells_more(&string, strings.as_written());
            }
            let may_have_escapes = is_of_stream && memchr(b'\\', &string).is_some();
            if self.in_json.is_empty() && !may_matter(mask, &string) && !may_have_escapes {
                continue;
            }
            let numbers = *numbers_of_line.get_or_insert_with(|| {
                let numbers = numbers_of(line);
                (!numbers.is_empty()).then(|| hash(&numbers))
            });
            let mut add = |place: &[u8], one: bool| {
                self.is_split |= self.in_json.add(mask, Field::new(&field, place), &string, (kind, one));
            };
            add(&[], false);
            if let Some(numbers) = numbers {
                add(&at(numbers), false);
            }
            // Tool calls have ids, and so have answers.
            let parent = strings.parent();
            if !parent.is_empty() {
                add(&[b"in ", &parent[..parent.len().min(LONGEST_NAME)]].concat(), false);
            }
            // One event may have pieces of several choices.
            add(&at(strings.place()), true);
        }
    }

    /// Takes in the bytes of tokens, as the log-probabilities of OpenAI's format have them beside their text.
    fn read_bytes(&mut self, mask: &Mask, lines: &[u8]) {
        let mut lists = memchr::memmem::find_iter(lines, b"\"bytes\"").peekable();
        if lists.peek().is_none() {
            return;
        }
        // Those of one choice may come between those of another.
        let mut places = vec![Vec::new()];
        places.extend(self.is_stream.then(|| at(hash(&numbers_of(lines)))));
        for name in lists {
            self.read_list(mask, &lines[name + 7..], &places);
        }
    }

    /// Takes in the list of bytes that follows the name of its field.
    fn read_list(&mut self, mask: &Mask, after: &[u8], places: &[Vec<u8>]) {
        let list = after.trim_ascii_start().strip_prefix(b":").unwrap_or_default().trim_ascii_start();
        let Some(list) = list.strip_prefix(b"[") else { return };
        let is_of_list = |byte: &&u8| byte.is_ascii_digit() || byte.is_ascii_whitespace() || b",.+-eE".contains(byte);
        let length = list.iter().take(LONGEST_LIST).take_while(is_of_list).count();
        let numbers = list[..length].split(|byte| *byte == b',').map(byte_of);
        let Some(bytes) = numbers.collect::<Option<Vec<u8>>>() else { return };
        self.is_split |= mask.find_exact(&bytes).next().is_some();
        if self.bytes.is_empty() && !may_matter(mask, &bytes) {
            return;
        }
        for place in places {
            let field = Field::new(b"bytes", place);
            self.is_split |= self.bytes.add(mask, field, &bytes, (Kind::Other, false));
        }
    }

    /// What the string of this field is.
    fn kind(&self, field: &[u8]) -> Kind {
        match holds_text(field) {
            false => Kind::Other,
            true if self.is_stream => Kind::WordsOfStream,
            true => Kind::Words,
        }
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
}

/// Most strings neither go on with a secret nor begin one.
fn may_matter(mask: &Mask, string: &[u8]) -> bool {
    mask.open_at_end(string) > 0 || mask.masked_at_end(string).is_some()
}

/// The lines, each of which ends with a line feed, a carriage return, or both. A last one without an end is among them.
fn lines_of(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let end = memchr2(b'\n', b'\r', rest).unwrap_or(rest.len());
        let line = &rest[..end];
        let both = rest[end..].starts_with(b"\r\n");
        rest = rest.get(end + if both { 2 } else { 1 }..).unwrap_or_default();
        Some(line)
    })
}

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

/// The byte that this number is, however it is written.
fn byte_of(number: &[u8]) -> Option<u8> {
    let number = str::from_utf8(number.trim_ascii()).ok()?;
    let of_float = |number: f64| (number.fract() == 0.0 && (0.0..=255.0).contains(&number)).then_some(number as u8);
    number.parse().ok().or_else(|| of_float(number.parse().ok()?))
}

/// The place of a field that this number stands for.
fn at(place: u64) -> Vec<u8> {
    [&b"at "[..], &place.to_ne_bytes()].concat()
}

/// All numbers of the fields `index` and the like, one after the other.
fn numbers_of(json: &[u8]) -> Vec<u8> {
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
