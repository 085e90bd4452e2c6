//! Fills lines with words that have looks. Nothing is lost: a word that is wider than a line is broken.

use unicode_segmentation::UnicodeSegmentation;

use super::super::text::{Look, Piece, Style, Text};
use super::super::wrap::width;

/// A piece of text in one look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) text: String,
    pub(super) look: Look,
}

/// Within a span, this ends the line. No text has it, because it would be shown as something visible.
pub(super) const BREAK: char = '\u{85}';

/// What stands before the text of each line of a block: the bars of quotes, the mark of an item.
#[derive(Debug, Clone, Default)]
pub(super) struct Margin {
    pub(super) first: Text,
    pub(super) rest: Text,
}

/// Lines of words, filled one after the other.
#[derive(Debug, Clone)]
pub(super) struct Flow {
    style: Style,
    columns: usize,
    margin: Margin,
    /// Every word has this look besides its own.
    look: Look,
    line: Text,
    /// How many cells of the line are taken, and how many of them by the margin.
    taken: usize,
    indent: usize,
    /// The spaces before the next word.
    gap: usize,
    gap_look: Look,
    /// A word that may go on.
    word: Text,
    word_width: usize,
    done: Vec<Text>,
}

impl Flow {
    pub(super) fn new(columns: usize, margin: Margin, look: Look, style: Style) -> Self {
        let indent = margin.first.width();
        Self {
            style,
            columns: columns.max(1),
            line: margin.first.clone(),
            margin,
            look,
            taken: indent,
            indent,
            gap: 0,
            gap_look: Look::PLAIN,
            word: Text::new(),
            word_width: 0,
            done: Vec::new(),
        }
    }

    /// How wide the page is.
    pub(super) fn columns(&self) -> usize {
        self.columns
    }

    /// Adds text. Its last word may go on with the next text.
    pub(super) fn push(&mut self, text: &str, look: Look) {
        let look = look.and(self.look);
        let mut rest = text;
        while !rest.is_empty() {
            let end = rest.find([' ', '\t', BREAK]).unwrap_or(rest.len());
            self.push_letters(&rest[..end], look);
            let Some(space) = rest[end..].chars().next() else { return };
            self.end_word();
            match space {
                BREAK => self.end_line(),
                _ if self.taken == self.indent => {}
                _ => {
                    self.gap += 1;
                    self.gap_look = look;
                }
            }
            rest = &rest[end + space.len_utf8()..];
        }
    }

    /// Adds to the word. Beside a character of two cells (日, 🎉) a line may end without a space.
    fn push_letters(&mut self, letters: &str, look: Look) {
        if letters.is_ascii() {
            return self.push_fragment(letters, letters.len(), look);
        }
        for grapheme in letters.graphemes(true) {
            let cells = width(grapheme);
            let last = self.word.last_piece().and_then(|text| text.graphemes(true).next_back());
            let breaks = last.is_some_and(|last| {
                (cells > 1 || width(last) > 1) && !NOT_FIRST.contains(grapheme) && !NOT_LAST.contains(last)
            });
            if breaks {
                self.end_word();
            }
            self.push_fragment(grapheme, cells, look);
        }
    }

    fn push_fragment(&mut self, text: &str, cells: usize, look: Look) {
        self.word_width += cells;
        self.word.push_look(self.style, look, text);
    }

    /// Puts the word on this line or the next.
    pub(super) fn end_word(&mut self) {
        if self.word.is_empty() {
            return;
        }
        let needed = std::mem::take(&mut self.word_width);
        if self.taken + self.gap + needed > self.columns && self.taken > self.indent {
            self.end_line();
        }
        self.put_gap();
        if self.taken + needed <= self.columns {
            self.line += &self.word;
            self.taken += needed;
        } else {
            let word = std::mem::take(&mut self.word);
            word.pieces().for_each(|piece| self.put_parts(piece));
        }
        self.word.clear();
    }

    fn put_gap(&mut self) {
        let gap = std::mem::take(&mut self.gap);
        if gap > 0 {
            (0..gap).for_each(|_| self.line.push_look(self.style, self.gap_look, " "));
            self.taken += gap;
        }
    }

    /// Breaks a long word after its separators, such as the `/` in a URL, where the line is at least half full.
    fn put_parts(&mut self, piece: Piece<'_>) {
        for part in piece.text.split_inclusive(['/', '-', '_', '.', '?', '&', '=']) {
            let needed = width(part);
            let begins_line = self.taken * 2 >= self.columns && self.indent + needed <= self.columns;
            if self.taken + needed > self.columns && begins_line {
                self.end_line();
            }
            for grapheme in part.graphemes(true) {
                let cells = width(grapheme);
                if self.taken + cells > self.columns && self.taken > self.indent {
                    self.end_line();
                }
                self.line.push_like(piece, grapheme);
                self.taken += cells;
            }
        }
    }

    /// Ends the line. The word that may go on is not part of it.
    fn end_line(&mut self) {
        let margin = self.margin.rest.clone();
        self.indent = margin.width();
        self.taken = self.indent;
        self.gap = 0;
        let mut line = std::mem::replace(&mut self.line, margin);
        line.trim_end();
        self.done.push(line);
    }

    /// Ends the last word and the last line.
    pub(super) fn end(&mut self) {
        self.end_word();
        self.end_line();
    }

    /// Takes the lines that cannot change any more.
    pub(super) fn take_done(&mut self) -> impl Iterator<Item = Text> + '_ {
        self.done.drain(..)
    }

    /// The first line that is not final, as it would be if only this text came.
    pub(super) fn preview(&self, text: impl FnOnce(&mut Self)) -> Text {
        // What follows the first line does not matter.
        let margin = Margin::default();
        let line = self.line.clone_with_room(PREVIEWED);
        let mut rest = Self { margin, line, word: self.word.clone(), done: Vec::new(), ..*self };
        text(&mut rest);
        rest.end_word();
        rest.done.into_iter().next().unwrap_or(rest.line)
    }
}

/// Most of what a preview adds to a line has no more bytes.
const PREVIEWED: usize = 64;

/// No line begins with these.
const NOT_FIRST: &str = "、。，．！？；：」』）】》〉〕］｝”’…・ー々〜%)]},.!?;:";
/// No line ends with these.
const NOT_LAST: &str = "「『（【《〈〔［｛“‘([{";
