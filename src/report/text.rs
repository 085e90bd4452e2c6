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
    pieces: Vec<Piece>,
}

/// Text in one look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Piece {
    kind: Kind,
    text: String,
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
        Self { pieces: if text.is_empty() { Vec::new() } else { vec![Piece { kind, text }] } }
    }

    pub fn is_empty(&self) -> bool {
        self.pieces.iter().all(|piece| piece.text.is_empty())
    }

    /// How many bytes it has without its colours.
    pub(super) fn len(&self) -> usize {
        self.pieces.iter().map(|piece| piece.text.len()).sum()
    }

    /// What follows `before` in this text, where it begins with that, in the same looks.
    pub(super) fn after(&self, before: &Self) -> Option<Self> {
        let mut rest = Self::new();
        let mut earlier = before.pieces.iter();
        for piece in &self.pieces {
            match earlier.next() {
                None => rest.pieces.push(piece.clone()),
                Some(known) if known == piece => {}
                // Only the last piece may have grown.
                Some(known) if known.kind == piece.kind && earlier.as_slice().is_empty() => {
                    let text = piece.text.strip_prefix(known.text.as_str())?;
                    rest.pieces.push(Piece { kind: piece.kind, text: text.to_owned() });
                }
                Some(_) => return None,
            }
        }
        earlier.as_slice().is_empty().then_some(rest)
    }

    /// Its pieces, each in one look.
    pub(super) fn into_pieces(self) -> impl Iterator<Item = Piece> {
        self.pieces.into_iter()
    }

    /// Without spaces at its end.
    pub(super) fn trim_end(&mut self) {
        while let Some(last) = self.pieces.last_mut() {
            last.text.truncate(last.text.trim_end_matches(' ').len());
            if !last.text.is_empty() {
                return;
            }
            self.pieces.pop();
        }
    }

    /// How many cells it takes without line breaks.
    pub(super) fn width(&self) -> usize {
        self.pieces.iter().map(|piece| super::wrap::width(&piece.text)).sum()
    }

    /// The most cells that a terminal takes for it.
    pub(super) fn most_cells(&self) -> usize {
        self.pieces.iter().map(|piece| super::wrap::most_cells(&piece.text)).sum()
    }

    /// Makes it empty and keeps its memory.
    pub(super) fn clear(&mut self) {
        match self.pieces.first_mut() {
            Some(first) if first.kind == Kind::Plain => {
                first.text.clear();
                self.pieces.truncate(1);
            }
            _ => self.pieces.clear(),
        }
    }

    /// What is written: everything as it is, or, for a terminal, without any character that it would obey.
    pub(super) fn shown(&self, for_terminal: bool) -> Cow<'_, str> {
        match self.pieces.as_slice() {
            [] => Cow::Borrowed(""),
            [piece] => piece.shown(for_terminal),
            pieces => Cow::Owned(pieces.iter().map(|piece| piece.shown(for_terminal)).collect()),
        }
    }
}

impl Piece {
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Other text in the same look.
    pub(super) fn with(&self, text: &str) -> Text {
        Text::of(self.kind, text.to_owned())
    }

    fn shown(&self, for_terminal: bool) -> Cow<'_, str> {
        let text = match self.kind {
            _ if !for_terminal => Cow::Borrowed(self.text.as_str()),
            Kind::Json => escape::json(&self.text),
            Kind::Plain | Kind::Painted(_) => escape::terminal(&self.text),
        };
        match self.kind {
            Kind::Painted(sgr) => Cow::Owned(format!("\x1b[{sgr}m{text}\x1b[0m")),
            Kind::Plain | Kind::Json => text,
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
        match self.pieces.last_mut() {
            Some(last) if last.kind == Kind::Plain => last.text.push_str(text),
            _ => self.extend([Self::from(text)]),
        }
    }
}

impl AddAssign<&String> for Text {
    fn add_assign(&mut self, text: &String) {
        *self += text.as_str();
    }
}

impl AddAssign for Text {
    fn add_assign(&mut self, text: Self) {
        for piece in text.pieces {
            match self.pieces.last_mut() {
                // Line breaks may stand in two pieces: `\r\n` is one wherever it is cut.
                Some(last) if last.kind == piece.kind => {
                    last.text.push_str(&piece.text);
                }
                _ => self.pieces.push(piece),
            }
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
        ALL.get(usize::from(self.0)).copied().unwrap_or("2")
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

    /// Text of an answer with this look.
    pub(super) fn look(self, look: Look, text: impl Into<String>) -> Text {
        if look == Look::PLAIN { text.into().into() } else { self.with(look.sgr(), text) }
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
}
