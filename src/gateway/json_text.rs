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

/// A text in which letters, digits and signs stand as they are that were escaped as in a string of JSON.
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
}

/// Reads the escapes of printable ASCII in a piece of JSON, which may be cut within one. Quotes and backslashes stay escaped, so
/// that JSON stays JSON. `None` where there is none.
pub(super) fn unescaped(json: &str) -> Option<Unescaped> {
    let mut read = Unescaped::default();
    let (mut kept, mut longer, mut after) = (0, 0, 0);
    for at in memchr_iter(b'\\', json.as_bytes()) {
        if at < after {
            continue;
        }
        let escape = &json.as_bytes()[at + 1..];
        let (letter, length) = match escape {
            [] => (None, 1),
            [b'/', ..] => (Some('/'), 2),
            [b'u', digits @ ..] => {
                let digits = &digits[..digits.len().min(4)];
                if !digits.iter().all(u8::is_ascii_hexdigit) {
                    continue;
                }
                let code = str::from_utf8(digits).ok().filter(|digits| digits.len() == 4);
                let code = code.and_then(|digits| u8::from_str_radix(digits.strip_prefix("00")?, 16).ok());
                (code.map(char::from), 2 + digits.len())
            }
            _ => (None, 2),
        };
        after = at + length;
        if after >= json.len() && (escape.is_empty() || escape[0] == b'u' && length < 6) {
            read.cut = json.len() - at;
            break;
        }
        if let Some(letter) = letter.filter(|letter| matches!(letter, ' '..='~') && !matches!(letter, '"' | '\\')) {
            read.text.push_str(&json[kept..at]);
            read.text.push(letter);
            kept = after;
            longer += length - 1;
            read.longer.push((read.text.len(), longer));
        }
    }
    read.text.push_str(&json[kept..json.len() - read.cut]);
    (read.cut > 0 || longer > 0).then_some(read)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_of_printable_letters_are_read_and_their_places_known() {
        for (json, text, cut) in [
            (r"a\u002db", "a-b", 0),
            (r"\/x\u002F", "/x/", 0),
            (r"\\u002d\\\u002d", r"\\u002d\\-", 0),
            (r"é\u0073k\u002", "ésk", 5),
            (r"a\u", "a", 2),
            (r"a\", "a", 1),
            (r"\n\u0073", r"\ns", 0),
        ] {
            let read = unescaped(json).expect("an escape");
            assert_eq!((&*read.text, read.cut), (text, cut), "{json}");
            assert_eq!(read.place(0), 0);
            assert_eq!(read.place(read.text.len()), json.len() - cut, "{json}");
        }
        for json in [r"\n\t\\", r"\u0022\u005c", r"\u00e9\ud83d\ude00", r"\uzz\é\u12", "", "plain"] {
            assert!(unescaped(json).is_none_or(|read| read.cut > 0), "{json}");
        }
        let read = unescaped(r"x\u0073k\u002d1").expect("escapes");
        assert_eq!((read.text.as_str(), [1, 2, 3, 4].map(|at| read.place(at))), ("xsk-1", [1, 7, 8, 14]));
    }

    #[test]
    fn strings_are_found_to_their_own_quotes() {
        let json = r#"data: {"a": "b\"c\\", "": ["é"]} "cut \""#;
        let found: Vec<&str> = strings(json).map(|place| &json[place]).collect();
        assert_eq!(found, [r#""a""#, r#""b\"c\\""#, r#""""#, r#""é""#]);
    }
}
