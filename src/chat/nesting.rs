//! How far a JSON text that arrives in pieces is open.

/// What has been opened in a JSON text and not been closed again.
#[derive(Debug, Clone, Copy, Default)]
pub struct Nesting {
    /// Objects and lists.
    depth: usize,
    /// Whether the text is no object or list.
    is_other: bool,
    has_begun: bool,
    is_in_text: bool,
    is_escaped: bool,
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
            if std::mem::take(&mut self.is_escaped) {
                continue;
            }
            match byte {
                b'\\' if self.is_in_text => self.is_escaped = true,
                b'"' if self.depth > 0 => self.is_in_text = !self.is_in_text,
                b'{' | b'[' if !self.is_in_text => self.depth += 1,
                b'}' | b']' if !self.is_in_text => self.depth = self.depth.saturating_sub(1),
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
