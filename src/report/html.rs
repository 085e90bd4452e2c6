//! A comparison as one web page that loads nothing and runs nothing.

use serde::Serialize;

use super::diff::{self, Diff};
use super::repeats::{METRICS, Repeats};
use super::table::{self, Cells};
use super::term::Text;
use super::{Comparison, columns, format, html_prose, notes, page};
use crate::chat::ToolCall;
use crate::error::Error;
use crate::record::{Record, Status};

/// A prompt of more characters is folded, so that the answers stay on the screen.
const LONG_PROMPT: usize = 600;

/// What the template `compare.html` shows.
#[derive(Serialize)]
struct Page<'a> {
    title: String,
    run: &'a str,
    /// When it was made; `None` where the run has no id.
    date: Option<String>,
    prompt: Prompt<'a>,
    headings: Vec<&'static str>,
    has_status: bool,
    has_notes: bool,
    rows: Vec<Row<'a>>,
    /// Empty where there is only one answer.
    totals: Vec<String>,
    /// Which answer is best, and why others have no score.
    findings: Vec<String>,
    /// The figures of each model, where it was asked several times.
    repeats: Option<RepeatsTable>,
    diffs: Vec<Diff>,
    answers: Vec<Answer<'a>>,
    /// Whether two cards stand beside each other at most, so that none stands alone.
    in_pairs: bool,
}

#[derive(Serialize)]
struct RepeatsTable {
    headings: Vec<&'static str>,
    rows: Vec<Vec<String>>,
    findings: Vec<String>,
}

#[derive(Serialize)]
struct Prompt<'a> {
    text: &'a str,
    /// What is shown of a long prompt until it is unfolded.
    beginning: Option<String>,
    /// In characters.
    length: usize,
}

#[derive(Serialize)]
struct Row<'a> {
    label: &'a str,
    status: Badge,
    figures: Vec<Figure<'a>>,
    note: String,
}

#[derive(Serialize)]
struct Figure<'a> {
    text: &'a str,
    best: bool,
}

#[derive(Serialize)]
struct Badge {
    /// The class in `page.css` that colours it.
    class: &'static str,
    name: &'static str,
}

#[derive(Serialize)]
struct Answer<'a> {
    label: &'a str,
    /// `None` for a complete answer.
    status: Option<Badge>,
    reasoning: &'a str,
    prose: Vec<html_prose::Step>,
    /// The text as it was written, to be copied.
    text: &'a str,
    tool_calls: &'a [ToolCall],
    mark: Option<String>,
    /// For its score.
    reasons: Vec<String>,
}

/// The page.
///
/// # Errors
///
/// [`Error::Output`] if the page cannot be made.
pub fn comparison(comparison: &Comparison<'_>) -> Result<Text, Error> {
    let labels = comparison.labels();
    let cells = Cells::of(comparison);
    let used: Vec<usize> =
        (0..cells.columns.len()).filter(|i| cells.columns[*i].texts.iter().any(|text| !text.is_empty())).collect();
    let named = || labels.iter().zip(comparison.records).enumerate();
    let rows: Vec<Row<'_>> = named().map(|(i, (label, record))| row(label, record, i, &cells, &used)).collect();
    let values = Page {
        title: title(comparison),
        run: comparison.run,
        date: date(comparison.run),
        in_pairs: matches!(comparison.records.len(), 2 | 4),
        prompt: prompt(comparison.prompt),
        headings: used.iter().map(|i| table::COLUMNS[i + 2].0).collect(),
        has_status: cells.status.iter().any(|status| !status.is_empty()),
        has_notes: rows.iter().any(|row| !row.note.is_empty()),
        rows,
        totals: totals(comparison, &used),
        findings: comparison.findings(),
        repeats: comparison.is_repeated.then(|| repeats(comparison)),
        diffs: comparison.diff_against.map_or_else(Vec::new, |base| diff::for_page(comparison, base)),
        answers: named().map(|(i, (label, record))| answer(label, record, comparison.reasons(i))).collect(),
    };
    page::render(page::source!("html/compare.html"), values)
}

fn repeats(comparison: &Comparison<'_>) -> RepeatsTable {
    let repeats = Repeats::new(comparison);
    let (columns, mut rows) = (Repeats::columns(&METRICS), repeats.rows(&METRICS));
    let used: Vec<usize> = (0..columns.len()).filter(|i| rows.iter().any(|row| !row[*i].is_empty())).collect();
    rows.iter_mut().for_each(|row| *row = used.iter().map(|i| row[*i].clone()).collect());
    RepeatsTable { headings: used.iter().map(|i| columns[*i].0).collect(), rows, findings: repeats.findings() }
}

fn title(comparison: &Comparison<'_>) -> String {
    let line = comparison.prompt.trim().lines().next().unwrap_or_default();
    let start: String = line.chars().take(60).collect();
    let more = if start.len() < line.len() { "…" } else { "" };
    format!("{}: {start}{more}", format::count(comparison.records.len() as u64, "answer", "answers"))
}

fn prompt(text: &str) -> Prompt<'_> {
    let length = text.chars().count();
    let beginning = (length > LONG_PROMPT).then(|| text.chars().take(160).collect::<String>().trim().to_owned());
    Prompt { text, beginning, length }
}

fn row<'a>(label: &'a str, record: &Record, i: usize, cells: &'a Cells, used: &[usize]) -> Row<'a> {
    let columns = used.iter().map(|column| &cells.columns[*column]);
    let figures = columns.map(|column| Figure { text: &column.texts[i], best: column.best[i] }).collect();
    Row { label, status: badge(record), figures, note: notes::of(record) }
}

/// The cells of the last row, one for each column of figures.
fn totals(comparison: &Comparison<'_>, used: &[usize]) -> Vec<String> {
    if comparison.records.len() < 2 {
        return Vec::new();
    }
    let totals = table::totals(comparison.own());
    // The sums begin with the second column of figures.
    used.iter().map(|i| i.checked_sub(1).map_or_else(String::new, |at| totals[at].clone())).collect()
}

fn badge(record: &Record) -> Badge {
    let class = match record.status {
        Status::Ok => "ok",
        Status::Truncated | Status::Interrupted | Status::Skipped => "warn",
        Status::Failed | Status::Refused => "bad",
    };
    Badge { class, name: record.status.as_str() }
}

fn answer<'a>(label: &'a str, record: &'a Record, reasons: Vec<String>) -> Answer<'a> {
    Answer {
        label,
        status: (record.status != Status::Ok).then(|| badge(record)),
        reasoning: &record.reasoning,
        prose: html_prose::steps(&record.text),
        text: &record.text,
        tool_calls: &record.tool_calls,
        mark: columns::mark(record),
        reasons,
    }
}

/// When the run of this id began, by the clock of the user.
fn date(run: &str) -> Option<String> {
    let (seconds, _) = uuid::Uuid::try_parse(run).ok()?.get_timestamp()?.to_unix();
    Some(format::local(i64::try_from(seconds).ok()?.checked_mul(1000)?, "%Y-%m-%d %H:%M %Z"))
}

#[cfg(test)]
mod tests;
