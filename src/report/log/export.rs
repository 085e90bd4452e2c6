//! Recorded calls as JSON, JSON lines and CSV.

use std::collections::BTreeMap;

use serde::Serialize;

use super::when;
use crate::chat::Message;
use crate::ledger::Row;
use crate::money::Usd;
use crate::record::Record;
use crate::report::rates::per_million;
use crate::report::term::Output;
use crate::report::{csv as csv_format, json as json_format};

/// The columns of CSV; new ones are only ever added at the end.
const HEADINGS: [&str; 25] = [
    "when",
    "id",
    "run",
    "command",
    "model",
    "gateway",
    "answered_by",
    "key",
    "task",
    "tags",
    "status",
    "error_kind",
    "attempts",
    "cached",
    "input_tokens",
    "cached_input_tokens",
    "cache_write_tokens",
    "output_tokens",
    "reasoning_tokens",
    "cost_usd",
    "cost_origin",
    "first_token_ms",
    "total_ms",
    "conversation",
    "cost_partial",
];

/// A record with what only the ledger knows.
#[derive(Serialize)]
struct Entry {
    when: String,
    command: String,
    key: Option<String>,
    task: Option<String>,
    conversation: Option<String>,
    parent: Option<String>,
    /// `null` where only metadata is kept.
    messages: Option<Vec<Message>>,
    request_sha256: String,
    request_chars: u64,
    answer_chars: u64,
    /// US dollars per million tokens, by which the cost was computed.
    price: Option<BTreeMap<&'static str, Usd>>,
    #[serde(flatten)]
    record: Record,
}

impl Entry {
    fn new(row: &Row) -> Self {
        let price = row.rates.map(|rates| {
            let per_million = [
                ("input", per_million(rates.input)),
                ("output", per_million(rates.output)),
                ("cache_read", per_million(rates.cache_read)),
                ("cache_write", per_million(rates.cache_write)),
                ("reasoning", per_million(rates.reasoning)),
                ("request", rates.request),
            ];
            per_million.into_iter().filter_map(|(name, usd)| Some((name, usd?))).collect()
        });
        Self {
            when: when(row.at_ms, "%Y-%m-%dT%H:%M:%S%.3fZ"),
            command: row.command.clone(),
            key: row.key.clone(),
            task: row.task.clone(),
            conversation: row.conversation.clone(),
            parent: row.parent.clone(),
            messages: row.request.request().map(|request| request.messages),
            request_sha256: row.request.hash.clone(),
            request_chars: row.request.chars,
            answer_chars: row.answer_chars,
            price,
            record: row.clone().into_record(),
        }
    }
}

/// A JSON array.
pub fn json(rows: &[Row], out: &Output) -> String {
    json_format::document(&rows.iter().map(Entry::new).collect::<Vec<_>>(), out)
}

/// A JSON object.
pub fn one_json(row: &Row, out: &Output) -> String {
    json_format::document(&Entry::new(row), out)
}

/// One JSON object a line.
pub fn jsonl(rows: &[Row], out: &Output) -> String {
    // A line is a line on a terminal, too.
    let plain = Output::plain(out.columns);
    rows.iter().map(|row| out.show(&json_format::document(&Entry::new(row), &plain)).into_owned()).collect()
}

/// RFC 4180 with a heading; what is unknown is an empty cell.
pub fn csv(rows: &[Row]) -> String {
    let number = |count: Option<u64>| count.map_or_else(String::new, |count| count.to_string());
    let ms = |micros: Option<u64>| micros.map_or_else(String::new, |micros| (micros as f64 / 1000.0).to_string());
    let word = |text: &Option<String>| text.clone().unwrap_or_default();
    csv_format::table(
        &HEADINGS,
        rows.iter().map(|row| {
            [
                when(row.at_ms, "%Y-%m-%dT%H:%M:%S%.3fZ"),
                row.id.clone(),
                row.run.clone(),
                row.command.clone(),
                row.asked.clone(),
                row.gateway.clone(),
                if row.answered { row.model.clone() } else { String::new() },
                word(&row.key),
                word(&row.task),
                row.tags.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(" "),
                row.status.as_str().to_owned(),
                row.error.as_ref().map_or_else(String::new, |error| error.kind.as_str().to_owned()),
                row.attempts.len().to_string(),
                row.cached.to_string(),
                number(row.tokens.input),
                number(row.tokens.cache_read),
                number(row.tokens.cache_write),
                number(row.tokens.output),
                number(row.tokens.reasoning),
                row.cost.map_or_else(String::new, |cost| Usd::from_picos(cost.picos).to_decimal()),
                row.cost.map_or("unknown", |cost| cost.origin.as_str()).to_owned(),
                ms(row.times.first_token),
                ms(row.times.total),
                word(&row.conversation),
                row.cost.is_some_and(|cost| cost.partial).to_string(),
            ]
        }),
    )
}
