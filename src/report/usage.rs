//! What was used and what it cost: as a table with advice, as JSON, CSV and Markdown.

use std::time::Duration;

use serde::Serialize;

use super::format::{self, UNKNOWN, or_unknown};
use super::grid::{Column, Grid};
use super::term::Output;
use super::{csv as csv_format, escape, json as json_format};
use crate::ledger::{Dimension, Group, Percentiles, Short, Usage};
use crate::money::Usd;

/// From this width of the page on, the table has all of its columns.
const WIDE: usize = 130;
/// How wide a bar of the whole cost is.
const BAR: usize = 10;

/// The columns of CSV after those of the groups; new ones are only ever added at the end.
const HEADINGS: [&str; 19] = [
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
];

/// The table, and below it where money leaks.
pub fn text(usage: &Usage, by: &[Dimension], out: &Output) -> String {
    if usage.total.calls == 0 {
        return String::new();
    }
    let wide = out.columns >= WIDE;
    let mut columns: Vec<Column> = by.iter().map(|dimension| Column::left(dimension.name()).wraps(10)).collect();
    columns.extend([Column::right("calls"), Column::right("failed"), Column::right("retries")]);
    if wide {
        columns.extend([
            Column::right("fallbacks"),
            Column::right("in"),
            Column::right("cached"),
            Column::right("out"),
        ]);
    }
    columns.extend([Column::right("cost"), Column::right("share")]);
    if out.tty {
        columns.push(Column::left(""));
    }
    if wide {
        columns.extend([Column::right("first token"), Column::right("p95")]);
    }
    columns.extend([Column::right("total"), Column::right("p95")]);
    let mut grid = Grid::new(columns);
    let mut rows: Vec<&Group> = usage.groups.iter().collect();
    let total = Group { key: vec![Some("total".into())], ..usage.total.clone() };
    if rows.len() > 1 {
        rows.push(&total);
    }
    for group in rows {
        let mut cells: Vec<String> = (0..by.len())
            .map(|place| match group.key.get(place) {
                Some(key) => key.clone().unwrap_or_else(|| UNKNOWN.to_owned()),
                None => String::new(),
            })
            .collect();
        cells.extend([group.calls, group.failed, group.retries].map(|n| n.to_string()));
        if wide {
            cells.extend([
                group.fallbacks.to_string(),
                group.input.to_string(),
                percent(cached_share(group)),
                group.output.to_string(),
            ]);
        }
        cells.extend([format::total_cost(group.cost), percent(share(group, usage))]);
        if out.tty {
            let is_total = std::ptr::eq(group, &total);
            cells.push(if is_total { String::new() } else { bar(share(group, usage).unwrap_or(0.0)) });
        }
        if wide {
            cells.extend(both(group.first_token));
        }
        cells.extend(both(group.total));
        grid.row(cells);
    }
    let mut page = grid.render(out);
    for (n, leak) in leaks(usage).iter().enumerate() {
        let start = if n == 0 { "\n" } else { "" };
        page.push_str(&format!("{start}{} {}\n", out.style.yellow("▸"), out.show(leak)));
    }
    page
}

fn both(percentiles: Option<Percentiles>) -> [String; 2] {
    let time = |micros: Option<u64>| or_unknown(micros, |micros| format::duration(Duration::from_micros(micros)));
    [time(percentiles.map(|p| p.median)), time(percentiles.map(|p| p.p95))]
}

/// Part of the known cost, from 0 to 1; `None` where nothing cost anything.
pub(super) fn share(group: &Group, usage: &Usage) -> Option<f64> {
    ratio(group.cost.usd?, usage.total.cost.usd?)
}

/// Only to be shown: no money comes of it.
fn ratio(part: Usd, whole: Usd) -> Option<f64> {
    (whole > Usd::ZERO).then(|| part.picos() as f64 / whole.picos() as f64)
}

fn cached_share(group: &Group) -> Option<f64> {
    (group.input > 0).then(|| group.cache_read as f64 / group.input as f64)
}

pub(super) fn percent(share: Option<f64>) -> String {
    or_unknown(share, |share| {
        let percent = share * 100.0;
        if percent > 0.0 && percent < 9.95 { format!("{percent:.1} %") } else { format!("{percent:.0} %") }
    })
}

/// A bar of eighths of cells.
fn bar(share: f64) -> String {
    const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let eighths = (share.clamp(0.0, 1.0) * (BAR * 8) as f64).round() as usize;
    format!("{}{}", "█".repeat(eighths / 8), EIGHTHS[eighths % 8])
}

/// Where money goes that need not, in sentences. Each says the rule by which it was found.
pub fn leaks(usage: &Usage) -> Vec<String> {
    let mut leaks = Vec::new();
    let total = &usage.total;
    if total.retry_cost > Usd::ZERO {
        let worst = usage.models.iter().max_by_key(|(_, group)| group.retry_cost);
        let worst = worst.map(|(model, group)| format!(", most of it with {model} ({})", group.retry_cost));
        leaks.push(format!("{} went into attempts that gave no answer{}", total.retry_cost, worst.unwrap_or_default()));
    }
    for (model, group) in &usage.models {
        let (cost, work) = (share(group, usage).unwrap_or(0.0), group.calls as f64 / total.calls.max(1) as f64);
        if cost >= 0.3 && cost >= 3.0 * work {
            leaks.push(format!(
                "{model} took {} of the cost for {} of the calls (three times its share or more)",
                percent(Some(cost)),
                percent(Some(work))
            ));
        }
    }
    leaks.extend(premium(usage));
    let retried: Vec<String> = usage
        .models
        .iter()
        .filter(|(_, group)| group.calls >= 10 && (group.retries + group.fallbacks) * 5 >= group.calls)
        .map(|(model, group)| format!("{model} ({} in {} calls)", group.retries + group.fallbacks, group.calls))
        .collect();
    if !retried.is_empty() {
        leaks.push(format!("one call in five or more needed another attempt: {}", retried.join(", ")));
    }
    if total.saved > Usd::ZERO {
        let own = if total.cached > 0 { format!("; llm's own answered {} calls", total.cached) } else { String::new() };
        leaks.push(format!("caches saved {}{own}", total.saved));
    }
    leaks
}

/// Short tasks answered by models that cost far more than others in use here.
fn premium(usage: &Usage) -> Vec<String> {
    // Picodollars a short call, of models that had some and cost something.
    let each = |group: &Group| {
        let calls = i64::try_from(group.short.calls).ok().filter(|calls| *calls > 0)?;
        Some(group.short.cost.picos() / calls).filter(|picos| *picos > 0)
    };
    let Some((cheap, least)) =
        usage.models.iter().filter_map(|(model, group)| Some((model, each(group)?))).min_by_key(|(_, picos)| *picos)
    else {
        return Vec::new();
    };
    let dear = usage.models.iter().filter(|(_, group)| each(group).is_some_and(|picos| picos / 5 >= least));
    dear.map(|(model, group)| {
        let calls = if group.short.calls == 1 { "call" } else { "calls" };
        format!(
            "{} short {calls} (at most {} tokens in and {} out) went to {model} for {}; {cheap} answers such calls for a \
             fifth of that or less",
            group.short.calls,
            Short::INPUT,
            Short::OUTPUT,
            group.short.cost
        )
    })
    .collect()
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
    input_tokens: u64,
    cached_input_tokens: u64,
    output_tokens: u64,
    cost: &'a crate::record::TotalCost,
    cost_share: Option<f64>,
    retry_cost_usd: Usd,
    cache_saved_usd: Usd,
    first_token_ms: Option<PercentilesJson>,
    total_ms: Option<PercentilesJson>,
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
pub fn json(usage: &Usage, by: &[Dimension], out: &Output) -> String {
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
            input_tokens: group.input,
            cached_input_tokens: group.cache_read,
            output_tokens: group.output,
            cost: &group.cost,
            cost_share: share.map(|share| (share * 10_000.0).round() / 10_000.0),
            retry_cost_usd: group.retry_cost,
            cache_saved_usd: group.saved,
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
    }
    let document = Document {
        by: by.iter().map(heading).collect(),
        groups: usage.groups.iter().map(|one| entry(one, group(one), share(one, usage), of(one))).collect(),
        total: entry(&usage.total, serde_json::Map::new(), share(&usage.total, usage), of(&usage.total)),
        leaks: leaks(usage),
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
pub fn csv(usage: &Usage, by: &[Dimension]) -> String {
    let by_names: Vec<String> = by.iter().map(heading).collect();
    let headings: Vec<&str> = by_names.iter().map(String::as_str).chain(HEADINGS).collect();
    let number = |value: Option<f64>| value.map_or_else(String::new, |value| value.to_string());
    csv_format::table(
        &headings,
        usage.groups.iter().map(|group| {
            let mut cells: Vec<String> = group.key.iter().map(|key| key.clone().unwrap_or_default()).collect();
            cells.extend(
                [group.calls, group.failed, group.partial, group.retries, group.fallbacks, group.cached, group.input]
                    .map(|n| n.to_string()),
            );
            cells.extend([group.cache_read, group.output].map(|n| n.to_string()));
            cells.extend([
                group.cost.usd.map_or_else(String::new, Usd::to_decimal),
                group.cost.unknown.to_string(),
                group.cost.computed.to_string(),
                number(share(group, usage).map(|share| (share * 10_000.0).round() / 10_000.0)),
                group.retry_cost.to_decimal(),
                group.saved.to_decimal(),
            ]);
            for percentiles in [group.first_token, group.total] {
                cells.extend([number(percentiles.map(|p| ms(p.median))), number(percentiles.map(|p| ms(p.p95)))]);
            }
            cells
        }),
    )
}

/// The figures that reports for people show, by column.
pub(super) fn figures(usage: &Usage) -> (Vec<&'static str>, Vec<Vec<String>>) {
    let headings = vec!["calls", "failed", "retries", "in", "out", "cost", "share", "first token", "total", "p95"];
    let row = |group: &Group| {
        let [first, _] = both(group.first_token);
        let [total, p95] = both(group.total);
        let counts = [group.calls, group.failed, group.retries + group.fallbacks, group.input, group.output];
        let mut cells: Vec<String> = counts.iter().map(ToString::to_string).collect();
        cells.extend([format::total_cost(group.cost), percent(share(group, usage)), first, total, p95]);
        cells
    };
    let mut rows: Vec<Vec<String>> = usage.groups.iter().map(row).collect();
    rows.push(row(&usage.total));
    (headings, rows)
}

/// A table and a list.
pub fn markdown(usage: &Usage, by: &[Dimension]) -> String {
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
    page
}
