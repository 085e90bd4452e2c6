//! Answers as Markdown: a table of figures, and each answer in a fence that its text cannot end.

use std::fmt::Write;

use super::repeats::{METRICS, Repeats};
use super::table;
use super::term::Text;
use super::{Comparison, answer, columns, diff, escape, grid};
use crate::record::Record;

/// A document with the prompt, the figures and every answer.
pub fn comparison(comparison: &Comparison<'_>) -> Text {
    let mut page = String::from("## Prompt\n\n");
    fenced(&mut page, comparison.prompt);
    page.push_str("\n## Figures\n\n");
    table(&mut page, &table::COLUMNS, &table::rows(comparison));
    if comparison.is_repeated {
        let repeats = Repeats::new(comparison);
        page.push_str("\n## Figures of each model\n\n");
        table(&mut page, &Repeats::columns(&METRICS), &repeats.rows(&METRICS));
        list(&mut page, &repeats.findings());
    }
    list(&mut page, &comparison.findings());
    page.push_str("\n## Answers\n");
    for (place, (label, record)) in comparison.labels().iter().zip(comparison.records).enumerate() {
        _ = writeln!(page, "\n### {}", escape::markdown_line(label));
        body(&mut page, record);
        list(&mut page, &comparison.reasons(place));
    }
    if let Some(base) = comparison.diff_against {
        diff::markdown(&mut page, comparison, base);
    }
    page.into()
}

/// Appends sentences as a list after an empty line; nothing where there are none.
pub(super) fn list(page: &mut String, sentences: &[String]) {
    for (n, sentence) in sentences.iter().enumerate() {
        let before = if n == 0 { "\n" } else { "" };
        _ = writeln!(page, "{before}- {}", escape::markdown_line(sentence));
    }
}

/// Appends an answer, which stands below its heading.
pub(super) fn body(page: &mut String, record: &Record) {
    if !record.text.is_empty() {
        page.push('\n');
        fenced(page, &record.text);
    }
    for call in &record.tool_calls {
        _ = writeln!(page, "\nCalls {}:\n", escape::markdown_line(&call.name));
        fenced(page, &call.arguments);
    }
    if let Some(mark) = columns::mark(record) {
        _ = writeln!(page, "\n*{}*", escape::markdown_line(&mark));
    }
}

/// One answer as the model wrote it, since most models write Markdown, and its figures below a line.
pub fn answer(record: &Record) -> Text {
    let mut page = record.text.clone();
    if !page.is_empty() && !page.ends_with('\n') {
        page.push('\n');
    }
    if let Some(mark) = columns::mark(record) {
        _ = writeln!(page, "\n*{}*", escape::markdown_line(&mark));
    }
    _ = writeln!(page, "\n---\n\n*{}*", escape::markdown_line(&answer::stats(record).join(" · ")));
    page.into()
}

/// Appends a table with these headings; each says whether its column has numbers. Columns in which all cells are empty are
/// left out.
pub(super) fn table(page: &mut String, headings: &[(&str, bool)], rows: &[Vec<String>]) {
    let used: Vec<usize> = (0..headings.len()).filter(|i| rows.iter().any(|row| !row[*i].is_empty())).collect();
    let line = |page: &mut String, cells: &mut dyn Iterator<Item = String>| {
        _ = writeln!(page, "| {} |", cells.collect::<Vec<_>>().join(" | "));
    };
    line(page, &mut used.iter().map(|i| headings[*i].0.to_owned()));
    line(page, &mut used.iter().map(|i| if headings[*i].1 { "---:" } else { "---" }.to_owned()));
    for row in rows {
        line(page, &mut used.iter().map(|i| cell(&row[*i])));
    }
}

/// The text of a cell, which is bold where it is the best of its column.
fn cell(text: &str) -> String {
    match text.strip_prefix(grid::BEST) {
        Some(best) => format!("**{}**", escape::markdown_line(best.trim_start())),
        None => escape::markdown_line(text),
    }
}

pub(super) fn fenced(page: &mut String, text: &str) {
    let fence = escape::markdown_fence(text);
    let end = if text.ends_with('\n') { "" } else { "\n" };
    _ = writeln!(page, "{fence}text\n{text}{end}{fence}");
}

#[cfg(test)]
mod tests {
    use super::super::samples::{failed, record, three};
    use super::*;

    #[test]
    fn a_comparison_is_a_table_and_fenced_answers() {
        let mut records = three()[1..].to_vec();
        records.push(failed("down|<b>"));
        insta::assert_snapshot!(comparison(&Comparison::new("run", "Summarize.", &records)), @r"
        ## Prompt

        ```text
        Summarize.
        ```

        ## Figures

        | model | status | first token | total | tok/s | in | out | cost | note |
        | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | --- |
        | gpt-5.4-mini | ok | **198 ms** | **600 ms** | **88** | 14 | 8 | **$0.000013** |  |
        | deepseek-v4 | ok | 640 ms | 2.2 s | 31 | 14 | 8 | \~$0.000015 | retried once (429) |
        | down\|&lt;b&gt; | failed | – | 310 ms | – | – | – | – | 503 no provider is available for this model |
        | total |  |  | 2.2 s |  | 28 | 16 | \~$0.000028 |  |

        ## Answers

        ### gpt-5.4-mini

        ```text
        The cat sat on the mat.
        ```

        ### deepseek-v4

        ```text
        A cat sits on its mat.
        ```

        ### down\|&lt;b&gt;

        *\[failed: 503 no provider is available for this model\]*
        ");
    }

    #[test]
    fn no_answer_leaves_its_fence() {
        let text = "```\n<script>\n``````\n![x](http://evil)";
        let page = comparison(&Comparison::new("run", "p", &[record("m", text)])).to_string();
        assert!(page.contains(&format!("\n```````text\n{text}\n```````\n")), "{page}");
    }

    #[test]
    fn an_answer_is_left_as_written_with_its_figures_below() {
        let page = answer(&record("gpt", "# Title\n\ntext")).to_string();
        assert!(page.starts_with("# Title\n\ntext\n\n---\n\n*gpt · connect 31 ms"), "{page}");
    }
}
