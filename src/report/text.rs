//! Text of a report. Its colours are data, and become escape sequences only when it is written.
//!
//! No text is trusted. [`Text`] can be made of any string, so no caller has to remember to escape one: when it is written
//! to a terminal, every character of it that a terminal would obey is shown instead. The escape sequences of colours are
//! made at that moment from [`Style`], and from nowhere else. A pipe or a file gets the strings byte for byte.

use std::borrow::Cow;
use std::fmt;
use std::ops::{Add, AddAssign};

use super::escape;

/// Text for one of the outputs of [`super::term`] or for a file; nothing else can be printed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Text {
    text: String,
    /// The parts of the text, one after the other. What follows the last of them is plain; two neighbours are never of the
    /// same kind.
    parts: Vec<Part>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Part {
    /// Where it ends, in bytes.
    end: usize,
    kind: Kind,
}

/// Text in one look.
#[derive(Debug, Clone, Copy)]
pub(super) struct Piece<'t> {
    kind: Kind,
    pub(super) text: &'t str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Plain,
    /// A JSON document, for which a terminal gets the escapes of JSON, so that it still means the same.
    Json,
    /// The parameters of the escape sequence (Select Graphic Rendition) that begins the colour.
    Painted(&'static str),
}

impl Text {
    pub fn new() -> Self {
        Self::default()
    }

    /// A JSON document, or a part of one that ends outside of strings.
    pub fn json(document: String) -> Self {
        Self::of(Kind::Json, document)
    }

    /// What another library has coloured with escape sequences. Of those, only the colours that we use ourselves are kept
    /// as colours; everything else is text like any other.
    pub fn of_ansi(ansi: &str, style: Style) -> Self {
        let mut text = Self::new();
        let mut codes: Vec<&str> = Vec::new();
        for (n, part) in ansi.split("\x1b[").enumerate() {
            let code = part.split_once('m').filter(|(code, _)| n > 0 && code.bytes().all(|b| b.is_ascii_digit()));
            let words = match code {
                Some(("" | "0", words)) => {
                    codes.clear();
                    words
                }
                Some((code, words)) => {
                    codes.push(code);
                    words
                }
                None => {
                    text += if n > 0 { "\x1b[" } else { "" };
                    part
                }
            };
            let known = ["1", "1;4", "4", "1;31", "31", "32", "33", "36"];
            match known.into_iter().find(|known| *known == codes.join(";")) {
                Some(sgr) => text += style.with(sgr, words),
                None => text += words,
            }
        }
        text
    }

    /// All of the texts, with `between` them.
    pub fn join(texts: impl IntoIterator<Item = Self>, between: &str) -> Self {
        let mut all = Self::new();
        for (n, text) in texts.into_iter().enumerate() {
            all += if n > 0 { between } else { "" };
            all += text;
        }
        all
    }

    fn of(kind: Kind, text: String) -> Self {
        let parts =
            if kind == Kind::Plain || text.is_empty() { Vec::new() } else { vec![Part { end: text.len(), kind }] };
        Self { text, parts }
    }

    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// How many bytes it has without its colours.
    pub(super) fn len(&self) -> usize {
        self.text.len()
    }

    /// Whether it begins with this text in the same looks.
    pub(super) fn starts_with(&self, beginning: &Self) -> bool {
        let mut pieces = self.pieces();
        let (mut ours, mut theirs) = (0, 0);
        let mut begins_with = |known: Piece<'_>| {
            let Some(piece) = pieces.next() else { return false };
            let is_same = ours == theirs && piece.kind == known.kind && piece.text.starts_with(known.text);
            ours += piece.text.len();
            theirs += known.text.len();
            is_same
        };
        beginning.pieces().all(&mut begins_with)
    }

    /// Its pieces, each in one look.
    pub(super) fn pieces(&self) -> Pieces<'_> {
        self.pieces_from(0)
    }

    /// The pieces from this byte on.
    fn pieces_from(&self, start: usize) -> Pieces<'_> {
        Pieces { text: &self.text, at: start, parts: self.parts.iter() }
    }

    /// The text of its last piece.
    pub(super) fn last_piece(&self) -> Option<&str> {
        let ends = |part: &&Part| part.end < self.text.len();
        let begins = self.parts.iter().rfind(ends).map_or(0, |part| part.end);
        Some(&self.text[begins..]).filter(|text| !text.is_empty())
    }

    /// The same, with memory for so many bytes more.
    pub(super) fn clone_with_room(&self, bytes: usize) -> Self {
        let mut text = String::with_capacity(self.text.len() + bytes);
        text.push_str(&self.text);
        Self { text, parts: self.parts.clone() }
    }

    /// Adds text in the look of this piece.
    pub(super) fn push_like(&mut self, piece: Piece<'_>, text: &str) {
        self.push(piece.kind, text);
    }

    /// Adds text of an answer with this look.
    pub(super) fn push_look(&mut self, style: Style, look: Look, text: &str) {
        let is_plain = look == Look::PLAIN || !style.on;
        self.push(if is_plain { Kind::Plain } else { Kind::Painted(look.sgr()) }, text);
    }

    fn push(&mut self, kind: Kind, text: &str) {
        if text.is_empty() {
            return;
        }
        let begins = self.text.len();
        self.text.push_str(text);
        let end = self.text.len();
        let covered = self.parts.last().map_or(0, |part| part.end);
        match self.parts.last_mut() {
            Some(last) if last.kind == kind && covered == begins => last.end = end,
            _ if kind == Kind::Plain => {}
            _ => {
                if covered < begins {
                    self.parts.push(Part { end: begins, kind: Kind::Plain });
                }
                self.parts.push(Part { end, kind });
            }
        }
    }

    /// Without spaces at its end.
    pub(super) fn trim_end(&mut self) {
        self.text.truncate(self.text.trim_end_matches(' ').len());
        let end = self.text.len();
        while let Some(last) = self.parts.pop() {
            let begins = self.parts.last().map_or(0, |part| part.end);
            if begins < end && last.kind != Kind::Plain {
                return self.parts.push(Part { end: last.end.min(end), kind: last.kind });
            }
        }
    }

    /// How many cells it takes without line breaks.
    pub(super) fn width(&self) -> usize {
        self.pieces().map(|piece| super::wrap::width(piece.text)).sum()
    }

    /// The most cells that a terminal takes for it.
    pub(super) fn most_cells(&self) -> usize {
        self.pieces().map(|piece| super::wrap::most_cells(piece.text)).sum()
    }

    /// Makes it empty and keeps its memory.
    pub(super) fn clear(&mut self) {
        self.text.clear();
        self.parts.clear();
    }

    /// The same without any character that a terminal obeys, for what is shown on one later.
    pub fn escaped(&self) -> Self {
        let mut escaped = Self::new();
        self.pieces().for_each(|piece| escaped.push(piece.kind, &Piece { ..piece }.shown(true)));
        escaped
    }

    /// What is written: everything as it is, or, for a terminal, without any character that it would obey.
    pub(super) fn shown(&self, for_terminal: bool) -> Cow<'_, str> {
        let is_painted = |part: &Part| matches!(part.kind, Kind::Painted(_));
        match self.parts.as_slice() {
            [] => Piece { kind: Kind::Plain, text: &self.text }.shown(for_terminal),
            [Part { end, kind: Kind::Json }] if *end == self.text.len() => {
                Piece { kind: Kind::Json, text: &self.text }.shown(for_terminal)
            }
            parts if !for_terminal && !parts.iter().any(is_painted) => Cow::Borrowed(&self.text),
            _ => {
                let mut shown = String::with_capacity(self.text.len() + 16 * self.parts.len());
                self.show(0, for_terminal, &mut shown);
                Cow::Owned(shown)
            }
        }
    }

    /// Appends what a terminal gets of it, from this byte on.
    pub(super) fn show_from(&self, start: usize, shown: &mut String) {
        self.show(start, true, shown);
    }

    fn show(&self, start: usize, for_terminal: bool, shown: &mut String) {
        for piece in self.pieces_from(start) {
            let text = piece.shown(for_terminal);
            match piece.kind {
                Kind::Painted(sgr) => shown.extend(["\x1b[", sgr, "m", &text, "\x1b[0m"]),
                Kind::Plain | Kind::Json => shown.push_str(&text),
            }
        }
    }
}

/// The pieces of a text.
pub(super) struct Pieces<'t> {
    text: &'t str,
    at: usize,
    parts: std::slice::Iter<'t, Part>,
}

impl<'t> Iterator for Pieces<'t> {
    type Item = Piece<'t>;

    fn next(&mut self) -> Option<Piece<'t>> {
        let at = self.at;
        let rest = || (at < self.text.len()).then_some(Part { end: self.text.len(), kind: Kind::Plain });
        let Part { end, kind } = self.parts.find(|part| part.end > at).copied().or_else(rest)?;
        self.at = end;
        Some(Piece { kind, text: &self.text[at..end] })
    }
}

impl<'t> Piece<'t> {
    /// Without its colours.
    fn shown(self, for_terminal: bool) -> Cow<'t, str> {
        match self.kind {
            _ if !for_terminal => Cow::Borrowed(self.text),
            Kind::Json => escape::json(self.text),
            Kind::Plain | Kind::Painted(_) => escape::terminal(self.text),
        }
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self::of(Kind::Plain, text)
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

impl AddAssign<&str> for Text {
    fn add_assign(&mut self, text: &str) {
        self.push(Kind::Plain, text);
    }
}

impl AddAssign<&String> for Text {
    fn add_assign(&mut self, text: &String) {
        *self += text.as_str();
    }
}

impl AddAssign<&Self> for Text {
    fn add_assign(&mut self, text: &Self) {
        // Line breaks may stand in two texts: `\r\n` is one wherever it is cut.
        text.pieces().for_each(|piece| self.push(piece.kind, piece.text));
    }
}

impl AddAssign for Text {
    fn add_assign(&mut self, text: Self) {
        if self.text.capacity() == 0 {
            *self = text;
        } else {
            *self += &text;
        }
    }
}

impl<T> Add<T> for Text
where
    Self: AddAssign<T>,
{
    type Output = Self;

    fn add(mut self, text: T) -> Self {
        self += text;
        self
    }
}

impl Extend<Self> for Text {
    fn extend<I: IntoIterator<Item = Self>>(&mut self, texts: I) {
        texts.into_iter().for_each(|text| *self += text);
    }
}

impl FromIterator<Self> for Text {
    fn from_iter<I: IntoIterator<Item = Self>>(texts: I) -> Self {
        let mut all = Self::new();
        all.extend(texts);
        all
    }
}

/// For tests alone: as a terminal gets it.
#[cfg(test)]
impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown(true))
    }
}

#[cfg(test)]
impl PartialEq<&str> for Text {
    fn eq(&self, other: &&str) -> bool {
        self.shown(true) == *other
    }
}

#[cfg(test)]
impl PartialEq<String> for Text {
    fn eq(&self, other: &String) -> bool {
        self.shown(true) == other.as_str()
    }
}

/// `write!` appends text without colour.
impl fmt::Write for Text {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        *self += text;
        Ok(())
    }
}

/// How a piece of an answer looks: any of these together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Look(u8);

impl Look {
    pub(super) const PLAIN: Self = Self(0);
    pub(super) const BOLD: Self = Self(1);
    pub(super) const ITALIC: Self = Self(2);
    pub(super) const UNDERLINE: Self = Self(4);
    pub(super) const STRIKE: Self = Self(8);
    /// The colour of code within a line.
    pub(super) const CODE: Self = Self(16);
    /// Alone, whatever else there is.
    pub(super) const DIM: Self = Self(32);
    /// In a block of code, as the next two.
    pub(super) const STRING: Self = Self(64);
    pub(super) const KEYWORD: Self = Self(128);
    pub(super) const NUMBER: Self = Self::CODE;

    pub(super) fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Its parameters of Select Graphic Rendition.
    fn sgr(self) -> &'static str {
        const ALL: [&str; 32] = [
            "",
            "1",
            "3",
            "1;3",
            "4",
            "1;4",
            "3;4",
            "1;3;4",
            "9",
            "1;9",
            "3;9",
            "1;3;9",
            "4;9",
            "1;4;9",
            "3;4;9",
            "1;3;4;9",
            "36",
            "1;36",
            "3;36",
            "1;3;36",
            "4;36",
            "1;4;36",
            "3;4;36",
            "1;3;4;36",
            "9;36",
            "1;9;36",
            "3;9;36",
            "1;3;9;36",
            "4;9;36",
            "1;4;9;36",
            "3;4;9;36",
            "1;3;4;9;36",
        ];
        match self {
            Self::STRING => "32",
            Self::KEYWORD => "35",
            _ => ALL.get(usize::from(self.0)).copied().unwrap_or("2"),
        }
    }
}

/// Colour and weight, where they are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    pub on: bool,
}

impl Style {
    /// Whether there are colours.
    pub fn is_on(self) -> bool {
        self.on
    }

    pub fn bold(self, text: impl Into<String>) -> Text {
        self.with("1", text)
    }

    pub fn dim(self, text: impl Into<String>) -> Text {
        self.with("2", text)
    }

    pub fn red(self, text: impl Into<String>) -> Text {
        self.with("1;31", text)
    }

    /// A line that a change removes.
    pub(super) fn removed(self, text: impl Into<String>) -> Text {
        self.with("31", text)
    }

    pub fn green(self, text: impl Into<String>) -> Text {
        self.with("32", text)
    }

    pub fn yellow(self, text: impl Into<String>) -> Text {
        self.with("33", text)
    }

    pub fn cyan(self, text: impl Into<String>) -> Text {
        self.with("36", text)
    }

    pub fn magenta(self, text: impl Into<String>) -> Text {
        self.with("35", text)
    }

    fn with(self, sgr: &'static str, text: impl Into<String>) -> Text {
        Text::of(if self.on { Kind::Painted(sgr) } else { Kind::Plain }, text.into())
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::HOSTILE;
    use super::*;

    const ON: Style = Style { on: true };
    const OFF: Style = Style { on: false };

    #[test]
    fn colour_surrounds_text_only_where_it_is_wanted() {
        assert_eq!(OFF.red("x").shown(true), "x");
        assert_eq!(ON.red("x").shown(true), "\x1b[1;31mx\x1b[0m");
        assert_eq!(ON.red("x").shown(false), "\x1b[1;31mx\x1b[0m", "colours may be forced for a pipe");
        assert_eq!(ON.red("").shown(true), "");
    }

    #[test]
    fn a_terminal_gets_no_escape_but_our_colours_and_a_pipe_every_byte() {
        let text = Text::from(HOSTILE) + ON.dim(HOSTILE) + HOSTILE;
        let shown = escape::terminal(HOSTILE);
        assert_eq!(text.shown(true), format!("{shown}\x1b[2m{shown}\x1b[0m{shown}"));
        assert_eq!((Text::from(HOSTILE) + HOSTILE).shown(false), HOSTILE.repeat(2));
    }

    #[test]
    fn json_for_a_terminal_stays_json() {
        let document = serde_json::json!({ "text": HOSTILE });
        let shown = Text::json(document.to_string()).shown(true).into_owned();
        assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).expect("JSON"), document);
        assert!(!shown.contains(|c: char| c.is_control()), "{shown:?}");
    }

    #[test]
    fn a_line_break_may_be_cut_in_two() {
        assert_eq!((Text::from("a\r") + "\nb").shown(true), "a\nb");
        assert_eq!((Text::from("a\r") + Text::from("\nb")).shown(true), "a\nb");
    }

    #[test]
    fn colours_of_others_become_ours_and_their_other_sequences_text() {
        let ansi = "\x1b[1m\x1b[31merror:\x1b[0m no \x1b[33m--x\x1b[2J\x1b[0m\x1b[5mblinks\x1b[0m \x1b]0;t\x07";
        assert_eq!(
            Text::of_ansi(ansi, ON).shown(true),
            "\x1b[1;31merror:\x1b[0m no \x1b[33m--x\x1b[0m␛[\x1b[33m2J\x1b[0mblinks ␛]0;t␇"
        );
        assert_eq!(Text::of_ansi("\x1b[1mUsage:\x1b[0m llm", OFF).shown(false), "Usage: llm");
        assert_eq!(Text::of_ansi("7m of wood \x1b[?25hm", ON).shown(true), "7m of wood ␛[?25hm");
    }

    #[test]
    fn a_text_is_as_long_as_what_is_read_of_it() {
        assert_eq!(
            Text::join([Text::from("a"), ON.red("bc"), Text::from("d")], ", ").shown(true),
            "a, \x1b[1;31mbc\x1b[0m, d"
        );
        assert_eq!(Text::join([], ", "), "");
        let text = Text::from("ab") + ON.red("日");
        assert_eq!((text.len(), text.width(), text.is_empty()), (5, 4, false));
        let empty = Text::from("") + ON.red("");
        assert_eq!((empty.len(), empty.width(), empty.is_empty()), (0, 0, true));
    }

    #[test]
    fn a_text_begins_with_another_where_letters_and_looks_are_the_same() {
        let text = || Text::from("ab") + ON.red("cd") + "ef";
        let begins = [Text::new(), "a".into(), "ab".into(), Text::from("ab") + ON.red("c"), text()];
        for beginning in &begins {
            assert!(text().starts_with(beginning), "{beginning:?}");
            let mut shown = beginning.shown(true).into_owned();
            text().show_from(beginning.len(), &mut shown);
            assert_eq!(shown.replace("\x1b[0m\x1b[1;31m", ""), text().shown(true));
        }
        let others = ["abc".into(), ON.red("a"), Text::from("ab") + ON.green("c"), Text::from("ab") + ON.red("cde")];
        let longer = [text() + "g", text() + ON.red("g")];
        for other in others.iter().chain(&longer) {
            assert!(!text().starts_with(other), "{other:?}");
        }
        assert!(longer[0].starts_with(&text()) && longer[1].starts_with(&text()));
    }

    #[test]
    fn texts_that_look_the_same_are_the_same() {
        let mut trimmed = Text::from("a ") + ON.red("  ") + " ";
        trimmed.trim_end();
        assert_eq!(trimmed, Text::from("a"));
        assert_eq!(trimmed + ON.red("b") + ON.red("c") + "d", Text::from("a") + ON.red("bc") + "d");
        let mut red = Text::from("a") + ON.red("b ") + " ";
        red.trim_end();
        assert_eq!(red, Text::from("a") + ON.red("b"));
        assert_eq!(red.last_piece(), Some("b"));
    }
}
