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
mod tests {
    use super::*;

    const KEY: &str = "sk-0123456789abcdef";

    /// What is known after these events.
    fn spelling<'e>(events: impl IntoIterator<Item = &'e str>) -> Spelling {
        let mask = Mask::new(&crate::secret::testing::gateway("g"), Some(&KEY.into()));
        let mut spelling = Spelling::default();
        events.into_iter().for_each(|event| spelling.read(&mask, event.as_bytes()));
        spelling
    }

    /// The key in pieces of six letters, each in an event of this form.
    fn pieces(event: &str) -> Vec<String> {
        KEY.as_bytes().chunks(6).map(|piece| event.replace('@', str::from_utf8(piece).expect("ASCII"))).collect()
    }

    #[test]
    fn a_key_in_pieces_is_found_in_every_field_and_whatever_is_between_them() {
        for event in [
            r#"data: {"choices":[{"index":0,"text":"@"}]}"#,
            r#"data: {"choices":[{"index":0,"delta":{"function_call":{"arguments":"@"}}}]}"#,
            r#"data: {"logprobs":{"content":[{"token" : "@","logprob":-1}]}}"#,
            r#"data: {"type":"response.custom_tool_call_input.delta","delta":"@"}"#,
            r#"data: {"list":["@"]}"#,
            r#"data: {"id":"c","choices":[{"delta":{"tool_calls":[{"id":"@","function":{"name":"f"}}]}}]}"#,
            r#"data: {"id":"c","delta":{"calls":[{"x":{"id":"z"}},{"x":{},"id":"@"}]}}"#,
        ] {
            let others = ["event: x", ": comment", r#"{"content":"hm","text":""}"#, r#"{"new":null}"#];
            let events = pieces(event);
            let with_others = events.iter().flat_map(|event| [event.as_str()].into_iter().chain(others));
            assert!(spelling(with_others).is_split(), "{event}");
            let first = spelling([events[0].as_str()]);
            assert!(first.is_open(0) && !first.is_open(MOST_HELD + 1) && !first.is_split(), "{event}");
            let other = event.replace('@', "x");
            let interrupted = events.iter().flat_map(|event| [event.as_str(), &other]);
            assert!(!spelling(interrupted).is_split(), "the words go on otherwise: {event}");
        }
        let whole = format!("[{}]", pieces(r#"{"text": "@", "x": "y"}"#).join(","));
        assert!(spelling([whole.as_str()]).is_split(), "in one body");
        let escaped: Vec<String> =
            pieces(r#"{"text":"@"}"#).iter().map(|event| event.replace('-', "\\u002d")).collect();
        assert!(spelling(escaped.iter().map(String::as_str)).is_split());
    }

    #[test]
    fn a_key_in_pieces_is_found_in_the_fields_of_events_and_in_names() {
        for event in [
            "id: @\ndata: {}",
            "event: @\r\ndata: {}",
            "event:@\rdata: {}",
            ": @",
            "retry: @",
            "data: @",
            "@: x",
            "@",
            r#"data: {"choices":[],"@":1}"#,
            r#"data: {"choices":[{"x":{"@":"y"},"z":[]}]}"#,
            r#"[{"@" : null},"#,
        ] {
            let others = ["", r#"data: {"choices":[{"index":0,"delta":{"content":"hm"}}],"other_names":{"s":"k"}}"#];
            let events = pieces(event);
            let with_others = events.iter().flat_map(|event| [event.as_str()].into_iter().chain(others));
            assert!(spelling(with_others).is_split(), "{event}");
            let first = spelling([events[0].as_str()]);
            assert!(first.is_open(0) && !first.is_split(), "{event}");
        }
    }

    #[test]
    fn a_name_that_begins_like_a_key_in_every_event_holds_nothing_back_for_long() {
        let events = vec![format!(r#"data: {{"choices":[],"{}":1}}"#, &KEY[..8]); OLD];
        let spelling = spelling(events.iter().map(String::as_str));
        assert!(!spelling.is_open(0) && !spelling.is_split());
        assert_eq!(spelling.names.len(), 2, "one for the name, and one for the last letter of another");
    }

    #[test]
    fn what_is_told_beside_a_masked_part_is_found() {
        for (pieces, is_split) in [
            (&[0..6, 6..19][..], true),
            (&[0..3, 3..19], false),
            (&[0..3, 3..16, 16..19], true),
            (&[0..12, 12..17], false),
            (&[0..12, 12..18], true),
            (&[0..12, 12..14, 14..16, 16..18], true),
            (&[2..14, 14..19], false),
            (&[1..13, 13..19], true),
        ] {
            for form in [r#"{"id":"@"}"#, r#"{"x":{"@":1}}"#] {
                let events: Vec<String> = pieces.iter().map(|piece| form.replace('@', &KEY[piece.clone()])).collect();
                let mut spelling = spelling(events.iter().map(String::as_str));
                spelling.end();
                assert_eq!(spelling.is_split(), is_split, "{pieces:?} {form}");
            }
        }
    }

    #[test]
    fn nothing_is_taken_for_masked_in_the_text_of_an_answer() {
        for (pieces, is_split) in
            [(&[0..14, 14..19][..], true), (&[0..5, 5..19], true), (&[0..14, 0..0], true), (&[0..11, 0..0], false)]
        {
            for form in [r#"{"choices":[{"text":"@"}]}"#, r#"{"choices":[{"index":1,"delta":{"content":"@"}}]}"#] {
                let events: Vec<String> = pieces.iter().map(|piece| form.replace('@', &KEY[piece.clone()])).collect();
                let mut spelling = spelling(events.iter().map(String::as_str));
                assert!(!pieces[1].is_empty() || spelling.is_open(0), "{form}");
                spelling.end();
                assert_eq!(spelling.is_split(), is_split, "{pieces:?} {form}");
            }
        }
    }

    #[test]
    fn a_byte_order_mark_hides_nothing() {
        let body = format!("\u{feff}[{}]", pieces(r#"{"x":1,"text":"@"}"#).join(","));
        assert!(spelling([body.as_str()]).is_split());
    }

    #[test]
    fn choices_and_blocks_are_told_apart() {
        for other in [r#"{"index":1,"text":"other"}"#, r#"{"output_index": 0,"content_index": 2,"text":"other"}"#] {
            let events = pieces(r#"{"index":0,"text":"@"}"#);
            assert!(spelling(events.iter().flat_map(|event| [event.as_str(), other])).is_split());
            let chunks: Vec<String> = events.iter().map(|event| format!("{event}\n{other}\n")).collect();
            assert!(spelling(chunks.iter().map(String::as_str)).is_split(), "two events at once");
        }
        let blocks = pieces(r#"{"index":@,"text":"@"}"#);
        let blocks = blocks
            .iter()
            .enumerate()
            .map(|(i, event)| event.replacen(&KEY[i * 6..KEY.len().min(i * 6 + 6)], &i.to_string(), 1));
        let blocks: Vec<String> = blocks.collect();
        assert!(spelling(blocks.iter().map(String::as_str)).is_split(), "{blocks:?}");
    }

    #[test]
    fn what_one_event_has_for_several_choices_is_told_apart() {
        for event in [
            r#"data: {"choices":[{"index":0,"delta":{"content":"zz"}},{"index":1,"delta":{"content":"@"}}]}"#,
            r#"data: {"choices":[{"delta":{"content":"zz"},"index":0},{"delta":{"content":"@"},"index":1}]}"#,
            r#"data: {"candidates":[{"content":{"parts":[{"text":"a, b"},{"text":"zz"}]}},{"content":{"parts":[{"text":"@"}]}}]}"#,
            r#"data: {"choices":[{"delta":{"tool_calls":[{"index":1,"function":{"arguments":"{\"a"}},{"index":0,"function":{"arguments":"@"}}]}}]}"#,
            r#"data: {"a":{"x":{"text":"zz"}},"b":{"x":{"text":"@"}}}"#,
            r#"data: [[],["zz","[{"],["@"]]"#,
            r#"data: {"choices":[{"delta":{"content":"zz","content":"@"}}]}"#,
            "id: zz\nid: @\ndata: {}\n",
        ] {
            assert!(spelling(pieces(event).iter().map(String::as_str)).is_split(), "{event}");
        }
        let [plain, escaped] = [r#"{"id":"@"}"#, r#"{"\u0069d":"@"}"#].map(pieces);
        let by_turns =
            plain.iter().zip(&escaped).enumerate().map(|(i, (a, b))| if i % 2 == 0 { a } else { b }.as_str());
        let with_others = by_turns.flat_map(|event| [event, r#"{"x":"zz"}"#]);
        assert!(spelling(with_others).is_split(), "one name in two spellings");
        // By turns at the first and the second place.
        let [first, second] = [
            r#"{"choices":[{"index":1,"text":"@"},{"index":0,"text":"zz"}]}"#,
            r#"{"choices":[{"index":0,"text":"zz"},{"index":1,"text":"@"}]}"#,
        ]
        .map(pieces);
        let by_turns = first.iter().zip(&second).enumerate().map(|(i, (a, b))| if i % 2 == 0 { a } else { b }.as_str());
        assert!(spelling(by_turns).is_split());
        // Its number comes after the text, and its place changes; or each has an event of its own.
        let [first, second] = [
            r#"{"choices":[{"delta":{"content":"@"},"index":1},{"delta":{"content":"zz"},"index":0}]}"#,
            r#"{"choices":[{"delta":{"content":"zz"},"index":0},{"delta":{"content":"@"},"index":1}]}"#,
        ]
        .map(pieces);
        let by_turns = first.iter().zip(&second).enumerate().map(|(i, (a, b))| if i % 2 == 0 { a } else { b }.as_str());
        assert!(spelling(by_turns).is_split());
        let event = |n: u8, token: &str| {
            format!(
                r#"{{"choices":[{{"logprobs":{{"content":[{{"token":"{token}","top":[{{"token":"zz"}}]}}]}},"index":{n}}}]}}"#
            )
        };
        let own: Vec<String> = KEY
            .as_bytes()
            .chunks(6)
            .flat_map(|piece| [event(0, "hm"), event(1, str::from_utf8(piece).expect("ASCII"))])
            .collect();
        assert!(spelling(own.iter().map(String::as_str)).is_split());
        for other in [
            r#"{"type":"response.reasoning_text.delta","output_index":0,"delta":"zz"}"#,
            r#"{"type":"response.output_text.delta","item_id":"b","output_index":0,"delta":"zz"}"#,
        ] {
            let events = pieces(r#"{"type":"response.output_text.delta","item_id":"a","output_index":0,"delta":"@"}"#);
            assert!(spelling(events.iter().flat_map(|event| [event.as_str(), other])).is_split(), "{other}");
        }
    }

    #[test]
    fn a_key_with_escapes_in_a_text_of_a_stream_is_found() {
        let mask = Mask::new(&crate::secret::testing::gateway("g"), Some(&KEY.into()));
        let event =
            format!(r#"data: {{"choices":[{{"delta":{{"content":"it is {}"}}}}]}}"#, KEY.replace('-', "\\u002d"));
        for (mut spelling, is_split) in [(Spelling::of_stream(), true), (Spelling::default(), false)] {
            spelling.read(&mask, event.as_bytes());
            assert_eq!(spelling.is_split(), is_split, "{event}");
        }
        let mut plain = Spelling::of_stream();
        plain.read(&mask, event.replace("\\u002d", "-").as_bytes());
        assert!(!plain.is_split(), "it is masked where it is spelled as it is");
    }

    #[test]
    fn a_key_with_escapes_in_the_arguments_of_a_tool_is_found_however_it_is_cut() {
        let mask = Mask::new(&crate::secret::testing::gateway("g"), Some(&KEY.into()));
        let arguments = r#"{"n":"a\\nb","key":"\u0073k\u002d0123456789abcd\u0065f"}"#;
        let event = |piece: &str| {
            let piece = serde_json::Value::from(piece);
            format!(
                r#"data: {{"choices":[{{"delta":{{"tool_calls":[{{"index":0,"function":{{"arguments":{piece}}}}}]}}}}]}}"#
            )
        };
        for size in [1, 2, 5, 7, 20, 100] {
            let mut spelling = Spelling::of_stream();
            for piece in arguments.as_bytes().chunks(size) {
                spelling.read(&mask, event(str::from_utf8(piece).expect("ASCII")).as_bytes());
            }
            assert!(spelling.is_split(), "in pieces of {size}");
        }
        let mut other = Spelling::of_stream();
        for piece in arguments.replace("5f", "55f").as_bytes().chunks(7) {
            other.read(&mask, event(str::from_utf8(piece).expect("ASCII")).as_bytes());
        }
        assert!(!other.is_split() && other.open.is_empty());
    }

    #[test]
    fn a_field_that_one_event_has_twice_changes_nothing() {
        let events = pieces(r#"data: {"id":"@"}"#);
        for twice in [
            r#"data: {"id":"x","id":"@"}"#,
            r#"data: {"id":"0","id":"x","id":"@"}"#,
            r#"data: {"a":{"b":1},"id":"zz","id":"@","id":"@"}"#,
        ] {
            let twice = pieces(twice);
            assert!(spelling([events[0].as_str(), &twice[1], &twice[2], &events[3]]).is_split(), "{twice:?}");
        }
        let [one, two] = [r#"{"a":{"id":"@"}}"#, r#"{"a":{"id":"x"},"a":{"id":"@"}}"#].map(pieces);
        assert!(spelling([one[0].as_str(), &two[1], &one[2], &two[3]]).is_split());
        let [one, two] = ["id: @\n\n", "id: zz\ndata: {}\nid: @\n\n"].map(pieces);
        assert!(spelling([one[0].as_str(), &two[1], &one[2], &two[3]]).is_split());
        assert!(!spelling([one[0].as_str(), "id: zz\n\n", &one[1], &one[2], &one[3]]).is_split());
    }

    #[test]
    fn long_names_and_many_numbers_are_read_in_no_time() {
        let name = format!(r#"{{"{}\u0041":{}"s"{}}}"#, "n".repeat(1 << 20), "[".repeat(100), "]".repeat(100));
        spelling([name.as_str()]);
        let many: Vec<String> = (0..20_000).map(|i| format!(r#"{{"index":{i},"t":"s"}}"#)).collect();
        spelling([format!("[{}]", many.join(",")).as_str()]);
    }

    #[test]
    fn the_ends_of_many_strings_take_little_memory() {
        let list = |text: &str, count| format!("[{}]", vec![format!(r#"{{"x":"{text}"}}"#); count].join(","));
        let ends = spelling([list("ends with s", 10_000).as_str()]);
        assert!(ends.open.len() <= MOST_OPEN && !ends.is_split(), "{}", ends.open.len());
        assert!(!spelling([list(&KEY[..SHORTEST_PART], 100).as_str()]).is_split());
        assert!(spelling([list(&KEY[..SHORTEST_PART], 10_000).as_str()]).is_split());
    }

    #[test]
    fn an_answer_that_ends_within_a_key_is_found_at_its_end() {
        let two = |length: usize| [&KEY[..6], &KEY[6..length]].map(|piece| format!(r#"{{"text":"{piece}"}}"#));
        for (length, is_split) in [(LONG - 1, false), (LONG, true)] {
            let mut spelling = spelling(two(length).iter().map(String::as_str));
            spelling.end();
            assert_eq!(spelling.is_split(), is_split);
        }
    }
}
