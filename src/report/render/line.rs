//! What the beginning of a line of Markdown makes of it: the containers that it continues or begins, and its kind.
//!
//! The rules are those of CommonMark, with two exceptions for what models write: an item that is set in by two spaces belongs
//! to the item above, whatever the width of that one's mark, and the lines of a paragraph stay lines.

/// What surrounds blocks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Container {
    Quote,
    Item {
        /// The mark as it is shown: `•`, `12.`
        mark: String,
        /// How far the mark and the content are set in, from where the content of the surrounding container begins.
        at: usize,
        content: usize,
    },
}

/// What a line is, behind its containers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    Blank,
    Text,
    Heading(usize),
    Rule,
    /// The line opens a block of code, which a run of the same mark closes that is no shorter.
    Fence {
        mark: char,
        length: usize,
        indent: usize,
    },
    /// A line of code that is set in.
    Indented,
    /// What may be the head of a table.
    Row,
    /// The line opens a formula, which this closes.
    Formula(&'static str),
}

/// The beginning of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Start {
    /// How many of the open containers go on.
    pub(super) keep: usize,
    pub(super) new: Vec<Container>,
    pub(super) kind: Kind,
    /// Where its text begins, in bytes.
    pub(super) text: usize,
}

/// What is known when a line begins.
#[derive(Debug, Clone, Copy)]
pub(super) struct Before<'a> {
    pub(super) containers: &'a [Container],
    /// Whether a paragraph is open.
    pub(super) paragraph: bool,
}

/// Items that are nested deeper than this are text.
const DEEPEST: usize = 32;

/// Reads the beginning of a line. None where more of the line is needed, which is never so if it is `whole`.
pub(super) fn start(line: &str, before: Before<'_>, whole: bool) -> Option<Start> {
    let (mut at, mut keep) = (0, 0);
    for container in before.containers {
        let (indent, bytes) = indent(&line[at..]);
        let rest = &line[at + bytes..];
        match container {
            Container::Quote if indent < 4 && rest.starts_with('>') => {
                at += bytes + 1 + usize::from(rest[1..].starts_with(' '))
            }
            Container::Item { content, .. } if indent >= *content || (rest.is_empty() && whole) => {
                at += strip(&line[at..], *content);
            }
            _ if rest.is_empty() && !whole => return None,
            _ => break,
        }
        keep += 1;
    }
    let mut new = Vec::new();
    loop {
        let (indent, bytes) = indent(&line[at..]);
        let rest = &line[at + bytes..];
        let Some(first) = rest.chars().next() else {
            return whole.then_some(Start { keep, new, kind: Kind::Blank, text: line.len() });
        };
        let paragraph = before.paragraph && new.is_empty();
        let nested = nested_in(before.containers.get(keep), indent).filter(|_| new.is_empty());
        if indent >= 4 && !paragraph && nested.is_none() {
            let text = at + strip(&line[at..], 4);
            return whole.then_some(Start { keep, new, kind: Kind::Indented, text });
        }
        if first == '>' && new.len() < DEEPEST {
            at += bytes + 1 + usize::from(rest[1..].starts_with(' '));
            new.push(Container::Quote);
            continue;
        }
        if let Some(leaf) = leaf(rest, first, indent, whole)? {
            return Some(Start { keep, new, kind: leaf, text: at + bytes });
        }
        let in_list = before.containers.get(keep).is_some_and(|next| matches!(next, Container::Item { .. }));
        match mark(rest, whole)? {
            Some(mark) if new.len() < DEEPEST && mark.may_begin(paragraph && !in_list) => {
                // What is set in less than the content above belongs to it nevertheless.
                let base = match nested {
                    Some(content) => {
                        keep += 1;
                        content.min(indent)
                    }
                    None => 0,
                };
                let (spaces, _) = self::indent(&rest[mark.length..]);
                let gap = if spaces == 0 || spaces > 4 { 1 } else { spaces };
                let gap_bytes = strip(&rest[mark.length..], gap);
                let own = indent - base;
                new.push(Container::Item { mark: mark.shown, at: own, content: own + mark.length + gap });
                at += bytes + mark.length + gap_bytes;
            }
            _ => return Some(Start { keep, new, kind: Kind::Text, text: at + bytes }),
        }
    }
}

/// Where the content of this item begins, if an item that is set in by so much belongs to it.
fn nested_in(next: Option<&Container>, indent: usize) -> Option<usize> {
    match next {
        Some(Container::Item { at, content, .. }) if indent >= at + 2 => Some(*content),
        _ => None,
    }
}

/// The kind of a line that is neither text nor the beginning of an item. The outer None means that more is needed.
fn leaf(rest: &str, first: char, indent: usize, whole: bool) -> Option<Option<Kind>> {
    let run = rest.bytes().take_while(|byte| char::from(*byte) == first).count();
    let is_open = run == rest.len() && !whole;
    let kind = match first {
        // The space behind the mark is left out, however much comes.
        '#' if !whole && rest[run..].trim_start_matches([' ', '\t']).is_empty() => return None,
        '#' if run <= 6 && (rest[run..].starts_with([' ', '\t']) || run == rest.len()) => Kind::Heading(run),
        '`' | '~' if is_open => return None,
        '`' if run >= 3 && rest[run..].contains('`') => return Some(None),
        '`' | '~' if run >= 3 && !whole => return None,
        '`' | '~' if run >= 3 => Kind::Fence { mark: first, length: run, indent },
        '-' | '*' | '_' | '=' => {
            let marks = rest.bytes().filter(|byte| char::from(*byte) == first).count();
            let is_only = rest.chars().all(|c| c == first || c == ' ' || c == '\t');
            if is_only && !whole {
                return None;
            }
            if !(is_only && marks >= 3 && (first != '=' || run == rest.trim_end().len())) {
                return Some(None);
            }
            Kind::Rule
        }
        '|' if whole => Kind::Row,
        '|' => return None,
        '\\' if rest.len() == 1 && !whole => return None,
        '\\' if rest.starts_with("\\[") => return opens_formula(rest, "\\]", whole),
        '$' if is_open => return None,
        '$' if run == 2 => return opens_formula(rest, "$$", whole),
        _ => return Some(None),
    };
    Some(Some(kind))
}

fn opens_formula(rest: &str, close: &'static str, whole: bool) -> Option<Option<Kind>> {
    if rest[2..].contains(close) {
        return Some(None);
    }
    whole.then_some(Some(Kind::Formula(close)))
}

/// The mark of an item.
struct Mark {
    shown: String,
    /// How many bytes it has.
    length: usize,
    /// Whether it may stand in the middle of a paragraph.
    interrupts: bool,
}

impl Mark {
    fn may_begin(&self, paragraph: bool) -> bool {
        !paragraph || self.interrupts
    }
}

/// The mark of an item at the beginning of the text. The outer None means that more is needed.
fn mark(rest: &str, whole: bool) -> Option<Option<Mark>> {
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let length = match rest.as_bytes().get(digits) {
        None if !whole => return None,
        Some(b'-' | b'*' | b'+') if digits == 0 => 1,
        Some(b'.' | b')') if (1..=9).contains(&digits) => digits + 1,
        _ => return Some(None),
    };
    let after = &rest[length..];
    if after.trim().is_empty() && !whole {
        return None;
    }
    if !(after.is_empty() || after.starts_with([' ', '\t'])) {
        return Some(None);
    }
    let shown = if digits == 0 { "•".to_owned() } else { rest[..length].to_owned() };
    let interrupts = !after.trim().is_empty() && (digits == 0 || &rest[..digits] == "1");
    Some(Some(Mark { shown, length, interrupts }))
}

/// How far the text is set in, in cells and in bytes.
fn indent(text: &str) -> (usize, usize) {
    let mut cells = 0;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b' ' => cells += 1,
            b'\t' => cells += 4 - cells % 4,
            _ => return (cells, at),
        }
    }
    (cells, text.len())
}

/// How many bytes of white space take so many cells at most.
pub(super) fn strip(text: &str, most: usize) -> usize {
    let mut cells = 0;
    for (at, byte) in text.bytes().enumerate() {
        let wide = match byte {
            b' ' => 1,
            b'\t' => 4 - cells % 4,
            _ => return at,
        };
        if cells + wide > most {
            return at;
        }
        cells += wide;
    }
    text.len()
}

/// Whether the line closes the fence.
pub(super) fn closes(line: &str, mark: char, length: usize) -> bool {
    let line = line.trim();
    line.len() >= length && line.chars().all(|c| c == mark)
}

/// The cells of a row of a table.
pub(super) fn row(line: &str) -> Vec<String> {
    let line = line.trim();
    let line = line.strip_prefix('|').unwrap_or(line);
    let mut cells = vec![String::new()];
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' if chars.peek() == Some(&'|') => push(&mut cells, chars.next().unwrap_or('|')),
            '|' if chars.peek().is_none() => break,
            '|' => cells.push(String::new()),
            c => push(&mut cells, c),
        }
    }
    cells.iter().map(|cell| cell.trim().to_owned()).collect()
}

fn push(cells: &mut [String], c: char) {
    if let Some(last) = cells.last_mut() {
        last.push(c);
    }
}

/// To which side the columns of a table go, if this is the line below its head.
pub(super) fn delimiters(line: &str) -> Option<Vec<Side>> {
    if !line.contains('-') || !line.contains('|') {
        return None;
    }
    row(line)
        .iter()
        .map(|cell| {
            let (left, right) = (cell.starts_with(':'), cell.ends_with(':') && cell.len() > 1);
            let dashes = cell.trim_matches(':');
            (!dashes.is_empty() && dashes.bytes().all(|byte| byte == b'-')).then_some(match (left, right) {
                (true, true) => Side::Middle,
                (false, true) => Side::Right,
                _ => Side::Left,
            })
        })
        .collect()
}

/// Where the text of a cell stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Left,
    Middle,
    Right,
}
