//! What was used and what it cost: as a table with advice, as JSON, as CSV and as Markdown.

use std::time::Duration;

use serde::Serialize;

use super::format::{self, UNKNOWN, or_unknown};
use super::grid::{Column, Grid};
use super::leaks::leaks;
use super::term::{Output, Text};
use super::{csv as csv_format, escape, json as json_format, wrap};
use crate::ledger::{Dimension, FailedAttempts, Group, Percentiles, TokenSum, Usage};
use crate::money::Usd;
use crate::record::known;

/// How many cells the name of a group keeps at least, where even the smallest table is too wide.
const NARROWEST_NAME: usize = 10;
/// How many cells the bar of the whole cost takes.
const BAR: usize = 8;

/// The columns of CSV after those of the groups. New columns are added at the end only, since scripts may read them by
/// position.
const HEADINGS: [&str; 24] = [
    "calls",
    "failed",
    "partial",
    "retries",
    "fallbacks",
    "cached",
    "input_tokens",
    "cached_input_tokens",
    "output_tokens",
    "cost_usd",
    "cost_unknown",
    "cost_computed",
    "cost_share",
    "retry_cost_usd",
    "cache_saved_usd",
    "first_token_median_ms",
    "first_token_p95_ms",
    "total_median_ms",
    "total_p95_ms",
    "input_tokens_unknown",
    "cached_input_tokens_unknown",
    "output_tokens_unknown",
    "retry_cost_unknown",
    "cache_saved_unknown",
];

/// The table, and below it sentences about costs that can be avoided.
pub fn text(usage: &Usage, by: &[Dimension], out: &Output) -> Text {
    if usage.total.calls == 0 {
        return Text::new();
    }
    // The table with the most columns whose rows fit on one line is chosen.
    let grids = DETAIL.iter().map(|columns| grid(usage, by, columns, out));
    let fitting = grids.reduce(|wider, narrower| if wider.fits(out) { wider } else { narrower });
    let mut page = fitting.map(|grid| grid.render(out)).unwrap_or_default();
    for (n, leak) in leaks(usage).iter().enumerate() {
        for (line, text) in wrap::wrap(&out.show(leak), out.columns.saturating_sub(2).max(1)).iter().enumerate() {
            page += if n + line == 0 { "\n" } else { "" };
            let mark = if line == 0 { out.style.yellow("▸") } else { " ".into() };
            page += mark + " " + text.as_str() + "\n";
        }
    }
    page
}

/// A column of figures. The columns with the names of the groups come before them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Figure {
    Calls,
    Failed,
    Partial,
    Retries,
    Fallbacks,
    Input,
    Cached,
    Output,
    Cost,
    Share,
    Bar,
    FirstToken,
    FirstTokenP95,
    Total,
    TotalP95,
}

use Figure::*;

/// The columns of each table, from the largest to the smallest. The first that fits the page is shown.
const DETAIL: [&[Figure]; 7] = [
    &[
        Calls,
        Failed,
        Partial,
        Retries,
        Fallbacks,
        Input,
        Cached,
        Output,
        Cost,
        Share,
        Bar,
        FirstToken,
        FirstTokenP95,
        Total,
        TotalP95,
    ],
    &[Calls, Failed, Partial, Retries, Fallbacks, Input, Output, Cost, Share, Bar, FirstToken, Total, TotalP95],
    &[Calls, Failed, Partial, Retries, Fallbacks, Cost, Share, Bar, Total, TotalP95],
    &[Calls, Failed, Retries, Fallbacks, Cost, Share, Bar, Total],
    &[Calls, Failed, Cost, Share, Bar, Total],
    &[Calls, Failed, Cost, Total],
    &[Calls, Cost],
];

impl Figure {
    fn name(self) -> &'static str {
        match self {
            Calls => "calls",
            Failed => "failed",
            Partial => "partial",
            Retries => "retries",
            Fallbacks => "fallbacks",
            Input => "in",
            Cached => "cached",
            Output => "out",
            Cost => "cost",
            Share => "share",
            Bar => "",
            FirstToken => "first token",
            Total => "total",
            FirstTokenP95 | TotalP95 => "p95",
        }
    }

    fn cell(self, group: &Group, usage: &Usage) -> String {
        match self {
            Calls => group.calls.to_string(),
            Failed => group.failed.to_string(),
            Partial => group.partial.to_string(),
            Retries => group.retries.to_string(),
            Fallbacks => group.fallbacks.to_string(),
            Input => tokens(&group.input),
            Cached => cached_share(group),
            Output => tokens(&group.output),
            Cost => format::total_cost(group.cost),
            Share => percent(share(group, usage)),
            Bar => bar(share(group, usage).unwrap_or(0.0)),
            FirstToken => time(group.first_token.map(|times| times.median)),
            FirstTokenP95 => time(group.first_token.map(|times| times.p95)),
            Total => time(group.total.map(|times| times.median)),
            TotalP95 => time(group.total.map(|times| times.p95)),
        }
    }
}

fn grid(usage: &Usage, by: &[Dimension], figures: &[Figure], out: &Output) -> Grid {
    let figures: Vec<Figure> = figures.iter().copied().filter(|figure| *figure != Bar || out.tty).collect();
    let column = |figure: &Figure| if *figure == Bar { Column::left("") } else { Column::right(figure.name()) };
    let names = by.iter().map(|dimension| Column::left(dimension.name()).wraps(NARROWEST_NAME));
    let mut grid = Grid::new(names.chain(figures.iter().map(column)).collect());
    for group in &usage.groups {
        let key = (0..by.len()).map(|place| group.key.get(place).cloned().flatten().unwrap_or_else(|| UNKNOWN.into()));
        grid.row(key.chain(figures.iter().map(|figure| figure.cell(group, usage))).collect());
    }
    if usage.groups.len() > 1 {
        let key = (0..by.len()).map(|place| if place == 0 { "total".to_owned() } else { String::new() });
        // The bar of the whole would always be full.
        let cell = |figure: &Figure| if *figure == Bar { String::new() } else { figure.cell(&usage.total, usage) };
        grid.row(key.chain(figures.iter().map(cell)).collect());
    }
    grid
}

fn time(micros: Option<u64>) -> String {
    or_unknown(micros, |micros| format::duration(Duration::from_micros(micros)))
}

/// The group's part of the known cost, from 0 to 1; `None` where nothing cost anything.
pub(super) fn share(group: &Group, usage: &Usage) -> Option<f64> {
    ratio(group.cost.known()?, usage.total.cost.known()?)
}

/// The ratio is shown only. No amount of money is computed from it.
fn ratio(part: Usd, whole: Usd) -> Option<f64> {
    (whole > Usd::ZERO).then(|| part.picos() as f64 / whole.picos() as f64)
}

fn tokens(tokens: &TokenSum) -> String {
    or_unknown(tokens.sum(), |sum| format!("{}{sum}", at_least(tokens.unknown > 0)))
}

fn at_least(is_bound: bool) -> &'static str {
    if is_bound { "≥" } else { "" }
}

/// The part of the known input tokens that are known to come from the provider's cache.
fn cached_share(group: &Group) -> String {
    let (input, read) = (group.input.sum().filter(|input| *input > 0), group.cache_read.sum());
    let share = input.zip(read).map(|(input, read)| read as f64 / input as f64);
    // It is a lower bound where a call has a count of input tokens and none of those from the cache.
    let is_bound = share.is_some() && group.cache_read.unknown > group.input.unknown;
    format!("{}{}", at_least(is_bound), percent(share))
}

pub(super) fn percent(share: Option<f64>) -> String {
    or_unknown(share, |share| {
        let percent = share * 100.0;
        if percent > 0.0 && percent < 0.05 {
            "<0.1 %".to_owned()
        } else if percent > 0.0 && percent < 9.95 {
            format!("{percent:.1} %")
        } else {
            format!("{percent:.0} %")
        }
    })
}

/// A bar, drawn in eighths of a cell.
fn bar(share: f64) -> String {
    const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let eighths = (share.clamp(0.0, 1.0) * (BAR * 8) as f64).round() as usize;
    format!("{}{}", "█".repeat(eighths / 8), EIGHTHS[eighths % 8])
}

#[derive(Serialize)]
struct GroupJson<'a> {
    key: serde_json::Map<String, serde_json::Value>,
    calls: u64,
    failed: u64,
    partial: u64,
    retries: u64,
    fallbacks: u64,
    cached: u64,
    input_tokens: Option<u64>,
    cached_input_tokens: Option<u64>,
    output_tokens: Option<u64>,
    input_tokens_unknown: u64,
    cached_input_tokens_unknown: u64,
    output_tokens_unknown: u64,
    cost: &'a crate::record::TotalCost,
    cost_share: Option<f64>,
    retry_cost_usd: Option<Usd>,
    retry_cost_unknown: u64,
    cache_saved_usd: Option<Usd>,
    cache_saved_unknown: u64,
    first_token_ms: Option<PercentilesJson>,
    total_ms: Option<PercentilesJson>,
}

#[derive(Serialize)]
struct FailedJson<'a> {
    gateway: &'a str,
    model: &'a str,
    attempts: u64,
    cost_usd: Option<Usd>,
    cost_unknown: u64,
}

impl<'a> From<&'a FailedAttempts> for FailedJson<'a> {
    fn from(failed: &'a FailedAttempts) -> Self {
        Self {
            gateway: &failed.gateway,
            model: &failed.model,
            attempts: failed.count,
            cost_usd: known(failed.cost, failed.cost_unknown),
            cost_unknown: failed.cost_unknown,
        }
    }
}

#[derive(Serialize)]
struct PercentilesJson {
    median: f64,
    p95: f64,
}

fn ms(micros: u64) -> f64 {
    (micros as f64 / 100.0).round() / 10.0
}

/// The groups, the total, and the advice.
pub fn json(usage: &Usage, by: &[Dimension], out: &Output) -> Text {
    let group = |group: &'_ Group| -> serde_json::Map<String, serde_json::Value> {
        by.iter().zip(&group.key).map(|(dimension, key)| (heading(dimension), key.clone().into())).collect()
    };
    let percentiles = |p: Option<Percentiles>| p.map(|p| PercentilesJson { median: ms(p.median), p95: ms(p.p95) });
    fn entry<'a>(
        group: &'a Group,
        key: serde_json::Map<String, serde_json::Value>,
        share: Option<f64>,
        [first, total]: [Option<PercentilesJson>; 2],
    ) -> GroupJson<'a> {
        GroupJson {
            key,
            calls: group.calls,
            failed: group.failed,
            partial: group.partial,
            retries: group.retries,
            fallbacks: group.fallbacks,
            cached: group.cached,
            input_tokens: group.input.sum(),
            cached_input_tokens: group.cache_read.sum(),
            output_tokens: group.output.sum(),
            input_tokens_unknown: group.input.unknown,
            cached_input_tokens_unknown: group.cache_read.unknown,
            output_tokens_unknown: group.output.unknown,
            cost: &group.cost,
            cost_share: share.map(|share| (share * 10_000.0).round() / 10_000.0),
            retry_cost_usd: known(group.retry_cost, group.retry_cost_unknown),
            retry_cost_unknown: group.retry_cost_unknown,
            cache_saved_usd: known(group.saved, group.saved_unknown),
            cache_saved_unknown: group.saved_unknown,
            first_token_ms: first,
            total_ms: total,
        }
    }
    let of = |one: &'_ Group| [percentiles(one.first_token), percentiles(one.total)];
    #[derive(Serialize)]
    struct Document<'a> {
        by: Vec<String>,
        groups: Vec<GroupJson<'a>>,
        total: GroupJson<'a>,
        leaks: Vec<String>,
        failed_attempts: Vec<FailedJson<'a>>,
    }
    let document = Document {
        by: by.iter().map(heading).collect(),
        groups: usage.groups.iter().map(|one| entry(one, group(one), share(one, usage), of(one))).collect(),
        total: entry(&usage.total, serde_json::Map::new(), share(&usage.total, usage), of(&usage.total)),
        leaks: leaks(usage),
        failed_attempts: usage.failed_attempts.iter().map(FailedJson::from).collect(),
    };
    json_format::document(&document, out)
}

/// `model`, `tag:app`.
pub(super) fn heading(dimension: &Dimension) -> String {
    match dimension {
        Dimension::Tag(name) => format!("tag:{name}"),
        other => other.name().to_owned(),
    }
}

/// One row a group.
pub fn csv(usage: &Usage, by: &[Dimension]) -> Text {
    let by_names: Vec<String> = by.iter().map(heading).collect();
    let headings: Vec<&str> = by_names.iter().map(String::as_str).chain(HEADINGS).collect();
    let number = |value: Option<f64>| value.map_or_else(String::new, |value| value.to_string());
    csv_format::table(
        &headings,
        usage.groups.iter().map(|group| {
            let mut cells: Vec<String> = group.key.iter().map(|key| key.clone().unwrap_or_default()).collect();
            cells.extend(
                [group.calls, group.failed, group.partial, group.retries, group.fallbacks, group.cached]
                    .map(|n| n.to_string()),
            );
            let tokens = [&group.input, &group.cache_read, &group.output];
            cells.extend(tokens.map(|tokens| tokens.sum().map_or_else(String::new, |sum| sum.to_string())));
            cells.extend([
                group.cost.known().map_or_else(String::new, Usd::to_decimal),
                group.cost.unknown.to_string(),
                group.cost.computed.to_string(),
                number(share(group, usage).map(|share| (share * 10_000.0).round() / 10_000.0)),
                known(group.retry_cost, group.retry_cost_unknown).map_or_else(String::new, Usd::to_decimal),
                known(group.saved, group.saved_unknown).map_or_else(String::new, Usd::to_decimal),
            ]);
            for percentiles in [group.first_token, group.total] {
                cells.extend([number(percentiles.map(|p| ms(p.median))), number(percentiles.map(|p| ms(p.p95)))]);
            }
            cells.extend(tokens.map(|tokens| tokens.unknown.to_string()));
            cells.extend([group.retry_cost_unknown, group.saved_unknown].map(|unknown| unknown.to_string()));
            cells
        }),
    )
}

/// The headings and the rows of the figures in documents for people. The last row is the total.
pub(super) fn figures(usage: &Usage) -> (Vec<&'static str>, Vec<Vec<String>>) {
    let figures: Vec<Figure> = DETAIL[0].iter().copied().filter(|figure| *figure != Bar).collect();
    let row = |group: &Group| figures.iter().map(|figure| figure.cell(group, usage)).collect();
    let rows = usage.groups.iter().chain([&usage.total]).map(row).collect();
    let name = |figure: &Figure| match figure {
        FirstTokenP95 => "first token p95",
        TotalP95 => "total p95",
        other => other.name(),
    };
    (figures.iter().map(name).collect(), rows)
}

/// A table of figures, and a list of sentences about costs that can be avoided.
pub fn markdown(usage: &Usage, by: &[Dimension]) -> Text {
    let (headings, rows) = figures(usage);
    let names: Vec<String> = by.iter().map(heading).collect();
    let mut page = format!("| {} | {} |\n", names.join(" | "), headings.join(" | "));
    page.push_str(&format!("|{}{}\n", "---|".repeat(by.len()), "---:|".repeat(headings.len())));
    for (n, row) in rows.iter().enumerate() {
        let keys: Vec<String> = match usage.groups.get(n) {
            Some(group) => {
                let key = |key: &Option<String>| escape::markdown_line(key.as_deref().unwrap_or(UNKNOWN));
                group.key.iter().map(key).collect()
            }
            None => (0..by.len()).map(|n| if n == 0 { "**total**".to_owned() } else { String::new() }).collect(),
        };
        page.push_str(&format!("| {} | {} |\n", keys.join(" | "), row.join(" | ")));
    }
    for (n, leak) in leaks(usage).iter().enumerate() {
        page.push_str(&format!("{}- {}\n", if n == 0 { "\n" } else { "" }, escape::markdown_line(leak)));
    }
    page.into()
}

#[cfg(test)]
mod tests;
