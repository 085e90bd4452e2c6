//! Batches: the summary by model in every format, the list of jobs, and the progress of a running one.

mod estimate;
mod html;
mod jobs;
mod progress;
mod shards;

pub use estimate::{Estimate, ModelEstimate, estimate_json, estimate_text};
pub use html::page;
pub use jobs::{Shown, list, list_json, status};
pub use progress::{BatchProgress, Standing};
pub use shards::{Entry, SharedShown, entries, shared_status, shared_status_json};

use std::fmt::Write;
use std::time::Duration;

use serde::Serialize;
use serde_json::json;

use super::grid::{Column, Grid};
use super::term::{Output, Text};
use super::{csv, escape, format, json as documents, markdown};
use crate::batch::Tally;
use crate::batch::tally::{Confusion, ModelTally, Tokens};
use crate::error::FailureKind;
use crate::stats::{Interval, wilson};

#[cfg(test)]
mod tests;

/// The shares of answers for which times are shown.
const SHARES: [(&str, f64); 4] = [("p50", 0.5), ("p90", 0.9), ("p95", 0.95), ("p99", 0.99)];

/// What a batch has given.
#[derive(Debug)]
pub struct Summary<'a> {
    /// The id of the job.
    pub job: &'a str,
    /// The path of the data set.
    pub input: &'a str,
    /// The path of the output.
    pub output: Option<&'a str>,
    /// Rows × models, where all rows are known.
    pub expected: Option<u64>,
    pub tally: &'a Tally,
    /// How many calls were made whose lines could not be written.
    pub unwritten: u64,
    /// How long this run took; `None` for a batch of the past.
    pub elapsed: Option<Duration>,
}

impl Summary<'_> {
    /// How many rows and models of all were not asked.
    fn missing(&self) -> Option<u64> {
        let done: u64 = self.tally.models.iter().map(|(_, tally)| tally.rows()).sum();
        self.expected?.checked_sub(done + self.unwritten).filter(|missing| *missing > 0)
    }
}

/// The interval of an accuracy.
fn interval(tally: &ModelTally) -> Option<Interval> {
    wilson(tally.correct as f64, tally.expected as f64)
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

/// `92.4 % (90.5–93.9)`: the accuracy with its interval.
fn accuracy(tally: &ModelTally) -> String {
    match (tally.accuracy(), interval(tally)) {
        (Some(share), Some(interval)) => {
            format!("{} ({:.1}–{:.1})", percent(share), interval.low * 100.0, interval.high * 100.0)
        }
        _ => String::new(),
    }
}

/// The scorers of all models, in their order.
fn scorers(tally: &Tally) -> Vec<String> {
    let mut names: Vec<String> = tally.models.iter().flat_map(|(_, model)| model.scores.keys().cloned()).collect();
    names.sort();
    names.dedup();
    names
}

fn mean_score(tally: &ModelTally, scorer: &str) -> Option<f64> {
    tally.scores.get(scorer)?.mean()
}

/// The interval of a mean score, where all scores are shares from 0 to 1. It is that of a share, which is rather too wide than
/// too narrow for scores between.
fn score_interval(tally: &ModelTally, scorer: &str) -> Option<Interval> {
    let scores = tally.scores.get(scorer).filter(|scores| scores.are_shares())?;
    wilson(scores.sum.clamp(0.0, scores.count as f64), scores.count as f64)
}

/// `0.92 (0.90–0.94)`: the mean score with its interval.
fn score(tally: &ModelTally, scorer: &str) -> String {
    match (mean_score(tally, scorer), score_interval(tally, scorer)) {
        (Some(mean), Some(interval)) => format!("{mean:.2} ({:.2}–{:.2})", interval.low, interval.high),
        (Some(mean), None) => format!("{mean:.3}"),
        (None, _) => String::new(),
    }
}

/// The columns of the table, each with whether it is of numbers.
fn columns(tally: &Tally) -> Vec<(String, bool)> {
    let fixed = ["ok", "failed", "truncated", "cached", "p50", "p95", "in", "out", "cost", "right"];
    let mut columns = vec![("model".to_owned(), false)];
    columns.extend(fixed.map(|name| (name.to_owned(), true)));
    columns.extend(scorers(tally).into_iter().map(|name| (name, true)));
    columns
}

/// Zero is shown as nothing where all models have none of it.
fn counted(tally: &Tally, of: impl Fn(&ModelTally) -> u64, model: &ModelTally) -> String {
    if tally.models.iter().all(|(_, model)| of(model) == 0) { String::new() } else { format::thousands(of(model)) }
}

fn row(tally: &Tally, name: &str, model: &ModelTally) -> Vec<String> {
    let time = |share| format::or_unknown(model.total_at(share), format::duration);
    let tokens = |tokens: Tokens| {
        let sum = format::or_unknown(tokens.known(), format::thousands);
        if tokens.is_partial() { format!("≥{sum}") } else { sum }
    };
    let mut cells = vec![
        name.to_owned(),
        format::thousands(model.ok),
        counted(tally, |model| model.failed, model),
        counted(tally, |model| model.truncated, model),
        counted(tally, |model| model.cached, model),
        time(0.5),
        time(0.95),
        tokens(model.input),
        tokens(model.output),
        format::total_cost(model.cost),
        accuracy(model),
    ];
    cells.extend(scorers(tally).iter().map(|scorer| score(model, scorer)));
    cells
}

/// A row for each model, and one with the totals where there are several.
fn rows(summary: &Summary<'_>) -> Vec<Vec<String>> {
    let tally = summary.tally;
    let mut rows: Vec<Vec<String>> = tally.models.iter().map(|(name, model)| row(tally, name, model)).collect();
    if tally.models.len() > 1 {
        let (ok, failed, truncated) = tally.counts();
        let some = |count: u64| if count == 0 { String::new() } else { format::thousands(count) };
        let mut total = vec![String::new(); columns(tally).len()];
        total[0] = "total".to_owned();
        total[1] = format::thousands(ok);
        total[2] = some(failed);
        total[3] = some(truncated);
        total[9] = format::total_cost(tally.cost());
        rows.push(total);
    }
    rows
}

/// `bee answered for a: 3 (server_error)`.
fn fell_back(from: &str, to: &str, kinds: &[(FailureKind, u64)]) -> String {
    // A model that is asked as well is not waited for any more when the other one begins.
    let word = |kind: FailureKind| if kind == FailureKind::Interrupted { "slow to begin" } else { kind.as_str() };
    let why = match kinds {
        [(kind, _)] => word(*kind).to_owned(),
        kinds => {
            let each = kinds.iter().map(|(kind, count)| format!("{} {}", format::thousands(*count), word(*kind)));
            each.collect::<Vec<_>>().join(", ")
        }
    };
    let all = format::thousands(kinds.iter().map(|(_, count)| count).sum());
    format!("{} answered for {}: {all} ({why})", escape::line(to), escape::line(from))
}

/// Sentences about what the table does not say.
fn remarks(summary: &Summary<'_>) -> Vec<String> {
    let mut remarks = Vec::new();
    let failures = summary.tally.failures();
    if !failures.is_empty() {
        let kinds: Vec<String> =
            failures.iter().map(|(kind, count)| format!("{} {}", format::thousands(*count), kind.as_str())).collect();
        remarks.push(format!("not complete: {}", kinds.join(", ")));
    }
    remarks.extend(summary.tally.fallbacks().iter().map(|((from, to), kinds)| fell_back(from, to, kinds)));
    if let Some(missing) = summary.missing() {
        remarks.push(format!("not asked: {}", format::thousands(missing)));
    }
    if summary.unwritten > 0 {
        remarks.push(format!("not written: {}", format::thousands(summary.unwritten)));
    }
    let earlier = summary.tally.earlier;
    if earlier.usd.is_some() || earlier.unknown > 0 {
        remarks.push(format!("with earlier tries, all cost {}", format::total_cost(summary.tally.cost())));
    }
    let judged = summary.tally.judge_cost();
    if judged.usd.is_some() || judged.unknown > 0 {
        remarks.push(format!("judging cost {} besides", format::total_cost(judged)));
    }
    if let Some(elapsed) = summary.elapsed {
        remarks.push(format!("took {}", format::duration(elapsed)));
    }
    remarks
}

/// The table, tables of labels, and remarks.
pub fn text(summary: &Summary<'_>, out: &Output) -> Text {
    let column = |(name, is_number): &(String, bool)| {
        if *is_number { Column::right(name) } else { Column::left(name).wraps(16) }
    };
    let mut grid = Grid::new(columns(summary.tally).iter().map(column).collect());
    rows(summary).into_iter().for_each(|row| grid.row(row));
    let mut page = grid.render(out);
    for (name, model) in &summary.tally.models {
        if let Some(confusion) = model.confusion() {
            page +=
                Text::from("\n") + out.style.bold(escape::line(name).as_ref()) + ": expected below, answered across\n";
            page += confusion_grid(&confusion).render(out);
        }
    }
    let remarks = remarks(summary);
    if !remarks.is_empty() {
        page += out.style.dim(format!("\n {}\n", remarks.join(" · ")));
    }
    page
}

/// The heading of the column of answers that are none of the labels.
const OTHER: &str = "other";

fn confusion_grid(confusion: &Confusion) -> Grid {
    let (headings, rows) = confusion_table(confusion);
    let column = |(at, name): (usize, &String)| if at == 0 { Column::left(name) } else { Column::right(name) };
    let mut grid = Grid::new(headings.iter().enumerate().map(column).collect());
    rows.into_iter().for_each(|row| grid.row(row));
    grid
}

/// Headings and rows. The column of other answers is left out where there are none.
fn confusion_table(confusion: &Confusion) -> (Vec<String>, Vec<Vec<String>>) {
    let has_other = confusion.counts.iter().any(|row| row.last().is_some_and(|count| *count > 0));
    let mut headings = vec!["expected".to_owned()];
    headings.extend(confusion.labels.iter().cloned());
    headings.extend(has_other.then(|| OTHER.to_owned()));
    let width = headings.len() - 1;
    let rows = confusion.labels.iter().zip(&confusion.counts).map(|(label, counts)| {
        let cells = counts.iter().take(width).map(|count| match count {
            0 => "·".to_owned(),
            count => format::thousands(*count),
        });
        std::iter::once(label.clone()).chain(cells).collect()
    });
    (headings, rows.collect())
}

/// A Markdown document.
pub fn markdown(summary: &Summary<'_>) -> Text {
    let mut page = String::from("## Batch\n\n");
    let columns = columns(summary.tally);
    let headings: Vec<(&str, bool)> = columns.iter().map(|(name, number)| (name.as_str(), *number)).collect();
    markdown::table(&mut page, &headings, &rows(summary));
    for (name, model) in &summary.tally.models {
        if let Some(confusion) = model.confusion() {
            let (headings, rows) = confusion_table(&confusion);
            let headings: Vec<String> =
                headings.iter().map(|heading| escape::markdown_line(heading).to_string()).collect();
            let headings: Vec<(&str, bool)> =
                headings.iter().enumerate().map(|(at, name)| (name.as_str(), at > 0)).collect();
            _ = writeln!(page, "\n### {}: expected below, answered across\n", escape::markdown_line(name));
            markdown::table(&mut page, &headings, &rows);
        }
    }
    for remark in remarks(summary) {
        _ = writeln!(page, "\n*{}*", escape::markdown_line(&remark));
    }
    page.into()
}

/// The names of the columns of CSV. New columns are added at the end only.
const HEADINGS: [&str; 22] = [
    "job",
    "model",
    "ok",
    "failed",
    "truncated",
    "cached",
    "first_token_p50_ms",
    "first_token_p95_ms",
    "total_p50_ms",
    "total_p90_ms",
    "total_p95_ms",
    "total_p99_ms",
    "input_tokens",
    "output_tokens",
    "unknown_tokens",
    "cost_usd",
    "unknown_costs",
    "expected",
    "correct",
    "accuracy",
    "accuracy_low",
    "accuracy_high",
];

/// A row for each model.
pub fn table(summary: &Summary<'_>) -> Text {
    let scorers = scorers(summary.tally);
    let intervals: Vec<String> =
        scorers.iter().flat_map(|scorer| [format!("{scorer}_low"), format!("{scorer}_high")]).collect();
    let mut headings: Vec<&str> = HEADINGS.to_vec();
    headings.extend(scorers.iter().chain(&intervals).map(String::as_str));
    let ms =
        |time: Option<Duration>| time.map_or_else(String::new, |time| format!("{:.1}", time.as_secs_f64() * 1000.0));
    let share = |share: Option<f64>| share.map_or_else(String::new, |share| format!("{share:.4}"));
    let row = |(name, model): &(String, ModelTally)| {
        let mut cells = vec![summary.job.to_owned(), name.clone()];
        cells.extend([model.ok, model.failed, model.truncated, model.cached].map(|count| count.to_string()));
        cells.extend([0.5, 0.95].map(|at| ms(model.first_token_at(at))));
        cells.extend(SHARES.map(|(_, at)| ms(model.total_at(at))));
        let tokens = [model.input.known(), model.output.known(), Some(model.unknown_tokens)];
        cells.extend(tokens.map(|count| count.map_or_else(String::new, |count| count.to_string())));
        cells.push(model.cost.known().map_or_else(String::new, |usd| usd.to_decimal()));
        cells.extend([model.cost.unknown as u64, model.expected, model.correct].map(|count| count.to_string()));
        cells.push(share(model.accuracy()));
        let interval = interval(model);
        cells.extend([share(interval.map(|interval| interval.low)), share(interval.map(|interval| interval.high))]);
        cells.extend(scorers.iter().map(|scorer| share(mean_score(model, scorer))));
        for interval in scorers.iter().map(|scorer| score_interval(model, scorer)) {
            cells.extend([share(interval.map(|interval| interval.low)), share(interval.map(|interval| interval.high))]);
        }
        cells
    };
    csv::table(&headings, summary.tally.models.iter().map(row))
}

/// One JSON document.
pub fn document(summary: &Summary<'_>, out: &Output) -> Text {
    documents::document(&value(summary), out)
}

/// Counts by the kind of failure.
fn by_kind(kinds: &[(FailureKind, u64)]) -> serde_json::Map<String, serde_json::Value> {
    kinds.iter().map(|(kind, count)| (kind.as_str().to_owned(), json!(count))).collect()
}

/// The summary as JSON; see `docs/output.md`.
pub(super) fn value(summary: &Summary<'_>) -> impl Serialize + use<> {
    let ms = |time: Option<Duration>| time.map(|time| (time.as_secs_f64() * 10_000.0).round() / 10.0);
    let model = |(name, model): &(String, ModelTally)| {
        let at = |of: &dyn Fn(f64) -> Option<Duration>| -> serde_json::Map<String, serde_json::Value> {
            SHARES.iter().map(|(name, share)| (format!("{name}_ms"), json!(ms(of(*share))))).collect()
        };
        let scores: serde_json::Map<String, serde_json::Value> =
            model.scores.keys().map(|scorer| (scorer.clone(), json!(mean_score(model, scorer)))).collect();
        let interval_of = |scorer: &String| {
            let interval = score_interval(model, scorer)?;
            let count = model.scores.get(scorer)?.count;
            Some((scorer.clone(), json!({"low": interval.low, "high": interval.high, "count": count})))
        };
        let score_intervals: serde_json::Map<String, serde_json::Value> =
            model.scores.keys().filter_map(interval_of).collect();
        let fallback = |((from, to), kinds): (&(String, String), &Vec<(FailureKind, u64)>)| {
            let count: u64 = kinds.iter().map(|(_, count)| count).sum();
            json!({"from": from, "to": to, "count": count, "failures": by_kind(kinds)})
        };
        let fallbacks: Vec<serde_json::Value> = model.fallbacks.iter().map(fallback).collect();
        let confusion =
            model.confusion().map(|confusion| json!({"labels": confusion.labels, "counts": confusion.counts}));
        let accuracy = model.accuracy().map(|share| {
            let interval = interval(model);
            json!({"expected": model.expected, "correct": model.correct, "share": share,
                   "low": interval.map(|interval| interval.low), "high": interval.map(|interval| interval.high)})
        });
        json!({
            "model": name, "ok": model.ok, "failed": model.failed, "truncated": model.truncated, "cached": model.cached,
            "failures": by_kind(&model.failures), "fallbacks": fallbacks,
            "first_token": at(&|share| model.first_token_at(share)),
            "total": at(&|share| model.total_at(share)),
            "usage": {"input_tokens": model.input.known(), "output_tokens": model.output.known(), "unknown": model.unknown_tokens},
            "cost": model.cost, "judge_cost": model.judge_cost, "accuracy": accuracy, "confusion": confusion,
            "scores": scores, "score_intervals": score_intervals,
        })
    };
    let tally = summary.tally;
    json!({
        "job": summary.job, "input": summary.input, "output": summary.output, "missing": summary.missing(),
        "unwritten": summary.unwritten,
        "models": tally.models.iter().map(model).collect::<Vec<_>>(), "total_cost": tally.cost(),
        "elapsed_ms": ms(summary.elapsed), "earlier_cost": tally.earlier,
    })
}
