//! The table of figures: one row an answer, the best of each column marked, and a total.

use std::time::Duration;

use super::grid::{BEST, Column, Grid};
use super::term::Output;
use super::{Comparison, format, notes};
use crate::record::{Record, Status, TotalCost};

/// How narrow the names of models, and the notes, may get before they are wrapped no further.
const MIN_MODEL: usize = 16;
const MIN_NOTE: usize = 20;

/// The figures of a comparison, ending with a line break. No line is wider than the page.
pub fn comparison(comparison: &Comparison<'_>, out: &Output) -> String {
    let records = comparison.records;
    let cells = Cells::of(comparison);
    let mut grid = Grid::new(vec![
        Column::left("model").wraps(MIN_MODEL),
        Column::left("status"),
        Column::right("score"),
        Column::right("first token"),
        Column::right("total"),
        Column::right("tok/s"),
        Column::right("in"),
        Column::right("out"),
        Column::right("cost"),
        Column::left("note").wraps(MIN_NOTE).remarks(),
    ]);
    for (i, label) in comparison.labels().into_iter().enumerate() {
        let record = &records[i];
        let mut row = vec![label, cells.status[i].clone()];
        row.extend(cells.marked(i));
        row.push(notes::of(record));
        grid.row(row);
    }
    if records.len() > 1 {
        let mut row = vec!["total".to_owned(), String::new(), String::new(), String::new()];
        row.extend(totals(records));
        grid.row(row);
    }
    grid.render(out)
}

/// What is shown of each record, column by column.
pub(super) struct Cells {
    /// Empty where every answer is complete.
    pub(super) status: Vec<String>,
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
        // What comes from the cache says nothing about a model, and what is incomplete is no match.
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
                Values::scores(comparison),
                by(&|r| duration(r.timing.first_token), &|r| seconds(r.timing.first_token)),
                by(&|r| duration(r.timing.total), &|r| seconds(r.timing.total)),
                by(&|r| format::or_unknown(r.timing.tokens_per_second, format::rate), &|r| {
                    r.timing.tokens_per_second.map(|rate| -rate)
                }),
                by(&|r| count(r.usage.input), &unranked),
                by(&|r| count(r.usage.output), &unranked),
                // Only to find the least: the amounts shown and summed are never floats.
                by(&|r| format::or_unknown(r.cost, format::cost), &|r| r.cost.map(|cost| cost.usd.picos() as f64)),
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

impl Values {
    /// Marks the least of the ranks, and what reads the same. Nothing is best where there is nothing to compare, or
    /// where all are alike.
    fn ranked(texts: Vec<String>, ranks: Vec<Option<f64>>) -> Self {
        let known: Vec<usize> = (0..texts.len()).filter(|i| ranks[*i].is_some()).collect();
        let least =
            known.iter().copied().min_by(|a, b| ranks[*a].partial_cmp(&ranks[*b]).unwrap_or(std::cmp::Ordering::Equal));
        let differ = known.iter().any(|i| texts[*i] != texts[known[0]]);
        let is_best = |i: usize| differ && ranks[i].is_some() && least.is_some_and(|least| texts[i] == texts[least]);
        Self { best: (0..texts.len()).map(is_best).collect(), texts }
    }

    fn scores(comparison: &Comparison<'_>) -> Self {
        let count = comparison.records.len();
        if comparison.scores.is_empty() {
            return Self { texts: vec![String::new(); count], best: vec![false; count] };
        }
        let score = |i: usize| comparison.scores.get(i).copied().flatten();
        let texts = (0..count).map(|i| format::or_unknown(score(i), format::score)).collect();
        Self { texts, best: (0..count).map(|i| comparison.winner == Some(i)).collect() }
    }
}

/// The cells of the total row from `total` on: the longest time, the sums.
pub(super) fn totals(records: &[Record]) -> [String; 5] {
    let longest = records.iter().filter_map(|record| record.timing.total).max();
    [
        format::or_unknown(longest, format::duration),
        String::new(),
        sum(records, |record| record.usage.input),
        sum(records, |record| record.usage.output),
        format::total_cost(records.iter().collect::<TotalCost>()),
    ]
}

/// The sum of the counts that are known, with `≥` if an answer does not say its own.
fn sum(records: &[Record], count: impl Fn(&Record) -> Option<u64>) -> String {
    let known: Vec<u64> = records.iter().filter_map(&count).collect();
    if known.is_empty() {
        return format::UNKNOWN.to_owned();
    }
    let used_nothing =
        |record: &Record| matches!(record.status, Status::Failed | Status::Refused) && record.usage.is_unknown();
    let partial = records.iter().any(|record| count(record).is_none() && !used_nothing(record));
    let sum = known.into_iter().fold(0u64, u64::saturating_add);
    format!("{}{sum}", if partial { "≥" } else { "" })
}

/// The figures of models that were each asked several times: median and spread (least–most) of the times and rates,
/// and the sum of the costs. Each group holds the records of one model.
pub fn repeated(groups: &[(String, Vec<&Record>)], out: &Output) -> String {
    let mut grid = Grid::new(vec![
        Column::left("model").wraps(MIN_MODEL),
        Column::right("ok"),
        Column::right("first token"),
        Column::left("(spread)"),
        Column::right("total"),
        Column::left("(spread)"),
        Column::right("tok/s"),
        Column::left("(spread)"),
        Column::right("cost"),
    ]);
    for (label, records) in groups {
        let ok: Vec<&Record> = records.iter().copied().filter(|r| r.status == Status::Ok && !r.cached).collect();
        let mut row = vec![label.clone(), format!("{}/{}", ok.len(), records.len())];
        let time = |seconds: f64| format::duration(Duration::from_secs_f64(seconds));
        row.extend(spread(ok.iter().filter_map(|r| r.timing.first_token).map(|t| t.as_secs_f64()), time));
        row.extend(spread(ok.iter().filter_map(|r| r.timing.total).map(|t| t.as_secs_f64()), time));
        row.extend(spread(ok.iter().filter_map(|r| r.timing.tokens_per_second), format::rate));
        row.push(format::total_cost(records.iter().copied().collect()));
        grid.row(row);
    }
    grid.render(out)
}

/// The median, and `least–most` where there is more than one value.
fn spread(values: impl Iterator<Item = f64>, format: impl Fn(f64) -> String) -> [String; 2] {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let (Some(least), Some(most)) = (values.first(), values.last()) else {
        return [format::UNKNOWN.to_owned(), String::new()];
    };
    let middle = values.len() / 2;
    let median = if values.len() % 2 == 1 { values[middle] } else { (values[middle - 1] + values[middle]) / 2.0 };
    let range = if values.len() > 1 { format!("({}–{})", format(*least), format(*most)) } else { String::new() };
    [format(median), range]
}
