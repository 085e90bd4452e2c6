//! Breaks text into lines of a given width in cells. Nothing is lost.
//!
//! The crate textwrap does not do this job: it measures and breaks text character by character, while emoji and letters with
//! marks are several characters in one grapheme, so that columns beside them would not be aligned.

use std::borrow::Cow;

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// A tab reaches to the next multiple of so many cells.
const TAB: usize = 4;

/// How many cells of a terminal the text takes.
pub(super) fn width(text: &str) -> usize {
    if is_printable_ascii(text) { text.len() } else { text.width() }
}

/// Most text is, and of it each byte takes one cell. Without an early return, this looks at many bytes at once.
fn is_printable_ascii(text: &str) -> bool {
    text.bytes().fold(true, |all, byte| all & matches!(byte, b' '..=b'~'))
}

/// The most cells that a terminal takes for the text. Some draw an emoji that is joined of several (👩‍👩‍👧) as one, others
/// draw its parts; a variation selector makes a character wider on some terminals only.
pub(super) fn most_cells(text: &str) -> usize {
    // Between two of these bytes, a grapheme always ends.
    let is_simple = |byte: &u8| matches!(byte, b' '..=b'~');
    let bytes = text.as_bytes();
    let (mut cells, mut at) = (0, 0);
    while at < bytes.len() {
        let simple = bytes[at..].iter().take_while(|byte| is_simple(byte)).count();
        if at + simple == bytes.len() {
            return cells + simple;
        }
        let begins = at + simple.saturating_sub(1);
        cells += begins - at;
        // What is not simple may join the bytes beside it, until two simple ones follow each other.
        let mut end = at + simple;
        while end < bytes.len() && !(is_simple(&bytes[end]) && bytes.get(end + 1).is_none_or(is_simple)) {
            end += 1;
        }
        at = (end + 1).min(bytes.len());
        cells += text[begins..at].graphemes(true).map(most_cells_of).sum::<usize>();
    }
    cells
}

/// [`most_cells`] of one grapheme.
pub(super) fn most_cells_of(grapheme: &str) -> usize {
    let parts = grapheme.chars().filter_map(UnicodeWidthChar::width).sum();
    grapheme.width().max(parts)
}

/// The text, padded with spaces to `columns` cells.
pub(super) fn pad(text: &str, columns: usize) -> String {
    format!("{text}{}", " ".repeat(columns.saturating_sub(width(text))))
}

/// The beginning of a line that fits into `columns` cells, with `…` where something is left out.
pub(super) fn beginning(line: &str, columns: usize) -> String {
    if width(line) <= columns {
        return line.to_owned();
    }
    let mut beginning = String::new();
    for grapheme in line.graphemes(true) {
        if width(&beginning) + width(grapheme) >= columns {
            break;
        }
        beginning.push_str(grapheme);
    }
    beginning.truncate(beginning.trim_end().len());
    beginning + "…"
}

/// Lines of at most `columns` cells, or of one grapheme where that is wider. Prose is broken between words, and the lines
/// after a break are set in like the one before. Blocks of code are broken only where the width ends.
pub(super) fn wrap(text: &str, columns: usize) -> Vec<String> {
    let columns = columns.max(1);
    let mut lines = Vec::new();
    let mut fence = Fence::default();
    for line in text.trim_end_matches('\n').split('\n') {
        let line = expand_tabs(line);
        let line = line.trim_end();
        if fence.place(line) != Place::Outside {
            hard_break(line, columns, &mut lines);
        } else if width(line) <= columns {
            lines.push(line.to_owned());
        } else {
            soft_break(line, columns, &mut lines);
        }
    }
    lines
}

/// Joins the pieces by `gap` into lines of at most `columns` cells. On the first line, `taken` cells are not free; the others
/// are set in by `hang` cells. A piece that is longer than a line stays whole, because it may be a path or a URL, which
/// people copy.
pub(super) fn fill<'a>(
    pieces: impl Iterator<Item = &'a str>,
    gap: &str,
    columns: usize,
    (taken, hang): (usize, usize),
) -> String {
    let mut text = String::new();
    let mut at = taken;
    for (i, piece) in pieces.enumerate() {
        let needed = width(piece);
        if i > 0 && at + width(gap) + needed <= columns {
            text.push_str(gap);
            at += width(gap);
        } else if i > 0 {
            text.push('\n');
            text.push_str(&" ".repeat(hang));
            at = hang;
        }
        text.push_str(piece);
        at += needed;
    }
    text
}

/// Follows the fences of Markdown code blocks from line to line.
#[derive(Debug, Default)]
pub(super) struct Fence {
    open: Option<(char, usize)>,
}

/// How a line belongs to a block of code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Outside,
    /// The line opens a block. It may name the language.
    Opens,
    Inside,
    Closes,
}

impl Fence {
    /// Takes in the next line.
    pub(super) fn place(&mut self, line: &str) -> Place {
        let line = line.trim();
        let mark = line.chars().next().filter(|c| matches!(c, '`' | '~'));
        let run = mark.map_or(0, |mark| line.chars().take_while(|c| *c == mark).count());
        match (self.open, mark) {
            (None, Some(mark)) if run >= 3 && !(mark == '`' && line[run..].contains('`')) => {
                self.open = Some((mark, run));
                Place::Opens
            }
            (None, _) => Place::Outside,
            (Some((opened, length)), Some(mark)) if mark == opened && run >= length && line.len() == run => {
                self.open = None;
                Place::Closes
            }
            (Some(_), _) => Place::Inside,
        }
    }
}

/// The line with spaces in place of its tabs.
pub(super) fn expand_tabs(line: &str) -> Cow<'_, str> {
    if !line.contains('\t') {
        return Cow::Borrowed(line);
    }
    let mut out = String::with_capacity(line.len() + 8);
    let mut column = 0;
    for (i, piece) in line.split('\t').enumerate() {
        if i > 0 {
            let gap = TAB - column % TAB;
            out.extend(std::iter::repeat_n(' ', gap));
            column += gap;
        }
        out.push_str(piece);
        column += width(piece);
    }
    Cow::Owned(out)
}

/// Breaks wherever the width ends, never inside of a grapheme.
fn hard_break(line: &str, columns: usize, lines: &mut Vec<String>) {
    let mut filler = Filler { lines, columns, indent: 0, text: String::new(), width: 0 };
    filler.push_broken(line);
    filler.end();
}

/// Breaks between words, and inside of those that are wider than a line.
fn soft_break(line: &str, columns: usize, lines: &mut Vec<String>) {
    let words = line.trim_start_matches(' ');
    // A wide character must fit beside the indent.
    let deepest = (columns / 2).min(columns.saturating_sub(2));
    let indent = (line.len() - words.len()).min(deepest);
    let hang = Some(indent + marker(words)).filter(|hang| *hang <= deepest).unwrap_or(0);
    let mut filler = Filler { lines, columns, indent: hang, text: " ".repeat(indent), width: indent };
    let mut gap = "";
    for piece in words.split_inclusive(' ') {
        let word = piece.trim_end_matches(' ');
        if !word.is_empty() {
            filler.push_word(gap, word);
        }
        gap = &piece[word.len()..];
    }
    filler.end();
}

/// Fills lines one after the other.
struct Filler<'a> {
    lines: &'a mut Vec<String>,
    columns: usize,
    /// Of every line after the first.
    indent: usize,
    text: String,
    width: usize,
}

impl Filler<'_> {
    fn push_word(&mut self, gap: &str, word: &str) {
        let needed = width(word);
        if self.width + gap.len() + needed <= self.columns {
            self.push(gap, gap.len());
            self.push(word, needed);
        } else if self.indent + needed <= self.columns {
            self.next_line();
            self.push(word, needed);
        } else {
            // The word is longer than any line. Scripts without spaces continue on this line. Another long word may be a
            // URL, which is easier to read and to copy from the start of a line.
            let unspaced = word.graphemes(true).any(|grapheme| width(grapheme) > 1);
            if unspaced && self.width + gap.len() + 2 <= self.columns {
                self.push(gap, gap.len());
            } else if self.width > self.indent {
                self.next_line();
            }
            self.push_parts(word);
        }
    }

    /// Breaks a long word after its separators, such as the `/` in a name or a URL, where the line is at least half full.
    fn push_parts(&mut self, word: &str) {
        for part in word.split_inclusive(['/', '-', '_', '.', '?', '&', '=']) {
            let needed = width(part);
            if self.width + needed > self.columns
                && self.width * 2 >= self.columns
                && self.indent + needed <= self.columns
            {
                self.next_line();
            }
            self.push_broken(part);
        }
    }

    fn push_broken(&mut self, text: &str) {
        for grapheme in text.graphemes(true) {
            let needed = width(grapheme);
            if self.width + needed > self.columns && self.width > self.indent {
                self.next_line();
            }
            self.push(grapheme, needed);
        }
    }

    fn push(&mut self, text: &str, width: usize) {
        self.text.push_str(text);
        self.width += width;
    }

    fn next_line(&mut self) {
        self.end();
        self.push(&" ".repeat(self.indent), self.indent);
    }

    fn end(&mut self) {
        self.lines.push(std::mem::take(&mut self.text));
        self.width = 0;
    }
}

/// The width of the bullet or number that begins an item of a list. The further lines of the item are set in by as much.
fn marker(words: &str) -> usize {
    let digits = words.bytes().take_while(u8::is_ascii_digit).count();
    let rest = &words[digits..];
    match digits {
        0 if ["- ", "* ", "+ ", "> "].iter().any(|bullet| rest.starts_with(bullet)) => 2,
        1..=3 if rest.starts_with(". ") || rest.starts_with(") ") => digits + 2,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_beginning_takes_no_more_cells_than_there_are() {
        assert_eq!(beginning("hello", 5), "hello");
        assert_eq!(beginning("hello you", 7), "hello…");
        assert_eq!(beginning("讲一个故事", 6), "讲一…");
        assert_eq!(beginning("e\u{301}e\u{301}e\u{301}", 2), "e\u{301}…");
        for columns in 1..12 {
            assert!(width(&beginning("讲一个故事 and more", columns)) <= columns, "{columns}");
        }
    }
    use proptest::prelude::*;

    #[test]
    fn pieces_fill_lines_and_stay_whole() {
        assert_eq!(fill("a bc def".split(' '), " ", 4, (0, 2)), "a bc\n  def");
        assert_eq!(fill("a · b c · d".split(" · "), " · ", 7, (0, 2)), "a · b c\n  d");
        assert_eq!(fill("see /a/path/that/is/long ok".split(' '), " ", 8, (0, 2)), "see\n  /a/path/that/is/long\n  ok");
        assert_eq!(fill("a b".split(' '), " ", 8, (6, 2)), "a\n  b");
    }

    #[test]
    fn prose_breaks_between_words() {
        assert_eq!(wrap("the cat sat on the mat", 10), ["the cat", "sat on the", "mat"]);
        assert_eq!(wrap("short", 10), ["short"]);
        assert_eq!(wrap("a\n\nb\n", 10), ["a", "", "b"]);
        assert_eq!(wrap("", 10), [""]);
    }

    #[test]
    fn further_lines_are_set_in_like_the_first() {
        assert_eq!(wrap("  one two three", 9), ["  one two", "  three"]);
        assert_eq!(wrap("- one two three", 9), ["- one two", "  three"]);
        assert_eq!(wrap("12. one two six", 11), ["12. one two", "    six"]);
    }

    #[test]
    fn long_words_begin_a_line_and_go_on_below() {
        assert_eq!(wrap("see https://example.com/a", 10), ["see", "https://", "example.", "com/a"]);
        assert_eq!(wrap("claude-sonnet-4-6", 16), ["claude-sonnet-4-", "6"]);
        assert_eq!(wrap("vendor/some-model-2026-01-01", 14), ["vendor/some-", "model-2026-01-", "01"]);
    }

    #[test]
    fn unspaced_scripts_fill_the_line() {
        assert_eq!(wrap("ab 日本語です", 8), ["ab 日本", "語です"]);
    }

    #[test]
    fn code_keeps_its_shape() {
        let text = "```py\nif x:\n    y = \"a  b  c\"\n```\nand some prose";
        assert_eq!(wrap(text, 9), ["```py", "if x:", "    y = \"", "a  b  c\"", "```", "and some", "prose"]);
        assert_eq!(wrap("\tx\ta", 20), ["    x   a"]);
    }

    #[test]
    fn graphemes_stay_whole() {
        let family = "👩‍👩‍👧";
        assert_eq!(wrap(&family.repeat(3), 4), [family.repeat(2), family.to_owned()]);
        let marks = format!("a{}", "\u{301}".repeat(10_000));
        assert_eq!(wrap(&format!("{marks}b"), 1), [marks, "b".to_owned()]);
        // What is wider than the line has one of its own.
        assert_eq!(wrap("日本", 1), ["日", "本"]);
    }

    #[test]
    fn a_fence_ends_where_it_says() {
        let places = |text: &str| {
            let mut fence = Fence::default();
            text.lines().map(|line| fence.place(line)).collect::<Vec<_>>()
        };
        use Place::{Closes, Inside, Opens, Outside};
        assert_eq!(places("a\n```rs\nx\n```\nb"), [Outside, Opens, Inside, Closes, Outside]);
        assert_eq!(places("````\n```\n````"), [Opens, Inside, Closes]);
        assert_eq!(places("~~~\n```\n~~~~"), [Opens, Inside, Closes]);
        assert_eq!(places("```not``` a fence\n``\nx"), [Outside, Outside, Outside]);
    }

    proptest! {
        #[test]
        fn text_takes_the_cells_of_its_graphemes(text in "([a-z ]{0,4}|\\PC|\u{600}|\u{301}|\u{fe0f}|👩‍👩‍👧|❤|\r\n|\t){0,20}") {
            prop_assert_eq!(most_cells(&text), text.graphemes(true).map(most_cells_of).sum::<usize>());
            prop_assert_eq!(width(&text), text.width());
            prop_assert!(most_cells(&text) <= text.len());
        }

        #[test]
        fn nothing_is_lost_and_no_line_is_too_wide(
            text in "([a-z]{1,12}|日本語|👩‍👩‍👧|e\u{301}|```| {1,5}|\n|\t|- ){0,30}",
            columns in 2usize..40,
        ) {
            let lines = wrap(&text, columns);
            for line in &lines {
                prop_assert!(width(line) <= columns, "{line:?} is wider than {columns}");
            }
            let ink = |text: &str| text.split_whitespace().collect::<String>();
            prop_assert_eq!(ink(&lines.concat()), ink(&text));
        }
    }
}
