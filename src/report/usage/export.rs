//! Usage as JSON and as CSV.

use serde::Serialize;

use super::{heading, leaks, share};
use crate::ledger::{Dimension, Group, Percentiles, Usage};
use crate::money::Usd;
use crate::report::term::Output;
use crate::report::{csv as csv_format, json as json_format};

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
