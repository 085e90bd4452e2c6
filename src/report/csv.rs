//! Records as CSV: a heading and one row each, safe to open in a spreadsheet.

use super::{Comparison, escape};
use crate::record::Record;

/// The names of the columns; new ones are only ever added at the end.
const HEADINGS: [&str; 23] = [
    "run",
    "id",
    "model",
    "gateway",
    "answered_by",
    "status",
    "first_token_ms",
    "total_ms",
    "tokens_per_second",
    "input_tokens",
    "output_tokens",
    "cost_usd",
    "cost_origin",
    "attempts",
    "cached",
    "finish_reason",
    "error_kind",
    "error",
    "score",
    "text",
    "connect_ms",
    "cached_input_tokens",
    "reasoning_tokens",
];

/// RFC 4180 with a heading. What is unknown is an empty cell; numbers are plain and cells that a spreadsheet would take
/// for a formula begin with an apostrophe.
pub fn comparison(comparison: &Comparison<'_>) -> String {
    let rows = comparison.records.iter().enumerate().map(|(i, record)| {
        let score = comparison.scores.get(i).copied().flatten();
        row(record, score)
    });
    table(&HEADINGS, rows)
}

/// Any table as CSV. Every cell is guarded, so text needs no care.
pub fn table<R>(headings: &[&str], rows: R) -> String
where
    R: IntoIterator,
    R::Item: IntoIterator<Item = String>,
{
    let mut writer = ::csv::WriterBuilder::new().flexible(true).from_writer(Vec::new());
    // A Vec takes all that is written to it, and rows of any length are allowed.
    _ = writer.write_record(headings);
    for row in rows {
        let cells: Vec<String> = row.into_iter().map(|cell| escape::csv_cell(&cell).into_owned()).collect();
        _ = writer.write_record(&cells);
    }
    String::from_utf8(writer.into_inner().unwrap_or_default()).unwrap_or_default()
}

fn row(record: &Record, score: Option<f64>) -> [String; HEADINGS.len()] {
    let timing = &record.timing;
    let ms = |time: Option<std::time::Duration>| number(time.map(|time| time.as_secs_f64() * 1000.0));
    let count = |count: Option<u64>| count.map_or_else(String::new, |n| n.to_string());
    let word = |text: Option<&str>| text.unwrap_or_default().to_owned();
    [
        record.run.clone(),
        record.id.clone(),
        record.model.clone(),
        record.gateway.clone(),
        word(record.answered_by.as_deref()),
        record.status.as_str().to_owned(),
        ms(timing.first_token),
        ms(timing.total),
        number(timing.tokens_per_second),
        count(record.usage.input),
        count(record.usage.output),
        record.cost.map_or_else(String::new, |cost| cost.usd.to_decimal()),
        record.cost.map_or("unknown", |cost| cost.origin.as_str()).to_owned(),
        record.attempts.len().to_string(),
        record.cached.to_string(),
        word(record.finish_reason.as_ref().map(|reason| reason.as_str())),
        word(record.error.as_ref().map(|error| error.kind.as_str())),
        word(record.error.as_ref().map(|error| error.message.as_str())),
        score.map_or_else(String::new, |score| score.to_string()),
        record.text.clone(),
        ms(timing.connect),
        count(record.usage.cache_read),
        count(record.usage.reasoning),
    ]
}

/// As in JSON: one decimal.
fn number(value: Option<f64>) -> String {
    value.map_or_else(String::new, |value| ((value * 10.0).round() / 10.0).to_string())
}
