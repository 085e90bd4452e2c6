//! What was used and what it cost: as a table with advice, as JSON, CSV, Markdown and a web page.

mod export;
mod html;
mod leaks;
mod markdown;
mod table;

use std::time::Duration;

use super::format::{self, or_unknown};
use crate::ledger::{Dimension, Group, Percentiles, Usage};
use crate::money::Usd;

pub use export::{csv, json};
pub use html::page;
pub use leaks::leaks;
pub use markdown::markdown;
pub use table::text;

fn both(percentiles: Option<Percentiles>) -> [String; 2] {
    let time = |micros: Option<u64>| or_unknown(micros, |micros| format::duration(Duration::from_micros(micros)));
    [time(percentiles.map(|p| p.median)), time(percentiles.map(|p| p.p95))]
}

/// Part of the known cost, from 0 to 1; `None` where nothing cost anything.
fn share(group: &Group, usage: &Usage) -> Option<f64> {
    ratio(group.cost.usd?, usage.total.cost.usd?)
}

/// Only to be shown: no money comes of it.
fn ratio(part: Usd, whole: Usd) -> Option<f64> {
    (whole > Usd::ZERO).then(|| part.picos() as f64 / whole.picos() as f64)
}

fn cached_share(group: &Group) -> Option<f64> {
    (group.input > 0).then(|| group.cache_read as f64 / group.input as f64)
}

fn percent(share: Option<f64>) -> String {
    or_unknown(share, |share| {
        let percent = share * 100.0;
        if percent > 0.0 && percent < 9.95 { format!("{percent:.1} %") } else { format!("{percent:.0} %") }
    })
}

/// `model`, `tag:app`.
fn heading(dimension: &Dimension) -> String {
    match dimension {
        Dimension::Tag(name) => format!("tag:{name}"),
        other => other.name().to_owned(),
    }
}

/// The figures that reports for people show, by column.
fn figures(usage: &Usage) -> (Vec<&'static str>, Vec<Vec<String>>) {
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
