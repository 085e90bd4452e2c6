//! Markdown as a person reads it on a terminal: rendered while it arrives, line by line.
//!
//! A line is printed when nothing that follows can change it. That is a line of code when it is complete, a table when it
//! is over, and a line of a paragraph when it is full and no emphasis, code or link in it is still open. The first line that
//! may still change is a preview; [`LastRow`] draws it again until it is final. What is printed depends on the text alone,
//! not on the pieces in which it arrives.

mod code;
mod flow;
mod inline;
mod line;
mod row;
mod table;
#[cfg(test)]
mod tests;

use unicode_segmentation::UnicodeSegmentation;

use self::code::Highlighter;
use self::flow::{Flow, Margin};
use self::inline::Inline;
use self::line::{Before, Container, Kind, Side, Start};
pub(super) use self::row::LastRow;
use super::escape;
use super::text::{Look, Style, Text};
use super::wrap;

/// This stands at the beginning of a row that goes on with a line of code that was too long for one row.
const GOES_ON: &str = "↳ ";

/// A table of more bytes or cells is shown as it is written: to lay it out takes many times the memory of its text.
const LARGEST_TABLE: usize = 512 * 1024;
const MOST_CELLS: usize = 100_000;

/// All lines of a text in Markdown, none wider than `columns`.
pub(super) fn lines(text: &str, columns: usize, style: Style) -> Vec<Text> {
    let mut markdown = Markdown::new(columns, style);
    markdown.push(text);
    markdown.finish();
    markdown.done
}

/// Text in Markdown that arrives in pieces.
#[derive(Debug)]
pub(super) struct Markdown {
    style: Style,
    columns: usize,
    escape: escape::Stream,
    /// The part of the current line that no block has taken yet.
    line: String,
    /// Whether the current line belongs to a paragraph, which takes its text as it comes.
    in_text: bool,
    containers: Vec<Container>,
    /// The index of the first container of which nothing has been printed yet: the marks of items from there on.
    fresh: usize,
    leaf: Leaf,
    /// Whether a blank line is to be printed before the next block.
    blank: bool,
    done: Vec<Text>,
    /// Whether anything has been printed.
    has_begun: bool,
}

/// The innermost open block.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "an answer has one, which most of the time is the largest variant")]
enum Leaf {
    None,
    /// A heading is one that ends with its line.
    Paragraph {
        flow: Flow,
        inline: Inline,
        is_heading: bool,
    },
    Code {
        mark: char,
        length: usize,
        indent: usize,
        colours: Highlighter,
    },
    Indented,
    Formula(&'static str),
    /// Lines of which the first two may be the head of a table.
    Table {
        lines: Vec<String>,
        sides: Vec<Side>,
        /// The length of its lines.
        bytes: usize,
    },
}

impl Markdown {
    /// For a page of so many cells.
    pub(super) fn new(columns: usize, style: Style) -> Self {
        Self {
            style,
            columns: columns.max(1),
            escape: escape::Stream::default(),
            line: String::new(),
            in_text: false,
            containers: Vec::new(),
            fresh: 0,
            leaf: Leaf::None,
            blank: false,
            done: Vec::new(),
            has_begun: false,
        }
    }

    /// From the next block on, the page has so many cells.
    pub(super) fn resize(&mut self, columns: usize) {
        self.columns = columns.max(1);
    }

    /// Takes in the next piece, which may be cut anywhere.
    pub(super) fn push(&mut self, piece: &str) {
        let safe = self.escape.safe(piece);
        self.push_safe(&safe);
    }

    /// No more text follows.
    pub(super) fn finish(&mut self) {
        let mut rest = String::new();
        self.escape.finish(&mut rest);
        self.push_safe(&rest);
        if !self.line.is_empty() || self.in_text {
            self.end_line();
        }
        self.close_leaf();
        self.mark_empty_items();
        self.containers.clear();
        self.fresh = 0;
        self.blank = false;
    }

    /// Takes the lines that are final, each with its line break.
    pub(super) fn take_done(&mut self) -> Text {
        self.has_begun |= !self.done.is_empty();
        self.done.drain(..).map(|line| line + "\n").collect()
    }

    fn push_safe(&mut self, mut text: &str) {
        while let Some(end) = text.find('\n') {
            self.push_part(&text[..end]);
            self.end_line();
            text = &text[end + 1..];
        }
        self.push_part(text);
    }

    /// Adds text of the current line.
    fn push_part(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        if self.in_text {
            return self.push_text(text);
        }
        self.line.push_str(text);
        if self.takes_whole_lines() {
            return;
        }
        if let Some(start) = line::start(&self.line, self.before(), false) {
            self.begin(start);
        }
    }

    fn before(&self) -> Before<'_> {
        Before { containers: &self.containers, paragraph: matches!(self.leaf, Leaf::Paragraph { .. }) }
    }

    fn takes_whole_lines(&self) -> bool {
        matches!(self.leaf, Leaf::Code { .. } | Leaf::Formula(_) | Leaf::Table { .. })
    }

    fn end_line(&mut self) {
        if self.in_text {
            return self.end_text();
        }
        let line = std::mem::take(&mut self.line);
        if self.takes_whole_lines() && self.continue_leaf(&line) {
            return;
        }
        let Some(start) = line::start(&line, self.before(), true) else { return };
        self.line = line;
        self.begin(start);
        self.line.clear();
        if self.in_text {
            self.end_text();
        }
    }

    /// Ends a line of a paragraph.
    fn end_text(&mut self) {
        self.in_text = false;
        // Whether another paragraph goes on is known when the next line begins.
        if matches!(self.leaf, Leaf::Paragraph { is_heading: true, .. }) {
            self.close_leaf();
        }
    }

    /// Gives a whole line to the block that is open. Returns false where the line ends that block and is not part of it.
    fn continue_leaf(&mut self, line: &str) -> bool {
        // Code in a quote ends with the quote; in an item it may be set in by less.
        let Some(inner) = self.inside(line) else {
            self.close_leaf();
            return false;
        };
        match &mut self.leaf {
            Leaf::Code { mark, length, indent, colours } => {
                if line::closes(inner, *mark, *length) {
                    let text = self.style.dim(inner.trim());
                    self.leaf = Leaf::None;
                    self.print_code(text);
                } else {
                    let skipped = line::strip(inner, *indent);
                    let text = colours.line(&wrap::expand_tabs(&inner[skipped..]));
                    self.print_code(text);
                }
                true
            }
            Leaf::Formula(close) => {
                let is_over = inner.contains(*close);
                let text = Text::from(&*wrap::expand_tabs(inner.trim_end()));
                if is_over {
                    self.leaf = Leaf::None;
                }
                self.print_code(text);
                true
            }
            Leaf::Table { lines, sides, bytes } => {
                *bytes += inner.len();
                if lines.len() == 1 && sides.is_empty() {
                    let found = line::delimiters(inner).filter(|sides| sides.len() == line::row(&lines[0]).len());
                    let Some(found) = found else {
                        self.close_leaf();
                        return false;
                    };
                    *sides = found;
                    lines.push(inner.to_owned());
                    return true;
                }
                if inner.contains('|') && *bytes <= LARGEST_TABLE {
                    lines.push(inner.to_owned());
                    return true;
                }
                self.close_leaf();
                false
            }
            Leaf::None | Leaf::Paragraph { .. } | Leaf::Indented => false,
        }
    }

    /// The part of a line behind the open containers; None where it is outside of a quote.
    fn inside<'l>(&self, line: &'l str) -> Option<&'l str> {
        let mut rest = line;
        for container in &self.containers {
            match container {
                Container::Quote => {
                    let quoted = rest.trim_start_matches(' ').strip_prefix('>')?;
                    rest = quoted.strip_prefix(' ').unwrap_or(quoted);
                }
                Container::Item { content, .. } => rest = &rest[line::strip(rest, *content)..],
            }
        }
        Some(rest)
    }

    /// Begins a line of which is known what it is. Its text is in `self.line`.
    fn begin(&mut self, start: Start) {
        let Start { keep, new, kind, text } = start;
        let is_lazy = kind == Kind::Text && new.is_empty() && matches!(self.leaf, Leaf::Paragraph { .. });
        if is_lazy {
            let text = self.line.split_off(text);
            self.line.clear();
            self.in_text = true;
            if let Leaf::Paragraph { flow, inline, .. } = &mut self.leaf {
                inline.next_line(flow);
            }
            return self.push_text(&text);
        }
        let is_code = matches!((&self.leaf, &kind), (Leaf::Indented, Kind::Indented | Kind::Blank));
        if !is_code {
            self.close_leaf();
        }
        if keep < self.containers.len() {
            self.mark_empty_items();
            self.containers.truncate(keep);
            self.fresh = self.fresh.min(keep);
        }
        if kind == Kind::Blank && new.is_empty() {
            self.blank = self.has_begun || !self.done.is_empty();
            return self.line.clear();
        }
        self.print_blank();
        self.containers.extend(new);
        let text = self.line.split_off(text);
        self.line.clear();
        self.begin_block(kind, text);
    }

    fn begin_block(&mut self, kind: Kind, text: String) {
        match kind {
            Kind::Blank => self.mark_empty_items(),
            Kind::Row if text.len() <= LARGEST_TABLE => {
                self.leaf = Leaf::Table { bytes: text.len(), lines: vec![text], sides: Vec::new() };
            }
            Kind::Text | Kind::Row => {
                self.begin_paragraph(Look::PLAIN, false);
                self.push_text(&text);
            }
            Kind::Heading(level) => {
                let (mark, title) = text.split_at(level);
                let title = title.trim_start_matches([' ', '\t']);
                let shown = if self.style.on { title.to_owned() } else { format!("{mark} {title}") };
                self.begin_paragraph(heading(level), true);
                self.push_text(&shown);
            }
            Kind::Rule => {
                let margin = self.margin();
                let cells = self.columns.saturating_sub(margin.first.width()).max(1);
                let rule = self.style.dim("─".repeat(cells));
                self.done.push(margin.first + rule);
            }
            Kind::Fence { mark, length, indent } => {
                let colours = Highlighter::new(text.trim_start_matches(mark).trim(), self.style);
                self.print_code(self.style.dim(text.trim()));
                self.leaf = Leaf::Code { mark, length, indent, colours };
            }
            Kind::Indented => {
                self.leaf = Leaf::Indented;
                self.print_code(Text::from(&*wrap::expand_tabs(&text)));
            }
            Kind::Formula(close) => {
                self.leaf = Leaf::Formula(close);
                self.print_code(Text::from(&*wrap::expand_tabs(text.trim_end())));
            }
        }
    }

    fn begin_paragraph(&mut self, look: Look, is_heading: bool) {
        let flow = Flow::new(self.columns, self.margin(), look, self.style);
        self.leaf = Leaf::Paragraph { flow, inline: Inline::new(self.style), is_heading };
        self.in_text = true;
    }

    fn push_text(&mut self, text: &str) {
        if let Leaf::Paragraph { flow, inline, .. } = &mut self.leaf {
            inline.push(text, flow);
        }
        self.take_paragraph();
    }

    fn take_paragraph(&mut self) {
        if let Leaf::Paragraph { flow, .. } = &mut self.leaf {
            self.done.extend(flow.take_done());
        }
    }

    fn close_leaf(&mut self) {
        match std::mem::replace(&mut self.leaf, Leaf::None) {
            Leaf::Paragraph { mut flow, mut inline, .. } => {
                inline.end(&mut flow);
                self.done.extend(flow.take_done());
            }
            Leaf::Table { lines, sides, .. } => self.end_table(&lines, &sides),
            Leaf::None | Leaf::Code { .. } | Leaf::Indented | Leaf::Formula(_) => {}
        }
    }

    fn end_table(&mut self, lines: &[String], sides: &[Side]) {
        if sides.is_empty() {
            // The line was no head of a table.
            self.begin_paragraph(Look::PLAIN, false);
            lines.iter().for_each(|line| self.push_text(line));
            self.in_text = false;
            return self.close_leaf();
        }
        // The second line has the sides.
        let of_cells = lines.iter().enumerate().filter(|(place, _)| *place != 1);
        let rows: Vec<Vec<String>> = of_cells.map(|(_, line)| line::row(line)).collect();
        let most = rows.iter().map(Vec::len).max().unwrap_or(0);
        if most.saturating_mul(rows.len()) > MOST_CELLS {
            return lines.iter().for_each(|line| self.print_code(Text::from(&*wrap::expand_tabs(line))));
        }
        let mut sides = sides.to_vec();
        // Cells without a head are shown all the same.
        sides.resize(most, Side::Left);
        let rows: Vec<Vec<String>> = rows
            .into_iter()
            .map(|mut row| {
                row.resize(most, String::new());
                row
            })
            .collect();
        let room = self.columns.saturating_sub(self.margin_width()).max(1);
        for line in table::lines(&rows, &sides, room, self.style) {
            self.print(line);
        }
    }

    /// Prints a line behind the marks of its containers.
    fn print(&mut self, text: Text) {
        let margin = self.margin();
        let mut line = margin.first + text;
        line.trim_end();
        self.done.push(line);
    }

    /// Prints a line of code, over several rows where it is too long.
    fn print_code(&mut self, text: Text) {
        let margin = self.margin();
        let rows = rows_of_code(text, margin, self.columns, self.style);
        self.done.extend(rows);
    }

    fn print_blank(&mut self) {
        if !std::mem::take(&mut self.blank) {
            return;
        }
        let bars = self.containers.iter().filter(|container| **container == Container::Quote).count();
        let mut line = self.style.dim("│ ".repeat(bars));
        line.trim_end();
        self.done.push(line);
    }

    /// Items without content have a line with their mark alone.
    fn mark_empty_items(&mut self) {
        if self.containers[self.fresh..].iter().any(|container| matches!(container, Container::Item { .. })) {
            self.print(Text::new());
        }
    }

    fn margin_width(&self) -> usize {
        let width = |container: &Container| match container {
            Container::Quote => 2,
            Container::Item { mark, .. } => wrap::width(mark) + 1,
        };
        let all = self.containers.iter().map(width).sum::<usize>();
        if all * 2 > self.columns { 0 } else { all }
    }

    /// What stands before the text of the next block. The marks of items stand there once. On a narrow page, what is nested
    /// deeply is not set in.
    fn margin(&mut self) -> Margin {
        let fresh = std::mem::replace(&mut self.fresh, self.containers.len());
        let is_narrow = self.margin_width() == 0;
        let mut margin = Margin::default();
        for (n, container) in self.containers.iter().enumerate() {
            match container {
                Container::Quote if !is_narrow => {
                    margin.first += self.style.dim("│ ");
                    margin.rest += self.style.dim("│ ");
                }
                Container::Quote => {}
                Container::Item { mark, .. } => {
                    let spaces = " ".repeat(wrap::width(mark) + 1);
                    if n >= fresh {
                        margin.first += self.style.cyan(mark.as_str());
                        margin.first += " ";
                    } else if !is_narrow {
                        margin.first += spaces.as_str();
                    }
                    if !is_narrow {
                        margin.rest += spaces.as_str();
                    }
                }
            }
        }
        margin
    }

    /// The first line that is not final, as it looks so far. It takes no more than one row.
    pub(super) fn preview(&mut self) -> Text {
        let fresh = self.fresh;
        let text = match &self.leaf {
            Leaf::Paragraph { flow, inline, .. } => {
                return flow.preview(|flow| inline.preview(flow));
            }
            Leaf::Code { indent, colours, .. } if !self.line.is_empty() => {
                let inner = self.inside(&self.line).unwrap_or(&self.line);
                let begin = first_chars(&inner[line::strip(inner, *indent)..], self.columns * 2);
                colours.clone().line(&wrap::expand_tabs(begin))
            }
            Leaf::Table { .. } => self.style.dim(first_chars(&self.line, self.columns)),
            _ => return Text::new(),
        };
        let margin = self.margin();
        self.fresh = fresh;
        rows_of_code(text, margin, self.columns, self.style).into_iter().next().unwrap_or_default()
    }
}

/// The beginning of the text.
fn first_chars(text: &str, count: usize) -> &str {
    if text.len() <= count {
        return text;
    }
    text.char_indices().nth(count).map_or(text, |(end, _)| &text[..end])
}

fn heading(level: usize) -> Look {
    match level {
        1 => Look::BOLD.and(Look::UNDERLINE),
        2 => Look::BOLD,
        3 => Look::BOLD.and(Look::ITALIC),
        _ => Look::ITALIC,
    }
}

/// The rows of a line of code. Every row but the first begins with [`GOES_ON`].
fn rows_of_code(text: Text, margin: Margin, columns: usize, style: Style) -> Vec<Text> {
    if margin.first.width() + text.width() <= columns {
        let mut line = margin.first + text;
        line.trim_end();
        return vec![line];
    }
    let mut rows = Vec::new();
    let mut row = margin.first;
    let mut taken = row.width();
    let mut indent = taken;
    for piece in text.pieces() {
        for grapheme in piece.text.graphemes(true) {
            let cells = wrap::width(grapheme);
            if taken + cells > columns && taken > indent {
                rows.push(std::mem::replace(&mut row, margin.rest.clone()));
                row += style.dim(if columns > 8 { GOES_ON } else { "" });
                taken = row.width();
                indent = taken;
            }
            row.push_like(piece, grapheme);
            taken += cells;
        }
    }
    row.trim_end();
    rows.push(row);
    rows
}
