//! Records as CSV: a heading and a row for each record, which a spreadsheet can open without obeying any cell.

use super::repeats::Repeats;
use super::term::Text;
use super::{Comparison, escape};
use crate::record::Record;

/// The names of the columns. New columns are added at the end only, since scripts may read them by position.
const HEADINGS: [&str; 25] = [
    "run",
    "id",
    "model",
    "gateway",
    "answered_by",
    "status",
    "connect_ms",
    "first_token_ms",
    "total_ms",
    "tokens_per_second",
    "input_tokens",
    "cached_input_tokens",
    "output_tokens",
    "reasoning_tokens",
    "cost_usd",
    "cost_origin",
    "attempts",
    "cached",
    "finish_reason",
    "error_kind",
    "error",
    "score",
    "text",
    "cost_partial",
    "winner",
];

/// A table in the format of RFC 4180, with a heading. A cell is empty where its value is unknown. A cell of text that a
/// spreadsheet would take for a formula begins with an apostrophe.
pub fn comparison(comparison: &Comparison<'_>) -> Text {
    let scored = comparison.choosing.map(|choosing| &choosing.scored);
    let winner = comparison.choosing.map(|_| comparison.winner().map(|winner| winner.index));
    let repeats = comparison.is_repeated.then(|| Repeats::new(comparison));
    let mut headings: Vec<String> = HEADINGS.map(str::to_owned).to_vec();
    if repeats.is_some() {
        headings.extend(Repeats::csv_headings());
    }
    let rows_of = comparison.records.iter().enumerate().map(|(place, record)| {
        let score = scored.and_then(|scored| scored.get(place)?.score);
        let is_winner = winner.map(|winner| winner == Some(place));
        let mut cells = row(record, score, is_winner).to_vec();
        cells.extend(repeats.iter().flat_map(|repeats| repeats.csv_cells(&record.model)));
        cells
    });
    rows(std::iter::once(headings).chain(rows_of))
}

/// Any table as CSV. Every cell is guarded here, so callers pass text as it is.
pub fn table<R>(headings: &[&str], table: R) -> Text
where
    R: IntoIterator,
    R::Item: IntoIterator<Item = String>,
{
    rows([headings.iter().map(|heading| (*heading).to_owned())]) + rows(table)
}

/// The rows of a table whose headings have been written.
pub(super) fn rows<R>(rows: R) -> Text
where
    R: IntoIterator,
    R::Item: IntoIterator<Item = String>,
{
    let mut writer = ::csv::WriterBuilder::new().flexible(true).from_writer(Vec::new());
    for row in rows {
        let cells: Vec<String> = row.into_iter().map(|cell| escape::csv_cell(&cell).into_owned()).collect();
        // It cannot fail: a Vec accepts every write, and rows of any length are allowed.
        _ = writer.write_record(&cells);
    }
    String::from_utf8(writer.into_inner().unwrap_or_default()).unwrap_or_default().into()
}

/// `is_winner` is `None` where nothing is scored.
fn row(record: &Record, score: Option<f64>, is_winner: Option<bool>) -> [String; HEADINGS.len()] {
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
        ms(timing.connect),
        ms(timing.first_token),
        ms(timing.total),
        number(timing.tokens_per_second),
        count(record.usage.input),
        count(record.usage.cache_read),
        count(record.usage.output),
        count(record.usage.reasoning),
        record.cost.map_or_else(String::new, |cost| cost.usd.to_decimal()),
        record.cost.map_or("unknown", |cost| cost.origin.as_str()).to_owned(),
        record.attempts.len().to_string(),
        record.cached.to_string(),
        word(record.finish_reason.as_ref().map(|reason| reason.as_str())),
        word(record.error.as_ref().map(|error| error.kind.as_str())),
        word(record.error.as_ref().map(|error| error.message.as_str())),
        score.map_or_else(String::new, |score| ((score * 1e6).round() / 1e6).to_string()),
        record.text.clone(),
        record.cost.is_some_and(|cost| cost.partial).to_string(),
        is_winner.map_or_else(String::new, |is_winner| is_winner.to_string()),
    ]
}

/// The number with one decimal, as in JSON.
fn number(value: Option<f64>) -> String {
    value.map_or_else(String::new, |value| ((value * 10.0).round() / 10.0).to_string())
}

#[cfg(test)]
mod tests {
    use super::super::samples::{failed, record, three};
    use super::*;

    fn parsed(text: &Text) -> Vec<Vec<String>> {
        let text = text.shown(false);
        let mut reader = ::csv::ReaderBuilder::new().has_headers(false).from_reader(text.as_bytes());
        reader.records().map(|row| row.expect("a row").iter().map(str::to_owned).collect()).collect()
    }

    #[test]
    fn every_record_reads_back_as_a_row() {
        let mut records = three();
        records[0].text = "a, \"b\"\n\r\nc".into();
        records.push(failed("down"));
        let rows = parsed(&comparison(&Comparison::new("run", "prompt", &records)));
        assert_eq!(rows.len(), 5);
        assert!(rows.iter().all(|row| row.len() == HEADINGS.len()));
        let cell = |row: usize, name: &str| rows[row][rows[0].iter().position(|h| h == name).expect(name)].as_str();
        assert_eq!(cell(1, "text"), "a, \"b\"\n\r\nc");
        assert_eq!(
            (cell(2, "first_token_ms"), cell(2, "cost_usd"), cell(2, "cost_origin")),
            ("198", "0.000013", "reported")
        );
        assert_eq!((cell(3, "attempts"), cell(3, "cost_origin")), ("2", "table"));
        assert_eq!((cell(4, "status"), cell(4, "cost_usd"), cell(4, "input_tokens")), ("failed", "", ""));
        assert_eq!((cell(4, "error_kind"), cell(4, "cost_origin")), ("unavailable", "unknown"));
    }

    #[test]
    fn no_cell_is_a_formula() {
        let records = [record("=cmd|' /C calc'!A0", "\u{a0}=1+1"), record("m", "list:\n- item")];
        let rows = parsed(&comparison(&Comparison::new("run", "prompt", &records)));
        assert_eq!((rows[1][2].as_str(), rows[1][22].as_str()), ("'=cmd|' /C calc'!A0", "'\u{a0}=1+1"));
        assert_eq!(rows[2][22], "'list:\n- item");
    }
}
