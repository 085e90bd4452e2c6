//! Recorded calls: as a list, the life of one, a conversation, as JSON and as CSV.

mod export;
mod list;
mod one;

use std::time::Duration;

use jiff::Timestamp;

use super::format::{self, UNKNOWN, or_unknown};
use crate::ledger::Row;
use crate::record::{Cost, Status};

pub use export::{csv, json, jsonl, one_json};
pub use list::list;
pub use one::{conversation, one};

/// What is shown of an id.
fn end(id: &str) -> &str {
    id.get(id.len().saturating_sub(8)..).unwrap_or(id)
}

fn status(row: &Row) -> String {
    match &row.error {
        Some(error) if row.status != Status::Ok => format!("{} ({})", row.status.as_str(), error.kind.as_str()),
        _ => row.status.as_str().to_owned(),
    }
}

fn when(at_ms: i64, form: &str) -> String {
    Timestamp::from_millisecond(at_ms).map_or_else(|_| UNKNOWN.to_owned(), |at| at.strftime(form).to_string())
}

fn duration(micros: Option<u64>) -> String {
    or_unknown(micros, |micros| format::duration(Duration::from_micros(micros)))
}

fn cost(row: &Row) -> Option<Cost> {
    row.cost.map(Cost::from)
}

fn count(count: Option<u64>) -> String {
    or_unknown(count, |count| count.to_string())
}
