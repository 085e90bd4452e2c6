//! The table of figures: a row for each answer, a mark at the best value of each column, and a total.

use std::cmp::Ordering;
use std::time::Duration;

use super::grid::{BEST, Column, Grid};
use super::term::{Output, Text};
use super::{Comparison, format, notes};
use crate::record::{Record, Status, TotalCost};

/// How many cells the columns of names and of notes keep at least when they are wrapped.
const MIN_MODEL: usize = 16;
const MIN_NOTE: usize = 20;

/// The columns of a comparison by name, each with whether it is of numbers.
pub(super) const COLUMNS: [(&str, bool); 10] = [
    ("model", false),
    ("status", false),
    ("first token", true),
    ("total", true),
    ("tok/s", true),
    ("in", true),
    ("out", true),
    ("cost", true),
    ("score", true),
    ("note", false),
];

/// The table of a comparison, ending with a line break. No line is wider than the page.
pub fn comparison(comparison: &Comparison<'_>, out: &Output) -> Text {
    figures(&COLUMNS, rows(comparison), out)
}

/// A table of these columns. Names of models, and notes, may be wrapped.
pub(super) fn figures(columns: &[(&str, bool)], rows: Vec<Vec<String>>, out: &Output) -> Text {
    let column = |(name, is_number): &(&str, bool)| match *name {
        "model" | "answered by" => Column::left(name).wraps(MIN_MODEL),
        "note" => Column::left(name).wraps(MIN_NOTE).remarks(),
        _ if *is_number => Column::right(name),
        _ => Column::left(name),
    };
    let mut grid = Grid::new(columns.iter().map(column).collect());
    rows.into_iter().for_each(|row| grid.row(row));
    grid.render(out)
}

/// A row for each record, by [`COLUMNS`], and one with the totals where there are several.
pub(super) fn rows(comparison: &Comparison<'_>) -> Vec<Vec<String>> {
    let cells = Cells::of(comparison);
    let mut rows: Vec<Vec<String>> = Vec::new();
    for (i, label) in comparison.labels().into_iter().enumerate() {
        let mut row = vec![label, cells.status[i].clone()];
        row.extend(cells.marked(i));
        row.push(notes::of(&comparison.records[i]));
        rows.push(row);
    }
    if comparison.records.len() > 1 {
        let mut row = vec!["total".to_owned(), String::new(), String::new()];
        row.extend(totals(comparison.own()));
        row.push(String::new());
        rows.push(row);
    }
    rows
}

/// What is shown of the records, column by column.
pub(super) struct Cells {
    /// The status of each record. All are empty where every answer is complete.
    pub(super) status: Vec<String>,
    /// The columns from `first token` to `score`.
    pub(super) columns: [Values; 7],
}

/// One column of figures.
#[derive(Default)]
pub(super) struct Values {
    pub(super) texts: Vec<String>,
    /// Which of them are the best.
    pub(super) best: Vec<bool>,
}

impl Cells {
    pub(super) fn of(comparison: &Comparison<'_>) -> Self {
        let records = comparison.records;
        let all_ok = records.iter().all(|record| record.status == Status::Ok);
        let status = |record: &Record| if all_ok { String::new() } else { record.status.as_str().to_owned() };
        // The time of a cached answer says nothing about the model, and an incomplete answer cannot be compared.
        let fair: Vec<bool> = records.iter().map(|record| record.status == Status::Ok && !record.cached).collect();
        let seconds = |time: Option<Duration>| time.map(|time| time.as_secs_f64());
        let by = |text: &dyn Fn(&Record) -> String, rank: &dyn Fn(&Record) -> Option<f64>| {
            let ranks = records.iter().zip(&fair).map(|(record, fair)| rank(record).filter(|_| *fair)).collect();
            Values::ranked(records.iter().map(text).collect(), ranks)
        };
        let duration = |time| format::or_unknown(time, format::duration);
        let count = |count| format::or_unknown(count, |n: u64| n.to_string());
        let unranked = |_: &Record| None;
        Self {
            status: records.iter().map(status).collect(),
            columns: [
                by(&|r| duration(r.timing.first_token), &|r| seconds(r.timing.first_token)),
                by(&|r| duration(r.timing.total), &|r| seconds(r.timing.total)),
                by(&|r| format::or_unknown(r.timing.tokens_per_second, format::rate), &|r| {
                    r.timing.tokens_per_second.map(|rate| -rate)
                }),
                by(&|r| count(r.usage.input), &unranked),
                by(&|r| count(r.usage.output), &unranked),
                // The float is used to find the least cost only. Costs are shown and summed as integers.
                by(&|r| format::or_unknown(r.cost, format::cost), &|r| r.cost.map(|cost| cost.usd.picos() as f64)),
                scores(comparison),
            ],
        }
    }

    pub(super) fn marked(&self, row: usize) -> impl Iterator<Item = String> {
        self.columns.iter().map(move |values| {
            let text = &values.texts[row];
            if values.best[row] { format!("{BEST} {text}") } else { text.clone() }
        })
    }
}

/// The column of scores, which is empty where nothing is scored.
fn scores(comparison: &Comparison<'_>) -> Values {
    let count = comparison.records.len();
    let Some(choosing) = comparison.choosing else {
        return Values { texts: vec![String::new(); count], best: vec![false; count] };
    };
    let scores = || choosing.scored.iter().map(|scored| scored.score);
    Values::ranked(
        scores().map(|score| format::or_unknown(score, format::score)).collect(),
        scores().map(|score| score.map(|score| -score)).collect(),
    )
}

impl Values {
    /// Marks the text with the least rank, and those that read the same. Nothing is marked where all texts are the same or
    /// there is only one.
    fn ranked(texts: Vec<String>, ranks: Vec<Option<f64>>) -> Self {
        let known: Vec<usize> = (0..texts.len()).filter(|i| ranks[*i].is_some()).collect();
        let least = known.iter().copied().min_by(|a, b| ranks[*a].partial_cmp(&ranks[*b]).unwrap_or(Ordering::Equal));
        let differ = known.iter().any(|i| texts[*i] != texts[known[0]]);
        let is_best = |i: usize| differ && ranks[i].is_some() && least.is_some_and(|least| texts[i] == texts[least]);
        Self { best: (0..texts.len()).map(is_best).collect(), texts }
    }
}

/// The cells of the row `total` from the column `total` on: the longest time, and the sums.
pub(super) fn totals(records: &[Record]) -> [String; 6] {
    let longest = records.iter().filter_map(|record| record.timing.total).max();
    [
        format::or_unknown(longest, format::duration),
        String::new(),
        sum(records, |record| record.usage.input),
        sum(records, |record| record.usage.output),
        format::total_cost(records.iter().collect::<TotalCost>()),
        String::new(),
    ]
}

/// The sum of the counts that are known, with `≥` where the count of an answer is unknown.
fn sum(records: &[Record], count: impl Fn(&Record) -> Option<u64>) -> String {
    let known: Vec<u64> = records.iter().filter_map(&count).collect();
    if known.is_empty() {
        return format::UNKNOWN.to_owned();
    }
    let used_nothing = |record: &Record| {
        matches!(record.status, Status::Failed | Status::Refused | Status::Skipped) && record.usage.is_unknown()
    };
    let partial = records.iter().any(|record| count(record).is_none() && !used_nothing(record));
    let sum = known.into_iter().fold(0u64, u64::saturating_add);
    format!("{}{sum}", if partial { "≥" } else { "" })
}

#[cfg(test)]
mod tests;
