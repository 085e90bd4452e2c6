//! How far a JSON text that arrives in pieces is open.

/// Tells the strings of a JSON text from what stands between them, byte by byte.
#[derive(Debug, Clone, Copy, Default)]
pub struct JsonStrings {
    is_inside: bool,
    is_escaped: bool,
}

impl JsonStrings {
    /// Reads the next byte, and returns whether it belongs to a string. Its quotes do.
    pub fn holds(&mut self, byte: u8) -> bool {
        let was_inside = self.is_inside;
        match byte {
            _ if std::mem::take(&mut self.is_escaped) => {}
            b'\\' => self.is_escaped = self.is_inside,
            b'"' => self.is_inside = !self.is_inside,
            _ => {}
        }
        was_inside || self.is_inside
    }
}

/// The most values of a JSON text that is held in memory as a whole, in all of its lists and objects. Each takes some hundred
/// bytes.
pub const MOST_VALUES: usize = 500_000;

/// An object takes as much memory as so many other values.
const OBJECT: usize = 4;

/// Checks that a JSON text can be held in memory as a whole. Each value but the first comes after a comma, or is the first of a list
/// or an object.
///
/// # Errors
/// It has more than [`MOST_VALUES`], in words for the user.
pub fn check_values(json: &[u8]) -> Result<(), String> {
    let weight = |byte: &u8| match byte {
        b'{' => OBJECT,
        b',' | b'[' => 1,
        _ => 0,
    };
    // Most texts have fewer, with all that stands in their strings.
    if json.len() <= MOST_VALUES / OBJECT || json.iter().map(weight).sum::<usize>() < MOST_VALUES {
        return Ok(());
    }
    let mut strings = JsonStrings::default();
    let found: usize = json.iter().filter(|byte| !strings.holds(**byte)).map(weight).sum();
    if found < MOST_VALUES { Ok(()) } else { Err(format!("it has more than {MOST_VALUES} values")) }
}

/// What has been opened in a JSON text and not been closed again.
#[derive(Debug, Clone, Copy, Default)]
pub struct Nesting {
    /// Objects and lists.
    depth: usize,
    /// Whether the text is no object or list.
    is_other: bool,
    has_begun: bool,
    strings: JsonStrings,
}

impl Nesting {
    /// Reads the next piece. A text that does not begin as an object or a list opens nothing: it may be no JSON at all.
    pub fn push(&mut self, piece: &str) {
        for byte in piece.bytes() {
            if !self.has_begun && !byte.is_ascii_whitespace() {
                self.has_begun = true;
                self.is_other = !matches!(byte, b'{' | b'[');
            }
            if self.is_other {
                return;
            }
            match byte {
                _ if self.strings.holds(byte) => {}
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' => self.depth = self.depth.saturating_sub(1),
                _ => {}
            }
        }
    }

    /// Whether an object or a list is open, so that the text breaks off if it ends here.
    pub fn is_open(&self) -> bool {
        self.depth > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_text_of_very_many_values_is_refused_and_objects_count_for_several() {
        let list = |item: &str, count: usize| format!("[{}]", vec![item; count].join(","));
        for (json, is_good) in [
            (list("1", MOST_VALUES - 1), true),
            (list("1", MOST_VALUES), false),
            (list("{}", MOST_VALUES / 5 - 1), true),
            (list("{}", MOST_VALUES / 5 + 1), false),
            (list("\"[{,\\\",\"", MOST_VALUES / 2), true),
            ("{".repeat(MOST_VALUES), false),
        ] {
            let end = json.len().min(20);
            assert_eq!(check_values(json.as_bytes()).is_ok(), is_good, "{} {}", &json[..end], json.len());
        }
    }

    #[test]
    fn a_text_is_open_until_its_last_bracket_however_it_is_cut() {
        let text = r#"{"a\"{": ["}", {"b": "\\"}], "é": "[["}"#;
        for cut in (0..text.len()).filter(|cut| text.is_char_boundary(*cut)) {
            let mut nesting = Nesting::default();
            nesting.push(&text[..cut]);
            assert_eq!(nesting.is_open(), cut > 0, "{}", &text[..cut]);
            nesting.push(&text[cut..]);
            assert!(!nesting.is_open(), "{cut}");
        }
        for text in [
            r#""{\"a\":1}""#,
            r#""{\"a"#,
            "s.split(\"[\")",
            "if x {",
            "",
            "null",
            "a \"quoted\" word",
            "it\"s",
            "7",
            "}",
            "{} \"",
        ] {
            let mut nesting = Nesting::default();
            nesting.push(text);
            assert!(!nesting.is_open(), "{text}");
        }
    }
}
