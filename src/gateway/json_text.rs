//! Finds the strings in lines of JSON, without reading more of it.

use std::ops::Range;

use memchr::{memchr, memchr2};

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_found_to_their_own_quotes() {
        let json = r#"data: {"a": "b\"c\\", "": ["é"]} "cut \""#;
        let found: Vec<&str> = strings(json).map(|place| &json[place]).collect();
        assert_eq!(found, [r#""a""#, r#""b\"c\\""#, r#""""#, r#""é""#]);
    }
}
