//! A comparison as one web page that loads nothing and runs nothing.

use std::fmt::Write;

use super::escape::html;
use super::table::{self, Cells};
use super::wrap::{Fence, Place};
use super::{Comparison, columns, notes, page};
use crate::record::{Record, Status};

/// The page. Everything that a model, a gateway or the user wrote is text in it: no markup, no links, no scripts.
pub fn comparison(comparison: &Comparison<'_>) -> String {
    let mut page = String::new();
    prompt(&mut page, comparison.prompt);
    figures(&mut page, comparison);
    page.push_str("<section class=\"answers\">\n");
    for (i, (label, record)) in comparison.labels().iter().zip(comparison.records).enumerate() {
        answer(&mut page, label, record, comparison.winner == Some(i));
    }
    _ = writeln!(page, "</section>\n<footer>run {}</footer>", html(comparison.run));
    page::page(&title(comparison), "", &page)
}

fn title(comparison: &Comparison<'_>) -> String {
    let line = comparison.prompt.trim().lines().next().unwrap_or_default();
    let start: String = line.chars().take(60).collect();
    let more = if start.len() < line.len() { "…" } else { "" };
    format!("{} answers: {start}{more}", comparison.records.len())
}

fn prompt(page: &mut String, prompt: &str) {
    let count = prompt.chars().count();
    // A long prompt must not push the answers off the screen.
    if count > 600 {
        let start: String = prompt.chars().take(160).collect();
        _ = write!(
            page,
            "<header>\n<h1>Prompt</h1>\n<details><summary>{}… <span class=\"quiet\">{count} characters</span></summary>\n\
             <div class=\"text\">{}</div></details>\n</header>\n",
            html(start.trim()),
            html(prompt)
        );
    } else {
        _ = write!(page, "<header>\n<h1>Prompt</h1>\n<div class=\"text prompt\">{}</div>\n</header>\n", html(prompt));
    }
}

fn figures(page: &mut String, comparison: &Comparison<'_>) {
    let cells = Cells::of(comparison);
    let headings = ["score", "first token", "total", "tok/s", "in", "out", "cost"];
    let used: Vec<usize> =
        (0..headings.len()).filter(|i| cells.columns[*i].texts.iter().any(|text| !text.is_empty())).collect();
    let has_status = cells.status.iter().any(|status| !status.is_empty());
    let remarks: Vec<String> = comparison.records.iter().map(notes::of).collect();
    let has_notes = remarks.iter().any(|note| !note.is_empty());

    page.push_str("<div class=\"scroll\"><table>\n<thead><tr><th scope=\"col\">model</th>");
    if has_status {
        page.push_str("<th scope=\"col\">status</th>");
    }
    for i in &used {
        _ = write!(page, "<th scope=\"col\" class=\"number\">{}</th>", headings[*i]);
    }
    page.push_str(if has_notes {
        "<th scope=\"col\">note</th></tr></thead>\n<tbody>\n"
    } else {
        "</tr></thead>\n<tbody>\n"
    });
    for (i, (label, record)) in comparison.labels().iter().zip(comparison.records).enumerate() {
        _ = write!(page, "<tr><th scope=\"row\">{}</th>", html(label));
        if has_status {
            _ = write!(page, "<td>{}</td>", badge(record));
        }
        for column in used.iter().map(|column| &cells.columns[*column]) {
            let class = if column.best[i] { "number best" } else { "number" };
            _ = write!(page, "<td class=\"{class}\">{}</td>", html(&column.texts[i]));
        }
        if has_notes {
            _ = write!(page, "<td class=\"note\">{}</td>", html(&remarks[i]));
        }
        page.push_str("</tr>\n");
    }
    page.push_str("</tbody>\n");
    if comparison.records.len() > 1 {
        page.push_str("<tfoot><tr><th scope=\"row\">total</th>");
        if has_status {
            page.push_str("<td></td>");
        }
        let totals = table::totals(comparison.own());
        for i in used {
            // The sums begin with the third column of figures.
            let sum = i.checked_sub(2).map_or("", |at| totals[at].as_str());
            _ = write!(page, "<td class=\"number\">{}</td>", html(sum));
        }
        page.push_str(if has_notes { "<td></td></tr></tfoot>\n" } else { "</tr></tfoot>\n" });
    }
    page.push_str("</table></div>\n");
}

/// The text as it was written, with blocks of code in a typeface for code.
fn text(page: &mut String, text: &str) {
    let mut fence = Fence::default();
    let mut prose: Vec<&str> = Vec::new();
    for line in text.lines() {
        match fence.place(line) {
            Place::Outside => prose.push(line),
            Place::Opens => {
                paragraphs(page, &mut prose);
                let language = line.trim().trim_start_matches(['`', '~']).trim();
                page.push_str("<pre>");
                if !language.is_empty() {
                    _ = writeln!(page, "<span class=\"quiet\">{}</span>", html(language));
                }
            }
            Place::Inside => {
                page.push_str(&html(line));
                page.push('\n');
            }
            Place::Closes => page.push_str("</pre>\n"),
        }
    }
    if fence.is_open() {
        page.push_str("</pre>\n");
    }
    paragraphs(page, &mut prose);
}

fn paragraphs(page: &mut String, lines: &mut Vec<&str>) {
    let text = lines.join("\n");
    lines.clear();
    if !text.trim().is_empty() {
        _ = writeln!(page, "<div class=\"text\">{}</div>", html(text.trim_matches('\n')));
    }
}

fn badge(record: &Record) -> String {
    let class = match record.status {
        Status::Ok => "ok",
        Status::Truncated | Status::Interrupted | Status::Skipped => "warn",
        Status::Failed | Status::Refused => "bad",
    };
    format!("<span class=\"badge {class}\">{}</span>", record.status.as_str())
}

fn answer(page: &mut String, label: &str, record: &Record, winner: bool) {
    _ = write!(page, "<article{}>\n<h2>{}", if winner { " class=\"winner\"" } else { "" }, html(label));
    if winner {
        page.push_str(" <span class=\"badge ok\">chosen</span>");
    }
    if record.status != Status::Ok {
        _ = write!(page, " {}", badge(record));
    }
    page.push_str("</h2>\n");
    if !record.reasoning.is_empty() {
        _ = writeln!(
            page,
            "<details><summary>Reasoning</summary><div class=\"text quiet\">{}</div></details>",
            html(&record.reasoning)
        );
    }
    if !record.text.is_empty() {
        text(page, &record.text);
    }
    for call in &record.tool_calls {
        _ = writeln!(page, "<pre><b>{}</b> {}</pre>", html(&call.name), html(&call.arguments));
    }
    if let Some(mark) = columns::mark(record) {
        _ = writeln!(page, "<p class=\"mark\">{}</p>", html(&mark));
    }
    page.push_str("</article>\n");
}

#[cfg(test)]
mod tests {
    use super::super::samples::{HOSTILE, failed, record, three, truncated};
    use super::*;
    use crate::chat::ToolCall;

    /// Every tag of a page, as it is written. Text in it cannot hold `<`, so a tag is all between `<` and `>`.
    fn tags(page: &str) -> Vec<&str> {
        let body = page.split_once("</style>").map_or(page, |(_, body)| body);
        body.split('<').skip(1).map(|piece| piece.split('>').next().unwrap_or_default()).collect()
    }

    const OURS: &[&str] = &[
        "main",
        "header",
        "h1",
        "h2",
        "table",
        "thead",
        "tbody",
        "tfoot",
        "tr",
        "td",
        "pre",
        "b",
        "details",
        "summary",
        "article",
        "article class=\"winner\"",
        "footer",
        "body",
        "section class=\"answers\"",
        "div class=\"scroll\"",
        "div class=\"text\"",
        "div class=\"text prompt\"",
        "div class=\"text quiet\"",
        "span class=\"quiet\"",
        "span class=\"badge ok\"",
        "span class=\"badge warn\"",
        "span class=\"badge bad\"",
        "p class=\"mark\"",
        "th scope=\"col\"",
        "th scope=\"col\" class=\"number\"",
        "th scope=\"row\"",
        "td class=\"number\"",
        "td class=\"number best\"",
        "td class=\"note\"",
    ];

    #[test]
    fn whatever_is_said_is_inert_text() {
        let attack = format!(
            "</script></style></pre><script>alert(1)</script><img src=x onerror=alert(1)>\
             \"><a href='javascript:alert(1)'>x</a><!-- {HOSTILE}\n```<svg/onload=x>\n<b>"
        );
        let mut records = vec![record(&attack, &attack), failed(&attack), truncated(&attack)];
        records[0].reasoning.clone_from(&attack);
        records[0].answered_by = Some(attack.clone());
        records[0].tool_calls = vec![ToolCall { id: attack.clone(), name: attack.clone(), arguments: attack.clone() }];
        if let Some(error) = &mut records[1].error {
            error.message.clone_from(&attack);
        }
        let long = attack.repeat(10);
        let page = comparison(&Comparison { winner: Some(0), ..Comparison::new(&attack, &long, &records) });
        for tag in tags(&page) {
            let ours = match tag.strip_prefix('/') {
                Some(name) => {
                    ["html", "head"].contains(&name) || OURS.iter().any(|our| our.split(' ').next() == Some(name))
                }
                None => OURS.contains(&tag),
            };
            assert!(ours, "<{tag}>");
        }
        let head = page.split_once("<style>").map_or("", |(head, _)| head);
        assert_eq!(head.matches('<').count(), 9, "{head}");
        assert!(head.contains("content=\"default-src 'none'; style-src 'unsafe-inline'\""));
        assert!(!page.contains(|c: char| c.is_control() && c != '\n'));
    }

    #[test]
    fn every_tag_is_closed() {
        let mut records = three();
        records[0].text = "prose\n```rs\nlet x = 1 < 2;\n```\nmore\n~~~\nopen".into();
        records.push(failed("down"));
        let page = comparison(&Comparison::new("run", "prompt", &records));
        let mut open = vec!["body"];
        for tag in tags(&page).into_iter().skip(2) {
            let name = tag.split(' ').next().unwrap_or_default();
            match name.strip_prefix('/') {
                Some("html") => {}
                Some(name) => assert_eq!(open.pop(), Some(name)),
                None if name == "body" => {}
                None => open.push(name),
            }
        }
        assert_eq!(open, Vec::<&str>::new());
        assert!(page.contains("<pre><span class=\"quiet\">rs</span>\nlet x = 1 &lt; 2;\n</pre>"), "{page}");
    }

    #[test]
    fn the_figures_are_those_of_the_table() {
        let records = three();
        let page = comparison(&Comparison::new("run", "prompt", &records));
        assert!(page.contains("<td class=\"number best\">198 ms</td>"), "{page}");
        assert!(page.contains("<td class=\"note\">retried once (429)</td>"));
        let total = "<th scope=\"row\">total</th><td class=\"number\"></td><td class=\"number\">2.2 s</td>\
                     <td class=\"number\"></td><td class=\"number\">42</td><td class=\"number\">25</td>\
                     <td class=\"number\">~$0.000205</td><td></td>";
        assert!(page.contains(total), "{page}");
    }

    #[test]
    fn nothing_is_loaded() {
        let page = comparison(&Comparison::new("run", "prompt", &three()));
        for word in ["http://", "https://", "url(", "@import", "src=\"", "href=\""] {
            assert!(!page.contains(word), "{word}");
        }
    }
}
