//! How answers differ from one of them: word by word on a terminal and in HTML, as a unified diff of lines elsewhere.

use std::fmt::Write;
use std::time::Duration;

use serde::Serialize;
use similar::{ChangeTag, TextDiff};

use super::columns::{heading, mark};
use super::term::{Output, Text};
use super::{Comparison, escape, wrap};
use crate::record::Record;

/// After this time a diff is no longer the shortest, but still right.
const LIMIT: Duration = Duration::from_secs(1);

/// Lines of context in a unified diff.
const CONTEXT: usize = 3;

/// A part of an answer beside another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Side {
    Both,
    /// Only in the answer that the others are compared with.
    Base,
    /// Only in the other.
    Other,
}

/// The words of two texts in order; neighbours of the same side are joined.
pub(super) fn words(base: &str, other: &str) -> Vec<(Side, String)> {
    let diff = TextDiff::configure().timeout(LIMIT).diff_unicode_words(base, other);
    let mut words: Vec<(Side, String)> = Vec::new();
    for change in diff.iter_all_changes() {
        let side = match change.tag() {
            ChangeTag::Equal => Side::Both,
            ChangeTag::Delete => Side::Base,
            ChangeTag::Insert => Side::Other,
        };
        match words.last_mut() {
            Some((last, text)) if *last == side => text.push_str(change.value()),
            _ => words.push((side, change.value().to_owned())),
        }
    }
    words
}

/// The unified diff of two answers; empty where they are the same.
pub(super) fn unified(base: (&str, &Record), other: (&str, &Record)) -> String {
    let diff = TextDiff::configure().timeout(LIMIT).diff_lines(base.1.text.as_str(), other.1.text.as_str());
    let (from, to) = (escape::line(base.0).into_owned(), escape::line(other.0).into_owned());
    diff.unified_diff().context_radius(CONTEXT).header(&from, &to).to_string()
}

/// The answer at the place `base` as it is, and how each other one differs from it.
pub fn text(comparison: &Comparison<'_>, base: usize, out: &Output) -> Text {
    let labels = comparison.labels();
    let mut page = Text::new();
    let (Some(base_label), Some(base_record)) = (labels.get(base), comparison.records.get(base)) else { return page };
    if out.tty {
        heading(&mut page, base_label, out);
        for line in wrap::wrap(&out.show(&super::columns::body(base_record)), out.columns) {
            page += line.as_str();
            page += "\n";
        }
    }
    for (label, record) in others(&labels, comparison, base) {
        if !out.tty {
            // That an answer is missing is said in the table.
            if !record.text.is_empty() {
                page += &unified((base_label, base_record), (label, record));
            }
            continue;
        }
        page += "\n";
        heading(&mut page, &format!("{label}, against {base_label}"), out);
        match (record.text == base_record.text, mark(record)) {
            (_, Some(mark)) if record.text.is_empty() => page += mark.as_str(),
            (true, _) => page += out.style.dim("the same text"),
            (false, _) => page += painted(&words(base_record.text.trim_end(), record.text.trim_end()), out),
        }
        page += "\n";
    }
    page
}

/// All answers but the one at the place `base`.
fn others<'a>(
    labels: &'a [String],
    comparison: &Comparison<'a>,
    base: usize,
) -> impl Iterator<Item = (&'a String, &'a Record)> {
    let all = labels.iter().zip(comparison.records).enumerate();
    all.filter(move |(place, _)| *place != base).map(|(_, answer)| answer)
}

/// A diff on a web page.
#[derive(Debug, Serialize)]
pub(super) struct Diff {
    title: String,
    words: Vec<(Side, String)>,
}

/// The diffs of all other answers for a web page.
pub(super) fn for_page(comparison: &Comparison<'_>, base: usize) -> Vec<Diff> {
    let labels = comparison.labels();
    let (Some(base_label), Some(base_record)) = (labels.get(base), comparison.records.get(base)) else {
        return Vec::new();
    };
    let diff = |(label, record): (&String, &Record)| Diff {
        title: format!("{label}, against {base_label}"),
        words: words(&base_record.text, &record.text),
    };
    others(&labels, comparison, base).map(diff).collect()
}

/// The words in colours, or with marks where there are no colours, wrapped to the page.
fn painted(words: &[(Side, String)], out: &Output) -> Text {
    let mut page = Text::new();
    let mut column = 0;
    for (side, text) in words {
        let (before, after) = match side {
            Side::Both => ("", ""),
            _ if out.style.is_on() => ("", ""),
            Side::Base => ("[-", "-]"),
            Side::Other => ("{+", "+}"),
        };
        let marked = format!("{before}{text}{after}");
        for piece in marked.split_inclusive([' ', '\n']) {
            let (word, end) = match piece.strip_suffix('\n') {
                Some(word) => (word, "\n"),
                None => (piece, ""),
            };
            let width = wrap::width(&out.show(word));
            let visible = wrap::width(&out.show(word.trim_end()));
            if column > 0 && column + visible > out.columns {
                page += "\n";
                column = 0;
            }
            page += match side {
                Side::Both => Text::from(word),
                Side::Base => out.style.red(word),
                Side::Other => out.style.green(word),
            };
            page += end;
            column = if end.is_empty() { column + width } else { 0 };
        }
    }
    page
}

/// The diffs as sections of Markdown.
pub(super) fn markdown(page: &mut String, comparison: &Comparison<'_>, base: usize) {
    let labels = comparison.labels();
    let (Some(base_label), Some(base_record)) = (labels.get(base), comparison.records.get(base)) else { return };
    page.push_str("\n## Differences\n");
    for (label, record) in others(&labels, comparison, base) {
        let title = escape::markdown_line(&format!("{label}, against {base_label}")).to_string();
        _ = writeln!(page, "\n### {title}\n");
        let diff = unified((base_label, base_record), (label, record));
        if diff.is_empty() {
            page.push_str("The same text.\n");
            continue;
        }
        let fence = escape::markdown_fence(&diff);
        _ = writeln!(page, "{fence}diff\n{}\n{fence}", diff.trim_end_matches('\n'));
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::{failed, record};
    use super::*;

    fn three() -> [Record; 4] {
        let same = record("same", "The cat sat on the mat.\n");
        [record("a", "The cat sat on the mat.\n"), record("b", "The black cat sat on a mat.\n"), same, failed("down")]
    }

    #[test]
    fn words_that_differ_are_told_apart() {
        let found = words("the cat sat", "the dog sat down");
        let parts: Vec<(Side, &str)> = found.iter().map(|(side, text)| (*side, text.as_str())).collect();
        use Side::{Base, Both, Other};
        assert_eq!(parts, [(Both, "the "), (Base, "cat"), (Other, "dog"), (Both, " sat"), (Other, " down")]);
        // Each text can be read from its sides.
        let (base, other) = ("Ein Text, äöü 🙂\r\nzwei", "Kein Text: äö 🙂\nzwei drei");
        let found = words(base, other);
        let side = |side: Side| -> String {
            found.iter().filter(|(of, _)| *of == Both || *of == side).map(|(_, text)| text.as_str()).collect()
        };
        assert_eq!((side(Base).as_str(), side(Other).as_str()), (base, other));
    }

    #[test]
    fn a_terminal_gets_words_and_a_pipe_a_unified_diff() {
        let records = three();
        let comparison = Comparison::new("run", "prompt", &records);
        insta::assert_snapshot!(text(&comparison, 0, &Output::terminal(40)), @r"
        ── a ───────────────────────────────────
        The cat sat on the mat.

        ── b, against a ────────────────────────
        The {+black +}cat sat on [-the-]{+a+} 
        mat.

        ── same, against a ─────────────────────
        the same text

        ── down, against a ─────────────────────
        [failed: 503 no provider is available for this model]
        ");
        insta::assert_snapshot!(text(&comparison, 0, &Output::plain(40)), @r"
        --- a
        +++ b
        @@ -1 +1 @@
        -The cat sat on the mat.
        +The black cat sat on a mat.
        ");
        // Against another one.
        assert!(text(&comparison, 1, &Output::plain(40)).to_string().contains("--- b\n+++ a\n"));
    }

    #[test]
    fn no_line_is_wider_than_the_page() {
        let records = [record("a", &"lorem ipsum ".repeat(40)), record("b", &"lorem dolor ipsum ".repeat(40))];
        let page = text(&Comparison::new("run", "p", &records), 0, &Output::terminal(50)).to_string();
        for line in page.lines() {
            assert!(wrap::width(line.trim_end()) <= 50, "{line}");
        }
    }
}
