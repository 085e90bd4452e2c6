//! Answers side by side where the page is wide enough, one below the other where it is not.
//!
//! The crate comfy-table does not make these columns: it cannot colour the lines between them, and it returns bytes, in
//! which our colours and those of an answer could not be told apart.

use super::term::{Output, Style, Text};
use super::{Comparison, escape, notice, wrap};
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
    if side_by_side { in_columns(comparison, column, out.style) } else { stacked(comparison, out) }
}

/// How wide each of `count` columns is on a page of this many cells; `None` where there are no columns.
fn column_width(count: usize, columns: usize) -> Option<usize> {
    let gaps = 1 + GAP_WIDTH * count.checked_sub(1)?;
    Some(columns.saturating_sub(gaps) / count)
}

fn in_columns(comparison: &Comparison<'_>, column: usize, style: Style) -> Text {
    let wrapped = |text: &str| wrap::wrap(&escape::terminal(text), column);
    let headings: Vec<Vec<String>> = comparison.labels().iter().map(|label| wrapped(&escape::line(label))).collect();
    let bodies: Vec<Vec<String>> = comparison.records.iter().map(|record| wrapped(&body(record))).collect();
    let mut page = Text::new();
    rows(&mut page, &headings, column, style, |text| style.bold(text));
    let rule = vec!["─".repeat(column); bodies.len()].join("─┼─");
    page += style.dim(format!("─{rule}")) + "\n";
    rows(&mut page, &bodies, column, style, |text| text.into());
    page
}

/// Prints cells of several lines beside each other.
fn rows(page: &mut Text, cells: &[Vec<String>], column: usize, style: Style, paint: impl Fn(&str) -> Text) {
    for row in 0..cells.iter().map(Vec::len).max().unwrap_or(0) {
        for (i, lines) in cells.iter().enumerate() {
            let text = lines.get(row).map_or("", String::as_str);
            let is_last = i + 1 == cells.len();
            let gap = if i == 0 { " " } else { GAP };
            // No line ends with a space.
            *page += style.dim(if is_last && text.is_empty() { gap.trim_end() } else { gap });
            // The padding gets no colour.
            *page += paint(text);
            if !is_last {
                *page += " ".repeat(column.saturating_sub(wrap::width(text))).as_str();
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
        let body = body(record);
        if out.tty {
            for line in wrap::wrap(&escape::terminal(&body), out.columns) {
                page += line.as_str();
                page += "\n";
            }
        } else {
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
    for call in &record.tool_calls {
        paragraph(&mut text, &format!("[calls {} {}]", call.name, call.arguments));
    }
    if let Some(mark) = mark(record) {
        paragraph(&mut text, &mark);
    }
    text
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
