//! Inline Markdown: cuts a line into units that no later text can change, and lets pulldown-cmark read each.
//!
//! A unit ends at a space outside of everything that could still be closed: emphasis, code, a link, a formula; in scripts
//! that have no spaces, also between two letters. Which places these are depends on the text alone and not on the pieces in
//! which it comes, so any pieces give the same result.

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use super::super::text::{Look, Style};
use super::first_chars;
use super::flow::{BREAK, Flow, Span};

/// A mark that is not closed within so many bytes is taken for an ordinary character, so that text does not wait for ever.
const LONGEST_UNIT: usize = 1500;

/// What has no place to end a unit within so many bytes is read in parts, since reading takes many times the memory of the text.
const LONGEST_PART: usize = 64 * 1024;

/// Reads a paragraph as it comes.
#[derive(Debug, Clone)]
pub(super) struct Inline {
    style: Style,
    /// The text since the last unit.
    unit: String,
    scan: Scan,
}

impl Inline {
    pub(super) fn new(style: Style) -> Self {
        Self { style, unit: String::new(), scan: Scan::default() }
    }

    /// Adds text of one line.
    pub(super) fn push(&mut self, text: &str, flow: &mut Flow) {
        self.unit.push_str(text);
        self.take_units(flow);
    }

    /// The line has ended, and the paragraph goes on.
    pub(super) fn next_line(&mut self, flow: &mut Flow) {
        self.unit.push(BREAK);
        self.take_units(flow);
    }

    /// The paragraph has ended.
    pub(super) fn end(&mut self, flow: &mut Flow) {
        put(self.unit.trim_end_matches([' ', BREAK]), self.style, flow);
        self.unit.clear();
        self.scan = Scan::default();
        flow.end();
    }

    fn take_units(&mut self, flow: &mut Flow) {
        let mut taken = 0;
        loop {
            let mut longest = self.unit.len().min(taken + LONGEST_PART);
            while !self.unit.is_char_boundary(longest) {
                longest -= 1;
            }
            let end = match self.scan.next_unit(&self.unit[..longest], taken) {
                Some(end) => end,
                None if longest < self.unit.len() => {
                    self.scan = Scan { at: longest, ..Scan::default() };
                    longest
                }
                None => break,
            };
            put(&self.unit[taken..end], self.style, flow);
            taken = end;
        }
        self.unit.drain(..taken);
        self.scan.at -= taken;
    }

    /// Adds what has come of the next unit, as it may turn out to be: as much of it as the first line may show.
    pub(super) fn preview(&self, flow: &mut Flow) {
        let unit = first_chars(&self.unit, flow.columns().saturating_mul(4));
        let unit = unit.trim_end_matches(['*', '_', '`', '~', '[', '!', '\\']);
        let unit = unit.trim_end_matches([' ', BREAK]);
        if unit.trim_end_matches(['*', '_', '`', '~']).is_empty() {
            return;
        }
        if self.scan.is_closed() {
            return put(unit, self.style, flow);
        }
        let mut closed = unit.to_owned();
        self.scan.close(&mut closed);
        put(&closed, self.style, flow);
    }
}

/// Puts a unit into the lines.
fn put(unit: &str, style: Style, flow: &mut Flow) {
    if !unit.contains(is_special) {
        return flow.push(unit, Look::PLAIN);
    }
    for span in spans(unit, style) {
        flow.push(&span.text, span.look);
    }
}

fn is_special(c: char) -> bool {
    matches!(c, '*' | '_' | '`' | '~' | '[' | ']' | '<' | '&' | '\\' | '!')
}

/// The text in its looks. Without colours, marks of emphasis stay as they are.
pub(super) fn spans(text: &str, style: Style) -> Vec<Span> {
    let mut spans = Vec::new();
    let mut rest = text;
    while let Some((before, formula, after)) = formula(rest) {
        read(before, style, &mut spans);
        spans.push(Span { text: formula.to_owned(), look: Look::PLAIN });
        rest = after;
    }
    read(rest, style, &mut spans);
    spans
}

/// The first formula (`\( … \)`, `\[ … \]`, `$$ … $$`), with what stands before and after it. It is shown as it is, because
/// its `_`, `*` and `\` are no Markdown.
fn formula(text: &str) -> Option<(&str, &str, &str)> {
    let start = FORMULAS.iter().filter_map(|(open, close)| Some((text.find(open)?, open.len(), *close)));
    let (start, open, close) = start.min()?;
    let end = text[start + open..].find(close)? + start + open + close.len();
    Some((&text[..start], &text[start..end], &text[end..]))
}

const FORMULAS: [(&str, &str); 3] = [("\\(", "\\)"), ("\\[", "\\]"), ("$$", "$$")];

/// This makes a paragraph of every text, whatever it begins with.
const SENTINEL: &str = "x ";

fn read(text: &str, style: Style, spans: &mut Vec<Span>) {
    if text.is_empty() {
        return;
    }
    // The parser drops spaces at the end of a paragraph.
    let words = text.trim_end_matches(' ');
    let document = format!("{SENTINEL}{words}");
    let mut reader = Reader { style, look: vec![Look::PLAIN], links: Vec::new(), spans, skip: SENTINEL.len() };
    for event in Parser::new_ext(&document, Options::ENABLE_STRIKETHROUGH) {
        reader.event(event);
    }
    reader.text(&text[words.len()..]);
}

struct Reader<'a> {
    style: Style,
    /// The look of what comes now, and those of what surrounds it.
    look: Vec<Look>,
    /// Where the open links lead, with their titles, each with the number of spans before it.
    links: Vec<(String, usize)>,
    spans: &'a mut Vec<Span>,
    /// How many bytes of the sentinel are still to come.
    skip: usize,
}

impl Reader<'_> {
    fn event(&mut self, event: Event<'_>) {
        match event {
            Event::Text(text) => {
                let skip = self.skip.min(text.len());
                self.skip -= skip;
                self.text(&text[skip..]);
            }
            Event::Code(code) => {
                let code = if self.style.on { code.into_string() } else { format!("`{code}`") };
                self.open(Look::CODE);
                self.text(&code);
                self.look.pop();
            }
            Event::InlineHtml(tag) | Event::Html(tag) if is_line_break(&tag) => self.text("\u{85}"),
            Event::InlineHtml(text) | Event::Html(text) => self.text(&text),
            Event::SoftBreak | Event::HardBreak => self.text("\u{85}"),
            Event::Start(Tag::Emphasis) => self.open_marked(Look::ITALIC, "*"),
            Event::Start(Tag::Strong) => self.open_marked(Look::BOLD, "**"),
            Event::Start(Tag::Strikethrough) => self.open_marked(Look::STRIKE, "~~"),
            Event::End(TagEnd::Emphasis) => self.close_marked("*"),
            Event::End(TagEnd::Strong) => self.close_marked("**"),
            Event::End(TagEnd::Strikethrough) => self.close_marked("~~"),
            Event::Start(Tag::Link { dest_url, title, .. } | Tag::Image { dest_url, title, .. }) => {
                let title = if title.is_empty() { String::new() } else { format!(" \"{title}\"") };
                self.links.push((format!("{dest_url}{title}"), self.spans.len()));
                self.open(Look::UNDERLINE);
            }
            Event::End(TagEnd::Link | TagEnd::Image) => self.close_link(),
            _ => {}
        }
    }

    fn text(&mut self, text: &str) {
        let look = self.look.last().copied().unwrap_or_default();
        if !text.is_empty() {
            self.spans.push(Span { text: text.to_owned(), look });
        }
    }

    fn open(&mut self, look: Look) {
        let around = self.look.last().copied().unwrap_or_default();
        self.look.push(around.and(look));
    }

    fn open_marked(&mut self, look: Look, mark: &str) {
        if !self.style.on {
            self.text(mark);
        }
        self.open(look);
    }

    fn close_marked(&mut self, mark: &str) {
        self.look.pop();
        if !self.style.on {
            self.text(mark);
        }
    }

    /// Behind its text, a link says where it leads, unless its text says that already.
    fn close_link(&mut self) {
        self.look.pop();
        let Some((url, begins)) = self.links.pop() else { return };
        let text: String = self.spans[begins..].iter().map(|span| span.text.as_str()).collect();
        let is_told = text == url || url.strip_prefix("mailto:") == Some(&text);
        if !is_told && !url.is_empty() {
            let gap = if text.is_empty() { "" } else { " " };
            self.spans.push(Span { text: gap.to_owned(), look: Look::PLAIN });
            self.spans.push(Span { text: format!("({url})"), look: Look::DIM });
        }
    }
}

fn is_line_break(tag: &str) -> bool {
    ["<br>", "<br/>", "<br />"].iter().any(|wanted| tag.eq_ignore_ascii_case(wanted))
}

/// Finds the ends of units. It may wait for longer than needed, which costs nothing but time.
#[derive(Debug, Clone, Default)]
struct Scan {
    /// How far the text was looked at.
    at: usize,
    mode: Mode,
    /// The runs of `*`, `_` and `~` that may begin something: the character, how many are left, whether it may also end
    /// something.
    open: Vec<Run>,
    /// How many `[` are open.
    brackets: usize,
    /// Whether a link's text has ended just before.
    after_text: bool,
    /// Whether a `<` may have begun a link.
    angle: bool,
}

#[derive(Debug, Clone, Copy)]
struct Run {
    mark: u8,
    left: usize,
    length: usize,
    both: bool,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Mode {
    #[default]
    Text,
    /// Code between runs of so many backticks.
    Code(usize),
    /// A formula, until this closes it.
    Formula(&'static str),
    /// Where a link leads, so many parentheses deep.
    Destination(usize),
}

impl Scan {
    /// The end of the unit that begins at `start`, behind its space. None where more text is needed.
    fn next_unit(&mut self, text: &str, start: usize) -> Option<usize> {
        let bytes = text.as_bytes();
        while self.at < bytes.len() {
            let byte = bytes[self.at];
            let after_text = std::mem::take(&mut self.after_text);
            match (self.mode, byte) {
                (_, b' ') | (_, 0xC2) if byte == b' ' || text[self.at..].starts_with(BREAK) => {
                    self.at += if byte == b' ' { 1 } else { BREAK.len_utf8() };
                    if self.is_closed() || self.at - start > LONGEST_UNIT {
                        *self = Self { at: self.at, ..Self::default() };
                        return Some(self.at);
                    }
                }
                (Mode::Text | Mode::Destination(_), b'\\') => {
                    // What is escaped must be known.
                    let next = *bytes.get(self.at + 1)?;
                    if let (Mode::Text, Some((_, close))) = (self.mode, formula_opened_by(&[b'\\', next])) {
                        self.mode = Mode::Formula(close);
                    }
                    self.at += if next.is_ascii_punctuation() { 2 } else { 1 };
                }
                (Mode::Text, b'$') => {
                    let next = *bytes.get(self.at + 1)?;
                    if next == b'$' {
                        self.mode = Mode::Formula("$$");
                        self.at += 1;
                    }
                    self.at += 1;
                }
                (Mode::Formula(close), _) => {
                    let rest = &bytes[self.at..];
                    if rest.len() < close.len() && close.as_bytes().starts_with(rest) {
                        return None;
                    }
                    if rest.starts_with(close.as_bytes()) {
                        self.mode = Mode::Text;
                        self.at += close.len();
                    } else {
                        self.at += 1;
                    }
                }
                (Mode::Text | Mode::Code(_), b'`') => {
                    let length = run(bytes, self.at)?;
                    self.at += length;
                    self.mode = match self.mode {
                        Mode::Code(opened) if opened == length => Mode::Text,
                        Mode::Code(opened) => Mode::Code(opened),
                        _ => Mode::Code(length),
                    };
                }
                (Mode::Text, b'*' | b'_' | b'~') => {
                    let length = run(bytes, self.at)?;
                    self.delimiters((text, start), byte, length);
                    self.at += length;
                }
                (Mode::Text, b'[') => {
                    self.brackets += 1;
                    self.at += 1;
                }
                (Mode::Text, b']') => {
                    self.after_text = self.brackets > 0;
                    self.brackets = self.brackets.saturating_sub(1);
                    self.at += 1;
                }
                (Mode::Text, b'(') if after_text => {
                    self.mode = Mode::Destination(1);
                    self.at += 1;
                }
                (Mode::Destination(depth), b'(' | b')') => {
                    let depth = if byte == b'(' { depth + 1 } else { depth - 1 };
                    self.mode = if depth == 0 { Mode::Text } else { Mode::Destination(depth) };
                    self.at += 1;
                }
                (Mode::Text, b'<') => {
                    self.angle = true;
                    self.at += 1;
                }
                // The first bytes of letters in scripts without spaces.
                (Mode::Text, 0xE3..=0xED) if self.at > start && self.is_closed() && !self.angle => {
                    let mut before = text[start..self.at].chars();
                    let ends = before.next_back().is_some_and(has_no_spaces);
                    if ends && text[self.at..].chars().next().is_some_and(has_no_spaces) {
                        *self = Self { at: self.at, ..Self::default() };
                        return Some(self.at);
                    }
                    self.at += 1;
                }
                _ => self.at += 1,
            }
        }
        None
    }

    fn is_closed(&self) -> bool {
        self.mode == Mode::Text && self.open.is_empty() && self.brackets == 0
    }

    /// Takes in a run of marks of emphasis, by the rules of CommonMark.
    fn delimiters(&mut self, (text, start): (&str, usize), mark: u8, length: usize) {
        if mark == b'~' && length != 2 {
            return;
        }
        let before = text[start..self.at].chars().next_back().unwrap_or(' ');
        let after = text[self.at + length..].chars().next().unwrap_or(' ');
        let (space_before, space_after) = (before.is_whitespace(), after.is_whitespace());
        let (point_before, point_after) = (is_punctuation(before), is_punctuation(after));
        let left = !space_after && (!point_after || space_before || point_before);
        let right = !space_before && (!point_before || space_after || point_after);
        let (opens, closes) = match mark {
            b'_' => (left && (!right || point_before), right && (!left || point_after)),
            _ => (left, right),
        };
        let mut left = length;
        while closes && left > 0 {
            let fits = |run: &Run| {
                let thirds = (run.both || opens) && (run.length + length).is_multiple_of(3);
                run.mark == mark && !(thirds && !(run.length.is_multiple_of(3) && length.is_multiple_of(3)))
            };
            let Some(place) = self.open.iter().rposition(fits) else { break };
            // What was opened in between can no longer be closed.
            self.open.truncate(place + 1);
            let used = left.min(self.open[place].left);
            left -= used;
            self.open[place].left -= used;
            if self.open[place].left == 0 {
                self.open.pop();
            }
        }
        if opens && left > 0 {
            self.open.push(Run { mark, left, length, both: closes });
        }
    }

    /// Closes what is open, for a preview.
    fn close(&self, text: &mut String) {
        match self.mode {
            Mode::Code(length) => text.push_str(&"`".repeat(length)),
            Mode::Destination(depth) => text.push_str(&")".repeat(depth)),
            Mode::Text | Mode::Formula(_) => {}
        }
        for run in self.open.iter().rev() {
            let mark = char::from(run.mark).to_string().repeat(run.left);
            // What has just been opened holds nothing yet.
            if text.ends_with(&mark) {
                text.truncate(text.len() - mark.len());
            } else {
                text.push_str(&mark);
            }
        }
    }
}

/// Punctuation as CommonMark means it, or nearly so: in doubt, a unit only ends later.
fn is_punctuation(c: char) -> bool {
    c.is_ascii_punctuation() || (!c.is_ascii() && !c.is_alphanumeric() && !c.is_whitespace())
}

/// Whether the letter belongs to a script that is written without spaces. A grapheme ends before each of these: kana,
/// ideographs, syllables of Hangul.
fn has_no_spaces(c: char) -> bool {
    matches!(c, '\u{3041}'..='\u{3096}' | '\u{30a1}'..='\u{30fa}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{ac00}'..='\u{d7a3}')
}

fn formula_opened_by(open: &[u8]) -> Option<(&'static str, &'static str)> {
    FORMULAS.into_iter().find(|formula| formula.0.as_bytes() == open)
}

/// How many times the byte at `start` stands there; None where there may be more.
fn run(bytes: &[u8], start: usize) -> Option<usize> {
    let length = bytes[start..].iter().take_while(|byte| **byte == bytes[start]).count();
    (start + length < bytes.len()).then_some(length)
}
