//! Answers side by side where the page is wide enough, one below the other where it is not.
//!
//! The crate comfy-table does not make these columns: it cannot colour the lines between them, and it returns bytes, in
//! which our colours and those of an answer could not be told apart.

use super::term::{Output, Style, Text};
use super::{Comparison, escape, notice, render, wrap};
use crate::record::{Record, Status};

/// In a column of fewer cells, prose is hard to read.
const MIN_COLUMN: usize = 30;
/// This stands between two columns. One more cell stands before the first column.
const GAP: &str = " │ ";
const GAP_WIDTH: usize = 3;

/// How the answers are arranged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Layout {
    /// The answers stand side by side on a terminal that is wide enough, else one below the other.
    #[default]
    Auto,
    Columns,
    Stacked,
}

/// The answers of a comparison, ending with a line break. Nothing is cut: what does not fit is wrapped.
pub fn answers(comparison: &Comparison<'_>, layout: Layout, out: &Output) -> Text {
    let records = comparison.records;
    let Some(column) = column_width(records.len(), out.columns) else { return Text::new() };
    let side_by_side = match layout {
        Layout::Auto => out.tty && records.len() > 1 && column >= MIN_COLUMN,
        // A wide character needs two cells.
        Layout::Columns => column >= 2,
        Layout::Stacked => false,
    };
    if side_by_side { in_columns(comparison, column, out) } else { stacked(comparison, out) }
}

/// How wide each of `count` columns is on a page of this many cells; `None` where there are no columns.
fn column_width(count: usize, columns: usize) -> Option<usize> {
    let gaps = 1 + GAP_WIDTH * count.checked_sub(1)?;
    Some(columns.saturating_sub(gaps) / count)
}

fn in_columns(comparison: &Comparison<'_>, column: usize, out: &Output) -> Text {
    let style = out.style;
    let heading =
        |label: &String| wrapped(&escape::line(label), column).into_iter().map(|line| style.bold(line)).collect();
    let headings: Vec<Vec<Text>> = comparison.labels().iter().map(heading).collect();
    let bodies: Vec<Vec<Text>> = comparison.records.iter().map(|record| lines(record, column, out)).collect();
    let mut page = Text::new();
    rows(&mut page, &headings, column, style);
    let rule = vec!["─".repeat(column); bodies.len()].join("─┼─");
    page += style.dim(format!("─{rule}")) + "\n";
    rows(&mut page, &bodies, column, style);
    page
}

fn wrapped(text: &str, columns: usize) -> Vec<String> {
    wrap::wrap(&escape::terminal(text), columns)
}

/// The answer in lines that are no wider than `columns`, with what it calls and how it ended.
fn lines(record: &Record, columns: usize, out: &Output) -> Vec<Text> {
    let plain = |text: &str| wrapped(text, columns).into_iter().map(Text::from).collect();
    if !out.renders() {
        return plain(&body(record));
    }
    let mut lines = render::lines(&record.text, columns, out.style);
    for addition in additions(record) {
        if !lines.is_empty() {
            lines.push(Text::new());
        }
        lines.extend::<Vec<Text>>(plain(&addition));
    }
    lines
}

/// Prints cells of several lines beside each other.
fn rows(page: &mut Text, cells: &[Vec<Text>], column: usize, style: Style) {
    for row in 0..cells.iter().map(Vec::len).max().unwrap_or(0) {
        for (i, lines) in cells.iter().enumerate() {
            let text = lines.get(row).cloned().unwrap_or_default();
            let is_last = i + 1 == cells.len();
            let gap = if i == 0 { " " } else { GAP };
            // No line ends with a space.
            *page += style.dim(if is_last && text.is_empty() { gap.trim_end() } else { gap });
            // The padding gets no colour.
            let free = column.saturating_sub(text.width());
            *page += text;
            if !is_last {
                *page += " ".repeat(free).as_str();
            }
        }
        *page += "\n";
    }
}

fn stacked(comparison: &Comparison<'_>, out: &Output) -> Text {
    let mut page = Text::new();
    for (label, record) in comparison.labels().iter().zip(comparison.records) {
        if !page.is_empty() {
            page += "\n";
        }
        heading(&mut page, label, out);
        if out.tty || out.renders() {
            page.extend(lines(record, out.columns, out).into_iter().map(|line| line + "\n"));
        } else {
            let body = body(record);
            // A program that reads from a pipe gets the text as it is, without line breaks of ours.
            page += body.as_str();
            if !body.ends_with('\n') {
                page += "\n";
            }
        }
    }
    page
}

/// `── gpt-5.4-mini ─────────`, over as many lines as the name takes.
pub(super) fn heading(page: &mut Text, label: &str, out: &Output) {
    let style = out.style;
    let lines = wrap::wrap(&escape::line(label), out.columns.saturating_sub(4).max(1));
    for (i, line) in lines.iter().enumerate() {
        *page += style.dim(if i == 0 { "──" } else { "  " }) + " " + style.bold(line);
        let rest = out.columns.saturating_sub(wrap::width(line) + 4);
        if i + 1 == lines.len() && rest > 0 {
            *page += Text::from(" ") + style.dim("─".repeat(rest));
        }
        *page += "\n";
    }
}

/// What is shown of an answer: its text, its tool calls, and a mark where it is not complete.
pub(super) fn body(record: &Record) -> String {
    let mut text = record.text.clone();
    additions(record).iter().for_each(|addition| paragraph(&mut text, addition));
    text
}

/// What is said below an answer: what it calls, and why it is not complete.
fn additions(record: &Record) -> Vec<String> {
    let calls = record.tool_calls.iter().map(|call| format!("[calls {} {}]", call.name, call.arguments));
    calls.chain(mark(record)).collect()
}

fn paragraph(text: &mut String, addition: &str) {
    if !text.is_empty() {
        text.truncate(text.trim_end_matches('\n').len());
        text.push_str("\n\n");
    }
    text.push_str(addition);
}

/// How the answer ended; `None` where it is complete.
pub(super) fn mark(record: &Record) -> Option<String> {
    match record.status {
        Status::Ok if record.text.trim().is_empty() && record.tool_calls.is_empty() => Some("[empty answer]".into()),
        Status::Ok => None,
        Status::Truncated => Some(format!("[truncated: {}]", reason(record))),
        Status::Interrupted => Some("[interrupted]".into()),
        Status::Failed => Some(format!("[failed: {}]", reason(record))),
        Status::Refused => Some(format!("[not sent: {}]", reason(record))),
        Status::Skipped => Some(format!("[{}]", reason(record))),
    }
}

/// Why an answer is not complete.
pub(super) fn reason(record: &Record) -> String {
    match (&record.error, &record.finish_reason) {
        (Some(failure), _) => notice::with_status(failure),
        (None, Some(finish)) => finish.as_str().to_owned(),
        (None, None) => "no reason given".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::{HOSTILE, failed, record, three, truncated};
    use super::*;
    use crate::chat::ToolCall;

    fn page(records: &[Record], layout: Layout, out: &Output) -> String {
        answers(&Comparison::new("run", "prompt", records), layout, out).shown(false).into_owned()
    }

    #[test]
    fn answers_stand_side_by_side_where_there_is_room() {
        insta::assert_snapshot!(page(&three(), Layout::Auto, &Output::terminal(100)), @r"
         claude-sonnet-4-6               │ gpt-5.4-mini                    │ deepseek-v4
        ─────────────────────────────────┼─────────────────────────────────┼────────────────────────────────
         A cat was sitting on a mat.     │ The cat sat on the mat.         │ A cat sits on its mat.
        ");
    }

    #[test]
    fn answers_are_stacked_where_columns_would_be_narrow() {
        insta::assert_snapshot!(page(&three()[..2], Layout::Auto, &Output::terminal(60)), @r"
        ── claude-sonnet-4-6 ───────────────────────────────────────
        A cat was sitting on a mat.

        ── gpt-5.4-mini ────────────────────────────────────────────
        The cat sat on the mat.
        ");
    }

    #[test]
    fn what_is_not_whole_is_marked_in_its_place() {
        let records = [failed("claude-opus"), truncated("gpt-5.4-mini"), truncated("gpt-5.4-mini")];
        insta::assert_snapshot!(page(&records, Layout::Columns, &Output::terminal(70)), @r"
         claude-opus           │ gpt-5.4-mini          │ gpt-5.4-mini (2)
        ───────────────────────┼───────────────────────┼──────────────────────
         [failed: 503 no       │ Once upon a           │ Once upon a
         provider is available │                       │
         for this model]       │ [truncated: length]   │ [truncated: length]
        ");
    }

    #[test]
    fn wide_characters_emoji_and_code_keep_the_columns_straight() {
        let text = "日本語のテキスト and 👩‍👩‍👧 e\u{301}.\n```py\nprint('hello, world and all')\n```";
        let records = [record("a", text), record("vendor/a-long-model-name", "x")];
        insta::assert_snapshot!(page(&records, Layout::Columns, &Output::terminal(40)), @r"
         a                  │ vendor/a-long-
                            │ model-name
        ────────────────────┼───────────────────
         日本語のテキスト   │ x
         and 👩‍👩‍👧 é.          │
         ```py              │
         print('hello, worl │
         d and all')        │
         ```                │
        ");
    }

    #[test]
    fn every_line_fits_the_page_and_the_gaps_align() {
        let mut hostile = three();
        hostile[0].model = format!("{HOSTILE}\n{HOSTILE}");
        hostile[1].text = format!("{}{HOSTILE}\t{}", "x".repeat(500), "e\u{301}".repeat(10_000));
        hostile[2].text = format!("a{}", "\u{301}".repeat(10_000));
        hostile.push(failed("m"));
        for columns in [20, 40, 80, 120, 200] {
            for layout in [Layout::Auto, Layout::Columns, Layout::Stacked] {
                let page = page(&hostile, layout, &Output::terminal(columns));
                for line in page.lines() {
                    assert!(wrap::width(line) <= columns, "{layout:?} at {columns}: {line}");
                    assert!(!line.contains(|c: char| c.is_control()), "{line:?}");
                }
            }
            let side_by_side = page(&hostile, Layout::Columns, &Output::terminal(columns));
            let mut gaps = side_by_side.lines().filter(|line| !line.contains('┼')).map(|line| {
                line.match_indices(GAP).map(|(at, _)| wrap::width(&line[..at])).take(3).collect::<Vec<_>>()
            });
            let first = gaps.next().expect("a line");
            assert_eq!(first.len(), 3);
            assert!(gaps.all(|gaps| gaps == first[..gaps.len()]), "{columns}:\n{side_by_side}");
        }
    }

    #[test]
    fn a_pipe_gets_the_text_as_it_is() {
        let text = format!("{HOSTILE}\n{}", "long ".repeat(100));
        let page = page(&[record("m", &text)], Layout::Auto, &Output::plain(80));
        assert!(page.contains(&text));
    }

    #[test]
    fn empty_answers_and_tool_calls_are_shown() {
        let mut calls = record("m", "");
        calls.tool_calls =
            vec![ToolCall { id: "1".into(), name: "weather".into(), arguments: "{\"city\":\"Bonn\"}".into() }];
        assert_eq!(body(&calls), "[calls weather {\"city\":\"Bonn\"}]");
        assert_eq!(body(&record("m", "")), "[empty answer]");
        assert_eq!(page(&[], Layout::Auto, &Output::terminal(80)), "");
    }
}
