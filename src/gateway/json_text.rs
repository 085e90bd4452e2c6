//! Finds the strings in lines of JSON, without reading more of it.

use std::ops::Range;

use memchr::{memchr, memchr_iter, memchr2};

/// Where the string of JSON ends that begins there: its quote, or the end of the line.
pub(super) fn end_of_string(line: &[u8], start: usize) -> usize {
    let mut at = start;
    while let Some(found) = memchr2(b'"', b'\\', &line[at..]) {
        at += found;
        if line[at] == b'"' {
            return at;
        }
        at = (at + 2).min(line.len());
    }
    line.len()
}

/// The fields that hold pieces of an answer, or nothing but padding. Their text is the user's own and stays as it is.
const TEXTS: [&[u8]; 10] = [
    b"content",
    b"text",
    b"delta",
    b"arguments",
    b"partial_json",
    b"thinking",
    b"reasoning",
    b"reasoning_content",
    b"refusal",
    b"obfuscation",
];

/// Whether a field of this name holds a piece of an answer.
pub(super) fn holds_text(field: &[u8]) -> bool {
    TEXTS.contains(&field)
}

/// Where the strings stand, with their quotes. One that has no end is none.
pub(super) fn strings(json: &str) -> impl Iterator<Item = Range<usize>> {
    let bytes = json.as_bytes();
    let mut at = 0;
    std::iter::from_fn(move || {
        let start = at + memchr(b'"', bytes.get(at..)?)?;
        let end = end_of_string(bytes, start + 1);
        at = end + 1;
        (end < bytes.len()).then_some(start..at)
    })
}

/// A text in which characters stand as they are that were escaped as in a string of JSON.
#[derive(Debug, Default)]
pub(super) struct Unescaped {
    pub(super) text: String,
    /// Where in the text an escape ended, and how many bytes all escapes up to there were longer than what they mean.
    longer: Vec<(usize, usize)>,
    /// How many bytes at the end are the beginning of an escape. They are not in the text.
    pub(super) cut: usize,
}

impl Unescaped {
    /// Where the text at this place stood before.
    pub(super) fn place(&self, at: usize) -> usize {
        let before = self.longer.partition_point(|(end, _)| *end <= at);
        at + before.checked_sub(1).map_or(0, |last| self.longer[last].1)
    }

    /// Where that stands in the text which stood at this place before, or the next letter where that was within an escape.
    pub(super) fn text_at(&self, place: usize) -> usize {
        let before = self.longer.partition_point(|(end, longer)| end + longer <= place);
        let (end, longer) = before.checked_sub(1).map_or((0, 0), |last| self.longer[last]);
        let at = (place - longer).max(end);
        match self.longer.get(before) {
            Some((end, _)) => at.min(*end),
            None => at.min(self.text.len()),
        }
    }
}

/// Where the escape begins that stands at this place of a piece of JSON; the place itself where none does.
pub(super) fn start_of_escape(json: &str, place: usize) -> usize {
    let bytes = json.as_bytes();
    let backslashes = |end: usize| bytes[..end].iter().rev().take_while(|byte| **byte == b'\\').count();
    let is_start = |start: &usize| {
        let length = if bytes.get(start + 1) == Some(&b'u') { 6 } else { 2 };
        bytes[*start] == b'\\' && backslashes(*start) % 2 == 0 && start + length > place
    };
    (place.saturating_sub(5)..place).find(is_start).unwrap_or(place)
}

/// Reads the escapes in a piece of JSON, which may be cut within one. Halves of characters stay escaped. `None` where there is none.
pub(super) fn unescaped(json: &str) -> Option<Unescaped> {
    let mut read = Unescaped::default();
    let (mut kept, mut longer) = (0, 0);
    for at in memchr_iter(b'\\', json.as_bytes()) {
        // The second one of two.
        if at < kept {
            continue;
        }
        let (letter, length) = match escape(&json.as_bytes()[at + 1..]) {
            Escape::Of(letter, length) => (letter, length),
            Escape::Cut => {
                read.cut = json.len() - at;
                break;
            }
            Escape::None => continue,
        };
        read.text.push_str(&json[kept..at]);
        read.text.push(letter);
        kept = at + length;
        longer += length - letter.len_utf8();
        read.longer.push((read.text.len(), longer));
    }
    read.text.push_str(&json[kept..json.len() - read.cut]);
    (read.cut > 0 || longer > 0).then_some(read)
}

/// What stands behind a backslash.
enum Escape {
    /// An escape that means this character, and its length with the backslash.
    Of(char, usize),
    /// The beginning of one.
    Cut,
    /// None that means a character.
    None,
}

fn escape(after: &[u8]) -> Escape {
    let letter = match after {
        [] => return Escape::Cut,
        [b'u', digits @ ..] => {
            let digits = &digits[..digits.len().min(4)];
            if !digits.iter().all(u8::is_ascii_hexdigit) {
                return Escape::None;
            }
            let Some(digits) = str::from_utf8(digits).ok().filter(|digits| digits.len() == 4) else {
                return Escape::Cut;
            };
            let letter = u32::from_str_radix(digits, 16).ok().and_then(char::from_u32);
            return letter.map_or(Escape::None, |letter| Escape::Of(letter, 6));
        }
        [letter @ (b'/' | b'"' | b'\\'), ..] => char::from(*letter),
        [b'b', ..] => '\u{8}',
        [b'f', ..] => '\u{c}',
        [b'n', ..] => '\n',
        [b'r', ..] => '\r',
        [b't', ..] => '\t',
        _ => return Escape::None,
    };
    Escape::Of(letter, 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_read_and_their_places_known() {
        for (json, text, cut) in [
            (r"a\u002db", "a-b", 0),
            (r"\/x\u002F", "/x/", 0),
            (r"\\u002d\\\u002d", r"\u002d\-", 0),
            (r"é\u0073k\u002", "ésk", 5),
            (r"a\u", "a", 2),
            (r"a\", "a", 1),
            (r#"\n\u0073\"\t\r\b\f"#, "\ns\"\t\r\u{8}\u{c}", 0),
            (r"\u00e9\u20ac\ud83d\u0022", "é€\\ud83d\"", 0),
            (r"\uzz\é\u12", r"\uzz\é", 4),
        ] {
            let read = unescaped(json).expect("an escape");
            assert_eq!((&*read.text, read.cut), (text, cut), "{json}");
            let end = json.len() - cut;
            assert_eq!((read.place(0), read.place(read.text.len())), (0, end), "{json}");
            assert_eq!((read.text_at(0), read.text_at(end)), (0, read.text.len()), "{json}");
        }
        for json in [r"\ud83d\ude00", r"\x\uzz", "", "plain"] {
            assert!(unescaped(json).is_none(), "{json}");
        }
        let read = unescaped(r"x\u0073k\u002d1").expect("escapes");
        assert_eq!((read.text.as_str(), [1, 2, 3, 4].map(|at| read.place(at))), ("xsk-1", [1, 7, 8, 14]));
        assert_eq!([1, 2, 6, 7, 8, 9, 13, 14].map(|place| read.text_at(place)), [1, 2, 2, 2, 3, 4, 4, 4]);
    }

    #[test]
    fn an_escape_is_found_around_what_it_takes() {
        for (json, place, start) in [
            (r"ab\u0073k", 6, 2),
            (r"ab\u0073k", 8, 8),
            (r"a\nv", 2, 1),
            (r"a\\nv", 3, 3),
            (r"a\\\nv", 4, 3),
            ("abc", 2, 2),
            ("abc", 0, 0),
        ] {
            assert_eq!(start_of_escape(json, place), start, "{json}");
        }
    }

    #[test]
    fn strings_are_found_to_their_own_quotes() {
        let json = r#"data: {"a": "b\"c\\", "": ["é"]} "cut \""#;
        let found: Vec<&str> = strings(json).map(|place| &json[place]).collect();
        assert_eq!(found, [r#""a""#, r#""b\"c\\""#, r#""""#, r#""é""#]);
    }
}
