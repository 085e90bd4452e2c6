//! Makes untrusted text safe for the place where it is shown.
//!
//! Models, gateways and files may send any character. Nothing is removed: a character that a terminal, a spreadsheet or a
//! browser would obey is replaced by something visible. For terminals, each character is replaced alone, so a sequence
//! that is cut into pieces is replaced like a whole one.

use std::borrow::Cow;
use std::fmt::Write;

/// Whether a terminal must not get this character, because it would act on the terminal, be invisible, or reorder text.
pub fn is_unsafe(c: char) -> bool {
    matches!(c,
        '\0'..='\x08' | '\x0b'..='\x1f' | '\x7f'..='\u{9f}'
        | '\u{ad}' | '\u{34f}' | '\u{61c}'
        | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180e}'
        | '\u{200b}' | '\u{200e}' | '\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{3164}' | '\u{ffa0}'
        | '\u{feff}'
        | '\u{fff0}'..='\u{fffb}'
        | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e0fff}')
}

/// Whether any character of the text is unsafe.
pub(super) fn has_unsafe(text: &str) -> bool {
    // Most text has printable ASCII alone, of which this looks at many bytes at once.
    let is_plain = text.bytes().fold(true, |all, byte| all & matches!(byte, b' '..=b'~' | b'\n' | b'\t'));
    !is_plain && text.contains(is_unsafe)
}

/// Appends the replacement of an unsafe character: its picture (`␛`) where there is one, else its number (`\u{9b}`).
fn push_visible(c: char, out: &mut String) {
    match c {
        '\0'..='\x1f' => out.push(char::from_u32(0x2400 + u32::from(c)).unwrap_or('\u{fffd}')),
        '\x7f' => out.push('␡'),
        // A write to a String cannot fail.
        _ => _ = write!(out, "{}", c.escape_unicode()),
    }
}

/// The text for a terminal. Line breaks and tabs stay, `\r\n` becomes `\n`, and unsafe characters become visible.
pub fn terminal(text: &str) -> Cow<'_, str> {
    if !has_unsafe(text) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    let mut stream = Stream::default();
    stream.push(text, &mut out);
    stream.finish(&mut out);
    Cow::Owned(out)
}

/// [`terminal`] on one line: line breaks become `⏎` and tabs spaces, for labels, cells and messages.
pub fn line(text: &str) -> Cow<'_, str> {
    let text = terminal(text.trim_end());
    if !text.contains(['\n', '\t']) {
        return text;
    }
    Cow::Owned(text.split('\n').map(str::trim_end).collect::<Vec<_>>().join(" ⏎ ").replace('\t', " "))
}

/// [`terminal`] for text that comes in pieces, cut anywhere. The one thing it must remember is a carriage return at the
/// end of a piece, which is half a line break if the next piece begins with the other half.
#[derive(Debug, Default)]
pub struct Stream {
    held_return: bool,
}

impl Stream {
    /// The safe form of the next piece.
    pub(super) fn safe<'t>(&mut self, text: &'t str) -> Cow<'t, str> {
        if !self.held_return && !has_unsafe(text) {
            return Cow::Borrowed(text);
        }
        let mut out = String::with_capacity(text.len());
        self.push(text, &mut out);
        Cow::Owned(out)
    }

    /// Appends the safe form of the next piece.
    pub fn push(&mut self, text: &str, out: &mut String) {
        for (safe, c) in pieces(text) {
            if std::mem::take(&mut self.held_return) && !safe.starts_with('\n') {
                push_visible('\r', out);
            }
            out.push_str(safe);
            match c {
                Some('\r') => self.held_return = true,
                Some(c) => push_visible(c, out),
                None => {}
            }
        }
    }

    /// Appends what was held back. To be called when no more text follows.
    pub fn finish(&mut self, out: &mut String) {
        if std::mem::take(&mut self.held_return) {
            push_visible('\r', out);
        }
    }
}

/// Cuts text into runs of safe characters, each with the unsafe one that ends it.
fn pieces(text: &str) -> impl Iterator<Item = (&str, Option<char>)> {
    text.split_inclusive(is_unsafe).map(|piece| match piece.chars().next_back().filter(|c| is_unsafe(*c)) {
        Some(c) => (&piece[..piece.len() - c.len_utf8()], Some(c)),
        None => (piece, None),
    })
}

/// JSON text for a terminal: what [`terminal`] would show becomes the `\u` escape that JSON has for it, so that the
/// document still means the same. In JSON such characters stand inside of strings only.
pub fn json(document: &str) -> Cow<'_, str> {
    // Outside of strings, a carriage return is white space like any other.
    let escaped = |c: char| c != '\r' && is_unsafe(c);
    if !document.contains(escaped) {
        return Cow::Borrowed(document);
    }
    let mut out = String::with_capacity(document.len() + 16);
    for c in document.chars() {
        if escaped(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                _ = write!(out, "\\u{unit:04x}");
            }
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

/// Text for an HTML element or a quoted attribute. Control characters that HTML forbids become pictures.
pub fn html(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 8);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\r' if chars.peek() == Some(&'\n') => {}
            // Right-to-left overrides and invisible tags deceive readers in a browser, too.
            c if is_unsafe(c) => push_visible(c, &mut out),
            c => out.push(c),
        }
    }
    out
}

/// A CSV cell that no spreadsheet takes for a formula: an apostrophe goes before text of which any line begins (after
/// spaces) with `=`, `+`, `-`, `@`, a tab or a carriage return. Numbers stay as they are.
pub fn csv_cell(text: &str) -> Cow<'_, str> {
    let formula = |line: &str| {
        let start = line.trim_start_matches([' ', '\u{a0}']);
        // The last four are the full-width forms, which spreadsheets of East Asian locales obey, too.
        start.starts_with(['=', '+', '-', '@', '\t', '\r', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}'])
    };
    let guarded = text.split(['\n', '\r']).any(formula) || formula(text);
    // `inf` and `nan` read as floats but never begin with a guarded character; `-inf` does and is no number.
    let number = text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'.' | b'-' | b'+' | b'e' | b'E'))
        && text.parse::<f64>().is_ok();
    if guarded && !number { Cow::Owned(format!("'{text}")) } else { Cow::Borrowed(text) }
}

/// A Markdown fence longer than any run of backticks in the text.
pub fn markdown_fence(text: &str) -> String {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    "`".repeat(longest.max(2) + 1)
}

/// One line of Markdown text, as in a table cell or a heading, that means nothing but itself.
pub fn markdown_line(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for c in line(text).chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '#' | '~' | '!' => out.extend(['\\', c]),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests;
